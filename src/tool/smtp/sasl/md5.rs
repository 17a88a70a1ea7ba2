//! MD5 (RFC 1321) and HMAC (RFC 2104), for CRAM-MD5 only; nothing else may trust them.

use std::fmt::Write;

/// Octets that are worked on at a time.
const BLOCK: usize = 64;
/// The rotations of the four rounds.
const SHIFTS: [[u32; 4]; 4] = [
    [7, 12, 17, 22],
    [5, 9, 14, 20],
    [4, 11, 16, 23],
    [6, 10, 15, 21],
];

/// The MD5 of some octets.
pub(super) fn digest(octets: &[u8]) -> [u8; 16] {
    let mut padded = octets.to_vec();
    padded.push(0x80);
    while padded.len() % BLOCK != BLOCK - 8 {
        padded.push(0);
    }
    let bits = (octets.len() as u64).wrapping_mul(8);
    padded.extend_from_slice(&bits.to_le_bytes());

    let mut state: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded.chunks_exact(BLOCK) {
        mix(&mut state, block);
    }
    let mut out = [0; 16];
    for (to, word) in out.chunks_exact_mut(4).zip(state) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    out
}

fn mix(state: &mut [u32; 4], block: &[u8]) {
    let mut words = [0u32; 16];
    for (word, octets) in words.iter_mut().zip(block.chunks_exact(4)) {
        let octets = <[u8; 4]>::try_from(octets).unwrap_or_default();
        *word = u32::from_le_bytes(octets);
    }
    let [mut a, mut b, mut c, mut d] = *state;
    for (step, round) in (0..64usize).map(|step| (step, step / 16)) {
        let (f, at) = match round {
            0 => ((b & c) | (!b & d), step),
            1 => ((d & b) | (!d & c), 5 * step + 1),
            2 => (b ^ c ^ d, 3 * step + 5),
            _ => (c ^ (b | !d), 7 * step),
        };
        let word = words.get(at % 16).copied().unwrap_or_default();
        let shift = SHIFTS.get(round).and_then(|s| s.get(step % 4));
        let sum = a
            .wrapping_add(f)
            .wrapping_add(constant(step))
            .wrapping_add(word);
        (a, d, c) = (d, c, b);
        b = b.wrapping_add(sum.rotate_left(shift.copied().unwrap_or_default()));
    }
    for (old, new) in state.iter_mut().zip([a, b, c, d]) {
        *old = old.wrapping_add(new);
    }
}

/// The step's constant: the integer part of 2^32 times |sin(step + 1)| (RFC 1321 §3.4).
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the value is between 0 and 2^32, by its definition"
)]
fn constant(step: usize) -> u32 {
    (((step + 1) as f64).sin().abs() * 4_294_967_296.0) as u32
}

/// HMAC-MD5.
pub(super) fn hmac(key: &[u8], message: &[u8]) -> [u8; 16] {
    let hashed = digest(key);
    let key = if key.len() > BLOCK { &hashed[..] } else { key };
    let pad = |with: u8| {
        let mut pad = [with; BLOCK];
        for (octet, key) in pad.iter_mut().zip(key) {
            *octet ^= key;
        }
        pad
    };
    let inner = digest(&[&pad(0x36)[..], message].concat());
    digest(&[&pad(0x5c)[..], &inner].concat())
}

/// Octets as hexadecimal digits in lower case.
pub(super) fn hex(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() * 2);
    for octet in octets {
        let _ = write!(text, "{octet:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_suite_of_rfc_1321_comes_out() {
        for (text, expected) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "57edf4a22be3c955ac49da2e2107b67a",
            ),
        ] {
            assert_eq!(hex(&digest(text.as_bytes())), expected, "{text}");
        }
    }

    #[test]
    fn the_keyed_hash_is_that_of_rfc_2202() {
        assert_eq!(
            hex(&hmac(b"Jefe", b"what do ya want for nothing?")),
            "750c783e6ab0b503eaa86e310a5db738"
        );
        assert_eq!(
            hex(&hmac(
                &[0xaa; 80],
                b"Test Using Larger Than Block-Size Key - Hash Key First"
            )),
            "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"
        );
    }
}
