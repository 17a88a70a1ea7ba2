//! Any line through `explain --reply`.
#![no_main]

libfuzzer_sys::fuzz_target!(|line: &str| {
    let explanation = mailtrace::bounce::explain_line(line);
    assert!(explanation.recipients.len() <= 1, "one line speaks of one recipient");
});
