//! Listens, takes connections within their limits, and ends gracefully.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::journal::count;
use super::session::driver;
use super::session::reply::Reply;
use super::settings::{Listener, is_loopback};
use super::site::Site;

/// Connections that the system may hold for us before we take them.
const BACKLOG: u32 = 1024;
/// After an error of the system, such as too many open files.
const BREATH: Duration = Duration::from_millis(50);
/// For the last words of dialogues.
const MOMENT: Duration = Duration::from_secs(1);
/// How often the log is written.
const TICK: Duration = Duration::from_millis(100);

const CROWDED: Reply = Reply::new(421, 7, 0, "Too many connections, try again later");

/// A server that runs until it is stopped, within the tokio runtime that started it.
#[derive(Debug)]
pub struct Server {
    /// Where it listens, in the order of the listeners.
    pub addresses: Vec<SocketAddr>,
    site: Arc<Site>,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    closing: Arc<Notify>,
    ended: AtomicBool,
    open: AtomicUsize,
    /// Of these, the ones from this machine.
    local: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
    /// Rung when a dialogue is over.
    over: Notify,
}

impl Server {
    /// Begins to listen; on failure says where it could not.
    pub async fn start(
        site: Arc<Site>,
        listeners: &[Listener],
    ) -> Result<Self, (SocketAddr, io::Error)> {
        let shared = Arc::new(Shared::default());
        let mut sockets = Vec::new();
        for listener in listeners {
            let socket = listen(listener.at).map_err(|error| (listener.at, error))?;
            sockets.push((socket, Arc::new(listener.clone())));
        }
        let mut addresses = Vec::new();
        let mut tasks = Vec::new();
        for (socket, door) in sockets {
            addresses.push(socket.local_addr().map_err(|error| (door.at, error))?);
            let (site, shared) = (site.clone(), shared.clone());
            tasks.push(tokio::spawn(take(socket, door, site, shared)));
        }
        let journal = site.journal.clone();
        tasks.push(tokio::spawn(async move {
            loop {
                sleep(TICK).await;
                journal.flush();
            }
        }));
        Ok(Self {
            addresses,
            site,
            shared,
            tasks,
        })
    }

    /// What its dialogues share.
    pub fn site(&self) -> &Arc<Site> {
        &self.site
    }

    /// How many dialogues are open.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// Ends without waiting for anybody.
    pub fn stop_at_once(self) {
        drop(self);
    }

    /// Ends: takes no more connections, lets open transactions come to their end within the
    /// grace, says 421 to all others, and writes the last line of the log.
    pub async fn stop(mut self) {
        for task in self.tasks.drain(..) {
            task.abort();
        }
        self.shared.ended.store(true, Ordering::Relaxed);
        self.shared.closing.notify_waiters();
        let all_over = async {
            loop {
                let over = self.shared.over.notified();
                if self.open() == 0 {
                    return;
                }
                over.await;
            }
        };
        // The dialogues end themselves when the grace is over; they may take a moment for it.
        let _ = timeout(self.site.settings.limits.grace + MOMENT, all_over).await;
        self.site.journal.summary();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.shared.closing.notify_waiters();
        self.site.journal.flush();
    }
}

fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = match at {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A server that was killed can be started again at once.
    socket.set_reuseaddr(true)?;
    socket.bind(at)?;
    socket.listen(BACKLOG)
}

async fn take(socket: TcpListener, door: Arc<Listener>, site: Arc<Site>, shared: Arc<Shared>) {
    loop {
        let (tcp, peer) = match socket.accept().await {
            Ok(taken) => taken,
            Err(error) => {
                site.journal
                    .note("accept-failed", None, &[("why", &error.to_string())]);
                sleep(BREATH).await;
                continue;
            }
        };
        let Some(place) = Place::take(&shared, &site, peer.ip().to_canonical()) else {
            turn_away(&tcp, peer, &site);
            continue;
        };
        count(&site.journal.counts.connections, 1);
        // Replies are small and each is waited for.
        let _ = tcp.set_nodelay(true);
        let Ok(own) = tcp.local_addr() else {
            continue;
        };
        let (door, site) = (door.clone(), site.clone());
        let closing = shared.closing.clone();
        tokio::spawn(async move {
            driver::lead(tcp, (peer, own), door, site, closing).await;
            drop(place);
        });
    }
}

fn turn_away(tcp: &TcpStream, peer: SocketAddr, site: &Site) {
    count(&site.journal.counts.turned_away, 1);
    let peer = peer.ip().to_string();
    site.journal.note("turned-away", None, &[("client", &peer)]);
    let mut words = Vec::new();
    CROWDED.write(&mut words);
    // The buffer of a new connection takes so little at once; who does not get it sees the end.
    let _ = tcp.try_write(&words);
}

/// The place of one connection among those that there may be.
struct Place {
    shared: Arc<Shared>,
    /// `None` for this machine.
    stranger: Option<IpAddr>,
}

impl Place {
    fn take(shared: &Arc<Shared>, site: &Site, peer: IpAddr) -> Option<Self> {
        let limits = &site.settings.limits;
        let local = shared.local.load(Ordering::Relaxed);
        let stranger = (!is_loopback(peer)).then_some(peer);
        let full = match stranger {
            Some(_) => {
                shared.open.load(Ordering::Relaxed).saturating_sub(local) >= limits.connections
            }
            None => local >= limits.local,
        };
        if full {
            return None;
        }
        if let Some(peer) = stranger {
            let mut all = lock(&shared.by_address);
            let here = all.entry(peer).or_default();
            if *here >= limits.per_address {
                return None;
            }
            *here += 1;
        } else {
            shared.local.fetch_add(1, Ordering::Relaxed);
        }
        shared.open.fetch_add(1, Ordering::Relaxed);
        Some(Self {
            shared: shared.clone(),
            stranger,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(peer) = self.stranger {
            let mut all = lock(&self.shared.by_address);
            if let Some(here) = all.get_mut(&peer) {
                *here -= 1;
                if *here == 0 {
                    all.remove(&peer);
                }
            }
        }
        self.shared.open.fetch_sub(1, Ordering::Relaxed);
        if self.stranger.is_none() {
            self.shared.local.fetch_sub(1, Ordering::Relaxed);
        }
        self.shared.over.notify_waiters();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
