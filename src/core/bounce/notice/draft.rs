//! What is being put together about one recipient, before it becomes a [`Statement`].

use chrono::{DateTime, FixedOffset};

use crate::bounce::explanation::{Action, Command, Remote};
use crate::message::layer::{Block, Content, Place};
use crate::message::status::EnhancedCode;

use super::page::squeeze;
use super::{Quote, Statement, Voice, marks, remote};

/// A notice that names more recipients than this is cut off: no real one does.
pub(super) const MAX_RECIPIENTS: usize = 2_000;

/// The words about one recipient are cut off behind this many quotes.
pub(super) const MAX_QUOTES: usize = 12;

/// A quote longer than this many bytes is cut off.
const MAX_QUOTE: usize = 4_000;

/// Words and where they start in their block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) text: String,
    pub(super) at: usize,
    pub(super) voice: Voice,
    /// The line of the input, once it is known.
    pub(super) line: Option<u32>,
    /// The roles of the phrases in it, when a scan of the whole text told them.
    pub(super) roles: Option<u32>,
}

impl Words {
    /// Lines are joined by blanks; what is too long is cut off.
    pub(super) fn new(text: &str, at: usize, voice: Voice) -> Self {
        let end = text.floor_char_boundary(MAX_QUOTE);
        Self {
            text: squeeze(text.get(..end).unwrap_or_default()),
            at,
            voice,
            line: None,
            roles: None,
        }
    }

    /// With the roles of its phrases.
    pub(super) fn with_roles(mut self, roles: u32) -> Self {
        self.roles = Some(roles);
        self
    }

    /// The roles of the phrases in it.
    pub(super) fn roles(&self) -> u32 {
        self.roles.unwrap_or_else(|| marks::roles_of(&self.text))
    }
}

/// True for an address that the Internet understands: with a domain of several names.
fn is_whole(address: &str) -> bool {
    address
        .rsplit_once('@')
        .is_some_and(|(_, domain)| domain.contains('.') || domain.starts_with('['))
}

/// One recipient.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Draft {
    pub(super) address: Option<String>,
    pub(super) alias: Option<String>,
    pub(super) actual: Option<String>,
    pub(super) action: Option<Action>,
    pub(super) status: Option<EnhancedCode>,
    pub(super) remote: Remote,
    pub(super) command: Option<Command>,
    pub(super) retry_until: Option<DateTime<FixedOffset>>,
    pub(super) expired: bool,
    pub(super) words: Vec<Words>,
}

impl Draft {
    /// True when `address` is one of the addresses of this recipient.
    pub(super) fn is(&self, address: &str) -> bool {
        [&self.address, &self.alias]
            .into_iter()
            .flatten()
            .any(|own| own.eq_ignore_ascii_case(address))
    }

    /// True when the server on the other side is quoted.
    pub(super) fn has_remote(&self) -> bool {
        self.words.iter().any(|w| w.voice == Voice::Remote)
    }

    /// Takes over what another source says about the same recipient; what is known stays.
    pub(super) fn merge(&mut self, other: Self) {
        if self.alias.is_none()
            && let Some(alias) = other.alias.or(other.address)
            && !self.is(&alias)
        {
            self.alias = Some(alias);
        }
        self.action = self.action.or(other.action);
        self.status = self.status.or(other.status);
        self.remote.host = self.remote.host.take().or(other.remote.host);
        self.remote.ip = self.remote.ip.or(other.remote.ip);
        self.command = self.command.or(other.command);
        self.retry_until = self.retry_until.or(other.retry_until);
        self.expired |= other.expired;
        self.words.extend(other.words);
    }

    /// The finished statement: quotes in the order of trust, none twice.
    pub(super) fn finish(mut self) -> Statement {
        self.words.sort_by_key(|w| w.voice);
        if self.remote == Remote::default() {
            let spoken = self.words.iter().filter(|w| w.voice != Voice::Prose);
            self.remote = spoken
                .map(|w| remote::of(&w.text))
                .find(|r| *r != Remote::default())
                .unwrap_or_default();
        }
        let mut quotes: Vec<Quote> = Vec::with_capacity(self.words.len().min(MAX_QUOTES));
        for words in self.words {
            let known = quotes.iter().any(|q| {
                q.voice <= words.voice
                    && q.text.len() >= words.text.len()
                    && q.text.contains(&words.text)
            });
            if !words.text.is_empty() && !known && quotes.len() < MAX_QUOTES {
                quotes.push(Quote {
                    text: words.text,
                    line: words.line,
                    voice: words.voice,
                });
            }
        }
        // `lucy@ims-ms-daemon`, `mary`: what the server calls the mailbox inside is no address that
        // anybody wrote to.
        if self.alias.as_deref().is_some_and(is_whole)
            && self.address.as_deref().is_some_and(|a| !is_whole(a))
        {
            self.address = self.alias.take();
        }
        if self.alias.as_ref().is_some_and(|a| {
            self.address
                .as_ref()
                .is_some_and(|own| own.eq_ignore_ascii_case(a))
        }) {
            self.alias = None;
        }
        Statement {
            address: self.address,
            original_address: self.alias,
            action: self.action,
            status: self.status,
            remote: self.remote,
            command: self.command,
            retry_until: self.retry_until,
            expired: self.expired,
            feedback: None,
            quotes,
        }
    }
}

/// Writes into the words of drafts in which line of the input they stand.
pub(super) fn place(drafts: &mut [Draft], block: &Block<'_>) {
    let mut liner = Liner { block, last: None };
    for words in drafts.iter_mut().flat_map(|d| d.words.iter_mut()) {
        if words.line.is_none() {
            words.line = liner.line(words.at);
        }
    }
}

/// Finds lines one after the other without counting from the start of the input each time.
struct Liner<'a> {
    block: &'a Block<'a>,
    last: Option<(usize, u32)>,
}

impl Liner<'_> {
    fn line(&mut self, at: usize) -> Option<u32> {
        let line = match (self.last, &self.block.content, &self.block.place) {
            (Some((from, line)), Content::Text(text), Place::Direct { .. }) if from <= at => {
                let between = text.as_bytes().get(from..at).unwrap_or_default();
                line + u32::try_from(memchr::memchr_iter(b'\n', between).count()).unwrap_or(0)
            }
            _ => self.block.line_at(at)?,
        };
        // HTML is shown as another text than its content.
        if self.block.kind != crate::message::layer::BlockKind::Html {
            self.last = Some((at, line));
        }
        Some(line)
    }
}
