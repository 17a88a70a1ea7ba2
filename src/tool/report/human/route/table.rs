//! The table of hops: number, roles, names, delay with its bar, session.

use crate::report::host;
use crate::report::human::explain::Detail;
use crate::report::page::Page;
use crate::report::painter::{Glyph, Style};
use crate::report::safe;
use crate::route::hop::{Hop, Role};
use crate::route::net::{self, Zone};
use crate::route::{Doubt, Route, span};

use super::share;

/// Columns of the table: number, roles; the rest is shared out.
const ROLES_AT: usize = 5;
const NAMES_AT: usize = 15;
/// The longest duration, `10 days`.
const SPAN: usize = 7;
/// Protocol and encryption.
const WITH: usize = 15;
/// A narrower page has no room for two names and a bar.
const NARROW: usize = 76;
/// On a still narrower one what a session was stands below the names.
const STACKED: usize = 60;
/// A name that the row above shows in full needs no more.
const KNOWN_NAME: usize = 11;

/// Where the columns of the table stand, by the width of the page.
#[derive(Clone, Copy)]
struct Columns {
    took_at: usize,
    with_at: usize,
    bar: usize,
}

impl Columns {
    fn of(width: usize) -> Self {
        let width = width.clamp(STACKED - 24, 160);
        if width < STACKED {
            return Self {
                took_at: width.saturating_sub(SPAN),
                with_at: NAMES_AT,
                bar: 0,
            };
        }
        let bar = match width {
            ..NARROW => 0,
            NARROW..100 => 4,
            _ => 7,
        };
        let with_at = width.saturating_sub(WITH);
        Self {
            took_at: with_at.saturating_sub(SPAN + 1 + bar + usize::from(bar > 0)),
            with_at,
            bar,
        }
    }

    /// Below this the row above must do for the client.
    const fn only_server(self) -> bool {
        self.bar == 0
    }

    /// What the session was stands in a line of its own.
    const fn stacked(self) -> bool {
        self.with_at < self.took_at
    }
}

pub(super) fn table(page: &mut Page, way: &Route, detail: Detail) {
    let columns = Columns::of(page.painter().width);
    page.put(Style::Dim, "  #")
        .tab(ROLES_AT)
        .put(Style::Dim, "role")
        .tab(NAMES_AT);
    if columns.only_server() {
        page.put(Style::Dim, "to");
    } else {
        page.put(Style::Dim, "from ")
            .glyph(Style::Dim, Glyph::Arrow)
            .put(Style::Dim, " by");
    }
    page.tab(columns.took_at).put(Style::Dim, "   took");
    if !columns.stacked() {
        page.tab(columns.with_at).put(Style::Dim, "with");
    }
    page.end();
    let most = way.hops.iter().filter_map(|h| h.took_s).max().unwrap_or(0);
    let mut hidden = 0;
    let mut before: Option<&str> = None;
    for hop in &way.hops {
        // The queue lines of qmail tell nothing that the line of the same host does not tell.
        if hop.inner && detail != Detail::Full && way.hops.len() > 1 {
            hidden += 1;
            continue;
        }
        let known = before
            .zip(hop.from.best_name())
            .is_some_and(|(by, from)| by.eq_ignore_ascii_case(from));
        row(page, hop, most, columns, (known, way.doubt(hop.n)));
        before = hop.by.best_name();
    }
    if hidden > 0 {
        let text = format!(
            "{hidden} inner line{} of a queue not shown (-v shows all)",
            if hidden == 1 { "" } else { "s" }
        );
        page.tab(ROLES_AT).put(Style::Dim, &text).end();
    }
}

/// One hop; `known` when the row above shows the client as its server.
fn row(page: &mut Page, hop: &Hop, most: i64, columns: Columns, (known, doubt): (bool, Doubt)) {
    page.put(Style::Plain, &format!("{:>3}", hop.n))
        .tab(ROLES_AT);
    page.put(Style::Plain, word(hop.from_role))
        .glyph(Style::Plain, Glyph::Arrow)
        .put(Style::Plain, word(hop.role));
    page.tab(NAMES_AT);
    let room = columns.took_at.saturating_sub(NAMES_AT + 1);
    let arrow = page.painter().glyph(Glyph::Arrow);
    let names_room = room.saturating_sub(safe::width(arrow) + 2);
    let from = client(hop);
    let by = hop.by.best_name().unwrap_or("?").to_owned();
    let (from_room, by_room) = if known && names_room > 2 * KNOWN_NAME {
        // The other name gets what it needs first.
        let by_room = safe::width(&by).min(names_room - KNOWN_NAME);
        (names_room - by_room, by_room)
    } else {
        share(&from, &by, names_room)
    };
    if columns.only_server() {
        put_host(page, &by, room);
    } else {
        put_host(page, &from, from_room);
        page.put(Style::Plain, " ")
            .glyph(Style::Dim, Glyph::Arrow)
            .put(Style::Plain, " ");
        put_host(page, &by, by_room);
    }
    page.tab(columns.took_at);
    took(page, hop, most, columns.bar, doubt);
    if columns.stacked() {
        page.end();
    }
    page.tab(columns.with_at);
    let with = session(hop);
    // `ESMTPSA, TLS 1.3` is a column too long.
    let with = if with.len() > WITH {
        with.replacen(", ", " ", 1)
    } else {
        with
    };
    page.put_cut(
        if hop.tls.used || hop.zone != Some(Zone::Public) {
            Style::Plain
        } else {
            Style::Passing
        },
        &with,
    );
    page.end();
}

