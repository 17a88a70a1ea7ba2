//! The client: one conversation with one server, step by step. The caller decides what to say
//! and what a reply means; the client keeps the time, the order and the transcript.

mod secure;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};

use super::command::Command;
use super::reply::Flaw;
use super::stream::{Stream, Wire};
use super::tls;
use super::transcript::{Exchange, Transcript};
use super::{Deadlines, Extensions, Failure, Reply, Stage, data, foreign};

/// A conversation. After a failure the connection is gone and the transcript stays.
#[derive(Debug)]
pub struct Client {
    peer: SocketAddr,
    /// The socket of this machine, in place of an address.
    socket: Option<PathBuf>,
    deadlines: Deadlines,
    wire: Option<Wire>,
    born: Instant,
    /// Everything said so far.
    pub transcript: Transcript,
    /// What the last EHLO brought; `None` before it and with a server that knows HELO only.
    pub extensions: Option<Extensions>,
    /// The TLS session.
    pub session: Option<tls::Session>,
    /// Octets that came in clear between the 220 to STARTTLS and the handshake. They were
    /// thrown away (CVE-2021-38370 and kin: somebody on the way may have put them there).
    pub injected: usize,
    /// Our own address and port.
    pub local: Option<SocketAddr>,
}

impl Client {
    /// A conversation that is still to begin.
    pub fn new(peer: SocketAddr, deadlines: Deadlines) -> Self {
        Self {
            peer,
            socket: None,
            deadlines,
            wire: None,
            born: Instant::now(),
            transcript: Transcript::default(),
            extensions: None,
            session: None,
            injected: 0,
            local: None,
        }
    }

    /// A conversation with a server behind a Unix socket, as LMTP servers have it.
    pub fn at_socket(path: &Path, deadlines: Deadlines) -> Self {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        Self {
            socket: Some(path.to_path_buf()),
            ..Self::new(nowhere, deadlines)
        }
    }

    async fn open(&self) -> std::io::Result<Stream> {
        match &self.socket {
            Some(path) => UnixStream::connect(path).await.map(Stream::Socket),
            None => TcpStream::connect(self.peer).await.map(Stream::Plain),
        }
    }

    /// The server.
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Whether the connection is there.
    pub const fn is_open(&self) -> bool {
        self.wire.is_some()
    }

    /// Whether what is said goes through TLS.
    pub fn is_encrypted(&self) -> bool {
        matches!(&self.wire, Some(wire) if matches!(wire.stream, Stream::Tls(_)))
    }

    /// Changes how long to wait.
    pub fn deadlines_mut(&mut self) -> &mut Deadlines {
        &mut self.deadlines
    }

    /// Opens the connection.
    pub async fn connect(&mut self) -> Result<(), Failure> {
        let started = Instant::now();
        let end = self.deadlines.end_of(Stage::Connect);
        let outcome = match timeout_at(end, self.open()).await {
            Ok(Ok(stream)) => {
                if let Stream::Plain(tcp) = &stream {
                    // Commands are small and each waits for its answer.
                    let _ = tcp.set_nodelay(true);
                    self.local = tcp.local_addr().ok();
                }
                self.wire = Some(Wire::new(stream, self.peer));
                Ok(())
            }
            Ok(Err(error)) => Err(Failure::from_io(&error, Stage::Connect, self.peer)),
            Err(_) => Err(Failure::Timeout {
                stage: Stage::Connect,
                peer: self.peer,
                after: started.elapsed(),
                received: 0,
            }),
        };
        self.record(Stage::Connect, None, started, outcome.as_ref().err(), None);
        outcome
    }

    /// Waits for the greeting.
    pub async fn banner(&mut self) -> Result<Reply, Failure> {
        let greeting = self.listen(Stage::Banner, None).await?;
        match foreign::greets_otherwise(&greeting) {
            Some(protocol) => {
                let failure = self.foreign(protocol, &greeting);
                self.wire = None;
                Err(failure)
            }
            None => Ok(greeting),
        }
    }

    /// The failure of having met somebody else than a mail server.
    pub fn foreign(&self, protocol: foreign::Protocol, said: &Reply) -> Failure {
        Failure::Foreign {
            peer: self.peer,
            protocol,
            said: said.to_string(),
        }
    }

    /// Says EHLO; the announcements of a positive answer become [`Client::extensions`].
    pub async fn ehlo(&mut self, name: &str) -> Result<Reply, Failure> {
        let reply = self.say(Stage::Ehlo, &Command::Ehlo(name)).await?;
        self.extensions = reply.is_positive().then(|| Extensions::read(&reply));
        Ok(reply)
    }

