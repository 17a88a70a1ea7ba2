//! What comments say of the session: encryption, authentication, the envelope sender.

use super::clause::{Line, words};
use super::words::{after, bare, find, mailbox};
use super::{Received, Tls, auth, tls};

/// Longest comment that is searched for facts.
const MAX_COMMENT: usize = 2000;

/// Reads every comment of the line, and the clauses that state the same outside brackets.
pub(crate) fn read<'x>(line: &Line<'_, 'x>, r: &mut Received<'x>) {
    for comment in line.comments() {
        let text = comment.text.trim_start();
        if text.len() > MAX_COMMENT {
            continue;
        }
        if let Some(tls) = tls::of(text) {
            r.tls = merged(r.tls, tls);
        }
        if let Some(auth) = auth::of(text) {
            r.auth.authenticated = true;
            r.auth.user = r.auth.user.or(auth.user);
            r.auth.mech = r.auth.mech.or(auth.mech);
        }
        if r.envelope_from.is_none() {
            r.envelope_from = sender(text);
        }
    }
    // RFC 8314: `tls CIPHER`; OpenSMTPD before 6: `TLS version=X cipher=Y bits=256 verify=NO`.
    for word in words(line.cipher) {
        r.tls.used = true;
        match word.split_once('=') {
            Some(("version" | "cipher", value)) => tls::note(value, &mut r.tls),
            Some(_) => {}
            None => r.tls.cipher = r.tls.cipher.or(Some(word)),
        }
    }
    // OpenSMTPD: `id 83a1b6b2 (…) auth=yes user=alice`.
    let pair = |key: &str| {
        let mut said = words(line.id).skip(1).filter_map(|w| w.split_once('='));
        said.find(|(k, _)| *k == key).map(|(_, value)| value)
    };
    if pair("auth") == Some("yes") {
        r.auth.authenticated = true;
        r.auth.user = r.auth.user.or(pair("user"));
    }
    if let Some(user) = words(line.user).nth(1) {
        r.auth.authenticated = true;
        r.auth.user = r.auth.user.or(Some(bare(user)));
    }
    if let Some(sender) = words(line.sender).next().and_then(mailbox) {
        r.envelope_from = r.envelope_from.or(Some(sender));
    }
}

fn merged<'x>(one: Tls<'x>, other: Tls<'x>) -> Tls<'x> {
    Tls {
        used: one.used || other.used,
        version: one.version.or(other.version),
        cipher: one.cipher.or(other.cipher),
    }
}

/// Whether a comment of the `from` part speaks of the session rather than of the client.
pub(crate) fn is_session(text: &str) -> bool {
    let text = text.trim_start();
    // Beside `mailfrom:` the address of the client may stand.
    sender(text).is_some() && after(text, "mailfrom").is_none()
        || tls::is_tls(text)
        || find(text, "certificate").is_some()
}

/// `(envelope-from <a@b>)`, `(envelope-sender …)`, `(original mail from …)` (Sun).
fn sender(text: &str) -> Option<&str> {
    // `envelope-from`, `envelope from` (chasquid).
    let rest = match find(text, "envelope").and_then(|at| text.get(at + 9..)) {
        Some(rest) => after(rest, "from").or_else(|| after(rest, "sender"))?,
        // `mailfrom:a@b fp:token` (Alibaba), `sender: <a@b>` (Smail).
        None => ["return-path", "original mail from", "mailfrom", "sender:"]
            .iter()
            .find_map(|mark| after(text, mark))?,
    };
    let rest = rest.trim_start_matches([' ', '=', ':']);
    let end = rest.find([' ', ',', ')']).unwrap_or(rest.len());
    mailbox(rest.get(..end)?.trim_matches('"'))
}
/// Whether a protocol word says that the client authenticated (RFC 3848, RFC 6531), and whether it
/// says that the connection was encrypted.
pub(crate) fn protocol(word: &str) -> Option<(bool, bool)> {
    let rest = after(word, "utf8").unwrap_or(word);
    let rest = after(rest, "local-").unwrap_or(rest);
    if rest.eq_ignore_ascii_case("asmtp") {
        return Some((true, false));
    }
    let rest = ["esmtp", "slmtp", "bsmtp", "smtp", "lmtp"]
        .iter()
        .find_map(|p| after(rest, p))?;
    let is = |w: &str| rest.eq_ignore_ascii_case(w);
    match () {
        () if is("") => Some((false, false)),
        () if is("s") || is("-tls") || is("-ssl") || is("+tls") || is("tls") => Some((false, true)),
        () if is("a") || is("-auth") => Some((true, false)),
        () if is("sa") || is("as") => Some((true, true)),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocol_words_tell_authentication_and_encryption() {
        assert_eq!(protocol("ESMTPSA"), Some((true, true)));
        assert_eq!(protocol("utf8smtps"), Some((false, true)));
        assert_eq!(protocol("asmtp"), Some((true, false)));
        assert_eq!(protocol("local-esmtp"), Some((false, false)));
        assert_eq!(protocol("SMTPSVC"), None);
        assert_eq!(protocol("HTTP"), None);
    }
}
