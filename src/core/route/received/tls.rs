//! Encryption, as comments and other words of a line tell it: in every spelling there is.

use super::Tls;
use super::words::{after, ends_with, find};

/// Whether a comment speaks of encryption and nothing else.
pub(super) fn is_tls(text: &str) -> bool {
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
/// Encryption in any of the forms of the dialects.
pub(super) fn of(text: &str) -> Option<Tls<'_>> {
    if is_tls(text) {
        return Some(facts(text));
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
    let facts = text.get(at..).map(facts)?;
    (facts.version.is_some() || facts.cipher.is_some()).then_some(facts)
}

/// Version and cipher out of words parted by blanks, commas, colons and `=`.
fn facts(text: &str) -> Tls<'_> {
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
pub(super) fn note<'x>(word: &'x str, tls: &mut Tls<'x>) {
    if is_cipher(word) {
        tls.cipher = tls.cipher.or(Some(word));
    } else {
        tls.version = tls.version.or(version(word));
    }
}

/// A name of a cipher suite: letters and digits in parts, such as `AES256-SHA`, `RC4-MD5`,
/// `TLS_AES_256_GCM_SHA384`.
pub(super) fn is_cipher(word: &str) -> bool {
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
pub(super) fn version(word: &str) -> Option<&'static str> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<&'static str>, Option<&str>) {
        let tls = of(text).unwrap_or_default();
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
            assert_eq!(read(text), (version, cipher), "{text}");
            assert!(of(text).is_some(), "{text}");
        }
        assert_eq!(of("version 3.0.2"), None);
        assert_eq!(of("No client certificate requested"), None);
    }
}
