//! SCRAM (RFC 5802, RFC 7677): the password never crosses the wire, and the server has to prove
//! that it knows it too.

use std::num::NonZeroU32;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac, pbkdf2};

use super::{Binding, Credentials, Failure, Secret};

/// The fewest rounds taken (RFC 7677 §4), and the most: a server must not keep us calculating.
const ROUNDS: std::ops::RangeInclusive<u32> = 4096..=10_000_000;

/// Our side of a SCRAM login.
#[derive(Debug)]
pub(super) struct Scram {
    sha1: bool,
    password: String,
    /// The GS2 header, such as `n,,`.
    header: String,
    binding: Vec<u8>,
    bare: String,
    nonce: String,
    expected: Option<Vec<u8>>,
    verified: bool,
}

impl Scram {
    /// `aware`: channel binding could be had here, whether it is used or not.
    pub(super) fn new(
        sha1: bool,
        credentials: &Credentials,
        binding: Option<Binding>,
        aware: bool,
    ) -> Result<Self, Failure> {
        let mut random = [0; 18];
        SystemRandom::new()
            .fill(&mut random)
            .map_err(|_| Failure::NoRandom)?;
        let nonce = BASE64URL_NOPAD.encode(&random);
        Ok(Self::with_nonce(sha1, credentials, binding, aware, nonce))
    }

    fn with_nonce(
        sha1: bool,
        credentials: &Credentials,
        binding: Option<Binding>,
        aware: bool,
        nonce: String,
    ) -> Self {
        let user = credentials.user.replace('=', "=3D").replace(',', "=2C");
        let (Secret::Password(password) | Secret::Token(password)) = &credentials.secret;
        let header = match (&binding, aware) {
            (Some(binding), _) => format!("p={},,", binding.kind),
            (None, true) => "y,,".to_string(),
            (None, false) => "n,,".to_string(),
        };
        Self {
            sha1,
            password: password.clone(),
            header,
            binding: binding.map(|b| b.data).unwrap_or_default(),
            bare: format!("n={user},r={nonce}"),
            nonce,
            expected: None,
            verified: false,
        }
    }

    /// The client's first message.
    pub(super) fn first(&self) -> Vec<u8> {
        format!("{}{}", self.header, self.bare).into_bytes()
    }

    /// The client's last message, in answer to the server's first.
    pub(super) fn last(
        &mut self,
        challenge: &[u8],
        name: &'static str,
    ) -> Result<Vec<u8>, Failure> {
        let bad = Failure::Challenge(name);
        let text = str::from_utf8(challenge).map_err(|_| bad.clone())?;
        let field = |key: &str| {
            let mut fields = text.split(',');
            fields.find_map(|f| f.strip_prefix(key)?.strip_prefix('='))
        };
        let nonce = field("r").filter(|r| r.len() > self.nonce.len() && r.starts_with(&self.nonce));
        let salt = field("s").and_then(|s| BASE64.decode(s.as_bytes()).ok());
        let rounds = field("i").and_then(|i| i.parse().ok());
        let rounds = rounds
            .filter(|i| ROUNDS.contains(i))
            .and_then(NonZeroU32::new);
        // A field "m" announces an extension that we do not know (RFC 5802 §5.1).
        let (Some(nonce), Some(salt), Some(rounds), None) = (nonce, salt, rounds, field("m"))
        else {
            return Err(bad);
        };

        let mut bound = self.header.clone().into_bytes();
        bound.extend_from_slice(&self.binding);
        let closing = format!("c={},r={nonce}", BASE64.encode(&bound));
        let message = format!("{},{text},{closing}", self.bare);

        let salted = self.salted(&salt, rounds);
        let client_key = self.mac(&salted, b"Client Key");
        let stored = digest::digest(self.hash(), &client_key);
        let signature = self.mac(stored.as_ref(), message.as_bytes());
        let proof: Vec<u8> = client_key
            .iter()
            .zip(&signature)
            .map(|(key, signature)| key ^ signature)
            .collect();
        let server_key = self.mac(&salted, b"Server Key");
        self.expected = Some(self.mac(&server_key, message.as_bytes()));
        Ok(format!("{closing},p={}", BASE64.encode(&proof)).into_bytes())
    }

