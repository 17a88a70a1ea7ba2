//! Where an address means something: on the Internet, in one network, on one machine, nowhere
//! (RFC 6890 and the registries behind it). It imports nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an address means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// On the Internet.
    Public,
    /// Inside one's own network.
    Private,
    /// Between a provider and its customers.
    CarrierNat,
    /// Inside one machine.
    Loopback,
    /// On one cable.
    LinkLocal,
    /// In manuals only.
    Documentation,
    /// In laboratories only.
    Benchmark,
    /// To many at once.
    Multicast,
    /// Nowhere: unspecified, broadcast or kept back.
    Reserved,
    /// An IPv4 address wrapped into IPv6: that one counts.
    Tunnel(Ipv4Addr),
}

impl Scope {
    /// The scope of an address.
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::of_v4(ip),
            IpAddr::V6(ip) => Self::of_v6(ip),
        }
    }

    fn of_v4(ip: Ipv4Addr) -> Self {
        match ip.octets() {
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Self::Private,
            [100, 64..=127, ..] => Self::CarrierNat,
            [127, ..] => Self::Loopback,
            [169, 254, ..] => Self::LinkLocal,
            [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Self::Documentation,
            [198, 18..=19, ..] => Self::Benchmark,
            [224..=239, ..] => Self::Multicast,
            [0, ..] | [240..=255, ..] | [192, 0, 0, _] => Self::Reserved,
            _ => Self::Public,
        }
    }

    fn of_v6(ip: Ipv6Addr) -> Self {
        let [a, b, c, d, e, f, g, h] = ip.segments();
        let inside = |high: u16, low: u16| {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Self::Tunnel(Ipv4Addr::new(a, b, c, d))
        };
        match (a, b) {
            (0, 0) if (c, d, e, f, g, h) == (0, 0, 0, 0, 0, 1) => Self::Loopback,
            (0, 0) => Self::Reserved,
            (0x0064, 0xff9b) => inside(g, h),
            (0x2002, _) => inside(b, c),
            // RFC 4380 §4: the client's address is written inverted.
            (0x2001, 0) => inside(!g, !h),
            (0x2001, 0x0db8) => Self::Documentation,
            (0x3fff, 0..=0x0fff) => Self::Documentation,
            (0x2001, 2) if c == 0 => Self::Benchmark,
            (0xfc00..=0xfdff, _) => Self::Private,
            (0xfe80..=0xfebf, _) => Self::LinkLocal,
            (0xff00..=0xffff, _) => Self::Multicast,
            (0xfec0..=0xfeff, _) | (0x0100, 0) => Self::Reserved,
            _ => Self::Public,
        }
    }

    /// Whether a receiver on the Internet can see it.
    pub const fn is_public(self) -> bool {
        matches!(self, Self::Public)
    }

    /// Whether it means something else in each network: what one party says of it tells another
    /// nothing.
    pub const fn is_inside(self) -> bool {
        matches!(
            self,
            Self::Private | Self::CarrierNat | Self::Loopback | Self::LinkLocal
        )
    }

    /// The id used in JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::CarrierNat => "carrier-nat",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link-local",
            Self::Documentation => "documentation",
            Self::Benchmark => "benchmark",
            Self::Multicast => "multicast",
            Self::Reserved => "reserved",
            Self::Tunnel(_) => "tunnel",
        }
    }

    /// What kind of address it is, to be put behind "is".
    pub fn what(self) -> &'static str {
        match self {
            Self::Public => "a public address",
            Self::Private => "a private address (RFC 1918, RFC 4193)",
            Self::CarrierNat => "an address between a provider and its customers (RFC 6598)",
            Self::Loopback => "an address inside this machine (RFC 1122)",
            Self::LinkLocal => "an address for one cable (RFC 3927, RFC 4291)",
            Self::Documentation => "an address for manuals (RFC 5737, RFC 3849)",
            Self::Benchmark => "an address for laboratories (RFC 2544)",
            Self::Multicast => "a multicast address",
            Self::Reserved => "an address that nobody has",
            Self::Tunnel(_) => "an IPv4 address wrapped into IPv6",
        }
    }

    /// What to look up instead.
    pub fn instead(self) -> &'static str {
        match self {
            Self::Public => "",
            Self::Private | Self::LinkLocal => {
                "The world sees another address: your router's or your relay's."
            }
            Self::CarrierNat => "The world sees another address, which belongs to the provider.",
            Self::Loopback => {
                "127.0.0.2 is the lists' own test entry: --probe-lists tries that. The world sees another address."
            }
            Self::Documentation => {
                "Was it copied from a manual? Look up the address of your own server."
            }
            Self::Benchmark | Self::Multicast | Self::Reserved => {
                "No mail can come from it; look for a typing error."
            }
            Self::Tunnel(_) => "Receivers look at the IPv4 address inside.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_no_public_list_can_name_are_known() {
        let of = |ip: &str| Scope::of(ip.parse().unwrap()).id();
        for (ip, scope) in [
            ("192.168.1.50", "private"),
            ("172.31.255.255", "private"),
            ("172.32.0.1", "public"),
            ("10.9.8.7", "private"),
            ("100.64.0.1", "carrier-nat"),
            ("100.128.0.1", "public"),
            ("127.0.0.2", "loopback"),
            ("169.254.3.4", "link-local"),
            ("192.0.2.1", "documentation"),
            ("198.18.0.1", "benchmark"),
            ("224.0.0.1", "multicast"),
            ("255.255.255.255", "reserved"),
            ("0.0.0.0", "reserved"),
            ("11.22.33.4", "public"),
            ("::1", "loopback"),
            ("::", "reserved"),
            ("fd00::1", "private"),
            ("fe80::1", "link-local"),
            ("2001:db8::1", "documentation"),
            ("3fff:123::1", "documentation"),
            ("2a00:1450::1", "public"),
            ("::ffff:10.0.0.1", "private"),
        ] {
            assert_eq!(of(ip), scope, "{ip}");
        }
    }

    #[test]
    fn the_address_inside_a_tunnel_is_found() {
        let inner = Ipv4Addr::new(192, 0, 2, 33);
        for ip in [
            "2002:c000:221::1",
            "64:ff9b::192.0.2.33",
            "2001:0:1:2:3:4:3fff:fdde",
        ] {
            assert_eq!(Scope::of(ip.parse().unwrap()), Scope::Tunnel(inner), "{ip}");
        }
    }
}
