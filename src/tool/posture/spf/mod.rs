//! SPF (RFC 7208): who may send for a domain. One walk does two jobs: with an address it is the
//! check_host() of the RFC, without one it goes through the whole tree and counts.

mod judge;
mod macros;
mod record;
mod walk;

use std::net::IpAddr;

pub use judge::judge;
pub use record::{Fault, Mechanism, Modifier, Qualifier, Record, Term};
pub use walk::{evaluate, survey};

/// The terms that may ask the DNS, over the whole tree (RFC 7208 §4.6.4).
pub const MOST_LOOKUPS: usize = 10;
/// Lookups that may come back empty (RFC 7208 §4.6.4).
pub const MOST_VOID: usize = 2;

/// The results of check_host() (RFC 7208 §2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the words of RFC 7208 §2.6")]
pub enum Outcome {
    Pass,
    Fail,
    SoftFail,
    Neutral,
    None,
    TempError,
    PermError,
}

impl Outcome {
    /// The word of the RFC, as in `Received-SPF`.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::Neutral => "neutral",
            Self::None => "none",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

/// Who sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender<'a> {
    /// The address of the client.
    pub ip: IpAddr,
    /// The local part of the envelope sender; `postmaster` when there is none.
    pub local: &'a str,
    /// The domain of the envelope sender, or the HELO name for the null sender.
    pub domain: &'a str,
    /// What the client said in HELO or EHLO.
    pub helo: &'a str,
}

/// What the walk found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The result; for a survey `permerror`, `temperror`, `none` or `neutral` (nothing wrong).
    pub outcome: Outcome,
    /// The record of the domain itself.
    pub record: Option<String>,
    /// The records, when there are several.
    pub several: Vec<String>,
    /// The domain whose record decided, and the term in it.
    pub decided_by: Option<(String, String)>,
    /// How many terms asked the DNS.
    pub lookups: usize,
    /// How many of the answers were empty.
    pub voids: usize,
    /// A record further down that lets everybody send, and with it everybody for this domain;
    /// looked for by a survey only.
    pub opened_by: Option<String>,
    /// What is wrong, the first one is the reason of an error result.
    pub troubles: Vec<Trouble>,
    /// Every term that was looked at, in order.
    pub trace: Vec<Step>,
}

impl Verdict {
    /// A result before anything was found.
    pub(crate) const fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            record: None,
            several: Vec::new(),
            decided_by: None,
            lookups: 0,
            voids: 0,
            opened_by: None,
            troubles: Vec::new(),
            trace: Vec::new(),
        }
    }
}

/// One term of the trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// 0 for the domain itself, 1 for what it includes, and so on.
    pub depth: usize,
    /// The domain whose record it stands in.
    pub domain: String,
    /// The term as it is written.
    pub term: String,
    /// What came of it, in few words: `match`, `no match`, `10 addresses`, `no such name` …
    pub result: String,
}

/// What can be wrong with a tree of records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Several records at this domain.
    #[error("{0} has several records")]
    Several(String),
    /// A term that does not follow the syntax: the domain, the term and why.
    #[error("the record of {0} is invalid at \"{1}\": {why}", why = .2.words())]
    Syntax(String, String, Fault),
    /// More than ten terms ask the DNS.
    #[error("more than {MOST_LOOKUPS} terms ask the DNS")]
    TooManyLookups,
    /// More than two lookups came back empty.
    #[error("more than {MOST_VOID} lookups come back empty")]
    TooManyVoid,
    /// A record includes itself, over this domain.
    #[error("the record includes itself over {0}")]
    Loop(String),
    /// This included domain has no record.
    #[error("the included {0} has no record")]
    IncludeWithoutRecord(String),
    /// This domain has more than ten mail servers to compare.
    #[error("{0} has more mail servers than may be compared")]
    TooManyMx(String),
    /// The DNS did not answer for this domain.
    #[error("{0} could not be asked: {1}")]
    Dns(String, crate::dns::Failure),
}
