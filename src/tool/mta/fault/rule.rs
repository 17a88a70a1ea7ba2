//! One rule: `STAGE[CONDITIONS]:PATTERN=ACT`.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use crate::mta::session::reply::Reply;
use crate::mta::settings::parse_time;

use super::{Moment, Strike};

/// Subjects that a rule remembers for `for`.
const MOST_REMEMBERED: usize = 10_000;

/// The steps of a dialogue at which a fault can strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the words of the rules")]
pub enum Stage {
    Connect,
    Banner,
    Ehlo,
    Tls,
    Auth,
    Mail,
    Rcpt,
    Data,
    Dot,
    Quit,
}

impl Stage {
    /// Each with its word.
    pub const ALL: [(&'static str, Self); 10] = [
        ("connect", Self::Connect),
        ("banner", Self::Banner),
        ("ehlo", Self::Ehlo),
        ("tls", Self::Tls),
        ("auth", Self::Auth),
        ("mail", Self::Mail),
        ("rcpt", Self::Rcpt),
        ("data", Self::Data),
        ("dot", Self::Dot),
        ("quit", Self::Quit),
    ];
}

/// What a fault does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Nothing: for a rule that only delays.
    Go,
    /// This reply. A refusal takes the place of the work; a yes only changes the words.
    Reply(Reply),
    /// These octets in place of the reply, whatever they are.
    Raw(Vec<u8>),
    /// These octets, and then the connection ends.
    Half(Vec<u8>),
    /// The work is done, and the connection ends in place of the reply.
    Lose,
    /// The connection ends.
    Drop,
    /// The connection is cut (RST).
    Reset,
    /// Nothing is said any more.
    Silence,
    /// These extensions are not announced (at `ehlo`).
    Hide(Vec<String>),
    /// A certificate that cannot be trusted (at `tls`).
    Certificate(Flaw),
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reply(reply) => return reply.fmt(f),
            Self::Hide(words) => return write!(f, "hide {}", words.join(" ")),
            Self::Go => "ok",
            Self::Raw(_) => "raw",
            Self::Half(_) => "half",
            Self::Lose => "lose",
            Self::Drop => "drop",
            Self::Reset => "reset",
            Self::Silence => "silence",
            Self::Certificate(Flaw::Expired) => "certificate expired",
            Self::Certificate(Flaw::WrongName) => "certificate wrong-name",
        })
    }
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Its time is over.
    Expired,
    /// It is for another host.
    WrongName,
}

/// A rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    stage: Stage,
    pattern: Option<String>,
    probability: f64,
    every: u64,
    times: u64,
    lasting: Option<Duration>,
    delay: Duration,
    act: Act,
    seen: u64,
    struck: u64,
    since: HashMap<String, Instant>,
}

/// Why a rule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    /// No stage.
    #[error(
        "\"{0}\": begin with a stage: connect, banner, ehlo, tls, auth, mail, rcpt, data, dot or quit"
    )]
    Stage(String),
    /// A condition that is none.
    #[error("\"{0}\" is no condition; there are p=0.5, every=3, times=1, for=10s and delay=2s")]
    Condition(String),
    /// No act.
    #[error(
        "\"{0}\": end with = and a reply (550 5.1.1 unknown), ok, lose, drop, reset, silence, garbage, half, raw TEXT, hide KEYWORD or certificate expired"
    )]
    Act(String),
    /// No scenario of this name.
    #[error("\"{0}\": there is no such scenario; --fault list shows them")]
    Scenario(String),
}

