//! The records of the journal. They are text that a person can read with any pager:
//!
//! ```text
//! == message 1ND0Z3F8K2M 203 1045 9a3bc1d2
//! from <alice@example.org>
//! received 2026-11-22T07:41:00.123456Z
//! client ip=127.0.0.1 with=ESMTP helo=client.example.org
//! to <bob@example.net>
//!
//! Received: from client.example.org ...
//! == note 1ND0Z3F8K2M 17 5be20f33 failed 0 ...
//! ```
//!
//! The numbers of a message are the octets of the envelope, the octets of the text, and a checksum
//! of everything. The checksums begin with a key that only stands in the head of the file, so no
//! mail can hold something that would ever be taken for a record.

use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use flate2::Crc;

use super::envelope_text;
use super::fate::{Outcome, State};
use super::id::QueueId;
use crate::mta::envelope::Envelope;

/// How every record begins.
const MARK: &[u8] = b"== ";
/// The longest line that begins a record; longer ones are no records.
const LONGEST_LINE: usize = 8192;

/// Where the text of a message lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In the record itself: offset within the file, octets.
    Inline(u64, u64),
    /// In a file of its own: octets, checksum.
    Big(u64, u32),
}

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Record {
    /// A message was taken.
    Message {
        id: QueueId,
        envelope: Box<Envelope>,
        place: Place,
    },
    /// Something became of it. Notes of one message count in the order of their numbers.
    Note {
        id: QueueId,
        number: u64,
        event: Event,
    },
}

/// What a note tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The recipient of this index has come to this state.
    State(usize, State, Outcome),
    /// When the next attempt is due, and how many there have been.
    Next(SystemTime, u32),
    /// The sender has been told of the end of this recipient.
    Told(usize),
    /// The sender has been told that this recipient takes long.
    Warned(usize),
    /// Nothing is tried until somebody lets it go.
    Held(bool),
    /// All is settled; or the message lies elsewhere now.
    Gone,
    /// The operator took it away.
    Removed,
}

/// The checksum of a record.
fn checksum(key: &str, parts: &[&[u8]]) -> u32 {
    let mut crc = Crc::new();
    crc.update(key.as_bytes());
    for part in parts {
        crc.update(part);
    }
    crc.sum()
}

/// Writes a message with its text. Gives the offset of the text in what was written.
pub(super) fn write_message(
    out: &mut Vec<u8>,
    key: &str,
    id: QueueId,
    envelope: &Envelope,
    text: &[u8],
    big: Option<(u64, u32)>,
) -> usize {
    let mut lines = envelope_text::write(envelope);
    if let Some((octets, sum)) = big {
        lines.push_str(&format!("text {octets} {sum:08x}\n"));
    }
    let head = format!("message {id} {} {}", lines.len(), text.len());
    let sum = checksum(key, &[head.as_bytes(), lines.as_bytes(), text]);
    out.reserve(head.len() + lines.len() + text.len() + 20);
    out.extend_from_slice(MARK);
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(format!(" {sum:08x}\n").as_bytes());
    out.extend_from_slice(lines.as_bytes());
    out.push(b'\n');
    let offset = out.len();
    out.extend_from_slice(text);
    if text.last().is_some_and(|&b| b != b'\n') {
        out.push(b'\n');
    }
    offset
}

/// Writes a note.
pub(super) fn write_note(out: &mut Vec<u8>, key: &str, id: QueueId, number: u64, event: &Event) {
    let told = event.write();
    let head = format!("note {id} {number}");
    let sum = checksum(key, &[head.as_bytes(), told.as_bytes()]);
    out.extend_from_slice(format!("== {head} {sum:08x} {told}\n").as_bytes());
}

/// Reads the records of a file from an offset on. What is no whole record is stepped over: a torn
/// one was never acknowledged, and there may be whole ones behind it.
#[derive(Debug)]
pub(super) struct Records<'a> {
    bytes: &'a [u8],
    key: &'a str,
    at: usize,
    /// Where the last whole record ends.
    end: usize,
    /// Whether something was stepped over that is no filling.
    pub(super) torn: bool,
}

impl<'a> Records<'a> {
    pub(super) const fn new(bytes: &'a [u8], key: &'a str, at: usize) -> Self {
        Self {
            bytes,
            key,
            at,
            end: at,
            torn: false,
        }
    }

    /// Where the last whole record ended: the next one goes there.
    pub(super) const fn end(&self) -> usize {
        self.end
    }

    /// The record that begins here, and where it ends.
    fn read(&self) -> Option<(Record, usize)> {
        let rest = self.bytes.get(self.at..)?;
        let within = rest.get(..rest.len().min(LONGEST_LINE))?;
        let end = memchr::memchr(b'\n', within)?;
        let line = rest.get(MARK.len()..end)?;
        let line = std::str::from_utf8(line).ok()?;
        let after = self.at + end + 1;
        let (kind, _) = line.split_once(' ')?;
        match kind {
            "message" => self.message(line, after),
            "note" => Some((self.note(line)?, after)),
            _ => None,
        }
    }

