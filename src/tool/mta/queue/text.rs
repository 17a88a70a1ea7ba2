//! Where the text of a queued message is.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::segment::Segment;

/// Octets of texts that are kept in memory; what comes beyond is read again when it is needed.
pub(super) const HELD: usize = 8 << 20;

/// The text of a message. Reading it may wait for the disk.
#[derive(Debug, Clone)]
pub struct Text(pub(super) Place);

/// Where it is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// In memory.
    Held(Arc<Held>),
    /// In a file of the journal: from this octet on, so many, written in this epoch.
    At(Arc<Segment>, u64, u64, u64),
    /// In a file of its own, so many octets.
    File(PathBuf, u64),
}

/// A text that gives its room back when it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    text: Vec<u8>,
    account: Arc<AtomicUsize>,
}

impl Held {
    pub(super) const fn new(text: Vec<u8>, account: Arc<AtomicUsize>) -> Self {
        Self { text, account }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.account.fetch_sub(self.text.len(), Ordering::AcqRel);
    }
}

/// A text that has been read.
#[derive(Debug)]
pub struct Loaded(Source);

#[derive(Debug)]
enum Source {
    /// It was in memory.
    Held(Arc<Held>),
    Read(Vec<u8>),
}

impl AsRef<[u8]> for Loaded {
    fn as_ref(&self) -> &[u8] {
        match &self.0 {
            Source::Held(held) => &held.text,
            Source::Read(text) => text,
        }
    }
}

impl Text {
    /// A text in a file of the journal.
    pub(super) fn at(segment: &Arc<Segment>, at: u64, octets: u64) -> Self {
        Self(Place::At(segment.clone(), at, octets, segment.epoch()))
    }

    /// How many octets.
    pub fn octets(&self) -> u64 {
        match &self.0 {
            Place::Held(held) => held.text.len() as u64,
            Place::At(_, _, octets, _) | Place::File(_, octets) => *octets,
        }
    }

    /// The whole text.
    pub fn load(&self) -> io::Result<Loaded> {
        match &self.0 {
            Place::Held(held) => Ok(Loaded(Source::Held(held.clone()))),
            Place::At(segment, at, octets, epoch) => {
                let text = segment.read(*at, *octets, *epoch)?;
                Ok(Loaded(Source::Read(text)))
            }
            Place::File(path, octets) => {
                let mut text = Vec::with_capacity(usize::try_from(*octets).unwrap_or(0));
                File::open(path)?.take(*octets).read_to_end(&mut text)?;
                if text.len() as u64 != *octets {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Ok(Loaded(Source::Read(text)))
            }
        }
    }

    /// Whether reading it waits for no disk.
    pub const fn is_held(&self) -> bool {
        matches!(self.0, Place::Held(_))
    }
}
