//! `mailtrace/queue/1`: a message in the queue.

use std::time::SystemTime;

use chrono::{DateTime, Local};

use super::write::{Object, text};
use crate::mta::queue::control::{Done, Order};
use crate::mta::queue::{Entry, Outcome, State};

/// One line: a message as it stands, with its text when that is given.
pub fn entry(entry: &Entry, content: Option<&[u8]>) -> String {
    let mut out = String::new();
    let mut object = Object::new(&mut out);
    let envelope = &entry.envelope;
    let sender = envelope.sender.as_ref().map(ToString::to_string);
    object
        .id("schema", Some("mailtrace/queue/1"))
        .text("id", &entry.id.to_string())
        .id("state", Some(if entry.held { "held" } else { "waiting" }))
        .text("sender", &sender.unwrap_or_default())
        .time("received", Some(time(envelope.received)))
        .number("size", Some(entry.text.octets()))
        .number("tries", Some(u64::from(entry.tries)))
        .time("next", (!entry.held).then(|| time(entry.next)))
        .ip("client", envelope.client.ip)
        .list(
            "recipients",
            envelope.recipients.iter().zip(&entry.fates),
            |out, (recipient, fate)| {
                let outcome = fate.outcome.as_ref();
                let mut object = Object::new(out);
                let state = match fate.state {
                    State::Waiting => "waiting",
                    state => state.word(),
                };
                object
                    .text("address", &recipient.address.to_string())
                    .id("state", Some(state))
                    .maybe("status", outcome.map(|o| o.status.to_string()).as_deref())
                    .maybe("host", outcome.and_then(|o| o.host.as_deref()))
                    .ip("ip", outcome.and_then(|o| o.ip))
                    .maybe("reply", outcome.and_then(|o| o.reply.as_deref()))
                    .maybe("said", outcome.map(Outcome::said))
                    .time("last_attempt", outcome.map(|o| time(o.at)));
                object.end();
            },
        );
    if let Some(content) = content {
        text(object.key("text"), &String::from_utf8_lossy(content));
    }
    object.end();
    out.push('\n');
    out
}

/// One line: how many messages an order concerned.
pub fn done(order: Order, done: Done) -> String {
    let mut out = String::new();
    let mut object = Object::new(&mut out);
    object
        .id("schema", Some("mailtrace/queue/1"))
        .id("order", Some(order.word()))
        .number("messages", Some(done.messages as u64))
        .truth("served", Some(done.served));
    object.end();
    out.push('\n');
    out
}

fn time(at: SystemTime) -> DateTime<chrono::FixedOffset> {
    DateTime::<Local>::from(at).fixed_offset()
}
