// Fingerprints of the literal scanner: shared by the table maker (`src/core/build/literals.rs`) and the
// scanner, since both must agree to the bit.

/// Bits of the first filter: 8 KiB, which stays in the first-level cache.
pub(crate) const BITS: usize = 1 << 16;

/// Eight bytes at once, folded. Setting bit 5 folds the case of letters and merges a few signs:
/// enough for a filter, and far cheaper than a real fold.
pub(crate) const fn fold(block: [u8; 8]) -> u64 {
    u64::from_le_bytes(block) | 0x2020_2020_2020_2020
}

/// The fingerprint of the window of 3 or 4 bytes that begins at this byte of a folded block.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the window is what is left"
)]
pub(crate) const fn window(block: u64, at: usize, len: u8) -> u32 {
    let print = (block >> (8 * at)) as u32;
    if len == 3 { print & 0x00ff_ffff } else { print }
}

/// A number below [`BITS`]; its first bits are the number of a bucket.
pub(crate) const fn hash(print: u32) -> usize {
    (print.wrapping_mul(0x9E37_79B1) >> 16) as usize
}

/// Eight bytes in lower case, as ASCII has it.
pub(crate) const fn lower(block: [u8; 8]) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    let block = u64::from_le_bytes(block);
    // The highest bit of each byte tells whether its other bits are a letter from A on, beyond Z.
    let low = block & (ONES * 0x7f);
    let from_a = low + ONES * (0x80 - b'A' as u64);
    let beyond_z = low + ONES * (0x7f - b'Z' as u64);
    let upper = (from_a ^ beyond_z) & !block & (ONES * 0x80);
    block | (upper >> 2)
}
