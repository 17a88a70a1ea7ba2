//! What a survey of a domain's SPF is worth.

use crate::posture::finding::{Finding, Notes};

use super::record::{Kind, Mechanism, Qualifier, Record};
use super::{MOST_LOOKUPS, Outcome, Trouble, Verdict};

/// Octets of a record beyond which answers no longer fit into plain UDP (RFC 7208 §3.4).
const LONG: usize = 450;
/// Networks wider than this let half a continent send.
const WIDE: u8 = 8;

/// The findings about a domain.
pub fn judge(domain: &str, verdict: &Verdict) -> Vec<Finding> {
    let mut notes = Notes::about(domain);
    for trouble in &verdict.troubles {
        tell(trouble, verdict, &mut notes);
    }
    let Some(text) = &verdict.record else {
        if verdict.outcome == Outcome::None {
            notes.info(
                "no-spf",
                "there is no SPF record: anybody may claim to send for this domain",
                "The domain's admin publishes one, such as \"v=spf1 mx -all\".",
            );
        }
        return notes.list;
    };
    if let Some(opened_by) = &verdict.opened_by {
        notes.error(
            "spf-pass-all",
            format!("the SPF record takes in that of {opened_by}, which allows the whole world to send (+all)"),
            "Remove it, or have it end with -all or ~all.",
        );
    }
    // With several records none of them means anything.
    if verdict.several.is_empty() {
        terms(&Record::read(text), &mut notes);
        if text.len() > LONG {
            notes.warning(
                "spf-long",
                format!(
                    "the SPF record has {} octets and may not fit into one answer",
                    text.len()
                ),
                "Move parts of it into included records.",
            );
        }
    }
    notes.list
}

fn tell(trouble: &Trouble, verdict: &Verdict, notes: &mut Notes<'_>) {
    const ADMIN: &str =
        "The domain's admin corrects the record; until then receivers treat SPF as broken.";
    match trouble {
        Trouble::Several(domain) => notes.error(
            "spf-multiple",
            format!("{domain} has several SPF records, which makes all of them invalid (permerror)"),
            "Join them into one record.",
        ),
        Trouble::Syntax(domain, term, fault) => notes.error(
            "spf-syntax",
            format!("the SPF record of {domain} is invalid (permerror): \"{term}\": {}", fault.words()),
            ADMIN,
        ),
        Trouble::TooManyLookups => notes.error(
            "spf-too-many-lookups",
            format!(
                "the SPF record needs {} DNS lookups, {MOST_LOOKUPS} are allowed: receivers stop with permerror",
                verdict.lookups
            ),
            "Remove includes that are no longer used, or put in addresses in place of names.",
        ),
        Trouble::TooManyVoid => notes.error(
            "spf-void-lookups",
            format!(
                "{} names in the SPF record do not exist, 2 are tolerated: receivers may stop with permerror",
                verdict.voids
            ),
            "Remove the names that no longer exist.",
        ),
        Trouble::Loop(domain) => notes.error(
            "spf-loop",
            format!("the SPF record includes itself over {domain} (permerror)"),
            ADMIN,
        ),
        Trouble::IncludeWithoutRecord(domain) => notes.error(
            "spf-include-missing",
            format!("the SPF record includes {domain}, which has no SPF record (permerror)"),
            "Remove the include, or ask its owner.",
        ),
        Trouble::TooManyMx(domain) => notes.error(
            "spf-too-many-mx",
            format!("the mx mechanism meets more than 10 mail servers of {domain} (permerror)"),
            ADMIN,
        ),
        Trouble::Dns(domain, failure) => notes.warning(
            "spf-unknown",
            format!("SPF cannot be judged: {domain}: {failure}"),
            "Try again later; if it stays so, the name servers of that domain need mending.",
        ),
    }
}

