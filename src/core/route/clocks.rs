//! Delays and clocks. A delay is the difference of two servers' clocks; when it is negative, one
//! of them is wrong, and the neighbours tell which. Lines of one host share its clock.

use crate::route::hop::Hop;
use crate::route::net;
use crate::route::witness::{self, Witness};

/// Differences up to this many seconds below zero are noise.
const NOISE_S: i64 = 2;
/// A wrong time zone shows as a whole number of half hours and at most this much true delay.
const ZONE_SLACK_S: i64 = 120;
const HALF_HOUR_S: i64 = 1800;

/// What the clocks of a chain say together.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    pub(crate) clashes: Vec<Clash>,
    pub(crate) total_s: Option<i64>,
    pub(crate) waited_s: i64,
    pub(crate) slowest: Option<usize>,
}

/// Two clocks that contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clash {
    /// The index of the last hop of the first clock.
    pub(crate) first: usize,
    /// The index of the first hop of the second one.
    pub(crate) second: usize,
    /// By how much at least they differ.
    pub(crate) seconds: i64,
    /// The one that both neighbours contradict.
    pub(crate) wrong: Option<Wrong>,
    /// The difference is a whole number of half hours: a wrong zone.
    pub(crate) zone: bool,
    /// The wrong clock stands between two that agree; else two on one side agree against it.
    pub(crate) between: bool,
    /// The kind of field that decided it, when the lines alone did not.
    pub(crate) witness: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// The first clock is ahead.
    First,
    /// The second clock is behind.
    Second,
}

/// A run of hops stamped by one clock.
#[derive(Debug, Clone, Copy)]
struct Clock {
    first: usize,
    last: usize,
    from: i64,
    to: i64,
    /// What must be taken off its times to set it right.
    off: i64,
    /// Its times cannot be set right.
    unusable: bool,
}

/// Fills in the delays of `hops` and tells what the clocks say. `written` is the author's `Date`,
/// a weak witness for the time before the first hop; `witnesses` are the clocks of signatures.
pub(crate) fn judge(hops: &mut [Hop], written: Option<i64>, witnesses: &[Witness]) -> Clocks {
    delays(hops);
    let mut clocks = group(hops);
    let clashes = clashes(hops, &mut clocks, written, witnesses);
    let mut result = Clocks {
        clashes,
        ..Clocks::default()
    };
    settle(hops, &clocks, &mut result);
    result
}

/// The plain differences, over hops without a time that counts.
fn delays(hops: &mut [Hop]) {
    let mut last: Option<(usize, i64)> = None;
    for (i, hop) in hops.iter_mut().enumerate() {
        let Some(now) = hop.sure_time() else { continue };
        if let Some((at, before)) = last {
            hop.delay_s = Some(now - before);
            hop.delay_over = i - at;
        }
        last = Some((i, now));
    }
}

