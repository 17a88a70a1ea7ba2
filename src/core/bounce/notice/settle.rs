//! From what a walk found to one draft for each recipient: which reply, which reason and which
//! paragraph is about whom.

use crate::bounce::explanation::Remote;
use crate::message::status::EnhancedCode;

use super::Voice;
use super::draft::{Draft, MAX_RECIPIENTS, Words};
use super::found::{Entry, Known, Reading, Strength};
use super::page::contains;
use super::passage::is_service;
use super::remote;
use super::transcript::Exchange;

/// Words about a notice as a whole are given to no more recipients than this.
const MAX_SHARED: usize = 50;

/// The drafts of a text, and the paragraphs that are about nobody in particular.
pub(super) fn settle(mut reading: Reading<'_>, known: &Known) -> (Vec<Draft>, Vec<(usize, usize)>) {
    let mut drafts = recipients(&mut reading, known);
    let mut open = Vec::new();
    for exchange in reading.dialogue.exchanges {
        match owner(&exchange, &drafts) {
            Some(i) => give(&mut drafts, i, &exchange),
            None => open.push(exchange),
        }
    }
    if drafts.is_empty() && !(open.is_empty() && reading.loose.is_empty()) {
        drafts.push(Draft::default());
    }
    for exchange in open {
        share(&mut drafts, |draft| {
            if repeats(&exchange, draft) {
                number(&exchange, draft);
                return;
            }
            let words = Words::new(&exchange.words, exchange.at, voice_of(&exchange));
            take(
                draft,
                exchange.command.filter(|_| exchange.remote),
                exchange.host,
                words,
            );
        });
    }
    for words in reading.loose {
        let named: Vec<usize> = (0..drafts.len().min(MAX_SHARED))
            .filter(|&i| drafts.get(i).is_some_and(|d| names(&words.text, d)))
            .collect();
        if named.is_empty() {
            share(&mut drafts, |draft| take(draft, None, None, words.clone()));
        }
        for i in named {
            if let Some(draft) = drafts.get_mut(i) {
                take(draft, None, None, words.clone());
            }
        }
    }
    // A language that no phrase is known of: its first sentences are better than nothing.
    if reading.prose.is_empty() && drafts.iter().all(|d| d.words.is_empty()) {
        reading.prose.extend(reading.opening);
    }
    (drafts, reading.prose)
}

/// One draft for each recipient: those that the text lists; if it lists none, those of the
/// dialogue; then those of sentences.
fn recipients(reading: &mut Reading<'_>, known: &Known) -> Vec<Draft> {
    let entries = std::mem::take(&mut reading.entries);
    let best = entries.iter().map(|e| e.strength).max();
    let mut drafts: Vec<Draft> = Vec::new();
    let listed = |e: &Entry<'_>| e.strength == Strength::Listed;
    let better = |e: &Entry<'_>| listed(e) && !known.owns(e.address) && !is_service(e.address);
    let some_better = entries.iter().any(better);
    if best == Some(Strength::Listed) {
        let mut index = vec![None; entries.len()];
        for (i, entry) in entries.into_iter().enumerate() {
            if listed(&entry) && (!some_better || better(&entry)) {
                let draft = add(&mut drafts, entry, known);
                if let Some(slot) = index.get_mut(i) {
                    *slot = Some(draft);
                }
            }
        }
        for exchange in &mut reading.dialogue.exchanges {
            exchange.entry = exchange.entry.and_then(|e| index.get(e).copied().flatten());
        }
        return drafts;
    }
    let dialogue = &reading.dialogue;
    let mut named: Vec<&str> = dialogue
        .exchanges
        .iter()
        .filter_map(|e| e.address)
        .collect();
    if named.is_empty() && !dialogue.exchanges.is_empty() {
        named.clone_from(&dialogue.named);
    }
    for address in named {
        if !known.owns(address)
            && !drafts.iter().any(|d| d.is(address))
            && drafts.len() < MAX_RECIPIENTS
        {
            drafts.push(Draft {
                address: Some(address.to_owned()),
                ..Draft::default()
            });
        }
    }
    if drafts.is_empty() {
        // The header knows better than a sentence.
        drafts.extend(
            known
                .failed
                .iter()
                .take(MAX_RECIPIENTS)
                .map(|address| Draft {
                    address: Some(address.clone()),
                    ..Draft::default()
                }),
        );
    }
    if drafts.is_empty() {
        for entry in entries {
            let one_of_many = best == Some(Strength::Mentioned) && !drafts.is_empty();
            if Some(entry.strength) == best && !one_of_many {
                add(&mut drafts, entry, known);
            }
        }
    }
    drafts
}

