//! Old TLS: rustls speaks 1.2 and 1.3 only, so a server that offers less is met with a hello
//! made by hand, whose answer names the version and the cipher and, up to 1.2, shows the
//! certificate. Nothing is ever encrypted with it.

use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

/// Octets read of the answer: a certificate chain and then some.
const MOST: usize = 64 * 1024;

/// What an old server answers to a hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relic {
    /// `SSLv3`, `TLSv1.0`, `TLSv1.1` or `TLSv1.2`.
    pub version: &'static str,
    /// The number of the cipher suite.
    pub cipher: u16,
    /// The certificates it shows, its own first (DER).
    pub chain: Vec<Vec<u8>>,
}

/// Says hello over a connection that expects a handshake now, and reads what comes back.
pub async fn greet<S>(stream: &mut S, host: &str, end: Instant) -> Option<Relic>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let hello = hello(host)?;
    timeout_at(end, async {
        stream.write_all(&hello).await.ok()?;
        let mut heard = Vec::new();
        let mut block = [0; 4096];
        loop {
            let got = stream.read(&mut block).await.ok()?;
            heard.extend_from_slice(block.get(..got)?);
            let relic = read(&heard);
            let whole = relic.as_ref().is_some_and(|r| !r.chain.is_empty());
            if whole || got == 0 || heard.len() >= MOST {
                return relic;
            }
        }
    })
    .await
    .ok()?
}

/// A ClientHello (RFC 5246 §7.4.1.2) that offers TLS 1.2 and everything that servers of the
/// last twenty-five years may want.
fn hello(host: &str) -> Option<Vec<u8>> {
    const CIPHERS: &[u16] = &[
        0xc02f, 0xc030, 0xc02b, 0xc02c, 0xc013, 0xc014, 0xc009, 0xc00a, 0xc012, 0x009e, 0x009f,
        0x0033, 0x0039, 0x0067, 0x006b, 0x0016, 0x009c, 0x009d, 0x003c, 0x003d, 0x002f, 0x0035,
        0x0041, 0x0084, 0x000a, 0x0005, 0x0004, 0x0009, 0x00ff,
    ];
    const GROUPS: &[u16] = &[0x001d, 0x0017, 0x0018, 0x0019];
    const SIGNATURES: &[u16] = &[
        0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201,
        0x0202,
    ];
    let mut random = [0; 32];
    SystemRandom::new().fill(&mut random).ok()?;

    let mut extensions = Vec::new();
    if host.parse::<std::net::IpAddr>().is_err() && !host.is_empty() {
        let name = [&[0][..], &block16(host.as_bytes())?].concat();
        extension(&mut extensions, 0, &block16(&name)?)?;
    }
    extension(&mut extensions, 10, &block16(&numbers(GROUPS))?)?;
    extension(&mut extensions, 11, &[1, 0])?;
    extension(&mut extensions, 13, &block16(&numbers(SIGNATURES))?)?;

    let mut body = vec![3, 3];
    body.extend_from_slice(&random);
    body.push(0);
    body.extend_from_slice(&block16(&numbers(CIPHERS))?);
    body.extend_from_slice(&[1, 0]);
    body.extend_from_slice(&block16(&extensions)?);
    let message = [&[1, 0][..], &block16(&body)?].concat();
    Some([&[0x16, 3, 1][..], &block16(&message)?].concat())
}

fn numbers(all: &[u16]) -> Vec<u8> {
    all.iter().flat_map(|n| n.to_be_bytes()).collect()
}

fn block16(content: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(content.len()).ok()?;
    Some([&length.to_be_bytes()[..], content].concat())
}

fn extension(all: &mut Vec<u8>, number: u16, content: &[u8]) -> Option<()> {
    all.extend_from_slice(&number.to_be_bytes());
    all.extend_from_slice(&block16(content)?);
    Some(())
}

/// Reads ServerHello and, when it is there, Certificate out of the records so far.
fn read(heard: &[u8]) -> Option<Relic> {
    let mut handshake = Vec::new();
    let mut rest = heard;
    // Records: type, version, length, content; a message may be spread over several.
    while let [0x16, 3, _, high, low, more @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        handshake.extend_from_slice(more.get(..length.min(more.len()))?);
        rest = more.get(length..).unwrap_or_default();
    }
    let mut messages = handshake.as_slice();
    let (kind, hello) = message(&mut messages)?;
    if kind != 2 {
        return None;
    }
    let version = match hello.get(..2)? {
        [3, 0] => "SSLv3",
        [3, 1] => "TLSv1.0",
        [3, 2] => "TLSv1.1",
        [3, 3] => "TLSv1.2",
        _ => return None,
    };
    let session = usize::from(*hello.get(34)?);
    let cipher = hello.get(35 + session..37 + session)?;
    let cipher = u16::from_be_bytes(cipher.try_into().ok()?);
    let chain = match message(&mut messages) {
        Some((11, content)) => certificates(content),
        _ => Vec::new(),
    };
    Some(Relic {
        version,
        cipher,
        chain,
    })
}

fn message<'h>(messages: &mut &'h [u8]) -> Option<(u8, &'h [u8])> {
    let (&kind, after) = messages.split_first()?;
    let content = block24(&mut { after })?;
    *messages = after.get(3 + content.len()..)?;
    Some((kind, content))
}

fn block24<'h>(from: &mut &'h [u8]) -> Option<&'h [u8]> {
    let [a, b, c, rest @ ..] = *from else {
        return None;
    };
    let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
    let (content, rest) = rest.split_at_checked(length)?;
    *from = rest;
    Some(content)
}

fn certificates(mut content: &[u8]) -> Vec<Vec<u8>> {
    let mut list = block24(&mut content).unwrap_or_default();
    let mut all = Vec::new();
    while let Some(certificate) = block24(&mut list) {
        all.push(certificate.to_vec());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello_of(version: [u8; 2], tail: &[u8]) -> Vec<u8> {
        let mut body = vec![version[0], version[1]];
        body.extend_from_slice(&[9; 32]);
        body.extend_from_slice(&[2, 1, 1, 0x00, 0x0a, 0]);
        let mut message = vec![2, 0, 0, u8::try_from(body.len()).unwrap()];
        message.extend_from_slice(&body);
        message.extend_from_slice(tail);
        let length = u16::try_from(message.len()).unwrap().to_be_bytes();
        [&[0x16, 3, 1, length[0], length[1]][..], &message].concat()
    }

    #[test]
    fn the_answer_names_version_cipher_and_certificates() {
        let certificate = [11, 0, 0, 9, 0, 0, 6, 0, 0, 3, b'a', b'b', b'c'];
        let relic = read(&hello_of([3, 1], &certificate)).unwrap();
        assert_eq!((relic.version, relic.cipher), ("TLSv1.0", 0x000a));
        assert_eq!(relic.chain, [b"abc"]);
        assert_eq!(read(&hello_of([3, 0], &[])).unwrap().version, "SSLv3");
    }

    #[test]
    fn an_alert_half_an_answer_and_rubbish_are_nothing() {
        let whole = hello_of([3, 2], &[]);
        for end in 0..whole.len() - 2 {
            assert_eq!(read(&whole[..end]), None, "{end}");
        }
        assert_eq!(read(&[0x15, 3, 1, 0, 2, 2, 40]), None);
        assert_eq!(read(b"220 hello"), None);
    }

    #[test]
    fn our_hello_is_one_record_of_the_length_it_says() {
        let hello = hello("mx.example.test").unwrap();
        let length = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
        assert_eq!(hello.len(), 5 + length);
        assert!(hello.windows(15).any(|w| w == b"mx.example.test"));
    }
}
