//! Many messages: how fast they are taken, and how the times are spread.

use std::time::Duration;

use super::round::{Outcome, Round};

/// Rows of a histogram at most.
const MOST_ROWS: usize = 16;

/// What came of many messages.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// How many were to be sent.
    pub wanted: usize,
    /// How many had which outcome, in the order of their first appearance.
    pub outcomes: Vec<(Outcome, usize)>,
    /// From the connection to the last reply, of those that were accepted; the shortest first.
    pub times: Vec<Duration>,
    /// All together.
    pub took: Duration,
    /// The refusals and failures, each once, with how often.
    pub troubles: Vec<(String, usize)>,
}

/// One row of the histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// From this time on.
    pub from: Duration,
    /// Up to this one.
    pub to: Duration,
    /// How many.
    pub count: usize,
}

impl Series {
    /// Takes in one message.
    pub fn add(&mut self, round: &Round) {
        match self
            .outcomes
            .iter_mut()
            .find(|(one, _)| *one == round.outcome)
        {
            Some((_, count)) => *count += 1,
            None => self.outcomes.push((round.outcome, 1)),
        }
        let last = round.attempts.last();
        if matches!(round.outcome, Outcome::Accepted | Outcome::Partly)
            && let Some(handed) = last
        {
            // The farewell is nobody's business.
            let before = handed
                .steps
                .iter()
                .filter(|s| s.stage != crate::smtp::Stage::Quit);
            let end = before.map(|step| step.at + step.took).max();
            let at = end.unwrap_or_default();
            let place = self.times.partition_point(|time| *time <= at);
            self.times.insert(place, at);
        }
        for one in &round.recipients {
            if one.reply_code.is_some_and(|code| code < 400) {
                continue;
            }
            let words = one.diagnostic.clone().unwrap_or_default();
            let room = self.troubles.len() < MOST_ROWS;
            match self.troubles.iter_mut().find(|(known, _)| *known == words) {
                Some((_, count)) => *count += 1,
                None if room => self.troubles.push((words, 1)),
                None => {}
            }
        }
    }

    /// How many were accepted.
    pub fn accepted(&self) -> usize {
        self.count(Outcome::Accepted)
    }

    /// How many had this outcome.
    pub fn count(&self, wanted: Outcome) -> usize {
        let mut all = self.outcomes.iter();
        all.find(|(one, _)| *one == wanted)
            .map_or(0, |(_, count)| *count)
    }

    /// Messages in a second.
    pub fn rate(&self) -> f64 {
        let sent: usize = self.outcomes.iter().map(|(_, count)| count).sum();
        let sent = u32::try_from(sent).map_or(f64::from(u32::MAX), f64::from);
        sent / self.took.as_secs_f64().max(1e-6)
    }

    /// The time that this share of the messages did not need more than.
    pub fn percentile(&self, percent: usize) -> Option<Duration> {
        let rank = (self.times.len() * percent).div_ceil(100);
        self.times.get(rank.saturating_sub(1)).copied()
    }

    /// How the times are spread: each row reaches half as far again as the one before.
    pub fn histogram(&self) -> Vec<Row> {
        let (Some(first), Some(last)) = (self.times.first(), self.times.last()) else {
            return Vec::new();
        };
        let mut rows = Vec::new();
        let mut from = (*first).max(Duration::from_micros(10));
        // With so many rows the widest spread fits.
        let spread = last.as_secs_f64() / from.as_secs_f64();
        let rows_there = f64::from(u32::try_from(MOST_ROWS).unwrap_or(16)) - 1.0;
        let step = spread.powf(1.0 / rows_there).max(1.5);
        let mut at = 0;
        while at < self.times.len() && rows.len() < MOST_ROWS {
            let to = from.mul_f64(step);
            let end = if rows.len() + 1 == MOST_ROWS {
                self.times.len()
            } else {
                self.times.partition_point(|time| *time < to)
            };
            rows.push(Row {
                from,
                to,
                count: end.saturating_sub(at),
            });
            at = end.max(at);
            from = to;
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_histogram_counts_everything_once() {
        let times: Vec<Duration> = (1..=500).map(|n| Duration::from_micros(n * n)).collect();
        let series = Series {
            times,
            ..Series::default()
        };
        let rows = series.histogram();
        assert!(rows.len() <= MOST_ROWS);
        assert_eq!(rows.iter().map(|row| row.count).sum::<usize>(), 500);
        assert_eq!(
            series.percentile(50),
            Some(Duration::from_micros(250 * 250))
        );
        assert_eq!(
            series.percentile(100),
            Some(Duration::from_micros(500 * 500))
        );
        assert_eq!(Series::default().histogram(), []);
        assert_eq!(Series::default().percentile(95), None);
    }
}
