//! Transfer encodings and charsets undone, always with a result: what is broken is passed on as
//! it is, because the readable rest of a broken part is still evidence.

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::quoted_printable::quoted_printable_decode_char;

use crate::message::lines;

/// A content transfer encoding (RFC 2045 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transfer {
    /// 7bit, 8bit, binary.
    #[default]
    Identity,
    /// quoted-printable.
    QuotedPrintable,
    /// base64.
    Base64,
}

impl Transfer {
    /// Reads the value of Content-Transfer-Encoding; anything unknown is the identity.
    pub(crate) fn parse(value: &str) -> Self {
        let word = lines::trim(value).trim_end_matches(';').trim_matches('"');
        if word.eq_ignore_ascii_case("quoted-printable") {
            Transfer::QuotedPrintable
        } else if word.eq_ignore_ascii_case("base64") {
            Transfer::Base64
        } else {
            Transfer::Identity
        }
    }
}

/// Undoes `transfer`.
pub(crate) fn transfer(raw: &[u8], transfer: Transfer) -> Cow<'_, [u8]> {
    match transfer {
        Transfer::Identity => Cow::Borrowed(raw),
        Transfer::QuotedPrintable => Cow::Owned(quoted_printable(raw, |_, _| ())),
        Transfer::Base64 => Cow::Owned(match base64_decode(raw) {
            Some(bytes) => bytes,
            // Something foreign is in it, mostly the footer of a mailing list.
            None => lenient_base64(raw, |_, _| ()),
        }),
    }
}

/// Undoes `transfer`; also gives, for each line of `raw`, the pair (byte of the result, byte of
/// `raw`).
pub(crate) fn traced(raw: &[u8], transfer: Transfer) -> (Vec<u8>, Vec<(usize, usize)>) {
    let mut pairs = Vec::new();
    let mut trace = |at, from| pairs.push((at, from));
    let bytes = match transfer {
        Transfer::Identity => raw.to_vec(),
        Transfer::QuotedPrintable => quoted_printable(raw, &mut trace),
        Transfer::Base64 => lenient_base64(raw, &mut trace),
    };
    (bytes, pairs)
}

/// RFC 2045 §6.7, but what is no valid escape stays as it is.
fn quoted_printable(raw: &[u8], mut trace: impl FnMut(usize, usize)) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some((line, next)) = lines::raw_line(raw, at) {
        trace(out.len(), at);
        // Blanks at the end of a line were added on the way (rule 3).
        let mut line = line.trim_ascii_end();
        let soft = line.last() == Some(&b'=');
        if let (true, [rest @ .., _]) = (soft, line) {
            line = rest;
        }
        unescape(line, &mut out);
        if !soft {
            let end = raw.get(..next).unwrap_or_default();
            if end.ends_with(b"\r\n") {
                out.extend_from_slice(b"\r\n");
            } else if end.ends_with(b"\n") {
                out.push(b'\n');
            }
        }
        at = next;
    }
    out
}

fn unescape(line: &[u8], out: &mut Vec<u8>) {
    let mut rest = line;
    while let Some(at) = memchr::memchr(b'=', rest) {
        let (before, escape) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.extend_from_slice(before);
        let byte = match escape {
            [_, a, b, ..] => quoted_printable_decode_char(*a, *b),
            _ => None,
        };
        let taken = if let Some(byte) = byte {
            out.push(byte);
            3
        } else {
            out.push(b'=');
            1
        };
        rest = escape.get(taken..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

/// Base64 that skips lines with foreign characters and goes on after padding: some senders put
/// several padded pieces one after the other.
fn lenient_base64(raw: &[u8], mut trace: impl FnMut(usize, usize)) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() / 4 * 3);
    let (mut bits, mut held, mut at) = (0u32, 0u32, 0);
    while let Some((line, next)) = lines::raw_line(raw, at) {
        trace(out.len(), at);
        at = next;
        let line = line.trim_ascii();
        let foreign = |&b: &u8| sextet(b).is_none() && !b.is_ascii_whitespace() && b != b'=';
        if line.iter().any(foreign) {
            continue;
        }
        for &byte in line {
            let Some(value) = sextet(byte) else {
                if byte == b'=' {
                    (bits, held) = (0, 0);
                }
                continue;
            };
            bits = bits << 6 | u32::from(value);
            held += 6;
            if held >= 8 {
                held -= 8;
                out.push(u8::try_from(bits >> held & 0xFF).unwrap_or_default());
            }
        }
    }
    out
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// Undoes a charset. Text that is plain ASCII, or UTF-8 already, stays where it is.
pub(crate) fn charset<'x>(bytes: Cow<'x, [u8]>, charset: Option<&str>) -> Cow<'x, str> {
    let name = charset.map(str::trim).unwrap_or_default();
    let escaped = memchr::memchr(0x1B, &bytes).is_some();
    if !is_stateful(name) && !escaped && bytes.is_ascii() {
        return into_text(bytes);
    }
    if escaped && (name.is_empty() || name.eq_ignore_ascii_case("us-ascii")) {
        // ESC $ switches to a Japanese set; nobody else writes it.
        let japanese = memchr::memmem::find(&bytes, b"\x1B$").is_some();
        return if japanese {
            foreign(&bytes, "iso-2022-jp")
        } else {
            into_text(bytes)
        };
    }
    match name {
        "" => into_text(bytes),
        _ if is_utf8(name) => match bytes {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => match String::from_utf8(bytes) {
                Ok(text) => text.into(),
                Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned().into(),
            },
        },
        _ if name.eq_ignore_ascii_case("us-ascii") => into_text(bytes),
        _ => foreign(&bytes, name),
    }
}

