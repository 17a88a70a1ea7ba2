//! The state of one dialogue: a command goes in, the reply is written, and what has to be done
//! next comes out. Nothing here waits or touches the network.

mod faults;
mod login;
mod mail;
mod notes;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::mta::envelope::{Client, Envelope};
use crate::mta::fault::Stage;
use crate::mta::fault::rule::Flaw;
use crate::mta::journal::count;
use crate::mta::settings::{Listener, Role};
use crate::mta::site::Site;
use crate::smtp::sasl::Mechanism;
use crate::smtp::sasl::server::{Exchange, OFFERED};

use super::command::{self, Command, Hello, Refused};
use super::reply::Reply;
use super::transaction::Transaction;

use faults::Fate;

/// Octets of an answer in a login (RFC 4954 section 4.5.3: 12,288, and the line end).
pub const LONGEST_ANSWER: usize = 12_290;

/// What has to be done after a command.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Read the next command.
    Command,
    /// 354 was said: read a text, then [`Session::settle`].
    Text,
    /// Read this many octets. `Ok`: they belong to the message, and are its last ones or not;
    /// then [`Session::chunk`]. `Err`: throw them away, then say this.
    Chunk(u64, Result<bool, Reply>),
    /// Read an answer of a login, then [`Session::answer`].
    Answer,
    /// Send what is there, throw away what was read, and shake hands.
    Handshake,
    /// Send what is there, and close.
    Leave,
}

/// Something done on purpose that a reply alone cannot do.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mischief {
    /// Wait this long before the reply is sent.
    pub delay: Duration,
    /// And then this.
    pub then: Then,
}

/// How a fault ends.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
pub enum Then {
    /// The dialogue goes on.
    #[default]
    Go,
    /// Close without another word.
    Drop,
    /// Cut.
    Reset,
    /// Say nothing any more.
    Silence,
}

/// One dialogue.
#[derive(Debug)]
pub struct Session {
    site: Arc<Site>,
    door: Arc<Listener>,
    peer: IpAddr,
    own: IpAddr,
    /// TLS version and cipher.
    tls: Option<(&'static str, String)>,
    hello: Option<(Hello, String)>,
    user: Option<String>,
    login: Option<Box<Exchange>>,
    transaction: Option<Box<Transaction>>,
    hidden: Vec<String>,
    errors: usize,
    junk: usize,
    failed_logins: usize,
    messages: usize,
    /// What is to be wrong with the certificate.
    pub flaw: Option<Flaw>,
    /// What the block lists say of the client, for RCPT.
    pub listed: Option<Reply>,
    /// The domain of the sender whom the next MAIL names says that it takes no mail.
    pub mute_sender: bool,
    /// What a fault asks of the driver; it takes it after each step.
    pub mischief: Option<Box<Mischief>>,
}

const OK: Reply = Reply::new(250, 0, 0, "Ok");
const BYE: Reply = Reply::new(221, 0, 0, "Bye");
const NOT_NOW: Reply = Reply::new(503, 5, 1, "Bad sequence of commands");
const HELLO_FIRST: Reply = Reply::new(503, 5, 1, "Say EHLO first");
const TOO_MANY_ERRORS: Reply = Reply::new(421, 7, 0, "Too many errors; goodbye");
const TOO_MUCH_JUNK: Reply = Reply::new(421, 7, 0, "Too many commands without any mail; goodbye");

impl Session {
    /// A dialogue that begins.
    pub fn new(site: Arc<Site>, door: Arc<Listener>, peer: SocketAddr, own: SocketAddr) -> Self {
        Self {
            site,
            door,
            peer: peer.ip().to_canonical(),
            own: own.ip().to_canonical(),
            tls: None,
            hello: None,
            user: None,
            login: None,
            transaction: None,
            hidden: Vec::new(),
            errors: 0,
            junk: 0,
            failed_logins: 0,
            messages: 0,
            flaw: None,
            listed: None,
            mute_sender: false,
            mischief: None,
        }
    }

    /// A client has come; a fault may meet it before anything is said, and ends the dialogue.
    pub fn connected(&mut self, out: &mut Vec<u8>) -> Option<Then> {
        let peer = self.peer.to_string();
        self.fault(Stage::Connect, &[&peer], out)?;
        let mischief = self.mischief.take();
        Some(mischief.map_or(Then::Go, |m| m.then))
    }

