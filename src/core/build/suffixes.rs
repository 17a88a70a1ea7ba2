//! Makes the table of the public suffixes (`src/core/data/public_suffix_list.dat`): the rules as
//! A-labels, sorted, a line each, so that one text is table and index.

use std::collections::BTreeSet;

use crate::emit;

/// A list that was cut short would give half the world to one owner.
const FEWEST: usize = 8_000;

pub(crate) fn table() -> Result<String, String> {
    const FILE: &str = "public_suffix_list.dat";
    let mut rules = BTreeSet::new();
    for (number, line) in emit::text(FILE)?.lines().enumerate() {
        // A rule ends at the first blank; what follows is a remark.
        let rule = line.split_whitespace().next().unwrap_or_default();
        if rule.is_empty() || rule.starts_with("//") {
            continue;
        }
        let wrong = |why: &str| format!("{FILE}, line {}: {rule}: {why}", number + 1);
        let (mark, name) = match rule.strip_prefix('!') {
            Some(name) => ("!", name),
            None => match rule.strip_prefix("*.") {
                Some(name) => ("*.", name),
                None => ("", rule),
            },
        };
        let name = idna::domain_to_ascii(name).map_err(|_| wrong("no domain name"))?;
        if name.is_empty() || name.contains('*') {
            return Err(wrong("a star stands in front only"));
        }
        rules.insert(format!("{mark}{name}"));
    }
    if rules.len() < FEWEST {
        return Err(format!("{FILE}: {} rules, {FEWEST} at least", rules.len()));
    }
    let rules: Vec<String> = rules.into_iter().collect();
    Ok(format!(
        "/// All rules, sorted, a line each.\nconst RULES: &str = {:?};\n",
        rules.join("\n")
    ))
}
