//! What the run writes: each finding as soon as it is there, sums at the end, and the exit code.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::app::Context;
use crate::app::output::{Output, Stopped, complain};
use crate::app::progress::Progress;
use crate::config::Format;
use crate::dnsbl::advice;
use crate::dnsbl::trust::{self, Distrust};
use crate::dnsbl::verdict::{Finding, Status};
use crate::exit::Exit;
use crate::report::human::dnsbl::Detail;
use crate::report::{human, json, nagios, prometheus};

use super::plan::Work;

/// Refusals of one subject from which on the resolver is to blame, not a list.
const MANY_REFUSALS: usize = 2;

/// The output of a run.
pub(super) struct Show<'c> {
    context: &'c Context,
    servers: &'c [SocketAddr],
    /// Why no resolver is known.
    unknown: Option<String>,
    own: &'c [IpAddr],
    out: Output,
    progress: Progress,
    stopped: Option<Stopped>,
    /// Findings that are told at the end: monitoring formats are one text.
    kept: Vec<Finding>,
    range: Sum,
    findings: usize,
    said_useless: bool,
    said_refusals: bool,
    any_listed: bool,
    any_unknown: bool,
    any_unusable: bool,
}

/// The sum of a range.
#[derive(Default)]
struct Sum {
    total: usize,
    listed: usize,
    unknown: usize,
    by_list: BTreeMap<String, usize>,
}

/// The exit code of the monitoring world is the same number.
pub(super) fn exit_of(state: nagios::State) -> Exit {
    match state {
        nagios::State::Ok => Exit::Good,
        nagios::State::Warning => Exit::Bad,
        nagios::State::Critical => Exit::Unusable,
        nagios::State::Unknown => Exit::Unknown,
    }
}

impl<'c> Show<'c> {
    pub(super) fn new(
        context: &'c Context,
        servers: &'c [SocketAddr],
        unknown: Option<String>,
        own: &'c [IpAddr],
    ) -> Self {
        let values = &context.settings.values;
        Self {
            context,
            servers,
            unknown,
            own,
            out: Output::new(),
            progress: Progress::new(
                values.progress && !values.quiet,
                values.format == Format::Json,
                None,
            )
            .counting("targets"),
            stopped: None,
            kept: Vec::new(),
            range: Sum::default(),
            findings: 0,
            said_useless: false,
            said_refusals: false,
            any_listed: false,
            any_unknown: false,
            any_unusable: false,
        }
    }

