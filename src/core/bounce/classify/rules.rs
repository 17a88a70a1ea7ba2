//! The rules: which cause the words of a text tell. Written in `src/core/data/rules/*.toml`, made into
//! tables by `src/core/build/rules.rs`.
//!
//! One scan over the folded text finds the anchors; a pattern of which every group of anchors has
//! a member in the text is a candidate; candidates are tried from the heaviest rule down, and the first that
//! matches decides. A regular expression is compiled when it is a candidate for the first time.

use std::ops::Range;

use once_cell::race::OnceBox;
use regex_automata::meta::Regex;
use regex_automata::nfa::thompson::WhichCaptures;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

use super::fold::Folded;
use crate::bounce::cause::Cause;
use crate::bounce::explanation::{Command, Confidence};
use crate::suffix::is_under;

include!(concat!(env!("OUT_DIR"), "/rules.rs"));

/// Below this weight a rule reads words that servers use for anything ("rejected", "unavailable").
pub(super) const SPECIFIC: u8 = 30;
/// Below this weight a rule reads words that stand in many a reply ("try again later"), so that a
/// code which nobody writes by accident says more.
pub(super) const TELLING: u8 = 40;
/// Below this weight a rule only tells that time went by ("expired", "still trying").
pub(super) const GENERIC: u8 = 10;
/// From this weight on a rule reads a provider's own code or unmistakable words.
pub(super) const CERTAIN: u8 = 80;

/// What a rule says; its patterns are [`Unit`]s.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: &'static str,
    pub(super) cause: Cause,
    /// The heavier rule wins.
    pub(super) weight: u8,
    pub(super) confidence: Option<Confidence>,
    /// A pattern that forbids the rule, or empty.
    unless: &'static str,
    /// Where the group of anchors stands in [`GROUPS`] without which that cannot match.
    forbidden: u16,
    hosts: &'static [&'static str],
    replies: &'static [u16],
    commands: &'static [Command],
    dialects: &'static [&'static str],
    foreign: bool,
}

/// One pattern of a rule, without its expression, so that many fit into a cache line. Units stand
/// in the order of their rules, the heaviest first.
struct Unit {
    rule: u16,
    /// Where its groups of anchors beside the one that led here stand in [`GROUPS`]; each must
    /// have a member in the text.
    further: u16,
    /// Looks at the replaced pieces instead of the words.
    pieces: bool,
    /// What it matches has no end of a sentence in it.
    sentence: bool,
}

#[cfg(test)]
struct Examples {
    matches: &'static [&'static str],
    not: &'static [&'static str],
}

/// What else is known about the text; scopes of rules ask for it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Setting<'a> {
    pub(super) host: Option<&'a str>,
    pub(super) reply: Option<u16>,
    pub(super) command: Option<Command>,
    pub(super) dialect: Option<&'a str>,
    /// The reporting server itself speaks, about an address that is not its own.
    pub(super) foreign: bool,
}

// A box is empty as zero, so that these two take no place in the program; an `OnceLock` is not.
static COMPILED: [OnceBox<Option<Regex>>; UNITS.len()] = [const { OnceBox::new() }; UNITS.len()];
static FORBIDDING: [OnceBox<Option<Regex>>; RULES.len()] = [const { OnceBox::new() }; RULES.len()];

/// A set of small numbers.
struct Bits<const N: usize>([u64; N]);

impl<const N: usize> Bits<N> {
    /// Puts a number in; true when it was not there.
    fn insert(&mut self, number: usize) -> bool {
        let bit = 1 << (number % 64);
        let Some(block) = self.0.get_mut(number / 64) else {
            return false;
        };
        let new = *block & bit == 0;
        *block |= bit;
        new
    }

    fn contains(&self, number: usize) -> bool {
        self.0
            .get(number / 64)
            .is_some_and(|block| block >> (number % 64) & 1 == 1)
    }
}

/// So many places of anchors are kept; a text with more of them is long, and looked through.
const PLACES: usize = 64;

/// The anchors of a text.
struct Met {
    anchors: Bits<{ ALL.div_ceil(64) }>,
    /// The units of whose first group one was met.
    units: Bits<{ UNITS.len().div_ceil(64) }>,
    /// Where which anchor stands, and how many of them were met.
    places: [(u16, u16); PLACES],
    count: usize,
}

