//! A mail server of ours for the programs of others, and what they have to carry.
#![allow(dead_code, reason = "each test has its own wishes")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test may fail, and says why it is skipped"
)]

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::shelf::{Shelf, Shelves};
use mailtrace::mta::envelope::Envelope;
use mailtrace::mta::fault::Faults;
use mailtrace::mta::journal::Journal;
use mailtrace::mta::mailboxes::Standing;
use mailtrace::mta::server::Server;
use mailtrace::mta::settings::{Listener, Role, Settings};
use mailtrace::mta::site::Site;

/// Lines that are hard to carry: dots at the beginning, a long one, and one of umlauts.
pub(crate) const BODY: &str = "..two dots\n.one dot\n.\nFrom here\n\nthe end\n";

/// A server in a thread of its own: transfer, submission, submission inside TLS, LMTP.
pub(crate) struct House {
    pub(crate) at: Vec<SocketAddr>,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) end: Option<tokio::sync::oneshot::Sender<()>>,
    pub(crate) thread: Option<std::thread::JoinHandle<()>>,
}

impl House {
    pub(crate) fn open() -> Self {
        let shelf = Arc::new(Shelf::default());
        let mut settings = Settings::new("mx.example.test", &["example.test"]);
        settings
            .users
            .push(("bob".to_string(), "secret word".to_string()));
        let site = Site::new(
            settings,
            Arc::new(Shelves(shelf.clone())),
            Arc::new(|address| match address.local.starts_with("unknown") {
                true => Standing::Unknown,
                false => Standing::Known,
            }),
            Arc::new(Faults::default()),
            Arc::new(Journal::silent(SystemTime::now)),
            None,
            SystemTime::now,
        );
        let (tell, told) = std::sync::mpsc::channel();
        let (end, ended) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async move {
                let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
                let doors = [
                    Listener::new(any, Role::Mta),
                    Listener::new(any, Role::Msa),
                    Listener {
                        tls_first: true,
                        ..Listener::new(any, Role::Msa)
                    },
                    Listener {
                        lmtp: true,
                        ..Listener::new(any, Role::Mda)
                    },
                ];
                let server = Server::start(Arc::new(site), &doors).await.unwrap();
                tell.send(server.addresses.clone()).unwrap();
                let _ = ended.await;
                server.stop_at_once();
            });
        });
        Self {
            at: told.recv().unwrap(),
            shelf,
            folder: tempfile::tempdir().unwrap(),
            end: Some(end),
            thread: Some(thread),
        }
    }

    pub(crate) fn mta(&self) -> SocketAddr {
        self.at[0]
    }

    pub(crate) fn msa(&self) -> SocketAddr {
        self.at[1]
    }

    pub(crate) fn smtps(&self) -> SocketAddr {
        self.at[2]
    }

    pub(crate) fn lmtp(&self) -> SocketAddr {
        self.at[3]
    }

    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// A message with the body that is hard to carry.
    pub(crate) fn message(&self) -> PathBuf {
        let head = "From: a@b.test\nTo: u@example.test\nSubject: interop\n\n";
        self.file("message", &format!("{head}{BODY}"))
    }

    /// The messages that came since; waits for `count` of them.
    pub(crate) fn taken(&self, count: usize, what: &str) -> Vec<(Envelope, String)> {
        let start = Instant::now();
        loop {
            let mut taken = self.shelf.taken.lock().unwrap();
            if taken.len() >= count || start.elapsed() > Duration::from_secs(20) {
                assert_eq!(taken.len(), count, "{what}");
                let all = std::mem::take(&mut *taken);
                let text = |octets| String::from_utf8(octets).unwrap();
                return all.into_iter().map(|(e, t)| (e, text(t))).collect();
            }
            drop(taken);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// One message came, to this recipient and with its body as it was sent.
    pub(crate) fn one(&self, what: &str) -> (Envelope, String) {
        let (envelope, text) = self.taken(1, what).remove(0);
        let recipients: Vec<_> = envelope
            .recipients
            .iter()
            .map(|r| r.address.to_string())
            .collect();
        assert_eq!(recipients, ["u@example.test"], "{what}");
        let body = BODY.replace('\n', "\r\n");
        assert!(text.contains(&format!("\r\n\r\n{body}")), "{what}: {text}");
        (envelope, text)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// The program, or a word that it is not there.
pub(crate) fn program(name: &str) -> Option<Command> {
    let there = Command::new("sh")
        .args(["-c", &format!("command -v {name}")])
        .output();
    if there.is_ok_and(|out| out.status.success()) {
        return Some(Command::new(name));
    }
    eprintln!("skipped: {name} is not installed");
    None
}

pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}\n{shown}\n{wrong}");
    output
}