    /// The greeting. `false`: the dialogue is over with it.
    pub fn greet(&mut self, out: &mut Vec<u8>) -> bool {
        let protocol = if self.door.lmtp { "LMTP" } else { "ESMTP" };
        let text = format!("{} {protocol} mailtrace", self.site.settings.host);
        let greeting = Reply::plain(220, text);
        let peer = self.peer.to_string();
        match self.fault(Stage::Banner, &[&peer], out) {
            Some(Fate::Struck(step)) => {
                // A refusal in place of a greeting leaves nothing to talk about.
                step != Step::Leave && self.mischief.is_none() && !out.starts_with(b"5")
            }
            fate => {
                greeting.write(out);
                self.adorn(fate, out, 0);
                true
            }
        }
    }

    /// A handshake is done: nothing that was said before it counts (RFC 3207 section 4.2).
    pub fn encrypted(&mut self, version: &'static str, cipher: String) {
        self.tls = Some((version, cipher));
        self.hello = None;
        self.user = None;
        self.login = None;
        self.transaction = None;
        self.hidden.clear();
    }

    /// Takes a command line without its line end.
    pub fn command(&mut self, line: &[u8], now: Instant, out: &mut Vec<u8>) -> Step {
        let from = out.len();
        let step = match command::parse(line) {
            Ok(command) => self.act(command, now, out),
            Err(Refused::Say(reply)) => self.say(&reply, out),
            Err(Refused::Leave(reply)) => {
                reply.write(out);
                Step::Leave
            }
        };
        self.watch(step, from, out)
    }

    /// A line that could not be read as one.
    pub fn bad_line(&mut self, reply: &Reply, out: &mut Vec<u8>) -> Step {
        let from = out.len();
        let step = self.say(reply, out);
        self.watch(step, from, out)
    }

    /// Counts what was refused, and ends the dialogue when it is too much.
    fn watch(&mut self, step: Step, from: usize, out: &mut Vec<u8>) -> Step {
        let limits = &self.site.settings.limits;
        if out.get(from) == Some(&b'5') {
            count(&self.site.journal.counts.refused, 1);
            self.errors += 1;
        }
        let farewell = if self.errors > limits.errors {
            TOO_MANY_ERRORS
        } else if self.junk > limits.junk {
            TOO_MUCH_JUNK
        } else {
            return step;
        };
        // What stays unread must not be taken for commands, so the dialogue ends here also in
        // the middle of a chunk.
        if step == Step::Leave {
            return step;
        }
        out.truncate(from);
        farewell.write(out);
        Step::Leave
    }

    fn say(&mut self, reply: &Reply, out: &mut Vec<u8>) -> Step {
        reply.write(out);
        Step::Command
    }

    fn act(&mut self, command: Command<'_>, now: Instant, out: &mut Vec<u8>) -> Step {
        match command {
            Command::Hello(hello, name) => self.hello(hello, name, out),
            Command::Mail(sender, parameters) => self.mail(sender, parameters, out),
            Command::Rcpt(recipient, parameters) => self.rcpt(recipient, parameters, now, out),
            Command::Data => self.data(out),
            Command::Bdat(octets, last) => self.bdat(octets, Ok(last)),
            Command::BadBdat(octets) => self.bdat(
                octets,
                Err(Reply::new(
                    501,
                    5,
                    4,
                    "Write BDAT, a length and perhaps LAST",
                )),
            ),
            Command::Rset => {
                self.junk += 1;
                self.transaction = None;
                self.say(&OK, out)
            }
            Command::Noop => {
                self.junk += 1;
                self.say(&OK, out)
            }
            Command::Vrfy => {
                self.junk += 1;
                let text = "Cannot tell; send a message, and it will be tried";
                self.say(&Reply::new(252, 5, 0, text), out)
            }
            Command::Help => {
                self.junk += 1;
                let text =
                    "Commands: EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY STARTTLS AUTH QUIT";
                self.say(&Reply::new(214, 0, 0, text), out)
            }
            Command::Quit => {
                self.transaction = None;
                let from = out.len();
                match self.fault(Stage::Quit, &[""], out) {
                    Some(Fate::Struck(_)) => {}
                    fate => {
                        BYE.write(out);
                        self.adorn(fate, out, from);
                    }
                }
                Step::Leave
            }
            Command::StartTls => self.starttls(out),
            Command::Auth(mechanism, initial) => self.auth(mechanism, initial, out),
        }
    }

