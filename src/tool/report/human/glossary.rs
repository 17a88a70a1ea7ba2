//! Words and their meanings.

use crate::glossary::{ROAD, Term};
use crate::report::page::Page;
use crate::report::painter::{Painter, Style};

/// Labels stand left of this column.
const TEXT: usize = 11;

/// These words; with `road` the picture of the road first.
pub fn terms<'t>(terms: impl IntoIterator<Item = &'t Term>, road: bool, paint: Painter) -> String {
    let mut page = Page::new(paint);
    if road {
        page.put(Style::Plain, "The road of a mail: ")
            .wrap(Style::Strong, 2, ROAD)
            .end();
    }
    for (n, term) in terms.into_iter().enumerate() {
        if n > 0 {
            page.end();
        }
        page.put(Style::Strong, term.word);
        if let Some(name) = term.name {
            page.put(Style::Plain, " ").put(Style::Plain, name);
        }
        page.end();
        page.put(Style::Plain, "  ")
            .wrap(Style::Plain, 2, term.text);
        page.put(Style::Dim, "  Where")
            .tab(TEXT)
            .wrap(Style::Plain, TEXT, term.place);
        page.put(Style::Dim, "  Example")
            .tab(TEXT)
            .wrap(Style::Plain, TEXT, term.example);
        if !term.also.is_empty() {
            page.put(Style::Dim, "  Also").tab(TEXT).wrap(
                Style::Plain,
                TEXT,
                &term.also.join(", "),
            );
        }
    }
    page.finish()
}
