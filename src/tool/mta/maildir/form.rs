//! The form a message has in a mailbox: line feeds, exactly one Return-Path, Delivered-To.

/// What final delivery writes on top (RFC 5321 section 4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trace {
    /// The envelope sender as it is spoken; empty for the null sender.
    pub(crate) sender: String,
    /// The recipient.
    pub(crate) recipient: String,
}

/// Turns a message into what lies in a Maildir.
pub(crate) fn final_form(text: &[u8], trace: &Trace) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 160);
    let Trace { sender, recipient } = trace;
    out.extend_from_slice(
        format!("Return-Path: <{sender}>\nDelivered-To: {recipient}\n").as_bytes(),
    );
    let mut rest = text;
    let mut dropping = false;
    // The header section, line by line: a Return-Path that came along goes.
    while let Some((line, after)) = split_line(rest) {
        if line.is_empty() || !is_header(line) {
            break;
        }
        rest = after;
        if !matches!(line.first(), Some(b' ' | b'\t')) {
            dropping = is_field(line, "return-path");
        }
        if !dropping {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
    }
    with_line_feeds(rest, &mut out);
    out
}

/// Whether a Delivered-To of the header section names this recipient: it has been here before.
pub(crate) fn was_here(text: &[u8], recipient: &str) -> bool {
    let mut rest = text;
    while let Some((line, after)) = split_line(rest) {
        if line.is_empty() {
            return false;
        }
        rest = after;
        if is_field(line, "delivered-to") {
            let value = line
                .iter()
                .position(|&b| b == b':')
                .and_then(|at| line.get(at + 1..));
            let value = value.unwrap_or_default().trim_ascii();
            if value.eq_ignore_ascii_case(recipient.as_bytes()) {
                return true;
            }
        }
    }
    false
}

/// The next line without its end, and what follows.
pub(crate) fn split_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if text.is_empty() {
        return None;
    }
    let end = memchr::memchr(b'\n', text).unwrap_or(text.len());
    let line = text.get(..end)?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Some((line, text.get(end + 1..).unwrap_or_default()))
}

/// Whether a line can belong to a header section.
fn is_header(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t')) || line.contains(&b':')
}

/// Whether a line begins the field of this name (lower case).
pub(crate) fn is_field(line: &[u8], name: &str) -> bool {
    line.split_at_checked(name.len())
        .is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(name.as_bytes())
                && rest.trim_ascii_start().first() == Some(&b':')
        })
}

fn with_line_feeds(text: &[u8], out: &mut Vec<u8>) {
    let mut from = 0;
    for at in memchr::memchr_iter(b'\r', text) {
        if text.get(at + 1) == Some(&b'\n') {
            out.extend_from_slice(text.get(from..at).unwrap_or_default());
            from = at + 1;
        }
    }
    out.extend_from_slice(text.get(from..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formed(text: &str) -> String {
        let trace = Trace {
            sender: "a@b.test".into(),
            recipient: "c@d.test".into(),
        };
        String::from_utf8(final_form(text.as_bytes(), &trace)).unwrap()
    }

    #[test]
    fn there_is_exactly_one_return_path_and_lines_end_with_line_feeds() {
        assert_eq!(
            formed(
                "Return-Path: <x@y>\r\n folded\r\nSubject: s\r\nreturn-path : z\r\n\r\nReturn-Path: body\r\na\rb\r\n"
            ),
            "Return-Path: <a@b.test>\nDelivered-To: c@d.test\nSubject: s\n\nReturn-Path: body\na\rb\n"
        );
    }

    #[test]
    fn a_message_without_header_or_body_stays_what_it_is() {
        assert!(formed("just text\r\n").ends_with("c@d.test\njust text\n"));
        assert!(formed("").ends_with("c@d.test\n"));
        assert!(formed("Subject: s").ends_with("\nSubject: s\n"));
    }

    #[test]
    fn who_was_here_is_recognised_in_the_header_only() {
        let mail = b"X: y\r\ndelivered-TO:  C@d.test \r\n\r\nDelivered-To: e@f.test\r\n";
        assert!(was_here(mail, "c@d.test"));
        assert!(!was_here(mail, "e@f.test"));
    }
}
