//! A finding: one thing worth telling about a route.

pub use crate::severity::Severity;

/// One thing worth telling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Kebab-case code, the same for every finding of the kind.
    pub code: &'static str,
    /// The hop it speaks of.
    pub hop: Option<usize>,
    /// Further hops, when it speaks of several.
    pub hops: Vec<usize>,
    /// In words.
    pub text: String,
    /// How sure it is.
    pub confidence: Sureness,
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sureness {
    /// A guess from a usual pattern.
    Low,
    /// Several signs agree.
    Medium,
    /// The lines say so themselves.
    High,
}

impl Sureness {
    /// The id used in JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl Finding {
    /// A finding about a hop.
    pub(crate) fn at(
        hop: usize,
        severity: Severity,
        code: &'static str,
        confidence: Sureness,
        text: String,
    ) -> Self {
        Self::over(vec![hop], severity, code, confidence, text)
    }

    /// A finding about several hops, the first of which stands for all.
    pub(crate) fn over(
        hops: Vec<usize>,
        severity: Severity,
        code: &'static str,
        confidence: Sureness,
        text: String,
    ) -> Self {
        Self {
            severity,
            code,
            hop: hops.first().copied(),
            hops,
            text,
            confidence,
        }
    }

    /// A finding about the whole message.
    pub(crate) fn whole(
        severity: Severity,
        code: &'static str,
        confidence: Sureness,
        text: String,
    ) -> Self {
        Self {
            severity,
            code,
            hop: None,
            hops: Vec::new(),
            text,
            confidence,
        }
    }
}
