//! Lines of a text, whatever ends them: LF, CRLF, a bare CR, or the CR CR LF of a broken converter.

use memchr::{memchr, memchr_iter, memchr2};

/// `split_once` for an ASCII character that is near: the searcher of the standard library costs
/// more than the few bytes that it skips.
#[inline]
pub(crate) fn cut(text: &str, sign: u8) -> Option<(&str, &str)> {
    debug_assert!(sign.is_ascii());
    let at = text.bytes().position(|b| b == sign)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// One line of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'t> {
    /// The line without its end.
    pub text: &'t str,
    /// The byte of the whole text that it starts at.
    pub start: usize,
}

/// The lines of a text, see [`lines`].
#[derive(Debug, Clone)]
pub struct Lines<'t> {
    text: &'t str,
    at: usize,
}

/// Walks over the lines of `text`; an empty last line is not one.
pub fn lines(text: &str) -> Lines<'_> {
    Lines { text, at: 0 }
}

impl<'t> Iterator for Lines<'t> {
    type Item = Line<'t>;

    fn next(&mut self) -> Option<Line<'t>> {
        let start = self.at;
        let rest = self.text.get(start..).filter(|rest| !rest.is_empty())?;
        let bytes = rest.as_bytes();
        let len = memchr2(b'\n', b'\r', bytes).unwrap_or(bytes.len());
        self.at = start + len + end_len(bytes.get(len..).unwrap_or_default());
        Some(Line {
            text: rest.get(..len)?,
            start,
        })
    }
}

/// The length of the line end that `bytes` begins with.
fn end_len(bytes: &[u8]) -> usize {
    match bytes {
        [] => 0,
        [b'\r', b'\r', b'\n', ..] => 3,
        [b'\r', b'\n', ..] => 2,
        _ => 1,
    }
}

/// The byte that ends lines in `bytes`: CR only in the files of old Macs, where there is no LF.
pub(crate) fn line_end(bytes: &[u8]) -> u8 {
    if memchr(b'\n', bytes).is_some() || memchr(b'\r', bytes).is_none() {
        b'\n'
    } else {
        b'\r'
    }
}

/// How many lines end in `bytes`.
pub(crate) fn count(end: u8, bytes: &[u8]) -> u32 {
    u32::try_from(memchr_iter(end, bytes).count()).unwrap_or(u32::MAX)
}

/// The same as [`str::trim`]: nearly all texts have nothing to take off, which one look at both
/// ends tells.
pub(crate) fn trim(text: &str) -> &str {
    match text.as_bytes() {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        _ => text.trim(),
    }
}

/// `line` without the CRs and LF at its end.
pub(crate) fn trim_end(mut line: &[u8]) -> &[u8] {
    while let [rest @ .., b'\r' | b'\n'] = line {
        line = rest;
    }
    line
}

/// The first line of `bytes` from `at` on: its content without the line end, and where the next
/// line starts. Only LF ends it. `None` at the end.
pub(crate) fn raw_line(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
    match memchr(b'\n', rest) {
        Some(len) => Some((trim_end(rest.get(..len)?), at + len + 1)),
        None => Some((trim_end(rest), bytes.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_end_is_one_line_end() {
        let all: Vec<_> = lines("a\nb\r\nc\rd\r\r\ne\n\nf")
            .map(|l| (l.text, l.start))
            .collect();
        assert_eq!(
            all,
            [
                ("a", 0),
                ("b", 2),
                ("c", 5),
                ("d", 7),
                ("e", 11),
                ("", 13),
                ("f", 14)
            ]
        );
        assert_eq!(lines("").count(), 0);
        assert_eq!(lines("a\n").count(), 1);
    }

    #[test]
    fn bare_cr_ends_lines_only_where_there_is_no_lf() {
        assert_eq!(line_end(b"a\rb"), b'\r');
        assert_eq!(line_end(b"a\rb\n"), b'\n');
        assert_eq!(raw_line(b"ab\r\ncd", 0), Some((&b"ab"[..], 4)));
        assert_eq!(raw_line(b"ab\r\ncd", 4), Some((&b"cd"[..], 6)));
        assert_eq!(raw_line(b"ab\r\ncd", 6), None);
    }
}
