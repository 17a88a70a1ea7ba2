//! One file per command: open the input, ask the room, hand the result to the report, choose the
//! exit code. Only this room writes to standard output and standard error.

mod bulk;
mod check;
mod config;
mod dnsbl;
mod explain;
mod glossary;
mod live;
pub mod output;
mod outward;
mod progress;
mod queue;
mod route;
mod send_test;
mod serve;

use std::ffi::OsString;
use std::io::IsTerminal;

use clap::{CommandFactory, Parser};

use crate::cli::{Cli, Command};
use crate::config::{Format, Settings};
use crate::exit::Exit;
use crate::report::human;
use crate::report::painter::Painter;

use output::{Output, complain};

/// What every command needs.
struct Context {
    settings: Settings,
    paint: Painter,
}

/// Runs the program with these arguments (the first is its own name).
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers and go to standard output; the rest is wrong use.
            let exit = if error.use_stderr() {
                Exit::Unusable
            } else {
                Exit::Good
            };
            drop(error.print());
            return exit;
        }
    };
    let settings = Settings::load(cli.global.config.as_deref(), &cli.settings(), |name| {
        std::env::var(name).ok()
    });
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => {
            complain(&error.to_string());
            return Exit::Unusable;
        }
    };
    let paint = Painter::for_stdout(settings.values.color, settings.values.width);
    let context = Context { settings, paint };
    let monitors = matches!(
        context.settings.values.format,
        Format::Nagios | Format::Prometheus
    );
    if monitors && !matches!(cli.command, Some(Command::Dnsbl(_))) {
        complain(
            "the formats nagios and prometheus are for `mailtrace dnsbl`; write human or json",
        );
        return Exit::Unusable;
    }
    match cli.command {
        None if std::io::stdin().is_terminal() => usage(context.paint),
        None => explain::bare(&context),
        Some(Command::Explain(command)) => explain::run(&command, &context),
        Some(Command::Dnsbl(command)) => dnsbl::run(&command, &context),
        Some(Command::Route(command)) => route::run(&command, &context),
        Some(Command::Check(command)) => check::run(&command, &context),
        Some(Command::SendTest(command)) => send_test::run(&command, &context),
        Some(Command::Serve(command)) => serve::run(&command, &context),
        Some(Command::Queue(command)) => queue::run(&command, &context),
        Some(Command::Glossary { terms }) => glossary::run(&terms, &context),
        Some(Command::Config) => config::run(&context),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "mailtrace", &mut script);
            Output::new().write_all(&script)
        }
    }
}

/// Nothing was asked and nothing was handed over: the common uses.
fn usage(paint: Painter) -> Exit {
    match Output::new().write_all(human::usage(paint).as_bytes()) {
        Exit::Good => Exit::Unusable,
        other => other,
    }
}
