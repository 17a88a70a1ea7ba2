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
    let plan = match Plan::of(command, context) {
        Ok(plan) => plan,
        Err((why, exit)) => {
            complain(&why);
            return exit;
        }
    };
    let stdin = command.paths.is_empty() || command.paths.iter().any(|p| p.as_os_str() == "-");
    if stdin && io::stdin().is_terminal() {
        complain("reading a message from standard input; end with Ctrl-D");
    }
    let mut teller = Teller::new(values, command.summary, None).reading_on(command.html.is_some());
    let workers = values
        .jobs
        .unwrap_or_else(|| thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let mut total = plan.nothing();
    let write = |done: Done| {
        let text = total.add(done);
        teller.tell(&text)
    };
    let mails = Mails::new(source::read(&command.paths));
    bulk::run(mails, workers, |batch| plan.work(&batch), write);
    teller.conclude(&total.sums(values.format, context.paint));
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
    teller.stopped().unwrap_or_else(|| total.exit())
}

impl Done {
    /// Takes in what a worker made; gives what is to be told at once.
    fn add(&mut self, more: Self) -> Told {
        self.some_bad |= more.some_bad;
        self.some_error |= more.some_error;
        self.some_silence |= more.some_silence;
        self.pages.extend(more.pages);
        if let (Some(sum), Some(more)) = (&mut self.summary, more.summary) {
            sum.add(more);
        }
        more.told
    }

    /// The counts over all messages, when asked for.
    fn sums(&self, format: Format, paint: Painter) -> String {
        let Some(sum) = &self.summary else {
            return String::new();
        };
        match format {
            Format::Json => {
                let mut text = String::new();
                json::route::summary(&mut text, sum);
                text
            }
            // The formats of monitors are refused before, here as everywhere but in dnsbl.
            _ => human::route::summary(sum, paint),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            _ if self.some_error => Exit::Unusable,
            _ if self.some_bad => Exit::Bad,
            _ if self.some_silence => Exit::Unknown,
            _ => Exit::Good,
        }
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

impl<'c> Plan<'c> {
    /// Reads the flags; an error comes with the exit code that is due for it.
    fn of(command: &'c cli::Route, context: &'c Context) -> Result<Self, (String, Exit)> {
        let values = &context.settings.values;
        let trusted = |text: &String| {
            Trust::parse(text).ok_or_else(|| {
                let why = format!(
                    "--trust {text}: give a host, a domain, an address or a net such as 192.0.2.0/24"
                );
                (why, Exit::Unusable)
            })
        };
        let trust = command
            .trust
            .iter()
            .map(trusted)
            .collect::<Result<_, _>>()?;
        let line = command.live.then(|| Line::new(values)).transpose();
        Ok(Self {
            values,
            paint: context.paint,
            command,
            trust,
            line: line.map_err(|why| (why, Exit::Unknown))?,
        })
    }

    /// What there is before the first message.
    fn nothing(&self) -> Done {
        Done {
            summary: self.command.summary.then(Summary::default),
            ..Done::default()
        }
    }

    fn work(&self, batch: &Batch) -> Done {
        let mut done = self.nothing();
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
