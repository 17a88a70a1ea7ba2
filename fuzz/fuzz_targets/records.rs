//! Any text as SPF, DMARC, DKIM, MTA-STS or TLS-RPT record, any bytes as a certificate.
//! `cargo +nightly fuzz run records -- -max_total_time=600`
#![no_main]

use mailtrace::posture::{dkim, dmarc, mta_sts, spf, tls_rpt};
use mailtrace::smtp::tls::Certificate;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some(certificate) = Certificate::read(data) {
        let _ = certificate.is_for("mail.example.net");
        let _ = certificate.who();
    }
    let Ok(text) = str::from_utf8(data) else { return };
    let _ = spf::Record::read(text).redirect();
    let _ = dmarc::Record::read(text);
    let _ = dkim::judge("example.net", &dkim::read("s", Some(text)));
    let texts = [text.to_string()];
    let _ = mta_sts::read(&texts);
    let _ = mta_sts::Policy::read(text);
    let _ = tls_rpt::judge("example.net", &tls_rpt::read(&texts), true);
});
