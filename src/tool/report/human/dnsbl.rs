//! What the lists say, for people: the verdict first, then the listings by weight, what to do,
//! and what could not be found out.

use std::cmp::Reverse;
use std::net::IpAddr;

use crate::dnsbl::advice::Advice;
use crate::dnsbl::catalogue::{List, Weight};
use crate::dnsbl::verdict::{Finding, Status, Verdict};
use crate::report::page::Page;
use crate::report::painter::{Glyph, Painter, Style};
use crate::report::table::Table;
use crate::scope::Scope;

/// Listings that are told in full; of more, the names.
const TOLD: usize = 12;
/// Lists that are named in a line; of more, the number.
const NAMED: usize = 6;
/// Texts of a list that are shown.
const TEXTS: usize = 2;

/// How much to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Detail {
    /// One line only.
    pub quiet: bool,
    /// Every list.
    pub verbose: bool,
}

/// One subject. `error` says why nothing could be determined, `remark` what else is to be known;
/// `own` are public addresses of this machine.
pub fn finding(
    finding: &Finding,
    advice: Option<&Advice>,
    error: Option<&str>,
    remark: Option<&str>,
    own: &[IpAddr],
    paint: Painter,
    detail: Detail,
) -> String {
    let mut page = Page::new(paint);
    let scope = finding.scope.filter(|scope| !scope.is_public());
    if let (Some(scope), 0) = (scope, finding.asked()) {
        not_public(&mut page, finding, scope, own, detail);
        return page.finish();
    }
    headline(&mut page, finding, error, detail);
    if detail.quiet {
        return page.finish();
    }
    if let Some(from) = &finding.from {
        page.put(Style::Dim, "  ").wrap(Style::Dim, 2, from);
    }
    if let Some(scope) = scope {
        page.put(Style::Plain, "  ").wrap(
            Style::Plain,
            2,
            &format!("It is {}. {}", scope.what(), scope.instead()),
        );
    }
    listings(&mut page, finding, detail);
    if let Some(advice) = advice {
        page.end()
            .put(Style::Plain, "  ")
            .wrap(Style::Plain, 2, &advice.meaning);
        for (n, step) in advice.steps.iter().enumerate() {
            let label = if n == 0 { "What to do" } else { "" };
            page.put(Style::Strong, &format!("  {label:<11}"));
            page.put(Style::Plain, &format!("{}. ", n + 1))
                .wrap(Style::Plain, 16, step);
        }
        page.end();
    }
    // When the resolver itself is of no use, the lists say nothing.
    if finding.distrust.is_none() {
        others(&mut page, finding);
    }
    if let Some(remark) = remark {
        page.put(Style::Plain, "  ")
            .glyph(Style::Passing, Glyph::Bang);
        page.put(Style::Plain, " ")
            .wrap(Style::Plain, 4, &format!("{remark}."));
    }
    if detail.verbose {
        page.end();
        return page.finish() + &every(finding, paint);
    }
    page.finish()
}

/// The first line; alone it is never broken, so that a program finds all of it there.
fn first(page: &mut Page, style: Style, text: &str, detail: Detail) {
    if detail.quiet {
        page.put(style, text).end();
    } else {
        page.wrap(style, 2, text);
    }
}

fn headline(page: &mut Page, finding: &Finding, error: Option<&str>, detail: Detail) {
    let (listed, answered) = (finding.listed(), finding.answered());
    let subject = finding.subject.to_string();
    if listed > 0 {
        let lists = if answered == 1 { "list" } else { "lists" };
        page.glyph(Style::Bad, Glyph::Cross)
            .put(Style::Plain, " ")
            .put(Style::Strong, &subject);
        let text = format!(" is on {listed} of {answered} {lists}{}", how_bad(finding));
        first(page, Style::Bad, &text, detail);
    } else if answered > 0 {
        let lists = if answered == 1 {
            "the 1 list".to_string()
        } else {
            format!("{answered} lists")
        };
        page.glyph(Style::Good, Glyph::Check)
            .put(Style::Plain, " ")
            .put(Style::Strong, &subject);
        let none = if answered == 1 {
            "is not on"
        } else {
            "is on none of"
        };
        let text = format!(" {none} {lists} that answered");
        first(page, Style::Good, &text, detail);
    } else {
        page.glyph(Style::Passing, Glyph::Question)
            .put(Style::Plain, " ");
        let why = error.unwrap_or("no list gave an answer worth trusting");
        first(page, Style::Passing, &format!("{subject}: {why}"), detail);
    }
}

