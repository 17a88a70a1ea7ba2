//! Reading what the user names: files, folders, Maildirs, mboxes, standard input, each also with
//! gzip. An iterator of single messages in a fixed order, in constant memory; what cannot be read
//! is an item too, and never the end.

mod folder;
mod gaps;
mod stream;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub use gaps::LineGaps;
pub use stream::{KEEP_ALL, MAX_KEPT, MAX_RUN};

use stream::Stream;

/// One message of the input, or why there is none.
#[derive(Debug)]
pub struct Item {
    /// The file as the user named it, or as it was found in a folder; `-` for standard input.
    pub path: String,
    /// The number of the message in its file, from 0.
    pub index: usize,
    /// The line of the file that the message starts in, from 1.
    pub first_line: u32,
    /// The message, or why it could not be read.
    pub content: Result<Vec<u8>, Failure>,
    /// Which lines of a very long message were left out.
    pub gaps: LineGaps,
}

/// Why an input could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is nothing of that name.
    #[error("no such file or folder; check the spelling")]
    Missing,
    /// The user may not read it.
    #[error("permission denied; check who may read it")]
    Denied,
    /// It has no bytes.
    #[error("the input is empty; give the whole message, headers included")]
    Empty,
    /// A folder in which nothing looks like mail.
    #[error(
        "no mail in this folder; name the files, or a folder of .eml files, an mbox or a Maildir"
    )]
    NoMail,
    /// It is no text.
    #[error("this is not a mail message but {what}; save the mail as .eml or paste its source")]
    Binary {
        /// What it looks like, with its article.
        what: &'static str,
    },
    /// It could not be read to its end.
    #[error("it could not be read: {0}")]
    Broken(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Failure::Missing,
            io::ErrorKind::PermissionDenied => Failure::Denied,
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                Failure::Broken("the compressed data is damaged".to_owned())
            }
            io::ErrorKind::UnexpectedEof => {
                Failure::Broken("the compressed data ends too early".to_owned())
            }
            // The words of the system without its number.
            _ => Failure::Broken(
                error
                    .to_string()
                    .split(" (os")
                    .next()
                    .unwrap_or_default()
                    .to_lowercase(),
            ),
        }
    }
}

/// The messages of the inputs that were named.
#[derive(Debug)]
pub struct Source {
    waiting: VecDeque<Waiting>,
    open: Option<(String, Stream)>,
    index: usize,
}

#[derive(Debug)]
enum Waiting {
    /// Named by the user: a folder of that name must have mail in it.
    Named(PathBuf),
    /// Found in a folder.
    Found(PathBuf),
}

/// Reads the messages of `paths`, where `-` is standard input; nothing named is standard input.
pub fn read<P: AsRef<Path>>(paths: &[P]) -> Source {
    let mut waiting: VecDeque<_> = paths
        .iter()
        .map(|path| Waiting::Named(path.as_ref().to_owned()))
        .collect();
    if waiting.is_empty() {
        waiting.push_back(Waiting::Named(PathBuf::from("-")));
    }
    Source {
        waiting,
        open: None,
        index: 0,
    }
}

/// Reads the messages of one stream that is called `name`.
pub fn read_from(name: &str, input: impl Read + Send + 'static) -> Source {
    match Stream::open(Box::new(input)) {
        Ok(stream) => Source {
            waiting: VecDeque::new(),
            open: Some((name.to_owned(), stream)),
            index: 0,
        },
        // Tell it as the only item.
        Err(failure) => Source {
            waiting: VecDeque::new(),
            open: Some((name.to_owned(), Stream::failed(failure))),
            index: 0,
        },
    }
}

impl Source {
    fn failed(&self, path: String, failure: Failure) -> Item {
        Item {
            path,
            index: 0,
            first_line: 1,
            content: Err(failure),
            gaps: LineGaps::default(),
        }
    }

    /// Opens what waits; gives an item when that is a failure to tell.
    fn open(&mut self, waiting: Waiting) -> Option<Item> {
        let (path, named) = match waiting {
            Waiting::Named(path) => (path, true),
            Waiting::Found(path) => (path, false),
        };
        let name = path.to_string_lossy().into_owned();
        if named && name == "-" {
            return self.begin(name, Box::new(io::stdin()));
        }
        if path.is_dir() {
            return match folder::mail_in(&path) {
                Ok(files) if files.is_empty() => Some(self.failed(name, Failure::NoMail)),
                Ok(files) => {
                    for file in files.into_iter().rev() {
                        self.waiting.push_front(Waiting::Found(file));
                    }
                    None
                }
                Err(error) => Some(self.failed(name, error.into())),
            };
        }
        match File::open(&path) {
            Ok(file) => self.begin(name, Box::new(file)),
            Err(error) => Some(self.failed(name, error.into())),
        }
    }

    fn begin(&mut self, name: String, input: Box<dyn Read + Send>) -> Option<Item> {
        match Stream::open(input) {
            Ok(stream) => {
                self.open = Some((name, stream));
                self.index = 0;
                None
            }
            Err(failure) => Some(self.failed(name, failure)),
        }
    }
}

impl Iterator for Source {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        loop {
            if let Some((path, stream)) = &mut self.open {
                if let Some(message) = stream.next() {
                    let index = self.index;
                    self.index += 1;
                    return Some(Item {
                        path: path.clone(),
                        index,
                        first_line: message.first_line,
                        content: message.content,
                        gaps: message.gaps,
                    });
                }
                self.open = None;
            }
            let waiting = self.waiting.pop_front()?;
            if let Some(item) = self.open(waiting) {
                return Some(item);
            }
        }
    }
}
