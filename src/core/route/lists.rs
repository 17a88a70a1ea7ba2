//! Lists and forwarders: fields that name them, and sender addresses that were rewritten on the
//! way (SRS, BATV, VERP, Gmail's forwarding).

use std::borrow::Cow;

use crate::message::addresses;
use crate::message::layer::Head;
use crate::route::hop::{Hop, Role, cut};
use crate::route::net::{self, Zone};
use crate::route::received::words;
use crate::route::{Handler, HandlerKind};

const MAX_NAME: usize = 300;

/// The domain of the mailing list, when the message came through one.
pub(crate) fn list_domain(head: &Head<'_>) -> Option<String> {
    // RFC 2919: `List-Id: words <list.example.org>`; RFC 2369: `List-Post: <mailto:list@…>`.
    let id = head.get("List-Id").and_then(|v| {
        let inner = v.rsplit_once('<').map_or(v.as_ref(), |(_, rest)| rest);
        words::host_name(inner.trim_end_matches('>').trim()).map(str::to_owned)
    });
    id.or_else(|| list_address(head).and_then(|a| a.rsplit_once('@').map(|(_, d)| d.to_owned())))
}

fn list_address(head: &Head<'_>) -> Option<String> {
    [
        "List-Post",
        "X-BeenThere",
        "X-Mailing-List",
        "Mailing-List",
        "X-Loop",
    ]
    .iter()
    .find_map(|name| {
        let value = head.get(name)?;
        addresses::first(value.strip_prefix("<mailto:").unwrap_or(&value)).map(str::to_owned)
    })
}

/// Every list and forwarder that left a sign.
pub(crate) fn handlers(head: &Head<'_>, hops: &[Hop]) -> Vec<Handler> {
    let mut found: Vec<Handler> = Vec::new();
    let list = |name: &str| head.has(name);
    if list("List-Id")
        || list("List-Post")
        || list("X-BeenThere")
        || list("X-Mailman-Version")
        || list("Mailing-List")
    {
        let name = list_address(head)
            .or_else(|| list_domain(head))
            .unwrap_or_default();
        add(&mut found, HandlerKind::List, &name, "List-Id");
    }
    let senders = head
        .get("Return-Path")
        .into_iter()
        .map(Cow::into_owned)
        .chain(hops.iter().rev().filter_map(|h| h.envelope_from.clone()))
        .chain(head.get("X-Envelope-From").map(Cow::into_owned));
    for sender in senders {
        let sender = sender.trim_matches(['<', '>', ' ']);
        if let Some((name, sign)) = rewritten(sender) {
            if let Some(first) = first_forwarder(sender) {
                add(&mut found, HandlerKind::Forwarder, first, sign);
            }
            add(&mut found, HandlerKind::Forwarder, &name, sign);
        }
    }
    for (field, sign) in [
        ("X-Forwarded-For", "X-Forwarded-For"),
        ("X-Forwarded-To", "X-Forwarded-To"),
        ("Resent-From", "Resent-From"),
        ("Resent-Sender", "Resent-From"),
    ] {
        // Web programs put addresses of the network into X-Forwarded-For; and where the forwarder
        // is known, the mailbox that it sent to is no news.
        let known = found.iter().any(|h| h.kind == HandlerKind::Forwarder);
        if known && sign == "X-Forwarded-To" {
            continue;
        }
        // Gmail: `X-Forwarded-For: own@here.example to@there.example`.
        let value = head.get(field);
        if let Some(name) = value.as_deref().and_then(addresses::first) {
            add(&mut found, HandlerKind::Forwarder, name, sign);
        }
    }
    if found.is_empty()
        && let Some(recipient) = sent_on(hops)
    {
        let host = recipient.rsplit_once('@').map_or("", |(_, host)| host);
        let kind = if words::after(host, "lists.").is_some() {
            HandlerKind::List
        } else {
            HandlerKind::Forwarder
        };
        add(&mut found, kind, recipient, "another recipient above");
    }
    found
}

