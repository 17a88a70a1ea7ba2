//! Any bytes through the whole of `explain`: layers, notice readers, classifier.
//! `cargo +nightly fuzz run explain -- -max_total_time=600 testdata/seed testdata/realmta`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let explanations = mailtrace::bounce::explain(data);
    assert!(!explanations.is_empty(), "explain always answers");
});
