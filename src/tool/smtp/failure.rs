//! How a conversation can break, with the stage and the peer.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::command::Unspeakable;
use super::foreign::Protocol;
use super::tls::Trouble;

/// The steps of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the commands of RFC 5321, 3207, 4954 and 3030")]
pub enum Stage {
    Connect,
    Banner,
    Ehlo,
    StartTls,
    /// The TLS handshake itself.
    Handshake,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// While the message is being sent.
    Body,
    /// The reply to the end of the message.
    Dot,
    Rset,
    Quit,
    /// NOOP, VRFY and the like.
    Other,
}

impl Stage {
    /// The id used in JSON; the handshake belongs to `starttls`.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Banner => "banner",
            Self::Ehlo => "ehlo",
            Self::StartTls | Self::Handshake => "starttls",
            Self::Auth => "auth",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Body | Self::Dot => "dot",
            Self::Rset => "rset",
            Self::Quit => "quit",
            Self::Other => "other",
        }
    }

    /// What we were waiting for, with its article.
    pub fn awaited_one(self) -> String {
        let what = self.awaited();
        let article = if what.starts_with('a') { "an" } else { "a" };
        format!("{article} {what}")
    }

    /// What we were waiting for, in words.
    pub const fn awaited(self) -> &'static str {
        match self {
            Self::Connect => "connection",
            Self::Banner => "greeting",
            Self::Ehlo => "answer to EHLO",
            Self::StartTls => "answer to STARTTLS",
            Self::Handshake => "TLS handshake",
            Self::Auth => "answer to AUTH",
            Self::Mail => "answer to MAIL FROM",
            Self::Rcpt => "answer to RCPT TO",
            Self::Data => "answer to DATA",
            Self::Body => "taking of the message",
            Self::Dot => "answer to the end of the message",
            Self::Rset => "answer to RSET",
            Self::Quit => "answer to QUIT",
            Self::Other => "answer",
        }
    }
}

/// The server as it is told of: one behind a socket of this machine has no address.
fn who(peer: &SocketAddr) -> String {
    if peer.ip().is_unspecified() && peer.port() == 0 {
        "the socket".to_string()
    } else {
        peer.to_string()
    }
}

/// How long was waited; the system does not say it where its own limit was shorter than ours.
fn within(after: Duration) -> String {
    if after.is_zero() {
        return String::new();
    }
    format!(" within {:.0} s", after.as_secs_f64())
}

/// A conversation that did not get as far as it was asked to. The words also go into bounces, where
/// other programs read them, so they hold the phrases of the trade: "connection refused", "timed
/// out", "lost connection".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nobody listens there, or a firewall says so.
    #[error("{who}: connection refused (nothing listens there, or a firewall rejects it)", who = who(.peer))]
    Refused {
        /// The server.
        peer: SocketAddr,
    },
    /// This machine or its network has no way to the server.
    #[error("connection to {who} not possible from this machine ({reason})", who = who(.peer))]
    NoWay {
        /// The server.
        peer: SocketAddr,
        /// What the system says.
        reason: &'static str,
    },
    /// The limit of the stage is over.
    #[error("conversation with {who} timed out: no complete {}{}", .stage.awaited(), within(*.after), who = who(.peer))]
    Timeout {
        /// Where.
        stage: Stage,
        /// The server.
        peer: SocketAddr,
        /// How long was waited.
        after: Duration,
        /// How many octets had come.
        received: usize,
    },
    /// The server closed the connection.
    #[error("lost connection with {who}: closed in place of {}", .stage.awaited_one(), who = who(.peer))]
    Closed {
        /// Where.
        stage: Stage,
        /// The server.
        peer: SocketAddr,
    },
    /// The server, or something on the way, cut the connection.
    #[error("lost connection with {who}: reset in place of {}", .stage.awaited_one(), who = who(.peer))]
    Reset {
        /// Where.
        stage: Stage,
        /// The server.
        peer: SocketAddr,
    },
    /// It is no mail server.
    #[error("{who} does not speak SMTP but {}", .protocol.words(), who = who(.peer))]
    Foreign {
        /// The server.
        peer: SocketAddr,
        /// What it speaks.
        protocol: Protocol,
        /// Its first words.
        said: String,
    },
    /// A line that is no reply.
    #[error("{}: {who} sends something that is no SMTP reply", .stage.awaited(), who = who(.peer))]
    NoReply {
        /// Where.
        stage: Stage,
        /// The server.
        peer: SocketAddr,
        /// The line.
        said: String,
    },
    /// A reply without an end.
    #[error("{}: the reply of {who} does not end", .stage.awaited(), who = who(.peer))]
    Endless {
        /// Where.
        stage: Stage,
        /// The server.
        peer: SocketAddr,
    },
    /// TLS could not be set up.
    #[error("TLS with {who}: {trouble}", who = who(.peer))]
    Tls {
        /// The server.
        peer: SocketAddr,
        /// Why.
        trouble: Trouble,
    },
    /// We were asked to say something that cannot be said.
    #[error(transparent)]
    Unspeakable(#[from] Unspeakable),
    /// Another trouble of the system.
    #[error("{}: {who}: {reason}", .stage.awaited(), who = who(.peer))]
    System {
        /// Where.
        stage: Stage,
        /// The server.
        peer: SocketAddr,
        /// What the system says.
        reason: String,
    },
}

