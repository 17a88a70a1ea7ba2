//! Named scenarios: for each cause that a server can bring about, the rules that do it. They
//! stand in `data/faults.toml`.

use std::sync::OnceLock;

use serde::Deserialize;

use super::rule::{BadRule, Rule};

/// One scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// The cause that the explanation of the bounce has to give, an id of the taxonomy.
    pub cause: String,
    /// What happens, in a few words.
    pub what: String,
    /// The rules as they are written.
    pub rules: Vec<String>,
}

#[derive(Deserialize)]
struct File {
    scenario: Vec<Scenario>,
}

/// All scenarios. They are read when somebody first asks for one.
pub fn all() -> &'static [Scenario] {
    static ALL: OnceLock<Vec<Scenario>> = OnceLock::new();
    ALL.get_or_init(|| {
        // A test reads the file, so that it cannot be broken here.
        let file = toml::from_str::<File>(include_str!("../../data/faults.toml"));
        file.map(|file| file.scenario).unwrap_or_default()
    })
}

impl Scenario {
    /// The scenario of a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        all().iter().find(|s| s.name.eq_ignore_ascii_case(name))
    }

    /// Its rules, fresh.
    pub fn rules(&self) -> Vec<Rule> {
        let rules = self.rules.iter().map(|rule| Rule::parse(rule));
        rules.filter_map(Result::ok).collect()
    }
}

/// Reads what a user gave: a rule, or the name of a scenario.
pub fn parse(text: &str) -> Result<Vec<Rule>, BadRule> {
    if text.contains('=') {
        return Ok(vec![Rule::parse(text)?]);
    }
    let scenario = Scenario::named(text.trim());
    scenario
        .map(Scenario::rules)
        .ok_or_else(|| BadRule::Scenario(text.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounce::cause::Cause;
    use crate::bounce::explain_line;
    use crate::mta::fault::Act;

    #[test]
    fn every_scenario_can_be_played_and_names_a_cause_that_there_is() {
        let file: File = toml::from_str(include_str!("../../data/faults.toml")).unwrap();
        assert!(file.scenario.len() >= 30);
        for scenario in &file.scenario {
            for rule in &scenario.rules {
                Rule::parse(rule).unwrap_or_else(|e| panic!("{}: {e}", scenario.name));
            }
            assert!(!scenario.rules.is_empty(), "{}", scenario.name);
            let known = Cause::ALL.iter().any(|cause| cause.id() == scenario.cause);
            assert!(known, "{}: {}", scenario.name, scenario.cause);
        }
    }

    #[test]
    fn what_a_scenario_says_is_explained_as_its_cause() {
        let mut judged = 0;
        for scenario in all() {
            let acts = scenario.rules();
            let said = acts.iter().find_map(|rule| match rule.act() {
                Act::Reply(reply) if !reply.is_positive() => Some(reply.to_string()),
                _ => None,
            });
            let Some(said) = said else {
                continue;
            };
            let line = said.replace("{}", "bob@example.test");
            let cause = explain_line(&line).recipients[0].cause.id();
            assert_eq!(cause, scenario.cause, "{}: {line}", scenario.name);
            judged += 1;
        }
        assert!(judged >= 35, "{judged}");
    }

    #[test]
    fn a_name_or_a_rule_is_read() {
        assert_eq!(parse("user-unknown").unwrap().len(), 1);
        assert_eq!(parse("rcpt=drop").unwrap().len(), 1);
        assert!(matches!(parse("no-such"), Err(BadRule::Scenario(_))));
    }
}
