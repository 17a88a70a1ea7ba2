//! The server's side of TLS: a certificate that was given, or one made on the fly.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::provider;

/// A certificate with its key, ready for handshakes.
#[derive(Clone)]
pub struct Identity {
    acceptor: TlsAcceptor,
    chain: Vec<CertificateDer<'static>>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity {{ certificates: {} }}", self.chain.len())
    }
}

/// Why there is no identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadIdentity {
    /// No certificate.
    #[error("no certificate in PEM form found")]
    Certificate,
    /// No key.
    #[error("no private key in PEM form found")]
    Key,
    /// They are not for each other, or not for TLS.
    #[error("certificate and key cannot be used ({0})")]
    Unusable(String),
}

impl Identity {
    /// Reads PEM.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, BadIdentity> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
            .filter_map(Result::ok)
            .collect();
        if chain.is_empty() {
            return Err(BadIdentity::Certificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| BadIdentity::Key)?;
        Self::new(chain, key)
    }

    /// Makes a self-signed one for these names and addresses.
    pub fn self_signed(names: &[String]) -> Result<Self, BadIdentity> {
        Self::made(names, false)
    }

    /// Makes one whose time is over, to see what others say to it.
    pub fn expired(names: &[String]) -> Result<Self, BadIdentity> {
        Self::made(names, true)
    }

    fn made(names: &[String], expired: bool) -> Result<Self, BadIdentity> {
        let unusable = |error: rcgen::Error| BadIdentity::Unusable(error.to_string());
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(unusable)?;
        let mut parameters = CertificateParams::new(names.to_vec()).map_err(unusable)?;
        if let Some(name) = names.first() {
            let mut subject = rcgen::DistinguishedName::new();
            subject.push(rcgen::DnType::CommonName, name.as_str());
            parameters.distinguished_name = subject;
        }
        if expired {
            parameters.not_before = rcgen::date_time_ymd(2019, 1, 1);
            parameters.not_after = rcgen::date_time_ymd(2020, 1, 1);
        }
        let certificate = parameters.self_signed(&key).map_err(unusable)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        Self::new(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key))
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, BadIdentity> {
        let unusable = |error: rustls::Error| BadIdentity::Unusable(error.to_string());
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_single_cert(chain.clone(), key)
            .map_err(unusable)?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            chain,
        })
    }

    /// The certificates (DER), the server's own first.
    pub fn chain(&self) -> Vec<Vec<u8>> {
        self.chain.iter().map(|c| c.as_ref().to_vec()).collect()
    }

    /// Shakes hands; gives also version and cipher suite, such as `TLSv1.3` and
    /// `TLS_AES_256_GCM_SHA384`.
    pub async fn accept(&self, tcp: TcpStream) -> io::Result<(Stream, (&'static str, String))> {
        let stream = self.acceptor.accept(tcp).await?;
        let connection = stream.get_ref().1;
        let version = match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        };
        let suite = connection.negotiated_cipher_suite().map(|s| s.suite());
        let cipher = suite.and_then(|s| s.as_str()).unwrap_or("unknown");
        let cipher = cipher.replace("TLS13_", "TLS_");
        Ok((Stream::Tls(Box::new(stream)), (version, cipher)))
    }
}

/// The two kinds of connection.
#[derive(Debug)]
pub enum Stream {
    /// In clear.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
    /// Given away, for a handshake.
    Gone,
}

impl Stream {
    /// The connection below.
    pub fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Plain(tcp) => Some(tcp),
            Self::Tls(tls) => Some(tls.get_ref().0),
            Self::Gone => None,
        }
    }

    /// Gives a connection in clear away.
    pub fn give(&mut self) -> Option<TcpStream> {
        match std::mem::replace(self, Self::Gone) {
            Self::Plain(tcp) => Some(tcp),
            other => {
                *self = other;
                None
            }
        }
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
            Self::Gone => Poll::Ready(Ok(())),
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
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_flush(cx),
            Self::Tls(s) => Pin::new(s).poll_flush(cx),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Self::Tls(s) => Pin::new(s).poll_shutdown(cx),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Certificate;
    use super::*;

    #[test]
    fn a_certificate_made_on_the_fly_has_the_names_and_signs_itself() {
        let names = ["mx.example.test".to_string(), "127.0.0.1".to_string()];
        let identity = Identity::self_signed(&names).unwrap();
        let certificate = Certificate::read(identity.chain().first().unwrap()).unwrap();
        assert_eq!(certificate.names, ["mx.example.test"]);
        assert_eq!(certificate.addresses.len(), 1);
        assert!(certificate.self_issued);
    }

    #[test]
    fn rubbish_is_no_identity() {
        let found = Identity::from_pem(b"x", b"y").unwrap_err();
        assert_eq!(found, BadIdentity::Certificate);
    }
}
