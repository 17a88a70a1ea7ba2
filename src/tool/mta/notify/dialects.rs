//! The human part as other servers form it, so that readers of bounces can be tried on all of
//! them on one machine.

use std::fmt::Write;

use super::report::date;
use super::words::sender;
use super::{Kind, Notice, Style};
use crate::mta::queue::{Fate, Outcome};

/// The subject that a server is known by.
pub(super) const fn subject(style: Style, kind: Kind) -> &'static str {
    match (style, kind) {
        (Style::Postfix, Kind::Delayed) => "Delayed Mail (still being retried)",
        (Style::Sendmail, Kind::Delayed) => "Warning: could not send message for past 4 hours",
        (Style::Sendmail, _) => "Returned mail: see transcript for details",
        (Style::Exim, Kind::Delayed) => "Warning: message delayed",
        (Style::Exim, _) => "Mail delivery failed: returning message to sender",
        (Style::Qmail, _) => "failure notice",
        _ => "Undelivered Mail Returned to Sender",
    }
}

/// The human part of a failure or a delay.
pub(super) fn human(style: Style, notice: &Notice<'_>) -> String {
    let mut out = String::new();
    // Writing into a String cannot go wrong.
    let _ = match style {
        Style::Sendmail => sendmail(&mut out, notice),
        Style::Exim => exim(&mut out, notice),
        Style::Qmail => qmail(&mut out, notice),
        Style::Postfix | Style::Own => postfix(&mut out, notice),
    };
    out
}

/// The recipients with their addresses and outcomes.
fn each(notice: &Notice<'_>) -> impl Iterator<Item = (String, Outcome)> {
    notice
        .about
        .iter()
        .filter_map(|(n, fate): &(usize, &Fate)| {
            let address = notice.recipient(*n)?.address.to_string();
            Some((address, one_line(fate.outcome.clone()?)))
        })
}

/// The outcome with everything the other side said in one line.
fn one_line(outcome: Outcome) -> Outcome {
    let flat = |text: String| text.replace(char::is_control, " ");
    Outcome {
        host: outcome.host.map(flat),
        command: outcome.command.map(flat),
        reply: outcome.reply.map(flat),
        words: outcome.words.map(flat),
        ..outcome
    }
}

fn postfix(out: &mut String, notice: &Notice<'_>) -> std::fmt::Result {
    writeln!(out, "This is the mail system at host {}.\n", notice.host)?;
    if notice.kind == Kind::Delayed {
        out.push_str(
            "####################################################################\n\
             # THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #\n\
             ####################################################################\n\n\
             Your message could not be delivered for more than 4 hour(s).\n\
             It will be retried until it is 5 day(s) old.\n",
        );
    } else {
        out.push_str(
            "I'm sorry to have to inform you that your message could not\n\
             be delivered to one or more recipients. It's attached below.\n",
        );
    }
    out.push_str(
        "\nFor further assistance, please send mail to postmaster.\n\n\
         If you do so, please include this problem report. You can\n\
         delete your own text from the attached returned message.\n\n\
         \x20                  The mail system\n",
    );
    for (address, outcome) in each(notice) {
        write!(out, "\n<{address}>: ")?;
        match (&outcome.reply, &outcome.host) {
            (Some(reply), Some(host)) => {
                write!(out, "host {host}")?;
                if let Some(ip) = outcome.ip {
                    write!(out, "[{ip}]")?;
                }
                if is_greeting(&outcome) {
                    writeln!(out, " refused to talk to me: {reply}")?;
                    continue;
                }
                write!(out, " said: {reply}")?;
                let command = outcome.command.as_deref().unwrap_or("RCPT TO");
                let word = if command == "end of DATA" {
                    ""
                } else {
                    " command"
                };
                writeln!(out, " (in reply to {command}{word})")?;
            }
            _ => writeln!(out, "{}", outcome.said())?,
        }
    }
    Ok(())
}

fn sendmail(out: &mut String, notice: &Notice<'_>) -> std::fmt::Result {
    let envelope = notice.envelope;
    if notice.kind == Kind::Delayed {
        out.push_str(
            "    **********************************************\n\
             \x20   **      THIS IS A WARNING MESSAGE ONLY      **\n\
             \x20   **  YOU DO NOT NEED TO RESEND YOUR MESSAGE  **\n\
             \x20   **********************************************\n\n",
        );
    }
    writeln!(
        out,
        "The original message was received at {}",
        date(envelope.received)
    )?;
    match (&envelope.client.helo, envelope.client.ip) {
        (Some(helo), Some(ip)) => writeln!(out, "from {helo} [{ip}]")?,
        _ => writeln!(out, "from localhost")?,
    }
    let heading = if notice.kind == Kind::Delayed {
        "The following addresses had transient non-fatal errors"
    } else {
        "The following addresses had permanent fatal errors"
    };
    writeln!(out, "\n   ----- {heading} -----")?;
    for (address, outcome) in each(notice) {
        writeln!(out, "<{address}>\n    (reason: {})", outcome.said())?;
    }
    out.push_str("\n   ----- Transcript of session follows -----\n");
    for (address, outcome) in each(notice) {
        if let (Some(reply), Some(host)) = (&outcome.reply, &outcome.host) {
            writeln!(out, "... while talking to {host}.:")?;
            match outcome.command.as_deref() {
                Some("RCPT TO") => writeln!(out, ">>> RCPT To:<{address}>")?,
                Some("MAIL FROM") => writeln!(out, ">>> MAIL From:<{}>", sender(notice))?,
                _ => writeln!(out, ">>> DATA")?,
            }
            writeln!(out, "<<< {reply}")?;
        }
        writeln!(out, "{}", transcript(&address, &outcome, notice.kind))?;
        if outcome.expired {
            out.push_str("Message could not be delivered for 5 days\n");
            out.push_str("Message will be deleted from queue\n");
        }
    }
    if notice.kind == Kind::Delayed {
        out.push_str("Warning: message still undelivered after 4 hours\n");
        out.push_str("Will keep trying until message is 5 days old\n");
    }
    Ok(())
}

