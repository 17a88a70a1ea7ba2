//! The log: one line for each event, with the queue id where there is one, as text or JSON, and
//! the counts for the summary at the end.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};

/// Octets that may wait before they are written at once.
const ENOUGH: usize = 16 * 1024;

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// For people: `TIME ID event key=value …`.
    #[default]
    Text,
    /// One JSON object for each line.
    Json,
}

/// The log of a server. Lines are gathered and written by [`Journal::flush`], which the server
/// does often and at its end.
pub struct Journal {
    form: Form,
    clock: fn() -> SystemTime,
    sink: Option<Mutex<Sink>>,
    /// What is counted.
    pub counts: Counts,
}

struct Sink {
    out: Box<dyn Write + Send>,
    held: String,
}

/// What a server counts.
#[derive(Debug, Default)]
pub struct Counts {
    /// Connections that were taken.
    pub connections: AtomicU64,
    /// Connections that were turned away.
    pub turned_away: AtomicU64,
    /// Messages that were taken.
    pub messages: AtomicU64,
    /// Recipients of these.
    pub recipients: AtomicU64,
    /// Octets of these.
    pub octets: AtomicU64,
    /// Commands and messages that were refused.
    pub refused: AtomicU64,
}

/// Counts on.
pub fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal")
            .field("form", &self.form)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl Journal {
    /// A log that goes there.
    pub fn new(form: Form, clock: fn() -> SystemTime, out: Box<dyn Write + Send>) -> Self {
        let held = String::new();
        Self {
            form,
            clock,
            sink: Some(Mutex::new(Sink { out, held })),
            counts: Counts::default(),
        }
    }

    /// A log that nobody reads; it counts all the same.
    pub fn silent(clock: fn() -> SystemTime) -> Self {
        Self {
            form: Form::Text,
            clock,
            sink: None,
            counts: Counts::default(),
        }
    }

    /// Writes one event. Values come from anywhere and are made harmless here.
    pub fn note(&self, event: &str, id: Option<&str>, fields: &[(&str, &str)]) {
        let Some(sink) = &self.sink else {
            return;
        };
        let time = DateTime::<Utc>::from((self.clock)());
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        let time = time.to_rfc3339_opts(SecondsFormat::Millis, true);
        match self.form {
            Form::Text => text(&mut sink.held, &time, event, id, fields),
            Form::Json => json(&mut sink.held, &time, event, id, fields),
        }
        if sink.held.len() >= ENOUGH {
            sink.empty();
        }
    }

    /// Writes what is gathered.
    pub fn flush(&self) {
        if let Some(sink) = &self.sink {
            sink.lock().unwrap_or_else(PoisonError::into_inner).empty();
        }
    }

    /// Writes the counts, as the last line.
    pub fn summary(&self) {
        let counts = &self.counts;
        let all = [
            ("connections", &counts.connections),
            ("turned_away", &counts.turned_away),
            ("messages", &counts.messages),
            ("recipients", &counts.recipients),
            ("octets", &counts.octets),
            ("refused", &counts.refused),
        ]
        .map(|(name, counter)| (name, counter.load(Ordering::Relaxed).to_string()));
        let fields: Vec<_> = all.iter().map(|(name, n)| (*name, n.as_str())).collect();
        self.note("summary", None, &fields);
        self.flush();
    }
}

impl Sink {
    fn empty(&mut self) {
        // A log that cannot be written must not stop the mail.
        let _ = self.out.write_all(self.held.as_bytes());
        let _ = self.out.flush();
        self.held.clear();
    }
}

fn text(out: &mut String, time: &str, event: &str, id: Option<&str>, fields: &[(&str, &str)]) {
    let _ = write!(out, "{time} {} {event}", id.unwrap_or("-"));
    for (name, value) in fields {
        let _ = write!(out, " {name}=");
        let plain = !value.is_empty()
            && value
                .chars()
                .all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\'));
        if plain {
            out.push_str(value);
        } else {
            out.push('"');
            for c in value.chars() {
                match c {
                    '"' | '\\' => {
                        out.push('\\');
                        out.push(c);
                    }
                    // Also what turns the order of a line around (bidi), and line separators.
                    c if c.is_control() || is_invisible(c) => {
                        let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
                    }
                    c => out.push(c),
                }
            }
            out.push('"');
        }
    }
    out.push('\n');
}

const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn json(out: &mut String, time: &str, event: &str, id: Option<&str>, fields: &[(&str, &str)]) {
    let mut first = true;
    let mut add = |name: &str, value: &str| {
        out.push(if std::mem::take(&mut first) { '{' } else { ',' });
        // A string always serialises.
        let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
        let _ = write!(out, "{}:{}", quoted(name), quoted(value));
    };
    add("time", time);
    add("event", event);
    if let Some(id) = id {
        add("id", id);
    }
    for (name, value) in fields {
        add(name, value);
    }
    out.push_str("}\n");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(octets);
            Ok(octets.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn written(form: Form) -> String {
        let page = Page::default();
        let clock = || SystemTime::UNIX_EPOCH + Duration::from_millis(1500);
        let journal = Journal::new(form, clock, Box::new(page.clone()));
        journal.note(
            "received",
            Some("A1"),
            &[
                ("from", "<a@b.test>"),
                ("helo", "x\r\n\"\u{202e}y"),
                ("n", ""),
            ],
        );
        journal.flush();
        let octets = page.0.lock().unwrap().clone();
        String::from_utf8(octets).unwrap()
    }

    #[test]
    fn an_event_is_one_line_whatever_is_in_it() {
        assert_eq!(
            written(Form::Text),
            "1970-01-01T00:00:01.500Z A1 received from=<a@b.test> helo=\"x\\u{d}\\u{a}\\\"\\u{202e}y\" n=\"\"\n"
        );
        let json: serde_json::Value = serde_json::from_str(&written(Form::Json)).unwrap();
        assert_eq!(json["id"], "A1");
        assert_eq!(json["helo"], "x\r\n\"\u{202e}y");
    }
}
