//! The literals that every match of a pattern must contain, derived from the pattern itself.

use std::collections::BTreeSet;

use regex_syntax::hir::{Hir, HirKind};

/// More groups would hardly save a match.
const GROUPS: usize = 3;
/// So many literals at most may be spelled out from classes and options.
const EXACT: usize = 16;
/// An anchor of this length tells enough.
const LONG: usize = 5;
/// So many anchors, each of at least so many bytes, may be in a group beside the best one.
const FURTHER: (usize, usize) = (24, 4);
/// A literal shorter than this is no anchor.
const ANCHOR: usize = 3;

/// The groups worth scanning for: the best one, and a few more that spare a match.
pub(crate) fn of(hir: &Hir) -> Vec<BTreeSet<Vec<u8>>> {
    let mut all = groups(hir);
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

/// How unselective a group is: many or short literals let many texts pass.
fn cost(group: &BTreeSet<Vec<u8>>) -> usize {
    let shortest = group.iter().map(Vec::len).min().unwrap_or(0);
    group.len() * 2 + 24usize.saturating_sub(shortest * 2)
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
