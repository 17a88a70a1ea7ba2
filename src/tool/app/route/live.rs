//! `route --live`: the reverse name and the SPF of the client at the border, the signatures and
//! the ARC chain, asked of the DNS now.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::timeout;

use crate::dns::Lookup;
use crate::posture::{Asker, rdns, signature, spf};
use crate::route::live::{Arc, Live, Reverse, Signature, Spf, Stranger};
use crate::route::{Hop, Route, net};

/// How long one question waits.
pub(super) const WAIT: Duration = Duration::from_secs(3);
/// All questions about one message: what is not known by then is said not to be known.
const WHOLE: Duration = Duration::from_secs(20);
const TOO_LATE: &str = "no answer in time";

/// Asks everything that the route and the message give rise to. Without the bytes of a whole
/// message there are no signatures to verify.
pub(super) async fn ask<L: Lookup>(
    lookup: &L,
    wait: Duration,
    way: &Route,
    message: Option<&[u8]>,
) -> Live {
    let asker = Asker::new(lookup, wait);
    let mut live = Live::default();
    let stranger = way.stranger();
    let client = async {
        match &stranger {
            Ok(stranger) => {
                let (rdns, spf) = tokio::join!(reverse(asker, stranger), sender(asker, stranger));
                (Some(rdns), spf)
            }
            Err(_) => (None, None),
        }
    };
    let mail = message.map(signature::Mail::read);
    let signed = async {
        match &mail {
            Some(mail) => {
                tokio::join!(signatures(asker, mail, way), chain(asker, mail))
            }
            None => (Vec::new(), None),
        }
    };
    let ((rdns, spf), (dkim, arc)) = tokio::join!(client, signed);
    live.skipped = stranger.err();
    live.rdns = rdns;
    live.spf = spf;
    live.dkim = dkim;
    live.arc = arc;
    live
}

async fn reverse<L: Lookup>(asker: Asker<'_, L>, stranger: &Stranger) -> Reverse {
    let found = timeout(WHOLE, rdns::look_up(asker, stranger.ip)).await;
    let (name, confirmed, why) = match found {
        Ok(found) => (
            found.name,
            found.confirmed,
            found.failure.map(|f| f.to_string()),
        ),
        Err(_) => (None, None, Some(TOO_LATE.to_owned())),
    };
    Reverse {
        ip: stranger.ip,
        hop: stranger.hop,
        name,
        confirmed,
        why,
    }
}

/// RFC 7208 §2.4: the domain of the envelope sender; the name in HELO when there is none.
async fn sender<L: Lookup>(asker: Asker<'_, L>, stranger: &Stranger) -> Option<Spf> {
    let envelope = stranger.sender.as_deref().and_then(|s| s.rsplit_once('@'));
    let (local, domain, identity) = match envelope {
        Some((local, domain)) => (local, domain, "mailfrom"),
        None => ("postmaster", stranger.helo.as_str(), "helo"),
    };
    let domain = domain.trim_matches(['[', ']']);
    // A word without a dot and an address are no domains that could have a record.
    net::registered(domain).filter(|_| domain.contains('.'))?;
    let question = spf::Sender {
        ip: stranger.ip,
        local,
        domain,
        helo: &stranger.helo,
    };
    let (result, why) = match timeout(WHOLE, spf::evaluate(asker, &question)).await {
        Ok(verdict) => {
            let decided = verdict
                .decided_by
                .map(|(domain, term)| format!("{term} in the record of {domain}"));
            let trouble = verdict.troubles.first().map(spf::Trouble::to_string);
            (verdict.outcome.id(), trouble.or(decided))
        }
        Err(_) => ("temperror", Some(TOO_LATE.to_owned())),
    };
    Some(Spf {
        ip: stranger.ip,
        hop: stranger.hop,
        domain: domain.to_owned(),
        identity,
        result,
        why,
    })
}

