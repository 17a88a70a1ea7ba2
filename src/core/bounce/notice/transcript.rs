//! SMTP dialogues in prose: which line is a command, which a reply, and which recipient each
//! refusal is about. Sendmail, Courier, MDaemon, InterScan, Postfix' notices to the postmaster
//! and many others show one, each with signs of its own.

use crate::bounce::explanation::Command;

use super::address;
use super::page::{starts, strip, tail};

/// Who speaks in a line of a dialogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The client.
    Sent,
    /// The server.
    Heard,
}

/// The signs in front of lines: what the client said, what the server said.
const SIGNS: &[(&str, Side)] = &[
    (">>>", Side::Sent),
    ("<<<", Side::Heard),
    ("-->", Side::Sent),
    ("<--", Side::Heard),
    ("Sent <<<", Side::Sent),
    ("Received >>>", Side::Heard),
    ("Sent:", Side::Sent),
    ("Received:", Side::Heard),
    ("In:", Side::Sent),
    ("Out:", Side::Heard),
    ("C:", Side::Sent),
    ("S:", Side::Heard),
    ("Client:", Side::Sent),
    ("Server:", Side::Heard),
    ("SEND:", Side::Sent),
    ("RECV:", Side::Heard),
    ("RCVD:", Side::Heard),
    ("->", Side::Sent),
    ("<-", Side::Heard),
    ("=>", Side::Sent),
    ("<=", Side::Heard),
    ("~>", Side::Sent),
    ("<~", Side::Heard),
    ("<**", Side::Heard),
    ("**>", Side::Sent),
    (">", Side::Sent),
    ("<", Side::Heard),
];

/// The longest of [`SIGNS`].
const MAX_SIGN: usize = 12;

/// Reads a line of a dialogue: who speaks, and what. Signs that mean other things as well count
/// only before a command or a reply code.
pub(super) fn spoken(body: &str) -> Option<(Side, &str)> {
    let body = match timed(body) {
        Some(words) => words,
        None => body,
    };
    let first = *body.as_bytes().first()?;
    if !matches!(
        first,
        b'>' | b'<' | b'-' | b'=' | b'~' | b'*' | b'S' | b'R' | b'I' | b'O' | b'C'
    ) {
        return None;
    }
    // A word that is a sign ends in a colon or an arrow.
    if first.is_ascii_alphabetic()
        && !body
            .bytes()
            .take(MAX_SIGN)
            .any(|b| matches!(b, b':' | b'<' | b'>'))
    {
        return None;
    }
    let &(sign, side) = SIGNS
        .iter()
        .filter(|(sign, _)| sign.as_bytes().first() == Some(&first))
        .find(|(sign, _)| body.starts_with(sign))?;
    let words = tail(body, sign.len()).trim_start();
    // Courier: `<<< No such domain.` and `>>> (initial greeting)`.
    let sure = sign == "<<<" && !words.is_empty();
    match side {
        Side::Sent if command(words).is_some() => Some((side, words)),
        Side::Heard if sure || code(words).is_some() => Some((side, words)),
        // qmail-like clones turn the arrows round.
        Side::Sent if code(words).is_some() && sign == ">>>" => Some((Side::Heard, words)),
        _ => None,
    }
}

/// MDaemon puts the time in front: `Wed 2010-09-15 17:02:18: --> RCPT TO:<a>`.
fn timed(body: &str) -> Option<&str> {
    /// The longest time of day.
    const MAX_TIME: usize = 40;
    let bytes = body.as_bytes();
    let arrow = |at: usize| matches!(bytes.get(at + 1..at + 5), Some(b" -->" | b" <--"));
    let near = bytes.get(..=MAX_TIME).unwrap_or(bytes);
    let at = memchr::memchr_iter(b':', near).find(|&at| arrow(at))?;
    let digits = bytes.iter().take(MAX_TIME).filter(|b| b.is_ascii_digit());
    if digits.count() < 4 {
        return None;
    }
    body.get(at + 2..)
}

