//! The server's side of logging in: PLAIN (RFC 4616), LOGIN and SCRAM-SHA-256 (RFC 7677). Octets
//! in, octets out; who may log in is asked of a [`Book`].
//!
//! An unknown name and a wrong password go the same way and cost the same, so that nobody learns
//! which names exist.

use std::num::NonZeroU32;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac, pbkdf2};

use super::Mechanism;

/// The mechanisms of the server, as they are announced.
pub const OFFERED: [Mechanism; 3] = [Mechanism::Plain, Mechanism::Login, Mechanism::ScramSha256];
/// Rounds of SCRAM (RFC 7677 §4 asks for no fewer).
const ROUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(4095);
/// Octets of a SHA-256.
const LENGTH: usize = digest::SHA256_OUTPUT_LEN;

/// Who may log in.
#[derive(Debug)]
pub struct Book {
    entries: Vec<(String, Entry)>,
    /// For names that nobody has.
    nobody: Entry,
    secret: hmac::Key,
}

#[derive(Debug)]
struct Entry {
    /// The password under a key of this process: two of a length can be compared in steady time.
    password: hmac::Tag,
    scram: std::sync::OnceLock<Keys>,
    plain: String,
}

/// What a SCRAM server keeps of a password (RFC 5802 §3).
#[derive(Debug)]
struct Keys {
    stored: digest::Digest,
    server: hmac::Tag,
}

impl Book {
    /// A book of names and passwords; `None` when the system gives no random numbers.
    pub fn new(users: &[(String, String)]) -> Option<Self> {
        let random = SystemRandom::new();
        let secret = hmac::Key::generate(hmac::HMAC_SHA256, &random).ok()?;
        let mut nobody = [0; 24];
        random.fill(&mut nobody).ok()?;
        let entry = |password: &str| Entry {
            password: hmac::sign(&secret, password.as_bytes()),
            scram: std::sync::OnceLock::new(),
            plain: password.to_string(),
        };
        Some(Self {
            entries: users
                .iter()
                .map(|(name, password)| (name.clone(), entry(password)))
                .collect(),
            nobody: entry(&BASE64.encode(&nobody)),
            secret,
        })
    }

    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry of a name, and whether there is one.
    fn entry(&self, user: &str) -> (&Entry, bool) {
        match self.entries.iter().find(|(name, _)| name == user) {
            Some((_, entry)) => (entry, true),
            None => (&self.nobody, false),
        }
    }

    fn check(&self, user: &str, password: &str) -> bool {
        let (entry, exists) = self.entry(user);
        let given = hmac::verify(&self.secret, password.as_bytes(), entry.password.as_ref());
        given.is_ok() && exists
    }

    /// The salt of a name, the same each time, whether somebody has that name or not.
    fn salt(&self, user: &str) -> hmac::Tag {
        hmac::sign(&self.secret, user.as_bytes())
    }

    fn keys(&self, user: &str) -> &Keys {
        let (entry, _) = self.entry(user);
        entry.scram.get_or_init(|| {
            let salt = self.salt(user);
            let mut salted = [0; LENGTH];
            let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
            let password = entry.plain.as_bytes();
            pbkdf2::derive(algorithm, ROUNDS, salt.as_ref(), password, &mut salted);
            let salted = hmac::Key::new(hmac::HMAC_SHA256, &salted);
            let client = hmac::sign(&salted, b"Client Key");
            Keys {
                stored: digest::digest(&digest::SHA256, client.as_ref()),
                server: hmac::sign(&salted, b"Server Key"),
            }
        })
    }
}

/// What comes of an answer of the client.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// Send this as a challenge.
    Ask(Vec<u8>),
    /// This user has logged in.
    Done(String),
    /// Name or password are wrong.
    Wrong,
    /// The answer does not follow the mechanism.
    Malformed,
}

/// One login, between two answers of the client.
#[derive(Debug)]
pub enum Exchange {
    /// PLAIN without an initial response.
    Plain,
    /// LOGIN, the name is awaited.
    LoginName,
    /// LOGIN, the password is awaited.
    LoginPassword(String),
    /// SCRAM, the first message of the client is awaited.
    ScramFirst,
    /// SCRAM, the proof is awaited.
    ScramProof(Box<Scram>),
    /// SCRAM, the empty answer to our own proof is awaited.
    ScramEnd(String),
}

/// A SCRAM dialogue in the middle.
#[derive(Debug)]
pub struct Scram {
    user: String,
    /// The GS2 header of the client, such as `n,,`.
    header: String,
    nonce: String,
    /// Both first messages, which the proof is about.
    messages: String,
}

