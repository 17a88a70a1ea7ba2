//! Any line as a command of a client, and any octets as the text behind a 354, in any pieces.
//! `cargo +nightly fuzz run smtp_command -- -max_total_time=600`
#![no_main]

use mailtrace::mta::session::command;
use mailtrace::mta::wire::text::{Mend, Text};

/// What comes out of a text that arrives in pieces of this size.
fn read(data: &[u8], piece: usize) -> (Vec<u8>, bool, usize) {
    let (mut out, mut taken) = (Vec::new(), 0);
    let mut text = Text::default();
    for part in data.chunks(piece.max(1)) {
        let progress = text.push(part, &mut |run| out.extend_from_slice(run));
        taken += progress.taken;
        if progress.ended {
            return (out, true, taken);
        }
    }
    (out, false, taken)
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for line in data.split(|b| *b == b'\n') {
        let _ = command::parse(line);
    }
    let whole = read(data, data.len());
    let (out, ended, _) = read(data, 3);
    assert_eq!((&whole.0, whole.1), (&out, ended), "pieces change nothing");
    if whole.1 {
        let used = data.get(..whole.2).unwrap();
        assert!(used.ends_with(b".\r\n"), "only CR LF . CR LF ends a text");
    }
    let mut mended = Vec::new();
    let mut mend = Mend::default();
    mend.push(data, &mut |run| mended.extend_from_slice(run));
    mend.end(&mut |run| mended.extend_from_slice(run));
    for (at, byte) in mended.iter().enumerate() {
        match byte {
            b'\r' => assert_eq!(mended.get(at + 1), Some(&b'\n')),
            b'\n' => assert_eq!(mended.get(at.wrapping_sub(1)), Some(&b'\r')),
            _ => {}
        }
    }
});
