//! What is to be said about a route. Each file of this folder looks at one side of it; every
//! finding names the hop it rests on, and how sure it is.

mod forged;
mod loops;
mod path;
mod sender;
mod session;
mod times;

use crate::message::layer::Head;
use crate::route::Route;
use crate::route::border::Border;
use crate::route::clocks::{self, Clocks};
use crate::route::hop::Hop;

/// What the finders look at.
pub(super) struct Case<'a, 'x> {
    pub(super) route: &'a Route,
    pub(super) head: &'a Head<'x>,
    pub(super) clocks: &'a Clocks,
    pub(super) border: &'a Border,
    /// `Received` fields that were left out for their number.
    pub(super) lost: usize,
    /// The index of the topmost line that looks made up.
    pub(super) made_up: Option<usize>,
}

impl Case<'_, '_> {
    pub(super) fn hop(&self, index: usize) -> Option<&Hop> {
        self.route.hops.get(index)
    }
}

/// Findings of one kind are not repeated without end; what is told often is no news.
const MAX_OF_A_KIND: usize = 20;

/// Collects the findings of all finders, weightiest first.
pub(crate) fn collect(
    route: &mut Route,
    head: &Head<'_>,
    clocks: &Clocks,
    border: &Border,
    lost: usize,
) {
    let mut found = Vec::new();
    let made_up = {
        let case = Case {
            route,
            head,
            clocks,
            border,
            lost,
            made_up: None,
        };
        forged::find(&case, &mut found)
    };
    // What a made-up line says of origin and time counts for nothing.
    if let Some(at) = made_up {
        route.origin = border.origin_above(&route.hops, at);
        clocks::forget(&mut route.hops, at);
        let rest = clocks::figures(&route.hops);
        route.total_s = rest.total_s;
        route.waited_s = rest.waited_s;
        route.slowest_hop = rest.slowest.and_then(|i| route.hops.get(i)).map(|h| h.n);
    }
    let case = Case {
        route,
        head,
        clocks,
        border,
        lost,
        made_up,
    };
    let reason = times::find(&case, &mut found);
    path::find(&case, &mut found);
    session::find(&case, &mut found);
    sender::find(&case, &mut found);
    // Stable, so that findings of one weight keep the order of the finders.
    found.sort_by_key(|f| std::cmp::Reverse(f.severity));
    let mut told: std::collections::HashMap<&'static str, usize> = std::collections::HashMap::new();
    found.retain(|f| {
        let times = told.entry(f.code).or_default();
        *times += 1;
        *times <= MAX_OF_A_KIND
    });
    route.reason = reason;
    route.findings = found;
}

/// The server that wrote a line, in words.
pub(super) fn server(hop: &Hop) -> String {
    hop.by
        .best_name()
        .map_or_else(|| format!("the server of hop {}", hop.n), str::to_owned)
}

/// The client of a line, in words.
pub(super) fn client(hop: &Hop) -> String {
    match (hop.from.best_name(), hop.from.ip) {
        (Some(name), Some(ip)) => format!("{name} [{ip}]"),
        (Some(name), None) => name.to_owned(),
        (None, Some(ip)) => format!("[{ip}]"),
        (None, None) => "an unnamed client".to_owned(),
    }
}

/// A number of seconds as people say it.
pub fn span(seconds: i64) -> String {
    let s = seconds.unsigned_abs();
    let two = |big: u64, unit: &str, small: u64, sub: &str| {
        if small == 0 {
            format!("{big} {unit}")
        } else {
            format!("{big} {unit} {small} {sub}")
        }
    };
    match s {
        0..60 => format!("{s} s"),
        60..600 => two(s / 60, "min", s % 60, "s"),
        600..3600 => format!("{} min", s / 60),
        3600..86_400 => two(s / 3600, "h", s % 3600 / 60, "min"),
        86_400..172_800 => two(1, "day", s % 86_400 / 3600, "h"),
        _ => two(s / 86_400, "days", s % 86_400 / 3600, "h"),
    }
}
