//! Notices and replies of many programs, written by hand: what each is about.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;

use mailtrace::bounce::classify::{Case, judge};
use mailtrace::bounce::explain;
use mailtrace::bounce::explanation::Report;
use mailtrace::bounce::notice::Voice;

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

#[test]
fn each_notice_is_understood() {
    let folder = testdata("notices/own");
    let labels = fs::read_to_string(folder.join("labels.jsonl")).unwrap();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for label in labels.lines() {
        let label: serde_json::Value = serde_json::from_str(label).unwrap();
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
        }
    }
    assert!(seen > 40, "{seen}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
