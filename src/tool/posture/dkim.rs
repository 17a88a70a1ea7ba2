//! DKIM keys in the DNS (RFC 6376 §3.6.1, RFC 8301, RFC 8463).

use data_encoding::BASE64;

use crate::dns::{Failure, Lookup, Name};
use crate::posture::Asker;
use crate::posture::finding::{Finding, Notes};
use crate::posture::tags::Tags;

/// A key record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The selector.
    pub selector: String,
    /// The record; `None` when there is none.
    pub record: Option<String>,
    /// `rsa`, `ed25519` or what is written there.
    pub kind: String,
    /// The bits of an RSA key.
    pub bits: Option<usize>,
    /// An empty `p=`: the key was withdrawn.
    pub revoked: bool,
    /// What is wrong.
    pub fault: Option<&'static str>,
    /// `t=y`.
    pub testing: bool,
    /// `t=s`: signatures must not speak for names below the domain.
    pub strict: bool,
    /// How many keys stand under the selector; more than one is one too many.
    pub keys: usize,
    /// Why nothing is known.
    pub failure: Option<Failure>,
}

/// Looks a selector up.
pub async fn find<L: Lookup>(asker: Asker<'_, L>, domain: &Name, selector: &str) -> Key {
    let label = format!("{selector}._domainkey");
    match asker.texts_at(&label, domain).await {
        Ok(texts) => {
            // Providers keep other texts at the same name now and then; a key has p=.
            let mut with_key = texts.iter().filter(|t| Tags::read(t).get("p").is_some());
            let first = with_key.next();
            Key {
                keys: usize::from(first.is_some()) + with_key.count(),
                ..read(selector, first.or(texts.first()).map(String::as_str))
            }
        }
        Err(failure) => Key {
            failure: Some(failure),
            ..read(selector, None)
        },
    }
}

/// Reads the record of a selector.
pub fn read(selector: &str, record: Option<&str>) -> Key {
    let tags = Tags::read(record.unwrap_or(""));
    let kind = tags.get("k").unwrap_or("rsa").to_ascii_lowercase();
    let mut key = Key {
        selector: selector.to_string(),
        record: record.map(str::to_string),
        kind,
        bits: None,
        revoked: false,
        fault: None,
        testing: false,
        strict: false,
        keys: usize::from(record.is_some()),
        failure: None,
    };
    if record.is_none() {
        return key;
    }
    let flags = tags.get("t").unwrap_or("");
    let has = |flag| flags.split(':').any(|f| f.trim() == flag);
    key.testing = has("y");
    key.strict = has("s");
    if tags.get("v").is_some_and(|v| v != "DKIM1") || tags.0.iter().skip(1).any(|(t, _)| t == "v") {
        key.fault = Some("the version is not v=DKIM1 at the start");
        return key;
    }
    let Some(value) = tags.get("p") else {
        key.fault = Some("there is no key in it (no p=)");
        return key;
    };
    key.revoked = value.is_empty();
    let hashes = tags.get("h").filter(|h| !h.is_empty());
    if hashes.is_some_and(|h| {
        !h.split(':')
            .any(|h| h.trim().eq_ignore_ascii_case("sha256"))
    }) {
        key.fault = Some("it does not allow SHA-256, and nobody accepts SHA-1 (RFC 8301)");
    }
    let for_mail = |s: &str| matches!(s.trim(), "*" | "email");
    if tags.get("s").is_some_and(|s| !s.split(':').any(for_mail)) {
        key.fault = Some("it is not for mail (s= names other services only)");
        return key;
    }
    let packed: String = value.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let octets = BASE64.decode(packed.as_bytes());
    let Ok(octets) = octets else {
        key.fault = Some("the key is damaged (no valid base64)");
        return key;
    };
    match key.kind.as_str() {
        "rsa" if !key.revoked => {
            key.bits = rsa_bits(&octets);
            if key.bits.is_none() {
                key.fault = Some("the key is damaged (no RSA key in it)");
            }
        }
        "ed25519" if !key.revoked && octets.len() != 32 => {
            key.fault = Some("the key is damaged (an Ed25519 key has 32 octets)");
        }
        "rsa" | "ed25519" => {}
        _ => key.fault = Some("the kind of key is unknown"),
    }
    key
}

/// The key of a record as it is used for verifying: RSAPublicKey, or the octets of Ed25519.
pub(super) fn public_key(record: &str) -> Option<Vec<u8>> {
    let tags = Tags::read(record);
    let value = tags.get("p")?;
    let packed: String = value.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let octets = BASE64.decode(packed.as_bytes()).ok()?;
    if tags
        .get("k")
        .is_some_and(|k| k.eq_ignore_ascii_case("ed25519"))
    {
        return Some(octets);
    }
    rsa_key(&octets).map(<[u8]>::to_vec)
}

/// RSAPublicKey: out of SubjectPublicKeyInfo, or bare as some write it.
fn rsa_key(der: &[u8]) -> Option<&[u8]> {
    let (tag, inner, _) = element(der)?;
    if tag != 0x30 {
        return None;
    }
    if inner.first() != Some(&0x30) {
        return Some(der);
    }
    let (_, _, rest) = element(inner)?;
    let (_, bits, _) = element(rest)?;
    bits.get(1..)
}

