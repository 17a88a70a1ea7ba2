//! Asks the lists: all at once for one subject, each list's health once for all subjects.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, join, join_all, select};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep_until, timeout};

use crate::dns::{Answer, Data, Kind, Lookup, Name, Patience, Pulse, Question};
use crate::dnsbl::health::{self, Health};
use crate::dnsbl::judge::{Heard, judge};
use crate::dnsbl::reading::{self, Reading};
use crate::dnsbl::source::Source;
use crate::dnsbl::subject::Subject;
use crate::dnsbl::trust::{self, Distrust};
use crate::dnsbl::verdict::{Finding, Status, Verdict};
use crate::scope::Scope;

/// Names that are asked about a host name: itself and parents, the registered domain last.
const MOST_NAMES: usize = 4;
/// Texts of a list that are kept, and their length: more is not read by anybody.
const MOST_TEXTS: usize = 8;
const LONGEST_TEXT: usize = 512;
/// Questions in a row without an answer after which a list is left alone for the rest of a run.
const DROPPED_AFTER: usize = 3;
/// Questions that a public list gets at once: a /24. Beyond that it gets [`PACE`] between two.
const BURST: u32 = 256;
/// Ten a second: SPFBL asks for no more.
const PACE: Duration = Duration::from_millis(100);

/// How to ask.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// How long to wait for a list.
    pub wait: Duration,
    /// Ask every list's test entries, not only those of lists that need it.
    pub probe: bool,
    /// Ask public lists about addresses that they cannot list.
    pub force: bool,
}

/// The lists of a run and what was learned about them.
pub struct Checker<'l, L> {
    lookup: &'l L,
    manner: Manner,
    lists: Vec<State>,
    distrust: OnceCell<Option<Distrust>>,
}

/// A list and what was learned about it in this run.
struct State {
    source: Arc<Source>,
    pulse: Pulse,
    /// By kind of subject: own zones have different test entries for each.
    health: [OnceCell<Health>; 3],
    /// The last outcomes in a row that were none, and what they were.
    failures: Mutex<(usize, Status)>,
    gate: Mutex<Gate>,
}

struct Gate {
    burst: u32,
    next: Option<Instant>,
}

/// What the questions about one subject brought.
struct Outcome {
    heard: Heard,
    /// The name that was answered, and the answer.
    answer: Option<(Name, Answer)>,
    matched: Option<Name>,
    took: Duration,
}

impl<'l, L: Lookup> Checker<'l, L> {
    /// Lists to ask, and how.
    pub fn new(lookup: &'l L, sources: Vec<Source>, manner: Manner) -> Self {
        let state = |source| State {
            source: Arc::new(source),
            pulse: Pulse::default(),
            health: Default::default(),
            failures: Mutex::new((0, Status::Clean)),
            gate: Mutex::new(Gate {
                burst: BURST,
                next: None,
            }),
        };
        Self {
            lookup,
            manner,
            lists: sources.into_iter().map(state).collect(),
            distrust: OnceCell::new(),
        }
    }

    /// Asks all lists about one subject. `from` says how it was derived from what the user gave.
    pub async fn check(&self, subject: Subject, from: Option<String>) -> Finding {
        let scope = subject.ip().map(Scope::of);
        let mut verdicts = Vec::new();
        let mut asked = Vec::new();
        for state in &self.lists {
            match self.skipped(state, &subject, scope, from.is_some()) {
                Skip::Ask => asked.push(state),
                Skip::Say(why) => {
                    let why = Some(why.to_string());
                    verdicts.push(Verdict::without(&state.source, Status::Skipped, why));
                }
                Skip::LeaveOut => {}
            }
        }
        let mut distrust = None;
        if !asked.is_empty() {
            let answers = join_all(asked.iter().map(|state| self.verdict(state, &subject)));
            let trust = self
                .distrust
                .get_or_init(|| trust::examine(self.lookup, self.manner.wait));
            let (answers, trust) = join(answers, trust).await;
            verdicts.splice(0..0, answers);
            distrust.clone_from(trust);
        }
        let mut finding = Finding {
            subject,
            scope,
            from,
            verdicts,
            distrust,
        };
        doubt(&mut finding);
        finding
    }

