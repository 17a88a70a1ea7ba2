//! What stands around a reply: the server, the command, the recipient.

use std::net::IpAddr;

use crate::bounce::explanation::Command;

/// How well the text before a number fits a reply; `None` when the number is part of a word.
pub(super) fn front(before: &[u8]) -> Option<i32> {
    let trimmed = before.trim_ascii_end();
    let touching = trimmed.len() == before.len();
    let Some(&last) = trimmed.last() else {
        return Some(4);
    };
    Some(match last {
        b'\n' => 4,
        b':' | b';' => {
            // "10:25:550" is a time, "mx:550" a list entry; "said:550" and "smtp;550" are replies.
            let digit = trimmed.iter().nth_back(1).is_some_and(u8::is_ascii_digit);
            if touching && digit { return None } else { 4 }
        }
        b'<' if trimmed.ends_with(b"<<<") => 4,
        b'>' if trimmed.ends_with(b"->") || trimmed.ends_with(b"=>") => 4,
        b'>' if trimmed.ends_with(b">>>") => 4,
        b'\'' | b'"' | b'(' | b'[' | b'<' | b'#' | b'>' | b'=' | b'`' => {
            let inner = trimmed
                .trim_ascii_end()
                .iter()
                .rev()
                .take_while(|b| matches!(b, b'\'' | b'"' | b'(' | b'[' | b'<' | b'#' | b'`' | b' '))
                .count();
            if inner == trimmed.len() { 4 } else { 2 }
        }
        b'|' | b',' | b'.' | b'!' | b']' | b')' | b'*' => {
            if touching {
                return None;
            } else {
                2
            }
        }
        b'-' => {
            if touching {
                return None;
            } else {
                3
            }
        }
        b if b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80 => {
            if touching {
                return None;
            }
            let start = trimmed
                .iter()
                .rposition(|b| !b.is_ascii_alphanumeric())
                .map_or(0, |p| p + 1);
            let word = trimmed.get(start..).unwrap_or_default();
            if listed(SAYING, word) {
                2
            } else if listed(COUNTING, word) {
                -2
            } else if word.len() == 3 && word.iter().all(u8::is_ascii_digit) {
                // "554 554 5.7.1 …": the first one counts, this one repeats it.
                1
            } else {
                0
            }
        }
        _ => return if touching { None } else { Some(1) },
    })
}

fn listed(words: &[&str], word: &[u8]) -> bool {
    words
        .iter()
        .any(|w| word.eq_ignore_ascii_case(w.as_bytes()))
}

/// True when the text goes on with a unit: the number was a count.
pub(super) fn is_unit(rest: &[u8]) -> bool {
    let len = rest
        .iter()
        .take_while(|b| b.is_ascii_alphabetic() || **b == b'%')
        .count();
    len > 0 && listed(UNITS, rest.get(..len).unwrap_or_default())
}

include!(concat!(env!("OUT_DIR"), "/reply_marks.rs"));

/// What Postfix writes behind the reply, and what may follow it.
const IN_REPLY: &str = "(in reply to ";
const REPLIED: &[(&str, Command)] = &[
    ("rcpt to", Command::Rcpt),
    ("mail from", Command::Mail),
    ("end of data", Command::Dot),
    ("data", Command::Data),
    ("ehlo", Command::Ehlo),
    ("helo", Command::Ehlo),
    ("lhlo", Command::Ehlo),
    ("starttls", Command::StartTls),
    ("auth", Command::Auth),
    ("initial greeting", Command::Connect),
];

/// A frame around a reply is at least so long ("smtp; " is none).
const FRAME: usize = 8;

/// The command that the reply answered, by the words around it.
pub(super) fn command(text: &str, before: &str) -> Option<Command> {
    let asked = memchr::memrchr_iter(b'(', text.as_bytes()).find(|&at| {
        text.get(at..)
            .is_some_and(|rest| rest.starts_with(IN_REPLY))
    });
    if let Some(at) = asked {
        let rest = text.as_bytes().get(at + IN_REPLY.len()..)?;
        let named = REPLIED.iter().find(|(word, _)| {
            rest.get(..word.len())
                .is_some_and(|there| there.eq_ignore_ascii_case(word.as_bytes()))
        });
        if let Some((_, command)) = named {
            return Some(*command);
        }
    }
    // Servers that put the command behind the reply do so in brackets (Yahoo).
    if before.len() < FRAME && !text.ends_with(']') {
        return None;
    }
    let (mut told, mut shown) = (None, None);
    MARKS.each(text.as_bytes(), |id, at, _| match MARKS_MEAN.get(id) {
        // Of what the words tell the most telling counts, of a transcript the last line before
        // the reply.
        Some((_, false)) => told = Some(told.map_or(id, |best: usize| best.min(id))),
        Some((_, true)) if at < before.len() => {
            shown = shown.max(Some((at, id)));
        }
        _ => {}
    });
    let id = told.or(shown.map(|(_, id)| id))?;
    MARKS_MEAN.get(id).map(|(command, _)| *command)
}

/// The server that speaks, as far as the text before the reply names it.
pub(super) fn speaker(before: &str) -> (Option<&str>, Option<IpAddr>) {
    if before.len() < FRAME {
        return (None, None);
    }
    let lower = before.to_ascii_lowercase();
    for mark in SPEAKER {
        if let Some(at) = lower.rfind(mark) {
            let rest = before.get(at + mark.len()..).unwrap_or_default();
            let (host, rest) = name(rest);
            let ip = bracketed(rest);
            if host.is_some_and(|h| h.contains('.')) || ip.is_some() {
                let host = host.filter(|h| h.contains('.') && h.parse::<IpAddr>().is_err());
                return (host, ip);
            }
        }
    }
    // qmail names the address only: "192.0.2.1 does not like recipient."
    let first = before.split_whitespace().next().unwrap_or_default();
    (None, first.trim_matches(['[', ']', ':', ',']).parse().ok())
}

/// Whether a 250 is the answer to EHLO: behind the code stands the server's name (RFC 5321
/// §4.1.1.1) or something that it offers.
pub(crate) fn is_ehlo(reply: &str) -> bool {
    let words = reply.get(4..).unwrap_or_default();
    let first = words.split_whitespace().next().unwrap_or_default();
    let named = || {
        let parts = first.split('.').filter(|part| !part.is_empty());
        parts.clone().count() > 1
            && first.chars().any(|c| c.is_ascii_alphabetic())
            && first
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
    };
    EHLO.iter().any(|word| first.eq_ignore_ascii_case(word)) || named()
}

fn name(text: &str) -> (Option<&str>, &str) {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let name = name.trim_end_matches(['.', '-']);
    ((!name.is_empty()).then_some(name), rest)
}

/// The address in brackets or parentheses right behind a name.
fn bracketed(rest: &str) -> Option<IpAddr> {
    let inside = rest
        .trim_start()
        .strip_prefix(['[', '('])?
        .trim_start_matches(['[', '(']);
    let end = inside.find([']', ')', ' '])?;
    let text = inside.get(..end)?;
    let text = text.strip_prefix("IPv6:").unwrap_or(text);
    text.parse().ok()
}
