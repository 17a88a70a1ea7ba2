//! Containers that are no MIME: TNEF, Outlook's .msg, and documents that carry a text. The first
//! two hold MAPI properties; what they mean is read here for both.

use std::borrow::Cow;

use chrono::{DateTime, Datelike};

use crate::message::decode;
use crate::message::head::{self, Field, Head};
use crate::message::inner::{msg, rtf, tnef};
use crate::message::layer::{Block, BlockKind, Content, Layer, Wrap};
use crate::message::media::{self, Media};
use crate::message::place::{Mark, Place};
use crate::message::status::EnhancedCode;

/// Messages embedded in embedded messages deeper than this are left out.
pub(crate) const MAX_EMBEDDED: usize = 8;

/// Properties of MAPI (MS-OXPROPS) that a mail has.
pub(crate) mod id {
    pub(crate) const CLASS: u16 = 0x001A;
    pub(crate) const SUBJECT: u16 = 0x0037;
    pub(crate) const SUBMIT_TIME: u16 = 0x0039;
    pub(crate) const SENT_FOR_NAME: u16 = 0x0042;
    pub(crate) const HEADERS: u16 = 0x007D;
    pub(crate) const SENDER_NAME: u16 = 0x0C1A;
    pub(crate) const SUPPLEMENTARY: u16 = 0x0C1B;
    pub(crate) const SENDER_ADDRESS: u16 = 0x0C1F;
    pub(crate) const DISPLAY_TO: u16 = 0x0E04;
    pub(crate) const DELIVERY_TIME: u16 = 0x0E06;
    pub(crate) const BODY: u16 = 0x1000;
    pub(crate) const REPORT_TEXT: u16 = 0x1001;
    pub(crate) const RTF: u16 = 0x1009;
    pub(crate) const HTML: u16 = 0x1013;
    pub(crate) const DISPLAY_NAME: u16 = 0x3001;
    pub(crate) const ADDRESS: u16 = 0x3003;
    pub(crate) const ATTACH_DATA: u16 = 0x3701;
    pub(crate) const ATTACH_NAME: u16 = 0x3704;
    pub(crate) const ATTACH_LONG_NAME: u16 = 0x3707;
    pub(crate) const ATTACH_MIME: u16 = 0x370E;
    pub(crate) const SMTP_ADDRESS: u16 = 0x39FE;
    pub(crate) const INTERNET_PAGE: u16 = 0x3FDE;
    pub(crate) const CODE_PAGE: u16 = 0x3FFD;
    pub(crate) const SENDER_SMTP: u16 = 0x5D01;
}

/// The types of properties that are texts or bytes, and the time.
pub(crate) mod kind {
    pub(crate) const LONG: u16 = 0x0003;
    pub(crate) const OBJECT: u16 = 0x000D;
    pub(crate) const STRING: u16 = 0x001E;
    pub(crate) const UNICODE: u16 = 0x001F;
    pub(crate) const TIME: u16 = 0x0040;
    pub(crate) const BINARY: u16 = 0x0102;
}

/// The properties of a message, a recipient or an attachment.
#[derive(Debug, Default)]
pub(crate) struct Props {
    pub(crate) all: Vec<(u16, u16, Vec<u8>)>,
    /// The Windows code page of its eight-bit strings.
    pub(crate) code_page: u32,
}

impl Props {
    pub(crate) fn bytes(&self, id: u16) -> Option<&[u8]> {
        self.all
            .iter()
            .find(|p| p.0 == id && !p.2.is_empty())
            .map(|p| p.2.as_slice())
    }

    pub(crate) fn text(&self, id: u16) -> Option<String> {
        let (_, kind, bytes) = self.all.iter().find(|p| p.0 == id && !p.2.is_empty())?;
        let text = match *kind {
            kind::UNICODE => encoding_rs::UTF_16LE.decode_without_bom_handling(bytes).0,
            kind::STRING => in_code_page(bytes, self.code_page),
            _ => return None,
        };
        let text = text.trim_end_matches('\0');
        (!text.trim().is_empty()).then(|| text.to_owned())
    }

    fn first(&self, ids: &[u16]) -> Option<String> {
        ids.iter().find_map(|id| self.text(*id))
    }

