//! `data/dnsbl.toml` to the static tables of the `dnsbl` room. Every key, code, zone and
//! reference is checked here.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    kind: Vec<Kind>,
    list: Vec<List>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kind {
    id: String,
    label: String,
    means: String,
    steps: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    id: String,
    name: String,
    zone: Option<String>,
    #[serde(default)]
    other_zones: Vec<String>,
    status: Option<String>,
    ended: Option<String>,
    answers_now: Option<String>,
    #[serde(default)]
    subjects: Vec<String>,
    purpose: String,
    sense: Option<String>,
    weight: Option<String>,
    #[serde(default)]
    default: bool,
    #[serde(default)]
    key: bool,
    access: Option<String>,
    public_resolvers: Option<String>,
    #[serde(default)]
    refusals: Vec<String>,
    #[serde(default)]
    points: Points,
    decode: Option<String>,
    #[serde(default)]
    answers: Vec<Answer>,
    part_of: Option<String>,
    name_form: Option<String>,
    removal: Option<String>,
    removal_url: Option<String>,
    lookup_url: Option<String>,
    /// Read by the classifier of bounces.
    #[serde(default)]
    phrases: Vec<String>,
    note: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Points {
    listed: Vec<String>,
    clean: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    is: Option<String>,
    bit: Option<u8>,
    means: String,
    sense: Option<String>,
    part: Option<String>,
    kind: Option<String>,
}

/// The tables as Rust source.
pub(crate) fn tables(text: &str) -> Result<String, String> {
    let file: File = toml::from_str(text).map_err(|e| format!("dnsbl.toml: {e}"))?;
    check(&file)?;
    let mut out = String::new();
    for (n, kind) in file.kind.iter().enumerate() {
        let _ = writeln!(
            out,
            "static KIND_{n}: Kind = Kind {{ id: {:?}, label: {:?}, means: {:?}, steps: &{:?} }};",
            kind.id, kind.label, kind.means, kind.steps
        );
    }
    out.push_str("/// Every list of the catalogue.\npub static LISTS: &[List] = &[\n");
    for list in &file.list {
        let source = write(list, &file.kind);
        out.push_str(&source.map_err(|e| format!("dnsbl.toml: list {}: {e}", list.id))?);
    }
    out.push_str("];\n");
    Ok(out)
}

/// What no single entry can tell: ids and zones are there once, references lead somewhere.
fn check(file: &File) -> Result<(), String> {
    let mut ids = HashSet::new();
    let mut zones = HashSet::new();
    for list in &file.list {
        let wrong = |what: &str| Err(format!("dnsbl.toml: list {}: {what}", list.id));
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if list.id.is_empty() || !list.id.chars().all(plain) {
            return wrong("an id has lower case letters, digits and hyphens");
        }
        if !ids.insert(&list.id) {
            return wrong("the id is there twice");
        }
        for zone in list.zone.iter().chain(&list.other_zones) {
            if !is_name(zone) {
                return wrong(&format!("{zone} is no zone"));
            }
            if !zones.insert(zone) {
                return wrong(&format!("{zone} is there twice"));
            }
        }
        for phrase in &list.phrases {
            if phrase.trim().is_empty() {
                return wrong("an empty phrase matches everything");
            }
        }
    }
    for list in &file.list {
        if let Some(whole) = list.part_of.as_ref().filter(|id| !ids.contains(id)) {
            return Err(format!(
                "dnsbl.toml: list {}: part_of {whole} is no list",
                list.id
            ));
        }
    }
    Ok(())
}

/// What one entry alone can tell.
fn proper(list: &List) -> Result<(), String> {
    let one_of = |key: &str, value: &Option<String>, known: &[&str]| match value {
        Some(other) if !known.contains(&other.as_str()) => {
            Err(format!("{key} {other}: one of {known:?}"))
        }
        _ => Ok(()),
    };
    one_of("status", &list.status, &["alive", "dead"])?;
    one_of(
        "answers_now",
        &list.answers_now,
        &["nothing", "everything", "parked", "silence"],
    )?;
    one_of(
        "public_resolvers",
        &list.public_resolvers,
        &["allowed", "refused"],
    )?;
    one_of("decode", &list.decode, &["codes", "bits", "score"])?;
    one_of("name_form", &list.name_form, &["registered"])?;
    let dead = is(&list.status, "dead");
    if !dead && (list.sense.is_none() || list.weight.is_none() || list.subjects.is_empty()) {
        return Err("a living list has subjects, sense and weight".to_string());
    }
    if list.default && (dead || list.key || list.zone.is_none()) {
        return Err("only a list that can be asked by everybody is asked by default".to_string());
    }
    for point in list.points.listed.iter().chain(&list.points.clean) {
        if point.parse::<IpAddr>().is_err() && !is_name(point) {
            return Err(format!("test point {point}: no address and no name"));
        }
    }
    for url in list.removal_url.iter().chain(&list.lookup_url) {
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(format!("{url}: no link"));
        }
    }
    Ok(())
}

