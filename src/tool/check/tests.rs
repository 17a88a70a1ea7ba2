//! Whole checks: a scripted DNS and played servers on loopback.

use std::time::{Duration, Instant};

use super::*;
use crate::bounce::cause::Cause;
use crate::dns::world::{Entry, World};
use crate::dns::{Data, Failure, Name};
use crate::smtp::played::{Act, Played, Stage as Theatre, lines};
use crate::smtp::{Host, Stage};

fn world() -> World {
    let mx = |host: &str| Entry {
        data: vec![Data::Mx {
            preference: 10,
            exchange: Name::parse(host).unwrap(),
        }],
        ..Entry::default()
    };
    World::new()
        .name("x.test", mx("mx.x.test"))
        .name("gone.test", mx("nowhere.test"))
        .addresses("mx.x.test", &["127.0.0.1"])
}

fn options(theatre: &Theatre) -> Options {
    let mut options = Options::at(chrono::Utc::now());
    options.port = theatre.at.port();
    options.helo = Some("probe.example.org".to_string());
    options.timeout = Duration::from_secs(1);
    options
}

async fn check(theatre: &Theatre, target: &str, tune: fn(&mut Options)) -> Checkup {
    let mut options = options(theatre);
    tune(&mut options);
    let checker = Checker::new(world(), options);
    checker.check(&Target::parse(target).unwrap()).await
}

fn codes(checkup: &Checkup) -> Vec<&'static str> {
    checkup.findings.iter().map(|f| f.code).collect()
}

fn good() -> Played {
    Played::announcing(&[
        "PIPELINING",
        "8BITMIME",
        "DSN",
        "SMTPUTF8",
        "ENHANCEDSTATUSCODES",
    ])
}

#[tokio::test]
async fn what_is_no_mail_server_is_told_in_bounded_time() {
    let forty: Vec<_> = (0..40).map(|_| "line").collect();
    for (act, code, answer) in [
        (Act::Silence, "server-silent", Answer::No),
        (Act::Close, "connection-closed", Answer::No),
        (Act::Reset, "connection-reset", Answer::No),
        (
            Act::Say("SSH-2.0-OpenSSH_9.2p1".into()),
            "not-smtp",
            Answer::No,
        ),
        (
            Act::Endless("220-more\r\n".into()),
            "protocol-broken",
            Answer::No,
        ),
        (
            Act::Drip("220 slow".repeat(99), Duration::from_millis(50)),
            "server-silent",
            Answer::No,
        ),
        (Act::Say(lines(220, &forty)), "no-starttls", Answer::Yes),
        (
            Act::Last("554 5.7.1 go away, 127.0.0.1 is listed at bl.test".into()),
            "dnsbl",
            Answer::No,
        ),
        (
            Act::Last("421 4.3.2 shutting down".into()),
            "server-temporary-failure",
            Answer::Unknown,
        ),
    ] {
        let shown = format!("{act:?}");
        let theatre = Played::greeting(act).start().await.unwrap();
        let started = Instant::now();
        let checkup = check(&theatre, "bob@x.test", |_| {}).await;
        assert!(started.elapsed() < Duration::from_secs(4), "{shown}");
        assert!(
            codes(&checkup).contains(&code),
            "{shown}: {:?}",
            codes(&checkup)
        );
        assert_eq!(checkup.answer, answer, "{shown}: {}", checkup.headline);
        assert!(checkup.headline.contains("x.test"), "{}", checkup.headline);
    }
}

#[tokio::test]
async fn who_greets_like_a_mail_server_and_is_none_is_told() {
    for (greeting, refusal) in [
        ("220 (vsFTPd 3.0.5)", "530 Please login with USER and PASS."),
        ("220 ProFTPD Server", "500 EHLO not understood"),
        ("200 news.example InterNetNews ready", "500 what"),
        ("250 hello", "250 hello"),
    ] {
        let theatre = Played::greeting(Act::Say(greeting.into()))
            .says("EHLO", refusal)
            .says("HELO", refusal);
        let theatre = theatre.start().await.unwrap();
        let checkup = check(&theatre, "bob@x.test", |_| {}).await;
        assert!(
            codes(&checkup).contains(&"not-smtp"),
            "{greeting}: {:?}",
            codes(&checkup)
        );
        assert_eq!(checkup.answer, Answer::No, "{greeting}");
    }
    // A mail server that knows neither EHLO nor HELO has nothing against our name.
    let theatre = Played::greeting(Act::Say("220 mx.x.test ESMTP".into()))
        .says("EHLO", "500 what")
        .says("HELO", "502 what");
    let theatre = theatre.start().await.unwrap();
    let checkup = check(&theatre, "bob@x.test", |_| {}).await;
    assert!(
        codes(&checkup).contains(&"protocol-error"),
        "{:?}",
        codes(&checkup)
    );
}

