//! Greylisting: an unknown client is asked to come again, since those who send spam seldom do.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is remembered at most; the oldest half goes when it is reached.
const MOST: usize = 100_000;
/// How long somebody who did not come again is remembered.
const FORGOTTEN: Duration = Duration::from_secs(5 * 86_400);

/// Who came, and when first.
#[derive(Debug)]
pub struct Greylist {
    delay: Duration,
    seen: Mutex<HashMap<(IpAddr, u64), Instant>>,
}

impl Greylist {
    /// Puts off for this long.
    pub fn new(delay: Duration) -> Self {
        Self {
            delay,
            seen: Mutex::default(),
        }
    }

    /// How much longer this client, sender and recipient have to wait; `None` when they may pass.
    pub fn wait(
        &self,
        client: IpAddr,
        sender: &str,
        recipient: &str,
        now: Instant,
    ) -> Option<Duration> {
        use std::hash::{Hash, Hasher};
        let mut hasher = std::hash::DefaultHasher::new();
        (sender.to_lowercase(), recipient.to_lowercase()).hash(&mut hasher);
        let key = (net(client), hasher.finish());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST {
            thin(&mut seen, now);
        }
        let first = *seen.entry(key).or_insert(now);
        let waited = now.saturating_duration_since(first);
        (waited < self.delay).then(|| self.delay - waited)
    }
}

fn thin(seen: &mut HashMap<(IpAddr, u64), Instant>, now: Instant) {
    let mut times: Vec<Instant> = seen.values().copied().collect();
    let middle = times.len() / 2;
    let (_, middle, _) = times.select_nth_unstable(middle);
    let middle = *middle;
    seen.retain(|_, first| *first > middle && now.saturating_duration_since(*first) < FORGOTTEN);
}

/// Senders with several servers come from one network.
fn net(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            IpAddr::from([a, b, c, 0])
        }
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_again_after_the_time_passes() {
        let list = Greylist::new(Duration::from_secs(60));
        let start = Instant::now();
        let wait = |ip: &str, recipient: &str, after: u64| {
            let now = start + Duration::from_secs(after);
            list.wait(ip.parse().unwrap(), "a@b.test", recipient, now)
        };
        assert_eq!(
            wait("192.0.2.1", "u@d.test", 0),
            Some(Duration::from_secs(60))
        );
        assert_eq!(
            wait("192.0.2.1", "u@d.test", 59),
            Some(Duration::from_secs(1))
        );
        assert_eq!(wait("192.0.2.77", "U@d.test", 60), None);
        assert!(wait("198.51.100.1", "u@d.test", 60).is_some());
        assert!(wait("192.0.2.1", "v@d.test", 60).is_some());
    }

    #[test]
    fn memory_is_bounded() {
        let list = Greylist::new(Duration::from_secs(60));
        let start = Instant::now();
        for n in 0..=MOST {
            let now = start + Duration::from_millis(n as u64);
            let _ = list.wait(IpAddr::from([192, 0, 2, 1]), "", &n.to_string(), now);
        }
        assert!(list.seen.lock().unwrap().len() <= MOST / 2 + 2);
    }
}
