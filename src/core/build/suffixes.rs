//! Makes the table of the public suffixes (`src/core/data/public_suffix_list.dat`): the rules as
//! A-labels, a line each, a few of them in each of many buckets.

use std::collections::BTreeSet;

use crate::emit;

#[path = "../suffix/bucket.rs"]
mod bucket;

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
    let mut rules: Vec<(u32, String)> = rules
        .into_iter()
        .map(|rule| (bucket::of(rule.bytes()), rule))
        .collect();
    rules.sort();
    let starts = (0..=bucket::COUNT).map(|bucket| {
        let before = rules.iter().take_while(|(own, _)| *own < bucket);
        before.map(|(_, rule)| rule.len() + 1).sum::<usize>()
    });
    let starts = emit::numbers(starts);
    let text: String = rules.into_iter().map(|(_, rule)| rule + "\n").collect();
    Ok(format!(
        "/// All rules, a line each, bucket by bucket.\nconst RULES: &str = {text:?};\n\
         /// Where the rules of each bucket begin.\n\
         static STARTS: [u32; {}] = {starts};\n",
        bucket::COUNT + 1
    ))
}
