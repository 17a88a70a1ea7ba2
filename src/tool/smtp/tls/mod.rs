//! TLS for mail: encrypt first, judge afterwards.
//!
//! Mail encrypts to whoever is there (RFC 7435), so a handshake here takes any certificate and
//! keeps it in a [`Session`]. What it is worth is a question of its own: [`trust`] asks who
//! vouches for it, [`certificate`] what it says, `posture::dane` whether the DNS pins it.
//! Whoever needs a trustworthy peer judges before anything is said.

pub mod certificate;
mod der;
pub mod relic;
mod roots;
pub mod server;
pub mod trust;
mod witness;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{DnsName, ServerName};
use rustls::{ClientConfig, ClientConnection};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use witness::{Shy, Witness};

pub use certificate::Certificate;
pub use roots::Roots;
pub use trust::{Opinion, Trust};

/// What a handshake brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Session {
    /// `TLSv1.3` or `TLSv1.2`; older ones are never spoken, see [`relic`].
    pub version: &'static str,
    /// The cipher suite by its IANA name.
    pub cipher: String,
    /// The key exchange group.
    pub group: Option<String>,
    /// The certificates as they were sent, the server's own first (DER).
    pub chain: Vec<Vec<u8>>,
    /// The server could not prove that it has the key of its certificate, or with a key or
    /// certificate too weak to count.
    pub unproved: Option<String>,
    /// It asked for a certificate of ours.
    pub asked_for_ours: bool,
    /// How long the handshake took.
    pub took: Duration,
}

/// Why TLS did not come about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// What came back is no TLS.
    NotTls,
    /// The server ended the handshake with this alert.
    Alert(String),
    /// No version in common.
    Version,
    /// No cipher or group in common.
    Cipher,
    /// It closed the connection.
    Closed,
    /// It did not finish in this time.
    Timeout(Duration),
    /// A message of the handshake (a huge certificate, mostly) is over the limit of 64 KiB.
    TooLarge,
    /// Something else.
    Other(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTls => f.write_str("what the server sends in the handshake is no TLS"),
            Self::Alert(name) => write!(f, "the server ends the handshake ({name})"),
            Self::Version => f.write_str("no TLS version in common (1.2 and 1.3 are spoken here)"),
            Self::Cipher => f.write_str("no cipher in common"),
            Self::Closed => f.write_str("the server closes the connection in the handshake"),
            Self::Timeout(after) => {
                write!(
                    f,
                    "the handshake does not end within {:.0} s",
                    after.as_secs_f64()
                )
            }
            Self::TooLarge => f.write_str("the server's certificate message is over 64 KiB"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// The algorithms of the whole program.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    use std::sync::OnceLock;
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER
        .get_or_init(|| Arc::new(ring::default_provider()))
        .clone()
}

/// The name to greet a server with (SNI) and to look for in its certificate.
pub(crate) fn server_name(host: &str) -> Option<ServerName<'static>> {
    let host = host.trim_end_matches('.');
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Some(ServerName::IpAddress(ip.into()));
    }
    DnsName::try_from(host.to_string())
        .ok()
        .map(ServerName::DnsName)
}

/// Shakes hands over a connection. `host` becomes the SNI; a name that cannot be one, such as
/// one with an underscore, is left out.
pub(super) async fn handshake(
    tcp: TcpStream,
    host: &str,
    end: Instant,
) -> Result<(TlsStream<TcpStream>, Session), Trouble> {
    let started = Instant::now();
    let witness = Arc::new(Witness::new(provider()));
    let shy = Arc::new(Shy::default());
    let mut config = config(&witness, &shy).map_err(|e| explain(&e))?;
    let name = server_name(host).unwrap_or_else(|| {
        config.enable_sni = false;
        ServerName::IpAddress(IpAddr::from([127, 0, 0, 1]).into())
    });
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, tcp);
    let stream = match timeout_at(end, connecting).await {
        Err(_) => return Err(Trouble::Timeout(started.elapsed())),
        Ok(Err(error)) => return Err(explain_io(&error)),
        Ok(Ok(stream)) => stream,
    };
    let session = session(stream.get_ref().1, &witness, &shy, started.elapsed());
    Ok((stream, session))
}

/// A stream that octets go through, whatever is below.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// TLS over a connection of another protocol, such as IMAP.
pub async fn over(
    tcp: TcpStream,
    host: &str,
    end: Instant,
) -> Result<(Box<dyn Duplex>, Session), Trouble> {
    let (stream, session) = handshake(tcp, host, end).await?;
    Ok((Box::new(stream), session))
}

fn config(witness: &Arc<Witness>, shy: &Arc<Shy>) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(witness.clone())
        .with_client_cert_resolver(shy.clone());
    // Every handshake has a witness of its own, so there is nothing to resume.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn session(connection: &ClientConnection, witness: &Witness, shy: &Shy, took: Duration) -> Session {
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLS",
    };
    let cipher = connection.negotiated_cipher_suite().map(|s| s.suite());
    let group = connection.negotiated_key_exchange_group();
    Session {
        version,
        // rustls marks the suites of TLS 1.3 with 13; the IANA names have none.
        cipher: cipher
            .and_then(|c| c.as_str())
            .unwrap_or("unknown")
            .replace("TLS13_", "TLS_"),
        group: group.map(|g| format!("{:?}", g.name())),
        chain: connection
            .peer_certificates()
            .unwrap_or_default()
            .iter()
            .map(|c| c.as_ref().to_vec())
            .collect(),
        unproved: witness.fault(),
        asked_for_ours: shy.was_asked(),
        took,
    }
}

