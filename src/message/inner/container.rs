//! Containers that are no MIME: TNEF, Outlook's .msg, and documents that carry a text.

use std::borrow::Cow;

use crate::message::layer::{Block, BlockKind, Content, Layer, Wrap};
use crate::message::place::{Mark, Place};

/// Opens a TNEF stream or a .msg file, told by its first bytes.
pub(crate) fn open(_bytes: &[u8]) -> Option<Layer<'static>> {
    None
}

/// An attached HTML or RTF document.
pub(crate) fn document<'b>(bytes: &'b [u8], marks: &[Mark]) -> Option<Layer<'b>> {
    let text = String::from_utf8_lossy(bytes);
    let place = Place::Direct {
        input: bytes,
        start: 0,
    }
    .within(text.as_bytes(), marks);
    let mime = Cow::Borrowed("text/html");
    let block = Block::new(
        BlockKind::Html,
        mime.clone(),
        None,
        Content::Text(text),
        place,
    );
    Some(Layer {
        wraps: vec![Wrap::Attached],
        blocks: vec![block],
        mime,
        ..Layer::default()
    })
}
