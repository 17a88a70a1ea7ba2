//! Real sends: to a server that was named, or to those of the recipients' domains.

use std::io::IsTerminal;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::{Duration, SystemTime};

use chrono::Utc;
use tokio::time::Instant;

use crate::app::Context;
use crate::app::output::complain;
use crate::cli::send_test::{ImapUrl, SendTest};
use crate::dns::{Resolver, servers};
use crate::exit::Exit;
use crate::send::chain::play::Wish;
use crate::send::dispatch::{address_of, dispatch};
use crate::send::hand_over::Letter;
use crate::send::imap::{Account, Encryption};
use crate::send::wait::imap::Mailbox;
use crate::send::wait::maildir::Maildir;
use crate::send::wait::receiver::Receiver;
use crate::send::wait::{Hope, Source, wait};
use crate::send::{Outcome, Round, filtered};
use crate::smtp::sasl::{Credentials, Secret};

use super::setting::Setting;
use super::{Stage, exit, interrupted, secret, series, show};

/// How long to wait when there is a place to look into and nothing else was said.
const WAIT: f64 = 60.0;

pub(super) fn run(command: &SendTest, wish: Wish, context: &Context) -> Result<Exit, String> {
    let setting = Setting::of(command, wish)?;
    let resolver = resolver(context);
    let stage = Stage::new()?;
    stage.run_to_the_end(async {
        match command.count {
            Some(count) if count > 1 => {
                series::series(command, &setting, count, context, &resolver).await
            }
            _ => one(command, &setting, context, &resolver).await,
        }
    })
}

fn resolver(context: &Context) -> Resolver {
    let servers = match context.settings.values.resolver.as_slice() {
        [] => servers::system(),
        named => Ok(named.to_vec()),
    };
    // Without any the names cannot be looked up, and addresses need not be.
    Resolver::lasting(&servers.unwrap_or_default())
}

async fn one(
    command: &SendTest,
    setting: &Setting,
    context: &Context,
    resolver: &Resolver,
) -> Result<Exit, String> {
    let start = SystemTime::now();
    let letter = setting.letter(&setting.wish)?;
    let mut places = places(command, setting, start, context, resolver).await?;
    let patience = match (command.waiting.wait, places.is_empty()) {
        (Some(seconds), _) => Some(seconds),
        (None, false) => Some(WAIT),
        (None, true) => None,
    };
    let began = Instant::now();
    let until = patience.map(|seconds| began + Duration::from_secs_f64(seconds));
    let mut round = setting.round(&setting.wish);
    let way = setting.way(command, context, until);
    let mut manner = setting.manner.clone();
    if let Some(limit) = context.settings.values.timeout {
        manner.deadlines = manner.deadlines.until(began + limit);
    }
    tokio::select! {
        () = dispatch(&mut round, &letter, &manner, &way, resolver) => {}
        _ = tokio::signal::ctrl_c() => interrupted("the message may have been taken all the same"),
    }
    say_about(&mut round, setting, &letter);
    let out = matches!(round.outcome, Outcome::Accepted | Outcome::Partly) || round.is_uncertain();
    if let (Some(until), true, false) = (until, out, places.is_empty()) {
        let hope = Hope {
            token: &setting.wish.draft.token,
            sent: &letter.message,
            since: began,
            until,
            both: letter
                .notify
                .as_deref()
                .is_some_and(|n| n.contains("SUCCESS")),
        };
        if context.settings.values.progress && std::io::stderr().is_terminal() {
            complain("waiting for the message; Ctrl-C ends that");
        }
        // Ctrl-C shows what there is so far.
        tokio::select! {
            () = wait(&mut round, &mut places, &hope) => {}
            _ = tokio::signal::ctrl_c() => round.note("interrupted", "The waiting was interrupted."),
        }
        close(&mut places).await;
    } else if command.waiting.wait.is_some() && places.is_empty() && out {
        round.note(
            "nowhere-to-look",
            "Whether it arrives cannot be seen: give --wait-maildir, --wait-imap or --listen.",
        );
    }
    let draft = &setting.wish.draft;
    filtered::judge(&mut round, draft.eicar, draft.gtube);
    round.took = began.elapsed();
    let exit = exit(&round);
    match show(&round, true, context) {
        Exit::Good => Ok(exit),
        other => Ok(other),
    }
}

