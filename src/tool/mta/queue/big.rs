//! Long texts: written to a file of their own while they come in.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::Crc;

use super::id::QueueId;
use super::segment::{is_full, sync_dir};

/// A text on its way to `big/ID`. Dropped before it is settled, it leaves nothing behind.
#[derive(Debug)]
pub(super) struct Spilled {
    spool: PathBuf,
    incoming: PathBuf,
    file: File,
    crc: Crc,
    pub(super) octets: u64,
    settled: std::sync::atomic::AtomicBool,
}

impl Spilled {
    pub(super) fn create(spool: &Path, id: QueueId) -> io::Result<Self> {
        let incoming = spool.join("incoming").join(id.to_string());
        let file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&incoming)?;
        Ok(Self {
            spool: spool.to_path_buf(),
            incoming,
            file,
            crc: Crc::new(),
            octets: 0,
            settled: std::sync::atomic::AtomicBool::new(false),
        })
    }

    /// Writes on; `make_room` is called once when the disk is full.
    pub(super) fn write(&mut self, text: &[u8], make_room: impl Fn()) -> io::Result<()> {
        let (mut rest, mut tried) = (text, false);
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(octets) => rest = rest.get(octets..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_full(&error) && !tried => {
                    tried = true;
                    make_room();
                }
                Err(error) => return Err(error),
            }
        }
        self.crc.update(text);
        self.octets += text.len() as u64;
        Ok(())
    }

    pub(super) fn sum(&self) -> u32 {
        self.crc.sum()
    }

    /// Where it lies once it is settled.
    pub(super) fn path(&self, id: QueueId) -> PathBuf {
        self.spool.join("big").join(id.to_string())
    }

    /// Makes it durable in its final place, file and directory.
    pub(super) fn settle(&self, id: QueueId) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.incoming, self.path(id))?;
        self.settled
            .store(true, std::sync::atomic::Ordering::Release);
        sync_dir(&self.spool.join("big"))
    }
}

impl Drop for Spilled {
    fn drop(&mut self) {
        if !self.settled.load(std::sync::atomic::Ordering::Acquire) {
            // The next start clears what cannot be removed now.
            drop(fs::remove_file(&self.incoming));
        }
    }
}
