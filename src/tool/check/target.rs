//! What is to be checked: a domain, a server or a mail address.

use std::net::IpAddr;

use crate::dns::Name;
use crate::smtp::host::{self, BadHost, Host};

/// A target, read but not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// As the user wrote it.
    pub text: String,
    /// What it is.
    pub kind: Kind,
}

/// The kinds of target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A domain: its mail servers are looked up. A host without MX is met as one, too.
    Domain(Name),
    /// One server: nothing is looked up but its address.
    Host(Host, Option<u16>),
    /// A mail address: the local part as it was written, and the domain.
    Address(String, Name),
    /// A mail address at an address literal, `user@[192.0.2.1]` (RFC 5321 §4.1.3).
    Literal(String, IpAddr),
}

/// Why a text is no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// Nothing there.
    #[error("nothing to check; give a domain, host[:port], [address]:port or a mail address")]
    Empty,
    /// The part after the @ or the host is no name.
    #[error(
        "\"{0}\" is no domain or host name; give a domain, host[:port], [address]:port or a mail address"
    )]
    Name(String),
    /// The address of a web page.
    #[error("this is the address of a web page; give its domain: {0}")]
    Web(String),
    /// Nothing before or behind the @.
    #[error("nothing stands {0} the @; give a mail address such as bob@example.org, or a domain")]
    Half(&'static str),
    /// The port is no port.
    #[error(transparent)]
    Port(BadHost),
    /// The local part cannot be one.
    #[error("\"{0}\" cannot stand before the @ of a mail address; quote it if it is meant so")]
    LocalPart(String),
}

impl From<BadHost> for BadTarget {
    fn from(bad: BadHost) -> Self {
        match bad {
            BadHost::Empty => Self::Empty,
            BadHost::Name(text) => Self::Name(text),
            BadHost::Port(_) => Self::Port(bad),
        }
    }
}

impl Target {
    /// Reads a target. Brackets, angle brackets around an address and `mailto:` are taken off.
    pub fn parse(text: &str) -> Result<Self, BadTarget> {
        let text = text.trim();
        let bare = text.strip_prefix('<').and_then(|t| t.strip_suffix('>'));
        let bare = bare.unwrap_or(text);
        let bare = bare.strip_prefix("mailto:").unwrap_or(bare).trim();
        if let Some((_, page)) = bare.split_once("://") {
            let host = page.split(['/', '?', '#']).next().unwrap_or(page);
            let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
            return Err(BadTarget::Web(host.to_string()));
        }
        let kind = match bare.rsplit_once('@') {
            Some((local, domain)) => address(local, domain)?,
            None => domain_or_host(bare)?,
        };
        Ok(Self {
            text: bare.to_string(),
            kind,
        })
    }

    /// The id of its kind in JSON.
    pub const fn kind_id(&self) -> &'static str {
        match self.kind {
            Kind::Domain(_) => "domain",
            Kind::Host(..) => "host",
            Kind::Address(..) | Kind::Literal(..) => "address",
        }
    }

    /// The address to ask about, as it goes into RCPT.
    pub fn recipient(&self) -> Option<String> {
        match &self.kind {
            Kind::Address(local, domain) => Some(format!("{local}@{domain}")),
            Kind::Literal(local, IpAddr::V4(ip)) => Some(format!("{local}@[{ip}]")),
            Kind::Literal(local, IpAddr::V6(ip)) => Some(format!("{local}@[IPv6:{ip}]")),
            _ => None,
        }
    }
}

fn domain_or_host(text: &str) -> Result<Kind, BadTarget> {
    let (host, port) = host::parse(text)?;
    let bracketed = text.starts_with('[');
    Ok(match host {
        Host::Name(name) if port.is_none() && !bracketed => Kind::Domain(name),
        host => Kind::Host(host, port),
    })
}

fn address(local: &str, domain: &str) -> Result<Kind, BadTarget> {
    if local.is_empty() || domain.is_empty() {
        let side = if local.is_empty() { "before" } else { "behind" };
        return Err(BadTarget::Half(side));
    }
    let quoted = local.len() >= 2 && local.starts_with('"') && local.ends_with('"');
    let forbidden = |c: char| c.is_control() || (!quoted && " <>()[]:;,\\\"@".contains(c));
    if local.contains(forbidden) {
        return Err(BadTarget::LocalPart(local.to_string()));
    }
    if let Some(inner) = domain.strip_prefix('[').and_then(|d| d.strip_suffix(']')) {
        let ip = host::literal(inner).ok_or_else(|| BadTarget::Name(domain.to_string()))?;
        return Ok(Kind::Literal(local.to_string(), ip));
    }
    let name = Name::of_host(domain).map_err(|_| BadTarget::Name(domain.to_string()))?;
    Ok(Kind::Address(local.to_string(), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Kind {
        Target::parse(text).unwrap().kind
    }

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn domains_hosts_and_addresses_are_told_apart() {
        assert_eq!(kind("Example.net."), Kind::Domain(name("example.net")));
        assert_eq!(
            kind("<mailto:Bob@Example.net>"),
            Kind::Address("Bob".to_string(), name("example.net"))
        );
        let host = |text: &str| match kind(text) {
            Kind::Host(host, port) => (host.to_string(), port),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            host("mx.x.test:2525"),
            ("mx.x.test".to_string(), Some(2525))
        );
        assert_eq!(host("192.0.2.1"), ("192.0.2.1".to_string(), None));
        assert_eq!(host("192.0.2.1:25"), ("192.0.2.1".to_string(), Some(25)));
        assert_eq!(
            host("[192.0.2.1]:465"),
            ("192.0.2.1".to_string(), Some(465))
        );
        assert_eq!(host("2001:db8::1"), ("2001:db8::1".to_string(), None));
        assert_eq!(
            host("[2001:db8::1]:25"),
            ("2001:db8::1".to_string(), Some(25))
        );
        assert_eq!(
            host("[IPv6:2001:db8::1]"),
            ("2001:db8::1".to_string(), None)
        );
        assert_eq!(host("[mx.x.test]"), ("mx.x.test".to_string(), None));
    }

    #[test]
    fn the_recipient_is_written_for_rcpt() {
        let of = |text| Target::parse(text).unwrap().recipient().unwrap();
        assert_eq!(of("Bob@Bücher.example"), "Bob@xn--bcher-kva.example");
        assert_eq!(of("a@[IPv6:::1]"), "a@[IPv6:::1]");
        assert_eq!(of("\"a b\"@x.test"), "\"a b\"@x.test");
        assert_eq!(of("jörg@x.test"), "jörg@x.test");
    }

    #[test]
    fn what_is_no_target_is_refused_with_the_reason() {
        for text in [
            "",
            "x.test:0",
            "x.test:99999",
            "x.test:smtp",
            "a b",
            "@x.test",
            "a b@x.test",
        ] {
            assert!(Target::parse(text).is_err(), "{text:?}");
        }
        for text in [
            "a@",
            "a@x..test",
            "a@[x]",
            "[x.test",
            "a\r\n@x.test",
            "[::1]x",
        ] {
            assert!(Target::parse(text).is_err(), "{text:?}");
        }
    }
}
