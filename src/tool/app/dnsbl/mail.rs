//! What a message is asked about: the address that a bounce calls listed, the origin and the
//! relays, the domains of the sender, of the signatures and of the links.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::bounce;
use crate::bounce::explanation::{Explanation, Report};
use crate::dns::Name;
use crate::dnsbl::subject::Subject;
use crate::dnsbl::target::{Derived, Target};
use crate::message::addresses;
use crate::message::inner::Descend;
use crate::message::layer::{self, Block, BlockKind, Layer};
use crate::route::{self, Doubt, net};
use crate::scope::Scope;

/// Addresses and domains of one message that are asked about: real mail has fewer.
const MOST_ADDRESSES: usize = 16;
const MOST_DOMAINS: usize = 16;
/// Links are looked for in this much of a text.
const MOST_TEXT: usize = 256 * 1024;
/// So much of a link is looked at: login, name (RFC 1035: 255) and port stand at its start. Without
/// an end, a text that is one endless link would be read anew for each `://` in it.
const MOST_HOST: usize = 400;

/// The subjects of a message, the most telling first.
pub(super) fn subjects(input: &[u8]) -> Vec<Derived> {
    let outermost = layer::open(input);
    let notices = bounce::explain::explain_layer(&outermost);
    let mut found = Found::default();
    if notices.iter().all(|notice| notice.report == Report::None) {
        found.mail(&outermost);
        return found.all;
    }
    named(&notices, &mut found);
    // The original comes back innermost; the way of the bounce itself says nothing about us.
    let mut original = Found::default();
    outermost.walk(&mut |layer| {
        if !layer.wraps.is_empty()
            && layer
                .head
                .fields
                .iter()
                .any(|f| f.name.eq_ignore_ascii_case("from"))
        {
            original = Found::default();
            original.mail(layer);
        }
        Descend::Into
    });
    for derived in original.all {
        found.add(derived.subject, derived.from);
    }
    found.all
}

/// What the refusals in a bounce call listed.
fn named(notices: &[Explanation], found: &mut Found) {
    let listings = notices
        .iter()
        .flat_map(|notice| &notice.recipients)
        .filter_map(|r| r.dnsbl.as_ref());
    for listing in listings {
        let by = listing
            .zone
            .as_deref()
            .map_or_else(String::new, |zone| format!(" ({zone})"));
        if let Some(ip) = listing.ip {
            found.address(ip, format!("the address that the bounce calls listed{by}"));
        }
        if let Some(domain) = &listing.domain {
            found.domain(
                domain,
                &format!("the domain that the bounce calls listed{by}"),
            );
        }
    }
}

#[derive(Default)]
struct Found {
    all: Vec<Derived>,
    seen: HashSet<Subject>,
    addresses: usize,
    domains: usize,
}

impl Found {
    fn add(&mut self, subject: Subject, from: Option<String>) {
        if self.seen.insert(subject.clone()) {
            self.all.push(Derived { subject, from });
        }
    }

    fn address(&mut self, ip: IpAddr, from: String) {
        if self.addresses < MOST_ADDRESSES && Scope::of(ip).is_public() {
            self.addresses += 1;
            self.add(ip.into(), Some(from));
        }
    }

    /// A domain, or whatever has one: a mail address, a link.
    fn domain(&mut self, text: &str, from: &str) {
        match Target::parse(text) {
            Some(Target::Name(name)) if self.domains < MOST_DOMAINS && !is_local(&name) => {
                self.domains += 1;
                self.add(Subject::Domain(name), Some(from.to_string()));
            }
            Some(Target::Address(ip)) => self.address(ip, from.to_string()),
            _ => {}
        }
    }

