//! The phrases, labels, fields and dialects, as `src/core/build/dialects.rs` makes them from
//! `src/core/data/phrases.toml` and `src/core/data/dialects.toml`.

include!(concat!(env!("OUT_DIR"), "/dialects.rs"));
