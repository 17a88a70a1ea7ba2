//! The id of a queued message: the microsecond it was taken, never given out twice.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Digits and letters that are not mistaken for one another (Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of an id: 55 bits of microseconds last until the year 3111.
const LENGTH: usize = 11;

/// The id of one message. Ids sort by the time they were given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueId(u64);

impl QueueId {
    /// The moment that is in the id: when the message began to come in.
    pub fn time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_micros(self.0)
    }

    /// Whole seconds since 1970 and the microseconds within the second.
    pub const fn parts(self) -> (u64, u64) {
        (self.0 / 1_000_000, self.0 % 1_000_000)
    }

    /// An id with this moment in it.
    pub const fn of_micros(micros: u64) -> Self {
        Self(micros)
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'0'; LENGTH];
        let mut rest = self.0;
        for place in text.iter_mut().rev() {
            let digit = usize::try_from(rest % 32).unwrap_or(0);
            *place = ALPHABET.get(digit).copied().unwrap_or(b'0');
            rest /= 32;
        }
        f.pad(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// A text that is no queue id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no queue id; `queue list` shows them")]
pub struct BadId;

impl FromStr for QueueId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        if text.len() != LENGTH {
            return Err(BadId);
        }
        text.bytes()
            .try_fold(0u64, |sum, byte| {
                let byte = byte.to_ascii_uppercase();
                let digit = ALPHABET.iter().position(|&b| b == byte)?;
                sum.checked_mul(32)?.checked_add(u64::try_from(digit).ok()?)
            })
            .map(Self)
            .ok_or(BadId)
    }
}

/// Gives out ids: the microsecond it is, or the next free one.
#[derive(Debug, Default)]
pub(super) struct Ids(AtomicU64);

impl Ids {
    /// Nothing up to this id is given out (again).
    pub(super) fn above(&self, id: QueueId) {
        self.0.fetch_max(id.0, Ordering::Relaxed);
    }

    /// The last id given out.
    pub(super) fn last(&self) -> QueueId {
        QueueId(self.0.load(Ordering::Relaxed))
    }

    /// The next id.
    pub(super) fn next(&self) -> QueueId {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |d| u64::try_from(d.as_micros()).unwrap_or(0));
        let step = |last: u64| Some(now.max(last.saturating_add(1)));
        let last = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
        QueueId(now.max(last.unwrap_or(0).saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_sorts_by_time() {
        let early = QueueId::of_micros(1_700_000_000_000_000);
        let late = QueueId::of_micros(1_700_000_000_000_001);
        assert_eq!(early.to_string().len(), LENGTH);
        assert_eq!(early.to_string().parse(), Ok(early));
        assert_eq!(early.to_string().to_lowercase().parse(), Ok(early));
        assert!(early < late && early.to_string() < late.to_string());
        for bad in ["", "1", "1234567890U", "../../../etc"] {
            assert_eq!(bad.parse::<QueueId>(), Err(BadId), "{bad}");
        }
    }

    #[test]
    fn no_id_is_given_out_twice_even_when_the_clock_goes_back() {
        let ids = Ids::default();
        let ahead = QueueId::of_micros(9_000_000_000_000_000);
        ids.above(ahead);
        let (a, b) = (ids.next(), ids.next());
        assert!(ahead < a && a < b);
    }
}
