//! What `serve` delivers by.

use std::sync::Arc;
use std::time::SystemTime;

use crate::cli::outward::Outward;
use crate::dns::world::World;
use crate::dns::{Resolver, servers};
use crate::mta;
use crate::mta::delivery::{Log, Settings};
use crate::mta::journal::Journal;
use crate::mta::mailboxes::Mailboxes;
use crate::mta::names::Names;
use crate::mta::retry::Clock;
use crate::smtp::sasl::{Credentials, Secret};

use super::Context;
use super::output::complain;
use super::serve::password;

/// The settings of delivery for what the server takes.
pub(super) fn settings(
    flags: &Outward,
    server: &mta::settings::Settings,
    mailboxes: Mailboxes,
) -> Result<Settings, String> {
    let mut settings = Settings::new(&server.host, &server.domains, mailboxes);
    // What was taken in spite of its many hops must not come back for them.
    settings.hops = server.limits.hops;
    settings.routes.clone_from(&flags.route);
    for (_, relay) in &mut settings.routes {
        relay.tls = flags.outward_tls;
    }
    settings.smart_host.clone_from(&flags.smart_host);
    if let Some(relay) = &mut settings.smart_host {
        relay.tls = flags.outward_tls;
        if let Some((user, file)) = &flags.smart_host_user {
            relay.login = Some(Credentials {
                user: user.clone(),
                secret: Secret::Password(password(file)?),
            });
        }
    }
    settings.beyond_loopback = flags.send_outside;
    settings.tls = flags.outward_tls;
    settings.port = flags.outward_port;
    settings.style = flags.notice_style;
    settings.double_bounces.clone_from(&flags.double_bounces);
    let schedule = &mut settings.schedule;
    if let Some(waits) = &flags.retry {
        schedule.waits.clone_from(&waits.0);
    }
    if let Some(after) = flags.warn_after {
        schedule.warn_after = (!after.is_zero()).then_some(after);
    }
    if let Some(after) = flags.expire_after {
        schedule.expire_after = after;
    }
    Ok(settings)
}

/// Who answers questions about names.
pub(super) fn names(flags: &Outward, context: &Context) -> Result<Arc<Names>, String> {
    if let Some(path) = &flags.names {
        let name = path.display();
        let text = std::fs::read_to_string(path);
        let text =
            text.map_err(|e| format!("{name}: {}; check --names", crate::words::reason(&e)))?;
        let world = World::from_toml(&text).map_err(|error| format!("{name}: {error}"))?;
        return Ok(Arc::new(Names::Table(world)));
    }
    let servers = match context.settings.values.resolver.as_slice() {
        [] => servers::system(),
        named => Ok(named.to_vec()),
    };
    let servers = servers.unwrap_or_else(|error| {
        complain(&error.to_string());
        Vec::new()
    });
    Ok(Arc::new(Names::Dns(Resolver::lasting(&servers))))
}

/// The clock that attempts go by.
pub(super) fn clock(flags: &Outward) -> Clock {
    if flags.virtual_clock {
        Clock::starting(SystemTime::now())
    } else {
        Clock::default()
    }
}

/// Events of delivery go to the log of the server.
pub(super) fn log(journal: Arc<Journal>) -> Log {
    Arc::new(move |event, id, fields| journal.note(event, id, fields))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::mta::delivery::Tls;
    use clap::Parser;

    /// What is made of the flags of `serve`.
    fn of(flags: &[&str]) -> Result<Settings, String> {
        let line = [&["mailtrace", "serve"][..], flags].concat();
        let cli = Cli::try_parse_from(line).map_err(|error| error.to_string())?;
        let Some(Command::Serve(command)) = cli.command else {
            panic!("serve was asked for");
        };
        let server = crate::app::serve::settings(&command)?;
        settings(&command.outward, &server, Mailboxes::under(Path::new("/m")))
    }

    #[test]
    fn what_is_said_of_tls_holds_for_every_server_and_the_login_for_the_smart_host() {
        let dir = tempfile::tempdir().unwrap();
        let word = dir.path().join("word");
        std::fs::write(&word, "secret\nmore\n").unwrap();
        let user = format!("bob:{}", word.display());
        let flags = [
            "--outward-tls",
            "required",
            "--route",
            "a.test=127.0.0.1:26",
            "--route",
            ".b.test=lmtp:127.0.0.1:27",
            "--smart-host",
            "relay.test",
            "--smart-host-user",
            &user,
        ];
        let settings = of(&flags).unwrap();
        let host = settings.smart_host.unwrap();
        let all = settings.routes.iter().map(|(_, relay)| relay);
        for relay in all.chain([&host]) {
            assert_eq!(relay.tls, Tls::Required, "{}", relay.host);
        }
        let login = host.login.unwrap();
        assert_eq!(login.user, "bob");
        assert!(matches!(&login.secret, Secret::Password(p) if p == "secret"));
        assert!(
            settings
                .routes
                .iter()
                .all(|(_, relay)| relay.login.is_none())
        );
        std::fs::write(&word, "\n").unwrap();
        let why = of(&flags).unwrap_err();
        assert!(
            why.ends_with("there is no password on the first line"),
            "{why}"
        );
    }

    #[test]
    fn the_schedule_is_as_it_was_asked_for_and_a_warning_after_nothing_is_none() {
        let usual = of(&[]).unwrap().schedule;
        assert!(usual.warn_after.is_some());
        let flags = [
            "--retry",
            "1s,2s",
            "--warn-after",
            "0",
            "--expire-after",
            "9s",
        ];
        let own = of(&flags).unwrap().schedule;
        let seconds: Vec<_> = own.waits.iter().map(std::time::Duration::as_secs).collect();
        assert_eq!((seconds, own.warn_after), (vec![1, 2], None));
        assert_eq!(own.expire_after.as_secs(), 9);
    }

    #[test]
    fn the_limit_of_hops_holds_for_both_ways() {
        let cli = Cli::try_parse_from(["mailtrace", "serve", "--limit", "hops=99"]).unwrap();
        let Some(Command::Serve(command)) = cli.command else {
            panic!("serve was asked for");
        };
        let server = crate::app::serve::settings(&command).unwrap();
        let mailboxes = Mailboxes::under(Path::new("/m"));
        let outward = settings(&command.outward, &server, mailboxes).unwrap();
        assert_eq!((server.limits.hops, outward.hops), (99, 99));
    }
}
