//! How long to wait in each stage. A limit counts from the command to the last line of its
//! reply, so a server that sends a byte a second gains nothing.

use std::time::Duration;

use tokio::time::Instant;

use crate::smtp::Stage;

/// The limits of one conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadlines {
    /// To open the connection.
    pub connect: Duration,
    /// From the connection to the end of the greeting.
    pub banner: Duration,
    /// For EHLO, STARTTLS, RSET, NOOP and other short commands.
    pub short: Duration,
    /// For a TLS handshake.
    pub tls: Duration,
    /// For AUTH, MAIL.
    pub mail: Duration,
    /// For RCPT: servers that verify the address by calling back need half a minute.
    pub rcpt: Duration,
    /// For the 354 after DATA.
    pub data: Duration,
    /// For each block of the message to be taken.
    pub block: Duration,
    /// For the reply to the end of the message.
    pub dot: Duration,
    /// For the 221 after QUIT.
    pub quit: Duration,
    /// When the whole conversation has to be over.
    pub overall: Option<Instant>,
}

impl Deadlines {
    /// For somebody who waits in front of the screen.
    pub const fn interactive() -> Self {
        Self {
            connect: Duration::from_secs(10),
            banner: Duration::from_secs(30),
            short: Duration::from_secs(15),
            tls: Duration::from_secs(15),
            mail: Duration::from_secs(30),
            rcpt: Duration::from_secs(45),
            data: Duration::from_secs(120),
            block: Duration::from_secs(180),
            dot: Duration::from_secs(600),
            quit: Duration::from_secs(1),
            overall: None,
        }
    }

    /// The least that a sending server has to wait (RFC 5321 §4.5.3.2).
    pub const fn patient() -> Self {
        Self {
            connect: Duration::from_secs(60),
            banner: Duration::from_secs(300),
            short: Duration::from_secs(300),
            tls: Duration::from_secs(120),
            mail: Duration::from_secs(300),
            rcpt: Duration::from_secs(300),
            data: Duration::from_secs(120),
            block: Duration::from_secs(180),
            dot: Duration::from_secs(600),
            quit: Duration::from_secs(5),
            overall: None,
        }
    }

    /// The same, but the whole conversation has to be over by then.
    #[must_use]
    pub fn until(self, overall: Instant) -> Self {
        Self {
            overall: Some(overall),
            ..self
        }
    }

    /// The limit of a stage.
    pub const fn of(&self, stage: Stage) -> Duration {
        match stage {
            Stage::Connect => self.connect,
            Stage::Banner => self.banner,
            Stage::Handshake => self.tls,
            Stage::Auth | Stage::Mail => self.mail,
            Stage::Rcpt => self.rcpt,
            Stage::Data => self.data,
            Stage::Body => self.block,
            Stage::Dot => self.dot,
            Stage::Quit => self.quit,
            Stage::Ehlo | Stage::StartTls | Stage::Rset | Stage::Other => self.short,
        }
    }

    /// When a stage that begins now has to be over.
    pub fn end_of(&self, stage: Stage) -> Instant {
        let end = Instant::now() + self.of(stage);
        self.overall.map_or(end, |overall| overall.min(end))
    }
}
