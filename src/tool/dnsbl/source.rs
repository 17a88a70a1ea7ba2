//! The lists of a run: those of the catalogue, the user's keys, and the user's own zones.

use crate::dns::Name;
use crate::dnsbl::catalogue::{self, List, Meaning, Pattern, Sense, Subjects, Weight};
use crate::dnsbl::subject::Subject;

/// A list as it is asked in this run.
#[derive(Debug, PartialEq)]
pub struct Source {
    /// Its entry in the catalogue.
    pub list: Option<&'static List>,
    /// The id used in JSON: that of the catalogue, or the zone.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The zone as it may be shown: without a key from the configuration.
    pub shown: String,
    /// The zone as it is asked; `None` when it cannot be.
    pub zone: Option<Name>,
    /// How much a listing hurts.
    pub weight: Weight,
    /// What an answer says, when no code says otherwise.
    pub sense: Sense,
    /// What it can be asked about.
    pub subjects: Subjects,
    /// What its answers mean, first match first.
    pub answers: Vec<Meaning>,
    /// The user named it: it is asked about everything and its silence is explained.
    pub named: bool,
    /// Whether its test entries can be asked.
    pub tests: bool,
    /// Why it is not asked at all.
    pub barred: Option<&'static str>,
}

/// A zone of the user's own, from the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnZone {
    /// The zone.
    pub zone: String,
    /// What to call it.
    pub name: Option<String>,
    /// `high`, `medium`, `low` or `info`; `medium` when nothing is said.
    pub weight: Option<String>,
    /// `block`, `policy`, `allow` or `info`; `block` when nothing is said.
    pub sense: Option<String>,
    /// Its codes and what they mean.
    pub codes: Vec<(String, String)>,
    /// Whether it has the test entries of RFC 5782; without them its silence is believed.
    pub tests: bool,
}

impl Default for OwnZone {
    fn default() -> Self {
        Self {
            zone: String::new(),
            name: None,
            weight: None,
            sense: None,
            codes: Vec::new(),
            tests: true,
        }
    }
}

/// What to ask.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Choice {
    /// Ids of lists. With these or `zones`, nothing else is asked.
    pub lists: Vec<String>,
    /// Zones named on the command line.
    pub zones: Vec<String>,
    /// Every list that can be asked, not only the usual ones.
    pub all: bool,
    /// Zones of the configuration.
    pub own: Vec<OwnZone>,
    /// Ids of lists and the user's keys for them.
    pub keys: Vec<(String, String)>,
    /// Ids of lists that are not to be asked.
    pub off: Vec<String>,
}

/// Why a choice cannot be asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadChoice {
    /// No list has this id.
    #[error(
        "{0}: no list of the catalogue; `mailtrace dnsbl --catalogue` shows them, a zone of your own goes with --zone"
    )]
    UnknownList(String),
    /// The zone is no name.
    #[error("{0}: not the name of a zone")]
    BadZone(String),
    /// A value in the configuration is not one of those that exist.
    #[error("dnsbl zone {zone}: {value} is not known here")]
    BadValue {
        /// The zone.
        zone: String,
        /// The value.
        value: String,
    },
}

/// Codes of the user's own zones live as long as the program.
fn keep(text: &str) -> &'static str {
    Box::leak(text.to_string().into_boxed_str())
}

impl Choice {
    /// The lists of the run, in the order of the catalogue; those that were named come first.
    pub fn sources(&self) -> Result<Vec<Source>, BadChoice> {
        let mut sources = Vec::new();
        for zone in &self.zones {
            sources.push(named_zone(zone)?);
        }
        for id in &self.lists {
            let list = catalogue::by_id(id).ok_or_else(|| BadChoice::UnknownList(id.clone()))?;
            sources.push(Source {
                named: true,
                ..self.of_list(list)?
            });
        }
        for id in self.keys.iter().map(|(id, _)| id).chain(&self.off) {
            catalogue::by_id(id).ok_or_else(|| BadChoice::UnknownList(id.clone()))?;
        }
        if sources.is_empty() {
            for own in &self.own {
                sources.push(own_zone(own)?);
            }
            for list in catalogue::LISTS.iter().filter(|list| self.wants(list)) {
                sources.push(self.of_list(list)?);
            }
        }
        let mut seen = std::collections::HashSet::new();
        sources.retain(|source| seen.insert(source.shown.clone()));
        Ok(sources)
    }

