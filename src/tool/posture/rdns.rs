//! Reverse names: does an address have one, and does it lead back to the address
//! (forward-confirmed reverse DNS).

use std::net::IpAddr;

use crate::dns::{Data, Failure, Kind, Lookup, Name};
use crate::posture::Asker;

/// How many names of one address are followed. One is normal, some have dozens.
const MOST_NAMES: usize = 10;

/// The reverse name of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reverse {
    /// The name, the confirmed one when there are several; `None` when there is none.
    pub name: Option<String>,
    /// Whether it leads back; `None` when the DNS did not tell.
    pub confirmed: Option<bool>,
    /// Why nothing is known.
    pub failure: Option<Failure>,
}

/// The name under which an address is asked (RFC 1035 §3.5, RFC 3596 §2.5).
pub fn reverse_name(ip: IpAddr) -> Option<Name> {
    let text = match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(ip) => {
            let nibbles = ip.octets().into_iter().rev();
            let text: String = nibbles
                .map(|o| format!("{:x}.{:x}.", o & 15, o >> 4))
                .collect();
            format!("{text}ip6.arpa")
        }
    };
    Name::parse(&text).ok()
}

/// Looks up the reverse name of an address and follows it back.
pub async fn look_up<L: Lookup>(asker: Asker<'_, L>, ip: IpAddr) -> Reverse {
    let mut reverse = Reverse {
        name: None,
        confirmed: Some(false),
        failure: None,
    };
    let answer = match reverse_name(ip) {
        Some(name) => asker.ask(&name, Kind::Ptr).await,
        None => Err(Failure::NxDomain),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(failure) => {
            if !failure.is_answer() {
                reverse.confirmed = None;
                reverse.failure = Some(failure);
            }
            return reverse;
        }
    };
    let names = answer.data.iter().filter_map(|data| match data {
        Data::Ptr(name) => Some(name),
        _ => None,
    });
    for name in names.take(MOST_NAMES) {
        reverse.name.get_or_insert_with(|| name.to_string());
        match asker.family(name, ip).await {
            Ok(addresses) if addresses.contains(&ip) => {
                reverse.name = Some(name.to_string());
                reverse.confirmed = Some(true);
                return reverse;
            }
            Err(failure) if !failure.is_answer() => {
                reverse.confirmed = None;
                reverse.failure = Some(failure);
            }
            _ => {}
        }
    }
    reverse
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::world::{Entry, World};

    #[test]
    fn addresses_are_turned_around() {
        let name = |ip: &str| reverse_name(ip.parse().unwrap()).unwrap().to_string();
        assert_eq!(name("192.0.2.7"), "7.2.0.192.in-addr.arpa");
        assert_eq!(name("::ffff:192.0.2.7"), "7.2.0.192.in-addr.arpa");
        assert!(name("2001:db8::1").starts_with("1.0.0.0.0.0."));
        assert!(name("2001:db8::1").ends_with("8.b.d.0.1.0.0.2.ip6.arpa"));
    }

    #[tokio::test]
    async fn a_reverse_name_counts_when_it_leads_back() {
        let ptr = |name: &str| Entry {
            data: vec![Data::Ptr(Name::parse(name).unwrap())],
            ..Entry::default()
        };
        let world = World::new()
            .name("7.2.0.192.in-addr.arpa", ptr("mx.example.test"))
            .name("8.2.0.192.in-addr.arpa", ptr("mx.example.test"))
            .name("9.2.0.192.in-addr.arpa", Entry::failing(Failure::ServFail))
            .addresses("mx.example.test", &["192.0.2.7"]);
        let asker = Asker::new(&world, std::time::Duration::from_secs(1));
        let of = async |ip: &str| look_up(asker, ip.parse().unwrap()).await;
        let good = of("192.0.2.7").await;
        assert_eq!(good.name.as_deref(), Some("mx.example.test"));
        assert_eq!(good.confirmed, Some(true));
        assert_eq!(of("192.0.2.8").await.confirmed, Some(false));
        assert_eq!(of("192.0.2.9").await.confirmed, None);
        assert_eq!(of("192.0.2.10").await.name, None);
    }
}
