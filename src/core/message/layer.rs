//! A layer: one mail, or one pasted text, without any MIME left in it: header fields and blocks
//! of decoded text, each of which knows where in the user's input it stands.

use std::borrow::Cow;
use std::sync::OnceLock;

pub use crate::message::decode::Transfer;
pub use crate::message::head::{Field, Head};
pub use crate::message::open::open;
pub use crate::message::place::{Encoded, Mark, Place};

use crate::message::decode;
use crate::message::html;
use crate::message::lines::{self, Lines};
use crate::message::place::{self, LineTable};

/// One mail or text on the way from the input down to the original message.
#[derive(Debug, Clone, Default)]
pub struct Layer<'x> {
    /// How it was reached from the input, outermost first; empty for the input itself.
    pub wraps: Vec<Wrap>,
    /// The header; of a pasted or inline text only what stood in it (`From:`, `Subject:` …).
    pub head: Head<'x>,
    /// The body parts in their order, containers left out.
    pub blocks: Vec<Block<'x>>,
    /// The whole media type of the header, lower case, such as `multipart/report`.
    pub mime: Cow<'x, str>,
    /// The `report-type` parameter of `multipart/report` (RFC 6522 §3), lower case.
    pub report_type: Option<Cow<'x, str>>,
}

/// One step of wrapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wrap {
    /// Attached as a message (message/rfc822, a digest, an .eml file in any encoding).
    Attached,
    /// Put into the text of a forward, below a separator or a copied header.
    Inline,
    /// In lines that begin with a quotation mark.
    Quoted,
    /// Text without a header of its own.
    Pasted,
    /// In a TNEF container.
    Tnef,
    /// In an Outlook .msg file.
    Msg,
}

/// A part of the body with its transfer encoding and charset undone.
#[derive(Debug, Clone)]
pub struct Block<'x> {
    /// What the part is for.
    pub kind: BlockKind,
    /// Its media type, lower case, such as `text/plain`.
    pub mime: Cow<'x, str>,
    /// The file name, when it has one.
    pub file_name: Option<Cow<'x, str>>,
    /// What is in it; to read it, use [`Block::text`] or [`Block::bytes`].
    pub content: Content<'x>,
    /// Where `content` stands in the input.
    pub place: Place<'x>,
    /// A plain block before it, in the same multipart/alternative, says the same.
    pub alternative: bool,
    pub(crate) flowed: Option<bool>,
    view: OnceLock<View>,
    table: OnceLock<LineTable>,
}

/// What is made of the content when somebody wants to read it.
#[derive(Debug, Clone, Default)]
struct View {
    text: String,
    bytes: Vec<u8>,
    /// Pairs of (byte of the text, byte of the content) for HTML.
    pairs: Vec<(usize, usize)>,
}

/// What a part of the body is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlockKind {
    /// Text to be read by people.
    Plain,
    /// The same in HTML.
    Html,
    /// message/delivery-status (RFC 3464) or message/global-delivery-status (RFC 6533).
    DeliveryStatus,
    /// message/feedback-report (RFC 5965).
    FeedbackReport,
    /// message/disposition-notification (RFC 8098).
    DispositionNotification,
    /// Only the header of a message (text/rfc822-headers, message/global-headers).
    MessageHead,
    /// A whole message (message/rfc822, message/global); `content` is its source.
    Message,
    /// Anything else: images, archives, winmail.dat …
    Attachment,
}