impl Met {
    #[inline]
    fn of(text: &Folded) -> Self {
        let mut met = Self {
            anchors: Bits([0; _]),
            units: Bits([0; _]),
            places: [(0, 0); _],
            count: 0,
        };
        ANCHORS.each(text.all(), |anchor, start, _| met.meet(anchor, start));
        SHORT.each(text.all(), |anchor, start, _| {
            met.meet(ANCHORS.len() + anchor, start);
        });
        met
    }

    #[inline]
    fn meet(&mut self, anchor: usize, start: usize) {
        let place = u16::try_from(anchor).ok().zip(u16::try_from(start).ok());
        match self.places.get_mut(self.count).zip(place) {
            Some((slot, place)) => {
                *slot = place;
                self.count += 1;
            }
            None => self.count = PLACES + 1,
        }
        if self.anchors.insert(anchor) {
            let range = STARTS.get(anchor).zip(STARTS.get(anchor + 1));
            let units = range.and_then(|(&from, &to)| POSTINGS.get(from.into()..to.into()));
            for &unit in units.unwrap_or_default() {
                self.units.insert(unit.into());
            }
        }
    }

    /// Where in the text a match of a unit can begin, when its anchors tell that.
    fn starts(&self, unit: usize) -> Option<impl Iterator<Item = usize>> {
        let lead = usize::from(*LED.get(unit)?);
        let range = LEAD_STARTS.get(lead).zip(LEAD_STARTS.get(lead + 1));
        let lead = range.and_then(|(&from, &to)| LEADS.get(from.into()..to.into()))?;
        let places = self.places.get(..self.count)?;
        (!lead.is_empty()).then(|| {
            places.iter().flat_map(|&(anchor, place)| {
                let at = lead.partition_point(|&(id, _)| id < anchor);
                let same = lead.get(at..).unwrap_or_default().iter();
                same.take_while(move |(id, _)| *id == anchor)
                    .filter_map(move |(_, back)| place.checked_sub((*back).into()))
                    .map(usize::from)
            })
        })
    }

    /// True when each further group of a unit has a member in this part of the text. For texts of
    /// which all places are known.
    fn has_further(&self, unit: &Unit, part: Range<usize>) -> bool {
        let places = self.places.get(..self.count).unwrap_or_default();
        each_group(unit.further, |group| {
            places.iter().any(|(anchor, place)| {
                part.contains(&usize::from(*place)) && group.binary_search(anchor).is_ok()
            })
        })
    }
}

/// The heaviest rule that the text matches.
pub(super) fn first(text: &Folded, setting: &Setting<'_>) -> Option<&'static Rule> {
    let met = Met::of(text);
    for (number, &block) in met.units.0.iter().enumerate() {
        let mut left = block;
        while left != 0 {
            let index = number * 64 + left.trailing_zeros() as usize;
            left &= left - 1;
            let unit = UNITS.get(index)?;
            if possible(unit.further, &met.anchors)
                && let Some(rule) = matching(index, text, &met, setting)
            {
                return Some(rule);
            }
        }
    }
    None
}

/// True when each of the groups of anchors that stand at this place has a member among those that were met.
fn possible<const N: usize>(groups: u16, met: &Bits<N>) -> bool {
    each_group(groups, |group| {
        group.iter().any(|&id| met.contains(id.into()))
    })
}

/// True when each of the groups of anchors that stand at this place is `good`.
#[inline]
fn each_group(groups: u16, mut good: impl FnMut(&[u16]) -> bool) -> bool {
    let mut rest = GROUPS.get(usize::from(groups)..).unwrap_or_default();
    let Some((&groups, tail)) = rest.split_first() else {
        return false;
    };
    rest = tail;
    (0..groups).all(|_| {
        let group = rest
            .split_first()
            .and_then(|(&size, tail)| tail.split_at_checked(size.into()));
        let Some((group, tail)) = group else {
            return false;
        };
        rest = tail;
        good(group)
    })
}

fn matching(
    number: usize,
    text: &Folded,
    met: &Met,
    setting: &Setting<'_>,
) -> Option<&'static Rule> {
    let unit = UNITS.get(number)?;
    let rule = RULES.get(usize::from(unit.rule))?;
    if !rule.fits(setting) {
        return None;
    }
    if !matches(number, text, met)? {
        return None;
    }
    if !rule.unless.is_empty() && possible(rule.forbidden, &met.anchors) {
        let forbidding = FORBIDDING.get(usize::from(unit.rule))?;
        if forbidding
            .get_or_init(|| compile(rule.unless).into())
            .as_ref()?
            .is_match(text.words())
        {
            return None;
        }
    }
    Some(rule)
}

