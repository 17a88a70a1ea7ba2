//! `mailtrace config`.

use crate::config::Format;
use crate::exit::Exit;
use crate::report::{human, json};

use super::Context;
use super::output::Output;

pub(super) fn run(context: &Context) -> Exit {
    let text = match context.settings.values.format {
        Format::Json => json::config::config(&context.settings),
        _ => human::config::config(&context.settings, context.paint),
    };
    Output::new().write_all(text.as_bytes())
}
