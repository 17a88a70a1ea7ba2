//! What the queue holds, in memory and in the files, and the notes that keep both alike.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use tokio::sync::Notify;

use super::fate::{Fate, State};
use super::id::{Ids, QueueId};
use super::lanes::Jobs;
use super::record::{self, Event};
use super::scribe::Scribe;
use super::segment::{Segment, lock, sync_dir};
use super::text::{HELD, Held, Place, Text};
use crate::mta::envelope::Envelope;

/// A file of settled messages that has grown to this is emptied.
const IDLE: u64 = 256 << 10;

/// The inside of the queue, shared by its threads.
pub(super) struct Store {
    pub(super) dir: PathBuf,
    pub(super) ids: Ids,
    pub(super) jobs: Jobs,
    pub(super) notes_made: Scribe,
    index: Mutex<Index>,
    files: AtomicU64,
    notes: AtomicU64,
    held: Arc<AtomicUsize>,
    /// Files that get messages.
    open: Mutex<Vec<Arc<Segment>>>,
    /// Rung when something may be due.
    pub(super) bell: Notify,
}

#[derive(Default)]
struct Index {
    entries: HashMap<QueueId, Entry>,
    /// Those that wait for their time, by that time.
    due: BTreeSet<(SystemTime, QueueId)>,
    /// Notes that a full disk did not take yet.
    unwritten: Vec<(Arc<Segment>, Vec<u8>)>,
}

/// A message that was just made durable, or found at the start.
pub(super) struct Arrival {
    pub(super) id: QueueId,
    pub(super) envelope: Arc<Envelope>,
    pub(super) text: Text,
    pub(super) home: Arc<Segment>,
}

/// A message as the queue knows it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its id.
    pub id: QueueId,
    /// Its envelope.
    pub envelope: Arc<Envelope>,
    /// Where its text is.
    pub text: Text,
    /// How each recipient stands, in the order of the envelope.
    pub fates: Vec<Fate>,
    /// When the next attempt is due.
    pub next: SystemTime,
    /// How many attempts there have been.
    pub tries: u32,
    /// Whether it waits for the operator.
    pub held: bool,
    /// Whether somebody works on it.
    pub busy: bool,
    /// Whether an earlier run may have worked on it.
    pub again: bool,
    pub(super) home: Arc<Segment>,
}

impl Entry {
    /// A message nobody has tried to deliver yet.
    pub(super) fn new(arrival: Arrival) -> Self {
        let fates = vec![Fate::default(); arrival.envelope.recipients.len()];
        Self {
            id: arrival.id,
            next: arrival.envelope.received,
            envelope: arrival.envelope,
            text: arrival.text,
            fates,
            tries: 0,
            held: false,
            busy: false,
            again: false,
            home: arrival.home,
        }
    }

    /// Lets a note take effect.
    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::State(n, state, outcome) => {
                if let Some(fate) = self.fates.get_mut(*n) {
                    fate.state = *state;
                    fate.outcome = Some(outcome.clone());
                }
            }
            Event::Next(at, tries) => {
                self.next = *at;
                self.tries = *tries;
            }
            Event::Told(n) => {
                if let Some(fate) = self.fates.get_mut(*n) {
                    fate.told = true;
                }
            }
            Event::Warned(n) => {
                if let Some(fate) = self.fates.get_mut(*n) {
                    fate.warned = true;
                }
            }
            Event::Held(held) => self.held = *held,
            Event::Gone | Event::Removed => {}
        }
    }

    /// Whether some recipient still waits.
    pub fn is_waiting(&self) -> bool {
        self.fates.iter().any(|f| f.state == State::Waiting)
    }
}

impl Store {
    pub(super) fn new(dir: &Path, files: u64, notes: u64) -> Self {
        Self {
            dir: dir.to_path_buf(),
            ids: Ids::default(),
            jobs: Jobs::default(),
            notes_made: Scribe::default(),
            index: Mutex::default(),
            files: AtomicU64::new(files),
            notes: AtomicU64::new(notes),
            held: Arc::default(),
            open: Mutex::default(),
            bell: Notify::new(),
        }
    }

