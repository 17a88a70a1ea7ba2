//! What a filter made of a message that it should have caught.

use super::round::{Outcome, Round, Status};

/// Adds the verdict about the filter, when a test for one was in the message.
pub fn judge(round: &mut Round, eicar: bool, gtube: bool) {
    let what = match (eicar, gtube) {
        (true, _) => "virus",
        (false, true) => "spam",
        (false, false) => return,
    };
    let refused = matches!(round.outcome, Outcome::Rejected);
    let text = match round.arrival.status {
        _ if refused => (
            "filter-rejected",
            format!("The filter works: it refused the test {what} in the dialogue."),
        ),
        Status::Bounced => (
            "filter-bounced",
            format!(
                "The filter works, but too late: the test {what} came back as a bounce; with a forged sender that hits strangers."
            ),
        ),
        Status::Arrived if round.arrival.junk => (
            "filter-junk",
            format!("The filter works: the test {what} lies in the folder for junk."),
        ),
        Status::Arrived => match &round.arrival.marked {
            Some(mark) => (
                "filter-marked",
                format!("The filter works: the test {what} was delivered with a mark ({mark})."),
            ),
            None => (
                "filter-missed",
                format!("The test {what} was delivered without a mark: the filter did not see it."),
            ),
        },
        Status::Pending => (
            "filter-vanished",
            format!(
                "The test {what} was accepted and never came, and no bounce either: a filter keeps or drops it without a word."
            ),
        ),
        Status::NotWaited => (
            "filter-unknown",
            format!(
                "What the filter makes of the test {what} can only be seen by waiting for it: --wait."
            ),
        ),
    };
    round.note(text.0, &text.1);
}
