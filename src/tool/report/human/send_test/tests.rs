use std::time::Duration;

use super::*;
use crate::bounce::cause::Cause;
use crate::bounce::explanation::Confidence;
use crate::send::hand_over::{Fate, Handed, Letter, Needs};
use crate::send::round::{Arrival, Event};
use crate::send::series::Series;
use crate::send::{Outcome, Status};
use crate::smtp::{Reply, Stage};

const PLAIN: Painter = Painter {
    color: false,
    unicode: true,
    width: 80,
};

fn letter() -> Letter {
    Letter {
        from: "me@home.test".to_owned(),
        to: Vec::new(),
        ret: None,
        envid: None,
        notify: None,
        needs: Needs::default(),
        message: Vec::new(),
    }
}

fn reply(code: u16, text: &str) -> Reply {
    Reply {
        code,
        lines: vec![text.to_owned()],
        flaws: Vec::new(),
    }
}

/// A conversation with a server that had an answer to each recipient.
fn handed(host: &str, replies: &[Reply]) -> Handed {
    let mut handed = Handed::nowhere(&letter());
    handed.place.host = host.to_owned();
    handed.place.ip = [127, 0, 0, 1].into();
    handed.fates = replies
        .iter()
        .enumerate()
        .map(|(n, reply)| Fate {
            address: format!("user{n}@{host}"),
            stage: Stage::Rcpt,
            reply: Some(reply.clone()),
            broke: None,
            uncertain: false,
        })
        .collect();
    handed
}

fn lost(host: &str) -> Handed {
    let mut handed = handed(host, &[reply(250, "ok")]);
    let fate = handed.fates.first_mut().unwrap();
    (fate.reply, fate.uncertain) = (None, true);
    fate.broke = Some("lost connection".to_owned());
    handed
}

/// What `dispatch` makes of conversations about one domain each.
fn round_of(all: Vec<Handed>, outcome: Option<Outcome>) -> Round {
    let mut round = Round {
        from: "me@home.test".to_owned(),
        ..Round::default()
    };
    for handed in all {
        let mut part = Round::default();
        part.take(handed);
        round.attempts.append(&mut part.attempts);
        round.recipients.append(&mut part.recipients);
        round.outcome = outcome.unwrap_or(part.outcome);
    }
    round
}

fn said(round: &Round) -> String {
    verdict::words(round).2
}

fn arrived(status: Status, change: impl FnOnce(&mut Round)) -> String {
    let mut round = Round {
        outcome: Outcome::Accepted,
        took: Duration::from_secs(30),
        arrival: Arrival {
            status,
            after: Some(Duration::from_millis(1500)),
            ..Arrival::default()
        },
        ..Round::default()
    };
    change(&mut round);
    said(&round)
}

fn notice(report: Report, cause: Cause) -> (Duration, Explanation) {
    let told = Explanation {
        report,
        recipients: vec![Recipient::of(cause, Confidence::High)],
        ..Explanation::default()
    };
    (Duration::from_secs(2), told)
}

#[test]
fn what_arrived_is_told_with_its_time_and_with_what_went_wrong_beside_it() {
    let bounce = |round: &mut Round| {
        let told = notice(Report::Failed, Cause::OverQuota);
        round.arrival.notices.push(told);
    };
    assert_eq!(arrived(Status::Arrived, |_| ()), "It arrived after 1.50 s.");
    assert_eq!(
        arrived(Status::Arrived, |round| {
            round.arrival.junk = true;
            round.arrival.place = Some("Spam".to_owned());
        }),
        "It arrived after 1.50 s, in the folder for junk (Spam)."
    );
    assert_eq!(
        arrived(Status::Arrived, |round| round.outcome = Outcome::Partly),
        "It arrived after 1.50 s, but not every recipient was taken."
    );
    assert_eq!(
        arrived(Status::Arrived, bounce),
        "It arrived after 1.50 s, and a bounce came back, too."
    );
    assert_eq!(
        arrived(Status::Bounced, bounce),
        "The bounce came back after 1.50 s, and this is what it says (over-quota):"
    );
}

#[test]
fn a_warning_is_no_bounce_and_a_report_of_success_is_good_news() {
    let with = |report| {
        move |round: &mut Round| {
            let told = notice(report, Cause::Greylisted);
            round.arrival.notices.push(told);
        }
    };
    assert_eq!(
        arrived(Status::Pending, with(Report::Delayed)),
        "A warning came back after 1.50 s, and this is what it says:"
    );
    assert_eq!(
        arrived(Status::Pending, with(Report::Delivered)),
        "A report came back after 1.50 s:"
    );
    assert_eq!(
        arrived(Status::Pending, |_| ()),
        "It was accepted, and nothing has arrived within 30.0 s."
    );
}

