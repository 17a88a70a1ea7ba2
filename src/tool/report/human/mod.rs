//! Results for people: one file per command.

pub mod check;
pub mod config;
pub mod dnsbl;
pub mod explain;
mod finding;
pub mod glossary;
pub mod queue;
pub mod route;
pub mod send_test;
pub mod summary;

use super::page::Page;
use super::painter::{Painter, Style};

/// The name of an input above what is told of it, when there are several: as `head` and `tail` do.
fn title(page: &mut Page, name: &str) {
    page.put(Style::Dim, "==> ")
        .put(Style::Strong, name)
        .put(Style::Dim, " <==")
        .end();
}

/// The common uses, for somebody who asked nothing.
pub fn usage(paint: Painter) -> String {
    const USES: [(&str, &str); 4] = [
        (
            "mailtrace explain bounce.eml",
            "why did this mail come back?",
        ),
        (
            "mailtrace route message.eml",
            "which way did it come, and who is to be believed?",
        ),
        (
            "mailtrace dnsbl 192.0.2.25",
            "is this address on a block list?",
        ),
        ("mailtrace check bob@example.net", "can mail get there?"),
    ];
    let mut page = Page::new(paint);
    for (command, what) in USES {
        page.put(Style::Plain, "  ")
            .put(Style::Strong, command)
            .tab(36)
            .wrap(Style::Plain, 36, what);
    }
    page.end().wrap(
        Style::Plain,
        0,
        "A mail piped into `mailtrace` is understood as well. `mailtrace help` shows all \
             commands, `mailtrace glossary` the words.",
    );
    page.finish()
}
