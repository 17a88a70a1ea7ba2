//! A text and its lines. Everything in it is found by offsets, so that a quote can say in which
//! line of the user's input it stands.

/// A line without its line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Where it starts in the text.
    pub(super) at: usize,
    /// Where its line end starts.
    pub(super) end: usize,
    /// How far it is indented; a tab counts as eight.
    pub(super) indent: usize,
    /// The line without blanks at both ends.
    pub(super) body: &'a str,
    /// Where `body` starts in the text.
    pub(super) body_at: usize,
}

impl Line<'_> {
    /// True for a line of nothing but blanks.
    pub(super) const fn is_blank(&self) -> bool {
        self.body.is_empty()
    }

    /// True for a line drawn with signs, such as `-----` or `*****`.
    pub(super) fn is_rule(&self) -> bool {
        self.body.len() >= 3
            && self
                .body
                .bytes()
                .all(|b| matches!(b, b'-' | b'=' | b'*' | b'_' | b'#' | b'~' | b'+' | b' '))
    }
}

/// The lines of a text between two offsets; LF, CRLF and bare CR end a line.
#[derive(Debug, Clone)]
pub(super) struct Lines<'a> {
    text: &'a str,
    at: usize,
    end: usize,
}

/// The lines of `text` from `start` up to `end`.
pub(super) fn lines(text: &str, start: usize, end: usize) -> Lines<'_> {
    Lines {
        text,
        at: start,
        end: end.min(text.len()),
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let rest = self.text.get(self.at..self.end)?;
        if rest.is_empty() {
            return None;
        }
        let len = memchr::memchr2(b'\n', b'\r', rest.as_bytes()).unwrap_or(rest.len());
        let raw = rest.get(..len).unwrap_or_default();
        let after = rest.get(len..).unwrap_or_default();
        let eol = if after.starts_with("\r\n") {
            2
        } else {
            usize::from(!after.is_empty())
        };
        let at = self.at;
        self.at += len + eol;
        // Nearly all lines begin with a few blanks, or none, and ASCII.
        let lead = raw.bytes().take_while(|b| *b == b' ').count();
        let usual = raw.as_bytes().get(lead).is_some_and(u8::is_ascii_graphic);
        let body = if usual {
            raw.get(lead..)?
        } else {
            raw.trim_start()
        };
        let blanks = raw.len() - body.len();
        let indent = if usual { lead } else { indent(raw) };
        Some(Line {
            at,
            end: at + len,
            indent,
            body: body.trim_end(),
            body_at: at + blanks,
        })
    }
}

/// How far a line is indented.
fn indent(raw: &str) -> usize {
    raw.chars()
        .take_while(|c| c.is_whitespace())
        .map(|c| if c == '\t' { 8 } else { 1 })
        .sum()
}

/// `text[from..to]`, or nothing when that is no part of the text.
pub(super) fn part(text: &str, from: usize, to: usize) -> &str {
    text.get(from..to).unwrap_or_default()
}

/// `text[from..]`, or nothing.
pub(super) fn tail(text: &str, from: usize) -> &str {
    text.get(from..).unwrap_or_default()
}

/// True when `text` begins with `prefix`, whatever its ASCII case.
pub(super) fn starts(text: &str, prefix: &str) -> bool {
    text.as_bytes()
        .get(..prefix.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// Whether a text ends in one of these words or phrases, whatever their ASCII case: "Mr. Avon" does
/// not end in "von".
pub(super) fn ends_in_word(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| {
        text.len().checked_sub(word.len()).is_some_and(|at| {
            let same = text
                .get(at..)
                .is_some_and(|end| end.eq_ignore_ascii_case(word));
            let front = text.get(..at).unwrap_or_default();
            same && !front.ends_with(char::is_alphanumeric)
        })
    })
}

/// `text` without `prefix` (whatever its ASCII case) and the blanks after it.
pub(super) fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    if starts(text, prefix) {
        text.get(prefix.len()..).map(str::trim_start)
    } else {
        None
    }
}

/// Where `needle` (lower case ASCII) stands in `text`, whatever the case there.
pub(super) fn position(text: &str, needle: &str) -> Option<usize> {
    let (first, needle) = (*needle.as_bytes().first()?, needle.as_bytes());
    let text = text.as_bytes();
    memchr::memchr2_iter(first, first.to_ascii_uppercase(), text).find(|&at| {
        text.get(at..at + needle.len())
            .is_some_and(|there| there.eq_ignore_ascii_case(needle))
    })
}

/// True when `needle` (lower case ASCII) stands in `text`, whatever the case there.
pub(super) fn contains(text: &str, needle: &str) -> bool {
    position(text, needle).is_some()
}

/// The offset of `part` within `text`, of which it must be a slice.
pub(super) fn offset(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize)
        .saturating_sub(text.as_ptr() as usize)
        .min(text.len())
}

/// True for ASCII without control characters and without two blanks side by side. Without an
/// early end, so that many bytes are looked at in one step.
fn is_plain(line: &[u8]) -> bool {
    let odd = line
        .iter()
        .fold(false, |odd, &b| odd | !(b' '..0x7f).contains(&b));
    let next = line.get(1..).unwrap_or_default();
    let double = line
        .iter()
        .zip(next)
        .fold(false, |double, (&a, &b)| double | (a == b' ' && b == b' '));
    !odd && !double
}

/// Lines joined by one blank each, runs of blanks kept as one.
pub(super) fn squeeze(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for Line { body: line, .. } in lines(text, 0, text.len()) {
        if line.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        if is_plain(line.as_bytes()) {
            out.push_str(line);
        } else {
            let mut words = line.split_whitespace();
            out.push_str(words.next().unwrap_or_default());
            for word in words {
                out.push(' ');
                out.push_str(word);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_end_ends_a_line_and_offsets_point_into_the_text() {
        let text = "a\r\n  b \rc\n\nd";
        let all: Vec<_> = lines(text, 0, text.len())
            .map(|l| (l.at, l.indent, l.body))
            .collect();
        assert_eq!(
            all,
            [
                (0, 0, "a"),
                (3, 2, "b"),
                (8, 0, "c"),
                (10, 0, ""),
                (11, 0, "d")
            ]
        );
        assert_eq!(part(text, 5, 6), "b");
    }

    #[test]
    fn searches_ignore_ascii_case() {
        assert_eq!(position("Remote Host said", "host"), Some(7));
        assert!(!contains("ho", "host"));
        assert_eq!(strip("RCPT TO:  x", "rcpt to:"), Some("x"));
        assert!(!starts("é", "ee"));
    }

    #[test]
    fn squeezing_joins_lines() {
        assert_eq!(squeeze(" a\r\n   b\tc  d \n\n e f"), "a b c d e f");
        assert_eq!(squeeze("\n é\u{a0}x\n"), "é x");
    }
}
