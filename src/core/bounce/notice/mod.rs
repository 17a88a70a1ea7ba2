//! What a notice states, before anything is judged.
//!
//! [`read`] takes a layer and tells what it states; it knows nothing of causes. Two sources are
//! read and merged: the machine-readable part ([`report`]) and the text for people ([`walk`],
//! [`settle`]). Whether the layer is a notice at all is weighed in [`evidence`]; what wording
//! means is data (`src/core/data/phrases.toml`, `src/core/data/dialects.toml`, read by [`marks`]).

mod address;
mod complaint;
#[cfg(test)]
mod corpus_tests;
mod cut;
mod draft;
mod events;
mod evidence;
mod found;
#[cfg(test)]
mod hostile_tests;
mod instead;
mod labels;
mod marks;
mod merge;
mod names;
mod original;
mod page;
mod passage;
mod pasted;
mod patience;
mod prose;
#[cfg(test)]
mod prose_tests;
mod read;
mod remote;
mod report;
mod session;
mod settle;
mod sns;
mod tables;
mod told;
mod transcript;
mod walk;

pub use instead::instead;
pub use original::of_mail as original_of_mail;
pub use read::{is_statistics, is_talk, read};

use chrono::{DateTime, FixedOffset};

use crate::bounce::explanation::{Action, Command, Feedback, Form, Original, Remote, Report};
use crate::message::status::EnhancedCode;

/// Everything that one notice states.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// What kind of report it is.
    pub report: Report,
    /// Machine-readable or plain text.
    pub form: Form,
    /// The id of the software or provider that wrote it.
    pub dialect: Option<&'static str>,
    /// The server that wrote it.
    pub reporting_mta: Option<String>,
    /// When the original arrived there.
    pub arrival_date: Option<DateTime<FixedOffset>>,
    /// What it says about each recipient: machine part and prose already merged.
    pub statements: Vec<Statement>,
    /// The returned message.
    pub original: Original,
}

/// What a notice states about one recipient.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Statement {
    /// The final recipient.
    pub address: Option<String>,
    /// The address before aliases and forwards.
    pub original_address: Option<String>,
    /// The Action field, or what the words say.
    pub action: Option<Action>,
    /// The Status field.
    pub status: Option<EnhancedCode>,
    /// The server that refused or could not be reached.
    pub remote: Remote,
    /// The command that was refused, when the notice names it.
    pub command: Option<Command>,
    /// Until when the server keeps trying.
    pub retry_until: Option<DateTime<FixedOffset>>,
    /// True when the server gave up because the time in the queue was over.
    pub expired: bool,
    /// What a feedback report is about.
    pub feedback: Option<Feedback>,
    /// The words about it, the most trustworthy first: the reply of the refusing server, the
    /// Diagnostic-Code, then prose.
    pub quotes: Vec<Quote>,
}

/// Words of a notice and where they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// The words, continuation lines joined by a blank.
    pub text: String,
    /// The first line of the input that they stand in, from 1.
    pub line: Option<u32>,
    /// Who speaks.
    pub voice: Voice,
}

/// Who speaks in a quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Voice {
    /// The server on the other side: an SMTP reply.
    Remote,
    /// The reporting server about its own work (Diagnostic-Code that is no reply, local delivery).
    Local,
    /// Prose for people around it.
    Prose,
}
