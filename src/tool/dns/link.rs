//! The way to one name server: a few connected UDP sockets that many questions share, and TCP
//! for what does not fit.
//!
//! A connected socket hears the ICMP error of a closed port, so that a resolver that is not
//! running is known at once. A socket of its own for each question would cost more than the
//! question; a single one would make a forger's guess too easy.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::Question;
use super::client::random;
use super::wire::{self, Heard};

/// Sockets to one server: the window spread over them never fills a default receive buffer.
const MOST_PORTS: usize = 4;
/// Open questions for which one more socket is opened.
const QUESTIONS_PER_PORT: usize = 90;
/// Errors in a row after which a socket is left alone: then it is the machine's network.
const MOST_ERRORS: usize = 64;
/// The largest UDP packet that is read; more than was asked for.
const LARGEST_PACKET: usize = 4096;

/// What is heard about a question that was sent.
#[derive(Debug)]
pub(super) enum Event {
    /// The server with this number answered.
    Heard(usize, Heard),
    /// The server with this number sent something that is no answer.
    Rubbish(usize),
    /// There is no way to the server with this number.
    Closed(usize),
}

/// The way to one server.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) at: SocketAddr,
    number: usize,
    ports: Arc<Mutex<Vec<Arc<Port>>>>,
    readers: Mutex<Vec<AbortHandle>>,
    open: AtomicUsize,
    /// Whether the server has ever said anything over UDP.
    pub(super) heard: Arc<AtomicBool>,
    /// Whether it sent packets that answer nothing that was asked.
    pub(super) strays: Arc<AtomicBool>,
    /// Whether TCP was tried because UDP stayed silent, and whether it helped.
    pub(super) tcp_tried: AtomicBool,
    pub(super) tcp_only: AtomicBool,
}

#[derive(Debug)]
struct Port {
    socket: UdpSocket,
    /// The same socket. Sending through it needs no round of the event loop first, so that the
    /// first questions of a run leave at once and in their order.
    out: std::net::UdpSocket,
    waiting: Mutex<HashMap<u16, Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    question: Question,
    tell: mpsc::Sender<Event>,
}

impl Port {
    /// Tells everybody who waits here that there is no way to the server with this number.
    fn tell_closed(&self, server: usize) {
        for waiting in lock(&self.waiting).values() {
            // A full queue has enough bad news in it already.
            let _ = waiting.tell.try_send(Event::Closed(server));
        }
    }
}

/// A question that waits at a port; the place is free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    port: Arc<Port>,
    pub(super) id: u16,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.port.waiting).remove(&self.id);
    }
}

/// A question on its way; counts the open ones of the link.
#[derive(Debug)]
pub(super) struct Open<'l>(&'l AtomicUsize);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        for reader in lock(&self.readers).drain(..) {
            reader.abort();
        }
    }
}

impl Link {
    pub(super) fn new(number: usize, at: SocketAddr) -> Self {
        Self {
            at,
            number,
            ports: Arc::default(),
            readers: Mutex::default(),
            open: AtomicUsize::new(0),
            heard: Arc::default(),
            strays: Arc::default(),
            tcp_tried: AtomicBool::new(false),
            tcp_only: AtomicBool::new(false),
        }
    }

