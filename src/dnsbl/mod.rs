//! Addresses and names to what the DNS lists say about them.

pub mod catalogue;
