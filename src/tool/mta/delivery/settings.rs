//! What delivery goes by. Plain data.

use std::time::Duration;

use crate::mta::mailboxes::Mailboxes;
use crate::mta::notify::Style;
use crate::mta::retry::Schedule;
use crate::smtp::Deadlines;
use crate::smtp::sasl::Credentials;

/// What delivery goes by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Our name in EHLO, in notices, in the names of files.
    pub host: String,
    /// The domains whose mailboxes are here, in lower case.
    pub domains: Vec<String>,
    /// The mailboxes.
    pub mailboxes: Mailboxes,
    /// Servers for certain domains, in place of what the DNS says.
    pub routes: Vec<(Pattern, Relay)>,
    /// The server for all other domains, in place of what the DNS says.
    pub smart_host: Option<Relay>,
    /// The port of servers that the DNS names.
    pub port: u16,
    /// Whether servers beyond this machine may be spoken to.
    pub beyond_loopback: bool,
    /// How to treat TLS with servers that the DNS names.
    pub tls: Tls,
    /// How long to wait for others.
    pub deadlines: Deadlines,
    /// How long to wait for the DNS.
    pub dns_wait: Duration,
    /// When to try again and when to give up.
    pub schedule: Schedule,
    /// How long a notice waits for the other recipients of its message, so that one tells of all.
    pub gather: Duration,
    /// Recipients in one transaction.
    pub recipients: usize,
    /// Connections to one destination.
    pub connections: usize,
    /// Received fields after which a message is held to run in circles.
    pub hops: usize,
    /// In which software's words notices are written.
    pub style: Style,
    /// Octets of a message that a notice brings back; of a longer one only the header.
    pub returned: u64,
    /// Who gets to know of notices that could not be delivered; `None`: they are dropped.
    pub double_bounces: Option<crate::mta::address::Address>,
}

impl Settings {
    /// The usual ones, for a server of this name with these domains.
    pub fn new(host: &str, domains: &[String], mailboxes: Mailboxes) -> Self {
        Self {
            host: host.to_string(),
            domains: domains.iter().map(|d| d.to_lowercase()).collect(),
            mailboxes,
            routes: Vec::new(),
            smart_host: None,
            port: 25,
            beyond_loopback: false,
            tls: Tls::Opportunistic,
            // A family that does not work must not cost minutes.
            deadlines: Deadlines {
                connect: Duration::from_secs(15),
                ..Deadlines::patient()
            },
            dns_wait: Duration::from_secs(10),
            schedule: Schedule::default(),
            gather: Duration::from_secs(30),
            recipients: 100,
            connections: 8,
            hops: 50,
            style: Style::default(),
            returned: 50 << 10,
            double_bounces: None,
        }
    }

    /// Whether mailboxes of this domain are here.
    pub fn is_ours(&self, domain: &str) -> bool {
        self.domains.iter().any(|d| d.eq_ignore_ascii_case(domain))
    }
}

/// How to treat TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tls {
    /// Where it is offered, with whatever certificate; in clear where it fails (RFC 7435).
    #[default]
    Opportunistic,
    /// Not a word without it.
    Required,
    /// Never.
    Never,
}

/// A server that is named, not looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// A host name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether it speaks LMTP (RFC 2033).
    pub lmtp: bool,
    /// How to treat TLS.
    pub tls: Tls,
    /// How to log in.
    pub login: Option<Credentials>,
}

/// Which domains a route is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// This one.
    Domain(String),
    /// Those below this one.
    Below(String),
    /// All.
    All,
}

/// A route or server that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRoute {
    /// `DOMAIN=HOST:PORT`.
    #[error("\"{0}\" is no route; write DOMAIN=HOST:PORT, or DOMAIN=lmtp:HOST:PORT")]
    Route(String),
    /// `HOST:PORT`.
    #[error("\"{0}\" is no server; write HOST or HOST:PORT")]
    Relay(String),
}

impl Relay {
    /// Reads `HOST`, `HOST:PORT`, `[ADDRESS]:PORT`, `lmtp:HOST:PORT`.
    pub fn parse(text: &str, port: u16) -> Result<Self, BadRoute> {
        let bad = || BadRoute::Relay(text.to_string());
        let (lmtp, rest) = match text.strip_prefix("lmtp:") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (host, port) = match rest.strip_prefix('[') {
            Some(inside) => {
                let (host, after) = inside.split_once(']').ok_or_else(bad)?;
                match after.strip_prefix(':') {
                    Some(port) => (host, port.parse().map_err(|_| bad())?),
                    None if after.is_empty() => (host, port),
                    None => return Err(bad()),
                }
            }
            None => match rest.rsplit_once(':') {
                // Two colons and no brackets: an IPv6 address alone.
                Some((host, _)) if host.contains(':') => (rest, port),
                Some((host, port)) => (host, port.parse().map_err(|_| bad())?),
                None => (rest, port),
            },
        };
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || c == '/';
        if host.is_empty() || host.contains(is_odd) || port == 0 {
            return Err(bad());
        }
        Ok(Self {
            host: host.to_ascii_lowercase(),
            port,
            lmtp,
            tls: Tls::Opportunistic,
            login: None,
        })
    }

    /// Reads `DOMAIN=HOST:PORT`; the domain may be `.example.net` for those below, or `*`.
    pub fn parse_route(text: &str) -> Result<(Pattern, Self), BadRoute> {
        let bad = || BadRoute::Route(text.to_string());
        let (domain, relay) = text.split_once('=').ok_or_else(bad)?;
        let domain = domain.trim().to_lowercase();
        let pattern = match domain.strip_prefix('.') {
            _ if domain == "*" => Pattern::All,
            Some(parent) if !parent.is_empty() => Pattern::Below(parent.to_string()),
            None if !domain.is_empty() => Pattern::Domain(domain),
            _ => return Err(bad()),
        };
        Ok((pattern, Self::parse(relay.trim(), 25).map_err(|_| bad())?))
    }
}

impl Pattern {
    /// Whether a domain (in lower case) is meant.
    pub fn covers(&self, domain: &str) -> bool {
        match self {
            Self::Domain(name) => name == domain,
            Self::Below(parent) => domain
                .strip_suffix(parent.as_str())
                .is_some_and(|rest| rest.ends_with('.')),
            Self::All => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_and_servers_are_read_as_people_write_them() {
        let at = |text| Relay::parse(text, 25).map(|r| (r.host, r.port, r.lmtp));
        assert_eq!(at("Mx.Test"), Ok(("mx.test".into(), 25, false)));
        assert_eq!(at("127.0.0.1:2525"), Ok(("127.0.0.1".into(), 2525, false)));
        assert_eq!(at("[::1]:2525"), Ok(("::1".into(), 2525, false)));
        assert_eq!(at("::1"), Ok(("::1".into(), 25, false)));
        assert_eq!(
            at("lmtp:[127.0.0.1]:24"),
            Ok(("127.0.0.1".into(), 24, true))
        );
        for bad in ["", ":25", "a:b", "a b", "[::1", "[::1]x", "a:0"] {
            assert!(at(bad).is_err(), "{bad}");
        }
        let (pattern, _) = Relay::parse_route("Example.test=h:1").unwrap();
        assert!(pattern.covers("example.test") && !pattern.covers("a.example.test"));
        let (pattern, _) = Relay::parse_route(".example.test=h:1").unwrap();
        assert!(!pattern.covers("example.test") && pattern.covers("a.example.test"));
        assert!(!pattern.covers("badexample.test"));
        for bad in ["a", "=h:1", ".=h", "a="] {
            assert!(Relay::parse_route(bad).is_err(), "{bad}");
        }
    }
}
