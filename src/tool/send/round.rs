//! What a test send answers: one plain value for JSON, human output and the library's users.

use std::path::PathBuf;
use std::time::Duration;

use crate::bounce::cause::Cause;
use crate::bounce::explain_line;
use crate::bounce::explanation::{
    Action, Command as Step, Confidence, Evidence, Explanation, Recipient, Remote, Report,
};
use crate::route::Route;
use crate::smtp::{Failure, Reply, Stage};

use super::hand_over::{Fate, Handed};

/// Everything about one test message.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Round {
    /// What the message is known by.
    pub token: String,
    /// Its Message-ID without brackets.
    pub message_id: String,
    /// The envelope sender.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
    /// The conversations with servers, in order; the last one decided.
    pub attempts: Vec<Handed>,
    /// What came of handing it over.
    pub outcome: Outcome,
    /// What became of each recipient, as the server said it.
    pub recipients: Vec<Recipient>,
    /// What happened on the servers of the embedded chain.
    pub events: Vec<Event>,
    /// What came back or arrived.
    pub arrival: Arrival,
    /// From the first word to the last thing that was seen.
    pub took: Duration,
    /// What is worth telling beside all this.
    pub notes: Vec<Note>,
    /// Where the messages and logs were kept.
    pub kept: Option<PathBuf>,
    /// Only the server was tried; nothing was sent.
    pub probe: bool,
}

/// What came of handing a message over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outcome {
    /// For all recipients.
    Accepted,
    /// For some of them.
    Partly,
    /// Refused for good.
    Rejected,
    /// Refused for now.
    Deferred,
    /// The conversation broke, or the server could not be reached.
    Failed,
    /// Nothing was sent: it was not asked for, or we broke it off.
    #[default]
    NotSent,
}

impl Outcome {
    /// The id used in JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Partly => "partly",
            Self::Rejected => "rejected",
            Self::Deferred => "deferred",
            Self::Failed => "failed",
            Self::NotSent => "not-sent",
        }
    }
}

/// Something that happened on a server of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When, since the beginning.
    pub at: Duration,
    /// The part: `MUA`, `MSA`, `MTA`, `MFA`, `MDA`.
    pub role: &'static str,
    /// The server.
    pub host: String,
    /// What happened.
    pub text: String,
}

/// What is worth telling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Its id in JSON.
    pub code: &'static str,
    /// The words.
    pub text: String,
}

/// Whether it was waited for, and what came.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Arrival {
    /// In one word.
    pub status: Status,
    /// After how long, from the moment the message was handed over.
    pub after: Option<Duration>,
    /// Where it was found.
    pub place: Option<String>,
    /// It lies in a folder for junk.
    pub junk: bool,
    /// Which way it came.
    pub route: Option<Route>,
    /// What was done to it on the way.
    pub changes: Vec<Note>,
    /// The mark that a filter left on it.
    pub marked: Option<String>,
    /// What came back about it, with the time.
    pub notices: Vec<(Duration, Explanation)>,
}

/// Whether it was waited for, and what came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the words of the contract")]
pub enum Status {
    Arrived,
    Bounced,
    Pending,
    #[default]
    NotWaited,
}

impl Status {
    /// The id used in JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Arrived => "arrived",
            Self::Bounced => "bounced",
            Self::Pending => "pending",
            Self::NotWaited => "not-waited",
        }
    }
}

impl Arrival {
    /// The notice that says most: a failure before a delay before anything else.
    pub fn bounce(&self) -> Option<&Explanation> {
        let weight = |report: Report| match report {
            Report::Failed => 0,
            Report::Delayed => 1,
            _ => 2,
        };
        let all = self.notices.iter().map(|(_, notice)| notice);
        all.min_by_key(|notice| weight(notice.report))
    }
}

impl Round {
    /// Takes in what a conversation brought.
    pub fn take(&mut self, handed: Handed) {
        self.recipients = handed
            .fates
            .iter()
            .map(|fate| recipient(fate, &handed))
            .collect();
        self.outcome = outcome(&handed);
        if handed.fates.iter().any(|fate| fate.uncertain) {
            self.note(
                "uncertain",
                "The message was out and the answer never came: it may have been taken. It is not \
                 sent again; look whether it arrives.",
            );
        }
        self.attempts.push(handed);
    }

