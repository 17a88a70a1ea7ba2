//! What the DNS says today about the one who handed the message over, and about its signatures.
//! This room asks nobody: it says whom the questions are about, and what the answers mean; `app`
//! asks in between.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::route::finding::{Finding, Severity, Sureness};
use crate::route::net::{self, Zone};
use crate::route::{HandlerKind, Route};

/// Whom the questions about the border hop are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// The hop.
    pub hop: usize,
    /// Its address; public, nothing else is ever asked about.
    pub ip: IpAddr,
    /// What it called itself; empty when that is not told.
    pub helo: String,
    /// The envelope sender; none for the empty one and where no line tells it.
    pub sender: Option<String>,
}

/// What the answers were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Live {
    /// Why nothing was asked about the client of the border hop.
    pub skipped: Option<String>,
    /// The reverse name of its address.
    pub rdns: Option<Reverse>,
    /// Whether it may send for the domain of the envelope sender.
    pub spf: Option<Spf>,
    /// The signatures, in the order of the header.
    pub dkim: Vec<Signature>,
    /// The ARC chain.
    pub arc: Option<Arc>,
}

/// A reverse name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reverse {
    /// The address that was asked about.
    pub ip: IpAddr,
    /// The hop it stands in.
    pub hop: usize,
    /// The name, if there is one.
    pub name: Option<String>,
    /// Whether it leads back to the address; none when the DNS did not tell.
    pub confirmed: Option<bool>,
    /// Why nothing is known.
    pub why: Option<String>,
}

/// An SPF evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spf {
    /// The address that was judged.
    pub ip: IpAddr,
    /// The hop it stands in.
    pub hop: usize,
    /// The domain whose record was asked.
    pub domain: String,
    /// `mailfrom` or `helo`.
    pub identity: &'static str,
    /// `pass`, `fail`, `softfail`, `neutral`, `none`, `temperror`, `permerror`.
    pub result: &'static str,
    /// The term that decided, or what is wrong.
    pub why: Option<String>,
}

/// A signature, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// `d=`
    pub domain: String,
    /// `s=`
    pub selector: String,
    /// `pass`, `fail`, `permerror`, `temperror`, `policy`.
    pub result: &'static str,
    /// What is wrong.
    pub why: Option<String>,
    /// The message was changed, rather than a key lacking.
    pub changed: bool,
    /// Octets at the end of the body that it does not cover, though it holds.
    pub uncovered: u64,
    /// The domain is that of `From` (relaxed).
    pub aligned: bool,
}

/// An ARC chain, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arc {
    /// How many sets there are.
    pub sets: usize,
    /// Who sealed last.
    pub sealer: Option<String>,
    /// `pass`, `fail`, `temperror`.
    pub result: &'static str,
    /// The instance at which it fails, and what is wrong.
    pub why: Option<(usize, String)>,
}

impl Signature {
    /// What is wrong, or what a signature that holds leaves open.
    pub fn remark(&self) -> Option<Cow<'_, str>> {
        match (&self.why, self.uncovered) {
            (Some(why), _) => Some(Cow::Borrowed(why)),
            (None, 0) => None,
            (None, 1) => Some("it does not cover the last octet of the body (l=)".into()),
            (None, n) => {
                Some(format!("it does not cover the last {n} octets of the body (l=)").into())
            }
        }
    }
}

impl Live {
    /// Whether something was asked, and nobody answered.
    pub fn is_silence(&self) -> bool {
        let rdns = self.rdns.as_ref().map(|r| r.confirmed.is_some());
        let spf = self.spf.as_ref().map(|s| s.result != "temperror");
        let dkim = self.dkim.iter().map(|d| d.result != "temperror");
        let arc = self.arc.as_ref().map(|a| a.result != "temperror");
        let told: Vec<bool> = rdns.into_iter().chain(spf).chain(dkim).chain(arc).collect();
        !told.is_empty() && told.iter().all(|told| !told)
    }
}