impl Exchange {
    /// Begins; the first turn is due at once when there is an initial response.
    pub fn begin(mechanism: Mechanism) -> Option<Self> {
        match mechanism {
            Mechanism::Plain => Some(Self::Plain),
            Mechanism::Login => Some(Self::LoginName),
            Mechanism::ScramSha256 => Some(Self::ScramFirst),
            _ => None,
        }
    }

    /// What is asked when there is no initial response.
    pub fn prompt(&self) -> &'static [u8] {
        match self {
            Self::LoginName => b"Username:",
            Self::LoginPassword(_) => b"Password:",
            _ => b"",
        }
    }

    /// Takes an answer, decoded.
    pub fn answer(&mut self, answer: &[u8], book: &Book) -> Turn {
        let Ok(text) = str::from_utf8(answer) else {
            return Turn::Wrong;
        };
        match self {
            Self::Plain => plain(text, book),
            Self::LoginName => {
                *self = Self::LoginPassword(text.to_string());
                Turn::Ask(self.prompt().to_vec())
            }
            Self::LoginPassword(user) => match book.check(user, text) {
                true => Turn::Done(std::mem::take(user)),
                false => Turn::Wrong,
            },
            Self::ScramFirst => {
                let nonce = || {
                    let mut random = [0; 18];
                    SystemRandom::new().fill(&mut random).ok()?;
                    Some(BASE64URL_NOPAD.encode(&random))
                };
                match nonce().and_then(|nonce| Scram::first(text, &nonce, book)) {
                    Some((scram, challenge)) => {
                        *self = Self::ScramProof(Box::new(scram));
                        Turn::Ask(challenge.into_bytes())
                    }
                    None => Turn::Malformed,
                }
            }
            Self::ScramProof(scram) => match scram.proof(text, book) {
                Some(Ok(proof)) => {
                    *self = Self::ScramEnd(std::mem::take(&mut scram.user));
                    Turn::Ask(proof.into_bytes())
                }
                Some(Err(())) => Turn::Wrong,
                None => Turn::Malformed,
            },
            Self::ScramEnd(user) => match text {
                "" => Turn::Done(std::mem::take(user)),
                _ => Turn::Malformed,
            },
        }
    }
}

fn plain(text: &str, book: &Book) -> Turn {
    let mut parts = text.split('\0');
    let (Some(acting_as), Some(user), Some(password), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Turn::Malformed;
    };
    // Nobody may act for another here; the check is made all the same, for its time.
    let right = book.check(user, password);
    match right && (acting_as.is_empty() || acting_as == user) {
        true => Turn::Done(user.to_string()),
        false => Turn::Wrong,
    }
}

impl Scram {
    /// Takes the client's first message and gives ours.
    fn first(text: &str, nonce: &str, book: &Book) -> Option<(Self, String)> {
        let mut parts = text.splitn(3, ',');
        let (binding, acting_as, bare) = (parts.next()?, parts.next()?, parts.next()?);
        // We offer no channel binding, so nobody can ask for it.
        if !matches!(binding, "n" | "y") {
            return None;
        }
        let header = format!("{binding},{acting_as},");
        let mut fields = bare.split(',');
        let user = fields.next()?.strip_prefix("n=")?;
        let theirs = fields.next()?.strip_prefix("r=")?;
        let graphic = |nonce: &str| nonce.bytes().all(|b| b.is_ascii_graphic());
        if theirs.is_empty() || !graphic(theirs) {
            return None;
        }
        let user = user.replace("=2C", ",").replace("=3D", "=");
        let allowed = match acting_as.strip_prefix("a=") {
            Some(name) => name == user,
            None => acting_as.is_empty(),
        };
        if !allowed {
            return None;
        }
        let nonce = format!("{theirs}{nonce}");
        let salt = BASE64.encode(book.salt(&user).as_ref());
        let ours = format!("r={nonce},s={salt},i={ROUNDS}");
        let messages = format!("{bare},{ours}");
        let scram = Self {
            user,
            header,
            nonce,
            messages,
        };
        Some((scram, ours))
    }

