//! What an IMAP server says, taken apart (RFC 3501 section 9).

use super::{Folder, Line};

/// The number in `{123}` at the end of a line.
pub(super) fn literal(line: &str) -> Option<usize> {
    let inside = line.strip_suffix('}')?.rsplit_once('{')?.1;
    inside.trim_end_matches('+').parse().ok()
}

/// A quoted string.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// What the server says, without its code.
pub(super) fn words(text: &str) -> String {
    let text = text.trim_start_matches("* ").trim();
    let text = text.split_once(' ').map_or(text, |(_, rest)| rest);
    match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((_, rest)) => rest.trim().to_string(),
        None => text.to_string(),
    }
}

/// `* LIST (\HasNoChildren \Junk) "/" "Spam"`.
pub(super) fn folder(line: &Line) -> Option<Folder> {
    let rest = line.text.strip_prefix("* LIST (")?;
    let (attributes, rest) = rest.split_once(')')?;
    let attributes = attributes.to_ascii_lowercase();
    if attributes.contains("\\noselect") || attributes.contains("\\nonexistent") {
        return None;
    }
    let rest = rest.trim_start();
    // The separator: NIL or one character in quotes, which may be an escaped backslash.
    let rest = match rest.strip_prefix('"') {
        Some(inside) => inside.split_once("\" ")?.1,
        None => rest.split_once(' ')?.1,
    };
    let name = match (line.literals.first(), rest.strip_prefix('"')) {
        (Some(name), _) => String::from_utf8_lossy(name).into_owned(),
        (None, Some(inside)) => {
            let inside = inside.strip_suffix('"').unwrap_or(inside);
            inside.replace("\\\"", "\"").replace("\\\\", "\\")
        }
        (None, None) => rest.to_string(),
    };
    let junk = attributes.contains("\\junk") || crate::send::wait::sounds_like_junk(&name);
    Some(Folder { name, junk })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str) -> Option<(String, bool)> {
        let line = Line {
            text: text.to_string(),
            literals: Vec::new(),
        };
        folder(&line).map(|f| (f.name, f.junk))
    }

    #[test]
    fn folders_are_read_as_servers_list_them() {
        for (text, want) in [
            (
                "* LIST (\\HasNoChildren) \".\" INBOX",
                Some(("INBOX", false)),
            ),
            (
                "* LIST (\\HasNoChildren \\Junk) \"/\" \"Unerw&APw-nscht\"",
                Some(("Unerw&APw-nscht", true)),
            ),
            ("* LIST () \"/\" \"Spam\"", Some(("Spam", true))),
            ("* LIST (\\Noselect) \"/\" \"[Gmail]\"", None),
            ("* LIST () NIL \"a \\\"b\\\"\"", Some(("a \"b\"", false))),
            ("* LIST () \"\\\\\" x", Some(("x", false))),
        ] {
            let want = want.map(|(name, junk)| (name.to_string(), junk));
            assert_eq!(listed(text), want, "{text}");
        }
    }

    #[test]
    fn literals_and_quotes() {
        assert_eq!(literal("* 1 FETCH (BODY[]<0> {310}"), Some(310));
        assert_eq!(literal("m1 OK done"), None);
        assert_eq!(quoted("a\"b\\c"), "\"a\\\"b\\\\c\"");
        assert_eq!(words("NO [AUTHENTICATIONFAILED] Wrong."), "Wrong.");
    }
}
