//! The fields themselves: what `Authentication-Results`, `Received-SPF`, `DKIM-Signature` and the ARC
//! fields state, taken apart.

use super::{Arc, MAX_FIELDS, MAX_TEXT, Outcome, Own, Seal, Signature, Spf};
use crate::message::layer::Head;
use crate::route::hop::cut;
use crate::route::received::scan::{Kind, scan};
use crate::route::received::{unfold, words};

/// More methods or tags in one field than this are no honest field.
const MAX_PARTS: usize = 60;

pub(super) fn domain_of(address: &str) -> &str {
    let address = address.trim_matches(['<', '>', '"']);
    address
        .rsplit_once('@')
        .map_or(address, |(_, domain)| domain)
}

/// The results of one field: `authserv-id [version]; method=result … ; …`.
pub(super) fn outcomes(body: &str, instance: Option<u32>, own: &Own<'_>) -> Vec<Outcome> {
    let parts = split(body);
    let mut parts = parts.iter().peekable();
    let mut by = None;
    if let Some(first) = parts.peek()
        && first.words.first().is_none_or(|w| !w.contains('='))
    {
        by = first
            .words
            .first()
            .map(|w| cut(w.trim_matches('"'), MAX_TEXT));
        parts.next();
    }
    let trusted = instance.is_none() && own.is(by.as_deref());
    let mut found = Vec::new();
    for part in parts {
        let mut said = part.words.iter();
        let Some((method, result)) = said.next().and_then(|w| w.split_once('=')) else {
            continue;
        };
        let method = method.split('/').next().unwrap_or(method);
        let properties = said.filter_map(|w| w.split_once('=')).map(|(k, v)| {
            (
                cut(&k.to_ascii_lowercase(), MAX_TEXT),
                cut(v.trim_matches('"'), MAX_TEXT),
            )
        });
        found.push(Outcome {
            by: by.clone(),
            trusted,
            instance,
            method: cut(&method.to_ascii_lowercase(), MAX_TEXT),
            result: cut(&result.to_ascii_lowercase(), MAX_TEXT),
            properties: properties.collect(),
            comment: part.comment.map(|c| cut(c, MAX_TEXT)),
        });
    }
    found
}

/// One part between semicolons: its words, and its first comment.
#[derive(Default)]
struct Part<'x> {
    words: Vec<&'x str>,
    comment: Option<&'x str>,
}

/// Takes a field apart at semicolons outside comments and quotes.
fn split(body: &str) -> Vec<Part<'_>> {
    let mut parts = vec![Part::default()];
    for token in scan(body) {
        let Some(part) = parts.last_mut() else { break };
        match token.kind {
            Kind::Word => part.words.push(token.text),
            Kind::Comment => part.comment = part.comment.or(Some(token.text)),
            Kind::Semicolon if parts.len() < MAX_PARTS => parts.push(Part::default()),
            Kind::Semicolon => break,
        }
    }
    parts
}

/// `pass (mx.example: …) client-ip=192.0.2.1; envelope-from=…; helo=…`.
pub(super) fn received_spf(body: &str, own: &Own<'_>) -> Option<Spf> {
    let parts = split(body);
    let result = parts.first()?.words.first()?.to_ascii_lowercase();
    let known = [
        "pass",
        "fail",
        "softfail",
        "neutral",
        "none",
        "temperror",
        "permerror",
        "error",
    ];
    if !known.contains(&result.as_str()) {
        return None;
    }
    let pairs = parts
        .iter()
        .flat_map(|p| p.words.iter())
        .filter_map(|w| w.split_once('='));
    let get = |name: &str| {
        let found = pairs.clone().find(|(k, _)| k.eq_ignore_ascii_case(name));
        found.map(|(_, v)| v.trim_matches(['"', '<', '>']))
    };
    let comment = parts.first()?.comment.unwrap_or_default();
    let by = get("receiver").map(str::to_owned).or_else(|| {
        comment
            .split_once(':')
            .map(|(by, _)| by.trim().to_owned())
            .filter(|b| words::host_name(b).is_some())
    });
    let who = get("envelope-from")
        .filter(|v| !v.is_empty())
        .or_else(|| get("helo"));
    let trusted = by.as_deref().is_some_and(|by| own.is(Some(by)));
    let in_comment = || {
        comment
            .split([' ', '(', ')'])
            .filter(|w| !w.is_empty())
            .find_map(words::address)
    };
    Some(Spf {
        result,
        domain: who.map(domain_of).map(|d| cut(d, MAX_TEXT)),
        ip: get("client-ip")
            .and_then(words::address)
            .or_else(in_comment),
        by: by.map(|b| cut(&b, MAX_TEXT)),
        trusted,
        aligned: false,
    })
}