/// The SMTP command at the start of the words.
pub(super) fn command(words: &str) -> Option<Command> {
    const VERBS: &[(&str, Command)] = &[
        ("RCPT", Command::Rcpt),
        ("MAIL", Command::Mail),
        ("DATA", Command::Data),
        ("EHLO", Command::Ehlo),
        ("HELO", Command::Ehlo),
        ("LHLO", Command::Ehlo),
        ("QUIT", Command::Quit),
        ("BDAT", Command::Dot),
        ("STARTTLS", Command::StartTls),
        ("AUTH", Command::Auth),
        ("(initial greeting)", Command::Connect),
        ("(end of data)", Command::Dot),
        ("(body)", Command::Dot),
        (".", Command::Dot),
    ];
    VERBS.iter().find_map(|&(verb, command)| {
        let ends = match tail(words, verb.len()).as_bytes().first() {
            None => true,
            Some(next) => !next.is_ascii_alphanumeric() && (verb != "." || *next == b' '),
        };
        (starts(words, verb) && ends).then_some(command)
    })
}

/// The reply code at the start of the words.
pub(super) fn code(words: &str) -> Option<u16> {
    let bytes = words.as_bytes();
    let digits = bytes.get(..3)?;
    if !digits.iter().all(u8::is_ascii_digit) || !matches!(digits.first(), Some(b'2'..=b'5')) {
        return None;
    }
    if bytes
        .get(3)
        .is_some_and(|b| !matches!(b, b' ' | b'-' | b'\t' | b':'))
    {
        return None;
    }
    words.get(..3)?.parse().ok()
}

/// A refusal in a dialogue, or a line of the reporting server below one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Exchange<'a> {
    /// The recipient it is about, when the dialogue tells.
    pub(super) address: Option<&'a str>,
    /// What it answered.
    pub(super) command: Option<Command>,
    /// The words, the lines of a long reply joined by blanks.
    pub(super) words: String,
    /// Where they start.
    pub(super) at: usize,
    /// The server that spoke.
    pub(super) host: Option<&'a str>,
    /// The server on the other side said it, not the reporting one.
    pub(super) remote: bool,
    /// The entry that it stands in, when the dialogue is part of a recipient's block.
    pub(super) entry: Option<usize>,
    /// Its session: dialogues with different servers.
    session: u32,
    /// The reply may answer a command that was sent before the last one (pipelining).
    late: bool,
}

/// Refusals in the order they stand.
#[derive(Debug, Default)]
pub(super) struct Dialogue<'a> {
    /// The refusals.
    pub(super) exchanges: Vec<Exchange<'a>>,
    /// Recipients that were named in a command.
    pub(super) named: Vec<&'a str>,
    command: Option<Command>,
    rcpt: Option<&'a str>,
    host: Option<&'a str>,
    session: u32,
    /// The last reply goes on (`550-`).
    open: bool,
    heard_since_command: u32,
}

/// More refusals than this are not kept: a notice that names more recipients is cut off.
const MAX_EXCHANGES: usize = 2_000;

impl<'a> Dialogue<'a> {
    /// A new server: `... while talking to mx.example.net.:`
    pub(super) fn talk_to(&mut self, host: &'a str) {
        self.host = Some(host.trim_end_matches([':', '.', ' ', ',']));
        self.session += 1;
        (self.command, self.rcpt, self.open) = (None, None, false);
    }

    /// A line of the dialogue; `entry` is the recipient's block that it stands in.
    pub(super) fn line(&mut self, side: Side, words: &'a str, at: usize, entry: Option<usize>) {
        match side {
            Side::Sent => {
                self.command = command(words);
                self.open = false;
                self.heard_since_command = 0;
                if self.command == Some(Command::Rcpt) {
                    self.rcpt = strip(words, "RCPT TO:").and_then(address::bare);
                    if let Some(rcpt) = self.rcpt
                        && self.named.len() < MAX_EXCHANGES
                    {
                        self.named.push(rcpt);
                    }
                } else if self.command == Some(Command::Mail) {
                    self.rcpt = None;
                }
            }
            Side::Heard => self.heard(words, at, entry),
        }
    }

