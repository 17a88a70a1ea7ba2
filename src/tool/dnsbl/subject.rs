//! What a list is asked about, and how the question is written (RFC 5782 §2).

use std::fmt;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::dns::{BadName, Name};

/// An address or a domain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
    /// A host or domain name.
    Domain(Name),
}

impl Subject {
    /// The id used in JSON.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::V4(_) => "ipv4",
            Self::V6(_) => "ipv6",
            Self::Domain(_) => "domain",
        }
    }

    /// The address, when it is one.
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::V4(ip) => Some(IpAddr::V4(*ip)),
            Self::V6(ip) => Some(IpAddr::V6(*ip)),
            Self::Domain(_) => None,
        }
    }

    /// The name that asks `zone` about exactly this subject.
    pub fn asked_at(&self, zone: &Name) -> Result<Name, BadName> {
        let name = match self {
            Self::V4(ip) => reversed_v4(*ip)?,
            Self::V6(ip) => reversed_v6(*ip)?,
            Self::Domain(name) => name.clone(),
        };
        name.under(zone)
    }
}

/// An address as it is asked about: IPv4 inside IPv6 (RFC 4291 §2.5.5.2) is IPv4.
impl From<IpAddr> for Subject {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => Self::V6(ip),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(ip) => ip.fmt(f),
            Self::V6(ip) => ip.fmt(f),
            Self::Domain(name) => name.fmt(f),
        }
    }
}

/// `192.0.2.99` as `99.2.0.192`.
fn reversed_v4(ip: Ipv4Addr) -> Result<Name, BadName> {
    let [a, b, c, d] = ip.octets();
    Name::parse(&format!("{d}.{c}.{b}.{a}"))
}

/// 32 hex digits, the last one first.
fn reversed_v6(ip: Ipv6Addr) -> Result<Name, BadName> {
    let mut text = String::with_capacity(64);
    for octet in ip.octets().iter().rev() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{:x}.{:x}.", octet & 15, octet >> 4);
    }
    Name::parse(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(subject: &str, zone: &str) -> String {
        let subject: Subject = match subject.parse::<IpAddr>() {
            Ok(ip) => ip.into(),
            Err(_) => Subject::Domain(Name::parse(subject).unwrap()),
        };
        subject
            .asked_at(&Name::parse(zone).unwrap())
            .unwrap()
            .to_string()
    }

    #[test]
    fn questions_are_written_as_rfc_5782_says() {
        assert_eq!(asked("192.0.2.99", "bl.test"), "99.2.0.192.bl.test");
        assert_eq!(
            asked("2001:db8:1:2:3:4:567:89ab", "bl.test"),
            "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.bl.test"
        );
        assert_eq!(
            asked("Bücher.example.", "bl.test"),
            "xn--bcher-kva.example.bl.test"
        );
        assert_eq!(asked("192.0.2.9", "key.zen.test"), "9.2.0.192.key.zen.test");
    }

    #[test]
    fn ipv4_inside_ipv6_is_asked_as_ipv4() {
        assert_eq!(asked("::ffff:192.0.2.99", "bl.test"), "99.2.0.192.bl.test");
    }

    #[test]
    fn a_question_that_is_too_long_is_not_sent() {
        let long = Name::parse(
            &[
                "a".repeat(60),
                "b".repeat(60),
                "c".repeat(60),
                "d".repeat(60),
            ]
            .join("."),
        )
        .unwrap();
        let subject = Subject::Domain(long);
        assert_eq!(
            subject.asked_at(&Name::parse("dbl.example.org").unwrap()),
            Err(BadName::TooLong)
        );
    }
}
