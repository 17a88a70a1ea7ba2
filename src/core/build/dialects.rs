//! Makes the tables of the notice readers: the phrases of `phrases.toml` and the dialects of
//! `dialects.toml` in one scanner per place (body, Subject, From), labels, and fields.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::{emit, literals};

#[path = "../bounce/notice/names.rs"]
mod names;

/// The roles of phrases in the body, in the order of their bits; the label lists are apart.
const ROLES: [&str; 18] = [
    "cut",
    "delay",
    "final",
    "expired",
    "delivered",
    "relayed",
    "expanded",
    "before",
    "author",
    "fail",
    "challenge",
    "complaint",
    "vacation",
    "instruct",
    "arrived",
    "until",
    "left",
    "statistics",
];
/// The roles of phrases in the subject.
const SUBJECT_ROLES: [&str; 8] = [
    "failed",
    "delayed",
    "delivered",
    "auto",
    "challenge",
    "complaint",
    "answer",
    "digest",
];

/// The roles of phrases in the mails of people who tell of a failure.
const TOLD_ROLES: [&str; 2] = ["came_back", "own"];

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Phrases {
    body: BTreeMap<String, Vec<String>>,
    subject: BTreeMap<String, Vec<String>>,
    told: BTreeMap<String, Vec<String>>,
    from: BTreeMap<String, Vec<String>>,
}

#[derive(serde::Deserialize)]
struct Dialects {
    dialect: Vec<Dialect>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Dialect {
    id: String,
    name: String,
    /// The dialect that this one is a relative of: its marks count for this one as well.
    like: Option<String>,
    #[serde(default)]
    body: Vec<String>,
    #[serde(default)]
    from: Vec<String>,
    #[serde(default)]
    subject: Vec<String>,
    #[serde(default)]
    head: Vec<String>,
    sample: String,
    says: Vec<String>,
}

/// A phrase's roles, and the dialects that it speaks for.
#[derive(Default)]
struct Meaning {
    roles: u32,
    dialects: Vec<usize>,
}

#[derive(Default)]
struct Table(BTreeMap<String, Meaning>);

impl Table {
    fn meaning(&mut self, phrase: &str) -> &mut Meaning {
        self.0.entry(phrase.to_ascii_lowercase()).or_default()
    }

    /// Adds the lists of phrases that mean these roles.
    fn add(&mut self, lists: &BTreeMap<String, Vec<String>>, roles: &[&str]) -> Result<(), String> {
        for (bit, role) in roles.iter().enumerate() {
            let list = lists
                .get(*role)
                .ok_or(format!("phrases.toml: no list {role:?}"))?;
            for phrase in list.iter().flat_map(|p| variants(p)) {
                self.meaning(&phrase).roles |= 1 << bit;
            }
        }
        Ok(())
    }

    /// Adds phrases that speak for a dialect.
    fn speaks_for(&mut self, dialect: usize, phrases: &[String]) {
        for phrase in phrases.iter().flat_map(|p| variants(p)) {
            let known = &mut self.meaning(&phrase).dialects;
            if !known.contains(&dialect) {
                known.push(dialect);
            }
        }
    }

