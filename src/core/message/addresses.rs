//! Mail addresses out of any writing: `<a@b>`, `rfc822; a@b`, `"Name" <a@b>`,
//! `<a@b<mailto:a@b>>`, `"a b"@c`, `a@b.`, `müller@bücher.example`.

/// An address in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'t> {
    /// The address without any decoration.
    pub address: &'t str,
    /// The byte of the text that it starts at.
    pub start: usize,
}

/// RFC 5321 §4.5.3.1: 64 and 255 octets; VERP and X.400 go beyond the first.
const MAX_LOCAL: usize = 256;
const MAX_DOMAIN: usize = 255;

/// The first address in `text`.
pub fn first(text: &str) -> Option<&str> {
    each(text).next().map(|found| found.address)
}

/// The address that a field or a phrase states: the one in angle brackets, else the first.
pub fn clean(text: &str) -> Option<&str> {
    let mut first = None;
    for found in each(text) {
        if text
            .get(..found.start)
            .is_some_and(|before| before.ends_with('<'))
        {
            return Some(found.address);
        }
        first = first.or(Some(found.address));
    }
    first
}

/// Like [`clean`], but also takes a bare local part such as `root`, when it is all there is
/// beside a type (`rfc822;`) and brackets.
pub fn clean_or_local(text: &str) -> Option<&str> {
    if let Some(address) = clean(text) {
        return Some(address);
    }
    let text = text.trim();
    let text = text.split_once(';').map_or(text, |(_, rest)| rest).trim();
    let text = text
        .trim_start_matches(['<', '"', '\''])
        .trim_end_matches(['>', '"', '\'', ',', ':']);
    let plain = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    (!text.is_empty() && text.len() <= MAX_LOCAL && text.chars().all(plain)).then_some(text)
}

/// All addresses in `text` in their order.
pub fn each(text: &str) -> impl Iterator<Item = Found<'_>> {
    memchr::memchr_iter(b'@', text.as_bytes()).filter_map(move |at| around(text, at))
}

/// The address around the `@` at byte `at`.
fn around(text: &str, at: usize) -> Option<Found<'_>> {
    let before = text.get(..at)?;
    let after = text.get(at + 1..)?;
    let domain = domain(after)?;
    let local = if before.ends_with('"') {
        quoted(before)?
    } else {
        atoms(before)?
    };
    let mut start = at - local;
    let end = at + 1 + domain;
    // 'a@b' in quotation marks: the first is none of the name.
    if text.get(end..)?.starts_with('\'') && text.get(start..)?.starts_with('\'') {
        start += 1;
    }
    (start < at).then_some(())?;
    Some(Found {
        address: text.get(start..end)?,
        start,
    })
}

/// Letters of scripts that are written with blanks between words may stand in an address that
/// stands in a sentence; Chinese or Japanese ones mostly are the sentence around it.
fn spaced_letter(c: char) -> bool {
    !c.is_ascii() && (c.is_lowercase() || c.is_uppercase())
}

/// The signs of an atom (RFC 5322 section 3.2.3) and the dot.
static ATOM: [bool; 256] = {
    let mut set = [false; 256];
    let mut rest: &[u8] = b"!#$%&'*+-/=?^_`{|}~.\
        abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    while let [sign, tail @ ..] = rest {
        #[expect(clippy::indexing_slicing, reason = "there is a place for every byte")]
        {
            set[*sign as usize] = true;
        }
        rest = tail;
    }
    set
};

fn is_atom(byte: u8) -> bool {
    ATOM.get(usize::from(byte)).copied().unwrap_or(false)
}

fn atoms(before: &str) -> Option<usize> {
    let bytes = before.as_bytes();
    let most = bytes.len().saturating_sub(MAX_LOCAL);
    let near = bytes.get(most..).unwrap_or_default();
    let sign = near.iter().rposition(|b| !is_atom(*b));
    let plain = sign.map_or(near.len(), |at| near.len() - 1 - at);
    let ascii = bytes
        .len()
        .checked_sub(plain + 1)
        .and_then(|at| bytes.get(at));
    let (wide, narrow) = if ascii.is_none_or(u8::is_ascii) {
        (plain, plain)
    } else {
        let atom = |c: char| c.is_ascii() && is_atom(c as u8);
        let wide = run(before, |c| {
            atom(c) || (!c.is_ascii() && c.is_alphanumeric())
        });
        (wide, run(before, |c| atom(c) || spaced_letter(c)))
    };
    let bracketed = before
        .get(..before.len() - wide)
        .is_some_and(|rest| rest.ends_with('<'));
    let len = if bracketed || narrow == 0 {
        wide
    } else {
        narrow
    };
    let local = before.get(before.len() - len..)?;
    // Dots and marks in front belong to the sentence: `...user@`, `=user@` of a broken escape.
    let trimmed = local.trim_start_matches(['.', '=', '*', '|', '/', '`', '?']);
    (!trimmed.is_empty()).then_some(trimmed.len())
}