fn how_bad(finding: &Finding) -> String {
    if finding.listings().all(Verdict::is_policy) {
        let say = if finding.listed() == 1 { "says" } else { "say" };
        return format!(", which only {say} that it should not send mail directly");
    }
    match finding
        .listings()
        .filter(|v| v.source.weight == Weight::High)
        .count()
    {
        0 if finding.worst() <= Some(Weight::Low) => match finding.listed() {
            1 => ", not a weighty one".to_string(),
            _ => ", none of them weighty".to_string(),
        },
        0 => String::new(),
        1 if finding.listed() == 1 => ", a weighty one".to_string(),
        1 => ", one of them weighty".to_string(),
        many => format!(", {many} of them weighty"),
    }
}

fn listings(page: &mut Page, finding: &Finding, detail: Detail) {
    let mut listed: Vec<_> = finding.listings().collect();
    if listed.is_empty() {
        return;
    }
    listed.sort_by_key(|v| Reverse(v.source.weight));
    page.end();
    let told = if detail.verbose { listed.len() } else { TOLD };
    for verdict in listed.iter().take(told) {
        page.put(Style::Plain, "  ").glyph(Style::Bad, Glyph::Cross);
        page.put(Style::Plain, " ")
            .put(Style::Strong, &verdict.source.name);
        page.tab(28).put(
            Style::Plain,
            &format!("weight {}", verdict.source.weight.id()),
        );
        let codes: Vec<_> = verdict.codes.iter().map(ToString::to_string).collect();
        page.tab(43).put_cut(Style::Dim, &codes.join(" ")).end();
        for said in &verdict.meanings {
            page.put(Style::Plain, "      ")
                .wrap(Style::Plain, 6, &said.means);
        }
        if let Some(matched) = &verdict.matched {
            page.put(Style::Plain, "      ")
                .wrap(Style::Plain, 6, &format!("listed is {matched}"));
        }
        for text in verdict.texts.iter().take(TEXTS) {
            let text = String::from_utf8_lossy(text);
            page.put(Style::Dim, "      ")
                .wrap(Style::Dim, 6, &format!("\"{text}\""));
        }
        if let Some(note) = &verdict.note {
            page.put(Style::Dim, "      ").wrap(Style::Dim, 6, note);
        }
    }
    let rest: Vec<_> = listed
        .iter()
        .skip(told)
        .map(|v| v.source.id.as_str())
        .collect();
    if !rest.is_empty() {
        let text = format!(
            "and {} more (-v tells of all): {}",
            rest.len(),
            rest.join(", ")
        );
        page.put(Style::Plain, "    ").wrap(Style::Plain, 4, &text);
    }
    let ttl = listed.iter().filter_map(|v| v.ttl).max();
    if let Some(ttl) = ttl.filter(|&ttl| ttl > 0) {
        let text = format!("Resolvers may repeat this for up to {ttl} s after a removal.");
        page.put(Style::Dim, "    ").wrap(Style::Dim, 4, &text);
    }
}

/// The lists that did not say "listed", by what they said.
fn others(page: &mut Page, finding: &Finding) {
    let of = |status: Status| finding.verdicts.iter().filter(move |v| v.status == status);
    let allowed: Vec<_> = of(Status::Allowed).map(with_meaning).collect();
    let facts: Vec<_> = of(Status::Info).map(with_meaning).collect();
    let doubtful = [
        Status::Refused,
        Status::Untrusted,
        Status::Dead,
        Status::Error,
        Status::Timeout,
    ];
    let mut unknown: Vec<_> = doubtful.iter().flat_map(|&status| of(status)).collect();
    unknown.sort_by_key(|v| Reverse(v.source.weight));
    let skipped: Vec<_> = of(Status::Skipped).map(with_note).collect();
    let unknown: Vec<_> = unknown.into_iter().map(with_note).collect();
    let mut line = |style, glyph, text: String| {
        page.put(Style::Plain, "  ").glyph(style, glyph);
        page.put(Style::Plain, " ").wrap(Style::Plain, 4, &text);
    };
    if !unknown.is_empty() {
        let text = format!(
            "{} gave no answer worth trusting: {}",
            lists(unknown.len()),
            named(&unknown)
        );
        line(Style::Passing, Glyph::Question, text);
    }
    if !skipped.is_empty() {
        let text = format!("{} not asked: {}", lists(skipped.len()), named(&skipped));
        line(Style::Dim, Glyph::Dot, text);
    }
    if !allowed.is_empty() {
        let know = if allowed.len() == 1 { "knows" } else { "know" };
        let text = format!(
            "{} of good senders {know} it: {}",
            lists(allowed.len()),
            named(&allowed)
        );
        line(Style::Good, Glyph::Check, text);
    }
    if !facts.is_empty() {
        let state = if facts.len() == 1 { "states" } else { "state" };
        let text = format!("{} {state} a fact: {}", lists(facts.len()), named(&facts));
        line(Style::Dim, Glyph::Dot, text);
    }
    let clean = of(Status::Clean).count();
    if clean > 0
        && finding.listed() + unknown.len() + skipped.len() + allowed.len() + facts.len() > 0
    {
        line(
            Style::Good,
            Glyph::Check,
            format!("{}: clean", lists(clean)),
        );
    }
}

