//! Octets above ASCII as characters within it: quoted-printable and base64 for bodies (RFC 2045
//! section 6), encoded words for header fields (RFC 2047).

use std::fmt::Write;

use crate::mta::maildir::split_line;

use super::{Unfit, field};

/// Characters of a line of an encoded body (RFC 2045 section 6.7).
const WIDTH: usize = 76;
/// Octets that become a line of base64.
const ROW: usize = 57;
/// Octets that become one encoded word: three characters each, the frame, at most 75 (RFC 2047
/// section 2).
const MOST: usize = 18;

/// Writes a body in quoted-printable.
pub(super) fn quoted_printable(body: &[u8], out: &mut Vec<u8>) {
    let mut rest = body;
    while let Some((line, after)) = split_line(rest) {
        quoted_line(line, out);
        // The last line of a part ends with its delimiter.
        if rest.ends_with(b"\n") || !after.is_empty() {
            out.extend_from_slice(b"\r\n");
        }
        rest = after;
    }
}

fn quoted_line(line: &[u8], out: &mut Vec<u8>) {
    let mut column = 0;
    for (at, octet) in line.iter().enumerate() {
        let last = at + 1 == line.len();
        let plain = match octet {
            b'=' => false,
            b' ' | b'\t' => !last,
            // A line that is broken must not begin like a delimiter, and no line like an mbox
            // separator or the end of a text.
            b'-' => column > 0 || at == 0,
            b'F' => at > 0 || !line.starts_with(b"From "),
            b'.' => at > 0,
            octet => octet.is_ascii_graphic(),
        };
        let width = if plain { 1 } else { 3 };
        // Room for the mark of a broken line.
        if column + width > WIDTH - usize::from(!last) {
            out.extend_from_slice(b"=\r\n");
            column = 0;
            if *octet == b'-' {
                out.extend_from_slice(b"=2D");
                column = 3;
                continue;
            }
        }
        if plain {
            out.push(*octet);
        } else {
            escape(*octet, out);
        }
        column += width;
    }
}

fn escape(octet: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |n: u8| DIGITS.get(usize::from(n)).copied().unwrap_or(b'0');
    out.extend_from_slice(&[b'=', digit(octet >> 4), digit(octet & 15)]);
}

/// Writes a body in base64.
pub(super) fn base64(body: &[u8], out: &mut Vec<u8>) {
    for row in body.chunks(ROW) {
        out.extend_from_slice(data_encoding::BASE64.encode(row).as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// Writes a field whose value has octets above ASCII, with encoded words where they may stand.
pub(super) fn encode_field(field: &[u8], out: &mut Vec<u8>) -> Result<(), Unfit> {
    // What is none of these is free text (RFC 5322 section 3.6.8, RFC 2047 section 5).
    const STRUCTURED: [&str; 16] = [
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
        "keywords",
        "disposition-notification-to",
    ];
    const GROUPS: [&str; 2] = ["arc-", "list-"];
    const PARAMETERS: [&str; 2] = ["content-type", "content-disposition"];
    const ADDRESSES: [&str; 11] = [
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
    ];
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
    if is_one_of(&STRUCTURED) || GROUPS.iter().any(begins) {
        return Err(Unfit::Header);
    }
    out.extend_from_slice(name);
    if is_one_of(&ADDRESSES) {
        encode_addresses(value, out)?;
    } else if is_one_of(&PARAMETERS) {
        encode_parameters(value, out)?;
    } else {
        encode_words(value, out);
    }
    out.extend_from_slice(b"\r\n");
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
    let utf8 = str::from_utf8(text).ok();
    let charset = if utf8.is_some() {
        "utf-8"
    } else {
        "unknown-8bit"
    };
    let mut rest = text;
    while !rest.is_empty() {
        let mut most = rest.len().min(MOST);
        // No character is cut in two (RFC 2047 section 5).
        while utf8.is_some() && most > 1 && rest.get(most).is_some_and(|b| b & 0xC0 == 0x80) {
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
        put(word.as_bytes(), out);
        rest = later;
    }
}

/// Addresses: the names before the angle brackets may be encoded, nothing else may.
fn encode_addresses(value: &[u8], out: &mut Vec<u8>) -> Result<(), Unfit> {
    for (i, one) in parted(value, b',').enumerate() {
        if i > 0 {
            out.push(b',');
        }
        let one = one.trim_ascii();
        if one.is_ascii() {
            put(one, out);
            continue;
        }
        let angle = outside_quotes(one, b'<').ok_or(Unfit::Header)?;
        let (name, address) = one.split_at_checked(angle).ok_or(Unfit::Header)?;
        // A comment may not stand in an encoded word, nor a group in one name.
        if !address.is_ascii() || name.iter().any(|b| matches!(b, b'(' | b':' | b';')) {
            return Err(Unfit::Header);
        }
        encoded(&unquoted(name.trim_ascii()), out);
        put(address, out);
    }
    Ok(())
}

/// The name of a file as a parameter (RFC 2231 section 4).
fn encode_parameters(value: &[u8], out: &mut Vec<u8>) -> Result<(), Unfit> {
    /// Longer names need parts of their own; no file has one.
    const LONGEST: usize = 255;
    for (i, one) in parted(value, b';').enumerate() {
        let one = one.trim_ascii();
        if i > 0 {
            out.push(b';');
        }
        if one.is_ascii() {
            put(one, out);
            continue;
        }
        let equals = one.iter().position(|b| *b == b'=').ok_or(Unfit::Header)?;
        let (name, said) = one.split_at_checked(equals).ok_or(Unfit::Header)?;
        let said = unquoted(said.get(1..).unwrap_or_default().trim_ascii());
        let of_file = [&b"name"[..], b"filename"];
        let of_file = of_file
            .iter()
            .any(|n| name.trim_ascii().eq_ignore_ascii_case(n));
        if !of_file || said.len() > LONGEST {
            return Err(Unfit::Header);
        }
        let charset = match str::from_utf8(&said) {
            Ok(_) => "utf-8",
            Err(_) => "unknown-8bit",
        };
        let mut word = String::from_utf8_lossy(name.trim_ascii()).into_owned();
        word.push_str(&format!("*={charset}''"));
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
    }
    Ok(())
}

/// The pieces of a list, cut at the marks that are not quoted.
fn parted(value: &[u8], mark: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(at) = outside_quotes(text, mark) else {
            rest = None;
            return Some(text);
        };
        rest = text.get(at + 1..);
        text.get(..at)
    })
}

/// Where a mark stands for the first time that is not quoted or in a comment.
fn outside_quotes(text: &[u8], mark: u8) -> Option<usize> {
    let (mut quoted, mut escaped, mut depth) = (false, false, 0usize);
    text.iter().position(|octet| {
        match octet {
            _ if std::mem::take(&mut escaped) => {}
            b'\\' => escaped = true,
            b'"' if depth == 0 => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth = depth.saturating_sub(1),
            octet => return *octet == mark && !quoted && depth == 0,
        }
        false
    })
}

fn unquoted(name: &[u8]) -> Vec<u8> {
    let mut bare = Vec::with_capacity(name.len());
    let mut octets = name.iter();
    while let Some(octet) = octets.next() {
        match octet {
            b'"' => {}
            b'\\' => bare.extend(octets.next()),
            octet => bare.push(*octet),
        }
    }
    bare
}
