//! What a cause means for people: what happened, whose side it is on, what to do. The words are
//! in `data/causes.toml`; this file only chooses among them and fills in what is known.

use std::borrow::Cow;
use std::fmt::Write as _;

use chrono::{DateTime, Datelike, FixedOffset, Timelike};

use crate::bounce::cause::Cause;
use crate::bounce::explanation::{Action, Mistake, Recipient};
use crate::scope::Scope;

/// Whom the words are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// The person who got the bounce.
    User,
    /// The administrator of a mail server.
    Admin,
    /// The person first, then the administrator.
    Both,
}

/// Who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Who {
    Sender,
    SenderAdmin,
    Recipient,
    RecipientAdmin,
    Nobody,
}

impl Who {
    /// The id used in JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::SenderAdmin => "sender-admin",
            Self::Recipient => "recipient",
            Self::RecipientAdmin => "recipient-admin",
            Self::Nobody => "nobody",
        }
    }
}

/// What to tell somebody about one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// The cause in three or four words.
    pub title: &'static str,
    /// Who must act.
    pub who: Who,
    /// Whose side it is on, as a sentence.
    pub side: Cow<'static, str>,
    /// What happened.
    pub meaning: Cow<'static, str>,
    /// What to do, one after the other.
    pub steps: Vec<Cow<'static, str>>,
    /// The words for the administrator, when they were asked for beside those for the user.
    pub admin: Option<AdminAdvice>,
}

/// The same for the administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminAdvice {
    /// What happened, technically.
    pub meaning: Cow<'static, str>,
    /// What to do.
    pub steps: Vec<Cow<'static, str>>,
}

/// The words about one recipient. Pure and cheap: static texts with the known values put in.
pub fn advise(recipient: &Recipient, audience: Audience) -> Advice {
    let address = recipient.address.as_deref();
    advise_as(
        recipient,
        audience,
        &Facts {
            recipient,
            address,
            domain: address.and_then(domain),
            many: false,
        },
    )
}

/// The words about several recipients that met the same fate as `first`, one of them. The domain
/// is named when all share it.
pub fn advise_group(first: &Recipient, others: &[&Recipient], audience: Audience) -> Advice {
    if others.is_empty() {
        return advise(first, audience);
    }
    let of = |recipient: &Recipient| {
        recipient
            .address
            .as_deref()
            .and_then(domain)
            .map(str::to_owned)
    };
    let shared = others.iter().all(|other| of(other) == of(first));
    let domain = first.address.as_deref().and_then(domain).filter(|_| shared);
    advise_as(
        first,
        audience,
        &Facts {
            recipient: first,
            address: None,
            domain,
            many: true,
        },
    )
}

fn advise_as(recipient: &Recipient, audience: Audience, facts: &Facts<'_>) -> Advice {
    let words = words(recipient.cause, Situation::of(recipient));
    let speech = match audience {
        Audience::Admin => &words.admin,
        Audience::User | Audience::Both => &words.user,
    };
    Advice {
        title: words.title.text(),
        who: words.who,
        side: facts.fill(words.side),
        meaning: facts.fill(speech.what),
        steps: facts.steps(speech),
        admin: (audience == Audience::Both).then(|| AdminAdvice {
            meaning: facts.fill(words.admin.what),
            steps: facts.steps(&words.admin),
        }),
    }
}

/// The short name of a cause, as it stands in summaries.
pub fn title(cause: Cause) -> &'static str {
    words(cause, Situation::Final).title.text()
}

/// A typical line that a server writes for this cause.
pub fn example(cause: Cause) -> &'static str {
    ENTRIES
        .get(place(cause))
        .map_or("", |entry| entry.example.text())
}

/// Which of the texts of a cause fits. The order is that of `build/causes.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Situation {
    Final,
    Waiting,
    Expired,
    QueryRefused,
    DeadList,
    PrivateAddress,
    Relayed,
    Expanded,
}

/// How many situations there are.
const SITUATIONS: usize = 8;

