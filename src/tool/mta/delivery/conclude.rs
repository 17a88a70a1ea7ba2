//! After an attempt: what is noted, whom to tell, what comes next. Pure: it looks at what is known
//! and at the time.

use std::time::SystemTime;

use super::outcome::status;
use crate::mta::envelope::{Envelope, Notify};
use crate::mta::notify::Kind;
use crate::mta::queue::{Event, Fate, QueueId, State};
use crate::mta::retry::Schedule;

/// What follows from an attempt.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Conclusion {
    /// To be noted before anything else.
    pub(crate) events: Vec<Event>,
    /// What the sender is told, and about whom.
    pub(crate) notices: Vec<(Kind, Vec<usize>)>,
    /// To be noted when the notices are queued.
    pub(crate) afterwards: Vec<Event>,
    /// Recipients whose failure nobody can be told: the message is a notice itself.
    pub(crate) doubles: Vec<usize>,
}

/// What is known of a message when it is concluded upon.
pub(crate) struct Known<'a> {
    pub(crate) id: QueueId,
    pub(crate) envelope: &'a Envelope,
    pub(crate) fates: &'a mut [Fate],
    /// Attempts, this one included.
    pub(crate) tries: u32,
}

/// Draws the conclusion.
pub(crate) fn conclude(known: Known<'_>, schedule: &Schedule, now: SystemTime) -> Conclusion {
    let Known {
        id,
        envelope,
        fates,
        tries,
    } = known;
    let mut conclusion = Conclusion::default();
    let is_notice = envelope.sender.is_none();
    let end = schedule.end(envelope.received, is_notice);
    let mut next = schedule.next(id, tries, now);
    if now >= end {
        expire(fates, &mut conclusion.events);
    } else {
        // The last attempt comes when the time is over, not up to four hours later.
        next = next.min(end);
        if schedule.warn_after.is_some() && !schedule.is_late(envelope.received, now) {
            let warn = schedule.warn_after.map(|after| envelope.received + after);
            next = warn.map_or(next, |warn| next.min(warn.max(now)));
        }
    }
    let mut about: [Vec<usize>; 3] = Default::default();
    let [failed, delayed, succeeded] = &mut about;
    for (n, fate) in fates.iter_mut().enumerate() {
        if fate.state == State::Waiting {
            let late = schedule.is_late(envelope.received, now);
            let news = fate.outcome.is_some() && !fate.warned;
            if news && late && !is_notice && wants(envelope, n, |n| n.delay, true) {
                delayed.push(n);
                conclusion.afterwards.push(Event::Warned(n));
            }
            continue;
        }
        if fate.told {
            continue;
        }
        match ending(envelope, n, fate.state) {
            Some(Kind::Double) => conclusion.doubles.push(n),
            Some(Kind::Failed) => failed.push(n),
            Some(_) => succeeded.push(n),
            None => {}
        }
        fate.told = true;
        conclusion.afterwards.push(Event::Told(n));
    }
    for (kind, list) in [Kind::Failed, Kind::Delayed, Kind::Succeeded]
        .into_iter()
        .zip(about)
    {
        if !list.is_empty() {
            conclusion.notices.push((kind, list));
        }
    }
    if fates.iter().all(|fate| fate.state != State::Waiting) {
        // That it is gone says all the rest.
        conclusion.afterwards = vec![Event::Gone];
        if conclusion.notices.is_empty() {
            conclusion.events.clear();
        }
    } else {
        conclusion.afterwards.push(Event::Next(next, tries));
    }
    conclusion
}

/// What the sender wants to be told of, or is told of because he did not say.
fn wants(envelope: &Envelope, n: usize, ask: fn(Notify) -> bool, usual: bool) -> bool {
    let notify = envelope.recipients.get(n).and_then(|r| r.notify);
    notify.map_or(usual, ask)
}

/// The notice that the end of a recipient gives rise to.
fn ending(envelope: &Envelope, n: usize, state: State) -> Option<Kind> {
    let is_notice = envelope.sender.is_none();
    match state {
        State::Waiting => None,
        State::Failed if is_notice => Some(Kind::Double),
        State::Failed => wants(envelope, n, |n| n.failure, true).then_some(Kind::Failed),
        _ if is_notice => None,
        _ => wants(envelope, n, |n| n.success, false).then_some(Kind::Succeeded),
    }
}

/// Whether the sender is to be told of a recipient though others are still being tried. Of notices
/// that fail nobody but the postmaster hears, and he has time.
pub(crate) fn is_news(envelope: &Envelope, n: usize, state: State) -> bool {
    matches!(
        ending(envelope, n, state),
        Some(Kind::Failed | Kind::Succeeded)
    )
}

/// What can be told while others are still being tried. Who is told of counts as told from now on.
pub(crate) fn meanwhile(envelope: &Envelope, fates: &mut [Fate]) -> Vec<(Kind, Vec<usize>)> {
    let mut notices = Vec::new();
    for kind in [Kind::Failed, Kind::Succeeded] {
        let mut about = Vec::new();
        for (n, fate) in fates.iter_mut().enumerate() {
            if !fate.told && ending(envelope, n, fate.state) == Some(kind) {
                fate.told = true;
                about.push(n);
            }
        }
        if !about.is_empty() {
            notices.push((kind, about));
        }
    }
    notices
}

