//! What a reply or a broken conversation means for a recipient.

use std::net::IpAddr;
use std::time::SystemTime;

use crate::bounce::explain_line;
use crate::message::status::EnhancedCode;
use crate::mta::queue::{Outcome, State};
use crate::smtp::{Failure, Reply, Stage};

/// The server an outcome is about.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) host: String,
    pub(crate) ip: Option<IpAddr>,
}

/// What one attempt brought for one recipient.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    /// Its place in the envelope.
    pub(crate) n: usize,
    pub(crate) state: State,
    pub(crate) outcome: Outcome,
    /// Whether somebody else will tell the sender of a success, if he wants to know.
    pub(crate) told_elsewhere: bool,
}

/// A status code; the numbers are always good ones here.
pub(crate) const fn status(class: u8, subject: u16, detail: u16) -> EnhancedCode {
    EnhancedCode {
        class,
        subject,
        detail,
    }
}

/// The command that is answered at a stage, as notices write it.
const fn command(stage: Stage) -> &'static str {
    match stage {
        Stage::Connect => "CONNECT",
        Stage::Banner => "greeting",
        Stage::Ehlo => "EHLO",
        Stage::StartTls | Stage::Handshake => "STARTTLS",
        Stage::Auth => "AUTH",
        Stage::Mail => "MAIL FROM",
        Stage::Rcpt => "RCPT TO",
        Stage::Data => "DATA",
        Stage::Body | Stage::Dot => "end of DATA",
        Stage::Rset => "RSET",
        Stage::Quit => "QUIT",
        Stage::Other => "NOOP",
    }
}

/// The outcome that a reply brings. A reply without an enhanced code gets the one that its words
/// mean.
pub(crate) fn of_reply(reply: &Reply, stage: Stage, peer: &Peer, at: SystemTime) -> Outcome {
    let said = reply.to_string();
    let class = match reply.code / 100 {
        2 => 2,
        5 => 5,
        _ => 4,
    };
    let derived = || {
        // Three digits alone say nothing.
        if reply.text().is_empty() {
            return None;
        }
        let explained = explain_line(&said);
        let status = explained.recipients.first().and_then(|one| one.status);
        status.filter(|status| status.class == class)
    };
    let code = match reply.enhanced() {
        Some(code) => code,
        None if class == 2 => status(2, 0, 0),
        None => derived().unwrap_or(status(class, 0, 0)),
    };
    Outcome {
        at,
        status: code,
        host: Some(peer.host.clone()),
        ip: peer.ip,
        command: Some(command(stage).to_string()),
        reply: Some(said),
        words: None,
        expired: false,
    }
}

/// The outcome of a conversation that broke: always to be tried again.
pub(crate) fn of_failure(failure: &Failure, peer: &Peer, at: SystemTime) -> Outcome {
    let (code, stage) = match failure {
        Failure::Refused { .. } | Failure::NoWay { .. } => (status(4, 4, 1), Stage::Connect),
        Failure::Timeout { stage, .. } | Failure::System { stage, .. }
            if *stage == Stage::Connect =>
        {
            (status(4, 4, 1), Stage::Connect)
        }
        Failure::Timeout { stage, .. }
        | Failure::Closed { stage, .. }
        | Failure::Reset { stage, .. }
        | Failure::System { stage, .. } => (status(4, 4, 2), *stage),
        Failure::Tls { .. } => (status(4, 7, 5), Stage::Handshake),
        Failure::Foreign { .. } => (status(4, 5, 0), Stage::Banner),
        Failure::NoReply { stage, .. } | Failure::Endless { stage, .. } => {
            (status(4, 5, 0), *stage)
        }
        Failure::Unspeakable(_) => (status(5, 1, 3), Stage::Rcpt),
    };
    let mut words = failure.to_string();
    if matches!(stage, Stage::Dot) {
        // RFC 5321 section 4.5.3.2.6: whether it was taken is not known; twice is better than never.
        words.push_str("; it may have been taken all the same, and is sent once more");
    }
    Outcome {
        at,
        status: code,
        host: Some(peer.host.clone()),
        ip: peer.ip,
        command: Some(command(stage).to_string()),
        reply: None,
        words: Some(words),
        expired: false,
    }
}

/// The state that a status means.
pub(crate) const fn state_of(status: EnhancedCode) -> State {
    match status.class {
        5 => State::Failed,
        _ => State::Waiting,
    }
}
