//! Which name servers are asked: the ones named, else the system's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::path::Path;

/// Where Unix systems name their resolvers (resolv.conf(5)).
pub const RESOLV_CONF: &str = "/etc/resolv.conf";
/// More servers than this are not asked: the C library's own limit is three.
const MOST_SERVERS: usize = 8;
/// The port of the DNS.
const PORT: u16 = 53;

/// Why no resolver is known.
#[derive(Debug, thiserror::Error)]
pub enum NoServer {
    /// The text is no address of a name server.
    #[error("{0}: not an IP address (write IP, IP:PORT or [IPv6]:PORT)")]
    NotAnAddress(String),
    /// The system's file cannot be read.
    #[error("{RESOLV_CONF}: {0}; name a resolver with --resolver")]
    Unreadable(std::io::Error),
}

/// Reads `IP`, `IP:PORT`, `[IPv6]` or `[IPv6]:PORT`; link-local addresses may name a zone.
pub fn parse(text: &str) -> Result<SocketAddr, NoServer> {
    let bad = || NoServer::NotAnAddress(text.to_string());
    if let Ok(at) = text.parse::<SocketAddr>() {
        return Ok(at);
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|t| t.strip_suffix(']'))
        .unwrap_or(text);
    let (bare, zone) = bare
        .split_once('%')
        .map_or((bare, None), |(ip, zone)| (ip, Some(zone)));
    let ip: IpAddr = bare.parse().map_err(|_| bad())?;
    match (ip, zone) {
        (ip, None) => Ok(SocketAddr::new(ip, PORT)),
        (IpAddr::V6(ip), Some(zone)) => {
            let scope = scope_of(zone).ok_or_else(bad)?;
            Ok(SocketAddrV6::new(ip, PORT, 0, scope).into())
        }
        (IpAddr::V4(_), Some(_)) => Err(bad()),
    }
}

/// The number of a network interface (RFC 4007 §11), which Linux shows as a file.
fn scope_of(zone: &str) -> Option<u32> {
    let plain = zone
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    zone.parse().ok().or_else(|| {
        let file = Path::new("/sys/class/net")
            .join(plain.then_some(zone)?)
            .join("ifindex");
        std::fs::read_to_string(file).ok()?.trim().parse().ok()
    })
}

/// The system's resolvers. A file that names none means the one on this machine.
pub fn system() -> Result<Vec<SocketAddr>, NoServer> {
    std::fs::read_to_string(RESOLV_CONF)
        .map(|text| resolv_conf(&text))
        .map_err(NoServer::Unreadable)
}

fn resolv_conf(text: &str) -> Vec<SocketAddr> {
    let mut servers: Vec<_> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            (words.next() == Some("nameserver")).then(|| words.next())?
        })
        .filter_map(|word| parse(word).ok())
        .take(MOST_SERVERS)
        .collect();
    if servers.is_empty() {
        servers.push(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)));
    }
    servers
}

/// A public resolver: its operator, addresses and networks (the first 48 bits).
struct Operator {
    name: &'static str,
    v4: &'static [[u8; 4]],
    v6: &'static [[u16; 3]],
}

const OPERATORS: &[Operator] = &[
    Operator {
        name: "Google Public DNS",
        v4: &[[8, 8, 8, 8], [8, 8, 4, 4]],
        v6: &[[0x2001, 0x4860, 0x4860]],
    },
    Operator {
        name: "Cloudflare",
        v4: &[
            [1, 1, 1, 1],
            [1, 0, 0, 1],
            [1, 1, 1, 2],
            [1, 0, 0, 2],
            [1, 1, 1, 3],
            [1, 0, 0, 3],
        ],
        v6: &[[0x2606, 0x4700, 0x4700]],
    },
    Operator {
        name: "Quad9",
        v4: &[
            [9, 9, 9, 9],
            [149, 112, 112, 112],
            [9, 9, 9, 10],
            [9, 9, 9, 11],
        ],
        v6: &[[0x2620, 0x00fe, 0]],
    },
    Operator {
        name: "OpenDNS",
        v4: &[
            [208, 67, 222, 222],
            [208, 67, 220, 220],
            [208, 67, 222, 123],
            [208, 67, 220, 123],
        ],
        v6: &[[0x2620, 0x0119, 0x0035], [0x2620, 0x0119, 0x0053]],
    },
    Operator {
        name: "AdGuard DNS",
        v4: &[[94, 140, 14, 14], [94, 140, 15, 15]],
        v6: &[[0x2a10, 0x50c0, 0]],
    },
    Operator {
        name: "Yandex DNS",
        v4: &[[77, 88, 8, 8], [77, 88, 8, 1]],
        v6: &[[0x2a02, 0x06b8, 0]],
    },
    Operator {
        name: "Level 3",
        v4: &[[4, 2, 2, 1], [4, 2, 2, 2], [4, 2, 2, 3], [4, 2, 2, 4]],
        v6: &[],
    },
    Operator {
        name: "Comodo Secure DNS",
        v4: &[[8, 26, 56, 26], [8, 20, 247, 20]],
        v6: &[],
    },
    Operator {
        name: "DNS.WATCH",
        v4: &[[84, 200, 69, 80], [84, 200, 70, 40]],
        v6: &[],
    },
    Operator {
        name: "DNS4EU",
        v4: &[[86, 54, 11, 1], [86, 54, 11, 100]],
        v6: &[],
    },
];

/// The operator of a well-known public resolver. Many DNS lists refuse those.
pub fn public_operator(ip: IpAddr) -> Option<&'static str> {
    let known = |operator: &&Operator| match ip {
        IpAddr::V4(ip) => operator.v4.contains(&ip.octets()),
        IpAddr::V6(ip) => operator.v6.iter().any(|prefix| within(ip, prefix)),
    };
    OPERATORS.iter().find(known).map(|operator| operator.name)
}

fn within(ip: Ipv6Addr, prefix: &[u16; 3]) -> bool {
    ip.segments().starts_with(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_may_be_named_with_port_and_as_ipv6() {
        let at = |text| parse(text).unwrap().to_string();
        assert_eq!(at("192.0.2.1"), "192.0.2.1:53");
        assert_eq!(at("127.0.0.1:5300"), "127.0.0.1:5300");
        assert_eq!(at("::1"), "[::1]:53");
        assert_eq!(at("[::1]"), "[::1]:53");
        assert_eq!(at("[2001:db8::1]:5353"), "[2001:db8::1]:5353");
        assert_eq!(at("fe80::1%3"), "[fe80::1%3]:53");
        assert!(parse("dns.example").is_err());
        assert!(parse("10.0.0.1%3").is_err());
    }

    #[test]
    fn resolv_conf_is_read_and_an_empty_one_means_this_machine() {
        let text = "# comment\nsearch corp.example\nnameserver 192.0.2.53\nnameserver fe80::1%2\n\
                    options ndots:2\nnameserver rubbish\n";
        let servers = resolv_conf(text);
        assert_eq!(
            servers,
            [parse("192.0.2.53").unwrap(), parse("fe80::1%2").unwrap()]
        );
        assert_eq!(resolv_conf("search x\n"), [parse("127.0.0.1").unwrap()]);
    }

    #[test]
    fn public_resolvers_are_recognised() {
        let of = |ip: &str| public_operator(ip.parse().unwrap());
        assert_eq!(of("8.8.4.4"), Some("Google Public DNS"));
        assert_eq!(of("2606:4700:4700::1111"), Some("Cloudflare"));
        assert_eq!(of("127.0.0.1"), None);
    }
}
