//! `mailtrace/glossary/1`: a word and its meaning.

use crate::glossary::Term;

use super::write::{self, Object};

/// One line.
pub fn term(out: &mut String, term: &Term) {
    let mut object = Object::new(out);
    object
        .id("schema", Some("mailtrace/glossary/1"))
        .text("term", term.word)
        .maybe("name", term.name)
        .list("also", term.also, |out, name| write::text(out, name))
        .text("place", term.place)
        .text("text", term.text)
        .text("example", term.example);
    object.end();
    out.push('\n');
}
