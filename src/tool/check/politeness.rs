//! Manners: how many connections at a time, in all and to one address, and the pause between
//! two to the same one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

/// Connections at a time to one address, and to this machine itself.
const PER_ADDRESS: usize = 1;
const PER_OWN_ADDRESS: usize = 4;
/// Between the end of one connection to an address and the start of the next. Not for this
/// machine itself.
const PAUSE: Duration = Duration::from_secs(1);

/// Who may talk now.
#[derive(Debug)]
pub(super) struct Politeness {
    all: Arc<Semaphore>,
    places: Mutex<HashMap<IpAddr, Place>>,
}

#[derive(Debug, Clone)]
struct Place {
    turns: Arc<Semaphore>,
    free_at: Option<Instant>,
}

/// The right to have one connection open.
#[derive(Debug)]
pub(super) struct Turn {
    politeness: Arc<Politeness>,
    ip: IpAddr,
    _all: Option<OwnedSemaphorePermit>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Politeness {
    pub(super) fn new(connections: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(connections.max(1))),
            places: Mutex::default(),
        }
    }

    /// Waits for a turn at this address.
    pub(super) async fn turn(self: &Arc<Self>, ip: IpAddr) -> Turn {
        let turns = self.place(ip).turns;
        // Semaphores that are never closed always give in.
        let place = turns.acquire_owned().await.ok();
        if let Some(free_at) = self.place(ip).free_at {
            sleep_until(free_at).await;
        }
        let all = self.all.clone().acquire_owned().await.ok();
        Turn {
            politeness: self.clone(),
            ip,
            _all: all,
            _place: place,
        }
    }

    fn place(&self, ip: IpAddr) -> Place {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let own = ip.to_canonical().is_loopback();
        let turns = if own { PER_OWN_ADDRESS } else { PER_ADDRESS };
        let new = || Place {
            turns: Arc::new(Semaphore::new(turns)),
            free_at: None,
        };
        places.entry(ip).or_insert_with(new).clone()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.ip.to_canonical().is_loopback() {
            return;
        }
        let mut places = (self.politeness.places)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get_mut(&self.ip) {
            place.free_at = Some(Instant::now() + PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stranger_is_not_met_twice_within_a_second() {
        let politeness = Arc::new(Politeness::new(8));
        let started = Instant::now();
        let (far, own) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([127, 0, 0, 1]));
        drop(politeness.turn(far).await);
        drop(politeness.turn(far).await);
        assert!(started.elapsed() >= PAUSE);
        let started = Instant::now();
        drop(politeness.turn(own).await);
        drop(politeness.turn(own).await);
        drop(politeness.turn(IpAddr::from([192, 0, 2, 2])).await);
        assert!(started.elapsed() < PAUSE);
    }
}
