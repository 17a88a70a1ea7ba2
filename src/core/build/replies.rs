//! Makes the tables of the words around a reply (`src/core/data/reply-words.toml`) and of what logs
//! call things (`src/core/data/log-keys.toml`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::{emit, literals};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    moved: Vec<String>,
    numbers: Numbers,
    speaker: Vec<String>,
    ehlo: Vec<String>,
    mark: Vec<Mark>,
    example: Vec<Number>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbers {
    saying: Vec<String>,
    counting: Vec<String>,
    units: Vec<String>,
}

/// A text, and the reply code in it; 0 for none.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Number {
    text: String,
    code: u16,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    text: String,
    command: String,
    #[serde(default)]
    shown: bool,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    recipient: Vec<String>,
    outcome: Outcome,
    json: BTreeMap<String, Vec<String>>,
    example: Vec<Example>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Outcome {
    delivered: Vec<String>,
    failed: Vec<String>,
    delayed: Vec<String>,
    expired: Vec<String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    line: String,
    recipient: String,
    action: String,
    #[serde(default)]
    host: String,
    words: String,
}

/// The names that values of records go by; each becomes a table.
const NAMES: [&str; 8] = [
    "apart",
    "words",
    "recipient",
    "code",
    "status",
    "outcome",
    "host",
    "ip",
];

/// Rust source of the scanner and of what its words mean.
pub(crate) fn table() -> Result<String, String> {
    let file: File = emit::read("reply-words.toml")?;
    let marks = &file.mark;
    let words: Vec<String> = marks.iter().map(|mark| mark.text.clone()).collect();
    let mut out = literals::table("MARKS", &words, literals::NOTICES)?;
    let _ = write!(out, "static MARKS_MEAN: &[(Command, bool)] = &[");
    for mark in marks {
        let command = emit::command(&mark.command.to_uppercase()).ok_or(format!(
            "reply-words.toml: {:?}: no command {:?}",
            mark.text, mark.command
        ))?;
        let _ = write!(out, "({command}, {}),", mark.shown);
    }
    out.push_str("];\n");
    let numbers = &file.numbers;
    for (name, words) in [
        ("pub(super) static MOVED", &file.moved),
        ("static SAYING", &numbers.saying),
        ("static COUNTING", &numbers.counting),
        ("static UNITS", &numbers.units),
        ("static SPEAKER", &file.speaker),
        ("static EHLO", &file.ehlo),
    ] {
        lower(words).map_err(|odd| format!("reply-words.toml: {odd}"))?;
        let _ = writeln!(out, "{name}: &[&str] = &{words:?};");
    }
    out.push_str("#[cfg(test)]\npub(super) static NUMBERS: &[(&str, u16)] = &[");
    for example in &file.example {
        let _ = write!(out, "({:?}, {}),", example.text, example.code);
    }
    out.push_str("];\n");
    Ok(out)
}

/// Rust source of the scanner for what a recipient stands behind.
pub(crate) fn keys() -> Result<String, String> {
    let keys: Keys = emit::read("log-keys.toml")?;
    lower(&keys.recipient).map_err(|odd| format!("log-keys.toml: {odd}"))?;
    literals::table("KEYS", &keys.recipient, literals::NOTICES)
}

/// Rust source of the words for what became of a message.
pub(crate) fn outcomes() -> Result<String, String> {
    let Outcome {
        delivered,
        failed,
        delayed,
        expired,
    } = emit::read::<Keys>("log-keys.toml")?.outcome;
    plain(&[
        ("DELIVERED", &delivered),
        ("FAILED", &failed),
        ("DELAYED", &delayed),
        ("EXPIRED", &expired),
    ])
}

/// Rust source of the names in records, and of the examples.
pub(crate) fn records() -> Result<String, String> {
    let keys: Keys = emit::read("log-keys.toml")?;
    let mut tables: Vec<(&str, &Vec<String>)> = Vec::new();
    if let Some(odd) = keys
        .json
        .keys()
        .find(|name| !NAMES.contains(&name.as_str()))
    {
        return Err(format!("log-keys.toml: json.{odd} is not known"));
    }
    let names = NAMES.map(str::to_uppercase);
    for (name, upper) in NAMES.iter().zip(&names) {
        let words = keys.json.get(*name);
        tables.push((
            upper,
            words.ok_or(format!("log-keys.toml: no json.{name}"))?,
        ));
    }
    let mut out = plain(&tables)?;
    out.push_str("#[cfg(test)]\nstatic EXAMPLES: &[(&str, &str, &str, &str, &str)] = &[");
    for e in &keys.example {
        let (line, to, words) = (&e.line, &e.recipient, &e.words);
        let _ = write!(
            out,
            "({line:?}, {to:?}, {:?}, {:?}, {words:?}),",
            e.action, e.host
        );
    }
    out.push_str("];\n");
    Ok(out)
}

/// Tables of words without case and signs; a stop joins two names.
fn plain(tables: &[(&str, &Vec<String>)]) -> Result<String, String> {
    let mut out = String::new();
    let is_plain = |word: &String| {
        word.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.')
    };
    for (name, words) in tables {
        if let Some(odd) = words.iter().find(|word| !is_plain(word)) {
            return Err(format!("log-keys.toml: {odd:?}: lower case letters only"));
        }
        let _ = writeln!(out, "static {name}: &[&str] = &{words:?};");
    }
    Ok(out)
}

fn lower(words: &[String]) -> Result<(), String> {
    match words.iter().find(|word| **word != word.to_lowercase()) {
        Some(odd) => Err(format!("{odd:?} is not in lower case")),
        None => Ok(()),
    }
}
