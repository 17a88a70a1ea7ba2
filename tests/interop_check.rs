//! `check` against real servers: the Postfix, Exim, smtp-sink and faulty ones of the testbed, with
//! an expectation for each of its endpoints and for each oddity of its DNS zone.
//!
//! Runs when `MAILTRACE_TESTBED` names the base port of a testbed that is up, or when the packages
//! that it needs lie in `TB_DEBS` (see `.ci/testbed`); else it says why it does not.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may fail, and says why it is skipped"
)]

mod testbed;

use std::net::SocketAddr;
use std::time::Duration;

use mailtrace::check::{Answer, Checker, Checkup, Options, Outcome, Target, Verdict};
use mailtrace::dns::Resolver;
use mailtrace::smtp::TlsMode;
use mailtrace::smtp::host::parse as parse_server;
use mailtrace::smtp::tls::{Roots, Trust};
use testbed::{Bed, bed};

/// What is expected of one endpoint or domain.
struct Case {
    target: &'static str,
    /// The endpoint in place of the MX, as an offset to the base port.
    at: Option<u16>,
    tune: fn(&mut Options),
    verdict: Verdict,
    answer: Answer,
    /// Findings that have to be there, with the word of their severity.
    finds: &'static [&'static str],
    /// What the first server says about the recipient.
    outcome: Option<Outcome>,
    cause: Option<&'static str>,
}

const OK: (Verdict, Answer) = (Verdict::Ok, Answer::Yes);
const WARN: (Verdict, Answer) = (Verdict::Warnings, Answer::Yes);
const WAIT: (Verdict, Answer) = (Verdict::Warnings, Answer::Unknown);
const BAD: (Verdict, Answer) = (Verdict::Problems, Answer::No);
const GONE: (Verdict, Answer) = (Verdict::Unreachable, Answer::No);
const UNKNOWN: (Verdict, Answer) = (Verdict::Unreachable, Answer::Unknown);

fn plain(_: &mut Options) {}

fn quick(options: &mut Options) {
    options.timeout = Duration::from_secs(2);
}

fn case(
    target: &'static str,
    at: Option<u16>,
    (verdict, answer): (Verdict, Answer),
    finds: &'static [&'static str],
) -> Case {
    Case {
        target,
        at,
        tune: plain,
        verdict,
        answer,
        finds,
        outcome: None,
        cause: None,
    }
}

impl Case {
    fn with(self, tune: fn(&mut Options)) -> Self {
        Self { tune, ..self }
    }

    fn taken(self) -> Self {
        let outcome = Some(Outcome::Accepted);
        Self { outcome, ..self }
    }

    fn said(self, outcome: Outcome, cause: &'static str) -> Self {
        Self {
            outcome: Some(outcome),
            cause: Some(cause),
            ..self
        }
    }
}

