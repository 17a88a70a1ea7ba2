//! The flags of `send-test`.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueHint};

use crate::mta::mailboxes::octets;

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

Exit codes:
  0  accepted; with --wait: arrived
  1  refused, or it bounced; with --scenario all: an explanation is wrong
  2  wrong use, or a file could not be read
  3  not reachable, put off, or nothing came in time")]
pub struct SendTest {
    /// Let something go wrong on that road and explain what comes back; `list` shows what can,
    /// `all` plays everything and checks every explanation
    #[arg(long, value_name = "NAME|list|all")]
    pub scenario: Option<String>,
    /// What the message says
    #[command(flatten)]
    pub content: Content,
    /// Keep messages, queues and logs of the run in this new folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub keep: Option<PathBuf>,
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
