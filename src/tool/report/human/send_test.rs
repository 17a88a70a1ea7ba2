//! `mailtrace send-test` for people: the story with its times, the dialogue, then the verdict and
//! what it rests on: the way of what arrived, the explanation of what came back.

mod dialogue;
mod series;
#[cfg(test)]
mod tests;
mod verdict;

use std::time::Duration;

use crate::bounce::advice::{Audience, advise};
use crate::bounce::explanation::{Explanation, Recipient, Report};
use crate::report::human;
use crate::report::human::explain::Detail;
use crate::report::page::Page;
use crate::report::painter::{Glyph, Painter, Style};
use crate::report::table::Table;
use crate::send::Round;
use crate::send::scenario::{Played, Scenario};

pub use series::series;

use dialogue::dialogue;
use verdict::verdict;

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
    let told = verdict::words(what).2;
    text.push_str(&notes(what, &told, look.paint));
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

fn story(page: &mut Page, what: &Round) {
    for event in &what.events {
        let at = format!("{:6.2} s", event.at.as_secs_f64());
        page.put(Style::Dim, &at).tab(ROLE_AT);
        page.put(Style::Strong, event.role).tab(HOST_AT);
        page.put(Style::Plain, &event.host).put(Style::Plain, " ");
        page.tab(TEXT_AT).wrap(Style::Plain, TEXT_AT, &event.text);
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

/// What is worth telling beside the verdict.
fn notes(what: &Round, told: &str, paint: Painter) -> String {
    let mut page = Page::new(paint);
    let notes = what.notes.iter().chain(&what.arrival.changes);
    for note in notes.filter(|note| !told.contains(&note.text)) {
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
    // After an attempt of our own nobody keeps trying, and nobody gave up either.
    let single = what.events.is_empty();
    let (later, refused): (Vec<_>, Vec<_>) = refused
        .into_iter()
        .partition(|one| single && one.permanent == Some(false));
    if !later.is_empty() && !what.is_uncertain() {
        text.push('\n');
        let again = what.notes.iter().any(|note| note.code == "deferred");
        text.push_str(&put_off(&later, again, look));
    }
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

/// Those who may be taken another time; `again`: they were asked more than once.
fn put_off(all: &[Recipient], again: bool, look: Look) -> String {
    let mut page = Page::new(look.paint);
    for one in all {
        let advice = advise(one, look.audience);
        let address = one.address.as_deref().unwrap_or_default();
        page.glyph(Style::Passing, Glyph::Bang)
            .put(Style::Plain, " ");
        page.put(Style::Strong, address).put(Style::Plain, "   ");
        page.put(Style::Passing, advice.title)
            .put(Style::Plain, "   not now")
            .end();
        if let Some(said) = &one.diagnostic {
            page.tab(2).wrap(Style::Dim, 2, said);
        }
    }
    page.end();
    let text = if again {
        "It was asked again until the time was over. A mail server would try again for days; a \
         longer --wait does so here."
    } else {
        "This was one attempt, and nobody repeats it by himself. A mail server would try again \
         for days; --wait 600 does so here for ten minutes."
    };
    page.tab(2).wrap(Style::Plain, 2, text);
    page.finish()
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
