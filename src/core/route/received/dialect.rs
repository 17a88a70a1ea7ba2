//! Who writes like this: the table of mail systems, and what the first word of `from` means in
//! the lines of each (facts: 64 forms of `Received`).

use super::Received;
use super::clause::Line;
use super::words::{after, ends_with, find};

/// What the first word of `from` is, when only an address stands in the brackets behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// What the client called itself.
    Helo,
    /// The verified reverse name, which the client also called itself.
    Both,
    /// The dialect does not tell, or the word is no name of the DNS.
    Untold,
}

/// A mail system, as far as its trace lines are concerned.
#[derive(Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Kebab-case id.
    pub id: &'static str,
    /// What the first word of `from` is.
    pub order: Order,
    marks: &'static [Mark],
}

/// By what a system is known. All comparisons are without regard to case.
#[derive(Debug, PartialEq, Eq)]
enum Mark {
    /// The software comment, or the words that stand for it, begin with this.
    Software(&'static str),
    /// The software comment has this in it.
    Within(&'static str),
    /// The `with` clause begins with this.
    With(&'static str),
    /// The `by` host ends with this.
    Host(&'static str),
    /// The `via` clause has this in it.
    Via(&'static str),
}

// First match wins: products that sit on others come before them.
include!(concat!(env!("OUT_DIR"), "/systems.rs"));

/// The system that wrote a line, when it shows.
pub(crate) fn of(line: &Line<'_, '_>, r: &Received<'_>) -> Option<&'static Dialect> {
    if let Some(opening) = line.opening()
        && after(opening, "qmail ").is_some()
    {
        return named("qmail");
    }
    let host = r.by.host.unwrap_or_default();
    let with = r.with.unwrap_or_default();
    let via = r.via.unwrap_or_default();
    let software = r.by.software.unwrap_or_default();
    let product = r
        .comments
        .iter()
        .copied()
        .find(|c| after(c, "exim").is_some());
    let software = product.unwrap_or(software);
    let known = TABLE.iter().find(|d| {
        d.marks.iter().any(|mark| match mark {
            Mark::Software(text) => after(software, text).is_some(),
            Mark::Within(text) => find(software, text).is_some(),
            Mark::With(text) => after(with, text).is_some(),
            Mark::Host(text) => ends_with(host, text),
            Mark::Via(text) => find(via, text).is_some(),
        })
    });
    known.or_else(|| by_shape(line, r, software))
}

fn named(id: &str) -> Option<&'static Dialect> {
    TABLE.iter().find(|d| d.id == id)
}

/// Systems that do not name themselves are known by the shape of what they write.
fn by_shape(line: &Line<'_, '_>, r: &Received<'_>, software: &str) -> Option<&'static Dialect> {
    let lower = r
        .with
        .is_some_and(|w| w.starts_with(|c: char| c.is_ascii_lowercase()));
    if lower && r.id.is_some_and(is_exim_id) {
        return named("exim");
    }
    if is_sendmail_version(software) {
        return named("sendmail");
    }
    // Critical Path: a bare version, such as `7.0.030.2`.
    if software.starts_with(|c: char| c.is_ascii_digit())
        && software.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    {
        static CRITICAL_PATH: Dialect = Dialect {
            id: "critical-path",
            order: Order::Both,
            marks: &[],
        };
        return Some(&CRITICAL_PATH);
    }
    let courier = r.comments.iter().any(|c| {
        after(c, "auth:").is_some() || after(c, "tls:").is_some() || find(c, "[::ffff:").is_some()
    });
    if courier && lower {
        return named("courier");
    }
    // qmail: no day of the week, no id, no product, only `with SMTP`.
    let plain = r.id.is_none() && line.by.len() == 1 && !line.with.is_empty();
    let universal = r.time.is_some_and(|t| t.offset() == 0);
    if plain && software.is_empty() && line.bare_date && universal && line.has_from {
        return named("qmail");
    }
    None
}

/// `binary/configuration`: `8.12.10/8.12.10/1.1`, `5.65/UW-NDC`, `SGI-8.9.3/8.8.7`.
fn is_sendmail_version(text: &str) -> bool {
    let Some((binary, _)) = text.split_once('/') else {
        return false;
    };
    let dotted = |t: &str| {
        t.as_bytes()
            .windows(3)
            .any(|w| matches!(w, [a, b'.', c] if a.is_ascii_digit() && c.is_ascii_digit()))
    };
    !binary.contains(' ') && dotted(binary)
}

/// `1tAbCd-0000000AbCd-1AbC`, before 4.97 `1tAbCd-000AbC-AB`.
pub(crate) fn is_exim_id(id: &str) -> bool {
    let mut parts = id.split('-').map(|p| {
        let base62 = p.bytes().all(|b| b.is_ascii_alphanumeric());
        if base62 { p.len() } else { 0 }
    });
    let shape = (parts.next(), parts.next(), parts.next(), parts.next());
    matches!(
        shape,
        (Some(6), Some(6), Some(2), None) | (Some(6), Some(11), Some(4), None)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_exim_are_told_from_others() {
        assert!(is_exim_id("1tAbCd-0000000AbCd-1AbC") && is_exim_id("1GNrLz-000295-00"));
        assert!(!is_exim_id("4XyZaB1cD2z9Q") && !is_exim_id("us-mta-123"));
    }
}