async fn signatures<L: Lookup>(
    asker: Asker<'_, L>,
    mail: &signature::Mail<'_>,
    way: &Route,
) -> Vec<Signature> {
    let author = way.message.from.as_deref().and_then(|f| f.rsplit_once('@'));
    let aligned = |domain: &str| author.is_some_and(|(_, d)| net::is_aligned(d, domain));
    let arrived = arrived(way).unwrap_or_else(Utc::now);
    match timeout(WHOLE, signature::verify(asker, mail, arrived)).await {
        Ok(checks) => checks
            .into_iter()
            .map(|check| Signature {
                aligned: aligned(&check.domain),
                result: check.result(),
                changed: check.fault.is_some_and(signature::Fault::is_change),
                why: check.fault.map(|f| f.to_string()),
                uncovered: check.uncovered,
                domain: check.domain,
                selector: check.selector,
            })
            .collect(),
        Err(_) => way
            .authentication
            .dkim
            .iter()
            .map(|one| Signature {
                domain: one.domain.clone(),
                selector: one.selector.clone(),
                result: "temperror",
                why: Some(TOO_LATE.to_owned()),
                changed: false,
                uncovered: 0,
                aligned: one.aligned,
            })
            .collect(),
    }
}

/// When the message came to the own side, as its own servers say; else to the last server at all.
fn arrived(way: &Route) -> Option<DateTime<Utc>> {
    let border = way.border.and_then(|n| way.hops.get(n.checked_sub(1)?));
    let of = |hop: &Hop| hop.time.and_then(|time| time.moment());
    let moment = border.and_then(of).or_else(|| way.hops.last().and_then(of));
    moment.map(|at| at.to_utc())
}