    fn message(&self, line: &str, after: usize) -> Option<(Record, usize)> {
        let (head, sum) = line.rsplit_once(' ')?;
        let mut words = head.split(' ').skip(1);
        let id = words.next()?.parse().ok()?;
        let envelope_octets: usize = words.next()?.parse().ok()?;
        let octets: usize = words.next()?.parse().ok()?;
        let text_at = after.checked_add(envelope_octets)?.checked_add(1)?;
        let end = text_at.checked_add(octets)?;
        let lines = self.bytes.get(after..text_at - 1)?;
        let text = self.bytes.get(text_at..end)?;
        let right = checksum(self.key, &[head.as_bytes(), lines, text]);
        if u32::from_str_radix(sum, 16) != Ok(right) {
            return None;
        }
        let (envelope, big) = envelope_text::read(std::str::from_utf8(lines).ok()?)?;
        let place = match big {
            Some((octets, sum)) => Place::Big(octets, sum),
            None => Place::Inline(text_at as u64, octets as u64),
        };
        let added = usize::from(text.last().is_some_and(|&b| b != b'\n'));
        let envelope = Box::new(envelope);
        Some((
            Record::Message {
                id,
                envelope,
                place,
            },
            end + added,
        ))
    }

    fn note(&self, line: &str) -> Option<Record> {
        let mut words = line.splitn(5, ' ').skip(1);
        let (id, number) = (words.next()?, words.next()?);
        let (sum, told) = (words.next()?, words.next()?);
        let head = format!("note {id} {number}");
        let right = checksum(self.key, &[head.as_bytes(), told.as_bytes()]);
        if u32::from_str_radix(sum, 16) != Ok(right) {
            return None;
        }
        Some(Record::Note {
            id: id.parse().ok()?,
            number: number.parse().ok()?,
            event: Event::read(told)?,
        })
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        loop {
            let rest = self.bytes.get(self.at..)?;
            // The filling ahead of the records is empty lines.
            let skip = rest.iter().position(|&b| b != b'\n')?;
            self.at += skip;
            let rest = self.bytes.get(self.at..)?;
            if rest.starts_with(MARK)
                && let Some((record, end)) = self.read()
            {
                self.at = end;
                self.end = end;
                return Some(record);
            }
            self.torn = true;
            let next = memchr::memmem::find(rest, b"\n== ");
            self.at += next.map_or(rest.len(), |at| at + 1);
        }
    }
}

impl Event {
    fn write(&self) -> String {
        match self {
            Self::State(n, state, outcome) => {
                format!("{} {n} {}", state.word(), write_outcome(outcome))
            }
            Self::Next(at, tries) => format!("next {} {tries}", time(*at)),
            Self::Told(n) => format!("told {n}"),
            Self::Warned(n) => format!("warned {n}"),
            Self::Held(true) => "held".to_string(),
            Self::Held(false) => "free".to_string(),
            Self::Gone => "gone".to_string(),
            Self::Removed => "removed".to_string(),
        }
    }

    fn read(told: &str) -> Option<Self> {
        let (word, rest) = told.split_once(' ').unwrap_or((told, ""));
        Some(match word {
            "next" => {
                let (at, tries) = rest.split_once(' ')?;
                Self::Next(read_time(at)?, tries.parse().ok()?)
            }
            "told" => Self::Told(rest.parse().ok()?),
            "warned" => Self::Warned(rest.parse().ok()?),
            "held" => Self::Held(true),
            "free" => Self::Held(false),
            "gone" => Self::Gone,
            "removed" => Self::Removed,
            word => {
                let (n, outcome) = rest.split_once(' ')?;
                let state = State::from_word(word)?;
                Self::State(n.parse().ok()?, state, read_outcome(outcome)?)
            }
        })
    }
}

/// `time status host ip command expired|answered reply | words`, each escaped, `-` for none.
fn write_outcome(outcome: &Outcome) -> String {
    let word = |text: Option<&str>| text.map_or_else(|| "-".to_string(), escape);
    format!(
        "{} {} {} {} {} {} {} {}",
        time(outcome.at),
        outcome.status,
        word(outcome.host.as_deref()),
        word(outcome.ip.map(|ip| ip.to_string()).as_deref()),
        word(outcome.command.as_deref()),
        if outcome.expired {
            "expired"
        } else {
            "answered"
        },
        word(outcome.reply.as_deref()),
        word(outcome.words.as_deref()),
    )
}

fn read_outcome(text: &str) -> Option<Outcome> {
    let mut words = text.split(' ');
    let mut next = || words.next();
    let word = |word: &str| (word != "-").then(|| unescape(word));
    Some(Outcome {
        at: read_time(next()?)?,
        status: crate::message::status::EnhancedCode::parse(next()?)?,
        host: word(next()?),
        ip: word(next()?).and_then(|ip| ip.parse().ok()),
        command: word(next()?),
        expired: next()? == "expired",
        reply: word(next()?),
        words: word(next()?),
    })
}

/// A moment as it stands in the files.
pub(super) fn time(at: SystemTime) -> String {
    DateTime::<Utc>::from(at).to_rfc3339_opts(SecondsFormat::Micros, true)
}

pub(super) fn read_time(text: &str) -> Option<SystemTime> {
    let at = DateTime::parse_from_rfc3339(text).ok()?;
    Some(at.with_timezone(&Utc).into())
}

/// A text as one word: blanks and whatever could end a line become `%HH`.
pub(super) fn escape(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || matches!(c, '%' | ' ') || (text == "-" && c == '-') {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                let _ = write!(out, "%{byte:02X}");
            }
        } else {
            out.push(c);
        }
    }
    if out.is_empty() {
        out.push('%');
    }
    out
}

/// Undoes [`escape`].
pub(super) fn unescape(word: &str) -> String {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            out.push(*first);
            continue;
        }
        let digits = tail.get(..2).and_then(|d| std::str::from_utf8(d).ok());
        if let Some(byte) = digits.and_then(|d| u8::from_str_radix(d, 16).ok()) {
            out.push(byte);
            rest = tail.get(2..).unwrap_or_default();
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
