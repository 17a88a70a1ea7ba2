//! Delivery to servers: for each destination a line of messages and a few connections, each used
//! for one message after the other.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::approach::Manner;
use super::conversation::{Conversation, Letter, all};
use super::desk::{Desk, Work};
use super::exchange::{self, NoTarget, Target};
use super::outcome::status;
use super::route::Destination;
use crate::dns::{Lookup, Patience};
use crate::mta::queue::{Loaded, Outcome, lock};

/// Connections to all destinations together.
const CONNECTIONS: usize = 64;
/// How long a connection is kept for the next message.
const LINGER: Duration = Duration::from_millis(800);
/// How long the farewells may take when we stop.
const FAREWELL: Duration = Duration::from_secs(1);

/// A message for some of its recipients.
struct Job {
    work: Arc<Work>,
    recipients: Vec<usize>,
}

/// What waits for one destination.
#[derive(Default)]
struct Line {
    jobs: Mutex<(VecDeque<Job>, usize)>,
    bell: Notify,
}

/// All destinations.
pub(super) struct Remotes<L>(Arc<Inner<L>>);

struct Inner<L> {
    desk: Arc<Desk>,
    lookup: Arc<L>,
    lines: Mutex<HashMap<String, Arc<Line>>>,
    connections: Semaphore,
    closed: AtomicBool,
    /// Rung when a destination has nobody left who serves it.
    left: Notify,
}

impl<L: Lookup + Send + Sync + 'static> Remotes<L> {
    pub(super) fn new(desk: Arc<Desk>, lookup: Arc<L>) -> Self {
        Self(Arc::new(Inner {
            desk,
            lookup,
            lines: Mutex::default(),
            connections: Semaphore::new(CONNECTIONS),
            closed: AtomicBool::new(false),
            left: Notify::new(),
        }))
    }

    /// Ends the conversations that only wait for more, and waits until they are over.
    pub(super) async fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
        let end = Instant::now() + FAREWELL;
        loop {
            let lines: Vec<_> = lock(&self.0.lines).values().cloned().collect();
            if lines.is_empty() {
                return;
            }
            for line in lines {
                line.bell.notify_waiters();
            }
            if timeout_at(end, self.0.left.notified()).await.is_err() {
                return;
            }
        }
    }

    /// Puts a message in line; more connections are opened while there is more than one can do.
    pub(super) fn push(&self, to: Destination, work: Arc<Work>, recipients: Vec<usize>) {
        let line = {
            let mut lines = lock(&self.0.lines);
            lines.entry(to.key()).or_default().clone()
        };
        let mut jobs = lock(&line.jobs);
        jobs.0.push_back(Job { work, recipients });
        let wanted = jobs.0.len().min(self.0.desk.settings.connections);
        if jobs.1 < wanted {
            jobs.1 += 1;
            let (inner, line) = (self.0.clone(), line.clone());
            tokio::spawn(async move { inner.serve(&to, &line).await });
        }
        drop(jobs);
        line.bell.notify_one();
    }
}

/// How far one worker has come with its destination.
struct Worker {
    conversation: Option<Conversation>,
    targets: Option<Vec<Target>>,
}

