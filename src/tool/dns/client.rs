//! The resolver: a window of open questions, repeats, one hard limit per question, equal
//! questions asked once.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};

use super::link::{Event, Link, Open, Place, lock};
use super::wire::{self, Heard};
use super::{Failure, Lookup, Patience, Question, Reply};

/// How many questions are open at a time. 400 at once overran a local resolver's buffers, 200
/// did not; the answers and the follow-up questions of one address on 56 lists fit below.
pub const WINDOW: usize = 180;
/// When a question is sent again, counted from the first time; then it is only waited for.
const REPEATS: [Duration; 4] = [
    Duration::from_millis(400),
    Duration::from_millis(1000),
    Duration::from_millis(2000),
    Duration::from_millis(4000),
];
/// Packets of rubbish from one server before it is believed to send nothing else: one may be a
/// late answer that found its number taken again.
const RUBBISH: u8 = 2;
/// Answers kept in a run. Test points and follow-ups are asked again and again; the addresses
/// of a scan never are, so forgetting all of it at the limit costs next to nothing.
const REMEMBERED: usize = 4096;
/// Questions in a row without any answer after which the resolver is given up.
const GIVEN_UP: usize = 2 * WINDOW;

/// How long a program that runs on believes a "no such name". The SOA beside it would tell (RFC 2308
/// §5); a minute spares repeated questions, and hides a new name for no longer.
const NEGATIVE: Duration = Duration::from_secs(60);
/// And an answer, however long it may be kept: a mail host that moved is found within the hour.
const LONGEST: Duration = Duration::from_secs(3600);

/// An answer and when it came.
type Known = OnceCell<(Reply, Instant)>;

/// Asks name servers. Must be used inside a tokio runtime with its clock and network on.
#[derive(Debug)]
pub struct Resolver {
    links: Vec<Link>,
    window: Semaphore,
    known: Mutex<HashMap<Question, Arc<Known>>>,
    /// It serves a program that runs on: nothing is known for ever, and nobody is given up.
    lasting: bool,
    /// The server that answered last: it is asked first.
    preferred: AtomicUsize,
    heard: AtomicBool,
    unanswered: AtomicUsize,
}

impl Resolver {
    /// A resolver that asks these servers, the first one first. Opens nothing yet.
    pub fn new(servers: &[SocketAddr]) -> Self {
        Self {
            links: servers
                .iter()
                .enumerate()
                .map(|(n, &at)| Link::new(n, at))
                .collect(),
            window: Semaphore::new(WINDOW),
            known: Mutex::default(),
            lasting: false,
            preferred: AtomicUsize::new(0),
            heard: AtomicBool::new(false),
            unanswered: AtomicUsize::new(0),
        }
    }

    /// The same for a program that runs on for days: answers are kept as long as they allow, the
    /// lack of one is not kept at all, and a server that was silent is asked again.
    pub fn lasting(servers: &[SocketAddr]) -> Self {
        Self {
            lasting: true,
            ..Self::new(servers)
        }
    }

    /// Whether an answer of then may be given now.
    fn is_fresh(&self, known: &Known) -> bool {
        let Some((reply, came)) = known.get().filter(|_| self.lasting) else {
            return true;
        };
        let kept = match &reply.result {
            Ok(answer) => LONGEST.min(Duration::from_secs(answer.ttl.into())),
            Err(failure) if failure.is_answer() => NEGATIVE,
            Err(_) => Duration::ZERO,
        };
        came.elapsed() < kept
    }

    /// The servers, in the order given.
    pub fn servers(&self) -> Vec<SocketAddr> {
        self.links.iter().map(|link| link.at).collect()
    }

    /// Whether waiting for another answer is in vain: all were waited for and none ever came.
    fn is_given_up(&self) -> bool {
        if self.lasting {
            return false;
        }
        let unanswered = self.unanswered.load(Ordering::Relaxed);
        unanswered >= GIVEN_UP || (unanswered > 0 && !self.heard.load(Ordering::Relaxed))
    }

    async fn ask(&self, question: &Question, patience: &Patience) -> Reply {
        let Ok(_turn) = self.window.acquire().await else {
            return Reply::at_once(Err(Failure::Unreachable));
        };
        if self.is_given_up() {
            return Reply::at_once(Err(self.verdict()));
        }
        let reply = Effort::new(self, question).run(patience).await;
        match reply.server {
            Some(_) => {
                self.heard.store(true, Ordering::Relaxed);
                self.unanswered.store(0, Ordering::Relaxed);
            }
            None if reply.result == Err(Failure::Timeout) => {
                self.unanswered.fetch_add(1, Ordering::Relaxed);
            }
            None => {}
        }
        reply
    }

