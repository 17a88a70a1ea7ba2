//! `mailtrace glossary`.

use crate::config::Format;
use crate::exit::Exit;
use crate::glossary::{self, Term};
use crate::report::{human, json};

use super::Context;
use super::output::{Output, complain};

pub(super) fn run(words: &[String], context: &Context) -> Exit {
    let mut found: Vec<&Term> = Vec::new();
    let mut missing = false;
    for word in words {
        match glossary::find(word) {
            Some(term) if found.contains(&term) => {}
            Some(term) => found.push(term),
            None => {
                missing = true;
                complain(&unknown(word));
            }
        }
    }
    if words.is_empty() {
        found = glossary::all().iter().collect();
    }
    let text = match context.settings.values.format {
        Format::Json => {
            let mut text = String::new();
            for term in &found {
                json::glossary::term(&mut text, term);
            }
            text
        }
        _ => human::glossary::terms(found.iter().copied(), words.is_empty(), context.paint),
    };
    match Output::new().write_all(text.as_bytes()) {
        Exit::Good if missing => Exit::Bad,
        other => other,
    }
}

fn unknown(word: &str) -> String {
    let near: Vec<&str> = glossary::near(word).iter().map(|term| term.word).collect();
    if near.is_empty() {
        format!("{word}: not in the glossary; `mailtrace glossary` shows all its words")
    } else {
        format!(
            "{word}: not in the glossary; did you mean {}?",
            near.join(", ")
        )
    }
}
