//! A connection, plain or encrypted, that is read reply by reply with bounded memory.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::client::TlsStream;

use super::reply::{Assembler, Bad, Flaw, LARGEST, LONGEST_LINE, Reply};
use super::{Failure, Stage, foreign};

/// How much is read at a time.
const BLOCK: usize = 4096;

/// The two kinds of connection.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Socket(UnixStream),
}

impl Stream {
    /// Lets the system acknowledge what comes without delay. A server that writes twice, such
    /// as the tickets of TLS 1.3 and then a reply, is held back by its own system until the first
    /// part is acknowledged, which costs 40 ms each time.
    fn acknowledge_at_once(&self) {
        let tcp = match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
            Self::Socket(_) => return,
        };
        // Other systems do not have it; where it fails, it is only slower.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let _ = tcp.set_quickack(true);
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let _ = tcp;
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Self::Tls(s) => Pin::new(s).poll_read(cx, buf),
            Self::Socket(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Self::Tls(s) => Pin::new(s).poll_write(cx, buf),
            Self::Socket(s) => Pin::new(s).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_flush(cx),
            Self::Tls(s) => Pin::new(s).poll_flush(cx),
            Self::Socket(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Self::Tls(s) => Pin::new(s).poll_shutdown(cx),
            Self::Socket(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}

/// A connection with what was read ahead.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) stream: Stream,
    peer: SocketAddr,
    /// Read, but not yet used; the used part is before `at`.
    held: Vec<u8>,
    at: usize,
}

impl Wire {
    pub(super) fn new(stream: Stream, peer: SocketAddr) -> Self {
        Self {
            stream,
            peer,
            held: Vec::new(),
            at: 0,
        }
    }

    /// What was read ahead and nobody asked for.
    pub(super) fn ahead(&self) -> &[u8] {
        self.held.get(self.at..).unwrap_or_default()
    }

    /// Throws away what came before it was asked for; gives whether there was something. A
    /// farewell (421) stays: it is the answer to whatever comes next (RFC 5321 section 3.8).
    pub(super) fn drop_unasked(&mut self) -> bool {
        let ahead = self.ahead();
        if ahead.is_empty() || ahead.starts_with(b"421") {
            return false;
        }
        let farewell = memchr::memmem::find(ahead, b"\n421");
        let useless = farewell.map_or(ahead.len(), |at| at + 1);
        self.use_up(useless);
        true
    }

    pub(super) async fn write(
        &mut self,
        octets: &[u8],
        stage: Stage,
        end: Instant,
    ) -> Result<(), Failure> {
        let started = Instant::now();
        let writing = async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        };
        match timeout_at(end, writing).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Failure::from_io(&error, stage, self.peer)),
            Err(_) => Err(self.timeout(stage, started.elapsed(), 0)),
        }
    }

    /// Reads one whole reply. At [`Stage::Banner`] anything but SMTP is recognised at once.
    pub(super) async fn reply(&mut self, stage: Stage, end: Instant) -> Result<Reply, Failure> {
        let started = Instant::now();
        let mut assembler = Assembler::default();
        let mut octets = 0;
        // Set while the rest of an overlong line is thrown away.
        let mut cutting = false;
        loop {
            let ahead = self.ahead();
            let line_end = ahead.iter().position(|&b| b == b'\n').map(|i| i + 1);
            let usable = line_end.unwrap_or(ahead.len());
            if line_end.is_none() && usable < LONGEST_LINE {
                if stage == Stage::Banner && !assembler.is_midway() && !cutting {
                    self.recognise(ahead)?;
                }
                let got = self.read(stage, end, started, octets).await?;
                octets += got;
                if octets > LARGEST {
                    return Err(Failure::Endless {
                        stage,
                        peer: self.peer,
                    });
                }
                continue;
            }
            let kept = ahead.get(..usable.min(LONGEST_LINE)).unwrap_or_default();
            let outcome = if cutting {
                Ok(None)
            } else {
                assembler.push(kept)
            };
            let overlong = line_end.is_none() || usable > LONGEST_LINE;
            if overlong && !cutting {
                assembler.note(Flaw::LongLine);
            }
            let said = String::from_utf8_lossy(kept).trim_end().to_string();
            self.use_up(usable);
            match outcome {
                Ok(Some(mut reply)) => {
                    // The last line may have been the overlong one: its rest belongs to nobody.
                    if line_end.is_none() {
                        reply.flaws.push(Flaw::LongLine);
                        self.skip_line(stage, end, started, octets).await?;
                    }
                    return Ok(reply);
                }
                Ok(None) => cutting = line_end.is_none(),
                Err(Bad::Endless) => {
                    return Err(Failure::Endless {
                        stage,
                        peer: self.peer,
                    });
                }
                Err(Bad::NoCode(_)) => return Err(self.no_reply(stage, said)),
            }
        }
    }

    async fn skip_line(
        &mut self,
        stage: Stage,
        end: Instant,
        started: Instant,
        mut octets: usize,
    ) -> Result<(), Failure> {
        loop {
            let ahead = self.ahead();
            if let Some(i) = ahead.iter().position(|&b| b == b'\n') {
                self.use_up(i + 1);
                return Ok(());
            }
            self.use_up(ahead.len());
            octets += self.read(stage, end, started, octets).await?;
            if octets > LARGEST {
                return Err(Failure::Endless {
                    stage,
                    peer: self.peer,
                });
            }
        }
    }

    fn recognise(&self, start: &[u8]) -> Result<(), Failure> {
        if start.is_empty() {
            return Ok(());
        }
        foreign::recognise(start).map_or(Ok(()), |protocol| {
            Err(Failure::Foreign {
                peer: self.peer,
                protocol,
                said: first_words(start),
            })
        })
    }

    fn no_reply(&self, stage: Stage, said: String) -> Failure {
        let peer = self.peer;
        if stage != Stage::Banner {
            return Failure::NoReply { stage, peer, said };
        }
        let protocol = foreign::recognise(said.as_bytes()).unwrap_or(foreign::Protocol::Unknown);
        Failure::Foreign {
            peer,
            protocol,
            said: first_words(said.as_bytes()),
        }
    }

    async fn read(
        &mut self,
        stage: Stage,
        end: Instant,
        started: Instant,
        before: usize,
    ) -> Result<usize, Failure> {
        self.stream.acknowledge_at_once();
        let mut block = [0; BLOCK];
        match timeout_at(end, self.stream.read(&mut block)).await {
            Err(_) => Err(self.timeout(stage, started.elapsed(), before)),
            Ok(Err(error)) => Err(Failure::from_io(&error, stage, self.peer)),
            Ok(Ok(0)) => Err(Failure::Closed {
                stage,
                peer: self.peer,
            }),
            Ok(Ok(got)) => {
                self.held
                    .extend_from_slice(block.get(..got).unwrap_or_default());
                Ok(got)
            }
        }
    }

    fn use_up(&mut self, octets: usize) {
        self.at += octets;
        if self.at >= self.held.len() {
            self.held.clear();
            self.at = 0;
        } else if self.at >= BLOCK {
            self.held.drain(..self.at);
            self.at = 0;
        }
    }

    fn timeout(&self, stage: Stage, after: Duration, received: usize) -> Failure {
        Failure::Timeout {
            stage,
            peer: self.peer,
            after,
            received,
        }
    }
}

/// The start of what somebody else said, for the report.
fn first_words(start: &[u8]) -> String {
    const SHOWN: usize = 80;
    let line = start.split(|&b| b == b'\n').next().unwrap_or_default();
    let line = line.get(..SHOWN).unwrap_or(line);
    String::from_utf8_lossy(line).trim_end().to_string()
}