    /// What silence means: a server of which only strays were heard does not speak DNS.
    fn verdict(&self) -> Failure {
        let rubbish = |link: &Link| {
            link.strays.load(Ordering::Relaxed) && !link.heard.load(Ordering::Relaxed)
        };
        if self.links.iter().any(rubbish) {
            Failure::Rubbish
        } else {
            Failure::Timeout
        }
    }
}

impl Lookup for Resolver {
    async fn lookup(&self, question: Question, patience: Patience) -> Reply {
        let cell = {
            let mut known = lock(&self.known);
            if known.len() >= REMEMBERED {
                known.clear();
            }
            let cell = known.entry(question.clone()).or_default();
            if !self.is_fresh(cell) {
                *cell = Arc::default();
            }
            Arc::clone(cell)
        };
        let ask = async || (self.ask(&question, &patience).await, Instant::now());
        cell.get_or_init(ask).await.0.clone()
    }
}

/// One question on its way to one or more servers.
struct Effort<'r> {
    resolver: &'r Resolver,
    question: &'r Question,
    tell: mpsc::Sender<Event>,
    events: mpsc::Receiver<Event>,
    places: Vec<Option<(Place, Open<'r>)>>,
    /// What each server said that is no answer.
    said: Vec<Option<Failure>>,
    rubbish: Vec<u8>,
    edns: bool,
    by_tcp: bool,
    next: usize,
}

impl<'r> Effort<'r> {
    fn new(resolver: &'r Resolver, question: &'r Question) -> Self {
        let servers = resolver.links.len();
        // Room for an answer and the bad news of every try; more is not needed to decide.
        let (tell, events) = mpsc::channel(8);
        Self {
            resolver,
            question,
            tell,
            events,
            places: (0..servers).map(|_| None).collect(),
            said: vec![None; servers],
            rubbish: vec![0; servers],
            edns: true,
            by_tcp: false,
            next: resolver.preferred.load(Ordering::Relaxed),
        }
    }

    async fn run(mut self, patience: &Patience) -> Reply {
        let started = Instant::now();
        let mut deadline = started + patience.wait;
        let mut extended = false;
        let mut repeats = REPEATS.map(|after| started + after).into_iter().peekable();
        self.send_to_next(deadline).await;
        loop {
            if let Some(failure) = self.all_failed() {
                return self.reply(Err(failure), None, started);
            }
            let now = Instant::now();
            if now >= deadline {
                if extended || !patience.extends() {
                    let silent = self.best_said().unwrap_or_else(|| self.resolver.verdict());
                    return self.reply(Err(silent), None, started);
                }
                extended = true;
                deadline += patience.wait;
            }
            if repeats.next_if(|&at| at <= now).is_some() {
                self.send_to_next(deadline).await;
                continue;
            }
            let until = repeats.peek().map_or(deadline, |&at| deadline.min(at));
            let Ok(Some(event)) = timeout_at(until, self.events.recv()).await else {
                continue;
            };
            if let Some((server, result)) = self.consider(event, deadline).await {
                self.resolver.preferred.store(server, Ordering::Relaxed);
                return self.reply(result, Some(server), started);
            }
        }
    }

    /// Weighs what was heard; gives the result when it decides.
    async fn consider(
        &mut self,
        event: Event,
        deadline: Instant,
    ) -> Option<(usize, Result<super::Answer, Failure>)> {
        match event {
            Event::Heard(server, Heard::Said(result)) => match result {
                Err(failure) if !failure.is_answer() => {
                    self.note(server, failure);
                    if !self.tries_left() {
                        return self.best_said().map(|best| (server, Err(best)));
                    }
                    self.send_to_next(deadline).await;
                }
                result => return Some((server, result)),
            },
            Event::Heard(server, Heard::Truncated) => {
                self.by_tcp = true;
                self.start_tcp(server, deadline);
            }
            Event::Heard(server, Heard::NoEdns) if self.edns => {
                self.edns = false;
                self.send_to(server, deadline).await;
            }
            Event::Heard(server, Heard::NoEdns) => {
                return Some((server, Err(Failure::Code(1))));
            }
            Event::Rubbish(server) => {
                let count = self.rubbish.get_mut(server)?;
                *count = count.saturating_add(1);
                if *count >= RUBBISH {
                    self.note(server, Failure::Rubbish);
                    self.send_to_next(deadline).await;
                } else {
                    self.send_to(server, deadline).await;
                }
            }
            Event::Closed(server) => {
                self.note(server, Failure::Unreachable);
                self.send_to_next(deadline).await;
            }
        }
        None
    }

