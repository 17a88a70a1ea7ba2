//! The table of words, as `src/core/build/causes.rs` makes it from `data/causes.toml`: spans of one text, so
//! that the start of the program has no pointers to set.

use crate::bounce::cause::Cause;

use super::{SITUATIONS, Situation, Who};

pub(super) struct Entry {
    pub(super) example: Span,
    pub(super) words: [Words; SITUATIONS],
}

pub(super) struct Words {
    pub(super) title: Span,
    pub(super) who: Who,
    pub(super) side: Span,
    pub(super) user: Speech,
    pub(super) admin: Speech,
}

pub(super) struct Speech {
    pub(super) what: Span,
    /// The place of the first in `STEPS`, and how many there are.
    pub(super) from: u16,
    pub(super) steps: u8,
}

/// A part of `TEXT`.
#[derive(Clone, Copy)]
pub(super) struct Span {
    at: u32,
    len: u16,
}

impl Span {
    pub(super) fn text(self) -> &'static str {
        let at = self.at as usize;
        TEXT.get(at..at + usize::from(self.len)).unwrap_or("")
    }
}

include!(concat!(env!("OUT_DIR"), "/causes.rs"));

/// What there is when the table lacks an entry, which the build rules out.
static NO_WORDS: Words = Words {
    title: Span { at: 0, len: 0 },
    who: Who::Nobody,
    side: Span { at: 0, len: 0 },
    user: Speech {
        what: Span { at: 0, len: 0 },
        from: 0,
        steps: 0,
    },
    admin: Speech {
        what: Span { at: 0, len: 0 },
        from: 0,
        steps: 0,
    },
};

pub(super) fn words(cause: Cause, situation: Situation) -> &'static Words {
    let entry = ENTRIES.get(place(cause));
    entry
        .and_then(|entry| entry.words.get(situation as usize))
        .unwrap_or(&NO_WORDS)
}

/// The typical line of a cause.
pub(super) fn example(cause: Cause) -> &'static str {
    ENTRIES
        .get(place(cause))
        .map_or("", |entry| entry.example.text())
}

/// The steps of a speech.
pub(super) fn steps(speech: &Speech) -> &'static [Span] {
    let from = usize::from(speech.from);
    STEPS
        .get(from..from + usize::from(speech.steps))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_stand_in_json_as_they_are() {
        let plain = |b: u8| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\';
        assert!(TEXT.bytes().all(plain), "report/json writes them unescaped");
    }
}
