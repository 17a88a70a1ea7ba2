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

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::mta::fault::Faults;
    use crate::mta::journal::Journal;
    use crate::mta::mailboxes::Standing;
    use crate::mta::settings::{Limits, Role, Settings};
    use crate::mta::store::Nowhere;

    fn site(connections: usize, per_address: usize, local: usize) -> Arc<Site> {
        let mut settings = Settings::new("mx.example.test", &["example.test"]);
        settings.limits = Limits {
            connections,
            per_address,
            local,
            ..Limits::default()
        };
        Arc::new(Site::new(
            settings,
            Arc::new(Nowhere),
            Arc::new(|_| Standing::Known),
            Arc::new(Faults::default()),
            Arc::new(Journal::silent(SystemTime::now)),
            None,
            SystemTime::now,
        ))
    }

    #[test]
    fn strangers_have_places_for_each_address_and_for_all_and_this_machine_has_its_own() {
        let (shared, site) = (Arc::new(Shared::default()), site(3, 2, 1));
        let take = |ip: &str| Place::take(&shared, &site, ip.parse().unwrap());
        let (one, two) = (take("192.0.2.1").unwrap(), take("192.0.2.1").unwrap());
        assert!(take("192.0.2.1").is_none(), "two for each address");
        let three = take("192.0.2.2").unwrap();
        assert!(take("192.0.2.3").is_none(), "three for all strangers");
        let here = take("127.0.0.1").unwrap();
        assert!(take("::1").is_none(), "one for this machine");
        drop(one);
        let again = take("192.0.2.1").unwrap();
        drop((two, three, again));
        assert!(lock(&shared.by_address).is_empty());
        assert_eq!(shared.open.load(Ordering::Relaxed), 1);
        drop(here);
        assert!(take("127.0.0.2").is_some());
        assert_eq!(shared.local.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn who_finds_no_place_is_told_to_come_again() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let site = site(1, 1, 1);
        let server = Server::start(site.clone(), &[Listener::new(any, Role::Mta)])
            .await
            .unwrap();
        let at = server.addresses[0];
        let mut first = TcpStream::connect(at).await.unwrap();
        let mut greeting = [0; 4];
        first.read_exact(&mut greeting).await.unwrap();
        assert_eq!(&greeting, b"220 ");
        let mut second = TcpStream::connect(at).await.unwrap();
        let mut said = String::new();
        second.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "421 4.7.0 Too many connections, try again later\r\n");
        let turned = site.journal.counts.turned_away.load(Ordering::Relaxed);
        assert_eq!((turned, server.open()), (1, 1));
        // The address is taken as long as the server is there.
        let taken = Server::start(site, &[Listener::new(at, Role::Mta)]).await;
        assert_eq!(taken.unwrap_err().0, at);
    }
}
