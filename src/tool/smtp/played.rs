//! A played server on loopback: says what a test tells it to, also what no server should. For
//! tests, ours and those of the library's users.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::tls::provider;

/// How long a played server waits for a client that says nothing.
const IDLE: Duration = Duration::from_secs(30);

/// What a played server does when it is its turn.
#[derive(Debug, Clone)]
pub enum Act {
    /// Says this; lines end as they are written, a missing line end is added.
    Say(String),
    /// Says this one octet at a time, with this pause between them.
    Drip(String, Duration),
    /// Does the other after a pause.
    After(Duration, Box<Act>),
    /// Says this and closes.
    Last(String),
    /// Says this again and again until the client has enough.
    Endless(String),
    /// Says nothing, and goes on listening.
    Silence,
    /// Closes.
    Close,
    /// Cuts the connection.
    Reset,
    /// Says 220 and shakes hands. With `true`, what the client sent ahead survives (the fault
    /// of CVE-2011-0411).
    Tls(bool),
    /// Says 220 and then these octets in place of a handshake.
    Garbage(Vec<u8>),
}

/// A script: the greeting, and what to do at lines that begin with some words.
#[derive(Debug, Clone)]
pub struct Played {
    greeting: Act,
    rules: Vec<(String, Vec<Act>)>,
    inner: Vec<(String, Vec<Act>)>,
    tls: Option<Arc<ServerConfig>>,
    implicit: bool,
}

