//! Makes notes durable a moment after they were made: what a crash of the machine can repeat is
//! what was delivered within that moment.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::segment::{Segment, lock};

/// How long notes gather.
const MOMENT: Duration = Duration::from_millis(25);

/// How often it is seen to that little is kept for nothing.
const TIDY: Duration = Duration::from_secs(30);

/// Files with notes that no sync has covered.
#[derive(Default)]
pub(super) struct Scribe {
    fresh: Mutex<(Vec<Arc<Segment>>, bool)>,
    bell: Condvar,
}

impl Scribe {
    /// A note was put into this file.
    pub(super) fn noted(&self, segment: &Arc<Segment>) {
        let mut fresh = lock(&self.fresh);
        if !fresh.0.iter().any(|other| Arc::ptr_eq(other, segment)) {
            fresh.0.push(segment.clone());
            self.bell.notify_one();
        }
    }

    /// What was noted is still synced.
    pub(super) fn close(&self) {
        lock(&self.fresh).1 = true;
        self.bell.notify_all();
    }

    /// Works until it is closed; tidies up now and then.
    pub(super) fn run(&self, tidy: impl Fn()) {
        let mut tidied = Instant::now();
        loop {
            if tidied.elapsed() >= TIDY {
                tidy();
                tidied = Instant::now();
            }
            let mut fresh = lock(&self.fresh);
            if fresh.0.is_empty() && !fresh.1 {
                let woken = self.bell.wait_timeout(fresh, TIDY);
                fresh = woken.unwrap_or_else(PoisonError::into_inner).0;
            }
            let closed = fresh.1;
            drop(fresh);
            if !closed {
                std::thread::sleep(MOMENT);
            }
            let segments = std::mem::take(&mut lock(&self.fresh).0);
            for segment in segments {
                // A file of settled messages may be gone by now. When the disk does not take it,
                // the worst is that a delivery is repeated after a crash of the machine.
                if !segment.is_discarded() {
                    drop(segment.sync());
                }
            }
            if closed {
                return;
            }
        }
    }
}
