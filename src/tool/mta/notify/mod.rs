//! Notices to the sender: what became of his mail (RFC 3461, 3464, 6522, 6533), in plain words for
//! people and in fields for programs.

mod dialects;
mod report;
mod words;

use std::time::SystemTime;

use super::address::Address;
use super::envelope::{Body, Client, Envelope, Recipient};
use super::queue::{Fate, QueueId};

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It has failed for good.
    Failed,
    /// It takes long.
    Delayed,
    /// It has been delivered, relayed or expanded, as the sender asked to know.
    Succeeded,
    /// A notice has failed: only the postmaster hears of it.
    Double,
}

impl Kind {
    /// The word for it in logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Succeeded => "succeeded",
            Self::Double => "double-bounce",
        }
    }
}

/// In whose words and form the human part is written. The other ones are there to try readers of
/// bounces, ours among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// Our own: plain words, advice, the other side's reply.
    #[default]
    Own,
    /// As Postfix writes.
    Postfix,
    /// As sendmail writes.
    Sendmail,
    /// As Exim writes.
    Exim,
    /// As qmail writes: text only, no report for programs.
    Qmail,
}

impl Style {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Own,
        Self::Postfix,
        Self::Sendmail,
        Self::Exim,
        Self::Qmail,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Postfix => "postfix",
            Self::Sendmail => "sendmail",
            Self::Exim => "exim",
            Self::Qmail => "qmail",
        }
    }

    /// The style of this name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|style| style.word() == word)
    }
}

/// Everything that a notice tells.
#[derive(Debug)]
pub struct Notice<'a> {
    /// What it is about.
    pub kind: Kind,
    /// The message it is about.
    pub id: QueueId,
    /// Its envelope.
    pub envelope: &'a Envelope,
    /// The recipients it speaks of: their place in the envelope and how they stand.
    pub about: Vec<(usize, &'a Fate)>,
    /// The text of the message; empty when it cannot be read.
    pub original: &'a [u8],
    /// When it is written.
    pub now: SystemTime,
    /// Until when it is tried.
    pub until: SystemTime,
    /// Our name.
    pub host: &'a str,
    /// In whose words.
    pub style: Style,
    /// Octets of a message that are brought back whole.
    pub returned: u64,
    /// Who hears of double bounces.
    pub postmaster: Option<&'a Address>,
}

impl Notice<'_> {
    /// A recipient of the message.
    fn recipient(&self, n: usize) -> Option<&Recipient> {
        self.envelope.recipients.get(n)
    }

    /// Whether it needs RFC 6533: an address or header that ASCII cannot tell.
    fn is_global(&self) -> bool {
        let recipients = self.about.iter().filter_map(|(n, _)| self.recipient(*n));
        let ascii = |address: &Address| address.to_string().is_ascii();
        let end = memchr::memmem::find(self.original, b"\r\n\r\n");
        let header = self.original.get(..end.unwrap_or(self.original.len()));
        !recipients.map(|r| &r.address).all(ascii)
            || !self.envelope.sender.as_ref().is_none_or(ascii)
            || (self.envelope.smtputf8 && !header.unwrap_or_default().is_ascii())
    }
}

/// Writes a notice; `id` is its own. `None` when there is nobody to tell.
pub fn write(notice: &Notice<'_>, id: QueueId) -> Option<(Envelope, Vec<u8>)> {
    let to = match notice.kind {
        Kind::Double => notice.postmaster?,
        _ => notice.envelope.sender.as_ref()?,
    };
    let text = report::compose(notice, id, to);
    let eight_bit = !text.is_ascii();
    let envelope = Envelope {
        sender: None,
        recipients: vec![Recipient {
            address: to.clone(),
            notify: None,
            orcpt: None,
        }],
        ret: None,
        envid: None,
        body: if eight_bit {
            Body::EightBit
        } else {
            Body::SevenBit
        },
        smtputf8: notice.is_global(),
        client: Client {
            ip: None,
            helo: None,
            user: None,
            with: "LOCAL".to_string(),
        },
        received: notice.now,
    };
    Some((envelope, text))
}

#[cfg(test)]
mod tests;