fn is(value: &Option<String>, what: &str) -> bool {
    value.as_deref() == Some(what)
}

fn write(list: &List, kinds: &[Kind]) -> Result<String, String> {
    proper(list)?;
    let mut out = format!(
        "List {{ id: {:?}, name: {:?}, zone: {:?}, other_zones: &{:?}, ",
        list.id, list.name, list.zone, list.other_zones
    );
    if is(&list.status, "dead") {
        let _ = write!(
            out,
            "dead: Some(Death {{ ended: {:?}, answers_now: {:?} }}), ",
            list.ended, list.answers_now
        );
    } else {
        out.push_str("dead: None, ");
    }
    let sense = list.sense.as_deref().unwrap_or("block");
    let public = list.public_resolvers.as_ref().map(|says| says == "allowed");
    let _ = write!(
        out,
        "{}purpose: &KIND_{}, sense: Sense::{}, weight: Weight::{}, \
         default: {}, key: {}, access: {:?}, public_resolvers: {public:?}, refusals: &[",
        subjects(&list.subjects)?,
        kind(&list.purpose, kinds)?,
        sense_of(sense)?,
        weight(list)?,
        list.default,
        list.key,
        list.access
    );
    for refusal in &list.refusals {
        let _ = write!(out, "{}, ", pattern(refusal)?);
    }
    let _ = write!(
        out,
        "], listed_points: &{:?}, clean_points: &{:?}, answers: &[",
        list.points.listed, list.points.clean
    );
    for one in &list.answers {
        out.push_str(&answer(one, sense, is(&list.decode, "bits"), kinds)?);
    }
    let _ = writeln!(
        out,
        "], part_of: {:?}, registered_only: {}, removal: {:?}, removal_url: {:?}, \
         lookup_url: {:?}, note: {:?} }},",
        list.part_of,
        is(&list.name_form, "registered"),
        list.removal,
        list.removal_url,
        list.lookup_url,
        list.note
    );
    Ok(out)
}

fn answer(answer: &Answer, sense: &str, bits: bool, kinds: &[Kind]) -> Result<String, String> {
    let pattern = match (&answer.is, answer.bit) {
        (Some(is), None) => pattern(is)?,
        (None, Some(bit)) if bits && bit.is_power_of_two() => format!("Pattern::Bit({bit})"),
        (None, Some(bit)) => return Err(format!("bit {bit}: not one bit, or no list of bits")),
        _ => return Err(format!("answer \"{}\": either `is` or `bit`", answer.means)),
    };
    let sense = sense_of(answer.sense.as_deref().unwrap_or(sense))?;
    let kind = match &answer.kind {
        Some(id) => format!("Some(&KIND_{})", kind(id, kinds)?),
        None => "None".to_string(),
    };
    let (means, part) = (&answer.means, &answer.part);
    Ok(format!(
        "Meaning {{ pattern: {pattern}, means: {means:?}, sense: Sense::{sense}, part: {part:?}, kind: {kind} }}, "
    ))
}

