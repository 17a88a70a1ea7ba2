//! Orders of the operator: to a running server through a socket in its spool, or straight to the
//! files when none runs.

use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::time::timeout;

use super::{Event, OpenError, Queue, QueueId};
use crate::mta::retry::Clock;

/// The socket within a spool.
const SOCKET: &str = "control";
/// Octets of an order: some thousand ids.
const LONGEST: u64 = 64 << 10;
/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to do with messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Try now.
    Flush,
    /// Try no more until it is released.
    Hold,
    /// Go on with it.
    Release,
    /// Take it away without a word to anybody.
    Remove,
}

impl Order {
    const ALL: [Self; 4] = [Self::Flush, Self::Hold, Self::Release, Self::Remove];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Flush => "flush",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Remove => "remove",
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Why an order was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// There is no such message.
    #[error("{0}: there is no such message in the queue; `queue list` shows them")]
    NoSuch(QueueId),
    /// It could not be noted.
    #[error("the disk is full; make room, or remove all messages, and say it again")]
    Full,
    /// The spool cannot be used.
    #[error(transparent)]
    Spool(#[from] OpenError),
    /// The server does not answer.
    #[error("the server that works in this spool cannot be reached: {}", crate::words::reason(.0))]
    Server(io::Error),
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// How many messages it concerned.
    pub messages: usize,
    /// Whether a server works in the spool; without one nothing is tried before the next start.
    pub served: bool,
}

/// Carries an order out: by the server that works in the spool, else here. `ids` empty means all.
pub fn order(spool: &Path, order: Order, ids: &[QueueId]) -> Result<Done, OrderError> {
    match Queue::open(spool) {
        Ok(queue) => {
            let done = apply(&queue, order, ids, SystemTime::now()).map_err(OrderError::NoSuch);
            if queue.is_written() {
                let served = false;
                done.map(|messages| Done { messages, served })
            } else {
                Err(OrderError::Full)
            }
        }
        Err(OpenError::Locked { .. }) => {
            let served = true;
            ask(&spool.join(SOCKET), order, ids).map(|messages| Done { messages, served })
        }
        Err(error) => Err(error.into()),
    }
}

/// Does it.
fn apply(queue: &Queue, order: Order, ids: &[QueueId], now: SystemTime) -> Result<usize, QueueId> {
    if let Some(id) = ids.iter().find(|id| queue.get(**id).is_none()) {
        return Err(*id);
    }
    let mut count = 0;
    for entry in queue.all() {
        if !ids.is_empty() && !ids.contains(&entry.id) {
            continue;
        }
        let event = match order {
            Order::Flush if entry.held => continue,
            Order::Flush => Event::Next(now, entry.tries),
            Order::Hold => Event::Held(true),
            Order::Release => Event::Held(false),
            Order::Remove => Event::Removed,
        };
        queue.note(entry.id, &[event]);
        count += 1;
    }
    queue.stir();
    Ok(count)
}

/// Asks the server.
fn ask(socket: &Path, order: Order, ids: &[QueueId]) -> Result<usize, OrderError> {
    let talk = || {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut line = order.to_string();
        for id in ids {
            line.push_str(&format!(" {id}"));
        }
        line.push('\n');
        stream.write_all(line.as_bytes())?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer)?;
        Ok(answer)
    };
    let answer: String = talk().map_err(OrderError::Server)?;
    let strange = || OrderError::Server(io::Error::other("it answers something else"));
    match answer.trim_end().split_once(' ') {
        Some(("done", count)) => count.parse().map_err(|_| strange()),
        Some(("none", id)) => Err(id.parse().map_or_else(|_| strange(), OrderError::NoSuch)),
        _ => Err(strange()),
    }
}

