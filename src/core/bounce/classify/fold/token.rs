//! Tells links, addresses, host names and IP addresses from words, inside one chunk of a text.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// What a piece of a chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    Address,
    Link,
    Ip,
    Host,
}

impl Token {
    /// The first piece of the chunk that is not a word, and what it is.
    pub(super) fn find(chunk: &[u8]) -> Option<(Range<usize>, Self)> {
        let end = chunk.len() - trailing(chunk);
        let chunk = chunk.get(..end)?;
        if let Some(start) = link(chunk) {
            return Some((start..end, Self::Link));
        }
        if let Some(at) = chunk.iter().rposition(|&b| b == b'@') {
            let alnum = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
            if at > 0 && alnum(chunk.get(at + 1)) {
                let start = after_last(chunk.get(..at)?, |b| matches!(b, b':' | b'=' | b'/'));
                // VERP writes the recipient with "=" into the local part: keep it whole.
                let start = if chunk.get(..start)?.contains(&b'+') {
                    0
                } else {
                    start
                };
                let domain = chunk.get(at + 1..)?;
                let part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
                let stop = at + 1 + domain.iter().position(|b| !part(b)).unwrap_or(domain.len());
                return (start < at).then_some((start..stop, Self::Address));
            }
            return None;
        }
        let start = after_last(chunk, |b| matches!(b, b'='));
        let tail = chunk.get(start..)?;
        if ipv6(tail) {
            return Some((start..end, Self::Ip));
        }
        // A port behind a name or address stays outside.
        let stop = tail
            .iter()
            .position(|&b| b == b':' || b == b'/')
            .unwrap_or(tail.len());
        let name = tail.get(..stop)?;
        let name = name.get(..name.len() - trailing(name))?;
        let range = start..start + name.len();
        if ipv4(name) {
            return Some((range, Self::Ip));
        }
        host(name).then_some((range, Self::Host))
    }
}

fn trailing(chunk: &[u8]) -> usize {
    chunk
        .iter()
        .rev()
        .take_while(|b| matches!(b, b'.' | b':' | b'!' | b'?'))
        .count()
}

fn after_last(bytes: &[u8], is: impl Fn(u8) -> bool) -> usize {
    bytes.iter().rposition(|&b| is(b)).map_or(0, |at| at + 1)
}

/// Where a link begins: `scheme://`, or `www.` at the start.
fn link(chunk: &[u8]) -> Option<usize> {
    if chunk
        .get(..4)
        .is_some_and(|w| w.eq_ignore_ascii_case(b"www."))
    {
        return Some(0);
    }
    let colon = memchr::memmem::find(chunk, b"://")?;
    let scheme = chunk.get(..colon)?;
    // "seehttps://" was joined by a careless line wrap: take the known schemes off its end.
    for known in [&b"https"[..], b"http", b"ftp"] {
        if scheme.len() >= known.len()
            && scheme
                .get(scheme.len() - known.len()..)?
                .eq_ignore_ascii_case(known)
        {
            return Some(scheme.len() - known.len());
        }
    }
    None
}

fn ipv4(bytes: &[u8]) -> bool {
    (7..=15).contains(&bytes.len())
        && std::str::from_utf8(bytes).is_ok_and(|t| t.parse::<Ipv4Addr>().is_ok())
}

fn ipv6(bytes: &[u8]) -> bool {
    let bytes = match bytes.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case(b"ipv6:") => bytes.get(5..).unwrap_or_default(),
        _ => bytes,
    };
    (3..=45).contains(&bytes.len())
        && bytes.iter().filter(|&&b| b == b':').count() >= 2
        && std::str::from_utf8(bytes).is_ok_and(|t| t.parse::<Ipv6Addr>().is_ok())
}

/// A dotted name whose last label could be a top-level domain. Dotted words of Exchange
/// (`RESOLVER.ADR.RecipNotFound`) and sentences without a blank (`full.Please`) end in mixed case.
fn host(bytes: &[u8]) -> bool {
    if bytes.len() < 4 || bytes.len() > 253 {
        return false;
    }
    let dot = after_last(bytes, |b| b == b'.');
    let Some(top) = bytes.get(dot..).filter(|_| dot >= 2) else {
        return false;
    };
    let lower = top.iter().all(u8::is_ascii_lowercase);
    let upper = !bytes.iter().any(u8::is_ascii_lowercase) && top.iter().all(u8::is_ascii_uppercase);
    let international = top
        .get(..4)
        .is_some_and(|x| x.eq_ignore_ascii_case(b"xn--"));
    top.len() >= 2
        && (lower || upper || international)
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        && !bytes.windows(2).any(|w| w == b"..")
        && bytes
            .first()
            .is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
}
