//! The filter that looks at each message before it is taken (an MFA): a command that gets the
//! message on its standard input, or an SMTP server that takes it over.
//!
//! A message under inspection lies in a file without a name, so that its size costs no memory and
//! nothing is left of it whatever happens.

mod command;
mod hand_over;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::envelope::Envelope;
use super::settings::Filter;
use super::site::Site;
use super::store::{Committing, Draft, Trouble};
use super::wire::text::Mend;

/// Octets copied at a time.
const BLOCK: usize = 64 * 1024;

/// A message that lies in a file until the filter has seen it.
pub(crate) struct Held {
    behind: Box<dyn Draft>,
    file: Result<File, Trouble>,
    site: Arc<Site>,
    filter: Filter,
}

impl Held {
    /// Holds what would go to `behind`.
    pub(crate) fn new(behind: Box<dyn Draft>, site: Arc<Site>, filter: Filter) -> Self {
        Self {
            behind,
            file: nameless().map_err(|e| trouble(&e)),
            site,
            filter,
        }
    }
}

impl Draft for Held {
    fn id(&self) -> String {
        self.behind.id()
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), Trouble> {
        let file = self.file.as_mut().map_err(|e| e.clone())?;
        file.write_all(octets).map_err(|e| trouble(&e))
    }

    fn commit(self: Box<Self>, envelope: Envelope) -> Committing {
        Box::pin(async move {
            let Self {
                mut behind,
                file,
                site,
                filter,
            } = *self;
            let mut file = file?;
            // The semaphore is never closed.
            let turn = site.filters.acquire().await;
            match filter {
                Filter::Command(command) => {
                    let id = behind.id();
                    let patience = site.settings.limits.filter;
                    let passed = command::run(&command, file, &envelope, &id, patience).await;
                    let passed = passed.map_err(|failure| {
                        if let Some(why) = failure.why {
                            let fields = [("why", why.as_str())];
                            site.journal.note("filter-failed", Some(&id), &fields);
                        }
                        failure.trouble
                    })?;
                    copy(passed, behind.as_mut())?;
                }
                Filter::Smtp(server) => {
                    let mut message = Vec::new();
                    file.seek(SeekFrom::Start(0)).map_err(|e| trouble(&e))?;
                    file.read_to_end(&mut message).map_err(|e| trouble(&e))?;
                    return hand_over::to(server, &message, &envelope, &site).await;
                }
            }
            drop(turn);
            behind.commit(envelope).await
        })
    }
}

fn trouble(error: &io::Error) -> Trouble {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Trouble::Full,
        _ => Trouble::Broken,
    }
}

/// The words of a filter as a reply can have them.
fn speakable(text: &str) -> String {
    let speak = |c: char| match c {
        ' ' => c,
        c if c.is_ascii_graphic() => c,
        _ => '?',
    };
    text.chars().map(speak).collect()
}

/// A name in the folder for temporary files that nobody else uses.
fn unused_name() -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("mailtrace-{}-{n}", std::process::id());
    std::env::temp_dir().join(name)
}

/// A new file that only its owner can read.
fn create(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true).mode(0o600);
    options.open(path)
}

/// A file that nobody else can open.
fn nameless() -> io::Result<File> {
    let path = unused_name();
    let file = create(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// Copies a message; a command may write lines that end with LF.
fn copy(mut from: File, to: &mut dyn Draft) -> Result<(), Trouble> {
    let mut block = vec![0; BLOCK];
    let mut mend = Mend::default();
    let mut outcome = Ok(());
    let mut put = |octets: &[u8]| {
        if outcome.is_ok() {
            outcome = to.write(octets);
        }
    };
    loop {
        match from.read(&mut block) {
            Ok(0) => break,
            Ok(n) => mend.push(block.get(..n).unwrap_or_default(), &mut put),
            Err(error) => return Err(trouble(&error)),
        }
    }
    mend.end(&mut put);
    outcome
}
