//! Records in JSON, as sending services post them and some servers log them. What the values are
//! called is knowledge (`data/log-keys.toml`); where they stand is not asked, since every service
//! nests them its own way.
//!
//! A log cuts long lines and a person copies half of one, so this is no parser that refuses: it
//! takes the names and values as they come.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::bounce::explanation::Action;
use crate::message::status::EnhancedCode;

use super::log::{Logged, logged, outcome, peer};
use super::{Place, find};

include!(concat!(env!("OUT_DIR"), "/log_json.rs"));

/// Values of one record that are looked at.
const MOST: usize = 200;

/// What a record says.
#[derive(Debug, Default)]
pub(crate) struct Record {
    recipient: Option<String>,
    host: Option<String>,
    ip: Option<IpAddr>,
    status: Option<EnhancedCode>,
    outcome: Option<(Action, bool)>,
    words: String,
}

impl Record {
    /// Reads the record in a line; `None` when there is none or it tells of no delivery.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let start = memchr::memchr_iter(b'{', line.as_bytes()).find(|&at| {
            let rest = line.get(at + 1..).unwrap_or_default();
            rest.trim_start().starts_with('"')
        })?;
        // A reply that holds such signs is a reply.
        if find(line.get(..start)?).code.is_some() {
            return None;
        }
        let values = Values::of(line.get(start..)?);
        let record = Self::of(&values);
        (record.recipient.is_some() || record.outcome.is_some() || said(&record.words))
            .then_some(record)
    }

    fn of(values: &Values<'_>) -> Self {
        let address = |text: &str| text.contains('@') && !text.contains(' ');
        let host = |text: &str| peer(text).0.is_some() || peer(text).1.is_some();
        let (host, ip) = values.first(HOST, host).map(peer).unwrap_or_default();
        let status = values
            .like(STATUS)
            .find_map(|text| Some(EnhancedCode::parse_prefix(text.as_bytes())?.0))
            .or_else(|| values.spelled());
        let mut sentences = values.like(WORDS).filter(|text| text.contains(' '));
        let words = (values.like(WORDS).find(|text| said(text)))
            .or_else(|| sentences.next())
            .or_else(|| values.first(WORDS, |text| outcome(text).is_none()))
            .unwrap_or_default();
        let code = values
            .like(CODE)
            .find(|text| text.len() == 3 && super::digits(text.as_bytes(), 0).is_some());
        let words = match code.filter(|_| Place::of(words).code.is_none()) {
            Some(code) => match values.spelled() {
                Some(status) => format!("{code} {status} {words}"),
                None => format!("{code} {words}"),
            },
            None => words.to_owned(),
        };
        let action = values.all(OUTCOME).find_map(outcome);
        Self {
            recipient: values.first(RECIPIENT, address).map(|text| {
                let inside = text.trim_matches(['<', '>']);
                inside.to_owned()
            }),
            host: host.map(str::to_owned),
            ip: ip.or_else(|| values.all(IP).find_map(|text| text.parse().ok())),
            status,
            outcome: action,
            words,
        }
    }

    /// The words that say why, or the line of text that the record carries.
    pub(crate) fn words(&self) -> &str {
        &self.words
    }

    /// The facts, with those of a line of text that the record carries.
    pub(crate) fn logged(&self) -> Logged<'_> {
        let inner = logged(&self.words);
        Logged {
            recipient: inner.recipient.or(self.recipient.as_deref()),
            host: inner.host.or(self.host.as_deref()),
            ip: inner.ip.or(self.ip),
            status: inner.status.or(self.status),
            action: inner.action.or(self.outcome.map(|(action, _)| action)),
            expired: inner.expired || matches!(self.outcome, Some((_, true))),
            words: inner.words,
        }
    }
}

/// Whether a text holds a reply of a server.
fn said(text: &str) -> bool {
    let place = Place::of(text);
    place.code.is_some() || place.enhanced.is_some()
}

/// A value of a record, its name, and the name of what it stands in.
struct Value<'a> {
    within: String,
    name: String,
    text: Cow<'a, str>,
}

