//! The trace field that every server puts on top (RFC 5321 section 4.4).

use std::fmt::Write;
use std::net::IpAddr;
use std::time::SystemTime;

use chrono::{DateTime, Utc};

use crate::mta::envelope::Envelope;

/// What the field tells beside the envelope.
#[derive(Debug)]
pub(super) struct Trace<'a> {
    pub(super) envelope: &'a Envelope,
    /// The reverse name of the client, when it is known.
    pub(super) reverse: Option<&'a str>,
    pub(super) host: &'a str,
    pub(super) software: &'a str,
    pub(super) id: &'a str,
    pub(super) tls: Option<(&'a str, &'a str)>,
}

/// A date as fields write it, with a numeric zone.
pub(super) fn date(time: SystemTime) -> String {
    DateTime::<Utc>::from(time)
        .format("%a, %-d %b %Y %H:%M:%S +0000")
        .to_string()
}

/// `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
fn literal(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    }
}

impl Trace<'_> {
    /// The field with its CR LF.
    pub(super) fn field(&self) -> String {
        let client = &self.envelope.client;
        let mut field = String::with_capacity(320);
        let helo = client.helo.as_deref().unwrap_or("unknown");
        // Neither name can hold a control or a blank; parentheses would open a comment.
        let tame =
            |name: &str| name.replace(|c: char| !c.is_ascii_graphic() || "()\\<>".contains(c), "?");
        let _ = write!(field, "Received: from {}", tame(helo));
        if let Some(ip) = client.ip {
            let reverse = match self.reverse {
                Some(name) => tame(name),
                None if ip.to_canonical().is_loopback() => "localhost".to_string(),
                None => "unknown".to_string(),
            };
            let _ = write!(field, " ({reverse} {})", literal(ip));
        }
        if let Some((version, cipher)) = self.tls {
            let _ = write!(field, "\r\n\t(using {version} with cipher {cipher})");
        }
        let _ = write!(
            field,
            "\r\n\tby {} ({}) with {} id {}",
            self.host, self.software, client.with, self.id
        );
        // With several recipients the field would tell each of the others (RFC 5321 section 7.2).
        if let [only] = self.envelope.recipients.as_slice() {
            let _ = write!(field, "\r\n\tfor <{}>", only.address);
        }
        let _ = write!(field, "; {}\r\n", date(self.envelope.received));
        field
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::mta::address::Address;
    use crate::mta::envelope::{Body, Client, Recipient};

    use super::*;

    fn field(recipients: usize) -> String {
        let recipient = || Recipient {
            address: Address::parse("u@d.test").unwrap(),
            notify: None,
            orcpt: None,
        };
        let envelope = Envelope {
            sender: None,
            recipients: (0..recipients).map(|_| recipient()).collect(),
            ret: None,
            envid: None,
            body: Body::SevenBit,
            smtputf8: false,
            client: Client {
                ip: Some(IpAddr::from([192, 0, 2, 7])),
                helo: Some("client.test".to_string()),
                user: None,
                with: "ESMTPS".to_string(),
            },
            received: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000),
        };
        let trace = Trace {
            envelope: &envelope,
            reverse: Some("rdns.test"),
            host: "mx.d.test",
            software: "mailtrace",
            id: "A1",
            tls: Some(("TLSv1.3", "TLS_AES_256_GCM_SHA384")),
        };
        trace.field()
    }

    #[test]
    fn the_field_says_what_every_reader_looks_for() {
        assert_eq!(
            field(1),
            "Received: from client.test (rdns.test [192.0.2.7])\r\n\
             \t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n\
             \tby mx.d.test (mailtrace) with ESMTPS id A1\r\n\
             \tfor <u@d.test>; Sun, 9 Sep 2001 01:46:40 +0000\r\n"
        );
        assert!(!field(2).contains("for <"));
    }
}
