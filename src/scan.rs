//! Finds many literals in one pass over the bytes, without regard to ASCII case.
//!
//! The tables are made by `build/literals.rs`, so nothing is built at start-up. Every literal is
//! known by its rarest windows of three or four bytes: a bit table says for each place whether
//! some literal has such a window, a bucket says which, and a comparison decides. Where the
//! literals are long enough only every second place is looked at; each literal is then known by
//! two windows, one for even and one for odd beginnings.

mod print;

/// A set of literals, ready to be searched for.
#[derive(Debug)]
pub struct Literals {
    /// The bytes of a window: 3 or 4.
    pub(crate) window: u8,
    /// From one window that is looked at to the next: 1 or 2 bytes.
    pub(crate) stride: usize,
    pub(crate) bits: &'static [u64; print::BITS / 64],
    pub(crate) starts: &'static [u16; print::BUCKETS + 1],
    pub(crate) entries: &'static [Entry],
    pub(crate) words: &'static [&'static str],
}

/// One window of a literal in its bucket.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) fingerprint: u32,
    pub(crate) literal: u16,
    /// Where in the literal the window begins; -1: with the byte in front of it.
    pub(crate) offset: i16,
    /// The bytes of the literal.
    pub(crate) len: u8,
    /// Its first and its last byte, folded: most candidates differ there.
    pub(crate) ends: [u8; 2],
}

impl Literals {
    /// Calls `found(id, start)` for every occurrence of every literal, in the order of their
    /// windows; `id` is the index of the literal in its table.
    #[inline]
    pub fn each(&self, text: &[u8], mut found: impl FnMut(usize, usize)) {
        // As many windows as begin in eight bytes and end there; the next block begins where the
        // next window does.
        let last = 8 - usize::from(self.window);
        let mut at = 0;
        let mut rest = text;
        while let Some(block) = rest.first_chunk() {
            let mut offset = 0;
            while offset <= last {
                self.look(text, print::fold(*block), at, offset, &mut found);
                offset += self.stride;
            }
            at += offset;
            rest = rest.get(offset..).unwrap_or_default();
        }
        let mut block = [0; 8];
        for (to, from) in block.iter_mut().zip(rest) {
            *to = *from;
        }
        // What begins beyond the end ends there as well, and no comparison takes it.
        for offset in (0..rest.len()).step_by(self.stride) {
            self.look(text, print::fold(block), at, offset, &mut found);
        }
    }

    #[inline(always)]
    fn look(
        &self,
        text: &[u8],
        block: u64,
        at: usize,
        offset: usize,
        found: &mut impl FnMut(usize, usize),
    ) {
        let fingerprint = print::window(block, offset, self.window);
        let hash = print::hash(fingerprint);
        let bits = self.bits.get(hash / 64).copied().unwrap_or(0);
        if bits >> (hash % 64) & 1 == 1 {
            self.verify(text, at + offset, fingerprint, hash, found);
        }
    }

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
            let Some(start) = at.checked_add_signed(-isize::from(entry.offset)) else {
                continue;
            };
            let end = start + usize::from(entry.len);
            let Some(there @ [first, .., last]) = text.get(start..end) else {
                continue;
            };
            if [first | 0x20, last | 0x20] != entry.ends {
                continue;
            }
            let id = usize::from(entry.literal);
            if let Some(word) = self.words.get(id)
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

/// Equal but for ASCII case; most are written as the literal is.
fn same(there: &[u8], word: &[u8]) -> bool {
    there == word || there.eq_ignore_ascii_case(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    include!(concat!(env!("OUT_DIR"), "/scan_sample.rs"));

    fn naive(set: &super::Literals, text: &[u8]) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        for (id, word) in set.words.iter().enumerate() {
            for start in 0..text.len() {
                let end = start + word.len();
                if end <= text.len() && text[start..end].eq_ignore_ascii_case(word.as_bytes()) {
                    all.push((id, start));
                }
            }
        }
        all
    }

    fn scanned(set: &super::Literals, text: &[u8]) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        set.each(text, |id, start| all.push((id, start)));
        all.sort_unstable();
        all
    }

    #[test]
    fn overlapping_literals_are_all_found() {
        let found = scanned(&SAMPLE, b"USER unKnown");
        assert_eq!(found, [(0, 0), (1, 0), (2, 5), (3, 9)]);
        assert_eq!(SAMPLE.word(3), Some("own"));
    }

    #[test]
    fn literals_at_both_ends_of_the_text_are_found() {
        assert_eq!(scanned(&SAMPLE, "über".as_bytes()), [(5, 0)]);
        assert_eq!(scanned(&SAMPLE, b"a-b=?x"), [(7, 0), (8, 3)]);
        assert_eq!(scanned(&SAMPLE, b""), []);
        assert_eq!(scanned(&SAMPLE, b"us"), []);
    }

    #[test]
    fn literals_at_even_and_odd_places_are_found_where_every_second_one_is_looked_at() {
        assert_eq!((SAMPLE.stride, LONGER.stride), (1, 2));
        for lead in 0..10 {
            let text = format!("{}Users", ".".repeat(lead));
            let found = scanned(&LONGER, text.as_bytes());
            assert_eq!(found, [(0, lead), (2, lead + 1)], "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_scan_finds_what_a_naive_search_finds(
            parts in prop::collection::vec(
                prop_oneof![
                    prop::sample::select(SAMPLE.words).prop_map(|w| w.as_bytes().to_vec()),
                    prop::sample::select(LONGER.words).prop_map(|w| w.to_ascii_uppercase().into_bytes()),
                    prop::collection::vec(any::<u8>(), 0..4),
                ],
                0..20,
            )
        ) {
            let text = parts.concat();
            for set in [&SAMPLE, &LONGER] {
                prop_assert_eq!(scanned(set, &text), naive(set, &text));
            }
        }
    }
}
