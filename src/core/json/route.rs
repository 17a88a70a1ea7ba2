//! `mailtrace/route/1`: the way of one message, the shape of CONTRACT.md with some keys more.

use std::fmt::Write as _;

use crate::json::write::{Object, number, text};
use crate::message::dates::Stamp;
use crate::route::authentication::{Arc, Authentication, Outcome, Signature};
use crate::route::live::Live;
use crate::route::net::Zone;
use crate::route::summary::Summary;
use crate::route::{Finding, Handler, HandlerKind, Hop, Reason, Route, Verdict};

use super::explain::SourceRef;

const SCHEMA: &str = "mailtrace/route/1";

/// Appends one line: the way of one message.
pub fn route(out: &mut String, source: SourceRef<'_>, way: &Route) {
    let mut object = Object::new(out);
    object.id("schema", Some(SCHEMA));
    source.write(&mut object);
    fill(&mut object, way);
    object.id("error", None);
    object.end();
    out.push('\n');
}

/// Appends one line: an input that could not be read, or has no header.
pub fn error(out: &mut String, source: SourceRef<'_>, why: &str) {
    let mut object = Object::new(out);
    object.id("schema", Some(SCHEMA));
    source.write(&mut object);
    object
        .id("message", None)
        .list("hops", [0u64; 0], number)
        .list("findings", [0u64; 0], number)
        .text("error", why);
    object.end();
    out.push('\n');
}

/// The keys of a route without schema and source, for objects that contain one.
pub fn fill(object: &mut Object<'_>, way: &Route) {
    let message = &way.message;
    object
        .object("message", |o| {
            o.maybe("message_id", message.message_id.as_deref())
                .maybe("subject", message.subject.as_deref())
                .maybe("from", message.from.as_deref())
                .list("to", &message.to, |out, to| text(out, to));
            stamp(o, "date", message.date);
            o.maybe("return_path", message.return_path.as_deref());
        })
        .list("hops", &way.hops, hop);
    seconds(object, "total_s", way.total_s);
    seconds(object, "waited_s", Some(way.waited_s));
    object
        .number("slowest_hop", way.slowest_hop.map(count))
        .id("slowest_reason", way.reason.map(Reason::id));
    match &way.origin {
        Some(origin) => drop(object.object("origin", |o| {
            o.ip("ip", origin.ip)
                .maybe("host", origin.host.as_deref())
                .number("hop", Some(count(origin.hop)))
                .truth("trusted", Some(origin.trusted));
        })),
        None => drop(object.id("origin", None)),
    }
    object
        .number("border_hop", way.border.map(count))
        .list("handlers", &way.handlers, handler)
        .object("authentication", |o| authentication(o, &way.authentication))
        .list("filters", &way.verdicts, verdict)
        .list("findings", &way.findings, finding);
    match &way.live {
        Some(found) => drop(object.object("live", |o| live(o, found))),
        None => drop(object.id("live", None)),
    }
}

fn live(object: &mut Object<'_>, found: &Live) {
    object.maybe("skipped", found.skipped.as_deref());
    match &found.rdns {
        Some(rdns) => drop(object.object("rdns", |o| {
            o.ip("ip", Some(rdns.ip))
                .maybe("name", rdns.name.as_deref())
                .truth("confirmed", rdns.confirmed)
                .maybe("why", rdns.why.as_deref());
        })),
        None => drop(object.id("rdns", None)),
    }
    match &found.spf {
        Some(spf) => drop(object.object("spf", |o| {
            o.id("result", Some(spf.result))
                .text("domain", &spf.domain)
                .id("identity", Some(spf.identity))
                .ip("ip", Some(spf.ip))
                .maybe("why", spf.why.as_deref());
        })),
        None => drop(object.id("spf", None)),
    }
    object.list("dkim", &found.dkim, |out, one| {
        let mut object = Object::new(out);
        object
            .maybe("domain", Some(&one.domain))
            .maybe("selector", Some(&one.selector))
            .id("result", Some(one.result))
            .truth("aligned", Some(one.aligned))
            .maybe("why", one.remark().as_deref());
        object.end();
    });
    match &found.arc {
        Some(arc) => drop(object.object("arc", |o| {
            o.id("result", Some(arc.result))
                .number("sets", Some(count(arc.sets)))
                .maybe("sealer", arc.sealer.as_deref())
                .maybe("why", arc.why.as_ref().map(|(_, why)| why.as_str()));
        })),
        None => drop(object.id("arc", None)),
    }
}