    fn number(&self, id: u16) -> Option<u32> {
        let bytes = self.bytes(id)?.get(..4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }

    /// A FILETIME: tenths of microseconds since 1601.
    fn date(&self) -> Option<String> {
        const TO_1970: i64 = 11_644_473_600;
        let time = [id::SUBMIT_TIME, id::DELIVERY_TIME]
            .iter()
            .find_map(|id| self.bytes(*id))?;
        let ticks = i64::from_le_bytes(time.get(..8)?.try_into().ok()?);
        let time = DateTime::from_timestamp(ticks / 10_000_000 - TO_1970, 0)?;
        // RFC 5322 has four digits for a year, and chrono panics where they do not suffice; a
        // FILETIME reaches to the year 30828.
        (1..=9999).contains(&time.year()).then(|| time.to_rfc2822())
    }
}

/// Text in a Windows code page.
pub(crate) fn in_code_page(bytes: &[u8], page: u32) -> Cow<'_, str> {
    let name = match page {
        932 => "shift_jis".to_owned(),
        936 => "gbk".to_owned(),
        949 => "euc-kr".to_owned(),
        950 => "big5".to_owned(),
        20_866 => "koi8-r".to_owned(),
        21_866 => "koi8-u".to_owned(),
        51_932 => "euc-jp".to_owned(),
        51_949 => "euc-kr".to_owned(),
        50_220..=50_222 => "iso-2022-jp".to_owned(),
        54_936 => "gb18030".to_owned(),
        65_001 => "utf-8".to_owned(),
        874 | 1_250..=1_258 => format!("windows-{page}"),
        28_591..=28_605 => format!("iso-8859-{}", page - 28_590),
        _ => return decode::into_text(Cow::Borrowed(bytes)),
    };
    decode::charset(Cow::Borrowed(bytes), Some(&name))
}

/// An attachment of a message in a container.
#[derive(Debug, Default)]
pub(crate) struct Attachment {
    pub(crate) props: Props,
    pub(crate) data: Vec<u8>,
    pub(crate) embedded: Option<Layer<'static>>,
}

/// A message of a container.
#[derive(Debug, Default)]
pub(crate) struct Note {
    pub(crate) props: Props,
    pub(crate) recipients: Vec<Props>,
    pub(crate) attachments: Vec<Attachment>,
}

/// Opens a TNEF stream or a .msg file, told by its first bytes.
pub(crate) fn open(bytes: &[u8]) -> Option<Layer<'static>> {
    tnef::read(bytes, MAX_EMBEDDED).or_else(|| msg::read(bytes))
}

impl Note {
    pub(crate) fn into_layer(self, wrap: Wrap) -> Layer<'static> {
        let head = self.head();
        let media = Media::read(&head);
        let mut layer = Layer {
            wraps: vec![wrap],
            mime: Cow::Owned(media.mime_or("text/plain").into_owned()),
            report_type: media.report_type.map(Cow::Owned),
            head,
            blocks: self.bodies(),
        };
        if let Some(status) = self.status() {
            layer.blocks.push(text_block(
                BlockKind::DeliveryStatus,
                "message/delivery-status",
                status,
            ));
        }
        layer
            .blocks
            .extend(self.attachments.into_iter().filter_map(attachment));
        layer
    }

    /// The header as it came over the Internet, or one made of the properties.
    fn head(&self) -> Head<'static> {
        let props = &self.props;
        if let Some(text) = props.text(id::HEADERS) {
            let start = head::skip_lead(text.as_bytes());
            let head = Head::read(text.as_bytes(), start).0;
            if head.fields.len() > 2 {
                return Layer {
                    head,
                    ..Layer::default()
                }
                .into_owned()
                .head;
            }
        }
        let name = props
            .first(&[id::SENDER_NAME, id::SENT_FOR_NAME])
            .unwrap_or_default();
        let from = match props.first(&[id::SENDER_SMTP, id::SENDER_ADDRESS]) {
            Some(address) if address.contains('@') && name != address => {
                format!("{name} <{address}>").trim().to_owned()
            }
            _ => name,
        };
        let fields = [
            ("From", Some(from)),
            ("To", props.text(id::DISPLAY_TO)),
            ("Subject", props.text(id::SUBJECT)),
            ("Date", props.date()),
        ];
        let field = |(name, body): (&'static str, Option<String>)| {
            let body = body.filter(|body| !body.is_empty())?;
            Some(Field {
                name: Cow::Borrowed(name),
                body: Cow::Owned(body),
                place: Place::Nowhere,
            })
        };
        Head {
            fields: fields.into_iter().filter_map(field).collect(),
        }
    }

    /// Plain text, HTML, and RTF only when neither is there.
    fn bodies(&self) -> Vec<Block<'static>> {
        let props = &self.props;
        let mut blocks = Vec::new();
        for id in [id::BODY, id::REPORT_TEXT] {
            if let Some(text) = props.text(id) {
                blocks.push(text_block(BlockKind::Plain, "text/plain", text));
            }
        }
        let html = match props.text(id::HTML) {
            Some(text) => Some(text),
            None => {
                // MS-OXPROPS: the bytes are in the code page of the Internet, not of the machine.
                let page = props.number(id::INTERNET_PAGE).unwrap_or(props.code_page);
                let bytes = props.bytes(id::HTML);
                bytes.map(|bytes| in_code_page(bytes, page).into_owned())
            }
        };
        if let Some(html) = html {
            let mut block = text_block(BlockKind::Html, "text/html", html);
            block.alternative = !blocks.is_empty();
            blocks.push(block);
        }
        if blocks.is_empty()
            && let Some(source) = props.bytes(id::RTF).and_then(rtf::decompress)
        {
            blocks.push(rich(&source));
        }
        blocks
    }

    /// What Outlook keeps of a report: the words about each recipient (MS-OXOMSG §2.2.2).
    fn status(&self) -> Option<String> {
        let class = self.props.text(id::CLASS).unwrap_or_default();
        let action = action(&class);
        let mut text = String::new();
        for recipient in &self.recipients {
            let address = recipient.first(&[id::SMTP_ADDRESS, id::ADDRESS, id::DISPLAY_NAME]);
            if let (Some(address), Some(words)) = (address, recipient.text(id::SUPPLEMENTARY)) {
                let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
                let address = address.split_whitespace().collect::<String>();
                text.push_str("Final-Recipient: rfc822; ");
                text.push_str(&address);
                text.push_str("\nAction: ");
                text.push_str(action);
                text.push_str("\nDiagnostic-Code: smtp; ");
                let inner = unwrapped(&words);
                text.push_str(
                    inner
                        .split_once("smtp;")
                        .map_or(inner, |(_, said)| said)
                        .trim(),
                );
                let told = inner.split_once('#').and_then(|(server, rest)| {
                    let code = rest.split_whitespace().next()?;
                    EnhancedCode::parse(code).map(|code| (server.trim(), code))
                });
                if let Some((server, code)) = told {
                    text.push_str(&format!("\nStatus: {code}"));
                    if !server.is_empty() {
                        text.push_str(&format!("\nRemote-MTA: dns; {server}"));
                    }
                }
                text.push_str("\n\n");
            }
        }
        (!text.is_empty()).then_some(text)
    }
}

