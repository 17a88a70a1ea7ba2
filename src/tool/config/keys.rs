//! Every setting by name: how it is read and how it is shown. The file, the environment, the flags,
//! `mailtrace config` and the manual all go by this table.

use std::net::SocketAddr;
use std::time::Duration;

use crate::dns::servers;

use super::{Choice, Values, WAITS};

/// One setting: its names and how it is read and shown.
#[derive(Debug)]
pub struct Key {
    /// The key in the file.
    pub name: &'static str,
    /// The environment variable.
    pub env: &'static str,
    /// The flag.
    pub flag: &'static str,
    /// What it can be, in words.
    pub values: &'static str,
    pub(super) set: fn(&mut Values, &str) -> Option<()>,
    pub(super) show: fn(&Values) -> String,
}

/// Widths and numbers of workers above this are typing errors.
const LARGEST: usize = 10_000;

fn number(text: &str) -> Option<usize> {
    text.parse().ok().filter(|n| (1..=LARGEST).contains(n))
}

fn optional(value: Option<usize>) -> String {
    value.map_or_else(|| "auto".to_owned(), |n| n.to_string())
}

fn choose<C: Choice>(slot: &mut C, word: &str) -> Option<()> {
    *slot = C::from_word(word)?;
    Some(())
}

fn decide(slot: &mut bool, word: &str) -> Option<()> {
    *slot = match word {
        "true" | "yes" | "1" | "on" => true,
        "false" | "no" | "0" | "off" => false,
        _ => return None,
    };
    Some(())
}

fn count(slot: &mut Option<usize>, word: &str) -> Option<()> {
    *slot = if word == "auto" {
        None
    } else {
        Some(number(word)?)
    };
    Some(())
}

fn name_servers(slot: &mut Vec<SocketAddr>, text: &str) -> Option<()> {
    *slot = match text {
        "system" => Vec::new(),
        text => text
            .split([',', ' '])
            .filter(|word| !word.is_empty())
            .map(servers::parse)
            .collect::<Result<_, _>>()
            .ok()?,
    };
    Some(())
}

fn wait(slot: &mut Option<Duration>, text: &str) -> Option<()> {
    *slot = match text {
        "auto" => None,
        text => Some(Duration::from_secs_f64(
            text.parse().ok().filter(|n| WAITS.contains(n))?,
        )),
    };
    Some(())
}

fn list<T: ToString>(values: &[T], none: &str) -> String {
    let values: Vec<_> = values.iter().map(ToString::to_string).collect();
    if values.is_empty() {
        none.to_owned()
    } else {
        values.join(", ")
    }
}

/// Every setting there is.
pub const KEYS: [Key; 11] = [
    Key {
        name: "format",
        env: "MAILTRACE_FORMAT",
        flag: "--format",
        values: "human or json; for dnsbl also nagios or prometheus",
        set: |v, s| choose(&mut v.format, s),
        show: |v| v.format.word().to_owned(),
    },
    Key {
        name: "color",
        env: "MAILTRACE_COLOR",
        flag: "--color",
        values: "auto, always or never",
        set: |v, s| choose(&mut v.color, s),
        show: |v| v.color.word().to_owned(),
    },
    Key {
        name: "width",
        env: "MAILTRACE_WIDTH",
        flag: "--width",
        values: "auto or a number of columns",
        set: |v, s| count(&mut v.width, s),
        show: |v| optional(v.width),
    },
    Key {
        name: "quiet",
        env: "MAILTRACE_QUIET",
        flag: "--quiet",
        values: "true or false",
        set: |v, s| decide(&mut v.quiet, s),
        show: |v| v.quiet.to_string(),
    },
    Key {
        name: "verbose",
        env: "MAILTRACE_VERBOSE",
        flag: "--verbose",
        values: "true or false",
        set: |v, s| decide(&mut v.verbose, s),
        show: |v| v.verbose.to_string(),
    },
    Key {
        name: "jobs",
        env: "MAILTRACE_JOBS",
        flag: "--jobs",
        values: "auto or a number of workers",
        set: |v, s| count(&mut v.jobs, s),
        show: |v| optional(v.jobs),
    },
    Key {
        name: "progress",
        env: "MAILTRACE_PROGRESS",
        flag: "--no-progress",
        values: "true or false",
        set: |v, s| decide(&mut v.progress, s),
        show: |v| v.progress.to_string(),
    },
    Key {
        name: "audience",
        env: "MAILTRACE_AUDIENCE",
        flag: "--audience",
        values: "user, admin or both",
        set: |v, s| choose(&mut v.audience, s),
        show: |v| v.audience.word().to_owned(),
    },
    Key {
        name: "resolver",
        env: "MAILTRACE_RESOLVER",
        flag: "--resolver",
        values: "system, or addresses as IP, IP:PORT or [IPv6]:PORT",
        set: |v, s| name_servers(&mut v.resolver, s),
        show: |v| list(&v.resolver, "system"),
    },
    Key {
        name: "timeout",
        env: "MAILTRACE_TIMEOUT",
        flag: "--timeout",
        values: "seconds, from 0.01 to 3600",
        set: |v, s| wait(&mut v.timeout, s),
        show: |v| {
            v.timeout
                .map_or_else(|| "auto".to_owned(), |t| t.as_secs_f64().to_string())
        },
    },
    Key {
        name: "family",
        env: "MAILTRACE_FAMILY",
        flag: "-4 or -6",
        values: "any, 4 or 6",
        set: |v, s| choose(&mut v.family, s),
        show: |v| v.family.word().to_owned(),
    },
];
