//! The inputs of `explain` in batches: large enough that handing them over costs nothing, small
//! enough that memory stays small.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use crate::message::source::{Item, LineGaps, Source};
use crate::report::json::explain::SourceRef;
use crate::words::reason;

/// A batch ends with the message that makes it this long,
const BATCH_BYTES: usize = 128 << 10;

/// or that is the last of so many.
const BATCH_MESSAGES: usize = 64;

/// Longer lines of a log are cut: a reply has at most 512 bytes (RFC 5321 §4.5.3.1.5).
const MAX_LINE: u64 = 64 << 10;

/// Some inputs.
pub(in crate::app) struct Batch {
    pub(in crate::app) jobs: Vec<Job>,
}

/// One input: a message, or a line.
pub(in crate::app) struct Job {
    pub(in crate::app) path: String,
    pub(in crate::app) index: u64,
    pub(in crate::app) first_line: u32,
    /// The bytes, or why there are none.
    pub(in crate::app) content: Result<Vec<u8>, String>,
    pub(in crate::app) gaps: LineGaps,
    /// There are others, so that a name is of use.
    pub(in crate::app) several: bool,
    /// What the index counts, when the path alone does not name this input.
    pub(in crate::app) unit: Option<&'static str>,
}

impl Job {
    /// The name for people: `box, message 3`.
    pub(in crate::app) fn name(&self) -> String {
        let path = if self.path == "-" {
            "standard input"
        } else {
            &self.path
        };
        match self.unit {
            Some(unit) => format!("{path}, {unit} {}", self.index + 1),
            None => path.to_owned(),
        }
    }

    /// Where it comes from, for JSON.
    pub(in crate::app) fn source(&self) -> SourceRef<'_> {
        SourceRef {
            path: &self.path,
            index: self.index,
            notice: 0,
        }
    }

    /// Why it could not be read, for people.
    pub(in crate::app) fn complaint(&self, why: &str) -> String {
        format!("{}: {why}", self.name())
    }
}

/// Messages from a source, in batches.
pub(in crate::app) struct Mails {
    source: std::iter::Peekable<Source>,
    first: bool,
}

impl Mails {
    pub(in crate::app) fn new(source: Source) -> Self {
        Self {
            source: source.peekable(),
            first: true,
        }
    }

    fn job(&mut self, item: Item) -> Job {
        let next = self.source.peek();
        let boxed = item.index > 0 || next.is_some_and(|next| next.index > 0);
        let several = !self.first || next.is_some();
        self.first = false;
        Job {
            path: item.path,
            index: item.index as u64,
            first_line: item.first_line,
            content: item.content.map_err(|failure| failure.to_string()),
            gaps: item.gaps,
            several,
            unit: boxed.then_some("message"),
        }
    }
}

impl Iterator for Mails {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let mut jobs = Vec::with_capacity(BATCH_MESSAGES);
        let mut bytes = 0;
        while jobs.len() < BATCH_MESSAGES && bytes < BATCH_BYTES {
            let Some(item) = self.source.next() else {
                break;
            };
            let job = self.job(item);
            bytes += job.content.as_ref().map_or(0, Vec::len);
            jobs.push(job);
        }
        (!jobs.is_empty()).then_some(Batch { jobs })
    }
}

/// Lines of replies, in batches. A batch ends where the input would have to be waited for, so
/// that `tail -f` shows each line when it comes.
pub(in crate::app) struct Lines {
    paths: VecDeque<PathBuf>,
    open: Option<(String, BufReader<Box<dyn Read + Send>>)>,
    line: u32,
}

impl Lines {
    pub(in crate::app) fn new(paths: &[PathBuf]) -> Self {
        let mut paths: VecDeque<PathBuf> = paths.iter().cloned().collect();
        if paths.is_empty() {
            paths.push_back(PathBuf::from("-"));
        }
        Self {
            paths,
            open: None,
            line: 0,
        }
    }

    fn open(&mut self, path: &PathBuf) -> Option<Job> {
        let name = path.to_string_lossy().into_owned();
        self.line = 0;
        let input: io::Result<Box<dyn Read + Send>> = if name == "-" {
            Ok(Box::new(io::stdin()))
        } else {
            File::open(path).map(|file| -> Box<dyn Read + Send> { Box::new(file) })
        };
        match input {
            Ok(input) => {
                self.open = Some((name, BufReader::with_capacity(BATCH_BYTES, input)));
                None
            }
            Err(error) => Some(self.failed(name, &error)),
        }
    }

    fn failed(&self, path: String, error: &io::Error) -> Job {
        let why = format!(
            "{}; give a text file with one reply on each line",
            reason(error)
        );
        self.job(path, Err(why))
    }

    fn job(&self, path: String, content: Result<Vec<u8>, String>) -> Job {
        let line = content.is_ok();
        Job {
            path,
            index: u64::from(self.line.saturating_sub(1)),
            first_line: self.line.max(1),
            content,
            gaps: LineGaps::default(),
            several: true,
            unit: line.then_some("line"),
        }
    }

    /// The next line that is not empty, and whether more can be had without waiting.
    fn read(&mut self) -> Option<(Job, bool)> {
        loop {
            let Some((name, input)) = &mut self.open else {
                let path = self.paths.pop_front()?;
                if let Some(failed) = self.open(&path) {
                    return Some((failed, true));
                }
                continue;
            };
            let mut line = Vec::new();
            match input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
                Ok(0) => self.open = None,
                Ok(_) => {
                    // What is longer than any reply is left out, and counts as the same line.
                    let cut = !line.ends_with(b"\n") && line.len() as u64 == MAX_LINE;
                    if cut && input.skip_until(b'\n').is_err() {
                        self.open = None;
                        continue;
                    }
                    let more = !input.buffer().is_empty();
                    let name = name.clone();
                    self.line = self.line.saturating_add(1);
                    if !line.trim_ascii().is_empty() {
                        return Some((self.job(name, Ok(line)), more));
                    }
                }
                Err(error) => {
                    let name = name.clone();
                    self.open = None;
                    return Some((self.failed(name, &error), true));
                }
            }
        }
    }
}

impl Iterator for Lines {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let mut jobs = Vec::new();
        while jobs.len() < BATCH_MESSAGES {
            let Some((job, more)) = self.read() else {
                break;
            };
            jobs.push(job);
            if !more {
                break;
            }
        }
        (!jobs.is_empty()).then_some(Batch { jobs })
    }
}
