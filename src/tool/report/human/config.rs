//! The settings in force, as a table.

use crate::config::Settings;
use crate::report::page::Page;
use crate::report::painter::{Painter, Style};
use crate::report::table::Table;

const LABEL: &str = "File: ";

/// Every setting, its value and where that came from.
pub fn config(settings: &Settings, paint: Painter) -> String {
    let mut page = Page::new(paint);
    let file = settings
        .file
        .as_ref()
        .map(|path| path.display().to_string());
    let state = if settings.file_read {
        ""
    } else {
        " (not there: all settings have their defaults)"
    };
    if let Some(file) = file {
        page.put(Style::Plain, LABEL).put(Style::Strong, &file);
        if state.is_empty() || LABEL.len() + file.len() + state.len() <= paint.width {
            page.put(Style::Dim, state).end();
        } else {
            page.end();
            page.tab(LABEL.len())
                .wrap(Style::Dim, LABEL.len(), state.trim_start());
        }
        page.end();
    }
    let mut table = Table::new(paint, &["setting", "value", "from"]);
    for line in settings.effective() {
        table.row(&[line.key, &line.value, &line.place]);
    }
    page.finish() + &table.finish()
}
