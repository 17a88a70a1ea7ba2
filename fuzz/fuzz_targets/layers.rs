//! Any bytes as a mail: every layer in it, every block of text, every field.
//! `cargo +nightly fuzz run layers -- -max_total_time=600 testdata/forwarded`
#![no_main]

use mailtrace::message::inner::Descend;
use mailtrace::message::layer;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut seen = 0usize;
    layer::open(data).walk(&mut |layer| {
        seen += 1;
        for field in &layer.head.fields {
            let _ = field.value();
        }
        for kind in [layer::BlockKind::Plain, layer::BlockKind::Html] {
            for block in layer.blocks_of(kind) {
                assert!(block.text().len() <= data.len().saturating_mul(64) + 4096, "a text is bounded");
            }
        }
        Descend::Into
    });
    assert!(seen < 5000, "layers are bounded: {seen}");
});
