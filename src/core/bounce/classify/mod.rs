//! Facts to a cause: the one brain for notices, log lines and live replies.
//!
//! Order of trust: a provider's own code, a specific text, the enhanced code of the reply, the
//! Status field, a text that says little, the reply code, the stage. Words beat numbers, since
//! many servers send 5.7.1 or 5.1.1 for anything; the remote server's words beat the reporting
//! server's, and both beat prose.

mod codes;
mod fold;
mod frame;
mod judge;
mod listing;
mod rules;

pub(super) use codes::step;
pub use judge::judge;

use crate::bounce::cause::Cause;
use crate::bounce::explanation::{Action, Command, Confidence, Listing, Recipient, StatusFrom};
use crate::bounce::notice::Voice;
use crate::message::status::EnhancedCode;

/// Everything that is known about one failure. All of it may be missing.
#[derive(Debug, Clone, Default)]
pub struct Case<'a> {
    /// The words, the most trustworthy first.
    pub texts: Vec<(Voice, &'a str)>,
    /// The Status field of the report.
    pub status: Option<EnhancedCode>,
    /// The command that was refused.
    pub command: Option<Command>,
    /// The action of the report.
    pub action: Option<Action>,
    /// The recipient: with `reporter` it tells whether the reporting server speaks of its own users.
    pub recipient: Option<&'a str>,
    /// The name of the reporting server.
    pub reporter: Option<&'a str>,
    /// The name of the refusing server: it chooses the provider's own codes.
    pub remote_host: Option<&'a str>,
    /// The dialect of the notice.
    pub dialect: Option<&'a str>,
    /// The server gave up because the time in the queue was over.
    pub expired: bool,
    /// Received fields of the returned message; 0 when it is not there.
    pub hops: u32,
}

/// What the classifier makes of a case.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// What is wrong.
    pub cause: Cause,
    /// Whether it is final for this message.
    pub permanent: Option<bool>,
    /// How sure the cause is.
    pub confidence: Confidence,
    /// The status code that fits best, and where it is from.
    pub status: Option<(EnhancedCode, StatusFrom)>,
    /// The SMTP reply code found in the words.
    pub reply_code: Option<u16>,
    /// The command found in the words, when the case did not name one.
    pub command: Option<Command>,
    /// The listing that the words name.
    pub listing: Option<Listing>,
    /// Which of the texts decided, and by which rule; `None` when codes alone decided.
    pub decided_by: Option<Deciding>,
}

impl Judgement {
    /// What it says about a recipient; who that is, and in which words, is for the caller to add.
    pub fn recipient(&self) -> Recipient {
        Recipient {
            permanent: self.permanent,
            status: self.status.map(|(code, _)| code),
            status_from: self.status.map(|(_, from)| from),
            reply_code: self.reply_code,
            smtp_command: self.command,
            dnsbl: self.listing.clone(),
            ..Recipient::of(self.cause, self.confidence)
        }
    }
}

/// The words that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deciding {
    /// Index into [`Case::texts`].
    pub text: usize,
    /// The id of the rule.
    pub rule: &'static str,
}

#[cfg(test)]
mod tests;
