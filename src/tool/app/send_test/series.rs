//! Many messages, one after the other or several at once.

use std::io::IsTerminal;
use std::time::Duration;

use chrono::Utc;
use futures_util::StreamExt;
use tokio::time::Instant;

use crate::app::Context;
use crate::app::output::{Output, complain};
use crate::cli::send_test::SendTest;
use crate::config::Format;
use crate::dns::Resolver;
use crate::exit::Exit;
use crate::report::{human, json};
use crate::send::dispatch::{Way, address_of, dispatch};
use crate::send::series::Series;
use crate::send::{Outcome, Round, Token};

use super::setting::Setting;

/// Messages on their way at the same time, unless `-j` says otherwise.
const AT_ONCE: usize = 4;
/// Between two messages to a server beyond this machine: a test is no flood.
const MANNERS: Duration = Duration::from_secs(10);

pub(super) async fn series(
    command: &SendTest,
    setting: &Setting,
    count: u32,
    context: &Context,
    resolver: &Resolver,
) -> Result<Exit, String> {
    if setting.to.is_empty() {
        return Err("--count: give --to as well".to_string());
    }
    if let Some(flag) = command.waiting.given() {
        return Err(format!(
            "{flag} is for one message: leave it or --count out"
        ));
    }
    let way = setting.way(command, context, None);
    let near = is_near(&way, resolver).await;
    let at_once = match near {
        true => context.settings.values.jobs.unwrap_or(AT_ONCE),
        false => 1,
    };
    if !near && std::io::stderr().is_terminal() {
        let pause = MANNERS.as_secs();
        complain(&format!(
            "{pause} s between two messages: the server is not on this machine; Ctrl-C shows what there is"
        ));
    }
    let began = Instant::now();
    let mut series = Series {
        wanted: usize::try_from(count).unwrap_or(usize::MAX),
        ..Series::default()
    };
    let way = &way;
    let send = |n: u32| async move {
        if !near && n > 0 {
            tokio::time::sleep(MANNERS).await;
        }
        next(setting, way, context, resolver).await
    };
    let mut rounds = std::pin::pin!(
        futures_util::stream::iter(0..count)
            .map(send)
            .buffer_unordered(at_once)
    );
    // Ctrl-C shows what there is so far.
    loop {
        tokio::select! {
            next = rounds.next() => match next {
                Some(round) => series.add(&round?),
                None => break,
            },
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    series.took = began.elapsed();
    match tell(&series, context) {
        Exit::Good => Ok(exit(&series)),
        other => Ok(other),
    }
}

/// Whether the server is on this machine.
async fn is_near(way: &Way, resolver: &Resolver) -> bool {
    let Some((host, _)) = &way.server else {
        return way.socket.is_some();
    };
    let ip = address_of(host, &way.families, resolver).await;
    ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// One more message, with a token of its own.
async fn next(
    setting: &Setting,
    way: &Way,
    context: &Context,
    resolver: &Resolver,
) -> Result<Round, String> {
    let mut wish = setting.wish.clone();
    wish.draft.token = Token::new().ok_or("this machine gives no random numbers")?;
    wish.draft.now = Utc::now();
    let letter = setting.letter(&wish)?;
    let mut round = setting.round(&wish);
    let mut manner = setting.manner.clone();
    if let Some(limit) = context.settings.values.timeout {
        manner.deadlines = manner.deadlines.until(Instant::now() + limit);
    }
    dispatch(&mut round, &letter, &manner, way, resolver).await;
    Ok(round)
}

fn tell(series: &Series, context: &Context) -> Exit {
    let mut text = String::new();
    match context.settings.values.format {
        Format::Json => json::send_test::series(&mut text, series),
        _ => text = human::send_test::series(series, context.paint),
    }
    Output::new().write_all(text.as_bytes())
}

fn exit(series: &Series) -> Exit {
    if series.accepted() == series.wanted {
        Exit::Good
    } else if series.count(Outcome::Rejected) + series.count(Outcome::Partly) > 0 {
        Exit::Bad
    } else {
        Exit::Unknown
    }
}
