//! The published JSON shapes of the commands; those of `explain` and `route` are the core's.

pub mod check;
pub mod config;
pub mod dnsbl;
pub mod glossary;
pub mod queue;
pub mod send_test;

#[doc(inline)]
pub use crate::json::{explain, route, write};
