use chrono::TimeDelta;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};

use super::*;

type Tune = fn(&mut CertificateParams);

/// One who signs certificates.
struct Authority {
    der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

fn parameters(name: &str, tune: Tune) -> CertificateParams {
    let mut made = CertificateParams::new(Vec::new()).unwrap();
    made.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    made.distinguished_name.push(DnType::CommonName, name);
    tune(&mut made);
    made
}

fn root(name: &str) -> Authority {
    let (made, key) = (parameters(name, |_| ()), KeyPair::generate().unwrap());
    Authority {
        der: made.self_signed(&key).unwrap().der().to_vec(),
        issuer: Issuer::new(made, key),
    }
}

impl Authority {
    fn below(&self, name: &str, tune: Tune) -> Self {
        let (made, key) = (parameters(name, tune), KeyPair::generate().unwrap());
        Self {
            der: made.signed_by(&key, &self.issuer).unwrap().der().to_vec(),
            issuer: Issuer::new(made, key),
        }
    }

    /// A certificate for `mx.x.test`, from 2020 to 2040.
    fn leaf(&self, tune: Tune) -> Vec<u8> {
        let mut made = CertificateParams::new(vec!["mx.x.test".to_string()]).unwrap();
        made.distinguished_name.push(DnType::CommonName, "leaf");
        made.not_before = date_time_ymd(2020, 1, 1);
        made.not_after = date_time_ymd(2040, 1, 1);
        tune(&mut made);
        let key = KeyPair::generate().unwrap();
        made.signed_by(&key, &self.issuer).unwrap().der().to_vec()
    }

    fn trusted(&self) -> Trust {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.der.clone())).unwrap();
        Trust {
            roots,
            pinned: Vec::new(),
        }
    }
}

fn now() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn judged(trust: &Trust, chain: &[&[u8]]) -> Opinion {
    let session = Session {
        chain: chain.iter().map(|der| der.to_vec()).collect(),
        ..Session::default()
    };
    trust.judge(&session, "mx.x.test", now())
}

fn as_is(_: &mut CertificateParams) {}

#[test]
fn a_chain_leads_over_what_was_sent_to_a_root_that_is_trusted() {
    let root = root("Root");
    let middle = root.below("Middle", as_is);
    let leaf = middle.leaf(as_is);
    let opinion = judged(&root.trusted(), &[&leaf, &middle.der]);
    assert_eq!((&opinion.chain, opinion.name_ok), (&Ok(()), true));
    let alone = judged(&root.trusted(), &[&leaf]).chain.unwrap_err();
    assert_eq!(alone, Fault::Incomplete("CN=Middle".to_string()));
    assert!(alone.words().contains("sends no intermediate certificate"));
    assert!(leads(&root.der, &[leaf.clone(), middle.der.clone()], now()));
    assert!(!leads(&root.der, &[leaf], now()));
    assert!(!leads(&root.der, &[], now()));
    assert!(!leads(b"no certificate", &[middle.der], now()));
}

#[test]
fn a_house_with_an_authority_of_its_own_is_named() {
    let (root, house) = (root("Root"), root("House"));
    let leaf = house.leaf(as_is);
    let stranger = judged(&root.trusted(), &[&leaf, &house.der]).chain;
    let stranger = stranger.unwrap_err();
    assert_eq!(stranger, Fault::UnknownIssuer("CN=House".to_string()));
    assert_eq!(
        stranger.words(),
        "is signed by \"CN=House\", whom this machine does not know"
    );
}

#[test]
fn without_roots_nothing_is_said_against_a_certificate() {
    let nobody = Trust {
        roots: RootCertStore::empty(),
        pinned: Vec::new(),
    };
    let opinion = judged(&nobody, &[&root("Root").leaf(as_is)]);
    assert_eq!(opinion.chain, Err(Fault::NoRoots));
    assert!(opinion.name_ok);
}

