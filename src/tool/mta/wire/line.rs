//! The buffer in front of a session, and the command lines in it.

use memchr::memchr;

/// Capacity that an empty buffer may keep: thousands of idle clients must cost little.
const KEPT: usize = 1024;
/// Octets of one endless line after which there is nothing to be hoped for.
const HOPELESS: usize = 1 << 20;

/// What lies at the front of the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// No whole line yet.
    Nothing,
    /// A line of this length, without its CR LF. [`Buffer::line`] shows it.
    Line(usize),
    /// A line that LF alone ends: somebody who does not speak SMTP, or wants to smuggle.
    BareLineFeed,
    /// A line over the limit has ended; nothing of it was kept.
    TooLong,
    /// A line that does not end.
    Endless,
}

/// What was read and not yet used.
#[derive(Debug, Default)]
pub struct Buffer {
    held: Vec<u8>,
    at: usize,
    /// Octets of an overlong line that were thrown away so far.
    thrown: usize,
    /// Whether the last octet that was thrown away is a CR.
    after_cr: bool,
}

impl Buffer {
    /// Takes what came.
    pub fn add(&mut self, octets: &[u8]) {
        if self.at == self.held.len() {
            self.held.clear();
            self.at = 0;
        } else if self.at > self.held.len() / 2 {
            self.held.drain(..self.at);
            self.at = 0;
        }
        self.held.extend_from_slice(octets);
    }

    /// What is there.
    pub fn ahead(&self) -> &[u8] {
        self.held.get(self.at..).unwrap_or_default()
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.at == self.held.len()
    }

    /// Marks octets as used.
    pub fn take(&mut self, octets: usize) {
        self.at = self.held.len().min(self.at.saturating_add(octets));
        if self.is_empty() {
            self.held.clear();
            self.at = 0;
            if self.held.capacity() > KEPT {
                self.held = Vec::new();
            }
        }
    }

    /// Throws everything away: what came before a TLS handshake is not to be believed
    /// (RFC 3207 section 4.2, CVE-2011-0411).
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Looks for a line of at most `limit` octets with its CR LF.
    pub fn find(&mut self, limit: usize) -> Found {
        if self.thrown > 0 {
            return self.skip();
        }
        let ahead = self.ahead();
        match memchr(b'\n', ahead) {
            Some(end) if end + 1 > limit => {
                self.thrown = 1;
                self.skip()
            }
            Some(end) => match end.checked_sub(1) {
                Some(length) if ahead.get(length) == Some(&b'\r') => Found::Line(length),
                _ => Found::BareLineFeed,
            },
            None if ahead.len() >= limit => {
                self.thrown = 1;
                self.skip()
            }
            None => Found::Nothing,
        }
    }

    /// The line that [`Buffer::find`] found; it stays until [`Buffer::take`].
    pub fn line(&self, length: usize) -> &[u8] {
        self.ahead().get(..length).unwrap_or_default()
    }

    /// Throws away up to the end of an overlong line, which only CR LF is.
    fn skip(&mut self) -> Found {
        loop {
            let ahead = self.ahead();
            let Some(end) = memchr(b'\n', ahead) else {
                let all = ahead.len();
                if let Some(last) = ahead.last() {
                    self.after_cr = *last == b'\r';
                }
                self.thrown = self.thrown.saturating_add(all);
                self.take(all);
                return if self.thrown > HOPELESS {
                    Found::Endless
                } else {
                    Found::Nothing
                };
            };
            let ended = match end.checked_sub(1) {
                Some(before) => ahead.get(before) == Some(&b'\r'),
                None => self.after_cr,
            };
            self.take(end + 1);
            self.thrown = self.thrown.saturating_add(end + 1);
            self.after_cr = false;
            if ended {
                self.thrown = 0;
                return Found::TooLong;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(pieces: &[&[u8]], limit: usize) -> Vec<String> {
        let mut buffer = Buffer::default();
        let mut all = Vec::new();
        for piece in pieces {
            buffer.add(piece);
            loop {
                match buffer.find(limit) {
                    Found::Nothing => break,
                    Found::Line(n) => {
                        all.push(String::from_utf8_lossy(buffer.line(n)).into_owned());
                        buffer.take(n + 2);
                    }
                    other => {
                        all.push(format!("{other:?}"));
                        if matches!(other, Found::BareLineFeed | Found::Endless) {
                            return all;
                        }
                    }
                }
            }
        }
        all
    }

    #[test]
    fn lines_come_out_however_the_octets_are_cut() {
        let whole = b"EHLO a\r\n\r\nNOOP\rx\r\n";
        for cut in 0..whole.len() {
            let (a, b) = whole.split_at(cut);
            assert_eq!(lines(&[a, b], 100), ["EHLO a", "", "NOOP\rx"], "{cut}");
        }
    }

    #[test]
    fn a_line_feed_alone_ends_nothing() {
        assert_eq!(lines(&[b"NOOP\nQUIT\r\n"], 100), ["BareLineFeed"]);
        assert_eq!(lines(&[b"\n"], 100), ["BareLineFeed"]);
    }

    #[test]
    fn a_line_over_the_limit_is_told_once_and_the_next_is_whole() {
        let long = [&b"x".repeat(500)[..], b"\ny\r\nNOOP\r\n"].concat();
        for cut in [0, 5, 10, 11, 499, 500, 501, 502, 503, 504, 505] {
            let (a, b) = long.split_at(cut);
            assert_eq!(lines(&[a, b], 10), ["TooLong", "NOOP"], "{cut}");
        }
        assert_eq!(lines(&[b"12345678\r\n"], 10), ["12345678"]);
        assert_eq!(lines(&[b"123456789\r\n"], 10), ["TooLong"]);
    }

    #[test]
    fn an_endless_line_is_given_up_and_costs_no_memory() {
        let mut buffer = Buffer::default();
        let block = [b'x'; 4096];
        let mut seen = Found::Nothing;
        for _ in 0..=HOPELESS / block.len() {
            buffer.add(&block);
            seen = buffer.find(4096);
            assert!(buffer.held.capacity() <= 2 * 4096 + KEPT);
        }
        assert_eq!(seen, Found::Endless);
    }

    proptest! {
        #[test]
        fn any_octets_in_any_pieces_give_the_same_lines(
            octets in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'a')], 0..60),
            cut in 0usize..60,
        ) {
            let (a, b) = octets.split_at(cut.min(octets.len()));
            prop_assert_eq!(lines(&[&octets], 8), lines(&[a, b], 8));
        }
    }
}
