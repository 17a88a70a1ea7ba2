//! `mailtrace check` for people: the verdict, the findings, the table of servers, and with `-v`
//! every word that was said.

use std::net::SocketAddr;
use std::time::Duration;

use crate::check::{Answer, Checkup, Finding, Outcome, Server, Severity};
use crate::report::page::Page;
use crate::report::painter::{Glyph, Painter, Style};
use crate::report::safe;
use crate::report::table::Table;
use crate::smtp::Stage;
use crate::smtp::tls::trust::{Dates, Fault};

use super::finding;

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// The verdict only.
    Brief,
    /// Verdict, findings, servers.
    Normal,
    /// All of it, also findings without weight, and the dialogue.
    Full,
}

/// The column that the text of a finding starts at, at the most.
const WIDEST_SUBJECT: usize = 26;
/// Findings of no weight that are shown without `-v`.
const MOST_INFO: usize = 3;
/// Lines of one reply that are shown.
const MOST_LINES: usize = 60;

/// The text about one target.
pub fn check(what: &Checkup, paint: Painter, detail: Detail) -> String {
    let mut page = Page::new(paint);
    let (style, glyph) = look(what);
    page.glyph(style, glyph).put(Style::Plain, " ");
    if detail == Detail::Brief {
        page.put(Style::Strong, &what.headline).end();
        return page.finish();
    }
    page.wrap(Style::Strong, 2, &what.headline);
    findings(&mut page, what, detail);
    let mut text = page.finish();
    if !what.servers.is_empty() {
        text.push('\n');
        text.push_str(&servers(what, paint));
    }
    if detail == Detail::Full {
        text.push_str(&records(what, paint));
        text.push_str(&dialogues(what, paint));
    }
    text
}

fn look(what: &Checkup) -> (Style, Glyph) {
    match (what.answer, what.worst()) {
        (Answer::No, _) => (Style::Bad, Glyph::Cross),
        (Answer::Unknown, _) => (Style::Passing, Glyph::Question),
        (Answer::Yes, Some(Severity::Warning)) => (Style::Passing, Glyph::Bang),
        (Answer::Yes, _) => (Style::Good, Glyph::Check),
    }
}

fn findings(page: &mut Page, what: &Checkup, detail: Detail) {
    let mut left_out = 0;
    let mut infos = 0;
    let shown: Vec<&Finding> = what
        .findings
        .iter()
        .filter(|f| {
            infos += usize::from(f.severity == Severity::Info);
            let show = f.severity > Severity::Info || detail == Detail::Full || infos <= MOST_INFO;
            left_out += usize::from(!show);
            show
        })
        .collect();
    if shown.is_empty() {
        return;
    }
    page.end();
    let widest = shown
        .iter()
        .map(|f| safe::width(&f.subject))
        .max()
        .unwrap_or(0);
    let column = finding::PLACE + widest.min(WIDEST_SUBJECT) + 2;
    for one in shown {
        let column = finding::begin(page, one.severity, &one.subject, column);
        page.wrap(Style::Plain, column, &sentence(&one.text));
        if !one.advice.is_empty() && one.severity > Severity::Info {
            page.tab(column).wrap(Style::Dim, column, &one.advice);
        }
    }
    if left_out > 0 {
        let text = format!(" {left_out} more notes without weight; -v shows them");
        page.put(Style::Dim, &text).end();
    }
}

/// With a capital at the start and a stop at the end.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let word = text.split(' ').next().unwrap_or_default();
    // The name of a host is written as it is.
    let is_name = word.trim_end_matches([':', ',']).contains(['.', ':', '@']);
    let first = chars.next().map(|c| match is_name {
        true => c.to_string(),
        false => c.to_uppercase().to_string(),
    });
    let end = if text.ends_with(['.', ')', '!', '?']) {
        ""
    } else {
        "."
    };
    format!("{}{}{end}", first.unwrap_or_default(), chars.as_str())
}