fn count(n: usize) -> u64 {
    n as u64
}

/// A number that can be below zero, or `null`.
fn seconds(object: &mut Object<'_>, name: &str, value: Option<i64>) {
    let out = object.key(name);
    match value {
        Some(value) => {
            let _ = write!(out, "{value}");
        }
        None => out.push_str("null"),
    }
}

/// RFC 3339, also with `-00:00` for a zone that is not told.
fn stamp(object: &mut Object<'_>, name: &str, value: Option<Stamp>) {
    let out = object.key(name);
    match value {
        Some(value) => {
            let _ = write!(out, "\"{value}\"");
        }
        None => out.push_str("null"),
    }
}

fn hop(out: &mut String, hop: &Hop) {
    let mut object = Object::new(out);
    object
        .number("n", Some(count(hop.n)))
        .text("raw", &hop.raw)
        .object("from", |o| {
            let from = &hop.from;
            o.maybe("name", from.name.as_deref())
                .maybe("helo", from.helo.as_deref())
                .maybe("rdns", from.rdns.as_deref())
                .ip("ip", from.ip)
                .number("port", from.port.map(u64::from))
                .maybe("ident", from.ident.as_deref())
                .maybe("login", from.login.as_deref())
                .truth("rdns_unconfirmed", from.forged_rdns.then_some(true));
        })
        .object("by", |o| {
            o.maybe("host", hop.by.host.as_deref())
                .ip("ip", hop.by.ip)
                .maybe("alias", hop.by.alias.as_deref())
                .maybe("software", hop.by.software.as_deref());
        })
        .maybe("with", hop.with.as_deref())
        .maybe("via", hop.via.as_deref())
        .maybe("id", hop.id.as_deref())
        .maybe("for", hop.recipient.as_deref())
        .maybe("envelope_from", hop.envelope_from.as_deref());
    if hop.authenticated {
        object.object("auth", |o| {
            o.truth("authenticated", Some(true))
                .maybe("user", hop.user.as_deref())
                .maybe("mech", hop.mech.as_deref());
        });
    } else {
        object.id("auth", None);
    }
    if hop.tls.used {
        object.object("tls", |o| {
            o.id("version", hop.tls.version)
                .maybe("cipher", hop.tls.cipher.as_deref());
        });
    } else {
        object.id("tls", None);
    }
    stamp(&mut object, "time", hop.time);
    object.truth("time_sure", hop.time.map(|t| t.is_sure()));
    seconds(&mut object, "delay_s", hop.delay_s);
    object.number("delay_hops", hop.delay_s.map(|_| count(hop.delay_over)));
    seconds(&mut object, "took_s", hop.took_s);
    seconds(&mut object, "clock_off_s", hop.clock_off_s);
    object
        .id("role", Some(hop.role.id()))
        .id("from_role", Some(hop.from_role.id()))
        .id("zone", hop.zone.map(Zone::id))
        .id("dialect", hop.dialect)
        .truth("unparsed", Some(hop.unparsed));
    object.end();
}

fn handler(out: &mut String, one: &Handler) {
    let mut object = Object::new(out);
    let kind = match one.kind {
        HandlerKind::List => "list",
        HandlerKind::Forwarder => "forwarder",
    };
    object
        .id("kind", Some(kind))
        .maybe("name", Some(&one.name))
        .id("sign", Some(one.sign));
    object.end();
}

