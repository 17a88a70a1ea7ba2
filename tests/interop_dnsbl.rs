//! `mailtrace dnsbl` against real software: rbldnsd and unbound with the zones of the catalogue,
//! and servers with bad habits. Needs the Debian packages rbldnsd and unbound, and the folder
//! `../shared`; without them it says so and does nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::OwnEnvironment;
use serde_json::Value;

/// The test-bed needs a port for itself and the three above it.
const BASE: u16 = 21_340;

/// A running test-bed; it is taken down at the end.
struct TestBed {
    folder: PathBuf,
    state: tempfile::TempDir,
    resolver: String,
}

impl TestBed {
    /// Starts it; `None`, with the reason on standard output, where that is not possible.
    #[allow(clippy::print_stdout, reason = "a test that skips says why")]
    fn start() -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/testbed/dnsbl");
        if !folder.join("up").exists() {
            println!("skipped: no test-bed at {}", folder.display());
            return None;
        }
        let places = ["/usr/sbin", "/usr/bin", "/sbin", "/usr/local/sbin"];
        for program in ["rbldnsd", "unbound"] {
            if !places
                .iter()
                .any(|place| Path::new(place).join(program).exists())
            {
                println!("skipped: {program} is not installed (apt-get install rbldnsd unbound)");
                return None;
            }
        }
        let state = tempfile::tempdir().unwrap();
        let up = Command::new(folder.join("up"))
            .arg(BASE.to_string())
            .arg(state.path())
            .output();
        let up = up.unwrap();
        if !up.status.success() {
            println!(
                "skipped: the test-bed did not start: {}",
                String::from_utf8_lossy(&up.stderr)
            );
            return None;
        }
        let resolver = String::from_utf8(up.stdout).unwrap().trim().to_string();
        Some(Self {
            folder,
            state,
            resolver,
        })
    }

    fn mailtrace(&self, args: &[&str]) -> (Vec<Value>, Option<i32>, Duration) {
        let started = Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_mailtrace"))
            .arg("dnsbl")
            .args(args)
            .args(["--resolver", &self.resolver, "--json", "--timeout", "2"])
            .own_environment()
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        (lines, output.status.code(), started.elapsed())
    }
}

impl Drop for TestBed {
    fn drop(&mut self) {
        let _ = Command::new(self.folder.join("down"))
            .arg(self.state.path())
            .status();
    }
}

/// The outcomes that are right for a class of the test-bed.
fn right(class: &str) -> &'static [&'static str] {
    match class {
        "listed" => &["listed"],
        "allowed" => &["allowed"],
        "info" => &["info"],
        "clean" | "clean-nodata" => &["clean"],
        "refused" | "rcode-refused" => &["refused"],
        "misuse" => &["skipped", "error"],
        "dead-lists-all" | "dead-empty" | "dead-parked" => &["dead", "untrusted"],
        "non-127" => &["untrusted"],
        "servfail" => &["error"],
        "timeout" => &["timeout"],
        "servfail-or-timeout" => &["error", "timeout"],
        "no-such-zone" => &["dead", "error", "untrusted"],
        other => panic!("a class that the test does not know: {other}"),
    }
}

#[test]
fn every_expectation_of_the_test_bed_is_met() {
    let Some(bed) = TestBed::start() else { return };
    let text = std::fs::read_to_string(bed.folder.join("data/expect.tsv")).unwrap();
    let mut wanted: BTreeMap<&str, Vec<[&str; 3]>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let [subject, zone, class, answer] = line.split('\t').collect::<Vec<_>>()[..] else {
            continue;
        };
        wanted
            .entry(subject)
            .or_default()
            .push([zone, class, answer]);
    }
    let mut wrong = Vec::new();
    let mut count = 0;
    for (subject, rows) in wanted {
        let mut args = vec![subject, "--force", "--probe-lists"];
        args.extend(rows.iter().flat_map(|[zone, ..]| ["--zone", zone]));
        let (lines, ..) = bed.mailtrace(&args);
        let results: Vec<&Value> = lines
            .iter()
            .filter_map(|l| l["results"].as_array())
            .flatten()
            .collect();
        for [zone, class, answer] in rows {
            count += 1;
            let result = results.iter().find(|r| r["zone"] == zone);
            let status = result
                .and_then(|r| r["status"].as_str())
                .unwrap_or("missing");
            // Where the answer is a code, and not a description, it must be there.
            let code = answer.parse::<std::net::Ipv4Addr>().is_ok() && class == "listed";
            let codes = result.map(|r| r["codes"].to_string()).unwrap_or_default();
            if !right(class).contains(&status) || (code && !codes.contains(answer)) {
                wrong.push(format!(
                    "{subject} {zone}: {class} {answer}, got {status} {codes}"
                ));
            }
        }
    }
    assert!(count > 1000, "{count} expectations");
    assert!(
        wrong.is_empty(),
        "{} of {count} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );

    // The rest shares the test-bed: it takes seconds to start.
    a_silent_list_costs_the_time_out(&bed);
    a_range_loses_no_answer(&bed);
    a_listed_domain_is_found_by_its_mail_hosts(&bed);
}

fn a_silent_list_costs_the_time_out(bed: &TestBed) {
    let args = [
        "11.22.33.3",
        "--zone",
        "timeout.bl.test",
        "--zone",
        "healthy.bl.test",
    ];
    let (lines, code, took) = bed.mailtrace(&args);
    assert_eq!(code, Some(0), "{lines:?}");
    assert_eq!(lines[0]["results"][0]["status"], "timeout");
    assert!(took < Duration::from_millis(2600), "{took:?}");
}

fn a_range_loses_no_answer(bed: &TestBed) {
    let statuses = || {
        let (lines, ..) = bed.mailtrace(&["11.22.33.0/24"]);
        assert_eq!(lines.len(), 256);
        let status = |line: &Value| -> Vec<String> {
            let results = line["results"].as_array().unwrap();
            results
                .iter()
                .map(|r| format!("{} {}", r["list"], r["status"]))
                .collect()
        };
        lines.iter().flat_map(status).collect::<Vec<_>>()
    };
    let first = statuses();
    let lost = |s: &&String| s.contains("timeout") || s.contains("error");
    assert_eq!(first.iter().filter(lost).count(), 0);
    assert_eq!(first, statuses());
}

fn a_listed_domain_is_found_by_its_mail_hosts(bed: &TestBed) {
    let (lines, code, _) = bed.mailtrace(&["listed.test"]);
    assert_eq!(code, Some(1));
    let listed: Vec<_> = lines
        .iter()
        .filter(|l| l["listed"] != 0)
        .map(|l| &l["target"])
        .collect();
    assert_eq!(listed, ["11.22.33.2", "4321:db8::2"]);
}