    /// Adds something worth telling, once.
    pub fn note(&mut self, code: &'static str, text: &str) {
        if !self.notes.iter().any(|note| note.text == text) {
            self.notes.push(Note {
                code,
                text: text.to_string(),
            });
        }
    }

    /// A recipient as the words about it need it: after an attempt of our own nobody keeps trying,
    /// although the server said "later".
    pub fn as_told(&self, one: &Recipient) -> Recipient {
        let single = self.events.is_empty();
        Recipient {
            permanent: one.permanent.filter(|permanent| *permanent || !single),
            ..one.clone()
        }
    }

    /// The id under which the server has the message.
    pub fn queue_id(&self) -> Option<String> {
        let dot = self.attempts.last()?.dot()?;
        dot.is_positive().then(|| queue_id(&dot.text()))?
    }

    /// Whether the server refused anybody.
    pub fn is_refused(&self) -> bool {
        let mut codes = self.recipients.iter().filter_map(|one| one.reply_code);
        codes.any(|code| code >= 400)
    }

    /// Whether we broke it off ourselves.
    pub fn gave_up(&self) -> bool {
        let last = self.attempts.last();
        last.is_some_and(|handed| handed.gave_up.is_some())
    }

    /// Whether the answer to the message is not known.
    pub fn is_uncertain(&self) -> bool {
        self.in_doubt().is_some()
    }

    /// The conversation whose answer to the message never came. Recipients of several domains are
    /// several conversations, and it need not be the last.
    pub fn in_doubt(&self) -> Option<&Handed> {
        let lost = |handed: &&Handed| handed.fates.iter().any(|fate| fate.uncertain);
        self.attempts.iter().find(lost)
    }
}

fn outcome(handed: &Handed) -> Outcome {
    let taken = |fate: &&Fate| fate.reply.as_ref().is_some_and(Reply::is_positive);
    let good = handed.fates.iter().filter(taken).count();
    if !handed.fates.is_empty() && good == handed.fates.len() {
        return Outcome::Accepted;
    }
    if good > 0 {
        return Outcome::Partly;
    }
    if handed.gave_up.is_some() {
        return Outcome::NotSent;
    }
    if handed.failure.is_some() {
        return Outcome::Failed;
    }
    let replies = handed.fates.iter().filter_map(|fate| fate.reply.as_ref());
    let refusal = handed.refusal.as_ref().map(|(_, reply)| reply);
    let mut replies = replies.chain(refusal).peekable();
    if replies.peek().is_none() {
        return Outcome::NotSent;
    }
    if replies.all(Reply::is_permanent) {
        Outcome::Rejected
    } else {
        Outcome::Deferred
    }
}

const fn step(stage: Stage) -> Step {
    match stage {
        Stage::Connect | Stage::Banner => Step::Connect,
        Stage::Ehlo | Stage::Rset | Stage::Other => Step::Ehlo,
        Stage::StartTls | Stage::Handshake => Step::StartTls,
        Stage::Auth => Step::Auth,
        Stage::Mail => Step::Mail,
        Stage::Rcpt => Step::Rcpt,
        Stage::Data => Step::Data,
        Stage::Body | Stage::Dot => Step::Dot,
        Stage::Quit => Step::Quit,
    }
}

/// What the fate of a recipient means, by the same brain as for bounces.
fn recipient(fate: &Fate, handed: &Handed) -> Recipient {
    let place = &handed.place;
    let said = fate.reply.as_ref().map(ToString::to_string);
    let taken = fate.reply.as_ref().is_some_and(Reply::is_positive);
    let words = said.clone().or(fate.broke.clone()).unwrap_or_default();
    let (host, ip) = (&place.host, place.ip);
    let line = match &said {
        Some(said) => format!("host {host}[{ip}] said: {said}"),
        None => words.clone(),
    };
    let explained = explain_line(&line).recipients.into_iter().next();
    let mut one = explained.unwrap_or_else(|| unknown(&words));
    one.address = Some(fate.address.clone());
    one.remote_mta = Remote {
        host: Some(host.clone()).filter(|host| !host.is_empty()),
        ip: Some(ip).filter(|ip| !ip.is_unspecified()),
    };
    one.smtp_command = Some(step(fate.stage));
    one.reply_code = fate.reply.as_ref().map(|r| r.code);
    one.diagnostic = Some(words.clone());
    for evidence in &mut one.evidence {
        evidence.line = None;
        // Only the reader of lines needed the host before it.
        if evidence.text.ends_with(&words) {
            evidence.text.clone_from(&words);
        }
    }
    if taken {
        one.cause = Cause::Delivered;
        one.permanent = None;
        // 250 means that the other side has taken it over, no more (RFC 5321 section 6.1).
        one.action = Some(Action::Relayed);
        return one;
    }
    if fate.reply.is_none() {
        one.action = None;
        if let Some((cause, permanent)) = broken(handed) {
            one.cause = cause;
            one.permanent = permanent;
            one.confidence = Confidence::High;
        }
    }
    one
}

