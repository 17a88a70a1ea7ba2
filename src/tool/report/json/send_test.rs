//! `mailtrace/send-test/1`: one object per test message, the shape of CONTRACT.md.

use std::time::Duration;

use crate::bounce::advice::Audience;
use crate::bounce::cause::Cause;
use crate::bounce::explanation::Explanation;
use crate::check::Tls;
use crate::send::Round;
use crate::send::hand_over::Handed;
use crate::send::round::{Arrival, Event, Note};
use crate::send::scenario::{Played, Scenario};
use crate::send::series::Series;
use crate::smtp::Stage;

use super::check::{millis, step, tls};
use super::explain::{explanation, recipient_told};
use super::route;
use super::write::{Object, text};

/// The name of the shape.
const SCHEMA: &str = "mailtrace/send-test/1";

/// Appends one line: what became of a test message.
pub fn round(out: &mut String, what: &Round, audience: Audience) {
    let mut object = Object::new(out);
    object.id("schema", Some(SCHEMA));
    fill(&mut object, what, audience);
    object.id("error", None);
    object.end();
    out.push('\n');
}

/// Appends one line: a scenario that was played.
pub fn scenario(out: &mut String, what: &Played, audience: Audience) {
    let mut object = Object::new(out);
    object
        .id("schema", Some(SCHEMA))
        .object("scenario", |object| {
            about(object, what.scenario);
            object
                .id("explained", what.explained.map(Cause::id))
                .truth("right", Some(what.right));
        });
    fill(&mut object, &what.round, audience);
    object.id("error", None);
    object.end();
    out.push('\n');
}

/// Appends one line: what came of many messages.
pub fn series(out: &mut String, what: &Series) {
    let mut object = Object::new(out);
    let count = |n: usize| Some(n as u64);
    object
        .id("schema", Some("mailtrace/send-test-series/1"))
        .number("wanted", count(what.wanted))
        .object("outcomes", |object| {
            for (outcome, n) in &what.outcomes {
                object.number(outcome.id(), count(*n));
            }
        });
    seconds(&mut object, "total_s", Some(what.took));
    object
        .key("per_second")
        .push_str(&format!("{:.1}", what.rate()));
    object.object("ms", |object| {
        for (name, percent) in [
            ("min", 0),
            ("p50", 50),
            ("p90", 90),
            ("p95", 95),
            ("p99", 99),
            ("max", 100),
        ] {
            millis(object, name, what.percentile(percent));
        }
    });
    object
        .list("histogram", what.histogram(), |out, row| {
            let mut object = Object::new(out);
            millis(&mut object, "from_ms", Some(row.from));
            millis(&mut object, "to_ms", Some(row.to));
            object.number("count", count(row.count));
            object.end();
        })
        .list("troubles", &what.troubles, |out, (words, n)| {
            let mut object = Object::new(out);
            object.text("text", words).number("count", count(*n));
            object.end();
        })
        .id("error", None);
    object.end();
    out.push('\n');
}

/// Appends one line: a scenario that there is.
pub fn listed(out: &mut String, scenario: &Scenario) {
    let mut object = Object::new(out);
    object.id("schema", Some("mailtrace/send-test-scenario/1"));
    about(&mut object, scenario);
    object.end();
    out.push('\n');
}

fn about(object: &mut Object<'_>, scenario: &Scenario) {
    object
        .text("name", &scenario.name)
        .text("what", &scenario.what)
        .text("part", &scenario.at.to_uppercase())
        .id("ends", Some(scenario.ends.word()))
        .list("expected", &scenario.causes, |out, cause| text(out, cause));
}

