//! What a domain publishes about its mail, and what it is worth: SPF (with a trace), DKIM keys,
//! DMARC, MTA-STS, TLS reports, DANE, BIMI, reverse names. Readers of records are pure; whoever
//! has to ask takes an [`Asker`] over somebody who looks names up.

mod ask;
pub mod bimi;
pub mod dane;
pub mod dkim;
pub mod dmarc;
pub mod finding;
pub mod mta_sts;
pub mod rdns;
pub mod signature;
pub mod spf;
pub mod tags;
pub mod tls_rpt;

pub use ask::Asker;
pub use finding::{Finding, Severity};