    fn source(&self, name: &str) -> Result<String, String> {
        let words: Vec<String> = self.0.keys().cloned().collect();
        let mut out = literals::table(name, &words, literals::NOTICES)?;
        let _ = write!(out, "pub(super) static {name}_MEANS: &[(u32, &[u8])] = &[");
        for meaning in self.0.values() {
            let _ = write!(
                out,
                "({}, &{}),",
                meaning.roles,
                emit::numbers(&meaning.dialects)
            );
        }
        out.push_str("];\n");
        Ok(out)
    }
}

/// The scanner folds the case of ASCII alone: a phrase that begins with another letter is looked
/// for with a capital as well.
fn variants(phrase: &str) -> Vec<String> {
    let mut chars = phrase.chars();
    let Some(first) = chars.next().filter(|c| !c.is_ascii()) else {
        return vec![phrase.to_owned()];
    };
    let capital: String = first.to_uppercase().chain(chars).collect();
    if capital == phrase {
        vec![capital]
    } else {
        vec![phrase.to_owned(), capital]
    }
}

/// Rust source of all tables.
pub(crate) fn tables() -> Result<String, String> {
    let phrases: Phrases = emit::read("phrases.toml")?;
    let Dialects { dialect: dialects } = emit::read("dialects.toml")?;
    let (mut body, mut subject, mut from) = (Table::default(), Table::default(), Table::default());
    body.add(&phrases.body, &ROLES)?;
    subject.add(&phrases.subject, &SUBJECT_ROLES)?;
    from.add(&phrases.from, &["daemon"])?;
    let mut told = Table::default();
    told.add(&phrases.told, &TOLD_ROLES)?;
    let mut heads = Vec::new();
    for (i, dialect) in dialects.iter().enumerate() {
        for source in related(dialect, dialects.get(..i).unwrap_or_default())? {
            body.speaks_for(i, &source.body);
            from.speaks_for(i, &source.from);
            subject.speaks_for(i, &source.subject);
            for head in &source.head {
                let (name, value) = head.split_once(": ").unwrap_or((head, ""));
                heads.push((name.to_ascii_lowercase(), value.to_ascii_lowercase(), i));
            }
        }
    }
    heads.sort();
    let mut out = bits("", &ROLES) + &bits("S_", &SUBJECT_ROLES) + &bits("TOLD_", &TOLD_ROLES);
    out += &told.source("TOLD")?;
    out += &body.source("BODY")?;
    out += &subject.source("SUBJECT")?;
    out += &from.source("FROM")?;
    out += &head_texts(&heads)?;
    out += &head_names(&heads);
    out += &labels("RECIPIENT_LABELS", phrases.body.get("recipient"))?;
    out += &labels("REASON_LABELS", phrases.body.get("reason"))?;
    out += &labels("BEFORE_SENDERS", phrases.body.get("before_sender"))?;
    out += &labels("BEFORE_ADDRESSED", phrases.body.get("before_addressed"))?;
    out += &labels("SERVICE_MAILBOXES", phrases.body.get("service"))?;
    let ids: Vec<(&str, &str)> = dialects.iter().map(|d| (&*d.id, &*d.name)).collect();
    let samples: Vec<_> = dialects
        .iter()
        .map(|d| (&d.id, &d.sample, &d.says))
        .collect();
    let samples = format!("{samples:?}").replace(", [", ", &[");
    let _ = writeln!(
        out,
        "pub(super) static DIALECTS: &[(&str, &str)] = &{ids:?};\n\
         #[cfg(test)]\npub(super) static SAMPLES: &[(&str, &str, &[&str])] = &{samples};"
    );
    Ok(out)
}

/// A dialect and the one that it is like, which must stand before it.
fn related<'a>(dialect: &'a Dialect, before: &'a [Dialect]) -> Result<Vec<&'a Dialect>, String> {
    let id = &dialect.id;
    let find = |id: &str| before.iter().find(|d| d.id == id);
    if find(id).is_some() || dialect.says.is_empty() || dialect.sample.is_empty() {
        return Err(format!(
            "dialects.toml: {id}: twice, or without sample and says"
        ));
    }
    let mut all = vec![dialect];
    if let Some(like) = &dialect.like {
        all.push(find(like).ok_or(format!(
            "dialects.toml: {id}: {like:?} does not stand before it"
        ))?);
    }
    Ok(all)
}

/// A constant for each role.
fn bits(prefix: &str, roles: &[&str]) -> String {
    let mut out = String::new();
    for (bit, role) in roles.iter().enumerate() {
        let _ = writeln!(
            out,
            "pub(super) const {prefix}{}: u32 = {};",
            role.to_uppercase(),
            1 << bit
        );
    }
    out
}

/// A header field that speaks for a dialect: name, text in its value, dialect.
type Head = (String, String, usize);

/// The texts that values must hold, found in one scan; no text is the number after the last.
fn head_texts(heads: &[Head]) -> Result<String, String> {
    let mut texts: Vec<String> = heads.iter().map(|(_, text, _)| text.clone()).collect();
    texts.retain(|text| !text.is_empty());
    texts.sort();
    texts.dedup();
    let mut out = literals::table("HEAD_TEXTS", &texts, literals::NOTICES)?;
    let _ = writeln!(out, "pub(super) static HEADS: &[(usize, u8)] = &[");
    for (_, text, dialect) in heads {
        let text = texts.iter().position(|t| t == text).unwrap_or(texts.len());
        let _ = write!(out, "({text}, {dialect}),");
    }
    Ok(out + "];\n")
}

/// Each name with its stretch of the list, found by its shape.
fn head_names(heads: &[Head]) -> String {
    let mut names: Vec<_> = heads.iter().map(|(name, ..)| name).collect();
    names.dedup();
    let mut names: Vec<_> = names
        .into_iter()
        .map(|name| {
            let from = heads.partition_point(|h| h.0 < *name);
            let to = heads.partition_point(|h| h.0 <= *name);
            (names::shape(name), name, from, to)
        })
        .collect();
    names.sort_unstable();
    let slots = (0..names::SHAPES).map(|shape| {
        let first = names.iter().position(|known| known.0 == shape);
        first.map_or(0, |at| at + 1)
    });
    format!(
        "pub(super) static HEAD_NAMES: &[(usize, &str, usize, usize)] = &{names:?};\n\
         /// For each shape of a name its first place in [`HEAD_NAMES`], plus one; 0 for none.\n\
         pub(super) static HEAD_SLOTS: [u8; {}] = {};\n",
        names::SHAPES,
        emit::numbers(slots)
    )
}

/// A sorted list of labels.
fn labels(name: &str, list: Option<&Vec<String>>) -> Result<String, String> {
    let list = list.ok_or(format!("phrases.toml: no list for {name}"))?;
    let mut labels: Vec<String> = list
        .iter()
        .flat_map(|l| variants(l))
        .map(|l| l.to_ascii_lowercase())
        .collect();
    labels.sort();
    labels.dedup();
    Ok(format!(
        "pub(super) static {name}: &[&str] = &{};\n",
        emit::strings(labels)
    ))
}
