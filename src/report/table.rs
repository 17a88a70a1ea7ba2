//! Rows of equal kind. The width is always ours: without one comfy-table wraps nothing, and a
//! column of host names would be cut in the middle of a name.

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, Table as Comfy, Width, presets,
};

use super::painter::Painter;
use super::safe;

/// A table without lines, as `ls -l` prints one.
#[derive(Debug)]
pub struct Table {
    inner: Comfy,
    paint: Painter,
    /// The longest word of each column, in columns of the screen.
    words: Vec<usize>,
}

/// What a column keeps at least when those before it take all they want.
const LEAST: usize = 10;

/// No word asks for more room than this.
const LONGEST_WORD: usize = 40;

impl Table {
    /// A table with these headings.
    pub fn new(paint: Painter, headings: &[&str]) -> Self {
        let mut inner = Comfy::new();
        inner.load_style(presets::NOTHING);
        inner.set_content_arrangement(ContentArrangement::Dynamic);
        inner.set_width(u16::try_from(paint.width).unwrap_or(u16::MAX));
        let mut table = Self {
            inner,
            paint,
            words: vec![0; headings.len()],
        };
        let cells = table.cells(headings);
        table.inner.set_header(cells);
        table
    }

    /// Adds a row. Its cells are made safe here.
    pub fn row<S: AsRef<str>>(&mut self, cells: &[S]) {
        let cells = self.cells(cells);
        self.inner.add_row(cells);
    }

    fn cells<S: AsRef<str>>(&mut self, cells: &[S]) -> Vec<String> {
        let mut out = Vec::with_capacity(cells.len());
        for (n, cell) in cells.iter().enumerate() {
            let cell = cell.as_ref();
            let text = if self.paint.unicode {
                safe::safe(cell)
            } else {
                safe::safe_ascii(cell)
            };
            let longest = text.split(' ').map(safe::width).max().unwrap_or(0);
            if let Some(known) = self.words.get_mut(n) {
                *known = longest.min(LONGEST_WORD).max(*known);
            }
            out.push(text.into_owned());
        }
        out
    }

    /// Aligns a column of numbers to the right.
    pub fn right(&mut self, column: usize) {
        if let Some(column) = self.inner.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }

    /// The finished text, every line ended, no blanks at line ends.
    pub fn finish(mut self) -> String {
        // Words are kept whole from the left on, as far as every later column keeps a little room.
        let mut left = self.paint.width;
        for (n, &word) in self.words.iter().enumerate() {
            let later = (self.words.len() - n - 1) * LEAST;
            if word + 2 + later > left {
                break;
            }
            left -= word + 2;
            if let (Some(column), Ok(word)) = (self.inner.column_mut(n), u16::try_from(word + 2)) {
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(word)));
            }
        }
        let mut text = self.inner.trim_fmt();
        text.push('\n');
        text
    }
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
    fn escapes_in_cells_are_shown() {
        let mut table = Table::new(Painter::plain(80), &["name"]);
        table.row(&["\x1B[31m"]);
        assert!(table.finish().contains(r"\x1B[31m"));
    }
}
