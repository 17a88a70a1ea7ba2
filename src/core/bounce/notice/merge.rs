//! One statement out of several sources: the machine part, the text for people, and where both are
//! silent the header and the returned message.

use chrono::{DateTime, FixedOffset};

use crate::bounce::explanation::{Action, Form, Original, Report};

use super::Voice;
use super::draft::{Draft, Words};
use super::evidence::Evidence;
use super::found::{Known, MAX_PROSE};
use super::marks;
use super::prose::Prose;

/// Failed or delayed or good news: the actions of the machine part, else the words.
pub(super) fn kind(evidence: &Evidence, prose: &Prose, machine: &[Draft]) -> Report {
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
pub(super) fn merge(mut machine: Vec<Draft>, prose: Vec<Draft>) -> Vec<Draft> {
    if machine.is_empty() {
        return prose;
    }
    let mut left = Vec::new();
    let mut matched = vec![false; machine.len()];
    for draft in prose {
        let names = [draft.address.as_deref(), draft.alias.as_deref()];
        // Many may come from one alias: who has the address itself goes before.
        let same = |m: &Draft| match (&m.address, &draft.address) {
            (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
            _ => false,
        };
        let found = machine.iter().position(same).or_else(|| {
            machine
                .iter()
                .position(|m| names.iter().flatten().any(|n| m.is(n)))
        });
        match found {
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
pub(super) fn last_resort(drafts: &mut Vec<Draft>, known: &Known, original: &Original) {
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
pub(super) fn quote_prose(drafts: &mut [Draft], paragraphs: &[Words]) {
    /// Recipients that are given any.
    const MAX_DRAFTS: usize = 50;
    for draft in drafts.iter_mut().take(MAX_DRAFTS) {
        if !draft.has_remote() {
            draft
                .words
                .extend(paragraphs.iter().take(MAX_PROSE).cloned());
        }
    }
}

/// The last word on each recipient's action and on whether time ran out.
pub(super) fn finish(report: Report, drafts: &mut [Draft], prose: &Prose, form: Form) -> Report {
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

/// A server that tells for how long it tries tells until when.
pub(super) fn retry_until(drafts: &mut [Draft], until: Option<DateTime<FixedOffset>>) {
    for draft in drafts
        .iter_mut()
        .filter(|d| d.action == Some(Action::Delayed))
    {
        draft.retry_until = draft.retry_until.or(until);
    }
}
