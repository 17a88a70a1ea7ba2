//! Header fields with octets above ASCII as characters within it: encoded words (RFC 2047) where
//! they may stand, which is in free text, in comments and in the names of people, lists and groups;
//! parameters of their own kind for the names of files (RFC 2231).

use std::fmt::Write;

use super::{Unfit, field};

/// Characters of a line.
const WIDTH: usize = 76;
/// Octets that become one encoded word: three characters each, the frame, at most 75 (RFC 2047
/// section 2).
const MOST: usize = 18;

/// Fields of machines, in which only comments may be encoded. What is none of all these is free
/// text (RFC 5322 section 3.6.8, RFC 2047 section 5).
const MACHINES: [&str; 14] = [
    "received",
    "return-path",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "resent-date",
    "resent-message-id",
    "mime-version",
    "content-transfer-encoding",
    "content-id",
    "dkim-signature",
    "authentication-results",
    "auto-submitted",
];
const GROUPS_OF_MACHINES: [&str; 2] = ["arc-", "list-"];
const PARAMETERS: [&str; 2] = ["content-type", "content-disposition"];
/// Fields of names with addresses behind them; a list has a name as well (RFC 2919 section 2).
const ADDRESSES: [&str; 13] = [
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "bcc",
    "resent-from",
    "resent-sender",
    "resent-to",
    "resent-cc",
    "resent-bcc",
    "disposition-notification-to",
    "list-id",
];
/// Fields of phrases between commas (RFC 5322 section 3.6.5).
const PHRASES: [&str; 1] = ["keywords"];

