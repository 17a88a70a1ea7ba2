//! The phrases, labels, fields and dialects, as `build/dialects.rs` makes them from
//! `src/data/phrases.toml` and `src/data/dialects.toml`.

include!(concat!(env!("OUT_DIR"), "/dialects.rs"));
