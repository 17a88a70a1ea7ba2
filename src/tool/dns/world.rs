//! A scripted world: who answers what, with which code, after how long. For tests, ours and
//! those of the library's users; nothing of it leaves the process.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::{Instant, sleep, sleep_until};

use super::link::lock;
use super::{Answer, Data, Failure, Kind, Lookup, Name, Patience, Question, Reply};

/// How long scripted answers may be kept.
const TTL: u32 = 60;

/// Names and what is said about them; every other name does not exist.
#[derive(Debug, Default)]
pub struct World {
    names: HashMap<Name, Entry>,
    zones: Vec<(Name, Entry)>,
    asked: Mutex<Vec<Question>>,
}

/// What is said about one name, or about every name of a zone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entry {
    /// The records; none of the kind that is asked means "no data".
    pub data: Vec<Data>,
    /// Said instead of records. [`Failure::Timeout`] is silence.
    pub failure: Option<Failure>,
    /// How long the answer takes.
    pub after: Duration,
}

/// Why a script cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadScript {
    /// It does not follow the form.
    #[error(transparent)]
    Form(#[from] toml::de::Error),
    /// A name, an address or a failure in it is none.
    #[error("{0}: not a name, an address or a failure")]
    Value(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    answer: Vec<Line>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Line {
    name: Option<String>,
    zone: Option<String>,
    a: Vec<String>,
    txt: Vec<String>,
    mx: Vec<String>,
    ptr: Option<String>,
    failure: Option<String>,
    after_ms: u64,
}

impl World {
    /// A world in which no name exists.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a script: `[[answer]]` tables with `name` or `zone`, then `a` (addresses of both
    /// families), `txt`, `mx`, `ptr`, `failure` and `after_ms`.
    pub fn from_toml(text: &str) -> Result<Self, BadScript> {
        let script: Script = toml::from_str(text)?;
        let mut world = Self::new();
        for line in &script.answer {
            let entry = line.entry()?;
            match (&line.name, &line.zone) {
                (Some(name), None) => {
                    world.names.insert(name_of(name)?, entry);
                }
                (None, Some(zone)) => world.zones.push((name_of(zone)?, entry)),
                _ => return Err(BadScript::Value("name or zone, one of them".to_string())),
            }
        }
        Ok(world)
    }

    /// Lets a name have addresses. A name that cannot be asked is left out.
    #[must_use]
    pub fn addresses(mut self, name: &str, addresses: &[&str]) -> Self {
        let data = addresses.iter().filter_map(|a| a.parse().ok()).map(address);
        if let Ok(name) = Name::parse(name) {
            self.names.entry(name).or_default().data.extend(data);
        }
        self
    }

    /// Lets a name have a text.
    #[must_use]
    pub fn text(mut self, name: &str, text: &[u8]) -> Self {
        if let Ok(name) = Name::parse(name) {
            self.names
                .entry(name)
                .or_default()
                .data
                .push(Data::Txt(text.to_vec()));
        }
        self
    }

    /// Says the same about every name within a zone that has no entry of its own.
    #[must_use]
    pub fn zone(mut self, zone: &str, entry: Entry) -> Self {
        if let Ok(zone) = Name::parse(zone) {
            self.zones.push((zone, entry));
        }
        self
    }

    /// Says this about one name.
    #[must_use]
    pub fn name(mut self, name: &str, entry: Entry) -> Self {
        if let Ok(name) = Name::parse(name) {
            self.names.insert(name, entry);
        }
        self
    }

    /// What is said about a name: its own entry, else that of the innermost zone.
    pub fn entry(&self, name: &Name) -> Option<&Entry> {
        let zone = || {
            let within = self.zones.iter().filter(|(zone, _)| name.is_within(zone));
            within
                .max_by_key(|(zone, _)| zone.as_str().len())
                .map(|(_, entry)| entry)
        };
        self.names.get(name).or_else(zone)
    }

    /// Every question so far, in the order they were asked.
    pub fn asked(&self) -> Vec<Question> {
        lock(&self.asked).clone()
    }
}

impl Entry {
    /// An entry that fails.
    pub fn failing(failure: Failure) -> Self {
        Self {
            failure: Some(failure),
            ..Self::default()
        }
    }

    /// An entry with one address.
    pub fn saying(ip: impl Into<IpAddr>) -> Self {
        Self {
            data: vec![address(ip.into())],
            ..Self::default()
        }
    }

    /// The same after a while.
    #[must_use]
    pub fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }

    /// What it says to a question.
    pub fn result(&self, kind: Kind) -> Result<Answer, Failure> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let data: Vec<_> = self
            .data
            .iter()
            .filter(|d| d.kind() == kind)
            .cloned()
            .collect();
        if data.is_empty() {
            return Err(Failure::NoData);
        }
        Ok(Answer {
            data,
            aliases: Vec::new(),
            ttl: TTL,
            authentic: false,
        })
    }
}

