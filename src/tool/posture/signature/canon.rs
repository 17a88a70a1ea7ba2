//! The text that a signature covers: canonicalization of header fields and body
//! (RFC 6376 §3.4). Line ends are brought to CRLF first, as files seldom keep them.

use ring::digest::{Context, Digest, SHA256};

/// A message as its bytes stand, parted into fields and body.
#[derive(Debug, Clone)]
pub struct Mail<'x> {
    /// The fields from the top, with their folding and last line end.
    pub(super) fields: Vec<Field<'x>>,
    body: &'x [u8],
}

/// One field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'x> {
    pub(super) name: &'x [u8],
    /// Behind the colon, with the folding, without the last line end.
    pub(super) body: &'x [u8],
}

impl Field<'_> {
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The body as text, for its tags.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(self.body).into_owned()
    }
}

/// `simple` leaves everything as it is, `relaxed` forgives blanks, folding and case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Manner {
    #[default]
    Simple,
    Relaxed,
}

impl Manner {
    pub(super) fn of(word: &str) -> Option<Self> {
        match word.trim() {
            w if w.eq_ignore_ascii_case("simple") => Some(Self::Simple),
            w if w.eq_ignore_ascii_case("relaxed") => Some(Self::Relaxed),
            _ => None,
        }
    }
}

/// More fields than any system lets pass.
const MAX_FIELDS: usize = 10_000;

impl<'x> Mail<'x> {
    /// Parts a message into its fields and its body.
    pub fn read(bytes: &'x [u8]) -> Self {
        let mut fields: Vec<Field<'x>> = Vec::new();
        let mut rest = bytes;
        // Where the field that is being read starts, and what stands behind its colon.
        let mut open: Option<(&'x [u8], &'x [u8], usize)> = None;
        let close = |open: Option<(&'x [u8], &'x [u8], usize)>, fields: &mut Vec<Field<'x>>| {
            if let Some((name, behind, length)) = open {
                let body = behind.get(..length).unwrap_or(behind);
                fields.push(Field {
                    name,
                    body: without_end(body),
                });
            }
        };
        while !rest.is_empty() && fields.len() < MAX_FIELDS {
            let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |n| n + 1);
            let (line, next) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            let bare = without_end(line);
            if bare.is_empty() {
                rest = next;
                break;
            }
            let folded = matches!(bare.first(), Some(b' ' | b'\t'));
            if folded && let Some((_, _, covered)) = &mut open {
                *covered += line.len();
            } else if let Some(colon) = memchr::memchr(b':', bare).filter(|c| is_name(bare, *c)) {
                close(open.take(), &mut fields);
                let name = bare.get(..colon).unwrap_or_default().trim_ascii_end();
                let behind = rest.get(colon + 1..).unwrap_or_default();
                open = Some((name, behind, line.len() - colon - 1));
            } else {
                // The envelope line of a box, or rubbish: no field, and no part of one.
                close(open.take(), &mut fields);
            }
            rest = next;
        }
        close(open.take(), &mut fields);
        Self { fields, body: rest }
    }

    /// The fields of this name, from the top.
    pub(super) fn all<'m>(&'m self, name: &'m str) -> impl Iterator<Item = Field<'x>> + 'm {
        self.fields.iter().copied().filter(move |f| f.is(name))
    }

    /// The body as it is signed: the hash of its first `limit` octets when there is a limit
    /// (`l=`), else of all, and how many octets there are.
    pub(super) fn body(&self, manner: Manner, limit: Option<u64>) -> Body {
        let mut sink = Sink {
            hash: Context::new(&SHA256),
            left: limit
                .and_then(|l| usize::try_from(l).ok())
                .unwrap_or(usize::MAX),
            octets: 0,
        };
        let mut empty = 0usize;
        let mut any = false;
        let mut line_out = Vec::new();
        let mut rest = self.body;
        while !rest.is_empty() {
            let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |n| n + 1);
            let (line, next) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            rest = next;
            let line = match manner {
                Manner::Simple => without_end(line),
                Manner::Relaxed => {
                    line_out.clear();
                    relax(without_end(line), &mut line_out);
                    &line_out
                }
            };
            if line.is_empty() {
                empty += 1;
                continue;
            }
            for _ in 0..empty {
                sink.put(b"\r\n");
            }
            empty = 0;
            any = true;
            sink.put(line);
            sink.put(b"\r\n");
        }
        // RFC 6376 §3.4.3: an empty body is one line end; relaxed, it is nothing (§3.4.4).
        if !any && manner == Manner::Simple {
            sink.put(b"\r\n");
        }
        Body {
            hash: sink.hash.finish(),
            octets: sink.octets,
        }
    }
}

/// A body as it is signed.
pub(super) struct Body {
    /// The hash of what is covered.
    pub(super) hash: Digest,
    /// The octets of the whole.
    pub(super) octets: u64,
}

struct Sink {
    hash: Context,
    left: usize,
    octets: u64,
}

