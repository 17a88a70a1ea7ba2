use std::time::Duration;

use super::*;
use crate::bounce::explain;
use crate::message::status::EnhancedCode;
use crate::mta::envelope::Ret;
use crate::mta::queue::tests::envelope;
use crate::mta::queue::{Outcome, State};

const TEXT: &[u8] = b"Received: from a by b; Sun, 22 Nov 2026 08:00:00 +0000\r\nFrom: a@b.test\r\nSubject: s\r\nMessage-ID:\r\n <m@b.test>\r\n\r\nbody\r\n";

fn fate(state: State, status: &str, reply: &str) -> Fate {
    let outcome = Outcome {
        at: envelope(1).received,
        status: EnhancedCode::parse(status).unwrap(),
        host: Some("mx.far.test".into()),
        ip: Some([127, 0, 0, 2].into()),
        command: Some("RCPT TO".into()),
        reply: Some(reply.into()),
        words: None,
        expired: false,
    };
    Fate {
        state,
        outcome: Some(outcome),
        told: false,
        warned: false,
    }
}

fn notice<'a>(
    kind: Kind,
    envelope: &'a Envelope,
    fates: &'a [Fate],
    original: &'a [u8],
) -> Notice<'a> {
    Notice {
        kind,
        id: QueueId::of_micros(1),
        envelope,
        about: fates.iter().enumerate().collect(),
        original,
        now: envelope.received + Duration::from_secs(60),
        until: envelope.received + Duration::from_secs(400_000),
        host: "mx.home.test",
        style: Style::Own,
        returned: 1000,
        postmaster: None,
    }
}

fn written(notice: &Notice<'_>) -> String {
    let (_, text) = write(notice, QueueId::of_micros(2)).unwrap();
    let text = String::from_utf8(text).unwrap();
    let bare = text.replace("\r\n", "").contains(['\r', '\n']);
    assert!(!bare, "{text:?}");
    assert!(text.lines().all(|l| l.len() <= 998), "{text}");
    text
}

#[test]
fn a_failure_tells_people_and_programs_the_same() {
    let mut mail = envelope(2);
    mail.envid = Some("my id".into());
    mail.recipients[0].orcpt = Some(("rfc822".into(), "old@b.test".into()));
    let fates = [
        fate(State::Failed, "5.1.1", "550 5.1.1 no such user"),
        fate(State::Failed, "5.2.2", "552 5.2.2 mailbox full"),
    ];
    let notice = notice(Kind::Failed, &mail, &fates, TEXT);
    let text = written(&notice);
    for line in [
        "From: Mail Delivery System <MAILER-DAEMON@mx.home.test>",
        "To: <alice@example.test>",
        "Auto-Submitted: auto-replied",
        "In-Reply-To: <m@b.test>",
        "Reporting-MTA: dns; mx.home.test",
        "Original-Envelope-Id: my id",
        "Received-From-MTA: dns; client.test",
        "Original-Recipient: rfc822; old@b.test",
        "Final-Recipient: rfc822; user0@example.test",
        "Action: failed",
        "Status: 5.2.2",
        "Remote-MTA: dns; mx.far.test",
        "Diagnostic-Code: smtp; 552 5.2.2 mailbox full",
        "Content-Type: message/rfc822",
    ] {
        assert!(text.contains(&format!("\r\n{line}\r\n")), "{line}: {text}");
    }
    let told = explain(text.as_bytes());
    let causes: Vec<_> = told[0].recipients.iter().map(|r| r.cause.id()).collect();
    assert_eq!(causes, ["user-unknown", "over-quota"]);
    assert_eq!(
        told[0].recipients[0].original_address.as_deref(),
        Some("old@b.test")
    );
    let (envelope, _) = write(&notice, QueueId::of_micros(2)).unwrap();
    assert_eq!((envelope.sender, envelope.recipients.len()), (None, 1));
}

#[test]
fn only_a_short_failure_brings_the_message_back() {
    let mut mail = envelope(1);
    let fates = [fate(State::Failed, "5.1.1", "550 5.1.1 no")];
    let whole = |mail: &Envelope, kind, text: &[u8]| {
        let text = written(&notice(kind, mail, &fates, text));
        (
            text.contains("message/rfc822"),
            text.contains("\r\n\r\nbody\r\n"),
        )
    };
    assert_eq!(whole(&mail, Kind::Failed, TEXT), (true, true));
    let long = [TEXT, &b"0123456789\r\n".repeat(100)].concat();
    assert_eq!(whole(&mail, Kind::Failed, &long), (false, false));
    assert_eq!(whole(&mail, Kind::Delayed, TEXT), (false, false));
    mail.ret = Some(Ret::Headers);
    assert_eq!(whole(&mail, Kind::Failed, TEXT), (false, false));
}

