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
pub mod table;