    fn mail(&mut self, mail: &Layer<'_>) {
        self.way(mail);
        let field = |name: &'static str| {
            mail.head
                .fields
                .iter()
                .filter(move |f| f.name.eq_ignore_ascii_case(name))
        };
        for sender in field("from") {
            if let Some(address) = addresses::clean(&sender.value()) {
                self.domain(address, "the domain of the sender");
            }
        }
        for path in field("return-path") {
            if let Some(address) = addresses::clean(&path.body) {
                self.domain(address, "the domain of the envelope sender");
            }
        }
        for signature in field("dkim-signature") {
            // RFC 6376 §3.5: tags are divided by semicolons, blanks mean nothing.
            let tags = signature
                .body
                .split(';')
                .filter_map(|tag| tag.split_once('='));
            let domain = tags
                .filter(|(name, _)| name.trim() == "d")
                .map(|(_, value)| value)
                .next();
            if let Some(domain) = domain {
                self.domain(domain.trim(), "the domain of the DKIM signature");
            }
        }
        self.links(mail);
    }

    /// The origin first, as far down as the lines can be believed, then who handed the mail over and
    /// the other relays. What a made-up line names, a stranger chose; an inner machine of a provider
    /// sends to nobody.
    fn way(&mut self, mail: &Layer<'_>) {
        let way = route::of(&mail.head, &[]);
        let broken = way
            .findings
            .iter()
            .filter(|f| f.code == "unconfirmed")
            .filter_map(|f| f.hop)
            .max()
            .unwrap_or(0);
        let origin = way.origin.as_ref().map_or(0, |origin| origin.hop);
        let first = way.hops.iter().filter(|h| h.n == origin);
        let rest = way.hops.iter().rev().filter(|h| h.n != origin);
        for hop in first.chain(rest) {
            let Some(ip) = hop.from.ip else { continue };
            let inner = hop.from.names().any(|name| net::is_inner(name, ip));
            if inner || way.doubt(hop.n) == Doubt::Forged {
                continue;
            }
            let by = hop.by.best_name();
            let seen = by.map_or_else(String::new, |by| format!(", as {by} saw it"));
            let told = match hop.n {
                n if n == origin && way.border != Some(n) && hop.authenticated => {
                    format!("the origin of the mail (the author's own line){seen}")
                }
                n if n == origin => format!("the origin of the mail{seen}"),
                n if n <= broken => format!("a relay that nothing confirms{seen}"),
                n if way.border == Some(n) => format!("the server that handed the mail over{seen}"),
                _ => format!("a relay on the way{seen}"),
            };
            self.address(ip, told);
        }
        for field in &mail.head.fields {
            if field.name.eq_ignore_ascii_case("x-originating-ip") {
                let ip = field.body.trim().trim_matches(['[', ']']).parse();
                if let Ok(ip) = ip {
                    self.address(
                        ip,
                        "the author's address, as X-Originating-IP claims".into(),
                    );
                }
            }
        }
    }

    fn links(&mut self, mail: &Layer<'_>) {
        let texts = mail
            .blocks_of(BlockKind::Plain)
            .chain(mail.blocks_of(BlockKind::Html));
        for text in texts.map(Block::text) {
            for (at, _) in text
                .match_indices("://")
                .take_while(|(at, _)| *at < MOST_TEXT)
            {
                let before = text.get(..at).unwrap_or_default();
                let Some(scheme) = ["https", "http"].into_iter().find(|s| before.ends_with(s))
                else {
                    continue;
                };
                let rest = text.get(at + 3..).unwrap_or_default();
                let host: String = rest
                    .chars()
                    .take(MOST_HOST)
                    .take_while(|c| !c.is_whitespace() && !"\"'<>)]}\\,".contains(*c))
                    .collect();
                self.domain(&format!("{scheme}://{host}"), "the domain of a link");
                if self.domains >= MOST_DOMAINS {
                    return;
                }
            }
        }
    }
}

