//! A conversation that broke: what happened, in words for people, and what it is worth.

use crate::check::Server;
use crate::check::verdict::label;
use crate::posture::finding::{Finding, Severity};
use crate::smtp::{Failure, Stage};

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
pub(super) fn sentence(failure: &Failure, server: &Server) -> String {
    let at = format!("port {}", server.port);
    match failure {
        Failure::Refused { .. } => {
            format!("{at} refuses the connection: nothing listens there, or a firewall rejects it")
        }
        Failure::NoWay { reason, .. } => format!("this machine cannot get there: {reason}"),
        // The system gave up before us, and does not say after how long.
        Failure::Timeout {
            stage: Stage::Connect,
            after,
            ..
        } if after.is_zero() => format!("no connection to {at} in time"),
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
            format!("closes the connection in place of {}", stage.awaited_one())
        }
        Failure::Reset {
            stage: Stage::Banner,
            ..
        } => "cuts the connection (reset) before any greeting".to_string(),
        Failure::Reset { stage, .. } => format!(
            "cuts the connection (reset) in place of {}",
            stage.awaited_one()
        ),
        Failure::Foreign { protocol, .. } => {
            format!("is no mail server: {at} speaks {}", protocol.words())
        }
        Failure::NoReply { stage, .. } => format!(
            "sends something that is no SMTP reply in place of {}",
            stage.awaited_one()
        ),
        Failure::Endless {
            stage: Stage::Banner,
            ..
        } => "sends a greeting without an end".to_string(),
        Failure::Endless { stage, .. } => format!("sends {} without an end", stage.awaited_one()),
        Failure::Tls { trouble, .. } => format!("TLS does not come about: {trouble}"),
        Failure::Unspeakable(what) => what.to_string(),
        Failure::System { reason, .. } => reason.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;
    use crate::check::samples;
    use crate::smtp::tls::Trouble;

    const AFTER: Duration = Duration::from_secs(30);

    fn peer() -> SocketAddr {
        SocketAddr::new(samples::server().ip, 25)
    }

    fn timeout(stage: Stage, received: usize) -> Failure {
        Failure::Timeout {
            stage,
            peer: peer(),
            after: AFTER,
            received,
        }
    }

    fn told(failure: Failure, works: bool) -> Finding {
        let server = Server {
            failure: Some(failure),
            ..samples::server()
        };
        broken(&server, works).unwrap()
    }

    #[test]
    fn every_way_to_break_has_its_code_and_its_words() {
        let (peer, stage) = (peer(), Stage::Rcpt);
        let said = String::new;
        let at_once = Failure::Timeout {
            stage: Stage::Connect,
            peer,
            after: Duration::ZERO,
            received: 0,
        };
        let system = Failure::System {
            stage: Stage::Connect,
            peer,
            reason: "the host cannot be reached".to_string(),
        };
        let no_way = Failure::NoWay {
            peer,
            reason: "the network is down",
        };
        let trouble = Trouble::Cipher;
        for (failure, code, words) in [
            (
                Failure::Refused { peer },
                "connection-refused",
                "port 25 refuses the connection",
            ),
            (
                no_way,
                "no-route",
                "this machine cannot get there: the network is down",
            ),
            (
                timeout(Stage::Connect, 0),
                "connection-timeout",
                "no connection to port 25 within 30 s",
            ),
            (
                at_once,
                "connection-timeout",
                "no connection to port 25 in time",
            ),
            (
                timeout(Stage::Banner, 0),
                "server-silent",
                "says nothing for 30 s",
            ),
            (
                timeout(Stage::Banner, 7),
                "server-silent",
                "does not finish its greeting within 30 s",
            ),
            (
                timeout(stage, 0),
                "server-silent",
                "gives no answer to RCPT TO within 30 s",
            ),
            (
                Failure::Closed { stage, peer },
                "connection-closed",
                "closes the connection in place of an answer to RCPT TO",
            ),
            (
                Failure::Reset { stage, peer },
                "connection-reset",
                "(reset) in place of an answer to RCPT TO",
            ),
            (
                Failure::NoReply {
                    stage,
                    peer,
                    said: said(),
                },
                "protocol-broken",
                "no SMTP reply in place of an answer to RCPT TO",
            ),
            (
                Failure::Endless { stage, peer },
                "protocol-broken",
                "sends an answer to RCPT TO without an end",
            ),
            (
                Failure::Tls { peer, trouble },
                "tls-failed",
                "TLS does not come about: no cipher in common",
            ),
            (system, "connection-failed", "the host cannot be reached"),
        ] {
            let one = told(failure.clone(), false);
            assert_eq!(one.code, code, "{failure:?}");
            assert!(one.text.contains(words), "{failure:?}: {}", one.text);
            assert_eq!(
                (one.severity, &*one.subject),
                (Severity::Error, "mx.x.test")
            );
            assert!(!one.advice.is_empty(), "{failure:?}");
        }
    }

    #[test]
    fn beside_a_server_that_works_a_broken_one_hurts_less_and_our_own_network_hardly() {
        let (peer, reason) = (peer(), "no local address of that family");
        let refused = told(Failure::Refused { peer }, true);
        assert_eq!(refused.severity, Severity::Warning);
        let ours = told(Failure::NoWay { peer, reason }, true);
        assert_eq!(ours.severity, Severity::Info);
    }
}
