//! Signing (RFC 6376, RFC 8463): relaxed/relaxed, SHA-256 with RSA or Ed25519.

use chrono::{DateTime, Utc};
use data_encoding::BASE64;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};

use super::canon::{Field, Mail, Manner, put_field};

/// The fields that are signed where they are there. `From` is signed once more than it is there,
/// so that nobody can add another.
const SIGNED: [&str; 13] = [
    "From",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "Reply-To",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Auto-Submitted",
];

/// A key that signs for a domain.
#[derive(Debug)]
pub struct Signer {
    /// The domain.
    pub domain: String,
    /// The selector.
    pub selector: String,
    key: Key,
}

#[derive(Debug)]
enum Key {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

/// Why a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// No PEM.
    #[error(
        "no private key in PEM form found (\"BEGIN PRIVATE KEY\" or \"BEGIN RSA PRIVATE KEY\")"
    )]
    Form,
    /// A key of another kind, or broken.
    #[error("the key is neither RSA (2048 bits or more) nor Ed25519")]
    Kind,
    /// It could not sign.
    #[error("the key cannot sign")]
    Sign,
}

impl Signer {
    /// Reads a private key.
    pub fn from_pem(pem: &str, domain: &str, selector: &str) -> Result<Self, BadKey> {
        let (name, der) = private_key(pem).ok_or(BadKey::Form)?;
        let rsa = || {
            let pair = match name {
                "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der),
                _ => RsaKeyPair::from_pkcs8(&der),
            };
            pair.ok().map(|pair| Key::Rsa(Box::new(pair)))
        };
        let ed25519 = || {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der);
            pair.ok().map(Key::Ed25519)
        };
        let key = rsa().or_else(ed25519).ok_or(BadKey::Kind)?;
        Ok(Self {
            domain: domain.to_string(),
            selector: selector.to_string(),
            key,
        })
    }

    /// The DNS name and the text that has to stand there.
    pub fn record(&self) -> (String, String) {
        let name = format!("{}._domainkey.{}", self.selector, self.domain);
        let text = match &self.key {
            Key::Rsa(pair) => {
                let key = spki(pair.public_key().as_ref());
                format!("v=DKIM1; k=rsa; p={}", BASE64.encode(&key))
            }
            Key::Ed25519(pair) => {
                let key = pair.public_key().as_ref();
                format!("v=DKIM1; k=ed25519; p={}", BASE64.encode(key))
            }
        };
        (name, text)
    }

    /// The `DKIM-Signature` field of a message, with its CR LF; it goes on top.
    pub fn sign(&self, message: &[u8], now: DateTime<Utc>) -> Result<String, BadKey> {
        self.sign_with(message, now, "", None)
    }

    /// The same with further tags (`x=1;`), and with a limit on what is covered of the body; the
    /// tag for it is the caller's.
    pub(super) fn sign_with(
        &self,
        message: &[u8],
        now: DateTime<Utc>,
        tags: &str,
        limit: Option<u64>,
    ) -> Result<String, BadKey> {
        let mail = Mail::read(message);
        let mut names = Vec::new();
        let mut signed = Vec::new();
        for name in SIGNED {
            // Several fields of a name are signed from the last to the first (section 5.4.2).
            let mut all: Vec<Field<'_>> = mail.all(name).collect();
            all.reverse();
            for field in &all {
                names.push(name);
                put_field(field, Manner::Relaxed, &mut signed);
            }
            if name == "From" {
                names.push(name);
            }
        }
        let body = mail.body(Manner::Relaxed, limit).hash;
        let algorithm = match self.key {
            Key::Rsa(_) => "rsa-sha256",
            Key::Ed25519(_) => "ed25519-sha256",
        };
        let value = format!(
            " v=1; a={algorithm}; c=relaxed/relaxed; d={}; s={};\r\n\tt={}; {tags}h={};\r\n\tbh={};\r\n\tb=",
            self.domain,
            self.selector,
            now.timestamp(),
            names.join(":").to_ascii_lowercase(),
            BASE64.encode(body.as_ref()),
        );
        let own = Field {
            name: b"DKIM-Signature",
            body: value.as_bytes(),
        };
        put_field(&own, Manner::Relaxed, &mut signed);
        // The signature itself is signed without a line end (section 3.7).
        let signed = signed.strip_suffix(b"\r\n").unwrap_or(&signed);
        let signature = match &self.key {
            Key::Rsa(pair) => {
                let mut out = vec![0; pair.public().modulus_len()];
                let random = SystemRandom::new();
                let done = pair.sign(&RSA_PKCS1_SHA256, &random, signed, &mut out);
                done.map_err(|_| BadKey::Sign)?;
                out
            }
            // RFC 8463 section 3: the hash is what is signed.
            Key::Ed25519(pair) => {
                let hash = digest(&SHA256, signed);
                pair.sign(hash.as_ref()).as_ref().to_vec()
            }
        };
        let signature = BASE64.encode(&signature);
        let lines: Vec<_> = signature.as_bytes().chunks(72).collect();
        let lines: Vec<_> = lines.iter().map(|l| String::from_utf8_lossy(l)).collect();
        Ok(format!(
            "DKIM-Signature:{value}{}\r\n",
            lines.join("\r\n\t")
        ))
    }
}