#[tokio::test]
async fn a_reply_that_nobody_asked_for_does_not_answer_the_next_command() {
    let theatre = Played::announcing(&[])
        .says("MAIL", "250 ok\r\n250 another one")
        .says("RCPT", "550 5.1.1 no such user");
    let theatre = theatre.start().await.unwrap();
    let checkup = check(&theatre, "bob@x.test", |_| {}).await;
    let probe = checkup.servers[0].recipient.as_ref().unwrap();
    assert_eq!(probe.outcome, Outcome::Rejected);
    let odd = checkup
        .findings
        .iter()
        .find(|f| f.code == "reply-malformed");
    assert!(odd.unwrap().text.contains("nobody asked for"));
    // A farewell before its time is the answer to whatever comes next.
    let theatre = Played::announcing(&[]).on(
        "MAIL",
        &[Act::Last("250 ok\r\n421 4.3.2 shutting down".into())],
    );
    let theatre = theatre.start().await.unwrap();
    let checkup = check(&theatre, "bob@x.test", |_| {}).await;
    assert_eq!(
        checkup.servers[0].recipient.as_ref().unwrap().outcome,
        Outcome::Deferred
    );
}

#[tokio::test]
async fn a_server_that_hangs_up_at_starttls_is_asked_in_clear() {
    let theatre =
        Played::announcing(&["STARTTLS"]).on("STARTTLS", &[Act::Last("421 4.3.0 not now".into())]);
    let theatre = theatre.start().await.unwrap();
    let checkup = check(&theatre, "bob@x.test", |_| {}).await;
    assert!(
        codes(&checkup).contains(&"starttls-refused"),
        "{:?}",
        codes(&checkup)
    );
    assert_eq!(checkup.answer, Answer::Yes, "{}", checkup.headline);
}

#[tokio::test]
async fn who_wants_a_login_is_right_as_a_server_and_wrong_as_a_domains_mx() {
    let theatre = good().says("MAIL", "530 5.7.0 Authentication required");
    let theatre = theatre.start().await.unwrap();
    let host = check(&theatre, &theatre.at.to_string(), |_| {}).await;
    assert!(codes(&host).contains(&"login-required"));
    assert_eq!(host.answer, Answer::Yes, "{}", host.headline);
    let domain = check(&theatre, "x.test", |_| {}).await;
    assert!(codes(&domain).contains(&"login-required"));
    assert_eq!(domain.answer, Answer::No, "{}", domain.headline);
}

#[tokio::test]
async fn a_forward_is_told_with_the_new_address() {
    let theatre = good().says("RCPT", "251 will forward to <bob@new.test>");
    let theatre = theatre.start().await.unwrap();
    let checkup = check(&theatre, "bob@x.test", |_| {}).await;
    assert_eq!(checkup.answer, Answer::Yes);
    let forward = checkup.findings.iter().find(|f| f.code == "forwarded");
    assert!(forward.unwrap().text.contains("bob@new.test"));
}

#[tokio::test]
async fn a_refusal_of_our_side_comes_with_what_our_side_looks_like() {
    let theatre = good().says(
        "RCPT",
        "550 5.7.25 cannot find your hostname [198.51.100.7]",
    );
    let theatre = theatre.start().await.unwrap();
    let checkup = check(&theatre, "bob@x.test", |_| {}).await;
    let ours = checkup
        .findings
        .iter()
        .find(|f| f.code == "our-reverse-dns");
    let ours = ours.unwrap();
    assert_eq!(ours.subject, "198.51.100.7");
    assert!(ours.text.contains("no reverse name"), "{}", ours.text);
}

#[tokio::test]
async fn a_dangling_mx_and_a_domain_that_does_not_exist_need_no_server() {
    let theatre = good().start().await.unwrap();
    assert!(codes(&check(&theatre, "gone.test", |_| {}).await).contains(&"mx-dangling"));
    let checkup = check(&theatre, "bob@not.test", |_| {}).await;
    assert_eq!(
        checkup.headline,
        "Mail to bob@not.test cannot arrive: the domain not.test does not exist"
    );
    assert!(theatre.heard().is_empty());
}

#[tokio::test]
async fn a_dns_that_does_not_answer_leaves_it_open_whether_mail_gets_there() {
    let theatre = good().start().await.unwrap();
    for failure in [Failure::ServFail, Failure::Refused, Failure::Timeout] {
        let world = World::new().name("x.test", Entry::failing(failure));
        let checker = Checker::new(world, options(&theatre));
        let checkup = checker.check(&Target::parse("bob@x.test").unwrap()).await;
        assert_eq!(checkup.answer, Answer::Unknown, "{failure}: {checkup:?}");
    }
}

