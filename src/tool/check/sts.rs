//! MTA-STS: the policy over HTTPS, and whether the servers keep it (RFC 8461).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;

use crate::check::options::Options;
use crate::check::{Dns, Server, Sts};
use crate::dns::{Data, Kind, Lookup, Name};
use crate::posture::Asker;
use crate::posture::finding::{Finding, Notes, Severity};
use crate::posture::mta_sts::{LARGEST, Mode, Policy, Record};
use crate::smtp::https::{self, Request};
use crate::smtp::tls::trust::Dates;

/// Shorter than this the policy protects nobody who writes once a day.
const SHORT_AGE: u64 = 86_400;
/// Addresses of the policy host that are tried.
const TRIES: usize = 2;

/// How long to look for a policy that no record speaks of.
const GLANCE: Duration = Duration::from_secs(3);

/// Fetches the policy; what goes wrong is told in the result. Without a record only a policy that
/// is there says something: that the record was forgotten.
pub(super) async fn fetch<L: Lookup>(
    asker: Asker<'_, L>,
    domain: &Name,
    record: Record,
    options: &Options,
) -> Sts {
    let announced = record.text.is_some();
    let mut sts = Sts {
        record,
        ..Sts::default()
    };
    let patience = match announced {
        true => options.timeout,
        false => options.timeout.min(GLANCE),
    };
    match page(asker, domain, options, Instant::now() + patience).await {
        Ok((policy, kind)) => {
            sts.policy = Some(policy);
            sts.odd_type = kind.filter(|kind| !is_plain_text(kind));
        }
        Err(error) if announced => sts.error = Some(error),
        Err(_) => {}
    }
    sts
}

fn is_plain_text(kind: &str) -> bool {
    let media = kind.split(';').next().unwrap_or_default().trim();
    media.eq_ignore_ascii_case("text/plain")
}

/// The policy and its media type.
async fn page<L: Lookup>(
    asker: Asker<'_, L>,
    domain: &Name,
    options: &Options,
    end: Instant,
) -> Result<(Policy, Option<String>), String> {
    let host = Name::parse("mta-sts").and_then(|label| label.under(domain));
    let host = host.map_err(|e| e.to_string())?;
    let (v4, v6) = tokio::join!(asker.ask(&host, Kind::A), asker.ask(&host, Kind::Aaaa));
    let addresses: Vec<IpAddr> = [&v4, &v6]
        .into_iter()
        .flatten()
        .flat_map(|answer| &answer.data)
        .filter_map(|data| match data {
            Data::A(ip) if options.families.v4 => Some(IpAddr::V4(*ip)),
            Data::Aaaa(ip) if options.families.v6 => Some(IpAddr::V6(*ip)),
            _ => None,
        })
        .collect();
    let mut error = format!("{host} has no address");
    for ip in addresses.into_iter().take(TRIES) {
        let request = Request {
            peer: SocketAddr::new(ip, options.https_port),
            host: host.as_str(),
            path: "/.well-known/mta-sts.txt",
            largest: LARGEST,
            end,
        };
        match https::get(&request).await {
            Ok(page) => {
                let opinion = options
                    .roots
                    .judge(&page.session, host.as_str(), options.now);
                let valid = matches!(opinion.dates, Dates::Valid(_));
                return match &opinion.chain {
                    Err(fault) => Err(format!("the certificate of {host} {}", fault.words())),
                    Ok(()) if !opinion.name_ok => {
                        Err(format!("the certificate of {host} is for another host"))
                    }
                    Ok(()) if !valid => Err(format!("the certificate of {host} is out of date")),
                    // RFC 8461 §3.3: redirects are not followed.
                    Ok(()) if page.status != 200 => {
                        Err(format!("{host} answers with HTTP status {}", page.status))
                    }
                    Ok(()) if page.body.len() > LARGEST => {
                        Err("the policy is larger than 64 KiB".to_string())
                    }
                    Ok(()) if page.cut => {
                        Err(format!("{host} breaks off in the middle of the policy"))
                    }
                    Ok(()) => Policy::read(&String::from_utf8_lossy(&page.body))
                        .map(|policy| (policy, page.kind))
                        .map_err(|fault| format!("the policy is broken: {fault}")),
                };
            }
            Err(reason) => error = reason,
        }
    }
    Err(error)
}

