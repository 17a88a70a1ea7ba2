//! Results for people: one file per command.

pub mod check;
pub mod config;
pub mod dnsbl;
pub mod explain;
pub mod queue;
pub mod route;
pub mod summary;
