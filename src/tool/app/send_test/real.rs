//! Real sends: to a server that was named, or to those of the recipients' domains.

use std::io::IsTerminal;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::Utc;
use futures_util::StreamExt;
use tokio::time::Instant;

use crate::app::Context;
use crate::app::check;
use crate::app::output::{Output, complain};
use crate::cli::send_test::{Place, SendTest};
use crate::config::Format;
use crate::dns::{Resolver, servers};
use crate::exit::Exit;
use crate::posture::signature::sign::Signer;
use crate::report::{human, json};
use crate::send::chain::play::Wish;
use crate::send::dispatch::{Way, dispatch};
use crate::send::hand_over::{Letter, Manner};
use crate::send::imap::{Account, Encryption};
use crate::send::series::Series;
use crate::send::wait::imap::Mailbox;
use crate::send::wait::maildir::Maildir;
use crate::send::wait::receiver::Receiver;
use crate::send::wait::{Hope, Source, wait};
use crate::send::{Outcome, Round, Token, filtered};
use crate::smtp::sasl::{Credentials, Secret};
use crate::smtp::tls::Roots;
use crate::smtp::{Deadlines, Families};

use super::{Stage, exit, interrupted, secret, show};

/// How long to wait when there is a place to look into and nothing else was said.
const WAIT: f64 = 60.0;
/// Messages on their way at the same time, unless `-j` says otherwise.
const AT_ONCE: usize = 4;
/// Between two messages to a server beyond this machine: a test is no flood.
const MANNERS: Duration = Duration::from_secs(10);
/// The ports of SMTP, of submission and of LMTP.
const PORTS: (u16, u16, u16) = (25, 587, 24);

/// Everything that one message needs.
struct Setting {
    manner: Manner,
    signer: Option<Signer>,
    from: String,
    verp: bool,
    to: Vec<String>,
    wish: Wish,
}

