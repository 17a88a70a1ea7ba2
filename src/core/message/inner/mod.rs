//! One step down: the messages and texts inside a layer, whatever they were wrapped in. Lazy: only
//! a mail that is no notice itself is looked into.
//!
//! A candidate too many costs the caller a look; one too few leaves a person without an answer.

pub(crate) mod container;
mod forward;
mod labels;
mod msg;
mod piece;
mod rtf;
mod tnef;

use std::borrow::Cow;

use crate::message::head::{self, Field, Head};
use crate::message::layer::{Block, BlockKind, Content, Layer, Wrap};
use crate::message::open;
use crate::message::place::{self, Mark, Place};

use piece::Piece;

/// Forwards of forwards deeper than this are not followed.
pub const MAX_LEVELS: usize = 20;

/// More layers than this are not looked at in one input: a digest has some hundred at most.
pub const MAX_LAYERS: usize = 500;

/// Attachments larger than this are no forwarded mail that a person sends.
const MAX_ATTACHMENT: usize = 64 << 20;

/// No program indents deeper.
const MAX_INDENT: usize = 16;

impl Layer<'_> {
    /// The layers directly inside this one, in their order.
    pub fn inner(&self) -> Vec<Layer<'_>> {
        let mut all = Vec::new();
        let mut said = false;
        for block in &self.blocks {
            match block.kind {
                BlockKind::Message => all.extend(message(block)),
                BlockKind::Attachment => all.extend(attached(block)),
                BlockKind::Plain => {
                    let layers = text(block);
                    said = said || !layers.is_empty();
                    all.extend(layers);
                }
                // What the plain text gave already is not given twice.
                BlockKind::Html if !(block.alternative && said) => all.extend(text(block)),
                _ => {}
            }
        }
        for layer in &mut all {
            let own = std::mem::take(&mut layer.wraps);
            layer.wraps = self.wraps.iter().copied().chain(own).collect();
        }
        all
    }

    /// The text of block number `block` from byte `offset` on as a layer of its own: for a notice
    /// that somebody pasted below some words without any separator.
    pub fn pasted(&self, block: usize, offset: usize) -> Option<Layer<'static>> {
        let block = self.blocks.get(block)?;
        let text = block.text();
        let piece = Piece::stretch(text, offset, text.len());
        let mut layer = built(piece, &block.text_marks(), Wrap::Pasted);
        layer.wraps = self.wraps.iter().copied().chain(layer.wraps).collect();
        Some(layer)
    }

    /// Visits this layer and, where `visit` says so, the layers inside it, outermost first.
    pub fn walk(&self, visit: &mut dyn FnMut(&Layer<'_>) -> Descend) {
        let mut left = MAX_LAYERS;
        down(self, MAX_LEVELS, &mut left, visit);
    }
}

/// What [`Layer::walk`] does after a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Descend {
    /// Go on with the layers inside.
    Into,
    /// Go on beside it.
    Past,
}

fn down(
    layer: &Layer<'_>,
    levels: usize,
    left: &mut usize,
    visit: &mut dyn FnMut(&Layer<'_>) -> Descend,
) {
    if *left == 0 {
        return;
    }
    *left -= 1;
    if visit(layer) == Descend::Past || levels == 0 {
        return;
    }
    for inner in layer.inner() {
        down(&inner, levels - 1, left, visit);
    }
}

fn message<'b>(block: &'b Block<'_>) -> Option<Layer<'b>> {
    if let Content::Opened(layer) = &block.content {
        let mut layer = Layer::clone(layer);
        layer.wraps = vec![Wrap::Attached];
        return Some(layer);
    }
    let bytes = block.bytes();
    (!bytes.trim_ascii().is_empty()).then(|| opened(bytes, &block.place.marks(bytes)))
}

/// Opens bytes that are a mail.
fn opened<'b>(bytes: &'b [u8], marks: &[Mark]) -> Layer<'b> {
    let mut layer = open::open(bytes).within(marks);
    if layer.wraps.is_empty() || layer.wraps == [Wrap::Pasted] {
        layer.wraps = vec![Wrap::Attached];
    }
    layer
}