/// The cause that a conversation without an answer has by itself.
fn broken(handed: &Handed) -> Option<(Cause, Option<bool>)> {
    let words = handed.gave_up.as_deref().unwrap_or_default();
    // A STARTTLS that was refused before is not what broke the connection later.
    if let Some(failure) = &handed.failure {
        let cause = match failure {
            Failure::Tls { .. } => Cause::TlsFailed,
            Failure::Foreign { .. } | Failure::NoReply { .. } | Failure::Endless { .. } => {
                Cause::ProtocolError
            }
            Failure::Unspeakable(_) => Cause::MessageMalformed,
            _ => Cause::ConnectionFailed,
        };
        return Some((cause, Some(false)));
    }
    if words.contains("SMTPUTF8") {
        return Some((Cause::Utf8Unsupported, Some(true)));
    }
    if handed.tls_error.is_some() || words.contains("TLS is required") {
        return Some((Cause::TlsFailed, None));
    }
    let login = words.contains("login") || words.contains("log in") || words.contains("password");
    login.then_some((Cause::LoginRequired, None))
}

/// Words that nobody understands.
fn unknown(words: &str) -> Recipient {
    Recipient {
        evidence: vec![Evidence {
            text: words.to_string(),
            line: None,
            rule: None,
        }],
        ..Recipient::of(Cause::Unknown, Confidence::Low)
    }
}

/// The queue id in the reply to the end of a message: `queued as X`, `id=X`, `X Message accepted`.
fn queue_id(text: &str) -> Option<String> {
    const BEFORE: [&str; 6] = [
        "queued as ",
        "queued for delivery as ",
        "message accepted as ",
        "queue id ",
        "queued with id ",
        "id=",
    ];
    let lower = text.to_ascii_lowercase();
    let is_id = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let word = |rest: &str| -> Option<String> {
        let rest = rest.trim_start_matches(['<', '"', '\'']);
        let end = rest.find(|c| !is_id(c)).unwrap_or(rest.len());
        let id = rest.get(..end)?.trim_end_matches('.');
        (id.len() >= 4).then(|| id.to_string())
    };
    for before in BEFORE {
        if let Some(at) = lower.find(before)
            && let Some(id) = word(text.get(at + before.len()..)?)
        {
            return Some(id);
        }
    }
    // sendmail writes `2.0.0 i2T7sDtD013132 Message accepted for delivery`; Google `… 12abc - gsmtp`.
    let mut words = text.split_whitespace().skip_while(|w| w.contains('.'));
    let first = words.next()?;
    let looks = first.len() >= 8
        && first.chars().all(is_id)
        && first.chars().any(|c| c.is_ascii_digit())
        && first.chars().any(|c| c.is_ascii_alphabetic());
    looks.then(|| first.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_id_is_found_in_the_words_of_many_servers() {
        for (text, id) in [
            ("2.0.0 Ok: queued as 43B319BA4DB", Some("43B319BA4DB")),
            ("OK id=1xUy0I-000abc-1Z", Some("1xUy0I-000abc-1Z")),
            (
                "2.0.0 i2T7sDtD013132 Message accepted for delivery",
                Some("i2T7sDtD013132"),
            ),
            ("2.6.0 <x@y> Queued mail for delivery", None),
            ("Ok", None),
            ("2.0.0 Ok", None),
        ] {
            assert_eq!(queue_id(text).as_deref(), id, "{text}");
        }
    }
}
