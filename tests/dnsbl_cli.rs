//! `mailtrace dnsbl` as its users meet it: formats, exit codes, and resolvers of no use.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;
mod support;

use std::net::SocketAddr;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use common::OwnEnvironment;
use mailtrace::dns::Failure;
use mailtrace::dns::world::{Entry, World};
use support::{Habits, Server};

/// SpamCop in good order, listing 11.22.33.2; a list that refuses; a domain with mail hosts.
const SCRIPT: &str = include_str!("../testdata/dns/lists.toml");

fn mailtrace(server: SocketAddr, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mailtrace"))
        .arg("dnsbl")
        .args(args)
        .args(["--resolver", &server.to_string(), "--timeout", "1"])
        .own_environment()
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn lists() -> SocketAddr {
    Server::in_a_thread(World::from_toml(SCRIPT).unwrap(), Habits::default())
}

#[test]
fn a_listing_is_exit_1_and_comes_with_meaning_text_and_removal_page() {
    let output = mailtrace(lists(), &["11.22.33.2", "--list", "spamcop", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let line: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(line["schema"], "mailtrace/dnsbl/1");
    assert_eq!(
        (&line["kind"], &line["scope"]),
        (&"ipv4".into(), &"public".into())
    );
    assert_eq!(
        (&line["listed"], &line["worst"]),
        (&1.into(), &"high".into())
    );
    let result = &line["results"][0];
    assert_eq!(result["status"], "listed");
    assert_eq!(result["codes"][0], "127.0.0.2");
    assert_eq!(result["txt"][0], "Blocked \u{1b}[31m- see bl.shtml");
    assert_eq!(result["zone"], "bl.spamcop.net");
    assert!(
        result["removal_url"]
            .as_str()
            .unwrap()
            .starts_with("https://")
    );
    assert!(line["error"].is_null());
}

#[test]
fn the_text_of_a_list_cannot_steer_the_terminal() {
    let output = mailtrace(lists(), &["11.22.33.2", "--list", "spamcop"]);
    let text = stdout(&output);
    assert!(
        text.contains("\\x1B[31m") && !text.contains('\u{1b}'),
        "{text}"
    );
    assert!(text.starts_with("✗ 11.22.33.2 is on 1 of 1 list"), "{text}");
}

#[test]
fn nowhere_listed_is_exit_0_and_a_refusal_alone_is_exit_3() {
    let server = lists();
    assert_eq!(
        mailtrace(server, &["11.22.33.1", "--list", "spamcop"])
            .status
            .code(),
        Some(0)
    );
    let refused = mailtrace(
        server,
        &["11.22.33.1", "--zone", "refuses.bl.test", "--json"],
    );
    assert_eq!(refused.status.code(), Some(3));
    assert!(stdout(&refused).contains("\"status\":\"refused\""));
}

#[test]
fn a_private_address_is_explained_and_a_zone_of_ones_own_is_asked() {
    let server = lists();
    let output = mailtrace(server, &["192.168.1.50"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stdout(&output).contains("private address") && stdout(&output).contains("--zone"));
    let own = mailtrace(server, &["192.168.1.50", "--zone", "private.bl.test"]);
    assert_eq!(own.status.code(), Some(1), "{own:?}");
}

#[test]
fn the_mails_of_a_box_are_asked_about_while_it_is_still_coming_in() {
    use std::io::{BufRead, BufReader, Write};
    let mut child = Command::new(env!("CARGO_BIN_EXE_mailtrace"))
        .args(["dnsbl", "-", "--json", "--list", "spamcop"])
        .args(["--resolver", &lists().to_string(), "--timeout", "1"])
        .own_environment()
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mail = "From x@a.test Mon Mar  2 09:16:00 2026\n\
                Received: from a.test (a.test [11.22.33.2]) by mx.b.test with ESMTP id 1;\n\
                \tMon, 2 Mar 2026 09:16:00 +0000\nSubject: x\n\nx\n\n";
    let mut input = child.stdin.take().unwrap();
    input.write_all(mail.repeat(60).as_bytes()).unwrap();
    input.flush().unwrap();
    // The box does not end; one who reads it whole first would say nothing for ever.
    let output = child.stdout.take().unwrap();
    let (said, hear) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).unwrap();
        said.send(line).unwrap();
    });
    let line = hear.recv_timeout(Duration::from_secs(20));
    drop(input);
    child.wait().unwrap();
    assert!(line.unwrap().contains("\"listed\":1"));
}

#[test]
fn a_domain_is_asked_with_the_addresses_of_its_mail_hosts() {
    let args = [
        "shop.test",
        "--json",
        "--list",
        "spamcop",
        "--list",
        "spamhaus-dbl",
        "-4",
    ];
    let text = stdout(&mailtrace(lists(), &args));
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lines[0]["kind"], "domain");
    assert_eq!(lines[1]["target"], "11.22.33.2");
    assert!(lines[1]["from"].as_str().unwrap().contains("mx.shop.test"));
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_range_is_summed_up() {
    let output = mailtrace(lists(), &["11.22.33.0/30", "--list", "spamcop"]);
    let text = stdout(&output);
    assert!(
        text.contains("11.22.33.0/30: 1 of 4 addresses are listed"),
        "{text}"
    );
    let large = mailtrace(lists(), &["11.0.0.0/8"]);
    assert_eq!(large.status.code(), Some(2));
}

#[test]
fn nagios_gets_a_status_line_and_its_own_exit_codes() {
    let server = lists();
    let code_of = |args: &[&str]| {
        let output = mailtrace(server, &[args, &["--format", "nagios"]].concat());
        (output.status.code().unwrap(), stdout(&output))
    };
    let (code, text) = code_of(&["11.22.33.2", "--list", "spamcop"]);
    assert_eq!(code, 2);
    assert!(
        text.starts_with("DNSBL CRITICAL - 11.22.33.2 on 1 of 1 lists: spamcop | listed=1;"),
        "{text}"
    );
    assert_eq!(code_of(&["11.22.33.1", "--list", "spamcop"]).0, 0);
    assert_eq!(code_of(&["11.22.33.2", "--list", "uceprotect-3"]).0, 1);
    assert_eq!(code_of(&["11.22.33.1", "--zone", "refuses.bl.test"]).0, 3);
    assert_eq!(code_of(&["11.22.33.1", "--list", "no-such-list"]).0, 3);
}

#[test]
fn prometheus_gets_every_outcome_as_a_metric() {
    let output = mailtrace(
        lists(),
        &["11.22.33.2", "--list", "spamcop", "--format", "prometheus"],
    );
    let text = stdout(&output);
    let listed = "mailtrace_dnsbl_listed{target=\"11.22.33.2\",list=\"spamcop\",weight=\"high\"} 1";
    assert!(text.contains(listed), "{text}");
    assert!(
        text.contains("mailtrace_dnsbl_lists{target=\"11.22.33.2\",status=\"timeout\"} 0"),
        "{text}"
    );
    let bad = text
        .lines()
        .find(|l| !l.starts_with('#') && !l.starts_with("mailtrace_dnsbl_"));
    assert_eq!(bad, None);
}

#[test]
fn a_resolver_of_no_use_is_exit_3_with_one_sentence_at_once() {
    let refusing = World::new()
        .zone("com", Entry::failing(Failure::Refused))
        .zone("invalid", Entry::failing(Failure::Refused))
        .zone("net", Entry::failing(Failure::Refused));
    let closed = std::net::UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let babbling = Habits {
        babbles: true,
        ..Habits::default()
    };
    for (server, words) in [
        (closed, "cannot be reached"),
        (
            Server::in_a_thread(refusing, Habits::default()),
            "refuses to serve",
        ),
        (
            Server::in_a_thread(World::new(), babbling),
            "not in the language of the DNS",
        ),
    ] {
        let started = Instant::now();
        let output = mailtrace(server, &["11.22.33.2", "--list", "spamcop"]);
        assert!(started.elapsed() < Duration::from_millis(2500));
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(
            said.contains(words) && said.contains("--resolver"),
            "{said}"
        );
    }
}

#[test]
fn the_catalogue_shows_every_list() {
    let server = "127.0.0.1:1".parse().unwrap();
    let text = stdout(&mailtrace(server, &["--catalogue", "--json"]));
    let lists: Vec<serde_json::Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lists.len(), mailtrace::dnsbl::catalogue::LISTS.len());
    assert!(
        lists
            .iter()
            .any(|l| l["list"] == "sorbs" && l["status"] == "dead")
    );
    let table = stdout(&mailtrace(server, &["--catalogue", "--width", "120"]));
    assert!(
        table.contains("spamhaus-zen") && !table.contains("sorbs"),
        "{table}"
    );
}

