//! What `explain` answers: one plain value for JSON, human output and the library's users.

use std::net::IpAddr;

use chrono::{DateTime, FixedOffset};

use crate::bounce::cause::{Cause, Class};
use crate::message::status::EnhancedCode;

#[cfg(test)]
pub(crate) mod samples;

/// What one notice means.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Explanation {
    /// What kind of report it is.
    pub report: Report,
    /// How the notice was found, outermost wrapping first.
    pub form: Vec<Form>,
    /// The id of the software or provider that wrote it (an entry of `data/dialects.toml`).
    pub dialect: Option<&'static str>,
    /// The server that wrote the report (RFC 3464 §2.2.2), or that the prose names as its author.
    pub reporting_mta: Option<String>,
    /// When the original arrived at the reporting server (RFC 3464 §2.2.5).
    pub arrival_date: Option<DateTime<FixedOffset>>,
    /// One entry per recipient that the notice speaks about.
    pub recipients: Vec<Recipient>,
    /// The message that was returned, as far as it came back.
    pub original: Original,
    /// For [`Report::None`]: what the input is instead, in plain words.
    pub instead: Option<String>,
}

/// What kind of report a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Report {
    /// Final failure for at least one recipient.
    Failed,
    /// A warning: still trying.
    Delayed,
    /// Success, as asked for (RFC 3461 NOTIFY=SUCCESS).
    Delivered,
    /// Handed to a server that cannot confirm delivery.
    Relayed,
    /// Handed on to the members of a list or alias.
    Expanded,
    /// A feedback (abuse) report, RFC 5965.
    Feedback,
    /// An automatic answer, RFC 3834.
    AutoReply,
    /// A request to confirm before the message is let in.
    Challenge,
    /// Not a report.
    #[default]
    None,
}

impl Report {
    /// The id used in JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
            Self::Feedback => "feedback",
            Self::AutoReply => "auto-reply",
            Self::Challenge => "challenge",
            Self::None => "none",
        }
    }
}

/// What a feedback report is about: its Feedback-Type (RFC 5965 §7.3, RFC 6591 §3.1, RFC 6430).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feedback {
    /// A recipient or provider takes the mail for spam.
    Abuse,
    /// For fraud or phishing.
    Fraud,
    /// A virus was found in it.
    Virus,
    /// It is no spam after all.
    NotSpam,
    /// The recipient wants no more of it.
    OptOut,
    /// The checks of the sender (SPF, DKIM, DMARC) failed.
    AuthFailure,
    /// Anything else.
    Other,
}

impl Feedback {
    /// The kinds, with the names that they have in reports.
    const ALL: [(&'static str, Self); 8] = [
        ("abuse", Self::Abuse),
        ("fraud", Self::Fraud),
        ("virus", Self::Virus),
        ("not-spam", Self::NotSpam),
        ("opt-out", Self::OptOut),
        ("auth-failure", Self::AuthFailure),
        ("other", Self::Other),
        // The draft of RFC 5965 had it, and some still write it.
        ("opt-out-list", Self::OptOut),
    ];

    /// The kind of this name, whatever its case; one that is not known is another one.
    pub fn of(name: &str) -> Self {
        let name = name.trim();
        let named = |(known, _): &&(&str, Self)| name.eq_ignore_ascii_case(known);
        Self::ALL
            .iter()
            .find(named)
            .map_or(Self::Other, |(_, kind)| *kind)
    }

    /// The id used in JSON and in the report itself.
    pub fn id(self) -> &'static str {
        let own = Self::ALL.iter().find(|(_, kind)| *kind == self);
        own.map_or("other", |(name, _)| name)
    }
}

/// How a notice was found inside the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// A machine-readable delivery status notification (RFC 3464).
    Dsn,
    /// A machine-readable feedback report (RFC 5965).
    Arf,
    /// Plain text of a mail server, with or without an SMTP transcript.
    Transcript,
    /// Inside a message that was forwarded as an attachment.
    ForwardedAttached,
    /// Inside a message that was forwarded in the text.
    ForwardedInline,
    /// Inside quoted lines (`> `).
    Quoted,
    /// Pasted text without header.
    Pasted,
    /// Inside a TNEF container (winmail.dat).
    Tnef,
    /// Inside an Outlook .msg file.
    Msg,
    /// A bare SMTP reply or log line.
    ReplyLine,
}

impl Form {
    /// The id used in JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Dsn => "dsn",
            Self::Arf => "arf",
            Self::Transcript => "transcript",
            Self::ForwardedAttached => "forwarded-attached",
            Self::ForwardedInline => "forwarded-inline",
            Self::Quoted => "quoted",
            Self::Pasted => "pasted",
            Self::Tnef => "tnef",
            Self::Msg => "msg",
            Self::ReplyLine => "reply-line",
        }
    }
}

