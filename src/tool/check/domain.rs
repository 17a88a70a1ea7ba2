//! What the DNS says about a domain: who takes its mail, and what it publishes.

use std::net::IpAddr;

use crate::check::options::Options;
use crate::check::sts;
use crate::check::{Dns, Exchanger};
use crate::dns::{Answer, Data, Failure, Kind, Lookup, Name};
use crate::posture::finding::{Finding, Notes, Severity};
use crate::posture::{Asker, bimi, dkim, dmarc, mta_sts, spf, tls_rpt};
use crate::scope::Scope;

/// The mail servers of one domain that are looked at. The largest sets have about twenty.
const MOST_MX: usize = 20;

/// Looks a domain up, all questions at once.
pub(super) async fn look_up<L: Lookup>(
    asker: Asker<'_, L>,
    domain: &Name,
    options: &Options,
) -> Dns {
    let (mail, spf, dmarc, keys, sts, tls_rpt, bimi) = tokio::join!(
        servers(asker, domain),
        spf::survey(asker, domain),
        dmarc::find(asker, domain),
        keys(asker, domain, options),
        policy(asker, domain, options),
        tls_rpt::find(asker, domain),
        bimi::find(asker, domain),
    );
    Dns {
        spf: Some(spf),
        dmarc: Some(dmarc),
        dkim: keys,
        mta_sts: Some(sts),
        tls_rpt: Some(tls_rpt),
        bimi,
        ..mail
    }
}

async fn keys<L: Lookup>(asker: Asker<'_, L>, domain: &Name, options: &Options) -> Vec<dkim::Key> {
    let mut keys = Vec::new();
    for selector in &options.selectors {
        keys.push(dkim::find(asker, domain, selector).await);
    }
    keys
}

async fn policy<L: Lookup>(
    asker: Asker<'_, L>,
    domain: &Name,
    options: &Options,
) -> crate::check::Sts {
    let record = mta_sts::find(asker, domain).await;
    let judged = record.fault.is_some() || record.failure.is_some();
    if judged || !options.fetch_policy || options.dns_only {
        return crate::check::Sts {
            record,
            ..crate::check::Sts::default()
        };
    }
    sts::fetch(asker, domain, record, options).await
}

/// The mail servers and their addresses (RFC 5321 §5.1).
async fn servers<L: Lookup>(asker: Asker<'_, L>, domain: &Name) -> Dns {
    let mut dns = Dns {
        domain: domain.to_string(),
        ..Dns::default()
    };
    match asker.ask(domain, Kind::Mx).await {
        Ok(answer) => {
            dns.alias = answer.aliases.last().map(Name::to_string);
            dns.authentic = answer.authentic;
            exchangers(asker, &answer, &mut dns).await;
        }
        Err(Failure::NoData) => {
            let itself = addresses(asker, 0, domain.clone()).await;
            dns.implicit_mx = !itself.addresses.is_empty();
            match itself.failure {
                None => dns.mx.push(itself),
                Some(failure) => dns.failure = Some(failure),
            }
        }
        Err(failure) => dns.failure = Some(failure),
    }
    dns
}

async fn exchangers<L: Lookup>(asker: Asker<'_, L>, answer: &Answer, dns: &mut Dns) {
    let mut all: Vec<(u16, Name)> = answer
        .data
        .iter()
        .filter_map(|data| match data {
            Data::Mx {
                preference,
                exchange,
            } => Some((*preference, exchange.clone())),
            _ => None,
        })
        .collect();
    // Equal ones in the order of their names, so that two runs say the same.
    all.sort();
    let named = all.len();
    all.retain(|(_, host)| host.labels().next().is_some());
    dns.null_mx = all.len() < named;
    for (preference, host) in all.into_iter().take(MOST_MX) {
        dns.mx.push(addresses(asker, preference, host).await);
    }
}

