//! All findings to one answer: can mail get there, and in one sentence why or why not.

use crate::bounce::cause::Cause;
use crate::check::checkup::{Answer, Checkup, Outcome, Probe, Server, Verdict};
use crate::check::headline::headline;
use crate::check::run::{NO_FAMILY, UNRESOLVED};
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
    let told_of = |code| checkup.findings.iter().any(|f| f.code == code);
    let unresolved = told_of(UNRESOLVED);
    let nobody = told_of(NO_FAMILY) || unresolved;
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
    let silent = unanswered || unresolved || dns_failed.is_some_and(|f| !f.is_answer());
    checkup.verdict = if lost || blocked || silent {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bounce::classify::Judgement;
    use crate::bounce::explanation::Confidence;
    use crate::check::samples;

    fn judged(cause: Cause) -> Judgement {
        Judgement {
            cause,
            permanent: None,
            confidence: Confidence::High,
            status: None,
            reply_code: None,
            command: None,
            listing: None,
            decided_by: None,
        }
    }

    fn probe(address: &str, outcome: Outcome, cause: Cause) -> Probe {
        Probe {
            address: address.to_string(),
            outcome,
            reply: Some(samples::reply(550, "no")),
            judgement: Some(judged(cause)),
            at_mail: false,
            catch_all: None,
            waited: None,
        }
    }

    #[test]
    fn a_postmaster_that_is_refused_is_a_fault_of_a_domain_and_none_of_a_bare_server() {
        let (of_domain, plain) = ("postmaster@x.test", "postmaster");
        let (no, later) = (Outcome::Rejected, Outcome::Deferred);
        for (address, outcome, cause, severity, code) in [
            (
                of_domain,
                no,
                Cause::UserUnknown,
                Severity::Warning,
                "postmaster-missing",
            ),
            (
                plain,
                no,
                Cause::UserUnknown,
                Severity::Info,
                "postmaster-refused",
            ),
            (
                of_domain,
                later,
                Cause::Greylisted,
                Severity::Warning,
                "greylisted",
            ),
            (
                plain,
                later,
                Cause::Greylisted,
                Severity::Warning,
                "greylisted",
            ),
            (
                of_domain,
                no,
                Cause::RelayDenied,
                Severity::Error,
                "relay-denied",
            ),
            (
                of_domain,
                no,
                Cause::LoginRequired,
                Severity::Error,
                "login-required",
            ),
            (
                plain,
                no,
                Cause::LoginRequired,
                Severity::Info,
                "login-required",
            ),
            (
                of_domain,
                no,
                Cause::TlsFailed,
                Severity::Info,
                "tls-required",
            ),
        ] {
            let probe = probe(address, outcome, cause);
            let found = recipient(&samples::server(), &probe, false).unwrap();
            assert_eq!(
                (found.severity, found.code),
                (severity, code),
                "{address} {cause:?}"
            );
            assert_eq!(found.subject, "mx.x.test");
            assert!(found.text.ends_with("(550 no)"), "{}", found.text);
        }
    }

    fn with(recipient: Option<Probe>) -> Server {
        Server {
            recipient,
            ..samples::server()
        }
    }

    #[test]
    fn servers_that_disagree_about_an_address_are_told_by_name() {
        let told = |servers: &[Server]| {
            let mut notes = Notes::about("bob@x.test");
            disagreement(servers, &mut notes);
            notes.list.into_iter().map(|f| f.text).collect::<Vec<_>>()
        };
        let one = |outcome| Some(probe("bob@x.test", outcome, Cause::UserUnknown));
        let yes = with(one(Outcome::Accepted));
        let no = Server {
            host: "backup.x.test".to_string(),
            ..with(one(Outcome::Rejected))
        };
        let later = with(one(Outcome::Deferred));
        assert_eq!(
            told(&[yes.clone(), no.clone()]),
            ["mx.x.test takes the address and backup.x.test refuses it"]
        );
        assert!(told(&[yes, later.clone()]).is_empty());
        assert!(told(&[no, later, with(None)]).is_empty());
    }

    fn concluded(servers: Vec<Server>) -> (Answer, Verdict, String) {
        let mut checkup = Checkup {
            target: "mx.x.test".to_string(),
            kind: "host",
            headline: String::new(),
            dns: None,
            servers,
            findings: Vec::new(),
            verdict: Verdict::Ok,
            answer: Answer::Yes,
            took: Duration::ZERO,
        };
        conclude(&mut checkup, false, false);
        (checkup.answer, checkup.verdict, checkup.headline)
    }

    #[test]
    fn when_every_server_asks_to_come_later_it_is_open_whether_mail_gets_there() {
        let later = || Server {
            refusal: Some((samples::reply(421, "busy"), judged(Cause::RateLimited))),
            ..samples::server()
        };
        let (answer, _, headline) = concluded(vec![later()]);
        assert_eq!(answer, Answer::Unknown);
        assert!(headline.contains("would have to wait"), "{headline}");
        let (answer, ..) = concluded(vec![later(), samples::server()]);
        assert_eq!(answer, Answer::Yes);
    }

    #[test]
    fn our_own_network_is_no_verdict_about_the_server_and_the_headline_says_so() {
        let peer = "192.0.2.25:25".parse().unwrap();
        let broken = |failure| Server {
            reachable: false,
            failure: Some(failure),
            ..samples::server()
        };
        let reason = "the network is down";
        let (answer, verdict, headline) = concluded(vec![broken(Failure::NoWay { peer, reason })]);
        assert_eq!((answer, verdict), (Answer::Unknown, Verdict::Unreachable));
        assert_eq!(
            headline,
            "Mail to mx.x.test could not be checked: this machine cannot get there: the network is \
             down"
        );
        let (answer, _, headline) = concluded(vec![broken(Failure::Refused { peer })]);
        assert_eq!(answer, Answer::No);
        assert!(headline.contains("cannot arrive: port 25 refuses"));
    }
}
