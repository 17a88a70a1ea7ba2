//! One page over HTTPS, as MTA-STS needs it: no redirects, no caches, a limit on everything.
//! Here because only this room knows TLS. The certificate is left to the caller to judge.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::tls::{self, Session};

/// Octets of a header that are read.
const HEADER: usize = 16 * 1024;

/// What to fetch.
#[derive(Debug, Clone, Copy)]
pub struct Request<'r> {
    /// The server.
    pub peer: SocketAddr,
    /// Its name.
    pub host: &'r str,
    /// The path.
    pub path: &'r str,
    /// The most octets to take.
    pub largest: usize,
    /// When it has to be over.
    pub end: Instant,
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The status.
    pub status: u16,
    /// The content type.
    pub kind: Option<String>,
    /// The content.
    pub body: Vec<u8>,
    /// The content is shorter than announced.
    pub cut: bool,
    /// The TLS session.
    pub session: Session,
}

/// Fetches a page; the error is a sentence.
pub async fn get(request: &Request<'_>) -> Result<Page, String> {
    let host = request.host;
    let slow = |_| format!("{host} does not answer in time");
    let broken = |e: std::io::Error| format!("{host}: {e}");
    let tcp = timeout_at(request.end, TcpStream::connect(request.peer)).await;
    let tcp = tcp.map_err(slow)?;
    let tcp =
        tcp.map_err(|_| format!("{host} takes no connection on port {}", request.peer.port()))?;
    let shaken = tls::handshake(tcp, host, request.end).await;
    let (mut stream, session) = shaken.map_err(|trouble| format!("{host}: {trouble}"))?;
    let text = format!(
        "GET {} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: mailtrace\r\nAccept: text/plain\r\nConnection: close\r\n\r\n",
        request.path
    );
    let mut octets = Vec::new();
    let reading = async {
        stream.write_all(text.as_bytes()).await?;
        stream.flush().await?;
        let most = (request.largest + HEADER) as u64;
        // A server that closes without a TLS good-bye has still said what it said.
        match stream.take(most).read_to_end(&mut octets).await {
            Err(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => Err(e),
            _ => Ok(()),
        }
    };
    timeout_at(request.end, reading)
        .await
        .map_err(slow)?
        .map_err(broken)?;
    read(&octets, session).ok_or_else(|| format!("{host} does not answer in HTTP"))
}

fn read(octets: &[u8], session: Session) -> Option<Page> {
    let end = octets.windows(4).position(|w| w == b"\r\n\r\n")?;
    let (head, body) = octets.split_at_checked(end)?;
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let first = lines.next().filter(|l| l.starts_with("HTTP/1."))?;
    let status = first.split(' ').nth(1)?.parse().ok()?;
    let fields: Vec<_> = lines.filter_map(|l| l.split_once(':')).collect();
    let field = |name: &str| {
        let mut all = fields.iter();
        all.find(|(n, _)| n.trim().eq_ignore_ascii_case(name))
            .map(|(_, v)| v.trim().to_string())
    };
    let body = body.get(4..)?;
    let chunked = field("transfer-encoding").is_some_and(|t| t.eq_ignore_ascii_case("chunked"));
    let announced: Option<usize> = field("content-length").and_then(|l| l.parse().ok());
    let cut = !chunked && announced.is_some_and(|length| body.len() < length);
    // What follows the announced end is none of ours (RFC 9112 §6.3).
    let body = match announced.filter(|_| !chunked) {
        Some(length) => body.get(..length).unwrap_or(body),
        None => body,
    };
    Some(Page {
        status,
        cut,
        kind: field("content-type"),
        body: if chunked {
            unchunk(body)
        } else {
            body.to_vec()
        },
        session,
    })
}

/// Undoes chunked transfer (RFC 9112 §7.1); a cut end gives what is there.
fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(end) = body.windows(2).position(|w| w == b"\r\n") {
        let size = body.get(..end).and_then(|l| str::from_utf8(l).ok());
        let size = size.and_then(|l| l.split(';').next());
        let Some(size) = size.and_then(|s| usize::from_str_radix(s.trim(), 16).ok()) else {
            break;
        };
        let rest = body.get(end + 2..).unwrap_or_default();
        out.extend_from_slice(rest.get(..size).unwrap_or(rest));
        if size == 0 {
            break;
        }
        body = rest.get(size.saturating_add(2)..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Option<Page> {
        read(text.as_bytes(), Session::default())
    }

    #[test]
    fn status_type_and_body_are_read_plain_and_in_chunks() {
        let plain = page("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nmode: none").unwrap();
        assert_eq!(
            (plain.status, plain.kind.as_deref()),
            (200, Some("text/plain"))
        );
        assert_eq!(plain.body, b"mode: none");
        let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nmode\r\n3;x=y\r\n: n\r\n0\r\n\r\n";
        assert_eq!(page(chunks).unwrap().body, b"mode: n");
        for bad in [
            "",
            "HTTP/1.1 200 OK",
            "220 hello\r\n\r\n",
            "HTTP/1.1 x\r\n\r\n",
        ] {
            assert_eq!(page(bad), None, "{bad}");
        }
        let long = page("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmode: none").unwrap();
        assert_eq!((long.body.as_slice(), long.cut), (&b"mode"[..], false));
        let short = page("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nmode: none").unwrap();
        assert!(short.cut);
        for cut in ["ffffffffffffffff\r\nab", "zz\r\n", "5\r\nab"] {
            assert!(unchunk(cut.as_bytes()).len() <= 2);
        }
    }
}
