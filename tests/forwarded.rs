//! However a bounce was handed over, its text is reached: for every file of `testdata/forwarded`
//! some layer holds the address of each recipient and the words of the diagnosis.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mailtrace::message::inner::Descend;
use mailtrace::message::layer::{BlockKind, Layer, Wrap, open};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/forwarded")
}

fn labels() -> Vec<Value> {
    let text = std::fs::read_to_string(folder().join("labels.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn words(text: &str) -> Vec<String> {
    let split = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| w.len() > 2);
    split.map(str::to_lowercase).collect()
}

/// The text of all blocks that carry a report.
fn report(layer: &Layer<'_>) -> String {
    let carries = |kind| !matches!(kind, BlockKind::Message | BlockKind::Attachment);
    let blocks = layer.blocks.iter().filter(|block| carries(block.kind));
    blocks.map(|block| block.text().to_owned() + "\n").collect()
}

fn all_texts(input: &[u8]) -> Vec<(Vec<Wrap>, String)> {
    let mut all = Vec::new();
    open(input).walk(&mut |layer| {
        all.push((layer.wraps.clone(), report(layer)));
        Descend::Into
    });
    all
}

/// The form in the label, and the wraps that must lead to the text.
fn expected(form: &str) -> Option<Vec<Wrap>> {
    use Wrap::{Attached, Inline, Msg, Pasted, Quoted};
    Some(match form {
        "thunderbird-attachment"
        | "applemail-attachment"
        | "mutt-mime-forward"
        | "gmail-eml-upload-base64"
        | "list-digest" => vec![Attached],
        "twice-attachment" => vec![Attached, Attached],
        "outlook-inline-plain"
        | "outlook-inline-htmlonly"
        | "gmail-inline"
        | "thunderbird-inline" => vec![Inline],
        "applemail-inline-quoted" => vec![Quoted, Inline],
        "reply-quoted" => vec![Quoted],
        "reply-quoted-twice" => vec![Quoted, Quoted],
        // The outer program's forward ends where the inner one's begins.
        "twice-inline" => vec![Inline],
        "whole-source-pasted-base64" => vec![Pasted],
        "snippet-only" => vec![Pasted],
        "outlook-msg" => vec![Msg],
        _ => return None,
    })
}

#[test]
fn every_form_of_forward_leads_to_the_text_of_the_bounce() {
    let mut failures = Vec::new();
    for label in labels() {
        let file = label["file"].as_str().unwrap();
        if file.ends_with(".mbox") || label["kind"] == "none" || label["is_bounce"] == false {
            continue;
        }
        let input = std::fs::read(folder().join(file)).unwrap();
        let texts = all_texts(&input);
        let none = Vec::new();
        for recipient in label["recipients"].as_array().unwrap_or(&none) {
            let address = recipient["address"].as_str().unwrap_or_default();
            let wanted: BTreeSet<String> =
                words(recipient["diagnostic"].as_str().unwrap_or_default())
                    .into_iter()
                    .collect();
            let best = texts
                .iter()
                .filter(|(_, text)| text.contains(address))
                .map(|(wraps, text)| {
                    let have: BTreeSet<String> = words(text).into_iter().collect();
                    (wanted.intersection(&have).count(), wraps)
                })
                .max_by_key(|(hits, wraps)| (*hits, usize::MAX - wraps.len()));
            match best {
                // A label of one word has no words of a diagnosis.
                Some(_) if wanted.len() < 3 => {}
                // Some forms lost the machine part: then most words must be there.
                Some((hits, _)) if hits * 10 >= wanted.len() * 6 => {}
                other => failures.push(format!("{file}: {address}: {other:?} of {wanted:?}")),
            }
            if let (Some((_, wraps)), Some(form)) =
                (best, label["form"].as_str().and_then(expected))
                && !texts
                    .iter()
                    .any(|(w, text)| *w == form && text.contains(address))
            {
                failures.push(format!("{file}: {wraps:?}, not {form:?}"));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} failures\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn messages_side_by_side_are_all_reached() {
    let text = std::fs::read_to_string(folder().join("several.jsonl")).unwrap();
    for label in text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
    {
        let path = folder().join(label["file"].as_str().unwrap());
        let items = mailtrace::message::source::read(&[path]);
        let texts: Vec<_> = items
            .map(|item| all_texts(&item.content.unwrap()))
            .collect();
        for message in label["messages"].as_array().unwrap() {
            for recipient in message["recipients"].as_array().unwrap() {
                let address = recipient["address"].as_str().unwrap();
                let reached = texts
                    .iter()
                    .flatten()
                    .any(|(_, text)| text.contains(address));
                assert!(reached, "{}: {address}", label["file"]);
            }
        }
    }
}