/// Text of an undeclared charset: UTF-8 when it is that, else the charset of the West.
pub(crate) fn into_text(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => foreign(bytes, "windows-1252"),
        },
        Cow::Owned(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Cow::Owned(text),
            Err(e) => Cow::Owned(foreign(e.as_bytes(), "windows-1252").into_owned()),
        },
    }
}

fn is_utf8(name: &str) -> bool {
    name.eq_ignore_ascii_case("utf-8")
        || name.eq_ignore_ascii_case("utf8")
        || name.eq_ignore_ascii_case("unicode-1-1-utf-8")
}

/// True for charsets in which ASCII bytes need not mean ASCII characters.
fn is_stateful(name: &str) -> bool {
    let starts = |prefix: &str| {
        name.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    [
        "iso-2022",
        "csiso2022",
        "hz",
        "utf-7",
        "utf7",
        "unicode",
        "utf-16",
        "utf16",
        "utf-32",
        "ucs",
        "csu",
    ]
    .iter()
    .any(|prefix| starts(prefix))
}

fn foreign<'t>(bytes: &[u8], name: &str) -> Cow<'t, str> {
    let lower = name.to_ascii_lowercase();
    let text = match lower.as_str() {
        "iso-2022-kr" | "csiso2022kr" => shifted(bytes, b"\x0E", b"\x0F", "euc-kr"),
        "hz-gb-2312" | "hz" => shifted(bytes, b"~{", b"~}", "gbk"),
        _ => match charset_decoder(lower.as_bytes()) {
            Some(decode) => decode(bytes),
            None => match std::str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => charset_decoder(b"windows-1252")
                    .map_or_else(|| String::from_utf8_lossy(bytes).into_owned(), |d| d(bytes)),
            },
        },
    };
    Cow::Owned(text)
}

/// Seven-bit sets that shift in and out of the lower half of an eight-bit one (RFC 1557, 1843).
fn shifted(bytes: &[u8], enter: &[u8], leave: &[u8], eight_bit: &str) -> String {
    let mut wide = Vec::with_capacity(bytes.len());
    let (mut rest, mut inside) = (bytes, false);
    while let Some((&byte, tail)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(if inside { leave } else { enter }) {
            (inside, rest) = (!inside, after);
            continue;
        }
        if byte == b'\n' {
            inside = false;
        }
        wide.push(if inside && byte > b' ' {
            byte | 0x80
        } else {
            byte
        });
        rest = tail;
    }
    match charset_decoder(eight_bit.as_bytes()) {
        Some(decode) => decode(&wide),
        None => String::from_utf8_lossy(&wide).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn qp(text: &str) -> String {
        String::from_utf8_lossy(&transfer(text.as_bytes(), Transfer::QuotedPrintable)).into_owned()
    }

    #[test]
    fn quoted_printable_is_undone_and_broken_escapes_stay() {
        assert_eq!(qp("a=20b=\r\nc=3D \t\r\nd"), "a bc=\r\nd");
        assert_eq!(qp("50=5 =zz =\nx="), "50=5 =zz x");
    }

    #[test]
    fn base64_survives_a_footer_and_padding_in_the_middle() {
        let raw = b"SGVsbG8=\nIHdvcmxk\n_____ list footer ____: see x\n";
        assert_eq!(transfer(raw, Transfer::Base64).as_ref(), b"Hello world");
    }

    #[test]
    fn ascii_is_not_copied_whatever_the_declared_charset() {
        for name in [None, Some("utf-8"), Some("ISO-8859-1"), Some("no-such-set")] {
            assert!(matches!(
                charset(Cow::Borrowed(b"abc"), name),
                Cow::Borrowed("abc")
            ));
        }
    }

    #[test]
    fn charsets_are_undone_declared_or_not() {
        assert_eq!(charset(Cow::Borrowed(b"\xE4"), Some("iso-8859-1")), "ä");
        assert_eq!(charset(Cow::Borrowed(b"\xE4"), None), "ä");
        assert_eq!(charset(Cow::Borrowed(b"\x1B$B$\"\x1B(B"), None), "あ");
        assert_eq!(
            charset(Cow::Borrowed(b"\x1B$)C\x0E0!\x0F"), Some("iso-2022-kr")),
            "\u{1b}$)C가"
        );
        assert_eq!(
            charset(Cow::Borrowed(b"~{<:Ky~}!"), Some("hz-gb-2312")),
            "己所!"
        );
        assert_eq!(
            charset(Cow::Borrowed(b"\xFF\xFEa\x00"), Some("utf-16")),
            "a"
        );
        assert_eq!(charset(Cow::Borrowed(b"\xC3"), Some("utf-8")), "\u{FFFD}");
    }
}
