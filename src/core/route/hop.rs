//! A hop: one `Received` field with what the chain says about it.

use std::net::IpAddr;

use crate::message::dates::Stamp;
use crate::route::net::{self, Zone};
use crate::route::received::{self, Received};

/// One leg of the way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hop {
    /// Its number in the order of travel, from 1.
    pub n: usize,
    /// The field body on one line; cut when it is longer than any honest one.
    pub raw: String,
    /// The client, as the server saw it.
    pub from: Client,
    /// The server that wrote the line.
    pub by: Server,
    /// The protocol, as written.
    pub with: Option<String>,
    /// The link.
    pub via: Option<String>,
    /// The queue id.
    pub id: Option<String>,
    /// The recipient.
    pub recipient: Option<String>,
    /// The envelope sender, `<>` for the empty one.
    pub envelope_from: Option<String>,
    /// The client authenticated.
    pub authenticated: bool,
    /// As whom.
    pub user: Option<String>,
    /// By which mechanism.
    pub mech: Option<String>,
    /// What the line says of encryption.
    pub tls: Tls,
    /// When the server stamped the line.
    pub time: Option<Stamp>,
    /// Against the last hop with a time that counts; below zero when the clocks disagree.
    pub delay_s: Option<i64>,
    /// Over how many hops that delay stretches; 1 as a rule.
    pub delay_over: usize,
    /// The delay with wrong clocks set right; none when it cannot be known.
    pub took_s: Option<i64>,
    /// Over how many hops `took_s` stretches.
    pub took_over: usize,
    /// How far this server's clock is off, when both neighbours say so.
    pub clock_off_s: Option<i64>,
    /// What the writing server is on the road.
    pub role: Role,
    /// What the client is.
    pub from_role: Role,
    /// Where the leg runs.
    pub zone: Option<Zone>,
    /// The line belongs to the hop before on the same host (qmail's queue lines).
    pub inner: bool,
    /// Nothing in the field could be read.
    pub unparsed: bool,
    /// The id of the software that writes like this.
    pub dialect: Option<&'static str>,
    /// How far down the header the field stands, for the check of its place.
    pub(crate) position: usize,
}

/// The `from` side; see [`received::Client`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the same fields as received::Client, owned")]
pub struct Client {
    pub name: Option<String>,
    pub helo: Option<String>,
    pub rdns: Option<String>,
    pub ip: Option<IpAddr>,
    pub port: Option<u16>,
    pub ident: Option<String>,
    pub login: Option<String>,
    pub forged_rdns: bool,
    pub impossible_ip: Option<String>,
}

impl Client {
    /// The best name there is: the reverse name, the HELO name, the name of untold kind.
    pub fn best_name(&self) -> Option<&str> {
        // Servers of one machine all have the reverse name localhost; what they call themselves
        // tells them apart.
        let telling = |name: &&str| !net::is_local_name(name);
        let rdns = self.rdns.as_deref();
        let helo = self.helo.as_deref();
        rdns.filter(telling)
            .or(helo.filter(telling))
            .or(rdns)
            .or(helo)
            .or(self.name.as_deref())
    }

    /// All names, whatever they are.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        [&self.helo, &self.rdns, &self.name]
            .into_iter()
            .filter_map(|n| n.as_deref())
    }
}

/// The `by` side; see [`received::Server`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the same fields as received::Server, owned")]
pub struct Server {
    pub host: Option<String>,
    pub ip: Option<IpAddr>,
    pub alias: Option<String>,
    pub software: Option<String>,
}

impl Server {
    /// The real name: the one in the comment when the host is `localhost`.
    pub fn best_name(&self) -> Option<&str> {
        match (self.host.as_deref(), self.alias.as_deref()) {
            (Some(host), Some(alias)) if net::is_local_name(host) => Some(alias),
            (host, alias) => host.or(alias),
        }
    }
}

/// What a line says of encryption.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// The connection was encrypted; false proves nothing.
    pub used: bool,
    /// `TLSv1.3`.
    pub version: Option<&'static str>,
    /// The cipher suite.
    pub cipher: Option<String>,
}

/// Who takes part on the road MUA → MSA → MTA → (MFA) → MDA.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The author's program.
    Mua,
    /// The server that takes mail from authors.
    Msa,
    /// A server that passes mail on.
    #[default]
    Mta,
    /// A filter.
    Mfa,
    /// The server that puts mail into mailboxes.
    Mda,
    /// A mailing list.
    List,
    /// A program that collects mail from a mailbox.
    Fetch,
}

impl Role {
    /// The id used in JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Mua => "mua",
            Self::Msa => "msa",
            Self::Mta => "mta",
            Self::Mfa => "mfa",
            Self::Mda => "mda",
            Self::List => "list",
            Self::Fetch => "fetch",
        }
    }
}

