//! Makes seven bits of eight, for servers without 8BITMIME (RFC 6152 section 3): every leaf of the
//! message that needs it is written in quoted-printable or base64 (RFC 2045), boundaries and all
//! else stay as they are. What a signature covers is left alone (RFC 1847 section 2.1), and so the
//! message cannot be sent at all.

mod body;
mod field;
mod header;

use memchr::memchr;

use crate::mta::maildir::split_line;

use field::{Transfer, Type};

/// Parts within parts.
const DEEPEST: usize = 32;
/// A leaf with more than one octet in this many that needs three characters is shorter in base64.
const DENSE: usize = 6;

/// Why a message cannot be made to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// It would break a signature or an encryption.
    #[error("a part of it is signed or encrypted and must not be changed")]
    Signed,
    /// A header field that nothing is known about.
    #[error("a header field has 8-bit characters where none may be encoded")]
    Header,
    /// A multipart whose parts cannot be told apart.
    #[error("its parts cannot be told apart")]
    Boundary,
    /// A transfer encoding that is unknown or not kept to.
    #[error("a part of it does not keep to its transfer encoding")]
    Transfer,
    /// A type that must not be encoded (RFC 2046 section 5.2).
    #[error("a part of it is of a type that must not be encoded")]
    Kind,
    /// Too many parts within parts.
    #[error("it has too many parts within parts")]
    Deep,
}

/// The message in seven bits; lines end with CR LF before and after.
pub(crate) fn seven_bit(message: &[u8]) -> Result<Vec<u8>, Unfit> {
    let mut out = Vec::with_capacity(message.len() + message.len() / 4);
    entity(message, Place::Top, 0, &mut out)?;
    Ok(out)
}

/// Where an entity stands; that is what its type is when it does not say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The message itself, or one that is attached.
    Top,
    /// A part.
    Part,
    /// A part of a digest (RFC 2046 section 5.1.5).
    Digest,
}

/// A header section with a body.
fn entity(text: &[u8], place: Place, depth: usize, out: &mut Vec<u8>) -> Result<(), Unfit> {
    if text.is_ascii() {
        out.extend_from_slice(text);
        return Ok(());
    }
    if depth > DEEPEST {
        return Err(Unfit::Deep);
    }
    let (head, blank, body) = split(text);
    if body.is_ascii() {
        out.append(&mut fields(head, None)?);
        out.extend_from_slice(blank);
        out.extend_from_slice(body);
        return Ok(());
    }
    let kind = Type::of(head, place == Place::Digest)?;
    let transfer = Transfer::of(head)?;
    if kind.is("multipart", "signed") || kind.is("multipart", "encrypted") {
        return Err(Unfit::Signed);
    }
    let is_composite = kind.top == "multipart" || kind.is("message", "rfc822");
    if is_composite {
        if matches!(transfer, Transfer::Quoted | Transfer::Base64) {
            return Err(Unfit::Transfer);
        }
        out.append(&mut fields(head, Some("7bit"))?);
        out.extend_from_slice(blank);
        return match kind.top.as_str() {
            "multipart" => parts(body, &kind, depth, out),
            _ => entity(body, Place::Top, depth + 1, out),
        };
    }
    // RFC 6532 section 3.7 and RFC 6533 lift the ban of RFC 2046 for their own types.
    if kind.top == "message" && !kind.sub.starts_with("global") {
        return Err(Unfit::Kind);
    }
    if matches!(transfer, Transfer::Quoted | Transfer::Base64) {
        return Err(Unfit::Transfer);
    }
    let dense = body.iter().filter(|b| !b.is_ascii() || **b == 0).count() > body.len() / DENSE;
    let quoted = transfer != Transfer::Binary && !dense;
    let name = if quoted { "quoted-printable" } else { "base64" };
    out.append(&mut fields(head, Some(name))?);
    if place == Place::Top {
        complete(head, body, out);
    }
    out.extend_from_slice(blank);
    if quoted {
        body::quoted_printable(body, out);
    } else {
        body::base64(body, out);
    }
    Ok(())
}

