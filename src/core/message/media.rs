//! What a part says it is: media type, parameters, transfer encoding, name of the file. The grammar
//! of these fields (RFC 2045, 2231, comments, broken quotes) is left to mail-parser.

use std::borrow::Cow;

use mail_parser::parsers::MessageStream;
use mail_parser::{ContentType, HeaderValue};

use crate::message::decode::Transfer;
use crate::message::head::Head;
use crate::message::layer::BlockKind;
use crate::message::lines;

/// A real Content-Type is under 1 kB; what is longer is an attack on the reader.
const MAX_VALUE: usize = 4_096;

/// What the header of a part states about its body.
#[derive(Debug, Clone, Default)]
pub(crate) struct Media<'x> {
    /// Main type and subtype, lower case; `None` when not stated.
    pub(crate) mime: Option<Cow<'x, str>>,
    pub(crate) boundary: Option<String>,
    pub(crate) charset: Option<String>,
    pub(crate) report_type: Option<String>,
    pub(crate) file_name: Option<String>,
    pub(crate) transfer: Transfer,
    /// format=flowed (RFC 3676); true inside when delsp=yes.
    pub(crate) flowed: Option<bool>,
}

impl<'x> Media<'x> {
    pub(crate) fn read(head: &Head<'_>) -> Self {
        let mut media = Media::default();
        for field in &head.fields {
            if !field
                .name
                .get(..8)
                .is_some_and(|start| start.eq_ignore_ascii_case("content-"))
            {
                continue;
            }
            match field.name.get(8..).unwrap_or_default() {
                name if name.eq_ignore_ascii_case("type") && media.mime.is_none() => {
                    media.take_type(&field.body);
                }
                name if name.eq_ignore_ascii_case("transfer-encoding") => {
                    media.transfer = Transfer::parse(&field.body);
                }
                name if name.eq_ignore_ascii_case("disposition") => {
                    if let Some(name) = structured(&ended(&field.body))
                        .and_then(|value| value.attribute("filename").map(str::to_owned))
                    {
                        media.file_name = Some(crate::message::head::decoded(&name).into_owned());
                    }
                }
                _ => {}
            }
        }
        media
    }

    fn take_type(&mut self, body: &str) {
        if let Some(mime) = simple(body) {
            self.mime = Some(Cow::Borrowed(mime));
            return;
        }
        if let Some(plain) = Plain::read(body) {
            self.mime = Some(Cow::Borrowed(plain.mime));
            self.take_parameters(|name| plain.get(name).map(str::to_owned));
            return;
        }
        let line = ended(body);
        let Some(value) = structured(&line) else {
            return;
        };
        self.mime = Some(known(value.ctype(), value.subtype().unwrap_or_default()));
        self.take_parameters(|name| value.attribute(name).map(str::to_owned));
    }

    fn take_parameters(&mut self, owned: impl Fn(&str) -> Option<String>) {
        self.boundary = owned("boundary").filter(|b| !b.is_empty());
        self.charset = owned("charset");
        self.report_type = owned("report-type").map(|t| t.to_ascii_lowercase());
        if owned("format").is_some_and(|f| f.eq_ignore_ascii_case("flowed")) {
            self.flowed = Some(owned("delsp").is_some_and(|d| d.eq_ignore_ascii_case("yes")));
        }
        if self.file_name.is_none() {
            self.file_name =
                owned("name").map(|name| crate::message::head::decoded(&name).into_owned());
        }
    }

    /// The media type, or what RFC 2045 §5.2 says when there is none.
    pub(crate) fn mime_or(&self, default: &'static str) -> Cow<'x, str> {
        self.mime.clone().unwrap_or(Cow::Borrowed(default))
    }
}

/// The types that most parts have, written without any parameter.
fn simple(body: &str) -> Option<&'static str> {
    let body = lines::trim(body);
    KNOWN
        .iter()
        .find(|known| body.eq_ignore_ascii_case(known))
        .copied()
}

