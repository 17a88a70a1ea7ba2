//! The small phrases of the screen.

use chrono::{DateTime, FixedOffset};

use crate::bounce::explanation::{Command, Confidence, Explanation, Recipient, StatusFrom};
use crate::report::page::Page;
use crate::report::painter::Style;
use crate::report::safe;
use crate::route::{Route, span};

/// The column in which what follows a label begins.
pub(super) const LABELS: usize = 15;

/// The longest part of a subject or name that is shown.
const EXCERPT: usize = 70;

/// Starts a labelled line.
pub(super) fn label(page: &mut Page, name: &str) {
    page.tab(2).put(Style::Dim, name).tab(LABELS);
}

/// A time as people write it.
pub(super) fn moment(time: DateTime<FixedOffset>) -> String {
    time.format("%a %-d %b %Y %H:%M:%S %z").to_string()
}

/// A subject or a name that cannot fill the screen.
pub(super) fn excerpt(text: &str) -> String {
    safe::cut(text, EXCERPT, "…").into_owned()
}

/// The way of the returned message in one line: `3 hops in 4 s, from 192.0.2.1 via
/// mx.example.net`.
pub(super) fn came(way: &Route) -> Option<String> {
    let count = way.hops.len();
    let mut text = match count {
        0 => return None,
        1 => "1 hop".to_owned(),
        _ => format!("{count} hops"),
    };
    if let Some(total) = way.total_s.filter(|_| count > 1) {
        text += &format!(" in {}", span(total));
    }
    let origin = way.origin.as_ref();
    let start = origin.and_then(|o| Some((o.hop, o.ip?.to_string())));
    let start = start.or_else(|| origin.and_then(|o| Some((o.hop, excerpt(o.host.as_deref()?)))));
    if let Some((_, from)) = &start {
        text += &format!(", from {from}");
    }
    // The server that took it from there, if that is not the last one anyway.
    let taken = start.and_then(|(hop, _)| way.hops.get(hop.checked_sub(1)?));
    if let Some(by) = taken.and_then(|h| h.by.best_name()) {
        text += &format!(" via {}", excerpt(by));
    }
    Some(text)
}

/// Who wrote the report: `mail.example.net, sendmail`.
pub(super) fn reporter(what: &Explanation) -> Option<String> {
    match (&what.reporting_mta, what.dialect) {
        (Some(mta), Some(dialect)) => Some(format!("{} ({dialect})", excerpt(mta))),
        (Some(mta), None) => Some(excerpt(mta)),
        (None, Some(dialect)) => Some(dialect.to_owned()),
        (None, None) => None,
    }
}

/// How sure the cause is, as a sentence.
pub(super) const fn sureness(recipient: &Recipient) -> &'static str {
    match recipient.confidence {
        Confidence::High => "sure: the server says so itself",
        Confidence::Medium => "very likely: servers use these words or codes for it",
        Confidence::Low if recipient.evidence.is_empty() => {
            "a guess: the notice says next to nothing"
        }
        Confidence::Low => "a guess, from the lines above",
    }
}

/// Who said it, to what, with which codes: the second line of the evidence.
pub(super) fn said_by(recipient: &Recipient) -> Option<String> {
    let mut said = String::new();
    let remote = &recipient.remote_mta;
    match (&remote.host, remote.ip) {
        (Some(host), Some(ip)) => said += &format!("said by {} [{ip}]", excerpt(host)),
        (Some(host), None) => said += &format!("said by {}", excerpt(host)),
        (None, Some(ip)) => said += &format!("said by [{ip}]"),
        (None, None) => {}
    }
    if let Some(command) = recipient.smtp_command {
        said += if said.is_empty() { "answer " } else { " " };
        said += command_words(command);
    }
    let mut codes = Vec::new();
    if let Some(status) = recipient.status {
        let from = match recipient.status_from {
            Some(StatusFrom::Derived) => " (from the words)",
            Some(StatusFrom::Reply) => " (from the reply)",
            _ => "",
        };
        codes.push(format!("status {status}{from}"));
    }
    if let Some(code) = recipient.reply_code {
        codes.push(format!("SMTP {code}"));
    }
    if !said.is_empty() && !codes.is_empty() {
        said += "; ";
    }
    said += &codes.join(", ");
    (!said.is_empty()).then_some(said)
}

const fn command_words(command: Command) -> &'static str {
    match command {
        Command::Connect => "to the connection",
        Command::Ehlo => "to EHLO",
        Command::StartTls => "to STARTTLS",
        Command::Auth => "to AUTH",
        Command::Mail => "to MAIL",
        Command::Rcpt => "to RCPT",
        Command::Data => "to DATA",
        Command::Dot => "to the end of the message",
        Command::Quit => "to QUIT",
    }
}
