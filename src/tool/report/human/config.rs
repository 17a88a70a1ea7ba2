//! The settings in force, as a table.

use crate::config::Settings;
use crate::report::page::Page;
use crate::report::painter::{Painter, Style};
use crate::report::table::Table;

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
        page.put(Style::Plain, "File: ")
            .put(Style::Strong, &file)
            .put(Style::Dim, state)
            .end()
            .end();
    }
    let mut table = Table::new(paint, &["setting", "value", "from"]);
    for line in settings.effective() {
        table.row(&[line.key, &line.value, &line.place]);
    }
    page.finish() + &table.finish()
}
