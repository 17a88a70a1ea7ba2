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

use crate::{anchors, emit, lists, literals};

#[path = "../bounce/classify/plain.rs"]
mod plain;

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
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Scope {
    /// Ends of the refusing server's name.
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
    for (index, rule) in rules.iter().enumerate() {
        check(rule, &causes).map_err(|e| format!("rule {}: {e}", rule.id))?;
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
        .flat_map(|unit| unit.groups.chosen.iter().flatten().cloned())
        .collect();
    for unit in &mut units {
        unit.groups.take_in(&mut scanned, &usage);
    }
    write(&rules, &units, &words.words)
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
    if let Some(bad) = rule.scope.commands.iter().find(|c| command(c).is_none()) {
        return Err(format!("no command {bad}"));
    }
    Ok(())
}

/// The ids of the causes, from the one place that has them.
fn causes() -> Result<Vec<String>, String> {
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

fn regex(pattern: &str, words: &BTreeMap<String, String>) -> Result<(String, Hir), String> {
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

fn command(name: &str) -> Option<&'static str> {
    Some(match name {
        "CONNECT" => "Connect",
        "EHLO" => "Ehlo",
        "STARTTLS" => "StartTls",
        "AUTH" => "Auth",
        "MAIL" => "Mail",
        "RCPT" => "Rcpt",
        "DATA" => "Data",
        "QUIT" => "Quit",
        _ => return None,
    })
}

fn variant(id: &str) -> String {
    id.split('-')
        .map(|word| {
            let (head, tail) = word.split_at(1);
            head.to_ascii_uppercase() + tail
        })
        .collect()
}

/// The anchors of three bytes and the longer ones, in the order in which the units need them: what
/// is met together lies together.
fn anchors_of(units: &[Unit]) -> Result<(Vec<String>, Vec<String>), String> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for unit in units {
        for literal in unit.groups.chosen.iter().flatten() {
            let text = String::from_utf8(literal.clone())
                .map_err(|_| format!("{}: a literal is no text", unit.regex))?;
            if seen.insert(text.clone()) {
                all.push(text);
            }
        }
    }
    Ok(all.into_iter().partition(|anchor| anchor.len() < 4))
}

fn write(
    rules: &[Rule],
    units: &[Unit],
    words: &BTreeMap<String, String>,
) -> Result<String, String> {
    // Those of three bytes are few, and looked for by themselves: a window of four bytes is met far
    // less often.
    let (short, long) = anchors_of(units)?;
    let known: BTreeMap<&str, usize> = long
        .iter()
        .chain(&short)
        .enumerate()
        .map(|(id, anchor)| (anchor.as_str(), id))
        .collect();
    let mut postings: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    // Groups beside the first: for each unit their number, then of each its size and its members.
    let mut further: Vec<usize> = Vec::new();
    let mut begins: Vec<usize> = Vec::new();
    // Many patterns begin with the same words.
    let mut leads: Vec<Vec<(usize, u8)>> = vec![Vec::new()];
    let mut led: Vec<usize> = Vec::new();
    let id = |literal: &[u8]| known.get(std::str::from_utf8(literal).ok()?).copied();
    for (number, unit) in units.iter().enumerate() {
        begins.push(further.len());
        further.push(unit.groups.chosen.len().saturating_sub(1));
        for (rank, group) in unit.groups.chosen.iter().enumerate() {
            let ids: Vec<usize> = group.iter().filter_map(|literal| id(literal)).collect();
            if rank == 0 {
                for id in ids {
                    postings.entry(id).or_default().push(number);
                }
            } else {
                further.push(ids.len());
                further.extend(ids);
            }
        }
        let lead = anchors::lead(&unit.hir, &unit.groups.chosen).unwrap_or_default();
        let mut ids: Vec<(usize, u8)> = lead
            .iter()
            .filter_map(|(literal, back)| Some((id(literal)?, *back)))
            .collect();
        ids.sort_unstable();
        led.push(
            leads
                .iter()
                .position(|known| *known == ids)
                .unwrap_or_else(|| {
                    leads.push(ids);
                    leads.len() - 1
                }),
        );
    }
    let refusals: Vec<&str> = rules
        .iter()
        .flat_map(|rule| rule.matches.iter().chain(&rule.not))
        .map(String::as_str)
        .collect();
    let refusals = refusals.join("\n");
    let mut out = literals::table("ANCHORS", &long, &refusals)?;
    out += &literals::table("SHORT", &short, &refusals)?;
    let _ = writeln!(
        out,
        "/// How many anchors there are; the short ones come last.\nconst ALL: usize = {};",
        known.len()
    );
    let lists = (0..known.len()).map(|id| postings.get(&id).map_or(&[][..], Vec::as_slice));
    let mut starts = vec![0];
    for list in lists.clone() {
        starts.push(starts.last().unwrap_or(&0) + list.len());
    }
    let _ = writeln!(
        out,
        "/// Where the units of each anchor begin.\nstatic STARTS: &[u16] = &{};\n\
         /// Units by anchor: those of whose first group it is a member.\n\
         static POSTINGS: &[u16] = &{};",
        emit::numbers(starts),
        emit::numbers(lists.flatten())
    );
    let _ = writeln!(out, "static RULES: &[Rule] = &[");
    for rule in rules {
        let mut unless = Vec::new();
        for pattern in &rule.unless {
            let (regex, hir) =
                regex(pattern, words).map_err(|e| format!("rule {}: {e}", rule.id))?;
            folded(&hir, false).map_err(|e| format!("rule {}: {pattern:?}: {e}", rule.id))?;
            unless.push(format!("({regex})"));
        }
        let commands: Vec<_> = rule
            .scope
            .commands
            .iter()
            .filter_map(|c| command(c))
            .collect();
        let _ = writeln!(
            out,
            "Rule {{ id: {:?}, cause: Cause::{}, weight: {}, confidence: {}, unless: {:?}, hosts: &{}, replies: &{}, commands: &[{}], dialects: &{}, foreign: {} }},",
            rule.id,
            variant(&rule.cause),
            rule.weight,
            match rule.confidence.as_deref() {
                Some("high") => "Some(Confidence::High)",
                Some("medium") => "Some(Confidence::Medium)",
                Some("low") => "Some(Confidence::Low)",
                _ => "None",
            },
            unless.join("|"),
            emit::strings(&rule.scope.hosts),
            emit::numbers(&rule.scope.replies),
            commands
                .iter()
                .map(|c| format!("Command::{c},"))
                .collect::<String>(),
            emit::strings(&rule.scope.dialects),
            rule.scope.foreign,
        );
    }
    let _ = writeln!(out, "];\nstatic UNITS: &[Unit; {}] = &[", units.len());
    for (unit, further) in units.iter().zip(begins) {
        let _ = writeln!(
            out,
            "Unit {{ rule: {}, pieces: {}, further: {further} }},",
            unit.rule, unit.pieces
        );
    }
    let spelled: Vec<Option<String>> = units
        .iter()
        .zip(&led)
        .map(|(unit, &lead)| {
            let texts = anchors::spelled(&unit.hir).filter(|_| lead != 0)?;
            Some(format!("={}", texts.join("\n")))
        })
        .collect();
    let regexes: Vec<&str> = units.iter().map(|unit| unit.regex.as_str()).collect();
    let patterns: Vec<&str> = spelled
        .iter()
        .zip(&regexes)
        .map(|(texts, regex)| texts.as_deref().unwrap_or(regex))
        .collect();
    let _ = writeln!(
        out,
        "];\n/// Their expressions, or, behind `=`, all texts that these match, a line each.\n\
         static PATTERNS: &[&str; {}] = &{};\n\
         #[cfg(test)]\nstatic EXPRESSIONS: &[&str] = &{};\n\
         /// Their groups of anchors beside the first: how many, then the size and the members of each.\n\
         static FURTHER: &[u16] = &{};",
        units.len(),
        emit::strings(&patterns),
        emit::strings(&regexes),
        emit::numbers(further)
    );
    let mut ends = vec![0];
    for lead in &leads {
        ends.push(ends.last().unwrap_or(&0) + lead.len());
    }
    let _ = writeln!(
        out,
        "/// By unit: which of the leads is its; the first is empty.\nstatic LED: &[u16] = &{};\n\
         /// Where the anchors of each lead begin.\nstatic LEAD_STARTS: &[u16] = &{};\n\
         /// Anchors of which one stands where a match begins, with the distance from its beginning.\n\
         static LEADS: &[(u16, u8)] = &{:?};",
        emit::numbers(led),
        emit::numbers(ends),
        leads.concat()
    );
    let _ = writeln!(out, "#[cfg(test)]\nstatic EXAMPLES: &[Examples] = &[");
    for rule in rules {
        let _ = writeln!(
            out,
            "Examples {{ matches: &{}, not: &{} }},",
            emit::strings(&rule.matches),
            emit::strings(&rule.not)
        );
    }
    let _ = writeln!(out, "];");
    Ok(out)
}
