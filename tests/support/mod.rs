//! A name server in this process, on loopback: UDP and TCP, playing a scripted world.
#![allow(dead_code, reason = "each test crate uses its own part")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name as WireName, RData, Record, RecordType, rdata};
use mailtrace::dns::world::World;
use mailtrace::dns::{Data, Failure, Kind, Name};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

/// Habits of the whole server.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Habits {
    /// Throws the first packet of every question away.
    pub(crate) loses_first: bool,
    /// Answers over UDP only that the answer is cut.
    pub(crate) cuts: bool,
    /// Knows no EDNS.
    pub(crate) old: bool,
    /// Hears nothing over UDP.
    pub(crate) deaf_over_udp: bool,
    /// Sends text instead of DNS.
    pub(crate) babbles: bool,
    /// Sends the question back.
    pub(crate) echoes: bool,
}

/// A running server; it ends with the runtime.
pub(crate) struct Server {
    pub(crate) at: SocketAddr,
    pub(crate) packets: Arc<AtomicUsize>,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) most_open: Arc<AtomicUsize>,
    pub(crate) asked: Arc<Mutex<HashMap<(String, u16), usize>>>,
}

struct Inner {
    world: World,
    habits: Habits,
    packets: Arc<AtomicUsize>,
    open: AtomicUsize,
    most_open: Arc<AtomicUsize>,
    asked: Arc<Mutex<HashMap<(String, u16), usize>>>,
}

impl Server {
    pub(crate) async fn start(world: World, habits: Habits) -> Self {
        // The kernel gives a free UDP port; the TCP port of the same number may be taken.
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        Self::on(udp, tcp, world, habits)
    }

    /// Starts a server at an address that was free a moment ago.
    pub(crate) async fn start_at(at: SocketAddr, world: World, habits: Habits) -> Self {
        let udp = UdpSocket::bind(at).await.unwrap();
        let tcp = TcpListener::bind(at).await.unwrap();
        Self::on(udp, tcp, world, habits)
    }

    fn on(udp: UdpSocket, tcp: TcpListener, world: World, habits: Habits) -> Self {
        let at = udp.local_addr().unwrap();
        let inner = Arc::new(Inner {
            world,
            habits,
            packets: Arc::default(),
            open: AtomicUsize::new(0),
            most_open: Arc::default(),
            asked: Arc::default(),
        });
        let connections = Arc::new(AtomicUsize::new(0));
        let server = Self {
            at,
            packets: Arc::clone(&inner.packets),
            connections: Arc::clone(&connections),
            most_open: Arc::clone(&inner.most_open),
            asked: Arc::clone(&inner.asked),
        };
        tokio::spawn(serve_udp(Arc::new(udp), Arc::clone(&inner)));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                let inner = Arc::clone(&inner);
                tokio::spawn(async move {
                    while let Ok(length) = stream.read_u16().await {
                        let mut packet = vec![0; usize::from(length)];
                        stream.read_exact(&mut packet).await.unwrap();
                        let Some((answer, after)) = inner.over_tcp(&packet) else {
                            continue;
                        };
                        tokio::time::sleep(after).await;
                        let length = u16::try_from(answer.len()).unwrap();
                        let _ = stream.write_all(&length.to_be_bytes()).await;
                        let _ = stream.write_all(&answer).await;
                    }
                });
            }
        });
        server
    }
}

impl Server {
    /// Starts a server with a thread of its own, for tests that run the program and wait for it.
    pub(crate) fn in_a_thread(world: World, habits: Habits) -> SocketAddr {
        let (tell, at) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                tell.send(Self::start(world, habits).await.at).unwrap();
                std::future::pending::<()>().await;
            });
        });
        at.recv().unwrap()
    }
}

async fn serve_udp(socket: Arc<UdpSocket>, inner: Arc<Inner>) {
    let mut buffer = vec![0; 4096];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        inner.packets.fetch_add(1, Ordering::Relaxed);
        if inner.habits.deaf_over_udp {
            continue;
        }
        let packet = buffer[..length].to_vec();
        let (socket, inner) = (Arc::clone(&socket), Arc::clone(&inner));
        tokio::spawn(async move {
            if let Some((answer, after)) = inner.over_udp(&packet) {
                let open = inner.open.fetch_add(1, Ordering::Relaxed) + 1;
                inner.most_open.fetch_max(open, Ordering::Relaxed);
                tokio::time::sleep(after).await;
                inner.open.fetch_sub(1, Ordering::Relaxed);
                let _ = socket.send_to(&answer, from).await;
            }
        });
    }
}

