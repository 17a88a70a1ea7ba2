//! What the server says: a code, an enhanced code of the same class, and words.

use std::borrow::Cow;
use std::fmt;

use crate::message::status::EnhancedCode;

/// Octets of one line with its CR LF (RFC 5321 section 4.5.3.1.5).
const LONGEST_LINE: usize = 512;

/// One reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// Subject and detail of the enhanced code (RFC 2034); its class is that of the code. `None`
    /// where there is none: greetings, EHLO, HELO and 3xx.
    pub status: Option<(u16, u16)>,
    /// The words; a line feed begins another line of the reply.
    pub text: Cow<'static, str>,
}

impl Reply {
    /// A reply in fixed words.
    pub const fn new(code: u16, subject: u16, detail: u16, text: &'static str) -> Self {
        Self {
            code,
            status: Some((subject, detail)),
            text: Cow::Borrowed(text),
        }
    }

    /// A reply in words made for the occasion.
    pub fn said(code: u16, subject: u16, detail: u16, text: impl Into<String>) -> Self {
        Self {
            code,
            status: Some((subject, detail)),
            text: Cow::Owned(text.into()),
        }
    }

    /// A reply without an enhanced code.
    pub fn plain(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            status: None,
            text: text.into(),
        }
    }

    /// Reads `550 5.1.1 no such user`, as rules and filters write it; `None` without a code from
    /// 200 to 599. An enhanced code of another class stays part of the words.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (digits, rest) = text.split_at_checked(3)?;
        let code: u16 = digits.parse().ok()?;
        let apart = rest.is_empty() || rest.starts_with(' ');
        if !(200..600).contains(&code) || !apart {
            return None;
        }
        let rest = rest.trim_start();
        let enhanced = EnhancedCode::parse_prefix(rest.as_bytes())
            .filter(|(status, _)| u16::from(status.class) == code / 100);
        let (status, words) = match enhanced {
            Some((status, taken)) => (
                Some((status.subject, status.detail)),
                rest.get(taken..).unwrap_or_default().trim_start(),
            ),
            None => (None, rest),
        };
        Some(Self {
            code,
            status,
            text: Cow::Owned(words.to_string()),
        })
    }

    /// Whether it says yes.
    pub const fn is_positive(&self) -> bool {
        self.code < 400
    }

    /// Writes it for the wire: CR LF, every line at most 512 octets and with the same codes,
    /// nothing in it that could be taken for the end of a line.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut lines = self.text.split('\n').peekable();
        while let Some(line) = lines.next() {
            let mut rest = line.trim_end_matches('\r');
            loop {
                let room = LONGEST_LINE - 20;
                let (now, later) = cut(rest, room);
                let last = later.is_empty() && lines.peek().is_none();
                self.line(now, last, out);
                if later.is_empty() {
                    break;
                }
                rest = later;
            }
        }
    }

    fn line(&self, words: &str, last: bool, out: &mut Vec<u8>) {
        number(self.code, out);
        out.push(if last { b' ' } else { b'-' });
        if let Some((subject, detail)) = self.status {
            number(self.code / 100, out);
            out.push(b'.');
            number(subject, out);
            out.push(b'.');
            number(detail, out);
            out.push(b' ');
        }
        let from = out.len();
        out.extend_from_slice(words.as_bytes());
        for octet in out.iter_mut().skip(from) {
            if octet.is_ascii_control() {
                *octet = b'?';
            }
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// As it is on the wire, without line ends: for logs.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.code)?;
        if let Some((subject, detail)) = self.status {
            write!(f, " {}.{subject}.{detail}", self.code / 100)?;
        }
        write!(f, " {}", self.text.replace('\n', " "))
    }
}

/// Cuts a text that is too long for a line, at a blank if there is one.
fn cut(text: &str, room: usize) -> (&str, &str) {
    if text.len() <= room {
        return (text, "");
    }
    let edge = text.floor_char_boundary(room);
    let head = text.get(..edge).unwrap_or_default();
    let at = head.rfind(' ').filter(|at| *at > room / 2).unwrap_or(edge);
    let (now, later) = text.split_at_checked(at).unwrap_or((text, ""));
    (now, later.trim_start_matches(' '))
}

fn number(mut n: u16, out: &mut Vec<u8>) {
    let from = out.len();
    loop {
        out.push(b'0' + u8::try_from(n % 10).unwrap_or_default());
        n /= 10;
        if n == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(from..) {
        digits.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(reply: &Reply) -> String {
        let mut out = Vec::new();
        reply.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_line_has_the_same_codes() {
        let reply = Reply::new(550, 7, 1, "no\nreally");
        assert_eq!(wire(&reply), "550-5.7.1 no\r\n550 5.7.1 really\r\n");
        assert_eq!(wire(&Reply::plain(354, "go")), "354 go\r\n");
    }

    #[test]
    fn no_line_is_longer_than_512_octets_or_holds_a_control() {
        let text = format!("{} {}\r\0\x1b", "é".repeat(400), "x".repeat(900));
        let wire = wire(&Reply::said(550, 1, 1, text));
        assert!(wire.split_inclusive("\r\n").count() >= 4);
        for line in wire.split_inclusive("\r\n") {
            assert!(line.len() <= 512, "{}", line.len());
            let bare = line.strip_suffix("\r\n").unwrap();
            assert!(!bare.contains(|c: char| c.is_control()), "{bare:?}");
        }
    }

    #[test]
    fn what_rules_write_is_read() {
        let reply = Reply::parse("550 5.1.1 unknown").unwrap();
        assert_eq!(reply, Reply::said(550, 1, 1, "unknown"));
        let odd = Reply::parse("550 4.2.2 odd").unwrap();
        assert_eq!((odd.status, &*odd.text), (None, "4.2.2 odd"));
        assert_eq!(Reply::parse("250"), Some(Reply::plain(250, "")));
        for none in ["", "drop", "99 x", "5501 x", "700 x", "550x"] {
            assert_eq!(Reply::parse(none), None, "{none}");
        }
    }
}
