//! The header section of a message that is coming in: where it ends, how many servers it went
//! through, and what a submission server completes (RFC 6409 section 8).

use memchr::memchr;

use crate::mta::address::Address;

/// What a submission server needs to complete a message.
#[derive(Debug)]
pub(super) struct Completion<'a> {
    pub(super) sender: Option<&'a Address>,
    pub(super) domain: &'a str,
    pub(super) host: &'a str,
    pub(super) id: &'a str,
    /// As it stands in a Date field.
    pub(super) date: &'a str,
}

/// Where the header section ends in what has come so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Not yet known; look again from this line on.
    From(usize),
    /// The empty line begins here.
    Blank(usize),
    /// A line begins here that is no field: the body, without an empty line before it.
    Body(usize),
}

/// Looks for the end, from a line start on.
pub(super) fn end(head: &[u8], from: usize) -> End {
    let mut at = from;
    loop {
        let rest = head.get(at..).unwrap_or_default();
        let Some(length) = memchr(b'\n', rest) else {
            return End::From(at);
        };
        let line = rest.get(..length).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return End::Blank(at);
        }
        let continues = at > 0 && line.starts_with(b" ") || line.starts_with(b"\t");
        if !continues && name(line).is_none() {
            return End::Body(at);
        }
        at += length + 1;
    }
}

/// The name of a field: printable, without blanks before the colon but for old mail.
fn name(line: &[u8]) -> Option<&[u8]> {
    let colon = memchr(b':', line)?;
    let name = line.get(..colon)?.trim_ascii_end();
    let good = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    good.then_some(name)
}

/// The fields of a header section, each with its line ends.
pub(super) fn fields(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = head;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = 0;
        loop {
            let after = rest.get(end..).unwrap_or_default();
            end += memchr(b'\n', after).map_or(after.len(), |n| n + 1);
            match rest.get(end) {
                Some(b' ' | b'\t') => {}
                _ => break,
            }
        }
        let (field, more) = rest.split_at_checked(end)?;
        rest = more;
        Some(field)
    })
}

fn is(field: &[u8], wanted: &str) -> bool {
    name(field).is_some_and(|n| n.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// How many servers it went through.
pub(super) fn hops(head: &[u8]) -> usize {
    fields(head).filter(|field| is(field, "Received")).count()
}

/// Completes the header section: Date, Message-ID and From when they are missing, the domain of
/// a From that has none; Bcc goes. Everything else stays as it is, octet by octet.
pub(super) fn complete(head: &[u8], with: &Completion<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(head.len() + 200);
    let has = |wanted| fields(head).any(|field| is(field, wanted));
    if !has("From") {
        let sender = with.sender.map(ToString::to_string);
        let from = sender.unwrap_or_else(|| format!("MAILER-DAEMON@{}", with.host));
        out.extend_from_slice(format!("From: {from}\r\n").as_bytes());
    }
    if !has("Date") {
        out.extend_from_slice(format!("Date: {}\r\n", with.date).as_bytes());
    }
    if !has("Message-ID") {
        let id = format!("Message-ID: <{}@{}>\r\n", with.id, with.host);
        out.extend_from_slice(id.as_bytes());
    }
    for field in fields(head) {
        if is(field, "Bcc") {
            continue;
        }
        match is(field, "From")
            .then(|| qualify(field, with.domain))
            .flatten()
        {
            Some(qualified) => out.extend_from_slice(&qualified),
            None => out.extend_from_slice(field),
        }
    }
    out
}

/// Adds the domain to a From field that has one bare name; `None` when it has an @ already or is
/// nothing that can be read so.
fn qualify(field: &[u8], domain: &str) -> Option<Vec<u8>> {
    let text = str::from_utf8(field).ok()?;
    if text.contains('@') {
        return None;
    }
    let (name, value) = text.split_once(':')?;
    let is_atom = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b))
    };
    let value = value.trim();
    if is_atom(value) {
        return Some(format!("{name}: {value}@{domain}\r\n").into_bytes());
    }
    let (before, rest) = value.split_once('<')?;
    let (word, after) = rest.split_once('>')?;
    (is_atom(word) && after.trim().is_empty())
        .then(|| format!("{name}: {before}<{word}@{domain}>\r\n").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_an_empty_line_or_a_line_that_is_no_field() {
        assert_eq!(end(b"A: b\r\n c\r\n\r\nx", 0), End::Blank(10));
        assert_eq!(end(b"\r\n", 0), End::Blank(0));
        assert_eq!(end(b"A: b\r\nhello there\r\n", 0), End::Body(6));
        assert_eq!(end(b"hello\r\n", 0), End::Body(0));
        assert_eq!(end(b" hello\r\n", 0), End::Body(0));
        assert_eq!(end(b"A: b\r\nB:", 0), End::From(6));
        assert_eq!(end(b"A: b\r\nB: c\r\n\r\n", 6), End::Blank(12));
    }

    #[test]
    fn hops_are_counted_whatever_their_case() {
        let head = b"Received: a\r\n\tb\r\nReceived-SPF: x\r\nrECEIVED : c\r\nX: Received: d\r\n";
        assert_eq!(hops(head), 2);
    }

    fn completed(head: &str) -> String {
        let sender = Address::parse("u@s.test").unwrap();
        let with = Completion {
            sender: Some(&sender),
            domain: "d.test",
            host: "mx.d.test",
            id: "A1",
            date: "DATE",
        };
        String::from_utf8(complete(head.as_bytes(), &with)).unwrap()
    }

    #[test]
    fn what_is_missing_is_added_and_bcc_goes() {
        assert_eq!(
            completed("Subject: x\r\nBcc: a@b.test,\r\n c@d.test\r\nTo: y@z.test\r\n"),
            "From: u@s.test\r\nDate: DATE\r\nMessage-ID: <A1@mx.d.test>\r\nSubject: x\r\nTo: y@z.test\r\n"
        );
    }

    #[test]
    fn what_is_there_stays() {
        let head = "from:  A <a@b.test>\r\ndate: x\r\nMESSAGE-ID: y\r\n";
        assert_eq!(completed(head), head);
    }

    #[test]
    fn a_bare_name_in_from_gets_the_domain() {
        let from = |value: &str| {
            let head = format!("From: {value}\r\nDate: x\r\nMessage-ID: y\r\n");
            completed(&head).lines().next().unwrap().to_string()
        };
        assert_eq!(from("alice"), "From: alice@d.test");
        assert_eq!(from("Alice <alice>"), "From: Alice <alice@d.test>");
        assert_eq!(from("a group: ;"), "From: a group: ;");
    }

    proptest::proptest! {
        #[test]
        fn any_octets_are_split_without_loss(head in "([A-Za-z:]{0,4}[ \\t]?\\r?\\n?){0,12}") {
            let joined: Vec<u8> = fields(head.as_bytes()).flatten().copied().collect();
            proptest::prop_assert_eq!(joined, head.as_bytes());
            let _ = (end(head.as_bytes(), 0), hops(head.as_bytes()), completed(&head));
        }
    }
}
