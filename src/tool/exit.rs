//! How the program ends. The numbers are a contract with scripts.

use std::process::ExitCode;

/// The four ways a run can end, and their exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// The question was answered, and the answer is good.
    Good = 0,
    /// The question was answered, and the answer is bad (not a report, listed, rejected).
    Bad = 1,
    /// mailtrace was used wrongly or could not read its input.
    Unusable = 2,
    /// No answer: the network or a resolver failed us.
    Unknown = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}
