//! Carries octets between a client and its [`Session`], and does what the session asks for:
//! texts, chunks, handshakes, the store.

mod message;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::mta::fault::rule::Flaw;
use crate::mta::intake::Intake;
use crate::mta::settings::Listener;
use crate::mta::site::Site;
use crate::mta::wire::line::Found;
use crate::mta::wire::text::Mend;
use crate::smtp::tls::server::{Identity, Stream};

use super::inquiry::Inquiries;
use super::machine::{LONGEST_ANSWER, Session, Step, Then};
use super::reply::Reply;
use super::wire::{Got, Wire};

/// Octets of replies after which they are sent although more commands lie there: a client that
/// sends and does not read must not make us keep what it does not read.
const MANY_REPLIES: usize = 16 * 1024;

const BARE_LINE_FEED: Reply = Reply::new(
    500,
    5,
    2,
    "A line ends with CR LF, not with LF alone; goodbye",
);
const LONG_LINE: Reply = Reply::new(500, 5, 2, "The line is too long");
const ENDLESS: Reply = Reply::new(421, 5, 2, "The line does not end; goodbye");
const IDLE: Reply = Reply::new(421, 4, 2, "Timeout; goodbye");
const SHUTDOWN: Reply = Reply::new(421, 3, 2, "The server is shutting down; goodbye");

/// Leads one dialogue to its end.
pub async fn lead(
    tcp: TcpStream,
    ends: (SocketAddr, SocketAddr),
    door: Arc<Listener>,
    site: Arc<Site>,
    closing: Arc<Notify>,
) {
    let (peer, own) = ends;
    let limits = site.settings.limits.clone();
    let session = Session::new(site.clone(), door, peer, own);
    session.note_event("connect");
    let wire = Wire::new(Stream::Plain(tcp), closing, limits.write);
    let dialogue = Dialogue {
        inquiries: Inquiries::new(site, peer.ip()),
        session,
        wire,
        intake: None,
        mend: Mend::default(),
        progress: Instant::now(),
    };
    dialogue.run().await;
}

struct Dialogue {
    session: Session,
    wire: Wire,
    inquiries: Inquiries,
    /// The message that comes in chunks.
    intake: Option<Box<Intake>>,
    mend: Mend,
    /// The connection, or the last message that was taken: from then on the client has the time
    /// of a session.
    progress: Instant,
}

/// The dialogue is over.
enum Over {
    /// Send what is there, and close.
    Close,
    /// Nobody is there any more, or nothing shall be said.
    Drop,
    /// Cut.
    Reset,
}

type Course<T = ()> = Result<T, Over>;

impl Dialogue {
    async fn run(mut self) {
        let over = match self.begin().await {
            Ok(()) => loop {
                match self.next().await {
                    Ok(()) => {}
                    Err(over) => break over,
                }
            },
            Err(over) => over,
        };
        self.session.note_end();
        match over {
            Over::Close => Box::pin(self.wire.close()).await,
            Over::Drop => {}
            Over::Reset => self.wire.cut(),
        }
    }

    fn site(&self) -> &Arc<Site> {
        self.session.site()
    }

    async fn begin(&mut self) -> Course {
        if let Some(then) = self.session.connected(&mut self.wire.out) {
            self.mischief_of(then).await?;
            return Err(Over::Close);
        }
        if self.session.door().tls_first {
            Box::pin(self.handshake()).await?;
        }
        let goes_on = self.session.greet(&mut self.wire.out);
        self.mischief().await?;
        if !goes_on {
            return Err(Over::Close);
        }
        self.flush().await
    }

    /// The moment by which something must have come.
    fn deadline(&self, wait: Duration) -> Instant {
        self.end().min(Instant::now() + wait)
    }

    /// The moment by which the dialogue must have brought something.
    fn end(&self) -> Instant {
        let limits = &self.site().settings.limits;
        let mut end = self.progress + limits.session;
        if let Some(heard) = self.wire.closing() {
            end = end.min(heard + limits.grace);
        }
        end
    }

    /// Nothing came in time: that of the client, or ours.
    fn late<T>(&mut self) -> Course<T> {
        if self.wire.closing().is_some() {
            return self.farewell(&SHUTDOWN);
        }
        self.session.note_event("timeout");
        self.farewell(&IDLE)
    }

    async fn flush(&mut self) -> Course {
        self.wire.flush().await.map_err(|_| Over::Drop)
    }

    /// Takes and answers commands until more has to be read, then reads.
    async fn next(&mut self) -> Course {
        loop {
            let limit = self.site().settings.limits.line;
            match self.wire.buffer.find(limit) {
                Found::Nothing => break,
                Found::Line(length) => {
                    if self.inquiries.is_waited_for(self.wire.buffer.line(length)) {
                        self.session.listed = self.inquiries.listed().await;
                    }
                    if let Some(domain) = self.inquiries.sender(self.wire.buffer.line(length)) {
                        self.flush().await?;
                        self.session.mute_sender = self.inquiries.is_mute(&domain).await;
                    }
                    let now = std::time::Instant::now();
                    let line = self.wire.buffer.line(length);
                    let step = self.session.command(line, now, &mut self.wire.out);
                    self.wire.buffer.take(length + 2);
                    self.step(step).await?;
                    // RSET and EHLO discard the chunks that have come.
                    if !self.session.has_chunks() {
                        self.intake = None;
                    }
                }
                Found::TooLong => {
                    let step = self.session.bad_line(&LONG_LINE, &mut self.wire.out);
                    self.step(step).await?;
                }
                Found::BareLineFeed => return self.farewell(&BARE_LINE_FEED),
                Found::Endless => return self.farewell(&ENDLESS),
            }
            if self.wire.out.len() > MANY_REPLIES {
                self.flush().await?;
            }
        }
        // A handshake where a command should be: it would never end a line.
        if self.wire.buffer.ahead().starts_with(&[0x16, 3]) {
            return Err(Over::Close);
        }
        self.flush().await?;
        if self.wire.closing().is_some() && !self.session.is_within() {
            return self.farewell(&SHUTDOWN);
        }
        self.fill_line().await
    }

