//! Reads `testdata/notices/prose.txt`: notices, and mails that are none, in many wordings.

use crate::bounce::explanation::Report;
use crate::message::layer::{Layer, open};

use super::{Notice, read};

struct Case {
    name: String,
    report: String,
    says: Vec<String>,
    text: String,
}

fn cases() -> Vec<Case> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../testdata/notices/prose.txt"
    );
    let all = std::fs::read_to_string(path).unwrap();
    all.split("\n=== ")
        .skip(1)
        .map(|block| {
            let (head, text) = block.split_once("\n---\n").unwrap();
            let mut lines = head.lines();
            let name = lines.next().unwrap().to_owned();
            let mut case = Case {
                name,
                report: String::new(),
                says: Vec::new(),
                text: text.to_owned(),
            };
            for line in lines {
                match line.split_once(": ") {
                    Some(("report", report)) => case.report = report.to_owned(),
                    Some(("says", say)) => case.says.push(say.to_owned()),
                    _ => panic!("{}: {line}", case.name),
                }
            }
            case
        })
        .collect()
}

fn find(layer: &Layer<'_>, depth: usize) -> Option<Notice> {
    read(layer, false).or_else(|| {
        (depth < 4)
            .then(|| {
                layer
                    .inner()
                    .iter()
                    .find_map(|inner| find(inner, depth + 1))
            })
            .flatten()
    })
}

#[test]
fn notices_in_wordings_without_a_dialect_are_read() {
    let mut wrong = Vec::new();
    for case in cases() {
        for text in [case.text.clone(), case.text.replace('\n', "\r\n")] {
            let notice = find(&open(text.as_bytes()), 0);
            let report = notice.as_ref().map_or(Report::None, |n| n.report);
            if report.id() != case.report {
                wrong.push(format!("{}: read as {}", case.name, report.id()));
                continue;
            }
            let statements = notice.map(|n| n.statements).unwrap_or_default();
            if !case.says.is_empty() && statements.len() != case.says.len() {
                let all: Vec<_> = statements.iter().map(|s| s.address.as_deref()).collect();
                wrong.push(format!("{}: recipients {all:?}", case.name));
            }
            for say in &case.says {
                let (address, words) = say.split_once(" | ").unwrap();
                let said = statements.iter().any(|s| {
                    s.address.as_deref().unwrap_or("-") == address
                        && s.quotes.iter().any(|q| q.text.contains(words))
                });
                if !said {
                    let all: Vec<_> = statements
                        .iter()
                        .map(|s| {
                            (
                                s.address.as_deref(),
                                s.quotes.iter().map(|q| &q.text).collect::<Vec<_>>(),
                            )
                        })
                        .collect();
                    wrong.push(format!("{}: {say}: {all:#?}", case.name));
                }
            }
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn two_members_of_one_alias_keep_their_own_words() {
    let notice = "From: MAILER-DAEMON@mx.example.com\nTo: bob@example.org\nSubject: Undelivered Mail Returned to Sender\n\
        MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\n\
        <ann@one.example> (expanded from <team@example.com>): host mx.one.example[192.0.2.1] said:\n    550 Unrouteable address (in reply to RCPT TO command)\n\n\
        <kai@two.example> (expanded from <team@example.com>): host mx.two.example[192.0.2.2] said:\n    550 5.1.1 no such mailbox (in reply to RCPT TO command)\n\n\
        --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.com\n\n\
        Final-Recipient: rfc822; ann@one.example\nOriginal-Recipient: rfc822;team@example.com\nAction: failed\nStatus: 5.0.0\n\n\
        Final-Recipient: rfc822; kai@two.example\nOriginal-Recipient: rfc822;team@example.com\nAction: failed\nStatus: 5.1.1\n\n--b--\n";
    let found = read(&open(notice.as_bytes()), false).unwrap();
    let words = |i: usize| {
        let quotes = &found.statements[i].quotes;
        quotes
            .iter()
            .map(|q| q.text.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert!(
        words(0).contains("Unrouteable") && !words(0).contains("5.1.1"),
        "{}",
        words(0)
    );
    assert!(words(1).contains("no such mailbox"), "{}", words(1));
}

#[test]
fn a_report_that_the_returned_mail_quotes_is_not_the_notice() {
    let quoted = "Reporting-MTA: dns; other.example\n\nFinal-Recipient: rfc822; other@c.example\n\
        Action: delayed\nStatus: 4.4.1\n";
    let front = "From: MAILER-DAEMON@q.example\nTo: me@x.example\nSubject: failure notice\n\n";
    for notice in [
        "Hi. This is the qmail-send program at q.example.\nI'm afraid I wasn't able to deliver your \
         message to the following addresses.\n\n<dead@b.example>:\n192.0.2.9 does not like \
         recipient.\nRemote host said: 550 5.1.1 no such user\nGiving up on 192.0.2.9.\n\n--- Below \
         this line is a copy of the message.\n\n",
        "Your mail could not be delivered:\n\n<dead@b.example>: 550 5.1.1 no such user\n\n",
    ] {
        let original = "Return-Path: <me@x.example>\nMessage-ID: <1@x.example>\nFrom: \
            me@x.example\nTo: dead@b.example\nSubject: what is this?\n\nI got:\n\n";
        let mail = format!("{front}{notice}{original}{quoted}");
        let found = read(&open(mail.as_bytes()), false).unwrap();
        let who: Vec<_> = found
            .statements
            .iter()
            .map(|s| s.address.as_deref())
            .collect();
        assert_eq!(who, [Some("dead@b.example")], "{mail}");
        assert_eq!(found.report, Report::Failed);
    }
    // In front of the returned mail it is the notice's own.
    let mail = format!(
        "{front}It failed.\n\n{quoted}\nOriginal message follows:\n\nFrom: me@x.example\n\
         Subject: a\n\nFinal-Recipient: rfc822; third@c.example\nAction: failed\n"
    );
    let found = read(&open(mail.as_bytes()), false).unwrap();
    let who: Vec<_> = found
        .statements
        .iter()
        .map(|s| s.address.as_deref())
        .collect();
    assert_eq!(who, [Some("other@c.example")]);
}

#[test]
fn the_advice_of_our_own_notices_is_not_what_the_server_said() {
    for said in [
        "mx.example.org [192.0.2.1] answered to RCPT TO:",
        "mx.example.org [192.0.2.1] answered to RCPT\n    TO:",
        "mx.example.org\n    [192.0.2.1] answered to RCPT TO:",
    ] {
        let text = format!(
            "From: MAILER-DAEMON@mx.example.net\nSubject: Your mail could not be delivered\n\n\
             This is the mail server mx.example.net. Your message could not be delivered\nto the \
             recipients below.\n\n<ann@example.org>\n    The mailbox is full.\n    - Try again \
             in a day.\n    {said}\n        550 frobnication 17\n"
        );
        let notice = read(&open(text.as_bytes()), false).unwrap();
        let quotes = &notice.statements[0].quotes;
        assert_eq!(
            quotes[0].text,
            "mx.example.org [192.0.2.1] answered to RCPT TO: 550 frobnication 17"
        );
    }
}
