//! All findings to one answer: can mail get there, and in one sentence why or why not.

use crate::bounce::cause::Cause;
use crate::check::checkup::{Answer, Checkup, Outcome, Probe, Server, Verdict};
use crate::check::headline::headline;
use crate::check::run::NO_FAMILY;
use crate::check::words::{Words, words};
use crate::posture::finding::{Finding, Notes, Severity};
use crate::smtp::Failure;

/// Whether a cause is about who we are (our address, its name, our sender): it lasts until somebody
/// on our side mends it, also when the server says "later".
pub(super) const fn is_ours_to_mend(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::Dnsbl
            | Cause::IpBlocked
            | Cause::MissingReverseDns
            | Cause::SenderRejected
            | Cause::AuthFailed
    )
}

/// Whether a cause is about us (who we are, or what we do), not about the mailbox.
pub(super) const fn is_about_us(cause: Cause) -> bool {
    is_ours_to_mend(cause)
        || matches!(
            cause,
            Cause::RateLimited | Cause::PolicyRejected | Cause::ProtocolError | Cause::SpamContent
        )
}

/// The name of a server in findings.
pub(super) fn label(server: &Server) -> String {
    if server.host == server.ip.to_string() {
        format!("{}:{}", bracketed(server), server.port)
    } else {
        server.host.clone()
    }
}

fn bracketed(server: &Server) -> String {
    if server.ip.is_ipv6() {
        format!("[{}]", server.ip)
    } else {
        server.ip.to_string()
    }
}

/// The finding about a server that refuses us before any recipient.
pub(super) fn refusing(server: &Server, works: bool) -> Option<Finding> {
    let (reply, judgement) = server.refusal.as_ref()?;
    let severity = if works || reply.is_transient() {
        Severity::Warning
    } else {
        Severity::Error
    };
    let Words {
        meaning, advice, ..
    } = words(judgement, None, &server.host);
    let meaning = meaning.trim_end_matches('.');
    let text = format!("refuses us from the start: {meaning} ({reply})");
    Some(Finding::new(
        severity,
        judgement.cause.id(),
        &label(server),
        text,
        advice,
    ))
}

/// The finding about a recipient at one server. `meant` when the user named this address; else it
/// is postmaster, who stands for the server's will to take mail from us at all.
pub(super) fn recipient(server: &Server, probe: &Probe, meant: bool) -> Option<Finding> {
    let reply = probe.reply.as_ref()?;
    let subject = if meant {
        probe.address.clone()
    } else {
        label(server)
    };
    if probe.outcome == Outcome::Accepted {
        if reply.code == 251 {
            let text = format!("is not at home there, but forwarded ({reply})");
            let advice = "If the new address is told, write to it.";
            return Some(Finding::new(
                Severity::Info,
                "forwarded",
                &subject,
                text,
                advice,
            ));
        }
        return (probe.catch_all == Some(true)).then(|| {
            Finding::new(
                Severity::Warning,
                "catch-all",
                &label(server),
                "takes every address, also one that cannot exist: that it took this one proves nothing",
                "The mail may still come back as a bounce later.",
            )
        });
    }
    let judgement = probe.judgement.as_ref()?;
    let cause = judgement.cause;
    let Words {
        meaning, advice, ..
    } = words(judgement, Some(&probe.address), &server.host);
    let wants_more = matches!(cause, Cause::LoginRequired | Cause::TlsFailed);
    if !meant && (wants_more || !is_about_us(cause) && !probe.at_mail) {
        return postmaster(server, probe, cause);
    }
    // A full mailbox and a fault of ours do not pass by waiting.
    let lasting = cause == Cause::OverQuota || is_ours_to_mend(cause);
    let transient = probe.outcome == Outcome::Deferred && !lasting;
    let severity = if transient {
        Severity::Warning
    } else {
        Severity::Error
    };
    let host = label(server);
    let meaning = meaning.trim_end_matches('.');
    let text = match meant && !meaning.contains(&server.host) {
        true => format!("{host}: {meaning} ({reply})"),
        false => format!("{meaning} ({reply})"),
    };
    Some(Finding::new(severity, cause.id(), &subject, text, advice))
}

