//! Replies: one or more lines of three digits, a mark and text (RFC 5321 §4.2).
//!
//! The reader takes what real servers send: lines without CR, continuation lines that lost their
//! code, different codes in one reply. It says what was wrong instead of giving up; only a first
//! line without a code is no reply at all.

use std::fmt;

use crate::message::status::EnhancedCode;

/// The most lines of one reply. The longest real greetings and EHLO lists have about 40.
pub const MOST_LINES: usize = 200;
/// Octets kept of one line; RFC 5321 §4.5.3.1.5 allows 512, some servers write more.
pub const LONGEST_LINE: usize = 4096;
/// Octets of one reply after which it is not read on.
pub const LARGEST: usize = 64 * 1024;

/// A whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The code, 200 to 599 from a sane server; of the last line when the lines differ.
    pub code: u16,
    /// The text of each line, without code and mark. Untrusted.
    pub lines: Vec<String>,
    /// What does not follow the standard.
    pub flaws: Vec<Flaw>,
}

/// What is wrong with the form of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flaw {
    /// A line ends with LF alone (RFC 5321 §2.3.8).
    BareLineFeed,
    /// The lines have different codes (RFC 5321 §4.2.1).
    MixedCodes,
    /// A continuation line has no code.
    LostCode,
    /// A line is longer than [`LONGEST_LINE`] and was cut.
    LongLine,
    /// Something came before the command that this answers; it was thrown away.
    Unasked,
}

impl Flaw {
    /// The flaw in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::BareLineFeed => "ends lines with LF alone",
            Self::MixedCodes => "mixes different codes in one reply",
            Self::LostCode => "leaves out the code of continuation lines",
            Self::LongLine => "writes lines of more than 4096 octets",
            Self::Unasked => "sends replies that nobody asked for",
        }
    }
}

impl Reply {
    /// 2xx.
    pub const fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 3xx: go on.
    pub const fn is_intermediate(&self) -> bool {
        self.code / 100 == 3
    }

    /// 4xx: not now.
    pub const fn is_transient(&self) -> bool {
        self.code / 100 == 4
    }

    /// 5xx: no.
    pub const fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }

    /// The enhanced status code, of the first line that has one of the reply's class (RFC 2034).
    pub fn enhanced(&self) -> Option<EnhancedCode> {
        self.lines.iter().find_map(|line| {
            let (code, _) = EnhancedCode::parse_prefix(line.trim_start().as_bytes())?;
            (u16::from(code.class) == self.code / 100).then_some(code)
        })
    }

    /// The text of all lines in one, with the enhanced code said once. This is what people read.
    pub fn text(&self) -> String {
        let enhanced = self.enhanced();
        let mut whole = String::new();
        for line in &self.lines {
            let line = line.trim();
            let rest = EnhancedCode::parse_prefix(line.as_bytes())
                .filter(|(code, _)| Some(*code) == enhanced && !whole.is_empty())
                .and_then(|(_, taken)| line.get(taken..))
                .map_or(line, str::trim_start);
            if !rest.is_empty() {
                if !whole.is_empty() {
                    whole.push(' ');
                }
                whole.push_str(rest);
            }
        }
        whole
    }
}

impl fmt::Display for Reply {
    /// Code and text in one line, as a log would have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        write!(f, "{:03}", self.code)?;
        if !text.is_empty() {
            write!(f, " {text}")?;
        }
        Ok(())
    }
}

/// Why there is no reply to be had from the lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bad {
    /// The first line has no code: this is the line.
    NoCode(String),
    /// The reply does not end.
    Endless,
}

/// Puts lines together to replies.
#[derive(Debug, Default)]
pub struct Assembler {
    code: Option<u16>,
    lines: Vec<String>,
    flaws: Vec<Flaw>,
    octets: usize,
}

impl Assembler {
    /// Takes the next line with its line ending; gives the reply when this was its last one.
    pub fn push(&mut self, line: &[u8]) -> Result<Option<Reply>, Bad> {
        self.octets += line.len();
        let bare = self.ending(line);
        let (code, last, text) = match split(bare) {
            Some(parts) => parts,
            None if self.code.is_none() => {
                return Err(Bad::NoCode(String::from_utf8_lossy(bare).into_owned()));
            }
            None => {
                self.note(Flaw::LostCode);
                (self.code.unwrap_or_default(), false, bare)
            }
        };
        if self.code.is_some_and(|before| before != code) {
            self.note(Flaw::MixedCodes);
        }
        self.code = Some(code);
        self.lines
            .push(String::from_utf8_lossy(text).trim_end().to_string());
        if last {
            let done = std::mem::take(self);
            return Ok(Some(Reply {
                code,
                lines: done.lines,
                flaws: done.flaws,
            }));
        }
        if self.lines.len() >= MOST_LINES || self.octets >= LARGEST {
            return Err(Bad::Endless);
        }
        Ok(None)
    }