/// A server that is being played until this is dropped.
#[derive(Debug)]
pub struct Stage {
    /// Where it listens.
    pub at: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Stage {
    /// The lines heard so far; a line `*connect*` for each connection.
    pub fn heard(&self) -> Vec<String> {
        lock(&self.heard).clone()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Played {
    /// A server with this greeting, which says 250 to everything, 221 to QUIT and knows no TLS.
    pub fn greeting(act: Act) -> Self {
        Self {
            greeting: act,
            rules: Vec::new(),
            inner: Vec::new(),
            tls: None,
            implicit: false,
        }
    }

    /// A well-behaved server that announces these extensions.
    pub fn announcing(extensions: &[&str]) -> Self {
        let mut all = vec!["played.example.test"];
        all.extend_from_slice(extensions);
        Self::greeting(Act::Say("220 played.example.test ESMTP".to_string()))
            .on("EHLO", &[Act::Say(lines(250, &all))])
    }

    /// Does this at lines that begin so (in any case), one act after the other and then the
    /// last one again. The rule given last counts.
    #[must_use]
    pub fn on(mut self, start: &str, acts: &[Act]) -> Self {
        self.rules
            .insert(0, (start.to_ascii_uppercase(), acts.to_vec()));
        self
    }

    /// The same for lines inside TLS, before the rules of outside.
    #[must_use]
    pub fn within_tls(mut self, start: &str, acts: &[Act]) -> Self {
        self.inner
            .insert(0, (start.to_ascii_uppercase(), acts.to_vec()));
        self
    }

    /// Says this at lines that begin so.
    #[must_use]
    pub fn says(self, start: &str, reply: &str) -> Self {
        self.on(start, &[Act::Say(reply.to_string())])
    }

    /// Has this certificate chain (DER) and key (PKCS #8).
    pub fn with_tls(mut self, chain: Vec<Vec<u8>>, key: &[u8]) -> Result<Self, rustls::Error> {
        let chain = chain.into_iter().map(CertificateDer::from).collect();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_vec()));
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        self.tls = Some(Arc::new(config));
        Ok(self)
    }

    /// Speaks TLS from the first byte.
    #[must_use]
    pub fn implicit(mut self) -> Self {
        self.implicit = true;
        self
    }

    /// Begins to play, within the tokio runtime of the caller.
    pub async fn start(self) -> io::Result<Stage> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let at = listener.local_addr()?;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let notes = heard.clone();
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (script, notes) = (self.clone(), notes.clone());
                lock(&notes).push("*connect*".to_string());
                // Whatever ends one conversation is part of the play.
                tokio::spawn(async move { script.perform(tcp, &notes).await.ok() });
            }
        });
        Ok(Stage { at, heard, task })
    }

    async fn perform(self, mut tcp: TcpStream, notes: &Mutex<Vec<String>>) -> io::Result<()> {
        let mut counts = vec![0; self.rules.len() + self.inner.len()];
        if self.implicit {
            let mut tls = self.acceptor()?.accept(tcp).await?;
            if self.act(&self.greeting, &mut tls).await? {
                return Ok(());
            }
            return self
                .converse(&mut tls, true, &mut Vec::new(), &mut counts, notes)
                .await
                .map(|_| ());
        }
        if let Act::Reset = self.greeting {
            return tcp.set_zero_linger();
        }
        if self.act(&self.greeting, &mut tcp).await? {
            return Ok(());
        }
        let mut held = Vec::new();
        let next = self
            .converse(&mut tcp, false, &mut held, &mut counts, notes)
            .await?;
        match next {
            Some(Act::Reset) => tcp.set_zero_linger(),
            Some(Act::Tls(keeps)) => {
                tcp.write_all(b"220 2.0.0 go ahead\r\n").await?;
                let mut tls = self.acceptor()?.accept(tcp).await?;
                if !keeps {
                    held.clear();
                }
                self.converse(&mut tls, true, &mut held, &mut counts, notes)
                    .await?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Listens and acts until somebody goes, or an act that changes the connection is due.
    async fn converse<S>(
        &self,
        stream: &mut S,
        encrypted: bool,
        held: &mut Vec<u8>,
        counts: &mut [usize],
        notes: &Mutex<Vec<String>>,
    ) -> io::Result<Option<Act>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        // After a 354 come lines that are no commands, up to a lone dot.
        let mut within_data = false;
        loop {
            let Some(end) = held.iter().position(|&b| b == b'\n') else {
                let mut block = [0; 4096];
                let got = timeout(IDLE, stream.read(&mut block)).await??;
                if got == 0 {
                    return Ok(None);
                }
                held.extend_from_slice(block.get(..got).unwrap_or_default());
                continue;
            };
            let line: Vec<u8> = held.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).trim_end().to_string();
            lock(notes).push(line.clone());
            if within_data && line != "." {
                continue;
            }
            within_data = false;
            match self.rule(&line, encrypted, counts) {
                Some(Act::Close) => return Ok(None),
                Some(act @ (Act::Reset | Act::Tls(_))) => return Ok(Some(act)),
                Some(act) => {
                    within_data = matches!(&act, Act::Say(text) if text.starts_with("354"));
                    if self.act(&act, stream).await? {
                        return Ok(None);
                    }
                }
                None if line.eq_ignore_ascii_case("QUIT") => {
                    stream.write_all(b"221 2.0.0 bye\r\n").await?;
                    return Ok(None);
                }
                None => stream.write_all(b"250 2.0.0 ok\r\n").await?,
            }
        }
    }

    fn rule(&self, line: &str, encrypted: bool, counts: &mut [usize]) -> Option<Act> {
        let line = line.to_ascii_uppercase();
        let inner = self
            .inner
            .iter()
            .filter(|_| encrypted)
            .zip(self.rules.len()..);
        let (acts, n) = inner
            .chain(self.rules.iter().zip(0..))
            .find(|((start, _), _)| line.starts_with(start))
            .map(|((_, acts), n)| (acts, n))?;
        let count = counts.get_mut(n)?;
        let act = acts.get(*count).or_else(|| acts.last()).cloned();
        *count += 1;
        act
    }

    /// Does one thing; `true` when the conversation is over after it.
    async fn act<S>(&self, act: &Act, stream: &mut S) -> io::Result<bool>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match act {
            Act::Say(text) => stream.write_all(ended(text).as_bytes()).await?,
            Act::Last(text) => {
                stream.write_all(ended(text).as_bytes()).await?;
                stream.shutdown().await?;
                return Ok(true);
            }
            Act::Drip(text, pause) => {
                for octet in ended(text).as_bytes() {
                    stream.write_all(&[*octet]).await?;
                    sleep(*pause).await;
                }
            }
            Act::After(pause, then) => {
                sleep(*pause).await;
                return Box::pin(self.act(then, stream)).await;
            }
            Act::Endless(text) => loop {
                stream.write_all(text.as_bytes()).await?;
                tokio::task::yield_now().await;
            },
            Act::Silence => sleep(IDLE).await,
            Act::Garbage(octets) => {
                stream.write_all(b"220 2.0.0 go ahead\r\n").await?;
                sleep(Duration::from_millis(20)).await;
                stream.write_all(octets).await?;
            }
            Act::Close | Act::Reset | Act::Tls(_) => return Ok(true),
        }
        Ok(false)
    }

    fn acceptor(&self) -> io::Result<TlsAcceptor> {
        let config = self.tls.clone();
        config
            .map(TlsAcceptor::from)
            .ok_or_else(|| io::Error::other("a played server without a certificate"))
    }
}

/// A reply of several lines.
pub fn lines(code: u16, texts: &[&str]) -> String {
    let mut reply = String::new();
    for (n, text) in texts.iter().enumerate() {
        let mark = if n + 1 == texts.len() { ' ' } else { '-' };
        reply.push_str(&format!("{code}{mark}{text}\r\n"));
    }
    reply
}

fn ended(text: &str) -> String {
    if text.ends_with('\n') {
        text.to_string()
    } else {
        format!("{text}\r\n")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
