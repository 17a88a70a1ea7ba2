use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::*;
use crate::check::samples;
use crate::dns::Failure as DnsFailure;
use crate::posture::rdns::Reverse;
use crate::smtp::tls::certificate::{Key, Signature};
use crate::smtp::tls::{Session, Trust};

const SMTP: u16 = 25;
const SUBMISSION: u16 = 587;

/// What is told of a server with this encryption, on this port.
fn found(port: u16, tune: impl FnOnce(&mut Server)) -> Vec<(Severity, &'static str, String)> {
    let mut server = samples::server();
    server.port = port;
    tune(&mut server);
    let mut notes = Notes::about("mx.x.test");
    judge(&server, &Options::at(chrono::Utc::now()), &mut notes);
    let told = notes.list.into_iter();
    told.map(|f| (f.severity, f.code, f.text)).collect()
}

fn with(port: u16, tune: impl FnOnce(&mut Opinion)) -> Vec<(Severity, &'static str, String)> {
    found(port, |server| {
        let mut opinion = samples::opinion();
        tune(&mut opinion);
        server.tls.opinion = Some(opinion);
    })
}

#[test]
fn of_a_certificate_in_order_nothing_is_told() {
    assert_eq!(with(SMTP, |_| ()), []);
    assert_eq!(with(SUBMISSION, |_| ()), []);
}

#[test]
fn old_versions_are_a_warning_between_servers_and_an_error_where_people_log_in() {
    let old = |port, version| {
        let mut told = found(port, |server| {
            server.tls.old_version = Some(version);
            server.tls.error = Some("no TLS version in common".to_string());
        });
        assert_eq!(told.len(), 1, "{told:?}");
        told.remove(0)
    };
    let (severity, code, text) = old(SMTP, "TLSv1.1");
    assert_eq!((severity, code), (Severity::Warning, "tls-outdated"));
    assert!(text.contains("speaks TLSv1.1 only"), "{text}");
    assert_eq!(old(SUBMISSION, "TLSv1.1").0, Severity::Error);
    assert_eq!(old(SMTP, "SSLv3").0, Severity::Error);
    let (severity, _, text) = old(SMTP, "TLSv1.2");
    assert_eq!(severity, Severity::Warning);
    assert!(text.contains("old ciphers only"), "{text}");
}

#[test]
fn starttls_that_fails_is_told_by_how_it_fails() {
    let failing = |port, error: &str, injected| {
        let mut told = found(port, |server| {
            server.tls.error = Some(error.to_string());
            server.tls.injected = injected;
        });
        assert_eq!(told.len(), 1, "{told:?}");
        told.remove(0)
    };
    let refusal = "STARTTLS is answered with 454";
    let (severity, code, _) = failing(SMTP, refusal, false);
    assert_eq!((severity, code), (Severity::Warning, "starttls-refused"));
    assert_eq!(failing(SUBMISSION, refusal, false).0, Severity::Error);
    let (_, code, text) = failing(SMTP, "no cipher in common", false);
    assert_eq!(code, "tls-failed");
    assert!(text.ends_with("no cipher in common"), "{text}");
    let (_, code, text) = failing(SMTP, "whatever", true);
    assert_eq!(code, "tls-failed");
    assert!(text.contains("what follows the 220"), "{text}");
}

#[test]
fn words_in_clear_between_starttls_and_the_handshake_are_an_error() {
    let told = found(SMTP, |server| server.tls.injected = true);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (told[0].0, told[0].1),
        (Severity::Error, "starttls-injected")
    );
}

#[test]
fn the_dates_of_a_certificate_are_told_in_words_and_weigh_by_the_port() {
    for (dates, code, words) in [
        (Dates::Expired(0), "cert-expired", "expired today"),
        (Dates::Expired(1), "cert-expired", "expired yesterday"),
        (Dates::Expired(9), "cert-expired", "expired 9 days ago"),
        (Dates::NotYet(0), "cert-not-yet-valid", "only within a day"),
        (Dates::NotYet(1), "cert-not-yet-valid", "only in a day"),
        (Dates::NotYet(7), "cert-not-yet-valid", "only in 7 days"),
        (Dates::Valid(0), "cert-expires-soon", "expires within a day"),
        (Dates::Valid(1), "cert-expires-soon", "expires in a day"),
        (Dates::Valid(13), "cert-expires-soon", "expires in 13 days"),
    ] {
        for (port, severity) in [(SMTP, Severity::Warning), (SUBMISSION, Severity::Error)] {
            let told = with(port, |opinion| opinion.dates = dates);
            assert_eq!(told.len(), 1, "{told:?}");
            assert_eq!((told[0].0, told[0].1), (severity, code));
            assert!(told[0].2.ends_with(words), "{told:?}");
        }
    }
    assert_eq!(with(SMTP, |opinion| opinion.dates = Dates::Valid(14)), []);
}

#[test]
fn who_asks_by_address_has_no_name_to_compare_except_where_a_login_goes() {
    let by_address = |port| {
        let mut told = found(port, |server| {
            server.host = server.ip.to_string();
            let mut opinion = samples::opinion();
            opinion.name_ok = false;
            server.tls.opinion = Some(opinion);
        });
        assert_eq!(told.len(), 1, "{told:?}");
        told.remove(0)
    };
    let (severity, code, text) = by_address(SMTP);
    assert_eq!((severity, code), (Severity::Info, "cert-name"));
    assert_eq!(text, "the certificate is for mx.x.test, not for 192.0.2.25");
    assert_eq!(by_address(SUBMISSION).0, Severity::Error);
    let told = with(SMTP, |opinion| opinion.name_ok = false);
    assert_eq!(told[0].0, Severity::Warning);
}