fn explain_io(error: &io::Error) -> Trouble {
    let inner = error.get_ref().and_then(|e| e.downcast_ref());
    match (inner, error.kind()) {
        (Some(inner), _) => explain(inner),
        (None, io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => Trouble::Closed,
        (None, io::ErrorKind::BrokenPipe) => Trouble::Closed,
        (None, _) => Trouble::Other(error.to_string()),
    }
}

fn explain(error: &rustls::Error) -> Trouble {
    use rustls::{AlertDescription as Alert, Error, InvalidMessage, PeerIncompatible as Peer};
    match error {
        Error::InvalidMessage(
            InvalidMessage::HandshakePayloadTooLarge
            | InvalidMessage::CertificatePayloadTooLarge
            | InvalidMessage::MessageTooLarge,
        ) => Trouble::TooLarge,
        Error::InvalidMessage(_) => Trouble::NotTls,
        Error::AlertReceived(Alert::ProtocolVersion) => Trouble::Version,
        Error::AlertReceived(Alert::HandshakeFailure | Alert::InsufficientSecurity) => {
            Trouble::Cipher
        }
        Error::AlertReceived(alert) => Trouble::Alert(
            alert
                .as_str()
                .map_or_else(|| format!("alert {}", u8::from(*alert)), in_words),
        ),
        Error::PeerIncompatible(
            Peer::ServerTlsVersionIsDisabledByOurConfig
            | Peer::ServerDoesNotSupportTls12Or13
            | Peer::ServerSentHelloRetryRequestWithUnknownExtension,
        ) => Trouble::Version,
        Error::PeerIncompatible(_) => Trouble::Cipher,
        Error::PeerMisbehaved(_) | Error::InappropriateMessage { .. } => {
            Trouble::Other("the server breaks the rules of TLS".to_string())
        }
        Error::InappropriateHandshakeMessage { .. } => {
            Trouble::Other("the server breaks the order of the TLS handshake".to_string())
        }
        Error::PeerSentOversizedRecord => Trouble::TooLarge,
        Error::DecryptError => {
            Trouble::Other("what the server encrypts cannot be read".to_string())
        }
        Error::NoCertificatesPresented => {
            Trouble::Other("the server sends no certificate".to_string())
        }
        Error::InvalidCertificate(_) => {
            Trouble::Other("the server's certificate cannot be read".to_string())
        }
        other => Trouble::Other(format!("the handshake failed ({other})")),
    }
}

/// `UnrecognizedName` as `unrecognized name`.
fn in_words(camel: &str) -> String {
    let mut words = String::with_capacity(camel.len() + 4);
    for c in camel.chars() {
        if c.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{
        AlertDescription as Alert, Error, InvalidMessage, PeerIncompatible, PeerMisbehaved,
    };

    #[test]
    fn why_a_handshake_fails_is_told_in_words_of_mail_and_not_of_the_library() {
        let version = "no TLS version in common (1.2 and 1.3 are spoken here)";
        let misbehaved = PeerMisbehaved::TooManyEmptyFragments;
        for (error, words) in [
            (Error::AlertReceived(Alert::ProtocolVersion), version),
            (
                Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
                version,
            ),
            (
                Error::AlertReceived(Alert::HandshakeFailure),
                "no cipher in common",
            ),
            (
                Error::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon),
                "no cipher in common",
            ),
            (
                Error::AlertReceived(Alert::UnrecognisedName),
                "the server ends the handshake (unrecognised name)",
            ),
            (
                Error::AlertReceived(Alert::Unknown(200)),
                "the server ends the handshake (alert 200)",
            ),
            (
                Error::InvalidMessage(InvalidMessage::InvalidContentType),
                "what the server sends in the handshake is no TLS",
            ),
            (
                Error::InvalidMessage(InvalidMessage::CertificatePayloadTooLarge),
                "the server's certificate message is over 64 KiB",
            ),
            (
                Error::PeerMisbehaved(misbehaved),
                "the server breaks the rules of TLS",
            ),
            (
                Error::DecryptError,
                "what the server encrypts cannot be read",
            ),
            (
                Error::NoCertificatesPresented,
                "the server sends no certificate",
            ),
            (
                Error::InvalidCertificate(rustls::CertificateError::BadEncoding),
                "the server's certificate cannot be read",
            ),
        ] {
            assert_eq!(explain(&error).to_string(), words, "{error:?}");
            let wrapped = io::Error::new(io::ErrorKind::InvalidData, error);
            assert_eq!(explain_io(&wrapped).to_string(), words);
        }
    }

    #[test]
    fn a_connection_that_ends_in_the_handshake_was_closed_and_other_trouble_is_the_systems() {
        use io::ErrorKind as Kind;
        for kind in [Kind::UnexpectedEof, Kind::ConnectionReset, Kind::BrokenPipe] {
            assert_eq!(explain_io(&kind.into()), Trouble::Closed, "{kind:?}");
        }
        let other = explain_io(&io::Error::other("odd"));
        assert_eq!(other, Trouble::Other("odd".to_string()));
    }

    #[test]
    fn a_name_that_cannot_be_greeted_with_is_left_out() {
        assert!(server_name("mx.x.test.").is_some());
        assert!(matches!(
            server_name("192.0.2.1"),
            Some(ServerName::IpAddress(_))
        ));
        assert!(server_name("no name").is_none());
    }
}
