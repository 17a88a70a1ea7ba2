//! The sender: what authentication and filters found, who sent the mail on, what the author's
//! side claims of itself.

use super::Case;
use crate::route::authentication::{Arc, Authentication, Seal};
use crate::route::filters;
use crate::route::finding::{Finding, Severity, Sureness};
use crate::route::known::CLAIMS;
use crate::route::net;
use crate::route::received::words;
use crate::route::{Handler, HandlerKind, lists};

pub(super) fn find(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    handlers(case, found);
    failed(&case.route.authentication, found);
    sealed(case, found);
    verdicts(case, found);
    border_address(case, found);
    signatures(case, found);
    addresses(case, found);
    claims(case, found);
}

fn handlers(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    for handler in &case.route.handlers {
        let (code, text) = match handler.kind {
            HandlerKind::List => (
                "list",
                format!("came through the mailing list {}", handler.name),
            ),
            HandlerKind::Forwarder => ("forwarder", sent_on(handler)),
        };
        found.push(Finding::whole(
            Severity::Info,
            code,
            Sureness::High,
            text.trim_end().to_owned(),
        ));
    }
    let path = case.route.message.return_path.as_deref();
    if let Some((original, scheme)) = path.and_then(lists::unwrapped) {
        let text =
            format!("the envelope sender was rewritten ({scheme}); it stands for {original}");
        found.push(Finding::whole(
            Severity::Info,
            "sender-rewritten",
            Sureness::High,
            text,
        ));
    }
}

/// Who sent it on, and by what that shows; `X-Forwarded-To` only names the next mailbox.
fn sent_on(handler: &Handler) -> String {
    let name = &handler.name;
    match handler.sign {
        "X-Forwarded-To" => format!("was sent on to {name} (X-Forwarded-To)"),
        "+caf_=" => format!("was sent on by {name} (Gmail's forwarding)"),
        sign => format!("was sent on by {name} ({sign})"),
    }
}

/// What a server of the own side found out counts; what others say it found is hearsay.
const fn weight(trusted: bool) -> (Severity, Sureness) {
    if trusted {
        (Severity::Warning, Sureness::High)
    } else {
        (Severity::Info, Sureness::Low)
    }
}

/// SPF, DMARC and Microsoft's summary of both, where they failed.
fn failed(all: &Authentication, found: &mut Vec<Finding>) {
    let who = |by: &Option<String>| by.clone().unwrap_or_else(|| "the receiver".to_owned());
    if let Some(spf) = all
        .spf
        .as_ref()
        .filter(|s| matches!(s.result.as_str(), "fail" | "softfail" | "permerror"))
    {
        let (severity, sureness) = weight(spf.trusted);
        let domain = spf.domain.as_deref().unwrap_or("the sender's domain");
        let text = format!(
            "SPF {}: {domain} does not let this address send for it, says {}",
            spf.result,
            who(&spf.by)
        );
        found.push(Finding::whole(severity, "spf", sureness, text));
    }
    if let Some(dmarc) = all.dmarc.as_ref().filter(|d| d.result == "fail") {
        let (severity, sureness) = weight(dmarc.trusted);
        let domain = dmarc.domain.as_deref().unwrap_or("the domain of From");
        let policy = dmarc
            .policy
            .as_deref()
            .map(|p| format!(" (which asks for {p})"))
            .unwrap_or_default();
        let text = format!(
            "DMARC fail: nothing shows that {domain}{policy} sent this, says {}",
            who(&dmarc.by)
        );
        found.push(Finding::whole(severity, "dmarc", sureness, text));
    }
    let composite = all
        .results
        .iter()
        .find(|r| r.instance.is_none() && r.method == "compauth" && r.result == "fail");
    if let Some(result) = composite {
        let words = result
            .property("reason")
            .and_then(filters::compauth)
            .unwrap_or("failed");
        let (severity, sureness) = weight(result.trusted);
        let text = format!("Microsoft's composite authentication {words}");
        found.push(Finding::whole(severity, "compauth", sureness, text));
    }
}