/// The mailbox that sent the mail on: the lines of its own domain name it, and a line above them
/// names a recipient elsewhere. A machine that hands mail to itself renames recipients as it likes.
fn sent_on(hops: &[Hop]) -> Option<&str> {
    let named: Vec<(&Hop, &str, &str)> = hops
        .iter()
        .filter(|h| h.role != Role::Fetch)
        .filter_map(|h| {
            let recipient = h.recipient.as_deref()?;
            Some((h, recipient, recipient.rsplit_once('@')?.1))
        })
        .collect();
    named.windows(2).find_map(|pair| {
        let [(lower, recipient, home), (upper, _, other)] = pair else {
            return None;
        };
        let by = lower.by.best_name()?;
        let moved = net::same_organisation(by, home)
            && !net::same_organisation(home, other)
            && net::registered(other).is_some_and(|d| d.contains('.'))
            && upper.zone == Some(Zone::Public);
        moved.then_some(*recipient)
    })
}

fn add(found: &mut Vec<Handler>, kind: HandlerKind, name: &str, sign: &'static str) {
    const MAX_HANDLERS: usize = 20;
    let known = found
        .iter()
        .any(|h| h.kind == kind && h.name.eq_ignore_ascii_case(name));
    if !known && found.len() < MAX_HANDLERS {
        found.push(Handler {
            kind,
            name: cut(name, MAX_NAME),
            sign,
        });
    }
}

/// Who rewrote a sender address, and by which scheme. BATV and VERP are the sender's own doing.
pub(crate) fn rewritten(address: &str) -> Option<(String, &'static str)> {
    let (local, domain) = address.rsplit_once('@')?;
    let srs = |mark: &str| {
        words::after(local, mark).is_some_and(|rest| rest.starts_with(['=', '+', '-']))
    };
    if srs("SRS0") || srs("SRS1") || words::find(local, "+srs=").is_some() {
        return Some((domain.to_owned(), "SRS"));
    }
    // Gmail: `user+caf_=other=there.example@gmail.com`.
    if let Some(at) = words::find(local, "+caf_=") {
        let user = local.get(..at)?;
        return Some((format!("{user}@{domain}"), "+caf_="));
    }
    None
}

/// `SRS1=HASH=forwarder==…`: the one who rewrote the address before the last one did.
fn first_forwarder(address: &str) -> Option<&str> {
    let (_, rest) = words::after(address, "SRS1")?.get(1..)?.split_once('=')?;
    let (name, _) = rest.split_once("==")?;
    words::host_name(name)
}

/// What SRS coded into a local part, `HASH=TT=domain=user`: behind `SRS0=`, behind the first
/// forwarder in `SRS1=HASH=forwarder==HASH=TT=domain=user`, or (Microsoft) behind `user+SRS=`.
fn srs(local: &str) -> Option<&str> {
    if let Some(rest) = words::after(local, "SRS0") {
        return rest.get(1..);
    }
    if let Some(rest) = words::after(local, "SRS1") {
        let at = rest.find("==").or_else(|| rest.find("=+"))?;
        return rest.get(at + 2..);
    }
    let at = words::find(local, "+srs=")?;
    local.get(at + "+srs=".len()..)
}

