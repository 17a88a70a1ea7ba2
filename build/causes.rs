//! `causes.toml` to the words of each cause in each situation, as static template pieces.
//! Variants are filled up from the base here, so that nothing is left to decide at run time but
//! which values are known.

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

/// The module for `bounce/advice.rs`.
pub(crate) fn tables() -> Result<String, String> {
    let file: File = emit::read(FILE)?;
    let mut rows = String::new();
    let mut places = String::new();
    let mut seen = BTreeSet::new();
    for (n, entry) in file.cause.iter().enumerate() {
        if !seen.insert(&entry.id) {
            return Err(format!("{FILE}: {} is there twice", entry.id));
        }
        let texts =
            cause(entry, &file.outcome).map_err(|e| format!("{FILE}: {}: {e}", entry.id))?;
        let name = camel(&entry.id);
        let _ = writeln!(
            rows,
            "Entry {{ example: {:?}, words: [{texts}] }},",
            entry.example
        );
        // The compiler checks that this match knows every cause.
        let _ = writeln!(places, "Cause::{name} => {n},");
    }
    Ok(format!(
        "static ENTRIES: [Entry; {}] = [\n{rows}];\n\
         const fn place(cause: Cause) -> usize {{ match cause {{\n{places}}} }}\n",
        file.cause.len()
    ))
}

fn cause(entry: &Entry, outcomes: &BTreeMap<String, Outcome>) -> Result<String, String> {
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
    ];
    let mut out = String::new();
    for (name, variant) in situations {
        let words = words(entry, variant.unwrap_or(&none), outcomes.get(name))
            .map_err(|e| format!("{name} {e}").trim_start().to_owned())?;
        let _ = writeln!(out, "{words},");
    }
    Ok(out)
}

fn words(entry: &Entry, own: &Variant, outcome: Option<&Outcome>) -> Result<String, String> {
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
    let user = speech(&entry.user, &own.user, outcome.map(|o| o.user.as_str()))
        .map_err(|e| format!("user.{e}"))?;
    let admin = speech(&entry.admin, &own.admin, outcome.map(|o| o.admin.as_str()))
        .map_err(|e| format!("admin.{e}"))?;
    let side = own
        .user
        .side
        .as_ref()
        .or(entry.user.side.as_ref())
        .ok_or("user.side is missing")?;
    let side = template(side, MAX_SHORT).map_err(|e| format!("user.side: {e}"))?;
    if entry.admin.side.is_some() || own.admin.side.is_some() {
        return Err("admin.side: the side is said once, in user.side".to_owned());
    }
    Ok(format!(
        "Words {{ title: {title:?}, who: Who::{}, side: {side}, user: {user}, admin: {admin} }}",
        camel(who)
    ))
}

fn speech(base: &Speech, own: &Speech, outcome: Option<&str>) -> Result<String, String> {
    let (what, longest) = match (&own.what, &base.what, outcome) {
        (Some(own), _, _) => (own.clone(), MAX_LONG),
        (None, Some(base), Some(outcome)) => {
            (format!("{base} {outcome}"), MAX_LONG + outcome.len())
        }
        (None, Some(base), None) => (base.clone(), MAX_LONG),
        (None, None, _) => return Err("what is missing".to_owned()),
    };
    let what = template(&what, longest).map_err(|e| format!("what: {e}"))?;
    let steps = own
        .steps
        .as_ref()
        .or(base.steps.as_ref())
        .ok_or("steps are missing")?;
    if steps.is_empty() || steps.len() > MAX_STEPS {
        return Err(format!("steps: one to {MAX_STEPS}, not {}", steps.len()));
    }
    let mut list = String::new();
    for (n, step) in steps.iter().enumerate() {
        let step = template(step, MAX_SHORT).map_err(|e| format!("step {}: {e}", n + 1))?;
        let _ = write!(list, "{step},");
    }
    Ok(format!("Speech {{ what: {what}, steps: &[{list}] }}"))
}

/// A template as a slice of `Piece`.
fn template(text: &str, longest: usize) -> Result<String, String> {
    if text.trim().is_empty() || text.trim() != text {
        return Err(format!("\"{text}\" is empty or has blanks around it"));
    }
    if text.chars().count() > longest {
        return Err(format!("\"{text}\" is longer than {longest} characters"));
    }
    let mut out = String::from("&[");
    let mut rest = text;
    let mut start = true;
    while let Some((before, tail)) = rest.split_once('[') {
        let (inside, after) = tail
            .split_once(']')
            .ok_or_else(|| format!("\"{text}\": [ without ]"))?;
        start = flat(before, start, &mut out)?;
        let (with, without) = inside.split_once('|').unwrap_or((inside, ""));
        if !with.contains('{') {
            return Err(format!(
                "\"{text}\": [{with}] has no slot and would always stand"
            ));
        }
        let (mut first, mut second) = (String::new(), String::new());
        flat(with, start, &mut first)?;
        flat(without, start, &mut second)?;
        let _ = write!(out, "Piece::Either(&[{first}], &[{second}]),");
        start = false;
        rest = after;
    }
    flat(rest, start, &mut out)?;
    out.push(']');
    Ok(out)
}

/// Text and slots without brackets. `start` tells whether a sentence begins here; so does the
/// result for what follows.
fn flat(text: &str, mut start: bool, out: &mut String) -> Result<bool, String> {
    let mut rest = text;
    loop {
        let (before, tail) = rest
            .split_once('{')
            .map_or((rest, None), |(b, t)| (b, Some(t)));
        if before.contains(['}', ']', '|']) {
            return Err(format!("\"{text}\": stray bracket"));
        }
        if !before.is_empty() {
            let _ = write!(out, "Piece::Text({before:?}),");
            start = before.ends_with(". ");
        }
        let Some(tail) = tail else { return Ok(start) };
        let (name, after) = tail
            .split_once('}')
            .ok_or_else(|| format!("\"{text}\": {{ without }}"))?;
        if !SLOTS.contains(&name) {
            return Err(format!(
                "\"{text}\": there is no slot {{{name}}}, only {SLOTS:?}"
            ));
        }
        let _ = write!(out, "Piece::Slot(Slot::{}, {start}),", camel(name));
        start = false;
        rest = after;
    }
}

/// `user-unknown` to `UserUnknown`.
fn camel(id: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_uppercase().chain(letters).collect()
        })
    };
    id.split('-').map(word).collect()
}
