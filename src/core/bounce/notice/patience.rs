//! For how long a server will go on trying, as its words tell it.

use chrono::{DateTime, FixedOffset, TimeDelta};

use super::marks::{self, Marks};
use super::page::starts;

/// A span and the moment it is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// "until message is 5 days old": from the arrival of the message.
    Age(TimeDelta),
    /// "for the next 1 days, 19 hours and 58 minutes": from the notice.
    Left(TimeDelta),
}

impl Patience {
    /// Until when.
    pub(super) fn until(
        self,
        arrival: Option<DateTime<FixedOffset>>,
        written: Option<DateTime<FixedOffset>>,
    ) -> Option<DateTime<FixedOffset>> {
        match self {
            Self::Age(span) => arrival?.checked_add_signed(span),
            Self::Left(span) => written?.checked_add_signed(span),
        }
    }
}

/// Longer than any server tries: what says more is no span.
const MAX_DAYS: i64 = 60;

/// Units by how their names begin, in the languages of the usual notices, and their minutes.
const UNITS: &[(&str, i64)] = &[
    ("day", 1440),
    ("tag", 1440),
    ("jour", 1440),
    ("día", 1440),
    ("dia", 1440),
    ("giorn", 1440),
    ("dag", 1440),
    ("dzi", 1440),
    ("dn", 1440),
    ("дн", 1440),
    ("ден", 1440),
    ("hour", 60),
    ("stund", 60),
    ("heure", 60),
    ("hora", 60),
    ("ore", 60),
    ("ora", 60),
    ("timm", 60),
    ("timer", 60),
    ("uur", 60),
    ("uren", 60),
    ("godzin", 60),
    ("час", 60),
    ("minut", 1),
    ("мин", 1),
];

/// "until message is 5 days old", "for the next 1 days, 19 hours and 58 minutes".
pub(super) fn read(text: &str, marks: &Marks, end: usize) -> Option<Patience> {
    let hits = marks.within(0, end).iter();
    hits.filter(|hit| hit.roles & (marks::UNTIL | marks::LEFT) != 0)
        .find_map(|hit| {
            let span = span(text.get(hit.end..)?)?;
            Some(if hit.roles & marks::LEFT != 0 {
                Patience::Left(span)
            } else {
                Patience::Age(span)
            })
        })
}

/// Numbers with their units at the start of a text, added up.
fn span(text: &str) -> Option<TimeDelta> {
    /// Days, hours, minutes.
    const MAX_PARTS: usize = 3;
    let mut words = text
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')'))
        .filter(|word| !word.is_empty() && !is_and(word));
    let mut minutes = 0i64;
    for _ in 0..MAX_PARTS {
        let Some(number) = words.next().and_then(|word| word.parse::<i64>().ok()) else {
            break;
        };
        let unit = words
            .next()
            .and_then(|word| UNITS.iter().find(|(name, _)| starts(word, name)));
        let Some((_, size)) = unit else {
            break;
        };
        minutes = minutes.checked_add(number.checked_mul(*size)?)?;
    }
    (1..=MAX_DAYS * 1440)
        .contains(&minutes)
        .then(|| TimeDelta::minutes(minutes))
}

fn is_and(word: &str) -> bool {
    ["and", "und", "et", "y", "e", "en", "och", "og", "i", "и"].contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<Patience> {
        read(text, &Marks::scan(text), text.len())
    }

    #[test]
    fn an_age_and_a_rest_are_told_apart() {
        assert_eq!(
            told("Will keep trying until message is 5 days old"),
            Some(Patience::Age(TimeDelta::days(5)))
        );
        assert_eq!(
            told(
                "This server will keep trying to deliver this message for the next 1 days, 19 hours and 58 minutes."
            ),
            Some(Patience::Left(TimeDelta::minutes(1440 + 19 * 60 + 58)))
        );
        assert_eq!(
            told(
                "Der Server versucht noch 1 Tage, 19 Stunden und 58 Minuten, diese Nachricht zuzustellen."
            ),
            Some(Patience::Left(TimeDelta::minutes(1440 + 19 * 60 + 58)))
        );
    }

    #[test]
    fn absurd_spans_are_none() {
        assert_eq!(told("until message is 9999999999999 days old"), None);
        assert_eq!(told("until message is 0 days old"), None);
        assert_eq!(told("until message is old"), None);
    }
}
