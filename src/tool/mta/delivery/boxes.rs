//! The threads that deliver into Maildirs: whoever is free takes all that waits.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::SystemTime;

use super::desk::{Desk, Work};
use super::outcome::{Verdict, status};
use crate::mta::maildir::{self, Letter, Placed, Trace};
use crate::mta::queue::{Outcome, State, lock};

/// Threads.
pub(super) const THREADS: usize = 2;
/// Messages delivered with one sync.
const MOST: usize = 256;
/// Octets of these.
const MOST_OCTETS: u64 = 8 << 20;

/// One recipient of one message, for a mailbox here.
pub(super) struct Post {
    pub(super) work: std::sync::Arc<Work>,
    pub(super) n: usize,
    pub(super) dir: PathBuf,
    pub(super) quota: Option<u64>,
}

/// What waits to be delivered.
#[derive(Default)]
pub(super) struct Boxes {
    waiting: Mutex<(VecDeque<Post>, bool)>,
    bell: Condvar,
}

impl Boxes {
    pub(super) fn push(&self, posts: impl IntoIterator<Item = Post>) {
        lock(&self.waiting).0.extend(posts);
        self.bell.notify_one();
    }

    /// What is in line is still done.
    pub(super) fn close(&self) {
        lock(&self.waiting).1 = true;
        self.bell.notify_all();
    }

    fn take(&self) -> Option<Vec<Post>> {
        let mut waiting = lock(&self.waiting);
        loop {
            if !waiting.0.is_empty() {
                let (mut posts, mut octets) = (Vec::new(), 0);
                while posts.len() < MOST
                    && octets <= MOST_OCTETS
                    && let Some(post) = waiting.0.pop_front()
                {
                    octets += post.work.entry.text.octets();
                    posts.push(post);
                }
                if !waiting.0.is_empty() {
                    self.bell.notify_one();
                }
                return Some(posts);
            }
            if waiting.1 {
                return None;
            }
            let woken = self.bell.wait(waiting);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// One of the threads.
    pub(super) fn run(&self, desk: &Desk) {
        while let Some(posts) = self.take() {
            deliver(posts, desk);
        }
    }
}

fn deliver(posts: Vec<Post>, desk: &Desk) {
    let now = desk.clock.now();
    let mut letters = Vec::with_capacity(posts.len());
    let mut open = Vec::with_capacity(posts.len());
    for post in posts {
        match letter(&post, desk, now) {
            Ok(letter) => {
                letters.push(letter);
                open.push(post);
            }
            Err(early) => {
                let (state, outcome) = *early;
                settle(desk, &post, state, outcome);
            }
        }
    }
    let placed = maildir::place(&letters);
    drop(letters);
    for (post, placed) in open.iter().zip(placed) {
        let (state, outcome) = outcome(&placed, now);
        settle(desk, post, state, outcome);
    }
}

fn settle(desk: &Desk, post: &Post, state: State, outcome: Outcome) {
    let verdict = Verdict {
        n: post.n,
        state,
        outcome,
        told_elsewhere: false,
    };
    desk.settle(&post.work, vec![verdict]);
}

fn letter(post: &Post, desk: &Desk, now: SystemTime) -> Result<Letter, Box<(State, Outcome)>> {
    let entry = &post.work.entry;
    let failed = |error: &io::Error| Box::new(outcome(&Placed::Failed(copy(error)), now));
    let text = entry.text.load().map_err(|error| failed(&error))?;
    let recipient = entry.envelope.recipients.get(post.n);
    let recipient = recipient.map(|r| r.address.to_string()).unwrap_or_default();
    if maildir::was_here(text.as_ref(), &recipient) {
        let words = "the message has been in this mailbox before: it runs in circles";
        let outcome = Outcome::local(now, status(5, 4, 6), words);
        return Err(Box::new((State::Failed, outcome)));
    }
    let sender = entry.envelope.sender.as_ref();
    let trace = Trace {
        sender: sender.map(ToString::to_string).unwrap_or_default(),
        recipient,
    };
    let content = maildir::final_form(text.as_ref(), &trace);
    Ok(Letter {
        name: maildir::name(
            entry.id,
            desk.queue.place(),
            post.n,
            &desk.settings.host,
            content.len(),
        ),
        dir: post.dir.clone(),
        quota: post.quota,
        content,
        again: entry.tries > 0 || entry.again,
    })
}

fn copy(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

fn outcome(placed: &Placed, now: SystemTime) -> (State, Outcome) {
    match placed {
        Placed::There => {
            let words = "delivered to the mailbox";
            (
                State::Delivered,
                Outcome::local(now, status(2, 1, 5), words),
            )
        }
        Placed::Full => {
            let words = "the mailbox is full (over quota)";
            (State::Failed, Outcome::local(now, status(5, 2, 2), words))
        }
        Placed::Failed(error) => {
            let full = matches!(error.kind(), io::ErrorKind::StorageFull);
            let code = if full {
                status(4, 3, 1)
            } else {
                status(4, 3, 0)
            };
            let why = crate::words::reason(error);
            let words = format!("the mailbox cannot be written to: {why}");
            (State::Waiting, Outcome::local(now, code, &words))
        }
    }
}
