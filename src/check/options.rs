//! What the user may choose.

use std::sync::OnceLock;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::check::target::Host;
use crate::smtp::tls::{Opinion, Session, Trust};

/// How to treat TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsMode {
    /// STARTTLS when it is offered; from the first byte on port 465.
    #[default]
    Auto,
    /// STARTTLS, or it is a failure; the certificate has to be right.
    Required,
    /// TLS from the first byte.
    Implicit,
    /// No TLS at all.
    None,
}

/// Which families of addresses to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "names of families")]
pub struct Families {
    pub v4: bool,
    pub v6: bool,
}

/// Whom to trust with certificates: a file of the user's, or the roots of the machine, which
/// are read when the first certificate is to be judged.
#[derive(Debug, Default)]
pub struct Roots {
    file: Option<Trust>,
    system: OnceLock<Trust>,
}

impl Roots {
    /// The certificates of a file, and nobody else.
    pub fn of_file(trust: Trust) -> Self {
        Self {
            file: Some(trust),
            system: OnceLock::new(),
        }
    }

    /// Judges what a handshake brought.
    pub fn judge(&self, session: &Session, host: &str, now: DateTime<Utc>) -> Opinion {
        match &self.file {
            Some(trust) => trust.judge(session, host, now),
            None => self
                .system
                .get_or_init(Trust::system)
                .judge(session, host, now),
        }
    }
}

/// What to check, and how.
#[derive(Debug)]
pub struct Options {
    /// The port of mail servers whose port is not given.
    pub port: u16,
    /// How to treat TLS.
    pub tls: TlsMode,
    /// Our name in EHLO; `None` for the address literal of the connection.
    pub helo: Option<String>,
    /// The envelope sender, empty for the null sender; `None` for postmaster at our name.
    pub from: Option<String>,
    /// Ask this server in place of the domain's own.
    pub server: Option<(Host, Option<u16>)>,
    /// Try whether the server relays for strangers.
    pub relay_test: bool,
    /// Try whether the server takes what comes before the handshake for what comes after it.
    pub injection_test: bool,
    /// Ask also for a mailbox that cannot exist.
    pub catch_all: bool,
    /// Ask the DNS only.
    pub dns_only: bool,
    /// Fetch the MTA-STS policy over HTTPS.
    pub fetch_policy: bool,
    /// The port of HTTPS; another one in tests.
    pub https_port: u16,
    /// When greylisted, wait up to this long and ask again.
    pub wait: Option<Duration>,
    /// DKIM selectors to look up.
    pub selectors: Vec<String>,
    /// The families of addresses.
    pub families: Families,
    /// The limit of one conversation, and four times that of one question to the DNS.
    pub timeout: Duration,
    /// How many conversations at a time.
    pub connections: usize,
    /// Whom to trust.
    pub roots: Roots,
    /// The present moment.
    pub now: DateTime<Utc>,
}

impl Options {
    /// The defaults, at this moment.
    pub fn at(now: DateTime<Utc>) -> Self {
        Self {
            port: 25,
            tls: TlsMode::Auto,
            helo: None,
            from: None,
            server: None,
            relay_test: false,
            injection_test: false,
            catch_all: false,
            dns_only: false,
            fetch_policy: true,
            https_port: 443,
            wait: None,
            selectors: Vec::new(),
            families: Families { v4: true, v6: true },
            timeout: Duration::from_secs(30),
            connections: 8,
            roots: Roots::default(),
            now,
        }
    }

    /// The envelope sender to use. Without a name of ours nobody could answer, so it is null.
    pub fn sender(&self) -> String {
        match (&self.from, &self.helo) {
            (Some(from), _) => from.clone(),
            (None, Some(name)) if !name.starts_with('[') => format!("postmaster@{name}"),
            _ => String::new(),
        }
    }
}