/// The length in bytes of the run of such characters at the end of `before`.
fn run(before: &str, takes: impl Fn(char) -> bool) -> usize {
    let mut len = 0;
    for c in before.chars().rev() {
        if !takes(c) || len + c.len_utf8() > MAX_LOCAL {
            break;
        }
        len += c.len_utf8();
    }
    len
}

/// The length of `"…"` at the end of `before`.
fn quoted(before: &str) -> Option<usize> {
    let bytes = before.as_bytes();
    let inner = bytes.len().checked_sub(1)?;
    for len in 1..=inner.min(MAX_LOCAL) {
        let at = inner - len;
        match bytes.get(at)? {
            b'"' if at == 0 || bytes.get(at - 1) != Some(&b'\\') => {
                return (len > 1).then_some(len + 1);
            }
            b'\n' => return None,
            _ => {}
        }
    }
    None
}

/// The length of the domain that `after` starts with.
fn domain(after: &str) -> Option<usize> {
    if after.starts_with('[') {
        let len = after.bytes().take(MAX_DOMAIN).position(|b| b == b']')?;
        let inner = after.get(1..len)?;
        let literal =
            |b: u8| b.is_ascii_hexdigit() || matches!(b, b'.' | b':' | b'I' | b'P' | b'v');
        return (!inner.is_empty() && inner.bytes().all(literal)).then_some(len + 1);
    }
    let foreign = after
        .chars()
        .next()
        .is_some_and(|c| !c.is_ascii() && c.is_alphanumeric());
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let bytes = after.as_bytes();
    let most = bytes.get(..MAX_DOMAIN).unwrap_or(bytes);
    let mut len = most.iter().position(|b| !plain(b)).unwrap_or(most.len());
    // Only where another letter follows is every character looked at.
    let rest = match bytes.get(len) {
        Some(next) if !next.is_ascii() => after.get(len..).unwrap_or_default(),
        _ => "",
    };
    for c in rest.chars() {
        let takes = c.is_ascii_alphanumeric()
            || matches!(c, '-' | '.' | '_')
            || spaced_letter(c)
            || (foreign && !c.is_ascii() && c.is_alphanumeric());
        if !takes || len + c.len_utf8() > MAX_DOMAIN {
            break;
        }
        len += c.len_utf8();
    }
    let all = after.get(..len)?;
    // `a@b...` and `a@b--`: the end of a sentence or of a line of a table.
    let twice = all.as_bytes().windows(2).position(|pair| pair == b"..");
    let all = twice.and_then(|at| all.get(..at)).unwrap_or(all);
    let all = all.trim_end_matches(['.', '-', '_']);
    (!all.is_empty() && !all.starts_with(['.', '-'])).then_some(all.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_writing_gives_the_bare_address() {
        for (text, address) in [
            ("<user@example.com>", "user@example.com"),
            ("rfc822; user@example.com", "user@example.com"),
            ("RFC822;<user@example.com>", "user@example.com"),
            ("\"User, A.\" <user@example.com>", "user@example.com"),
            ("a@b.example <user@example.com>", "user@example.com"),
            (
                "<user@example.com<mailto:user@example.com>>",
                "user@example.com",
            ),
            ("[mailto:user@example.com]", "user@example.com"),
            ("user@example.com.", "user@example.com"),
            ("user@example.com... User unknown", "user@example.com"),
            ("user@example.com,", "user@example.com"),
            ("'user@example.com'", "user@example.com"),
            ("o'brien@example.com", "o'brien@example.com"),
            ("<\"a b\"@example.com>", "\"a b\"@example.com"),
            ("<@relay.example:user@example.com>", "user@example.com"),
            ("user@[192.0.2.1]", "user@[192.0.2.1]"),
            ("utf-8; müller@bücher.example", "müller@bücher.example"),
            ("<用户@例子.example>", "用户@例子.example"),
            ("收件人user@example.com不存在", "user@example.com"),
            (
                "bounce+user=example.com@list.example",
                "bounce+user=example.com@list.example",
            ),
            ("user@localhost", "user@localhost"),
        ] {
            assert_eq!(clean(text), Some(address), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_gives_none() {
        for text in ["", "@", "a@", "@b", "a @ b", "<>", "root", "@@@@", "\"@b"] {
            assert_eq!(clean(text), None, "{text}");
        }
    }

    #[test]
    fn a_bare_local_part_is_taken_only_when_asked() {
        assert_eq!(clean_or_local("rfc822; root"), Some("root"));
        assert_eq!(clean_or_local("<postmaster>:"), Some("postmaster"));
        assert_eq!(clean_or_local("two words"), None);
        assert_eq!(clean_or_local("|/usr/bin/vacation bob"), None);
    }

    #[test]
    fn all_of_several_are_found_with_their_places() {
        let text = "a@b.example, <c@d.example>";
        let all: Vec<_> = each(text).map(|f| (f.address, f.start)).collect();
        assert_eq!(all, [("a@b.example", 0), ("c@d.example", 14)]);
    }
}
