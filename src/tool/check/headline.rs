//! The answer in one sentence.

use crate::check::broken::sentence;
use crate::check::checkup::{Answer, Checkup, Outcome, Probe, Verdict};
use crate::check::run::{NO_FAMILY, UNRESOLVED};
use crate::check::verdict::{deciding, label};
use crate::check::words::words;
use crate::dns::Failure as DnsFailure;
use crate::posture::finding::Severity;

/// The answer in one sentence; `blocked` and `elsewhere` as in the verdict.
pub(super) fn headline(checkup: &Checkup, blocked: bool, elsewhere: bool) -> String {
    let target = &checkup.target;
    if blocked {
        return format!(
            "Mail to {target} could not be checked: your provider seems to block outgoing port 25"
        );
    }
    // Nobody was asked, and one finding says why.
    let mut nobody = checkup.findings.iter();
    let nobody = nobody.find(|f| [NO_FAMILY, UNRESOLVED, "host-unknown"].contains(&f.code));
    if let (true, Some(why)) = (checkup.servers.is_empty(), nobody) {
        return format!(
            "Mail to {target} could not be checked: {}: {}",
            why.subject, why.text
        );
    }
    if let Some(dns) = checkup.dns.as_ref().filter(|_| !elsewhere) {
        match dns.failure {
            Some(DnsFailure::NxDomain) => {
                return format!(
                    "Mail to {target} cannot arrive: the domain {} does not exist",
                    dns.domain
                );
            }
            Some(DnsFailure::NoData) => {
                return format!(
                    "Mail to {target} cannot arrive: {} has no mail server and no address",
                    dns.domain
                );
            }
            Some(failure) => {
                return format!(
                    "Mail to {target} could not be checked: the DNS of {}: {failure}",
                    dns.domain
                );
            }
            None => {}
        }
        if dns.null_mx && dns.mx.is_empty() {
            return format!(
                "Mail to {target} cannot arrive: {} takes no mail, on purpose (null MX)",
                dns.domain
            );
        }
        if checkup.servers.is_empty() && dns.mx.iter().all(|m| m.addresses.is_empty()) {
            return format!("Mail to {target} cannot arrive: its mail server has no address");
        }
        if checkup.servers.is_empty() {
            return match checkup.worst() {
                Some(Severity::Error) => {
                    format!("The DNS of {target} has errors; no server was asked")
                }
                Some(Severity::Warning) => {
                    format!(
                        "The DNS of {target} works, with something to mend; no server was asked"
                    )
                }
                _ => format!("The DNS of {target} is in order; no server was asked"),
            };
        }
    }
    servers_headline(checkup)
}

fn servers_headline(checkup: &Checkup) -> String {
    let target = &checkup.target;
    let servers = &checkup.servers;
    let met = servers.iter().filter(|s| s.failure.is_none()).count();
    if met == 0 {
        let first = servers.iter().find_map(|s| Some((s, s.failure.as_ref()?)));
        let Some((server, failure)) = first else {
            return format!("{target} has no mail server that could be asked");
        };
        let what = sentence(failure, server);
        let verb = if checkup.answer == Answer::Unknown {
            "could not be checked"
        } else {
            "cannot arrive"
        };
        return match label(server) {
            own if own == *target => format!("Mail to {target} {verb}: {what}"),
            other => format!("Mail to {target} {verb}: {other}: {what}"),
        };
    }
    let refusal = servers
        .iter()
        .find_map(|s| s.refusal.as_ref().map(|r| (s, r)));
    let probe = deciding(servers).filter(|_| checkup.kind == "address");
    if let Some(probe) = probe
        && let Some(text) = recipient_headline(checkup, probe)
    {
        return text;
    }
    if let Some((server, (reply, judgement))) = refusal.filter(|_| {
        servers
            .iter()
            .all(|s| s.refusal.is_some() || s.failure.is_some())
    }) {
        let title = words(judgement, None, &server.host).title;
        let verb = if reply.is_transient() {
            "would have to wait"
        } else {
            "would be refused"
        };
        return format!(
            "Mail to {target} {verb}: {title} ({}: {})",
            label(server),
            codes(reply)
        );
    }
    let count = |severity| {
        checkup
            .findings
            .iter()
            .filter(|f| f.severity == severity)
            .count()
    };
    match (
        checkup.verdict,
        count(Severity::Error),
        count(Severity::Warning),
    ) {
        (Verdict::Ok, ..) => format!("{target} takes mail, nothing is wrong"),
        (Verdict::Warnings, _, 1) => format!("{target} takes mail, with one thing to mend"),
        (Verdict::Warnings, _, n) => format!("{target} takes mail, with {n} things to mend"),
        (_, 1, _) => format!("{target} has a problem: {}", first_error(checkup)),
        (_, n, _) => format!(
            "{target} has {n} problems, the first: {}",
            first_error(checkup)
        ),
    }
}

fn first_error(checkup: &Checkup) -> String {
    let first = checkup.findings.first();
    first.map_or(String::new(), |f| format!("{}: {}", f.subject, f.text))
}

fn recipient_headline(checkup: &Checkup, probe: &Probe) -> Option<String> {
    let target = &checkup.target;
    let reply = probe.reply.as_ref()?;
    let server = checkup
        .servers
        .iter()
        .find(|s| s.recipient.as_ref() == Some(probe))?;
    let said = format!("({}: {})", label(server), codes(reply));
    let title = probe
        .judgement
        .as_ref()
        .map(|j| words(j, Some(&probe.address), &server.host).title);
    Some(match probe.outcome {
        Outcome::Accepted if checkup.verdict == Verdict::Problems => return None,
        Outcome::Accepted if probe.catch_all == Some(true) => {
            format!("Mail to {target} would be taken, but this server takes every address {said}")
        }
        Outcome::Accepted => match probe.waited {
            Some(waited) => format!(
                "Mail to {target} would be taken, after {:.0} s of greylisting {said}",
                waited.as_secs_f64()
            ),
            None => format!("Mail to {target} would be taken {said}"),
        },
        Outcome::Rejected => format!("Mail to {target} would be refused: {} {said}", title?),
        Outcome::Deferred => format!("Mail to {target} would have to wait: {} {said}", title?),
        Outcome::Unknown => format!(
            "Whether {target} exists could not be asked: {} {said}",
            title?
        ),
    })
}

fn codes(reply: &crate::smtp::Reply) -> String {
    match reply.enhanced() {
        Some(code) => format!("{} {code}", reply.code),
        None => reply.code.to_string(),
    }
}
