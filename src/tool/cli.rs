//! Every flag of every command, and nothing else. The comments here are the help and the manual.

pub mod outward;
pub mod queue;
pub mod send_test;
pub mod serve;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

use crate::bounce::advice::Audience;
use crate::config::{Choice, Flag, Format};
use crate::report::painter::When;
use crate::smtp::{Host, TlsMode};

/// Why did my mail bounce, which way did it come, and what is to be done
///
/// mailtrace reads bounces and other reports of mail servers and says in plain words what
/// happened, whose side it is on, what to do, and on which lines of the mail that rests.
#[derive(Debug, Parser)]
#[command(
    name = "mailtrace",
    version,
    after_help = "\
Examples:
  mailtrace explain bounce.eml            why did this mail come back?
  mailtrace explain < bounce.eml          the same, from standard input
  mailtrace explain --summary ~/Maildir   what goes wrong most often?
  mailtrace check bob@example.net         can mail get there?
  mailtrace help explain                  everything about one command",
    after_long_help = EXIT_CODES
)]
pub struct Cli {
    /// What all commands understand.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The end of the long help and of the manual; `tests/manual.rs` holds it to `exit.rs`.
const EXIT_CODES: &str = "\
Examples:
  mailtrace explain bounce.eml            why did this mail come back?
  mailtrace explain < bounce.eml          the same, from standard input
  mailtrace explain --summary ~/Maildir   what goes wrong most often?
  mailtrace check bob@example.net         can mail get there?
  mailtrace help explain                  everything about one command

Exit codes:
  0  done, nothing bad to tell
  1  done, and the answer is the bad one (see each command)
  2  wrong use, or an input could not be read
  3  could not be determined: the network or the DNS failed

Settings:
  Flags win over MAILTRACE_* environment variables (MAILTRACE_WIDTH=100), and these over the
  file ~/.config/mailtrace/config.toml (width = 100). `mailtrace config` shows what is in force.";

/// What can be asked.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Explain why a message came back
    ///
    /// Reads a bounce, or a mail or text into which somebody forwarded or pasted one, and says for
    /// each recipient what happened, whose side it is on, what to do, and where it is written.
    Explain(Explain),
    /// Ask the DNS lists about an address, a domain or a mail
    Dnsbl(Dnsbl),
    /// Show the way a message took, hop by hop
    Route(Route),
    /// Find out whether mail can get there, and if not, who must mend what
    Check(Check),
    /// Send a test message and see what really happens
    SendTest(Box<send_test::SendTest>),
    /// Run the built-in mail server
    Serve(Box<serve::Serve>),
    /// Look after the queue of the built-in mail server
    Queue(queue::Queue),
    /// Say what a word of e-mail means
    ///
    /// MUA, MSA, MTA, DNSBL, greylisting, envelope …: each in a few plain sentences, with its place
    /// on the road of a mail and an example. Without a word: all of them.
    #[command(after_help = "\
Examples:
  mailtrace glossary
  mailtrace glossary MSA greylisting
  mailtrace glossary \"open relay\"

Exit codes:
  0  here it is
  1  the word is not in the glossary")]
    Glossary {
        /// The words
        #[arg(value_name = "TERM")]
        terms: Vec<String>,
    },
    /// Show the settings in force and where each came from
    #[command(after_help = "\
Examples:
  mailtrace config
  mailtrace config --json | jq .settings.width.value")]
    Config,
    /// Print completions for a shell
    #[command(after_help = "\
Examples:
  mailtrace completions bash > ~/.local/share/bash-completion/completions/mailtrace
  mailtrace completions zsh > ~/.zfunc/_mailtrace
  mailtrace completions fish > ~/.config/fish/completions/mailtrace.fish")]
    Completions {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
}

/// What all commands understand.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The shape of the output
    #[arg(long, global = true, value_name = "FORMAT", value_parser = words::<Format>())]
    pub format: Option<Format>,
    /// Short for --format json
    #[arg(long, global = true, overrides_with = "format")]
    pub json: bool,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", value_parser = words::<When>())]
    pub color: Option<When>,
    /// Fill this many columns instead of the terminal's
    #[arg(long, global = true, value_name = "COLUMNS", allow_negative_numbers = true, value_parser = number::<u16>(1, 10_000))]
    pub width: Option<u16>,
    /// Say less: one line per result
    #[arg(short, long, global = true, overrides_with = "verbose")]
    pub quiet: bool,
    /// Say more: everything that is known
    #[arg(short, long, global = true, overrides_with = "quiet")]
    pub verbose: bool,
    /// Read the settings from this file
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Work on this many cores (default: all)
    #[arg(short, long, global = true, value_name = "N", allow_negative_numbers = true, value_parser = number::<u16>(1, 10_000))]
    pub jobs: Option<u16>,
    /// Never show a progress bar
    #[arg(long, global = true)]
    pub no_progress: bool,
    /// Ask this name server instead of the system's (repeatable)
    #[arg(long, global = true, value_name = "IP[:PORT]", value_parser = name_server)]
    pub resolver: Vec<SocketAddr>,
    /// Wait this long for an answer (default: 5 for the DNS, 30 for a server)
    #[arg(long, global = true, value_name = "SECONDS", allow_negative_numbers = true, value_parser = seconds)]
    pub timeout: Option<f64>,
    /// Use IPv4 only
    #[arg(short = '4', long, global = true, overrides_with = "ipv6")]
    pub ipv4: bool,
    /// Use IPv6 only
    #[arg(short = '6', long, global = true, overrides_with = "ipv4")]
    pub ipv6: bool,
}

