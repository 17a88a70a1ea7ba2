//! Whole outputs, compared: the screens at several widths and the JSON of the four samples of the
//! starting article. `UPDATE_SNAPSHOTS=1 cargo test --test snapshots` writes them anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;
use std::path::Path;

use common::mailtrace;

/// The samples, without their ending.
const SAMPLES: [&str; 7] = [
    "seed-user-unknown",
    "seed-user-unknown-nomime",
    "seed-transient",
    "seed-over-quota",
    "seed-dnsbl",
    "seed-dnsbl-plain",
    "seed-received",
];

fn compare(name: &str, got: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/snapshots")
        .join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, got).unwrap();
    }
    let want = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        want == got,
        "{name} differs.\n--- stored\n{want}\n--- now\n{got}"
    );
}

#[test]
fn the_screens_are_as_stored() {
    for sample in SAMPLES {
        let file = format!("testdata/seed/{sample}.eml");
        for width in ["40", "60", "80", "200"] {
            let got = mailtrace(["explain", "--width", width, &file]).run().stdout;
            compare(&format!("{sample}-{width}.txt"), &got);
        }
    }
}

#[test]
fn colour_verbose_quiet_and_the_audiences_are_as_stored() {
    let file = "testdata/seed/seed-user-unknown.eml";
    for (name, args) in [
        ("color", &["--color", "always"][..]),
        ("verbose", &["-v"]),
        ("quiet", &["-q"]),
        ("user", &["--audience", "user"]),
        ("admin", &["--audience", "admin"]),
    ] {
        let got = mailtrace([&["explain", file], args].concat()).run().stdout;
        compare(&format!("user-unknown-{name}.txt"), &got);
    }
}

#[test]
fn the_json_is_as_stored() {
    for sample in SAMPLES {
        let file = format!("testdata/seed/{sample}.eml");
        let got = mailtrace(["explain", "--json", &file]).run().stdout;
        compare(&format!("{sample}.json"), &got);
    }
}

#[test]
fn line_ends_change_nothing_but_the_line_ends() {
    for sample in SAMPLES {
        let file = common::testdata(&format!("seed/{sample}.eml"));
        let lf = fs::read_to_string(file).unwrap().replace("\r\n", "\n");
        let run = |text: String| mailtrace(["explain", "--json"]).stdin(text).run().stdout;
        assert_eq!(run(lf.replace('\n', "\r\n")), run(lf), "{sample}");
    }
}

#[test]
fn the_summary_is_as_stored() {
    let got = mailtrace(["explain", "--summary", "testdata/seed"])
        .run()
        .stdout;
    compare("summary-80.txt", &got);
}

#[test]
fn the_screens_of_send_test_are_as_stored() {
    let list = mailtrace(["send-test", "--scenario", "list"]).run().stdout;
    compare("send-test-list-80.txt", &list);
    let refused = mailtrace(["send-test", "--scenario", "login-required"]).run();
    // Times and ports are other ones each time; a port has five digits.
    let stable = regex::Regex::new(r"127\.0\.0\.1:\d+").unwrap();
    let refused = stable.replace_all(&refused.stdout, "127.0.0.1:12345");
    let stable = regex::Regex::new(r"\d+\.\d\d s ").unwrap();
    let refused = stable.replace_all(&refused, "0.00 s ");
    compare("send-test-login-required-80.txt", &refused);
}
