use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::mta::address::Address;
use crate::mta::envelope::{Body, Client, Recipient};

pub(crate) fn envelope(recipients: usize) -> Envelope {
    let address = |local: String| Address {
        local,
        domain: Some("example.test".into()),
    };
    Envelope {
        sender: Some(address("alice".into())),
        recipients: (0..recipients)
            .map(|n| Recipient {
                address: address(format!("user{n}")),
                notify: None,
                orcpt: None,
            })
            .collect(),
        ret: None,
        envid: None,
        body: Body::SevenBit,
        smtputf8: false,
        client: Client {
            ip: Some([127, 0, 0, 1].into()),
            helo: Some("client.test".into()),
            user: None,
            with: "ESMTP".into(),
        },
        received: UNIX_EPOCH + Duration::from_micros(1_795_333_260_123_456),
    }
}

pub(crate) async fn put(queue: &Queue, text: &[u8]) -> QueueId {
    let mut draft = queue.draft();
    for part in text.chunks(1000) {
        draft.write(part).unwrap();
    }
    draft.commit(envelope(1)).await.unwrap()
}

fn texts(queue: &Queue) -> Vec<Vec<u8>> {
    let all = queue.all();
    let load = |entry: &Entry| entry.text.load().unwrap().as_ref().to_vec();
    all.iter().map(load).collect()
}

fn files(dir: &Path, sub: &str) -> usize {
    fs::read_dir(dir.join(sub)).unwrap().count()
}

#[tokio::test]
async fn what_was_taken_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let small = b"Subject: x\r\n\r\nhello\r\n".to_vec();
    let big = b"Subject: y\r\n\r\n0123456789\r\n".repeat(10_000);
    let queue = Queue::open(dir.path()).unwrap();
    let ids = [put(&queue, &small).await, put(&queue, &big).await];
    assert!(ids[0] < ids[1]);
    drop(queue);
    let queue = Queue::open(dir.path()).unwrap();
    assert_eq!(texts(&queue), [small, big]);
    assert_eq!(*queue.all()[0].envelope, envelope(1));
    assert!(*queue.draft().id() > ids[1]);
    queue.note(ids[0], &[Event::Gone]);
    queue.note(ids[1], &[Event::Gone]);
    drop(queue);
    assert_eq!(files(dir.path(), "big"), 0);
    for _ in 0..3 {
        let queue = Queue::open(dir.path()).unwrap();
        assert!(queue.is_empty());
        assert!(*queue.draft().id() > ids[1]);
        drop(queue);
        assert_eq!(files(dir.path(), "journal"), 1);
    }
}

#[tokio::test]
async fn a_dropped_draft_never_was() {
    let dir = tempfile::tempdir().unwrap();
    let queue = Queue::open(dir.path()).unwrap();
    let mut draft = queue.draft();
    draft.write(&[b'x'; 2 * BIG]).unwrap();
    assert_eq!(files(dir.path(), "incoming"), 1);
    drop(draft);
    assert_eq!(files(dir.path(), "incoming"), 0);
    assert!(queue.is_empty());
}

#[tokio::test]
async fn two_servers_never_share_a_spool() {
    let dir = tempfile::tempdir().unwrap();
    let queue = Queue::open(dir.path()).unwrap();
    let second = Queue::open(dir.path()).err().unwrap().to_string();
    assert!(second.contains("another server"), "{second}");
    assert!(second.contains(&std::process::id().to_string()), "{second}");
    drop(queue);
    Queue::open(dir.path()).unwrap();
}

#[tokio::test]
async fn many_sessions_are_kept_by_few_syncs_and_none_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let queue = Queue::open(dir.path()).unwrap();
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            let queue = queue.clone();
            tokio::spawn(async move { put(&queue, format!("n: {n}\r\n").as_bytes()).await })
        })
        .collect();
    let mut ids = Vec::new();
    for task in tasks {
        ids.push(task.await.unwrap());
    }
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), queue.len()), (200, 200));
    drop(queue);
    let queue = Queue::open(dir.path()).unwrap();
    let mut found = texts(&queue);
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 200);
}

#[tokio::test]
async fn leftovers_that_nobody_was_promised_are_cleared() {
    let dir = tempfile::tempdir().unwrap();
    drop(Queue::open(dir.path()).unwrap());
    fs::write(dir.path().join("incoming/00000000001"), "half").unwrap();
    fs::write(dir.path().join("big/00000000001"), "whole").unwrap();
    fs::write(dir.path().join("journal/00000099"), "mailtrace jour").unwrap();
    let queue = Queue::open(dir.path()).unwrap();
    assert!(queue.is_empty());
    assert_eq!(files(dir.path(), "incoming") + files(dir.path(), "big"), 0);
}

#[tokio::test]
async fn what_is_due_is_taken_once_and_waits_for_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let queue = Queue::open(dir.path()).unwrap();
    let id = put(&queue, b"x\r\n").await;
    let now = SystemTime::now() + Duration::from_secs(1_000_000_000);
    assert_eq!(queue.take_due(now, 10).len(), 1);
    assert_eq!(queue.take_due(now, 10).len(), 0);
    let later = now + Duration::from_secs(60);
    queue.note(id, &[Event::Next(later, 1)]);
    queue.release(id);
    assert_eq!(queue.take_due(now, 10).len(), 0);
    assert_eq!(queue.next_due(), Some(later));
    assert_eq!(queue.take_due(later, 10)[0].tries, 1);
    queue.note(id, &[Event::Held(true)]);
    queue.release(id);
    assert_eq!(queue.next_due(), None);
    queue.note(id, &[Event::Held(false)]);
    assert_eq!(queue.next_due(), Some(later));
}

#[tokio::test]
async fn a_file_of_settled_messages_is_emptied_and_nobody_reads_another_ones_text() {
    let dir = tempfile::tempdir().unwrap();
    let queue = Queue::open(dir.path()).unwrap();
    // More than is kept in memory.
    let mut ids = Vec::new();
    for n in 0..200_u8 {
        ids.push(put(&queue, &[b'a' + n % 20; 60_000]).await);
    }
    let last = queue.get(ids[199]).unwrap().text;
    assert!(!last.is_held() && last.load().is_ok());
    let octets = || -> u64 {
        let files = fs::read_dir(dir.path().join("journal")).unwrap();
        files.map(|f| f.unwrap().metadata().unwrap().len()).sum()
    };
    assert!(octets() > 8 << 20);
    for id in ids {
        queue.note(id, &[Event::Gone]);
    }
    assert!(octets() < 1 << 20, "{}", octets());
    for _ in 0..100 {
        put(&queue, &[b'z'; 60_000]).await;
    }
    assert!(last.load().is_err());
}
