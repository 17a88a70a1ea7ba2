//! Names to answers: the only room that knows the DNS and hickory.
//!
//! Everything that asks takes `&impl Lookup`: the real [`Resolver`] or a scripted [`world`].
//! A name server's answers are kept apart ([`Failure`]): "no such name" is an answer, "refused"
//! and "no answer" are none, and whoever judges must not fold them together.
//!
//! The wire format is hickory's. Carrying the packets is ours, because a checker needs what a
//! general resolver hides: a closed port told from silence, one hard limit per question, many
//! questions over few sockets, and no trust store just to ask a name.

mod answer;
mod client;
mod link;
mod name;
mod pulse;
pub mod servers;
mod wire;
pub mod world;

use std::future::Future;

pub use answer::{Answer, Data, Failure, Kind, Question, Reply};
pub use client::{Resolver, WINDOW};
pub use name::{BadName, Name};
pub use pulse::{Patience, Pulse};

/// Somebody who answers questions about names.
pub trait Lookup: Sync {
    /// Asks one question and waits for the answer no longer than `patience` says.
    fn lookup(&self, question: Question, patience: Patience) -> impl Future<Output = Reply> + Send;
}

/// Whether a packet answers a question: the reader of packets, for the fuzzer and the benchmark.
#[doc(hidden)]
pub fn answers(packet: &[u8], question: &Question) -> bool {
    wire::decode(packet, question).is_some()
}
