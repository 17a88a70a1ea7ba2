//! The phrases that a text holds and what they mean: one scan of the text tells who wrote it, where
//! the returned message begins, and whether something failed or is only late. The phrases are
//! data: `src/data/phrases.toml` and `src/data/dialects.toml`.

use crate::message::layer::{Field, Head};

use super::page::{contains, lines};

pub(super) use super::tables::{
    AUTHOR, BEFORE, CHALLENGE, COMPLAINT, CUT, DELAY, DELIVERED, EXPANDED, EXPIRED, FAIL, FINAL,
    INSTRUCT, RELAYED, S_ANSWER, S_AUTO, S_CHALLENGE, S_COMPLAINT, S_DELAYED, S_DELIVERED,
    S_FAILED, VACATION,
};
use super::tables::{
    BODY, BODY_MEANS, DIALECTS, FROM, FROM_MEANS, HEAD_SHAPES, HEADS, REASON_LABELS,
    RECIPIENT_LABELS, SUBJECT, SUBJECT_MEANS,
};

/// More phrases than this are not kept; a notice says what it has to say with less.
const MAX_HITS: usize = 4_096;

/// Weights of a dialect's marks.
const BODY_WEIGHT: u16 = 4;
const HEAD_WEIGHT: u16 = 4;
const FROM_WEIGHT: u16 = 3;
const SUBJECT_WEIGHT: u16 = 2;

/// A phrase in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    /// Where it starts.
    pub(super) at: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// What it means: a sum of role constants such as [`CUT`].
    pub(super) roles: u32,
    id: u16,
}

/// The phrases of a text, sorted by place.
#[derive(Debug, Default)]
pub(super) struct Marks {
    hits: Vec<Hit>,
}

impl Marks {
    /// Scans a text for all phrases.
    pub(super) fn scan(text: &str) -> Self {
        let mut hits = Vec::with_capacity(32);
        BODY.each(text.as_bytes(), |id, at| {
            if hits.len() < MAX_HITS
                && let Some((roles, _)) = BODY_MEANS.get(id)
                && let Some(word) = BODY.word(id)
            {
                hits.push(Hit {
                    at,
                    end: at + word.len(),
                    roles: *roles,
                    id: u16::try_from(id).unwrap_or(u16::MAX),
                });
            }
        });
        hits.sort_unstable_by_key(|hit| hit.at);
        Self { hits }
    }

    /// The phrases that start between two offsets.
    pub(super) fn within(&self, from: usize, to: usize) -> &[Hit] {
        let first = self.hits.partition_point(|hit| hit.at < from);
        let last = self.hits.partition_point(|hit| hit.at < to);
        self.hits.get(first..last).unwrap_or_default()
    }

    /// The roles of all phrases between two offsets.
    pub(super) fn roles(&self, from: usize, to: usize) -> u32 {
        self.within(from, to)
            .iter()
            .fold(0, |all, hit| all | hit.roles)
    }

    /// All phrases.
    pub(super) fn all(&self) -> &[Hit] {
        &self.hits
    }

    /// Adds the dialects that phrases before `end` speak for.
    pub(super) fn vote(&self, end: usize, votes: &mut Votes) {
        let mut last = u16::MAX;
        for hit in self.within(0, end) {
            // A phrase that is repeated does not speak louder.
            if hit.id != last
                && let Some((_, dialects)) = BODY_MEANS.get(usize::from(hit.id))
            {
                votes.add(dialects, BODY_WEIGHT);
            }
            last = hit.id;
        }
    }
}

/// The roles of all phrases of a text, for those who need nothing else.
pub(super) fn roles_of(text: &str) -> u32 {
    let mut roles = 0;
    BODY.each(text.as_bytes(), |id, _| {
        roles |= BODY_MEANS.get(id).map_or(0, |(means, _)| *means);
    });
    roles
}

/// What the Subject says: the sum of its roles.
pub(super) fn subject(value: &str, votes: &mut Votes) -> u32 {
    let mut roles = 0;
    let mut answers = value.len();
    SUBJECT.each(value.as_bytes(), |id, at| {
        let Some((means, dialects)) = SUBJECT_MEANS.get(id) else {
            return;
        };
        // `Re:` counts at the start only.
        if means & S_ANSWER != 0 {
            if at <= 2 {
                roles |= S_ANSWER;
            }
            answers = answers.min(at);
            roles |= means & !S_ANSWER;
        } else {
            roles |= means;
        }
        votes.add(dialects, SUBJECT_WEIGHT);
    });
    roles
}

/// True when From names a machine that writes notices.
pub(super) fn daemon(value: &str, votes: &mut Votes) -> bool {
    let mut found = false;
    FROM.each(value.as_bytes(), |id, _| {
        if let Some((roles, dialects)) = FROM_MEANS.get(id) {
            found |= *roles != 0;
            votes.add(dialects, FROM_WEIGHT);
        }
    });
    found
}

