//! A mail in which somebody tells in their own words that a mail came back, and quotes what the
//! notice said: "my mail to anna@far.example came back with 'mailbox full'". No code, no notice:
//! so it takes an address, words for the coming back, the writer's own mail, and the quotation.

use crate::bounce::explanation::Action;

use super::draft::{Draft, Words};
use super::found::Known;
use super::page::{ends_in_word, lines, part, starts, tail};
use super::passage::{is_sender, is_service};
use super::tables::{TOLD, TOLD_CAME_BACK, TOLD_MEANS, TOLD_OWN};
use super::{Voice, address};

/// Places that are looked at; who has more to tell writes about something else.
const MAX_PLACES: usize = 20;

/// What comes back and what it says stand no further apart.
const NEAR: usize = 160;

/// The longest quotation, in bytes.
const MAX_QUOTATION: usize = 300;

/// The failure that a text tells of.
pub(super) fn read(text: &str, known: &Known) -> Option<Draft> {
    memchr::memchr(b'@', text.as_bytes())?;
    let mut places = Vec::new();
    let mut own = false;
    TOLD.each(text.as_bytes(), |id, at, end| {
        let roles = TOLD_MEANS.get(id).map_or(0, |(roles, _)| *roles);
        own |= roles & TOLD_OWN != 0;
        if roles & TOLD_CAME_BACK != 0 && places.len() < MAX_PLACES {
            places.push((at, end));
        }
    });
    if !own || places.is_empty() {
        return None;
    }
    places
        .into_iter()
        .find_map(|place| told(text, place, known))
}

fn told(text: &str, (at, end): (usize, usize), known: &Known) -> Option<Draft> {
    let (from, to) = paragraph(text, at)?;
    let said = part(text, from, to);
    let mut own = false;
    TOLD.each(said.as_bytes(), |id, _, _| {
        own |= TOLD_MEANS
            .get(id)
            .is_some_and(|(roles, _)| roles & TOLD_OWN != 0);
    });
    if !own || supposes(part(text, from, at)) {
        return None;
    }
    let near = part(text, end, text.floor_char_boundary(to.min(end + NEAR)));
    // What the next sentence quotes is about something else.
    let near = part(near, 0, stops(near).next().unwrap_or(near.len()));
    let (start, quotation) = quotation(near, part(text, end, to))?;
    let mut only: Option<&str> = None;
    for found in address::all(said) {
        let other = |one: &str| !one.eq_ignore_ascii_case(found.text);
        if known.owns(found.text) || is_service(found.text) || is_sender(said, found.start) {
            continue;
        }
        if only.is_some_and(other) {
            return None;
        }
        only = Some(found.text);
    }
    Some(Draft {
        address: Some(only?.to_owned()),
        action: Some(Action::Failed),
        words: vec![Words::new(quotation, end + start, Voice::Local)],
        ..Draft::default()
    })
}

/// The paragraph around a place: between blank lines.
fn paragraph(text: &str, at: usize) -> Option<(usize, usize)> {
    /// Longer ones are no sentence or two.
    const MOST: usize = 2_000;
    let first = text.floor_char_boundary(at.saturating_sub(MOST));
    let mut from = first;
    for line in lines(text, first, at) {
        if line.is_blank() {
            from = line.end;
        }
    }
    let mut to = at;
    for line in lines(
        text,
        from,
        text.floor_char_boundary(at.saturating_add(MOST)),
    ) {
        if line.at > at && line.is_blank() {
            break;
        }
        to = line.end;
    }
    (from < to).then_some((from, to))
}

/// Where a sentence ends: the first byte behind each stop.
fn stops(text: &str) -> impl DoubleEndedIterator<Item = usize> {
    let signs = text.match_indices(['.', '!', '?']).map(|(at, _)| at + 1);
    signs.filter(|&at| tail(text, at).starts_with(char::is_whitespace))
}

/// "If a mail bounces", "Does my mail come back": what might be is not told of. `before` is what stands in front of it.
fn supposes(before: &str) -> bool {
    let sentence = stops(before).next_back();
    let words = tail(before, sentence.unwrap_or(0)).trim_start();
    [
        "if ", "falls ", "should ", "sollte ", "unless ", "does ", "do ", "will ", "would ",
        "what ", "kann ", "wird ", "werden ", "est-ce ",
    ]
    .iter()
    .any(|word| starts(words, word))
}

