//! Reports that are no bounces: feedback (RFC 5965), automatic replies (RFC 3834), and requests to
//! confirm before a mail is let in.

use crate::bounce::explanation::{Form, Report};
use crate::message::fields;
use crate::message::layer::{BlockKind, Layer};
use crate::message::{addresses, dates};

use super::evidence::Evidence;
use super::marks;
use super::page::contains;
use super::prose::Prose;
use super::{Notice, Quote, Statement, Voice, original, remote};

/// A machine-readable feedback report.
pub(super) fn machine(layer: &Layer<'_>, evidence: &Evidence) -> Option<Notice> {
    let block = layer.block(BlockKind::FeedbackReport);
    let typed = layer.report_type.as_deref() == Some("feedback-report");
    if block.is_none() && !typed {
        return None;
    }
    if block.is_none() && evidence.failed_recipients {
        return None;
    }
    let groups = block.map(|b| fields::groups(b.text())).unwrap_or_default();
    let field = |name: &str| groups.iter().find_map(|g| g.get(name)).map(str::to_owned);
    let recipient = [
        "Original-Rcpt-To",
        "Removal-Recipient",
        "Redacted-Address",
        "X-Original-Rcpt-To",
    ]
    .iter()
    .find_map(|name| field(name))
    .and_then(|v| addresses::clean(&v).map(str::to_owned));
    let original = original::head(layer)
        .map(|h| original::read(&h))
        .unwrap_or_default();
    let address = recipient.or_else(|| match original.to.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    });
    let ip = field("Source-IP")
        .and_then(|v| remote::ip(v.split_whitespace().next().unwrap_or_default()));
    let mut statement = Statement {
        address,
        ..Statement::default()
    };
    statement.remote.ip = ip;
    statement.quotes = quotes(layer);
    Some(Notice {
        report: Report::Feedback,
        form: Form::Arf,
        dialect: None,
        reporting_mta: field("Reporting-MTA").map(|v| {
            v.split_once(';')
                .map_or(v.clone(), |(_, n)| n.trim().to_owned())
        }),
        arrival_date: field("Arrival-Date")
            .or_else(|| field("Received-Date"))
            .and_then(|d| dates::read(&d)),
        statements: vec![statement],
        original,
    })
}

/// The same by the words alone; call it only when there is no delivery report.
pub(super) fn plain(layer: &Layer<'_>, evidence: &Evidence, prose: &Prose) -> Option<Notice> {
    let body = |role: u32| prose.roles & role != 0;
    let subject = |role: u32| evidence.subject & role != 0;
    let fails = subject(marks::S_FAILED | marks::S_DELAYED);
    let from = layer.head.get("From").unwrap_or_default();
    let desk = [
        "staff@hotmail",
        "fbl",
        "feedback",
        "complaint",
        "abuse",
        "arf@",
        "scomp@",
        "dmarc",
    ]
    .iter()
    .any(|w| contains(&from, w));
    let carries =
        layer.block(BlockKind::Message).is_some() || layer.block(BlockKind::MessageHead).is_some();
    let report = if !evidence.headless
        && subject(marks::S_COMPLAINT)
        && !fails
        && (body(marks::COMPLAINT) || carries && desk)
    {
        Report::Feedback
    } else if is_challenge(evidence, prose) && !fails {
        Report::Challenge
    } else if evidence.auto_reply
        && !fails
        && !evidence.failed_recipients
        && (!evidence.daemon || body(marks::VACATION) && !prose.shaped)
        && (body(marks::VACATION) || !body(marks::FINAL) || prose.drafts.is_empty())
    {
        Report::AutoReply
    } else {
        return None;
    };
    let address = addresses::clean(&from).map(str::to_owned);
    Some(Notice {
        report,
        form: Form::Transcript,
        dialect: None,
        reporting_mta: None,
        arrival_date: None,
        statements: vec![Statement {
            address: address.filter(|_| report != Report::Feedback),
            quotes: quotes(layer),
            ..Statement::default()
        }],
        original: original::head(layer)
            .map(|h| original::read(&h))
            .unwrap_or_default(),
    })
}

fn is_challenge(evidence: &Evidence, prose: &Prose) -> bool {
    let asked = evidence.subject & marks::S_CHALLENGE != 0;
    let machine = evidence.auto || evidence.daemon || evidence.null_sender;
    !prose.shaped
        && !evidence.list
        && (prose.challenges >= 2 && (asked || machine)
            || prose.challenges >= 1 && asked && machine
            || prose.challenges >= 3)
}

/// The first paragraph of the text.
fn quotes(layer: &Layer<'_>) -> Vec<Quote> {
    let block = layer
        .block(BlockKind::Plain)
        .or_else(|| layer.block(BlockKind::Html));
    let Some(block) = block else {
        return Vec::new();
    };
    let text = block.text();
    let mut lines = super::page::lines(text, 0, text.len()).skip_while(super::page::Line::is_blank);
    let Some(first) = lines.next() else {
        return Vec::new();
    };
    let end = lines
        .take_while(|l| !l.is_blank())
        .take(6)
        .last()
        .map_or(first.end, |l| l.end);
    let words = super::draft::Words::new(
        super::page::part(text, first.at, end),
        first.at,
        Voice::Prose,
    );
    vec![Quote {
        text: words.text,
        line: block.line_at(first.at),
        voice: Voice::Prose,
    }]
}
