//! The counts of `explain --summary`, as a table.

use crate::bounce::explanation::Report;
use crate::bounce::summary::{Names, Row, Summary};
use crate::report::page::Page;
use crate::report::painter::{Painter, Style};
use crate::report::safe;
use crate::report::table::Table;

/// From here on there is room for the class as well.
const WIDE: usize = 80;

/// What went wrong how often.
pub fn summary(sum: &Summary, paint: Painter) -> String {
    let mut page = Page::new(paint);
    page.put(Style::Plain, " ")
        .wrap(Style::Strong, 1, &inputs(sum));
    let rows = sum.causes();
    if rows.is_empty() {
        return page.finish();
    }
    page.end();
    page.finish() + &causes(&rows, paint)
}

/// How many reports of which kinds there were, and how many inputs were none.
fn inputs(sum: &Summary) -> String {
    let none: u64 = sum
        .reports()
        .filter(|(report, _)| *report == Report::None)
        .map(|(_, n)| n)
        .sum();
    let kinds: Vec<(Report, u64)> = sum
        .reports()
        .filter(|(report, _)| *report != Report::None)
        .collect();
    let reports: u64 = kinds.iter().map(|(_, n)| n).sum();
    let mut line = plural(reports, "report", "reports");
    if !kinds.is_empty() {
        let kinds: Vec<String> = kinds
            .iter()
            .map(|(kind, n)| format!("{n} {}", kind.id()))
            .collect();
        line += &format!(": {}", kinds.join(", "));
    }
    if none > 0 {
        let none = plural(none, "input is no report", "inputs are no reports");
        line += &format!("; {none}");
    }
    if sum.errors > 0 {
        let errors = plural(sum.errors, "input", "inputs");
        line += &format!("; {errors} could not be read");
    }
    line
}

/// A row for each cause.
fn causes(rows: &[Row], paint: Painter) -> String {
    // The class stands in the JSON and follows from the cause; narrow screens do without.
    let wide = paint.width >= WIDE;
    let headings = ["class", "cause", "recipients", "domains", "reported by"];
    let from = usize::from(!wide);
    let mut table = Table::new(paint, headings.get(from..).unwrap_or(&headings));
    table.right(2 - from);
    table.right(3 - from);
    // What the other columns leave, each with its two blanks.
    let longest = rows.iter().map(|row| row.cause.id().len()).max();
    let class = if wide { "other-permanent".len() + 2 } else { 0 };
    let taken = class + longest.unwrap_or(0) + 2 + 12 + 9 + 2;
    let room = paint.width.saturating_sub(taken);
    for row in rows {
        // A listing is told by the list, which says more than the server that reported it.
        let by = if row.lists.distinct > 0 {
            &row.lists
        } else {
            &row.reporters
        };
        let cells = [
            row.class.id().to_owned(),
            row.cause.id().to_owned(),
            row.recipients.to_string(),
            row.domains.distinct.to_string(),
            told(by, room),
        ];
        table.row(cells.get(from..).unwrap_or(&cells));
    }
    if !table.fits() {
        table.leave_out("domains");
    }
    table.finish()
}

fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// `mail.example.net 30, mx.example.org 4, 7 more`: as many names as there is room for, but one.
fn told(names: &Names, room: usize) -> String {
    let mut text = String::new();
    for (n, (name, count)) in names.top.iter().enumerate() {
        let rest = names.distinct.saturating_sub(n as u64 + 1);
        let more = if rest > 0 {
            format!(", {rest} more")
        } else {
            String::new()
        };
        let comma = if n > 0 { ", " } else { "" };
        let part = format!("{comma}{name} {count}");
        if n > 0 && safe::width(&text) + safe::width(&part) + more.len() > room {
            let rest = names.distinct.saturating_sub(n as u64);
            return format!("{text}, {rest} more");
        }
        text += &part;
    }
    let rest = names.distinct.saturating_sub(names.top.len() as u64);
    if rest > 0 {
        format!("{text}, {rest} more")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounce::cause::Cause;
    use crate::report::samples;

    fn sum() -> Summary {
        let mut sum = Summary::default();
        for (n, &cause) in Cause::ALL.iter().enumerate() {
            let mut what = samples::user_unknown();
            what.reporting_mta = Some(format!("a-long-name-{}.mail.example.net", n % 7));
            what.recipients = vec![samples::recipient("x@example.com", cause); n % 5 + 1];
            sum.count(&[what]);
        }
        sum.count_error();
        sum
    }

    #[test]
    fn the_table_fits_and_cuts_no_name() {
        for width in [60, 80, 120, 200] {
            let text = summary(&sum(), Painter::plain(width));
            assert!(
                text.lines().all(|line| safe::width(line) <= width),
                "{width}\n{text}"
            );
            for cause in Cause::ALL {
                assert!(
                    text.contains(&format!(" {cause} ")),
                    "{width} {cause}\n{text}"
                );
            }
        }
        let text = summary(&sum(), Painter::plain(80));
        assert!(
            text.starts_with(" 39 reports: 39 failed; 1 input could not be read\n"),
            "{text}"
        );
    }

    #[test]
    fn names_are_told_as_far_as_there_is_room() {
        let names = Names {
            distinct: 9,
            top: vec![
                ("a.example".into(), 5),
                ("b.example".into(), 3),
                ("c.example".into(), 1),
            ],
        };
        assert_eq!(told(&names, 10), "a.example 5, 8 more");
        assert_eq!(told(&names, 33), "a.example 5, b.example 3, 7 more");
        assert_eq!(
            told(&names, 99),
            "a.example 5, b.example 3, c.example 1, 6 more"
        );
        assert_eq!(told(&Names::default(), 99), "");
    }
}
