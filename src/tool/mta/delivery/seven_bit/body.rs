//! Bodies with octets above ASCII as characters within it: quoted-printable and base64 (RFC 2045
//! section 6).

use crate::mta::maildir::split_line;

/// Characters of a line of an encoded body (RFC 2045 section 6.7).
const WIDTH: usize = 76;
/// Octets that become a line of base64.
const ROW: usize = 57;
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