    fn skipped(
        &self,
        state: &State,
        subject: &Subject,
        scope: Option<Scope>,
        derived: bool,
    ) -> Skip {
        let source = &state.source;
        if let Some(why) = source.barred {
            return Skip::Say(why);
        }
        if !source.takes(subject) {
            // A list that the user named must not vanish without a word.
            return match subject {
                _ if derived || !source.named => Skip::LeaveOut,
                Subject::Domain(_) => Skip::Say("lists addresses, no names"),
                Subject::V6(_) if source.subjects.ipv4 => Skip::Say("lists no IPv6 addresses"),
                Subject::V4(_) if source.subjects.ipv6 => Skip::Say("lists no IPv4 addresses"),
                _ => Skip::Say("lists names, no addresses"),
            };
        }
        let named_by_nobody = scope.is_some_and(|scope| !scope.is_public());
        if named_by_nobody && source.is_public() && !self.manner.force {
            return Skip::Say("a public list cannot name such an address");
        }
        // What was never asked must not come out as "not listed".
        if questions(source, subject).is_empty() {
            return Skip::Say("the name is too long to be asked there");
        }
        Skip::Ask
    }

    async fn verdict(&self, state: &State, subject: &Subject) -> Verdict {
        let source = &state.source;
        if let Some(status) = state.is_dropped() {
            let why = "not asked any more in this run: it gave no answer before".to_string();
            return Verdict::without(source, status, Some(why));
        }
        if source.is_public() {
            state.pass().await;
        }
        let started = Instant::now();
        let outcome = self.outcome(state, subject).await;
        let left = self
            .manner
            .wait
            .saturating_sub(started.elapsed())
            .max(self.manner.wait / 4);
        let needs_health = match &outcome.heard {
            Heard::Answer(Reading::On(_) | Reading::Ambiguous) => true,
            // What is not in the catalogue may be a typing error, and its silence an all-clear.
            Heard::Absent => {
                self.manner.probe || source.list.is_none_or(|list| list.dead.is_some())
            }
            Heard::Answer(_) | Heard::Failed(_) => false,
        };
        let health = async {
            if !needs_health {
                return None;
            }
            let named = match &outcome.heard {
                Heard::Answer(reading @ Reading::On(_)) => Some(reading.clone()),
                _ => None,
            };
            Some(self.health(state, subject, named, left).await)
        };
        let (texts, health) = join(self.texts(&outcome, left), health).await;
        let (status, note) = judge(source, &outcome.heard, health);
        state.count(status);
        let meanings = match outcome.heard {
            Heard::Answer(Reading::On(said)) => said,
            _ => Vec::new(),
        };
        let answer = outcome.answer.map(|(_, answer)| answer);
        Verdict {
            codes: answer
                .as_ref()
                .map_or_else(Vec::new, |a| health::codes(&a.data)),
            meanings,
            texts,
            matched: outcome.matched,
            ttl: answer.map(|a| a.ttl),
            took: Some(outcome.took),
            ..Verdict::without(source, status, note)
        }
    }

    /// Asks, and looks after the list's health meanwhile when it is slow or that is wished for.
    async fn outcome(&self, state: &State, subject: &Subject) -> Outcome {
        let wait = self.manner.wait;
        let main = self.ask(state, subject);
        if self.manner.probe {
            return join(main, self.health(state, subject, None, wait)).await.0;
        }
        let mut main = std::pin::pin!(main);
        if let Ok(outcome) = timeout(wait / 2, main.as_mut()).await {
            return outcome;
        }
        // The test entries show whether it is slow or dead: who is felt gets more time.
        let health = std::pin::pin!(self.health(state, subject, None, wait / 2));
        match select(main, health).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right((_, main)) => main.await,
        }
    }

    async fn health<'s>(
        &self,
        state: &'s State,
        subject: &Subject,
        named: Option<Reading>,
        wait: Duration,
    ) -> &'s Health {
        let [v4, v6, domain] = &state.health;
        let cell = match subject {
            Subject::V4(_) => v4,
            Subject::V6(_) => v6,
            Subject::Domain(_) => domain,
        };
        let (source, pulse) = (&state.source, &state.pulse);
        let examine = || health::examine(self.lookup, source, subject, named, wait, pulse);
        cell.get_or_init(examine).await
    }

    async fn ask(&self, state: &State, subject: &Subject) -> Outcome {
        let questions = questions(&state.source, subject);
        let asked = questions.iter().map(async |(form, name)| {
            let patience = Patience::unless_felt(self.manner.wait, state.pulse.clone());
            let reply = self
                .lookup
                .lookup(Question::new(name.clone(), Kind::A), patience)
                .await;
            if reply.result.is_ok() || reply.result.as_ref().is_err_and(|f| f.is_answer()) {
                state.pulse.beat();
            }
            (form, name, reply)
        });
        let replies = join_all(asked).await;
        let took = replies
            .iter()
            .map(|(_, _, reply)| reply.took)
            .max()
            .unwrap_or_default();
        let mut failure = None;
        for (form, name, reply) in replies {
            match reply.result {
                Ok(answer) => {
                    let heard = reading::read(&state.source, &health::codes(&answer.data));
                    let matched = match form {
                        Subject::Domain(form) if Subject::Domain(form.clone()) != *subject => {
                            Some(form.clone())
                        }
                        _ => None,
                    };
                    let answer = Some((name.clone(), answer));
                    return Outcome {
                        heard: Heard::Answer(heard),
                        answer,
                        matched,
                        took,
                    };
                }
                Err(one) if !one.is_answer() => failure = failure.or(Some(one)),
                Err(_) => {}
            }
        }
        let heard = failure.map_or(Heard::Absent, Heard::Failed);
        Outcome {
            heard,
            answer: None,
            matched: None,
            took,
        }
    }

    /// The texts beside a listing; their absence changes nothing.
    async fn texts(&self, outcome: &Outcome, wait: Duration) -> Vec<Vec<u8>> {
        let (Some((name, _)), Heard::Answer(Reading::On(_))) = (&outcome.answer, &outcome.heard)
        else {
            return Vec::new();
        };
        let question = Question::new(name.clone(), Kind::Txt);
        let reply = self.lookup.lookup(question, Patience::of(wait)).await;
        let text = |data: &Data| match data {
            Data::Txt(text) => Some(text.iter().copied().take(LONGEST_TEXT).collect()),
            _ => None,
        };
        reply
            .data()
            .iter()
            .filter_map(text)
            .take(MOST_TEXTS)
            .collect()
    }
}

