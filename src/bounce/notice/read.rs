//! The reader: machine part, prose and returned message of one layer put together.

use std::borrow::Cow;

use crate::bounce::explanation::{Action, Form, Original, Report};
use crate::message::addresses;
use crate::message::layer::{Block, BlockKind, Head, Layer, Wrap};

use super::draft::{self, Draft, Words};
use super::evidence::{self, Evidence};
use super::marks::{self, Marks, Votes};
use super::page::{contains, starts};
use super::walk::{self, Known};
use super::{Notice, Voice, complaint, original, report, settle, sns};

/// Texts of one layer that are read.
const MAX_TEXTS: usize = 3;

/// Words of a layer's text for people.
#[derive(Default)]
pub(super) struct Prose {
    pub(super) drafts: Vec<Draft>,
    pub(super) paragraphs: Vec<Words>,
    /// Roles of all phrases in front of the returned message.
    pub(super) roles: u32,
    /// A recipient stands with a reply or with words of failure.
    pub(super) shaped: bool,
    /// The phrases that ask for a confirmation.
    pub(super) challenges: usize,
    pub(super) author: Option<String>,
    /// The header of the returned message, when it stands in the text.
    pub(super) original: Option<Original>,
    /// A delivery report that stands in the text.
    pub(super) report: Option<Machine>,
}

/// What the machine part states, or a delivery report in the midst of text.
#[derive(Default)]
pub(super) struct Machine {
    drafts: Vec<Draft>,
    reporting_mta: Option<String>,
    arrival: Option<chrono::DateTime<chrono::FixedOffset>>,
}

/// Reads a layer; `None` when it is no notice, or when one inside of it is the real one: a text
/// that somebody wrote around a notice, the envelope that a gateway puts around one.
pub fn read(layer: &Layer<'_>) -> Option<Notice> {
    accept(layer)
        .filter(|found| !found.wrapper || !holds_one(layer, 0))
        .map(|found| found.notice)
}

/// What speaks like a notice.
struct Accepted {
    notice: Notice,
    /// A person's words, a text without header, or a notice that names nobody.
    wrapper: bool,
}

/// How many levels below a layer are asked whether they hold the notice.
const MAX_ASKED: usize = 3;

/// True when a layer inside of this one is a notice of its own.
fn holds_one(layer: &Layer<'_>, depth: usize) -> bool {
    let whole = |layer: &Layer<'_>| -> usize {
        let text = |b: &Block<'_>| matches!(b.kind, BlockKind::Plain | BlockKind::Html);
        layer
            .blocks
            .iter()
            .filter(|b| text(b))
            .map(|b| b.text().len())
            .max()
            .unwrap_or(0)
    };
    layer.inner().iter().any(|inner| {
        // A piece of a notice, such as its indented lines, is not the notice.
        let piece = inner.head.fields.is_empty()
            && inner.wraps.last() == Some(&Wrap::Pasted)
            && whole(inner) * 2 < whole(layer);
        !piece && (accept(inner).is_some() || depth < MAX_ASKED && holds_one(inner, depth + 1))
    })
}

