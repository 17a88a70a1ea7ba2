//! Any file of settings.
//! `cargo +nightly fuzz run config -- -max_total_time=600`
#![no_main]

use mailtrace::config::Settings;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let path = std::path::PathBuf::from(format!("/dev/shm/mailtrace-fuzz-{}", std::process::id()));
    if std::fs::write(&path, data).is_err() {
        return;
    }
    match Settings::load(Some(&path), &[], |_| None) {
        Ok(settings) => drop(settings.effective()),
        Err(error) => assert!(!error.to_string().is_empty(), "an error is a sentence"),
    }
});
