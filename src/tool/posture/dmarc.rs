//! DMARC by its present standard (RFC 9989): the record, and the walk up the tree to the
//! organizational domain that replaced the public suffix list.

use crate::dns::{Failure, Lookup, Name};
use crate::posture::Asker;
use crate::posture::finding::{Finding, Notes};
use crate::posture::tags::Tags;

/// The most names that are asked (RFC 9989 §4.10: long names jump to their last seven labels).
const MOST_QUERIES: usize = 8;

/// What to do with mail that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the words of RFC 9989 §4.7")]
pub enum Policy {
    None,
    Quarantine,
    Reject,
}

impl Policy {
    /// The word of the record.
    pub const fn id(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    fn read(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "none" => Some(Self::None),
            "quarantine" => Some(Self::Quarantine),
            "reject" => Some(Self::Reject),
            _ => None,
        }
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// As it is written.
    pub text: String,
    /// `p`; `None` when it is missing or no policy.
    pub policy: Option<Policy>,
    /// `sp`.
    pub subdomains: Option<Policy>,
    /// `np`.
    pub nonexistent: Option<Policy>,
    /// `psd`: `y`, `n` or `u`.
    pub psd: char,
    /// `t=y`: the policy counts one step weaker.
    pub testing: bool,
    /// The addresses of `rua`.
    pub reports: Vec<String>,
    /// All tags.
    pub tags: Tags,
}

/// Foreign destinations of reports that are asked whether they want them.
const MOST_DESTINATIONS: usize = 4;

/// What applies to a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The domain whose record it is.
    pub domain: String,
    /// The record.
    pub record: Record,
    /// The policy for the domain that was asked about.
    pub policy: Policy,
    /// The organizational domain; `None` when the DNS did not say all that shows it.
    pub organizational: Option<String>,
}

/// What the walk found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// What applies; `None` when nothing does.
    pub applied: Option<Applied>,
    /// The records of the domain itself when there are several, so that none counts.
    pub several: Vec<String>,
    /// The record of the domain itself that is none by its form.
    pub unusable: Option<String>,
    /// Domains that reports are to go to and that do not say that they want them.
    pub unwilling: Vec<String>,
    /// Why nothing is known.
    pub failure: Option<Failure>,
}

impl Record {
    /// Reads a record; `None` when it does not begin with `v=DMARC1`, in this very case.
    pub fn read(text: &str) -> Option<Self> {
        let tags = Tags::read(text);
        if !tags.is_version("DMARC1") {
            return None;
        }
        let policy = |tag| tags.get(tag).and_then(Policy::read);
        let psd = tags.get("psd").and_then(|v| v.chars().next());
        let reports = tags.get("rua").unwrap_or("").split(',').map(str::trim);
        Some(Self {
            text: text.to_string(),
            policy: policy("p"),
            subdomains: policy("sp"),
            nonexistent: policy("np"),
            psd: psd.map_or('u', |c| c.to_ascii_lowercase()),
            testing: tags.get("t").is_some_and(|t| t.eq_ignore_ascii_case("y")),
            reports: reports
                .filter(|r| !r.is_empty())
                .map(str::to_string)
                .collect(),
            tags,
        })
    }

    /// The policy for the record's own domain: a missing or bad `p` counts as `none` when
    /// somebody wants reports, else the record does not count (RFC 9989 §4.7).
    fn own(&self) -> Option<Policy> {
        let wanted = (!self.reports.is_empty()).then_some(Policy::None);
        self.policy.or(wanted)
    }
}

/// Finds what applies to a domain by walking up (RFC 9989 §4.10).
pub async fn find<L: Lookup>(asker: Asker<'_, L>, domain: &Name) -> Found {
    let mut found = Found::default();
    let mut met: Vec<(Name, Record)> = Vec::new();
    let mut cut = false;
    for (step, name) in path(domain).into_iter().enumerate() {
        let texts = match asker.texts_at("_dmarc", &name).await {
            Ok(texts) => texts,
            // The domain's own record counts, whatever stands above it.
            Err(_) if met.first().is_some_and(|(name, _)| name == domain) => {
                cut = true;
                break;
            }
            Err(failure) => {
                found.failure = Some(failure);
                return found;
            }
        };
        let mut records: Vec<_> = texts.iter().filter_map(|t| Record::read(t)).collect();
        if step == 0 && records.len() > 1 {
            found.several = records.iter().map(|r| r.text.clone()).collect();
        }
        if step == 0 && records.is_empty() {
            let near = texts;
            found.unusable = near
                .into_iter()
                .find(|t| t.to_ascii_lowercase().trim_start().starts_with("v=dmarc1"));
        }
        if let (1, Some(record)) = (records.len(), records.pop()) {
            let psd = record.psd;
            met.push((name, record));
            // A public suffix that is asked about itself is a domain like any other.
            if psd == 'n' || (psd == 'y' && step > 0) {
                break;
            }
        }
    }
    found.applied = apply(domain, &met);
    let own = met.into_iter().find(|(name, _)| name == domain);
    if let (None, Some((_, record))) = (&found.applied, own) {
        found.unusable = Some(record.text);
    }
    if let Some(applied) = &mut found.applied {
        applied.organizational.take_if(|_| cut);
        found.unwilling = unwilling(asker, applied).await;
    }
    found
}

