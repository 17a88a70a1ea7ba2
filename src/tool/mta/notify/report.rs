//! The notice as a message: header, human part, fields for programs, what is returned.

use std::fmt::Write;
use std::net::IpAddr;
use std::time::SystemTime;

use chrono::{DateTime, Local};

use super::{Kind, Notice, Style, dialects, words};
use crate::mta::address::Address;
use crate::mta::envelope::{Body, Ret};
use crate::mta::maildir::{is_field, split_line};
use crate::mta::queue::{Fate, QueueId, State};

/// Octets of a header section that are brought back.
const LONGEST_HEADER: usize = 64 << 10;
/// Octets of a line without its end (RFC 5322 section 2.1.1).
const LONGEST_LINE: usize = 998;
/// Where lines of fields are folded.
const FOLD: usize = 76;

/// Writes the whole message, lines with CR LF.
pub(super) fn compose(notice: &Notice<'_>, id: QueueId, to: &Address) -> Vec<u8> {
    let style = style(notice);
    let human = crlf(&match style {
        Style::Own => words::human(notice),
        other => dialects::human(other, notice),
    });
    let mut out = header(notice, style, id, to);
    if style == Style::Qmail {
        finish_header(
            &mut out,
            &[("Content-Type", "text/plain; charset=utf-8".to_string())],
        );
        let mut out = out.into_bytes();
        out.extend_from_slice(human.as_bytes());
        let from = words::sender(notice);
        out.extend_from_slice(format!("Return-Path: <{from}>\r\n").as_bytes());
        out.extend_from_slice(returned(notice).1);
        return out;
    }
    let boundary = format!("{id}/{}", notice.host);
    let global = notice.is_global();
    let kind = format!("multipart/report; report-type=delivery-status; boundary=\"{boundary}\"");
    let (name, original) = returned(notice);
    let fields = fields(notice, style, global);
    let eight_bit = !original.is_ascii() || !human.is_ascii() || !fields.is_ascii();
    let encoding = if eight_bit { "8bit" } else { "7bit" };
    finish_header(
        &mut out,
        &[
            ("Content-Type", kind),
            ("Content-Transfer-Encoding", encoding.to_string()),
        ],
    );
    let encoding = |text: &[u8]| if text.is_ascii() { "7bit" } else { "8bit" };
    let _ = write!(
        out,
        "This is a report in MIME format.\r\n\r\n--{boundary}\r\n\
         Content-Description: Notification\r\n\
         Content-Type: text/plain; charset={}\r\n\
         Content-Transfer-Encoding: {}\r\n\r\n{human}\r\n--{boundary}\r\n\
         Content-Description: Delivery report\r\n\
         Content-Type: message/{}delivery-status\r\n",
        if human.is_ascii() {
            "us-ascii"
        } else {
            "utf-8"
        },
        encoding(human.as_bytes()),
        if global { "global-" } else { "" },
    );
    if !fields.is_ascii() {
        out.push_str("Content-Transfer-Encoding: 8bit\r\n");
    }
    let _ = write!(
        out,
        "\r\n{fields}--{boundary}\r\nContent-Description: {}\r\nContent-Type: {name}\r\n\
         Content-Transfer-Encoding: {}\r\n\r\n",
        if name.ends_with("headers") {
            "Header of the message"
        } else {
            "The message"
        },
        encoding(original),
    );
    let mut out = out.into_bytes();
    out.extend_from_slice(original);
    if !original.ends_with(b"\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    out
}

/// qmail knows failures only.
fn style(notice: &Notice<'_>) -> Style {
    match (notice.style, notice.kind) {
        (Style::Qmail, Kind::Failed) => Style::Qmail,
        (Style::Qmail, _) | (_, Kind::Double | Kind::Succeeded) => Style::Own,
        (style, _) => style,
    }
}

fn header(notice: &Notice<'_>, style: Style, id: QueueId, to: &Address) -> String {
    let host = notice.host;
    let date = date(notice.now);
    let mut out = format!("Received: by {host} (mailtrace) id {id}; {date}\r\n");
    let from = match style {
        Style::Sendmail => "Mail Delivery Subsystem",
        _ => "Mail Delivery System",
    };
    let subject = match (style, notice.kind) {
        (Style::Own, Kind::Failed) => "Your mail could not be delivered",
        (Style::Own | Style::Qmail, Kind::Delayed) => {
            "Your mail has not been delivered yet (still being tried)"
        }
        (_, Kind::Succeeded) => "Your mail has been delivered",
        (_, Kind::Double) => "A notice could not be delivered",
        (style, kind) => dialects::subject(style, kind),
    };
    // RFC 3834 section 5.2: an answer to a message is auto-replied.
    let _ = write!(
        out,
        "Date: {date}\r\nFrom: {from} <MAILER-DAEMON@{host}>\r\nTo: <{to}>\r\n\
         Subject: {subject}\r\nMessage-ID: <{id}@{host}>\r\nAuto-Submitted: auto-replied\r\n"
    );
    if let Some(original) = message_id(notice.original) {
        let _ = write!(out, "In-Reply-To: {original}\r\nReferences: {original}\r\n");
    }
    // Exim names them in one field, and only in a bounce.
    if (style, notice.kind) == (Style::Exim, Kind::Failed) {
        let failed = notice
            .about
            .iter()
            .filter_map(|(n, _)| notice.recipient(*n));
        let failed: Vec<String> = failed.map(|one| one.address.to_string()).collect();
        let _ = write!(out, "X-Failed-Recipients: {}\r\n", failed.join(",\r\n  "));
    }
    out
}

fn finish_header(out: &mut String, fields: &[(&str, String)]) {
    out.push_str("MIME-Version: 1.0\r\n");
    for (name, value) in fields {
        fold(out, name, value);
    }
    out.push_str("\r\n");
}

/// The fields for programs (RFC 3464).
fn fields(notice: &Notice<'_>, style: Style, global: bool) -> String {
    let mut out = String::new();
    let envelope = notice.envelope;
    fold(&mut out, "Reporting-MTA", &format!("dns; {}", notice.host));
    if let Some(envid) = &envelope.envid {
        fold(&mut out, "Original-Envelope-Id", envid);
    }
    if let Some(helo) = &envelope.client.helo {
        fold(&mut out, "Received-From-MTA", &format!("dns; {helo}"));
    }
    if style == Style::Postfix {
        fold(&mut out, "X-Postfix-Queue-ID", &notice.id.to_string());
        let from = format!("rfc822; {}", words::sender(notice));
        fold(&mut out, "X-Postfix-Sender", &from);
    }
    fold(&mut out, "Arrival-Date", &date(envelope.received));
    for (n, fate) in &notice.about {
        out.push_str("\r\n");
        recipient(&mut out, notice, *n, fate, global);
    }
    out.push_str("\r\n");
    out
}

fn recipient(out: &mut String, notice: &Notice<'_>, n: usize, fate: &Fate, global: bool) {
    let Some(recipient) = notice.recipient(n) else {
        return;
    };
    if let Some((kind, address)) = &recipient.orcpt {
        // RFC 6533 section 3: where only ASCII may stand, it is written with numbers.
        let address = match global {
            true => address.clone(),
            false => in_ascii(address),
        };
        fold(out, "Original-Recipient", &format!("{kind}; {address}"));
    }
    let mut address = recipient.address.to_string();
    if recipient.address.domain.is_none() {
        // The bare postmaster is the one of this server.
        address = format!("{address}@{}", notice.host);
    }
    let kind = if global && !address.is_ascii() {
        "utf-8"
    } else {
        "rfc822"
    };
    fold(out, "Final-Recipient", &format!("{kind}; {address}"));
    fold(out, "Action", fate.state.word());
    let Some(outcome) = &fate.outcome else {
        fold(out, "Status", "4.0.0");
        return;
    };
    fold(out, "Status", &outcome.status.to_string());
    if let Some(host) = &outcome.host {
        // RFC 3464 section 2.1.2: an address stands in brackets there.
        let host = match host.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) => format!("[{ip}]"),
            Ok(IpAddr::V6(ip)) => format!("[IPv6:{ip}]"),
            Err(_) => host.clone(),
        };
        fold(out, "Remote-MTA", &format!("dns; {host}"));
    }
    match (&outcome.reply, &outcome.words) {
        (Some(reply), _) => {
            let reply = if global {
                reply.clone()
            } else {
                in_ascii(reply)
            };
            fold(out, "Diagnostic-Code", &format!("smtp; {reply}"));
        }
        (None, Some(words)) if fate.state == State::Failed || fate.state == State::Waiting => {
            let words = if global {
                words.clone()
            } else {
                in_ascii(words)
            };
            fold(out, "Diagnostic-Code", &format!("X-Mailtrace; {words}"));
        }
        _ => {}
    }
    fold(out, "Last-Attempt-Date", &date(outcome.at));
    if fate.state == State::Waiting {
        fold(out, "Will-Retry-Until", &date(notice.until));
    }
}

