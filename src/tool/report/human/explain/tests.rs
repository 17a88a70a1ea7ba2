use super::*;
use crate::bounce::explanation::{Listing, Mistake};
use crate::report::samples;

fn look(width: usize) -> Look<'static> {
    Look {
        paint: Painter::plain(width),
        audience: Audience::Both,
        detail: Detail::Normal,
        way: None,
        name: None,
    }
}

/// A notice about which as much is known as real ones tell.
fn full(cause: Cause) -> Explanation {
    let mut what = samples::user_unknown();
    let one = &mut what.recipients[0];
    one.cause = cause;
    one.address = Some("a.rather-long-name@department.example.com".to_owned());
    one.remote_mta.host = Some("mail.protection.example.com".to_owned());
    one.evidence[0].text = "550 5.7.1 Service unavailable; blocked using zen.spamhaus.org, see \
                            https://www.spamhaus.org/query/ip/192.0.2.1"
        .to_owned();
    if cause == Cause::Dnsbl {
        one.dnsbl = Some(Listing {
            zone: Some("zen.spamhaus.org".to_owned()),
            ip: "192.0.2.1".parse().ok(),
            url: Some("https://check.spamhaus.org/results/?query=192.0.2.1".to_owned()),
            ..Listing::default()
        });
    }
    what
}

#[test]
fn every_cause_fits_a_screen_of_80_by_24() {
    for &cause in Cause::ALL {
        for outcome in 0..5 {
            let mut what = full(cause);
            let one = &mut what.recipients[0];
            match outcome {
                1 => one.permanent = Some(false),
                2 => one.expired = true,
                3 | 4 if cause == Cause::Dnsbl => {
                    let mistakes = [Mistake::QueryRefused, Mistake::DeadList];
                    one.dnsbl.as_mut().unwrap().mistaken = Some(mistakes[outcome - 3]);
                }
                _ => {}
            }
            let text = explain(&what, look(80));
            // One line is left for the prompt.
            assert!(
                text.lines().count() <= 23,
                "{cause} {outcome}: {}\n{text}",
                text.lines().count()
            );
        }
    }
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [40, 60, 80, 120, 200] {
        for &cause in Cause::ALL {
            let text = explain(&full(cause), look(width));
            for line in text.lines() {
                assert!(safe::width(line) <= width, "{width}: {line}");
                assert_eq!(line.trim_end(), line, "blanks at the end");
            }
        }
    }
}

#[test]
fn equal_fates_are_told_together() {
    let mut what = samples::user_unknown();
    for n in 0..7 {
        what.recipients.push(samples::recipient(
            &format!("n{n}@example.com"),
            Cause::UserUnknown,
        ));
    }
    what.recipients
        .push(samples::recipient("full@example.com", Cause::OverQuota));
    let text = explain(&what, look(80));
    assert_eq!(text.matches("Whose side").count(), 2, "{text}");
    assert!(text.contains("and 3 more"), "{text}");
    assert!(
        text.contains("Check the spelling of the addresses."),
        "{text}"
    );
    let brief = explain(
        &what,
        Look {
            detail: Detail::Brief,
            ..look(80)
        },
    );
    assert_eq!(brief.lines().count(), 9);
}

#[test]
fn colour_only_supports() {
    let what = full(Cause::UserUnknown);
    let plain = explain(&what, look(80));
    let paint = Painter {
        color: true,
        ..Painter::plain(80)
    };
    let colored = explain(&what, Look { paint, ..look(80) });
    assert!(colored.contains("\x1B["));
    let mut stripped = String::new();
    let mut rest = colored.as_str();
    while let Some((before, after)) = rest.split_once("\x1B[") {
        stripped += before;
        rest = after.split_once('m').unwrap().1;
    }
    assert_eq!(stripped + rest, plain);
}

#[test]
fn hostile_text_is_shown_not_sent() {
    let mut what = full(Cause::UserUnknown);
    let bad = "x\x1B[2J\u{9B}31m\u{202E}\u{200B}\r\n\x07y";
    let one = &mut what.recipients[0];
    one.address = Some(format!("{bad}@example.com"));
    one.diagnostic = Some(bad.to_owned());
    one.original_address = Some(bad.to_owned());
    one.remote_mta.host = Some(bad.to_owned());
    one.evidence[0].text = bad.to_owned();
    what.original.subject = Some(bad.to_owned());
    what.original.from = Some(bad.to_owned());
    what.original.to = vec![bad.to_owned()];
    what.original.message_id = Some(bad.to_owned());
    what.reporting_mta = Some(bad.to_owned());
    what.instead = Some(bad.to_owned());
    for report in [Report::Failed, Report::None] {
        what.report = report;
        for detail in [Detail::Brief, Detail::Normal, Detail::Full] {
            for unicode in [true, false] {
                let paint = Painter {
                    unicode,
                    ..Painter::plain(80)
                };
                let text = explain(
                    &what,
                    Look {
                        paint,
                        detail,
                        name: Some(bad),
                        ..look(80)
                    },
                );
                assert!(
                    !text.chars().any(|c| c != '\n' && safe::is_hidden(c)),
                    "{text:?}"
                );
                assert!(unicode || text.is_ascii(), "{text}");
            }
        }
    }
}

#[test]
fn reports_without_recipients_still_say_what_they_are() {
    for (report, word) in [
        (Report::AutoReply, "automatic answer"),
        (Report::Feedback, "complaint"),
        (Report::Challenge, "asks you to confirm"),
        (Report::Delivered, "delivered"),
        (Report::Delayed, "delayed"),
        (Report::Failed, "reason not given"),
    ] {
        let what = Explanation {
            report,
            ..Explanation::default()
        };
        let text = explain(&what, look(80));
        assert!(text.lines().next().unwrap().contains(word), "{text}");
    }
}

#[test]
fn what_is_no_report_is_named() {
    let what = Explanation {
        instead: Some("an ordinary mail".to_owned()),
        ..Explanation::default()
    };
    let text = explain(&what, look(80));
    assert!(
        text.starts_with("? not a report of a mail server\n"),
        "{text}"
    );
    assert!(text.contains("This is an ordinary mail."), "{text}");
}

#[test]
fn all_is_told_to_those_who_ask() {
    let mut what = full(Cause::Dnsbl);
    what.recipients[0].retry_until = what.arrival_date;
    let text = explain(
        &what,
        Look {
            detail: Detail::Full,
            ..look(80)
        },
    );
    for part in [
        "rule user-unknown-plain",
        "Tried until",
        "Message-ID",
        "Found as",
        "Listed",
        "Look up at",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}
