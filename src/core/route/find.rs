//! Which header of an input it is whose way is asked for: its own, one that was pasted into it,
//! or that of the message that came back.

use crate::message::inner::Descend;
use crate::message::layer::{self, BlockKind, Head, Layer};
use crate::route::Route;
use crate::route::net::Trust;
use crate::route::paste::mended;
use crate::route::read::{of, quoted_head};

/// Reads the way of a message: of the whole source, of a bare header, or of a header that was
/// pasted into some text. `None` when there is no header in it.
///
/// Who knows the reader's own servers, or wants the way of the message inside a bounce, opens the
/// input himself and asks [`outermost`] or [`returned`].
///
/// ```
/// let message = b"Received: from mail.example.org (mail.example.org [192.0.2.25])\r\n\
///     \tby mx.example.net (Postfix) with ESMTPS id 4XyZ for <bob@example.net>;\r\n\
///     \tFri, 6 Nov 2026 10:00:05 +0000 (UTC)\r\n\
///     From: alice@example.org\r\nDate: Fri, 6 Nov 2026 10:00:00 +0000\r\n\r\nHello\r\n";
/// let way = mailtrace_core::route(message).ok_or("no header")?;
/// assert_eq!(way.hops.len(), 1);
/// assert_eq!(way.hops[0].from.ip, Some("192.0.2.25".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn route(input: &[u8]) -> Option<Route> {
    outermost(&layer::open(input), input, &[])
}

/// The way of an input that is already opened; what was pasted with its lines in disorder is
/// mended first. `trust` names the reader's own servers.
pub fn outermost(layer: &Layer<'_>, input: &[u8], trust: &[Trust]) -> Option<Route> {
    let found = own(layer, trust);
    let told = |way: &Route| way.hops.iter().filter(|h| h.time.is_some()).count();
    let whole = |way: &Route| !way.hops.is_empty() && told(way) == way.hops.len();
    if found.as_ref().is_some_and(whole) {
        return found;
    }
    let mended = mended(input).map(|text| of(&Head::parse(text.as_bytes()), trust));
    match (found, mended) {
        (Some(found), Some(mended)) if told(&mended) <= told(&found) => Some(found),
        (found, mended) => mended.filter(|way| !way.hops.is_empty()).or(found),
    }
}

/// The way of the input itself, or of the header that was pasted into a text or into a mail that
/// has no trace of its own.
fn own(layer: &Layer<'_>, trust: &[Trust]) -> Option<Route> {
    let itself = || Some(of(&layer.head, trust));
    // What a notice quotes came another way than the notice.
    let text_only = layer.head.fields.is_empty();
    if layer.head.has("Received") || (is_notice(layer) && !text_only) {
        return itself();
    }
    let mut found = None;
    layer.walk(&mut |inner| {
        if found.is_none() && text_only && inner.head.has("Received") {
            found = Some(of(&inner.head, trust));
        }
        for kind in [BlockKind::Plain, BlockKind::Html] {
            for block in inner.blocks_of(kind) {
                if found.is_none()
                    && let Some(head) = quoted_head(block.text())
                {
                    found = Some(of(&head, trust));
                }
            }
        }
        if found.is_some() || !text_only {
            Descend::Past
        } else {
            Descend::Into
        }
    });
    found.or_else(|| itself().filter(|_| !text_only))
}

/// A report of a mail system: the empty envelope sender, or the name of the system in `From`.
fn is_notice(layer: &Layer<'_>) -> bool {
    let system = |from: &str| {
        let from = from.to_ascii_lowercase();
        from.contains("mailer-daemon") || from.contains("postmaster@")
    };
    let head = &layer.head;
    head.get("Return-Path").is_some_and(|p| p.trim() == "<>")
        || head.get("From").is_some_and(|from| system(&from))
        || layer.block(BlockKind::DeliveryStatus).is_some()
        || head.has("X-Failed-Recipients")
}

/// The way of the innermost message that came back with its trace.
pub fn returned(layer: &Layer<'_>, trust: &[Trust]) -> Option<Route> {
    let mut found: Option<(usize, Route)> = None;
    let mut consider = |depth: usize, head: &Head<'_>| {
        // Of two at one depth (attached, and quoted in the words beside it) the longer one is whole.
        let count = head.all("Received").count();
        let better = |(d, way): &(usize, Route)| (depth, count) > (*d, way.hops.len());
        if count > 0 && found.as_ref().is_none_or(better) {
            found = Some((depth, of(head, trust)));
        }
    };
    layer.walk(&mut |inner| {
        let depth = inner.wraps.len() * 2;
        if depth > 0 {
            consider(depth, &inner.head);
        }
        for block in inner.blocks_of(BlockKind::MessageHead) {
            consider(depth + 1, &Head::parse(block.text().as_bytes()));
        }
        // Also a header that the notice quotes in its text, or that a broken boundary has
        // appended to the report.
        for kind in [BlockKind::Plain, BlockKind::DeliveryStatus] {
            for block in inner.blocks_of(kind) {
                if let Some(head) = quoted_head(block.text()) {
                    consider(depth + 1, &head);
                }
            }
        }
        Descend::Into
    });
    found.map(|(_, way)| way)
}