/// One line for each endpoint of `endpoints.txt`.
fn endpoints() -> Vec<Case> {
    use Outcome::{Deferred, Rejected, Unknown};
    const A: &str = "alice@example.test";
    vec![
        case(A, Some(0), OK, &["info dane-verified"]).taken(),
        case(
            "nobody1@example.test",
            Some(0),
            BAD,
            &["error user-unknown"],
        )
        .said(Rejected, "user-unknown"),
        case("full@example.test", Some(0), BAD, &["error over-quota"]).said(Deferred, "over-quota"),
        case("fullhard@example.test", Some(0), BAD, &["error over-quota"])
            .said(Rejected, "over-quota"),
        case(
            "disabled@example.test",
            Some(0),
            BAD,
            &["error mailbox-disabled"],
        )
        .said(Rejected, "mailbox-disabled"),
        case(
            "busy@example.test",
            Some(0),
            WAIT,
            &["warning rate-limited"],
        )
        .said(Deferred, "rate-limited"),
        case("late@example.test", Some(0), OK, &[]).taken(),
        case(
            "x@foreign.example",
            Some(0),
            BAD,
            &["error relay-denied", "info domain-unknown"],
        )
        .said(Rejected, "relay-denied"),
        case("x@catchall.test", Some(0), WARN, &["warning catch-all"])
            .with(|o| o.catch_all = true)
            .taken(),
        case(A, Some(0), BAD, &["error auth-failed"])
            .with(|o| o.from = Some("spf-fail@example.org".into()))
            .said(Rejected, "auth-failed"),
        case(A, Some(0), BAD, &["error auth-failed"])
            .with(|o| o.from = Some("dmarc-fail@example.org".into()))
            .said(Rejected, "auth-failed"),
        case(A, Some(0), BAD, &["error sender-rejected"])
            .with(|o| o.from = Some("blocked@example.org".into()))
            .said(Rejected, "sender-rejected"),
        case(
            A,
            Some(0),
            OK,
            &["info no-relay", "info no-starttls-injection"],
        )
        .with(|o| {
            o.relay_test = true;
            o.injection_test = true;
        })
        .taken(),
        case(A, Some(1), BAD, &["error dnsbl"]).said(Rejected, "dnsbl"),
        case(A, Some(2), BAD, &["error dnsbl"]).said(Unknown, "dnsbl"),
        case(A, Some(3), WAIT, &["warning greylisted"])
            .said(Deferred, "greylisted")
            .with(|o| o.from = Some(format!("g{}@origin.test", std::process::id()))),
        case(A, Some(3), OK, &[]).taken().with(|o| {
            o.from = Some(format!("w{}@origin.test", std::process::id()));
            o.wait = Some(Duration::from_secs(15));
        }),
        case(
            A,
            Some(4),
            WARN,
            &["warning no-starttls", "info extensions-missing"],
        )
        .taken(),
        case(A, Some(5), OK, &[])
            .taken()
            .with(|o| o.tls = TlsMode::Implicit),
        case(A, Some(5), OK, &[]).taken().with(quick),
        case(A, Some(6), OK, &["info banner-delay"]).taken(),
        case(A, Some(7), OK, &[]).taken(),
        case(A, Some(7), OK, &[])
            .taken()
            .with(|o| o.tls = TlsMode::Required),
        case(A, Some(8), WARN, &["warning cert-expired"]).taken(),
        case(A, Some(8), BAD, &["error cert-expired"])
            .taken()
            .with(|o| o.tls = TlsMode::Required),
        case(A, Some(9), WARN, &["warning cert-name"]).taken(),
        case(A, Some(10), BAD, &["error open-relay"])
            .taken()
            .with(|o| o.relay_test = true),
        case(A, Some(11), OK, &[]).taken(),
        case(A, Some(12), WAIT, &["warning rate-limited"]).said(Deferred, "rate-limited"),
        case(A, Some(13), BAD, &["error missing-reverse-dns"])
            .said(Deferred, "missing-reverse-dns"),
        case(A, Some(14), OK, &[]).taken(),
        case(A, Some(14), BAD, &["error tls-failed"])
            .said(Unknown, "tls-failed")
            .with(|o| o.tls = TlsMode::None),
        case(A, Some(15), OK, &["info banner-delay"]).taken(),
        case(A, Some(17), OK, &[]).taken(),
        case(A, Some(17), BAD, &["error sender-rejected"])
            .said(Rejected, "sender-rejected")
            .with(|o| o.helo = Some("nodots".into())),
        case("alice@exim.test", Some(20), OK, &[]).taken(),
        case("nouser@exim.test", Some(20), BAD, &["error user-unknown"])
            .said(Rejected, "user-unknown"),
        case("full@exim.test", Some(20), BAD, &["error over-quota"]).said(Deferred, "over-quota"),
        case("fullhard@exim.test", Some(20), BAD, &["error over-quota"])
            .said(Rejected, "over-quota"),
        case("x@foreign.example", Some(20), BAD, &["error relay-denied"])
            .said(Rejected, "relay-denied"),
        case("alice@exim.test", Some(21), BAD, &["error dnsbl"]).said(Unknown, "dnsbl"),
        case("alice@exim.test", Some(22), OK, &["info banner-delay"]).taken(),
        case("alice@exim.test", Some(23), OK, &[])
            .taken()
            .with(quick),
        case("alice@exim.test", Some(24), BAD, &["error login-required"])
            .said(Rejected, "login-required"),
        case(
            "x@example.test",
            Some(30),
            WARN,
            &["warning no-starttls", "warning auth-in-clear"],
        )
        .taken(),
        case(
            "x@example.test",
            Some(31),
            BAD,
            &["error server-error", "warning no-esmtp"],
        )
        .said(Rejected, "server-error"),
        case("x@example.test", Some(32), WARN, &["warning no-starttls"]).taken(),
        case(
            "x@example.test",
            Some(33),
            WARN,
            &["warning smtp-rewritten"],
        )
        .taken(),
        case(
            "x@example.test",
            Some(34),
            WAIT,
            &["warning server-temporary-failure"],
        )
        .said(Deferred, "server-temporary-failure"),
        case("x@example.test", Some(35), WARN, &["warning no-starttls"]).taken(),
        case("x@example.test", Some(40), GONE, &["error server-silent"]).with(quick),
        case(
            "x@example.test",
            Some(41),
            GONE,
            &["error connection-closed"],
        ),
        case("x@example.test", Some(42), GONE, &["error not-smtp"]),
        case(
            "x@example.test",
            Some(43),
            GONE,
            &["error connection-reset"],
        ),
        case(
            "x@example.test",
            Some(44),
            WARN,
            &["warning starttls-refused"],
        )
        .taken(),
        case("x@example.test", Some(45), BAD, &["error tls-failed"]).taken(),
        case(
            "x@example.test",
            Some(46),
            BAD,
            &["error starttls-injection"],
        )
        .taken()
        .with(|o| o.injection_test = true),
        case("x@example.test", Some(47), WARN, &["warning no-esmtp"]).taken(),
        case(
            "x@example.test",
            Some(49),
            GONE,
            &["error connection-refused"],
        ),
    ]
}

