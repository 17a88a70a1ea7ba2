//! The parts of a layer for people, read and summed up.

use std::borrow::Cow;

use chrono::{DateTime, FixedOffset};

use crate::bounce::explanation::Original;
use crate::message::dates;
use crate::message::layer::{Block, BlockKind, Layer};

use super::draft::{self, Draft, Words};
use super::found::Known;
use super::marks::{self, Marks, Votes};
use super::page::{lines, part, starts};
use super::passage::is_service;
use super::patience::{self, Patience};
use super::{Voice, address, cut, merge, original, remote, report, settle, walk};

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
    /// When the original arrived, as the text tells it.
    pub(super) arrival: Option<DateTime<FixedOffset>>,
    /// For how long the server tries.
    pub(super) patience: Option<Patience>,
    /// The header of the returned message, when it stands in the text.
    pub(super) original: Option<Original>,
    /// A delivery report that stands in the text.
    pub(super) report: Option<Machine>,
}

/// What the machine part states, or a delivery report in the midst of text.
#[derive(Default)]
pub(super) struct Machine {
    pub(super) drafts: Vec<Draft>,
    pub(super) reporting_mta: Option<String>,
    pub(super) arrival: Option<DateTime<FixedOffset>>,
}

/// Reads the parts for people. HTML only when there is no plain text that names a recipient.
pub(super) fn read(layer: &Layer<'_>, known: &Known, votes: &mut Votes) -> Prose {
    let mut all = Prose::default();
    let apart = layer
        .blocks
        .iter()
        .any(|b| matches!(b.kind, BlockKind::Message | BlockKind::MessageHead));
    let human = |kind: BlockKind| {
        layer
            .blocks
            .iter()
            .take_while(|b| !matches!(b.kind, BlockKind::Message | BlockKind::MessageHead))
            .filter(move |b| b.kind == kind)
            .take(MAX_TEXTS)
    };
    for block in human(BlockKind::Plain) {
        text(block, apart, known, votes, &mut all);
    }
    if all.drafts.is_empty() {
        for block in human(BlockKind::Html) {
            text(block, apart, known, votes, &mut all);
        }
    }
    all
}

fn text(block: &Block<'_>, apart: bool, known: &Known, votes: &mut Votes, all: &mut Prose) {
    let text = block.text();
    let marks = Marks::scan(text);
    let mut end = cut::original_start(text, &marks, apart);
    marks.vote(end.saturating_add(200), votes);
    let returned = end;
    if let Some(part) = with_report(text, &marks, returned, known) {
        let read = report::read(part);
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
    all.arrival = all.arrival.or_else(|| arrival(text, &marks, end));
    all.patience = all.patience.or_else(|| patience::read(text, &marks, end));
    if end < text.len() && all.original.is_none() {
        // A report in the midst of the text ends it, and the message comes behind the report.
        all.original = [returned, end]
            .into_iter()
            .filter_map(|start| original::head_in(text, start))
            .map(|head| original::read(&head))
            .find(original::is_one);
    }
    let mut known = Cow::Borrowed(known);
    if let Some(from) = all.original.as_ref().and_then(|o| o.from.clone()) {
        known.to_mut().owners.push(from);
    }
    let (mut drafts, paragraphs) = settle::settle(walk::walk(text, end, &marks, &known), &known);
    draft::place(&mut drafts, block);
    // Paragraphs are quoted only where nothing better is said.
    if drafts.is_empty() || !drafts.iter().all(Draft::has_remote) {
        all.paragraphs
            .extend(paragraphs.into_iter().map(|(from, to)| {
                let mut words = Words::new(part(text, from, to), from, Voice::Prose);
                words.line = block.line_at(from);
                words
            }));
    }
    all.shaped |= drafts.iter().any(|d| {
        d.address.is_some()
            && d.words
                .iter()
                .any(|w| w.voice == Voice::Remote || says_failure(w))
    });
    let before = std::mem::take(&mut all.drafts);
    all.drafts = if before.is_empty() {
        drafts
    } else {
        merge::merge(before, drafts)
    };
}

fn says_failure(words: &Words) -> bool {
    words.roles() & (marks::FAIL | marks::FINAL | marks::EXPIRED) != 0
}

/// The text, as far as it is the notice's own, when there is a delivery report in it. A returned
/// message may quote somebody's report, which is only looked at when what stands in front of it
/// tells of nobody.
fn with_report<'t>(
    text: &'t str,
    marks: &Marks,
    returned: usize,
    known: &Known,
) -> Option<&'t str> {
    if !report::stands_in(text) {
        return None;
    }
    let front = part(text, 0, returned);
    if report::stands_in(front) {
        return Some(front);
    }
    let speaks = marks::FAIL | marks::FINAL | marks::DELAY | marks::EXPIRED;
    let told = marks.roles(0, returned) & speaks != 0
        && address::all(front).any(|found| !known.owns(found.text) && !is_service(found.text));
    (!told).then_some(text)
}

/// Where a report in the midst of text begins.
fn report_start(text: &str) -> usize {
    lines(text, 0, text.len())
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
            remote::host(word)
        })
}

/// "The original message was received at Tue, 13 Jan 2004 14:12:29 -0700"
fn arrival(text: &str, marks: &Marks, end: usize) -> Option<DateTime<FixedOffset>> {
    let hits = marks.within(0, end).iter();
    hits.filter(|h| h.roles & marks::ARRIVED != 0)
        .find_map(|hit| dates::read(text.get(hit.end..)?.trim_start_matches([':', ' '])))
}
