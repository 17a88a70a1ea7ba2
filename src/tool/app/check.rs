//! `mailtrace check`.

mod show;

use std::io::{self, BufRead, IsTerminal};
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::mpsc;

use crate::check::{BadTarget, Checker, Options, Target};
use crate::cli::Check;
use crate::config::Values;
use crate::dns::{Resolver, servers};
use crate::exit::Exit;
use crate::smtp::Families;
use crate::smtp::tls::{Roots, Trust};

use super::Context;
use super::network;
use super::output::complain;
use show::Show;

/// Targets that are worked on at the same time; the connections they open have a limit of their
/// own.
const AT_ONCE: usize = 64;
/// Connections at a time, unless `-j` says otherwise.
const CONNECTIONS: usize = 8;
/// Lines of the list that are read ahead.
const AHEAD: usize = 256;

pub(super) fn run(command: &Check, context: &Context) -> Exit {
    let values = &context.settings.values;
    let options = match options(command, values) {
        Ok(options) => options,
        Err(why) => {
            complain(&why);
            return Exit::Unusable;
        }
    };
    let servers = match values.resolver.as_slice() {
        [] => servers::system(),
        named => Ok(named.to_vec()),
    };
    let servers = servers.unwrap_or_else(|error| {
        complain(&error.to_string());
        Vec::new()
    });
    let runtime = match network::runtime() {
        Ok(runtime) => runtime,
        Err(why) => {
            complain(&why);
            return Exit::Unusable;
        }
    };
    let listed = command.targets.is_empty() || command.targets.iter().any(|t| t == "-");
    if listed && io::stdin().is_terminal() {
        complain("reading targets, one on each line, from standard input; end with Ctrl-D");
    }
    let several = listed || command.targets.len() > 1;
    let mut show = Show::new(context, command.summary, several);
    runtime.block_on(async {
        let checker = &Checker::new(Resolver::new(&servers), options);
        let lines = texts(&command.targets);
        let mut work = std::pin::pin!(
            lines
                .map(async |text| match Target::parse(&text) {
                    Ok(target) => Ok(checker.check(&target).await),
                    Err(error) => Err((text, error)),
                })
                .buffered(AT_ONCE)
        );
        while let Some(done) = work.next().await {
            if show.one(&done).is_break() {
                break;
            }
        }
    });
    // A thread may still wait for a line of the list; nobody waits for it.
    runtime.shutdown_background();
    show.end()
}

/// One target, checked, or the text that is none.
type Done = Result<crate::check::Checkup, (String, BadTarget)>;

fn options(command: &Check, values: &Values) -> Result<Options, String> {
    let mut options = Options::at(chrono::Utc::now());
    options.port = command.port.unwrap_or(options.port);
    options.tls = command.tls.unwrap_or_default();
    options.helo = network::helo(command.helo.as_ref())?;
    options.from = command.from.as_deref().map(sender).transpose()?;
    options.server.clone_from(&command.server);
    options.relay_test = command.relay_test;
    options.injection_test = command.injection_test;
    options.catch_all = command.catch_all;
    options.dns_only = command.dns_only;
    options.fetch_policy = !command.no_policy;
    options.wait = command.wait.map(Duration::from_secs_f64);
    options.selectors.clone_from(&command.selector);
    options.families = Families {
        v4: !values.ipv6_only(),
        v6: !values.ipv4_only(),
    };
    options.timeout = values.timeout.unwrap_or(options.timeout);
    options.connections = values.jobs.unwrap_or(CONNECTIONS);
    if let Some(path) = &command.ca_file {
        options.roots = Roots::of_file(trust(path)?);
    }
    Ok(options)
}

/// The certificates of `--ca-file`.
pub(super) fn trust(path: &Path) -> Result<Trust, String> {
    let name = path.display();
    let pem = std::fs::read(path);
    let pem = pem.map_err(|e| format!("{name}: {}; check the path", crate::words::reason(&e)))?;
    Trust::from_pem(&pem)
        .map_err(|e| format!("{name}: {e}; the file has to have \"BEGIN CERTIFICATE\" in it"))
}

/// An envelope sender; `<>` and nothing are the null sender.
fn sender(text: &str) -> Result<String, String> {
    let bare = text.trim().trim_start_matches('<').trim_end_matches('>');
    if bare.contains(|c: char| c.is_control() || "<> ".contains(c)) {
        return Err(format!(
            "--from: \"{text}\" is no mail address; give one such as me@example.net, or <>"
        ));
    }
    Ok(bare.to_string())
}

/// The targets: those given, and in place of `-` the lines of standard input.
fn texts(given: &[String]) -> impl futures_util::Stream<Item = String> + use<> {
    let given = match given {
        [] => vec!["-".to_string()],
        given => given.to_vec(),
    };
    stream::iter(given).flat_map(|text| {
        if text != "-" {
            return stream::once(std::future::ready(text)).left_stream();
        }
        let (give, take) = mpsc::channel(AHEAD);
        // Reading blocks, so it has a thread of its own.
        std::thread::spawn(move || {
            // A line that is no text is no target, and the others are checked all the same.
            for line in io::stdin().lock().split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line);
                let line = line.trim();
                let wanted = !line.is_empty() && !line.starts_with('#');
                if wanted && give.blocking_send(line.to_string()).is_err() {
                    return;
                }
            }
        });
        let lines = stream::unfold(take, async |mut take| {
            let line = take.recv().await?;
            Some((line, take))
        });
        lines.right_stream()
    })
}