/// The values of a record in their order.
struct Values<'a>(Vec<Value<'a>>);

impl<'a> Values<'a> {
    /// The values of these names, the most telling name first.
    fn all(&self, names: &'static [&'static str]) -> impl Iterator<Item = &str> {
        names.iter().flat_map(|name| {
            let (within, last) = name.rsplit_once('.').unwrap_or(("", name));
            let same = self.0.iter().filter(move |value| {
                value.name == last && (within.is_empty() || value.within == within)
            });
            same.map(|value| value.text.trim())
        })
    }

    /// The same, and behind them the values whose names end so: `smtp_msg`, `bounce_reason`.
    fn like(&self, names: &'static [&'static str]) -> impl Iterator<Item = &str> {
        let longer = names.iter().flat_map(|end| {
            let ends = move |name: &str| name.len() > end.len() && name.ends_with(end);
            let same = self.0.iter().filter(move |value| ends(&value.name));
            same.map(|value| value.text.trim())
        });
        self.all(names).chain(longer)
    }

    fn first(&self, names: &'static [&'static str], fits: impl Fn(&str) -> bool) -> Option<&str> {
        self.all(names)
            .find(|value| !value.is_empty() && fits(value))
    }

    /// An enhanced code in three numbers, as KumoMTA writes it.
    fn spelled(&self) -> Option<EnhancedCode> {
        let number = |name| self.all(name).next()?.parse().ok();
        EnhancedCode::new(
            u8::try_from(number(&["class"])?).ok()?,
            number(&["subject"])?,
            number(&["detail"])?,
        )
    }

    fn of(text: &'a str) -> Self {
        let mut values = Vec::new();
        // The names that were met on the way down, and how many of them lead to the message.
        let mut above: Vec<String> = Vec::new();
        let mut apart = 0;
        let mut name = String::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let (token, tail) = match first {
                '"' => quoted(rest.get(1..).unwrap_or_default()),
                '{' | '[' => {
                    apart += usize::from(is_apart(&name));
                    above.push(name.clone());
                    rest = rest.get(1..).unwrap_or_default();
                    continue;
                }
                '}' | ']' => {
                    name = above.pop().unwrap_or_default();
                    apart -= usize::from(is_apart(&name) && apart > 0);
                    rest = rest.get(1..).unwrap_or_default();
                    continue;
                }
                c if c.is_ascii_alphanumeric() || c == '-' => {
                    let end = rest.find([',', '}', ']', ' ']).unwrap_or(rest.len());
                    let (bare, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
                    (Cow::Borrowed(bare), tail)
                }
                c => {
                    rest = rest.get(c.len_utf8()..).unwrap_or_default();
                    continue;
                }
            };
            rest = tail;
            match rest.trim_start().strip_prefix(':').filter(|_| first == '"') {
                Some(value) => {
                    rest = value;
                    name = plain(&token);
                }
                None if apart == 0 && values.len() < MOST => values.push(Value {
                    within: above.last().cloned().unwrap_or_default(),
                    name: name.clone(),
                    text: token,
                }),
                None => {}
            }
        }
        Self(values)
    }
}

/// A name without case and signs: `mx-host`, `mxHost` and `mx_host` are one.
pub(super) fn plain(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether what stands below this name is about the message.
fn is_apart(name: &str) -> bool {
    APART.contains(&name)
}

/// A text up to its closing quote, and what follows; the opening one is gone already.
fn quoted(text: &str) -> (Cow<'_, str>, &str) {
    let end = memchr::memchr2(b'"', b'\\', text.as_bytes()).unwrap_or(text.len());
    let (start, mut rest) = text.split_at_checked(end).unwrap_or((text, ""));
    if !rest.starts_with('\\') {
        return (Cow::Borrowed(start), rest.get(1..).unwrap_or_default());
    }
    let mut out = String::from(start);
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '"' => break,
            '\\' => {
                let (sign, len) = escaped(rest);
                out.push(sign);
                rest = rest.get(len..).unwrap_or_default();
            }
            other => out.push(other),
        }
    }
    (Cow::Owned(out), rest)
}

