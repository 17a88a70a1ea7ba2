//! Real sends: to the server that was named, or to those that the DNS names for each recipient's
//! domain; again after a while when they say "later" and there is time.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::bounce::cause::Cause;
use crate::dns::{Lookup, Patience};
use crate::mta::delivery::exchange::{self, Target};
use crate::smtp::{Families, Host};

use crate::smtp::Reply;

use super::hand_over::{Handed, Letter, Manner, Place, hand_over};
use super::round::{Outcome, Round};

/// The pauses before those who said "later" are asked again; the last is repeated.
const PAUSES: [u64; 5] = [2, 4, 8, 15, 30];
/// How long to wait for the DNS.
const DNS: Duration = Duration::from_secs(5);
/// Addresses that are tried for one domain.
const MOST_ATTEMPTS: usize = 8;

/// How a message goes out.
#[derive(Debug, Clone)]
pub struct Way {
    /// The server; `None`: those that the DNS names.
    pub server: Option<(Host, Option<u16>)>,
    /// The server behind this socket.
    pub socket: Option<PathBuf>,
    /// The port where none is given.
    pub port: u16,
    /// The families of addresses.
    pub families: Families,
    /// Until when those who say "later" are asked again; `None`: once is enough.
    pub again: Option<Instant>,
}

/// Sends a letter to all its recipients; `round` learns what came of it.
pub async fn dispatch(
    round: &mut Round,
    letter: &Letter,
    manner: &Manner,
    way: &Way,
    lookup: &impl Lookup,
) {
    let groups = groups(letter, way);
    let mut outcomes = Vec::new();
    for group in groups {
        let mut part = Round::default();
        let letter = Letter {
            to: group.to.clone(),
            ..letter.clone()
        };
        send(&mut part, &letter, manner, way, &group, lookup).await;
        outcomes.push((part.outcome, group.to.len()));
        round.attempts.append(&mut part.attempts);
        round.recipients.append(&mut part.recipients);
        round.notes.append(&mut part.notes);
    }
    round.outcome = together(&outcomes);
}

/// Recipients who share servers.
struct Group {
    /// Their domain; `None` when the server was named.
    domain: Option<String>,
    to: Vec<String>,
}

fn groups(letter: &Letter, way: &Way) -> Vec<Group> {
    if way.server.is_some() || way.socket.is_some() {
        return vec![Group {
            domain: None,
            to: letter.to.clone(),
        }];
    }
    let mut groups: Vec<Group> = Vec::new();
    for to in &letter.to {
        let domain = to.rsplit_once('@').map_or("", |(_, domain)| domain);
        let domain = domain.to_lowercase();
        let same = |group: &&mut Group| group.domain.as_deref() == Some(&domain);
        match groups.iter_mut().find(same) {
            Some(group) => group.to.push(to.clone()),
            None => groups.push(Group {
                domain: Some(domain),
                to: vec![to.clone()],
            }),
        }
    }
    groups
}

/// What all groups together come to.
fn together(outcomes: &[(Outcome, usize)]) -> Outcome {
    let is = |wanted: &[Outcome]| outcomes.iter().any(|(one, _)| wanted.contains(one));
    let all = |wanted: Outcome| outcomes.iter().all(|(one, _)| *one == wanted);
    let [first, ..] = outcomes else {
        return Outcome::NotSent;
    };
    if all(first.0) {
        return first.0;
    }
    if is(&[Outcome::Accepted, Outcome::Partly]) {
        Outcome::Partly
    } else if is(&[Outcome::Deferred]) {
        Outcome::Deferred
    } else if is(&[Outcome::Rejected]) {
        Outcome::Rejected
    } else {
        Outcome::Failed
    }
}

async fn send(
    round: &mut Round,
    letter: &Letter,
    manner: &Manner,
    way: &Way,
    group: &Group,
    lookup: &impl Lookup,
) {
    let places = match places(way, group, lookup).await {
        Ok(places) => places,
        Err((why, lasting)) => return nowhere(round, letter, &why, lasting),
    };
    let mut pauses = PAUSES.iter().copied().chain(std::iter::repeat(30));
    let started = Instant::now();
    let mut letter = letter.clone();
    let mut done: Vec<Handed> = Vec::new();
    loop {
        let last = try_all(round, &letter, manner, &places).await;
        // Only those who said "later" to a recipient, and never when it may have been taken.
        let later: Vec<String> = last
            .fates
            .iter()
            .filter(|fate| !fate.uncertain && fate.reply.as_ref().is_some_and(Reply::is_transient))
            .map(|fate| fate.address.clone())
            .collect();
        done.push(last);
        let pause = Duration::from_secs(pauses.next().unwrap_or(30));
        let time = way
            .again
            .is_some_and(|until| Instant::now() + pause < until);
        if later.is_empty() || !time {
            break;
        }
        round.note(
            "deferred",
            "The server said \"later\" at first; it was asked again, as mail servers do.",
        );
        sleep(pause).await;
        letter.to = later;
    }
    conclude(round, done, started);
}

/// Tries the places in their order until one talks about the recipients.
async fn try_all(round: &mut Round, letter: &Letter, manner: &Manner, places: &[Place]) -> Handed {
    let mut last = None;
    for place in places.iter().take(MOST_ATTEMPTS) {
        let handed = hand_over(place, letter, manner).await;
        let next = handed.may_try_next();
        if let Some(before) = last.replace(handed) {
            round.attempts.push(before);
        }
        if !next {
            break;
        }
    }
    last.unwrap_or_else(|| Handed::nowhere(letter))
}

