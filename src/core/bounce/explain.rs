//! The way from a user's input to explanations: walk down the layers to the notices, judge what
//! each of them states about each recipient.

use crate::bounce::cause::Cause;
use crate::bounce::classify::{self, Case, Judgement};
use crate::bounce::explanation::{
    Action, Confidence, Evidence, Explanation, Form, Recipient, Report,
};
use crate::bounce::notice::{self, Notice, Quote, Statement, Voice};
use crate::message::layer::{self, Content, Layer, Wrap};

/// How deep a notice may be buried. A person forwards a forward of a forward; nobody forwards
/// twenty times, and each level costs a parse of what is left.
const MAX_DEPTH: usize = 20;

/// How many layers are looked at in one input, beyond those that together are no larger than
/// [`MAX_TIMES`] the input, before the search ends: bounds the work that a hostile digest of digests
/// can ask for.
const MAX_LAYERS: usize = 400;

/// So many times the size of the input is looked at for nothing: the parts of a long digest are
/// together as large as the digest, and so is what stands quoted or forwarded in each of them.
const MAX_TIMES: usize = 8;

/// What a layer costs at least, in bytes: to open it takes time, however little is in it.
const LEAST_SIZE: usize = 200;

/// How many notices of one input are told.
const MAX_NOTICES: usize = 1000;

/// Explains one input: a notice, or anything in which somebody handed one over.
///
/// Gives one explanation for each notice found side by side, in their order, and exactly one
/// with [`Report::None`] when there is none: it says what the input is instead.
pub fn explain(input: &[u8]) -> Vec<Explanation> {
    explain_layer(&layer::open(input))
}

/// The same for an input that is already opened.
pub fn explain_layer(outermost: &Layer<'_>) -> Vec<Explanation> {
    let mut found = Vec::new();
    let mut budget = Budget {
        bytes: size(outermost) * MAX_TIMES,
        layers: MAX_LAYERS,
        over: false,
    };
    walk(outermost, 0, false, &mut budget, &mut found);
    if found.is_empty() || budget.over {
        let mut instead = notice::instead(outermost);
        if budget.over {
            instead.push_str(", of which not every part was looked at: there are too many");
        }
        found.push(Explanation {
            instead: Some(instead),
            original: notice::original_of_mail(outermost),
            ..Explanation::default()
        });
    }
    found
}

/// The work that is left.
struct Budget {
    bytes: usize,
    layers: usize,
    /// Something was not looked at.
    over: bool,
}

impl Budget {
    /// Pays for a layer.
    fn spend(&mut self, layer: &Layer<'_>) {
        match self.bytes.checked_sub(size(layer)) {
            Some(left) => self.bytes = left,
            None => self.layers = self.layers.saturating_sub(1),
        }
    }

    /// True when there is nothing left; somebody wants to look at a layer.
    const fn ends(&mut self) -> bool {
        self.over |= self.layers == 0;
        self.over
    }
}

/// How much there is to look at in a layer, in bytes.
fn size(layer: &Layer<'_>) -> usize {
    let blocks = layer.blocks.iter().map(|block| match &block.content {
        Content::Text(text) => text.len(),
        Content::Bytes(bytes) => bytes.len(),
        Content::Encoded(raw, _) => raw.len(),
        Content::Opened(layer) => size(layer),
    });
    let head = layer.head.fields.iter().map(|field| field.body.len());
    blocks.chain(head).sum::<usize>().max(LEAST_SIZE)
}

