//! A small IMAP client (RFC 9051, and RFC 3501 where servers are older): logs in, looks for the
//! token, reads what it finds, and changes nothing.

mod parse;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use data_encoding::BASE64;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::smtp::sasl::{Credentials, Secret};
use crate::smtp::tls::Roots;
use crate::smtp::tls::{self, Duplex};

use parse::{folder, literal, quoted, words};

/// Octets of a line.
const LONGEST_LINE: usize = 64 << 10;
/// Octets of a literal; of a longer message only the beginning is asked for.
const LONGEST_LITERAL: usize = 1 << 20;
/// Octets of everything in answer to one command: one message is the longest of them.
const MOST_OCTETS: usize = 4 << 20;
/// Lines in answer to one command.
const MOST_LINES: usize = 20_000;
/// How long one command may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How TLS comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// From the first octet, as on port 993 (RFC 8314).
    Implicit,
    /// By STARTTLS where it is offered; on this machine in clear, too.
    StartTls,
}

/// Where to go and who to be.
#[derive(Debug, Clone)]
pub struct Account {
    /// The server's name.
    pub host: String,
    /// Its address.
    pub at: SocketAddr,
    /// How TLS comes about.
    pub encryption: Encryption,
    /// Who logs in.
    pub credentials: Credentials,
    /// Whom to trust with certificates.
    pub roots: Arc<Roots>,
}

/// Why a mailbox cannot be looked into.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The connection did not come about, or broke.
    #[error("IMAP {0}: {1}")]
    Connection(SocketAddr, String),
    /// The server did not say what was to be expected.
    #[error("IMAP {0}: the server says no to {1}: {2}")]
    Refused(SocketAddr, &'static str, String),
    /// What came is no IMAP.
    #[error("IMAP {0}: what the server sends is no IMAP")]
    Foreign(SocketAddr),
    /// The certificate cannot be trusted.
    #[error("IMAP {0}: {1}; give --ca-file")]
    Certificate(SocketAddr, String),
    /// The password would be seen.
    #[error("IMAP {0}: no TLS, so the password is not sent; use imaps://")]
    Clear(SocketAddr),
}

impl Trouble {
    /// Whether it will be the same next time.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Connection(..) => false,
            // In a folder that could be opened a server that cannot read a mail now can later.
            Self::Refused(_, command, _) => !matches!(*command, "SEARCH" | "FETCH"),
            _ => true,
        }
    }
}

/// A connection that is logged in.
pub struct Session {
    at: SocketAddr,
    stream: Box<dyn Duplex>,
    ahead: Vec<u8>,
    tags: u32,
    until: Instant,
    /// The server knows us without a login (PREAUTH).
    known: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// One line of the server, with the literals that stood in it taken out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Line {
    text: String,
    literals: Vec<Vec<u8>>,
}

impl Line {
    fn octets(&self) -> usize {
        self.text.len() + self.literals.iter().map(Vec::len).sum::<usize>()
    }
}

/// A folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Its name as the server writes it, without quotes.
    pub name: String,
    /// It is marked as the one for junk (RFC 6154).
    pub junk: bool,
}

impl Session {
    /// Connects and logs in.
    pub async fn open(
        account: &Account,
        until: Instant,
        now: DateTime<Utc>,
    ) -> Result<Self, Trouble> {
        let at = account.at;
        let broken = |why: String| Trouble::Connection(at, why);
        let end = until.min(Instant::now() + PATIENCE);
        let tcp = timeout_at(end, TcpStream::connect(at)).await;
        let tcp = tcp.map_err(|_| broken("no answer in time".to_string()))?;
        let tcp = tcp.map_err(|error| broken(crate::words::reason(&error)))?;
        let mut session = Self {
            at,
            // In the place of the real one, which is there a moment later.
            stream: Box::new(tokio::io::join(tokio::io::empty(), tokio::io::sink())),
            ahead: Vec::new(),
            tags: 0,
            until,
            known: false,
        };
        let near = at.ip().to_canonical().is_loopback();
        if account.encryption == Encryption::Implicit {
            session.encrypt(tcp, account, end, now).await?;
            let line = session.line().await?;
            session.greeting(&line.text)?;
        } else {
            let tcp = session.clear(tcp, account, end, near, now).await?;
            if let Some(tcp) = tcp {
                session.stream = Box::new(tcp);
            }
        }
        if !session.known {
            session.log_in(&account.credentials).await?;
        }
        Ok(session)
    }

