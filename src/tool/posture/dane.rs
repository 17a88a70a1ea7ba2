//! DANE for mail (RFC 7672): certificates pinned in the DNS. Pure: records and certificates in,
//! state out.

use ring::digest::{SHA256, SHA512, digest};

use crate::dns::Data;

/// One TLSA record (RFC 6698 §2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// 0 PKIX-TA, 1 PKIX-EE, 2 DANE-TA, 3 DANE-EE.
    pub usage: u8,
    /// 0 the whole certificate, 1 its public key.
    pub selector: u8,
    /// 0 as it is, 1 SHA-256, 2 SHA-512.
    pub matching: u8,
    /// What is pinned.
    pub data: Vec<u8>,
}

/// A certificate that the server sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown<'c> {
    /// All of it (DER).
    pub der: &'c [u8],
    /// Its SubjectPublicKeyInfo (DER).
    pub spki: &'c [u8],
}

/// What DANE says about one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// A record matches what the server shows.
    Verified,
    /// There are no records.
    None,
    /// There are records, but DNSSEC does not vouch for them: they mean nothing.
    Insecure,
    /// Records, but none that mail can use (RFC 7672 §3.1.3): encryption without proof.
    Unusable,
    /// No record matches: senders with DANE do not deliver.
    Mismatch,
    /// There are records, and the server offers no TLS: senders with DANE do not deliver.
    NoTls,
    /// The DNS did not answer for the records: senders with DANE wait.
    Failed,
}

impl State {
    /// The id used in JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::None => "none",
            Self::Insecure => "insecure",
            Self::Unusable => "unusable",
            Self::Mismatch => "mismatch",
            Self::NoTls => "no-tls",
            Self::Failed => "failed",
        }
    }
}

impl Pin {
    /// The record, when it is one.
    pub fn of(data: &Data) -> Option<Self> {
        match data {
            Data::Tlsa {
                usage,
                selector,
                matching,
                data,
            } => Some(Self {
                usage: *usage,
                selector: *selector,
                matching: *matching,
                data: data.clone(),
            }),
            _ => None,
        }
    }

    /// Whether mail can use it (RFC 7672 §3.1.3: usages 2 and 3 only).
    pub fn is_usable(&self) -> bool {
        let length = match self.matching {
            0 => !self.data.is_empty(),
            1 => self.data.len() == 32,
            2 => self.data.len() == 64,
            _ => false,
        };
        matches!(self.usage, 2 | 3) && self.selector <= 1 && length
    }

    /// Whether this certificate is what is pinned.
    pub fn matches(&self, shown: Shown<'_>) -> bool {
        let part = if self.selector == 0 {
            shown.der
        } else {
            shown.spki
        };
        match self.matching {
            0 => self.data == part,
            1 => self.data == digest(&SHA256, part).as_ref(),
            2 => self.data == digest(&SHA512, part).as_ref(),
            _ => false,
        }
    }

    /// The three numbers, such as `3 1 1`.
    pub fn numbers(&self) -> String {
        format!("{} {} {}", self.usage, self.selector, self.matching)
    }
}

/// Compares records with what a server shows, its own certificate first. `leads` tells whether
/// the certificate at this place of the chain leads to the first one and name and dates are
/// right, as usage 2 asks (RFC 7671 §5.2); usage 3 asks for neither (RFC 7672 §3.1.1).
///
/// A whole certificate in the DNS (2 0 0) need not be sent as well; whoever calls puts it behind
/// the chain as if it had been.
pub fn compare(pins: &[Pin], chain: &[Shown<'_>], leads: impl Fn(usize) -> bool) -> State {
    let usable: Vec<_> = pins.iter().filter(|p| p.is_usable()).collect();
    if pins.is_empty() {
        return State::None;
    }
    if usable.is_empty() {
        return State::Unusable;
    }
    let matched = usable.iter().any(|pin| match pin.usage {
        3 => chain.first().is_some_and(|own| pin.matches(*own)),
        _ => chain
            .iter()
            .enumerate()
            .any(|(place, shown)| pin.matches(*shown) && leads(place)),
    });
    if matched {
        State::Verified
    } else {
        State::Mismatch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(usage: u8, selector: u8, matching: u8, of: &[u8]) -> Pin {
        let data = match matching {
            1 => digest(&SHA256, of).as_ref().to_vec(),
            2 => digest(&SHA512, of).as_ref().to_vec(),
            _ => of.to_vec(),
        };
        Pin {
            usage,
            selector,
            matching,
            data,
        }
    }

    const OWN: Shown<'_> = Shown {
        der: b"own",
        spki: b"own key",
    };
    const TOP: Shown<'_> = Shown {
        der: b"top",
        spki: b"top key",
    };

    #[test]
    fn one_match_is_enough_and_the_end_entity_needs_no_name() {
        let never = |_| false;
        for good in [
            pin(3, 1, 1, b"own key"),
            pin(3, 0, 2, b"own"),
            pin(3, 0, 0, b"own"),
        ] {
            let pins = [pin(3, 1, 1, b"old key"), good];
            assert_eq!(compare(&pins, &[OWN, TOP], never), State::Verified);
        }
        let top = [pin(2, 1, 1, b"top key")];
        assert_eq!(
            compare(&top, &[OWN, TOP], |place| place == 1),
            State::Verified
        );
        assert_eq!(compare(&top, &[OWN, TOP], never), State::Mismatch);
        assert_eq!(compare(&top, &[OWN], |_| true), State::Mismatch);
        // The end entity record must not be satisfied by something further up.
        assert_eq!(
            compare(&[pin(3, 1, 1, b"top key")], &[OWN, TOP], |_| true),
            State::Mismatch
        );
    }

    #[test]
    fn what_mail_cannot_use_is_unusable() {
        let short = Pin {
            data: vec![0; 20],
            ..pin(3, 1, 1, b"")
        };
        for bad in [
            pin(0, 1, 1, b"own key"),
            pin(1, 0, 1, b"own"),
            pin(3, 2, 1, b"x"),
            short,
        ] {
            assert_eq!(compare(&[bad], &[OWN], |_| true), State::Unusable);
        }
        assert_eq!(compare(&[], &[OWN], |_| true), State::None);
    }
}
