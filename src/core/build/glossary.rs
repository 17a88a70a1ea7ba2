//! Makes the table of the words (`src/core/data/glossary.toml`).

use std::fmt::Write as _;

use crate::emit;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    term: Vec<Term>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Term {
    word: String,
    name: Option<String>,
    #[serde(default)]
    also: Vec<String>,
    place: String,
    text: String,
    example: String,
}

/// Rust source of the table.
pub(crate) fn table() -> Result<String, String> {
    let File { term: terms } = emit::read("glossary.toml")?;
    let mut seen: Vec<String> = Vec::new();
    let mut out = String::from("static TERMS: &[Term] = &[");
    for term in &terms {
        for word in std::iter::once(&term.word).chain(&term.also) {
            let word = word.to_lowercase();
            if seen.contains(&word) {
                return Err(format!("glossary.toml: {word:?} stands twice"));
            }
            seen.push(word);
        }
        let sentences = term.text.matches(". ").count() + 1;
        if !(1..=4).contains(&sentences) || !term.text.ends_with('.') {
            return Err(format!(
                "glossary.toml: {}: write one to four sentences",
                term.word
            ));
        }
        if term.place.is_empty() || term.example.is_empty() {
            return Err(format!(
                "glossary.toml: {}: no place or no example",
                term.word
            ));
        }
        let _ = write!(
            out,
            "Term {{ word: {:?}, name: {:?}, also: &{:?}, place: {:?}, text: {:?}, example: {:?} }},",
            term.word, term.name, term.also, term.place, term.text, term.example
        );
    }
    out.push_str("];\n");
    Ok(out)
}
