//! What a filter made of a message that it should have caught.

use crate::bounce::cause::Cause;
use crate::bounce::explanation::{Command, Recipient, Report};

use super::round::{Outcome, Round, Status};

/// Adds the verdict about the filter, when a test for one was in the message.
pub fn judge(round: &mut Round, eicar: bool, gtube: bool) {
    let what = match (eicar, gtube) {
        (true, _) => "virus",
        (false, true) => "spam",
        (false, false) => return,
    };
    // What never got to a filter tells nothing about it.
    let taken = matches!(round.outcome, Outcome::Accepted | Outcome::Partly);
    let known = taken && !round.is_uncertain();
    let text = match round.arrival.status {
        _ if round.outcome == Outcome::Rejected => match round.recipients.iter().any(is_caught) {
            true => (
                "filter-rejected",
                format!("The filter works: it refused the test {what} in the dialogue."),
            ),
            false => other_reason(what),
        },
        Status::Bounced => {
            let bounce = round.arrival.bounce();
            match bounce.is_some_and(|one| one.recipients.iter().any(is_caught)) {
                true => (
                    "filter-bounced",
                    format!(
                        "The filter works, but too late: the test {what} came back as a bounce; with a forged sender that hits strangers."
                    ),
                ),
                false => other_reason(what),
            }
        }
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
        Status::Pending | Status::NotWaited if !known => return,
        Status::Pending if is_on_its_way(round) => (
            "filter-unknown",
            format!(
                "What the filter makes of the test {what} is not known yet: the message is still on its way."
            ),
        ),
        Status::Pending => (
            "filter-vanished",
            format!(
                "The test {what} was accepted and never came, and no bounce either: a filter keeps or drops it without a word."
            ),
        ),
        Status::NotWaited => (
            "filter-unknown",
            format!(
                "What the filter makes of the test {what} can only be seen where it arrives: --wait-maildir, --wait-imap or --listen."
            ),
        ),
    };
    round.note(text.0, &text.1);
}

/// Whether these words can be those of a filter: they are about the content, or about nothing in
/// particular after the content was seen.
fn is_caught(one: &Recipient) -> bool {
    match one.cause {
        Cause::VirusDetected | Cause::SpamContent | Cause::ContentRejected => true,
        Cause::PolicyRejected | Cause::ServerError | Cause::Unknown => {
            matches!(one.smtp_command, None | Some(Command::Dot))
        }
        _ => false,
    }
}

fn other_reason(what: &str) -> (&'static str, String) {
    let text = format!(
        "What the filter makes of the test {what} is not known: it was refused for another reason."
    );
    ("filter-unknown", text)
}

/// Whether a server told that it keeps trying.
fn is_on_its_way(round: &Round) -> bool {
    let bounce = round.arrival.bounce();
    bounce.is_some_and(|one| one.report == Report::Delayed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bounce::explanation::{Confidence, Explanation};
    use crate::send::round::Arrival;

    fn one(cause: Cause, at: Option<Command>) -> Recipient {
        Recipient {
            smtp_command: at,
            ..Recipient::of(cause, Confidence::High)
        }
    }

    fn round(outcome: Outcome, status: Status) -> Round {
        Round {
            outcome,
            arrival: Arrival {
                status,
                ..Arrival::default()
            },
            ..Round::default()
        }
    }

    /// The codes of what is noted about a message with the test for viruses in it.
    fn codes(mut round: Round) -> Vec<&'static str> {
        judge(&mut round, true, false);
        assert!(round.notes.iter().all(|note| note.text.contains("virus")));
        round.notes.iter().map(|note| note.code).collect()
    }

    fn came_back(report: Report, status: Status, cause: Cause) -> Round {
        let notice = Explanation {
            report,
            recipients: vec![one(cause, None)],
            ..Explanation::default()
        };
        let mut round = round(Outcome::Accepted, status);
        round.arrival.notices.push((Duration::ZERO, notice));
        round
    }

    #[test]
    fn a_refusal_is_the_filters_only_when_it_is_about_the_content() {
        for (cause, at, code) in [
            (Cause::VirusDetected, Command::Dot, "filter-rejected"),
            (Cause::ContentRejected, Command::Data, "filter-rejected"),
            (Cause::ServerError, Command::Dot, "filter-rejected"),
            (Cause::PolicyRejected, Command::Rcpt, "filter-unknown"),
            (Cause::UserUnknown, Command::Rcpt, "filter-unknown"),
            (Cause::OverQuota, Command::Dot, "filter-unknown"),
        ] {
            let mut round = round(Outcome::Rejected, Status::NotWaited);
            round.recipients.push(one(cause, Some(at)));
            assert_eq!(codes(round), [code], "{cause} at {at:?}");
        }
    }

    #[test]
    fn a_bounce_is_the_filters_only_when_it_is_about_the_content() {
        let bounced = |cause| codes(came_back(Report::Failed, Status::Bounced, cause));
        assert_eq!(bounced(Cause::VirusDetected), ["filter-bounced"]);
        assert_eq!(bounced(Cause::Unknown), ["filter-bounced"]);
        assert_eq!(bounced(Cause::UserUnknown), ["filter-unknown"]);
    }

    #[test]
    fn what_arrived_tells_by_its_place_and_its_marks() {
        let arrived = |junk, marked: Option<&str>| {
            let mut round = round(Outcome::Accepted, Status::Arrived);
            round.arrival.junk = junk;
            round.arrival.marked = marked.map(str::to_owned);
            codes(round)
        };
        assert_eq!(arrived(true, None), ["filter-junk"]);
        assert_eq!(arrived(false, Some("X-Spam-Flag")), ["filter-marked"]);
        assert_eq!(arrived(false, None), ["filter-missed"]);
    }

    #[test]
    fn what_is_still_on_its_way_or_never_left_is_no_verdict() {
        assert_eq!(
            codes(round(Outcome::Accepted, Status::Pending)),
            ["filter-vanished"]
        );
        let delayed = came_back(Report::Delayed, Status::Pending, Cause::Greylisted);
        assert_eq!(codes(delayed), ["filter-unknown"]);
        assert_eq!(
            codes(round(Outcome::Accepted, Status::NotWaited)),
            ["filter-unknown"]
        );
        for outcome in [Outcome::Deferred, Outcome::Failed, Outcome::NotSent] {
            assert!(codes(round(outcome, Status::NotWaited)).is_empty());
        }
    }

    #[test]
    fn without_a_test_in_the_message_no_filter_is_judged() {
        let mut round = round(Outcome::Accepted, Status::Arrived);
        judge(&mut round, false, false);
        assert!(round.notes.is_empty());
        judge(&mut round, false, true);
        assert!(
            round.notes[0].text.starts_with("The test spam"),
            "{round:?}"
        );
    }
}
