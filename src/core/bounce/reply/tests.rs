use super::*;

fn row(text: &str) -> (Option<u16>, String) {
    let reply = find(text);
    (
        reply.code,
        reply.enhanced.map(|e| e.to_string()).unwrap_or_default(),
    )
}

#[test]
fn replies_are_found_in_every_wrapping() {
    for (text, code, enhanced) in [
        ("550 5.1.1 User unknown", 550, "5.1.1"),
        (
            "550-5.1.1 The account 550 5.1.1 does not exist",
            550,
            "5.1.1",
        ),
        ("smtp; 550 User unknown", 550, ""),
        (
            "4.3.2 - Not at this time 421-'4.7.0 too many'",
            421,
            "4.7.0",
        ),
        ("smtp;550 5.1.1 x", 550, "5.1.1"),
        (
            "host mx.example.com[192.0.2.1] said: 554 5.7.1 no (in reply to RCPT TO command)",
            554,
            "5.7.1",
        ),
        ("<<< 452 4.2.2 full", 452, "4.2.2"),
        (
            "192.0.2.1 does not like recipient. Remote host said: 550 no such user here",
            550,
            "",
        ),
        ("550 #5.1.0 Address rejected.", 550, "5.1.0"),
        ("(550, '5.1.1 <x@example.com>: unknown')", 550, "5.1.1"),
        ("550-'5.1.1 no such user'", 550, "5.1.1"),
        (
            "#< #5.1.1 smtp;550 5.1.1 RESOLVER.ADR.RecipNotFound; not found> #SMTP#",
            550,
            "5.1.1",
        ),
        (
            "SMTP error from remote mail server after RCPT TO:<x@example.com>: host mx.example.com [192.0.2.1]: 550 relay not permitted",
            550,
            "",
        ),
        ("554 554 5.7.1 Service unavailable", 554, "5.7.1"),
        (
            "550 sorry, no mailbox here by that name (#5.1.1)",
            550,
            "5.1.1",
        ),
        (
            "550 5.0.350 Remote server returned an error -> 550 5.1.1 User unknown",
            550,
            "5.1.1",
        ),
        ("421-4.7.28 too fast", 421, "4.7.28"),
        ("550 4.7.1 too fast", 550, "4.7.1"),
        ("451 5.7.3 STARTTLS is required", 451, "5.7.3"),
        ("550 4.1.1 5.1.1 no such user", 550, "5.1.1"),
        ("Mail delivery failed with error 550 no such user", 550, ""),
        ("<x@example.com>: 550", 550, ""),
    ] {
        assert_eq!(row(text), (Some(code), enhanced.to_string()), "{text}");
    }
}

#[test]
fn words_tell_a_reply_code_from_a_count() {
    for (text, code) in around::NUMBERS {
        assert_eq!(find(text).code.unwrap_or(0), *code, "{text}");
    }
}

#[test]
fn the_recipient_is_the_value_of_its_key_and_not_what_stands_somewhere_behind() {
    for (line, recipient) in [
        (
            "Melder: anna@desk.example Fout: mail naar info@far.example komt terug: 550 5.7.1 no",
            Some("info@far.example"),
        ),
        (
            "Address: info@far.example Error: 550 5.7.1 no",
            Some("info@far.example"),
        ),
        (
            "to=postmaster, orig_to=root, from=<a@b.example>: 550 no",
            None,
        ),
        ("to=<bob>, ctladdr=<me@b.example>: 550 no", None),
        (
            "rcpt: bob@b.example, from: me@c.example: 550 no",
            Some("bob@b.example"),
        ),
        (
            "reply-to=x@c.example to=\"bob@b.example\": 550 no",
            Some("bob@b.example"),
        ),
        (
            "orig_to=<all@c.example>, to=<bob@b.example>: 550 no",
            Some("bob@b.example"),
        ),
        ("RCPT TO:<> then FROM:<me@c.example>: 550 no", None),
        (
            "after rcpt to: <bob@b.example>: 550 no",
            Some("bob@b.example"),
        ),
    ] {
        assert_eq!(find(line).recipient, recipient, "{line}");
    }
}

#[test]
fn other_numbers_are_no_replies() {
    for text in [
        "connect to mx.example.com[192.0.2.550]:25: Connection refused",
        "connect to mx.example.com[203.0.113.5]:587: Connection timed out",
        "message size exceeds 550 KB",
        "gave up after 500 seconds",
        "over 250 messages queued",
        "Sun, 22 Nov 2026 04:50:00 +0200",
        "your id is 554ABC",
        "",
        "mailbox is full",
    ] {
        assert_eq!(find(text).code, None, "{text}");
    }
}

#[test]
fn what_stands_around_the_reply_is_read() {
    let text = "<bob@example.com>: host mx.example.com[192.0.2.1] said: 550 5.1.1 <bob@example.com>: \
                no such user (in reply to RCPT TO command)";
    let reply = find(text);
    assert_eq!(reply.command, Some(Command::Rcpt));
    assert_eq!(reply.host, Some("mx.example.com"));
    assert_eq!(reply.ip, "192.0.2.1".parse().ok());
    assert_eq!(reply.recipient, Some("bob@example.com"));
    let reply = find(
        "SMTP error from remote mail server after end of data: host mx.example.com [2001:db8::1]: 554 x",
    );
    assert_eq!(reply.command, Some(Command::Dot));
    assert_eq!(reply.ip, "2001:db8::1".parse().ok());
    assert_eq!(
        find("192.0.2.7 does not like recipient. Remote host said: 550 no").ip,
        "192.0.2.7".parse().ok()
    );
    assert_eq!(
        find("550 5.1.1 <bob@example.com>: no").recipient,
        Some("bob@example.com")
    );
}

#[test]
fn lines_of_the_logs_of_many_servers_tell_what_became_of_whom() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../testdata/notices/logs.tsv"
    );
    let all = std::fs::read_to_string(path).unwrap();
    let mut wrong = Vec::new();
    for row in all.lines().filter(|row| !row.starts_with('#')) {
        let [report, cause, recipient, line] =
            row.splitn(4, '\t').collect::<Vec<_>>().try_into().unwrap();
        let what = crate::bounce::explain_line(line);
        let one = what.recipients.first();
        let found = (
            what.report.id(),
            one.map_or("none", |one| one.cause.id()),
            one.and_then(|one| one.address.as_deref()).unwrap_or("none"),
        );
        let same = found.0 == report && (cause == "-" || found.1 == cause) && found.2 == recipient;
        if !same {
            wrong.push(format!("{row}\n   {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
