//! The state of one dialogue: a command goes in, the reply is written, and what has to be done
//! next comes out. Nothing here waits or touches the network.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use data_encoding::BASE64;

use crate::mta::address::Address;
use crate::mta::envelope::{Client, Envelope, Recipient};
use crate::mta::fault::rule::Flaw;
use crate::mta::fault::{Act, Moment, Stage};
use crate::mta::intake::Whole;
use crate::mta::journal::count;
use crate::mta::policy;
use crate::mta::settings::{Listener, Role};
use crate::mta::site::Site;
use crate::smtp::sasl::Mechanism;
use crate::smtp::sasl::server::{Exchange, OFFERED, Turn};

use super::command::{self, Command, Hello, Refused};
use super::params::{MailParameters, RcptParameters};
use super::reply::Reply;
use super::transaction::Transaction;

/// Octets of an answer in a login (RFC 4954 section 4.5.3: 12,288, and the line end).
pub const LONGEST_ANSWER: usize = 12_290;
/// A chunk this much larger than a message may be is not read to its end.
const ABSURD: u64 = 64;

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
    /// What a fault asks of the driver; it takes it after each step.
    pub mischief: Option<Box<Mischief>>,
}

const OK: Reply = Reply::new(250, 0, 0, "Ok");
const SENDER_OK: Reply = Reply::new(250, 1, 0, "Ok");
const RECIPIENT_OK: Reply = Reply::new(250, 1, 5, "Ok");
const BYE: Reply = Reply::new(221, 0, 0, "Bye");
const NOT_NOW: Reply = Reply::new(503, 5, 1, "Bad sequence of commands");
const HELLO_FIRST: Reply = Reply::new(503, 5, 1, "Say EHLO first");
const MAIL_FIRST: Reply = Reply::new(503, 5, 1, "MAIL comes first");
const NO_RECIPIENTS: Reply = Reply::new(554, 5, 1, "No valid recipients");
const TOO_LARGE: Reply = Reply::new(552, 3, 4, "The message is too large for this server");
const TOO_MANY: Reply = Reply::new(452, 5, 3, "Too many recipients, send the rest afterwards");
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

    fn mail(
        &mut self,
        sender: Option<Address>,
        parameters: MailParameters,
        out: &mut Vec<u8>,
    ) -> Step {
        let from = out.len();
        if let Err(reply) = self.may_mail(sender.as_ref(), &parameters) {
            return self.say(&reply, out);
        }
        let spoken = sender.as_ref().map(ToString::to_string).unwrap_or_default();
        let fate = self.fault(Stage::Mail, &[&spoken], out);
        if let Some(Fate::Struck(step)) = fate {
            return step;
        }
        self.transaction = Some(Box::new(Transaction::new(sender, parameters)));
        SENDER_OK.write(out);
        self.adorn(fate, out, from);
        Step::Command
    }

    fn may_mail(&self, sender: Option<&Address>, parameters: &MailParameters) -> Result<(), Reply> {
        let settings = &self.site.settings;
        let Some((hello, _)) = &self.hello else {
            return Err(HELLO_FIRST);
        };
        if self.transaction.is_some() {
            return Err(Reply::new(503, 5, 1, "A transaction is open already"));
        }
        if settings.require_tls && self.tls.is_none() && !self.door.lmtp {
            return Err(Reply::new(530, 7, 0, "Must issue a STARTTLS command first"));
        }
        let wants_login = settings.require_auth || self.door.role == Role::Msa;
        if wants_login && !self.is_trusted() && !self.door.lmtp {
            return Err(Reply::new(530, 7, 0, "Authentication required"));
        }
        const UNKNOWN: Reply = Reply::new(555, 5, 4, "Unsupported parameter");
        let utf8 = parameters.smtputf8;
        if *hello == Hello::Helo && !parameters.is_empty() {
            return Err(Reply::new(555, 5, 4, "Parameters need EHLO"));
        }
        let unoffered = (utf8 && self.hides("SMTPUTF8"))
            || (parameters.body.is_some() && self.hides("8BITMIME"))
            || (parameters.size.is_some() && self.hides("SIZE"))
            || ((parameters.ret.is_some() || parameters.envid.is_some()) && self.hides("DSN"))
            || (parameters.auth && self.site.book.is_none());
        if unoffered {
            return Err(UNKNOWN);
        }
        if !utf8 && sender.is_some_and(|s| !s.is_ascii()) {
            return Err(Reply::new(
                553,
                6,
                7,
                "An address outside ASCII needs SMTPUTF8",
            ));
        }
        if parameters.size.is_some_and(|s| s > settings.limits.message) {
            return Err(TOO_LARGE);
        }
        Ok(())
    }

    fn rcpt(
        &mut self,
        address: Address,
        parameters: RcptParameters,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Step {
        let from = out.len();
        let spoken = address.to_string();
        if let Err(reply) = self.may_rcpt(&address, &parameters) {
            return self.say(&reply, out);
        }
        let fate = self.fault(Stage::Rcpt, &[&spoken], out);
        if let Some(Fate::Struck(step)) = fate {
            if let Some(open) = &mut self.transaction {
                open.refused = true;
            }
            return step;
        }
        let judged = self.judge(address, now);
        let Some(open) = &mut self.transaction else {
            return self.say(&MAIL_FIRST, out);
        };
        match judged {
            Ok(address) => {
                open.add(Recipient {
                    address,
                    notify: parameters.notify,
                    orcpt: parameters.orcpt,
                });
                RECIPIENT_OK.write(out);
                self.adorn(fate, out, from);
            }
            Err(reply) => {
                open.refused = true;
                self.note_refusal("rcpt", &spoken, &reply);
                reply.write(out);
            }
        }
        Step::Command
    }

    fn may_rcpt(&self, address: &Address, parameters: &RcptParameters) -> Result<(), Reply> {
        let Some(open) = &self.transaction else {
            return Err(MAIL_FIRST);
        };
        if open.chunks {
            return Err(NOT_NOW);
        }
        let plain = matches!(self.hello, Some((Hello::Helo, _))) || self.hides("DSN");
        if plain && !parameters.is_empty() {
            return Err(Reply::new(555, 5, 4, "Unsupported parameter"));
        }
        if !address.is_ascii() && !open.parameters.smtputf8 {
            return Err(Reply::new(
                553,
                6,
                7,
                "An address outside ASCII needs SMTPUTF8",
            ));
        }
        if open.recipients.len() >= self.site.settings.limits.recipients {
            return Err(TOO_MANY);
        }
        Ok(())
    }

    fn judge(&self, address: Address, now: Instant) -> Result<Address, Reply> {
        let site = &self.site;
        let sender = self.transaction.as_ref().and_then(|t| t.sender.as_ref());
        let asking = policy::Asking {
            client: self.peer,
            own: self.own,
            logged_in: self.user.is_some(),
            sender,
            listed: self.listed.as_ref(),
            now,
        };
        let standing = |address: &Address| (site.directory)(address);
        policy::recipient(
            &site.settings,
            site.greylist.as_ref(),
            standing,
            address,
            &asking,
        )
    }

    fn data(&mut self, out: &mut Vec<u8>) -> Step {
        let from = out.len();
        if let Err(reply) = self.may_data() {
            return self.say(&reply, out);
        }
        let fate = self.fault_of_message(Stage::Data, out);
        if let Some(Fate::Struck(step)) = fate {
            return step;
        }
        Reply::plain(354, "End data with <CR><LF>.<CR><LF>").write(out);
        self.adorn(fate, out, from);
        Step::Text
    }

    fn may_data(&self) -> Result<(), Reply> {
        match &self.transaction {
            None => Err(MAIL_FIRST),
            Some(open) if open.chunks => Err(Reply::new(
                503,
                5,
                1,
                "BDAT has begun; DATA cannot follow it",
            )),
            Some(open) if !open.recipients.is_empty() => Ok(()),
            // RFC 2033 section 4.2 asks LMTP for 503.
            Some(open) if open.refused && !self.door.lmtp => Err(NO_RECIPIENTS),
            Some(_) => Err(Reply::new(503, 5, 1, "RCPT comes first")),
        }
    }

    fn bdat(&mut self, octets: u64, last: Result<bool, Reply>) -> Step {
        let limit = self.site.settings.limits.message;
        let judged = last.and_then(|last| {
            let Some(open) = &mut self.transaction else {
                return Err(MAIL_FIRST);
            };
            if open.recipients.is_empty() {
                return Err(match open.refused && !self.door.lmtp {
                    true => NO_RECIPIENTS,
                    false => Reply::new(503, 5, 1, "RCPT comes first"),
                });
            }
            open.chunks = true;
            Ok(last)
        });
        let absurd = limit.saturating_mul(ABSURD).max(1 << 32);
        if octets > absurd {
            // Nobody waits for the end of this.
            return Step::Chunk(
                0,
                Err(Reply::new(
                    421,
                    3,
                    4,
                    "The chunk is absurdly large; goodbye",
                )),
            );
        }
        Step::Chunk(octets, judged)
    }

    fn starttls(&mut self, out: &mut Vec<u8>) -> Step {
        let from = out.len();
        if self.tls.is_some() {
            return self.say(&Reply::new(503, 5, 1, "TLS is in use already"), out);
        }
        if self.door.lmtp || self.hides("STARTTLS") {
            return self.say(&Reply::new(502, 5, 1, "Command not implemented"), out);
        }
        let name = self.helo().unwrap_or_default().to_string();
        let fate = self.fault(Stage::Tls, &[&name], out);
        if let Some(Fate::Struck(step)) = fate {
            return step;
        }
        if !self.site.has_tls() || self.site.identity().is_err() {
            return self.say(&Reply::new(454, 7, 0, "TLS is not available"), out);
        }
        Reply::new(220, 0, 0, "Ready to start TLS").write(out);
        self.adorn(fate, out, from);
        Step::Handshake
    }

    fn auth(&mut self, name: &str, initial: Option<&str>, out: &mut Vec<u8>) -> Step {
        if let Err(reply) = self.may_log_in(name) {
            return self.say(&reply, out);
        }
        let from = out.len();
        let fate = self.fault(Stage::Auth, &[name], out);
        if let Some(Fate::Struck(step)) = fate {
            return step;
        }
        self.adorn(fate, out, from);
        let exchange = Mechanism::from_name(name).and_then(Exchange::begin);
        let Some(exchange) = exchange else {
            return self.say(&Reply::new(504, 5, 4, "Unknown mechanism"), out);
        };
        let prompt = BASE64.encode(exchange.prompt());
        self.login = Some(Box::new(exchange));
        match initial {
            None => {
                Reply::plain(334, prompt).write(out);
                Step::Answer
            }
            // RFC 4954 section 4: an empty initial response is written as an equals sign.
            Some("=") => self.turn(b"", out),
            Some(initial) => self.decode(initial.as_bytes(), out),
        }
    }

    fn may_log_in(&self, name: &str) -> Result<(), Reply> {
        if self.site.book.is_none() {
            return Err(Reply::new(502, 5, 1, "Authentication is not enabled"));
        }
        if !matches!(self.hello, Some((Hello::Ehlo | Hello::Lhlo, _))) {
            return Err(HELLO_FIRST);
        }
        if self.user.is_some() {
            return Err(Reply::new(503, 5, 1, "You have logged in already"));
        }
        if self.transaction.is_some() {
            return Err(Reply::new(503, 5, 1, "Not within a transaction"));
        }
        if !self.offers_login() {
            return Err(Reply::new(
                538,
                7,
                11,
                "Encryption required: say STARTTLS first",
            ));
        }
        let known = Mechanism::from_name(name).is_some_and(|m| OFFERED.contains(&m));
        match known {
            true => Ok(()),
            false => Err(Reply::new(504, 5, 4, "Unknown mechanism")),
        }
    }

    /// Takes an answer within a login.
    pub fn answer(&mut self, line: &[u8], out: &mut Vec<u8>) -> Step {
        let from = out.len();
        let line = line.trim_ascii();
        let step = if line == b"*" {
            self.login = None;
            self.say(&Reply::new(501, 0, 0, "Authentication cancelled"), out)
        } else {
            self.decode(line, out)
        };
        self.watch(step, from, out)
    }

    /// An answer that was too long ends the login.
    pub fn long_answer(&mut self, out: &mut Vec<u8>) -> Step {
        self.login = None;
        self.bad_line(&Reply::new(500, 5, 6, "The line is too long"), out)
    }

    fn decode(&mut self, coded: &[u8], out: &mut Vec<u8>) -> Step {
        match BASE64.decode(coded) {
            Ok(answer) => self.turn(&answer, out),
            Err(_) => {
                self.login = None;
                self.say(&Reply::new(501, 5, 2, "This is not base64"), out)
            }
        }
    }

    fn turn(&mut self, answer: &[u8], out: &mut Vec<u8>) -> Step {
        let site = Arc::clone(&self.site);
        let (Some(exchange), Some(book)) = (&mut self.login, &site.book) else {
            return self.say(&NOT_NOW, out);
        };
        match exchange.answer(answer, book) {
            Turn::Ask(challenge) => {
                Reply::plain(334, BASE64.encode(&challenge)).write(out);
                return Step::Answer;
            }
            Turn::Done(user) => {
                self.note("login", &[("user", &user)]);
                self.user = Some(user);
                Reply::new(235, 7, 0, "Authentication successful").write(out);
            }
            Turn::Malformed => {
                Reply::new(501, 5, 2, "This does not follow the mechanism").write(out);
            }
            Turn::Wrong => {
                self.failed_logins += 1;
                self.note("login-refused", &[]);
                self.mischief = Some(Box::new(Mischief {
                    delay: site.settings.limits.login_pause,
                    then: Then::Go,
                }));
                if self.failed_logins >= site.settings.limits.logins {
                    self.login = None;
                    Reply::new(421, 7, 0, "Too many failed logins; goodbye").write(out);
                    return Step::Leave;
                }
                Reply::new(535, 7, 8, "Authentication credentials invalid").write(out);
            }
        }
        self.login = None;
        Step::Command
    }

    /// What the list of recipients and the sender make of a message that has come to its end:
    /// `Err` is a fault that answers in place of the work.
    pub fn at_dot(&mut self, out: &mut Vec<u8>) -> Result<Option<Reply>, Step> {
        let from = out.len();
        match self.fault_of_message(Stage::Dot, out) {
            Some(Fate::Struck(step)) => {
                let open = self.transaction.take();
                // In LMTP every recipient has a reply.
                if let (true, Some(open)) = (self.door.lmtp, open) {
                    let reply = out.get(from..).unwrap_or_default().to_vec();
                    (1..open.accepted).for_each(|_| out.extend_from_slice(&reply));
                }
                Err(step)
            }
            Some(Fate::Worded(reply)) => Ok(Some(reply)),
            None => Ok(None),
        }
    }

    /// The message has come to its end: says so to the client, once or, in LMTP, for every
    /// recipient (RFC 2033 section 4.2).
    pub fn settle(&mut self, outcome: &Reply, out: &mut Vec<u8>) {
        let open = self.transaction.take();
        let times = match (self.door.lmtp, &open) {
            (true, Some(open)) => open.accepted,
            _ => 1,
        };
        for _ in 0..times {
            outcome.write(out);
        }
        if outcome.is_positive() {
            self.junk = 0;
            self.messages += 1;
        } else {
            count(&self.site.journal.counts.refused, 1);
            if outcome.code >= 500 {
                self.errors += 1;
            }
        }
    }

    /// A chunk that was not the last one is there.
    pub fn chunk(&mut self, octets: u64, out: &mut Vec<u8>) {
        Reply::said(250, 0, 0, format!("{octets} octets received")).write(out);
    }

    /// A chunk was thrown away. `lost`: the message it belonged to is lost with it.
    pub fn no_chunk(&mut self, reply: &Reply, lost: bool, out: &mut Vec<u8>) -> Step {
        if lost {
            self.transaction = None;
        }
        let from = out.len();
        let leave = reply.code == 421;
        let step = self.say(reply, out);
        self.watch(if leave { Step::Leave } else { step }, from, out)
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

    fn note(&self, event: &str, fields: &[(&str, &str)]) {
        let client = self.peer.to_string();
        let mut all = vec![("client", client.as_str())];
        all.extend_from_slice(fields);
        self.site.journal.note(event, None, &all);
    }

    /// Logs that something happened.
    pub fn note_event(&self, event: &str) {
        self.note(event, &[]);
    }

    /// Logs the end, with what was taken.
    pub fn note_end(&self) {
        let messages = self.messages.to_string();
        let errors = self.errors.to_string();
        self.note(
            "disconnect",
            &[("messages", &messages), ("errors", &errors)],
        );
    }

    /// Logs that something went wrong.
    pub fn note_trouble(&self, event: &str, why: &str) {
        self.note(event, &[("why", why)]);
    }

    /// Logs a message that is about to be kept.
    pub fn note_message(&self, id: &str, whole: &Whole) {
        let envelope = &whole.envelope;
        let client = self.peer.to_string();
        let sender = envelope.sender.as_ref().map(ToString::to_string);
        let from = format!("<{}>", sender.unwrap_or_default());
        let to = match envelope.recipients.as_slice() {
            [only] => format!("<{}>", only.address),
            all => format!("{} recipients", all.len()),
        };
        let size = whole.octets.to_string();
        let mut fields = vec![
            ("client", client.as_str()),
            ("helo", envelope.client.helo.as_deref().unwrap_or_default()),
            ("from", &from),
            ("to", &to),
            ("size", &size),
            ("with", &envelope.client.with),
        ];
        if let Some(user) = &envelope.client.user {
            fields.push(("user", user));
        }
        self.site.journal.note("received", Some(id), &fields);
    }

    fn note_refusal(&self, stage: &str, about: &str, reply: &Reply) {
        let reply = reply.to_string();
        self.note(
            "refused",
            &[("stage", stage), ("address", about), ("reply", &reply)],
        );
    }

    /// Lets a fault about the whole message strike.
    fn fault_of_message(&mut self, stage: Stage, out: &mut Vec<u8>) -> Option<Fate> {
        if !self.site.faults.any() {
            return None;
        }
        let open = self.transaction.as_ref()?;
        let mut subjects: Vec<String> = open
            .recipients
            .iter()
            .map(|r| r.address.to_string())
            .collect();
        subjects.extend(open.sender.as_ref().map(ToString::to_string));
        let subjects: Vec<&str> = subjects.iter().map(String::as_str).collect();
        self.fault(stage, &subjects, out)
    }

    /// Lets a fault strike, if one is due.
    fn fault(&mut self, stage: Stage, subjects: &[&str], out: &mut Vec<u8>) -> Option<Fate> {
        if !self.site.faults.any() {
            return None;
        }
        let recipients: &[&str] = match stage {
            Stage::Rcpt | Stage::Data | Stage::Dot => subjects,
            _ => &[],
        };
        let moment = Moment {
            stage,
            subjects,
            recipients,
            now: Instant::now(),
        };
        let strike = self.site.faults.strike(&moment)?;
        self.note(
            "fault",
            &[
                ("stage", word(stage)),
                ("act", &format!("{:?}", strike.act)),
            ],
        );
        let mut mischief = Mischief {
            delay: strike.delay,
            then: Then::Go,
        };
        let fate = match strike.act {
            Act::Go => None,
            Act::Certificate(flaw) => {
                self.flaw = Some(flaw);
                None
            }
            Act::Lose => {
                mischief.then = Then::Drop;
                None
            }
            Act::Hide(words) => {
                self.hidden = words;
                None
            }
            Act::Reply(reply) if reply.is_positive() => Some(Fate::Worded(reply)),
            Act::Reply(reply) => {
                reply.write(out);
                let step = match reply.code {
                    421 => Step::Leave,
                    _ => Step::Command,
                };
                Some(Fate::Struck(step))
            }
            Act::Raw(octets) => {
                out.extend_from_slice(&octets);
                Some(Fate::Struck(Step::Command))
            }
            Act::Half(octets) => {
                out.extend_from_slice(&octets);
                Some(Fate::Struck(Step::Leave))
            }
            Act::Drop => {
                mischief.then = Then::Drop;
                Some(Fate::Struck(Step::Leave))
            }
            Act::Reset => {
                mischief.then = Then::Reset;
                Some(Fate::Struck(Step::Leave))
            }
            Act::Silence => {
                mischief.then = Then::Silence;
                Some(Fate::Struck(Step::Leave))
            }
        };
        if mischief != Mischief::default() {
            self.mischief = Some(Box::new(mischief));
        }
        fate
    }

    /// Puts the words of a fault in the place of the reply that was written from `from` on.
    fn adorn(&self, fate: Option<Fate>, out: &mut Vec<u8>, from: usize) {
        if let Some(Fate::Worded(reply)) = fate {
            out.truncate(from);
            reply.write(out);
        }
    }
}

/// What a fault makes of a command.
#[derive(Debug)]
enum Fate {
    /// It is answered already; nothing is done.
    Struck(Step),
    /// It is done, in other words.
    Worded(Reply),
}

fn word(stage: Stage) -> &'static str {
    let found = Stage::ALL.iter().find(|(_, s)| *s == stage);
    found.map_or("", |(word, _)| word)
}