    /// Begins in clear; gives the connection back when it stays so.
    async fn clear(
        &mut self,
        tcp: TcpStream,
        account: &Account,
        end: Instant,
        near: bool,
        now: DateTime<Utc>,
    ) -> Result<Option<TcpStream>, Trouble> {
        // The words before TLS are few, so they are spoken over the bare connection.
        let mut tcp = Plain {
            tcp,
            at: self.at,
            end,
        };
        let greeting = tcp.line().await?;
        self.greeting(greeting.trim_end())?;
        let offers = tcp.ask("a1 CAPABILITY\r\n").await?;
        // STARTTLS is for those who are not known yet (RFC 9051 section 6.2.1).
        if self.known || !offers.to_ascii_uppercase().contains("STARTTLS") {
            return if near {
                Ok(Some(tcp.tcp))
            } else {
                Err(Trouble::Clear(self.at))
            };
        }
        let answer = tcp.ask("a2 STARTTLS\r\n").await?;
        let last = answer.lines().last().unwrap_or_default();
        if !last.to_ascii_uppercase().starts_with("A2 OK") {
            let said = last.split_once(' ').map_or(last, |(_, said)| said);
            return Err(Trouble::Refused(self.at, "STARTTLS", words(said)));
        }
        self.encrypt(tcp.tcp, account, end, now).await?;
        Ok(None)
    }

    async fn encrypt(
        &mut self,
        tcp: TcpStream,
        account: &Account,
        end: Instant,
        now: DateTime<Utc>,
    ) -> Result<(), Trouble> {
        let shaken = tls::over(tcp, &account.host, end).await;
        let (stream, session) =
            shaken.map_err(|trouble| Trouble::Connection(self.at, trouble.to_string()))?;
        // On this machine nobody can come between.
        if !self.at.ip().to_canonical().is_loopback() {
            let opinion = account.roots.judge(&session, &account.host, now);
            if let Some(why) = super::hand_over::distrust(&opinion, &account.host) {
                return Err(Trouble::Certificate(self.at, why));
            }
        }
        self.stream = stream;
        Ok(())
    }

    fn greeting(&mut self, text: &str) -> Result<(), Trouble> {
        let upper = text.to_ascii_uppercase();
        if upper.starts_with("* BYE") {
            // Too many connections now, perhaps, and not the next time.
            return Err(Trouble::Connection(self.at, words(text)));
        }
        self.known = upper.starts_with("* PREAUTH");
        if self.known || upper.starts_with("* OK") {
            return Ok(());
        }
        Err(Trouble::Foreign(self.at))
    }

