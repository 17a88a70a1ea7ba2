//! An SMTP session that a person pasted into a mail: what became of each recipient in the end. A
//! refusal that was overcome later in the same session is no failure, and a session in which the
//! server took the mail tells of none: somebody shows that it works, or how it works.

use crate::bounce::explanation::{Action, Command};

use super::draft::{Draft, Words};
use super::page::{lines, starts, strip};
use super::transcript::{self, Side};
use super::{Voice, address};

/// Recipients of one session that are kept; to look for each among the others costs their square.
const MAX_RECIPIENTS: usize = 100;

/// A session, from where to where in the text.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Those who were refused for good or for now; none when the mail was taken.
    pub(super) drafts: Vec<Draft>,
    /// The server took the mail.
    pub(super) taken: bool,
}

/// A refusal.
struct Refused<'a> {
    command: Option<Command>,
    recipient: Option<&'a str>,
    /// The lines of the reply.
    words: String,
    at: usize,
}

/// What was said so far.
#[derive(Default)]
struct Course<'a> {
    from: Option<usize>,
    to: usize,
    command: Option<Command>,
    recipient: Option<&'a str>,
    /// The reply goes on (`550-`), and the last refusal is it.
    goes_on: bool,
    /// The message itself is sent.
    content: bool,
    taken: bool,
    commands: usize,
    recipients: usize,
    replies: usize,
    accepted: Vec<&'a str>,
    refused: Vec<Refused<'a>>,
}

/// The session in a text, when there is one.
pub(super) fn read(text: &str) -> Option<Session> {
    let mut course = Course::default();
    for line in lines(text, 0, text.len()) {
        if let Some((side, words)) = transcript::spoken(line.body) {
            let at = line.body_at + (line.body.len() - words.len());
            course.line(side, words, at, line.end);
        } else if let Some(side) = bare(line.body) {
            course.line(side, line.body, line.body_at, line.end);
        }
    }
    course.ends()
}

/// A line of a session without signs, as telnet shows it.
fn bare(body: &str) -> Option<Side> {
    if transcript::code(body).is_some() {
        return Some(Side::Heard);
    }
    let alone = ["DATA", "QUIT", "RSET", "STARTTLS", "."];
    let begins = ["MAIL FROM:", "RCPT TO:", "EHLO ", "HELO ", "LHLO ", "AUTH "];
    let sent = alone.iter().any(|verb| body.eq_ignore_ascii_case(verb))
        || begins.iter().any(|verb| starts(body, verb));
    sent.then_some(Side::Sent)
}

impl<'a> Course<'a> {
    fn line(&mut self, side: Side, words: &'a str, at: usize, end: usize) {
        self.from.get_or_insert(at);
        self.to = end;
        match side {
            Side::Sent => self.sent(words),
            Side::Heard => self.heard(words, at),
        }
    }

    fn sent(&mut self, words: &'a str) {
        self.goes_on = false;
        self.command = transcript::command(words);
        self.commands += usize::from(self.command.is_some());
        match self.command {
            Some(Command::Rcpt) => {
                self.recipients += 1;
                self.recipient = strip(words, "RCPT TO:").and_then(address::bare);
            }
            Some(Command::Mail) => self.recipient = None,
            _ => {}
        }
    }

    fn heard(&mut self, words: &'a str, at: usize) {
        let Some(code) = transcript::code(words) else {
            return;
        };
        let more = words.as_bytes().get(3) == Some(&b'-');
        if self.goes_on {
            if let Some(last) = self.refused.last_mut() {
                last.words.push(' ');
                last.words.push_str(words);
            }
            self.goes_on = more;
            return;
        }
        self.replies += 1;
        match code {
            354 => self.content = true,
            200..400 => self.passed(),
            _ => self.refusal(words, at, more),
        }
    }

    /// The server agrees: what it refused before at this point is overcome.
    fn passed(&mut self) {
        let (command, recipient) = (self.command, self.recipient);
        if self.content {
            self.taken = true;
            self.content = false;
            return;
        }
        if command == Some(Command::Rcpt) {
            self.refused.retain(|r| r.recipient != recipient);
            if let Some(recipient) = recipient
                && self.accepted.len() < MAX_RECIPIENTS
            {
                self.accepted.push(recipient);
            }
        } else {
            self.refused.retain(|r| r.command != command);
        }
    }

    fn refusal(&mut self, words: &'a str, at: usize, more: bool) {
        if self.command == Some(Command::Quit) || self.refused.len() >= MAX_RECIPIENTS {
            return;
        }
        let command = match self.content {
            true => Some(Command::Dot),
            false => self.command.or(Some(Command::Connect)),
        };
        self.content = false;
        let recipient = self.recipient.filter(|_| command == Some(Command::Rcpt));
        self.refused
            .retain(|r| r.recipient.is_none() || r.recipient != recipient);
        self.refused.push(Refused {
            command,
            recipient,
            words: words.to_owned(),
            at,
        });
        self.goes_on = more;
    }

