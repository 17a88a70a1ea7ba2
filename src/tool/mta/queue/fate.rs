//! What has become of each recipient of a queued message.

use std::net::IpAddr;
use std::time::SystemTime;

use crate::message::status::EnhancedCode;

/// The state of one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fate {
    /// How it stands.
    pub state: State,
    /// What the last attempt brought; `None` before the first.
    pub outcome: Option<Outcome>,
    /// Whether the sender has been told of the end, or nobody needs to be.
    pub told: bool,
    /// Whether the sender has been told that it takes long.
    pub warned: bool,
}

/// How a recipient stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// Still to be delivered.
    #[default]
    Waiting,
    /// In its mailbox, or taken by a server that tells the sender by itself (RFC 3461 §5.2.3).
    Delivered,
    /// Taken by a server that knows nothing of delivery notices.
    Relayed,
    /// Given to a list or forwarded.
    Expanded,
    /// Given up.
    Failed,
}

impl State {
    /// The word for it in files and notices (RFC 3464 §2.3.3).
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
            Self::Failed => "failed",
        }
    }

    /// The state with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [
            Self::Waiting,
            Self::Delivered,
            Self::Relayed,
            Self::Expanded,
            Self::Failed,
        ]
        .into_iter()
        .find(|state| state.word() == word)
    }
}

/// What one attempt brought for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// When.
    pub at: SystemTime,
    /// The status code, of the reply or derived (RFC 3463).
    pub status: EnhancedCode,
    /// The server that was asked last; `None` when there was none.
    pub host: Option<String>,
    /// Its address.
    pub ip: Option<IpAddr>,
    /// The command it answered: `RCPT TO`, `end of DATA`.
    pub command: Option<String>,
    /// Its whole reply, the code first, the lines joined; `None` when it said nothing.
    pub reply: Option<String>,
    /// What happened in our own words, when no reply tells it.
    pub words: Option<String>,
    /// Whether the time for trying was over, and not the last answer ended it.
    pub expired: bool,
}

impl Outcome {
    /// An outcome without a server in it.
    pub fn local(at: SystemTime, status: EnhancedCode, words: &str) -> Self {
        Self {
            at,
            status,
            host: None,
            ip: None,
            command: None,
            reply: None,
            words: Some(words.to_string()),
            expired: false,
        }
    }

    /// What is said about it in one line: the reply, else our words.
    pub fn said(&self) -> &str {
        self.reply
            .as_deref()
            .or(self.words.as_deref())
            .unwrap_or_default()
    }
}
