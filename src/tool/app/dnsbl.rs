//! `mailtrace dnsbl`.

mod mail;
mod plan;
mod show;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;

use crate::cli::Dnsbl;
use crate::config::Format;
use crate::dns::{Resolver, servers};
use crate::dnsbl::catalogue::{LISTS, List, by_id};
use crate::dnsbl::source::{BadChoice, Choice};
use crate::dnsbl::target::Families;
use crate::dnsbl::{Checker, Manner};
use crate::exit::Exit;
use crate::report::{human, json, nagios};

use super::Context;
use super::network;
use super::output::{Output, complain};
use plan::Work;
use show::Show;

/// Subjects that are asked about at the same time; each has its lists open at once, and the
/// resolver's window bounds the sum.
const AT_ONCE: usize = 8;

/// How long a list may take to answer.
pub(super) const WAIT: Duration = Duration::from_secs(5);

pub(super) fn run(command: &Dnsbl, context: &Context) -> Exit {
    if command.catalogue {
        return catalogue(command, context);
    }
    let values = &context.settings.values;
    let choice = Choice {
        lists: command.list.clone(),
        zones: command.zone.clone(),
        all: command.all,
        ..values.dnsbl.clone()
    };
    let sources = match choice.sources() {
        Ok(sources) => sources,
        Err(error) => return unusable(&error.to_string(), values.format),
    };
    let (servers, unknown) = match named_or_system(&values.resolver) {
        Ok(servers) => (servers, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let runtime = match network::runtime() {
        Ok(runtime) => runtime,
        Err(why) => return unusable(&why, values.format),
    };
    let manner = Manner {
        wait: values.timeout.unwrap_or(WAIT),
        probe: command.probe_lists,
        force: command.force,
    };
    let families = Families {
        v4: !values.ipv6_only(),
        v6: !values.ipv4_only(),
    };
    let own = own_public_addresses();
    let jobs = match plan::ahead(plan::jobs(command.targets.clone(), command.force)) {
        Ok(jobs) => jobs,
        Err(error) => return unusable(&crate::words::reason(&error), values.format),
    };
    let mut show = Show::new(context, &servers, unknown, &own);
    runtime.block_on(async {
        let resolver = Resolver::new(&servers);
        let checker = Checker::new(&resolver, sources, manner);
        let work = jobs
            .map(|job| plan::expand(job, &resolver, families, manner.wait))
            .buffered(AT_ONCE)
            .flat_map(stream::iter)
            .map(async |work| match work {
                Work::Check(derived, range) => {
                    let finding = checker.check(derived.subject, derived.from).await;
                    (Some(finding), Work::Done(range))
                }
                other => (None, other),
            })
            .buffered(AT_ONCE);
        let mut work = std::pin::pin!(work);
        while let Some((finding, work)) = work.next().await {
            if show.one(finding, work).is_break() {
                break;
            }
        }
    });
    show.end()
}

/// Wrong use, said in the words of the format.
fn unusable(error: &str, format: Format) -> Exit {
    if format == Format::Nagios {
        let (text, state) = nagios::unusable(error);
        return match Output::new().write_all(text.as_bytes()) {
            Exit::Good => show::exit_of(state),
            other => other,
        };
    }
    complain(error);
    Exit::Unusable
}

fn named_or_system(named: &[SocketAddr]) -> Result<Vec<SocketAddr>, servers::NoServer> {
    if named.is_empty() {
        servers::system()
    } else {
        Ok(named.to_vec())
    }
}

/// The public addresses that this machine itself would send from. A connected UDP socket asks
/// the routing table; no packet leaves.
fn own_public_addresses() -> Vec<IpAddr> {
    const OUTSIDE: [(&str, &str); 2] = [
        ("0.0.0.0:0", "198.41.0.4:53"),
        ("[::]:0", "[2001:503:ba3e::2:30]:53"),
    ];
    let address = |(from, to): (&str, &str)| {
        let socket = UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    let public = |ip: &IpAddr| crate::scope::Scope::of(*ip).is_public();
    OUTSIDE
        .into_iter()
        .filter_map(address)
        .filter(public)
        .collect()
}

/// The lists that are known, or those that were named.
fn catalogue(command: &Dnsbl, context: &Context) -> Exit {
    let values = &context.settings.values;
    if let Some(target) = command.targets.first() {
        let target = target.to_string_lossy();
        let why = format!(
            "{target}: --catalogue shows the lists and asks none; leave one of the two out"
        );
        return unusable(&why, values.format);
    }
    let mut lists: Vec<&List> = Vec::new();
    for id in &command.list {
        match by_id(id) {
            Some(list) => lists.push(list),
            None => {
                return unusable(
                    &BadChoice::UnknownList(id.clone()).to_string(),
                    values.format,
                );
            }
        }
    }
    let named = !lists.is_empty();
    if !named {
        lists.extend(LISTS);
    }
    let text = match values.format {
        Format::Json => {
            let mut lines = String::new();
            for list in lists {
                json::dnsbl::list(&mut lines, list);
            }
            lines
        }
        _ => human::dnsbl::catalogue(lists, context.paint, values.verbose || named),
    };
    Output::new().write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::Job;

    #[test]
    fn named_resolvers_win_over_the_systems() {
        let at: SocketAddr = "192.0.2.53:53".parse().unwrap();
        assert_eq!(named_or_system(&[at]).unwrap(), [at]);
    }

    #[test]
    fn an_address_of_this_machine_is_offered_only_when_it_is_public() {
        assert!(own_public_addresses().iter().all(|ip| !ip.is_loopback()));
    }

    #[test]
    fn a_job_is_made_of_every_target() {
        let targets = vec!["11.22.33.4".into(), "nothing here".into()];
        let jobs: Vec<_> = plan::jobs(targets, false).collect();
        assert!(matches!(jobs.as_slice(), [Job::Ask(_), Job::Failed { .. }]));
    }
}
