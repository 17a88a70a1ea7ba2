//! The `mailtrace` binary: parse, run, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    mailtrace::exit::Exit::Good.into()
}
