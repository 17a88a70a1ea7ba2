//! The walk through a tree of records.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;

use crate::dns::{Data, Failure, Kind as Ask, Lookup, Name};
use crate::posture::Asker;
use crate::posture::rdns;

use super::record::{Kind, Mechanism, Qualifier, Record, Term, is_record};
use super::{MOST_LOOKUPS, MOST_VOID, Outcome, Sender, Step, Trouble, Verdict, macros};

/// A survey of a hopeless tree ends here: enough to say "far too many".
const SURVEYED: usize = 60;
/// Names of one mail server set or one address that are looked at (RFC 7208 §4.6.4).
const MOST_NAMES: usize = 10;

/// check_host() of RFC 7208 §4: may this client send for this domain?
pub async fn evaluate<L: Lookup>(asker: Asker<'_, L>, sender: &Sender<'_>) -> Verdict {
    let mut walk = Walk::new(asker, Some(sender));
    let outcome = match Name::parse(sender.domain) {
        Ok(domain) => walk.check_host(domain, 0).await,
        // RFC 7208 §4.3: a malformed domain has no policy.
        Err(_) => Outcome::None,
    };
    walk.finish(outcome)
}

/// Goes through the whole tree of a domain without a client in mind, and counts.
pub async fn survey<L: Lookup>(asker: Asker<'_, L>, domain: &Name) -> Verdict {
    let mut walk = Walk::new(asker, None);
    let outcome = walk.check_host(domain.clone(), 0).await;
    if walk.lookups > MOST_LOOKUPS {
        walk.note(Trouble::TooManyLookups);
    }
    if walk.voids > MOST_VOID {
        walk.note(Trouble::TooManyVoid);
    }
    let outcome = match (outcome, walk.troubles.first()) {
        (Outcome::None, _) => Outcome::None,
        (_, Some(Trouble::Dns(..))) => Outcome::TempError,
        (_, Some(_)) => Outcome::PermError,
        (_, None) => Outcome::Neutral,
    };
    walk.finish(outcome)
}

struct Walk<'a, L> {
    asker: Asker<'a, L>,
    sender: Option<&'a Sender<'a>>,
    path: Vec<Name>,
    /// Whether a match where the walk is now means that the client may send.
    grants: bool,
    found: Verdict,
    lookups: usize,
    voids: usize,
    troubles: Vec<Trouble>,
}

/// How one term ended: it matched or not, or it ends everything.
enum Turn {
    Match,
    NoMatch,
    End(Outcome),
}

impl<'a, L: Lookup> Walk<'a, L> {
    fn new(asker: Asker<'a, L>, sender: Option<&'a Sender<'a>>) -> Self {
        Self {
            asker,
            sender,
            path: Vec::new(),
            found: Verdict::new(Outcome::None),
            grants: true,
            lookups: 0,
            voids: 0,
            troubles: Vec::new(),
        }
    }

    fn finish(self, outcome: Outcome) -> Verdict {
        Verdict {
            outcome,
            lookups: self.lookups,
            voids: self.voids,
            troubles: self.troubles,
            ..self.found
        }
    }

    fn note(&mut self, trouble: Trouble) -> Outcome {
        let outcome = match trouble {
            Trouble::Dns(..) => Outcome::TempError,
            _ => Outcome::PermError,
        };
        if !self.troubles.contains(&trouble) {
            self.troubles.push(trouble);
        }
        outcome
    }

    /// Notes a trouble; a survey goes on, an evaluation ends with it.
    fn fail(&mut self, trouble: Trouble) -> Turn {
        let outcome = self.note(trouble);
        match self.sender {
            Some(_) => Turn::End(outcome),
            None => Turn::NoMatch,
        }
    }