/// The bits of the modulus.
fn rsa_bits(der: &[u8]) -> Option<usize> {
    let (_, inner, _) = element(rsa_key(der)?)?;
    let (tag, modulus, _) = element(inner)?;
    let zeros = modulus.iter().take_while(|&&b| b == 0).count();
    let top = modulus.get(zeros)?.leading_zeros() as usize;
    (tag == 2).then_some((modulus.len() - zeros) * 8 - top)
}

/// Tag, content and what follows of a DER element.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [tag, first, rest @ ..] = der else {
        return None;
    };
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = octets.iter().fold(0, |n, &o| n << 8 | usize::from(o));
            (length, rest)
        }
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((*tag, content, after))
}

/// The findings about a key.
pub fn judge(domain: &str, key: &Key) -> Vec<Finding> {
    let subject = format!("{}._domainkey.{domain}", key.selector);
    let mut notes = Notes::about(&subject);
    const REPAIR: &str =
        "The domain's admin publishes the key again, as the signing software shows it.";
    if let Some(failure) = key.failure {
        notes.warning(
            "dkim-unknown",
            format!("the DKIM key cannot be judged: {failure}"),
            "Try again later.",
        );
    } else if key.record.is_none() {
        notes.error(
            "dkim-missing",
            "there is no DKIM key under this selector: signatures with it fail",
            REPAIR,
        );
    } else if let Some(fault) = key.fault {
        notes.error(
            "dkim-syntax",
            format!("the DKIM key cannot be used: {fault}"),
            REPAIR,
        );
    } else if key.revoked {
        notes.warning(
            "dkim-revoked",
            "the DKIM key was withdrawn (empty p=)",
            "Sign with another selector.",
        );
    } else if let Some(bits) = key.bits.filter(|b| *b < 2048) {
        let text = format!("the DKIM key has {bits} bits only");
        if bits < 1024 {
            notes.error(
                "dkim-weak",
                text,
                "Receivers ignore keys below 1024 bits: make one of 2048.",
            );
        } else {
            notes.warning("dkim-weak", text, "Make a new key of 2048 bits.");
        }
    }
    if key.keys > 1 {
        notes.warning(
            "dkim-multiple",
            format!(
                "there are {} keys under this selector: which one a receiver takes is chance (RFC 6376 3.6.2.2)",
                key.keys
            ),
            "Keep one key for each selector.",
        );
    }
    if key.testing {
        let text =
            "the DKIM key is marked as a test (t=y): receivers may treat its mail as unsigned";
        notes.info("dkim-testing", text, "Remove t=y when the test is over.");
    }
    notes.list
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1024 bits, made for this test.
    const RSA: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDUNVtsMqtoFZlkp027f4osLu+thjUo2S+vGTk1Pw5N\
        7OMsi8Uvy19cNr7JdZBvcQQKQhk9EhGV4vwpf/SV/1oLhUNkz22adYFTeyY76cP89gcYkHRWl+Yd4JX4\
        +Y+z1m2Oyx6nqm2D8xcTp2ghPI2SnDDYIQUMuUa0eiIJE1R6hQIDAQAB";

    fn codes(record: &str) -> Vec<&'static str> {
        let key = read("s", Some(record));
        judge("x.test", &key).iter().map(|f| f.code).collect()
    }

    #[test]
    fn keys_are_read_and_judged() {
        assert_eq!(
            read("s", Some(&format!("v=DKIM1; p={RSA}"))).bits,
            Some(1024)
        );
        assert_eq!(codes(&format!("v=DKIM1; k=rsa; p={RSA}")), ["dkim-weak"]);
        let ed = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        assert!(codes(ed).is_empty());
        assert_eq!(codes(&format!("{ed}; t=y:s")), ["dkim-testing"]);
        assert_eq!(codes("v=DKIM1; p="), ["dkim-revoked"]);
        assert_eq!(codes("v=DKIM1; s=email:x; p="), ["dkim-revoked"]);
        let two = Key {
            keys: 2,
            ..read("s", Some("v=DKIM1; p="))
        };
        let found = judge("x.test", &two);
        assert!(found.iter().any(|f| f.code == "dkim-multiple"));
        for bad in [
            "v=DKIM2; p=",
            "p=x; v=DKIM1",
            "v=DKIM1; k=rsa",
            "v=DKIM1; p=%%%",
            "v=DKIM1; p=AAAA",
            "v=DKIM1; k=ed25519; p=AAAA",
            "v=DKIM1; k=dsa; p=AAAA",
            "v=DKIM1; h=sha1; p=",
            "v=DKIM1; h=sha512; p=",
            "v=DKIM1; s=tlsrpt; p=",
        ] {
            assert_eq!(codes(bad), ["dkim-syntax"], "{bad}");
        }
        assert_eq!(judge("x.test", &read("s", None))[0].code, "dkim-missing");
    }
}
