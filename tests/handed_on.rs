//! What somebody hands on says the same as what came: the text of each bundled notice of a real
//! server, quoted, forwarded as programs do it in plain text and in HTML, and its whole source
//! quoted, names the same recipients.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::path::Path;

use mailtrace::message::layer::{BlockKind, open};
use mailtrace::message::source;

const HEAD: &str = "From: Anna <anna@desk.example>\nTo: it@desk.example\nSubject: Fwd: mail\n\
    Date: Mon, 23 Nov 2026 10:00:00 +0100\nMIME-Version: 1.0\n";

/// The recipients of the first notice in a mail.
fn recipients(mail: &[u8]) -> Vec<String> {
    let mut all: Vec<String> = mailtrace::explain(mail)
        .iter()
        .flat_map(|found| &found.recipients)
        .filter_map(|one| one.address.as_deref().map(str::to_lowercase))
        .collect();
    all.sort();
    all.dedup();
    all
}

struct Bounce {
    source: String,
    from: String,
    subject: String,
    text: String,
}

fn quoted(one: &Bounce) -> String {
    let lines = one.text.lines().map(|line| format!("> {line}\n"));
    format!(
        "{HEAD}\nWhat is this?\n\nOn Mon, 23 Nov 2026 at 09:00, {} wrote:\n\n{}",
        one.from,
        lines.collect::<String>()
    )
}

fn inline(one: &Bounce) -> String {
    format!(
        "{HEAD}\nFYI\n\n-----Original Message-----\nFrom: {}\nSent: Monday, November 23, 2026 9:00 AM\n\
         To: anna@desk.example\nSubject: {}\n\n{}",
        one.from, one.subject, one.text
    )
}

fn html(one: &Bounce) -> String {
    let plain = |text: &str| {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        text.replace('>', "&gt;").replace('\n', "<br>\n")
    };
    format!(
        "{HEAD}Content-Type: text/html; charset=utf-8\n\n<div>FYI</div><div class=\"gmail_quote\">\
         ---------- Forwarded message ---------<br>From: {}<br>Date: Mon, Nov 23, 2026 at 9:00 AM<br>\
         Subject: {}<br>To: &lt;anna@desk.example&gt;<br><br>{}</div>",
        plain(&one.from),
        plain(&one.subject),
        plain(&one.text)
    )
}

fn whole(one: &Bounce) -> String {
    let lines = one.source.lines().map(|line| format!("> {line}\n"));
    format!("{HEAD}\nThe source:\n\n{}", lines.collect::<String>())
}

fn bounces() -> Vec<Bounce> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/realmta");
    let mails = source::read(&[&folder]).filter_map(|item| item.content.ok());
    let bounce = |mail: Vec<u8>| {
        let layer = open(&mail);
        let text = layer.blocks.iter().find(|b| b.kind == BlockKind::Plain)?;
        let field = |name: &str| layer.head.get(name).unwrap_or_default().into_owned();
        Some(Bounce {
            source: String::from_utf8_lossy(&mail).into_owned(),
            from: field("From"),
            subject: field("Subject"),
            text: text.text().replace('\r', ""),
        })
    };
    mails.filter_map(bounce).collect()
}

#[test]
fn a_notice_that_is_handed_on_names_the_same_recipients() {
    let all = bounces();
    assert!(all.len() > 300, "{}", all.len());
    // What only the machine part tells is lost with it: so many of the texts do not say it.
    for (form, make, lost) in [
        ("quoted", quoted as fn(&Bounce) -> String, 2),
        ("inline", inline, 2),
        ("html", html, 2),
        ("whole source", whole, 0),
    ] {
        let mut other = Vec::new();
        for one in &all {
            let (came, handed) = (
                recipients(one.source.as_bytes()),
                recipients(make(one).as_bytes()),
            );
            if came != handed {
                other.push(format!("{}: {came:?}, handed on {handed:?}", one.subject));
            }
        }
        assert!(other.len() <= lost, "{form}: {other:#?}");
    }
}

/// Without the machine part, what is left in a forward is what its header says, and one sentence.
#[test]
fn the_header_that_somebody_copied_speaks_for_what_stands_below() {
    let forward = |from: &str, subject: &str, text: &str| {
        let one = Bounce {
            source: String::new(),
            from: from.to_owned(),
            subject: subject.to_owned(),
            text: text.to_owned(),
        };
        let found = mailtrace::explain(inline(&one).as_bytes());
        found
            .iter()
            .flat_map(|found| &found.recipients)
            .map(|one| (one.cause.id(), one.address.clone()))
            .collect::<Vec<_>>()
    };
    let daemon = "Mail Delivery System <MAILER-DAEMON@mail.example.org>";
    let said = "The mail was not able to be delivered to one of its recipients.\n\n\
        <bob@example.net>: Connection timed out in connect\n";
    let bob = [("connection-failed", Some("bob@example.net".to_owned()))];
    assert_eq!(
        forward(daemon, "Undelivered Mail Returned to Sender", said),
        bob
    );
    let short = "Your mail could not be delivered to bob@example.net.\n";
    let bob = [Some("bob@example.net".to_owned())];
    let came = forward(daemon, "Undelivered Mail Returned to Sender", short);
    assert_eq!(came.into_iter().map(|one| one.1).collect::<Vec<_>>(), bob);
    assert_eq!(forward("eve@example.net", "Summer offers", short), []);
    // A machine's words that name nobody, or a person's, are no notice.
    let lure = "Your mails could not be delivered. Click here to get them.\n";
    assert_eq!(
        forward(daemon, "Undelivered Mail Returned to Sender", lure),
        []
    );
    let report = "This is an email abuse report for an email message received from IP 192.0.2.2 on \
        Thu, 9 Apr 2026 23:34:45 +0200.\n";
    let complaint = forward("staff@provider.example", "FW: Summer offers", report);
    assert_eq!(complaint.first().map(|one| one.0), Some("abuse-report"));
    assert_eq!(
        forward(
            "eve@example.net",
            "FW: Summer offers",
            "Do you like them?\n"
        ),
        []
    );
}
