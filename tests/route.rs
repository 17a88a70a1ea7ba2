//! Whole chains: own-made ones with the whole screen that they must give, and chains of other
//! projects, read where they lie: some with what a reader of the headers worked out before the
//! program saw them (judged.txt), some with what the program said once (chains.txt).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test may stop"
)]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use mailtrace::message::layer;
use mailtrace::report::human::explain::Detail;
use mailtrace::report::human::route::{Look, route as screen};
use mailtrace::report::painter::Painter;
use mailtrace::route::{self, Route, Severity};
use serde_json::Value;

fn way(mail: &[u8]) -> Route {
    route::of(&layer::open(mail).head, &[])
}

#[test]
fn every_own_chain_gives_its_screen() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/route");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "eml") {
            continue;
        }
        let mail = std::fs::read_to_string(&path).unwrap();
        let wanted = std::fs::read_to_string(path.with_extension("txt")).unwrap();
        // Mail comes with either line end.
        for mail in [mail.clone(), mail.replace('\n', "\r\n")] {
            let look = Look {
                paint: Painter::plain(80),
                detail: Detail::Normal,
                name: None,
            };
            let shown = screen(&way(mail.as_bytes()), look);
            assert_eq!(shown, wanted, "{}", path.display());
        }
        count += 1;
    }
    assert!(count >= 12, "{count} chains");
}

/// The chains of other projects by their ids; none where they are not at hand.
fn others() -> HashMap<String, Route> {
    let chains =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/received/chains-dev.jsonl");
    let mut found = HashMap::new();
    if !chains.exists() {
        eprintln!("skipped: {} is not here", chains.display());
        return found;
    }
    for line in std::fs::read_to_string(chains).unwrap().lines() {
        let chain: Value = serde_json::from_str(line).unwrap();
        let mut mail = String::new();
        for field in chain["received"].as_array().unwrap() {
            let body = field.as_str().unwrap().replace('\n', "\n ");
            writeln!(mail, "Received: {body}").unwrap();
        }
        let way = way(mail.as_bytes());
        assert_eq!(
            way.hops.len(),
            chain["received"].as_array().unwrap().len(),
            "{}",
            chain["id"]
        );
        found.insert(chain["id"].as_str().unwrap().to_owned(), way);
    }
    found
}

#[test]
fn chains_of_other_projects_give_what_a_reader_worked_out_beforehand() {
    let found = others();
    if found.is_empty() {
        return;
    }
    let list = include_str!("../testdata/route/judged.txt");
    let judged: Vec<_> = list.lines().filter_map(|l| l.split_once('\t')).collect();
    assert!(judged.len() >= 30);
    let mut misses = Vec::new();
    for (id, marks) in judged {
        let way = &found[id];
        for mark in marks.split(' ').filter(|m| !holds(way, m)) {
            misses.push(format!("{id} {mark}: {}", told(way)));
        }
    }
    assert!(misses.is_empty(), "{}", misses.join("\n"));
}

/// Whether one mark of judged.txt holds.
fn holds(way: &Route, mark: &str) -> bool {
    if let Some(code) = mark.strip_prefix('-') {
        return !way.findings.iter().any(|f| f.code == code);
    }
    if let Some(code) = mark.strip_prefix('+') {
        let found = codes(way);
        let mut all = found.split(' ');
        return all.any(|f| f == code || f.split('@').next() == Some(code));
    }
    let (name, value) = mark.split_once('=').unwrap();
    let number = |n: Option<usize>| n.map(|n| n.to_string());
    let got = match name {
        "total" => way.total_s.map(|s| s.to_string()),
        "slow" => number(way.slowest_hop),
        "border" => number(way.border),
        "ip" => way
            .origin
            .as_ref()
            .and_then(|o| o.ip)
            .map(|ip| ip.to_string()),
        "why" => way.reason.map(|r| r.id().to_owned()),
        other => panic!("unknown mark {other}"),
    };
    got.as_deref() == Some(value)
}

/// What the program says, for the message of a failure.
fn told(way: &Route) -> String {
    format!(
        "{} total={:?} slow={:?} border={:?} ip={:?} why={:?}",
        codes(way),
        way.total_s,
        way.slowest_hop,
        way.border,
        way.origin.as_ref().and_then(|o| o.ip),
        way.reason
    )
}

/// Not proof but a guard: what the program said of these chains when it was written, and what was
/// found plausible then.
#[test]
fn chains_of_other_projects_give_the_findings_that_they_gave() {
    let found: HashMap<String, String> = others()
        .iter()
        .map(|(id, way)| (id.clone(), codes(way)))
        .collect();
    if found.is_empty() {
        return;
    }
    let list = include_str!("../testdata/route/chains.txt");
    let checked = list.lines().filter_map(|l| l.split_once('\t'));
    for (id, wanted) in checked.clone() {
        assert_eq!(found.get(id).map(String::as_str), Some(wanted), "{id}");
    }
    assert!(checked.count() >= 30);
}

/// `code@1,2` for each finding, in their order.
fn codes(way: &Route) -> String {
    let code = |f: &route::Finding| {
        let hops: Vec<String> = f.hops.iter().map(ToString::to_string).collect();
        format!("{}@{}", f.code, hops.join(","))
    };
    way.findings.iter().map(code).collect::<Vec<_>>().join(" ")
}

#[test]
fn ten_thousand_fields_and_fields_of_a_megabyte_are_read() {
    let many = "Received: from a.example (b.example [192.0.2.1]) by c.example with ESMTP id 1; 2 Mar 2026 09:15:30 +0000\n"
        .repeat(10_000);
    let found = way(many.as_bytes());
    assert!(
        (1..=1000).contains(&found.hops.len()),
        "{}",
        found.hops.len()
    );
    assert!(found.findings.iter().any(|f| f.code == "hops-left-out"));
    let long = format!(
        "Received: from {} by c.example; 2 Mar 2026 09:15:30 +0000\n\n",
        "(a".repeat(500_000)
    );
    let found = way(long.as_bytes());
    assert!(found.hops[0].raw.len() < 10_000);
}

#[test]
fn only_forged_impossible_and_circling_mail_is_an_error() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/route");
    for (name, bad) in [
        ("forged", true),
        ("impossible", true),
        ("loop", true),
        ("plain", false),
        ("skew", false),
        ("unauthenticated", false),
    ] {
        let mail = std::fs::read(folder.join(name).with_extension("eml")).unwrap();
        let error = way(&mail)
            .findings
            .iter()
            .any(|f| f.severity == Severity::Error);
        assert_eq!(error, bad, "{name}");
    }
}
