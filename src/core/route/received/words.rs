//! What may count as a host name, an address, a mailbox: the checks that keep false values out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::route::known::{NO_NAMES, NO_REVERSE};

/// Longest host name (RFC 1035 §2.3.4).
const MAX_NAME: usize = 255;

/// The word without the brackets, quotes, dots and colons around a name.
pub(crate) fn bare(word: &str) -> &str {
    let word = word.trim_matches(['<', '>', '"', '\'', ',', ';', ':']);
    let word = word.strip_prefix('[').unwrap_or(word);
    let word = word.strip_suffix(']').unwrap_or(word);
    tagless(word)
}

/// Without the `IPv6:` tag of an address literal.
pub(crate) fn tagless(word: &str) -> &str {
    match word.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("ipv6:") => word.get(5..).unwrap_or(word),
        _ => word,
    }
}

/// Whether a word is one of those that say "there is no name".
pub(crate) fn is_placeholder(word: &str) -> bool {
    let word = bare(word.strip_suffix('.').unwrap_or(word));
    word.is_empty() || NO_NAMES.iter().any(|w| w.eq_ignore_ascii_case(word))
}

/// Whether a word says that the lookup of the address gave no name.
pub(crate) fn is_no_reverse(word: &str) -> bool {
    let bare = bare(word);
    is_placeholder(word) || NO_REVERSE.iter().any(|w| w.eq_ignore_ascii_case(bare))
}

/// A name as the DNS or a host file could give it: no address, no number, no placeholder.
pub(crate) fn host_name(word: &str) -> Option<&str> {
    let name = word.trim_matches(['<', '>', '"', ',']);
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut letters = false;
    for b in name.bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => letters = true,
            b'0'..=b'9' | b'-' | b'_' | b'.' => {}
            _ => return None,
        }
    }
    let shaped = letters
        && name.len() <= MAX_NAME
        && !name.starts_with(['.', '-'])
        && !name.contains("..")
        && !is_placeholder(name)
        // `Unknown_Domain`, `unknown-host`: every gateway has its own.
        && (name.contains('.') || after(name, "unknown").is_none());
    shaped.then_some(name)
}

/// What a client called itself: anything it said, but for the words that say "nothing".
pub(crate) fn helo_name(word: &str) -> Option<&str> {
    if is_placeholder(word) && !bare(word).eq_ignore_ascii_case("local") {
        return None;
    }
    let name = bare(word);
    let name = name.strip_suffix('.').unwrap_or(name);
    (!name.is_empty()).then_some(name)
}

/// An address with the port that may stand beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) ip: IpAddr,
    pub(crate) port: Option<u16>,
    /// The port was glued to the address inside one pair of brackets, or by a dot.
    pub(crate) glued: bool,
}

/// Reads an address in any of the forms that traces have: in square brackets, tagged, with a
/// port, mapped into IPv6, with a scope, or with `?` in place of odd characters (qmail).
pub(crate) fn endpoint(word: &str) -> Option<Endpoint> {
    // Nearly every word is a name; one look at its first byte settles most of them.
    let first = *word.as_bytes().first()?;
    if !(first.is_ascii_hexdigit()
        || matches!(first, b'[' | b'?' | b':' | b'I' | b'i' | b'<' | b'/'))
    {
        return None;
    }
    // Java prints an address without a name as `/192.0.2.1`.
    let word = word.strip_prefix('/').unwrap_or(word);
    let word = word.trim_matches(['?', ',', '<', '>']);
    let (literal, behind) = match word.strip_prefix('[') {
        Some(inner) => inner.split_once(']').unwrap_or((inner, "")),
        None => (word, ""),
    };
    let literal = literal.trim_matches(|c: char| {
        matches!(c, '(' | ')' | '[' | ']' | '?') || c.is_ascii_whitespace()
    });
    let port_behind = behind.strip_prefix(':').and_then(|p| p.parse().ok());
    if !behind.is_empty() && port_behind.is_none() {
        return None;
    }
    let plain = tagless(literal);
    if let Some((v4, rest)) = ipv4_prefix(plain) {
        let port = match rest.strip_prefix([':', '.']) {
            Some(port) => Some(port.parse().ok()?),
            None if rest.is_empty() => None,
            None => return None,
        };
        return Some(Endpoint {
            ip: v4.into(),
            port: port.or(port_behind),
            glued: port.is_some(),
        });
    }
    memchr::memchr(b':', plain.as_bytes())?;
    let unscoped = plain.split_once('%').map_or(plain, |(address, _)| address);
    let ip: Ipv6Addr = unscoped.parse().ok()?;
    Some(Endpoint {
        ip: unmapped(ip),
        port: port_behind,
        glued: false,
    })
}

/// `::ffff:192.0.2.1` is an IPv4 connection on a socket of both kinds.
pub(crate) fn unmapped(ip: Ipv6Addr) -> IpAddr {
    ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4)
}

/// The address alone.
pub(crate) fn address(word: &str) -> Option<IpAddr> {
    endpoint(word).map(|e| e.ip)
}

/// Four numbers below 256 with dots between; leading zeros are taken as decimal.
fn ipv4_prefix(text: &str) -> Option<(Ipv4Addr, &str)> {
    let bytes = text.as_bytes();
    let mut octets = [0u8; 4];
    let mut at = 0;
    for (n, octet) in octets.iter_mut().enumerate() {
        if n > 0 {
            (bytes.get(at) == Some(&b'.')).then_some(())?;
            at += 1;
        }
        let start = at;
        let mut value = 0u16;
        while let Some(d) = bytes.get(at).filter(|b| b.is_ascii_digit()) {
            (at - start < 3).then_some(())?;
            value = value * 10 + u16::from(d - b'0');
            at += 1;
        }
        (at > start).then_some(())?;
        *octet = u8::try_from(value).ok()?;
    }
    Some((octets.into(), text.get(at..)?))
}

