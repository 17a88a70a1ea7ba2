//! The literals that every match of a pattern must contain, derived from the pattern itself.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// More groups would hardly save a match.
const GROUPS: usize = 4;
/// So many literals at most may be spelled out from classes and options.
const EXACT: usize = 48;
/// So many anchors, each of at least so many bytes, may be in a group beside the best one.
const FURTHER: (usize, usize) = (48, 3);
/// A group beside the best one that stands in more than so many of a thousand texts spares little.
const TELLING: u32 = 100;
/// More texts than this are no quicker to compare than an expression is to try.
const SPELLED: usize = 16;
/// Marks in front of and behind a spelled-out text: there a word begins or ends.
const BEFORE: &str = "\u{6}";
const BEHIND: &str = "\u{7}";
/// In so many ways at most may a match begin.
const BEGINS: usize = 2_000;
/// A larger group costs as much to look at as a match.
const SPARE: usize = 96;
/// A literal of so many bytes does without the blanks around it.
const TRIMMED: usize = 5;
/// A literal shorter than this is no anchor.
const ANCHOR: usize = 3;

/// Literals of which each match has one.
pub(crate) type Group = BTreeSet<Vec<u8>>;

/// The groups of a pattern.
#[derive(Default)]
pub(crate) struct Groups {
    /// Those worth scanning for: the best one, and a few more that spare a match.
    pub(crate) chosen: Vec<Group>,
    /// The others, the best first: worth a look when their literals are scanned for anyway.
    pub(crate) spare: Vec<Group>,
}

impl Groups {
    /// Takes in what adds little to a scan, now that it is known what is scanned for.
    pub(crate) fn take_in(&mut self, scanned: &mut Group, usage: &Usage) {
        for group in std::mem::take(&mut self.spare) {
            let told = self.chosen.iter().any(|before| implies(before, &group));
            let new: Group = group.difference(scanned).cloned().collect();
            if self.chosen.len() < GROUPS && !told && shares(&new, usage) <= TELLING {
                scanned.extend(new);
                self.chosen.push(group);
            }
        }
    }
}

/// The groups of literals that a pattern needs.
pub(crate) fn of(hir: &Hir, usage: &Usage) -> Groups {
    let whole = groups(hir, usage);
    let mut all: Vec<Group> = whole
        .iter()
        .flat_map(|group| weaker(group, usage))
        .collect();
    all.extend(whole.iter().map(shortest));
    all.iter_mut().for_each(trim);
    all.retain(|group| group.iter().all(|literal| literal.len() >= ANCHOR));
    all.sort_by_cached_key(|group| cost(group, usage));
    let mut found = Groups::default();
    for group in all {
        let further = group.len() <= FURTHER.0
            && group.iter().all(|literal| literal.len() >= FURTHER.1)
            && shares(&group, usage) <= TELLING;
        let told = found.chosen.iter().any(|before| implies(before, &group));
        if found.chosen.is_empty() || further && !told && found.chosen.len() < GROUPS {
            found.chosen.push(group);
        } else if !told && group.len() <= SPARE {
            found.spare.push(group);
        }
    }
    found
}

/// Literals of which one tells where a match begins, each with its distance from the beginning.
pub(crate) type Lead = Vec<(Vec<u8>, u8)>;

/// The literals of a group by which each match begins, when the groups of a pattern have such: then
/// a match need not be looked for, only tried where one of them stands.
pub(crate) fn lead(hir: &Hir, groups: &[Group]) -> Option<Lead> {
    let begins = Extractor::new().limit_total(BEGINS).extract(hir);
    let begins = begins.literals()?;
    groups.iter().find_map(|group| {
        let mut lead = BTreeSet::new();
        for begin in begins {
            let begin = begin.as_bytes();
            let places = group.iter().filter_map(|literal| {
                let mut windows = begin.windows(literal.len());
                Some((windows.position(|window| window == literal)?, literal))
            });
            let (at, literal) = places.min()?;
            lead.insert((literal.clone(), u8::try_from(at).ok()?));
        }
        (!lead.is_empty() && lead.len() <= SPARE).then(|| lead.into_iter().collect())
    })
}

/// True when no match goes beyond the end of a sentence, or of a part of one.
pub(crate) fn is_sentence(hir: &Hir) -> bool {
    let ends = b".;!?";
    match hir.kind() {
        HirKind::Literal(literal) => !literal.0.iter().any(|byte| ends.contains(byte)),
        HirKind::Class(Class::Bytes(class)) => !class.iter().any(|range| {
            ends.iter()
                .any(|b| (range.start()..=range.end()).contains(b))
        }),
        HirKind::Class(Class::Unicode(_)) => false,
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().all(is_sentence),
        HirKind::Repetition(r) => is_sentence(&r.sub),
        HirKind::Capture(c) => is_sentence(&c.sub),
        HirKind::Empty | HirKind::Look(_) => true,
    }
}

/// Stands for a word boundary among the bytes of a spelled-out expression.
const EDGE: u8 = 0xff;

