//! Logs that are tables: the message tracking of Exchange and the accounting files of PowerMTA,
//! lines of values between commas.

use crate::bounce::explanation::Action;

use super::Logged;

/// More values than this no table has.
const MOST: usize = 64;

/// Reads a line of a table; `None` when it is none of those that are known.
pub(super) fn read(line: &str) -> Option<Logged<'_>> {
    let cells: Vec<&str> = Cells(line).take(MOST).collect();
    tracking(&cells).or_else(|| accounting(line, &cells))
}

/// date-time, client-ip, client-hostname, server-ip, server-hostname, source-context,
/// connector-id, source, event-id, internal-message-id, message-id, network-message-id (since
/// 2013), recipient-address, recipient-status, …
fn tracking<'a>(cells: &[&'a str]) -> Option<Logged<'a>> {
    let dated = cells.first()?.get(10..).is_some_and(|t| t.starts_with('T'));
    let action = match *cells.get(8)? {
        "FAIL" | "BADMAIL" | "POISONMESSAGE" | "DSN" => Some(Action::Failed),
        "DEFER" => Some(Action::Delayed),
        "DELIVER" | "SEND" | "SENDEXTERNAL" => Some(Action::Delivered),
        _ => None,
    };
    let at = cells
        .iter()
        .skip(11)
        .take(2)
        .position(|c| c.contains('@'))?
        + 11;
    let words = *cells.get(at + 1)?;
    (dated && action.is_some()).then_some(Logged {
        recipient: cells.get(at)?.split(';').next(),
        host: inside(words, "FQDN="),
        ip: inside(words, "IP=").and_then(|ip| ip.parse().ok()),
        action,
        words,
        ..Logged::default()
    })
}

/// The value behind a key in `[{LED=…};{FQDN=…};{IP=…}]`.
fn inside<'a>(words: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = words.split_once(key)?;
    let end = rest.find(['}', ']', ';', ' ']).unwrap_or(rest.len());
    rest.get(..end).filter(|value| !value.is_empty())
}

/// type, timeLogged, timeQueued, orig, rcpt, orcpt, dsnAction, dsnStatus, dsnDiag, dsnMta, …
fn accounting<'a>(line: &'a str, cells: &[&'a str]) -> Option<Logged<'a>> {
    let kind = *cells.first()?;
    let logged = cells.get(1)?;
    logged.bytes().next().filter(u8::is_ascii_digit)?;
    let action = match kind {
        "b" | "rb" => Action::Failed,
        "t" | "tq" => Action::Delayed,
        "d" => Action::Delivered,
        _ => return None,
    };
    let mut named = cells.iter().filter(|cell| cell.contains('@'));
    let sender = named.next()?;
    let recipient = named.next().unwrap_or(sender);
    let host = cells.iter().skip(8).find_map(|cell| {
        let (name, ip) = cell.split_once(" (")?;
        Some((name, ip.strip_suffix(')')?.parse().ok()?))
    });
    Some(Logged {
        recipient: Some(recipient),
        host: host.map(|(name, _)| name),
        ip: host.map(|(_, ip)| ip),
        action: Some(action),
        words: line,
        ..Logged::default()
    })
}

/// Values between commas; in quotation marks they may hold commas themselves.
struct Cells<'a>(&'a str);

impl<'a> Iterator for Cells<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let (cell, rest) = match self.0.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => self
                .0
                .split_at_checked(self.0.find(',').unwrap_or(self.0.len()))?,
        };
        self.0 = rest.strip_prefix(',').unwrap_or_default();
        Some(cell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_exchanges_tracking_names_recipient_reason_and_server() {
        let line = "2026-11-03T09:50:02.000Z,192.0.2.1,h,,EX01,,EX01\\Internet,SMTP,DEFER,1,<1@b.example>,guid,\
                    bob@a.example;c@a.example,\"[{LED=451 4.7.0 Temporary, try later};{FQDN=mx.a.example};{IP=192.0.2.7}]\",9";
        let facts = read(line).unwrap();
        assert_eq!(facts.recipient, Some("bob@a.example"));
        assert_eq!(facts.host, Some("mx.a.example"));
        assert_eq!(facts.ip, "192.0.2.7".parse().ok());
        assert_eq!(facts.action, Some(Action::Delayed));
        assert!(facts.words.contains("451 4.7.0 Temporary, try later"));
    }

    #[test]
    fn a_line_of_powermta_names_the_second_address() {
        let line = "b,2026-11-03 09:56:00+0000,2026-11-03 09:55:00+0000,me@b.example,bob@a.example,,failed,\
                    5.0.0 (undefined status),smtp;554 no,mx.a.example (192.0.2.7)";
        let facts = read(line).unwrap();
        assert_eq!(
            (facts.recipient, facts.host),
            (Some("bob@a.example"), Some("mx.a.example"))
        );
        assert_eq!(facts.action, Some(Action::Failed));
    }

    #[test]
    fn replies_with_commas_are_no_tables() {
        for line in [
            "550 no, never, not here",
            "a,b,c,d,e,f,g,h,i,j,k,l,m@n.example,o",
            "",
        ] {
            assert!(read(line).is_none(), "{line}");
        }
    }
}