fn authentication(object: &mut Object<'_>, all: &Authentication) {
    match &all.spf {
        Some(spf) => drop(object.object("spf", |o| {
            o.text("result", &spf.result)
                .maybe("domain", spf.domain.as_deref())
                .ip("ip", spf.ip)
                .maybe("by", spf.by.as_deref())
                .truth("trusted", Some(spf.trusted))
                .truth("aligned", Some(spf.aligned));
        })),
        None => drop(object.id("spf", None)),
    }
    object.list("dkim", &all.dkim, signature);
    match &all.dmarc {
        Some(dmarc) => drop(object.object("dmarc", |o| {
            o.text("result", &dmarc.result)
                .maybe("domain", dmarc.domain.as_deref())
                .maybe("policy", dmarc.policy.as_deref())
                .maybe("by", dmarc.by.as_deref())
                .truth("trusted", Some(dmarc.trusted));
        })),
        None => drop(object.id("dmarc", None)),
    }
    match &all.arc {
        Some(chain) => drop(object.object("arc", |o| arc(o, chain))),
        None => drop(object.id("arc", None)),
    }
    object.list("results", &all.results, outcome);
}

fn signature(out: &mut String, one: &Signature) {
    let mut object = Object::new(out);
    object
        .maybe("domain", Some(&one.domain))
        .maybe("selector", Some(&one.selector))
        .maybe("algorithm", Some(&one.algorithm))
        .maybe("result", one.result.as_deref())
        .truth("aligned", Some(one.aligned));
    seconds(&mut object, "signed_at", one.signed_at);
    seconds(&mut object, "expires_at", one.expires_at);
    object
        .number("body_length", one.body_length)
        .list("headers", &one.headers, |out, name| text(out, name));
    object.end();
}

fn arc(object: &mut Object<'_>, chain: &Arc) {
    object
        .truth("complete", Some(chain.complete))
        .maybe("cv", chain.cv.as_deref())
        .list("sets", &chain.sets, |out, seal| {
            let mut object = Object::new(out);
            object
                .number("instance", Some(u64::from(seal.instance)))
                .maybe("domain", seal.domain.as_deref())
                .maybe("cv", seal.cv.as_deref());
            seconds(&mut object, "time", seal.time);
            object.end();
        });
}

fn outcome(out: &mut String, one: &Outcome) {
    let mut object = Object::new(out);
    object
        .maybe("by", one.by.as_deref())
        .truth("trusted", Some(one.trusted))
        .number("arc_instance", one.instance.map(u64::from))
        .text("method", &one.method)
        .text("result", &one.result)
        .list("properties", &one.properties, |out, (name, value)| {
            let mut object = Object::new(out);
            object.text("name", name).text("value", value);
            object.end();
        })
        .maybe("comment", one.comment.as_deref());
    object.end();
}

fn verdict(out: &mut String, one: &Verdict) {
    let mut object = Object::new(out);
    object
        .id("field", Some(one.field))
        .maybe("key", one.key.as_deref())
        .maybe("value", Some(&one.value))
        .text("meaning", &one.meaning)
        .id("severity", Some(one.severity.id()));
    object.end();
}

fn finding(out: &mut String, one: &Finding) {
    let mut object = Object::new(out);
    object
        .id("severity", Some(one.severity.id()))
        .id("code", Some(one.code))
        .number("hop", one.hop.map(count))
        .list("hops", &one.hops, |out, n| number(out, count(*n)))
        .text("text", &one.text)
        .id("confidence", Some(one.confidence.id()));
    object.end();
}

/// Appends one line: the counts over many messages.
pub fn summary(out: &mut String, sum: &Summary) {
    let mut object = Object::new(out);
    object
        .id("schema", Some("mailtrace/route-summary/1"))
        .number("messages", Some(sum.messages))
        .number("errors", Some(sum.errors))
        .number("hops", Some(sum.hops))
        .list("slowest_hosts", sum.slowest(), |out, (host, slow)| {
            let mut object = Object::new(out);
            object.text("host", host).number("times", Some(slow.times));
            seconds(&mut object, "waited_s", Some(slow.waited_s));
            seconds(&mut object, "longest_s", Some(slow.longest_s));
            object.end();
        });
    for (name, rows) in [
        ("without_tls", sum.clear_text()),
        ("skewed_clocks", sum.skewed()),
    ] {
        object.list(name, rows, |out, (host, times)| {
            let mut object = Object::new(out);
            object.text("host", host).number("times", Some(*times));
            object.end();
        });
    }
    object.list("findings", sum.codes(), |out, (code, times)| {
        let mut object = Object::new(out);
        object
            .id("code", Some(code))
            .number("messages", Some(times));
        object.end();
    });
    object.end();
    out.push('\n');
}