#[test]
fn a_machine_without_roots_does_not_blame_the_server() {
    let fault = |port, fault: Fault| {
        let mut told = with(port, |opinion| opinion.chain = Err(fault));
        assert_eq!(told.len(), 1, "{told:?}");
        told.remove(0)
    };
    assert_eq!(fault(SMTP, Fault::SelfSigned).0, Severity::Info);
    assert_eq!(fault(SUBMISSION, Fault::SelfSigned).0, Severity::Error);
    let (severity, _, text) = fault(SUBMISSION, Fault::NoRoots);
    assert_eq!(severity, Severity::Info);
    assert!(text.contains("this machine has no trust store"), "{text}");
}

#[test]
fn weak_keys_and_signatures_are_told_by_name() {
    let told = with(SMTP, |opinion| {
        let certificate = opinion.certificate.as_mut().unwrap();
        certificate.key = Key::Rsa(1024);
        certificate.signature = Signature {
            name: "RSA with SHA-1",
            outdated: true,
            hash: None,
        };
    });
    let told: Vec<_> = told
        .iter()
        .map(|(_, code, text)| (*code, &**text))
        .collect();
    assert_eq!(
        told,
        [
            (
                "cert-weak-key",
                "the certificate's key is too weak (RSA 1024)"
            ),
            (
                "cert-weak-signature",
                "the certificate is signed with RSA with SHA-1"
            ),
        ]
    );
}

fn known(pins: Result<(Vec<dane::Pin>, bool), DnsFailure>) -> Known {
    Known {
        reverse: Reverse {
            name: None,
            confirmed: None,
            failure: None,
        },
        pins,
        pins_at: "_25._tcp.mx.x.test".to_string(),
    }
}

fn state(server: &Server, known: &Known, authentic: bool) -> State {
    dane_state(server, known, authentic, &Options::at(chrono::Utc::now()))
}

#[test]
fn pins_that_cannot_be_looked_up_stop_mail_only_where_dnssec_vouches_for_the_way() {
    let server = samples::server();
    let failed = known(Err(DnsFailure::ServFail));
    assert_eq!(state(&server, &failed, true), State::Failed);
    assert_eq!(state(&server, &failed, false), State::None);
}

fn pin(usage: u8, data: &[u8]) -> dane::Pin {
    dane::Pin {
        usage,
        selector: 0,
        matching: 0,
        data: data.to_vec(),
    }
}

#[test]
fn pins_count_only_with_dnssec_and_want_tls() {
    let server = samples::server();
    let pins = |signed| known(Ok((vec![pin(3, b"x")], signed)));
    assert_eq!(state(&server, &pins(true), true), State::NoTls);
    assert_eq!(state(&server, &pins(false), true), State::Insecure);
    assert_eq!(state(&server, &pins(true), false), State::Insecure);
    let none = known(Ok((Vec::new(), true)));
    assert_eq!(state(&server, &none, true), State::None);
}

/// An authority and a certificate of its making for the sample server (DER).
fn house() -> (Vec<u8>, Vec<u8>) {
    let mut above = CertificateParams::new(Vec::new()).unwrap();
    above.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    above.distinguished_name.push(DnType::CommonName, "House");
    let (key, leaf_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let authority = above.self_signed(&key).unwrap().der().to_vec();
    let leaf = CertificateParams::new(vec!["mx.x.test".to_string()]).unwrap();
    let leaf = leaf.signed_by(&leaf_key, &Issuer::new(above, key)).unwrap();
    (authority, leaf.der().to_vec())
}

#[test]
fn an_authority_that_the_dns_gives_whole_need_not_be_sent_by_the_server() {
    let (authority, leaf) = house();
    let session = Session {
        chain: vec![leaf],
        ..Session::default()
    };
    let mut server = samples::server();
    let now = chrono::Utc::now();
    let trust = Trust::system();
    server.tls.opinion = Some(trust.judge(&session, "mx.x.test", now));
    server.tls.session = Some(session);
    let pinned = known(Ok((vec![pin(2, &authority)], true)));
    assert_eq!(state(&server, &pinned, true), State::Verified);
    // Another house of the same name signed it.
    let other = known(Ok((vec![pin(2, &house().0)], true)));
    assert_eq!(state(&server, &other, true), State::Mismatch);
    // RFC 7671 §5.2: under an authority the name has to be right, too.
    server.tls.opinion = Some(samples::opinion()).map(|opinion| Opinion {
        name_ok: false,
        ..opinion
    });
    assert_eq!(state(&server, &pinned, true), State::Mismatch);
}

#[test]
fn dane_without_tls_is_told_only_of_a_server_that_was_met() {
    let told = |server: &Server, state| {
        let mut notes = Notes::about("mx.x.test");
        judge_dane(server, &known(Ok((Vec::new(), true))), state, &mut notes);
        let codes = notes.list.into_iter();
        codes.map(|f| (f.severity, f.code)).collect::<Vec<_>>()
    };
    let met = samples::server();
    assert_eq!(told(&met, State::NoTls), [(Severity::Error, "dane-no-tls")]);
    let lost = Server {
        reachable: false,
        ..samples::server()
    };
    assert_eq!(told(&lost, State::NoTls), []);
    let failed = [(Severity::Error, "dane-dns-failure")];
    assert_eq!(told(&met, State::Failed), failed);
}
