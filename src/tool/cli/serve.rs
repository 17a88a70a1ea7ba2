//! The flags of `serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use ipnet::IpNet;

use crate::mta::mailboxes::octets;
use crate::mta::settings::parse_time;

/// Run the built-in mail server
///
/// A small mail server for tests and test set-ups: it receives, decides, queues durably, delivers,
/// writes real bounces, and misbehaves when told to. It listens on this machine only, relays for
/// nobody and sends nowhere unless told so.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mailtrace serve --domain example.test
  mailtrace serve --listen 127.0.0.1:2525 --domain example.test --spool /tmp/s --maildir /tmp/m
  mailtrace serve --domain example.test --mailbox bob:quota=1M --mailbox alice
  mailtrace serve --domain example.test --submission 127.0.0.1:2587 --user bob:bob.password
  mailtrace serve --domain example.test --fault 'rcpt:late@*=451 4.3.0 come again'
  mailtrace serve --domain example.test --fault over-quota-after-data
  mailtrace serve --fault list            the scenarios that have a name

Faults:
  STAGE[CONDITIONS]:PATTERN=ACT           STAGE: connect banner ehlo tls auth mail rcpt data dot quit
  CONDITIONS, in brackets: p=0.5 every=3 times=1 for=10s delay=2s
  ACT: a reply such as 550 5.1.1 unknown, ok, lose, drop, reset, silence, garbage,
       half TEXT, raw TEXT, hide KEYWORD (ehlo), certificate expired|wrong-name (tls)

Filter:
  The command gets the message on standard input, QUEUE_ID, SENDER, RECIPIENTS (one on each line),
  CLIENT_ADDRESS and HELO in the environment. More than 96 kB of recipients stand in the file that
  RECIPIENTS_FILE names, and RECIPIENTS is not set. The command ends with 0 to let the message pass
  (changed, if it writes one to standard output), with 1, 65, 69 or 77 to refuse it in the words of
  its first line on standard error, and with anything else to put it off. One that takes longer than
  --limit filter=TIME is killed with all that it has started, and the message is put off.

Exit codes:
  0  ended by SIGTERM or SIGINT
  2  wrong use, or it could not listen, read or write where it must")]
pub struct Serve {
    /// Listen here for mail from anybody; port 0 is chosen (default: 127.0.0.1:2525; repeatable)
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    pub listen: Vec<SocketAddr>,
    /// Listen here for those who log in or come from --relay-from, and complete their messages (repeatable)
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    pub submission: Vec<SocketAddr>,
    /// The same with TLS from the first octet (repeatable)
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    pub submissions: Vec<SocketAddr>,
    /// Listen here for LMTP (repeatable)
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    pub lmtp: Vec<SocketAddr>,
    /// Listen here for what a filter hands back (repeatable)
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    pub after_filter: Vec<SocketAddr>,
    /// Let other machines in, too; without it only addresses of this machine can be listened on
    #[arg(long)]
    pub public: bool,
    /// A domain whose mailboxes are here (default: localhost; repeatable)
    #[arg(long, value_name = "DOMAIN", value_parser = domain)]
    pub domain: Vec<String>,
    /// The name the server gives itself (default: mail. and the first domain)
    #[arg(long, value_name = "NAME", value_parser = domain)]
    pub host_name: Option<String>,
    /// Keep the queue here (default: mailtrace/spool in the state folder of the user)
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub spool: Option<PathBuf>,
    /// Keep the mailboxes here, a Maildir for each user (default: mailtrace/mail, likewise)
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub maildir: Option<PathBuf>,
    /// A mailbox; without any, every address but unknown* has one (repeatable)
    #[arg(long, value_name = "USER[:quota=1M]")]
    pub mailbox: Vec<String>,
    /// Who may log in, with the file that holds the password (repeatable)
    #[arg(long, value_name = "NAME:FILE", value_parser = user)]
    pub user: Vec<(String, PathBuf)>,
    /// A network whose clients may send anywhere without logging in (repeatable)
    #[arg(long, value_name = "CIDR", value_parser = network)]
    pub relay_from: Vec<IpNet>,
    /// A domain that anybody may send to through this server (repeatable)
    #[arg(long, value_name = "DOMAIN", value_parser = domain)]
    pub relay_to: Vec<String>,
    /// The certificate, PEM (default: one made on the fly)
    #[arg(long, value_name = "FILE", requires = "tls_key", value_hint = ValueHint::FilePath)]
    pub tls_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert", value_hint = ValueHint::FilePath)]
    pub tls_key: Option<PathBuf>,
    /// Offer no TLS
    #[arg(long, conflicts_with_all = ["tls_cert", "require_tls"])]
    pub no_tls: bool,
    /// Take mail inside TLS only
    #[arg(long)]
    pub require_tls: bool,
    /// Take mail only from those who have logged in or come from --relay-from
    #[arg(long)]
    pub require_auth: bool,
    /// Take passwords also in clear
    #[arg(long)]
    pub auth_in_clear: bool,
    /// The largest message (default: 25 million octets)
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_size: Option<u64>,
    /// Refuse clients on this DNS block list (repeatable)
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    pub dnsbl: Vec<String>,
    /// Put unknown clients off for this long
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "5m", value_parser = time)]
    pub greylist: Option<Duration>,
    /// Judge SPF and write the result into the message
    #[arg(long)]
    pub spf: bool,
    /// Let this command or SMTP server look at each message before it is taken
    #[arg(long, value_name = "COMMAND|HOST:PORT")]
    pub filter: Option<String>,
    /// Misbehave: a rule, or the name of a scenario; `list` shows those (repeatable)
    #[arg(long, value_name = "RULE")]
    pub fault: Vec<String>,
    /// Let recipients ask for a scenario by their name: fault-over-quota@DOMAIN
    #[arg(long)]
    pub fault_names: bool,
    /// Begin the chances of faults here, to see the same again
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = super::number::<u64>(0, u64::MAX))]
    pub fault_seed: u64,
    /// Set a limit, such as recipients=100 or idle=30s; a wrong name shows them all (repeatable)
    #[arg(long, value_name = "NAME=VALUE")]
    pub limit: Vec<String>,
    /// The shape of the log on standard error
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub log: LogForm,
    /// Where mail goes on to.
    #[command(flatten)]
    pub outward: super::outward::Outward,
}

/// The shape of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogForm {
    /// A line for each event.
    Text,
    /// A JSON object for each event.
    Json,
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let address = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}").parse(),
        None => text.parse(),
    };
    address.map_err(|_| "write an address and a port, such as 127.0.0.1:2525".to_string())
}

fn domain(text: &str) -> Result<String, String> {
    let name = crate::mta::address::parse_domain(text);
    name.map_err(|_| "write a domain, such as example.test".to_string())
}

fn zone(text: &str) -> Result<String, String> {
    domain(text).map_err(|_| "write the zone of a list, such as zen.spamhaus.org".to_string())
}

pub(super) fn user(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once(':') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => {
            Ok((name.to_string(), PathBuf::from(file)))
        }
        _ => Err("write a name, a colon and the file with the password".to_string()),
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let net = text.parse::<IpNet>();
    let net = net.or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
    net.map_err(|_| "write a network, such as 192.0.2.0/24, or an address".to_string())
}

fn size(text: &str) -> Result<u64, String> {
    octets(text).ok_or_else(|| "write a size, such as 500k or 25M".to_string())
}

fn time(text: &str) -> Result<Duration, String> {
    parse_time(text).ok_or_else(|| "write a time, such as 30s or 5m".to_string())
}
