//! Makes the tables of the multi-literal scanner (`src/scan.rs`).

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::emit;

#[path = "../src/scan/print.rs"]
mod print;

/// What notices look like: its windows are no good fingerprints, however rare their letters are.
const TYPICAL: &str = include_str!("../src/data/dialects.toml");

/// How often each window of so many bytes stands in typical text.
fn windows(len: usize) -> HashMap<u32, u32> {
    let mut counts = HashMap::new();
    for window in TYPICAL.as_bytes().windows(len) {
        *counts.entry(fingerprint(window)).or_insert(0) += 1;
    }
    counts
}

fn fingerprint(window: &[u8]) -> u32 {
    window
        .iter()
        .fold(0, |print, &byte| print::push(print, byte))
}

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

/// Rust source of a `static NAME: Literals` that finds these words. Ids are the indexes of
/// `words`; every word has at least three and at most 255 bytes, and stands once.
pub(crate) fn table(name: &str, words: &[String]) -> Result<String, String> {
    let mut bits = vec![0u64; print::BITS / 64];
    let mut entries = Vec::new();
    let len = if words.iter().all(|word| word.len() >= 4) {
        4
    } else {
        3
    };
    let typical = windows(len);
    for (id, word) in words.iter().enumerate() {
        let bytes = word.as_bytes();
        if !(3..=255).contains(&bytes.len()) {
            return Err(format!("literal {word:?}: 3 to 255 bytes are needed"));
        }
        if words.iter().take(id).any(|w| w.eq_ignore_ascii_case(word)) {
            return Err(format!("literal {word:?} stands twice in {name}"));
        }
        let (offset, window) = bytes
            .windows(len)
            .enumerate()
            .min_by_key(|(_, w)| {
                let letters: u32 = w.iter().map(|&b| commonness(b.to_ascii_lowercase())).sum();
                (typical.get(&fingerprint(w)).copied().unwrap_or(0), letters)
            })
            .ok_or("a literal without a window")?;
        let fingerprint = fingerprint(window);
        let hash = print::hash(fingerprint);
        if let Some(word) = bits.get_mut(hash / 64) {
            *word |= 1 << (hash % 64);
        }
        entries.push((print::bucket(hash), fingerprint, id, offset));
    }
    entries.sort_unstable();
    let starts = (0..=print::BUCKETS).map(|b| entries.partition_point(|e| e.0 < b));
    let mut out = format!(
        "pub(crate) static {name}: crate::scan::Literals = crate::scan::Literals {{\nwindow: {len},\nbits: &{},\nstarts: &{},\nentries: &[",
        emit::numbers(&bits),
        emit::numbers(starts),
    );
    for (_, fingerprint, id, offset) in &entries {
        let _ = write!(
            out,
            "crate::scan::Entry{{fingerprint:{fingerprint},literal:{id},offset:{offset}}},"
        );
    }
    let _ = write!(out, "],\nwords: &{} }};\n", emit::strings(words));
    Ok(out)
}

/// A small set for the scanner's own tests: overlaps, prefixes, non-ASCII.
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
    table("SAMPLE", &words.map(String::from))
}
