//! A mail in which somebody tells of a failure and pasted what a server said: a line of a log, or
//! one refusal. There is no notice around it, so only what nobody writes by accident counts.

use crate::bounce::explanation::{Action, Remote};
use crate::bounce::reply;
use crate::message::layer::{Block, BlockKind, Layer};
use crate::message::status::EnhancedCode;

use super::draft::{self, Draft, Words};
use super::found::Known;
use super::marks::{self, Marks};
use super::page::{Line, contains, lines, part};
use super::passage::{is_addressed, is_service};
use super::session::{self, Session};
use super::{Voice, address, told};

/// Who quotes more refusals than this writes about refusals.
const MAX_REPLIES: usize = 3;

/// Lines of a log that are read.
const MAX_LOGGED: usize = 200;

/// Texts longer than this are not looked at: a person pastes a few lines.
const MAX_TEXT: usize = 256 << 10;

/// The failures that a mail tells of in the words of servers.
pub(super) fn read(layer: &Layer<'_>, known: &Known) -> Vec<Draft> {
    let texts = |kind: BlockKind| layer.blocks.iter().filter(move |b| b.kind == kind);
    let plain = texts(BlockKind::Plain).find_map(|block| text(block, known));
    plain
        .or_else(|| texts(BlockKind::Html).find_map(|block| text(block, known)))
        .unwrap_or_default()
}

fn text(block: &Block<'_>, known: &Known) -> Option<Vec<Draft>> {
    let text = block.text();
    if text.len() > MAX_TEXT {
        return None;
    }
    let mut drafts = refused(text, known);
    if drafts.is_empty() {
        drafts.extend(told::read(text, known));
    }
    if drafts.is_empty() {
        return None;
    }
    draft::place(&mut drafts, block);
    Some(drafts)
}

/// The refusals in a text: of a log, of a session, or quoted.
fn refused(text: &str, known: &Known) -> Vec<Draft> {
    let mut drafts = Vec::new();
    let mut replies = Vec::new();
    // Nothing was refused without a 4 or a 5, and nobody without an address is told of in a log.
    if memchr::memchr2(b'4', b'5', text.as_bytes()).is_none() {
        return drafts;
    }
    let mut session = match contains(text, "rcpt to:") {
        true => session::read(text).unwrap_or_default(),
        false => Session::default(),
    };
    for passage in passages(text) {
        if passage.0 < session.to && session.from < passage.1 {
            continue;
        }
        if dead_reader(part(text, passage.0, passage.1), known) {
            continue;
        }
        match logged(text, passage) {
            Some(draft) if drafts.len() < MAX_LOGGED => add(&mut drafts, draft),
            Some(_) => {}
            None => replies.extend(refusal(text, passage, known)),
        }
    }
    for draft in session.drafts.drain(..) {
        add(&mut drafts, draft);
    }
    drafts.retain(|d| matches!(d.action, Some(Action::Failed | Action::Delayed)));
    let only = || only_address(text, known);
    if drafts.is_empty() && !session.taken && replies.len() <= MAX_REPLIES {
        for draft in replies {
            add(&mut drafts, draft);
        }
    }
    if drafts.iter().any(|d| d.address.is_none()) {
        let only = only();
        for draft in drafts.iter_mut().filter(|d| d.address.is_none()) {
            draft.address.clone_from(&only);
        }
    }
    drafts
}

/// True for a passage that calls the mailbox of the very reader full or unknown: the mail is a warning
/// about it, and nothing that came back, since it was to arrive there.
fn dead_reader(passage: &str, known: &Known) -> bool {
    let about = |code: EnhancedCode| matches!(code.subject, 1 | 2);
    let mut named = address::all(passage).peekable();
    named.peek().is_some()
        && named.all(|found| known.reads(found.text))
        && reply::find(passage).enhanced.is_some_and(about)
}