/// The content of a block.
#[derive(Debug, Clone)]
pub enum Content<'x> {
    /// Decoded text; line ends are as they came (LF or CRLF).
    Text(Cow<'x, str>),
    /// Bytes after the transfer encoding.
    Bytes(Cow<'x, [u8]>),
    /// Bytes before it: attachments are decoded only when asked for.
    Encoded(&'x [u8], Transfer),
    /// A message that never was text: embedded in TNEF or in an Outlook .msg file.
    Opened(Box<Layer<'static>>),
}

impl<'x> Block<'x> {
    pub(crate) fn new(
        kind: BlockKind,
        mime: Cow<'x, str>,
        file_name: Option<Cow<'x, str>>,
        content: Content<'x>,
        place: Place<'x>,
    ) -> Self {
        Block {
            kind,
            mime,
            file_name,
            content,
            place,
            alternative: false,
            flowed: None,
            view: OnceLock::new(),
            table: OnceLock::new(),
        }
    }

    /// A block of plain text.
    pub(crate) fn plain(text: Cow<'x, str>, place: Place<'x>) -> Self {
        let mime = Cow::Borrowed("text/plain");
        Block::new(BlockKind::Plain, mime, None, Content::Text(text), place)
    }

    /// The text to read: of an HTML block what a person sees of it; of bytes, as UTF-8 as far as
    /// they are.
    pub fn text(&self) -> &str {
        match &self.content {
            Content::Text(text) if self.kind != BlockKind::Html => text,
            Content::Bytes(Cow::Borrowed(bytes)) if let Ok(text) = std::str::from_utf8(bytes) => {
                text
            }
            _ => &self.view().text,
        }
    }

    /// The content as bytes, transfer encoding undone; of HTML the markup.
    pub fn bytes(&self) -> &[u8] {
        match &self.content {
            Content::Text(text) => text.as_bytes(),
            Content::Bytes(bytes) => bytes,
            Content::Encoded(raw, Transfer::Identity) => raw,
            Content::Encoded(..) => &self.view().bytes,
            Content::Opened(_) => &[],
        }
    }

    /// The lines of [`Block::text`] with their offsets.
    pub fn lines(&self) -> Lines<'_> {
        lines::lines(self.text())
    }

    /// The line of the input, from 1, that byte `offset` of [`Block::text`] stands in; `None`
    /// when it is not known.
    pub fn line_at(&self, offset: usize) -> Option<u32> {
        match &self.content {
            Content::Text(source) if self.kind == BlockKind::Html => {
                let pairs = &self.view().pairs;
                let after = pairs.partition_point(|(at, _)| *at <= offset);
                let &(at, from) = pairs.get(after.saturating_sub(1))?;
                // Within a stretch text and markup run in step.
                let from = (from + offset.saturating_sub(at)).min(source.len());
                self.line_of(from)
            }
            _ => self.line_of(offset),
        }
    }

    /// The line of byte `offset` of the content.
    fn line_of(&self, offset: usize) -> Option<u32> {
        let Place::Direct { input, start } = self.place else {
            return self.place.line_at(self.bytes(), offset);
        };
        // A report on thousands of recipients asks thousands of times.
        let table = self
            .table
            .get_or_init(|| LineTable::new(input, start, self.bytes()));
        table.line_at(self.bytes(), offset)
    }

    /// The marks of [`Block::text`]: at least one for each of its lines.
    pub(crate) fn text_marks(&self) -> Vec<Mark> {
        let marks = self.place.marks(self.bytes());
        match &self.content {
            Content::Text(_) if self.kind == BlockKind::Html => {
                place::translate(&self.view().pairs, &marks)
            }
            _ => marks,
        }
    }

    fn view(&self) -> &View {
        self.view.get_or_init(|| match &self.content {
            Content::Text(source) => {
                let (text, pairs) = html::text(source);
                View {
                    text,
                    pairs,
                    ..View::default()
                }
            }
            Content::Bytes(bytes) => View {
                text: String::from_utf8_lossy(bytes).into_owned(),
                ..View::default()
            },
            Content::Encoded(raw, transfer) => {
                let bytes = decode::transfer(raw, *transfer);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                View {
                    text,
                    bytes: bytes.into_owned(),
                    ..View::default()
                }
            }
            Content::Opened(_) => View::default(),
        })
    }

    fn into_owned(self) -> Block<'static> {
        Block {
            kind: self.kind,
            mime: Cow::Owned(self.mime.into_owned()),
            file_name: self.file_name.map(|name| Cow::Owned(name.into_owned())),
            content: match self.content {
                Content::Text(text) => Content::Text(Cow::Owned(text.into_owned())),
                Content::Bytes(bytes) => Content::Bytes(Cow::Owned(bytes.into_owned())),
                Content::Encoded(raw, transfer) => {
                    Content::Bytes(Cow::Owned(decode::transfer(raw, transfer).into_owned()))
                }
                Content::Opened(layer) => Content::Opened(layer),
            },
            place: Place::Nowhere,
            alternative: self.alternative,
            flowed: self.flowed,
            view: OnceLock::new(),
            table: OnceLock::new(),
        }
    }
}

impl<'x> Layer<'x> {
    /// The first block of this kind.
    pub fn block(&self, kind: BlockKind) -> Option<&Block<'x>> {
        self.blocks.iter().find(|block| block.kind == kind)
    }

    /// All blocks of this kind.
    pub fn blocks_of(&self, kind: BlockKind) -> impl Iterator<Item = &Block<'x>> {
        self.blocks.iter().filter(move |block| block.kind == kind)
    }

    /// Moves the layer from the source it was read from to where that source stands in the
    /// input; `outer` are the marks of the source.
    pub(crate) fn within(mut self, outer: &[Mark]) -> Self {
        for field in &mut self.head.fields {
            field.place = field.place.within(field.body.as_bytes(), outer);
        }
        for block in &mut self.blocks {
            block.place = block.place.within(block.bytes(), outer);
        }
        self
    }

    /// A copy that borrows nothing. Places are kept only when they are marks.
    pub(crate) fn into_owned(self) -> Layer<'static> {
        let place = |place: Place<'_>| match place {
            Place::Marks(marks) => Place::Marks(marks),
            _ => Place::Nowhere,
        };
        let fields = self.head.fields.into_iter().map(|field| Field {
            name: Cow::Owned(field.name.into_owned()),
            body: Cow::Owned(field.body.into_owned()),
            place: place(field.place),
        });
        let blocks = self.blocks.into_iter().map(|mut block| {
            let place = place(std::mem::take(&mut block.place));
            Block {
                place,
                ..block.into_owned()
            }
        });
        Layer {
            wraps: self.wraps,
            head: Head {
                fields: fields.collect(),
            },
            blocks: blocks.collect(),
            mime: Cow::Owned(self.mime.into_owned()),
            report_type: self.report_type.map(|t| Cow::Owned(t.into_owned())),
        }
    }
}
