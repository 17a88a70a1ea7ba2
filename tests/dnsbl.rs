//! The lists, asked in a scripted world: who is asked what, and what is made of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::time::Duration;

use mailtrace::dns::world::{Entry, World};
use mailtrace::dns::{Failure, Kind, Name};
use mailtrace::dnsbl::source::{Choice, OwnZone};
use mailtrace::dnsbl::subject::Subject;
use mailtrace::dnsbl::trust::Distrust;
use mailtrace::dnsbl::verdict::{Finding, Status};
use mailtrace::dnsbl::{Checker, Manner, advice};

const WAIT: Duration = Duration::from_secs(2);
const MANNER: Manner = Manner {
    wait: WAIT,
    probe: false,
    force: false,
};

fn zones(zones: &[&str]) -> Choice {
    Choice {
        zones: zones.iter().map(ToString::to_string).collect(),
        ..Choice::default()
    }
}

fn subject(text: &str) -> Subject {
    match text.parse::<std::net::IpAddr>() {
        Ok(ip) => ip.into(),
        Err(_) => Subject::Domain(Name::parse(text).unwrap()),
    }
}

async fn check(world: &World, choice: &Choice, manner: Manner, what: &str) -> Finding {
    Checker::new(world, choice.sources().unwrap(), manner)
        .check(subject(what), None)
        .await
}

/// A list with its test entries in order, that lists 11.22.33.2.
fn healthy(world: World, zone: &str) -> World {
    world
        .addresses(&format!("2.0.0.127.{zone}"), &["127.0.0.2"])
        .addresses(&format!("2.33.22.11.{zone}"), &["127.0.0.2"])
        .text(&format!("2.33.22.11.{zone}"), b"seen \x1b[31mhere")
}

#[tokio::test]
async fn a_listing_comes_with_its_text_and_after_a_look_at_the_lists_health() {
    let world = healthy(World::new(), "bl.spamcop.net");
    let choice = Choice {
        lists: vec!["spamcop".into()],
        ..Choice::default()
    };
    let finding = check(&world, &choice, MANNER, "11.22.33.2").await;
    let verdict = &finding.verdicts[0];
    assert_eq!(verdict.status, Status::Listed);
    assert_eq!(verdict.texts, [b"seen \x1b[31mhere".to_vec()]);
    assert_eq!(verdict.ttl, Some(60));
    assert_eq!((finding.listed(), finding.asked()), (1, 1));
    let advice = advice::advise(&finding).unwrap();
    assert!(advice.meaning.contains("Many"), "{advice:?}");
    assert!(
        advice
            .steps
            .last()
            .unwrap()
            .contains("https://www.spamcop.net/"),
        "{advice:?}"
    );
}

#[tokio::test]
async fn of_a_clean_address_nothing_but_the_address_is_asked() {
    let world = World::new();
    let choice = Choice {
        lists: vec!["spamcop".into()],
        ..Choice::default()
    };
    let finding = check(&world, &choice, MANNER, "11.22.33.1").await;
    assert_eq!(finding.verdicts[0].status, Status::Clean);
    let names: Vec<_> = world.asked().iter().map(|q| q.name.to_string()).collect();
    assert_eq!(
        names.len(),
        3,
        "the address, and two names that cannot exist: {names:?}"
    );
    assert!(world.asked().iter().all(|q| q.kind == Kind::A));
}

#[tokio::test]
async fn the_silence_of_a_mistyped_zone_is_no_all_clear() {
    let world = World::new().addresses("2.0.0.127.mine.bl.test", &["127.0.0.2"]);
    let mine = check(&world, &zones(&["mine.bl.test"]), MANNER, "11.22.33.1").await;
    assert_eq!(mine.verdicts[0].status, Status::Clean);
    let typo = check(&world, &zones(&["mien.bl.test"]), MANNER, "11.22.33.1").await;
    assert!(!typo.verdicts[0].status.is_answer(), "{typo:?}");
    assert_eq!(typo.answered(), 0);
}