enum Skip {
    Ask,
    Say(&'static str),
    LeaveOut,
}

impl State {
    fn count(&self, status: Status) {
        let mut failures = lock(&self.failures);
        let failed = matches!(status, Status::Timeout | Status::Error | Status::Refused);
        *failures = (if failed { failures.0 + 1 } else { 0 }, status);
    }

    fn is_dropped(&self) -> Option<Status> {
        let (failures, status) = *lock(&self.failures);
        (failures >= DROPPED_AFTER).then_some(status)
    }

    /// Waits for the turn of this list.
    async fn pass(&self) {
        let at = {
            let mut gate = lock(&self.gate);
            if gate.burst > 0 {
                gate.burst -= 1;
                return;
            }
            let at = gate.next.unwrap_or_else(Instant::now).max(Instant::now());
            gate.next = Some(at + PACE);
            at
        };
        sleep_until(at).await;
    }
}

/// The names that ask a list about a subject; none when they would be too long for the DNS.
fn questions(source: &Source, subject: &Subject) -> Vec<(Subject, Name)> {
    let asked = |form: Subject| {
        let name = form.asked_at(source.zone.as_ref()?).ok()?;
        Some((form, name))
    };
    let forms = forms(source, subject);
    forms.into_iter().filter_map(asked).collect()
}

/// What is asked for a subject: a host name also by its parents, down to the registered domain.
fn forms(source: &Source, subject: &Subject) -> Vec<Subject> {
    let Subject::Domain(name) = subject else {
        return vec![subject.clone()];
    };
    let registered = name.registered();
    if source.list.is_some_and(|list| list.registered_only) {
        return vec![Subject::Domain(registered)];
    }
    let parents = std::iter::successors(Some(name.clone()), Name::parent);
    let mut names: Vec<_> = parents
        .take_while(|parent| parent.is_within(&registered))
        .collect();
    // Of a deep name, the name itself and what is next to the registered domain: lists name that.
    if let Some(more) = names.len().checked_sub(MOST_NAMES) {
        names.drain(1..=more);
    }
    names.into_iter().map(Subject::Domain).collect()
}

/// Takes back what a resolver that cannot be trusted said.
fn doubt(finding: &mut Finding) {
    match finding.distrust {
        Some(Distrust::Rewrites(_)) => {
            for verdict in &mut finding.verdicts {
                let closed = verdict.source.list.is_some_and(|list| list.dead.is_some());
                if verdict.status.is_answer() || (verdict.status == Status::Dead && !closed) {
                    verdict.status = Status::Untrusted;
                    verdict.note = Some("the resolver rewrites answers".to_string());
                }
            }
        }
        // No way to the root, but a way to the lists: that is how a lab looks.
        Some(Distrust::Useless(_)) if finding.answered() > 0 => finding.distrust = None,
        _ => {}
    }
}

/// A panic elsewhere leaves no half-done change behind these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
