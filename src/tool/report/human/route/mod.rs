//! The screen of `route`: the way in one sentence, a row for each hop with a bar for its delay,
//! then what is to be said about it, weightiest first.

mod summary;
mod table;

pub use summary::summary;

use std::net::IpAddr;

use crate::report::host;
use crate::report::human::explain::Detail;
use crate::report::page::Page;
use crate::report::painter::{Glyph, Painter, Style};
use crate::report::safe;
use crate::route::finding::Severity;
use crate::route::live::Live;
use crate::route::{Finding, Origin, Route, span};

use super::finding;

/// What the screen depends on beside the route.
#[derive(Debug, Clone, Copy)]
pub struct Look<'l> {
    /// Colour, glyphs, width.
    pub paint: Painter,
    /// How much is told.
    pub detail: Detail,
    /// The name of the input, when there are several.
    pub name: Option<&'l str>,
}

/// The screen of one route.
pub fn route(way: &Route, look: Look<'_>) -> String {
    let mut page = Page::new(look.paint);
    if look.detail == Detail::Brief {
        brief(&mut page, way, look.name);
        return page.finish();
    }
    if let Some(name) = look.name {
        super::title(&mut page, name);
    }
    headline(&mut page, way);
    if !way.hops.is_empty() {
        page.end();
        table::table(&mut page, way, look.detail);
    }
    findings(&mut page, &way.findings, look.detail);
    authentication(&mut page, way);
    if let Some(found) = &way.live {
        live(&mut page, found);
    }
    if look.detail == Detail::Full {
        details(&mut page, way);
    }
    page.finish()
}

/// One line, whole however long it is: for `grep` rather than for the eye.
fn brief(page: &mut Page, way: &Route, name: Option<&str>) {
    if let Some(name) = name {
        page.put(Style::Dim, name).put(Style::Dim, ": ");
    }
    verdict(page, way);
    match ends(way) {
        Some((start, goal)) => page
            .put(Style::Strong, &start)
            .put(Style::Plain, " ")
            .glyph(Style::Plain, Glyph::Arrow)
            .put(Style::Plain, " ")
            .put(Style::Strong, &goal)
            .put(Style::Plain, "  ")
            .put(Style::Plain, &figures(way)),
        None => page.put(Style::Strong, NO_WAY),
    };
    page.end();
}

/// What is said of a message without a trace.
const NO_WAY: &str = "no way to show";

/// The sign of the weightiest finding.
fn verdict(page: &mut Page, way: &Route) {
    let (style, glyph) = match way.findings.iter().map(|f| f.severity).max() {
        Some(Severity::Error) => (Style::Bad, Glyph::Cross),
        Some(Severity::Warning) => (Style::Passing, Glyph::Bang),
        _ => (Style::Good, Glyph::Check),
    };
    page.glyph(style, glyph).put(Style::Plain, " ");
}

/// From where and to where; none when there is no way.
fn ends(way: &Route) -> Option<(String, String)> {
    let last = way.hops.last()?;
    let start = way.origin.as_ref().map_or_else(
        || "unknown".to_owned(),
        |o| whole_name(named(o).as_deref(), o.ip),
    );
    let goal = last
        .recipient
        .clone()
        .or_else(|| way.message.to.first().cloned())
        .or_else(|| last.by.best_name().map(str::to_owned))
        .unwrap_or_else(|| "unknown".to_owned());
    Some((start, goal))
}

/// Over how many hops, how long, where it waited.
fn figures(way: &Route) -> String {
    let hops = way.hops.len();
    let mut figures = format!("{hops} hop{}", if hops == 1 { "" } else { "s" });
    if let Some(total) = way.total_s.filter(|_| hops > 1) {
        figures += &format!(", {}", span(total));
    }
    if let Some(slowest) = way.slowest_hop.filter(|_| hops > 1) {
        figures += &format!(", slowest: hop {slowest}");
    }
    figures
}

