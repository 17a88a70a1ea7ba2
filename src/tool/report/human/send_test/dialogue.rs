//! The dialogue with a server, line by line with its times.

use crate::report::page::Page;
use crate::report::painter::Style;
use crate::send::hand_over::Handed;
use crate::smtp::transcript::Exchange;

/// Lines of one reply that are shown without `-v`.
const MOST_LINES: usize = 3;

pub(super) fn dialogue(page: &mut Page, handed: &Handed, full: bool) {
    if page.column() == 0 {
        page.end();
    }
    let place = &handed.place;
    let title = if place.socket.is_some() {
        format!(" Dialogue over the socket {}", place.host)
    } else if place.host == place.ip.to_string() {
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
