//! Delivery to real servers: the Postfix, Exim and smtp-sink ones of the testbed take our mail, or
//! refuse it, and what comes back to the sender says why.
//!
//! Runs as `interop_check` does; else it says why it does not.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test may fail, and says why it is left out"
)]

mod testbed;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mailtrace::bounce::explain;
use mailtrace::dns::world::World;
use mailtrace::mta::address::Address;
use mailtrace::mta::delivery::{Delivery, Relay, Settings, Tls};
use mailtrace::mta::envelope::{Body, Client, Envelope, Recipient};
use mailtrace::mta::mailboxes::Mailboxes;
use mailtrace::mta::queue::Queue;
use mailtrace::mta::retry::Clock;
use mailtrace::smtp::sasl::{Credentials, Secret};
use testbed::bed;
use tokio::sync::watch;

/// What is given to which endpoint, and what comes back: the status and the cause; nothing when it
/// is taken.
struct Case {
    at: u16,
    to: &'static str,
    tune: fn(&mut Relay),
    back: Option<(&'static str, &'static str)>,
}

const fn taken(at: u16, to: &'static str) -> Case {
    Case {
        at,
        to,
        tune: |_| {},
        back: None,
    }
}

const fn back(at: u16, to: &'static str, status: &'static str, cause: &'static str) -> Case {
    Case {
        back: Some((status, cause)),
        ..taken(at, to)
    }
}

const CASES: &[Case] = &[
    taken(0, "alice@example.test"),
    back(0, "nobody@example.test", "5.1.1", "user-unknown"),
    back(0, "fullhard@example.test", "5.2.2", "over-quota"),
    back(0, "full@example.test", "4.2.2", "over-quota"),
    back(0, "disabled@example.test", "5.2.1", "mailbox-disabled"),
    back(0, "x@elsewhere.test", "5.7.1", "relay-denied"),
    back(1, "alice@example.test", "5.7.1", "dnsbl"),
    back(2, "alice@example.test", "5.7.1", "dnsbl"),
    taken(4, "alice@example.test"),
    taken(7, "alice@example.test"),
    taken(8, "alice@example.test"),
    Case {
        tune: |relay| relay.tls = Tls::Required,
        ..taken(14, "alice@example.test")
    },
    Case {
        tune: |relay| relay.tls = Tls::Required,
        ..back(4, "alice@example.test", "5.7.10", "tls-failed")
    },
    taken(20, "alice@exim.test"),
    back(20, "nobody@exim.test", "5.1.1", "user-unknown"),
    back(20, "fullhard@exim.test", "5.2.2", "over-quota"),
    Case {
        tune: |relay| {
            relay.login = Some(Credentials {
                user: "alice".to_string(),
                secret: Secret::Password("wonderland".to_string()),
            });
        },
        ..taken(24, "alice@exim.test")
    },
    taken(30, "x@sink.test"),
    taken(32, "x@sink.test"),
    back(40, "x@silent.test", "4.4.7", "connection-failed"),
    back(49, "x@closed.test", "4.4.7", "connection-failed"),
];

fn address(text: &str) -> Address {
    let (local, domain) = text.split_once('@').unwrap();
    Address {
        local: local.to_string(),
        domain: Some(domain.to_string()),
    }
}

fn envelope(to: &[&str]) -> Envelope {
    Envelope {
        sender: Some(address("sender@home.test")),
        recipients: to
            .iter()
            .map(|to| Recipient {
                address: address(to),
                notify: None,
                orcpt: None,
            })
            .collect(),
        ret: None,
        envid: None,
        body: Body::SevenBit,
        smtputf8: false,
        client: Client {
            ip: None,
            helo: None,
            user: None,
            with: "LOCAL".to_string(),
        },
        received: SystemTime::now(),
    }
}