    /// Checks the server's last message.
    pub(super) fn verify(&mut self, message: &[u8]) -> Result<(), Failure> {
        let proof = str::from_utf8(message).ok();
        let proof = proof.and_then(|m| m.split(',').find_map(|f| f.strip_prefix("v=")));
        let proof = proof.and_then(|p| BASE64.decode(p.as_bytes()).ok());
        if proof.is_none() || proof != self.expected {
            return Err(Failure::NotGenuine);
        }
        self.verified = true;
        Ok(())
    }

    pub(super) const fn is_verified(&self) -> bool {
        self.verified
    }

    fn salted(&self, salt: &[u8], rounds: NonZeroU32) -> Vec<u8> {
        let algorithm = if self.sha1 {
            pbkdf2::PBKDF2_HMAC_SHA1
        } else {
            pbkdf2::PBKDF2_HMAC_SHA256
        };
        let mut out = vec![0; self.hash().output_len()];
        pbkdf2::derive(algorithm, rounds, salt, self.password.as_bytes(), &mut out);
        out
    }

    fn hash(&self) -> &'static digest::Algorithm {
        if self.sha1 {
            &digest::SHA1_FOR_LEGACY_USE_ONLY
        } else {
            &digest::SHA256
        }
    }

    fn mac(&self, key: &[u8], message: &[u8]) -> Vec<u8> {
        let algorithm = if self.sha1 {
            hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY
        } else {
            hmac::HMAC_SHA256
        };
        hmac::sign(&hmac::Key::new(algorithm, key), message)
            .as_ref()
            .to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scram(sha1: bool, nonce: &str) -> Scram {
        let credentials = Credentials {
            user: "user".to_string(),
            secret: Secret::Password("pencil".to_string()),
        };
        Scram::with_nonce(sha1, &credentials, None, false, nonce.to_string())
    }

    #[test]
    fn the_dialogue_of_rfc_7677_comes_out() {
        let mut s = scram(false, "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(s.first(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let challenge = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                          s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        assert_eq!(
            String::from_utf8(s.last(challenge, "x").unwrap()).unwrap(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(!s.is_verified());
        s.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
            .unwrap();
        assert!(s.is_verified());
    }

    #[test]
    fn the_dialogue_of_rfc_5802_comes_out() {
        let mut s = scram(true, "fyko+d2lbbFgONRv9qkxdawL");
        let challenge = b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
        assert_eq!(
            String::from_utf8(s.last(challenge, "x").unwrap()).unwrap(),
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
        );
        s.verify(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=").unwrap();
    }

    #[test]
    fn a_false_server_is_found_out() {
        for challenge in [
            &b"r=other,s=QSXCR+Q6sek8bf92,i=4096"[..],
            b"r=abc,s=QSXCR+Q6sek8bf92,i=4096",
            b"r=abcd,s=QSXCR+Q6sek8bf92,i=1",
            b"r=abcd,s=QSXCR+Q6sek8bf92,i=999999999",
            b"r=abcd,s=???,i=4096",
            b"m=x,r=abcd,s=QSXCR+Q6sek8bf92,i=4096",
            b"\xff",
            b"",
        ] {
            let outcome = scram(false, "abc").last(challenge, "x");
            assert_eq!(outcome, Err(Failure::Challenge("x")), "{challenge:?}");
        }
        assert_eq!(
            scram(false, "abc").verify(b"v=AAAA"),
            Err(Failure::NotGenuine)
        );
        assert_eq!(scram(false, "abc").verify(b""), Err(Failure::NotGenuine));
    }
}
