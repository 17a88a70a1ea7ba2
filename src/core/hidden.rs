//! Characters that steer a terminal, turn the reading direction, or hide.

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
        // The controls of shorthand and of music.
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
        // The variation selectors beyond those that emoji use, and tags.
        | '\u{FE00}'..='\u{FE0D}' | '\u{E0000}'..='\u{E0FFF}')
}