    /// Takes one step of the run.
    pub(super) fn one(&mut self, finding: Option<Finding>, work: Work) -> ControlFlow<()> {
        let written = match (finding, work) {
            (Some(finding), Work::Done(range)) => self.finding(finding, range.as_ref()),
            (_, Work::End(range)) => self.range_end(&range),
            (_, Work::Failed { target, error }) => self.failed(&target, &error),
            _ => Ok(()),
        };
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(stopped) => {
                self.stopped = Some(stopped);
                ControlFlow::Break(())
            }
        }
    }

    fn finding(&mut self, finding: Finding, range: Option<&Arc<str>>) -> Result<(), Stopped> {
        self.findings += 1;
        self.any_listed |= finding.listed() > 0;
        self.any_unknown |= finding.answered() == 0;
        self.progress.add(1, 0);
        let error = self.error(&finding);
        let remark = self.remark(&finding);
        let values = &self.context.settings.values;
        let advice = advice::advise(&finding);
        let text = match values.format {
            Format::Nagios | Format::Prometheus => {
                self.kept.push(finding);
                return Ok(());
            }
            Format::Json => {
                let mut line = String::new();
                let (advice, remark) = (advice.as_ref(), remark.as_deref());
                json::dnsbl::finding(&mut line, &finding, advice, remark, error.as_deref());
                line
            }
            Format::Human if range.is_some() => {
                self.range.total += 1;
                self.range.listed += usize::from(finding.listed() > 0);
                self.range.unknown += usize::from(finding.answered() == 0);
                for listing in finding.listings() {
                    *self
                        .range
                        .by_list
                        .entry(listing.source.id.clone())
                        .or_default() += 1;
                }
                human::dnsbl::row(&finding, self.context.paint).unwrap_or_default()
            }
            Format::Human => {
                let detail = Detail {
                    quiet: values.quiet,
                    verbose: values.verbose,
                };
                let gap = if self.findings > 1 && !values.quiet {
                    "\n"
                } else {
                    ""
                };
                let (advice, error) = (advice.as_ref(), error.as_deref());
                let paint = self.context.paint;
                let text = human::dnsbl::finding(
                    &finding,
                    advice,
                    error,
                    remark.as_deref(),
                    self.own,
                    paint,
                    detail,
                );
                format!("{gap}{text}")
            }
        };
        self.write(&text)
    }

    /// Why nothing could be determined. What is wrong with the resolver is said once, on standard
    /// error; the screen beside it does not say it again.
    fn error(&mut self, finding: &Finding) -> Option<String> {
        let text = match &finding.distrust {
            Some(Distrust::Useless(_)) if self.unknown.is_some() => self.unknown.clone()?,
            Some(distrust) => trust::explain(distrust, self.servers),
            None if finding.answered() > 0 => return None,
            None if finding.asked() == 0 => "no list could be asked about it".to_string(),
            None => "no list gave an answer worth trusting".to_string(),
        };
        if finding.distrust.is_some() && !self.said_useless {
            self.said_useless = true;
            self.progress.clear();
            if self.context.settings.values.format != Format::Nagios {
                complain(&text);
            }
        }
        let on_screen = self.context.settings.values.format == Format::Human;
        if on_screen && matches!(finding.distrust, Some(Distrust::Useless(_))) {
            return Some("nothing could be found out: no resolver answers".to_string());
        }
        Some(text)
    }

    /// What to say of refusals, once.
    fn remark(&mut self, finding: &Finding) -> Option<String> {
        let refused = finding.count(Status::Refused);
        if refused < MANY_REFUSALS || self.said_refusals || finding.distrust.is_some() {
            return None;
        }
        self.said_refusals = true;
        Some(trust::explain_refusals(refused, self.servers))
    }

    fn range_end(&mut self, range: &str) -> Result<(), Stopped> {
        let sum = std::mem::take(&mut self.range);
        if self.context.settings.values.format != Format::Human {
            return Ok(());
        }
        let mut by_list: Vec<_> = sum.by_list.into_iter().collect();
        by_list.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let paint = self.context.paint;
        let sum = human::dnsbl::RangeSum {
            total: sum.total,
            listed: sum.listed,
            unknown: sum.unknown,
            by_list,
        };
        self.write(&human::dnsbl::range(range, &sum, paint))
    }

    fn failed(&mut self, target: &str, error: &str) -> Result<(), Stopped> {
        self.any_unusable = true;
        self.progress.clear();
        if self.context.settings.values.format == Format::Json {
            let mut line = String::new();
            json::dnsbl::failed(&mut line, target, error);
            self.write(&line)?;
        }
        let name = if target == "-" {
            "standard input"
        } else {
            target
        };
        complain(&format!("{name}: {error}"));
        Ok(())
    }

    fn write(&mut self, text: &str) -> Result<(), Stopped> {
        if text.is_empty() {
            return Ok(());
        }
        self.progress.clear();
        self.out.write(text.as_bytes())
    }

    /// Ends the run.
    pub(super) fn end(mut self) -> Exit {
        self.progress.clear();
        if let Some(stopped) = self.stopped {
            return stopped.exit();
        }
        match self.context.settings.values.format {
            Format::Nagios => {
                let useless = self.kept.iter().find_map(|f| f.distrust.as_ref());
                let error = useless.map(|distrust| trust::explain(distrust, self.servers));
                let error = self
                    .unknown
                    .as_ref()
                    .filter(|_| error.is_some())
                    .or(error.as_ref());
                let (text, state) = nagios::dnsbl(&self.kept, error.map(String::as_str));
                return match self.out.write(text.as_bytes()) {
                    Ok(()) => exit_of(state),
                    Err(stopped) => stopped.exit(),
                };
            }
            Format::Prometheus => {
                let text = prometheus::dnsbl(&self.kept, chrono::Utc::now().timestamp());
                if let Err(stopped) = self.out.write(text.as_bytes()) {
                    return stopped.exit();
                }
            }
            Format::Human | Format::Json => {}
        }
        match (self.any_unusable, self.any_listed, self.any_unknown) {
            (true, ..) => Exit::Unusable,
            (_, true, _) => Exit::Bad,
            (_, _, true) => Exit::Unknown,
            _ => Exit::Good,
        }
    }
}
