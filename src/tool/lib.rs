//! What of mailtrace asks servers, is one itself, and shows what it found. The judgements about mail
//! that it shows are those of `mailtrace-core`. The package `mailtrace` is the way in.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice
    )
)]

pub mod app;
pub mod check;
pub mod cli;
pub mod config;
pub mod dns;
pub mod dnsbl;
pub mod exit;
pub mod mta;
pub mod posture;
pub mod report;
pub mod send;
pub mod smtp;

// The rooms of the core have the same names here as outside: `crate::bounce`.
pub use mailtrace_core::{
    bounce, catalogue, explain, explain_line, glossary, hidden, json, message, route, scan, scope,
    severity, suffix, words,
};