#[test]
fn what_cannot_be_read_or_was_not_proved_does_not_count() {
    let root = root("Root");
    let garbage = judged(&root.trusted(), &[b"no certificate"]);
    assert_eq!(garbage.chain, Err(Fault::Unreadable));
    assert_eq!((garbage.dates, garbage.name_ok), (Dates::Unknown, false));
    assert_eq!(judged(&root.trusted(), &[]).chain, Err(Fault::Unreadable));
    let session = Session {
        chain: vec![root.leaf(as_is)],
        unproved: Some("the signature is wrong".to_string()),
        ..Session::default()
    };
    let unproved = root.trusted().judge(&session, "mx.x.test", now());
    let words = unproved.chain.unwrap_err().words();
    assert_eq!(words, "does not count: the signature is wrong");
}

#[test]
fn dates_are_told_apart_from_the_chain() {
    let root = root("Root");
    let of = |tune| judged(&root.trusted(), &[&root.leaf(tune)]);
    let expired = of(|made| made.not_after = date_time_ymd(2026, 11, 2));
    assert_eq!((expired.dates, expired.chain), (Dates::Expired(20), Ok(())));
    let early = of(|made| made.not_before = date_time_ymd(2026, 11, 25));
    assert_eq!((early.dates, early.chain), (Dates::NotYet(2), Ok(())));
    let valid = of(|made| made.not_after = date_time_ymd(2026, 11, 25));
    assert_eq!(valid.dates, Dates::Valid(2));
}

#[test]
fn an_outdated_certificate_in_between_is_told_from_an_outdated_one_of_the_server() {
    let root = root("Root");
    let middle = root.below("Middle", |made| {
        made.not_after = date_time_ymd(2026, 1, 1);
    });
    let opinion = judged(&root.trusted(), &[&middle.leaf(as_is), &middle.der]);
    assert_eq!(opinion.chain, Err(Fault::ChainDates));
    assert!(matches!(opinion.dates, Dates::Valid(_)));
    let words = opinion.chain.unwrap_err().words();
    assert!(words.contains("outdated intermediate"), "{words}");
}

#[test]
fn other_faults_are_told_in_words() {
    let root = root("Root");
    let words = |der: &[u8]| judged(&root.trusted(), &[der]).chain.unwrap_err().words();
    let client = root.leaf(|made| {
        made.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    assert_eq!(words(&client), "is not acceptable (not made for servers)");
    let authority = root.below("Middle", as_is).der;
    assert_eq!(
        words(&authority),
        "is not acceptable (an authority's own certificate used for a server)"
    );
    let mut forged = root.leaf(as_is);
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(words(&forged), "is not acceptable (its signature is wrong)");
    let odd = root.leaf(|made| {
        let mut extension =
            rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999], vec![5, 0]);
        extension.set_criticality(true);
        made.custom_extensions = vec![extension];
    });
    assert_eq!(
        words(&odd),
        "is not acceptable (with an unknown critical extension)"
    );
}

#[test]
fn who_signed_himself_is_trusted_only_when_named() {
    let own = root("Own");
    let stranger = judged(&root("Root").trusted(), &[&own.der]);
    assert_eq!(stranger.chain, Err(Fault::SelfSigned));
    let pem = data_encoding::BASE64.encode(&own.der);
    let pem = format!("-----BEGIN CERTIFICATE-----\n{pem}\n-----END CERTIFICATE-----\n");
    let named = Trust::from_pem(pem.as_bytes()).unwrap();
    assert_eq!(
        (judged(&named, &[&own.der]).chain, named.len()),
        (Ok(()), 1)
    );
    assert_eq!(Trust::from_pem(b"no PEM").unwrap_err(), NoCertificate);
}

#[test]
fn a_moment_before_all_time_is_no_reason_to_fall() {
    let root = root("Root");
    let long_ago = DateTime::<Utc>::UNIX_EPOCH - TimeDelta::days(400);
    let chain = [root.leaf(as_is)];
    assert!(!leads(&root.der, &chain, long_ago));
}
