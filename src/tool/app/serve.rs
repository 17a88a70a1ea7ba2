//! `mailtrace serve`.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::cli::serve::{LogForm, Serve};
use crate::exit::Exit;
use crate::mta::delivery::Delivery;
use crate::mta::fault::{Faults, scenario};
use crate::mta::journal::{Form, Journal};
use crate::mta::mailboxes::Mailboxes;
use crate::mta::names::Names;
use crate::mta::queue::Queue;
use crate::mta::queue::control::Control;
use crate::mta::server::Server;
use crate::mta::settings::{Filter, Listener, Role, Settings, TlsSource, is_loopback};
use crate::mta::site::Site;

use super::output::{Output, complain};
use super::{Context, outward};

/// Where a server listens when nothing is said.
const DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 2525);

pub(super) fn run(command: &Serve, context: &Context) -> Exit {
    if command.fault.iter().any(|f| f == "list") {
        return scenarios();
    }
    match serve(command, context) {
        Ok(exit) => exit,
        Err(why) => {
            complain(&why);
            Exit::Unusable
        }
    }
}

/// The scenarios that have a name.
fn scenarios() -> Exit {
    let lines = scenario::all()
        .iter()
        .map(|s| format!("{:<22} {} ({})\n", s.name, s.what, s.cause));
    Output::new().write_all(lines.collect::<String>().as_bytes())
}

fn serve(command: &Serve, context: &Context) -> Result<Exit, String> {
    let listeners = listeners(command)?;
    let settings = settings(command)?;
    let faults = faults(command)?;
    let spool = folder(command.spool.as_deref(), "spool")?;
    let maildir = folder(command.maildir.as_deref(), "mail")?;
    std::fs::create_dir_all(&maildir).map_err(|error| {
        let why = crate::words::reason(&error);
        format!(
            "{}: {why}; give --maildir a folder that can be written",
            maildir.display()
        )
    })?;
    let mut mailboxes = Mailboxes::under(&maildir);
    for mailbox in &command.mailbox {
        let added = mailboxes.add(mailbox);
        added.map_err(|error| format!("--mailbox: {error}"))?;
    }
    let queue = Queue::open(&spool).map_err(|error| error.to_string())?;
    let outward = outward::settings(&command.outward, &settings, mailboxes.clone())?;
    let names = outward::names(&command.outward, context)?;
    let journal = Arc::new(journal(command, context));
    // A table in place of the DNS costs nothing to ask.
    let asks = !command.dnsbl.is_empty() || command.spf || command.outward.names.is_some();
    let site = Arc::new(Site::new(
        settings,
        Arc::new(queue.clone()),
        Arc::new(move |address| mailboxes.standing(address)),
        Arc::new(faults),
        journal.clone(),
        asks.then(|| names.clone()),
        SystemTime::now,
    ));
    if let (true, Err(error)) = (site.has_tls(), site.identity()) {
        return Err(format!(
            "TLS: {error}; give --tls-cert and --tls-key as PEM files, or --no-tls"
        ));
    }
    let runtime = super::network::runtime()?;
    let clock = outward::clock(&command.outward);
    let log = outward::log(journal.clone());
    raise_file_limit();
    let done = runtime.block_on(async {
        // Without it the queue can be looked at, but not be given orders; a spool with a very long
        // name is the likely reason.
        match Control::listen(&spool) {
            Ok(control) => drop(tokio::spawn(control.run(queue.clone(), clock.clone()))),
            Err(error) => {
                let why = crate::words::reason(&error);
                complain(&format!("`mailtrace queue` cannot give orders: {why}"));
            }
        }
        let delivery = Delivery::new(queue, outward, names, clock, log);
        listen(site, &listeners, delivery).await
    });
    journal.flush();
    done
}

/// Lets this process have as many connections as the system allows it at all; many systems give
/// a program 1024 to begin with.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: now.maximum,
        ..now
    };
    // Without it the limits of the server still hold.
    let _ = setrlimit(Resource::Nofile, raised);
}

