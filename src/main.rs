//! The `mailtrace` binary: parse, run, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    mailtrace::app::run(std::env::args_os()).into()
}