/// The last word about a recipient counts.
fn add(drafts: &mut Vec<Draft>, new: Draft) {
    let same = |d: &&mut Draft| match (&d.address, &new.address) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        (a, b) => a == b && d.words == new.words,
    };
    match drafts.iter_mut().find(same) {
        Some(old) => *old = new,
        None => drafts.push(new),
    }
}

/// The passages of a text, from where to where: a line of a log with what was wrapped off it, or a
/// paragraph.
fn passages(text: &str) -> Vec<(usize, usize)> {
    let mut all: Vec<(usize, usize)> = Vec::new();
    let mut open = false;
    for line in lines(text, 0, text.len()) {
        if line.is_blank() || line.is_rule() {
            open = false;
        } else if let (true, false, Some(last)) = (open, begins_log(&line), all.last_mut()) {
            last.1 = line.end;
        } else {
            all.push((line.body_at, line.end));
            open = true;
        }
    }
    all
}

/// A time of day near the start, as in every log.
fn begins_log(line: &Line<'_>) -> bool {
    /// "2026-11-10T09:12:44.123456+01:00" and "Tue Nov 10 2026 09:12:44" are within.
    const NEAR: usize = 40;
    let near = line.body.as_bytes();
    let near = near.get(..near.len().min(NEAR)).unwrap_or(near);
    // `delay=00:00:03` is no time of day.
    let near = near.split(|b| *b == b'=').next().unwrap_or_default();
    let digit = |b: u8| b.is_ascii_digit();
    near.windows(8).any(|w| {
        matches!(w, [a, b, b':', c, d, b':', e, f]
            if [*a, *b, *c, *d, *e, *f].into_iter().all(digit))
    })
}

/// A record in JSON, and what became of the delivery that it tells of.
pub(super) fn record(text: &str, (from, to): (usize, usize)) -> Option<Draft> {
    let opened = reply::Opened::of(part(text, from, to));
    if !matches!(opened, reply::Opened::Record(_)) {
        return None;
    }
    outcome(from, &opened)
}

/// A line of a log, and what became of the delivery that it tells of.
fn logged(text: &str, (from, to): (usize, usize)) -> Option<Draft> {
    let words = Words::new(part(text, from, to), from, Voice::Local);
    outcome(from, &reply::Opened::of(&words.text))
}

fn outcome(at: usize, opened: &reply::Opened<'_>) -> Option<Draft> {
    let found = opened.logged();
    // Sendmail: what became of it stands in `dsn=5.2.2` alone.
    let action = found.action.or(
        match (found.recipient, found.status.map(|code| code.class)) {
            (Some(_), Some(4)) => Some(Action::Delayed),
            (Some(_), Some(5)) => Some(Action::Failed),
            _ => None,
        },
    )?;
    // Of a recipient, or of a delivery that its log numbers.
    if found.recipient.is_none() && !opened.is_numbered() {
        return None;
    }
    let said = reply::find(found.words);
    Some(Draft {
        address: found.recipient.or(said.recipient).map(str::to_owned),
        action: Some(action),
        status: found.status,
        remote: Remote {
            host: found.host.or(said.host).map(str::to_owned),
            ip: found.ip.or(said.ip),
        },
        command: said.command,
        expired: found.expired,
        words: vec![Words::new(found.words, at, voice(said.code))],
        ..Draft::default()
    })
}

const fn voice(code: Option<u16>) -> Voice {
    match code {
        Some(_) => Voice::Remote,
        None => Voice::Local,
    }
}

