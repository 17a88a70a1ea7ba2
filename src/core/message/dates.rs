//! Dates as mail carries them: RFC 5322 §3.3 and its obsolete forms, C library order, the text of
//! Go clocks, ISO 8601. Read from the start of a text, so that a caller learns what follows.
//!
//! The one thing a reader of traces must not lose is how far the clock's zone is to be trusted:
//! see [`Zone`].

mod calendar;

use std::fmt;

use chrono::{DateTime, FixedOffset};

use calendar::{FOREIGN_MONTHS, MONTHS, WEEKDAYS, civil, days, named, zone_of};

/// A point in time, with what the text said about its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Seconds since the epoch, UTC. Fractions are cut.
    pub seconds: i64,
    /// What the text said about the zone.
    pub zone: Zone,
    /// The text names a day of the week, and that day was another one.
    pub wrong_weekday: bool,
}

/// What a date says about its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Zone {
    /// An offset in minutes east of Greenwich.
    Offset(i16),
    /// `-0000`: universal time, the writer's zone is not told (RFC 5322 §3.3).
    Utc,
    /// A name that means several zones, or a number that is none; taken as universal time.
    Unknown,
    /// Nothing stood there; taken as universal time, which may be hours wrong.
    Missing,
}

impl Stamp {
    /// Whether the time may be compared with others to the second.
    pub fn is_sure(&self) -> bool {
        matches!(self.zone, Zone::Offset(_) | Zone::Utc)
    }

    /// The moment in the writer's zone; `None` for years beyond what chrono counts.
    pub fn moment(&self) -> Option<DateTime<FixedOffset>> {
        let zone = FixedOffset::east_opt(i32::from(self.offset()) * 60)?;
        DateTime::from_timestamp(self.seconds, 0).map(|moment| moment.with_timezone(&zone))
    }

    /// The offset in minutes, 0 where none is known.
    pub fn offset(&self) -> i16 {
        match self.zone {
            Zone::Offset(minutes) => minutes,
            Zone::Utc | Zone::Unknown | Zone::Missing => 0,
        }
    }
}

/// Reads a text that begins with a date, for those who only want the moment; a zone that is not
/// told counts as universal time.
pub fn read(text: &str) -> Option<DateTime<FixedOffset>> {
    parse(text).and_then(|stamp| stamp.moment())
}

/// RFC 3339; a zone that is not told is written `-00:00` (its §4.3).
impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = self.offset();
        let local = self.seconds + i64::from(offset) * 60;
        let (year, month, day) = civil(local.div_euclid(DAY));
        let second = local.rem_euclid(DAY);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}{}{:02}:{:02}",
            second / 3600,
            second / 60 % 60,
            second % 60,
            if offset < 0 || !matches!(self.zone, Zone::Offset(_)) {
                '-'
            } else {
                '+'
            },
            offset.abs() / 60,
            offset.abs() % 60,
        )
    }
}

const DAY: i64 = 86_400;

/// Reads a text that begins with a date.
pub fn parse(text: &str) -> Option<Stamp> {
    prefix(text).map(|(stamp, _)| stamp)
}

/// Reads the date at the start of `text` (blanks aside); gives it and the bytes it took.
pub fn prefix(text: &str) -> Option<(Stamp, usize)> {
    let mut c = Cursor {
        text: text.as_bytes(),
        at: 0,
    };
    c.blanks();
    let weekday = c.weekday();
    let date = if c.digit() {
        let first = c.number(4)?;
        if first.digits == 4 {
            c.iso(first.value)?
        } else {
            c.day_first(first.value)?
        }
    } else {
        c.month_first()?
    };
    let days = days(date.year, date.month, date.day)?;
    let local = days * DAY + date.second_of_day;
    let zone = date.zone.unwrap_or(Zone::Missing);
    let offset = if let Zone::Offset(minutes) = zone {
        i64::from(minutes) * 60
    } else {
        0
    };
    let stamp = Stamp {
        seconds: local - offset,
        zone,
        // The first of January 1970 was a Thursday.
        wrong_weekday: weekday.is_some_and(|w| (days + 4).rem_euclid(7) != w),
    };
    Some((stamp, c.at))
}

/// The parts of a date before they are put together.
struct Parts {
    year: i64,
    month: i64,
    day: i64,
    second_of_day: i64,
    zone: Option<Zone>,
}

#[derive(Clone, Copy)]
struct Number {
    value: i64,
    digits: usize,
}

#[derive(Clone, Copy)]
struct Cursor<'x> {
    text: &'x [u8],
    at: usize,
}

