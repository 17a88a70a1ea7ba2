//! The way of a message as a page: the timeline as a picture, the hops, the findings, the sender,
//! and the raw lines. No script, nothing loaded, foreign text escaped.

use std::fmt::Write as _;

use crate::report::host;
use crate::report::html::escape;
use crate::route::finding::Severity;
use crate::route::hop::{Hop, Role};
use crate::route::live::Live;
use crate::route::{Doubt, Route, span};

/// Writing to a string cannot fail.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {{ let _ = write!($out, $($arg)*); }};
}

/// The look of the page, in light and dark and on paper.
const STYLE: &str = r#":root { color-scheme: light dark; --fg: #1b1f24; --bg: #fff; --dim: #57606a; --line: #d0d7de; --bar: #4078c0; --bad: #b3261e; --warn: #8a5a00; --good: #1a7f37; --soft: #f6f8fa; }
@media (prefers-color-scheme: dark) { :root { --fg: #e6edf3; --bg: #0d1117; --dim: #9198a1; --line: #30363d; --bar: #6ea8fe; --bad: #ff8a80; --warn: #e3b341; --good: #56d364; --soft: #161b22; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 80rem; padding: 1.5rem; font: 16px/1.5 system-ui, sans-serif; color: var(--fg); background: var(--bg); overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; line-height: 1.3; }
h2 { font-size: 1.1rem; margin-top: 2rem; border-bottom: 1px solid var(--line); }
article + article { margin-top: 4rem; border-top: 3px double var(--line); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); }
.hops td { overflow-wrap: break-word; }
.tight, .n, .error, .warning, .info { white-space: nowrap; overflow-wrap: normal; }
th { color: var(--dim); font-weight: 600; }
.n { text-align: right; }
.dim { color: var(--dim); }
.error { color: var(--bad); font-weight: 600; }
.warning { color: var(--warn); font-weight: 600; }
.info { color: var(--dim); }
svg { width: 100%; min-width: 40rem; height: auto; display: block; }
svg text { fill: var(--fg); font: 13px system-ui, sans-serif; }
svg .took { text-anchor: end; fill: var(--dim); }
svg .rail { stroke: var(--line); }
svg .bar { fill: var(--bar); }
svg .slow { fill: var(--warn); }
pre { background: var(--soft); padding: .8rem; white-space: pre-wrap; font-size: .85rem; }
@media (max-width: 52rem) { body { padding: .8rem; } .hops th { display: none; } .hops, .hops tbody, .hops tr, .hops td { display: block; } .hops tr { border-bottom: 1px solid var(--line); padding: .4rem 0; } .hops td { border: 0; padding: 0 0 0 4.5rem; text-align: left; white-space: normal; } .hops td::before { content: attr(data-name); float: left; margin-left: -4.5rem; color: var(--dim); } }
@media print { :root { --fg: #000; --bg: #fff; --dim: #444; --line: #999; --bar: #4078c0; --bad: #8c1d18; --warn: #6b4600; --soft: #fff; } body { max-width: none; padding: 0; font-size: 10pt; } svg { min-width: 0; } pre { border: 1px solid #999; } h2, tr, li { break-inside: avoid; } h2 { break-after: avoid; } }
"#;

/// The hash of [`STYLE`] (CSP level 2 §4.2.5): the page's own style is allowed by it, and nothing
/// that somebody brings into the page is.
const STYLE_HASH: &str = "sha256-aqhLOoX2BUlWBN6wSUWke1OZdIidzE6QvQLaiPgWsTw=";

/// The frame of the page up to its style.
fn head(out: &mut String) {
    put!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{STYLE_HASH}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>The way of a message - mailtrace</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
    );
}

/// The whole page around its articles.
pub fn document(articles: &[String]) -> String {
    let length: usize = articles.iter().map(String::len).sum();
    let mut page = String::with_capacity(STYLE.len() + length + 1024);
    head(&mut page);
    for article in articles {
        page.push_str(article);
    }
    page.push_str("<p class=\"dim\">Written by mailtrace. A line is the word of the server that wrote it.</p>\n</body>\n</html>\n");
    page
}

/// The part of the page for one message.
pub fn article(way: &Route, name: &str) -> String {
    let mut out = String::with_capacity(4096 + way.hops.len() * 1024);
    out.push_str("<article>\n");
    headline(&mut out, way, name);
    if way.hops.is_empty() {
        out.push_str("<p>There is no Received field, so there is no way to show.</p>\n");
    } else {
        picture(&mut out, way);
        hops(&mut out, way);
    }
    findings(&mut out, way);
    sender(&mut out, way);
    if let Some(live) = &way.live {
        today(&mut out, live);
    }
    raw(&mut out, way);
    out.push_str("</article>\n");
    out
}

fn headline(out: &mut String, way: &Route, name: &str) {
    let subject = way
        .message
        .subject
        .as_deref()
        .unwrap_or("A message without a subject");
    put!(
        out,
        "<h1>{}</h1>\n<p class=\"dim\">{}",
        escape(subject),
        escape(name)
    );
    if let Some(from) = &way.message.from {
        put!(out, " · from {}", escape(from));
    }
    if let Some(id) = &way.message.message_id {
        put!(out, " · {}", escape(id));
    }
    out.push_str("</p>\n<p>");
    put!(
        out,
        "{} hop{}",
        way.hops.len(),
        if way.hops.len() == 1 { "" } else { "s" }
    );
    if let Some(total) = way.total_s {
        put!(out, ", {} from the first stamp to the last", span(total));
    }
    if let Some(origin) = &way.origin {
        out.push_str(". Came from ");
        if let Some(host) = &origin.host {
            let quote = if origin.claimed { "&quot;" } else { "" };
            put!(out, "{quote}{}{quote} ", escape(host));
        }
        if let Some(ip) = origin.ip {
            put!(out, "[{ip}] ");
        }
        put!(
            out,
            "(hop {}, {})",
            origin.hop,
            if origin.trusted {
                "believed"
            } else {
                "claimed"
            }
        );
    }
    if let Some(slowest) = way.slowest_hop {
        put!(out, ". Slowest: hop {slowest}");
    }
    out.push_str(".</p>\n");
}

/// The timeline: a row for each hop, its delay where it lies between first and last stamp.
fn picture(out: &mut String, way: &Route) {
    const LEFT: f64 = 260.0;
    const WIDTH: f64 = 690.0;
    const ROW: usize = 26;
    /// A picture of more rows would not be looked at.
    const MAX_ROWS: usize = 100;
    let all = way.waited_s.max(1);
    let rows: Vec<&Hop> = way
        .hops
        .iter()
        .filter(|h| !h.inner)
        .take(MAX_ROWS)
        .collect();
    let height = rows.len() * ROW + 10;
    put!(
        out,
        "<h2>Timeline</h2>\n<div class=\"scroll\"><svg viewBox=\"0 0 960 {height}\" role=\"img\" aria-label=\"Delay of each hop\">\n"
    );
    let mut passed = 0i64;
    for (row, hop) in rows.iter().enumerate() {
        let y = row * ROW + 8;
        let by = hop.by.best_name().unwrap_or("?");
        let label = host::cut(by, 22, "…");
        put!(
            out,
            "<text x=\"0\" y=\"{}\">{}. {}</text>",
            y + 13,
            hop.n,
            escape(&label)
        );
        put!(
            out,
            "<line class=\"rail\" x1=\"{LEFT}\" y1=\"{0}\" x2=\"{1}\" y2=\"{0}\"/>",
            y + 9,
            LEFT + WIDTH
        );
        if let Some(took) = hop.took_s {
            #[expect(
                clippy::cast_precision_loss,
                reason = "seconds of a mail's way are far below 2^52"
            )]
            let (x, w) = (
                LEFT + WIDTH * passed as f64 / all as f64,
                (WIDTH * took as f64 / all as f64).max(3.0),
            );
            let class = if way.slowest_hop == Some(hop.n) && took >= 60 {
                "slow"
            } else {
                "bar"
            };
            put!(
                out,
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y}\" width=\"{w:.1}\" height=\"18\" rx=\"3\"/>"
            );
            passed += took;
        }
        // Beside the name, so that a small screen shows it too.
        put!(
            out,
            "<text class=\"took\" x=\"{}\" y=\"{}\">{}</text>\n",
            LEFT - 10.0,
            y + 13,
            took(way, hop)
        );
    }
    out.push_str("</svg></div>\n");
}