/// The table of servers. Where it is too wide the times go first: `-v` tells them too.
fn servers(what: &Checkup, paint: Painter) -> String {
    let mut table = Table::new(
        paint,
        &[
            "pref", "server", "address", "connect", "banner", "TLS", "RCPT",
        ],
    );
    for server in &what.servers {
        let preference = server.preference.map_or("-".to_string(), |p| p.to_string());
        let address = if matches!(server.port, 25) {
            server.ip.to_string()
        } else {
            SocketAddr::new(server.ip, server.port).to_string()
        };
        table.row(&[
            preference,
            server.host.clone(),
            address,
            time(server, Stage::Connect),
            time(server, Stage::Banner),
            encryption(server),
            recipient(server),
        ]);
    }
    for spare in ["banner", "connect"] {
        if !table.fits() {
            table.leave_out(spare);
        }
    }
    table.finish()
}

fn time(server: &Server, stage: Stage) -> String {
    let step = server.steps.iter().find(|s| s.stage == stage);
    match step {
        Some(step) if step.reply.is_some() || stage == Stage::Connect && server.reachable => {
            duration(step.took)
        }
        Some(_) => "failed".to_string(),
        None => "-".to_string(),
    }
}

fn duration(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1000.0;
    match ms {
        ..10.0 => format!("{ms:.1} ms"),
        ..1000.0 => format!("{ms:.0} ms"),
        _ => format!("{:.1} s", ms / 1000.0),
    }
}

fn encryption(server: &Server) -> String {
    let tls = &server.tls;
    let Some(session) = &tls.session else {
        return match (tls.old_version, &tls.error, tls.offered) {
            (Some(version), ..) => format!("{} only", version.trim_start_matches("TLSv")),
            (None, Some(_), _) => "failed".to_string(),
            (None, None, true) => "offered".to_string(),
            (None, None, false) if server.name.is_none() => "-".to_string(),
            (None, None, false) => "none".to_string(),
        };
    };
    let version = session.version.trim_start_matches("TLSv");
    let Some(opinion) = &tls.opinion else {
        return version.to_string();
    };
    use crate::posture::dane::State;
    let word = match (opinion.dates, tls.dane, opinion.name_ok, &opinion.chain) {
        (_, Some(State::Verified), ..) => "DANE",
        (Dates::Expired(_), ..) => "expired",
        (Dates::NotYet(_), ..) => "not yet valid",
        (_, _, _, Err(Fault::Unreadable)) => "unreadable",
        (_, _, false, _) => "other name",
        (_, _, true, Err(Fault::SelfSigned)) => "self-signed",
        (_, _, true, Err(Fault::NoRoots)) => "not judged",
        (_, _, true, Err(_)) => "untrusted",
        (_, _, true, Ok(())) => "valid",
    };
    format!("{version}, {word}")
}

fn recipient(server: &Server) -> String {
    let Some(probe) = &server.recipient else {
        return "-".to_string();
    };
    match (&probe.reply, probe.outcome) {
        (Some(reply), _) => match reply.enhanced() {
            Some(code) => format!("{} {code}", reply.code),
            None => reply.code.to_string(),
        },
        (None, Outcome::Unknown) => "-".to_string(),
        (None, outcome) => outcome.id().to_string(),
    }
}

