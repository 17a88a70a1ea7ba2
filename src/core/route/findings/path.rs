//! The shape of the way: none at all, loops, too many hops, breaks, the place of the lines.

use super::{Case, client, server};
use crate::route::finding::{Finding, Severity, Sureness};
use crate::route::hop::{Hop, Role};
use crate::route::net::{self, Zone};

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
    loops(case, found);
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

type Seen = std::collections::HashMap<(String, String), usize>;

fn loops(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    if !passed_twice(case, found) && !queued_twice(case, found) {
        revisited(case, found);
    }
}

/// One server had the message for one recipient twice, and gave it away in between.
fn passed_twice(case: &Case<'_, '_>, found: &mut Vec<Finding>) -> bool {
    let hops = &case.route.hops;
    let mut seen = Seen::new();
    for (i, hop) in hops.iter().enumerate() {
        let Some(by) = public_name(hop) else { continue };
        let Some(recipient) = &hop.recipient else {
            continue;
        };
        let key = (by.clone(), recipient.to_ascii_lowercase());
        if let Some(before) = seen.insert(key, i)
            && went_elsewhere(hops, before, i)
            && let Some(other) = hops.get(before)
        {
            // How often in all, and to whom it was given: whose forwarding points back.
            let again = |h: &&Hop| {
                public_name(h).as_ref() == Some(&by)
                    && h.recipient
                        .as_ref()
                        .is_some_and(|r| r.eq_ignore_ascii_case(recipient))
            };
            let times = hops.iter().filter(again).count();
            let often = if times > 2 {
                format!(", {times} times in all")
            } else {
                String::new()
            };
            let partner = hops
                .get(before + 1)
                .and_then(public_name)
                .filter(|name| *name != by)
                .map(|name| format!("; see where {by} and {name} send this recipient's mail"))
                .unwrap_or_default();
            let text = format!(
                "a loop: {by} had this message for {recipient} before, at hop {}, gave it away and got it back{often}{partner}",
                other.n
            );
            let over = vec![hop.n, other.n];
            found.push(Finding::over(
                over,
                Severity::Error,
                "loop",
                Sureness::High,
                text,
            ));
            return true;
        }
    }
    false
}

/// One server used one queue id twice.
fn queued_twice(case: &Case<'_, '_>, found: &mut Vec<Finding>) -> bool {
    let hops = &case.route.hops;
    let mut ids = Seen::new();
    for (i, hop) in hops.iter().enumerate() {
        let Some(by) = public_name(hop) else { continue };
        // Exchange writes its build where others write a queue id, and a word is none.
        let shaped = |id: &&str| id.len() >= 6 && id.bytes().any(|b| matches!(b, b'1'..=b'9'));
        let exchange = hop.dialect.is_some_and(|d| d.starts_with("exchange"));
        let Some(id) = hop.id.as_deref().filter(shaped).filter(|_| !exchange) else {
            continue;
        };
        if let Some(before) = ids.insert((by.clone(), id.to_owned()), i)
            && let Some(other) = hops.get(before)
            && !same_stamp(hop, other)
        {
            let text = format!(
                "{by} had this message under the queue id {id} before, at hop {}: a loop, or a copied line",
                other.n
            );
            let over = vec![hop.n, other.n];
            found.push(Finding::over(
                over,
                Severity::Error,
                "loop",
                Sureness::Medium,
                text,
            ));
            return true;
        }
    }
    false
}

fn public_name(hop: &Hop) -> Option<String> {
    hop.by
        .best_name()
        .filter(|n| !net::is_local_name(n))
        .map(str::to_ascii_lowercase)
}

/// The same line twice is one line twice, not a second visit.
fn same_stamp(one: &Hop, other: &Hop) -> bool {
    one.time.is_some() && one.time == other.time && one.raw == other.raw
}

/// Between two visits the message left the machine: a filter on the same host is no loop.
fn went_elsewhere(hops: &[Hop], before: usize, now: usize) -> bool {
    let home = hops.get(now).and_then(|h| h.by.best_name());
    let between = hops.get(before + 1..now).unwrap_or_default();
    between.iter().any(|h| {
        let away =
            h.by.best_name()
                .zip(home)
                .is_some_and(|(by, home)| !by.eq_ignore_ascii_case(home));
        away && h.zone == Some(Zone::Public) && h.role != Role::Mfa && h.role != Role::List
    })
}

