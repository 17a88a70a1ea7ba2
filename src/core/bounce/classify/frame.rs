//! What reporting servers write around the words of the server that refused.

use crate::bounce::reply::Place;

/// qmail takes its leave from every server that refused: "Giving up on 192.0.2.1." is no reason.
pub(super) fn without_farewell(text: &str) -> &str {
    let end = text.trim_end();
    let words = end.rsplit_once(' ').map_or(end, |(words, _)| words);
    words
        .strip_suffix("Giving up on")
        .filter(|rest| !rest.is_empty())
        .unwrap_or(text)
}

/// Words of reporting servers after which the other server speaks (Postfix, IronPort).
/// Each with its rarest byte.
const FRAMES: [(&str, usize); 2] = [(" said: ", 5), (" - Unknown address error ", 3)];

/// Words of Postfix after which it says what came of its own question for the recipient.
/// Each with its rarest byte.
const PROBES: [(&str, usize); 2] = [
    ("Recipient address rejected: unverified address: ", 20),
    ("Recipient address rejected: undeliverable address: ", 20),
];

/// What stands behind the frame, whose byte `rare` is looked for.
fn behind<'a>(text: &'a str, frame: &str, rare: usize) -> Option<&'a str> {
    let sign = *frame.as_bytes().get(rare)?;
    memchr::memchr_iter(sign, text.as_bytes())
        .filter_map(|at| text.get(at.checked_sub(rare)?..))
        .find_map(|rest| rest.strip_prefix(frame))
}

/// The words of the reply in a text, without the frame around them.
pub(super) fn said<'a>(text: &'a str, place: &Place<'a>) -> &'a str {
    let said = match place.code {
        Some(_) => place.said(),
        None => FRAMES
            .iter()
            .find_map(|(frame, rare)| behind(text, frame, *rare))
            .unwrap_or(text),
    };
    let end = memchr::memmem::rfind(said.as_bytes(), b" (in reply to ").unwrap_or(said.len());
    let said = said.get(..end).unwrap_or(said);
    PROBES
        .iter()
        .find_map(|(frame, rare)| behind(said, frame, *rare))
        .unwrap_or(said)
}