/// The findings about a domain's MTA-STS, with how its servers keep it.
pub(super) fn judge(dns: &Dns, servers: &[Server]) -> Vec<Finding> {
    let mut notes = Notes::about(&dns.domain);
    let Some(sts) = &dns.mta_sts else {
        return notes.list;
    };
    if let (Some(failure), None) = (sts.record.failure, &sts.record.text) {
        notes.warning(
            "mta-sts-unknown",
            format!("MTA-STS cannot be judged: {failure}"),
            "Try again later.",
        );
        return notes.list;
    }
    if let (Some(_), None) = (&sts.policy, &sts.record.text) {
        notes.warning(
            "mta-sts-no-record",
            "there is an MTA-STS policy, but no record that tells of it: nobody looks at it",
            "The domain's admin publishes \"v=STSv1; id=…\" at _mta-sts, or removes the policy.",
        );
        return notes.list;
    }
    if let Some(fault) = sts.record.fault {
        notes.error(
            "mta-sts-syntax",
            format!("the MTA-STS record cannot be used: {fault}"),
            "The domain's admin corrects the record at _mta-sts.",
        );
    }
    if let Some(error) = &sts.error {
        notes.warning(
            "mta-sts-no-policy",
            format!("there is an MTA-STS record, but no policy: {error}"),
            "The domain's admin serves the policy at https://mta-sts.…/.well-known/mta-sts.txt, or removes the record.",
        );
    }
    let Some(policy) = &sts.policy else {
        return notes.list;
    };
    if policy.max_age < SHORT_AGE {
        let text = format!(
            "the MTA-STS policy may be kept for {} s only",
            policy.max_age
        );
        notes.warning(
            "mta-sts-short",
            text,
            "Weeks are usual; below a day it protects nobody.",
        );
    }
    if let Some(kind) = &sts.odd_type {
        notes.warning(
            "mta-sts-media-type",
            format!(
                "the MTA-STS policy is served as {kind}; senders may refuse what is not text/plain"
            ),
            "The domain's admin corrects the web server.",
        );
    }
    let mut list = notes.list;
    if policy.mode != Mode::None {
        list.extend(servers.iter().filter_map(|server| breach(policy, server)));
    }
    list
}

/// How one server breaks the policy.
fn breach(policy: &Policy, server: &Server) -> Option<Finding> {
    let wrong = if !policy.covers(&server.host) {
        "is not in the MTA-STS policy".to_string()
    } else if !server.reachable {
        return None;
    } else if let Some(opinion) = &server.tls.opinion {
        match (&opinion.chain, opinion.name_ok, opinion.dates) {
            (Err(fault), ..) => format!(
                "breaks the MTA-STS policy: its certificate {}",
                fault.words()
            ),
            (_, false, _) => {
                "breaks the MTA-STS policy: its certificate is for another host".to_string()
            }
            (_, _, Dates::Valid(_)) => return None,
            _ => "breaks the MTA-STS policy: its certificate is out of date".to_string(),
        }
    } else {
        "breaks the MTA-STS policy: no TLS came about".to_string()
    };
    let (severity, sequel) = match policy.mode {
        Mode::Enforce => (
            Severity::Error,
            "senders that keep the policy do not deliver",
        ),
        _ => (
            Severity::Warning,
            "the policy is in test mode, so senders only report it",
        ),
    };
    Some(Finding::new(
        severity,
        "mta-sts-breach",
        &server.host,
        format!("the server {wrong}; {sequel}"),
        "The domain's admin corrects the server or the policy.",
    ))
}
