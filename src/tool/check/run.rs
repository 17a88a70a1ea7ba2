//! The run: targets to checkups. What several targets share is asked once.

use std::collections::{HashMap, HashSet};
use std::future::poll_fn;
use std::hash::Hash;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use crate::check::checkup::{Answer, Checkup, Dns, Outcome, Pins, Server, Verdict};
use crate::check::desk::Desk;
use crate::check::greeting::Place;
use crate::check::options::Options;
use crate::check::ourselves::{self, Question};
use crate::check::patience::hint;
use crate::check::politeness::Politeness;
use crate::check::target::{Kind, Target};
use crate::check::{broken, capabilities, domain, encryption, relay, sts, verdict};
use crate::dns::{Data, Kind as Ask, Lookup, Name};
use crate::posture::finding::{Finding, Notes, Severity};
use crate::posture::{Asker, tls_rpt};
use crate::smtp::{Extensions, Failure, Host, Reply, Stage};

/// Servers of one target that are asked.
const MOST_SERVERS: usize = 40;
/// Addresses of one server and family that are asked.
const MOST_ADDRESSES: usize = 4;
/// Domains and servers that are remembered; beyond that, those that nobody is busy with go.
const REMEMBERED: usize = 1024;
/// The finding that nobody was asked because of `-4` or `-6`.
pub(super) const NO_FAMILY: &str = "no-address-of-family";
/// The finding that nobody was asked because the name of the one server could not be looked up.
pub(super) const UNRESOLVED: &str = "host-unresolved";
/// How often a greylisted address is asked about again.
const RETRIES: usize = 4;
/// How long to wait for a greylisting server that does not say how long.
const GREY: Duration = Duration::from_secs(60);

/// Checks targets, many at a time if the caller likes.
#[derive(Debug)]
pub struct Checker<L> {
    lookup: L,
    options: Options,
    manners: Arc<Politeness>,
    domains: Mutex<HashMap<Name, Arc<OnceCell<Dns>>>>,
    desks: Mutex<HashMap<Place, Arc<Desk>>>,
    reach: Mutex<Reach>,
    ourselves: Mutex<HashMap<Question, Arc<OnceCell<Vec<Finding>>>>>,
}

/// Who answers on port 25 at all, to tell a dead server from a blocked port.
#[derive(Debug, Default)]
struct Reach {
    silent: HashSet<Name>,
    connected: bool,
}

/// A place with the preference of its MX, and whether DNSSEC vouches for the way to it.
struct Stop {
    preference: Option<u16>,
    place: Place,
    /// What the host's name is an alias of.
    alias: Option<String>,
    authentic: bool,
}

impl<L: Lookup> Checker<L> {
    /// A checker that looks names up here.
    pub fn new(lookup: L, options: Options) -> Self {
        let manners = Arc::new(Politeness::new(options.connections));
        Self {
            lookup,
            options,
            manners,
            domains: Mutex::default(),
            desks: Mutex::default(),
            reach: Mutex::default(),
            ourselves: Mutex::default(),
        }
    }

