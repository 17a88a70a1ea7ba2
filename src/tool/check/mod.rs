//! Can mail get there? From a domain, a host or an address to a [`Checkup`]: what the DNS says,
//! what every server says, what is wrong and on whose side. Nothing is ever sent: the probe ends
//! at RCPT and takes everything back with RSET.
//!
//! One [`Checker`] serves a whole list of targets: what it learned about a domain or a server is
//! asked once, and however many targets lead there, a server sees one polite client.

mod broken;
mod capabilities;
mod checkup;
mod desk;
mod domain;
mod encryption;
mod greeting;
mod headline;
mod options;
mod ourselves;
mod patience;
mod politeness;
mod recipients;
mod relay;
mod run;
mod sts;
mod target;
mod verdict;
mod words;

pub use checkup::{
    Answer, Checkup, Dns, Exchanger, Outcome, Pins, Probe, Server, Step, Sts, Tls, Verdict,
};
pub use options::Options;
pub use run::Checker;
pub use target::{BadTarget, Kind, Target};

pub use crate::posture::{Finding, Severity};

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
