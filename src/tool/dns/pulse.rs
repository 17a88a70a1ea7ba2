//! How long to wait, and for whom a little longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Whether a far server has shown signs of life. Clones share the sign.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<AtomicBool>);

impl Pulse {
    /// Something was heard.
    pub fn beat(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether something was ever heard.
    pub fn is_felt(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long to wait for an answer. The clock starts when the question is sent, not while it
/// waits for its turn.
#[derive(Debug, Clone)]
pub struct Patience {
    /// The limit.
    pub wait: Duration,
    /// When this is felt at the limit, the server is slow, not dead: as long again is waited.
    pub pulse: Option<Pulse>,
}

impl Patience {
    /// A hard limit.
    pub const fn of(wait: Duration) -> Self {
        Self { wait, pulse: None }
    }

    /// A limit that holds for the dead: who shows signs of life gets the time twice.
    pub const fn unless_felt(wait: Duration, pulse: Pulse) -> Self {
        Self {
            wait,
            pulse: Some(pulse),
        }
    }

    /// Whether a question that has reached its limit may wait as long again.
    pub fn extends(&self) -> bool {
        self.pulse.as_ref().is_some_and(Pulse::is_felt)
    }
}
