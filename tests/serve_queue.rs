//! The server with its queue as a process: killed at any moment, on a full disk, under the orders
//! of its operator.
#![allow(clippy::print_stdout, reason = "a test that is left out says so")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::OwnEnvironment;

/// A server that is ended when this is dropped.
struct Server {
    child: Child,
    at: SocketAddr,
}

impl Server {
    fn start(dir: &Path, more: &[&str]) -> Self {
        Self::start_as(Command::new(env!("CARGO_BIN_EXE_mailtrace")), dir, more)
    }

    fn start_as(mut command: Command, dir: &Path, more: &[&str]) -> Self {
        command
            .args([
                "serve",
                "-q",
                "--listen",
                "127.0.0.1:0",
                "--domain",
                "home.test",
                "--no-tls",
            ])
            .arg("--spool")
            .arg(dir.join("spool"))
            .arg("--maildir")
            .arg(dir.join("mail"))
            .args(more)
            .own_environment()
            .env("HOME", "/nonexistent")
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let at = line.trim().strip_prefix("listening on ").expect(&line);
        let at = at.parse().unwrap();
        Self { child, at }
    }
}

impl Server {
    /// SIGKILL, which nobody can prepare for.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        common::end(&mut self.child);
    }
}

/// A client that says what it is told.
struct Talk {
    stream: BufReader<TcpStream>,
}

impl Talk {
    fn open(at: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(at)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut talk = Self {
            stream: BufReader::new(stream),
        };
        talk.reply()?;
        talk.say("EHLO client.test\r\n")?;
        Ok(talk)
    }

    fn reply(&mut self) -> std::io::Result<String> {
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line.trim_end().to_string());
            }
        }
    }

    fn say(&mut self, text: &str) -> std::io::Result<String> {
        self.stream.get_mut().write_all(text.as_bytes())?;
        self.reply()
    }

    /// Hands a message over up to its end; the text has to end with a line end.
    fn give(&mut self, from: &str, to: &str, text: &str) -> std::io::Result<String> {
        for line in [
            format!("MAIL FROM:<{from}>\r\n"),
            format!("RCPT TO:<{to}>\r\n"),
        ] {
            let reply = self.say(&line)?;
            if !reply.starts_with("250") {
                return Ok(reply);
            }
        }
        self.say("DATA\r\n")?;
        self.say(&format!("{text}.\r\n"))
    }
}

fn mails(dir: &Path, user: &str) -> Vec<String> {
    let new = dir.join("mail").join(user).join("new");
    let Ok(files) = fs::read_dir(new) else {
        return Vec::new();
    };
    files
        .filter_map(|f| fs::read_to_string(f.unwrap().path()).ok())
        .collect()
}

/// Waits until this holds.
fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn queue(dir: &Path, order: &[&str]) -> common::Outcome {
    let spool = dir.join("spool");
    let mut args = vec!["queue"];
    args.extend_from_slice(order);
    args.extend_from_slice(&["--spool", spool.to_str().unwrap()]);
    common::mailtrace(args).run()
}