/// Delivers one mail; gives the notices that came back.
async fn deliver(dir: &Path, relay: Relay, envelope: Envelope, text: &[u8]) -> Vec<Vec<u8>> {
    let boxes = Mailboxes::under(&dir.join("mail"));
    let mut settings = Settings::new("mx.home.test", &["home.test".to_string()], boxes);
    settings.smart_host = Some(relay);
    settings.schedule.warn_after = None;
    // The time jumps; one retry is enough to see that it is one.
    settings.schedule.waits = vec![Duration::from_secs(3 * 24 * 3600)];
    settings.deadlines.banner = Duration::from_secs(2);
    let queue = Queue::open(&dir.join("spool")).unwrap();
    let clock = Clock::starting(SystemTime::now());
    let world = Arc::new(World::new());
    let silent = Arc::new(|_: &str, _: Option<&str>, _: &[(&str, &str)]| {});
    let delivery = Delivery::new(queue.clone(), settings, world, clock, silent);
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(delivery.run(stopped));
    let mut draft = queue.draft();
    draft.write(text).unwrap();
    draft.commit(envelope).await.unwrap();
    while !queue.is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.send(true).unwrap();
    running.await.unwrap();
    let Ok(files) = fs::read_dir(dir.join("mail/sender/new")) else {
        return Vec::new();
    };
    files
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .collect()
}

/// How many messages with this word lie below a folder.
fn count(folder: &Path, word: &str) -> usize {
    let mut found = 0;
    for entry in fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
    {
        let path = entry.path();
        if path.is_dir() {
            found += count(&path, word);
        } else if fs::read(&path).is_ok_and(|text| String::from_utf8_lossy(&text).contains(word)) {
            found += 1;
        }
    }
    found
}

#[tokio::test]
async fn real_servers_take_our_mail_or_the_sender_is_told_why_not() {
    let bed = match bed() {
        Ok(bed) => bed,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let mut wrong = Vec::new();
    for (n, case) in CASES.iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let server = format!("127.0.0.1:{}", bed.base + case.at);
        let mut relay = Relay::parse(&server, 25).unwrap();
        (case.tune)(&mut relay);
        let text = format!("From: sender@home.test\r\nSubject: {n}\r\n\r\n.a dot\r\nX-{n}\r\n");
        let notices = deliver(dir.path(), relay, envelope(&[case.to]), text.as_bytes()).await;
        let told = notices.iter().flat_map(|notice| explain(notice)).next();
        let told = told.and_then(|told| {
            let one = told.recipients.into_iter().next()?;
            Some((one.status?.to_string(), one.cause.id(), one.diagnostic))
        });
        let same = match (&told, case.back) {
            (None, None) => true,
            (Some((status, cause, _)), Some(right)) => (status.as_str(), *cause) == right,
            _ => false,
        };
        if !same {
            wrong.push(format!("+{} {}: {told:?}", case.at, case.to));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_hard_message_reaches_postfix_and_exim_unchanged() {
    let bed = match bed() {
        Ok(bed) => bed,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    for (at, to) in [(0, "bob@example.test"), (20, "bob@exim.test")] {
        let dir = tempfile::tempdir().unwrap();
        let relay = Relay::parse(&format!("127.0.0.1:{}", bed.base + at), 25).unwrap();
        let mark = format!("mark-{at}-{}", std::process::id());
        let body = format!(
            ".\r\n..\r\n.{mark}\r\n\r\nFrom x\r\n{}\r\n",
            "y".repeat(900)
        );
        let text = format!("From: sender@home.test\r\nSubject: hard\r\n\r\n{body}");
        let notices = deliver(dir.path(), relay, envelope(&[to]), text.as_bytes()).await;
        assert!(notices.is_empty());
        let lines = format!(".\n..\n.{mark}\n\n");
        for _ in 0..200 {
            if count(&bed.state.join("maildir"), &lines) == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let found = count(&bed.state.join("maildir"), &lines);
        assert_eq!(found, 1, "{to}");
    }
}