    fn heard(&mut self, words: &'a str, at: usize, entry: Option<usize>) {
        let code = code(words);
        if self.open
            && let Some(last) = self.exchanges.last_mut()
        {
            last.words.push(' ');
            last.words.push_str(words);
            self.open = words.as_bytes().get(3) == Some(&b'-') && code.is_some();
            return;
        }
        self.heard_since_command += 1;
        if code.is_some_and(|c| c < 400) || self.exchanges.len() >= MAX_EXCHANGES {
            return;
        }
        let named = address::find(words, 0).map(|f| f.text);
        let rcpt = match self.command {
            Some(Command::Rcpt) => self.rcpt,
            // The reply to a pipelined RCPT comes after `>>> DATA`; it may name its recipient.
            Some(Command::Data) => {
                named.filter(|n| self.named.iter().any(|r| r.eq_ignore_ascii_case(n)))
            }
            _ => None,
        };
        self.exchanges.push(Exchange {
            address: rcpt,
            command: self.command,
            words: words.to_owned(),
            at,
            host: self.host,
            remote: code.is_some(),
            entry,
            session: self.session,
            late: self.command == Some(Command::Data) && self.heard_since_command == 1,
        });
        self.open = words.as_bytes().get(3) == Some(&b'-') && code.is_some();
    }

    /// Takes the rest of a long reply that a mail program has wrapped; true when there was one.
    pub(super) fn wrapped(&mut self, words: &str) -> bool {
        if !self.open {
            return false;
        }
        if let Some(last) = self.exchanges.last_mut() {
            last.words.push(' ');
            last.words.push_str(words);
        }
        true
    }

    /// A line of the reporting server in or below the dialogue. When it names a recipient, what
    /// the other server said just before was about that recipient.
    pub(super) fn local(&mut self, words: &str, at: usize, address: Option<&'a str>) {
        self.open = false;
        if let Some(address) = address {
            for earlier in self.exchanges.iter_mut().rev() {
                if earlier.session != self.session || !earlier.remote {
                    break;
                }
                if earlier.address.is_none() && earlier.command != Some(Command::Quit) {
                    earlier.address = Some(address);
                }
            }
        }
        if self.exchanges.len() < MAX_EXCHANGES {
            self.exchanges.push(Exchange {
                address,
                words: words.to_owned(),
                at,
                host: self.host,
                session: self.session,
                ..Exchange::default()
            });
        }
    }

    /// Ends the dialogue: a reply after `DATA` that was followed by another one answered an
    /// earlier, pipelined RCPT, as sendmail shows it.
    pub(super) fn finish(mut self) -> Self {
        for i in 0..self.exchanges.len() {
            let follows = self.exchanges.get(i + 1).is_some_and(|next| {
                next.remote && next.command == Some(Command::Data) && !next.late
            });
            if let Some(this) = self.exchanges.get_mut(i)
                && this.late
                && (follows || this.address.is_some())
            {
                this.command = Some(Command::Rcpt);
            }
        }
        // `no valid recipients`, `need RCPT`: they repeat that all were refused.
        let refused = self.exchanges.iter().any(|e| e.remote && !repeats(e));
        self.exchanges.retain(|e| !(refused && repeats(e)));
        self
    }
}

