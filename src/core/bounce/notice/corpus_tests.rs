//! Measures against the labelled corpora when they are there, and reads the sample of every dialect.
#![expect(
    clippy::print_stdout,
    reason = "they tell their figures, or why they are skipped"
)]

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::bounce::explanation::Report;
use crate::message::layer::{Layer, open};

use super::{Notice, read, tables};

fn corpus(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/corpus")
        .join(name);
    if !path.is_dir() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}

fn labels(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("labels.jsonl")).unwrap();
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

fn crlf(bytes: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(bytes)
        .replace("\r\n", "\n")
        .replace('\n', "\r\n")
        .into_bytes()
}

/// The first notices on the ways down, as `explain` looks for them.
fn notices(layer: &Layer<'_>, depth: usize, found: &mut Vec<Notice>) {
    if let Some(notice) = read(layer, false) {
        found.push(notice);
    } else if depth < 10 {
        for inner in layer.inner() {
            notices(&inner, depth + 1, found);
        }
    }
}

#[derive(Debug, Default)]
struct Score {
    reports: (usize, usize),
    addresses: (usize, usize),
    words: (usize, usize),
    extra: usize,
    wrong: Vec<String>,
}

fn kind_fits(kind: &str, notice: Option<&Notice>) -> bool {
    let report = notice.map_or(Report::None, |n| n.report);
    match kind {
        "bounce" => report == Report::Failed,
        "delayed" => report == Report::Delayed,
        "delivered" => matches!(
            report,
            Report::Delivered | Report::Relayed | Report::Expanded
        ),
        "auto-reply" => report == Report::AutoReply,
        "abuse-report" => report == Report::Feedback,
        "challenge" => report == Report::Challenge,
        "not-a-bounce" => report == Report::None,
        _ => true,
    }
}

fn same(a: &str, b: Option<&str>) -> bool {
    b.is_some_and(|b| {
        a.trim_matches(['<', '>'])
            .eq_ignore_ascii_case(b.trim_matches(['<', '>']))
    })
}

/// The label's diagnostic without blanks, to find it in quotes that were folded elsewhere.
fn dense(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace())
        .collect::<String>()
        .to_lowercase()
}

fn measure(folder: &Path, score: &mut Score) {
    for label in labels(folder) {
        let file = label["file"].as_str().unwrap();
        let kind = label["kind"].as_str().unwrap();
        let Ok(bytes) = std::fs::read(folder.join(file)) else {
            continue;
        };
        // Line ends of a binary file mean nothing.
        let other = if file.ends_with(".msg") {
            bytes.clone()
        } else {
            crlf(&bytes)
        };
        for bytes in [bytes, other] {
            let mut found = Vec::new();
            notices(&open(&bytes), 0, &mut found);
            let notice = found.into_iter().next();
            score.reports.1 += 1;
            if kind_fits(kind, notice.as_ref()) {
                score.reports.0 += 1;
            } else {
                score.wrong.push(format!(
                    "{file}: {kind} but {:?}",
                    notice.as_ref().map(|n| n.report)
                ));
            }
            if !matches!(kind, "bounce" | "delayed") {
                continue;
            }
            let statements = notice.map(|n| n.statements).unwrap_or_default();
            let recipients = label["recipients"].as_array().unwrap();
            let known: Vec<&str> = recipients
                .iter()
                .flat_map(|r| [r["address"].as_str(), r["alias"].as_str()])
                .flatten()
                .collect();
            for recipient in recipients {
                let Some(address) = recipient["address"].as_str() else {
                    continue;
                };
                let alias = recipient["alias"].as_str().unwrap_or(address);
                let found = statements.iter().find(|s| {
                    [address, alias].iter().any(|a| {
                        same(a, s.address.as_deref()) || same(a, s.original_address.as_deref())
                    })
                });
                score.addresses.1 += 1;
                let Some(found) = found else {
                    score.wrong.push(format!(
                        "{file}: <{address}> not in {:?}",
                        statements
                            .iter()
                            .map(|s| s.address.as_deref())
                            .collect::<Vec<_>>()
                    ));
                    continue;
                };
                score.addresses.0 += 1;
                let Some(diagnostic) = recipient["diagnostic"].as_str().filter(|d| !d.is_empty())
                else {
                    continue;
                };
                let want = dense(diagnostic.split_once("; ").map_or(diagnostic, |(_, d)| d));
                score.words.1 += 1;
                if found.quotes.iter().any(|q| dense(&q.text).contains(&want)) {
                    score.words.0 += 1;
                } else {
                    score.wrong.push(format!(
                        "{file}: {diagnostic:?} not in {:#?}",
                        found.quotes.iter().map(|q| &q.text).collect::<Vec<_>>()
                    ));
                }
            }
            if label["complete"] == true {
                for s in &statements {
                    if let Some(a) = &s.address
                        && !known.iter().any(|k| same(k, Some(a)))
                        && recipients.iter().all(|r| r["address"].is_string())
                    {
                        score.extra += 1;
                        score.wrong.push(format!("{file}: extra {a}"));
                    }
                }
            }
        }
    }
}

