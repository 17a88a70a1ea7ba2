//! A header to a route: the glue of the room.

use crate::message::addresses;
use crate::message::dates;
use crate::message::layer::Head;
use crate::route::hop::{Hop, Role, cut};
use crate::route::net::{self, Trust};
use crate::route::received;
use crate::route::{
    HandlerKind, Message, Route, authentication, border, clocks, filters, findings, lists, roles,
    witness,
};

/// More `Received` fields than any system lets pass; older ones are left out, and that is said.
pub(crate) const MAX_HOPS: usize = 1000;
const MAX_TEXT: usize = 1000;
const MAX_RECIPIENTS: usize = 50;
/// The own side has few servers; a header that shows more is no honest one.
const MAX_OWN: usize = 20;

/// Reads the way of the message with this header. `trust` names the reader's own servers; when it
/// is empty, the side of the topmost line is taken for it.
pub fn of(head: &Head<'_>, trust: &[Trust]) -> Route {
    let fields: Vec<(usize, &str)> = head
        .fields
        .iter()
        .enumerate()
        .filter(|(_, f)| f.name.eq_ignore_ascii_case("Received"))
        .map(|(at, f)| (at, f.body.as_ref()))
        .collect();
    let lost = fields.len().saturating_sub(MAX_HOPS);
    // The fields stand newest first; hops are counted from the oldest.
    let mut hops: Vec<Hop> = fields
        .iter()
        .take(MAX_HOPS)
        .rev()
        .zip(1..)
        .map(|((at, body), n)| Hop::read(n, *at, body))
        .collect();
    let message = message(head);
    let list = lists::list_domain(head);
    roles::assign(&mut hops, list.as_deref());
    let written = message
        .date
        .filter(dates::Stamp::is_sure)
        .map(|d| d.seconds);
    let clocks = clocks::judge(&mut hops, written, &witness::all(head));
    let border = border::walk(&hops, trust);
    let own = own_side(&hops, &border);
    let from = message
        .from
        .as_deref()
        .and_then(|f| f.rsplit_once('@'))
        .map(|(_, d)| d);
    let authentication = authentication::read(head, &own, from);
    let handlers = lists::handlers(head, &hops);
    if !handlers.iter().any(|h| h.kind == HandlerKind::Forwarder) {
        roles::filtering_cloud(&mut hops);
    }
    let mut route = Route {
        handlers,
        verdicts: filters::read(head),
        total_s: clocks.total_s,
        waited_s: clocks.waited_s,
        slowest_hop: clocks.slowest.and_then(|i| hops.get(i)).map(|h| h.n),
        border: border.at.and_then(|i| hops.get(i)).map(|h| h.n),
        origin: border.origin.clone(),
        authentication,
        message,
        hops,
        ..Route::default()
    };
    findings::collect(&mut route, head, &clocks, &border, lost);
    route
}

/// The servers of the own side, and where in the header their words end.
fn own_side<'h>(hops: &'h [Hop], border: &border::Border) -> authentication::Own<'h> {
    let lowest = border.at.unwrap_or(0);
    let ours = hops.iter().skip(lowest).rev();
    let named = ours
        .filter(|h| h.role != Role::Fetch)
        .filter_map(|h| h.by.best_name())
        .filter(|n| !net::is_local_name(n) && received::words::address(n).is_none());
    authentication::Own {
        names: named.take(MAX_OWN).collect(),
        until: lowest
            .checked_sub(1)
            .and_then(|i| hops.get(i))
            .map(|h| h.position),
    }
}

/// The header of a returned message that stands in a text, behind the words of a notice: from the
/// first trace field on.
pub(super) fn quoted_head(text: &str) -> Option<Head<'_>> {
    let starts = |name: &str| {
        let at_start = received::words::after(text, name).map(|_| 0);
        at_start.or_else(|| {
            let found = memchr::memmem::find_iter(text.as_bytes(), name.as_bytes());
            found.into_iter().find(|at| {
                at.checked_sub(1)
                    .is_some_and(|b| text.as_bytes().get(b) == Some(&b'\n'))
            })
        })
    };
    let first = ["Return-Path:", "Return-path:", "Received:"]
        .iter()
        .filter_map(|n| starts(n))
        .min()?;
    let head = Head::parse(text.as_bytes().get(first..)?);
    head.has("Received").then_some(head)
}

fn message(head: &Head<'_>) -> Message {
    let text = |name: &str| {
        head.get(name)
            .map(|v| cut(&v, MAX_TEXT))
            .filter(|v| !v.is_empty())
    };
    let address = |name: &str| {
        head.get(name)
            .and_then(|v| addresses::clean(&v).map(str::to_owned))
    };
    let to = head.all("To").flat_map(|f| {
        let value = f.value();
        addresses::each(&value)
            .map(|a| a.address.to_owned())
            .take(MAX_RECIPIENTS)
            .collect::<Vec<_>>()
    });
    let return_path = head.get("Return-Path").map(|v| match addresses::clean(&v) {
        Some(address) => address.to_owned(),
        None => "<>".to_owned(),
    });
    Message {
        message_id: head
            .raw("Message-ID")
            .map(|v| cut(v.trim().trim_matches(['<', '>']), MAX_TEXT))
            .filter(|v| !v.is_empty()),
        subject: text("Subject"),
        from: address("From"),
        to: to.take(MAX_RECIPIENTS).collect(),
        date: head.get("Date").and_then(|d| dates::parse(&d)),
        return_path,
    }
}
