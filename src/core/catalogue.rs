//! The lists that are known, as `data/dnsbl.toml` has them. All of it is in static tables.

use std::fmt;
use std::net::Ipv4Addr;

include!(concat!(env!("OUT_DIR"), "/dnsbl_catalogue.rs"));

/// A list of the catalogue.
#[derive(Debug, PartialEq)]
#[expect(
    missing_docs,
    reason = "the keys are described at the top of data/dnsbl.toml"
)]
pub struct List {
    pub id: &'static str,
    pub name: &'static str,
    pub zone: Option<&'static str>,
    pub other_zones: &'static [&'static str],
    pub dead: Option<Death>,
    pub subjects: Subjects,
    pub purpose: &'static Kind,
    pub sense: Sense,
    pub weight: Weight,
    pub default: bool,
    pub key: bool,
    pub access: Option<&'static str>,
    /// Whether it answers public resolvers; `None` when that is not known.
    pub public_resolvers: Option<bool>,
    pub refusals: &'static [Pattern],
    pub listed_points: &'static [&'static str],
    pub clean_points: &'static [&'static str],
    pub answers: &'static [Meaning],
    pub part_of: Option<&'static str>,
    /// Asked by registered domain only.
    pub registered_only: bool,
    pub removal: Option<&'static str>,
    pub removal_url: Option<&'static str>,
    pub lookup_url: Option<&'static str>,
    pub note: Option<&'static str>,
}

/// What a listing is about.
#[derive(Debug, PartialEq)]
#[expect(
    missing_docs,
    reason = "the keys are described at the top of data/dnsbl.toml"
)]
pub struct Kind {
    pub id: &'static str,
    pub label: &'static str,
    pub means: &'static str,
    pub steps: &'static [&'static str],
}

/// What is known of the end of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Death {
    /// When, as far as it is known.
    pub ended: Option<&'static str>,
    /// What its zone says now: `nothing`, `everything`, `parked` or `silence`.
    pub answers_now: Option<&'static str>,
}

/// What a list can be asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it")]
pub struct Subjects {
    pub ipv4: bool,
    pub ipv6: bool,
    pub domain: bool,
}

impl Subjects {
    /// The ids used in JSON and in the data.
    pub fn ids(self) -> Vec<&'static str> {
        let all = [
            (self.ipv4, "ipv4"),
            (self.ipv6, "ipv6"),
            (self.domain, "domain"),
        ];
        all.into_iter()
            .filter(|(has, _)| *has)
            .map(|(_, id)| id)
            .collect()
    }
}

/// What an answer of a list says about its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sense {
    /// Bad: mail is refused.
    Block,
    /// Not bad, but mail is not taken directly from it.
    Policy,
    /// Good.
    Allow,
    /// A fact.
    Info,
    /// The code decides.
    Mixed,
    /// An honest party that is abused: listed all the same.
    Abused,
    /// No listing at all: the list did not serve the question.
    Error,
}

impl Sense {
    /// The id used in JSON and in the data.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Policy => "policy",
            Self::Allow => "allow",
            Self::Info => "info",
            Self::Mixed => "mixed",
            Self::Abused => "abused",
            Self::Error => "error",
        }
    }
}

/// How much a listing hurts in practice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    /// Nothing: the list is dead or says nothing about mail.
    None,
    /// Seldom used to refuse mail.
    Info,
    /// Some receivers count it.
    Low,
    /// Many receivers count it, some refuse.
    Medium,
    /// Stops mail at many receivers.
    High,
}

