//! `mailtrace/explain/1`: one object per notice, the shape of CONTRACT.md.

use crate::bounce::advice::{Audience, advise};
use crate::bounce::explanation::{
    Action, Command, Evidence, Explanation, Listing, Mistake, Now, Original, Recipient, StatusFrom,
};
use crate::bounce::summary::Summary;

use super::write::{Object, number, text, words};

/// The name of the shape.
const SCHEMA: &str = "mailtrace/explain/1";

/// The name of the shape of a summary.
const SUMMARY_SCHEMA: &str = "mailtrace/explain-summary/1";

/// Where an object comes from.
#[derive(Debug, Clone, Copy)]
pub struct SourceRef<'s> {
    /// The path as given, `-` for standard input.
    pub path: &'s str,
    /// The number of the message in its box, or of the notice in its mail.
    pub index: u64,
    /// The number of the notice in its mail.
    pub notice: u64,
}

impl SourceRef<'_> {
    /// Its keys, at the beginning of the object.
    pub fn write(self, object: &mut Object<'_>) {
        object.object("source", |source| {
            source
                .text("path", self.path)
                .number("index", Some(self.index))
                .number("notice", Some(self.notice));
        });
    }
}

/// Appends one line: what a notice means.
pub fn explain(out: &mut String, source: SourceRef<'_>, what: &Explanation, audience: Audience) {
    let mut object = Object::new(out);
    object.id("schema", Some(SCHEMA));
    source.write(&mut object);
    explanation(&mut object, what, audience);
    object.id("error", None);
    object.end();
    out.push('\n');
}

/// The keys of an explanation without schema and source, for objects that contain one.
pub fn explanation(object: &mut Object<'_>, what: &Explanation, audience: Audience) {
    object
        .id("report", Some(what.report.id()))
        .list("form", &what.form, |out, form| text(out, form.id()))
        .id("dialect", what.dialect)
        .maybe("reporting_mta", what.reporting_mta.as_deref())
        .time("arrival_date", what.arrival_date)
        .list("recipients", &what.recipients, |out, one| {
            recipient(out, one, audience);
        })
        .object("original", |object| original(object, &what.original))
        .maybe("instead", what.instead.as_deref());
}

/// Appends one line: an input that could not be read.
pub fn error(out: &mut String, source: SourceRef<'_>, why: &str) {
    let mut object = Object::new(out);
    object.id("schema", Some(SCHEMA));
    source.write(&mut object);
    object
        .id("report", None)
        .list("form", [0u64; 0], number)
        .id("dialect", None)
        .id("reporting_mta", None)
        .id("arrival_date", None)
        .list("recipients", [0u64; 0], number)
        .id("original", None)
        .id("instead", None)
        .text("error", why);
    object.end();
    out.push('\n');
}

fn recipient(out: &mut String, one: &Recipient, audience: Audience) {
    recipient_told(out, one, one, audience);
}

/// Appends one recipient, with the words about another view of it.
pub fn recipient_told(out: &mut String, one: &Recipient, told: &Recipient, audience: Audience) {
    let mut object = Object::new(out);
    object
        .maybe("address", one.address.as_deref())
        .maybe("original_address", one.original_address.as_deref())
        .id("action", one.action.map(Action::id))
        .id("class", Some(one.class().id()))
        .id("cause", Some(one.cause.id()));
    // Of no other report, so that the usual object stays as small as it is.
    if let Some(kind) = one.feedback {
        object.id("feedback", Some(kind.id()));
    }
    object
        .truth("permanent", one.permanent)
        .truth("expired", Some(one.expired));
    match one.status {
        Some(status) => {
            let out = object.key("status");
            out.push('"');
            number(out, status.class.into());
            for part in [status.subject, status.detail] {
                out.push('.');
                number(out, part.into());
            }
            out.push('"');
        }
        None => drop(object.id("status", None)),
    }
    object
        .id("status_from", one.status_from.map(StatusFrom::id))
        .number("reply_code", one.reply_code.map(u64::from))
        .id("smtp_command", one.smtp_command.map(Command::id))
        .object("remote_mta", |mta| {
            mta.maybe("host", one.remote_mta.host.as_deref())
                .ip("ip", one.remote_mta.ip);
        })
        .maybe("diagnostic", one.diagnostic.as_deref());
    match &one.dnsbl {
        Some(list) => drop(object.object("dnsbl", |object| listing(object, list))),
        None => drop(object.id("dnsbl", None)),
    }
    object
        .time("retry_until", one.retry_until)
        .id("confidence", Some(one.confidence.id()))
        .list("evidence", &one.evidence, evidence)
        .object("advice", |object| advice(object, told, audience));
    object.end();
}

fn listing(object: &mut Object<'_>, list: &Listing) {
    object
        .id("list", list.list)
        .maybe("zone", list.zone.as_deref())
        .ip("ip", list.ip)
        .maybe("domain", list.domain.as_deref())
        .maybe("url", list.url.as_deref())
        // Known only after asking the list (`--live`).
        .truth(
            "listed_now",
            match list.now {
                Some(Now::Listed) => Some(true),
                Some(Now::Clear) => Some(false),
                Some(Now::Unknown(_)) | None => None,
            },
        )
        .id(
            "mistaken",
            list.mistaken.map(|mistake| match mistake {
                Mistake::QueryRefused => "query-refused",
                Mistake::DeadList => "dead-list",
            }),
        );
}

