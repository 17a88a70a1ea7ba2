//! What comments say of the session: encryption, authentication, the envelope sender.

use super::clause::{Line, words};
use super::words::{address, after, bare, ends_with, find, is_placeholder, mailbox};
use super::{Auth, Received, Tls};

/// Longest comment that is searched for facts.
const MAX_COMMENT: usize = 2000;

/// Reads every comment of the line, and the clauses that state the same outside brackets.
pub(crate) fn read<'x>(line: &Line<'_, 'x>, r: &mut Received<'x>) {
    for comment in line.comments() {
        let text = comment.text.trim_start();
        if text.len() > MAX_COMMENT {
            continue;
        }
        if let Some(tls) = tls(text) {
            r.tls = merged(r.tls, tls);
        }
        if let Some(auth) = auth(text) {
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
            Some(("version" | "cipher", value)) => note_tls(value, &mut r.tls),
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
        || is_tls(text)
        || find(text, "certificate").is_some()
}

fn is_tls(text: &str) -> bool {
    const STARTS: [&str; 8] = [
        "using tls",
        "using ssl",
        "tls",
        "ssl",
        "version=",
        "cipher",
        "google transport",
        "encrypted",
    ];
    STARTS.iter().any(|s| after(text, s).is_some())
        || ends_with(text, " encrypted")
        || find(text, " encrypted, ").is_some()
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

/// Encryption in any of the forms of the dialects.
fn tls(text: &str) -> Option<Tls<'_>> {
    if is_tls(text) {
        return Some(tls_facts(text));
    }
    // Courier: `(AUTH: LOGIN user, SSL: TLSv1,128bits,RC4-MD5)`; others put pairs behind words.
    memchr::memchr3(b':', b'=', b',', text.as_bytes())?;
    let at = [
        "ssl:",
        "tls:",
        "version=",
        "cipher=",
        "using tls",
        " tls-",
        " tlsv",
    ]
    .iter()
    .find_map(|mark| find(text, mark))?;
    let facts = text.get(at..).map(tls_facts)?;
    (facts.version.is_some() || facts.cipher.is_some()).then_some(facts)
}

/// Version and cipher out of words parted by blanks, commas, colons and `=`.
fn tls_facts(text: &str) -> Tls<'_> {
    let mut tls = Tls {
        used: true,
        ..Tls::default()
    };
    let mut cipher_next = false;
    for word in text.split([' ', ',', ':', ';', '=', '"', '\t', '\r', '\n', '(', ')']) {
        if word.is_empty() {
            continue;
        }
        // Quoted-printable that nobody undid: `version=3DTLS1_2`.
        let word = match word.strip_prefix("3D") {
            Some(rest) if after(rest, "tls").is_some() || text.contains("=3D") => rest,
            _ => word,
        };
        if word.eq_ignore_ascii_case("cipher") {
            cipher_next = true;
        } else if tls.version.is_none() && !is_cipher(word) && version(word).is_some() {
            tls.version = version(word);
        } else if tls.cipher.is_none()
            && (is_cipher(word) || (cipher_next && version(word).is_none()))
        {
            tls.cipher = Some(word).filter(|c| !c.eq_ignore_ascii_case("OTHER") && c.len() > 1);
            cipher_next = false;
        }
        if tls.version.is_some() && tls.cipher.is_some() {
            break;
        }
    }
    tls
}

/// Takes one word into account that is known to speak of encryption.
pub(crate) fn note_tls<'x>(word: &'x str, tls: &mut Tls<'x>) {
    if is_cipher(word) {
        tls.cipher = tls.cipher.or(Some(word));
    } else {
        tls.version = tls.version.or(version(word));
    }
}

/// A name of a cipher suite: letters and digits in parts, such as `AES256-SHA`, `RC4-MD5`,
/// `TLS_AES_256_GCM_SHA384`.
pub(crate) fn is_cipher(word: &str) -> bool {
    const PARTS: [&str; 9] = [
        "aes", "rc4", "des", "sha", "md5", "chacha", "camellia", "arcfour", "ecdhe",
    ];
    word.len() >= 6
        && word.bytes().any(|b| b == b'-' || b == b'_')
        && word
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'+'))
        && PARTS.iter().any(|p| find(word, p).is_some())
        && !word.starts_with("RSA-PSS")
}

/// `TLSv1.2`, `TLS1_2`, `TLS-1.0`, `TLSv1/SSLv3`, `SSLv3` in one spelling.
pub(crate) fn version(word: &str) -> Option<&'static str> {
    let (ssl, rest) = match (after(word, "tls"), after(word, "ssl")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ => return None,
    };
    let rest = rest.trim_start_matches(['v', 'V', '_', '-']);
    let mut digits = rest.bytes();
    let major = digits.next()?;
    let minor = match (digits.next(), digits.next()) {
        (Some(b'.' | b'_'), Some(minor)) => minor,
        (None | Some(b'/'), _) => b'0',
        // .NET calls it `Tls12`.
        (Some(minor), None) => minor,
        _ => return None,
    };
    match (ssl, major, minor) {
        (false, b'1', b'3') => Some("TLSv1.3"),
        (false, b'1', b'2') => Some("TLSv1.2"),
        (false, b'1', b'1') => Some("TLSv1.1"),
        (false, b'1', b'0') => Some("TLSv1.0"),
        (true, b'3', _) | (false, b'3', _) => Some("SSLv3"),
        (true, b'2', _) => Some("SSLv2"),
        _ => None,
    }
}