impl Rule {
    /// Reads a rule.
    pub fn parse(text: &str) -> Result<Self, BadRule> {
        let word = text
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(text.len());
        let (word, rest) = text.split_at_checked(word).unwrap_or((text, ""));
        let stage = Stage::ALL
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(word))
            .map(|(_, stage)| *stage)
            .ok_or_else(|| BadRule::Stage(text.to_string()))?;
        let mut rule = Self {
            stage,
            pattern: None,
            probability: 1.0,
            every: 1,
            times: u64::MAX,
            lasting: None,
            delay: Duration::ZERO,
            act: Act::Go,
            seen: 0,
            struck: 0,
            since: HashMap::new(),
        };
        let mut rest = rest;
        if let Some(inner) = rest.strip_prefix('[') {
            let (conditions, after) = inner
                .split_once(']')
                .ok_or_else(|| BadRule::Condition(rest.to_string()))?;
            for condition in conditions.split(',') {
                rule.condition(condition.trim())
                    .ok_or_else(|| BadRule::Condition(condition.to_string()))?;
            }
            rest = after;
        }
        let bad = || BadRule::Act(text.to_string());
        let (pattern, act) = rest.split_once('=').ok_or_else(bad)?;
        rule.pattern = match pattern.strip_prefix(':') {
            Some(pattern) => Some(pattern.to_lowercase()),
            None if pattern.is_empty() => None,
            None => return Err(bad()),
        };
        rule.act = parse_act(act.trim(), stage).ok_or_else(bad)?;
        Ok(rule)
    }

    /// What it does when it strikes.
    pub const fn act(&self) -> &Act {
        &self.act
    }

    fn condition(&mut self, text: &str) -> Option<()> {
        let (name, value) = text.split_once('=')?;
        match name.trim() {
            "p" => {
                let share: f64 = match value.strip_suffix('%') {
                    Some(percent) => percent.parse::<f64>().ok()? / 100.0,
                    None => value.parse().ok()?,
                };
                self.probability = Some(share).filter(|p| (0.0..=1.0).contains(p))?;
            }
            "every" => self.every = value.parse().ok().filter(|n| *n > 0)?,
            "times" => self.times = value.parse().ok()?,
            "for" => self.lasting = Some(parse_time(value)?),
            "delay" => self.delay = parse_time(value)?,
            _ => return None,
        }
        Some(())
    }

    /// What it does at a moment, if anything; it counts and remembers.
    pub fn strike(&mut self, moment: &Moment<'_>, roll: impl FnOnce() -> f64) -> Option<Strike> {
        if moment.stage != self.stage {
            return None;
        }
        let matched = match &self.pattern {
            Some(pattern) => moment
                .subjects
                .iter()
                .find(|subject| glob(pattern, &subject.to_lowercase()))?,
            None => moment.subjects.first().unwrap_or(&""),
        };
        self.seen += 1;
        let due = self.seen.is_multiple_of(self.every) && self.struck < self.times;
        if !due || (self.probability < 1.0 && roll() >= self.probability) {
            return None;
        }
        if let Some(lasting) = self.lasting {
            if self.since.len() >= MOST_REMEMBERED {
                self.since.clear();
            }
            let key = moment.subjects.join("\n");
            let since = *self.since.entry(key).or_insert(moment.now);
            if moment.now.saturating_duration_since(since) >= lasting {
                return None;
            }
        }
        self.struck += 1;
        let act = match &self.act {
            Act::Reply(reply) => Act::Reply(Reply {
                text: fill(&reply.text, matched).into(),
                ..reply.clone()
            }),
            other => other.clone(),
        };
        Some(Strike {
            delay: self.delay,
            act,
        })
    }
}

/// Puts the subject in the place of `{}`.
fn fill(text: &str, subject: &str) -> String {
    text.replace("{}", subject)
}

fn parse_act(text: &str, stage: Stage) -> Option<Act> {
    if let Some(reply) = Reply::parse(&text.replace("\\n", "\n")) {
        return Some(Act::Reply(reply));
    }
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    match word {
        "ok" => Some(Act::Go),
        "lose" => Some(Act::Lose),
        "drop" => Some(Act::Drop),
        "reset" => Some(Act::Reset),
        "silence" => Some(Act::Silence),
        // Neither a reply nor TLS.
        "garbage" => Some(Act::Half(
            b"\x80\xff\x00\x13~~\xfe no protocol\r\n".to_vec(),
        )),
        "half" if rest.is_empty() => Some(Act::Half(b"25".to_vec())),
        "half" => Some(Act::Half(unescape(rest))),
        "raw" => Some(Act::Raw(unescape(rest))),
        "hide" if stage == Stage::Ehlo && !rest.is_empty() => {
            let words = rest.split([' ', ',']).filter(|w| !w.is_empty());
            Some(Act::Hide(words.map(str::to_ascii_uppercase).collect()))
        }
        "certificate" if stage == Stage::Tls => match rest {
            "expired" => Some(Act::Certificate(Flaw::Expired)),
            "wrong-name" => Some(Act::Certificate(Flaw::WrongName)),
            _ => None,
        },
        _ => None,
    }
}

