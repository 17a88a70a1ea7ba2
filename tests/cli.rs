//! The manners of the program: exit codes, streams, settings, broken inputs, closed pipes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use common::{mailtrace, testdata};

const BOUNCE: &str = "testdata/seed/seed-user-unknown.eml";
const NO_BOUNCE: &str = "testdata/seed/seed-received.eml";

#[test]
fn a_report_is_0_another_mail_is_1_and_unreadable_is_2() {
    assert_eq!(mailtrace(["explain", BOUNCE]).run().code, 0);
    assert_eq!(mailtrace(["explain", NO_BOUNCE]).run().code, 1);
    assert_eq!(mailtrace(["explain", "/nonexistent"]).run().code, 2);
    assert_eq!(
        mailtrace(["explain", BOUNCE, NO_BOUNCE, "/nonexistent"])
            .run()
            .code,
        2
    );
}

#[test]
fn standard_input_is_read_when_nothing_or_a_dash_is_named() {
    let bytes = fs::read(testdata("seed/seed-over-quota.eml")).unwrap();
    for args in [&["explain", "--json"][..], &["explain", "--json", "-"]] {
        let outcome = mailtrace(args).stdin(bytes.clone()).run();
        let value = &outcome.json()[0];
        assert_eq!(value["source"]["path"], "-");
        assert_eq!(value["recipients"][0]["class"], "over-quota");
        assert_eq!(outcome.stderr, "");
    }
}

#[test]
fn one_bad_input_never_stops_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty.eml");
    let binary = dir.path().join("photo.eml");
    let folder = dir.path().join("folder");
    fs::write(&empty, "").unwrap();
    fs::write(
        &binary,
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01",
    )
    .unwrap();
    fs::create_dir(&folder).unwrap();
    let missing = dir.path().join("missing.eml");
    let bounce = testdata("seed/seed-user-unknown.eml");
    let inputs = [&bounce, &empty, &binary, &folder, &missing, &bounce];

    let mut args = vec!["explain".into(), "--json".into()];
    args.extend(inputs.iter().map(|path| path.as_os_str().to_owned()));
    let outcome = mailtrace(args).run();
    assert_eq!(outcome.code, 2);
    let values = outcome.json();
    assert_eq!(values.len(), inputs.len());
    for (input, value) in inputs.iter().zip(&values) {
        assert_eq!(
            value["source"]["path"].as_str().unwrap(),
            input.to_str().unwrap()
        );
        assert_eq!(value["error"].is_null(), **input == bounce, "{value}");
    }
    let complaints: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!(complaints.len(), 4, "{}", outcome.stderr);
    for complaint in complaints {
        assert!(complaint.starts_with("mailtrace: /"), "{complaint}");
        assert!(complaint.contains("; "), "it says what to do: {complaint}");
    }
}

#[test]
fn results_come_in_input_order_however_many_work() {
    let run = |jobs: &str, extra: &[&str]| {
        let args = [
            &["explain", "-j", jobs, "testdata/realmta", "testdata/seed"],
            extra,
        ]
        .concat();
        let outcome = mailtrace(args).run();
        (outcome.code, outcome.stdout, outcome.stderr)
    };
    for extra in [&["--json"][..], &["-q"], &[], &["--summary"]] {
        assert_eq!(run("1", extra), run("4", extra), "{extra:?}");
    }
}

#[test]
fn the_messages_of_a_box_are_counted() {
    let mut mbox = Vec::new();
    for name in ["user-unknown", "over-quota", "dnsbl"] {
        mbox.extend(b"From MAILER-DAEMON Tue Jan 13 14:12:31 2004\n");
        mbox.extend(fs::read(testdata(&format!("seed/seed-{name}.eml"))).unwrap());
        mbox.push(b'\n');
    }
    let outcome = mailtrace(["explain", "--json"]).stdin(mbox.clone()).run();
    let values = outcome.json();
    assert_eq!(values.len(), 3);
    for (n, value) in values.iter().enumerate() {
        assert_eq!(value["source"]["index"], n);
    }
    // Evidence points at lines of the box, not of the message.
    let text = String::from_utf8(mbox.clone()).unwrap();
    for value in &values {
        let evidence = &value["recipients"][0]["evidence"][0];
        let line = usize::try_from(evidence["line"].as_u64().unwrap()).unwrap();
        let words = evidence["text"]
            .as_str()
            .unwrap()
            .trim_start_matches(['<', ' ']);
        let first: String = words.split(' ').take(3).collect::<Vec<_>>().join(" ");
        let near = text
            .lines()
            .skip(line - 1)
            .take(2)
            .collect::<Vec<_>>()
            .join(" ");
        assert!(
            near.contains(&first),
            "line {line}: {near:?} should hold {first:?}"
        );
    }
    let human = mailtrace(["explain", "-q"]).stdin(mbox).run().stdout;
    assert!(human.starts_with("standard input, message 1: "), "{human}");
}

