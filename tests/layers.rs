//! Who may import whom. A mail goes in at the bottom, a finding comes out at the top, nothing
//! turns back: each room names here the rooms that it may use, and no file uses another.
//! `docs/` shows the same table, each room on its page.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What anybody may use: the characters that are never shown as they are, the scanner, where an address means something, the scale of findings,
/// words for the errors of the system.
const LEAVES: [&str; 6] = ["hidden", "scan", "scope", "severity", "suffix", "words"];

/// Where the rooms are: those that judge, then those that ask and show.
const HOUSES: [&str; 2] = ["src/core", "src/tool"];

/// The rooms from the bottom to the top, and what each may import beside the leaves.
const ROOMS: [(&str, &[&str]); 18] = [
    ("message", &[]),
    ("catalogue", &[]),
    ("dns", &[]),
    ("glossary", &[]),
    // The status codes of RFC 3463 are one type for mail and for replies, names one for both.
    ("smtp", &["dns", "message"]),
    ("bounce", &["message"]),
    ("route", &["message"]),
    ("json", &["bounce", "message", "route"]),
    ("dnsbl", &["catalogue", "dns"]),
    ("posture", &["dns"]),
    // One brain for every reply, wherever it was heard.
    ("check", &["bounce", "dns", "posture", "smtp"]),
    // The policy of the server asks lists and SPF, and its notices speak with explain's words.
    (
        "mta",
        &["bounce", "dns", "dnsbl", "message", "posture", "smtp"],
    ),
    // Sends, waits, and explains what comes back.
    (
        "send",
        &["bounce", "dns", "message", "mta", "route", "smtp"],
    ),
    ("config", &["bounce", "dns", "dnsbl", "report", "smtp"]),
    // Plain results only; `config` and `glossary` are commands, too.
    (
        "report",
        &[
            "bounce", "check", "config", "dns", "dnsbl", "glossary", "json", "mta", "posture",
            "route", "send", "smtp",
        ],
    ),
    ("cli", &["bounce", "config", "dns", "mta", "report", "smtp"]),
    ("exit", &[]),
    (
        "app",
        &[
            "bounce", "check", "cli", "config", "dns", "dnsbl", "exit", "glossary", "message",
            "mta", "posture", "report", "route", "send", "smtp",
        ],
    ),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files of the houses.
fn sources() -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for house in HOUSES {
        files(&root().join(house), &mut paths);
    }
    assert!(paths.len() > 200, "the walk found {} files", paths.len());
    paths
}

/// All Rust files below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // The table makers of the core are no part of it.
        if path.ends_with("src/core/build") {
            continue;
        }
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("build.rs") {
            found.push(path);
        }
    }
}

/// The room of a file: the first part of its path below its house.
fn room(path: &Path) -> String {
    let house = HOUSES.map(|house| root().join(house));
    let below = house.iter().find_map(|house| path.strip_prefix(house).ok());
    let below = below.unwrap();
    let first = below.iter().next().unwrap().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_string()
}

/// A file without its comments and its tests.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|line| !line.trim_start().starts_with("#[cfg(test)]"))
        .map(|line| line.split("//").next().unwrap_or_default())
}

/// The rooms that a file names.
fn named(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for code in code(text) {
        for path in code.split("crate::").skip(1) {
            let end = path.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            found.insert(path.split_at(end.unwrap_or(path.len())).0.to_string());
        }
    }
    found
}

fn allowed() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    ROOMS
        .iter()
        .map(|(room, may)| (*room, may.iter().chain(&LEAVES).copied().collect()))
        .collect()
}

