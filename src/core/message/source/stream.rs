//! One file as a stream of messages: a single mail of any length, or an mbox, plain or gzip.
//!
//! Memory stays constant: of a long message the middle of its parts is left out while it is read.
//! What explains a bounce stands in the header and at the start of a part.

use std::fmt;
use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::read::MultiGzDecoder;

use crate::message::source::{Failure, LineGaps};

/// A message up to this length is kept whole: reports on thousands of recipients are.
pub const KEEP_ALL: usize = 3 << 20;

/// Of a longer one, so much is kept between two lines that look like a boundary.
pub const MAX_RUN: usize = 256 << 10;

/// And never more than this in all.
pub const MAX_KEPT: usize = 6 << 20;

/// Containers (.msg, TNEF) cannot be shortened; longer ones are read this far.
const MAX_CONTAINER: u64 = 24 << 20;

/// How much is looked at to tell what an input is.
const PEEK: usize = 4_096;

/// Longer lines are read in pieces.
const MAX_LINE: u64 = 64 << 10;

/// A message of a stream.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) first_line: u32,
    pub(super) content: Result<Vec<u8>, Failure>,
    pub(super) gaps: LineGaps,
}

enum State {
    /// A mail alone.
    Single,
    /// An mbox: the next message starts here.
    Mbox,
    /// A container that is one message.
    Container,
    Failed(Failure),
    Done,
}

/// A file that is being read.
pub(super) struct Stream {
    input: Box<dyn BufRead + Send>,
    state: State,
    /// Lines read so far.
    line: u32,
    buffer: Vec<u8>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

impl Stream {
    /// Looks at the first bytes and says what kind of stream it is.
    pub(super) fn open(input: Box<dyn Read + Send>) -> Result<Self, Failure> {
        let (mut start, mut input) = peek(input)?;
        if start.starts_with(&[0x1F, 0x8B]) {
            (start, input) = peek(Box::new(MultiGzDecoder::new(
                Cursor::new(start).chain(input),
            )))?;
        }
        let state = kind(&start)?;
        let input: Box<dyn BufRead + Send> = Box::new(BufReader::with_capacity(
            64 << 10,
            Cursor::new(start).chain(input),
        ));
        let mut stream = Stream {
            input,
            state,
            line: 0,
            buffer: Vec::new(),
        };
        if matches!(stream.state, State::Mbox) {
            stream.skip_to_from()?;
        }
        Ok(stream)
    }

    /// A stream that has nothing to give but a failure.
    pub(super) fn failed(failure: Failure) -> Self {
        let input = Box::new(io::empty());
        Stream {
            input,
            state: State::Failed(failure),
            line: 0,
            buffer: Vec::new(),
        }
    }

    pub(super) fn next(&mut self) -> Option<Message> {
        let first_line = self.line + 1;
        let message = |content, gaps| {
            Some(Message {
                first_line,
                content,
                gaps,
            })
        };
        match std::mem::replace(&mut self.state, State::Done) {
            State::Done => None,
            State::Failed(failure) => message(Err(failure), LineGaps::default()),
            State::Container => {
                let mut bytes = Vec::new();
                let read = (&mut self.input)
                    .take(MAX_CONTAINER)
                    .read_to_end(&mut bytes);
                message(
                    read.map(|_| bytes).map_err(Failure::from),
                    LineGaps::default(),
                )
            }
            State::Single => {
                let mut kept = Kept::default();
                let read = self.mail(&mut kept, false);
                message(read.map(|_| kept.bytes).map_err(Failure::from), kept.gaps)
            }
            State::Mbox => {
                let mut kept = Kept::default();
                match self.mail(&mut kept, true) {
                    Ok(more) => {
                        if more {
                            self.state = State::Mbox;
                        }
                        // The blank line before the next `From ` belongs to the box.
                        kept.trim_blank();
                        message(Ok(kept.bytes), kept.gaps)
                    }
                    Err(error) => message(Err(error.into()), kept.gaps),
                }
            }
        }
    }

    /// The first `From ` line of an mbox may have blank lines before it.
    fn skip_to_from(&mut self) -> Result<(), Failure> {
        while self.read_line()? {
            self.line += 1;
            if self.buffer.starts_with(b"From ") {
                break;
            }
        }
        Ok(())
    }

