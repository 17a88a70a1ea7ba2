//! The shape of the way: none at all, too many hops, breaks, where it began.

use super::{Case, client, loops, server};
use crate::route::finding::{Finding, Severity, Sureness};
use crate::route::hop::Role;
use crate::route::net::Zone;
use crate::route::{known, roles};

/// Sendmail gives up at 25 hops, Postfix at 50, others at 100.
const MANY: usize = 15;

pub(super) fn find(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    let hops = &case.route.hops;
    if hops.is_empty() {
        let text = "no Received field: a draft, a copy from a sent folder, mail that never left the machine, or an export without its header".to_owned();
        found.push(Finding::whole(
            Severity::Info,
            "no-received",
            Sureness::High,
            text,
        ));
        return;
    }
    if case.lost > 0 {
        let text = format!("{} older Received fields are left out", case.lost);
        found.push(Finding::whole(
            Severity::Warning,
            "hops-left-out",
            Sureness::High,
            text,
        ));
    }
    loops::find(case, found);
    if hops.len() >= MANY {
        let text = format!(
            "{} hops: close to what servers take for a loop (25 to 100)",
            hops.len()
        );
        found.push(Finding::whole(
            Severity::Warning,
            "many-hops",
            Sureness::High,
            text,
        ));
    }
    let unread: Vec<usize> = hops.iter().filter(|h| h.unparsed).map(|h| h.n).collect();
    if !unread.is_empty() {
        let text = "nothing in this line could be read; see it raw".to_owned();
        found.push(Finding::over(
            unread,
            Severity::Info,
            "unparsed",
            Sureness::High,
            text,
        ));
    }
    breaks(case, found);
    origin(case, found);
    services(case, found);
}

/// The services that looked at the mail on its way, each with its hops.
fn services(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    let mut through: Vec<(&str, Vec<usize>)> = Vec::new();
    for hop in case.route.hops.iter().filter(|h| h.role == Role::Mfa) {
        let Some(host) = hop.by.best_name() else {
            continue;
        };
        let service = known::service(host).map(|service| service.name);
        let Some(name) = service.or_else(|| roles::is_cloud(host).then_some("Microsoft 365"))
        else {
            continue;
        };
        match through.iter_mut().find(|(known, _)| *known == name) {
            Some((_, hops)) => hops.push(hop.n),
            None => through.push((name, vec![hop.n])),
        }
    }
    for (name, hops) in through {
        let text = format!("went through {name}, which filters mail for others");
        found.push(Finding::over(
            hops,
            Severity::Info,
            "filter-service",
            Sureness::High,
            text,
        ));
    }
}

fn origin(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    let Some(origin) = &case.route.origin else {
        return;
    };
    let Some(hop) = case.route.hops.get(origin.hop.wrapping_sub(1)) else {
        return;
    };
    let whence = match (&origin.host, origin.ip) {
        _ if hop.is_local_submission() => {
            let login = hop.from.login.as_deref().unwrap_or_default();
            format!("handed over on {} by the local user {login}", server(hop))
        }
        (Some(host), Some(ip)) if hop.from.forged_rdns => {
            format!("injected from {ip}, whose reverse name {host} does not lead back to it")
        }
        (Some(host), Some(ip)) if hop.from.rdns.as_deref() == Some(host) => {
            format!("injected from {ip}, which is {host}")
        }
        (Some(host), Some(ip)) if hop.from.helo.as_deref() == Some(host) => {
            format!("injected from {ip}, which called itself {host}")
        }
        (Some(host), Some(ip)) => format!("injected from {ip}, by the name of {host}"),
        (None, Some(ip)) => format!("injected from {ip}"),
        (Some(host), None) => format!("injected by {host}, which gave no address"),
        (None, None) => return,
    };
    let (belief, sureness) = if origin.trusted {
        (
            format!(
                "believed: a server of the own side, {}, wrote it",
                server(hop)
            ),
            Sureness::High,
        )
    } else {
        (
            format!(
                "so {} claims, and the lines above agree with it",
                server(hop)
            ),
            Sureness::Medium,
        )
    };
    found.push(Finding::at(
        hop.n,
        Severity::Info,
        "injected",
        sureness,
        format!("{whence}; {belief}"),
    ));
}

fn breaks(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    if let Some(lower) = case.border.broken
        && let (Some(below), Some(above)) = (case.hop(lower), case.hop(lower + 1))
    {
        let text = format!(
            "from here down nothing is confirmed: {} wrote this line, but hop {} was handed over by {}; a renamed server, missing hops or a forged line",
            server(below),
            above.n,
            client(above)
        );
        found.push(Finding::at(
            below.n,
            Severity::Info,
            "unconfirmed",
            Sureness::Medium,
            text,
        ));
    }
    if let [only] = case.route.hops.as_slice()
        && only.zone == Some(Zone::Public)
        && only.role == Role::Mta
    {
        let text = "one hop only: the client delivered straight to the receiver, as bots do, and small senders".to_owned();
        found.push(Finding::at(
            only.n,
            Severity::Info,
            "direct",
            Sureness::Low,
            text,
        ));
    }
}
