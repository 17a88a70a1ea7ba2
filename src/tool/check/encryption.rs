//! What the encryption of a server is worth: for mail between servers hardly anything has to be
//! right, for submission and where DANE or the user ask for it, all of it.

use crate::check::Server;
use std::net::IpAddr;

use crate::check::desk::Known;
use crate::check::options::Options;
use crate::check::verdict::label;
use crate::posture::dane::{self, Shown, State};
use crate::posture::finding::{Finding, Notes, Severity};
use crate::smtp::TlsMode;
use crate::smtp::tls::trust::{Dates, Fault, leads};
use crate::smtp::tls::{Certificate, Opinion};

/// Days before the end at which somebody should act.
const SOON: i64 = 14;
/// Whole certificates in the DNS that are looked at.
const WHOLE: usize = 8;
const POSTMASTER: &str = "Tell the server's postmaster. Most senders encrypt all the same; those that verify do not deliver.";

/// The findings about encryption.
pub(super) fn judge(server: &Server, options: &Options, notes: &mut Notes<'_>) {
    if !server.reachable || server.banner.is_none() && server.tls.error.is_none() {
        return;
    }
    let wanted = options.tls != TlsMode::None;
    let strict = is_strict(server, options);
    let bad = if strict {
        Severity::Error
    } else {
        Severity::Warning
    };
    if let Some(error) = server.tls.error.as_ref().filter(|_| wanted) {
        failed(server, error, strict, notes);
    } else if !server.tls.offered && server.refusal.is_none() && server.failure.is_none() {
        notes.list.push(Finding::new(
            bad,
            "no-starttls",
            &label(server),
            "the server offers no encryption (STARTTLS): mail crosses the Internet in clear text",
            "The server's admin switches STARTTLS on.",
        ));
    }
    // Where no TLS came about, it was no TLS that came: that is told above.
    if server.tls.injected && server.tls.error.is_none() {
        notes.error(
            "starttls-injected",
            "words came in clear text after the answer to STARTTLS: somebody on the way may have put them in",
            "They were thrown away. The server's admin looks whether it is the server itself.",
        );
    }
    if let Some(opinion) = &server.tls.opinion {
        certificate(server, opinion, strict, notes);
    }
}

/// Whether the certificate has to be right: on submission ports and when the user says so.
fn is_strict(server: &Server, options: &Options) -> bool {
    matches!(options.tls, TlsMode::Required | TlsMode::Implicit) || matches!(server.port, 465 | 587)
}

fn failed(server: &Server, error: &str, strict: bool, notes: &mut Notes<'_>) {
    if let Some(version) = server.tls.old_version {
        let text = match version {
            "TLSv1.2" => "the server speaks TLSv1.2 with old ciphers only (without forward secrecy or with CBC), which are not spoken here".to_string(),
            _ => format!("the server speaks {version} only, which nobody should use any more (RFC 8996)"),
        };
        let advice = "The server's admin updates its TLS to 1.2 or 1.3.";
        if strict || version == "SSLv3" {
            notes.error("tls-outdated", text, advice);
        } else {
            notes.warning("tls-outdated", text, advice);
        }
        return;
    }
    if server.tls.session.is_none() && error.starts_with("STARTTLS is answered") {
        let text = format!("the server offers encryption and then cannot do it: {error}");
        let advice = "The server's admin looks at its certificate and key files; senders go on in clear text or wait.";
        if strict {
            notes.error("starttls-refused", text, advice);
        } else {
            notes.warning("starttls-refused", text, advice);
        }
        return;
    }
    let error = match server.tls.injected {
        true => "what follows the 220 to STARTTLS is no TLS",
        false => error,
    };
    notes.error(
        "tls-failed",
        format!("encryption does not come about: {error}"),
        "The server's admin mends it or stops offering STARTTLS: some senders do not deliver, the others go on in clear text.",
    );
}

fn certificate(server: &Server, opinion: &Opinion, strict: bool, notes: &mut Notes<'_>) {
    let (host, label) = (&server.host, label(server));
    let mut add = |severity, code, text: String| {
        let severity = if strict && severity > Severity::Info {
            Severity::Error
        } else {
            severity
        };
        notes
            .list
            .push(Finding::new(severity, code, &label, text, POSTMASTER));
    };
    match opinion.dates {
        Dates::Expired(days) => add(
            Severity::Warning,
            "cert-expired",
            format!("the certificate expired {}", ago(days)),
        ),
        Dates::NotYet(days) => add(
            Severity::Warning,
            "cert-not-yet-valid",
            format!("the certificate is not valid yet, only {}", within(days)),
        ),
        Dates::Valid(days) if days < SOON => add(
            Severity::Warning,
            "cert-expires-soon",
            format!("the certificate expires {}", within(days)),
        ),
        _ => {}
    }
    let dane = server.tls.dane == Some(State::Verified);
    if let Some(certificate) = opinion
        .certificate
        .as_ref()
        .filter(|_| !opinion.name_ok && !dane)
    {
        let text = format!(
            "the certificate is for {}, not for {host}",
            certificate.who()
        );
        // Who asks a server by its address has no name to compare.
        let nameless = host.parse::<IpAddr>().is_ok() && !strict;
        let severity = if nameless {
            Severity::Info
        } else {
            Severity::Warning
        };
        add(severity, "cert-name", text);
    }
    // Of an expired certificate it means little that its authority is of another time, too.
    let told =
        matches!(opinion.dates, Dates::Expired(_)) && opinion.chain == Err(Fault::ChainDates);
    if let Some(fault) = opinion.chain.as_ref().err().filter(|_| !dane && !told) {
        // That nobody is known here who could vouch for it is no fault of the server.
        let severity = if strict && *fault != Fault::NoRoots {
            Severity::Warning
        } else {
            Severity::Info
        };
        let text = format!("the certificate {}", fault.words());
        add(severity, "cert-untrusted", text);
    }
    if let Some(certificate) = &opinion.certificate {
        weakness(certificate, &mut add);
    }
}