    fn key(&self, list: &List) -> Option<&str> {
        self.keys
            .iter()
            .find(|(id, _)| id == list.id)
            .map(|(_, key)| key.as_str())
    }

    /// Whether a list belongs to the run when none was named.
    fn wants(&self, list: &List) -> bool {
        let askable = list.dead.is_none()
            && list.zone.is_some()
            && list.part_of.is_none()
            && (list.subjects.ipv4 || list.subjects.ipv6 || list.subjects.domain);
        let keyed = self.key(list).is_some();
        // With a key for the paid name of a list, its free name is not asked as well.
        let replaced = self
            .keys
            .iter()
            .any(|(id, _)| id.strip_suffix("-dqs") == Some(list.id));
        let wanted = list.default || keyed || (self.all && !list.key);
        askable && wanted && !replaced && !self.off.iter().any(|id| id == list.id)
    }

    fn of_list(&self, list: &'static List) -> Result<Source, BadChoice> {
        let shown = list.zone.unwrap_or(list.id);
        let key = self.key(list);
        let asked = match (list.key, key) {
            (true, Some(key)) => format!("{key}.{shown}"),
            _ => shown.to_string(),
        };
        let barred = if list.zone.is_none() {
            Some("has no public zone: it can only be looked up on its own page")
        } else if list.key && key.is_none() {
            Some("answers only with a key: put yours into the configuration")
        } else {
            None
        };
        // The key is part of the name: the error must not show it.
        let zone = Name::parse(&asked).map_err(|_| BadChoice::BadZone(shown.to_string()))?;
        Ok(Source {
            zone: barred.is_none().then_some(zone),
            barred,
            shown: shown.to_string(),
            ..Source::of_catalogue(list)
        })
    }
}

impl Source {
    fn of_catalogue(list: &'static List) -> Self {
        Self {
            list: Some(list),
            id: list.id.to_string(),
            name: list.name.to_string(),
            shown: String::new(),
            zone: None,
            weight: list.weight,
            sense: list.sense,
            subjects: list.subjects,
            answers: list.answers.to_vec(),
            named: false,
            tests: true,
            barred: None,
        }
    }

    /// Whether it is a list of the world's, which must not hear of private addresses.
    pub fn is_public(&self) -> bool {
        self.list.is_some()
    }

    /// Whether it can be asked about such a subject.
    pub fn takes(&self, subject: &Subject) -> bool {
        match subject {
            Subject::V4(_) => self.subjects.ipv4,
            Subject::V6(_) => self.subjects.ipv6,
            Subject::Domain(_) => self.subjects.domain,
        }
    }
}

/// A zone that the user typed: shown as typed, a key in it included.
fn named_zone(text: &str) -> Result<Source, BadChoice> {
    let zone = Name::parse(text).map_err(|_| BadChoice::BadZone(text.to_string()))?;
    let shown = zone.to_string();
    Ok(match catalogue::by_zone(&shown) {
        Some((list, _)) => Source {
            zone: Some(zone),
            shown,
            named: true,
            ..Source::of_catalogue(list)
        },
        None => unknown_zone(zone),
    })
}

fn unknown_zone(zone: Name) -> Source {
    Source {
        list: None,
        id: zone.to_string(),
        name: zone.to_string(),
        shown: zone.to_string(),
        zone: Some(zone),
        weight: Weight::Medium,
        sense: Sense::Block,
        subjects: Subjects {
            ipv4: true,
            ipv6: true,
            domain: true,
        },
        answers: Vec::new(),
        named: true,
        tests: true,
        barred: None,
    }
}

