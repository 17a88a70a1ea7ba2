//! The queue: a message is on the disk, file and directory, before anybody is told that it was
//! taken, and stays there until every recipient is settled.
//!
//! ```text
//! SPOOL/lock               one server a spool
//! SPOOL/journal/00000012   messages and what became of them, as text, see [`record`]
//! SPOOL/waiting/ID         a message that waits for a later attempt, moved out of the journal
//! SPOOL/incoming/ID        a long text that is still coming in
//! SPOOL/big/ID             a long text
//! ```

mod big;
pub mod control;
mod envelope_text;
pub(crate) use envelope_text::words as notify_words;
pub mod fate;
mod id;
mod lanes;
mod record;
mod recover;
mod scribe;
mod segment;
mod store;
mod text;
mod tidy;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::SystemTime;

use tokio::sync::oneshot;

use big::Spilled;
use lanes::{Keep, LANES, Lane};
use store::Store;

use super::envelope::Envelope;
pub use fate::{Fate, Outcome, State};
pub use id::{BadId, QueueId};
pub use record::Event;
pub(crate) use segment::{lock, sync_dir};
pub use store::Entry;
pub use text::{Loaded, Text};

/// Octets of a text from which on it gets a file of its own.
const BIG: usize = 64 << 10;

/// The queue. A clone is the same queue.
#[derive(Clone)]
pub struct Queue(Arc<Handle>);

struct Handle {
    store: Arc<Store>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// The number of the spool's lock file on its disk.
    place: u64,
    /// Held as long as the queue is open.
    _lock: File,
}

/// Why a message could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no room: 452 4.3.1.
    #[error("the disk is full")]
    Full,
    /// Another trouble of the disk: 451 4.3.0.
    #[error("the disk: {0}")]
    Io(io::Error),
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        Self::of(&error)
    }
}

/// Why a spool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server works in it.
    #[error("{}: another server works in this spool{}; stop it, or choose another --spool", .dir.display(), .pid.as_ref().map(|p| format!(" (process {p})")).unwrap_or_default())]
    Locked {
        /// The spool.
        dir: std::path::PathBuf,
        /// Its process, when it left a note.
        pid: Option<String>,
    },
    /// The disk does not let us.
    #[error("{}: {}", .dir.display(), crate::words::reason(.error))]
    Io {
        /// The spool.
        dir: std::path::PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl Queue {
    /// Opens a spool, which is made when there is none, and takes up what earlier runs left.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let failed = |error| OpenError::Io {
            dir: dir.to_path_buf(),
            error,
        };
        make_dirs(dir).map_err(failed)?;
        let lock = take_lock(dir)?;
        let place = lock.metadata().map_err(failed)?.ino();
        let store = start(dir).map_err(failed)?;
        let mut threads = Vec::with_capacity(LANES);
        for n in 0..LANES {
            let lane = Lane::new(store.clone());
            let thread = std::thread::Builder::new()
                .name(format!("queue-{n}"))
                .spawn(move || lane.run())
                .map_err(failed)?;
            threads.push(thread);
        }
        let scribe = store.clone();
        let thread = std::thread::Builder::new()
            .name("queue-notes".to_string())
            .spawn(move || scribe.notes_made.run(|| scribe.tidy()))
            .map_err(failed)?;
        threads.push(thread);
        Ok(Self(Arc::new(Handle {
            store,
            threads: Mutex::new(threads),
            place,
            _lock: lock,
        })))
    }

    /// A message that is about to come in.
    pub fn draft(&self) -> Draft {
        Draft {
            id: self.0.store.ids.next(),
            queue: self.clone(),
            text: Vec::new(),
            big: None,
        }
    }

    /// A number that no other spool on the same disk has.
    pub fn place(&self) -> u64 {
        self.0.place
    }

    /// Octets that there is room for; `None` when the system does not tell.
    pub(crate) fn room(&self) -> Option<u64> {
        let store = &self.0.store;
        let disk = rustix::fs::statvfs(&store.dir).ok()?;
        // Some file systems have as many files as they like, and say zero.
        let files = disk.f_files == 0 || disk.f_favail > 0;
        let free = if files { disk.f_bavail } else { 0 };
        Some(free.saturating_mul(disk.f_frsize) + store.slack())
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.0.store.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All messages as they stand, the oldest first.
    pub fn all(&self) -> Vec<Entry> {
        self.0.store.all()
    }

    /// One message as it stands.
    pub fn get(&self, id: QueueId) -> Option<Entry> {
        self.0.store.get(id)
    }

    /// Messages whose time has come, at most so many. Each must be released or settled.
    pub fn take_due(&self, now: SystemTime, most: usize) -> Vec<Entry> {
        self.0.store.take_due(now, most)
    }

    /// When the next message is due; `None` when none waits.
    pub fn next_due(&self) -> Option<SystemTime> {
        self.0.store.next_due()
    }

    /// Whether everything that was noted has found room on the disk.
    pub(crate) fn is_written(&self) -> bool {
        self.0.store.is_written()
    }

    /// Lets somebody look whether something is due.
    pub(crate) fn stir(&self) {
        self.0.store.bell.notify_one();
    }

    /// Waits until something may have become due.
    pub async fn stirred(&self) {
        self.0.store.bell.notified().await;
    }

    /// Notes what happened; durable a moment later.
    pub fn note(&self, id: QueueId, events: &[Event]) {
        self.0.store.note(id, events);
    }

    /// Work on a message is over for now.
    pub fn release(&self, id: QueueId) {
        self.0.store.release(id);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.store.jobs.close();
        self.store.notes_made.close();
        for thread in lock(&self.threads).drain(..) {
            // The last holder may be one of the threads' own callbacks; never wait for oneself.
            if thread.thread().id() != std::thread::current().id() {
                drop(thread.join());
            }
        }
    }
}