fn accept(layer: &Layer<'_>) -> Option<Accepted> {
    let mut votes = Votes::default();
    let evidence = Evidence::of(layer, &mut votes);
    if let Some(notice) = complaint::machine(layer, &evidence) {
        return Some(Accepted {
            notice,
            wrapper: false,
        });
    }
    if let Some(notice) = sns::read(layer) {
        return Some(Accepted {
            notice,
            wrapper: false,
        });
    }
    let status = layer.block(BlockKind::DeliveryStatus);
    let report = status
        .map(|block| report::read(block.text()))
        .unwrap_or_default();
    let head = original::head(layer);
    let known = known(layer, head.as_ref());
    let mut prose = prose(layer, &known, &mut votes);
    marks::head(&layer.head, &mut votes);
    marks::fields(
        report.fields.iter().map(|(n, v)| (*n, v.as_ref())),
        &mut votes,
    );
    let mut machine = Machine {
        drafts: report.drafts,
        reporting_mta: report.reporting_mta,
        arrival: report.arrival,
    };
    match (status, prose.report.take()) {
        (Some(block), _) if !machine.drafts.is_empty() => draft::place(&mut machine.drafts, block),
        (_, Some(inline)) => machine = inline,
        _ => {}
    }
    let mdn = layer.block(BlockKind::DispositionNotification);
    if mdn.is_some_and(|block| !rejected(block.text(), &prose)) {
        return None;
    }
    let mut form = Form::Dsn;
    if machine.drafts.is_empty() {
        form = Form::Transcript;
        let other = complaint::plain(layer, &evidence, &prose);
        if let Some(notice) = other {
            return Some(Accepted {
                notice,
                wrapper: evidence.is_person(),
            });
        }
        // Nobody hands on a notice to the very address that it calls dead.
        let to_itself = |d: &Draft| d.address.as_ref().is_some_and(|a| known.owns(a));
        if evidence.is_person() && !prose.drafts.is_empty() && prose.drafts.iter().all(to_itself) {
            return None;
        }
        let asked = layer.report_type.as_deref() == Some("delivery-status") || mdn.is_some();
        if !asked && !evidence::is_notice(&evidence, &prose, votes.weight()) {
            return None;
        }
    }
    let empty = machine.drafts.is_empty() && !prose.drafts.iter().any(|d| d.address.is_some());
    let wrapper = empty || evidence.is_person() || evidence.headless && !evidence.daemon;
    let mut original = head
        .as_ref()
        .map(original::read)
        .or_else(|| prose.original.take())
        .unwrap_or_default();
    let report = kind(&evidence, &prose, &machine.drafts);
    let mut drafts = merge(machine.drafts, std::mem::take(&mut prose.drafts));
    last_resort(&mut drafts, &known, &original);
    quote_prose(&mut drafts, &prose.paragraphs);
    let report = finish(report, &mut drafts, &prose, form);
    if original.to.is_empty() && original.message_id.is_none() && original.subject.is_none() {
        original = Original::default();
    }
    let notice = Notice {
        report,
        form,
        dialect: votes.winner(),
        reporting_mta: machine.reporting_mta.or(prose.author),
        arrival_date: machine.arrival,
        statements: drafts.into_iter().map(Draft::finish).collect(),
        original,
    };
    Some(Accepted { notice, wrapper })
}

/// Who gets and who writes the notice, and what the header says of the failed recipients.
fn known(layer: &Layer<'_>, original: Option<&Head<'_>>) -> Known {
    let mut known = Known::default();
    for name in ["To", "From", "Delivered-To", "X-Original-To"] {
        if let Some(body) = layer.head.raw(name) {
            known
                .owners
                .extend(addresses::each(body).take(4).map(|a| a.address.to_owned()));
        }
    }
    if let Some(original) = original
        && let Some(body) = original.raw("From")
    {
        known
            .owners
            .extend(addresses::clean(body).map(str::to_owned));
    }
    for field in layer.head.all("X-Failed-Recipients") {
        known.failed.extend(
            addresses::each(&field.value())
                .take(100)
                .map(|a| a.address.to_owned()),
        );
    }
    known
}

/// Reads the parts for people. HTML only when there is no plain text that names a recipient.
fn prose(layer: &Layer<'_>, known: &Known, votes: &mut Votes) -> Prose {
    let mut all = Prose::default();
    let human = |kind: BlockKind| {
        layer
            .blocks
            .iter()
            .take_while(|b| !matches!(b.kind, BlockKind::Message | BlockKind::MessageHead))
            .filter(move |b| b.kind == kind)
            .take(MAX_TEXTS)
    };
    for block in human(BlockKind::Plain) {
        text(block, known, votes, &mut all);
    }
    if all.drafts.is_empty() {
        for block in human(BlockKind::Html) {
            text(block, known, votes, &mut all);
        }
    }
    all
}