/// The sign that stands behind a backslash, and the bytes it took.
fn escaped(text: &str) -> (char, usize) {
    let unit = |at: usize| {
        let digits = text.get(at..at + 4)?;
        u32::from_str_radix(digits, 16).ok()
    };
    match text.chars().next() {
        // A line of a log stays one line.
        Some('n' | 'r' | 't' | 'b' | 'f') => (' ', 1),
        Some('u') => {
            let Some(first) = unit(1) else {
                return (char::REPLACEMENT_CHARACTER, 1);
            };
            if let Some(sign) = char::from_u32(first) {
                return (sign, 5);
            }
            // What Unicode has beyond four digits comes as a pair.
            let second = text
                .get(5..7)
                .filter(|mark| *mark == "\\u")
                .and_then(|_| unit(7));
            let pair = second.filter(|low| (0xdc00..0xe000).contains(low));
            let joined = pair.and_then(|low| {
                char::from_u32(0x10000 + (first.checked_sub(0xd800)? << 10) + (low - 0xdc00))
            });
            joined.map_or((char::REPLACEMENT_CHARACTER, 5), |sign| (sign, 11))
        }
        Some(other) => (other, other.len_utf8()),
        None => (char::REPLACEMENT_CHARACTER, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_read_as_its_example_says() {
        for (line, recipient, action, host, words) in EXAMPLES {
            let record = Record::read(line).unwrap();
            let found = record.logged();
            let action = Some(match *action {
                "failed" => Action::Failed,
                "delayed" => Action::Delayed,
                _ => Action::Delivered,
            });
            assert_eq!(found.recipient, Some(*recipient), "{line}");
            assert_eq!(found.action, action, "{line}");
            assert_eq!(found.host.unwrap_or_default(), *host, "{line}");
            assert_eq!(found.words, *words, "{line}");
        }
    }

    #[test]
    fn what_is_escaped_is_read_and_what_is_broken_is_passed_over() {
        for (text, read) in [
            (r#"a\"b\\c\/d" tail"#, "a\"b\\c/d"),
            (r#"\u003cx\u003e\u00e9" "#, "<x>é"),
            (r#"\ud83d\ude00" "#, "😀"),
            (r#"\ud83d x" "#, "\u{fffd} x"),
            (r#"\uzz" "#, "\u{fffd}zz"),
            (r"cut off\", "cut off\u{fffd}"),
        ] {
            assert_eq!(quoted(text).0, read, "{text}");
        }
    }

    /// The message has fields that are called as those of the delivery are.
    #[test]
    fn what_the_message_says_is_not_said_by_the_delivery() {
        let line = r#"{"event":"failed","headers":{"recipient":"list@b.example","reason":"delivered"},
            "recipient":"bob@far.example","reason":"550 5.1.1 no such user"}"#;
        let record = Record::read(line).unwrap();
        let found = record.logged();
        assert_eq!(found.recipient, Some("bob@far.example"));
        assert_eq!(found.words, "550 5.1.1 no such user");
        assert_eq!(found.action, Some(Action::Failed));
    }

    #[test]
    fn what_is_no_record_of_a_delivery_is_none() {
        for line in [
            r#"550 5.7.1 rejected {"policy":"x","to":"a@b.example"}"#,
            r#"{"level":"info","msg":"listening on port 25"}"#,
            "{}",
            "{",
            "",
            r#"[{"a":1}]"#,
        ] {
            assert!(Record::read(line).is_none(), "{line}");
        }
    }

    #[test]
    fn brackets_without_end_cost_their_size() {
        for piece in ["{\"a\":", "[", "}", "{\"", "\\", "\"headers\":{", "{\"\\u"] {
            let line = piece.repeat(2000);
            let start = std::time::Instant::now();
            let _ = Record::read(&line);
            assert!(start.elapsed().as_millis() < 500, "{piece}");
        }
    }
}
