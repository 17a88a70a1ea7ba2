//! TNEF (MS-OXTNEF), the `winmail.dat` of Outlook: a flat list of attributes, some of which hold
//! MAPI properties. Checksums are not looked at: a damaged text is better than none.

use crate::message::inner::container::{Attachment, Note, Props, id, kind};
use crate::message::layer::{Layer, Wrap};

const SIGNATURE: [u8; 4] = [0x78, 0x9F, 0x3E, 0x22];

/// More attributes or properties than this are not read.
const MAX_ITEMS: usize = 10_000;

/// The attributes that are read, by their number without the type.
mod attribute {
    pub(super) const SUBJECT: u16 = 0x8004;
    pub(super) const CLASS: u16 = 0x8008;
    pub(super) const BODY: u16 = 0x800C;
    pub(super) const ATTACH_DATA: u16 = 0x800F;
    pub(super) const ATTACH_TITLE: u16 = 0x8010;
    pub(super) const ATTACH_START: u16 = 0x9002;
    pub(super) const PROPERTIES: u16 = 0x9003;
    pub(super) const RECIPIENTS: u16 = 0x9004;
    pub(super) const ATTACH_PROPERTIES: u16 = 0x9005;
    pub(super) const CODE_PAGE: u16 = 0x9007;
}

/// Reads a TNEF stream; `None` when `bytes` are none.
pub(crate) fn read(bytes: &[u8], depth: usize) -> Option<Layer<'static>> {
    let mut rest = Bytes(bytes.strip_prefix(&SIGNATURE)?);
    rest.u16()?; // The key of the attachments: of no use.
    let mut note = Note::default();
    let mut page = 1_252;
    for _ in 0..MAX_ITEMS {
        let Some((name, value)) = attribute(&mut rest) else {
            break;
        };
        let string = |props: &mut Props, id| {
            props.all.push((id, kind::STRING, value.to_vec()));
        };
        match name {
            attribute::CODE_PAGE => page = Bytes(value).u32().unwrap_or(page),
            attribute::SUBJECT => string(&mut note.props, id::SUBJECT),
            attribute::CLASS => string(&mut note.props, id::CLASS),
            attribute::BODY => string(&mut note.props, id::BODY),
            attribute::PROPERTIES => properties(&mut Bytes(value), &mut note.props),
            attribute::RECIPIENTS => note.recipients = recipients(value, page),
            attribute::ATTACH_START => note.attachments.push(Attachment::default()),
            attribute::ATTACH_TITLE => {
                if let Some(last) = note.attachments.last_mut() {
                    string(&mut last.props, id::ATTACH_NAME);
                }
            }
            attribute::ATTACH_DATA => {
                if let Some(last) = note.attachments.last_mut() {
                    last.data = value.to_vec();
                }
            }
            attribute::ATTACH_PROPERTIES => {
                if let Some(last) = note.attachments.last_mut() {
                    properties(&mut Bytes(value), &mut last.props);
                }
            }
            _ => {}
        }
    }
    note.props.code_page = page;
    for attachment in &mut note.attachments {
        attachment.props.code_page = page;
        embed(attachment, depth);
    }
    Some(note.into_layer(Wrap::Tnef))
}

/// The data of an attachment may stand in a property: as bytes, or as a TNEF stream behind the
/// id of the interface.
fn embed(attachment: &mut Attachment, depth: usize) {
    const INTERFACE: usize = 16;
    let Some(object) = attachment.props.bytes(id::ATTACH_DATA) else {
        return;
    };
    let inner = object.get(INTERFACE..).unwrap_or_default();
    if inner.starts_with(&SIGNATURE) && depth > 0 {
        attachment.embedded = read(inner, depth - 1);
    } else if attachment.data.is_empty() {
        attachment.data = object.to_vec();
    }
}

/// Level, name, type, length, value, checksum.
fn attribute<'b>(rest: &mut Bytes<'b>) -> Option<(u16, &'b [u8])> {
    rest.take(1)?;
    let name = rest.u16()?;
    rest.u16()?;
    let len = usize::try_from(rest.u32()?).ok()?;
    // The last attribute of a cut stream is taken as far as it goes.
    let value = rest.take(len.min(rest.0.len()))?;
    rest.u16();
    Some((name, value))
}

fn recipients(value: &[u8], page: u32) -> Vec<Props> {
    /// Octets of the number of properties.
    const COUNT: usize = 4;
    let mut rest = Bytes(value);
    let rows = usize::try_from(rest.u32().unwrap_or(0))
        .unwrap_or(0)
        .min(MAX_ITEMS);
    let mut all = Vec::new();
    for _ in 0..rows {
        // A row that is cut off is kept as far as it goes; behind it there is nothing.
        if rest.0.len() < COUNT {
            break;
        }
        let mut props = Props {
            code_page: page,
            ..Props::default()
        };
        properties(&mut rest, &mut props);
        all.push(props);
    }
    all
}

/// A counted list of MAPI properties; ends early at whatever does not fit.
fn properties(rest: &mut Bytes<'_>, props: &mut Props) {
    let count = usize::try_from(rest.u32().unwrap_or(0))
        .unwrap_or(0)
        .min(MAX_ITEMS);
    for _ in 0..count {
        if property(rest, props).is_none() {
            return;
        }
    }
}