impl<L: Lookup + Send + Sync + 'static> Inner<L> {
    /// One connection's worth of work.
    async fn serve(&self, to: &Destination, line: &Arc<Line>) {
        let mut worker = Worker {
            conversation: None,
            targets: None,
        };
        let permit = self.connections.acquire().await;
        loop {
            let job = lock(&line.jobs).0.pop_front();
            if let Some(job) = job {
                self.work(to, &mut worker, job, line).await;
                continue;
            }
            let lingers = worker.conversation.is_some() && !self.closed.load(Ordering::Acquire);
            if lingers && timeout(LINGER, line.bell.notified()).await.is_ok() {
                continue;
            }
            if let Some(conversation) = worker.conversation.take() {
                conversation.end().await;
            }
            let mut jobs = lock(&line.jobs);
            if jobs.0.is_empty() {
                jobs.1 -= 1;
                drop(jobs);
                self.forget(to, line);
                break;
            }
        }
        drop(permit);
    }

    /// A line nobody stands in is forgotten.
    fn forget(&self, to: &Destination, line: &Arc<Line>) {
        let mut lines = lock(&self.lines);
        let jobs = lock(&line.jobs);
        if jobs.0.is_empty()
            && jobs.1 == 0
            && lines.get(&to.key()).is_some_and(|l| Arc::ptr_eq(l, line))
        {
            lines.remove(&to.key());
            self.left.notify_one();
        }
    }

    async fn work(&self, to: &Destination, worker: &mut Worker, job: Job, line: &Line) {
        let Job { work, recipients } = job;
        let text = match load(&work).await {
            Ok(text) => text,
            Err(words) => {
                let outcome = self.desk.local((4, 3, 0), &words);
                self.desk.settle(&work, all(&recipients, &outcome));
                return;
            }
        };
        let hops = count_received(text.as_ref());
        if hops > self.desk.settings.hops {
            let words = format!("too many hops ({hops}): the message runs in circles");
            let outcome = self.desk.local((5, 4, 6), &words);
            self.desk.settle(&work, all(&recipients, &outcome));
            return;
        }
        let most = self.desk.settings.recipients.max(1);
        let mut verdicts = Vec::with_capacity(recipients.len());
        let mut open: VecDeque<Vec<usize>> =
            recipients.chunks(most).map(<[usize]>::to_vec).collect();
        while let Some(some) = open.pop_front() {
            if let Err(outcome) = self.ready(to, worker).await {
                self.spread(line, &outcome);
                verdicts.extend(all(&some, &outcome));
                continue;
            }
            let Some(conversation) = worker.conversation.as_mut() else {
                continue;
            };
            let reused = conversation.used > 0;
            let letter = Letter {
                envelope: &work.entry.envelope,
                text: text.as_ref(),
                clock: &|| self.desk.clock.now(),
                meanwhile: &|verdicts| self.desk.settle_some(&work, verdicts.to_vec()),
            };
            let mut done = conversation.give(&letter, &some).await;
            // A server may close a kept connection at any time; that is no answer.
            let nothing_said = |v: &super::outcome::Verdict| {
                v.outcome.reply.is_none() && v.outcome.command.as_deref() == Some("MAIL FROM")
            };
            let lost = reused && !done.goes_on && done.verdicts.iter().all(nothing_said);
            if !done.goes_on {
                worker.conversation = None;
            }
            if lost && !done.verdicts.is_empty() {
                open.push_front(some);
                continue;
            }
            verdicts.extend(done.verdicts.drain(done.told..));
            if !done.left.is_empty() {
                open.push_front(done.left);
            }
            if !open.is_empty() && !verdicts.is_empty() {
                self.desk.settle_some(&work, std::mem::take(&mut verdicts));
            }
        }
        self.desk.settle(&work, verdicts);
    }

    /// Nobody could be reached: what waits in line needs not find that out one by one, with a
    /// time-out each.
    fn spread(&self, line: &Line, outcome: &Outcome) {
        let unreached = (outcome.status.class, outcome.status.subject) == (4, 4);
        if !unreached {
            return;
        }
        let jobs = std::mem::take(&mut lock(&line.jobs).0);
        for job in jobs {
            self.desk.settle(&job.work, all(&job.recipients, outcome));
        }
    }

    /// Sees to it that there is a connection over which mail can be given.
    async fn ready(&self, to: &Destination, worker: &mut Worker) -> Result<(), Outcome> {
        if let Some(conversation) = worker.conversation.take() {
            if !conversation.is_spent() {
                worker.conversation = Some(conversation);
                return Ok(());
            }
            conversation.end().await;
        }
        let settings = &self.desk.settings;
        if worker.targets.is_none() {
            let found = self.targets(to).await;
            worker.targets = Some(found.map_err(|none| self.nobody(&none))?);
        }
        let (manner, port) = match to {
            Destination::Relay(relay) => {
                let manner = Manner {
                    settings,
                    tls: relay.tls,
                    relay: Some(relay),
                };
                (manner, relay.port)
            }
            _ => {
                let manner = Manner {
                    settings,
                    tls: settings.tls,
                    relay: None,
                };
                (manner, settings.port)
            }
        };
        let mut last = None;
        for target in worker.targets.iter().flatten() {
            for ip in &target.addresses {
                if !settings.beyond_loopback && !ip.to_canonical().is_loopback() {
                    last.get_or_insert_with(|| self.beyond(&target.host, *ip));
                    continue;
                }
                let at = SocketAddr::new(*ip, port);
                let now = self.desk.clock.now();
                match Conversation::begin(at, &target.host, manner, now).await {
                    Ok(conversation) => {
                        worker.conversation = Some(conversation);
                        return Ok(());
                    }
                    Err(refusal) if refusal.is_loop => return Err(refusal.outcome),
                    Err(refusal) => last = Some(refusal.outcome),
                }
            }
        }
        // The addresses may be others by the next attempt.
        worker.targets = None;
        Err(last.unwrap_or_else(|| {
            let words = format!("no server of {} has an address", to.name());
            self.desk.local((4, 4, 4), &words)
        }))
    }

    async fn targets(&self, to: &Destination) -> Result<Vec<Target>, NoTarget> {
        let settings = &self.desk.settings;
        let patience = Patience::of(settings.dns_wait);
        match to {
            Destination::Literal(ip) => Ok(vec![Target {
                host: format!("[{ip}]"),
                addresses: vec![*ip],
            }]),
            Destination::Relay(relay) => {
                exchange::of_host(self.lookup.as_ref(), &relay.host, &patience).await
            }
            Destination::Domain(domain) => {
                let own = [settings.host.clone()];
                let mut shuffle = random;
                let lookup = self.lookup.as_ref();
                exchange::of_domain(lookup, domain, &own, &patience, &mut shuffle).await
            }
        }
    }

    fn nobody(&self, none: &NoTarget) -> Outcome {
        Outcome::local(self.desk.clock.now(), none.status, &none.words)
    }

    /// Mail of tests must not reach strangers.
    fn beyond(&self, host: &str, ip: IpAddr) -> Outcome {
        let words = format!(
            "{host}[{ip}] is not on this machine, and this server sends nothing to others unless \
             it is started with --send-outside"
        );
        Outcome {
            host: Some(host.to_string()),
            ip: Some(ip),
            ..Outcome::local(self.desk.clock.now(), status(5, 7, 1), &words)
        }
    }
}

async fn load(work: &Work) -> Result<Loaded, String> {
    let text = work.entry.text.clone();
    let loaded = if text.is_held() {
        text.load()
    } else {
        let loading = tokio::task::spawn_blocking(move || text.load());
        loading.await.map_err(|error| error.to_string())?
    };
    loaded.map_err(|error| {
        let why = crate::words::reason(&error);
        format!("the message cannot be read from the queue: {why}")
    })
}

/// Received fields of the header section (RFC 5321 section 6.3).
fn count_received(text: &[u8]) -> usize {
    let mut rest = text;
    let mut count = 0;
    while let Some((line, after)) = crate::mta::maildir::split_line(rest)
        && !line.is_empty()
    {
        rest = after;
        count += usize::from(crate::mta::maildir::is_field(line, "received"));
    }
    count
}

/// A random number; which of two equal servers comes first is no secret.
fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}
