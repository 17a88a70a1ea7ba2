//! `mailtrace serve` as a program: how it starts, what it refuses, how it ends.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

struct Served {
    child: Child,
    at: String,
    log: std::thread::JoinHandle<String>,
}

fn serve(dir: &Path, more: &[&str]) -> Served {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mailtrace"))
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--domain",
            "example.test",
        ])
        .arg("--spool")
        .arg(dir.join("spool"))
        .arg("--maildir")
        .arg(dir.join("mail"))
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let at = line.strip_prefix("listening on ").expect(&line);
    let mut err = child.stderr.take().unwrap();
    let log = std::thread::spawn(move || {
        let mut text = String::new();
        err.read_to_string(&mut text).unwrap();
        text
    });
    Served {
        at: at.trim().to_string(),
        child,
        log,
    }
}

impl Served {
    fn connect(&self) -> Talk {
        let tcp = TcpStream::connect(&self.at).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut talk = Talk(BufReader::new(tcp));
        assert!(talk.reply().starts_with("220 "));
        talk
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("sh")
            .args(["-c", "kill $0 $1", name, &pid])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Exit code and log.
    fn end(mut self) -> (i32, String) {
        let status = self.child.wait().unwrap();
        (status.code().unwrap(), self.log.join().unwrap())
    }
}

struct Talk(BufReader<TcpStream>);

impl Talk {
    fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            let got = self.0.read_line(&mut line).unwrap();
            if got == 0 || line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }

    fn say(&mut self, line: &str) -> String {
        write!(self.0.get_mut(), "{line}\r\n").unwrap();
        self.reply()
    }

    fn until_354(&mut self) {
        for line in ["EHLO x", "MAIL FROM:<a@b.test>", "RCPT TO:<u@example.test>"] {
            assert!(self.say(line).starts_with("250"), "{line}");
        }
        assert!(self.say("DATA").starts_with("354"));
    }
}

#[test]
fn sigterm_lets_an_open_transaction_come_to_its_end_and_bids_the_others_good_bye() {
    let dir = tempfile::tempdir().unwrap();
    let server = serve(dir.path(), &["--log", "json"]);
    let (mut idle, mut busy) = (server.connect(), server.connect());
    busy.until_354();
    server.signal("-TERM");
    assert!(idle.reply().starts_with("421 4.3.2 "));
    assert_eq!(idle.reply(), "");
    assert!(TcpStream::connect(&server.at).is_err());
    assert!(
        busy.say("Subject: x\r\n\r\nbody\r\n.")
            .starts_with("250 2.0.0 ")
    );
    assert!(busy.reply().starts_with("421 4.3.2 "));
    let (code, log) = server.end();
    assert_eq!(code, 0);
    let events: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let received = events.iter().find(|e| e["event"] == "received").unwrap();
    assert_eq!(received["from"], "<a@b.test>");
    assert!(received["id"].is_string());
    let last = events.last().unwrap();
    assert_eq!(
        (&last["event"], &last["messages"]),
        (&"summary".into(), &"1".into())
    );
}

#[test]
fn sigterm_does_not_wait_for_whoever_does_not_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let server = serve(dir.path(), &["--limit", "grace=500ms"]);
    let mut stuck = [server.connect(), server.connect(), server.connect()];
    for talk in &mut stuck {
        for command in ["EHLO a", "MAIL FROM:<a@b.test>", "RCPT TO:<u@example.test>"] {
            assert!(talk.say(command).starts_with("250"));
        }
    }
    assert!(stuck[1].say("DATA").starts_with("354"));
    assert!(stuck[2].say("BDAT 7\r\nab: c").starts_with("250"));
    let begun = std::time::Instant::now();
    server.signal("-TERM");
    for talk in &mut stuck {
        assert!(talk.reply().starts_with("421 4.3.2 "));
    }
    let (code, _) = server.end();
    assert_eq!(code, 0);
    // None of the clients has closed its side.
    assert!(begun.elapsed() < Duration::from_secs(3));
    drop(stuck);
}

#[test]
fn sigint_ends_it_too_and_a_second_one_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let server = serve(dir.path(), &[]);
    let mut busy = server.connect();
    busy.until_354();
    server.signal("-INT");
    std::thread::sleep(Duration::from_millis(200));
    server.signal("-INT");
    assert_eq!(server.end().0, 0);
}

