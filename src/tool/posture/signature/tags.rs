//! The tags of a signature field (RFC 6376 §3.5).

use chrono::{DateTime, Utc};

use crate::posture::tags::Tags;
use crate::suffix::is_under;

use super::Fault;
use super::canon::Manner;

/// No standard knows so many tags; double ones behind them are not looked for.
const MOST_TAGS: usize = 64;

/// A signature field, taken apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Signed {
    pub(super) version: String,
    pub(super) algorithm: String,
    pub(super) domain: String,
    pub(super) selector: String,
    pub(super) identity: Option<String>,
    pub(super) signature: String,
    pub(super) body_hash: Option<String>,
    pub(super) names: Vec<String>,
    /// `l=`: the octets of the body that are covered; all without it.
    pub(super) length: Option<u64>,
    /// `x=`: until when the signature holds.
    pub(super) expires: Option<DateTime<Utc>>,
    pub(super) head: Manner,
    pub(super) body: Manner,
    /// What of the form makes the whole worthless.
    odd: Option<&'static str>,
    pub(super) cv: Option<String>,
}

impl Signed {
    pub(super) fn read(text: &str) -> Self {
        let flat: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        let tags = Tags::read(&flat);
        let get = |tag: &str| tags.get(tag).map(str::to_owned);
        let manner = get("c").unwrap_or_default();
        let (head, body) = manner.split_once('/').unwrap_or((&manner, "simple"));
        let of = |word: &str| match word.trim() {
            "" => Some(Manner::Simple),
            word => Manner::of(word),
        };
        let number = |tag| Number::read(tags.get(tag));
        let (length, signed, expires) = (number("l"), number("t"), number("x"));
        Self {
            odd: odd(&tags, [head, body].map(of), [length, signed, expires]),
            version: get("v").unwrap_or_default(),
            algorithm: get("a").unwrap_or_default().to_ascii_lowercase(),
            domain: get("d").unwrap_or_default(),
            selector: get("s").unwrap_or_default(),
            identity: get("i"),
            signature: get("b").unwrap_or_default(),
            body_hash: get("bh"),
            names: get("h")
                .unwrap_or_default()
                .split(':')
                .map(|n| n.trim().to_owned())
                .filter(|n| !n.is_empty())
                .collect(),
            length: length.value(),
            expires: expires.time(),
            head: of(head).unwrap_or_default(),
            body: of(body).unwrap_or_default(),
            cv: get("cv").map(|cv| cv.to_ascii_lowercase()),
        }
    }

    /// RFC 6376 §6.1.1: what must be there, and must fit together.
    pub(super) fn check_identity(&self) -> Result<(), Fault> {
        if self.domain.is_empty() || self.selector.is_empty() || self.signature.is_empty() {
            return Err(Fault::Malformed(
                "it lacks a domain, a selector or the signature itself",
            ));
        }
        self.check_form()?;
        if !self.names.iter().any(|n| n.eq_ignore_ascii_case("from")) {
            return Err(Fault::Malformed("it does not cover the From field"));
        }
        let Some((_, host)) = self.identity.as_deref().and_then(|i| i.rsplit_once('@')) else {
            return Ok(());
        };
        if is_under(host, &self.domain) {
            Ok(())
        } else {
            Err(Fault::Malformed(
                "it speaks for somebody outside its domain (i= is not below d=)",
            ))
        }
    }

    /// Whether the signer's identity is in its domain itself, and not below it.
    pub(super) fn speaks_for_itself(&self) -> bool {
        let host = self.identity.as_deref().and_then(|i| i.rsplit_once('@'));
        host.is_none_or(|(_, host)| host.eq_ignore_ascii_case(&self.domain))
    }

    pub(super) fn check_form(&self) -> Result<(), Fault> {
        match self.odd {
            Some(what) => Err(Fault::Malformed(what)),
            None => Ok(()),
        }
    }
}

/// A tag whose value is a number (RFC 6376 §3.5: digits only).
#[derive(Clone, Copy)]
enum Number {
    Missing,
    /// It is none.
    Odd,
    Is(u64),
}

impl Number {
    fn read(value: Option<&str>) -> Self {
        let Some(value) = value else {
            return Self::Missing;
        };
        let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
        match value.parse() {
            Ok(number) if digits => Self::Is(number),
            // The standard allows 76 digits: so much is as good as the most that there is.
            Err(_) if digits => Self::Is(u64::MAX),
            _ => Self::Odd,
        }
    }

    const fn value(self) -> Option<u64> {
        match self {
            Self::Is(number) => Some(number),
            Self::Missing | Self::Odd => None,
        }
    }

    /// A time that the calendar does not reach is never.
    fn time(self) -> Option<DateTime<Utc>> {
        let seconds = i64::try_from(self.value()?).ok()?;
        DateTime::from_timestamp(seconds, 0)
    }
}

/// What of the form makes a signature worthless.
fn odd(
    tags: &Tags,
    manners: [Option<Manner>; 2],
    [length, signed, expires]: [Number; 3],
) -> Option<&'static str> {
    let mut seen = Vec::with_capacity(tags.0.len());
    for (tag, _) in tags.0.iter().take(MOST_TAGS) {
        // RFC 6376 §3.2: a name that stands twice makes the whole list invalid.
        if seen.contains(&tag) {
            return Some("a tag stands in it twice");
        }
        seen.push(tag);
    }
    if manners.contains(&None) {
        return Some("the form of the signed text is unknown (c=)");
    }
    match (length, signed, expires) {
        (Number::Odd, ..) => Some("the covered length of the body is no number (l=)"),
        (_, Number::Odd, _) | (.., Number::Odd) => Some("a time in it is no number (t=, x=)"),
        // §3.5: x= must lie behind t=.
        (_, Number::Is(signed), Number::Is(expires)) if expires <= signed => {
            Some("it expires before it was made (x= is not behind t=)")
        }
        _ => None,
    }
}
