//! A mailbox of an envelope (RFC 5321 section 4.1.2), in the one form that is compared and stored.

use std::fmt;

/// A mailbox: `"user"@EXAMPLE.net` and `user@example.net` are the same value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// The local part without quotes and backslashes, its case kept.
    pub local: String,
    /// The domain in lower case, or an address literal with its brackets; `None` only for the bare
    /// `postmaster` of RFC 5321 section 4.1.1.3.
    pub domain: Option<String>,
}

impl Address {
    /// Whether this is postmaster, in any case, of whatever domain.
    pub fn is_postmaster(&self) -> bool {
        self.local.eq_ignore_ascii_case("postmaster")
    }

    /// Whether the local part must be quoted to be spoken (RFC 5321 `Dot-string`).
    fn needs_quotes(&self) -> bool {
        self.local.is_empty()
            || self.local.split('.').any(|atom| {
                atom.is_empty()
                    || !atom.chars().all(|c| {
                        c.is_ascii_alphanumeric()
                            || "!#$%&'*+-/=?^_`{|}~".contains(c)
                            || !c.is_ascii()
                    })
            })
    }
}

/// The form that is spoken between the angle brackets, quoted where the grammar asks for it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.needs_quotes() {
            f.write_str("\"")?;
            for c in self.local.chars() {
                if matches!(c, '"' | '\\') {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
            f.write_str("\"")?;
        } else {
            f.write_str(&self.local)?;
        }
        match &self.domain {
            Some(domain) => write!(f, "@{domain}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_part_is_quoted_only_where_it_must_be() {
        let spoken = |local: &str| {
            Address {
                local: local.into(),
                domain: Some("example.net".into()),
            }
            .to_string()
        };
        assert_eq!(spoken("a.user+tag"), "a.user+tag@example.net");
        assert_eq!(spoken("a user"), "\"a user\"@example.net");
        assert_eq!(spoken("a\"b\\c"), "\"a\\\"b\\\\c\"@example.net");
        assert_eq!(spoken(".a"), "\".a\"@example.net");
        assert_eq!(spoken("jürgen"), "jürgen@example.net");
    }
}
