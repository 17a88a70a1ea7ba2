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
fn what_would_do_nothing_is_refused() {
    for flag in [
        &["--wait", "1"][..],
        &["--wait-maildir", "/tmp"],
        &["--listen", "127.0.0.1:0"],
    ] {
        let series = &[
            "send-test",
            "127.0.0.1:1",
            "--to",
            "a@b.test",
            "--count",
            "2",
        ];
        let run = mailtrace([&series[..], flag].concat()).run();
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{flag:?}");
        let wanted = format!("mailtrace: {} is for one message", flag[0]);
        assert!(run.stderr.starts_with(&wanted), "{}", run.stderr);
        // And on the road of this machine, where nothing is waited for by hand.
        let run = mailtrace([&["send-test"][..], flag].concat()).run();
        assert!(run.stderr.contains("is for real sends"), "{}", run.stderr);
        assert_eq!(run.code, 2);
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
    std::process::Command::new("sh")
        .args(["-c", "kill -INT $0", &id])
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

/// A server of ours with a mailbox for bob, as another process.
struct Server {
    child: std::process::Child,
    at: String,
    dir: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        common::end(&mut self.child);
    }
}

fn server(flags: &[&str]) -> Server {
    use std::io::BufRead;
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("word"), "wonderland\n").unwrap();
    std::fs::create_dir(path("mail")).unwrap();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_mailtrace"))
        .args([
            "serve",
            "-q",
            "--domain",
            "example.test",
            "--mailbox",
            "bob",
            "--mailbox",
            "alice",
        ])
        .arg("--spool")
        .arg(path("spool"))
        .arg("--maildir")
        .arg(path("mail"))
        .arg("--user")
        .arg(format!("alice:{}", path("word").display()))
        .args(flags)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let out = child.stdout.take().unwrap();
    std::io::BufReader::new(out).read_line(&mut line).unwrap();
    let at = line.trim().rsplit(' ').next().unwrap().to_string();
    Server { child, at, dir }
}

const LISTEN: &[&str] = &["--listen", "127.0.0.1:0"];

#[test]
fn a_message_that_is_sent_for_real_is_found_in_the_maildir() {
    let server = server(LISTEN);
    let bob = server.dir.path().join("mail/bob");
    let bob = bob.to_str().unwrap();
    let (code, line) = json(&[
        &server.at,
        "--to",
        "bob@example.test",
        "--from",
        "alice@example.test",
        "--wait-maildir",
        bob,
        "--wait",
        "20",
    ]);
    assert_eq!(
        (code, &line["arrival"]["status"]),
        (0, &Value::from("arrived"))
    );
    assert_eq!(line["recipients"][0]["class"], "not-a-failure");
    assert_eq!(
        line["server"]["port"].to_string(),
        server.at.rsplit(':').next().unwrap()
    );
    // Nothing is ever changed in it.
    let again = Path::new(bob).join("new").read_dir().unwrap().count();
    assert_eq!(again, 1);
}

#[test]
fn several_recipients_meet_several_fates() {
    let server = server(LISTEN);
    let (code, line) = json(&[
        &server.at,
        "--to",
        "bob@example.test",
        "--to",
        "nobody@example.test",
        "--from",
        "alice@example.test",
    ]);
    assert_eq!((code, &line["outcome"]), (1, &Value::from("partly")));
    assert_eq!(line["recipients"][0]["cause"], "delivered");
    assert_eq!(line["recipients"][1]["cause"], "user-unknown");
    assert_eq!(line["recipients"][1]["smtp_command"], "RCPT");
}

