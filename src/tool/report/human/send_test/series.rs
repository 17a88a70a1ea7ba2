//! Many messages: the rate, and how the times are spread.

use std::time::Duration;

use crate::report::page::Page;
use crate::report::painter::{Glyph, Painter, Style};
use crate::send::Outcome;
use crate::send::series::Series;

use super::seconds;

/// Where the bars of a histogram begin.
const BAR_AT: usize = 20;

/// The rate, and how the times are spread.
pub fn series(what: &Series, paint: Painter) -> String {
    let mut page = Page::new(paint);
    let good = what.accepted() == what.wanted;
    let (style, glyph) = if good {
        (Style::Good, Glyph::Check)
    } else {
        (Style::Bad, Glyph::Cross)
    };
    let tried: usize = what.outcomes.iter().map(|(_, count)| count).sum();
    // The rate is that of the messages that were tried.
    let all = match tried == what.accepted() {
        true => "",
        false => ", those included that were not",
    };
    let text = format!(
        "{} of {} messages were accepted in {}: {:.1} a second{all}.",
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
        page.put(Style::Plain, &format!("  {count} {}", word(*outcome)))
            .end();
    }
    // Ctrl-C came before them.
    if tried < what.wanted {
        let rest = what.wanted - tried;
        page.put(Style::Plain, &format!("  {rest} not tried")).end();
    }
    let times = if paint.unicode { "\u{d7}" } else { "x" };
    for (words, count) in &what.troubles {
        page.put(Style::Plain, &format!("  {count} {times} "))
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
        "fastest {}, half within {}, 95 % within {}, slowest {}",
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

/// What came of a message, as people say it.
const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "accepted",
        Outcome::Partly => "taken for some of the recipients",
        Outcome::Rejected => "refused",
        Outcome::Deferred => "put off",
        Outcome::Failed => "broken off",
        Outcome::NotSent => "not sent",
    }
}

fn milliseconds(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1000.0;
    match ms {
        ..10.0 => format!("{ms:.1} ms"),
        ..1000.0 => format!("{ms:.0} ms"),
        _ => format!("{:.1} s", ms / 1000.0),
    }
}
