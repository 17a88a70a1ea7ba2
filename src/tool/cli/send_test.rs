//! The flags of `send-test`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueHint};

use crate::mta::address::Address;
use crate::mta::mailboxes::octets;
use crate::smtp::sasl::Mechanism;
use crate::smtp::{Host, TlsMode};

/// Send a test message and see what really happens
///
/// Without arguments it plays the whole road on this machine: a mail program hands a message to an
/// MSA, that one to an MTA, to an MFA (filter), to an MDA (mailbox), each a mail server of its own
/// on loopback. Needs no network and no rights, and leaves nothing behind.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mailtrace send-test                      the road of a mail, in a second
  mailtrace send-test --scenario over-quota
  mailtrace send-test --scenario all       does mailtrace explain everything rightly?
  mailtrace send-test --gtube --keep /tmp/road
  mailtrace send-test mx.example.net       how far does the server let us come?
  mailtrace send-test --to bob@example.net --from me@example.org
  mailtrace send-test smtp.example.org --auth-user me --to bob@example.net --wait-imap imaps://me@imap.example.org

Exit codes:
  0  accepted; with --wait: arrived
  1  refused, or it bounced; with --scenario all: an explanation is wrong
  2  wrong use, or a file could not be read
  3  not reachable, put off, or nothing came in time")]
pub struct SendTest {
    /// Hand the message to this server, or to the one behind this socket (a path with a slash);
    /// without --to only try how far it lets us come
    #[arg(value_name = "SERVER[:PORT]", value_parser = place, conflicts_with = "scenario")]
    pub server: Option<Place>,
    /// Send it to this address (repeatable); without SERVER to the mail servers of its domain
    #[arg(long, value_name = "ADDRESS", value_parser = address, conflicts_with = "scenario")]
    pub to: Vec<String>,
    /// How it is sent
    #[command(flatten)]
    pub manner: Manner,
    /// Where it is waited for
    #[command(flatten)]
    pub waiting: Waiting,
    /// Send so many messages and show the rate and how the times are spread
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = super::number::<u32>(1, 1_000_000))]
    pub count: Option<u32>,
    /// Let something go wrong on that road and explain what comes back; `list` shows what can,
    /// `all` plays everything and checks every explanation
    #[arg(long, value_name = "NAME|list|all")]
    pub scenario: Option<String>,
    /// What the message says
    #[command(flatten)]
    pub content: Content,
    /// Keep messages, queues and logs of the run in this new folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with_all = ["server", "to"])]
    pub keep: Option<PathBuf>,
}

/// Where the message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// To this server.
    Server(Host, Option<u16>),
    /// To the server behind this socket.
    Socket(PathBuf),
}

fn place(text: &str) -> Result<Place, String> {
    let path = text.strip_prefix("unix:").unwrap_or(text);
    if path.contains('/') {
        return Ok(Place::Socket(PathBuf::from(path)));
    }
    super::server(text).map(|(host, port)| Place::Server(host, port))
}

/// How it is sent.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sending")]
pub struct Manner {
    /// The sender, `<>` for none; bounces go there (default: you at the name of this machine)
    #[arg(long, value_name = "ADDRESS", value_parser = sender)]
    pub from: Option<String>,
    /// Put the token into the sender, as me+TOKEN@…, so that a bounce is known by its recipient
    #[arg(long)]
    pub verp: bool,
    /// Say this name in EHLO (default: the full name of this machine, else its address)
    #[arg(long, value_name = "NAME")]
    pub helo: Option<String>,
    /// Use this port of the mail servers (default: 25; with a login 587)
    #[arg(long, value_name = "PORT", allow_negative_numbers = true, value_parser = super::port())]
    pub port: Option<u16>,
    /// How to treat TLS
    #[arg(long, value_name = "MODE", value_parser = super::words::<TlsMode>())]
    pub tls: Option<TlsMode>,
    /// Trust the certificates of this PEM file instead of the system's
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ca_file: Option<PathBuf>,
    /// Speak LMTP
    #[arg(long)]
    pub lmtp: bool,
    /// Log in under this name; the password is asked for, or comes from MAILTRACE_PASSWORD
    #[arg(long, value_name = "NAME", requires = "server")]
    pub auth_user: Option<String>,
    /// Take the password from the first line of this file
    #[arg(long, value_name = "FILE", requires = "auth_user", value_hint = ValueHint::FilePath)]
    pub auth_password_file: Option<PathBuf>,
    /// Log in this way, such as PLAIN or SCRAM-SHA-256 (default: the best that is offered)
    #[arg(long, value_name = "MECHANISM", requires = "auth_user", value_parser = mechanism)]
    pub auth: Option<Mechanism>,
    /// Show the password also to a server whose certificate is not right, or in clear text
    #[arg(long, requires = "auth_user")]
    pub insecure_auth: bool,
    /// Sign the message (DKIM) with this private key, PEM
    #[arg(long, value_name = "FILE", requires = "dkim_selector", value_hint = ValueHint::FilePath)]
    pub dkim_key: Option<PathBuf>,
    /// The selector of the key
    #[arg(long, value_name = "NAME", requires = "dkim_key")]
    pub dkim_selector: Option<String>,
    /// The domain that signs (default: that of the sender)
    #[arg(long, value_name = "DOMAIN", requires = "dkim_key")]
    pub dkim_domain: Option<String>,
}

