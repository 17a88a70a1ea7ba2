//! Writing JSON straight into a buffer: keys in the order of the shape, absent values as `null`.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::IpAddr;

use chrono::{DateTime, Datelike, FixedOffset, Timelike};

use crate::hidden::is_hidden;

/// An object in the making; [`Object::end`] closes it.
#[derive(Debug)]
pub struct Object<'b> {
    out: &'b mut String,
    first: bool,
}

impl<'b> Object<'b> {
    /// Opens an object at the end of `out`.
    pub fn new(out: &'b mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    /// Writes a key; the value is to follow. Keys are ours and need no escaping.
    #[inline]
    pub fn key(&mut self, name: &str) -> &mut String {
        self.out.push_str(if self.first { "\"" } else { ",\"" });
        self.first = false;
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    /// A text.
    pub fn text(&mut self, name: &str, value: &str) -> &mut Self {
        text(self.key(name), value);
        self
    }

    /// Words of our own: what nothing was put into needs no escaping.
    #[expect(
        clippy::ptr_arg,
        reason = "borrowed words are ours, owned ones were filled"
    )]
    pub fn words(&mut self, name: &str, value: &Cow<'static, str>) -> &mut Self {
        words(self.key(name), value);
        self
    }

    /// A text, or `null`; an empty one counts as absent.
    pub fn maybe(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        match value.filter(|value| !value.is_empty()) {
            Some(value) => text(self.key(name), value),
            None => self.key(name).push_str("null"),
        }
        self
    }

    /// A word of ours (an id) that needs no escaping, or `null`.
    #[inline]
    pub fn id(&mut self, name: &str, value: Option<&'static str>) -> &mut Self {
        let out = self.key(name);
        match value {
            Some(value) => {
                out.push('"');
                out.push_str(value);
                out.push('"');
            }
            None => out.push_str("null"),
        }
        self
    }

    /// A whole number, or `null`.
    pub fn number(&mut self, name: &str, value: Option<u64>) -> &mut Self {
        let out = self.key(name);
        match value {
            Some(value) => number(out, value),
            None => out.push_str("null"),
        }
        self
    }

    /// True, false, or `null`.
    pub fn truth(&mut self, name: &str, value: Option<bool>) -> &mut Self {
        self.key(name).push_str(match value {
            Some(true) => "true",
            Some(false) => "false",
            None => "null",
        });
        self
    }

    /// A time with its offset (RFC 3339), or `null`.
    pub fn time(&mut self, name: &str, value: Option<DateTime<FixedOffset>>) -> &mut Self {
        match value {
            Some(value) => time(self.key(name), value),
            None => self.key(name).push_str("null"),
        }
        self
    }

    /// An IP address, or `null`.
    pub fn ip(&mut self, name: &str, value: Option<IpAddr>) -> &mut Self {
        let out = self.key(name);
        match value {
            Some(value) => {
                let _ = write!(out, "\"{value}\"");
            }
            None => out.push_str("null"),
        }
        self
    }

    /// An array; `each` writes one of its values.
    pub fn list<T>(
        &mut self,
        name: &str,
        values: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut String, T),
    ) -> &mut Self {
        let out = self.key(name);
        out.push('[');
        for (n, value) in values.into_iter().enumerate() {
            if n > 0 {
                out.push(',');
            }
            each(out, value);
        }
        out.push(']');
        self
    }

    /// An object as a value.
    pub fn object(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>)) -> &mut Self {
        let mut inner = Object::new(self.key(name));
        fill(&mut inner);
        inner.end();
        self
    }

    /// Closes the object.
    pub fn end(self) {
        self.out.push('}');
    }
}

/// Writes a number.
pub fn number(out: &mut String, value: u64) {
    // Most are line numbers and reply codes: the formatting machinery costs more than they do.
    if value >= 10 {
        number(out, value / 10);
    }
    let digit = u32::try_from(value % 10).unwrap_or_default();
    out.push(char::from_digit(digit, 10).unwrap_or('0'));
}