/// Without recipients in the lines: one host three times, with others in between, or one mailbox
/// that took delivery twice.
fn revisited(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    let mut visits: std::collections::HashMap<String, Vec<usize>> =
        std::collections::HashMap::new();
    let mut last = String::new();
    for hop in &case.route.hops {
        let Some(by) = hop.by.best_name().filter(|n| !net::is_local_name(n)) else {
            continue;
        };
        let by = by.to_ascii_lowercase();
        if by != last && hop.zone == Some(Zone::Public) {
            visits.entry(by.clone()).or_default().push(hop.n);
        }
        last = by;
    }
    // For another recipient each time, it was sent on and not around: one name stands for all
    // servers of a large provider.
    let sent_on = |visits: &[usize]| {
        let mut known: Vec<&str> = Vec::new();
        visits.iter().all(|n| {
            let hop = case.hop(n.wrapping_sub(1));
            let recipient = hop.and_then(|h| h.recipient.as_deref());
            let fresh = recipient.is_some_and(|r| !known.iter().any(|k| k.eq_ignore_ascii_case(r)));
            known.extend(recipient);
            fresh
        })
    };
    let most = visits
        .into_iter()
        .filter(|(_, v)| v.len() >= 3 && !(v.len() <= MANY && sent_on(v)))
        .max_by(|a, b| (a.1.len(), &b.0).cmp(&(b.1.len(), &a.0)));
    if let Some((by, mut hops)) = most {
        hops.reverse();
        let text = format!(
            "a loop: {by} got this message {} times over the network",
            hops.len()
        );
        found.push(Finding::over(
            hops,
            Severity::Error,
            "loop",
            Sureness::Medium,
            text,
        ));
        return;
    }
    let mut delivered: Vec<String> = Vec::new();
    for field in case.head.all("Delivered-To").take(50) {
        let address = field.value().trim().to_ascii_lowercase();
        if delivered.contains(&address) {
            let text = format!(
                "delivered to {address} more than once: its forwarding leads back to itself"
            );
            found.push(Finding::whole(
                Severity::Warning,
                "delivered-twice",
                Sureness::Medium,
                text,
            ));
            return;
        }
        delivered.push(address);
    }
}

#[cfg(test)]
mod tests {
    use crate::message::layer::Head;

    fn codes(lines: &[String]) -> Vec<&'static str> {
        let header = format!("{}\n\n", lines.join("\n"));
        let way = crate::route::of(&Head::parse(header.as_bytes()), &[]);
        way.findings.iter().map(|f| f.code).collect()
    }

    /// A provider that all servers of bear one name, three times on the way of one message.
    fn thrice(recipients: [&str; 3]) -> Vec<String> {
        let mut lines = Vec::new();
        for (n, to) in recipients.iter().enumerate() {
            lines.push(format!(
                "Received: from out{n}.example.net (out{n}.example.net [192.0.2.{n}]) by mx.example.com with ESMTPS id a{n} for <{to}>; 2 Mar 2026 09:15:4{n} +0000"
            ));
            lines.push(format!(
                "Received: from mx.example.com (mx.example.com [198.51.100.1]) by out{n}.example.net with ESMTPS id b{n}; 2 Mar 2026 09:15:4{n} +0000"
            ));
        }
        // Newest first, and without the line below the first visit.
        lines.pop();
        lines
    }

    #[test]
    fn a_message_that_is_sent_on_from_mailbox_to_mailbox_of_one_provider_does_not_circle() {
        let three = thrice(["carol@example.com", "bob@example.com", "team@example.com"]);
        assert!(!codes(&three).contains(&"loop"));
        let again = thrice(["bob@example.com", "carol@example.com", "bob@example.com"]);
        assert!(codes(&again).contains(&"loop"));
    }

    #[test]
    fn one_line_twice_is_neither_a_loop_nor_forged() {
        let line = "Received: from a.example.net (a.example.net [192.0.2.1]) by mx.example.org (Postfix) with ESMTPS id 4F for <bob@example.org>; Mon, 2 Mar 2026 09:15:30 +0000".to_owned();
        let found = codes(&[line.clone(), line]);
        assert!(
            found
                .iter()
                .all(|c| !matches!(*c, "loop" | "forged-line" | "unconfirmed")),
            "{found:?}"
        );
    }
}
