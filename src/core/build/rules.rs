//! Reads `src/core/data/rules/*.toml`, refuses what is not a proper rule, and writes the rule table
//! with the literals that the scan needs.
//!
//! A pattern is a regular expression over folded text (see `src/core/bounce/classify/fold.rs`) in which
//! `{name}` stands for a class of words from `words.toml`. Each pattern gets a few *groups*
//! of literals: it can only match where every group has a hit. They are derived from the
//! expression itself, so nobody has to keep them in step.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use regex_syntax::hir::{Hir, HirKind};
use serde::Deserialize;

use crate::{anchors, emit, lists};

#[path = "../bounce/classify/plain.rs"]
mod plain;
#[path = "rule_tables.rs"]
mod rule_tables;

/// The rule that gets a pattern for every known list.
const ZONES: &str = "dnsbl/zone-of-a-list";
/// Macros may use macros, to this depth.
const NESTING: usize = 6;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    id: String,
    cause: String,
    /// Patterns over the words.
    #[serde(default)]
    patterns: Vec<String>,
    /// Patterns over the pieces that were replaced: links, host names, addresses.
    #[serde(default)]
    pieces: Vec<String>,
    /// Patterns over the words that forbid the rule.
    #[serde(default)]
    unless: Vec<String>,
    weight: u8,
    confidence: Option<String>,
    #[serde(default)]
    scope: Scope,
    #[serde(rename = "match")]
    matches: Vec<String>,
    #[serde(default)]
    not: Vec<String>,
    /// `unless` made ready.
    #[serde(skip)]
    forbids: Forbids,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Scope {
    /// Domains that the refusing server's name is under.
    #[serde(default)]
    hosts: Vec<String>,
    /// Reply codes; 4 and 5 stand for a whole class.
    #[serde(default)]
    replies: Vec<u16>,
    /// Commands, as in JSON.
    #[serde(default)]
    commands: Vec<String>,
    /// Dialects of the notice.
    #[serde(default)]
    dialects: Vec<String>,
    /// The reporting server itself speaks, about an address that is not its own.
    #[serde(default)]
    foreign: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    words: BTreeMap<String, String>,
}

/// What forbids a rule, in one.
#[derive(Default)]
struct Forbids {
    regex: String,
    /// One of these stands in what matches; `None` when that is not known.
    anchors: Option<anchors::Group>,
}

/// One pattern of one rule, made ready.
struct Unit {
    rule: usize,
    pieces: bool,
    regex: String,
    hir: Hir,
    groups: anchors::Groups,
}

/// The generated file: literals, rules, units, and the examples for the tests.
pub(crate) fn table() -> Result<String, String> {
    let words: Words = emit::read("rules/words.toml")?;
    let mut rules = Vec::new();
    for name in emit::folder("rules")? {
        if name != "rules/words.toml" {
            let file: File = emit::read(&name)?;
            rules.extend(file.rule);
        }
    }
    // A list that is named by its zone needs no words around it.
    let zones = rules.iter_mut().find(|rule| rule.id == ZONES);
    zones
        .ok_or(format!("no rule {ZONES}"))?
        .pieces
        .extend(lists::patterns()?);
    // The first match wins: heavy rules first, and a stable order among equals.
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.weight));
    let causes = causes()?;
    let mut ids = BTreeSet::new();
    let mut units = Vec::new();
    let examples = rules
        .iter()
        .flat_map(|rule| rule.matches.iter().chain(&rule.not));
    let notices = include_str!("../data/dialects.toml").lines();
    let usage = anchors::Usage::of(examples.map(String::as_str).chain(notices));
    for (index, rule) in rules.iter_mut().enumerate() {
        check(rule, &causes).map_err(|e| format!("rule {}: {e}", rule.id))?;
        rule.forbids = forbids(&rule.unless, &words.words, &usage)
            .map_err(|e| format!("rule {}: {e}", rule.id))?;
        if !ids.insert(&rule.id) {
            return Err(format!("rule {} stands twice", rule.id));
        }
        for (pieces, patterns) in [(false, &rule.patterns), (true, &rule.pieces)] {
            for pattern in patterns {
                let unit = unit(index, pieces, pattern, &words.words, &usage)
                    .map_err(|e| format!("rule {}: {pattern:?}: {e}", rule.id))?;
                units.push(unit);
            }
        }
    }
    let mut scanned: anchors::Group = units
        .iter()
        .flat_map(|unit| unit.groups.chosen.iter().flatten())
        .chain(
            rules
                .iter()
                .flat_map(|rule| rule.forbids.anchors.iter().flatten()),
        )
        .cloned()
        .collect();
    for unit in &mut units {
        unit.groups.take_in(&mut scanned, &usage);
    }
    rule_tables::write(&rules, &units)
}

fn check(rule: &Rule, causes: &[String]) -> Result<(), String> {
    if !causes.contains(&rule.cause) {
        return Err(format!("no cause {}", rule.cause));
    }
    if rule.patterns.is_empty() && rule.pieces.is_empty() {
        return Err("no pattern".into());
    }
    if rule.matches.is_empty() {
        return Err("no example that matches".into());
    }
    if rule.weight > 99 {
        return Err("weight is 0 to 99".into());
    }
    if !matches!(
        rule.confidence.as_deref(),
        None | Some("high" | "medium" | "low")
    ) {
        return Err("confidence is high, medium or low".into());
    }
    if let Some(bad) = rule
        .scope
        .commands
        .iter()
        .find(|c| emit::command(c).is_none())
    {
        return Err(format!("no command {bad}"));
    }
    Ok(())
}

