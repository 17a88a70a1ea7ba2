//! The schema of `data/dnsbl.toml`: what is wrong with it must end the build.
#![allow(clippy::unwrap_used)]

#[path = "../src/core/build/catalogue.rs"]
#[allow(clippy::unwrap_used, reason = "the build script's own module")]
mod catalogue;

const GOOD: &str = r#"
    [[kind]]
    id = "spam-source"
    label = "spam"
    means = "Mail is refused."
    steps = ["Stop it."]
    [[list]]
    id = "one"
    name = "One"
    zone = "bl.example"
    subjects = ["ipv4"]
    purpose = "spam-source"
    sense = "block"
    weight = "low"
    points = { listed = ["127.0.0.2"], clean = ["127.0.0.1"] }
    answers = [{ is = "127.0.0.2", means = "seen sending spam" }]
"#;

fn error(from: &str, to: &str) -> String {
    let text = GOOD.replace(from, to);
    assert_ne!(text, GOOD, "the test changes nothing");
    catalogue::tables(&text).unwrap_err()
}

#[test]
fn a_good_entry_becomes_a_table() {
    assert!(
        catalogue::tables(GOOD)
            .unwrap()
            .contains("Pattern::Range(2130706434, 2130706434)")
    );
    assert!(catalogue::tables(include_str!("../src/core/data/dnsbl.toml")).is_ok());
}

#[test]
fn an_unknown_key_ends_the_build() {
    assert!(error("weight =", "wieght =").contains("wieght"));
    assert!(error("means = \"seen", "meaning = \"seen").contains("meaning"));
}

#[test]
fn a_bad_code_ends_the_build() {
    for code in [
        "127.0.0",
        "8.8.8.8",
        "127.0.0.9-127.0.0.2",
        "127.0.0.1/24",
        "127.0.0.0/33",
        "127.*",
        "10.*.0.1",
    ] {
        let message = error("is = \"127.0.0.2\"", &format!("is = \"{code}\""));
        assert!(
            message.contains("list one") && message.contains(code),
            "{message}"
        );
    }
    assert!(error("is = \"127.0.0.2\"", "bit = 3").contains("bit 3"));
}

#[test]
fn a_value_that_is_not_in_the_schema_ends_the_build() {
    error("sense = \"block\"", "sense = \"blocks\"");
    error("weight = \"low\"", "weight = \"heavy\"");
    error("subjects = [\"ipv4\"]", "subjects = [\"ip\"]");
    error("purpose = \"spam-source\"", "purpose = \"spam\"");
    error("zone = \"bl.example\"", "zone = \"bl..example\"");
    error("id = \"one\"", "id = \"One\"");
    error(
        "zone = \"bl.example\"",
        "zone = \"bl.example\"\npart_of = \"two\"",
    );
    error(
        "zone = \"bl.example\"",
        "other_zones = [\"bl.example\"]\nkey = true\ndefault = true",
    );
}