/// What the DNS says, with the trace of SPF.
fn records(what: &Checkup, paint: Painter) -> String {
    let Some(dns) = &what.dns else {
        return String::new();
    };
    let mut page = Page::new(paint);
    page.end().put(Style::Strong, " Records").end();
    let mut line = |label: &str, text: &str| {
        page.put(Style::Plain, "  ").put(Style::Dim, label).tab(12);
        page.wrap(Style::Plain, 12, text);
    };
    for mx in &dns.mx {
        let addresses: Vec<_> = mx.addresses.iter().map(ToString::to_string).collect();
        let signed = if mx.authentic { ", signed" } else { "" };
        line(
            "MX",
            &format!(
                "{} {} ({}{signed})",
                mx.preference,
                mx.host,
                addresses.join(", ")
            ),
        );
    }
    if let Some(spf) = &dns.spf {
        if let Some(record) = &spf.record {
            line("SPF", record);
            line(
                "",
                &format!("{} of 10 lookups, {} empty", spf.lookups, spf.voids),
            );
        }
        for step in &spf.trace {
            let indent = "  ".repeat(step.depth);
            line("", &format!("{indent}{}  {}", step.term, step.result));
        }
    }
    if let Some(applied) = dns.dmarc.as_ref().and_then(|d| d.applied.as_ref()) {
        line(
            "DMARC",
            &format!("{} (at {})", applied.record.text, applied.domain),
        );
    }
    if let Some(text) = dns.mta_sts.as_ref().and_then(|s| s.record.text.as_ref()) {
        line("MTA-STS", text);
    }
    if let Some(text) = dns.tls_rpt.as_ref().and_then(|s| s.text.as_ref()) {
        line("TLS-RPT", text);
    }
    if let Some(text) = &dns.bimi {
        line("BIMI", text);
    }
    for key in &dns.dkim {
        line(
            "DKIM",
            &format!(
                "{}: {}",
                key.selector,
                key.record.as_deref().unwrap_or("none")
            ),
        );
    }
    for pins in &dns.tlsa {
        for pin in &pins.pins {
            line("TLSA", &format!("{} {}", pins.name, pin.numbers()));
        }
    }
    page.finish()
}

fn dialogues(what: &Checkup, paint: Painter) -> String {
    let mut page = Page::new(paint);
    for server in &what.servers {
        page.end();
        let title = format!(" {} [{}]:{}", server.host, server.ip, server.port);
        page.put(Style::Strong, &title).end();
        if let Some(certificate) = server
            .tls
            .opinion
            .as_ref()
            .and_then(|o| o.certificate.as_ref())
        {
            let text = format!(
                "certificate of {}, by {}, until {}, {}",
                certificate.who(),
                certificate.issuer,
                certificate.not_after.format("%Y-%m-%d"),
                certificate.key.words()
            );
            page.put(Style::Plain, "  ").wrap(Style::Dim, 2, &text);
        }
        for step in &server.steps {
            let at = format!("  {:8.3} s ", step.at.as_secs_f64());
            let shield = if step.encrypted { "=" } else { "-" };
            if let Some(sent) = &step.sent {
                page.put(Style::Dim, &at)
                    .put(Style::Plain, &format!("{shield}> "));
                page.put_cut(Style::Plain, sent).end();
            }
            if let Some(reply) = &step.reply {
                for (n, text) in reply.lines.iter().enumerate().take(MOST_LINES) {
                    let mark = if n + 1 == reply.lines.len() { ' ' } else { '-' };
                    page.tab(13).put(Style::Plain, &format!("<{shield} "));
                    page.put_cut(Style::Plain, &format!("{}{mark}{text}", reply.code))
                        .end();
                }
            }
            if let Some(note) = &step.note {
                page.tab(13)
                    .put(Style::Plain, "** ")
                    .put_cut(Style::Dim, note)
                    .end();
            }
        }
    }
    page.finish()
}

/// The sums over many targets.
pub fn summary(verdicts: &[(&str, u64)], findings: &[(&str, u64)], paint: Painter) -> String {
    let total: u64 = verdicts.iter().map(|(_, count)| count).sum();
    let of: Vec<_> = verdicts
        .iter()
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    let mut page = Page::new(paint);
    page.wrap(
        Style::Strong,
        1,
        &format!(" {total} targets: {}", of.join(", ")),
    );
    let mut text = page.finish();
    if !findings.is_empty() {
        let mut table = Table::new(paint, &["finding", "targets"]);
        for (code, count) in findings {
            table.row(&[(*code).to_string(), count.to_string()]);
        }
        text.push('\n');
        text.push_str(&table.finish());
    }
    text
}

#[cfg(test)]
mod tests;