/// Looks for notices from `layer` down; the first on each way counts, so that the original
/// inside a notice is never taken for a second one. `talk`: it is quoted where people talk.
fn walk(
    layer: &Layer<'_>,
    depth: usize,
    talk: bool,
    budget: &mut Budget,
    found: &mut Vec<Explanation>,
) {
    if found.len() >= MAX_NOTICES || budget.ends() {
        return;
    }
    if let Some(notice) = notice::read(layer, talk) {
        let explanation = judge_notice(notice, &layer.wraps);
        // The same notice is often there twice: as text and as HTML, inline and attached.
        if found.iter().any(|other| is_same(other, &explanation)) {
            budget.spend(layer);
        } else {
            // Notices have a bound of their own: a digest of 500 holds 500.
            found.push(explanation);
        }
        return;
    }
    budget.spend(layer);
    if depth < MAX_DEPTH {
        let inner = layer.inner();
        if inner.is_empty() || notice::is_statistics(layer) {
            return;
        }
        let talk = talk || notice::is_talk(layer);
        for inner in inner {
            let apart = inner.wraps.last() == Some(&Wrap::Attached);
            walk(&inner, depth + 1, talk && !apart, budget, found);
        }
    }
}

/// Whether two explanations speak of the same notice.
fn is_same(a: &Explanation, b: &Explanation) -> bool {
    a.report == b.report
        && a.arrival_date == b.arrival_date
        && a.original.message_id == b.original.message_id
        && a.recipients.len() == b.recipients.len()
        && a.recipients.iter().zip(&b.recipients).all(|(a, b)| {
            a.address == b.address && a.cause == b.cause && a.diagnostic == b.diagnostic
        })
}

/// Judges everything that a notice states.
fn judge_notice(notice: Notice, wraps: &[Wrap]) -> Explanation {
    let mut form: Vec<Form> = wraps.iter().map(|&wrap| form_of(wrap)).collect();
    form.push(notice.form);
    let reporter = notice.reporting_mta.as_deref();
    let recipients: Vec<Recipient> = notice
        .statements
        .into_iter()
        .map(|statement| {
            let around = Around {
                report: notice.report,
                dialect: notice.dialect,
                reporter,
                hops: notice.original.hops,
            };
            judge_statement(statement, &around)
        })
        .collect();
    Explanation {
        report: notice.report,
        form,
        dialect: notice.dialect,
        reporting_mta: notice.reporting_mta,
        arrival_date: notice.arrival_date,
        recipients,
        original: notice.original,
        instead: None,
    }
}

const fn form_of(wrap: Wrap) -> Form {
    match wrap {
        Wrap::Attached => Form::ForwardedAttached,
        Wrap::Inline => Form::ForwardedInline,
        Wrap::Quoted => Form::Quoted,
        Wrap::Pasted => Form::Pasted,
        Wrap::Tnef => Form::Tnef,
        Wrap::Msg => Form::Msg,
    }
}

/// The cause that a report carries in its very kind, when it is no report of a failure.
const fn cause_of_kind(report: Report, action: Option<Action>) -> Option<Cause> {
    match (report, action) {
        (Report::Feedback, _) => Some(Cause::AbuseReport),
        (Report::AutoReply, _) => Some(Cause::AutoReply),
        (Report::Challenge, _) => Some(Cause::ChallengeResponse),
        (_, Some(Action::Delivered | Action::Relayed | Action::Expanded)) => Some(Cause::Delivered),
        (Report::Delivered | Report::Relayed | Report::Expanded, None) => Some(Cause::Delivered),
        _ => None,
    }
}

/// What a notice tells beside its statements.
#[derive(Debug, Default)]
pub(super) struct Around<'a> {
    /// What kind of report it is.
    pub(super) report: Report,
    /// Who wrote it.
    pub(super) dialect: Option<&'static str>,
    /// The server that wrote it.
    pub(super) reporter: Option<&'a str>,
    /// Received fields of the returned message.
    pub(super) hops: u32,
}

