//! What a certificate (X.509, RFC 5280) says: for people to read and for DANE to pin.

use std::net::IpAddr;

use chrono::{DateTime, NaiveDate, Utc};

use super::der::{Element, Reader, tag};

/// The most names kept of one certificate; big providers have about 100.
const MOST_NAMES: usize = 1000;

/// A certificate, as far as mail cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Whom it is for, such as `CN=mx.example.net, O=Example`.
    pub subject: String,
    /// Who signed it, in the same form.
    pub issuer: String,
    /// The dNSName entries of subjectAltName, in lower case.
    pub names: Vec<String>,
    /// The iPAddress entries.
    pub addresses: Vec<IpAddr>,
    /// The first moment it counts.
    pub not_before: DateTime<Utc>,
    /// The last moment it counts.
    pub not_after: DateTime<Utc>,
    /// The public key.
    pub key: Key,
    /// The algorithm it is signed with.
    pub signature: Signature,
    /// Subject and issuer are the same.
    pub self_issued: bool,
    /// The SubjectPublicKeyInfo (DER), which DANE's selector 1 pins.
    pub spki: Vec<u8>,
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// RSA with this many bits.
    Rsa(usize),
    /// ECDSA on this curve.
    Ec(&'static str),
    /// EdDSA: `Ed25519` or `Ed448`.
    Ed(&'static str),
    /// DSA, which nobody should use any more.
    Dsa,
    /// Something unknown.
    Other,
}

impl Key {
    /// The key in words, such as `RSA 2048`.
    pub fn words(&self) -> String {
        match self {
            Self::Rsa(bits) => format!("RSA {bits}"),
            Self::Ec(curve) => format!("EC {curve}"),
            Self::Ed(name) => (*name).to_string(),
            Self::Dsa => "DSA".to_string(),
            Self::Other => "unknown kind of key".to_string(),
        }
    }

    /// Whether it is too weak today (NIST SP 800-131A: RSA below 2048, DSA).
    pub const fn is_weak(&self) -> bool {
        match self {
            Self::Rsa(bits) => *bits < 2048,
            Self::Dsa => true,
            _ => false,
        }
    }
}

/// The algorithm of a certificate's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// Its name.
    pub name: &'static str,
    /// Made with MD5 or SHA-1.
    pub outdated: bool,
    /// The hash for channel binding (RFC 5929 §4.1); `None` when the algorithm has none of its own.
    pub hash: Option<Hash>,
}

/// The hashes of channel binding: MD5 and SHA-1 are replaced by SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "names of hashes")]
pub enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Certificate {
    /// Reads a certificate (DER); `None` when it is none.
    pub fn read(der: &[u8]) -> Option<Self> {
        let mut tbs = Reader(der).enter(tag::SEQUENCE)?.enter(tag::SEQUENCE)?;
        // Version: explicit tag 0; certificates of version 1 have none.
        tbs.take(0xa0);
        tbs.take(tag::INTEGER)?;
        let signature = signature(tbs.enter(tag::SEQUENCE)?.take(tag::OID)?.content);
        let issuer = tbs.take(tag::SEQUENCE)?;
        let mut validity = tbs.enter(tag::SEQUENCE)?;
        let not_before = time(validity.next()?)?;
        let not_after = time(validity.next()?)?;
        let subject = tbs.take(tag::SEQUENCE)?;
        let spki = tbs.take(tag::SEQUENCE)?;
        let mut certificate = Self {
            subject: distinguished(subject.content),
            issuer: distinguished(issuer.content),
            names: Vec::new(),
            addresses: Vec::new(),
            not_before,
            not_after,
            key: key(spki.content).unwrap_or(Key::Other),
            signature,
            self_issued: subject.content == issuer.content,
            spki: spki.whole.to_vec(),
        };
        while let Some(element) = tbs.next() {
            if element.tag == 0xa3 {
                certificate.extensions(element.content);
            }
        }
        Some(certificate)
    }

    fn extensions(&mut self, content: &[u8]) -> Option<()> {
        let mut all = Reader(content).enter(tag::SEQUENCE)?;
        while let Some(mut extension) = all.enter(tag::SEQUENCE) {
            let oid = extension.take(tag::OID)?.content;
            extension.take(tag::BOOLEAN);
            let value = extension.take(tag::OCTET_STRING)?.content;
            // 2.5.29.17 subjectAltName
            if oid == [0x55, 0x1d, 0x11] {
                let mut names = Reader(value).enter(tag::SEQUENCE)?;
                while let Some(name) = names.next() {
                    self.alternative(name);
                }
            }
        }
        Some(())
    }

    fn alternative(&mut self, name: Element<'_>) {
        match name.tag {
            0x82 if self.names.len() < MOST_NAMES => {
                let text = String::from_utf8_lossy(name.content).to_ascii_lowercase();
                self.names.push(text);
            }
            0x87 if self.addresses.len() < MOST_NAMES => {
                let v4 = <[u8; 4]>::try_from(name.content).map(IpAddr::from);
                let v6 = <[u8; 16]>::try_from(name.content).map(IpAddr::from);
                self.addresses.extend(v4.or(v6));
            }
            _ => {}
        }
    }

    /// Whether it is for this host (RFC 9525 §6: only subjectAltName counts, a wildcard is the
    /// whole leftmost label and stands for exactly one).
    pub fn is_for(&self, host: &str) -> bool {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return self.addresses.contains(&ip);
        }
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.names.iter().any(|name| {
            let name = name.trim_end_matches('.');
            match name.strip_prefix("*.") {
                Some(parent) => {
                    let rest = host.split_once('.').map(|(_, rest)| rest);
                    parent.contains('.') && rest == Some(parent)
                }
                None => name == host,
            }
        })
    }

    /// The names it is for, the subject's own when it has no subjectAltName.
    pub fn who(&self) -> String {
        const SHOWN: usize = 4;
        let mut names: Vec<_> = self.names.iter().take(SHOWN).cloned().collect();
        names.extend(
            self.addresses
                .iter()
                .take(SHOWN - names.len())
                .map(IpAddr::to_string),
        );
        let more = self.names.len() + self.addresses.len() - names.len();
        match (names.is_empty(), more) {
            (true, _) => self.subject.clone(),
            (false, 0) => names.join(", "),
            (false, more) => format!("{} and {more} more", names.join(", ")),
        }
    }
}

