//! Results for people: one file per command.

pub mod config;
pub mod explain;
pub mod summary;