/// Where it is waited for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Waiting")]
pub struct Waiting {
    /// Wait so long for the message or what is told about it; ask again who says \"later\"
    /// (default: 60 with a place to look into, else not at all)
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = super::seconds)]
    pub wait: Option<f64>,
    /// Look into this Maildir and its folders (repeatable)
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub wait_maildir: Vec<PathBuf>,
    /// Look into this mailbox: imaps://user@host/folder, or imap:// for STARTTLS; the password is
    /// asked for, or comes from MAILTRACE_IMAP_PASSWORD
    #[arg(long, value_name = "URL", value_parser = imap)]
    pub wait_imap: Option<ImapUrl>,
    /// Take the password of the mailbox from the first line of this file
    #[arg(long, value_name = "FILE", requires = "wait_imap", value_hint = ValueHint::FilePath)]
    pub wait_imap_password_file: Option<PathBuf>,
    /// Receive mail to the addresses of the test, and nothing else, at this address
    #[arg(long, value_name = "IP:PORT", value_parser = super::serve::address)]
    pub listen: Option<SocketAddr>,
}

impl Waiting {
    /// The first of these flags that was given.
    pub fn given(&self) -> Option<&'static str> {
        let flags = [
            ("--wait", self.wait.is_some()),
            ("--wait-maildir", !self.wait_maildir.is_empty()),
            ("--wait-imap", self.wait_imap.is_some()),
            ("--listen", self.listen.is_some()),
        ];
        flags
            .into_iter()
            .find(|(_, given)| *given)
            .map(|(flag, _)| flag)
    }
}

/// A mailbox on an IMAP server.
#[derive(Clone, PartialEq, Eq)]
pub struct ImapUrl {
    /// TLS from the first octet.
    pub implicit: bool,
    /// Who logs in.
    pub user: String,
    /// His password, when it stands there.
    pub password: Option<String>,
    /// The server.
    pub host: Host,
    /// Its port.
    pub port: u16,
    /// The folder.
    pub folder: String,
}

impl std::fmt::Debug for ImapUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ImapUrl {{ {}@{}:{} }}", self.user, self.host, self.port)
    }
}

/// What the message says.
#[derive(Debug, Args)]
#[command(next_help_heading = "Message")]
pub struct Content {
    /// The subject, behind the token
    #[arg(long, value_name = "TEXT")]
    pub subject: Option<String>,
    /// Take the text from this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub body: Option<PathBuf>,
    /// Take the same text as a web page from this file, beside the other
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,
    /// Send this whole message (`-` is standard input) as it is, but for our mark at its top
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = [
        "body", "html", "subject", "header", "attach", "eicar", "gtube", "size"
    ])]
    pub data: Option<PathBuf>,
    /// Send text that is not ASCII as it is; needs a server with 8BITMIME
    #[arg(long = "8bit")]
    pub eight_bit: bool,
    /// Send it as one chunk, without DATA; needs a server with CHUNKING
    #[arg(long, conflicts_with = "lmtp")]
    pub bdat: bool,
    /// Ask for TLS on the whole way; needs a server with REQUIRETLS
    #[arg(long)]
    pub require_tls: bool,
    /// Add this field, or put it in the place of ours (repeatable)
    #[arg(long, value_name = "NAME: VALUE", value_parser = field)]
    pub header: Vec<(String, String)>,
    /// Attach this file (repeatable)
    #[arg(long, value_name = "FILE[:TYPE[:NAME]]")]
    pub attach: Vec<String>,
    /// Attach the EICAR file, which virus scanners take for a virus; only for servers of your own
    #[arg(long)]
    pub eicar: bool,
    /// Add the GTUBE line, which spam filters take for spam; only for servers of your own
    #[arg(long)]
    pub gtube: bool,
    /// Make the message this large
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub size: Option<usize>,
    /// Ask to be told of these: success, failure, delay, or never
    #[arg(long, value_name = "WORDS", value_parser = notify)]
    pub notify: Option<String>,
    /// Ask to get back the whole message or its header
    #[arg(long, value_name = "full|hdrs", value_parser = ret())]
    pub ret: Option<&'static str>,
    /// Ask for this id in notices (default: the token)
    #[arg(long, value_name = "ID")]
    pub envid: Option<String>,
}

fn address(text: &str) -> Result<String, String> {
    let bare = text.trim();
    let bare = bare
        .strip_prefix('<')
        .and_then(|t| t.strip_suffix('>'))
        .unwrap_or(bare);
    let good = Address::parse(bare).is_ok_and(|address| address.domain.is_some());
    if good {
        Ok(bare.to_string())
    } else {
        Err("write a mail address, such as bob@example.net".to_string())
    }
}

