//! A layer: one mail, or one pasted text, without any MIME left in it: header fields and blocks
//! of decoded text, each of which knows where in the user's input it stands.

use std::borrow::Cow;

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
    /// Its body as written: folded, encoded words not yet decoded, without the last line end.
    pub body: Cow<'x, str>,
    /// Where the body stands in the input.
    pub place: Place<'x>,
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
    /// What is in it.
    pub content: Content<'x>,
    /// Where it stands in the input.
    pub place: Place<'x>,
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
}

/// Where a decoded text stands in the input, so that evidence can point at a line of it.
#[derive(Debug, Clone, Default)]
pub enum Place<'x> {
    /// It is the input from this byte on, unchanged.
    Direct {
        /// The whole input.
        input: &'x [u8],
        /// The byte that the text starts with.
        start: usize,
    },
    /// It was decoded. Runs of lines, sorted by `from`: line `from + n` of the text (from 0)
    /// stands in line `to + n * step` of the input (from 1).
    Runs(Vec<Run>),
    /// It is not known (compressed containers).
    #[default]
    Nowhere,
}

/// See [`Place::Runs`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The first line of the text that this run speaks of, from 0.
    pub from: u32,
    /// The line of the input that it stands in, from 1.
    pub to: u32,
    /// 1 when the following lines follow in the input too, 0 when they share the one line.
    pub step: u32,
}
