// What the name of a field looks like: shared by the table maker (`src/core/build/dialects.rs`) and the
// reader (`marks.rs`), since both must agree to the bit.

/// How many shapes there are.
pub(crate) const SHAPES: usize = 1 << 10;

/// A number below [`SHAPES`], the same for all writings of a name: tells most fields that no
/// dialect has from those that one may have.
pub(crate) fn shape(name: &str) -> usize {
    let bytes = name.as_bytes();
    let at = |index: usize| bytes.get(index).map_or(0, |b| usize::from(b | 0x20));
    let len = bytes.len();
    let middle = at(len / 2).wrapping_mul(31) ^ at(len.wrapping_sub(1)).wrapping_mul(7);
    (at(0) ^ middle ^ at(2).wrapping_mul(13) ^ len.wrapping_mul(73)) % SHAPES
}
