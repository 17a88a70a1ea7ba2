//! What a server goes by. Plain data: the command line fills it in, and so does whoever starts
//! servers in his own process.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::mailboxes::octets;

/// What one server goes by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name in greetings and trace fields.
    pub host: String,
    /// The name of the software in trace fields.
    pub software: &'static str,
    /// The domains whose mailboxes are here, in lower case.
    pub domains: Vec<String>,
    /// Clients that may send anywhere without logging in.
    pub relay_from: Vec<IpNet>,
    /// Domains that anybody may send to through us (a backup MX).
    pub relay_to: Vec<String>,
    /// Who may log in, with the password.
    pub users: Vec<(String, String)>,
    /// Where certificate and key come from.
    pub tls: TlsSource,
    /// Nothing is taken outside TLS.
    pub require_tls: bool,
    /// Nothing is taken from anybody who has not logged in, on every listener.
    pub require_auth: bool,
    /// Passwords may be sent in clear.
    pub auth_in_clear: bool,
    /// Zones of DNS lists whose entries are refused.
    pub dnsbl: Vec<String>,
    /// How long an unknown client is put off.
    pub greylist: Option<Duration>,
    /// Whether SPF is judged and written into the message.
    pub spf: bool,
    /// Whether the reverse name of a client is looked up for the trace field.
    pub reverse_names: bool,
    /// Who looks at each message before it is queued.
    pub filter: Option<Filter>,
    /// Fields that are put on top of every message: a filter's result, for example.
    pub fields: Vec<String>,
    /// The bounds of everything.
    pub limits: Limits,
}

/// Certificate and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsSource {
    /// No TLS at all.
    Off,
    /// Made when it is first needed.
    OnTheFly,
    /// PEM files.
    Files {
        /// The certificate and those above it.
        certificate: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// The same as octets.
    Pem {
        /// The certificate and those above it.
        certificate: Vec<u8>,
        /// The private key.
        key: Vec<u8>,
    },
}

/// Who looks at messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// A shell command: the message goes to its standard input.
    Command(String),
    /// An SMTP server that takes the message over and hands it back elsewhere.
    Smtp(SocketAddr),
}

/// The part that a listener plays on the way of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Takes mail of its own people, who log in or come from a known network, and completes it.
    Msa,
    /// Takes mail for its domains from anybody.
    Mta,
    /// Takes mail back from a filter, or is one: trusts its network, filters no more.
    Mfa,
    /// Takes mail for mailboxes.
    Mda,
}

/// Where to listen, and as what.
#[derive(Debug, Clone)]
pub struct Listener {
    /// The address; port 0 is chosen by the system.
    pub at: SocketAddr,
    /// The part that is played there.
    pub role: Role,
    /// TLS from the first octet (RFC 8314).
    pub tls_first: bool,
    /// LMTP (RFC 2033) in place of SMTP.
    pub lmtp: bool,
}

impl Listener {
    /// A plain one.
    pub const fn new(at: SocketAddr, role: Role) -> Self {
        Self {
            at,
            role,
            tls_first: false,
            lmtp: false,
        }
    }
}

/// The bounds of everything a client can make us keep, do or wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a command line.
    pub line: usize,
    /// Octets of a message.
    pub message: u64,
    /// Octets of a header section.
    pub header: usize,
    /// Recipients of a message.
    pub recipients: usize,
    /// Commands that are refused before the client is.
    pub errors: usize,
    /// Commands without any mail, such as NOOP.
    pub junk: usize,
    /// Logins that fail.
    pub logins: usize,
    /// Received fields of a message before it is called a loop.
    pub hops: usize,
    /// Connections, those from this machine apart.
    pub connections: usize,
    /// Connections from one address, likewise.
    pub per_address: usize,
    /// Connections from this machine: whoever is here tests us, perhaps with a heavy load.
    pub local: usize,
    /// For the next command line to be complete.
    pub idle: Duration,
    /// For the next octets of a message.
    pub data: Duration,
    /// From the connection, or from the last message that was taken, to the next one.
    pub session: Duration,
    /// For a client to take what we say.
    pub write: Duration,
    /// For a TLS handshake.
    pub handshake: Duration,
    /// Before the answer to a wrong password.
    pub login_pause: Duration,
    /// For a filter.
    pub filter: Duration,
    /// For the dialogues that are open when the server is told to end.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line: 4096,
            message: 25_000_000,
            header: 256 * 1024,
            recipients: 1000,
            errors: 20,
            junk: 100,
            logins: 5,
            hops: 50,
            connections: 100,
            per_address: 50,
            local: 20_000,
            idle: Duration::from_secs(300),
            data: Duration::from_secs(180),
            session: Duration::from_secs(1800),
            write: Duration::from_secs(120),
            handshake: Duration::from_secs(30),
            login_pause: Duration::from_millis(500),
            filter: Duration::from_secs(120),
            grace: Duration::from_secs(3),
        }
    }
}

