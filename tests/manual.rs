//! The manual says what the program does: the man pages are those of the flags, the exit codes
//! those of `exit.rs`, the examples run. `UPDATE_MAN=1 cargo test --test manual` writes `man/`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use clap::CommandFactory;
use mailtrace::bounce::advice::{Audience, advise, example};
use mailtrace::bounce::cause::Cause;
use mailtrace::bounce::explanation::{Confidence, Recipient};
use mailtrace::cli::Cli;
use mailtrace::config::KEYS;
use roff::{Roff, bold, italic, roman};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The pages in a folder by name.
fn pages(dir: &Path) -> BTreeMap<String, String> {
    let Ok(entries) = fs::read_dir(dir) else {
        return BTreeMap::new();
    };
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// The head of a page that is no command's.
fn headed(name: &str, section: &str, about: &str) -> Roff {
    let mut page = Roff::new();
    page.control(
        "TH",
        [
            name,
            section,
            "",
            &format!("mailtrace {}", env!("CARGO_PKG_VERSION")),
        ],
    );
    page.control("SH", ["NAME"]);
    page.text([roman(format!("{name} - {about}"))]);
    page
}

/// `mailtrace-causes(7)`: every cause with its words, as `explain` tells them.
fn causes() -> String {
    let mut page = headed(
        "mailtrace-causes",
        "7",
        "why mail comes back, and what to do about it",
    );
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(
        "Every failure that mailtrace explains has one of these causes. They stand in the key \
         \"cause\" of its JSON output. Each is told for the person who got the bounce and, below, \
         for the administrator; bob@example.net stands for the recipient.",
    )]);
    page.control("SH", ["CAUSES"]);
    for cause in Cause::ALL {
        let recipient = Recipient {
            address: Some("bob@example.net".to_string()),
            ..Recipient::of(*cause, Confidence::High)
        };
        let user = advise(&recipient, Audience::User);
        let admin = advise(&recipient, Audience::Both).admin.unwrap();
        page.control("SS", [format!("{}: {}", cause.id(), user.title).as_str()]);
        page.text([roman(user.meaning.as_ref())]);
        page.text([bold("Whose side? "), roman(user.side.as_ref())]);
        let lasting = match cause.usually_permanent() {
            Some(true) => "Usually for good.",
            Some(false) => "Usually it passes.",
            None => "It may pass or be for good; the reply tells.",
        };
        page.text([roman(lasting)]);
        for step in &user.steps {
            page.control("IP", ["\\(bu", "2"]);
            page.text([roman(step.as_ref())]);
        }
        page.control("PP", []);
        page.text([
            bold("For the administrator: "),
            roman(admin.meaning.as_ref()),
        ]);
        for step in &admin.steps {
            page.control("IP", ["\\(bu", "2"]);
            page.text([roman(step.as_ref())]);
        }
        page.control("PP", []);
        page.text([italic("A reply of this kind: "), roman(example(*cause))]);
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([bold("mailtrace-explain"), roman("(1)")]);
    page.to_roff()
}

/// `mailtrace-config(5)`: every setting, in the file, in the environment and as a flag.
fn settings() -> String {
    let mut page = headed("mailtrace-config", "5", "settings of mailtrace");
    page.control("SH", ["SYNOPSIS"]);
    page.text([italic("~/.config/mailtrace/config.toml")]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(
        "A file of lines such as width = 100 (TOML). Environment variables win over the file, \
         and flags over both. mailtrace config shows what is in force and where each value came \
         from. --config names another file; with XDG_CONFIG_HOME the file is looked for there.",
    )]);
    page.control("SH", ["KEYS"]);
    for key in KEYS {
        page.control("TP", []);
        page.text([bold(key.name)]);
        page.text([roman(format!(
            "{}. Environment: {}. Flag: {}.",
            key.values, key.env, key.flag
        ))]);
    }
    page.control("SH", ["DNS LISTS"]);
    page.text([roman(
        "The table dnsbl switches lists off, names keys for lists that need one, and adds lists of \
         your own:",
    )]);
    page.control("PP", []);
    page.control("nf", []);
    for line in LISTS.lines() {
        page.text([roman(line)]);
    }
    page.control("fi", []);
    page.control("PP", []);
    page.text([roman(
        "Ids of lists are those of mailtrace dnsbl --catalogue. A zone of your own may have name, \
         weight (high, medium, low, info), sense (block, policy, allow, info), codes, and tests = \
         false when it has no test entries (RFC 5782).",
    )]);
    page.control("SH", ["SEE ALSO"]);
    page.text([
        bold("mailtrace"),
        roman("(1), "),
        bold("mailtrace-dnsbl"),
        roman("(1)"),
    ]);
    page.to_roff()
}

/// What the manual shows of the table `dnsbl`; read as a file by a test.
const LISTS: &str = r#"[dnsbl]
off = ["uceprotect-3"]

[dnsbl.keys]
spamhaus-zen-dqs = "yourkey"

[[dnsbl.zone]]
zone = "bl.corp.example"
weight = "high"
codes = { "127.0.0.2" = "our own spam traps" }
"#;

