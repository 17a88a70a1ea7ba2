//! A text that is nothing but records in JSON: the events that a sending service posts (one, or a
//! list of them), or the lines of a log in JSON. What the values of a record mean is known to the
//! reader of such records (`reply`); here the text is cut into them.

use crate::bounce::explanation::{Action, Form, Original, Report};
use crate::message::layer::{BlockKind, Layer};

use super::draft::{self, Draft, MAX_RECIPIENTS};
use super::{Notice, pasted};

/// Records that are looked at.
const MAX_RECORDS: usize = 2_000;

/// The notice that the records of a text are together: a statement for each recipient, the last
/// record about each.
pub(super) fn read(layer: &Layer<'_>) -> Option<Notice> {
    let block = layer.block(BlockKind::Plain)?;
    let text = block.text();
    let start = text.find(|c: char| !c.is_whitespace() && c != '\u{feff}')?;
    if !matches!(text.as_bytes().get(start), Some(b'{' | b'[')) {
        return None;
    }
    let mut drafts: Vec<Draft> = Vec::new();
    for record in records(text, start) {
        let draft = pasted::record(text, record).filter(|d| d.address.is_some());
        if let Some(draft) = draft
            && drafts.len() < MAX_RECIPIENTS
        {
            drafts.push(draft);
        }
    }
    latest(&mut drafts);
    let has = |action: Action| drafts.iter().any(|d| d.action == Some(action));
    let report = [
        (Action::Failed, Report::Failed),
        (Action::Delayed, Report::Delayed),
        (Action::Delivered, Report::Delivered),
    ];
    let (_, report) = report.into_iter().find(|(action, _)| has(*action))?;
    draft::place(&mut drafts, block);
    Some(Notice {
        report,
        form: Form::Transcript,
        dialect: None,
        reporting_mta: None,
        arrival_date: None,
        statements: drafts.into_iter().map(Draft::finish).collect(),
        original: Original::default(),
    })
}

/// Of several records about one recipient the last one stays, in its place.
fn latest(drafts: &mut Vec<Draft>) {
    let key = |draft: &Draft| draft.address.as_deref().map(str::to_ascii_lowercase);
    let mut seen = std::collections::HashSet::new();
    drafts.reverse();
    drafts.retain(|draft| seen.insert(key(draft)));
    drafts.reverse();
}

/// Where the records begin and end: objects that stand side by side or in one list.
fn records(text: &str, start: usize) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut all = Vec::new();
    let mut open: Option<usize> = None;
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    for (at, &byte) in bytes.iter().enumerate().skip(start) {
        if quoted {
            quoted = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'{' => {
                open = open.or(Some(at));
                depth += 1;
            }
            b'}' if depth > 0 => {
                depth -= 1;
                if depth == 0
                    && let Some(from) = open.take()
                {
                    all.push((from, at + 1));
                    if all.len() >= MAX_RECORDS {
                        return all;
                    }
                }
            }
            _ => {}
        }
    }
    // Cut off.
    all.extend(open.map(|from| (from, text.len())));
    all
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use crate::bounce::explanation::{Action, Report};
    use crate::message::layer::open;

    type Told = Vec<(String, Option<Action>, String)>;

    fn told(text: &str) -> Option<(Report, Told)> {
        let notice = read(&open(text.as_bytes()), false)?;
        let said = notice.statements.into_iter().map(|s| {
            let words = s.quotes.into_iter().next().map(|quote| quote.text);
            (
                s.address.unwrap_or_default(),
                s.action,
                words.unwrap_or_default(),
            )
        });
        Some((notice.report, said.collect()))
    }

    fn one(address: &str, action: Action, words: &str) -> (String, Option<Action>, String) {
        (address.to_owned(), Some(action), words.to_owned())
    }

    const FULL: &str =
        r#"{"email":"bo@b.example","event":"bounce","reason":"552 5.2.2 mailbox full"}"#;
    const LATER: &str = r#"{"email":"Bo@b.example","event":"delivered","response":"250 ok"}"#;
    const GONE: &str =
        r#"{"rcpt_to":"al@c.example","type":"bounce","raw_reason":"550 5.1.1 \"al\" {gone}"}"#;

    #[test]
    fn events_in_a_list_or_in_lines_are_told_one_by_one() {
        let both = vec![
            one("bo@b.example", Action::Failed, "552 5.2.2 mailbox full"),
            one("al@c.example", Action::Failed, "550 5.1.1 \"al\" {gone}"),
        ];
        for text in [
            format!("[{FULL},\n{GONE}]"),
            format!("{FULL}\n{GONE}\n"),
            format!("From: hook@x.example\nSubject: event\n\n[ {FULL}, {GONE} ]\n"),
        ] {
            assert_eq!(told(&text), Some((Report::Failed, both.clone())), "{text}");
        }
        let spread = GONE.replace(",\"", ",\n  \"time\": \"2026-11-10T08:12:44Z\",\n  \"");
        assert_eq!(told(&spread).map(|(_, all)| all.len()), Some(1), "{spread}");
    }

    #[test]
    fn the_last_event_about_a_recipient_counts() {
        let (report, all) = told(&format!("[{FULL},{LATER}]")).unwrap();
        assert_eq!(report, Report::Delivered);
        assert_eq!(all.len(), 1);
        let (report, _) = told(&format!("[{LATER},{FULL}]")).unwrap();
        assert_eq!(report, Report::Failed);
    }

    #[test]
    fn other_json_is_no_event() {
        for text in [
            "{}",
            "[]",
            "[1, 2]",
            r#"{"name":"bo","mail":"bo@b.example"}"#,
            "{ no json",
            "[note] bo@b.example was here",
        ] {
            assert_eq!(told(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_opened_and_never_closed_costs_its_size() {
        for piece in ["{", "[{", "{\"a\":\"", "{}", "\"", "}{"] {
            let text = format!("{{{}", piece.repeat(100_000));
            let start = std::time::Instant::now();
            let _ = told(&text);
            assert!(
                start.elapsed().as_secs() < 10,
                "{piece}: {:?}",
                start.elapsed()
            );
        }
    }
}