#[test]
fn it_refuses_to_listen_beyond_this_machine_unless_told_so() {
    let dir = tempfile::tempdir().unwrap();
    for at in ["0.0.0.0:0", "[::]:0", "192.0.2.1:25"] {
        let spool = dir.path().join("spool");
        let spool = spool.to_str().unwrap();
        let refused = common::mailtrace(["serve", "--listen", at, "--spool", spool]).run();
        assert_eq!(refused.code, 2, "{at}");
        assert!(refused.stderr.contains("--public"), "{}", refused.stderr);
        assert_eq!(refused.stdout, "");
    }
}

#[test]
fn wrong_use_is_said_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let spool = spool.to_str().unwrap();
    for (args, word) in [
        (&["--limit", "foo=1"][..], "recipients"),
        (&["--fault", "nonsense"], "--fault list"),
        (&["--fault", "rcpt=explode"], "550 5.1.1"),
        (&["--user", "bob:/no/such/file"], "--user"),
        (&["--mailbox", "bob:quota=x"], "USER:quota=1M"),
    ] {
        let all = [&["serve", "--spool", spool, "--maildir", spool][..], args].concat();
        let refused = common::mailtrace(all).run();
        assert_eq!(refused.code, 2, "{args:?}");
        assert!(refused.stderr.contains(word), "{}", refused.stderr);
        assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    }
}

#[test]
fn an_address_that_is_taken_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let server = serve(dir.path(), &[]);
    let spool = dir.path().join("other");
    let spool = spool.to_str().unwrap();
    let args = [
        "serve",
        "--listen",
        &server.at,
        "--spool",
        spool,
        "--maildir",
        spool,
    ];
    let refused = common::mailtrace(args).run();
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains(&server.at), "{}", refused.stderr);
    server.signal("-TERM");
    server.end();
}

#[test]
fn the_scenarios_are_listed_with_their_causes() {
    let listed = common::mailtrace(["serve", "--fault", "list"]).run();
    assert_eq!(listed.code, 0);
    let line = "user-unknown           the mailbox does not exist (user-unknown)\n";
    assert!(listed.stdout.contains(line), "{}", listed.stdout);
}

/// What the server holds in memory, in kB.
fn memory(server: &Served) -> u64 {
    let status = format!("/proc/{}/status", server.child.id());
    let status = std::fs::read_to_string(status).unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn idle_clients_and_endless_messages_cost_next_to_nothing_and_others_are_served() {
    let dir = tempfile::tempdir().unwrap();
    let server = serve(dir.path(), &["--max-size", "1M", "-q"]);
    let before = memory(&server);
    let idle: Vec<Talk> = (0..600).map(|_| server.connect()).collect();
    let with_idle = memory(&server);
    assert!(
        with_idle < before + 8_000,
        "{before} kB, then {with_idle} kB"
    );
    let mut endless = server.connect();
    endless.until_354();
    let block = format!("{}\r\n", "x".repeat(998)).repeat(100);
    for _ in 0..500 {
        endless.0.get_mut().write_all(block.as_bytes()).unwrap();
    }
    let with_endless = memory(&server);
    assert!(
        with_endless < before + 16_000,
        "{before} kB, then {with_endless} kB"
    );
    let mut other = server.connect();
    other.until_354();
    assert!(other.say("x\r\n.").starts_with("250 2.0.0 "));
    assert!(endless.say(".").starts_with("552 5.3.4 "));
    drop(idle);
    server.signal("-TERM");
    assert_eq!(server.end().0, 0);
}

#[test]
fn a_spool_with_a_very_long_name_serves_without_taking_orders() {
    let dir = tempfile::tempdir().unwrap();
    // Longer than the address of a socket may be.
    let deep = dir.path().join("x".repeat(120));
    std::fs::create_dir(&deep).unwrap();
    let server = serve(&deep, &[]);
    let mut talk = server.connect();
    assert!(talk.say("QUIT").starts_with("221"));
    server.signal("-TERM");
    let (code, log) = server.end();
    assert_eq!(code, 0);
    assert!(
        log.contains("`mailtrace queue` cannot give orders"),
        "{log}"
    );
}
