//! The header fields that tell how an entity is made.

use crate::mta::maildir::{is_field, split_line};

use super::Unfit;

/// Octets of a boundary (RFC 2046 section 5.1.1 allows 70; longer ones are seen).
const LONGEST_BOUNDARY: usize = 256;

/// What Content-Type says, in lower case.
#[derive(Debug)]
pub(super) struct Type {
    pub(super) top: String,
    pub(super) sub: String,
    pub(super) boundary: Option<Vec<u8>>,
}

/// What Content-Transfer-Encoding says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transfer {
    /// 7bit or 8bit, or nothing.
    Plain,
    Binary,
    Quoted,
    Base64,
}

/// The fields of a header section, each with its folded lines.
pub(super) fn all(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = head;
    std::iter::from_fn(move || {
        let whole = rest;
        let (_, mut after) = split_line(rest)?;
        while matches!(after.first(), Some(b' ' | b'\t')) {
            after = split_line(after)?.1;
        }
        rest = after;
        whole.get(..whole.len() - after.len())
    })
}

/// Whether this is a field of that name.
pub(super) fn is(field: &[u8], name: &str) -> bool {
    is_field(field, name)
}

/// Whether there is a field of that name.
pub(super) fn has(head: &[u8], name: &str) -> bool {
    all(head).any(|field| is(field, name))
}

/// What stands behind the colon.
pub(super) fn value(field: &[u8]) -> &[u8] {
    let colon = memchr::memchr(b':', field).map_or(field.len(), |at| at + 1);
    field.get(colon..).unwrap_or_default()
}

impl Transfer {
    pub(super) fn of(head: &[u8]) -> Result<Self, Unfit> {
        let Some(field) = all(head).find(|f| is(f, "content-transfer-encoding")) else {
            return Ok(Self::Plain);
        };
        let word = Words(value(field)).word().unwrap_or_default();
        Ok(match word.to_ascii_lowercase().as_slice() {
            b"7bit" | b"8bit" | b"" => Self::Plain,
            b"binary" => Self::Binary,
            b"quoted-printable" => Self::Quoted,
            b"base64" => Self::Base64,
            _ => return Err(Unfit::Transfer),
        })
    }
}

impl Type {
    /// Reads the first Content-Type of a header section. `digest`: without one it is a message.
    pub(super) fn of(head: &[u8], digest: bool) -> Result<Self, Unfit> {
        let plain = |top: &str, sub: &str| Self {
            top: top.to_string(),
            sub: sub.to_string(),
            boundary: None,
        };
        let Some(field) = all(head).find(|f| is(f, "content-type")) else {
            return Ok(match digest {
                true => plain("message", "rfc822"),
                false => plain("text", "plain"),
            });
        };
        let mut words = Words(value(field));
        let lower = |word: Vec<u8>| String::from_utf8_lossy(&word).to_ascii_lowercase();
        let top = words.word().map(lower);
        let slash = words.mark(b'/');
        let sub = words.word().map(lower);
        let (Some(top), true, Some(sub)) = (top, slash, sub) else {
            // RFC 2045 section 5.2: what cannot be read is plain text.
            return Ok(plain("text", "plain"));
        };
        let mut read = plain(&top, &sub);
        while words.to(b';') {
            let name = words.word().map(lower);
            if name.as_deref() != Some("boundary") || !words.mark(b'=') {
                continue;
            }
            let boundary = words.word().ok_or(Unfit::Boundary)?;
            if boundary.is_empty() || boundary.len() > LONGEST_BOUNDARY {
                return Err(Unfit::Boundary);
            }
            read.boundary.get_or_insert(boundary);
        }
        Ok(read)
    }

    pub(super) fn is(&self, top: &str, sub: &str) -> bool {
        self.top == top && self.sub == sub
    }
}

/// The words of a structured field (RFC 2045 section 5.1), comments and folds left out.
struct Words<'f>(&'f [u8]);

impl<'f> Words<'f> {
    /// The next word, bare.
    fn word(&mut self) -> Option<Vec<u8>> {
        self.blank();
        if let Some(rest) = self.0.strip_prefix(b"\"") {
            return Some(self.quoted(rest));
        }
        let is_token = |b: &u8| b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(b);
        // Boundaries with marks that should be quoted are seen.
        let end = self.0.iter().position(|b| !is_token(b));
        let end = end.unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        (!word.is_empty()).then(|| word.to_vec())
    }

    fn quoted(&mut self, text: &'f [u8]) -> Vec<u8> {
        let mut bare = Vec::new();
        let mut octets = text.iter().enumerate();
        while let Some((at, octet)) = octets.next() {
            match octet {
                b'"' => {
                    self.0 = text.get(at + 1..).unwrap_or_default();
                    // RFC 2046 section 5.1.1: a boundary does not end with a blank.
                    return bare.trim_ascii_end().to_vec();
                }
                b'\\' => bare.extend(octets.next().map(|(_, octet)| *octet)),
                b'\r' | b'\n' => {}
                octet => bare.push(*octet),
            }
        }
        self.0 = &[];
        bare
    }

    /// Takes a mark, if it stands there.
    fn mark(&mut self, mark: u8) -> bool {
        self.blank();
        match self.0.split_first() {
            Some((first, rest)) if *first == mark => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// Goes behind the next mark of this kind.
    fn to(&mut self, mark: u8) -> bool {
        loop {
            if self.mark(mark) {
                return true;
            }
            if self.word().is_none() {
                let Some((_, rest)) = self.0.split_first() else {
                    return false;
                };
                self.0 = rest;
            }
        }
    }

    /// Passes blanks and comments.
    fn blank(&mut self) {
        let mut depth = 0usize;
        let mut escaped = false;
        let end = self.0.iter().position(|octet| {
            match octet {
                _ if std::mem::take(&mut escaped) => {}
                b'\\' if depth > 0 => escaped = true,
                b'(' => depth += 1,
                b')' if depth > 0 => depth -= 1,
                octet => return depth == 0 && !octet.is_ascii_whitespace(),
            }
            false
        });
        self.0 = self
            .0
            .get(end.unwrap_or(self.0.len())..)
            .unwrap_or_default();
    }
}
