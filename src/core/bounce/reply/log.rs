//! What a line of a mail log states around its words: Postfix (`to=<…>, relay=…, dsn=5.1.1,
//! status=bounced (…)`), Sendmail (`stat=…`), OpenSMTPD (`result=…`), Exim (`** user@x R=…`).

use std::net::IpAddr;

use crate::bounce::explanation::Action;
use crate::message::status::EnhancedCode;

include!(concat!(env!("OUT_DIR"), "/log_words.rs"));

/// The facts of one line. All of them may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Logged<'a> {
    /// The recipient.
    pub recipient: Option<&'a str>,
    /// The server on the other side.
    pub host: Option<&'a str>,
    /// Its address.
    pub ip: Option<IpAddr>,
    /// The status that stands beside the words.
    pub status: Option<EnhancedCode>,
    /// What became of the message.
    pub action: Option<Action>,
    /// Its time in the queue was over.
    pub expired: bool,
    /// The words that say why; the whole line when the log has no place for them.
    pub words: &'a str,
}

/// Reads the facts of one line.
pub fn logged(line: &str) -> Logged<'_> {
    if let Some(logged) = super::table::read(line) {
        return logged;
    }
    let status = ["dsn=", "dsn: "]
        .iter()
        .find_map(|key| EnhancedCode::parse(value(line, key)?));
    let outcome = ["status=", "stat=", "result="]
        .iter()
        .find_map(|key| outcome(value(line, key)?))
        .or_else(|| exim_action(line).map(|action| (action, false)))
        .or_else(|| told(line).map(|action| (action, false)));
    let (host, ip) = relay(line).unwrap_or_default();
    let recipient = super::named::keyed(line).or_else(|| exim_recipient(line));
    Logged {
        recipient,
        host,
        ip,
        status,
        action: outcome.map(|(action, _)| action),
        expired: matches!(outcome, Some((_, true))) || line.contains(TIMED_OUT),
        words: words(line),
    }
}

/// The value behind a key: up to a comma or blank, without quotes and angle brackets.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let at = line.match_indices(key).map(|(at, _)| at).find(|&at| {
        // "relay=" must not be read as the end of "myrelay=".
        at.checked_sub(1)
            .and_then(|before| line.as_bytes().get(before))
            .is_none_or(|b| !b.is_ascii_alphanumeric())
    })?;
    let rest = line.get(at + key.len()..)?.trim_start();
    let (close, rest) = match rest.as_bytes().first()? {
        b'"' => ('"', rest.get(1..)?),
        b'<' => ('>', rest.get(1..)?),
        _ => (',', rest),
    };
    let end = rest
        .find(|c: char| c == close || (close == ',' && (c == ' ' || c == ';' || c == '}')))
        .unwrap_or(rest.len());
    rest.get(..end)
        .map(|v| v.trim_matches(['<', '>', '"']))
        .filter(|v| !v.is_empty())
}

/// What a word says became of the message, and whether its time was over.
pub(super) fn outcome(word: &str) -> Option<(Action, bool)> {
    // The events of services have their kind in front: `activity.hard_bounced`.
    let word = super::json::plain(word.rsplit('.').next().unwrap_or(word));
    let is = |words: &[&str]| words.contains(&word.as_str());
    // `delivery_attempt_failed`; of what went well nothing but the word itself is sure.
    let ends = |words: &[&str]| {
        let mut long = words.iter().filter(|end| end.len() >= LONG);
        long.any(|end| word.ends_with(end))
    };
    if is(DELIVERED) {
        Some((Action::Delivered, false))
    } else if is(FAILED) {
        Some((Action::Failed, false))
    } else if is(DELAYED) {
        Some((Action::Delayed, false))
    } else if is(EXPIRED) {
        Some((Action::Failed, true))
    } else if ends(DELAYED) {
        Some((Action::Delayed, false))
    } else {
        ends(FAILED).then_some((Action::Failed, false))
    }
}

/// Words of so many letters may stand at the end of another.
const LONG: usize = 6;

/// Sendmail's last word: `stat=Cannot send message for 5 days`.
const TIMED_OUT: &str = "stat=Cannot send message";