/// All that an expression can match, when that is a handful of texts: an edge of a word that is
/// asked for in front of a text or behind it is a mark there ([`BEFORE`], [`BEHIND`]).
pub(crate) fn spelled(hir: &Hir) -> Option<Vec<String>> {
    let all = exact(hir, true)?;
    let mut texts = Vec::new();
    for mut bytes in all {
        bytes.dedup_by(|one, other| (*one, *other) == (EDGE, EDGE));
        let mut text = Vec::new();
        let mut possible = true;
        for (at, &byte) in bytes.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|at| bytes.get(at));
            match (byte, before, bytes.get(at + 1)) {
                (EDGE, None, _) => text.extend(BEFORE.as_bytes()),
                (EDGE, _, None) => text.extend(BEHIND.as_bytes()),
                // Between two known bytes there is an edge or there is none.
                (EDGE, Some(before), Some(after)) => {
                    possible &= is_word(*before) != is_word(*after);
                }
                (byte, ..) => text.push(byte),
            }
        }
        let text = String::from_utf8(text).ok()?;
        if possible && text.trim_matches(['\u{6}', '\u{7}']).is_empty() {
            return None;
        }
        if possible {
            texts.push(text);
        }
    }
    (!texts.is_empty() && texts.len() <= SPELLED).then_some(texts)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// A blank beside a word that is long enough tells nothing, and without it patterns share anchors.
fn trim(group: &mut Group) {
    let bare = |literal: &Vec<u8>| {
        let bare = literal.trim_ascii();
        if bare.len() < TRIMMED {
            literal.clone()
        } else {
            bare.to_vec()
        }
    };
    *group = shortest(&group.iter().map(bare).collect());
}

/// True when a text with a literal of `one` has a literal of `other`.
fn implies(one: &Group, other: &Group) -> bool {
    one.iter()
        .all(|long| other.iter().any(|short| within(short, long)))
}

fn within(short: &[u8], long: &[u8]) -> bool {
    long.windows(short.len()).any(|window| window == short)
}

/// The same group without the literals that hold another one of it: "host rejected" stands
/// wherever "client host rejected" does.
fn shortest(group: &Group) -> Group {
    let held = |literal: &Vec<u8>| {
        group
            .iter()
            .any(|other| other.len() < literal.len() && within(other, literal))
    };
    group
        .iter()
        .filter(|literal| !held(literal))
        .cloned()
        .collect()
}

/// What follows from a group: a piece that all its literals have, and the words of each. Words are
/// shared by many patterns, which keeps the table of the scan small.
fn weaker(group: &Group, usage: &Usage) -> Vec<Group> {
    let mut all: Vec<Group> = common(group)
        .map(|piece| Group::from([piece]))
        .into_iter()
        .collect();
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
    // A match has one of the literals whole, so it has the best word of one, the best of another.
    let best = |literal: &Vec<u8>| {
        let words = split(literal);
        words
            .into_iter()
            .min_by_key(|word| (usage.share(word), std::cmp::Reverse(word.len())))
    };
    all.extend(
        group
            .iter()
            .map(best)
            .collect::<Option<Group>>()
            .map(|words| shortest(&words)),
    );
    all
}

/// The longest piece that stands in each literal.
fn common(group: &Group) -> Option<Vec<u8>> {
    let short = group.iter().min_by_key(|literal| literal.len())?;
    let lengths = (ANCHOR..=short.len()).rev();
    lengths
        .flat_map(|len| short.windows(len))
        .filter(|piece| std::str::from_utf8(piece).is_ok())
        .find(|piece| group.iter().all(|literal| within(piece, literal)))
        .map(<[u8]>::to_vec)
}

/// How unselective a group is: literals that stand in many texts let many pass, and short ones
/// cost more to find.
fn cost(group: &Group, usage: &Usage) -> u32 {
    let shortest = group.iter().map(Vec::len).min().unwrap_or(0);
    let short = u32::try_from(12usize.saturating_sub(shortest)).unwrap_or(0);
    let many = u32::try_from(group.len()).unwrap_or(u32::MAX);
    shares(group, usage) * 2 + many + short
}

fn shares(group: &Group, usage: &Usage) -> u32 {
    group.iter().map(|literal| usage.share(literal)).sum()
}

/// In how many texts of the kind that the rules read a word stands.
pub(crate) struct Usage {
    words: BTreeMap<String, u32>,
    texts: u32,
    known: RefCell<HashMap<Vec<u8>, u32>>,
}

