//! What filters wrote into the header, in words: Exchange and Microsoft 365, SpamAssassin,
//! rspamd, Barracuda, Proofpoint, Mimecast, IronPort and others. All knowledge is in
//! `data/filter-fields.toml`.

use crate::message::layer::Head;
use crate::route::finding::Severity::{self, Info, Warning};
use crate::route::hop::cut;
use crate::route::received::{unfold, words};

/// How a field is written.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    /// `KEY:VALUE;KEY:VALUE;` (Microsoft).
    Pairs,
    /// One value of a Microsoft key.
    Value(&'static str),
    /// `Yes, score=7.1 required=5.0 tests=…` (SpamAssassin).
    Status,
    /// `default: False [1.50 / 15.00]; …` (rspamd).
    Rspamd,
    /// `YES` or `NO`.
    Flag,
    /// A number with a limit above which it is spam.
    Score(f32),
    /// Shown with its meaning.
    Plain,
}

include!(concat!(env!("OUT_DIR"), "/filter_fields.rs"));

/// One thing that a filter says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The header field.
    pub field: &'static str,
    /// The key within it, such as `SCL`.
    pub key: Option<String>,
    /// The value as written.
    pub value: String,
    /// What it means, in plain words.
    pub meaning: String,
    /// How much it matters.
    pub severity: Severity,
}

const MAX_VERDICTS: usize = 60;
const MAX_VALUE: usize = 300;

/// Reads every field of a filter.
pub(crate) fn read(head: &Head<'_>) -> Vec<Verdict> {
    let mut found = Vec::new();
    for field in &head.fields {
        // All of them are X- fields but one; a look at the first letter spares the table.
        if !matches!(
            field.name.as_bytes().first(),
            Some(b'X' | b'x' | b'F' | b'f')
        ) {
            continue;
        }
        let known = FIELDS
            .iter()
            .find(|(name, _, _)| name.eq_ignore_ascii_case(&field.name));
        let Some((name, form, about)) = known else {
            continue;
        };
        if found.len() >= MAX_VERDICTS {
            break;
        }
        let body = unfold(&field.body);
        decode(name, *form, about, &body, &mut found);
    }
    found
}

fn decode(field: &'static str, form: Form, about: &str, body: &str, found: &mut Vec<Verdict>) {
    let mut say = |key: Option<&str>, value: &str, severity: Severity, meaning: String| {
        found.push(Verdict {
            field,
            key: key.map(|k| cut(k, MAX_VALUE)),
            value: cut(value, MAX_VALUE),
            meaning,
            severity,
        });
    };
    let (severity, meaning) = match form {
        Form::Pairs => {
            for pair in body.split(';').take(MAX_VERDICTS) {
                let Some((key, value)) = pair.trim().split_once(':') else {
                    continue;
                };
                let value = value.trim();
                // Empty values and `(null)` say nothing.
                if value.is_empty() || value == "(null)" {
                    continue;
                }
                if let Some((severity, meaning)) = microsoft(key, value) {
                    say(Some(key), value, severity, meaning.to_owned());
                }
            }
            return;
        }
        Form::Value(key) => {
            if let Some((severity, meaning)) = microsoft(key, body) {
                say(Some(key), body, severity, meaning.to_owned());
            }
            return;
        }
        Form::Status => status(about, body),
        Form::Rspamd => rspamd(about, body),
        Form::Flag => {
            let yes = words::after(body, "yes").is_some() || words::after(body, "true").is_some();
            (
                weight(yes),
                format!("{about}: {}", if yes { "yes" } else { "no" }),
            )
        }
        Form::Score(limit) => {
            let score = body.split(' ').next().and_then(|n| n.parse::<f32>().ok());
            let meaning = format!("{about}, spam from about {limit}");
            (weight(score.is_some_and(|n| n >= limit)), meaning)
        }
        Form::Plain => (Info, about.to_owned()),
    };
    say(None, body, severity, meaning);
}

fn weight(spam: bool) -> Severity {
    if spam { Warning } else { Info }
}

fn named(spam: bool) -> &'static str {
    if spam { "spam" } else { "not spam" }
}