async fn listen(
    site: Arc<Site>,
    listeners: &[Listener],
    delivery: Delivery<Names>,
) -> Result<Exit, String> {
    let no_signals = |_| "signals cannot be waited for on this system".to_string();
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let server = Server::start(site, listeners).await;
    let server = server.map_err(|(at, error)| {
        let why = crate::words::reason(&error);
        format!("{at}: {why}; is another server there? choose another address or port")
    })?;
    let lines = server.addresses.iter();
    let lines: String = lines.map(|at| format!("listening on {at}\n")).collect();
    match Output::new().write_all(lines.as_bytes()) {
        Exit::Good => {}
        other => return Ok(other),
    }
    let (stop, stopped) = watch::channel(false);
    let delivering = tokio::spawn(delivery.run(stopped));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    let _ = stop.send(true);
    let all = async {
        server.stop().await;
        // When it broke off, what it was at is in the queue.
        drop(delivering.await);
    };
    // Who asks twice does not want to wait for anybody.
    tokio::select! {
        () = all => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(Exit::Good)
}

fn listeners(command: &Serve) -> Result<Vec<Listener>, String> {
    let plain = |at: &SocketAddr, role| Listener::new(*at, role);
    let mut all: Vec<Listener> = command
        .listen
        .iter()
        .map(|at| plain(at, Role::Mta))
        .collect();
    all.extend(command.submission.iter().map(|at| plain(at, Role::Msa)));
    all.extend(command.submissions.iter().map(|at| Listener {
        tls_first: true,
        ..plain(at, Role::Msa)
    }));
    all.extend(command.lmtp.iter().map(|at| Listener {
        lmtp: true,
        ..plain(at, Role::Mda)
    }));
    if all.is_empty() {
        all.push(plain(&DEFAULT, Role::Mta));
    }
    all.extend(command.after_filter.iter().map(|at| plain(at, Role::Mfa)));
    let outside: Vec<_> = all
        .iter()
        .filter(|l| !is_loopback(l.at.ip()))
        .map(|l| l.at.to_string())
        .collect();
    if !outside.is_empty() && !command.public {
        return Err(format!(
            "{} can be reached from other machines; listen on 127.0.0.1 or [::1], or say --public",
            outside.join(", ")
        ));
    }
    if !outside.is_empty() {
        complain(&format!(
            "warning: {} can be reached from other machines; this server is made for tests",
            outside.join(", ")
        ));
    }
    Ok(all)
}

pub(super) fn settings(command: &Serve) -> Result<Settings, String> {
    let mut domains = command.domain.clone();
    if domains.is_empty() {
        domains.push("localhost".to_string());
    }
    let host = command.host_name.clone().unwrap_or_else(|| {
        let first = domains.first().map_or("localhost", String::as_str);
        match first {
            "localhost" => first.to_string(),
            domain => format!("mail.{domain}"),
        }
    });
    let mut settings = Settings::new(&host, &[]);
    settings.domains = domains;
    settings.relay_from.clone_from(&command.relay_from);
    settings.relay_to.clone_from(&command.relay_to);
    for (name, file) in &command.user {
        settings.users.push((name.clone(), password(file)?));
    }
    settings.tls = match (&command.tls_cert, &command.tls_key) {
        (Some(certificate), Some(key)) => TlsSource::Files {
            certificate: certificate.clone(),
            key: key.clone(),
        },
        _ if command.no_tls => TlsSource::Off,
        _ => TlsSource::OnTheFly,
    };
    settings.require_tls = command.require_tls;
    settings.require_auth = command.require_auth;
    settings.auth_in_clear = command.auth_in_clear;
    settings.dnsbl.clone_from(&command.dnsbl);
    settings.greylist = command.greylist;
    settings.spf = command.spf;
    settings.filter = command.filter.as_deref().map(filter).transpose()?;
    if let Some(Filter::Command(line)) = &settings.filter {
        let program = line.split_whitespace().next().unwrap_or_default();
        if program.is_empty() || program.contains('/') && !Path::new(program).exists() {
            return Err(format!(
                "--filter \"{program}\": there is no such program; give a command, or HOST:PORT of an SMTP server"
            ));
        }
    }
    for limit in &command.limit {
        let set = settings.limits.set(limit);
        set.map_err(|error| format!("--limit {limit}: {error}"))?;
    }
    if let Some(size) = command.max_size {
        settings.limits.message = size;
    }
    Ok(settings)
}

/// The first line of a file.
pub(super) fn password(file: &Path) -> Result<String, String> {
    let name = file.display();
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|e| format!("{name}: {}; check --user", crate::words::reason(&e)))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_string()),
        _ => Err(format!("{name}: there is no password on the first line")),
    }
}