impl Usage {
    /// Counts the words of these texts.
    pub(crate) fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut usage = Usage {
            words: BTreeMap::new(),
            texts: 0,
            known: RefCell::default(),
        };
        for text in texts {
            let text = text.to_lowercase();
            let words: BTreeSet<&str> = parts(&text).collect();
            for word in words {
                *usage.words.entry(word.to_string()).or_insert(0) += 1;
            }
            usage.texts += 1;
        }
        usage
    }

    /// In how many of a thousand texts a literal stands, about.
    fn share(&self, literal: &[u8]) -> u32 {
        if let Some(&known) = self.known.borrow().get(literal) {
            return known;
        }
        let text = String::from_utf8_lossy(literal);
        let all: Vec<&str> = parts(&text).collect();
        let first = text.starts_with(char::is_alphanumeric);
        let last = text.ends_with(char::is_alphanumeric);
        let seen = |(at, part): (usize, &&str)| -> u32 {
            // A literal may begin and end in the midst of a word.
            let open = (first && at == 0, last && at + 1 == all.len());
            let fits = |word: &str| match open {
                (true, true) => word.contains(part),
                (true, false) => word.ends_with(part),
                (false, true) => word.starts_with(part),
                (false, false) => word == *part,
            };
            let counts = self.words.iter().filter(|(word, _)| fits(word));
            counts.map(|(_, count)| count).sum()
        };
        let rarest = all.iter().enumerate().map(seen).min().unwrap_or(self.texts);
        // Words side by side are rarer than each of them.
        let together = if all.len() > 1 { 4 } else { 1 };
        let share = rarest * 1000 / self.texts.max(1) / together;
        self.known.borrow_mut().insert(literal.to_vec(), share);
        share
    }
}

/// The words of a text.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty())
}

/// Sets of literals of which each must have a member in every match.
fn groups(hir: &Hir, usage: &Usage) -> Vec<Group> {
    if let Some(all) = exact(hir, false).filter(|all| all.iter().all(|l| l.len() >= ANCHOR)) {
        return vec![all];
    }
    match hir.kind() {
        HirKind::Concat(parts) => {
            let mut found = Vec::new();
            let mut run: Option<Group> = None;
            for part in parts {
                let next = exact(part, false);
                run = match (run, next) {
                    (Some(before), Some(next)) => match product(&before, &next) {
                        Some(joined) => Some(joined),
                        None => {
                            found.push(before);
                            Some(next)
                        }
                    },
                    (before, None) => {
                        found.extend(before);
                        found.extend(groups(part, usage));
                        None
                    }
                    (None, next) => next,
                };
            }
            found.extend(run);
            found.retain(|group| group.iter().all(|l| l.len() >= ANCHOR));
            // A part that was joined to short neighbours still counts by itself.
            if found.is_empty() {
                found = parts.iter().flat_map(|part| groups(part, usage)).collect();
            }
            found
        }
        HirKind::Capture(capture) => groups(&capture.sub, usage),
        HirKind::Repetition(repetition) if repetition.min > 0 => groups(&repetition.sub, usage),
        HirKind::Alternation(branches) => {
            let mut union = BTreeSet::new();
            for branch in branches {
                match best(branch, usage) {
                    Some(group) => union.extend(group),
                    None => return Vec::new(),
                }
            }
            vec![union]
        }
        _ => Vec::new(),
    }
}

/// The most telling group of a branch.
fn best(branch: &Hir, usage: &Usage) -> Option<Group> {
    let whole = groups(branch, usage);
    let weaker = whole.iter().flat_map(|group| weaker(group, usage));
    weaker
        .chain(whole.iter().map(shortest))
        .filter(|group| group.iter().all(|literal| literal.len() >= ANCHOR))
        .min_by_key(|group| cost(group, usage))
}

/// Everything that the expression can match, when that is a handful of literals.
/// Word boundaries count as bytes ([`EDGE`]) when `edges` are asked for.
fn exact(hir: &Hir, edges: bool) -> Option<Group> {
    match hir.kind() {
        HirKind::Look(Look::WordAscii) if edges => Some(BTreeSet::from([vec![EDGE]])),
        HirKind::Look(_) if edges => None,
        HirKind::Empty | HirKind::Look(_) => Some(BTreeSet::from([Vec::new()])),
        HirKind::Literal(literal) => Some(BTreeSet::from([literal.0.to_vec()])),
        HirKind::Class(class) => {
            let bytes = class.literal().map(|one| BTreeSet::from([one]));
            bytes.or_else(|| match class {
                Class::Bytes(class) => {
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
                Class::Unicode(_) => None,
            })
        }
        HirKind::Capture(capture) => exact(&capture.sub, edges),
        HirKind::Concat(parts) => parts
            .iter()
            .try_fold(BTreeSet::from([Vec::new()]), |all, part| {
                product(&all, &exact(part, edges)?)
            }),
        HirKind::Alternation(branches) => {
            let mut union = BTreeSet::new();
            for branch in branches {
                union.extend(exact(branch, edges)?);
            }
            (union.len() <= EXACT).then_some(union)
        }
        HirKind::Repetition(r) if r.min == 0 && r.max == Some(1) => {
            let mut all = exact(&r.sub, edges)?;
            all.insert(Vec::new());
            (all.len() <= EXACT).then_some(all)
        }
        HirKind::Repetition(_) => None,
    }
}

fn product(a: &Group, b: &Group) -> Option<Group> {
    if a.len() * b.len() > EXACT {
        return None;
    }
    Some(
        a.iter()
            .flat_map(|x| b.iter().map(move |y| [x.as_slice(), y].concat()))
            .collect(),
    )
}
