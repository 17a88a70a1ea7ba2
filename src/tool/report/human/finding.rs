//! How a finding begins, the same in every command: how much it matters, what it is about, and then
//! the words, in a column of their own where there is room for one.

use crate::report::page::Page;
use crate::report::painter::Style;
use crate::severity::Severity;

/// The column of what a finding is about.
pub(super) const PLACE: usize = 10;

/// On a narrower screen the words stand below what they are about: beside it a word of each line
/// would be left.
const ROOM: usize = 60;

/// Where the words stand then.
const BELOW: usize = 3;

/// Writes weight and place; gives the column that the words start at, now and on further lines:
/// `column`, or another one where the screen is narrow.
pub(super) fn begin(page: &mut Page, severity: Severity, place: &str, column: usize) -> usize {
    let style = match severity {
        Severity::Error => Style::Bad,
        Severity::Warning => Style::Passing,
        Severity::Info => Style::Dim,
    };
    page.put(Style::Plain, " ")
        .put(style, severity.id())
        .tab(PLACE);
    let narrow = page.painter().width < ROOM;
    let column = match (narrow, place.is_empty()) {
        (false, _) => column,
        (true, true) => PLACE,
        (true, false) => BELOW,
    };
    page.put(Style::Plain, place);
    if page.column() > column {
        page.end();
    }
    page.tab(column);
    column
}
