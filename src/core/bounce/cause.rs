//! The 39 causes: what is wrong, one per recipient. Names are the ids of the taxonomy.

use std::fmt;

macro_rules! causes {
    ($($variant:ident = $id:literal, $headline:ident, $final:literal;)*) => {
        /// What is wrong with one recipient. The id ([`Cause::id`]) is the same in JSON, in the
        /// data files and in the manual; the words about it are in `data/causes.toml`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the meaning of each is the text in data/causes.toml")]
        pub enum Cause { $($variant,)* }

        impl Cause {
            /// Every cause, in the order of the taxonomy.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The id used in JSON and data files, such as `user-unknown`.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)* }
            }

            /// The cause with this id.
            pub fn from_id(id: &str) -> Option<Self> {
                match id { $($id => Some(Self::$variant),)* _ => None }
            }

            const fn headline(self) -> Class {
                match self { $(Self::$variant => Class::$headline,)* }
            }

            /// Whether a failure of this cause is usually final; `None` when it can be either.
            pub const fn usually_permanent(self) -> Option<bool> {
                match self { $(Self::$variant => match $final { 1 => Some(true), 0 => Some(false), _ => None },)* }
            }
        }
    };
}

causes! {
    UserUnknown = "user-unknown", UserUnknown, 1;
    DomainUnknown = "domain-unknown", OtherPermanent, 1;
    NoMailService = "no-mail-service", OtherPermanent, 1;
    MailboxDisabled = "mailbox-disabled", OtherPermanent, 1;
    RecipientMoved = "recipient-moved", OtherPermanent, 1;
    RecipientRestricted = "recipient-restricted", OtherPermanent, 1;
    OverQuota = "over-quota", OverQuota, 2;
    MessageTooLarge = "message-too-large", OtherPermanent, 1;
    ServerStorageFull = "server-storage-full", Transient, 0;
    ConnectionFailed = "connection-failed", Transient, 0;
    DnsFailure = "dns-failure", Transient, 0;
    MailLoop = "mail-loop", OtherPermanent, 1;
    DeliveryDelayed = "delivery-delayed", Transient, 0;
    DeliveryExpired = "delivery-expired", OtherPermanent, 1;
    Greylisted = "greylisted", Transient, 0;
    RateLimited = "rate-limited", Transient, 0;
    ServerTemporaryFailure = "server-temporary-failure", Transient, 0;
    ServerError = "server-error", OtherPermanent, 1;
    DeliveryProgramFailed = "delivery-program-failed", OtherPermanent, 2;
    Dnsbl = "dnsbl", Dnsbl, 2;
    IpBlocked = "ip-blocked", OtherPermanent, 2;
    MissingReverseDns = "missing-reverse-dns", OtherPermanent, 2;
    SenderRejected = "sender-rejected", OtherPermanent, 1;
    AuthFailed = "auth-failed", OtherPermanent, 1;
    LoginRequired = "login-required", OtherPermanent, 1;
    RelayDenied = "relay-denied", OtherPermanent, 1;
    TlsFailed = "tls-failed", OtherPermanent, 2;
    SpamContent = "spam-content", OtherPermanent, 1;
    VirusDetected = "virus-detected", OtherPermanent, 1;
    ContentRejected = "content-rejected", OtherPermanent, 1;
    MessageMalformed = "message-malformed", OtherPermanent, 1;
    Utf8Unsupported = "utf8-unsupported", OtherPermanent, 1;
    PolicyRejected = "policy-rejected", OtherPermanent, 1;
    ProtocolError = "protocol-error", OtherPermanent, 1;
    ChallengeResponse = "challenge-response", NotAFailure, 0;
    AutoReply = "auto-reply", NotAFailure, 2;
    AbuseReport = "abuse-report", NotAFailure, 2;
    Delivered = "delivered", NotAFailure, 2;
    Unknown = "unknown", OtherPermanent, 2;
}

/// The headline a user sees first: the four errors of the starting article and the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Will or may solve itself; the server retries.
    Transient,
    /// The mailbox does not exist.
    UserUnknown,
    /// The mailbox is full, for now or for good.
    OverQuota,
    /// A DNS block list names the sender's address, domain or link.
    Dnsbl,
    /// Any other final failure.
    OtherPermanent,
    /// An automatic answer, a report, or good news.
    NotAFailure,
}

impl Class {
    /// The class of a cause with this outcome: a cause that is not one of the three named ones
    /// follows `permanent`, and its own habit when that is not known.
    pub const fn of(cause: Cause, permanent: Option<bool>) -> Self {
        match (cause.headline(), permanent) {
            (Self::Transient | Self::OtherPermanent, Some(true)) => Self::OtherPermanent,
            (Self::Transient | Self::OtherPermanent, Some(false)) => Self::Transient,
            (headline, _) => headline,
        }
    }

    /// The id used in JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::UserUnknown => "user-unknown",
            Self::OverQuota => "over-quota",
            Self::Dnsbl => "dnsbl",
            Self::OtherPermanent => "other-permanent",
            Self::NotAFailure => "not-a-failure",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_39_causes_and_ids_lead_back() {
        assert_eq!(Cause::ALL.len(), 39);
        for &cause in Cause::ALL {
            assert_eq!(Cause::from_id(cause.id()), Some(cause));
        }
    }

    #[test]
    fn the_outcome_decides_between_transient_and_other_permanent() {
        assert_eq!(
            Class::of(Cause::ConnectionFailed, Some(true)),
            Class::OtherPermanent
        );
        assert_eq!(Class::of(Cause::IpBlocked, Some(false)), Class::Transient);
        assert_eq!(Class::of(Cause::OverQuota, Some(false)), Class::OverQuota);
        assert_eq!(Class::of(Cause::AutoReply, None), Class::NotAFailure);
    }
}
