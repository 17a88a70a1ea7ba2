//! What a check answers: one plain value for JSON, human output and the library's users.

use std::net::IpAddr;
use std::time::Duration;

use crate::bounce::classify::Judgement;
use crate::dns::{Failure as DnsFailure, Name};
use crate::posture::{Finding, Severity, dane, dkim, dmarc, mta_sts, spf, tls_rpt};
use crate::smtp::tls::{Opinion, Session};
use crate::smtp::{self, Reply, transcript::Exchange};

/// Everything about one target.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkup {
    /// As the user wrote it.
    pub target: String,
    /// `domain`, `host` or `address`.
    pub kind: &'static str,
    /// The answer in one sentence.
    pub headline: String,
    /// What the DNS says; `None` for a host.
    pub dns: Option<Dns>,
    /// Every server that was asked, by preference.
    pub servers: Vec<Server>,
    /// What is worth telling, the worst first.
    pub findings: Vec<Finding>,
    /// All in one word.
    pub verdict: Verdict,
    /// Can mail get there?
    pub answer: Answer,
    /// How long it took.
    pub took: Duration,
}

/// All in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of the contract")]
pub enum Verdict {
    Ok,
    Warnings,
    Problems,
    Unreachable,
}

impl Verdict {
    /// The id used in JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warnings => "warnings",
            Self::Problems => "problems",
            Self::Unreachable => "unreachable",
        }
    }
}

/// Can mail get there?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It can.
    Yes,
    /// It cannot, or something is broken.
    No,
    /// That could not be found out.
    Unknown,
}

/// What the DNS says about a domain.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dns {
    /// The domain.
    pub domain: String,
    /// The alias (CNAME) it is, when it is one.
    pub alias: Option<String>,
    /// The mail servers, by preference.
    pub mx: Vec<Exchanger>,
    /// The domain says that it takes no mail (RFC 7505).
    pub null_mx: bool,
    /// There is no MX, the domain itself is the mail server.
    pub implicit_mx: bool,
    /// DNSSEC vouches for the mail servers.
    pub authentic: bool,
    /// Why there are no mail servers.
    pub failure: Option<DnsFailure>,
    /// SPF.
    pub spf: Option<spf::Verdict>,
    /// DMARC.
    pub dmarc: Option<dmarc::Found>,
    /// The DKIM keys that were asked for.
    pub dkim: Vec<dkim::Key>,
    /// MTA-STS.
    pub mta_sts: Option<Sts>,
    /// TLS reports.
    pub tls_rpt: Option<tls_rpt::Record>,
    /// The BIMI record.
    pub bimi: Option<String>,
    /// The pinned certificates.
    pub tlsa: Vec<Pins>,
}

/// One mail server of a domain.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchanger {
    /// Its preference.
    pub preference: u16,
    /// Its name.
    pub host: Name,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// The name it is an alias of.
    pub alias: Option<String>,
    /// DNSSEC vouches for the addresses.
    pub authentic: bool,
    /// Why there are no addresses.
    pub failure: Option<DnsFailure>,
}

/// The TLSA records of one server.
#[derive(Debug, Clone, PartialEq)]
pub struct Pins {
    /// The server.
    pub host: String,
    /// The name they stand at.
    pub name: String,
    /// The records.
    pub pins: Vec<dane::Pin>,
    /// DNSSEC vouches for them and for the way to them.
    pub authentic: bool,
    /// Why nothing is known.
    pub failure: Option<DnsFailure>,
}

/// MTA-STS of a domain.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sts {
    /// The record.
    pub record: mta_sts::Record,
    /// The policy.
    pub policy: Option<mta_sts::Policy>,
    /// The media type of the policy, when it is not the one it has to have.
    pub odd_type: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
}

/// One server, as it showed itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// The preference of its MX record.
    pub preference: Option<u16>,
    /// Its name, or its address when that is all there is.
    pub host: String,
    /// The address.
    pub ip: IpAddr,
    /// The port.
    pub port: u16,
    /// Our own address in the conversation.
    pub local: Option<IpAddr>,
    /// Whether the connection came about.
    pub reachable: bool,
    /// The greeting.
    pub banner: Option<Reply>,
    /// The name it gives itself in EHLO.
    pub name: Option<String>,
    /// It knows HELO only.
    pub no_ehlo: bool,
    /// Its reverse name.
    pub rdns: Option<String>,
    /// Whether the reverse name leads back.
    pub fcrdns: Option<bool>,
    /// What it announces, after TLS when there is TLS.
    pub capabilities: Vec<String>,
    /// Encryption.
    pub tls: Tls,
    /// The recipient that was asked about.
    pub recipient: Option<Probe>,
    /// The conversation.
    pub steps: Vec<Step>,
    /// How it broke.
    pub failure: Option<smtp::Failure>,
    /// The refusal of the server as a whole, before any recipient.
    pub refusal: Option<(Reply, Judgement)>,
    /// What was found about it, apart from the recipient.
    pub findings: Vec<Finding>,
}

/// Encryption with one server.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tls {
    /// STARTTLS is announced, or TLS is spoken from the first byte.
    pub offered: bool,
    /// TLS comes first.
    pub implicit: bool,
    /// The session.
    pub session: Option<Session>,
    /// What the certificate is worth.
    pub opinion: Option<Opinion>,
    /// The version of a server that only has older ones.
    pub old_version: Option<&'static str>,
    /// What DANE says.
    pub dane: Option<dane::State>,
    /// Words came in clear between the answer to STARTTLS and the handshake.
    pub injected: bool,
    /// Why there is none.
    pub error: Option<String>,
}

/// What a server says about a recipient.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// The address.
    pub address: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The reply that decided.
    pub reply: Option<Reply>,
    /// What a refusal means.
    pub judgement: Option<Judgement>,
    /// The refusal was of the sender: it came at MAIL.
    pub at_mail: bool,
    /// Whether the server also takes a mailbox that cannot exist; `None` when not asked or not
    /// told.
    pub catch_all: Option<bool>,
    /// After how long a greylisting server took it.
    pub waited: Option<Duration>,
}

/// What came of asking for a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the words of the contract")]
pub enum Outcome {
    Accepted,
    Rejected,
    Deferred,
    Unknown,
}

impl Outcome {
    /// The id used in JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Deferred => "deferred",
            Self::Unknown => "unknown",
        }
    }
}

/// One step of a conversation.
pub type Step = Exchange;

impl Checkup {
    /// The worst severity of the findings.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|f| f.severity).max()
    }
}
