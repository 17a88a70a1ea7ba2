//! Passwords: from a file, the environment or the person in front of the screen; never from the
//! arguments of our own flags, which everybody on the machine can see.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

/// The password for `whom`: from the file, else the environment variable, else the terminal.
pub(super) fn password(file: Option<&Path>, variable: &str, whom: &str) -> Result<String, String> {
    if let Some(path) = file {
        let name = path.display();
        let text = std::fs::read_to_string(path);
        let text =
            text.map_err(|e| format!("{name}: {}; check the path", crate::words::reason(&e)))?;
        return match text.lines().next() {
            Some(line) if !line.is_empty() => Ok(line.to_string()),
            _ => Err(format!("{name}: there is no password on the first line")),
        };
    }
    if let Ok(value) = std::env::var(variable)
        && !value.is_empty()
    {
        return Ok(value);
    }
    ask(whom).ok_or_else(|| {
        format!("no password for {whom}: put it into a file, or into {variable}; there is no terminal to ask at")
    })
}

/// Asks at the terminal, with what is typed not shown.
fn ask(whom: &str) -> Option<String> {
    let terminal = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .ok()?;
    let before = tcgetattr(&terminal).ok()?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    silent.local_modes.insert(LocalModes::ECHONL);
    tcsetattr(&terminal, OptionalActions::Flush, &silent).ok()?;
    let mut line = String::new();
    let asked = write!(
        &terminal,
        "Password for {}: ",
        crate::report::safe::safe(whom)
    );
    let read = asked.and_then(|()| BufReader::new(&terminal).read_line(&mut line));
    // Whatever happened, the terminal is as it was.
    let _ = tcsetattr(&terminal, OptionalActions::Flush, &before);
    read.ok()?;
    let line = line.trim_end_matches(['\r', '\n']);
    (!line.is_empty()).then(|| line.to_string())
}