/// A refusal in a paragraph: a code with an enhanced code behind it; without one a line that is
/// announced by a colon or names whom it refuses, and that tells of a failure.
fn refusal(text: &str, (from, to): (usize, usize), known: &Known) -> Option<Draft> {
    let paragraph = part(text, from, to);
    let (at, sure) = lines(paragraph, 0, paragraph.len()).find_map(|line| {
        let lead = line.body.trim_start_matches(SIGNS);
        let start = line.body_at + (line.body.len() - lead.len());
        let coded = |at: usize| is_coded(paragraph.as_bytes().get(at..).unwrap_or_default());
        if reply::starts_refusal(lead) {
            return Some((start, coded(start)));
        }
        let digits = memchr::memchr2_iter(b'4', b'5', line.body.as_bytes());
        let mut places = digits.map(|at| line.body_at + at);
        places
            .find(|&at| opens(paragraph, at) && coded(at))
            .map(|at| (at, true))
    })?;
    let said = part(paragraph, at, paragraph.len());
    let within = at > 0 && !part(paragraph, 0, at).ends_with('\n');
    if within && compares(said) {
        return None;
    }
    // Who lists codes explains them.
    let code = part(said, 0, 3);
    let other = |line: Line<'_>| {
        let lead = line.body.trim_start_matches(SIGNS);
        reply::starts_refusal(lead) && part(lead, 0, 3) != code
    };
    if lines(said, 0, said.len()).any(other) {
        return None;
    }
    if !sure {
        let announced = at == 0 && part(text, 0, from).trim_end().ends_with(':');
        let roles = Marks::scan(said).roles(0, said.len());
        if !announced && address::find(said, 0).is_none()
            || roles & (marks::FAIL | marks::FINAL) == 0
        {
            return None;
        }
    }
    let words = Words::new(said, from + at, Voice::Remote);
    let found = reply::find(&words.text);
    let class = found
        .enhanced
        .map_or(found.code? / 100, |code| code.class.into());
    let action = match class {
        4 => Action::Delayed,
        5 => Action::Failed,
        _ => return None,
    };
    // "She cannot write to bob@b.example, and gets 550 …"
    let written_to = || {
        let before = part(paragraph, 0, at);
        let mut all = address::all(before).filter(|a| is_addressed(before, a.start));
        all.find(|a| !known.owns(a.text) && !is_service(a.text))
    };
    let address = found.recipient.or_else(|| Some(written_to()?.text));
    Some(Draft {
        address: address.map(str::to_owned),
        action: Some(action),
        command: found.command,
        words: vec![words],
        ..Draft::default()
    })
}

/// True for sentences about two codes: a server gives one, and quotes others behind an arrow.
fn compares(said: &str) -> bool {
    let code = part(said, 0, 3);
    memchr::memchr2_iter(b'4', b'5', said.as_bytes()).any(|at| {
        let before = part(said, 0, at).trim_end_matches([' ', '"', '\'']);
        let other = !before.is_empty() && part(said, at, at + 3) != code;
        other
            && opens(said, at)
            && is_coded(said.as_bytes().get(at..).unwrap_or_default())
            && !before.ends_with(['>', ':'])
            && !before.ends_with("returned")
    })
}

/// What may stand in front of a quoted reply.
const SIGNS: [char; 10] = ['"', '\'', '(', '[', '*', '`', '“', '„', '«', ' '];

/// True where a number may begin a reply in the midst of a line.
fn opens(text: &str, at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|i| text.as_bytes().get(i));
    before.is_none_or(|b| {
        matches!(
            b,
            b' ' | b'\t' | b'"' | b'\'' | b'(' | b'[' | b':' | b'>' | b'`'
        )
    })
}

/// `550 5.1.1 `, `421-4.7.28 `.
fn is_coded(text: &[u8]) -> bool {
    let [
        class @ (b'4' | b'5'),
        b'0'..=b'7',
        b'0'..=b'9',
        b' ' | b'-',
        rest @ ..,
    ] = text
    else {
        return false;
    };
    let code = EnhancedCode::parse_prefix(rest);
    code.is_some_and(|(code, _)| code.class == class - b'0')
}

