//! Clocks, delays and what they were spent on.

use super::{Case, server, span};
use crate::message::dates::Stamp;
use crate::route::clocks::Wrong;
use crate::route::finding::{Finding, Severity, Sureness};
use crate::route::hop::{Hop, Role};
use crate::route::net::Zone;
use crate::route::{HandlerKind, Reason, roles};

/// A delay that is worth a word.
const SLOW_S: i64 = 60;
/// Half an hour: greylisting seldom asks for more patience.
const GREY_MOST_S: i64 = 1900;
/// Behind this, only queues, moderators and wrong clocks remain.
const HOUR_S: i64 = 3600;
const DAY_S: i64 = 86_400;

pub(super) fn find(case: &Case<'_, '_>, found: &mut Vec<Finding>) -> Option<Reason> {
    clocks(case, found);
    unsure(case, found);
    author(case, found);
    slow(case, found)
}

fn clocks(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    for clash in &case.clocks.clashes {
        let (Some(a), Some(b)) = (case.hop(clash.first), case.hop(clash.second)) else {
            continue;
        };
        // The time of a made-up line is as made up as the line.
        if !clash.zone && case.made_up.is_some_and(|at| clash.first <= at) {
            continue;
        }
        let against = |alone: &'static str| match (clash.between, clash.witness) {
            (_, Some(kind)) => format!("its neighbour, as {kind} says too"),
            (true, None) => "both its neighbours".to_owned(),
            (false, None) => alone.to_owned(),
        };
        let by = span(clash.seconds);
        // Some seconds are worth no alarm; a minute upsets logs and signatures.
        let severity = if clash.seconds < 60 {
            Severity::Info
        } else {
            Severity::Warning
        };
        let zone = if clash.zone {
            ", which is a wrong time zone rather than a wrong clock"
        } else {
            ""
        };
        let code = if clash.zone {
            "wrong-zone"
        } else {
            "clock-skew"
        };
        let at_least = if clash.zone { "" } else { "at least " };
        let sureness = if clash.between {
            Sureness::High
        } else {
            Sureness::Medium
        };
        let finding = match clash.wrong {
            Some(Wrong::First) => {
                let text = format!(
                    "the clock of {} is {at_least}{by} ahead of {}{zone}; no delay",
                    server(a),
                    against("the two behind it")
                );
                Finding::at(a.n, severity, code, sureness, text)
            }
            Some(Wrong::Second) => {
                let text = format!(
                    "the clock of {} is {at_least}{by} behind {}{zone}; no delay",
                    server(b),
                    against("the two before it")
                );
                Finding::at(b.n, severity, code, sureness, text)
            }
            None => {
                let text = format!(
                    "the clocks of {} and {} differ by {at_least}{by}{zone}; which one is wrong does not show",
                    server(a),
                    server(b)
                );
                Finding::over(vec![b.n, a.n], severity, code, Sureness::Medium, text)
            }
        };
        found.push(finding);
    }
}

fn unsure(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    let hops = &case.route.hops;
    let none: Vec<usize> = hops
        .iter()
        .filter(|h| h.time.is_none())
        .map(|h| h.n)
        .collect();
    if !none.is_empty() && none.len() < hops.len() {
        let text =
            "no time that can be read; the next delay stretches over more than one hop".to_owned();
        found.push(Finding::over(
            none,
            Severity::Info,
            "no-time",
            Sureness::High,
            text,
        ));
    }
    let vague: Vec<usize> = hops
        .iter()
        .filter(|h| h.time.is_some_and(|t| !t.is_sure()))
        .map(|h| h.n)
        .collect();
    if !vague.is_empty() {
        let text = "a time without a zone, or in one whose name means several; not used for delays"
            .to_owned();
        found.push(Finding::over(
            vague,
            Severity::Info,
            "zone-unknown",
            Sureness::High,
            text,
        ));
    }
}

/// The author's clock against the first server's.
fn author(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    const AHEAD_S: i64 = 300;
    let date = case.route.message.date.filter(Stamp::is_sure);
    let mut stamped = case
        .route
        .hops
        .iter()
        .filter_map(|h| h.sure_time().map(|t| (h.n, t)));
    let (Some(date), Some((n, first))) = (date, stamped.next()) else {
        return;
    };
    let gap = first - date.seconds;
    if gap < -AHEAD_S {
        // A date that fits before the next server speaks against the first one as well.
        let fits = stamped.next().is_some_and(|(_, next)| date.seconds <= next);
        let whose = case
            .hop(n.wrapping_sub(1))
            .filter(|_| fits)
            .map(|hop| format!("the clock of the author or of {} is wrong", server(hop)));
        let whose = whose.unwrap_or_else(|| "the author's clock is wrong".to_owned());
        let text = format!(
            "the Date field is {} later than this hop: {whose}, or the date is made up",
            span(gap)
        );
        found.push(Finding::at(
            n,
            Severity::Info,
            "date-ahead",
            Sureness::High,
            text,
        ));
    } else if gap > DAY_S {
        let text = format!(
            "written {} before it was handed over: a draft, a scheduled or a repeated sending",
            span(gap)
        );
        found.push(Finding::at(
            n,
            Severity::Info,
            "date-old",
            Sureness::High,
            text,
        ));
    }
}

