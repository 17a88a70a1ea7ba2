//! Misbehaviour on purpose, so that an administrator can see every kind of refusal and of bounce
//! on his own machine: rules such as `rcpt:user@*=550 5.1.1 unknown`, and named scenarios.

pub mod rule;
pub mod scenario;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use rule::{Act, BadRule, Rule, Stage};
pub use scenario::Scenario;

/// Scenarios that recipients ask for by their name begin so: `fault-over-quota@example.test`.
const BY_NAME: &str = "fault-";

/// The rules of a server. They can be changed while it runs.
#[derive(Debug, Default)]
pub struct Faults {
    /// So that a server without rules loses no time over them.
    any: AtomicBool,
    by_name: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    rules: Vec<Rule>,
    dice: Dice,
}

/// What a fault does, and after how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strike {
    /// Waits this long first.
    pub delay: Duration,
    /// Then does this.
    pub act: Act,
}

/// What is going on when a fault may strike.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// The step of the dialogue.
    pub stage: Stage,
    /// What a rule's pattern is held against; one that fits is enough.
    pub subjects: &'a [&'a str],
    /// Who is asked for by name among the recipients.
    pub recipients: &'a [&'a str],
    /// Now.
    pub now: Instant,
}

impl Faults {
    /// Rules with a seed, so that what is random happens again in the same way.
    pub fn new(rules: Vec<Rule>, seed: u64) -> Self {
        let faults = Self::default();
        faults.lock().dice = Dice(seed.max(1));
        faults.set(rules);
        faults
    }

    /// Sets the rules anew.
    pub fn set(&self, rules: Vec<Rule>) {
        let any = !rules.is_empty();
        self.lock().rules = rules;
        let by_name = self.by_name.load(Ordering::Relaxed);
        self.any.store(any || by_name, Ordering::Relaxed);
    }

    /// Lets recipients ask for a scenario by name: `fault-over-quota@…`.
    pub fn allow_names(&self) {
        self.by_name.store(true, Ordering::Relaxed);
        self.any.store(true, Ordering::Relaxed);
    }

    /// Whether there may be a fault at all.
    pub fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// What strikes now.
    pub fn strike(&self, moment: &Moment<'_>) -> Option<Strike> {
        if !self.any() {
            return None;
        }
        let mut inner = self.lock();
        let Inner { rules, dice } = &mut *inner;
        let struck = rules
            .iter_mut()
            .find_map(|rule| rule.strike(moment, || dice.roll()));
        if struck.is_some() || !self.by_name.load(Ordering::Relaxed) {
            return struck;
        }
        moment.recipients.iter().find_map(|recipient| {
            let local = recipient.split('@').next()?;
            let scenario = Scenario::named(local.strip_prefix(BY_NAME)?)?;
            let mut rules = scenario.rules();
            rules
                .iter_mut()
                .find_map(|rule| rule.strike(moment, || dice.roll()))
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Chance that can be repeated (xorshift64*).
#[derive(Debug)]
struct Dice(u64);

impl Default for Dice {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Dice {
    /// From 0 to 1.
    fn roll(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        f64::from(u32::try_from(high).unwrap_or_default()) / f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<'a>(stage: Stage, subjects: &'a [&'a str]) -> Moment<'a> {
        Moment {
            stage,
            subjects,
            recipients: subjects,
            now: Instant::now(),
        }
    }

    fn faults(rules: &[&str]) -> Faults {
        let rules = rules.iter().map(|r| Rule::parse(r).unwrap()).collect();
        Faults::new(rules, 7)
    }

    #[test]
    fn the_first_rule_that_fits_strikes() {
        let faults = faults(&["rcpt:user@*=550 5.1.1 unknown", "rcpt=451 4.3.0 later"]);
        let code = |subject: &str| {
            let strike = faults.strike(&at(Stage::Rcpt, &[subject])).unwrap();
            match strike.act {
                Act::Reply(reply) => reply.code,
                _ => 0,
            }
        };
        assert_eq!(code("user@a.test"), 550);
        assert_eq!(code("other@a.test"), 451);
        assert_eq!(faults.strike(&at(Stage::Mail, &["user@a.test"])), None);
    }

    #[test]
    fn chance_comes_out_the_same_with_the_same_seed() {
        let run = || {
            let faults = faults(&["rcpt[p=0.5]=drop"]);
            (0..64)
                .map(|_| faults.strike(&at(Stage::Rcpt, &["x"])).is_some())
                .collect::<Vec<_>>()
        };
        assert_eq!(run(), run());
        let struck = run().iter().filter(|s| **s).count();
        assert!((16..48).contains(&struck), "{struck}");
    }

    #[test]
    fn a_recipient_asks_for_a_scenario_by_name() {
        let faults = Faults::default();
        let wish = ["fault-user-unknown@a.test"];
        assert_eq!(faults.strike(&at(Stage::Rcpt, &wish)), None);
        faults.allow_names();
        let strike = faults.strike(&at(Stage::Rcpt, &wish)).unwrap();
        assert!(matches!(strike.act, Act::Reply(reply) if reply.code == 550));
        assert_eq!(
            faults.strike(&at(Stage::Rcpt, &["fault-none@a.test"])),
            None
        );
    }
}
