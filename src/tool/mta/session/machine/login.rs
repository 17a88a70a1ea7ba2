//! STARTTLS and AUTH.

use std::sync::Arc;

use data_encoding::BASE64;

use crate::mta::fault::Stage;
use crate::mta::session::command::Hello;
use crate::mta::session::reply::Reply;
use crate::smtp::sasl::Mechanism;
use crate::smtp::sasl::server::{Exchange, OFFERED, Turn};

use super::faults::Fate;
use super::{HELLO_FIRST, Mischief, NOT_NOW, Session, Step, Then};

impl Session {
    pub(super) fn starttls(&mut self, out: &mut Vec<u8>) -> Step {
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

    pub(super) fn auth(&mut self, name: &str, initial: Option<&str>, out: &mut Vec<u8>) -> Step {
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

    pub(super) fn may_log_in(&self, name: &str) -> Result<(), Reply> {
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

    pub(super) fn decode(&mut self, coded: &[u8], out: &mut Vec<u8>) -> Step {
        match BASE64.decode(coded) {
            Ok(answer) => self.turn(&answer, out),
            Err(_) => {
                self.login = None;
                self.say(&Reply::new(501, 5, 2, "This is not base64"), out)
            }
        }
    }

    pub(super) fn turn(&mut self, answer: &[u8], out: &mut Vec<u8>) -> Step {
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
}