/// Adds what the names and values of fields say about the dialect.
pub(super) fn fields<'a>(all: impl Iterator<Item = (&'a str, &'a str)>, votes: &mut Votes) {
    for (name, value) in all {
        let letter = name.bytes().next().map_or(b'?', |b| b.to_ascii_lowercase());
        let shape = HEAD_SHAPES.get(usize::from(letter.wrapping_sub(b'a')));
        if shape.is_none_or(|lengths| lengths >> name.len().min(63) & 1 == 0) {
            continue;
        }
        let from = HEADS.partition_point(|(head, ..)| less(head, name));
        for (head, text, dialect) in HEADS.iter().skip(from) {
            if !head.eq_ignore_ascii_case(name) {
                break;
            }
            if text.is_empty() || contains(value, text) {
                votes.add(&[*dialect], HEAD_WEIGHT);
            }
        }
    }
}

/// Adds what the header of a notice says about the dialect. Of the trace only its oldest line
/// speaks: that server wrote the notice.
pub(super) fn head(head: &Head<'_>, votes: &mut Votes) {
    let trace = |f: &&Field<'_>| f.name.eq_ignore_ascii_case("Received");
    let oldest = head.fields.iter().rev().find(trace);
    let others = head.fields.iter().filter(|f| !trace(f));
    fields(
        others
            .chain(oldest)
            .map(|f| (f.name.as_ref(), f.body.as_ref())),
        votes,
    );
}

/// `a < b`, `a` being lower case and the case of `b` ignored.
fn less(a: &str, b: &str) -> bool {
    a.bytes().lt(b.bytes().map(|c| c.to_ascii_lowercase()))
}

/// How much speaks for each dialect.
#[derive(Debug, Clone)]
pub(super) struct Votes {
    weights: [u16; DIALECTS.len()],
}

impl Default for Votes {
    fn default() -> Self {
        Self {
            weights: [0; DIALECTS.len()],
        }
    }
}

impl Votes {
    fn add(&mut self, dialects: &[u8], weight: u16) {
        for dialect in dialects {
            if let Some(sum) = self.weights.get_mut(usize::from(*dialect)) {
                *sum = sum.saturating_add(weight);
            }
        }
    }

    /// The dialect with the most weight, when there is enough of it.
    pub(super) fn winner(&self) -> Option<&'static str> {
        let (best, weight) = self
            .weights
            .iter()
            .enumerate()
            .rev()
            .max_by_key(|(_, weight)| **weight)?;
        if *weight < SUBJECT_WEIGHT {
            return None;
        }
        DIALECTS.get(best).map(|(id, _)| *id)
    }

    /// The greatest weight.
    pub(super) fn weight(&self) -> u16 {
        self.weights.iter().copied().max().unwrap_or(0)
    }
}

/// What a label announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    /// The failed recipient.
    Recipient,
    /// Why.
    Reason,
    /// `To:`, which is as often a field of the original.
    To,
}

/// The longest label that is looked up.
const MAX_LABEL: usize = 80;

/// Splits `label: value`, when the label announces a recipient or a reason.
pub(super) fn label(body: &str) -> Option<(Label, &str)> {
    let head = body.as_bytes().get(..MAX_LABEL).unwrap_or(body.as_bytes());
    // The full-width colon begins with the byte 0xEF.
    let at = memchr::memchr2_iter(b':', 0xEF, head).find(|&at| {
        body.get(at..)
            .is_some_and(|rest| rest.starts_with([':', '：']))
    })?;
    let colon = body.get(at..)?.chars().next()?;
    let value = body.get(at + colon.len_utf8()..)?.trim_start();
    let key = body.get(..at)?.trim_matches(|c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '-' | '*' | '(' | '[' | '>' | '|' | '・' | '「' | '」' | '【' | '】'
            )
    });
    // In Chinese and Japanese forms blanks are put between the letters of a label.
    let mut low = [0; MAX_LABEL];
    let low = low.get_mut(..key.len())?;
    low.copy_from_slice(key.as_bytes());
    low.make_ascii_lowercase();
    let key = std::str::from_utf8(low).ok()?;
    let has = |table: &[&str]| table.binary_search(&key).is_ok();
    if has(RECIPIENT_LABELS) {
        Some((Label::Recipient, value))
    } else if has(REASON_LABELS) {
        Some((Label::Reason, value))
    } else if ["to", "an", "para", "pour"].contains(&key) {
        Some((Label::To, value))
    } else {
        None
    }
}

