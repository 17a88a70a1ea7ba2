//! Addresses and names: which net an address belongs to, which names are of one organisation,
//! and which servers the reader trusts.

use std::net::IpAddr;

use crate::route::known::HOUSES;
use crate::scope::Scope;
use crate::suffix;

/// Where a leg runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Zone {
    /// On the machine itself.
    Local,
    /// In a net of its own (RFC 1918, RFC 4193, link-local, shared).
    Private,
    /// Over the open Internet.
    Public,
}

impl Zone {
    /// The id used in JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Private => "private",
            Self::Public => "public",
        }
    }
}

/// The zone of an address. Documentation addresses count as public: they stand for public ones.
pub fn zone(ip: IpAddr) -> Zone {
    match Scope::of(ip) {
        Scope::Loopback => Zone::Local,
        Scope::Private | Scope::CarrierNat | Scope::LinkLocal | Scope::Benchmark => Zone::Private,
        // 6to4 carries an IPv4 address (Google's 2002:a05::/32 is 10.5/16), and so does NAT64.
        Scope::Tunnel(inside) => zone(inside.into()),
        // The address of a machine that does not know its own.
        Scope::Reserved if ip.is_unspecified() => Zone::Local,
        Scope::Public | Scope::Documentation | Scope::Multicast | Scope::Reserved => Zone::Public,
    }
}

/// Whether a client is an inner machine of a provider whose inner net has public addresses: it
/// has such an address, and a name that this provider gives to inner machines only. Its outgoing
/// servers, which serve all customers, are no such machines.
pub fn is_inner(name: &str, ip: IpAddr) -> bool {
    /// Microsoft 365: the mailbox and transport servers, not `*.outbound.protection.outlook.com`.
    const NAMES: [&str; 3] = [
        ".prod.outlook.com",
        ".prod.protection.outlook.com",
        ".outlook.office365.com",
    ];
    let IpAddr::V6(ip) = ip else { return false };
    let [first, second, ..] = ip.segments();
    let net =
        (first == 0x2603 && second & 0xff00 == 0x1000) || (first == 0x2a01 && second == 0x111);
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    net && NAMES.iter().any(|end| name.ends_with(end))
}

/// An address that can be in no honest line over the network: multicast, reserved.
pub fn is_reserved(ip: IpAddr) -> bool {
    match Scope::of(ip) {
        Scope::Multicast => true,
        // The net 192.0.0.0/24 is of protocols that do appear on the way (RFC 7335).
        Scope::Reserved => {
            matches!(ip.to_canonical(), IpAddr::V4(v4) if !v4.octets().starts_with(&[192, 0, 0]))
        }
        _ => false,
    }
}

/// `localhost` and what stands for it.
pub fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    [
        "localhost",
        "localhost.localdomain",
        "loopback",
        "localhost6",
    ]
    .iter()
    .any(|l| l.eq_ignore_ascii_case(name))
}

/// The domain that somebody registered; the name itself when it is what others register under.
/// Nothing for addresses and names without a dot.
pub fn registered(name: &str) -> Option<&str> {
    let name = name.trim_end_matches('.');
    if name.parse::<IpAddr>().is_ok() || name.starts_with('.') || !name.contains('.') {
        return None;
    }
    Some(suffix::registered(name).unwrap_or(name))
}

/// Whether two names belong to one registered domain, or are one name.
pub fn same_organisation(one: &str, other: &str) -> bool {
    if one
        .trim_end_matches('.')
        .eq_ignore_ascii_case(other.trim_end_matches('.'))
    {
        return true;
    }
    match (registered(one), registered(other)) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b) || siblings(a, b),
        _ => false,
    }
}

/// Whether two names belong to one registered domain, as DMARC compares them when it is relaxed
/// (RFC 7489 §3.1): what one operator has under several domains is not aligned.
pub fn is_aligned(one: &str, other: &str) -> bool {
    let own = |name: &str| registered(name).map(str::to_ascii_lowercase);
    own(one).is_some() && own(one) == own(other)
}

/// Domains that one operator uses side by side on its own servers.
fn siblings(one: &str, other: &str) -> bool {
    let is = |names: &[&str], d: &str| names.iter().any(|n| n.eq_ignore_ascii_case(d));
    HOUSES
        .iter()
        .any(|names| is(names, one) && is(names, other))
}

/// Whether two addresses lie in one small net: /24, or /48 of IPv6.
pub fn same_net(one: IpAddr, other: IpAddr) -> bool {
    match (one, other) {
        (IpAddr::V4(a), IpAddr::V4(b)) => a.octets().get(..3) == b.octets().get(..3),
        (IpAddr::V6(a), IpAddr::V6(b)) => a.segments().get(..3) == b.segments().get(..3),
        _ => false,
    }
}

/// A server or net of the reader's own side (`--trust`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// A host, or a domain with all hosts in it.
    Name(String),
    /// An address with the length of its prefix.
    Net(IpAddr, u8),
}

