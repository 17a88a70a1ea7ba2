//! The literals that every match of a pattern must contain, derived from the pattern itself.

use std::collections::BTreeSet;

use regex_syntax::hir::{Hir, HirKind};

/// More groups would hardly save a match.
const GROUPS: usize = 5;
/// So many literals at most may be spelled out from classes and options.
const EXACT: usize = 16;
/// An anchor of this length tells enough.
const LONG: usize = 5;
/// So many anchors, each of at least so many bytes, may be in a group beside the best one.
const FURTHER: (usize, usize) = (48, 3);
/// A literal shorter than this is no anchor.
const ANCHOR: usize = 3;

/// The groups worth scanning for: the best one, and a few more that spare a match.
pub(crate) fn of(hir: &Hir) -> Vec<BTreeSet<Vec<u8>>> {
    let whole = groups(hir);
    let mut all: Vec<_> = whole.iter().flat_map(words).collect();
    if all.is_empty() {
        all = whole;
    }
    all.sort_by_key(cost);
    all.dedup();
    let further = |group: &BTreeSet<Vec<u8>>| {
        group.len() <= FURTHER.0 && group.iter().all(|l| l.len() >= FURTHER.1)
    };
    all.into_iter()
        .enumerate()
        .filter(|(rank, group)| *rank == 0 || further(group))
        .map(|(_, group)| group)
        .take(GROUPS)
        .collect()
}

/// The same group in single words: a literal of several words needs each of them, and words are
/// shared by many patterns, which keeps the table of the scan small. Nothing remains of a group
/// in which some literal has no word that is long enough.
fn words(group: &BTreeSet<Vec<u8>>) -> Vec<BTreeSet<Vec<u8>>> {
    let split = |literal: &[u8]| -> Vec<Vec<u8>> {
        let mut words: Vec<Vec<u8>> = Vec::new();
        let mut short: Vec<u8> = Vec::new();
        for word in literal.split(|b| *b == b' ') {
            // "no mx": two short words together are as telling as a long one.
            short.extend_from_slice(word);
            if short.len() >= ANCHOR {
                words.push(std::mem::take(&mut short));
            } else if !word.is_empty() {
                short.push(b' ');
            }
        }
        words
    };
    let mut literals = group.iter();
    if let (Some(only), None) = (literals.next(), literals.next()) {
        return split(only)
            .into_iter()
            .map(|word| BTreeSet::from([word]))
            .collect();
    }
    // A match has one of the literals whole, so it has the best word of one, the second of one …
    let ranked: Vec<Vec<Vec<u8>>> = group
        .iter()
        .map(|literal| {
            let mut words = split(literal);
            words.sort_by_key(|word| (is_common(word), std::cmp::Reverse(word.len())));
            words
        })
        .collect();
    let most = ranked.iter().map(Vec::len).max().unwrap_or(0);
    (0..GROUPS.min(most))
        .map_while(|rank| {
            ranked
                .iter()
                .map(|words| words.get(rank).or(words.last()).cloned())
                .collect()
        })
        .collect()
}

/// Words that stand in most refusals: poor anchors.
const COMMON: &[&str] = &[
    "access",
    "account",
    "accept",
    "address",
    "because",
    "block",
    "client",
    "connect",
    "connection",
    "deliver",
    "delivery",
    "den",
    "denied",
    "does",
    "domain",
    "error",
    "exist",
    "fail",
    "for",
    "found",
    "from",
    "has",
    "here",
    "host",
    "invalid",
    "limit",
    "list",
    "listed",
    "local",
    "mail",
    "mailbox",
    "message",
    "not",
    "permanent",
    "please",
    "policy",
    "recipient",
    "refus",
    "reject",
    "relay",
    "remote",
    "see",
    "send",
    "sender",
    "sent",
    "server",
    "service",
    "size",
    "spam",
    "that",
    "the",
    "this",
    "unknown",
    "user",
    "using",
    "was",
    "with",
    "your",
    "try",
    "again",
    "later",
];

fn is_common(word: &[u8]) -> bool {
    let stem = |ending: &[u8]| word.strip_suffix(ending).is_some_and(listed);
    listed(word) || stem(b"s") || stem(b"ed") || stem(b"ing")
}

fn listed(word: &[u8]) -> bool {
    COMMON.iter().any(|common| common.as_bytes() == word)
}

