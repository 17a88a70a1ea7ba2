//! What a walk down a text brings home, and what is known before it starts.

use crate::bounce::explanation::Action;
use crate::message::addresses;
use crate::message::layer::{Head, Layer};

use super::draft::Words;
use super::transcript::Dialogue;

/// Paragraphs that only say that something failed; the first ones say it best.
pub(super) const MAX_PROSE: usize = 4;

/// A recipient that the text names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) address: &'a str,
    pub(super) alias: Option<&'a str>,
    pub(super) action: Option<Action>,
    pub(super) words: Vec<Words>,
    pub(super) strength: Strength,
    pub(super) indent: usize,
}

/// How sure it is that an address is the one that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strength {
    /// The only address of a paragraph about a failure.
    Mentioned,
    /// It stands behind words such as "could not be delivered to".
    Told,
    /// It stands alone, in front of a reason, or behind a label.
    Listed,
}

/// What a walk brought home.
#[derive(Debug, Default)]
pub(super) struct Reading<'a> {
    pub(super) entries: Vec<Entry<'a>>,
    /// Labelled reasons and paragraphs that hold a reply.
    pub(super) loose: Vec<Words>,
    /// Paragraphs with words of failure: from where to where.
    pub(super) prose: Vec<(usize, usize)>,
    /// The first paragraph that is more than a greeting: quoted when nothing else can be.
    pub(super) opening: Option<(usize, usize)>,
    pub(super) dialogue: Dialogue<'a>,
}

/// So many addresses of `X-Failed-Recipients` are kept, however many such fields there are.
const MAX_FAILED: usize = 100;

/// Who cannot be the failed recipient, and who is known to be.
#[derive(Debug, Default, Clone)]
pub(super) struct Known {
    /// The one who gets the notice, and its writer.
    pub(super) owners: Vec<String>,
    /// X-Failed-Recipients.
    pub(super) failed: Vec<String>,
    /// So many of the owners, from the first on, are those who get the notice.
    readers: usize,
}

impl Known {
    /// Who gets and who writes the notice, and what its header says of the failed recipients.
    pub(super) fn of(layer: &Layer<'_>, original: Option<&Head<'_>>) -> Self {
        let mut known = Self::default();
        for name in ["To", "From"] {
            if let Some(body) = layer.head.raw(name) {
                known
                    .owners
                    .extend(addresses::each(body).take(4).map(|a| a.address.to_owned()));
            }
            if name == "To" {
                known.readers = known.owners.len();
            }
        }
        if let Some(original) = original
            && let Some(body) = original.raw("From")
        {
            known
                .owners
                .extend(addresses::clean(body).map(str::to_owned));
        }
        for field in layer.head.all("X-Failed-Recipients") {
            for found in addresses::each(&field.value()).take(MAX_FAILED) {
                let one = found.address;
                let new = !known.failed.iter().any(|f| f.eq_ignore_ascii_case(one));
                if new && known.failed.len() < MAX_FAILED {
                    known.failed.push(one.to_owned());
                }
            }
        }
        known
    }

    /// True when this is the reader or the writer of the notice.
    pub(super) fn owns(&self, address: &str) -> bool {
        self.owners.iter().any(|o| o.eq_ignore_ascii_case(address))
            && !self.failed.iter().any(|f| f.eq_ignore_ascii_case(address))
    }

    /// True when this is who gets the notice.
    pub(super) fn reads(&self, address: &str) -> bool {
        let mut readers = self.owners.iter().take(self.readers);
        readers.any(|o| o.eq_ignore_ascii_case(address))
    }

    /// The failed recipient with this local part.
    pub(super) fn local(&self, body: &str) -> Option<&str> {
        self.failed
            .iter()
            .find(|f| {
                f.split('@')
                    .next()
                    .is_some_and(|l| l.eq_ignore_ascii_case(body))
            })
            .map(String::as_str)
    }
}
