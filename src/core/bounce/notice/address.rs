//! Addresses in prose: where they begin and end, what surrounds them, and the shapes of lines
//! that begin with one.

use crate::message::addresses;

use super::page::{part, starts, strip, tail};

/// The longest address that is looked at; bounds the work on hostile lines.
const MAX_ADDRESS: usize = 320;

/// An address within a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found<'a> {
    /// The address alone.
    pub(super) text: &'a str,
    /// Where it starts, brackets and `mailto:` included.
    pub(super) start: usize,
    /// Where it ends, brackets included.
    pub(super) end: usize,
}

/// The first address in `text` from the byte `from` on.
pub(super) fn find(text: &str, from: usize) -> Option<Found<'_>> {
    let rest = text.get(from..)?;
    addresses::each(rest).find_map(|found| set_off(text, from, from + found.start, found.address))
}

/// The addresses of a text, in order.
pub(super) fn all(text: &str) -> impl Iterator<Item = Found<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let found = find(text, from)?;
        from = found.end;
        Some(found)
    })
}

/// An address of prose with what sets it off; none for what only looks like one.
fn set_off<'a>(text: &'a str, from: usize, start: usize, address: &'a str) -> Option<Found<'a>> {
    let end = start + address.len();
    let before = text.get(from..start)?;
    let linked = before.ends_with("<mailto:");
    let bracketed = (before.ends_with('<') || linked) && tail(text, end).starts_with('>');
    let domain = address.rsplit('@').next()?;
    if !(bracketed || domain.contains('.') || domain.starts_with('[')) || in_url(before) {
        return None;
    }
    let lead = match (linked, bracketed) {
        (true, _) => "<mailto:".len(),
        (_, true) => 1,
        _ if before.ends_with("mailto:") => "mailto:".len(),
        _ => 0,
    };
    Some(Found {
        text: address,
        start: start - lead,
        end: end + usize::from(bracketed),
    })
}

/// How far back the beginning of a word is looked for.
const MAX_WORD: usize = 100;

/// True when the address would stand in a link such as `https://user@host`.
fn in_url(before: &str) -> bool {
    before
        .char_indices()
        .rev()
        .take(MAX_WORD)
        .take_while(|(_, c)| !c.is_whitespace() && !matches!(c, '<' | '>' | '"' | '(' | '='))
        .any(|(at, c)| c == ':' && tail(before, at).starts_with("://"))
}

/// A line that begins with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// The address.
    pub(super) address: &'a str,
    /// The address that it was made from.
    pub(super) alias: Option<&'a str>,
    /// What follows on the line.
    pub(super) rest: &'a str,
    /// How the address is set off.
    pub(super) shape: Shape,
}

/// How the address of an [`Entry`] is set off from the rest of its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Nothing else stands on the line.
    Alone,
    /// A sign that announces a reason: `:`, `...`, `[`, `(`, `#550`, ` - `.
    Reason,
    /// A date (Exchange: `addr on Mon, 1 Jan …`).
    Dated,
    /// Words: the address may be no more than the subject of a sentence.
    Sentence,
}

/// Reads a line that begins with an address, in brackets, quotes, behind a bullet or a display
/// name.
pub(super) fn entry(body: &str) -> Option<Entry<'_>> {
    let body = unbullet(body);
    let found = find(body, 0)?;
    let lead = part(body, 0, found.start);
    let open = lead
        .trim_end()
        .trim_end_matches(['\'', '"', '[', '(', '{', '<', '`', '*']);
    let named = !open.is_empty();
    let set_off = open.len() < lead.trim_end().len()
        || body.get(found.start..).is_some_and(|f| f.starts_with('<'));
    if named && !is_prefix(open) && !(set_off && is_name(open)) {
        return None;
    }
    let mut rest = tail(body, found.end);
    rest = rest.trim_start_matches(['\'', '"', ']', ')', '}', '>', '`', '*']);
    rest = rest.trim_start();
    // The same address once more: `a@b <a@b>`, `a@b<mailto:a@b>`, `a@b (a@b)`.
    if let Some(second) = find(rest, 0)
        && part(rest, 0, second.start)
            .trim_matches(['(', '[', ' ', '"', '\''])
            .is_empty()
        && (second.text.eq_ignore_ascii_case(found.text))
    {
        rest = tail(rest, second.end)
            .trim_start_matches([')', ']', '>', '"', '\''])
            .trim_start();
    }
    // `one@b <two@b>:` is a name that looks like an address, and the address.
    let mut address = found.text;
    if rest.starts_with('<')
        && let Some(second) = find(rest, 0).filter(|second| second.start == 0)
    {
        address = second.text;
        rest = tail(rest, second.end).trim_start();
    }
    let mut alias = None;
    if let Some((old, after)) = alias_of(rest) {
        alias = Some(old);
        rest = after;
    }
    let shape = shape(rest);
    // `Name <addr> text` is a sentence or a header, not an entry.
    if named && !is_prefix(open) && shape != Shape::Alone && shape != Shape::Dated {
        return None;
    }
    let rest = match shape {
        Shape::Reason => rest
            .trim_start_matches([':', '：'])
            .trim_start_matches("...")
            .trim_start(),
        _ => rest,
    };
    Some(Entry {
        address,
        alias,
        rest,
        shape,
    })
}

