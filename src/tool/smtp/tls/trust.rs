//! Who vouches for a certificate: the chain to a root one trusts, the name and the dates, each
//! judged for itself, because for mail each means something else.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};

use super::{Certificate, Session, provider};

/// The roots one trusts.
#[derive(Debug, Clone)]
pub struct Trust {
    roots: RootCertStore,
    /// Certificates named one by one by the user count even when they are nobody's root.
    pinned: Vec<CertificateDer<'static>>,
}

/// A file without a certificate in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no certificate in PEM form found")]
pub struct NoCertificate;

/// What a certificate is worth for one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opinion {
    /// What it says; `None` when it cannot be read.
    pub certificate: Option<Certificate>,
    /// Whether a trusted root vouches for it, at a time when it is valid.
    pub chain: Result<(), Fault>,
    /// Whether it is for the host.
    pub name_ok: bool,
    /// Whether it counts today.
    pub dates: Dates,
}

/// Why no trusted root vouches for a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// This machine has no roots to judge with.
    NoRoots,
    /// The server sent no certificate, or one that cannot be read.
    Unreadable,
    /// It is signed by itself.
    SelfSigned,
    /// Nobody known signed it; the issuer's name.
    UnknownIssuer(String),
    /// The certificates that lead to the root were not sent; the issuer's name.
    Incomplete(String),
    /// A certificate further up in the chain is out of date.
    ChainDates,
    /// The server did not prove that it has the key.
    Unproved(String),
    /// Something else that webpki finds.
    Other(String),
}

impl Fault {
    /// The fault in words, to be put after "the certificate".
    pub fn words(&self) -> String {
        match self {
            Self::NoRoots => "cannot be judged: this machine has no trust store".to_string(),
            Self::Unreadable => "cannot be read".to_string(),
            Self::SelfSigned => "is self-signed".to_string(),
            Self::UnknownIssuer(who) => {
                format!("is signed by \"{who}\", whom this machine does not know")
            }
            Self::Incomplete(who) => format!(
                "is signed by \"{who}\", but the server sends no intermediate certificate, so no \
                 way leads to a root"
            ),
            Self::ChainDates => "depends on an outdated intermediate certificate".to_string(),
            Self::Unproved(why) => format!("does not count: {why}"),
            Self::Other(what) => format!("is not acceptable ({what})"),
        }
    }
}

/// The dates of a certificate, seen from today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dates {
    /// It counts for this many more days.
    Valid(i64),
    /// It ended this many days ago.
    Expired(i64),
    /// It begins in this many days.
    NotYet(i64),
    /// The certificate cannot be read.
    Unknown,
}

