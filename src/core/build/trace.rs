//! Makes the tables of those who write trace fields (`src/core/data/trace.toml`) and of what
//! filters write into the header (`src/core/data/filter-fields.toml`).

use std::fmt::Write as _;

use serde::Deserialize;

use crate::emit;

const TRACE: &str = "trace.toml";
const FIELDS: &str = "filter-fields.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trace {
    names: Names,
    filters: Filters,
    weak: Weak,
    service: Vec<Service>,
    house: Vec<House>,
    system: Vec<System>,
    claim: Vec<Claim>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    none: Vec<String>,
    no_reverse: Vec<String>,
    household: Vec<String>,
    submission: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filters {
    software: Vec<String>,
    protocols: Vec<String>,
    handed_back: Vec<String>,
    hosts: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Weak {
    versions: Vec<String>,
    ciphers: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    name: String,
    hosts: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct House {
    domains: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct System {
    id: String,
    first: String,
    #[serde(default)]
    software: Vec<String>,
    #[serde(default)]
    within: Vec<String>,
    #[serde(default)]
    with: Vec<String>,
    #[serde(default)]
    host: Vec<String>,
    #[serde(default)]
    via: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    field: String,
    says: String,
    #[serde(default)]
    script: bool,
}

/// Rust source of the tables of servers and words, and that of the mail systems.
pub(crate) fn tables() -> Result<(String, String), String> {
    let trace: Trace = emit::read(TRACE)?;
    Ok((known(&trace)?, systems(&trace.system)?))
}

fn known(trace: &Trace) -> Result<String, String> {
    let mut out = String::new();
    for (name, list) in [
        ("NO_NAMES", &trace.names.none),
        ("NO_REVERSE", &trace.names.no_reverse),
        ("HOUSEHOLD", &trace.names.household),
        ("SUBMISSION", &trace.names.submission),
        ("FILTERS", &trace.filters.software),
        ("FILTER_PROTOCOLS", &trace.filters.protocols),
        ("HANDED_BACK", &trace.filters.handed_back),
        ("FILTER_HOSTS", &trace.filters.hosts),
        ("WEAK_CIPHERS", &trace.weak.ciphers),
    ] {
        lower(list)?;
        strings(&mut out, name, list);
    }
    strings(&mut out, "WEAK_VERSIONS", &trace.weak.versions);
    out.push_str("pub(super) static SERVICES: &[Service] = &[\n");
    for service in &trace.service {
        lower(&service.hosts)?;
        let (name, hosts) = (&service.name, emit::strings(&service.hosts));
        let _ = writeln!(out, "Service {{ name: {name:?}, hosts: &{hosts} }},");
    }
    out.push_str("];\npub(super) static HOUSES: &[&[&str]] = &[\n");
    for house in &trace.house {
        lower(&house.domains)?;
        let _ = writeln!(out, "&{},", emit::strings(&house.domains));
    }
    out.push_str("];\npub(super) static CLAIMS: &[Claim] = &[\n");
    for claim in &trace.claim {
        let (field, script) = (&claim.field, claim.script);
        let (before, behind) = claim
            .says
            .split_once("{}")
            .ok_or(format!("{TRACE}: {field}: no {{}} for the value"))?;
        let _ = writeln!(
            out,
            "Claim {{ field: {field:?}, says: ({before:?}, {behind:?}), script: {script} }},"
        );
    }
    out.push_str("];\n");
    Ok(out)
}

fn systems(systems: &[System]) -> Result<String, String> {
    let mut out = String::from("static TABLE: &[Dialect] = &[\n");
    for system in systems {
        let id = &system.id;
        if systems.iter().filter(|other| other.id == *id).count() > 1 {
            return Err(format!("{TRACE}: {id} stands twice"));
        }
        let order = match system.first.as_str() {
            "helo" => "Helo",
            "both" => "Both",
            "untold" => "Untold",
            other => {
                return Err(format!(
                    "{TRACE}: {id}: first = {other:?} is none of the three"
                ));
            }
        };
        let _ = write!(
            out,
            "Dialect {{ id: {id:?}, order: Order::{order}, marks: &["
        );
        for (mark, texts) in [
            ("Software", &system.software),
            ("Within", &system.within),
            ("With", &system.with),
            ("Host", &system.host),
            ("Via", &system.via),
        ] {
            lower(texts)?;
            for text in texts {
                let _ = write!(out, "Mark::{mark}({text:?}),");
            }
        }
        out.push_str("] },\n");
    }
    out.push_str("];\n");
    Ok(out)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    field: Vec<Field>,
    microsoft: Vec<Microsoft>,
    compauth: Vec<Compauth>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Field {
    name: String,
    form: String,
    key: Option<String>,
    limit: Option<f32>,
    says: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Microsoft {
    key: String,
    values: Vec<String>,
    matters: String,
    says: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Compauth {
    reason: String,
    says: String,
}

/// Rust source of the tables of filters' fields.
pub(crate) fn fields() -> Result<String, String> {
    let all: Fields = emit::read(FIELDS)?;
    let mut out = String::from("static FIELDS: &[(&str, Form, &str)] = &[\n");
    for field in &all.field {
        let (name, says) = (&field.name, &field.says);
        let form = match (field.form.as_str(), &field.key, field.limit) {
            ("pairs", None, None) => "Pairs".to_owned(),
            ("value", Some(key), None) => format!("Value({key:?})"),
            ("status", None, None) => "Status".to_owned(),
            ("rspamd", None, None) => "Rspamd".to_owned(),
            ("flag", None, None) => "Flag".to_owned(),
            ("score", None, Some(limit)) => format!("Score({limit:?})"),
            ("plain", None, None) => "Plain".to_owned(),
            _ => {
                return Err(format!(
                    "{FIELDS}: {name}: no such form, or its value is missing"
                ));
            }
        };
        let _ = writeln!(out, "({name:?}, Form::{form}, {says:?}),");
    }
    out.push_str("];\nstatic MICROSOFT: &[(&str, &[&str], Severity, &str)] = &[\n");
    for entry in &all.microsoft {
        let severity = match entry.matters.as_str() {
            "info" => "Info",
            "warning" => "Warning",
            other => return Err(format!("{FIELDS}: {}: matters = {other:?}", entry.key)),
        };
        let (key, values) = (&entry.key, emit::strings(&entry.values));
        let says = &entry.says;
        let _ = writeln!(out, "({key:?}, &{values}, {severity}, {says:?}),");
    }
    out.push_str("];\nstatic COMPAUTH: &[(&str, &str)] = &[\n");
    for entry in &all.compauth {
        let _ = writeln!(out, "({:?}, {:?}),", entry.reason, entry.says);
    }
    out.push_str("];\n");
    Ok(out)
}

fn strings(out: &mut String, name: &str, list: &[String]) {
    let _ = writeln!(
        out,
        "pub(super) static {name}: &[&str] = &{};",
        emit::strings(list)
    );
}

/// What is looked for without regard to case stands in the file in lower case.
fn lower(texts: &[String]) -> Result<(), String> {
    match texts.iter().find(|text| **text != text.to_lowercase()) {
        Some(odd) => Err(format!("{TRACE}: {odd:?} is not in lower case")),
        None => Ok(()),
    }
}
