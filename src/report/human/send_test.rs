//! `mailtrace send-test` for people: the story with its times, the dialogue, then the verdict and
//! what it rests on: the way of what arrived, the explanation of what came back.

use std::time::Duration;

use crate::bounce::advice::Audience;
use crate::bounce::explanation::{Explanation, Recipient, Report};
use crate::report::human;
use crate::report::human::explain::Detail;
use crate::report::page::Page;
use crate::report::painter::{Glyph, Painter, Style};
use crate::report::table::Table;
use crate::send::hand_over::Handed;
use crate::send::scenario::{Played, Scenario};
use crate::send::series::Series;
use crate::send::{Outcome, Round, Status};
use crate::smtp::transcript::Exchange;

/// What the screen depends on beside the result.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Colour, glyphs, width.
    pub paint: Painter,
    /// How much is told.
    pub detail: Detail,
    /// Whom the words are for.
    pub audience: Audience,
    /// Whether the dialogue is shown although nobody asked for all there is.
    pub dialogue: bool,
}

/// Columns of the story.
const ROLE_AT: usize = 10;
const HOST_AT: usize = 15;
const TEXT_AT: usize = 31;
/// Where the words of the list of scenarios begin.
const LIST_AT: usize = 26;
/// Where the bars of a histogram begin.
const BAR_AT: usize = 20;
/// Lines of one reply that are shown without `-v`.
const MOST_LINES: usize = 3;

/// The screen of one test message.
pub fn round(what: &Round, look: Look) -> String {
    let mut page = Page::new(look.paint);
    if look.detail != Detail::Brief {
        story(&mut page, what);
        if look.detail == Detail::Full || look.dialogue {
            for handed in &what.attempts {
                dialogue(&mut page, handed, look.detail == Detail::Full);
            }
        }
        if page.painter().width > 0 && (!what.events.is_empty() || !what.attempts.is_empty()) {
            page.end();
        }
    }
    verdict(&mut page, what);
    let mut text = page.finish();
    if look.detail == Detail::Brief {
        return text;
    }
    text.push_str(&notes(what, look.paint));
    text.push_str(&evidence(what, look));
    text.push_str(&foot(what, look.paint));
    text
}

/// The names of all scenarios.
pub fn scenarios(all: &[Scenario], paint: Painter) -> String {
    let mut page = Page::new(paint);
    for scenario in all {
        page.put(Style::Strong, &scenario.name);
        page.tab(LIST_AT)
            .wrap(Style::Plain, LIST_AT, &scenario.what);
    }
    page.finish()
}

/// The screen of a scenario that was played.
pub fn scenario(what: &Played, look: Look) -> String {
    let mut page = Page::new(look.paint);
    if look.detail != Detail::Brief {
        page.wrap(Style::Dim, 0, &what.scenario.what);
        page.end();
    }
    page.finish() + &round(&what.round, look)
}

/// The table of all scenarios.
pub fn table(all: &[Played], took: Duration, paint: Painter) -> String {
    let mut table = Table::new(
        paint,
        &[
            "scenario",
            "part",
            "came back",
            "expected",
            "explained",
            "took",
        ],
    );
    for played in all {
        let scenario = played.scenario;
        table.row(&[
            scenario.name.clone(),
            scenario.at.to_uppercase(),
            scenario.ends.word().to_string(),
            scenario.causes.join(", "),
            match (played.explained, played.right) {
                (Some(cause), true) => format!("{cause}"),
                (Some(cause), false) => format!("{cause} (wrong)"),
                (None, _) => "nothing came (wrong)".to_string(),
            },
            seconds(played.round.took),
        ]);
    }
    let wrong = all.iter().filter(|played| !played.right).count();
    let mut page = Page::new(paint);
    page.end();
    let (style, glyph) = if wrong == 0 {
        (Style::Good, Glyph::Check)
    } else {
        (Style::Bad, Glyph::Cross)
    };
    page.glyph(style, glyph).put(Style::Plain, " ");
    let text = format!(
        "{} of {} scenarios are explained rightly ({}).",
        all.len() - wrong,
        all.len(),
        seconds(took)
    );
    page.wrap(Style::Strong, 2, &text);
    table.finish() + &page.finish()
}