fn shape(rest: &str) -> Shape {
    if starts(rest, "...") {
        return Shape::Reason;
    }
    let rest = rest.trim_start_matches(['.', ',']).trim_start();
    if rest.is_empty() {
        Shape::Alone
    } else if rest.starts_with([':', '：', '[', '(', '#', ';', '|', '<', '=', '-', '–', '—'])
        || rest
            .as_bytes()
            .get(..3)
            .is_some_and(|d| d.iter().all(u8::is_ascii_digit))
    {
        Shape::Reason
    } else if strip(rest, "on ")
        .is_some_and(|d| d.contains(|c: char| c.is_ascii_digit()) && d.len() < 60)
    {
        Shape::Dated
    } else {
        Shape::Sentence
    }
}

/// `(expanded from <x>)`, `(expanded from: x)`, `(generated from x)`: the old address and what
/// follows the bracket.
pub(super) fn alias_of(rest: &str) -> Option<(&str, &str)> {
    let rest = rest.trim_start();
    let (head, after) = match rest.strip_prefix('(') {
        Some(inner) => inner.split_once(')')?,
        None if starts(rest, "generated ") => {
            rest.split_at(rest.find(['\n', '\r']).unwrap_or(rest.len()))
        }
        None => return None,
    };
    let from = [
        "expanded from",
        "generated from",
        "generated by",
        "ultimately generated from",
        "forwarded from",
        "alias of",
        "original address",
        "original recipient",
        "orig_to=",
    ]
    .iter()
    .find_map(|lead| strip(head, lead))?
    .trim_start_matches([':', ' ', '<'])
    .trim_end_matches(['>', ' ']);
    (!from.is_empty() && from.len() <= MAX_ADDRESS && !from.contains(' '))
        .then_some((from, after.trim_start()))
}

/// The line without the sign of a list item in front of it.
fn unbullet(body: &str) -> &str {
    let plain = body
        .trim_start_matches(['*', '-', '>', '•', '·', '+', '=', '~', '●', '▪'])
        .trim_start();
    if plain.len() != body.len() {
        return plain;
    }
    let digits = body.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=2).contains(&digits) {
        let after = tail(body, digits);
        if let Some(rest) = after
            .strip_prefix(". ")
            .or_else(|| after.strip_prefix(") "))
        {
            return rest.trim_start();
        }
    }
    body
}

/// Address types that stand before an address: `SMTP:a@b`, `rfc822;a@b`.
fn is_prefix(lead: &str) -> bool {
    let lead = lead.trim_end();
    [
        "smtp:",
        "rfc822;",
        "mailto:",
        "[smtp:",
        "internet:",
        "email:",
    ]
    .iter()
    .any(|p| lead.len() == p.len() && starts(lead, p))
}

/// A display name: a few words without the signs of a sentence or a label.
fn is_name(lead: &str) -> bool {
    let mut words = 0;
    let sentence = lead.split_whitespace().any(|word| {
        words += 1;
        [
            "from", "to", "by", "at", "you", "for", "of", "and", "or", "contact", "an", "von", "à",
            "de", "a",
        ]
        .contains(&word)
    });
    let capital = lead
        .trim_start_matches(['"', '\''])
        .starts_with(|c: char| c.is_uppercase() || !c.is_ascii());
    lead.len() <= 80
        && !lead.contains([':', '：', ';', '@', '=', '?', '!', '。'])
        && !sentence
        && (words == 1 || (words <= 5 && capital))
}