/// `\r`, `\n`, `\t`, `\0`, `\\` and `\xHH`.
fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        let escape = (c == '\\').then(|| rest.chars().next()).flatten();
        let Some(escape) = escape else {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        };
        rest = rest.get(escape.len_utf8()..).unwrap_or_default();
        match escape {
            'r' => out.push(b'\r'),
            'n' => out.push(b'\n'),
            't' => out.push(b'\t'),
            '0' => out.push(0),
            'x' => {
                let digits = rest.get(..2).unwrap_or_default();
                out.extend(u8::from_str_radix(digits, 16).ok());
                rest = rest.get(2..).unwrap_or_default();
            }
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out
}

/// Whether a text fits a pattern, in which `*` stands for anything.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut rest) = text.strip_prefix(head) else {
        return false;
    };
    let mut pieces = tail.split('*').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        match rest.find(piece) {
            Some(at) => rest = rest.get(at + piece.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_texts() {
        assert!(glob("user@*", "user@a.test"));
        assert!(glob("*@a.test", "user@a.test"));
        assert!(glob("u*r@*.test", "user@a.test"));
        assert!(glob("*", ""));
        assert!(!glob("user@*", "xuser@a.test"));
        assert!(!glob("user", "users"));
    }

    #[test]
    fn conditions_count_and_remember() {
        let moment = |now| Moment {
            stage: Stage::Mail,
            subjects: &["a@b.test"],
            recipients: &[],
            now,
        };
        let struck = |rule: &str, seconds: &[u64]| {
            let mut rule = Rule::parse(rule).unwrap();
            let start = Instant::now();
            seconds
                .iter()
                .map(|s| {
                    let at = moment(start + Duration::from_secs(*s));
                    rule.strike(&at, || 0.5).is_some()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(
            struck("mail[every=2]=drop", &[0, 0, 0, 0]),
            [false, true, false, true]
        );
        assert_eq!(struck("mail[times=1]=drop", &[0, 0]), [true, false]);
        assert_eq!(struck("mail[for=5s]=drop", &[0, 4, 5]), [true, true, false]);
        assert_eq!(struck("mail[p=40%]=drop", &[0]), [false]);
        assert_eq!(struck("mail[p=0.6]=drop", &[0]), [true]);
        assert_eq!(struck("mail:x@*=drop", &[0]), [false]);
    }

    #[test]
    fn acts_are_read() {
        let act = |text: &str| Rule::parse(text).map(|rule| rule.act);
        assert_eq!(act("dot[delay=2s]=ok"), Ok(Act::Go));
        assert_eq!(
            act("rcpt=raw 550 x\\r\\n\\xff"),
            Ok(Act::Raw(b"550 x\r\n\xff".to_vec()))
        );
        assert_eq!(act("data=half"), Ok(Act::Half(b"25".to_vec())));
        assert_eq!(
            act("ehlo=hide SMTPUTF8"),
            Ok(Act::Hide(vec!["SMTPUTF8".into()]))
        );
        assert!(matches!(act("mail=550-a\\nb"), Err(BadRule::Act(_))));
        assert!(matches!(act("mail=550 a\\nb"), Ok(Act::Reply(_))));
        assert!(matches!(act("mail"), Err(BadRule::Act(_))));
        assert!(matches!(act("mial=drop"), Err(BadRule::Stage(_))));
        assert!(matches!(act("mail[x=1]=drop"), Err(BadRule::Condition(_))));
        assert!(matches!(act("mail=hide X"), Err(BadRule::Act(_))));
        assert!(matches!(act("mail=explode"), Err(BadRule::Act(_))));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(mail|rcpt)[=:\\[\\],*\\\\x0-9a-z é]{0,30}", subject in "\\PC{0,20}") {
            if let Ok(mut rule) = Rule::parse(&text) {
                let subjects = [subject.as_str()];
                let moment = Moment { stage: Stage::Rcpt, subjects: &subjects, recipients: &[], now: Instant::now() };
                let _ = rule.strike(&moment, || 0.0);
            }
        }
    }
}
