//! The queue for people: what waits, since when, for whom, and what the other side said.

use std::time::SystemTime;

use chrono::{DateTime, Local};

use crate::mta::queue::control::{Done, Order};
use crate::mta::queue::{Entry, State};
use crate::report::page::Page;
use crate::report::painter::{Painter, Style};

/// All messages.
pub fn list(entries: &[Entry], paint: Painter) -> String {
    if entries.is_empty() {
        return "The queue is empty.\n".to_string();
    }
    let mut page = Page::new(paint);
    for entry in entries {
        head(&mut page, entry);
        for (recipient, fate) in entry.envelope.recipients.iter().zip(&entry.fates) {
            let waits = fate.state == State::Waiting;
            let style = if waits { Style::Plain } else { Style::Dim };
            page.tab(2).put(style, &recipient.address.to_string());
            if !waits {
                page.put(Style::Dim, " ").put(Style::Dim, fate.state.word());
            }
            page.end();
            if let Some(outcome) = fate.outcome.as_ref().filter(|_| waits) {
                let by = match &outcome.host {
                    Some(host) => format!("{host}: {}", outcome.said()),
                    None => outcome.said().to_string(),
                };
                page.wrap(Style::Dim, 4, &by);
            }
        }
        page.end();
    }
    let count = entries.len();
    let octets: u64 = entries.iter().map(|entry| entry.text.octets()).sum();
    let word = if count == 1 { "message" } else { "messages" };
    page.put(Style::Plain, &format!("{count} {word}, {}", size(octets)))
        .end();
    page.finish()
}

/// One message with its envelope and text.
pub fn show(entry: &Entry, text: &[u8], paint: Painter) -> String {
    let mut page = Page::new(paint);
    head(&mut page, entry);
    let client = &entry.envelope.client;
    let ip = client
        .ip
        .map_or_else(|| "this server".to_string(), |ip| ip.to_string());
    page.tab(2).put(Style::Dim, &format!("handed over by {ip}"));
    if let Some(helo) = &client.helo {
        page.put(Style::Dim, &format!(" ({helo})"));
    }
    page.put(Style::Dim, &format!(" with {}", client.with))
        .end();
    for (recipient, fate) in entry.envelope.recipients.iter().zip(&entry.fates) {
        page.tab(2)
            .put(
                Style::Plain,
                &format!("{} {}", recipient.address, fate.state.word()),
            )
            .end();
        if let Some(outcome) = &fate.outcome {
            let at = moment(outcome.at);
            page.wrap(
                Style::Dim,
                4,
                &format!("{at}: {} {}", outcome.status, outcome.said()),
            );
        }
    }
    page.end();
    for line in String::from_utf8_lossy(text).lines() {
        page.put(Style::Plain, line).end();
    }
    page.finish()
}

/// What an order did.
pub fn done(order: Order, done: Done) -> String {
    let did = match order {
        Order::Flush if done.served => "being tried now",
        Order::Flush => "to be tried as soon as the server runs",
        Order::Hold => "held",
        Order::Release => "released",
        Order::Remove => "removed",
    };
    match done.messages {
        0 => "no message was concerned\n".to_string(),
        1 => format!("1 message {did}\n"),
        n => format!("{n} messages {did}\n"),
    }
}

fn head(page: &mut Page, entry: &Entry) {
    let sender = entry.envelope.sender.as_ref().map(ToString::to_string);
    let sender = sender.unwrap_or_else(|| "<> (a notice)".to_string());
    let size = size(entry.text.octets());
    page.put(Style::Strong, &entry.id.to_string())
        .put(
            Style::Plain,
            &format!("  {}  {size}  {sender}", moment(entry.envelope.received)),
        )
        .end();
    let when = match (entry.held, entry.tries) {
        (true, _) => "held until it is released".to_string(),
        (false, 0) => "not tried yet".to_string(),
        (false, 1) => format!("tried once, next {}", moment(entry.next)),
        (false, n) => format!("tried {n} times, next {}", moment(entry.next)),
    };
    page.tab(2).put(Style::Dim, &when).end();
}

fn moment(at: SystemTime) -> String {
    DateTime::<Local>::from(at)
        .format("%Y-%m-%d %H:%M:%S")
        .to_string()
}

fn size(octets: u64) -> String {
    match octets {
        0..1_000 => format!("{octets} B"),
        1_000..1_000_000 => format!("{}.{} kB", octets / 1_000, octets % 1_000 / 100),
        _ => format!("{}.{} MB", octets / 1_000_000, octets % 1_000_000 / 100_000),
    }
}
