//! Templates filled with what is known of a failure; what is not known becomes a general phrase.

use std::borrow::Cow;
use std::fmt::Write as _;

use chrono::{DateTime, Datelike, FixedOffset, Timelike};

use crate::bounce::explanation::Recipient;

use super::table::{self, Span, Speech};

#[derive(Clone, Copy)]
enum Slot {
    Address,
    Domain,
    Server,
    Host,
    List,
    Listed,
    Url,
    Size,
    Until,
}

impl Slot {
    /// The slot of a name; the build has let no other names through.
    fn named(name: &str) -> Self {
        match name {
            "address" => Self::Address,
            "domain" => Self::Domain,
            "server" => Self::Server,
            "list" => Self::List,
            "listed" => Self::Listed,
            "url" => Self::Url,
            "size" => Self::Size,
            "until" => Self::Until,
            _ => Self::Host,
        }
    }
}

/// Longer values are cut: an address has at most 254 characters (RFC 5321 §4.5.3.1), and what is
/// longer is an attempt to flood the screen.
const LONGEST_VALUE: usize = 254;

/// The values of the slots.
pub(super) struct Facts<'r> {
    pub(super) recipient: &'r Recipient,
    pub(super) address: Option<&'r str>,
    pub(super) domain: Option<&'r str>,
    /// The words are about several addresses.
    pub(super) many: bool,
}

impl Facts<'_> {
    pub(super) fn steps(&self, speech: &Speech) -> Vec<Cow<'static, str>> {
        table::steps(speech)
            .iter()
            .map(|step| self.fill(*step))
            .filter(|step| !step.is_empty())
            .collect()
    }

    /// A template with its values. The build has checked that brackets come in pairs.
    pub(super) fn fill(&self, template: Span) -> Cow<'static, str> {
        let template = template.text();
        if memchr::memchr2(b'{', b'[', template.as_bytes()).is_none() {
            return Cow::Borrowed(template);
        }
        let mut out = String::with_capacity(template.len() + 64);
        let mut rest = template;
        while let Some((before, tail)) = cut(rest, b'[') {
            self.fill_flat(before, &mut out);
            let (inside, after) = cut(tail, b']').unwrap_or((tail, ""));
            let (with, without) = cut(inside, b'|').unwrap_or((inside, ""));
            let known = slots(with).all(|slot| self.value(slot).is_some());
            self.fill_flat(if known { with } else { without }, &mut out);
            rest = after;
        }
        self.fill_flat(rest, &mut out);
        Cow::Owned(out)
    }

    /// The same without alternatives.
    fn fill_flat(&self, template: &str, out: &mut String) {
        let mut rest = template;
        while let Some((before, tail)) = cut(rest, b'{') {
            let (name, after) = cut(tail, b'}').unwrap_or((tail, ""));
            out.push_str(before);
            let slot = Slot::named(name);
            match self.value(slot) {
                Some(value) => out.push_str(&short(&value)),
                None => self.phrase(slot, out.is_empty() || out.ends_with(". "), out),
            }
            rest = after;
        }
        out.push_str(rest);
    }

    /// What is known, word for word; `None` when nothing is.
    fn value(&self, slot: Slot) -> Option<Cow<'_, str>> {
        let recipient = self.recipient;
        let listing = recipient.dnsbl.as_ref();
        match slot {
            Slot::Address => self.address.map(Cow::Borrowed),
            Slot::Domain => self.domain.map(Cow::Borrowed),
            // Always a phrase: a person knows the domain, not the name of its server.
            Slot::Server => None,
            Slot::Host => recipient.remote_mta.host.as_deref().map(Cow::Borrowed),
            Slot::List => listing
                .and_then(|l| l.zone.as_deref().or(l.list))
                .map(Cow::Borrowed),
            Slot::Listed => {
                let listing = listing?;
                let ip = listing.ip.map(|ip| Cow::Owned(ip.to_string()));
                ip.or_else(|| listing.domain.as_deref().map(Cow::Borrowed))
            }
            Slot::Url => listing
                .and_then(|l| l.url.as_deref())
                .or_else(|| url(recipient.diagnostic.as_deref()?))
                .map(Cow::Borrowed),
            Slot::Size => size(recipient.diagnostic.as_deref()?).map(Cow::Owned),
            Slot::Until => recipient.retry_until.map(|time| Cow::Owned(moment(time))),
        }
    }

    /// The general phrase for what is not known.
    fn phrase(&self, slot: Slot, start: bool, out: &mut String) {
        let at = out.len();
        match slot {
            Slot::Address if self.many => out.push_str("the addresses"),
            Slot::Address => out.push_str("the address"),
            Slot::Domain => out.push_str("the domain"),
            Slot::Server | Slot::Host => match self.domain {
                Some(domain) => {
                    out.push_str("the server of ");
                    out.push_str(&short(domain));
                }
                None => out.push_str("the receiving server"),
            },
            Slot::List => out.push_str("the list"),
            Slot::Listed => out.push_str("the sending address"),
            Slot::Url => out.push_str("the page that it names"),
            Slot::Size => out.push_str("its limit"),
            Slot::Until => out.push_str("the time is over"),
        }
        if start && let Some(first) = out.get_mut(at..at + 1) {
            first.make_ascii_uppercase();
        }
    }
}

