//! The protocol without policy: what can be said in SMTP and LMTP, how the other side answers,
//! and how long to wait for it. The only room that knows rustls.
//!
//! A [`Client`] speaks one command at a time or several in one write, keeps every exchange with
//! its time in a [`Transcript`] (secrets replaced), and never waits without a limit. It does not
//! judge: a refusal is a [`Reply`], a conversation that broke is a [`Failure`]. Certificates are
//! captured as they are and judged afterwards, see [`tls`].

pub mod client;
pub mod command;
pub mod data;
pub mod deadlines;
pub mod extensions;
mod failure;
pub mod foreign;
pub mod host;
pub mod https;
pub mod played;
pub mod reply;
pub mod sasl;
mod stream;
pub mod tls;
pub mod transcript;
mod way;

pub use client::Client;
pub use command::Command;
pub use deadlines::Deadlines;
pub use extensions::Extensions;
pub use failure::{Failure, Stage};
pub use host::Host;
pub use reply::Reply;
pub use transcript::Transcript;
pub use way::{Families, TlsMode};

#[cfg(test)]
mod client_tests;