impl Route {
    /// Whom to ask about: the client of the border hop; else the reason why there is none.
    pub fn stranger(&self) -> Result<Stranger, String> {
        let Some(hop) = self.border.and_then(|n| self.hops.get(n.checked_sub(1)?)) else {
            return Err("the lines name no server outside the own side".to_owned());
        };
        let Some(ip) = hop.from.ip else {
            return Err("the line of the border tells no address".to_owned());
        };
        if net::zone(ip) != Zone::Public || net::is_reserved(ip) {
            return Err(format!(
                "{ip} is no public address; the DNS knows nothing of it"
            ));
        }
        let envelope = hop
            .envelope_from
            .as_deref()
            .or(self.message.return_path.as_deref());
        Ok(Stranger {
            hop: hop.n,
            ip,
            helo: hop.from.helo.clone().unwrap_or_default(),
            sender: envelope.filter(|e| e.contains('@')).map(str::to_owned),
        })
    }

    /// Takes the answers in and says what they mean.
    pub fn learn(&mut self, live: Live) {
        let listed = self.handlers.iter().any(|h| h.kind == HandlerKind::List);
        let mut found = Vec::new();
        if let Some(reverse) = &live.rdns {
            found.extend(of_reverse(reverse));
        }
        if let Some(spf) = &live.spf {
            found.extend(of_spf(spf));
        }
        let holds = |one: &Signature| one.result == "pass";
        let some_holds = live.dkim.iter().any(holds);
        let whole_holds = live.dkim.iter().any(|d| holds(d) && d.uncovered == 0);
        for signature in &live.dkim {
            found.extend(of_signature(signature, some_holds, listed));
            found.extend(of_partial(signature, whole_holds, listed));
        }
        if let Some((at, why)) = live
            .arc
            .as_ref()
            .filter(|a| a.result == "fail")
            .and_then(|a| a.why.as_ref())
        {
            let text = format!("the ARC chain does not hold: set {at}: {why}");
            found.push(Finding::whole(
                Severity::Info,
                "live-arc",
                Sureness::High,
                text,
            ));
        }
        self.findings.extend(found);
        self.findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
        self.live = Some(live);
    }
}

fn of_reverse(reverse: &Reverse) -> Option<Finding> {
    let ip = reverse.ip;
    let text = match (&reverse.name, reverse.confirmed) {
        (_, Some(true) | None) => return None,
        (Some(name), Some(false)) => {
            format!("the reverse name of {ip}, {name}, does not lead back to the address today")
        }
        (None, Some(false)) => format!("{ip} has no reverse name today"),
    };
    Some(Finding::at(
        reverse.hop,
        Severity::Info,
        "live-rdns",
        Sureness::High,
        text,
    ))
}

fn of_spf(spf: &Spf) -> Option<Finding> {
    let (ip, domain) = (spf.ip, &spf.domain);
    let (severity, text) = match spf.result {
        "fail" => (
            Severity::Warning,
            format!("the SPF record of {domain} forbids {ip} today"),
        ),
        "softfail" => (
            Severity::Warning,
            format!("the SPF record of {domain} does not expect {ip} today (softfail)"),
        ),
        "permerror" => (
            Severity::Info,
            format!("the SPF record of {domain} cannot be used today"),
        ),
        _ => return None,
    };
    Some(Finding::at(
        spf.hop,
        severity,
        "live-spf",
        Sureness::High,
        text,
    ))
}

fn of_signature(one: &Signature, some_holds: bool, listed: bool) -> Option<Finding> {
    let why = one.why.as_deref()?;
    if one.result == "temperror" {
        return None;
    }
    // A list changes what it passes on, and old keys are taken away; neither is an alarm.
    let (severity, remark) = match (one.changed, listed, some_holds) {
        (true, true, _) => (Severity::Info, " (lists do that)"),
        (true, false, false) => (Severity::Warning, ""),
        _ => (Severity::Info, ""),
    };
    let text = format!(
        "the signature of {} does not hold: {why}{remark}",
        one.domain
    );
    Some(Finding::whole(severity, "live-dkim", Sureness::High, text))
}

/// RFC 6376 §8.2: what stands behind the covered part may be from anybody.
fn of_partial(one: &Signature, whole_holds: bool, listed: bool) -> Option<Finding> {
    let open = one.remark().filter(|_| one.uncovered > 0)?;
    // Signers that allow for the footers of lists do this on purpose.
    let severity = match whole_holds || listed {
        true => Severity::Info,
        false => Severity::Warning,
    };
    let text = format!(
        "the signature of {} holds, but {open}: anybody on the way may have written that",
        one.domain
    );
    Some(Finding::whole(
        severity,
        "live-dkim-partial",
        Sureness::High,
        text,
    ))
}
