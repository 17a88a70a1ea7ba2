//! Signatures of mail, verified: `DKIM-Signature` (RFC 6376, RFC 8301, RFC 8463) and the ARC
//! chain (RFC 8617). Only the keys come from the DNS; everything else is in the message.

mod arc;
mod canon;
mod tags;

use chrono::{DateTime, Utc};
use data_encoding::BASE64;
use ring::signature::{ED25519, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};

use crate::dns::{Failure, Lookup, Name};
use crate::posture::Asker;
use crate::posture::dkim;

pub mod sign;

pub use arc::{Chain, verify as verify_chain};
pub use canon::Mail;

use canon::{Field, Manner, put_field, without_signature};
use tags::Signed;

/// A receiver need not look at more (RFC 6376 §6.1 leaves it open); every one costs a question.
const MOST_SIGNATURES: usize = 10;
/// Longer lists of signed fields are no honest ones.
const MOST_NAMES: usize = 200;

/// What became of one signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// `d=`
    pub domain: String,
    /// `s=`
    pub selector: String,
    /// `a=`
    pub algorithm: String,
    /// What is wrong; nothing when the signature holds.
    pub fault: Option<Fault>,
    /// The key is marked as a test (`t=y`).
    pub testing: bool,
    /// Octets at the end of the body that a signature that holds does not cover (`l=`): anybody may
    /// have added them.
    pub uncovered: u64,
}

/// Why a signature does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The field cannot be read.
    #[error("{0}")]
    Malformed(&'static str),
    /// RFC 8301: nobody accepts SHA-1.
    #[error("it uses SHA-1, which counts for nothing today")]
    Sha1,
    /// There is no record under the selector.
    #[error("the key is not, or no longer, in the DNS")]
    NoKey,
    /// An empty `p=`.
    #[error("the key was withdrawn")]
    Withdrawn,
    /// The record cannot be used.
    #[error("{0}")]
    BadKey(&'static str),
    /// RFC 8301: below 1024 bits.
    #[error("the key has {0} bits only")]
    WeakKey(usize),
    /// The DNS did not answer.
    #[error("the key could not be asked: {0}")]
    Dns(Failure),
    /// The header fits, the body does not.
    #[error("the body was changed after signing, as by the footer of a list")]
    Body,
    /// A signed field does not fit.
    #[error("a signed field was changed after signing, or the key was exchanged")]
    Head,
    /// The time in `x=` is over.
    #[error("it held until {} only", .0.format("%-d %B %Y, %H:%M UTC"))]
    Expired(DateTime<Utc>),
    /// Neither fits.
    #[error("the header and the body were changed after signing")]
    Both,
}

impl Fault {
    /// The result in the words of RFC 8601 §2.7.1.
    pub const fn result(self) -> &'static str {
        match self {
            Self::Dns(_) => "temperror",
            Self::Body | Self::Head | Self::Both | Self::Expired(_) => "fail",
            Self::Sha1 | Self::WeakKey(_) => "policy",
            Self::Malformed(_) | Self::NoKey | Self::Withdrawn | Self::BadKey(_) => "permerror",
        }
    }

    /// Whether it tells of a change on the way, and not of the lack of something.
    pub const fn is_change(self) -> bool {
        matches!(self, Self::Body | Self::Head | Self::Both)
    }
}

impl Check {
    /// The result in the words of RFC 8601 §2.7.1.
    pub const fn result(&self) -> &'static str {
        match self.fault {
            None => "pass",
            Some(fault) => fault.result(),
        }
    }
}

/// What is known of a signature that holds.
struct Holds {
    /// The key is a test.
    testing: bool,
    /// Octets of the body that it does not cover.
    uncovered: u64,
}

/// Verifies the signatures of a message, from the top. `arrived` is when the message came in:
/// what expired later held then (RFC 6376 §3.5).
pub async fn verify<L: Lookup>(
    asker: Asker<'_, L>,
    mail: &Mail<'_>,
    arrived: DateTime<Utc>,
) -> Vec<Check> {
    let mut checks = Vec::new();
    for field in mail.all("DKIM-Signature").take(MOST_SIGNATURES) {
        let signed = Signed::read(&field.text());
        let held = one(asker, mail, &field, &signed, arrived).await;
        checks.push(Check {
            testing: held.as_ref().is_ok_and(|held| held.testing),
            uncovered: held.as_ref().map_or(0, |held| held.uncovered),
            fault: held.err(),
            domain: signed.domain,
            selector: signed.selector,
            algorithm: signed.algorithm,
        });
    }
    checks
}

/// One signature.
async fn one<L: Lookup>(
    asker: Asker<'_, L>,
    mail: &Mail<'_>,
    field: &Field<'_>,
    signed: &Signed,
    arrived: DateTime<Utc>,
) -> Result<Holds, Fault> {
    if signed.version != "1" {
        return Err(Fault::Malformed("the version is not v=1"));
    }
    signed.check_identity()?;
    let data = covered(mail, field, signed);
    let holds = check(asker, mail, signed, &data).await?;
    match signed.expires {
        // Told of a signature that holds but for this: what was changed is the weightier fault.
        Some(end) if end < arrived => Err(Fault::Expired(end)),
        _ => Ok(holds),
    }
}

