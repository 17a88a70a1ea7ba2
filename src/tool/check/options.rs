//! What the user may choose.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::smtp::tls::Roots;
use crate::smtp::{Families, Host, TlsMode};

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