    fn check_host<'s>(
        &'s mut self,
        domain: Name,
        depth: usize,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send + 's>> {
        Box::pin(async move {
            let records = match self.asker.texts(&domain).await {
                Ok(texts) => texts
                    .into_iter()
                    .filter(|t| is_record(t))
                    .collect::<Vec<_>>(),
                Err(failure) => return self.note(Trouble::Dns(domain.to_string(), failure)),
            };
            if depth == 0 {
                self.found.record = records.first().cloned();
            }
            let text = match records.as_slice() {
                [] => return Outcome::None,
                [one] => one,
                _ => {
                    if depth == 0 {
                        self.found.several = records;
                    }
                    return self.note(Trouble::Several(domain.to_string()));
                }
            };
            let record = Record::read(text);
            let mut broken = None;
            for (term, fault) in &record.faults {
                let trouble = Trouble::Syntax(domain.to_string(), term.clone(), *fault);
                broken = Some(self.note(trouble));
                self.step(depth, &domain, term, fault.words());
            }
            if let (Some(outcome), Some(_)) = (broken, self.sender) {
                return outcome;
            }
            self.path.push(domain.clone());
            let outcome = self.terms(&record, &domain, depth).await;
            self.path.pop();
            outcome
        })
    }

    async fn terms(&mut self, record: &Record, domain: &Name, depth: usize) -> Outcome {
        for term in &record.terms {
            let Kind::Mechanism(qualifier, mechanism) = &term.kind else {
                continue;
            };
            let granted = self.grants;
            self.grants &= *qualifier == Qualifier::Pass;
            if self.grants && depth > 0 && *mechanism == Mechanism::All {
                let opened_by = &mut self.found.opened_by;
                opened_by.get_or_insert_with(|| domain.to_string());
            }
            let turn = self.mechanism(term, mechanism, domain, depth).await;
            self.grants = granted;
            match turn {
                Turn::NoMatch => {}
                Turn::End(outcome) => return outcome,
                Turn::Match => {
                    // Of an include, the term within that matched says more.
                    if !matches!(mechanism, Mechanism::Include(_)) {
                        self.found.decided_by = Some((domain.to_string(), term.text.clone()));
                    }
                    return match qualifier {
                        Qualifier::Pass => Outcome::Pass,
                        Qualifier::Fail => Outcome::Fail,
                        Qualifier::SoftFail => Outcome::SoftFail,
                        Qualifier::Neutral => Outcome::Neutral,
                    };
                }
            }
        }
        let Some(target) = record.redirect().filter(|_| record.all().is_none()) else {
            return Outcome::Neutral;
        };
        let text = format!("redirect={target}");
        if let Err(Turn::End(outcome)) = self.count(&text, domain, depth) {
            return outcome;
        }
        match self.reach(target, &text, domain, depth).await {
            // RFC 7208 §6.1
            Ok(Outcome::None) => self.note(Trouble::IncludeWithoutRecord(target.to_string())),
            Ok(outcome) | Err(outcome) => outcome,
        }
    }

    async fn mechanism(
        &mut self,
        term: &Term,
        mechanism: &Mechanism,
        domain: &Name,
        depth: usize,
    ) -> Turn {
        let text = term.text.as_str();
        let outcome = match mechanism {
            Mechanism::All => return self.all(text, domain, depth),
            Mechanism::Ip4(network, length) => self.within(IpAddr::V4(*network), *length),
            Mechanism::Ip6(network, length) => self.within(IpAddr::V6(*network), *length),
            _ => {
                if let Err(turn) = self.count(text, domain, depth) {
                    return turn;
                }
                return match mechanism {
                    Mechanism::Include(target) => self.include(target, text, domain, depth).await,
                    _ => self.asking(text, mechanism, domain, depth).await,
                };
            }
        };
        let result = match (self.sender, outcome) {
            (None, _) => "counted",
            (_, true) => "match",
            (_, false) => "no match",
        };
        self.step(depth, domain, text, result);
        if outcome { Turn::Match } else { Turn::NoMatch }
    }

    fn all(&mut self, text: &str, domain: &Name, depth: usize) -> Turn {
        self.step(depth, domain, text, "match");
        match self.sender {
            Some(_) => Turn::Match,
            // The terms behind it are dead: a survey need not count them.
            None => Turn::End(Outcome::Neutral),
        }
    }

    /// Counts a term that asks the DNS; an evaluation ends at the limit.
    fn count(&mut self, text: &str, domain: &Name, depth: usize) -> Result<(), Turn> {
        self.lookups += 1;
        let most = if self.sender.is_some() {
            MOST_LOOKUPS
        } else {
            SURVEYED
        };
        if self.lookups <= most {
            return Ok(());
        }
        self.step(depth, domain, text, "over the limit of 10 lookups");
        Err(match self.fail(Trouble::TooManyLookups) {
            Turn::End(outcome) => Turn::End(outcome),
            // Also a survey has seen enough.
            _ => Turn::End(Outcome::PermError),
        })
    }

    async fn include(&mut self, target: &str, text: &str, domain: &Name, depth: usize) -> Turn {
        match self.reach(target, text, domain, depth).await {
            Ok(Outcome::Pass) => Turn::Match,
            // Whatever matched in there did not decide here.
            _ if self.found.decided_by.take().is_some() => Turn::NoMatch,
            Ok(Outcome::None) => {
                self.voids += 1;
                self.step(depth, domain, text, "no SPF record there");
                self.fail(Trouble::IncludeWithoutRecord(target.to_string()))
            }
            Ok(outcome @ (Outcome::PermError | Outcome::TempError)) | Err(outcome)
                if self.sender.is_some() =>
            {
                Turn::End(outcome)
            }
            _ => Turn::NoMatch,
        }
    }

    /// Goes on in another domain's record.
    async fn reach(
        &mut self,
        target: &str,
        text: &str,
        domain: &Name,
        depth: usize,
    ) -> Result<Outcome, Outcome> {
        let Some(name) = self.target(target, domain) else {
            // RFC 7208 §4.3: what is no domain name has no policy.
            if self.sender.is_some() || !target.contains('%') {
                return Ok(Outcome::None);
            }
            self.step(depth, domain, text, "depends on the sender: not followed");
            return Ok(Outcome::Neutral);
        };
        if self.path.contains(&name) {
            self.step(depth, domain, text, "a loop");
            return Err(self.note(Trouble::Loop(name.to_string())));
        }
        self.step(depth, domain, text, "followed");
        Ok(self.check_host(name, depth + 1).await)
    }

    /// a, mx, ptr and exists.
    async fn asking(&mut self, text: &str, m: &Mechanism, domain: &Name, depth: usize) -> Turn {
        let own = domain.to_string();
        let target = match m {
            Mechanism::A(target, ..) | Mechanism::Mx(target, ..) | Mechanism::Ptr(target) => {
                target.as_ref().unwrap_or(&own)
            }
            Mechanism::Exists(target) => target,
            _ => return Turn::NoMatch,
        };
        let Some(name) = self.target(target, domain) else {
            self.step(depth, domain, text, "depends on the sender: not asked");
            return Turn::NoMatch;
        };
        let asked = match m {
            Mechanism::Mx(_, v4, v6) => self.mx(&name, (*v4, *v6)).await,
            Mechanism::Ptr(_) => self.ptr(&name).await,
            Mechanism::Exists(_) => {
                let any = self.asker.family(&name, Ipv4Addr::LOCALHOST.into()).await;
                any.map(|all| (!all.is_empty(), all.len()))
            }
            Mechanism::A(_, v4, v6) => self.addresses(&name).await.map(|all| {
                let hit = all
                    .iter()
                    .any(|ip| self.within(*ip, length(*ip, (*v4, *v6))));
                (hit, all.len())
            }),
            _ => return Turn::NoMatch,
        };
        let result = match &asked {
            Ok((true, _)) if self.sender.is_some() => "match".to_string(),
            Ok((_, 1)) => "1 address".to_string(),
            Ok((_, count)) => format!("{count} addresses"),
            Err(failure) => failure.to_string(),
        };
        self.step(depth, domain, text, &result);
        match asked {
            Ok((_, count)) if matches!(m, Mechanism::Mx(..)) && count > MOST_NAMES => {
                self.fail(Trouble::TooManyMx(name.to_string()))
            }
            Ok((true, _)) if self.sender.is_some() => Turn::Match,
            Ok(_) => Turn::NoMatch,
            Err(failure) if failure.is_answer() => {
                self.voids += 1;
                if self.voids > MOST_VOID && self.sender.is_some() {
                    return self.fail(Trouble::TooManyVoid);
                }
                Turn::NoMatch
            }
            // A name that cannot be reversed has no name: RFC 7208 §5.5 says no match.
            Err(_) if matches!(m, Mechanism::Ptr(_)) => Turn::NoMatch,
            Err(failure) => self.fail(Trouble::Dns(name.to_string(), failure)),
        }
    }

    async fn mx(&self, name: &Name, lengths: (u8, u8)) -> Result<(bool, usize), Failure> {
        let answer = self.asker.ask(name, Ask::Mx).await?;
        let hosts = answer.data.iter().filter_map(|data| match data {
            Data::Mx { exchange, .. } => Some(exchange),
            _ => None,
        });
        for host in hosts.take(MOST_NAMES).filter(|_| self.sender.is_some()) {
            match self.addresses(host).await {
                Ok(all) if all.iter().any(|ip| self.within(*ip, length(*ip, lengths))) => {
                    return Ok((true, answer.data.len()));
                }
                Err(failure) if !failure.is_answer() => return Err(failure),
                _ => {}
            }
        }
        Ok((false, answer.data.len()))
    }

    async fn ptr(&self, name: &Name) -> Result<(bool, usize), Failure> {
        let Some(sender) = self.sender else {
            return Ok((false, 0));
        };
        let reverse = rdns::look_up(self.asker, sender.ip).await;
        let theirs = reverse.name.and_then(|n| Name::parse(&n).ok());
        let hit = reverse.confirmed == Some(true) && theirs.is_some_and(|n| n.is_within(name));
        Ok((hit, 1))
    }

    /// The addresses in the client's family; in both for a survey.
    async fn addresses(&self, name: &Name) -> Result<Vec<IpAddr>, Failure> {
        if let Some(sender) = self.sender {
            return self.asker.family(name, sender.ip).await;
        }
        let first = self.asker.ask(name, Ask::A).await;
        let second = match first {
            Err(Failure::NoData) => self.asker.ask(name, Ask::Aaaa).await,
            first => first,
        }?;
        Ok(second
            .data
            .iter()
            .filter_map(crate::posture::ask::address)
            .collect())
    }

    fn target(&self, text: &str, domain: &Name) -> Option<Name> {
        let text = match self.sender {
            Some(sender) => macros::expand(text, sender, domain.as_str()),
            None if text.contains('%') => return None,
            None => text.to_string(),
        };
        Name::parse(&text).ok()
    }

    /// Whether the client is in this network.
    fn within(&self, network: IpAddr, length: u8) -> bool {
        let Some(sender) = self.sender else {
            return false;
        };
        let length = u32::from(length);
        match (network, sender.ip.to_canonical()) {
            (IpAddr::V4(n), IpAddr::V4(ip)) => {
                let differ = n.to_bits() ^ ip.to_bits();
                differ.checked_shr(32 - length).unwrap_or(0) == 0
            }
            (IpAddr::V6(n), IpAddr::V6(ip)) => {
                let differ = n.to_bits() ^ ip.to_bits();
                differ.checked_shr(128 - length).unwrap_or(0) == 0
            }
            _ => false,
        }
    }

    fn step(&mut self, depth: usize, domain: &Name, term: &str, result: &str) {
        self.found.trace.push(Step {
            depth,
            domain: domain.to_string(),
            term: term.to_string(),
            result: result.to_string(),
        });
    }
}

fn length(ip: IpAddr, (v4, v6): (u8, u8)) -> u8 {
    if ip.is_ipv4() { v4 } else { v6 }
}

#[cfg(test)]
mod tests;
