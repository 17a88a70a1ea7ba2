//! The flags of `serve` that are about delivery.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueHint};

use crate::mta::delivery::{Pattern, Relay, Tls};
use crate::mta::notify::Style;
use crate::mta::settings::parse_time;

/// Where mail goes on to, and when.
#[derive(Debug, Args)]
#[command(next_help_heading = "Delivery")]
pub struct Outward {
    /// Give mail for a domain (also .example.net for those below, or *) to this server (repeatable)
    #[arg(long, value_name = "DOMAIN=HOST:PORT", value_parser = route)]
    pub route: Vec<(Pattern, Relay)>,
    /// Give all mail for elsewhere to this server
    #[arg(long, value_name = "HOST:PORT", value_parser = relay)]
    pub smart_host: Option<Relay>,
    /// Log in to the smart host, with the password in this file
    #[arg(long, value_name = "NAME:FILE", requires = "smart_host", value_parser = super::serve::user)]
    pub smart_host_user: Option<(String, PathBuf)>,
    /// Give mail also to servers beyond this machine; without it such mail comes back
    #[arg(long)]
    pub send_outside: bool,
    /// How to treat TLS with other servers
    #[arg(long, value_name = "MODE", default_value = "opportunistic", value_parser = tls())]
    pub outward_tls: Tls,
    /// Use this port of the mail servers that the DNS names
    #[arg(long, value_name = "PORT", default_value_t = 25, allow_negative_numbers = true, value_parser = super::port())]
    pub outward_port: u16,
    /// Answer questions about names from this file (TOML) in place of the DNS
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub names: Option<PathBuf>,
    /// The waits between attempts; the last one is repeated (default: 5m,10m,20m,40m,1h,2h,4h)
    #[arg(long, value_name = "TIMES", value_parser = times)]
    pub retry: Option<Waits>,
    /// Tell the sender when it takes longer than this; 0 for never (default: 4h)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub warn_after: Option<Duration>,
    /// Give up after this (default: 5d)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub expire_after: Option<Duration>,
    /// Let the time jump to the next attempt, so that a story of five days is over at once
    #[arg(long)]
    pub virtual_clock: bool,
    /// Write notices as this software does
    #[arg(long, value_name = "STYLE", default_value = "own", value_parser = style())]
    pub notice_style: Style,
    /// Tell this address of notices that could not be delivered (default: they are dropped)
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub double_bounces: Option<crate::mta::address::Address>,
}

/// Waits between attempts.
#[derive(Debug, Clone)]
pub struct Waits(pub Vec<Duration>);

fn route(text: &str) -> Result<(Pattern, Relay), String> {
    Relay::parse_route(text).map_err(|error| error.to_string())
}

fn relay(text: &str) -> Result<Relay, String> {
    Relay::parse(text, 25).map_err(|error| error.to_string())
}

fn times(text: &str) -> Result<Waits, String> {
    let all: Option<Vec<Duration>> = text.split(',').map(parse_time).collect();
    let all = all.filter(|all| all.iter().all(|wait| *wait >= Duration::from_millis(1)));
    all.map(Waits)
        .ok_or_else(|| "write times, such as 1m,5m,1h".to_string())
}

fn time(text: &str) -> Result<Duration, String> {
    parse_time(text).ok_or_else(|| "write a time, such as 30s, 4h or 5d".to_string())
}

fn address(text: &str) -> Result<crate::mta::address::Address, String> {
    let (local, domain) = text
        .rsplit_once('@')
        .filter(|(local, domain)| !local.is_empty() && !domain.is_empty())
        .ok_or("write an address")?;
    Ok(crate::mta::address::Address {
        local: local.to_string(),
        domain: Some(domain.to_lowercase()),
    })
}

fn style() -> impl TypedValueParser<Value = Style> {
    let words = Style::ALL.map(Style::word);
    PossibleValuesParser::new(words)
        .try_map(|word| Style::from_word(&word).ok_or("this is none of the words"))
}

fn tls() -> impl TypedValueParser<Value = Tls> {
    PossibleValuesParser::new(["opportunistic", "required", "never"]).map(|word| {
        match word.as_str() {
            "required" => Tls::Required,
            "never" => Tls::Never,
            _ => Tls::Opportunistic,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_two_sides() {
        let read = |text| address(text).map(|a| (a.local, a.domain.unwrap()));
        let pair = |local: &str, domain: &str| Ok((local.to_owned(), domain.to_owned()));
        assert_eq!(read("Post@Home.TEST"), pair("Post", "home.test"));
        assert_eq!(read("\"a@b\"@home.test"), pair("\"a@b\"", "home.test"));
        for bad in ["post", "@home.test", "post@", "@"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn waits_between_attempts_are_never_nothing() {
        let seconds = |text| times(text).map(|w| w.0.iter().map(Duration::as_secs).collect());
        assert_eq!(seconds("90s,5m,1h"), Ok(vec![90, 300, 3600]));
        for bad in ["", "5m,", "0s", "1h,0s", "soon"] {
            assert!(times(bad).is_err(), "{bad}");
        }
        assert_eq!(time("0"), Ok(Duration::ZERO));
        assert!(time("-1s").is_err());
    }
}
