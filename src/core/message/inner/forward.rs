//! Forwards inside a text: a copied header (`From:`, `Sent:`, `Subject:` in some language), below a
//! separator or not, or the whole source of a mail.
//!
//! The mechanism knows no mail program: it looks for runs of label lines. What it finds wrongly costs
//! time only, because the caller looks whether a notice is in it.

use crate::message::head;
use crate::message::inner::labels::{self, Role};
use crate::message::lines::{self, Line};

/// More forwards side by side in one text are not looked for.
const MAX_FORWARDS: usize = 50;

/// A forward in a text; all numbers are bytes of that text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Forward<'t> {
    /// Where it starts, its separator included.
    pub(crate) start: usize,
    /// Where its text starts.
    pub(crate) body: usize,
    /// Where it ends.
    pub(crate) end: usize,
    /// The copied header: name of the field, value, where the value stands.
    pub(crate) fields: Vec<(&'static str, &'t str, usize)>,
}

/// A line, and the label that it starts with. A line is within reach of many others.
struct Row<'t> {
    text: &'t str,
    start: usize,
    label: Option<Label<'t>>,
}

/// A line that starts with a label: its role, its value and where the value starts.
#[derive(Clone, Copy)]
struct Label<'t> {
    role: Role,
    value: &'t str,
    start: usize,
}

impl<'t> Row<'t> {
    fn read(line: &Line<'t>) -> Self {
        Self {
            text: line.text,
            start: line.start,
            label: label(line),
        }
    }
}

/// Finds the forwards in `text`, outermost first, none inside another: what stands in a forward
/// is the caller's next step. Also gives, first, the start of the source of a whole mail.
pub(crate) fn find(text: &str) -> (Option<usize>, Vec<Forward<'_>>) {
    let lines: Vec<Line<'_>> = lines::lines(text).collect();
    let source = source(&lines);
    let rows: Vec<Row<'_>> = lines.iter().map(Row::read).collect();
    let mut all: Vec<Forward<'_>> = Vec::new();
    let mut at = 0;
    while let Some(row) = rows.get(at).filter(|_| all.len() < MAX_FORWARDS) {
        if source.is_some_and(|start| row.start > start) {
            break;
        }
        match forward(&rows, at, text.len()) {
            // Side by side only after a separator: label lines alone may be the original of a
            // notice that was forwarded, and belong to it.
            Some((forward, next)) if all.is_empty() || separator(row.text) => {
                if let Some(last) = all.last_mut() {
                    last.end = forward.start;
                }
                all.push(forward);
                at = next.max(at + 1);
            }
            _ => at += 1,
        }
    }
    // A copied header with the fields of a real one is the source of a mail.
    let source = source.filter(|start| all.first().is_none_or(|first| *start <= first.body));
    if source.is_some() {
        all.clear();
    }
    (source, all)
}

/// The forward that starts at line `at`, and the line where its text starts.
fn forward<'t>(lines: &[Row<'t>], at: usize, end: usize) -> Option<(Forward<'t>, usize)> {
    let first = lines.get(at)?;
    let separated = separator(first.text);
    if !separated && (!starts_paragraph(lines, at) || first.label.is_none()) {
        return None;
    }
    // Between the separator and the header there may be blank lines and a line such as
    // "Von: x  Datum: y" of another program, or the sender's name (Lotus Notes).
    let mut from = at;
    if separated {
        from += 1;
        let mut skipped = 0;
        while lines.get(from).is_some_and(|line| line.label.is_none()) && skipped < 5 {
            from += 1;
            skipped += 1;
        }
    }
    let (fields, next) = labelled(lines, from, separated);
    let mut roles: Vec<Role> = fields
        .iter()
        .map(|f| f.role)
        .filter(|r| *r != Role::Other)
        .collect();
    roles.sort_by_key(|role| *role as u8);
    roles.dedup();
    let enough = roles.len() >= 3 || (separated && roles.len() >= 2);
    let announced = separated && labels::announces(first.text);
    if !enough && !announced {
        return None;
    }
    let next = if enough { next } else { at + 1 };
    let named = |f: Label<'t>| f.role.field().map(|name| (name, f.value, f.start));
    let forward = Forward {
        start: first.start,
        body: lines.get(next).map_or(end, |line| line.start),
        end,
        fields: if enough {
            fields.into_iter().filter_map(named).collect()
        } else {
            Vec::new()
        },
    };
    Some((forward, next))
}

