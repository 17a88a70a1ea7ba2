//! The steps that make a conversation safe: TLS from the start or by STARTTLS, and logins.

use std::time::Duration;

use tokio::time::Instant;

use super::Client;
use crate::smtp::command::Command;
use crate::smtp::stream::{Stream, Wire};
use crate::smtp::tls::{self, Trouble, relic};
use crate::smtp::{Failure, Reply, Stage, sasl};

impl Client {
    /// Shakes hands at once, as on port 465 (RFC 8314). `host` is the name for SNI.
    pub async fn implicit_tls(&mut self, host: &str) -> Result<(), Failure> {
        self.handshake(host).await
    }

    /// Says STARTTLS and, after a 220, shakes hands. Everything learned before is forgotten
    /// (RFC 3207 §4.2): say EHLO again.
    pub async fn starttls(&mut self, host: &str) -> Result<Reply, Failure> {
        let reply = self.say(Stage::StartTls, &Command::StartTls).await?;
        if reply.code == 220 {
            self.handshake(host).await?;
        }
        Ok(reply)
    }

    /// STARTTLS with a NOOP in the same packet, which the server must throw away
    /// (CVE-2011-0411). Gives the answer and whether the NOOP was answered inside TLS.
    pub async fn starttls_with_stowaway(
        &mut self,
        host: &str,
        wait: Duration,
    ) -> Result<(Reply, bool), Failure> {
        let started = Instant::now();
        let end = self.deadlines.end_of(Stage::StartTls);
        let octets = b"STARTTLS\r\nNOOP\r\n";
        self.send(octets, Stage::StartTls, end, started, "STARTTLS + NOOP")
            .await?;
        let reply = self
            .listen(Stage::StartTls, Some("STARTTLS + NOOP".to_string()))
            .await?;
        if reply.code != 220 {
            return Ok((reply, false));
        }
        self.handshake(host).await?;
        let unasked = match self.wire.as_mut() {
            Some(wire) => wire.reply(Stage::Other, Instant::now() + wait).await,
            None => return Ok((reply, false)),
        };
        Ok((reply, unasked.is_ok()))
    }

    /// Logs in. The reply is the last one: 235 when it worked.
    pub async fn authenticate(
        &mut self,
        dialogue: &mut sasl::Dialogue<'_>,
    ) -> Result<Reply, sasl::Failure> {
        let initial = dialogue.initial().map(|i| sasl::base64(&i));
        let initial = initial.map(|i| if i.is_empty() { "=".to_string() } else { i });
        let name = dialogue.mechanism().name();
        let mut reply = self
            .say(Stage::Auth, &Command::Auth(name, initial.as_deref()))
            .await?;
        for _ in 0..sasl::MOST_ROUNDS {
            if reply.code != 334 {
                break;
            }
            let answer = match dialogue.answer(&reply) {
                Ok(answer) => sasl::base64(&answer),
                Err(failure) => {
                    // RFC 4954 §4: a lone asterisk ends the dialogue.
                    self.say(Stage::Auth, &Command::AuthLine("*")).await?;
                    return Err(failure);
                }
            };
            reply = self.say(Stage::Auth, &Command::AuthLine(&answer)).await?;
        }
        dialogue.conclude(&reply)?;
        Ok(reply)
    }

    /// In place of a handshake: what an old server offers, see [`relic`]. Ends the connection.
    pub async fn relic(&mut self, host: &str) -> Option<relic::Relic> {
        let end = self.deadlines.end_of(Stage::Handshake);
        let mut wire = self.wire.take()?;
        relic::greet(&mut wire.stream, host, end).await
    }

    /// The channel binding for SCRAM: type and data (RFC 9266, RFC 5929 §4).
    pub fn channel_binding(&self) -> Option<sasl::Binding> {
        let Stream::Tls(tls) = &self.wire.as_ref()?.stream else {
            return None;
        };
        let connection = tls.get_ref().1;
        if connection.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3) {
            let exported = connection
                .export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(&[]))
                .ok()?;
            return Some(sasl::Binding::exporter(exported.to_vec()));
        }
        let leaf = self.session.as_ref()?.chain.first()?;
        sasl::Binding::end_point(leaf)
    }

    async fn handshake(&mut self, host: &str) -> Result<(), Failure> {
        let peer = self.peer;
        let started = Instant::now();
        let closed = Failure::Closed {
            stage: Stage::Handshake,
            peer,
        };
        let wire = self.wire.take().ok_or(closed)?;
        self.injected += wire.ahead().len();
        let Stream::Plain(tcp) = wire.stream else {
            let trouble = Trouble::Other("TLS is already on, or has no use here".to_string());
            return Err(Failure::Tls { peer, trouble });
        };
        let end = self.deadlines.end_of(Stage::Handshake);
        let outcome = match tls::handshake(tcp, host, end).await {
            Ok((stream, session)) => {
                self.wire = Some(Wire::new(Stream::Tls(Box::new(stream)), peer));
                let note = format!("{}, {}", session.version, session.cipher);
                self.extensions = None;
                self.session = Some(session);
                Ok(note)
            }
            Err(trouble) => Err(Failure::Tls { peer, trouble }),
        };
        let (note, failure) = match &outcome {
            Ok(note) => (Some(note.clone()), None),
            Err(failure) => (None, Some(failure)),
        };
        self.record(Stage::Handshake, None, started, failure, note);
        outcome.map(|_| ())
    }
}
