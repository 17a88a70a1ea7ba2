//! Turns the knowledge in `src/data` into static tables, so that start-up reads and parses nothing.
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

/// One line per kind of knowledge. An error ends the build and names file and entry.
fn main() -> Result<(), String> {
    link();
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build");
    emit::write(
        "dnsbl_catalogue.rs",
        &catalogue::tables(&emit::text("dnsbl.toml")?)?,
    )?;
    emit::write("dialects.rs", &dialects::tables()?)?;
    emit::write("scan_sample.rs", &literals::sample()?)?;
    emit::write("glossary.rs", &glossary::table()?)?;
    emit::write("lists.rs", &lists::table()?)?;
    emit::write("reply_marks.rs", &replies::table()?)?;
    emit::write("rules.rs", &rules::table()?)?;
    emit::write("causes.rs", &causes::tables()?)?;
    Ok(())
}

/// The tables hold thousands of pointers, which a position-independent program has to set at each
/// start: a quarter of the time of a short run. So the program itself lies at a fixed place; its
/// libraries, heap and stack do not. `MAILTRACE_PIE=1` keeps it position-independent.
fn link() {
    println!("cargo:rerun-if-env-changed=MAILTRACE_PIE");
    let target = |name: &str| std::env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    let fixed = target("OS") == "linux" && target("ENV") == "gnu" && target("ARCH") == "x86_64";
    // A static program is linked in another way.
    let is_static = target("FEATURE").split(',').any(|f| f == "crt-static");
    if fixed && !is_static && std::env::var_os("MAILTRACE_PIE").is_none() {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
