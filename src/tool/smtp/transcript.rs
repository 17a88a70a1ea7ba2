//! What was said, by whom and when. Secrets never get here: commands are kept as
//! [`Command::shown`](super::Command::shown) gives them.

use std::time::Duration;

use super::{Reply, Stage};

/// The exchanges of one conversation, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transcript {
    /// Each thing said with what came back.
    pub exchanges: Vec<Exchange>,
}

/// One command and its reply; either may be missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// The step.
    pub stage: Stage,
    /// What we said, without line ending and secrets; `None` for connecting and listening.
    pub sent: Option<String>,
    /// What came back.
    pub reply: Option<Reply>,
    /// Something to know that is no reply: how it broke, what was negotiated.
    pub note: Option<String>,
    /// Whether it went through TLS.
    pub encrypted: bool,
    /// When it began, since the start of the conversation.
    pub at: Duration,
    /// How long it took.
    pub took: Duration,
}

impl Transcript {
    /// The last exchange of a stage.
    pub fn last(&self, stage: Stage) -> Option<&Exchange> {
        self.exchanges.iter().rev().find(|e| e.stage == stage)
    }

    /// How long all exchanges of a stage took together; `None` when it was never reached.
    pub fn time(&self, stage: Stage) -> Option<Duration> {
        let mut all = self
            .exchanges
            .iter()
            .filter(|e| e.stage == stage)
            .peekable();
        all.peek()?;
        Some(all.map(|e| e.took).sum())
    }
}