/// `HOST:PORT` is a server, everything else a command.
fn filter(text: &str) -> Result<Filter, String> {
    let is_word = !text.contains(char::is_whitespace) && !text.contains('/');
    let server = text
        .rsplit_once(':')
        .filter(|(_, port)| is_word && port.parse::<u16>().is_ok());
    if server.is_none() {
        return Ok(Filter::Command(text.to_string()));
    }
    // A name that is not known now must not become a command that nobody has.
    let address = text.to_socket_addrs().ok().and_then(|mut all| all.next());
    let address = address.ok_or_else(|| format!("--filter: {text}: there is no such server"))?;
    Ok(Filter::Smtp(address))
}

fn faults(command: &Serve) -> Result<Faults, String> {
    let mut rules = Vec::new();
    for fault in &command.fault {
        let read = scenario::parse(fault);
        rules.extend(read.map_err(|error| format!("--fault {error}"))?);
    }
    let faults = Faults::new(rules, command.fault_seed);
    if command.fault_names {
        faults.allow_names();
    }
    Ok(faults)
}

/// The folder that was named, or ours among those that keep the state of programs.
pub(super) fn folder(named: Option<&Path>, what: &str) -> Result<PathBuf, String> {
    if let Some(named) = named {
        return Ok(named.to_path_buf());
    }
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/state"));
    let state = state.or_else(home);
    let state = state.ok_or("there is no home folder; give --spool and --maildir")?;
    Ok(state.join("mailtrace").join(what))
}

fn journal(command: &Serve, context: &Context) -> Journal {
    if context.settings.values.quiet {
        return Journal::silent(SystemTime::now);
    }
    let form = match command.log {
        LogForm::Text => Form::Text,
        LogForm::Json => Form::Json,
    };
    Journal::new(form, SystemTime::now, Box::new(std::io::stderr()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn command(flags: &[&str]) -> Serve {
        let line = [&["mailtrace", "serve"][..], flags].concat();
        match Cli::try_parse_from(line).unwrap().command {
            Some(Command::Serve(command)) => *command,
            _ => panic!("serve was asked for"),
        }
    }

    #[test]
    fn a_filter_is_a_server_or_a_command_and_a_server_that_is_not_there_is_told() {
        let at: SocketAddr = "127.0.0.1:1025".parse().unwrap();
        assert_eq!(filter("127.0.0.1:1025"), Ok(Filter::Smtp(at)));
        for text in ["spamc -u bob", "/usr/bin/clam:10", "spamc", "clam:fast"] {
            assert_eq!(filter(text), Ok(Filter::Command(text.to_string())));
        }
        let why = filter("256.256.256.256:25").unwrap_err();
        assert_eq!(why, "--filter: 256.256.256.256:25: there is no such server");
    }

    #[test]
    fn the_name_of_the_server_is_that_of_its_first_domain() {
        let host = |flags: &[&str]| settings(&command(flags)).unwrap().host;
        assert_eq!(host(&[]), "localhost");
        assert_eq!(
            host(&["--domain", "a.test", "--domain", "b.test"]),
            "mail.a.test"
        );
        let named = ["--domain", "a.test", "--host-name", "mx.b.test"];
        assert_eq!(host(&named), "mx.b.test");
    }

    #[test]
    fn each_door_has_its_part() {
        let flags = [
            "--submission",
            "127.0.0.1:1",
            "--submissions",
            "127.0.0.1:2",
            "--lmtp",
            "127.0.0.1:3",
        ];
        let parts: Vec<_> = listeners(&command(&flags))
            .unwrap()
            .iter()
            .map(|l| (l.at.port(), l.role, l.tls_first, l.lmtp))
            .collect();
        assert_eq!(
            parts,
            [
                (1, Role::Msa, false, false),
                (2, Role::Msa, true, false),
                (3, Role::Mda, false, true)
            ]
        );
        let usual = listeners(&command(&[])).unwrap();
        assert_eq!(usual.iter().map(|l| l.at).collect::<Vec<_>>(), [DEFAULT]);
    }

    #[test]
    fn a_folder_that_was_named_is_taken_as_it_is() {
        let named = folder(Some(Path::new("here")), "spool");
        assert_eq!(named, Ok(PathBuf::from("here")));
    }
}