    fn ends(self) -> Option<Session> {
        // One command and its answer are a quotation.
        if self.commands < 2 || self.recipients == 0 || self.replies < 2 {
            return None;
        }
        let mut drafts = Vec::new();
        for refused in self.refused.iter().filter(|_| !self.taken) {
            let whom = match (refused.recipient, refused.command) {
                (Some(recipient), _) => vec![recipient],
                (None, Some(Command::Dot)) => self.accepted.clone(),
                (None, _) => self.recipient.into_iter().collect(),
            };
            let whom = match whom.is_empty() {
                true => vec![None],
                false => whom.into_iter().map(Some).collect(),
            };
            for recipient in whom.into_iter().take(MAX_RECIPIENTS) {
                drafts.push(Draft {
                    address: recipient.map(str::to_owned),
                    action: Some(match refused.words.starts_with('4') {
                        true => Action::Delayed,
                        false => Action::Failed,
                    }),
                    command: refused.command,
                    words: vec![Words::new(&refused.words, refused.at, Voice::Remote)],
                    ..Draft::default()
                });
            }
        }
        drafts.truncate(MAX_RECIPIENTS);
        Some(Session {
            from: self.from?,
            to: self.to,
            drafts,
            taken: self.taken,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<Vec<(String, String)>> {
        let said = |draft: Draft| {
            let words = draft.words.into_iter().next().map(|words| words.text);
            (draft.address.unwrap_or_default(), words.unwrap_or_default())
        };
        read(text).map(|found| found.drafts.into_iter().map(said).collect())
    }

    /// The session with and without signs in front of its lines.
    fn both(session: &str) -> [String; 2] {
        let bare = session.replace("C: ", "").replace("S: ", "");
        [session.to_owned(), bare]
    }

    const BEGIN: &str =
        "S: 220 mx\nC: EHLO a\nS: 250-mx\nS: 250 SIZE\nC: MAIL FROM:<me@a.example>\nS: 250 ok\n";
    const END: &str = "C: DATA\nS: 354 go on\nC: .\nS: 250 2.0.0 queued\nC: QUIT\nS: 221 bye\n";

    #[test]
    fn who_is_refused_is_told_with_the_words_of_the_server_alone() {
        for text in both(&format!(
            "{BEGIN}C: RCPT TO:<b@c.example>\nS: 550-5.1.1 no\nS: 550 5.1.1 such user\nC: QUIT\nS: 221 bye\n"
        )) {
            let words = "550-5.1.1 no 550 5.1.1 such user".to_owned();
            assert_eq!(told(&text), Some(vec![("b@c.example".to_owned(), words)]));
        }
    }

    #[test]
    fn a_session_that_ends_well_tells_of_no_failure() {
        for (text, name) in [
            (
                format!("{BEGIN}C: RCPT TO:<b@c.example>\nS: 250 ok\n{END}"),
                "all well",
            ),
            (
                format!(
                    "{BEGIN}C: RCPT TO:<b@c.example>\nS: 450 4.7.1 wait\nC: RCPT TO:<b@c.example>\nS: 250 ok\n{END}"
                ),
                "greylisted first",
            ),
            (
                format!(
                    "{BEGIN}C: RCPT TO:<x@c.example>\nS: 550 5.1.1 no\nC: RCPT TO:<b@c.example>\nS: 250 ok\n{END}"
                ),
                "a lesson",
            ),
        ] {
            for text in both(&text) {
                assert_eq!(told(&text), Some(vec![]), "{name}");
            }
        }
    }

    #[test]
    fn what_is_refused_at_the_end_is_refused_to_all_who_were_accepted() {
        let text = format!(
            "{BEGIN}C: RCPT TO:<b@c.example>\nS: 250 ok\nC: RCPT TO:<d@c.example>\nS: 250 ok\n\
             C: DATA\nS: 354 go on\nC: .\nS: 552 5.3.4 too big\nC: QUIT\nS: 221 bye\n"
        );
        let who: Vec<_> = told(&text)
            .unwrap()
            .into_iter()
            .map(|(who, _)| who)
            .collect();
        assert_eq!(who, ["b@c.example", "d@c.example"]);
    }

    #[test]
    fn a_quotation_is_no_session() {
        assert_eq!(told("550 5.1.1 no such user\n"), None);
        assert_eq!(told("C: RCPT TO:<b@c.example>\nS: 550 5.1.1 no\n"), None);
        assert_eq!(
            told("Mail from here is fine.\nData protection\n220 people\n"),
            None
        );
    }
}