fn time(element: Element<'_>) -> Option<DateTime<Utc>> {
    let text = str::from_utf8(element.content).ok()?;
    let (year, rest) = match element.tag {
        tag::UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i32 = year.parse().ok()?;
            // RFC 5280 §4.1.2.5.1
            (year + if year < 50 { 2000 } else { 1900 }, rest)
        }
        tag::GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let two = |at: usize| rest.get(at..at + 2)?.parse::<u32>().ok();
    // Some old certificates leave the seconds out.
    let seconds = two(8).unwrap_or(0);
    NaiveDate::from_ymd_opt(year, two(0)?, two(2)?)?
        .and_hms_opt(two(4)?, two(6)?, seconds)
        .map(|naive| naive.and_utc())
}

/// A distinguished name as people write it, most specific part first.
fn distinguished(content: &[u8]) -> String {
    let mut parts = Vec::new();
    let mut sequence = Reader(content);
    while let Some(mut set) = sequence.enter(tag::SET) {
        while let Some(mut pair) = set.enter(tag::SEQUENCE) {
            let Some(oid) = pair.take(tag::OID) else {
                break;
            };
            let kind = match oid.content {
                [0x55, 0x04, 0x03] => "CN",
                [0x55, 0x04, 0x06] => "C",
                [0x55, 0x04, 0x07] => "L",
                [0x55, 0x04, 0x08] => "ST",
                [0x55, 0x04, 0x0a] => "O",
                [0x55, 0x04, 0x0b] => "OU",
                _ => continue,
            };
            if let Some(value) = pair.next() {
                parts.push(format!("{kind}={}", string(value)));
            }
        }
    }
    parts.reverse();
    parts.join(", ")
}

fn string(value: Element<'_>) -> String {
    if value.tag != tag::BMP_STRING {
        return String::from_utf8_lossy(value.content).into_owned();
    }
    let units = value.content.chunks_exact(2).map(|pair| match pair {
        [high, low] => u16::from_be_bytes([*high, *low]),
        _ => 0,
    });
    char::decode_utf16(units)
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

fn key(spki: &[u8]) -> Option<Key> {
    let mut spki = Reader(spki);
    let mut algorithm = spki.enter(tag::SEQUENCE)?;
    Some(match algorithm.take(tag::OID)?.content {
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01] => {
            let (_, bits) = spki.take(tag::BIT_STRING)?.content.split_first()?;
            let modulus = Reader(bits)
                .enter(tag::SEQUENCE)?
                .take(tag::INTEGER)?
                .content;
            let zeros = modulus.iter().take_while(|&&b| b == 0).count();
            let top = modulus.get(zeros).map_or(0, |b| b.leading_zeros() as usize);
            Key::Rsa(((modulus.len() - zeros) * 8).saturating_sub(top))
        }
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01] => {
            Key::Ec(match algorithm.take(tag::OID).map(|e| e.content) {
                Some([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]) => "P-256",
                Some([0x2b, 0x81, 0x04, 0x00, 0x22]) => "P-384",
                Some([0x2b, 0x81, 0x04, 0x00, 0x23]) => "P-521",
                _ => "(another curve)",
            })
        }
        [0x2b, 0x65, 0x70] => Key::Ed("Ed25519"),
        [0x2b, 0x65, 0x71] => Key::Ed("Ed448"),
        [0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01] => Key::Dsa,
        _ => Key::Other,
    })
}