#[tokio::test]
async fn nothing_is_ever_sent_and_everything_is_taken_back() {
    let theatre = good().start().await.unwrap();
    let checkup = check(&theatre, "bob@x.test", |_| {}).await;
    assert_eq!(checkup.answer, Answer::Yes, "{}", checkup.headline);
    assert_eq!(
        theatre.heard(),
        [
            "*connect*",
            "EHLO probe.example.org",
            "MAIL FROM:<postmaster@probe.example.org>",
            "RCPT TO:<bob@x.test>",
            "RSET",
            "QUIT"
        ]
    );
    let stages: Vec<_> = checkup.servers[0].steps.iter().map(|s| s.stage).collect();
    assert_eq!(
        stages,
        [
            Stage::Connect,
            Stage::Banner,
            Stage::Ehlo,
            Stage::Mail,
            Stage::Rcpt,
            Stage::Rset,
            Stage::Quit
        ]
    );
}

#[tokio::test]
async fn after_five_refusals_the_conversation_is_begun_anew() {
    let theatre = good()
        .says("RCPT", "550 5.1.1 no such user")
        .start()
        .await
        .unwrap();
    let checker = std::sync::Arc::new(Checker::new(world(), options(&theatre)));
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..23 {
        let checker = checker.clone();
        let target = Target::parse(&format!("u{n}@x.test")).unwrap();
        tasks.spawn(async move { checker.check(&target).await });
    }
    while let Some(checkup) = tasks.join_next().await {
        let probe = checkup.unwrap().servers[0].recipient.clone().unwrap();
        assert_eq!(probe.outcome, Outcome::Rejected);
        assert_eq!(probe.judgement.unwrap().cause, Cause::UserUnknown);
    }
    let heard = theatre.heard();
    let mut refusals = 0;
    for line in &heard {
        refusals = if line == "*connect*" {
            0
        } else {
            refusals + usize::from(line.starts_with("RCPT"))
        };
        assert!(refusals <= 5);
    }
    assert_eq!(heard.iter().filter(|l| l.starts_with("RCPT")).count(), 23);
}

#[tokio::test]
async fn a_server_that_hangs_up_in_between_is_met_again() {
    let theatre = good()
        .on(
            "RCPT",
            &[
                Act::Say("250 ok".into()),
                Act::Last("421 4.7.0 too much".into()),
            ],
        )
        .start()
        .await
        .unwrap();
    let checker = std::sync::Arc::new(Checker::new(world(), options(&theatre)));
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..4 {
        let checker = checker.clone();
        let target = Target::parse(&format!("u{n}@x.test")).unwrap();
        tasks.spawn(async move { checker.check(&target).await });
    }
    while let Some(checkup) = tasks.join_next().await {
        let probe = checkup.unwrap().servers[0].recipient.clone().unwrap();
        assert!(matches!(
            probe.outcome,
            Outcome::Accepted | Outcome::Deferred
        ));
    }
}

#[tokio::test]
async fn greylisting_is_waited_for_only_on_request() {
    let grey = || {
        good().on(
            "RCPT",
            &[
                Act::Say("451 4.7.1 Greylisted, come back in 1 second".into()),
                Act::Say("250 ok".into()),
            ],
        )
    };
    let theatre = grey().start().await.unwrap();
    let checkup = check(&theatre, "bob@x.test", |_| {}).await;
    assert_eq!(checkup.answer, Answer::Unknown);
    assert!(codes(&checkup).contains(&"greylisted"));
    // A conversation of its own answers the second time, so the script counts by connection.
    let theatre = good()
        .on(
            "RCPT",
            &[Act::Say(
                "451 4.7.1 Greylisted, come back in 1 second".into(),
            )],
        )
        .start()
        .await
        .unwrap();
    let started = Instant::now();
    let wait: fn(&mut Options) = |o| o.wait = Some(Duration::from_secs(2));
    let checkup = check(&theatre, "bob@x.test", wait).await;
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(checkup.answer, Answer::Unknown);
    assert!(theatre.heard().iter().filter(|l| *l == "*connect*").count() > 1);
}

#[tokio::test]
async fn a_later_that_waiting_does_not_help_is_a_no() {
    for (reply, cause, answer) in [
        (
            "450 4.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org",
            Cause::Dnsbl,
            Answer::No,
        ),
        (
            "450 4.7.25 Client host rejected: cannot find your reverse hostname, [192.0.2.1]",
            Cause::MissingReverseDns,
            Answer::No,
        ),
        ("452 4.2.2 mailbox is full", Cause::OverQuota, Answer::No),
        (
            "451 4.3.0 Temporary lookup failure",
            Cause::ServerTemporaryFailure,
            Answer::Unknown,
        ),
    ] {
        let theatre = good().says("RCPT", reply).start().await.unwrap();
        let checkup = check(&theatre, "bob@x.test", |_| {}).await;
        assert!(
            codes(&checkup).contains(&cause.id()),
            "{reply}: {:?}",
            codes(&checkup)
        );
        assert_eq!(checkup.answer, answer, "{reply}: {}", checkup.headline);
    }
}