/// The rate, and how the times are spread.
pub fn series(what: &Series, paint: Painter) -> String {
    let mut page = Page::new(paint);
    let good = what.accepted() == what.wanted;
    let (style, glyph) = if good {
        (Style::Good, Glyph::Check)
    } else {
        (Style::Bad, Glyph::Cross)
    };
    let text = format!(
        "{} of {} messages were accepted in {}: {:.1} a second.",
        what.accepted(),
        what.wanted,
        seconds(what.took),
        what.rate()
    );
    page.glyph(style, glyph)
        .put(Style::Plain, " ")
        .wrap(Style::Strong, 2, &text);
    for (outcome, count) in what
        .outcomes
        .iter()
        .filter(|(o, _)| *o != Outcome::Accepted)
    {
        page.put(Style::Plain, &format!("  {count} {}", outcome.id()))
            .end();
    }
    for (words, count) in &what.troubles {
        page.put(Style::Plain, &format!("  {count} \u{d7} "))
            .wrap(Style::Bad, 6, words);
    }
    let rows = what.histogram();
    let most = rows.iter().map(|row| row.count).max().unwrap_or(0);
    if most == 0 {
        return page.finish();
    }
    let of = |percent| {
        what.percentile(percent)
            .map(milliseconds)
            .unwrap_or_default()
    };
    let text = format!(
        "  fastest {}, half within {}, 95 % within {}, slowest {}",
        of(0),
        of(50),
        of(95),
        of(100)
    );
    page.wrap(Style::Plain, 2, &text);
    page.end();
    let room = paint.width.saturating_sub(BAR_AT + 8).clamp(10, 60);
    let bar = if paint.unicode { "█" } else { "#" };
    for row in rows {
        let text = format!("up to {}", milliseconds(row.to));
        page.put(Style::Dim, "  ")
            .put(Style::Dim, &text)
            .tab(BAR_AT);
        let length = (row.count * room).div_ceil(most);
        page.put(Style::Good, &bar.repeat(length));
        page.put(Style::Plain, &format!(" {}", row.count)).end();
    }
    page.finish()
}

fn milliseconds(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1000.0;
    match ms {
        ..10.0 => format!("{ms:.1} ms"),
        ..1000.0 => format!("{ms:.0} ms"),
        _ => format!("{:.1} s", ms / 1000.0),
    }
}

fn story(page: &mut Page, what: &Round) {
    for event in &what.events {
        let at = format!("{:6.2} s", event.at.as_secs_f64());
        page.put(Style::Dim, &at).tab(ROLE_AT);
        page.put(Style::Strong, event.role).tab(HOST_AT);
        page.put(Style::Plain, &event.host).put(Style::Plain, " ");
        page.tab(TEXT_AT).wrap(Style::Plain, TEXT_AT, &event.text);
    }
}

fn dialogue(page: &mut Page, handed: &Handed, full: bool) {
    if page.column() == 0 {
        page.end();
    }
    let place = &handed.place;
    let title = if place.host == place.ip.to_string() {
        format!(" Dialogue with {}, port {}", place.ip, place.port)
    } else {
        format!(
            " Dialogue with {} [{}], port {}",
            place.host, place.ip, place.port
        )
    };
    page.put(Style::Strong, &title).end();
    for step in &handed.steps {
        exchange(page, step, full);
    }
}

fn exchange(page: &mut Page, step: &Exchange, full: bool) {
    let at = format!("{:8.3} s ", step.at.as_secs_f64());
    let shield = if step.encrypted { "=" } else { "-" };
    let mut at = Some(at);
    if let Some(sent) = &step.sent {
        page.put(Style::Dim, &at.take().unwrap_or_default());
        page.tab(11).put(Style::Plain, &format!("{shield}> "));
        page.put_cut(Style::Plain, sent).end();
    }
    if let Some(reply) = &step.reply {
        let most = if full { usize::MAX } else { MOST_LINES };
        for (n, text) in reply.lines.iter().enumerate() {
            let last = n + 1 == reply.lines.len();
            // The middle of a long list is for those who ask for it; the end tells the code.
            if n >= most && !last {
                continue;
            }
            let mark = if last { ' ' } else { '-' };
            page.put(Style::Dim, &at.take().unwrap_or_default());
            page.tab(11).put(Style::Plain, &format!("<{shield} "));
            let style = match reply.code {
                400.. => Style::Bad,
                _ => Style::Plain,
            };
            page.put_cut(style, &format!("{}{mark}{text}", reply.code))
                .end();
        }
        if reply.lines.len() > most.saturating_add(1) {
            let more = reply.lines.len() - most - 1;
            page.tab(14)
                .put(Style::Dim, &format!("({more} more lines, -v shows them)"))
                .end();
        }
    }
    if let Some(note) = &step.note {
        page.put(Style::Dim, &at.take().unwrap_or_default());
        page.tab(11).put(Style::Plain, "** ");
        page.put_cut(Style::Dim, note).end();
    }
}

