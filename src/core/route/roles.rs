//! What each server is on the road MUA → MSA → MTA → (MFA) → MDA, with lists and collectors.

use crate::route::hop::{Hop, Role};
use crate::route::net::{self, Zone};

/// Software that looks at mail rather than moves it.
const FILTERS: [&str; 23] = [
    "amavis",
    "maia",
    "rspamd",
    "clamav",
    "clamsmtp",
    "clamd",
    "spamassassin",
    "spamd",
    "spampd",
    "dspam",
    "mailscanner",
    "avmailgate",
    "viruswall",
    "interscan",
    "imsva",
    "avg smtp",
    "spam firewall",
    "assp",
    "dkimproxy",
    "mimedefang",
    "scanmail",
    "esets",
    // Ours, in the chain of `send-test`.
    "mailtrace-filter",
];
/// Protocol words that filters invented.
const FILTER_PROTOCOLS: [&str; 5] = [
    "spam-scanned",
    "scanned-ok",
    "qmail-scanner",
    "spamassassin",
    "interscan",
];
/// What a filter calls itself when it hands mail back.
const FILTER_NAMES: [&str; 3] = ["pps.reinject", "pps.filterd", "spamfilter"];

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
    Role::Mta
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
    let asked = hop.by.host.as_deref().is_some_and(|by| {
        [
            "smtp.",
            "smtps.",
            "submission.",
            "submit.",
            "msa.",
            "mail.",
            "auth.",
        ]
        .iter()
        .any(|s| {
            by.get(..s.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(s))
        })
    });
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
        .is_some_and(|helo| FILTER_NAMES.iter().any(|f| f.eq_ignore_ascii_case(helo)));
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
