//! Layers to routes: which way a mail came, how long each leg took, and who is to be believed.
//!
//! A `Received` field is the word of the server named in its `by`. [`received`] takes out what
//! one field says; everything else of this room judges what the fields say together: delays and
//! clocks, the role of each server, the border between own and outside servers, the origin,
//! what lists and forwarders did, and what other servers found out about the sender.

pub mod authentication;
mod border;
mod clocks;
pub mod filters;
mod find;
pub mod finding;
mod findings;
pub mod hop;
mod known;
mod lists;
pub mod live;
pub mod net;
mod paste;
mod read;
pub mod received;
mod roles;
pub mod summary;
mod witness;

use std::net::IpAddr;

use crate::message::dates::Stamp;

pub use authentication::Authentication;
pub use filters::Verdict;
pub use find::{outermost, returned, route};
pub use finding::{Finding, Severity, Sureness};
pub use findings::span;
pub use hop::{Hop, Role};
pub use net::Trust;
pub use read::of;

/// The way of one message.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Route {
    /// The message itself.
    pub message: Message,
    /// One hop per `Received` field, in the order of travel: the first is the oldest.
    pub hops: Vec<Hop>,
    /// From the first stamp to the last.
    pub total_s: Option<i64>,
    /// The sum of all delays that count, clocks set right.
    pub waited_s: i64,
    /// The number of the hop that took longest.
    pub slowest_hop: Option<usize>,
    /// Why it took so long, as far as it shows.
    pub reason: Option<Reason>,
    /// Where the message came from, as far down as the lines confirm each other.
    pub origin: Option<Origin>,
    /// The number of the hop at which it came from outside to the reader's own servers.
    pub border: Option<usize>,
    /// Lists and forwarders on the way.
    pub handlers: Vec<Handler>,
    /// What servers found out about the sender.
    pub authentication: Authentication,
    /// What filters wrote into the header, in words.
    pub verdicts: Vec<Verdict>,
    /// What is to be said, weightiest first.
    pub findings: Vec<Finding>,
    /// What the DNS says today, when it was asked.
    pub live: Option<live::Live>,
}

/// What the header says of the message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// `Message-ID`, without angle brackets.
    pub message_id: Option<String>,
    /// `Subject`, decoded.
    pub subject: Option<String>,
    /// The address in `From`.
    pub from: Option<String>,
    /// The addresses in `To`.
    pub to: Vec<String>,
    /// `Date`, by the author's clock.
    pub date: Option<Stamp>,
    /// `Return-Path`: the envelope sender at delivery, `<>` when it was empty.
    pub return_path: Option<String>,
}

/// How far the time of a hop may be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// As far as any clock.
    None,
    /// It is measured from a line that looks made up.
    Unknown,
    /// Its line looks made up.
    Forged,
}

impl Route {
    /// Whether a hop, or the one it is measured from, looks made up.
    pub fn doubt(&self, hop: usize) -> Doubt {
        let told = |codes: &'static [&'static str]| {
            let found = self.findings.iter().filter(|f| codes.contains(&f.code));
            found.filter_map(|f| f.hop)
        };
        if told(&["forged-line", "impossible-line"]).any(|n| n == hop) {
            Doubt::Forged
        } else if told(&["forged-line", "impossible-line", "doubtful-line"]).any(|n| hop <= n + 1) {
            Doubt::Unknown
        } else {
            Doubt::None
        }
    }
}

/// Where a message came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The address.
    pub ip: Option<IpAddr>,
    /// Its reverse name, else what it called itself.
    pub host: Option<String>,
    /// The host is no more than what the client said: the server looked for the reverse name, and
    /// found none, or one that does not lead back.
    pub claimed: bool,
    /// The hop that says so.
    pub hop: usize,
    /// A server of the reader's own side wrote that hop.
    pub trusted: bool,
}

/// Why a hop took its time, as far as it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The receiver made an unknown sender come back later.
    Greylisting,
    /// A content filter looked at it.
    Filter,
    /// It lay in a queue between attempts.
    Queue,
    /// A moderator or a digest of a mailing list.
    Moderation,
    /// It lay in a mailbox until a program collected it.
    Collection,
    /// It was released from quarantine.
    Quarantine,
}

impl Reason {
    /// The id used in JSON and as the code of the finding.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Greylisting => "greylisting",
            Self::Filter => "filter",
            Self::Queue => "queue",
            Self::Moderation => "moderation",
            Self::Collection => "collection",
            Self::Quarantine => "quarantine",
        }
    }
}

/// A party on the way that sent the message on under its own name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handler {
    /// List or forwarder.
    pub kind: HandlerKind,
    /// Its name: the list id, the forwarding address.
    pub name: String,
    /// What shows it, such as `List-Id` or `SRS0`.
    pub sign: &'static str,
}

/// What a [`Handler`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HandlerKind {
    /// A mailing list.
    List,
    /// A forwarding mailbox or service.
    Forwarder,
}