/// A time as people say it.
pub(super) fn seconds(time: Duration) -> String {
    let s = time.as_secs_f64();
    match s {
        ..10.0 => format!("{s:.2} s"),
        ..100.0 => format!("{s:.1} s"),
        _ => format!("{s:.0} s"),
    }
}

fn verdict(page: &mut Page, what: &Round) {
    let (style, glyph, text) = words(what);
    page.glyph(style, glyph).put(Style::Plain, " ");
    page.wrap(Style::Strong, 2, &text);
}

fn words(what: &Round) -> (Style, Glyph, String) {
    let good = |text| (Style::Good, Glyph::Check, text);
    let bad = |text| (Style::Bad, Glyph::Cross, text);
    let open = |text| (Style::Passing, Glyph::Question, text);
    let after = what.arrival.after.map(seconds).unwrap_or_default();
    match what.arrival.status {
        Status::Arrived if what.arrival.junk => (
            Style::Passing,
            Glyph::Bang,
            format!(
                "It arrived after {after}, in the folder for junk ({}).",
                what.arrival.place.as_deref().unwrap_or("junk")
            ),
        ),
        Status::Arrived => {
            let refused = what.outcome == Outcome::Partly;
            let failed = what.arrival.notices.iter();
            let failed = failed
                .filter(|(_, one)| one.report == Report::Failed)
                .count();
            match (refused, failed) {
                (false, 0) => good(format!("It arrived after {after}.")),
                (true, 0) => (
                    Style::Passing,
                    Glyph::Bang,
                    format!("It arrived after {after}, but not every recipient was taken."),
                ),
                _ => (
                    Style::Passing,
                    Glyph::Bang,
                    format!("It arrived after {after}, and a bounce came back, too."),
                ),
            }
        }
        Status::Bounced => {
            let cause = what.arrival.bounce().map(cause).unwrap_or_default();
            bad(format!(
                "The bounce came back after {after}, and this is what it says{cause}:"
            ))
        }
        Status::Pending if !what.arrival.notices.is_empty() => {
            match what.arrival.bounce().map(|one| one.report) {
                Some(Report::Delayed) => (
                    Style::Passing,
                    Glyph::Bang,
                    format!("A warning came back after {after}, and this is what it says:"),
                ),
                _ => good(format!("A report came back after {after}:")),
            }
        }
        Status::Pending => open(format!(
            "It was accepted, and nothing has arrived within {}.",
            seconds(what.took)
        )),
        Status::NotWaited => handed(what),
    }
}

fn cause(what: &Explanation) -> String {
    let first = what.recipients.first();
    first.map_or_else(String::new, |one| format!(" ({})", one.cause.id()))
}

