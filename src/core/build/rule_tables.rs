//! The checked rules as Rust source: the anchors with the units that they call up, the rules
//! themselves, their patterns, and the examples for the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{Rule, Unit};
use crate::{anchors, emit, literals};

/// The generated file.
pub(super) fn write(rules: &[Rule], units: &[Unit]) -> Result<String, String> {
    let anchors = Anchors::of(rules, units)?;
    let leads = Leads::of(units, &anchors);
    let mut out = anchors.source(rules)?;
    let mut groups = Vec::new();
    out += &rows(rules, &anchors, &mut groups);
    out += &calls(units, &anchors, &mut groups);
    let _ = writeln!(
        out,
        "/// Groups of anchors: how many, then the size and the members of each.\n\
         static GROUPS: &[u16] = &{};",
        emit::numbers(groups)
    );
    out += &patterns(units, &leads);
    out += &leads.source();
    out += &examples(rules);
    Ok(out)
}

/// The anchors of all units, in the order in which these need them: what is met together lies
/// together. Those of three bytes are few, and looked for by themselves, because a window of four
/// bytes is met far less often.
struct Anchors {
    long: Vec<String>,
    short: Vec<String>,
    /// The number of each: the short ones come last.
    known: BTreeMap<String, usize>,
}

impl Anchors {
    fn of(rules: &[Rule], units: &[Unit]) -> Result<Self, String> {
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        let called = units.iter().flat_map(|unit| unit.groups.chosen.iter());
        let forbidding = rules
            .iter()
            .filter_map(|rule| rule.forbids.anchors.as_ref());
        for literal in called.chain(forbidding).flatten() {
            let text = String::from_utf8(literal.clone())
                .map_err(|e| format!("{e}: a literal is no text"))?;
            if seen.insert(text.clone()) {
                all.push(text);
            }
        }
        let (short, long): (Vec<_>, Vec<_>) = all.into_iter().partition(|text| text.len() < 4);
        let known = long.iter().chain(&short).cloned().zip(0..).collect();
        Ok(Self { long, short, known })
    }

    fn id(&self, literal: &[u8]) -> Option<usize> {
        self.known.get(std::str::from_utf8(literal).ok()?).copied()
    }

    /// The two scanners, tuned to the examples.
    fn source(&self, rules: &[Rule]) -> Result<String, String> {
        let refusals: Vec<&str> = rules
            .iter()
            .flat_map(|rule| rule.matches.iter().chain(&rule.not))
            .map(String::as_str)
            .collect();
        let refusals = refusals.join("\n");
        let mut out = literals::table("ANCHORS", &self.long, &refusals)?;
        out += &literals::table("SHORT", &self.short, &refusals)?;
        let _ = writeln!(
            out,
            "/// How many anchors there are; the short ones come last.\nconst ALL: usize = {};",
            self.known.len()
        );
        Ok(out)
    }
}

/// Anchors of which one stands where a match begins, with the distance from its beginning.
struct Leads {
    /// Each only once, as many patterns begin with the same words; the first is empty.
    all: Vec<Vec<(usize, u8)>>,
    /// By unit: which of them is its.
    of: Vec<usize>,
}

impl Leads {
    fn of(units: &[Unit], anchors: &Anchors) -> Self {
        let mut leads = Self {
            all: vec![Vec::new()],
            of: Vec::new(),
        };
        for unit in units {
            let lead = anchors::lead(&unit.hir, &unit.groups.chosen).unwrap_or_default();
            let mut ids: Vec<(usize, u8)> = lead
                .iter()
                .filter_map(|(literal, back)| Some((anchors.id(literal)?, *back)))
                .collect();
            ids.sort_unstable();
            let known = leads.all.iter().position(|known| *known == ids);
            leads.of.push(known.unwrap_or_else(|| {
                leads.all.push(ids);
                leads.all.len() - 1
            }));
        }
        leads
    }

    fn source(&self) -> String {
        format!(
            "/// By unit: which of the leads is its; the first is empty.\nstatic LED: &[u16] = &{};\n\
             /// Where the anchors of each lead begin.\nstatic LEAD_STARTS: &[u16] = &{};\n\
             /// Anchors of which one stands where a match begins, with the distance from its beginning.\n\
             static LEADS: &[(u16, u8)] = &{:?};\n",
            emit::numbers(&self.of),
            emit::numbers(begins(self.all.iter().map(Vec::len))),
            self.all.concat()
        )
    }
}