#[tokio::test]
async fn who_takes_everything_is_found_out() {
    let theatre = good().start().await.unwrap();
    let everything: fn(&mut Options) = |o| o.catch_all = true;
    let checkup = check(&theatre, "bob@x.test", everything).await;
    assert_eq!(
        checkup.servers[0].recipient.as_ref().unwrap().catch_all,
        Some(true)
    );
    assert!(
        codes(&checkup).contains(&"catch-all"),
        "{:?}",
        codes(&checkup)
    );
    assert_eq!(checkup.answer, Answer::Yes);
    let picky = good()
        .says("RCPT", "550 5.1.1 no")
        .says("RCPT TO:<bob@", "250 ok");
    let theatre = picky.start().await.unwrap();
    let checkup = check(&theatre, "bob@x.test", everything).await;
    assert_eq!(
        checkup.servers[0].recipient.as_ref().unwrap().catch_all,
        Some(false)
    );
    assert!(
        !codes(&checkup).contains(&"catch-all"),
        "{:?}",
        codes(&checkup)
    );
    assert_eq!(checkup.answer, Answer::Yes);
}

#[tokio::test]
async fn a_refused_sender_says_nothing_about_the_mailbox() {
    let theatre = good()
        .says("MAIL", "550 5.1.8 sender domain does not exist")
        .start()
        .await
        .unwrap();
    let checkup = check(&theatre, "bob@x.test", |_| {}).await;
    let probe = checkup.servers[0].recipient.as_ref().unwrap();
    assert_eq!((probe.outcome, probe.at_mail), (Outcome::Unknown, true));
    assert!(codes(&checkup).contains(&"sender-rejected"));
    assert!(
        checkup
            .headline
            .starts_with("Whether bob@x.test exists could not be asked")
    );
}

#[tokio::test]
async fn an_open_relay_is_told_from_a_server_that_takes_its_own_only() {
    let test: fn(&mut Options) = |o| o.relay_test = true;
    let theatre = good().start().await.unwrap();
    assert!(codes(&check(&theatre, "x.test", test).await).contains(&"open-relay"));
    let own = good()
        .says("RCPT", "554 5.7.1 relay denied")
        .says("RCPT TO:<postmaster@x.test", "250 ok");
    let theatre = own.start().await.unwrap();
    assert!(codes(&check(&theatre, "x.test", test).await).contains(&"no-relay"));
}

#[tokio::test]
async fn a_server_whose_name_the_dns_does_not_tell_leaves_it_open_and_one_that_is_not_is_a_no() {
    let mute = || world().zone("mute.test", Entry::failing(Failure::ServFail));
    for (server, code, answer, verdict) in [
        (
            "mx.mute.test",
            "host-unresolved",
            Answer::Unknown,
            Verdict::Unreachable,
        ),
        (
            "mx.nowhere.test",
            "host-unknown",
            Answer::No,
            Verdict::Problems,
        ),
    ] {
        let by_host = Checker::new(mute(), Options::at(chrono::Utc::now()));
        let host = Target::parse(&format!("{server}:25")).unwrap();
        let mut named = Options::at(chrono::Utc::now());
        named.server = Some((Host::Name(Name::parse(server).unwrap()), None));
        named.fetch_policy = false;
        let by_name = Checker::new(mute(), named);
        let address = Target::parse("ann@x.test").unwrap();
        for checkup in [by_host.check(&host).await, by_name.check(&address).await] {
            assert!(codes(&checkup).contains(&code), "{checkup:?}");
            assert_eq!(
                (checkup.answer, checkup.verdict),
                (answer, verdict),
                "{server}"
            );
            let words = format!("could not be checked: {server}: the host cannot be found");
            assert!(checkup.headline.contains(&words), "{}", checkup.headline);
        }
    }
}

#[tokio::test]
async fn localhost_and_an_address_in_brackets_need_no_dns() {
    let theatre = good().start().await.unwrap();
    let host = format!("localhost:{}", theatre.at.port());
    for target in [host.as_str(), "ann@[127.0.0.1]"] {
        let checkup = check(&theatre, target, |_| ()).await;
        assert_eq!(checkup.answer, Answer::Yes, "{}", checkup.headline);
        assert_eq!(checkup.servers.len(), 1, "{target}");
    }
}