/// How sendmail sums up what the other side said: it has words of its own for the codes, and puts
/// off in the words of the reply.
fn transcript(address: &str, outcome: &Outcome, kind: Kind) -> String {
    let reply = outcome.reply.as_deref();
    let later = kind == Kind::Delayed || outcome.expired;
    match reply.and_then(|reply| reply.get(..3)) {
        Some(code) if later || code.starts_with('4') => {
            format!("<{address}>... Deferred: {}", outcome.said())
        }
        Some(code @ ("550" | "551" | "553")) => {
            format!("{code} {} <{address}>... User unknown", outcome.status)
        }
        Some(_) => "554 5.0.0 Service unavailable".to_owned(),
        None => {
            let code = if later { 451 } else { 550 };
            format!(
                "{code} {} <{address}>... {}",
                outcome.status,
                outcome.said()
            )
        }
    }
}

/// Whether the server turned us away before anything was said.
fn is_greeting(outcome: &Outcome) -> bool {
    outcome.command.as_deref() == Some("greeting")
}

fn exim(out: &mut String, notice: &Notice<'_>) -> std::fmt::Result {
    out.push_str("This message was created automatically by mail delivery software.\n\n");
    if notice.kind == Kind::Delayed {
        write!(
            out,
            "A message that you sent has not yet been delivered to one or more of its\n\
             recipients after more than 4 hours on the queue on {}.\n\n\
             The message identifier is:     {}\n\n\
             The address to which the message has not yet been delivered is:\n",
            notice.host, notice.id
        )?;
    } else {
        out.push_str(
            "A message that you sent could not be delivered to one or more of its\n\
             recipients. This is a permanent error. The following address(es) failed:\n",
        );
    }
    for (address, outcome) in each(notice) {
        writeln!(out, "\n  {address}")?;
        if let Some(host) = &outcome.host {
            match outcome.ip {
                Some(ip) => writeln!(out, "    host {host} [{ip}]")?,
                None => writeln!(out, "    host {host}")?,
            }
        }
        if outcome.reply.is_some() {
            let after = match outcome.command.as_deref() {
                Some("RCPT TO") => format!("RCPT TO:<{address}>"),
                Some("MAIL FROM") => format!("MAIL FROM:<{}>", sender(notice)),
                Some("end of DATA") => "end of data".to_string(),
                Some("greeting") => "initial connection".to_string(),
                Some(other) => other.to_string(),
                None => "initial connection".to_string(),
            };
            writeln!(out, "    SMTP error from remote mail server after {after}:")?;
        }
        writeln!(out, "    {}", outcome.said())?;
        if outcome.expired {
            out.push_str("    retry timeout exceeded\n");
        }
    }
    if notice.kind == Kind::Delayed {
        out.push_str(
            "\nNo action is required on your part. Delivery attempts will continue for\n\
             some time, and this warning may be repeated at intervals if the message\n\
             remains undelivered. Eventually the mail delivery software will give up,\n\
             and when that happens, the message will be returned to you.\n",
        );
    }
    Ok(())
}

fn qmail(out: &mut String, notice: &Notice<'_>) -> std::fmt::Result {
    write!(
        out,
        "Hi. This is the qmail-send program at {}.\n\
         I'm afraid I wasn't able to deliver your message to the following addresses.\n\
         This is a permanent error; I've given up. Sorry it didn't work out.\n",
        notice.host
    )?;
    for (address, outcome) in each(notice) {
        writeln!(out, "\n<{address}>:")?;
        let host = outcome.ip.map(|ip| ip.to_string()).or(outcome.host.clone());
        match (&outcome.reply, host) {
            (Some(reply), Some(host)) => {
                let what = match outcome.command.as_deref() {
                    Some("RCPT TO") => format!("{host} does not like recipient."),
                    Some("greeting") => format!("Connected to {host} but greeting failed."),
                    Some("EHLO") => format!("Connected to {host} but my name was rejected."),
                    Some("MAIL FROM") => format!("Connected to {host} but sender was rejected."),
                    Some("DATA") => format!("{host} failed on DATA command."),
                    _ => format!("{host} failed after I sent the message."),
                };
                writeln!(out, "{what}\nRemote host said: {reply}")?;
                writeln!(out, "Giving up on {host}.")?;
            }
            _ => writeln!(out, "{} (#{})", outcome.said(), outcome.status)?,
        }
        if outcome.expired {
            out.push_str(
                "I'm not going to try again; this message has been in the queue too long.\n",
            );
        }
    }
    out.push_str("\n--- Below this line is a copy of the message.\n");
    Ok(())
}