fn signature(oid: &[u8]) -> Signature {
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
    let of = |name, outdated, hash| Signature {
        name,
        outdated,
        hash,
    };
    let sha256 = Some(Hash::Sha256);
    match (oid.strip_prefix(RSA), oid.strip_prefix(ECDSA)) {
        (Some([2]), _) => of("RSA with MD2", true, sha256),
        (Some([4]), _) => of("RSA with MD5", true, sha256),
        (Some([5]), _) => of("RSA with SHA-1", true, sha256),
        (Some([10]), _) => of("RSA-PSS", false, None),
        (Some([11]), _) => of("RSA with SHA-256", false, sha256),
        (Some([12]), _) => of("RSA with SHA-384", false, Some(Hash::Sha384)),
        (Some([13]), _) => of("RSA with SHA-512", false, Some(Hash::Sha512)),
        (_, Some([1])) => of("ECDSA with SHA-1", true, sha256),
        (_, Some([3, 2])) => of("ECDSA with SHA-256", false, sha256),
        (_, Some([3, 3])) => of("ECDSA with SHA-384", false, Some(Hash::Sha384)),
        (_, Some([3, 4])) => of("ECDSA with SHA-512", false, Some(Hash::Sha512)),
        _ if oid == [0x2b, 0x65, 0x70] => of("Ed25519", false, None),
        _ if oid == [0x2b, 0x65, 0x71] => of("Ed448", false, None),
        _ => of("an unknown algorithm", false, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256` with two names, an
    /// address and an organisation.
    const EC: &[u8] = include_bytes!("../../../../testdata/tls/ec.der");

    #[test]
    fn a_certificate_tells_names_dates_key_and_signature() {
        let c = Certificate::read(EC).unwrap();
        assert_eq!(c.subject, "O=Example, CN=mx.example.test");
        assert_eq!(c.names, ["mx.example.test", "*.wild.example.test"]);
        assert_eq!(c.addresses, ["127.0.0.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(c.key.words(), "EC P-256");
        assert_eq!(c.signature.name, "ECDSA with SHA-256");
        assert!(c.self_issued);
        assert_eq!(c.not_before.to_rfc3339(), "2026-01-01T00:00:00+00:00");
        assert_eq!(c.not_after.to_rfc3339(), "2060-01-01T00:00:00+00:00");
    }

    #[test]
    fn a_wildcard_stands_for_exactly_one_label() {
        let c = Certificate::read(EC).unwrap();
        for host in [
            "mx.example.test",
            "MX.Example.Test.",
            "a.wild.example.test",
            "127.0.0.1",
        ] {
            assert!(c.is_for(host), "{host}");
        }
        for host in [
            "wild.example.test",
            "a.b.wild.example.test",
            "example.test",
            "127.0.0.2",
        ] {
            assert!(!c.is_for(host), "{host}");
        }
    }

    #[test]
    fn cut_or_changed_certificates_do_no_harm() {
        for end in 0..EC.len() {
            assert!(Certificate::read(&EC[..end]).is_none());
        }
        for at in 0..EC.len() {
            let mut changed = EC.to_vec();
            changed[at] ^= 0xff;
            Certificate::read(&changed);
        }
    }

    #[test]
    fn keys_are_known_by_kind_and_strength() {
        /// SEQUENCE { SEQUENCE { OID, … }, BIT STRING }
        fn of(oid: &[u8], curve: &[u8], bits: &[u8]) -> Key {
            let wrap = |tag: u8, content: &[u8]| {
                let length = u16::try_from(content.len()).unwrap().to_be_bytes();
                [&[tag, 0x82][..], &length, content].concat()
            };
            let curve = match curve {
                [] => Vec::new(),
                curve => wrap(0x06, curve),
            };
            let algorithm = wrap(0x30, &[wrap(0x06, oid), curve].concat());
            let bits = wrap(0x03, &[&[0], bits].concat());
            key(&[algorithm, bits].concat()).unwrap()
        }
        let rsa = |top: u8, octets: u16| {
            let mut modulus = vec![0; usize::from(octets) + 1];
            modulus[1] = top;
            let length = u16::try_from(modulus.len()).unwrap().to_be_bytes();
            let integer = [&[0x02, 0x82][..], &length, &modulus].concat();
            let length = u16::try_from(integer.len()).unwrap().to_be_bytes();
            let sequence = [&[0x30, 0x82][..], &length, &integer].concat();
            of(
                &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1],
                &[],
                &sequence,
            )
        };
        assert_eq!(rsa(0x80, 256), Key::Rsa(2048));
        assert_eq!(rsa(0x40, 256), Key::Rsa(2047));
        assert!(rsa(0x40, 256).is_weak() && !rsa(0x80, 256).is_weak());
        let ec = [0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
        assert_eq!(of(&ec, &[0x2b, 0x81, 4, 0, 0x22], &[]).words(), "EC P-384");
        assert_eq!(of(&ec, &[0x2b, 0x81, 4, 0, 0x23], &[]).words(), "EC P-521");
        assert_eq!(of(&ec, &[0x2b], &[]).words(), "EC (another curve)");
        assert_eq!(of(&[0x2b, 0x65, 0x70], &[], &[]).words(), "Ed25519");
        assert_eq!(of(&[0x2b, 0x65, 0x71], &[], &[]).words(), "Ed448");
        let dsa = of(&[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1], &[], &[]);
        assert!(dsa.is_weak() && dsa.words() == "DSA");
        assert_eq!(of(&[0x2b], &[], &[]).words(), "unknown kind of key");
    }

    #[test]
    fn signatures_with_broken_hashes_are_outdated_and_others_not() {
        const RSA: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1];
        const ECDSA: [u8; 6] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4];
        let rsa = |n: u8| signature(&[&RSA[..], &[n]].concat());
        for n in [2, 4, 5] {
            assert!(rsa(n).outdated, "{}", rsa(n).name);
        }
        for n in [10, 11, 12, 13] {
            assert!(!rsa(n).outdated, "{}", rsa(n).name);
        }
        assert_eq!(rsa(13).hash, Some(Hash::Sha512));
        assert_eq!(rsa(5).hash, Some(Hash::Sha256));
        let ecdsa = |n: &[u8]| signature(&[&ECDSA[..], n].concat());
        assert!(ecdsa(&[1]).outdated && !ecdsa(&[3, 3]).outdated);
        assert_eq!(ecdsa(&[3, 3]).hash, Some(Hash::Sha384));
        assert_eq!(signature(&[0x2b, 0x65, 0x71]).name, "Ed448");
        assert_eq!(signature(&[0x2b]).name, "an unknown algorithm");
    }

    #[test]
    fn times_are_read_in_both_forms_and_impossible_ones_are_none() {
        let of = |tag, text: &str| {
            let content = text.as_bytes();
            let whole = content;
            time(Element {
                tag,
                content,
                whole,
            })
            .map(|t| t.to_rfc3339())
        };
        let some = |text: &str| Some(text.to_string());
        let utc = tag::UTC_TIME;
        assert_eq!(of(utc, "490102030405Z"), some("2049-01-02T03:04:05+00:00"));
        assert_eq!(of(utc, "500102030405Z"), some("1950-01-02T03:04:05+00:00"));
        assert_eq!(of(utc, "2601020304Z"), some("2026-01-02T03:04:00+00:00"));
        let general = tag::GENERALIZED_TIME;
        let long = "20600102030405Z";
        assert_eq!(of(general, long), some("2060-01-02T03:04:05+00:00"));
        assert_eq!(of(utc, "261302030405Z"), None);
        assert_eq!(of(tag::INTEGER, "260102030405Z"), None);
    }

    #[test]
    fn a_name_in_two_octets_a_letter_is_read() {
        let content = [0x00, 0x4d, 0x00, 0xfc, 0xd8, 0x00];
        let tag = tag::BMP_STRING;
        let whole = &content[..];
        let content = &content[..];
        assert_eq!(
            string(Element {
                tag,
                content,
                whole
            }),
            "Mü\u{fffd}"
        );
    }

    #[test]
    fn of_many_names_four_are_told() {
        let mut c = Certificate::read(EC).unwrap();
        assert_eq!(c.who(), "mx.example.test, *.wild.example.test, 127.0.0.1");
        c.names
            .extend(["a.test", "b.test", "c.test"].map(String::from));
        assert_eq!(
            c.who(),
            "mx.example.test, *.wild.example.test, a.test, b.test and 2 more"
        );
        (c.names, c.addresses) = (Vec::new(), Vec::new());
        assert_eq!(c.who(), c.subject);
    }
}