/// Writes a field whose value has octets above ASCII, with encoded words where they may stand.
pub(super) fn encode_field(field: &[u8], out: &mut Vec<u8>) -> Result<(), Unfit> {
    let value = field::value(field);
    let name = field
        .get(..field.len() - value.len())
        .ok_or(Unfit::Header)?;
    if !name.is_ascii() {
        return Err(Unfit::Header);
    }
    let value: Vec<u8> = value
        .iter()
        .copied()
        .filter(|b| !matches!(b, b'\r' | b'\n'))
        .collect();
    let value = value.trim_ascii();
    let is_one_of = |names: &[&str]| names.iter().any(|n| field::is(field, n));
    let begins = |group: &&str| {
        let start = name.get(..group.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(group.as_bytes()))
    };
    out.extend_from_slice(name);
    if is_one_of(&ADDRESSES) {
        each(value, b',', out, encode_address)?;
    } else if is_one_of(&MACHINES) || GROUPS_OF_MACHINES.iter().any(begins) {
        encode_comments(value, out)?;
    } else if is_one_of(&PARAMETERS) {
        each(value, b';', out, encode_parameter)?;
    } else if is_one_of(&PHRASES) {
        each(value, b',', out, |phrase, out| {
            encode_phrase(phrase, out);
            Ok(())
        })?;
    } else {
        encode_words(value, out);
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// The pieces of a list, each as it is or encoded, with its marks.
fn each(
    value: &[u8],
    mark: u8,
    out: &mut Vec<u8>,
    encode: impl Fn(&[u8], &mut Vec<u8>) -> Result<(), Unfit>,
) -> Result<(), Unfit> {
    for (i, one) in parted(value, mark).enumerate() {
        if i > 0 {
            out.push(mark);
        }
        let one = one.trim_ascii();
        if one.is_ascii() {
            put(one, out);
        } else {
            encode(one, out)?;
        }
    }
    Ok(())
}

/// Words of free text: from the first that needs it to the last, all are encoded.
fn encode_words(value: &[u8], out: &mut Vec<u8>) {
    let foreign = |b: &u8| !b.is_ascii() || b.is_ascii_control();
    let first = value.iter().position(foreign).unwrap_or(0);
    let last = value.iter().rposition(foreign).unwrap_or(value.len());
    let blank = |b: &u8| *b == b' ' || *b == b'\t';
    let before = value.get(..first).unwrap_or_default();
    let from = before.iter().rposition(blank).map_or(0, |at| at + 1);
    let behind = value.get(last..).unwrap_or_default();
    let to = behind
        .iter()
        .position(blank)
        .map_or(value.len(), |at| last + at);
    let kept = |text: &[u8], out: &mut Vec<u8>| {
        for word in text.split(blank).filter(|word| !word.is_empty()) {
            put(word, out);
        }
    };
    kept(value.get(..from).unwrap_or_default(), out);
    encoded(value.get(from..to).unwrap_or_default(), out);
    kept(value.get(to..).unwrap_or_default(), out);
}

/// A word of a field, on a line of its own when there is no room left.
fn put(word: &[u8], out: &mut Vec<u8>) {
    let line = out.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let full = out.len() - line + 1 + word.len() > WIDTH;
    let fold = full && !out.ends_with(b":");
    out.extend_from_slice(if fold { b"\r\n " } else { b" " });
    out.extend_from_slice(word);
}

/// A text as encoded words.
fn encoded(text: &[u8], out: &mut Vec<u8>) {
    for word in encoded_words(text) {
        put(word.as_bytes(), out);
    }
}

fn encoded_words(text: &[u8]) -> Vec<String> {
    let utf8 = str::from_utf8(text).is_ok();
    let charset = if utf8 { "utf-8" } else { "unknown-8bit" };
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut most = rest.len().min(MOST);
        // No character is cut in two (RFC 2047 section 5).
        while utf8 && most > 1 && rest.get(most).is_some_and(|b| b & 0xC0 == 0x80) {
            most -= 1;
        }
        let (now, later) = rest.split_at_checked(most).unwrap_or((rest, &[]));
        let mut word = format!("=?{charset}?Q?");
        for octet in now {
            match octet {
                b' ' => word.push('_'),
                octet if octet.is_ascii_alphanumeric() => word.push(char::from(*octet)),
                octet => {
                    let _ = write!(word, "={octet:02X}");
                }
            }
        }
        word.push_str("?=");
        words.push(word);
        rest = later;
    }
    words
}

/// A mailbox, or the name of a group with its first mailbox: names and comments may be encoded,
/// addresses may not.
fn encode_address(one: &[u8], out: &mut Vec<u8>) -> Result<(), Unfit> {
    let group = cut(one, b':').filter(|(group, _)| !group.contains(&b'<'));
    if let Some((group, rest)) = group {
        encode_phrase(group, out);
        out.push(b':');
        return match rest.trim_ascii() {
            [] => Ok(()),
            rest => encode_address(rest, out),
        };
    }
    let Some((name, address)) = cut(one, b'<') else {
        return encode_comments(one, out);
    };
    encode_phrase(name, out);
    encode_comments(&[b"<", address].concat(), out)
}

/// Words of a name, with comments among them.
fn encode_phrase(phrase: &[u8], out: &mut Vec<u8>) {
    for (text, is_comment) in pieces(phrase) {
        match text.trim_ascii() {
            [] => {}
            text if text.is_ascii() => put(text, out),
            text if is_comment => encode_comment(text, out),
            text => encoded(&unquoted(text), out),
        }
    }
}

/// A value in which only comments may be encoded.
fn encode_comments(value: &[u8], out: &mut Vec<u8>) -> Result<(), Unfit> {
    for (text, is_comment) in pieces(value) {
        if is_comment && !text.is_ascii() {
            encode_comment(text, out);
        } else if text.is_ascii() {
            let words = text.split(|b| *b == b' ' || *b == b'\t');
            words.filter(|w| !w.is_empty()).for_each(|w| put(w, out));
        } else {
            return Err(Unfit::Header);
        }
    }
    Ok(())
}

/// A comment with its brackets; comments within it become text.
fn encode_comment(comment: &[u8], out: &mut Vec<u8>) {
    let inside = comment.strip_prefix(b"(").unwrap_or(comment);
    let inside = inside.strip_suffix(b")").unwrap_or(inside);
    let mut words = encoded_words(&plain(inside));
    if let Some(first) = words.first_mut() {
        first.insert(0, '(');
    }
    if let Some(last) = words.last_mut() {
        last.push(')');
    }
    words.iter().for_each(|word| put(word.as_bytes(), out));
}

/// The text, cut into comments and what stands between them.
fn pieces(text: &[u8]) -> Vec<(&[u8], bool)> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(open) = outside(rest, b'(', false) {
        let (before, from) = rest.split_at_checked(open).unwrap_or((rest, &[]));
        let end = end_of_comment(from);
        let (comment, after) = from.split_at_checked(end).unwrap_or((from, &[]));
        all.extend([(before, false), (comment, true)]);
        rest = after;
    }
    all.push((rest, false));
    all.retain(|(piece, _)| !piece.is_empty());
    all
}

