//! Whether a message that was found somewhere is the one that was sent, or a report about it.

use crate::bounce::explanation::{Explanation, Report};
use crate::message::layer::Head;

use super::token::Token;

/// Octets of a message that are searched for the token.
const SEARCHED: usize = 512 << 10;

/// What a message is to us.
#[derive(Debug, Clone, PartialEq)]
pub enum Sight {
    /// It is the message that was sent.
    Arrived,
    /// Somebody reports about it.
    Reported(Vec<Explanation>),
}

/// Looks at a message. `None`: it has nothing to do with the token.
pub fn look(message: &[u8], token: &Token) -> Option<Sight> {
    let message = message.get(..SEARCHED).unwrap_or(message);
    let head = Head::parse(message);
    let says = |name: &str| {
        let value = head.get(name);
        value.is_some_and(|value| token.is_in(value.as_bytes()))
    };
    // A bounce never carries the header of its own, only within what it returns. Who replaces the
    // Message-ID leaves the header, and who strips the header leaves the Message-ID.
    if says("X-Mailtrace-Test") || says("Message-ID") {
        return Some(Sight::Arrived);
    }
    let found = token.is_in(message);
    let may_report = found
        || head
            .raw("Return-Path")
            .is_none_or(|path| path.trim() == "<>");
    if !may_report {
        return None;
    }
    let explanations = crate::bounce::explain(message);
    let about = |one: &Explanation| {
        let id = one.original.message_id.as_deref().unwrap_or_default();
        found || token.is_in(id.as_bytes())
    };
    let reports = explanations.iter().all(|one| one.report != Report::None);
    if reports && explanations.iter().any(about) {
        return Some(Sight::Reported(explanations));
    }
    // A list may replace both fields; what is left is the subject together with the text.
    (says("Subject") && token.is_in(text(message))).then_some(Sight::Arrived)
}

/// What follows the header.
fn text(message: &[u8]) -> &[u8] {
    let crlf = memchr::memmem::find(message, b"\r\n\r\n").map(|at| at + 4);
    let lf = memchr::memmem::find(message, b"\n\n").map(|at| at + 2);
    let at = crlf.into_iter().chain(lf).min();
    at.and_then(|at| message.get(at..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "mt-abcdefghijklmnopqrst";

    fn seen(message: &str) -> Option<&'static str> {
        let token = Token::of(TOKEN);
        look(message.as_bytes(), &token).map(|sight| match sight {
            Sight::Arrived => "arrived",
            Sight::Reported(_) => "reported",
        })
    }

    #[test]
    fn one_of_the_two_fields_is_enough_and_the_subject_alone_is_not() {
        assert_eq!(
            seen(&format!("X-Mailtrace-Test: {TOKEN}; v=1\n\nx")),
            Some("arrived")
        );
        assert_eq!(
            seen(&format!("Message-ID: <{TOKEN}@h>\n\nx")),
            Some("arrived")
        );
        assert_eq!(
            seen(&format!("Return-Path: <a@b>\nSubject: Re: {TOKEN}\n\nx")),
            None
        );
        assert_eq!(
            seen(&format!(
                "Return-Path: <l@b>\nSubject: [list] {TOKEN}\n\nThis is {TOKEN}"
            )),
            Some("arrived")
        );
        assert_eq!(seen("Subject: hello\n\nx"), None);
    }

    #[test]
    fn a_bounce_is_known_by_what_it_returns() {
        let bounce = format!(
            "Return-Path: <>\nFrom: MAILER-DAEMON@mx.test\nSubject: Returned mail\n\
             MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
             --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.test\n\n\
             Final-Recipient: rfc822; x@y.test\nAction: failed\nStatus: 5.1.1\n\
             Diagnostic-Code: smtp; 550 5.1.1 no such user\n\n--b\nContent-Type: message/rfc822\n\n\
             Message-ID: <{TOKEN}@h>\nSubject: x\n\nx\n--b--\n"
        );
        assert_eq!(seen(&bounce), Some("reported"));
        assert_eq!(seen(&bounce.replace(TOKEN, "mt-another")), None);
    }
}