/// True for an answer to DATA that only says that there is nobody to send to.
fn repeats(exchange: &Exchange<'_>) -> bool {
    exchange.remote
        && exchange.command == Some(Command::Data)
        && (exchange.words.starts_with("503")
            || super::page::contains(&exchange.words, "no valid recipients"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Exchange<'_>> {
        let mut dialogue = Dialogue::default();
        for line in text.lines() {
            if let Some(host) = line.strip_prefix("... while talking to ") {
                dialogue.talk_to(host);
            } else if let Some((side, words)) = spoken(line) {
                dialogue.line(side, words, 0, None);
            } else {
                dialogue.local(line, 0, address::find(line, 0).map(|f| f.text));
            }
        }
        dialogue.finish().exchanges
    }

    #[test]
    fn the_signs_of_many_programs_are_known() {
        for (line, side, words) in [
            (
                ">>> RCPT To:<a@b.example>",
                Side::Sent,
                "RCPT To:<a@b.example>",
            ),
            ("<<< 550 no", Side::Heard, "550 no"),
            ("<<< No such domain.", Side::Heard, "No such domain."),
            (
                "Sent <<< RCPT TO:<a@b.example>",
                Side::Sent,
                "RCPT TO:<a@b.example>",
            ),
            ("Received >>> 550 no", Side::Heard, "550 no"),
            (
                "Wed 2010-09-15 17:02:18: --> RCPT To:<a@b.example>",
                Side::Sent,
                "RCPT To:<a@b.example>",
            ),
            ("Wed 2010-09-15 17:02:18: <-- 550 no", Side::Heard, "550 no"),
            (
                "In:  RCPT TO:<a@b.example>",
                Side::Sent,
                "RCPT TO:<a@b.example>",
            ),
            ("Out: 550 5.1.1 no", Side::Heard, "550 5.1.1 no"),
            ("<- 550 no", Side::Heard, "550 no"),
        ] {
            assert_eq!(spoken(line), Some((side, words)), "{line}");
        }
        for line in [
            "> hello",
            "<a@b.example>: x",
            "Server: nginx",
            "- item",
            "Received: from x",
        ] {
            assert_eq!(spoken(line), None, "{line}");
        }
    }

    #[test]
    fn a_reply_after_data_answers_the_pipelined_recipient() {
        let all = read(
            "... while talking to mx.example.:\n>>> DATA\n<<< 550 5.1.1 <a@b.example> unknown\n\
             550 5.1.1 <a@b.example>... User unknown\n<<< 554 5.5.1 Error: no valid recipients",
        );
        assert_eq!(all[0].words, "550 5.1.1 <a@b.example> unknown");
        assert_eq!(all[0].address, Some("a@b.example"));
        assert_eq!(all[0].command, Some(Command::Rcpt));
        assert_eq!(all[0].host, Some("mx.example"));
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn a_reply_of_several_lines_is_one() {
        let all = read(">>> RCPT TO:<a@b.example>\n<<< 550-5.1.1 one\n<<< 550 5.1.1 two\n>>> QUIT");
        assert_eq!(all[0].words, "550-5.1.1 one 550 5.1.1 two");
        assert_eq!(all.len(), 1);
    }

    #[test]
    fn what_only_repeats_that_all_were_refused_is_left_out() {
        let all = read(
            ">>> RCPT TO:<a@b.example>\n<<< 550 5.1.1 no mailbox\n550 5.1.1 <a@b.example>... User unknown\n\
             >>> DATA\n<<< 503 need RCPT command",
        );
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].words, "550 5.1.1 no mailbox");
        // Alone it is all there is.
        assert_eq!(read(">>> DATA\n<<< 503 need RCPT command").len(), 1);
    }

    #[test]
    fn a_reply_that_was_wrapped_is_one() {
        let mut dialogue = Dialogue::default();
        dialogue.line(Side::Heard, "550-192.0.2.1 is listed (Blocked -", 0, None);
        assert!(dialogue.wrapped("see"));
        dialogue.line(Side::Heard, "550 https://list.example/?192.0.2.1)", 0, None);
        assert!(!dialogue.wrapped("maildrop: over quota"));
        assert_eq!(
            dialogue.finish().exchanges[0].words,
            "550-192.0.2.1 is listed (Blocked - see 550 https://list.example/?192.0.2.1)"
        );
    }

    #[test]
    fn what_is_said_to_mail_from_belongs_to_the_recipient_named_below() {
        let all = read(
            ">>> MAIL From:<me@x.example>\n<<< 553 5.3.0 listed\n550 5.1.1 <a@b.example>... User unknown",
        );
        assert_eq!(all[0].address, Some("a@b.example"));
        assert_eq!(all[0].command, Some(Command::Mail));
        assert!(!all[1].remote);
    }
}