/// `<server.example #5.1.1 smtp; 550 5.1.1 …>`, `#< #5.1.1 smtp; …> #SMTP#` without what is around
/// it; a bracket that belongs to an address at the end stays.
fn unwrapped(words: &str) -> &str {
    let words = words.strip_suffix(" #SMTP#").unwrap_or(words);
    let words = words.strip_prefix('#').unwrap_or(words);
    let inner = words
        .strip_prefix('<')
        .map(|i| i.strip_suffix('>').unwrap_or(i));
    inner.unwrap_or(words)
}

/// What a report is about, by the class of the message: `REPORT.IPM.Note.NDR`,
/// `REPORT.IPM.Note.Delayed.DR`.
fn action(class: &str) -> &'static str {
    let class = class.to_ascii_lowercase();
    let is = |end: &str| class.ends_with(end);
    match () {
        () if is(".delayed.dr") => "delayed",
        () if is(".relayed.dr") => "relayed",
        () if is(".expanded.dr") => "expanded",
        () if is(".dr") => "delivered",
        () => "failed",
    }
}

fn text_block(kind: BlockKind, mime: &'static str, text: String) -> Block<'static> {
    let content = Content::Text(Cow::Owned(text));
    Block::new(kind, Cow::Borrowed(mime), None, content, Place::Nowhere)
}

fn attachment(attachment: Attachment) -> Option<Block<'static>> {
    let props = &attachment.props;
    let mime = props
        .text(id::ATTACH_MIME)
        .map_or("application/octet-stream".to_owned(), |m| {
            m.trim().to_ascii_lowercase()
        });
    let name = props.first(&[id::ATTACH_LONG_NAME, id::ATTACH_NAME, id::DISPLAY_NAME]);
    let (kind, content) = match (attachment.embedded, media::kind(&mime)) {
        (Some(layer), _) => (BlockKind::Message, Content::Opened(Box::new(layer))),
        (None, kind @ (BlockKind::Message | BlockKind::Attachment)) => {
            (kind, Content::Bytes(Cow::Owned(attachment.data)))
        }
        (None, kind) => {
            let text = in_code_page(&attachment.data, props.code_page).into_owned();
            (kind, Content::Text(Cow::Owned(text)))
        }
    };
    let block = Block::new(
        kind,
        Cow::Owned(mime),
        name.map(Cow::Owned),
        content,
        Place::Nowhere,
    );
    (matches!(block.content, Content::Opened(_)) || !block.bytes().is_empty()).then_some(block)
}

fn rich(source: &[u8]) -> Block<'static> {
    let (text, is_html) = rtf::text(source);
    if is_html {
        text_block(BlockKind::Html, "text/html", text)
    } else {
        text_block(BlockKind::Plain, "text/plain", text)
    }
}

/// An attached HTML or RTF document.
pub(crate) fn document<'b>(bytes: &'b [u8], marks: &[Mark]) -> Option<Layer<'b>> {
    let block = if bytes.trim_ascii_start().starts_with(b"{\\rtf") {
        rich(bytes)
    } else {
        let text = decode::into_text(Cow::Borrowed(bytes));
        let place = Place::Direct {
            input: bytes,
            start: 0,
        }
        .within(text.as_bytes(), marks);
        let mime = Cow::Borrowed("text/html");
        Block::new(BlockKind::Html, mime, None, Content::Text(text), place)
    };
    let mime = block.mime.clone();
    Some(Layer {
        wraps: vec![Wrap::Attached],
        blocks: vec![block],
        mime,
        ..Layer::default()
    })
}

#[cfg(test)]
mod tests;