/// A label line starts a header only at the start of a paragraph, or below a line of Outlook's.
fn starts_paragraph(lines: &[Row<'_>], at: usize) -> bool {
    at.checked_sub(1)
        .and_then(|before| lines.get(before))
        .is_none_or(|line| {
            let text = line.text.trim();
            // The last line of a message is a name or a sentence; below it the header may follow
            // directly when the program wrote HTML.
            text.is_empty() || line.label.is_none()
        })
}

/// The run of label lines from line `at` on, and the line after it. A value may go on in the next
/// line, or begin there when the label stands alone.
fn labelled<'t>(lines: &[Row<'t>], at: usize, rows: bool) -> (Vec<Label<'t>>, usize) {
    // No program writes more; To and Cc may have many continuation lines.
    const MAX_LINES: usize = 40;
    let mut fields: Vec<Label<'t>> = Vec::new();
    let mut next = at;
    let mut loose = 0;
    while let Some(line) = lines.get(next).filter(|_| next < at + MAX_LINES) {
        match line.label {
            Some(found) => {
                loose = 0;
                fields.push(found);
            }
            None if line.text.trim().is_empty() => {
                // Tables turned into text have a blank line between the rows.
                let row = lines.get(next + 1).and_then(|line| line.label);
                let last = fields.last().map(|f| f.role);
                if !rows
                    || row.is_none()
                    || fields.len() < 2 && last.is_none()
                    || last == Some(Role::Subject)
                {
                    break;
                }
            }
            None => {
                let Some(last) = fields.last_mut() else { break };
                loose += 1;
                let goes_on = line.text.starts_with([' ', '\t'])
                    || lines
                        .get(next + 1)
                        .is_some_and(|after| after.label.is_some())
                    || last.value.ends_with([',', ';']);
                if last.value.is_empty() {
                    last.value = line.text.trim();
                    last.start = line.start + line.text.len() - line.text.trim_start().len();
                } else if !goes_on || loose > 6 {
                    break;
                }
            }
        }
        next += 1;
    }
    (fields, next)
}

/// Reads `*From:* value`, `De : value`, `发件人：value`, `Subject:\tvalue`.
fn label<'t>(line: &Line<'t>) -> Option<Label<'t>> {
    // The longest label has under 40 bytes; beyond it a colon is one of a sentence.
    const MAX_LABEL: usize = 48;
    let text = line
        .text
        .trim_start()
        .trim_start_matches(['*', '|', '\u{FEFF}', '\u{200F}']);
    let cut = text.floor_char_boundary(MAX_LABEL);
    let (name, _) = text.get(..cut)?.split_once([':', '：'])?;
    let rest = text.get(name.len()..)?;
    let rest = rest.strip_prefix(':').or_else(|| rest.strip_prefix('：'))?;
    let name = name.trim().trim_end_matches('*').trim();
    let role = labels::role(name)?;
    let value = rest.trim_start_matches('*').trim();
    let start = line.start + line.text.len() - rest.trim_start_matches('*').trim_start().len();
    Some(Label { role, value, start })
}

/// True for `-----Original Message-----`, `---------- Forwarded message ---------`,
/// `Begin forwarded message:`, `____________`, `-------- Ursprüngliche Nachricht --------`.
fn separator(line: &str) -> bool {
    let text = line.trim();
    if text.starts_with('>') {
        return false;
    }
    let dash = |c: char| matches!(c, '-' | '_' | '=' | '*' | '~' | '—' | '–' | '─');
    let inner = text.trim_matches(dash);
    let dashes = text.len() - inner.len();
    if inner.is_empty() {
        return dashes >= 8 && text.starts_with(['_', '-']);
    }
    let words = inner.trim();
    // Apple Mail writes a sentence with a colon, without any line.
    let sentence = text.ends_with([':', '：']) && text.len() < 80 && dashes == 0;
    (text.starts_with(dash) && dashes >= 2 && text.len() < 200 || sentence)
        && labels::announces(words)
}