#[tokio::test]
async fn a_private_address_is_not_told_to_public_lists() {
    let world = World::new()
        .addresses("50.1.168.192.private.bl.test", &["127.0.0.2"])
        .addresses("2.0.0.127.private.bl.test", &["127.0.0.2"]);
    let finding = check(&world, &Choice::default(), MANNER, "192.168.1.50").await;
    assert!(finding.verdicts.iter().all(|v| v.status == Status::Skipped));
    assert_eq!(
        (finding.asked(), finding.scope.unwrap().id()),
        (0, "private")
    );
    assert!(world.asked().is_empty(), "{:?}", world.asked());

    let named = zones(&["private.bl.test", "zen.spamhaus.org"]);
    let finding = check(&world, &named, MANNER, "192.168.1.50").await;
    let status: Vec<_> = finding
        .verdicts
        .iter()
        .map(|v| (v.source.id.as_str(), v.status))
        .collect();
    assert!(
        status.contains(&("private.bl.test", Status::Listed)),
        "{status:?}"
    );
    assert!(
        status.contains(&("spamhaus-zen", Status::Skipped)),
        "{status:?}"
    );
    assert!(
        world
            .asked()
            .iter()
            .all(|q| !q.name.to_string().contains("spamhaus"))
    );

    let forced = Manner {
        force: true,
        ..MANNER
    };
    check(
        &world,
        &zones(&["zen.spamhaus.org"]),
        forced,
        "192.168.1.50",
    )
    .await;
    assert!(
        world
            .asked()
            .iter()
            .any(|q| q.name.to_string().contains("spamhaus"))
    );
}

#[tokio::test]
async fn a_resolver_that_rewrites_makes_nothing_clean_or_listed() {
    let world = World::new()
        .zone("net", Entry::saying([146, 112, 61, 108]))
        .zone("invalid", Entry::saying([146, 112, 61, 108]));
    let choice = Choice {
        lists: vec!["spamcop".into(), "spamhaus-zen".into()],
        ..Choice::default()
    };
    let finding = check(&world, &choice, MANNER, "11.22.33.2").await;
    assert!(
        finding
            .verdicts
            .iter()
            .all(|v| v.status == Status::Untrusted),
        "{finding:?}"
    );
    assert_eq!(
        finding.distrust,
        Some(Distrust::Rewrites([146, 112, 61, 108].into()))
    );
}

#[tokio::test(start_paused = true)]
async fn a_silent_list_costs_no_more_than_the_time_out() {
    let world = healthy(World::new(), "bl.spamcop.net")
        .zone("timeout.bl.test", Entry::failing(Failure::Timeout));
    let started = tokio::time::Instant::now();
    let choice = zones(&["timeout.bl.test", "bl.spamcop.net"]);
    for probe in [false, true] {
        let manner = Manner { probe, ..MANNER };
        let finding = check(&world, &choice, manner, "11.22.33.2").await;
        assert_eq!(finding.verdicts[0].status, Status::Timeout);
        assert_eq!(finding.verdicts[1].status, Status::Listed);
    }
    assert_eq!(started.elapsed().as_secs(), 4, "two runs of two seconds");
}

#[tokio::test(start_paused = true)]
async fn a_slow_list_that_shows_life_is_waited_for() {
    let slow = Entry::saying([127, 0, 0, 2]).after(Duration::from_secs(3));
    let world = World::new()
        .name("2.33.22.11.slow.bl.test", slow.clone())
        .name("2.0.0.127.slow.bl.test", slow);
    let finding = check(&world, &zones(&["slow.bl.test"]), MANNER, "11.22.33.2").await;
    assert_eq!(finding.verdicts[0].status, Status::Listed, "{finding:?}");
}

#[tokio::test]
async fn a_name_is_asked_with_its_parents_down_to_the_registered_domain() {
    let world = World::new()
        .addresses("wild-sender.co.uk.dbl.spamhaus.org", &["127.0.1.2"])
        .addresses("test.dbl.spamhaus.org", &["127.0.1.2"])
        .addresses("wild-sender.co.uk.multi.surbl.org", &["127.0.0.80"])
        .addresses("test.surbl.org.multi.surbl.org", &["127.0.0.254"]);
    let choice = zones(&["dbl.spamhaus.org", "multi.surbl.org", "bl.spamcop.net"]);
    let finding = check(&world, &choice, MANNER, "a.www.wild-sender.co.uk").await;
    let dbl = &finding.verdicts[0];
    assert_eq!(dbl.status, Status::Listed);
    assert_eq!(dbl.matched.as_ref().unwrap().as_str(), "wild-sender.co.uk");
    assert_eq!(finding.verdicts[1].meanings.len(), 2, "two bits of SURBL");
    assert_eq!(finding.count(Status::Skipped), 1, "SpamCop lists no names");
    let asked: Vec<_> = world.asked().iter().map(|q| q.name.to_string()).collect();
    assert!(
        !asked.iter().any(|name| name.starts_with("co.uk.")),
        "{asked:?}"
    );
    assert!(
        !asked
            .iter()
            .any(|name| name.starts_with("www.") && name.contains("surbl"))
    );
}