impl Trust {
    /// Reads a host, domain, address or `address/length`; `None` when it is none of them.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let address = address.trim_matches(['[', ']']);
        if let Ok(ip) = address.parse::<IpAddr>() {
            // The address of an IPv4 client as a socket of both kinds tells it.
            let ip = if length.is_none() {
                ip.to_canonical()
            } else {
                ip
            };
            let most = if ip.is_ipv4() { 32 } else { 128 };
            let length = length.unwrap_or(most);
            return (length <= most).then_some(Self::Net(ip, length));
        }
        let name = text.trim_start_matches(['*', '.']).trim_end_matches('.');
        // `192.168.1`: half an address would cover nothing, and nobody would know.
        let top = name.rsplit('.').next().unwrap_or_default();
        let shaped = top.contains(|c: char| !c.is_ascii_digit())
            && length.is_none()
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
        shaped.then(|| Self::Name(name.to_ascii_lowercase()))
    }

    /// Whether a name is covered.
    pub fn covers_name(&self, name: &str) -> bool {
        let Self::Name(own) = self else { return false };
        suffix::is_under(name.trim_end_matches('.'), own)
    }

    /// Whether an address is covered.
    pub fn covers_ip(&self, ip: IpAddr) -> bool {
        match (self, ip) {
            (Self::Net(IpAddr::V4(net), length), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(*length)).unwrap_or(0);
                u32::from(*net) & mask == u32::from(ip) & mask
            }
            (Self::Net(IpAddr::V6(net), length), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(*length)).unwrap_or(0);
                u128::from(*net) & mask == u128::from(ip) & mask
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_machines_of_a_provider_are_told_from_those_for_its_customers() {
        let inner = |name, ip: &str| is_inner(name, ip.parse().unwrap());
        assert!(inner(
            "AM9PR04MB1.eurprd04.prod.outlook.com",
            "2603:10a6:20b:300::11"
        ));
        assert!(!inner(
            "AM9PR04MB1.eurprd04.prod.outlook.com",
            "2001:db8::1"
        ));
        assert!(!inner(
            "EUR05-DB8-obe.outbound.protection.outlook.com",
            "2a01:111:f403::1"
        ));
        assert!(!inner("AM9PR04MB1.eurprd04.prod.outlook.com", "40.107.1.1"));
    }

    #[test]
    fn the_registered_domain_is_what_somebody_can_own() {
        for (name, domain) in [
            ("a.b.example.com", Some("example.com")),
            ("example.com.", Some("example.com")),
            ("mx.example.co.uk", Some("example.co.uk")),
            ("example.co.uk", Some("example.co.uk")),
            ("x.example.or.jp", Some("example.or.jp")),
            ("localhost", None),
            ("192.0.2.1", None),
        ] {
            assert_eq!(registered(name), domain, "{name}");
        }
        assert!(same_organisation("a.example.org", "B.EXAMPLE.ORG."));
        assert!(!same_organisation("a.co.uk", "b.co.uk"));
        assert!(same_organisation("a.hotmail.com", "b.outlook.com"));
        assert!(
            !is_aligned("hotmail.com", "outlook.com") && is_aligned("a.b.example", "B.example.")
        );
    }

    #[test]
    fn zones_follow_the_address() {
        for (ip, wanted) in [
            ("127.0.0.1", Zone::Local),
            ("::1", Zone::Local),
            ("10.1.2.3", Zone::Private),
            ("172.31.0.1", Zone::Private),
            ("172.32.0.1", Zone::Public),
            ("fe80::1", Zone::Private),
            ("fd00::1", Zone::Private),
            ("2002:a05:6000:1234:b0:390:aaaa:bbbb", Zone::Private),
            ("2001:db8::1", Zone::Public),
            ("192.0.2.1", Zone::Public),
        ] {
            assert_eq!(zone(ip.parse().unwrap()), wanted, "{ip}");
        }
    }

    #[test]
    fn half_an_address_is_nothing_to_trust() {
        for text in ["192.168.1", "10", "192.0.2.300", "", ".", "192.0.2.0/33"] {
            assert_eq!(Trust::parse(text), None, "{text}");
        }
        let mapped = Trust::parse("::ffff:192.0.2.1").unwrap();
        assert!(mapped.covers_ip("192.0.2.1".parse().unwrap()));
        assert!(Trust::parse("mx1").unwrap().covers_name("mx1"));
    }

    #[test]
    fn trust_covers_hosts_domains_and_nets() {
        let name = Trust::parse("example.org").unwrap();
        assert!(name.covers_name("mx.Example.org") && name.covers_name("example.org."));
        assert!(!name.covers_name("badexample.org"));
        let net = Trust::parse("192.0.2.0/24").unwrap();
        assert!(net.covers_ip("192.0.2.77".parse().unwrap()));
        assert!(!net.covers_ip("192.0.3.1".parse().unwrap()));
        assert!(
            Trust::parse("0.0.0.0/0")
                .unwrap()
                .covers_ip("8.8.8.8".parse().unwrap())
        );
        assert!(
            Trust::parse("2001:db8::/32")
                .unwrap()
                .covers_ip("2001:db8:1::1".parse().unwrap())
        );
        assert_eq!(Trust::parse("192.0.2.0/33"), None);
        assert_eq!(Trust::parse("a b"), None);
    }
}
