//! Logging in (RFC 4954): which mechanism to take, and its side of the dialogue. Nothing here
//! talks; [`Client::authenticate`](super::Client::authenticate) carries the lines.

mod md5;
mod scram;
pub mod server;

use data_encoding::BASE64;

use super::Reply;
use super::tls::Certificate;
use super::tls::certificate::Hash;
use scram::Scram;

/// The most challenges answered in one dialogue; SCRAM needs two.
pub const MOST_ROUNDS: usize = 6;

/// Who we say we are.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The login name.
    pub user: String,
    /// What proves it.
    pub secret: Secret,
}

/// What proves a login.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// A password.
    Password(String),
    /// An OAuth 2.0 access token (RFC 6750).
    Token(String),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials {{ user: {:?}, secret: *** }}", self.user)
    }
}

/// A SASL mechanism that is spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "names of mechanisms, see `Mechanism::name`")]
pub enum Mechanism {
    ScramSha256Plus,
    ScramSha256,
    ScramSha1Plus,
    ScramSha1,
    OAuthBearer,
    XOAuth2,
    Plain,
    Login,
    CramMd5,
}

impl Mechanism {
    /// All of them, the best first.
    pub const ALL: &[Self] = &[
        Self::ScramSha256Plus,
        Self::ScramSha256,
        Self::ScramSha1Plus,
        Self::ScramSha1,
        Self::OAuthBearer,
        Self::XOAuth2,
        Self::Plain,
        Self::Login,
        Self::CramMd5,
    ];

    /// Its registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::OAuthBearer => "OAUTHBEARER",
            Self::XOAuth2 => "XOAUTH2",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
        }
    }

    /// The mechanism with this name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|m| m.name().eq_ignore_ascii_case(name))
    }

    /// Whether it shows the secret itself to the other side, so that it needs TLS.
    pub const fn shows_secret(self) -> bool {
        matches!(
            self,
            Self::Plain | Self::Login | Self::OAuthBearer | Self::XOAuth2
        )
    }

    const fn wants_token(self) -> bool {
        matches!(self, Self::OAuthBearer | Self::XOAuth2)
    }

    const fn wants_binding(self) -> bool {
        matches!(self, Self::ScramSha256Plus | Self::ScramSha1Plus)
    }

    /// The best of those offered that fits the secret and the connection; `None` when there is
    /// none that would not give the secret away.
    pub fn choose(
        offered: &[String],
        credentials: &Credentials,
        encrypted: bool,
        bindable: bool,
    ) -> Option<Self> {
        let token = matches!(credentials.secret, Secret::Token(_));
        Self::ALL.iter().copied().find(|m| {
            offered.iter().any(|o| o.eq_ignore_ascii_case(m.name()))
                && m.wants_token() == token
                && (encrypted || !m.shows_secret())
                && (bindable || !m.wants_binding())
        })
    }
}

/// What ties a login to the TLS connection it is made over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    kind: &'static str,
    data: Vec<u8>,
}

impl Binding {
    /// tls-exporter (RFC 9266).
    pub(super) const fn exporter(data: Vec<u8>) -> Self {
        Self {
            kind: "tls-exporter",
            data,
        }
    }

    /// tls-server-end-point (RFC 5929 §4): the hash of the server's certificate.
    pub(super) fn end_point(certificate: &[u8]) -> Option<Self> {
        use ring::digest::{SHA256, SHA384, SHA512, digest};
        let algorithm = match Certificate::read(certificate)?.signature.hash? {
            Hash::Sha256 => &SHA256,
            Hash::Sha384 => &SHA384,
            Hash::Sha512 => &SHA512,
        };
        Some(Self {
            kind: "tls-server-end-point",
            data: digest(algorithm, certificate).as_ref().to_vec(),
        })
    }
}

