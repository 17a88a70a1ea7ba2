//! A field body, taken apart at bracket depth 0: words, comments and semicolons.
//!
//! RFC 5322 lets comments nest and quotes and backslashes hide brackets; real fields also leave
//! brackets open. When the count does not come out, the rest is read without nesting.

/// A piece of a field body at bracket depth 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'x> {
    pub(crate) kind: Kind,
    /// The word as written, or what stands inside the brackets of a comment.
    pub(crate) text: &'x str,
    /// Where the token starts in the field body.
    pub(crate) start: usize,
    /// The first byte behind it.
    pub(crate) end: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Word,
    Comment,
    Semicolon,
}

/// An honest field has fewer than a hundred tokens; behind this many nothing is read.
const MAX_TOKENS: usize = 1000;
/// The longest literal, quoted string or path that may hide blanks or semicolons.
const MAX_GROUP: usize = 512;

/// Takes a field body apart.
pub(crate) fn scan(body: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::with_capacity(24);
    let mut s = Scanner {
        body,
        bytes: body.as_bytes(),
        at: 0,
        nesting: true,
        closable: true,
    };
    while tokens.len() < MAX_TOKENS {
        match s.next() {
            Some(token) => tokens.push(token),
            None => break,
        }
    }
    tokens
}

/// The words of a comment: blanks and commas part them, literals stay whole, and a nested comment
/// is a token of its own.
pub(crate) fn scan_comment(text: &str) -> Scanner<'_> {
    Scanner {
        body: text,
        bytes: text.as_bytes(),
        at: 0,
        nesting: true,
        closable: true,
    }
}

pub(crate) struct Scanner<'x> {
    body: &'x str,
    bytes: &'x [u8],
    at: usize,
    /// Comments are counted as nested, as long as the count comes out.
    nesting: bool,
    /// There may still be a closing bracket.
    closable: bool,
}

impl<'x> Iterator for Scanner<'x> {
    type Item = Token<'x>;

    fn next(&mut self) -> Option<Token<'x>> {
        loop {
            let start = self.at;
            match self.bytes.get(start)? {
                b' ' | b'\t' | b'\r' | b'\n' | b')' | b',' => self.at += 1,
                b';' => {
                    self.at += 1;
                    return self.token(Kind::Semicolon, start, start, self.at);
                }
                b'(' => match self.close(start) {
                    Some(close) => {
                        self.at = close + 1;
                        return self.token(Kind::Comment, start, start + 1, close);
                    }
                    None => self.at += 1,
                },
                b'[' if let Some(close) = self.remark(start) => {
                    self.at = close + 1;
                    return self.token(Kind::Comment, start, start + 1, close);
                }
                _ => {
                    self.word(start);
                    return self.token(Kind::Word, start, start, self.at);
                }
            }
        }
    }
}