#[test]
fn who_has_taken_it_is_named_and_who_was_asked_in_vain_is_not() {
    let taken = || handed("mx.a.test", &[reply(250, "2.0.0 Ok: queued as 4B319BA4")]);
    let mut silent = Handed::nowhere(&letter());
    silent.place.host = "mx0.a.test".to_owned();
    let one = round_of(vec![silent, taken()], None);
    assert!(
        said(&one).starts_with("mx.a.test has taken the message. Whether"),
        "{}",
        said(&one)
    );
    let two = round_of(
        vec![taken(), handed("mx.b.test", &[reply(250, "ok")])],
        None,
    );
    assert!(
        said(&two).starts_with("The servers have taken the message. Whether"),
        "{}",
        said(&two)
    );
    let refused = handed("mx.b.test", &[reply(550, "5.1.1 no such user")]);
    let partly = round_of(vec![taken(), refused], Some(Outcome::Partly));
    assert_eq!(
        said(&partly),
        "mx.a.test has taken the message for 1 of 2 recipients."
    );
}

#[test]
fn a_lost_answer_of_any_server_leaves_the_verdict_open() {
    let taken = handed("mx.b.test", &[reply(250, "ok")]);
    let partly = round_of(vec![lost("mx.a.test"), taken], Some(Outcome::Partly));
    assert!(partly.is_uncertain());
    assert_eq!(
        said(&partly),
        "mx.b.test has taken the message for 1 of 2 recipients; for whom else is not known."
    );
    let refused = handed("mx.b.test", &[reply(550, "5.1.1 no such user")]);
    let open = round_of(vec![lost("mx.a.test"), refused], None);
    assert_eq!(
        said(&open),
        "It is not known whether mx.a.test has taken the message: lost connection"
    );
    assert_eq!(verdict::words(&open).1, Glyph::Question);
}

#[test]
fn a_refusal_says_who_refuses_at_which_step_and_in_which_words() {
    let mut server = handed("mx.a.test", &[reply(554, "5.7.1 no")]);
    server.refusal = Some((Stage::Mail, reply(554, "5.7.1 no")));
    let mut round = round_of(vec![server], None);
    assert_eq!(
        said(&round),
        "mx.a.test refuses the message at mail: 554 5.7.1 no"
    );
    round.probe = true;
    assert_eq!(said(&round), "mx.a.test refuses us at mail: 554 5.7.1 no");
    let later = handed("mx.a.test", &[reply(451, "4.7.1 come again.")]);
    let later = round_of(vec![later], None);
    assert_eq!(
        said(&later),
        "mx.a.test puts the message off: 451 4.7.1 come again. A mail server would try again later."
    );
}

#[test]
fn a_probe_that_was_broken_off_is_no_good_news() {
    let mut server = handed("mx.a.test", &[]);
    server.gave_up = Some("TLS is required, and the server does not offer it".to_owned());
    let mut round = round_of(vec![server.clone()], None);
    round.probe = true;
    assert_eq!(
        said(&round),
        "Nothing was sent: TLS is required, and the server does not offer it"
    );
    server.gave_up = None;
    let mut round = round_of(vec![server], None);
    round.probe = true;
    assert_eq!(
        said(&round),
        "mx.a.test would take mail from me@home.test. Nothing was sent: give --to for that."
    );
}

fn look(detail: Detail) -> Look {
    Look {
        paint: PLAIN,
        detail,
        audience: Audience::Both,
        dialogue: false,
    }
}

#[test]
fn who_was_put_off_once_is_told_of_waiting_and_who_waited_is_not() {
    let server = || handed("mx.a.test", &[reply(451, "4.7.1 Greylisted, come again")]);
    let mut put_off = round_of(vec![server()], None);
    let text = round(&put_off, look(Detail::Normal));
    assert!(text.contains("user0@mx.a.test"), "{text}");
    assert!(text.contains("This was one attempt"), "{text}");
    put_off.note("deferred", "The server said \"later\" at first.");
    let text = round(&put_off, look(Detail::Normal));
    assert!(!text.contains("This was one attempt"), "{text}");
    assert!(text.contains("a longer --wait does so here"), "{text}");
}

