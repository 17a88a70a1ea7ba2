//! What each server is on the road MUA → MSA → MTA → (MFA) → MDA, with lists and collectors.

use crate::route::hop::{Hop, Role};
use crate::route::known::{self, FILTER_PROTOCOLS, FILTERS, HANDED_BACK, SUBMISSION};
use crate::route::net::{self, Zone};
use crate::route::received::words;

/// Gives every hop its roles. `list` is the domain of the mailing list, when there is one.
pub(crate) fn assign(hops: &mut [Hop], list: Option<&str>) {
    let last = hops.len().saturating_sub(1);
    let mut list_seen = false;
    let mut before: Option<(Role, Option<String>)> = None;
    for (i, hop) in hops.iter_mut().enumerate() {
        let mut role = by_role(hop, i, last);
        let on_list_host = list.is_some_and(|domain| {
            hop.by
                .best_name()
                .is_some_and(|by| net::same_organisation(by, domain))
        });
        if on_list_host && !list_seen && i > 0 && hop.zone == Some(Zone::Local) && role == Role::Mta
        {
            role = Role::List;
            list_seen = true;
        }
        hop.from_role = from_role(hop, role, before.as_ref());
        hop.role = role;
        before = Some((role, hop.by.best_name().map(str::to_owned)));
    }
}

fn by_role(hop: &Hop, index: usize, last: usize) -> Role {
    if is_collection(hop) {
        return Role::Fetch;
    }
    if is_filter(hop) {
        return Role::Mfa;
    }
    let mailbox_via = hop
        .via
        .as_deref()
        .is_some_and(|v| v.eq_ignore_ascii_case("Mailbox Transport"));
    let store = hop.spoke("lmtp") || hop.spoke("utf8lmtp") || mailbox_via;
    let store = store || hop.runs("cyrus") || hop.runs("dovecot") && index > 0;
    // The last hop within Microsoft 365 and within Gmail is the one into the mailbox.
    let cloud_store = index == last && index > 0 && (hop.spoke("https") || is_google_store(hop));
    if store || cloud_store {
        return Role::Mda;
    }
    if is_submission(hop, index) {
        return Role::Msa;
    }
    if hop.by.best_name().and_then(known::service).is_some() {
        return Role::Mfa;
    }
    Role::Mta
}

/// Microsoft 365 in the middle of the way, between strangers before it and the recipients' own
/// servers behind it, filters for them; where it sent the mail on, its servers are just servers.
pub(crate) fn filtering_cloud(hops: &mut [Hop]) {
    const DOOR: &str = ".mail.protection.outlook.com";
    let inside = |h: &Hop| h.by.best_name().is_some_and(is_cloud);
    let mut at = 0;
    while let Some(rest) = hops.get_mut(at..).filter(|rest| !rest.is_empty()) {
        let run = rest.iter().take_while(|h| inside(h)).count();
        let left = rest.get(run).is_some_and(|h| h.zone == Some(Zone::Public));
        if let Some((first, others)) = rest.get_mut(..run).and_then(<[Hop]>::split_first_mut) {
            let host = first.by.host.as_deref().unwrap_or_default();
            let entered = first.zone == Some(Zone::Public) && words::ends_with(host, DOOR);
            let stored = |h: &Hop| !matches!(h.role, Role::Mta) || h.spoke("mapi");
            if left && entered && first.role == Role::Mta && !others.iter().any(stored) {
                first.role = Role::Mfa;
                if let Some(next) = others.first_mut() {
                    next.from_role = Role::Mfa;
                }
            }
        }
        at += run.max(1);
    }
}

/// A server of Microsoft 365.
pub(crate) fn is_cloud(host: &str) -> bool {
    net::same_organisation(host, "outlook.com")
}

fn is_google_store(hop: &Hop) -> bool {
    hop.by
        .host
        .as_deref()
        .is_some_and(|h| h.starts_with("2002:a"))
        && hop.from.ip.is_none()
}

