//! What was heard, and what the list's own test entries say, to one outcome. Pure: the twelve
//! situations in which other checkers cry wolf or give a false all-clear are tests below.

use std::net::Ipv4Addr;

use crate::dns::Failure;
use crate::dnsbl::catalogue::Sense;
use crate::dnsbl::health::Health;
use crate::dnsbl::reading::Reading;
use crate::dnsbl::source::Source;
use crate::dnsbl::verdict::{Said, Status};

/// What was heard about a subject.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Heard {
    /// Addresses.
    Answer(Reading),
    /// No such name, or no address: not on the list, if the list is in order.
    Absent,
    /// No answer.
    Failed(Failure),
}

/// The outcome, and a note that explains it.
pub(super) fn judge(
    source: &Source,
    heard: &Heard,
    health: Option<&Health>,
) -> (Status, Option<String>) {
    let note = |status, text: &str| (status, Some(text.to_string()));
    match heard {
        Heard::Failed(failure) => failed(source, *failure),
        Heard::Answer(Reading::Refused(why)) => note(Status::Refused, why),
        Heard::Answer(Reading::Misused(why)) => note(Status::Error, why),
        Heard::Answer(Reading::Foreign(ip)) => foreign(source, *ip),
        Heard::Answer(Reading::Ambiguous) => match health {
            Some(Health::Healthy) => note(
                Status::Listed,
                "answers 127.0.0.1, which is unusual, but it passes its own test",
            ),
            _ => note(
                Status::Refused,
                "answers 127.0.0.1: that is a refusal, not a listing",
            ),
        },
        Heard::Answer(Reading::On(said)) => on(source, said, health),
        Heard::Absent => absent(source, health),
    }
}

fn on(source: &Source, said: &[Said], health: Option<&Health>) -> (Status, Option<String>) {
    let by_code = status_of(said);
    let believed = |text: &str| (by_code, Some(text.to_string()));
    match (health, closed(source)) {
        (Some(Health::ListsEverything), _) => {
            // Who was refused and asks on gets praise for everything (DNSWL).
            let praise = by_code != Status::Listed
                && source
                    .list
                    .is_some_and(|l| l.public_resolvers == Some(false));
            let status = match source.list {
                _ if praise => Status::Refused,
                Some(list) if list.dead.is_none() => Status::Untrusted,
                _ => Status::Dead,
            };
            let text =
                "lists even the test entry that must not be listed: it lists the whole world";
            (status, Some(text.to_string()))
        }
        (Some(Health::Refuses(why)), _) => (Status::Refused, Some(why.clone())),
        (Some(Health::Foreign(ip)), _) => foreign(source, *ip),
        (Some(Health::Healthy), None) => (by_code, None),
        (Some(Health::Healthy), Some(_)) => {
            believed("was held to be closed, but it passes its own test")
        }
        (_, Some(closed)) => (Status::Dead, Some(closed)),
        (Some(Health::Down(_)), None) => believed("its test entries gave no answer"),
        (Some(Health::Empty), None) => believed("its own test entry is missing"),
        (Some(Health::Unsure | Health::Untestable) | None, None) => (by_code, None),
    }
}

fn absent(source: &Source, health: Option<&Health>) -> (Status, Option<String>) {
    match (health, closed(source)) {
        (Some(Health::Healthy), None) => (Status::Clean, None),
        (Some(Health::Healthy), Some(_)) => (
            Status::Clean,
            Some("was held to be closed, but it passes its own test".to_string()),
        ),
        (_, Some(closed)) => (Status::Dead, Some(closed)),
        (Some(Health::Empty), None) => {
            let text = "has neither test entry: the zone is empty, closed, or does not exist, so \
                        its silence means nothing";
            (Status::Untrusted, Some(text.to_string()))
        }
        (Some(Health::Refuses(why)), None) => (Status::Refused, Some(why.clone())),
        (Some(Health::Foreign(ip)), None) => foreign(source, *ip),
        (Some(Health::ListsEverything), None) => (
            Status::Clean,
            Some("lists a test entry that must not be listed".to_string()),
        ),
        (Some(Health::Down(_)), None) => (
            Status::Clean,
            Some("its test entries gave no answer".to_string()),
        ),
        (Some(Health::Unsure | Health::Untestable) | None, None) => (Status::Clean, None),
    }
}

