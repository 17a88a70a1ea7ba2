//! What the user named: an address, a range, or a name that stands for several addresses.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use futures_util::future::{join, join_all};
use ipnet::IpNet;

use crate::dns::{Data, Kind, Lookup, Name, Patience, Question, Reply};
use crate::dnsbl::subject::Subject;
use crate::scope::Scope;

/// The largest range that is asked without an explicit word: a /22.
pub const LARGEST_RANGE: u128 = 1024;
/// Mail hosts and addresses of a name that are looked at; more is a mistake or a trap.
const MOST_HOSTS: usize = 16;
const MOST_ADDRESSES: usize = 32;

/// What the user named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One address.
    Address(IpAddr),
    /// A range of addresses.
    Range(IpNet),
    /// A host or domain.
    Name(Name),
}

/// A subject, and how it was derived from what the user named.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Derived {
    /// The subject.
    pub subject: Subject,
    /// How it was derived, in words; `None` when it is what the user named.
    pub from: Option<String>,
}

/// Which addresses are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it")]
pub struct Families {
    pub v4: bool,
    pub v6: bool,
}

impl Target {
    /// Reads a target: addresses also in brackets, names also out of a mail address or a link.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let bare = text
            .strip_prefix('[')
            .and_then(|t| t.strip_suffix(']'))
            .unwrap_or(text);
        // RFC 5321 §4.1.3 writes an IPv6 address literal with a tag.
        let bare = bare.strip_prefix("IPv6:").unwrap_or(bare);
        if let Ok(ip) = bare.parse() {
            return Some(Self::Address(ip));
        }
        if let Ok(net) = bare.parse::<IpNet>() {
            return Some(Self::Range(net.trunc()));
        }
        let host = match text.split_once("://") {
            Some((_, rest)) => rest.split(['/', '?', '#']).next()?.rsplit('@').next()?,
            None => text.rsplit_once('@').map_or(text, |(_, domain)| domain),
        };
        let host = host.split_once(':').map_or(host, |(host, _)| host);
        if let Ok(ip) = host.parse() {
            return Some(Self::Address(ip));
        }
        Name::of_host(host)
            .ok()
            .filter(|name| name.labels().count() > 1)
            .map(Self::Name)
    }

    /// How many addresses it stands for, when it is a range.
    pub fn size(net: &IpNet) -> u128 {
        let bits = u32::from(net.max_prefix_len() - net.prefix_len());
        1u128.checked_shl(bits).unwrap_or(u128::MAX)
    }

    /// The addresses of a range, first to last.
    pub fn addresses(net: &IpNet) -> impl Iterator<Item = IpAddr> + use<> {
        let (first, last, v4) = match net {
            IpNet::V4(net) => (
                u128::from(u32::from(net.network())),
                u128::from(u32::from(net.broadcast())),
                true,
            ),
            IpNet::V6(net) => (
                u128::from(net.network()),
                u128::from(net.broadcast()),
                false,
            ),
        };
        (first..=last).map(move |number| match u32::try_from(number) {
            Ok(number) if v4 => IpAddr::V4(Ipv4Addr::from(number)),
            _ => IpAddr::V6(Ipv6Addr::from(number)),
        })
    }
}

impl Derived {
    /// An address, and the IPv4 address inside when it is a tunnel's.
    pub fn of_address(ip: IpAddr, from: Option<String>) -> Vec<Self> {
        let mut all = vec![Self {
            subject: ip.into(),
            from,
        }];
        if let Scope::Tunnel(inner) = Scope::of(ip) {
            let from = Some(format!("the IPv4 address inside {ip}"));
            all.push(Self {
                subject: Subject::V4(inner),
                from,
            });
        }
        all
    }
}

/// A name itself, the addresses it has, and those of the hosts that take its mail.
pub async fn expand(
    lookup: &impl Lookup,
    name: &Name,
    families: Families,
    wait: Duration,
) -> Vec<Derived> {
    let mut all = vec![Derived {
        subject: Subject::Domain(name.clone()),
        from: None,
    }];
    let mx = async {
        let question = Question::new(name.clone(), Kind::Mx);
        let reply = lookup.lookup(question, Patience::of(wait)).await;
        let mut hosts: Vec<_> = reply
            .data()
            .iter()
            .filter_map(|data| match data {
                // A null MX (RFC 7505) names the root.
                Data::Mx {
                    preference,
                    exchange,
                } if *exchange != Name::root() => Some((*preference, exchange.clone())),
                _ => None,
            })
            .collect();
        hosts.sort();
        hosts.truncate(MOST_HOSTS);
        let asked = hosts
            .iter()
            .map(|(_, host)| addresses(lookup, host, families, wait));
        let found = join_all(asked).await;
        hosts
            .into_iter()
            .map(|(_, host)| host)
            .zip(found)
            .collect::<Vec<_>>()
    };
    let (own, hosts) = join(addresses(lookup, name, families, wait), mx).await;
    let mut seen = HashSet::new();
    let mut add = |ips: Vec<IpAddr>, from: String| {
        for ip in ips {
            if seen.len() < MOST_ADDRESSES && seen.insert(ip) {
                all.extend(Derived::of_address(ip, Some(from.clone())));
            }
        }
    };
    add(own, format!("address of {name}"));
    for (host, ips) in hosts {
        add(
            ips,
            format!("address of {host}, which takes the mail of {name}"),
        );
    }
    all
}

