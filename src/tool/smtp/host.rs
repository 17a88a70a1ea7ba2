//! A server as people write it: a name or an address, with a port or without.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::dns::Name;

/// A server by name or address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// By name.
    Name(Name),
    /// By address.
    Ip(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Ip(ip) => ip.fmt(f),
        }
    }
}

/// Why a text is no server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHost {
    /// Nothing there.
    #[error("no server; give host[:port] or [address]:port")]
    Empty,
    /// It is no name.
    #[error("\"{0}\" is no host name; give host[:port] or [address]:port")]
    Name(String),
    /// The port is no port.
    #[error("\"{0}\" is no port; ports are numbers from 1 to 65535")]
    Port(String),
}

/// Reads a server: `host`, `host:port`, an address, `[address]:port`.
pub fn parse(text: &str) -> Result<(Host, Option<u16>), BadHost> {
    let text = text.trim();
    if text.is_empty() {
        return Err(BadHost::Empty);
    }
    if let Ok(ip) = text.parse() {
        return Ok((Host::Ip(ip), None));
    }
    if let Some((inner, rest)) = text.strip_prefix('[').and_then(|t| t.split_once(']')) {
        let inner = literal(inner)
            .map_or_else(|| Name::parse(inner).map(Host::Name), |ip| Ok(Host::Ip(ip)));
        let inner = inner.map_err(|_| BadHost::Name(text.to_string()))?;
        return match rest.strip_prefix(':') {
            Some(digits) => Ok((inner, Some(port(digits)?))),
            None if rest.is_empty() => Ok((inner, None)),
            None => Err(BadHost::Name(text.to_string())),
        };
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, digits)) => (name, Some(port(digits)?)),
        None => (text, None),
    };
    if let Ok(ip) = name.parse() {
        return Ok((Host::Ip(ip), port));
    }
    let parsed = Name::of_host(name).map_err(|_| BadHost::Name(text.to_string()))?;
    Ok((Host::Name(parsed), port))
}

/// An address as it stands in brackets, with or without `IPv6:` (RFC 5321 section 4.1.3).
pub fn literal(text: &str) -> Option<IpAddr> {
    let v6 = text.get(..5).filter(|p| p.eq_ignore_ascii_case("IPv6:"));
    match v6 {
        Some(_) => Some(IpAddr::V6(text.get(5..)?.parse::<Ipv6Addr>().ok()?)),
        None => text.parse().ok(),
    }
}

fn port(digits: &str) -> Result<u16, BadHost> {
    let port = digits.parse().ok().filter(|p| *p > 0);
    port.ok_or_else(|| BadHost::Port(digits.to_string()))
}