/// The signed fields, then the signature itself without its value.
fn covered(mail: &Mail<'_>, field: &Field<'_>, signed: &Signed) -> Vec<u8> {
    let mut data = Vec::with_capacity(2048);
    let mut used: Vec<(&str, usize)> = Vec::new();
    for name in signed.names.iter().take(MOST_NAMES) {
        // RFC 6376 §5.4.2: a name that stands twice means the second field from the bottom.
        let before = used.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case(name));
        let nth = match before {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                used.push((name, 0));
                0
            }
        };
        let found = mail.fields.iter().rev().filter(|f| f.is(name)).nth(nth);
        if let Some(found) = found {
            put_field(found, signed.head, &mut data);
        }
    }
    put_itself(field, signed.head, &mut data);
    data
}

/// The signature field without its value and without a line end.
fn put_itself(field: &Field<'_>, manner: Manner, data: &mut Vec<u8>) {
    let body = without_signature(field.body);
    let field = Field {
        name: field.name,
        body: &body,
    };
    put_field(&field, manner, data);
    data.truncate(data.len().saturating_sub(2));
}

/// The key, the hash of the body and the signature over the header.
async fn check<L: Lookup>(
    asker: Asker<'_, L>,
    mail: &Mail<'_>,
    signed: &Signed,
    data: &[u8],
) -> Result<Holds, Fault> {
    let Some(stated) = signed.body_hash.as_deref().and_then(decode) else {
        return Err(Fault::Malformed(
            "there is no hash of the body in it (no bh=)",
        ));
    };
    let testing = head_holds(asker, signed, data).await;
    let body = mail.body(signed.body, signed.length);
    let same = body.hash.as_ref() == stated;
    let length = signed.length.unwrap_or(body.octets);
    match (testing, same) {
        // RFC 6376 §3.5: l= must not be larger than the body.
        (Ok(_), true) if length > body.octets => Err(Fault::Malformed(
            "it covers more than there is of the body (l=)",
        )),
        (Ok(testing), true) => Ok(Holds {
            testing,
            uncovered: body.octets - length,
        }),
        (Ok(_), false) => Err(Fault::Body),
        (Err(Fault::Head), false) => Err(Fault::Both),
        (Err(fault), _) => Err(fault),
    }
}

/// Whether the signature fits the data; gives whether the key is a test.
async fn head_holds<L: Lookup>(
    asker: Asker<'_, L>,
    signed: &Signed,
    data: &[u8],
) -> Result<bool, Fault> {
    let kind = match signed.algorithm.as_str() {
        "rsa-sha256" => "rsa",
        "ed25519-sha256" => "ed25519",
        "rsa-sha1" => return Err(Fault::Sha1),
        _ => return Err(Fault::Malformed("the algorithm is unknown")),
    };
    let Some(signature) = decode(&signed.signature) else {
        return Err(Fault::Malformed("the signature is no valid base64"));
    };
    let Ok(domain) = Name::parse(&signed.domain) else {
        return Err(Fault::Malformed("the domain in it is none"));
    };
    let key = dkim::find(asker, &domain, &signed.selector).await;
    if let Some(failure) = key.failure {
        return Err(Fault::Dns(failure));
    }
    let Some(record) = key.record.as_deref() else {
        return Err(Fault::NoKey);
    };
    if let Some(fault) = key.fault {
        return Err(Fault::BadKey(fault));
    }
    if key.revoked {
        return Err(Fault::Withdrawn);
    }
    // RFC 6376 §3.6.1: with t=s the signer does not speak for hosts below its domain.
    if key.strict && !signed.speaks_for_itself() {
        return Err(Fault::BadKey(
            "the key is not for names below its domain (t=s, and i= is below d=)",
        ));
    }
    if key.kind != kind {
        return Err(Fault::BadKey(
            "the key is of another kind than the signature",
        ));
    }
    if let Some(bits) = key.bits.filter(|b| *b < 1024) {
        return Err(Fault::WeakKey(bits));
    }
    let Some(public) = dkim::public_key(record) else {
        return Err(Fault::BadKey("the key is damaged"));
    };
    let holds = if kind == "rsa" {
        UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, &public)
            .verify(data, &signature)
    } else {
        // RFC 8463 §3: the hash is what is signed.
        let hash = ring::digest::digest(&ring::digest::SHA256, data);
        UnparsedPublicKey::new(&ED25519, &public).verify(hash.as_ref(), &signature)
    };
    holds.map(|()| key.testing).map_err(|_| Fault::Head)
}

/// Base64 with blanks in it.
fn decode(text: &str) -> Option<Vec<u8>> {
    let packed: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    BASE64
        .decode(packed.as_bytes())
        .ok()
        .filter(|b| !b.is_empty())
}

#[cfg(test)]
pub(crate) mod tests;
