//! Signs that a line is not what it says. One sign proves nothing; each has a weight, and only
//! several together are reported as forged.

use super::{Case, server};
use crate::route::finding::{Finding, Severity, Sureness};
use crate::route::hop::Hop;
use crate::route::known::{self, HOUSEHOLD};
use crate::route::net::{self, Zone};
use crate::route::received::dialect::is_exim_id;
use crate::route::received::words;

/// From this weight on the signs together are taken for a forgery, from the lower one for a doubt.
const FORGED: u32 = 3;
const DOUBTFUL: u32 = 2;
const HOUR_S: i64 = 3600;

/// Gives the index of the topmost line that looks made up.
pub(super) fn find(case: &Case<'_, '_>, found: &mut Vec<Finding>) -> Option<usize> {
    // Fields of the author: trace lines are put on top, so none of them can stand below these.
    let author = case.head.fields.iter().position(|f| {
        ["From", "Subject", "To", "Date"]
            .iter()
            .any(|n| f.name.eq_ignore_ascii_case(n))
    });
    for (i, hop) in case.route.hops.iter().enumerate() {
        if let Some(text) = &hop.from.impossible_ip {
            let text = format!(
                "{text} is no address: a number above 255. No server writes that; the line is made up"
            );
            found.push(Finding::at(
                hop.n,
                Severity::Error,
                "impossible-line",
                Sureness::High,
                text,
            ));
            continue;
        }
        if hop.from.ip.is_some_and(net::is_reserved) {
            let text = format!(
                "{} is an address from which nobody can connect",
                hop.from.ip.map(|ip| ip.to_string()).unwrap_or_default()
            );
            found.push(Finding::at(
                hop.n,
                Severity::Error,
                "impossible-line",
                Sureness::Medium,
                text,
            ));
            continue;
        }
        // Only what outsiders wrote can be forged; and where somebody edited the whole header
        // (an archive, a public report), what does not fit together shows just that.
        if case.border.at.is_none_or(|border| i >= border) || is_edited(case) {
            continue;
        }
        judge(case, i, hop, author, found);
    }
    helo(case, found);
    edited(case, found);
    let made_up = found
        .iter()
        .filter(|f| matches!(f.code, "forged-line" | "impossible-line" | "doubtful-line"));
    made_up.filter_map(|f| f.hop?.checked_sub(1)).max()
}

/// The signs that speak against one line, and what they weigh together.
#[derive(Default)]
struct Signs {
    weight: u32,
    texts: Vec<String>,
}

impl Signs {
    fn add(&mut self, weight: u32, text: impl Into<String>) {
        self.weight += weight;
        self.texts.push(text.into());
    }
}

fn judge(
    case: &Case<'_, '_>,
    i: usize,
    hop: &Hop,
    author: Option<usize>,
    found: &mut Vec<Finding>,
) {
    let mut signs = Signs::default();
    if case.border.broken.is_some_and(|at| i <= at) {
        signs.add(1, "nothing above confirms it");
    }
    let ahead = times(case, i, hop, &mut signs);
    if author.is_some_and(|a| hop.position > a) {
        signs.add(
            1,
            "it stands below the author's own fields, where no server writes",
        );
    }
    if let Some(text) = wrong_form(hop) {
        signs.add(2, text);
    }
    if let (Some(by), Some(own)) = (hop.by.best_name(), own_name(case))
        && net::same_organisation(by, own)
        && case.border.broken.is_some()
    {
        let text = format!("it claims to be of {own}, below the line at which the mail came in");
        signs.add(2, text);
    }
    bareness(case, i, hop, ahead, &mut signs);
    let (severity, code, sureness, verdict) = match signs.weight {
        FORGED.. => (
            Severity::Error,
            "forged-line",
            Sureness::Medium,
            "looks forged",
        ),
        DOUBTFUL => (
            Severity::Warning,
            "doubtful-line",
            Sureness::Low,
            "is doubtful",
        ),
        _ => return,
    };
    let text = format!(
        "the line of {} {verdict}: {}",
        server(hop),
        signs.texts.join("; ")
    );
    found.push(Finding::at(hop.n, severity, code, sureness, text));
}

/// Its time against its neighbours and the calendar; gives whether it is later than the line above
/// it by hours, and not by a wrong zone.
fn times(case: &Case<'_, '_>, i: usize, hop: &Hop, signs: &mut Signs) -> bool {
    let mut clashes = case.clocks.clashes.iter();
    let clash = clashes.find(|c| c.first == i || c.second == i);
    let clash = clash.filter(|c| !c.zone);
    if let Some(clash) = clash.filter(|c| c.seconds >= HOUR_S) {
        let text = format!(
            "its time is {} off its neighbours",
            super::span(clash.seconds)
        );
        signs.add(1, text);
    }
    if wrong_weekday(hop) {
        signs.add(
            1,
            "its weekday is wrong, and servers take it from the calendar",
        );
    }
    clash.is_some_and(|c| c.first == i && c.seconds >= 3 * HOUR_S)
}