impl Situation {
    fn of(recipient: &Recipient) -> Self {
        match recipient
            .dnsbl
            .as_ref()
            .and_then(|listing| listing.mistaken)
        {
            Some(Mistake::QueryRefused) => return Self::QueryRefused,
            Some(Mistake::DeadList) => return Self::DeadList,
            None => {}
        }
        match recipient.action {
            Some(Action::Relayed) => Self::Relayed,
            Some(Action::Expanded) => Self::Expanded,
            _ if recipient.expired => Self::Expired,
            _ if recipient.permanent == Some(false) => Self::Waiting,
            _ if recipient
                .dnsbl
                .as_ref()
                .and_then(|l| l.ip)
                .is_some_and(|ip| Scope::of(ip).is_inside()) =>
            {
                Self::PrivateAddress
            }
            _ => Self::Final,
        }
    }
}

struct Entry {
    example: Span,
    words: [Words; SITUATIONS],
}

struct Words {
    title: Span,
    who: Who,
    side: Span,
    user: Speech,
    admin: Speech,
}

struct Speech {
    what: Span,
    /// The place of the first in `STEPS`, and how many there are.
    from: u16,
    steps: u8,
}

/// A part of `TEXT`.
#[derive(Clone, Copy)]
struct Span {
    at: u32,
    len: u16,
}

impl Span {
    fn text(self) -> &'static str {
        let at = self.at as usize;
        TEXT.get(at..at + usize::from(self.len)).unwrap_or("")
    }
}

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

include!(concat!(env!("OUT_DIR"), "/causes.rs"));

/// What there is when the table lacks an entry, which the build rules out.
static NO_WORDS: Words = Words {
    title: Span { at: 0, len: 0 },
    who: Who::Nobody,
    side: Span { at: 0, len: 0 },
    user: Speech {
        what: Span { at: 0, len: 0 },
        from: 0,
        steps: 0,
    },
    admin: Speech {
        what: Span { at: 0, len: 0 },
        from: 0,
        steps: 0,
    },
};

fn words(cause: Cause, situation: Situation) -> &'static Words {
    let entry = ENTRIES.get(place(cause));
    entry
        .and_then(|entry| entry.words.get(situation as usize))
        .unwrap_or(&NO_WORDS)
}

/// Longer values are cut: an address has at most 254 characters (RFC 5321 §4.5.3.1), and what is
/// longer is an attempt to flood the screen.
const LONGEST_VALUE: usize = 254;

/// The values of the slots.
struct Facts<'r> {
    recipient: &'r Recipient,
    address: Option<&'r str>,
    domain: Option<&'r str>,
    /// The words are about several addresses.
    many: bool,
}

