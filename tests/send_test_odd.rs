//! `mailtrace send-test` in odd company: servers behind sockets, half an answer, whole messages,
//! a password asked for at a terminal.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may fail, and says why it is skipped"
)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::sync::mpsc;

use common::mailtrace;
use serde_json::Value;

/// What a played server took: the envelope lines, and the message as it was on the wire.
type Taken = (Vec<String>, Vec<u8>);

/// Plays one conversation: `dot` is what is said to the end of the message.
fn play<S: Read + Write>(stream: S, extensions: &str, dot: &str) -> Taken {
    let mut stream = BufReader::new(stream);
    let mut heard = Vec::new();
    let mut message = Vec::new();
    let say = |stream: &mut BufReader<S>, text: &str| {
        stream.get_mut().write_all(text.as_bytes()).ok();
    };
    say(&mut stream, "220 played.test\r\n");
    let mut line = String::new();
    while stream.read_line(&mut line).unwrap_or(0) > 0 {
        let command = std::mem::take(&mut line).trim_end().to_string();
        let verb = command.split(' ').next().unwrap().to_string();
        match verb.as_str() {
            "EHLO" | "LHLO" => say(
                &mut stream,
                &format!("250-played.test\r\n{extensions}250 HELP\r\n"),
            ),
            "DATA" if dot.starts_with("(confused)") => {
                say(&mut stream, dot.trim_start_matches("(confused)"));
            }
            "DATA" => {
                say(&mut stream, "354 go\r\n");
                let mut raw = Vec::new();
                while stream.read_until(b'\n', &mut raw).unwrap() > 0 && raw != b".\r\n" {
                    message.append(&mut raw);
                }
                say(&mut stream, dot);
                if dot.matches('\n').count() == 1 && extensions.contains("X-HANGS-UP") {
                    return (heard, message);
                }
            }
            "BDAT" => {
                let size = command.split(' ').nth(1).unwrap().parse().unwrap();
                message = vec![0; size];
                stream.read_exact(&mut message).unwrap();
                say(&mut stream, dot);
            }
            "QUIT" => {
                say(&mut stream, "221 bye\r\n");
                heard.push(command);
                return (heard, message);
            }
            _ => say(&mut stream, "250 ok\r\n"),
        }
        heard.push(command);
    }
    (heard, message)
}

/// A played server on TCP; gives where it listens and what it will have taken.
fn tcp(extensions: &'static str) -> (String, mpsc::Receiver<Taken>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        tell.send(play(stream, extensions, "250 2.0.0 queued as AB12CD34\r\n"))
    });
    (at, told)
}

fn run(args: &[&str]) -> (i32, Value) {
    let run = mailtrace([&["send-test", "--json", "--from", "me@h.test"], args].concat()).run();
    let value = serde_json::from_str(&run.stdout);
    let value = value.unwrap_or_else(|e| panic!("{e}: {}{}", run.stdout, run.stderr));
    (run.code, value)
}

const TWO: [&str; 4] = ["--to", "bob@x.test", "--to", "ann@x.test"];

#[test]
fn an_lmtp_server_behind_a_socket_answers_for_each_recipient() {
    for (extensions, dot, fates, uncertain, code) in [
        (
            "",
            "250 2.0.0 bob ok\r\n552 5.2.2 ann is over quota\r\n",
            ["delivered", "over-quota"],
            false,
            1,
        ),
        (
            "250-X-HANGS-UP\r\n",
            "250 2.0.0 bob ok\r\n",
            ["delivered", "connection-failed"],
            true,
            3,
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lmtp");
        let listener = UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            play(stream, extensions, dot)
        });
        let socket = path.display().to_string();
        let (exit, line) = run(&[&[socket.as_str(), "--lmtp"], &TWO[..]].concat());
        let causes = line["recipients"].as_array().unwrap().iter();
        let causes: Vec<_> = causes.map(|r| r["cause"].as_str().unwrap()).collect();
        assert_eq!(causes, fates);
        assert_eq!(
            (exit, &line["outcome"], &line["uncertain"]),
            (code, &"partly".into(), &uncertain.into())
        );
        assert_eq!(
            (&line["server"]["host"], &line["server"]["ip"]),
            (&socket.as_str().into(), &Value::Null)
        );
        let (heard, _) = server.join().unwrap();
        assert!(heard[0].starts_with("LHLO "), "{heard:?}");
    }
    let missing = mailtrace(["send-test", "/nowhere/lmtp", "--lmtp", "--to", "bob@x.test"]).run();
    assert_eq!(missing.code, 3, "{}", missing.stdout);
    assert!(
        missing.stdout.contains("no such socket"),
        "{}",
        missing.stdout
    );
}