/// The foreign domains among the destinations of reports that do not agree to them: they have to
/// publish so, or nobody could be kept from flooding a stranger (RFC 9990 §4).
async fn unwilling<L: Lookup>(asker: Asker<'_, L>, applied: &Applied) -> Vec<String> {
    let Ok(own) = Name::parse(&applied.domain) else {
        return Vec::new();
    };
    let mut strangers: Vec<Name> = Vec::new();
    for report in &applied.record.reports {
        let host = mailbox(report).and_then(|(_, host)| Name::parse(host).ok());
        if let Some(host) = host.filter(|host| host.registered() != own.registered())
            && !strangers.contains(&host)
            && strangers.len() < MOST_DESTINATIONS
        {
            strangers.push(host);
        }
    }
    let mut unwilling = Vec::new();
    for host in strangers {
        let label = format!("{own}._report._dmarc");
        let agrees = match asker.texts_at(&label, &host).await {
            Ok(texts) => texts.iter().any(|t| Tags::read(t).is_version("DMARC1")),
            // Who could not be asked is not accused.
            Err(_) => true,
        };
        if !agrees {
            unwilling.push(host.to_string());
        }
    }
    unwilling
}

/// Local part and domain of a `mailto:` destination; a size limit (`!10m`) is taken off.
fn mailbox(report: &str) -> Option<(&str, &str)> {
    let scheme = report.get(..7)?;
    let address = report.get(7..)?;
    let address = address.split(['!', '?']).next()?;
    let (local, host) = address.rsplit_once('@')?;
    let good = scheme.eq_ignore_ascii_case("mailto:") && !local.is_empty() && !host.is_empty();
    good.then_some((local, host))
}

/// The names to ask, the domain itself first.
fn path(domain: &Name) -> Vec<Name> {
    let mut all = vec![domain.clone()];
    let mut name = domain.clone();
    if domain.labels().count() >= MOST_QUERIES {
        while name.labels().count() >= MOST_QUERIES {
            let Some(parent) = name.parent() else { break };
            name = parent;
        }
        all.push(name.clone());
    }
    while all.len() < MOST_QUERIES {
        let Some(parent) = name.parent().filter(|p| p.labels().next().is_some()) else {
            break;
        };
        name = parent;
        all.push(name.clone());
    }
    all
}

fn apply(domain: &Name, met: &[(Name, Record)]) -> Option<Applied> {
    let (top, last) = met.last()?;
    let organizational = match last.psd {
        'y' if top != domain => below(domain, top),
        _ => top.clone(),
    };
    let own = met.iter().find(|(name, _)| name == domain);
    let org = met.iter().find(|(name, _)| *name == organizational);
    let psd = (last.psd == 'y').then_some((top, last));
    let (name, record) = match (own, org, psd) {
        (Some((name, record)), _, _) | (None, Some((name, record)), _) => (name, record),
        (None, None, psd) => psd?,
    };
    let policy = if name == domain {
        record.own()?
    } else {
        record.subdomains.or(record.own())?
    };
    Some(Applied {
        domain: name.to_string(),
        record: record.clone(),
        policy,
        organizational: Some(organizational.to_string()),
    })
}

/// The name one label below `top` on the way to `domain`.
fn below(domain: &Name, top: &Name) -> Name {
    let mut name = domain.clone();
    while let Some(parent) = name.parent() {
        if parent == *top {
            return name;
        }
        name = parent;
    }
    domain.clone()
}

/// The findings about a domain.
pub fn judge(domain: &str, found: &Found) -> Vec<Finding> {
    let mut notes = Notes::about(domain);
    if let Some(failure) = found.failure {
        notes.warning(
            "dmarc-unknown",
            format!("DMARC cannot be judged: {failure}"),
            "Try again later.",
        );
        return notes.list;
    }
    if !found.several.is_empty() {
        let text = format!(
            "there are {} DMARC records, so none of them counts",
            found.several.len()
        );
        notes.error("dmarc-multiple", text, "Keep one record.");
        return notes.list;
    }
    if let Some(text) = &found.unusable {
        notes.error(
            "dmarc-syntax",
            format!("the DMARC record does not count, its version or policy is malformed: {text}"),
            "The first tag is v=DMARC1, in capitals; then p=none, p=quarantine or p=reject.",
        );
    }
    let Some(applied) = &found.applied else {
        if found.unusable.is_none() {
            notes.info(
                "no-dmarc",
                "there is no DMARC record that counts: receivers have no policy against forged mail of this domain",
                "The domain's admin publishes one, first with p=none and rua= to see what happens.",
            );
        }
        return notes.list;
    };
    tags(applied, domain, &mut notes);
    for host in &found.unwilling {
        notes.warning(
            "dmarc-reports-refused",
            format!("{host} does not say that it wants DMARC reports of {}, so nobody sends them there", applied.domain),
            "Its admin publishes the TXT record \"v=DMARC1\" at DOMAIN._report._dmarc under it, or reports go elsewhere.",
        );
    }
    notes.list
}

