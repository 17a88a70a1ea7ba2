//! `route` as a command: the message that came back, asking the DNS, the page for the browser.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::mailtrace;

/// A bounce with the header of the returned message, at `at`.
fn bounce(head: &str, boundary_of_head: &str) -> String {
    format!(
        "Received: from localhost by mx.example.org; Mon, 2 Mar 2026 09:20:00 +0000\n\
         From: MAILER-DAEMON@mx.example.org\nSubject: Returned mail\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"one\"\n\n\
         --one\n\nThe mail could not be delivered.\n\n\
         --one\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n\
         Final-Recipient: rfc822; bob@example.net\nAction: failed\nStatus: 5.1.1\n\
         Diagnostic-Code: smtp; 550 5.1.1 no such user\n\n\
         --{boundary_of_head}\nContent-Type: text/rfc822-headers\n\n{head}\n--{boundary_of_head}--\n"
    )
}

const HEAD: &str = "Return-Path: <alice@example.com>\n\
    Received: from pc (pc.example.com [192.0.2.9])\n\tby smtp.example.com (Postfix) with ESMTPSA id 1A;\n\tMon, 2 Mar 2026 09:15:30 +0000\n\
    From: alice@example.com\nSubject: Hello\n";

fn original_of(mail: &str) -> serde_json::Value {
    let outcome = mailtrace(["route", "--original", "--json"])
        .stdin(mail.as_bytes().to_vec())
        .run();
    outcome.json().remove(0)
}

#[test]
fn the_way_of_the_returned_message_is_found_where_it_stands() {
    let plain = bounce(HEAD, "one");
    // A part whose boundary somebody broke hangs at the end of the report before it.
    let broken = bounce(HEAD, "two");
    let forwarded = format!(
        "Received: from x by y.example; Tue, 3 Mar 2026 10:00:00 +0000\nFrom: helper@example.org\n\
         Content-Type: multipart/mixed; boundary=\"f\"\n\n--f\n\nplease look\n\n--f\nContent-Type: message/rfc822\n\n{plain}\n--f--\n"
    );
    let quoted: String = plain.lines().map(|l| format!("> {l}\n")).collect();
    let quoted = format!("From: a@example.org\nSubject: Fwd\n\nSee:\n\n{quoted}");
    for mail in [plain, broken, forwarded, quoted] {
        let way = original_of(&mail);
        assert_eq!(way["hops"].as_array().unwrap().len(), 1, "{mail}");
        assert_eq!(way["hops"][0]["by"]["host"], "smtp.example.com");
    }
}

#[test]
fn explain_tells_the_way_of_the_returned_message_in_one_line() {
    let mail = bounce(HEAD, "one").into_bytes();
    let shown = mailtrace(["--width", "100", "explain"]).stdin(mail).run();
    let line = shown.stdout.lines().find(|l| l.contains("Its way"));
    assert_eq!(
        line,
        Some(
            "  Its way      1 hop, from 192.0.2.9 via smtp.example.com (mailtrace route --original)"
        )
    );
}

#[test]
fn a_dns_that_answers_nothing_is_exit_3_and_the_way_is_shown_all_the_same() {
    let mail = "Received: from a.example.com (a.example.com [192.0.2.9]) by mx.example.org (Postfix) with ESMTP id 1A; \
        Mon, 2 Mar 2026 09:15:30 +0000\nFrom: alice@example.com\n\nHello\n";
    let mut args = vec![
        "--resolver",
        "127.0.0.1:9",
        "--timeout",
        "0.3",
        "route",
        "--live",
    ];
    let outcome = mailtrace(args.clone())
        .stdin(mail.as_bytes().to_vec())
        .run();
    assert_eq!(outcome.code, 3);
    assert!(
        outcome.stdout.contains("mx.example.org"),
        "{}",
        outcome.stdout
    );
    args.push("--json");
    let outcome = mailtrace(args).stdin(mail.as_bytes().to_vec()).run();
    assert!(outcome.json()[0]["live"]["rdns"]["why"].is_string());
    // Inside a house there is nobody to ask about, and nothing is wrong with that.
    let inside = mail.replace("192.0.2.9", "10.0.0.9");
    let outcome = mailtrace(["--resolver", "127.0.0.1:9", "route", "--live"])
        .stdin(inside.into_bytes())
        .run();
    assert_eq!(outcome.code, 0);
}

fn hops_of(text: &str) -> usize {
    let outcome = mailtrace(["route", "--json"])
        .stdin(text.as_bytes().to_vec())
        .run();
    let found = outcome.json().remove(0);
    found["hops"].as_array().unwrap().len()
}

#[test]
fn a_pasted_header_is_read_however_it_was_mangled() {
    let head = "Received: from a.example.com (a.example.com [192.0.2.1])\n\tby mx.example.org (Postfix) with ESMTPS id 2\n\
        \tfor <bob@example.org>; Mon, 2 Mar 2026 09:15:35 +0000\n\
        Received: from [10.1.1.1] (unknown [203.0.113.9])\n\tby a.example.com (Postfix) with ESMTPSA id 1;\n\
        \tMon, 2 Mar 2026 09:15:30 +0000\nFrom: alice@example.com\nSubject: hi\n";
    let each = |with: &dyn Fn(&str) -> String| head.lines().map(with).collect::<String>();
    for text in [
        head.to_owned(),
        head.trim_end().to_owned(),
        head.replace('\n', "\r\n"),
        head.replace('\t', ""),
        head.replace('\t', "\u{a0} "),
        head.replace('\n', "\n\n"),
        each(&|l| format!("> {l}\n")),
        each(&|l| format!("    {l}\n")),
        format!("\n\n{head}"),
        format!("Here they are:\n\n{head}\nThanks\n"),
        format!("From: a@b.example\nSubject: headers\n\nSee:\n\n{head}\n"),
        format!(
            "From: a@b.example\nContent-Type: text/html\n\n<pre>{}</pre>\n",
            head.replace('<', "&lt;").replace('>', "&gt;")
        ),
    ] {
        assert_eq!(hops_of(&text), 2, "{text}");
    }
    // A notice came another way than what it quotes.
    let notice = format!("From: MAILER-DAEMON@x.example\nSubject: Returned\n\nCopy:\n\n{head}\n");
    assert_eq!(hops_of(&notice), 0);
}

/// `route --html way.html mail | true`: nobody reads the screen, the page is wanted all the same.
#[test]
fn the_page_is_written_also_when_nobody_reads_the_screen() {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("way.html");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_mailtrace"))
        .args(["route", "--html", page.to_str().unwrap(), "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mail = std::fs::read(common::testdata("seed/seed-received.eml")).unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &mail).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("hormel.redhat.com"), "{page}");
}