    /// A new file for messages, durable in its directory.
    pub(super) fn new_segment(&self) -> io::Result<Arc<Segment>> {
        let number = self.files.fetch_add(1, Ordering::Relaxed) + 1;
        let dir = self.dir.join("journal");
        let path = dir.join(format!("{number:08}"));
        let segment = Segment::create(path, self.ids.last())?;
        sync_dir(&dir)?;
        let segment = Arc::new(segment);
        lock(&self.open).push(segment.clone());
        Ok(segment)
    }

    /// Octets that the files have room for as they are.
    pub(super) fn slack(&self) -> u64 {
        lock(&self.open).iter().map(|segment| segment.slack()).sum()
    }

    /// On a full disk: gives back what is there for later.
    pub(super) fn shrink(&self) {
        for segment in lock(&self.open).iter() {
            segment.reset_if_idle(0);
            segment.give_back();
        }
    }

    /// Whether every note is in the files.
    pub(super) fn is_written(&self) -> bool {
        lock(&self.index).unwritten.is_empty()
    }

    /// The text of a message: in memory while there is room for it, else where it was written.
    pub(super) fn text(&self, text: Vec<u8>, segment: &Arc<Segment>, at: u64) -> Text {
        let octets = text.len();
        if self.held.fetch_add(octets, Ordering::AcqRel) + octets > HELD {
            self.held.fetch_sub(octets, Ordering::AcqRel);
            return Text::at(segment, at, octets as u64);
        }
        Text(Place::Held(Arc::new(Held::new(text, self.held.clone()))))
    }

    /// Takes messages in that are durable now.
    pub(super) fn arrived(&self, arrivals: Vec<Arrival>) {
        let mut index = lock(&self.index);
        for arrival in arrivals {
            index.insert(Entry::new(arrival));
        }
        drop(index);
        self.bell.notify_one();
    }

    /// Takes messages in that were found at the start.
    pub(super) fn found(&self, entries: Vec<Entry>) {
        let mut index = lock(&self.index);
        for entry in entries {
            index.insert(entry);
        }
    }

    /// Messages whose time has come, at most so many; they are somebody's work from now on.
    pub(super) fn take_due(&self, now: SystemTime, most: usize) -> Vec<Entry> {
        let mut index = lock(&self.index);
        let index = &mut *index;
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(&(at, id)) = index.due.first()
            && at <= now
        {
            index.due.pop_first();
            if let Some(entry) = index.entries.get_mut(&id) {
                entry.busy = true;
                taken.push(entry.clone());
            }
        }
        taken
    }

    /// When the next message is due.
    pub(super) fn next_due(&self) -> Option<SystemTime> {
        lock(&self.index).due.first().map(|(at, _)| *at)
    }

    /// One message as it stands.
    pub(super) fn get(&self, id: QueueId) -> Option<Entry> {
        lock(&self.index).entries.get(&id).cloned()
    }

    /// All messages as they stand, the oldest first.
    pub(super) fn all(&self) -> Vec<Entry> {
        let mut all: Vec<_> = lock(&self.index).entries.values().cloned().collect();
        all.sort_unstable_by_key(|entry| entry.id);
        all
    }

    /// How many messages there are.
    pub(super) fn len(&self) -> usize {
        lock(&self.index).entries.len()
    }

    /// Work on a message is over for now: it waits for its next time.
    pub(super) fn release(&self, id: QueueId) {
        let mut index = lock(&self.index);
        let index = &mut *index;
        if let Some(entry) = index.entries.get_mut(&id) {
            entry.busy = false;
            if !entry.held {
                index.due.insert((entry.next, id));
            }
        }
        self.bell.notify_one();
    }

