//! Mail in folders: Maildirs (`cur`, `new`), MH folders, folders of .eml files, mboxes between
//! them. Sorted by name, so that the output is the same on every machine.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::message::head;
use crate::message::open;

/// Folders in folders deeper than this are not looked into.
const MAX_DEPTH: usize = 32;

/// The files under `folder` that hold mail.
pub(super) fn mail_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect(folder, MAX_DEPTH, &mut files)?;
    Ok(files)
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.filter_map(Result::ok).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    let maildir = folder.join("cur").is_dir() && folder.join("new").is_dir();
    let in_maildir = folder
        .file_name()
        .is_some_and(|name| name == "cur" || name == "new");
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            // `tmp` holds what is not yet delivered. Folders of Maildir++ begin with a dot.
            let wanted = if maildir { name != "tmp" } else { true };
            let hidden = name.starts_with('.') && !path.join("cur").is_dir();
            if wanted && !hidden && depth > 0 {
                // A folder that may not be read does not hide the others.
                let _ = collect(&path, depth - 1, files);
            }
        } else if !name.starts_with('.') && path.is_file() {
            // Files beside cur and new are the server's own.
            if in_maildir || !maildir && holds_mail(&path, &name) {
                files.push(path);
            }
        }
    }
    Ok(())
}

/// By its name, or by how it begins.
fn holds_mail(path: &Path, name: &str) -> bool {
    const MAIL: [&str; 9] = [
        "eml", "msg", "mbox", "mbx", "mail", "mai", "mht", "txt", "tnef",
    ];
    let lower = name.to_ascii_lowercase();
    let stem = lower.strip_suffix(".gz").unwrap_or(&lower);
    let ending = stem.rsplit_once('.').map_or("", |(_, ending)| ending);
    if MAIL.contains(&ending) || stem == "winmail.dat" || stem == "mbox" {
        return true;
    }
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(4_096).read_to_end(&mut start));
    if read.is_err() {
        return false;
    }
    let at = head::skip_lead(&start);
    open::starts_header(&start, at) || super::stream::is_from_line(first_line(&start))
}

fn first_line(bytes: &[u8]) -> &[u8] {
    bytes.split(|b| *b == b'\n').next().unwrap_or_default()
}