/// A known type with parameters that nobody could read in two ways: nearly all are written so, and
/// the whole grammar costs ten times as much.
struct Plain<'b> {
    mime: &'static str,
    parameters: [(&'b str, &'b str); MOST],
}

/// Parameters of a [`Plain`] type; a part has two or three.
const MOST: usize = 5;

impl<'b> Plain<'b> {
    /// `None` for whatever is not that plain.
    fn read(body: &'b str) -> Option<Self> {
        let (mime, mut rest) = lines::cut(body, b';')?;
        let mut plain = Self {
            mime: simple(mime)?,
            parameters: [("", ""); MOST],
        };
        let mut slots = plain.parameters.iter_mut();
        loop {
            rest = rest.trim_ascii_start();
            if rest.is_empty() {
                break;
            }
            let (name, value) = lines::cut(rest, b'=')?;
            let letters = |b: u8| b.is_ascii_alphabetic() || b == b'-';
            if name.is_empty() || !name.bytes().all(letters) {
                return None;
            }
            let quoted = value.starts_with('"');
            let (value, after) = if quoted {
                lines::cut(value.get(1..)?, b'"')?
            } else {
                let (value, after) = value.split_at(value.find(';').unwrap_or(value.len()));
                (value.trim_ascii_end(), after)
            };
            let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'+');
            let sign = |b: u8| matches!(b, b'/' | b':' | b' ' | b'(' | b')' | b'=' | b'@');
            let fits = |b: u8| word(b) || quoted && sign(b);
            if value.is_empty() || value.trim_ascii() != value || !value.bytes().all(fits) {
                return None;
            }
            *slots.next()? = (name, value);
            rest = after.trim_ascii_start();
            if !rest.is_empty() {
                rest = rest.strip_prefix(';')?;
            }
        }
        let names = plain.parameters.iter().map(|(name, _)| name);
        let twice = names.clone().enumerate().any(|(n, name)| {
            !name.is_empty() && names.clone().take(n).any(|o| o.eq_ignore_ascii_case(name))
        });
        (!twice).then_some(plain)
    }

    fn get(&self, name: &str) -> Option<&'b str> {
        self.parameters
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
    }
}

const KNOWN: [&str; 14] = [
    "text/plain",
    "message/delivery-status",
    "message/rfc822",
    "text/rfc822-headers",
    "text/html",
    "multipart/report",
    "multipart/mixed",
    "multipart/alternative",
    "multipart/related",
    "multipart/digest",
    "message/feedback-report",
    "message/disposition-notification",
    "application/octet-stream",
    "application/ms-tnef",
];

fn known<'x>(main: &str, sub: &str) -> Cow<'x, str> {
    let hit = KNOWN.iter().find(|known| {
        known
            .split_once('/')
            .is_some_and(|(m, s)| m.eq_ignore_ascii_case(main) && s.eq_ignore_ascii_case(sub))
    });
    match hit {
        Some(mime) => Cow::Borrowed(mime),
        None => Cow::Owned(format!("{main}/{sub}").to_ascii_lowercase()),
    }
}

/// A Content field's body with its end, which the parser wants to see.
fn ended(body: &str) -> Vec<u8> {
    let cut = body.len().min(MAX_VALUE);
    let mut line = Vec::with_capacity(cut + 1);
    line.extend_from_slice(body.as_bytes().get(..cut).unwrap_or_default());
    line.push(b'\n');
    line
}

fn structured(ended: &[u8]) -> Option<ContentType<'_>> {
    match MessageStream::new(ended).parse_content_type() {
        HeaderValue::ContentType(value) => Some(value),
        _ => None,
    }
}

