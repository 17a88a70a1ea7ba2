//! The only way of foreign text to a terminal. Mail, banners and DNS answers are hostile: control
//! characters, changes of the writing direction and invisible characters are shown, not sent.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub use crate::hidden::is_hidden;

/// Makes foreign text fit to be shown. Borrows when there is nothing to change.
///
/// ```
/// use mailtrace_tool::report::safe::safe;
/// assert_eq!(safe("plain"), "plain");
/// assert_eq!(safe("a\x1B[31mred\u{202E}"), r"a\x1B[31mred\u{202E}");
/// ```
pub fn safe(text: &str) -> Cow<'_, str> {
    escape(text, is_hidden)
}

/// The same for a terminal that knows ASCII only: in a single-byte character set parts of
/// UTF-8 sequences would be control characters.
pub fn safe_ascii(text: &str) -> Cow<'_, str> {
    escape(text, |c| is_hidden(c) || !c.is_ascii())
}

fn escape(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    let plain_ascii = text.bytes().all(|b| matches!(b, b' '..=b'~'));
    if plain_ascii || !text.chars().any(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            // A tab cannot do harm as a blank, and folded header fields are full of them.
            '\t' => out.push(' '),
            c if !hidden(c) => out.push(c),
            c if (c as u32) < 0x100 => {
                let _ = write!(out, "\\x{:02X}", c as u32);
            }
            c => {
                let _ = write!(out, "\\u{{{:X}}}", c as u32);
            }
        }
    }
    Cow::Owned(out)
}

/// How many columns a text takes.
pub fn width(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.width()
    }
}

/// Cuts a text to `columns`, the last of them `mark` (`…`), when it is longer.
pub fn cut<'t>(text: &'t str, columns: usize, mark: &str) -> Cow<'t, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let room = columns.saturating_sub(width(mark));
    let mut used = 0;
    let mut out = String::with_capacity(columns + 4);
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        out.push(c);
    }
    out.push_str(mark);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_text_is_borrowed() {
        for text in ["", "plain", "Grüße aus Köln", "日本語", "👍\u{FE0F}"] {
            assert!(matches!(safe(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn what_steers_or_hides_is_shown() {
        assert_eq!(safe("\x1B]0;title\x07"), r"\x1B]0;title\x07");
        assert_eq!(safe("\u{9B}31m\x7F\r\n"), r"\x9B31m\x7F\x0D\x0A");
        assert_eq!(
            safe("a\u{200B}b\u{2066}\u{E0041}"),
            r"a\u{200B}b\u{2066}\u{E0041}"
        );
        assert_eq!(safe("a\tb\x01"), r"a b\x01");
    }

    #[test]
    fn every_class_that_steers_turns_or_hides_is_shown_from_its_first_to_its_last() {
        let classes = [
            ("C0, ESC among them", '\0', '\x1F'),
            ("DEL and C1", '\x7F', '\u{9F}'),
            ("soft hyphen", '\u{AD}', '\u{AD}'),
            ("grapheme joiner", '\u{34F}', '\u{34F}'),
            ("Arabic letter mark", '\u{61C}', '\u{61C}'),
            ("Hangul fillers", '\u{115F}', '\u{1160}'),
            ("Khmer inherent vowels", '\u{17B4}', '\u{17B5}'),
            ("Mongolian selectors", '\u{180B}', '\u{180F}'),
            ("zero width and direction marks", '\u{200B}', '\u{200F}'),
            (
                "line separators, embeddings, overrides",
                '\u{2028}',
                '\u{202E}',
            ),
            (
                "joiners, isolates, unassigned formats",
                '\u{2060}',
                '\u{206F}',
            ),
            ("Hangul filler", '\u{3164}', '\u{3164}'),
            ("variation selectors but 15 and 16", '\u{FE00}', '\u{FE0D}'),
            ("byte order mark", '\u{FEFF}', '\u{FEFF}'),
            ("half-width Hangul filler", '\u{FFA0}', '\u{FFA0}'),
            ("unassigned formats, annotations", '\u{FFF0}', '\u{FFFB}'),
            ("shorthand controls", '\u{1BCA0}', '\u{1BCA3}'),
            ("controls of music", '\u{1D173}', '\u{1D17A}'),
            ("tags and selectors", '\u{E0000}', '\u{E0FFF}'),
        ];
        let shown = |c: char| match u32::from(c) {
            9 => " ".to_string(),
            n @ 0..=0xFF => format!("\\x{n:02X}"),
            n => format!("\\u{{{n:X}}}"),
        };
        for (class, first, last) in classes {
            for c in first..=last {
                let text = format!("a{c}b");
                assert_eq!(safe(&text), format!("a{}b", shown(c)), "{class}: {c:?}");
            }
        }
        let is_named = |c| classes.iter().any(|&(_, a, b)| (a..=b).contains(&c));
        let neighbours = classes.iter().flat_map(|&(_, first, last)| {
            [
                u32::from(first).checked_sub(1),
                u32::from(last).checked_add(1),
            ]
        });
        for c in neighbours.flatten().filter_map(char::from_u32) {
            let text = format!("a{c}b");
            assert_eq!(safe(&text) == text, !is_named(c), "beside a class: {c:?}");
        }
    }

    #[test]
    fn in_ascii_no_byte_above_127_is_left() {
        assert_eq!(safe_ascii("Gruß\tЛ"), r"Gru\xDF \u{41B}");
    }

    #[test]
    fn nothing_hidden_survives_whatever_comes() {
        let all: String = (0..=0x10_FFFF).filter_map(char::from_u32).collect();
        assert!(!safe(&all).chars().any(is_hidden));
        assert!(safe_ascii(&all).is_ascii());
    }

    #[test]
    fn long_text_is_cut_by_columns_not_by_bytes() {
        assert_eq!(cut("abcdef", 4, "…"), "abc…");
        assert_eq!(cut("日本語", 4, "…"), "日…");
        assert_eq!(cut("abc", 3, "…"), "abc");
        assert_eq!(cut("abc", 0, "…"), "…");
    }
}
