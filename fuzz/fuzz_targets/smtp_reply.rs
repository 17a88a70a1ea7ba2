//! Any lines a server may send through the reply reader.
#![no_main]

use mailtrace::smtp::reply::Assembler;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut reader = Assembler::default();
    for line in data.split(|b| *b == b'\n') {
        match reader.push(line) {
            Ok(Some(reply)) => assert!((100..1000).contains(&reply.code), "a code has three digits"),
            Ok(None) => {}
            Err(_) => return,
        }
    }
});
