//! What is told while inputs are worked on: results on standard output, complaints and the progress on
//! standard error. The same for every command that reads boxes.

use std::ops::ControlFlow;

use crate::config::{Format, Values};
use crate::exit::Exit;

use super::output::{Output, Stopped, complain};
use super::progress::Progress;

/// What some inputs brought.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// For standard output.
    pub(super) text: String,
    /// For standard error, a line each.
    pub(super) complaints: Vec<String>,
    /// How many inputs they were.
    pub(super) messages: u64,
    /// How many bytes they had.
    pub(super) bytes: u64,
}

/// The one who tells.
#[derive(Debug)]
pub(super) struct Teller {
    out: Output,
    progress: Progress,
    stopped: Option<Stopped>,
    /// The work has another end than standard output and goes on when nobody reads that.
    to_the_end: bool,
}

impl Teller {
    /// `summary`: the single results are not shown; `total`: how many bytes there are to read, when
    /// that is known.
    pub(super) fn new(values: &Values, summary: bool, total: Option<u64>) -> Self {
        // Results on the terminal are progress enough; a summary comes only at the end.
        let results_shown = !summary || values.format == Format::Json;
        Self {
            out: Output::new(),
            progress: Progress::new(values.progress && !values.quiet, results_shown, total),
            stopped: None,
            to_the_end: false,
        }
    }

    /// The same for work that also makes something else, such as a file.
    pub(super) fn reading_on(self, to_the_end: bool) -> Self {
        Self { to_the_end, ..self }
    }

    /// Tells what some inputs brought. A reader who has gone ends the program: that of the input may
    /// wait for more for ever, and nobody reads on.
    pub(super) fn tell(&mut self, told: &Told) -> ControlFlow<()> {
        if !told.text.is_empty() || !told.complaints.is_empty() {
            self.progress.clear();
        }
        for complaint in &told.complaints {
            complain(complaint);
        }
        self.progress.add(told.messages, told.bytes);
        self.write(&told.text);
        match &self.stopped {
            Some(Stopped::Closed) if !self.to_the_end => {
                std::process::exit(Exit::Good as i32);
            }
            Some(Stopped::Failed(_)) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }

    /// Takes the progress away and tells what comes behind all results.
    pub(super) fn conclude(&mut self, text: &str) {
        self.progress.clear();
        self.write(text);
    }

    fn write(&mut self, text: &str) {
        if self.stopped.is_none() && !text.is_empty() {
            self.stopped = self.out.write(text.as_bytes()).err();
        }
    }

    /// What the program ends with when not all could be told.
    pub(super) fn stopped(self) -> Option<Exit> {
        self.stopped.map(Stopped::exit)
    }
}
