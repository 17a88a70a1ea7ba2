//! Loops: one server that had the message more than once. A filter that hands mail back, an
//! archive and a forwarder within one provider look much the same, so it takes more than a second
//! visit: the same recipient a third time, or again behind another one, or under the same queue id.

use std::collections::HashMap;

use super::Case;
use crate::route::finding::{Finding, Severity, Sureness};
use crate::route::hop::{Hop, Role};
use crate::route::known;
use crate::route::net::{self, Zone};

/// So many visits to one server are a loop, whatever the recipients.
const MANY: usize = 15;
/// Behind this many no honest header has a `Delivered-To`.
const MAX_DELIVERED: usize = 50;

/// The stays of a message at one server, each with the indices of its lines there.
struct Stays {
    by: String,
    stays: Vec<Vec<usize>>,
}

pub(super) fn find(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    let hops = &case.route.hops;
    // Hardly any mail sees a server twice.
    let all = if some_twice(hops) {
        stays(hops)
    } else {
        Vec::new()
    };
    let twice = delivered_twice(case);
    let judged = all
        .iter()
        .filter_map(|server| {
            again(hops, &all, server, twice.as_deref())
                .or_else(|| queued_again(hops, server))
                .or_else(|| circled(hops, server))
        })
        .reduce(|best, other| {
            let weight = |f: &Finding| (f.severity, f.confidence);
            if weight(&other) > weight(&best) {
                other
            } else {
                best
            }
        });
    if let Some(finding) = judged {
        found.push(finding);
    } else if let Some(address) = twice {
        let text =
            format!("delivered to {address} more than once: its forwarding leads back to itself");
        found.push(Finding::whole(
            Severity::Warning,
            "delivered-twice",
            Sureness::Medium,
            text,
        ));
    }
}

/// Every server that can be told from others, with its stays in the order of travel.
fn stays(hops: &[Hop]) -> Vec<Stays> {
    let mut all: Vec<Stays> = Vec::new();
    let mut known: HashMap<String, (usize, usize)> = HashMap::new();
    for (i, hop) in hops.iter().enumerate() {
        let Some(by) = public_name(hop) else { continue };
        let Some((at, before)) = known.get_mut(&by) else {
            known.insert(by.clone(), (all.len(), i));
            all.push(Stays {
                by,
                stays: vec![vec![i]],
            });
            continue;
        };
        if let Some(server) = all.get_mut(*at) {
            match server.stays.last_mut() {
                Some(stay) if !went_elsewhere(hops, *before, i) => stay.push(i),
                _ => server.stays.push(vec![i]),
            }
        }
        *before = i;
    }
    all
}

fn public_name(hop: &Hop) -> Option<String> {
    named(hop).map(str::to_ascii_lowercase)
}

fn named(hop: &Hop) -> Option<&str> {
    hop.by.best_name().filter(|n| !net::is_local_name(n))
}

/// Whether one name may stand in two lines; of long ways that is taken for granted.
fn some_twice(hops: &[Hop]) -> bool {
    hops.len() > MANY
        || hops.iter().enumerate().any(|(i, hop)| {
            let name = named(hop);
            name.is_some_and(|name| {
                let mut others = hops.iter().skip(i + 1).filter_map(named);
                others.any(|other| other.eq_ignore_ascii_case(name))
            })
        })
}

/// Between two lines of a server the message was with strangers: a filter, be it on the same
/// machine, next door or a service, and a list give it back, which is no loop.
fn went_elsewhere(hops: &[Hop], before: usize, now: usize) -> bool {
    let between = hops.get(before + 1..now).unwrap_or_default();
    let name = |h: &Hop| h.by.best_name().map(str::to_owned);
    let home = hops.get(now).and_then(name);
    let is_filter = |by: &str| {
        let of_one = |h: &&Hop| h.by.best_name().is_some_and(|f| f.eq_ignore_ascii_case(by));
        known::is_filter_host(by) || between.iter().filter(of_one).any(|h| h.role == Role::Mfa)
    };
    between.iter().any(|h| {
        let (Some(by), Some(home)) = (h.by.best_name(), &home) else {
            return false;
        };
        h.zone == Some(Zone::Public)
            && !by.eq_ignore_ascii_case(home)
            && !matches!(h.role, Role::Mfa | Role::List)
            && !is_filter(by)
    })
}

