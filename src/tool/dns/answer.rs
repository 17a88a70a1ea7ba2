//! Questions and answers, without a third party's type in them.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::dns::Name;

/// What is asked: a name and the kind of record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// The name.
    pub name: Name,
    /// The kind of record.
    pub kind: Kind,
}

impl Question {
    /// A question.
    pub fn new(name: Name, kind: Kind) -> Self {
        Self { name, kind }
    }
}

/// The kinds of record that mail needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the record types of RFC 1035, 3596 and 6698")]
pub enum Kind {
    A,
    Aaaa,
    Cname,
    Mx,
    Ns,
    Ptr,
    Soa,
    Tlsa,
    Txt,
}

/// What came back for a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The records, or why there are none.
    pub result: Result<Answer, Failure>,
    /// How long it took, from the first packet to the answer that decided.
    pub took: Duration,
    /// The name server that decided; `None` when nobody did.
    pub server: Option<SocketAddr>,
}

impl Reply {
    /// A reply that took no time: for scripted worlds and for what is known without asking.
    pub fn at_once(result: Result<Answer, Failure>) -> Self {
        Self {
            result,
            took: Duration::ZERO,
            server: None,
        }
    }

    /// The records, none when there are none for whatever reason.
    pub fn data(&self) -> &[Data] {
        self.result.as_ref().map_or(&[], |answer| &answer.data)
    }
}

/// Records of the kind that was asked; never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Their data, in the order of the packet.
    pub data: Vec<Data>,
    /// The aliases (CNAME) that were followed, in order.
    pub aliases: Vec<Name>,
    /// For how many seconds it may be kept: the smallest of the records.
    pub ttl: u32,
    /// Whether the resolver says that DNSSEC proved it (AD bit).
    pub authentic: bool,
}

/// The data of one record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the fields of RFC 1035, 3596 and 6698")]
pub enum Data {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Cname(Name),
    Mx {
        preference: u16,
        exchange: Name,
    },
    Ns(Name),
    Ptr(Name),
    Soa {
        primary: Name,
        serial: u32,
    },
    Tlsa {
        usage: u8,
        selector: u8,
        matching: u8,
        data: Vec<u8>,
    },
    /// The character-strings of the record, joined without a blank (RFC 7208 §3.3).
    Txt(Vec<u8>),
}

impl Data {
    /// The kind of record it belongs to.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::A(_) => Kind::A,
            Self::Aaaa(_) => Kind::Aaaa,
            Self::Cname(_) => Kind::Cname,
            Self::Mx { .. } => Kind::Mx,
            Self::Ns(_) => Kind::Ns,
            Self::Ptr(_) => Kind::Ptr,
            Self::Soa { .. } => Kind::Soa,
            Self::Tlsa { .. } => Kind::Tlsa,
            Self::Txt(_) => Kind::Txt,
        }
    }
}

/// Why there are no records. The first two are answers, the others are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Failure {
    /// The name does not exist (RFC 8020).
    #[error("no such name")]
    NxDomain,
    /// The name exists, without a record of this kind (RFC 2308 §2.2).
    #[error("no record of this kind")]
    NoData,
    /// The name servers of the zone, or the resolver itself, are in trouble.
    #[error("server failure (SERVFAIL)")]
    ServFail,
    /// The resolver or the zone does not serve us.
    #[error("refused (REFUSED)")]
    Refused,
    /// Another response code.
    #[error("response code {0}")]
    Code(u16),
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// There is no way to any resolver: a closed port, or no network.
    #[error("the resolver cannot be reached")]
    Unreachable,
    /// What came back is no DNS message.
    #[error("the resolver answers rubbish")]
    Rubbish,
}

impl Failure {
    /// Whether it is an answer about the name, and not the lack of one.
    pub const fn is_answer(self) -> bool {
        matches!(self, Self::NxDomain | Self::NoData)
    }
}