pub(super) fn fill(object: &mut Object<'_>, what: &Round, audience: Audience) {
    let last = what.attempts.last();
    object
        .maybe("token", Some(&what.token))
        .maybe("message_id", Some(&what.message_id))
        .text("from", &what.from)
        .list("to", &what.to, |out, to| text(out, to));
    match last {
        Some(handed) => object.object("server", |object| {
            object
                .text("host", &handed.place.host)
                .ip("ip", ip(handed))
                .number("port", port(handed));
        }),
        None => object.id("server", None),
    };
    let steps = last.map_or(&[][..], |handed| &handed.steps);
    object.list("steps", steps, step);
    match last {
        Some(handed) => object.object("tls", |object| tls(object, &tls_of(handed))),
        None => object.id("tls", None),
    };
    object
        .id("outcome", Some(what.outcome.id()))
        .truth("uncertain", Some(what.is_uncertain()))
        .list("recipients", &what.recipients, |out, one| {
            recipient_told(out, one, &what.as_told(one), audience);
        })
        .maybe("queue_id", what.queue_id().as_deref())
        .object("arrival", |object| arrival(object, &what.arrival, audience))
        .list("events", &what.events, event)
        .list("notes", &what.notes, note);
    let earlier = what.attempts.len().saturating_sub(1);
    object.list("earlier", what.attempts.iter().take(earlier), attempt);
    object.truth("probe", Some(what.probe)).maybe(
        "kept",
        what.kept
            .as_ref()
            .map(|k| k.display().to_string())
            .as_deref(),
    );
    seconds(object, "total_s", Some(what.took));
}

/// The address; a server behind a socket has none.
fn ip(handed: &Handed) -> Option<std::net::IpAddr> {
    let place = &handed.place;
    place.socket.is_none().then_some(place.ip)
}

fn port(handed: &Handed) -> Option<u64> {
    let place = &handed.place;
    place.socket.is_none().then(|| u64::from(place.port))
}

/// The same shape as `check` has it.
fn tls_of(handed: &Handed) -> Tls {
    Tls {
        offered: handed.tls_offered,
        implicit: handed.session.is_some()
            && handed.steps.iter().all(|s| s.stage != Stage::StartTls),
        session: handed.session.clone(),
        opinion: handed.opinion.clone(),
        error: handed.tls_error.clone(),
        ..Tls::default()
    }
}

fn attempt(out: &mut String, handed: &Handed) {
    let mut object = Object::new(out);
    object
        .text("host", &handed.place.host)
        .ip("ip", ip(handed))
        .number("port", port(handed))
        .list("steps", &handed.steps, step)
        .maybe(
            "error",
            handed.failure.as_ref().map(ToString::to_string).as_deref(),
        );
    object.end();
}

fn arrival(object: &mut Object<'_>, what: &Arrival, audience: Audience) {
    object.id("status", Some(what.status.id()));
    seconds(object, "after_s", what.after);
    object
        .maybe("where", what.place.as_deref())
        .truth("junk", Some(what.junk));
    match &what.route {
        Some(way) => object.object("route", |object| route::fill(object, way)),
        None => object.id("route", None),
    };
    let bounce = |object: &mut Object<'_>, one: &Explanation| {
        explanation(object, one, audience);
    };
    match what.bounce() {
        Some(one) => object.object("bounce", |object| bounce(object, one)),
        None => object.id("bounce", None),
    };
    object
        .list("notices", &what.notices, |out, (after, one)| {
            let mut object = Object::new(out);
            seconds(&mut object, "after_s", Some(*after));
            bounce(&mut object, one);
            object.end();
        })
        .list("changes", &what.changes, note)
        .maybe("marked", what.marked.as_deref());
}

fn event(out: &mut String, event: &Event) {
    let mut object = Object::new(out);
    seconds(&mut object, "at_s", Some(event.at));
    object
        .text("role", event.role)
        .text("host", &event.host)
        .text("text", &event.text);
    object.end();
}

fn note(out: &mut String, note: &Note) {
    let mut object = Object::new(out);
    object.id("code", Some(note.code)).text("text", &note.text);
    object.end();
}

pub(super) fn seconds(object: &mut Object<'_>, name: &str, time: Option<Duration>) {
    let out = object.key(name);
    match time {
        Some(time) => out.push_str(&format!("{:.3}", time.as_secs_f64())),
        None => out.push_str("null"),
    }
}
