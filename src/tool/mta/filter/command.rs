//! A filter that is a command: it gets the message on its standard input and the envelope in its
//! environment; how it ends says what becomes of the message.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;
use tokio::time::timeout;

use super::{create, nameless, speakable, trouble, unused_name};
use crate::mta::envelope::Envelope;
use crate::mta::session::reply::Reply;
use crate::mta::store::Trouble;

/// Octets of what a command says on standard error that are looked at.
const WORDS: u64 = 1000;
/// A command that ends so refuses the message.
const REFUSES: [i32; 4] = [1, 65, 69, 77];
/// Octets of recipients in the environment: Linux takes no variable of more than 128 kB.
const LONGEST_VARIABLE: usize = 96 << 10;

/// Why a message does not pass.
pub(super) struct Failure {
    /// What the client hears.
    pub(super) trouble: Trouble,
    /// What the operator has to know; nothing where the command itself decided.
    pub(super) why: Option<String>,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self {
            trouble: trouble(&error),
            why: Some(crate::words::reason(&error)),
        }
    }
}

/// The command and all that it has started. Dropped before it was let go, they are killed: a filter
/// that takes too long, or whose client is gone, must not run on behind our back.
struct Family(Option<Pid>);

impl Family {
    fn let_go(mut self) {
        self.0 = None;
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended by itself this very moment.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// A file with a name that goes when it is not needed any more.
struct Named(PathBuf);

impl Drop for Named {
    fn drop(&mut self) {
        // What cannot be removed stays in the folder for temporary files.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Runs a command over a message; gives the file that holds what it makes of it.
pub(super) async fn run(
    command: &str,
    mut message: File,
    envelope: &Envelope,
    id: &str,
    patience: Duration,
) -> Result<File, Failure> {
    message.seek(SeekFrom::Start(0))?;
    let (mut output, mut words) = (nameless()?, nameless()?);
    let sender = envelope.sender.as_ref().map(ToString::to_string);
    let client = envelope.client.ip.map(|ip| ip.to_string());
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", command])
        .stdin(Stdio::from(message.try_clone()?))
        .stdout(Stdio::from(output.try_clone()?))
        .stderr(Stdio::from(words.try_clone()?))
        .env("QUEUE_ID", id)
        .env("SENDER", sender.unwrap_or_default())
        .env("CLIENT_ADDRESS", client.unwrap_or_default())
        .env("HELO", envelope.client.helo.as_deref().unwrap_or_default())
        .process_group(0)
        .kill_on_drop(true);
    // Removed when the command has ended.
    let _file = recipients(&mut shell, envelope)?;
    let mut child = shell.spawn()?;
    let group = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
    let family = Family(group);
    let status = match timeout(patience, child.wait()).await {
        Ok(status) => status?,
        Err(_) => {
            return Err(Failure {
                trouble: later("The filter takes too long"),
                why: Some(format!("it took more than {} s", patience.as_secs())),
            });
        }
    };
    family.let_go();
    if let Some(failure) = refusal(status, &mut words) {
        return Err(failure);
    }
    let written = output.metadata()?.len();
    if written == 0 {
        message.seek(SeekFrom::Start(0))?;
        return Ok(message);
    }
    output.seek(SeekFrom::Start(0))?;
    Ok(output)
}

/// Tells the recipients: in a variable, in a file when they are too many for one.
fn recipients(shell: &mut Command, envelope: &Envelope) -> io::Result<Option<Named>> {
    let all = envelope.recipients.iter().map(|r| r.address.to_string());
    let all = all.collect::<Vec<_>>().join("\n");
    if all.len() <= LONGEST_VARIABLE {
        shell.env("RECIPIENTS", all).env_remove("RECIPIENTS_FILE");
        return Ok(None);
    }
    let path = unused_name();
    let mut file = create(&path)?;
    let named = Named(path);
    file.write_all(all.as_bytes())?;
    file.write_all(b"\n")?;
    shell
        .env("RECIPIENTS_FILE", &named.0)
        .env_remove("RECIPIENTS");
    Ok(Some(named))
}

fn later(text: &'static str) -> Trouble {
    Trouble::Refused(Box::new(Reply::new(451, 7, 1, text)))
}

/// What the end of a command means; `None`: the message passes. The first line on standard error
/// is what the client is told; it may be a whole reply with its codes.
fn refusal(status: ExitStatus, words: &mut File) -> Option<Failure> {
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
    let line = speakable(line);
    let refused = |reply: Reply, why| {
        Some(Failure {
            trouble: Trouble::Refused(Box::new(reply)),
            why,
        })
    };
    if !code.is_some_and(|code| REFUSES.contains(&code)) {
        return match code {
            Some(75) if !line.is_empty() => refused(Reply::said(451, 7, 1, line), None),
            _ => Some(Failure {
                trouble: later("The filter has trouble, try again later"),
                why: Some(format!("{status}: {line}")),
            }),
        };
    }
    let reply = Reply::parse(&line).filter(|reply| reply.code >= 400);
    let reply = reply.unwrap_or_else(|| match line.trim() {
        "" => Reply::new(550, 7, 1, "Message refused by the filter"),
        words => Reply::said(550, 7, 1, words),
    });
    refused(reply, None)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::mta::address::Address;
    use crate::mta::envelope::Recipient;
    use crate::mta::queue::tests::envelope;

    const LONG: Duration = Duration::from_secs(30);

    async fn ran(
        command: &str,
        envelope: &Envelope,
        patience: Duration,
    ) -> Result<String, Failure> {
        let mut message = nameless().unwrap();
        message.write_all(b"Subject: x\r\n\r\nbody\r\n").unwrap();
        let mut passed = run(command, message, envelope, "ID1", patience).await?;
        let mut text = String::new();
        passed.read_to_string(&mut text).unwrap();
        Ok(text)
    }

    #[tokio::test]
    async fn what_a_filter_has_started_ends_with_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let sign = dir.path().join("sign");
        // The shell waits for a child of its own, which waits for one in turn.
        let command = format!("(sh -c 'sleep 2; echo late > {0}'; :); :", sign.display());
        let failure = ran(&command, &envelope(1), Duration::from_millis(300)).await;
        let failure = failure.map(|_| ()).unwrap_err();
        assert_eq!(failure.why.as_deref(), Some("it took more than 0 s"));
        tokio::time::sleep(Duration::from_millis(2500)).await;
        assert!(!sign.exists());
    }

    #[tokio::test]
    async fn a_filter_whose_client_is_gone_ends_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let sign = dir.path().join("sign");
        let command = format!("(sleep 2; echo late > {}); :", sign.display());
        let mail = envelope(1);
        let gone = timeout(Duration::from_millis(300), ran(&command, &mail, LONG)).await;
        assert!(gone.is_err());
        tokio::time::sleep(Duration::from_millis(2500)).await;
        assert!(!sign.exists());
    }

    #[tokio::test]
    async fn what_a_filter_leaves_running_on_purpose_runs_on() {
        let dir = tempfile::tempdir().unwrap();
        let sign = dir.path().join("sign");
        let command = format!("(sleep 0.3; echo done > {}) & exit 0", sign.display());
        assert!(ran(&command, &envelope(1), LONG).await.is_ok());
        let start = Instant::now();
        while !sign.exists() && start.elapsed() < LONG {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(sign.exists());
    }

    #[tokio::test]
    async fn recipients_come_in_a_variable_or_in_a_file() {
        let told = "echo \"$RECIPIENTS|$RECIPIENTS_FILE\"; \
                    test -z \"$RECIPIENTS_FILE\" || wc -l < \"$RECIPIENTS_FILE\"";
        let few = ran(told, &envelope(2), LONG).await;
        let few = few.map_err(|f| f.why).unwrap();
        assert!(few.contains('@') && few.trim_end().ends_with('|'), "{few}");
        let mut many = envelope(1);
        let one = |n: usize| Recipient {
            address: Address {
                local: format!("{n:0>60}"),
                domain: Some(format!("{}.example.test", "d".repeat(60))),
            },
            notify: None,
            orcpt: None,
        };
        many.recipients = (0..1000).map(one).collect();
        let said = ran(told, &many, LONG).await.map_err(|f| f.why).unwrap();
        let (path, count) = said.trim_end().split_once('\n').unwrap();
        assert_eq!(count.trim(), "1000");
        // Nothing is left of it.
        assert!(
            !PathBuf::from(path.trim_start_matches('|')).exists(),
            "{path}"
        );
    }

    #[tokio::test]
    async fn how_it_ends_says_what_becomes_of_the_message() {
        let mail = envelope(1);
        let passed = ran("exit 0", &mail, LONG).await.map_err(|f| f.why);
        assert_eq!(passed.unwrap(), "Subject: x\r\n\r\nbody\r\n");
        let changed = ran("sed s/x/y/", &mail, LONG).await.map_err(|f| f.why);
        assert!(changed.unwrap().starts_with("Subject: y"));
        for (command, reply, told) in [
            ("echo no >&2; exit 1", "550 5.7.1 no", false),
            (
                "echo '552 5.3.4 long' >&2; exit 77",
                "552 5.3.4 long",
                false,
            ),
            ("echo later >&2; exit 75", "451 4.7.1 later", false),
            (
                "echo oops >&2; exit 3",
                "451 4.7.1 The filter has trouble, try again later",
                true,
            ),
        ] {
            let failure = ran(command, &mail, LONG).await.map(|_| ()).unwrap_err();
            let Trouble::Refused(said) = failure.trouble else {
                panic!("{command}")
            };
            assert_eq!(said.to_string(), reply);
            assert_eq!(failure.why.is_some(), told, "{command}: {:?}", failure.why);
        }
    }
}
