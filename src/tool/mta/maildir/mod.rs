//! Delivery into Maildirs: names that nobody else takes, durable before they are shown, many
//! messages with one sync.

mod batch;
mod form;
pub mod quota;

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::queue::QueueId;

pub(crate) use batch::{Letter, Placed, place};
pub(crate) use form::{Trace, final_form, is_field, split_line, was_here};

/// A file in `tmp` that is older than this belongs to nobody any more.
const LEFT: Duration = Duration::from_secs(36 * 3600);
/// The directories of a Maildir.
const PARTS: [&str; 3] = ["tmp", "new", "cur"];

/// Makes a Maildir where there is none.
pub(crate) fn make(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    for part in PARTS {
        builder.create(dir.join(part))?;
    }
    super::queue::sync_dir(dir)?;
    dir.parent().map_or(Ok(()), super::queue::sync_dir)
}

/// Clears what somebody left half written in the `tmp` of each Maildir below a directory.
pub(crate) fn sweep(dir: &Path) {
    let boxes = fs::read_dir(dir).into_iter().flatten();
    for mailbox in boxes.filter_map(Result::ok) {
        let files = fs::read_dir(mailbox.path().join("tmp"))
            .into_iter()
            .flatten();
        for file in files.filter_map(Result::ok) {
            let written = file.metadata().and_then(|about| about.modified()).ok();
            let age = written.and_then(|at| at.elapsed().ok());
            if age.is_some_and(|age| age > LEFT) {
                // Whoever cannot remove it has another owner, who may.
                drop(fs::remove_file(file.path()));
            }
        }
    }
}

/// The name of a message in a Maildir. It follows from the message and the recipient alone, so
/// that after a crash it can be found out whether it is there already.
pub(crate) fn name(id: QueueId, place: u64, recipient: usize, host: &str, octets: usize) -> String {
    let (seconds, micros) = id.parts();
    // Where others put the number of the process is that of the spool: it outlives a restart, and
    // a spool gives out each microsecond once.
    let host = host.replace('/', "\\057").replace(':', "\\072");
    format!("{seconds}.M{micros:06}P{place}Q{recipient}.{host},S={octets}")
}

/// Where a message of this name lies in a Maildir, when it is there: new, or seen by a reader.
pub(crate) fn find(dir: &Path, name: &str) -> Option<PathBuf> {
    let new = dir.join("new").join(name);
    if new.exists() {
        return Some(new);
    }
    let mut seen = fs::read_dir(dir.join("cur")).ok()?.filter_map(Result::ok);
    let seen = seen.find(|file| {
        let found = file.file_name();
        let found = found.to_str().unwrap_or_default();
        found
            .strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    })?;
    Some(seen.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_time_place_and_size_and_no_slash_or_colon() {
        let id = QueueId::of_micros(1_795_333_260_123_456);
        let name = name(id, 7, 2, "mx:1/a.test", 99);
        assert_eq!(name, "1795333260.M123456P7Q2.mx\\0721\\057a.test,S=99");
    }

    #[test]
    fn what_was_left_half_written_goes_after_36_hours() {
        let dir = tempfile::tempdir().unwrap();
        let bob = dir.path().join("bob");
        make(&bob).unwrap();
        for (name, hours) in [("old", 37), ("young", 35)] {
            let file = fs::File::create(bob.join("tmp").join(name)).unwrap();
            let at = std::time::SystemTime::now() - Duration::from_secs(hours * 3600);
            file.set_modified(at).unwrap();
        }
        sweep(dir.path());
        assert!(!bob.join("tmp/old").exists() && bob.join("tmp/young").exists());
    }

    #[test]
    fn a_message_is_found_wherever_a_reader_has_put_it() {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path()).unwrap();
        assert_eq!(find(dir.path(), "a.b,S=1"), None);
        fs::write(dir.path().join("cur/a.b,S=1:2,RS"), "x").unwrap();
        assert!(find(dir.path(), "a.b,S=1").is_some());
        assert_eq!(find(dir.path(), "a.b,S="), None);
        fs::write(dir.path().join("new/a.c,S=1"), "x").unwrap();
        assert!(find(dir.path(), "a.c,S=1").is_some());
    }
}