/// Names that no list of the world knows (RFC 6761, RFC 6762).
fn is_local(name: &Name) -> bool {
    let last = name.labels().last().unwrap_or_default();
    matches!(
        last,
        "local" | "localhost" | "localdomain" | "lan" | "internal" | "invalid" | "arpa"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(mail: &str) -> Vec<(String, String)> {
        let all = subjects(mail.as_bytes());
        all.into_iter()
            .map(|d| (d.subject.to_string(), d.from.unwrap()))
            .collect()
    }

    const MAIL: &str = "Return-Path: <bounces@mailer.example>\n\
        Received: from relay.example.org (relay.example.org [11.22.33.9])\n\
        \tby mx.example.com (Postfix) with ESMTPS id 4X; Sun, 28 Mar 2004 23:54:14 -0800\n\
        Received: from pc (unknown [192.168.1.50])\n\
        \tby relay.example.org (Postfix) with ESMTPA id 4Y; Sun, 28 Mar 2004 23:54:10 -0800\n\
        DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\n\
        \td=signer.example; s=x; b=abc\n\
        From: Dee <dee@shop.example>\n\
        Subject: offer\n\n\
        See http://www.links.example/offer, or <https://other.example?x>.\n";

    #[test]
    fn a_mail_is_asked_about_by_its_origin_relays_and_domains() {
        let all = told(MAIL);
        let subjects: Vec<_> = all.iter().map(|(subject, _)| subject.as_str()).collect();
        assert_eq!(
            subjects,
            [
                "11.22.33.9",
                "shop.example",
                "mailer.example",
                "signer.example",
                "www.links.example",
                "other.example"
            ]
        );
        assert!(
            all[0].1.contains("origin") && all[0].1.contains("mx.example.com"),
            "{all:?}"
        );
    }

    #[test]
    fn what_a_made_up_line_names_is_not_asked_about() {
        let forged = "Received: from shop.example (dsl-7.isp.example [11.22.33.7]) by mx.example.org (Postfix) with ESMTP id 2; Mon, 2 Mar 2026 09:15:31 +0000\n\
            Received: from [11.22.33.8] by 11.22.33.99; Mon, 2 Mar 2026 09:15:30 +0000\n\n";
        let all = told(forged);
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(all[0].0, "11.22.33.7");
        assert_eq!(all[0].1, "the origin of the mail, as mx.example.org saw it");
    }

    #[test]
    fn the_authors_own_line_is_told_from_the_server_that_the_receiver_saw() {
        let sent = "Received: from out.example.com (out.example.com [11.22.33.9]) by mx.example.org (Postfix) with ESMTPS id 2; Mon, 2 Mar 2026 09:15:31 +0000\n\
            Received: from [192.168.1.2] (dsl-7.isp.example [11.22.44.7]) by out.example.com (Postfix) with ESMTPSA id 1; Mon, 2 Mar 2026 09:15:30 +0000\n\
            X-Originating-IP: [11.22.55.7]\n\n";
        let all = told(sent);
        let addresses: Vec<_> = all.iter().map(|(subject, _)| subject.as_str()).collect();
        assert_eq!(addresses, ["11.22.44.7", "11.22.33.9", "11.22.55.7"]);
        assert!(all[0].1.contains("author's own line"), "{all:?}");
        assert!(all[1].1.contains("handed the mail over"), "{all:?}");
        assert!(all[2].1.contains("claims"), "{all:?}");
    }

    #[test]
    fn inner_machines_of_a_provider_are_not_asked_about() {
        let tenant = "Received: from mail-db8.outbound.protection.outlook.com (mail-db8.outbound.protection.outlook.com [40.107.20.101]) by mx.example.org (Postfix) with ESMTPS id 2; Mon, 2 Mar 2026 09:15:31 +0000\n\
            Received: from AS8PR01MB2.eurprd01.prod.outlook.com (2603:10a6:20b:1::2) by DB9PR01MB1.eurprd01.prod.outlook.com (2603:10a6:10:2::5) with Microsoft SMTP Server id 15.20.9654.15; Mon, 2 Mar 2026 09:15:30 +0000\n\n";
        let all = told(tenant);
        let addresses: Vec<_> = all.iter().map(|(subject, _)| subject.as_str()).collect();
        assert_eq!(addresses, ["40.107.20.101"]);
        assert!(all[0].1.contains("origin"), "{all:?}");
    }

    #[test]
    fn a_megabyte_of_links_without_an_end_takes_linear_time() {
        let links = "http://".repeat(150_000);
        let start = std::time::Instant::now();
        let all = told(&format!("From: a@shop.example\nSubject: x\n\n{links}\n"));
        assert_eq!(all.len(), 1, "{all:?}");
        // Quadratic, this took minutes; in a debug build on a busy machine it takes a second.
        assert!(start.elapsed() < std::time::Duration::from_secs(20));
    }

    #[test]
    fn of_a_bounce_the_address_it_names_comes_first() {
        let bounce = "From: MAILER-DAEMON@mx.example.org\nSubject: Undelivered Mail Returned to Sender\n\
            MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
            --b\nContent-Type: text/plain\n\nYour mail could not be delivered.\n\n\
            --b\nContent-Type: message/delivery-status\n\n\
            Reporting-MTA: dns; mx.example.org\n\n\
            Final-Recipient: rfc822; bob@example.com\nAction: failed\nStatus: 5.7.1\n\
            Diagnostic-Code: smtp; 554 5.7.1 Service unavailable; Client host [11.22.33.77]\n \
            blocked using bl.spamcop.net; Blocked\n\n\
            --b\nContent-Type: message/rfc822\n\n";
        let all = told(&format!("{bounce}{MAIL}\n--b--\n"));
        assert_eq!(all[0].0, "11.22.33.77", "{all:?}");
        assert!(all[0].1.contains("bl.spamcop.net"), "{all:?}");
        assert_eq!(all[1].0, "11.22.33.9", "{all:?}");
    }
}