/// Writes words of our own, see [`Object::words`]. That the texts of the data are fit for it is
/// proved where they are.
#[expect(
    clippy::ptr_arg,
    reason = "borrowed words are ours, owned ones were filled"
)]
pub fn words(out: &mut String, value: &Cow<'static, str>) {
    match value {
        Cow::Borrowed(ours) => {
            out.push('"');
            out.push_str(ours);
            out.push('"');
        }
        Cow::Owned(filled) => text(out, filled),
    }
}

/// Writes a text with its quotation marks. Beside what JSON asks for, everything that
/// could steer a terminal is escaped: the value is the same, and `cat` is safe.
pub fn text(out: &mut String, value: &str) {
    out.push('"');
    let mut rest = value;
    while let Some((plain, tail)) = rest.split_at_checked(plain_len(rest.as_bytes())) {
        out.push_str(plain);
        let mut chars = tail.chars();
        let Some(c) = chars.next() else {
            break;
        };
        escape(out, c);
        rest = chars.as_str();
    }
    out.push('"');
}

/// How many bytes at the start are ASCII that stands in JSON as it is.
fn plain_len(bytes: &[u8]) -> usize {
    let special = |b: u8| !(b' '..=b'~').contains(&b) || b == b'"' || b == b'\\';
    // Without an early end within a piece, so that many bytes are looked at in one step.
    let mut len = 0;
    for piece in bytes.chunks(32) {
        if piece.iter().fold(false, |any, &b| any | special(b)) {
            return len + piece.iter().take_while(|&&b| !special(b)).count();
        }
        len += piece.len();
    }
    len
}

fn escape(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if is_hidden(c) => {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
        c => out.push(c),
    }
}

/// Writes a time as RFC 3339 has it, to the second, with its offset. chrono's own writer takes
/// several times as long.
fn time(out: &mut String, value: DateTime<FixedOffset>) {
    let local = value.naive_local();
    let Ok(year) = u32::try_from(local.year()) else {
        return out.push_str("null");
    };
    out.push('"');
    digits(out, year / 100);
    digits(out, year % 100);
    for (mark, number) in [
        ('-', local.month()),
        ('-', local.day()),
        ('T', local.hour()),
        (':', local.minute()),
        (':', local.second()),
    ] {
        out.push(mark);
        digits(out, number);
    }
    let seconds = value.offset().local_minus_utc();
    out.push(if seconds < 0 { '-' } else { '+' });
    digits(out, seconds.unsigned_abs() / 3600);
    out.push(':');
    digits(out, seconds.unsigned_abs() / 60 % 60);
    out.push('"');
}

fn digits(out: &mut String, number: u32) {
    for digit in [number / 10 % 10, number % 10] {
        out.push(char::from_digit(digit, 10).unwrap_or('0'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_the_way_through_json() {
        let all: String = (0..=0x10_FFFF).filter_map(char::from_u32).collect();
        let mut out = String::new();
        text(&mut out, &all);
        assert!(!out.chars().any(is_hidden), "JSON must be safe to print");
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), all);
    }

    #[test]
    fn absent_is_null_and_never_an_empty_string() {
        let mut out = String::new();
        let mut object = Object::new(&mut out);
        object
            .maybe("a", None)
            .maybe("b", Some(""))
            .number("c", None)
            .truth("d", None);
        object
            .ip("e", None)
            .time("f", None)
            .id("g", None)
            .list("h", [0u64; 0], number);
        object.end();
        assert_eq!(
            out,
            r#"{"a":null,"b":null,"c":null,"d":null,"e":null,"f":null,"g":null,"h":[]}"#
        );
    }

    #[test]
    fn times_are_those_of_chrono() {
        for written in [
            "2004-01-13T14:12:29-07:00",
            "1999-12-31T23:59:59+05:30",
            "0099-03-01T00:00:00+00:00",
        ] {
            let value = DateTime::parse_from_rfc3339(written).unwrap();
            let mut out = String::new();
            time(&mut out, value);
            assert_eq!(out, format!("\"{}\"", value.to_rfc3339()));
        }
    }
}
