//! `send-test --scenario`: one, all, or the list of them.

use std::time::Instant;

use futures_util::StreamExt;

use crate::app::Context;
use crate::app::output::{Output, complain};
use crate::cli::send_test::SendTest;
use crate::config::Format;
use crate::exit::Exit;
use crate::report::{human, json};
use crate::send::chain::play::Wish;
use crate::send::scenario::{self, Played, Scenario};

use super::{CLEAN, Stage, content, exit, folder, interrupted, look};

/// The names of all.
pub(super) fn list(context: &Context) -> Exit {
    let mut text = String::new();
    match context.settings.values.format {
        Format::Json => {
            for scenario in scenario::all() {
                json::send_test::listed(&mut text, scenario);
            }
        }
        _ => text = human::send_test::scenarios(scenario::all(), context.paint),
    }
    Output::new().write_all(text.as_bytes())
}

/// One of them.
pub(super) fn one(
    name: &str,
    command: &SendTest,
    wish: &Wish,
    context: &Context,
) -> Result<Exit, String> {
    let scenario = Scenario::named(name).ok_or_else(|| {
        format!("--scenario: there is no \"{name}\"; `--scenario list` shows all there are")
    })?;
    let stage = Stage::new()?;
    let folder = folder(command)?;
    let played = stage.run(scenario.play(folder.path(), wish));
    let Some(played) = played else {
        drop(folder);
        interrupted(CLEAN);
    };
    let mut played = played.map_err(|error| error.to_string())?;
    played.round.kept = folder.stays().map(std::path::Path::to_path_buf);
    if !played.right {
        complain(&format!(
            "scenario {}: expected {}; what came back is explained otherwise",
            scenario.name,
            scenario.causes.join(" or ")
        ));
    }
    let mut text = String::new();
    match context.settings.values.format {
        Format::Json => json::send_test::scenario(&mut text, &played, audience(context)),
        _ => text = human::send_test::scenario(&played, look(context, false)),
    }
    match Output::new().write_all(text.as_bytes()) {
        Exit::Good => Ok(exit(&played.round)),
        other => Ok(other),
    }
}

/// All of them, and whether every explanation is right.
pub(super) fn all(command: &SendTest, context: &Context) -> Result<Exit, String> {
    let stage = Stage::new()?;
    let folder = command
        .keep
        .is_some()
        .then(|| folder(command))
        .transpose()?;
    let started = Instant::now();
    let is_json = context.settings.values.format == Format::Json;
    let mut out = Output::new();
    let mut all: Vec<Played> = Vec::new();
    let mut failed = false;
    let work = async {
        let wish = || content::wish(&command.content).ok();
        let dir = folder
            .as_ref()
            .map(crate::send::chain::folder::Folder::path);
        let mut plays = std::pin::pin!(scenario::play_all(dir, wish));
        while let Some((scenario, played)) = plays.next().await {
            let played = match played {
                Ok(played) => played,
                Err(error) => {
                    complain(&format!("scenario {}: {error}", scenario.name));
                    failed = true;
                    continue;
                }
            };
            if is_json {
                let mut text = String::new();
                json::send_test::scenario(&mut text, &played, audience(context));
                if let Err(stopped) = out.write(text.as_bytes()) {
                    return Some(stopped.exit());
                }
            }
            all.push(played);
        }
        None
    };
    let ended = stage.run(work);
    let Some(ended) = ended else {
        drop(folder);
        interrupted(CLEAN);
    };
    if let Some(exit) = ended {
        return Ok(exit);
    }
    if !is_json {
        let text = human::send_test::table(&all, started.elapsed(), context.paint);
        match out.write_all(text.as_bytes()) {
            Exit::Good => {}
            other => return Ok(other),
        }
    }
    let right = !failed && all.iter().all(|played| played.right);
    Ok(if right { Exit::Good } else { Exit::Bad })
}

fn audience(context: &Context) -> crate::bounce::advice::Audience {
    context.settings.values.audience
}
