//! How many `Received` fields one core reads in a second: `cargo bench --bench received [FILE]`,
//! FILE being lines of JSON with a `header`.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement prints"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use mailtrace::route::received;

fn main() {
    let own = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/testdata/received/dialects.jsonl"
    );
    let file = std::env::args().nth(1).filter(|a| !a.starts_with('-'));
    let text = std::fs::read_to_string(file.as_deref().unwrap_or(own)).unwrap();
    let fields: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|item| {
            item.get("header")
                .unwrap()
                .as_str()
                .unwrap()
                .replace(" by ", "\r\n\tby ")
        })
        .collect();
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let clock = Instant::now();
        for _ in 0..50 {
            for field in &fields {
                black_box(received::read(&received::unfold(black_box(field))));
            }
        }
        best = best.min(clock.elapsed());
    }
    let each = best / u32::try_from(fields.len() * 50).unwrap();
    println!(
        "{} ns per field, {} fields per second",
        each.as_nanos(),
        1_000_000_000 / each.as_nanos()
    );
}
