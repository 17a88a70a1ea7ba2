//! The table `dnsbl` of the settings: own zones, keys for lists that need one, lists that are
//! switched off.
//!
//! ```toml
//! [dnsbl]
//! off = ["uceprotect-3"]
//! [dnsbl.keys]
//! spamhaus-zen-dqs = "yourkey"
//! [[dnsbl.zone]]
//! zone = "bl.corp.example"
//! weight = "high"
//! codes = { "127.0.0.2" = "our own spam traps" }
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::dnsbl::source::{Choice, OwnZone};

use super::Error;

/// Its name.
pub(super) const TABLE: &str = "dnsbl";

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Table {
    off: Vec<String>,
    keys: BTreeMap<String, String>,
    zone: Vec<Zone>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Zone {
    zone: String,
    name: Option<String>,
    weight: Option<String>,
    sense: Option<String>,
    #[serde(default)]
    codes: BTreeMap<String, String>,
    #[serde(default = "yes")]
    tests: bool,
}

fn yes() -> bool {
    true
}

/// Reads the table and sees to it that its ids and words exist.
pub(super) fn read(path: &Path, value: &toml::Value) -> Result<Choice, Error> {
    let bad = |why: String| Error::Lists {
        path: path.to_path_buf(),
        why,
    };
    let table: Table = value.clone().try_into().map_err(|error: toml::de::Error| {
        // The first line names the key; a value could be somebody's secret.
        bad(error
            .message()
            .lines()
            .next()
            .unwrap_or_default()
            .to_string())
    })?;
    let own = |zone: Zone| OwnZone {
        zone: zone.zone,
        name: zone.name,
        weight: zone.weight,
        sense: zone.sense,
        codes: zone.codes.into_iter().collect(),
        tests: zone.tests,
    };
    let choice = Choice {
        own: table.zone.into_iter().map(own).collect(),
        keys: table.keys.into_iter().collect(),
        off: table.off,
        ..Choice::default()
    };
    match choice.sources() {
        Ok(_) => Ok(choice),
        Err(error) => Err(bad(error.to_string())),
    }
}

/// The table in a few words; keys are secrets and are not shown.
pub(super) fn show(choice: &Choice) -> String {
    let mut parts = Vec::new();
    let zones: Vec<_> = choice.own.iter().map(|own| own.zone.as_str()).collect();
    let keys: Vec<_> = choice.keys.iter().map(|(id, _)| id.as_str()).collect();
    for (what, names) in [
        ("zones", zones.join(" ")),
        ("keys for", keys.join(" ")),
        ("off", choice.off.join(" ")),
    ] {
        if !names.is_empty() {
            parts.push(format!("{what} {names}"));
        }
    }
    if parts.is_empty() {
        "none".to_string()
    } else {
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<Choice, String> {
        let table: toml::Table = text.parse().unwrap();
        read(Path::new("config.toml"), &table[TABLE]).map_err(|error| error.to_string())
    }

    #[test]
    fn zones_keys_and_switches_are_read() {
        let choice = table(
            "[dnsbl]\noff = ['uceprotect-3']\n[dnsbl.keys]\nspamhaus-zen-dqs = 'k3y'\n\
             [[dnsbl.zone]]\nzone = 'bl.corp.example'\nweight = 'high'\ncodes = {'127.0.0.2' = 'traps'}",
        );
        let choice = choice.unwrap();
        assert_eq!(choice.off, ["uceprotect-3"]);
        assert_eq!(
            choice.keys,
            [("spamhaus-zen-dqs".to_string(), "k3y".to_string())]
        );
        assert!(choice.own[0].tests && choice.own[0].codes.len() == 1);
        assert_eq!(
            show(&choice),
            "zones bl.corp.example, keys for spamhaus-zen-dqs, off uceprotect-3"
        );
    }

    #[test]
    fn what_is_wrong_is_named_and_no_key_is_shown() {
        assert!(table("[dnsbl]\nof = []").unwrap_err().contains("of"));
        assert!(
            table("[dnsbl]\noff = ['spamkop']")
                .unwrap_err()
                .contains("spamkop")
        );
        let secret = table("[dnsbl.keys]\nspamhaus-zen-dqs = 's3 cret'").unwrap_err();
        assert!(!secret.contains("cret"), "{secret}");
    }
}
