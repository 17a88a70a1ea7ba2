//! `mailtrace/check/1`: one object per target, the shape of CONTRACT.md.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::bounce::classify::Judgement;
use crate::check::{Checkup, Dns, Exchanger, Finding, Pins, Probe, Server, Step, Sts, Tls};
use crate::posture::{dkim, dmarc, spf, tls_rpt};

use super::write::{Object, number, text};

/// The name of the shape.
const SCHEMA: &str = "mailtrace/check/1";
/// The name of the shape of a summary.
const SUMMARY_SCHEMA: &str = "mailtrace/check-summary/1";

/// Appends one line: what a target is like.
pub fn check(out: &mut String, what: &Checkup) {
    let mut object = Object::new(out);
    object
        .id("schema", Some(SCHEMA))
        .text("target", &what.target)
        .id("kind", Some(what.kind));
    match &what.dns {
        Some(of) => object.object("dns", |object| dns(object, of)),
        None => object.id("dns", None),
    };
    object
        .list("servers", &what.servers, server)
        .list("findings", &what.findings, finding)
        .id("verdict", Some(what.verdict.id()))
        .text("headline", &what.headline);
    millis(&mut object, "ms", Some(what.took));
    object.id("error", None);
    object.end();
    out.push('\n');
}

/// Appends one line: a target that is none.
pub fn error(out: &mut String, target: &str, why: &str) {
    let mut object = Object::new(out);
    object
        .id("schema", Some(SCHEMA))
        .text("target", target)
        .id("kind", None)
        .id("dns", None)
        .list("servers", [0u64; 0], number)
        .list("findings", [0u64; 0], number)
        .id("verdict", None)
        .text("error", why);
    object.end();
    out.push('\n');
}