impl Trust {
    /// The roots of this machine. None at all is a valid answer on small systems.
    pub fn system() -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self {
            roots,
            pinned: Vec::new(),
        }
    }

    /// The certificates of a PEM file, and no others.
    pub fn from_pem(pem: &[u8]) -> Result<Self, NoCertificate> {
        let pinned: Vec<_> = CertificateDer::pem_slice_iter(pem)
            .filter_map(Result::ok)
            .collect();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(pinned.iter().cloned());
        if pinned.is_empty() {
            return Err(NoCertificate);
        }
        Ok(Self { roots, pinned })
    }

    /// How many roots there are.
    pub fn len(&self) -> usize {
        self.roots.len().max(self.pinned.len())
    }

    /// Whether there is nobody to trust.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Judges what a handshake brought, for a host (a name or an address) and a moment.
    pub fn judge(&self, session: &Session, host: &str, now: DateTime<Utc>) -> Opinion {
        let certificate = session.chain.first().and_then(|c| Certificate::read(c));
        let chain = match (&session.unproved, &certificate) {
            (Some(why), _) => Err(Fault::Unproved(why.clone())),
            (None, None) => Err(Fault::Unreadable),
            (None, Some(certificate)) => self.vouch(&session.chain, certificate, now),
        };
        Opinion {
            name_ok: certificate.as_ref().is_some_and(|c| c.is_for(host)),
            dates: certificate
                .as_ref()
                .map_or(Dates::Unknown, |c| dates(c, now)),
            chain,
            certificate,
        }
    }

    fn vouch(
        &self,
        chain: &[Vec<u8>],
        certificate: &Certificate,
        now: DateTime<Utc>,
    ) -> Result<(), Fault> {
        let (leaf, others) = chain.split_first().ok_or(Fault::Unreadable)?;
        if self.pinned.iter().any(|p| p.as_ref() == leaf.as_slice()) {
            return Ok(());
        }
        if self.is_empty() {
            return Err(Fault::NoRoots);
        }
        // An expired certificate of a good house and one of a stranger are different things:
        // the chain is judged at a moment when the certificate itself counts.
        let within = now.clamp(
            certificate.not_before,
            certificate.not_after.max(certificate.not_before),
        );
        let outcome = anchored(leaf, others, &self.roots, within);
        outcome.map_err(|error| match error {
            _ if certificate.self_issued => Fault::SelfSigned,
            Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                let top = others.last().and_then(|c| Certificate::read(c));
                match top {
                    // A root of its own on top: a house with its own authority.
                    Some(top) => Fault::UnknownIssuer(top.issuer),
                    None => Fault::Incomplete(certificate.issuer.clone()),
                }
            }
            Error::InvalidCertificate(
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. },
            ) => Fault::ChainDates,
            Error::InvalidCertificate(error) => Fault::Other(in_words(&error)),
            error => Fault::Other(error.to_string()),
        })
    }
}

/// Whether this certificate of the chain leads to the server's own (DANE-TA, RFC 7671 §5.2).
pub fn leads(anchor: &[u8], chain: &[Vec<u8>], now: DateTime<Utc>) -> bool {
    let mut roots = RootCertStore::empty();
    let added = roots.add(CertificateDer::from(anchor.to_vec()));
    match chain.split_first() {
        Some((leaf, others)) => added.is_ok() && anchored(leaf, others, &roots, now).is_ok(),
        None => false,
    }
}

fn anchored(
    leaf: &[u8],
    others: &[Vec<u8>],
    roots: &RootCertStore,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let leaf = CertificateDer::from(leaf);
    let others: Vec<_> = others
        .iter()
        .map(|c| CertificateDer::from(c.as_slice()))
        .collect();
    let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
    verify_server_cert_signed_by_trust_anchor(
        &ParsedCertificate::try_from(&leaf)?,
        roots,
        &others,
        UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
        provider().signature_verification_algorithms.all,
    )
}

fn dates(certificate: &Certificate, now: DateTime<Utc>) -> Dates {
    if now > certificate.not_after {
        Dates::Expired((now - certificate.not_after).num_days())
    } else if now < certificate.not_before {
        Dates::NotYet((certificate.not_before - now).num_days())
    } else {
        Dates::Valid((certificate.not_after - now).num_days())
    }
}

/// webpki's reasons without its type names.
fn in_words(error: &CertificateError) -> String {
    match error {
        CertificateError::BadEncoding => "badly encoded".to_string(),
        CertificateError::BadSignature => "its signature is wrong".to_string(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "not made for servers".to_string()
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "signed with an algorithm nobody trusts any more".to_string()
        }
        CertificateError::Revoked => "revoked".to_string(),
        // webpki's own reasons come wrapped, with their names only.
        other => {
            let debug = format!("{other:?}");
            let name = debug.rsplit('(').next().unwrap_or_default();
            match name.trim_end_matches(')') {
                "CaUsedAsEndEntity" => {
                    "an authority's own certificate used for a server".to_string()
                }
                "UnsupportedCriticalExtension" | "UnhandledCriticalExtension" => {
                    "with an unknown critical extension".to_string()
                }
                name if matches!(other, CertificateError::Other(_)) => super::in_words(name),
                _ => other.to_string(),
            }
        }
    }
}

#[cfg(test)]
mod tests;
