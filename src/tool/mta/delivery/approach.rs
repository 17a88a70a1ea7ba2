//! The way up to where mail can be given: greeting, EHLO, STARTTLS, AUTH.

use std::net::SocketAddr;
use std::time::SystemTime;

use super::conversation::Conversation;
use super::outcome::{Peer, of_failure, of_reply, status};
use super::settings::{Relay, Settings, Tls};
use crate::mta::queue::Outcome;
use crate::smtp::sasl::{Dialogue, Mechanism};
use crate::smtp::{Client, Command, Extensions, Failure, Reply, Stage};

/// How a server is to be spoken to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner<'s> {
    pub(crate) settings: &'s Settings,
    pub(crate) tls: Tls,
    /// The server that was named by the operator, when it was.
    pub(crate) relay: Option<&'s Relay>,
}

/// Why a server cannot be given mail now.
pub(crate) struct Refusal {
    pub(crate) outcome: Outcome,
    /// Whether no other server needs to be asked: the mail is back where it came from.
    pub(crate) is_loop: bool,
}

impl From<Outcome> for Refusal {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            is_loop: false,
        }
    }
}

impl Conversation {
    /// Connects and goes up to where mail can be given: greeting, EHLO, STARTTLS, AUTH.
    pub(crate) async fn begin(
        at: SocketAddr,
        host: &str,
        manner: Manner<'_>,
        now: SystemTime,
    ) -> Result<Self, Refusal> {
        let first = Self::attempt(at, host, manner, manner.tls, now).await;
        match first {
            // RFC 7435: what fails to be encrypted goes in clear, unless it must not.
            Err((_, true)) if manner.tls == Tls::Opportunistic => {
                let second = Self::attempt(at, host, manner, Tls::Never, now).await;
                second.map_err(|(refusal, _)| refusal)
            }
            other => other.map_err(|(refusal, _)| refusal),
        }
    }

    /// The same once; the flag says whether TLS is to blame.
    async fn attempt(
        at: SocketAddr,
        host: &str,
        manner: Manner<'_>,
        tls: Tls,
        now: SystemTime,
    ) -> Result<Self, (Refusal, bool)> {
        let settings = manner.settings;
        let peer = Peer {
            host: host.to_string(),
            ip: Some(at.ip()),
        };
        let failed = |failure: Failure| {
            let blame = matches!(failure, Failure::Tls { .. });
            (of_failure(&failure, &peer, now).into(), blame)
        };
        let refused = |reply: &Reply, stage| (refused(reply, stage, &peer, now), false);
        let mut client = Client::new(at, settings.deadlines.clone());
        client.connect().await.map_err(failed)?;
        let banner = client.banner().await.map_err(failed)?;
        if !banner.is_positive() {
            client.leave().await;
            return Err(refused(&banner, Stage::Banner));
        }
        let lmtp = manner.relay.is_some_and(|relay| relay.lmtp);
        let mut extensions = greet(&mut client, settings, lmtp)
            .await
            .map_err(failed)?
            .map_err(|reply| refused(&reply, Stage::Ehlo))?;
        // The server that answers is ourselves: only where nobody said that it shall be so.
        let name = banner
            .lines
            .first()
            .and_then(|l| l.split_whitespace().next());
        if manner.relay.is_none() && name.is_some_and(|n| n.eq_ignore_ascii_case(&settings.host)) {
            client.leave().await;
            let words = "the mail server of the domain is this one, which does not know it";
            let outcome = Outcome {
                host: Some(peer.host),
                ip: peer.ip,
                ..Outcome::local(now, status(5, 4, 6), words)
            };
            let is_loop = true;
            return Err((Refusal { outcome, is_loop }, false));
        }
        if tls != Tls::Never {
            let encrypted = encrypt(&mut client, &extensions, manner, tls, (&peer, now)).await?;
            extensions = encrypted.unwrap_or(extensions);
        }
        if let Some(relay) = manner.relay
            && relay.login.is_some()
        {
            log_in(&mut client, &extensions, relay, &peer, now)
                .await
                .map_err(|outcome| (outcome.into(), false))?;
        }
        Ok(Self {
            client,
            peer,
            extensions,
            lmtp,
            used: 0,
        })
    }
}

/// A server that will not speak to us at all is no word about the recipient.
fn refused(reply: &Reply, stage: Stage, peer: &Peer, now: SystemTime) -> Refusal {
    let mut outcome = of_reply(reply, stage, peer, now);
    outcome.status.class = 4;
    outcome.into()
}