#[test]
fn the_settings_that_the_manual_shows_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let ids: Vec<&str> = mailtrace::dnsbl::catalogue::LISTS
        .iter()
        .map(|list| list.id)
        .collect();
    assert!(ids.contains(&"uceprotect-3") && ids.contains(&"spamhaus-zen-dqs"));
    fs::write(&file, format!("width = 100\n{LISTS}")).unwrap();
    let path = file.to_string_lossy().into_owned();
    let done = common::mailtrace(["config", "--json", "--config", path.as_str()]).run();
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains("100"), "{}", done.stdout);
}

#[test]
fn the_man_pages_are_those_of_the_flags_the_causes_and_the_settings() {
    let fresh = tempfile::tempdir().unwrap();
    let command = Cli::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command, fresh.path()).unwrap();
    fs::write(fresh.path().join("mailtrace-causes.7"), causes()).unwrap();
    fs::write(fresh.path().join("mailtrace-config.5"), settings()).unwrap();
    let man = root().join("man");
    if std::env::var_os("UPDATE_MAN").is_some() {
        for name in pages(&man).keys() {
            fs::remove_file(man.join(name)).unwrap();
        }
        for (name, text) in pages(fresh.path()) {
            fs::write(man.join(name), text).unwrap();
        }
    }
    let (stored, now) = (pages(&man), pages(fresh.path()));
    assert_eq!(
        stored.keys().collect::<Vec<_>>(),
        now.keys().collect::<Vec<_>>()
    );
    for (name, text) in now {
        assert!(
            stored.get(&name) == Some(&text),
            "{name} is old: UPDATE_MAN=1 cargo test --test manual"
        );
    }
}

#[test]
fn every_exit_code_stands_in_help_and_manual() {
    let exit = fs::read_to_string(root().join("src/tool/exit.rs")).unwrap();
    let codes: Vec<&str> = exit
        .lines()
        .filter_map(|line| line.trim().strip_suffix(',')?.split_once(" = "))
        .map(|(_, code)| code)
        .collect();
    assert_eq!(codes, ["0", "1", "2", "3"]);
    let help = common::mailtrace(["--help"]).run().stdout;
    let page = fs::read_to_string(root().join("man/mailtrace.1")).unwrap();
    for code in codes {
        let line = format!("\n  {code}  ");
        assert!(help.contains(&line), "--help lacks exit code {code}");
        assert!(
            page.contains(&format!("  {code}  ")),
            "the manual lacks exit code {code}"
        );
    }
}

#[test]
fn every_command_has_help_with_examples() {
    for command in Cli::command().get_subcommands() {
        let help = common::mailtrace([command.get_name(), "--help"])
            .run()
            .stdout;
        assert!(help.contains("Examples:\n  "), "{}", command.get_name());
    }
}

/// The blocks of a Markdown file that start with ```` ```LANGUAGE ````.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        match block.take() {
            Some(done) if line.starts_with("```") => out.push(done),
            Some(more) => block = Some(more + line + "\n"),
            None if line == format!("```{language}") => block = Some(String::new()),
            None => {}
        }
    }
    out
}

#[test]
fn the_examples_of_the_readme_print_what_it_shows() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut shown = 0;
    for block in blocks(&readme, "console") {
        for part in block.split("$ ").skip(1) {
            let (line, want) = part.split_once('\n').unwrap_or((part, ""));
            // `cargo run --release --` stands for the binary that this test has built already.
            let line = line.replace("cargo run --release -q --", "mailtrace");
            if !line.contains("mailtrace ") {
                continue;
            }
            let dir = Path::new(env!("CARGO_BIN_EXE_mailtrace")).parent().unwrap();
            let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap());
            let output = Command::new("sh")
                .args(["-c", &line])
                .current_dir(root())
                .env("PATH", path)
                .env("HOME", "/nonexistent")
                .env_remove("XDG_CONFIG_HOME")
                .env_remove("LC_ALL")
                .env("LANG", "C.UTF-8")
                .output()
                .unwrap();
            let got = String::from_utf8_lossy(&output.stdout);
            assert_eq!(got.trim_end(), want.trim_end(), "$ {line}");
            shown += 1;
        }
    }
    assert!(shown >= 3, "the README shows what the program prints");
}

#[test]
fn the_installer_puts_program_manual_and_completions_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let done = Command::new(root().join("packaging/install.sh"))
        .arg("--binary")
        .arg(env!("CARGO_BIN_EXE_mailtrace"))
        .args(["--prefix", "/usr"])
        .env("DESTDIR", folder.path())
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    let usr = folder.path().join("usr");
    for (file, holds) in [
        (
            "share/man/man1/mailtrace-explain.1",
            ".TH mailtrace-explain 1",
        ),
        (
            "share/man/man5/mailtrace-config.5",
            ".TH mailtrace-config 5",
        ),
        (
            "share/man/man7/mailtrace-causes.7",
            ".TH mailtrace-causes 7",
        ),
        ("share/bash-completion/completions/mailtrace", "complete -F"),
        ("share/zsh/site-functions/_mailtrace", "#compdef mailtrace"),
        (
            "share/fish/vendor_completions.d/mailtrace.fish",
            "complete -c mailtrace",
        ),
    ] {
        let text = fs::read_to_string(usr.join(file)).unwrap();
        assert!(
            text.contains(holds),
            "{file}: {}",
            text.lines().take(5).collect::<String>()
        );
    }
    let version = Command::new(usr.join("bin/mailtrace"))
        .arg("--version")
        .output()
        .unwrap();
    assert!(version.stdout.starts_with(b"mailtrace "));
}