pub(crate) fn is_collection(hop: &Hop) -> bool {
    hop.spoke("imap")
        || hop.spoke("pop")
        || ["fetchmail", "getmail", "mpop"].iter().any(|p| hop.runs(p))
}

pub(crate) fn is_filter(hop: &Hop) -> bool {
    FILTERS.iter().any(|f| hop.runs(f))
        || FILTER_PROTOCOLS.iter().any(|p| hop.spoke(p))
        || hop.runs("port 1002")
}

/// Mail handed over by its author: authenticated, from a web program, or by a program on the
/// machine; a plain client in a private net talking to the first server counts too.
fn is_submission(hop: &Hop, index: usize) -> bool {
    let web = hop.spoke("http")
        || hop
            .via
            .as_deref()
            .is_some_and(|v| v.eq_ignore_ascii_case("HTTP"));
    if hop.authenticated && !hop.spoke("lmtp") {
        return true;
    }
    if index > 0 {
        return false;
    }
    let host = hop.by.host.as_deref().unwrap_or_default();
    let asked = SUBMISSION.iter().any(|s| words::after(host, s).is_some());
    web || hop.spoke("mapi")
        || hop.is_local_submission()
        // A line without any client is of the server itself: its own notice, or mail put back.
        || hop.zone == Some(Zone::Local) && (hop.from.ip.is_some() || hop.from.names().any(|_| true))
        || (hop.zone == Some(Zone::Private) && (asked || !has_full_name(hop)))
}

fn has_full_name(hop: &Hop) -> bool {
    hop.from.names().any(|n| net::registered(n).is_some())
}