/// The tags of a `tag=value; …` list (RFC 6376 §3.2), blanks within values taken out.
fn tags(body: &str) -> Vec<(&str, String)> {
    body.split(';')
        .take(MAX_PARTS)
        .filter_map(|tag| tag.split_once('='))
        .map(|(k, v)| (k.trim(), v.split_ascii_whitespace().collect::<String>()))
        .collect()
}

pub(super) fn signature(body: &str) -> Signature {
    let tags = tags(body);
    let get = |name: &str| {
        tags.iter()
            .find(|(k, _)| *k == name)
            .map(|(_, v)| v.as_str())
    };
    let text = |name: &str| get(name).map(|v| cut(v, MAX_TEXT)).unwrap_or_default();
    Signature {
        domain: text("d"),
        selector: text("s"),
        algorithm: text("a"),
        signed_at: get("t").and_then(|t| t.parse().ok()),
        expires_at: get("x").and_then(|x| x.parse().ok()),
        headers: get("h")
            .map(|h| {
                h.split(':')
                    .take(MAX_PARTS)
                    .map(str::to_ascii_lowercase)
                    .collect()
            })
            .unwrap_or_default(),
        body_length: get("l").and_then(|l| l.parse().ok()),
        result: None,
        aligned: false,
    }
}

pub(super) fn arc(head: &Head<'_>, results: &mut Vec<Outcome>) -> Option<Arc> {
    const FIELDS: [&str; 3] = [
        "ARC-Authentication-Results",
        "ARC-Message-Signature",
        "ARC-Seal",
    ];
    let mut sets: Vec<Seal> = Vec::new();
    for (kind, name) in FIELDS.iter().enumerate() {
        for field in head.all(name).take(MAX_FIELDS) {
            let body = unfold(&field.body);
            let listed = tags(&body);
            let get = |tag: &str| {
                listed
                    .iter()
                    .find(|(k, _)| *k == tag)
                    .map(|(_, v)| v.as_str())
            };
            let Some(instance) = get("i").and_then(|i| i.parse::<u32>().ok()) else {
                continue;
            };
            let at = sets.iter().position(|s| s.instance == instance);
            let at = at.unwrap_or_else(|| {
                sets.push(Seal {
                    instance,
                    ..Seal::default()
                });
                sets.len() - 1
            });
            let Some(set) = sets.get_mut(at) else {
                continue;
            };
            if let Some(times) = set.fields.get_mut(kind) {
                *times = times.saturating_add(1);
            }
            match kind {
                0 => {
                    let rest = body.split_once(';').map_or("", |(_, rest)| rest);
                    results.extend(outcomes(rest.trim(), Some(instance), &Own::default()));
                }
                2 => {
                    set.domain = get("d").map(|d| cut(d, MAX_TEXT));
                    set.cv = get("cv").map(|c| cut(&c.to_ascii_lowercase(), MAX_TEXT));
                    set.time = get("t").and_then(|t| t.parse().ok());
                }
                _ => set.expires_at = get("x").and_then(|x| x.parse().ok()),
            }
        }
    }
    if sets.is_empty() {
        return None;
    }
    sets.sort_by_key(|s| s.instance);
    let gapless = sets
        .iter()
        .zip(1..)
        .all(|(s, n)| s.instance == n && s.fields == [1; 3]);
    let cv = sets.last().and_then(|s| s.cv.clone());
    Some(Arc {
        complete: gapless,
        cv,
        sets,
    })
}