fn client(hop: &Hop) -> String {
    match (&hop.from.login, hop.from.best_name(), hop.from.ip) {
        (Some(login), _, None) => format!("user {login}"),
        // A word without a domain says less than the address.
        (_, Some(name), Some(ip)) if !name.contains('.') && !net::is_local_name(name) => {
            ip.to_string()
        }
        (_, Some(name), _) => name.to_owned(),
        (_, None, Some(ip)) => ip.to_string(),
        (_, None, None) => "-".to_owned(),
    }
}

fn word(role: Role) -> &'static str {
    match role {
        Role::Mua => "MUA",
        Role::Msa => "MSA",
        Role::Mta => "MTA",
        Role::Mfa => "MFA",
        Role::Mda => "MDA",
        Role::List => "list",
        Role::Fetch => "fetch",
    }
}

/// The delay with its bar; a delay that the clocks deny is said to be none.
fn took(page: &mut Page, hop: &Hop, most: i64, width: usize, doubt: Doubt) {
    let Some(took) = hop.took_s else {
        let text = match (hop.time, hop.delay_s) {
            _ if doubt == Doubt::Forged => "forged?",
            (None, _) => "no time",
            (Some(t), _) if !t.is_sure() => "no zone",
            (_, Some(_)) if doubt == Doubt::Unknown => "unknown",
            (_, Some(delay)) if delay < 0 || hop.clock_off_s.is_some() => {
                // Without a bar there is no room for two words; whose clock it is may be open.
                match (width, hop.clock_off_s) {
                    (0, _) => "skewed",
                    (_, Some(_)) => "clock wrong",
                    (_, None) => "clocks off",
                }
            }
            (_, Some(_)) => "unknown",
            (_, None) => "-",
        };
        page.put(Style::Dim, &format!("{text:>SPAN$}"));
        return;
    };
    let text = span(took);
    page.put(Style::Plain, &format!("{:>SPAN$}", short(&text)));
    let bar = bar(took, most, width, page.painter().unicode);
    if width == 0 {
        return;
    }
    page.put(Style::Plain, " ").put(
        if took >= 3600 {
            Style::Passing
        } else {
            Style::Dim
        },
        &bar,
    );
}

/// `3 h 5 min` in seven columns: the first part alone when both do not fit.
fn short(text: &str) -> String {
    if text.len() <= SPAN {
        return text.to_owned();
    }
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// A bar of eighths of a column, as long as the share of the longest delay.
fn bar(took: i64, most: i64, width: usize, unicode: bool) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if most <= 0 || took <= 0 || width == 0 {
        return String::new();
    }
    let full = i64::try_from(width * 8).unwrap_or(32);
    let length = (took.saturating_mul(full) / most).clamp(1, full);
    let (whole, part) = (
        usize::try_from(length / 8).unwrap_or(0),
        usize::try_from(length % 8).unwrap_or(0),
    );
    if !unicode {
        return "#".repeat(whole.max(1));
    }
    "█".repeat(whole) + EIGHTHS.get(part).copied().unwrap_or_default()
}

/// Protocol and encryption in few words.
fn session(hop: &Hop) -> String {
    let with = hop.with.as_deref().or(hop.via.as_deref()).unwrap_or("-");
    let with = match with {
        "Microsoft SMTP Server" | "Microsoft SMTPSVC" => "SMTP",
        other => other,
    };
    match hop.tls.version {
        Some(version) => format!("{with}, {}", version.replace("TLSv", "TLS ")),
        None if hop.tls.used => format!("{with}, TLS"),
        // Of web mail and collectors the lines say nothing of this kind.
        None if hop.zone == Some(Zone::Public) && hop.is_smtp() => format!("{with}, no TLS"),
        None => with.to_owned(),
    }
}

fn put_host(page: &mut Page, name: &str, most: usize) {
    let name = page.safe(name).into_owned();
    let mark = page.painter().glyph(Glyph::Ellipsis);
    let cut = host::cut(&name, most, mark);
    page.put(Style::Plain, &cut);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_with_the_delay() {
        assert_eq!(bar(10, 10, 7, true), "███████");
        assert_eq!(bar(0, 10, 7, true), "");
        assert_eq!(bar(1, 1000, 7, true), "▏");
        assert_eq!(bar(6, 10, 7, false), "####");
    }
}