/// What an attachment is told by its bytes; type and name are often wrong.
fn attached<'b>(block: &'b Block<'_>) -> Option<Layer<'b>> {
    let media = block.mime.split('/').next().unwrap_or_default();
    if matches!(media, "image" | "audio" | "video" | "font") {
        return None;
    }
    if let Content::Opened(_) = block.content {
        return message(block);
    }
    let bytes = block.bytes();
    if bytes.is_empty() || bytes.len() > MAX_ATTACHMENT {
        return None;
    }
    if let Some(layer) = container::open(bytes) {
        return Some(layer);
    }
    let name = block
        .file_name
        .as_deref()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let is = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    let start = head::skip_lead(bytes);
    let mail = is(&[".eml", ".mht", ".mbox", ".msg", ".txt", ".log", ".text"])
        || open::starts_header(bytes, start);
    if mail && memchr::memchr(0, bytes.get(..bytes.len().min(512))?).is_none() {
        return Some(opened(bytes, &block.place.marks(bytes)));
    }
    if is(&[".htm", ".html", ".rtf"]) {
        return container::document(bytes, &block.place.marks(bytes));
    }
    None
}

/// The layers inside a text.
fn text<'b>(block: &'b Block<'_>) -> Vec<Layer<'b>> {
    let mut all = Vec::new();
    let marks = block.text_marks();
    match block.flowed {
        Some(delsp) => {
            let piece = piece::unflow(block.text(), delsp);
            let marks = place::translate(&piece.pairs, &marks);
            peel(&piece.text, &marks, &mut all);
        }
        None => peel(block.text(), &marks, &mut all),
    }
    // A text file that is a mail was attached, not pasted.
    if let (Some(layer), true) = (all.first_mut(), block.file_name.is_some())
        && layer.wraps == [Wrap::Pasted]
    {
        layer.wraps = vec![Wrap::Attached];
    }
    all
}

fn peel(text: &str, marks: &[Mark], all: &mut Vec<Layer<'static>>) {
    let (mut source, mut forwards) = forward::find(text);
    let indented = piece::indented_header(text)
        .then(|| piece::unindent(text, text.len()))
        .flatten();
    // What stands in a forward is found in the next step, not twice.
    let mut end = source
        .or(forwards.first().map(|f| f.start))
        .unwrap_or(text.len());
    // An indented source of a mail looks like a forward, but has MIME to undo.
    let mail = indented.filter(|piece| {
        let start = piece.pairs.first().map_or(text.len(), |(_, from)| *from);
        let header = open::starts_header(piece.text.as_bytes(), 0);
        // The line of the first label starts before its indentation.
        header && start.saturating_sub(MAX_INDENT) <= end
    });
    if let Some(piece) = &mail {
        end = end.min(piece.pairs.first().map_or(0, |(_, from)| *from));
        source = None;
        forwards.clear();
    }
    if let Some(piece) = piece::unquote(text, end) {
        all.push(built(piece, marks, Wrap::Quoted));
    } else if let Some(piece) = piece::unindent(text, end) {
        all.push(built(piece, marks, Wrap::Pasted));
    }
    if let Some(piece) = mail {
        all.push(built(piece, marks, Wrap::Pasted));
    }
    if let Some(start) = source {
        let piece = Piece::stretch(text, start, text.len());
        all.push(built(piece, marks, Wrap::Pasted));
    }
    for forward in forwards {
        let piece = Piece::stretch(text, forward.body, forward.end);
        let mut layer = built(piece, marks, Wrap::Inline);
        if layer.head.fields.is_empty() {
            layer.head = copied(&forward, marks);
        }
        all.push(layer);
    }
}

/// The layer of a text that was put together: a whole mail when it starts with a real header.
fn built(piece: Piece, marks: &[Mark], wrap: Wrap) -> Layer<'static> {
    let marks = place::translate(&piece.pairs, marks);
    let bytes = piece.text.as_bytes();
    let mut layer = if open::starts_header(bytes, head::skip_lead(bytes)) {
        open::open(bytes).within(&marks).into_owned()
    } else {
        let block = Block::plain(Cow::Owned(piece.text), Place::Marks(marks));
        let mime = Cow::Borrowed("text/plain");
        Layer {
            blocks: vec![block],
            mime,
            ..Layer::default()
        }
    };
    layer.wraps = vec![wrap];
    layer
}

/// The copied header of a forward as a header.
fn copied(forward: &forward::Forward<'_>, marks: &[Mark]) -> Head<'static> {
    let field = |(name, value, start): &(&'static str, &str, usize)| Field {
        name: Cow::Borrowed(*name),
        body: Cow::Owned((*value).to_owned()),
        place: Place::Marks(place::slice(marks, *start, value.len())),
    };
    Head {
        fields: forward.fields.iter().map(field).collect(),
    }
}
