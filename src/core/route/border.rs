//! The border between the reader's own servers and the outside, how far down the lines confirm
//! each other, and where the message came from as far as that carries.

use crate::route::Origin;
use crate::route::hop::{Hop, Role};
use crate::route::net::{self, Trust, Zone};
use crate::route::received::words;

/// What the walk from the top found.
#[derive(Debug, Default)]
pub(crate) struct Border {
    /// The index of the hop at which the mail came in from outside; none when all hops are ours.
    pub(crate) at: Option<usize>,
    /// Where a line is not confirmed by the line above it: the index of the lower one.
    pub(crate) broken: Option<usize>,
    pub(crate) origin: Option<Origin>,
}

/// Walks down from the newest hop. Without `trust`, the side of the topmost `by` is ours, and
/// private or authenticated clients extend it (SpamAssassin's inference).
pub(crate) fn walk(hops: &[Hop], trust: &[Trust]) -> Border {
    let mut border = Border {
        at: crossing(hops, trust),
        ..Border::default()
    };
    // Own servers are believed; outside, each line needs the one above it to agree.
    let own_down_to = border.at.unwrap_or(0);
    let mut lowest = own_down_to;
    while let Some(below) = lowest.checked_sub(1) {
        let (Some(lower), Some(upper)) = (hops.get(below), hops.get(lowest)) else {
            break;
        };
        // What the border's server says of itself speaks for no outsider.
        let inside = border.at != Some(lowest);
        if confirms(lower, upper, inside) == Some(false) {
            border.broken = Some(below);
            break;
        }
        lowest = below;
    }
    border.origin = origin(hops, lowest, own_down_to);
    border
}

impl Border {
    /// The origin as far as the hops above this index tell.
    pub(crate) fn origin_above(&self, hops: &[Hop], index: usize) -> Option<Origin> {
        if self.origin.as_ref().is_some_and(|o| o.hop > index + 1) {
            return self.origin.clone();
        }
        origin(hops, index + 1, self.at.unwrap_or(0))
    }
}

/// The topmost hop whose client is an outsider.
fn crossing(hops: &[Hop], trust: &[Trust]) -> Option<usize> {
    let own = hops.iter().rev().find_map(|h| {
        h.by.best_name()
            .filter(|n| !net::is_local_name(n))
            .and_then(net::registered)
    });
    for (i, hop) in hops.iter().enumerate().rev() {
        // What a collector or an inner line says is about our own side.
        if hop.role == Role::Fetch || hop.inner || hop.unparsed {
            continue;
        }
        let Some(ip) = hop.from.ip else { continue };
        if !trust.is_empty() {
            let trusted = trust.iter().any(|t| t.covers_ip(ip))
                || hop
                    .from
                    .rdns
                    .as_deref()
                    .is_some_and(|n| trust.iter().any(|t| t.covers_name(n)));
            if trusted || (net::zone(ip) != Zone::Public && i > 0) {
                continue;
            }
            return Some(i);
        }
        if net::zone(ip) != Zone::Public || hop.authenticated {
            continue;
        }
        if hop.from.names().any(|name| net::is_inner(name, ip)) && i > 0 {
            continue;
        }
        let kin = |name: &Option<String>| {
            name.as_deref()
                .zip(own)
                .is_some_and(|(n, own)| net::same_organisation(n, own))
        };
        // Only the verified reverse name can make an outside address one of ours.
        if kin(&hop.from.rdns) && !hop.from.forged_rdns && i > 0 {
            continue;
        }
        return Some(i);
    }
    None
}

/// Whether the upper line names the server that wrote the lower one; none when it cannot tell.
fn confirms(lower: &Hop, upper: &Hop, inside: bool) -> Option<bool> {
    if lower.inner || upper.inner || lower.unparsed || upper.unparsed {
        return None;
    }
    // Collected mail, and mail that a program put back into the system, begin a new chain.
    if upper.role == Role::Fetch || upper.from.login.is_some() {
        return None;
    }
    // One line twice is one line.
    if lower.raw == upper.raw {
        return Some(true);
    }
    let by = lower.by.best_name();
    let loopback =
        upper.zone == Some(Zone::Local) || lower.by.host.as_deref().is_some_and(net::is_local_name);
    if loopback {
        return None;
    }
    if let (Some(ip), Some(client)) = (lower.by.ip, upper.from.ip)
        && (ip == client || net::same_net(ip, client))
    {
        return Some(true);
    }
    let mut told = false;
    for name in upper.from.names() {
        let Some(by) = by else { break };
        if net::same_organisation(by, name) {
            return Some(true);
        }
        // A name of one label, or an address for a name, compares with nothing.
        told |= net::registered(name).is_some() && net::registered(by).is_some();
    }
    // Inside one organisation servers are renamed and sit behind one address.
    if let (Some(one), Some(other)) = (by, upper.by.best_name())
        && inside
        && net::same_organisation(one, other)
    {
        return Some(true);
    }
    if upper.zone == Some(Zone::Private) || !told {
        return None;
    }
    Some(false)
}