fn lists(count: usize) -> String {
    if count == 1 {
        "1 list".to_string()
    } else {
        format!("{count} lists")
    }
}

fn named(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let shown = names
        .iter()
        .take(NAMED)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if more > 0 {
        format!("{shown} and {more} more (-v names all)")
    } else {
        shown
    }
}

fn with_note(verdict: &Verdict) -> String {
    let id = &verdict.source.id;
    verdict
        .note
        .as_ref()
        .map_or_else(|| id.clone(), |note| format!("{id} ({note})"))
}

fn with_meaning(verdict: &Verdict) -> String {
    let means: Vec<_> = verdict
        .meanings
        .iter()
        .map(|said| said.means.as_str())
        .collect();
    if means.is_empty() {
        return verdict.source.id.clone();
    }
    format!("{} ({})", verdict.source.id, means.join("; "))
}

/// A table of every list, by outcome and weight.
fn every(finding: &Finding, paint: Painter) -> String {
    let mut table = Table::new(paint, &["list", "outcome", "weight", "answer", "ms"]);
    table.right(4);
    let mut verdicts: Vec<_> = finding.verdicts.iter().collect();
    verdicts.sort_by_key(|v| (v.status, Reverse(v.source.weight)));
    for verdict in verdicts {
        let said = match verdict.meanings.first() {
            Some(said) => said.means.clone(),
            None => verdict.note.clone().unwrap_or_default(),
        };
        let ms = verdict
            .took
            .map_or_else(String::new, |t| format!("{:.1}", t.as_secs_f64() * 1000.0));
        let weight = verdict.source.weight.id();
        table.row(&[
            verdict.source.id.as_str(),
            verdict.status.id(),
            weight,
            &said,
            &ms,
        ]);
    }
    table.finish()
}

/// An address that no public list can name: why, and how to find the one that the world sees.
fn not_public(page: &mut Page, finding: &Finding, scope: Scope, own: &[IpAddr], detail: Detail) {
    let subject = finding.subject.to_string();
    let what = scope.what();
    let text = format!("{subject} is {what}: no public list can name it, so none was asked.");
    first(page, Style::Strong, &text, detail);
    if detail.quiet {
        return;
    }
    page.put(Style::Plain, "  ")
        .wrap(Style::Plain, 2, scope.instead());
    page.put(Style::Plain, "  To find it:").end();
    let mut way = |command: &str, what: &str| {
        page.put(Style::Plain, "    ")
            .put(Style::Strong, command)
            .tab(36)
            .wrap(Style::Plain, 36, what);
    };
    for ip in own {
        way(
            &format!("mailtrace dnsbl {ip}"),
            "this machine has that public address itself",
        );
    }
    way(
        "mailtrace dnsbl MESSAGE.eml",
        "takes it from a mail of yours that went outside, or from a bounce",
    );
    way("mailtrace dnsbl your.mail.host", "looks the name up");
    page.put(
        Style::Plain,
        "  A list of your own can be asked with --zone NAME.",
    )
    .end();
}

