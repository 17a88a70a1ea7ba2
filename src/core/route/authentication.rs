//! What servers found out about the sender and wrote into the header: `Authentication-Results`
//! (RFC 8601), `Received-SPF` (RFC 7208 §9.1), the tags of `DKIM-Signature` (RFC 6376) and the
//! ARC sets (RFC 8617). Shown, not verified: that would need the DNS.

mod fields;

use std::net::IpAddr;

use crate::message::layer::Head;
use crate::route::net;
use crate::route::received::{unfold, words};

use fields::{arc, domain_of, outcomes, received_spf, signature};

/// More fields of a kind than this are no honest header.
const MAX_FIELDS: usize = 50;
/// Nor is a text of this length.
const MAX_TEXT: usize = 500;

/// The authentication fields of a header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authentication {
    /// The SPF verdict that counts.
    pub spf: Option<Spf>,
    /// The signatures, in the order of the header.
    pub dkim: Vec<Signature>,
    /// The DMARC verdict that counts.
    pub dmarc: Option<Dmarc>,
    /// The ARC chain.
    pub arc: Option<Arc>,
    /// Every single result of every field.
    pub results: Vec<Outcome>,
}

/// One result of one method, as a server stated it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Who states it (the authserv-id); none when the field does not tell (Microsoft).
    pub by: Option<String>,
    /// The statement is of the reader's own side.
    pub trusted: bool,
    /// The ARC instance whose results these are; none for the field of the message itself.
    pub instance: Option<u32>,
    /// `spf`, `dkim`, `dmarc`, `arc`, `auth`, `iprev`, `compauth` …
    pub method: String,
    /// `pass`, `fail`, `softfail`, `neutral`, `none`, `temperror`, `permerror` …
    pub result: String,
    /// `smtp.mailfrom=…`, `header.d=…`, in their order.
    pub properties: Vec<(String, String)>,
    /// What stands in the comments.
    pub comment: Option<String>,
}

impl Outcome {
    /// The value of a property.
    pub fn property(&self, name: &str) -> Option<&str> {
        let found = self
            .properties
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case(name));
        found.map(|(_, v)| v.as_str())
    }
}

/// An SPF verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spf {
    /// `pass`, `fail` …
    pub result: String,
    /// The domain that was asked.
    pub domain: Option<String>,
    /// The address that was judged.
    pub ip: Option<IpAddr>,
    /// Who states it.
    pub by: Option<String>,
    /// The statement is of the reader's own side.
    pub trusted: bool,
    /// The domain is that of `From` (relaxed).
    pub aligned: bool,
}

/// A DMARC verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dmarc {
    /// `pass`, `fail`, `none`, `bestguesspass` …
    pub result: String,
    /// The `From` domain.
    pub domain: Option<String>,
    /// What the domain asks to be done: `none`, `quarantine`, `reject`.
    pub policy: Option<String>,
    /// Who states it.
    pub by: Option<String>,
    /// The statement is of the reader's own side.
    pub trusted: bool,
}

/// A DKIM signature.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signature {
    /// `d=`
    pub domain: String,
    /// `s=`
    pub selector: String,
    /// `a=`
    pub algorithm: String,
    /// `t=`, seconds since the epoch.
    pub signed_at: Option<i64>,
    /// `x=`
    pub expires_at: Option<i64>,
    /// The signed fields, lower case.
    pub headers: Vec<String>,
    /// `l=`: only so much of the body is signed, the rest can be anything.
    pub body_length: Option<u64>,
    /// What a server found, when one says so for this domain.
    pub result: Option<String>,
    /// The domain is that of `From` (relaxed).
    pub aligned: bool,
}

/// The ARC chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arc {
    /// The sets, oldest first.
    pub sets: Vec<Seal>,
    /// Every instance from 1 on has each of the three fields once.
    pub complete: bool,
    /// The `cv=` of the newest seal.
    pub cv: Option<String>,
}

/// One set of ARC fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seal {
    /// `i=`
    pub instance: u32,
    /// Who sealed (`d=`).
    pub domain: Option<String>,
    /// What the sealer found of the chain before.
    pub cv: Option<String>,
    /// When (`t=`).
    pub time: Option<i64>,
    /// When its signature of the message runs out (`x=` of `ARC-Message-Signature`).
    pub expires_at: Option<i64>,
    /// How often each of the three fields is there.
    fields: [u8; 3],
}

/// Whose results are believed (RFC 8601 §7.1): those of servers of the reader's own side, as long as
/// they stand where such a server can have put them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Own<'x> {
    /// The servers that stamped the mail on the own side, newest first.
    pub(crate) names: Vec<&'x str>,
    /// The place in the header of the topmost line of an outsider: what stands below it was there
    /// when the mail came in.
    pub(crate) until: Option<usize>,
}