fn group(hops: &[Hop]) -> Vec<Clock> {
    let mut clocks: Vec<Clock> = Vec::new();
    let mut host: Option<&str> = None;
    for (i, hop) in hops.iter().enumerate() {
        let Some(now) = hop.sure_time() else { continue };
        let name = hop.by.best_name();
        let same = match (host, name) {
            (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
            // A queue line without `by` belongs to the host before it.
            (Some(_), None) => true,
            _ => false,
        };
        match clocks.last_mut().filter(|_| same) {
            Some(clock) => {
                clock.last = i;
                clock.to = now;
            }
            None => clocks.push(Clock {
                first: i,
                last: i,
                from: now,
                to: now,
                off: 0,
                unusable: false,
            }),
        }
        host = name.or(host);
    }
    clocks
}

/// Whether two clocks belong to different organisations.
fn apart(hops: &[Hop], one: Option<&Clock>, other: Option<&Clock>) -> bool {
    let name = |c: Option<&Clock>| {
        c.and_then(|c| hops.get(c.first))
            .and_then(|h| h.by.best_name())
    };
    match (name(one), name(other)) {
        (Some(a), Some(b)) => !net::same_organisation(a, b),
        _ => false,
    }
}

fn clashes(
    hops: &[Hop],
    clocks: &mut [Clock],
    written: Option<i64>,
    witnesses: &[Witness],
) -> Vec<Clash> {
    let mut found = Vec::new();
    for k in 1..clocks.len() {
        let Some(pair) = Pair::of(clocks, k, written) else {
            continue;
        };
        let gap = pair.gap();
        if gap >= -NOISE_S {
            continue;
        }
        let mut wrong = pair.by_neighbours();
        let between = match wrong {
            Some(Wrong::First) => pair.before.is_some(),
            _ => pair.after.is_some(),
        };
        if !between && !pair.is_outvoted(hops, wrong) {
            wrong = None;
        }
        let witness = match wrong {
            None => pair.by_witness(hops, witnesses),
            Some(_) => None,
        };
        let wrong = wrong.or(witness.map(|(which, _)| which));
        let whole = whole_half_hours(gap);
        if let Some(wrong) = wrong {
            pair.set_right(clocks, k, wrong, whole);
        }
        found.push(Clash {
            first: pair.one.last,
            second: pair.other.first,
            seconds: whole.unwrap_or(-gap),
            wrong,
            zone: whole.is_some(),
            between,
            witness: witness.map(|(_, kind)| kind),
        });
    }
    found
}

/// Two clocks that come one after the other, with those around them.
struct Pair {
    one: Clock,
    other: Clock,
    /// The clock before the two, when its times can be used.
    earlier: Option<Clock>,
    /// The clock behind the two.
    later: Option<Clock>,
    /// What the time was before the two: by that clock, else by the author's.
    before: Option<i64>,
    /// What it was behind them.
    after: Option<i64>,
}

impl Pair {
    /// The clock with this number and the one before it.
    fn of(clocks: &[Clock], k: usize, written: Option<i64>) -> Option<Self> {
        let at = |n: usize| clocks.get(n).copied();
        let earlier = k.checked_sub(2).and_then(at).filter(|c| !c.unusable);
        let later = at(k + 1);
        Some(Self {
            one: at(k.checked_sub(1)?)?,
            other: at(k)?,
            earlier,
            later,
            before: earlier.map(|c| c.to - c.off).or(written),
            after: later.map(|c| c.from),
        })
    }

    fn end_of_one(&self) -> i64 {
        self.one.to - self.one.off
    }

    /// How long the way from the one to the other took; below zero when they contradict.
    fn gap(&self) -> i64 {
        (self.other.from - self.other.off) - self.end_of_one()
    }

    /// The clock without which its neighbours agree.
    fn by_neighbours(&self) -> Option<Wrong> {
        let fit = |left: i64| (left >= -NOISE_S, left);
        let without_first = self.before.map(|before| fit(self.other.from - before));
        let without_second = self.after.map(|after| fit(after - self.end_of_one()));
        match (without_first, without_second) {
            (Some((true, _)), Some((false, _)) | None) | (None, Some((false, _))) => {
                Some(Wrong::First)
            }
            (Some((false, _)) | None, Some((true, _))) | (Some((false, _)), None) => {
                Some(Wrong::Second)
            }
            // Both would do: the closer fit must be much closer.
            (Some((true, one)), Some((true, other))) if one * 4 < other => Some(Wrong::First),
            (Some((true, one)), Some((true, other))) if other * 4 < one => Some(Wrong::Second),
            _ => None,
        }
    }

    /// Whether two clocks on one side stand against the wrong one: they count only when they are
    /// not of one house.
    fn is_outvoted(&self, hops: &[Hop], wrong: Option<Wrong>) -> bool {
        match wrong {
            Some(Wrong::First) => apart(hops, Some(&self.other), self.later.as_ref()),
            Some(Wrong::Second) => apart(hops, self.earlier.as_ref(), Some(&self.one)),
            None => true,
        }
    }

    fn by_witness(&self, hops: &[Hop], all: &[Witness]) -> Option<(Wrong, &'static str)> {
        let (lower, upper) = (hops.get(self.one.last)?, hops.get(self.other.first)?);
        let upper_s = self.other.from - self.other.off;
        witness::decide(all, lower, upper, self.end_of_one(), upper_s)
    }

    /// Takes the error off the wrong clock; where it is no wrong zone, its times are of no use.
    fn set_right(&self, clocks: &mut [Clock], k: usize, wrong: Wrong, whole: Option<i64>) {
        let error = whole.unwrap_or(-self.gap());
        let (at, off) = match wrong {
            Wrong::First => (k - 1, self.one.off + error),
            Wrong::Second => (k, -error),
        };
        if let Some(clock) = clocks.get_mut(at) {
            clock.off = off;
            clock.unusable = whole.is_none();
        }
    }
}

/// The half hours that a wrong zone would explain; what is left over is the true delay.
fn whole_half_hours(gap: i64) -> Option<i64> {
    let left = gap.rem_euclid(HALF_HOUR_S);
    let near = if left <= ZONE_SLACK_S {
        left
    } else if HALF_HOUR_S - left <= NOISE_S {
        left - HALF_HOUR_S
    } else {
        return None;
    };
    let whole = near - gap;
    // More than fourteen hours is a wrong day rather than a wrong zone.
    (HALF_HOUR_S..=14 * 3600).contains(&whole).then_some(whole)
}

/// The delays with wrong clocks set right, and the figures over the whole chain.
fn settle(hops: &mut [Hop], clocks: &[Clock], result: &mut Clocks) {
    let open = |i: usize| {
        result
            .clashes
            .iter()
            .any(|c| c.second == i && c.wrong.is_none())
    };
    let mut last: Option<(usize, i64)> = None;
    let mut first: Option<i64> = None;
    let mut slowest: Option<(i64, usize)> = None;
    for clock in clocks {
        for i in clock.first..=clock.last {
            let unsure = open(i);
            let Some(hop) = hops.get_mut(i) else { continue };
            let Some(stamp) = hop.sure_time() else {
                continue;
            };
            if clock.off != 0 {
                hop.clock_off_s = Some(clock.off);
            }
            // Within one host the differences count even when its clock is wrong.
            if clock.unusable && i == clock.first {
                continue;
            }
            let now = stamp - clock.off;
            let took = if clock.unusable {
                hop.delay_s.filter(|d| *d >= 0)
            } else {
                last.map(|(_, before)| now - before)
                    .filter(|d| *d >= -NOISE_S && !unsure)
                    .map(|d| d.max(0))
            };
            hop.took_s = took;
            // A wrong clock in between is passed over: the delay stretches over its hops too.
            hop.took_over = if clock.unusable {
                1
            } else {
                last.map_or(0, |(at, _)| i - at)
            };
            if !clock.unusable {
                first = first.or(Some(now));
                last = Some((i, now));
            }
            if let Some(took) = took {
                result.waited_s += took;
                if took > slowest.map_or(0, |(most, _)| most) {
                    slowest = Some((took, i));
                }
            }
        }
    }
    result.total_s = first
        .zip(last)
        .map(|(a, (_, b))| b - a)
        .filter(|t| *t >= -NOISE_S)
        .map(|t| t.max(0));
    result.slowest = slowest.map(|(_, i)| i);
}

/// Takes back the delays of the hops up to this index, and the one that counts from them.
pub(crate) fn forget(hops: &mut [Hop], made_up: usize) {
    for hop in hops.iter_mut().take(made_up + 1) {
        hop.took_s = None;
    }
    for (i, hop) in hops.iter_mut().enumerate().skip(made_up + 1) {
        if i.saturating_sub(hop.took_over) <= made_up {
            hop.took_s = None;
        }
    }
}

/// The figures over the delays that are left.
pub(crate) fn figures(hops: &[Hop]) -> Clocks {
    let took = || {
        hops.iter()
            .enumerate()
            .filter_map(|(i, h)| Some((i, h.took_s?)))
    };
    let waited_s = took().map(|(_, t)| t).sum();
    let slowest = took()
        .filter(|(_, t)| *t > 0)
        .max_by_key(|(i, t)| (*t, std::cmp::Reverse(*i)));
    Clocks {
        total_s: took().next().map(|_| waited_s),
        waited_s,
        slowest: slowest.map(|(i, _)| i),
        clashes: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chain of servers a, b, c …, stamped at these seconds.
    fn chain(times: &[i64]) -> (Vec<Hop>, Clocks) {
        let mut hops: Vec<Hop> = times
            .iter()
            .enumerate()
            .map(|(i, t)| {
                let host = char::from(b'a' + u8::try_from(i).unwrap());
                let (h, m, s) = (t / 3600 + 6, t / 60 % 60, t % 60);
                let body = format!("by {host}.example; 2 Mar 2026 {h:02}:{m:02}:{s:02} +0000");
                Hop::read(i + 1, i, &body)
            })
            .collect();
        let clocks = judge(&mut hops, None, &[]);
        (hops, clocks)
    }

    #[test]
    fn delays_add_up_when_all_clocks_agree() {
        let (hops, clocks) = chain(&[0, 3, 3, 63]);
        assert_eq!(
            hops.iter().map(|h| h.took_s).collect::<Vec<_>>(),
            [None, Some(3), Some(0), Some(60)]
        );
        assert_eq!((clocks.total_s, clocks.slowest), (Some(63), Some(3)));
        assert!(clocks.clashes.is_empty());
    }

    #[test]
    fn the_clock_that_contradicts_both_neighbours_is_the_wrong_one() {
        let (hops, clocks) = chain(&[0, 500, 5, 9]);
        assert_eq!(clocks.clashes[0].wrong, Some(Wrong::First));
        assert_eq!(hops[1].clock_off_s, Some(495));
        assert_eq!(hops[2].took_s, Some(5));
        assert_eq!((clocks.total_s, clocks.slowest), (Some(9), Some(2)));
        let (hops, clocks) = chain(&[600, 602, 100, 606]);
        assert_eq!(clocks.clashes[0].wrong, Some(Wrong::Second));
        assert_eq!((hops[2].clock_off_s, hops[3].took_s), (Some(-502), Some(4)));
        assert_eq!(clocks.total_s, Some(6));
    }

    #[test]
    fn whole_hours_are_a_zone_error_and_can_be_set_right() {
        let (hops, clocks) = chain(&[0, 3602, 5, 9]);
        assert!(clocks.clashes[0].zone);
        assert_eq!(hops[1].clock_off_s, Some(3600));
        assert_eq!((hops[1].took_s, hops[2].took_s), (Some(2), Some(3)));
        assert_eq!(clocks.total_s, Some(9));
    }

    #[test]
    fn with_two_clocks_the_question_stays_open() {
        let (hops, clocks) = chain(&[900, 200]);
        assert_eq!(clocks.clashes[0].wrong, None);
        assert_eq!((hops[1].delay_s, hops[1].took_s), (Some(-700), None));
        assert_eq!(clocks.total_s, None);
    }

    #[test]
    fn a_second_below_zero_is_noise() {
        let (hops, clocks) = chain(&[10, 9, 12]);
        assert!(clocks.clashes.is_empty());
        assert_eq!((hops[1].delay_s, hops[1].took_s), (Some(-1), Some(0)));
    }

    #[test]
    fn a_hop_without_a_time_stretches_the_next_delay() {
        let mut hops = vec![
            Hop::read(1, 0, "by a.example; 2 Mar 2026 06:00:00 +0000"),
            Hop::read(2, 1, "by b.example"),
            Hop::read(3, 2, "by c.example; 2 Mar 2026 06:00:09 CET"),
            Hop::read(4, 3, "by d.example; 2 Mar 2026 06:00:10 +0000"),
        ];
        judge(&mut hops, None, &[]);
        assert_eq!((hops[3].delay_s, hops[3].delay_over), (Some(10), 3));
        assert_eq!(hops[2].delay_s, None);
    }
}