/// The ids of the causes, from the one place that has them.
pub(crate) fn causes() -> Result<Vec<String>, String> {
    let source = emit::source("bounce/cause.rs")?;
    let ids: Vec<String> = source
        .lines()
        .filter_map(|line| line.split_once(" = \"")?.1.split_once("\", "))
        .map(|(id, _)| id.to_string())
        .collect();
    if ids.is_empty() {
        Err("no causes found in cause.rs".into())
    } else {
        Ok(ids)
    }
}

/// Replaces `{name}` by its words, in their own group.
fn expand(pattern: &str, words: &BTreeMap<String, String>, depth: usize) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        match after.split_once('}') {
            Some((name, tail)) if name.starts_with(|c: char| c.is_ascii_lowercase()) => {
                let text = words
                    .get(name)
                    .ok_or_else(|| format!("no words {{{name}}}"))?;
                if depth == 0 {
                    return Err(format!("words {{{name}}} nest too deep"));
                }
                let _ = write!(out, "(?:{})", expand(text, words, depth - 1)?);
                rest = tail;
            }
            _ => {
                out.push('{');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Accents off, as in the texts. Germans without umlauts on their keyboard write "ue", so that a
/// rule with "ü" reads both.
fn plain(pattern: &str) -> String {
    let mut out = String::new();
    for c in pattern.chars() {
        let both = match c {
            'ä' => Some("(?:a|ae)"),
            'ö' => Some("(?:o|oe)"),
            'ü' => Some("(?:u|ue)"),
            _ => None,
        };
        match both.or_else(|| plain::letters(c)) {
            Some(letters) => out.push_str(letters),
            None => out.push(c),
        }
    }
    out
}

/// The words that stand for a sign (see `fold.rs`).
const SIGNS: [&str; 4] = ["{addr}", "{link}", "{ip}", "{host}"];

/// A sign is no word: an edge of a word beside it is never there, and what asks for one is dead.
fn edges(pattern: &str) -> Result<(), String> {
    for sign in SIGNS {
        for (at, _) in pattern.match_indices(sign) {
            let before = pattern.get(..at).unwrap_or_default();
            let behind = pattern.get(at + sign.len()..).unwrap_or_default();
            let before = before.trim_end_matches("(?:");
            let behind = behind.trim_start_matches(')');
            if before.ends_with(r"\b") || behind.starts_with(r"\b") {
                return Err(format!(r"{sign} has no \b"));
            }
        }
    }
    Ok(())
}

fn regex(pattern: &str, words: &BTreeMap<String, String>) -> Result<(String, Hir), String> {
    edges(pattern)?;
    let regex = plain(&expand(pattern, words, NESTING)?);
    let hir = regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build()
        .parse(&regex)
        .map_err(|e| e.to_string())?;
    Ok((regex, hir))
}

fn unit(
    rule: usize,
    pieces: bool,
    pattern: &str,
    words: &BTreeMap<String, String>,
    usage: &anchors::Usage,
) -> Result<Unit, String> {
    let (regex, hir) = regex(pattern, words)?;
    folded(&hir, pieces)?;
    let groups = anchors::of(&hir, usage);
    if groups.chosen.is_empty() {
        return Err("no literal of three bytes or more that every match must have".into());
    }
    Ok(Unit {
        rule,
        pieces,
        regex,
        hir,
        groups,
    })
}

/// The expressions that forbid a rule, in one.
fn forbids(
    patterns: &[String],
    words: &BTreeMap<String, String>,
    usage: &anchors::Usage,
) -> Result<Forbids, String> {
    let mut all = Vec::new();
    let mut known = Some(anchors::Group::new());
    for pattern in patterns {
        let (regex, hir) = regex(pattern, words)?;
        folded(&hir, false).map_err(|e| format!("{pattern:?}: {e}"))?;
        all.push(format!("({regex})"));
        let best = anchors::of(&hir, usage).chosen.into_iter().next();
        known = known.zip(best).map(|(known, best)| &known | &best);
    }
    Ok(Forbids {
        regex: all.join("|"),
        anchors: known,
    })
}

/// Refuses literals that folded text cannot contain: the pattern would never match.
fn folded(hir: &Hir, pieces: bool) -> Result<(), String> {
    match hir.kind() {
        HirKind::Literal(literal) => {
            let bad = |b: &u8| b.is_ascii_uppercase() || (!pieces && b"-_'\"<>()[]#=~".contains(b));
            match literal.0.iter().find(|b| bad(b)) {
                Some(&b) => Err(format!("{:?} is folded away in texts", char::from(b))),
                None => Ok(()),
            }
        }
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().try_for_each(|part| folded(part, pieces))
        }
        HirKind::Repetition(r) => folded(&r.sub, pieces),
        HirKind::Capture(c) => folded(&c.sub, pieces),
        _ => Ok(()),
    }
}
