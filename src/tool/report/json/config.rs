//! `mailtrace/config/1`: the settings in force.

use std::path::Path;

use crate::config::Settings;

use super::write::Object;

/// One line: every setting with its value and origin.
pub fn config(settings: &Settings) -> String {
    let mut out = String::new();
    let mut object = Object::new(&mut out);
    let file = settings.file.as_deref().map(Path::to_string_lossy);
    object
        .id("schema", Some("mailtrace/config/1"))
        .maybe("file", file.as_deref())
        .truth("file_read", Some(settings.file_read))
        .object("settings", |object| {
            for line in settings.effective() {
                object.object(line.key, |object| {
                    object
                        .text("value", &line.value)
                        .id("origin", Some(line.origin.id()))
                        .text("place", &line.place);
                });
            }
        });
    object.end();
    out.push('\n');
    out
}