#[test]
fn every_style_is_read_back_as_what_it_tells() {
    let mail = envelope(1);
    for style in Style::ALL {
        for (kind, state, status, reply, report, cause) in [
            (
                Kind::Failed,
                State::Failed,
                "5.2.2",
                "552 5.2.2 mailbox full",
                "failed",
                "over-quota",
            ),
            (
                Kind::Failed,
                State::Failed,
                "5.7.1",
                "554 5.7.1 Service unavailable; Client host [127.0.0.1] blocked using zen.spamhaus.org",
                "failed",
                "dnsbl",
            ),
            (
                Kind::Delayed,
                State::Waiting,
                "4.7.1",
                "451 4.7.1 greylisted, come again",
                "delayed",
                "greylisted",
            ),
        ] {
            let fates = [fate(state, status, reply)];
            let text = written(&Notice {
                style,
                ..notice(kind, &mail, &fates, TEXT)
            });
            let told = explain(text.as_bytes());
            assert_eq!(told.len(), 1, "{text}");
            assert_eq!(told[0].report.id(), report, "{style:?} {text}");
            let one = &told[0].recipients[0];
            assert_eq!(one.cause.id(), cause, "{style:?} {text}");
            assert_eq!(
                one.address.as_deref(),
                Some("user0@example.test"),
                "{style:?}"
            );
            if style != Style::Qmail || kind == Kind::Failed {
                let class = one.status.unwrap().to_string();
                assert_eq!(class, status, "{style:?} {text}");
            }
        }
    }
}

#[test]
fn success_is_told_as_delivered_or_relayed() {
    let mail = envelope(2);
    let fates = [
        fate(State::Delivered, "2.1.5", "250 2.1.5 ok"),
        fate(State::Relayed, "2.0.0", "250 taken"),
    ];
    let text = written(&notice(Kind::Succeeded, &mail, &fates, TEXT));
    let told = explain(text.as_bytes());
    let actions: Vec<_> = told[0]
        .recipients
        .iter()
        .map(|r| r.action.unwrap().id())
        .collect();
    assert_eq!(actions, ["delivered", "relayed"]);
}

#[test]
fn an_address_that_ascii_cannot_tell_makes_a_global_report() {
    let mut mail = envelope(1);
    mail.recipients[0].address.local = "j\u{fc}rgen".into();
    let fates = [fate(
        State::Failed,
        "5.1.1",
        "550 5.1.1 j\u{fc}rgen: no such user",
    )];
    let text = written(&notice(Kind::Failed, &mail, &fates, TEXT));
    assert!(
        text.contains("Content-Type: message/global-delivery-status"),
        "{text}"
    );
    assert!(
        text.contains("Final-Recipient: utf-8; j\u{fc}rgen@example.test"),
        "{text}"
    );
    assert!(text.contains("Content-Type: message/global\r\n"), "{text}");
    let told = explain(text.as_bytes());
    assert_eq!(
        told[0].recipients[0].address.as_deref(),
        Some("j\u{fc}rgen@example.test")
    );
}

#[test]
fn nothing_the_other_side_says_becomes_a_line_of_its_own() {
    let mail = envelope(1);
    let evil = "550 no\r\nAction: delivered\r\n\r\n--boundary\x1b[31m";
    for style in Style::ALL {
        let fates = [fate(State::Failed, "5.0.0", evil)];
        let text = written(&Notice {
            style,
            ..notice(Kind::Failed, &mail, &fates, b"")
        });
        assert!(!text.contains("\r\nAction: delivered"), "{style:?} {text}");
        assert!(!text.contains('\x1b'), "{style:?}");
    }
}

#[test]
fn a_notice_about_a_notice_goes_to_the_postmaster_or_nowhere() {
    let mut mail = envelope(1);
    mail.sender = None;
    let fates = [fate(State::Failed, "5.1.1", "550 5.1.1 no")];
    let double = notice(Kind::Double, &mail, &fates, TEXT);
    assert!(write(&double, QueueId::of_micros(2)).is_none());
    assert!(
        write(
            &notice(Kind::Failed, &mail, &fates, TEXT),
            QueueId::of_micros(2)
        )
        .is_none()
    );
    let postmaster = envelope(1).recipients[0].address.clone();
    let double = Notice {
        postmaster: Some(&postmaster),
        ..double
    };
    let (envelope, _) = write(&double, QueueId::of_micros(2)).unwrap();
    assert_eq!(envelope.recipients[0].address, postmaster);
}