fn postmaster(server: &Server, probe: &Probe, cause: Cause) -> Option<Finding> {
    let reply = probe.reply.as_ref()?;
    let label = label(server);
    let finding = |severity, code, text: &str, advice: &str| {
        Some(Finding::new(
            severity,
            code,
            &label,
            format!("{text} ({reply})"),
            advice,
        ))
    };
    let of_domain = probe.address.contains('@');
    match cause {
        Cause::LoginRequired if of_domain => finding(
            Severity::Error,
            "login-required",
            "takes mail only from users who log in: mail from other servers cannot get there",
            "The domain's admin names a server for incoming mail in the MX record, or opens this one.",
        ),
        Cause::LoginRequired => finding(
            Severity::Info,
            "login-required",
            "takes mail only from users who log in, as a submission server should",
            "Log in with your mail program; mail from other servers goes to port 25.",
        ),
        Cause::TlsFailed => finding(
            Severity::Info,
            "tls-required",
            "takes mail only over encrypted connections",
            "",
        ),
        Cause::RelayDenied if of_domain => finding(
            Severity::Error,
            "relay-denied",
            "says that it is not responsible for this domain",
            "The domain's admin corrects the MX record, or the list of domains on the server.",
        ),
        _ if probe.outcome == Outcome::Deferred => finding(
            Severity::Warning,
            cause.id(),
            "does not take mail for postmaster at the moment",
            "",
        ),
        _ if of_domain => finding(
            Severity::Warning,
            "postmaster-missing",
            "refuses mail to postmaster, which every domain has to take (RFC 5321 4.5.1)",
            "The domain's admin creates the address.",
        ),
        _ => finding(
            Severity::Info,
            "postmaster-refused",
            "takes no mail for plain \"postmaster\"",
            "",
        ),
    }
}

/// Whether servers disagree about a recipient.
pub(super) fn disagreement(servers: &[Server], notes: &mut Notes<'_>) {
    let outcome = |wanted: Outcome| {
        servers
            .iter()
            .find(|s| s.recipient.as_ref().is_some_and(|r| r.outcome == wanted))
    };
    let (Some(yes), Some(no)) = (outcome(Outcome::Accepted), outcome(Outcome::Rejected)) else {
        return;
    };
    notes.warning(
        "servers-disagree",
        format!("{} takes the address and {} refuses it", label(yes), label(no)),
        "What happens to a mail depends on the server it meets; a backup that takes everything sends bounces later. The domain's admin gives all servers the same list of recipients.",
    );
}

/// Sorts the findings, then draws verdict, answer and headline from the whole. `elsewhere`: the
/// user named the server, so that the domain's own mail servers do not matter.
pub(super) fn conclude(checkup: &mut Checkup, blocked: bool, elsewhere: bool) {
    if elsewhere {
        for finding in &mut checkup.findings {
            if OF_THE_WAY.contains(&finding.code) {
                finding.severity = Severity::Info;
            }
        }
    }
    checkup
        .findings
        .sort_by_key(|f| std::cmp::Reverse(f.severity));
    // Both addresses of a server say the same.
    let mut told: Vec<Finding> = Vec::new();
    for finding in checkup.findings.drain(..) {
        if !told.contains(&finding) {
            told.push(finding);
        }
    }
    checkup.findings = told;
    let servers = &checkup.servers;
    let met: Vec<_> = servers
        .iter()
        .filter(|s| s.reachable && s.failure.is_none())
        .collect();
    let way = checkup.dns.as_ref().filter(|_| !elsewhere);
    let dns_failed = way.and_then(|d| d.failure);
    let unanswered = way.is_some_and(|d| {
        !d.mx.is_empty()
            && d.mx
                .iter()
                .all(|m| m.failure.is_some_and(|f| !f.is_answer()))
    });
    let ours = !servers.is_empty()
        && servers
            .iter()
            .all(|s| s.failure.as_ref().is_some_and(Failure::is_ours));
    let lost = met.is_empty() && !servers.is_empty();
    let nobody = checkup.findings.iter().any(|f| f.code == NO_FAMILY);
    let told = deciding(servers);
    let worst = checkup.worst();

    checkup.answer =
        if dns_failed.is_some_and(|f| !f.is_answer()) || unanswered || ours || blocked || nobody {
            Answer::Unknown
        } else if worst == Some(Severity::Error) || lost {
            Answer::No
        } else {
            match told.map(|probe| probe.outcome) {
                Some(Outcome::Deferred) => Answer::Unknown,
                _ if met.iter().any(|s| s.refusal.is_none()) || servers.is_empty() => Answer::Yes,
                _ => Answer::Unknown,
            }
        };
    checkup.verdict = if lost || blocked || unanswered || dns_failed.is_some_and(|f| !f.is_answer())
    {
        Verdict::Unreachable
    } else {
        match worst {
            Some(Severity::Error) => Verdict::Problems,
            Some(Severity::Warning) => Verdict::Warnings,
            _ => Verdict::Ok,
        }
    };
    checkup.headline = headline(checkup, blocked, elsewhere);
}

/// What is found about the way to a domain's mail servers.
const OF_THE_WAY: &[&str] = &[
    "domain-unknown",
    "no-mail-server",
    "dns-failure",
    "null-mx",
    "null-mx-beside-mx",
    "implicit-mx",
    "mx-is-address",
    "mx-dangling",
    "mx-is-alias",
    "mx-bad-name",
    "mx-ipv6-only",
    "mta-sts-breach",
];

/// The probe of the first server that was met: senders go by preference, and a word of the best
/// server is final.
pub(super) fn deciding(servers: &[Server]) -> Option<&Probe> {
    let probes = || servers.iter().filter_map(|s| s.recipient.as_ref());
    let decided = probes().find(|p| matches!(p.outcome, Outcome::Accepted | Outcome::Rejected));
    decided.or_else(|| probes().find(|p| p.reply.is_some()))
}
