//! What is learned is shown: the same facts on the screen, in JSON and on the page, of one input
//! and summed up over many.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;

use mailtrace::dns::world::{Entry, World};
use mailtrace::dns::{Data, Name};
use serde_json::Value;
use support::{Habits, Server};

use common::{mailtrace, testdata};

fn mails_of_routes() -> Vec<String> {
    let mut mails: Vec<_> = fs::read_dir(testdata("route"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "eml"))
        .map(|path| path.to_str().unwrap().to_string())
        .collect();
    mails.sort();
    mails
}

#[test]
fn a_summary_of_routes_counts_what_the_routes_say() {
    let mails = mails_of_routes();
    let run = |options: &[&str]| {
        let mails = mails.iter().map(String::as_str);
        mailtrace(
            ["route", "--no-progress"]
                .iter()
                .copied()
                .chain(options.iter().copied())
                .chain(mails),
        )
        .run()
    };
    let each = run(&["--json"]).json();
    let hops: usize = each
        .iter()
        .map(|way| way["hops"].as_array().unwrap().len())
        .sum();
    let mut codes: BTreeMap<&str, u64> = BTreeMap::new();
    for way in &each {
        let mut of_way: Vec<_> = way["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["code"].as_str().unwrap())
            .collect();
        of_way.sort_unstable();
        of_way.dedup();
        for code in of_way {
            *codes.entry(code).or_default() += 1;
        }
    }
    let mut lines = run(&["--summary", "--json"]).json();
    let sum = lines.pop().unwrap();
    assert_eq!(sum["schema"], "mailtrace/route-summary/1");
    assert_eq!(
        (&sum["messages"], &sum["hops"]),
        (&mails.len().into(), &hops.into())
    );
    let counted: BTreeMap<_, _> = sum["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (f["code"].as_str().unwrap(), f["messages"].as_u64().unwrap()))
        .collect();
    assert_eq!(counted, codes);
    for list in ["slowest_hosts", "without_tls", "skewed_clocks"] {
        assert!(!sum[list].as_array().unwrap().is_empty(), "{list}");
    }
    let screen = run(&["--summary", "--width", "100"]).stdout;
    assert!(
        screen.contains(&format!(" {} messages, {hops} hops; 0 inputs", mails.len())),
        "{screen}"
    );
    for list in ["slowest_hosts", "without_tls", "skewed_clocks"] {
        let first = sum[list][0]["host"].as_str().unwrap();
        let start: String = first.chars().take(20).collect();
        assert!(screen.contains(&start), "{first}: {screen}");
    }
    assert!(
        screen.lines().all(|line| line.chars().count() <= 100),
        "{screen}"
    );
}

/// The world of the mail that a list sealed and sent on.
fn lists() -> SocketAddr {
    let keys = fs::read_to_string(testdata("signed/keys.toml")).unwrap();
    let ptr = Entry {
        data: vec![Data::Ptr(Name::parse("out.lists.example").unwrap())],
        ..Entry::default()
    };
    let world = World::from_toml(&keys)
        .unwrap()
        .name("9.100.51.198.in-addr.arpa", ptr)
        .addresses("out.lists.example", &["198.51.100.9"])
        .text("lists.example", b"v=spf1 ip4:198.51.100.0/24 -all");
    Server::in_a_thread(world, Habits::default())
}

#[test]
fn what_the_dns_says_today_stands_on_the_screen_in_json_and_on_the_page() {
    let resolver = lists().to_string();
    let sealed = fs::read_to_string(testdata("signed/sealed.eml")).unwrap();
    let good = format!("Return-Path: <talk-bounces@lists.example>\n{sealed}");
    let bad = good.replace("the text of", "the lies of");
    assert_ne!(good, bad);
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("way.html");
    let run = |mail: &str, options: &[&str]| {
        let fixed = ["--resolver", &resolver, "--timeout", "2", "route", "--live"];
        mailtrace(fixed.iter().chain(options)).stdin(mail).run()
    };
    let live = |mail: &str| run(mail, &["--json"]).json().remove(0)["live"].clone();
    let results = |live: &Value| -> Vec<String> {
        let dkim = live["dkim"].as_array().unwrap().iter();
        dkim.chain([&live["arc"], &live["spf"]])
            .map(|one| one["result"].as_str().unwrap().to_string())
            .collect()
    };
    let honest = live(&good);
    assert_eq!(
        results(&honest),
        ["pass", "pass", "pass", "pass"],
        "{honest}"
    );
    assert_eq!(
        honest["spf"]["why"],
        "ip4:198.51.100.0/24 in the record of lists.example"
    );
    assert_eq!(honest["rdns"]["confirmed"], true);
    assert_eq!(honest["rdns"]["name"], "out.lists.example");
    let changed = live(&bad);
    assert_eq!(
        results(&changed),
        ["fail", "fail", "fail", "pass"],
        "{changed}"
    );

    let outcome = run(&good, &["--html", page.to_str().unwrap()]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let html = fs::read_to_string(&page).unwrap();
    for row in [
        "<td>reverse name</td><td>confirmed</td><td>198.51.100.9 out.lists.example</td>",
        "<td>spf</td><td>pass</td><td>lists.example</td>",
        "<td>dkim</td><td>pass</td><td>author.example</td>",
        "<td>arc</td><td>pass</td><td>forwarder.example</td>",
    ] {
        assert!(html.contains(row), "{row}: {html}");
    }
    let screen = run(&bad, &["-v", "--width", "100"]).stdout;
    for word in ["today", "out.lists.example", "DKIM", "ARC"] {
        assert!(screen.contains(word), "{word}: {screen}");
    }
}

/// A domain with every record there is, and one without any.
fn domains() -> SocketAddr {
    let world = World::from_toml(
        r#"
        [[answer]]
        name = "full.example"
        mx = ["10 mx.full.example"]
        txt = ["v=spf1 mx -all"]
        [[answer]]
        name = "mx.full.example"
        a = ["192.0.2.25"]
        [[answer]]
        name = "_dmarc.full.example"
        txt = ["v=DMARC1; p=reject; rua=mailto:d@full.example"]
        [[answer]]
        name = "_mta-sts.full.example"
        txt = ["v=STSv1; id=20260101"]
        [[answer]]
        name = "_smtp._tls.full.example"
        txt = ["v=TLSRPTv1; rua=mailto:t@full.example"]
        [[answer]]
        name = "one._domainkey.full.example"
        txt = ["v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="]
        [[answer]]
        name = "bare.example"
        mx = ["10 mx.full.example"]
        [[answer]]
        name = "closed.example"
        mx = ["0 ."]
        "#,
    );
    Server::in_a_thread(world.unwrap(), Habits::default())
}

#[test]
fn every_record_of_a_domain_is_in_its_json_and_on_its_screen() {
    let resolver = domains().to_string();
    let run = |options: &[&str]| {
        let fixed = [
            "--resolver",
            &resolver,
            "check",
            "--dns-only",
            "--no-policy",
            "--selector",
            "one",
            "full.example",
        ];
        mailtrace(fixed.iter().chain(options)).run()
    };
    let found = run(&["--json"]).json().remove(0);
    let dns = &found["dns"];
    assert_eq!(dns["mx"][0]["host"], "mx.full.example");
    assert_eq!(dns["spf"]["record"], "v=spf1 mx -all");
    assert_eq!(
        (&dns["dmarc"]["policy"], &dns["dmarc"]["domain"]),
        (&"reject".into(), &"full.example".into())
    );
    assert_eq!(dns["dmarc"]["rua"][0], "mailto:d@full.example");
    assert_eq!(
        (&dns["dkim"][0]["selector"], &dns["dkim"][0]["revoked"]),
        (&"one".into(), &false.into())
    );
    assert_eq!(dns["dkim"][0]["kind"], "ed25519");
    assert_eq!(dns["mta_sts"]["id"], "20260101");
    assert_eq!(dns["tls_rpt"]["rua"][0], "mailto:t@full.example");
    let screen = run(&["-v", "--width", "100"]).stdout;
    for word in ["mx.full.example", "v=spf1 mx -all", "reject"] {
        assert!(screen.contains(word), "{word}: {screen}");
    }
}

#[test]
fn a_summary_of_domains_counts_their_verdicts_and_findings() {
    let resolver = domains().to_string();
    let run = |options: &[&str]| {
        let fixed = [
            "--resolver",
            &resolver,
            "check",
            "--dns-only",
            "--no-policy",
        ];
        let domains = ["full.example", "bare.example", "closed.example"];
        mailtrace(fixed.iter().chain(options).chain(&domains)).run()
    };
    let each = run(&["--json"]).json();
    let mut verdicts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut codes: BTreeMap<&str, u64> = BTreeMap::new();
    for one in &each {
        *verdicts
            .entry(one["verdict"].as_str().unwrap())
            .or_default() += 1;
        let mut of_one: Vec<_> = one["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["code"].as_str().unwrap())
            .collect();
        of_one.sort_unstable();
        of_one.dedup();
        for code in of_one {
            *codes.entry(code).or_default() += 1;
        }
    }
    let sum = run(&["--summary", "--json"]).json().pop().unwrap();
    assert_eq!(sum["schema"], "mailtrace/check-summary/1");
    for (verdict, count) in &verdicts {
        assert_eq!(sum["verdicts"][verdict], *count, "{sum}");
    }
    let counted: BTreeMap<_, _> = sum["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (f["code"].as_str().unwrap(), f["targets"].as_u64().unwrap()))
        .collect();
    assert_eq!(counted, codes);
    assert!(codes.contains_key("no-spf"), "{codes:?}");
    let screen = run(&["--summary"]).stdout;
    assert!(screen.contains("3 targets: "), "{screen}");
    assert!(screen.contains("no-spf"), "{screen}");
}

#[test]
fn verbose_shows_every_list_with_its_outcome() {
    let world = World::new()
        .addresses("2.0.0.127.on.bl.test", &["127.0.0.2"])
        .addresses("2.33.22.11.on.bl.test", &["127.0.0.2"])
        .addresses("2.0.0.127.off.bl.test", &["127.0.0.2"])
        .addresses("2.33.22.11.no.bl.test", &["127.255.255.254"]);
    let resolver = Server::in_a_thread(world, Habits::default()).to_string();
    let mut args = vec![
        "--resolver",
        &resolver,
        "dnsbl",
        "-v",
        "--width",
        "100",
        "11.22.33.2",
    ];
    for zone in ["on.bl.test", "off.bl.test", "no.bl.test"] {
        args.extend_from_slice(&["--zone", zone]);
    }
    let screen = mailtrace(args).run().stdout;
    for (zone, outcome) in [
        ("on.bl.test", "listed"),
        ("off.bl.test", "clean"),
        ("no.bl.test", "refused"),
    ] {
        let row = screen
            .lines()
            .find(|line| line.contains(zone) && line.contains(outcome));
        assert!(row.is_some(), "{zone} {outcome}: {screen}");
    }
}