/// With numbers in place of what is not ASCII, as RFC 6533 section 3 writes it.
fn in_ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            let _ = write!(out, "\\x{{{:X}}}", u32::from(c));
        }
    }
    out
}

/// What is brought back, and of which type.
fn returned<'a>(notice: &Notice<'a>) -> (&'static str, &'a [u8]) {
    let global = notice.is_global();
    let whole = notice.kind == Kind::Failed
        && notice.envelope.ret != Some(Ret::Headers)
        && notice.envelope.body != Body::Binary
        && notice.original.len() as u64 <= notice.returned;
    if whole {
        let name = if global {
            "message/global"
        } else {
            "message/rfc822"
        };
        return (name, notice.original);
    }
    let end = memchr::memmem::find(notice.original, b"\r\n\r\n").map(|at| at + 2);
    let end = end.unwrap_or(notice.original.len()).min(LONGEST_HEADER);
    let header = notice.original.get(..end).unwrap_or_default();
    let name = if global {
        "message/global-headers"
    } else {
        "text/rfc822-headers"
    };
    (name, header)
}

/// The Message-ID of a message, when it has one that can be repeated.
fn message_id(text: &[u8]) -> Option<&str> {
    let mut rest = text;
    while let Some((line, after)) = split_line(rest)
        && !line.is_empty()
    {
        rest = after;
        if is_field(line, "message-id") {
            let at = memchr::memchr(b':', line)?;
            let mut value = line.get(at + 1..)?.trim_ascii();
            if value.is_empty() {
                value = split_line(rest)?.0.trim_ascii();
            }
            let value = std::str::from_utf8(value).ok()?;
            let good = value.len() < 500 && value.starts_with('<') && value.ends_with('>');
            return (good && value.chars().all(|c| c.is_ascii_graphic())).then_some(value);
        }
    }
    None
}

