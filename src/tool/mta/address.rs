//! A mailbox of an envelope (RFC 5321 section 4.1.2), in the one form that is compared and stored.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Octets of a local part (RFC 5321 section 4.5.3.1.1).
const LONGEST_LOCAL: usize = 64;
/// Octets of a domain (section 4.5.3.1.2).
const LONGEST_DOMAIN: usize = 255;
/// Octets of a path with its brackets (section 4.5.3.1.3).
const LONGEST_PATH: usize = 256;
/// Octets of one label of a domain (RFC 1035 section 2.3.4).
const LONGEST_LABEL: usize = 63;

/// A mailbox: `"user"@EXAMPLE.net` and `user@example.net` are the same value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// The local part without quotes and backslashes, its case kept.
    pub local: String,
    /// The domain in lower case, its labels in ASCII (RFC 5890), or an address literal with its
    /// brackets; `None` only for the bare `postmaster` of RFC 5321 section 4.1.1.3.
    pub domain: Option<String>,
}

/// Why something is no path, in words that end a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// No `<` where it must be, or no `>`.
    #[error("the address must stand in angle brackets")]
    Brackets,
    /// The local part is none.
    #[error("the part before the @ is malformed")]
    Local,
    /// The local part is too long.
    #[error("the part before the @ is longer than 64 octets")]
    LongLocal,
    /// No domain.
    #[error("the address has no domain")]
    NoDomain,
    /// The domain is none.
    #[error("the domain is malformed")]
    Domain,
    /// The domain is too long.
    #[error("the domain is longer than 255 octets")]
    LongDomain,
    /// The whole is too long.
    #[error("the path is longer than 256 octets")]
    LongPath,
}

impl Address {
    /// Reads a mailbox without brackets: `user@example.net`, or the bare `postmaster`.
    pub fn parse(text: &str) -> Result<Self, BadPath> {
        let (local, rest) = local_part(text)?;
        if local.len() > LONGEST_LOCAL {
            return Err(BadPath::LongLocal);
        }
        let Some(domain) = rest.strip_prefix('@') else {
            let bare = rest.is_empty() && local.eq_ignore_ascii_case("postmaster");
            return match rest.is_empty() {
                true if bare => Ok(Self {
                    local,
                    domain: None,
                }),
                true => Err(BadPath::NoDomain),
                false => Err(BadPath::Local),
            };
        };
        let domain = Some(parse_domain(domain)?);
        Ok(Self { local, domain })
    }

    /// Reads a path at the start of `text`: `<user@example.net>`, `<>` (which is `None`), or with
    /// a source route, which is dropped (RFC 5321 section 4.1.1.3 and appendix C). Gives also
    /// what stands behind the path.
    pub fn parse_path(text: &str) -> Result<(Option<Self>, &str), BadPath> {
        let inner = text.strip_prefix('<').ok_or(BadPath::Brackets)?;
        let end = closing(inner).ok_or(BadPath::Brackets)?;
        let (path, rest) = inner.split_at_checked(end).ok_or(BadPath::Brackets)?;
        let rest = rest.strip_prefix('>').ok_or(BadPath::Brackets)?;
        if path.is_empty() {
            return Ok((None, rest));
        }
        let mailbox = match path.strip_prefix('@') {
            Some(route) => {
                let (hosts, mailbox) = route.split_once(':').ok_or(BadPath::Local)?;
                for host in hosts.split(',').map(|h| h.strip_prefix('@').unwrap_or(h)) {
                    parse_domain(host)?;
                }
                mailbox
            }
            None => path,
        };
        if mailbox.len() + 2 > LONGEST_PATH + LONGEST_LOCAL {
            return Err(BadPath::LongPath);
        }
        let address = Self::parse(mailbox)?;
        // Measured without needless quotes and backslashes.
        if address.to_string().len() + 2 > LONGEST_PATH + LONGEST_LOCAL {
            return Err(BadPath::LongPath);
        }
        Ok((Some(address), rest))
    }

    /// Whether it can be spoken without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.local.is_ascii()
    }

    /// The address of an address literal.
    pub fn literal(&self) -> Option<IpAddr> {
        literal(self.domain.as_deref()?)
    }

    /// Whether this is postmaster, in any case, of whatever domain.
    pub fn is_postmaster(&self) -> bool {
        self.local.eq_ignore_ascii_case("postmaster")
    }

    /// Whether the local part must be quoted to be spoken (RFC 5321 `Dot-string`).
    fn needs_quotes(&self) -> bool {
        self.local.is_empty()
            || self
                .local
                .split('.')
                .any(|atom| atom.is_empty() || !atom.chars().all(is_atext))
    }
}

/// Where the `>` of a path is: the first one that is not inside quotes.
fn closing(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '>' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// A local part, bare, and what stands behind it.
fn local_part(text: &str) -> Result<(String, &str), BadPath> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find('@').unwrap_or(text.len());
        let (local, rest) = text.split_at_checked(end).ok_or(BadPath::Local)?;
        let good = local
            .split('.')
            .all(|atom| !atom.is_empty() && atom.chars().all(is_atext));
        return good
            .then(|| (local.to_string(), rest))
            .ok_or(BadPath::Local);
    };
    let mut local = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((local, quoted.get(at + 1..).unwrap_or_default())),
            '\\' => match chars.next() {
                Some((_, c)) if !c.is_control() => local.push(c),
                _ => return Err(BadPath::Local),
            },
            c if c.is_control() => return Err(BadPath::Local),
            c => local.push(c),
        }
    }
    Err(BadPath::Local)
}

fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~".contains(c)
        || !(c.is_ascii() || c.is_control() || c.is_whitespace())
}

/// A domain or an address literal, in the form that is compared.
pub fn parse_domain(text: &str) -> Result<String, BadPath> {
    if text.starts_with('[') {
        return match literal(text) {
            Some(IpAddr::V4(ip)) => Ok(format!("[{ip}]")),
            Some(IpAddr::V6(ip)) => Ok(format!("[IPv6:{ip}]")),
            None => Err(BadPath::Domain),
        };
    }
    if text.len() > LONGEST_DOMAIN {
        return Err(BadPath::LongDomain);
    }
    let mut ascii = text.to_ascii_lowercase();
    if !ascii.is_ascii() {
        ascii = idna::domain_to_ascii(text).map_err(|_| BadPath::Domain)?;
    }
    // Underscores are no part of host names, but there are domains that mail with them.
    let is_label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    if ascii.len() > LONGEST_DOMAIN {
        return Err(BadPath::LongDomain);
    }
    ascii
        .split('.')
        .all(is_label)
        .then_some(ascii)
        .ok_or(BadPath::Domain)
}

/// The address in `[127.0.0.1]` or `[IPv6:::1]` (RFC 5321 section 4.1.3).
pub fn literal(text: &str) -> Option<IpAddr> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    match inner.split_at_checked(5) {
        Some((tag, six)) if tag.eq_ignore_ascii_case("ipv6:") => {
            six.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        }
        _ => inner.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
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

    fn path(text: &str) -> Result<String, BadPath> {
        let (address, rest) = Address::parse_path(text)?;
        assert_eq!(rest, "", "{text}");
        Ok(address.map_or_else(|| "<>".to_string(), |a| a.to_string()))
    }

    #[test]
    fn one_mailbox_has_one_form() {
        for (written, is) in [
            ("<>", "<>"),
            ("<user@EXAMPLE.Net>", "user@example.net"),
            ("<\"user\"@example.net>", "user@example.net"),
            ("<\"u\\s\\er\"@example.net>", "user@example.net"),
            ("<\"a b\"@example.net>", "\"a b\"@example.net"),
            ("<\"a@b>\"@example.net>", "\"a@b>\"@example.net"),
            ("<@a.test,@b.test:u@d.test>", "u@d.test"),
            ("<u@[127.0.0.1]>", "u@[127.0.0.1]"),
            ("<u@[ipv6:0:0:0:0:0:0:0:1]>", "u@[IPv6:::1]"),
            ("<PostMaster>", "PostMaster"),
            ("<u%a@d.test>", "u%a@d.test"),
            ("<jürgen@bücher.example>", "jürgen@xn--bcher-kva.example"),
            ("<u@localhost>", "u@localhost"),
        ] {
            assert_eq!(path(written).as_deref(), Ok(is), "{written}");
        }
    }

    #[test]
    fn what_breaks_the_grammar_is_no_path() {
        use BadPath::{Brackets, Domain, Local, LongDomain, LongLocal, NoDomain};
        let long_local = format!("<{}@d.test>", "x".repeat(65));
        let long_label = format!("<u@{}.test>", "x".repeat(64));
        let long_domain = format!("<u@{}test>", "abcdefg.".repeat(32));
        for (written, fault) in [
            ("u@d.test", Brackets),
            ("<u@d.test", Brackets),
            ("", Brackets),
            ("<u>", NoDomain),
            ("<\"u@d.test\">", NoDomain),
            ("<d!u>", NoDomain),
            ("<.u@d.test>", Local),
            ("<u..v@d.test>", Local),
            ("<u.@d.test>", Local),
            ("<@d.test>", Local),
            ("<u v@d.test>", Local),
            ("<\"u@d.test>", Brackets),
            ("<\"u\"v@d.test>", Local),
            ("<u@v@d.test>", Domain),
            ("<u@d.test.>", Domain),
            ("<u@d..test>", Domain),
            ("<u@-d.test>", Domain),
            ("<u@>", Domain),
            ("<u@[1.2.3]>", Domain),
            ("<u@[IPv6:1.2.3.4]>", Domain),
            ("<u@[127.0.0.1>", Domain),
            ("<@a.test u@d.test>", Local),
            (&long_local, LongLocal),
            (&long_label, Domain),
            (&long_domain, LongDomain),
        ] {
            assert_eq!(path(written), Err(fault), "{written}");
        }
    }

    #[test]
    fn the_longest_parts_are_taken() {
        let local = "x".repeat(64);
        let domain = format!(
            "{}.{}.{}.example",
            "a".repeat(60),
            "b".repeat(60),
            "c".repeat(60)
        );
        assert!(path(&format!("<{local}@{domain}>")).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic_and_what_it_reads_it_reads_again(text in "\\PC{0,40}|<[\\\\\"@:,.a\\[\\] é>]{0,20}>") {
            if let Ok((Some(address), _)) = Address::parse_path(&text) {
                let spoken = format!("<{address}>");
                let again = Address::parse_path(&spoken).unwrap();
                proptest::prop_assert_eq!(again.0, Some(address));
            }
        }
    }
}