/// The part of the text that a unit looks at.
fn half<'t>(text: &'t Folded, unit: &Unit) -> &'t [u8] {
    if unit.pieces {
        text.pieces()
    } else {
        text.words()
    }
}

/// Whether the pattern of a unit matches the text.
fn matches(number: usize, text: &Folded, met: &Met) -> Option<bool> {
    let unit = UNITS.get(number)?;
    let half = half(text, unit);
    let front = if unit.pieces { text.words().len() } else { 0 };
    let starts = met.starts(number).map(|starts| {
        starts.filter_map(|start| start.checked_sub(front).filter(|at| *at <= half.len()))
    });
    let pattern = PATTERNS.get(number)?;
    if let Some(texts) = pattern.strip_prefix('=') {
        return Some(match starts {
            Some(mut starts) => starts.any(|start| stands(texts, half, start)),
            None => (0..half.len()).any(|start| stands(texts, half, start)),
        });
    }
    let regex = || {
        COMPILED
            .get(number)?
            .get_or_init(|| compile(pattern).into())
            .as_ref()
    };
    let Some(starts) = starts else {
        return Some(regex()?.is_match(half));
    };
    for start in starts {
        let end = match half.get(start..) {
            Some(rest) if unit.sentence => rest.iter().position(|b| b".;!?".contains(b)),
            _ => None,
        };
        let end = end.map_or(half.len(), |len| start + len);
        if met.has_further(unit, front + start..front + end)
            && regex()?.is_match(Input::new(half).anchored(Anchored::Yes).range(start..))
        {
            return Some(true);
        }
    }
    Some(false)
}

/// Whether one of these texts, a line each, stands here. A mark in front of a text or behind it
/// asks for the edge of a word there.
fn stands(texts: &str, half: &[u8], start: usize) -> bool {
    let is_word = |at: Option<usize>| {
        let byte = at.and_then(|at| half.get(at));
        byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
    };
    let edge = |at: usize| is_word(at.checked_sub(1)) != is_word(Some(at));
    let rest = half.get(start..).unwrap_or_default();
    texts.split('\n').any(|text| {
        let begun = text.strip_prefix('\u{6}');
        let text = begun.unwrap_or(text);
        let ended = text.strip_suffix('\u{7}');
        let text = ended.unwrap_or(text);
        rest.starts_with(text.as_bytes())
            && (begun.is_none() || edge(start))
            && (ended.is_none() || edge(start + text.len()))
    })
}

/// `None` cannot happen: the build script has parsed every pattern.
///
/// The anchors have done what a prefilter would do, a match is a yes or no, and most processes
/// judge one text: everything that costs at the first use is left out.
fn compile(pattern: &str) -> Option<Regex> {
    let config = Regex::config()
        .utf8_empty(false)
        .auto_prefilter(false)
        .dfa(false)
        .which_captures(WhichCaptures::None)
        .onepass(false);
    Regex::builder()
        .configure(config)
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .build(pattern)
        .ok()
}

impl Rule {
    fn fits(&self, setting: &Setting<'_>) -> bool {
        let host = || {
            setting.host.is_some_and(|host| {
                let host = host.trim_end_matches('.');
                self.hosts.iter().any(|domain| is_under(host, domain))
            })
        };
        let reply = || {
            setting.reply.is_some_and(|code| {
                self.replies
                    .iter()
                    .any(|&want| want == code || want == code / 100)
            })
        };
        let command = || setting.command.is_some_and(|c| self.commands.contains(&c));
        let dialect = || setting.dialect.is_some_and(|d| self.dialects.contains(&d));
        (self.hosts.is_empty() || host())
            && (self.replies.is_empty() || reply())
            && (self.commands.is_empty() || command())
            && (self.dialects.is_empty() || dialect())
            && (!self.foreign || setting.foreign)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fold::fold;
    use super::*;

    /// A setting in which the rule's own scope holds.
    fn at_home(rule: &Rule) -> Setting<'static> {
        Setting {
            host: rule.hosts.first().copied(),
            reply: rule
                .replies
                .first()
                .map(|&r| if r < 10 { r * 100 + 50 } else { r }),
            command: rule.commands.first().copied(),
            dialect: rule.dialects.first().copied(),
            foreign: rule.foreign,
        }
    }