async fn addresses(
    lookup: &impl Lookup,
    name: &Name,
    families: Families,
    wait: Duration,
) -> Vec<IpAddr> {
    let kinds = [(families.v4, Kind::A), (families.v6, Kind::Aaaa)];
    let asked = kinds
        .into_iter()
        .filter(|(wanted, _)| *wanted)
        .map(|(_, kind)| lookup.lookup(Question::new(name.clone(), kind), Patience::of(wait)));
    let replies = join_all(asked).await;
    let ip = |data: &Data| match data {
        Data::A(ip) => Some(IpAddr::V4(*ip)),
        Data::Aaaa(ip) => Some(IpAddr::V6(*ip)),
        _ => None,
    };
    replies
        .iter()
        .flat_map(Reply::data)
        .filter_map(ip)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::world::{Entry, World};

    #[test]
    fn targets_are_read_as_people_write_them() {
        let name = |text: &str| Some(Target::Name(Name::parse(text).unwrap()));
        let ip = |text: &str| Some(Target::Address(text.parse().unwrap()));
        assert_eq!(Target::parse("192.0.2.1"), ip("192.0.2.1"));
        assert_eq!(Target::parse("[192.0.2.1]"), ip("192.0.2.1"));
        assert_eq!(Target::parse("[IPv6:2001:db8::1]"), ip("2001:db8::1"));
        assert_eq!(
            Target::parse("https://u@www.example.org:8080/x?y@z"),
            name("www.example.org")
        );
        assert_eq!(Target::parse("user@Example.ORG"), name("example.org"));
        let net = Target::parse("192.0.2.77/24");
        assert_eq!(net, Some(Target::Range("192.0.2.0/24".parse().unwrap())));
        for nothing in ["", "word", "a b.example", "300.1.2.3/24", "../x"] {
            assert_eq!(Target::parse(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_range_has_all_its_addresses() {
        let net = "11.22.33.0/24".parse().unwrap();
        let all: Vec<_> = Target::addresses(&net).collect();
        assert_eq!((all.len() as u128, Target::size(&net)), (256, 256));
        assert_eq!(all.last().unwrap().to_string(), "11.22.33.255");
        let v6 = Target::addresses(&"2001:db8::/126".parse().unwrap())
            .last()
            .unwrap();
        assert_eq!(v6.to_string(), "2001:db8::3");
        assert_eq!(Target::size(&"::/0".parse().unwrap()), u128::MAX);
    }

    #[tokio::test]
    async fn a_domain_stands_for_itself_and_for_the_hosts_of_its_mail() {
        let mx = Entry {
            data: vec![
                Data::Mx {
                    preference: 20,
                    exchange: Name::parse("b.test").unwrap(),
                },
                Data::Mx {
                    preference: 10,
                    exchange: Name::parse("a.test").unwrap(),
                },
            ],
            ..Entry::default()
        };
        let world = World::new()
            .name("example.test", mx)
            .addresses("a.test", &["192.0.2.1", "2002:c000:201::1"])
            .addresses("b.test", &["192.0.2.1", "192.0.2.2"]);
        let name = Name::parse("example.test").unwrap();
        let both = Families { v4: true, v6: true };
        let all = expand(&world, &name, both, Duration::from_secs(1)).await;
        let subjects: Vec<_> = all.iter().map(|d| d.subject.to_string()).collect();
        assert_eq!(
            subjects,
            [
                "example.test",
                "192.0.2.1",
                "2002:c000:201::1",
                "192.0.2.1",
                "192.0.2.2"
            ]
        );
        assert!(all[1].from.as_ref().unwrap().contains("a.test"));
        let v4 = Families {
            v4: true,
            v6: false,
        };
        assert_eq!(
            expand(&world, &name, v4, Duration::from_secs(1))
                .await
                .len(),
            3
        );
    }
}