/// Authentication in any of the forms of the dialects.
pub(crate) fn auth(text: &str) -> Option<Auth<'_>> {
    let found = |user, mech| {
        Some(Auth {
            authenticated: true,
            user,
            mech,
        })
    };
    if let Some(rest) = after(text, "account ") {
        return found(first_word(rest), None);
    }
    // Courier: `AUTH: LOGIN user@b.example`, `AUTH: user`.
    if let Some(rest) = after(text, "auth:") {
        let rest = rest.split(',').next().unwrap_or(rest);
        let mut words = rest.split_ascii_whitespace();
        let (one, two) = (words.next(), words.next());
        return match two {
            Some(user) => found(Some(user), one),
            None => found(one, None),
        };
    }
    // Mirapoint: `AUTH alice`, `AUTH via LOGINBEFORESMTP`.
    if let Some(rest) = text.strip_prefix("AUTH ") {
        let user = rest.strip_prefix("via ").map_or(Some(rest), |_| None);
        return found(user.and_then(first_word), None);
    }
    // A patch to sendmail: `user=alice mech=LOGIN bits=0`.
    if let Some(rest) = after(text, "user=") {
        return found(first_word(rest), word_behind(rest, "mech="));
    }
    if let Some(at) = find(text, "auth") {
        let (before, rest) = (text.get(..at)?, text.get(at..)?);
        if ends_with(before, "smtp-") {
            // ZMailer: `smtp-auth: <none>`, `smtp-auth: alice`.
            if let Some(user) = after(rest, "auth:") {
                let user = first_word(user).filter(|u| !is_placeholder(u))?;
                return found(Some(user), None);
            }
            let mech = word_behind(rest, "mechanism ").or_else(|| word_behind(rest, "mech "));
            return found(word_behind(rest, "username "), mech);
        }
        let denied = ["not", "un", "no", "non-", "un-"]
            .iter()
            .any(|no| ends_with(before.trim_end(), no));
        // `(Authentication Milter)` is a product.
        let said = ["authenticated", "authenticating", "authentication:"]
            .iter()
            .any(|word| after(rest, word).is_some());
        if denied || !said {
            return None;
        }
        return found(authenticated_user(rest), None);
    }
    // Yahoo: `user@192.0.2.1 with login`.
    let at = find(text, " with ")?;
    let mech = first_word(text.get(at + 6..)?)?;
    let known = [
        "login",
        "plain",
        "cram-md5",
        "digest-md5",
        "ntlm",
        "xymcookie",
        "poptoken",
    ];
    if !known.iter().any(|m| m.eq_ignore_ascii_case(mech)) {
        return None;
    }
    match text.get(..at)?.trim().rsplit_once('@') {
        Some((user, _)) => found(Some(user), Some(mech)),
        None => address(text.get(..at)?.trim()).and_then(|_| found(None, Some(mech))),
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

    fn facts(text: &str) -> (Option<&'static str>, Option<&str>) {
        let tls = tls(text).unwrap_or_default();
        (tls.version, tls.cipher)
    }

    #[test]
    fn encryption_is_read_in_every_spelling() {
        for (text, version, cipher) in [
            (
                "using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519",
                Some("TLSv1.3"),
                Some("TLS_AES_256_GCM_SHA384"),
            ),
            (
                "version=TLS1_2, cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
                Some("TLSv1.2"),
                Some("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
            ),
            (
                "version=3DTLSv1/SSLv3 cipher=3DRC4-MD5",
                Some("TLSv1.0"),
                Some("RC4-MD5"),
            ),
            (
                "TLS: TLSv1.2,256bits,ECDHE-RSA-AES256-GCM-SHA384",
                Some("TLSv1.2"),
                Some("ECDHE-RSA-AES256-GCM-SHA384"),
            ),
            (
                "TLSv1.2:ECDHE-RSA-AES128-GCM-SHA256:128",
                Some("TLSv1.2"),
                Some("ECDHE-RSA-AES128-GCM-SHA256"),
            ),
            (
                "TLS-1.0:RSA_ARCFOUR_MD5:16",
                Some("TLSv1.0"),
                Some("RSA_ARCFOUR_MD5"),
            ),
            (
                "Cipher TLSv1:DES-CBC3-SHA:168",
                Some("TLSv1.0"),
                Some("DES-CBC3-SHA"),
            ),
            (
                "TLSv1_3:TLS13_AES_256_GCM_SHA384",
                Some("TLSv1.3"),
                Some("TLS13_AES_256_GCM_SHA384"),
            ),
            (
                "cipher=DHE-RSA-AES256-GCM-SHA384",
                None,
                Some("DHE-RSA-AES256-GCM-SHA384"),
            ),
            (
                "DHE-RSA-AES256-SHA encrypted",
                None,
                Some("DHE-RSA-AES256-SHA"),
            ),
            ("version=TLSv1/SSLv3 cipher=OTHER", Some("TLSv1.0"), None),
            ("TLS", None, None),
            ("TLS1.3", Some("TLSv1.3"), None),
            (
                "AUTH: LOGIN u@b.example, SSL: TLSv1/SSLv3,128bits,RC4-MD5",
                Some("TLSv1.0"),
                Some("RC4-MD5"),
            ),
        ] {
            assert_eq!(facts(text), (version, cipher), "{text}");
            assert!(tls(text).is_some(), "{text}");
        }
        assert_eq!(tls("version 3.0.2"), None);
        assert_eq!(tls("No client certificate requested"), None);
    }

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
            let auth = auth(text).unwrap();
            assert_eq!((auth.user, auth.mech), (user, mech), "{text}");
        }
        for text in [
            "unauthenticated",
            "not authenticated",
            "Postfix",
            "built with SMTP",
            "may be forged",
        ] {
            assert_eq!(auth(text), None, "{text}");
        }
    }

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