    async fn log_in(&mut self, credentials: &Credentials) -> Result<(), Trouble> {
        let Secret::Password(password) = &credentials.secret else {
            return Err(Trouble::Refused(
                self.at,
                "the login",
                "a password is needed".to_string(),
            ));
        };
        let offers = self.command("CAPABILITY", "CAPABILITY").await?;
        let offers: String = offers
            .iter()
            .map(|line| line.text.to_ascii_uppercase() + " ")
            .collect();
        let offered = |name: &str| offers.split_whitespace().any(|offer| offer == name);
        if offered("AUTH=PLAIN") {
            let plain = BASE64.encode(format!("\0{}\0{password}", credentials.user).as_bytes());
            let tag = self.tag();
            self.send(format!("{tag} AUTHENTICATE PLAIN\r\n").as_bytes())
                .await?;
            let line = self.line().await?;
            if line.text.starts_with('+') {
                self.send(format!("{plain}\r\n").as_bytes()).await?;
                self.until_tag(&tag, "the login").await?;
                return Ok(());
            }
            let said = line.text.strip_prefix(&format!("{tag} "));
            let said = said.unwrap_or(&line.text);
            return Err(Trouble::Refused(self.at, "the login", words(said)));
        }
        if offered("LOGINDISABLED") {
            return Err(Trouble::Clear(self.at));
        }
        // A quoted string cannot hold line breaks (RFC 9051 section 4.3).
        if credentials.user.contains(['\r', '\n']) || password.contains(['\r', '\n']) {
            return Err(Trouble::Refused(
                self.at,
                "the login",
                "line break in it".to_string(),
            ));
        }
        let command = format!("LOGIN {} {}", quoted(&credentials.user), quoted(password));
        self.command(&command, "the login").await.map(|_| ())
    }

    /// All folders that can be looked into.
    pub async fn folders(&mut self) -> Result<Vec<Folder>, Trouble> {
        let lines = self.command("LIST \"\" \"*\"", "LIST").await?;
        Ok(lines.iter().filter_map(folder).collect())
    }

    /// The numbers (UID) of the messages in a folder that hold the token.
    pub async fn search(
        &mut self,
        folder: &str,
        token: &str,
        since: DateTime<Utc>,
    ) -> Result<Vec<u32>, Trouble> {
        // EXAMINE is SELECT that changes nothing, not even \Recent.
        self.command(&format!("EXAMINE {}", quoted(folder)), "EXAMINE")
            .await?;
        // The day is that of the server's zone.
        let since = (since - chrono::Duration::days(1)).format("%-d-%b-%Y");
        let command =
            format!("UID SEARCH SINCE {since} OR HEADER X-Mailtrace-Test {token} TEXT {token}");
        let lines = self.command(&command, "SEARCH").await?;
        let numbers = lines
            .iter()
            .filter_map(|line| line.text.strip_prefix("* SEARCH"));
        let numbers = numbers.flat_map(str::split_whitespace);
        Ok(numbers.filter_map(|n| n.parse().ok()).collect())
    }

    /// One message, or its beginning; `None`: it has gone.
    pub async fn fetch(&mut self, uid: u32) -> Result<Option<Vec<u8>>, Trouble> {
        let command = format!("UID FETCH {uid} (BODY.PEEK[]<0.{LONGEST_LITERAL}>)");
        let lines = self.command(&command, "FETCH").await?;
        Ok(lines
            .into_iter()
            .find_map(|line| line.literals.into_iter().next()))
    }

    /// Says goodbye.
    pub async fn leave(mut self) {
        let _ = self.command("LOGOUT", "LOGOUT").await;
    }

    /// Until when there is patience.
    pub fn extend(&mut self, until: Instant) {
        self.until = until;
    }

    fn tag(&mut self) -> String {
        self.tags += 1;
        format!("m{}", self.tags)
    }

    /// Says a command; gives the untagged lines of the answer. `name` is what it is called in
    /// words: the command itself may hold a password.
    async fn command(&mut self, command: &str, name: &'static str) -> Result<Vec<Line>, Trouble> {
        let tag = self.tag();
        self.send(format!("{tag} {command}\r\n").as_bytes()).await?;
        self.until_tag(&tag, name).await
    }

    async fn until_tag(&mut self, tag: &str, name: &'static str) -> Result<Vec<Line>, Trouble> {
        let mut lines = Vec::new();
        let mut octets = 0;
        while lines.len() < MOST_LINES && octets < MOST_OCTETS {
            let line = self.line().await?;
            octets += line.octets();
            match line
                .text
                .strip_prefix(tag)
                .and_then(|rest| rest.strip_prefix(' '))
            {
                Some(rest) if rest.to_ascii_uppercase().starts_with("OK") => return Ok(lines),
                Some(rest) => return Err(Trouble::Refused(self.at, name, words(rest))),
                None if line.text.starts_with("* BYE") && name != "LOGOUT" => {
                    return Err(Trouble::Connection(self.at, words(&line.text)));
                }
                None => lines.push(line),
            }
        }
        Err(Trouble::Foreign(self.at))
    }

