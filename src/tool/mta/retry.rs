//! When to try again, when to warn, when to give up (RFC 5321 section 4.5.4.1), and the clock that
//! all of it goes by.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::queue::QueueId;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The waits between attempts, and the limits of patience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The wait after the first, second … attempt; the last one is repeated.
    pub waits: Vec<Duration>,
    /// When the sender is told that it takes long, once; `None` for never.
    pub warn_after: Option<Duration>,
    /// When it is given up.
    pub expire_after: Duration,
    /// When a notice is given up: it only tells of another mail.
    pub expire_notice_after: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        let minutes = [5, 10, 20, 40, 60, 120, 240];
        Self {
            waits: minutes
                .iter()
                .map(|m| Duration::from_secs(m * MINUTE))
                .collect(),
            warn_after: Some(Duration::from_secs(4 * HOUR)),
            expire_after: Duration::from_secs(5 * DAY),
            expire_notice_after: Duration::from_secs(2 * DAY),
        }
    }
}

impl Schedule {
    /// When to try again after this attempt (the first is 1). Messages that failed together do
    /// not come back together: each wait is up to a tenth longer, by the id.
    pub fn next(&self, id: QueueId, tries: u32, now: SystemTime) -> SystemTime {
        let place = usize::try_from(tries.saturating_sub(1)).unwrap_or(usize::MAX);
        let last = self.waits.len().saturating_sub(1);
        let wait = self.waits.get(place.min(last)).copied();
        let wait = wait.unwrap_or(Duration::from_secs(30 * MINUTE));
        now + wait + wait.mul_f64(0.1 * share(id, tries))
    }

    /// When a message that was taken at this time is given up.
    pub fn end(&self, taken: SystemTime, is_notice: bool) -> SystemTime {
        let after = if is_notice {
            self.expire_notice_after.min(self.expire_after)
        } else {
            self.expire_after
        };
        taken + after
    }

    /// Whether it is time to tell the sender.
    pub fn is_late(&self, taken: SystemTime, now: SystemTime) -> bool {
        self.warn_after.is_some_and(|after| now >= taken + after)
    }
}

/// A number from 0 to 1 that looks random and is the same for the same id and attempt.
fn share(id: QueueId, tries: u32) -> f64 {
    let (seconds, micros) = id.parts();
    let mut mixed = seconds ^ (micros << 40) ^ u64::from(tries);
    for _ in 0..3 {
        mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    f64::from(u32::try_from(mixed >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

/// What time it is. A virtual clock jumps to the next thing to do, so that a story of five days
/// is over in a second.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicU64>>);

impl Clock {
    /// A virtual clock that starts at this moment.
    pub fn starting(at: SystemTime) -> Self {
        let clock = Self(Some(Arc::new(AtomicU64::new(0))));
        clock.jump(at);
        clock
    }

    /// The time.
    pub fn now(&self) -> SystemTime {
        self.0.as_ref().map_or_else(SystemTime::now, |micros| {
            UNIX_EPOCH + Duration::from_micros(micros.load(Ordering::Acquire))
        })
    }

    /// Whether it goes by itself.
    pub const fn is_virtual(&self) -> bool {
        self.0.is_some()
    }

    /// Sets a virtual clock forward; the real one takes no orders.
    pub fn jump(&self, to: SystemTime) {
        if let Some(micros) = &self.0 {
            let to = to.duration_since(UNIX_EPOCH).unwrap_or_default();
            // Never short of it, or what is due then would not be.
            let to = u64::try_from(to.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX);
            micros.fetch_max(to, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(n: u64) -> Duration {
        Duration::from_secs(n * MINUTE)
    }

    #[test]
    fn waits_grow_and_each_is_at_most_a_tenth_longer() {
        let schedule = Schedule::default();
        let now = UNIX_EPOCH + minutes(30_000_000);
        let id = QueueId::of_micros(1_795_333_260_123_456);
        for (tries, least) in [(1, 5), (2, 10), (4, 40), (7, 240), (8, 240), (400, 240)] {
            let wait = schedule.next(id, tries, now).duration_since(now).unwrap();
            assert!(wait >= minutes(least), "{tries}: {wait:?}");
            assert!(wait <= minutes(least).mul_f64(1.1), "{tries}: {wait:?}");
        }
        let other = QueueId::of_micros(1_795_333_260_123_457);
        assert_ne!(schedule.next(id, 1, now), schedule.next(other, 1, now));
    }

    #[test]
    fn a_notice_is_given_up_sooner_and_a_warning_comes_after_four_hours() {
        let schedule = Schedule::default();
        let taken = UNIX_EPOCH + minutes(30_000_000);
        assert_eq!(schedule.end(taken, false), taken + minutes(5 * 24 * 60));
        assert_eq!(schedule.end(taken, true), taken + minutes(2 * 24 * 60));
        assert!(!schedule.is_late(taken, taken + minutes(239)));
        assert!(schedule.is_late(taken, taken + minutes(240)));
    }

    #[test]
    fn a_virtual_clock_only_goes_forward_and_only_when_told() {
        let clock = Clock::starting(UNIX_EPOCH + minutes(10));
        clock.jump(UNIX_EPOCH + minutes(60));
        clock.jump(UNIX_EPOCH + minutes(20));
        assert_eq!(clock.now(), UNIX_EPOCH + minutes(60));
    }
}
