//! Any header through the route room: reader of the trace fields, chain, findings.
//! `cargo +nightly fuzz run route -- -max_total_time=600 testdata/seed`
#![no_main]

use mailtrace::message::layer::Head;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let route = mailtrace::route::of(&Head::parse(data), &[]);
    assert!(route.hops.len() <= 1000, "a route is bounded");
});