/// What filters on the way took the mail for.
fn verdicts(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    for verdict in case
        .route
        .verdicts
        .iter()
        .filter(|v| v.severity == Severity::Warning)
        .take(10)
    {
        let key = verdict
            .key
            .as_deref()
            .map(|k| format!("{k}:{}, ", verdict.value))
            .unwrap_or_default();
        let text = format!("{}: {key}{}", verdict.field, verdict.meaning);
        found.push(Finding::whole(
            Severity::Warning,
            "filter",
            Sureness::High,
            text,
        ));
    }
}

/// What the ARC chain is worth, as far as that shows without the keys (RFC 8617 §5.2).
fn sealed(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    let all = &case.route.authentication;
    let Some(arc) = &all.arc else { return };
    let mut say = |severity, sureness, text: String| {
        found.push(Finding::whole(severity, "arc", sureness, text));
    };
    if !arc.complete {
        let text = "the ARC chain has gaps, so it proves nothing".to_owned();
        say(Severity::Info, Sureness::High, text);
    } else if arc.cv.as_deref() == Some("fail") {
        let text = "the newest sealer found the ARC chain broken".to_owned();
        say(Severity::Warning, Sureness::Medium, text);
    } else if let Some(text) = misjudged(arc) {
        say(Severity::Info, Sureness::High, text);
    } else if let Some(expired) = arc.sets.last().filter(|newest| {
        newest
            .expires_at
            .zip(arrived(case))
            .is_some_and(|(x, at)| x < at)
    }) {
        let who = expired.domain.as_deref().unwrap_or("the newest sealer");
        let text = format!("the ARC signature of {who} had run out before the mail arrived");
        say(Severity::Warning, Sureness::High, text);
    } else if let Some(text) = vouched(all) {
        say(Severity::Info, Sureness::Medium, text);
    }
}

/// A seal whose `cv=` does not fit its place: `none` is for the first, `pass` for all others, and
/// behind `fail` nobody may seal any more (RFC 8617 §5.1.2).
fn misjudged(arc: &Arc) -> Option<String> {
    let wanted = |set: &Seal| if set.instance == 1 { "none" } else { "pass" };
    let odd = arc
        .sets
        .iter()
        .find(|set| set.cv.as_deref() != Some(wanted(set)))?;
    let who = odd.domain.as_deref().unwrap_or("a server");
    let says = match odd.cv.as_deref() {
        Some(cv) => format!("says cv={cv}"),
        None => "does not say what it found (cv=)".to_owned(),
    };
    Some(format!(
        "seal {} of the ARC chain, by {who}, {says} where {} is due, so the chain proves nothing",
        odd.instance,
        wanted(odd)
    ))
}

/// When the mail arrived, by its newest line.
fn arrived(case: &Case<'_, '_>) -> Option<i64> {
    let stamp = case.route.hops.iter().rev().find_map(|h| h.time);
    stamp.map(|t| t.seconds)
}

/// DMARC failed here, but a server on the way sealed that it passed there: a list or a forwarder
/// changed the mail in between (RFC 8617 §1).
fn vouched(all: &Authentication) -> Option<String> {
    all.dmarc.as_ref().filter(|d| d.result == "fail")?;
    let earlier = all
        .results
        .iter()
        .filter(|r| r.method == "dmarc" && r.result == "pass")
        .filter_map(|r| Some((r.instance?, r)))
        .min_by_key(|(instance, _)| *instance);
    let (_, result) = earlier?;
    let who = result.by.as_deref().unwrap_or("a server on the way");
    Some(format!(
        "DMARC still passed at {who}, as its ARC seal says: the mail was changed or sent on behind it"
    ))
}

/// The address that the filter or SPF judged, against the one that the border's server saw.
fn border_address(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    let Some(hop) = case.border.at.and_then(|at| case.hop(at)) else {
        return;
    };
    let Some(seen) = hop.from.ip else { return };
    let cip = case
        .route
        .verdicts
        .iter()
        .find(|v| v.key.as_deref() == Some("CIP"))
        .map(|v| v.value.as_str());
    let spf = case
        .route
        .authentication
        .spf
        .as_ref()
        .filter(|s| s.trusted)
        .and_then(|s| s.ip);
    for (judged, who) in [
        (cip.and_then(words::address), "Microsoft's filter"),
        (spf, "SPF"),
    ] {
        if let Some(ip) = judged.filter(|ip| *ip != seen) {
            let text = format!(
                "{who} judged {ip}, but the mail came in from {seen}: there is a gateway in front, or --trust is needed"
            );
            found.push(Finding::at(
                hop.n,
                Severity::Info,
                "other-address",
                Sureness::Medium,
                text,
            ));
            return;
        }
    }
}

