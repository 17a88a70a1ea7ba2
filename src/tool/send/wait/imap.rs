//! A mailbox of an IMAP server, looked into again and again: the folder that was named, and those
//! for junk.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::send::imap::{Account, Folder, Session, Trouble};
use crate::send::token::Token;

use super::Found;

/// Folders for junk that are looked into.
const MOST_JUNK: usize = 5;
/// Between two looks, at first and later.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// A mailbox.
#[derive(Debug)]
pub struct Mailbox {
    account: Account,
    folder: String,
    since: DateTime<Utc>,
    session: Option<Session>,
    folders: Vec<Folder>,
    seen: HashSet<(String, u32)>,
    next: Instant,
    pause: Duration,
    lasting: Option<Trouble>,
}

impl Mailbox {
    /// A folder of an account, from this moment on.
    pub fn new(account: Account, folder: &str, since: DateTime<Utc>) -> Self {
        Self {
            account,
            folder: folder.to_string(),
            since,
            session: None,
            folders: Vec::new(),
            seen: HashSet::new(),
            next: Instant::now(),
            pause: PAUSES.0,
            lasting: None,
        }
    }

    /// What is new. A broken connection is made again at the next look.
    pub async fn look(&mut self, token: &Token, until: Instant) -> Result<Vec<Found>, Trouble> {
        if Instant::now() < self.next {
            return Ok(Vec::new());
        }
        if let Some(trouble) = &self.lasting {
            return Err(trouble.clone());
        }
        let found = self.look_now(token, until).await;
        self.next = Instant::now() + self.pause;
        self.pause = (self.pause * 3 / 2).min(PAUSES.1);
        if let Err(trouble) = &found {
            self.session = None;
            if trouble.is_lasting() {
                self.lasting = Some(trouble.clone());
            }
        }
        found
    }

    /// Ends the connection.
    pub async fn close(&mut self) {
        if let Some(mut session) = self.session.take() {
            session.extend(Instant::now() + Duration::from_secs(1));
            session.leave().await;
        }
    }

    /// Why it will never be of use; `None`: it may.
    pub const fn is_useless(&self) -> bool {
        self.lasting.is_some()
    }

    async fn look_now(&mut self, token: &Token, until: Instant) -> Result<Vec<Found>, Trouble> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => {
                let mut session = Session::open(&self.account, until, self.since).await?;
                self.folders = self.choose(session.folders().await?);
                session
            }
        };
        session.extend(until);
        let mut found = Vec::new();
        for folder in &self.folders {
            let searched = session
                .search(&folder.name, token.as_str(), self.since)
                .await;
            let numbers = match searched {
                Ok(numbers) => numbers,
                // A folder for junk that cannot be opened is not what was asked for.
                Err(Trouble::Refused(..)) if folder.junk => continue,
                Err(trouble) => return Err(trouble),
            };
            for uid in numbers {
                if self.seen.contains(&(folder.name.clone(), uid)) {
                    continue;
                }
                if let Some(message) = session.fetch(uid).await? {
                    found.push(Found {
                        message,
                        place: format!("{} ({})", folder.name, self.account.host),
                        junk: folder.junk,
                    });
                }
                self.seen.insert((folder.name.clone(), uid));
            }
        }
        self.session = Some(session);
        Ok(found)
    }

    /// The folder that was named and those for junk.
    fn choose(&self, all: Vec<Folder>) -> Vec<Folder> {
        let named = |f: &Folder| f.name.eq_ignore_ascii_case(&self.folder);
        let first = all.iter().find(|f| named(f)).cloned();
        let mut chosen = vec![first.unwrap_or_else(|| Folder {
            name: self.folder.clone(),
            junk: false,
        })];
        let junk = all
            .into_iter()
            .filter(|f| f.junk && !f.name.eq_ignore_ascii_case(&self.folder));
        chosen.extend(junk.take(MOST_JUNK));
        chosen
    }
}