    /// Whether lines of an unfinished reply are there.
    pub fn is_midway(&self) -> bool {
        self.code.is_some()
    }

    /// What of an unfinished reply is there.
    pub fn so_far(&self) -> &[String] {
        &self.lines
    }

    /// Remembers a flaw once.
    pub fn note(&mut self, flaw: Flaw) {
        if !self.flaws.contains(&flaw) {
            self.flaws.push(flaw);
        }
    }

    fn ending<'l>(&mut self, line: &'l [u8]) -> &'l [u8] {
        match line {
            [rest @ .., b'\r', b'\n'] => rest,
            [rest @ .., b'\n'] => {
                self.note(Flaw::BareLineFeed);
                rest
            }
            rest => rest,
        }
    }
}

/// Code, whether the line is the last one, and text; `None` when there is no code.
fn split(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (digits, rest) = line.split_at_checked(3)?;
    let mut code = 0;
    for digit in digits {
        code = code * 10 + u16::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    // RFC 5321 section 4.2: the first of the three digits tells the kind of reply; a nought tells none.
    if code < 100 {
        return None;
    }
    match rest {
        [] => Some((code, true, rest)),
        [b'-', text @ ..] => Some((code, false, text)),
        [b' ' | b'\t', text @ ..] => Some((code, true, text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Reply {
        let mut assembler = Assembler::default();
        let (last, before) = lines.split_last().unwrap();
        for line in before {
            assert_eq!(assembler.push(line.as_bytes()), Ok(None), "{line:?}");
        }
        assembler.push(last.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn a_reply_of_several_lines_is_one_sentence_with_one_enhanced_code() {
        let reply = read(&[
            "550-5.7.1 Our system has detected\r\n",
            "550-5.7.1 an unusual rate. See\r\n",
            "550 5.7.1 https://example.com/550-bl23.html\r\n",
        ]);
        assert_eq!(reply.enhanced().unwrap().to_string(), "5.7.1");
        assert_eq!(
            reply.to_string(),
            "550 5.7.1 Our system has detected an unusual rate. See https://example.com/550-bl23.html"
        );
        assert!(reply.flaws.is_empty());
    }

    #[test]
    fn text_may_be_missing_with_and_without_the_blank() {
        assert_eq!(read(&["250\r\n"]).to_string(), "250");
        assert_eq!(read(&["550 \r\n"]).to_string(), "550");
        assert_eq!(read(&["250-\r\n", "250 x\r\n"]).text(), "x");
    }

    #[test]
    fn flaws_are_told_and_the_last_code_counts() {
        let reply = read(&["250-a\n", "lost\r\n", "251 b\r\n"]);
        assert_eq!(reply.code, 251);
        assert_eq!(
            reply.flaws,
            [Flaw::BareLineFeed, Flaw::LostCode, Flaw::MixedCodes]
        );
        assert_eq!(reply.lines, ["a", "lost", "b"]);
    }

    #[test]
    fn a_first_line_without_a_code_is_no_reply() {
        for line in [
            "",
            "hello\r\n",
            "25 x\r\n",
            "2500 x\r\n",
            "SSH-2.0\r\n",
            "099 x\r\n",
        ] {
            let bad = Assembler::default().push(line.as_bytes());
            assert!(matches!(bad, Err(Bad::NoCode(_))), "{line:?}");
        }
    }

    #[test]
    fn an_endless_reply_ends_at_200_lines_or_64_kib() {
        let mut assembler = Assembler::default();
        let lines = (0..1000).take_while(|_| assembler.push(b"220-x\r\n") == Ok(None));
        assert_eq!(lines.count(), MOST_LINES - 1);
        let long = [b"220-".as_slice(), &[b'x'; LONGEST_LINE]].concat();
        let mut assembler = Assembler::default();
        let lines = (0..1000).take_while(|_| assembler.push(&long) == Ok(None));
        assert!(lines.count() < 17);
    }

    #[test]
    fn the_enhanced_code_must_be_of_the_class_of_the_reply() {
        assert_eq!(read(&["550 4.2.2 full\r\n"]).enhanced(), None);
        assert_eq!(read(&["550 1.2.3.4 is listed\r\n"]).enhanced(), None);
    }
}