#[tokio::test]
async fn a_list_that_never_answers_is_left_alone_for_the_rest_of_a_run() {
    let world = World::new().zone("broken.bl.test", Entry::failing(Failure::ServFail));
    let sources = zones(&["broken.bl.test"]).sources().unwrap();
    let checker = Checker::new(&world, sources, MANNER);
    for last in 0..10 {
        let finding = checker
            .check(subject(&format!("11.22.33.{last}")), None)
            .await;
        assert_eq!(finding.verdicts[0].status, Status::Error);
    }
    let asked = world
        .asked()
        .iter()
        .filter(|q| q.name.to_string().ends_with("broken.bl.test"))
        .count();
    assert_eq!(asked, 3);
}

#[tokio::test(start_paused = true)]
async fn beyond_a_slash_24_a_public_list_gets_ten_questions_a_second() {
    let world = World::new();
    let choice = Choice {
        lists: vec!["spamcop".into()],
        ..Choice::default()
    };
    let checker = Checker::new(&world, choice.sources().unwrap(), MANNER);
    let started = tokio::time::Instant::now();
    for n in 0..276_u16 {
        let [high, low] = n.to_be_bytes();
        checker
            .check(subject(&format!("11.22.{high}.{low}")), None)
            .await;
    }
    let took = started.elapsed().as_millis();
    assert!((1900..2200).contains(&took), "{took} ms");
}

#[tokio::test]
async fn a_key_is_asked_with_and_never_told() {
    let world = World::new();
    let own = OwnZone {
        zone: "bl.corp.example".into(),
        tests: false,
        ..OwnZone::default()
    };
    let choice = Choice {
        keys: vec![("spamhaus-zen-dqs".into(), "s3cret".into())],
        own: vec![own],
        ..Choice::default()
    };
    let finding = check(&world, &choice, MANNER, "11.22.33.2").await;
    assert!(
        world
            .asked()
            .iter()
            .any(|q| q.name.to_string().contains("s3cret"))
    );
    let told = finding
        .verdicts
        .iter()
        .map(|v| format!("{} {:?} {:?}", v.source.shown, v.note, v.status));
    assert!(told.into_iter().all(|text| !text.contains("s3cret")));
    let own = finding
        .verdicts
        .iter()
        .find(|v| v.source.id == "bl.corp.example")
        .unwrap();
    assert_eq!(
        own.status,
        Status::Clean,
        "a zone without test entries, as the configuration says"
    );
}

#[tokio::test]
async fn of_a_deep_name_the_registered_domain_is_asked_too() {
    let world = World::new()
        .addresses("test.dbl.bl.test", &["127.0.0.2"])
        .addresses("shop.example.dbl.bl.test", &["127.0.0.2"]);
    let deep = "a.b.c.d.e.shop.example";
    let finding = check(&world, &zones(&["dbl.bl.test"]), MANNER, deep).await;
    let verdict = &finding.verdicts[0];
    assert_eq!(verdict.status, Status::Listed, "{verdict:?}");
    assert_eq!(verdict.matched, Some(Name::parse("shop.example").unwrap()));
    let asked = world.asked();
    let names = asked.iter().map(|q| q.name.to_string());
    let names: Vec<_> = names.filter(|n| n.contains("shop")).collect();
    assert!(names.contains(&"a.b.c.d.e.shop.example.dbl.bl.test".to_string()));
    // One of them is the question for the list's text.
    assert_eq!(names.len(), 4 + 1, "{names:?}");
}

#[tokio::test]
async fn a_name_that_is_too_long_to_be_asked_about_is_not_called_clean() {
    let label = "x".repeat(60);
    let zone = [label.as_str(); 4].join(".");
    let world = World::new().zone(&zone, Entry::failing(Failure::NxDomain));
    let finding = check(&world, &zones(&[&zone]), MANNER, "11.22.33.1").await;
    let verdict = &finding.verdicts[0];
    assert_eq!(verdict.status, Status::Skipped, "{verdict:?}");
    assert!(verdict.note.as_ref().unwrap().contains("too long"));
    assert_eq!(finding.answered(), 0);
}

#[tokio::test]
async fn a_named_list_that_cannot_be_asked_says_why() {
    let why = async |list: &str, what: &str| {
        let choice = Choice {
            lists: vec![list.to_string()],
            ..Choice::default()
        };
        let world = World::new();
        let finding = check(&world, &choice, MANNER, what).await;
        assert_eq!(finding.verdicts[0].status, Status::Skipped, "{list}");
        assert!(world.asked().is_empty(), "nobody is asked for {list}");
        finding.verdicts[0].note.clone().unwrap()
    };
    assert_eq!(
        why("spamcop", "shop.test").await,
        "lists addresses, no names"
    );
    assert_eq!(
        why("spamhaus-dbl", "11.22.33.1").await,
        "lists names, no addresses"
    );
    assert_eq!(
        why("spfbl-score", "2001:db8::1").await,
        "lists no IPv6 addresses"
    );
    assert!(why("spamhaus-zen-dqs", "11.22.33.1").await.contains("key"));
}