#[test]
fn what_is_for_programs_is_ascii_unless_the_mail_is_international() {
    let mut mail = envelope(1);
    mail.recipients[0].orcpt = Some(("utf-8".into(), "j\u{fc}@old.test".into()));
    let fates = [fate(State::Failed, "5.1.1", "550 5.1.1 unbekannt: \u{fc}")];
    let text = written(&notice(Kind::Failed, &mail, &fates, TEXT));
    for line in [
        "Content-Type: message/delivery-status",
        "Original-Recipient: utf-8; j\\x{FC}@old.test",
        "Diagnostic-Code: smtp; 550 5.1.1 unbekannt: \\x{FC}",
        "Content-Type: message/rfc822",
    ] {
        assert!(text.contains(&format!("\r\n{line}\r\n")), "{line}: {text}");
    }
    mail.smtputf8 = true;
    let original = "Subject: \u{fc}\r\n\r\nbody\r\n";
    let text = written(&notice(Kind::Failed, &mail, &fates, original.as_bytes()));
    for line in [
        "Content-Type: message/global-delivery-status",
        "Original-Recipient: utf-8; j\u{fc}@old.test",
        "Content-Type: message/global",
    ] {
        assert!(text.contains(&format!("\r\n{line}\r\n")), "{line}: {text}");
    }
}

#[test]
fn the_postmaster_has_a_domain_and_an_address_of_a_server_brackets() {
    let mut mail = envelope(1);
    mail.recipients[0].address.local = "postmaster".into();
    mail.recipients[0].address.domain = None;
    for (host, told) in [
        ("127.0.0.9", "dns; [127.0.0.9]"),
        ("::1", "dns; [IPv6:::1]"),
        ("[127.0.0.9]", "dns; [127.0.0.9]"),
    ] {
        let mut fates = [fate(State::Failed, "5.1.1", "550 5.1.1 no")];
        fates[0].outcome.as_mut().unwrap().host = Some(host.into());
        let text = written(&notice(Kind::Failed, &mail, &fates, TEXT));
        assert!(text.contains("\r\nFinal-Recipient: rfc822; postmaster@mx.home.test\r\n"));
        assert!(
            text.contains(&format!("\r\nRemote-MTA: {told}\r\n")),
            "{text}"
        );
        let explained = explain(text.as_bytes());
        let remote = &explained[0].recipients[0].remote_mta;
        assert!(remote.ip.is_some(), "{host}: {remote:?}");
    }
}

#[test]
fn a_reply_of_any_length_breaks_no_line() {
    let mail = envelope(1);
    let long = format!("550 5.1.1 {}", "\u{fc}".repeat(30_000));
    for style in Style::ALL {
        let fates = [fate(State::Failed, "5.1.1", &long)];
        let mut notice = notice(Kind::Failed, &mail, &fates, TEXT);
        notice.style = style;
        written(&notice);
    }
}

#[test]
fn exim_names_the_failed_in_one_field_and_only_in_a_bounce() {
    let mail = envelope(2);
    let failed = [
        fate(State::Failed, "5.1.1", "550 5.1.1 no"),
        fate(State::Failed, "5.1.1", "550 5.1.1 no"),
    ];
    let bounce = Notice {
        style: Style::Exim,
        ..notice(Kind::Failed, &mail, &failed, TEXT)
    };
    let text = written(&bounce);
    let field = "X-Failed-Recipients: user0@example.test,\r\n  user1@example.test\r\n";
    assert!(text.contains(field), "{text}");
    let delayed = [fate(State::Waiting, "4.4.1", "451 4.4.1 later")];
    let warning = Notice {
        style: Style::Exim,
        ..notice(Kind::Delayed, &mail, &delayed, TEXT)
    };
    assert!(!written(&warning).contains("X-Failed-Recipients"));
}

/// What people read in a notice about one recipient who was refused.
fn for_people(style: Style, kind: Kind, change: impl FnOnce(&mut Outcome)) -> String {
    let mail = envelope(1);
    let mut fate = fate(State::Failed, "5.1.1", "550 5.1.1 no");
    change(fate.outcome.as_mut().unwrap());
    let fates = [fate];
    let notice = Notice {
        style,
        ..notice(kind, &mail, &fates, TEXT)
    };
    dialects::human(style, &notice)
}