/// `Yes, score=7.1 required=5.0 tests=…`.
fn status(about: &str, body: &str) -> (Severity, String) {
    let spam = words::after(body, "yes").is_some();
    let get = |name: &str| {
        let at = words::find(body, name)? + name.len();
        body.get(at..)?
            .split([' ', ',', ';'])
            .next()
            .filter(|v| !v.is_empty())
    };
    let score = get("score=").or_else(|| get("hits="));
    let required = get("required=").or_else(|| get("TAG_LEVEL="));
    let figures = match (score, required) {
        (Some(s), Some(r)) => format!(" ({s} points, spam from {r})"),
        (Some(s), None) => format!(" ({s} points)"),
        _ => String::new(),
    };
    (weight(spam), format!("{about}: {}{figures}", named(spam)))
}

/// `default: False [1.50 / 15.00]; …`.
fn rspamd(about: &str, body: &str) -> (Severity, String) {
    let spam = words::find(body, ": true").is_some();
    let figures = body
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'));
    let points = figures
        .map(|(f, _)| format!(" ({} points)", f.trim().replace(" / ", " of ")))
        .unwrap_or_default();
    (weight(spam), format!("{about}: {}{points}", named(spam)))
}

fn microsoft(key: &str, value: &str) -> Option<(Severity, &'static str)> {
    let means = |v: &&str| *v == "*" || v.eq_ignore_ascii_case(value);
    MICROSOFT
        .iter()
        .find(|(k, values, _, _)| k.eq_ignore_ascii_case(key) && values.iter().any(&means))
        .map(|(_, _, severity, meaning)| (*severity, *meaning))
}

/// Microsoft's composite authentication, by the start of its reason code.
pub(crate) fn compauth(reason: &str) -> Option<&'static str> {
    let known = COMPAUTH.iter().find(|(code, _)| reason.starts_with(code));
    known.map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(head: &str) -> Vec<(String, Severity)> {
        let head = format!("{head}\n\n");
        let all = read(&Head::parse(head.as_bytes()));
        all.into_iter()
            .map(|v| {
                (
                    format!("{} {}", v.key.unwrap_or_default(), v.meaning)
                        .trim()
                        .to_owned(),
                    v.severity,
                )
            })
            .collect()
    }

    #[test]
    fn microsofts_report_is_told_in_words() {
        let all = said(
            "X-Forefront-Antispam-Report: CIP:192.0.2.1;CTRY:DE;LANG:en;SCL:9;SRV:;IPV:NLI;SFV:SPM;H:mail;PTR:(null);CAT:HSPM;SFS:(1)(2);DIR:INB",
        );
        assert!(all.contains(&("SCL spam with high confidence".into(), Warning)));
        assert!(all.contains(&("CTRY the country of that address".into(), Info)));
        assert!(all.contains(&("IPV the address is on no reputation list".into(), Info)));
        assert!(
            !all.iter()
                .any(|(t, _)| t.starts_with("PTR") || t.starts_with("SFS"))
        );
    }

    #[test]
    fn scores_of_other_filters_are_told_in_words() {
        for (field, wanted, severity) in [
            (
                "X-Spam-Status: Yes, score=7.1 required=5.0 tests=A,B",
                "SpamAssassin: spam (7.1 points, spam from 5.0)",
                Warning,
            ),
            (
                "X-Spam-Status: No, hits=-1.2 required=5.0",
                "SpamAssassin: not spam (-1.2 points, spam from 5.0)",
                Info,
            ),
            (
                "X-Spamd-Result: default: False [1.50 / 15.00]; A(1.0)[]",
                "rspamd: not spam (1.50 of 15.00 points)",
                Info,
            ),
            ("X-Spam-Flag: YES", "spam flag: yes", Warning),
            (
                "X-Barracuda-Spam-Score: 6.20",
                "Barracuda's score, spam from about 5",
                Warning,
            ),
            (
                "X-MS-Exchange-Organization-AuthAs: Anonymous",
                "AuthAs the sender is from outside and not authenticated",
                Info,
            ),
        ] {
            assert_eq!(said(field), [(wanted.to_owned(), severity)], "{field}");
        }
        assert_eq!(compauth("001").map(|w| w.starts_with("failed")), Some(true));
        assert_eq!(compauth("130"), Some("passed"));
    }
}
