//! Where a notice ends and the returned message begins.

use super::marks::{CUT, Marks};
use super::page::lines;

/// Bytes of a line with a separator, in front of its phrase and behind it.
const MAX_LINE: usize = 400;

/// Where the returned message, or its header, begins in the text; its length when it does not.
/// `apart`: it has a part of its own, so that only a separator is looked for.
pub(super) fn original_start(text: &str, marks: &Marks, apart: bool) -> usize {
    let by_phrase = marks
        .all()
        .iter()
        .filter(|hit| hit.roles & CUT != 0)
        .find_map(|hit| {
            // A line that is longer is no separator, and thousands of phrases may stand in one.
            let near = hit.at.saturating_sub(MAX_LINE);
            let line_start = text
                .as_bytes()
                .get(near..hit.at)?
                .iter()
                .rposition(|b| matches!(b, b'\n' | b'\r'))
                .map_or((near == 0).then_some(0), |at| Some(near + at + 1))?;
            let before = text.get(line_start..hit.at)?.trim();
            let after = text
                .get(hit.end..text.floor_char_boundary(hit.end + MAX_LINE))?
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
    {
        let end = by_phrase.unwrap_or(text.len());
        if apart {
            end
        } else {
            end.min(header_start(text))
        }
    }
}

/// Where a run of header fields begins that only a message has.
fn header_start(text: &str) -> usize {
    let mut run: Option<(usize, u32, bool)> = None;
    for line in lines(text, 0, text.len()) {
        if line.indent > 0 && run.is_some() && !line.is_blank() {
            continue;
        }
        let name = before_colon(line.body);
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

/// What stands before the first colon; all of it where there is none.
pub(super) fn before_colon(line: &str) -> &str {
    let at = memchr::memchr(b':', line.as_bytes()).unwrap_or(line.len());
    line.get(..at).unwrap_or(line)
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
            let at = original_start(text, &Marks::scan(text), false);
            assert!(text[at..].starts_with(rest), "{text}: {at}");
            assert!(!rest.is_empty() || at == text.len(), "{text}: {at}");
        }
    }
}