/// From where, to where, over how many hops, how long, where it waited.
fn headline(page: &mut Page, way: &Route) {
    verdict(page, way);
    let Some((start, goal)) = ends(way) else {
        page.put(Style::Strong, NO_WAY).end();
        return;
    };
    let figures = figures(way);
    // The figures stand behind the names when all of it fits, else below.
    let width = page.painter().width;
    let names = safe::width(&start) + safe::width(&goal) + 5;
    let beside = names + safe::width(&figures) + 3 <= width;
    let room = width.saturating_sub(6);
    let (start_room, _) = share(&start, &goal, room);
    let start = match &way.origin {
        Some(origin) if safe::width(&start) > start_room => {
            let ip = origin.ip.map(|ip| format!(" [{ip}]")).unwrap_or_default();
            let host = named(origin).unwrap_or_default();
            let mark = page.painter().glyph(Glyph::Ellipsis);
            host::cut(&host, start_room.saturating_sub(safe::width(&ip)), mark) + &ip
        }
        _ => start,
    };
    put_cut_to(page, Style::Strong, &start, start_room);
    page.put(Style::Plain, " ")
        .glyph(Style::Plain, Glyph::Arrow)
        .put(Style::Plain, " ");
    page.put_cut(Style::Strong, &goal);
    if beside {
        page.put(Style::Plain, "   ");
    } else {
        page.end().put(Style::Plain, "  ");
    }
    page.put(Style::Plain, &figures).end();
}

/// Gives the room that one of two texts does not need to the other.
fn share(one: &str, other: &str, room: usize) -> (usize, usize) {
    let (a, b, half) = (safe::width(one), safe::width(other), room / 2);
    match (a <= half, b <= half) {
        (true, _) => (a, room - a),
        (_, true) => (room - b, b),
        _ => (half, room - half),
    }
}

fn put_cut_to(page: &mut Page, style: Style, text: &str, most: usize) {
    let text = page.safe(text).into_owned();
    let mark = page.painter().glyph(Glyph::Ellipsis);
    let cut = safe::cut(&text, most, mark).into_owned();
    page.put(style, &cut);
}

/// The host, in quotes when that is only what it called itself.
fn named(origin: &Origin) -> Option<String> {
    let host = origin.host.as_deref()?;
    Some(if origin.claimed {
        format!("\"{host}\"")
    } else {
        host.to_owned()
    })
}

fn whole_name(name: Option<&str>, ip: Option<IpAddr>) -> String {
    match (name, ip) {
        (Some(name), Some(ip)) => format!("{name} [{ip}]"),
        (Some(name), None) => name.to_owned(),
        (None, Some(ip)) => format!("[{ip}]"),
        (None, None) => "unknown".to_owned(),
    }
}

fn findings(page: &mut Page, all: &[Finding], detail: Detail) {
    /// The column of the words.
    const WORDS: usize = 23;
    /// What everybody's mail shows is told only when asked for.
    const QUIET: [&str; 3] = ["direct", "date-old", "return-path"];
    let shown: Vec<&Finding> = all
        .iter()
        .filter(|f| detail == Detail::Full || !QUIET.contains(&f.code))
        .collect();
    if shown.is_empty() {
        return;
    }
    page.end();
    for one in shown {
        let mark = page.painter().glyph(Glyph::Ellipsis);
        let place = hops(&one.hops);
        let place = safe::cut(&place, WORDS - finding::PLACE - 1, mark);
        let column = finding::begin(page, one.severity, &place, WORDS);
        page.wrap(Style::Plain, column, &one.text);
    }
}

/// `hop 2`, `hops 2, 3`, `hops 1 … 9`.
fn hops(hops: &[usize]) -> String {
    let mut sorted = hops.to_vec();
    sorted.sort_unstable();
    match sorted.as_slice() {
        [] => String::new(),
        [one] => format!("hop {one}"),
        [a, b] => format!("hops {a}, {b}"),
        [a, b, c] => format!("hops {a}, {b}, {c}"),
        [a, .., z] => format!("hops {a} … {z}"),
    }
}

fn authentication(page: &mut Page, way: &Route) {
    let all = &way.authentication;
    let mut said: Vec<String> = Vec::new();
    let named = |domain: &Option<String>| {
        domain
            .as_deref()
            .map(|d| format!(" ({d})"))
            .unwrap_or_default()
    };
    if let Some(spf) = &all.spf {
        said.push(format!("SPF {}{}", spf.result, named(&spf.domain)));
    }
    for signature in all.dkim.iter().take(3) {
        let result = signature
            .result
            .as_deref()
            .unwrap_or("signed, not verified");
        said.push(format!("DKIM {result} ({})", signature.domain));
    }
    if let Some(dmarc) = &all.dmarc {
        said.push(format!("DMARC {}{}", dmarc.result, named(&dmarc.domain)));
    }
    if let Some(arc) = &all.arc {
        // The first sealer has no chain before it to speak of (`cv=none`).
        let sealer = arc.sets.last().and_then(|s| s.domain.as_deref());
        said.push(match (arc.sets.len(), sealer) {
            (1, Some(sealer)) => format!("ARC sealed by {sealer}"),
            (count, _) => format!(
                "ARC {}, {count} set{}",
                arc.cv.as_deref().unwrap_or("unknown"),
                if count == 1 { "" } else { "s" }
            ),
        });
    }
    if said.is_empty() {
        return;
    }
    page.end();
    page.put(Style::Plain, " ")
        .put(Style::Strong, "sender")
        .tab(10);
    page.wrap(Style::Plain, 10, &said.join("; "));
}

