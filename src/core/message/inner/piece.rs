//! Texts made of another text: quotation marks, indentation, soft line ends and Outlook's doubled
//! links taken off, with the way back to the place of every line.

use crate::message::head;
use crate::message::lines::{self, Line};

/// A text made of pieces of another.
#[derive(Debug, Clone, Default)]
pub(crate) struct Piece {
    /// The new text.
    pub(crate) text: String,
    /// Pairs of (byte of the new text, byte of the old one), both rising.
    pub(crate) pairs: Vec<(usize, usize)>,
}

impl Piece {
    fn push(&mut self, text: &str, from: usize) {
        self.pairs.push((self.text.len(), from));
        self.text.push_str(text);
    }

    fn end_line(&mut self) {
        self.text.push('\n');
    }

    /// A stretch of a text as it is, but `<a@b<mailto:a@b>>` written once.
    pub(crate) fn stretch(text: &str, start: usize, end: usize) -> Self {
        let mut piece = Piece::default();
        for line in lines::lines(text.get(start..end).unwrap_or_default()) {
            piece.plain(line.text, start + line.start);
            piece.end_line();
        }
        piece
    }

    /// Adds `text` without the links that Outlook puts behind each address.
    fn plain(&mut self, text: &str, from: usize) {
        let mut at = 0;
        while let Some(rest) = text.get(at..) {
            let Some(open) = memchr::memmem::find(rest.as_bytes(), b"<mailto:") else {
                break;
            };
            let link = rest.get(open..).unwrap_or_default();
            let Some(close) = memchr::memchr(b'>', link.as_bytes()) else {
                break;
            };
            let target = link.get(8..close).unwrap_or_default();
            let before = rest.get(..open).unwrap_or_default();
            // Only a repetition goes; a link with a text of its own stays.
            if !before.trim_end().ends_with(target) || target.is_empty() {
                self.push(rest.get(..open + close + 1).unwrap_or_default(), from + at);
            } else {
                self.push(before.trim_end(), from + at);
            }
            at += open + close + 1;
        }
        self.push(text.get(at..).unwrap_or_default(), from + at);
    }
}

/// The marks that mail programs quote with.
fn quote_mark(line: &str) -> Option<usize> {
    let body = line.trim_start_matches(' ');
    let indent = line.len() - body.len();
    let mark = body
        .chars()
        .next()
        .filter(|c| matches!(c, '>' | '|' | '»' | '}'))?;
    let after = body.get(mark.len_utf8()..)?;
    let blank = usize::from(after.starts_with(' ') && !after.starts_with("  >"));
    // Four blanks of indentation make a code sample or a table, not a quotation.
    (indent < 4).then_some(indent + mark.len_utf8() + blank)
}

/// The quoted lines of `text[..end]`, one mark taken off each; `None` when there are none to
/// speak of.
pub(crate) fn unquote(text: &str, end: usize) -> Option<Piece> {
    let lines: Vec<Line<'_>> = lines::lines(text.get(..end)?).collect();
    let marked = |line: &Line<'_>| quote_mark(line.text).filter(|_| !odd_mark(line.text));
    let arrows = lines
        .iter()
        .filter(|l| l.text.trim_start().starts_with('>'))
        .count();
    let others = lines.iter().filter(|l| marked(l).is_some()).count();
    // Bars also draw tables and trees: they must be many.
    if arrows == 0 && others < 3 {
        return None;
    }
    let mut piece = Piece::default();
    let mut last = None;
    // Up to this line the lines are the rest of the quoted one before them.
    let mut tail = 0;
    for (n, line) in lines.iter().enumerate() {
        if let Some(mark) = quote_mark(line.text) {
            // Between two runs of quoted lines somebody wrote an answer.
            if last.is_some_and(|last| last + 1 < n) {
                piece.end_line();
            }
            let quoted = line.text.get(mark..).unwrap_or_default();
            piece.plain(quoted, line.start + mark);
            piece.end_line();
            last = Some(n);
            tail = n + 1 + wrapped(line.text, lines.get(n + 1..).unwrap_or_default());
        } else if n < tail {
            // A program wrapped the quoted line and forgot the mark of what it cut off.
            while piece.text.ends_with(['\n', ' ']) {
                piece.text.pop();
            }
            piece.text.push(' ');
            piece.plain(line.text.trim(), line.start);
            piece.end_line();
            last = Some(n);
        }
    }
    (!piece.text.trim().is_empty()).then_some(piece)
}