/// The address in a field of a report or a command: `rfc822; <a@b>`, `TO:<a@b> ORCPT=…`.
/// Names without a domain are taken as they are.
pub(super) fn bare(value: &str) -> Option<&str> {
    let value = value.trim();
    let inner = match value
        .strip_prefix('<')
        .or_else(|| value.split_once(" <").map(|(_, v)| v))
    {
        Some(rest) => rest.split('>').next()?,
        None => value,
    };
    let inner = strip(inner, "mailto:").unwrap_or(inner).trim();
    if inner.contains('@')
        && let Some(found) = find(inner, 0)
        && !inner.starts_with("=?")
        && !inner.starts_with('"')
    {
        return Some(found.text);
    }
    let word = inner.trim_matches(['<', '>', '\'', ' ', ';', ',']);
    (!word.is_empty() && word.len() <= MAX_ADDRESS).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> &str {
        find(text, 0).map_or("", |f| f.text)
    }

    #[test]
    fn an_address_ends_where_the_sentence_goes_on() {
        assert_eq!(one("write to a.b+c@example.org."), "a.b+c@example.org");
        assert_eq!(
            one("收件人：10001@example.cn（不存在）"),
            "10001@example.cn"
        );
        assert_eq!(one("无法发送到 x@example.cn"), "x@example.cn");
        assert_eq!(one("'joe@example.org' on"), "joe@example.org");
        assert_eq!(one("<joe@host>:"), "joe@host");
        assert_eq!(one("joe@host here"), "");
        assert_eq!(
            one("see https://a@example.org/ x@example.org"),
            "x@example.org"
        );
        assert_eq!(one("\"a b\"@example.org"), "\"a b\"@example.org");
        assert_eq!(one("user@[192.0.2.1]:"), "user@[192.0.2.1]");
        assert_eq!(one("jürgen@müller.example said"), "jürgen@müller.example");
    }

    #[test]
    fn the_shapes_of_recipient_lines_are_told_apart() {
        use Shape::*;
        for (line, address, shape, rest) in [
            ("<a@b.example>:", "a@b.example", Reason, ""),
            (
                "<a@b.example>: host mx said: 550 no",
                "a@b.example",
                Reason,
                "host mx said: 550 no",
            ),
            ("a@b.example", "a@b.example", Alone, ""),
            ("* a@b.example", "a@b.example", Alone, ""),
            ("-> a@b.example", "a@b.example", Alone, ""),
            (">>> a@b.example <a@b.example>", "a@b.example", Alone, ""),
            ("A Name<mailto:a@b.example>", "a@b.example", Alone, ""),
            ("Hartmann, W. (a@b.example)", "a@b.example", Alone, ""),
            (
                "a@b.example [User unknown]",
                "a@b.example",
                Reason,
                "[User unknown]",
            ),
            (
                "a@b.example on Thu, 29 Apr 2010 00:00:00 -0000",
                "a@b.example",
                Dated,
                "on Thu, 29 Apr 2010 00:00:00 -0000",
            ),
            ("[SMTP:a@b.example]", "a@b.example", Alone, ""),
            (
                "<a@b.example>... Deferred: x",
                "a@b.example",
                Reason,
                "Deferred: x",
            ),
            (
                "a@b.example #550 5.1.1 no",
                "a@b.example",
                Reason,
                "#550 5.1.1 no",
            ),
            ("1. a@b.example", "a@b.example", Alone, ""),
            (
                "a@b.example was not found",
                "a@b.example",
                Sentence,
                "was not found",
            ),
        ] {
            let e = entry(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(
                (e.address, e.shape, e.rest),
                (address, shape, rest),
                "{line}"
            );
        }
        assert_eq!(entry("550 unknown user <a@b.example>"), None);
        assert_eq!(entry("To: a@b.example"), None);
        assert_eq!(
            entry("Please write to the postmaster at a@b.example if so"),
            None
        );
    }

    #[test]
    fn the_old_address_of_an_alias_is_kept() {
        let e = entry("<a@b.example> (expanded from <old@c.example>): host x").unwrap();
        assert_eq!((e.alias, e.rest), (Some("old@c.example"), "host x"));
        assert_eq!(
            alias_of("(ultimately generated from x@y.example)"),
            Some(("x@y.example", ""))
        );
    }

    #[test]
    fn fields_and_commands_give_a_bare_address() {
        assert_eq!(bare(" <a@b.example>"), Some("a@b.example"));
        assert_eq!(bare("<a@b.example> NOTIFY=NEVER"), Some("a@b.example"));
        assert_eq!(bare("screenname"), Some("screenname"));
        assert_eq!(
            bare("=?utf-8?Q?a=F0?=@b.example"),
            Some("=?utf-8?Q?a=F0?=@b.example")
        );
        assert_eq!(bare(" "), None);
    }
}
