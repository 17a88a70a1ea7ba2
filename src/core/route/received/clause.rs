//! Tokens to clauses: `from`, `by`, `via`, `with`, `id`, `for` in any order and case, each of
//! which may be missing, and the date, which follows the last `;` that has one behind it.

use crate::message::dates::{self, Stamp};

use super::scan::{Kind, Token};
use super::tls;

/// The clauses of one field. Each holds the tokens between its keyword and the next keyword.
#[derive(Debug, Default)]
pub(crate) struct Line<'t, 'x> {
    pub(crate) body: &'x str,
    pub(crate) tokens: &'t [Token<'x>],
    pub(crate) from: &'t [Token<'x>],
    pub(crate) by: &'t [Token<'x>],
    pub(crate) with: &'t [Token<'x>],
    /// A second `with`, such as `with STARTTLS`.
    pub(crate) with_more: &'t [Token<'x>],
    pub(crate) via: &'t [Token<'x>],
    pub(crate) id: &'t [Token<'x>],
    pub(crate) recipient: &'t [Token<'x>],
    /// `envelope-from <…>` outside brackets, or a second `from <…>` (XMail).
    pub(crate) sender: &'t [Token<'x>],
    /// `by uid 502` (qmail-scanner).
    pub(crate) login: &'t [Token<'x>],
    /// `tls CIPHER` (RFC 8314 §7.4).
    pub(crate) cipher: &'t [Token<'x>],
    /// `as user U`.
    pub(crate) user: &'t [Token<'x>],
    pub(crate) has_from: bool,
    pub(crate) time: Option<Stamp>,
    /// The date has no day of the week: qmail and its kin, IronPort.
    pub(crate) bare_date: bool,
    /// Where the date stands among the tokens.
    date: (usize, usize),
}

impl<'t, 'x> Line<'t, 'x> {
    /// The comments of the whole field.
    pub(crate) fn comments(&self) -> impl Iterator<Item = Token<'x>> + use<'t, 'x> {
        self.tokens
            .iter()
            .filter(|t| t.kind == Kind::Comment)
            .copied()
    }

    /// What stands before the first clause: `(qmail 1 invoked by uid 2)`, `(from x@localhost)`.
    pub(crate) fn opening(&self) -> Option<&'x str> {
        self.tokens
            .first()
            .filter(|t| t.kind == Kind::Comment)
            .map(|t| t.text)
    }
}

/// The words of a clause.
pub(crate) fn words<'t, 'x>(
    clause: &'t [Token<'x>],
) -> impl Iterator<Item = &'x str> + use<'t, 'x> {
    clause
        .iter()
        .filter(|t| t.kind == Kind::Word)
        .map(|t| t.text)
}

/// The comments of a clause.
pub(crate) fn comments<'t, 'x>(
    clause: &'t [Token<'x>],
) -> impl Iterator<Item = &'x str> + use<'t, 'x> {
    clause
        .iter()
        .filter(|t| t.kind == Kind::Comment)
        .map(|t| t.text)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    From,
    By,
    Via,
    With,
    Id,
    For,
    Sender,
    Tls,
    As,
    /// A clause that is registered and not looked into: `group`, `priority`.
    Other,
}

fn key(word: &str) -> Option<Key> {
    let bytes = word.as_bytes();
    let is = |w: &str| word.eq_ignore_ascii_case(w);
    match (bytes.first()?.to_ascii_lowercase(), bytes.len()) {
        (b'f', 4) if is("from") => Some(Key::From),
        (b'b', 2) if is("by") => Some(Key::By),
        (b'v', 3) if is("via") => Some(Key::Via),
        (b'w', 4) if is("with") => Some(Key::With),
        // A misspelling that whole installations carried about.
        (b'w', 5) if is("whith") => Some(Key::With),
        (b'i', 2) if is("id") => Some(Key::Id),
        (b'f', 3) if is("for") => Some(Key::For),
        (b't', 3) if is("tls") => Some(Key::Tls),
        (b'g', 5) if is("group") => Some(Key::Other),
        (b'p', 8) if is("priority") => Some(Key::Other),
        (b'a', 2) if is("as") => Some(Key::As),
        (b'e', 13) if is("envelope-from") => Some(Key::Sender),
        (b'e', 15) if is("envelope-sender") => Some(Key::Sender),
        (b'r', 11) if is("return-path") => Some(Key::Sender),
        _ => None,
    }
}