impl Own<'_> {
    /// Whether a server of this name is one of them; one that leaves its name out is Microsoft's.
    fn is(&self, by: Option<&str>) -> bool {
        let by = by.unwrap_or("outlook.com");
        self.names.iter().any(|own| net::same_organisation(by, own))
    }

    /// Whether a field at this place can be of the own side.
    fn reaches(&self, position: usize) -> bool {
        self.until.is_none_or(|until| position < until)
    }
}

/// Reads all authentication fields; `from` is the domain of `From`.
pub(crate) fn read(head: &Head<'_>, own: &Own<'_>, from: Option<&str>) -> Authentication {
    let mut all = Authentication::default();
    let placed = head.fields.iter().enumerate();
    for (at, field) in placed
        .filter(|(_, f)| f.name.eq_ignore_ascii_case("Authentication-Results"))
        .take(MAX_FIELDS)
    {
        let mut found = outcomes(&unfold(&field.body), None, own);
        if !own.reaches(at) {
            found.iter_mut().for_each(|o| o.trusted = false);
        }
        all.results.append(&mut found);
    }
    all.arc = arc(head, &mut all.results);
    let aligned = |d: &str| from.is_some_and(|f| net::is_aligned(d, f));
    for field in head.all("DKIM-Signature").take(MAX_FIELDS) {
        let mut signature = signature(&unfold(&field.body));
        signature.aligned = aligned(&signature.domain);
        signature.result = verdict_on(&all.results, &signature);
        all.dkim.push(signature);
    }
    // A signature that a server judged counts also where its field was taken out of the header.
    for outcome in all.results.iter().take(MAX_FIELDS) {
        if outcome.instance.is_some() || outcome.method != "dkim" {
            continue;
        }
        let named = outcome
            .property("header.d")
            .or_else(|| outcome.property("header.i"));
        let Some(domain) = named.map(domain_of).filter(|d| !d.is_empty()) else {
            continue;
        };
        if all
            .dkim
            .iter()
            .all(|s| !s.domain.eq_ignore_ascii_case(domain))
        {
            all.dkim.push(Signature {
                domain: domain.to_owned(),
                selector: outcome.property("header.s").unwrap_or_default().to_owned(),
                result: Some(outcome.result.clone()),
                aligned: aligned(domain),
                ..Signature::default()
            });
        }
    }
    all.spf = spf_verdict(&all.results).or_else(|| {
        head.field("Received-SPF")
            .and_then(|f| received_spf(&unfold(&f.body), own))
    });
    if let Some(spf) = &mut all.spf {
        spf.aligned = spf.domain.as_deref().is_some_and(aligned);
    }
    all.dmarc = dmarc_verdict(&all.results);
    all
}

/// A result of the message itself, a trusted one first.
fn best<'a>(results: &'a [Outcome], method: &str) -> Option<&'a Outcome> {
    let mut of = results
        .iter()
        .filter(|r| r.instance.is_none() && r.method == method);
    of.clone().find(|r| r.trusted).or_else(|| of.next())
}

fn spf_verdict(results: &[Outcome]) -> Option<Spf> {
    let found = best(results, "spf")?;
    let who = found
        .property("smtp.mailfrom")
        .or_else(|| found.property("smtp.helo"));
    let ip = found
        .property("smtp.remote-ip")
        .or_else(|| found.property("policy.iprev"));
    Some(Spf {
        result: found.result.clone(),
        domain: who.map(domain_of).map(str::to_owned),
        ip: ip.and_then(words::address).or_else(|| {
            let comment = found.comment.as_deref()?;
            comment
                .split([' ', '(', ')', ';'])
                .filter(|w| !w.is_empty())
                .find_map(words::address)
        }),
        by: found.by.clone(),
        trusted: found.trusted,
        aligned: false,
    })
}

fn dmarc_verdict(results: &[Outcome]) -> Option<Dmarc> {
    let found = best(results, "dmarc")?;
    // Gmail and others: `dmarc=pass (p=NONE sp=QUARANTINE dis=NONE)`.
    let policy = found.comment.as_deref().and_then(|c| {
        c.split([' ', ';', ','])
            .find_map(|w| words::after(w, "p="))
            .map(str::to_ascii_lowercase)
    });
    let stated = found
        .property("policy.published-domain-policy")
        .map(str::to_ascii_lowercase);
    Some(Dmarc {
        result: found.result.clone(),
        domain: found
            .property("header.from")
            .map(domain_of)
            .map(str::to_owned),
        policy: stated.or(policy),
        by: found.by.clone(),
        trusted: found.trusted,
    })
}