    /// Counts a question as open, as long as the value lives.
    pub(super) fn open(&self) -> Open<'_> {
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(&self.open)
    }

    /// Takes a place for a question at one of the sockets.
    pub(super) fn place(
        &self,
        question: &Question,
        tell: &mpsc::Sender<Event>,
    ) -> std::io::Result<Place> {
        let wanted = (1 + self.open.load(Ordering::Relaxed) / QUESTIONS_PER_PORT).min(MOST_PORTS);
        let number = usize::from(random()) % wanted;
        let known = lock(&self.ports).get(number).cloned();
        let port = match known {
            Some(port) => port,
            None => self.new_port()?,
        };
        let mut waiting = lock(&port.waiting);
        let mut id = random();
        while waiting.contains_key(&id) {
            id = random();
        }
        waiting.insert(
            id,
            Waiting {
                question: question.clone(),
                tell: tell.clone(),
            },
        );
        drop(waiting);
        Ok(Place { port, id })
    }

    /// Sends a packet from a place.
    pub(super) async fn send(&self, place: &Place, packet: &[u8]) -> std::io::Result<()> {
        match place.port.out.send(packet) {
            Err(full) if full.kind() == ErrorKind::WouldBlock => {
                place.port.socket.send(packet).await.map(drop)
            }
            // The system tells with one packet what became of an earlier one, and tells it once:
            // whoever sent that one would wait for nothing.
            Err(closed) => {
                place.port.tell_closed(self.number);
                Err(closed)
            }
            Ok(_) => Ok(()),
        }
    }

    fn new_port(&self) -> std::io::Result<Arc<Port>> {
        let any: IpAddr = match self.at {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let out = std::net::UdpSocket::bind((any, 0))?;
        out.connect(self.at)?;
        out.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(out.try_clone()?)?;
        let port = Arc::new(Port {
            socket,
            out,
            waiting: Mutex::default(),
        });
        let ear = Ear {
            port: Arc::clone(&port),
            ports: Arc::clone(&self.ports),
            server: self.number,
            heard: Arc::clone(&self.heard),
            strays: Arc::clone(&self.strays),
        };
        let mut readers = lock(&self.readers);
        readers.retain(|reader| !reader.is_finished());
        readers.push(tokio::spawn(ear.listen()).abort_handle());
        drop(readers);
        lock(&self.ports).push(Arc::clone(&port));
        Ok(port)
    }

    /// Asks over TCP (RFC 7766) and tells the outcome; the caller limits the time.
    pub(super) async fn by_tcp(
        at: SocketAddr,
        packet: &[u8],
        question: &Question,
    ) -> Option<Heard> {
        let mut stream = TcpStream::connect(at).await.ok()?;
        // One write: some servers read the length and the question in one go.
        let mut framed = u16::try_from(packet.len()).ok()?.to_be_bytes().to_vec();
        framed.extend_from_slice(packet);
        stream.write_all(&framed).await.ok()?;
        let length = stream.read_u16().await.ok()?;
        let mut answer = vec![0; usize::from(length)];
        stream.read_exact(&mut answer).await.ok()?;
        wire::decode(&answer, question)
    }
}

/// The reading half of a port.
struct Ear {
    port: Arc<Port>,
    /// Those of the link: one that nobody listens at must not be sent from any more.
    ports: Arc<Mutex<Vec<Arc<Port>>>>,
    server: usize,
    heard: Arc<AtomicBool>,
    strays: Arc<AtomicBool>,
}

impl Ear {
    async fn listen(self) {
        let mut buffer = vec![0; LARGEST_PACKET];
        let mut errors = 0;
        while errors < MOST_ERRORS {
            match self.port.socket.recv(&mut buffer).await {
                Ok(length) => {
                    errors = 0;
                    self.hand_over(buffer.get(..length).unwrap_or_default());
                }
                Err(_) => {
                    errors += 1;
                    self.port.tell_closed(self.server);
                }
            }
        }
        lock(&self.ports).retain(|port| !Arc::ptr_eq(port, &self.port));
    }

    fn hand_over(&self, packet: &[u8]) {
        let waiting = lock(&self.port.waiting);
        let Some(one) = wire::id_of(packet).and_then(|id| waiting.get(&id)) else {
            // Usually the late answer to a question that is given up; see `Resolver::verdict`.
            self.strays.store(true, Ordering::Relaxed);
            return;
        };
        let event = match wire::decode(packet, &one.question) {
            Some(heard) => {
                self.heard.store(true, Ordering::Relaxed);
                Event::Heard(self.server, heard)
            }
            None => Event::Rubbish(self.server),
        };
        let _ = one.tell.try_send(event);
    }
}

/// A panic elsewhere leaves no half-done change in these maps.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