fn foreign(source: &Source, ip: Ipv4Addr) -> (Status, Option<String>) {
    match closed(source) {
        Some(closed) => (
            Status::Dead,
            Some(format!("{closed}; its zone now answers {ip}")),
        ),
        None => (
            Status::Untrusted,
            Some(format!(
                "answers {ip}, which is no code: the domain is parked, or a resolver on the way rewrites answers"
            )),
        ),
    }
}

fn failed(source: &Source, failure: Failure) -> (Status, Option<String>) {
    let status = match failure {
        Failure::Timeout => Status::Timeout,
        Failure::Refused => Status::Refused,
        _ => Status::Error,
    };
    let text = closed(source).map_or_else(|| failure.to_string(), |c| format!("{failure}; {c}"));
    (status, Some(text))
}

/// What is known of the end of a list that is no longer run.
fn closed(source: &Source) -> Option<String> {
    let death = source.list?.dead?;
    Some(match death.ended {
        Some(when) => format!("closed ({when})"),
        None => "closed".to_string(),
    })
}

/// A block list and an allow list in one: what is against the subject counts first.
fn status_of(said: &[Said]) -> Status {
    let any = |sense| said.iter().any(|s: &Said| s.sense == sense);
    if any(Sense::Block) || any(Sense::Policy) || any(Sense::Abused) || any(Sense::Mixed) {
        Status::Listed
    } else if any(Sense::Allow) {
        Status::Allowed
    } else {
        Status::Info
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dnsbl::reading;
    use crate::dnsbl::source::Choice;

    fn source(zone: &str) -> Source {
        Choice {
            zones: vec![zone.into()],
            ..Choice::default()
        }
        .sources()
        .unwrap()
        .remove(0)
    }

    fn status(zone: &str, codes: &[[u8; 4]], health: Option<&Health>) -> Status {
        let source = source(zone);
        let heard = match codes {
            [] => Heard::Absent,
            codes => {
                let codes: Vec<_> = codes.iter().map(|&c| c.into()).collect();
                Heard::Answer(reading::read(&source, &codes))
            }
        };
        judge(&source, &heard, health).0
    }

    const LISTED: &[[u8; 4]] = &[[127, 0, 0, 2]];

    #[test]
    fn situation_1_a_refusal_code_is_not_a_listing() {
        let refused = status("zen.spamhaus.org", &[[127, 255, 255, 254]], None);
        assert_eq!(refused, Status::Refused);
        assert_eq!(
            status("bl.corp.example", &[[127, 255, 255, 255]], None),
            Status::Refused
        );
    }

    #[test]
    fn situation_2_loopback_as_refusal_is_not_a_listing() {
        assert_eq!(
            status("multi.uribl.com", &[[127, 0, 0, 1]], None),
            Status::Refused
        );
        let unknown = Some(&Health::ListsEverything);
        assert_eq!(
            status("bl.corp.example", &[[127, 0, 0, 1]], unknown),
            Status::Refused
        );
    }

    #[test]
    fn situation_3_a_list_that_lists_the_world_is_dead() {
        let everything = || Some(&Health::ListsEverything);
        assert_eq!(
            status("bl.corp.example", LISTED, everything()),
            Status::Dead
        );
        assert_eq!(
            status("dnsbl.cyberlogic.net", LISTED, everything()),
            Status::Dead
        );
        assert_eq!(
            status("bl.spamcop.net", LISTED, everything()),
            Status::Untrusted
        );
    }

    #[test]
    fn situation_4_a_parked_domain_is_not_a_listing() {
        assert_eq!(
            status("bl.corp.example", &[[203, 0, 113, 80]], None),
            Status::Untrusted
        );
        assert_eq!(
            status("bl.emailbasura.org", &[[203, 0, 113, 80]], None),
            Status::Dead
        );
    }

    #[test]
    fn situation_5_a_sinkhole_is_not_a_listing() {
        assert_eq!(
            status("bl.spamcop.net", &[[0, 0, 0, 0]], None),
            Status::Untrusted
        );
    }

    #[test]
    fn situation_6_an_empty_closed_list_is_not_an_all_clear() {
        assert_eq!(status("dnsbl.sorbs.net", &[], None), Status::Dead);
        assert_eq!(
            status("bl.corp.example", &[], Some(&Health::Empty)),
            Status::Untrusted
        );
    }

    #[test]
    fn situation_7_a_server_failure_is_not_an_all_clear() {
        let source = source("bl.spamcop.net");
        let failed = |failure| judge(&source, &Heard::Failed(failure), None).0;
        assert_eq!(failed(Failure::ServFail), Status::Error);
        assert_eq!(failed(Failure::Refused), Status::Refused);
    }

    #[test]
    fn situation_8_silence_is_not_an_all_clear() {
        let silent = judge(
            &source("db.wpbl.info"),
            &Heard::Failed(Failure::Timeout),
            None,
        );
        assert_eq!(silent.0, Status::Timeout);
        assert!(silent.1.unwrap().contains("closed (2023-11)"));
    }

    #[test]
    fn situation_9_praise_is_not_a_listing() {
        assert_eq!(
            status("list.dnswl.org", &[[127, 0, 5, 2]], None),
            Status::Allowed
        );
        assert_eq!(
            status("wl.mailspike.net", &[[127, 0, 0, 20]], None),
            Status::Allowed
        );
    }

    #[test]
    fn situation_10_a_fact_is_not_a_listing() {
        assert_eq!(
            status("origin.asn.spameatingmonkey.net", LISTED, None),
            Status::Info
        );
        assert_eq!(
            status("score.senderscore.com", &[[127, 0, 4, 12]], None),
            Status::Info
        );
    }

    #[test]
    fn situation_11_no_data_is_clean_and_a_zone_that_is_not_there_is_not() {
        assert_eq!(
            status("bl.corp.example", &[], Some(&Health::Unsure)),
            Status::Clean
        );
        assert_eq!(
            status("bl.corp.example", &[], Some(&Health::Empty)),
            Status::Untrusted
        );
    }

    #[test]
    fn situation_12_praise_for_everybody_is_no_praise() {
        let asked_on = status(
            "list.dnswl.org",
            &[[127, 0, 10, 3]],
            Some(&Health::ListsEverything),
        );
        assert_eq!(asked_on, Status::Refused);
    }

    #[test]
    fn a_listing_of_a_healthy_list_is_a_listing() {
        assert_eq!(
            status("bl.spamcop.net", LISTED, Some(&Health::Healthy)),
            Status::Listed
        );
        assert_eq!(
            status("bl.spamcop.net", LISTED, Some(&Health::Untestable)),
            Status::Listed
        );
        assert_eq!(
            status("dnsbl.sorbs.net", LISTED, Some(&Health::Healthy)),
            Status::Listed
        );
        assert_eq!(status("dnsbl.sorbs.net", LISTED, None), Status::Dead);
    }

    #[test]
    fn what_the_test_entries_say_decides_what_a_listing_and_an_absence_are_worth() {
        let refuses = Health::Refuses("no key".to_string());
        let foreign = Health::Foreign([203, 0, 113, 80].into());
        let down = Health::Down(Failure::ServFail);
        for (health, listed, absent) in [
            (&refuses, Status::Refused, Status::Refused),
            (&foreign, Status::Untrusted, Status::Untrusted),
            (&down, Status::Listed, Status::Clean),
            (&Health::Empty, Status::Listed, Status::Untrusted),
            (&Health::ListsEverything, Status::Untrusted, Status::Clean),
            (&Health::Healthy, Status::Listed, Status::Clean),
        ] {
            let zone = "bl.spamcop.net";
            assert_eq!(status(zone, LISTED, Some(health)), listed, "{health:?}");
            assert_eq!(status(zone, &[], Some(health)), absent, "{health:?}");
        }
        let list = source("bl.spamcop.net");
        let said = |health| judge(&list, &Heard::Absent, Some(health)).1;
        assert_eq!(said(&refuses).as_deref(), Some("no key"));
        assert_eq!(said(&Health::Healthy), None);
        assert!(said(&down).unwrap().contains("gave no answer"));
    }

    #[test]
    fn a_list_that_was_held_to_be_closed_and_passes_its_test_counts_and_says_so() {
        let closed = source("dnsbl.sorbs.net");
        let (status, note) = judge(&closed, &Heard::Absent, Some(&Health::Healthy));
        assert_eq!(status, Status::Clean);
        assert!(note.unwrap().contains("held to be closed"));
    }

    #[test]
    fn loopback_of_a_list_that_passes_its_own_test_is_a_listing() {
        let healthy = Some(&Health::Healthy);
        let odd = &[[127, 0, 0, 1]];
        assert_eq!(status("bl.corp.example", odd, healthy), Status::Listed);
    }

    #[test]
    fn a_question_that_the_list_calls_malformed_is_an_error_and_no_listing() {
        let malformed = &[[127, 255, 255, 252]];
        assert_eq!(status("zen.spamhaus.org", malformed, None), Status::Error);
    }
}
