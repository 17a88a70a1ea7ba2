//! Many routes counted: where mail waits, who sends in clear text, whose clocks are wrong.

use std::collections::{BTreeMap, HashMap};

use crate::route::{Route, net};

/// A box full of invented hosts is to be counted in constant memory; further hosts are left out.
const MAX_HOSTS: usize = 10_000;
/// How many hosts of a kind are told.
const TOP: usize = 10;
/// A shorter wait is no slowness.
const SLOW_S: i64 = 60;

/// The counts. Two of them can be [added](Self::add), so that workers count for themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Messages whose way could be read.
    pub messages: u64,
    /// Inputs that could not be read, or have no header.
    pub errors: u64,
    /// Hops of all messages.
    pub hops: u64,
    slow: HashMap<String, Slow>,
    clear: HashMap<String, u64>,
    skewed: HashMap<String, u64>,
    codes: BTreeMap<&'static str, u64>,
}

/// How slow a host was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slow {
    /// How often mail waited over a minute before this host took it.
    pub times: u64,
    /// How long all together.
    pub waited_s: i64,
    /// How long at most.
    pub longest_s: i64,
}

impl Summary {
    /// Counts one message.
    pub fn count(&mut self, way: &Route) {
        self.messages += 1;
        self.hops += way.hops.len() as u64;
        for hop in &way.hops {
            let Some(host) = hop.by.best_name().filter(|n| !net::is_local_name(n)) else {
                continue;
            };
            if let Some(took) = hop.took_s.filter(|t| *t >= SLOW_S)
                && let Some(slow) = slot(&mut self.slow, host)
            {
                slow.times += 1;
                slow.waited_s += took;
                slow.longest_s = slow.longest_s.max(took);
            }
            if hop.clock_off_s.is_some() {
                bump(&mut self.skewed, host, 1);
            }
        }
        let mut told: Vec<&'static str> = Vec::new();
        for finding in &way.findings {
            if finding.code == "no-tls" {
                for n in &finding.hops {
                    let hop = n.checked_sub(1).and_then(|i| way.hops.get(i));
                    if let Some(host) = hop.and_then(|h| h.by.best_name()) {
                        bump(&mut self.clear, host, 1);
                    }
                }
            }
            if !told.contains(&finding.code) {
                told.push(finding.code);
                *self.codes.entry(finding.code).or_default() += 1;
            }
        }
    }

    /// Counts one input that could not be read.
    pub fn count_error(&mut self) {
        self.errors += 1;
    }

    /// Takes in the counts of another.
    pub fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.errors += other.errors;
        self.hops += other.hops;
        for (host, more) in other.slow {
            if let Some(slow) = slot(&mut self.slow, &host) {
                slow.times += more.times;
                slow.waited_s += more.waited_s;
                slow.longest_s = slow.longest_s.max(more.longest_s);
            }
        }
        for (host, times) in other.clear {
            bump(&mut self.clear, &host, times);
        }
        for (host, times) in other.skewed {
            bump(&mut self.skewed, &host, times);
        }
        for (code, times) in other.codes {
            *self.codes.entry(code).or_default() += times;
        }
    }

    /// The hosts before which mail waited longest.
    pub fn slowest(&self) -> Vec<(&String, &Slow)> {
        let mut all: Vec<_> = self.slow.iter().collect();
        all.sort_by(|a, b| b.1.waited_s.cmp(&a.1.waited_s).then(a.0.cmp(b.0)));
        all.truncate(TOP);
        all
    }

    /// The hosts that took mail over the open Internet in clear text most often.
    pub fn clear_text(&self) -> Vec<(&String, &u64)> {
        top(&self.clear)
    }

    /// The hosts whose clocks were found wrong most often.
    pub fn skewed(&self) -> Vec<(&String, &u64)> {
        top(&self.skewed)
    }

    /// How many messages each kind of finding was made in.
    pub fn codes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.codes.iter().map(|(code, times)| (*code, *times))
    }
}

fn top(counts: &HashMap<String, u64>) -> Vec<(&String, &u64)> {
    let mut all: Vec<_> = counts.iter().collect();
    all.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    all.truncate(TOP);
    all
}

fn slot<'m, T: Default>(counts: &'m mut HashMap<String, T>, host: &str) -> Option<&'m mut T> {
    let host = host.to_ascii_lowercase();
    if counts.len() >= MAX_HOSTS && !counts.contains_key(&host) {
        return None;
    }
    Some(counts.entry(host).or_default())
}

fn bump(counts: &mut HashMap<String, u64>, host: &str, by: u64) {
    if let Some(times) = slot(counts, host) {
        *times += by;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::layer::Head;

    #[test]
    fn workers_counts_add_up_to_the_same() {
        let header = "Received: from a.example (a.example [192.0.2.1]) by b.example (Postfix) with ESMTP id 2; 2 Mar 2026 09:05:00 +0000\n\
            Received: from c.example (c.example [192.0.2.2]) by a.example (Postfix) with ESMTP id 1; 2 Mar 2026 09:00:00 +0000\n\n";
        let way = crate::route::of(&Head::parse(header.as_bytes()), &[]);
        let mut one = Summary::default();
        one.count(&way);
        let mut two = one.clone();
        two.add(one.clone());
        one.count(&way);
        assert_eq!(one, two);
        assert_eq!(
            one.slowest()[0],
            (
                &"b.example".to_owned(),
                &Slow {
                    times: 2,
                    waited_s: 600,
                    longest_s: 300
                }
            )
        );
        assert_eq!(one.clear_text()[0].1, &2);
    }
}
