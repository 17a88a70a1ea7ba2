use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn said(text: &str) -> Judgement {
    judge(&Case {
        texts: vec![(Voice::Remote, text)],
        ..Case::default()
    })
}

fn code(text: &str) -> Option<EnhancedCode> {
    EnhancedCode::parse(text)
}

#[test]
fn words_beat_numbers_and_informative_numbers_beat_vague_words() {
    for (text, cause) in [
        ("550 5.1.1 Message rejected as spam", Cause::SpamContent),
        ("550 5.7.1 no such user here", Cause::UserUnknown),
        ("550 5.2.2 rejected", Cause::OverQuota),
        ("554 5.7.1 rejected by policy", Cause::PolicyRejected),
        ("550", Cause::UserUnknown),
    ] {
        assert_eq!(said(text).cause, cause, "{text}");
    }
}

#[test]
fn the_report_s_number_does_not_outvote_the_reply_s_vague_words() {
    // Sendmail invents 5.1.1 for a reply without an enhanced code.
    let judgement = judge(&Case {
        texts: vec![(Voice::Remote, "550 rejected by policy")],
        status: code("5.1.1"),
        ..Case::default()
    });
    assert_eq!(judgement.cause, Cause::PolicyRejected);
    let bare = judge(&Case {
        status: code("5.1.1"),
        ..Case::default()
    });
    assert_eq!(bare.cause, Cause::UserUnknown);
}

#[test]
fn what_was_delivered_passed_on_or_expanded_has_not_failed_whatever_a_text_says() {
    let cause = |action| {
        let texts = vec![(Voice::Remote, "550 5.1.1 user unknown")];
        let action = Some(action);
        judge(&Case {
            texts,
            action,
            ..Case::default()
        })
        .cause
    };
    for good in [Action::Delivered, Action::Relayed, Action::Expanded] {
        assert_eq!(cause(good), Cause::Delivered, "{good:?}");
    }
    assert_eq!(cause(Action::Failed), Cause::UserUnknown);
}

#[test]
fn names_in_addresses_links_and_hosts_say_nothing() {
    for text in [
        "550 5.1.1 <over-quota@spam.example>: user unknown",
        "550 no such user, see https://mailbox-full.example/virus?greylisted",
        "550 5.1.1 blocked.example said no such user",
    ] {
        assert_eq!(said(text).cause, Cause::UserUnknown, "{text}");
    }
}

#[test]
fn a_page_of_a_list_given_as_help_is_no_listing() {
    for text in [
        "550 5.7.1 Message rejected as spam. Read more on https://www.spamhaus.org/faq/",
        "550 mailbox full, we use no blacklists such as zen",
        "550 5.1.1 user unknown (not listed in any DNSBL)",
    ] {
        assert_ne!(said(text).cause, Cause::Dnsbl, "{text}");
    }
}

#[test]
fn the_remote_server_s_words_come_before_the_frame_around_them() {
    for (text, cause) in [
        (
            "Google tried to deliver your message, but it was rejected by the server for the \
             recipient domain example.com by mx.example.com. [192.0.2.1]. The error that the \
             other server returned was: 550 5.1.1 <bob@example.com>: User unknown",
            Cause::UserUnknown,
        ),
        (
            "SMTP error from remote mail server after RCPT TO:<bob@example.com>: host \
             mx.example.com [192.0.2.1]: 552 mailbox full",
            Cause::OverQuota,
        ),
    ] {
        assert_eq!(said(text).cause, cause, "{text}");
    }
}

#[test]
fn an_expired_message_has_the_cause_of_its_last_reply() {
    let judge = |text| {
        judge(&Case {
            texts: vec![(Voice::Local, text)],
            status: code("4.4.7"),
            action: Some(Action::Failed),
            expired: true,
            ..Case::default()
        })
    };
    let known = judge("connect to mx.example.com[192.0.2.1]:25: Connection refused");
    assert_eq!(known.cause, Cause::ConnectionFailed);
    assert_eq!(known.permanent, Some(true));
    assert_eq!(
        judge("retry timeout exceeded").cause,
        Cause::DeliveryExpired
    );
}

#[test]
fn exim_says_the_same_for_a_user_and_for_a_domain() {
    let judge = |recipient, reporter| {
        judge(&Case {
            texts: vec![(Voice::Local, "Unrouteable address")],
            recipient: Some(recipient),
            reporter: Some(reporter),
            ..Case::default()
        })
        .cause
    };
    assert_eq!(
        judge("bob@example.com", "mail.example.com"),
        Cause::UserUnknown
    );
    assert_eq!(
        judge("bob@other.example", "mail.example.com"),
        Cause::DomainUnknown
    );
    assert_eq!(said("550 Unrouteable address").cause, Cause::UserUnknown);
}

