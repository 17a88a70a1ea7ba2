//! The phrases that a text holds and what they mean: one scan of the text tells who wrote it, where
//! the returned message begins, and whether something failed or is only late. The phrases are
//! data: `src/core/data/phrases.toml` and `src/core/data/dialects.toml`.

use super::names;
use crate::message::layer::{Field, Head};

pub(super) use super::tables::{
    ARRIVED, AUTHOR, BEFORE, CHALLENGE, COMPLAINT, CUT, DELAY, DELIVERED, EXPANDED, EXPIRED, FAIL,
    FINAL, INSTRUCT, LEFT, RELAYED, S_ANSWER, S_AUTO, S_CHALLENGE, S_COMPLAINT, S_DELAYED,
    S_DELIVERED, S_DIGEST, S_FAILED, STATISTICS, UNTIL, VACATION,
};
use super::tables::{
    BODY, BODY_MEANS, DIALECTS, FROM, FROM_MEANS, HEAD_NAMES, HEAD_SLOTS, HEAD_TEXTS, HEADS,
    SUBJECT, SUBJECT_MEANS,
};

/// More phrases than this are not kept; a notice says what it has to say with less.
const MAX_HITS: usize = 4_096;

/// A phrase counts again when so many others stand between: no notice has as many.
const NEARBY: usize = 64;

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
        BODY.each(text.as_bytes(), |id, at, end| {
            if hits.len() < MAX_HITS
                && let Some(&(roles, _)) = BODY_MEANS.get(id)
            {
                hits.push(Hit {
                    at,
                    end,
                    roles: match roles & GOOD != 0 && is_denied(text, at) {
                        true => roles & !GOOD | FINAL,
                        false => roles,
                    },
                    id: u16::try_from(id).unwrap_or(u16::MAX),
                });
            }
        });
        hits.sort_unstable_by_key(|hit| (hit.at, hit.id));
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
        let hits = self.within(0, end);
        for (at, hit) in hits.iter().enumerate() {
            // A phrase that is repeated does not speak louder.
            let before = hits.get(at.saturating_sub(NEARBY)..at).unwrap_or_default();
            if before.iter().all(|other| other.id != hit.id)
                && let Some((_, dialects)) = BODY_MEANS.get(usize::from(hit.id))
            {
                votes.add(dialects, BODY_WEIGHT);
            }
        }
    }
}

/// The roles of all phrases of a text, for those who need nothing else.
pub(super) fn roles_of(text: &str) -> u32 {
    let mut roles = 0;
    BODY.each(text.as_bytes(), |id, _, _| {
        roles |= BODY_MEANS.get(id).map_or(0, |(means, _)| *means);
    });
    roles
}

/// Roles of good news.
const GOOD: u32 = DELIVERED | RELAYED | EXPANDED;

/// True when a "not" stands in front: "has not been successfully delivered".
fn is_denied(text: &str, at: usize) -> bool {
    /// What may stand between: "not yet been ", "nicht erfolgreich ".
    const NEAR: usize = 16;
    const NOT: [&str; 12] = [
        "not ", "n't ", "n’t ", "never ", "nicht ", " pas ", " no ", " non ", " não ", " niet ",
        " nie ", " не ",
    ];
    let mut from = at.saturating_sub(NEAR);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let near = text.get(from..at).unwrap_or_default();
    let near = near.rsplit(['.', '\n', '\r']).next().unwrap_or_default();
    NOT.iter().any(|word| super::page::contains(near, word))
}

/// What the Subject says: the sum of its roles.
pub(super) fn subject(value: &str, votes: &mut Votes) -> u32 {
    let mut roles = 0;
    SUBJECT.each(value.as_bytes(), |id, at, _| {
        let Some((means, dialects)) = SUBJECT_MEANS.get(id) else {
            return;
        };
        // `Re:` counts at the start only.
        roles |= if at > 2 { means & !S_ANSWER } else { *means };
        votes.add(dialects, SUBJECT_WEIGHT);
    });
    roles
}

/// True when From names a machine that writes notices.
pub(super) fn daemon(value: &str, votes: &mut Votes) -> bool {
    let mut found = false;
    FROM.each(value.as_bytes(), |id, _, _| {
        if let Some((roles, dialects)) = FROM_MEANS.get(id) {
            found |= *roles != 0;
            votes.add(dialects, FROM_WEIGHT);
        }
    });
    found
}

/// What a field of this name may say: the texts in its value, each with its dialect.
fn known(name: &str) -> Option<&'static [(usize, u8)]> {
    let shape = names::shape(name);
    let first = usize::from(*HEAD_SLOTS.get(shape)?).checked_sub(1)?;
    let (_, _, from, to) = HEAD_NAMES
        .get(first..)?
        .iter()
        .take_while(|known| known.0 == shape)
        .find(|(_, own, ..)| own.eq_ignore_ascii_case(name))?;
    HEADS.get(*from..*to)
}

/// Adds what the names and values of fields say about the dialect.
pub(super) fn fields<'a>(all: impl Iterator<Item = (&'a str, &'a str)>, votes: &mut Votes) {
    for (name, value) in all {
        let Some(own) = known(name) else {
            continue;
        };
        for (text, dialect) in own {
            if *text == HEAD_TEXTS.len() {
                votes.add(&[*dialect], HEAD_WEIGHT);
            }
        }
        if own.iter().any(|(text, _)| *text < HEAD_TEXTS.len()) {
            HEAD_TEXTS.each(value.as_bytes(), |id, _, _| {
                for (_, dialect) in own.iter().filter(|(text, _)| *text == id) {
                    votes.add(&[*dialect], HEAD_WEIGHT);
                }
            });
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

/// How much speaks for each dialect.
#[derive(Debug, Clone)]
pub(super) struct Votes {
    weights: [u16; DIALECTS.len()],
    /// The greatest weight, and the first dialect that has it: weights only grow.
    best: (u16, usize),
}

impl Default for Votes {
    fn default() -> Self {
        Self {
            weights: [0; DIALECTS.len()],
            best: (0, 0),
        }
    }
}

impl Votes {
    fn add(&mut self, dialects: &[u8], weight: u16) {
        for dialect in dialects {
            let dialect = usize::from(*dialect);
            if let Some(sum) = self.weights.get_mut(dialect) {
                *sum = sum.saturating_add(weight);
                let (most, first) = self.best;
                if *sum > most || *sum == most && dialect < first {
                    self.best = (*sum, dialect);
                }
            }
        }
    }

    /// The dialect with the most weight, when there is enough of it.
    pub(super) fn winner(&self) -> Option<&'static str> {
        let (weight, dialect) = self.best;
        if weight < SUBJECT_WEIGHT {
            return None;
        }
        DIALECTS.get(dialect).map(|(id, _)| *id)
    }

    /// The greatest weight.
    pub(super) const fn weight(&self) -> u16 {
        self.best.0
    }
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
