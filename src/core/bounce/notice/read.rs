//! The reader: machine part, prose and returned message of one layer put together.

use crate::bounce::explanation::{Form, Original};
use crate::message::dates;
use crate::message::fields;
use crate::message::layer::{Block, BlockKind, Head, Layer, Wrap};

use super::draft::{self, Draft};
use super::events;
use super::evidence::{self, Evidence};
use super::found::Known;
use super::marks::{self, Votes};
use super::page::contains;
use super::prose::{Machine, Prose};
use super::{Notice, complaint, merge, original, pasted, prose, report, sns};

/// Reads a layer; `None` when it is no notice, or when one inside of it is the real one: a text
/// that somebody wrote around a notice, the envelope that a gateway puts around one.
///
/// `talk`: the layer stands where people talk about mail ([`is_talk`]); of what is quoted or pasted
/// there only a whole notice counts.
pub fn read(layer: &Layer<'_>, talk: bool) -> Option<Notice> {
    accept(layer, talk)
        .filter(|found| !found.wrapper || !holds_one(layer, found, talk, 0))
        .map(|found| found.notice)
}

/// True for a mail in which people talk: what stands quoted in it is what it is about, and
/// nothing that came back to somebody.
pub fn is_talk(layer: &Layer<'_>) -> bool {
    Evidence::of(layer, &mut Votes::default()).is_talk()
}

/// True for a mail in which a program counts what happened to many mails.
pub fn is_statistics(layer: &Layer<'_>) -> bool {
    let text = |b: &&Block<'_>| matches!(b.kind, BlockKind::Plain | BlockKind::Html);
    let counts = |b: &Block<'_>| marks::roles_of(b.text()) & marks::STATISTICS != 0;
    layer.blocks.iter().filter(text).any(counts)
}

/// What speaks like a notice.
struct Accepted {
    notice: Notice,
    /// A person's words, a text without header, or a notice that names nobody.
    wrapper: bool,
}

impl Accepted {
    fn names_somebody(&self) -> bool {
        self.named().next().is_some()
    }

    /// The recipients.
    fn named(&self) -> impl Iterator<Item = &str> {
        let all = self.notice.statements.iter();
        all.filter_map(|s| s.address.as_deref())
    }

    /// True when a piece of this has lost none of its recipients, or none of several when the text
    /// around the notice may have added some.
    fn is_whole_in(&self, piece: &Self, alone: bool) -> bool {
        let keeps = |address: &str| piece.named().any(|own| own.eq_ignore_ascii_case(address));
        match alone {
            true => self.named().all(keeps),
            false => !self.names_somebody() || piece.names_somebody(),
        }
    }
}

/// How many levels below a layer are asked whether they hold the notice.
const MAX_ASKED: usize = 3;

/// True when a layer inside of this one is a notice of its own, and no piece of `outer` that has
/// lost recipients.
fn holds_one(layer: &Layer<'_>, outer: &Accepted, talk: bool, depth: usize) -> bool {
    // What somebody wrote around a quotation is left out of it.
    let alone = matches!(
        layer.wraps.last(),
        Some(Wrap::Quoted | Wrap::Inline | Wrap::Pasted)
    );
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
        let piece = matches!(inner.wraps.last(), Some(Wrap::Pasted | Wrap::Quoted));
        let bare = inner.head.fields.is_empty() && piece;
        if bare && whole(inner) * 2 < whole(layer) {
            return false;
        }
        let own = |found: &Accepted| !bare || outer.is_whole_in(found, alone);
        accept(inner, talk).is_some_and(|found| own(&found))
            || depth < MAX_ASKED && holds_one(inner, outer, talk, depth + 1)
    })
}

fn accept(layer: &Layer<'_>, talk: bool) -> Option<Accepted> {
    let mut votes = Votes::default();
    let evidence = Evidence::of(layer, &mut votes);
    // What a machine wrote for machines needs no weighing.
    let sure = complaint::machine(layer, &evidence)
        .or_else(|| sns::read(layer))
        .or_else(|| events::read(layer));
    if let Some(notice) = sure {
        let wrapper = false;
        return Some(Accepted { notice, wrapper });
    }
    let mut parts = Parts::read(layer, evidence, votes)?;
    let weight = parts.votes.weight();
    let bare = matches!(layer.wraps.last(), Some(Wrap::Quoted | Wrap::Pasted));
    if talk && bare && !evidence::is_whole(&parts.prose, weight) {
        return None;
    }
    if !parts.machine.drafts.is_empty() {
        return Some(parts.accepted(layer, Form::Dsn, false));
    }
    let (evidence, prose) = (&parts.evidence, &parts.prose);
    if prose.roles & marks::STATISTICS != 0 {
        return None;
    }
    if let Some(notice) = complaint::plain(layer, evidence, prose) {
        let wrapper = evidence.is_person();
        return Some(Accepted { notice, wrapper });
    }
    // Nobody hands on a notice to the very address that it calls dead.
    let to_itself = |d: &Draft| d.address.as_ref().is_some_and(|a| parts.known.owns(a));
    if evidence.is_person() && !prose.drafts.is_empty() && prose.drafts.iter().all(to_itself) {
        return None;
    }
    let asked = layer.report_type.as_deref() == Some("delivery-status")
        || layer.block(BlockKind::DispositionNotification).is_some();
    if asked || evidence::is_notice(evidence, prose, weight) {
        let threat = !asked && is_empty_threat(layer, evidence, prose, weight);
        return (!threat).then(|| parts.accepted(layer, Form::Transcript, false));
    }
    // No notice, but somebody may tell of a failure in the words of servers.
    let person = evidence.is_person() || evidence.headless;
    if talk || !person || evidence.list {
        return None;
    }
    let drafts = pasted::read(layer, &parts.known);
    if drafts.is_empty() {
        return None;
    }
    parts.machine.drafts = drafts;
    (parts.prose.drafts, parts.prose.paragraphs) = Default::default();
    Some(parts.accepted(layer, Form::Transcript, true))
}