async fn addresses<L: Lookup>(asker: Asker<'_, L>, preference: u16, host: Name) -> Exchanger {
    let (v4, v6) = tokio::join!(asker.ask(&host, Kind::A), asker.ask(&host, Kind::Aaaa));
    let alias = [&v4, &v6]
        .into_iter()
        .flatten()
        .find_map(|a| a.aliases.last());
    let authentic = [&v4, &v6].into_iter().flatten().all(|a| a.authentic);
    let failure = match (&v4, &v6) {
        (Ok(_), _) | (_, Ok(_)) => None,
        // One family that was not answered may have been the one with addresses.
        (Err(a), Err(b)) => Some(if a.is_answer() { *b } else { *a }),
    };
    let found = [&v4, &v6].into_iter().flatten().flat_map(|a| &a.data);
    let found = found.filter_map(|data| match data {
        Data::A(ip) => Some(IpAddr::V4(*ip)),
        Data::Aaaa(ip) => Some(IpAddr::V6(*ip)),
        _ => None,
    });
    let found: Vec<_> = found.collect();
    Exchanger {
        preference,
        alias: alias.map(Name::to_string),
        authentic: failure.is_none() && authentic,
        addresses: found,
        failure,
        host,
    }
}

/// The findings about a domain; those about mail servers that do not exist are errors only when
/// no other one does.
pub(super) fn judge(dns: &Dns) -> Vec<Finding> {
    let mut notes = Notes::about(&dns.domain);
    existence(dns, &mut notes);
    let mut all = notes.list;
    let works = dns.mx.iter().any(|mx| !mx.addresses.is_empty());
    for mx in &dns.mx {
        all.extend(exchanger(mx, works));
    }
    if let Some(text) = repeated(dns).or_else(|| same_server(dns)) {
        all.push(Finding::new(
            Severity::Info,
            "mx-repeated",
            &dns.domain,
            text,
            "",
        ));
    }
    if let Some(spf) = &dns.spf {
        all.extend(spf::judge(&dns.domain, spf));
    }
    for key in &dns.dkim {
        all.extend(dkim::judge(&dns.domain, key));
    }
    if let Some(dmarc) = &dns.dmarc {
        all.extend(dmarc::judge(&dns.domain, dmarc));
        if let Some(bimi) = &dns.bimi {
            all.extend(bimi::judge(&dns.domain, bimi, dmarc));
        }
    }
    all
}

fn existence(dns: &Dns, notes: &mut Notes<'_>) {
    match dns.failure {
        Some(Failure::NxDomain) => notes.error(
            "domain-unknown",
            "the domain does not exist",
            "Check the spelling; if it is right, its owner has lost it or never registered it.",
        ),
        Some(Failure::NoData) => notes.error(
            "no-mail-server",
            "the domain exists, but has neither an MX nor an address: mail has nowhere to go",
            "Check the spelling; the domain's admin publishes an MX record.",
        ),
        Some(failure) => notes.error(
            "dns-failure",
            format!("the mail servers could not be looked up: {failure}"),
            "Try again later. If other domains work, this domain's name servers need mending; senders queue their mail until then.",
        ),
        None => {}
    }
    if dns.null_mx && dns.mx.is_empty() {
        notes.error(
            "null-mx",
            "the domain says on purpose that it takes no mail (null MX, RFC 7505)",
            "Use another address of the recipient.",
        );
    } else if dns.null_mx {
        notes.error(
            "null-mx-beside-mx",
            "a null MX (\"this domain takes no mail\") stands beside real mail servers",
            "The domain's admin removes one or the other (RFC 7505 3).",
        );
    }
    if dns.implicit_mx {
        notes.warning(
            "implicit-mx",
            "there is no MX record; mail goes to the address of the domain itself",
            "It works; the domain's admin had better publish an MX.",
        );
    }
    if let Some(alias) = &dns.alias {
        let text =
            format!("the domain is an alias (CNAME) of {alias}, whose mail servers are used");
        notes.info("domain-is-alias", text, "");
    }
}