async fn chain<L: Lookup>(asker: Asker<'_, L>, mail: &signature::Mail<'_>) -> Option<Arc> {
    match timeout(WHOLE, signature::verify_chain(asker, mail)).await {
        Ok(found) => found.map(|chain| Arc {
            result: chain.result(),
            sets: chain.sets,
            sealer: chain.sealer,
            why: chain.fault.map(|(at, fault)| (at, fault.to_string())),
        }),
        Err(_) => Some(Arc {
            sets: 0,
            sealer: None,
            result: "temperror",
            why: Some((0, TOO_LATE.to_owned())),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::world::{Entry, World};
    use crate::dns::{Data, Failure, Name};
    use crate::message::layer;

    const SEALED: &str = include_str!("../../../../testdata/signed/sealed.eml");
    const KEYS: &str = include_str!("../../../../testdata/signed/keys.toml");

    fn world() -> World {
        let ptr = Entry {
            data: vec![Data::Ptr(Name::parse("out.lists.example").unwrap())],
            ..Entry::default()
        };
        World::from_toml(KEYS)
            .unwrap()
            .name("9.100.51.198.in-addr.arpa", ptr)
            .addresses("out.lists.example", &["198.51.100.9"])
            .text("lists.example", b"v=spf1 ip4:198.51.100.0/24 -all")
            .text("author.example", b"v=spf1 ip4:192.0.2.1 -all")
    }

    fn way(mail: &str) -> Route {
        crate::route::of(&layer::open(mail.as_bytes()).head, &[])
    }

    async fn learned(mail: &str, world: &World) -> Route {
        let mut way = way(mail);
        let live = ask(world, WAIT, &way, Some(mail.as_bytes())).await;
        way.learn(live);
        way
    }

    #[tokio::test]
    async fn everything_about_the_sender_is_asked_and_told() {
        let mail = format!("Return-Path: <talk-bounces@lists.example>\n{SEALED}");
        let way = learned(&mail, &world()).await;
        let live = way.live.unwrap();
        let rdns = live.rdns.unwrap();
        assert_eq!(rdns.name.as_deref(), Some("out.lists.example"));
        assert_eq!(rdns.confirmed, Some(true));
        let spf = live.spf.unwrap();
        assert_eq!((spf.result, spf.domain.as_str()), ("pass", "lists.example"));
        let dkim: Vec<_> = live.dkim.iter().map(|d| (d.result, d.aligned)).collect();
        assert_eq!(dkim, [("pass", true), ("pass", false)]);
        assert_eq!(live.arc.unwrap().result, "pass");
        assert!(!way.findings.iter().any(|f| f.code.starts_with("live-")));
    }

    #[tokio::test]
    async fn what_does_not_hold_today_is_a_finding_and_no_forgery() {
        let mail = SEALED.replace("the text of", "the lies of");
        let mail = format!("Return-Path: <alice@author.example>\n{mail}");
        let way = learned(&mail, &world()).await;
        let codes: Vec<_> = way.findings.iter().map(|f| f.code).collect();
        for code in ["live-spf", "live-dkim", "live-arc"] {
            assert!(codes.contains(&code), "{code}: {codes:?}");
        }
        // The mail names a list, and lists change mail.
        let changed = way.findings.iter().find(|f| f.code == "live-dkim").unwrap();
        assert_eq!(changed.severity, crate::route::Severity::Info);
    }

    #[tokio::test]
    async fn a_signature_counts_as_of_the_arrival_and_says_what_it_leaves_open() {
        let live = |way: &Route| {
            let dkim = &way.live.as_ref().unwrap().dkim[0];
            let why = dkim.remark().map(std::borrow::Cow::into_owned);
            (dkim.result, why.unwrap_or_default())
        };
        let arrives = |day: u32, mail: &str| {
            format!(
                "Received: from out.x.test (out.x.test [198.51.100.9]) by mx.example.org \
                 (Postfix) with ESMTP id 1; Mon, {day} Nov 2023 09:16:00 +0000\n{mail}"
            )
        };
        let (signer, body) = signature::tests::signer();
        // Made on the 14th of November 2023.
        let world = World::new().text(&signer.record().0, signer.record().1.as_bytes());
        let expiring = signature::tests::signed("x=1700086400; ", None);
        let way = learned(&arrives(15, &expiring), &world).await;
        assert_eq!(live(&way), ("pass", String::new()));
        let way = learned(&arrives(16, &expiring), &world).await;
        let (result, why) = live(&way);
        assert_eq!(result, "fail");
        assert!(why.contains("15 November 2023, 22:13 UTC"), "{why}");
        let found = way.findings.iter().find(|f| f.code == "live-dkim").unwrap();
        assert!(found.text.contains("does not hold: it held until"));
        let partial = signature::tests::signed("l=4; ", Some(4));
        let way = learned(&arrives(15, &format!("{partial}more\r\n")), &world).await;
        let (result, why) = live(&way);
        let open = format!("last {} octets", body.len() - 4 + "more\r\n".len());
        assert!(result == "pass" && why.contains(&open), "{why}");
        let codes: Vec<_> = way.findings.iter().map(|f| (f.code, f.severity)).collect();
        assert!(codes.contains(&("live-dkim-partial", crate::route::Severity::Warning)));
    }

    #[tokio::test]
    async fn nothing_is_asked_about_private_addresses() {
        let world = world();
        let mail = "Received: from pc (pc [192.168.1.9]) by mx.example.org (Postfix) with ESMTP id 1; \
            Mon, 2 Mar 2026 09:16:00 +0000\nFrom: a@author.example\n\nx\n";
        let way = learned(mail, &world).await;
        assert!(way.live.unwrap().skipped.is_some());
        assert_eq!(world.asked().len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_in_time_and_is_told_as_such() {
        let world = World::new()
            .zone("example", Entry::failing(Failure::Timeout))
            .zone("in-addr.arpa", Entry::failing(Failure::Timeout));
        let started = tokio::time::Instant::now();
        let mail = format!("Return-Path: <a@author.example>\n{SEALED}");
        let way = learned(&mail, &world).await;
        assert!(started.elapsed() <= WHOLE + WAIT, "{:?}", started.elapsed());
        let live = way.live.unwrap();
        assert!(live.is_silence());
        assert_eq!(live.rdns.unwrap().confirmed, None);
        assert_eq!(live.spf.unwrap().result, "temperror");
    }
}
