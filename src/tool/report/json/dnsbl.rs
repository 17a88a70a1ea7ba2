//! `dnsbl` and `dnsbl --catalogue` as JSON; the keys are those of the contract.

use crate::dnsbl::advice::{self, Advice};
use crate::dnsbl::catalogue::{List, Meaning, Sense, Weight};
use crate::dnsbl::verdict::{Finding, Verdict};
use crate::scope::Scope;

use super::write::{Object, text};

/// The name of the shape.
const SCHEMA: &str = "mailtrace/dnsbl/1";
/// The name of the shape of the catalogue.
const CATALOGUE_SCHEMA: &str = "mailtrace/dnsbl-catalogue/1";

/// Appends one line: one subject. `remark` is what else is to be known; `error` says why nothing
/// could be determined.
pub fn finding(
    out: &mut String,
    finding: &Finding,
    advice: Option<&Advice>,
    remark: Option<&str>,
    error: Option<&str>,
) {
    let mut object = Object::new(out);
    object
        .id("schema", Some(SCHEMA))
        .text("target", &finding.subject.to_string())
        .id("kind", Some(finding.subject.kind()))
        .id("scope", finding.scope.map(Scope::id))
        .maybe("from", finding.from.as_deref())
        .list("results", &finding.verdicts, |out, one| {
            entry(out, one, finding);
        })
        .number("listed", Some(finding.listed() as u64))
        .number("asked", Some(finding.asked() as u64))
        .number("answered", Some(finding.answered() as u64))
        .id("worst", finding.worst().map(Weight::id));
    match advice {
        Some(advice) => object.object("advice", |object| {
            object
                .text("meaning", &advice.meaning)
                .list("steps", &advice.steps, |out, step| text(out, step));
        }),
        None => object.id("advice", None),
    };
    object.maybe("remark", remark).maybe("error", error);
    object.end();
    out.push('\n');
}

fn entry(out: &mut String, verdict: &Verdict, finding: &Finding) {
    let source = &verdict.source;
    let link = |url: Option<&'static str>| url.map(|url| advice::filled(url, finding));
    let mut parts: Vec<_> = verdict.meanings.iter().filter_map(|m| m.part).collect();
    parts.dedup();
    let list = source.list;
    let mut object = Object::new(out);
    object
        .text("list", &source.id)
        .text("name", &source.name)
        .text("zone", &source.shown)
        .id("status", Some(verdict.status.id()))
        .list("codes", &verdict.codes, |out, code| {
            text(out, &code.to_string());
        })
        .list("meanings", &verdict.meanings, |out, said| {
            text(out, &said.means);
        })
        .list("parts", parts, text)
        .list("txt", &verdict.texts, |out, said| {
            text(out, &String::from_utf8_lossy(said));
        })
        .id("weight", Some(source.weight.id()))
        .truth("policy", Some(verdict.is_policy()))
        .maybe(
            "matched",
            verdict.matched.as_ref().map(crate::dns::Name::as_str),
        )
        .maybe(
            "removal_url",
            link(list.and_then(|list| list.removal_url)).as_deref(),
        )
        .maybe(
            "lookup_url",
            link(list.and_then(|list| list.lookup_url)).as_deref(),
        )
        .number("ttl_s", verdict.ttl.map(u64::from));
    let out = object.key("ms");
    match verdict.took {
        // Microseconds are noise; a tenth of a millisecond tells a cache from a server.
        Some(took) => out.push_str(&format!("{:.1}", took.as_secs_f64() * 1000.0)),
        None => out.push_str("null"),
    }
    object.maybe("note", verdict.note.as_deref());
    object.end();
}

/// Appends one line: a target that could not be looked at.
pub fn failed(out: &mut String, target: &str, error: &str) {
    let mut object = Object::new(out);
    object
        .id("schema", Some(SCHEMA))
        .text("target", target)
        .list("results", [""; 0], text)
        .number("listed", Some(0))
        .number("asked", Some(0))
        .text("error", error);
    object.end();
    out.push('\n');
}

/// Appends one line: a list of the catalogue.
pub fn list(out: &mut String, list: &'static List) {
    let status = if list.dead.is_some() { "dead" } else { "alive" };
    let allowed = |ok: bool| if ok { "allowed" } else { "refused" };
    let mut object = Object::new(out);
    object
        .id("schema", Some(CATALOGUE_SCHEMA))
        .id("list", Some(list.id))
        .text("name", list.name)
        .maybe("zone", list.zone)
        .list("other_zones", list.other_zones, |out, zone| text(out, zone))
        .id("status", Some(status))
        .maybe("ended", list.dead.and_then(|death| death.ended))
        .maybe("answers_now", list.dead.and_then(|death| death.answers_now))
        .list("subjects", list.subjects.ids(), text)
        .id("purpose", Some(list.purpose.id))
        .id("sense", Some(list.sense.id()))
        .id("weight", Some(list.weight.id()))
        .truth("default", Some(list.default))
        .truth("key", Some(list.key))
        .maybe("access", list.access)
        .id("public_resolvers", list.public_resolvers.map(allowed))
        .maybe("part_of", list.part_of)
        .list("answers", list.answers, answer)
        .maybe("removal", list.removal)
        .maybe("removal_url", list.removal_url)
        .maybe("lookup_url", list.lookup_url)
        .maybe("note", list.note);
    object.end();
    out.push('\n');
}

fn answer(out: &mut String, answer: &Meaning) {
    let sense = match answer.sense {
        Sense::Mixed => Sense::Block,
        sense => sense,
    };
    let mut object = Object::new(out);
    object
        .text("match", &answer.pattern.to_string())
        .text("means", answer.means)
        .id("sense", Some(sense.id()));
    object.end();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_that_is_none_cannot_steer_the_terminal() {
        let mut out = String::new();
        failed(&mut out, "a\u{202E}\u{1b}[2Jgnp.eml", "no \u{200B}mail");
        assert!(out.is_ascii(), "{out}");
        let line: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(line["target"], "a\u{202E}\u{1b}[2Jgnp.eml");
        assert_eq!((&line["listed"], &line["asked"]), (&0.into(), &0.into()));
    }
}