/// Behind the bracket that closes the one at the start.
fn end_of_comment(text: &[u8]) -> usize {
    let (mut escaped, mut depth) = (false, 0usize);
    let close = text.iter().position(|octet| {
        match octet {
            _ if std::mem::take(&mut escaped) => {}
            b'\\' => escaped = true,
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    });
    close.map_or(text.len(), |at| at + 1)
}

/// The name of a file as a parameter (RFC 2231 section 4).
fn encode_parameter(one: &[u8], out: &mut Vec<u8>) -> Result<(), Unfit> {
    /// Longer names need parts of their own; no file has one.
    const LONGEST: usize = 255;
    let (name, said) = cut(one, b'=').ok_or(Unfit::Header)?;
    let said = unquoted(said.trim_ascii());
    let name = name.trim_ascii();
    let of_file = [&b"name"[..], b"filename"];
    let of_file = of_file.iter().any(|n| name.eq_ignore_ascii_case(n));
    if !of_file || said.len() > LONGEST {
        return Err(Unfit::Header);
    }
    let charset = match str::from_utf8(&said) {
        Ok(_) => "utf-8",
        Err(_) => "unknown-8bit",
    };
    let mut word = format!("{}*={charset}''", String::from_utf8_lossy(name));
    for octet in said {
        match octet {
            b'.' | b'-' | b'_' => word.push(char::from(octet)),
            octet if octet.is_ascii_alphanumeric() => word.push(char::from(octet)),
            octet => {
                let _ = write!(word, "%{octet:02X}");
            }
        }
    }
    put(word.as_bytes(), out);
    Ok(())
}

/// The pieces of a list, cut at the marks that are not quoted.
fn parted(value: &[u8], mark: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some((one, more)) = cut(text, mark) else {
            rest = None;
            return Some(text);
        };
        rest = Some(more);
        Some(one)
    })
}

/// What stands before and behind the first mark that is not quoted or in a comment.
fn cut(text: &[u8], mark: u8) -> Option<(&[u8], &[u8])> {
    let at = outside(text, mark, true)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Where a mark stands for the first time that is not quoted, nor (when they are passed) in a
/// comment.
fn outside(text: &[u8], mark: u8, pass_comments: bool) -> Option<usize> {
    let (mut quoted, mut escaped, mut depth) = (false, false, 0usize);
    text.iter().position(|octet| {
        match octet {
            _ if std::mem::take(&mut escaped) => {}
            b'\\' => escaped = true,
            b'"' if depth == 0 => quoted = !quoted,
            b'(' if !quoted && pass_comments => depth += 1,
            b')' if !quoted && pass_comments => depth = depth.saturating_sub(1),
            octet => return *octet == mark && !quoted && depth == 0,
        }
        false
    })
}

/// A name without the marks that quote it.
fn unquoted(name: &[u8]) -> Vec<u8> {
    unmarked(name, Some(b'"'))
}

/// A text without the backslashes that protect characters.
fn plain(text: &[u8]) -> Vec<u8> {
    unmarked(text, None)
}

fn unmarked(text: &[u8], quote: Option<u8>) -> Vec<u8> {
    let mut bare = Vec::with_capacity(text.len());
    let mut octets = text.iter();
    while let Some(octet) = octets.next() {
        match octet {
            b'\\' => bare.extend(octets.next()),
            octet if Some(*octet) == quote => {}
            octet => bare.push(*octet),
        }
    }
    bare
}