/// What servers write and this line does not have.
fn bareness(case: &Case<'_, '_>, i: usize, hop: &Hop, ahead: bool, signs: &mut Signs) {
    let (host, id) = (hop.by.host.as_deref(), &hop.id);
    // There are filter services that write as little.
    if host.is_some_and(|host| known::service(host).is_some()) {
        return;
    }
    let by_address = host.is_some_and(|h| words::address(h).is_some())
        && hop.by.ip.is_some_and(|ip| net::zone(ip) == Zone::Public);
    let silent = hop.with.is_none() && id.is_none();
    let bare = silent && hop.by.software.is_none();
    if by_address && bare {
        signs.add(
            2,
            "it has a bare address for a server, no protocol and no id: the form of spam programs",
        );
    } else if silent && host.is_some() && hop.from.ip.is_some() {
        signs.add(1, "it has neither protocol nor id");
    } else if id.is_none() && hop.dialect.is_none() && ahead {
        signs.add(1, "it has no id");
    }
    if case.border.at == Some(i + 1) && bare && case.hop(i + 1).is_some_and(is_household) {
        signs.add(
            1,
            "the machine that brought it is no mail server by its name",
        );
    }
}

/// Whether somebody edited the header after it was received: the lines of the own side, which no
/// stranger can touch, have weekdays that do not fit their dates, or masked names.
fn is_edited(case: &Case<'_, '_>) -> bool {
    let own = case.route.hops.iter().skip(case.border.at.unwrap_or(0));
    let masked = |h: &Hop| h.by.host.as_deref().is_some_and(is_masked);
    own.into_iter().any(|h| wrong_weekday(h) || masked(h))
}

/// `xxxx.xxxx.net`, `*****.example.org`, `redacted.example`: a name that hides another.
fn is_masked(name: &str) -> bool {
    let hidden = |label: &str| {
        label.len() >= 3
            && label
                .bytes()
                .all(|b| matches!(b, b'x' | b'X' | b'*' | b'#'))
    };
    // There is a top-level domain of that name.
    let name = match name.rsplit_once('.') {
        Some((rest, top)) if top.eq_ignore_ascii_case("xxx") => rest,
        _ => name,
    };
    name.split('.')
        .any(|l| hidden(l) || words::after(l, "redacted").is_some() || l.contains("***"))
}

fn edited(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    if !is_edited(case) {
        return;
    }
    let text = "somebody edited this header after it was received (weekdays that do not fit the dates, or masked names), so names and addresses may stand for others";
    found.push(Finding::whole(
        Severity::Info,
        "edited",
        Sureness::Medium,
        text.to_owned(),
    ));
}

fn wrong_weekday(hop: &Hop) -> bool {
    hop.time.is_some_and(|t| t.wrong_weekday)
}

/// A client that has no reverse name, or one that providers give to households: the address
/// in it, or a word for the kind of line. Such machines relay for nobody.
fn is_household(hop: &Hop) -> bool {
    let Some(name) = hop.from.rdns.as_deref() else {
        return hop.states_rdns();
    };
    let numbered = match hop.from.ip {
        Some(std::net::IpAddr::V4(ip)) => {
            let [_, _, c, d] = ip.octets();
            words::find(name, &c.to_string()).is_some()
                && words::find(name, &d.to_string()).is_some()
        }
        _ => false,
    };
    numbered || HOUSEHOLD.iter().any(|w| words::find(name, w).is_some())
}

/// A line in the name of a known system, in a form that this system never writes.
fn wrong_form(hop: &Hop) -> Option<String> {
    let by = hop.by.host.as_deref().unwrap_or_default();
    let id = hop.id.as_deref().unwrap_or_default();
    let is = |name: &str| words::ends_with(by, name);
    if is("mx.google.com") || is("smtp.gmail.com") {
        // `…si123wrb.12.2026.03.02.01.15.30`: at least the date stands at the end.
        let dotted = id
            .split('.')
            .rev()
            .take(6)
            .filter(|p| p.bytes().all(|b| b.is_ascii_digit()))
            .count();
        return (dotted < 6).then(|| "Gmail's ids end in the date, this one does not".into());
    }
    if is(".protection.outlook.com") && hop.spoke("microsoft smtp") {
        let build = id.split('.').filter(|p| p.parse::<u32>().is_ok()).count();
        return (build != 4)
            .then(|| "Microsoft writes its build number for an id, this line does not".into());
    }
    match hop.dialect {
        Some("postfix") if hop.runs("postfix") && !id.is_empty() => {
            // Short ids are hexadecimal, long ones base 52 with digits; neither has other signs.
            let shaped = id.bytes().all(|b| b.is_ascii_alphanumeric());
            (!shaped).then(|| "Postfix's ids are letters and digits only".into())
        }
        Some("exim") if hop.runs("exim 4") && !id.is_empty() => (!is_exim_id(id))
            .then(|| "Exim's ids have three parts of fixed length, this one has not".into()),
        _ => None,
    }
}

/// The name of the own side, by the border's server.
fn own_name<'a>(case: &'a Case<'_, '_>) -> Option<&'a str> {
    let hop = case.border.at.and_then(|at| case.hop(at))?;
    hop.by.best_name().filter(|n| !net::is_local_name(n))
}

