//! Makes the tables of the multi-literal scanner (`src/scan.rs`).

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::emit;

#[path = "../scan/print.rs"]
mod print;

/// What notices look like: its windows are no good fingerprints, however rare their letters are.
pub(crate) const NOTICES: &str = include_str!("../data/dialects.toml");

/// How often each window of so many bytes stands in typical text.
fn windows(typical: &str, len: u8) -> HashMap<u32, u32> {
    let mut counts = HashMap::new();
    for window in typical.as_bytes().windows(len.into()) {
        *counts.entry(fingerprint(window, len)).or_insert(0) += 1;
    }
    counts
}

fn fingerprint(window: &[u8], len: u8) -> u32 {
    let mut block = [0; 8];
    for (to, from) in block.iter_mut().zip(window) {
        *to = *from;
    }
    print::window(print::fold(block), 0, len)
}

/// Words of four bytes stand in a window only with the byte before them where every second place
/// is looked at: one entry for each such byte, so there may be only a few of them.
const FEW: usize = 16;

/// How often a byte is met in any mail, roughly: decides between windows that are not typical.
fn commonness(byte: u8) -> u32 {
    match byte {
        b' ' | b'e' | b't' | b'a' | b'i' | b'n' | b'o' => 9,
        b's' | b'r' | b'd' | b'l' | b'c' | b'u' | b'm' => 7,
        b'p' | b'f' | b'g' | b'h' | b'b' | b'.' | b'-' => 5,
        b'y' | b'v' | b'w' | b'=' | b'0'..=b'9' => 4,
        0x80.. => 4,
        _ => 2,
    }
}

/// A window by which a word is found: hash of it, number of the word, distance of the window from
/// the beginning of the word.
type Entry = (usize, usize, i8);

/// Rust source of a `static NAME: Literals` that finds these words. Ids are the indexes of
/// `words`; every word has at least three and at most 128 bytes, and stands once. `typical` is like
/// the texts that will be searched.
pub(crate) fn table(name: &str, words: &[String], typical: &str) -> Result<String, String> {
    let mut bits = vec![0u64; print::BITS / 64];
    let mut entries: Vec<Entry> = Vec::new();
    let shortest = words.iter().map(String::len).min().unwrap_or(0);
    let short = words.iter().filter(|word| word.len() == 4).count();
    let (len, stride): (u8, usize) = match shortest {
        ..4 => (3, 1),
        _ if short > FEW => (4, 1),
        _ => (4, 2),
    };
    let typical = windows(typical, len);
    for (id, word) in words.iter().enumerate() {
        if !(3..=128).contains(&word.len()) {
            return Err(format!("literal {word:?}: 3 to 128 bytes are needed"));
        }
        if words.iter().take(id).any(|w| w.eq_ignore_ascii_case(word)) {
            return Err(format!("literal {word:?} stands twice in {name}"));
        }
        for parity in 0..stride {
            for (fingerprint, offset) in found_by(word.as_bytes(), parity, stride, len, &typical)? {
                let hash = print::hash(fingerprint);
                if let Some(word) = bits.get_mut(hash / 64) {
                    *word |= 1 << (hash % 64);
                }
                entries.push((hash, id, offset));
            }
        }
    }
    // About one entry in a bucket; more buckets would not stay in the cache.
    let buckets = entries.len().next_power_of_two().clamp(64, 1 << 14);
    let shift = (print::BITS / buckets).trailing_zeros();
    for entry in &mut entries {
        entry.0 >>= shift;
    }
    entries.sort_unstable();
    // Windows of one word that fall into one bucket would find it twice.
    entries.dedup();
    let starts = (0..=buckets).map(|b| entries.partition_point(|e| e.0 < b));
    Ok(format!(
        "pub(crate) static {name}: crate::scan::Literals = crate::scan::Literals {{\n\
         window: {len},\nstride: {stride},\nbits: &{},\nshift: {shift},\nstarts: &{},\n\
         entries: &[{}],\ntext: {:?},\ncount: {} }};\n",
        emit::numbers(&bits),
        emit::numbers(starts),
        rows(words, &entries),
        words.concat(),
        words.len()
    ))
}

/// The windows by which a word is found where every `stride`-th place of a text is looked at, and
/// the word begins so that places of this parity are met: the rarest one, or, for a word that is
/// too short to have any, those with any byte before it.
fn found_by(
    word: &[u8],
    parity: usize,
    stride: usize,
    len: u8,
    typical: &HashMap<u32, u32>,
) -> Result<Vec<(u32, i8)>, String> {
    let best = word
        .windows(len.into())
        .enumerate()
        .skip(parity)
        .step_by(stride)
        .min_by_key(|(_, w)| {
            let letters: u32 = w.iter().map(|&b| commonness(b.to_ascii_lowercase())).sum();
            let seen = typical.get(&fingerprint(w, len)).copied().unwrap_or(0);
            (seen, letters)
        });
    if let Some((offset, window)) = best {
        let offset = i8::try_from(offset).map_err(|e| e.to_string())?;
        return Ok(vec![(fingerprint(window, len), offset)]);
    }
    let mut before: Vec<u8> = (0..=255).map(|byte| byte | 0x20).collect();
    before.sort_unstable();
    before.dedup();
    let window = |byte| [&[byte], word].concat();
    Ok(before
        .into_iter()
        .map(|byte| (fingerprint(&window(byte), len), -1))
        .collect())
}

/// The entries with what is needed to compare: the first bytes of the word, and where all of it is.
fn rows(words: &[String], entries: &[Entry]) -> String {
    let places: Vec<usize> = words
        .iter()
        .scan(0, |next, word| {
            let place = *next;
            *next += word.len();
            Some(place)
        })
        .collect();
    let mut out = String::new();
    for (_, id, offset) in entries {
        let word = words.get(*id).map(String::as_bytes).unwrap_or_default();
        let mut head = [0; 8];
        for (to, from) in head.iter_mut().zip(word) {
            *to = *from;
        }
        let _ = write!(
            out,
            "crate::scan::Entry{{head:{},place:{},literal:{id},offset:{offset},len:{}}},",
            print::lower(head),
            places.get(*id).unwrap_or(&0),
            word.len()
        );
    }
    out
}

/// Small sets for the scanner's own tests: overlaps, prefixes, non-ASCII. The second one has no
/// word of three bytes.
pub(crate) fn sample() -> Result<String, String> {
    let words = [
        "user",
        "user unknown",
        "unknown",
        "own",
        "quota",
        "über",
        "宛先",
        "a-b",
        "=?x",
    ];
    let longer = [
        "user",
        "user unknown",
        "sers",
        "known",
        "über",
        "宛先",
        "=?utf",
    ];
    Ok(table("SAMPLE", &words.map(String::from), NOTICES)?
        + &table("LONGER", &longer.map(String::from), NOTICES)?)
}
