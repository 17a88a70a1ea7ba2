//! Many messages into Maildirs at once: all are written, one sync makes them durable, all are
//! shown, one more sync makes that durable. No reader ever sees a file whose content a power cut
//! could take away.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{find, make, quota};
use crate::mta::queue::sync_dir;

/// So many files are synced one by one; with more, the whole file system at once is cheaper.
const ONE_BY_ONE: usize = 3;

/// A message for one mailbox.
pub(crate) struct Letter {
    /// The Maildir.
    pub(crate) dir: PathBuf,
    /// Octets it may hold.
    pub(crate) quota: Option<u64>,
    /// The name of the file.
    pub(crate) name: String,
    /// Its content.
    pub(crate) content: Vec<u8>,
    /// Whether an earlier run may have put it there already.
    pub(crate) again: bool,
}

/// What became of a letter.
#[derive(Debug)]
pub(crate) enum Placed {
    /// It is in the mailbox.
    There,
    /// The mailbox is full.
    Full,
    /// It could not be put there now.
    Failed(io::Error),
}

/// Puts letters into their mailboxes; one answer for each, in their order.
pub(crate) fn place(letters: &[Letter]) -> Vec<Placed> {
    let mut placed: Vec<Placed> = Vec::with_capacity(letters.len());
    let mut written: Vec<(usize, File)> = Vec::new();
    for (n, letter) in letters.iter().enumerate() {
        placed.push(match write(letter) {
            Ok(Some(file)) => {
                written.push((n, file));
                Placed::There
            }
            Ok(None) => Placed::There,
            Err(outcome) => outcome,
        });
    }
    let files: Vec<&File> = written.iter().map(|(_, file)| file).collect();
    let synced = sync(&files);
    drop(files);
    let mut shown = BTreeSet::new();
    for (n, _) in &written {
        let Some(letter) = letters.get(*n) else {
            continue;
        };
        let outcome = match &synced {
            Ok(()) => show(letter),
            Err(error) => {
                drop(fs::remove_file(letter.dir.join("tmp").join(&letter.name)));
                Err(copy(error))
            }
        };
        match outcome {
            Ok(()) => {
                shown.insert(letter.dir.as_path());
            }
            Err(error) => set(&mut placed, *n, Placed::Failed(error)),
        }
    }
    let durable = sync_new(&shown);
    if let Err(error) = durable {
        // They may be there; they are tried again, and found then.
        for (n, _) in &written {
            set(&mut placed, *n, Placed::Failed(copy(&error)));
        }
    }
    placed
}

fn set(placed: &mut [Placed], n: usize, outcome: Placed) {
    if let Some(place) = placed.get_mut(n) {
        *place = outcome;
    }
}

/// Writes a letter to `tmp`; `None` when it is in the mailbox already.
fn write(letter: &Letter) -> Result<Option<File>, Placed> {
    let failed = Placed::Failed;
    let tmp = letter.dir.join("tmp").join(&letter.name);
    if letter.again
        && let Some(there) = find(&letter.dir, &letter.name)
    {
        if fs::read(&there).is_ok_and(|content| content == letter.content) {
            let file = File::open(&there).map_err(failed)?;
            file.sync_all().map_err(failed)?;
            return Ok(None);
        }
        // Shown without its content: an earlier system lost it in a power cut.
        fs::remove_file(&there).map_err(failed)?;
    }
    if letter.quota.is_some() && !letter.dir.join("tmp").exists() {
        make(&letter.dir).map_err(failed)?;
    }
    if let Some(quota) = letter.quota {
        let fits = quota::fits(&letter.dir, quota, letter.content.len() as u64);
        if !fits.map_err(failed)? {
            return Err(Placed::Full);
        }
    }
    let mut file = match create(&tmp) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(&letter.dir).and_then(|()| create(&tmp))
        }
        // Left there by an earlier attempt of ours: the name is nobody else's.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(&tmp).and_then(|()| create(&tmp))
        }
        other => other,
    }
    .map_err(failed)?;
    if let Err(error) = file.write_all(&letter.content) {
        drop(fs::remove_file(&tmp));
        return Err(match error.kind() {
            io::ErrorKind::QuotaExceeded => Placed::Full,
            _ => Placed::Failed(error),
        });
    }
    Ok(Some(file))
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create_new(true).write(true).mode(0o600).open(path)
}

fn sync(files: &[&File]) -> io::Result<()> {
    match files {
        [] => Ok(()),
        few if few.len() <= ONE_BY_ONE => few.iter().try_for_each(|file| file.sync_all()),
        // All mailboxes lie below one directory; a mailbox that is mounted from elsewhere is
        // recognised by its device.
        many => {
            let mut devices = BTreeSet::new();
            for file in many {
                use std::os::unix::fs::MetadataExt;
                if devices.insert(file.metadata()?.dev()) {
                    rustix::fs::syncfs(file)?;
                }
            }
            Ok(())
        }
    }
}

fn show(letter: &Letter) -> io::Result<()> {
    let tmp = letter.dir.join("tmp").join(&letter.name);
    fs::rename(&tmp, letter.dir.join("new").join(&letter.name))?;
    if letter.quota.is_some() {
        // A count that is off mends itself when it is made anew.
        drop(quota::add(&letter.dir, letter.content.len() as u64));
    }
    Ok(())
}

