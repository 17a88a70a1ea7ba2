//! How much a finding matters: one scale for all rooms.

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Works today and will hurt somebody; somebody should look at it.
    Warning,
    /// Mail does not arrive, a standard is broken, or the way itself is wrong: a forged or
    /// impossible line, a loop.
    Error,
}

impl Severity {
    /// The id used in JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}