#[test]
fn the_outcome_is_read_from_action_status_and_reply_in_this_order() {
    assert_eq!(said("452 4.2.2 mailbox full").permanent, Some(false));
    assert_eq!(said("552 mailbox full").permanent, Some(true));
    assert_eq!(said("mailbox full").permanent, None);
    let delayed = judge(&Case {
        texts: vec![(Voice::Remote, "552 5.2.2 mailbox full")],
        action: Some(Action::Delayed),
        ..Case::default()
    });
    assert_eq!(delayed.permanent, Some(false));
}

#[test]
fn how_sure_it_is_follows_from_who_agrees() {
    let sure = |text| said(text).confidence;
    assert_eq!(sure("552 5.2.2 mailbox full"), Confidence::High);
    assert_eq!(sure("552 mailbox full"), Confidence::Medium);
    assert_eq!(sure("554 rejected"), Confidence::Low);
}

#[test]
fn a_status_is_taken_from_the_reply_then_the_report_then_the_cause() {
    let judgement = judge(&Case {
        texts: vec![(Voice::Remote, "550 5.1.1 no such user")],
        status: code("5.0.0"),
        ..Case::default()
    });
    assert_eq!(
        judgement.status,
        code("5.1.1").map(|code| (code, StatusFrom::Reply))
    );
    let derived = said("552 mailbox full").status;
    assert_eq!(
        derived,
        code("5.2.2").map(|code| (code, StatusFrom::Derived))
    );
}

#[test]
fn a_megabyte_on_one_line_is_judged_in_no_time() {
    for piece in [
        "550 ", "5.1.1 ", "a@", "user ", "(((", "1.2.3.", "http://", "not ", "é", "550-",
    ] {
        let text = piece.repeat(1_000_000 / piece.len());
        let start = Instant::now();
        said(&text);
        let took = start.elapsed();
        assert!(took < Duration::from_secs(5), "{piece:?}: {took:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_judged_without_a_panic(text in "\\PC{0,300}") {
        said(&text);
    }

    #[test]
    fn any_mix_of_what_servers_write_is_judged_without_a_panic(
        parts in prop::collection::vec(prop::sample::select(vec![
            "550", "-", " ", "5.1.1", "<", ">", "user@", "example.com", "[192.0.2.1]", "blocked using ",
            "zen.spamhaus.org", "http://", "é", "'", "said: ", "(in reply to ", "RCPT TO:", "\r\n", "..", ":", "mailbox full",
            "宛先", "#", ";", "=", "www.", "554 554",
        ]), 0..30)
    ) {
        let text = parts.concat();
        let judgement = said(&text);
        prop_assert_eq!(judgement.listing.is_some(), judgement.cause == Cause::Dnsbl);
    }
}

#[test]
fn a_host_that_exim_quotes_no_word_of_was_not_reached() {
    let case = |dialect, host, expired| {
        judge(&Case {
            texts: vec![(Voice::Local, "retry timeout exceeded")],
            action: Some(Action::Failed),
            dialect: Some(dialect),
            remote_host: host,
            expired,
            ..Case::default()
        })
        .cause
    };
    assert_eq!(
        case("exim", Some("mx.example"), true),
        Cause::ConnectionFailed
    );
    assert_eq!(case("exim", None, true), Cause::DeliveryExpired);
    assert_eq!(
        case("postfix", Some("mx.example"), true),
        Cause::DeliveryExpired
    );
}

#[test]
fn a_returned_mail_with_very_many_hops_and_no_reason_went_in_a_circle() {
    let after = |hops| {
        let case = Case {
            action: Some(Action::Failed),
            hops,
            ..Case::default()
        };
        judge(&case).cause
    };
    assert_eq!(after(33), Cause::MailLoop);
    assert_eq!(after(12), Cause::Unknown);
}

#[test]
fn an_error_of_the_server_that_will_pass_is_told_from_one_that_stays() {
    assert_eq!(
        said("451 4.3.5 Server configuration problem").cause,
        Cause::ServerTemporaryFailure
    );
    assert_eq!(
        said("554 5.3.5 Server configuration problem").cause,
        Cause::ServerError
    );
}

#[test]
fn a_code_that_says_nothing_gives_way_to_the_field() {
    let status = |text, field| {
        let case = Case {
            texts: vec![(Voice::Remote, text)],
            status: code(field),
            ..Case::default()
        };
        judge(&case).status.map(|(code, _)| code.to_string())
    };
    assert_eq!(status("550 5.0.0 no", "5.3.0").as_deref(), Some("5.3.0"));
    assert_eq!(status("550 5.7.1 no", "5.3.0").as_deref(), Some("5.7.1"));
    assert_eq!(status("550 5.0.0 no", "4.3.0").as_deref(), Some("5.0.0"));
}