impl Weight {
    /// The id used in JSON and in the data.
    pub const fn id(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What one answer means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Meaning {
    /// The answers it is about.
    pub pattern: Pattern,
    /// The words.
    pub means: &'static str,
    /// What it says about the subject.
    pub sense: Sense,
    /// The part of the list that it stands for.
    pub part: Option<&'static str>,
    /// What it is about, when it is not the purpose of the list.
    pub kind: Option<&'static Kind>,
}

/// A set of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// From one address to another.
    Range(u32, u32),
    /// The bits of the mask have this value.
    Masked(u32, u32),
    /// This bit of the last octet is set, in 127.0.0.0/24.
    Bit(u8),
}

impl Pattern {
    /// Whether an answer is one of the set.
    pub fn holds(self, answer: Ipv4Addr) -> bool {
        let number = u32::from(answer);
        match self {
            Self::Range(first, last) => (first..=last).contains(&number),
            Self::Masked(mask, value) => number & mask == value,
            Self::Bit(bit) => {
                let [a, b, c, last] = answer.octets();
                [a, b, c] == [127, 0, 0] && last & bit != 0
            }
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Range(first, last) if first == last => Ipv4Addr::from(first).fmt(f),
            Self::Range(first, last) => {
                write!(f, "{}-{}", Ipv4Addr::from(first), Ipv4Addr::from(last))
            }
            Self::Masked(mask, value) => {
                let octets = mask.to_be_bytes().into_iter().zip(value.to_be_bytes());
                for (n, (mask, value)) in octets.enumerate() {
                    let dot = if n == 0 { "" } else { "." };
                    match mask {
                        0 => write!(f, "{dot}*")?,
                        _ => write!(f, "{dot}{value}")?,
                    }
                }
                Ok(())
            }
            Self::Bit(bit) => write!(f, "bit {bit}"),
        }
    }
}

/// The list with this id.
pub fn by_id(id: &str) -> Option<&'static List> {
    LISTS.iter().find(|list| list.id == id)
}

/// The list that a zone belongs to, and the key in front of it when the list takes one.
pub fn by_zone(zone: &str) -> Option<(&'static List, Option<&str>)> {
    let zone = zone.strip_suffix('.').unwrap_or(zone);
    let known = |list: &&List| {
        list.zone.is_some_and(|own| own.eq_ignore_ascii_case(zone))
            || list
                .other_zones
                .iter()
                .any(|other| other.eq_ignore_ascii_case(zone))
    };
    if let Some(list) = LISTS.iter().find(known) {
        return Some((list, None));
    }
    let (key, rest) = zone.split_once('.')?;
    let keyed =
        |list: &&List| list.key && list.zone.is_some_and(|own| own.eq_ignore_ascii_case(rest));
    LISTS.iter().find(keyed).map(|list| (list, Some(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_set_is_67_lists_that_live_and_need_no_key() {
        let default: Vec<_> = LISTS.iter().filter(|list| list.default).collect();
        assert_eq!(default.len(), 67);
        assert!(
            default
                .iter()
                .all(|l| l.dead.is_none() && !l.key && l.zone.is_some())
        );
    }

    #[test]
    fn a_zone_leads_to_its_list_with_and_without_a_key() {
        assert_eq!(by_zone("ZEN.spamhaus.org.").unwrap().0.id, "spamhaus-zen");
        let (list, key) = by_zone("abc123.zen.dq.spamhaus.net").unwrap();
        assert_eq!((list.id, key), ("spamhaus-zen-dqs", Some("abc123")));
        assert!(
            by_zone("abc.bl.spamcop.net").is_none(),
            "a list without keys takes none"
        );
    }

    #[test]
    fn patterns_hold_what_the_data_says() {
        let dnswl = by_id("dnswl").unwrap();
        let means = |ip: [u8; 4]| dnswl.answers.iter().find(|a| a.pattern.holds(ip.into()));
        assert_eq!(means([127, 0, 5, 2]).unwrap().sense, Sense::Allow);
        assert_eq!(means([127, 0, 10, 2]).unwrap().sense, Sense::Info);
        assert_eq!(means([127, 0, 0, 255]).unwrap().sense, Sense::Error);
        assert!(means([127, 1, 5, 2]).is_none());
        assert!(Pattern::Bit(16).holds([127, 0, 0, 80].into()));
        assert!(!Pattern::Bit(16).holds([127, 0, 1, 80].into()));
    }
}
