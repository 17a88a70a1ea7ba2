//! Standard output and standard error.

use std::io::{self, Write};

use crate::exit::Exit;
use crate::report::safe::safe;

/// Writes a diagnostic to standard error, as one line. What it speaks of stands first; an empty word
/// is shown as one.
pub fn complain(what: &str) {
    let empty = if what.starts_with(": ") { "\"\"" } else { "" };
    let line = format!("mailtrace: {empty}{}\n", safe(what));
    // When even standard error is closed, there is nobody left to tell.
    drop(io::stderr().write_all(line.as_bytes()));
}

/// Standard output. A closed pipe is the wish of the reader, not an error.
#[derive(Debug)]
pub struct Output {
    out: io::StdoutLock<'static>,
}

/// Why nothing more can be written.
#[derive(Debug)]
pub enum Stopped {
    /// The reader has gone, as `head` does.
    Closed,
    /// The disk is full or the like.
    Failed(io::Error),
}

impl Default for Output {
    fn default() -> Self {
        Self::new()
    }
}

impl Output {
    /// Standard output, locked.
    pub fn new() -> Self {
        Self {
            out: io::stdout().lock(),
        }
    }

    /// Writes at once.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        let done = self.out.write_all(bytes).and_then(|()| self.out.flush());
        done.map_err(Stopped::from)
    }

    /// Writes all there is to write and says how that went.
    pub fn write_all(&mut self, bytes: &[u8]) -> Exit {
        match self.write(bytes) {
            Ok(()) => Exit::Good,
            Err(stopped) => stopped.exit(),
        }
    }
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Failed(error),
        }
    }
}

impl Stopped {
    /// What the program ends with.
    pub fn exit(self) -> Exit {
        match self {
            Self::Closed => Exit::Good,
            Self::Failed(error) => {
                let why = crate::words::reason(&error);
                complain(&format!(
                    "the output could not be written: {why}; is the disk full?"
                ));
                Exit::Unusable
            }
        }
    }
}
