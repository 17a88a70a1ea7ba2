//! What the message room costs beside a bare run of mail-parser over the same bytes.
//! `cargo bench --bench message [FOLDER]`; without a folder the bundled forwards are read.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use mail_parser::MessageParser;
use mailtrace::message::inner::Descend;
use mailtrace::message::layer::open;
use mailtrace::message::source;

/// Enough runs that the best one is not disturbed.
const RUNS: usize = 15;

fn main() {
    let named = std::env::args()
        .skip(1)
        .find(|arg| !arg.starts_with('-'))
        .map(PathBuf::from);
    let bundled = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/forwarded");
    let folder = named.unwrap_or(bundled);
    let mails: Vec<Vec<u8>> = source::read(&[&folder])
        .filter_map(|item| item.content.ok())
        .collect();
    let bytes: usize = mails.iter().map(Vec::len).sum();
    println!(
        "{}: {} mails, {} kB",
        folder.display(),
        mails.len(),
        bytes / 1_000
    );

    let parser = MessageParser::default();
    let bare = best("mail-parser, bare", &mails, bytes, |mail| {
        black_box(parser.parse(mail));
    });
    let ours = best("open", &mails, bytes, |mail| {
        black_box(open(mail));
    });
    best("open and walk into every layer", &mails, bytes, |mail| {
        open(mail).walk(&mut |layer| {
            black_box(layer);
            Descend::Into
        });
    });
    println!("open takes {:.2} of the bare parse", ours / bare);
}

fn best(what: &str, mails: &[Vec<u8>], bytes: usize, run: impl Fn(&[u8])) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..RUNS {
        let start = Instant::now();
        mails.iter().for_each(|mail| run(mail));
        best = best.min(start.elapsed().as_secs_f64());
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let (mail, rate) = (best * 1e6 / mails.len() as f64, bytes as f64 / best / 1e6);
    println!("{what:32} {mail:8.2} µs each  {rate:8.1} MB/s");
    best
}
