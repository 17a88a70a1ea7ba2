// Fingerprints of the literal scanner: shared by the table maker (`build/literals.rs`) and the
// scanner, since both must agree to the bit.

/// Bits of the first filter: 8 KiB, which stays in the first-level cache.
pub(crate) const BITS: usize = 1 << 16;
/// Buckets of the second table.
pub(crate) const BUCKETS: usize = 1 << 12;

/// The last four bytes, one byte further, folded. Setting bit 5 folds the case of letters and
/// merges a few signs: enough for a filter, and far cheaper than a real fold.
pub(crate) const fn push(print: u32, byte: u8) -> u32 {
    (print << 8) | (byte as u32 | 0x20)
}

/// A number below [`BITS`].
pub(crate) const fn hash(print: u32) -> usize {
    (print.wrapping_mul(0x9E37_79B1) >> 16) as usize
}

/// A number below [`BUCKETS`].
pub(crate) const fn bucket(hash: usize) -> usize {
    hash >> 4
}
