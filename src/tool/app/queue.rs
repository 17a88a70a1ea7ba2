//! `mailtrace queue`.

use std::path::Path;

use crate::cli::queue::{Order as Wish, Queue};
use crate::config::Format;
use crate::exit::Exit;
use crate::mta::queue::control::{Order, OrderError, order};
use crate::mta::queue::{Entry, QueueId, look};
use crate::report::{human, json};

use super::Context;
use super::output::{Output, complain};
use super::serve::folder;

pub(super) fn run(command: &Queue, context: &Context) -> Exit {
    let outcome = match &command.order {
        Wish::List(spool) => with(spool.spool.as_deref(), |at| list(at, context)),
        Wish::Show(one) => with(one.spool.spool.as_deref(), |at| show(at, one.id, context)),
        Wish::Flush(some) => say(&some.spool.spool, Order::Flush, &some.ids, context),
        Wish::Hold(some) => say(&some.spool.spool, Order::Hold, &some.ids, context),
        Wish::Release(some) => say(&some.spool.spool, Order::Release, &some.ids, context),
        Wish::Remove(some) => say(&some.spool.spool, Order::Remove, &some.ids, context),
    };
    outcome.unwrap_or_else(|why| {
        complain(&why);
        Exit::Unusable
    })
}

fn with(
    spool: Option<&Path>,
    act: impl FnOnce(&Path) -> Result<Exit, String>,
) -> Result<Exit, String> {
    let spool = folder(spool, "spool")?;
    // Looking must not make one.
    if !spool.join("journal").is_dir() {
        let name = spool.display();
        return Err(format!(
            "{name}: there is no queue; give the --spool of the server"
        ));
    }
    act(&spool)
}

fn entries(spool: &Path) -> Result<Vec<Entry>, String> {
    look(spool).map_err(|e| format!("{}: {}", spool.display(), crate::words::reason(&e)))
}

fn list(spool: &Path, context: &Context) -> Result<Exit, String> {
    let entries = entries(spool)?;
    let text = match context.settings.values.format {
        Format::Json => entries
            .iter()
            .map(|entry| json::queue::entry(entry, None))
            .collect(),
        _ => human::queue::list(&entries, context.paint),
    };
    Ok(Output::new().write_all(text.as_bytes()))
}

fn show(spool: &Path, id: QueueId, context: &Context) -> Result<Exit, String> {
    let entries = entries(spool)?;
    let Some(entry) = entries.iter().find(|entry| entry.id == id) else {
        complain(&OrderError::NoSuch(id).to_string());
        return Ok(Exit::Bad);
    };
    let text = entry.text.load();
    let text = text.map_err(|e| format!("{id}: {}", crate::words::reason(&e)))?;
    let text = match context.settings.values.format {
        Format::Json => json::queue::entry(entry, Some(text.as_ref())),
        _ => human::queue::show(entry, text.as_ref(), context.paint),
    };
    Ok(Output::new().write_all(text.as_bytes()))
}

fn say(
    spool: &Option<std::path::PathBuf>,
    what: Order,
    ids: &[QueueId],
    context: &Context,
) -> Result<Exit, String> {
    with(spool.as_deref(), |at| match order(at, what, ids) {
        Ok(done) => {
            let text = match context.settings.values.format {
                Format::Json => json::queue::done(what, done),
                _ => human::queue::done(what, done),
            };
            Ok(Output::new().write_all(text.as_bytes()))
        }
        Err(error @ OrderError::NoSuch(_)) => {
            complain(&error.to_string());
            Ok(Exit::Bad)
        }
        Err(error) => Err(error.to_string()),
    })
}
