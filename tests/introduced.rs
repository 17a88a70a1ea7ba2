//! A notice says the same however a person hands it on: in the words of many mail programs and
//! languages, quoted, as HTML, encoded.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice)]

use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::BASE64_MIME;
use mailtrace::bounce::explain;
use mailtrace::message::layer::{BlockKind, open};

/// One notice of each of these servers, with different causes.
const NOTICES: [&str; 7] = [
    "postfix-user-unknown.eml",
    "exim-dnsbl-spamcop.eml",
    "sendmail-over-quota-452-expired.eml",
    "courier-relay-denied-exim.eml",
    "opensmtpd-user-unknown.eml",
    "exim-greylist-delayed.eml",
    "postfix-refused-expired.eml",
];

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name)
}

/// What a person sees and copies: the text for people.
fn shown(mail: &[u8]) -> String {
    let layer = open(mail);
    layer
        .block(BlockKind::Plain)
        .unwrap()
        .text()
        .replace("\r\n", "\n")
}

fn said(input: &[u8]) -> Vec<(Option<String>, &'static str, Option<u16>)> {
    let all = explain(input);
    let recipients = all.iter().flat_map(|e| &e.recipients);
    recipients
        .map(|r| (r.address.clone(), r.cause.id(), r.reply_code))
        .collect()
}

fn quoted(text: &str) -> String {
    text.lines().map(|line| format!("> {line}\n")).collect()
}

fn mail(fields: &str, body: &str) -> Vec<u8> {
    format!(
        "From: Pat Lee <pat@office.example>\nTo: helpdesk@office.example\nSubject: Fwd: look\n\
         Message-ID: <w1@office.example>\nDate: Sun, 22 Nov 2026 11:00:00 +0000\n\
         MIME-Version: 1.0\n{fields}\n\n{body}"
    )
    .into_bytes()
}

/// The ways in which the same text travels.
fn ways(text: &str) -> [Vec<u8>; 4] {
    let plain = "Content-Type: text/plain; charset=utf-8";
    let html: String = text
        .lines()
        .map(|line| {
            let line = line
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;");
            let line = line.replace("  ", "&nbsp; ");
            format!(
                "<div>{}</div>",
                if line.is_empty() { "<br>" } else { &line }
            )
        })
        .collect();
    [
        mail(plain, text),
        mail(plain, &quoted(text)),
        mail(
            "Content-Type: text/html; charset=utf-8",
            &format!("<html><body>{html}</body></html>"),
        ),
        mail(
            &format!("{plain}\nContent-Transfer-Encoding: base64"),
            &BASE64_MIME.encode(text.as_bytes()),
        ),
    ]
}

#[test]
fn a_notice_says_the_same_however_it_is_handed_on() {
    let introductions = fs::read_to_string(testdata("introductions.txt")).unwrap();
    let introductions: Vec<(&str, &str)> = introductions
        .split("=== ")
        .skip(1)
        .map(|one| one.split_once('\n').unwrap())
        .collect();
    assert!(introductions.len() > 50, "{}", introductions.len());
    let mut wrong = Vec::new();
    for name in NOTICES {
        let notice = fs::read(testdata("realmta").join(name)).unwrap();
        let layer = open(&notice);
        let field = |name: &str| {
            layer
                .head
                .get(name)
                .map(std::borrow::Cow::into_owned)
                .unwrap_or_default()
        };
        let text = shown(&notice);
        let right = said(text.as_bytes());
        assert!(
            !right.is_empty() && right.iter().all(|r| r.0.is_some()),
            "{name}: {right:?}"
        );
        for (introduction, words) in &introductions {
            let words = words
                .replace("{from}", &field("From"))
                .replace("{date}", "Sunday, November 22, 2026 4:30 AM")
                .replace("{to}", &field("To"))
                .replace("{subject}", &field("Subject"));
            let rest = if introduction.starts_with("reply-") {
                quoted(&text)
            } else {
                text.clone()
            };
            for (way, input) in ways(&format!("What is this?\n\n{words}{rest}"))
                .iter()
                .enumerate()
            {
                let got = said(input);
                if got != right {
                    wrong.push(format!(
                        "{name} {introduction} way {way}: {got:?}, not {right:?}"
                    ));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
}
