//! The human part in our own words: what happened, whose side it is on, what to do, and the reply
//! of the other side. The words are those of `explain`.

use std::fmt::Write;
use std::time::SystemTime;

use chrono::{DateTime, Local};

use super::{Kind, Notice};
use crate::bounce::advice::{self, Audience};
use crate::bounce::classify::{Case, judge};
use crate::bounce::explanation::{Action, Command, Confidence, Recipient, Remote};
use crate::bounce::notice::Voice;
use crate::mta::queue::{Fate, Outcome, State};

/// Where lines are broken.
const WIDTH: usize = 72;

/// The envelope sender as it is written; empty for the null sender.
pub(super) fn sender(notice: &Notice<'_>) -> String {
    let sender = notice.envelope.sender.as_ref();
    sender.map(ToString::to_string).unwrap_or_default()
}

/// The human part.
pub(super) fn human(notice: &Notice<'_>) -> String {
    let mut out = String::new();
    let host = notice.host;
    let received = when(notice.envelope.received);
    paragraph(
        &mut out,
        "",
        &match notice.kind {
            Kind::Failed => format!(
                "This is the mail server {host}. Your message of {received} could not be delivered \
                 to the recipients below, and is not tried any more."
            ),
            Kind::Delayed => format!(
                "This is the mail server {host}. Your message of {received} has not been delivered \
                 to the recipients below yet. You need not send it again: it is tried until {}.",
                when(notice.until)
            ),
            Kind::Succeeded => format!(
                "This is the mail server {host}. You asked to be told: your message of {received} \
                 has reached the recipients below."
            ),
            Kind::Double => format!(
                "This is the mail server {host}. A notice could not be delivered to the sender of \
                 the message that it is about. Most likely that sender was forged. Nobody but you \
                 is told."
            ),
        },
    );
    for (n, fate) in &notice.about {
        let Some(recipient) = notice.recipient(*n) else {
            continue;
        };
        let _ = write!(out, "\n<{}>\n", recipient.address);
        one(&mut out, notice, &recipient.address.to_string(), fate);
    }
    if notice.kind == Kind::Failed {
        out.push('\n');
        paragraph(&mut out, "", "What came back of your message is attached.");
    }
    out
}

fn one(out: &mut String, notice: &Notice<'_>, address: &str, fate: &Fate) {
    let Some(outcome) = &fate.outcome else {
        return;
    };
    match fate.state {
        State::Delivered => {
            return paragraph(out, "    ", "The message is in the mailbox.");
        }
        State::Relayed => {
            let by = by(outcome);
            let text = format!(
                "{by} has taken the message. It does not tell what becomes of it, so this is the \
                 last that you hear, unless it fails there."
            );
            return paragraph(out, "    ", &text);
        }
        State::Expanded => {
            return paragraph(out, "    ", "The message went on to the members of a list.");
        }
        State::Failed | State::Waiting => {}
    }
    let judged = recipient(notice, address, fate, outcome);
    let advice = advice::advise(&judged, Audience::User);
    paragraph(out, "    ", &advice.meaning);
    for step in &advice.steps {
        paragraph(out, "    - ", step);
    }
    let said = match &outcome.reply {
        Some(_) => {
            let to = outcome.command.as_deref().unwrap_or("the connection");
            format!("{} answered to {to}:", by(outcome))
        }
        None => match &outcome.host {
            Some(_) => format!("With {}:", by(outcome)),
            None => "What this server found:".to_string(),
        },
    };
    paragraph(out, "    ", &said);
    // The reply stays in one piece: people search for it.
    let _ = writeln!(
        out,
        "        {}",
        outcome.said().replace(char::is_control, " ")
    );
    if outcome.expired {
        let last = when(outcome.at);
        paragraph(
            out,
            "    ",
            &format!("That was the last attempt, on {last}."),
        );
    }
}

/// The server of an outcome, with its address.
fn by(outcome: &Outcome) -> String {
    match (&outcome.host, outcome.ip) {
        (Some(host), Some(ip)) if !host.contains(&ip.to_string()) => format!("{host} [{ip}]"),
        (Some(host), _) => host.clone(),
        (None, _) => "The mail server".to_string(),
    }
}

/// The judgement that `explain` would make of it.
fn recipient(notice: &Notice<'_>, address: &str, fate: &Fate, outcome: &Outcome) -> Recipient {
    let action = match fate.state {
        State::Waiting => Action::Delayed,
        _ => Action::Failed,
    };
    let voice = if outcome.reply.is_some() {
        Voice::Remote
    } else {
        Voice::Local
    };
    let judgement = judge(&Case {
        texts: vec![(voice, outcome.said())],
        status: Some(outcome.status),
        command: outcome.command.as_deref().and_then(command),
        action: Some(action),
        recipient: Some(address),
        reporter: Some(notice.host),
        remote_host: outcome.host.as_deref(),
        expired: outcome.expired,
        ..Case::default()
    });
    Recipient {
        address: Some(address.to_string()),
        action: Some(action),
        remote_mta: Remote {
            host: outcome.host.clone(),
            ip: outcome.ip,
        },
        diagnostic: Some(outcome.said().to_string()),
        expired: outcome.expired,
        confidence: Confidence::High,
        ..judgement.recipient()
    }
}

fn command(word: &str) -> Option<Command> {
    Some(match word {
        "CONNECT" | "greeting" => Command::Connect,
        "EHLO" => Command::Ehlo,
        "STARTTLS" => Command::StartTls,
        "AUTH" => Command::Auth,
        "MAIL FROM" => Command::Mail,
        "RCPT TO" => Command::Rcpt,
        "DATA" => Command::Data,
        "end of DATA" => Command::Dot,
        _ => return None,
    })
}

/// A moment for people.
fn when(at: SystemTime) -> String {
    let at = DateTime::<Local>::from(at);
    at.format("%-d %B %Y, %H:%M:%S %z").to_string()
}

/// A paragraph, broken at blanks, the first line with a mark in front.
fn paragraph(out: &mut String, mark: &str, text: &str) {
    let blank = " ".repeat(mark.chars().count());
    let options = textwrap::Options::new(WIDTH)
        .initial_indent(mark)
        .subsequent_indent(&blank)
        .break_words(false);
    for line in textwrap::wrap(text, options) {
        out.push_str(line.trim_end());
        out.push('\n');
    }
}