/// The one address that a text names beside those of its writer and its reader.
fn only_address(text: &str, known: &Known) -> Option<String> {
    let mut only: Option<&str> = None;
    for found in address::all(text) {
        if known.owns(found.text) || is_service(found.text) {
            continue;
        }
        match only {
            Some(other) if !other.eq_ignore_ascii_case(found.text) => return None,
            _ => only = Some(found.text),
        }
    }
    only.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use crate::bounce::explanation::Report;
    use crate::message::layer::open;

    fn told(text: &str) -> Option<(Report, Vec<(String, String)>)> {
        let mail = format!("From: a@desk.example\nTo: b@desk.example\nSubject: mail\n\n{text}\n");
        let notice = read(&open(mail.as_bytes()), false)?;
        let said = notice.statements.into_iter().map(|s| {
            let words = s.quotes.into_iter().next().map(|quote| quote.text);
            (s.address.unwrap_or_default(), words.unwrap_or_default())
        });
        Some((notice.report, said.collect()))
    }

    #[test]
    fn a_line_of_a_log_is_read_even_when_it_was_wrapped() {
        let (report, said) = told(
            "Here it is:\n\nNov 10 09:12:44 mta3 sm-mta[77]: 4AA8: to=<chair@society.example>,\n  \
             delay=00:00:03, relay=mx.society.example. [203.0.113.150],\n  dsn=5.2.2, \
             stat=Service unavailable\nNov 10 09:12:45 mta3 sm-mta[77]: 4AA9: to=<z@q.example>, \
             stat=Deferred: Connection refused",
        )
        .unwrap();
        assert_eq!(report, Report::Failed);
        assert_eq!(said.len(), 2);
        assert_eq!(said[0].0, "chair@society.example");
        assert_eq!(said[1].1, "Deferred: Connection refused");
    }

    #[test]
    fn one_refusal_in_a_persons_words_is_read_with_the_one_address_there() {
        let (report, said) = told(
            "When I write to anne@far.example I get \"550 5.7.1 Your server is not welcome\" at once.",
        )
        .unwrap();
        assert_eq!(
            (report, said[0].0.as_str()),
            (Report::Failed, "anne@far.example")
        );
        assert!(said[0].1.starts_with("550 5.7.1"), "{}", said[0].1);
        let (report, said) = told("The program says:\n\n452 mailbox full, try later").unwrap();
        assert_eq!((report, said[0].0.as_str()), (Report::Delayed, ""));
    }

    #[test]
    fn who_is_written_to_is_the_recipient_and_who_tells_of_it_is_not() {
        for text in [
            "anna@desk.example can't write to info@far.example, she gets 550 5.1.1 User unknown.",
            "Melder: anna@desk.example\nMail naar info@far.example komt terug:\n550 5.1.1 User unknown",
        ] {
            let (_, said) = told(text).unwrap();
            assert_eq!(said.len(), 1, "{said:?}");
            assert_eq!(said[0].0, "info@far.example");
            // The same as a text without a header.
            let notice = read(&open(text.as_bytes()), false).unwrap();
            let all: Vec<_> = notice.statements.into_iter().map(|s| s.address).collect();
            assert_eq!(all, [Some("info@far.example".to_owned())], "{text}");
        }
    }

    #[test]
    fn numbers_lists_of_codes_and_many_refusals_are_no_failure() {
        for text in [
            "550 kWh were used in October. The account was closed, 452.20 EUR are due.",
            "Map the codes like this:\n\n550 -> mailbox unknown\n552 -> mailbox full",
            "It says a server must answer 550 5.7.27 to a null MX, or should use 556 5.1.10 then.",
            "550 5.1.1 a\n\n552 5.2.2 b\n\n554 5.7.1 c\n\n421 4.3.2 d",
            "Your mailbox b@desk.example is 95 % full. When it is full, mail is refused with \"552 \
             5.2.2 Mailbox full\".",
            "My mail of last week came back, user unknown or so.",
        ] {
            assert_eq!(told(text), None, "{text}");
        }
    }
}