impl Lookup for World {
    async fn lookup(&self, question: Question, patience: Patience) -> Reply {
        lock(&self.asked).push(question.clone());
        let Some(entry) = self.entry(&question.name) else {
            return Reply::at_once(Err(Failure::NxDomain));
        };
        let started = Instant::now();
        let silent = entry.failure == Some(Failure::Timeout);
        if !silent && entry.after <= patience.wait {
            sleep(entry.after).await;
        } else {
            sleep(patience.wait).await;
            let longest = patience.wait * if patience.extends() { 2 } else { 1 };
            let answers = !silent && entry.after <= longest;
            sleep_until(started + if answers { entry.after } else { longest }).await;
            if !answers {
                let result = Err(Failure::Timeout);
                return Reply {
                    result,
                    took: longest,
                    server: None,
                };
            }
        }
        Reply {
            result: entry.result(question.kind),
            took: entry.after,
            server: None,
        }
    }
}

impl Line {
    fn entry(&self) -> Result<Entry, BadScript> {
        let bad = |text: &String| BadScript::Value(text.clone());
        let mut data = Vec::new();
        for ip in &self.a {
            data.push(address(ip.parse().map_err(|_| bad(ip))?));
        }
        data.extend(
            self.txt
                .iter()
                .map(|text| Data::Txt(text.as_bytes().to_vec())),
        );
        for mx in &self.mx {
            let (preference, exchange) = mx.split_once(' ').ok_or_else(|| bad(mx))?;
            let preference = preference.parse().map_err(|_| bad(mx))?;
            data.push(Data::Mx {
                preference,
                exchange: name_of(exchange)?,
            });
        }
        if let Some(name) = &self.ptr {
            data.push(Data::Ptr(name_of(name)?));
        }
        let failure = match self.failure.as_deref() {
            None => None,
            Some("nxdomain") => Some(Failure::NxDomain),
            Some("nodata") => Some(Failure::NoData),
            Some("servfail") => Some(Failure::ServFail),
            Some("refused") => Some(Failure::Refused),
            Some("silence") => Some(Failure::Timeout),
            Some("rubbish") => Some(Failure::Rubbish),
            Some(other) => return Err(BadScript::Value(other.to_string())),
        };
        Ok(Entry {
            data,
            failure,
            after: Duration::from_millis(self.after_ms),
        })
    }
}

fn address(ip: IpAddr) -> Data {
    match ip {
        IpAddr::V4(ip) => Data::A(ip),
        IpAddr::V6(ip) => Data::Aaaa(ip),
    }
}

fn name_of(text: &str) -> Result<Name, BadScript> {
    match text {
        "." => Ok(Name::root()),
        text => Name::parse(text).map_err(|_| BadScript::Value(text.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Pulse;

    const SCRIPT: &str = "
        [[answer]]
        name = '2.0.0.127.bl.test'
        a = ['127.0.0.2', '::1']
        [[answer]]
        zone = 'bl.test'
        failure = 'servfail'
        [[answer]]
        name = 'slow.test'
        a = ['127.0.0.2']
        after_ms = 3000
    ";

    async fn result(world: &World, name: &str, patience: Patience) -> Result<Answer, Failure> {
        world
            .lookup(Question::new(Name::parse(name).unwrap(), Kind::A), patience)
            .await
            .result
    }

    #[tokio::test]
    async fn a_script_says_who_answers_what() {
        let world = World::from_toml(SCRIPT).unwrap();
        let soon = Patience::of(Duration::from_secs(2));
        let listed = result(&world, "2.0.0.127.bl.test", soon.clone())
            .await
            .unwrap();
        assert_eq!(listed.data, [Data::A([127, 0, 0, 2].into())]);
        let other = result(&world, "9.9.9.9.bl.test", soon.clone()).await;
        assert_eq!(other, Err(Failure::ServFail));
        assert_eq!(
            result(&world, "elsewhere.test", soon).await,
            Err(Failure::NxDomain)
        );
        assert_eq!(world.asked().len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn who_shows_signs_of_life_gets_the_time_twice() {
        let world = World::from_toml(SCRIPT).unwrap();
        let (dead, alive) = (Pulse::default(), Pulse::default());
        alive.beat();
        let wait = Duration::from_secs(2);
        let gone = result(&world, "slow.test", Patience::unless_felt(wait, dead)).await;
        assert_eq!(gone, Err(Failure::Timeout));
        assert!(
            result(&world, "slow.test", Patience::unless_felt(wait, alive))
                .await
                .is_ok()
        );
    }

    #[test]
    fn a_script_with_an_unknown_word_is_refused() {
        assert!(World::from_toml("[[answer]]\nname='a.test'\nfailure='sulks'").is_err());
        assert!(World::from_toml("[[answer]]\nname='a.test'\nadress=['127.0.0.2']").is_err());
    }
}