/// What happened to one recipient.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipient {
    /// The final recipient (RFC 3464 §2.3.2).
    pub address: Option<String>,
    /// The address the sender wrote, when it is another one (alias, forward).
    pub original_address: Option<String>,
    /// The action of the report (RFC 3464 §2.3.3).
    pub action: Option<Action>,
    /// What is wrong.
    pub cause: Cause,
    /// What a feedback report is about, when it says so.
    pub feedback: Option<Feedback>,
    /// Whether the failure is final for this message; `None` when nothing tells.
    pub permanent: Option<bool>,
    /// The enhanced status code that fits best, see `status_from`.
    pub status: Option<EnhancedCode>,
    /// Where `status` was taken from.
    pub status_from: Option<StatusFrom>,
    /// The SMTP reply code of the refusing server, 200 to 599.
    pub reply_code: Option<u16>,
    /// The SMTP command that the reply answered.
    pub smtp_command: Option<Command>,
    /// The server that gave the reply.
    pub remote_mta: Remote,
    /// The words of the refusing server or of the reporting one.
    pub diagnostic: Option<String>,
    /// The DNS list that the refusal names.
    pub dnsbl: Option<Listing>,
    /// Until when the server keeps trying (RFC 3464 §2.3.9).
    pub retry_until: Option<DateTime<FixedOffset>>,
    /// True when the server gave up because the time in the queue was over; `cause` is then
    /// what kept the message there, as far as the notice tells.
    pub expired: bool,
    /// How sure the cause is.
    pub confidence: Confidence,
    /// The lines that led to the cause, the strongest first.
    pub evidence: Vec<Evidence>,
}

impl Recipient {
    /// A recipient of whom nothing is known but the cause.
    pub fn of(cause: Cause, confidence: Confidence) -> Self {
        Self {
            address: None,
            original_address: None,
            action: None,
            cause,
            feedback: None,
            permanent: None,
            status: None,
            status_from: None,
            reply_code: None,
            smtp_command: None,
            remote_mta: Remote::default(),
            diagnostic: None,
            dnsbl: None,
            retry_until: None,
            expired: false,
            confidence,
            evidence: Vec::new(),
        }
    }

    /// The headline class.
    pub const fn class(&self) -> Class {
        Class::of(self.cause, self.permanent)
    }
}

/// The action taken by the reporting server (RFC 3464 §2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the words of RFC 3464 §2.3.3")]
pub enum Action {
    Failed,
    Delayed,
    Delivered,
    Relayed,
    Expanded,
}

impl Action {
    /// The id used in JSON and in the report itself.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
        }
    }
}

/// Where a status code was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatusFrom {
    /// The Status field of the report.
    Report,
    /// The text of the SMTP reply.
    Reply,
    /// Derived from the cause; nobody wrote it.
    Derived,
}

impl StatusFrom {
    /// The id used in JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Reply => "reply",
            Self::Derived => "derived",
        }
    }
}

/// The step of the SMTP dialogue in which something was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the commands of RFC 5321, 3207, 4954 and 3030")]
pub enum Command {
    /// Opening the connection, before the greeting.
    Connect,
    Ehlo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// The end of the message: the final dot.
    Dot,
    Quit,
}

impl Command {
    /// The id used in JSON: the verb, or `CONNECT`; the final dot counts as `DATA`, as servers
    /// themselves write it.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Ehlo => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data | Self::Dot => "DATA",
            Self::Quit => "QUIT",
        }
    }
}

/// The server on the other side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remote {
    /// Its name.
    pub host: Option<String>,
    /// Its address.
    pub ip: Option<IpAddr>,
}

/// A listing in a DNS list, as a refusal tells it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// The id of the list in the catalogue, when it is known there.
    pub list: Option<&'static str>,
    /// The zone asked, or the site of the list when the text tells no more.
    pub zone: Option<String>,
    /// The listed address.
    pub ip: Option<IpAddr>,
    /// The listed domain or link.
    pub domain: Option<String>,
    /// Where to read more or ask for removal.
    pub url: Option<String>,
    /// What is wrong on the receiver's own side: it took a refusal, or a list that is no longer
    /// run, for a listing. The sender cannot mend that.
    pub mistaken: Option<Mistake>,
    /// What the list says now, when it was asked (`explain --live`).
    pub now: Option<Now>,
}

/// What a list says when it is asked again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Now {
    /// It still names the address or domain.
    Listed,
    /// It does not name it any more.
    Clear,
    /// It gave no answer worth trusting; why.
    Unknown(String),
}

/// Why a claim of a listing is not to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mistake {
    /// The list refused the receiver's query (public resolver, over its limit).
    QueryRefused,
    /// The list is dead.
    DeadList,
}

/// How sure a cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// A guess from the stage or the reply class.
    Low,
    /// Known wording, or a code that is used for other things as well.
    Medium,
    /// The server says so itself.
    High,
}

impl Confidence {
    /// The id used in JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A line that led to a cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The words, as they stand in the input (decoded, not escaped).
    pub text: String,
    /// The line of the input that they stand in, from 1.
    pub line: Option<u32>,
    /// The id of the rule that read them.
    pub rule: Option<&'static str>,
}

/// The returned message, as far as it came back.
#[derive(Debug, Clone, PartialEq, Default)]
#[expect(missing_docs, reason = "the header fields of RFC 5322 §3.6")]
pub struct Original {
    pub message_id: Option<String>,
    pub from: Option<String>,
    pub to: Vec<String>,
    pub subject: Option<String>,
    pub date: Option<DateTime<FixedOffset>>,
    /// How many Received fields came back with it.
    pub hops: u32,
}
