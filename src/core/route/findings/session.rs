//! What the sessions tell: legs in clear text, weak encryption, names that do not fit.

use super::{Case, client};
use crate::route::finding::{Finding, Severity, Sureness};
use crate::route::hop::Hop;
use crate::route::known::{WEAK_CIPHERS, WEAK_VERSIONS};
use crate::route::net::{self, Zone};
use crate::route::received::words;

pub(super) fn find(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    clear_text(case, found);
    weak(case, found);
    // A server that talks to itself is no stranger.
    let stranger = case.border.at.and_then(|at| case.hop(at));
    if let Some(hop) = stranger.filter(|h| h.from.ip != h.by.ip) {
        names(hop, found);
    }
}

/// Legs over the open Internet by SMTP without any sign of encryption.
fn clear_text(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    let forged = found
        .iter()
        .filter(|f| matches!(f.code, "forged-line" | "impossible-line"))
        .filter_map(|f| f.hop)
        .max();
    let clear = |h: &&Hop| {
        // What a forged line says of its session is forged too.
        let real = forged.is_none_or(|at| h.n > at);
        h.zone == Some(Zone::Public) && h.is_smtp() && !h.tls.used && real
    };
    let hops: Vec<usize> = case.route.hops.iter().filter(clear).map(|h| h.n).collect();
    if !hops.is_empty() {
        let text = "crossed the open Internet in clear text, as far as the lines tell".to_owned();
        found.push(Finding::over(
            hops,
            Severity::Warning,
            "no-tls",
            Sureness::Medium,
            text,
        ));
    }
}

fn weak(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    for hop in &case.route.hops {
        let version = hop.tls.version.filter(|v| WEAK_VERSIONS.contains(v));
        let cipher = hop
            .tls
            .cipher
            .as_deref()
            .filter(|c| WEAK_CIPHERS.iter().any(|b| words::find(c, b).is_some()));
        let what = match (version, cipher) {
            (Some(v), Some(c)) => format!("{v} with {c}"),
            (Some(v), None) => v.to_owned(),
            (None, Some(c)) => c.to_owned(),
            (None, None) => continue,
        };
        let text = format!("encrypted with {what}, which is too weak today");
        found.push(Finding::at(
            hop.n,
            Severity::Warning,
            "weak-tls",
            Sureness::High,
            text,
        ));
    }
}

/// The names of the stranger at the border.
fn names(hop: &Hop, found: &mut Vec<Finding>) {
    let mut say = |severity, code, sureness, text| {
        found.push(Finding::at(hop.n, severity, code, sureness, text));
    };
    if hop.from.forged_rdns {
        let text = format!(
            "the reverse name of {} does not lead back to its address, so it proves nothing",
            client(hop)
        );
        say(Severity::Warning, "rdns-unconfirmed", Sureness::High, text);
    }
    let Some(helo) = hop.from.helo.as_deref() else {
        return;
    };
    match hop.from.rdns.as_deref() {
        None if hop.states_rdns() => {
            let who = match hop.from.ip {
                Some(ip) if words::address(helo).is_none() => {
                    format!("{ip}, which called itself {helo},")
                }
                Some(ip) => ip.to_string(),
                None => format!("the address of {helo}"),
            };
            let text =
                format!("{who} has no reverse name; many receivers count that against a sender");
            say(Severity::Info, "no-rdns", Sureness::High, text);
        }
        Some(rdns)
            if net::registered(helo).is_some()
                && net::registered(rdns).is_some()
                && !net::same_organisation(helo, rdns) =>
        {
            let text = format!(
                "called itself {helo}, but its address belongs to {rdns}; usual for rented servers, and for forgers"
            );
            say(Severity::Info, "helo-mismatch", Sureness::High, text);
        }
        _ => {}
    }
    let literal = words::address(helo).is_some();
    if literal || !helo.contains('.') {
        let what = if literal {
            "an address"
        } else {
            "a word without a domain"
        };
        let text = format!(
            "called itself {helo}, {what}: a mail program or a bot rather than a mail server"
        );
        say(Severity::Info, "helo-no-name", Sureness::Medium, text);
    }
}