/// Where the returned message, or its header, begins in the text; its length when it does not.
pub(super) fn original_start(text: &str, marks: &Marks) -> usize {
    let by_phrase = marks
        .all()
        .iter()
        .filter(|hit| hit.roles & CUT != 0)
        .find_map(|hit| {
            let line_start = text
                .as_bytes()
                .get(..hit.at)?
                .iter()
                .rposition(|b| matches!(b, b'\n' | b'\r'))
                .map_or(0, |at| at + 1);
            let before = text.get(line_start..hit.at)?.trim();
            let after = text
                .get(hit.end..)?
                .split(['\n', '\r'])
                .next()
                .unwrap_or_default()
                .trim();
            let drawn = |s: &str| s.chars().all(|c| !c.is_alphanumeric());
            // "This is a copy of the message" stands alone or between dashes; a sentence that goes
            // on for long, or that has words before it, is no separator.
            let short = after.chars().filter(|c| c.is_alphanumeric()).count() <= 32;
            (drawn(before) && short && line_start > 0).then_some(line_start)
        });
    by_phrase.unwrap_or(text.len()).min(header_start(text))
}

/// Where a run of header fields begins that only a message has.
fn header_start(text: &str) -> usize {
    let mut run: Option<(usize, u32, bool)> = None;
    for line in lines(text, 0, text.len()) {
        if line.indent > 0 && run.is_some() && !line.is_blank() {
            continue;
        }
        let name = line.body.split(':').next().unwrap_or_default();
        let field = line.indent == 0 && line.body.len() > name.len() && is_field(name);
        if !field {
            run = None;
            continue;
        }
        let strong = STRONG.iter().any(|s| s.eq_ignore_ascii_case(name));
        let (at, count, sure) = run.unwrap_or((line.at, 0, false));
        let (count, sure) = (count + 1, sure || strong);
        if sure && count >= 3 {
            return at;
        }
        run = Some((at, count, sure));
    }
    text.len()
}

/// Fields that stand in messages, not in forms.
const STRONG: &[&str] = &[
    "received",
    "return-path",
    "message-id",
    "dkim-signature",
    "mime-version",
    "x-received",
    "delivered-to",
    "x-originating-ip",
    "arc-seal",
    "domainkey-signature",
    "x-google-smtp-source",
];

fn is_field(name: &str) -> bool {
    (2..=50).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && (name.contains('-')
            || STRONG.iter().any(|s| s.eq_ignore_ascii_case(name))
            || ["from", "to", "cc", "subject", "date", "sender"]
                .iter()
                .any(|s| s.eq_ignore_ascii_case(name)))
        && ![
            "reporting-mta",
            "final-recipient",
            "original-recipient",
            "arrival-date",
            "remote-mta",
            "diagnostic-code",
            "last-attempt-date",
            "received-from-mta",
            "will-retry-until",
            "x-actual-recipient",
        ]
        .iter()
        .any(|s| s.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_found_with_their_roles() {
        let marks = Marks::scan("Your mail could not be delivered.\nRETRY TIMEOUT EXCEEDED");
        let roles = marks.roles(0, usize::MAX);
        assert!(roles & FINAL != 0 && roles & EXPIRED != 0 && roles & DELAY == 0);
    }

    #[test]
    fn labels_are_known_in_several_languages() {
        assert_eq!(
            label("Recipient: [SMTP:a@b.example]"),
            Some((Label::Recipient, "[SMTP:a@b.example]"))
        );
        assert_eq!(label("Diagnostic code : x"), Some((Label::Reason, "x")));
        assert_eq!(label("Причина: нет"), Some((Label::Reason, "нет")));
        assert_eq!(label("退信原因：x"), Some((Label::Reason, "x")));
        assert_eq!(label("Subject: x"), None);
        assert_eq!(label(&"é".repeat(500)), None);
    }

    #[test]
    fn the_original_begins_at_a_separator_or_a_header() {
        for (text, rest) in [
            (
                "x\n--- Below this line is a copy of the message.\n\ny",
                "--- Below",
            ),
            ("x\n\nReceived: a\n\tb\nFrom: c\nTo: d\n", "Received"),
            (
                "x\nOriginal message headers:\n\nReceived: a",
                "Original message",
            ),
            (
                "x\nThis is a copy of the message that you sent to our customer service last week\n",
                "",
            ),
            ("From: a\nTo: b\nSubject: c\nDate: d\n", ""),
        ] {
            let at = original_start(text, &Marks::scan(text));
            assert!(text[at..].starts_with(rest), "{text}: {at}");
            assert!(!rest.is_empty() || at == text.len(), "{text}: {at}");
        }
    }

    #[test]
    fn fields_vote_for_their_dialect() {
        let mut votes = Votes::default();
        fields(
            [("x-postfix-queue-id", "1"), ("Subject", "x")].into_iter(),
            &mut votes,
        );
        assert_eq!(votes.winner(), Some("postfix"));
        assert_eq!(Votes::default().winner(), None);
    }
}