/// The verdict about handing it over.
fn handed(what: &Round) -> (Style, Glyph, String) {
    let last = what.attempts.last();
    let host = last.map_or("the server", |handed| &handed.place.host);
    let step = last.and_then(|handed| handed.refusal.as_ref());
    let stage = step.map(|(stage, _)| stage.id());
    let at = stage
        .map(|stage| format!(" at {stage}"))
        .unwrap_or_default();
    let said = |what: &Round| {
        let one: Option<&Recipient> = what
            .recipients
            .iter()
            .find(|one| one.reply_code.is_none_or(|code| code >= 400));
        let words = one.and_then(|one| one.diagnostic.clone());
        let refusal = step.map(|(_, reply)| reply.to_string());
        let failure = last.and_then(|h| h.failure.as_ref().map(ToString::to_string));
        let gave_up = last.and_then(|h| h.gave_up.clone());
        words
            .or(refusal)
            .or(failure)
            .or(gave_up)
            .unwrap_or_default()
    };
    let taken = what.recipients.iter();
    let taken = taken
        .filter(|one| one.reply_code.is_some_and(|code| code < 400))
        .count();
    match what.outcome {
        _ if what.is_uncertain() => (
            Style::Passing,
            Glyph::Question,
            format!(
                "It is not known whether {host} has taken the message: {}",
                said(what)
            ),
        ),
        Outcome::Accepted => {
            let id = what.queue_id().map(|id| format!(" (queue id {id})"));
            (
                Style::Good,
                Glyph::Check,
                format!(
                    "{host} has taken the message{}. Whether it gets into the mailbox is not known: \
                     wait for it with --wait.",
                    id.unwrap_or_default()
                ),
            )
        }
        Outcome::Partly => (
            Style::Passing,
            Glyph::Bang,
            format!(
                "{host} has taken the message for {taken} of {} recipients.",
                what.recipients.len()
            ),
        ),
        Outcome::Rejected if last.is_none() => (
            Style::Bad,
            Glyph::Cross,
            format!("The message cannot be sent: {}", said(what)),
        ),
        Outcome::Rejected => (
            Style::Bad,
            Glyph::Cross,
            format!("{host} refuses the message{at}: {}", said(what)),
        ),
        Outcome::Deferred => (
            Style::Passing,
            Glyph::Bang,
            format!(
                "{host} puts the message off{at}: {}. A mail server would try again later.",
                said(what).trim_end_matches('.')
            ),
        ),
        Outcome::Failed => (
            Style::Bad,
            Glyph::Cross,
            format!("The message could not be handed over: {}", said(what)),
        ),
        Outcome::NotSent
            if what.probe
                && step.is_none()
                && last.is_some_and(|h| h.failure.is_none() && h.gave_up.is_none()) =>
        {
            (
                Style::Good,
                Glyph::Check,
                format!(
                    "{host} would take mail from {}. Nothing was sent: give --to for that.",
                    what.from
                ),
            )
        }
        Outcome::NotSent => (
            Style::Bad,
            Glyph::Cross,
            format!("Nothing was sent: {}", said(what)),
        ),
    }
}

fn notes(what: &Round, paint: Painter) -> String {
    let mut page = Page::new(paint);
    for note in what.notes.iter().chain(&what.arrival.changes) {
        page.put(Style::Plain, "  ")
            .wrap(Style::Plain, 2, &note.text);
    }
    page.finish()
}

/// What the verdict rests on.
fn evidence(what: &Round, look: Look) -> String {
    let mut text = String::new();
    for (_, notice) in &what.arrival.notices {
        text.push('\n');
        text.push_str(&explained(notice, look));
    }
    let refused: Vec<Recipient> = what
        .recipients
        .iter()
        .filter(|one| one.reply_code.is_none_or(|code| code >= 400))
        .cloned()
        .collect();
    if !refused.is_empty() && !what.is_uncertain() {
        let notice = Explanation {
            report: if refused.iter().all(|one| one.permanent == Some(false)) {
                Report::Delayed
            } else {
                Report::Failed
            },
            recipients: refused,
            ..Explanation::default()
        };
        text.push('\n');
        text.push_str(&explained(&notice, look));
    }
    if let Some(way) = &what.arrival.route {
        text.push('\n');
        text.push_str(&human::route::route(
            way,
            human::route::Look {
                paint: look.paint,
                detail: look.detail,
                name: None,
            },
        ));
    }
    text
}

fn explained(notice: &Explanation, look: Look) -> String {
    human::explain::explain(
        notice,
        human::explain::Look {
            paint: look.paint,
            audience: look.audience,
            detail: look.detail,
            name: None,
            way: None,
        },
    )
}

fn foot(what: &Round, paint: Painter) -> String {
    let Some(kept) = &what.kept else {
        return String::new();
    };
    let mut page = Page::new(paint);
    page.end();
    let text = format!("Messages and logs are in {}", kept.display());
    page.put(Style::Plain, " ").wrap(Style::Dim, 1, &text);
    page.finish()
}