/// One line for each oddity of `zone.txt`.
fn domains() -> Vec<Case> {
    fn dns_only(options: &mut Options) {
        options.dns_only = true;
    }
    vec![
        case(
            "example.test",
            None,
            WARN,
            &["info dane-verified", "warning mta-sts-no-policy"],
        ),
        case("exim.test", None, BAD, &["error relay-denied"]),
        case(
            "danewrong.example.test",
            None,
            BAD,
            &["error dane-mismatch"],
        ),
        case("mx.unsigned.test", None, BAD, &["info dane-insecure"]),
        case(
            "daneunusable.example.test",
            None,
            BAD,
            &["warning dane-unusable"],
        ),
        case("nullmx.test", None, BAD, &["error null-mx"]),
        case("nullmxplus.test", None, BAD, &["error null-mx-beside-mx"]),
        case("implicit.test", None, BAD, &["warning implicit-mx"]),
        case("nomail.test", None, BAD, &["error no-mail-server"]),
        case("cnamemx.test", None, BAD, &["warning mx-is-alias"]),
        case("dangling.test", None, BAD, &["error mx-dangling"]),
        case("ipmx.test", None, BAD, &["error mx-is-address"]),
        case("privmx.test", None, OK, &["info mx-private-address"]).with(dns_only),
        case("v6only.test", None, BAD, &["warning mx-ipv6-only"]),
        case("dup.test", None, BAD, &["info mx-repeated"]),
        case("cnamedom.test", None, BAD, &["info domain-is-alias"]),
        case("loopcname.test", None, BAD, &["error no-mail-server"]),
        case("badname.test", None, BAD, &["warning mx-bad-name"]),
        case("gone.example", None, BAD, &["error domain-unknown"]),
        case("servfail.test", None, UNKNOWN, &["error dns-failure"]),
        case("refused.test", None, UNKNOWN, &["error dns-failure"]),
        case("timeout.test", None, UNKNOWN, &["error dns-failure"]).with(quick),
        case("spf2.test", None, BAD, &["error spf-multiple"]),
        case("spfplus.test", None, BAD, &["error spf-pass-all"]),
        case(
            "spfptr.test",
            None,
            BAD,
            &["warning spf-ptr", "warning spf-neutral-all"],
        ),
        case("spfloop.test", None, BAD, &["error spf-loop"]),
        case("spfvoid.test", None, BAD, &["error spf-void-lookups"]),
        case("spf11.test", None, BAD, &["error spf-too-many-lookups"]),
        case("spfsyntax.test", None, BAD, &["error spf-syntax"]),
        case("dmarc2.test", None, BAD, &["error dmarc-multiple"]),
        case("dmarcbad.test", None, BAD, &["error dmarc-syntax"]),
        case("dmarcold.test", None, BAD, &["warning dmarc-obsolete-tags"]),
    ]
}