#[test]
fn without_a_recipient_the_server_is_only_tried() {
    let server = server(LISTEN);
    let (code, line) = json(&[&server.at]);
    assert_eq!(
        (code, &line["outcome"], &line["probe"]),
        (0, &Value::from("not-sent"), &Value::from(true))
    );
    let sent: Vec<_> = line["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|s| s["sent"].as_str())
        .collect();
    assert!(
        sent.iter().any(|s| s.starts_with("MAIL")) && !sent.contains(&"DATA"),
        "{sent:?}"
    );
    let told = mailtrace(["send-test", &server.at]).run();
    assert!(told.stdout.contains("Nothing was sent"), "{}", told.stdout);
}

#[test]
fn a_login_works_and_its_password_is_nowhere_to_be_seen() {
    let server = server(&["--submission", "127.0.0.1:0"]);
    let file = server.dir.path().join("word");
    for mechanism in ["PLAIN", "LOGIN", "SCRAM-SHA-256"] {
        let run = mailtrace([
            "send-test",
            "-v",
            &server.at,
            "--to",
            "bob@example.test",
            "--auth-user",
            "alice",
            "--auth",
            mechanism,
        ])
        .env("MAILTRACE_PASSWORD", "wonderland")
        .run();
        assert_eq!(run.code, 0, "{}", run.stdout);
        let secret = ["wonderland", "d29uZGVybGFuZA", "AGFsaWNlAHdvbmRlcmxhbmQ"];
        assert!(
            !secret.iter().any(|s| run.stdout.contains(s)),
            "{}",
            run.stdout
        );
    }
    let args = [
        &server.at,
        "--to",
        "bob@example.test",
        "--auth-user",
        "alice",
        "--auth-password-file",
        file.to_str().unwrap(),
    ];
    assert_eq!(json(&args).0, 0);
    std::fs::write(&file, "wrong\n").unwrap();
    let (code, line) = json(&args);
    assert_eq!(
        (code, &line["recipients"][0]["cause"]),
        (1, &Value::from("login-required"))
    );
    // There is no terminal here to ask at.
    let run = mailtrace([
        "send-test",
        &server.at,
        "--to",
        "bob@example.test",
        "--auth-user",
        "alice",
    ])
    .run();
    assert!(run.code == 2 || run.code == 1, "{}", run.stderr);
}

#[test]
fn a_lost_answer_after_the_dot_is_uncertain_and_nothing_is_sent_again() {
    let server = server(&["--listen", "127.0.0.1:0", "--fault", "dot=lose"]);
    let (code, line) = json(&[
        &server.at,
        "--to",
        "bob@example.test",
        "--from",
        "alice@example.test",
        "--wait",
        "6",
    ]);
    assert_eq!(
        (code, &line["outcome"], &line["uncertain"]),
        (3, &Value::from("failed"), &Value::from(true))
    );
    let mailbox = server.dir.path().join("mail/bob/new");
    std::thread::sleep(Duration::from_millis(500));
    assert!(mailbox.read_dir().map_or(0, Iterator::count) <= 1);
}

#[test]
fn a_greylisting_server_is_asked_again_when_there_is_time() {
    let server = server(&[
        "--listen",
        "127.0.0.1:0",
        "--fault",
        "rcpt[for=3s]=451 4.7.1 <{}>: Greylisted, try again later",
    ]);
    let to = ["--to", "bob@example.test", "--from", "alice@example.test"];
    let (code, line) = json(&[&[server.at.as_str()], &to[..]].concat());
    assert_eq!((code, &line["outcome"]), (3, &Value::from("deferred")));
    assert_eq!(line["recipients"][0]["cause"], "greylisted");
    let (code, line) = json(&[&[server.at.as_str()], &to[..], &["--wait", "30"]].concat());
    assert_eq!(
        (code, &line["outcome"]),
        (0, &Value::from("accepted")),
        "{}",
        line["notes"]
    );
}

#[test]
fn a_late_bounce_comes_to_the_receiver_and_is_explained() {
    let port = {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap().port()
    };
    let route = format!("origin.test=127.0.0.1:{port}");
    let over = "gone.test=127.0.0.1:1".to_string();
    let server = server(&[
        "--listen",
        "127.0.0.1:0",
        "--relay-from",
        "127.0.0.1",
        "--route",
        &route,
        "--route",
        &over,
        "--expire-after",
        "1s",
        "--retry",
        "1s",
    ]);
    let listen = format!("127.0.0.1:{port}");
    let (code, line) = json(&[
        &server.at,
        "--to",
        "x@gone.test",
        "--from",
        "me@origin.test",
        "--listen",
        &listen,
        "--wait",
        "30",
    ]);
    assert_eq!(
        (code, &line["arrival"]["status"]),
        (1, &Value::from("bounced")),
        "{line}"
    );
    assert_eq!(
        line["arrival"]["bounce"]["recipients"][0]["cause"],
        "connection-failed"
    );
}

#[test]
fn the_mail_server_of_a_domain_is_found_and_a_domain_without_one_told() {
    let (code, line) = json(&[
        "--to",
        "bob@[127.0.0.1]",
        "--port",
        "1",
        "--from",
        "a@b.test",
    ]);
    assert_eq!((code, &line["outcome"]), (3, &Value::from("failed")));
    assert_eq!(line["recipients"][0]["cause"], "connection-failed");
}

#[test]
fn many_messages_are_counted_and_their_times_spread() {
    let server = server(LISTEN);
    let (code, line) = json(&[&server.at, "--to", "bob@example.test", "--count", "50"]);
    assert_eq!((code, &line["outcomes"]["accepted"]), (0, &Value::from(50)));
    let rows = line["histogram"].as_array().unwrap();
    let sum: u64 = rows.iter().map(|row| row["count"].as_u64().unwrap()).sum();
    assert_eq!(sum, 50);
    let run = mailtrace([
        "send-test",
        &server.at,
        "--to",
        "nobody@example.test",
        "--count",
        "5",
    ])
    .run();
    assert_eq!(run.code, 1);
    assert!(run.stdout.contains("5 × 550"), "{}", run.stdout);
}

#[test]
fn what_is_for_real_sends_is_not_passed_over_on_the_road() {
    for flag in [
        &["--from", "a@b.test"][..],
        &["--wait", "5"],
        &["--tls", "none"],
        &["--count", "3"],
    ] {
        let run = mailtrace([&["send-test"], flag].concat()).run();
        assert_eq!(run.code, 2, "{flag:?}");
        assert!(run.stderr.contains("real sends"), "{}", run.stderr);
    }
}
