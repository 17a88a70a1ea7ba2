//! Where a rule of the public suffix list is looked for. The build script puts the rules there, so
//! this file belongs to both.

/// So many that a bucket holds two or three of the ten thousand rules.
pub(super) const COUNT: u32 = 4096;

/// The bucket of a name, in whatever case (FNV-1a).
pub(super) fn of(name: impl Iterator<Item = u8>) -> u32 {
    let hash = name.fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    });
    // The high bits are the better mixed ones.
    hash >> (u32::BITS - COUNT.trailing_zeros())
}
