//! A page of human output. Every piece of text goes through [`safe`](super::safe) on its way in,
//! so that a renderer cannot forget it.

use std::borrow::Cow;

use super::painter::{Glyph, Painter, Style};
use super::safe;

/// Prose gets no wider than this: longer lines are hard to read.
const MEASURE: usize = 100;

/// Text in the making.
#[derive(Debug)]
pub struct Page {
    text: String,
    paint: Painter,
    /// The column the next piece starts at.
    column: usize,
}

impl Page {
    /// An empty page with this look.
    pub const fn new(paint: Painter) -> Self {
        Self {
            text: String::new(),
            paint,
            column: 0,
        }
    }

    /// The look.
    pub const fn painter(&self) -> Painter {
        self.paint
    }

    /// The finished text.
    pub fn finish(self) -> String {
        self.text
    }

    /// Makes text fit for this page.
    pub fn safe<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.paint.unicode {
            safe::safe(text)
        } else {
            safe::safe_ascii(text)
        }
    }

    /// Writes a piece of a line.
    pub fn put(&mut self, style: Style, text: &str) -> &mut Self {
        let text = self.safe(text);
        self.column += safe::width(&text);
        self.paint.paint(&mut self.text, style, &text);
        self
    }

    /// Writes a sign.
    pub fn glyph(&mut self, style: Style, glyph: Glyph) -> &mut Self {
        let sign = self.paint.glyph(glyph);
        self.column += safe::width(sign);
        self.paint.paint(&mut self.text, style, sign);
        self
    }

    /// Moves to a column; past it already, by one blank.
    pub fn tab(&mut self, column: usize) -> &mut Self {
        let past = usize::from(self.column > column);
        let blanks = column.saturating_sub(self.column).max(past);
        self.text.extend(std::iter::repeat_n(' ', blanks));
        self.column += blanks;
        self
    }

    /// Ends the line.
    pub fn end(&mut self) -> &mut Self {
        let kept = self.text.trim_end_matches(' ').len();
        self.text.truncate(kept);
        self.text.push('\n');
        self.column = 0;
        self
    }

    /// The column that the next piece starts at.
    pub const fn column(&self) -> usize {
        self.column
    }

    /// What is left of the line, in columns.
    pub const fn room(&self) -> usize {
        self.paint.width.saturating_sub(self.column)
    }

    /// Writes a piece that is cut to the rest of the line.
    pub fn put_cut(&mut self, style: Style, text: &str) -> &mut Self {
        let text = self.safe(text);
        let cut = safe::cut(&text, self.room(), self.paint.glyph(Glyph::Ellipsis)).into_owned();
        self.put(style, &cut)
    }

    /// Writes words of others in at most two lines from the present column on. Ends the line.
    pub fn quote(&mut self, style: Style, text: &str) -> &mut Self {
        let text = self.safe(text).into_owned();
        let start = self.column;
        let room = self.room().max(10);
        let (mut used, mut at) = (0, text.len());
        for (n, c) in text.char_indices() {
            used += unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
            if used > room {
                at = n;
                break;
            }
        }
        // Between two words when there is one not far back.
        let first = text.get(..at).unwrap_or(&text);
        let at = match first.rfind(' ') {
            Some(blank) if at < text.len() && blank > at / 2 => blank + 1,
            _ => at,
        };
        let (first, second) = text.split_at_checked(at).unwrap_or((&text, ""));
        self.put_cut(style, first.trim_end()).end();
        if !second.is_empty() {
            self.tab(start).put_cut(style, second).end();
        }
        self
    }

    /// Writes prose from the present column on; following lines start at `indent`. Ends the line.
    pub fn wrap(&mut self, style: Style, indent: usize, text: &str) -> &mut Self {
        let width = self.paint.width.min(MEASURE);
        let text = self.safe(text).into_owned();
        let start = self.column.max(indent);
        let options = textwrap::Options::new(width.saturating_sub(start).max(10))
            .break_words(true)
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        for (n, line) in textwrap::wrap(&text, options).iter().enumerate() {
            if n > 0 {
                self.end();
            }
            if self.column < start {
                let blanks = start - self.column;
                self.text.extend(std::iter::repeat_n(' ', blanks));
                self.column = start;
            }
            self.column += safe::width(line);
            self.paint.paint(&mut self.text, style, line);
        }
        self.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(width: usize) -> Page {
        Page::new(Painter::plain(width))
    }

    #[test]
    fn prose_is_wrapped_with_a_hanging_indent() {
        let mut page = page(40);
        page.put(Style::Plain, "  1. ")
            .wrap(Style::Plain, 5, &"word ".repeat(12));
        let text = page.finish();
        assert!(text.lines().all(|line| line.len() <= 40), "{text}");
        assert!(
            text.lines().nth(1).unwrap().starts_with("     word"),
            "{text}"
        );
    }

    #[test]
    fn a_word_longer_than_the_line_is_broken_not_lost() {
        let mut page = page(40);
        page.wrap(Style::Plain, 0, &"x".repeat(95));
        assert_eq!(page.finish().matches('x').count(), 95);
    }

    #[test]
    fn foreign_text_cannot_reach_the_terminal_raw() {
        let mut page = page(80);
        page.put(Style::Bad, "\x1B[2J")
            .put_cut(Style::Plain, "\u{202E}");
        page.end().wrap(Style::Plain, 2, "a\u{9B}b\r\nc");
        let text = page.finish();
        assert!(
            !text.chars().any(|c| c != '\n' && safe::is_hidden(c)),
            "{text:?}"
        );
    }
}
