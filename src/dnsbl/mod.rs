//! Addresses and names to what the DNS lists say about them.

pub mod catalogue;
mod checker;
mod health;
mod judge;
mod reading;
pub mod scope;
pub mod source;
pub mod subject;
pub mod trust;
pub mod verdict;

pub use checker::{Checker, Manner};