    /// Reads until a line is complete: a client that sends an octet now and then gets no more
    /// time than one that sends nothing.
    async fn fill_line(&mut self) -> Course {
        let mut until = self.deadline(self.site().settings.limits.idle);
        loop {
            match self.wire.fill(until).await {
                Got::Octets => {
                    let ahead = self.wire.buffer.ahead();
                    let whole = memchr::memchr(b'\n', ahead).is_some();
                    if whole || ahead.len() >= 512 || ahead.starts_with(&[0x16, 3]) {
                        return Ok(());
                    }
                }
                Got::Gone => return Err(Over::Drop),
                Got::Late => return self.late(),
                // An open transaction may come to its end, if it does so soon.
                Got::Closing if self.session.is_within() => {
                    until = until.min(self.end());
                }
                Got::Closing => return self.farewell(&SHUTDOWN),
            }
        }
    }

    fn farewell<T>(&mut self, reply: &Reply) -> Course<T> {
        reply.write(&mut self.wire.out);
        Err(Over::Close)
    }

    /// Does what a session asks for.
    async fn step(&mut self, step: Step) -> Course {
        if self.session.mischief.is_some() {
            self.mischief().await?;
        }
        match step {
            Step::Command => Ok(()),
            Step::Leave => Err(Over::Close),
            Step::Handshake => {
                self.flush().await?;
                self.wire.buffer.clear();
                Box::pin(self.handshake()).await
            }
            Step::Answer => Box::pin(self.answer()).await,
            Step::Text => Box::pin(self.text()).await,
            Step::Chunk(octets, judged) => Box::pin(self.chunk(octets, judged)).await,
        }
    }

    /// What a fault asks for.
    async fn mischief(&mut self) -> Course {
        let Some(mischief) = self.session.mischief.take() else {
            return Ok(());
        };
        if !mischief.delay.is_zero() {
            Box::pin(sleep(mischief.delay)).await;
        }
        self.mischief_of(mischief.then).await
    }

    async fn mischief_of(&mut self, then: Then) -> Course {
        match then {
            Then::Go => Ok(()),
            Then::Drop => Err(Over::Drop),
            Then::Reset => Err(Over::Reset),
            Then::Silence => {
                let until = self.deadline(self.site().settings.limits.session);
                loop {
                    match self.wire.fill(until).await {
                        Got::Octets => self.wire.buffer.clear(),
                        Got::Gone | Got::Late | Got::Closing => return Err(Over::Drop),
                    }
                }
            }
        }
    }

    async fn handshake(&mut self) -> Course {
        let site = self.site().clone();
        let flawed = self.session.flaw.take().and_then(flawed);
        let identity = match (&flawed, site.identity()) {
            (Some(identity), _) => identity,
            (None, Ok(identity)) => identity,
            (None, Err(error)) => {
                self.session.note_trouble("tls-failed", &error.to_string());
                return Err(Over::Drop);
            }
        };
        let Some(tcp) = self.wire.take_tcp() else {
            return Err(Over::Drop);
        };
        let shaken = timeout(site.settings.limits.handshake, identity.accept(tcp)).await;
        let why = match shaken {
            Ok(Ok((stream, (version, cipher)))) => {
                self.wire.stream = stream;
                self.session.encrypted(version, cipher);
                return Ok(());
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "timeout".to_string(),
        };
        self.session.note_trouble("tls-failed", &why);
        Err(Over::Drop)
    }

    /// Reads the answers of a login until it is over.
    async fn answer(&mut self) -> Course {
        loop {
            let step = match self.wire.buffer.find(LONGEST_ANSWER) {
                Found::Nothing => {
                    self.flush().await?;
                    self.fill_line().await?;
                    continue;
                }
                Found::Line(length) => {
                    let line = self.wire.buffer.line(length);
                    let step = self.session.answer(line, &mut self.wire.out);
                    self.wire.buffer.take(length + 2);
                    step
                }
                Found::TooLong => self.session.long_answer(&mut self.wire.out),
                Found::BareLineFeed => return self.farewell(&BARE_LINE_FEED),
                Found::Endless => return self.farewell(&ENDLESS),
            };
            if self.session.mischief.is_some() {
                self.mischief().await?;
            }
            match step {
                Step::Answer => {}
                Step::Leave => return Err(Over::Close),
                _ => return Ok(()),
            }
        }
    }
}

/// A certificate with something wrong about it.
fn flawed(flaw: Flaw) -> Option<Identity> {
    match flaw {
        Flaw::Expired => Identity::expired(&["localhost".to_string()]).ok(),
        Flaw::WrongName => Identity::self_signed(&["another.host.invalid".to_string()]).ok(),
    }
}