/// Marks other than `>` count in numbers only.
fn odd_mark(line: &str) -> bool {
    line.trim_start().starts_with('}') && line.trim().len() < 3
}

/// How many of the lines behind a quoted one are the rest of it: cut off by a program that wraps
/// long lines and forgets the mark.
fn wrapped(quoted: &str, behind: &[Line<'_>]) -> usize {
    /// The end of a line that was a little too long is short.
    const MAX_TAIL: usize = 40;
    /// Programs wrap at 72 to 80 bytes: with the next word a line was longer than this.
    const WIDTH: usize = 68;
    /// A reply of a server has no more lines of this width.
    const MOST: usize = 8;
    let unmarked =
        |line: &&Line<'_>| !line.text.trim().is_empty() && quote_mark(line.text).is_none();
    let count = behind.iter().take(MOST).take_while(unmarked).count();
    let Some(rest) = behind.get(..count) else {
        return 0;
    };
    let [first, ..] = rest else {
        return 0;
    };
    let follows = behind
        .get(count)
        .is_some_and(|l| quote_mark(l.text).is_some());
    if count == 1 && follows && first.text.trim().len() < MAX_TAIL {
        return 1;
    }
    // Every line but the last is full, and a sentence goes on: an answer begins with a capital.
    let mut before = quoted;
    let full = rest.iter().all(|line| {
        let word = line.text.split_whitespace().next().unwrap_or_default();
        let full = before.len() + 1 + word.len() > WIDTH;
        before = line.text;
        full
    });
    let goes_on = !first.text.trim_start().starts_with(char::is_uppercase);
    if full && goes_on { count } else { 0 }
}

/// True when the first indented passage of `text` begins with a field of a header. Asked first,
/// because taking the indentation off costs a copy.
pub(crate) fn indented_header(text: &str) -> bool {
    let lines: Vec<Line<'_>> = lines::lines(text).collect();
    passage(&lines)
        .and_then(|(first, _)| lines.get(first))
        .is_some_and(|line| head::name_len(line.text.trim_start().as_bytes()).is_some())
}

/// The text from the first indented passage on, its indentation taken off; `None` when there is
/// no such passage.
pub(crate) fn unindent(text: &str, end: usize) -> Option<Piece> {
    let lines: Vec<Line<'_>> = lines::lines(text.get(..end)?).collect();
    let (first, common) = passage(&lines)?;
    let mut piece = Piece::default();
    for line in lines.get(first..)? {
        let off = indent(line.text).min(common);
        piece.plain(line.text.get(off..).unwrap_or_default(), line.start + off);
        piece.end_line();
    }
    Some(piece)
}

/// The first line of the first indented passage, and the indentation its lines share.
fn passage(lines: &[Line<'_>]) -> Option<(usize, usize)> {
    const LEAST_LINES: usize = 3;
    let (mut first, mut count, mut common) = (0, 0, 0);
    for (n, line) in lines.iter().enumerate() {
        if line.text.trim().is_empty() {
            continue;
        }
        let indent = indent(line.text);
        if indent < 2 && !line.text.starts_with('\t') {
            if count >= LEAST_LINES {
                break;
            }
            count = 0;
            continue;
        }
        if count == 0 {
            (first, common) = (n, indent);
        }
        common = common.min(indent);
        count += 1;
    }
    (count >= LEAST_LINES && common > 0).then_some((first, common))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

/// Undoes format=flowed (RFC 3676): lines that end with a blank go on in the next one of the same
/// quotation depth, and lines that start with a blank were stuffed.
pub(crate) fn unflow(text: &str, delsp: bool) -> Piece {
    let mut piece = Piece::default();
    let mut open: Option<usize> = None;
    for line in lines::lines(text) {
        let depth = line.text.len() - line.text.trim_start_matches('>').len();
        let rest = line.text.get(depth..).unwrap_or_default();
        let stuffed = usize::from(rest.starts_with(' '));
        let mut content = rest.get(stuffed..).unwrap_or_default();
        let soft = content.ends_with(' ') && content != "-- " && !content.trim().is_empty();
        if soft && delsp {
            content = content.get(..content.len() - 1).unwrap_or_default();
        }
        if open != Some(depth) || content.trim().is_empty() || labelled(content) {
            if open.is_some() {
                piece.end_line();
            }
            piece.push(line.text.get(..depth).unwrap_or_default(), line.start);
            if depth > 0 {
                piece.text.push(' ');
            }
        }
        piece.push(content, line.start + depth + stuffed);
        open = soft.then_some(depth);
        if !soft {
            piece.end_line();
        }
    }
    piece
}

/// Programs that claim format=flowed leave a blank behind the lines of a copied header.
fn labelled(content: &str) -> bool {
    let word = content.split([':', '：']).next().unwrap_or_default();
    word.len() < content.len() && word.len() < 40 && super::labels::role(word.trim()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(piece: Option<Piece>) -> String {
        piece.map(|piece| piece.text).unwrap_or_default()
    }

    #[test]
    fn one_level_of_quotation_is_taken_off() {
        let mail = "Hello\n> > a\n>> b\n> >>> DATA\n> long line that\nwas wrapped\n> next\n\nbye\n";
        assert_eq!(
            text(unquote(mail, mail.len())),
            "> a\n> b\n>>> DATA\nlong line that was wrapped\nnext\n"
        );
        assert!(unquote("no quotation\n", 13).is_none());
    }

    #[test]
    fn a_long_quoted_line_that_was_wrapped_without_marks_is_whole_again() {
        let long = "> <a@b.example>: host mx.b.example[192.0.2.1] said: 550 5.7.1 refused since";
        let more = "the address that it came from is on a list of addresses that send rubbish,";
        for end in ["", "\n", "\n\nBye\n", "\n> next\n"] {
            let mail = format!("{long}\n{more}\nsee our pages{end}");
            let found = text(unquote(&mail, mail.len()));
            let whole = format!("{} {more} see our pages\n", &long[2..]);
            assert!(found.starts_with(&whole), "{found}");
        }
        for answer in ["What does it mean?", "short\nlines are no tail\nof it"] {
            let mail = format!("{long}\n{answer}\n");
            assert!(
                !text(unquote(&mail, mail.len())).contains(answer),
                "{answer}"
            );
        }
    }

    #[test]
    fn every_line_of_a_piece_knows_where_it_came_from() {
        let mail = "Hello\n> one\n> two\n";
        let piece = unquote(mail, mail.len()).unwrap();
        for (at, from) in piece.pairs {
            assert_eq!(piece.text[at..].get(..3), mail[from..].get(..3));
        }
    }

    #[test]
    fn an_indented_passage_loses_what_its_lines_have_in_common() {
        let mail = "Ticket\n\n    From: a\n    Subject: b\n\n      c\nd\n";
        assert_eq!(
            text(unindent(mail, mail.len())),
            "From: a\nSubject: b\n\n  c\nd\n"
        );
        assert!(unindent("a\n  b\nc\n", 7).is_none());
    }

    #[test]
    fn flowed_lines_are_joined_within_one_depth() {
        let mail = "> one \n> two\n> \nthree \nfour\n  stuffed\n-- \nme\nFrom: a \nTo: b\n";
        assert_eq!(
            unflow(mail, false).text,
            "> one two\n> \nthree four\n stuffed\n-- \nme\nFrom: a \nTo: b\n"
        );
        assert_eq!(unflow("a \nb\n", true).text, "ab\n");
    }

    #[test]
    fn outlooks_doubled_links_are_written_once() {
        let mail = "<a@b.example<mailto:a@b.example>>: no, see this<mailto:x@y.example>\n";
        assert_eq!(
            Piece::stretch(mail, 0, mail.len()).text,
            "<a@b.example>: no, see this<mailto:x@y.example>\n"
        );
    }
}