/// What the parts of a layer say, each read for itself.
struct Parts<'x> {
    evidence: Evidence,
    votes: Votes,
    head: Option<Head<'x>>,
    known: Known,
    prose: Prose,
    machine: Machine,
}

impl<'x> Parts<'x> {
    /// `None` for what tells that a mail was read, and nothing else.
    fn read(layer: &'x Layer<'_>, evidence: Evidence, mut votes: Votes) -> Option<Self> {
        let status = layer.block(BlockKind::DeliveryStatus);
        let report = status
            .map(|block| report::read(block.text()))
            .unwrap_or_default();
        let head = original::head(layer);
        let known = Known::of(layer, head.as_ref());
        let mut prose = prose::read(layer, &known, &mut votes);
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
            (Some(block), _) if !machine.drafts.is_empty() => {
                draft::place(&mut machine.drafts, block);
            }
            (_, Some(inline)) => machine = inline,
            _ => {}
        }
        let mdn = layer.block(BlockKind::DispositionNotification);
        if mdn.is_some_and(|block| !rejected(block.text(), &prose)) {
            return None;
        }
        Some(Self {
            evidence,
            votes,
            head,
            known,
            prose,
            machine,
        })
    }

    /// Puts them together; `told` says that a person tells of it.
    fn accepted(self, layer: &Layer<'_>, form: Form, told: bool) -> Accepted {
        let Self {
            evidence,
            votes,
            head,
            known,
            mut prose,
            machine,
        } = self;
        let empty = machine.drafts.is_empty() && !prose.drafts.iter().any(|d| d.address.is_some());
        let wrapper =
            empty || told || evidence.is_person() || evidence.headless && !evidence.daemon;
        let mut original = head
            .as_ref()
            .map(original::read)
            .filter(original::is_one)
            .or_else(|| prose.original.take())
            .unwrap_or_default();
        let report = merge::kind(&evidence, &prose, &machine.drafts);
        let mut drafts = merge::merge(machine.drafts, std::mem::take(&mut prose.drafts));
        merge::last_resort(&mut drafts, &known, &original);
        if let [only] = drafts.as_mut_slice()
            && only.address.is_none()
        {
            // The manager of a list refuses in the name of the list.
            let from = layer.head.get("From").unwrap_or_default();
            only.address = evidence::list_of_manager(&from);
        }
        merge::quote_prose(&mut drafts, &prose.paragraphs);
        let report = merge::finish(report, &mut drafts, &prose, form);
        if !original::is_one(&original) {
            original = Original::default();
        }
        let arrival = machine.arrival.or(prose.arrival);
        let until = prose.patience.and_then(|patience| {
            let written = layer.head.get("Date").and_then(|date| dates::read(&date));
            patience.until(arrival, written)
        });
        merge::retry_until(&mut drafts, until);
        let notice = Notice {
            report,
            form,
            dialect: votes.winner(),
            reporting_mta: machine.reporting_mta.or(prose.author),
            arrival_date: arrival,
            statements: drafts.into_iter().map(Draft::finish).collect(),
            original,
        };
        Accepted { notice, wrapper }
    }
}

/// "Your mails could not be delivered, click here": the header of a notice, but no recipient, no
/// returned message, and no sign of a program that writes notices.
fn is_empty_threat(layer: &Layer<'_>, evidence: &Evidence, prose: &Prose, dialect: u16) -> bool {
    let names = prose.drafts.iter().any(|d| d.address.is_some());
    let carries = prose.original.is_some()
        || [BlockKind::Message, BlockKind::MessageHead]
            .into_iter()
            .any(|kind| layer.block(kind).is_some());
    let made = evidence.null_sender || evidence.auto || evidence.failed_recipients;
    !(names || carries || made || prose.shaped || evidence.headless || dialect >= 4)
}

/// An MDN reports a failure only when the mail was deleted or refused unread: Dovecot and Cyrus
/// use it to refuse mail.
fn rejected(mdn: &str, prose: &Prose) -> bool {
    // The name of a mailbox (denied@…) is no disposition.
    let groups = fields::groups(mdn);
    let refused = groups
        .iter()
        .filter_map(|group| group.get("Disposition"))
        .any(|how| {
            ["failed", "rejected", "deleted", "denied"]
                .iter()
                .any(|word| contains(how, word))
        });
    refused && prose.roles & marks::FINAL != 0
}