    #[test]
    fn every_rule_reads_its_own_examples_and_no_heavier_rule_of_another_cause_takes_them() {
        let mut bad = Vec::new();
        for (rule, examples) in RULES.iter().zip(EXAMPLES) {
            for text in examples.matches {
                match first(&fold(text), &at_home(rule)) {
                    Some(found) if found.cause == rule.cause => {}
                    other => bad.push(format!(
                        "{}: {text:?} -> {:?}",
                        rule.id,
                        other.map(|r| r.id)
                    )),
                }
            }
            for text in examples.not {
                if let Some(found) = first(&fold(text), &at_home(rule))
                    && found.id == rule.id
                {
                    bad.push(format!("{}: must not read {text:?}", rule.id));
                }
            }
        }
        assert!(bad.is_empty(), "{} bad:\n{}", bad.len(), bad.join("\n"));
    }

    /// The anchors come from the expressions by many steps (`src/core/build/anchors.rs`); one that is not in
    /// every match, or not where it is said to be, would hide a rule.
    #[test]
    fn a_pattern_that_matches_is_reached_by_its_anchors() {
        let mut found = [0; 3];
        for (number, (unit, expression)) in UNITS.iter().zip(EXPRESSIONS).enumerate() {
            let regex = compile(expression).unwrap();
            for text in EXAMPLES[usize::from(unit.rule)].matches {
                let text = fold(text);
                let shown = String::from_utf8_lossy(text.all());
                let met = Met::of(&text);
                let wanted = regex.is_match(half(&text, unit));
                if wanted {
                    let reached =
                        met.units.contains(number) && possible(unit.further, &met.anchors);
                    assert!(reached, "{expression} in {shown:?}");
                }
                let matched = matches(number, &text, &met);
                assert_eq!(matched, Some(wanted), "{expression} in {shown:?}");
                found[0] += usize::from(wanted);
                found[1] += usize::from(wanted && met.starts(number).is_some());
                found[2] += usize::from(wanted && PATTERNS[number].starts_with('='));
            }
        }
        assert!(found[0] > RULES.len(), "{found:?}");
        assert!(found[1] > found[0] / 2, "{found:?}");
        assert!(found[2] > found[0] / 5, "{found:?}");
    }

    #[test]
    fn a_text_that_is_compared_has_its_edges_where_the_expression_asks_for_them() {
        let half = b"the mailbox_a is full, xfull";
        for (texts, start, there) in [
            ("\u{6}full", 17, true),
            ("\u{6}full", 24, false),
            ("full\u{7}", 24, true),
            ("mailbox\u{7}", 4, false),
            ("mailbox", 4, true),
            ("\u{6}the", 0, true),
            ("no\nis\u{7}", 14, true),
            ("\u{6}, x", 21, true),
            ("\u{6} x", 22, false),
            ("beyond", 99, false),
        ] {
            assert_eq!(stands(texts, half, start), there, "{texts:?} at {start}");
        }
    }

    #[test]
    fn what_forbids_a_rule_compiles_and_is_reached_by_its_anchors() {
        let texts = EXAMPLES.iter().flat_map(|e| e.matches.iter().chain(e.not));
        let texts: Vec<_> = texts.map(|text| fold(text)).collect();
        let met: Vec<_> = texts.iter().map(Met::of).collect();
        let (mut reached, mut spared) = (0, 0);
        for rule in RULES.iter().filter(|rule| !rule.unless.is_empty()) {
            let regex = compile(rule.unless).unwrap();
            for (text, met) in texts.iter().zip(&met) {
                let possible = possible(rule.forbidden, &met.anchors);
                if regex.is_match(text.words()) {
                    let shown = String::from_utf8_lossy(text.words());
                    assert!(possible, "{} in {shown:?}", rule.id);
                    reached += 1;
                }
                spared += usize::from(!possible);
            }
        }
        assert!(reached > RULES.len(), "{reached}");
        assert!(spared > 5 * reached, "{spared}, {reached}");
    }
}