    /// Takes the client's proof and gives ours; `Err` when it is wrong.
    fn proof(&self, text: &str, book: &Book) -> Option<Result<String, ()>> {
        let (closing, proof) = text.rsplit_once(",p=")?;
        let mut fields = closing.split(',');
        let bound = fields.next()?.strip_prefix("c=")?;
        let nonce = fields.next()?.strip_prefix("r=")?;
        let bound = BASE64.decode(bound.as_bytes()).ok()?;
        let proof = BASE64.decode(proof.as_bytes()).ok()?;
        if bound != self.header.as_bytes() || nonce != self.nonce || proof.len() != LENGTH {
            return None;
        }
        let keys = book.keys(&self.user);
        let message = format!("{},{closing}", self.messages);
        let stored = hmac::Key::new(hmac::HMAC_SHA256, keys.stored.as_ref());
        let signature = hmac::sign(&stored, message.as_bytes());
        let client: Vec<u8> = proof
            .iter()
            .zip(signature.as_ref())
            .map(|(proof, signature)| proof ^ signature)
            .collect();
        let hashed = digest::digest(&digest::SHA256, &client);
        let right = hashed.as_ref() == keys.stored.as_ref();
        if !right || !book.entry(&self.user).1 {
            return Some(Err(()));
        }
        let server = hmac::Key::new(hmac::HMAC_SHA256, keys.server.as_ref());
        let ours = hmac::sign(&server, message.as_bytes());
        Some(Ok(format!("v={}", BASE64.encode(ours.as_ref()))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Credentials, Dialogue, Secret, base64};
    use super::*;
    use crate::smtp::Reply;

    fn book() -> Book {
        Book::new(&[("tim".to_string(), "tanstaaf".to_string())]).unwrap()
    }

    /// Our client logs in at our server.
    fn login(mechanism: Mechanism, user: &str, password: &str) -> Turn {
        let book = book();
        let credentials = Credentials {
            user: user.to_string(),
            secret: Secret::Password(password.to_string()),
        };
        let mut client = Dialogue::new(mechanism, &credentials, ("x", 25), None).unwrap();
        let mut server = Exchange::begin(mechanism).unwrap();
        let mut turn = match client.initial() {
            Some(initial) => server.answer(&initial, &book),
            None => Turn::Ask(server.prompt().to_vec()),
        };
        while let Turn::Ask(challenge) = turn {
            let reply = Reply {
                code: 334,
                lines: vec![base64(&challenge)],
                flaws: Vec::new(),
            };
            turn = server.answer(&client.answer(&reply).unwrap(), &book);
        }
        turn
    }

    #[test]
    fn our_client_logs_in_with_every_mechanism() {
        for mechanism in OFFERED {
            let done = login(mechanism, "tim", "tanstaaf");
            assert_eq!(done, Turn::Done("tim".to_string()), "{mechanism:?}");
            assert_eq!(login(mechanism, "tim", "wrong"), Turn::Wrong);
            assert_eq!(login(mechanism, "tom", "tanstaaf"), Turn::Wrong);
        }
    }

    #[test]
    fn nobody_acts_for_another() {
        let plain = |text: &[u8]| Exchange::Plain.answer(text, &book());
        assert_eq!(plain(b"tim\0tim\0tanstaaf"), Turn::Done("tim".to_string()));
        assert_eq!(plain(b"root\0tim\0tanstaaf"), Turn::Wrong);
        assert_eq!(plain(b"tim\0tanstaaf"), Turn::Malformed);
        assert_eq!(plain(b""), Turn::Malformed);
        let first = |text: &[u8]| Exchange::ScramFirst.answer(text, &book());
        assert_eq!(first(b"n,a=root,n=tim,r=abc"), Turn::Malformed);
        assert_eq!(first(b"p=tls-exporter,,n=tim,r=abc"), Turn::Malformed);
    }

    #[test]
    fn a_name_that_nobody_has_gets_a_salt_that_stays() {
        let book = book();
        let salt = |user: &str| {
            let (_, ours) = Scram::first(&format!("n,,n={user},r=x"), "y", &book).unwrap();
            ours
        };
        assert_eq!(salt("nobody"), salt("nobody"));
        assert_ne!(salt("nobody"), salt("somebody"));
    }

    proptest::proptest! {
        #[test]
        fn no_answer_makes_a_login_panic_or_succeed(answers in proptest::collection::vec("[nyp=,rcav\\x00A-Za-z/=]{0,40}", 3)) {
            let book = book();
            for mechanism in OFFERED {
                let mut exchange = Exchange::begin(mechanism).unwrap();
                for answer in &answers {
                    let turn = exchange.answer(answer.as_bytes(), &book);
                    proptest::prop_assert!(!matches!(turn, Turn::Done(_)));
                }
            }
        }
    }
}
