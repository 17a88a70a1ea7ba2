//! `mailtrace explain`.

pub(super) mod feed;

use std::io::{self, IsTerminal};
use std::path::Path;
use std::thread;

use crate::bounce;
use crate::bounce::explanation::{Explanation, Report};
use crate::bounce::summary::Summary;
use crate::cli::Explain;
use crate::config::{Format, Values};
use crate::exit::Exit;
use crate::message::{layer, source};
use crate::report::human::explain::{Detail, Look};
use crate::report::json::explain::SourceRef;
use crate::report::painter::Painter;
use crate::report::{human, json};
use crate::route::Route;

use super::Context;
use super::bulk;
use super::live::Live;
use super::output::complain;
use super::teller::{Teller, Told};
use feed::{Batch, Job, Lines, Mails};

/// What a worker makes of a batch.
#[derive(Default)]
struct Done {
    told: Told,
    summary: Option<Summary>,
    /// Some input was no report.
    some_none: bool,
    /// Some input could not be read.
    some_error: bool,
}

/// How the results are to look; the same for all workers.
struct Plan<'c> {
    values: &'c Values,
    paint: Painter,
    summary: bool,
    reply: bool,
    live: Option<Live>,
    /// No command was given: a mail that is no report is shown its way.
    bare: bool,
}

/// A mail handed to `mailtrace` without a command: a report is explained, of any other mail the way
/// is shown.
pub(super) fn bare(context: &Context) -> Exit {
    let command = Explain {
        paths: Vec::new(),
        reply: false,
        summary: false,
        live: false,
        audience: None,
    };
    work(&command, context, true)
}

pub(super) fn run(command: &Explain, context: &Context) -> Exit {
    work(command, context, false)
}

