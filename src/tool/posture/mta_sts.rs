//! MTA-STS (RFC 8461): the record, the policy, and whether a mail server is in it. Fetching the
//! policy is the business of whoever has the network.

use crate::dns::{Failure, Lookup, Name};
use crate::posture::Asker;
use crate::posture::tags::Tags;

/// The longest time a policy may be kept (RFC 8461 §3.2).
const LONGEST_AGE: u64 = 31_557_600;
/// The largest policy that is read (RFC 8461 §3.3 suggests 64 kB).
pub const LARGEST: usize = 64 * 1024;

/// What the DNS says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// The record.
    pub text: Option<String>,
    /// Its `id`.
    pub id: Option<String>,
    /// What is wrong with it.
    pub fault: Option<&'static str>,
    /// Why nothing is known.
    pub failure: Option<Failure>,
}

/// How strictly senders shall take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of RFC 8461 §3.2")]
pub enum Mode {
    Enforce,
    Testing,
    None,
}

impl Mode {
    /// The word of the policy.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        }
    }
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How strictly it is to be taken.
    pub mode: Mode,
    /// For how many seconds it may be kept.
    pub max_age: u64,
    /// The patterns of mail servers.
    pub mx: Vec<String>,
}

/// Looks the record up.
pub async fn find<L: Lookup>(asker: Asker<'_, L>, domain: &Name) -> Record {
    match asker.texts_at("_mta-sts", domain).await {
        Ok(texts) => read(&texts),
        Err(failure) => Record {
            failure: Some(failure),
            ..Record::default()
        },
    }
}

/// Reads the texts of `_mta-sts` (RFC 8461 §3.1: exactly one that begins with the version).
pub fn read(texts: &[String]) -> Record {
    let mut ours = texts.iter().filter(|t| Tags::read(t).is_version("STSv1"));
    let Some(text) = ours.next() else {
        return Record::default();
    };
    let id = Tags::read(text).get("id").map(str::to_string);
    let good = id.as_ref().is_some_and(|id| {
        (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric())
    });
    let fault = match (ours.next(), good) {
        (Some(_), _) => Some("there are several records, so none of them counts"),
        (None, false) => Some("its id is missing or not of 1 to 32 letters and digits"),
        (None, true) => None,
    };
    Record {
        text: Some(text.clone()),
        id,
        fault,
        failure: None,
    }
}

impl Policy {
    /// Reads a policy file; the error says what is wrong.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        let (mut version, mut mode, mut age, mut mx) = (None, None, None, Vec::new());
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
            let (key, value) = line.split_once(':').ok_or("a line has no \"key: value\"")?;
            let value = value.trim();
            // RFC 8461 §3.2: of a key that is there twice, the first counts.
            match key.trim() {
                "version" => version = version.or(Some(value)),
                "mode" => mode = mode.or(Some(value)),
                "max_age" => age = age.or(Some(value)),
                "mx" => mx.push(value.trim_end_matches('.').to_ascii_lowercase()),
                _ => {}
            }
        }
        if version != Some("STSv1") {
            return Err("it has no \"version: STSv1\"");
        }
        let mode = match mode {
            Some("enforce") => Mode::Enforce,
            Some("testing") => Mode::Testing,
            Some("none") => Mode::None,
            _ => return Err("its mode is none of enforce, testing and none"),
        };
        let max_age = age
            .and_then(|a| a.parse().ok())
            .filter(|a| *a <= LONGEST_AGE);
        let max_age = max_age.ok_or("its max_age is missing or over a year")?;
        if mx.is_empty() && mode != Mode::None {
            return Err("it names no mail server (mx)");
        }
        Ok(Self { mode, max_age, mx })
    }

    /// Whether a mail server is in it (RFC 8461 §4.1: a wildcard stands for one label).
    pub fn covers(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.mx
            .iter()
            .any(|pattern| match pattern.strip_prefix("*.") {
                Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest == parent),
                None => *pattern == host,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_good_record_counts() {
        let fault = |texts: &[&str]| {
            let texts: Vec<_> = texts.iter().map(|t| (*t).to_string()).collect();
            let record = read(&texts);
            (record.text.is_some(), record.fault.is_some())
        };
        assert_eq!(fault(&["v=STSv1; id=20260101T000000;"]), (true, false));
        assert_eq!(fault(&["other", "v=STSv1;id=1"]), (true, false));
        assert_eq!(fault(&["v=STSv1; id=a-b"]), (true, true));
        assert_eq!(fault(&["v=STSv1; id=1", "v=STSv1; id=2"]), (true, true));
        assert_eq!(fault(&["v=STSv2; id=1"]), (false, false));
    }

    #[test]
    fn a_policy_is_read_and_matched() {
        let text = "version: STSv1\r\nmode: enforce\r\nmx: mx.x.test\r\nmx: *.Mail.x.test.\r\n\
                    max_age: 604800\r\nmode: none\r\nodd: 1\r\n";
        let policy = Policy::read(text).unwrap();
        assert_eq!((policy.mode, policy.max_age), (Mode::Enforce, 604_800));
        for (host, covered) in [
            ("MX.x.test.", true),
            ("a.mail.x.test", true),
            ("a.b.mail.x.test", false),
            ("mail.x.test", false),
            ("x.test", false),
        ] {
            assert_eq!(policy.covers(host), covered, "{host}");
        }
    }

    #[test]
    fn a_broken_policy_is_none() {
        for text in [
            "",
            "<html>",
            "version: STSv1\nmode: on\nmx: a\nmax_age: 1",
            "version: STSv1\nmode: enforce\nmx: a",
            "version: STSv1\nmode: enforce\nmax_age: 1",
            "version: STSv1\nmode: none\nmax_age: 99999999",
        ] {
            assert!(Policy::read(text).is_err(), "{text}");
        }
        assert!(Policy::read("version: STSv1\nmode: none\nmax_age: 86400").is_ok());
    }
}
