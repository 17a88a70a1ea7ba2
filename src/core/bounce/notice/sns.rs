//! Notices that Amazon SES sends as JSON through its notification service, by mail or as a saved
//! file: `notificationType` (or `eventType`) Bounce, Complaint, Delivery, DeliveryDelay.

use serde::Deserialize;

use crate::bounce::explanation::{Action, Feedback, Form, Original, Remote, Report};
use crate::message::dates;
use crate::message::layer::{Block, BlockKind, Layer};
use crate::message::status::EnhancedCode;

use super::draft::MAX_RECIPIENTS;
use super::page::strip;
use super::{Notice, Quote, Statement, Voice, remote};

/// Bytes of the words of a server that are kept.
const MAX_WORDS: usize = 4096;

/// What is null is as good as absent.
fn or_null<'d, T, D>(value: D) -> Result<T, D::Error>
where
    T: Deserialize<'d> + Default,
    D: serde::Deserializer<'d>,
{
    Option::deserialize(value).map(Option::unwrap_or_default)
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "Message")]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(alias = "eventType")]
    notification_type: String,
    #[serde(default, deserialize_with = "or_null")]
    mail: Mail,
    bounce: Option<Outcome>,
    delivery: Option<Outcome>,
    delivery_delay: Option<Outcome>,
    complaint: Option<Outcome>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Mail {
    #[serde(deserialize_with = "or_null")]
    timestamp: String,
    #[serde(deserialize_with = "or_null")]
    common_headers: Headers,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Headers {
    #[serde(deserialize_with = "or_null")]
    from: Vec<String>,
    #[serde(deserialize_with = "or_null")]
    to: Vec<String>,
    message_id: Option<String>,
    subject: Option<String>,
    date: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Outcome {
    bounce_type: Option<String>,
    bounce_sub_type: Option<String>,
    complaint_feedback_type: Option<String>,
    #[serde(
        alias = "complainedRecipients",
        alias = "delayedRecipients",
        deserialize_with = "or_null"
    )]
    bounced_recipients: Vec<Person>,
    #[serde(deserialize_with = "or_null")]
    recipients: Vec<String>,
    #[serde(rename = "reportingMTA")]
    reporting_mta: Option<String>,
    smtp_response: Option<String>,
    expiration_time: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Person {
    email_address: Option<String>,
    action: Option<String>,
    status: Option<String>,
    diagnostic_code: Option<String>,
}

/// Reads such a notice from the text of a layer.
pub(super) fn read(layer: &Layer<'_>) -> Option<Notice> {
    let block = layer.block(BlockKind::Plain)?;
    let text = block.text();
    let start = text.find(|c: char| !c.is_whitespace() && c != '\u{feff}')?;
    let json = text.get(start..).filter(|t| t.starts_with('{'))?;
    let event = told(json).or_else(|| told(&rejoined(json)?))?;
    let (report, action, outcome) = match event.notification_type.as_str() {
        "Bounce" => (Report::Failed, Some(Action::Failed), event.bounce),
        "DeliveryDelay" => (Report::Delayed, Some(Action::Delayed), event.delivery_delay),
        "Delivery" => (Report::Delivered, Some(Action::Delivered), event.delivery),
        "Complaint" => (Report::Feedback, None, event.complaint),
        _ => return None,
    };
    let outcome = outcome.unwrap_or_default();
    let mut statements: Vec<Statement> = outcome
        .bounced_recipients
        .iter()
        .take(MAX_RECIPIENTS)
        .map(|person| statement(person, &outcome, action, block, start))
        .collect();
    let left = MAX_RECIPIENTS - statements.len();
    statements.extend(outcome.recipients.iter().take(left).map(|address| {
        let person = Person {
            email_address: Some(address.clone()),
            ..Person::default()
        };
        statement(&person, &outcome, action, block, start)
    }));
    let headers = event.mail.common_headers;
    Some(Notice {
        report,
        form: Form::Transcript,
        dialect: Some("amazon-ses"),
        reporting_mta: outcome
            .reporting_mta
            .and_then(|name| remote::name(name.rsplit(';').next().unwrap_or_default().trim())),
        arrival_date: dates::read(&event.mail.timestamp),
        statements,
        original: Original {
            message_id: headers.message_id,
            from: headers.from.into_iter().next(),
            to: headers.to,
            subject: headers.subject,
            date: headers.date.and_then(|date| dates::read(&date)),
            hops: 0,
        },
    })
}

/// The event, bare or in the envelope of the notification service.
fn told(json: &str) -> Option<Event> {
    first(json).or_else(|| first(&first::<Envelope>(json)?.message))
}

/// Old sendmail breaks a line of more than 990 octets with `!`, a line end and a blank: JSON in
/// which that happened is put together again.
fn rejoined(json: &str) -> Option<String> {
    let broken = ["!\r\n ", "!\n "].iter().find(|b| json.contains(*b))?;
    Some(json.replace(broken, ""))
}

/// The first value of a text; what follows it, such as the footer of the mail, does not matter.
fn first<T: for<'a> Deserialize<'a>>(json: &str) -> Option<T> {
    serde_json::Deserializer::from_str(json)
        .into_iter()
        .next()?
        .ok()
}

fn statement(
    person: &Person,
    outcome: &Outcome,
    action: Option<Action>,
    block: &Block<'_>,
    start: usize,
) -> Statement {
    let line = block.line_at(start);
    let code = person
        .diagnostic_code
        .as_deref()
        .or(outcome.smtp_response.as_deref());
    let mut quotes = Vec::new();
    if let Some(code) = code {
        let text = strip(code, "smtp;").unwrap_or(code);
        quotes.push(Quote {
            // Each recipient has a copy of it.
            text: text
                .get(..text.floor_char_boundary(MAX_WORDS))
                .unwrap_or(text)
                .to_owned(),
            line,
            voice: Voice::Remote,
        });
    } else if let Some(kind) = &outcome.bounce_type {
        let sub = outcome.bounce_sub_type.as_deref().unwrap_or_default();
        quotes.push(Quote {
            text: format!("{kind} {sub}"),
            line,
            voice: Voice::Local,
        });
    }
    let delayed = person.action.as_deref() == Some("delayed");
    Statement {
        address: person
            .email_address
            .as_deref()
            .map(|a| crate::message::addresses::clean(a).unwrap_or(a).to_owned()),
        action: if delayed {
            Some(Action::Delayed)
        } else {
            action
        },
        status: person.status.as_deref().and_then(EnhancedCode::parse),
        remote: quotes
            .first()
            .map_or_else(Remote::default, |q| remote::of(&q.text)),
        feedback: outcome.complaint_feedback_type.as_deref().map(Feedback::of),
        retry_until: outcome.expiration_time.as_deref().and_then(dates::read),
        quotes,
        ..Statement::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::layer::open;

    #[test]
    fn a_bounce_is_read_with_and_without_its_envelope() {
        let event = r#"{"notificationType":"Bounce","bounce":{"bounceType":"Permanent","bouncedRecipients":[{"emailAddress":"ann@example.org","action":"failed","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 no such person"}],"reportingMTA":"dsn; a.smtp-out.amazonses.com"},"mail":{"timestamp":"2026-01-05T09:00:00.000Z","commonHeaders":{"from":["bob@example.net"],"subject":"Lunch"}}}"#;
        let wrapped = serde_json::json!({"Type": "Notification", "Message": event}).to_string();
        for text in [
            event.to_owned(),
            wrapped,
            format!("From: no-reply@sns.amazonaws.com\n\n{event}\n\n--\nfooter"),
        ] {
            let notice = read(&open(text.as_bytes())).unwrap();
            assert_eq!(notice.report, Report::Failed);
            assert_eq!(
                notice.reporting_mta.as_deref(),
                Some("a.smtp-out.amazonses.com")
            );
            let s = &notice.statements[0];
            assert_eq!(s.address.as_deref(), Some("ann@example.org"));
            assert_eq!(s.quotes[0].text, "550 5.1.1 no such person");
        }
    }

    #[test]
    fn what_is_null_is_absent() {
        let text = r#"{"eventType":"Bounce","bounce":{"bounceType":null,"bounceSubType":null,
            "bouncedRecipients":[{"emailAddress":"ann@example.org","action":null,"status":"5.2.2",
            "diagnosticCode":null}],"recipients":null,"reportingMTA":null,"smtpResponse":null},
            "delivery":null,"complaint":null,"mail":{"timestamp":null,"commonHeaders":{"from":null,
            "to":null,"messageId":null,"subject":"Lunch","date":null}}}"#;
        for text in [
            text.to_owned(),
            text.replace(r#""from":null"#, r#""from":["bob@example.net"]"#),
            r#"{"eventType":"Bounce","mail":null,"bounce":{"bouncedRecipients":[{
                "emailAddress":"ann@example.org","status":"5.2.2"}]}}"#
                .to_owned(),
        ] {
            let notice = read(&open(text.as_bytes())).unwrap();
            let s = &notice.statements[0];
            assert_eq!(s.address.as_deref(), Some("ann@example.org"));
            assert_eq!(s.status, EnhancedCode::new(5, 2, 2));
        }
    }

    #[test]
    fn json_that_a_server_broke_into_lines_is_put_together() {
        let text = "{\"notificationType\":\"Bounce\",\"bounce\":{\"bouncedReci!\n pients\":[{\"emailAddress\":\"ann@example.org\"}]}}";
        let notice = read(&open(text.as_bytes())).unwrap();
        assert_eq!(
            notice.statements[0].address.as_deref(),
            Some("ann@example.org")
        );
    }

    #[test]
    fn other_json_is_not_read() {
        assert!(read(&open(b"{\"a\":1}")).is_none());
        assert!(read(&open(b"{ not json")).is_none());
    }
}
