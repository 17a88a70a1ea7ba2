//! A walk down the lines of a notice written for people. It knows a handful of shapes that nearly
//! all programs share: a line that begins with an address and a reason behind or below it, a label
//! with a value, an SMTP dialogue, a paragraph that holds a reply. What belongs to which recipient
//! is settled afterwards (`settle.rs`).

use crate::bounce::explanation::Action;

use super::Voice;
use super::address::{self, Shape};
use super::draft::{MAX_RECIPIENTS, Words};
use super::found::{Entry, Known, Reading, Strength};
use super::labels::{self, Label};
use super::marks::{self, Marks};
use super::page::{Line, contains, ends_in_word, lines, offset, starts, strip, tail};
use super::transcript;

/// The state of a walk.
pub(super) struct Walk<'a, 'k> {
    pub(super) text: &'a str,
    pub(super) marks: &'k Marks,
    pub(super) known: &'k Known,
    pub(super) out: Reading<'a>,
    /// The entry whose reason the next lines are.
    pub(super) open: Option<usize>,
    /// The reason being read: where it starts and ends so far.
    pub(super) reason: Option<(usize, usize)>,
    /// A labelled reason without a value yet, or with lines to come.
    pub(super) labelled: Option<(usize, usize)>,
    /// The paragraph of plain text being read.
    pub(super) paragraph: Option<(usize, usize)>,
    /// A label announced a recipient, the address is on the next line.
    pub(super) wants_recipient: bool,
    pub(super) in_transcript: bool,
    pub(super) action: Option<Action>,
    /// The line before, when it was text.
    pub(super) before: &'a str,
    /// The paragraph before tells the reader where to write to.
    pub(super) instructs: bool,
    /// A recipient stood alone in the paragraph before: the sentence may go on about it.
    pub(super) alone: Option<usize>,
}

/// Walks down `text` from the start to `end`.
pub(super) fn walk<'a>(text: &'a str, end: usize, marks: &Marks, known: &'a Known) -> Reading<'a> {
    let mut walk = Walk {
        text,
        marks,
        known,
        out: Reading::default(),
        open: None,
        reason: None,
        labelled: None,
        paragraph: None,
        wants_recipient: false,
        in_transcript: false,
        action: None,
        before: "",
        instructs: false,
        alone: None,
    };
    for line in lines(text, 0, end) {
        walk.line(&line);
    }
    walk.close();
    let mut out = walk.out;
    out.dialogue = out.dialogue.finish();
    out
}