/// Takes the tokens of a field apart into clauses.
pub(crate) fn part<'t, 'x>(body: &'x str, tokens: &'t [Token<'x>]) -> Line<'t, 'x> {
    let mut line = Line {
        body,
        tokens,
        ..Line::default()
    };
    line.date = (tokens.len(), tokens.len());
    find_date(&mut line);
    let (date, behind) = line.date;
    clauses(&mut line, 0, date);
    clauses(&mut line, behind, tokens.len());
    line
}

/// Walks the tokens of one stretch, before or behind the date.
fn clauses<'t, 'x>(line: &mut Line<'t, 'x>, start: usize, end: usize) {
    let tokens = line.tokens.get(start..end).unwrap_or_default();
    let mut open: Option<(Key, usize)> = None;
    for (n, token) in tokens.iter().enumerate() {
        let semicolon = token.kind == Kind::Semicolon;
        let found = if token.kind == Kind::Word {
            key(token.text)
        } else {
            None
        };
        // `as` is a clause only within `as user X`, `tls` only before a cipher suite; elsewhere
        // they are words.
        let found = found.filter(|k| match k {
            Key::As => next_is(tokens, n, "user"),
            Key::Tls => tokens
                .get(n + 1)
                .is_some_and(|t| tls::is_cipher(t.text) || t.text.starts_with("version=")),
            _ => true,
        });
        if found.is_none() && !semicolon {
            continue;
        }
        if let Some((_, from)) = open
            && found.is_some()
            && from == n
            && !matches!(open, Some((Key::With, _)))
            && is_value(tokens, n)
        {
            continue;
        }
        if let Some((key, from)) = open.take() {
            line.put(key, tokens.get(from..n).unwrap_or_default());
        }
        open = found.map(|key| (key, n + 1));
    }
    if let Some((key, from)) = open {
        line.put(key, tokens.get(from..).unwrap_or_default());
    }
}

fn next_is(tokens: &[Token<'_>], n: usize, word: &str) -> bool {
    tokens
        .get(n + 1)
        .is_some_and(|t| t.text.eq_ignore_ascii_case(word))
}

/// A keyword directly behind a keyword is the value when a comment, another keyword or the end
/// follows (`from by (a [192.0.2.1])`, `id for;`); else the first clause is empty.
fn is_value(tokens: &[Token<'_>], n: usize) -> bool {
    match tokens.get(n + 1) {
        None => true,
        Some(next) => match next.kind {
            Kind::Comment | Kind::Semicolon => true,
            Kind::Word => key(next.text).is_some(),
        },
    }
}

impl<'t, 'x> Line<'t, 'x> {
    fn put(&mut self, key: Key, clause: &'t [Token<'x>]) {
        let slot = match key {
            Key::From if !self.has_from => {
                self.has_from = true;
                &mut self.from
            }
            Key::From => &mut self.sender,
            Key::By if self.by.is_empty() => &mut self.by,
            Key::By => &mut self.login,
            Key::With if self.with.is_empty() => &mut self.with,
            Key::With => &mut self.with_more,
            Key::Via => &mut self.via,
            Key::Id => &mut self.id,
            Key::For => &mut self.recipient,
            Key::Sender => &mut self.sender,
            Key::Tls => &mut self.cipher,
            Key::As => &mut self.user,
            Key::Other => return,
        };
        if slot.is_empty() {
            *slot = clause;
        }
    }
}

/// Finds the date: behind the last `;` that has one, else (SendGrid, some filters) among the words.
fn find_date(line: &mut Line<'_, '_>) {
    let tokens = line.tokens;
    let behind = tokens
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, t)| t.kind == Kind::Semicolon);
    for (n, semicolon) in behind {
        if take_date(line, n, semicolon.end) {
            return;
        }
    }
    for (n, token) in tokens.iter().enumerate().rev() {
        if token.kind == Kind::Word && may_be_date(token.text) && take_date(line, n, token.start) {
            return;
        }
    }
}

fn take_date(line: &mut Line<'_, '_>, n: usize, at: usize) -> bool {
    let Some(text) = line.body.get(at..) else {
        return false;
    };
    let Some((stamp, len)) = dates::prefix(text) else {
        return false;
    };
    line.bare_date = text.trim_start().starts_with(|c: char| c.is_ascii_digit());
    let behind = line
        .tokens
        .iter()
        .skip(n)
        .take_while(|t| t.start < at + len)
        .count();
    line.time = Some(stamp);
    line.date = (n, n + behind);
    true
}

/// A word that a date can begin with: a day of the week, or a year with a hyphen.
fn may_be_date(word: &str) -> bool {
    let day = word.trim_end_matches([',', '.']);
    let named = day.len() == 3
        && ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
            .iter()
            .any(|d| d.eq_ignore_ascii_case(day));
    let mut bytes = word.bytes();
    named
        || (bytes.by_ref().take(4).filter(u8::is_ascii_digit).count() == 4
            && bytes.next() == Some(b'-'))
}
