//! `dnsbl` and `dnsbl --catalogue` as JSON; the keys are those of the contract.

use std::fmt::Write as _;

use serde::Serialize;

use crate::dnsbl::advice::{self, Advice};
use crate::dnsbl::catalogue::{List, Sense, Weight};
use crate::dnsbl::verdict::{Finding, Verdict};
use crate::report::safe::is_hidden;
use crate::scope::Scope;

#[derive(Serialize)]
struct Line<'f> {
    schema: &'static str,
    target: String,
    kind: &'static str,
    scope: Option<&'static str>,
    from: Option<&'f str>,
    results: Vec<Entry<'f>>,
    listed: usize,
    asked: usize,
    answered: usize,
    worst: Option<&'static str>,
    advice: Option<Words<'f>>,
    remark: Option<&'f str>,
    error: Option<&'f str>,
}

#[derive(Serialize)]
struct Words<'f> {
    meaning: &'f str,
    steps: &'f [String],
}

#[derive(Serialize)]
struct Entry<'f> {
    list: &'f str,
    name: &'f str,
    zone: &'f str,
    status: &'static str,
    codes: Vec<String>,
    meanings: Vec<&'f str>,
    parts: Vec<&'static str>,
    txt: Vec<String>,
    weight: &'static str,
    policy: bool,
    matched: Option<&'f str>,
    removal_url: Option<String>,
    lookup_url: Option<String>,
    ttl_s: Option<u32>,
    ms: Option<f64>,
    note: Option<&'f str>,
}

/// One subject, one line. `remark` is what else is to be known; `error` says why nothing could
/// be determined.
pub fn finding(
    finding: &Finding,
    advice: Option<&Advice>,
    remark: Option<&str>,
    error: Option<&str>,
) -> serde_json::Result<String> {
    serde_json::to_string(&Line {
        schema: "mailtrace/dnsbl/1",
        target: finding.subject.to_string(),
        kind: finding.subject.kind(),
        scope: finding.scope.map(Scope::id),
        from: finding.from.as_deref(),
        results: finding.verdicts.iter().map(|v| entry(v, finding)).collect(),
        listed: finding.listed(),
        asked: finding.asked(),
        answered: finding.answered(),
        worst: finding.worst().map(Weight::id),
        advice: advice.map(|a| Words {
            meaning: &a.meaning,
            steps: &a.steps,
        }),
        remark,
        error,
    })
    .map(hidden)
}

/// What steers a terminal is escaped in JSON as well, where serde leaves it: somebody may print it.
fn hidden(line: String) -> String {
    if !line.chars().any(is_hidden) {
        return line;
    }
    let mut out = String::with_capacity(line.len() + 16);
    for c in line.chars() {
        let mut units = [0; 2];
        if is_hidden(c) {
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn entry<'f>(verdict: &'f Verdict, finding: &Finding) -> Entry<'f> {
    let source = &verdict.source;
    let link = |url: Option<&'static str>| url.map(|url| advice::filled(url, finding));
    let mut parts: Vec<_> = verdict
        .meanings
        .iter()
        .filter_map(|said| said.part)
        .collect();
    parts.dedup();
    Entry {
        list: &source.id,
        name: &source.name,
        zone: &source.shown,
        status: verdict.status.id(),
        codes: verdict.codes.iter().map(ToString::to_string).collect(),
        meanings: verdict
            .meanings
            .iter()
            .map(|said| said.means.as_str())
            .collect(),
        parts,
        txt: verdict
            .texts
            .iter()
            .map(|t| String::from_utf8_lossy(t).into_owned())
            .collect(),
        weight: source.weight.id(),
        policy: verdict.is_policy(),
        matched: verdict.matched.as_ref().map(crate::dns::Name::as_str),
        removal_url: link(source.list.and_then(|list| list.removal_url)),
        lookup_url: link(source.list.and_then(|list| list.lookup_url)),
        ttl_s: verdict.ttl,
        // Microseconds are noise; a tenth of a millisecond tells a cache from a server.
        ms: verdict
            .took
            .map(|took| (took.as_secs_f64() * 10_000.0).round() / 10.0),
        note: verdict.note.as_deref(),
    }
}

/// A target that could not be looked at.
pub fn failed(target: &str, error: &str) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Failed<'f> {
        schema: &'static str,
        target: &'f str,
        results: [(); 0],
        listed: usize,
        asked: usize,
        error: &'f str,
    }
    let schema = "mailtrace/dnsbl/1";
    serde_json::to_string(&Failed {
        schema,
        target,
        results: [],
        listed: 0,
        asked: 0,
        error,
    })
}

#[derive(Serialize)]
struct Known {
    schema: &'static str,
    list: &'static str,
    name: &'static str,
    zone: Option<&'static str>,
    other_zones: &'static [&'static str],
    status: &'static str,
    ended: Option<&'static str>,
    answers_now: Option<&'static str>,
    subjects: Vec<&'static str>,
    purpose: &'static str,
    sense: &'static str,
    weight: &'static str,
    default: bool,
    key: bool,
    access: Option<&'static str>,
    public_resolvers: Option<&'static str>,
    part_of: Option<&'static str>,
    answers: Vec<Code>,
    removal: Option<&'static str>,
    removal_url: Option<&'static str>,
    lookup_url: Option<&'static str>,
    note: Option<&'static str>,
}

#[derive(Serialize)]
struct Code {
    #[serde(rename = "match")]
    pattern: String,
    means: &'static str,
    sense: &'static str,
}

/// One list of the catalogue, one line.
pub fn list(list: &'static List) -> serde_json::Result<String> {
    let answers = list.answers.iter().map(|answer| Code {
        pattern: answer.pattern.to_string(),
        means: answer.means,
        sense: if answer.sense == Sense::Mixed {
            Sense::Block
        } else {
            answer.sense
        }
        .id(),
    });
    serde_json::to_string(&Known {
        schema: "mailtrace/dnsbl-catalogue/1",
        list: list.id,
        name: list.name,
        zone: list.zone,
        other_zones: list.other_zones,
        status: if list.dead.is_some() { "dead" } else { "alive" },
        ended: list.dead.and_then(|death| death.ended),
        answers_now: list.dead.and_then(|death| death.answers_now),
        subjects: list.subjects.ids(),
        purpose: list.purpose.id,
        sense: list.sense.id(),
        weight: list.weight.id(),
        default: list.default,
        key: list.key,
        access: list.access,
        public_resolvers: list
            .public_resolvers
            .map(|ok| if ok { "allowed" } else { "refused" }),
        part_of: list.part_of,
        answers: answers.collect(),
        removal: list.removal,
        removal_url: list.removal_url,
        lookup_url: list.lookup_url,
        note: list.note,
    })
}
