//! What mailtrace knows, and how it judges: bytes of a mail go in, findings come out, nobody is
//! asked. The package `mailtrace` shows all of it again, beside what asks servers.
//!
//! It is a package of its own for two reasons. Who wants explanations of bounces in a program of
//! his own gets them without sockets, TLS and a runtime; and it is built for speed, because each
//! byte of a mailbox goes through it, while the rest of the program is built to be small.
//!
//! ```
//! let log = "status=bounced (host mx.example.net[192.0.2.25] said: 552 5.2.2 Mailbox full)";
//! let line = mailtrace_core::explain_line(log);
//! assert_eq!(line.recipients[0].cause.id(), "over-quota");
//! ```
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice
    )
)]

pub mod bounce;
pub mod catalogue;
pub mod glossary;
pub mod hidden;
pub mod json;
pub mod message;
pub mod route;
pub mod scan;
pub mod scope;
pub mod severity;
pub mod suffix;
pub mod words;

pub use bounce::{explain, explain_line};
pub use route::route;