/// Slow hops; gives the reason of the slowest one.
fn slow(case: &Case<'_, '_>, found: &mut Vec<Finding>) -> Option<Reason> {
    let mut of_slowest = None;
    for (i, hop) in case.route.hops.iter().enumerate() {
        let Some(took) = hop
            .took_s
            .filter(|t| *t >= SLOW_S || *t >= 10 && is_filtered(case, i))
        else {
            continue;
        };
        let slowest = case.route.slowest_hop == Some(hop.n);
        if !slowest && took < 10 * SLOW_S {
            continue;
        }
        let reason = reason(case, i, hop, took);
        if slowest {
            of_slowest = reason.map(|(r, _)| r);
        }
        let (words, sureness) = match reason {
            Some((Reason::Greylisting, Sureness::Low)) => (
                "perhaps greylisting (the receiver makes unknown senders come back later), or a queue",
                Sureness::Low,
            ),
            Some((reason, sureness)) => (because(reason), sureness),
            None => ("the line does not tell why", Sureness::Low),
        };
        let over = if hop.delay_over > 1 {
            format!(" over {} hops", hop.delay_over)
        } else {
            String::new()
        };
        let zone = if took >= HOUR_S && took % 1800 <= 5 {
            "; or a wrong time zone, as it is a whole number of half hours"
        } else {
            ""
        };
        let severity = if took >= HOUR_S && hop.role != Role::Fetch {
            Severity::Warning
        } else {
            Severity::Info
        };
        let waited = waited_at(case, i.saturating_sub(hop.took_over.max(1)));
        let text = format!("took {}{over}, spent {waited}: {words}{zone}", span(took));
        found.push(Finding::at(hop.n, severity, "slow-hop", sureness, text));
    }
    of_slowest
}

/// The time of a hop is spent before its server stamps: in the queue of the server before it.
fn waited_at(case: &Case<'_, '_>, before: usize) -> String {
    match case.hop(before).filter(|h| h.by.best_name().is_some()) {
        Some(hop) => format!("between {} and here", server(hop)),
        None => "on the way here".to_owned(),
    }
}

fn is_filtered(case: &Case<'_, '_>, i: usize) -> bool {
    let filter = |h: &Hop| roles::is_filter(h) || h.from_role == Role::Mfa;
    case.hop(i).is_some_and(filter)
}

fn reason(case: &Case<'_, '_>, i: usize, hop: &Hop, took: i64) -> Option<(Reason, Sureness)> {
    if hop.role == Role::Fetch {
        return Some((Reason::Collection, Sureness::High));
    }
    let released = case
        .route
        .verdicts
        .iter()
        .any(|v| v.key.as_deref() == Some("SFV") && v.value == "SKQ");
    if released && took >= 600 {
        return Some((Reason::Quarantine, Sureness::Medium));
    }
    let listed = case
        .route
        .handlers
        .iter()
        .any(|h| h.kind == HandlerKind::List);
    let by_list = hop.role == Role::List || listed && hop.from_role == Role::List;
    if by_list && took >= 10 * SLOW_S {
        return Some((Reason::Moderation, Sureness::Medium));
    }
    if is_filtered(case, i) && took <= 600 {
        return Some((Reason::Filter, Sureness::Medium));
    }
    let crossing = hop.zone == Some(Zone::Public) && !hop.authenticated;
    // Nobody knew of greylisting before the summer of 2003.
    const GREYLISTING_SINCE: i64 = 1_054_425_600;
    let known = hop.sure_time().is_some_and(|t| t > GREYLISTING_SINCE);
    if known && crossing && (SLOW_S..=GREY_MOST_S).contains(&took) {
        // Retries come after 5, 10, 15, 20 or 30 minutes; then it is more than a guess.
        let minutes = [5, 10, 15, 20, 30]
            .iter()
            .any(|m| (-10..=75).contains(&(took - m * 60)));
        return Some((
            Reason::Greylisting,
            if minutes {
                Sureness::Medium
            } else {
                Sureness::Low
            },
        ));
    }
    (took >= 10 * SLOW_S).then_some((Reason::Queue, Sureness::Low))
}

const fn because(reason: Reason) -> &'static str {
    match reason {
        Reason::Greylisting => {
            "probably greylisting: the receiver makes unknown senders come back later"
        }
        Reason::Filter => "a content filter was at work",
        Reason::Queue => {
            "it probably lay in a queue, as the next server could not be reached or said later"
        }
        Reason::Moderation => "probably a moderator of the mailing list, or its digest",
        Reason::Collection => {
            "it lay in the mailbox until it was collected; this is no transport delay"
        }
        Reason::Quarantine => "it was released from quarantine",
    }
}
