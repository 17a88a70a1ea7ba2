//! Which servers take mail for a domain (RFC 5321 section 5.1, RFC 7505).

use std::net::IpAddr;

use crate::dns::{Data, Failure, Kind, Lookup, Name, Patience, Question};
use crate::message::status::EnhancedCode;

/// Servers that are tried for one message; the rest of a longer list is for another day.
const MOST_HOSTS: usize = 10;
/// Addresses of one server that are tried.
const MOST_ADDRESSES: usize = 6;

/// A server and its addresses, in the order to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) addresses: Vec<IpAddr>,
}

/// Why there is no server to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoTarget {
    pub(crate) status: EnhancedCode,
    pub(crate) words: String,
}

impl NoTarget {
    fn new(class: u8, subject: u16, detail: u16, words: String) -> Self {
        let status = EnhancedCode {
            class,
            subject,
            detail,
        };
        Self { status, words }
    }
}

/// Finds the servers of a domain. `own` are our own names: a server that finds itself in the
/// list gives mail only to better ones (RFC 5321 section 5.1). `shuffle` orders equals.
pub(crate) async fn of_domain(
    lookup: &impl Lookup,
    domain: &str,
    own: &[String],
    patience: &Patience,
    shuffle: &mut impl FnMut() -> u64,
) -> Result<Vec<Target>, NoTarget> {
    let Ok(name) = Name::parse(domain) else {
        let words = format!("{domain} is no domain name");
        return Err(NoTarget::new(5, 1, 2, words));
    };
    let question = Question::new(name.clone(), Kind::Mx);
    let reply = lookup.lookup(question, patience.clone()).await;
    let exchanges = match reply.result {
        Ok(answer) => answer.data,
        // No MX: the domain itself, as if it had preference 0.
        Err(Failure::NoData) => {
            return implicit(lookup, &name, patience).await;
        }
        Err(Failure::NxDomain) => {
            let words = format!("the domain {domain} does not exist");
            return Err(NoTarget::new(5, 1, 2, words));
        }
        Err(failure) => return Err(unknown(domain, failure)),
    };
    let mut list: Vec<(u16, u64, Name)> = exchanges
        .into_iter()
        .filter_map(|data| match data {
            Data::Mx {
                preference,
                exchange,
            } => Some((preference, shuffle(), exchange)),
            _ => None,
        })
        .collect();
    list.sort_unstable_by_key(|(preference, chance, _)| (*preference, *chance));
    if let [(_, _, only)] = list.as_slice()
        && only.as_str().is_empty()
    {
        let words = format!("the domain {domain} takes no mail (null MX, RFC 7505)");
        return Err(NoTarget::new(5, 1, 10, words));
    }
    list.retain(|(_, _, host)| !host.as_str().is_empty());
    let is_own = |host: &Name| own.iter().any(|o| o.eq_ignore_ascii_case(host.as_str()));
    if let Some(us) = list.iter().find(|(_, _, host)| is_own(host)).map(|e| e.0) {
        list.retain(|(preference, _, _)| *preference < us);
        if list.is_empty() {
            let words = format!(
                "this server is the best MX of {domain}, but does not know the domain: mail for \
                 it would come back here for ever"
            );
            return Err(NoTarget::new(5, 4, 6, words));
        }
    }
    hosts(lookup, domain, list, patience).await
}