fn sender(text: &str) -> Result<String, String> {
    match text.trim() {
        "<>" | "" => Ok(String::new()),
        other => address(other),
    }
}

fn mechanism(text: &str) -> Result<Mechanism, String> {
    Mechanism::from_name(text).ok_or_else(|| {
        let all: Vec<_> = Mechanism::ALL.iter().map(|m| m.name()).collect();
        format!("there are {}", all.join(", "))
    })
}

/// `imaps://user[:password]@host[:port][/folder]`; `%40` and the like are undone.
fn imap(text: &str) -> Result<ImapUrl, String> {
    let bad = || "write imaps://user@host/folder".to_string();
    let (scheme, rest) = text.split_once("://").ok_or_else(bad)?;
    let implicit = match scheme.to_ascii_lowercase().as_str() {
        "imaps" => true,
        "imap" => false,
        _ => return Err(bad()),
    };
    let (place, folder) = rest.split_once('/').unwrap_or((rest, ""));
    let (who, server) = place.rsplit_once('@').ok_or_else(bad)?;
    let (user, password) = match who.split_once(':') {
        Some((user, password)) => (user, Some(unescape(password).ok_or_else(bad)?)),
        None => (who, None),
    };
    let (host, port) = super::server(server)?;
    let user = unescape(user)
        .filter(|user| !user.is_empty())
        .ok_or_else(bad)?;
    let folder = unescape(folder.trim_end_matches('/')).ok_or_else(bad)?;
    if folder.contains(char::is_control) || user.contains(char::is_control) {
        return Err(bad());
    }
    Ok(ImapUrl {
        implicit,
        user,
        password,
        host,
        port: port.unwrap_or(if implicit { 993 } else { 143 }),
        folder: if folder.is_empty() {
            "INBOX".to_string()
        } else {
            folder
        },
    })
}

/// Undoes `%40` (RFC 3986 section 2.1).
fn unescape(text: &str) -> Option<String> {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'%' {
            octets.push(octet);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        let digits = std::str::from_utf8(&digits).ok()?;
        octets.push(u8::from_str_radix(digits, 16).ok()?);
    }
    String::from_utf8(octets).ok()
}

fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write 'Name: value'")?;
    let good = |c: char| c.is_ascii_graphic() && c != ':';
    if name.is_empty() || !name.chars().all(good) || value.contains(['\r', '\n', '\0']) {
        return Err("write 'Name: value' on one line".to_string());
    }
    Ok((name.to_string(), value.trim().to_string()))
}

fn size(text: &str) -> Result<usize, String> {
    const LARGEST: u64 = 1 << 30;
    let size = octets(text).filter(|size| *size <= LARGEST);
    let size = size.and_then(|size| usize::try_from(size).ok());
    size.ok_or_else(|| "write a size up to 1G, such as 500k or 25M".to_string())
}

fn notify(text: &str) -> Result<String, String> {
    let words: Vec<String> = text
        .split(',')
        .map(|w| w.trim().to_ascii_uppercase())
        .collect();
    let known = |word: &String| matches!(word.as_str(), "SUCCESS" | "FAILURE" | "DELAY");
    if words.iter().all(known) || words == ["NEVER"] {
        return Ok(words.join(","));
    }
    Err("write success, failure, delay (with commas between), or never alone".to_string())
}

fn ret() -> impl TypedValueParser<Value = &'static str> {
    PossibleValuesParser::new(["full", "hdrs"]).map(|word| match word.as_str() {
        "full" => "FULL",
        _ => "HDRS",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes_are_read_as_curl_writes_them() {
        let url = imap("imaps://a%40b.test:p%3aw@[127.0.0.1]:1993/Sent%20Mail").unwrap();
        assert_eq!(
            (url.user.as_str(), url.password.as_deref()),
            ("a@b.test", Some("p:w"))
        );
        assert_eq!(
            (url.port, url.folder.as_str(), url.implicit),
            (1993, "Sent Mail", true)
        );
        let url = imap("imap://bob@mail.example.net").unwrap();
        assert_eq!(
            (url.port, url.folder.as_str(), url.implicit),
            (143, "INBOX", false)
        );
        for bad in [
            "http://a@b",
            "imaps://host",
            "imaps://@host",
            "imaps://a@host/%0d",
            "imaps://a@:1",
            "a",
        ] {
            assert!(imap(bad).is_err(), "{bad}");
        }
        assert!(!format!("{url:?}").contains("pw"));
    }

    #[test]
    fn addresses_cannot_break_the_dialogue() {
        assert_eq!(address("<bob@example.net>").unwrap(), "bob@example.net");
        for bad in ["bob", "a@b\r\nRSET", "a b@c.test", "", "<>"] {
            assert!(address(bad).is_err(), "{bad:?}");
        }
        assert_eq!(sender("<>").unwrap(), "");
    }
}