/// The delay in words; a delay that the clocks deny is said to be none.
fn took(way: &Route, hop: &Hop) -> String {
    let doubt = way.doubt(hop.n);
    match (hop.took_s, hop.delay_s) {
        (Some(took), _) => span(took),
        (None, _) if doubt == Doubt::Forged => "forged?".to_owned(),
        (None, Some(_)) if doubt == Doubt::Unknown => "not known".to_owned(),
        (None, Some(delay)) if delay < 0 || hop.clock_off_s.is_some() => "clock wrong".to_owned(),
        (None, Some(_)) => "not known".to_owned(),
        (None, None) => "-".to_owned(),
    }
}

/// The role as the glossary writes it.
fn role(role: Role) -> String {
    match role {
        Role::List | Role::Fetch => role.id().to_owned(),
        _ => role.id().to_ascii_uppercase(),
    }
}

fn hops(out: &mut String, way: &Route) {
    out.push_str("<h2>Hops</h2>\n<div class=\"scroll\"><table class=\"hops\">\n<tr><th class=\"n\">#</th><th>Role</th><th>From</th><th>By</th><th>When</th><th class=\"n\">Took</th><th>With</th></tr>\n");
    for hop in &way.hops {
        let cell = |v: Option<&str>| {
            v.map(|v| escape(v).into_owned())
                .unwrap_or_else(|| "-".to_owned())
        };
        // Names may break behind their dots, and only where a label is too long within one.
        let name = |v: Option<&str>| cell(v).replace('.', ".<wbr>");
        let mut from = name(hop.from.best_name().or(hop.from.login.as_deref()));
        if let Some(ip) = hop.from.ip {
            put!(from, " <span class=\"dim\">[{ip}]</span>");
        }
        let mut by = name(hop.by.best_name());
        if let Some(software) = &hop.by.software {
            put!(by, " <span class=\"dim\">{}</span>", escape(software));
        }
        let time = hop
            .time
            .map_or_else(|| "-".to_owned(), |t| t.to_string().replacen('T', " ", 1));
        let took = took(way, hop);
        let mut with = cell(hop.with.as_deref().or(hop.via.as_deref()));
        match (hop.tls.version, hop.tls.used) {
            (Some(version), _) => put!(with, " <span class=\"dim\">{version}</span>"),
            (None, true) => with.push_str(" <span class=\"dim\">TLS</span>"),
            (None, false) => {}
        }
        put!(
            out,
            "<tr><td class=\"n\" data-name=\"Hop\">{}</td><td class=\"tight\" data-name=\"Role\">{} → {}</td>\
             <td data-name=\"From\">{from}</td><td data-name=\"By\">{by}</td>\
             <td class=\"tight\" data-name=\"When\">{time}</td><td class=\"n\" data-name=\"Took\">{took}</td>\
             <td data-name=\"With\">{with}</td></tr>\n",
            hop.n,
            role(hop.from_role),
            role(hop.role)
        );
    }
    out.push_str("</table></div>\n");
}

