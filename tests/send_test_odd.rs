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
    tcp_saying(extensions, "250 2.0.0 queued as AB12CD34\r\n")
}

fn tcp_saying(extensions: &'static str, dot: &'static str) -> (String, mpsc::Receiver<Taken>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        tell.send(play(stream, extensions, dot))
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
    // A container may have the program and no /dev/pts.
    let probe = Command::new("script")
        .args(["-qec", "true", "/dev/null"])
        .stdin(Stdio::null())
        .output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        eprintln!("skipped: script(1) is not there, or can make no terminal");
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

/// The codes of what is told beside the verdict.
fn notes(line: &Value) -> Vec<&str> {
    let notes = line["notes"].as_array().unwrap().iter();
    notes.map(|note| note["code"].as_str().unwrap()).collect()
}

#[test]
fn a_filter_that_refuses_its_test_in_the_dialogue_works() {
    let (at, _) = tcp_saying("", "550 5.7.1 this message is spam\r\n");
    let (code, line) = run(&[&at, "--to", "bob@x.test", "--gtube"]);
    assert_eq!((code, &line["outcome"]), (1, &"rejected".into()));
    assert_eq!(notes(&line), ["filter-rejected"]);
    let (at, _) = tcp("");
    let (_, line) = run(&[&at, "--to", "bob@x.test", "--gtube"]);
    assert_eq!(notes(&line), ["filter-unknown"]);
}

#[test]
fn a_yes_to_starttls_that_is_none_is_no_yes_to_the_message() {
    let (at, taken) = tcp("250-STARTTLS\r\n");
    let (code, line) = run(&[&at, "--to", "bob@x.test", "--tls", "required"]);
    assert_eq!((code, &line["outcome"]), (3, &"not-sent".into()), "{line}");
    assert_eq!(line["recipients"][0]["cause"], "tls-failed");
    let (heard, _) = taken.recv().unwrap();
    assert!(!heard.iter().any(|l| l.starts_with("MAIL")), "{heard:?}");
    // Where TLS need not be, the message goes in clear, and what was wrong is told.
    let (at, _) = tcp("250-STARTTLS\r\n");
    let (code, line) = run(&[&at, "--to", "bob@x.test"]);
    assert_eq!((code, &line["outcome"]), (0, &"accepted".into()));
    let why = line["tls"]["error"].as_str().unwrap();
    assert!(why.starts_with("STARTTLS is answered with 250"), "{why}");
}

#[test]
fn a_whole_message_may_come_from_standard_input() {
    let (at, taken) = tcp("");
    let args = [
        "send-test",
        "--json",
        "--from",
        "me@h.test",
        &at,
        "--to",
        "b@x.test",
        "--data",
        "-",
    ];
    let sent = mailtrace(args).stdin("Subject: piped\n\nbody\n").run();
    assert_eq!(sent.code, 0, "{}", sent.stderr);
    let (_, message) = taken.recv().unwrap();
    let message = String::from_utf8(message).unwrap();
    assert!(
        message.ends_with("\r\nSubject: piped\r\n\r\nbody\r\n"),
        "{message}"
    );
    let nothing = mailtrace(args).run();
    assert_eq!((nothing.code, nothing.stdout.as_str()), (2, ""));
    assert!(
        nothing.stderr.contains("-: this is no mail message"),
        "{}",
        nothing.stderr
    );
}

/// Plays a mailbox over IMAP, in clear: the message that comes by the channel lies in the folder
/// for junk. Gives where it listens.
fn imap(arrives: mpsc::Receiver<Taken>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = BufReader::new(stream);
        let mut folder = String::new();
        let mut message = Vec::new();
        stream.get_mut().write_all(b"* OK ready\r\n").unwrap();
        let mut line = String::new();
        while stream.read_line(&mut line).unwrap_or(0) > 0 {
            let said = std::mem::take(&mut line);
            let (tag, command) = said.trim_end().split_once(' ').unwrap();
            if let Ok((_, taken)) = arrives.try_recv() {
                message = taken;
            }
            let there = folder.contains("Spam") && !message.is_empty();
            let mut answer = match command.split(' ').next().unwrap() {
                "CAPABILITY" => b"* CAPABILITY IMAP4rev1\r\n".to_vec(),
                "LIST" => {
                    b"* LIST (\\HasNoChildren) \"/\" INBOX\r\n* LIST (\\Junk) \"/\" \"Spam\"\r\n"
                        .to_vec()
                }
                "EXAMINE" => {
                    folder = command.to_string();
                    Vec::new()
                }
                "UID" if command.starts_with("UID SEARCH") && there => b"* SEARCH 5\r\n".to_vec(),
                "UID" if command.starts_with("UID FETCH 5 ") => {
                    let head = format!("* 1 FETCH (UID 5 BODY[]<0> {{{}}}\r\n", message.len());
                    [head.as_bytes(), &message, b")\r\n"].concat()
                }
                "LOGIN" => match command {
                    r#"LOGIN "bob" "wonderland""# => Vec::new(),
                    _ => {
                        let no = format!("{tag} NO wrong password\r\n");
                        stream.get_mut().write_all(no.as_bytes()).unwrap();
                        continue;
                    }
                },
                _ => Vec::new(),
            };
            answer.extend(format!("{tag} OK\r\n").bytes());
            stream.get_mut().write_all(&answer).unwrap();
        }
    });
    at
}

#[test]
fn the_test_for_filters_is_found_in_the_folder_for_junk_over_imap() {
    let (at, taken) = tcp("");
    let imap = imap(taken);
    let url = format!("imap://bob:wonderland@{imap}");
    let args = [
        "send-test",
        "--json",
        "--from",
        "me@h.test",
        &at,
        "--to",
        "bob@x.test",
    ];
    let more = ["--gtube", "--wait", "20", "--wait-imap", &url];
    let sent = mailtrace([&args[..], &more].concat()).run();
    let line: Value = serde_json::from_str(&sent.stdout).unwrap();
    let arrival = &line["arrival"];
    assert_eq!(
        (&arrival["status"], &arrival["junk"]),
        (&"arrived".into(), &true.into()),
        "{line}"
    );
    assert_eq!(arrival["where"], "Spam (127.0.0.1)");
    assert!(notes(&line).contains(&"filter-junk"), "{line}");
    assert_eq!(sent.code, 0);
    assert!(
        sent.stderr.contains("the password in the URL can be seen"),
        "{}",
        sent.stderr
    );
    assert!(!sent.stderr.contains("wonderland") && !sent.stdout.contains("wonderland"));
}

#[test]
fn a_place_to_look_into_that_is_not_there_is_told_before_anything_is_sent() {
    let (at, taken) = tcp("");
    let args = ["send-test", &at, "--to", "bob@x.test"];
    let more = ["--wait-maildir", "/nowhere/mail/bob"];
    let refused = mailtrace([&args[..], &more].concat()).run();
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""));
    let why = "/nowhere/mail/bob: there is no such folder; check --wait-maildir";
    assert!(refused.stderr.contains(why), "{}", refused.stderr);
    let (_, line) = run(&[&at, "--to", "bob@x.test", "--wait", "1"]);
    assert_eq!(notes(&line), ["nowhere-to-look"]);
    assert_eq!(taken.try_iter().count(), 1, "only the second was sent");
}
