//! The published JSON shapes. They are written by hand from the results, so that renaming a field
//! of a struct never changes them, and nothing is built up in between.

pub mod check;
pub mod config;
pub mod dnsbl;
pub mod explain;
pub mod glossary;
pub mod queue;
pub mod route;
pub mod send_test;
pub mod write;
