//! A Maildir with its folders, looked into again and again; nothing in it is changed.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Found;

/// Files are looked at that are no older than this when the message is sent: clocks of file
/// systems are not exact.
const SLACK: Duration = Duration::from_secs(2);
/// Octets of a file that are read; the rest cannot tell more.
const MOST: u64 = 1 << 20;
/// Folders that are looked into.
const MOST_FOLDERS: usize = 500;

/// A Maildir.
#[derive(Debug)]
pub struct Maildir {
    dir: PathBuf,
    since: SystemTime,
    seen: HashSet<PathBuf>,
}

impl Maildir {
    /// The one at this path; what is older than this moment is left alone.
    pub fn new(dir: &Path, start: SystemTime) -> Self {
        Self {
            dir: dir.to_path_buf(),
            since: start.checked_sub(SLACK).unwrap_or(start),
            seen: HashSet::new(),
        }
    }

    /// What is new.
    pub fn look(&mut self) -> Vec<Found> {
        let mut found = Vec::new();
        for folder in self.folders() {
            let junk = is_junk(&folder);
            for part in ["new", "cur"] {
                for path in entries(&folder.join(part)) {
                    if let Some(message) = self.read(&path) {
                        found.push(Found {
                            message,
                            place: folder.display().to_string(),
                            junk,
                        });
                    }
                }
            }
        }
        found
    }

    /// The Maildir itself and its folders; those of Maildir++ begin with a dot.
    fn folders(&self) -> Vec<PathBuf> {
        let mut all = vec![self.dir.clone()];
        let inner = entries(&self.dir);
        all.extend(inner.into_iter().filter(|path| path.join("new").is_dir()));
        all.truncate(MOST_FOLDERS);
        all
    }

    fn read(&mut self, path: &Path) -> Option<Vec<u8>> {
        let meta = std::fs::metadata(path).ok()?;
        if !meta.is_file() || meta.modified().ok()? < self.since {
            return None;
        }
        // A reader of mail moves it from new to cur and adds flags; the name before stays.
        let name = path.file_name()?.to_string_lossy();
        let name = name.split(':').next().unwrap_or_default().to_string();
        let key = path.parent()?.parent()?.join(name);
        if !self.seen.insert(key) {
            return None;
        }
        let mut message = Vec::new();
        let file = std::fs::File::open(path).ok()?;
        std::io::Read::read_to_end(&mut std::io::Read::take(file, MOST), &mut message).ok()?;
        Some(message)
    }
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    let mut all: Vec<_> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .collect();
    all.sort();
    all
}

/// Whether the name of a folder says that it is for junk.
fn is_junk(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    super::sounds_like_junk(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_is_found_once_and_old_ones_never() {
        let dir = tempfile::tempdir().unwrap();
        for part in ["new", "cur", ".Junk/new"] {
            std::fs::create_dir_all(dir.path().join(part)).unwrap();
        }
        let file = |name: &str| dir.path().join(name);
        std::fs::write(file("cur/1.old:2,S"), "old").unwrap();
        let old = std::fs::File::options()
            .write(true)
            .open(file("cur/1.old:2,S"));
        old.unwrap()
            .set_modified(SystemTime::now() - Duration::from_secs(60))
            .unwrap();
        let mut maildir = Maildir::new(dir.path(), SystemTime::now());
        assert_eq!(maildir.look().len(), 0);
        std::fs::write(file("new/2.a"), "a").unwrap();
        std::fs::write(file(".Junk/new/3.b"), "b").unwrap();
        let found = maildir.look();
        let told: Vec<_> = found
            .iter()
            .map(|f| (f.message.as_slice(), f.junk))
            .collect();
        assert_eq!(told, [(&b"a"[..], false), (b"b", true)]);
        std::fs::rename(file("new/2.a"), file("cur/2.a:2,S")).unwrap();
        assert_eq!(maildir.look().len(), 0);
    }
}
