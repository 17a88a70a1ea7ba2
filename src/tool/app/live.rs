//! `explain --live`: asks the list that a refusal names whether it names the address now. Also the
//! line to the DNS that every `--live` needs.

use std::sync::Mutex;

use tokio::runtime::Runtime;

use crate::bounce::explanation::{Explanation, Listing, Now};
use crate::config::Values;
use crate::dns::{Name, Resolver, servers};
use crate::dnsbl::source::Choice;
use crate::dnsbl::subject::Subject;
use crate::dnsbl::trust;
use crate::dnsbl::verdict::{Status, Verdict};
use crate::dnsbl::{Checker, Manner};

/// The line to the DNS; one for all inputs of a run, so that nothing is asked twice.
pub(super) struct Line {
    // One worker at a time drives the sockets: answers are kept, and mails ask little.
    runtime: Mutex<Runtime>,
    pub(super) resolver: Resolver,
}

impl Line {
    /// The line by the settings; the error says what to do.
    pub(super) fn new(values: &Values) -> Result<Self, String> {
        let servers = match values.resolver.as_slice() {
            [] => servers::system().map_err(|error| error.to_string())?,
            named => named.to_vec(),
        };
        let runtime = super::network::runtime()?;
        Ok(Self {
            runtime: Mutex::new(runtime),
            resolver: Resolver::new(&servers),
        })
    }

    /// Runs something that asks.
    pub(super) fn run<T>(&self, asking: impl Future<Output = T>) -> T {
        // A panic elsewhere leaves the runtime as it was.
        let runtime = self
            .runtime
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        runtime.block_on(asking)
    }
}

/// The way to the lists.
pub(super) struct Live {
    line: Line,
    choice: Choice,
    manner: Manner,
}

impl Live {
    /// The way by the settings; the error says what to do.
    pub(super) fn new(values: &Values) -> Result<Self, String> {
        Ok(Self {
            line: Line::new(values)?,
            choice: values.dnsbl.clone(),
            manner: Manner {
                wait: values.timeout.unwrap_or(super::dnsbl::WAIT),
                probe: false,
                force: false,
            },
        })
    }

    /// Asks for every listing that is told.
    pub(super) fn ask(&self, found: &mut [Explanation]) {
        let recipients = found.iter_mut().flat_map(|one| &mut one.recipients);
        for listing in recipients.filter_map(|one| one.dnsbl.as_mut()) {
            listing.now = Some(self.now(listing));
        }
    }

    fn now(&self, listing: &Listing) -> Now {
        let unknown = |why: &str| Now::Unknown(why.to_string());
        let name = listing
            .domain
            .as_deref()
            .and_then(|domain| Name::parse(domain).ok());
        let subject = match (listing.ip, name) {
            (Some(ip), _) => Subject::from(ip),
            (None, Some(name)) => Subject::Domain(name),
            (None, None) => return unknown("the refusal names no address and no domain"),
        };
        let mut choice = self.choice.clone();
        match (listing.list, &listing.zone) {
            (Some(id), _) => choice.lists = vec![id.to_string()],
            (None, Some(zone)) => choice.zones = vec![zone.clone()],
            (None, None) => return unknown("the refusal names no list"),
        }
        let sources = match choice.sources() {
            Ok(sources) => sources,
            Err(error) => return Now::Unknown(error.to_string()),
        };
        let checker = Checker::new(&self.line.resolver, sources, self.manner);
        let finding = self.line.run(checker.check(subject, None));
        if let Some(distrust) = &finding.distrust {
            return Now::Unknown(trust::explain(distrust, &self.line.resolver.servers()));
        }
        finding
            .verdicts
            .first()
            .map_or_else(|| unknown("the list cannot be asked"), of)
    }
}

fn of(verdict: &Verdict) -> Now {
    match verdict.status {
        Status::Listed => Now::Listed,
        Status::Clean | Status::Allowed => Now::Clear,
        other => Now::Unknown(
            verdict
                .note
                .clone()
                .unwrap_or_else(|| other.id().to_string()),
        ),
    }
}