#[test]
fn the_corpora_are_read() {
    for (name, least) in [
        ("seed", 100.0),
        ("realmta", 99.5),
        ("forwarded", 99.5),
        ("bounces/dev", 98.5),
    ] {
        let Some(folder) = corpus(name) else { continue };
        let mut score = Score::default();
        measure(&folder, &mut score);
        score.wrong.dedup();
        for wrong in &score.wrong {
            println!("{wrong}");
        }
        println!(
            "{name}: reports {:?}, addresses {:?}, words {:?}, extra {}",
            score.reports, score.addresses, score.words, score.extra
        );
        for (right, all) in [score.reports, score.addresses] {
            #[expect(clippy::cast_precision_loss, reason = "some hundred mails")]
            let percent = right as f64 * 100.0 / all as f64;
            assert!(percent >= least, "{name}: {right} of {all}");
        }
    }
}

#[test]
fn the_sample_of_every_dialect_is_read() {
    let mut wrong = Vec::new();
    for (id, sample, says) in tables::SAMPLES {
        let lf = sample.trim_start().as_bytes().to_vec();
        for bytes in [crlf(&lf), lf] {
            let Some(notice) = read(&open(&bytes), false) else {
                wrong.push(format!("{id}: no notice"));
                continue;
            };
            if notice.dialect != Some(id) {
                wrong.push(format!("{id}: read as {:?}", notice.dialect));
            }
            if notice.statements.len() != says.len() {
                wrong.push(format!(
                    "{id}: {} recipients: {:#?}",
                    notice.statements.len(),
                    notice.statements
                ));
            }
            for say in *says {
                let (address, words) = say.split_once(" | ").unwrap();
                let said = notice.statements.iter().any(|s| {
                    same(address, s.address.as_deref())
                        && s.quotes
                            .iter()
                            .any(|q| q.text.contains(words) && q.line.is_some())
                });
                if !said {
                    wrong.push(format!("{id}: {say}: {:#?}", notice.statements));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "shows how one file is taken apart: FILE=… cargo test show_a_file -- --ignored --nocapture"]
fn show_a_file() {
    fn show(layer: &Layer<'_>, depth: usize) {
        let pad = "  ".repeat(depth);
        println!(
            "{pad}{:?} {} {:?}",
            layer.wraps,
            layer.mime,
            layer.head.get("Subject")
        );
        for block in &layer.blocks {
            let text: String = block.text().chars().take(300).collect();
            println!("{pad} | {:?} {text:?}", block.kind);
        }
        println!("{pad} = {:#?}", read(layer, false));
        if depth < 5 {
            for inner in layer.inner() {
                show(&inner, depth + 1);
            }
        }
    }
    let bytes = std::fs::read(std::env::var("FILE").unwrap()).unwrap();
    show(&open(&bytes), 0);
}

#[test]
#[ignore = "measures: cargo test --release how_fast -- --ignored --nocapture"]
fn how_fast() {
    let Some(folder) = corpus("realmta") else {
        return;
    };
    let mails: Vec<Vec<u8>> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "eml"))
        .map(|p| std::fs::read(p).unwrap())
        .collect();
    let bytes: usize = mails.iter().map(Vec::len).sum();
    for (name, reads) in [("open", false), ("open and read", true)] {
        let start = std::time::Instant::now();
        let rounds = 20;
        for _ in 0..rounds {
            for mail in &mails {
                let layer = open(std::hint::black_box(mail));
                if reads {
                    std::hint::black_box(read(&layer, false));
                }
            }
        }
        let each = start.elapsed() / (rounds * u32::try_from(mails.len()).unwrap());
        println!(
            "{name}: {each:?} for a mail of {} bytes",
            bytes / mails.len()
        );
    }
}
