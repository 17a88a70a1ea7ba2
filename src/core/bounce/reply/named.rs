//! Which address of a line is the recipient's: lines name the sender and the message as well, and
//! those look the same.

use super::around::MOVED;

include!(concat!(env!("OUT_DIR"), "/reply_keys.rs"));

/// An address is no longer (RFC 5321 §4.5.3.1: 64 and 255 bytes around the sign).
const LONGEST: usize = 320;

/// What stands right in front of an address, brackets aside, when it is the recipient's.
const TO: [&str; 8] = [
    " to",
    "to:",
    "rcpt",
    "rcpt=",
    "->",
    "=>",
    " for",
    "recipient:",
];

/// The same for the sender and for the name of a message.
const FROM: [&str; 15] = [
    "from",
    "from=",
    "from:",
    " f=",
    "sender",
    "sender:",
    "sender=",
    "ctladdr=",
    "path=",
    "id=",
    "id:",
    "msgid",
    "mailfrom=",
    "mailfrom:",
    "mailfrom):",
];

/// Addresses of a line that are looked at.
const MOST: usize = 8;

/// The recipient: behind RCPT TO, behind `to=`, else the first address before the reply that is
/// not said to be another's and has no label of its own ("Reporter: …"), else the first with one,
/// else one in brackets in the reply.
pub(super) fn recipient<'a>(text: &'a str, before: &'a str) -> Option<&'a str> {
    if let Some(address) = keyed(text) {
        return Some(address);
    }
    let (mut plain, mut labelled) = (None, None);
    for (start, address) in addresses(before) {
        let lead = before.get(..start)?.trim_end_matches(['<', '"', '\'', ' ']);
        let is = |words: &[&str]| words.iter().any(|word| ends(lead, word));
        // `,<id@host>,`: in tables only the name of a message has brackets.
        let cell = before.get(..start)?.ends_with(",<");
        if is(&TO) {
            return Some(address);
        }
        if is(&FROM) || cell {
            continue;
        }
        let slot = match lead.ends_with(':') {
            true => &mut labelled,
            false => &mut plain,
        };
        *slot = slot.or(Some(address));
    }
    plain.or(labelled).or_else(|| {
        let said = text.get(before.len()..)?;
        let open = said.find('<')?;
        let lead = said.get(..open)?.trim_end();
        if MOVED.iter().any(|word| ends(lead, word)) {
            return None;
        }
        let inside = said.get(open + 1..)?;
        let inside = inside.get(..inside.find('>')?)?;
        let (_, address) = addresses(inside).next()?;
        Some(address).filter(|a| a.len() == inside.len())
    })
}

/// The first address that is the value of a key for recipients: `to=<…>`, `RCPT TO:<…>`. What
/// stands somewhere behind the key is not its value.
pub(super) fn keyed(text: &str) -> Option<&str> {
    let mut first: Option<(usize, &str)> = None;
    KEYS.each(text.as_bytes(), |_, start, end| {
        // `orig_to=` and `reply-to=` are other keys.
        let inside = text.get(..start).is_none_or(|before| {
            before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-'))
        });
        if inside || first.is_some_and(|(at, _)| at < start) {
            return;
        }
        let value = text.get(end..).unwrap_or_default();
        let value = value.trim_start_matches([' ', '<', '"', '\'']);
        let value = value
            .get(..value.floor_char_boundary(LONGEST))
            .unwrap_or(value);
        if let Some((0, address)) = addresses(value).next() {
            first = Some((start, address));
        }
    });
    first.map(|(_, address)| address)
}

/// True when `text` ends with `word` (lower case), and a word with a letter in front is none.
fn ends(text: &str, word: &str) -> bool {
    let Some(at) = text.len().checked_sub(word.len()) else {
        return text.eq_ignore_ascii_case(word.trim_start());
    };
    let same = text
        .get(at..)
        .is_some_and(|tail| tail.eq_ignore_ascii_case(word));
    let whole = !word.starts_with(|c: char| c.is_ascii_alphabetic())
        || !text
            .get(..at)
            .is_some_and(|t| t.ends_with(|c: char| c.is_ascii_alphabetic()));
    same && whole
}

/// The e-mail addresses of a text and where they start.
fn addresses(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let at = text.match_indices('@').map(|(at, _)| at).take(MOST);
    at.filter_map(|at| address(text, at))
}

/// True for the sign in `o'brien`, which is no quote.
fn is_inside(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let behind = text.get(at + 1..).unwrap_or_default();
    before.ends_with(char::is_alphanumeric) && behind.starts_with(char::is_alphanumeric)
}

/// The address around an `@`.
fn address(text: &str, at: usize) -> Option<(usize, &str)> {
    let part = |c: char| {
        c.is_alphanumeric()
            || matches!(
                c,
                '.' | '-' | '_' | '+' | '=' | '/' | '~' | '!' | '#' | '$' | '%' | '&' | '*' | '^'
            )
    };
    let local = text.get(..at)?;
    let start = local
        .char_indices()
        .rev()
        .take_while(|(at, c)| part(*c) || *c == '\'' && is_inside(local, *at))
        .last()
        .map(|(i, _)| i)?;
    let domain = text.get(at + 1..)?;
    let end = domain
        .find(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-')))
        .unwrap_or(domain.len());
    let end = domain.get(..end)?.trim_end_matches(['.', '-']).len();
    if end == 0 {
        return None;
    }
    let found = text.get(start..at + 1 + end)?;
    // `to=user@…`, `from=user@…`: the key is not part of the address.
    let keys = ["to=", "from=", "F=", "rcpt="];
    let key = keys.iter().find_map(|key| {
        let at = found.rfind(key)?;
        // `SRS0=abcF=TT=…`: there it is a part of the name.
        let begins = !found
            .get(..at)?
            .ends_with(|c: char| c.is_ascii_alphanumeric());
        begins.then_some(at + key.len())
    });
    let cut = key.unwrap_or(0);
    Some((start + cut, found.get(cut..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sender_and_message_are_not_taken_for_the_recipient() {
        for (line, address) in [
            (
                "milter: rejected message from <x@b.example> to <bob@a.example>: 554 no",
                "bob@a.example",
            ),
            (
                "H=(h) [192.0.2.1] F=<x@b.example> rejected RCPT <bob@a.example>: no",
                "bob@a.example",
            ),
            (
                "[192.0.2.1] <x@b.example> -> <bob@a.example>, Message-ID: <1@b.example>",
                "bob@a.example",
            ),
            ("x,<1@b.example>,guid,bob@a.example,no", "bob@a.example"),
            ("qmgr: 1A: from=<x@b.example>, status=expired", ""),
            ("after MAIL FROM:<x@b.example> SIZE=1: 552 no", ""),
            ("bob@a.example: no such user", "bob@a.example"),
            ("550 User moved, use <new@a.example>", ""),
            ("550 Neue Adresse: <new@a.example>", ""),
            ("551 Adresse inconnue, utilisez <new@a.example>", ""),
            (
                "550 Indirizzo non valido, il nuovo indirizzo è <new@a.example>",
                "",
            ),
            ("550 Адрес изменён, пишите на <new@a.example>", ""),
            ("550 unknown user <bob@a.example>", "bob@a.example"),
            (
                "<x@b.example> SMTP error after RCPT TO:<bob@a.example>: 550 no",
                "bob@a.example",
            ),
        ] {
            let bare = line.starts_with("55");
            let end = line
                .find(": 5")
                .unwrap_or(if bare { 0 } else { line.len() });
            let found = recipient(line, &line[..end]).unwrap_or_default();
            assert_eq!(found, address, "{line}");
        }
    }
}