/// Adds an entry to the draft of its address; gives the index.
fn add(drafts: &mut Vec<Draft>, entry: Entry<'_>, known: &Known) -> usize {
    let address = match known.local(entry.address) {
        Some(full) if !entry.address.contains('@') => full,
        _ => entry.address,
    };
    // A program stood in the place of the address.
    let (address, alias) = match entry.alias {
        Some(alias) if address.is_empty() => (alias, None),
        alias => (address, alias),
    };
    let new = Draft {
        address: Some(address.to_owned()).filter(|a| !a.is_empty()),
        alias: alias.map(str::to_owned),
        action: entry.action,
        words: entry.words,
        ..Draft::default()
    };
    match drafts.iter().position(|d| d.is(address)) {
        Some(i) => {
            if let Some(draft) = drafts.get_mut(i) {
                draft.merge(new);
            }
            i
        }
        None => {
            drafts.push(new);
            drafts.len() - 1
        }
    }
}

/// The draft that a refusal is about.
fn owner(exchange: &Exchange<'_>, drafts: &[Draft]) -> Option<usize> {
    exchange.entry.filter(|&i| i < drafts.len()).or_else(|| {
        exchange
            .address
            .and_then(|a| drafts.iter().position(|d| d.is(a)))
    })
}

fn voice_of(exchange: &Exchange<'_>) -> Voice {
    if exchange.remote {
        Voice::Remote
    } else {
        Voice::Local
    }
}

/// Below the reply of the other server sendmail puts a summary of its own, which is often wrong:
/// "User unknown" after any 550, "Service unavailable" after any 554.
fn repeats(exchange: &Exchange<'_>, draft: &Draft) -> bool {
    !exchange.remote && draft.has_remote()
}

fn give(drafts: &mut [Draft], i: usize, exchange: &Exchange<'_>) {
    let words = Words::new(&exchange.words, exchange.at, voice_of(exchange));
    let Some(draft) = drafts.get_mut(i) else {
        return;
    };
    if repeats(exchange, draft) {
        number(exchange, draft);
    } else {
        take(
            draft,
            exchange.command.filter(|_| exchange.remote),
            exchange.host,
            words,
        );
    }
}

/// The number of that summary is what its Status field says, where there is none to be read.
fn number(exchange: &Exchange<'_>, draft: &mut Draft) {
    let words = exchange.words.as_bytes();
    if super::transcript::code(&exchange.words).is_some() {
        let found = words.get(4..).and_then(EnhancedCode::parse_prefix);
        draft.status = draft.status.or(found.map(|(code, _)| code));
    }
}

/// Gives words to all recipients about whom the other server has not spoken yet.
fn share(drafts: &mut [Draft], mut give: impl FnMut(&mut Draft)) {
    let alone = drafts.len() == 1;
    for draft in drafts.iter_mut().take(MAX_SHARED) {
        if alone || !draft.has_remote() {
            give(draft);
        }
    }
}

fn take(
    draft: &mut Draft,
    command: Option<crate::bounce::explanation::Command>,
    host: Option<&str>,
    words: Words,
) {
    if words.voice == Voice::Remote && !draft.has_remote() {
        draft.command = draft.command.or(command);
        if draft.remote == Remote::default()
            && let Some(host) = host
        {
            draft.remote = remote::field(host);
        }
    }
    draft.words.push(words);
}

/// True when the words name an address of the draft.
fn names(words: &str, draft: &Draft) -> bool {
    [&draft.address, &draft.alias]
        .into_iter()
        .flatten()
        .any(|a| a.contains('@') && contains(words, &a.to_ascii_lowercase()))
}