fn from_role(hop: &Hop, role: Role, before: Option<&(Role, Option<String>)>) -> Role {
    let handed_back = hop
        .from
        .helo
        .as_deref()
        .is_some_and(|helo| HANDED_BACK.iter().any(|f| f.eq_ignore_ascii_case(helo)));
    if handed_back {
        return Role::Mfa;
    }
    match before {
        _ if role == Role::List => Role::List,
        None if role == Role::Msa => Role::Mua,
        Some((before, _)) => *before,
        None => Role::Mta,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(bodies: &[&str], list: Option<&str>) -> Vec<&'static str> {
        let mut hops: Vec<Hop> = bodies
            .iter()
            .enumerate()
            .map(|(i, b)| Hop::read(i + 1, i, b))
            .collect();
        assign(&mut hops, list);
        hops.iter().map(|h| h.role.id()).collect()
    }

    #[test]
    fn the_whole_road_is_named() {
        assert_eq!(
            roles(
                &[
                    "from [192.168.1.2] (dyn.example.net [198.51.100.9]) by smtp.example.com (Postfix) with ESMTPSA id 1",
                    "from smtp.example.com (smtp.example.com [192.0.2.1]) by mx.example.org (Postfix) with ESMTPS id 2",
                    "from mx.example.org ([127.0.0.1]) by localhost (mx.example.org [127.0.0.1]) (amavis, port 10024) with ESMTP id 3",
                    "from localhost (localhost [127.0.0.1]) by mx.example.org (Postfix) with ESMTP id 4",
                    "from mx.example.org by store.example.org with LMTP id 5",
                    "from store.example.org [192.0.2.7] by localhost with IMAP (fetchmail-6.4.38)",
                ],
                None
            ),
            ["msa", "mta", "mfa", "mta", "mda", "fetch"]
        );
    }

    #[test]
    fn a_list_shows_as_the_loopback_hop_of_its_host() {
        assert_eq!(
            roles(
                &[
                    "from a.example.com (a.example.com [192.0.2.1]) by lists.example.org (Postfix) with ESMTP id 1",
                    "from lists.example.org (localhost [IPv6:::1]) by lists.example.org (Postfix) with ESMTP id 2",
                    "from lists.example.org (lists.example.org [192.0.2.9]) by mx.example.net with ESMTP id 3",
                ],
                Some("lists.example.org")
            ),
            ["mta", "list", "mta"]
        );
    }

    #[test]
    fn a_service_in_the_middle_of_the_way_is_a_filter() {
        let of = |service: &str| {
            let into = format!(
                "from a.example.com (a.example.com [192.0.2.1]) by {service} with ESMTPS id 1"
            );
            let out = format!(
                "from {service} ({service} [198.51.100.7]) by mx.example.org (Postfix) with ESMTPS id 2"
            );
            roles(&[&into, &out], None)
        };
        for service in [
            "eu-smtp-1.mimecast.com",
            "esa1.hc12-3.iphmx.com",
            "mx1.mxlogic.net",
        ] {
            assert_eq!(of(service), ["mfa", "mta"], "{service}");
        }
        assert_eq!(of("relay.isp.example"), ["mta", "mta"]);
        // Its own customers hand mail over to it.
        let own = "from pc (cpe.example.net [198.51.100.9]) by smtp.mimecast.com with ESMTPSA id 1";
        assert_eq!(roles(&[own], None), ["msa"]);
    }

    #[test]
    fn microsoft_365_filters_for_those_who_have_their_mailboxes_elsewhere() {
        const INTO: &str = "from a.example.com (192.0.2.1) by DB5EUR02FT022.mail.protection.outlook.com (10.13.58.99) with Microsoft SMTP Server id 15.20.1.1 via Frontend Transport";
        const INNER: &str = "from DB5PR01CA0012.eurprd01.prod.outlook.com (2603:10a6:4::1) by AM0PR01MB0007.eurprd01.prod.outlook.com (2603:10a6:208:9::7) with Microsoft SMTP Server id 15.20.1.1";
        const OUT: &str = "from EUR05-DB8-obe.outbound.protection.outlook.com (mail-db8eur05on2101.outbound.protection.outlook.com [40.107.20.101]) by mx.example.org (Postfix) with ESMTPS id 2";
        let of = |more: &str| {
            let lines = [OUT, INNER, INTO]
                .map(|l| format!("Received: {l}; Mon, 2 Mar 2026 09:00:00 +0000\n"));
            let header = format!("{more}{}\n", lines.concat());
            let head = crate::message::layer::Head::parse(header.as_bytes());
            let way = crate::route::of(&head, &[]);
            way.hops.iter().map(|h| h.role.id()).collect::<Vec<_>>()
        };
        assert_eq!(of(""), ["mfa", "mta", "mta"]);
        // There it was sent on.
        let path = "Return-Path: <bob+SRS=44ldt=IX=example.com=alice@tenant.example>\n";
        assert_eq!(of(path), ["mta", "mta", "mta"]);
    }

    #[test]
    fn programs_web_mail_and_mailbox_servers_are_submissions() {
        for body in [
            "by web.example.com (Postfix, from userid 33) id 1",
            "(from alice@localhost) by host.example.com (8.17.1/8.17.1/Submit) id 1",
            "from www-data by web.example.com with local (Exim 4.98) id 1",
            "from 198.51.100.85 (SquirrelMail authenticated user alice) by webmail.example.com with HTTP",
            "from a.example.com ([fe80::1]) by a.example.com ([fe80::1%6]) with mapi id 15.20.9611.012",
            "from [198.51.100.60] by web100.mail.example.com via HTTP",
        ] {
            assert_eq!(roles(&[body], None), ["msa"], "{body}");
        }
        let notice = "by mx.example.org (Postfix) id 4AB12CD34E";
        assert_eq!(roles(&[notice], None), ["mta"]);
        let direct =
            "from a.example.com (a.example.com [192.0.2.1]) by mx.example.org with ESMTP id 1";
        assert_eq!(roles(&[direct], None), ["mta"]);
    }
}
