//! Many routes counted, for people.

use crate::report::page::Page;
use crate::report::painter::{Painter, Style};
use crate::route::span;
use crate::route::summary::Summary;

use super::put_cut_to;

/// The counts over many messages.
pub fn summary(sum: &Summary, paint: Painter) -> String {
    let mut page = Page::new(paint);
    let text = format!(
        " {} messages, {} hops; {} inputs could not be read",
        sum.messages, sum.hops, sum.errors
    );
    page.put(Style::Strong, &text).end();
    let slow = sum.slowest();
    if !slow.is_empty() {
        page.end();
        page.put(Style::Dim, " mail waited before")
            .tab(40)
            .put(Style::Dim, "times")
            .tab(48);
        page.put(Style::Dim, "all together")
            .tab(64)
            .put(Style::Dim, "at most")
            .end();
        for (host, slow) in slow {
            page.put(Style::Plain, " ");
            put_cut_to(&mut page, Style::Plain, host, 37);
            page.tab(40)
                .put(Style::Plain, &format!("{:>5}", slow.times))
                .tab(48);
            page.put(Style::Plain, &span(slow.waited_s)).tab(64);
            page.put(Style::Plain, &span(slow.longest_s)).end();
        }
    }
    for (title, rows) in [
        ("took mail in clear text", sum.clear_text()),
        ("wrong clocks", sum.skewed()),
    ] {
        if rows.is_empty() {
            continue;
        }
        page.end();
        page.put(Style::Dim, " ")
            .put(Style::Dim, title)
            .tab(40)
            .put(Style::Dim, "times")
            .end();
        for (host, times) in rows {
            page.put(Style::Plain, " ");
            put_cut_to(&mut page, Style::Plain, host, 37);
            page.tab(40).put(Style::Plain, &format!("{times:>5}")).end();
        }
    }
    page.finish()
}