/// Four numbers with dots, one of them too large to be an address: no server writes that.
pub(crate) fn is_impossible_address(word: &str) -> bool {
    let inner = bare(word);
    let mut parts = 0;
    let mut too_large = false;
    for part in inner.split('.') {
        parts += 1;
        match part.parse::<u32>() {
            Ok(n) if parts <= 4 && part.len() <= 3 => too_large |= n > 255,
            _ => return false,
        }
    }
    parts == 4 && too_large
}

/// A mailbox or path without its angle brackets; `None` for words that are none.
pub(crate) fn mailbox(word: &str) -> Option<&str> {
    let bracketed = word.starts_with('<');
    let inner = word.trim_matches(['<', '>', ',', ';']);
    // RFC 5321 §4.1.1.3: a source route `@a,@b:user@c` is to be ignored.
    let inner = match inner.rsplit_once(':') {
        Some((route, mailbox)) if route.starts_with('@') => mailbox,
        _ => inner,
    };
    if inner.is_empty() {
        return (bracketed && word.starts_with("<>")).then_some("<>");
    }
    (bracketed || inner.contains('@')).then_some(inner)
}

/// Case-insensitive search for an ASCII needle in lower case.
pub(crate) fn find(text: &str, needle: &str) -> Option<usize> {
    let (hay, needle) = (text.as_bytes(), needle.as_bytes());
    let first = *needle.first()?;
    let mut from = 0;
    while let Some(n) = memchr::memchr2(first, first.to_ascii_uppercase(), hay.get(from..)?) {
        let at = from + n;
        if hay.get(at..at + needle.len())?.eq_ignore_ascii_case(needle) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

/// Case-insensitive prefix; gives what follows.
#[inline]
pub(crate) fn after<'x>(text: &'x str, prefix: &str) -> Option<&'x str> {
    // Called for whole tables: nearly always the first byte decides.
    let first = text.as_bytes().first()?;
    if !first.eq_ignore_ascii_case(prefix.as_bytes().first()?) {
        return None;
    }
    let head = text.as_bytes().get(..prefix.len())?;
    if head.eq_ignore_ascii_case(prefix.as_bytes()) {
        text.get(prefix.len()..)
    } else {
        None
    }
}

/// Case-insensitive end.
#[inline]
pub(crate) fn ends_with(text: &str, end: &str) -> bool {
    let (text, end) = (text.as_bytes(), end.as_bytes());
    let same_last = match (text.last(), end.last()) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        _ => false,
    };
    same_last
        && text
            .len()
            .checked_sub(end.len())
            .and_then(|at| text.get(at..))
            .is_some_and(|t| t.eq_ignore_ascii_case(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_every_form() {
        let v4 = |port, glued| Endpoint {
            ip: "192.0.2.1".parse().unwrap(),
            port,
            glued,
        };
        for text in [
            "[192.0.2.1]",
            "192.0.2.1",
            "[(192.0.2.1)]",
            "?192.0.2.1?",
            "[::ffff:192.0.2.1]",
        ] {
            assert_eq!(endpoint(text), Some(v4(None, false)), "{text}");
        }
        assert_eq!(endpoint("[192.0.2.1]:25"), Some(v4(Some(25), false)));
        for text in ["[192.0.2.1:25]", "192.0.2.1:25", "[192.0.2.1.25]"] {
            assert_eq!(endpoint(text), Some(v4(Some(25), true)), "{text}");
        }
        for (text, ip) in [
            ("[IPv6:2001:db8::1]", "2001:db8::1"),
            ("?IPv6:2001:db8::1?", "2001:db8::1"),
            ("[fe80::1%6]", "fe80::1"),
            ("::1", "::1"),
            ("010.001.000.003", "10.1.0.3"),
        ] {
            assert_eq!(address(text), Some(ip.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn versions_names_and_broken_numbers_are_no_addresses() {
        for text in [
            "15.20.9611.12",
            "8.14.7",
            "4.98",
            "dead.beef",
            "[local]",
            "1.2.3.4.rev.example",
            "",
        ] {
            assert_eq!(endpoint(text), None, "{text}");
        }
        assert!(is_impossible_address("[300.1.2.3]"));
        assert!(!is_impossible_address("[30.1.2.3]") && !is_impossible_address("15.20.9611.12"));
    }

    #[test]
    fn placeholders_and_numbers_are_no_host_names() {
        for text in [
            "unknown",
            "<unknown.domain>",
            "192.0.2.1",
            "0",
            "a b",
            "[Masked]",
            "-x",
            "a..b",
            "no.name.available",
        ] {
            assert_eq!(host_name(text), None, "{text}");
        }
        assert_eq!(host_name("mail.example.com."), Some("mail.example.com"));
        assert_eq!(
            host_name("64.2.1.5.rev.example"),
            Some("64.2.1.5.rev.example")
        );
    }

    #[test]
    fn a_mailbox_comes_without_brackets_and_routes() {
        assert_eq!(mailbox("<<a@b.example>>"), Some("a@b.example"));
        assert_eq!(mailbox("<@r.example:a@b.example>"), Some("a@b.example"));
        assert_eq!(mailbox("<>"), Some("<>"));
        assert_eq!(mailbox("multiple"), None);
    }
}