fn property(rest: &mut Bytes<'_>, props: &mut Props) -> Option<()> {
    const MULTIPLE: u16 = 0x1000;
    const NAMED: u16 = 0x8000;
    let type_ = rest.u16()?;
    let id = rest.u16()?;
    if id >= NAMED {
        rest.take(16)?;
        if rest.u32()? == 0 {
            rest.take(4)?;
        } else {
            let len = usize::try_from(rest.u32()?).ok()?;
            rest.padded(len)?;
        }
    }
    let base = type_ & !MULTIPLE;
    let varies = matches!(
        base,
        kind::STRING | kind::UNICODE | kind::OBJECT | kind::BINARY
    );
    let values = if varies || type_ & MULTIPLE != 0 {
        rest.u32()?
    } else {
        1
    };
    for n in 0..values {
        let value = if varies {
            let len = usize::try_from(rest.u32()?).ok()?;
            rest.padded(len)?
        } else {
            rest.take(match base {
                0x05 | 0x06 | 0x07 | 0x14 | kind::TIME => 8,
                0x48 => 16,
                _ => 4,
            })?
        };
        if n == 0 {
            props.all.push((id, base, value.to_vec()));
        }
    }
    Some(())
}

/// Little-endian numbers off the front of a slice.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn take(&mut self, len: usize) -> Option<&'b [u8]> {
        let (front, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(front)
    }

    fn padded(&mut self, len: usize) -> Option<&'b [u8]> {
        let value = self.take(len)?;
        self.take((4 - len % 4) % 4)?;
        Some(value)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::layer::BlockKind;

    fn push(out: &mut Vec<u8>, name: u16, value: &[u8]) {
        out.push(1);
        out.extend(name.to_le_bytes());
        out.extend(6u16.to_le_bytes());
        out.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
        out.extend(value);
        out.extend([0, 0]);
    }

    fn stream(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut out = SIGNATURE.to_vec();
        out.extend([1, 0]);
        for (name, value) in attributes {
            push(&mut out, *name, value);
        }
        out
    }

    /// One property list with one property.
    fn list(type_: u16, id: u16, value: &[u8]) -> Vec<u8> {
        let mut out = 1u32.to_le_bytes().to_vec();
        out.extend(type_.to_le_bytes());
        out.extend(id.to_le_bytes());
        out.extend(1u32.to_le_bytes());
        out.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
        out.extend(value);
        out.resize(out.len() + (4 - value.len() % 4) % 4, 0);
        out
    }

    #[test]
    fn a_time_beyond_the_calendar_of_mail_is_no_date() {
        for ticks in [i64::MAX, i64::MIN, -1, 0] {
            let mut properties = 1u32.to_le_bytes().to_vec();
            properties.extend(kind::TIME.to_le_bytes());
            properties.extend(id::SUBMIT_TIME.to_le_bytes());
            properties.extend(ticks.to_le_bytes());
            let bytes = stream(&[(attribute::PROPERTIES, &properties)]);
            let layer = read(&bytes, 1).unwrap();
            let date = layer.head.get("Date").map(std::borrow::Cow::into_owned);
            let wanted = (-1..=0).contains(&ticks);
            assert_eq!(date.is_some(), wanted, "{ticks}: {date:?}");
        }
    }

    #[test]
    fn body_and_attachment_are_read_in_their_code_page() {
        let bytes = stream(&[
            (attribute::CODE_PAGE, &1251u32.to_le_bytes()),
            (attribute::SUBJECT, b"\xCF\xF0\0"),
            (attribute::BODY, b"text\0"),
            (attribute::ATTACH_START, b""),
            (attribute::ATTACH_TITLE, b"a.eml\0"),
            (attribute::ATTACH_DATA, b"From: a@b\n\nx"),
        ]);
        let layer = read(&bytes, 1).unwrap();
        assert_eq!(layer.wraps, [Wrap::Tnef]);
        assert_eq!(layer.head.get("Subject").unwrap(), "Пр");
        assert_eq!(layer.blocks[0].text(), "text");
        assert_eq!(layer.blocks[1].file_name.as_deref(), Some("a.eml"));
        let inner = layer.inner();
        assert_eq!(inner[0].wraps, [Wrap::Tnef, Wrap::Attached]);
        assert_eq!(inner[0].blocks[0].text(), "x");
    }

    #[test]
    fn an_embedded_message_and_unicode_properties_are_read() {
        let wide: Vec<u8> = "für".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let inner = stream(&[(attribute::PROPERTIES, &list(kind::UNICODE, id::BODY, &wide))]);
        let object = [vec![0; 16], inner].concat();
        let bytes = stream(&[
            (attribute::ATTACH_START, b""),
            (
                attribute::ATTACH_PROPERTIES,
                &list(kind::OBJECT, id::ATTACH_DATA, &object),
            ),
        ]);
        let layer = read(&bytes, 1).unwrap();
        assert_eq!(layer.blocks[0].kind, BlockKind::Message);
        assert_eq!(layer.inner()[0].blocks[0].text(), "für");
    }

    #[test]
    fn rows_that_are_promised_and_not_there_cost_nothing() {
        let mut value = u32::MAX.to_le_bytes().to_vec();
        value.push(0);
        let all = vec![(attribute::RECIPIENTS, value.as_slice()); MAX_ITEMS];
        let start = std::time::Instant::now();
        assert!(read(&stream(&all), 1).is_some());
        assert!(
            start.elapsed() < std::time::Duration::from_secs(2),
            "{:?}",
            start.elapsed()
        );
    }

    #[test]
    fn cut_streams_give_what_is_there() {
        let bytes = stream(&[
            (attribute::SUBJECT, b"s\0"),
            (attribute::BODY, b"a long text\0"),
        ]);
        for len in 0..bytes.len() {
            let layer = read(&bytes[..len], 1);
            assert_eq!(layer.is_some(), len >= 6);
        }
        let layer = read(&bytes[..bytes.len() - 6], 1).unwrap();
        assert_eq!(layer.blocks[0].text(), "a long t");
    }
}