/// Why a login did not come about, other than by a refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The conversation broke.
    #[error(transparent)]
    Talk(#[from] super::Failure),
    /// A challenge that does not follow the mechanism.
    #[error("the server's challenge does not follow {0}")]
    Challenge(&'static str),
    /// The server does not know the password itself: it is not who it says.
    #[error("the server could not prove that it knows the password; do not trust it")]
    NotGenuine,
    /// No random numbers to be had from the system.
    #[error("this machine gives no random numbers")]
    NoRandom,
}

/// Our side of one login.
#[derive(Debug)]
pub struct Dialogue<'c> {
    mechanism: Mechanism,
    credentials: &'c Credentials,
    server: (&'c str, u16),
    scram: Option<Scram>,
    round: usize,
    /// What the server said about a refused token (RFC 7628 §3.2.2), as JSON.
    pub complaint: Option<String>,
}

impl<'c> Dialogue<'c> {
    /// Begins a login at a server (name and port).
    pub fn new(
        mechanism: Mechanism,
        credentials: &'c Credentials,
        server: (&'c str, u16),
        binding: Option<Binding>,
    ) -> Result<Self, Failure> {
        let scram = match mechanism {
            Mechanism::ScramSha256 | Mechanism::ScramSha1 => {
                let sha1 = mechanism == Mechanism::ScramSha1;
                // A binding that could be had but was not offered is said (`y`), so that a
                // server that did offer it notices that somebody took the offer away.
                Some(Scram::new(sha1, credentials, None, binding.is_some())?)
            }
            Mechanism::ScramSha256Plus | Mechanism::ScramSha1Plus => {
                let sha1 = mechanism == Mechanism::ScramSha1Plus;
                Some(Scram::new(sha1, credentials, binding, true)?)
            }
            _ => None,
        };
        Ok(Self {
            mechanism,
            credentials,
            server,
            scram,
            round: 0,
            complaint: None,
        })
    }

    /// The mechanism.
    pub const fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// What goes with the AUTH command.
    pub fn initial(&self) -> Option<Vec<u8>> {
        let user = &self.credentials.user;
        let secret = self.secret();
        match self.mechanism {
            Mechanism::Plain => Some(format!("\0{user}\0{secret}").into_bytes()),
            Mechanism::XOAuth2 => {
                Some(format!("user={user}\x01auth=Bearer {secret}\x01\x01").into_bytes())
            }
            Mechanism::OAuthBearer => {
                let (host, port) = self.server;
                let user = user.replace('=', "=3D").replace(',', "=2C");
                let text = format!(
                    "n,a={user},\x01host={host}\x01port={port}\x01auth=Bearer {secret}\x01\x01"
                );
                Some(text.into_bytes())
            }
            Mechanism::Login | Mechanism::CramMd5 => None,
            _ => self.scram.as_ref().map(Scram::first),
        }
    }

    /// The answer to a 334.
    pub fn answer(&mut self, reply: &Reply) -> Result<Vec<u8>, Failure> {
        let name = self.mechanism.name();
        let challenge = BASE64
            .decode(
                reply
                    .lines
                    .first()
                    .map_or("", String::as_str)
                    .trim()
                    .as_bytes(),
            )
            .map_err(|_| Failure::Challenge(name));
        self.round += 1;
        let user = &self.credentials.user;
        match (self.mechanism, self.round) {
            // A server that ignores the initial response asks for it again with an empty 334.
            (Mechanism::Plain, 1) => Ok(self.initial().unwrap_or_default()),
            // What the prompts say is of no account: the order is name, then password.
            (Mechanism::Login, 1) => Ok(user.clone().into_bytes()),
            (Mechanism::Login, 2) => Ok(self.secret().as_bytes().to_vec()),
            (Mechanism::CramMd5, 1) => {
                let digest = md5::hmac(self.secret().as_bytes(), &challenge?);
                Ok(format!("{user} {}", md5::hex(&digest)).into_bytes())
            }
            (Mechanism::XOAuth2 | Mechanism::OAuthBearer, 1) => {
                self.complaint = Some(String::from_utf8_lossy(&challenge?).into_owned());
                let bearer = self.mechanism == Mechanism::OAuthBearer;
                Ok(if bearer { vec![1] } else { Vec::new() })
            }
            (_, round) => match &mut self.scram {
                Some(scram) if round == 1 => scram.last(&challenge?, name),
                Some(scram) if round == 2 => {
                    scram.verify(&challenge?)?;
                    Ok(Vec::new())
                }
                _ => Err(Failure::Challenge(name)),
            },
        }
    }

    /// Looks at the final reply: a SCRAM server that says 235 must have proved itself.
    pub fn conclude(&mut self, reply: &Reply) -> Result<(), Failure> {
        let Some(scram) = &mut self.scram else {
            return Ok(());
        };
        if reply.code != 235 || scram.is_verified() {
            return Ok(());
        }
        // RFC 4954 §4: the last message may come along with the 235.
        let word = reply.text();
        let word = word.split_whitespace().last().unwrap_or("");
        let last = BASE64.decode(word.as_bytes());
        scram.verify(&last.map_err(|_| Failure::NotGenuine)?)
    }

    fn secret(&self) -> &str {
        match &self.credentials.secret {
            Secret::Password(secret) | Secret::Token(secret) => secret,
        }
    }
}

/// Base64 as AUTH wants it (RFC 4648 §4).
pub(super) fn base64(octets: &[u8]) -> String {
    BASE64.encode(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(secret: Secret) -> Credentials {
        let user = "tim".to_string();
        Credentials { user, secret }
    }

    fn challenge(text: &str) -> Reply {
        Reply {
            code: 334,
            lines: vec![base64(text.as_bytes())],
            flaws: Vec::new(),
        }
    }

    #[test]
    fn cram_md5_gives_the_answer_of_rfc_2195() {
        let c = credentials(Secret::Password("tanstaaftanstaaf".to_string()));
        let mut d = Dialogue::new(Mechanism::CramMd5, &c, ("h", 25), None).unwrap();
        let answer = d.answer(&challenge("<1896.697170952@postoffice.reston.mci.net>"));
        assert_eq!(
            String::from_utf8(answer.unwrap()).unwrap(),
            "tim b913a602c7eda7a495b4e6e7334d3890"
        );
    }

    #[test]
    fn plain_and_login_say_name_and_password_in_their_order() {
        let c = credentials(Secret::Password("pw".to_string()));
        let d = Dialogue::new(Mechanism::Plain, &c, ("h", 25), None).unwrap();
        assert_eq!(d.initial().unwrap(), b"\0tim\0pw");
        let mut d = Dialogue::new(Mechanism::Login, &c, ("h", 25), None).unwrap();
        assert_eq!(d.initial(), None);
        assert_eq!(d.answer(&challenge("Username:")).unwrap(), b"tim");
        assert_eq!(d.answer(&challenge("Password:")).unwrap(), b"pw");
        assert!(d.answer(&challenge("More:")).is_err());
    }

    #[test]
    fn a_refused_token_is_answered_and_its_reason_kept() {
        let c = credentials(Secret::Token("ya29".to_string()));
        let mut d = Dialogue::new(Mechanism::XOAuth2, &c, ("h", 25), None).unwrap();
        assert_eq!(
            d.initial().unwrap(),
            b"user=tim\x01auth=Bearer ya29\x01\x01"
        );
        assert_eq!(d.answer(&challenge("{\"status\":\"401\"}")).unwrap(), b"");
        assert_eq!(d.complaint.unwrap(), "{\"status\":\"401\"}");
        let d = Dialogue::new(Mechanism::OAuthBearer, &c, ("h", 25), None).unwrap();
        assert_eq!(
            d.initial().unwrap(),
            b"n,a=tim,\x01host=h\x01port=25\x01auth=Bearer ya29\x01\x01"
        );
    }

    #[test]
    fn a_secret_is_never_shown_without_tls() {
        let offered: Vec<_> = [
            "LOGIN",
            "plain",
            "CRAM-MD5",
            "SCRAM-SHA-256-PLUS",
            "XOAUTH2",
        ]
        .map(String::from)
        .to_vec();
        let c = credentials(Secret::Password("pw".to_string()));
        let choose = |tls, bindable| Mechanism::choose(&offered, &c, tls, bindable);
        assert_eq!(choose(true, true), Some(Mechanism::ScramSha256Plus));
        assert_eq!(choose(true, false), Some(Mechanism::Plain));
        assert_eq!(choose(false, false), Some(Mechanism::CramMd5));
        let token = credentials(Secret::Token("t".to_string()));
        assert_eq!(
            Mechanism::choose(&offered, &token, true, true),
            Some(Mechanism::XOAuth2)
        );
        assert_eq!(Mechanism::choose(&offered, &token, false, true), None);
        assert!(!format!("{c:?}").contains("pw"));
    }
}
