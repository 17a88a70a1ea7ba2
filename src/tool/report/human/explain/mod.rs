//! The screen of `explain`: what happened, whose side, what to do, the evidence. Recipients that
//! met the same fate are told together.

mod fate;
mod words;

use crate::bounce::advice::Audience;
use crate::bounce::cause::Cause;
use crate::bounce::explanation::{Confidence, Explanation, Recipient, Report};
use crate::report::page::Page;
use crate::report::painter::{Glyph, Painter, Style};
use crate::report::safe;
use crate::route::Route;

use fate::Fate;
use words::{LABELS, label, moment};

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// One line per recipient.
    Brief,
    /// What a person needs.
    Normal,
    /// Everything.
    Full,
}

/// What the screen of one notice depends on beside the notice.
#[derive(Debug, Clone, Copy)]
pub struct Look<'l> {
    /// Colour, glyphs, width.
    pub paint: Painter,
    /// Whom the words are for.
    pub audience: Audience,
    /// How much is told.
    pub detail: Detail,
    /// The name of the input, when there are several.
    pub name: Option<&'l str>,
    /// The way that the returned message had come, when it is known.
    pub way: Option<&'l Route>,
}

/// The screen of one notice, or of an input that is none.
pub fn explain(what: &Explanation, look: Look<'_>) -> String {
    let mut text = String::new();
    for admin_steps in SHOWN_ADMIN_STEPS {
        text = render(what, look, admin_steps);
        if look.detail != Detail::Normal || text.bytes().filter(|b| *b == b'\n').count() <= SCREEN {
            break;
        }
    }
    text
}

/// The lines of a terminal, less one for the prompt.
const SCREEN: usize = 23;

/// How many steps for the administrator stand beside those for the person, who comes first:
/// two, or one where the screen is too small. `--audience admin` tells all.
const SHOWN_ADMIN_STEPS: [usize; 2] = [2, 1];

fn render(what: &Explanation, look: Look<'_>, admin_steps: usize) -> String {
    let mut page = Page::new(look.paint);
    if look.detail == Detail::Brief {
        brief(&mut page, what, look);
        return page.finish();
    }
    if let Some(name) = look.name {
        super::title(&mut page, name);
    }
    if what.report == Report::None {
        none(&mut page, what);
    } else {
        let recipients = recipients(what);
        for (n, fate) in Fate::group(&recipients).iter().enumerate() {
            if n > 0 {
                page.end();
            }
            fate.write(&mut page, look, admin_steps);
        }
        the_mail(&mut page, what, look);
    }
    if look.name.is_some() {
        page.end();
    }
    page.finish()
}

/// A report that names no recipient still has something to say.
fn recipients(what: &Explanation) -> Vec<Recipient> {
    if !what.recipients.is_empty() {
        return what.recipients.clone();
    }
    let (cause, permanent) = match what.report {
        Report::AutoReply => (Cause::AutoReply, None),
        Report::Feedback => (Cause::AbuseReport, None),
        Report::Challenge => (Cause::ChallengeResponse, None),
        Report::Delivered | Report::Relayed | Report::Expanded => (Cause::Delivered, None),
        Report::Delayed => (Cause::DeliveryDelayed, Some(false)),
        Report::Failed | Report::None => (Cause::Unknown, Some(true)),
    };
    vec![Recipient {
        permanent,
        ..Recipient::of(cause, Confidence::High)
    }]
}

/// One line per recipient, or one for an input that is no report.
fn brief(page: &mut Page, what: &Explanation, look: Look<'_>) {
    let name = |page: &mut Page| {
        if let Some(name) = look.name {
            page.put(Style::Dim, name).put(Style::Dim, ": ");
        }
    };
    if what.report == Report::None {
        name(page);
        page.glyph(Style::Passing, Glyph::Question)
            .put(Style::Plain, " no report");
        if let Some(instead) = &what.instead {
            page.put(Style::Plain, ", but ").put(Style::Plain, instead);
        }
        page.end();
        return;
    }
    for recipient in &recipients(what) {
        name(page);
        fate::headline_in_one(page, recipient);
        page.end();
    }
}

/// What the input is, when it is no report.
fn none(page: &mut Page, what: &Explanation) {
    page.glyph(Style::Passing, Glyph::Question)
        .put(Style::Plain, " ");
    page.put(Style::Strong, "not a report of a mail server")
        .end()
        .end();
    page.tab(2);
    match &what.instead {
        Some(instead) => page.wrap(Style::Plain, 2, &format!("This is {instead}.")),
        None => page.wrap(
            Style::Plain,
            2,
            "Nothing in it says that a mail was not delivered.",
        ),
    };
    let original = &what.original;
    if original.subject.is_some() || original.from.is_some() {
        page.end();
        mail_line(page, what);
    }
    page.end();
    label(page, "What to do");
    page.wrap(
        Style::Plain,
        LABELS,
        "If you expected a bounce here, give its whole source, headers included, or paste all of \
         its text.",
    );
}

/// The returned mail and who reported it.
fn the_mail(page: &mut Page, what: &Explanation, look: Look<'_>) {
    let detail = look.detail;
    page.end();
    mail_line(page, what);
    // One line, with a pointer to the whole story where there is room for it.
    if let Some(came) = look.way.and_then(words::came) {
        const HINTS: [&str; 2] = [" (mailtrace route --original)", " (route --original)"];
        let room = look.paint.width.saturating_sub(LABELS);
        let hint = HINTS.iter().find(|h| safe::width(&came) + h.len() <= room);
        label(page, "Its way");
        page.put_cut(Style::Plain, &came);
        if let Some(hint) = hint {
            page.put(Style::Dim, hint);
        }
        page.end();
    }
    if let Some(by) = words::reporter(what) {
        label(page, "Reported by");
        page.wrap(Style::Plain, LABELS, &by);
    }
    if detail == Detail::Full {
        let original = &what.original;
        for (name, value) in [
            ("Message-ID", &original.message_id),
            ("From", &original.from),
        ] {
            if let Some(value) = value {
                label(page, name);
                page.put_cut(Style::Plain, value).end();
            }
        }
        if !original.to.is_empty() {
            label(page, "To");
            page.wrap(Style::Plain, LABELS, &original.to.join(", "));
        }
        label(page, "Found as");
        let form: Vec<&str> = what.form.iter().map(|form| form.id()).collect();
        page.wrap(Style::Plain, LABELS, &form.join(", in it "));
        if original.hops > 0 {
            label(page, "Hops");
            page.put(Style::Plain, &original.hops.to_string()).end();
        }
    }
}

fn mail_line(page: &mut Page, what: &Explanation) {
    let original = &what.original;
    let mut parts = Vec::new();
    if let Some(subject) = &original.subject {
        parts.push(format!("\"{}\"", words::excerpt(subject)));
    }
    if let Some(from) = &original.from {
        parts.push(format!("from {}", words::excerpt(from)));
    }
    match (what.arrival_date, original.date) {
        (Some(arrived), _) => parts.push(format!("received {}", moment(arrived))),
        (None, Some(date)) => parts.push(format!("of {}", moment(date))),
        (None, None) => {}
    }
    if !parts.is_empty() {
        label(page, "The mail");
        page.wrap(Style::Plain, LABELS, &parts.join(", "));
    }
}

#[cfg(test)]
mod tests;