fn evidence(out: &mut String, one: &Evidence) {
    let mut object = Object::new(out);
    object
        .text("text", &one.text)
        .number("line", one.line.map(u64::from))
        .id("rule", one.rule);
    object.end();
}

fn advice(object: &mut Object<'_>, one: &Recipient, audience: Audience) {
    let advice = advise(one, audience);
    object
        .id("who", Some(advice.who.id()))
        .words("meaning", &advice.meaning)
        .list("steps", &advice.steps, words)
        .id("title", Some(advice.title))
        .words("side", &advice.side);
    if let Some(admin) = &advice.admin {
        object.object("admin", |object| {
            object
                .words("meaning", &admin.meaning)
                .list("steps", &admin.steps, words);
        });
    }
}

fn original(object: &mut Object<'_>, original: &Original) {
    object
        .maybe("message_id", original.message_id.as_deref())
        .maybe("from", original.from.as_deref())
        .list("to", &original.to, |out, to| text(out, to))
        .maybe("subject", original.subject.as_deref())
        .time("date", original.date)
        .number("hops", Some(u64::from(original.hops)));
}

/// Appends one line: the counts of `--summary`.
pub fn summary(out: &mut String, sum: &Summary) {
    let mut object = Object::new(out);
    object
        .id("schema", Some(SUMMARY_SCHEMA))
        .number("inputs", Some(sum.inputs))
        .number("errors", Some(sum.errors))
        .object("reports", |object| {
            for (report, count) in sum.reports() {
                object.number(report.id(), Some(count));
            }
        })
        .list("causes", &sum.causes(), |out, row| {
            let mut object = Object::new(out);
            object
                .id("class", Some(row.class.id()))
                .id("cause", Some(row.cause.id()))
                .number("recipients", Some(row.recipients))
                .number("domains", Some(row.domains.distinct))
                .list("top_domains", &row.domains.top, counted)
                .number("reported_by", Some(row.reporters.distinct))
                .list("top_reported_by", &row.reporters.top, counted)
                .number("lists", Some(row.lists.distinct))
                .list("top_lists", &row.lists.top, counted);
            object.end();
        })
        .id("error", None);
    object.end();
    out.push('\n');
}

fn counted(out: &mut String, (name, count): &(String, u64)) {
    let mut object = Object::new(out);
    object.text("name", name).number("count", Some(*count));
    object.end();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounce::explanation::samples;

    fn json(what: &Explanation, audience: Audience) -> serde_json::Value {
        let mut out = String::new();
        explain(
            &mut out,
            SourceRef {
                path: "a\"b.eml",
                index: 3,
                notice: 0,
            },
            what,
            audience,
        );
        assert!(out.ends_with("}\n") && out.matches('\n').count() == 1);
        serde_json::from_str(&out).unwrap()
    }

    #[test]
    fn keys_stand_in_the_order_of_the_contract() {
        let mut out = String::new();
        let source = SourceRef {
            path: "-",
            index: 0,
            notice: 0,
        };
        explain(&mut out, source, &samples::user_unknown(), Audience::User);
        let mut from = 0;
        for key in [
            "schema",
            "source",
            "path",
            "index",
            "report",
            "form",
            "dialect",
            "reporting_mta",
            "arrival_date",
            "recipients",
            "address",
            "original_address",
            "action",
            "class",
            "cause",
            "permanent",
            "status",
            "status_from",
            "reply_code",
            "smtp_command",
            "remote_mta",
            "host",
            "ip",
            "diagnostic",
            "dnsbl",
            "retry_until",
            "confidence",
            "evidence",
            "text",
            "line",
            "rule",
            "advice",
            "who",
            "meaning",
            "steps",
            "original",
            "message_id",
            "from",
            "to",
            "subject",
            "date",
            "hops",
            "error",
        ] {
            let at = out[from..].find(&format!("\"{key}\":")).expect(key);
            from += at + key.len();
        }
    }

    #[test]
    fn values_are_those_of_the_explanation() {
        let value = json(&samples::user_unknown(), Audience::Both);
        assert_eq!(value["source"]["path"], "a\"b.eml");
        assert_eq!(value["report"], "failed");
        let one = &value["recipients"][0];
        assert_eq!(one["status"], "5.1.1");
        assert_eq!(one["reply_code"], 550);
        assert_eq!(one["class"], "user-unknown");
        assert_eq!(one["advice"]["who"], "sender");
        assert!(one["advice"]["admin"]["steps"].is_array());
        assert!(one["dnsbl"].is_null());
        assert!(value["error"].is_null());
    }

    #[test]
    fn an_input_that_is_no_report_says_what_it_is() {
        let none = Explanation {
            instead: Some("an ordinary mail".into()),
            ..Explanation::default()
        };
        let value = json(&none, Audience::User);
        assert_eq!(value["report"], "none");
        assert_eq!(value["instead"], "an ordinary mail");
        assert_eq!(value["recipients"].as_array().unwrap().len(), 0);
    }

    #[test]
    fn an_unreadable_input_has_its_own_line() {
        let mut out = String::new();
        error(
            &mut out,
            SourceRef {
                path: "x",
                index: 0,
                notice: 0,
            },
            "no such file",
        );
        let value: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(value["error"], "no such file");
        assert_eq!(value["schema"], SCHEMA);
        assert!(value["report"].is_null());
    }
}