/// What was found of a signature: matched by domain, and by selector when that is told.
fn verdict_on(results: &[Outcome], signature: &Signature) -> Option<String> {
    let matching = results
        .iter()
        .filter(|r| r.instance.is_none() && r.method == "dkim")
        .filter(|r| {
            let domain = r
                .property("header.d")
                .or_else(|| r.property("header.i"))
                .map(domain_of);
            let selector = r.property("header.s");
            domain.is_some_and(|d| d.eq_ignore_ascii_case(&signature.domain))
                && selector.is_none_or(|s| s.eq_ignore_ascii_case(&signature.selector))
        });
    let mut matching = matching;
    let first = matching.next()?;
    let trusted = std::iter::once(first).chain(matching).find(|r| r.trusted);
    Some(trusted.unwrap_or(first).result.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(name: &str) -> Own<'_> {
        Own {
            names: vec![name],
            until: None,
        }
    }

    const HEAD: &str = "Authentication-Results: mx.example.org;\n\
        \tdkim=pass header.i=@example.com header.s=s1 header.b=abc;\n\
        \tspf=softfail (mx.example.org: domain of a@bounce.example.com does not designate 192.0.2.1 as permitted sender) smtp.mailfrom=a@bounce.example.com;\n\
        \tdmarc=pass (p=REJECT sp=NONE dis=NONE) header.from=example.com\n\
        Authentication-Results: forged.example.net; dmarc=fail header.from=example.com\n\
        ARC-Seal: i=1; a=rsa-sha256; t=1772442930; cv=none; d=lists.example.net; s=x; b=q\n\
        ARC-Message-Signature: i=1; d=lists.example.net\n\
        ARC-Authentication-Results: i=1; lists.example.net; spf=pass smtp.mailfrom=example.com\n\
        DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=s1; t=1772442900; l=100;\n h=From:To:\n  Subject; b=abc\n\n";

    #[test]
    fn results_are_read_and_those_of_our_own_side_count() {
        let head = Head::parse(HEAD.as_bytes());
        let all = read(&head, &own("store.example.org"), Some("example.com"));
        let spf = all.spf.unwrap();
        assert_eq!(
            (spf.result.as_str(), spf.domain.as_deref()),
            ("softfail", Some("bounce.example.com"))
        );
        assert!(spf.trusted && spf.aligned);
        assert_eq!(spf.ip.unwrap().to_string(), "192.0.2.1");
        let dmarc = all.dmarc.unwrap();
        assert_eq!(
            (dmarc.result.as_str(), dmarc.policy.as_deref()),
            ("pass", Some("reject"))
        );
        let signature = &all.dkim[0];
        assert_eq!(
            (signature.result.as_deref(), signature.body_length),
            (Some("pass"), Some(100))
        );
        assert_eq!(signature.headers, ["from", "to", "subject"]);
        let arc = all.arc.unwrap();
        assert!(arc.complete);
        assert_eq!(
            (arc.cv.as_deref(), arc.sets[0].domain.as_deref()),
            (Some("none"), Some("lists.example.net"))
        );
        assert!(
            all.results
                .iter()
                .any(|r| r.instance == Some(1) && r.method == "spf")
        );
    }

    #[test]
    fn received_spf_stands_in_when_there_are_no_results() {
        let head = Head::parse(b"Received-SPF: Fail (mx.example.org: no) client-ip=192.0.2.9; envelope-from=\"a@example.com\"; helo=x; receiver=mx.example.org\n\n");
        let spf = read(&head, &own("mx.example.org"), None).spf.unwrap();
        assert_eq!(
            (spf.result.as_str(), spf.domain.as_deref(), spf.trusted),
            ("fail", Some("example.com"), true)
        );
    }

    #[test]
    fn microsoft_leaves_out_who_it_is() {
        let head = Head::parse(b"Authentication-Results: spf=pass (sender IP is 192.0.2.9) smtp.mailfrom=example.com; dkim=none; compauth=fail reason=001\n\n");
        let all = read(&head, &own("a.outlook.com"), None);
        assert!(all.results.iter().all(|r| r.trusted && r.by.is_none()));
        assert_eq!(all.results.last().unwrap().property("reason"), Some("001"));
    }

    #[test]
    fn results_below_the_line_of_an_outsider_are_not_of_our_own_side() {
        let header =
            b"Received: by mx.example.org\nAuthentication-Results: mx.example.org; dmarc=fail\n\
            Received: by out.example.net\nAuthentication-Results: mx.example.org; dmarc=pass\n\n";
        let mut own = own("mx.example.org");
        own.until = Some(2);
        let all = read(&Head::parse(header), &own, None);
        let trusted: Vec<_> = all.results.iter().map(|r| r.trusted).collect();
        assert_eq!(trusted, [true, false]);
        assert_eq!(all.dmarc.unwrap().result, "fail");
    }

    #[test]
    fn a_gap_in_the_arc_chain_shows() {
        let head = Head::parse(
            b"ARC-Seal: i=2; cv=pass; d=b.example\nARC-Seal: i=1; cv=none; d=a.example\n\n",
        );
        assert!(!read(&head, &Own::default(), None).arc.unwrap().complete);
    }
}