fn work(command: &Explain, context: &Context, bare: bool) -> Exit {
    let values = &context.settings.values;
    let live = match command.live.then(|| Live::new(values)).transpose() {
        Ok(live) => live,
        Err(why) => {
            complain(&why);
            return Exit::Unknown;
        }
    };
    let plan = Plan {
        live,
        values,
        paint: context.paint,
        summary: command.summary,
        reply: command.reply,
        bare,
    };
    let stdin = command.paths.is_empty() || command.paths.iter().any(|p| p.as_os_str() == "-");
    if stdin && io::stdin().is_terminal() {
        let what = if command.reply {
            "replies, one on each line"
        } else {
            "a message"
        };
        complain(&format!(
            "reading {what} from standard input; end with Ctrl-D"
        ));
    }
    let mut teller = Teller::new(values, command.summary, size_of(&command.paths));
    let workers = values
        .jobs
        .unwrap_or_else(|| thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let mut total = Done {
        summary: command.summary.then(Summary::default),
        ..Done::default()
    };
    let write = |done: Done| {
        total.some_none |= done.some_none;
        total.some_error |= done.some_error;
        if let (Some(sum), Some(more)) = (&mut total.summary, done.summary) {
            sum.add(more);
        }
        teller.tell(&done.told)
    };
    if command.reply {
        bulk::run(
            Lines::new(&command.paths),
            workers,
            |batch| plan.work(&batch),
            write,
        );
    } else {
        let mails = Mails::new(source::read(&command.paths));
        bulk::run(mails, workers, |batch| plan.work(&batch), write);
    }
    let sums = total.summary.as_ref().map(|sum| match values.format {
        Format::Json => {
            let mut text = String::new();
            json::explain::summary(&mut text, sum);
            text
        }
        _ => human::summary::summary(sum, context.paint),
    });
    teller.conclude(&sums.unwrap_or_default());
    match teller.stopped() {
        Some(stopped) => stopped,
        None if total.some_error => Exit::Unusable,
        None if total.some_none => Exit::Bad,
        None => Exit::Good,
    }
}

/// How many bytes there are to read, when the inputs are plain files.
fn size_of(paths: &[std::path::PathBuf]) -> Option<u64> {
    let size = |path: &Path| {
        std::fs::metadata(path)
            .ok()
            .filter(std::fs::Metadata::is_file)
            .map(|m| m.len())
    };
    let gzip = |path: &Path| path.extension().is_some_and(|end| end == "gz");
    let mut total = 0;
    for path in paths {
        total += size(path).filter(|_| !gzip(path))?;
    }
    (total > 0).then_some(total)
}

impl Plan<'_> {
    fn work(&self, batch: &Batch) -> Done {
        let mut done = Done {
            summary: self.summary.then(Summary::default),
            ..Done::default()
        };
        for job in &batch.jobs {
            self.one(job, &mut done);
        }
        done
    }

    fn one(&self, job: &Job, done: &mut Done) {
        done.told.messages += 1;
        let bytes = match &job.content {
            Ok(bytes) => bytes,
            // Nothing was asked and nothing came: as on a terminal.
            Err(why) if self.bare && why.starts_with("the input is empty") => {
                done.some_error = true;
                done.told.text += &human::usage(self.paint);
                return;
            }
            Err(why) => return self.unreadable(job, why, done),
        };
        done.told.bytes += bytes.len() as u64;
        let found = bulk::guarded(|| {
            let found = self.explain(job, bytes);
            let way = self.way(&found, bytes);
            (found, way)
        });
        let (found, way) = match found {
            Ok(found) => found,
            Err(why) => return self.unreadable(job, why, done),
        };
        let none = found.iter().any(|what| what.report == Report::None);
        if self.bare {
            let way = none.then(|| super::route::plainly(job, bytes, self.values, self.paint));
            if let Some((text, bad)) = way.flatten() {
                done.told.complaints.push(
                    "no report of a mail server: its way, as `mailtrace route` shows it".into(),
                );
                done.told.text += &text;
                done.some_none |= bad;
                return;
            }
            if !none {
                done.told
                    .complaints
                    .push("a report of a mail server, as `mailtrace explain` tells it".into());
            }
        }
        done.some_none |= none;
        if let Some(sum) = &mut done.summary {
            sum.count(&found);
        }
        for (n, what) in found.iter().enumerate() {
            self.tell(job, n as u64, what, way.as_ref(), done);
        }
    }

    fn explain(&self, job: &Job, bytes: &[u8]) -> Vec<Explanation> {
        let mut found = if self.reply {
            vec![bounce::explain_line(&String::from_utf8_lossy(bytes))]
        } else {
            bounce::explain(bytes)
        };
        // Evidence points at lines of the file that the user named.
        let evidence = found.iter_mut().flat_map(|what| &mut what.recipients);
        for evidence in evidence.flat_map(|recipient| &mut recipient.evidence) {
            let line = evidence.line.map(|line| job.gaps.original(line));
            evidence.line = line.map(|line| line.saturating_add(job.first_line.saturating_sub(1)));
        }
        if let Some(live) = &self.live {
            live.ask(&mut found);
        }
        found
    }

    /// The way of the returned message. It costs a second look at the mail: only where people read
    /// it, and where it is clear which message is meant.
    fn way(&self, found: &[Explanation], bytes: &[u8]) -> Option<Route> {
        let told = self.values.format != Format::Json && !self.summary && !self.values.quiet;
        match found {
            [one] if told && !self.reply && one.report != Report::None => {
                crate::route::returned(&layer::open(bytes), &[])
            }
            _ => None,
        }
    }

    fn tell(
        &self,
        job: &Job,
        notice: u64,
        what: &Explanation,
        way: Option<&Route>,
        done: &mut Done,
    ) {
        match self.values.format {
            Format::Json => {
                let source = SourceRef {
                    index: job.index + notice,
                    notice,
                    ..job.source()
                };
                json::explain::explain(&mut done.told.text, source, what, self.values.audience);
            }
            _ if self.summary => {}
            _ => {
                let name = job.several.then(|| job.name());
                let detail = match (self.values.quiet, self.values.verbose) {
                    (true, _) => Detail::Brief,
                    (_, true) => Detail::Full,
                    _ => Detail::Normal,
                };
                if notice > 0 && detail != Detail::Brief && name.is_none() {
                    done.told.text.push('\n');
                }
                done.told.text += &human::explain::explain(
                    what,
                    Look {
                        paint: self.paint,
                        audience: self.values.audience,
                        detail,
                        name: name.as_deref(),
                        way,
                    },
                );
            }
        }
    }

    fn unreadable(&self, job: &Job, why: &str, done: &mut Done) {
        done.some_error = true;
        if let Some(sum) = &mut done.summary {
            sum.count_error();
        }
        done.told.complaints.push(job.complaint(why));
        if self.values.format == Format::Json {
            json::explain::error(&mut done.told.text, job.source(), why);
        }
    }
}
