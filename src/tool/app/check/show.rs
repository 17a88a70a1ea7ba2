//! What the run writes: each target as soon as it is there, sums at the end, and the exit code.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::app::Context;
use crate::app::output::{Output, Stopped, complain};
use crate::app::progress::Progress;
use crate::check::Answer;
use crate::config::Format;
use crate::exit::Exit;
use crate::report::human::check::Detail;
use crate::report::{human, json};

use super::Done;

/// The output of a run.
pub(super) struct Show<'c> {
    context: &'c Context,
    summary: bool,
    several: bool,
    out: Output,
    progress: Progress,
    stopped: Option<Stopped>,
    told: usize,
    verdicts: BTreeMap<&'static str, u64>,
    findings: BTreeMap<&'static str, u64>,
    any_no: bool,
    any_unknown: bool,
    any_unusable: bool,
}

impl<'c> Show<'c> {
    pub(super) fn new(context: &'c Context, summary: bool, several: bool) -> Self {
        let values = &context.settings.values;
        let shown = !summary || values.format == Format::Json;
        Self {
            context,
            summary,
            several,
            out: Output::new(),
            progress: Progress::new(values.progress && !values.quiet, shown, None),
            stopped: None,
            told: 0,
            verdicts: BTreeMap::new(),
            findings: BTreeMap::new(),
            any_no: false,
            any_unknown: false,
            any_unusable: false,
        }
    }

    /// Writes about one target.
    pub(super) fn one(&mut self, done: &Done) -> ControlFlow<()> {
        let values = &self.context.settings.values;
        let mut text = String::new();
        match done {
            Ok(checkup) => {
                self.any_no |= checkup.answer == Answer::No;
                self.any_unknown |= checkup.answer == Answer::Unknown;
                *self.verdicts.entry(checkup.verdict.id()).or_default() += 1;
                let mut codes: Vec<_> = checkup.findings.iter().map(|f| f.code).collect();
                codes.sort_unstable();
                codes.dedup();
                for code in codes {
                    *self.findings.entry(code).or_default() += 1;
                }
                match values.format {
                    Format::Json => json::check::check(&mut text, checkup),
                    _ if self.summary => {}
                    _ => {
                        let detail = match (values.quiet, values.verbose) {
                            (true, _) => Detail::Brief,
                            (_, true) => Detail::Full,
                            _ => Detail::Normal,
                        };
                        if self.told > 0 && detail != Detail::Brief {
                            text.push('\n');
                        }
                        text += &human::check::check(checkup, self.context.paint, detail);
                    }
                }
            }
            Err((target, error)) => {
                self.any_unusable = true;
                self.progress.clear();
                complain(&format!("{target}: {error}"));
                if values.format == Format::Json {
                    json::check::error(&mut text, target, &error.to_string());
                }
            }
        }
        self.told += 1;
        if self.several {
            self.progress.add(1, 0);
        }
        if text.is_empty() {
            return ControlFlow::Continue(());
        }
        self.write(&text)
    }

    fn write(&mut self, text: &str) -> ControlFlow<()> {
        self.progress.clear();
        match self.out.write(text.as_bytes()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(stopped) => {
                self.stopped = Some(stopped);
                ControlFlow::Break(())
            }
        }
    }

    /// The sums and the exit code.
    pub(super) fn end(mut self) -> Exit {
        self.progress.clear();
        if self.summary && self.stopped.is_none() {
            let verdicts: Vec<_> = self.verdicts.iter().map(|(k, n)| (*k, *n)).collect();
            let mut findings: Vec<_> = self.findings.iter().map(|(k, n)| (*k, *n)).collect();
            findings.sort_by_key(|(code, count)| (std::cmp::Reverse(*count), *code));
            let text = if self.context.settings.values.format == Format::Json {
                let mut text = String::new();
                json::check::summary(&mut text, &verdicts, &findings);
                text
            } else {
                human::check::summary(&verdicts, &findings, self.context.paint)
            };
            let _ = self.write(&text);
        }
        match self.stopped {
            Some(stopped) => stopped.exit(),
            None if self.told == 0 => {
                complain(
                    "nothing to check: no target was named, and none came in on standard input; give a domain, a host or a mail address",
                );
                Exit::Unusable
            }
            None if self.any_unusable => Exit::Unusable,
            None if self.any_no => Exit::Bad,
            None if self.any_unknown => Exit::Unknown,
            None => Exit::Good,
        }
    }
}