#[test]
fn wrong_use_is_exit_2_and_says_what_to_do() {
    let server = "127.0.0.1:1".parse().unwrap();
    for (args, words) in [
        (&["no-such-file.eml"][..], "file"),
        (&["11.22.33.2", "--list", "spamkop"][..], "--catalogue"),
    ] {
        let output = mailtrace(server, args);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.starts_with("mailtrace: ") && said.contains(words),
            "{said}"
        );
    }
}

#[test]
fn explain_asks_the_named_list_whether_the_address_is_listed_now() {
    let folder = tempfile::tempdir().unwrap();
    let replies = folder.path().join("replies");
    let reply = |ip: &str, zone: &str| {
        format!("554 5.7.1 Service unavailable; Client host [{ip}] blocked using {zone}\n")
    };
    let text = reply("11.22.33.2", "bl.spamcop.net")
        + &reply("11.22.33.1", "bl.spamcop.net")
        + &reply("11.22.33.1", "refuses.bl.test");
    std::fs::write(&replies, text).unwrap();
    let explain = |format: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_mailtrace"))
            .args([
                "explain",
                "--reply",
                "--live",
                "--timeout",
                "1",
                "--format",
                format,
            ])
            .args(["--resolver", &lists().to_string()])
            .arg(&replies)
            .own_environment()
            .output()
            .unwrap();
        stdout(&output)
    };
    let lines: Vec<serde_json::Value> = explain("json")
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let now = |n: usize| &lines[n]["recipients"][0]["dnsbl"]["listed_now"];
    assert_eq!((now(0), now(1)), (&true.into(), &false.into()), "{lines:?}");
    assert!(now(2).is_null());
    let text = explain("human");
    assert!(text.contains("yes, the list still says so"), "{text}");
    assert!(text.contains("not known: refused"), "{text}");
}