fn terms(record: &Record, notes: &mut Notes<'_>) {
    match record.all() {
        Some((_, Qualifier::Pass)) => notes.error(
            "spf-pass-all",
            "the SPF record allows the whole world to send (+all)",
            "End it with -all or ~all.",
        ),
        Some((_, Qualifier::Neutral)) => notes.warning(
            "spf-neutral-all",
            "the SPF record says nothing about other senders (?all), which is as good as none",
            "End it with -all or ~all.",
        ),
        Some((at, _)) if at + 1 < record.terms.len() => {
            let dead = record.terms.iter().skip(at + 1);
            let dead = dead
                .filter(|t| matches!(t.kind, Kind::Mechanism(..)))
                .count();
            if dead > 0 {
                let terms = match dead {
                    1 => "a term of the SPF record stands behind \"all\" and means nothing"
                        .to_string(),
                    _ => format!(
                        "{dead} terms of the SPF record stand behind \"all\" and mean nothing"
                    ),
                };
                notes.warning("spf-dead-terms", terms, "Put \"all\" at the end.");
            }
        }
        Some(_) => {}
        None if record.redirect().is_none() => notes.info(
            "spf-no-all",
            "the SPF record has neither \"all\" nor \"redirect\": other senders are neutral",
            "End it with -all or ~all.",
        ),
        None => {}
    }
    if record.all().is_some() && record.redirect().is_some() {
        let text = "\"redirect\" beside \"all\" in the SPF record is ignored";
        notes.warning("spf-redirect-ignored", text, "Remove one of them.");
    }
    for term in &record.terms {
        let wide = match &term.kind {
            Kind::Mechanism(q, m) if *q != Qualifier::Fail => match m {
                Mechanism::Ptr(_) => {
                    notes.warning(
                        "spf-ptr",
                        "the SPF record uses \"ptr\", which is slow and should not be used (RFC 7208 5.5)",
                        "Name the addresses or hosts instead.",
                    );
                    false
                }
                Mechanism::Ip4(_, n) | Mechanism::A(_, n, _) | Mechanism::Mx(_, n, _) => *n < WIDE,
                Mechanism::Ip6(_, n) => *n < WIDE * 2,
                _ => false,
            },
            _ => false,
        };
        if wide {
            notes.warning(
                "spf-wide",
                format!(
                    "\"{}\" in the SPF record lets a large part of the Internet send",
                    term.text
                ),
                "Name only the networks that do send.",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::posture::Severity;

    fn verdict(record: &str) -> Verdict {
        Verdict {
            record: Some(record.to_string()),
            ..Verdict::new(Outcome::Neutral)
        }
    }

    fn told(verdict: &Verdict) -> Vec<(Severity, &'static str, String)> {
        let found = judge("x.test", verdict).into_iter();
        found.map(|f| (f.severity, f.code, f.text)).collect()
    }

    fn codes(record: &str) -> Vec<&'static str> {
        let found = told(&verdict(record)).into_iter();
        found.map(|(_, code, _)| code).collect()
    }

    #[test]
    fn every_habit_of_a_record_that_weakens_it_is_told_and_only_that() {
        for (record, code) in [
            ("v=spf1 mx +all", "spf-pass-all"),
            ("v=spf1 mx ?all", "spf-neutral-all"),
            ("v=spf1 mx", "spf-no-all"),
            ("v=spf1 -all mx", "spf-dead-terms"),
            ("v=spf1 ~all redirect=y.test", "spf-redirect-ignored"),
            ("v=spf1 ptr -all", "spf-ptr"),
            ("v=spf1 ip4:128.0.0.0/7 -all", "spf-wide"),
            ("v=spf1 a/4 -all", "spf-wide"),
            ("v=spf1 ip6:2000::/15 -all", "spf-wide"),
        ] {
            assert_eq!(codes(record), [code], "{record}");
        }
        for record in [
            "v=spf1 mx -all",
            "v=spf1 redirect=y.test",
            "v=spf1 ip4:10.0.0.0/8 ip6:2000::/16 ~all",
            "v=spf1 -ip4:0.0.0.0/1 mx -all",
            // No mechanism, so nothing that could mean something.
            "v=spf1 -all exp=why.x.test",
        ] {
            assert!(codes(record).is_empty(), "{record}");
        }
    }

    #[test]
    fn terms_that_mean_nothing_are_counted() {
        let text = |record| told(&verdict(record)).remove(0).2;
        assert!(text("v=spf1 -all mx").starts_with("a term of"));
        assert!(text("v=spf1 -all mx a").starts_with("2 terms of"));
    }

    #[test]
    fn a_record_that_opens_the_door_further_down_or_is_too_long_is_told() {
        let opened = Verdict {
            opened_by: Some("lax.test".to_string()),
            ..verdict("v=spf1 include:lax.test -all")
        };
        let told_of = told(&opened);
        assert_eq!(
            (told_of[0].0, told_of[0].1),
            (Severity::Error, "spf-pass-all")
        );
        assert!(told_of[0].2.contains("that of lax.test"), "{told_of:?}");
        let long = format!("v=spf1 {}-all", "ip4:192.0.2.1 ".repeat(40));
        assert_eq!(codes(&long), ["spf-long"]);
    }

    #[test]
    fn what_makes_a_record_invalid_is_told_with_the_domain_it_is_about() {
        let domain = || "inc.test".to_string();
        for (trouble, code) in [
            (Trouble::Several(domain()), "spf-multiple"),
            (Trouble::Loop(domain()), "spf-loop"),
            (
                Trouble::IncludeWithoutRecord(domain()),
                "spf-include-missing",
            ),
            (Trouble::TooManyMx(domain()), "spf-too-many-mx"),
        ] {
            let broken = Verdict {
                troubles: vec![trouble],
                ..verdict("v=spf1 mx -all")
            };
            let told = told(&broken);
            assert_eq!((told[0].0, told[0].1), (Severity::Error, code));
            assert!(told[0].2.contains("inc.test"), "{told:?}");
        }
    }

    #[test]
    fn of_several_records_none_is_judged_by_its_terms() {
        let several = Verdict {
            several: vec!["v=spf1 +all".to_string(), "v=spf1 -all".to_string()],
            ..verdict("v=spf1 +all")
        };
        assert_eq!(told(&several), []);
    }
}
