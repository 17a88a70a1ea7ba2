//! A folder for the time of a run: gone at the end, however it ends, unless it is to be kept.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::send::token::Token;

/// The folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    kept: bool,
}

impl Folder {
    /// A new one below the system's folder for temporary files; nobody else can look into it.
    pub fn temporary() -> io::Result<Self> {
        let name = Token::new().ok_or_else(|| io::Error::other("no random numbers"))?;
        let path = std::env::temp_dir().join(format!("mailtrace-{name}"));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path, kept: false })
    }

    /// One that stays. What is in it from before is not touched, and must not be in the way.
    pub fn kept(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        if path.read_dir()?.next().is_some() {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "the folder is not empty",
            ));
        }
        Ok(Self {
            path: path.to_path_buf(),
            kept: true,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it stays; `None` when it goes.
    pub fn stays(&self) -> Option<&Path> {
        self.kept.then_some(&*self.path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.kept {
            // The queue of a server may be writing its last line: once more is enough.
            if std::fs::remove_dir_all(&self.path).is_err() {
                drop(std::fs::remove_dir_all(&self.path));
            }
        }
    }
}