    fn note(&mut self, server: usize, failure: Failure) {
        if let Some(slot) = self.said.get_mut(server) {
            slot.get_or_insert(failure);
        }
    }

    fn tries_left(&self) -> bool {
        self.said.iter().any(Option::is_none)
    }

    /// The failure to report when every server has failed.
    fn all_failed(&self) -> Option<Failure> {
        if self.tries_left() {
            return None;
        }
        Some(self.best_said().unwrap_or(Failure::Unreachable))
    }

    /// The most telling of the failures: a server that said something beats one out of reach.
    fn best_said(&self) -> Option<Failure> {
        let said = || self.said.iter().flatten().copied();
        said()
            .find(|f| *f != Failure::Unreachable)
            .or_else(|| said().next())
    }

    /// Sends to the next server in turn that has not failed yet.
    async fn send_to_next(&mut self, deadline: Instant) {
        let servers = self.said.len();
        for _ in 0..servers {
            let server = self.next % servers;
            self.next = server + 1;
            if self.said.get(server).is_some_and(Option::is_none) {
                self.send_to(server, deadline).await;
                if self.said.get(server).is_some_and(Option::is_none) {
                    return;
                }
            }
        }
    }

    async fn send_to(&mut self, server: usize, deadline: Instant) {
        let Some(link) = self.resolver.links.get(server) else {
            return;
        };
        let repeat = matches!(self.places.get(server), Some(Some(_)));
        if link.tcp_only.load(Ordering::Relaxed) && !repeat {
            self.by_tcp = true;
            self.start_tcp(server, deadline);
        }
        if self.by_tcp {
            return;
        }
        // UDP that stays silent may be filtered where TCP is not; one question finds out.
        if repeat
            && !link.heard.load(Ordering::Relaxed)
            && !link.tcp_tried.swap(true, Ordering::Relaxed)
        {
            self.start_tcp(server, deadline);
        }
        if self.transmit(link, server).await.is_err() {
            self.note(server, Failure::Unreachable);
        }
    }

    async fn transmit(&mut self, link: &'r Link, server: usize) -> std::io::Result<()> {
        let Some(slot) = self.places.get_mut(server) else {
            return Ok(());
        };
        if slot.is_none() {
            let open = link.open();
            *slot = Some((link.place(self.question, &self.tell)?, open));
        }
        let Some((place, _)) = slot else {
            return Ok(());
        };
        let Some(packet) = wire::encode(self.question, place.id, self.edns) else {
            return Ok(());
        };
        link.send(place, &packet).await
    }

    fn start_tcp(&mut self, server: usize, deadline: Instant) {
        let Some(link) = self.resolver.links.get(server) else {
            return;
        };
        let Some(packet) = wire::encode(self.question, random(), self.edns) else {
            return;
        };
        let (at, question, tell) = (link.at, self.question.clone(), self.tell.clone());
        tokio::spawn(async move {
            let answer = timeout_at(deadline, Link::by_tcp(at, &packet, &question)).await;
            let event = match answer {
                Ok(Some(Heard::Said(said))) => Event::Heard(server, Heard::Said(said)),
                _ => return,
            };
            // Nobody listens any more when the answer came another way.
            let _ = tell.send(event).await;
        });
    }

    fn reply(
        &self,
        result: Result<super::Answer, Failure>,
        server: Option<usize>,
        started: Instant,
    ) -> Reply {
        let link = server.and_then(|server| self.resolver.links.get(server));
        if let Some(link) = link
            && link.tcp_tried.load(Ordering::Relaxed)
            && !link.heard.load(Ordering::Relaxed)
        {
            link.tcp_only.store(true, Ordering::Relaxed);
        }
        Reply {
            result,
            took: started.elapsed(),
            server: link.map(|link| link.at),
        }
    }
}

/// A number that cannot be guessed from outside: the standard library's hash keys are random.
pub(super) fn random() -> u16 {
    let [low, high, ..] = RandomState::new().build_hasher().finish().to_ne_bytes();
    u16::from_ne_bytes([low, high])
}
