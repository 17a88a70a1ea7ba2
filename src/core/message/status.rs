//! Enhanced mail system status codes (RFC 3463): the three numbers such as `5.1.1`.

use std::fmt;

/// An enhanced status code, `class.subject.detail` (RFC 3463 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnhancedCode {
    /// 2 success, 4 persistent transient failure, 5 permanent failure.
    pub class: u8,
    /// 0 undefined, 1 address, 2 mailbox, 3 system, 4 network, 5 protocol, 6 content, 7 policy.
    pub subject: u16,
    /// The detail within the subject.
    pub detail: u16,
}

impl EnhancedCode {
    /// Builds a code; `None` when the class is not 2, 4 or 5 or a number has over three digits.
    pub fn new(class: u8, subject: u16, detail: u16) -> Option<Self> {
        (matches!(class, 2 | 4 | 5) && subject <= 999 && detail <= 999).then_some(Self {
            class,
            subject,
            detail,
        })
    }

    /// Reads a code at the very start of `text`; gives the code and the bytes it took.
    ///
    /// The code must not go on with another digit or `.digit` (that would be an IP address).
    pub fn parse_prefix(text: &[u8]) -> Option<(Self, usize)> {
        let mut at = 0;
        let mut numbers = [0u16; 3];
        for (i, slot) in numbers.iter_mut().enumerate() {
            if i > 0 {
                (text.get(at) == Some(&b'.')).then_some(())?;
                at += 1;
            }
            let start = at;
            while let Some(d) = text.get(at).filter(|b| b.is_ascii_digit()) {
                (at - start < 3).then_some(())?;
                *slot = *slot * 10 + u16::from(d - b'0');
                at += 1;
            }
            (at > start).then_some(())?;
        }
        if text.get(at) == Some(&b'.') && text.get(at + 1).is_some_and(u8::is_ascii_digit) {
            return None;
        }
        let [class, subject, detail] = numbers;
        Some((Self::new(u8::try_from(class).ok()?, subject, detail)?, at))
    }

    /// Reads a text that is nothing but a code, surrounding blanks aside.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().as_bytes();
        let (code, len) = Self::parse_prefix(text)?;
        (len == text.len()).then_some(code)
    }

    /// True for `X.0.0`: a code that says nothing beyond its class.
    pub fn is_bare(self) -> bool {
        self.subject == 0 && self.detail == 0
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_and_written_back() {
        assert_eq!(EnhancedCode::parse(" 5.1.1 ").unwrap().to_string(), "5.1.1");
        assert_eq!(EnhancedCode::parse("4.7.650").unwrap().detail, 650);
    }

    #[test]
    fn an_ip_address_or_a_version_is_no_code() {
        for text in ["5.1.1.1", "3.1.1", "5.1", "5.1.1000", "5..1", "", "5.1.1 x"] {
            assert_eq!(EnhancedCode::parse(text), None, "{text}");
        }
        assert_eq!(EnhancedCode::parse_prefix(b"5.1.1. No").unwrap().1, 5);
    }
}