#[test]
fn a_brief_screen_is_the_verdict_alone_and_the_long_one_tells_where_all_is_kept() {
    let server = handed("mx.a.test", &[reply(550, "5.1.1 no such user")]);
    let mut refused = round_of(vec![server], None);
    refused.kept = Some("/tmp/kept".into());
    refused.note("no-dsn", "The server does not offer DSN.");
    let brief = round(&refused, look(Detail::Brief));
    assert_eq!(
        brief,
        "✗ mx.a.test refuses the message: 550 5.1.1 no such user\n"
    );
    let normal = round(&refused, look(Detail::Normal));
    for told in [
        "  The server does not offer DSN.\n",
        "user0@mx.a.test",
        " Messages and logs are in /tmp/kept\n",
    ] {
        assert!(normal.contains(told), "{told}: {normal}");
    }
}

#[test]
fn the_story_stands_in_columns() {
    let mut round = round_of(vec![handed("msa.test", &[reply(250, "ok")])], None);
    round.events.push(Event {
        at: Duration::from_millis(12_340),
        role: "MTA",
        host: "mta.away.test".to_owned(),
        text: "takes it".to_owned(),
    });
    let text = super::round(&round, look(Detail::Normal));
    let first = text.lines().next().unwrap();
    assert_eq!(first, " 12.34 s  MTA  mta.away.test   takes it");
}

fn played(name: &str, explained: Option<Cause>, right: bool) -> Played {
    Played {
        scenario: Scenario::named(name).unwrap(),
        round: Round {
            took: Duration::from_millis(123_400),
            ..Round::default()
        },
        explained,
        right,
    }
}

#[test]
fn the_table_of_scenarios_says_what_was_explained_wrongly() {
    let right = || played("user-unknown", Some(Cause::UserUnknown), true);
    let took = Duration::from_millis(2500);
    let all = [right(), right()];
    let text = table(&all, took, PLAIN);
    assert!(
        text.ends_with("\n✓ 2 of 2 scenarios are explained rightly (2.50 s).\n"),
        "{text}"
    );
    assert!(text.contains("123 s"), "{text}");
    let wrong = played("over-quota", Some(Cause::Greylisted), false);
    let wide = Painter {
        width: 100,
        ..PLAIN
    };
    let text = table(&[right(), wrong, played("dnsbl", None, false)], took, wide);
    assert!(text.contains("greylisted (wrong)"), "{text}");
    assert!(text.contains("nothing came (wrong)"), "{text}");
    assert!(
        text.ends_with("\n✗ 1 of 3 scenarios are explained rightly (2.50 s).\n"),
        "{text}"
    );
}

fn of_times(wanted: usize, outcomes: &[(Outcome, usize)], times: &[u64]) -> Series {
    Series {
        wanted,
        outcomes: outcomes.to_vec(),
        times: times.iter().map(|ms| Duration::from_millis(*ms)).collect(),
        took: Duration::from_secs(2),
        troubles: Vec::new(),
    }
}

#[test]
fn a_series_tells_the_rate_and_how_the_times_are_spread() {
    let good = of_times(4, &[(Outcome::Accepted, 4)], &[4, 5, 6, 20]);
    let paint = Painter { width: 60, ..PLAIN };
    assert_eq!(
        series(&good, paint),
        "✓ 4 of 4 messages were accepted in 2.00 s: 2.0 a second.
  fastest 4.0 ms, half within 5.0 ms, 95 % within 20 ms,
  slowest 20 ms

  up to 6.0 ms      ████████████████████████████████ 2
  up to 9.0 ms      ████████████████ 1
  up to 14 ms        0
  up to 20 ms       ████████████████ 1
"
    );
}

#[test]
fn a_series_that_went_wrong_tells_what_became_of_each_message() {
    let mut bad = of_times(
        12,
        &[
            (Outcome::Accepted, 1),
            (Outcome::Rejected, 2),
            (Outcome::Partly, 3),
            (Outcome::Deferred, 1),
            (Outcome::Failed, 1),
            (Outcome::NotSent, 1),
        ],
        &[],
    );
    bad.troubles = vec![("550 no".to_owned(), 2)];
    let ascii = Painter {
        unicode: false,
        ..PLAIN
    };
    assert_eq!(
        series(&bad, ascii),
        "x 1 of 12 messages were accepted in 2.00 s: 4.5 a second, those included that
  were not.
  2 refused
  3 taken for some of the recipients
  1 put off
  1 broken off
  1 not sent
  3 not tried
  2 x 550 no
"
    );
}
