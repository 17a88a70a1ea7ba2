//! **mailtrace** is the doctor and the traceroute of e-mail: why a mail came back, which way one
//! came, what the DNS lists say, whether mail can get to a domain. The program of the same name
//! is a thin shell around this library.
//!
//! A mail goes in at the bottom, a finding comes out at the top, nothing turns back: [`message`]
//! turns bytes into layers, [`bounce`] turns a layer into an explanation, [`mod@route`] into a way.
//! Parsing and judging are pure: they take bytes and values, do no input or output, and never
//! panic; they are the package `mailtrace-core`. Whoever has to ask takes the world as a parameter: `&impl` [`Lookup`](dns::Lookup).
//!
//! # Why did it come back?
//!
//! ```
//! use mailtrace::bounce::advice::{Audience, advise};
//!
//! let bounce = b"From: MAILER-DAEMON@mail.example.org\r\nTo: alice@example.org\r\n\
//!     Subject: Undelivered Mail Returned to Sender\r\n\r\n\
//!     <bob@example.net>: host mx.example.net[192.0.2.25] said:\r\n    \
//!     552 5.2.2 Mailbox full (in reply to RCPT TO command)\r\n";
//! let notices = mailtrace::explain(bounce);
//! let bob = &notices[0].recipients[0];
//! assert_eq!(bob.address.as_deref(), Some("bob@example.net"));
//! assert_eq!(bob.cause.id(), "over-quota");
//! assert!(!advise(bob, Audience::User).steps.is_empty());
//! ```
//!
//! # Which way did it come?
//!
//! ```
//! let message = b"Received: from mail.example.org (mail.example.org [192.0.2.25])\r\n\
//!     \tby mx.example.net (Postfix) with ESMTPS id 4XyZ for <bob@example.net>;\r\n\
//!     \tFri, 6 Nov 2026 10:00:05 +0000 (UTC)\r\nFrom: alice@example.org\r\n\r\nHello\r\n";
//! let way = mailtrace::route(message).ok_or("no header in it")?;
//! assert_eq!(way.hops[0].by.best_name(), Some("mx.example.net"));
//! # Ok::<(), &str>(())
//! ```
//!
//! # Is it on a list?
//!
//! With a scripted world here; [`dns::Resolver`] asks a real name server.
//!
//! ```
//! use std::{net::Ipv4Addr, time::Duration};
//! use mailtrace::dns::world::World;
//! use mailtrace::dnsbl::source::Choice;
//! use mailtrace::dnsbl::subject::Subject;
//! use mailtrace::dnsbl::verdict::Status;
//! use mailtrace::dnsbl::{Checker, Manner};
//!
//! let world = World::new()
//!     .addresses("7.113.0.203.bl.example", &["127.0.0.2"])
//!     .addresses("2.0.0.127.bl.example", &["127.0.0.2"]);
//! let choice = Choice { zones: vec!["bl.example".into()], ..Choice::default() };
//! let manner = Manner { wait: Duration::from_secs(5), probe: false, force: true };
//! let checker = Checker::new(&world, choice.sources()?, manner);
//! let subject = Subject::V4(Ipv4Addr::new(203, 0, 113, 7));
//! let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! let finding = runtime.block_on(checker.check(subject, None));
//! assert_eq!(finding.verdicts[0].status, Status::Listed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Can mail get there?
//!
//! ```
//! use mailtrace::check::{Answer, Checker, Options, Target};
//! use mailtrace::dns::world::World;
//!
//! // A domain that says that it takes no mail (RFC 7505).
//! let world = World::from_toml("[[answer]]\nname = 'closed.example'\nmx = ['0 .']\n")?;
//! let mut options = Options::at(chrono::Utc::now());
//! options.fetch_policy = false;
//! let checker = Checker::new(world, options);
//! let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! let checkup = runtime.block_on(checker.check(&Target::parse("bob@closed.example")?));
//! assert_eq!(checkup.answer, Answer::No);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The rooms
//!
//! `docs/` has a page for each; `tests/layers.rs` checks who imports whom. What is not shown here
//! ([`report`] but for its words, the command line, the settings) serves the program and may
//! change without notice.
#[doc(inline)]
pub use mailtrace_core::{
    bounce, explain, explain_line, glossary, message, route, scope, severity,
};
#[doc(hidden)]
pub use mailtrace_core::{catalogue, hidden, json, scan, suffix, words};
#[doc(hidden)]
pub use mailtrace_tool::{app, cli, config, exit};
#[doc(inline)]
pub use mailtrace_tool::{check, dns, dnsbl, mta, posture, report, send, smtp};
