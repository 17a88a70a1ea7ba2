//! One file per command: open the input, ask the room, hand the result to the report, choose the
//! exit code. Only this room writes to standard output and standard error.

mod bulk;
mod check;
mod config;
mod dnsbl;
mod explain;
mod glossary;
mod live;
mod network;
pub mod output;
mod outward;
mod progress;
mod queue;
mod route;
mod send_test;
mod serve;
mod teller;

use std::ffi::OsString;
use std::io::IsTerminal;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::cli::{Cli, Command};
use crate::config::{Format, Settings};
use crate::exit::Exit;
use crate::report::human;
use crate::report::painter::Painter;

use output::{Output, Stopped, complain};

/// What every command needs.
struct Context {
    settings: Settings,
    paint: Painter,
}

/// A complaint of clap in one line, as every other: what is wrong, what may have been meant, and
/// where help is.
fn wrong_use(text: &str) -> String {
    let mut out = String::new();
    for part in text.split("\n\n") {
        let part = part.split_whitespace().collect::<Vec<_>>().join(" ");
        let part = part.strip_prefix("error: ").unwrap_or(&part);
        if part.is_empty() || part.starts_with("Usage:") {
            continue;
        }
        let part = part.replacen(
            "the following required arguments were not provided:",
            "this command needs",
            1,
        );
        let part = match part.strip_prefix("For more information, try ") {
            Some(help) => format!("try {}", help.trim_end_matches('.')),
            None => part.replacen("tip: ", "", 1),
        };
        if !out.is_empty() {
            out.push_str("; ");
        }
        out.push_str(&part);
    }
    out
}

/// What clap has to say in place of a command: help and version are answers and go to standard
/// output, the rest is wrong use.
fn refused(error: &clap::Error) -> Exit {
    match error.kind() {
        // `mailtrace queue` alone: the whole help is no complaint of one line.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let cli = Cli::command();
            let queue = cli.find_subcommand("queue").into_iter();
            let words: Vec<&str> = queue
                .flat_map(clap::Command::get_subcommands)
                .map(clap::Command::get_name)
                .collect();
            complain(&format!(
                "this command needs another word that says what to do: {}; try '--help'",
                words.join(", ")
            ));
            Exit::Unusable
        }
        _ if error.use_stderr() => {
            complain(&wrong_use(&error.render().to_string()));
            Exit::Unusable
        }
        _ => match error.print() {
            Err(failure) => Stopped::from(failure).exit(),
            Ok(()) => Exit::Good,
        },
    }
}

/// Runs the program with these arguments (the first is its own name).
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            return refused(&error);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_use_is_told_in_one_line() {
        let told = |args: &[&str]| {
            let args = std::iter::once("mailtrace").chain(args.iter().copied());
            wrong_use(&Cli::try_parse_from(args).unwrap_err().render().to_string())
        };
        assert_eq!(
            told(&["chekc"]),
            "unrecognized subcommand 'chekc'; a similar subcommand exists: 'check'; try '--help'"
        );
        let port = told(&["check", "--port", "99999", "x.example"]);
        assert_eq!(
            port,
            "invalid value '99999' for '--port <PORT>': write a number from 1 to 65535; try '--help'"
        );
        assert_eq!(
            told(&["dnsbl"]),
            "this command needs <TARGET>...; try '--help'"
        );
        let negative = told(&["check", "--timeout", "-5", "x.example"]);
        assert!(
            negative.contains("write seconds, from 0.01 to 3600"),
            "{negative}"
        );
        assert!(!told(&["completions", "tcsh"]).contains('\n'));
    }
}