/// The addresses of the servers of a list.
async fn hosts(
    lookup: &impl Lookup,
    domain: &str,
    list: Vec<(u16, u64, Name)>,
    patience: &Patience,
) -> Result<Vec<Target>, NoTarget> {
    let mut targets: Vec<Target> = Vec::new();
    let mut trouble = None;
    for (_, _, host) in list.into_iter().take(MOST_HOSTS) {
        if targets.iter().any(|t| t.host == host.as_str()) {
            continue;
        }
        match addresses(lookup, &host, patience).await {
            Ok(addresses) => targets.push(Target {
                host: host.to_string(),
                addresses,
            }),
            Err(failure) if failure.is_answer() => {}
            Err(failure) => trouble = Some(failure),
        }
    }
    match (targets.is_empty(), trouble) {
        (false, _) => Ok(targets),
        (true, Some(failure)) => Err(unknown(domain, failure)),
        // RFC 5321 section 5.1: MX that lead nowhere are an error, the A record is not asked.
        (true, None) => {
            let words = format!("no mail server of {domain} has an address");
            Err(NoTarget::new(5, 4, 4, words))
        }
    }
}

async fn implicit(
    lookup: &impl Lookup,
    name: &Name,
    patience: &Patience,
) -> Result<Vec<Target>, NoTarget> {
    match addresses(lookup, name, patience).await {
        Ok(addresses) => Ok(vec![Target {
            host: name.to_string(),
            addresses,
        }]),
        Err(failure) if failure.is_answer() => {
            let words = format!("the domain {name} has neither mail server nor address");
            Err(NoTarget::new(5, 1, 2, words))
        }
        Err(failure) => Err(unknown(name.as_str(), failure)),
    }
}

/// The addresses of a host that was named.
pub(crate) async fn of_host(
    lookup: &impl Lookup,
    host: &str,
    patience: &Patience,
) -> Result<Vec<Target>, NoTarget> {
    let target = |addresses| {
        vec![Target {
            host: host.to_string(),
            addresses,
        }]
    };
    if let Ok(ip) = host.parse() {
        return Ok(target(vec![ip]));
    }
    if host.eq_ignore_ascii_case("localhost") {
        // RFC 6761 section 6.3: never asked of the DNS.
        return Ok(target(vec![[127, 0, 0, 1].into()]));
    }
    let Ok(name) = Name::parse(host) else {
        let words = format!("{host} is no host name");
        return Err(NoTarget::new(5, 4, 4, words));
    };
    match addresses(lookup, &name, patience).await {
        Ok(addresses) => Ok(target(addresses)),
        // The server was named by the operator, who may be mending the name right now.
        Err(failure) if failure.is_answer() => {
            let words = format!("the host {host} has no address");
            Err(NoTarget::new(4, 4, 4, words))
        }
        Err(failure) => Err(unknown(host, failure)),
    }
}

/// Both families in turn, so that one that does not work costs one attempt and not all.
async fn addresses(
    lookup: &impl Lookup,
    host: &Name,
    patience: &Patience,
) -> Result<Vec<IpAddr>, Failure> {
    let ask = |kind| lookup.lookup(Question::new(host.clone(), kind), patience.clone());
    let (six, four) = tokio::join!(ask(Kind::Aaaa), ask(Kind::A));
    let ips = |data: &[Data]| -> Vec<IpAddr> {
        let one = |data: &Data| match data {
            Data::A(ip) => Some(IpAddr::V4(*ip)),
            Data::Aaaa(ip) => Some(IpAddr::V6(*ip)),
            _ => None,
        };
        data.iter().filter_map(one).collect()
    };
    let (v6, v4) = (ips(six.data()), ips(four.data()));
    let longest = v6.len().max(v4.len());
    let all: Vec<IpAddr> = (0..longest)
        .flat_map(|n| [v6.get(n).copied(), v4.get(n).copied()])
        .flatten()
        .take(MOST_ADDRESSES)
        .collect();
    if !all.is_empty() {
        return Ok(all);
    }
    let failures = [six.result.err(), four.result.err()];
    let failures = failures.into_iter().flatten();
    // What is no answer leaves the question open.
    Err(failures
        .max_by_key(|failure| !failure.is_answer())
        .unwrap_or(Failure::NoData))
}

fn unknown(domain: &str, failure: Failure) -> NoTarget {
    let words = format!("the DNS does not say where mail for {domain} goes: {failure}");
    NoTarget::new(4, 4, 3, words)
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