impl Failure {
    /// The failure of a connection attempt or of an open connection.
    pub(super) fn from_io(error: &io::Error, stage: Stage, peer: SocketAddr) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::ConnectionRefused => Self::Refused { peer },
            Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => {
                Self::Reset { stage, peer }
            }
            Kind::UnexpectedEof => Self::Closed { stage, peer },
            Kind::NotFound => Self::System {
                stage,
                peer,
                reason: "there is no such socket".to_string(),
            },
            Kind::NetworkUnreachable => Self::no_way(peer, "no route to that network"),
            // A router somewhere says so: the server's side as likely as ours.
            Kind::HostUnreachable => Self::System {
                stage,
                peer,
                reason: "the host cannot be reached".to_string(),
            },
            Kind::NetworkDown => Self::no_way(peer, "the network is down"),
            Kind::AddrNotAvailable => Self::no_way(peer, "no local address of that family"),
            Kind::PermissionDenied => Self::no_way(peer, "not permitted by this machine"),
            Kind::Unsupported => Self::no_way(peer, "address family not supported"),
            // The system's own connect limit, shorter than ours.
            Kind::TimedOut => Self::Timeout {
                stage,
                peer,
                after: Duration::ZERO,
                received: 0,
            },
            _ => Self::System {
                stage,
                peer,
                reason: error.to_string(),
            },
        }
    }

    const fn no_way(peer: SocketAddr, reason: &'static str) -> Self {
        Self::NoWay { peer, reason }
    }

    /// Whether the trouble is on this machine or its network, as far as one failure can tell.
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::NoWay { .. } | Self::Unspeakable(_))
    }

    /// Whether no connection came about.
    pub const fn is_before_connection(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::NoWay { .. }
                | Self::Timeout {
                    stage: Stage::Connect,
                    ..
                }
                | Self::System {
                    stage: Stage::Connect,
                    ..
                }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: io::ErrorKind) -> Failure {
        let peer = SocketAddr::from(([192, 0, 2, 25], 25));
        Failure::from_io(&io::Error::from(kind), Stage::Connect, peer)
    }

    #[test]
    fn what_the_system_says_of_a_connection_is_laid_at_the_door_of_whom_it_concerns() {
        use io::ErrorKind as Kind;
        for kind in [
            Kind::NetworkUnreachable,
            Kind::NetworkDown,
            Kind::AddrNotAvailable,
            Kind::PermissionDenied,
            Kind::Unsupported,
        ] {
            let ours = of(kind);
            assert!(ours.is_ours(), "{kind:?}: {ours}");
            let words = ours.to_string();
            assert!(words.contains("not possible from this machine"), "{words}");
        }
        for kind in [
            Kind::ConnectionRefused,
            Kind::ConnectionReset,
            Kind::HostUnreachable,
            Kind::TimedOut,
            Kind::UnexpectedEof,
            Kind::NotFound,
            Kind::OutOfMemory,
        ] {
            assert!(!of(kind).is_ours(), "{kind:?}");
        }
    }

    #[test]
    fn only_what_came_before_the_connection_counts_as_before_it() {
        use io::ErrorKind as Kind;
        for kind in [
            Kind::ConnectionRefused,
            Kind::TimedOut,
            Kind::HostUnreachable,
        ] {
            assert!(of(kind).is_before_connection(), "{kind:?}");
        }
        for kind in [Kind::ConnectionReset, Kind::UnexpectedEof] {
            assert!(!of(kind).is_before_connection(), "{kind:?}");
        }
    }

    #[test]
    fn a_time_that_nobody_measured_is_not_told() {
        assert_eq!(
            of(io::ErrorKind::TimedOut).to_string(),
            "conversation with 192.0.2.25:25 timed out: no complete connection"
        );
    }
}