fn signatures(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    let arrived = arrived(case);
    for signature in &case.route.authentication.dkim {
        let domain = &signature.domain;
        let mut say =
            |severity, text| found.push(Finding::whole(severity, "dkim", Sureness::High, text));
        if matches!(
            signature.result.as_deref(),
            Some("fail" | "permerror" | "policy")
        ) {
            say(
                Severity::Warning,
                format!("DKIM: the signature of {domain} did not hold"),
            );
        }
        if signature.algorithm.eq_ignore_ascii_case("rsa-sha1") {
            say(
                Severity::Warning,
                format!(
                    "DKIM: {domain} signs with rsa-sha1, which counts for nothing since RFC 8301"
                ),
            );
        }
        if signature.body_length.is_some() {
            say(
                Severity::Info,
                format!(
                    "DKIM: {domain} signs only the start of the body (l=); anything could have been added"
                ),
            );
        }
        if signature
            .expires_at
            .zip(arrived)
            .is_some_and(|(x, at)| x < at)
        {
            say(
                Severity::Warning,
                format!("DKIM: the signature of {domain} had run out before the mail arrived"),
            );
        }
        if !signature.headers.is_empty() && !signature.headers.iter().any(|h| h == "from") {
            say(
                Severity::Warning,
                format!(
                    "DKIM: {domain} does not sign the From field, so the signature says nothing of it"
                ),
            );
        }
    }
}

/// `From` against the envelope sender and the answer address.
fn addresses(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    let domain = |a: &str| a.rsplit_once('@').map(|(_, d)| d.to_owned());
    let Some(from) = case.route.message.from.as_deref().and_then(domain) else {
        return;
    };
    let listed = case
        .route
        .handlers
        .iter()
        .any(|h| h.kind == HandlerKind::List);
    let path = case.route.message.return_path.as_deref().and_then(domain);
    if let Some(path) = path.filter(|p| !net::same_organisation(p, &from) && !listed) {
        let text = format!(
            "bounces go to {path}, though {from} is the sender; usual for services that send for others"
        );
        found.push(Finding::whole(
            Severity::Info,
            "return-path",
            Sureness::High,
            text,
        ));
    }
    let answer = case
        .head
        .get("Reply-To")
        .and_then(|v| crate::message::addresses::clean(&v).and_then(domain));
    if let Some(answer) = answer.filter(|a| !net::same_organisation(a, &from) && !listed) {
        let text = format!("answers go to {answer}, though {from} is the sender");
        found.push(Finding::whole(
            Severity::Info,
            "reply-to",
            Sureness::High,
            text,
        ));
    }
}

/// What the author's side says of itself in fields that anybody can write.
fn claims(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    for claim in CLAIMS {
        let name = claim.field;
        let Some(value) = case.head.get(name).filter(|v| !v.is_empty()) else {
            continue;
        };
        let value = crate::route::hop::cut(value.trim_matches(['[', ']', ' ']), 200);
        let (value, of) = match value.split_once(':').filter(|_| claim.script) {
            Some((user, script)) => (script, format!(" of user {user}")),
            None => (value.as_str(), String::new()),
        };
        let (before, behind) = claim.says;
        let what = format!("{name} {before}{value}{of}{behind}");
        let text = format!("{what}; a claim, no more trustworthy than the oldest line");
        found.push(Finding::whole(
            Severity::Info,
            "claimed-source",
            Sureness::Low,
            text,
        ));
    }
}

#[cfg(test)]
mod tests {
    use crate::message::layer::Head;
    use crate::route::{Finding, Severity};