    fn asker(&self) -> Asker<'_, L> {
        // A question has four chances within the patience for a conversation.
        Asker::new(&self.lookup, self.options.timeout / 4)
    }

    /// Checks one target.
    pub async fn check(&self, target: &Target) -> Checkup {
        let started = Instant::now();
        let mut checkup = Checkup {
            target: target.text.clone(),
            kind: target.kind_id(),
            headline: String::new(),
            dns: None,
            servers: Vec::new(),
            findings: Vec::new(),
            verdict: Verdict::Ok,
            answer: Answer::Yes,
            took: Duration::ZERO,
        };
        let about = match &target.kind {
            Kind::Domain(domain) | Kind::Address(_, domain) => Some(domain),
            Kind::Host(..) | Kind::Literal(..) => None,
        };
        if let Some(domain) = about {
            let dns = self.domain(domain).await;
            checkup.findings = domain::judge(&dns);
            checkup.dns = Some(dns);
        }
        if !self.options.dns_only {
            let stops = self
                .stops(target, checkup.dns.as_ref(), &mut checkup.findings)
                .await;
            let recipient = recipient(target);
            let meets = stops
                .iter()
                .map(|stop| -> Pin<Box<dyn Future<Output = _> + Send + '_>> {
                    Box::pin(self.meet(stop, &recipient, checkup.kind == "address"))
                });
            let met = together(meets.collect()).await;
            for (server, pins) in met {
                checkup.servers.push(server);
                let tlsa = checkup.dns.as_mut().map(|d| &mut d.tlsa);
                if let (Some(pins), Some(tlsa)) = (pins, tlsa)
                    && !tlsa.contains(&pins)
                {
                    tlsa.push(pins);
                }
            }
        }
        let blocked = self.gather(&mut checkup, target);
        if let Some(question) = checkup.servers.iter().find_map(Question::of) {
            let cell = remembered(&self.ourselves, question.clone(), Arc::default);
            let said =
                cell.get_or_init(|| ourselves::explain(self.asker(), &question, &self.options));
            // Before the others of their weight: they are what the refusal is about.
            checkup.findings.splice(..0, said.await.iter().cloned());
        }
        checkup.took = started.elapsed();
        let elsewhere = self.options.server.is_some();
        verdict::conclude(&mut checkup, blocked, elsewhere);
        checkup
    }

    async fn domain(&self, name: &Name) -> Dns {
        let cell = remembered(&self.domains, name.clone(), Arc::default);
        let dns = cell.get_or_init(|| domain::look_up(self.asker(), name, &self.options));
        dns.await.clone()
    }

    /// The servers to go to.
    async fn stops(
        &self,
        target: &Target,
        dns: Option<&Dns>,
        findings: &mut Vec<Finding>,
    ) -> Vec<Stop> {
        let single = match (&self.options.server, &target.kind) {
            (Some((host, port)), _) => Some((host.clone(), *port)),
            (None, Kind::Host(host, port)) => Some((host.clone(), *port)),
            (None, Kind::Literal(_, ip)) => Some((Host::Ip(*ip), None)),
            _ => None,
        };
        let mut stops = Vec::new();
        if let Some((host, port)) = single {
            let port = port.unwrap_or(self.options.port);
            let (addresses, authentic) = self.addresses(&host, findings).await;
            let known = self.families(&addresses);
            stops.extend(known.map(|ip| Stop {
                preference: None,
                place: place(&host.to_string(), ip, port),
                alias: None,
                authentic,
            }));
        } else if let Some(dns) = dns {
            for mx in &dns.mx {
                let known = self.families(&mx.addresses);
                stops.extend(known.map(|ip| Stop {
                    preference: (!dns.implicit_mx).then_some(mx.preference),
                    place: place(mx.host.as_str(), ip, self.options.port),
                    alias: mx.alias.clone(),
                    authentic: mx.authentic && (dns.authentic || dns.implicit_mx),
                }));
            }
        }
        let known = dns.is_some_and(|dns| dns.mx.iter().any(|mx| !mx.addresses.is_empty()));
        if stops.is_empty() && known && self.options.server.is_none() {
            let family = if self.options.families.v4 {
                "IPv4"
            } else {
                "IPv6"
            };
            let text =
                format!("no mail server has an {family} address, and others were not to be asked");
            let subject = dns.map_or("", |dns| dns.domain.as_str());
            let finding = Finding::new(
                Severity::Warning,
                NO_FAMILY,
                subject,
                text,
                "Leave -4 or -6 out.",
            );
            findings.push(finding);
        }
        stops.truncate(MOST_SERVERS);
        let mut seen = HashSet::new();
        stops.retain(|stop| seen.insert(stop.place.clone()));
        stops
    }

    fn families<'a>(&self, all: &'a [IpAddr]) -> impl Iterator<Item = IpAddr> + use<'a, L> {
        let wanted = self.options.families;
        let v4 = all.iter().filter(move |ip| wanted.v4 && ip.is_ipv4());
        let v6 = all.iter().filter(move |ip| wanted.v6 && ip.is_ipv6());
        v4.take(MOST_ADDRESSES)
            .chain(v6.take(MOST_ADDRESSES))
            .copied()
    }

    async fn addresses(&self, host: &Host, findings: &mut Vec<Finding>) -> (Vec<IpAddr>, bool) {
        let name = match host {
            Host::Ip(ip) => return (vec![*ip], false),
            Host::Name(name) => name,
        };
        // RFC 6761 §6.3: localhost is this machine, whatever the DNS says.
        if name.as_str() == "localhost" {
            return (vec![IpAddr::from([127, 0, 0, 1])], false);
        }
        let asker = self.asker();
        let (v4, v6) = tokio::join!(asker.ask(name, Ask::A), asker.ask(name, Ask::Aaaa));
        let answers = || [&v4, &v6].into_iter().flatten();
        let found: Vec<_> = answers()
            .flat_map(|answer| &answer.data)
            .filter_map(|data| match data {
                Data::A(ip) => Some(IpAddr::V4(*ip)),
                Data::Aaaa(ip) => Some(IpAddr::V6(*ip)),
                _ => None,
            })
            .collect();
        if let (true, Err(failure)) = (found.is_empty(), &v4) {
            let (code, advice) = match failure.is_answer() {
                true => ("host-unknown", "Check the spelling."),
                false => (UNRESOLVED, "Try again later."),
            };
            let text = format!("the host cannot be found: {failure}");
            findings.push(Finding::new(Severity::Error, code, name, text, advice));
        }
        let authentic = answers().all(|answer| answer.authentic);
        (found, authentic)
    }

    /// One server: the conversation and what the DNS knows about it, at the same time.
    async fn meet(&self, stop: &Stop, recipient: &str, meant: bool) -> (Server, Option<Pins>) {
        let desk = remembered(&self.desks, stop.place.clone(), || {
            Arc::new(Desk::new(stop.place.clone()))
        });
        let catch_all = self.options.catch_all && recipient.contains('@');
        let (asked, known) = tokio::join!(
            self.ask(&desk, recipient, catch_all && meant),
            desk.known(self.asker(), stop.alias.as_deref())
        );
        let (met, mut asked) = asked;
        let mut server = Server::clone(&met);
        server.preference = stop.preference;
        server.rdns.clone_from(&known.reverse.name);
        server.fcrdns = known.reverse.confirmed;
        server.steps.append(&mut asked.steps);
        server.failure = server.failure.or(asked.failure);
        server.recipient = Some(asked.probe);
        server.tls.opinion = desk.opinion(&met, &self.options);
        let state = encryption::dane_state(&server, known, stop.authentic, &self.options);
        server.tls.dane = Some(state);

        let label = verdict::label(&server);
        let mut notes = Notes::about(&label);
        capabilities::greeting(&server, &mut notes);
        capabilities::judge(&server, &extensions(&server), &mut notes);
        encryption::judge(&server, &self.options, &mut notes);
        encryption::judge_dane(&server, known, state, &mut notes);
        if server.failure.is_none() && server.refusal.is_none() {
            self.on_request(stop, recipient, &mut notes).await;
        }
        server.findings = notes.list;
        let pins = self.pins(&server, known, stop.authentic);
        (server, pins)
    }

    async fn on_request(&self, stop: &Stop, recipient: &str, notes: &mut Notes<'_>) {
        if self.options.relay_test {
            let own = recipient
                .rsplit_once('@')
                .map_or(stop.place.host.as_str(), |(_, d)| d);
            let _turn = self.manners.turn(stop.place.ip).await;
            relay::relays(&stop.place, own, &self.options, notes).await;
        }
        if self.options.injection_test && !stop.place.is_implicit(&self.options) {
            let _turn = self.manners.turn(stop.place.ip).await;
            relay::injection(&stop.place, &self.options, notes).await;
        }
    }

    fn pins(&self, server: &Server, known: &super::desk::Known, authentic: bool) -> Option<Pins> {
        let (pins, signed, failure) = match &known.pins {
            Ok((pins, signed)) => (pins.clone(), *signed, None),
            Err(failure) => (Vec::new(), false, Some(*failure)),
        };
        (!pins.is_empty() || failure.is_some()).then(|| Pins {
            host: server.host.clone(),
            name: known.pins_at.clone(),
            pins,
            authentic: signed && authentic,
            failure,
        })
    }

    /// Asks about the recipient, and when it is greylisted and the user has the time, again.
    async fn ask(
        &self,
        desk: &Desk,
        recipient: &str,
        catch_all: bool,
    ) -> (Arc<Server>, super::recipients::Asked) {
        use crate::bounce::cause::Cause;
        let started = Instant::now();
        let mut waited = false;
        for _ in 0..=RETRIES {
            let (met, mut asked) = desk
                .ask(recipient, catch_all, &self.options, &self.manners)
                .await;
            let grey = asked.probe.outcome == Outcome::Deferred
                && asked
                    .probe
                    .judgement
                    .as_ref()
                    .is_some_and(|j| j.cause == Cause::Greylisted);
            let limit = self.options.wait.unwrap_or(Duration::ZERO);
            let left = limit.saturating_sub(started.elapsed());
            let pause = asked.probe.reply.as_ref().and_then(hint).unwrap_or(GREY);
            if !grey || left.is_zero() || pause > left + Duration::from_secs(1) {
                if waited && asked.probe.outcome == Outcome::Accepted {
                    asked.probe.waited = Some(started.elapsed());
                }
                return (met, asked);
            }
            waited = true;
            tokio::time::sleep(pause).await;
        }
        desk.ask(recipient, catch_all, &self.options, &self.manners)
            .await
    }

    /// Brings the findings of all servers together; gives whether port 25 seems blocked.
    fn gather(&self, checkup: &mut Checkup, target: &Target) -> bool {
        let works = checkup
            .servers
            .iter()
            .any(|s| s.failure.is_none() && s.refusal.is_none());
        let meant = checkup.kind == "address";
        for server in &checkup.servers {
            let findings = &mut checkup.findings;
            findings.extend(server.findings.iter().cloned());
            findings.extend(broken::broken(server, works));
            findings.extend(verdict::refusing(server, works));
            if let Some(probe) = server
                .recipient
                .as_ref()
                .filter(|_| server.refusal.is_none())
            {
                findings.extend(verdict::recipient(server, probe, meant));
            }
        }
        if let Some(dns) = &checkup.dns {
            checkup.findings.extend(sts::judge(dns, &checkup.servers));
            let sts = dns
                .mta_sts
                .as_ref()
                .is_some_and(|s| s.record.text.is_some());
            if let Some(record) = &dns.tls_rpt {
                let wanted = sts || !dns.tlsa.is_empty();
                checkup
                    .findings
                    .extend(tls_rpt::judge(&dns.domain, record, wanted));
            }
        }
        let mut notes = Notes::about(&target.text);
        if meant {
            verdict::disagreement(&checkup.servers, &mut notes);
        }
        let blocked = self.is_blocked(&checkup.servers);
        if blocked {
            notes.error(
                "port25-blocked",
                "connections to port 25 of independent servers all time out: your own network blocks outgoing port 25, the servers are not to blame",
                "Ask your provider, use its mail server (port 587 with login), or check from another machine.",
            );
        }
        checkup.findings.extend(notes.list);
        blocked
    }

    /// Several servers of different owners that all time out the same way point to our own
    /// provider; one that answers proves the contrary.
    fn is_blocked(&self, servers: &[Server]) -> bool {
        let mut reach = lock(&self.reach);
        for server in servers.iter().filter(|s| s.port == 25) {
            reach.connected |= server.reachable;
            let silent = matches!(
                server.failure,
                Some(Failure::Timeout {
                    stage: Stage::Connect,
                    ..
                })
            );
            if let (true, Ok(name)) = (silent, Name::parse(&server.host)) {
                reach.silent.insert(name.registered());
            }
        }
        let lost = servers.iter().all(|s| !s.reachable) && !servers.is_empty();
        lost && !reach.connected && reach.silent.len() > 1
    }
}

