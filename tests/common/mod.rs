//! Running the binary the way a user does, with an environment that is ours.
#![allow(dead_code, reason = "each test file uses its own part of this")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A file of `testdata/`.
pub(crate) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name)
}

/// One run of mailtrace.
pub(crate) struct Run {
    command: Command,
    stdin: Option<Vec<u8>>,
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// An environment that is ours.
pub(crate) trait OwnEnvironment {
    /// Nothing of the user's environment reaches the program, only the place where a program that
    /// was built for it leaves what was run of it (`.ci/coverage`).
    fn own_environment(&mut self) -> &mut Self;
}

impl OwnEnvironment for Command {
    fn own_environment(&mut self) -> &mut Self {
        const COVERAGE: &str = "LLVM_PROFILE_FILE";
        let place = std::env::var_os(COVERAGE).map(|place| (COVERAGE, place));
        self.env_clear().envs(place)
    }
}

/// Ends a server as its operator does, so that it says goodbye, and a program that was built for
/// it writes down what was run of it; who does not hear is killed.
pub(crate) fn end(child: &mut Child) {
    const PATIENCE: Duration = Duration::from_secs(5);
    let id = child.id().to_string();
    // The shell's own: not every machine has the program.
    let told = Command::new("sh").args(["-c", "kill $0", &id]).status();
    let end = Instant::now() + PATIENCE;
    while told.is_ok() && Instant::now() < end {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    // No panic: this may run while a test unwinds.
    child.kill().ok();
    child.wait().ok();
}

/// mailtrace with these arguments, in the root of the project, without any setting of the user.
pub(crate) fn mailtrace<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailtrace"));
    command
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .own_environment();
    command.env("HOME", "/nonexistent").env("LANG", "C.UTF-8");
    Run {
        command,
        stdin: None,
    }
}

impl Run {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn current_dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    pub(crate) fn run(mut self) -> Outcome {
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let bytes = self.stdin.take().unwrap_or_default();
        // In a thread: a child that writes before it has read all would wait for ever.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&bytes)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Outcome {
            code: output.status.code().expect("mailtrace ends by itself"),
            stdout: String::from_utf8(output.stdout).expect("the output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("diagnostics are UTF-8"),
        }
    }
}

impl Outcome {
    /// The JSON objects of the output.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).expect(line))
            .collect()
    }
}