    fn findings(fields: &str) -> Vec<Finding> {
        let header = format!(
            "Received: by 2002:a05:7010:1234:b0:43a:bcde:f012 with SMTP id x1csp1; Mon, 2 Mar 2026 01:15:31 -0800 (PST)\n\
             Received: from a.example (a.example. [192.0.2.1]) by mx.google.com with ESMTPS id a1si2.3.2026.03.02.01.15.30; Mon, 02 Mar 2026 01:15:30 -0800 (PST)\n\
             {fields}\n"
        );
        crate::route::of(&Head::parse(header.as_bytes()), &[]).findings
    }

    const FAILED: &str =
        "Authentication-Results: mx.google.com; dmarc=fail (p=REJECT) header.from=example.com\n";

    #[test]
    fn a_server_that_calls_itself_by_an_address_is_of_the_house_of_the_one_below() {
        let found = findings(FAILED);
        let dmarc = found.iter().find(|f| f.code == "dmarc").unwrap();
        assert_eq!(dmarc.severity, Severity::Warning);
    }

    #[test]
    fn a_sealer_that_saw_dmarc_pass_is_heard() {
        let seal = "ARC-Seal: i=1; cv=none; d=lists.example.net\nARC-Message-Signature: i=1; d=lists.example.net\n\
                    ARC-Authentication-Results: i=1; lists.example.net; dmarc=pass header.from=example.com\n";
        let found = findings(&format!("{FAILED}{seal}"));
        let arc = found.iter().find(|f| f.code == "arc").unwrap();
        assert!(arc.text.contains("lists.example.net"), "{}", arc.text);
        assert!(findings(seal).iter().all(|f| f.code != "arc"));
    }

    #[test]
    fn a_chain_whose_seals_do_not_fit_their_places_proves_nothing() {
        let set = |i: u32, cv: &str, more: &str| {
            format!(
                "ARC-Seal: i={i}; cv={cv}; d=s{i}.example\nARC-Message-Signature: i={i}; d=s{i}.example{more}\n\
                     ARC-Authentication-Results: i={i}; s{i}.example; dmarc=pass header.from=example.com\n"
            )
        };
        let told = |sets: &[String]| {
            let found = findings(&sets.concat());
            let arc = found.into_iter().find(|f| f.code == "arc");
            arc.map(|f| (f.severity, f.text))
                .unwrap_or((Severity::Info, String::new()))
        };
        assert_eq!(told(&[set(2, "pass", ""), set(1, "none", "")]).1, "");
        for (sets, words) in [
            (
                [set(2, "none", ""), set(1, "none", "")],
                "seal 2 of the ARC chain, by s2.example, says cv=none where pass is due",
            ),
            ([set(2, "pass", ""), set(1, "pass", "")], "seal 1"),
            (
                [set(2, "pass", ""), set(1, "fail", "")],
                "says cv=fail where none is due",
            ),
            ([set(1, "none", ""), set(1, "none", "")], "gaps"),
            (
                [set(2, "fail", ""), set(1, "none", "")],
                "found the ARC chain broken",
            ),
            // 2026-03-02 09:15:29, a second before the mail arrived.
            (
                [set(2, "pass", "; x=1772442929"), set(1, "none", "")],
                "the ARC signature of s2.example had run out",
            ),
        ] {
            let text = told(&sets).1;
            assert!(text.contains(words), "{words}: {text}");
        }
        // Only the newest signature of the message has to hold still.
        assert_eq!(
            told(&[set(2, "pass", "; x=1772442939"), set(1, "none", "; x=1")]).1,
            ""
        );
    }

    #[test]
    fn the_mailbox_that_mail_was_sent_on_to_did_not_send_it_on() {
        let texts = |fields: &str| -> Vec<String> {
            let found = findings(fields).into_iter();
            found
                .filter(|f| f.code == "forwarder")
                .map(|f| f.text)
                .collect()
        };
        let to = "X-Forwarded-To: bob@example.org\n";
        assert_eq!(
            texts(to),
            ["was sent on to bob@example.org (X-Forwarded-To)"]
        );
        let both = format!("{to}X-Forwarded-For: bob@example.com bob@example.org\n");
        assert_eq!(
            texts(&both),
            ["was sent on by bob@example.com (X-Forwarded-For)"]
        );
        // A web program's field of the same name.
        assert!(texts("X-Forwarded-For: 198.51.100.7\n").is_empty());
    }
}
