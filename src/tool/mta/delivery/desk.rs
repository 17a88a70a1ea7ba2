//! The desk of the post office: takes what is due, sorts it by where it goes, and concludes when
//! all has come back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, watch};

use super::boxes::{Boxes, Post, THREADS};
use super::conclude::{Conclusion, Known, conclude, is_news};
use super::outcome::{Verdict, status};
use super::remote::Remotes;
use super::route::{Destination, Route, route};
use super::settings::Settings;
use crate::dns::Lookup;
use crate::mta::maildir;
use crate::mta::queue::{Entry, Event, Fate, Outcome, Queue, State, lock};
use crate::mta::retry::Clock;

/// Messages that are worked on at the same time.
const AT_ONCE: usize = 2000;
/// Messages that are taken from the queue at a time.
const HANDFUL: usize = 256;
/// How long conversations that are going on may take to come to their end when we stop.
const GRACE: Duration = Duration::from_secs(3);

/// Where events go: what happened, the queue id, further words.
pub type Log = Arc<dyn Fn(&str, Option<&str>, &[(&str, &str)]) + Send + Sync>;

/// A message that is being worked on.
pub(super) struct Work {
    pub(super) entry: Entry,
    pub(super) fates: Mutex<Vec<Fate>>,
    /// Parts that have not come back.
    pub(super) parts: AtomicUsize,
    /// Whether somebody waits to tell of those who are settled.
    pub(super) telling: AtomicBool,
}

/// What is left to be told.
enum News {
    /// A message has been concluded upon.
    Concluded(Arc<Work>, Conclusion),
    /// Some of its recipients are settled, and others may take long.
    Meanwhile(Arc<Work>),
}

/// What the parts of delivery share.
pub(super) struct Desk {
    pub(super) queue: Queue,
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) log: Log,
    boxes: Boxes,
    /// Messages that are worked on.
    busy: AtomicUsize,
    /// Rung when one of them is done.
    done: Notify,
    /// Messages about which somebody has to be told.
    tell: UnboundedSender<News>,
}

/// Delivery, until it is told to stop.
pub struct Delivery<L> {
    desk: Arc<Desk>,
    remotes: Remotes<L>,
    told: UnboundedReceiver<News>,
}

