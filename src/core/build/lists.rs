//! `data/dnsbl.toml` and `data/list-names.toml` to the table by which a refusal's list is
//! recognised. The classifier needs names only; meanings and codes are the `dnsbl` room's.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::emit;

/// `src/core/build/catalogue.rs` checks the whole schema of this file.
#[derive(Deserialize)]
struct Catalogue {
    list: Vec<List>,
}

#[derive(Deserialize)]
struct List {
    id: String,
    zone: Option<String>,
    #[serde(default)]
    other_zones: Vec<String>,
    status: Option<String>,
    #[serde(default)]
    subjects: Vec<String>,
    sense: Option<String>,
}

impl List {
    fn zones(&self) -> impl Iterator<Item = &String> {
        self.zone.iter().chain(&self.other_zones)
    }

    /// A list that can be the reason of a refusal.
    fn blocks(&self) -> bool {
        !matches!(self.sense.as_deref(), Some("allow" | "info"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    claim: Claim,
    mistaken: Mistaken,
    example: Vec<Example>,
    name: Vec<Name>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    sure: Vec<String>,
    likely: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mistaken {
    refused: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    text: String,
    zone: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    name: String,
    list: String,
    site: Option<String>,
}

/// The generated tables.
pub(crate) fn table() -> Result<String, String> {
    let catalogue: Catalogue = emit::read("dnsbl.toml")?;
    let names: Names = emit::read("list-names.toml")?;
    let lists: Vec<&List> = catalogue.list.iter().filter(|list| list.blocks()).collect();
    let mut out = String::from("static LISTS: &[List] = &[\n");
    for list in &lists {
        let addresses = list.subjects.iter().any(|s| s == "ipv4" || s == "ipv6");
        let _ = writeln!(
            out,
            "List {{ id: {:?}, zones: &{}, dead: {}, addresses: {addresses} }},",
            list.id,
            emit::strings(list.zones()),
            list.status.as_deref() == Some("dead"),
        );
    }
    out.push_str("];\nstatic NAMES: &[Name] = &[\n");
    for name in &names.name {
        let index = lists.iter().position(|list| list.id == name.list);
        let index = index.ok_or_else(|| format!("list-names.toml: no list {}", name.list))?;
        let _ = writeln!(
            out,
            "Name {{ name: {:?}, list: {index}, site: {:?} }},",
            name.name,
            name.site.as_deref().unwrap_or("")
        );
    }
    out.push_str("];\n");
    for (name, forms) in [("SURE", &names.claim.sure), ("LIKELY", &names.claim.likely)] {
        // `\x04` is a host name in folded text.
        let claim = format!(r"(?:{}) (?:\S+ ){{0,3}}?(\x04)", forms.join("|"));
        regex_syntax::parse(&claim).map_err(|e| format!("list-names.toml: claim: {e}"))?;
        let _ = writeln!(out, "static {name}: &str = {claim:?};");
    }
    let _ = writeln!(
        out,
        "static REFUSED: &[&str] = &{:?};",
        names.mistaken.refused
    );
    out.push_str("#[cfg(test)]\nstatic EXAMPLES: &[(&str, &str)] = &[");
    for example in &names.example {
        let _ = write!(out, "({:?}, {:?}),", example.text, example.zone);
    }
    out.push_str("];\n");
    Ok(out)
}

/// One pattern per list that matches its zones among the replaced pieces of a text.
pub(crate) fn patterns() -> Result<Vec<String>, String> {
    let catalogue: Catalogue = emit::read("dnsbl.toml")?;
    let mut patterns = Vec::new();
    for list in catalogue.list.iter().filter(|list| list.blocks()) {
        let zones: Vec<String> = list
            .zones()
            .map(|z| z.to_ascii_lowercase().replace('.', r"\."))
            .collect();
        if !zones.is_empty() {
            patterns.push(format!(
                r"\x05(?:[0-9a-z_.-]+\.)?(?:{})(?:\x05|$)",
                zones.join("|")
            ));
        }
    }
    Ok(patterns)
}
