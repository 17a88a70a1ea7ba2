//! TNEF (`winmail.dat`), compressed RTF and Outlook's .msg inside a mail.
//! `cargo +nightly fuzz run container -- -max_total_time=600`
#![no_main]

use mailtrace::message::inner::Descend;
use mailtrace::message::layer;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    // Magic numbers are given, so that the time goes into what is behind them.
    let (kind, magic): (&str, &[u8]) = match choice % 3 {
        0 => ("application/ms-tnef", &[0x78, 0x9f, 0x3e, 0x22]),
        1 => ("application/vnd.ms-outlook", &[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]),
        _ => ("text/rtf", b"{\\rtf1"),
    };
    let mut mail = format!("MIME-Version: 1.0\r\nContent-Type: {kind}\r\n\r\n").into_bytes();
    mail.extend_from_slice(magic);
    mail.extend_from_slice(rest);
    let mut seen = 0usize;
    layer::open(&mail).walk(&mut |_| {
        seen += 1;
        Descend::Into
    });
    assert!(seen < 5000, "layers are bounded: {seen}");
});