fn own_zone(own: &OwnZone) -> Result<Source, BadChoice> {
    let bad = |value: &str| BadChoice::BadValue {
        zone: own.zone.clone(),
        value: value.to_string(),
    };
    let mut source = named_zone(&own.zone)?;
    source.tests = own.tests;
    if let Some(name) = &own.name {
        source.name.clone_from(name);
    }
    if let Some(weight) = own.weight.as_deref() {
        const ALL: [Weight; 4] = [Weight::High, Weight::Medium, Weight::Low, Weight::Info];
        source.weight = ALL
            .into_iter()
            .find(|w| w.id() == weight)
            .ok_or_else(|| bad(weight))?;
    }
    if let Some(sense) = own.sense.as_deref() {
        const ALL: [Sense; 4] = [Sense::Block, Sense::Policy, Sense::Allow, Sense::Info];
        source.sense = ALL
            .into_iter()
            .find(|s| s.id() == sense)
            .ok_or_else(|| bad(sense))?;
    }
    for (code, means) in &own.codes {
        let ip: std::net::Ipv4Addr = code.parse().map_err(|_| bad(code))?;
        let pattern = Pattern::Range(u32::from(ip), u32::from(ip));
        let means = keep(means);
        let answer = Meaning {
            pattern,
            means,
            sense: source.sense,
            part: None,
            kind: None,
        };
        source.answers.insert(0, answer);
    }
    Ok(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_word_the_default_set_is_asked() {
        assert_eq!(Choice::default().sources().unwrap().len(), 67);
        let all = Choice {
            all: true,
            ..Choice::default()
        }
        .sources()
        .unwrap();
        assert!(all.len() > 80 && all.iter().all(|s| s.barred.is_none()));
    }

    #[test]
    fn whoever_names_lists_gets_those() {
        let choice = Choice {
            lists: vec!["spamcop".into()],
            zones: vec!["bl.corp.example".into(), "BL.spamcop.net".into()],
            ..Choice::default()
        };
        let ids: Vec<_> = choice
            .sources()
            .unwrap()
            .into_iter()
            .map(|s| s.id)
            .collect();
        assert_eq!(ids, ["bl.corp.example", "spamcop"]);
        let unknown = Choice {
            lists: vec!["spamkop".into()],
            ..Choice::default()
        };
        assert_eq!(
            unknown.sources(),
            Err(BadChoice::UnknownList("spamkop".into()))
        );
    }

    #[test]
    fn a_key_is_asked_with_and_never_shown() {
        let choice = Choice {
            keys: vec![("spamhaus-zen-dqs".into(), "s3cret".into())],
            ..Choice::default()
        };
        let sources = choice.sources().unwrap();
        let zen = sources.iter().find(|s| s.id == "spamhaus-zen-dqs").unwrap();
        assert_eq!(
            zen.zone.as_ref().unwrap().as_str(),
            "s3cret.zen.dq.spamhaus.net"
        );
        assert_eq!(zen.shown, "zen.dq.spamhaus.net");
        assert!(
            sources.iter().all(|s| s.id != "spamhaus-zen"),
            "the free name is left out"
        );
        let wrong = Choice {
            keys: vec![("spamhaus-zen-dqs".into(), "s3 cret".into())],
            ..Choice::default()
        };
        assert!(!wrong.sources().unwrap_err().to_string().contains("cret"));
    }

    #[test]
    fn the_configuration_adds_zones_and_switches_lists_off() {
        let own = OwnZone {
            zone: "bl.corp.example".into(),
            weight: Some("high".into()),
            codes: vec![("127.0.0.7".into(), "our own traps".into())],
            ..OwnZone::default()
        };
        let choice = Choice {
            own: vec![own.clone()],
            off: vec!["uceprotect-3".into()],
            ..Choice::default()
        };
        let sources = choice.sources().unwrap();
        assert_eq!(sources.len(), 67);
        assert_eq!(
            (sources[0].weight, sources[0].answers[0].means),
            (Weight::High, "our own traps")
        );
        assert!(sources.iter().all(|s| s.id != "uceprotect-3"));
        let wrong = OwnZone {
            weight: Some("huge".into()),
            ..own
        };
        assert!(
            Choice {
                own: vec![wrong],
                ..Choice::default()
            }
            .sources()
            .is_err()
        );
    }
}