    /// Reads a line, or a piece of a very long one, into the buffer.
    fn read_line(&mut self) -> io::Result<bool> {
        self.buffer.clear();
        (&mut self.input)
            .take(MAX_LINE)
            .read_until(b'\n', &mut self.buffer)?;
        Ok(!self.buffer.is_empty())
    }

    /// Reads one mail; true when another one of the box follows.
    fn mail(&mut self, kept: &mut Kept, mbox: bool) -> io::Result<bool> {
        let mut after_blank = true;
        let mut at_start = true;
        let mut announced = false;
        while self.read_line()? {
            let ends = self.buffer.ends_with(b"\n");
            self.line = self.line.saturating_add(u32::from(ends));
            let mut line = self.buffer.as_slice();
            if mbox && at_start {
                // Unquoted `From ` in a body: only the look of the whole line tells.
                if line.starts_with(b"From ")
                    && !announced
                    && (is_from_line(line) || after_blank && sender_and_time(line))
                {
                    return Ok(true);
                }
                // mboxrd quotes once more what is quoted; mboxo's single mark goes the same way.
                let marks = line.iter().take_while(|b| **b == b'>').count();
                if marks > 0
                    && line
                        .get(marks..)
                        .is_some_and(|rest| rest.starts_with(b"From "))
                {
                    line = line.get(1..).unwrap_or_default();
                }
            }
            after_blank = at_start && line.trim_ascii().is_empty();
            if !after_blank {
                announced = at_start && announces(line);
            }
            kept.push(line, at_start, ends);
            at_start = ends;
        }
        Ok(false)
    }
}

/// "bounced E-Mail:", "----- Original message follows -----": what comes next is quoted, not the
/// next mail of the box, even where it begins with a `From ` line.
fn announces(line: &[u8]) -> bool {
    /// A longer line is a sentence that happens to end in a colon.
    const MAX_TITLE: usize = 60;
    let line = line.trim_ascii();
    let framed = line.starts_with(b"---") && line.ends_with(b"---");
    (line.ends_with(b":") || framed)
        && line.len() < MAX_TITLE
        && line.iter().any(u8::is_ascii_alphabetic)
        && line.split(|b| !b.is_ascii_alphanumeric()).any(|word| {
            [
                "mail", "message", "original", "follows", "header", "headers", "copy",
            ]
            .iter()
            .any(|w| word.eq_ignore_ascii_case(w.as_bytes()))
        })
}

/// What is kept of a message.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    gaps: LineGaps,
    lines: u32,
    /// Bytes since the last line that looks like a boundary.
    run: usize,
    /// The start of the present line was kept.
    open: bool,
}

impl Kept {
    fn push(&mut self, line: &[u8], at_start: bool, ends: bool) {
        const MAX_BOUNDARY: usize = 210;
        if at_start && line.starts_with(b"--") && (4..MAX_BOUNDARY).contains(&line.len()) {
            self.run = 0;
        }
        self.run += line.len();
        let len = self.bytes.len();
        let full = len + line.len() > MAX_KEPT || (len > KEEP_ALL && self.run > MAX_RUN);
        if !full {
            self.bytes.extend_from_slice(line);
            self.lines += u32::from(ends);
            self.open = !ends;
        } else if self.open && ends {
            self.bytes.push(b'\n');
            self.lines += 1;
            self.open = false;
        } else if ends {
            self.gaps.drop_line(self.lines);
        }
    }

    fn trim_blank(&mut self) {
        for end in [&b"\r\n\r\n"[..], b"\n\n"] {
            if self.bytes.ends_with(end) {
                self.bytes.truncate(self.bytes.len() - end.len() / 2);
                return;
            }
        }
    }
}

/// The first bytes, and the rest.
fn peek(mut input: Box<dyn Read + Send>) -> Result<(Vec<u8>, Box<dyn Read + Send>), Failure> {
    let mut start = Vec::with_capacity(PEEK);
    (&mut input)
        .take(u64::try_from(PEEK).unwrap_or(u64::MAX))
        .read_to_end(&mut start)?;
    Ok((start, input))
}

fn kind(start: &[u8]) -> Result<State, Failure> {
    if start.iter().all(u8::is_ascii_whitespace) && start.len() < PEEK {
        return Err(Failure::Empty);
    }
    if start.starts_with(&[0xD0, 0xCF, 0x11, 0xE0]) || start.starts_with(&[0x78, 0x9F, 0x3E, 0x22])
    {
        return Ok(State::Container);
    }
    if let Some(what) = binary(start) {
        return Err(Failure::Binary { what });
    }
    let text = start
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(start)
        .trim_ascii_start();
    let line = text.split(|b| *b == b'\n').next().unwrap_or_default();
    Ok(if is_from_line(line) {
        State::Mbox
    } else {
        State::Single
    })
}