fn findings(out: &mut String, way: &Route) {
    if way.findings.is_empty() {
        return;
    }
    out.push_str("<h2>Findings</h2>\n<table>\n");
    for finding in &way.findings {
        let word = finding.severity.id();
        let class = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        let numbers: Vec<String> = finding
            .hops
            .iter()
            .take(20)
            .map(ToString::to_string)
            .collect();
        let place = match numbers.len() {
            0 => String::new(),
            1 => format!("hop {}", numbers.concat()),
            _ => format!("hops {}", numbers.join(", ")),
        };
        put!(
            out,
            "<tr><td class=\"{class}\">{word}</td><td class=\"tight\">{place}</td><td>{}</td></tr>\n",
            escape(&finding.text)
        );
    }
    out.push_str("</table>\n");
}

fn sender(out: &mut String, way: &Route) {
    let all = &way.authentication;
    if all.results.is_empty() && all.dkim.is_empty() && all.spf.is_none() && way.verdicts.is_empty()
    {
        return;
    }
    out.push_str("<h2>What servers found out about the sender</h2>\n<table>\n");
    for result in &all.results {
        let by = result.by.as_deref().unwrap_or("the receiver");
        let belief = if result.trusted {
            "own side"
        } else {
            "claimed"
        };
        let facts: Vec<String> = result
            .properties
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        put!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"dim\">{} ({belief})</td></tr>\n",
            escape(&result.method),
            escape(&result.result),
            escape(&facts.join(" ")),
            escape(by)
        );
    }
    for verdict in &way.verdicts {
        put!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"dim\">{}</td></tr>\n",
            verdict.field,
            escape(verdict.key.as_deref().unwrap_or_default()),
            escape(&verdict.meaning),
            escape(&verdict.value)
        );
    }
    out.push_str("</table>\n");
}

