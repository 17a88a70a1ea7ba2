//! The server on the other side, as the words about a failure name it.

use std::net::IpAddr;

use crate::bounce::explanation::Remote;

use super::page::{part, position, starts, tail};

/// Words in front of the name of the other server.
const BEFORE: &[&str] = &[
    "host ",
    "connect to ",
    "connected to ",
    "talking to ",
    "remote host ",
    "remote server at ",
    "remote server ",
    "receiving server: ",
    "server ",
    "lost connection with ",
    "conversation with ",
    "refused by ",
    "giving up on ",
    "delivery via ",
    "mailer ",
    " by ",
];

/// No name of a server is looked for behind this many bytes.
const MAX_LOOK: usize = 400;

/// The server that the words name: before the reply itself, in which other hosts may stand.
pub(super) fn of(words: &str) -> Remote {
    let end = reply_start(words).min(MAX_LOOK);
    let head = words.get(..words.floor_char_boundary(end)).unwrap_or(words);
    bracketed(head)
        .or_else(|| named(head))
        .or_else(|| leading(head))
        .or_else(|| trailing(words))
        .unwrap_or_default()
}

/// Where the reply begins: a reply code after a blank, a colon or a quote.
pub(super) fn reply_start(words: &str) -> usize {
    let bytes = words.as_bytes();
    memchr::memchr2_iter(b'4', b'5', bytes)
        .find(|&at| {
            let before = at
                .checked_sub(1)
                .and_then(|i| bytes.get(i))
                .unwrap_or(&b' ');
            matches!(
                bytes.get(at + 1..at + 4),
                Some([b'0'..=b'5', b'0'..=b'9', b' ' | b'-'])
            ) && matches!(
                before,
                b' ' | b'\'' | b'"' | b'\n' | b':' | b'(' | b'[' | b'\t' | b'#'
            )
        })
        .unwrap_or(words.len())
}

/// `host[ip]`, `host [ip]`, `host (ip)`, `[host ip: …]`.
fn bracketed(head: &str) -> Option<Remote> {
    let mut from = 0;
    while let Some(open) = tail(head, from).find(['[', '(']) {
        let open = from + open;
        from = open + 1;
        let inner = tail(head, open + 1);
        let Some(close) = inner
            .find([']', ')', ' ', ':', ','])
            .filter(|&c| c <= 45)
            .or_else(|| {
                // IPv6 has colons.
                inner.find([']', ')'])
            })
        else {
            continue;
        };
        let inner = match inner.find([']', ')']) {
            Some(end) if ip(part(inner, 0, end)).is_some() => part(inner, 0, end),
            _ => part(inner, 0, close),
        };
        let Some(found) = ip(inner) else { continue };
        let before = part(head, 0, open).trim_end();
        let word = before
            .rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '<' | '>' | ',' | '\''))
            .next()
            .unwrap_or_default();
        return Some(Remote {
            host: host(word),
            ip: Some(found),
        });
    }
    None
}

/// The name behind one of the words that announce it.
fn named(head: &str) -> Option<Remote> {
    BEFORE.iter().find_map(|lead| {
        let at = if starts(head, lead.trim_start()) {
            lead.trim_start().len()
        } else {
            position(head, lead)? + lead.len()
        };
        remote(tail(head, at))
    })
}

/// The name at the very start: `192.0.2.1 does not like recipient`, `mx.example.net said`.
fn leading(head: &str) -> Option<Remote> {
    let (_, after) = head.split_once(' ')?;
    let verb = [
        "does not like",
        "did not like",
        "said",
        "failed",
        "rejected",
        "refused",
        "returned",
        "is not responding",
        "gave this error",
        "suggested",
    ];
    if verb.iter().any(|v| starts(after, v)) {
        remote(head)
    } else {
        None
    }
}

/// qmail: `Giving up on 192.0.2.1.` at the end.
fn trailing(words: &str) -> Option<Remote> {
    let at = position(words, "giving up on ")? + "giving up on ".len();
    remote(tail(words, at))
}

fn remote(text: &str) -> Option<Remote> {
    let word = text
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>' | '(' | '['))
        .find(|w| !w.is_empty())?
        .trim_matches(['\'', '"', ')', ']']);
    if let Some(ip) = ip(word.trim_end_matches(['.', ':'])) {
        return Some(Remote {
            host: None,
            ip: Some(ip),
        });
    }
    host(word).map(|host| Remote {
        host: Some(host),
        ip: None,
    })
}

/// A host name: with a dot, of the signs that host names have.
pub(super) fn host(word: &str) -> Option<String> {
    let word = word.trim_end_matches(['.', ':', ',', ';', ')']);
    let word = match word.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
            name.trim_end_matches('.')
        }
        _ => word,
    };
    let fits = word.len() <= 255
        && word.contains('.')
        && !word.starts_with('.')
        && word
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))
        && word.chars().any(char::is_alphabetic)
        // "e.g." is no host: no top level domain has one letter.
        && word.rsplit('.').next().is_some_and(|top| top.len() > 1);
    fits.then(|| word.to_owned())
}

