//! **mailtrace** is the doctor and the traceroute of e-mail.
//!
//! A mail goes in at the bottom, a finding comes out at the top, nothing turns back: [`message`]
//! turns bytes into layers, [`bounce`] turns a layer into an explanation. Parsing and judging
//! are pure: they take bytes and values, do no input or output, and never panic.
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
pub mod bounce;
pub mod check;
pub mod cli;
pub mod config;
pub mod dns;
pub mod dnsbl;
pub mod exit;
pub mod glossary;
pub mod message;
pub mod mta;
pub mod posture;
pub mod report;
pub mod route;
pub mod scan;
pub mod send;
pub mod severity;
pub mod smtp;
pub mod words;