fn subjects(subjects: &[String]) -> Result<String, String> {
    // Hashes are in the data for the day when they are asked.
    const OTHERS: [&str; 5] = [
        "url-host",
        "url-hash",
        "email-hash",
        "domain-hash",
        "file-hash",
    ];
    for subject in subjects {
        let known = ["ipv4", "ipv6", "domain"].contains(&subject.as_str());
        if !known && !OTHERS.contains(&subject.as_str()) {
            return Err(format!("subject {subject} is unknown"));
        }
    }
    let has = |what: &str| subjects.iter().any(|s| s == what);
    Ok(format!(
        "subjects: Subjects {{ ipv4: {}, ipv6: {}, domain: {} }}, ",
        has("ipv4"),
        has("ipv6"),
        has("domain")
    ))
}

fn kind(id: &str, kinds: &[Kind]) -> Result<usize, String> {
    kinds
        .iter()
        .position(|kind| kind.id == id)
        .ok_or(format!("kind {id} is unknown"))
}

fn sense_of(id: &str) -> Result<&'static str, String> {
    Ok(match id {
        "block" => "Block",
        "policy" => "Policy",
        "allow" => "Allow",
        "info" => "Info",
        "mixed" => "Mixed",
        "abused" => "Abused",
        "error" => "Error",
        _ => return Err(format!("sense {id} is unknown")),
    })
}

fn weight(list: &List) -> Result<&'static str, String> {
    Ok(match list.weight.as_deref() {
        None | Some("none") => "None",
        Some("info") => "Info",
        Some("low") => "Low",
        Some("medium") => "Medium",
        Some("high") => "High",
        Some(other) => return Err(format!("weight {other} is unknown")),
    })
}

/// One address, `a-b`, `a/n` or `127.0.*.n`, all within 127.0.0.0/8.
fn pattern(text: &str) -> Result<String, String> {
    let address = |text: &str| -> Result<u32, String> {
        let ip: Ipv4Addr = text
            .parse()
            .map_err(|_| format!("code {text}: no address"))?;
        if !ip.is_loopback() {
            return Err(format!("code {text}: not in 127.0.0.0/8"));
        }
        Ok(u32::from(ip))
    };
    if let Some((first, last)) = text.split_once('-') {
        let (first, last) = (address(first)?, address(last)?);
        if first > last {
            return Err(format!("code {text}: the wrong way round"));
        }
        return Ok(format!("Pattern::Range({first}, {last})"));
    }
    if let Some((base, length)) = text.split_once('/') {
        let length: u32 = length
            .parse()
            .map_err(|_| format!("code {text}: no CIDR"))?;
        let hosts = u32::MAX
            .checked_shr(length)
            .ok_or(format!("code {text}: no CIDR"))?;
        let base = address(base)?;
        if length < 8 || base & hosts != 0 {
            return Err(format!("code {text}: no CIDR within 127.0.0.0/8"));
        }
        return Ok(format!("Pattern::Range({base}, {})", base | hosts));
    }
    if text.contains('*') {
        let (mut mask, mut value) = (0u32, 0u32);
        let octets: Vec<_> = text.split('.').collect();
        if octets.len() != 4 || octets.first() != Some(&"127") {
            return Err(format!(
                "code {text}: four numbers, of which the first is 127"
            ));
        }
        for octet in octets {
            mask <<= 8;
            value <<= 8;
            if octet != "*" {
                mask |= 0xff;
                value |= u32::from(
                    octet
                        .parse::<u8>()
                        .map_err(|_| format!("code {text}: no address"))?,
                );
            }
        }
        return Ok(format!("Pattern::Masked({mask}, {value})"));
    }
    let one = address(text)?;
    Ok(format!("Pattern::Range({one}, {one})"))
}

fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
    };
    !text.is_empty() && text.len() <= 200 && text.split('.').all(label)
}
