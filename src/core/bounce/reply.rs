//! Finds the SMTP reply in a line of text, whatever stands around it: `host mx[192.0.2.1] said:
//! 550 …`, `smtp; 550 …`, `<<< 550 …`, `SMTP error from remote mail server after RCPT TO:<…>: …`.
//!
//! Three digits alone are no reply: ports, sizes, times and parts of addresses look the same. Each
//! place that could be a reply is weighed by what stands before and behind it.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::bounce::explanation::Command;
use crate::message::status::EnhancedCode;

mod around;
mod json;
mod log;
mod named;
mod table;

pub(crate) use around::is_ehlo;
pub use log::{Logged, logged};

/// A line of a log made ready: the blanks of qmail are back, a record is read.
pub(crate) enum Opened<'a> {
    Line(Cow<'a, str>),
    Record(json::Record),
}

impl<'a> Opened<'a> {
    pub(crate) fn of(line: &'a str) -> Self {
        match json::Record::read(line) {
            Some(record) => Self::Record(record),
            None => Self::Line(log::unfolded(line).map_or(Cow::Borrowed(line), Cow::Owned)),
        }
    }

    /// The facts of the line.
    pub(crate) fn logged(&self) -> Logged<'_> {
        match self {
            Self::Line(line) => logged(line),
            Self::Record(record) => record.logged(),
        }
    }

    /// The text in which the reply stands.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Line(line) => line,
            Self::Record(record) => record.words(),
        }
    }

    /// The log numbers its deliveries, and this is one of them.
    pub(crate) const fn is_numbered(&self) -> bool {
        matches!(self, Self::Line(Cow::Owned(_)))
    }
}

/// A reply found in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reply<'a> {
    /// The reply code, 200 to 599.
    pub code: Option<u16>,
    /// The enhanced code in the words of the reply.
    pub enhanced: Option<EnhancedCode>,
    /// The reply from its code on; the whole text when there is no code.
    pub text: &'a str,
    /// The command that it answered, when the text around it tells.
    pub command: Option<Command>,
    /// The server that said it.
    pub host: Option<&'a str>,
    /// Its address.
    pub ip: Option<IpAddr>,
    /// The recipient, when the text around it tells.
    pub recipient: Option<&'a str>,
}

/// Bytes of a text that are looked at.
const LIMIT: usize = 16 * 1024;
/// What the place of a code must weigh to be believed.
const ENOUGH: i32 = 3;
/// What the text before a code weighs at the beginning of a line or behind a colon: there even
/// "554 Message refused" is no count of messages.
const SURE: i32 = 4;

/// Where the reply stands in a text, and its two codes: all that most judgements need.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place<'a> {
    text: &'a str,
    start: Option<usize>,
    /// The reply code.
    pub(crate) code: Option<u16>,
    /// The enhanced code in the words of the reply.
    pub(crate) enhanced: Option<EnhancedCode>,
}

impl<'a> Place<'a> {
    /// Finds the reply in a text.
    pub(crate) fn of(text: &'a str) -> Self {
        let text = cut(text);
        let bytes = text.as_bytes();
        let start = place(bytes);
        let code = start.and_then(|at| digits(bytes, at));
        let said = start.and_then(|at| bytes.get(at..)).unwrap_or(bytes);
        Self {
            text,
            start,
            code,
            enhanced: enhanced(said, code),
        }
    }

    /// The reply from its code on; the whole text when there is none.
    pub(crate) fn said(&self) -> &'a str {
        self.start
            .and_then(|at| self.text.get(at..))
            .unwrap_or(self.text)
    }

    /// What stands before the reply; the whole text when there is none.
    fn before(&self) -> &'a str {
        self.start
            .and_then(|at| self.text.get(..at))
            .unwrap_or(self.text)
    }

    /// The command that it answered.
    pub(crate) fn command(&self) -> Option<Command> {
        around::command(self.text, self.before())
    }

    /// The name of the server that said it.
    pub(crate) fn host(&self) -> Option<&'a str> {
        around::speaker(self.before()).0
    }
}

/// Reads the reply in a text. Without a reply code there may still be an enhanced code, as in
/// qmail's `(#5.1.1)`.
pub fn find(text: &str) -> Reply<'_> {
    let place = Place::of(text);
    let before = place.before();
    let (host, ip) = around::speaker(before);
    Reply {
        code: place.code,
        enhanced: place.enhanced,
        text: place.said().trim_end(),
        command: place.command(),
        host,
        ip,
        recipient: named::recipient(place.text, before),
    }
}

/// True for a text that begins with the code of a refusal: `550 no`, `452-4.2.2 full`.
pub(crate) fn starts_refusal(text: &str) -> bool {
    let code = digits(text.as_bytes(), 0).filter(|code| *code >= 400);
    code.is_some() && matches!(text.as_bytes().get(3), Some(b' ' | b'-' | b':'))
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LIMIT)).unwrap_or(text)
}

/// The number at `at` when it can be a reply code.
fn digits(bytes: &[u8], at: usize) -> Option<u16> {
    match bytes.get(at..)? {
        [
            a @ (b'2' | b'4' | b'5'),
            b @ b'0'..=b'9',
            c @ b'0'..=b'9',
            ..,
        ] => {
            let code = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
            matches!(code, 200..=259 | 400..=479 | 500..=579).then_some(code)
        }
        _ => None,
    }
}