impl<L: Lookup + Send + Sync + 'static> Delivery<L> {
    /// Delivery of what is in a queue.
    pub fn new(queue: Queue, settings: Settings, lookup: Arc<L>, clock: Clock, log: Log) -> Self {
        let (tell, told) = unbounded_channel();
        let desk = Arc::new(Desk {
            queue,
            settings,
            clock,
            log,
            boxes: Boxes::default(),
            busy: AtomicUsize::new(0),
            done: Notify::new(),
            tell,
        });
        let remotes = Remotes::new(desk.clone(), lookup);
        Self {
            desk,
            remotes,
            told,
        }
    }

    /// Delivers until `stop` becomes true; what is being delivered then is finished, if it does
    /// not take too long. The rest stays in the queue.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let threads: Vec<_> = (0..THREADS)
            .filter_map(|n| {
                let desk = self.desk.clone();
                let thread = std::thread::Builder::new().name(format!("maildir-{n}"));
                let first = n == 0;
                let work = move || {
                    if first {
                        maildir::sweep(desk.settings.mailboxes.dir());
                    }
                    desk.boxes.run(&desk);
                };
                thread.spawn(work).ok()
            })
            .collect();
        while !*stop.borrow() {
            let desk = &self.desk;
            let room = AT_ONCE.saturating_sub(desk.busy.load(Ordering::Acquire));
            let due = desk.queue.take_due(desk.clock.now(), room.min(HANDFUL));
            if !due.is_empty() {
                self.begin(due);
                tokio::task::yield_now().await;
                continue;
            }
            let wait = self.wait(room > 0);
            tokio::select! {
                _ = stop.changed() => {}
                () = self.desk.queue.stirred() => {}
                () = self.desk.done.notified() => {}
                () = tokio::time::sleep(wait) => {}
                Some(news) = self.told.recv() => self.spread(news),
            }
        }
        self.finish().await;
        self.remotes.close().await;
        self.desk.boxes.close();
        for thread in threads {
            // They only finish what they have; a second or two.
            drop(tokio::task::spawn_blocking(move || thread.join()).await);
        }
    }

    fn spread(&self, news: News) {
        match news {
            News::Concluded(work, conclusion) => {
                let desk = self.desk.clone();
                tokio::spawn(async move { desk.tell(&work, conclusion).await });
            }
            News::Meanwhile(work) => {
                let gather = self.desk.settings.gather;
                // Nothing is kept for this that is not needed any more.
                let (desk, work) = (Arc::downgrade(&self.desk), Arc::downgrade(&work));
                tokio::spawn(async move {
                    tokio::time::sleep(gather).await;
                    if let (Some(desk), Some(work)) = (desk.upgrade(), work.upgrade()) {
                        desk.tell_meanwhile(&work).await;
                    }
                });
            }
        }
    }

    /// How long nothing happens by itself.
    fn wait(&self, has_room: bool) -> Duration {
        const LONGEST: Duration = Duration::from_secs(60);
        let desk = &self.desk;
        let Some(next) = desk.queue.next_due().filter(|_| has_room) else {
            return LONGEST;
        };
        if desk.clock.is_virtual() && desk.busy.load(Ordering::Acquire) == 0 {
            desk.clock.jump(next);
            return Duration::ZERO;
        }
        let wait = next.duration_since(desk.clock.now()).unwrap_or_default();
        wait.min(LONGEST)
    }

    async fn finish(&mut self) {
        let end = tokio::time::Instant::now() + GRACE;
        while self.desk.busy.load(Ordering::Acquire) > 0 {
            let desk = self.desk.clone();
            tokio::select! {
                () = tokio::time::sleep_until(end) => return,
                () = desk.done.notified() => {}
                Some(news) = self.told.recv() => {
                    // What is not told now is told after the next start.
                    if let News::Concluded(work, conclusion) = news {
                        desk.tell(&work, conclusion).await;
                    }
                }
            }
        }
    }

    /// Sorts messages by where their recipients are.
    fn begin(&self, due: Vec<Entry>) {
        let mut posts = Vec::new();
        for entry in due {
            self.desk.busy.fetch_add(1, Ordering::AcqRel);
            self.sort(entry, &mut posts);
        }
        if !posts.is_empty() {
            self.desk.boxes.push(posts);
        }
    }

    fn sort(&self, entry: Entry, posts: &mut Vec<Post>) {
        let desk = &self.desk;
        let now = desk.clock.now();
        let mut local = Vec::new();
        let mut remote: BTreeMap<String, (Destination, Vec<usize>)> = BTreeMap::new();
        let mut refused = Vec::new();
        for (n, recipient) in entry.envelope.recipients.iter().enumerate() {
            if entry.fates.get(n).is_none_or(|f| f.state != State::Waiting) {
                continue;
            }
            match route(&desk.settings, &recipient.address) {
                Route::Mailbox { dir, quota } => local.push((n, dir, quota)),
                Route::Server(destination) => {
                    let key = destination.key();
                    let (_, all) = remote.entry(key).or_insert((destination, Vec::new()));
                    all.push(n);
                }
                Route::Nowhere(code, words) => refused.push(Verdict {
                    n,
                    state: State::Failed,
                    outcome: Outcome::local(now, code, words),
                    told_elsewhere: false,
                }),
            }
        }
        let parts = local.len() + remote.len() + usize::from(!refused.is_empty());
        let work = Arc::new(Work {
            fates: Mutex::new(entry.fates.clone()),
            entry,
            // Nothing to do: a message that was settled and not yet concluded upon.
            parts: AtomicUsize::new(parts.max(1)),
            telling: AtomicBool::new(false),
        });
        if !refused.is_empty() || parts == 0 {
            desk.settle(&work, refused);
        }
        posts.extend(local.into_iter().map(|(n, dir, quota)| Post {
            work: work.clone(),
            n,
            dir,
            quota,
        }));
        for (destination, recipients) in remote.into_values() {
            self.remotes.push(destination, work.clone(), recipients);
        }
    }
}