fn recipient(target: &Target) -> String {
    match &target.kind {
        Kind::Domain(domain) => format!("postmaster@{domain}"),
        Kind::Host(..) => "postmaster".to_string(),
        Kind::Address(..) | Kind::Literal(..) => target.recipient().unwrap_or_default(),
    }
}

fn place(host: &str, ip: IpAddr, port: u16) -> Place {
    Place {
        host: host.to_string(),
        ip,
        port,
    }
}

fn extensions(server: &Server) -> Extensions {
    Extensions::read(&Reply {
        code: 250,
        lines: std::iter::once(server.name.clone().unwrap_or_default())
            .chain(server.capabilities.iter().cloned())
            .collect(),
        flaws: Vec::new(),
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remembered<K: Eq + Hash, V>(
    all: &Mutex<HashMap<K, Arc<V>>>,
    key: K,
    new: impl FnOnce() -> Arc<V>,
) -> Arc<V> {
    let mut all = lock(all);
    if all.len() >= REMEMBERED {
        all.retain(|_, value| Arc::strong_count(value) > 1);
    }
    all.entry(key).or_insert_with(new).clone()
}

/// Waits for all of them at the same time.
async fn together<T>(futures: Vec<Pin<Box<dyn Future<Output = T> + Send + '_>>>) -> Vec<T> {
    let mut waiting: Vec<_> = futures.into_iter().map(|f| (f, None)).collect();
    poll_fn(|cx| {
        let mut ready = true;
        for (future, result) in &mut waiting {
            if result.is_none() {
                match future.as_mut().poll(cx) {
                    Poll::Ready(value) => *result = Some(value),
                    Poll::Pending => ready = false,
                }
            }
        }
        if ready {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    waiting
        .into_iter()
        .filter_map(|(_, result)| result)
        .collect()
}