/// What qmail and Haraka say became of a message.
const TOLD: [(&str, Action); 9] = [
    (TIMED_OUT, Action::Failed),
    (": failure: ", Action::Failed),
    (": deferral: ", Action::Delayed),
    (": success: ", Action::Delivered),
    ("[outbound] bounced", Action::Failed),
    ("[outbound] temp fail", Action::Delayed),
    ("[outbound] deferred", Action::Delayed),
    ("[outbound] delivered ", Action::Delivered),
    ("[core] deny ", Action::Failed),
];

fn told(line: &str) -> Option<Action> {
    TOLD.iter()
        .find(|(words, _)| line.contains(words))
        .map(|(_, action)| *action)
}

/// The log of qmail-send writes blanks as `_` and line ends as `/`; `None` for other lines.
pub(crate) fn unfolded(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("delivery ")?;
    let (number, rest) = rest.split_once(": ")?;
    let (_, words) = rest.split_once(": ")?;
    let named = number.bytes().all(|b| b.is_ascii_digit()) && told(line).is_some();
    let words = words.trim_end();
    if !named || words.contains(' ') {
        return None;
    }
    let lead = line.trim_end().strip_suffix(words)?;
    let mut out = String::from(lead);
    for word in words.split('_') {
        // A link keeps its slashes.
        match word.contains("://") {
            true => out.push_str(word.trim_end_matches('/')),
            false => out.extend(word.chars().map(|c| if c == '/' { ' ' } else { c })),
        }
        out.push(' ');
    }
    Some(out)
}

/// Exim marks what became of an address: `**` failed, `==` deferred, `=>` delivered.
fn exim_action(line: &str) -> Option<Action> {
    [
        (" ** ", Action::Failed),
        (" == ", Action::Delayed),
        (" => ", Action::Delivered),
    ]
    .into_iter()
    .find_map(|(mark, action)| exim_rest(line, mark).map(|_| action))
    .or_else(|| line.starts_with("** ").then_some(Action::Failed))
}

/// What follows an Exim mark, when it looks like an address: `bob@example.com`, or for a local
/// one `bob <bob@example.com>`.
fn exim_rest<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(mark)?;
    let mut words = rest.split([' ', ':']);
    let is_one = words.next()?.contains('@')
        || words
            .next()
            .is_some_and(|word| word.starts_with('<') && word.contains('@'));
    is_one.then_some(rest)
}

fn exim_recipient(line: &str) -> Option<&str> {
    let rest = [" ** ", " == ", " => "]
        .iter()
        .find_map(|mark| exim_rest(line, mark));
    let rest = rest.or_else(|| line.strip_prefix("** "))?;
    let first = rest.split([' ', ':']).next()?;
    // A local part that was rewritten stands as `bob <bob@example.com>`.
    let inside = rest
        .split_once('<')
        .and_then(|(_, t)| t.split_once('>'))
        .map(|(a, _)| a);
    Some(
        inside
            .filter(|a| a.contains('@') && !first.contains('@'))
            .unwrap_or(first),
    )
    .filter(|a| a.contains('@'))
}

/// The server behind `relay=`: `mx.example.com[192.0.2.1]:25`, `mx.example.com. [192.0.2.1]`,
/// `"192.0.2.1 (mx.example.com)"`.
fn relay(line: &str) -> Option<(Option<&str>, Option<IpAddr>)> {
    let key = ["relay=", " H=", " host="]
        .iter()
        .find_map(|key| Some(line.find(key)? + key.len()))?;
    let rest = line.get(key..)?;
    let (host, ip) = peer(rest.strip_prefix('"').unwrap_or(rest));
    let ip = ip.or_else(|| {
        let behind = rest.split_once(' ').map(|(_, behind)| behind)?;
        let ip = value(line, "ip=").filter(|_| behind.starts_with("ip="));
        ip?.parse().ok()
    });
    (host.is_some() || ip.is_some()).then_some((host, ip))
}

