//! Explanations made by hand, for the tests of those who count and show them: `report` of the
//! package `mailtrace` takes this file as well.

use chrono::DateTime;

use crate::bounce::cause::Cause;
use crate::bounce::explanation::{
    Action, Command, Confidence, Evidence, Explanation, Form, Original, Recipient, Remote, Report,
    StatusFrom,
};
use crate::message::status::EnhancedCode;

/// One recipient, refused at RCPT.
pub(crate) fn user_unknown() -> Explanation {
    let date = DateTime::parse_from_rfc3339("2004-01-13T14:12:29-07:00").ok();
    Explanation {
        report: Report::Failed,
        form: vec![Form::Dsn],
        dialect: Some("sendmail"),
        reporting_mta: Some("mail.example.net".to_owned()),
        arrival_date: date,
        recipients: vec![recipient("user@example.com", Cause::UserUnknown)],
        original: Original {
            message_id: Some("<1@desk.example.net>".to_owned()),
            from: Some("Author <author@example.net>".to_owned()),
            to: vec!["user@example.com".to_owned()],
            subject: Some("Minutes of the meeting".to_owned()),
            date,
            hops: 1,
        },
        instead: None,
    }
}

/// A final failure about which everything usual is known.
pub(crate) fn recipient(address: &str, cause: Cause) -> Recipient {
    Recipient {
        address: Some(address.to_owned()),
        original_address: None,
        action: Some(Action::Failed),
        cause,
        permanent: Some(true),
        status: EnhancedCode::new(5, 1, 1),
        status_from: Some(StatusFrom::Report),
        reply_code: Some(550),
        smtp_command: Some(Command::Rcpt),
        remote_mta: Remote {
            host: Some("mail.example.com".to_owned()),
            ip: "192.0.2.7".parse().ok(),
        },
        diagnostic: Some(format!("550 <{address}>... user unknown")),
        dnsbl: None,
        retry_until: None,
        expired: false,
        feedback: None,
        confidence: Confidence::High,
        evidence: vec![
            Evidence {
                text: format!("550 <{address}>... user unknown"),
                line: Some(25),
                rule: Some("user-unknown-plain"),
            },
            Evidence {
                text: format!("<<< 550 <{address}>... user unknown"),
                line: Some(26),
                rule: None,
            },
        ],
    }
}
