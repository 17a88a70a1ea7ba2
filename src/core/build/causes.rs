//! `causes.toml` to the words of each cause in each situation: one long text and spans of it.
//! Variants are filled up from the base here, so that nothing is left to decide at run time but
//! which values are known. Spans instead of string slices, because each pointer in a static table
//! costs a relocation at every start of the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Deserialize;

use crate::emit;

const FILE: &str = "causes.toml";

/// Most steps that a reader takes in.
const MAX_STEPS: usize = 5;
/// Most characters of a step or side: two lines of a screen.
const MAX_SHORT: usize = 150;
/// Most characters of an explanation: three lines of a screen.
const MAX_LONG: usize = 230;
/// Most words of a title.
const MAX_TITLE_WORDS: usize = 4;

const SLOTS: [&str; 9] = [
    "address", "domain", "server", "host", "list", "listed", "url", "size", "until",
];
const WHO: [&str; 5] = [
    "sender",
    "sender-admin",
    "recipient",
    "recipient-admin",
    "nobody",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    outcome: BTreeMap<String, Outcome>,
    cause: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outcome {
    user: String,
    admin: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    id: String,
    title: String,
    who: String,
    example: String,
    user: Speech,
    admin: Speech,
    waiting: Option<Variant>,
    expired: Option<Variant>,
    query_refused: Option<Variant>,
    dead_list: Option<Variant>,
    private_address: Option<Variant>,
    relayed: Option<Variant>,
    expanded: Option<Variant>,
    not_spam: Option<Variant>,
    auth_failure: Option<Variant>,
    virus: Option<Variant>,
    fraud: Option<Variant>,
    opt_out: Option<Variant>,
    other: Option<Variant>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Variant {
    title: Option<String>,
    who: Option<String>,
    #[serde(default)]
    user: Speech,
    #[serde(default)]
    admin: Speech,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Speech {
    what: Option<String>,
    side: Option<String>,
    steps: Option<Vec<String>>,
}

/// All texts one after the other, each only once.
#[derive(Default)]
struct Pool {
    text: String,
    known: BTreeMap<String, usize>,
    /// Spans of the steps.
    steps: Vec<String>,
}

impl Pool {
    /// The span of a text, as Rust source.
    fn span(&mut self, text: &str) -> String {
        let at = *self.known.entry(text.to_owned()).or_insert_with(|| {
            let at = self.text.len();
            self.text.push_str(text);
            at
        });
        format!("Span {{ at: {at}, len: {} }}", text.len())
    }

    /// The span of a template that keeps to the rules.
    fn template(&mut self, text: &str, longest: usize) -> Result<String, String> {
        check(text, longest)?;
        Ok(self.span(text))
    }
}

/// The module for `bounce/advice.rs`.
pub(crate) fn tables() -> Result<String, String> {
    let file: File = emit::read(FILE)?;
    let mut pool = Pool::default();
    let mut rows = String::new();
    let mut places = String::new();
    let mut seen = BTreeSet::new();
    for (n, entry) in file.cause.iter().enumerate() {
        if !seen.insert(&entry.id) {
            return Err(format!("{FILE}: {} is there twice", entry.id));
        }
        let texts = cause(&mut pool, entry, &file.outcome)
            .map_err(|e| format!("{FILE}: {}: {e}", entry.id))?;
        let example = pool.span(&entry.example);
        let _ = writeln!(rows, "Entry {{ example: {example}, words: [{texts}] }},");
        // The compiler checks that this match knows every cause.
        let _ = writeln!(places, "Cause::{} => {n},", emit::camel(&entry.id));
    }
    Ok(format!(
        "static TEXT: &str = {:?};\n\
         static STEPS: [Span; {}] = [{}];\n\
         static ENTRIES: [Entry; {}] = [\n{rows}];\n\
         const fn place(cause: Cause) -> usize {{ match cause {{\n{places}}} }}\n",
        pool.text,
        pool.steps.len(),
        pool.steps.join(","),
        file.cause.len()
    ))
}

fn cause(
    pool: &mut Pool,
    entry: &Entry,
    outcomes: &BTreeMap<String, Outcome>,
) -> Result<String, String> {
    if entry.example.trim().is_empty() {
        return Err("example is empty".to_owned());
    }
    let none = Variant::default();
    // The order is that of `Situation` in bounce/advice.rs.
    let situations = [
        ("", None),
        ("waiting", entry.waiting.as_ref()),
        ("expired", entry.expired.as_ref()),
        ("query-refused", entry.query_refused.as_ref()),
        ("dead-list", entry.dead_list.as_ref()),
        ("private-address", entry.private_address.as_ref()),
        ("relayed", entry.relayed.as_ref()),
        ("expanded", entry.expanded.as_ref()),
        ("not-spam", entry.not_spam.as_ref()),
        ("auth-failure", entry.auth_failure.as_ref()),
        ("virus", entry.virus.as_ref()),
        ("fraud", entry.fraud.as_ref()),
        ("opt-out", entry.opt_out.as_ref()),
        ("other", entry.other.as_ref()),
    ];
    let mut out = String::new();
    for (name, variant) in situations {
        let words = words(pool, entry, variant.unwrap_or(&none), outcomes.get(name))
            .map_err(|e| format!("{name} {e}").trim_start().to_owned())?;
        let _ = writeln!(out, "{words},");
    }
    Ok(out)
}

fn words(
    pool: &mut Pool,
    entry: &Entry,
    own: &Variant,
    outcome: Option<&Outcome>,
) -> Result<String, String> {
    let title = own.title.as_ref().unwrap_or(&entry.title);
    if title.is_empty() || title.split(' ').count() > MAX_TITLE_WORDS {
        return Err(format!(
            "title \"{title}\" is not one to {MAX_TITLE_WORDS} words"
        ));
    }
    let who = own.who.as_ref().unwrap_or(&entry.who);
    if !WHO.contains(&who.as_str()) {
        return Err(format!("who = \"{who}\" is none of {WHO:?}"));
    }
    let user = speech(
        pool,
        &entry.user,
        &own.user,
        outcome.map(|o| o.user.as_str()),
    )
    .map_err(|e| format!("user.{e}"))?;
    let admin = speech(
        pool,
        &entry.admin,
        &own.admin,
        outcome.map(|o| o.admin.as_str()),
    )
    .map_err(|e| format!("admin.{e}"))?;
    let side = own
        .user
        .side
        .as_ref()
        .or(entry.user.side.as_ref())
        .ok_or("user.side is missing")?;
    let side = pool
        .template(side, MAX_SHORT)
        .map_err(|e| format!("user.side: {e}"))?;
    if entry.admin.side.is_some() || own.admin.side.is_some() {
        return Err("admin.side: the side is said once, in user.side".to_owned());
    }
    let title = pool.span(title);
    Ok(format!(
        "Words {{ title: {title}, who: Who::{}, side: {side}, user: {user}, admin: {admin} }}",
        emit::camel(who)
    ))
}

fn speech(
    pool: &mut Pool,
    base: &Speech,
    own: &Speech,
    outcome: Option<&str>,
) -> Result<String, String> {
    let (what, longest) = match (&own.what, &base.what, outcome) {
        (Some(own), _, _) => (own.clone(), MAX_LONG),
        (None, Some(base), Some(outcome)) => {
            (format!("{base} {outcome}"), MAX_LONG + outcome.len())
        }
        (None, Some(base), None) => (base.clone(), MAX_LONG),
        (None, None, _) => return Err("what is missing".to_owned()),
    };
    let what = pool
        .template(&what, longest)
        .map_err(|e| format!("what: {e}"))?;
    let steps = own
        .steps
        .as_ref()
        .or(base.steps.as_ref())
        .ok_or("steps are missing")?;
    if steps.is_empty() || steps.len() > MAX_STEPS {
        return Err(format!("steps: one to {MAX_STEPS}, not {}", steps.len()));
    }
    let from = pool.steps.len();
    for (n, step) in steps.iter().enumerate() {
        let step = pool
            .template(step, MAX_SHORT)
            .map_err(|e| format!("step {}: {e}", n + 1))?;
        pool.steps.push(step);
    }
    Ok(format!(
        "Speech {{ what: {what}, from: {from}, steps: {} }}",
        steps.len()
    ))
}

/// Whether a template keeps to the rules: not empty, not long, brackets in pairs, known slots.
fn check(text: &str, longest: usize) -> Result<(), String> {
    if text.trim().is_empty() || text.trim() != text {
        return Err(format!("\"{text}\" is empty or has blanks around it"));
    }
    if text.chars().count() > longest {
        return Err(format!("\"{text}\" is longer than {longest} characters"));
    }
    let mut rest = text;
    while let Some((before, tail)) = rest.split_once('[') {
        let (inside, after) = tail
            .split_once(']')
            .ok_or_else(|| format!("\"{text}\": [ without ]"))?;
        slots(before)?;
        let (with, without) = inside.split_once('|').unwrap_or((inside, ""));
        if !with.contains('{') {
            return Err(format!(
                "\"{text}\": [{with}] has no slot and would always stand"
            ));
        }
        slots(with)?;
        slots(without)?;
        rest = after;
    }
    slots(rest)
}

/// Checks a text without brackets.
fn slots(text: &str) -> Result<(), String> {
    let mut rest = text;
    loop {
        let (before, tail) = rest
            .split_once('{')
            .map_or((rest, None), |(b, t)| (b, Some(t)));
        if before.contains(['}', '[', ']', '|']) {
            return Err(format!("\"{text}\": stray bracket"));
        }
        let Some(tail) = tail else { return Ok(()) };
        let (name, after) = tail
            .split_once('}')
            .ok_or_else(|| format!("\"{text}\": {{ without }}"))?;
        if !SLOTS.contains(&name) {
            return Err(format!(
                "\"{text}\": there is no slot {{{name}}}, only {SLOTS:?}"
            ));
        }
        rest = after;
    }
}
