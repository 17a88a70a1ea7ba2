//! What arrived, held beside what was sent: the way it came, and what was done to it.

use crate::message::layer::Head;
use crate::route::{self, Route};

use super::round::Note;

/// The way of a message that arrived.
pub fn way(message: &[u8]) -> Route {
    route::of(&Head::parse(message), &[])
}

/// What was changed on the way.
pub fn changes(sent: &[u8], arrived: &[u8]) -> Vec<Note> {
    let mut notes = Vec::new();
    let (before, after) = (Head::parse(sent), Head::parse(arrived));
    let subject = |head: &Head<'_>| head.get("Subject").unwrap_or_default().trim().to_string();
    let (was, is) = (subject(&before), subject(&after));
    if was != is {
        notes.push(Note {
            code: "subject-changed",
            text: format!("The subject was changed to \"{is}\"."),
        });
    }
    for name in ["From", "Message-ID"] {
        if before.raw(name).map(str::trim) != after.raw(name).map(str::trim) {
            notes.push(Note {
                code: "header-changed",
                text: format!("The field {name} was changed."),
            });
        }
    }
    if words(body(sent)) != words(body(arrived)) {
        notes.push(Note {
            code: "body-changed",
            text: "The text was changed on the way; a DKIM signature of the sender does not \
                   survive that."
                .to_string(),
        });
    }
    notes
}

/// What a filter said about a message that arrived: `None` when no filter left a mark.
pub fn marked(arrived: &[u8]) -> Option<String> {
    let head = Head::parse(arrived);
    let yes = |name: &str| {
        let value = head.get(name)?;
        let value = value.trim().to_string();
        let first = value.split([',', ' ', ';']).next().unwrap_or_default();
        let first = first.to_ascii_lowercase();
        matches!(
            first.as_str(),
            "yes" | "true" | "infected" | "spam" | "reject"
        )
        .then(|| format!("{name}: {value}"))
    };
    const FIELDS: [&str; 7] = [
        "X-Spam-Flag",
        "X-Spam-Status",
        "X-Spam",
        "X-Virus-Status",
        "X-Virus",
        "X-Amavis-Alert",
        "X-Infected",
    ];
    let alert = head
        .get("X-Amavis-Alert")
        .map(|v| format!("X-Amavis-Alert: {v}"));
    let subject = head.get("Subject").unwrap_or_default().to_ascii_lowercase();
    let tagged = [
        "***spam",
        "[spam]",
        "*** spam",
        "[virus]",
        "{spam",
        "[suspected spam]",
    ];
    let tag = tagged.iter().any(|tag| subject.contains(tag));
    FIELDS
        .iter()
        .find_map(|name| yes(name))
        .or(alert)
        .or_else(|| tag.then(|| "the subject is marked".to_string()))
}

fn body(message: &[u8]) -> &[u8] {
    let crlf = memchr::memmem::find(message, b"\r\n\r\n").map(|at| at + 4);
    let lf = memchr::memmem::find(message, b"\n\n").map(|at| at + 2);
    let at = crlf.into_iter().chain(lf).min();
    at.and_then(|at| message.get(at..)).unwrap_or_default()
}

/// The octets without line ends and blanks: those change for honest reasons.
fn words(body: &[u8]) -> Vec<u8> {
    let solid = body.iter().filter(|b| !b.is_ascii_whitespace());
    solid.copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_and_a_footer_are_seen_and_line_ends_are_not() {
        let sent = b"Subject: a\r\nFrom: x@y\r\nMessage-ID: <1@y>\r\n\r\ntext\r\n";
        let same = b"Received: x\nSubject: a\nFrom: x@y\nMessage-ID: <1@y>\n\ntext\n";
        assert_eq!(changes(sent, same), []);
        let list = b"Subject: [list] a\nFrom: x@y\nMessage-ID: <1@y>\n\ntext\n-- \nfooter\n";
        let codes: Vec<_> = changes(sent, list).iter().map(|n| n.code).collect();
        assert_eq!(codes, ["subject-changed", "body-changed"]);
    }

    #[test]
    fn marks_of_filters_are_read() {
        assert!(marked(b"X-Spam-Status: Yes, score=1000\n\nx").is_some());
        assert!(marked(b"X-Spam-Flag: YES\n\nx").is_some());
        assert!(marked(b"Subject: ***SPAM*** x\n\nx").is_some());
        assert_eq!(marked(b"X-Spam-Status: No, score=-1\n\nx"), None);
    }
}
