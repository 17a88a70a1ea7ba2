//! The only way of foreign text to a terminal. Mail, banners and DNS answers are hostile: control
//! characters, changes of the writing direction and invisible characters are shown, not sent.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Whether a character is never sent to a terminal as it is: it would steer the terminal, turn
/// the reading direction, or hide.
pub const fn is_hidden(c: char) -> bool {
    matches!(c,
        '\0'..='\x1F' | '\x7F'..='\u{9F}'
        | '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}'
        // Zero-width characters and direction marks, line separators, overrides and isolates.
        | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
        // Tags and the variation selectors beyond those that emoji use.
        | '\u{E0000}'..='\u{E0FFF}')
}

/// Makes foreign text fit to be shown. Borrows when there is nothing to change.
///
/// ```
/// use mailtrace::report::safe::safe;
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
