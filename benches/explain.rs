//! What `explain` costs, stage by stage, beside a bare run of mail-parser over the same bytes.
//! `cargo bench --bench explain [FOLDER]`; without a folder the bundled bounces are read.
//!
//! `STAGE=explain ROUNDS=50` runs only the stages whose names begin so, that many times: for
//! `perf stat -e instructions:u`, `perf record` and `valgrind --tool=callgrind`, whose figures
//! other work on the machine does not disturb.
#![allow(clippy::print_stdout, missing_docs)]

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mail_parser::MessageParser;
use mailtrace::bounce;
use mailtrace::bounce::advice::Audience;
use mailtrace::bounce::explanation::Explanation;
use mailtrace::message::layer::open;
use mailtrace::message::source;
use mailtrace::report::human::explain::{Detail, Look};
use mailtrace::report::json::explain::SourceRef;
use mailtrace::report::painter::Painter;
use mailtrace::report::{human, json};

/// Enough runs that the best one is not disturbed.
const RUNS: usize = 12;

/// The share of the bare parse that the whole pipeline must reach.
const WANTED: f64 = 0.35;

struct Stage {
    name: &'static str,
    best: Duration,
}

/// The best of several runs over all mails.
fn time(name: &'static str, mut run: impl FnMut()) -> Stage {
    let other = std::env::var("STAGE").is_ok_and(|stage| !name.starts_with(&stage));
    let rounds = std::env::var("ROUNDS").ok().and_then(|n| n.parse().ok());
    let rounds = if other { 0 } else { rounds.unwrap_or(RUNS) };
    let mut best = Duration::MAX;
    for _ in 0..rounds {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed());
    }
    Stage { name, best }
}

fn main() {
    let named = std::env::args()
        .skip(1)
        .find(|arg| !arg.starts_with('-'))
        .map(PathBuf::from);
    let bundled = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/realmta");
    let folder = named.unwrap_or(bundled);
    let mails: Vec<Vec<u8>> = source::read(&[&folder])
        .filter_map(|item| item.content.ok())
        .collect();
    let bytes: usize = mails.iter().map(Vec::len).sum();
    println!(
        "{}: {} mails, {} kB, best of {RUNS}\n",
        folder.display(),
        mails.len(),
        bytes / 1000
    );

    let found: Vec<Vec<Explanation>> = mails.iter().map(|mail| bounce::explain(mail)).collect();
    let source = SourceRef {
        path: "bench.eml",
        index: 0,
        notice: 0,
    };
    let look = Look {
        paint: Painter::plain(80),
        audience: Audience::Both,
        detail: Detail::Normal,
        name: None,
        way: None,
    };
    let mut out = String::new();
    let parser = MessageParser::default();
    let stages = [
        time("bare mail-parser", || {
            for mail in &mails {
                black_box(parser.parse(black_box(mail)));
            }
        }),
        time("open the layer", || {
            for mail in &mails {
                black_box(open(black_box(mail)));
            }
        }),
        time("explain", || {
            for mail in &mails {
                black_box(bounce::explain(black_box(mail)));
            }
        }),
        time("JSON alone", || {
            for what in found.iter().flatten() {
                out.clear();
                json::explain::explain(&mut out, source, what, Audience::Both);
                black_box(&out);
            }
        }),
        time("screen alone", || {
            for what in found.iter().flatten() {
                black_box(human::explain::explain(what, look));
            }
        }),
        time("whole: explain and JSON", || {
            for mail in &mails {
                out.clear();
                for what in &bounce::explain(black_box(mail)) {
                    json::explain::explain(&mut out, source, what, Audience::Both);
                }
                black_box(&out);
            }
        }),
    ];
    let seconds = |stage: &Stage| stage.best.as_secs_f64();
    let bare = stages.first().map_or(1.0, seconds);
    println!(
        "{:24} {:>10} {:>9} {:>13} {:>9}",
        "stage", "us/mail", "MB/s", "mails/s", "of bare"
    );
    for stage in stages.iter().filter(|stage| stage.best < Duration::MAX) {
        let time = seconds(stage);
        #[allow(clippy::cast_precision_loss, reason = "figures for people")]
        let (count, size) = (mails.len() as f64, bytes as f64);
        println!(
            "{:24} {:10.2} {:9.1} {:13.0} {:8.0}%",
            stage.name,
            time * 1e6 / count,
            size / time / 1e6,
            count / time,
            bare / time * 100.0
        );
    }
    let share = stages.last().map_or(0.0, |whole| bare / seconds(whole));
    let verdict = if share >= WANTED { "reached" } else { "MISSED" };
    println!(
        "\nwhole pipeline: {:.0}% of bare, {:.0}% wanted: {verdict}",
        share * 100.0,
        WANTED * 100.0
    );
}
