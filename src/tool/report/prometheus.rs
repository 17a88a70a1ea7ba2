//! Metrics for the textfile collector of Prometheus' node exporter.

use std::fmt::Write as _;

use crate::dnsbl::verdict::{Finding, Status};

/// Every outcome: a metric that is there only sometimes cannot be alerted on.
const ALL: [Status; 10] = [
    Status::Listed,
    Status::Allowed,
    Status::Info,
    Status::Clean,
    Status::Refused,
    Status::Error,
    Status::Timeout,
    Status::Dead,
    Status::Untrusted,
    Status::Skipped,
];

/// All subjects of a run. `now` is the time of the run, in seconds since 1970.
pub fn dnsbl(findings: &[Finding], now: i64) -> String {
    let mut out = String::new();
    head(
        &mut out,
        "mailtrace_dnsbl_listed",
        "Whether the list names the target (1) or not (0).",
    );
    for finding in findings {
        let target = label(&finding.subject.to_string());
        for verdict in finding.verdicts.iter().filter(|v| v.status.is_answer()) {
            let (list, weight) = (label(&verdict.source.id), verdict.source.weight.id());
            let listed = u8::from(verdict.status == Status::Listed);
            line(
                &mut out,
                "mailtrace_dnsbl_listed",
                &format!("target=\"{target}\",list=\"{list}\",weight=\"{weight}\""),
                &listed.to_string(),
            );
        }
    }
    head(
        &mut out,
        "mailtrace_dnsbl_lists",
        "Number of lists by outcome.",
    );
    for finding in findings {
        let target = label(&finding.subject.to_string());
        for status in ALL {
            let labels = format!("target=\"{target}\",status=\"{}\"", status.id());
            line(
                &mut out,
                "mailtrace_dnsbl_lists",
                &labels,
                &finding.count(status).to_string(),
            );
        }
    }
    head(
        &mut out,
        "mailtrace_dnsbl_answer_seconds",
        "Time that the list took to answer.",
    );
    for finding in findings {
        let target = label(&finding.subject.to_string());
        for verdict in &finding.verdicts {
            let Some(took) = verdict.took else { continue };
            let labels = format!("target=\"{target}\",list=\"{}\"", label(&verdict.source.id));
            let seconds = format!("{:.6}", took.as_secs_f64());
            line(
                &mut out,
                "mailtrace_dnsbl_answer_seconds",
                &labels,
                &seconds,
            );
        }
    }
    head(
        &mut out,
        "mailtrace_dnsbl_last_run_seconds",
        "When the lists were asked, in seconds since 1970.",
    );
    let _ = writeln!(out, "mailtrace_dnsbl_last_run_seconds {now}");
    out
}

fn head(out: &mut String, name: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
}

fn line(out: &mut String, name: &str, labels: &str, value: &str) {
    let _ = writeln!(out, "{name}{{{labels}}} {value}");
}

/// Escapes a label's value as the exposition format wants it.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_foreign_ends_a_label_or_a_line() {
        assert_eq!(label("a\"b\\c\nd"), r#"a\"b\\c\nd"#);
    }

    #[test]
    fn every_metric_has_its_help_and_type_also_when_nothing_was_asked() {
        let text = dnsbl(&[], 7);
        for metric in ["listed", "lists", "answer_seconds", "last_run_seconds"] {
            for word in ["HELP", "TYPE"] {
                let head = format!("# {word} mailtrace_dnsbl_{metric} ");
                assert_eq!(text.matches(&head).count(), 1, "{head}");
            }
        }
        assert!(text.ends_with("\nmailtrace_dnsbl_last_run_seconds 7\n"));
    }
}
