//! The connection of one dialogue: it costs next to nothing while nothing is said, and never
//! waits without an end.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant, Sleep, timeout};

use crate::mta::wire::line::Buffer;
use crate::smtp::tls::server::Stream;

/// Octets read at a time, into a buffer that all connections of a thread share.
const BLOCK: usize = 64 * 1024;
/// Octets that are read and thrown away when a dialogue ends, so that the last reply arrives.
const LINGER: usize = 1 << 20;
/// How long that may take.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// The same when the server is told to end.
const LINGER_AT_END: Duration = Duration::from_millis(100);
/// Capacity that the buffer of replies may keep.
const KEPT: usize = 4096;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; BLOCK].into_boxed_slice());
}

/// What came of waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Got {
    /// Octets.
    Octets,
    /// The client has gone.
    Gone,
    /// The time is over.
    Late,
    /// The server is told to end.
    Closing,
}

/// The connection of one dialogue.
pub(super) struct Wire {
    pub(super) stream: Stream,
    pub(super) buffer: Buffer,
    pub(super) out: Vec<u8>,
    write_limit: Duration,
    alarm: Pin<Box<Sleep>>,
    /// `None` once it was heard.
    closing: Option<Pin<Box<OwnedNotified>>>,
    /// When it was.
    heard: Option<Instant>,
}

impl Wire {
    pub(super) fn new(stream: Stream, closing: Arc<Notify>, write_limit: Duration) -> Self {
        Self {
            stream,
            buffer: Buffer::default(),
            out: Vec::new(),
            write_limit,
            alarm: Box::pin(tokio::time::sleep(Duration::from_secs(3600))),
            closing: Some(Box::pin(closing.notified_owned())),
            heard: None,
        }
    }

    /// Waits for octets until then.
    pub(super) async fn fill(&mut self, until: Instant) -> Got {
        poll_fn(|cx| self.poll_fill(cx, until)).await
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<Got> {
        let read = SCRATCH.with_borrow_mut(|scratch| {
            let mut block = ReadBuf::new(scratch);
            let read = Pin::new(&mut self.stream).poll_read(cx, &mut block);
            if matches!(read, Poll::Ready(Ok(()))) {
                self.buffer.add(block.filled());
            }
            read.map_ok(|()| block.filled().len())
        });
        match read {
            Poll::Ready(Ok(n)) if n > 0 => return Poll::Ready(Got::Octets),
            Poll::Ready(_) => return Poll::Ready(Got::Gone),
            Poll::Pending => {}
        }
        if let Some(closing) = &mut self.closing
            && closing.as_mut().poll(cx).is_ready()
        {
            self.closing = None;
            self.heard = Some(Instant::now());
            return Poll::Ready(Got::Closing);
        }
        // The alarm is set anew only when it must ring earlier, or has rung too early: most
        // commands come and go without touching the timer.
        if self.alarm.deadline() > until {
            self.alarm.as_mut().reset(until);
        }
        while self.alarm.as_mut().poll(cx).is_ready() {
            if Instant::now() >= until {
                // So that it can ring again.
                self.alarm.as_mut().reset(until + Duration::from_secs(3600));
                return Poll::Ready(Got::Late);
            }
            self.alarm.as_mut().reset(until);
        }
        Poll::Pending
    }

    /// The connection, when it is still in clear.
    pub(super) fn take_tcp(&mut self) -> Option<TcpStream> {
        self.stream.give()
    }

    /// When it was heard that the server is to end.
    pub(super) const fn closing(&self) -> Option<Instant> {
        self.heard
    }

    /// Sends what is to be said, in one write. A client that does not read is not waited for.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let Self { stream, out, .. } = self;
        let sending = async {
            stream.write_all(out).await?;
            stream.flush().await
        };
        let sent = timeout(self.write_limit, sending).await;
        self.out.clear();
        if self.out.capacity() > KEPT {
            self.out = Vec::new();
        }
        sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Says good-bye so that the last reply arrives: closing with unread octets would make the
    /// system cut the connection and throw the reply away.
    pub(super) async fn close(mut self) {
        if self.flush().await.is_err() {
            return;
        }
        let shut = timeout(LINGER_TIME, self.stream.shutdown()).await;
        if !matches!(shut, Ok(Ok(()))) {
            return;
        }
        // A server that is told to end does not wait for each client to notice.
        let patience = |wire: &Self| match wire.heard {
            Some(_) => LINGER_AT_END,
            None => LINGER_TIME,
        };
        let mut until = Instant::now() + patience(&self);
        let mut thrown = 0;
        while thrown < LINGER {
            match self.fill(until).await {
                Got::Octets => {
                    thrown += self.buffer.ahead().len();
                    self.buffer.clear();
                }
                Got::Closing => until = until.min(Instant::now() + patience(&self)),
                Got::Gone | Got::Late => return,
            }
        }
    }

    /// Cuts the connection.
    pub(super) fn cut(self) {
        // Dropping it with no linger time sends a reset.
        let _ = self.stream.tcp().map(TcpStream::set_zero_linger);
    }
}