pub(super) fn judge_statement(statement: Statement, around: &Around<'_>) -> Recipient {
    let report = around.report;
    if let Some(cause) = cause_of_kind(report, statement.action) {
        return without_failure(statement, cause);
    }
    let judgement = classify::judge(&Case {
        texts: statement
            .quotes
            .iter()
            .map(|quote| (quote.voice, quote.text.as_str()))
            .collect(),
        status: statement.status,
        command: statement.command,
        action: statement.action.or(match report {
            Report::Delayed => Some(Action::Delayed),
            Report::Failed => Some(Action::Failed),
            _ => None,
        }),
        recipient: statement.address.as_deref(),
        reporter: around.reporter,
        remote_host: statement.remote.host.as_deref(),
        dialect: around.dialect,
        expired: statement.expired,
        hops: around.hops,
    });
    let evidence = evidence(&statement.quotes, &judgement);
    Recipient {
        address: statement.address,
        original_address: statement.original_address,
        action: statement.action,
        smtp_command: statement.command.or(judgement.command),
        remote_mta: statement.remote,
        diagnostic: diagnostic(statement.quotes, &judgement),
        retry_until: statement.retry_until,
        expired: statement.expired,
        evidence,
        ..judgement.recipient()
    }
}

/// A recipient about whom there is nothing to mend.
fn without_failure(statement: Statement, cause: Cause) -> Recipient {
    let evidence = statement.quotes.first().map(|quote| Evidence {
        text: quote.text.clone(),
        line: quote.line,
        rule: None,
    });
    Recipient {
        address: statement.address,
        original_address: statement.original_address,
        action: statement.action,
        feedback: statement.feedback,
        status: statement.status,
        status_from: statement
            .status
            .map(|_| crate::bounce::explanation::StatusFrom::Report),
        remote_mta: statement.remote,
        diagnostic: statement.quotes.into_iter().next().map(|quote| quote.text),
        evidence: evidence.into_iter().collect(),
        ..Recipient::of(cause, Confidence::High)
    }
}

/// The quote that decided comes first, then the other words of servers; prose only when it
/// decided, since it repeats what the servers say.
fn evidence(quotes: &[Quote], judgement: &Judgement) -> Vec<Evidence> {
    let deciding = judgement.decided_by.map(|by| by.text);
    let first = deciding
        .and_then(|index| quotes.get(index))
        .map(|quote| Evidence {
            text: quote.text.clone(),
            line: quote.line,
            rule: judgement.decided_by.map(|by| by.rule),
        });
    let others = quotes
        .iter()
        .enumerate()
        .filter(|&(index, quote)| {
            Some(index) != deciding && (quote.voice != Voice::Prose || deciding.is_none())
        })
        .map(|(_, quote)| Evidence {
            text: quote.text.clone(),
            line: quote.line,
            rule: None,
        });
    first.into_iter().chain(others).collect()
}

