//! Rows of equal kind. The width is always ours: without one comfy-table wraps nothing, and a
//! column of host names would be cut in the middle of a name.

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, Table as Comfy, Width, presets,
};

use super::page::Page;
use super::painter::{Painter, Style};
use super::safe;

/// A table without lines, as `ls -l` prints one.
#[derive(Debug)]
pub struct Table {
    paint: Painter,
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

#[derive(Debug)]
struct Column {
    heading: String,
    /// It holds numbers, whose ends stand below each other.
    right: bool,
    /// Its longest word, in columns of the screen.
    word: usize,
}

/// What a column keeps at least when those before it take all they want.
const LEAST: usize = 10;

/// No word asks for more room than this.
const LONGEST_WORD: usize = 40;

/// On a screen of less, words of columns that do not fit would be broken into pieces of letters.
const NARROW: usize = 50;

/// The blanks between two columns.
const GAP: usize = 2;

impl Table {
    /// A table with these headings.
    pub fn new(paint: Painter, headings: &[&str]) -> Self {
        let column = |heading: &&str| Column {
            heading: (*heading).to_owned(),
            right: false,
            word: longest_word(heading),
        };
        Self {
            paint,
            columns: headings.iter().map(column).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row. Its cells are made safe here.
    pub fn row<S: AsRef<str>>(&mut self, cells: &[S]) {
        let mut row = Vec::with_capacity(cells.len());
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            let text = if self.paint.unicode {
                safe::safe(cell.as_ref())
            } else {
                safe::safe_ascii(cell.as_ref())
            };
            column.word = longest_word(&text).max(column.word);
            row.push(text.into_owned());
        }
        self.rows.push(row);
    }

    /// Aligns a column of numbers to the right.
    pub fn right(&mut self, column: usize) {
        if let Some(column) = self.columns.get_mut(column) {
            column.right = true;
        }
    }

    /// Whether every word has room.
    pub fn fits(&self) -> bool {
        self.needs(LONGEST_WORD) <= self.paint.width
    }

    /// The width at which no column has to break a word of up to `most` columns.
    fn needs(&self, most: usize) -> usize {
        let words = self.columns.iter().map(|column| column.word.min(most));
        words.sum::<usize>() + GAP * self.columns.len().saturating_sub(1)
    }

    /// Takes a column away that can be spared where it is narrow.
    pub fn leave_out(&mut self, heading: &str) {
        let Some(at) = self.columns.iter().position(|c| c.heading == heading) else {
            return;
        };
        self.columns.remove(at);
        for row in self.rows.iter_mut().filter(|row| row.len() > at) {
            row.remove(at);
        }
    }

    /// The finished text, every line ended, no blanks at line ends.
    pub fn finish(self) -> String {
        let narrow = self.paint.width < NARROW && !self.fits();
        if narrow || self.needs(LEAST) > self.paint.width {
            return self.records();
        }
        let mut inner = Comfy::new();
        inner.load_style(presets::NOTHING);
        inner.set_content_arrangement(ContentArrangement::Dynamic);
        inner.set_width(u16::try_from(self.paint.width).unwrap_or(u16::MAX));
        inner.set_header(self.columns.iter().map(|column| &column.heading));
        inner.add_rows(self.rows);
        // Words are kept whole from the left on, as far as every later column keeps a little room.
        let mut left = Some(self.paint.width);
        for (n, known) in self.columns.iter().enumerate() {
            let Some(column) = inner.column_mut(n) else {
                continue;
            };
            if known.right {
                column.set_cell_alignment(CellAlignment::Right);
            }
            let later = (self.columns.len() - n - 1) * LEAST;
            let own = known.word + GAP;
            left = left
                .filter(|left| own + later <= *left)
                .map(|left| left - own);
            if let (Some(_), Ok(own)) = (left, u16::try_from(own)) {
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(own)));
            }
        }
        let mut text = inner.trim_fmt();
        text.push('\n');
        text
    }

    /// Where columns would be of single letters: a line for each cell, its heading before it.
    fn records(&self) -> String {
        let labels = self.columns.iter().map(|c| safe::width(&c.heading));
        let at = labels.max().unwrap_or(0) + 1 + GAP;
        let mut page = Page::new(self.paint);
        for (n, row) in self.rows.iter().enumerate() {
            if n > 0 {
                page.end();
            }
            let told = self.columns.iter().zip(row);
            for (column, cell) in told.filter(|(_, cell)| !matches!(cell.as_str(), "" | "-")) {
                page.put(Style::Plain, " ")
                    .put(Style::Dim, &column.heading)
                    .tab(at)
                    .wrap(Style::Plain, at, cell);
            }
        }
        page.finish()
    }
}

fn longest_word(text: &str) -> usize {
    let words = text.split(' ').map(safe::width);
    words.max().unwrap_or(0).min(LONGEST_WORD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(width: usize) -> String {
        let mut table = Table::new(Painter::plain(width), &["cause", "number", "reported by"]);
        table.right(1);
        table.row(&[
            "connection-failed",
            "44",
            "mail.example.net 30, a-rather-long-name.example.org 14",
        ]);
        table.row(&["dnsbl", "7", "mx.example.com 7"]);
        table.finish()
    }

    #[test]
    fn no_line_is_wider_than_told_and_names_stay_whole() {
        for width in [60, 80, 200] {
            let text = table(width);
            assert!(
                text.lines().all(|line| line.len() <= width),
                "{width}:\n{text}"
            );
            assert!(
                text.contains("a-rather-long-name.example.org"),
                "{width}:\n{text}"
            );
            assert!(text.lines().all(|line| !line.ends_with(' ')), "{text}");
        }
    }

    #[test]
    fn where_columns_would_be_of_letters_each_cell_has_a_line() {
        let mut table = Table::new(
            Painter::plain(30),
            &["cause", "number", "reported by", "at"],
        );
        table.row(&["connection-failed", "-", "mail.example.net", "now"]);
        table.row(&["dnsbl", "7", "mx.example.com", "now"]);
        assert_eq!(
            table.finish(),
            " cause        connection-faile\n              d\n reported by  mail.example.net\n \
             at           now\n\n cause        dnsbl\n number       7\n \
             reported by  mx.example.com\n at           now\n"
        );
    }

    #[test]
    fn what_can_be_spared_goes_when_words_would_break() {
        let mut table = Table::new(Painter::plain(40), &["server", "connect", "TLS"]);
        table.row(&["mail.example.org", "0.1 ms", "1.3, self-signed"]);
        assert!(table.fits());
        table.row(&["another.mail.example.org", "0.1 ms", "1.3, valid"]);
        assert!(!table.fits());
        table.leave_out("connect");
        let text = table.finish();
        assert!(
            text.contains(" another.mail.example.org  1.3, valid"),
            "{text}"
        );
        assert!(!text.contains("connect"), "{text}");
    }

    #[test]
    fn escapes_in_cells_are_shown() {
        let mut table = Table::new(Painter::plain(80), &["name"]);
        table.row(&["\x1B[31m"]);
        assert!(table.finish().contains(r"\x1B[31m"));
    }
}