fn exchanger(mx: &Exchanger, others_work: bool) -> Vec<Finding> {
    let host = mx.host.to_string();
    let mut notes = Notes::about(&host);
    let literal = host
        .rsplit('.')
        .next()
        .is_some_and(|top| top.bytes().all(|b| b.is_ascii_digit()));
    if literal {
        notes.error(
            "mx-is-address",
            "the MX record names an address where a host name has to stand",
            "The domain's admin gives the server a name and puts that into the MX record.",
        );
    } else if let Some(failure) = mx.failure {
        dangling(failure, others_work, &mut notes);
    }
    if let Some(alias) = &mx.alias {
        notes.warning(
            "mx-is-alias",
            format!(
                "the mail server is an alias (CNAME) of {alias}, which is forbidden (RFC 2181 10.3)"
            ),
            "It works with most senders; the domain's admin names the real host in the MX record.",
        );
    }
    let odd = |b: u8| !(b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    if !literal && host.bytes().any(odd) {
        notes.warning(
            "mx-bad-name",
            "the name of the mail server has characters that host names must not have",
            "The domain's admin renames it; some senders refuse such names.",
        );
    }
    if !mx.addresses.is_empty() && mx.addresses.iter().all(IpAddr::is_ipv6) {
        notes.warning(
            "mx-ipv6-only",
            "the mail server has IPv6 addresses only: senders without IPv6 cannot deliver",
            "Give it an IPv4 address, or add a server that has one.",
        );
    }
    let inner = mx.addresses.iter().find_map(|ip| Some((ip, inner(*ip)?)));
    if let Some((ip, what)) = inner {
        notes.info(
            "mx-private-address",
            format!("{ip} is {}: the Internet cannot reach it", what.what()),
            "Fine inside that network; for mail from outside it needs a public address.",
        );
    }
    notes.list
}

fn dangling(failure: Failure, others_work: bool, notes: &mut Notes<'_>) {
    const ADVICE: &str = "The domain's admin corrects the MX record; if the name's own domain is free, somebody else could take it and the mail.";
    if !failure.is_answer() {
        let text = format!("the address of the mail server could not be looked up: {failure}");
        if others_work {
            notes.warning("dns-failure", text, "Try again later.");
        } else {
            notes.error("dns-failure", text, "Try again later.");
        }
        return;
    }
    let text = match failure {
        Failure::NxDomain => "the MX record names a host that does not exist",
        _ => "the MX record names a host without an address",
    };
    if others_work {
        notes.warning("mx-dangling", text, ADVICE);
    } else {
        notes.error("mx-dangling", text, ADVICE);
    }
}

fn repeated(dns: &Dns) -> Option<String> {
    let mut seen: Vec<&Name> = Vec::new();
    let twice = dns.mx.iter().find(|mx| {
        let before = seen.contains(&&mx.host);
        seen.push(&mx.host);
        before
    })?;
    Some(format!(
        "{} stands in the MX records twice, which adds nothing",
        twice.host
    ))
}

/// Two names that are one server.
fn same_server(dns: &Dns) -> Option<String> {
    let (first, second) = dns.mx.iter().enumerate().find_map(|(n, mx)| {
        let mut before = dns.mx.iter().take(n);
        let same = before.find(|other| {
            other.host != mx.host && mx.addresses.iter().any(|ip| other.addresses.contains(ip))
        });
        same.map(|other| (other, mx))
    })?;
    Some(format!(
        "{} and {} have the same address: two MX records, one server",
        first.host, second.host
    ))
}

/// What an address is that the Internet cannot reach; `None` for the others.
pub(super) fn inner(ip: IpAddr) -> Option<Scope> {
    match Scope::of(ip) {
        Scope::Public | Scope::Tunnel(_) => None,
        other => Some(other),
    }
}