/// One recipient that a server had in several stays.
fn again(hops: &[Hop], all: &[Stays], server: &Stays, twice: Option<&str>) -> Option<Finding> {
    let (recipient, at) = most_seen(hops, server)?;
    let [first, second, ..] = at.as_slice() else {
        return None;
    };
    let between = hops.get(first + 1..*second).unwrap_or_default();
    let renamed = between.iter().any(|h| {
        h.recipient
            .as_deref()
            .is_some_and(|r| r.contains('@') && !r.eq_ignore_ascii_case(recipient))
    });
    // A filter gives back once what it was given once.
    let back_and_forth = || {
        let returned = all
            .iter()
            .filter(|s| s.by != server.by && s.stays.len() > 1);
        let names: Vec<&str> = returned.map(|s| s.by.as_str()).collect();
        between
            .iter()
            .filter_map(public_name)
            .any(|by| names.contains(&by.as_str()))
    };
    let proven = at.len() > 2
        || renamed
        || twice.is_some_and(|d| d.eq_ignore_ascii_case(recipient))
        || back_and_forth();
    let (by, partner) = (&server.by, between.iter().find_map(public_name));
    let partner = partner.filter(|name| name != by);
    let (earlier, later) = (hops.get(*first)?.n, hops.get(*second)?.n);
    let over = vec![later, earlier];
    let had = format!("{by} had this message for {recipient} before, at hop {earlier}");
    if !proven {
        let from = partner
            .map(|name| format!(" from {name}"))
            .unwrap_or_default();
        let text = format!(
            "perhaps a loop: {had}, and got it back{from}; a filter or an archive that hands mail back looks the same"
        );
        return Some(Finding::over(
            over,
            Severity::Warning,
            "loop",
            Sureness::Low,
            text,
        ));
    }
    let often = match at.len() {
        0..3 => String::new(),
        times => format!(", {times} times in all"),
    };
    let advice = partner
        .map(|name| format!("; see where {by} and {name} send this recipient's mail"))
        .unwrap_or_default();
    let text = format!("a loop: {had}, gave it away and got it back{often}{advice}");
    Some(Finding::over(
        over,
        Severity::Error,
        "loop",
        Sureness::High,
        text,
    ))
}

/// The recipient that a server had in most of its stays, with the line of each.
fn most_seen<'h>(hops: &'h [Hop], server: &Stays) -> Option<(&'h str, Vec<usize>)> {
    let mut of: Vec<(&str, Vec<usize>)> = Vec::new();
    for stay in &server.stays {
        let mut here: Vec<&str> = Vec::new();
        for i in stay {
            let Some(recipient) = hops.get(*i).and_then(|h| h.recipient.as_deref()) else {
                continue;
            };
            if here.iter().any(|r| r.eq_ignore_ascii_case(recipient)) {
                continue;
            }
            here.push(recipient);
            match of
                .iter_mut()
                .find(|(r, _)| r.eq_ignore_ascii_case(recipient))
            {
                Some((_, at)) => at.push(*i),
                None => of.push((recipient, vec![*i])),
            }
        }
    }
    of.into_iter()
        .filter(|(_, at)| at.len() > 1)
        .max_by_key(|(_, at)| at.len())
}

/// One queue id that a server used in two stays.
fn queued_again(hops: &[Hop], server: &Stays) -> Option<Finding> {
    let mut ids: HashMap<&str, (usize, usize)> = HashMap::new();
    let lines = server.stays.iter().enumerate();
    for (stay, i) in lines.flat_map(|(n, stay)| stay.iter().map(move |i| (n, *i))) {
        let Some((hop, id)) = hops.get(i).and_then(|h| Some((h, queue_id(h)?))) else {
            continue;
        };
        // What it hands to itself keeps its id now and then.
        let anew = |other: usize| other != stay || hop.zone == Some(Zone::Public);
        let Some((_, before)) = ids.get(id).filter(|(other, _)| anew(*other)) else {
            ids.entry(id).or_insert((stay, i));
            continue;
        };
        let other = hops.get(*before)?;
        // The same line twice is one line twice, not a second visit.
        if hop.time.is_some() && hop.raw == other.raw {
            continue;
        }
        let text = format!(
            "{} had this message under the queue id {id} before, at hop {}: a loop, or a copied line",
            server.by, other.n
        );
        let over = vec![hop.n, other.n];
        return Some(Finding::over(
            over,
            Severity::Error,
            "loop",
            Sureness::Medium,
            text,
        ));
    }
    None
}

/// Exchange writes its build where others write a queue id, and a word is none.
fn queue_id(hop: &Hop) -> Option<&str> {
    let exchange = hop.dialect.is_some_and(|d| d.starts_with("exchange"));
    let id = hop.id.as_deref().filter(|_| !exchange)?;
    (id.len() >= 6 && id.bytes().any(|b| matches!(b, b'1'..=b'9'))).then_some(id)
}

