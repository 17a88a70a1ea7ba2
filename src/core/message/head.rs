//! The header of a message: cut into fields here, cheaply, so that the header of a returned
//! original costs no full parse; encoded words are undone by mail-parser, and only when asked.

use std::borrow::Cow;

use mail_parser::HeaderValue;
use mail_parser::parsers::MessageStream;

use crate::message::decode;
use crate::message::lines;
use crate::message::place::Place;

/// Real headers have under 100 fields; the rest of a longer one is not looked at.
const MAX_FIELDS: usize = 2_000;

/// The header of a layer: its fields in order, as they came.
#[derive(Debug, Clone, Default)]
pub struct Head<'x> {
    /// The fields, newest (topmost) first.
    pub fields: Vec<Field<'x>>,
}

/// One header field (RFC 5322 §2.2).
#[derive(Debug, Clone)]
pub struct Field<'x> {
    /// Its name as written.
    pub name: Cow<'x, str>,
    /// Its body as written: folded, encoded words not yet decoded, without the blanks before it
    /// and the last line end.
    pub body: Cow<'x, str>,
    /// Where the body stands in the input.
    pub place: Place<'x>,
}

impl<'x> Field<'x> {
    /// The body on one line, encoded words (RFC 2047) undone.
    pub fn value(&self) -> Cow<'_, str> {
        decoded(&self.body)
    }

    /// The line of the input, from 1, that byte `offset` of the body stands in.
    pub fn line_at(&self, offset: usize) -> Option<u32> {
        self.place.line_at(self.body.as_bytes(), offset)
    }
}

impl<'x> Head<'x> {
    /// Reads the fields at the start of `source` up to the first blank line.
    pub fn parse(source: &'x [u8]) -> Self {
        Self::read(source, skip_lead(source)).0
    }

    /// Reads a header that was copied into a text, where folded lines lose their indentation: a
    /// line that is no field belongs to the field before it, when more fields come before the
    /// next blank line.
    pub(crate) fn copied(source: &'x [u8]) -> Self {
        Self::cut(source, skip_lead(source), true).0
    }

    /// Reads the header that starts at `start`; also gives where the body starts.
    pub(crate) fn read(source: &'x [u8], start: usize) -> (Self, usize) {
        Self::cut(source, start, false)
    }

    fn cut(source: &'x [u8], start: usize, copied: bool) -> (Self, usize) {
        let mut spans: Vec<(usize, usize, usize)> = Vec::with_capacity(16);
        let mut at = start;
        let mut body = source.len();
        while let Some((line, next)) = lines::raw_line(source, at) {
            let indented = matches!(line.first(), Some(b' ' | b'\t'));
            let blank =
                line.first().is_some_and(u8::is_ascii_whitespace) && line.trim_ascii().is_empty();
            if line.is_empty() || (blank && !goes_on(source, next)) {
                body = next;
                break;
            }
            if indented && !spans.is_empty() {
                if let Some(last) = spans.last_mut() {
                    last.2 = at + line.len();
                }
            } else if let Some(name) = name_len(line) {
                if spans.len() < MAX_FIELDS {
                    spans.push((at, name, at + line.len()));
                }
            } else if copied && fields_follow(source, next) {
                // `Da?e: Mon` is what is left of a field.
                let word = line.split(u8::is_ascii_whitespace).next();
                let broken = word.is_some_and(|word| word.ends_with(b":"));
                if let Some(last) = spans.last_mut().filter(|_| !broken) {
                    last.2 = at + line.len();
                }
            } else if !goes_on(source, next) {
                // The blank line is missing: the body starts right here.
                body = at;
                break;
            }
            at = next;
        }
        // Whether it is UTF-8 is asked once, not for each name and body.
        let text = source.get(start..body);
        let text = text.and_then(|text| std::str::from_utf8(text).ok());
        let header = Header {
            source,
            start,
            text,
        };
        let fields = spans.into_iter().map(|span| header.field(span)).collect();
        (Head { fields }, body)
    }

    /// The first field of this name.
    pub fn field(&self, name: &str) -> Option<&Field<'x>> {
        self.fields
            .iter()
            .find(|f| f.name.eq_ignore_ascii_case(name))
    }

    /// The value of the first field of this name: on one line, encoded words undone.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.field(name).map(Field::value)
    }

    /// The body of the first field of this name as written, folded and encoded.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.field(name).map(|f| f.body.as_ref())
    }

    /// All fields of this name, topmost first.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &Field<'x>> {
        self.fields
            .iter()
            .filter(move |f| f.name.eq_ignore_ascii_case(name))
    }

    /// True when there is a field of this name.
    pub fn has(&self, name: &str) -> bool {
        self.field(name).is_some()
    }
}

/// A header and its place.
struct Header<'x> {
    source: &'x [u8],
    start: usize,
    /// The same from `start` on, when all of it is UTF-8.
    text: Option<&'x str>,
}

impl<'x> Header<'x> {
    fn field(&self, (start, name, end): (usize, usize, usize)) -> Field<'x> {
        let after = self.source.get(start + name..end).unwrap_or_default();
        // Between name and body there is nothing but blanks and the colon.
        let blank = |b: &u8| matches!(b, b' ' | b'\t');
        let colon = after.iter().position(|b| *b == b':');
        let from = colon.map_or(after.len(), |at| at + 1);
        let body = after.get(from..).unwrap_or_default();
        let blanks = body.iter().position(|b| !blank(b)).unwrap_or(body.len());
        let body = start + name + from + blanks;
        Field {
            name: self.text(start, start + name),
            body: self.text(body, end),
            place: Place::Direct {
                input: self.source,
                start: body,
            },
        }
    }

    fn text(&self, from: usize, to: usize) -> Cow<'x, str> {
        let text = self
            .text
            .and_then(|text| text.get(from - self.start..to - self.start));
        match text {
            Some(text) => Cow::Borrowed(text),
            None => decode::into_text(Cow::Borrowed(self.source.get(from..to).unwrap_or_default())),
        }
    }
}

