//! The embedded chain: MSA, MTA, MFA and MDA, each a server of its own on a loopback port, with
//! its own name, queue and log, and a table of names in place of the DNS. A message goes through
//! all of them over real SMTP and LMTP; what fails comes back as a real notice.

mod answer;
pub mod events;
pub mod folder;
pub mod plan;
pub mod play;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::dns::world::World;
use crate::mta::delivery::{Delivery, Pattern, Relay, Tls};
use crate::mta::fault::Faults;
use crate::mta::journal::{Form, Journal};
use crate::mta::mailboxes::Mailboxes;
use crate::mta::names::Names;
use crate::mta::queue::Queue;
use crate::mta::retry::Clock;
use crate::mta::server::Server;
use crate::mta::settings::{Listener, Role};
use crate::mta::site::Site;

use plan::{AWAY, HOME, Part, Plan, Station, USER};

/// How long servers may take to end.
const FAREWELL: Duration = Duration::from_secs(3);
/// The seed of what is random in faults: the same story every time.
const SEED: u64 = 7;

/// The chain, running.
pub struct Chain {
    dir: PathBuf,
    /// Where the MUA hands mail over.
    pub submission: SocketAddr,
    /// Where the MFA takes mail.
    pub mfa: SocketAddr,
    /// The password of [`USER`].
    pub password: String,
    stations: Vec<Running>,
    stop: watch::Sender<bool>,
}

/// One server of it.
struct Running {
    part: Part,
    server: Server,
    delivering: Option<JoinHandle<()>>,
    journal: Arc<Journal>,
    page: Page,
}

/// Why the chain cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The folder cannot be used.
    #[error("{}: {why}", .dir.display())]
    Folder {
        /// Which one.
        dir: PathBuf,
        /// Why.
        why: String,
    },
    /// A port on loopback cannot be had.
    #[error("no port on 127.0.0.1 can be listened on: {0}")]
    Port(String),
    /// The plan itself is wrong.
    #[error("the scenario cannot be played: {0}")]
    Plan(String),
}

/// What a log writes into.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut page = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        page.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A server that listens and does not deliver yet.
struct Open {
    station: Station,
    queue: Queue,
    running: Running,
}

impl Chain {
    /// Starts all four servers with their files under a folder.
    pub async fn start(plan: &Plan, dir: &Path) -> Result<Self, Broken> {
        let world = World::from_toml(&plan.names);
        let world = world.map_err(|error| Broken::Plan(error.to_string()))?;
        let hosts = [Part::Msa, Part::Mfa, Part::Mda];
        let world = hosts.iter().fold(world, |world, part| {
            world.addresses(part.host(), &["127.0.0.1"])
        });
        let names = Arc::new(Names::Table(world));
        let password = crate::send::token::Token::new();
        let password = password.ok_or_else(|| Broken::Plan("no random numbers".to_string()))?;
        let password = password.to_string();
        let (stop, stopped) = watch::channel(false);
        let mut open = Vec::new();
        for station in &plan.stations {
            open.push(listen(station, plan, dir, &password, &names).await?);
        }
        let port = |part: Part, nth: usize| {
            let one: Option<&Open> = open.get(part.index());
            let at = one.and_then(|one| one.running.server.addresses.get(nth));
            at.map_or(1, SocketAddr::port)
        };
        let ports = Ports {
            submission: port(Part::Msa, 0),
            inbound: port(Part::Msa, 1),
            mta: port(Part::Mta, 0),
            mfa: port(Part::Mfa, 0),
            mda: port(Part::Mda, 0),
        };
        let mut stations = Vec::new();
        for one in open {
            stations.push(deliver(one, &ports, plan, &names, &stopped));
        }
        Ok(Self {
            dir: dir.to_path_buf(),
            submission: SocketAddr::new(LOOPBACK.ip(), ports.submission),
            mfa: SocketAddr::new(LOOPBACK.ip(), ports.mfa),
            password,
            stations,
            stop,
        })
    }

    /// The mailbox of the sender.
    pub fn sender_box(&self) -> PathBuf {
        self.dir.join("mail").join("home").join("alice")
    }

    /// The mailboxes of the recipient's domain.
    pub fn recipient_boxes(&self) -> PathBuf {
        self.dir.join("mail").join("away")
    }

    /// What the servers wrote into their logs so far, with their parts.
    pub fn logs(&self) -> Vec<(Part, String)> {
        let log = |running: &Running| {
            running.journal.flush();
            let page = running
                .page
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            (running.part, String::from_utf8_lossy(&page).into_owned())
        };
        self.stations.iter().map(log).collect()
    }