/// Where the source of a whole mail starts: a run of header fields, at least three that mail has
/// and one that only machines write.
fn source(lines: &[Line<'_>]) -> Option<usize> {
    const STRONG: [&str; 8] = [
        "received",
        "return-path",
        "message-id",
        "mime-version",
        "content-type",
        "delivered-to",
        "x-original-to",
        "authentication-results",
    ];
    const USUAL: [&str; 8] = [
        "from",
        "to",
        "subject",
        "date",
        "reply-to",
        "sender",
        "cc",
        "auto-submitted",
    ];
    let mut start = None;
    let (mut strong, mut usual) = (0u32, 0u32);
    for line in lines {
        let indent = line.text.starts_with([' ', '\t']);
        match head::name_len(line.text.as_bytes()).and_then(|len| line.text.get(..len)) {
            Some(name) if !indent => {
                start = start.or(Some(line.start));
                let is = |known: &str| known.eq_ignore_ascii_case(name);
                strong += u32::from(STRONG.iter().any(|k| is(k)));
                usual += u32::from(USUAL.iter().any(|k| is(k)));
                if strong >= 1 && strong + usual >= 3 && usual >= 1 {
                    return start;
                }
            }
            _ if indent && !line.text.trim().is_empty() => {}
            _ => (start, strong, usual) = (None, 0, 0),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The subject and the text of the only forward in `text`.
    fn one(text: &str) -> (String, String) {
        let (source, all) = find(text);
        assert_eq!((source, all.len()), (None, 1), "{text}\n{all:?}");
        let subject = all[0].fields.iter().find(|(name, ..)| *name == "Subject");
        let subject = subject.map_or(String::new(), |(_, value, _)| (*value).to_owned());
        (subject, text[all[0].body..all[0].end].trim().to_owned())
    }

    #[test]
    fn every_program_and_language_is_understood() {
        for header in [
            "-----Original Message-----\nFrom: A <a@b.example> \nSent: Monday\nTo: c\nSubject: S\n",
            "-----Ursprüngliche Nachricht-----\nVon: A\nGesendet: Montag\nAn: c\nBetreff: S\n",
            "________________________________\nDe : A\nEnvoyé : lundi\nÀ : c\nObjet : S\n",
            "---------- Forwarded message ---------\nFrom: <a@b>\nDate: x\nSubject: S\nTo: <c>\n\n",
            "Begin forwarded message:\n\nFrom: A\nSubject: S\nDate: x\nTo: c\n",
            "Anfang der weitergeleiteten Nachricht:\n\nVon: A\nBetreff: S\nDatum: x\nAn: c\n",
            "-------- Forwarded Message --------\nSubject: \tS\nDate: \tx\nFrom: \tA\nTo: \tc\n\n\n",
            "----- Forwarded message from A <a@b> -----\n\nDate: x\nFrom: A\nTo: c\nSubject: S\n",
            "----- Forwarded by A/Org on 01/02/2026 03:04 PM -----\n\nA@Org\n01/02/2026\n\nTo: c\ncc:\nSubject: S\n",
            "发件人： A\n发送时间： x\n收件人： c\n主题： S\n",
            "差出人: A\n送信日時: x\n宛先: c\n件名: S\n",
            "От: A\nОтправлено: x\nКому: c\nТема: S\n",
            "*From:* A\n*Sent:* x\n*To:* c,\n   d\n*Subject:* S\n",
            "From:\nA\nDate:\nx\nSubject:\nS\nTo:\nc\n",
            "Kimden: A\nGönderilme: x\nKime: c\nKonu: S\n",
            "----- Mensaje reenviado -----\nDe: A\nPara: c\nEnviado: x\nAsunto: S\n",
        ] {
            let text = format!("Hello,\nwhat is this?\n\n{header}\nThe text: it failed.\n");
            assert_eq!(
                one(&text),
                ("S".to_owned(), "The text: it failed.".to_owned())
            );
        }
    }

    #[test]
    fn a_separator_alone_is_enough_when_it_says_so() {
        let text = "See below.\n\n---- Forwarded message ----\n\nIt failed.\n";
        assert_eq!(one(text), (String::new(), "It failed.".to_owned()));
    }

    #[test]
    fn prose_is_no_forward() {
        for text in [
            "From: here on it gets better\nand better\n",
            "To: be or not to be\n\nDate: fig\n\nSubject: x\n\nFrom: y\n",
            "   ----- Transcript of session follows -----\n550 no\n",
            "--------\nsignature\n",
        ] {
            assert_eq!(find(text), (None, vec![]), "{text}");
        }
    }

    #[test]
    fn the_source_of_a_mail_is_told_from_a_copied_header() {
        let text =
            "Here it is:\n\nReturn-Path: <>\nReceived: by x\n\tid y\nFrom: a\nSubject: b\n\nc\n";
        assert_eq!(find(text).0, Some(13));
    }

    #[test]
    fn a_megabyte_of_half_headers_takes_no_time_to_speak_of() {
        let text = "x\nFrom:\n".repeat(128 << 10);
        let start = std::time::Instant::now();
        assert_eq!(find(&text), (None, vec![]));
        // Looked up anew for every line within reach, the labels took minutes in a debug build.
        assert!(
            start.elapsed() < std::time::Duration::from_secs(20),
            "{:?}",
            start.elapsed()
        );
    }

    #[test]
    fn two_forwards_side_by_side_are_two() {
        let one =
            "---------- Forwarded message ---------\nFrom: a\nDate: x\nSubject: s\n\ntext\n\n";
        let text = one.repeat(2);
        let (_, all) = find(&text);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].end, all[1].start);
    }
}