/// An IP address with or without brackets and the `IPv6:` tag of RFC 5321.
pub(super) fn ip(word: &str) -> Option<IpAddr> {
    let word = word.trim_matches(['[', ']', '(', ')', ' ']);
    let word = word.strip_prefix("IPv6:").unwrap_or(word);
    if !word.starts_with(|c: char| c.is_ascii_hexdigit() || c == ':') {
        return None;
    }
    let found: IpAddr = word.parse().ok()?;
    // Courier writes IPv4 as ::ffff:192.0.2.1.
    Some(found.to_canonical())
}

/// A Remote-MTA field: `dns; mx.example.net (192.0.2.1)`, `dns;[192.0.2.1]`, `smtp; host`.
pub(super) fn field(value: &str) -> Remote {
    let value = crate::message::lines::cut(value, b';')
        .map_or(value, |(_, v)| v)
        .trim();
    let value = value
        .get(..value.floor_char_boundary(MAX_LOOK))
        .unwrap_or(value);
    if let Some(found) = bracketed(value) {
        let name = value.split([' ', '(', '[']).next().unwrap_or_default();
        return Remote {
            host: found.host.or_else(|| host(name)),
            ip: found.ip,
        };
    }
    let word = value.split_whitespace().next().unwrap_or_default();
    match ip(word) {
        Some(ip) => Remote {
            host: None,
            ip: Some(ip),
        },
        None => Remote {
            host: name(word),
            ip: None,
        },
    }
}

/// Any name that stands in a field for a server, also one without a dot.
pub(super) fn name(word: &str) -> Option<String> {
    let word = word.trim_end_matches(['.', ':', ',', ';', ')']);
    (!word.is_empty()
        && word.len() <= 255
        && word
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':')))
    .then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_words(words: &str) -> (Option<String>, Option<String>) {
        let r = of(words);
        (r.host, r.ip.map(|i| i.to_string()))
    }

    fn pair(host: &str, ip: &str) -> (Option<String>, Option<String>) {
        let some = |s: &str| (!s.is_empty()).then(|| s.to_owned());
        (some(host), some(ip))
    }

    #[test]
    fn the_other_server_is_found_as_each_program_names_it() {
        for (words, host, ip) in [
            (
                "host mx.b.example[192.0.2.1] said: 550 5.1.1 no [203.0.113.9]",
                "mx.b.example",
                "192.0.2.1",
            ),
            (
                "host mx.b.example [192.0.2.1] SMTP error from remote mail server after RCPT TO:<a@b.example>: 550 no",
                "mx.b.example",
                "192.0.2.1",
            ),
            (
                "connect to mx.b.example[2001:db8::1]:25: Connection refused",
                "mx.b.example",
                "2001:db8::1",
            ),
            (
                "192.0.2.1 does not like recipient. Remote host said: 550 no",
                "",
                "192.0.2.1",
            ),
            (
                "Server mx.b.example[192.0.2.1] failed with: 550 no",
                "mx.b.example",
                "192.0.2.1",
            ),
            (
                "Remote Server at b.example (192.0.2.1) returned '550 no'",
                "b.example",
                "192.0.2.1",
            ),
            (
                "rejected by the server for the recipient domain b.example by mx.b.example. [192.0.2.1].",
                "mx.b.example",
                "192.0.2.1",
            ),
            ("SMTP:RCPT host 192.0.2.8: 553 5.3.0 no", "", "192.0.2.8"),
            (
                "Deferred: Connection refused by mail.example.com.",
                "mail.example.com",
                "",
            ),
            (
                "mx.b.example [203.0.113.25]:",
                "mx.b.example",
                "203.0.113.25",
            ),
            ("[b.example 192.0.2.5: socket error]", "", ""),
            ("550 5.7.1 blocked [203.0.113.9]", "", ""),
            ("Mailbox full", "", ""),
        ] {
            assert_eq!(of_words(words), pair(host, ip), "{words}");
        }
    }

    #[test]
    fn the_field_is_read_with_and_without_type_and_address() {
        for (value, host, ip) in [
            ("dns; mx.b.example (192.0.2.1)", "mx.b.example", "192.0.2.1"),
            ("DNS; mx.b.example", "mx.b.example", ""),
            ("dns; [192.0.2.1]", "", "192.0.2.1"),
            (
                "dns; mx.b.example [::ffff:192.0.2.1]",
                "mx.b.example",
                "192.0.2.1",
            ),
            ("mailhost", "mailhost", ""),
            (
                "dns; mx.b.example. (192.0.2.1, the server for the domain b.example.)",
                "mx.b.example",
                "192.0.2.1",
            ),
        ] {
            let r = field(value);
            assert_eq!(
                (r.host, r.ip.map(|i| i.to_string())),
                pair(host, ip),
                "{value}"
            );
        }
    }
}