/// A stranger that calls itself by the receiver's own name or address.
fn helo(case: &Case<'_, '_>, found: &mut Vec<Finding>) {
    let Some(hop) = case.border.at.and_then(|at| case.hop(at)) else {
        return;
    };
    let (Some(helo), Some(by)) = (hop.from.helo.as_deref(), hop.by.best_name()) else {
        return;
    };
    // A server that talks to itself is no stranger.
    if hop.from.ip.is_some() && hop.from.ip == hop.by.ip {
        return;
    }
    let own_address = words::address(helo).is_some_and(|ip| Some(ip) == hop.by.ip);
    // With a reverse name of its own, or where the receiver looked for one and found none.
    let sureness = match hop.from.rdns.as_deref() {
        Some(rdns) if net::same_organisation(rdns, by) => None,
        Some(_) => Some(Sureness::High),
        None if hop.states_rdns() => Some(Sureness::Medium),
        None => None,
    };
    let own_name = sureness.filter(|_| helo.eq_ignore_ascii_case(by));
    if let Some(sureness) = own_name.or(own_address.then_some(Sureness::High)) {
        let text = format!(
            "the stranger called itself {helo}, which is the receiver's own name: only forgers do that"
        );
        found.push(Finding::at(
            hop.n,
            Severity::Warning,
            "forged-helo",
            sureness,
            text,
        ));
    }
}

#[cfg(test)]
mod tests {
    use crate::message::layer::Head;

    fn codes(header: &str) -> Vec<&'static str> {
        let way = crate::route::of(&Head::parse(header.as_bytes()), &[]);
        way.findings.iter().map(|f| f.code).collect()
    }

    fn chain(weekday: &str, by: &str) -> String {
        format!(
            "Received: from dsl-7.isp.example (unknown [203.0.113.7]) by {by} (Postfix) with ESMTP id 2; {weekday}, 2 Mar 2026 09:15:31 +0000\n\
             Received: from [198.51.100.4] by 203.0.113.99; {weekday}, 2 Mar 2026 09:15:30 +0000\n\n"
        )
    }

    #[test]
    fn a_line_of_spam_programs_looks_forged() {
        let found = codes(&chain("Mon", "mx.example.org"));
        assert!(found.contains(&"forged-line"), "{found:?}");
    }

    #[test]
    fn a_header_that_was_edited_as_a_whole_is_not_called_forged() {
        for header in [chain("Wed", "mx.example.org"), chain("Mon", "xxxx.xxx.org")] {
            let found = codes(&header);
            assert!(found.contains(&"edited"), "{found:?}");
            assert!(!found.iter().any(|c| c.ends_with("-line")), "{found:?}");
        }
    }

    #[test]
    fn a_server_below_the_domain_xxx_is_not_masked() {
        let found = codes(&chain("Mon", "mx.example.xxx"));
        assert!(!found.contains(&"edited"), "{found:?}");
        assert!(found.contains(&"forged-line"), "{found:?}");
    }

    #[test]
    fn a_line_hours_later_than_the_one_above_it_is_doubtful() {
        let header = "Received: from bank.example (mail1.bank.example [203.0.113.7]) by mx.example.org (Postfix) with SMTP id 2; Mon, 2 Mar 2026 09:15:31 +0000\n\
             Received: from [198.51.100.4] by mail1.bank.example with SMTP; Mon, 2 Mar 2026 23:09:30 +0000\n\n";
        let way = crate::route::of(&Head::parse(header.as_bytes()), &[]);
        assert_eq!(way.findings.first().map(|f| f.code), Some("doubtful-line"));
        // What it says of the origin counts for nothing then.
        assert_eq!(way.origin.unwrap().hop, 2);
    }

    #[test]
    fn the_receivers_own_name_is_nobody_elses() {
        let of = |rdns| {
            codes(&format!(
                "Received: from mx.example.org ({rdns}[203.0.113.7]) by mx.example.org (Postfix) with ESMTP id 2; Mon, 2 Mar 2026 09:15:31 +0000\n\n"
            ))
        };
        assert!(of("unknown ").contains(&"forged-helo"));
        assert!(of("dsl-7.isp.example ").contains(&"forged-helo"));
        // Where no reverse name is given it may be the server itself, behind its own address.
        assert!(!of("").contains(&"forged-helo"));
        assert!(!of("out.example.org ").contains(&"forged-helo"));
    }

    #[test]
    fn what_a_made_up_line_says_of_its_session_counts_for_nothing() {
        let header = chain("Mon", "mx.example.org");
        let way = crate::route::of(&Head::parse(header.as_bytes()), &[]);
        assert_eq!(way.doubt(1), crate::route::Doubt::Forged);
        assert_eq!(way.doubt(2), crate::route::Doubt::Unknown);
        let clear = way.findings.iter().find(|f| f.code == "no-tls");
        assert_eq!(clear.map(|f| f.hops.clone()), Some(vec![2]));
    }
}
