//! What a session hands to the queue and the queue to delivery: who sends to whom, and how.

use std::net::IpAddr;
use std::time::SystemTime;

use super::address::Address;

/// The envelope of one message (RFC 5321 section 2.3.1) with the parameters that travel with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The reverse path; `None` is the null sender `<>` of notices.
    pub sender: Option<Address>,
    /// The forward paths that were accepted, without duplicates, in the order they came.
    pub recipients: Vec<Recipient>,
    /// RET of RFC 3461: what a failure notice shall bring back; `None` leaves it to us.
    pub ret: Option<Ret>,
    /// ENVID of RFC 3461, xtext decoded.
    pub envid: Option<String>,
    /// BODY of RFC 6152 and RFC 3030.
    pub body: Body,
    /// Whether the sender asked for SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// Who handed the message over.
    pub client: Client,
    /// When the message was received.
    pub received: SystemTime,
}

/// One forward path with its RFC 3461 parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Where the message goes.
    pub address: Address,
    /// NOTIFY; `None` when the client did not say (failure, and delay if we like).
    pub notify: Option<Notify>,
    /// ORCPT: type and address, xtext decoded, for example `rfc822` and `user@example.com`.
    pub orcpt: Option<(String, String)>,
}

/// NOTIFY of RFC 3461 section 4.1; all three `false` is NEVER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Notify {
    /// Tell when it has been delivered.
    pub success: bool,
    /// Tell when it has failed for good.
    pub failure: bool,
    /// Tell when it takes long.
    pub delay: bool,
}

/// RET of RFC 3461 section 4.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ret {
    /// The whole message comes back with a failure notice.
    Full,
    /// Only its header section.
    Headers,
}

/// BODY of MAIL: what octets the message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Body {
    /// `7BIT`, and when nothing was said.
    #[default]
    SevenBit,
    /// `8BITMIME` (RFC 6152).
    EightBit,
    /// `BINARYMIME` (RFC 3030).
    Binary,
}

/// The client of a session as the trace field tells it (RFC 5321 section 4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its address; `None` for a message that this server wrote itself.
    pub ip: Option<IpAddr>,
    /// The argument of EHLO, HELO or LHLO.
    pub helo: Option<String>,
    /// Who logged in.
    pub user: Option<String>,
    /// The keyword of RFC 3848 and RFC 6531: `ESMTPSA`, `LMTP`, `UTF8SMTPS` …
    pub with: String,
}
