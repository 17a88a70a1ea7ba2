//! One file of the journal: records one after the other, room for the next ones filled ahead with
//! empty lines. Writing into filled room changes no metadata, so that one `fdatasync` is one
//! flush of the disk and no commit of the file system's own journal; and on a full disk the
//! record that was begun can still be finished.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ring::rand::{SecureRandom, SystemRandom};

use super::id::QueueId;

/// A file that has grown to this gets no more messages.
const FULL: u64 = 8 << 20;
/// Room is filled ahead in steps from the first to the last of these.
const LEAST_ROOM: u64 = 64 << 10;
const MOST_ROOM: u64 = 1 << 20;
/// The first line of every file of the journal.
const TITLE: &str = "mailtrace journal 1";

/// One file of the journal.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// What the checksums begin with: nobody who sends mail knows it.
    pub(super) key: String,
    file: File,
    /// Where its head ends.
    head: u64,
    ends: Mutex<Ends>,
    /// Messages in it that are not settled.
    pub(super) live: AtomicUsize,
    /// Whether it gets no more messages.
    pub(super) sealed: AtomicBool,
    /// Whether its file is gone.
    pub(super) discarded: AtomicBool,
    /// How often it was emptied.
    epoch: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
struct Ends {
    /// Where the next record goes.
    tail: u64,
    /// Up to where there is room.
    room: u64,
}

/// The head of a file of the journal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) key: String,
    pub(super) last: QueueId,
    /// Where the records begin.
    pub(super) octets: usize,
}

impl Segment {
    /// Creates a file of the journal. It is there for good when `dir` has been synced.
    pub(super) fn create(path: PathBuf, last: QueueId) -> io::Result<Self> {
        let mut random = [0; 12];
        SystemRandom::new()
            .fill(&mut random)
            .map_err(|_| io::Error::other("the system gives no random numbers"))?;
        let key = data_encoding::HEXLOWER.encode(&random);
        let head = format!("{TITLE} key {key} last {last}\n");
        let file = OpenOptions::new()
            .create_new(true)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)?;
        let segment = Self {
            path,
            key,
            file,
            head: head.len() as u64,
            ends: Mutex::new(Ends { tail: 0, room: 0 }),
            live: AtomicUsize::new(0),
            sealed: AtomicBool::new(false),
            discarded: AtomicBool::new(false),
            epoch: AtomicU64::new(0),
        };
        let written = segment
            .append(head.as_bytes())
            .and_then(|_| segment.file.sync_all());
        if let Err(error) = written {
            // Nobody knows of it yet.
            drop(std::fs::remove_file(&segment.path));
            return Err(error);
        }
        Ok(segment)
    }

    /// Opens a file of an earlier run, which only gets notes any more, behind its last record.
    pub(super) fn reopen(path: PathBuf, head: &Head, tail: u64, room: u64) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        Ok(Self {
            path,
            key: head.key.clone(),
            file,
            head: head.octets as u64,
            ends: Mutex::new(Ends { tail, room }),
            live: AtomicUsize::new(0),
            sealed: AtomicBool::new(true),
            discarded: AtomicBool::new(false),
            epoch: AtomicU64::new(0),
        })
    }

    /// Puts whole records behind the others; gives where they begin. When there is no room for
    /// all of them on the disk, there is none of them in the file.
    pub(super) fn append(&self, records: &[u8]) -> io::Result<u64> {
        let mut ends = lock(&self.ends);
        let at = ends.tail;
        let end = at + records.len() as u64;
        if end > ends.room {
            ends.room = self.make_room(ends.room, end)?;
        }
        self.file.write_all_at(records, at)?;
        ends.tail = end;
        Ok(at)
    }

    /// Fills the file with empty lines beyond `end`; on a nearly full disk just as far as `end`.
    fn make_room(&self, from: u64, end: u64) -> io::Result<u64> {
        let step = from.clamp(LEAST_ROOM, MOST_ROOM);
        let generous = end.max(from) + step;
        match self.fill(from, generous) {
            Ok(()) => Ok(generous),
            Err(error) if is_full(&error) => {
                let exact = self.fill(from, end);
                // What could be filled beyond that is of no use; give it back.
                let keep = if exact.is_ok() { end } else { from };
                drop(self.file.set_len(keep));
                exact.map(|()| end)
            }
            Err(error) => Err(error),
        }
    }

    fn fill(&self, from: u64, to: u64) -> io::Result<()> {
        const BLOCK: usize = 64 << 10;
        let lines = vec![b'\n'; BLOCK];
        let mut at = from;
        while at < to {
            let octets = usize::try_from(to - at).unwrap_or(BLOCK).min(BLOCK);
            self.file
                .write_all_at(lines.get(..octets).unwrap_or_default(), at)?;
            at += octets as u64;
        }
        Ok(())
    }

    /// Empties it when nothing in it is of interest any more and it has grown to this.
    pub(super) fn reset_if_idle(&self, least: u64) {
        let mut ends = lock(&self.ends);
        // Whoever appends a message counts it as living first.
        let idle = self.live.load(Ordering::Acquire) == 0;
        if idle && ends.tail >= least.max(self.head) {
            // From here on nobody takes what he reads for what was there before.
            self.epoch.fetch_add(1, Ordering::AcqRel);
            if self.file.set_len(self.head).is_err() {
                return;
            }
            ends.tail = self.head;
            ends.room = self.head;
        }
    }

    /// Gives back the room that was filled ahead.
    pub(super) fn give_back(&self) {
        let mut ends = lock(&self.ends);
        if ends.room > ends.tail && self.file.set_len(ends.tail).is_ok() {
            ends.room = ends.tail;
        }
    }

    /// Makes everything that was appended before this call durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Octets that were filled ahead.
    pub(super) fn slack(&self) -> u64 {
        let ends = lock(&self.ends);
        ends.room.saturating_sub(ends.tail)
    }

    /// Whether its file is gone.
    pub(super) fn is_discarded(&self) -> bool {
        self.discarded.load(Ordering::Acquire)
    }

    /// Whether it is as long as a file should get.
    pub(super) fn is_full(&self) -> bool {
        lock(&self.ends).tail >= FULL
    }

    /// How often it was emptied so far.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Reads octets of it that were written in this epoch.
    pub(super) fn read(&self, at: u64, octets: u64, epoch: u64) -> io::Result<Vec<u8>> {
        let octets = usize::try_from(octets).map_err(io::Error::other)?;
        let mut text = vec![0; octets];
        self.file.read_exact_at(&mut text, at)?;
        // Somebody removed the message meanwhile; these may be another one's octets.
        if self.epoch() != epoch {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(text)
    }
}

impl Head {
    /// Reads the head of a file; `None` when the file was not finished being made.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let within = bytes.get(..bytes.len().min(256))?;
        let end = memchr::memchr(b'\n', within)?;
        let line = std::str::from_utf8(within.get(..end)?).ok()?;
        let rest = line.strip_prefix(TITLE)?.strip_prefix(" key ")?;
        let (key, last) = rest.split_once(" last ")?;
        Some(Self {
            key: key.to_string(),
            last: last.parse().ok()?,
            octets: end + 1,
        })
    }
}

/// Whether a disk is full, or the owner's share of it.
pub(super) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::StorageFull | Kind::QuotaExceeded)
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// A lock whose holder cannot have left it half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
