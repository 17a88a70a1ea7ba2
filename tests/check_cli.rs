//! `mailtrace check` as its users meet it: verdicts, exit codes, screens and JSON against played
//! servers and a scripted DNS on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;
mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::{Outcome, mailtrace};
use mailtrace::dns::world::World;
use mailtrace::smtp::played::{Act, Played};
use support::{Habits, Server};

/// A played server that lives as long as the test process.
fn played(script: Played) -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let stage = script.start().await.unwrap();
            tell.send(stage.at).unwrap();
            std::future::pending::<()>().await;
        });
    });
    told.recv().unwrap()
}

fn names() -> SocketAddr {
    let world = World::from_toml(include_str!("../testdata/dns/check.toml")).unwrap();
    Server::in_a_thread(world, Habits::default())
}

fn check(args: &[&str]) -> Outcome {
    let resolver = names().to_string();
    let fixed = [
        "--resolver",
        &resolver,
        "--timeout",
        "2",
        "--no-policy",
        "--helo",
        "probe.example",
    ];
    mailtrace(["check"].iter().chain(args).chain(&fixed)).run()
}

fn json(outcome: &Outcome) -> serde_json::Value {
    serde_json::from_str(&outcome.stdout).unwrap()
}

fn polite() -> Played {
    Played::announcing(&["PIPELINING", "SIZE 10240000", "ENHANCEDSTATUSCODES"])
}

#[test]
fn a_recipient_that_is_taken_is_exit_0_and_every_key_of_the_contract_is_there() {
    let server = played(polite()).to_string();
    let outcome = check(&["ann@good.example", "--server", &server, "--json"]);
    assert_eq!(outcome.code, 0, "{} {}", outcome.stdout, outcome.stderr);
    let line = json(&outcome);
    assert_eq!(line["schema"], "mailtrace/check/1");
    assert_eq!(
        (&line["target"], &line["kind"]),
        (&"ann@good.example".into(), &"address".into())
    );
    for key in [
        "mx",
        "null_mx",
        "implicit_mx",
        "spf",
        "dmarc",
        "mta_sts",
        "tls_rpt",
        "tlsa",
    ] {
        assert!(line["dns"].get(key).is_some(), "dns.{key}");
    }
    let one = &line["servers"][0];
    for key in [
        "host",
        "ip",
        "port",
        "reachable",
        "banner",
        "rdns",
        "fcrdns",
        "capabilities",
        "tls",
        "recipient",
        "steps",
        "error",
    ] {
        assert!(one.get(key).is_some(), "servers[0].{key}");
    }
    assert_eq!(one["recipient"]["outcome"], "accepted");
    assert_eq!(one["steps"][0]["phase"], "connect");
    assert!(
        matches!(line["verdict"].as_str(), Some("ok" | "warnings")),
        "{}",
        line["verdict"]
    );
}

#[test]
fn a_recipient_that_is_refused_is_exit_1_with_the_cause_of_explain() {
    let script = polite().says("RCPT", "550 5.1.1 <bob@good.example>: User unknown");
    let server = played(script).to_string();
    let outcome = check(&["bob@good.example", "--server", &server, "--json"]);
    assert_eq!(outcome.code, 1);
    let recipient = &json(&outcome)["servers"][0]["recipient"];
    assert_eq!(recipient["outcome"], "rejected");
    assert_eq!(recipient["cause"], "user-unknown");
    let screen = check(&["bob@good.example", "--server", &server]);
    let first = screen.stdout.lines().next().unwrap();
    assert!(
        first.contains("bob@good.example"),
        "the verdict comes first: {first}"
    );
    let words: Vec<_> = screen.stdout.split_whitespace().collect();
    let words = words.join(" ");
    assert!(words.contains("User unknown"), "{}", screen.stdout);
}

#[test]
fn the_dns_alone_tells_of_a_domain_that_takes_no_mail_and_of_a_dangling_one() {
    for (target, code, words) in [
        ("closed.example", 1, "null-mx"),
        ("dangling.example", 1, "mx-"),
        ("nowhere.example", 1, ""),
    ] {
        let outcome = check(&[target, "--dns-only", "--json"]);
        assert_eq!(outcome.code, code, "{target}: {}", outcome.stdout);
        let line = json(&outcome);
        let codes = line["findings"].to_string();
        assert!(codes.contains(words), "{target}: {codes}");
        assert_eq!(
            line["servers"].as_array().map(Vec::len),
            Some(0),
            "nobody was asked"
        );
    }
}

