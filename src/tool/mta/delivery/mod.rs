//! Delivery: into the mailboxes here, and to other servers as RFC 5321 section 5 has it. What
//! each recipient's attempt brought is noted before anything else happens; the sender is told by
//! a notice that is queued before the message goes.

mod approach;
mod boxes;
mod conclude;
mod conversation;
mod desk;
pub(crate) mod exchange;
mod needs;
mod outcome;
mod remote;
mod route;
mod settings;
mod seven_bit;
mod tell;

pub use desk::{Delivery, Log};
pub use settings::{BadRoute, Pattern, Relay, Settings, Tls};

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod office;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
