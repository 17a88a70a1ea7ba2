//! What a message needs of a server, and how it is made to fit one that offers less.

use std::borrow::Cow;

use crate::message::status::EnhancedCode;
use crate::mta::address::Address;
use crate::mta::envelope::{Body, Envelope};
use crate::smtp::Extensions;

use super::outcome::status;
use super::seven_bit::seven_bit;

/// What a message needs of a server.
pub(crate) struct Needs {
    pub(crate) eight_bit: bool,
    pub(crate) utf8: bool,
    pub(crate) binary: bool,
}

/// Why a server cannot take a message at all.
pub(crate) struct Unfit {
    pub(crate) status: EnhancedCode,
    pub(crate) words: String,
}

impl Unfit {
    fn new(subject: u16, detail: u16, words: impl Into<String>) -> Self {
        Self {
            status: status(5, subject, detail),
            words: words.into(),
        }
    }
}

impl Needs {
    pub(crate) fn of(envelope: &Envelope, text: &[u8]) -> Self {
        let header = memchr::memmem::find(text, b"\r\n\r\n").unwrap_or(text.len());
        let header = text.get(..header).unwrap_or_default();
        // A domain can be written in ASCII, a local part cannot.
        let utf8_address = |address: &Address| !address.local.is_ascii();
        let addresses = envelope.recipients.iter().map(|r| &r.address);
        let mut addresses = addresses.chain(&envelope.sender);
        Self {
            eight_bit: !text.is_ascii(),
            utf8: envelope.smtputf8 && (addresses.any(utf8_address) || !header.is_ascii()),
            binary: envelope.body == Body::Binary,
        }
    }

    /// The text as this server can take it, and what it still needs then.
    pub(crate) fn fit<'t>(
        &mut self,
        text: &'t [u8],
        offered: &Extensions,
    ) -> Result<Cow<'t, [u8]>, Unfit> {
        if self.utf8 && !offered.has("SMTPUTF8") {
            return Err(Unfit::new(
                6,
                7,
                "the message has an internationalized address or header (SMTPUTF8), which the \
                 server does not take",
            ));
        }
        if self.binary && !(offered.has("BINARYMIME") && offered.has("CHUNKING")) {
            return Err(Unfit::new(
                6,
                3,
                "the message is binary (BINARYMIME), which the server does not take",
            ));
        }
        let mut text = Cow::Borrowed(text);
        // RFC 6152 section 3: seven bits are made of eight, or the message goes back.
        if self.eight_bit && !offered.has("8BITMIME") {
            let recoded = seven_bit(&text).map_err(|why| {
                let words = format!(
                    "the message has 8-bit characters, which the server does not take, and \
                     cannot be written without them: {why}"
                );
                Unfit::new(6, 3, words)
            });
            text = Cow::Owned(recoded?);
            self.eight_bit = false;
        }
        let octets = text.len() as u64;
        if let Some(most) = offered.size().filter(|most| octets > *most) {
            let words = format!(
                "the message has {octets} octets, and the server takes no more than {most}"
            );
            return Err(Unfit::new(3, 4, words));
        }
        Ok(text)
    }
}

/// An address as it is spoken: its domain in ASCII where the transaction is.
pub(crate) fn speak(address: &Address, needs: &Needs) -> String {
    let ascii = address
        .domain
        .as_deref()
        .filter(|d| !needs.utf8 && !d.is_ascii());
    match ascii.and_then(|domain| idna::domain_to_ascii(domain).ok()) {
        Some(domain) => Address {
            local: address.local.clone(),
            domain: Some(domain),
        }
        .to_string(),
        None => address.to_string(),
    }
}
