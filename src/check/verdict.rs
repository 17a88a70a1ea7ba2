//! All findings to one answer: can mail get there, and in one sentence why or why not.

use crate::bounce::cause::Cause;
use crate::check::checkup::{Answer, Checkup, Outcome, Probe, Server, Verdict};
use crate::check::words::{Words, words};
use crate::dns::Failure as DnsFailure;
use crate::posture::finding::{Finding, Notes, Severity};
use crate::smtp::{Failure, Stage};

/// Whether a cause is about us (our address, name, sender), not about the mailbox.
pub(super) const fn is_about_us(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::Dnsbl
            | Cause::IpBlocked
            | Cause::MissingReverseDns
            | Cause::SenderRejected
            | Cause::AuthFailed
            | Cause::RateLimited
            | Cause::PolicyRejected
            | Cause::ProtocolError
            | Cause::SpamContent
    )
}

/// Whether the cause lasts until somebody on our side mends it, also when the server says "later".
const fn is_ours_to_mend(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::Dnsbl
            | Cause::IpBlocked
            | Cause::MissingReverseDns
            | Cause::SenderRejected
            | Cause::AuthFailed
    )
}

/// The finding about a conversation that broke; `works` when another server of the domain does
/// its work.
pub(super) fn broken(server: &Server, works: bool) -> Option<Finding> {
    let failure = server.failure.as_ref()?;
    let ours = failure.is_ours();
    let severity = match (ours, works) {
        (true, true) => Severity::Info,
        (false, true) => Severity::Warning,
        (_, false) => Severity::Error,
    };
    let (code, advice) = reason(failure);
    let text = sentence(failure, server);
    Some(Finding::new(severity, code, &label(server), text, advice))
}

fn reason(failure: &Failure) -> (&'static str, &'static str) {
    const ADMIN: &str = "Tell the server's postmaster by other means; senders keep the mail and try again for days.";
    match failure {
        Failure::Refused { .. } => (
            "connection-refused",
            "The server's admin starts the mail server or opens its firewall; senders keep the mail and try again for days.",
        ),
        Failure::NoWay { .. } => (
            "no-route",
            "Mend the network of this machine, or check from another one.",
        ),
        Failure::Timeout {
            stage: Stage::Connect,
            ..
        } => (
            "connection-timeout",
            "A firewall drops the connection or the server is down. If other servers time out as well, your own provider blocks port 25.",
        ),
        Failure::Timeout { .. } => ("server-silent", ADMIN),
        Failure::Closed { .. } => (
            "connection-closed",
            "Often a block of our address, a limit on connections, or a load balancer with nothing behind it.",
        ),
        Failure::Reset { .. } => (
            "connection-reset",
            "Often a block of our address, or a firewall on the way.",
        ),
        Failure::Foreign { .. } => (
            "not-smtp",
            "Wrong port, or the MX record points to a machine that is no mail server.",
        ),
        Failure::NoReply { .. } | Failure::Endless { .. } => ("protocol-broken", ADMIN),
        Failure::Tls { .. } => ("tls-failed", "The server's admin mends its TLS."),
        Failure::Unspeakable(_) => ("cannot-be-asked", "Check the address."),
        Failure::System { .. } => ("connection-failed", ADMIN),
    }
}

/// What happened, for people.
fn sentence(failure: &Failure, server: &Server) -> String {
    let at = format!("port {}", server.port);
    match failure {
        Failure::Refused { .. } => {
            format!("{at} refuses the connection: nothing listens there, or a firewall rejects it")
        }
        Failure::NoWay { reason, .. } => format!("this machine cannot get there: {reason}"),
        Failure::Timeout {
            stage: Stage::Connect,
            after,
            ..
        } => format!("no connection to {at} within {:.0} s", after.as_secs_f64()),
        Failure::Timeout {
            stage: Stage::Banner,
            after,
            received: 0,
            ..
        } => format!(
            "takes the connection and says nothing for {:.0} s",
            after.as_secs_f64()
        ),
        Failure::Timeout {
            stage: Stage::Banner,
            after,
            ..
        } => format!(
            "does not finish its greeting within {:.0} s",
            after.as_secs_f64()
        ),
        Failure::Timeout { stage, after, .. } => format!(
            "gives no {} within {:.0} s",
            stage.awaited(),
            after.as_secs_f64()
        ),
        Failure::Closed {
            stage: Stage::Banner,
            ..
        } => "takes the connection and closes it without a greeting".to_string(),
        Failure::Closed { stage, .. } => {
            format!("closes the connection in place of an {}", stage.awaited())
        }
        Failure::Reset {
            stage: Stage::Banner,
            ..
        } => "cuts the connection (reset) before any greeting".to_string(),
        Failure::Reset { stage, .. } => format!(
            "cuts the connection (reset) in place of an {}",
            stage.awaited()
        ),
        Failure::Foreign { protocol, .. } => {
            format!("is no mail server: {at} speaks {}", protocol.words())
        }
        Failure::NoReply { stage, .. } => format!(
            "sends something that is no SMTP reply in place of an {}",
            stage.awaited()
        ),
        Failure::Endless {
            stage: Stage::Banner,
            ..
        } => "sends a greeting without an end".to_string(),
        Failure::Endless { stage, .. } => format!("sends an {} without an end", stage.awaited()),
        Failure::Tls { trouble, .. } => format!("TLS does not come about: {trouble}"),
        Failure::Unspeakable(what) => what.to_string(),
        Failure::System { reason, .. } => reason.clone(),
    }
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
    let where_ = if meant {
        format!("{}: ", label(server))
    } else {
        String::new()
    };
    let text = format!("{where_}{meaning} ({reply})");
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
    let told = deciding(servers);
    let worst = checkup.worst();

    checkup.answer = if dns_failed.is_some_and(|f| !f.is_answer()) || unanswered || ours || blocked
    {
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
fn deciding(servers: &[Server]) -> Option<&Probe> {
    let probes = || servers.iter().filter_map(|s| s.recipient.as_ref());
    let decided = probes().find(|p| matches!(p.outcome, Outcome::Accepted | Outcome::Rejected));
    decided.or_else(|| probes().find(|p| p.reply.is_some()))
}

fn headline(checkup: &Checkup, blocked: bool, elsewhere: bool) -> String {
    let target = &checkup.target;
    if blocked {
        return format!(
            "Mail to {target} could not be checked: your provider seems to block outgoing port 25"
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
        return format!("Mail to {target} {verb}: {} {what}", label(server));
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
