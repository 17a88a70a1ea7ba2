//! The filter that looks at each message before it is taken (an MFA): a command that gets the
//! message on its standard input, or an SMTP server that takes it over.
//!
//! A message under inspection lies in a file without a name, so that its size costs no memory and
//! nothing is left of it whatever happens.

mod hand_over;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::process::Command;
use tokio::time::timeout;

use super::envelope::Envelope;
use super::session::reply::Reply;
use super::settings::Filter;
use super::site::Site;
use super::store::{Committing, Draft, Trouble};
use super::wire::text::Mend;

/// Octets copied at a time.
const BLOCK: usize = 64 * 1024;
/// Octets of what a command says on standard error that are looked at.
const WORDS: u64 = 1000;
/// A command that ends so refuses the message.
const REFUSES: [i32; 4] = [1, 65, 69, 77];

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
                    let passed = run(&command, file, &envelope, &id, &site).await?;
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

/// A file that nobody else can open.
fn nameless() -> io::Result<File> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!(
        "mailtrace-{}-{n}-{:?}",
        std::process::id(),
        std::thread::current().id()
    );
    let path = std::env::temp_dir().join(name.replace(['(', ')'], ""));
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// Runs a command over a message; gives the file that holds what it makes of it.
async fn run(
    command: &str,
    mut message: File,
    envelope: &Envelope,
    id: &str,
    site: &Site,
) -> Result<File, Trouble> {
    let broken = |e: io::Error| trouble(&e);
    message.seek(SeekFrom::Start(0)).map_err(broken)?;
    let (mut output, mut words) = (nameless().map_err(broken)?, nameless().map_err(broken)?);
    let sender = envelope.sender.as_ref().map(ToString::to_string);
    let recipients: Vec<_> = envelope
        .recipients
        .iter()
        .map(|r| r.address.to_string())
        .collect();
    let client = envelope.client.ip.map(|ip| ip.to_string());
    let child = Command::new("/bin/sh")
        .args(["-c", command])
        .stdin(Stdio::from(message.try_clone().map_err(broken)?))
        .stdout(Stdio::from(output.try_clone().map_err(broken)?))
        .stderr(Stdio::from(words.try_clone().map_err(broken)?))
        .env("QUEUE_ID", id)
        .env("SENDER", sender.unwrap_or_default())
        .env("RECIPIENTS", recipients.join("\n"))
        .env("CLIENT_ADDRESS", client.unwrap_or_default())
        .env("HELO", envelope.client.helo.as_deref().unwrap_or_default())
        .kill_on_drop(true)
        .spawn();
    let mut child = child.map_err(broken)?;
    let status = match timeout(site.settings.limits.filter, child.wait()).await {
        Ok(Ok(status)) => status,
        // The child is killed as it is dropped.
        Ok(Err(_)) | Err(_) => return Err(later("The filter takes too long")),
    };
    if let Some(refusal) = refusal(status, &mut words) {
        return Err(refusal);
    }
    let written = output.metadata().map_err(broken)?.len();
    if written == 0 {
        message.seek(SeekFrom::Start(0)).map_err(broken)?;
        return Ok(message);
    }
    output.seek(SeekFrom::Start(0)).map_err(broken)?;
    Ok(output)
}

fn later(text: &'static str) -> Trouble {
    Trouble::Refused(Box::new(Reply::new(451, 7, 1, text)))
}

/// What the end of a command means; `None`: the message passes. The first line on standard error
/// is what the client is told; it may be a whole reply with its codes.
fn refusal(status: ExitStatus, words: &mut File) -> Option<Trouble> {
    let code = status.code();
    if code == Some(0) {
        return None;
    }
    let mut said = Vec::new();
    let read = words.seek(SeekFrom::Start(0));
    if read.is_ok() {
        let _ = words.take(WORDS).read_to_end(&mut said);
    }
    let said = String::from_utf8_lossy(&said);
    let line = said.lines().next().unwrap_or_default();
    let line: String = line
        .chars()
        .map(|c| {
            if c.is_ascii_graphic() || c == ' ' {
                c
            } else {
                '?'
            }
        })
        .collect();
    if !code.is_some_and(|code| REFUSES.contains(&code)) {
        return Some(match code {
            Some(75) if !line.is_empty() => {
                Trouble::Refused(Box::new(Reply::said(451, 7, 1, line)))
            }
            _ => later("The filter has trouble, try again later"),
        });
    }
    let reply = Reply::parse(&line).filter(|reply| reply.code >= 400);
    let reply = reply.unwrap_or_else(|| match line.trim() {
        "" => Reply::new(550, 7, 1, "Message refused by the filter"),
        words => Reply::said(550, 7, 1, words),
    });
    Some(Trouble::Refused(Box::new(reply)))
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
