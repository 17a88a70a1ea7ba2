//! A domain name: lower case, A-labels, always fully qualified, so no search list can touch it.

use std::fmt;
use std::sync::Arc;

use crate::suffix;

/// The longest name in text form, without the final dot (RFC 1035 §3.1: 255 octets on the wire).
const LONGEST_NAME: usize = 253;
/// The longest label (RFC 1035 §3.1).
const LONGEST_LABEL: usize = 63;

/// A name to ask the DNS about. The root is the empty text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Why a text is no domain name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Two dots in a row, or nothing at all.
    #[error("an empty label")]
    EmptyLabel,
    /// A label has more than 63 characters.
    #[error("a label of more than 63 characters")]
    LongLabel,
    /// The whole name has more than 253 characters.
    #[error("more than 253 characters")]
    TooLong,
    /// No top-level domain is a number (RFC 3696 section 2): an address with a typing error.
    #[error("an address that is none: it has four numbers up to 255")]
    Number,
    /// A character that no host or domain name has.
    #[error("a character that does not belong in a domain name")]
    Character,
}

impl Name {
    /// Reads a name as people write it: any case, with or without the final dot, also in its
    /// native script (RFC 5891).
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_ascii() {
            return Self::checked(text.to_ascii_lowercase());
        }
        idna::domain_to_ascii(text)
            .map_err(|_| BadName::Character)
            .and_then(Self::checked)
    }

    /// Reads the name of a host or domain, as opposed to a part of one: the last label is no number.
    pub fn of_host(text: &str) -> Result<Self, BadName> {
        let name = Self::parse(text)?;
        let last = name.labels().last().unwrap_or_default();
        if !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()) {
            return Err(BadName::Number);
        }
        Ok(name)
    }

    /// The root of the name tree.
    pub fn root() -> Self {
        Self(Arc::from(""))
    }

    /// Puts this name below another: `www` under `example.com`.
    pub fn under(&self, zone: &Self) -> Result<Self, BadName> {
        match (self.0.is_empty(), zone.0.is_empty()) {
            (true, _) => Ok(zone.clone()),
            (_, true) => Ok(self.clone()),
            _ => Self::checked(format!("{}.{}", self.0, zone.0)),
        }
    }

    /// A name that came off the wire: bytes that are no plain characters are written `\DDD`.
    pub(super) fn from_wire<'l>(labels: impl Iterator<Item = &'l [u8]>) -> Self {
        let mut text = String::new();
        for (i, label) in labels.enumerate() {
            if i > 0 {
                text.push('.');
            }
            for &byte in label {
                if byte.is_ascii_graphic() && !matches!(byte, b'.' | b'\\') {
                    text.push(char::from(byte.to_ascii_lowercase()));
                } else {
                    text.push_str(&format!("\\{byte:03}"));
                }
            }
        }
        Self(Arc::from(text))
    }

    fn checked(text: String) -> Result<Self, BadName> {
        if text.len() > LONGEST_NAME {
            return Err(BadName::TooLong);
        }
        for label in text.split('.') {
            if label.is_empty() {
                return Err(BadName::EmptyLabel);
            }
            if label.len() > LONGEST_LABEL {
                return Err(BadName::LongLabel);
            }
            // RFC 2782 and the lists' test points use underscores; `*` is asked by nobody.
            if !label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            {
                return Err(BadName::Character);
            }
        }
        Ok(Self(Arc::from(text)))
    }

    /// The name without its final dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its labels, leftmost first.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.0.split('.').filter(|label| !label.is_empty())
    }

    /// The name without its first label; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.0.is_empty() {
            return None;
        }
        Some(
            self.0
                .split_once('.')
                .map_or_else(Self::root, |(_, rest)| Self(Arc::from(rest))),
        )
    }

    /// Whether it is `zone` or below it.
    pub fn is_within(&self, zone: &Self) -> bool {
        zone.0.is_empty()
            || self
                .0
                .strip_suffix(&*zone.0)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// The domain that somebody registered (`example.co.uk` for `www.example.co.uk`), by the
    /// public suffix list; the name itself when it is a public suffix.
    pub fn registered(&self) -> Self {
        suffix::registered(&self.0).map_or_else(|| self.clone(), |domain| Self(Arc::from(domain)))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "." } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_a_typing_error_is_no_name() {
        for text in ["999.1.2.3", "192.0.2", "192.0.2.1.5", "12"] {
            assert_eq!(Name::of_host(text), Err(BadName::Number), "{text}");
        }
        assert!(Name::of_host("1.2.0.192.in-addr.arpa").is_ok());
        assert!(Name::of_host("163.com").is_ok());
    }

    #[test]
    fn names_are_lower_case_a_labels_without_the_final_dot() {
        assert_eq!(Name::parse("Example.ORG.").unwrap().as_str(), "example.org");
        assert_eq!(
            Name::parse("bücher.example").unwrap().as_str(),
            "xn--bcher-kva.example"
        );
        assert_eq!(
            Name::parse("_dnsbl_.test").unwrap().as_str(),
            "_dnsbl_.test"
        );
    }

    #[test]
    fn what_cannot_be_asked_is_refused_before_it_is_sent() {
        assert_eq!(Name::parse("a..b"), Err(BadName::EmptyLabel));
        assert_eq!(Name::parse(""), Err(BadName::EmptyLabel));
        assert_eq!(Name::parse(&"a".repeat(64)), Err(BadName::LongLabel));
        assert_eq!(Name::parse(&"abcdefg.".repeat(32)), Err(BadName::TooLong));
        assert_eq!(Name::parse("a b.example"), Err(BadName::Character));
        assert_eq!(Name::parse("user@example.org"), Err(BadName::Character));
    }

    #[test]
    fn the_registered_domain_follows_the_public_suffix_list() {
        let registered = |text| Name::parse(text).unwrap().registered().to_string();
        assert_eq!(registered("a.b.example.co.uk"), "example.co.uk");
        assert_eq!(registered("www.bad-sender.example"), "bad-sender.example");
        assert_eq!(registered("com"), "com");
    }

    #[test]
    fn a_name_is_within_its_zone_only_at_a_dot() {
        let name = |text| Name::parse(text).unwrap();
        assert!(name("a.example").is_within(&name("example")));
        assert!(!name("anexample").is_within(&name("example")));
        assert_eq!(
            name("a.b").parent().and_then(|p| p.parent()),
            Some(Name::root())
        );
    }

    #[test]
    fn bytes_off_the_wire_cannot_become_control_characters() {
        let labels: [&[u8]; 2] = [b"a\x1b.b", b"Org"];
        assert_eq!(
            Name::from_wire(labels.into_iter()).as_str(),
            "a\\027\\046b.org"
        );
    }
}