/// What a part of this type is for.
pub(crate) fn kind(mime: &str) -> BlockKind {
    let (main, sub) = lines::cut(mime, b'/').unwrap_or((mime, ""));
    match (main, sub) {
        (_, "delivery-status" | "global-delivery-status") => BlockKind::DeliveryStatus,
        (_, "feedback-report") => BlockKind::FeedbackReport,
        (_, "disposition-notification" | "global-disposition-notification") => {
            BlockKind::DispositionNotification
        }
        (_, "rfc822-headers" | "rfc822-header" | "global-headers") => BlockKind::MessageHead,
        // A fragment (RFC 2046 section 5.2.2) begins with the header of the whole.
        (_, "rfc822" | "global") | ("message", "news" | "partial" | "") => BlockKind::Message,
        ("text", "html" | "x-amp-html") | ("application", "xhtml+xml") => BlockKind::Html,
        ("text", "calendar" | "css" | "javascript" | "vcard" | "x-vcard" | "directory") => {
            BlockKind::Attachment
        }
        // "text" alone is what some old servers write.
        ("text" | "", _) => BlockKind::Plain,
        _ => BlockKind::Attachment,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn media(header: &str) -> Media<'static> {
        Media::read(&Head::parse(header.as_bytes()))
    }

    #[test]
    fn types_are_read_in_every_writing() {
        let m = media(
            "Content-Type: Multipart/REPORT;\r\n Report-Type=Delivery-Status;\r\n\tboundary=\"a b\"\n",
        );
        assert_eq!(m.mime.as_deref(), Some("multipart/report"));
        assert_eq!(m.boundary.as_deref(), Some("a b"));
        assert_eq!(m.report_type.as_deref(), Some("delivery-status"));
        let m = media("content-type: text/plain; charset=us-ascii (Plain text)\n");
        assert_eq!(
            (m.mime.as_deref(), m.charset.as_deref()),
            (Some("text/plain"), Some("us-ascii"))
        );
        let m = media("Content-Type: MESSAGE/Delivery-Status\n");
        assert_eq!(kind(m.mime.as_deref().unwrap()), BlockKind::DeliveryStatus);
    }

    proptest! {
        #[test]
        fn what_is_read_the_short_way_reads_the_same_the_long_way(
            parts in prop::collection::vec(prop::sample::select(vec![
                "text/plain", "Multipart/Report", ";", "; ", ";\r\n\t", " ", "=", "\"", "charset", "boundary",
                "Boundary", "name", "name*", "=?x?=", "utf-8", "a b", "a=b", "(c)", "\\", "'", "delivery-status",
                "report-type=", "format=flowed", "; charset=us-ascii", "; boundary=\"x/y:z\"", "ü", "*0", "%20",
            ]), 0..9)
        ) {
            let body = parts.concat();
            if let Some(plain) = Plain::read(&body) {
                let line = ended(&body);
                let whole = structured(&line).unwrap();
                prop_assert_eq!(plain.mime, known(whole.ctype(), whole.subtype().unwrap_or_default()));
                for name in ["charset", "boundary", "name", "report-type", "format"] {
                    prop_assert_eq!(plain.get(name), whole.attribute(name), "{}", body);
                }
            }
        }
    }

    #[test]
    fn usual_types_are_read_the_short_way() {
        for body in [
            "multipart/report; report-type=delivery-status;\n\tboundary=\"87ACA9F0.1795/mx.example\"",
            "text/plain; charset=utf-8; format=flowed",
            "multipart/mixed; boundary=\"----=_Part (1)\";",
        ] {
            assert!(Plain::read(body).is_some(), "{body}");
        }
        assert!(Plain::read("text/plain; charset=us-ascii (Plain text)").is_none());
    }

    #[test]
    fn file_names_are_decoded_from_both_fields() {
        let m = media("Content-Disposition: attachment; filename*=utf-8''b%C3%BC.eml\n");
        assert_eq!(m.file_name.as_deref(), Some("bü.eml"));
        let m = media("Content-Type: application/octet-stream; name=\"=?utf-8?q?b=C3=BC.eml?=\"\n");
        assert_eq!(m.file_name.as_deref(), Some("bü.eml"));
    }
}
