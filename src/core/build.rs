//! Turns the knowledge in `src/tool/data` into static tables, so that start-up reads and parses nothing.
//!
//! Each kind of data has a module of its own under `build/`: it reads its TOML files, refuses what
//! does not fit the schema with the file and the entry in the message, and writes one Rust file
//! into `OUT_DIR`, which the room that owns the knowledge includes.

#[path = "build/anchors.rs"]
mod anchors;
#[path = "build/catalogue.rs"]
mod catalogue;
#[path = "build/causes.rs"]
mod causes;
#[path = "build/codes.rs"]
mod codes;
#[path = "build/dialects.rs"]
mod dialects;
#[path = "build/emit.rs"]
mod emit;
#[path = "build/glossary.rs"]
mod glossary;
#[path = "build/lists.rs"]
mod lists;
#[path = "build/literals.rs"]
mod literals;
#[path = "build/replies.rs"]
mod replies;
#[path = "build/rules.rs"]
mod rules;
#[path = "build/suffixes.rs"]
mod suffixes;
#[path = "build/trace.rs"]
mod trace;

/// One line per kind of knowledge. An error ends the build and names file and entry.
fn main() -> Result<(), String> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build");
    emit::write(
        "dnsbl_catalogue.rs",
        &catalogue::tables(&emit::text("dnsbl.toml")?)?,
    )?;
    emit::write("codes.rs", &codes::tables()?)?;
    emit::write("dialects.rs", &dialects::tables()?)?;
    emit::write("scan_sample.rs", &literals::sample()?)?;
    emit::write("glossary.rs", &glossary::table()?)?;
    emit::write("lists.rs", &lists::table()?)?;
    emit::write("reply_marks.rs", &replies::table()?)?;
    emit::write("reply_keys.rs", &replies::keys()?)?;
    emit::write("log_words.rs", &replies::outcomes()?)?;
    emit::write("log_json.rs", &replies::records()?)?;
    emit::write("rules.rs", &rules::table()?)?;
    emit::write("suffixes.rs", &suffixes::table()?)?;
    emit::write("causes.rs", &causes::tables()?)?;
    let (known, systems) = trace::tables()?;
    emit::write("trace.rs", &known)?;
    emit::write("systems.rs", &systems)?;
    emit::write("filter_fields.rs", &trace::fields()?)?;
    Ok(())
}