/// Gives up everybody who still waits.
fn expire(fates: &mut [Fate], events: &mut Vec<Event>) {
    for (n, fate) in fates.iter_mut().enumerate() {
        if fate.state != State::Waiting {
            continue;
        }
        let Some(outcome) = &mut fate.outcome else {
            continue;
        };
        // RFC 3463 section 3.5: delivery time expired. The words of the last attempt stay.
        outcome.status = status(4, 4, 7);
        outcome.expired = true;
        fate.state = State::Failed;
        events.push(Event::State(n, State::Failed, outcome.clone()));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::mta::queue::Outcome;
    use crate::mta::queue::tests::envelope;

    const HOUR: Duration = Duration::from_secs(3600);

    fn fate(state: State) -> Fate {
        let class = if state == State::Failed { 5 } else { 4 };
        Fate {
            state,
            outcome: Some(Outcome::local(
                SystemTime::UNIX_EPOCH,
                status(class, 1, 1),
                "words",
            )),
            ..Fate::default()
        }
    }

    fn after(envelope: &Envelope, fates: &mut [Fate], age: Duration) -> Conclusion {
        let known = Known {
            id: QueueId::of_micros(1),
            envelope,
            fates,
            tries: 1,
        };
        conclude(known, &Schedule::default(), envelope.received + age)
    }

    #[test]
    fn when_all_is_delivered_the_message_goes_without_a_word() {
        let done = after(
            &envelope(2),
            &mut [fate(State::Delivered), fate(State::Relayed)],
            HOUR,
        );
        assert_eq!(
            (done.notices.len(), done.afterwards),
            (0, vec![Event::Gone])
        );
    }

    #[test]
    fn a_failure_is_told_once_while_others_still_wait() {
        let mut fates = [fate(State::Failed), fate(State::Waiting)];
        let done = after(&envelope(2), &mut fates, HOUR);
        assert_eq!(done.notices, [(Kind::Failed, vec![0])]);
        assert!(matches!(
            done.afterwards[..],
            [Event::Told(0), Event::Next(_, 1)]
        ));
        assert_eq!(after(&envelope(2), &mut fates, HOUR).notices, []);
    }

    #[test]
    fn notify_says_who_hears_what() {
        let mut asked = envelope(4);
        let notify = |success, failure, delay| {
            Some(Notify {
                success,
                failure,
                delay,
            })
        };
        asked.recipients[0].notify = notify(false, false, false);
        asked.recipients[1].notify = notify(true, false, false);
        asked.recipients[2].notify = notify(false, true, false);
        asked.recipients[3].notify = notify(false, false, true);
        let states = |state| [0, 1, 2, 3].map(|_| fate(state));
        assert_eq!(
            after(&asked, &mut states(State::Failed), HOUR).notices,
            [(Kind::Failed, vec![2])]
        );
        assert_eq!(
            after(&asked, &mut states(State::Delivered), HOUR).notices,
            [(Kind::Succeeded, vec![1])]
        );
        assert_eq!(
            after(&asked, &mut states(State::Waiting), 5 * HOUR).notices,
            [(Kind::Delayed, vec![3])]
        );
        assert_eq!(
            after(&asked, &mut states(State::Waiting), 3 * HOUR).notices,
            []
        );
    }

    #[test]
    fn a_notice_that_fails_is_never_answered_with_a_notice() {
        let mut notice = envelope(1);
        notice.sender = None;
        let done = after(&notice, &mut [fate(State::Failed)], HOUR);
        assert_eq!((done.notices.len(), done.doubles), (0, vec![0]));
        assert_eq!(done.afterwards, [Event::Gone]);
        let done = after(&notice, &mut [fate(State::Waiting)], 50 * HOUR);
        assert_eq!((done.notices.len(), done.doubles), (0, vec![0]));
    }

    #[test]
    fn after_five_days_it_is_given_up_with_the_last_words() {
        let mut fates = [fate(State::Waiting)];
        let done = after(&envelope(1), &mut fates, 121 * HOUR);
        assert_eq!(done.notices, [(Kind::Failed, vec![0])]);
        let outcome = fates[0].outcome.clone().unwrap();
        assert!(outcome.expired);
        assert_eq!(
            (outcome.said(), outcome.status.to_string()),
            ("words", "4.4.7".into())
        );
        assert_eq!(done.afterwards, [Event::Gone]);
    }

    #[test]
    fn the_last_attempt_and_the_warning_come_in_time() {
        let (mail, mut fates) = (envelope(1), [fate(State::Waiting)]);
        let known = |fates, tries| Known {
            id: QueueId::of_micros(1),
            envelope: &mail,
            fates,
            tries,
        };
        let schedule = Schedule::default();
        let done = conclude(known(&mut fates, 9), &schedule, mail.received + 119 * HOUR);
        assert!(
            done.afterwards
                .contains(&Event::Next(mail.received + 120 * HOUR, 9))
        );
        let mut fates = [fate(State::Waiting)];
        let done = conclude(known(&mut fates, 9), &schedule, mail.received + HOUR);
        assert!(
            done.afterwards
                .contains(&Event::Next(mail.received + 4 * HOUR, 9))
        );
    }
}