/// A server's name and address: `mx.example.com[192.0.2.1]:25`, `mx.example.com. [192.0.2.1]`,
/// `192.0.2.1 (mx.example.com)`, `mx.example.com (192.0.2.1)`.
pub(super) fn peer(text: &str) -> (Option<&str>, Option<IpAddr>) {
    let name = |text: &str| text.contains('.') && !text.contains(['@', ':', '/']);
    let end = text
        .find(['[', ',', ' ', '"', ';', '('])
        .unwrap_or(text.len());
    let (first, behind) = text.split_at_checked(end).unwrap_or((text, ""));
    let first = first.trim_end_matches('.');
    let behind = behind.trim_start().strip_prefix(['[', '(']);
    let inside = behind.and_then(|rest| rest.get(..rest.find([']', ')'])?));
    // OpenSMTPD puts the address first.
    if let Ok(ip) = first.parse() {
        return (inside.filter(|inside| name(inside)), Some(ip));
    }
    let ip = inside.and_then(|ip| ip.trim_start_matches("IPv6:").parse().ok());
    (Some(first).filter(|first| name(first)), ip)
}

/// The part of a line that says why: in the parentheses after `status=`, behind `stat=`, behind
/// Exim's router and transport, or the whole line.
fn words(line: &str) -> &str {
    if let Some((_, rest)) = line.split_once("status=")
        && let Some((_, inside)) = rest.split_once('(')
    {
        return inside.strip_suffix(')').unwrap_or(inside);
    }
    if let Some((_, rest)) = line.split_once("stat=") {
        return rest.trim_matches('"');
    }
    for mark in [" ** ", " == "] {
        if let Some(rest) = exim_rest(line, mark) {
            return rest.split_once(": ").map_or(rest, |(_, why)| why);
        }
    }
    if let Some(rest) = line.strip_prefix("** ") {
        return rest.split_once(": ").map_or(rest, |(_, why)| why);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_postfix_line_gives_recipient_relay_status_and_words() {
        let line = "Nov 22 10:00:00 mx postfix/smtp[123]: ABC: to=<bob@example.com>, relay=mx.example.com[192.0.2.1]:25, delay=1, dsn=5.1.1, status=bounced (host mx.example.com[192.0.2.1] said: 550 5.1.1 <bob@example.com>: User unknown (in reply to RCPT TO command))";
        let facts = logged(line);
        assert_eq!(facts.recipient, Some("bob@example.com"));
        assert_eq!(facts.host, Some("mx.example.com"));
        assert_eq!(facts.ip, "192.0.2.1".parse().ok());
        assert_eq!(facts.status, EnhancedCode::parse("5.1.1"));
        assert_eq!(facts.action, Some(Action::Failed));
        assert!(
            facts.words.starts_with("host mx.example.com["),
            "{}",
            facts.words
        );
        assert!(facts.words.ends_with("RCPT TO command)"), "{}", facts.words);
    }

    #[test]
    fn lines_of_other_servers_are_read() {
        for (text, action, words) in [
            (
                "mx sendmail[1]: x: to=<bob@example.com>, relay=mx.example.com. [192.0.2.1], dsn=5.1.1, stat=User unknown",
                None,
                "User unknown",
            ),
            (
                "mx sendmail[1]: x: to=<bob@example.com>, dsn=4.0.0, stat=Deferred: Connection refused",
                Some(Action::Delayed),
                "Deferred: Connection refused",
            ),
            (
                "2026-11-22 10:00:00 1abCDe-000Xyz-1A ** bob@example.com R=dnslookup T=remote_smtp H=mx.example.com [192.0.2.1]: SMTP error: 552 full",
                Some(Action::Failed),
                "SMTP error: 552 full",
            ),
            (
                "1abCDe-000Xyz-1A == bob@example.com R=dnslookup T=remote_smtp defer (111): Connection refused",
                Some(Action::Delayed),
                "Connection refused",
            ),
            (
                "smtpd[1]: mta to=<bob@example.com> result=\"PermFail\" stat=\"550 no such user\"",
                Some(Action::Failed),
                "550 no such user",
            ),
        ] {
            let facts = logged(text);
            assert_eq!(facts.recipient, Some("bob@example.com"), "{text}");
            assert_eq!(facts.action, action, "{text}");
            assert_eq!(facts.words, words, "{text}");
        }
    }

    #[test]
    fn a_bare_reply_has_its_words_and_nothing_else() {
        let line = "550 5.1.1 <bob@example.com>: no such user";
        assert_eq!(
            logged(line),
            Logged {
                words: line,
                ..Logged::default()
            }
        );
    }
}