    async fn send(&mut self, octets: &[u8]) -> Result<(), Trouble> {
        let at = self.at;
        let end = self.until.min(Instant::now() + PATIENCE);
        let writing = async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        };
        let done = timeout_at(end, writing).await;
        let done = done.map_err(|_| Trouble::Connection(at, "no answer in time".to_string()))?;
        done.map_err(|error| Trouble::Connection(at, crate::words::reason(&error)))
    }

    /// One line with its literals.
    async fn line(&mut self) -> Result<Line, Trouble> {
        let end = self.until.min(Instant::now() + PATIENCE);
        let mut line = Line::default();
        loop {
            let octets = self.raw_line(end).await?;
            let text = String::from_utf8_lossy(&octets);
            let text = text.trim_end_matches(['\r', '\n']);
            line.text.push_str(text);
            if line.text.len() > LONGEST_LINE {
                return Err(Trouble::Foreign(self.at));
            }
            let Some(size) = literal(text) else {
                return Ok(line);
            };
            if size > LONGEST_LITERAL || line.octets() > MOST_OCTETS {
                return Err(Trouble::Foreign(self.at));
            }
            while self.ahead.len() < size {
                self.more(end).await?;
            }
            let rest = self.ahead.split_off(size);
            line.literals.push(std::mem::replace(&mut self.ahead, rest));
        }
    }

    async fn raw_line(&mut self, end: Instant) -> Result<Vec<u8>, Trouble> {
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.ahead) {
                let rest = self.ahead.split_off(at + 1);
                return Ok(std::mem::replace(&mut self.ahead, rest));
            }
            if self.ahead.len() > LONGEST_LINE {
                return Err(Trouble::Foreign(self.at));
            }
            self.more(end).await?;
        }
    }

    async fn more(&mut self, end: Instant) -> Result<(), Trouble> {
        let at = self.at;
        let mut block = [0; 8 << 10];
        let read = timeout_at(end, self.stream.read(&mut block)).await;
        let read = read.map_err(|_| Trouble::Connection(at, "no answer in time".to_string()))?;
        let read = read.map_err(|error| Trouble::Connection(at, crate::words::reason(&error)))?;
        if read == 0 {
            return Err(Trouble::Connection(
                at,
                "the server closed the connection".to_string(),
            ));
        }
        self.ahead
            .extend_from_slice(block.get(..read).unwrap_or_default());
        Ok(())
    }
}

/// The few words before TLS.
struct Plain {
    tcp: TcpStream,
    at: SocketAddr,
    end: Instant,
}

impl Plain {
    async fn ask(&mut self, command: &str) -> Result<String, Trouble> {
        let at = self.at;
        let tag = command.split(' ').next().unwrap_or_default().to_string();
        let sent = self.tcp.write_all(command.as_bytes()).await;
        sent.map_err(|error| Trouble::Connection(at, crate::words::reason(&error)))?;
        let mut said = String::new();
        loop {
            let line = self.line().await?;
            said.push_str(&line);
            if line.starts_with(&tag) {
                return Ok(said);
            }
            if said.len() > LONGEST_LINE {
                return Err(Trouble::Foreign(at));
            }
        }
    }

    /// Octet by octet, so that nothing of the handshake is read ahead.
    async fn line(&mut self) -> Result<String, Trouble> {
        let at = self.at;
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            let read = timeout_at(self.end, self.tcp.read_u8()).await;
            let read =
                read.map_err(|_| Trouble::Connection(at, "no answer in time".to_string()))?;
            line.push(read.map_err(|error| Trouble::Connection(at, crate::words::reason(&error)))?);
            if line.len() > LONGEST_LINE {
                return Err(Trouble::Foreign(at));
            }
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}
