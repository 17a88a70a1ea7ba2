use super::*;
use crate::check::{Checkup, Probe, Verdict, samples};
use crate::posture::dane::State;
use crate::smtp::tls::{Opinion, Session};
use crate::smtp::transcript::Exchange;

fn checkup(answer: Answer, findings: Vec<Finding>) -> Checkup {
    Checkup {
        target: "x.test".to_string(),
        kind: "domain",
        headline: "x.test takes mail, and this headline is so long that a screen of eighty columns breaks it in two".to_string(),
        dns: None,
        servers: Vec::new(),
        findings,
        verdict: Verdict::Ok,
        answer,
        took: Duration::ZERO,
    }
}

fn note(severity: Severity) -> Finding {
    Finding::new(
        severity,
        "some-code",
        "x.test",
        "the server is odd",
        "Mend it.",
    )
}

#[test]
fn quiet_is_the_headline_in_one_line_with_the_sign_of_the_answer() {
    for (answer, severity, sign) in [
        (Answer::Yes, Severity::Info, "✓"),
        (Answer::Yes, Severity::Warning, "!"),
        (Answer::Unknown, Severity::Error, "?"),
        (Answer::No, Severity::Error, "✗"),
    ] {
        let what = checkup(answer, vec![note(severity)]);
        let text = check(&what, Painter::plain(80), Detail::Brief);
        assert_eq!(text, format!("{sign} {}\n", what.headline));
    }
}

#[test]
fn notes_without_weight_are_told_up_to_three_and_all_with_verbose() {
    let what = checkup(Answer::Yes, (0..5).map(|_| note(Severity::Info)).collect());
    let told = |detail| {
        let text = check(&what, Painter::plain(80), detail);
        assert!(
            !text.contains("Mend it"),
            "no advice without weight: {text}"
        );
        (
            text.matches("The server is odd.").count(),
            text.contains("2 more notes without weight; -v shows them"),
        )
    };
    assert_eq!(told(Detail::Normal), (3, true));
    assert_eq!(told(Detail::Full), (5, false));
}

#[test]
fn the_names_of_hosts_stay_as_they_are_at_the_start_of_a_sentence() {
    assert_eq!(sentence("the server is odd"), "The server is odd.");
    assert_eq!(sentence("mx.x.test: is odd"), "mx.x.test: is odd.");
    assert_eq!(sentence("is it odd?"), "Is it odd?");
    assert_eq!(sentence(""), ".");
}

#[test]
fn the_column_of_encryption_says_what_the_certificate_is_worth() {
    let session = Session {
        version: "TLSv1.3",
        ..Session::default()
    };
    let of = |tune: &dyn Fn(&mut Server, &mut Opinion)| {
        let mut server = samples::server();
        let mut opinion = samples::opinion();
        server.tls.session = Some(session.clone());
        tune(&mut server, &mut opinion);
        server.tls.opinion = Some(opinion);
        encryption(&server)
    };
    assert_eq!(of(&|_, _| ()), "1.3, valid");
    assert_eq!(of(&|_, o| o.dates = Dates::Expired(2)), "1.3, expired");
    assert_eq!(of(&|_, o| o.dates = Dates::NotYet(2)), "1.3, not yet valid");
    assert_eq!(of(&|_, o| o.name_ok = false), "1.3, other name");
    for (fault, word) in [
        (Fault::SelfSigned, "self-signed"),
        (Fault::NoRoots, "not judged"),
        (Fault::ChainDates, "untrusted"),
    ] {
        let shown = of(&|_, o| o.chain = Err(fault.clone()));
        assert_eq!(shown, format!("1.3, {word}"));
    }
    let dane = of(&|server, o| {
        server.tls.dane = Some(State::Verified);
        o.dates = Dates::Expired(2);
    });
    assert_eq!(dane, "1.3, DANE");
    let unreadable = of(&|_, o| {
        *o = Opinion {
            certificate: None,
            chain: Err(Fault::Unreadable),
            name_ok: false,
            dates: Dates::Unknown,
        };
    });
    assert_eq!(unreadable, "1.3, unreadable");
}

#[test]
fn without_a_session_the_column_says_how_far_it_came() {
    let of = |tune: &dyn Fn(&mut Server)| {
        let mut server = samples::server();
        tune(&mut server);
        encryption(&server)
    };
    assert_eq!(of(&|_| ()), "offered");
    assert_eq!(of(&|s| s.tls.offered = false), "none");
    assert_eq!(of(&|s| s.tls.error = Some("no".to_string())), "failed");
    assert_eq!(of(&|s| s.tls.old_version = Some("TLSv1.1")), "1.1 only");
    let unmet = |s: &mut Server| {
        s.tls.offered = false;
        s.name = None;
    };
    assert_eq!(of(&unmet), "-");
}

#[test]
fn times_have_the_unit_that_fits() {
    let of = |micros| duration(Duration::from_micros(micros));
    assert_eq!(of(1_234), "1.2 ms");
    assert_eq!(of(123_400), "123 ms");
    assert_eq!(of(1_234_000), "1.2 s");
}

#[test]
fn the_columns_of_the_recipient_and_of_a_stage_tell_a_failure_from_what_was_not_tried() {
    let probe = |code, text: &str| Probe {
        address: "bob@x.test".to_string(),
        outcome: Outcome::Rejected,
        reply: Some(samples::reply(code, text)),
        judgement: None,
        at_mail: false,
        catch_all: None,
        waited: None,
    };
    let of = |probe| {
        recipient(&Server {
            recipient: probe,
            ..samples::server()
        })
    };
    assert_eq!(of(None), "-");
    assert_eq!(of(Some(probe(550, "5.1.1 No such user"))), "550 5.1.1");
    assert_eq!(of(Some(probe(550, "no such user"))), "550");
    let without = |outcome| Probe {
        outcome,
        reply: None,
        ..probe(550, "")
    };
    assert_eq!(of(Some(without(Outcome::Unknown))), "-");
    assert_eq!(of(Some(without(Outcome::Deferred))), "deferred");
    let step = |reply| Exchange {
        reply,
        stage: Stage::Banner,
        sent: None,
        note: None,
        encrypted: false,
        at: Duration::ZERO,
        took: Duration::from_millis(5),
    };
    let banner = |steps| {
        let server = Server {
            steps,
            ..samples::server()
        };
        time(&server, Stage::Banner)
    };
    assert_eq!(banner(Vec::new()), "-");
    assert_eq!(banner(vec![step(None)]), "failed");
    let said = Some(samples::reply(220, "hello"));
    assert_eq!(banner(vec![step(said)]), "5.0 ms");
}