/// Appends one line: how many targets had which verdict and finding.
pub fn summary(out: &mut String, verdicts: &[(&'static str, u64)], findings: &[(&str, u64)]) {
    let mut object = Object::new(out);
    object.id("schema", Some(SUMMARY_SCHEMA));
    object.object("verdicts", |object| {
        for (name, count) in verdicts {
            object.number(name, Some(*count));
        }
    });
    object.list("findings", findings, |out, (code, count)| {
        let mut object = Object::new(out);
        object.text("code", code).number("targets", Some(*count));
        object.end();
    });
    object.end();
    out.push('\n');
}

fn dns(object: &mut Object<'_>, dns: &Dns) {
    object
        .text("domain", &dns.domain)
        .maybe("alias", dns.alias.as_deref())
        .list("mx", &dns.mx, exchanger)
        .truth("null_mx", Some(dns.null_mx))
        .truth("implicit_mx", Some(dns.implicit_mx))
        .truth("authentic", Some(dns.authentic));
    match &dns.spf {
        Some(of) => object.object("spf", |object| sender_policy(object, of)),
        None => object.id("spf", None),
    };
    match &dns.dmarc {
        Some(of) => object.object("dmarc", |object| dmarc(object, of)),
        None => object.id("dmarc", None),
    };
    object.list("dkim", &dns.dkim, key);
    match dns.mta_sts.as_ref().filter(|s| s.record.text.is_some()) {
        Some(of) => object.object("mta_sts", |object| sts(object, of)),
        None => object.id("mta_sts", None),
    };
    match dns.tls_rpt.as_ref().filter(|r| r.text.is_some()) {
        Some(of) => object.object("tls_rpt", |object| reports(object, of)),
        None => object.id("tls_rpt", None),
    };
    object
        .maybe("bimi", dns.bimi.as_deref())
        .list("tlsa", &dns.tlsa, pins)
        .maybe("error", dns.failure.map(|f| f.to_string()).as_deref());
}

fn exchanger(out: &mut String, mx: &Exchanger) {
    let mut object = Object::new(out);
    object
        .number("preference", Some(u64::from(mx.preference)))
        .text("host", mx.host.as_str())
        .list("addresses", &mx.addresses, |out, ip| {
            text(out, &ip.to_string());
        })
        .maybe("alias", mx.alias.as_deref())
        .truth("authentic", Some(mx.authentic))
        .maybe("error", mx.failure.map(|f| f.to_string()).as_deref());
    object.end();
}

fn sender_policy(object: &mut Object<'_>, spf: &spf::Verdict) {
    object
        .maybe("record", spf.record.as_deref())
        // A survey has no client in mind: a record in order has no result of its own.
        .id(
            "result",
            match spf.outcome {
                spf::Outcome::Neutral => None,
                other => Some(other.id()),
            },
        )
        .truth(
            "valid",
            spf.record.as_ref().map(|_| spf.troubles.is_empty()),
        )
        .number("lookups", Some(spf.lookups as u64))
        .number("void_lookups", Some(spf.voids as u64))
        .list("trace", &spf.trace, |out, step| {
            let mut object = Object::new(out);
            object
                .number("depth", Some(step.depth as u64))
                .text("domain", &step.domain)
                .text("term", &step.term)
                .text("result", &step.result);
            object.end();
        });
}

fn dmarc(object: &mut Object<'_>, found: &dmarc::Found) {
    let applied = found.applied.as_ref();
    object
        .maybe(
            "record",
            applied
                .map(|a| a.record.text.as_str())
                .or(found.unusable.as_deref()),
        )
        .maybe("domain", applied.map(|a| a.domain.as_str()))
        .id("policy", applied.map(|a| a.policy.id()))
        .maybe(
            "organizational_domain",
            applied.and_then(|a| a.organizational.as_deref()),
        )
        .list(
            "rua",
            applied.map_or(&[][..], |a| &a.record.reports),
            |out, to| text(out, to),
        )
        .maybe("error", found.failure.map(|f| f.to_string()).as_deref());
}

fn key(out: &mut String, key: &dkim::Key) {
    let mut object = Object::new(out);
    object
        .text("selector", &key.selector)
        .maybe("record", key.record.as_deref())
        .text("kind", &key.kind)
        .number("bits", key.bits.map(|b| b as u64))
        .truth("revoked", Some(key.revoked))
        .maybe("error", key.fault);
    object.end();
}

fn sts(object: &mut Object<'_>, sts: &Sts) {
    let policy = sts.policy.as_ref();
    object
        .maybe("record", sts.record.text.as_deref())
        .maybe("id", sts.record.id.as_deref())
        .id("mode", policy.map(|p| p.mode.id()))
        .number("max_age_s", policy.map(|p| p.max_age))
        .list("mx", policy.map_or(&[][..], |p| &p.mx), |out, mx| {
            text(out, mx);
        })
        .maybe("error", sts.error.as_deref().or(sts.record.fault));
}

fn reports(object: &mut Object<'_>, record: &tls_rpt::Record) {
    object
        .maybe("record", record.text.as_deref())
        .list("rua", &record.reports, |out, to| text(out, to))
        .maybe("error", record.fault);
}

fn pins(out: &mut String, pins: &Pins) {
    let mut object = Object::new(out);
    object
        .text("host", &pins.host)
        .text("name", &pins.name)
        .truth("authentic", Some(pins.authentic))
        .list("records", &pins.pins, |out, pin| {
            let hex = data_encoding::HEXLOWER.encode(&pin.data);
            text(out, &format!("{} {hex}", pin.numbers()));
        })
        .maybe("error", pins.failure.map(|f| f.to_string()).as_deref());
    object.end();
}

fn server(out: &mut String, server: &Server) {
    let mut object = Object::new(out);
    object
        .text("host", &server.host)
        .ip("ip", Some(server.ip))
        .number("port", Some(u64::from(server.port)))
        .ip("local_ip", server.local)
        .number("preference", server.preference.map(u64::from))
        .truth("reachable", Some(server.reachable))
        .maybe(
            "banner",
            server.banner.as_ref().map(ToString::to_string).as_deref(),
        )
        .maybe("name", server.name.as_deref())
        .maybe("rdns", server.rdns.as_deref())
        .truth("fcrdns", server.fcrdns)
        .list("capabilities", &server.capabilities, |out, line| {
            text(out, line);
        })
        .object("tls", |object| tls(object, &server.tls));
    match &server.recipient {
        Some(probe) => object.object("recipient", |object| recipient(object, probe)),
        None => object.id("recipient", None),
    };
    object.list("steps", &server.steps, step);
    let refusal = server.refusal.as_ref();
    object
        .id("cause", refusal.map(|(_, judgement)| judgement.cause.id()))
        .maybe(
            "error",
            server.failure.as_ref().map(ToString::to_string).as_deref(),
        );
    object.end();
}

pub(super) fn tls(object: &mut Object<'_>, tls: &Tls) {
    let session = tls.session.as_ref();
    let opinion = tls.opinion.as_ref();
    let certificate = opinion.and_then(|o| o.certificate.as_ref());
    object
        .truth("offered", Some(tls.offered))
        .truth("implicit", Some(tls.implicit))
        .id("version", session.map(|s| s.version).or(tls.old_version))
        .maybe("cipher", session.map(|s| s.cipher.as_str()))
        .maybe("group", session.and_then(|s| s.group.as_deref()))
        .truth("name_ok", opinion.map(|o| o.name_ok))
        .truth("chain_ok", opinion.map(|o| o.chain.is_ok()))
        .maybe(
            "chain_error",
            opinion
                .and_then(|o| o.chain.as_ref().err())
                .map(|fault| format!("the certificate {}", fault.words()))
                .as_deref(),
        )
        .time("not_before", certificate.map(|c| utc(c.not_before)))
        .time("not_after", certificate.map(|c| utc(c.not_after)))
        .maybe("subject", certificate.map(|c| c.subject.as_str()))
        .maybe("issuer", certificate.map(|c| c.issuer.as_str()))
        .list(
            "names",
            certificate.map_or(&[][..], |c| &c.names),
            |out, name| text(out, name),
        )
        .maybe("key", certificate.map(|c| c.key.words()).as_deref())
        .id("signature", certificate.map(|c| c.signature.name))
        .id("dane", tls.dane.map(crate::posture::dane::State::id));
    millis(object, "ms", session.map(|s| s.took));
    object.maybe("error", tls.error.as_deref());
}

fn utc(time: DateTime<Utc>) -> DateTime<chrono::FixedOffset> {
    time.fixed_offset()
}

fn recipient(object: &mut Object<'_>, probe: &Probe) {
    let judgement: Option<&Judgement> = probe.judgement.as_ref();
    object
        .text("address", &probe.address)
        .id("outcome", Some(probe.outcome.id()))
        .maybe(
            "reply",
            probe.reply.as_ref().map(ToString::to_string).as_deref(),
        )
        .id("cause", judgement.map(|j| j.cause.id()))
        .id("confidence", judgement.map(|j| j.confidence.id()))
        .truth("catch_all", probe.catch_all)
        .truth(
            "refused_sender",
            Some(probe.at_mail && probe.judgement.is_some()),
        );
    millis(object, "greylisted_ms", probe.waited);
}

pub(super) fn step(out: &mut String, step: &Step) {
    let mut object = Object::new(out);
    let reply = step.reply.as_ref();
    object
        .id("phase", Some(step.stage.id()))
        .maybe("sent", step.sent.as_deref())
        .number("reply_code", reply.map(|r| u64::from(r.code)))
        .maybe(
            "status",
            reply
                .and_then(crate::smtp::reply::Reply::enhanced)
                .map(|s| s.to_string())
                .as_deref(),
        )
        .maybe(
            "text",
            reply
                .map(|r| r.lines.join("\n"))
                .or(step.note.clone())
                .as_deref(),
        )
        .truth("encrypted", Some(step.encrypted));
    millis(&mut object, "at_ms", Some(step.at));
    millis(&mut object, "ms", Some(step.took));
    object.end();
}

fn finding(out: &mut String, finding: &Finding) {
    let mut object = Object::new(out);
    object
        .id("severity", Some(finding.severity.id()))
        .id("code", Some(finding.code))
        .text("subject", &finding.subject)
        .text("text", &finding.text)
        .maybe("advice", Some(&finding.advice));
    object.end();
}

pub(super) fn millis(object: &mut Object<'_>, name: &str, time: Option<Duration>) {
    let out = object.key(name);
    match time {
        Some(time) => out.push_str(&format!("{:.2}", time.as_secs_f64() * 1000.0)),
        None => out.push_str("null"),
    }
}