/// Where each of some stretches begins that lie one behind the other, and where the last ends.
fn begins(lengths: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut at = 0;
    let ends = lengths.map(|length| {
        at += length;
        at
    });
    std::iter::once(0).chain(ends.collect::<Vec<_>>()).collect()
}

/// Which units an anchor calls up, and which other anchors each of these needs beside it.
fn calls(units: &[Unit], anchors: &Anchors, all: &mut Vec<usize>) -> String {
    let mut postings = vec![Vec::new(); anchors.known.len()];
    let mut rows = String::new();
    for (number, unit) in units.iter().enumerate() {
        let _ = writeln!(
            rows,
            "Unit {{ rule: {}, pieces: {}, sentence: {}, further: {} }},",
            unit.rule,
            unit.pieces,
            anchors::is_sentence(&unit.hir),
            all.len()
        );
        let mut groups = unit.groups.chosen.iter();
        for id in groups.next().into_iter().flatten() {
            if let Some(called) = anchors.id(id).and_then(|id| postings.get_mut(id)) {
                called.push(number);
            }
        }
        put(groups.as_slice(), anchors, all);
    }
    format!(
        "/// Where the units of each anchor begin.\nstatic STARTS: &[u16] = &{};\n\
         /// Units by anchor: those of whose first group it is a member.\n\
         static POSTINGS: &[u16] = &{};\n\
         static UNITS: &[Unit; {}] = &[\n{rows}];\n",
        emit::numbers(begins(postings.iter().map(Vec::len))),
        emit::numbers(postings.iter().flatten()),
        units.len()
    )
}

/// Puts groups behind the others: how many, then the size and the sorted members of each.
fn put(groups: &[anchors::Group], anchors: &Anchors, all: &mut Vec<usize>) {
    all.push(groups.len());
    for group in groups {
        let mut ids: Vec<usize> = group.iter().filter_map(|l| anchors.id(l)).collect();
        ids.sort_unstable();
        all.push(ids.len());
        all.extend(ids);
    }
}

fn rows(rules: &[Rule], anchors: &Anchors, all: &mut Vec<usize>) -> String {
    let mut out = String::from("static RULES: &[Rule] = &[\n");
    for rule in rules {
        let commands: String = rule
            .scope
            .commands
            .iter()
            .filter_map(|c| Some(format!("{},", emit::command(c)?)))
            .collect();
        let _ = writeln!(
            out,
            "Rule {{ id: {:?}, cause: Cause::{}, weight: {}, confidence: {}, unless: {:?}, forbidden: {}, hosts: &{}, replies: &{}, commands: &[{commands}], dialects: &{}, foreign: {} }},",
            rule.id,
            emit::camel(&rule.cause),
            rule.weight,
            match rule.confidence.as_deref() {
                Some("high") => "Some(Confidence::High)",
                Some("medium") => "Some(Confidence::Medium)",
                Some("low") => "Some(Confidence::Low)",
                _ => "None",
            },
            rule.forbids.regex,
            all.len(),
            emit::strings(&rule.scope.hosts),
            emit::numbers(&rule.scope.replies),
            emit::strings(&rule.scope.dialects),
            rule.scope.foreign,
        );
        put(rule.forbids.anchors.as_slice(), anchors, all);
    }
    out + "];\n"
}

/// The patterns of the units: the few texts that one matches, or else its expression.
fn patterns(units: &[Unit], leads: &Leads) -> String {
    let regexes = units.iter().map(|unit| unit.regex.as_str());
    let patterns = units.iter().zip(&leads.of).map(|(unit, &lead)| {
        let texts = anchors::spelled(&unit.hir).filter(|_| lead != 0);
        texts.map_or_else(
            || unit.regex.clone(),
            |texts| format!("={}", texts.join("\n")),
        )
    });
    format!(
        "/// Their expressions, or, behind `=`, all texts that these match, a line each.\n\
         static PATTERNS: &[&str; {}] = &{};\n\
         #[cfg(test)]\nstatic EXPRESSIONS: &[&str] = &{};\n",
        units.len(),
        emit::strings(patterns),
        emit::strings(regexes),
    )
}

fn examples(rules: &[Rule]) -> String {
    let mut out = String::from("#[cfg(test)]\nstatic EXAMPLES: &[Examples] = &[\n");
    for rule in rules {
        let _ = writeln!(
            out,
            "Examples {{ matches: &{}, not: &{} }},",
            emit::strings(&rule.matches),
            emit::strings(&rule.not)
        );
    }
    out + "];\n"
}