    /// Ends all servers; what is under way stays in their queues.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        let ends: Vec<_> = self
            .stations
            .iter_mut()
            .filter_map(|running| running.delivering.take())
            .collect();
        for running in self.stations.drain(..) {
            running.server.stop_at_once();
        }
        let all = futures_util::future::join_all(ends);
        drop(timeout(FAREWELL, all).await);
    }
}

/// The ports of the chain.
struct Ports {
    submission: u16,
    inbound: u16,
    mta: u16,
    mfa: u16,
    mda: u16,
}

async fn listen(
    station: &Station,
    plan: &Plan,
    dir: &Path,
    password: &str,
    names: &Arc<Names>,
) -> Result<Open, Broken> {
    let part = station.part;
    let word = part.word().to_ascii_lowercase();
    let spool = dir.join("spool").join(&word);
    let failed = |dir: &Path, why: String| Broken::Folder {
        dir: dir.to_path_buf(),
        why,
    };
    let queue = Queue::open(&spool).map_err(|error| failed(&spool, error.to_string()))?;
    let mut station = station.clone();
    let mail = dir.join("mail");
    let mut mailboxes = match part {
        Part::Msa => Mailboxes::under(&mail.join("home")),
        _ => Mailboxes::under(&mail.join("away")),
    };
    if part == Part::Mda {
        for mailbox in &plan.mailboxes {
            let added = mailboxes.add(mailbox);
            added.map_err(|error| Broken::Plan(error.to_string()))?;
        }
    }
    station.delivery.mailboxes = mailboxes.clone();
    if part == Part::Msa {
        station.settings.users = vec![(USER.to_string(), password.to_string())];
    }
    let page = Page::default();
    let journal = Journal::new(Form::Json, SystemTime::now, Box::new(page.clone()));
    let journal = Arc::new(journal);
    let asks = !station.settings.dnsbl.is_empty();
    let site = Site::new(
        station.settings.clone(),
        Arc::new(queue.clone()),
        Arc::new(move |address| mailboxes.standing(address)),
        Arc::new(Faults::new(station.faults.clone(), SEED)),
        journal.clone(),
        asks.then(|| names.clone()),
        SystemTime::now,
    );
    let mut listeners = vec![Listener {
        lmtp: part == Part::Mda,
        ..Listener::new(LOOPBACK, part.role())
    }];
    if part == Part::Msa {
        listeners.push(Listener::new(LOOPBACK, Role::Mta));
    }
    let server = Server::start(Arc::new(site), &listeners).await;
    let server = server.map_err(|(_, error)| Broken::Port(crate::words::reason(&error)))?;
    Ok(Open {
        station,
        queue,
        running: Running {
            part,
            server,
            delivering: None,
            journal,
            page,
        },
    })
}

/// Lets an open server deliver.
fn deliver(
    one: Open,
    ports: &Ports,
    plan: &Plan,
    names: &Arc<Names>,
    stopped: &watch::Receiver<bool>,
) -> Running {
    let Open {
        station,
        queue,
        mut running,
    } = one;
    let mut settings = station.delivery;
    let relay = |part: Part, port, lmtp| Relay {
        host: part.host().to_string(),
        port: match plan.stations.get(part.index()) {
            Some(next) if next.is_down => nobodys_port(),
            _ => port,
        },
        lmtp,
        tls: Tls::Opportunistic,
        login: None,
    };
    let home = Pattern::Domain(HOME.to_string());
    let away = Pattern::Domain(AWAY.to_string());
    let back = relay(Part::Msa, ports.inbound, false);
    match station.part {
        // It finds the next server in the (played) DNS, as one does in the world.
        Part::Msa => settings.port = relay(Part::Mta, ports.mta, false).port,
        Part::Mta => {
            settings
                .routes
                .push((away, relay(Part::Mfa, ports.mfa, false)));
            settings.routes.push((home, back));
        }
        Part::Mfa => {
            let mda = Relay {
                tls: settings.tls,
                ..relay(Part::Mda, ports.mda, true)
            };
            settings.routes.push((away, mda));
            settings.routes.push((home, back));
        }
        Part::Mda => settings.routes.push((home, back)),
    }
    let journal = running.journal.clone();
    let log = Arc::new(
        move |event: &str, id: Option<&str>, fields: &[(&str, &str)]| {
            journal.note(event, id, fields);
        },
    );
    let clock = Clock::starting(SystemTime::now());
    let delivery = Delivery::new(queue, settings, names.clone(), clock, log);
    running.delivering = Some(tokio::spawn(delivery.run(stopped.clone())));
    running
}

/// A port on which nobody listens.
fn nobodys_port() -> u16 {
    let free = std::net::TcpListener::bind(LOOPBACK).and_then(|socket| socket.local_addr());
    free.map_or(1, |at| at.port())
}
