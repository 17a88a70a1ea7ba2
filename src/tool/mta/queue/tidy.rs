//! Messages that wait for a later attempt move out of files whose other messages are settled, so
//! that one slow recipient does not keep eight megabytes of the disk.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::id::QueueId;
use super::record::{self, Event};
use super::segment::{Segment, sync_dir};
use super::store::{Entry, Store};
use super::text::{Place, Text};

/// A file with more messages than this left stays as it is.
const FEW: usize = 64;

impl Store {
    /// Moves what waits alone. Called now and then, from a thread of the queue.
    pub(super) fn tidy(&self) {
        let mut homes: HashMap<PathBuf, usize> = HashMap::new();
        let all = self.all();
        let movable = |entry: &&Entry| {
            let home = &entry.home;
            home.sealed.load(Ordering::Acquire) && home.path.starts_with(self.dir.join("journal"))
        };
        for entry in all.iter().filter(movable) {
            *homes.entry(entry.home.path.clone()).or_default() += 1;
        }
        for entry in all.iter().filter(movable) {
            let few = homes
                .get(&entry.home.path)
                .is_some_and(|count| *count <= FEW);
            if !few || !self.reserve(entry.id) {
                continue;
            }
            // As it stands now that nobody else works on it.
            if let Some(entry) = self.get(entry.id) {
                match self.copy(&entry) {
                    Ok((home, text)) => self.moved(entry.id, home, text),
                    // It stays where it is; there may be room the next time.
                    Err(_) => drop(std::fs::remove_file(self.waiting(entry.id))),
                }
            }
            self.release(entry.id);
        }
    }

    fn waiting(&self, id: QueueId) -> PathBuf {
        self.dir.join("waiting").join(id.to_string())
    }

    /// Writes a message and how it stands into a file of its own, durably.
    fn copy(&self, entry: &Entry) -> io::Result<(Arc<Segment>, Text)> {
        let path = self.waiting(entry.id);
        let segment = Segment::create(path, self.ids.last())?;
        let (content, big) = match &entry.text.0 {
            Place::File(_, octets) => (None, Some((*octets, 0))),
            _ => (Some(entry.text.load()?), None),
        };
        let content = content.as_ref().map(AsRef::as_ref).unwrap_or_default();
        let mut out = Vec::new();
        let key = &segment.key;
        let within = record::write_message(&mut out, key, entry.id, &entry.envelope, content, big);
        for event in standing(entry) {
            record::write_note(&mut out, key, entry.id, self.note_number(), &event);
        }
        let at = segment.append(&out)?;
        segment.sync()?;
        sync_dir(&self.dir.join("waiting"))?;
        segment.sealed.store(true, Ordering::Release);
        segment.live.store(1, Ordering::Release);
        let segment = Arc::new(segment);
        let text = match big {
            Some(_) => entry.text.clone(),
            None => {
                let octets = content.len() as u64;
                Text::at(&segment, at + within as u64, octets)
            }
        };
        Ok((segment, text))
    }
}

/// The notes that lead to how a message stands.
fn standing(entry: &Entry) -> Vec<Event> {
    let mut events = Vec::new();
    for (n, fate) in entry.fates.iter().enumerate() {
        if let Some(outcome) = &fate.outcome {
            events.push(Event::State(n, fate.state, outcome.clone()));
        }
        if fate.told {
            events.push(Event::Told(n));
        }
        if fate.warned {
            events.push(Event::Warned(n));
        }
    }
    events.push(Event::Next(entry.next, entry.tries));
    if entry.held {
        events.push(Event::Held(true));
    }
    events
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::mta::queue::tests::put;
    use crate::mta::queue::{Outcome, Queue, State};

    #[tokio::test]
    async fn a_crash_in_the_middle_of_a_move_neither_loses_nor_repeats() {
        let dir = tempfile::tempdir().unwrap();
        let queue = Queue::open(dir.path()).unwrap();
        let id = put(&queue, b"text\r\n").await;
        queue.0.store.copy(&queue.get(id).unwrap()).unwrap();
        drop(queue);
        let queue = Queue::open(dir.path()).unwrap();
        assert_eq!(queue.len(), 1);
        let home = queue.get(id).unwrap().home.path.clone();
        assert!(home.starts_with(dir.path().join("waiting")), "{home:?}");
        queue.note(id, &[Event::Gone]);
        drop(queue);
        assert!(Queue::open(dir.path()).unwrap().is_empty());
    }

    #[tokio::test]
    async fn who_waits_alone_gets_a_file_of_its_own_and_keeps_everything() {
        let dir = tempfile::tempdir().unwrap();
        let queue = Queue::open(dir.path()).unwrap();
        let small = put(&queue, b"small\r\n").await;
        let big = put(&queue, &b"0123456789abcde\n".repeat(10_000)).await;
        drop(queue);
        // What an earlier run left is in sealed files.
        let queue = Queue::open(dir.path()).unwrap();
        let next = SystemTime::now() + Duration::from_secs(1000);
        let status = crate::message::status::EnhancedCode::parse("4.2.1").unwrap();
        let outcome = Outcome::local(SystemTime::UNIX_EPOCH, status, "come again");
        for id in [small, big] {
            let state = Event::State(0, State::Waiting, outcome.clone());
            queue.note(id, &[state, Event::Warned(0), Event::Next(next, 3)]);
        }
        queue.note(big, &[Event::Held(true)]);
        let (before, texts) = (queue.all(), [7, 160_000]);
        queue.0.store.tidy();
        let journal = || {
            let files = fs::read_dir(dir.path().join("journal")).unwrap();
            files
                .map(|f| fs::read_to_string(f.unwrap().path()).unwrap())
                .collect::<String>()
        };
        assert!(!journal().contains("small"), "{}", journal());
        for _ in 0..2 {
            let queue = crate::mta::queue::look(dir.path()).unwrap();
            for ((entry, old), octets) in queue.iter().zip(&before).zip(texts) {
                assert_eq!(
                    entry.home.path,
                    dir.path().join("waiting").join(old.id.to_string())
                );
                assert_eq!(
                    (&entry.fates, entry.tries, entry.held),
                    (&old.fates, 3, old.held)
                );
                assert_eq!(entry.envelope, old.envelope);
                assert_eq!(entry.text.load().unwrap().as_ref().len(), octets);
            }
        }
        assert_eq!(
            queue.get(small).unwrap().text.load().unwrap().as_ref(),
            b"small\r\n"
        );
        queue.note(small, &[Event::Gone]);
        queue.note(big, &[Event::Gone]);
        assert_eq!(fs::read_dir(dir.path().join("waiting")).unwrap().count(), 0);
        assert_eq!(fs::read_dir(dir.path().join("big")).unwrap().count(), 0);
        drop(queue);
        assert!(Queue::open(dir.path()).unwrap().is_empty());
    }
}