/// Where the reply begins: the heaviest place, the first among equals, since the outermost reply
/// is what the refusing server said.
fn place(bytes: &[u8]) -> Option<usize> {
    let mut best: Option<(bool, i32, usize)> = None;
    let mut at = 0;
    while let Some(offset) = bytes.get(at..)?.iter().position(u8::is_ascii_digit) {
        let start = at + offset;
        let len = bytes
            .get(start..)?
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        at = start + len;
        if len != 3 || digits(bytes, start).is_none() {
            continue;
        }
        let weight = weigh(bytes, start);
        // A greeting or an acceptance around a refusal is not what the text is about.
        let refuses = bytes.get(start) != Some(&b'2');
        if weight >= ENOUGH
            && best.is_none_or(|(refused, most, _)| (refuses, weight) > (refused, most))
        {
            best = Some((refuses, weight, start));
        }
    }
    best.map(|(_, _, start)| start)
}

fn weigh(bytes: &[u8], at: usize) -> i32 {
    let before = bytes.get(..at).unwrap_or_default();
    let after = bytes.get(at + 3..).unwrap_or_default();
    let class = bytes.get(at).copied().unwrap_or(0);
    // `sendmail[550]: …`: the number of a process.
    if let [.., name, b'['] = before
        && name.is_ascii_alphabetic()
        && after.starts_with(b"]:")
    {
        return -1;
    }
    let Some(front) = around::front(before) else {
        return -1;
    };
    let behind = match after {
        [] => 1,
        [b' ' | b'-' | b'#' | b'\t', rest @ ..] => {
            let rest = rest.trim_ascii_start();
            // Cisco puts what the other server said in quotes: `421-'4.7.0 too many'`.
            let rest = rest.strip_prefix(b"#").unwrap_or(rest);
            let rest = rest.strip_prefix(b"'").unwrap_or(rest);
            match EnhancedCode::parse_prefix(rest) {
                Some((code, _)) if code.class == class - b'0' => 3,
                _ if front < SURE && around::is_unit(rest) => return -1,
                _ => 1,
            }
        }
        [
            b'\'' | b'"' | b',' | b')' | b']' | b':' | b';' | b'<' | b'\r' | b'\n',
            ..,
        ] => 1,
        [b'.', rest @ ..] if !rest.first().is_some_and(u8::is_ascii_alphanumeric) => 0,
        _ => return -1,
    };
    front + behind
}

/// The enhanced code of a reply: right behind its code, else the first one in its words that
/// agrees with the class of the reply. Some servers contradict themselves: `550 4.7.1`.
fn enhanced(said: &[u8], code: Option<u16>) -> Option<EnhancedCode> {
    let mut wrapper = None;
    let mut at = 0;
    let contrary = code.and_then(|_| beside(said));
    while let Some(next) = said.get(at..)?.iter().position(u8::is_ascii_digit) {
        let before = (at + next)
            .checked_sub(1)
            .and_then(|i| said.get(i))
            .unwrap_or(&b' ');
        let open = !(before.is_ascii_alphanumeric() || matches!(before, b'.' | b'/' | b'@' | b'_'));
        // Without a reply only its place tells it from the number of a version or a paragraph.
        let open = open && (code.is_some() || places(said.get(..at + next)));
        at += next;
        if open
            && let Some((found, len)) = EnhancedCode::parse_prefix(said.get(at..)?)
            && said
                .get(at + len)
                .is_none_or(|b| !b.is_ascii_alphanumeric())
            && code.is_none_or(|code| u16::from(found.class) == code / 100)
            // `Dovecot 2.3.16`, `Exim 4.97.1`, 2.10.24: a version or a date is no code. Subjects end
            // at 7 (RFC 3463 §3), and without a reply only its place tells that all went well.
            && found.subject <= 7
            && (code.is_some() || found.class != 2 || at == 0 || matches!(before, b'#' | b'('))
        {
            // Exchange Online wraps a far server's reply into 5.0.350: the inner one says more.
            if found.subject != 0 {
                return Some(found);
            }
            wrapper = wrapper.or(Some(found));
            at += len;
        } else {
            at += 1;
        }
    }
    wrapper.or(contrary)
}

/// Whether a code may stand behind this text: at the beginning, in brackets, behind a colon or a
/// word that tells of codes, but not in a sentence or a list of numbers.
fn places(before: Option<&[u8]>) -> bool {
    let Some(before) = before else { return false };
    let listed = matches!(
        before.trim_ascii_end().last(),
        Some(b',' | b'.' | b'!' | b'*')
    );
    !listed && around::front(before).is_some_and(|weight| weight >= 2)
}

/// The code right behind the reply code, whatever its class.
fn beside(said: &[u8]) -> Option<EnhancedCode> {
    let (sign, rest) = said.get(3..)?.split_first()?;
    let rest = rest.strip_prefix(b"#").unwrap_or(rest);
    let (found, len) = EnhancedCode::parse_prefix(rest)?;
    let ends = rest.get(len).is_none_or(|b| !b.is_ascii_alphanumeric());
    // "550 4.4.7": that time was over says nothing that the 550 does not.
    let tells = matches!(found.class, 4 | 5) && (found.subject, found.detail) != (4, 7);
    (matches!(sign, b' ' | b'-') && tells && ends).then_some(found)
}

#[cfg(test)]
mod tests;
