//! What every table maker needs: reading the data folder, writing into `OUT_DIR`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Writes a generated Rust file into `OUT_DIR`.
pub(crate) fn write(name: &str, source: &str) -> Result<(), String> {
    let folder = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    let path = PathBuf::from(folder).join(name);
    fs::write(&path, source).map_err(|e| format!("{}: {e}", path.display()))
}

/// Reads one file of `data`; a change of it runs the build script again.
pub(crate) fn text(name: &str) -> Result<String, String> {
    let path = Path::new("data").join(name);
    println!("cargo:rerun-if-changed={}", path.display());
    fs::read_to_string(&path).map_err(|e| format!("{name}: {e}"))
}

/// Reads and parses one file of `data`.
pub(crate) fn read<T: serde::de::DeserializeOwned>(name: &str) -> Result<T, String> {
    toml::from_str(&text(name)?).map_err(|e| format!("{name}: {e}"))
}

/// The TOML files of a folder below `data`, by name, as names for [`read`].
pub(crate) fn folder(name: &str) -> Result<Vec<String>, String> {
    let path = Path::new("data").join(name);
    println!("cargo:rerun-if-changed={}", path.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(&path).map_err(|e| format!("{name}: {e}"))? {
        let file = entry.map_err(|e| format!("{name}: {e}"))?.file_name();
        let file = file.to_string_lossy();
        if file.ends_with(".toml") {
            names.push(format!("{name}/{file}"));
        }
    }
    names.sort();
    Ok(names)
}

/// `[1, 2, 3]` with line breaks, as the inside of an array or slice expression.
pub(crate) fn numbers<T: std::fmt::Display>(values: impl IntoIterator<Item = T>) -> String {
    let mut out = String::from("[");
    for (i, value) in values.into_iter().enumerate() {
        let _ = write!(out, "{value},{}", if i % 16 == 15 { "\n" } else { "" });
    }
    out.push(']');
    out
}

/// `["a", "b"]` as Rust source.
pub(crate) fn strings<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> String {
    let mut out = String::from("[");
    for value in values {
        let _ = write!(out, "{:?},", value.as_ref());
    }
    out.push(']');
    out
}

/// A source file that also holds knowledge.
pub(crate) fn source(path: &str) -> Result<String, String> {
    println!("cargo:rerun-if-changed={path}");
    fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))
}

/// `user-unknown` to `UserUnknown`.
pub(crate) fn camel(id: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_uppercase().chain(letters).collect()
        })
    };
    id.split('-').map(word).collect()
}

/// A command of SMTP in Rust, by its name in JSON; `DOT` is the end of the message.
pub(crate) fn command(name: &str) -> Option<&'static str> {
    Some(match name {
        "CONNECT" => "Command::Connect",
        "EHLO" => "Command::Ehlo",
        "STARTTLS" => "Command::StartTls",
        "AUTH" => "Command::Auth",
        "MAIL" => "Command::Mail",
        "RCPT" => "Command::Rcpt",
        "DATA" => "Command::Data",
        "DOT" => "Command::Dot",
        "QUIT" => "Command::Quit",
        _ => return None,
    })
}