fn checker(bed: &Bed, case: &Case) -> Checker<Resolver> {
    let dns: SocketAddr = format!("127.0.0.1:{}", bed.base + 53).parse().unwrap();
    let mut options = Options::at(chrono::Utc::now());
    options.port = bed.base;
    options.helo = Some("probe.example.org".to_string());
    options.from = Some("sender@origin.test".to_string());
    options.timeout = Duration::from_secs(15);
    // The policy would be on port 443 of this very machine.
    options.fetch_policy = case.target == "example.test";
    let server = case
        .at
        .map(|at| format!("mx.example.test:{}", bed.base + at));
    options.server = server.map(|s| parse_server(&s).unwrap());
    options.families.v6 = case.at.is_none();
    let ca = std::fs::read(bed.state.join("tls/ca.pem")).unwrap();
    options.roots = Roots::of_file(Trust::from_pem(&ca).unwrap());
    (case.tune)(&mut options);
    Checker::new(Resolver::new(&[dns]), options)
}

fn complaints(case: &Case, checkup: &Checkup) -> Vec<String> {
    let mut wrong = Vec::new();
    if (checkup.verdict, checkup.answer) != (case.verdict, case.answer) {
        wrong.push(format!("{:?} {:?}", checkup.verdict, checkup.answer));
    }
    let found: Vec<_> = checkup
        .findings
        .iter()
        .map(|f| format!("{} {}", f.severity.id(), f.code))
        .collect();
    for wanted in case.finds {
        if !found.iter().any(|f| f == wanted) {
            wrong.push(format!("no \"{wanted}\" in {found:?}"));
        }
    }
    let probe = checkup.servers.first().and_then(|s| s.recipient.as_ref());
    if case.outcome.is_some() && probe.map(|p| p.outcome) != case.outcome {
        wrong.push(format!("{:?}", probe.map(|p| p.outcome)));
    }
    let cause = probe
        .and_then(|p| p.judgement.as_ref())
        .map(|j| j.cause.id());
    if case.cause.is_some() && cause != case.cause {
        let reply = probe
            .and_then(|p| p.reply.as_ref())
            .map(ToString::to_string);
        wrong.push(format!("{cause:?} for {reply:?}"));
    }
    wrong
}

#[tokio::test]
async fn every_endpoint_and_every_domain_of_the_testbed_is_judged_right() {
    let bed = match bed() {
        Ok(bed) => bed,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let mut wrong = Vec::new();
    let all: Vec<_> = endpoints().into_iter().chain(domains()).collect();
    let total = all.len();
    for case in all {
        let target = Target::parse(case.target).unwrap();
        let checkup = checker(&bed, &case).check(&target).await;
        let complaints = complaints(&case, &checkup);
        if !complaints.is_empty() {
            let at = case.at.map_or(String::new(), |at| format!(" at +{at}"));
            wrong.push(format!(
                "{}{at}: {}\n    {}",
                case.target,
                complaints.join("; "),
                checkup.headline
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {total} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[tokio::test]
async fn fifty_unknown_recipients_are_all_answered() {
    let Ok(bed) = bed() else { return };
    let case = case("", None, OK, &[]).with(|o| o.families.v6 = false);
    let checker = std::sync::Arc::new(checker(&bed, &case));
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..50 {
        let checker = checker.clone();
        let target = Target::parse(&format!("nobody{n}@example.test")).unwrap();
        tasks.spawn(async move { checker.check(&target).await });
    }
    while let Some(checkup) = tasks.join_next().await {
        for server in checkup.unwrap().servers {
            let probe = server.recipient.unwrap();
            assert_eq!(probe.outcome, Outcome::Rejected);
            assert_eq!(probe.reply.unwrap().code, 550);
        }
    }
}
