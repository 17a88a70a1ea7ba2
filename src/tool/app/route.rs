//! `mailtrace route`.

mod live;

use std::io::{self, IsTerminal};
use std::thread;

use crate::cli;
use crate::config::{Format, Values};
use crate::exit::Exit;
use crate::message::layer;
use crate::message::source;
use crate::report::human::explain::Detail;
use crate::report::human::route::Look;
use crate::report::painter::Painter;
use crate::report::{html, human, json};
use crate::route::summary::Summary;
use crate::route::{self, Route, Severity, Trust};

use super::Context;
use super::bulk;
use super::explain::feed::{Batch, Job, Mails};
use super::live::Line;
use super::output::complain;
use super::teller::{Teller, Told};

/// What a worker makes of a batch.
#[derive(Default)]
struct Done {
    told: Told,
    /// A page of HTML for each route, when asked for.
    pages: Vec<String>,
    summary: Option<Summary>,
    /// Some finding is an error.
    some_bad: bool,
    /// Some input could not be read.
    some_error: bool,
    /// The DNS was asked and answered nothing.
    some_silence: bool,
}

struct Plan<'c> {
    values: &'c Values,
    paint: Painter,
    command: &'c cli::Route,
    trust: Vec<Trust>,
    line: Option<Line>,
}

pub(super) fn run(command: &cli::Route, context: &Context) -> Exit {
    let values = &context.settings.values;
    let mut trust = Vec::new();
    for text in &command.trust {
        match Trust::parse(text) {
            Some(one) => trust.push(one),
            None => {
                complain(&format!(
                    "--trust {text}: give a host, a domain, an address or a net such as 192.0.2.0/24"
                ));
                return Exit::Unusable;
            }
        }
    }
    let stdin = command.paths.is_empty() || command.paths.iter().any(|p| p.as_os_str() == "-");
    if stdin && io::stdin().is_terminal() {
        complain("reading a message from standard input; end with Ctrl-D");
    }
    let line = match command.live.then(|| Line::new(values)).transpose() {
        Ok(line) => line,
        Err(why) => {
            complain(&why);
            return Exit::Unknown;
        }
    };
    let plan = Plan {
        line,
        values,
        paint: context.paint,
        command,
        trust,
    };
    let mut teller = Teller::new(values, command.summary, None).reading_on(command.html.is_some());
    let workers = values
        .jobs
        .unwrap_or_else(|| thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let mut total = Done {
        summary: command.summary.then(Summary::default),
        ..Done::default()
    };
    let write = |done: Done| {
        total.some_bad |= done.some_bad;
        total.some_error |= done.some_error;
        total.some_silence |= done.some_silence;
        total.pages.extend(done.pages);
        if let (Some(sum), Some(more)) = (&mut total.summary, done.summary) {
            sum.add(more);
        }
        teller.tell(&done.told)
    };
    let mails = Mails::new(source::read(&command.paths));
    bulk::run(mails, workers, |batch| plan.work(&batch), write);
    let sums = total.summary.as_ref().map(|sum| match values.format {
        Format::Json => {
            let mut text = String::new();
            json::route::summary(&mut text, sum);
            text
        }
        // The formats of monitors are refused before, here as everywhere but in dnsbl.
        _ => human::route::summary(sum, context.paint),
    });
    teller.conclude(&sums.unwrap_or_default());
    if let Some(file) = &command.html
        && let Err(error) = std::fs::write(file, html::route::document(&total.pages))
    {
        let why = crate::words::reason(&error);
        complain(&format!(
            "{}: {why}; give --html a file that can be written",
            file.display()
        ));
        total.some_error = true;
    }
    match teller.stopped() {
        Some(stopped) => stopped,
        None if total.some_error => Exit::Unusable,
        None if total.some_bad => Exit::Bad,
        None if total.some_silence => Exit::Unknown,
        None => Exit::Good,
    }
}

/// The way of a mail that was handed over without a command, and whether something about it is
/// wrong; `None` when it has no trace.
pub(super) fn plainly(
    job: &Job,
    bytes: &[u8],
    values: &Values,
    paint: Painter,
) -> Option<(String, bool)> {
    let command = cli::Route::default();
    let plan = Plan {
        values,
        paint,
        command: &command,
        trust: Vec::new(),
        line: None,
    };
    let way = plan.route(bytes).filter(|way| !way.hops.is_empty())?;
    let mut done = Done::default();
    plan.tell(job, &way, &mut done);
    Some((done.told.text, done.some_bad))
}

impl Plan<'_> {
    fn work(&self, batch: &Batch) -> Done {
        let mut done = Done {
            summary: self.command.summary.then(Summary::default),
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
            Err(why) => return self.unreadable(job, why, done),
        };
        done.told.bytes += bytes.len() as u64;
        match bulk::guarded(|| self.route(bytes)) {
            Ok(Some(way)) => self.tell(job, &way, done),
            Ok(None) if self.command.original => {
                self.unreadable(
                    job,
                    "no header of a returned message in it; leave --original out for its own way",
                    done,
                );
            }
            Ok(None) => {
                self.unreadable(job, "this is not a mail message (no header found); paste the whole source, headers included", done);
            }
            Err(why) => self.unreadable(job, why, done),
        }
    }

    fn route(&self, bytes: &[u8]) -> Option<Route> {
        let layer = layer::open(bytes);
        let mut way = if self.command.original {
            route::returned(&layer, &self.trust)?
        } else {
            route::outermost(&layer, bytes, &self.trust)?
        };
        if let Some(line) = &self.line {
            // Of what came back, and of what was pasted, the signed text is seldom whole.
            let whole = !self.command.original && !layer.head.fields.is_empty();
            let wait = self.values.timeout.unwrap_or(live::WAIT);
            let message = whole.then_some(bytes);
            let found = line.run(live::ask(&line.resolver, wait, &way, message));
            way.learn(found);
        }
        Some(way)
    }

    fn tell(&self, job: &Job, way: &Route, done: &mut Done) {
        done.some_silence |= way.live.as_ref().is_some_and(route::live::Live::is_silence);
        done.some_bad |= way.findings.iter().any(|f| f.severity == Severity::Error);
        if let Some(sum) = &mut done.summary {
            sum.count(way);
        }
        if self.command.html.is_some() {
            done.pages.push(html::route::article(way, &job.name()));
        }
        match self.values.format {
            Format::Json => {
                json::route::route(&mut done.told.text, job.source(), way);
            }
            _ if self.command.summary => {}
            _ => {
                let detail = match (self.values.quiet, self.values.verbose) {
                    (true, _) => Detail::Brief,
                    (_, true) => Detail::Full,
                    _ => Detail::Normal,
                };
                let name = job.several.then(|| job.name());
                let look = Look {
                    paint: self.paint,
                    detail,
                    name: name.as_deref(),
                };
                done.told.text += &human::route::route(way, look);
                if job.several && detail != Detail::Brief {
                    done.told.text.push('\n');
                }
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
            json::route::error(&mut done.told.text, job.source(), why);
        }
    }
}