fn tags(applied: &Applied, domain: &str, notes: &mut Notes<'_>) {
    let record = &applied.record;
    if record.policy.is_none() {
        let value = record.tags.get("p").unwrap_or("");
        notes.error(
            "dmarc-syntax",
            format!("\"p={value}\" in the DMARC record is no policy; it counts as none"),
            "Use p=none, p=quarantine or p=reject.",
        );
    } else if applied.policy == Policy::None {
        notes.info(
            "dmarc-none",
            "the DMARC policy is none: it only watches, anybody can forge this domain",
            "When the reports look right, go on to quarantine and reject.",
        );
    }
    if record.testing {
        notes.info(
            "dmarc-testing",
            "DMARC is in test mode (t=y): the policy counts one step weaker",
            "",
        );
    }
    let own = applied.domain == domain;
    if own && record.policy == Some(Policy::Reject) && record.subdomains == Some(Policy::None) {
        notes.warning(
            "dmarc-subdomains",
            "DMARC rejects forgeries of the domain, but lets those of its subdomains pass (sp=none)",
            "Remove sp=none when no subdomain needs it.",
        );
    }
    if own && record.reports.is_empty() {
        notes.info(
            "dmarc-no-reports",
            "nobody receives DMARC reports (no rua)",
            "",
        );
    }
    if own && record.policy == Some(Policy::Reject) && record.nonexistent == Some(Policy::None) {
        notes.warning(
            "dmarc-subdomains",
            "DMARC rejects forgeries of the domain, but lets those of names that do not exist pass (np=none)",
            "Remove np=none: nobody sends from names that do not exist.",
        );
    }
    let broken = record.reports.iter().find(|r| mailbox(r).is_none());
    if let Some(report) = broken {
        notes.warning(
            "dmarc-reports-syntax",
            format!("\"{report}\" in the DMARC record is no place for reports (rua)"),
            "Write rua=mailto:reports@example.net; receivers send nowhere else.",
        );
    }
    let gone: Vec<_> = ["pct", "rf", "ri"]
        .into_iter()
        .filter(|tag| record.tags.get(tag).is_some())
        .collect();
    if !gone.is_empty() {
        notes.warning(
            "dmarc-obsolete-tags",
            format!(
                "the DMARC record uses {}, which new receivers ignore (RFC 9989) and old ones still read",
                gone.join(", ")
            ),
            "Remove them; t=y takes the place of pct=0.",
        );
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::dns::world::{Entry, World};

    async fn of(world: &World, domain: &str) -> (Found, Vec<&'static str>) {
        let asker = Asker::new(world, Duration::from_secs(1));
        let found = find(asker, &Name::parse(domain).unwrap()).await;
        let codes = judge(domain, &found).iter().map(|f| f.code).collect();
        (found, codes)
    }

    #[tokio::test]
    async fn of_several_records_at_one_name_none_counts() {
        let world = World::new()
            .text("_dmarc.x.test", b"v=DMARC1; p=reject")
            .text("_dmarc.x.test", b"v=DMARC1; p=none")
            .text("_dmarc.a.y.test", b"v=DMARC1; p=reject")
            .text("_dmarc.a.y.test", b"v=DMARC1; p=none")
            .text(
                "_dmarc.y.test",
                b"v=DMARC1; p=quarantine; rua=mailto:a@y.test",
            );
        let (found, codes) = of(&world, "x.test").await;
        assert_eq!((found.applied, found.several.len()), (None, 2));
        assert_eq!(codes, ["dmarc-multiple"]);
        let (found, _) = of(&world, "a.y.test").await;
        assert_eq!(
            found.applied.map(|applied| applied.domain),
            Some("y.test".to_string())
        );
    }

    #[tokio::test]
    async fn the_walk_goes_up_to_the_organizational_domain() {
        let world = World::new()
            .text(
                "_dmarc.x.test",
                b"v=DMARC1; p=reject; sp=quarantine; rua=mailto:a@x.test",
            )
            .text("_dmarc.psd.test", b"v=DMARC1; p=reject; psd=y")
            .text(
                "_dmarc.org.psd.test",
                b"v=DMARC1; p=quarantine; sp=none; np=reject; rua=mailto:a@x",
            );
        let (found, codes) = of(&world, "a.b.x.test").await;
        let applied = found.applied.unwrap();
        assert_eq!(
            (applied.domain.as_str(), applied.policy),
            ("x.test", Policy::Quarantine)
        );
        assert!(codes.is_empty(), "{codes:?}");
        let (found, _) = of(&world, "w.org.psd.test").await;
        let applied = found.applied.unwrap();
        assert_eq!(
            (applied.domain.as_str(), applied.policy),
            ("org.psd.test", Policy::None)
        );
        // Below a public suffix without a record of its own: the suffix's policy.
        let applied = of(&world, "new.psd.test").await.0.applied.unwrap();
        assert_eq!(applied.domain, "psd.test");
        assert_eq!(applied.organizational.as_deref(), Some("new.psd.test"));
        let applied = of(&world, "psd.test").await.0.applied.unwrap();
        assert_eq!(applied.organizational.as_deref(), Some("psd.test"));
        assert_eq!(of(&world, "none.example").await.1, ["no-dmarc"]);
    }

    #[tokio::test]
    async fn a_public_suffix_that_is_asked_about_itself_does_not_end_the_walk() {
        let world = World::new()
            .text("_dmarc.psd.test", b"v=DMARC1; p=reject; psd=y")
            .text("_dmarc.test", b"v=DMARC1; p=none");
        let applied = of(&world, "psd.test").await.0.applied.unwrap();
        assert_eq!(
            (applied.domain.as_str(), applied.policy),
            ("psd.test", Policy::Reject)
        );
        // RFC 9989 §4.10.2: the record with the fewest labels.
        assert_eq!(applied.organizational.as_deref(), Some("test"));
    }

    #[tokio::test]
    async fn what_cannot_be_asked_above_a_record_does_not_take_it_away() {
        let world = World::new()
            .text(
                "_dmarc.a.x.test",
                b"v=DMARC1; p=reject; rua=mailto:a@a.x.test",
            )
            .name("_dmarc.x.test", Entry::failing(Failure::ServFail));
        let (found, codes) = of(&world, "a.x.test").await;
        let applied = found.applied.unwrap();
        assert_eq!(
            (applied.policy, applied.organizational),
            (Policy::Reject, None)
        );
        assert!(codes.is_empty(), "{codes:?}");
        assert_eq!(of(&world, "b.x.test").await.1, ["dmarc-unknown"]);
    }

    #[tokio::test]
    async fn a_long_name_is_asked_at_most_eight_times() {
        let world = World::new();
        of(&world, "a.b.c.d.e.f.g.h.i.j.mail.example.com").await;
        let asked: Vec<_> = world.asked().iter().map(|q| q.name.to_string()).collect();
        assert_eq!(asked.len(), 8);
        assert_eq!(asked[1], "_dmarc.g.h.i.j.mail.example.com");
        assert_eq!(asked[7], "_dmarc.com");
    }

    #[tokio::test]
    async fn odd_records_are_told() {
        let world = World::new()
            .text("_dmarc.bad.test", b"v=DMARC1; p=maybe")
            .text(
                "_dmarc.bad2.test",
                b"v=DMARC1; p=maybe; rua=mailto:a@bad2.test",
            )
            .text("_dmarc.low.test", b"v=dmarc1; p=none")
            .text(
                "_dmarc.old.test",
                b"v=DMARC1; p=none; pct=50; ri=3600; rf=afrf",
            )
            .text("_dmarc.half.test", b"v=DMARC1; p=reject; sp=none; t=y")
            .text(
                "_dmarc.np.test",
                b"v=DMARC1; p=reject; np=none; rua=mailto:a@np.test!10m",
            )
            .text("_dmarc.rua.test", b"v=DMARC1; p=reject; rua=a@rua.test")
            .text(
                "_dmarc.far.test",
                b"v=DMARC1; p=reject; rua=mailto:a@box.example,mailto:b@willing.example",
            )
            .text("far.test._report._dmarc.willing.example", b"v=DMARC1");
        for (domain, expected) in [
            ("bad.test", &["dmarc-syntax"][..]),
            ("bad2.test", &["dmarc-syntax"]),
            ("low.test", &["dmarc-syntax"]),
            ("np.test", &["dmarc-subdomains"]),
            ("rua.test", &["dmarc-reports-syntax"]),
            ("far.test", &["dmarc-reports-refused"]),
            (
                "old.test",
                &["dmarc-none", "dmarc-no-reports", "dmarc-obsolete-tags"],
            ),
            (
                "half.test",
                &["dmarc-testing", "dmarc-subdomains", "dmarc-no-reports"],
            ),
        ] {
            assert_eq!(of(&world, domain).await.1, expected, "{domain}");
        }
    }
}
