//! The published JSON shapes of `explain` and `route`. They are written by hand from the results, so
//! that renaming a field of a struct never changes them, and nothing is built up in between.

pub mod explain;
pub mod route;
pub mod write;
