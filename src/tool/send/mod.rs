//! Test messages: composed with a token, handed over with every word kept, waited for, and judged
//! by what arrives or comes back.

pub mod arrival;
pub mod chain;
pub mod compose;
pub mod dispatch;
pub mod filtered;
pub mod hand_over;
pub mod imap;
pub mod round;
pub mod scenario;
pub mod series;
pub mod sight;
pub mod token;
pub mod wait;

pub use round::{Outcome, Round, Status};
pub use token::Token;