impl<'a> Walk<'a, '_> {
    fn line(&mut self, line: &Line<'a>) {
        let body = line.body;
        if line.is_blank() || line.is_rule() {
            // A label without a value may have it in the next paragraph.
            if self.labelled.is_none_or(|(from, to)| to > from) {
                self.close();
            } else {
                self.end_paragraph();
                self.end_reason();
                self.open = None;
            }
            return;
        }
        if let Some((side, words)) = transcript::spoken(body) {
            self.end_paragraph();
            self.end_reason();
            let at = offset(self.text, words);
            self.out.dialogue.line(side, words, at, self.open);
            return;
        }
        if body.starts_with("---") || body.starts_with("===") || body.starts_with("***") {
            self.section(line);
            return;
        }
        if let Some(host) = strip(body.trim_start_matches(['.', ' ']), "while talking to ") {
            self.close();
            self.in_transcript = true;
            self.out.dialogue.talk_to(host);
            return;
        }
        if body.starts_with('(') && self.aside(line) {
            return;
        }
        if self.in_transcript && self.told_in_transcript(line) {
            return;
        }
        let named = memchr::memchr(b'@', body.as_bytes()).is_some();
        let told = self.recipient(line, named) || self.label(line) || named && self.verdict(line);
        if told {
            self.before = body;
            return;
        }
        self.words(line);
        self.before = body;
    }

    /// `----- The following addresses had permanent fatal errors -----`
    fn section(&mut self, line: &Line<'a>) {
        self.close();
        let body = line.body;
        // The dashes may belong to an item: `--  user@example.org`.
        if self.recipient(line, memchr::memchr(b'@', body.as_bytes()).is_some()) {
            return;
        }
        self.in_transcript = contains(body, "transcript");
        self.action = if contains(body, "transient") {
            Some(Action::Delayed)
        } else if contains(body, "fatal") || contains(body, "errors") {
            Some(Action::Failed)
        } else if contains(body, "successful") {
            Some(Action::Delivered)
        } else {
            None
        };
        let title = body.trim_matches(['-', '=', '*', ' ']);
        if contains(title, "server message")
            || contains(title, "failure reason")
            || contains(title, "technical details")
            || contains(title, "non-delivered information")
        {
            self.labelled = Some((line.end, line.end));
        } else if contains(title, "smtp command") {
            self.in_transcript = false;
        } else if !title.is_empty()
            && self.marks.roles(line.at, line.end) & marks::FAIL != 0
            && !self.in_transcript
        {
            self.push_prose(line.body_at, line.end);
        }
    }

    /// `(reason: 550 no)`, `(expanded from: <a@b>)` below a recipient.
    fn aside(&mut self, line: &Line<'a>) -> bool {
        let Some(entry) = self.out.entries.last_mut() else {
            return false;
        };
        if let Some((old, _)) = address::alias_of(line.body) {
            entry.alias = Some(old);
            return true;
        }
        let inner = line.body.trim_start_matches('(');
        let Some(reason) = strip(inner, "reason:") else {
            return false;
        };
        let at = offset(self.text, reason);
        self.end_reason();
        self.open = Some(self.out.entries.len() - 1);
        let end = line.body_at + line.body.trim_end_matches(')').len();
        self.reason = Some((at, end.max(at)));
        true
    }

    /// A line of the reporting server in a transcript.
    fn told_in_transcript(&mut self, line: &Line<'a>) -> bool {
        let body = line.body;
        if transcript::code(body).is_some() || contains(body, "... ") {
            let named = address::find(body, 0).map(|f| f.text);
            self.out.dialogue.local(body, line.body_at, named);
            return true;
        }
        if self.out.dialogue.wrapped(body) {
            return true;
        }
        // The words of a mailer, such as `maildrop: maildir over quota.`
        if self.marks.roles(line.at, line.end) & marks::DELAY == 0 {
            self.out.dialogue.local(body, line.body_at, None);
        }
        true
    }

    /// A line that begins with an address.
    /// `named`: there is an `@` in it.
    fn recipient(&mut self, line: &Line<'a>, named: bool) -> bool {
        let body = line.body;
        if self.out.entries.len() >= MAX_RECIPIENTS {
            return false;
        }
        let Some(entry) = named.then(|| address::entry(body)).flatten() else {
            return self.local_part(line);
        };
        if let Some(open) = self.open.and_then(|i| self.out.entries.get(i)) {
            let continues = line.indent > open.indent
                || open.address.eq_ignore_ascii_case(entry.address)
                || entry.shape == Shape::Sentence
                || (self.known.owns(entry.address) && self.reason.is_some_and(|(a, b)| b > a));
            if continues {
                return false;
            }
        }
        if entry.shape == Shape::Sentence && !self.wants_recipient {
            return false;
        }
        // "A message sent by" in front of the line: that is the sender.
        let before = self.before.trim_end_matches([':', ' ']);
        if ends_in_word(before, &["sent by", "from", "sender", "von", "contact"]) {
            return true;
        }
        self.close();
        let asked = self.instructs && entry.shape == Shape::Alone;
        let strength = if asked {
            Strength::Mentioned
        } else {
            Strength::Listed
        };
        let rest_at = if entry.rest.is_empty() {
            line.end
        } else {
            offset(self.text, entry.rest)
        };
        self.begin(entry.address, entry.alias, line.indent, strength);
        if entry.shape != Shape::Dated {
            self.reason = Some((rest_at, line.end));
        }
        if entry.shape == Shape::Alone {
            self.alone = self.open;
        }
        true
    }

    /// Exim writes local users without their domain; the header has the whole address. A program or
    /// a file stands there instead of an address, with the address below.
    fn local_part(&mut self, line: &Line<'a>) -> bool {
        let known = self.known;
        let nobody = [
            "pipe to |",
            "save to /",
            "an undisclosed address",
            "\"|",
            "|/",
        ];
        if self.open.is_none()
            && body_may_name_nobody(line.body)
            && nobody.iter().any(|lead| starts(line.body, lead))
        {
            self.close();
            self.begin("", None, line.indent, Strength::Listed);
            // That it went to a program is the reason, unless the program said a better one.
            if let Some(entry) = self.out.entries.last_mut() {
                let words = Words::new(line.body, line.body_at, Voice::Local);
                entry.words.push(words);
            }
            return true;
        }
        if line.indent < 2
            || self.open.is_some()
            || known.failed.is_empty()
            || line.body.contains([' ', '@'])
        {
            return false;
        }
        if known.local(line.body).is_none() {
            return false;
        }
        self.close();
        self.begin(line.body, None, line.indent, Strength::Listed);
        true
    }

    fn begin(
        &mut self,
        address: &'a str,
        alias: Option<&'a str>,
        indent: usize,
        strength: Strength,
    ) {
        self.out.entries.push(Entry {
            address,
            alias,
            action: self.action,
            words: Vec::new(),
            strength,
            indent,
        });
        self.open = Some(self.out.entries.len() - 1);
        self.wants_recipient = false;
    }

    /// `Recipient: a@b.example`, `Reason: …`
    fn label(&mut self, line: &Line<'a>) -> bool {
        let Some((label, value)) = labels::label(line.body) else {
            // The words of the reason stand in the next lines or the next paragraph.
            if self.open.is_none() && self.labelled.is_none() && labels::announces_reason(line.body)
            {
                self.words(line);
                self.end_paragraph();
                self.labelled = Some((line.end, line.end));
                return true;
            }
            return false;
        };
        match label {
            Label::To => {
                let found = address::find(value, 0).filter(|f| !self.known.owns(f.text));
                if let Some(found) = found
                    && self.out.entries.len() < MAX_RECIPIENTS
                    && self.open.is_none()
                {
                    self.out.entries.push(Entry {
                        address: found.text,
                        alias: None,
                        action: self.action,
                        words: Vec::new(),
                        strength: Strength::Mentioned,
                        indent: 0,
                    });
                }
                false
            }
            Label::Recipient => {
                let found = address::find(value, 0).filter(|f| f.start <= 24);
                let Some(found) = found else {
                    self.wants_recipient = value.is_empty();
                    return false;
                };
                if self
                    .open
                    .and_then(|i| self.out.entries.get(i))
                    .is_some_and(|e| e.address.eq_ignore_ascii_case(found.text))
                {
                    return true;
                }
                if self.known.owns(found.text) {
                    return false;
                }
                self.close();
                self.begin(found.text, None, line.indent, Strength::Listed);
                let rest = tail(value, found.end).trim_start_matches([']', ')', '>', '.', ',']);
                if !rest.trim().is_empty() {
                    self.reason = Some((offset(self.text, rest), line.end));
                }
                true
            }
            Label::Reason => {
                self.end_paragraph();
                self.end_reason();
                self.end_label();
                let at = if value.is_empty() {
                    line.end
                } else {
                    offset(self.text, value)
                };
                self.labelled = Some((at, if value.is_empty() { at } else { line.end }));
                true
            }
        }
    }

    /// `Unknown user: a@b.example`: the label is the reason, the value the recipient.
    fn verdict(&mut self, line: &Line<'a>) -> bool {
        /// Longer labels are sentences.
        const MAX_LABEL: usize = 60;
        let body = line.body;
        if self.out.entries.len() >= MAX_RECIPIENTS {
            return false;
        }
        let Some((label, value)) = body.split_once(':').filter(|(l, _)| l.len() <= MAX_LABEL)
        else {
            return false;
        };
        let Some(found) = address::find(value, 0) else {
            return false;
        };
        let alone =
            |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\'' | '[' | ']' | '.');
        let roles = self.marks.roles(line.at, line.body_at + label.len());
        if roles & marks::FAIL == 0
            || self.known.owns(found.text)
            || !value
                .get(..found.start)
                .is_some_and(|v| v.chars().all(alone))
            || !tail(value, found.end).chars().all(alone)
            || ["from", "sender"].iter().any(|w| contains(label, w))
        {
            return false;
        }
        self.close();
        self.begin(found.text, None, line.indent, Strength::Listed);
        if let Some(entry) = self.out.entries.last_mut() {
            let words = Words::new(body, line.body_at, Voice::Local).with_roles(roles);
            entry.words.push(words);
        }
        true
    }

    fn words(&mut self, line: &Line<'a>) {
        let span = if let Some((from, to)) = &mut self.labelled {
            // The value of an empty label starts here.
            if from == to {
                *from = line.body_at;
            }
            to
        } else if let (Some(_), Some((_, to))) = (self.open, &mut self.reason) {
            to
        } else if self.open.is_some() {
            &mut self.reason.insert((line.body_at, line.end)).1
        } else {
            &mut self.paragraph.get_or_insert((line.body_at, line.end)).1
        };
        *span = line.end;
    }
}

/// A quick look before the slow one.
fn body_may_name_nobody(body: &str) -> bool {
    matches!(
        body.as_bytes().first(),
        Some(b'p' | b's' | b'a' | b'"' | b'|')
    )
}
