//! `data/codes.toml` to the tables by which the numbers of a reply are read: what an enhanced code
//! and a reply code mean, which replies say nothing about a mail, and which code fits a cause.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Deserialize;

use crate::{emit, rules};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    enhanced: Vec<Enhanced>,
    reply: Vec<Reply>,
    step: Vec<Step>,
    derived: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enhanced {
    codes: Vec<String>,
    cause: String,
    trust: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    codes: Vec<String>,
    cause: String,
    #[serde(default)]
    commands: Vec<String>,
    #[serde(default)]
    bare: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    code: u16,
    says: String,
}

/// Causes that are no failure and need no code.
const WITHOUT: [&str; 4] = [
    "delivered",
    "challenge-response",
    "auto-reply",
    "abuse-report",
];

/// The generated tables.
pub(crate) fn tables() -> Result<String, String> {
    let file: File = emit::read("codes.toml")?;
    let causes = rules::causes()?;
    let known = |cause: &str| match causes.iter().any(|id| id == cause) {
        true => Ok(emit::camel(cause)),
        false => Err(format!("codes.toml: no cause {cause}")),
    };
    Ok(enhanced(&file, known)? + &replies(&file, known)? + &derived(&file, &causes)?)
}

/// What enhanced codes mean, by subject.
fn enhanced(file: &File, known: impl Fn(&str) -> Result<String, String>) -> Result<String, String> {
    let mut subjects = vec![String::new(); 8];
    let mut seen = BTreeSet::new();
    for row in &file.enhanced {
        let cause = known(&row.cause)?;
        let trust = match row.trust.as_str() {
            "sure" => "Sure",
            "likely" => "Likely",
            "weak" => "Weak",
            other => return Err(format!("codes.toml: no trust {other}")),
        };
        for code in &row.codes {
            if !seen.insert(code) {
                return Err(format!("codes.toml: {code} stands twice"));
            }
            let (class, subject, (from, to)) =
                pattern(code).ok_or(format!("codes.toml: {code:?} is no enhanced code"))?;
            let rows = subjects
                .get_mut(subject)
                .ok_or(format!("codes.toml: {code}: no such subject"))?;
            let _ = writeln!(
                rows,
                "Enhanced {{ class: {class}, from: {from}, to: {to}, cause: Cause::{cause}, trust: Trust::{trust} }},"
            );
        }
    }
    let mut out = String::from("/// By subject.\nstatic ENHANCED: &[&[Enhanced]] = &[\n");
    for rows in &subjects {
        let _ = writeln!(out, "&[{rows}],");
    }
    Ok(out + "];\n")
}

/// What reply codes mean, and what is said of the steps of a dialogue.
fn replies(file: &File, known: impl Fn(&str) -> Result<String, String>) -> Result<String, String> {
    let mut out = String::from("static REPLIES: &[Meaning] = &[\n");
    for row in &file.reply {
        let cause = known(&row.cause)?;
        let mut commands = String::new();
        for name in &row.commands {
            let command = match name.as_str() {
                "NONE" => "None".to_owned(),
                _ => {
                    let name =
                        emit::command(name).ok_or(format!("codes.toml: no command {name}"))?;
                    format!("Some({name})")
                }
            };
            let _ = write!(commands, "{command},");
        }
        for code in &row.codes {
            let (from, to) = range(code)
                .filter(|(from, to)| (400..=599).contains(from) && *to <= 599)
                .ok_or(format!("codes.toml: {code:?} is no reply code"))?;
            let _ = writeln!(
                out,
                "Meaning {{ from: {from}, to: {to}, commands: &[{commands}], bare: {}, cause: Cause::{cause} }},",
                row.bare
            );
        }
    }
    out.push_str("];\nstatic STEPS: &[(u16, &str)] = &[");
    for step in &file.step {
        let _ = write!(out, "({}, {:?}),", step.code, step.says);
    }
    Ok(out + "];\n")
}

/// The code for each cause that came without one.
fn derived(file: &File, causes: &[String]) -> Result<String, String> {
    let mut out = String::from(
        "/// Subject and detail, by the number of the cause.\nstatic DERIVED: &[Option<(u16, u16)>] = &[",
    );
    for id in causes {
        let code = match file.derived.get(id) {
            None if WITHOUT.contains(&id.as_str()) => None,
            None => return Err(format!("codes.toml: no derived code for {id}")),
            Some(text) => {
                let code = text.split_once('.').and_then(|(subject, detail)| {
                    Some((subject.parse::<u16>().ok()?, detail.parse::<u16>().ok()?))
                });
                Some(code.ok_or(format!("codes.toml: {id} = {text:?}"))?)
            }
        };
        let _ = write!(out, "{code:?},");
    }
    if let Some(odd) = file.derived.keys().find(|id| !causes.contains(id)) {
        return Err(format!("codes.toml: no cause {odd}"));
    }
    Ok(out + "];\n")
}

/// `X.7.123-136`: class (0 for X), subject, and the range of details.
fn pattern(code: &str) -> Option<(u8, usize, (u16, u16))> {
    let (class, rest) = code.split_once('.')?;
    let (subject, details) = rest.split_once('.')?;
    let class = match class {
        "X" => 0,
        "4" => 4,
        "5" => 5,
        _ => return None,
    };
    Some((class, subject.parse().ok()?, range(details)?))
}

/// `550` or `500-504`.
fn range(text: &str) -> Option<(u16, u16)> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (from.parse().ok()?, to.parse().ok()?);
    (from <= to && to <= 999).then_some((from, to))
}
