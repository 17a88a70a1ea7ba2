//! What a listing means for delivery, and how to get off, in which order.

use std::cmp::Reverse;

use crate::dnsbl::catalogue::{Kind, Weight};
use crate::dnsbl::verdict::{Finding, Verdict};

/// Steps that are told: nobody follows more.
const MOST_STEPS: usize = 9;
/// Lists whose removal page is told; the others follow when the cause is gone.
const MOST_PAGES: usize = 5;

/// Words for the person whose address or domain it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// What it means for delivery.
    pub meaning: String,
    /// What to do, in order.
    pub steps: Vec<String>,
}

/// Advice for a subject that is listed; `None` when it is not.
pub fn advise(finding: &Finding) -> Option<Advice> {
    let mut listings: Vec<_> = finding.listings().collect();
    if listings.is_empty() {
        return None;
    }
    listings.sort_by_key(|v| Reverse(v.source.weight));
    let mut steps = Vec::new();
    let mut kinds: Vec<&Kind> = Vec::new();
    for kind in listings.iter().flat_map(|v| kinds_of(v)) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
            steps.extend(kind.steps.iter().map(ToString::to_string));
        }
    }
    let pages = listings.iter().filter_map(|v| removal(v, finding));
    let pages: Vec<_> = pages.take(MOST_PAGES).collect();
    steps.truncate(MOST_STEPS.saturating_sub(pages.len()));
    steps.extend(pages);
    Some(Advice {
        meaning: meaning(&listings),
        steps,
    })
}

/// What a listing is about: what its codes say, else what the list is for.
pub fn kinds_of(verdict: &Verdict) -> Vec<&'static Kind> {
    let said: Vec<_> = verdict
        .meanings
        .iter()
        .filter_map(|said| said.kind)
        .collect();
    if said.is_empty() {
        return verdict
            .source
            .list
            .map(|list| list.purpose)
            .into_iter()
            .collect();
    }
    said
}

fn meaning(listings: &[&Verdict]) -> String {
    if listings.iter().all(|v| v.is_policy()) {
        return "Nothing bad is said about it: it is not meant to send mail directly, and \
                receivers that use the list do not take mail from it."
            .to_string();
    }
    let worst = listings.iter().map(|v| v.source.weight).max();
    match worst {
        Some(Weight::High) => "Many receivers refuse mail from it.",
        Some(Weight::Medium) => "Some receivers refuse mail from it, many count it as a bad sign.",
        Some(Weight::Low) => "Few receivers refuse mail from it; some count it as a bad sign.",
        _ => "Hardly anybody refuses mail by it.",
    }
    .to_string()
}

fn removal(verdict: &Verdict, finding: &Finding) -> Option<String> {
    let list = verdict.source.list?;
    let url = list
        .removal_url
        .or(list.lookup_url)
        .map(|url| filled(url, finding));
    let name = &verdict.source.name;
    match (list.removal, url) {
        (Some(how), Some(url)) => Some(format!("{name}, removal {how}: {url}")),
        (Some(how), None) => Some(format!("{name}, removal {how}.")),
        (None, Some(url)) => Some(format!("{name}: ask for removal at {url}")),
        (None, None) => None,
    }
}

/// A link with the subject put into its place.
pub fn filled(url: &str, finding: &Finding) -> String {
    let subject = finding.subject.to_string();
    url.replace("{query}", &subject)
        .replace("{ip}", &subject)
        .replace("{domain}", &subject)
}