#[test]
fn each_style_names_the_step_at_which_it_was_refused_in_its_own_words() {
    for (style, command, words) in [
        (
            Style::Postfix,
            "RCPT TO",
            "host mx.far.test[127.0.0.2] said: 550 5.1.1 no (in reply to RCPT TO command)",
        ),
        (Style::Postfix, "end of DATA", "(in reply to end of DATA)"),
        (
            Style::Postfix,
            "greeting",
            "host mx.far.test[127.0.0.2] refused to talk to me: 550 5.1.1 no\n",
        ),
        (
            Style::Sendmail,
            "RCPT TO",
            "... while talking to mx.far.test.:\n>>> RCPT To:<user0@example.test>\n<<< 550 5.1.1 no\n",
        ),
        (
            Style::Sendmail,
            "MAIL FROM",
            ">>> MAIL From:<alice@example.test>\n<<< 550",
        ),
        (Style::Sendmail, "end of DATA", ">>> DATA\n<<< 550"),
        (
            Style::Exim,
            "RCPT TO",
            "after RCPT TO:<user0@example.test>:\n    550 5.1.1 no\n",
        ),
        (
            Style::Exim,
            "MAIL FROM",
            "after MAIL FROM:<alice@example.test>:",
        ),
        (Style::Exim, "end of DATA", "after end of data:"),
        (Style::Exim, "greeting", "after initial connection:"),
        (Style::Exim, "STARTTLS", "after STARTTLS:"),
        (
            Style::Qmail,
            "RCPT TO",
            "127.0.0.2 does not like recipient.\nRemote host said: 550 5.1.1 no\nGiving up on 127.0.0.2.\n",
        ),
        (
            Style::Qmail,
            "MAIL FROM",
            "Connected to 127.0.0.2 but sender was rejected.\nRemote",
        ),
        (
            Style::Qmail,
            "greeting",
            "Connected to 127.0.0.2 but greeting failed.\nRemote",
        ),
        (
            Style::Qmail,
            "EHLO",
            "Connected to 127.0.0.2 but my name was rejected.\nRemote",
        ),
        (Style::Qmail, "DATA", "127.0.0.2 failed on DATA command.\n"),
        (
            Style::Qmail,
            "end of DATA",
            "127.0.0.2 failed after I sent the message.\n",
        ),
    ] {
        let text = for_people(style, Kind::Failed, |outcome| {
            outcome.command = Some(command.to_owned());
        });
        assert!(text.contains(words), "{style:?} {command}: {text}");
    }
}

#[test]
fn sendmail_does_not_call_a_user_unknown_who_is_not() {
    let said = |kind, reply: Option<&str>, expired| {
        for_people(Style::Sendmail, kind, |outcome| {
            outcome.reply = reply.map(str::to_owned);
            outcome.words = Some("the domain does not exist".to_owned());
            outcome.expired = expired;
        })
    };
    for (kind, reply, expired, words) in [
        (
            Kind::Failed,
            Some("550 5.1.1 no"),
            false,
            "\n550 5.1.1 <user0@example.test>... User unknown\n",
        ),
        (
            Kind::Failed,
            Some("552 5.2.2 full"),
            false,
            "\n554 5.0.0 Service unavailable\n",
        ),
        (
            Kind::Delayed,
            Some("452 4.2.2 full"),
            false,
            "\n<user0@example.test>... Deferred: 452 4.2.2 full\nWarning: message still",
        ),
        (
            Kind::Failed,
            Some("452 4.2.2 full"),
            true,
            "Deferred: 452 4.2.2 full\nMessage could not be delivered for 5 days\n",
        ),
        (
            Kind::Failed,
            None,
            false,
            "\n550 5.1.1 <user0@example.test>... the domain does not exist\n",
        ),
    ] {
        let text = said(kind, reply, expired);
        assert!(text.contains(words), "{words}: {text}");
        let unknown = text.contains("User unknown");
        assert_eq!(unknown, words.contains("User unknown"), "{text}");
    }
}

#[test]
fn a_trouble_without_a_reply_is_told_in_our_words_by_every_style() {
    for style in Style::ALL {
        let text = for_people(style, Kind::Failed, |outcome| {
            outcome.reply = None;
            outcome.host = None;
            outcome.ip = None;
            outcome.words = Some("no mail server has an address".to_owned());
            outcome.expired = true;
        });
        assert!(
            text.contains("no mail server has an address"),
            "{style:?}: {text}"
        );
        assert!(!text.contains("said:"), "{style:?}: {text}");
        let expired = match style {
            Style::Exim => "retry timeout exceeded",
            Style::Qmail => "in the queue too long",
            Style::Sendmail => "deleted from queue",
            Style::Own | Style::Postfix => "",
        };
        assert!(text.contains(expired), "{style:?}: {text}");
    }
}
