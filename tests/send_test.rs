//! `mailtrace send-test`, run the way a user does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::mailtrace;
use serde_json::Value;

fn json(args: &[&str]) -> (i32, Value) {
    let run = mailtrace([&["send-test", "--json"], args].concat()).run();
    let value = serde_json::from_str(&run.stdout);
    let value = value.unwrap_or_else(|e| panic!("{e}: {}{}", run.stdout, run.stderr));
    (run.code, value)
}

/// What is left in the folder for temporary files.
fn left(dir: &Path) -> usize {
    dir.read_dir().unwrap().count()
}

#[test]
fn without_arguments_a_mail_goes_the_whole_road_and_leaves_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let run = mailtrace(["send-test", "--json"])
        .env("TMPDIR", temp.path().to_str().unwrap())
        .run();
    let took = started.elapsed();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let round: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(round["schema"], "mailtrace/send-test/1");
    assert_eq!(round["outcome"], "accepted");
    assert_eq!(round["arrival"]["status"], "arrived");
    let hops = round["arrival"]["route"]["hops"].as_array().unwrap();
    let roles: Vec<_> = hops
        .iter()
        .map(|hop| hop["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["msa", "mta", "mfa", "mda"]);
    let hosts: Vec<_> = hops
        .iter()
        .map(|hop| hop["by"]["host"].as_str().unwrap())
        .collect();
    assert_eq!(
        hosts,
        [
            "msa.home.test",
            "mta.away.test",
            "mfa.away.test",
            "mda.away.test"
        ]
    );
    assert_eq!(hops[0]["auth"]["authenticated"], true);
    assert_eq!(hops[0]["with"], "ESMTPSA");
    assert_eq!(hops[3]["with"], "LMTP");
    let phases = round["steps"].as_array().unwrap().iter();
    let phases: Vec<_> = phases.map(|s| s["phase"].as_str().unwrap()).collect();
    for phase in [
        "connect", "banner", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "dot", "quit",
    ] {
        assert!(
            phases.contains(&phase) || phase == "connect",
            "{phase}: {phases:?}"
        );
    }
    assert!(round["queue_id"].as_str().unwrap().len() > 6);
    assert_eq!(round["tls"]["version"], "TLSv1.3");
    assert_eq!(left(temp.path()), 0, "everything is cleaned up");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn what_is_kept_can_be_read_by_the_other_commands() {
    let temp = tempfile::tempdir().unwrap();
    let road = temp.path().join("road");
    let path = road.to_str().unwrap();
    let (code, round) = json(&[
        "--keep",
        path,
        "--subject",
        "Grüße",
        "--header",
        "X-Mine: 1",
        "--size",
        "20k",
    ]);
    assert_eq!((code, &round["kept"]), (0, &Value::from(path)));
    let new = road.join("mail/away/bob/new");
    let file = new.read_dir().unwrap().next().unwrap().unwrap().path();
    let message = std::fs::read_to_string(&file).unwrap();
    assert!(message.contains("\nX-Mine: 1") && message.len() > 20_000);
    let way = mailtrace(["route", "-q", file.to_str().unwrap()]).run();
    assert_eq!(way.code, 0);
    assert!(road.join("logs/mta.jsonl").exists() && road.join("sent.eml").exists());
    // It is never mixed with what is there.
    let again = mailtrace(["send-test", "--keep", path]).run();
    assert_eq!(again.code, 2);
    assert!(again.stderr.contains("not empty"), "{}", again.stderr);
}

#[test]
fn wrong_use_is_told_and_nothing_is_sent() {
    for args in [
        &["--header", "X: a\r\nBcc: x@y"][..],
        &["--header", "nonsense"],
        &["--attach", "/no/such/file"],
        &["--body", "/no/such/file"],
        &["--notify", "never,success"],
        &["--size", "lots"],
    ] {
        let run = mailtrace([&["send-test"], args].concat()).run();
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{args:?}");
        assert!(!run.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn ctrl_c_leaves_nothing_behind() {
    let temp = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_mailtrace"))
        .args(["send-test", "--size", "200M"])
        .env("TMPDIR", temp.path())
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while left(temp.path()) == 0 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(2));
    }
    let id = child.id().to_string();
    std::process::Command::new("kill")
        .args(["-INT", &id])
        .status()
        .unwrap();
    let status = child.wait().unwrap();
    // It may have been done before the signal came.
    assert!(matches!(status.code(), Some(130 | 1)), "{status:?}");
    assert_eq!(left(temp.path()), 0);
}

#[test]
fn every_scenario_comes_back_and_is_explained_rightly() {
    let started = Instant::now();
    let run = mailtrace(["send-test", "--scenario", "all", "--json"]).run();
    let took = started.elapsed();
    let mut causes = std::collections::BTreeSet::new();
    for line in run.stdout.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let scenario = &line["scenario"];
        assert_eq!(scenario["right"], true, "{scenario}");
        causes.insert(scenario["explained"].as_str().unwrap().to_string());
    }
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(causes.len(), 39, "every cause of the taxonomy: {causes:?}");
    assert!(took < Duration::from_secs(60), "{took:?}");
}

#[test]
fn a_scenario_ends_as_its_message_does() {
    for (name, code, status) in [
        ("user-unknown", 1, "bounced"),
        ("over-quota", 3, "pending"),
        ("login-required", 1, "not-waited"),
        ("delivered", 0, "arrived"),
    ] {
        let (got, line) = json(&["--scenario", name]);
        assert_eq!(
            (got, &line["arrival"]["status"]),
            (code, &Value::from(status)),
            "{name}"
        );
        assert_eq!(line["scenario"]["name"], name);
    }
    let run = mailtrace(["send-test", "--scenario", "nonsense"]).run();
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("--scenario list"), "{}", run.stderr);
    let list = mailtrace(["send-test", "--scenario", "list"]).run();
    assert!(list.code == 0 && list.stdout.lines().count() > 39);
}
