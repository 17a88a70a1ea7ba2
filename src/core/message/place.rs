//! Where a decoded text stands in the user's input: evidence must point at a line that the user
//! can look at, however many encodings and quotations lie between.
//!
//! Nothing is computed until somebody asks: most texts are never quoted as evidence.

use std::sync::OnceLock;

use crate::message::decode::{self, Transfer};
use crate::message::lines;

/// Where a decoded text stands in the input.
#[derive(Debug, Clone, Default)]
pub enum Place<'x> {
    /// It is the input from this byte on, line for line (only the charset may be undone).
    Direct {
        /// The whole input.
        input: &'x [u8],
        /// The byte that the text starts with.
        start: usize,
    },
    /// It was decoded from quoted-printable or base64.
    Encoded(Box<Encoded<'x>>),
    /// It was put together from pieces.
    Marks(Vec<Mark>),
    /// It is not known (compressed containers).
    #[default]
    Nowhere,
}

/// From byte `at` of the text on, the text stands in line `line` of the input, until the next
/// mark. Marks are sorted by `at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// A byte of the text.
    pub at: usize,
    /// A line of the input, from 1.
    pub line: u32,
}

/// A transfer-encoded stretch of the input.
#[derive(Debug, Clone)]
pub struct Encoded<'x> {
    input: &'x [u8],
    start: usize,
    end: usize,
    transfer: Transfer,
    marks: OnceLock<Vec<Mark>>,
}

impl<'x> Place<'x> {
    /// The place of a text that was decoded from `input[start..end]`.
    pub(crate) fn encoded(input: &'x [u8], start: usize, end: usize, transfer: Transfer) -> Self {
        if transfer == Transfer::Identity {
            return Place::Direct { input, start };
        }
        let marks = OnceLock::new();
        Place::Encoded(Box::new(Encoded {
            input,
            start,
            end,
            transfer,
            marks,
        }))
    }

    /// The line of the input, from 1, that byte `offset` of `text` stands in.
    pub(crate) fn line_at(&self, text: &[u8], offset: usize) -> Option<u32> {
        match self {
            Place::Direct { input, start } => {
                let end = lines::line_end(input);
                let before = lines::count(end, input.get(..*start)?);
                Some(1 + before + lines::count(end, text.get(..offset)?))
            }
            Place::Encoded(place) => lookup(place.marks(text), offset),
            Place::Marks(marks) => lookup(marks, offset),
            Place::Nowhere => None,
        }
    }

    /// The marks of the whole `text`, at least one for each of its lines.
    pub(crate) fn marks(&self, text: &[u8]) -> Vec<Mark> {
        match self {
            Place::Direct { input, start } => {
                let end = lines::line_end(input);
                let first = 1 + lines::count(end, input.get(..*start).unwrap_or_default());
                let mut marks = vec![Mark { at: 0, line: first }];
                let ends = memchr::memchr_iter(end, text);
                marks.extend(
                    (first + 1..)
                        .zip(ends)
                        .map(|(line, at)| Mark { at: at + 1, line }),
                );
                marks
            }
            Place::Encoded(place) => place.marks(text).to_vec(),
            Place::Marks(marks) => marks.clone(),
            Place::Nowhere => Vec::new(),
        }
    }

    /// Turns a place within a source into a place within the input, when `outer` are the marks
    /// of that source; `text` is what stands at the place.
    pub(crate) fn within(&self, text: &[u8], outer: &[Mark]) -> Place<'static> {
        if outer.is_empty() {
            return Place::Nowhere;
        }
        let pairs: Vec<_> = match self {
            Place::Direct { input, start } => {
                let source = input.get(*start..).unwrap_or_default();
                if source.get(..text.len()) == Some(text) {
                    return Place::Marks(slice(outer, *start, text.len()));
                }
                // The charset was undone: the n-th line of the text is the n-th of the source.
                let end = lines::line_end(input);
                let starts =
                    std::iter::once(0).chain(memchr::memchr_iter(end, source).map(|i| i + 1));
                let texts = std::iter::once(0).chain(memchr::memchr_iter(end, text).map(|i| i + 1));
                texts
                    .zip(starts)
                    .map(|(at, from)| (at, start + from))
                    .collect()
            }
            Place::Encoded(place) => place.pairs(text),
            Place::Marks(_) | Place::Nowhere => return Place::Nowhere,
        };
        Place::Marks(translate(&pairs, outer))
    }
}