#[test]
fn a_whole_message_is_sent_as_it_is_but_for_the_mark() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("whole.eml");
    std::fs::write(&file, "From: x@y.test\nSubject: raw\n\n.dot\nend\n").unwrap();
    let (at, taken) = tcp("");
    let (code, line) = run(&[&at, "--to", "bob@x.test", "--data", file.to_str().unwrap()]);
    assert_eq!((code, &line["queue_id"]), (0, &"AB12CD34".into()));
    let (_, message) = taken.recv().unwrap();
    let message = String::from_utf8(message).unwrap();
    let (mark, rest) = message.split_once("\r\n").unwrap();
    assert!(mark.starts_with("X-Mailtrace-Test: mt-"), "{mark}");
    assert_eq!(
        rest,
        "From: x@y.test\r\nSubject: raw\r\n\r\n..dot\r\nend\r\n"
    );

    std::fs::write(&file, "no header here\n").unwrap();
    let path = file.to_str().unwrap();
    let bad = [
        "send-test",
        "127.0.0.1:9",
        "--to",
        "b@x.test",
        "--data",
        path,
    ];
    let bad = mailtrace(bad).run();
    assert_eq!(bad.code, 2);
    assert!(
        bad.stderr.contains("this is no mail message"),
        "{}",
        bad.stderr
    );
}

#[test]
fn capabilities_are_tried_only_with_servers_that_announce_them() {
    let dir = tempfile::tempdir().unwrap();
    let body = dir.path().join("body");
    std::fs::write(&body, "Grüße\n").unwrap();
    let body = body.to_str().unwrap();
    let (at, taken) = tcp("250-CHUNKING\r\n250-8BITMIME\r\n");
    let args = [
        &at,
        "--to",
        "bob@x.test",
        "--bdat",
        "--8bit",
        "--body",
        body,
        "--verp",
    ];
    assert_eq!(run(&args).0, 0);
    let (heard, message) = taken.recv().unwrap();
    let mail = heard.iter().find(|l| l.starts_with("MAIL")).unwrap();
    assert!(
        mail.starts_with("MAIL FROM:<me+mt-") && mail.contains("@h.test> "),
        "{mail}"
    );
    assert!(mail.ends_with("BODY=8BITMIME"), "{mail}");
    assert!(
        heard
            .iter()
            .any(|l| l.starts_with("BDAT ") && l.ends_with(" LAST"))
    );
    assert!(String::from_utf8(message).unwrap().ends_with("Grüße\r\n"));
    for (flags, keyword) in [
        (&["--bdat"][..], "CHUNKING"),
        (&["--8bit", "--body", body], "8BITMIME"),
        (&["--require-tls"], "REQUIRETLS"),
    ] {
        let (at, taken) = tcp("");
        let (code, line) = run(&[&[at.as_str(), "--to", "bob@x.test"], flags].concat());
        assert_eq!(
            (code, &line["outcome"]),
            (3, &"not-sent".into()),
            "{keyword}"
        );
        let words = line["recipients"][0]["diagnostic"].as_str().unwrap();
        assert!(words.contains(keyword), "{words}");
        let (heard, _) = taken.recv().unwrap();
        assert!(!heard.iter().any(|l| l.starts_with("MAIL")), "{heard:?}");
    }
}

#[test]
fn after_one_attempt_nobody_is_said_to_keep_trying() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let closed = closed.to_string();
    let told = mailtrace(["send-test", &closed, "--to", "bob@x.test"]).run();
    assert_eq!(told.code, 3);
    for wrong in ["keeps trying", "still trying", "permanent"] {
        assert!(!told.stdout.contains(wrong), "{wrong}: {}", told.stdout);
    }
}

#[test]
fn answers_to_other_questions_are_not_taken_for_the_one_to_the_message() {
    for answer in ["(confused)250 ok\r\n", "(confused)354 go\r\n250 ok\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            play(stream, "", answer)
        });
        let (code, line) = run(&[&at, "--to", "bob@x.test"]);
        assert_eq!((code, &line["outcome"]), (3, &"failed".into()), "{answer}");
        assert_eq!(line["recipients"][0]["cause"], "protocol-error");
        server.join().unwrap();
    }
}

/// The password is asked for where the user is, is not shown while it is typed, and never after.
#[test]
fn the_password_is_asked_for_at_the_terminal_and_never_shown() {
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("skipped: there is no script(1) to make a terminal with");
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        play(stream, "250-AUTH PLAIN\r\n", "250 ok\r\n")
    });
    let program = env!("CARGO_BIN_EXE_mailtrace");
    let line = format!(
        "{program} send-test -v {at} --to bob@x.test --from me@h.test --auth-user alice --auth PLAIN"
    );
    let mut child = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env_remove("MAILTRACE_PASSWORD")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut screen = Vec::new();
    let mut block = [0; 256];
    while !String::from_utf8_lossy(&screen).contains("Password for alice: ") {
        let got = out.read(&mut block).unwrap();
        assert!(got > 0, "{}", String::from_utf8_lossy(&screen));
        screen.extend_from_slice(&block[..got]);
    }
    child
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"wonderland\n")
        .unwrap();
    out.read_to_end(&mut screen).unwrap();
    child.wait().unwrap();
    let screen = String::from_utf8_lossy(&screen).into_owned();
    let (heard, _) = server.join().unwrap();
    let login = heard.iter().find(|l| l.starts_with("AUTH PLAIN")).unwrap();
    assert_eq!(login, "AUTH PLAIN AGFsaWNlAHdvbmRlcmxhbmQ=");
    for secret in ["wonderland", "AGFsaWNl"] {
        assert!(!screen.contains(secret), "{screen}");
    }
    assert!(screen.contains("AUTH PLAIN ***"), "{screen}");
}