#[test]
fn the_250_comes_after_the_sync_and_a_letter_is_shown_after_its_own() {
    if !Path::new("/usr/bin/strace").exists() {
        println!("skipped: strace is not installed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace");
    let mut strace = Command::new("/usr/bin/strace");
    strace
        .args(["-D", "-f", "-o", trace.to_str().unwrap()])
        .args([
            "-e",
            "trace=openat,pwrite64,fdatasync,fsync,syncfs,rename,write,sendto",
        ])
        .arg(env!("CARGO_BIN_EXE_mailtrace"));
    let server = Server::start_as(strace, dir.path(), &[]);
    let mut talk = Talk::open(server.at).unwrap();
    let said = talk.give(
        "a@client.test",
        "bob@home.test",
        "Subject: x\r\n\r\ntext\r\n",
    );
    assert!(said.unwrap().starts_with("250"));
    wait("it is in the mailbox", || {
        !mails(dir.path(), "bob").is_empty()
    });
    // It is there a moment before that is durable and noted.
    let noted = || fs::read_to_string(&trace).is_ok_and(|calls| calls.contains("== note"));
    let end = Instant::now() + Duration::from_secs(10);
    while !noted() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(server);
    let calls = fs::read_to_string(&trace).unwrap();
    if !calls.contains("pwrite64(") {
        println!("skipped: strace may not look at programs here");
        return;
    }
    let calls: Vec<&str> = calls.lines().collect();
    let find = |from: usize, parts: &[&str]| {
        let holds = |call: &&str| parts.iter().all(|part| call.contains(part));
        let at = calls[from..].iter().position(holds);
        from + at.unwrap_or_else(|| panic!("{parts:?} is not there: {calls:#?}"))
    };
    let written = find(0, &["pwrite64(", "== message"]);
    let durable = find(written, &["fdatasync", "= 0"]);
    let said = find(written, &["250 2.0.0 Ok: queued"]);
    assert!(durable < said, "{calls:#?}");
    let filled = find(written, &[" write(", "Return-Path:"]);
    let file = calls[filled].split(['(', ',']).nth(1).unwrap();
    let durable = find(filled, &[&format!(" fsync({file})"), "= 0"]);
    let shown = find(filled, &["rename(", "/mail/bob/new/"]);
    assert!(durable < shown, "{calls:#?}");
    let name_durable = find(shown, &[" fsync(", "= 0"]);
    let forgotten = find(shown, &["pwrite64(", "== note"]);
    assert!(name_durable < forgotten, "{calls:#?}");
}

#[test]
fn what_was_acknowledged_survives_kill_9_and_arrives_once_and_whole() {
    const MESSAGES: usize = 900;
    let dir = tempfile::tempdir().unwrap();
    let server = Arc::new(Mutex::new(Server::start(dir.path(), &[])));
    let next = Arc::new(Mutex::new(0..MESSAGES));
    let acked = Arc::new(Mutex::new(BTreeSet::new()));
    let clients: Vec<_> = (0..6)
        .map(|_| {
            let (server, next, acked) = (server.clone(), next.clone(), acked.clone());
            std::thread::spawn(move || {
                let mut talk = None;
                loop {
                    let Some(n) = next.lock().unwrap().next() else {
                        return;
                    };
                    let at = server.lock().unwrap().at;
                    let filling = "0123456789\r\n".repeat(n % 300);
                    let text = format!("X-Number: {n}\r\n\r\n{filling}END {n}\r\n");
                    if talk.is_none() {
                        talk = Talk::open(at).ok();
                    }
                    let said = talk
                        .as_mut()
                        .map(|t| t.give("a@client.test", "bob@home.test", &text));
                    match said {
                        Some(Ok(reply)) if reply.starts_with("250") => {
                            acked.lock().unwrap().insert(n);
                        }
                        // Nobody knows what became of this one; it is not sent again.
                        _ => talk = None,
                    }
                }
            })
        })
        .collect();
    for kill in 1..=4 {
        wait("some were taken", || {
            let done = next.lock().unwrap().start;
            done >= kill * MESSAGES / 5
        });
        let mut server = server.lock().unwrap();
        server.kill();
        *server = Server::start(dir.path(), &[]);
    }
    for client in clients {
        client.join().unwrap();
    }
    let acked = acked.lock().unwrap().clone();
    assert!(acked.len() > MESSAGES / 2, "{}", acked.len());
    wait("the queue is empty", || {
        queue(dir.path(), &["list", "--json"]).stdout.is_empty()
    });
    let mut seen: BTreeMap<usize, usize> = BTreeMap::new();
    for mail in mails(dir.path(), "bob") {
        let number = mail
            .lines()
            .find_map(|l| l.strip_prefix("X-Number: "))
            .unwrap();
        assert!(mail.ends_with(&format!("END {number}\n")), "torn: {number}");
        *seen.entry(number.parse().unwrap()).or_default() += 1;
    }
    let lost: Vec<_> = acked.iter().filter(|n| !seen.contains_key(n)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    let twice: Vec<_> = seen.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "twice: {twice:?}");
}

/// A small disk of its own, unmounted when this is dropped.
struct SmallDisk<'d>(&'d Path);

impl<'d> SmallDisk<'d> {
    fn mount(at: &'d Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(at);
        let done = mount.stderr(Stdio::null()).status();
        done.is_ok_and(|status| status.success())
            .then_some(Self(at))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0).status());
    }
}

#[test]
fn a_full_disk_is_said_so_and_when_there_is_room_it_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let Some(_disk) = SmallDisk::mount(&spool) else {
        println!("skipped: a small disk cannot be mounted here (no root)");
        return;
    };
    // Mail that stays: nobody listens there.
    let flags = ["--relay-to", "far.test", "--route", "far.test=127.0.0.1:9"];
    let server = Server::start(dir.path(), &flags);
    for octets in [600_u64, 100_000] {
        let text = format!(
            "Subject: full\r\n\r\n{}",
            "0123456789abcd\r\n".repeat(usize::try_from(octets / 16).unwrap())
        );
        let mut talk = Talk::open(server.at).unwrap();
        let mut taken = 0;
        let refusal = loop {
            let reply = talk.give("a@client.test", "x@far.test", &text).unwrap();
            if !reply.starts_with("250") {
                break reply;
            }
            taken += 1;
            assert!(taken < 3000, "the disk never fills");
        };
        assert!(refusal.starts_with("452 4.3.1"), "{refusal}");
        assert!(taken > 2, "{taken}");
        // Again and again, and the session stays usable.
        assert!(talk.say("RSET\r\n").unwrap().starts_with("250"));
        let again = talk.give("a@client.test", "x@far.test", &text).unwrap();
        assert!(again.starts_with("452 4.3.1"), "{again}");
        let listed = queue(dir.path(), &["list", "--json"]).json();
        assert_eq!(listed.len(), taken);
        assert!(
            listed
                .iter()
                .all(|m| m["size"].as_u64().unwrap() > octets - 20)
        );
        let done = queue(dir.path(), &["remove", "--all"]);
        assert_eq!(
            done.stdout,
            format!("{taken} messages removed\n"),
            "{}",
            done.stderr
        );
        assert!(talk.say("RSET\r\n").unwrap().starts_with("250"));
        let good = talk.give("a@client.test", "x@far.test", &text).unwrap();
        assert!(good.starts_with("250"), "{good}");
        queue(dir.path(), &["remove", "--all"]);
    }
}

