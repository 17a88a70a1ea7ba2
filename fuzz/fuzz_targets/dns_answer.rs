//! Any packet as the answer to a question.
//! `cargo +nightly fuzz run dns_answer -- -max_total_time=600`
#![no_main]

use mailtrace::dns::{Kind, Name, Question, answers};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    let kind = [Kind::A, Kind::Txt, Kind::Mx, Kind::Tlsa, Kind::Ptr][usize::from(choice % 5)];
    let question = Question::new(Name::parse("a.test").unwrap(), kind);
    // A header of an answer and the question, so that the time goes into the records.
    let mut packet = vec![0, 1, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0, 1, b'a', 4, b't', b'e', b's', b't', 0];
    packet.extend_from_slice(match kind {
        Kind::Txt => &[0, 16, 0, 1],
        Kind::Mx => &[0, 15, 0, 1],
        Kind::Tlsa => &[0, 52, 0, 1],
        Kind::Ptr => &[0, 12, 0, 1],
        _ => &[0, 1, 0, 1],
    });
    packet.extend_from_slice(rest);
    let _ = answers(&packet, &question);
    let _ = answers(rest, &question);
});