/// RFC 5322 §2.1.1 limits lines to 998 characters; a trace of four such lines is long already.
const MAX_RAW: usize = 4000;
/// No name, id or address is longer.
const MAX_VALUE: usize = 1000;

impl Hop {
    /// Reads the field with this body.
    pub(crate) fn read(n: usize, position: usize, body: &str) -> Self {
        let line = received::unfold(body);
        let r = received::read(&line);
        let mut hop = Self::owned(&r);
        hop.n = n;
        hop.position = position;
        hop.raw = cut(&line, MAX_RAW);
        hop
    }

    fn owned(r: &Received<'_>) -> Self {
        let text = |v: Option<&str>| v.map(|v| cut(v, MAX_VALUE));
        let zone = zone(r);
        Self {
            from: Client {
                name: text(r.from.name),
                helo: text(r.from.helo),
                rdns: text(r.from.rdns),
                ip: r.from.ip,
                port: r.from.port,
                ident: text(r.from.ident),
                login: text(r.from.login),
                forged_rdns: r.from.forged_rdns,
                impossible_ip: text(r.from.impossible_ip),
            },
            by: Server {
                host: text(r.by.host),
                ip: r.by.ip,
                alias: text(r.by.alias),
                software: text(r.by.software),
            },
            with: text(r.with),
            via: text(r.via),
            id: text(r.id),
            recipient: text(r.recipient),
            envelope_from: text(r.envelope_from),
            authenticated: r.auth.authenticated,
            user: text(r.auth.user),
            mech: text(r.auth.mech),
            tls: Tls {
                used: r.tls.used,
                version: r.tls.version,
                cipher: text(r.tls.cipher),
            },
            time: r.time,
            zone,
            unparsed: r.unparsed,
            dialect: r.dialect.map(|d| d.id),
            inner: r.by.host.is_none()
                && r.from.ip.is_none()
                && r.from.name.is_none()
                && !r.unparsed,
            ..Self::default()
        }
    }

    /// The time, when it may be compared with others to the second.
    pub(crate) fn sure_time(&self) -> Option<i64> {
        self.time.filter(Stamp::is_sure).map(|t| t.seconds)
    }

    /// Whether `with` begins with this, without regard to case.
    pub(crate) fn spoke(&self, protocol: &str) -> bool {
        self.with
            .as_deref()
            .is_some_and(|w| received::words::after(w, protocol).is_some())
    }

    /// Whether the software comment has this in it, without regard to case.
    pub(crate) fn runs(&self, product: &str) -> bool {
        self.by
            .software
            .as_deref()
            .is_some_and(|s| received::words::find(s, product).is_some())
    }

    /// Whether `with` names SMTP or its kin, whose lines say when they were encrypted.
    pub fn is_smtp(&self) -> bool {
        self.with.as_deref().is_some_and(|w| {
            received::session::protocol(w).is_some() || received::words::find(w, "smtp").is_some()
        })
    }

    /// Whether the server looked for a reverse name and says what came of it: that shows in the
    /// name, or in the placeholder.
    pub(crate) fn states_rdns(&self) -> bool {
        // These two leave the name out when there is none.
        let leaves_out = matches!(self.dialect, Some("sendmail" | "gmail"));
        leaves_out && self.from.ip.is_some()
            || self.raw.contains("(unknown")
            || self.from.rdns.is_some()
            || received::words::after(&self.raw, "from unknown").is_some()
    }

    /// Handed over on the machine itself, by a program rather than over the network.
    pub(crate) fn is_local_submission(&self) -> bool {
        self.from.login.is_some() && self.from.ip.is_none()
    }
}

/// Where the leg runs: by the client's address, or on the machine itself.
fn zone(r: &Received<'_>) -> Option<Zone> {
    let local = r
        .with
        .is_some_and(|w| received::words::after(w, "local").is_some())
        || r.from.login.is_some()
        // `by host (Postfix) id …` without a client: written by the server's own cleanup.
        || r.from == received::Client::default()
            && r.with.is_none()
            && r.dialect.is_some_and(|d| matches!(d.id, "postfix" | "sendmail"));
    match r.from.ip {
        Some(ip) => Some(net::zone(ip)),
        None if local => Some(Zone::Local),
        None => {
            let mut names = [r.from.helo, r.from.rdns, r.from.name]
                .into_iter()
                .flatten();
            names.any(net::is_local_name).then_some(Zone::Local)
        }
    }
}

/// The text, cut at a character border when it is too long.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most);
    format!("{}…", text.get(..end).unwrap_or_default())
}
