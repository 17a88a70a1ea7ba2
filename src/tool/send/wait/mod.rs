//! Waiting: for the message itself and for what is told about it, wherever that may come.

pub mod imap;
pub mod maildir;
pub mod receiver;

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::bounce::explanation::Report;

use super::arrival;
use super::round::{Round, Status};
use super::sight::{Sight, look};
use super::token::Token;

/// How often places on this machine are looked into, at first and later.
const TICKS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));
/// How long somebody waits for the other of arrival and report when one has come.
const GRACE: Duration = Duration::from_secs(10);

/// A message that was found somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its octets, or the first of them.
    pub message: Vec<u8>,
    /// Where.
    pub place: String,
    /// That place is for junk.
    pub junk: bool,
}

/// A place to look into.
#[derive(Debug)]
pub enum Source {
    /// A Maildir.
    Maildir(maildir::Maildir),
    /// A mailbox of an IMAP server.
    Imap(Box<imap::Mailbox>),
    /// Our own receiver.
    Receiver(receiver::Receiver),
}

/// What is waited for.
#[derive(Debug)]
pub struct Hope<'h> {
    /// The token of the message.
    pub token: &'h Token,
    /// The message as it was sent.
    pub sent: &'h [u8],
    /// When it was handed over.
    pub since: Instant,
    /// When patience ends.
    pub until: Instant,
    /// A report of success was asked for, so that two things may come.
    pub both: bool,
}

/// Looks into all places until all that can be expected has come, or patience ends.
pub async fn wait(round: &mut Round, places: &mut [Source], hope: &Hope<'_>) {
    round.arrival.status = Status::Pending;
    let expected = round
        .recipients
        .iter()
        .filter(|one| one.reply_code.is_none_or(|code| code < 400))
        .count()
        .max(1);
    let mut came = 0;
    let mut enough: Option<Instant> = None;
    let mut tick = TICKS.0;
    loop {
        for place in places.iter_mut() {
            let found = match place {
                Source::Maildir(maildir) => maildir.look(),
                Source::Receiver(receiver) => receiver.look(),
                Source::Imap(mailbox) => match mailbox.look(hope.token, hope.until).await {
                    Ok(found) => found,
                    Err(why) => {
                        round.note("imap", &why.to_string());
                        Vec::new()
                    }
                },
            };
            for found in found {
                came += take(round, &found, hope);
            }
        }
        if came >= expected && !hope.both {
            return;
        }
        if came >= expected {
            let told = !round.arrival.notices.is_empty();
            if told && round.arrival.status == Status::Arrived {
                return;
            }
            enough.get_or_insert(Instant::now() + GRACE);
        }
        let end = enough.map_or(hope.until, |enough| enough.min(hope.until));
        let now = Instant::now();
        if now >= end {
            return;
        }
        sleep(tick.min(end - now)).await;
        tick = (tick * 5 / 4).min(TICKS.1);
    }
}

/// Takes in what was found; gives for how many recipients it is the last word.
fn take(round: &mut Round, found: &Found, hope: &Hope<'_>) -> usize {
    let after = hope.since.elapsed();
    let Some(sight) = look(&found.message, hope.token) else {
        return 0;
    };
    let to = &round.to;
    let arrival = &mut round.arrival;
    match sight {
        Sight::Arrived => {
            if arrival.status != Status::Arrived {
                arrival.status = Status::Arrived;
                arrival.after = Some(after);
                arrival.place = Some(found.place.clone());
                arrival.junk = found.junk;
                arrival.route = Some(arrival::way(&found.message));
                arrival.changes = arrival::changes(hope.sent, &found.message);
                arrival.marked = arrival::marked(&found.message);
            }
            1
        }
        Sight::Reported(all) => {
            let mut last = 0;
            for one in all {
                if one.report == Report::Failed {
                    last += one.recipients.len().clamp(1, to.len().max(1));
                    if arrival.status != Status::Arrived {
                        arrival.status = Status::Bounced;
                        arrival.after = Some(arrival.after.unwrap_or(after));
                    }
                }
                arrival.notices.push((after, one));
            }
            last
        }
    }
}

/// Whether the name of a folder says that it is for junk.
pub(crate) fn sounds_like_junk(name: &str) -> bool {
    let name = name.to_lowercase();
    let words = [
        "junk",
        "spam",
        "bulk",
        "quarantine",
        "werbung",
        "courrier ind",
        "posta indes",
        "no desead",
    ];
    words.iter().any(|word| name.contains(word))
}