/// How unselective a group is: many, short or common literals let many texts pass.
fn cost(group: &BTreeSet<Vec<u8>>) -> usize {
    let shortest = group.iter().map(Vec::len).min().unwrap_or(0);
    let common = group.iter().filter(|word| is_common(word)).count();
    group.len() * 2 + 24usize.saturating_sub(shortest * 2) + common * 12
}

/// Sets of literals of which each must have a member in every match.
fn groups(hir: &Hir) -> Vec<BTreeSet<Vec<u8>>> {
    if let Some(all) = exact(hir).filter(|all| all.iter().all(|l| l.len() >= ANCHOR)) {
        return vec![all];
    }
    match hir.kind() {
        HirKind::Concat(parts) => {
            let mut found = Vec::new();
            let mut run: Option<BTreeSet<Vec<u8>>> = None;
            for part in parts {
                let next = exact(part);
                run = match (run, next) {
                    // What is long enough is not made longer: spelling out "unknown user", "unknown
                    // recipient" and so on would only make the table of the scan large.
                    (Some(before), Some(next)) if before.iter().any(|l| l.len() < LONG) => {
                        match product(&before, &next) {
                            Some(joined) => Some(joined),
                            None => {
                                found.push(before);
                                Some(next)
                            }
                        }
                    }
                    (Some(before), Some(next)) => {
                        found.push(before);
                        Some(next)
                    }
                    (before, None) => {
                        found.extend(before);
                        found.extend(groups(part));
                        None
                    }
                    (None, next) => next,
                };
            }
            found.extend(run);
            found.retain(|group| group.iter().all(|l| l.len() >= ANCHOR));
            // A part that was joined to short neighbours still counts by itself.
            if found.is_empty() {
                found = parts.iter().flat_map(groups).collect();
            }
            found
        }
        HirKind::Capture(capture) => groups(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => groups(&repetition.sub),
        HirKind::Alternation(branches) => {
            let mut union = BTreeSet::new();
            for branch in branches {
                match groups(branch).into_iter().min_by_key(cost) {
                    Some(group) => union.extend(group),
                    None => return Vec::new(),
                }
            }
            vec![union]
        }
        _ => Vec::new(),
    }
}

/// Everything that the expression can match, when that is a handful of literals.
fn exact(hir: &Hir) -> Option<BTreeSet<Vec<u8>>> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(BTreeSet::from([Vec::new()])),
        HirKind::Literal(literal) => Some(BTreeSet::from([literal.0.to_vec()])),
        HirKind::Class(class) => {
            let bytes = class.literal().map(|one| BTreeSet::from([one]));
            bytes.or_else(|| match class {
                regex_syntax::hir::Class::Bytes(class) => {
                    let count: usize = class
                        .iter()
                        .map(|r| usize::from(r.end() - r.start()) + 1)
                        .sum();
                    (count <= EXACT).then(|| {
                        class
                            .iter()
                            .flat_map(|r| (r.start()..=r.end()).map(|b| vec![b]))
                            .collect()
                    })
                }
                regex_syntax::hir::Class::Unicode(_) => None,
            })
        }
        HirKind::Capture(capture) => exact(&capture.sub),
        HirKind::Concat(parts) => parts
            .iter()
            .try_fold(BTreeSet::from([Vec::new()]), |all, part| {
                product(&all, &exact(part)?)
            }),
        HirKind::Alternation(branches) => {
            let mut union = BTreeSet::new();
            for branch in branches {
                union.extend(exact(branch)?);
            }
            (union.len() <= EXACT).then_some(union)
        }
        HirKind::Repetition(r) if r.min == 0 && r.max == Some(1) => {
            let mut all = exact(&r.sub)?;
            all.insert(Vec::new());
            (all.len() <= EXACT).then_some(all)
        }
        HirKind::Repetition(_) => None,
    }
}

fn product(a: &BTreeSet<Vec<u8>>, b: &BTreeSet<Vec<u8>>) -> Option<BTreeSet<Vec<u8>>> {
    if a.len() * b.len() > EXACT {
        return None;
    }
    Some(
        a.iter()
            .flat_map(|x| b.iter().map(move |y| [x.as_slice(), y].concat()))
            .collect(),
    )
}
