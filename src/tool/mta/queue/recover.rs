//! The start: what the files of earlier runs hold. The same reading serves `queue list` beside a
//! running server.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::id::QueueId;
use super::record::{Event, Place, Record, Records};
use super::segment::{Head, Segment};
use super::store::{Arrival, Entry};
use super::text::{self, Text};

/// Directories with files of the journal; what is in the later one counts.
pub(super) const JOURNALS: [&str; 2] = ["journal", "waiting"];

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) entries: HashMap<QueueId, Entry>,
    /// Files without a message that is still of interest.
    pub(super) empty: Vec<PathBuf>,
    /// The highest numbers given out so far.
    pub(super) file: u64,
    pub(super) note: u64,
    pub(super) id: Option<QueueId>,
    /// Messages that lie elsewhere now, and the file that does not say so.
    pub(super) moved: Vec<(QueueId, Arc<Segment>)>,
    /// Files in which something was stepped over.
    pub(super) torn: Vec<PathBuf>,
}

/// Reads the files of a spool.
pub(super) fn read(spool: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    for dir in JOURNALS {
        let mut paths = Vec::new();
        for file in fs::read_dir(spool.join(dir))? {
            paths.push(file?.path());
        }
        paths.sort();
        for path in paths {
            match fs::read(&path) {
                Ok(bytes) => file(&mut found, spool, path, &bytes)?,
                // A running server has finished with it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(found)
}

fn file(found: &mut Found, spool: &Path, path: PathBuf, bytes: &[u8]) -> io::Result<()> {
    let number = path
        .file_name()
        .and_then(|name| name.to_str()?.parse().ok());
    found.file = found.file.max(number.unwrap_or(0));
    let Some(head) = Head::read(bytes) else {
        // It was being made when the last run ended; nobody was promised anything from it.
        found.empty.push(path);
        return Ok(());
    };
    found.id = found.id.max(Some(head.last));
    let mut messages: Vec<(QueueId, _, _)> = Vec::new();
    let mut notes: HashMap<QueueId, Vec<(u64, Event)>> = HashMap::new();
    let mut records = Records::new(bytes, &head.key, head.octets);
    for record in records.by_ref() {
        match record {
            Record::Message {
                id,
                envelope,
                place,
            } => {
                found.id = found.id.max(Some(id));
                messages.push((id, envelope, place));
            }
            Record::Note { id, number, event } => {
                found.note = found.note.max(number);
                notes.entry(id).or_default().push((number, event));
            }
        }
    }
    if records.torn {
        found.torn.push(path.clone());
    }
    messages.retain(|(id, _, _)| {
        let over = |(_, event): &(u64, Event)| matches!(event, Event::Gone | Event::Removed);
        !notes.get(id).is_some_and(|notes| notes.iter().any(over))
    });
    if messages.is_empty() {
        found.empty.push(path);
        return Ok(());
    }
    let segment = Segment::reopen(path, &head, records.end() as u64, bytes.len() as u64)?;
    let segment = Arc::new(segment);
    for (id, envelope, place) in messages {
        let text = match place {
            Place::Inline(at, octets) => Text::at(&segment, at, octets),
            Place::Big(octets, _) => {
                let path = spool.join("big").join(id.to_string());
                Text(text::Place::File(path, octets))
            }
        };
        let mut entry = Entry::new(Arrival {
            id,
            envelope: Arc::new(*envelope),
            text,
            home: segment.clone(),
        });
        entry.again = true;
        let mut notes = notes.remove(&id).unwrap_or_default();
        notes.sort_by_key(|(number, _)| *number);
        for (_, event) in &notes {
            entry.apply(event);
        }
        segment.live.fetch_add(1, Ordering::AcqRel);
        if let Some(older) = found.entries.insert(id, entry) {
            // It was being moved to a file of its own when the last run ended.
            older.home.live.fetch_sub(1, Ordering::AcqRel);
            found.moved.push((id, older.home));
        }
    }
    Ok(())
}