/// The line of every byte of a text that stands in the input as it is, counted once.
#[derive(Debug, Clone)]
pub(crate) struct LineTable {
    end: u8,
    /// The line of each [`STEP`]th byte.
    lines: Vec<u32>,
}

/// So many bytes are counted for each answer.
const STEP: usize = 1_024;

impl LineTable {
    pub(crate) fn new(input: &[u8], start: usize, text: &[u8]) -> Self {
        let end = lines::line_end(input);
        let mut line = 1 + lines::count(end, input.get(..start).unwrap_or_default());
        let mut all = vec![line];
        for piece in text.chunks_exact(STEP) {
            line += lines::count(end, piece);
            all.push(line);
        }
        LineTable { end, lines: all }
    }

    pub(crate) fn line_at(&self, text: &[u8], offset: usize) -> Option<u32> {
        let line = self.lines.get(offset / STEP)?;
        let piece = text.get(offset / STEP * STEP..offset)?;
        Some(line + lines::count(self.end, piece))
    }
}

/// Turns pairs of (byte of the text, byte of the source), both rising, into marks of the text.
/// From a pair to the next one text and source run in step.
pub(crate) fn translate(pairs: &[(usize, usize)], outer: &[Mark]) -> Vec<Mark> {
    let Some(first) = outer.first() else {
        return Vec::new();
    };
    let mut marks: Vec<Mark> = Vec::with_capacity(pairs.len());
    let mut push = |at: usize, line: u32| {
        if marks.last().is_none_or(|m| m.line != line) {
            marks.push(Mark { at, line });
        }
    };
    let mut next = 0;
    let mut line = first.line;
    for (n, &(at, from)) in pairs.iter().enumerate() {
        while let Some(mark) = outer.get(next).filter(|m| m.at <= from) {
            line = mark.line;
            next += 1;
        }
        push(at, line);
        // A stretch may be longer than a line of the input: soft line ends were undone in it.
        let (until_at, until) = pairs
            .get(n + 1)
            .copied()
            .unwrap_or((usize::MAX, usize::MAX));
        while let Some(mark) = outer.get(next).filter(|m| m.at < until) {
            let inside = at.saturating_add(mark.at - from);
            if inside >= until_at {
                break;
            }
            line = mark.line;
            push(inside, line);
            next += 1;
        }
    }
    marks
}

/// The marks of the stretch of a text that starts at `start`, counted from there.
pub(crate) fn slice(marks: &[Mark], start: usize, len: usize) -> Vec<Mark> {
    let first = marks.partition_point(|m| m.at <= start).saturating_sub(1);
    let stretch = marks.get(first..).unwrap_or_default();
    stretch
        .iter()
        .take_while(|m| m.at <= start + len)
        .map(|m| Mark {
            at: m.at.saturating_sub(start),
            line: m.line,
        })
        .collect()
}

fn lookup(marks: &[Mark], offset: usize) -> Option<u32> {
    let after = marks.partition_point(|m| m.at <= offset);
    marks.get(after.saturating_sub(1)).map(|m| m.line)
}

