//! Finds many literals in one pass over the bytes, without regard to ASCII case.
//!
//! The tables are made by `src/core/build/literals.rs`, so nothing is built at start-up. Every literal is
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
    /// How many bits of a hash are not in the number of its bucket.
    pub(crate) shift: u8,
    /// Where the entries of each bucket begin.
    pub(crate) starts: &'static [u16],
    pub(crate) entries: &'static [Entry],
    /// All literals, one behind the other.
    pub(crate) text: &'static str,
    /// How many there are.
    pub(crate) count: usize,
}

/// One window of a literal in its bucket.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The first eight bytes of the literal, in lower case: most candidates differ there, and of a
    /// short literal nothing else is looked at.
    pub(crate) head: u64,
    /// Where the literal stands in the text of all literals.
    pub(crate) place: u32,
    pub(crate) literal: u16,
    /// Where in the literal the window begins; -1: with the byte in front of it.
    pub(crate) offset: i8,
    /// The bytes of the literal.
    pub(crate) len: u8,
}

impl Literals {
    /// Calls `found(id, start, end)` for every occurrence of every literal, in the order of their
    /// windows; `id` is the index of the literal in its table.
    #[inline]
    pub fn each(&self, text: &[u8], mut found: impl FnMut(usize, usize, usize)) {
        // As many windows as begin in eight bytes and end there; the next block begins where the
        // next window does.
        let last = 8 - usize::from(self.window);
        let mut at = 0;
        let mut rest = text;
        while let Some(block) = rest.first_chunk() {
            // One decision for all windows of a block: few blocks have a window that is known.
            let block = print::fold(*block);
            let mut known = 0;
            let mut offset = 0;
            while offset <= last {
                known |= self.knows(block, offset) << offset;
                offset += self.stride;
            }
            while known != 0 {
                let offset = known.trailing_zeros() as usize;
                known &= known - 1;
                self.verify(text, block, at, offset, &mut found);
            }
            at += offset;
            rest = rest.get(offset..).unwrap_or_default();
        }
        let block = first_eight(rest);
        // What begins beyond the end ends there as well, and no comparison takes it.
        for offset in (0..rest.len()).step_by(self.stride) {
            let block = print::fold(block);
            if self.knows(block, offset) == 1 {
                self.verify(text, block, at, offset, &mut found);
            }
        }
    }

    /// 1 when the window at this offset of a folded block may be one of a literal, else 0.
    #[inline(always)]
    fn knows(&self, block: u64, offset: usize) -> u64 {
        let hash = print::hash(print::window(block, offset, self.window));
        self.bits.get(hash / 64).copied().unwrap_or(0) >> (hash % 64) & 1
    }

    fn verify(
        &self,
        text: &[u8],
        block: u64,
        at: usize,
        offset: usize,
        found: &mut impl FnMut(usize, usize, usize),
    ) {
        let hash = print::hash(print::window(block, offset, self.window));
        let bucket = hash >> self.shift;
        let (Some(&from), Some(&to)) = (self.starts.get(bucket), self.starts.get(bucket + 1))
        else {
            return;
        };
        for entry in self
            .entries
            .get(usize::from(from)..usize::from(to))
            .unwrap_or_default()
        {
            let Some(start) = (at + offset).checked_add_signed(-isize::from(entry.offset)) else {
                continue;
            };
            let len = usize::from(entry.len);
            let Some(there) = text.get(start..).filter(|rest| rest.len() >= len) else {
                continue;
            };
            if (print::lower(first_eight(there)) ^ entry.head) & mask(len) != 0 {
                continue;
            }
            if len <= 8 || self.is_whole(entry, there) {
                found(usize::from(entry.literal), start, start + len);
            }
        }
    }

    /// True when a literal of more than eight bytes stands where its first eight do.
    fn is_whole(&self, entry: &Entry, there: &[u8]) -> bool {
        let place = entry.place as usize;
        let word = self
            .text
            .as_bytes()
            .get(place..place + usize::from(entry.len));
        let pair = word.zip(there.get(..usize::from(entry.len)));
        pair.is_some_and(|(word, there)| {
            let same =
                |(word, there): (&[u8; 8], &[u8; 8])| print::lower(*word) == print::lower(*there);
            // The last eight bytes may overlap what is compared already.
            let ends = word.last_chunk().zip(there.last_chunk());
            let (words, _) = word.as_chunks();
            let (theres, _) = there.as_chunks();
            ends.is_some_and(same) && words.iter().zip(theres).skip(1).all(same)
        })
    }

    /// How many literals there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// True when there is nothing to search for.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// The first eight bytes; a shorter text is filled up with zeros.
fn first_eight(text: &[u8]) -> [u8; 8] {
    text.first_chunk().copied().unwrap_or_else(|| {
        let mut block = [0; 8];
        for (to, from) in block.iter_mut().zip(text) {
            *to = *from;
        }
        block
    })
}

/// The bits of the first bytes of a block, at most all eight.
const fn mask(bytes: usize) -> u64 {
    if bytes < 8 {
        (1 << (8 * bytes)) - 1
    } else {
        u64::MAX
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    include!(concat!(env!("OUT_DIR"), "/scan_sample.rs"));

    /// The literals of a set, by id.
    fn words(set: &super::Literals) -> Vec<&'static str> {
        let mut words = vec![""; set.len()];
        for entry in set.entries {
            let place = entry.place as usize;
            words[usize::from(entry.literal)] = &set.text[place..place + usize::from(entry.len)];
        }
        words
    }

    fn naive(set: &super::Literals, text: &[u8]) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        for (id, word) in words(set).iter().enumerate() {
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
        set.each(text, |id, start, end| {
            assert!(text[start..end].eq_ignore_ascii_case(words(set)[id].as_bytes()));
            all.push((id, start));
        });
        all.sort_unstable();
        all
    }

    #[test]
    fn overlapping_literals_are_all_found() {
        let found = scanned(&SAMPLE, b"USER unKnown");
        assert_eq!(found, [(0, 0), (1, 0), (2, 5), (3, 9)]);
        assert_eq!(words(&SAMPLE)[3], "own");
    }

    #[test]
    fn literals_at_both_ends_of_the_text_are_found() {
        assert_eq!(scanned(&SAMPLE, "über".as_bytes()), [(5, 0)]);
        assert_eq!(scanned(&SAMPLE, b"a-b=?x"), [(7, 0), (8, 3)]);
        assert_eq!(scanned(&SAMPLE, b""), []);
        assert_eq!(scanned(&SAMPLE, b"us"), []);
    }

    #[test]
    fn a_word_of_four_bytes_is_found_once_whatever_stands_before_it() {
        for before in 0..=u8::MAX {
            let text = [b"xyz", &[before][..], b"sers"].concat();
            assert_eq!(
                scanned(&LONGER, &text),
                naive(&LONGER, &text),
                "{before:#x}"
            );
        }
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
                    prop::sample::select(words(&SAMPLE)).prop_map(|w| w.as_bytes().to_vec()),
                    prop::sample::select(words(&LONGER)).prop_map(|w| w.to_ascii_uppercase().into_bytes()),
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
