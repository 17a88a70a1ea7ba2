//! Groups of `Field: value` lines as in message/delivery-status (RFC 3464 §2.1): groups are
//! separated by blank lines, long values are folded. Real ones have blanks before the colon,
//! continuation lines without indentation, and blank lines with blanks in them.

use std::borrow::Cow;

use crate::message::head;
use crate::message::lines;

/// More groups than this (one for each recipient) are not read.
const MAX_GROUPS: usize = 20_000;

/// A group about a recipient has six or seven.
const USUAL_FIELDS: usize = 8;

/// A group of fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group<'t> {
    /// Its fields in order.
    pub fields: Vec<Pair<'t>>,
}

/// A field of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair<'t> {
    /// The name as written.
    pub name: &'t str,
    /// The value, continuation lines joined by a blank.
    pub value: Cow<'t, str>,
    /// The byte of the text that the value starts at: for `Block::line_at`.
    pub start: usize,
}

impl<'t> Group<'t> {
    /// The value of the first field of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.field(name).map(|pair| pair.value.as_ref())
    }

    /// The first field of this name.
    pub fn field(&self, name: &str) -> Option<&Pair<'t>> {
        self.fields
            .iter()
            .find(|pair| pair.name.eq_ignore_ascii_case(name))
    }
}

/// Reads the groups of `text`; lines before the first field of a group are left out.
pub fn groups(text: &str) -> Vec<Group<'_>> {
    let mut all: Vec<Group<'_>> = Vec::new();
    let mut open = false;
    for line in lines::lines(text) {
        let first = line.text.as_bytes().first();
        if !first.is_some_and(u8::is_ascii_graphic) && line.text.trim().is_empty() {
            open = false;
            continue;
        }
        let pair = pair(line);
        if !open {
            if pair.is_none() || all.len() >= MAX_GROUPS {
                continue;
            }
            open = true;
            all.push(Group {
                fields: Vec::with_capacity(USUAL_FIELDS),
            });
        }
        let Some(group) = all.last_mut() else {
            continue;
        };
        match (pair, group.fields.last_mut()) {
            (Some(pair), _) => group.fields.push(pair),
            (None, Some(last)) => join(&mut last.value, lines::trim(line.text)),
            (None, None) => {}
        }
    }
    all
}

fn join(value: &mut Cow<'_, str>, more: &str) {
    if value.is_empty() {
        *value = Cow::Owned(more.to_owned());
        return;
    }
    let value = value.to_mut();
    value.push(' ');
    value.push_str(more);
}

fn pair(line: lines::Line<'_>) -> Option<Pair<'_>> {
    let len = head::name_len(line.text.as_bytes())?;
    let name = line.text.get(..len)?;
    let rest = line.text.get(len..)?;
    let (_, value) = lines::cut(rest, b':')?;
    // The URL on a continuation line that lost its indentation.
    if value.starts_with("//") {
        return None;
    }
    let blanks = value.bytes().take_while(|b| *b == b' ').count();
    let rest = value.get(blanks..)?;
    let begun = rest.bytes().next().is_some_and(|b| b.is_ascii_graphic());
    let trimmed = if begun { rest } else { rest.trim_start() };
    let start = line.start + line.text.len() - trimmed.len();
    Some(Pair {
        name,
        value: Cow::Borrowed(lines::trim(trimmed)),
        start,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_fields_and_foldings_are_read() {
        let text = "Reporting-MTA: dns; a\r\n \r\nFinal-Recipient : rfc822; b@c\r\n\
            Diagnostic-Code: smtp; 550 no\r\n\tsuch user\r\nsee\r\nhttp://x.example/\r\nAction:failed\r\n\r\n\r\nX: y";
        let groups = groups(text);
        assert_eq!(groups.len(), 3);
        assert_eq!(groups[1].get("final-recipient"), Some("rfc822; b@c"));
        assert_eq!(
            groups[1].get("diagnostic-code"),
            Some("smtp; 550 no such user see http://x.example/")
        );
        assert_eq!(groups[1].get("Action"), Some("failed"));
        let pair = groups[2].field("x").unwrap();
        assert_eq!(&text[pair.start..], "y");
    }

    #[test]
    fn a_value_on_its_own_line_is_not_copied() {
        assert!(matches!(
            groups("A: b\n")[0].fields[0].value,
            Cow::Borrowed("b")
        ));
    }
}