impl Inner {
    fn over_tcp(&self, packet: &[u8]) -> Option<(Vec<u8>, Duration)> {
        if self.habits.babbles || self.habits.echoes {
            return Some((b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), Duration::ZERO));
        }
        self.answer(packet)
    }

    fn over_udp(&self, packet: &[u8]) -> Option<(Vec<u8>, Duration)> {
        let at_once = Duration::ZERO;
        if self.habits.babbles {
            return Some((b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), at_once));
        }
        if self.habits.echoes {
            return Some((packet.to_vec(), at_once));
        }
        let question = Message::from_vec(packet).ok()?;
        if self.habits.old && question.edns.is_some() {
            let mut reply = packet[..12].to_vec();
            reply[2] |= 0x80;
            reply[3] = 1;
            reply[4..12].fill(0);
            return Some((reply, at_once));
        }
        if self.habits.cuts {
            let mut reply = packet.to_vec();
            reply[2] |= 0x82;
            return Some((reply, at_once));
        }
        let query = question.queries.first()?;
        let key = (query.name().to_ascii(), query.query_type().into());
        let mut asked = self.asked.lock().unwrap();
        let times = asked.entry(key).or_insert(0);
        *times += 1;
        if self.habits.loses_first && *times == 1 {
            return None;
        }
        drop(asked);
        self.answer(packet)
    }

    fn answer(&self, packet: &[u8]) -> Option<(Vec<u8>, Duration)> {
        let question = Message::from_vec(packet).ok()?;
        let query = question.queries.first()?.clone();
        let name = query.name().to_ascii();
        let entry = Name::parse(&name)
            .ok()
            .and_then(|name| self.world.entry(&name));
        let (code, data, after) = match (entry, kind_of(query.query_type())) {
            (Some(entry), Some(kind)) => match entry.result(kind) {
                Ok(answer) => (ResponseCode::NoError, answer.data, entry.after),
                Err(Failure::NoData) => (ResponseCode::NoError, Vec::new(), entry.after),
                Err(Failure::ServFail) => (ResponseCode::ServFail, Vec::new(), entry.after),
                Err(Failure::Refused) => (ResponseCode::Refused, Vec::new(), entry.after),
                Err(Failure::Timeout) => return None,
                Err(_) => (ResponseCode::NXDomain, Vec::new(), entry.after),
            },
            _ => (ResponseCode::NXDomain, Vec::new(), Duration::ZERO),
        };
        Some((reply(&question, query, code, &data), after))
    }
}

fn reply(question: &Message, query: Query, code: ResponseCode, data: &[Data]) -> Vec<u8> {
    let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
    reply.metadata.recursion_available = true;
    reply.metadata.response_code = code;
    let owner = query.name().clone();
    reply.add_query(query);
    for data in data {
        // The root is a dot already.
        let wire = |name: &Name| {
            let name = name.to_string();
            WireName::from_ascii(format!("{}.", name.trim_end_matches('.'))).unwrap()
        };
        let data = match data {
            Data::A(ip) => RData::A((*ip).into()),
            Data::Aaaa(ip) => RData::AAAA((*ip).into()),
            Data::Mx {
                preference,
                exchange,
            } => RData::MX(rdata::MX::new(*preference, wire(exchange))),
            Data::Ptr(name) => RData::PTR(rdata::PTR(wire(name))),
            Data::Txt(text) => {
                RData::TXT(rdata::TXT::from_bytes(text.chunks(255).collect::<Vec<_>>()))
            }
            other => panic!("the server does not play {other:?}"),
        };
        reply.add_answer(Record::from_rdata(owner.clone(), 60, data));
    }
    reply.to_vec().unwrap()
}

fn kind_of(wire: RecordType) -> Option<Kind> {
    Some(match wire {
        RecordType::A => Kind::A,
        RecordType::AAAA => Kind::Aaaa,
        RecordType::MX => Kind::Mx,
        RecordType::PTR => Kind::Ptr,
        RecordType::TXT => Kind::Txt,
        _ => return None,
    })
}
