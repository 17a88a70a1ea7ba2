//! The token: what a test message is known by, wherever it shows up again.

use ring::rand::{SecureRandom, SystemRandom};

/// Lower case, so that it survives whoever folds case; no letter looks like a digit.
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Letters behind the dash: 100 bits.
const LENGTH: usize = 20;

/// The token of one test message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Token(String);

impl Token {
    /// A new one; `None` when the machine gives no random numbers.
    pub fn new() -> Option<Self> {
        let mut random = [0u8; LENGTH];
        SystemRandom::new().fill(&mut random).ok()?;
        let letter = |octet: &u8| LETTERS.get(usize::from(octet % 32)).copied();
        let letters = random.iter().filter_map(letter).map(char::from);
        Some(Self(format!("mt-{}", letters.collect::<String>())))
    }

    /// Its letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text holds it, in any case of letters.
    pub fn is_in(&self, text: &[u8]) -> bool {
        let own = self.0.as_bytes();
        if memchr::memmem::find(text, own).is_some() {
            return true;
        }
        let upper = self.0.to_ascii_uppercase();
        memchr::memmem::find(text, upper.as_bytes()).is_some()
    }

    /// The one with these letters, for tests.
    #[cfg(test)]
    pub(crate) fn of(text: &str) -> Self {
        Self(text.to_string())
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_is_new_and_survives_folding() {
        let (one, other) = (Token::new().unwrap(), Token::new().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.as_str().len(), 3 + LENGTH);
        assert!(one.is_in(format!("Subject: [mailtrace {one}] x").as_bytes()));
        assert!(one.is_in(one.as_str().to_ascii_uppercase().as_bytes()));
        assert!(!one.is_in(other.as_str().as_bytes()));
    }
}
