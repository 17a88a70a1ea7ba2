#![allow(
    missing_docs,
    clippy::all,
    clippy::unwrap_used,
    clippy::indexing_slicing
)]
use mailtrace::route::received::read;
use serde_json::{Value, json};
use std::io::Write;
fn main() {
    let mut args = std::env::args().skip(1);
    let mut out = std::io::stdout().lock();
    let file = args.next().unwrap();
    for l in std::fs::read_to_string(file).unwrap().lines() {
        let d: Value = serde_json::from_str(l).unwrap();
        let h = d["header"].as_str().unwrap();
        let r = read(h);
        let hop = json!({"raw":h,"from":{"name":r.from.name,"helo":r.from.helo,"rdns":r.from.rdns,"ip":r.from.ip.map(|i|i.to_string()),"port":r.from.port,"ident":r.from.ident},
          "by":{"host":r.by.host,"ip":r.by.ip.map(|i|i.to_string()),"software":r.by.software},"with":r.with,"via":r.via,"id":r.id,"for":r.recipient,"envelope_from":r.envelope_from,
          "auth": if r.auth.authenticated {json!({"authenticated":true,"user":r.auth.user,"mech":r.auth.mech})} else {Value::Null},
          "tls": if r.tls.used {json!({"version":r.tls.version,"cipher":r.tls.cipher})} else {Value::Null},
          "time": r.time.map(|t|t.to_string()), "dialect": r.dialect.map(|d|d.id), "unparsed": r.unparsed});
        writeln!(out, "{}", json!({"id":d["id"],"hops":[hop]})).unwrap();
    }
}