#[test]
fn a_summary_counts_and_replaces_the_single_results() {
    let args = ["explain", "--summary", "testdata/seed"];
    let human = mailtrace(args).run().stdout;
    assert!(
        human.contains("reports:") && !human.contains("Whose side"),
        "{human}"
    );
    let json = mailtrace([&args[..], &["--json"]].concat()).run().json();
    let (last, singles) = json.split_last().unwrap();
    assert_eq!(last["schema"], "mailtrace/explain-summary/1");
    assert!(
        singles
            .iter()
            .all(|value| value["schema"] == "mailtrace/explain/1")
    );
    assert_eq!(last["inputs"], singles.len());
}

#[test]
fn replies_are_explained_line_by_line() {
    let lines = "550 5.1.1 <bob@example.net>: no such user\n\n452 4.2.2 mailbox full\nhello\n";
    let outcome = mailtrace(["explain", "--reply", "--json"])
        .stdin(lines)
        .run();
    let values = outcome.json();
    assert_eq!(values.len(), 3);
    assert_eq!(values[0]["recipients"][0]["cause"], "user-unknown");
    assert_eq!(values[0]["form"][0], "reply-line");
    assert_eq!(values[1]["recipients"][0]["evidence"][0]["line"], 3);
    assert_eq!(values[2]["report"], "none");
    assert_eq!(outcome.code, 1);
}