fn weakness(certificate: &Certificate, add: &mut impl FnMut(Severity, &'static str, String)) {
    if certificate.key.is_weak() {
        let text = format!(
            "the certificate's key is too weak ({})",
            certificate.key.words()
        );
        add(Severity::Warning, "cert-weak-key", text);
    }
    if certificate.signature.outdated {
        let text = format!(
            "the certificate is signed with {}",
            certificate.signature.name
        );
        add(Severity::Warning, "cert-weak-signature", text);
    }
}

fn ago(days: i64) -> String {
    match days {
        0 => "today".to_string(),
        1 => "yesterday".to_string(),
        days => format!("{days} days ago"),
    }
}

fn within(days: i64) -> String {
    match days {
        ..1 => "within a day".to_string(),
        1 => "in a day".to_string(),
        days => format!("in {days} days"),
    }
}

/// Compares what the DNS pins with what the server shows; `authentic` when DNSSEC vouches for
/// the way to the server (MX and addresses).
pub(super) fn dane_state(
    server: &Server,
    known: &Known,
    authentic: bool,
    options: &Options,
) -> State {
    let (pins, signed) = match &known.pins {
        Ok(pins) => pins,
        Err(_) if authentic => return State::Failed,
        Err(_) => return State::None,
    };
    if pins.is_empty() {
        return State::None;
    }
    if !authentic || !signed {
        return State::Insecure;
    }
    let Some(session) = &server.tls.session else {
        return State::NoTls;
    };
    let mut chain = session.chain.clone();
    let whole = |pin: &&dane::Pin| (pin.usage, pin.selector, pin.matching) == (2, 0, 0);
    // RFC 7671 §5.2.1: what the DNS gives whole, the server need not send.
    for pin in pins.iter().filter(whole).take(WHOLE) {
        if !chain.is_empty() && !chain.contains(&pin.data) {
            chain.push(pin.data.clone());
        }
    }
    let spkis: Vec<_> = chain
        .iter()
        .map(|der| Certificate::read(der).map(|c| c.spki).unwrap_or_default())
        .collect();
    let shown: Vec<_> = chain
        .iter()
        .zip(&spkis)
        .map(|(der, spki)| Shown { der, spki })
        .collect();
    let opinion = server.tls.opinion.as_ref();
    let good = opinion.is_some_and(|o| o.name_ok && matches!(o.dates, Dates::Valid(_)));
    dane::compare(pins, &shown, |place| {
        let anchor = chain.get(place);
        good && anchor.is_some_and(|anchor| leads(anchor, &chain, options.now))
    })
}

/// The finding about DANE.
pub(super) fn judge_dane(server: &Server, known: &Known, state: State, notes: &mut Notes<'_>) {
    const ADMIN: &str = "The domain's admin renews the TLSA records together with the certificate.";
    match state {
        State::Verified => {
            let pins = known.pins.as_ref().map_or(&[][..], |(pins, _)| pins);
            let numbers = pins.iter().find(|p| p.is_usable()).map(dane::Pin::numbers);
            let text = format!("the certificate is the one that the DNS pins (DANE {})", numbers.unwrap_or_default());
            notes.info("dane-verified", text, "");
        }
        State::None => {}
        State::Insecure => notes.info(
            "dane-insecure",
            "there are TLSA records, but DNSSEC does not vouch for them, so they mean nothing",
            "Sign the zone, or look whether the resolver validates.",
        ),
        State::Unusable => notes.warning(
            "dane-unusable",
            "the TLSA records are of kinds that mail cannot use (only usage 2 and 3 count, RFC 7672)",
            ADMIN,
        ),
        State::Mismatch => notes.error(
            "dane-mismatch",
            "the certificate is not the one that the DNS pins (DANE): senders that look do not deliver",
            ADMIN,
        ),
        State::NoTls if server.reachable && server.failure.is_none() => notes.error(
            "dane-no-tls",
            "the DNS pins a certificate (DANE), but no TLS comes about: senders that look do not deliver",
            "The server's admin switches STARTTLS on.",
        ),
        State::NoTls => {}
        State::Failed => notes.error(
            "dane-dns-failure",
            "the TLSA records cannot be looked up: senders that look do not deliver until they can",
            "The domain's admin mends the name servers or DNSSEC.",
        ),
    }
}

#[cfg(test)]
mod tests;
