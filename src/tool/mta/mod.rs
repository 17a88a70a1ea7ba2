//! The small built-in MTA: receives, decides, queues durably, delivers, and writes real notices.
//!
//! [`envelope`] is what passes between its parts: a session builds it, the queue stores it, delivery
//! works through it, a notice tells of it.

pub mod address;
pub mod delivery;
pub mod envelope;
pub mod fault;
pub mod filter;
pub mod intake;
pub mod journal;
pub mod mailboxes;
pub mod maildir;
pub mod names;
pub mod notify;
pub mod policy;
pub mod queue;
pub mod retry;
pub mod server;
pub mod session;
pub mod settings;
pub mod site;
pub mod store;
pub mod wire;
