//! One connection to one server: the way up to where mail can be given, and transactions. Only
//! what the server offers is used.

use std::net::SocketAddr;
use std::time::SystemTime;

use super::outcome::{Peer, Verdict, of_failure, of_reply, state_of, status};
use super::settings::{Relay, Settings, Tls};
use crate::mta::address::Address;
use crate::mta::envelope::{Body, Envelope, Ret};
use crate::mta::queue::{Outcome, State};
use crate::smtp::command::{MailParameters, RcptParameters};
use crate::smtp::sasl::{Dialogue, Mechanism};
use crate::smtp::{Client, Command, Extensions, Failure, Reply, Stage};

/// A connection over which mail can be given.
pub(crate) struct Conversation {
    client: Client,
    pub(crate) peer: Peer,
    extensions: Extensions,
    lmtp: bool,
    /// Transactions so far.
    pub(crate) used: u32,
}

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

/// What came of a transaction.
#[derive(Default)]
pub(crate) struct Transaction {
    pub(crate) verdicts: Vec<Verdict>,
    /// Recipients that the server wants in another transaction (452 4.5.3).
    pub(crate) left: Vec<usize>,
    /// Whether the connection is of further use.
    pub(crate) goes_on: bool,
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
        let refused = |reply: &Reply, stage| {
            let mut outcome = of_reply(reply, stage, &peer, now);
            // A server that will not speak to us at all is no word about the recipient.
            outcome.status.class = 4;
            (Refusal::from(outcome), false)
        };
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
        match (tls, extensions.has("STARTTLS")) {
            (Tls::Never, _) | (Tls::Opportunistic, false) => {}
            (Tls::Required, false) => {
                client.leave().await;
                let words = "TLS is required, and the server does not offer it";
                let outcome = Outcome {
                    host: Some(peer.host.clone()),
                    ip: peer.ip,
                    ..Outcome::local(now, status(5, 7, 10), words)
                };
                return Err((outcome.into(), false));
            }
            (_, true) => {
                let reply = client.starttls(host).await.map_err(failed)?;
                if reply.code == 220 {
                    extensions = greet(&mut client, settings, lmtp)
                        .await
                        .map_err(failed)?
                        .map_err(|reply| refused(&reply, Stage::Ehlo))?;
                } else if tls == Tls::Required {
                    return Err(refused(&reply, Stage::StartTls));
                }
            }
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

    /// Ends it politely.
    pub(crate) async fn end(mut self) {
        self.client.leave().await;
    }

    /// Gives a message to these recipients of its envelope.
    pub(crate) async fn give(
        &mut self,
        envelope: &Envelope,
        recipients: &[usize],
        text: &[u8],
        clock: impl Fn() -> SystemTime,
    ) -> Transaction {
        self.used += 1;
        let needs = Needs::of(envelope, text);
        if let Some(outcome) = self.cannot(&needs, text, clock()) {
            return Transaction {
                verdicts: all(recipients, &outcome),
                left: Vec::new(),
                goes_on: true,
            };
        }
        let mut done = Transaction::default();
        let outcome = self
            .transact(envelope, recipients, text, &needs, &clock, &mut done)
            .await;
        if let Err(failure) = outcome {
            let outcome = of_failure(&failure, &self.peer, clock());
            let settled: Vec<usize> = done.verdicts.iter().map(|v| v.n).collect();
            let open = recipients.iter().copied();
            let open: Vec<usize> = open
                .filter(|n| !settled.contains(n) && !done.left.contains(n))
                .collect();
            done.verdicts.extend(all(&open, &outcome));
            done.goes_on = false;
        }
        done
    }

    /// Why this server cannot take the message at all.
    fn cannot(&self, needs: &Needs, text: &[u8], now: SystemTime) -> Option<Outcome> {
        let local = |code, words: String| {
            Some(Outcome {
                host: Some(self.peer.host.clone()),
                ip: self.peer.ip,
                ..Outcome::local(now, code, &words)
            })
        };
        let octets = text.len() as u64;
        if let Some(most) = self.extensions.size().filter(|most| octets > *most) {
            let words = format!(
                "the message has {octets} octets, and the server takes no more than {most}"
            );
            return local(status(5, 3, 4), words);
        }
        if needs.utf8 && !self.extensions.has("SMTPUTF8") {
            let words = "the message has an internationalized address or header (SMTPUTF8), \
                         which the server does not take";
            return local(status(5, 6, 7), words.to_string());
        }
        if needs.binary && !(self.extensions.has("BINARYMIME") && self.extensions.has("CHUNKING")) {
            let words = "the message is binary (BINARYMIME), which the server does not take";
            return local(status(5, 6, 3), words.to_string());
        }
        if needs.eight_bit && !self.extensions.has("8BITMIME") {
            let words = "the message has 8-bit characters, which the server does not take";
            return local(status(5, 6, 3), words.to_string());
        }
        None
    }

    async fn transact(
        &mut self,
        envelope: &Envelope,
        recipients: &[usize],
        text: &[u8],
        needs: &Needs,
        clock: &impl Fn() -> SystemTime,
        done: &mut Transaction,
    ) -> Result<(), Failure> {
        let spoken: Vec<(usize, String)> = recipients
            .iter()
            .filter_map(|n| Some((*n, speak(&envelope.recipients.get(*n)?.address, needs))))
            .collect();
        let sender = envelope.sender.as_ref().map(|a| speak(a, needs));
        let sender = sender.unwrap_or_default();
        let dsn = self.extensions.has("DSN");
        let mut commands = vec![(
            Stage::Mail,
            Command::Mail(&sender, self.mail(envelope, needs, text, dsn)),
        )];
        let notifies: Vec<Option<String>> = spoken
            .iter()
            .map(|(n, _)| {
                let notify = envelope.recipients.get(*n)?.notify?;
                dsn.then(|| crate::mta::queue::notify_words(notify))
            })
            .collect();
        for ((n, address), notify) in spoken.iter().zip(&notifies) {
            let orcpt = envelope.recipients.get(*n).and_then(|r| r.orcpt.as_ref());
            let parameters = RcptParameters {
                notify: notify.as_deref(),
                orcpt: orcpt.filter(|_| dsn).map(|(_, address)| address.as_str()),
            };
            commands.push((Stage::Rcpt, Command::Rcpt(address, parameters)));
        }
        let (replies, mut broken) = self.ask(&commands).await;
        let mut replies = replies.into_iter();
        let Some(mail) = replies.next() else {
            return Err(broken.take().unwrap_or(Failure::Closed {
                stage: Stage::Mail,
                peer: self.client.peer(),
            }));
        };
        let mut taken = Vec::new();
        if mail.is_positive() {
            for ((n, _), reply) in spoken.iter().zip(replies) {
                if reply.is_positive() {
                    taken.push(*n);
                } else if !taken.is_empty() && is_too_many(&reply) {
                    done.left.push(*n);
                } else {
                    let verdict = self.verdict(*n, &reply, Stage::Rcpt, clock());
                    done.verdicts.push(verdict);
                }
            }
        } else {
            for (n, _) in &spoken {
                let verdict = self.verdict(*n, &mail, Stage::Mail, clock());
                done.verdicts.push(verdict);
            }
        }
        if let Some(failure) = broken {
            return Err(failure);
        }
        if taken.is_empty() {
            // 421: the server is about to close.
            if mail.code == 421 {
                self.client.close().await;
                return Ok(());
            }
            let reset = self.client.say(Stage::Rset, &Command::Rset).await;
            done.goes_on = reset.is_ok_and(|reply| reply.is_positive());
            return Ok(());
        }
        let replies = if needs.binary {
            vec![self.client.chunk(text, true).await?]
        } else {
            let data = self.client.say(Stage::Data, &Command::Data).await?;
            if data.code != 354 {
                for n in taken {
                    let verdict = self.verdict(n, &data, Stage::Data, clock());
                    done.verdicts.push(verdict);
                }
                let reset = self.client.say(Stage::Rset, &Command::Rset).await;
                done.goes_on = reset.is_ok_and(|reply| reply.is_positive());
                return Ok(());
            }
            let count = if self.lmtp { taken.len() } else { 1 };
            self.client.message(text, count).await?
        };
        for (i, n) in taken.into_iter().enumerate() {
            let reply = replies.get(i).or(replies.first());
            if let Some(reply) = reply {
                let mut verdict = self.verdict(n, reply, Stage::Dot, clock());
                verdict.told_elsewhere = dsn && !self.lmtp;
                done.verdicts.push(verdict);
            }
        }
        done.goes_on = replies.iter().all(|reply| reply.code != 421);
        Ok(())
    }

    fn mail<'e>(
        &self,
        envelope: &'e Envelope,
        needs: &Needs,
        text: &[u8],
        dsn: bool,
    ) -> MailParameters<'e> {
        MailParameters {
            size: self.extensions.has("SIZE").then_some(text.len() as u64),
            body: if needs.binary {
                Some("BINARYMIME")
            } else {
                needs.eight_bit.then_some("8BITMIME")
            },
            smtputf8: needs.utf8,
            ret: envelope.ret.filter(|_| dsn).map(|ret| match ret {
                Ret::Full => "FULL",
                Ret::Headers => "HDRS",
            }),
            envid: envelope.envid.as_deref().filter(|_| dsn),
            require_tls: false,
            auth: None,
        }
    }

    /// Asks in one write where the server allows it; stops at the first refusal of MAIL.
    async fn ask(&mut self, commands: &[(Stage, Command<'_>)]) -> (Vec<Reply>, Option<Failure>) {
        if self.extensions.has("PIPELINING") {
            return self.client.pipeline(commands).await;
        }
        let mut replies = Vec::with_capacity(commands.len());
        for (stage, command) in commands {
            match self.client.say(*stage, command).await {
                Ok(reply) => {
                    let stop = *stage == Stage::Mail && !reply.is_positive();
                    replies.push(reply);
                    if stop {
                        break;
                    }
                }
                Err(failure) => return (replies, Some(failure)),
            }
        }
        (replies, None)
    }

    fn verdict(&self, n: usize, reply: &Reply, stage: Stage, at: SystemTime) -> Verdict {
        let outcome = of_reply(reply, stage, &self.peer, at);
        let state = match reply.code / 100 {
            2 if self.lmtp => State::Delivered,
            2 if self.extensions.has("DSN") => State::Delivered,
            2 => State::Relayed,
            5 => State::Failed,
            _ => State::Waiting,
        };
        Verdict {
            n,
            state,
            outcome,
            told_elsewhere: false,
        }
    }
}

/// The same outcome for all.
pub(crate) fn all(recipients: &[usize], outcome: &Outcome) -> Vec<Verdict> {
    let one = |n: &usize| Verdict {
        n: *n,
        state: state_of(outcome.status),
        outcome: outcome.clone(),
        told_elsewhere: false,
    };
    recipients.iter().map(one).collect()
}

/// Whether a server wants the other recipients in another transaction (RFC 5321 section
/// 4.5.3.1.10; old servers say 552).
fn is_too_many(reply: &Reply) -> bool {
    let says = reply
        .enhanced()
        .is_some_and(|code| (code.subject, code.detail) == (5, 3));
    let bare = reply.enhanced().is_none();
    matches!(reply.code, 451 | 452 | 552) && (says || (bare && reply.code == 452))
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

/// What a message needs of a server.
struct Needs {
    eight_bit: bool,
    utf8: bool,
    binary: bool,
}

impl Needs {
    fn of(envelope: &Envelope, text: &[u8]) -> Self {
        let header = memchr::memmem::find(text, b"\r\n\r\n").unwrap_or(text.len());
        let header = text.get(..header).unwrap_or_default();
        // A domain can be written in ASCII, a local part cannot.
        let utf8_address = |address: &Address| !address.local.is_ascii();
        let addresses = envelope.recipients.iter().map(|r| &r.address);
        let mut addresses = addresses.chain(&envelope.sender);
        Self {
            eight_bit: !text.is_ascii(),
            utf8: envelope.smtputf8 && (addresses.any(utf8_address) || !header.is_ascii()),
            binary: envelope.body == Body::Binary,
        }
    }
}

/// An address as it is spoken: its domain in ASCII where the transaction is.
fn speak(address: &Address, needs: &Needs) -> String {
    let ascii = address
        .domain
        .as_deref()
        .filter(|d| !needs.utf8 && !d.is_ascii());
    match ascii.and_then(|domain| idna::domain_to_ascii(domain).ok()) {
        Some(domain) => Address {
            local: address.local.clone(),
            domain: Some(domain),
        }
        .to_string(),
        None => address.to_string(),
    }
}
