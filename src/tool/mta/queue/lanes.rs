//! The threads that write. Whoever is free takes all that waits, writes it in one piece, syncs
//! once, and wakes everybody (group commit). There are a few of them, each with a file of its
//! own: while one waits for the disk the next one fills, and disks finish several flushes at a
//! time sooner than one after the other.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::StoreError;
use super::big::Spilled;
use super::id::QueueId;
use super::record;
use super::segment::{Segment, is_full, lock};
use super::store::{Arrival, Store};
use super::text::{Place, Text};
use crate::mta::envelope::Envelope;

/// Threads that write.
pub(super) const LANES: usize = 3;

/// A message to be kept, and who waits for it.
pub(super) struct Keep {
    pub(super) id: QueueId,
    pub(super) envelope: Envelope,
    pub(super) text: Vec<u8>,
    pub(super) big: Option<Spilled>,
    pub(super) done: oneshot::Sender<Result<QueueId, StoreError>>,
}

/// What waits for a lane.
#[derive(Default)]
pub(super) struct Jobs {
    waiting: Mutex<Waiting>,
    bell: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Keep>,
    closed: bool,
}

impl Jobs {
    /// Puts a message in line.
    pub(super) fn push(&self, keep: Keep) {
        lock(&self.waiting).jobs.push_back(keep);
        self.bell.notify_one();
    }

    /// What is in line is still done, then the lanes end.
    pub(super) fn close(&self) {
        lock(&self.waiting).closed = true;
        self.bell.notify_all();
    }

    /// Everything that waits; `None` when it is over.
    fn take(&self) -> Option<VecDeque<Keep>> {
        let mut waiting = lock(&self.waiting);
        loop {
            if !waiting.jobs.is_empty() {
                return Some(std::mem::take(&mut waiting.jobs));
            }
            if waiting.closed {
                return None;
            }
            let woken = self.bell.wait(waiting);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// One of the threads.
pub(super) struct Lane {
    store: Arc<Store>,
    current: Option<Arc<Segment>>,
    buffer: Vec<u8>,
}

impl Lane {
    pub(super) const fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            current: None,
            buffer: Vec::new(),
        }
    }

    /// Works until the queue is closed.
    pub(super) fn run(mut self) {
        /// A buffer that one big batch has blown up is not kept.
        const KEPT: usize = 1 << 20;
        while let Some(jobs) = self.store.jobs.take() {
            self.keep(jobs.into());
            self.buffer.clear();
            self.buffer.shrink_to(KEPT);
        }
    }

    fn keep(&mut self, keeps: Vec<Keep>) {
        let segment = match self.with_room(Self::segment) {
            Ok(segment) => segment,
            Err(error) => return refuse(keeps, &error),
        };
        // Texts in files of their own are made durable before a record speaks of them.
        let (keeps, failed): (Vec<_>, Vec<_>) = keeps
            .into_iter()
            .map(|keep| {
                let settled = keep.big.as_ref().map_or(Ok(()), |big| big.settle(keep.id));
                (keep, settled)
            })
            .partition(|(_, settled)| settled.is_ok());
        for (keep, settled) in failed {
            if let Err(error) = settled {
                refuse(vec![keep], &error);
            }
        }
        let keeps: Vec<_> = keeps.into_iter().map(|(keep, _)| keep).collect();
        self.buffer.clear();
        let mut texts = Vec::with_capacity(keeps.len());
        for keep in &keeps {
            let start = self.buffer.len();
            let mut record = Vec::new();
            let big = keep.big.as_ref().map(|big| (big.octets, big.sum()));
            let key = &segment.key;
            let within =
                record::write_message(&mut record, key, keep.id, &keep.envelope, &keep.text, big);
            self.buffer.extend_from_slice(&record);
            texts.push((start + within) as u64);
        }
        segment.live.fetch_add(keeps.len(), Ordering::AcqRel);
        let appended = self.with_room(|lane| segment.append(&lane.buffer));
        let written = appended.and_then(|at| segment.sync().map(|()| at));
        let at = match written {
            Ok(at) => at,
            Err(error) => {
                // The records may be there all the same; nobody was told that they are, and after
                // a failed sync nothing more is written to this file.
                segment.live.fetch_sub(keeps.len(), Ordering::AcqRel);
                self.current = None;
                self.store.seal(&segment);
                self.store
                    .disown(&segment, keeps.iter().map(|keep| keep.id));
                return refuse(keeps, &error);
            }
        };
        let mut arrivals = Vec::with_capacity(keeps.len());
        let mut waiting = Vec::with_capacity(keeps.len());
        for (keep, within) in keeps.into_iter().zip(texts) {
            let text = match keep.big {
                Some(big) => Text(Place::File(big.path(keep.id), big.octets)),
                None => self.store.text(keep.text, &segment, at + within),
            };
            arrivals.push(Arrival {
                id: keep.id,
                envelope: Arc::new(keep.envelope),
                text,
                home: segment.clone(),
            });
            waiting.push((keep.id, keep.done));
        }
        self.store.arrived(arrivals);
        for (id, done) in waiting {
            // A session that is gone by now gets its message delivered all the same.
            drop(done.send(Ok(id)));
        }
        if segment.is_full() {
            self.current = None;
            self.store.seal(&segment);
        }
    }

    /// Does something that needs room; when there is none, makes some and tries once more.
    fn with_room<T>(&mut self, act: impl Fn(&mut Self) -> io::Result<T>) -> io::Result<T> {
        match act(self) {
            Err(error) if is_full(&error) => {
                self.store.shrink();
                act(self)
            }
            other => other,
        }
    }

    /// The file that this lane writes to.
    fn segment(&mut self) -> io::Result<Arc<Segment>> {
        if let Some(segment) = &self.current {
            return Ok(segment.clone());
        }
        let segment = self.store.new_segment()?;
        self.current = Some(segment.clone());
        Ok(segment)
    }
}

fn refuse(keeps: Vec<Keep>, error: &io::Error) {
    for keep in keeps {
        drop(keep.done.send(Err(StoreError::of(error))));
    }
}

impl StoreError {
    /// What a trouble of the disk means for the client.
    pub(super) fn of(error: &io::Error) -> Self {
        if is_full(error) {
            return Self::Full;
        }
        // An io::Error cannot be copied, and several sessions may wait for the same write.
        Self::Io(io::Error::new(error.kind(), error.to_string()))
    }
}