/// STARTTLS where it is offered, and the greeting behind it; `None`: it goes on in clear. The flag
/// of an error says whether TLS is to blame.
async fn encrypt(
    client: &mut Client,
    extensions: &Extensions,
    manner: Manner<'_>,
    tls: Tls,
    (peer, now): (&Peer, SystemTime),
) -> Result<Option<Extensions>, (Refusal, bool)> {
    if !extensions.has("STARTTLS") {
        if tls == Tls::Opportunistic {
            return Ok(None);
        }
        client.leave().await;
        let words = "TLS is required, and the server does not offer it";
        let outcome = Outcome {
            host: Some(peer.host.clone()),
            ip: peer.ip,
            ..Outcome::local(now, status(5, 7, 10), words)
        };
        return Err((outcome.into(), false));
    }
    let blamed = |failure: Failure| (of_failure(&failure, peer, now).into(), true);
    let reply = client.starttls(&peer.host).await.map_err(blamed)?;
    if reply.code != 220 {
        return match tls {
            // A "yes" that is none of STARTTLS is no word to tell the sender.
            Tls::Required if reply.code < 400 => {
                client.leave().await;
                let words = format!("TLS is required, and STARTTLS is answered with {reply}");
                let outcome = Outcome {
                    host: Some(peer.host.clone()),
                    ip: peer.ip,
                    ..Outcome::local(now, status(4, 7, 5), &words)
                };
                Err((outcome.into(), false))
            }
            Tls::Required => Err((refused(&reply, Stage::StartTls, peer, now), false)),
            _ => Ok(None),
        };
    }
    let lmtp = manner.relay.is_some_and(|relay| relay.lmtp);
    let greeted = greet(client, manner.settings, lmtp).await.map_err(blamed)?;
    greeted
        .map(Some)
        .map_err(|reply| (refused(&reply, Stage::Ehlo, peer, now), false))
}

/// EHLO, or LHLO, or HELO where EHLO is not known (RFC 5321 section 3.2).
async fn greet(
    client: &mut Client,
    settings: &Settings,
    lmtp: bool,
) -> Result<Result<Extensions, Reply>, Failure> {
    let name = settings.host.as_str();
    let reply = if lmtp {
        client.lhlo(name).await?
    } else {
        client.ehlo(name).await?
    };
    if reply.is_positive() {
        return Ok(Ok(client.extensions.clone().unwrap_or_default()));
    }
    if lmtp || !reply.is_permanent() {
        return Ok(Err(reply));
    }
    let reply = client.say(Stage::Ehlo, &Command::Helo(name)).await?;
    Ok(if reply.is_positive() {
        Ok(Extensions::default())
    } else {
        Err(reply)
    })
}

async fn log_in(
    client: &mut Client,
    extensions: &Extensions,
    relay: &Relay,
    peer: &Peer,
    now: SystemTime,
) -> Result<(), Outcome> {
    let failed = |words: &str| Outcome {
        host: Some(peer.host.clone()),
        ip: peer.ip,
        command: Some("AUTH".to_string()),
        ..Outcome::local(now, status(4, 7, 0), words)
    };
    let Some(credentials) = &relay.login else {
        return Ok(());
    };
    let binding = client.channel_binding();
    let offered = extensions.mechanisms();
    // On this machine a password in clear is seen by nobody else.
    let safe = client.is_encrypted() || client.peer().ip().is_loopback();
    let chosen = Mechanism::choose(&offered, credentials, safe, binding.is_some());
    let Some(mechanism) = chosen else {
        return Err(failed(
            "the server offers no way to log in that would not show the password",
        ));
    };
    let server = (relay.host.as_str(), relay.port);
    let dialogue = Dialogue::new(mechanism, credentials, server, binding);
    let mut dialogue = dialogue.map_err(|error| failed(&error.to_string()))?;
    match client.authenticate(&mut dialogue).await {
        Ok(reply) if reply.code == 235 => Ok(()),
        Ok(reply) => {
            let mut outcome = of_reply(&reply, Stage::Auth, peer, now);
            // The operator has to mend the password; the mail waits for it.
            outcome.status.class = 4;
            client.leave().await;
            Err(outcome)
        }
        Err(error) => Err(failed(&error.to_string())),
    }
}