impl Sink {
    fn put(&mut self, bytes: &[u8]) {
        self.octets += bytes.len() as u64;
        let bytes = bytes.get(..self.left).unwrap_or(bytes);
        self.left -= bytes.len();
        self.hash.update(bytes);
    }
}

/// A field name: printable, without blanks but before the colon (`Subject :` is seen).
fn is_name(line: &[u8], colon: usize) -> bool {
    let name = line.get(..colon).unwrap_or_default().trim_ascii_end();
    !name.is_empty() && name.iter().all(|b| (33..=126).contains(b))
}

/// Without the line end, CRLF or LF.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Blanks within the line become one space, blanks at its end go.
fn relax(line: &[u8], out: &mut Vec<u8>) {
    let mut blank = false;
    for b in line {
        if matches!(b, b' ' | b'\t') {
            blank = true;
            continue;
        }
        if blank {
            out.push(b' ');
            blank = false;
        }
        out.push(*b);
    }
}

/// Appends a field as it is signed, with its line end.
pub(super) fn put_field(field: &Field<'_>, manner: Manner, out: &mut Vec<u8>) {
    match manner {
        Manner::Simple => {
            out.extend_from_slice(field.name);
            out.push(b':');
            let mut lines = field.body.split(|b| *b == b'\n').peekable();
            while let Some(line) = lines.next() {
                out.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
                if lines.peek().is_some() {
                    out.extend_from_slice(b"\r\n");
                }
            }
        }
        Manner::Relaxed => {
            out.extend(field.name.iter().map(u8::to_ascii_lowercase));
            out.push(b':');
            // Unfolding takes line ends away; a fold always has a blank behind it.
            let flat: Vec<u8> = field
                .body
                .iter()
                .copied()
                .filter(|b| !matches!(b, b'\r' | b'\n'))
                .collect();
            relax(flat.trim_ascii_start(), out);
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// The body of a signature field with the value of its `b=` taken out (RFC 6376 §3.7).
pub(super) fn without_signature(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    for (n, tag) in body.split(|b| *b == b';').enumerate() {
        if n > 0 {
            out.push(b';');
        }
        match memchr::memchr(b'=', tag) {
            Some(at) if tag.get(..at).unwrap_or_default().trim_ascii() == b"b" => {
                out.extend_from_slice(tag.get(..=at).unwrap_or_default());
            }
            _ => out.extend_from_slice(tag),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6376 §3.4.5.
    const MAIL: &str = "A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n";

    fn head(manner: Manner) -> String {
        let mail = Mail::read(MAIL.as_bytes());
        let mut out = Vec::new();
        for field in &mail.fields {
            put_field(field, manner, &mut out);
        }
        String::from_utf8(out).unwrap()
    }

    fn hash(text: &str) -> Vec<u8> {
        ring::digest::digest(&SHA256, text.as_bytes())
            .as_ref()
            .to_vec()
    }

    #[test]
    fn fields_are_brought_to_the_form_of_the_rfc() {
        assert_eq!(head(Manner::Relaxed), "a:X\r\nb:Y Z\r\n");
        // The blank before the colon belongs to the name there; nobody writes one today.
        assert_eq!(head(Manner::Simple), "A: X\r\nB: Y\t\r\n\tZ  \r\n");
    }

    #[test]
    fn bodies_are_brought_to_the_form_of_the_rfc() {
        for mail in [MAIL.to_owned(), MAIL.replace("\r\n", "\n")] {
            let mail = Mail::read(mail.as_bytes());
            let of = |manner| mail.body(manner, None).hash.as_ref().to_vec();
            assert_eq!(of(Manner::Relaxed), hash(" C\r\nD E\r\n"));
            assert_eq!(of(Manner::Simple), hash(" C \r\nD \t E\r\n"));
        }
        let mail = Mail::read(MAIL.as_bytes());
        let part = mail.body(Manner::Simple, Some(3));
        assert_eq!(part.hash.as_ref(), hash(" C "));
        assert_eq!(part.octets, " C \r\nD \t E\r\n".len() as u64);
    }

    #[test]
    fn an_empty_body_is_a_line_end_or_nothing() {
        for text in ["A: b\r\n\r\n", "A: b\r\n", "A: b\n\n\n\n"] {
            let mail = Mail::read(text.as_bytes());
            let of = |manner| mail.body(manner, None).hash.as_ref().to_vec();
            assert_eq!(of(Manner::Simple), hash("\r\n"));
            assert_eq!(of(Manner::Relaxed), hash(""));
        }
    }

    #[test]
    fn only_the_signature_is_taken_out() {
        assert_eq!(
            without_signature(b" v=1; bh=a=b; b=xyz\r\n\tabc=; d=e"),
            b" v=1; bh=a=b; b=; d=e"
        );
    }

    #[test]
    fn what_is_no_field_is_left_out() {
        let mail = Mail::read(b"From a@b Tue Jan 13 14:12:29 2004\nA: b\nrubbish\nC: d\n\nbody");
        assert_eq!(mail.fields.len(), 2);
    }
}