    /// Says LHLO, the same for LMTP.
    pub async fn lhlo(&mut self, name: &str) -> Result<Reply, Failure> {
        let reply = self.say(Stage::Ehlo, &Command::Lhlo(name)).await?;
        self.extensions = reply.is_positive().then(|| Extensions::read(&reply));
        Ok(reply)
    }

    /// Says one command and waits for its reply.
    pub async fn say(&mut self, stage: Stage, command: &Command<'_>) -> Result<Reply, Failure> {
        let started = Instant::now();
        let end = self.deadlines.end_of(stage);
        let line = command.wire()?;
        let shown = command.shown();
        // A reply that came before its command answers nothing; taken for the next answer, it
        // would put every later one in the wrong place.
        let unasked = self.wire.as_mut().is_some_and(Wire::drop_unasked);
        self.send(line.as_bytes(), stage, end, started, &shown)
            .await?;
        let mut reply = self.receive(stage, Some(shown), started, end).await?;
        if unasked {
            reply.flaws.push(Flaw::Unasked);
            if let Some(Exchange {
                reply: Some(kept), ..
            }) = self.transcript.exchanges.last_mut()
            {
                kept.flaws.push(Flaw::Unasked);
            }
        }
        Ok(reply)
    }

    /// Says several commands in one write (RFC 2920: only when PIPELINING was announced) and
    /// reads the replies in order, as many as come before a failure.
    pub async fn pipeline(
        &mut self,
        commands: &[(Stage, Command<'_>)],
    ) -> (Vec<Reply>, Option<Failure>) {
        let mut replies = Vec::with_capacity(commands.len());
        let failure = self.pipeline_into(commands, &mut replies).await.err();
        (replies, failure)
    }

    async fn pipeline_into(
        &mut self,
        commands: &[(Stage, Command<'_>)],
        replies: &mut Vec<Reply>,
    ) -> Result<(), Failure> {
        let mut octets = String::new();
        for (_, command) in commands {
            octets.push_str(&command.wire()?);
        }
        let Some((first, command)) = commands.first() else {
            return Ok(());
        };
        let mut started = Instant::now();
        let end = self.deadlines.end_of(*first);
        self.send(octets.as_bytes(), *first, end, started, &command.shown())
            .await?;
        for (stage, command) in commands {
            let end = self.deadlines.end_of(*stage);
            let shown = Some(command.shown());
            replies.push(self.receive(*stage, shown, started, end).await?);
            started = Instant::now();
        }
        Ok(())
    }

    /// Says DATA. A 2xx here, or words that are there already, answer something else, and what comes
    /// behind the message would, too: then nothing more can be said.
    pub async fn data(&mut self) -> Result<Reply, Failure> {
        let reply = self.say(Stage::Data, &Command::Data).await?;
        if !reply.is_positive() && !self.has_unread() {
            return Ok(reply);
        }
        let peer = self.peer();
        self.close().await;
        Err(Failure::NoReply {
            stage: Stage::Data,
            peer,
            said: reply.to_string(),
        })
    }

    /// Sends a message after a 354: line ends made CRLF, dots doubled, the final dot added.
    /// Then reads one reply, or with LMTP one for each accepted recipient.
    pub async fn message(&mut self, message: &[u8], replies: usize) -> Result<Vec<Reply>, Failure> {
        let (all, failure) = self.message_to_each(message, replies).await;
        failure.map_or(Ok(all), Err)
    }

    /// The same; gives also the replies that came before a failure: what they say holds.
    pub async fn message_to_each(
        &mut self,
        message: &[u8],
        replies: usize,
    ) -> (Vec<Reply>, Option<Failure>) {
        let octets = data::dotted(message);
        let mut all = Vec::new();
        if let Err(failure) = self.blocks(&octets).await {
            return (all, Some(failure));
        }
        let shown = format!("({} octets)", octets.len());
        for n in 0..replies {
            let started = Instant::now();
            let end = self.deadlines.end_of(Stage::Dot);
            let shown = (n == 0).then(|| shown.clone());
            match self.receive(Stage::Dot, shown, started, end).await {
                Ok(reply) => all.push(reply),
                Err(failure) => return (all, Some(failure)),
            }
        }
        (all, None)
    }

    /// Whether the server has said something that nobody asked for and nobody has read yet: what
    /// comes next would be taken for the answer to something else.
    pub fn has_unread(&self) -> bool {
        self.wire.as_ref().is_some_and(|w| !w.ahead().is_empty())
    }

    /// Sends one chunk (RFC 3030) exactly as it is, and reads the reply.
    pub async fn chunk(&mut self, octets: &[u8], last: bool) -> Result<Reply, Failure> {
        let started = Instant::now();
        let command = Command::Bdat(octets.len() as u64, last);
        let line = command.wire()?;
        let end = self.deadlines.end_of(Stage::Body);
        let shown = command.shown();
        self.send(line.as_bytes(), Stage::Body, end, started, &shown)
            .await?;
        self.blocks(octets).await?;
        let end = self.deadlines.end_of(Stage::Dot);
        self.receive(Stage::Dot, Some(shown), started, end).await
    }

    /// Sends octets block by block, each with its own limit (RFC 5321 §4.5.3.2.5).
    async fn blocks(&mut self, octets: &[u8]) -> Result<(), Failure> {
        const BLOCK: usize = 64 * 1024;
        for block in octets.chunks(BLOCK) {
            let end = self.deadlines.end_of(Stage::Body);
            self.send(block, Stage::Body, end, Instant::now(), "(message)")
                .await?;
        }
        Ok(())
    }

    /// Says QUIT, waits for the 221 no longer than allowed, and closes. A missing 221 is no
    /// failure (some servers hold it back).
    pub async fn quit(&mut self) -> Option<Reply> {
        if !self.is_open() {
            return None;
        }
        let reply = self.say(Stage::Quit, &Command::Quit).await.ok();
        self.close().await;
        reply
    }

    /// Says QUIT and closes without waiting.
    pub async fn leave(&mut self) {
        let end = self.deadlines.end_of(Stage::Quit);
        if let Some(wire) = self.wire.as_mut() {
            let _ = wire.write(b"QUIT\r\n", Stage::Quit, end).await;
        }
        self.close().await;
    }

    /// Closes.
    pub async fn close(&mut self) {
        if let Some(mut wire) = self.wire.take() {
            let end = self.deadlines.end_of(Stage::Quit);
            let _ = timeout_at(end, wire.stream.shutdown()).await;
        }
    }

    async fn listen(&mut self, stage: Stage, sent: Option<String>) -> Result<Reply, Failure> {
        let end = self.deadlines.end_of(stage);
        self.receive(stage, sent, Instant::now(), end).await
    }

    async fn send(
        &mut self,
        octets: &[u8],
        stage: Stage,
        end: Instant,
        started: Instant,
        shown: &str,
    ) -> Result<(), Failure> {
        let outcome = match self.wire.as_mut() {
            Some(wire) => wire.write(octets, stage, end).await,
            None => Err(Failure::Closed {
                stage,
                peer: self.peer,
            }),
        };
        // A server that refuses and closes at once (421, 554) has its reason in the pipe: it is
        // read, and the reset that met our command is not the story.
        if let Err(failure) = &outcome
            && !matches!(failure, Failure::Reset { .. })
        {
            self.wire = None;
            self.record(stage, Some(shown.to_string()), started, Some(failure), None);
            return outcome;
        }
        Ok(())
    }

    async fn receive(
        &mut self,
        stage: Stage,
        sent: Option<String>,
        started: Instant,
        end: Instant,
    ) -> Result<Reply, Failure> {
        let outcome = match self.wire.as_mut() {
            Some(wire) => wire.reply(stage, end).await,
            None => Err(Failure::Closed {
                stage,
                peer: self.peer,
            }),
        };
        match outcome {
            Ok(reply) => {
                let encrypted = self.is_encrypted();
                self.transcript.exchanges.push(Exchange {
                    stage,
                    sent,
                    reply: Some(reply.clone()),
                    note: None,
                    encrypted,
                    at: started - self.born,
                    took: started.elapsed(),
                });
                Ok(reply)
            }
            Err(failure) => {
                self.record(stage, sent, started, Some(&failure), None);
                self.wire = None;
                Err(failure)
            }
        }
    }

    fn record(
        &mut self,
        stage: Stage,
        sent: Option<String>,
        started: Instant,
        failure: Option<&Failure>,
        note: Option<String>,
    ) {
        let encrypted = self.is_encrypted();
        self.transcript.exchanges.push(Exchange {
            stage,
            sent,
            reply: None,
            note: failure.map(Failure::to_string).or(note),
            encrypted,
            at: started - self.born,
            took: started.elapsed(),
        });
    }
}
