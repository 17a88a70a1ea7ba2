//! The reader of `Received` fields against labelled corpora: what the sources state must be read,
//! and what they state to be absent must not be invented.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test may stop"
)]

use std::path::{Path, PathBuf};
use std::str::FromStr;

use mailtrace::route::received::{self, Received};
use serde_json::Value;

#[test]
fn every_own_dialect_is_read_as_labelled() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/received/dialects.jsonl");
    assert_eq!(faults(&own), Vec::<String>::new());
}

/// Written from memory of how mail software writes, and labelled, before the reader saw them: at
/// first sight it missed 17 of 2873 labels and gave two values too many.
#[test]
fn the_forms_of_many_more_systems_are_read_as_labelled() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/received/own.jsonl");
    assert_eq!(faults(&own), Vec::<String>::new());
}

/// Three further batches, written and labelled the same way: at first sight it missed 12 of 1115 labels
/// and gave two values too many, then, with those mended, missed 2 of 587, and then none of 256.
#[test]
fn the_forms_of_the_world_at_large_are_read_as_labelled() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/received/world.jsonl");
    assert_eq!(faults(&own), Vec::<String>::new());
}

#[test]
fn the_headers_of_other_projects_are_read_as_labelled() {
    let shared = shared("corpus/received/dev.jsonl");
    if !shared.exists() {
        eprintln!("skipped: {} is not here", shared.display());
        return;
    }
    assert_eq!(faults(&shared), Vec::<String>::new());
}

#[test]
fn no_field_of_any_chain_is_lost() {
    let path = shared("corpus/received/chains-dev.jsonl");
    if !path.exists() {
        eprintln!("skipped: {} is not here", path.display());
        return;
    }
    for line in std::fs::read_to_string(&path).unwrap().lines() {
        let chain: Value = serde_json::from_str(line).unwrap();
        for field in chain["received"].as_array().unwrap() {
            let body = received::unfold(field.as_str().unwrap());
            assert!(!received::read(&body).unparsed, "{}: {body}", chain["id"]);
        }
    }
}

fn shared(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared")
        .join(path)
}

/// Every label that is not met, and every value given where the source states that there is none.
fn faults(corpus: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    for line in std::fs::read_to_string(corpus).unwrap().lines() {
        let item: Value = serde_json::from_str(line).unwrap();
        let body = received::unfold(item["header"].as_str().unwrap());
        let r = received::read(&body);
        let derived = &item["derived"]["date_epoch"];
        let stated = item["expect"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(k, v)| (k.as_str(), v));
        for (field, wanted) in stated.chain(derived.is_i64().then_some(("date_epoch", derived))) {
            let got = values(&r, field);
            let wanted = plain(field, wanted);
            if !got.contains(&wanted) {
                faults.push(format!(
                    "{} {field}: wanted {wanted}, got {got:?}",
                    item["id"]
                ));
            }
        }
        for field in item["absent"].as_array().into_iter().flatten() {
            let field = field.as_str().unwrap();
            let given = match field {
                "from_helo" => r.from.helo.is_some(),
                "from_rdns" => r.from.rdns.is_some(),
                "from_ip" => r.from.ip.is_some(),
                "name" => r.from.name.is_some(),
                "id" => r.id.is_some(),
                "time" => r.time.is_some(),
                "ident" => r.from.ident.is_some(),
                "auth" => r.auth.authenticated,
                other => panic!("unknown label {other}"),
            };
            if given {
                faults.push(format!("{} {field}: given, but there is none", item["id"]));
            }
        }
    }
    faults
}

/// What was read for a label; a name of untold kind counts for the HELO name when nothing else
/// is given, and any name for `from_name`.
fn values(r: &Received<'_>, field: &str) -> Vec<String> {
    let name = r.from.name;
    let found = match field {
        "from_name" => vec![name, r.from.helo, r.from.rdns, r.from.ident],
        "from_helo" if r.from.helo.is_none() && r.from.rdns.is_none() => vec![name],
        "from_helo" => vec![r.from.helo],
        "from_rdns" => vec![r.from.rdns],
        "by" => vec![r.by.host],
        "with" => vec![r.with],
        "via" => vec![r.via.or(r.with)],
        "id" => vec![r.id],
        "for" => vec![r.recipient],
        "ident" => vec![r.from.ident],
        "envfrom" => vec![r.envelope_from],
        "tls_version" => vec![r.tls.version],
        "tls_cipher" => vec![r.tls.cipher],
        "from_ip" => return r.from.ip.iter().map(ToString::to_string).collect(),
        "date_epoch" => return r.time.iter().map(|t| t.seconds.to_string()).collect(),
        "auth" => return vec![r.auth.authenticated.to_string()],
        other => panic!("unknown label {other}"),
    };
    let text = |v: &str| plain(field, &Value::from(v));
    found.into_iter().flatten().map(text).collect()
}

/// One spelling for what sources spell in several ways.
fn plain(field: &str, value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_lowercase);
    let text = text
        .trim_matches(['<', '>', '[', ']', ','])
        .trim_end_matches('.');
    match field {
        "with" if text.contains("microsoft smtp") => "smtp".into(),
        "with" if text == "asmtp" => "esmtpa".into(),
        "with" if text == "esmtp-tls" => "esmtps".into(),
        "with" if text == "local-bsmtp" => "smtp".into(),
        "with" if text.starts_with("http") => "http".into(),
        "from_ip" => std::net::IpAddr::from_str(text)
            .map_or_else(|_| text.into(), |ip| ip.to_canonical().to_string()),
        "id" => text.trim_matches(['<', '>', ' ', ';']).into(),
        "tls_version" => text.replace('_', ".").replace("tlsv1.0", "tlsv1"),
        _ => text.into(),
    }
}