/// Takes orders in a spool until it is dropped.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Begins to listen. The caller holds the lock of the spool.
    pub fn listen(spool: &Path) -> io::Result<Self> {
        let path = spool.join(SOCKET);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path })
    }

    /// Carries orders out for ever, one after the other.
    pub async fn run(self, queue: Queue, clock: Clock) {
        loop {
            let Ok((mut stream, _)) = self.listener.accept().await else {
                // Too many open files, most likely: the dialogues that have them will end.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let talk = async {
                let (read, mut write) = stream.split();
                let mut line = String::new();
                let mut read = tokio::io::BufReader::new(read.take(LONGEST));
                read.read_line(&mut line).await?;
                let answer = answer(&line, &queue, clock.now());
                write.write_all(answer.as_bytes()).await
            };
            // Who does not say what he wants gets no answer.
            drop(timeout(PATIENCE, talk).await);
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // The next server makes it anew in any case.
        drop(std::fs::remove_file(&self.path));
    }
}

fn answer(line: &str, queue: &Queue, now: SystemTime) -> String {
    let mut words = line.split_whitespace();
    let word = words.next().unwrap_or_default();
    let order = Order::ALL.into_iter().find(|order| order.word() == word);
    let ids: Option<Vec<QueueId>> = words.map(|id| id.parse().ok()).collect();
    let (Some(order), Some(ids), true) = (order, ids, line.ends_with('\n')) else {
        return "what?\n".to_string();
    };
    match apply(queue, order, &ids, now) {
        Ok(count) => format!("done {count}\n"),
        Err(id) => format!("none {id}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mta::queue::look;
    use crate::mta::queue::tests::put;

    #[tokio::test]
    async fn orders_reach_a_running_server_and_the_files_of_one_that_does_not_run() {
        let dir = tempfile::tempdir().unwrap();
        let spool = dir.path().to_path_buf();
        let queue = Queue::open(&spool).unwrap();
        let ids = [put(&queue, b"a\r\n").await, put(&queue, b"b\r\n").await];
        let control = Control::listen(&spool).unwrap();
        let running = tokio::spawn(control.run(queue.clone(), Clock::default()));
        let say = |what, ids: Vec<QueueId>| {
            let spool = spool.clone();
            tokio::task::spawn_blocking(move || {
                order(&spool, what, &ids)
                    .map(|done| done.messages)
                    .map_err(|e| e.to_string())
            })
        };
        assert_eq!(say(Order::Hold, vec![ids[0]]).await.unwrap(), Ok(1));
        assert!(queue.get(ids[0]).unwrap().held);
        assert_eq!(say(Order::Flush, vec![]).await.unwrap(), Ok(1));
        assert_eq!(say(Order::Remove, vec![ids[1]]).await.unwrap(), Ok(1));
        let gone = say(Order::Remove, vec![ids[1]]).await.unwrap();
        assert!(gone.unwrap_err().contains("no such message"));
        // Beside the server the files tell the same.
        assert_eq!(look(&spool).unwrap().len(), 1);
        running.abort();
        assert!(running.await.is_err());
        drop(queue);
        let alone = |messages| Done {
            messages,
            served: false,
        };
        assert_eq!(order(&spool, Order::Release, &[]).unwrap(), alone(1));
        assert!(!look(&spool).unwrap()[0].held);
        assert_eq!(order(&spool, Order::Remove, &[ids[0]]).unwrap(), alone(1));
        assert!(look(&spool).unwrap().is_empty());
    }

    #[tokio::test]
    async fn who_talks_nonsense_gets_no_order_carried_out() {
        let dir = tempfile::tempdir().unwrap();
        let queue = Queue::open(dir.path()).unwrap();
        put(&queue, b"a\r\n").await;
        let now = SystemTime::now();
        for line in [
            "",
            "\n",
            "remove",
            "remove x\n",
            "explode\n",
            "remove ../../x\n",
        ] {
            assert_eq!(answer(line, &queue, now), "what?\n", "{line:?}");
        }
        assert_eq!(queue.len(), 1);
    }
}
