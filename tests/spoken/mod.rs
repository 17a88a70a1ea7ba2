//! The client of a dialogue: what it says, what it hears, and the rules for all replies.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub(crate) mod setup;

use std::sync::Arc;
use std::time::Duration;

use mailtrace::mta::server::Server;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::WAIT;

pub(crate) trait Line: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Line for T {}

/// For a handshake the connection has to be had as it is.
pub(crate) enum Wire {
    Plain(TcpStream),
    Tls(Box<dyn Line>),
}

impl Wire {
    pub(crate) fn line(&mut self) -> &mut dyn Line {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls,
        }
    }
}

pub(crate) struct Client {
    pub(crate) wire: Option<Wire>,
    pub(crate) held: Vec<u8>,
    pub(crate) said: String,
}

impl Client {
    pub(crate) async fn read(&mut self, wait: Duration) -> Option<usize> {
        let mut block = [0; 8192];
        let wire = self.wire.as_mut().unwrap().line();
        let got = timeout(wait, wire.read(&mut block)).await.ok()?;
        // A connection that was cut has ended, too.
        let got = got.unwrap_or(0);
        self.held.extend_from_slice(&block[..got]);
        Some(got)
    }

    /// The next reply: its octets, or `None` at the end.
    pub(crate) async fn reply(&mut self) -> Result<Option<Vec<u8>>, String> {
        loop {
            let mut at = 0;
            while let Some(n) = self.held[at..].windows(2).position(|w| w == b"\r\n") {
                let line = &self.held[at..at + n];
                at += n + 2;
                if line.get(3) != Some(&b'-') {
                    let reply = self.held.drain(..at).collect();
                    return Ok(Some(reply));
                }
            }
            match self.read(WAIT).await {
                None => return Err(format!("no reply; so far {:?}", text(&self.held))),
                Some(0) if self.held.is_empty() => return Ok(None),
                Some(0) => return Err(format!("cut off: {:?}", text(&self.held))),
                Some(_) => {}
            }
        }
    }
}

pub(crate) fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// The rules for all replies; gives code and words. `said` is what was said before it.
pub(crate) fn hold_to_the_rules(reply: &[u8], said: &str) -> Result<(String, String), String> {
    let whole = text(reply);
    let broken = |what: &str| Err(format!("{what}: {whole:?}"));
    let mut words = String::new();
    let code = whole.get(..3).unwrap_or("").to_string();
    if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_digit()) {
        return broken("no code");
    }
    let upper = said.to_ascii_uppercase();
    let bare = said.is_empty()
        || upper.starts_with("EHLO")
        || upper.starts_with("HELO")
        || upper.starts_with("LHLO")
        || code.starts_with('3');
    for line in whole.split_inclusive("\r\n") {
        if line.len() > 512 {
            return broken("a line over 512 octets");
        }
        let bare_line = line.strip_suffix("\r\n").unwrap_or("\n");
        if bare_line.contains(|c: char| c.is_control()) {
            return broken("a control in a line");
        }
        let rest = bare_line.get(4..).unwrap_or("");
        if bare_line.get(..3) != Some(&code) {
            return broken("another code");
        }
        let class = code.get(..1).unwrap_or("");
        let enhanced = rest.starts_with(&format!("{class}."));
        if !bare && !enhanced {
            return broken("no enhanced code of its class");
        }
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(rest);
    }
    Ok((code, words))
}

pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&c, after)) = rest.split_first() {
        rest = after;
        if c == b'{'
            && let Some(end) = rest.iter().position(|b| *b == b'}')
            && let Some((n, what)) = std::str::from_utf8(&rest[..end])
                .ok()
                .and_then(|inner| inner.split_once('*'))
            && let Ok(n) = n.parse::<usize>()
        {
            out.extend(unescape(what).repeat(n));
            rest = &rest[end + 1..];
            continue;
        }
        if c != b'\\' {
            out.push(c);
            continue;
        }
        let (&escape, after) = rest.split_first().expect("something behind \\");
        rest = after;
        match escape {
            b'r' => out.push(b'\r'),
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'0' => out.push(0),
            b'x' => {
                let digits = std::str::from_utf8(&rest[..2]).unwrap();
                out.push(u8::from_str_radix(digits, 16).unwrap());
                rest = &rest[2..];
            }
            other => out.push(other),
        }
    }
    out
}

/// Whether a text fits a pattern, in which `*` stands for anything.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or("");
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = rest.get(at + piece.len()..).unwrap_or(""),
            None => return false,
        }
    }
    rest.ends_with(last)
}

pub(crate) async fn handshake(client: &mut Client, server: &Server) -> Result<(), String> {
    let Some(Wire::Plain(tcp)) = client.wire.take() else {
        return Err("TLS already".to_string());
    };
    let mut roots = rustls::RootCertStore::empty();
    for der in server.site().identity().unwrap().chain() {
        roots.add(CertificateDer::from(der)).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("mx.example.test").unwrap();
    let connecting = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp);
    let tls = timeout(WAIT, connecting)
        .await
        .map_err(|_| "handshake: timeout")?;
    let tls = tls.map_err(|e| format!("handshake: {e}"))?;
    client.wire = Some(Wire::Tls(Box::new(tls)));
    client.said = String::new();
    Ok(())
}