/// What bytes are that are no text.
fn binary(start: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 22] = [
        (b"PK\x03\x04", "a zip archive or an office document"),
        (b"%PDF", "a PDF document"),
        (b"\x89PNG", "a PNG image"),
        (b"\xFF\xD8\xFF", "a JPEG image"),
        (b"GIF8", "a GIF image"),
        (b"BM", "a bitmap image"),
        (b"II*\0", "a TIFF image"),
        (b"MM\0*", "a TIFF image"),
        (b"RIFF", "a sound, a film or a WebP image"),
        (b"\x7FELF", "a program (ELF)"),
        (b"MZ", "a program for Windows"),
        (b"\xCF\xFA\xED\xFE", "a program for macOS"),
        (b"\xCA\xFE\xBA\xBE", "a program"),
        (b"7z\xBC\xAF\x27\x1C", "a 7-zip archive"),
        (b"Rar!", "a RAR archive"),
        (b"\xFD7zXZ", "an xz archive"),
        (b"BZh", "a bzip2 archive"),
        (b"\x28\xB5\x2F\xFD", "a zstd archive"),
        (b"SQLite format 3", "a database (SQLite)"),
        (b"!BDN", "an Outlook data file (.pst)"),
        (b"ID3", "a sound"),
        (b"OggS", "a sound or a film"),
    ];
    let known = KNOWN.iter().find(|(magic, _)| start.starts_with(magic));
    let nuls = start.iter().filter(|b| **b == 0).count();
    // UTF-16 is text: every second byte is NUL, in one of the two places.
    let even = start.iter().step_by(2).filter(|b| **b == 0).count();
    let wide = start.starts_with(&[0xFF, 0xFE])
        || start.starts_with(&[0xFE, 0xFF])
        || (nuls > start.len() / 3 && (even == 0 || even == nuls));
    let odd = |b: &&u8| {
        **b < 32 && !b.is_ascii_whitespace() && !matches!(**b, 0x1B | 0x08 | 0x0B | 0x0E | 0x0F)
    };
    let control = start.iter().filter(odd).count();
    match known {
        // Short marks such as `BM` also begin words.
        Some((_, what)) if control > 0 || !start.is_ascii() || what.contains("PDF") => Some(what),
        _ if !wide && control > start.len() / 20 => Some("binary data"),
        _ => None,
    }
}

/// A `From ` line as an mbox has it: `From sender Tue Jan 13 14:12:29 2004`, with or without a
/// zone or seconds.
pub(super) fn is_from_line(line: &[u8]) -> bool {
    let words = from_words(line);
    let day = words.iter().any(|w| named(w, &WEEKDAYS)) && words.iter().any(|w| named(w, &MONTHS));
    let year = words
        .iter()
        .any(|w| w.len() == 4 && w.iter().all(u8::is_ascii_digit));
    day && year && words.iter().any(|w| is_time(w))
}

/// A weaker look, for the line after a blank one: an address and a time.
fn sender_and_time(line: &[u8]) -> bool {
    let words = from_words(line);
    words
        .first()
        .is_some_and(|w| memchr::memchr(b'@', w).is_some() || *w == b"MAILER-DAEMON" || *w == b"-")
        && words.iter().any(|w| is_time(w))
}

fn from_words(line: &[u8]) -> Vec<&[u8]> {
    const MAX_FROM_LINE: usize = 400;
    match line.strip_prefix(b"From ") {
        Some(rest) if rest.len() < MAX_FROM_LINE => rest
            .split(u8::is_ascii_whitespace)
            .filter(|w| !w.is_empty())
            .collect(),
        _ => Vec::new(),
    }
}

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

fn named(word: &[u8], names: &[&str]) -> bool {
    let word = word.strip_suffix(b",").unwrap_or(word);
    names
        .iter()
        .any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
}

fn is_time(word: &[u8]) -> bool {
    let mut pieces = word.split(|b| *b == b':');
    let digits = |p: Option<&[u8]>| {
        p.is_some_and(|p| (1..=2).contains(&p.len()) && p.iter().all(u8::is_ascii_digit))
    };
    digits(pieces.next()) && digits(pieces.next())
}