/// The first private key of a PEM text, with the name of its kind.
fn private_key(pem: &str) -> Option<(&str, Vec<u8>)> {
    let (_, rest) = pem.split_once("-----BEGIN ")?;
    let (name, rest) = rest.split_once("-----")?;
    if !name.ends_with("PRIVATE KEY") {
        return private_key(rest);
    }
    let (body, _) = rest.split_once("-----END ")?;
    let body: String = body.split_whitespace().collect();
    let der = BASE64.decode(body.as_bytes()).ok()?;
    Some((name, der))
}

/// An RSA key (RFC 8017) in the wrapping that receivers expect (RFC 5280 section 4.1).
fn spki(key: &[u8]) -> Vec<u8> {
    // SEQUENCE { OID rsaEncryption, NULL }
    const ALGORITHM: [u8; 15] = [
        0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ];
    let mut bits = vec![0];
    bits.extend_from_slice(key);
    let mut inner = ALGORITHM.to_vec();
    inner.extend(tagged(0x03, &bits));
    tagged(0x30, &inner)
}

/// DER: tag, length, content.
fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len().to_be_bytes();
    let length: Vec<u8> = length.iter().copied().skip_while(|b| *b == 0).collect();
    match length.as_slice() {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(0));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::dns::world::World;
    use crate::posture::Asker;
    use crate::posture::signature::{Check, verify};

    const RSA: &str = include_str!("../../../../testdata/signed/signing-rsa.pem");
    const ED25519: &str = include_str!("../../../../testdata/signed/signing-ed25519.pem");
    const MAIL: &str = "From: <a@x.test>\r\nTo: <b@y.test>\r\nSubject: one  two\r\n three\r\n\
                        Received: a\r\nReceived: b\r\n\r\ntext \r\n\r\n\r\n";

    async fn result(key: &str, change: impl Fn(String) -> String) -> &'static str {
        let signer = Signer::from_pem(key, "x.test", "s1").unwrap();
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let field = signer.sign(MAIL.as_bytes(), now).unwrap();
        assert!(field.lines().all(|line| line.len() < 998));
        let (name, text) = signer.record();
        let world = World::new().text(&name, text.as_bytes());
        let mail = change(format!("{field}{MAIL}"));
        let asker = Asker::new(&world, Duration::from_secs(1));
        let checks = verify(asker, &Mail::read(mail.as_bytes()), now).await;
        checks.first().map_or("none", Check::result)
    }

    #[tokio::test]
    async fn what_is_signed_here_holds_there_and_what_is_changed_does_not() {
        for key in [RSA, ED25519] {
            assert_eq!(result(key, |mail| mail).await, "pass");
            // Blanks may change on the way (relaxed), words may not.
            let blanks = |mail: String| mail.replace("one  two", "one two");
            assert_eq!(result(key, blanks).await, "pass");
            let words = |mail: String| mail.replace("one", "two");
            assert_eq!(result(key, words).await, "fail");
            let another = |mail: String| mail.replace("To:", "From: <evil@x.test>\r\nTo:");
            assert_eq!(result(key, another).await, "fail");
        }
    }

    #[test]
    fn what_is_no_key_is_told() {
        let bad = |pem: &str| Signer::from_pem(pem, "x.test", "s").err();
        assert_eq!(bad("nothing"), Some(BadKey::Form));
        let odd = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert_eq!(bad(odd), Some(BadKey::Kind));
        let certificate =
            format!("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n{RSA}");
        assert_eq!(bad(&certificate), None);
    }
}
