//! Many explanations counted: by cause, domain and reporting server.

use std::collections::{BTreeMap, HashMap};

use crate::bounce::cause::{Cause, Class};
use crate::bounce::explanation::{Explanation, Report};

/// How many different names are counted one by one per cause. A box of any size, also one full
/// of invented names, is to be counted in constant memory; what comes later counts as recipients
/// only.
const MAX_NAMES: usize = 10_000;

/// How many names of a kind are told.
const TOP: usize = 5;

/// The counts. Two of them can be [added](Self::add), so that workers count for themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Inputs looked at, those that could not be read included.
    pub inputs: u64,
    /// Inputs that could not be read.
    pub errors: u64,
    reports: BTreeMap<Report, u64>,
    causes: BTreeMap<(Class, Cause), Counts>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Counts {
    recipients: u64,
    domains: HashMap<String, u64>,
    reporters: HashMap<String, u64>,
    lists: HashMap<String, u64>,
}

/// What is known about one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The headline class.
    pub class: Class,
    /// The cause.
    pub cause: Cause,
    /// How many recipients met it.
    pub recipients: u64,
    /// The domains of the recipients.
    pub domains: Names,
    /// The servers that reported it.
    pub reporters: Names,
    /// The DNS lists that were named.
    pub lists: Names,
}

/// Names and how often they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// How many different ones.
    pub distinct: u64,
    /// The most frequent ones, most first.
    pub top: Vec<(String, u64)>,
}

impl Summary {
    /// Counts one input that could be read: what was found in it.
    pub fn count(&mut self, found: &[Explanation]) {
        self.inputs += 1;
        for explanation in found {
            *self.reports.entry(explanation.report).or_default() += 1;
            for recipient in &explanation.recipients {
                let row = self
                    .causes
                    .entry((recipient.class(), recipient.cause))
                    .or_default();
                row.recipients += 1;
                let domain = recipient
                    .address
                    .as_deref()
                    .and_then(|a| a.rsplit_once('@'));
                bump(&mut row.domains, domain.map(|(_, domain)| domain), 1);
                bump(&mut row.reporters, explanation.reporting_mta.as_deref(), 1);
                let list = recipient.dnsbl.as_ref();
                bump(
                    &mut row.lists,
                    list.and_then(|l| l.list.or(l.zone.as_deref())),
                    1,
                );
            }
        }
    }

    /// Counts one input that could not be read.
    pub fn count_error(&mut self) {
        self.inputs += 1;
        self.errors += 1;
    }

    /// Adds the counts of another.
    pub fn add(&mut self, other: Self) {
        self.inputs += other.inputs;
        self.errors += other.errors;
        for (report, count) in other.reports {
            *self.reports.entry(report).or_default() += count;
        }
        for (key, counts) in other.causes {
            let row = self.causes.entry(key).or_default();
            row.recipients += counts.recipients;
            for (ours, theirs) in [
                (&mut row.domains, counts.domains),
                (&mut row.reporters, counts.reporters),
                (&mut row.lists, counts.lists),
            ] {
                for (name, count) in theirs {
                    bump(ours, Some(&name), count);
                }
            }
        }
    }

    /// How many reports of each kind there were; kinds without one are left out.
    pub fn reports(&self) -> impl Iterator<Item = (Report, u64)> {
        self.reports.iter().map(|(&report, &count)| (report, count))
    }

    /// The causes, most frequent first.
    pub fn causes(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = self
            .causes
            .iter()
            .map(|(&(class, cause), counts)| Row {
                class,
                cause,
                recipients: counts.recipients,
                domains: names(&counts.domains),
                reporters: names(&counts.reporters),
                lists: names(&counts.lists),
            })
            .collect();
        // Stable: equal ones stay in the order of the taxonomy.
        rows.sort_by_key(|row| std::cmp::Reverse(row.recipients));
        rows
    }
}

/// No name of a host or domain has more bytes (RFC 1035 §3.1), and what is kept is bounded so.
const LONGEST_NAME: usize = 255;

fn bump(names: &mut HashMap<String, u64>, name: Option<&str>, by: u64) {
    let Some(name) = name.filter(|name| (1..=LONGEST_NAME).contains(&name.len())) else {
        return;
    };
    let name = name.to_ascii_lowercase();
    if let Some(count) = names.get_mut(&name) {
        *count += by;
    } else if names.len() < MAX_NAMES {
        names.insert(name, by);
    }
}

fn names(counted: &HashMap<String, u64>) -> Names {
    let mut top: Vec<(String, u64)> = counted.iter().map(|(n, &c)| (n.clone(), c)).collect();
    top.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    top.truncate(TOP);
    Names {
        distinct: counted.len() as u64,
        top,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounce::explanation::samples;

    #[test]
    fn counting_apart_and_adding_is_counting_together() {
        let mut a = samples::user_unknown();
        let mut b = samples::user_unknown();
        b.recipients
            .push(samples::recipient("x@EXAMPLE.com", Cause::UserUnknown));
        a.recipients
            .push(samples::recipient("y@example.org", Cause::OverQuota));
        let mut together = Summary::default();
        together.count(std::slice::from_ref(&a));
        together.count(std::slice::from_ref(&b));
        together.count_error();
        let (mut one, mut two) = (Summary::default(), Summary::default());
        one.count(&[a]);
        two.count(&[b]);
        two.count_error();
        one.add(two);
        assert_eq!(one, together);
        let rows = one.causes();
        assert_eq!(rows[0].cause, Cause::UserUnknown);
        assert_eq!(rows[0].recipients, 3);
        assert_eq!(rows[0].domains.top, [("example.com".to_owned(), 3)]);
        assert_eq!((one.inputs, one.errors), (3, 1));
    }

    #[test]
    fn invented_names_do_not_grow_without_end() {
        let mut sum = Summary::default();
        let mut one = samples::user_unknown();
        for n in 0..MAX_NAMES + 100 {
            one.recipients[0].address = Some(format!("x@d{n}.example"));
            sum.count(std::slice::from_ref(&one));
        }
        assert_eq!(sum.causes()[0].domains.distinct, MAX_NAMES as u64);
    }
}
