//! The verdict in one sentence.

use crate::bounce::explanation::{Explanation, Recipient, Report};
use crate::report::page::Page;
use crate::report::painter::{Glyph, Style};
use crate::send::hand_over::Handed;
use crate::send::{Outcome, Round, Status};
use crate::smtp::Reply;

use super::seconds;

pub(super) fn verdict(page: &mut Page, what: &Round) {
    let (style, glyph, text) = words(what);
    page.glyph(style, glyph).put(Style::Plain, " ");
    page.wrap(Style::Strong, 2, &text);
}

/// The sign, its colour, and the sentence.
pub(super) fn words(what: &Round) -> (Style, Glyph, String) {
    let good = |text| (Style::Good, Glyph::Check, text);
    let bad = |text| (Style::Bad, Glyph::Cross, text);
    let open = |text| (Style::Passing, Glyph::Question, text);
    let after = what.arrival.after.map(seconds).unwrap_or_default();
    match what.arrival.status {
        Status::Arrived if what.arrival.junk => (
            Style::Passing,
            Glyph::Bang,
            format!(
                "It arrived after {after}, in the folder for junk ({}).",
                what.arrival.place.as_deref().unwrap_or("junk")
            ),
        ),
        Status::Arrived => {
            let refused = what.outcome == Outcome::Partly;
            let failed = what.arrival.notices.iter();
            let failed = failed
                .filter(|(_, one)| one.report == Report::Failed)
                .count();
            match (refused, failed) {
                (false, 0) => good(format!("It arrived after {after}.")),
                (true, 0) => (
                    Style::Passing,
                    Glyph::Bang,
                    format!("It arrived after {after}, but not every recipient was taken."),
                ),
                _ => (
                    Style::Passing,
                    Glyph::Bang,
                    format!("It arrived after {after}, and a bounce came back, too."),
                ),
            }
        }
        Status::Bounced => {
            let cause = what.arrival.bounce().map(cause).unwrap_or_default();
            bad(format!(
                "The bounce came back after {after}, and this is what it says{cause}:"
            ))
        }
        Status::Pending if !what.arrival.notices.is_empty() => {
            match what.arrival.bounce().map(|one| one.report) {
                Some(Report::Delayed) => (
                    Style::Passing,
                    Glyph::Bang,
                    format!("A warning came back after {after}, and this is what it says:"),
                ),
                _ => good(format!("A report came back after {after}:")),
            }
        }
        Status::Pending => open(format!(
            "It was accepted, and nothing has arrived within {}.",
            seconds(what.took)
        )),
        Status::NotWaited => handed(what),
    }
}

fn cause(what: &Explanation) -> String {
    let first = what.recipients.first();
    first.map_or_else(String::new, |one| format!(" ({})", one.cause.id()))
}

/// The verdict about handing it over.
fn handed(what: &Round) -> (Style, Glyph, String) {
    let good = |text| (Style::Good, Glyph::Check, text);
    let bad = |text| (Style::Bad, Glyph::Cross, text);
    let half = |text| (Style::Passing, Glyph::Bang, text);
    let open = |text| (Style::Passing, Glyph::Question, text);
    let last = what.attempts.last();
    let host = last.map_or("the server", |handed| &handed.place.host);
    let step = last.and_then(|handed| handed.refusal.as_ref());
    let at = step.map(|(stage, _)| format!(" at {}", stage.id()));
    let at = at.unwrap_or_default();
    let all = what.recipients.len();
    let taken = what.recipients.iter();
    let taken = taken
        .filter(|one| one.reply_code.is_some_and(|code| code < 400))
        .count();
    match what.outcome {
        Outcome::Partly if what.is_uncertain() => open(format!(
            "{} taken the message for {taken} of {all} recipients; for whom else is not known.",
            takers(what)
        )),
        _ if what.is_uncertain() => open(format!(
            "It is not known whether {} has taken the message: {}",
            what.in_doubt().map_or(host, |handed| &handed.place.host),
            said(what)
        )),
        Outcome::Accepted => {
            let who = takers(what);
            let single = who != SEVERAL;
            let id = what.queue_id().filter(|_| single);
            let id = id.map(|id| format!(" (queue id {id})"));
            good(format!(
                "{who} taken the message{}. Whether it gets into the mailbox is not known: wait \
                 for it with --wait.",
                id.unwrap_or_default()
            ))
        }
        Outcome::Partly => half(format!(
            "{} taken the message for {taken} of {all} recipients.",
            takers(what)
        )),
        Outcome::Rejected if last.is_none() => {
            bad(format!("The message cannot be sent: {}", said(what)))
        }
        Outcome::Rejected => {
            let whom = if what.probe { "us" } else { "the message" };
            bad(format!("{host} refuses {whom}{at}: {}", said(what)))
        }
        Outcome::Deferred => half(format!(
            "{host} puts the message off{at}: {}. A mail server would try again later.",
            said(what).trim_end_matches('.')
        )),
        Outcome::Failed if what.probe => {
            bad(format!("The server could not be tried: {}", said(what)))
        }
        Outcome::Failed => bad(format!(
            "The message could not be handed over: {}",
            said(what)
        )),
        Outcome::NotSent if what.probe && last.is_some_and(went_well) => good(format!(
            "{host} would take mail from {}. Nothing was sent: give --to for that.",
            what.from
        )),
        Outcome::NotSent => bad(format!("Nothing was sent: {}", said(what))),
    }
}

/// When it was not one server alone.
const SEVERAL: &str = "The servers have";

/// Who has taken it: those who were asked in vain are not among them.
fn takers(what: &Round) -> String {
    let took = |handed: &&Handed| {
        let mut replies = handed.fates.iter().filter_map(|fate| fate.reply.as_ref());
        replies.any(Reply::is_positive)
    };
    let mut hosts = what.attempts.iter().filter(took).map(|h| &h.place.host);
    match (hosts.next(), hosts.next_back()) {
        (Some(one), None) => format!("{one} has"),
        (Some(one), Some(last)) if one == last => format!("{one} has"),
        _ => SEVERAL.to_string(),
    }
}

/// Whether nothing stood in the way of a probe.
fn went_well(handed: &Handed) -> bool {
    handed.refusal.is_none() && handed.failure.is_none() && handed.gave_up.is_none()
}

/// The words of whatever stood in the way.
fn said(what: &Round) -> String {
    let last = what.attempts.last();
    let refused = |one: &&Recipient| one.reply_code.is_none_or(|code| code >= 400);
    let one = what.recipients.iter().find(refused);
    let words = one.and_then(|one| one.diagnostic.clone());
    let refusal = || Some(last?.refusal.as_ref()?.1.to_string());
    let failure = || Some(last?.failure.as_ref()?.to_string());
    let gave_up = || last?.gave_up.clone();
    let said = words.or_else(refusal).or_else(failure).or_else(gave_up);
    said.unwrap_or_default()
}
