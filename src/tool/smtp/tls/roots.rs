//! The roots of this run, read when the first certificate is to be judged.

use std::sync::OnceLock;

use chrono::{DateTime, Utc};

use super::{Opinion, Session, Trust};

/// Whom to trust with certificates: a file of the user's, or the roots of the machine, which
/// are read when the first certificate is to be judged.
#[derive(Debug, Default)]
pub struct Roots {
    file: Option<Trust>,
    system: OnceLock<Trust>,
}

impl Roots {
    /// The certificates of a file, and nobody else.
    pub fn of_file(trust: Trust) -> Self {
        Self {
            file: Some(trust),
            system: OnceLock::new(),
        }
    }

    /// Judges what a handshake brought.
    pub fn judge(&self, session: &Session, host: &str, now: DateTime<Utc>) -> Opinion {
        match &self.file {
            Some(trust) => trust.judge(session, host, now),
            None => self
                .system
                .get_or_init(Trust::system)
                .judge(session, host, now),
        }
    }
}