impl<'x> Cursor<'x> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn digit(&self) -> bool {
        self.peek().is_ascii_digit()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\r' | b'\n') {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found
    }

    /// Blanks, commas, hyphens and dots between the parts of a date (`2-Mar-2026`, `Mar 2, 2026`).
    fn between(&mut self) {
        while matches!(
            self.peek(),
            b' ' | b'\t' | b'\r' | b'\n' | b',' | b'-' | b'.'
        ) {
            self.at += 1;
        }
    }

    fn number(&mut self, most: usize) -> Option<Number> {
        let mut value = 0;
        let start = self.at;
        while self.digit() {
            (self.at - start < most).then_some(())?;
            value = value * 10 + i64::from(self.peek() - b'0');
            self.at += 1;
        }
        (self.at > start).then_some(Number {
            value,
            digits: self.at - start,
        })
    }

    fn word(&mut self) -> &'x [u8] {
        let start = self.at;
        while self.peek().is_ascii_alphabetic() {
            self.at += 1;
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// A day of the week, Sunday = 0, with the comma behind it. One in another language (`Mo,`)
    /// is passed over.
    fn weekday(&mut self) -> Option<i64> {
        let mut c = *self;
        let word = c.word();
        let day = named(word, &WEEKDAYS);
        if day.is_none() && (word.is_empty() || c.peek() != b',') {
            return None;
        }
        c.between();
        *self = c;
        day
    }

    fn month(&mut self) -> Option<i64> {
        let word = self.word();
        named(word, &MONTHS).map(|n| n + 1).or_else(|| {
            let start = word.get(..3)?;
            let (_, month) = FOREIGN_MONTHS
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(start))?;
            Some(*month)
        })
    }

    /// Two digits as in RFC 5322 §4.3; three count from 1900.
    fn year(&mut self) -> Option<i64> {
        let n = self.number(4)?;
        match (n.digits, n.value) {
            (2, y) if y < 50 => Some(2000 + y),
            (2 | 3, y) => Some(1900 + y),
            (4, y) if y >= 1900 => Some(y),
            _ => None,
        }
    }

    /// `2 Mar 2026 09:15:30 +0000`, the day has been read.
    fn day_first(&mut self, day: i64) -> Option<Parts> {
        self.between();
        let month = self.month()?;
        self.between();
        let year = self.year()?;
        self.between();
        let second_of_day = self.time()?;
        Some(Parts {
            year,
            month,
            day,
            second_of_day,
            zone: self.zone(),
        })
    }

    /// `Mar  2 09:15:30 [EST] 2026 [+0000]` and `Mar 2, 2026 9:15 AM`.
    fn month_first(&mut self) -> Option<Parts> {
        let month = self.month()?;
        self.between();
        let day = self.number(2)?.value;
        self.between();
        let mut c = *self;
        if let Some(second_of_day) = c.time() {
            *self = c;
            let mut zone = self.zone();
            self.blanks();
            let year = self.year()?;
            zone = self.zone().or(zone);
            return Some(Parts {
                year,
                month,
                day,
                second_of_day,
                zone,
            });
        }
        let year = self.year()?;
        self.between();
        let second_of_day = self.time()?;
        Some(Parts {
            year,
            month,
            day,
            second_of_day,
            zone: self.zone(),
        })
    }

    /// `2026-03-02 09:15:30.123 +0000 UTC m=+1.2`, the year has been read.
    fn iso(&mut self, year: i64) -> Option<Parts> {
        let mark = self.peek();
        matches!(mark, b'-' | b'/' | b'.').then_some(())?;
        self.at += 1;
        let month = self.number(2)?.value;
        self.take(mark).then_some(())?;
        let day = self.number(2)?.value;
        if !self.take(b'T') {
            self.blanks();
        }
        let second_of_day = self.time()?;
        let zone = self.zone();
        self.go_clock();
        Some(Parts {
            year,
            month,
            day,
            second_of_day,
            zone,
        })
    }

    /// The reading of a Go clock behind its text form: the zone again, and `m=+1.2`.
    fn go_clock(&mut self) {
        let mut c = *self;
        c.blanks();
        let name = c.word();
        if name.len() >= 3 && name.iter().all(u8::is_ascii_uppercase) {
            *self = c;
            c.blanks();
        } else {
            c = *self;
            c.blanks();
        }
        if c.take(b'm') && c.take(b'=') {
            while matches!(c.peek(), b'+' | b'-' | b'.' | b'0'..=b'9') {
                c.at += 1;
            }
            *self = c;
        }
    }

    /// `09:15[:30[.5]] [AM|PM]`, as seconds of the day.
    fn time(&mut self) -> Option<i64> {
        let mut hour = self.number(2)?.value;
        // RFC 822 has colons; dots are the habit of some countries.
        let mark = if self.peek() == b'.' { b'.' } else { b':' };
        self.take(mark).then_some(())?;
        let minute = self.number(2)?.value;
        let mut second = 0;
        if self.take(mark) {
            second = self.number(2)?.value;
            if matches!(self.peek(), b'.' | b',') {
                self.at += 1;
                while self.digit() {
                    self.at += 1;
                }
            }
        }
        let mut c = *self;
        c.blanks();
        let half = c.word();
        if half.eq_ignore_ascii_case(b"PM") || half.eq_ignore_ascii_case(b"AM") {
            (1..=12).contains(&hour).then_some(())?;
            hour = hour % 12
                + if half.eq_ignore_ascii_case(b"PM") {
                    12
                } else {
                    0
                };
            *self = c;
        }
        // A leap second is the first of the next minute.
        (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
    }

    /// A zone, when one stands here; a number behind a name (`GMT+0100`) wins.
    fn zone(&mut self) -> Option<Zone> {
        let mut c = *self;
        c.blanks();
        if let Some(zone) = c.offset() {
            *self = c;
            return Some(zone);
        }
        let name = c.word();
        let zone = zone_of(name)?;
        *self = c;
        c.blanks();
        if let Some(number) = c.offset() {
            *self = c;
            return Some(number);
        }
        Some(zone)
    }

    /// `+hhmm`, `+hh:mm`, `+hh`.
    fn offset(&mut self) -> Option<Zone> {
        let negative = match self.peek() {
            b'+' => false,
            b'-' => true,
            _ => return None,
        };
        self.at += 1;
        let n = self.number(6)?;
        let (hours, minutes) = match n.digits {
            1 | 2 if self.take(b':') => (n.value, self.number(2)?.value),
            1 | 2 => (n.value, 0),
            _ => (n.value / 100, n.value % 100),
        };
        // No zone is further than fifteen hours from Greenwich.
        if hours > 15 || minutes > 59 {
            return Some(Zone::Unknown);
        }
        if negative && hours == 0 && minutes == 0 {
            return Some(Zone::Utc);
        }
        let total = i16::try_from(hours * 60 + minutes).ok()?;
        Some(Zone::Offset(if negative { -total } else { total }))
    }
}

#[cfg(test)]
mod tests;