/// What the DNS said when the page was made.
fn today(out: &mut String, live: &Live) {
    out.push_str("<h2>What the DNS said when this page was made</h2>\n<table>\n");
    let mut row = |what: &str, result: &str, about: &str, why: Option<&str>| {
        put!(
            out,
            "<tr><td>{what}</td><td>{result}</td><td>{}</td><td class=\"dim\">{}</td></tr>\n",
            escape(about),
            escape(why.unwrap_or_default())
        );
    };
    if let Some(why) = &live.skipped {
        row("address", "not asked", "", Some(why));
    }
    if let Some(rdns) = &live.rdns {
        let result = match rdns.confirmed {
            Some(true) => "confirmed",
            Some(false) => "not confirmed",
            None => "not known",
        };
        let about = match &rdns.name {
            Some(name) => format!("{} {name}", rdns.ip),
            None => rdns.ip.to_string(),
        };
        row("reverse name", result, &about, rdns.why.as_deref());
    }
    if let Some(spf) = &live.spf {
        row("spf", spf.result, &spf.domain, spf.why.as_deref());
    }
    for one in &live.dkim {
        row("dkim", one.result, &one.domain, one.remark().as_deref());
    }
    if let Some(arc) = &live.arc {
        let why = arc.why.as_ref().map(|(_, why)| why.as_str());
        row(
            "arc",
            arc.result,
            arc.sealer.as_deref().unwrap_or_default(),
            why,
        );
    }
    out.push_str("</table>\n");
}

fn raw(out: &mut String, way: &Route) {
    if way.hops.is_empty() {
        return;
    }
    out.push_str("<details open>\n<summary>Raw lines, newest first</summary>\n<pre>");
    for hop in way.hops.iter().rev() {
        put!(out, "Received: {}\n", escape(&hop.raw));
    }
    out.push_str("</pre>\n</details>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::layer::Head;

    #[test]
    fn hostile_headers_cannot_put_anything_into_the_page() {
        let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
        let header = format!(
            "Received: from {evil} ([192.0.2.1]) by {evil} ({evil}) with {evil} id {evil} for {evil}; 2 Mar 2026 09:15:30 +0000\n\
             Subject: {evil}\nFrom: {evil} <a@b.example>\nX-Spam-Status: Yes, {evil}\nList-Id: {evil}\n\
             Authentication-Results: {evil}; spf={evil} x={evil}\nMessage-ID: {evil}\n\n"
        );
        let way = crate::route::of(&Head::parse(header.as_bytes()), &[]);
        let page = document(&[article(&way, evil)]);
        assert!(
            !page.contains("<script") && !page.contains("<img"),
            "{page}"
        );
        // Every tag is one of ours, and none has an attribute that could run or load anything.
        for tag in page
            .split('<')
            .skip(1)
            .map(|rest| rest.split('>').next().unwrap())
        {
            let name = tag
                .trim_start_matches(['/', '!'])
                .split(' ')
                .next()
                .unwrap();
            let own = "DOCTYPE html head meta title style body article h1 h2 p div table tr th td wbr span svg text \
                line rect details summary pre";
            assert!(own.split_whitespace().any(|o| o == name), "{tag}");
            assert!(!tag.contains("onerror") && !tag.contains("src="), "{tag}");
        }
    }

    #[test]
    fn the_policy_knows_the_style_by_its_hash() {
        let hash = ring::digest::digest(&ring::digest::SHA256, STYLE.as_bytes());
        let hash = data_encoding::BASE64.encode(hash.as_ref());
        assert_eq!(STYLE_HASH, format!("sha256-{hash}"));
        assert!(!document(&[]).contains("unsafe-inline"));
    }

    #[test]
    fn the_page_loads_nothing() {
        let page = document(&[]);
        assert!(page.contains("default-src 'none'"));
        for word in ["http://", "https://", "<script", "@import", "url("] {
            assert!(!page.contains(word), "{word}");
        }
    }

    #[test]
    fn every_hop_and_finding_is_on_the_page() {
        let header = "Received: from a.example (a.example [192.0.2.1]) by b.example (Postfix) with ESMTP id 2; 2 Mar 2026 09:05:00 +0000\n\
            Received: from c.example (c.example [192.0.2.2]) by a.example (Postfix) with ESMTP id 1; 2 Mar 2026 09:00:00 +0000\n\n";
        let way = crate::route::of(&Head::parse(header.as_bytes()), &[]);
        let page = article(&way, "x.eml");
        // The first hop has no delay to draw.
        assert_eq!(page.matches("<rect").count(), 1);
        assert!(page.contains("5 min"));
        for finding in &way.findings {
            assert!(page.contains(&*escape(&finding.text)), "{}", finding.text);
        }
    }
}