fn text(block: &Block<'_>, known: &Known, votes: &mut Votes, all: &mut Prose) {
    let text = block.text();
    let marks = Marks::scan(text);
    let mut end = marks::original_start(text, &marks);
    marks.vote(end.saturating_add(200), votes);
    if report::stands_in(text) {
        let read = report::read(text);
        let mut drafts = read.drafts;
        draft::place(&mut drafts, block);
        all.report.get_or_insert(Machine {
            drafts,
            reporting_mta: read.reporting_mta,
            arrival: read.arrival,
        });
        end = end.min(report_start(text));
    }
    all.roles |= marks.roles(0, end);
    all.challenges += marks
        .within(0, end)
        .iter()
        .filter(|h| h.roles & marks::CHALLENGE != 0)
        .count();
    all.author = all.author.take().or_else(|| author(text, &marks, end));
    if end < text.len() && all.original.is_none() {
        all.original = original::head_in(text, end).map(|h| original::read(&h));
    }
    let mut known = Cow::Borrowed(known);
    if let Some(from) = all.original.as_ref().and_then(|o| o.from.clone()) {
        known.to_mut().owners.push(from);
    }
    let (mut drafts, mut paragraphs) =
        settle::settle(walk::walk(text, end, &marks, &known), &known);
    draft::place(&mut drafts, block);
    for words in &mut paragraphs {
        words.line = block.line_at(words.at);
    }
    all.shaped |= drafts.iter().any(|d| {
        d.address.is_some()
            && d.words
                .iter()
                .any(|w| w.voice == Voice::Remote || says_failure(w))
    });
    all.paragraphs.extend(paragraphs);
    let before = std::mem::take(&mut all.drafts);
    all.drafts = if before.is_empty() {
        drafts
    } else {
        merge(before, drafts)
    };
}

fn says_failure(words: &Words) -> bool {
    words.roles() & (marks::FAIL | marks::FINAL | marks::EXPIRED) != 0
}

/// Where a report in the midst of text begins.
fn report_start(text: &str) -> usize {
    super::page::lines(text, 0, text.len())
        .find(|l| {
            starts(l.body, "reporting-mta")
                || starts(l.body, "final-recipient")
                || starts(l.body, "original-recipient")
        })
        .map_or(text.len(), |l| l.at)
}

/// The server that the text names as its writer.
fn author(text: &str, marks: &Marks, end: usize) -> Option<String> {
    marks
        .within(0, end)
        .iter()
        .filter(|h| h.roles & marks::AUTHOR != 0)
        .find_map(|hit| {
            let rest = text
                .get(hit.end..)?
                .trim_start_matches([' ', '\t', ':', '：', '.']);
            let word = rest
                .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '<' | '('))
                .next()?;
            super::remote::host(word)
        })
}

/// An MDN reports a failure only when the mail was deleted or refused unread: Dovecot and Cyrus
/// use it to refuse mail.
fn rejected(mdn: &str, prose: &Prose) -> bool {
    let refused = contains(mdn, "failed")
        || contains(mdn, "rejected")
        || contains(mdn, "deleted")
        || contains(mdn, "denied");
    refused && prose.roles & marks::FINAL != 0
}

/// Failed or delayed or good news: the actions of the machine part, else the words.
fn kind(evidence: &Evidence, prose: &Prose, machine: &[Draft]) -> Report {
    let has = |action: Action| machine.iter().any(|d| d.action == Some(action));
    if has(Action::Failed) {
        return Report::Failed;
    }
    for (action, report) in [
        (Action::Delayed, Report::Delayed),
        (Action::Delivered, Report::Delivered),
        (Action::Relayed, Report::Relayed),
        (Action::Expanded, Report::Expanded),
    ] {
        if has(action) {
            return report;
        }
    }
    let body = |role: u32| prose.roles & role != 0;
    let subject = |role: u32| evidence.subject & role != 0;
    let final_subject = subject(marks::S_FAILED) && !subject(marks::S_DELAYED);
    if body(marks::EXPIRED) && body(marks::FINAL) && !subject(marks::S_DELAYED) {
        return Report::Failed;
    }
    if body(marks::DELAY) && !(body(marks::FINAL) && final_subject)
        || subject(marks::S_DELAYED) && !body(marks::FINAL)
    {
        return Report::Delayed;
    }
    if !body(marks::FINAL) {
        if body(marks::RELAYED) {
            return Report::Relayed;
        }
        if body(marks::EXPANDED) {
            return Report::Expanded;
        }
        if body(marks::DELIVERED) || subject(marks::S_DELIVERED) && !subject(marks::S_FAILED) {
            return Report::Delivered;
        }
    }
    Report::Failed
}

