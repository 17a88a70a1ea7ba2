//! One line that is no mail: an SMTP reply, or a fragment of a log with one in it.

use crate::bounce::cause::Cause;
use crate::bounce::classify;
use crate::bounce::explain::{Around, judge_statement};
use crate::bounce::explanation::{Action, Confidence, Explanation, Form, Remote, Report};
use crate::bounce::notice::{Quote, Statement, Voice};
use crate::bounce::reply::{self, Logged, Reply};

/// Longer lines are no replies; what is behind this is not looked at.
const MAX_LINE: usize = 8 << 10;

/// Explains one SMTP reply or a fragment of a log. Evidence is in line 1.
///
/// ```
/// let what = mailtrace_core::bounce::explain_line("550 5.1.1 <bob@example.net>: no such user here");
/// assert_eq!(what.recipients[0].cause.id(), "user-unknown");
/// ```
pub fn explain_line(line: &str) -> Explanation {
    let line = line
        .get(..line.floor_char_boundary(MAX_LINE))
        .unwrap_or(line);
    let opened = reply::Opened::of(line.trim());
    let said = reply::find(opened.text());
    let logged = opened.logged();
    if let Some(what) = dialogue(opened.text(), &said, &logged) {
        return none(what);
    }
    // Of two that contradict each other the one with more digits was chosen with more care.
    let class = said
        .enhanced
        .map(|code| code.class.into())
        .or(said.code.map(|code| code / 100));
    let action = logged.action.or(match class {
        Some(2) => Some(Action::Delivered),
        Some(4) => Some(Action::Delayed),
        Some(5) => Some(Action::Failed),
        _ => None,
    });
    let report = match action {
        Some(Action::Delivered) => Report::Delivered,
        Some(Action::Delayed) => Report::Delayed,
        Some(_) => Report::Failed,
        // Without a number or a log's word the cause tells whether it is final.
        None => Report::None,
    };
    let statement = Statement {
        address: logged.recipient.or(said.recipient).map(str::to_owned),
        action,
        remote: Remote {
            host: logged.host.or(said.host).map(str::to_owned),
            ip: logged.ip.or(said.ip),
        },
        status: logged.status,
        command: said.command,
        expired: logged.expired,
        quotes: vec![Quote {
            text: logged.words.to_owned(),
            line: Some(1),
            voice: if said.code.is_some() {
                Voice::Remote
            } else {
                Voice::Local
            },
        }],
        ..Statement::default()
    };
    let recipient = judge_statement(
        statement,
        &Around {
            report,
            ..Around::default()
        },
    );
    // Words that say nothing, and no number either: whatever it is, it is no reply.
    let nothing = recipient.cause == Cause::Unknown && recipient.confidence == Confidence::Low;
    if nothing && class.is_none() && action.is_none() {
        return none("a line without an SMTP reply");
    }
    let report = match (recipient.cause, report) {
        (Cause::ChallengeResponse, _) => Report::Challenge,
        (Cause::Delivered, Report::None) => Report::Delivered,
        (_, Report::None) if recipient.permanent == Some(false) => Report::Delayed,
        (_, Report::None) => Report::Failed,
        (_, told) => told,
    };
    Explanation {
        report,
        form: vec![Form::ReplyLine],
        recipients: vec![recipient],
        ..Explanation::default()
    }
}

/// What a line is that only leads on in a dialogue: a greeting or a farewell (RFC 5321 §4.2.3),
/// the answer to EHLO, a step of a login. It tells nothing about a mail; that one was taken is told
/// by 250 to 252.
fn dialogue(text: &str, said: &Reply<'_>, logged: &Logged<'_>) -> Option<&'static str> {
    if logged.action.is_some() || logged.recipient.is_some() {
        return None;
    }
    let leading = || match text.as_bytes() {
        [a @ b'2'..=b'3', b, c] | [a @ b'2'..=b'3', b, c, b' ' | b'-', ..]
            if b.is_ascii_digit() && c.is_ascii_digit() =>
        {
            text.get(..3)?.parse().ok().filter(|_| a.is_ascii_digit())
        }
        _ => None,
    };
    let code = said.code.or_else(leading)?;
    classify::step(code).or_else(|| {
        let greets = code == 250 && said.enhanced.is_none() && reply::is_ehlo(said.text);
        greets.then_some("the answer of a mail server to EHLO")
    })
}

