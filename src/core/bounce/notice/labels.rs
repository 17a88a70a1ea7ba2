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
        assert_eq!(label(&"é".repeat(500)), None);
    }
}