impl Facts<'_> {
    fn steps(&self, speech: &Speech) -> Vec<Cow<'static, str>> {
        let from = usize::from(speech.from);
        let steps = STEPS
            .get(from..from + usize::from(speech.steps))
            .unwrap_or_default();
        steps
            .iter()
            .map(|step| self.fill(*step))
            .filter(|step| !step.is_empty())
            .collect()
    }

    /// A template with its values. The build has checked that brackets come in pairs.
    fn fill(&self, template: Span) -> Cow<'static, str> {
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
fn domain(address: &str) -> Option<&str> {
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
fn url(text: &str) -> Option<&str> {
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

/// The limit that a server names for the size of a message: a number of bytes after a word such
/// as "limit" or "maximum", in megabytes.
fn size(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let at = ["limit", "maximum", "max "]
        .iter()
        .filter_map(|word| lower.find(word))
        .min()?;
    let tail = lower.get(at..)?;
    let number = tail
        .split(|c: char| !c.is_ascii_digit())
        .find(|digits| (5..=13).contains(&digits.len()))?
        .parse::<u64>()
        .ok()?;
    let tenths = number * 10 / 1_000_000;
    Some(match (tenths / 10, tenths % 10) {
        (0, 0) => format!("{} kB", number / 1000),
        (whole, 0) => format!("{whole} MB"),
        (whole, tenth) => format!("{whole}.{tenth} MB"),
    })
}

/// A time as people write it: `Wed 10 Mar 2004 19:29 -0600`.
pub(crate) fn moment(time: DateTime<FixedOffset>) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounce::explanation::{Confidence, Listing, Remote};

    fn recipient(cause: Cause) -> Recipient {
        Recipient::of(cause, Confidence::High)
    }

    fn known(cause: Cause) -> Recipient {
        Recipient {
            address: Some("user@example.com".to_owned()),
            remote_mta: Remote {
                host: Some("mx.example.com".to_owned()),
                ip: None,
            },
            diagnostic: Some("552 size limit 10485760, see https://example.com/why.".to_owned()),
            dnsbl: Some(Listing {
                list: Some("spamhaus-zen"),
                zone: Some("zen.spamhaus.org".to_owned()),
                ip: Some("192.0.2.1".parse().unwrap()),
                url: Some("https://check.example/192.0.2.1".to_owned()),
                ..Listing::default()
            }),
            retry_until: DateTime::parse_from_rfc3339("2004-03-10T19:29:27-06:00").ok(),
            ..recipient(cause)
        }
    }

    #[test]
    fn moments_are_written_as_chrono_writes_them() {
        for written in [
            "2004-03-10T19:29:27-06:00",
            "2026-11-22T03:09:03+05:30",
            "0999-01-01T00:00:00+00:00",
            "1999-12-31T23:59:59-00:30",
        ] {
            let time = DateTime::parse_from_rfc3339(written).unwrap();
            let chrono = time.format("%a %-d %b %Y %H:%M %z").to_string();
            assert_eq!(moment(time), chrono);
        }
    }

    /// Each way in which the words can be asked for.
    fn everything(mut visit: impl FnMut(Cause, &str, bool)) {
        let outcomes: [fn(&mut Recipient); 7] = [
            |_| {},
            |r| r.permanent = Some(false),
            |r| r.expired = true,
            |r| r.action = Some(Action::Relayed),
            |r| r.action = Some(Action::Expanded),
            |r| {
                r.dnsbl = Some(Listing {
                    mistaken: Some(Mistake::QueryRefused),
                    ..Listing::default()
                });
            },
            |r| {
                r.dnsbl = Some(Listing {
                    mistaken: Some(Mistake::DeadList),
                    ..Listing::default()
                });
            },
        ];
        for &cause in Cause::ALL {
            for outcome in outcomes {
                for (mut recipient, full) in [(recipient(cause), false), (known(cause), true)] {
                    outcome(&mut recipient);
                    let advice = advise(&recipient, Audience::Both);
                    let admin = advice.admin.clone().unwrap();
                    visit(cause, advice.title, full);
                    for text in [&advice.side, &advice.meaning, &admin.meaning] {
                        visit(cause, text, full);
                    }
                    assert!((1..=5).contains(&advice.steps.len()), "{cause}");
                    assert!((1..=5).contains(&admin.steps.len()), "{cause}");
                    advice
                        .steps
                        .iter()
                        .chain(&admin.steps)
                        .for_each(|s| visit(cause, s, full));
                }
            }
        }
    }

    #[test]
    fn every_text_is_a_clean_sentence_with_and_without_values() {
        everything(|cause, text, _| {
            assert!(!text.trim().is_empty(), "{cause}");
            for wrong in [
                "  ", " .", " ,", "..", "{", "}", "[", "]", "|", ",,", ".,", ":.", "( ",
            ] {
                assert!(!text.contains(wrong), "{cause}: {wrong:?} in {text:?}");
            }
        });
    }

    #[test]
    fn sentences_begin_with_a_capital_and_end_with_a_stop() {
        for &cause in Cause::ALL {
            for recipient in [recipient(cause), known(cause)] {
                let advice = advise(&recipient, Audience::Both);
                let admin = advice.admin.unwrap();
                for text in [&advice.meaning, &advice.side, &admin.meaning] {
                    assert!(text.ends_with('.'), "{cause}: {text}");
                    let host = ["mx.", "user@", "192.0", "example.com", "zen."];
                    assert!(
                        text.starts_with(char::is_uppercase)
                            || host.iter().any(|h| text.starts_with(h)),
                        "{cause}: {text}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_known_is_said() {
        let advice = advise(&known(Cause::Dnsbl), Audience::Both);
        assert!(
            advice
                .meaning
                .contains("192.0.2.1 is on the block list zen.spamhaus.org")
        );
        let admin = advice.admin.unwrap();
        assert_eq!(
            admin.steps[0],
            "Look it up: https://check.example/192.0.2.1"
        );
        let advice = advise(&known(Cause::MessageTooLarge), Audience::User);
        assert!(
            advice.meaning.contains("the limit is 10.4 MB"),
            "{}",
            advice.meaning
        );
        assert!(advice.admin.is_none());
    }

    #[test]
    fn what_is_not_known_becomes_a_phrase() {
        let advice = advise(&recipient(Cause::UserUnknown), Audience::User);
        assert_eq!(
            advice.meaning,
            "The receiving server says that it has no mailbox with this name."
        );
        assert_eq!(advice.steps[0], "Check the spelling of the address.");
    }

    #[test]
    fn a_server_that_still_tries_needs_no_second_mail() {
        let waiting = Recipient {
            permanent: Some(false),
            ..known(Cause::ConnectionFailed)
        };
        let advice = advise(&waiting, Audience::User);
        assert_eq!(advice.who, Who::Nobody);
        assert!(
            advice
                .meaning
                .contains("keeps trying until Wed 10 Mar 2004 19:29 -0600")
        );
        let expired = Recipient {
            permanent: Some(true),
            expired: true,
            ..waiting
        };
        let advice = advise(&expired, Audience::User);
        assert_eq!(advice.who, Who::SenderAdmin);
        assert!(advice.meaning.contains("gave up"));
    }

    #[test]
    fn a_misread_list_is_not_the_senders_to_mend() {
        for mistaken in [Mistake::QueryRefused, Mistake::DeadList] {
            let mut recipient = known(Cause::Dnsbl);
            recipient.dnsbl.as_mut().unwrap().mistaken = Some(mistaken);
            let advice = advise(&recipient, Audience::Both);
            assert_eq!(advice.who, Who::RecipientAdmin);
            assert!(
                !advice.meaning.contains("refused the mail because"),
                "{}",
                advice.meaning
            );
        }
    }

    #[test]
    fn a_private_address_sends_the_administrator_to_the_public_one() {
        let mut recipient = known(Cause::Dnsbl);
        recipient.dnsbl.as_mut().unwrap().ip = "192.168.1.50".parse().ok();
        let admin = advise(&recipient, Audience::Both).admin.unwrap();
        assert!(
            admin
                .meaning
                .starts_with("192.168.1.50 is a private address")
        );
        assert!(admin.steps[0].contains("public address"), "{admin:?}");
    }

    #[test]
    fn an_endless_address_does_not_flood_the_screen() {
        let flood = Recipient {
            address: Some("x".repeat(100_000)),
            ..recipient(Cause::UserUnknown)
        };
        assert!(
            advise(&flood, Audience::User)
                .steps
                .iter()
                .all(|step| step.len() < 400)
        );
    }

    #[test]
    fn links_and_limits_are_found_in_the_words() {
        assert_eq!(
            url("550 see https://x.example/a?b=1, thanks"),
            Some("https://x.example/a?b=1")
        );
        assert_eq!(
            url("blocked (http://www.example.org/x)."),
            Some("http://www.example.org/x")
        );
        assert_eq!(url("550 no link"), None);
        assert_eq!(
            size("message size 12000000 exceeds size limit 10240000 of server").as_deref(),
            Some("10.2 MB")
        );
        assert_eq!(
            size("552 too big (max 50000 bytes)").as_deref(),
            Some("50 kB")
        );
        assert_eq!(size("552 5.3.4 message 12345678 too big"), None);
    }

    #[test]
    fn titles_and_examples_are_there_for_all() {
        for &cause in Cause::ALL {
            assert!(!title(cause).is_empty());
            assert!(!example(cause).is_empty());
        }
    }
}