fn none(what: &str) -> Explanation {
    Explanation {
        instead: Some(what.to_owned()),
        ..Explanation::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(line: &str) -> (&'static str, Option<bool>) {
        let what = explain_line(line);
        what.recipients
            .first()
            .map_or(("none", None), |one| (one.cause.id(), one.permanent))
    }

    #[test]
    fn a_bare_reply_is_judged_like_one_in_a_notice() {
        assert_eq!(
            cause("550 5.1.1 <bob@example.net>: no such user"),
            ("user-unknown", Some(true))
        );
        assert_eq!(cause("452 4.2.2 Mailbox full"), ("over-quota", Some(false)));
        assert_eq!(
            explain_line("250 2.0.0 Ok: queued as 1").report,
            Report::Delivered
        );
    }

    #[test]
    fn a_code_without_a_reply_stands_where_codes_stand() {
        for line in [
            "5.1.1 The address could not be found",
            "(#5.1.1)",
            "Reason: 5.1.1",
            "delivery failed with status 5.1.1",
            "dsn=5.1.1",
        ] {
            assert_eq!(cause(line), ("user-unknown", Some(true)), "{line}");
        }
    }

    #[test]
    fn a_greeting_and_what_else_leads_on_in_a_dialogue_is_no_report() {
        for (line, is) in [
            ("220 mx.example.com ESMTP Postfix", "greeting"),
            ("<<< 221 2.0.0 Bye", "farewell"),
            ("221", "farewell"),
            ("211 2.0.0 queue is empty", "state"),
            ("214 2.0.0 see RFC 5321", "help"),
            ("235 2.7.0 Authentication successful", "login"),
            ("334 VXNlcm5hbWU6", "login"),
            ("354 Start mail input; end with <CRLF>.<CRLF>", "message"),
            ("250-PIPELINING", "EHLO"),
            ("250 SIZE 35882577", "EHLO"),
            (
                "250-mx.example.com Hello client.example [192.0.2.1]",
                "EHLO",
            ),
        ] {
            let what = explain_line(line);
            assert_eq!(what.report, Report::None, "{line}");
            let instead = what.instead.unwrap_or_default();
            assert!(instead.contains(is), "{line}: {instead}");
        }
        for line in [
            "250 2.0.0 Ok: queued as 1",
            "250 OK",
            "250",
            "250 ok 1699 qp 7",
            "251 User not local; will forward to <bob@b.example>",
            "252 2.0.0 Cannot VRFY user, but will take message",
            "to=<bob@b.example>, relay=mx.b.example[192.0.2.1]:25, status=sent (221 2.0.0 Bye)",
        ] {
            assert_eq!(explain_line(line).report, Report::Delivered, "{line}");
        }
        // A greeting that refuses is a refusal.
        let what = explain_line("220 mx.example.com; then 554 5.7.1 not for you");
        assert_eq!(what.report, Report::Failed);
    }

    #[test]
    fn a_contradiction_of_two_numbers_is_settled_by_the_longer_one() {
        // The taxonomy's order; a log's or a report's word for what became of it comes first.
        assert_eq!(cause("550 4.2.1 not now").1, Some(false));
        assert_eq!(cause("450 5.2.1 closed").1, Some(true));
        let line = "to=<b@b.example>, relay=mx.b.example[192.0.2.1]:25, dsn=4.2.1, status=bounced \
                    (host mx.b.example[192.0.2.1] said: 550 4.2.1 not now (in reply to RCPT TO))";
        assert_eq!(cause(line).1, Some(true));
    }

    #[test]
    fn a_login_to_an_account_that_is_switched_off_is_told_as_that() {
        for line in [
            "535 5.7.13",
            "535 5.7.13 User account disabled",
            "525 5.7.13 sorry",
        ] {
            assert_eq!(cause(line).0, "mailbox-disabled", "{line}");
        }
        assert_eq!(cause("535 5.7.8 sorry").0, "login-required");
    }

    #[test]
    fn a_version_or_a_date_is_no_code() {
        for line in [
            "Dovecot 2.3.16: Quota exceeded (mailbox for user is full)",
            "Am 2.10.24 um 10:00 Uhr: mailbox is full",
        ] {
            let what = explain_line(line);
            assert_eq!(cause(line).0, "over-quota", "{line}");
            assert_ne!(what.report, Report::Delivered, "{line}");
        }
        let exim = explain_line("Exim 4.97.1: bob@example.com: Unrouteable address");
        assert_ne!(exim.report, Report::Delayed);
    }

    #[test]
    fn the_name_of_who_speaks_is_not_listed() {
        let line = "host mx.example.com[203.0.113.5] said: 554 5.7.1 blocked: sender is listed in \
                    a DNSBL (in reply to RCPT TO command)";
        let what = explain_line(line);
        let list = what.recipients[0].dnsbl.as_ref().unwrap();
        assert_eq!((list.ip, list.domain.as_deref()), (None, None));
    }

    #[test]
    fn an_address_keeps_its_apostrophe_and_what_looks_like_a_key() {
        for (line, address) in [
            (
                "after RCPT TO:<o'brien@example.com>: 550 5.1.1 no",
                "o'brien@example.com",
            ),
            (
                "after RCPT TO:<SRS0=abcF=TT=a.example=bob@b.example>: 550 5.1.1 no",
                "SRS0=abcF=TT=a.example=bob@b.example",
            ),
            (
                "2026-11-22 10:00:00 1abCDe-000Xyz-1A == bob <bob@example.com> R=localuser \
                 T=local_delivery defer (-22): mailbox is full",
                "bob@example.com",
            ),
        ] {
            let what = explain_line(line);
            assert_eq!(
                what.recipients[0].address.as_deref(),
                Some(address),
                "{line}"
            );
        }
    }

    #[test]
    fn a_log_line_tells_what_became_of_it() {
        let line = "Mar  5 10:00:00 mx postfix/smtp[99]: 3F2A: to=<bob@example.net>, \
                    relay=mx.example.net[192.0.2.1]:25, delay=3, dsn=5.1.1, status=bounced (host \
                    mx.example.net[192.0.2.1] said: 550 5.1.1 <bob@example.net>: Recipient address \
                    rejected: User unknown (in reply to RCPT TO command))";
        let what = explain_line(line);
        let one = &what.recipients[0];
        assert_eq!(
            (what.report, one.cause),
            (Report::Failed, Cause::UserUnknown)
        );
        assert_eq!(one.address.as_deref(), Some("bob@example.net"));
        assert_eq!(one.reply_code, Some(550));
    }

    #[test]
    fn qmail_writes_its_log_without_blanks() {
        let line = "@4000 delivery 17: deferral: Connected_to_192.0.2.5_but_greeting_failed./Remote_host_said:_421_4.7.0_too_busy,_see_http://a.example/x/";
        let what = explain_line(line);
        let one = &what.recipients[0];
        assert_eq!((what.report, one.reply_code), (Report::Delayed, Some(421)));
        let said = one.diagnostic.as_deref().unwrap();
        assert!(
            said.contains("said: 421 4.7.0 too busy, see http://a.example/x"),
            "{said}"
        );
    }

    #[test]
    fn the_number_of_a_process_is_no_reply() {
        let what = explain_line(
            "Nov  3 09:30:08 relay sm-mta[559]: 5A: to=<a@b.example>, stat=User unknown",
        );
        assert_eq!(what.recipients[0].reply_code, None);
        assert_eq!(what.recipients[0].cause, Cause::UserUnknown);
    }

    #[test]
    fn a_request_to_confirm_is_a_challenge() {
        let what = explain_line(
            "550 5.7.1 Please confirm that you are a real person at https://c.example/1",
        );
        assert_eq!(what.report, Report::Challenge);
        assert_eq!(what.recipients[0].cause, Cause::ChallengeResponse);
    }

    #[test]
    fn without_a_number_the_cause_tells_whether_it_is_final() {
        let what = explain_line("connect to mx.example.com[192.0.2.9]:25: Connection refused");
        assert_eq!(what.report, Report::Delayed);
        assert_eq!(what.recipients[0].permanent, Some(false));
        assert_eq!(
            cause("Domain example.com does not accept mail (nullMX)"),
            ("no-mail-service", Some(true))
        );
    }

    #[test]
    fn the_new_address_is_not_the_recipient() {
        let what = explain_line("551 5.1.6 User not local; please try <jane@elsewhere.example>");
        assert_eq!(what.recipients[0].address, None);
        let what = explain_line("551 <bob@here.example> has moved to <jane@elsewhere.example>");
        assert_eq!(
            what.recipients[0].address.as_deref(),
            Some("bob@here.example")
        );
    }

    #[test]
    fn a_line_that_is_no_reply_is_none() {
        for line in [
            "",
            "hello world",
            "2024-01-01 12:00:00 server started",
            "We sold 550 units in week 5.1.1 of the plan",
            "The parcel has 5 layers, 4.2.2 kg each; delivery on Monday",
            "postfix/smtpd[11]: disconnect from a.example[192.0.2.1] ehlo=2 mail=1 quit=1 commands=4",
        ] {
            let what = explain_line(line);
            assert_eq!(what.report, Report::None, "{line}");
            assert!(what.instead.is_some());
        }
    }

    #[test]
    fn a_line_of_any_length_is_cut_not_refused() {
        let long = format!("550 5.1.1 user unknown {}", "é".repeat(100_000));
        assert_eq!(cause(&long).0, "user-unknown");
    }
}