impl Encoded<'_> {
    fn marks(&self, text: &[u8]) -> &[Mark] {
        self.marks.get_or_init(|| {
            let end = lines::line_end(self.input);
            let mut line = 1;
            let mut counted = 0;
            let mut marks = Vec::new();
            for (at, from) in self.pairs(text) {
                line += lines::count(end, self.input.get(counted..from).unwrap_or_default());
                counted = from.max(counted);
                marks.push(Mark { at, line });
            }
            marks
        })
    }

    /// Pairs of (byte of the text, byte of the input), one for each line of the input.
    fn pairs(&self, text: &[u8]) -> Vec<(usize, usize)> {
        let raw = self.input.get(self.start..self.end).unwrap_or_default();
        let (bytes, mut pairs) = decode::traced(raw, self.transfer);
        if bytes != text {
            align(&mut pairs, &bytes, text);
        }
        for (_, from) in &mut pairs {
            *from += self.start;
        }
        pairs
    }
}

/// Moves offsets into `bytes` to offsets into `text`, which is `bytes` with the charset undone:
/// lines correspond one to one, and within a line the lengths are in proportion.
fn align(pairs: &mut [(usize, usize)], bytes: &[u8], text: &[u8]) {
    // UTF-16 is the only charset in mail whose bytes are full of NULs.
    let wide = memchr::memchr(0, bytes).is_some();
    let mut source = starts(bytes, wide).into_iter().peekable();
    let mut target = starts(text, false).into_iter().peekable();
    let (mut from, mut to) = (source.next().unwrap_or(0), target.next().unwrap_or(0));
    // A broken text may lose line ends to its charset; the places rise all the same.
    let mut last = 0;
    for (at, _) in pairs {
        while source.peek().is_some_and(|next| next <= at) {
            from = source.next().unwrap_or(from);
            to = target.next().unwrap_or(to);
        }
        let source_len = source
            .peek()
            .unwrap_or(&bytes.len())
            .saturating_sub(from)
            .max(1);
        let target_len = target.peek().unwrap_or(&text.len()).saturating_sub(to);
        // A character stands where its first byte stands, hence the rounding up.
        let within = ((*at - from).min(source_len) * target_len).div_ceil(source_len);
        last = last.max(to + within);
        *at = last;
    }
}

fn starts(bytes: &[u8], wide: bool) -> Vec<usize> {
    let ends = memchr::memchr_iter(b'\n', bytes);
    let mut all = vec![0];
    if wide {
        // LF is 0A 00 in little endian and 00 0A in big endian: the next line starts at the
        // next even byte either way, and 0A in other code units is told by its neighbour.
        let little = bytes.get(1) == Some(&0) || bytes.starts_with(&[0xFF, 0xFE]);
        all.extend(ends.filter_map(|at| {
            let neighbour = if little { at + 1 } else { at.checked_sub(1)? };
            let aligned = (at % 2 == 0) == little;
            (aligned && bytes.get(neighbour) == Some(&0)).then_some((at | 1) + 1)
        }));
    } else {
        all.extend(ends.map(|at| at + 1));
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn places_rise_although_the_charset_ate_the_line_ends() {
        let bytes = b"ab\ncdefgh\nijklmn\nop";
        let text = b"ab\ncdefgh ijklmn op";
        let mut pairs: Vec<_> = (0..bytes.len()).map(|at| (at, at)).collect();
        align(&mut pairs, bytes, text);
        assert!(pairs.is_sorted(), "{pairs:?}");
        assert_eq!(pairs.get(3), Some(&(3, 3)));
    }

    fn octets() -> impl Strategy<Value = Vec<u8>> {
        let octet = prop::sample::select(vec![b'a', b'b', b'\n', 0, 0xC3, 0xFF]);
        proptest::collection::vec(octet, 0..60)
    }

    proptest! {
        #[test]
        fn places_rise_and_stay_within_the_text_whatever_text_and_octets_are(
            bytes in octets(),
            text in octets(),
        ) {
            let mut pairs: Vec<_> = (0..bytes.len()).step_by(3).map(|at| (at, at)).collect();
            align(&mut pairs, &bytes, &text);
            prop_assert!(pairs.is_sorted());
            prop_assert!(pairs.iter().all(|(at, _)| *at <= text.len()));
        }
    }
}
