//! A server and what it shows, as tests need them: nothing is wrong with it.

use chrono::{TimeDelta, Utc};

use crate::check::{Server, Tls};
use crate::smtp::Reply;
use crate::smtp::tls::certificate::{Key, Signature};
use crate::smtp::tls::trust::Dates;
use crate::smtp::tls::{Certificate, Opinion};

/// A server that was met in clear text.
pub(crate) fn server() -> Server {
    Server {
        preference: Some(10),
        host: "mx.x.test".to_string(),
        ip: [192, 0, 2, 25].into(),
        port: 25,
        local: None,
        reachable: true,
        banner: Some(reply(220, "mx.x.test ESMTP")),
        name: Some("mx.x.test".to_string()),
        no_ehlo: false,
        rdns: None,
        fcrdns: None,
        capabilities: Vec::new(),
        tls: Tls {
            offered: true,
            ..Tls::default()
        },
        recipient: None,
        steps: Vec::new(),
        failure: None,
        refusal: None,
        findings: Vec::new(),
    }
}

/// A reply of one line.
pub(crate) fn reply(code: u16, text: &str) -> Reply {
    Reply {
        code,
        lines: vec![text.to_string()],
        flaws: Vec::new(),
    }
}

/// A certificate that counts.
pub(crate) fn certificate() -> Certificate {
    Certificate {
        subject: "CN=mx.x.test".to_string(),
        issuer: "CN=Example Authority".to_string(),
        names: vec!["mx.x.test".to_string()],
        addresses: Vec::new(),
        not_before: Utc::now() - TimeDelta::days(30),
        not_after: Utc::now() + TimeDelta::days(60),
        key: Key::Ec("P-256"),
        signature: Signature {
            name: "ECDSA with SHA-256",
            outdated: false,
            hash: None,
        },
        self_issued: false,
        spki: Vec::new(),
    }
}

/// What such a certificate is worth.
pub(crate) fn opinion() -> Opinion {
    Opinion {
        certificate: Some(certificate()),
        chain: Ok(()),
        name_ok: true,
        dates: Dates::Valid(60),
    }
}