fn sync_new(dirs: &BTreeSet<&Path>) -> io::Result<()> {
    if dirs.len() <= ONE_BY_ONE {
        return dirs.iter().try_for_each(|dir| sync_dir(&dir.join("new")));
    }
    let opened: io::Result<Vec<File>> =
        dirs.iter().map(|dir| File::open(dir.join("new"))).collect();
    let opened = opened?;
    sync(&opened.iter().collect::<Vec<_>>())
}

fn copy(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(dir: &Path, n: usize) -> Letter {
        Letter {
            dir: dir.join(format!("box{}", n % 5)),
            quota: None,
            name: format!("{n}.x.host"),
            content: format!("message {n}\n").into_bytes(),
            again: false,
        }
    }

    #[test]
    fn many_letters_come_to_their_boxes_and_nothing_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let letters: Vec<_> = (0..50).map(|n| letter(dir.path(), n)).collect();
        assert!(place(&letters).iter().all(|p| matches!(p, Placed::There)));
        for letter in &letters {
            let path = letter.dir.join("new").join(&letter.name);
            assert_eq!(fs::read(path).unwrap(), letter.content);
            assert_eq!(fs::read_dir(letter.dir.join("tmp")).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_letter_that_is_there_already_is_not_put_there_twice() {
        let dir = tempfile::tempdir().unwrap();
        let first = letter(dir.path(), 0);
        place(&[letter(dir.path(), 0)]);
        // A reader has looked at it meanwhile.
        let seen = first.dir.join("cur").join(format!("{}:2,S", first.name));
        fs::rename(first.dir.join("new").join(&first.name), &seen).unwrap();
        let again = Letter {
            again: true,
            ..letter(dir.path(), 0)
        };
        assert!(matches!(place(&[again])[..], [Placed::There]));
        assert_eq!(fs::read_dir(first.dir.join("new")).unwrap().count(), 0);
        // A torn one is replaced.
        fs::write(&seen, "mess").unwrap();
        let again = Letter {
            again: true,
            ..letter(dir.path(), 0)
        };
        assert!(matches!(place(&[again])[..], [Placed::There]));
        assert_eq!(fs::read_dir(first.dir.join("new")).unwrap().count(), 1);
        assert!(!seen.exists());
    }

    #[test]
    fn a_full_box_takes_nothing_and_others_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let with = |n, quota| Letter {
            quota: Some(quota),
            ..letter(dir.path(), n)
        };
        let placed = place(&[with(0, 100), with(1, 5), letter(dir.path(), 2)]);
        assert!(matches!(
            placed[..],
            [Placed::There, Placed::Full, Placed::There]
        ));
        let sizes = fs::read_to_string(dir.path().join("box0/maildirsize")).unwrap();
        assert_eq!(sizes, "100S\n0 0\n10 1\n");
    }

    #[test]
    fn what_cannot_be_written_is_an_answer_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("box1"), "no directory").unwrap();
        let placed = place(&[letter(dir.path(), 0), letter(dir.path(), 1)]);
        assert!(matches!(placed[..], [Placed::There, Placed::Failed(_)]));
    }

    #[test]
    fn what_an_earlier_attempt_left_half_written_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let one = letter(dir.path(), 0);
        make(&one.dir).unwrap();
        fs::write(one.dir.join("tmp").join(&one.name), "mess").unwrap();
        assert!(matches!(
            place(&[letter(dir.path(), 0)])[..],
            [Placed::There]
        ));
        let shown = fs::read(one.dir.join("new").join(&one.name)).unwrap();
        assert_eq!(shown, one.content);
    }

    #[test]
    fn what_cannot_be_shown_has_failed_and_others_are_there() {
        let dir = tempfile::tempdir().unwrap();
        let broken = letter(dir.path(), 0);
        make(&broken.dir).unwrap();
        fs::remove_dir(broken.dir.join("new")).unwrap();
        let placed = place(&[letter(dir.path(), 0), letter(dir.path(), 1)]);
        assert!(
            matches!(placed[..], [Placed::Failed(_), Placed::There]),
            "{placed:?}"
        );
    }

    #[test]
    fn letters_for_more_boxes_than_are_synced_one_by_one_are_durable_too() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..5 {
            make(&letter(dir.path(), n).dir).unwrap();
        }
        let letters: Vec<_> = (0..5).map(|n| letter(dir.path(), n)).collect();
        assert!(place(&letters).iter().all(|p| matches!(p, Placed::There)));
        let boxes: Vec<PathBuf> = letters.iter().map(|l| l.dir.clone()).collect();
        let mut all: BTreeSet<&Path> = boxes.iter().map(PathBuf::as_path).collect();
        assert!(sync_new(&all).is_ok());
        // A folder that is not there cannot be made durable, however many there are.
        let gone = dir.path().join("gone");
        all.insert(&gone);
        assert!(sync_new(&all).is_err());
        assert!(sync_new(&BTreeSet::from([gone.as_path()])).is_err());
    }
}