/// What the DNS said just now.
fn live(page: &mut Page, live: &Live) {
    let mut said: Vec<String> = Vec::new();
    if let Some(why) = &live.skipped {
        said.push(format!("nothing asked about the sender's address: {why}"));
    }
    let because = |why: Option<&str>| match why {
        Some(why) => format!(" ({why})"),
        None => String::new(),
    };
    if let Some(rdns) = &live.rdns {
        said.push(match (&rdns.name, rdns.confirmed) {
            (Some(name), Some(true)) => format!("{} is {name}, and {name} leads back", rdns.ip),
            (Some(name), Some(false)) => format!("{} calls itself {name}, unconfirmed", rdns.ip),
            (None, Some(_)) => format!("{} has no reverse name", rdns.ip),
            (_, None) => format!(
                "reverse name of {} not known{}",
                rdns.ip,
                because(rdns.why.as_deref())
            ),
        });
    }
    if let Some(spf) = &live.spf {
        let why = because(spf.why.as_deref());
        said.push(format!("SPF {} for {}{why}", spf.result, spf.domain));
    }
    for one in &live.dkim {
        let why = because(one.remark().as_deref());
        said.push(format!("DKIM {} ({}){why}", one.result, one.domain));
    }
    if let Some(arc) = &live.arc {
        let plural = if arc.sets == 1 { "" } else { "s" };
        said.push(format!("ARC {}, {} set{plural}", arc.result, arc.sets));
    }
    if said.is_empty() {
        said.push("no signature and no address to ask about".to_owned());
    }
    page.end();
    page.put(Style::Plain, " ")
        .put(Style::Strong, "today")
        .tab(10);
    page.wrap(Style::Plain, 10, &said.join("; "));
}