/// The length of the field name that `line` starts with; `None` when it starts with none.
pub(crate) fn name_len(line: &[u8]) -> Option<usize> {
    // Longer than any registered name by far; a word that long is not one.
    const MAX_NAME: usize = 77;
    let most = line.get(..MAX_NAME).unwrap_or(line);
    let len = most.iter().position(|b| !is_name(*b)).unwrap_or(most.len());
    let after = line.get(len..)?.iter().find(|b| !matches!(b, b' ' | b'\t'));
    (len > 0 && after == Some(&b':')).then_some(len)
}

fn is_name(byte: u8) -> bool {
    matches!(byte, b'!'..=b'9' | b';'..=b'~')
}

/// True when the line at `at` is a field or goes on with one.
fn goes_on(source: &[u8], at: usize) -> bool {
    lines::raw_line(source, at).is_some_and(|(line, _)| {
        name_len(line).is_some()
            || (matches!(line.first(), Some(b' ' | b'\t')) && !line.trim_ascii().is_empty())
    })
}

/// True when a field comes before the next blank line.
fn fields_follow(source: &[u8], start: usize) -> bool {
    /// The longest fields, signatures and seals, have some twenty lines.
    const MAX_LINES: usize = 40;
    let mut at = start;
    for _ in 0..MAX_LINES {
        match lines::raw_line(source, at) {
            Some((line, next)) if !line.trim_ascii().is_empty() => {
                if name_len(line).is_some() {
                    return true;
                }
                at = next;
            }
            _ => return false,
        }
    }
    false
}

/// Skips what may stand before a header: a byte order mark, blank lines, an mbox `From ` line.
pub(crate) fn skip_lead(source: &[u8]) -> usize {
    let mut at = if source.starts_with(b"\xEF\xBB\xBF") {
        3
    } else {
        0
    };
    let mut from_lines = 0;
    while let Some((line, next)) = lines::raw_line(source, at) {
        let from = line.starts_with(b"From ") || line.starts_with(b">From ");
        if from && name_len(line).is_none() {
            from_lines += 1;
            // Two of them happen where an mbox was put into an mbox.
            if from_lines > 2 {
                break;
            }
        } else if !line.trim_ascii().is_empty() {
            break;
        }
        at = next;
    }
    at
}

/// A field body on one line, encoded words undone.
pub(crate) fn decoded(body: &str) -> Cow<'_, str> {
    let trimmed = lines::trim(body);
    let folded = memchr::memchr2(b'\n', b'\r', trimmed.as_bytes()).is_some();
    let bytes = trimmed.as_bytes();
    let encoded = memchr::memchr_iter(b'=', bytes).any(|at| bytes.get(at + 1) == Some(&b'?'));
    if !folded && !encoded {
        return Cow::Borrowed(trimmed);
    }
    let mut line = String::with_capacity(trimmed.len() + 1);
    for part in lines::lines(trimmed) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(part.text.trim());
    }
    if !encoded {
        return Cow::Owned(line);
    }
    // The parser wants to see the end of the field.
    line.push('\n');
    match MessageStream::new(line.as_bytes()).parse_unstructured() {
        HeaderValue::Text(text) => Cow::Owned(text.into_owned()),
        _ => Cow::Owned(line.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_whatever_their_case_and_order() {
        let head = Head::parse(b"Subject: a\r\n b\r\nX-A : 1\r\nsubject: c\r\n\r\nTo: no\r\n");
        assert_eq!(head.get("SUBJECT").unwrap(), "a b");
        assert_eq!(head.raw("subject").unwrap(), "a\r\n b");
        assert_eq!(head.get("x-a").unwrap(), "1");
        assert_eq!(head.all("Subject").count(), 2);
        assert!(!head.has("To"));
        assert_eq!(head.field("Subject").unwrap().line_at(0), Some(1));
        assert_eq!(head.field("X-A").unwrap().line_at(0), Some(3));
    }

    #[test]
    fn a_plain_value_is_not_copied() {
        let head = Head::parse(b"Subject:  plain words \n");
        assert!(matches!(
            head.get("Subject").unwrap(),
            Cow::Borrowed("plain words")
        ));
    }

    #[test]
    fn encoded_words_are_undone() {
        let head = Head::parse(
            "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n =?utf-8?q?_an_alle?= x\n".as_bytes(),
        );
        assert_eq!(head.get("Subject").unwrap(), "Grüße an alle x");
    }

    #[test]
    fn a_missing_blank_line_does_not_make_the_body_a_header() {
        let source = b"From: a@example.com\nSubject: b\nHello you,\nnothing\n";
        let (head, body) = Head::read(source, 0);
        assert_eq!(head.fields.len(), 2);
        assert!(source[body..].starts_with(b"Hello"));
    }

    #[test]
    fn a_copied_header_has_lost_its_indentation() {
        let source = b"Received: from a\nby b;\nMon\nSubject: x\nHello you,\n\nTo: no\n";
        let head = Head::copied(source);
        assert_eq!(head.get("Received").unwrap(), "from a by b; Mon");
        assert_eq!(head.get("Subject").unwrap(), "x");
        assert!(!head.has("To"));
        assert_eq!(Head::parse(source).fields.len(), 1);
    }

    #[test]
    fn junk_between_two_fields_is_stepped_over() {
        let head = Head::parse(b"From x Mon Jan  1 10:00:00 2020\nFrom: a\n>From b\nTo: c\n\n");
        assert_eq!(head.fields.len(), 2);
    }
}
