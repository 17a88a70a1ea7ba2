//! Layers to explanations. Facts first, judgement second: a notice reader only takes out what
//! the notice states ([`notice`]), the classifier ([`classify`]) turns it into a cause.
//! A reply line from a log goes through the same classifier: one brain.

pub mod advice;
pub mod cause;
pub mod classify;
pub mod explain;
pub mod explanation;
mod line;
pub mod notice;
pub mod reply;
pub mod summary;

pub use explain::explain;
pub use line::explain_line;