/// The address behind a rewritten sender: SRS, BATV (`prvs=`), VERP.
pub(crate) fn unwrapped(address: &str) -> Option<(String, &'static str)> {
    let (local, domain) = address.trim_matches(['<', '>']).rsplit_once('@')?;
    if let Some(coded) = srs(local) {
        let mut parts = coded.splitn(4, '=');
        let (_hash, _day) = (parts.next()?, parts.next()?);
        let (original, user) = (parts.next()?, parts.next()?);
        return Some((format!("{user}@{original}"), "SRS"));
    }
    for mark in ["prvs=", "msprvs1=", "btv1=="] {
        if let Some(rest) = words::after(local, mark) {
            let (_, user) = rest.split_once('=')?;
            let user = user.trim_start_matches('=');
            return Some((format!("{user}@{domain}"), "BATV"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewritten_senders_give_both_who_did_it_and_who_it_was() {
        let srs = "SRS0=HHHH=TT=example.com=alice@forward.example.net";
        assert_eq!(
            rewritten(srs).unwrap(),
            ("forward.example.net".into(), "SRS")
        );
        assert_eq!(unwrapped(srs).unwrap(), ("alice@example.com".into(), "SRS"));
        let gmail = "bob+caf_=carol=example.org@gmail.com";
        assert_eq!(
            rewritten(gmail).unwrap(),
            ("bob@gmail.com".into(), "+caf_=")
        );
        let batv = "prvs=1234abcdef=alice@example.com";
        assert_eq!(
            unwrapped(batv).unwrap(),
            ("alice@example.com".into(), "BATV")
        );
        let microsoft = "bob+SRS=44ldt=IX=example.com=alice@tenant.example";
        assert_eq!(
            rewritten(microsoft).unwrap(),
            ("tenant.example".into(), "SRS")
        );
        // The second forwarder, and Microsoft, keep who it was; a bounce address of theirs does not.
        let twice = "SRS1=Xy1z=fwd.example.net==HHHH=TT=example.com=alice@fwd2.example.net";
        for address in [microsoft, twice] {
            let found = unwrapped(address).unwrap();
            assert_eq!(found, ("alice@example.com".into(), "SRS"), "{address}");
        }
        assert_eq!(first_forwarder(twice), Some("fwd.example.net"));
        assert_eq!(first_forwarder(srs), None);
        assert_eq!(unwrapped("bounces+SRS=44ldt=IX@tenant.example"), None);
        assert_eq!(
            unwrapped("btv1==0123==alice@example.com").unwrap().0,
            "alice@example.com"
        );
        assert_eq!(rewritten(batv), None);
        assert_eq!(unwrapped("alice@example.com"), None);
    }

    #[test]
    fn a_forwarder_shows_in_the_recipient_of_the_line_above() {
        let way = |home: &str, next: &str| {
            let header = format!(
                "Received: from fw.b.example (fw.b.example [192.0.2.2]) by mx.d.example (Postfix) with ESMTP id 2 for <{next}>; 2 Mar 2026 09:15:31 +0000\n\
                 Received: from a.example (a.example [192.0.2.1]) by fw.b.example (Postfix) with ESMTP id 1 for <{home}>; 2 Mar 2026 09:15:30 +0000\n\n"
            );
            let way = crate::route::of(&Head::parse(header.as_bytes()), &[]);
            let all = way.handlers.iter();
            all.map(|h| format!("{:?} {}", h.kind, h.name))
                .collect::<String>()
        };
        assert_eq!(
            way("bob@b.example", "bob@d.example"),
            "Forwarder bob@b.example"
        );
        // The same person, another mailbox of the house, and a server that is nobody's home.
        assert_eq!(way("bob@b.example", "bob@b.example"), "");
        assert_eq!(way("bob@b.example", "bob.b@mail.b.example"), "");
        assert_eq!(way("bob@c.example", "bob@d.example"), "");
        assert_eq!(way("bob@b.example", "bob@localhost"), "");
        let list = way("talk@lists.b.example", "bob@d.example");
        assert_eq!(list, "List talk@lists.b.example");
    }

    #[test]
    fn a_list_is_known_by_its_fields() {
        let head = Head::parse(b"List-Id: The list <dev.lists.example.org>\nList-Post: <mailto:dev@lists.example.org>\n\n");
        assert_eq!(list_domain(&head).as_deref(), Some("dev.lists.example.org"));
        assert_eq!(handlers(&head, &[])[0].name, "dev@lists.example.org");
    }
}
