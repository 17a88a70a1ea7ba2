//! The Maildir++ quota file `maildirsize`: a first line `<octets>S,<count>C` with the limits, then a
//! line `<octets> <count>` for each change, appended in one write. Who finds it too long, or over
//! the limit and old, counts anew.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// A file of this size is counted anew.
const LONGEST: u64 = 5120;
/// A file that tells of a full mailbox is believed for this long.
const BELIEVED: Duration = Duration::from_secs(15 * 60);

/// Octets and messages in a Maildir.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Octets of all messages.
    pub octets: i64,
    /// How many messages.
    pub count: i64,
}

/// What is in a Maildir with this limit, as its quota file tells, or by counting.
pub fn usage(dir: &Path, quota: u64) -> io::Result<Usage> {
    let path = dir.join("maildirsize");
    if let Some((usage, age)) = read(&path, quota)? {
        let over = usage.octets > i64::try_from(quota).unwrap_or(i64::MAX);
        if !over || age < BELIEVED {
            return Ok(usage);
        }
    }
    recount(dir, quota)
}

/// Whether a message of this size still fits.
pub fn fits(dir: &Path, quota: u64, octets: u64) -> io::Result<bool> {
    let usage = usage(dir, quota)?;
    let after = usage
        .octets
        .saturating_add(i64::try_from(octets).unwrap_or(i64::MAX));
    Ok(after <= i64::try_from(quota).unwrap_or(i64::MAX))
}

/// Notes that a message came in.
pub fn add(dir: &Path, octets: u64) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .append(true)
        .open(dir.join("maildirsize"))?;
    file.write_all(format!("{octets} 1\n").as_bytes())
}

/// Reads the file; `None` when there is none, when it is of another limit, too long or unreadable.
fn read(path: &Path, quota: u64) -> io::Result<Option<(Usage, Duration)>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let about = file.metadata()?;
    if about.len() > LONGEST {
        return Ok(None);
    }
    let mut text = String::new();
    if file.take(LONGEST).read_to_string(&mut text).is_err() {
        return Ok(None);
    }
    let age = about.modified()?.elapsed().unwrap_or_default();
    Ok(sum(&text, quota).map(|usage| (usage, age)))
}

fn sum(text: &str, quota: u64) -> Option<Usage> {
    let (first, changes) = text.split_once('\n')?;
    let limit = first.split(',').find_map(|part| part.strip_suffix('S'))?;
    if limit.parse() != Ok(quota) {
        return None;
    }
    let mut usage = Usage::default();
    for line in changes.lines() {
        let mut numbers = line.split_whitespace().map(str::parse::<i64>);
        let (Some(Ok(octets)), Some(Ok(count))) = (numbers.next(), numbers.next()) else {
            return None;
        };
        usage.octets = usage.octets.saturating_add(octets);
        usage.count = usage.count.saturating_add(count);
    }
    Some(usage)
}

/// Counts what is there, subfolders included and the trash left out, and writes the file anew.
fn recount(dir: &Path, quota: u64) -> io::Result<Usage> {
    let mut usage = Usage::default();
    count(dir, &mut usage)?;
    for folder in fs::read_dir(dir)? {
        let folder = folder?;
        let name = folder.file_name();
        let name = name.to_str().unwrap_or_default();
        // Subfolders of Maildir++ begin with a dot; `.` and `..` are not listed.
        if name.starts_with('.') && name != ".Trash" && folder.file_type()?.is_dir() {
            count(&folder.path(), &mut usage)?;
        }
    }
    // Several may write it at once: each writes a file of its own and renames it.
    let new = dir
        .join("tmp")
        .join(format!("maildirsize.{}", std::process::id()));
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true).mode(0o600);
    let mut file = options.open(&new)?;
    let (octets, messages) = (usage.octets, usage.count);
    file.write_all(format!("{quota}S\n{octets} {messages}\n").as_bytes())?;
    fs::rename(&new, dir.join("maildirsize"))?;
    Ok(usage)
}

fn count(folder: &Path, usage: &mut Usage) -> io::Result<()> {
    for part in ["new", "cur"] {
        let files = match fs::read_dir(folder.join(part)) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for file in files {
            let file = file?;
            let name = file.file_name();
            // The size is in the name, when its writer put it there.
            let told = name.to_str().and_then(size_in_name);
            let octets = match told {
                Some(octets) => octets,
                None => file.metadata().map_or(0, |about| about.len()),
            };
            usage.octets = usage
                .octets
                .saturating_add(i64::try_from(octets).unwrap_or(0));
            usage.count += 1;
        }
    }
    Ok(())
}

fn size_in_name(name: &str) -> Option<u64> {
    let name = name.split(':').next()?;
    name.split(',')
        .find_map(|part| part.strip_prefix("S=")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maildir() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        crate::mta::maildir::make(dir.path()).unwrap();
        dir
    }

    #[test]
    fn without_a_file_everything_but_the_trash_is_counted() {
        let dir = maildir();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("new/a,S=1000"), "x").unwrap();
        fs::write(at("cur/b:2,S"), "12345").unwrap();
        fs::create_dir_all(at(".Sent/cur")).unwrap();
        fs::write(at(".Sent/cur/c"), "123").unwrap();
        fs::create_dir_all(at(".Trash/cur")).unwrap();
        fs::write(at(".Trash/cur/d"), "123456789").unwrap();
        let found = usage(dir.path(), 5000).unwrap();
        assert_eq!(
            found,
            Usage {
                octets: 1008,
                count: 3
            }
        );
        assert_eq!(
            fs::read_to_string(at("maildirsize")).unwrap(),
            "5000S\n1008 3\n"
        );
        add(dir.path(), 42).unwrap();
        assert_eq!(usage(dir.path(), 5000).unwrap().octets, 1050);
        assert!(fits(dir.path(), 5000, 3950).unwrap());
        assert!(!fits(dir.path(), 5000, 3951).unwrap());
    }

    #[test]
    fn a_file_of_another_limit_too_long_or_torn_is_written_anew() {
        let dir = maildir();
        let path = dir.path().join("maildirsize");
        for text in [
            "1S\n9 9\n".to_string(),
            "5000S\nx\n".to_string(),
            format!("5000S\n{}", "9 1\n".repeat(2000)),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(usage(dir.path(), 5000).unwrap(), Usage::default());
        }
    }

    #[test]
    fn a_full_mailbox_is_believed_for_a_quarter_of_an_hour() {
        let dir = maildir();
        let path = dir.path().join("maildirsize");
        fs::write(&path, "100S\n500 2\n").unwrap();
        assert_eq!(usage(dir.path(), 100).unwrap().octets, 500);
        let old = std::time::SystemTime::now() - BELIEVED - Duration::from_secs(1);
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_modified(old).unwrap();
        assert_eq!(usage(dir.path(), 100).unwrap(), Usage::default());
    }
}
