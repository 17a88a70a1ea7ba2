//! How far a long piece of work has come, on standard error.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Work shorter than this shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the line is drawn anew.
const BEAT: Duration = Duration::from_millis(100);

/// The columns of the bar.
const BAR: u64 = 24;

/// The line, as long as it is to be shown.
#[derive(Debug)]
pub(super) struct Progress {
    start: Instant,
    drawn: Option<Instant>,
    shown: bool,
    /// How many bytes there are, when that is known.
    total: Option<u64>,
    messages: u64,
    bytes: u64,
    /// What is counted.
    noun: &'static str,
}

impl Progress {
    /// Shows nothing unless `wanted` and standard error is a terminal. On a terminal that the
    /// results themselves run over, they are the progress.
    pub(super) fn new(wanted: bool, results_shown: bool, total: Option<u64>) -> Self {
        let shown =
            wanted && io::stderr().is_terminal() && !(results_shown && io::stdout().is_terminal());
        Self {
            start: Instant::now(),
            drawn: None,
            shown,
            total,
            messages: 0,
            bytes: 0,
            noun: "messages",
        }
    }

    /// Counts something else than messages.
    pub(super) fn counting(self, noun: &'static str) -> Self {
        Self { noun, ..self }
    }

    /// Takes note of finished work.
    pub(super) fn add(&mut self, messages: u64, bytes: u64) {
        self.messages += messages;
        self.bytes += bytes;
        let now = Instant::now();
        let due = self.drawn.is_none_or(|last| now - last >= BEAT);
        if self.shown && due && now - self.start >= PATIENCE {
            self.drawn = Some(now);
            let line = line(
                self.messages,
                self.noun,
                self.bytes,
                self.total,
                now - self.start,
            );
            drop(io::stderr().write_all(format!("\r\x1B[K{line}").as_bytes()));
        }
    }

    /// Takes the line away, so that what follows stands alone.
    pub(super) fn clear(&mut self) {
        if self.drawn.take().is_some() {
            drop(io::stderr().write_all(b"\r\x1B[K"));
        }
    }
}

fn line(messages: u64, noun: &str, bytes: u64, total: Option<u64>, time: Duration) -> String {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = messages.saturating_mul(1000) / millis;
    match total.filter(|total| *total > 0) {
        Some(total) => {
            let done = bytes.min(total);
            let full = usize::try_from(done * BAR / total).unwrap_or(0);
            let bar: String = "#".repeat(full) + &".".repeat(24usize.saturating_sub(full));
            format!(
                "[{bar}] {} %  {messages} {noun}, {rate}/s",
                done * 100 / total
            )
        }
        None => format!("{messages} {noun}, {rate}/s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_and_never_overflows() {
        let at = |bytes| line(10, "messages", bytes, Some(200), Duration::from_secs(2));
        assert_eq!(at(100), "[############............] 50 %  10 messages, 5/s");
        assert!(at(1000).starts_with("[########################] 100 %"));
        assert_eq!(
            line(10, "messages", 1, None, Duration::from_secs(2)),
            "10 messages, 5/s"
        );
        assert!(line(1, "messages", 1, Some(0), Duration::ZERO).contains("1 messages"));
    }
}
