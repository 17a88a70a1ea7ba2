//! Any bytes: no panic, bounded depth, time that grows with the size and not with its square.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mailtrace::message::inner::{Descend, MAX_LAYERS, MAX_LEVELS};
use mailtrace::message::layer::{Block, Head, Layer, open};
use mailtrace::message::{addresses, dates, fields, html, source};
use proptest::prelude::*;

/// Looks at everything that a reader could look at.
fn look(layer: &Layer<'_>) {
    for field in &layer.head.fields {
        field.value();
        field.line_at(0);
    }
    for block in &layer.blocks {
        block.bytes();
        let text = block.text();
        for offset in [0, 1, text.len() / 2, text.len()] {
            block.line_at(offset);
        }
        let groups = fields::groups(text);
        assert!(
            groups
                .iter()
                .flat_map(|g| &g.fields)
                .all(|pair| pair.start <= text.len())
        );
        block.lines().for_each(drop);
    }
}

fn look_everywhere(input: &[u8]) {
    let mut count = 0;
    let lines = input.iter().filter(|b| matches!(b, b'\n' | b'\r')).count() + 1;
    open(input).walk(&mut |layer| {
        count += 1;
        assert!(layer.wraps.len() <= MAX_LEVELS + 2);
        look(layer);
        for block in &layer.blocks {
            let line = block.line_at(block.text().len() / 2);
            // UTF-16 has other bytes at its line ends.
            assert!(line.is_none_or(|line| line >= 1 && line as usize <= lines + 1));
        }
        Descend::Into
    });
    assert!(count <= MAX_LAYERS);
}

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/forwarded");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_opened(input in prop::collection::vec(any::<u8>(), 0..2_000)) {
        look_everywhere(&input);
        source::read_from("x", std::io::Cursor::new(input)).for_each(drop);
    }

    #[test]
    fn any_text_of_the_trade_is_opened(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "\n", "\r\n", "\r", "\n\n", "> ", ">>", "--b", "--b--", "\n--b\n", "From: ", "To: ",
            "Subject: x\n", "Date: ", "Received: y\n", "Content-Type: multipart/mixed; boundary=b\n",
            "Content-Type: message/rfc822\n", "Content-Type: text/html\n", "Content-Transfer-Encoding: base64\n",
            "Content-Transfer-Encoding: quoted-printable\n", "=", "=20", "=?utf-8?q?", "?=", "<p>", "<", "&amp;",
            "<a@b<mailto:a@b>>", "-----Original Message-----\n", "Von: ", "Betreff: ", "件名：", "ü", "@", "\"",
            "    ", "\t", "format=flowed", ";", "boundary=\"", "-- \n", "QUJD", "----", "\u{FEFF}", "From x Mon Jan 1 10:00:00 2024\n",
        ]), 0..120),
    ) {
        let input = pieces.concat();
        look_everywhere(input.as_bytes());
        addresses::each(&input).for_each(|found| {
            assert!(input[found.start..].starts_with(found.address));
        });
        addresses::clean_or_local(&input);
        dates::read(&input);
        html::text(&input);
        Head::parse(input.as_bytes());
        source::read_from("x", std::io::Cursor::new(input)).for_each(drop);
    }

    #[test]
    fn damaged_mail_is_opened(
        file in 0usize..80, cut in 0.0f64..1.0, changes in prop::collection::vec((0.0f64..1.0, any::<u8>()), 0..20),
    ) {
        let corpus = corpus();
        let mut input = corpus[file % corpus.len()].clone();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a test file")]
        let place = |part: f64, len: usize| (part * len as f64) as usize;
        for (at, byte) in changes {
            let at = place(at, input.len());
            input[at] = byte;
        }
        input.truncate(place(cut, input.len()).max(1));
        look_everywhere(&input);
    }
}

#[test]
fn every_truncation_of_a_report_is_opened() {
    let input = fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("testdata/forwarded/winmail-dat__sendmail-dnsbl-spamcop.eml"),
    )
    .unwrap();
    for len in (0..input.len()).step_by(7) {
        look_everywhere(&input[..len]);
    }
}

/// The time for an input of twice the size must not be much more than twice.
fn grows_with_size(what: &str, make: impl Fn(usize) -> Vec<u8>, size: usize) {
    let time = |input: &[u8]| {
        let best = |_| {
            let start = Instant::now();
            look_everywhere(input);
            start.elapsed()
        };
        (0..2).map(best).min().unwrap_or_default()
    };
    // The growth shows in small inputs too; without optimisation the large ones take minutes.
    let size = if cfg!(debug_assertions) {
        size / 10
    } else {
        size
    };
    let (small, large) = (make(size), make(size * 4));
    // The machine has other work: one quiet measurement of three is enough.
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (small, large) = (time(&small), time(&large));
        // Four times the size: 4 is linear, 16 is square. Short times say nothing.
        if large < Duration::from_millis(300) || large < small * 10 {
            return;
        }
        seen.push((small, large));
    }
    panic!("{what}: times for a size and for four times that size {seen:?}");
}

