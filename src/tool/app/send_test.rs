//! `mailtrace send-test`.

mod content;
mod real;
mod scenarios;
mod secret;
mod series;
mod setting;

use std::future::Future;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::send_test::SendTest;
use crate::config::Format;
use crate::exit::Exit;
use crate::report::human::explain::Detail;
use crate::report::human::send_test::Look;
use crate::report::{human, json};
use crate::send::chain::folder::Folder;
use crate::send::chain::plan::Plan;
use crate::send::chain::play::{Wish, play};
use crate::send::{Outcome, Round, Status};

use super::Context;
use super::network;
use super::output::{Output, complain};

/// What is told of the folders of a run.
const CLEAN: &str = "nothing is left behind";
/// What a shell shows for a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

pub(super) fn run(command: &SendTest, context: &Context) -> Exit {
    match perform(command, context) {
        Ok(exit) => exit,
        Err(why) => {
            complain(&why);
            Exit::Unusable
        }
    }
}

fn perform(command: &SendTest, context: &Context) -> Result<Exit, String> {
    let wish = content::wish(&command.content)?;
    if command.server.is_some() || !command.to.is_empty() {
        return real::run(command, wish, context);
    }
    misplaced(command)?;
    match command.scenario.as_deref() {
        Some("list") => Ok(scenarios::list(context)),
        Some("all") => scenarios::all(command, context),
        Some(name) => scenarios::one(name, command, &wish, context),
        None => chain(command, &wish, context),
    }
}

/// What makes no sense on the road of this machine must not be passed over in silence.
fn misplaced(command: &SendTest) -> Result<(), String> {
    let sending = &command.manner;
    let flags = [
        ("--from", sending.from.is_some()),
        ("--helo", sending.helo.is_some()),
        ("--verp", sending.verp),
        ("--port", sending.port.is_some()),
        ("--tls", sending.tls.is_some()),
        ("--ca-file", sending.ca_file.is_some()),
        ("--lmtp", sending.lmtp),
        ("--dkim-key", sending.dkim_key.is_some()),
        ("--count", command.count.is_some()),
    ];
    let sending = flags
        .iter()
        .find(|(_, given)| *given)
        .map(|(flag, _)| *flag);
    match sending.or(command.waiting.given()) {
        Some(flag) => Err(format!(
            "{flag} is for real sends: give a SERVER or --to as well"
        )),
        None => Ok(()),
    }
}

/// Where things run, with Ctrl-C heard from now on: before there is anything to clean up.
struct Stage {
    runtime: Runtime,
    interrupt: Signal,
}

impl Stage {
    fn new() -> Result<Self, String> {
        let runtime = network::runtime()?;
        let entered = runtime.enter();
        let interrupt = signal(SignalKind::interrupt());
        let interrupt = interrupt.map_err(|error| network::no_network(&error))?;
        drop(entered);
        Ok(Self { runtime, interrupt })
    }

    /// Runs until it is done or somebody loses patience: then `None`.
    fn run<T>(mut self, work: impl Future<Output = T>) -> Option<T> {
        let done = self.runtime.block_on(async {
            tokio::select! {
                done = work => Some(done),
                _ = self.interrupt.recv() => None,
            }
        });
        self.runtime.shutdown_background();
        done
    }

    /// Runs what hears Ctrl-C itself.
    fn run_to_the_end<T>(self, work: impl Future<Output = T>) -> T {
        let done = self.runtime.block_on(work);
        self.runtime.shutdown_background();
        done
    }
}

/// The folder of a run.
fn folder(command: &SendTest) -> Result<Folder, String> {
    let folder = match &command.keep {
        Some(path) => Folder::kept(path).map_err(|error| (path.display().to_string(), error)),
        None => {
            Folder::temporary().map_err(|error| (std::env::temp_dir().display().to_string(), error))
        }
    };
    folder.map_err(|(path, error)| {
        let why = match error.kind() {
            std::io::ErrorKind::AlreadyExists => "the folder is not empty".to_string(),
            _ => crate::words::reason(&error),
        };
        format!("{path}: {why}; give a new folder with --keep")
    })
}

/// The road on this machine.
fn chain(command: &SendTest, wish: &Wish, context: &Context) -> Result<Exit, String> {
    let stage = Stage::new()?;
    let folder = folder(command)?;
    let played = stage.run(play(&Plan::new(), folder.path(), wish));
    let Some(played) = played else {
        drop(folder);
        interrupted(CLEAN);
    };
    let mut round = played.map_err(|error| error.to_string())?;
    round.kept = folder.stays().map(std::path::Path::to_path_buf);
    let exit = exit(&round);
    match show(&round, true, context) {
        Exit::Good => Ok(exit),
        other => Ok(other),
    }
}

/// Ends as a program does that Ctrl-C ended; everything of ours is cleaned up already.
fn interrupted(note: &str) -> ! {
    complain(&format!("interrupted; {note}"));
    std::process::exit(INTERRUPTED)
}

fn look(context: &Context, dialogue: bool) -> Look {
    let values = &context.settings.values;
    Look {
        paint: context.paint,
        detail: match (values.quiet, values.verbose) {
            (true, _) => Detail::Brief,
            (_, true) => Detail::Full,
            _ => Detail::Normal,
        },
        audience: values.audience,
        dialogue,
    }
}

fn show(round: &Round, dialogue: bool, context: &Context) -> Exit {
    let values = &context.settings.values;
    let mut text = String::new();
    match values.format {
        Format::Json => json::send_test::round(&mut text, round, values.audience),
        _ => text = human::send_test::round(round, look(context, dialogue)),
    }
    Output::new().write_all(text.as_bytes())
}

/// How the program ends: bad news before no news.
fn exit(round: &Round) -> Exit {
    match (round.arrival.status, round.outcome) {
        (Status::NotWaited, Outcome::Partly) if round.is_uncertain() && !round.is_refused() => {
            Exit::Unknown
        }
        (Status::Bounced, _) | (_, Outcome::Rejected | Outcome::Partly) => Exit::Bad,
        (Status::Arrived, _) => Exit::Good,
        (Status::Pending, _) => Exit::Unknown,
        (Status::NotWaited, Outcome::Accepted) => Exit::Good,
        (Status::NotWaited, Outcome::Deferred | Outcome::Failed) => Exit::Unknown,
        (Status::NotWaited, Outcome::NotSent) if round.probe && !round.gave_up() => Exit::Good,
        (Status::NotWaited, Outcome::NotSent) => Exit::Unknown,
    }
}
