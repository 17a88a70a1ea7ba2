//! Makes the table of the words around a reply (`src/core/data/reply-words.toml`).

use std::fmt::Write as _;

use crate::{emit, literals};

/// The commands by their names in the file, and the variant of `Command` each becomes.
const COMMANDS: [(&str, &str); 9] = [
    ("connect", "Connect"),
    ("ehlo", "Ehlo"),
    ("starttls", "StartTls"),
    ("auth", "Auth"),
    ("mail", "Mail"),
    ("rcpt", "Rcpt"),
    ("data", "Data"),
    ("dot", "Dot"),
    ("quit", "Quit"),
];

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    moved: Vec<String>,
    mark: Vec<Mark>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    text: String,
    command: String,
    #[serde(default)]
    shown: bool,
}

/// Rust source of the scanner and of what its words mean.
pub(crate) fn table() -> Result<String, String> {
    let File { moved, mark: marks } = emit::read("reply-words.toml")?;
    let words: Vec<String> = marks.iter().map(|mark| mark.text.clone()).collect();
    let mut out = literals::table("MARKS", &words, literals::NOTICES)?;
    let _ = write!(out, "static MARKS_MEAN: &[(Command, bool)] = &[");
    for mark in &marks {
        let command = COMMANDS
            .iter()
            .find(|(name, _)| *name == mark.command)
            .ok_or(format!(
                "reply-words.toml: {:?}: no command {:?}",
                mark.text, mark.command
            ))?
            .1;
        let _ = write!(out, "(Command::{command}, {}),", mark.shown);
    }
    out.push_str("];\n");
    if let Some(odd) = moved.iter().find(|word| **word != word.to_lowercase()) {
        return Err(format!("reply-words.toml: {odd:?} is not in lower case"));
    }
    let _ = writeln!(out, "pub(super) static MOVED: &[&str] = &{moved:?};");
    Ok(out)
}