/// A message that is coming in. Dropped before [`Draft::commit`], it never was.
pub struct Draft {
    id: QueueId,
    queue: Queue,
    text: Vec<u8>,
    big: Option<Spilled>,
}

impl Draft {
    /// Its id, for the trace field and the log.
    pub const fn id(&self) -> &QueueId {
        &self.id
    }

    /// Adds to the text.
    pub fn write(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        let store = &self.queue.0.store;
        if let Some(big) = &mut self.big {
            return Ok(big.write(octets, || store.shrink())?);
        }
        if self.text.len() + octets.len() <= BIG {
            self.text.extend_from_slice(octets);
            return Ok(());
        }
        let mut big = Spilled::create(&store.dir, self.id)?;
        big.write(&std::mem::take(&mut self.text), || store.shrink())?;
        big.write(octets, || store.shrink())?;
        self.big = Some(big);
        Ok(())
    }

    /// How many octets there are so far.
    pub fn octets(&self) -> u64 {
        let big = self.big.as_ref().map_or(0, |big| big.octets);
        self.text.len() as u64 + big
    }

    /// Makes it durable: when this returns, the message survives whatever happens.
    pub async fn commit(self, envelope: Envelope) -> Result<QueueId, StoreError> {
        let (done, wait) = oneshot::channel();
        self.queue.0.store.jobs.push(Keep {
            id: self.id,
            envelope,
            text: self.text,
            big: self.big,
            done,
        });
        let gone = || StoreError::Io(io::Error::other("the queue is closed"));
        wait.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// What is in a spool, the oldest first; a server may be working in it.
pub fn look(dir: &Path) -> io::Result<Vec<Entry>> {
    let mut all: Vec<Entry> = recover::read(dir)?.entries.into_values().collect();
    all.sort_unstable_by_key(|entry| entry.id);
    Ok(all)
}

fn make_dirs(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    for sub in ["journal", "waiting", "incoming", "big"] {
        builder.create(dir.join(sub))?;
    }
    sync_dir(dir)
}

fn take_lock(dir: &Path) -> Result<File, OpenError> {
    let failed = |error| OpenError::Io {
        dir: dir.to_path_buf(),
        error,
    };
    let path = dir.join("lock");
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    let mut file = options.mode(0o600).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let pid = fs::read_to_string(&path).ok();
            let pid = pid.map(|p| p.trim().to_string()).filter(|p| !p.is_empty());
            return Err(OpenError::Locked {
                dir: dir.to_path_buf(),
                pid,
            });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    // The number is only for people.
    let note = file
        .set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    drop(note);
    Ok(file)
}

/// Takes up what earlier runs left.
fn start(dir: &Path) -> io::Result<Arc<Store>> {
    let found = recover::read(dir)?;
    let store = Store::new(dir, found.file, found.note);
    if let Some(id) = found.id {
        store.ids.above(id);
    }
    for file in fs::read_dir(dir.join("incoming"))? {
        fs::remove_file(file?.path())?;
    }
    for file in fs::read_dir(dir.join("big"))? {
        let file = file?;
        let id = file.file_name().to_str().and_then(|name| name.parse().ok());
        if !id.is_some_and(|id: QueueId| found.entries.contains_key(&id)) {
            fs::remove_file(file.path())?;
        }
    }
    // The highest id is remembered in a file that stays before the old ones may go.
    if !found.empty.is_empty() {
        store.new_segment()?;
    }
    for path in &found.empty {
        fs::remove_file(path)?;
    }
    for (id, file) in &found.moved {
        store.forget(*id, file)?;
    }
    store.found(found.entries.into_values().collect());
    Ok(Arc::new(store))
}

#[cfg(test)]
pub(crate) mod tests;