/// A message that says nothing of MIME must do so now (RFC 2045 section 4). Which characters its
/// octets stand for is guessed only where there is no doubt (RFC 1428).
fn complete(head: &[u8], body: &[u8], out: &mut Vec<u8>) {
    if !field::has(head, "mime-version") {
        out.extend_from_slice(b"MIME-Version: 1.0\r\n");
    }
    if !field::has(head, "content-type") {
        let charset = match str::from_utf8(body) {
            Ok(_) => "utf-8",
            Err(_) => "unknown-8bit",
        };
        let field = format!("Content-Type: text/plain; charset={charset}\r\n");
        out.extend_from_slice(field.as_bytes());
    }
}

/// Header section, the empty line, body.
fn split(text: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let mut at = 0;
    while let Some((line, rest)) = split_line(text.get(at..).unwrap_or_default()) {
        let next = text.len() - rest.len();
        if line.is_empty() {
            let (head, more) = text.split_at_checked(at).unwrap_or((text, &[]));
            let (blank, body) = more.split_at_checked(next - at).unwrap_or((more, &[]));
            return (head, blank, body);
        }
        at = next;
    }
    (text, &[], &[])
}

/// The header section with another transfer encoding.
fn fields(head: &[u8], transfer: Option<&str>) -> Result<Vec<u8>, Unfit> {
    let mut out = Vec::with_capacity(head.len() + 64);
    let mut told = false;
    for field in field::all(head) {
        match transfer {
            Some(name) if field::is(field, "content-transfer-encoding") => {
                if !std::mem::replace(&mut told, true) {
                    let line = format!("Content-Transfer-Encoding: {name}\r\n");
                    out.extend_from_slice(line.as_bytes());
                }
            }
            _ if field.is_ascii() => out.extend_from_slice(field),
            _ => header::encode_field(field, &mut out)?,
        }
    }
    // What is not told is 7bit (RFC 2045 section 6.1).
    if let Some(name) = transfer.filter(|name| !told && *name != "7bit") {
        if !out.is_empty() && !out.ends_with(b"\n") {
            out.extend_from_slice(b"\r\n");
        }
        let line = format!("Content-Transfer-Encoding: {name}\r\n");
        out.extend_from_slice(line.as_bytes());
    }
    Ok(out)
}

/// The parts of a multipart (RFC 2046 section 5.1.1).
fn parts(body: &[u8], kind: &Type, depth: usize, out: &mut Vec<u8>) -> Result<(), Unfit> {
    let boundary = kind.boundary.as_deref().ok_or(Unfit::Boundary)?;
    let place = match kind.sub.as_str() {
        "digest" => Place::Digest,
        _ => Place::Part,
    };
    // `None` before the first part and behind the last one.
    let mut part: Option<usize> = None;
    let (mut at, mut outside, mut found) = (0, 0, false);
    while at < body.len() {
        let rest = body.get(at..).unwrap_or_default();
        let next = at + memchr(b'\n', rest).map_or(rest.len(), |n| n + 1);
        let line = body.get(at..next).unwrap_or_default();
        if let Some(last) = delimits(line, boundary) {
            found = true;
            // The line end before a delimiter belongs to it.
            match part.take() {
                Some(from) => {
                    let end = at.saturating_sub(2).max(from);
                    let inner = body.get(from..end).unwrap_or_default();
                    entity(inner, place, depth + 1, out)?;
                    out.extend_from_slice(body.get(end..at).unwrap_or_default());
                }
                None => ignored(body.get(outside..at).unwrap_or_default(), out),
            }
            out.extend_from_slice(line);
            match last {
                true => outside = next,
                false => part = Some(next),
            }
        }
        at = next;
    }
    if !found {
        return Err(Unfit::Boundary);
    }
    match part {
        // It breaks off.
        Some(from) => entity(body.get(from..).unwrap_or_default(), place, depth + 1, out),
        None => {
            ignored(body.get(outside..).unwrap_or_default(), out);
            Ok(())
        }
    }
}

/// What stands around the parts is for nobody (RFC 2046 section 5.1.1).
fn ignored(text: &[u8], out: &mut Vec<u8>) {
    out.extend(text.iter().map(|b| if b.is_ascii() { *b } else { b'?' }));
}

/// Whether a line is a delimiter, and the last one.
fn delimits(line: &[u8], boundary: &[u8]) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary)?;
    let (last, rest) = match rest.strip_prefix(b"--") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    rest.iter().all(u8::is_ascii_whitespace).then_some(last)
}

#[cfg(test)]
mod tests;