/// Everything else that is known: filters in words, and the lines themselves.
fn details(page: &mut Page, way: &Route) {
    if !way.verdicts.is_empty() {
        page.end();
        page.put(Style::Plain, " ")
            .put(Style::Strong, "filters")
            .end();
        for verdict in &way.verdicts {
            let key = verdict
                .key
                .as_deref()
                .map(|k| format!("{k}:{} ", verdict.value))
                .unwrap_or_default();
            let text = format!("{} {key}{}", verdict.field, verdict.meaning);
            page.tab(3).wrap(Style::Plain, 5, &text);
        }
    }
    page.end();
    page.put(Style::Plain, " ")
        .put(Style::Strong, "lines")
        .end();
    for hop in &way.hops {
        page.put(Style::Plain, &format!("{:>3} ", hop.n))
            .wrap(Style::Dim, 5, &hop.raw);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::layer::Head;

    const HEADER: &str = "Received: from hormel.redhat.com (hormel.redhat.com [209.132.177.30])\n\
        \tby michelangelo.renaissoft.com (8.12.10/8.12.10/1.1) with ESMTP id i2T7sDtD013132\n\
        \tfor <dee@renaissoft.com>; Sun, 28 Mar 2004 23:54:14 -0800\n\
        Received: from listman.example.net (listman.example.net [192.0.2.10])\n\
        \tby hormel.redhat.com (8.12.10/8.12.10) with ESMTP id i2T7s9tD013131; Mon, 29 Mar 2004 07:54:09 +0000\n\
        Received: from pc9 (pc9.example.org [198.51.100.9]) by listman.example.net (Postfix)\n\
        \twith ESMTPSA id 4XyZaB1cD2z9Q; Mon, 29 Mar 2004 07:54:02 +0000\n\n";

    fn shown(width: usize, detail: Detail) -> String {
        let way = crate::route::of(&Head::parse(HEADER.as_bytes()), &[]);
        route(
            &way,
            Look {
                paint: Painter::plain(width),
                detail,
                name: None,
            },
        )
    }

    #[test]
    fn the_screen_has_a_headline_a_table_and_findings() {
        let text = shown(80, Detail::Normal);
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].contains("pc9.example.org [198.51.100.9] → dee@renaissoft.com"),
            "{text}"
        );
        assert!(lines[1].contains("3 hops, 12 s, slowest: hop 2"), "{text}");
        assert!(lines[4].contains("MUA→MSA"), "{text}");
        assert!(
            lines[5].contains("MSA→MTA") && lines[5].contains("7 s ████"),
            "{text}"
        );
        assert!(
            text.contains("hops 2, 3") && text.contains("clear text"),
            "{text}"
        );
    }

    #[test]
    fn no_line_is_wider_than_told() {
        for width in [40, 60, 80, 120, 200] {
            for detail in [Detail::Normal, Detail::Full] {
                let text = shown(width, detail);
                for line in text.lines() {
                    assert!(safe::width(line) <= width, "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn quiet_is_one_line_that_begins_with_the_name() {
        let way = crate::route::of(&Head::parse(HEADER.as_bytes()), &[]);
        let look = |name| Look {
            paint: Painter::plain(40),
            detail: Detail::Brief,
            name,
        };
        assert_eq!(
            route(&way, look(Some("box, message 2"))),
            "box, message 2: ! pc9.example.org [198.51.100.9] → dee@renaissoft.com  3 hops, 12 s, \
             slowest: hop 2\n"
        );
        let none = route(&Route::default(), look(None));
        assert_eq!(none, "✓ no way to show\n");
    }

    #[test]
    fn on_a_narrow_screen_the_words_stand_below_the_hops() {
        let text = shown(40, Detail::Normal);
        let lines: Vec<&str> = text.lines().collect();
        let at = lines
            .iter()
            .position(|l| l.starts_with(" warning"))
            .unwrap();
        assert_eq!(lines[at], " warning  hops 2, 3");
        assert!(
            lines[at + 1].starts_with("   crossed the open Internet"),
            "{text}"
        );
    }

    fn of(header: &str, detail: Detail) -> String {
        let way = crate::route::of(&Head::parse(header.as_bytes()), &[]);
        let paint = Painter::plain(100);
        let look = Look {
            paint,
            detail,
            name: None,
        };
        route(&way, look)
    }

    #[test]
    fn verbose_tells_the_filters_in_words_and_the_lines_as_they_came() {
        let header = format!("X-Spam-Status: Yes, score=9.1 required=5.0\n{HEADER}");
        let text = of(&header, Detail::Full);
        let filters = text.find("\n filters\n     X-Spam-Status").unwrap();
        let lines = text.find("\n lines\n  1  from pc9").unwrap();
        assert!(filters < lines, "{text}");
        assert!(!of(&header, Detail::Normal).contains("\n lines\n"));
        assert!(!of(HEADER, Detail::Full).contains("\n filters\n"));
    }

    #[test]
    fn a_mail_without_a_trace_has_no_way_to_show() {
        let text = of("Subject: x\n\n", Detail::Normal);
        assert!(text.lines().next().unwrap().ends_with(NO_WAY), "{text}");
    }

    #[test]
    fn more_than_three_hops_are_told_by_the_first_and_the_last() {
        assert_eq!(hops(&[]), "");
        assert_eq!(hops(&[3, 2]), "hops 2, 3");
        assert_eq!(hops(&[7, 2, 4, 1]), "hops 1 … 7");
    }

    #[test]
    fn what_the_dns_says_of_the_reverse_name_today_is_told_in_words() {
        use crate::route::live::Reverse;
        let said = |name: Option<&str>, confirmed, why: Option<&str>| {
            let mut page = Page::new(Painter::plain(100));
            let rdns = Reverse {
                ip: "192.0.2.1".parse().unwrap(),
                hop: 1,
                name: name.map(str::to_owned),
                confirmed,
                why: why.map(str::to_owned),
            };
            let known = Live {
                rdns: Some(rdns),
                ..Live::default()
            };
            live(&mut page, &known);
            page.finish().trim().replace("today    ", "")
        };
        let name = Some("mx.x.test");
        assert_eq!(
            said(name, Some(true), None),
            "192.0.2.1 is mx.x.test, and mx.x.test leads back"
        );
        assert_eq!(
            said(name, Some(false), None),
            "192.0.2.1 calls itself mx.x.test, unconfirmed"
        );
        assert_eq!(
            said(None, Some(false), None),
            "192.0.2.1 has no reverse name"
        );
        assert_eq!(
            said(None, None, Some("no answer in time")),
            "reverse name of 192.0.2.1 not known (no answer in time)"
        );
        let mut page = Page::new(Painter::plain(100));
        live(&mut page, &Live::default());
        assert!(
            page.finish()
                .contains("no signature and no address to ask about")
        );
    }

    #[test]
    fn ascii_stays_ascii() {
        let way = crate::route::of(&Head::parse(HEADER.as_bytes()), &[]);
        let paint = Painter {
            unicode: false,
            ..Painter::plain(80)
        };
        let text = route(
            &way,
            Look {
                paint,
                detail: Detail::Full,
                name: Some("a"),
            },
        );
        assert!(text.is_ascii(), "{text}");
    }
}
