//! Macros (RFC 7208 §7): pieces of the sender put into the names that are asked.

use std::fmt::Write;
use std::net::IpAddr;

use super::Sender;

/// The longest name that is made; longer ones lose labels on the left (RFC 7208 §7.3).
const LONGEST: usize = 253;

/// Expands a domain-spec whose syntax has been looked at. `name` is the validated reverse name
/// for `%{p}`, which is `unknown` to everybody who does not look it up.
pub(super) fn expand(text: &str, sender: &Sender<'_>, domain: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        rest = match after.split_at_checked(1) {
            Some(("_", rest)) => {
                out.push(' ');
                rest
            }
            Some(("-", rest)) => {
                out.push_str("%20");
                rest
            }
            Some(("{", inner)) => {
                let (body, rest) = inner.split_once('}').unwrap_or((inner, ""));
                out.push_str(&one(body, sender, domain));
                rest
            }
            Some((_, rest)) => {
                out.push('%');
                rest
            }
            None => "",
        };
    }
    out.push_str(rest);
    let mut name = out.as_str();
    while name.len() > LONGEST {
        name = name.split_once('.').map_or("", |(_, rest)| rest);
    }
    name.to_string()
}

fn one(body: &str, sender: &Sender<'_>, domain: &str) -> String {
    let letter = body.get(..1).unwrap_or("");
    let value = match letter.to_ascii_lowercase().as_str() {
        "s" => format!("{}@{}", sender.local, sender.domain),
        "l" => sender.local.to_string(),
        "o" => sender.domain.to_string(),
        "d" => domain.to_string(),
        "i" => dotted(sender.ip),
        "p" => "unknown".to_string(),
        "v" => if sender.ip.is_ipv4() {
            "in-addr"
        } else {
            "ip6"
        }
        .to_string(),
        "h" => sender.helo.to_string(),
        "c" => sender.ip.to_string(),
        _ => "unknown".to_string(),
    };
    let more = body.get(1..).unwrap_or("");
    let digits = more.len() - more.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (count, more) = more.split_at_checked(digits).unwrap_or(("", more));
    let (reversed, delimiters) = match more.strip_prefix(['r', 'R']) {
        Some(more) => (true, more),
        None => (false, more),
    };
    let delimiters = if delimiters.is_empty() {
        "."
    } else {
        delimiters
    };
    let mut parts: Vec<&str> = value.split(|c| delimiters.contains(c)).collect();
    if reversed {
        parts.reverse();
    }
    let keep = count.parse().ok().filter(|n| *n > 0).unwrap_or(parts.len());
    let skipped = parts.len().saturating_sub(keep);
    let value = parts.get(skipped..).unwrap_or_default().join(".");
    // An upper-case letter asks for URL escapes.
    if letter.bytes().all(|b| b.is_ascii_uppercase()) {
        return escaped(&value);
    }
    value
}

fn dotted(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let nibbles = ip.octets().into_iter().flat_map(|o| [o >> 4, o & 15]);
            let all: Vec<_> = nibbles.map(|n| format!("{n:x}")).collect();
            all.join(".")
        }
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_7208_come_out() {
        let sender = |ip: &str| Sender {
            ip: ip.parse().unwrap(),
            local: "strong-bad",
            domain: "email.example.com",
            helo: "mx.example.org",
        };
        let v4 = sender("192.0.2.3");
        let of = |text| expand(text, &v4, "email.example.com");
        for (text, expected) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d3}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l-}", "strong.bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            (
                "%{ir}.%{v}._spf.%{d2}",
                "3.2.0.192.in-addr._spf.example.com",
            ),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            ("%%%_%-", "% %20"),
            ("%{S}", "strong-bad%40email.example.com"),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
        let v6 = sender("2001:db8::cb01");
        assert_eq!(
            expand("%{ir}.%{v}._spf.%{d2}", &v6, "email.example.com"),
            "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"
        );
    }
}
