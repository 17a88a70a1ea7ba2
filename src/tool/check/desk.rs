//! One server and everybody who wants to know something about it. However many targets lead
//! here, the server sees one conversation at a time, recipients of several targets share it, and
//! after a few refusals it is ended and begun anew, since servers slow down and cut off who gets
//! too many of them.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex as Lock, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, OnceCell, oneshot};

use crate::bounce::explanation::Command as Verb;
use crate::check::greeting::{Place, understand};
use crate::check::options::Options;
use crate::check::politeness::{Politeness, Turn};
use crate::check::recipients::{self, Asked};
use crate::check::{Outcome, Probe, Server};
use crate::dns::{Failure as DnsFailure, Lookup, Name};
use crate::posture::rdns::{self, Reverse};
use crate::posture::{Asker, dane};
use crate::smtp::tls::Opinion;
use crate::smtp::{Client, Failure, Stage};

/// Refusals of recipients in one conversation. Postfix slows down after 10 errors and hangs up
/// at 20; others are stricter.
const REFUSALS: usize = 5;
/// Accepted recipients in one conversation, when the server sets no limit.
const RECIPIENTS: usize = 50;
/// How often a recipient is asked about when the conversation ends before its turn.
const TRIES: u8 = 3;

/// A server and its queue.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) place: Place,
    talk: Mutex<Talk>,
    queue: Lock<VecDeque<Ask>>,
    met: OnceLock<Arc<Server>>,
    opinion: OnceLock<Option<Opinion>>,
    known: OnceCell<Known>,
}

/// What the DNS knows about a server.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Known {
    pub(super) reverse: Reverse,
    /// The TLSA records, where they stand, and whether DNSSEC vouches for them.
    pub(super) pins: Result<(Vec<dane::Pin>, bool), DnsFailure>,
    pub(super) pins_at: String,
}

/// A question in the queue.
#[derive(Debug)]
struct Ask {
    address: String,
    catch_all: bool,
    tries: u8,
    done: oneshot::Sender<Asked>,
}

/// The conversation as far as it has got.
#[derive(Debug, Default)]
struct Talk {
    client: Option<Client>,
    turn: Option<Turn>,
    refused: usize,
    taken: usize,
    /// MAIL is not taken without TLS.
    needs_tls: bool,
}