/// The oldest hop that is still confirmed and tells an address; a private one only when there
/// is no public one.
fn origin(hops: &[Hop], lowest: usize, own_down_to: usize) -> Option<Origin> {
    let confirmed = hops.iter().enumerate().skip(lowest);
    // An inner machine of a provider with public addresses is nobody's source.
    let public = |h: &&Hop| {
        let inner = |ip| h.from.names().any(|name| net::is_inner(name, ip));
        let ip = h.from.ip.filter(|ip| net::zone(*ip) == Zone::Public);
        ip.is_some_and(|ip| !inner(ip))
    };
    let found = confirmed
        .clone()
        .find(|(_, h)| public(h) && h.role != Role::Fetch)
        .or_else(|| {
            confirmed
                .clone()
                .find(|(_, h)| h.from.ip.is_some() && h.role != Role::Fetch)
        })
        .or_else(|| {
            confirmed
                .clone()
                .find(|(_, h)| h.from.best_name().is_some() || h.is_local_submission())
        });
    let (i, hop) = found?;
    // An address for a HELO name is no name of the host.
    let named = |n: &&str| words::address(n).is_none();
    let host = hop.from.best_name().filter(named).map(str::to_owned);
    let own_host = || hop.by.best_name().map(str::to_owned);
    let host = host.or_else(|| hop.is_local_submission().then(own_host).flatten());
    let unproved = hop.from.forged_rdns || hop.from.rdns.is_none() && hop.states_rdns();
    Some(Origin {
        ip: hop.from.ip,
        claimed: unproved && hop.from.ip.is_some(),
        host,
        hop: hop.n,
        trusted: i >= own_down_to,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hops(bodies: &[&str]) -> Vec<Hop> {
        let mut hops: Vec<Hop> = bodies
            .iter()
            .enumerate()
            .map(|(i, b)| Hop::read(i + 1, i, b))
            .collect();
        crate::route::roles::assign(&mut hops, None);
        hops
    }

    const HONEST: [&str; 3] = [
        "from [192.168.1.2] (dyn.isp.example [198.51.100.9]) by smtp.example.com (Postfix) with ESMTPSA id 1",
        "from smtp.example.com (smtp.example.com [192.0.2.1]) by mx.example.org (Postfix) with ESMTPS id 2",
        "from mx.example.org (mx.example.org [10.0.0.1]) by store.example.org (Postfix) with ESMTPS id 3",
    ];

    #[test]
    fn the_border_is_where_an_outsider_talks_to_us() {
        let found = walk(&hops(&HONEST), &[]);
        assert_eq!((found.at, found.broken), (Some(1), None));
        let origin = found.origin.unwrap();
        assert_eq!(
            (
                origin.ip.unwrap().to_string().as_str(),
                origin.hop,
                origin.trusted
            ),
            ("198.51.100.9", 1, false)
        );
    }

    #[test]
    fn a_line_that_nobody_confirms_is_no_origin() {
        let mut forged = HONEST;
        forged[1] = "from bank.example.net (dyn7.isp.example [203.0.113.7]) by mx.example.org (Postfix) with ESMTP id 2";
        let found = walk(&hops(&forged), &[]);
        assert_eq!((found.at, found.broken), (Some(1), Some(0)));
        let origin = found.origin.unwrap();
        assert_eq!(
            (
                origin.ip.unwrap().to_string().as_str(),
                origin.hop,
                origin.trusted
            ),
            ("203.0.113.7", 2, true)
        );
    }

    #[test]
    fn a_reverse_name_that_may_be_forged_makes_nobody_one_of_ours() {
        let mut inside = HONEST;
        inside[1] =
            "from a (out.example.org [192.0.2.1]) by mx.example.org (Postfix) with ESMTPS id 2";
        assert_eq!(walk(&hops(&inside), &[]).at, None);
        let mut forged = HONEST;
        forged[1] = "from a (out.example.org [192.0.2.1] (may be forged)) by mx.example.org \
                     (8.15.2/8.15.2) with ESMTP id 2";
        assert_eq!(walk(&hops(&forged), &[]).at, Some(1));
    }

    #[test]
    fn trust_moves_the_border() {
        let trust = [Trust::parse("192.0.2.0/24").unwrap()];
        assert_eq!(walk(&hops(&HONEST), &trust).at, Some(0));
    }
}