/// Without recipients in the lines: one host three times, with strangers in between.
fn circled(hops: &[Hop], server: &Stays) -> Option<Finding> {
    let lines =
        |stay: &'_ Vec<usize>| -> Vec<&Hop> { stay.iter().filter_map(|i| hops.get(*i)).collect() };
    let handed_over: Vec<Vec<&Hop>> = server
        .stays
        .iter()
        .map(lines)
        .filter(|stay| stay.iter().any(|h| h.zone == Some(Zone::Public)))
        .collect();
    let times = handed_over.len();
    // For another recipient each time, it was sent on and not around: one name stands for all
    // servers of a large provider.
    let told = |stay: &Vec<&Hop>| stay.iter().any(|h| h.recipient.is_some());
    if times < 3 || times <= MANY && handed_over.iter().all(told) {
        return None;
    }
    let first_of = |stay: &Vec<&Hop>| Some(stay.first()?.n);
    let over = handed_over.iter().rev().filter_map(first_of).collect();
    let text = format!(
        "a loop: {} got this message {times} times over the network",
        server.by
    );
    Some(Finding::over(
        over,
        Severity::Error,
        "loop",
        Sureness::Medium,
        text,
    ))
}

/// A mailbox that took delivery twice.
fn delivered_twice(case: &Case<'_, '_>) -> Option<String> {
    let mut delivered: Vec<String> = Vec::new();
    for field in case.head.all("Delivered-To").take(MAX_DELIVERED) {
        let address = field.value().trim().to_ascii_lowercase();
        if delivered.contains(&address) {
            return Some(address);
        }
        delivered.push(address);
    }
    None
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

    fn line(from: &str, by: &str, to: Option<&str>) -> String {
        let to = to.map(|to| format!(" for <{to}>")).unwrap_or_default();
        format!(
            "Received: from {from} ({from} [192.0.2.7]) by {by} (Postfix) with ESMTPS id 1{to}; 2 Mar 2026 09:15:30 +0000"
        )
    }

    fn loops(lines: &[String]) -> Vec<(crate::route::Severity, String)> {
        let header = format!("{}\n\n", lines.join("\n"));
        let way = crate::route::of(&Head::parse(header.as_bytes()), &[]);
        let found = way.findings.into_iter().filter(|f| f.code == "loop");
        found.map(|f| (f.severity, f.text)).collect()
    }

    #[test]
    fn what_a_filter_hands_back_goes_no_round() {
        let (mx, bob) = ("mx.example.org", Some("bob@example.org"));
        for filter in [
            "mx0a-00123401.pphosted.com",
            "filter7.isp.example",
            "esa1.hc1.iphmx.com",
        ] {
            let way = [
                line(filter, mx, bob),
                line(mx, filter, bob),
                line("a.example", mx, bob),
            ];
            assert_eq!(loops(&way), [], "{filter}");
        }
        // A machine of any name, once a filter on it has written a line.
        let amavis = "Received: from h.example ([127.0.0.1]) by localhost (h.example [127.0.0.1]) (amavis, port 10024) with ESMTP id 2 for <bob@example.org>; 2 Mar 2026 09:15:30 +0000".to_owned();
        let way = [
            line("h.example", mx, bob),
            amavis,
            line(mx, "h.example", bob),
            line("a.example", mx, bob),
        ];
        assert_eq!(loops(&way), []);
    }

    #[test]
    fn a_second_visit_is_a_loop_only_when_more_speaks_for_it() {
        let (a, b) = ("mx.a.example", "mx.b.example");
        let (home, away) = (Some("bob@a.example"), Some("bob@b.example"));
        let round = |to| [line(b, a, home), line(a, b, to), line("c.example", a, home)];
        for (to, delivered, severity) in [
            (home, "", crate::route::Severity::Warning),
            (None, "", crate::route::Severity::Warning),
            (away, "", crate::route::Severity::Error),
            (
                None,
                "Delivered-To: bob@a.example\nDelivered-To: bob@a.example\n",
                crate::route::Severity::Error,
            ),
        ] {
            let mut way = round(to).to_vec();
            if let Some(first) = way.first_mut() {
                *first = format!("{delivered}{first}");
            }
            let told = loops(&way);
            assert!(
                matches!(told.as_slice(), [(s, _)] if *s == severity),
                "{told:?}"
            );
        }
        let thrice = [round(home).to_vec(), round(home)[1..].to_vec()].concat();
        let told = loops(&thrice);
        assert!(
            matches!(told.as_slice(), [(crate::route::Severity::Error, text)] if text.contains("3 times")),
            "{told:?}"
        );
        // Without recipients, two visits tell nothing.
        let silent = |n: usize| -> Vec<String> {
            (0..n)
                .map(|i| {
                    if i % 2 == 0 {
                        line(b, a, None)
                    } else {
                        line(a, b, None)
                    }
                })
                .collect()
        };
        assert_eq!(loops(&silent(3)), []);
        assert_eq!(loops(&silent(5)).len(), 1);
    }
}