#[test]
fn acknowledged_mail_survives_a_kill_on_a_full_disk() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let Some(_disk) = SmallDisk::mount(&spool) else {
        println!("skipped: a small disk cannot be mounted here (no root)");
        return;
    };
    let flags = ["--relay-to", "far.test", "--route", "far.test=127.0.0.1:9"];
    let mut server = Server::start(dir.path(), &flags);
    let mut talk = Talk::open(server.at).unwrap();
    let text = "x: y\r\n\r\n0123456789\r\n".repeat(100);
    let mut taken = 0;
    while talk
        .give("a@client.test", "x@far.test", &text)
        .unwrap()
        .starts_with("250")
    {
        taken += 1;
    }
    server.kill();
    assert_eq!(queue(dir.path(), &["list", "--json"]).json().len(), taken);
    let removed = queue(dir.path(), &["remove", "--all"]);
    assert_eq!(
        removed.stdout,
        format!("{taken} messages removed\n"),
        "{}",
        removed.stderr
    );
    let _server = Server::start(dir.path(), &flags);
    assert_eq!(queue(dir.path(), &["list"]).stdout, "The queue is empty.\n");
}

#[test]
fn the_operator_sees_holds_tries_and_removes() {
    let dir = tempfile::tempdir().unwrap();
    let flags = [
        "--relay-to",
        "far.test",
        "--route",
        "far.test=127.0.0.1:9",
        "--retry",
        "1h",
    ];
    let server = Server::start(dir.path(), &flags);
    let mut talk = Talk::open(server.at).unwrap();
    for n in 0..2 {
        let text = format!("Subject: number {n}\r\n\r\nhello\r\n");
        let reply = talk.give("a@client.test", "x@far.test", &text).unwrap();
        assert!(reply.starts_with("250"), "{reply}");
    }
    let tried = |times: u64| {
        let all = queue(dir.path(), &["list", "--json"]).json();
        all.len() == 2 && all.iter().all(|m| m["tries"] == times)
    };
    wait("both were tried", || tried(1));
    let all = queue(dir.path(), &["list", "--json"]).json();
    let recipient = &all[0]["recipients"][0];
    assert_eq!(recipient["status"], "4.4.1");
    assert!(
        recipient["said"]
            .as_str()
            .unwrap()
            .contains("connection refused")
    );
    assert_eq!(
        queue(dir.path(), &["flush"]).stdout,
        "2 messages being tried now\n"
    );
    wait("both were tried again", || tried(2));
    let id = all[0]["id"].as_str().unwrap();
    assert_eq!(queue(dir.path(), &["hold", id]).stdout, "1 message held\n");
    assert_eq!(
        queue(dir.path(), &["flush"]).stdout,
        "1 message being tried now\n"
    );
    let shown = queue(dir.path(), &["show", id]);
    assert!(
        shown.stdout.contains("Subject: number 0"),
        "{}",
        shown.stdout
    );
    assert!(
        shown.stdout.contains("held until it is released"),
        "{}",
        shown.stdout
    );
    let list = queue(dir.path(), &["list"]).stdout;
    assert!(list.contains(id) && list.contains("2 messages"), "{list}");
    assert_eq!(
        queue(dir.path(), &["remove", id]).stdout,
        "1 message removed\n"
    );
    let gone = queue(dir.path(), &["show", id]);
    assert_eq!(gone.code, 1);
    assert!(
        gone.stderr.contains("there is no such message"),
        "{}",
        gone.stderr
    );
    drop(server);
    assert_eq!(
        queue(dir.path(), &["flush"]).stdout,
        "1 message to be tried as soon as the server runs\n"
    );
    let nowhere = common::mailtrace(["queue", "list", "--spool", "/nonexistent"]).run();
    assert_eq!(nowhere.code, 2);
}

#[test]
fn a_story_of_five_days_is_over_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let flags = [
        "--relay-to",
        "far.test",
        "--route",
        "far.test=127.0.0.1:9",
        "--virtual-clock",
    ];
    let server = Server::start(dir.path(), &flags);
    let mut talk = Talk::open(server.at).unwrap();
    let reply = talk
        .give(
            "alice@home.test",
            "x@far.test",
            "Subject: s\r\n\r\nhello\r\n",
        )
        .unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    wait("warning and failure", || {
        mails(dir.path(), "alice").len() == 2
    });
    let mails = mails(dir.path(), "alice").join("");
    assert!(
        mails.contains("Action: delayed") && mails.contains("Action: failed"),
        "{mails}"
    );
    let new = dir.path().join("mail/alice/new");
    let new = new.to_str().unwrap();
    let explained = common::mailtrace(["explain", "--json", new]).run().json();
    let causes: Vec<_> = explained
        .iter()
        .map(|e| e["recipients"][0]["cause"].clone())
        .collect();
    assert_eq!(causes, ["connection-failed", "connection-failed"]);
}