/// Signs that quote: what opens, what closes.
const SIGNS: [(char, char); 8] = [
    ('"', '"'),
    ('“', '”'),
    ('„', '“'),
    ('„', '”'),
    ('«', '»'),
    ('»', '«'),
    ('「', '」'),
    ('\'', '\''),
];

/// The first quotation that opens in `near`, and where; it closes in `text`, which begins alike.
fn quotation<'t>(near: &str, text: &'t str) -> Option<(usize, &'t str)> {
    near.char_indices().find_map(|(at, open)| {
        // An apostrophe stands within a word.
        if part(near, 0, at).ends_with(char::is_alphanumeric) {
            return None;
        }
        let inside = tail(text, at + open.len_utf8());
        SIGNS
            .iter()
            .filter(|(sign, _)| *sign == open)
            .find_map(|(_, close)| {
                let mut ends = inside.match_indices(*close).map(|(at, _)| at);
                let end = ends.find(|&end| {
                    *close != '\'' || !tail(inside, end + 1).starts_with(char::is_alphanumeric)
                })?;
                let words = part(inside, 0, end).trim();
                let long = words.len() > MAX_QUOTATION || !words.contains(char::is_alphabetic);
                // What somebody is called, or what a mail was about, is not what a server says.
                let named = ends_in_word(
                    part(near, 0, at).trim_end(),
                    &["subject", "called", "titled", "betreff", "objet", "asunto"],
                );
                (!long && !named).then_some((at + open.len_utf8(), words))
            })
    })
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use crate::message::layer::open;

    fn told(text: &str) -> Option<(String, String)> {
        let mail = format!(
            "From: bea@home.example\nTo: it@desk.example\nSubject: mail\nContent-Type: text/plain; charset=utf-8\n\n{text}\n"
        );
        let notice = read(&open(mail.as_bytes()), false)?;
        let one = notice.statements.into_iter().next()?;
        let words = one.quotes.into_iter().next().map(|quote| quote.text);
        Some((one.address.unwrap_or_default(), words.unwrap_or_default()))
    }

    #[test]
    fn a_mail_that_came_back_is_told_of_without_any_code() {
        for (text, words) in [
            (
                "Hi,\nI mailed anna@far.example and it came back with 'mailbox full'. What now?\n\nBea",
                "mailbox full",
            ),
            (
                "My mail to anna@far.example bounced, it says \"user\nunknown\".",
                "user unknown",
            ),
            (
                "When I write to anna@far.example, it comes back: “the recipient’s server is down”",
                "the recipient’s server is down",
            ),
            (
                "Meine Mail an anna@far.example kam zurück mit „Postfach voll“. Was tun?",
                "Postfach voll",
            ),
            (
                "Mon message à anna@far.example est revenu avec « boîte pleine ».",
                "boîte pleine",
            ),
        ] {
            let found = told(text).unwrap_or_default();
            assert_eq!(
                found,
                ("anna@far.example".to_owned(), words.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_only_sounds_like_it_is_no_failure() {
        for text in [
            "Our form tells \"user unknown\" when anna@far.example logs in.",
            "anna@far.example came back from holiday and said \"mailbox full of letters\".",
            "If a mail of ours, such as my mail to anna@far.example, bounces with \"mailbox full\", it is kept.",
            "I never got my parcel: it came back with \"recipient unknown\". Write to anna@far.example.",
            "My mail came back with \"mailbox full\", no idea whose.",
            "Is anna@far.example full? Does my mail come back then, with \"mailbox full\" or so?",
            "My mail to anna@far.example and to ben@far.example came back with \"mailbox full\".",
            "My mail to anna@far.example came back, no reason given.",
            "My mail to anna@far.example came back. The phone says \"not available\" too.",
            "My mail to you came back with \"mailbox full\".\n\n-- \nanna@far.example",
        ] {
            assert_eq!(told(text), None, "{text}");
        }
    }
}
