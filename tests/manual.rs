//! The manual says what the program does: the man pages are those of the flags, the exit codes
//! those of `exit.rs`, the examples run. `UPDATE_MAN=1 cargo test --test manual` writes `man/`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use clap::CommandFactory;
use mailtrace::cli::Cli;

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

#[test]
fn the_man_pages_are_those_of_the_flags() {
    let fresh = tempfile::tempdir().unwrap();
    let command = Cli::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command, fresh.path()).unwrap();
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
    let exit = fs::read_to_string(root().join("src/exit.rs")).unwrap();
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