/// Puts the fates of all attempts together: the last word on each recipient counts.
fn conclude(round: &mut Round, mut done: Vec<Handed>, started: Instant) {
    let Some(mut last) = done.pop() else {
        return;
    };
    let mut settled = Vec::new();
    for earlier in done {
        let open: Vec<&str> = last.fates.iter().map(|f| f.address.as_str()).collect();
        let known = |address: &str| open.contains(&address);
        settled.extend(earlier.fates.iter().filter(|f| !known(&f.address)).cloned());
        round.attempts.push(earlier);
    }
    let again = !settled.is_empty() || round.notes.iter().any(|n| n.code == "deferred");
    // In the order of time: whoever was settled first stands first.
    settled.append(&mut last.fates);
    settled.reverse();
    let mut seen = Vec::new();
    settled.retain(|fate| {
        let new = !seen.contains(&fate.address);
        seen.push(fate.address.clone());
        new
    });
    settled.reverse();
    last.fates = settled;
    if again
        && last
            .fates
            .iter()
            .any(|f| f.reply.as_ref().is_some_and(Reply::is_positive))
    {
        let text = format!(
            "It was taken {:.0} s later.",
            started.elapsed().as_secs_f64()
        );
        round.note("retried", &text);
    }
    round.take(last);
}

/// There is no server to ask.
fn nowhere(round: &mut Round, letter: &Letter, why: &str, lasting: bool) {
    let mut handed = Handed::nowhere(letter);
    handed.gave_up = Some(why.to_string());
    for fate in &mut handed.fates {
        fate.broke = Some(why.to_string());
    }
    round.note("no-server", why);
    let mut part = Round::default();
    part.take(handed);
    // What the DNS says for sure is as final as a refusal; what was not found now may be later.
    round.outcome = match lasting {
        true => Outcome::Rejected,
        false => Outcome::Failed,
    };
    for one in &mut part.recipients {
        one.permanent = Some(lasting);
        if one.cause == Cause::Unknown {
            one.cause = Cause::DnsFailure;
        }
    }
    round.recipients = part.recipients;
}

/// The servers to try; the error says why there are none, and whether that will stay so.
async fn places(
    way: &Way,
    group: &Group,
    lookup: &impl Lookup,
) -> Result<Vec<Place>, (String, bool)> {
    if let Some(path) = &way.socket {
        return Ok(vec![Place {
            host: path.display().to_string(),
            ip: IpAddr::from([0, 0, 0, 0]),
            port: 0,
            socket: Some(path.clone()),
        }]);
    }
    let patience = Patience::of(DNS);
    let (targets, port) = match (&way.server, &group.domain) {
        (Some((host, port)), _) => {
            let found = exchange::of_host(lookup, &host.to_string(), &patience).await;
            (found, port.unwrap_or(way.port))
        }
        (None, Some(domain)) if domain.starts_with('[') => {
            let inside = domain.trim_matches(['[', ']']);
            let inside = inside.strip_prefix("ipv6:").unwrap_or(inside);
            // What stands in brackets is an address; no name is asked for it.
            if inside.parse::<IpAddr>().is_err() {
                return Err((format!("{domain} is no address of a server"), true));
            }
            let found = exchange::of_host(lookup, inside, &patience).await;
            (found, way.port)
        }
        (None, domain) => {
            let domain = domain.as_deref().unwrap_or_default();
            let mut random = shuffle();
            let found = exchange::of_domain(lookup, domain, &[], &patience, &mut random).await;
            (found, way.port)
        }
    };
    let targets = targets.map_err(|no| (no.words, no.status.class == 5))?;
    let fits = |ip: &IpAddr| {
        if ip.is_ipv4() {
            way.families.v4
        } else {
            way.families.v6
        }
    };
    let places: Vec<Place> = targets
        .iter()
        .flat_map(|Target { host, addresses }| {
            addresses.iter().filter(|ip| fits(ip)).map(move |ip| Place {
                host: host.clone(),
                ip: *ip,
                port,
                socket: None,
            })
        })
        .collect();
    if places.is_empty() {
        let why = "no server with an address of the family that was asked for";
        return Err((why.to_string(), false));
    }
    Ok(places)
}

/// The first address of a host that was named.
pub async fn address_of(
    host: &Host,
    families: &Families,
    lookup: &impl Lookup,
) -> Result<IpAddr, String> {
    let found = exchange::of_host(lookup, &host.to_string(), &Patience::of(DNS)).await;
    let found = found.map_err(|no| no.words)?;
    let fits = |ip: &&IpAddr| {
        if ip.is_ipv4() {
            families.v4
        } else {
            families.v6
        }
    };
    let mut all = found.iter().flat_map(|target| &target.addresses);
    let ip = all.find(fits).copied();
    ip.ok_or_else(|| format!("{host} has no address of the family that was asked for"))
}

/// Orders servers of the same preference by chance (RFC 5321 section 5.1).
fn shuffle() -> impl FnMut() -> u64 {
    use ring::rand::{SecureRandom, SystemRandom};
    let mut seed = [0; 8];
    // Without chance the order of the DNS stands, which is random enough.
    let _ = SystemRandom::new().fill(&mut seed);
    let mut state = u64::from_le_bytes(seed);
    move || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        state >> 33
    }
}

#[cfg(test)]
mod tests;