    /// Notes what happened to a message, in memory and behind the other records of its file.
    /// Durable a moment later.
    pub(super) fn note(&self, id: QueueId, events: &[Event]) {
        let mut index = lock(&self.index);
        let index = &mut *index;
        let Some(entry) = index.entries.get_mut(&id) else {
            return;
        };
        let home = entry.home.clone();
        let mut lines = Vec::with_capacity(128 * events.len());
        let before = (entry.next, id);
        for event in events {
            entry.apply(event);
            let number = self.notes.fetch_add(1, Ordering::Relaxed) + 1;
            record::write_note(&mut lines, &home.key, id, number, event);
        }
        let gone = events
            .iter()
            .any(|e| matches!(e, Event::Gone | Event::Removed));
        if !entry.busy && (entry.next, id) != before || entry.held {
            index.due.remove(&before);
        }
        if gone {
            index.due.remove(&before);
            if let Some(entry) = index.entries.remove(&id)
                && let Place::File(path, _) = &entry.text.0
            {
                // What cannot be removed now is cleared at the next start.
                drop(fs::remove_file(path));
            }
        } else if !entry.busy && !entry.held {
            index.due.insert((entry.next, id));
        }
        index.unwritten.push((home.clone(), lines));
        if gone {
            self.settled(&home);
        }
        while let Some((segment, lines)) = index.unwritten.first() {
            // Of an emptied or removed file nobody will ask.
            let moot = segment.live.load(Ordering::Acquire) == 0 && segment.is_discarded();
            if !moot && segment.append(lines).is_err() {
                self.shrink();
                if segment.append(lines).is_err() {
                    break;
                }
            }
            index.unwritten.remove(0);
        }
        self.notes_made.noted(&home);
    }

    /// The number of the next note.
    pub(super) fn note_number(&self) -> u64 {
        self.notes.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Takes a message that nobody works on; it must be released again.
    pub(super) fn reserve(&self, id: QueueId) -> bool {
        let mut index = lock(&self.index);
        let index = &mut *index;
        let Some(entry) = index.entries.get_mut(&id).filter(|entry| !entry.busy) else {
            return false;
        };
        entry.busy = true;
        index.due.remove(&(entry.next, id));
        true
    }

    /// A message lies in another file now.
    pub(super) fn moved(&self, id: QueueId, home: Arc<Segment>, text: Text) {
        let mut index = lock(&self.index);
        let Some(entry) = index.entries.get_mut(&id) else {
            // It was removed meanwhile; the new file must not bring it back.
            self.discard(&home);
            return;
        };
        let old = std::mem::replace(&mut entry.home, home);
        entry.text = text;
        drop(index);
        // When the note does not get there, both files tell of it, and the later one counts.
        drop(self.forget(id, &old));
        self.settled(&old);
    }

    /// Notes in a file that a message does not lie there any more.
    pub(super) fn forget(&self, id: QueueId, file: &Segment) -> io::Result<()> {
        let mut line = Vec::new();
        record::write_note(&mut line, &file.key, id, self.note_number(), &Event::Gone);
        file.append(&line).map(|_| ())
    }

    /// One message less to care for in this file.
    fn settled(&self, segment: &Segment) {
        let before = segment.live.fetch_sub(1, Ordering::AcqRel);
        if before == 1 && segment.sealed.load(Ordering::Acquire) {
            self.discard(segment);
        } else if before == 1 {
            segment.reset_if_idle(IDLE);
        }
    }

    /// No more messages come into this file.
    pub(super) fn seal(&self, segment: &Segment) {
        segment.sealed.store(true, Ordering::Release);
        lock(&self.open).retain(|other| !std::ptr::eq(other.as_ref(), segment));
        if segment.live.load(Ordering::Acquire) == 0 {
            self.discard(segment);
        }
    }

    /// A file of settled messages only is of no use. That it is gone needs no sync: its notes
    /// tell the same. The latest file stays, it remembers up to where ids were given out.
    fn discard(&self, segment: &Segment) {
        let latest = format!("{:08}", self.files.load(Ordering::Relaxed));
        if segment.path.ends_with(latest) {
            segment.reset_if_idle(0);
        } else {
            segment.discarded.store(true, Ordering::Release);
            drop(fs::remove_file(&segment.path));
        }
    }

    /// Records that may be in a file though nobody was promised anything.
    pub(super) fn disown(&self, segment: &Segment, ids: impl Iterator<Item = QueueId>) {
        let mut lines = Vec::new();
        for id in ids {
            let number = self.notes.fetch_add(1, Ordering::Relaxed) + 1;
            record::write_note(&mut lines, &segment.key, id, number, &Event::Gone);
            drop(fs::remove_file(self.dir.join("big").join(id.to_string())));
        }
        // The disk does not work; if the lines do not get there, the message is delivered once
        // more after the next start, which is what the client that tries again expects.
        drop(segment.append(&lines));
    }
}

impl Index {
    fn insert(&mut self, entry: Entry) {
        if !entry.held {
            self.due.insert((entry.next, entry.id));
        }
        self.entries.insert(entry.id, entry);
    }
}