/// What is worth telling about what was asked for and could not be had.
fn say_about(round: &mut Round, setting: &Setting, letter: &Letter) {
    let dsn = round.attempts.last().is_some_and(|handed| handed.dsn);
    let talked = round
        .attempts
        .last()
        .is_some_and(|handed| !handed.fates.is_empty());
    if letter.notify.is_some() && talked && !dsn {
        round.note(
            "no-dsn",
            "The server does not offer DSN, so success cannot be confirmed by it.",
        );
    }
    if let Some(signer) = &setting.signer {
        let (name, text) = signer.record();
        round.note(
            "dkim-record",
            &format!("For the signature to count, the DNS has to say: {name} TXT \"{text}\""),
        );
    }
}

async fn places(
    command: &SendTest,
    setting: &Setting,
    start: SystemTime,
    context: &Context,
    resolver: &Resolver,
) -> Result<Vec<Source>, String> {
    let waiting = &command.waiting;
    let mut places = Vec::new();
    for dir in &waiting.wait_maildir {
        // The first delivery may be what makes it.
        if !dir.is_dir() && !dir.parent().is_some_and(Path::is_dir) {
            return Err(format!(
                "{}: there is no such folder; check --wait-maildir",
                dir.display()
            ));
        }
        places.push(Source::Maildir(Maildir::new(dir, start)));
    }
    if let Some(at) = waiting.listen {
        let mut addresses = setting.to.clone();
        addresses.push(setting.from.clone());
        addresses.push(setting.sender(&setting.wish.draft.token));
        if !at.ip().is_loopback() {
            complain(&format!("warning: {at} can be reached from other machines"));
        }
        let receiver = Receiver::start(at, &addresses).await?;
        complain(&format!("listening on {}", receiver.at));
        places.push(Source::Receiver(receiver));
    }
    if let Some(url) = &waiting.wait_imap {
        let mailbox = mailbox(url, command, setting, context, resolver).await?;
        places.push(Source::Imap(Box::new(mailbox)));
    }
    Ok(places)
}

/// The folder of a mailbox, looked into over IMAP.
async fn mailbox(
    url: &ImapUrl,
    command: &SendTest,
    setting: &Setting,
    context: &Context,
    resolver: &Resolver,
) -> Result<Mailbox, String> {
    let password = match &url.password {
        Some(password) => {
            complain(
                "the password in the URL can be seen by others on this machine; better: MAILTRACE_IMAP_PASSWORD",
            );
            password.clone()
        }
        None => {
            let file = command.waiting.wait_imap_password_file.as_deref();
            let whom = format!("{} at {}", url.user, url.host);
            secret::password(file, "MAILTRACE_IMAP_PASSWORD", &whom)?
        }
    };
    let way = setting.way(command, context, None);
    let ip = address_of(&url.host, &way.families, resolver).await;
    let ip: IpAddr = ip.map_err(|why| format!("--wait-imap: {why}"))?;
    let account = Account {
        host: url.host.to_string(),
        at: SocketAddr::new(ip, url.port),
        encryption: match url.implicit {
            true => Encryption::Implicit,
            false => Encryption::StartTls,
        },
        credentials: Credentials {
            user: url.user.clone(),
            secret: Secret::Password(password),
        },
        roots: setting.manner.roots.clone().unwrap_or_default(),
    };
    Ok(Mailbox::new(account, &url.folder, Utc::now()))
}

async fn close(places: &mut [Source]) {
    for place in places {
        if let Source::Imap(mailbox) = place {
            mailbox.close().await;
        }
    }
}