#[test]
fn no_room_imports_what_it_may_not() {
    let allowed = allowed();
    let mut wrong = Vec::new();
    for path in sources() {
        let room = room(&path);
        if ["lib", "main"].contains(&room.as_str()) || path.ends_with("tests.rs") {
            continue;
        }
        let may = allowed.get(room.as_str());
        for name in named(&fs::read_to_string(&path).unwrap()) {
            let is_room = allowed.contains_key(name.as_str()) || LEAVES.contains(&name.as_str());
            let fine = name == room || !is_room || may.is_some_and(|m| m.contains(name.as_str()));
            if !fine {
                wrong.push(format!("{}: {room} uses {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `lib.rs` shows the rooms of the core again, so each room names another in one way.
#[test]
fn the_core_is_named_in_one_place() {
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        let named = code(&text).any(|code| code.contains("mailtrace_core::"));
        assert!(
            !named || path.ends_with("src/tool/lib.rs"),
            "{}",
            path.display()
        );
    }
}

#[test]
fn what_a_room_may_import_it_does_import() {
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in sources() {
        let names = named(&fs::read_to_string(&path).unwrap());
        used.entry(room(&path)).or_default().extend(names);
    }
    for (room, may) in ROOMS {
        for other in may {
            assert!(
                used.get(room).is_some_and(|names| names.contains(*other)),
                "{room} does not use {other} any more: strike it from the table"
            );
        }
    }
}

/// Below a room there are only rooms that come before it: no circle.
#[test]
fn the_rooms_stand_on_each_other_in_this_order() {
    for (at, (room, may)) in ROOMS.iter().enumerate() {
        for other in *may {
            let place = ROOMS.iter().position(|(name, _)| name == other);
            let circle = place.is_none_or(|place| place >= at);
            // The report shows what the settings are, the settings say how to report.
            assert!(
                !circle || (*room == "config" && *other == "report"),
                "{room} stands below {other}"
            );
        }
    }
}

#[test]
fn every_folder_of_the_source_is_a_room() {
    let folders = HOUSES.map(|house| fs::read_dir(root().join(house)).unwrap());
    for entry in folders.into_iter().flatten() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().replace(".rs", "");
        if entry.path().is_dir() && !["build", "data"].contains(&&*name) {
            let known = ROOMS.iter().any(|(room, _)| *room == name) || LEAVES.contains(&&*name);
            assert!(
                known,
                "{} has no place in the table",
                entry.path().display()
            );
        }
    }
}

/// A library that is exchanged one day is exchanged in one room.
#[test]
fn a_foreign_crate_stays_in_its_room() {
    let owners: [(&str, &[&str]); 5] = [
        ("hickory_proto", &["dns"]),
        ("rustls", &["smtp"]),
        ("mail_parser", &["message"]),
        ("clap", &["cli", "app"]),
        ("comfy_table", &["report"]),
    ];
    for path in sources() {
        if path.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for (krate, rooms) in owners {
            let used = code(&text).any(|code| code.contains(&format!("{krate}::")));
            let room = room(&path);
            assert!(
                !used || rooms.contains(&room.as_str()),
                "{} uses {krate}",
                path.display()
            );
        }
    }
}

/// What stands on each page of `docs/rooms`.
const PAGES: [(&str, &[&str]); 12] = [
    ("message", &["message"]),
    ("bounce", &["bounce"]),
    ("route", &["route"]),
    ("dns", &["dns"]),
    ("dnsbl", &["dnsbl", "catalogue"]),
    ("smtp", &["smtp"]),
    ("posture", &["posture"]),
    ("check", &["check"]),
    ("mta", &["mta"]),
    ("send", &["send"]),
    ("report", &["report", "json"]),
    ("app", &["app", "cli", "config", "exit", "glossary"]),
];

/// Behind this line a page is made from the source.
const MARK: &str = "<!-- From here on: UPDATE_DOCS=1 cargo test --test layers -->";

/// The first sentence of a file about itself.
fn sentence(text: &str) -> String {
    let about: Vec<&str> = text
        .lines()
        .map_while(|line| line.strip_prefix("//!").or(line.strip_prefix("// ")))
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let about = about.join(" ").replace("[`", "`").replace("`]", "`");
    let end = about.find(". ").map_or(about.len(), |at| at + 1);
    let first = about.split_at(end).0;
    // A link of rustdoc leads nowhere here.
    first.split("](super").next().unwrap_or(first).to_string()
}

/// The part of a page that the source writes: who is imported, and what each file is for.
fn made(rooms: &[&str]) -> String {
    let mut out = format!("{MARK}\n\n## Imports\n\n");
    for room in rooms {
        let may = ROOMS.iter().find(|(name, _)| name == room).unwrap().1;
        let may = match may {
            [] => "no other room".to_string(),
            _ => may.join(", "),
        };
        out += &format!("- `{room}`: {may}\n");
    }
    out += "\n## Files\n\n| File | What it is |\n|---|---|\n";
    let mut paths = sources();
    paths.sort();
    for path in paths {
        if !rooms.contains(&room(&path).as_str()) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        if name.ends_with("tests.rs") || name.contains("/tests/") {
            continue;
        }
        let about = sentence(&text);
        assert!(!about.is_empty(), "{name} does not say what it is");
        out += &format!("| `{name}` | {about} |\n");
    }
    out
}

#[test]
fn every_room_has_a_page_and_its_table_is_the_source() {
    let folder = root().join("docs/rooms");
    for (page, rooms) in PAGES {
        let path = folder.join(format!("{page}.md"));
        let text = fs::read_to_string(&path).unwrap();
        let (prose, stored) = text.split_once(MARK).unwrap_or((&text, ""));
        let now = made(rooms);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, format!("{}\n\n{now}", prose.trim_end())).unwrap();
            continue;
        }
        assert!(
            format!("{MARK}{stored}") == now,
            "docs/rooms/{page}.md is old: UPDATE_DOCS=1 cargo test --test layers"
        );
    }
    for (room, _) in ROOMS {
        let shown = PAGES.iter().any(|(_, rooms)| rooms.contains(&room));
        assert!(shown, "{room} is on no page");
    }
}

/// A page speaks of files, tests and data that are there.
#[test]
fn what_the_pages_name_exists() {
    let mut wrong = Vec::new();
    let mut pages = vec![
        root().join("docs/README.md"),
        root().join("docs/performance.md"),
        root().join("docs/tests.md"),
        root().join("CONTRIBUTING.md"),
    ];
    for (page, _) in PAGES {
        pages.push(root().join(format!("docs/rooms/{page}.md")));
    }
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for word in text.split('`').skip(1).step_by(2) {
            let word = word.trim_end_matches('/');
            let path = [
                "core/",
                "src/",
                "tests/",
                "testdata/",
                "docs/",
                "benches/",
                "build/",
            ]
            .iter()
            .any(|start| word.starts_with(start));
            let globbed = word.contains(['*', ' ', '{']);
            if path && !globbed && !root().join(word).exists() {
                wrong.push(format!("{}: {word}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