pub(super) fn run(command: &SendTest, wish: Wish, context: &Context) -> Result<Exit, String> {
    let setting = setting(command, wish)?;
    let resolver = resolver(context);
    let stage = Stage::new()?;
    stage.run_to_the_end(async {
        match command.count {
            Some(count) if count > 1 => series(command, &setting, count, context, &resolver).await,
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

fn setting(command: &SendTest, mut wish: Wish) -> Result<Setting, String> {
    let flags = &command.manner;
    let helo = match &flags.helo {
        Some(name) if name.is_empty() || name.contains(|c: char| c.is_control() || c == ' ') => {
            return Err(format!(
                "--helo: \"{name}\" is no name; give a host name such as mail.example.net"
            ));
        }
        Some(name) => Some(name.clone()),
        None => check::own_name(),
    };
    let host = helo.clone().unwrap_or_else(|| "localhost".to_string());
    let from = flags.from.clone().unwrap_or_else(|| {
        let user = command
            .waiting
            .wait_imap
            .as_ref()
            .map(|url| url.user.clone());
        let user = user.filter(|user| user.contains('@'));
        let login = std::env::var("USER").unwrap_or_else(|_| "postmaster".to_string());
        user.unwrap_or_else(|| format!("{login}@{host}"))
    });
    let roots = match &flags.ca_file {
        Some(path) => Roots::of_file(check::trust(path)?),
        None => Roots::default(),
    };
    let credentials = match &flags.auth_user {
        Some(user) => {
            let file = flags.auth_password_file.as_deref();
            let word = secret::password(file, "MAILTRACE_PASSWORD", user)?;
            let token = flags.auth.is_some_and(|m| m.name().contains("OAUTH"));
            Some(Credentials {
                user: user.clone(),
                secret: if token {
                    Secret::Token(word)
                } else {
                    Secret::Password(word)
                },
            })
        }
        None => None,
    };
    let signer = flags.dkim_key.as_deref().map(|path| {
        let name = path.display();
        let pem = std::fs::read_to_string(path);
        let pem = pem.map_err(|e| format!("{name}: {}", crate::words::reason(&e)))?;
        let own = from.rsplit_once('@').map(|(_, domain)| domain.to_string());
        let domain = flags.dkim_domain.clone().or(own).unwrap_or_default();
        let selector = flags.dkim_selector.as_deref().unwrap_or_default();
        Signer::from_pem(&pem, &domain, selector).map_err(|error| format!("{name}: {error}"))
    });
    wish.draft.host.clone_from(&host);
    wish.draft.from = if from.is_empty() {
        format!("postmaster@{host}")
    } else {
        from.clone()
    };
    wish.draft.to.clone_from(&command.to);
    Ok(Setting {
        manner: Manner {
            helo,
            tls: flags.tls.unwrap_or_default(),
            credentials,
            mechanism: flags.auth,
            insecure_auth: flags.insecure_auth,
            lmtp: flags.lmtp,
            roots: Some(Arc::new(roots)),
            deadlines: Deadlines::interactive(),
            now: Utc::now(),
        },
        signer: signer.transpose()?,
        from,
        verp: flags.verp,
        to: command.to.clone(),
        wish,
    })
}

impl Setting {
    /// The letter with the token of a draft.
    fn letter(&self, wish: &Wish) -> Result<Letter, String> {
        let mut message = wish.draft.write().map_err(|error| error.to_string())?;
        if let Some(signer) = &self.signer {
            let field = signer.sign(&message, Utc::now());
            let field = field.map_err(|error| format!("--dkim-key: {error}"))?;
            message.splice(0..0, field.into_bytes());
        }
        let token = wish.draft.token.to_string();
        Ok(Letter {
            from: self.sender(&wish.draft.token),
            to: self.to.clone(),
            needs: wish.needs,
            ret: wish.ret.or(wish.notify.is_some().then_some("HDRS")),
            envid: Some(wish.envid.clone().unwrap_or(token)),
            notify: wish.notify.clone(),
            message,
        })
    }

    /// The envelope sender, with the token in it when that was asked for.
    fn sender(&self, token: &Token) -> String {
        match self.from.rsplit_once('@').filter(|_| self.verp) {
            Some((local, domain)) => format!("{local}+{token}@{domain}"),
            None => self.from.clone(),
        }
    }

    fn round(&self, wish: &Wish) -> Round {
        Round {
            token: wish.draft.token.to_string(),
            message_id: wish.draft.message_id(),
            from: self.sender(&wish.draft.token),
            to: self.to.clone(),
            probe: self.to.is_empty(),
            ..Round::default()
        }
    }

    fn way(&self, command: &SendTest, context: &Context, again: Option<Instant>) -> Way {
        let values = &context.settings.values;
        let usual = match (self.manner.lmtp, &self.manner.credentials) {
            (true, _) => PORTS.2,
            (_, Some(_)) => PORTS.1,
            _ => PORTS.0,
        };
        Way {
            server: match &command.server {
                Some(Place::Server(host, port)) => Some((host.clone(), *port)),
                _ => None,
            },
            socket: match &command.server {
                Some(Place::Socket(path)) => Some(path.clone()),
                _ => None,
            },
            port: command.manner.port.unwrap_or(usual),
            families: Families {
                v4: !values.ipv6_only(),
                v6: !values.ipv4_only(),
            },
            again,
        }
    }
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
        filtered::judge(
            &mut round,
            setting.wish.draft.eicar,
            setting.wish.draft.gtube,
        );
    } else if command.waiting.wait.is_some() && places.is_empty() && out {
        round.note(
            "nowhere-to-look",
            "Whether it arrives cannot be seen: give --wait-maildir, --wait-imap or --listen.",
        );
    }
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
        let whom = format!("{} at {}", url.user, url.host);
        let password = match &url.password {
            Some(password) => {
                complain(
                    "the password in the URL can be seen by others on this machine; better: MAILTRACE_IMAP_PASSWORD",
                );
                password.clone()
            }
            None => {
                let file = waiting.wait_imap_password_file.as_deref();
                secret::password(file, "MAILTRACE_IMAP_PASSWORD", &whom)?
            }
        };
        let way = setting.way(command, context, None);
        let ip = crate::send::dispatch::address_of(&url.host, &way.families, resolver).await;
        let ip: IpAddr = ip.map_err(|why| format!("--wait-imap: {why}"))?;
        let account = Account {
            host: url.host.to_string(),
            at: SocketAddr::new(ip, url.port),
            encryption: if url.implicit {
                Encryption::Implicit
            } else {
                Encryption::StartTls
            },
            credentials: Credentials {
                user: url.user.clone(),
                secret: Secret::Password(password),
            },
            roots: setting.manner.roots.clone().unwrap_or_default(),
        };
        let mailbox = Mailbox::new(account, &url.folder, Utc::now());
        places.push(Source::Imap(Box::new(mailbox)));
    }
    Ok(places)
}

async fn close(places: &mut [Source]) {
    for place in places {
        if let Source::Imap(mailbox) = place {
            mailbox.close().await;
        }
    }
}

/// Many messages.
async fn series(
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
    let near = match &way.server {
        Some((host, _)) => {
            let ip = crate::send::dispatch::address_of(host, &way.families, resolver).await;
            ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
        }
        None => way.socket.is_some(),
    };
    let at_once = if near {
        context.settings.values.jobs.unwrap_or(AT_ONCE)
    } else {
        1
    };
    if !near && count > 1 && std::io::stderr().is_terminal() {
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
    let (way, setting) = (&way, setting);
    let send = |n: u32| async move {
        if !near && n > 0 {
            tokio::time::sleep(MANNERS).await;
        }
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
        Ok::<Round, String>(round)
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
    let mut text = String::new();
    match context.settings.values.format {
        Format::Json => json::send_test::series(&mut text, &series),
        _ => text = human::send_test::series(&series, context.paint),
    }
    let exit = if series.accepted() == series.wanted {
        Exit::Good
    } else if series.count(Outcome::Rejected) + series.count(Outcome::Partly) > 0 {
        Exit::Bad
    } else {
        Exit::Unknown
    };
    match Output::new().write_all(text.as_bytes()) {
        Exit::Good => Ok(exit),
        other => Ok(other),
    }
}
