//! Octets to lines and texts, by the exact rules of RFC 5321 section 2.3.8: CR LF ends a line and
//! nothing else does. Pure: octets go in, pieces come out, nothing waits for anybody.

pub mod line;
pub mod text;
