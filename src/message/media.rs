//! What a part says it is: media type, parameters, transfer encoding, name of the file. The grammar
//! of these fields (RFC 2045, 2231, comments, broken quotes) is left to mail-parser.

use std::borrow::Cow;

use mail_parser::parsers::MessageStream;
use mail_parser::{ContentType, HeaderValue};

use crate::message::decode::Transfer;
use crate::message::head::Head;
use crate::message::layer::BlockKind;

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
        let line = ended(body);
        let Some(value) = structured(&line) else {
            return;
        };
        self.mime = Some(known(value.ctype(), value.subtype().unwrap_or_default()));
        let owned = |name: &str| value.attribute(name).map(str::to_owned);
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
    let body = body.trim();
    KNOWN
        .iter()
        .find(|known| body.eq_ignore_ascii_case(known))
        .copied()
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
    let (main, sub) = mime.split_once('/').unwrap_or((mime, ""));
    match (main, sub) {
        (_, "delivery-status" | "global-delivery-status") => BlockKind::DeliveryStatus,
        (_, "feedback-report") => BlockKind::FeedbackReport,
        (_, "disposition-notification" | "global-disposition-notification") => {
            BlockKind::DispositionNotification
        }
        (_, "rfc822-headers" | "rfc822-header" | "global-headers") => BlockKind::MessageHead,
        (_, "rfc822" | "global") | ("message", "news" | "") => BlockKind::Message,
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

    #[test]
    fn file_names_are_decoded_from_both_fields() {
        let m = media("Content-Disposition: attachment; filename*=utf-8''b%C3%BC.eml\n");
        assert_eq!(m.file_name.as_deref(), Some("bü.eml"));
        let m = media("Content-Type: application/octet-stream; name=\"=?utf-8?q?b=C3=BC.eml?=\"\n");
        assert_eq!(m.file_name.as_deref(), Some("bü.eml"));
    }
}