/// A field, folded at blanks; nothing in the value ends the line.
pub(super) fn fold(out: &mut String, name: &str, value: &str) {
    let _ = write!(out, "{name}:");
    let mut column = name.len() + 1;
    for word in value
        .split([' ', '\t', '\r', '\n'])
        .filter(|w| !w.is_empty())
    {
        let long = column + 1 + word.len() > FOLD && column > name.len() + 1;
        out.push_str(if long { "\r\n    " } else { " " });
        column = if long { 4 } else { column + 1 };
        // RFC 5322 section 2.1.1: no line of more than 998 octets.
        for (i, c) in word.chars().enumerate() {
            if i > 0 && i % 240 == 0 {
                out.push_str("\r\n    ");
                column = 4;
            }
            out.push(if c.is_control() { '?' } else { c });
            column += c.len_utf8();
        }
    }
    out.push_str("\r\n");
}

/// A date as header fields have it, in the zone of this machine.
pub(super) fn date(at: SystemTime) -> String {
    DateTime::<Local>::from(at).to_rfc2822()
}

/// Line ends for the wire; no other control character comes through, and no line is too long.
fn crlf(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 32);
    for line in text.split('\n') {
        let mut column = 0;
        for c in line.chars() {
            column += c.len_utf8();
            if column > LONGEST_LINE {
                out.push_str("\r\n");
                column = c.len_utf8();
            }
            out.push(if c.is_control() && c != '\t' { '?' } else { c });
        }
        out.push_str("\r\n");
    }
    out
}