/// The flags of `explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mailtrace explain bounce.eml
  mailtrace explain --json new/*.eml | jq -r '.recipients[]?.cause'
  mailtrace explain --summary bounces.mbox
  mailtrace explain -q --audience admin ~/Maildir
  grep 'status=bounced' /var/log/mail.log | mailtrace explain --reply

Exit codes:
  0  every input is a report of a mail server
  1  some input is none; the output says what it is instead
  2  wrong use, or an input could not be read; the others are done all the same")]
pub struct Explain {
    /// Messages, mboxes, Maildirs or folders of messages; `-` or nothing reads standard input
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// Take each line as an SMTP reply or a fragment of a log, not as a mail
    #[arg(long)]
    pub reply: bool,
    /// Count by cause, domain and server instead of telling each (with --json: after that)
    #[arg(long)]
    pub summary: bool,
    /// Also ask the DNS list that a refusal names, whether the address is listed now
    #[arg(long)]
    pub live: bool,
    /// Whom to speak to
    #[arg(long, value_name = "WHO", value_parser = words::<Audience>())]
    pub audience: Option<Audience>,
}

/// Ask the DNS lists about an address, a domain or a mail
///
/// Asks the lists that mail servers go by, and tells listings from refusals, from lists that are
/// dead, and from silence: "not listed" means that a list in good order said so itself.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mailtrace dnsbl 192.0.2.25
  mailtrace dnsbl mail.example.org example.net
  mailtrace dnsbl bounce.eml
  mailtrace dnsbl 192.0.2.0/24 --json | jq -r 'select(.listed > 0).target'
  mailtrace dnsbl --list spamhaus-zen --zone bl.corp.example 192.0.2.25
  mailtrace dnsbl --format nagios 192.0.2.25

Exit codes:
  0  nowhere listed
  1  on at least one list that mail is refused by
  2  wrong use, or an input could not be read
  3  no list could be asked
  With --format nagios those of that world: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN")]
pub struct Dnsbl {
    /// Addresses, ranges (192.0.2.0/24), host or domain names, mails; `-` reads a mail
    #[arg(value_name = "TARGET", required_unless_present = "catalogue")]
    pub targets: Vec<OsString>,
    /// Ask this list of the catalogue, and no others (repeatable)
    #[arg(long, value_name = "ID")]
    pub list: Vec<String>,
    /// Ask this zone, and no others (repeatable)
    #[arg(long, value_name = "ZONE")]
    pub zone: Vec<String>,
    /// Ask every list there is, not only the usual ones
    #[arg(long)]
    pub all: bool,
    /// Show the lists that are known, with meaning and state
    #[arg(long)]
    pub catalogue: bool,
    /// Ask every list its test entries first, and leave out what is broken
    #[arg(long)]
    pub probe_lists: bool,
    /// Ask public lists also about addresses that they cannot list, and about large ranges
    #[arg(long)]
    pub force: bool,
}

/// Find out whether mail can get there, and if not, who must mend what
///
/// Looks at the DNS of a domain, at every mail server and its encryption, and asks whether the
/// address would be taken. No mail is sent: the dialogue ends before DATA.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mailtrace check bob@example.net
  mailtrace check example.net -v
  mailtrace check mx.example.net:587 --tls required
  mailtrace check bob@example.net --server [192.0.2.25]:2525
  mailtrace check --json < addresses.txt | jq -r 'select(.verdict != \"ok\").headline'
  mailtrace check --summary < domains.txt

Exit codes:
  0  mail can get there
  1  it cannot, or something is broken (a finding of severity error)
  2  wrong use, or a target is none
  3  could not be determined: network or DNS failed, or the server said \"later\"")]
pub struct Check {
    /// Domains, host[:port], [address]:port or mail addresses; `-` or nothing reads a list, one on each line
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,
    /// Use this port of the mail servers (default: 25)
    #[arg(long, value_name = "PORT", allow_negative_numbers = true, value_parser = port())]
    pub port: Option<u16>,
    /// How to treat TLS
    #[arg(long, value_name = "MODE", value_parser = words::<TlsMode>())]
    pub tls: Option<TlsMode>,
    /// Say this name in EHLO (default: the full name of this machine, else its address)
    #[arg(long, value_name = "NAME")]
    pub helo: Option<String>,
    /// Use this sender, `<>` for none (default: postmaster at the name of this machine)
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<String>,
    /// Ask this server in place of the domain's own
    #[arg(long, value_name = "HOST[:PORT]", value_parser = server)]
    pub server: Option<(Host, Option<u16>)>,
    /// Ask also for a mailbox that cannot exist: does the server take everything?
    #[arg(long)]
    pub catch_all: bool,
    /// When greylisted, wait up to this long and ask again
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "360", value_parser = seconds)]
    pub wait: Option<f64>,
    /// Ask the DNS only, no mail server
    #[arg(long)]
    pub dns_only: bool,
    /// Look this DKIM selector up (repeatable)
    #[arg(long, value_name = "NAME")]
    pub selector: Vec<String>,
    /// Trust the certificates of this PEM file instead of the system's
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ca_file: Option<PathBuf>,
    /// Do not fetch the MTA-STS policy over HTTPS
    #[arg(long)]
    pub no_policy: bool,
    /// Try whether the server relays for strangers; only for servers of your own
    #[arg(long)]
    pub relay_test: bool,
    /// Try whether the server keeps what is sent before the TLS handshake; only for your own
    #[arg(long)]
    pub injection_test: bool,
    /// Count verdicts and findings instead of telling each (with --json: after that)
    #[arg(long)]
    pub summary: bool,
}

fn server(text: &str) -> Result<(Host, Option<u16>), String> {
    crate::smtp::host::parse(text).map_err(|error| error.to_string())
}

fn name_server(text: &str) -> Result<SocketAddr, String> {
    crate::dns::servers::parse(text).map_err(|error| error.to_string())
}

/// A whole number between two; said in words when it is none.
fn number<N: TryFrom<u64>>(
    least: u64,
    most: u64,
) -> impl Fn(&str) -> Result<N, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse::<u64>().ok();
        let number = number.filter(|n| (least..=most).contains(n));
        number
            .and_then(|n| N::try_from(n).ok())
            .ok_or_else(|| format!("write a number from {least} to {most}"))
    }
}

/// A port.
fn port() -> impl Fn(&str) -> Result<u16, String> + Clone + Send + Sync + 'static {
    number(1, u64::from(u16::MAX))
}

fn seconds(text: &str) -> Result<f64, String> {
    let number = text
        .strip_suffix('s')
        .unwrap_or(text)
        .parse()
        .ok()
        .filter(|n| crate::config::WAITS.contains(n));
    number.ok_or_else(|| "write seconds, from 0.01 to 3600".to_string())
}

/// Show the way a message took, hop by hop
///
/// Reads the Received fields of a message and says where it came from, which way, how long each
/// leg took and why, who is to be believed, and what looks odd or forged. Works without network,
/// but for --live, which never asks about private addresses.
#[derive(Debug, Default, Args)]
#[command(after_help = "\
Examples:
  mailtrace route message.eml
  mailtrace route --original bounce.eml    the way of the message that came back
  mailtrace route --html way.html message.eml
  mailtrace route --trust example.org --trust 192.0.2.0/24 message.eml
  mailtrace route --live message.eml       verify signatures, ask for SPF and the reverse name
  mailtrace route --json *.eml | jq -r '.origin.ip'
  mailtrace route --summary ~/Maildir

Exit codes:
  0  shown
  1  some line is forged or impossible, or the message went in circles
  2  wrong use, or an input could not be read; the others are done all the same
  3  --live, and the DNS answered nothing")]
pub struct Route {
    /// Messages, mboxes, Maildirs or folders of messages; `-` or nothing reads standard input
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// Show the way of the message that a bounce returned, not of the bounce
    #[arg(long)]
    pub original: bool,
    /// Also write a page with the timeline as a picture; it needs nothing from elsewhere
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,
    /// A server or net of the own side: the outside begins behind it (may be repeated)
    #[arg(long, value_name = "HOST|CIDR")]
    pub trust: Vec<String>,
    /// Ask the DNS too: the reverse name and SPF of who handed it over, DKIM and ARC verified
    #[arg(long)]
    pub live: bool,
    /// Count slow hosts, clear text and wrong clocks instead of telling each (with --json: after)
    #[arg(long)]
    pub summary: bool,
}

/// A parser for the words of a [`Choice`].
fn words<C: Choice + Send + Sync>() -> impl TypedValueParser<Value = C> {
    let values = C::ALL
        .iter()
        .map(|(word, help, _)| PossibleValue::new(*word).help(*help));
    PossibleValuesParser::new(values)
        .try_map(|word| C::from_word(&word).ok_or("this is none of the words"))
}

impl Cli {
    /// The flags that are settings, as [`Settings::load`](crate::config::Settings::load) takes
    /// them.
    pub fn settings(&self) -> Vec<Flag> {
        let global = &self.global;
        let format = if global.json {
            Some(Format::Json)
        } else {
            global.format
        };
        let audience = match &self.command {
            Some(Command::Explain(explain)) => explain.audience,
            _ => None,
        };
        let mut flags: Vec<Flag> = Vec::new();
        let mut add = |key, value: Option<String>| flags.extend(value.map(|value| (key, value)));
        add("format", format.map(|v| v.word().to_owned()));
        add("color", global.color.map(|v| v.word().to_owned()));
        add("width", global.width.map(|v| v.to_string()));
        add(
            "quiet",
            (global.quiet || global.verbose).then(|| global.quiet.to_string()),
        );
        add(
            "verbose",
            (global.quiet || global.verbose).then(|| global.verbose.to_string()),
        );
        add("jobs", global.jobs.map(|v| v.to_string()));
        let servers: Vec<_> = global.resolver.iter().map(ToString::to_string).collect();
        add(
            "resolver",
            (!servers.is_empty()).then(|| servers.join(", ")),
        );
        add("timeout", global.timeout.map(|v| v.to_string()));
        let family = if global.ipv4 { "4" } else { "6" };
        add(
            "family",
            (global.ipv4 || global.ipv6).then(|| family.to_owned()),
        );
        add("progress", global.no_progress.then(|| false.to_string()));
        add("audience", audience.map(|v| v.word().to_owned()));
        flags
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_last_of_two_formats_wins() {
        let format = |args: &[&str]| {
            let cli = Cli::try_parse_from([&["mailtrace", "explain"], args].concat()).unwrap();
            cli.settings()
                .into_iter()
                .find(|(key, _)| *key == "format")
                .map(|(_, word)| word)
        };
        assert_eq!(format(&["--json"]).as_deref(), Some("json"));
        assert_eq!(format(&["--format", "human"]).as_deref(), Some("human"));
        assert_eq!(
            format(&["--format", "human", "--json"]).as_deref(),
            Some("json")
        );
        assert_eq!(format(&[]), None);
    }
}