/// The words shown as the diagnostic: of the refusing server, else of the reporting one, else
/// those that decided.
fn diagnostic(quotes: Vec<Quote>, judgement: &Judgement) -> Option<String> {
    let deciding = judgement.decided_by.map(|by| by.text);
    let best = quotes
        .iter()
        .enumerate()
        .min_by_key(|&(index, quote)| (quote.voice, Some(index) != deciding, index))
        .map(|(index, _)| index)?;
    quotes.into_iter().nth(best).map(|quote| quote.text)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::explain;

    /// A digest of so many ordinary mails, then of so many notices.
    fn digest(ordinary: usize, notices: usize) -> String {
        let mut mail = String::from(
            "From: a@example.org\r\nSubject: digest\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/digest; boundary=x\r\n\r\n",
        );
        for n in 0..ordinary {
            let _ = write!(
                mail,
                "--x\r\n\r\nFrom: b@example.net\r\nSubject: {n}\r\n\r\nAll is well.\r\n"
            );
        }
        for n in 0..notices {
            let _ = write!(
                mail,
                "--x\r\n\r\nFrom: MAILER-DAEMON@mail.example.org\r\n\
                 Subject: Undelivered Mail Returned to Sender\r\n\r\n<bob{n}@example.net>: host \
                 mx.example.net[192.0.2.25] said:\r\n    552 5.2.2 Mailbox full (in reply to RCPT \
                 TO command)\r\n\r\n"
            );
        }
        mail + "--x--\r\n"
    }

    #[test]
    fn a_digest_of_five_hundred_notices_holds_five_hundred() {
        assert_eq!(explain(digest(0, 500).as_bytes()).len(), 500);
    }

    #[test]
    fn two_thousand_ordinary_parts_hide_no_notice() {
        let found = explain(digest(1_900, 1).as_bytes());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].recipients.len(), 1, "{:?}", found[0].instead);
    }

    #[test]
    fn parts_that_were_not_looked_at_are_told_of() {
        let mut mail = String::from(
            "From: a@example.org\nMIME-Version: 1.0\nContent-Type: multipart/digest; boundary=x\n\n",
        );
        mail.push_str(&"--x\n\nTo: a\n\n".repeat(1900));
        mail.push_str("--x--\n");
        let found = explain(mail.as_bytes());
        let told = found[0].instead.as_deref().unwrap_or_default();
        assert!(told.contains("not every part was looked at"), "{told}");
    }

    /// The only recipient: address, cause, status, remote server.
    fn one(mail: &str) -> (Option<String>, &'static str, Option<String>, Option<String>) {
        let found = explain(mail.as_bytes());
        let one = found.first().and_then(|what| what.recipients.first());
        let one = one.expect("a recipient");
        (
            one.address.clone(),
            one.cause.id(),
            one.status.map(|status| status.to_string()),
            one.remote_mta.host.clone(),
        )
    }

    /// A report with this group of fields.
    fn report(group: &str) -> String {
        format!(
            "From: MAILER-DAEMON@mail.example.org\r\nMIME-Version: 1.0\r\nContent-Type: \
             message/delivery-status\r\n\r\nReporting-MTA: dns; mail.example.org\r\n\r\n{group}\r\n"
        )
    }

    #[test]
    fn a_semicolon_in_the_comment_of_a_status_ends_nothing() {
        let (_, cause, status, _) = one(&report(
            "Final-Recipient: rfc822; bob@example.net\r\nAction: failed\r\n\
             Status: 5.1.1 (no such user; 4.4.7 also)",
        ));
        assert_eq!((cause, status.as_deref()), ("user-unknown", Some("5.1.1")));
    }

    #[test]
    fn an_abbreviation_is_no_server() {
        let (.., host) = one(&report(
            "Final-Recipient: rfc822; bob@example.net\r\nAction: failed\r\nStatus: 5.7.1\r\n\
             Diagnostic-Code: smtp; rejected by e.g. the policy of the site",
        ));
        assert_eq!(host, None);
    }

    #[test]
    fn who_sent_the_mail_is_no_failed_recipient_with_a_colon_either() {
        for colon in ["", ":"] {
            let mail = format!(
                "From: MAILER-DAEMON@mail.example.org\r\nSubject: Undeliverable\r\n\r\nA message sent \
                 by{colon}\r\n\r\n  ann@s.example\r\n\r\ncould not be delivered to:\r\n\r\n  \
                 bob@example.net\r\n    550 5.1.1 no such user\r\n"
            );
            let found = explain(mail.as_bytes());
            let all: Vec<_> = found[0]
                .recipients
                .iter()
                .filter_map(|one| one.address.as_deref())
                .collect();
            assert_eq!(all, ["bob@example.net"], "{colon:?}");
        }
    }

    #[test]
    fn a_read_receipt_of_a_mailbox_named_denied_is_a_receipt() {
        let mail = "From: denied@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; \
            report-type=disposition-notification; boundary=x\r\n\r\n--x\r\n\r\nYour mail about \
            \"could not be delivered\" was read.\r\n--x\r\nContent-Type: \
            message/disposition-notification\r\n\r\nFinal-Recipient: rfc822; denied@b.example\r\n\
            Disposition: manual-action/MDN-sent-manually; displayed\r\n\r\n--x--\r\n";
        let what = &explain(mail.as_bytes())[0];
        assert!(what.recipients.is_empty(), "{what:?}");
    }
}
