//! Any bytes: no panic, time in proportion to the size, counts bounded.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::message::layer::open;

use super::draft::MAX_RECIPIENTS;
use super::{instead, read};

/// Far more than any of these inputs needs, far less than a quadratic reader would take.
const LIMIT: Duration = Duration::from_secs(20);

/// A megabyte; less in the slow build for debugging.
const SIZE: usize = if cfg!(debug_assertions) {
    1 << 18
} else {
    1 << 20
};

const HEAD: &str =
    "From: MAILER-DAEMON@example.net\nSubject: Undelivered Mail Returned to Sender\n\n";

fn read_in_time(name: &str, text: &str) -> usize {
    let start = Instant::now();
    let layer = open(text.as_bytes());
    let count = read(&layer, false).map_or(0, |notice| notice.statements.len());
    assert!(!instead(&layer).is_empty());
    assert!(start.elapsed() < LIMIT, "{name}: {:?}", start.elapsed());
    count
}

#[test]
fn a_line_of_a_megabyte_takes_no_longer_than_its_size() {
    for unit in [
        "a",
        "@",
        "<",
        "a@b.example ",
        "550 ",
        ">",
        "(",
        "[192.0.2.1",
        "é",
        "Re: ",
        "<a@b.example>: ",
        "-",
    ] {
        let line = unit.repeat(SIZE / unit.len());
        read_in_time(unit, &format!("{HEAD}{line}\n"));
        read_in_time(
            unit,
            &format!("{HEAD}could not be delivered to {line}\n{line}\n"),
        );
    }
}

#[test]
fn many_lines_take_no_longer_than_their_size() {
    for unit in [
        "<a@b.example>:\n550 no\n\n",
        ">>> RCPT TO:<a@b.example>\n<<< 550 no\n",
        "Reason: x\n",
        "\n",
        "Final-Recipient: rfc822; a@b.example\n",
        "  a@b.example\n    550 no\n",
        "550-no\n",
        "<<< 550-no\n",
        "(reason: no)\n",
        "----- x -----\n",
    ] {
        read_in_time(unit, &format!("{HEAD}{}", unit.repeat(SIZE / unit.len())));
    }
}

#[test]
fn a_hundred_thousand_recipients_are_cut_off() {
    let mut prose = HEAD.to_owned();
    let mut report =
        String::from("From: MAILER-DAEMON@example.net\nContent-Type: message/delivery-status\n\n");
    for n in 0..100_000 {
        prose += &format!("<user{n}@example.org>: 550 5.1.1 no such person\n");
        report += &format!(
            "Final-Recipient: rfc822; user{n}@example.org\nAction: failed\nStatus: 5.1.1\n\n"
        );
    }
    assert_eq!(read_in_time("prose", &prose), MAX_RECIPIENTS);
    assert_eq!(read_in_time("report", &report), MAX_RECIPIENTS);
}

#[test]
fn fields_that_are_said_again_and_again_cost_no_more_than_their_size() {
    let head = "From: MAILER-DAEMON@example.net\nContent-Type: message/delivery-status\n\n\
                Final-Recipient: rfc822; a@b.example\nAction: failed\n";
    let status = format!("{head}{}", "Status:\n".repeat(SIZE / 8));
    read_in_time("status", &status);
    let open = format!("{head}Remote-MTA: dns; {}\n", "[".repeat(SIZE / 4));
    read_in_time("brackets", &open);
    let mut failed = String::from("From: MAILER-DAEMON@example.net\n");
    for n in 0..500 {
        failed += "X-Failed-Recipients: ";
        for m in 0..90 {
            failed += &format!("u{n}x{m}@b.example, ");
        }
        failed += "\n";
    }
    failed += &format!("\n{}", "  a@b.example\n    550 no\n".repeat(10_000));
    read_in_time("failed", &failed);
    let line = "--- This is a copy of the message, including all the headers. ".repeat(10_000);
    read_in_time("separators", &format!("{HEAD}{line}\n"));
}

#[test]
fn each_recipient_of_an_event_has_a_copy_of_its_words_of_bounded_size() {
    let people = vec!["{}"; 60_000].join(",");
    let said = "550 no ".repeat(40_000);
    let event = format!(
        r#"{{"notificationType":"Bounce","mail":{{}},"bounce":{{"smtpResponse":"{said}","bouncedRecipients":[{people}]}}}}"#
    );
    let mail = format!("From: no-reply@sns.amazonaws.com\n\n{event}\n");
    let notice = read(&open(mail.as_bytes()), false).unwrap();
    assert_eq!(notice.statements.len(), MAX_RECIPIENTS);
    let octets: usize = notice
        .statements
        .iter()
        .flat_map(|one| &one.quotes)
        .map(|quote| quote.text.len())
        .sum();
    assert!(octets > 0 && octets <= MAX_RECIPIENTS * 4096, "{octets}");
}

const PIECES: &[&str] = &[
    "From: MAILER-DAEMON@example.net\n",
    "Subject: Undelivered Mail\n",
    "Auto-Submitted: auto-replied\n",
    "\n",
    "<a@b.example>: ",
    "550 5.1.1 no\n",
    ">>> RCPT TO:<a@b.example>\n",
    "<<< 550-x\n",
    "Final-Recipient: rfc822; ",
    "Action: failed\n",
    "Reason:",
    "(expanded from: <x@y.example>)",
    "-----",
    " ... while talking to mx.example.:\n",
    "@",
    "<",
    ">",
    "\u{feff}",
    "配信できませんでした",
    "host mx[192.0.2.1] said: ",
    "Content-Type: message/delivery-status\n",
    "\r",
    "\r\n",
    "Original message headers:\n",
    "Received: x\n",
    "{\"notificationType\":\"Bounce\"}",
];

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let layer = open(&bytes);
        read(&layer, false);
        instead(&layer);
    }

    #[test]
    fn no_arrangement_of_its_own_words_makes_it_panic(
        parts in prop::collection::vec(prop::sample::select(PIECES), 0..40)
    ) {
        let text = parts.concat();
        let layer = open(text.as_bytes());
        for statement in read(&layer, false).into_iter().flat_map(|notice| notice.statements) {
            for quote in statement.quotes {
                prop_assert!(quote.line.is_some_and(|line| line >= 1), "{quote:?} in {text:?}");
            }
        }
    }
}
