//! Addresses and names to what the DNS lists say about them.
//!
//! A list can say four things: listed, not listed, something good or neutral, or nothing worth
//! trusting. The last is the commonest and the one that other checkers fold into the first two.
//! [`Checker::check`] asks; [`verdict`] is what comes out.

pub mod advice;
#[doc(inline)]
pub use crate::catalogue;
mod checker;
mod health;
mod judge;
mod reading;
pub mod source;
pub mod subject;
pub mod target;
pub mod trust;
pub mod verdict;

pub use checker::{Checker, Manner};