impl Desk {
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            talk: Mutex::default(),
            queue: Lock::default(),
            met: OnceLock::new(),
            opinion: OnceLock::new(),
            known: OnceCell::new(),
        }
    }

    /// Asks about a recipient; with `catch_all` also about one that cannot exist.
    pub(super) async fn ask(
        &self,
        address: &str,
        catch_all: bool,
        options: &Options,
        manners: &Arc<Politeness>,
    ) -> (Arc<Server>, Asked) {
        let (done, mut answer) = oneshot::channel();
        self.lock().push_back(Ask {
            address: address.to_string(),
            catch_all,
            tries: 0,
            done,
        });
        let mut talk = self.talk.lock().await;
        let met = self.met(&mut talk, options, manners).await;
        loop {
            if let Ok(asked) = answer.try_recv() {
                return (met, asked);
            }
            // Whoever holds the conversation works for all who wait, the first ones first.
            self.work(&met, &mut talk, options, manners).await;
        }
    }

    async fn met(
        &self,
        talk: &mut Talk,
        options: &Options,
        manners: &Arc<Politeness>,
    ) -> Arc<Server> {
        if let Some(met) = self.met.get() {
            return met.clone();
        }
        talk.turn = Some(manners.turn(self.place.ip).await);
        let (server, client) = self.place.meet(options).await;
        if client.is_none() {
            talk.turn = None;
        }
        talk.client = client;
        self.met.get_or_init(|| Arc::new(server)).clone()
    }

    /// Answers some of the questions in the queue.
    async fn work(
        &self,
        met: &Server,
        talk: &mut Talk,
        options: &Options,
        manners: &Arc<Politeness>,
    ) {
        if met.failure.is_some() || met.refusal.is_some() {
            return self.answer_all(met);
        }
        if talk.client.is_none() {
            talk.turn = Some(manners.turn(self.place.ip).await);
            // Addresses are nobody else's business; on this machine nobody listens in.
            let far = !self.place.ip.to_canonical().is_loopback();
            let tls = met.tls.session.is_some() && (far || talk.needs_tls);
            match self.place.return_to(options, met.tls.implicit, tls).await {
                Ok(client) => talk.client = Some(client),
                Err(failure) => {
                    talk.turn = None;
                    return self.give_up(&failure);
                }
            }
            (talk.refused, talk.taken) = (0, 0);
        }
        let Some(client) = talk.client.as_mut() else {
            return;
        };
        let limit = client.extensions.as_ref().and_then(|e| e.limit("RCPTMAX"));
        let limit = limit
            .and_then(|l| usize::try_from(l).ok())
            .unwrap_or(RECIPIENTS);
        let room = (REFUSALS - talk.refused).min(limit.max(1));
        let mut batch = self.take(room);
        let wanted: Vec<_> = batch
            .iter()
            .map(|a| (a.address.as_str(), a.catch_all))
            .collect();
        let mut answers = recipients::ask(client, &wanted, options, &self.place.host).await;

        // A server that wants TLS first is met again with it, once.
        if answers.needs_tls && !talk.needs_tls && met.tls.session.is_some() {
            talk.needs_tls = true;
            self.leave(talk).await;
            return self.put_back(batch);
        }
        talk.refused += answers.refused;
        talk.taken += answers.asked.len();
        let over = talk.refused >= REFUSALS || talk.taken >= RECIPIENTS || !client.is_open();
        let unasked = batch.split_off(answers.asked.len().min(batch.len()));
        self.put_back(unasked);
        if over || self.lock().is_empty() {
            let good_bye = self.leave(talk).await;
            if let (Some(step), Some(last)) = (good_bye, answers.asked.last_mut()) {
                last.steps.push(step);
            }
        }
        for (ask, asked) in batch.into_iter().zip(answers.asked) {
            // Whoever asked may have gone.
            let _ = ask.done.send(asked);
        }
    }

    /// Ends the conversation; gives the last step.
    async fn leave(&self, talk: &mut Talk) -> Option<crate::check::Step> {
        let mut client = talk.client.take()?;
        // Exim holds its 221 back for 200 ms; two round trips are enough to wait for courtesy.
        let round_trip = client.transcript.time(Stage::Connect).unwrap_or_default();
        client.deadlines_mut().quit =
            (round_trip * 2 + Duration::from_millis(25)).min(Duration::from_secs(1));
        client.quit().await;
        talk.turn = None;
        client.transcript.exchanges.pop()
    }

    fn take(&self, room: usize) -> Vec<Ask> {
        let mut queue = self.lock();
        let count = room.min(queue.len());
        queue.drain(..count).collect()
    }

    fn put_back(&self, asks: Vec<Ask>) {
        let mut queue = self.lock();
        for mut ask in asks.into_iter().rev() {
            ask.tries += 1;
            if ask.tries >= TRIES {
                let _ = ask.done.send(Asked::nothing(&ask.address));
            } else {
                queue.push_front(ask);
            }
        }
    }

    /// Nobody can be asked about: the server did not let us get that far.
    fn answer_all(&self, met: &Server) {
        for ask in self.take(usize::MAX) {
            let mut asked = Asked::nothing(&ask.address);
            if let Some((reply, judgement)) = &met.refusal {
                asked.probe.reply = Some(reply.clone());
                asked.probe.judgement = Some(judgement.clone());
                if reply.is_transient() {
                    asked.probe.outcome = Outcome::Deferred;
                }
            }
            let _ = ask.done.send(asked);
        }
    }

    /// The server let us in before and does not now.
    fn give_up(&self, failure: &Failure) {
        let waiting = self.take(usize::MAX);
        for ask in waiting {
            let mut asked = Asked::nothing(&ask.address);
            asked.failure = Some(failure.clone());
            let _ = ask.done.send(asked);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Ask>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the server's certificate is worth, judged once.
    pub(super) fn opinion(&self, met: &Server, options: &Options) -> Option<Opinion> {
        let judged = self.opinion.get_or_init(|| {
            let session = met.tls.session.as_ref()?;
            Some(options.roots.judge(session, &self.place.host, options.now))
        });
        judged.clone()
    }

    /// What the DNS knows about the server, asked once.
    /// `alias` is what the server's name stands for, when it is an alias.
    pub(super) async fn known<L: Lookup>(
        &self,
        asker: Asker<'_, L>,
        alias: Option<&str>,
    ) -> &Known {
        self.known
            .get_or_init(|| async {
                let reverse = rdns::look_up(asker, self.place.ip);
                let (reverse, (pins, pins_at)) = tokio::join!(reverse, self.pins(asker, alias));
                Known {
                    reverse,
                    pins,
                    pins_at,
                }
            })
            .await
    }

    /// The TLSA records and where they stand: at the name that an alias leads to, and when there
    /// are none, at the alias itself (RFC 7672 §2.2.2).
    async fn pins<L: Lookup>(
        &self,
        asker: Asker<'_, L>,
        alias: Option<&str>,
    ) -> (Result<(Vec<dane::Pin>, bool), DnsFailure>, String) {
        let at = |host: &str| format!("_{}._tcp.{host}", self.place.port);
        if let Some(real) = alias {
            let name = at(real);
            match pins(asker, &name, real).await {
                Ok((found, _)) if found.is_empty() => {}
                found => return (found, name),
            }
        }
        let name = at(&self.place.host);
        (pins(asker, &name, &self.place.host).await, name)
    }
}

/// The TLSA records of a server. An address has no name to pin.
async fn pins<L: Lookup>(
    asker: Asker<'_, L>,
    at: &str,
    host: &str,
) -> Result<(Vec<dane::Pin>, bool), DnsFailure> {
    let name = Name::parse(at)
        .ok()
        .filter(|_| host.parse::<IpAddr>().is_err());
    let Some(name) = name else {
        return Ok((Vec::new(), false));
    };
    match asker.ask(&name, crate::dns::Kind::Tlsa).await {
        Ok(answer) => {
            let pins = answer.data.iter().filter_map(dane::Pin::of).collect();
            Ok((pins, answer.authentic))
        }
        Err(failure) if failure.is_answer() => Ok((Vec::new(), false)),
        Err(failure) => Err(failure),
    }
}

impl Asked {
    /// A recipient that nobody could be asked about.
    pub(super) fn nothing(address: &str) -> Self {
        Self {
            probe: Probe {
                address: address.to_string(),
                outcome: Outcome::Unknown,
                reply: None,
                judgement: None,
                at_mail: false,
                catch_all: None,
                waited: None,
            },
            steps: Vec::new(),
            failure: None,
        }
    }

    /// What a reply to MAIL or RCPT makes of a recipient.
    pub(super) fn replied(&mut self, reply: crate::smtp::Reply, at: Verb, host: &str) {
        self.probe.at_mail = at == Verb::Mail;
        self.probe.outcome = match reply.code / 100 {
            2 if at == Verb::Rcpt => Outcome::Accepted,
            4 => Outcome::Deferred,
            5 if at == Verb::Rcpt => Outcome::Rejected,
            _ => Outcome::Unknown,
        };
        if !reply.is_positive() {
            self.probe.judgement = Some(understand(&reply, at, host));
        }
        self.probe.reply = Some(reply);
    }
}
