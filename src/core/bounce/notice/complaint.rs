//! Reports that are no bounces: feedback (RFC 5965), automatic replies (RFC 3834), and requests to
//! confirm before a mail is let in.

use crate::bounce::explanation::{Feedback, Form, Report};
use crate::message::fields;
use crate::message::layer::{BlockKind, Layer};
use crate::message::{addresses, dates};

use super::evidence::Evidence;
use super::marks;
use super::page::{contains, starts};
use super::prose::Prose;
use super::{Notice, Quote, Statement, Voice, original, remote};

/// A complaint about one mail names no more recipients; to look for each among the others costs
/// their square.
const MAX_NAMED: usize = 100;

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
    let original = original::head(layer)
        .map(|h| original::read(&h))
        .unwrap_or_default();
    let mut addresses = recipients(&groups);
    if let ([], [only]) = (addresses.as_slice(), original.to.as_slice()) {
        addresses.push(only.clone());
    }
    let mut statement = Statement {
        feedback: field("Feedback-Type").map(|kind| Feedback::of(&kind)),
        quotes: quotes(layer),
        ..Statement::default()
    };
    statement.remote.ip = field("Source-IP")
        .and_then(|v| remote::ip(v.split_whitespace().next().unwrap_or_default()));
    let mut statements: Vec<Statement> = addresses
        .into_iter()
        .map(|address| Statement {
            address: Some(address),
            ..statement.clone()
        })
        .collect();
    if statements.is_empty() {
        statements.push(statement);
    }
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
        statements,
        original,
    })
}

/// Whom a feedback report is about: RFC 5965 §3.2 lets Original-Rcpt-To stand several times. The
/// other fields name somebody only where it does not.
fn recipients(groups: &[fields::Group<'_>]) -> Vec<String> {
    let named = |name: &str| {
        let mut all: Vec<String> = Vec::new();
        let pairs = groups.iter().flat_map(|group| &group.fields);
        for pair in pairs.filter(|pair| pair.name.eq_ignore_ascii_case(name)) {
            // `undisclosed` is no address, and a name without a domain may be one.
            let found = addresses::clean(&pair.value).map(str::to_owned);
            let each = addresses::each(&pair.value).map(|one| one.address.to_owned());
            for one in each.chain(found) {
                let new = !all.iter().any(|known| known.eq_ignore_ascii_case(&one));
                if new && all.len() < MAX_NAMED {
                    all.push(one);
                }
            }
        }
        all
    };
    [
        "Original-Rcpt-To",
        "Removal-Recipient",
        "Redacted-Address",
        "X-Original-Rcpt-To",
    ]
    .iter()
    .map(|name| named(name))
    .find(|all| !all.is_empty())
    .unwrap_or_default()
}

/// True for a text that begins with the sentence of the reports of RFC 5965.
fn is_told_first(layer: &Layer<'_>) -> bool {
    const SENTENCE: &str = "this is an email abuse report for an email message";
    layer
        .blocks
        .iter()
        .any(|block| starts(block.text().trim_start(), SENTENCE))
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
    let told = match evidence.headless {
        // Who forwards a report copies its subject, or at least the sentence that all of them have.
        true => body(marks::COMPLAINT) && (subject(marks::S_COMPLAINT) || is_told_first(layer)),
        false => subject(marks::S_COMPLAINT) && (body(marks::COMPLAINT) || carries && desk),
    };
    let report = if told && !fails {
        Report::Feedback
    } else if is_challenge(evidence, prose) && !fails {
        Report::Challenge
    } else if evidence.auto_reply
        && (!fails || is_answer(evidence, prose))
        && !evidence.failed_recipients
        && (!evidence.daemon || body(marks::VACATION) && !prose.shaped)
        && (body(marks::VACATION)
            || !body(marks::FINAL)
            || prose.drafts.is_empty()
            || subject(marks::S_AUTO) && !prose.shaped)
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

/// A help desk thanks for a question about mail that came back: its subject is that of the question.
fn is_answer(evidence: &Evidence, prose: &Prose) -> bool {
    let over = marks::FINAL | marks::EXPIRED | marks::DELAY;
    prose.roles & marks::VACATION != 0
        && prose.roles & over == 0
        && !(evidence.daemon || evidence.null_sender || prose.shaped)
        && prose.drafts.iter().all(|d| d.address.is_none())
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

#[cfg(test)]
mod tests {
    use super::super::read;
    use crate::bounce::explanation::{Feedback, Report};
    use crate::message::layer::open;

    fn told(fields: &str) -> Vec<(Option<String>, Option<Feedback>)> {
        let mail = format!(
            "From: fbl@p.example\nTo: me@x.example\nMIME-Version: 1.0\nContent-Type: \
             multipart/report; report-type=feedback-report; boundary=b\n\n--b\n\nA report.\n--b\n\
             Content-Type: message/feedback-report\n\n{fields}Version: 1\n--b\n\
             Content-Type: message/rfc822\n\nFrom: me@x.example\nTo: list@x.example\n\nhi\n--b--\n"
        );
        let notice = read(&open(mail.as_bytes()), false).unwrap();
        assert_eq!(notice.report, Report::Feedback);
        let all = notice.statements.into_iter();
        all.map(|one| (one.address, one.feedback)).collect()
    }

    #[test]
    fn every_recipient_of_a_feedback_report_is_named_once() {
        let all = told(
            "Feedback-Type: abuse\nOriginal-Rcpt-To: <a@p.example>\nOriginal-Rcpt-To: \
             b@p.example\nOriginal-Rcpt-To: <A@p.example>\nRemoval-Recipient: x@y.example\n",
        );
        let who: Vec<_> = all.iter().filter_map(|(who, _)| who.as_deref()).collect();
        assert_eq!(who, ["a@p.example", "b@p.example"]);
        let all = told("Feedback-Type: abuse\n");
        assert_eq!(all[0].0.as_deref(), Some("list@x.example"));
    }

    #[test]
    fn the_type_of_feedback_is_kept() {
        for (name, kind) in [
            ("abuse", Feedback::Abuse),
            ("Not-Spam", Feedback::NotSpam),
            ("auth-failure", Feedback::AuthFailure),
            ("virus", Feedback::Virus),
            ("fraud", Feedback::Fraud),
            ("opt-out", Feedback::OptOut),
            ("x-new", Feedback::Other),
        ] {
            let all = told(&format!("Feedback-Type: {name}\n"));
            assert_eq!(all[0].1, Some(kind), "{name}");
        }
        assert_eq!(told("")[0].1, None);
        assert_eq!(Feedback::OptOut.id(), "opt-out");
    }
}