/// The text before and behind the first such sign.
fn cut(text: &str, sign: u8) -> Option<(&str, &str)> {
    let at = memchr::memchr(sign, text.as_bytes())?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// The slots of a template.
fn slots(template: &str) -> impl Iterator<Item = Slot> {
    template
        .split('{')
        .skip(1)
        .map(|tail| Slot::named(tail.split('}').next().unwrap_or_default()))
}

/// The part of the address after the last `@`.
pub(super) fn domain(address: &str) -> Option<&str> {
    let (_, domain) = address.rsplit_once('@')?;
    (!domain.is_empty()).then_some(domain)
}

/// A value that cannot flood a screen.
fn short(value: &str) -> Cow<'_, str> {
    if value.len() <= LONGEST_VALUE {
        return Cow::Borrowed(value);
    }
    let mut cut: String = value.chars().take(LONGEST_VALUE - 1).collect();
    cut.push('…');
    Cow::Owned(cut)
}

/// The first web address in the words of a server.
pub(super) fn url(text: &str) -> Option<&str> {
    let at = text.find("https://").or_else(|| text.find("http://"))?;
    let rest = text.get(at..)?;
    let end = rest
        .find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\'' | ')' | ']' | ';'));
    let url = rest
        .get(..end.unwrap_or(rest.len()))?
        .trim_end_matches(['.', ',', ':', '!']);
    // `http://` alone leads nowhere.
    (url.len() > "https://x".len()).then_some(url)
}

/// No server takes a message of more bytes.
const LARGEST: u64 = 4_000_000_000;

/// The limit that a server names for the size of a message: a number of bytes after a word such
/// as "limit" or "maximum", in megabytes.
pub(super) fn size(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let at = ["limit", "maximum", "max "]
        .iter()
        .filter_map(|word| lower.find(word))
        .min()?;
    let tail = lower.get(at..)?;
    // What stands in another clause is the number of a ticket.
    let tail = tail.split([',', ';']).next()?.split(". ").next()?;
    let number = tail
        .split(|c: char| !c.is_ascii_digit())
        .find(|digits| (5..=13).contains(&digits.len()))?
        .parse::<u64>()
        .ok()
        .filter(|bytes| *bytes <= LARGEST)?;
    let tenths = number * 10 / 1_000_000;
    Some(match (tenths / 10, tenths % 10) {
        (0, 0) => format!("{} kB", number / 1000),
        (whole, 0) => format!("{whole} MB"),
        (whole, tenth) => format!("{whole}.{tenth} MB"),
    })
}

/// A time as people write it: `Wed 10 Mar 2004 19:29 -0600`.
pub(super) fn moment(time: DateTime<FixedOffset>) -> String {
    let local = time.naive_local();
    let mut out = String::with_capacity(28);
    if !(1000..=9999).contains(&local.year()) {
        let _ = write!(out, "{}", time.format("%a %-d %b %Y %H:%M %z"));
        return out;
    }
    // chrono's own writer takes ten times as long.
    let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let day = local.weekday().num_days_from_monday() as usize;
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let number = |out: &mut String, value: u32, digits: u32| {
        for place in (0..digits).rev() {
            let digit = value / 10u32.pow(place) % 10;
            out.push(char::from_digit(digit, 10).unwrap_or('0'));
        }
    };
    out.push_str(days.get(day).copied().unwrap_or_default());
    out.push(' ');
    number(&mut out, local.day(), if local.day() < 10 { 1 } else { 2 });
    out.push(' ');
    out.push_str(
        months
            .get(local.month0() as usize)
            .copied()
            .unwrap_or_default(),
    );
    out.push(' ');
    number(&mut out, local.year().unsigned_abs(), 4);
    out.push(' ');
    number(&mut out, local.hour(), 2);
    out.push(':');
    number(&mut out, local.minute(), 2);
    let offset = time.offset().local_minus_utc();
    let minutes = offset.unsigned_abs() / 60;
    out.push_str(if offset < 0 { " -" } else { " +" });
    number(&mut out, minutes / 60 * 100 + minutes % 60, 4);
    out
}
