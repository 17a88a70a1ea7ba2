//! The walk over the parts of a message. mail-parser reads fields, encodings and charsets; the walk
//! is ours, because evidence needs exact bytes, because a truncated original inside a bounce must not
//! swallow the parts after it, and because it must be linear and flat for any input.

use std::borrow::Cow;

use memchr::memmem;

use crate::message::decode::{self, Transfer};
use crate::message::head::{self, Head};
use crate::message::layer::{Block, BlockKind, Content};
use crate::message::lines;
use crate::message::media::{self, Media};
use crate::message::place::Place;

/// Multiparts in multiparts deeper than this are read as text: real mail has up to 8.
const MAX_DEPTH: usize = 32;

/// More parts than this are not looked at: the longest digests have some hundred.
const MAX_PARTS: usize = 2_000;

/// How far into a body without a (fitting) boundary we look for the first line of a part.
const MAX_PREAMBLE: usize = 4_096;

/// An open multipart.
struct Open {
    boundary: Vec<u8>,
    digest: bool,
    /// Where the blocks of a multipart/alternative start.
    alternative: Option<usize>,
}

/// Cuts the body `source[body..]` of a part with the header `media` into blocks.
pub(crate) fn blocks<'x>(source: &'x [u8], body: usize, media: Media<'x>) -> Vec<Block<'x>> {
    let mut walk = Walk {
        source,
        open: Vec::new(),
        blocks: Vec::with_capacity(4),
    };
    walk.run(body, media);
    walk.blocks
}

struct Walk<'x> {
    source: &'x [u8],
    open: Vec<Open>,
    blocks: Vec<Block<'x>>,
}

/// What begins after a delimiter or a header.
enum Begun<'x> {
    /// A leaf with this header.
    Leaf(Media<'x>),
    /// The text before the first or after the last part of a multipart.
    Gap,
}

impl<'x> Walk<'x> {
    fn run(&mut self, body: usize, media: Media<'x>) {
        let mut start = body;
        let mut begun = self.begin(start, media);
        let mut at = start;
        loop {
            let Some((level, line, next, closing)) = self.delimiter(at) else {
                self.end(begun, start, self.source.len());
                return;
            };
            self.end(begun, start, line);
            // A delimiter of an outer multipart closes what was cut off inside.
            self.open.truncate(level + usize::from(!closing));
            if closing || self.blocks.len() >= MAX_PARTS {
                (begun, start, at) = (Begun::Gap, next, next);
                if self.open.is_empty() {
                    return;
                }
                continue;
            }
            let (head, body) = self.part_head(next);
            let digest = self.open.last().is_some_and(|open| open.digest);
            // The part is a message that lacks the header of the part.
            let naked = ["Received", "Return-Path", "Message-ID"]
                .iter()
                .any(|n| head.has(n));
            let body = if naked { next } else { body };
            let mut media = if naked {
                Media::default()
            } else {
                Media::read(&head)
            };
            if media.mime.is_none() && (digest || naked) {
                media.mime = Some(Cow::Borrowed("message/rfc822"));
            }
            begun = self.begin(body, media);
            (start, at) = (body, body);
        }
    }

    /// A part may lack its header, or even the blank line that ends an empty header.
    fn part_head(&self, start: usize) -> (Head<'x>, usize) {
        match lines::raw_line(self.source, start) {
            Some((line, _)) if line.is_empty() || head::name_len(line).is_some() => {
                Head::read(self.source, start)
            }
            _ => (Head::default(), start),
        }
    }