/// One line of a range: an address that is listed, or of which nothing is known.
pub fn row(finding: &Finding, paint: Painter) -> Option<String> {
    let mut page = Page::new(paint);
    let subject = finding.subject.to_string();
    if finding.listed() > 0 {
        let mut listed: Vec<_> = finding.listings().collect();
        listed.sort_by_key(|v| Reverse(v.source.weight));
        let ids: Vec<_> = listed.iter().map(|v| v.source.id.as_str()).collect();
        page.glyph(Style::Bad, Glyph::Cross)
            .put(Style::Plain, " ")
            .put(Style::Strong, &subject);
        page.tab(20).put(
            Style::Plain,
            &format!("on {} of {}", listed.len(), finding.answered()),
        );
        page.tab(32)
            .put(Style::Plain, finding.worst().map_or("", Weight::id));
        page.tab(40).put_cut(Style::Dim, &ids.join(", ")).end();
        return Some(page.finish());
    }
    if finding.answered() == 0 && finding.asked() > 0 {
        page.glyph(Style::Passing, Glyph::Question)
            .put(Style::Plain, " ")
            .put(Style::Strong, &subject);
        page.tab(20)
            .put_cut(Style::Plain, "no list gave an answer worth trusting")
            .end();
        return Some(page.finish());
    }
    None
}

/// The end of a range: how many of its addresses are listed, and where. What no list answered
/// for is no all-clear.
pub fn range(target: &str, sum: &RangeSum, paint: Painter) -> String {
    let mut page = Page::new(paint);
    let RangeSum {
        total,
        listed,
        unknown,
        ..
    } = sum;
    let (style, glyph) = match (listed, unknown) {
        (0, 0) => (Style::Good, Glyph::Check),
        (0, _) => (Style::Passing, Glyph::Question),
        _ => (Style::Bad, Glyph::Cross),
    };
    page.glyph(style, glyph)
        .put(Style::Plain, " ")
        .put(Style::Strong, target);
    let text = match unknown {
        0 => format!(": {listed} of {total} addresses are listed"),
        _ if unknown == total => format!(": nothing is known of its {total} addresses"),
        _ => format!(": {listed} of {total} addresses are listed, nothing is known of {unknown}"),
    };
    page.wrap(style, 2, &text);
    let by_list: Vec<_> = sum
        .by_list
        .iter()
        .map(|(id, count)| format!("{id} {count}"))
        .collect();
    if !by_list.is_empty() {
        page.put(Style::Plain, "  ")
            .wrap(Style::Plain, 2, &by_list.join(", "));
    }
    page.finish()
}

/// What came out for the addresses of a range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RangeSum {
    /// Addresses.
    pub total: usize,
    /// Those that are on a list.
    pub listed: usize,
    /// Those for which no list gave an answer.
    pub unknown: usize,
    /// The lists, and how many of the addresses are on each.
    pub by_list: Vec<(String, usize)>,
}

/// The catalogue as a table, the weightiest first.
pub fn catalogue(mut lists: Vec<&List>, paint: Painter, dead_too: bool) -> String {
    let mut table = Table::new(
        paint,
        &["list", "zone", "asks", "weight", "state", "is about"],
    );
    lists.sort_by_key(|list| (list.dead.is_some(), Reverse(list.weight)));
    for list in lists.iter().filter(|l| dead_too || l.dead.is_none()) {
        let state = match (list.dead, list.default, list.key) {
            (Some(death), ..) => death
                .ended
                .map_or_else(|| "dead".to_string(), |at| format!("dead {at}")),
            (None, true, _) => "default".to_string(),
            (None, false, true) => "needs a key".to_string(),
            (None, false, false) => "on demand".to_string(),
        };
        let asks = list.subjects.ids().join(" ");
        let about = list.purpose.label;
        table.row(&[
            list.id,
            list.zone.unwrap_or("none"),
            &asks,
            list.weight.id(),
            &state,
            about,
        ]);
    }
    let dead = lists.iter().filter(|list| list.dead.is_some()).count();
    let all = match lists.len() {
        1 => "1 list".to_owned(),
        many => format!("{many} lists"),
    };
    let sum = match (dead, dead_too) {
        (0, _) => format!("{all} (--json tells the codes)."),
        (_, true) => format!("{all}, {dead} of them dead."),
        (_, false) => {
            format!("{all}, {dead} of them dead (-v shows those too; --json tells the codes).")
        }
    };
    let mut page = Page::new(paint);
    page.end().wrap(Style::Plain, 0, &sum);
    table.finish() + &page.finish()
}

#[cfg(test)]
mod tests;
