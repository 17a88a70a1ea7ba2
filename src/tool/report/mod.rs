//! Results to text: [`human`] for people, [`json`] for scripts. Nothing here looks anything up.

mod host;
pub mod html;
pub mod human;
pub mod json;
pub mod nagios;
pub mod page;
pub mod painter;
pub mod prometheus;
pub mod safe;
#[cfg(test)]
#[path = "../../core/bounce/explanation/samples.rs"]
mod samples;
pub mod table;
