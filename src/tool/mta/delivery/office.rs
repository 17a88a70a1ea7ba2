//! A post office of one house for the tests of delivery: queue, mailboxes and a played server.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "for tests only"
)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::*;
use crate::bounce::explain;
use crate::bounce::explanation::Explanation;
use crate::dns::world::World;
use crate::mta::envelope::{Envelope, Recipient};
use crate::mta::mailboxes::Mailboxes;
use crate::mta::queue::Queue;
use crate::mta::queue::tests::envelope;
use crate::mta::retry::Clock;
use crate::smtp::played::{Played, Stage};

pub(super) const TEXT: &[u8] =
    b"From: alice@home.test\r\nSubject: s\r\nMessage-ID: <m@home.test>\r\n\r\n.dot\r\nbody\r\n";

/// A post office for `home.test`, with everything else given to `stage` by a route.
pub(super) struct Office {
    dir: TempDir,
    pub(super) queue: Queue,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

fn settings(dir: &Path, stage: Option<&Stage>) -> Settings {
    let boxes = Mailboxes::under(&dir.join("boxes"));
    let mut settings = Settings::new("mx.home.test", &["home.test".to_string()], boxes);
    settings.deadlines.dot = Duration::from_millis(500);
    settings.deadlines.mail = Duration::from_millis(500);
    if let Some(stage) = stage {
        let route = format!("*={}", stage.at);
        settings.routes.push(Relay::parse_route(&route).unwrap());
    }
    settings
}

impl Office {
    pub(super) fn open(
        stage: Option<&Stage>,
        world: World,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let clock = Clock::starting(envelope(1).received);
        let dir = tempfile::tempdir().unwrap();
        Self::within(dir, clock, stage, world, change)
    }

    pub(super) fn within(
        dir: TempDir,
        clock: Clock,
        stage: Option<&Stage>,
        world: World,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let queue = Queue::open(&dir.path().join("spool")).unwrap();
        let mut settings = settings(dir.path(), stage);
        change(&mut settings);
        let log: Log = Arc::new(|_, _, _| {});
        let delivery = Delivery::new(queue.clone(), settings, Arc::new(world), clock, log);
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(delivery.run(stopped));
        Self {
            dir,
            queue,
            stop,
            task,
        }
    }

    pub(super) async fn put(&self, envelope: Envelope, text: &[u8]) {
        let mut draft = self.queue.draft();
        draft.write(text).unwrap();
        draft.commit(envelope).await.unwrap();
    }

    /// Waits until nothing is left to do.
    pub(super) async fn done(&self) {
        // Five days of attempts take their time on a machine that is busy with other things.
        for _ in 0..6000 {
            if self.queue.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never done: {:?}", self.queue.all());
    }

    pub(super) fn mails(&self, user: &str) -> Vec<String> {
        let new = self.dir.path().join("boxes").join(user).join("new");
        let Ok(files) = fs::read_dir(new) else {
            return Vec::new();
        };
        let mut paths: Vec<_> = files.map(|f| f.unwrap().path()).collect();
        paths.sort();
        paths
            .iter()
            .map(|p| String::from_utf8(fs::read(p).unwrap()).unwrap())
            .collect()
    }

    pub(super) fn notices(&self) -> Vec<Explanation> {
        let mails = self.mails("alice");
        mails
            .iter()
            .flat_map(|mail| explain(mail.as_bytes()))
            .collect()
    }

    pub(super) async fn close(self) -> TempDir {
        self.stop.send(true).unwrap();
        self.task.await.unwrap();
        self.dir
    }
}

/// What the server heard, when it has heard the farewell; that is a moment after it was said.
pub(super) async fn heard_out(stage: &Stage) -> String {
    for _ in 0..100 {
        if verbs(stage).ends_with("QUIT") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    verbs(stage)
}

/// A letter of alice's to these addresses.
pub(super) fn to(addresses: &[&str]) -> Envelope {
    let mut mail = envelope(1);
    let address = |text: &str| {
        let (local, domain) = text.split_once('@').unwrap();
        crate::mta::address::Address {
            local: local.into(),
            domain: Some(domain.into()),
        }
    };
    mail.sender = Some(address("alice@home.test"));
    let one = |a: &&str| Recipient {
        address: address(a),
        notify: None,
        orcpt: None,
    };
    mail.recipients = addresses.iter().map(one).collect();
    mail
}

pub(super) fn full(reply: &str) -> Played {
    Played::announcing(&[
        "PIPELINING",
        "8BITMIME",
        "SIZE 1000000",
        "ENHANCEDSTATUSCODES",
    ])
    .says("RCPT", reply)
    .says("DATA", "354 go")
    .says(".", "250 2.0.0 taken")
}

pub(super) fn good() -> Played {
    full("250 2.1.5 ok")
}

pub(super) fn verbs(stage: &Stage) -> String {
    let heard = stage.heard();
    let word = |line: &String| line.split([' ', ':']).next().unwrap_or("").to_string();
    let known = [
        "*connect*",
        "EHLO",
        "LHLO",
        "HELO",
        "MAIL",
        "RCPT",
        "DATA",
        "RSET",
        "QUIT",
        "STARTTLS",
        ".",
    ];
    let words: Vec<_> = heard
        .iter()
        .map(word)
        .filter(|w| known.contains(&w.as_str()))
        .collect();
    words.join(" ")
}