/// Machine part and prose, recipient by recipient: by address, by alias, then by position when the
/// counts agree. What only the prose names is left out when there is a machine part.
fn merge(mut machine: Vec<Draft>, prose: Vec<Draft>) -> Vec<Draft> {
    if machine.is_empty() {
        return prose;
    }
    let mut left = Vec::new();
    let mut matched = vec![false; machine.len()];
    for draft in prose {
        let names = [draft.address.as_deref(), draft.alias.as_deref()];
        match machine
            .iter()
            .position(|m| names.iter().flatten().any(|n| m.is(n)))
        {
            Some(i) => {
                if let (Some(m), Some(done)) = (machine.get_mut(i), matched.get_mut(i)) {
                    m.merge(draft);
                    *done = true;
                }
            }
            None => left.push(draft),
        }
    }
    let open: Vec<usize> = matched
        .iter()
        .enumerate()
        .filter(|(_, done)| !**done)
        .map(|(i, _)| i)
        .collect();
    if open.len() == left.len() {
        for (i, draft) in open.into_iter().zip(left) {
            if let Some(m) = machine.get_mut(i) {
                let address = m.address.clone();
                m.merge(draft);
                m.address = address.or_else(|| m.alias.take());
            }
        }
    }
    machine
}

/// No recipient was found: those of X-Failed-Recipients, then the one to whom the original went.
fn last_resort(drafts: &mut Vec<Draft>, known: &Known, original: &Original) {
    let named = drafts.iter().any(|d| d.address.is_some());
    if named {
        return;
    }
    let shared = drafts.pop().unwrap_or_default();
    let only = match original.to.as_slice() {
        [only] if known.failed.is_empty() => std::slice::from_ref(only),
        _ => known.failed.as_slice(),
    };
    for address in only {
        drafts.push(Draft {
            address: Some(address.clone()),
            ..shared.clone()
        });
    }
    if drafts.is_empty() {
        drafts.push(shared);
    }
}

/// Where nothing better is said, the paragraphs about the failure are quoted.
fn quote_prose(drafts: &mut [Draft], paragraphs: &[Words]) {
    /// Recipients that are given any.
    const MAX_DRAFTS: usize = 50;
    for draft in drafts.iter_mut().take(MAX_DRAFTS) {
        if !draft.has_remote() {
            draft
                .words
                .extend(paragraphs.iter().take(walk::MAX_PROSE).cloned());
        }
    }
}

/// The last word on each recipient's action and on whether time ran out.
fn finish(report: Report, drafts: &mut [Draft], prose: &Prose, form: Form) -> Report {
    let default = match report {
        Report::Delayed => Action::Delayed,
        Report::Delivered => Action::Delivered,
        Report::Relayed => Action::Relayed,
        Report::Expanded => Action::Expanded,
        _ => Action::Failed,
    };
    let mut any_failed = false;
    for draft in drafts.iter_mut() {
        // The text for people says it as well: what is scanned already need not be scanned again.
        let said = draft.words.iter().filter(|w| w.voice != Voice::Prose);
        let scanned = said.clone().any(|w| w.roles.is_some());
        let own = said
            .filter(|w| !scanned || w.roles.is_some())
            .fold(0, |all, w| all | w.roles());
        let action = draft.action.get_or_insert(default);
        // OpenSMTPD calls its last word "delayed": the envelope is gone all the same.
        if *action == Action::Delayed && own & marks::EXPIRED != 0 {
            *action = Action::Failed;
        }
        if *action == Action::Failed {
            any_failed = true;
            let transient = draft.status.is_some_and(|s| s.class == 4);
            let told = own & marks::EXPIRED != 0
                || (form == Form::Transcript && prose.roles & marks::EXPIRED != 0);
            draft.expired |= told || transient;
        }
    }
    if any_failed { Report::Failed } else { report }
}
