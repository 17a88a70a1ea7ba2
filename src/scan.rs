//! Finds many literals in one pass over the bytes, without regard to ASCII case.
//!
//! The tables are made by `build/literals.rs`, so nothing is built at start-up. Every literal is
//! known by its rarest three or four bytes (four when no literal is shorter): a bit table says for each position whether some literal has
//! such a window, a bucket says which, and a comparison decides.

mod print;

/// A set of literals, ready to be searched for.
#[derive(Debug)]
pub struct Literals {
    /// The bytes of a window: 3 or 4.
    pub(crate) window: u8,
    pub(crate) bits: &'static [u64; print::BITS / 64],
    pub(crate) starts: &'static [u16; print::BUCKETS + 1],
    pub(crate) entries: &'static [Entry],
    pub(crate) words: &'static [&'static str],
}

/// One literal in its bucket.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) fingerprint: u32,
    pub(crate) literal: u16,
    /// Where in the literal the window of the fingerprint begins.
    pub(crate) offset: u8,
}

impl Literals {
    /// Calls `found(id, start)` for every occurrence of every literal, in the order of their
    /// windows; `id` is the index of the literal in its table.
    #[inline]
    pub fn each(&self, text: &[u8], mut found: impl FnMut(usize, usize)) {
        let mask = if self.window == 3 {
            0x00ff_ffff
        } else {
            u32::MAX
        };
        let back = usize::from(self.window) - 1;
        let mut last = 0;
        for (at, &byte) in text.iter().enumerate() {
            last = print::push(last, byte);
            let fingerprint = last & mask;
            let hash = print::hash(fingerprint);
            let bits = self.bits.get(hash / 64).copied().unwrap_or(0);
            if bits >> (hash % 64) & 1 == 1 && at >= back {
                self.verify(text, at - back, fingerprint, hash, &mut found);
            }
        }
    }

    #[inline]
    fn verify(
        &self,
        text: &[u8],
        at: usize,
        fingerprint: u32,
        hash: usize,
        found: &mut impl FnMut(usize, usize),
    ) {
        let bucket = print::bucket(hash);
        let (Some(&from), Some(&to)) = (self.starts.get(bucket), self.starts.get(bucket + 1))
        else {
            return;
        };
        for entry in self
            .entries
            .get(usize::from(from)..usize::from(to))
            .unwrap_or_default()
        {
            if entry.fingerprint != fingerprint {
                continue;
            }
            let id = usize::from(entry.literal);
            let start = at.checked_sub(usize::from(entry.offset));
            let word = self.words.get(id);
            if let (Some(start), Some(word)) = (start, word)
                && let Some(there) = text.get(start..start + word.len())
                && same(there, word.as_bytes())
            {
                found(id, start);
            }
        }
    }

    /// The literal with this id.
    pub fn word(&self, id: usize) -> Option<&'static str> {
        self.words.get(id).copied()
    }

    /// How many literals there are.
    pub const fn len(&self) -> usize {
        self.words.len()
    }

    /// True when there is nothing to search for.
    pub const fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

/// Equal but for ASCII case. Most candidates differ at once, so the ends are compared first.
fn same(there: &[u8], word: &[u8]) -> bool {
    let ends = |a: Option<&u8>, b: Option<&u8>| match (a, b) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        _ => false,
    };
    ends(there.first(), word.first())
        && ends(there.last(), word.last())
        && there.eq_ignore_ascii_case(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    include!(concat!(env!("OUT_DIR"), "/scan_sample.rs"));

    fn naive(text: &[u8]) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        for (id, word) in SAMPLE.words.iter().enumerate() {
            for start in 0..text.len() {
                let end = start + word.len();
                if end <= text.len() && text[start..end].eq_ignore_ascii_case(word.as_bytes()) {
                    all.push((id, start));
                }
            }
        }
        all
    }

    fn scanned(text: &[u8]) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        SAMPLE.each(text, |id, start| all.push((id, start)));
        all.sort_unstable();
        all
    }

    #[test]
    fn overlapping_literals_are_all_found() {
        assert_eq!(scanned(b"USER unKnown"), [(0, 0), (1, 0), (2, 5), (3, 9)]);
        assert_eq!(SAMPLE.word(3), Some("own"));
    }

    #[test]
    fn literals_at_both_ends_of_the_text_are_found() {
        assert_eq!(scanned("über".as_bytes()), [(5, 0)]);
        assert_eq!(scanned(b"a-b=?x"), [(7, 0), (8, 3)]);
        assert_eq!(scanned(b""), []);
        assert_eq!(scanned(b"us"), []);
    }

    proptest! {
        #[test]
        fn the_scan_finds_what_a_naive_search_finds(
            parts in prop::collection::vec(
                prop_oneof![
                    prop::sample::select(SAMPLE.words).prop_map(|w| w.as_bytes().to_vec()),
                    prop::sample::select(SAMPLE.words).prop_map(|w| w.to_ascii_uppercase().into_bytes()),
                    prop::collection::vec(any::<u8>(), 0..4),
                ],
                0..20,
            )
        ) {
            let text = parts.concat();
            prop_assert_eq!(scanned(&text), naive(&text));
        }
    }
}
