//! What a list said about a subject, and what all lists together did.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use crate::dns::Name;
use crate::dnsbl::catalogue::{Kind, Sense, Weight};
use crate::dnsbl::source::Source;
use crate::dnsbl::subject::Subject;
use crate::dnsbl::trust::Distrust;
use crate::scope::Scope;

/// The outcome for one list. "Not listed" is [`Status::Clean`] and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// On the list, and the list is against it.
    Listed,
    /// On a list of good senders.
    Allowed,
    /// On a list that states a fact.
    Info,
    /// Not on the list, says the list itself.
    Clean,
    /// The list or the resolver does not serve us.
    Refused,
    /// The name servers failed.
    Error,
    /// No answer in time.
    Timeout,
    /// The list is no longer run.
    Dead,
    /// The list answers, but its answers cannot be believed.
    Untrusted,
    /// Not asked.
    Skipped,
}

impl Status {
    /// The id used in JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::Allowed => "allowed",
            Self::Info => "info",
            Self::Clean => "clean",
            Self::Refused => "refused",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Dead => "dead",
            Self::Untrusted => "untrusted",
            Self::Skipped => "skipped",
        }
    }

    /// Whether the list gave an answer worth trusting.
    pub const fn is_answer(self) -> bool {
        matches!(
            self,
            Self::Listed | Self::Allowed | Self::Info | Self::Clean
        )
    }
}

/// What one list said about one subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The list.
    pub source: Arc<Source>,
    /// The outcome.
    pub status: Status,
    /// The answers as they came.
    pub codes: Vec<Ipv4Addr>,
    /// What they mean.
    pub meanings: Vec<Said>,
    /// The texts of the list, as bytes: they are foreign.
    pub texts: Vec<Vec<u8>>,
    /// The name that is on the list, when it is a parent of the one that was asked about.
    pub matched: Option<Name>,
    /// For how many seconds the resolver may repeat this answer.
    pub ttl: Option<u32>,
    /// How long the list took.
    pub took: Option<Duration>,
    /// Why the outcome is what it is, when the codes do not tell.
    pub note: Option<String>,
}

/// What one code means.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// The words.
    pub means: String,
    /// What it says about the subject.
    pub sense: Sense,
    /// What the listing is about.
    pub kind: Option<&'static Kind>,
    /// The part of the list.
    pub part: Option<&'static str>,
}

impl Verdict {
    /// An outcome without an answer.
    pub(crate) fn without(source: &Arc<Source>, status: Status, note: Option<String>) -> Self {
        Self {
            source: Arc::clone(source),
            status,
            codes: Vec::new(),
            meanings: Vec::new(),
            texts: Vec::new(),
            matched: None,
            ttl: None,
            took: None,
            note,
        }
    }

    /// Whether a listing only says "should not send directly".
    pub fn is_policy(&self) -> bool {
        self.status == Status::Listed
            && !self.meanings.is_empty()
            && self.meanings.iter().all(|said| said.sense == Sense::Policy)
    }
}

/// What the lists say about one subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The subject.
    pub subject: Subject,
    /// Where an address means something; `None` for a name.
    pub scope: Option<Scope>,
    /// How it was derived from what the user gave, in words.
    pub from: Option<String>,
    /// The lists, in the order they were chosen.
    pub verdicts: Vec<Verdict>,
    /// Why nothing of it can be believed, or nothing was heard at all.
    pub distrust: Option<Distrust>,
}

impl Finding {
    /// How many lists name it.
    pub fn listed(&self) -> usize {
        self.count(Status::Listed)
    }

    /// How many lists were asked.
    pub fn asked(&self) -> usize {
        self.verdicts.len() - self.count(Status::Skipped)
    }

    /// How many lists gave an answer worth trusting.
    pub fn answered(&self) -> usize {
        self.verdicts
            .iter()
            .filter(|v| v.status.is_answer())
            .count()
    }

    /// How many lists had this outcome.
    pub fn count(&self, status: Status) -> usize {
        self.verdicts.iter().filter(|v| v.status == status).count()
    }

    /// The weight of the weightiest listing.
    pub fn worst(&self) -> Option<Weight> {
        self.listings().map(|v| v.source.weight).max()
    }

    /// The listings.
    pub fn listings(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter().filter(|v| v.status == Status::Listed)
    }
}