impl Desk {
    /// Takes in what is known of some recipients of a part that has not come back.
    pub(super) fn settle_some(&self, work: &Arc<Work>, verdicts: Vec<Verdict>) {
        // One part more, so that this is not the last.
        work.parts.fetch_add(1, Ordering::AcqRel);
        self.settle(work, verdicts);
    }

    /// Takes back one part of a message. May be called from any thread.
    pub(super) fn settle(&self, work: &Arc<Work>, verdicts: Vec<Verdict>) {
        // Counted and noted under the lock: whoever concludes knows everything that came back
        // before, and nobody begins the next attempt without it.
        let mut fates = lock(&work.fates);
        let last = work.parts.fetch_sub(1, Ordering::AcqRel) == 1;
        let mut events = Vec::with_capacity(verdicts.len());
        let mut news = false;
        for verdict in verdicts {
            self.log(work, &verdict);
            news |= is_news(&work.entry.envelope, verdict.n, verdict.state);
            if let Some(fate) = fates.get_mut(verdict.n) {
                fate.state = verdict.state;
                fate.told |= verdict.told_elsewhere && verdict.state == State::Delivered;
                fate.outcome = Some(verdict.outcome.clone());
                if fate.told {
                    events.push(Event::Told(verdict.n));
                }
            }
            events.push(Event::State(verdict.n, verdict.state, verdict.outcome));
        }
        if !last {
            self.queue.note(work.entry.id, &events);
            drop(fates);
            if news && !work.telling.swap(true, Ordering::AcqRel) {
                drop(self.tell.send(News::Meanwhile(work.clone())));
            }
            return;
        }
        let known = Known {
            id: work.entry.id,
            envelope: &work.entry.envelope,
            fates: &mut fates,
            tries: work.entry.tries + 1,
        };
        let conclusion = conclude(known, &self.settings.schedule, self.clock.now());
        drop(fates);
        if conclusion.notices.is_empty() && conclusion.doubles.is_empty() {
            // The usual end: one note says it all.
            if conclusion.afterwards != [Event::Gone] {
                events.extend(conclusion.events);
            } else {
                events.clear();
            }
            events.extend(conclusion.afterwards);
            self.close(work, &events);
            return;
        }
        events.extend(conclusion.events.iter().cloned());
        self.queue.note(work.entry.id, &events);
        // The receiver lives as long as there is work.
        drop(self.tell.send(News::Concluded(work.clone(), conclusion)));
    }

    pub(super) fn close(&self, work: &Work, events: &[Event]) {
        self.queue.note(work.entry.id, events);
        self.queue.release(work.entry.id);
        self.busy.fetch_sub(1, Ordering::AcqRel);
        self.done.notify_one();
    }

    /// One line for each recipient and attempt.
    fn log(&self, work: &Work, verdict: &Verdict) {
        let outcome = &verdict.outcome;
        let to = work.entry.envelope.recipients.get(verdict.n);
        let to = to.map(|r| r.address.to_string()).unwrap_or_default();
        let relay = match (&outcome.host, outcome.ip) {
            (Some(host), Some(ip)) => format!("{host}[{ip}]"),
            (Some(host), None) => host.clone(),
            _ => "local".to_string(),
        };
        let taken = work.entry.envelope.received;
        let delay = self.clock.now().duration_since(taken).unwrap_or_default();
        let event = match verdict.state {
            State::Waiting => "deferred",
            state => state.word(),
        };
        let id = work.entry.id.to_string();
        (self.log)(
            event,
            Some(&id),
            &[
                ("to", &to),
                ("relay", &relay),
                ("delay", &format!("{:.2}", delay.as_secs_f64())),
                ("dsn", &outcome.status.to_string()),
                ("said", outcome.said()),
            ],
        );
    }

    /// The outcome for a message that nobody can be found for.
    pub(super) fn local(&self, code: (u8, u16, u16), words: &str) -> Outcome {
        Outcome::local(self.clock.now(), status(code.0, code.1, code.2), words)
    }
}