/// Why a limit cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLimit {
    /// It is not written `NAME=VALUE`.
    #[error("write NAME=VALUE, such as recipients=100")]
    Form,
    /// There is none of this name.
    #[error("there is no limit \"{0}\"; there are {names}", names = Limits::NAMES.join(", "))]
    Name(String),
    /// The value is none.
    #[error("\"{0}\" is no value; write a number, a size (64k, 25M) or a time (500ms, 30s, 5m)")]
    Value(String),
}

impl Limits {
    /// The names that [`Limits::set`] knows.
    pub const NAMES: &'static [&'static str] = &[
        "line",
        "message",
        "header",
        "recipients",
        "errors",
        "junk",
        "logins",
        "hops",
        "connections",
        "per-address",
        "local",
        "idle",
        "data",
        "session",
        "write",
        "handshake",
        "login-pause",
        "filter",
        "grace",
    ];

    /// Sets a limit as it is written on a command line: `recipients=100`, `idle=30s`.
    pub fn set(&mut self, text: &str) -> Result<(), BadLimit> {
        let (name, value) = text.split_once('=').ok_or(BadLimit::Form)?;
        let number = || {
            let number = octets(value).and_then(|n| usize::try_from(n).ok());
            number.ok_or_else(|| BadLimit::Value(value.to_string()))
        };
        let time = || parse_time(value).ok_or_else(|| BadLimit::Value(value.to_string()));
        match name {
            "line" => self.line = number()?.max(512),
            "message" => {
                self.message = octets(value).ok_or_else(|| BadLimit::Value(value.to_string()))?;
            }
            "header" => self.header = number()?,
            "recipients" => self.recipients = number()?,
            "errors" => self.errors = number()?,
            "junk" => self.junk = number()?,
            "logins" => self.logins = number()?,
            "hops" => self.hops = number()?,
            "connections" => self.connections = number()?,
            "per-address" => self.per_address = number()?,
            "local" => self.local = number()?,
            "idle" => self.idle = time()?,
            "data" => self.data = time()?,
            "session" => self.session = time()?,
            "write" => self.write = time()?,
            "handshake" => self.handshake = time()?,
            "login-pause" => self.login_pause = time()?,
            "filter" => self.filter = time()?,
            "grace" => self.grace = time()?,
            _ => return Err(BadLimit::Name(name.to_string())),
        }
        Ok(())
    }
}

/// A time: `500ms`, `30s` or `30`, `5m`, `4h`, `5d`; `None` beyond a hundred years, which is a
/// typing error and, added to now, more than a clock can hold.
pub fn parse_time(text: &str) -> Option<Duration> {
    const LONGEST: f64 = 36_525.0 * 86_400.0;
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..)? {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    let seconds = digits.parse::<f64>().ok()? * unit;
    let seconds = Some(seconds).filter(|seconds| *seconds <= LONGEST)?;
    Duration::try_from_secs_f64(seconds).ok()
}

impl Settings {
    /// A server for these domains that trusts nobody.
    pub fn new(host: &str, domains: &[&str]) -> Self {
        Self {
            host: host.to_string(),
            software: "mailtrace",
            domains: domains.iter().map(|d| d.to_ascii_lowercase()).collect(),
            relay_from: Vec::new(),
            relay_to: Vec::new(),
            users: Vec::new(),
            tls: TlsSource::OnTheFly,
            require_tls: false,
            require_auth: false,
            auth_in_clear: false,
            dnsbl: Vec::new(),
            greylist: None,
            spf: false,
            reverse_names: false,
            filter: None,
            fields: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// Whether this client may send anywhere.
    pub fn trusts(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        self.relay_from.iter().any(|net| net.contains(&client))
    }
}

/// Whether an address is on this machine, as the safe default of a listener must be.
pub fn is_loopback(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() && ip != Ipv4Addr::UNSPECIFIED,
        IpAddr::V6(ip) => ip.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_units() {
        assert_eq!(parse_time("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_time("30"), Some(Duration::from_secs(30)));
        assert_eq!(parse_time("5d"), Some(Duration::from_secs(432_000)));
        assert_eq!(parse_time("5 parsecs"), None);
        assert_eq!(parse_time("-1s"), None);
        assert!(parse_time("36525d").is_some());
        for text in ["99999999999d", "1e300", "inf", "NaN"] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    #[test]
    fn every_limit_can_be_set_by_its_name() {
        for name in Limits::NAMES {
            let mut limits = Limits::default();
            assert_eq!(limits.set(&format!("{name}=999")), Ok(()), "{name}");
            assert_ne!(limits, Limits::default(), "{name}");
        }
        let mut limits = Limits::default();
        assert!(matches!(limits.set("x=1"), Err(BadLimit::Name(_))));
        assert!(matches!(limits.set("idle=x"), Err(BadLimit::Value(_))));
        assert!(matches!(limits.set("idle"), Err(BadLimit::Form)));
    }
}
