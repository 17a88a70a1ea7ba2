//! The envelope as lines of text: one `key value` on each, recipients last.

use std::fmt::Write;

use super::record::{escape, read_time, time, unescape};
use crate::mta::address::Address;
use crate::mta::envelope::{Body, Client, Envelope, Notify, Recipient, Ret};

/// Writes an envelope.
pub(super) fn write(envelope: &Envelope) -> String {
    let mut out = String::with_capacity(256);
    // Writing into a String cannot go wrong.
    let _ = write_into(&mut out, envelope);
    out
}

fn write_into(out: &mut String, envelope: &Envelope) -> std::fmt::Result {
    match &envelope.sender {
        Some(sender) => writeln!(out, "from <{}>", line(&sender.to_string()))?,
        None => writeln!(out, "from <>")?,
    }
    writeln!(out, "received {}", time(envelope.received))?;
    let client = &envelope.client;
    out.push_str("client");
    if let Some(ip) = client.ip {
        write!(out, " ip={ip}")?;
    }
    if let Some(user) = &client.user {
        write!(out, " user={}", escape(user))?;
    }
    write!(out, " with={}", escape(&client.with))?;
    if let Some(helo) = &client.helo {
        write!(out, " helo={}", escape(helo))?;
    }
    out.push('\n');
    match envelope.body {
        Body::SevenBit => {}
        Body::EightBit => out.push_str("body 8bitmime\n"),
        Body::Binary => out.push_str("body binarymime\n"),
    }
    if envelope.smtputf8 {
        out.push_str("smtputf8\n");
    }
    match envelope.ret {
        Some(Ret::Full) => out.push_str("ret full\n"),
        Some(Ret::Headers) => out.push_str("ret hdrs\n"),
        None => {}
    }
    if let Some(envid) = &envelope.envid {
        writeln!(out, "envid {}", escape(envid))?;
    }
    for recipient in &envelope.recipients {
        write!(out, "to <{}>", line(&recipient.address.to_string()))?;
        if let Some(notify) = recipient.notify {
            write!(out, " notify={}", words(notify))?;
        }
        if let Some((kind, address)) = &recipient.orcpt {
            write!(out, " orcpt={};{}", escape(kind), escape(address))?;
        }
        out.push('\n');
    }
    Ok(())
}

/// NOTIFY as it is spoken (RFC 3461 §4.1).
pub(crate) fn words(notify: Notify) -> String {
    let all = [
        (notify.success, "SUCCESS"),
        (notify.failure, "FAILURE"),
        (notify.delay, "DELAY"),
    ];
    let said: Vec<_> = all.iter().filter(|(on, _)| *on).map(|(_, w)| *w).collect();
    if said.is_empty() {
        return "NEVER".to_string();
    }
    said.join(",")
}

/// An address within a line: nothing in it ends the line or the brackets.
fn line(address: &str) -> String {
    let mut out = String::with_capacity(address.len());
    for c in address.chars() {
        if c.is_control() || matches!(c, '%' | '<' | '>') {
            out.push_str(&escape_char(c));
        } else {
            out.push(c);
        }
    }
    out
}

fn escape_char(c: char) -> String {
    let mut bytes = [0; 4];
    let mut out = String::new();
    for byte in c.encode_utf8(&mut bytes).bytes() {
        let _ = write!(out, "%{byte:02X}");
    }
    out
}

/// Reads an envelope, and size and checksum of a text that lies in a file of its own.
pub(super) fn read(lines: &str) -> Option<(Envelope, Option<(u64, u32)>)> {
    let mut envelope = Envelope {
        sender: None,
        recipients: Vec::new(),
        ret: None,
        envid: None,
        body: Body::SevenBit,
        smtputf8: false,
        client: Client {
            ip: None,
            helo: None,
            user: None,
            with: String::new(),
        },
        received: std::time::UNIX_EPOCH,
    };
    let mut big = None;
    for line in lines.lines() {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        match key {
            "from" => envelope.sender = sender(value)?,
            "received" => envelope.received = read_time(value)?,
            "client" => client(value, &mut envelope.client),
            "body" => {
                envelope.body = match value {
                    "8bitmime" => Body::EightBit,
                    "binarymime" => Body::Binary,
                    _ => return None,
                }
            }
            "smtputf8" => envelope.smtputf8 = true,
            "ret" => {
                envelope.ret = Some(if value == "full" {
                    Ret::Full
                } else {
                    Ret::Headers
                });
            }
            "envid" => envelope.envid = Some(unescape(value)),
            "to" => envelope.recipients.push(recipient(value)?),
            "text" => {
                let (octets, sum) = value.split_once(' ')?;
                big = Some((octets.parse().ok()?, u32::from_str_radix(sum, 16).ok()?));
            }
            // Written by a later version: what is known is enough to deliver.
            _ => {}
        }
    }
    (!envelope.recipients.is_empty()).then_some((envelope, big))
}

fn sender(value: &str) -> Option<Option<Address>> {
    match value {
        "<>" => Some(None),
        value => Some(Some(bracketed(value)?.0)),
    }
}

/// The address between brackets, and what follows.
fn bracketed(value: &str) -> Option<(Address, &str)> {
    let (inside, rest) = value.strip_prefix('<')?.split_once('>')?;
    Some((address(&unescape(inside))?, rest))
}

/// Undoes `Address`'s `Display`.
pub(super) fn address(text: &str) -> Option<Address> {
    let Some(quoted) = text.strip_prefix('"') else {
        return Some(match text.rsplit_once('@') {
            Some((local, domain)) => Address {
                local: local.to_string(),
                domain: Some(domain.to_string()),
            },
            None => Address {
                local: text.to_string(),
                domain: None,
            },
        });
    };
    let mut local = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next()? {
            '\\' => local.push(chars.next()?),
            '"' => break,
            c => local.push(c),
        }
    }
    let domain = chars.as_str();
    Some(Address {
        local,
        domain: domain.strip_prefix('@').map(str::to_string),
    })
}

fn client(value: &str, client: &mut Client) {
    for pair in value.split(' ') {
        let Some((key, value)) = pair.split_once('=') else {
            continue;
        };
        let value = unescape(value);
        match key {
            "ip" => client.ip = value.parse().ok(),
            "user" => client.user = Some(value),
            "with" => client.with = value,
            "helo" => client.helo = Some(value),
            _ => {}
        }
    }
}

fn recipient(value: &str) -> Option<Recipient> {
    let (address, rest) = bracketed(value)?;
    let mut recipient = Recipient {
        address,
        notify: None,
        orcpt: None,
    };
    for pair in rest.split_whitespace() {
        match pair.split_once('=')? {
            ("notify", words) => {
                let has = |word: &str| words.split(',').any(|w| w == word);
                recipient.notify = Some(Notify {
                    success: has("SUCCESS"),
                    failure: has("FAILURE"),
                    delay: has("DELAY"),
                });
            }
            ("orcpt", value) => {
                let (kind, address) = value.split_once(';')?;
                recipient.orcpt = Some((unescape(kind), unescape(address)));
            }
            _ => {}
        }
    }
    Some(recipient)
}