#[test]
fn nesting_and_repetition_cost_time_in_proportion() {
    let repeat = |piece: &'static str| move |n: usize| piece.repeat(n).into_bytes();
    let mail = |body: &'static str| {
        move |n: usize| format!("From: a@b\nTo: c@d\n\n{}", body.repeat(n)).into_bytes()
    };
    let html = |body: &'static str| {
        move |n: usize| {
            format!("From: a@b\nContent-Type: text/html\n\n{}", body.repeat(n)).into_bytes()
        }
    };
    grows_with_size("rfc822", repeat("Content-Type: message/rfc822\n\n"), 20_000);
    grows_with_size(
        "multipart",
        repeat("Content-Type: multipart/mixed; boundary=b\n\n--b\n"),
        20_000,
    );
    grows_with_size(
        "multipart, other boundaries",
        |n| {
            let level = |i| format!("Content-Type: multipart/mixed; boundary=b{i}\n\n--b{i}\n");
            (0..n).map(level).collect::<String>().into_bytes()
        },
        5_000,
    );
    grows_with_size(
        "parts with a boundary that never comes",
        |n| {
            let part = "--b\nContent-Type: multipart/mixed; boundary=never\n\nx\n";
            format!(
                "Content-Type: multipart/mixed; boundary=b\n\n{}",
                part.repeat(n)
            )
            .into_bytes()
        },
        5_000,
    );
    grows_with_size(
        "a long boundary in a body of dashes",
        |n| {
            let dashes = "-".repeat(n);
            format!(
                "Content-Type: multipart/mixed; boundary=\"{}\"\n\n--{dashes}\n{}",
                &dashes[..900.min(n)],
                "--\n".repeat(n)
            )
            .into_bytes()
        },
        50_000,
    );
    grows_with_size(
        "quotation marks",
        |n| [b"From: a@b\n\n".to_vec(), vec![b'>'; n]].concat(),
        20_000,
    );
    grows_with_size("quoted lines", mail("> > > > text\n"), 10_000);
    grows_with_size(
        "quotations within quotations",
        |n| {
            let line = |i: usize| format!("{} x\n", ">".repeat(i.min(200)));
            format!("From: a@b\n\n{}", (0..n).map(line).collect::<String>()).into_bytes()
        },
        2_000,
    );
    grows_with_size(
        "one long line",
        |n| [b"From: a@b\n\n".to_vec(), vec![b'x'; n]].concat(),
        1_000_000,
    );
    grows_with_size(
        "bare CRs",
        |n| [b"From: a@b\n\n".to_vec(), vec![b'\r'; n]].concat(),
        200_000,
    );
    grows_with_size("signs", mail("a@b "), 50_000);
    grows_with_size("at signs", mail("@"), 100_000);
    grows_with_size(
        "copied headers",
        mail("From: x\nDate: y\nSubject: z\nTo: w\n\n"),
        3_000,
    );
    grows_with_size("labels", mail("To: x\n"), 10_000);
    grows_with_size("separators", mail("-----Original Message-----\n"), 5_000);
    grows_with_size("mailto links", mail("<a@b<mailto:a@b>>"), 10_000);
    grows_with_size("mailto links without end", mail("<mailto:"), 20_000);
    grows_with_size("open tags", html("<a "), 50_000);
    grows_with_size("open comments", html("<!--"), 20_000);
    grows_with_size("hidden elements", html("<style></sty"), 20_000);
    grows_with_size("entities", html("&amp;&"), 50_000);
    grows_with_size("fields", |n| "X-A: b\n".repeat(n).into_bytes(), 50_000);
    grows_with_size(
        "folded field",
        |n| format!("From: a{}", "\n b".repeat(n)).into_bytes(),
        50_000,
    );
    grows_with_size(
        "encoded words",
        |n| format!("Subject: {}\n\n", "=?utf-8?q?a?= =?x".repeat(n)).into_bytes(),
        5_000,
    );
    grows_with_size(
        "parameters",
        |n| {
            let all: String = (0..n).map(|i| format!("; p*{i}=x")).collect();
            format!("Content-Type: multipart/mixed{all}\n\n").into_bytes()
        },
        5_000,
    );
    grows_with_size("words in quotes", mail("\"a\"@"), 20_000);
    grows_with_size("indented", mail("    a\n\n"), 20_000);
}

#[test]
fn the_innermost_of_20_000_levels_is_not_needed_to_read_the_outer_ones() {
    let input = "Content-Type: message/rfc822\nSubject: x\n\n".repeat(20_000);
    let layer = open(input.as_bytes());
    assert_eq!(layer.head.get("Subject").unwrap(), "x");
    let mut deepest = 0;
    layer.walk(&mut |layer| {
        deepest = deepest.max(layer.wraps.len());
        Descend::Into
    });
    assert_eq!(deepest, MAX_LEVELS);
}

/// What mail-parser reads as text, we read as text.
#[test]
fn texts_agree_with_those_of_mail_parser_on_real_mail() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let (mut files, mut parts) = (0, 0);
    let mut failures = Vec::new();
    for folder in ["realmta", "bounces/dev", "received", "seed"] {
        let Ok(entries) = fs::read_dir(shared.join(folder)) else {
            println!("skipped: {} is not there", shared.join(folder).display());
            continue;
        };
        for path in entries
            .map(|e| e.unwrap().path())
            .filter(|p| p.extension().is_some_and(|e| e == "eml"))
        {
            let input = fs::read(&path).unwrap();
            let Some(mail) = mail_parser::MessageParser::default().parse(&input) else {
                continue;
            };
            let layer = open(&input);
            files += 1;
            for part in &mail.parts {
                let (mail_parser::PartType::Text(text) | mail_parser::PartType::Html(text)) =
                    &part.body
                else {
                    continue;
                };
                let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
                let wanted = plain(text);
                parts += 1;
                let found = |block: &Block<'_>| {
                    plain(&String::from_utf8_lossy(block.bytes())).contains(&wanted)
                };
                if !wanted.is_empty() && !layer.blocks.iter().any(found) {
                    let start: String = wanted.chars().take(60).collect();
                    failures.push(format!("{}: {start}", path.file_name().unwrap().display()));
                }
            }
        }
    }
    println!("{files} mails, {parts} texts, {} differ", failures.len());
    assert!(
        failures.len() * 100 <= parts,
        "{} of {parts}\n{}",
        failures.len(),
        failures.join("\n")
    );
}
