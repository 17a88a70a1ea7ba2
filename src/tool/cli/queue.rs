//! The flags of `queue`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use crate::mta::queue::QueueId;

/// Look after the queue of the built-in mail server
///
/// Shows the messages that wait and why, and tries, holds or removes them; also while the server
/// runs.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mailtrace queue list
  mailtrace queue list --spool /tmp/s --json | jq -r '.recipients[].reply'
  mailtrace queue show 1K0V5PC7A2M
  mailtrace queue flush
  mailtrace queue remove 1K0V5PC7A2M

Exit codes:
  0  done
  1  there is no such message
  2  wrong use, or the spool cannot be read or written")]
pub struct Queue {
    /// What to do.
    #[command(subcommand)]
    pub order: Order,
}

/// What to do with the queue.
#[derive(Debug, Subcommand)]
pub enum Order {
    /// Show the messages, the oldest first
    List(Spool),
    /// Show one message with its envelope
    Show(One),
    /// Try messages now, all when none is named
    Flush(Some),
    /// Try messages no more until they are released, all when none is named
    Hold(Some),
    /// Go on with messages that are held, all when none is named
    Release(Some),
    /// Take messages away without telling anybody
    Remove(Remove),
}

/// Where the queue is.
#[derive(Debug, Args)]
pub struct Spool {
    /// The queue is here (default: mailtrace/spool in the state folder of the user)
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub spool: Option<PathBuf>,
}

/// One message.
#[derive(Debug, Args)]
pub struct One {
    /// Its id
    #[arg(value_name = "ID")]
    pub id: QueueId,
    /// Where the queue is.
    #[command(flatten)]
    pub spool: Spool,
}

/// Some messages, or all.
#[derive(Debug, Args)]
pub struct Some {
    /// Their ids
    #[arg(value_name = "ID")]
    pub ids: Vec<QueueId>,
    /// Where the queue is.
    #[command(flatten)]
    pub spool: Spool,
}

/// Messages that go.
#[derive(Debug, Args)]
pub struct Remove {
    /// Their ids
    #[arg(value_name = "ID", required_unless_present = "all")]
    pub ids: Vec<QueueId>,
    /// All messages
    #[arg(long, conflicts_with = "ids")]
    pub all: bool,
    /// Where the queue is.
    #[command(flatten)]
    pub spool: Spool,
}