impl<'x> Scanner<'x> {
    fn token(&self, kind: Kind, start: usize, from: usize, to: usize) -> Option<Token<'x>> {
        // All cuts are made beside ASCII characters, so `get` never fails here.
        let text = self.body.get(from..to)?;
        Some(Token {
            kind,
            text,
            start,
            end: self.at,
        })
    }

    /// The closing bracket of the comment that opens at `start`.
    fn close(&mut self, start: usize) -> Option<usize> {
        if self.nesting {
            let mut depth = 0usize;
            let mut at = start;
            while let Some(b) = self.bytes.get(at) {
                match b {
                    b'(' => depth += 1,
                    b')' => {
                        depth -= 1;
                        if depth == 0 {
                            return Some(at);
                        }
                    }
                    b'\\' => at += 1,
                    _ => {}
                }
                at += 1;
            }
            self.nesting = false;
        }
        if self.closable {
            let found = memchr::memchr(b')', self.bytes.get(start..)?);
            self.closable = found.is_some();
            let close = start + found?;
            return Some(self.lost(start, close).unwrap_or(close));
        }
        None
    }

    /// Where a comment ends that lost its closing bracket: `(a [192.0.2.1] by b (Postfix) …`.
    /// A clause of the field stands in it, before the bracket of the next comment.
    fn lost(&self, start: usize, close: usize) -> Option<usize> {
        let end = close.min(start + MAX_GROUP);
        let inside = self.bytes.get(start + 1..end)?;
        let next = memchr::memchr(b'(', inside)?;
        let by = memchr::memmem::find(inside.get(..next)?, b" by ")?;
        Some(start + 1 + by)
    }

    /// Where a remark in square brackets ends: `[Authenticated ID (12345)]` (Runbox).
    fn remark(&self, start: usize) -> Option<usize> {
        const SAID: &[u8] = b"authenticated ";
        let inside = self.bytes.get(start + 1..)?;
        let inside = inside.get(..inside.len().min(MAX_GROUP))?;
        if !inside.get(..SAID.len())?.eq_ignore_ascii_case(SAID) {
            return None;
        }
        memchr::memchr(b']', inside).map(|at| start + 1 + at)
    }

    fn word(&mut self, start: usize) {
        let mut at = start;
        // Where a group does not close, the next one of its kind in the word is not tried.
        let mut unclosed = [false; 3];
        while let Some(b) = self.bytes.get(at) {
            let close = match b {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')' => break,
                b',' if self.parts(at) => break,
                b'"' => Some((0, b'"')),
                b'[' => Some((1, b']')),
                b'<' => Some((2, b'>')),
                _ => None,
            };
            let tried = close.and_then(|(kind, close)| Some((unclosed.get_mut(kind)?, close)));
            at = match tried {
                Some((unclosed, close)) if !*unclosed => {
                    let end = self.group(at, close);
                    *unclosed = end == at + 1;
                    end
                }
                _ => at + 1,
            };
        }
        self.at = at;
    }

    /// A comma that ends a word: one with a blank, a quote or nothing behind it, or a key.
    fn parts(&self, at: usize) -> bool {
        !matches!(self.bytes.get(at + 1), Some(b) if b.is_ascii_digit() || b.is_ascii_alphabetic())
    }

    /// The end of a literal, quoted string or path; only one byte on when it does not close soon.
    fn group(&self, at: usize, close: u8) -> usize {
        let window = self.bytes.get(at + 1..self.bytes.len().min(at + MAX_GROUP));
        for (n, b) in window.unwrap_or_default().iter().enumerate() {
            match *b {
                b if b == close => return at + n + 2,
                // A path without a quoted part has no blanks; a literal has no brackets in it.
                b' ' | b'\t' | b'"' | b'(' if close == b'>' => break,
                b'(' | b';' | b'[' if close == b']' => break,
                b'\n' => break,
                _ => {}
            }
        }
        at + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(body: &str) -> Vec<&str> {
        scan(body).iter().map(|t| t.text).collect()
    }

    #[test]
    fn comments_nest_and_literals_keep_their_blanks() {
        assert_eq!(
            texts(
                "from a.example (b.example [192.0.2.1] (may be forged)) with [X 1 ESMTP Server];"
            ),
            [
                "from",
                "a.example",
                "b.example [192.0.2.1] (may be forged)",
                "with",
                "[X 1 ESMTP Server]",
                ""
            ]
            .map(|t| if t.is_empty() { ";" } else { t })
        );
    }

    #[test]
    fn a_comment_glued_to_a_word_is_still_a_comment() {
        assert_eq!(
            texts("a.example(192.0.2.1), by b(x)c"),
            ["a.example", "192.0.2.1", "by", "b", "x", "c"]
        );
    }

    #[test]
    fn quotes_and_paths_hide_semicolons_and_brackets() {
        assert_eq!(
            texts(r#"for <"a; (b"@c.example>; x"#),
            ["for", r#"<"a; (b"@c.example>"#, ";", "x"]
        );
    }

    #[test]
    fn an_open_bracket_does_not_swallow_the_field() {
        assert_eq!(
            texts("by a (one (two) id 3; x"),
            ["by", "a", "one (two", "id", "3", ";", "x"]
        );
        assert_eq!(texts("by a (one; x"), ["by", "a", "one", ";", "x"]);
        assert_eq!(texts("by a \"one; x"), ["by", "a", "\"one", ";", "x"]);
    }

    #[test]
    fn a_comment_without_its_closing_bracket_ends_before_the_next_clause() {
        assert_eq!(
            texts("from a (b [192.0.2.1] by c (Postfix) with ESMTP; x"),
            [
                "from",
                "a",
                "b [192.0.2.1]",
                "by",
                "c",
                "Postfix",
                "with",
                "ESMTP",
                ";",
                "x"
            ]
        );
    }

    #[test]
    fn a_million_open_brackets_take_linear_time() {
        for unit in ["(", "(a", "\"", "[", "<", "(\\", ";", "a ", "((a)"] {
            assert!(scan(&unit.repeat(1_000_000 / unit.len())).len() <= MAX_TOKENS);
        }
    }
}