    fn begin(&mut self, body: usize, media: Media<'x>) -> Begun<'x> {
        let mime = media.mime.as_deref().unwrap_or_default();
        let multipart = mime.starts_with("multipart/");
        let top = self.open.is_empty() && self.blocks.is_empty();
        if !multipart && !top || self.open.len() >= MAX_DEPTH {
            return Begun::Leaf(media);
        }
        let stated = media
            .boundary
            .as_deref()
            .filter(|_| multipart)
            .map(str::as_bytes);
        let boundary = match stated {
            Some(boundary) if self.open.len() > 4 || self.has_part(body, boundary) => {
                Some(boundary.to_vec())
            }
            _ => self.guess(body),
        };
        match boundary {
            Some(boundary) if multipart || media.transfer == Transfer::Identity => {
                self.open.push(Open {
                    boundary,
                    digest: mime == "multipart/digest",
                    alternative: (mime == "multipart/alternative").then_some(self.blocks.len()),
                });
                Begun::Gap
            }
            _ => Begun::Leaf(media),
        }
    }

    /// True when a part of this boundary follows. Asked for outer multiparts only: inside, a
    /// missing boundary costs a text, and asking each time would not be linear.
    fn has_part(&self, body: usize, boundary: &[u8]) -> bool {
        let rest = self.source.get(body..).unwrap_or_default();
        let begins = |at: usize| {
            rest.get(at..)
                .is_some_and(|line| line.starts_with(boundary))
        };
        (rest.starts_with(b"--") && begins(2))
            || memmem::find_iter(rest, b"\n--").any(|at| begins(at + 3))
    }

    /// Finds the boundary of a body whose header names none, or a wrong one: a line that begins
    /// with `--`, directly followed by a Content field, before any other text of weight.
    fn guess(&self, body: usize) -> Option<Vec<u8>> {
        let limit = self.source.len().min(body + MAX_PREAMBLE);
        let mut at = body;
        let mut seen = 0;
        while let Some((line, next)) = lines::raw_line(self.source, at).filter(|_| at < limit) {
            if line.len() > 2 && line.starts_with(b"--") {
                let (field, _) = lines::raw_line(self.source, next)?;
                let boundary = line.get(2..)?.trim_ascii_end();
                let content = field.get(..8)?.eq_ignore_ascii_case(b"content-");
                return (content && head::name_len(field).is_some()).then(|| boundary.to_vec());
            }
            // One paragraph is allowed: "This is a multi-part message in MIME format."
            seen += usize::from(!line.trim_ascii().is_empty());
            if seen > 4 {
                return None;
            }
            at = next;
        }
        None
    }

    /// The next delimiter line from `at` on: level of its multipart, start of the line (of the
    /// line end before it, which belongs to it), start of the next line, whether it closes.
    fn delimiter(&self, at: usize) -> Option<(usize, usize, usize, bool)> {
        if self.open.is_empty() {
            return None;
        }
        let rest = self.source.get(at..)?;
        let first = rest.starts_with(b"--").then_some(at);
        let later = memmem::find_iter(rest, b"\n--").map(|i| at + i + 1);
        for line_start in first.into_iter().chain(later) {
            let (line, next) = lines::raw_line(self.source, line_start)?;
            let Some(text) = line.get(2..) else { continue };
            for (level, open) in self.open.iter().enumerate().rev() {
                let Some(tail) = text.strip_prefix(open.boundary.as_slice()) else {
                    continue;
                };
                let closing = tail.starts_with(b"--");
                if closing || tail.trim_ascii().is_empty() {
                    let before = self.source.get(at..line_start).unwrap_or_default();
                    let cut = before.strip_suffix(b"\n").unwrap_or(before);
                    let cut = cut.strip_suffix(b"\r").unwrap_or(cut);
                    return Some((level, at + cut.len(), next, closing));
                }
            }
        }
        None
    }

    fn end(&mut self, begun: Begun<'x>, start: usize, end: usize) {
        if let Begun::Leaf(media) = begun
            && self.blocks.len() < MAX_PARTS
        {
            let mut block = leaf(self.source, start, end.max(start), media);
            let first = self.open.iter().find_map(|open| open.alternative);
            let before = first
                .and_then(|first| self.blocks.get(first..))
                .unwrap_or_default();
            block.alternative = block.kind == BlockKind::Html
                && before
                    .iter()
                    .any(|b| b.kind == BlockKind::Plain && !b.text().trim().is_empty());
            self.blocks.push(block);
        }
    }
}

fn leaf<'x>(source: &'x [u8], start: usize, end: usize, media: Media<'x>) -> Block<'x> {
    let raw = source.get(start..end).unwrap_or_default();
    let mime = media.mime_or("text/plain");
    let mut kind = media::kind(&mime);
    // A multipart without any part in it: show what is there.
    if mime.starts_with("multipart/") {
        kind = BlockKind::Plain;
    }
    let content = match kind {
        BlockKind::Attachment => Content::Encoded(raw, media.transfer),
        BlockKind::Message => Content::Bytes(decode::transfer(raw, media.transfer)),
        _ => Content::Text(decode::charset(
            decode::transfer(raw, media.transfer),
            media.charset.as_deref(),
        )),
    };
    let place = Place::encoded(source, start, end, media.transfer);
    let mut block = Block::new(kind, mime, media.file_name.map(Cow::Owned), content, place);
    block.flowed = media.flowed;
    block
}