#[test]
fn hostile_text_never_reaches_the_terminal() {
    let bad = "\x1B]0;owned\x07\x1B[31m\u{9B}5m\u{202E}\u{200B}";
    let mail = format!(
        "From: {bad} <MAILER-DAEMON@example.net>\nTo: x@example.net\nSubject: {bad} failed\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\
         Content-Type: text/plain; charset=utf-8\n\n<u{bad}@example.com>: {bad} user unknown\n--b\n\
         Content-Type: message/delivery-status\n\nReporting-MTA: dns; {bad}mx.example.net\n\n\
         Final-Recipient: rfc822; u{bad}@example.com\nAction: failed\nStatus: 5.1.1\n\
         Remote-MTA: dns; {bad}mx.example.com\n\
         Diagnostic-Code: smtp; 550 5.1.1 {bad} user unknown\n--b\n\
         Content-Type: text/rfc822-headers\n\nSubject: {bad}\nFrom: {bad} <a@example.net>\n--b--\n"
    );
    let hidden = |text: &str| {
        text.chars()
            .find(|&c| c != '\n' && mailtrace::report::safe::is_hidden(c))
    };
    for args in [
        &["explain"][..],
        &["explain", "-v"],
        &["explain", "-q"],
        &["explain", "--json"],
    ] {
        for mail in [&mail, &format!("Subject: {bad}\nFrom: {bad}\n\n{bad}\n")] {
            let outcome = mailtrace(args).stdin(mail.clone()).run();
            assert_eq!(
                hidden(&outcome.stdout),
                None,
                "{args:?}\n{:?}",
                outcome.stdout
            );
            assert_eq!(hidden(&outcome.stderr), None, "{args:?}");
        }
    }
    let outcome = mailtrace(["explain", "/no\x1B[31m\n\u{202E}such"]).run();
    assert_eq!(hidden(outcome.stderr.trim_end()), None);
    assert_eq!(outcome.stderr.lines().count(), 1);
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mailtrace"))
        .args([
            "explain",
            "--json",
            "testdata/realmta",
            "testdata/realmta",
            "testdata/realmta",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut start = [0; 100];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut start).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_reader_who_was_never_there_is_no_error_of_any_command() {
    for args in [
        &["glossary"][..],
        &["completions", "bash"],
        &["config"],
        &["dnsbl", "--catalogue"],
        &["route", "testdata/seed/seed-received.eml"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(env!("CARGO_BIN_EXE_mailtrace"))
            .args(args)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    }
}

#[test]
fn colour_follows_the_flag_and_the_environment() {
    let colored = |args: &[&str], vars: &[(&str, &str)]| {
        let mut run = mailtrace([&["explain", BOUNCE], args].concat());
        for (name, value) in vars {
            run = run.env(name, value);
        }
        run.run().stdout.contains('\x1B')
    };
    assert!(!colored(&[], &[]));
    assert!(colored(&["--color", "always"], &[]));
    assert!(colored(&["--color", "always"], &[("NO_COLOR", "1")]));
    assert!(colored(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!colored(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!colored(&["--color", "never"], &[("CLICOLOR_FORCE", "1")]));
}

#[test]
fn an_ascii_locale_gets_ascii() {
    let outcome = mailtrace(["explain", BOUNCE]).env("LC_ALL", "C").run();
    assert!(
        outcome.stdout.is_ascii() && outcome.stdout.starts_with("x "),
        "{}",
        outcome.stdout
    );
}

#[test]
fn wrong_use_is_2_and_names_what_was_meant() {
    let outcome = mailtrace(["explian", "x"]).run();
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("'explain'"), "{}", outcome.stderr);
    let outcome = mailtrace(["explain", "--sumary"]).run();
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("'--summary'"), "{}", outcome.stderr);
    for format in ["nagios", "prometheus"] {
        let outcome = mailtrace(["explain", "--format", format, BOUNCE]).run();
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{format}");
        assert!(
            outcome.stderr.contains("`mailtrace dnsbl`"),
            "{}",
            outcome.stderr
        );
    }
    let outcome = mailtrace::<&str>([]).run();
    assert_eq!(outcome.code, 2);
    assert!(
        outcome.stdout.contains("mailtrace explain bounce.eml"),
        "{}",
        outcome.stdout
    );
    for args in [
        &["--help"][..],
        &["explain", "--help"],
        &["--version"],
        &["help", "explain"],
    ] {
        let outcome = mailtrace(args).run();
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{args:?}");
    }
}

#[test]
fn settings_come_from_the_file_the_environment_and_the_flags() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join(".config/mailtrace");
    fs::create_dir_all(&dir).unwrap();
    fs::write(
        dir.join("config.toml"),
        "width = 70\naudience = \"admin\"\n",
    )
    .unwrap();
    let home = home.path().to_str().unwrap();
    let run = |args: &[&str]| {
        mailtrace(args)
            .env("HOME", home)
            .env("MAILTRACE_COLOR", "never")
            .run()
    };
    let settings = run(&["config", "--json", "--width", "90"]).json().remove(0)["settings"].take();
    assert_eq!(settings["width"]["value"], "90");
    assert_eq!(settings["width"]["origin"], "flag");
    assert_eq!(settings["audience"]["origin"], "file");
    assert_eq!(settings["color"]["origin"], "environment");
    assert_eq!(settings["jobs"]["origin"], "default");
    assert!(run(&["config"]).stdout.contains("MAILTRACE_COLOR"));
    let text = run(&["explain", BOUNCE]).stdout;
    assert!(
        !text.contains("For admins") && text.contains("knows no recipient"),
        "{text}"
    );

    fs::write(dir.join("config.toml"), "colour = \"never\"\n").unwrap();
    let outcome = run(&["explain", BOUNCE]);
    assert_eq!(outcome.code, 2);
    assert!(
        outcome.stderr.contains("did you mean \"color\"?"),
        "{}",
        outcome.stderr
    );
    let outcome = run(&["--config", "/nonexistent.toml", "config"]);
    assert_eq!(outcome.code, 2);
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let outcome = mailtrace(["completions", shell]).run();
        assert_eq!(outcome.code, 0, "{shell}");
        assert!(outcome.stdout.contains("explain"), "{shell}");
    }
}

#[test]
fn a_mail_without_a_command_is_understood() {
    let bounce = fs::read(testdata("seed/seed-user-unknown.eml")).unwrap();
    let explained = mailtrace::<&str>([]).stdin(bounce).run();
    assert_eq!(explained.code, 0);
    assert!(
        explained.stdout.contains("no such mailbox"),
        "{}",
        explained.stdout
    );
    assert!(
        explained.stderr.contains("mailtrace explain"),
        "{}",
        explained.stderr
    );
    let mail = "Received: from a.example (a.example [192.0.2.1]) by b.example with ESMTP id 1;\n\
                \tTue, 13 Jan 2026 14:12:29 +0000\nFrom: a@a.example\nTo: b@b.example\n\nhi\n";
    let shown = mailtrace::<&str>([]).stdin(mail).run();
    assert_eq!(shown.code, 0, "{}", shown.stdout);
    assert!(shown.stderr.contains("mailtrace route"), "{}", shown.stderr);
    assert!(shown.stdout.contains("a.example"), "{}", shown.stdout);
    let text = mailtrace::<&str>([]).stdin("hello, how are you?\n").run();
    assert_eq!(text.code, 1);
}

#[test]
fn the_glossary_knows_the_words_and_helps_with_mistyped_ones() {
    let one = mailtrace(["glossary", "open relay"]).run();
    assert_eq!(one.code, 0);
    assert!(one.stdout.starts_with("open relay\n"), "{}", one.stdout);
    let all = mailtrace(["glossary"]).run();
    assert!(all.stdout.contains("MUA -> MSA -> MTA"), "{}", all.stdout);
    assert!(all.stdout.lines().all(|line| line.chars().count() <= 80));
    let wrong = mailtrace(["glossary", "grelisting"]).run();
    assert_eq!(wrong.code, 1);
    assert!(wrong.stderr.contains("greylisting"), "{}", wrong.stderr);
    let json = mailtrace(["glossary", "mda", "--json"]).run();
    let line: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(line["term"], "MDA");
}

#[test]
fn a_command_without_its_word_is_told_in_one_line() {
    let run = mailtrace(["queue"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert_eq!(
        run.stderr,
        "mailtrace: this command needs another word that says what to do: list, show, flush, hold, \
         release, remove; try '--help'\n"
    );
}

/// None of these asks anybody.
#[test]
fn every_complaint_names_the_word_and_says_what_to_write() {
    for (args, words) in [
        (&["check", ""][..], "\"\": nothing to check; give a domain"),
        (&["check", "bob@"], "bob@: nothing stands behind the @"),
        (
            &["check", "@x.test"],
            "@x.test: nothing stands before the @",
        ),
        (
            &["check", "https://x.test:443/a"],
            "give its domain: x.test",
        ),
        (
            &["check", "--timeout", "-5", "x.test"],
            "write seconds, from 0.01 to 3600",
        ),
        (
            &["check", "--port", "0", "x.test"],
            "write a number from 1 to 65535",
        ),
        (
            &["config", "--width", "x"],
            "write a number from 1 to 10000",
        ),
        (&["dnsbl"], "this command needs <TARGET>..."),
        (&["dnsbl", ""], "\"\": neither an address"),
        (
            &["dnsbl", "--catalogue", "x"],
            "x: --catalogue shows the lists",
        ),
        (
            &["dnsbl", "--catalogue", "--list", "x"],
            "x: no list of the catalogue",
        ),
        (&["serve", "--dnsbl", "a b"], "write the zone of a list"),
        (
            &["serve", "--fault", "x"],
            "\"x\": there is no such scenario",
        ),
        (
            &["serve", "--filter", "/x/y"],
            "--filter \"/x/y\": there is no such program",
        ),
        (
            &["send-test", "--listen", "1:2"],
            "write an address and a port",
        ),
    ] {
        let run = mailtrace(args.iter().copied()).run();
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{args:?}");
        assert!(run.stderr.contains(words), "{args:?}: {}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{args:?}");
    }
    let none = mailtrace(["check"]).run();
    assert!(
        none.stderr.contains("no target was named"),
        "{}",
        none.stderr
    );
    assert_eq!(none.code, 2);
}

#[test]
fn the_catalogue_shows_only_the_lists_that_were_named() {
    let run = mailtrace(["dnsbl", "--catalogue", "--list", "spamcop", "--json"]).run();
    assert_eq!((run.code, run.stdout.lines().count()), (0, 1));
    let dead = mailtrace(["dnsbl", "--catalogue", "--list", "sorbs"]).run();
    assert!(
        dead.stdout.contains("1 list, 1 of them dead."),
        "{}",
        dead.stdout
    );
}

#[test]
fn help_that_cannot_be_written_is_no_success() {
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    for word in ["--help", "--version", "config"] {
        let run = Command::new(env!("CARGO_BIN_EXE_mailtrace"))
            .arg(word)
            .stdout(full())
            .output()
            .unwrap();
        let said = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{word}: {said}");
        assert!(said.contains("no space left on device"), "{word}: {said}");
    }
}

#[test]
fn standard_input_is_called_so_by_every_command() {
    for args in [
        &["explain"][..],
        &["route"],
        &["explain", "-"],
        &["dnsbl", "-"],
    ] {
        let run = mailtrace(args).run();
        assert_eq!(run.code, 2, "{args:?}");
        assert_eq!(
            run.stderr,
            "mailtrace: standard input: the input is empty; give the whole message, headers \
             included\n",
            "{args:?}"
        );
    }
}