    fn hello(&mut self, hello: Hello, name: &str, out: &mut Vec<u8>) -> Step {
        if self.door.lmtp != (hello == Hello::Lhlo) {
            let text = match self.door.lmtp {
                true => "This is LMTP: say LHLO",
                false => "Command not recognized",
            };
            return self.say(&Reply::new(500, 5, 1, text), out);
        }
        if self.hello.is_some() {
            self.junk += 1;
        }
        let from = out.len();
        let mut fate = None;
        // HELO is the way round a server that does not know EHLO, so faults leave it alone.
        if hello != Hello::Helo {
            fate = self.fault(Stage::Ehlo, &[name], out);
            if let Some(Fate::Struck(step)) = fate {
                return step;
            }
        }
        self.transaction = None;
        self.hello = Some((hello, name.to_string()));
        let text = match hello {
            Hello::Helo => self.site.settings.host.clone(),
            _ => self.announce(),
        };
        Reply::plain(250, text).write(out);
        self.adorn(fate, out, from);
        Step::Command
    }

    /// The name of the server and what it can do, a keyword on each line.
    fn announce(&self) -> String {
        let settings = &self.site.settings;
        let mut lines = vec![settings.host.clone()];
        let mut add = |line: String| {
            let keyword = line.split(' ').next().unwrap_or_default();
            if !self.hidden.iter().any(|h| h == keyword) {
                lines.push(line);
            }
        };
        add("PIPELINING".to_string());
        add(format!("SIZE {}", settings.limits.message));
        if self.offers_tls() {
            add("STARTTLS".to_string());
        }
        if self.offers_login() {
            let names = OFFERED.map(Mechanism::name).join(" ");
            add(format!("AUTH {names}"));
        }
        add("ENHANCEDSTATUSCODES".to_string());
        add("8BITMIME".to_string());
        add("DSN".to_string());
        add("SMTPUTF8".to_string());
        add("CHUNKING".to_string());
        // RFC 9422: so that a client need not find out by 452.
        add(format!("LIMITS RCPTMAX={}", settings.limits.recipients));
        lines.join("\n")
    }

    fn hides(&self, keyword: &str) -> bool {
        self.hidden.iter().any(|h| h == keyword)
    }

    fn offers_tls(&self) -> bool {
        self.site.has_tls() && self.tls.is_none() && !self.door.lmtp
    }

    fn offers_login(&self) -> bool {
        self.site.book.is_some() && (self.tls.is_some() || self.site.settings.auth_in_clear)
    }

    /// Whether this client belongs to us: by login or network.
    pub fn is_trusted(&self) -> bool {
        self.user.is_some() || self.site.settings.trusts(self.peer)
    }

    /// Whether a transaction is open.
    pub fn is_within(&self) -> bool {
        self.transaction.is_some()
    }

    /// Whether chunks have come.
    pub fn has_chunks(&self) -> bool {
        self.transaction.as_ref().is_some_and(|t| t.chunks)
    }

    /// The envelope of the transaction.
    pub fn envelope(&self) -> Option<Envelope> {
        let open = self.transaction.as_ref()?;
        let client = Client {
            ip: Some(self.peer),
            helo: self.helo().map(str::to_string),
            user: self.user.clone(),
            with: self.with(open.parameters.smtputf8),
        };
        Some(open.envelope(client, (self.site.clock)()))
    }

    /// The keyword of the trace field (RFC 3848; RFC 6531 section 4.3).
    fn with(&self, utf8: bool) -> String {
        let protocol = match (&self.hello, utf8) {
            _ if self.door.lmtp && utf8 => "UTF8LMTP",
            _ if self.door.lmtp => "LMTP",
            (_, true) => "UTF8SMTP",
            (Some((Hello::Helo, _)), _) => "SMTP",
            _ => "ESMTP",
        };
        let plain = protocol == "SMTP";
        let tls = if self.tls.is_some() { "S" } else { "" };
        let login = if self.user.is_some() { "A" } else { "" };
        match (plain, tls, login) {
            // There is no SMTPS in the registry: HELO inside TLS is told by the comment.
            (true, _, _) => protocol.to_string(),
            _ => format!("{protocol}{tls}{login}"),
        }
    }

    /// The name of the greeting.
    pub fn helo(&self) -> Option<&str> {
        self.hello.as_ref().map(|(_, name)| name.as_str())
    }

    /// TLS version and cipher.
    pub fn tls(&self) -> Option<(&'static str, &str)> {
        self.tls
            .as_ref()
            .map(|(version, cipher)| (*version, cipher.as_str()))
    }

    /// The client.
    pub fn peer(&self) -> IpAddr {
        self.peer
    }

    /// What all dialogues share.
    pub fn site(&self) -> &Arc<Site> {
        &self.site
    }

    /// Where the client came in.
    pub fn door(&self) -> &Listener {
        &self.door
    }

    /// Whether messages are to be completed as a submission server does (RFC 6409 section 8).
    pub fn completes(&self) -> bool {
        self.user.is_some() || self.door.role == Role::Msa
    }
}

#[cfg(test)]
mod tests;
