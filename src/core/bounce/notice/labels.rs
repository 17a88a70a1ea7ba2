//! Labels such as `Recipient:` and `Reason:` in many languages.

use super::tables::{REASON_LABELS, RECIPIENT_LABELS};

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

/// By its first byte, the lengths that a label has (one bit each): nearly all that stands in front
/// of a colon is told apart by them.
static LENGTHS: [u128; 256] = {
    let mut lengths = [0; 256];
    mark(&mut lengths, RECIPIENT_LABELS);
    mark(&mut lengths, REASON_LABELS);
    mark(&mut lengths, &TO_LABELS);
    lengths
};

/// What `To` is called.
const TO_LABELS: [&str; 4] = ["to", "an", "para", "pour"];

const fn mark(lengths: &mut [u128; 256], labels: &[&str]) {
    let mut rest = labels;
    while let [label, tail @ ..] = rest {
        if let [first, ..] = label.as_bytes() {
            // Only here can the index not be wrong.
            #[expect(clippy::indexing_slicing, reason = "a byte, and 256 of them")]
            {
                lengths[*first as usize] |= 1 << label.len();
            }
        }
        rest = tail;
    }
}

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
    let label = known(key).or_else(|| {
        let (first, second) = halves(key)?;
        known(first).or_else(|| known(second))
    })?;
    Some((label, value))
}

/// True for a sentence that ends in such a label: "You may not send this for the following reason:".
pub(super) fn announces_reason(body: &str) -> bool {
    let Some(sentence) = body.strip_suffix([':', '：']) else {
        return false;
    };
    let sentence = sentence.trim_end();
    let near = sentence.len().saturating_sub(MAX_LABEL);
    let words = memchr::memchr_iter(b' ', sentence.as_bytes().get(near..).unwrap_or_default());
    words
        .filter_map(|at| sentence.get(near + at + 1..))
        // One word alone may end any sentence: "for this reason:".
        .any(|end| end.contains(' ') && known(end) == Some(Label::Reason))
}

/// Forms in two languages name each value twice: `退信原因 Reason：`.
fn halves(key: &str) -> Option<(&str, &str)> {
    if key.is_ascii() {
        return None;
    }
    let foreign = |half: &str| !half.bytes().any(|b| b.is_ascii_alphabetic());
    key.match_indices([' ', '/']).find_map(|(at, _)| {
        let (first, second) = (key.get(..at)?.trim(), key.get(at + 1..)?.trim());
        let two = first.is_ascii() && foreign(second) || second.is_ascii() && foreign(first);
        (two && !first.is_empty() && !second.is_empty()).then_some((first, second))
    })
}

/// What a label announces.
fn known(key: &str) -> Option<Label> {
    let mut low = [0; MAX_LABEL];
    let low = low.get_mut(..key.len())?;
    low.copy_from_slice(key.as_bytes());
    low.make_ascii_lowercase();
    let low = if key.is_ascii() {
        low
    } else {
        close_up(key, low)
    };
    let lengths = LENGTHS.get(usize::from(*low.first()?))?;
    if lengths >> low.len() & 1 == 0 {
        return None;
    }
    let key = std::str::from_utf8(low).ok()?;
    let has = |table: &[&str]| table.binary_search(&key).is_ok();
    if has(RECIPIENT_LABELS) {
        Some(Label::Recipient)
    } else if has(REASON_LABELS) {
        Some(Label::Reason)
    } else if TO_LABELS.contains(&key) {
        Some(Label::To)
    } else {
        None
    }
}

/// In Chinese and Japanese forms blanks are put between the letters of a label, so that all labels
/// are equally wide: `原　因：`. `low` is `key` in lower case; its letters are moved together.
fn close_up<'l>(key: &str, low: &'l mut [u8]) -> &'l mut [u8] {
    // Without Korean (U+AC00 to U+D7A3), which has blanks between words.
    let wide = |c: Option<char>| {
        c.is_some_and(
            |c| matches!(c, '\u{2E80}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{FF01}'..='\u{FFEF}'),
        )
    };
    let mut len = 0;
    let mut before = None;
    for (at, c) in key.char_indices() {
        if c.is_whitespace() && wide(before) {
            let mut rest = key.get(at..).unwrap_or_default().chars();
            if wide(rest.find(|c| !c.is_whitespace())) {
                continue;
            }
        }
        low.copy_within(at..at + c.len_utf8(), len);
        len += c.len_utf8();
        before = Some(c);
    }
    low.get_mut(..len).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for blanks in ["理 由: x", "原　因：x", "退 信  原 因 ：x"] {
            assert_eq!(label(blanks), Some((Label::Reason, "x")), "{blanks}");
        }
        for two in ["退信原因 Reason：x", "原因/Reason: x", "Reason 退信原因：x"] {
            assert_eq!(label(two), Some((Label::Reason, "x")), "{two}");
        }
        assert_eq!(
            label("無法傳送 Undeliverable to: x"),
            Some((Label::Recipient, "x"))
        );
        assert_eq!(label("ре ason: x"), None);
        assert_eq!(label("gr und: x"), None);
        assert_eq!(label(&"é".repeat(500)), None);
    }

    #[test]
    fn a_sentence_may_end_in_a_label() {
        for body in [
            "You are not allowed to send this message for the following reason:",
            "It was rejected for the following reasons :",
        ] {
            assert!(announces_reason(body), "{body}");
        }
        for body in [
            "for the following reason",
            "We have a good reason:",
            "Unreason:",
            ":",
        ] {
            assert!(!announces_reason(body), "{body}");
        }
    }

    #[test]
    fn every_label_of_the_tables_is_known() {
        for (table, wanted) in [
            (RECIPIENT_LABELS, Label::Recipient),
            (REASON_LABELS, Label::Reason),
            (&TO_LABELS, Label::To),
        ] {
            for name in table {
                let line = format!("{name}: x");
                assert_eq!(label(&line), Some((wanted, "x")), "{line}");
            }
        }
    }
}
