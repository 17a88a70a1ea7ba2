//! Authentication, as comments of a line tell it: that a client logged in, as whom, and how.

use super::Auth;
use super::words::{address, after, bare, ends_with, find, is_placeholder};

/// Authentication in any of the forms of the dialects.
pub(super) fn of(text: &str) -> Option<Auth<'_>> {
    if let Some(auth) = tagged(text) {
        return Some(auth);
    }
    match find(text, "auth") {
        Some(at) => spoken(text.get(..at)?, text.get(at..)?),
        None => logged_in(text),
    }
}

fn found<'x>(user: Option<&'x str>, mech: Option<&'x str>) -> Auth<'x> {
    Auth {
        authenticated: true,
        user,
        mech,
    }
}

/// Forms that begin with a mark of their own.
fn tagged(text: &str) -> Option<Auth<'_>> {
    if let Some(rest) = after(text, "account ") {
        return Some(found(first_word(rest), None));
    }
    // Courier: `AUTH: LOGIN user@b.example`, `AUTH: user`.
    if let Some(rest) = after(text, "auth:") {
        let rest = rest.split(',').next().unwrap_or(rest);
        let mut words = rest.split_ascii_whitespace();
        let (one, two) = (words.next(), words.next());
        return Some(match two {
            Some(user) => found(Some(user), one),
            None => found(one, None),
        });
    }
    // Mirapoint: `AUTH alice`, `AUTH via LOGINBEFORESMTP`.
    if let Some(rest) = text.strip_prefix("AUTH ") {
        let user = rest.strip_prefix("via ").map_or(Some(rest), |_| None);
        return Some(found(user.and_then(first_word), None));
    }
    // A patch to sendmail: `user=alice mech=LOGIN bits=0`.
    let rest = after(text, "user=")?;
    Some(found(first_word(rest), word_behind(rest, "mech=")))
}

/// `auth` within words: what stands before it, and the rest with it.
fn spoken<'x>(before: &str, rest: &'x str) -> Option<Auth<'x>> {
    if ends_with(before, "smtp-") {
        // ZMailer: `smtp-auth: <none>`, `smtp-auth: alice`.
        if let Some(user) = after(rest, "auth:") {
            let user = first_word(user).filter(|u| !is_placeholder(u))?;
            return Some(found(Some(user), None));
        }
        let mech = word_behind(rest, "mechanism ").or_else(|| word_behind(rest, "mech "));
        return Some(found(word_behind(rest, "username "), mech));
    }
    let denied = ["not", "un", "no", "non-", "un-"]
        .iter()
        .any(|no| ends_with(before.trim_end(), no));
    // `(Authentication Milter)` is a product.
    let said = ["authenticated", "authenticating", "authentication:"]
        .iter()
        .any(|word| after(rest, word).is_some());
    (said && !denied).then(|| found(authenticated_user(rest), None))
}

/// Yahoo: `user@192.0.2.1 with login`.
fn logged_in(text: &str) -> Option<Auth<'_>> {
    const KNOWN: [&str; 7] = [
        "login",
        "plain",
        "cram-md5",
        "digest-md5",
        "ntlm",
        "xymcookie",
        "poptoken",
    ];
    let at = find(text, " with ")?;
    let mech = first_word(text.get(at + " with ".len()..)?)?;
    if !KNOWN.iter().any(|m| m.eq_ignore_ascii_case(mech)) {
        return None;
    }
    let who = text.get(..at)?.trim();
    match who.rsplit_once('@') {
        Some((user, _)) => Some(found(Some(user), Some(mech))),
        None => address(who).map(|_| found(None, Some(mech))),
    }
}

/// The user in `authenticated as U`, `authenticated user U`, `Authenticated sender: U`.
fn authenticated_user(text: &str) -> Option<&str> {
    const FILLERS: [&str; 8] = [
        "sender", "user", "username", "as", "by", "id", "account", "smtp",
    ];
    let mut words = text
        .split([' ', '\t', '\r', '\n', ':'])
        .filter(|w| !w.is_empty())
        .skip(1)
        .peekable();
    let mut introduced = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.contains(':');
    while let Some(word) = words.peek() {
        if !FILLERS.iter().any(|f| f.eq_ignore_ascii_case(word)) {
            break;
        }
        introduced = true;
        words.next();
    }
    let user = bare(words.next()?).trim_matches(['(', ')']);
    (introduced && !user.is_empty() && !user.starts_with("bits=")).then_some(user)
}

fn first_word(text: &str) -> Option<&str> {
    text.split_ascii_whitespace()
        .next()
        .map(|w| w.trim_end_matches([',', ';']))
}

fn word_behind<'x>(text: &'x str, mark: &str) -> Option<&'x str> {
    first_word(text.get(find(text, mark)? + mark.len()..)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authentication_is_read_in_every_spelling() {
        for (text, user, mech) in [
            (
                "Authenticated sender: alice@example.com",
                Some("alice@example.com"),
                None,
            ),
            ("authenticated bits=0", None, None),
            ("authenticated (0 bits)", None, None),
            ("authenticated", None, None),
            ("authenticated as r.name", Some("r.name"), None),
            ("SquirrelMail authenticated user alice", Some("alice"), None),
            (
                "account alice@example.com HELO [192.168.1.21]",
                Some("alice@example.com"),
                None,
            ),
            (
                "AUTH: LOGIN alice@example.com",
                Some("alice@example.com"),
                Some("LOGIN"),
            ),
            ("AUTH: alice", Some("alice"), None),
            (
                "smtp-auth username alice, mechanism cram-md5",
                Some("alice"),
                Some("cram-md5"),
            ),
            ("alice@192.0.2.1 with login", Some("alice"), Some("login")),
            ("user=alice mech=PLAIN bits=0", Some("alice"), Some("PLAIN")),
        ] {
            let auth = of(text).unwrap();
            assert_eq!((auth.user, auth.mech), (user, mech), "{text}");
        }
        for text in [
            "unauthenticated",
            "not authenticated",
            "Postfix",
            "built with SMTP",
            "may be forged",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
