//! Notices and replies of many programs, written by hand: what each is about.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;

use mailtrace::bounce::classify::{Case, judge};
use mailtrace::bounce::explanation::Report;
use mailtrace::bounce::notice::Voice;
use mailtrace::bounce::{explain, explain_line};
use serde_json::Value;

fn testdata(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name)
}

#[test]
fn each_reply_is_understood() {
    let all = fs::read_to_string(testdata("replies.tsv")).unwrap();
    let lines: Vec<_> = all.lines().filter_map(|l| l.split_once('\t')).collect();
    assert!(lines.len() > 350, "{}", lines.len());
    let wrong: Vec<String> = lines
        .iter()
        .filter_map(|(text, right)| {
            let right = right.split('\t').next()?;
            let judgement = judge(&Case {
                texts: vec![(Voice::Remote, text)],
                ..Case::default()
            });
            let got = judgement.cause.id();
            (!right.split('|').any(|r| r == got)).then(|| format!("{text}: {got}, not {right}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is known of a reply beside its cause stands in a third column: `status=5.1.1 zone=…`.
#[test]
fn each_reply_tells_its_numbers_and_its_list() {
    let all = fs::read_to_string(testdata("replies.tsv")).unwrap();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for line in all.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [text, _, facts] = columns[..] else {
            continue;
        };
        let what = explain_line(text);
        let one = &what.recipients[0];
        let list = one.dnsbl.as_ref();
        for (key, want) in facts.split(' ').filter_map(|fact| fact.split_once('=')) {
            let got = match key {
                "permanent" => one.permanent.map(|p| p.to_string()),
                "reply" => one.reply_code.map(|code| code.to_string()),
                "status" => one.status.map(|code| code.to_string()),
                "zone" => list.and_then(|list| list.zone.clone()),
                "ip" => list.and_then(|list| list.ip).map(|ip| ip.to_string()),
                _ => Some(format!("no such fact: {key}")),
            };
            let got = got.unwrap_or_default();
            let under = key == "zone" && got.ends_with(&format!(".{want}"));
            if got != want && !under {
                wrong.push(format!("{text}: {key} {got:?}, not {want}"));
            }
            seen += 1;
        }
    }
    assert!(seen > 300, "{seen}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_notice_is_understood() {
    let folder = testdata("notices/own");
    let labels = fs::read_to_string(folder.join("labels.jsonl")).unwrap();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for label in labels.lines() {
        let label: Value = serde_json::from_str(label).unwrap();
        let file = label["file"].as_str().unwrap();
        let all = explain(&fs::read(folder.join(file)).unwrap());
        let bounce = all
            .iter()
            .any(|e| matches!(e.report, Report::Failed | Report::Delayed));
        if label["is_bounce"].as_bool() == Some(!bounce) {
            wrong.push(format!("{file}: {:?}", all.first().map(|e| e.report)));
        }
        let recipients: Vec<_> = all.iter().flat_map(|e| &e.recipients).collect();
        for want in label["recipients"].as_array().into_iter().flatten() {
            seen += 1;
            let address = want["address"].as_str();
            let right: Vec<&str> = want["accept"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|c| c.as_str())
                .collect();
            let Some(got) = recipients.iter().find(|r| r.address.as_deref() == address) else {
                wrong.push(format!("{file}: nothing about {address:?}"));
                continue;
            };
            if !right.is_empty() && !right.contains(&got.cause.id()) {
                wrong.push(format!(
                    "{file}: {} of {address:?}, not {right:?}",
                    got.cause.id()
                ));
            }
            let list = got.dnsbl.as_ref();
            let facts = [
                ("permanent", got.permanent.map(Value::from)),
                ("reply_code", got.reply_code.map(Value::from)),
                ("status", got.status.map(|code| code.to_string().into())),
            ];
            for (key, found) in facts {
                let found = found.unwrap_or_default();
                if !want[key].is_null() && want[key] != found {
                    wrong.push(format!("{file}: {key} {found}, not {}", want[key]));
                }
            }
            let ip = list.and_then(|list| list.ip).map(|ip| ip.to_string());
            if want["dnsbl"]["ip"].as_str() != ip.as_deref() && !want["dnsbl"]["ip"].is_null() {
                wrong.push(format!("{file}: {ip:?} is listed"));
            }
        }
    }
    assert!(seen > 40, "{seen}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