#[test]
fn servers_that_are_none_end_in_bounded_time_with_a_sentence() {
    let silent = Played::greeting(Act::Silence);
    let other = Played::greeting(Act::Say("SSH-2.0-OpenSSH_9.2".into()));
    let endless = Played::greeting(Act::Endless("220-and so on".into()));
    let hangs_up = Played::greeting(Act::Close);
    for (name, script, word) in [
        ("silent", silent, ""),
        ("ssh", other, "SSH"),
        ("endless", endless, ""),
        ("hangs up", hangs_up, "clos"),
    ] {
        let server = played(script).to_string();
        let start = Instant::now();
        let outcome = check(&["ann@good.example", "--server", &server]);
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{name}: {:?}",
            start.elapsed()
        );
        assert!(matches!(outcome.code, 1 | 3), "{name}: {}", outcome.code);
        assert!(outcome.stdout.contains(word), "{name}: {}", outcome.stdout);
        assert!(!outcome.stdout.trim().is_empty(), "{name}");
    }
}

#[test]
fn what_a_server_says_never_reaches_the_terminal_raw() {
    let script = polite().says("RCPT", "550 5.1.1 \u{1b}[31mred\u{7} \u{202e}drawkcab");
    let server = played(script).to_string();
    let outcome = check(&["bob@good.example", "--server", &server, "-v"]);
    let raw = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(!outcome.stdout.contains(raw), "{:?}", outcome.stdout);
    assert!(outcome.stdout.contains("drawkcab"), "{}", outcome.stdout);
}

#[test]
fn a_list_of_targets_is_answered_in_its_order_and_one_bad_line_does_not_stop_it() {
    let server = played(polite()).to_string();
    let resolver = names().to_string();
    let fixed = [
        "check",
        "--json",
        "--server",
        &server,
        "--resolver",
        &resolver,
        "--timeout",
        "2",
        "--no-policy",
        "--helo",
        "probe.example",
        "-",
    ];
    let outcome = mailtrace(fixed)
        .stdin("ann@good.example\nnot an address@@\nclosed.example\n")
        .run();
    let lines: Vec<serde_json::Value> = outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3, "{}", outcome.stdout);
    assert_eq!(lines[0]["target"], "ann@good.example");
    assert_eq!(lines[2]["target"], "closed.example");
    assert!(outcome.code >= 1, "{}", outcome.code);
}

#[test]
fn wrong_use_is_exit_2() {
    for args in [
        ["--port", "99999"],
        ["--tls", "maybe"],
        ["--from", "no address"],
    ] {
        let outcome = check(&["good.example", args[0], args[1]]);
        assert_eq!(outcome.code, 2, "{args:?}: {}", outcome.stderr);
        assert!(!outcome.stderr.is_empty());
    }
}

#[test]
fn a_line_that_is_no_text_does_not_end_the_list() {
    let resolver = names().to_string();
    let list = b"closed.example\n\xff\xfe\n\0\nnowhere.example\n";
    let args = [
        "check",
        "-",
        "--json",
        "--dns-only",
        "--resolver",
        &resolver,
    ];
    let outcome = mailtrace(args).stdin(list).run();
    assert_eq!(outcome.code, 2, "{}", outcome.stderr);
    let targets = outcome.stdout.lines().map(|l| {
        let line: serde_json::Value = serde_json::from_str(l).unwrap();
        line["error"].is_null()
    });
    let targets: Vec<_> = targets.collect();
    assert_eq!(targets, [true, false, false, true], "{}", outcome.stdout);
}

#[test]
fn when_no_server_has_the_family_that_was_asked_for_nothing_is_claimed() {
    let outcome = check(&["ann@good.example", "-6", "--json"]);
    assert_eq!(outcome.code, 3, "{}", outcome.stdout);
    let line = json(&outcome);
    let headline = line["headline"].as_str().unwrap();
    assert!(
        headline.contains("could not be checked") && headline.contains("IPv6"),
        "{headline}"
    );
}
