//! Where accepted messages go, as a session sees it: the queue, or something else that keeps
//! mail, such as the memory of a test.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::envelope::Envelope;
use super::queue::{self, Queue, StoreError};
use super::session::reply::Reply;

/// A place for messages.
pub trait Store: Send + Sync {
    /// Begins a message; nothing of it counts before it is committed.
    fn draft(&self) -> Box<dyn Draft>;

    /// Whether a message of so many octets would find room, as far as can be told beforehand.
    fn has_room(&self, octets: u64) -> bool {
        let _ = octets;
        true
    }
}

/// A message that is being written. Dropping it leaves no trace.
pub trait Draft: Send {
    /// The name the message will have in logs, trace fields and the reply.
    fn id(&self) -> String;

    /// Adds octets, lines with CR LF.
    fn write(&mut self, octets: &[u8]) -> Result<(), Trouble>;

    /// Makes the message durable: when this is done, a crash loses nothing.
    fn commit(self: Box<Self>, envelope: Envelope) -> Committing;
}

/// A message on its way to being durable.
pub type Committing = Pin<Box<dyn Future<Output = Result<(), Trouble>> + Send>>;

/// Why a message could not be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// There is no room.
    Full,
    /// Something else went wrong.
    Broken,
    /// Somebody who looks at messages will not have it.
    Refused(Box<Reply>),
}

impl Trouble {
    /// What the client is told. The first two pass, so it may come again.
    pub fn reply(&self) -> Reply {
        match self {
            Self::Full => Reply::new(452, 3, 1, "No room on the disk, try again later"),
            Self::Broken => Reply::new(451, 3, 0, "Local trouble, try again later"),
            Self::Refused(reply) => reply.as_ref().clone(),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("no room"),
            Self::Broken => f.write_str("input or output error"),
            Self::Refused(reply) => reply.fmt(f),
        }
    }
}

/// The durable queue.
impl Store for Queue {
    fn draft(&self) -> Box<dyn Draft> {
        Box::new(Self::draft(self))
    }

    fn has_room(&self, octets: u64) -> bool {
        // What comes on top of the text: trace field, envelope, the file system's own.
        const MORE: u64 = 4096;
        self.room()
            .is_none_or(|room| room >= octets.saturating_add(MORE))
    }
}

impl Draft for queue::Draft {
    fn id(&self) -> String {
        Self::id(self).to_string()
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), Trouble> {
        Ok(Self::write(self, octets)?)
    }

    fn commit(self: Box<Self>, envelope: Envelope) -> Committing {
        Box::pin(async move {
            Self::commit(*self, envelope).await?;
            Ok(())
        })
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::Full,
            StoreError::Io(_) => Self::Broken,
        }
    }
}

/// Takes everything and keeps nothing, for tests.
#[cfg(test)]
pub(crate) struct Nowhere;

#[cfg(test)]
impl Store for Nowhere {
    fn draft(&self) -> Box<dyn Draft> {
        Box::new(Self)
    }
}

#[cfg(test)]
impl Draft for Nowhere {
    fn id(&self) -> String {
        "ID".to_string()
    }
    fn write(&mut self, _: &[u8]) -> Result<(), Trouble> {
        Ok(())
    }
    fn commit(self: Box<Self>, _: Envelope) -> Committing {
        Box::pin(async { Ok(()) })
    }
}
