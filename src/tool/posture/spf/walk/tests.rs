//! The tests of walk.

use std::time::Duration;

use super::*;
use crate::dns::world::{Entry, World};

fn mx(preference: u16, host: &str) -> Data {
    let exchange = Name::parse(host).unwrap();
    Data::Mx {
        preference,
        exchange,
    }
}

fn world() -> World {
    let mut own = Entry::saying("192.0.2.1".parse::<IpAddr>().unwrap());
    own.data.push(mx(10, "mx.x.test"));
    own.data.push(Data::Txt(
        b"v=spf1 mx include:_s.x.test exists:%{ir}.ok.x.test ~all".into(),
    ));
    World::new()
        .name("x.test", own)
        .addresses("mx.x.test", &["192.0.2.25", "2001:db8::25"])
        .text(
            "_s.x.test",
            b"v=spf1 ip4:198.51.100.0/24 ip6:2001:db8:5::/48 -all",
        )
        .addresses("9.2.0.192.ok.x.test", &["127.0.0.2"])
        .text("two.test", b"v=spf1 -all")
        .text("two.test", b"v=spf1 mx -all")
        .text("loop.test", b"v=spf1 include:loop.test -all")
        .text("void.test", b"v=spf1 a:v1.test a:v2.test a:v3.test -all")
        .text("bad.test", b"v=spf1 ip4:300.1.1.1 mx -al")
        .text("re.test", b"v=spf1 redirect=x.test")
        .text("lost.test", b"v=spf1 include:nowhere.test -all")
        .text(
            "many.test",
            b"v=spf1 include:m1.test a:x.test a:x.test a:x.test a:x.test a:x.test -all",
        )
        .text(
            "m1.test",
            b"v=spf1 a:x.test a:x.test a:x.test a:x.test a:x.test -all",
        )
        .name("down.test", Entry::failing(Failure::ServFail))
        .text("dep.test", b"v=spf1 include:down.test -all")
}

async fn outcome(ip: &str, domain: &str) -> Verdict {
    let world = world();
    let sender = Sender {
        ip: ip.parse().unwrap(),
        local: "joe",
        domain,
        helo: "h.test",
    };
    evaluate(Asker::new(&world, Duration::from_secs(1)), &sender).await
}

#[tokio::test]
async fn every_way_to_match_is_walked_and_traced() {
    for (ip, term) in [
        ("192.0.2.25", "mx"),
        ("2001:db8::25", "mx"),
        ("198.51.100.7", "ip4:198.51.100.0/24"),
        ("2001:db8:5::1", "ip6:2001:db8:5::/48"),
        ("192.0.2.9", "exists:%{ir}.ok.x.test"),
    ] {
        for domain in ["x.test", "re.test"] {
            let verdict = outcome(ip, domain).await;
            assert_eq!(verdict.outcome, Outcome::Pass, "{ip} {:?}", verdict.trace);
            assert_eq!(verdict.decided_by.unwrap().1, term);
            assert_eq!(verdict.trace.last().unwrap().result, "match");
        }
    }
    let verdict = outcome("203.0.113.5", "x.test").await;
    assert_eq!(verdict.outcome, Outcome::SoftFail);
    assert_eq!(verdict.lookups, 3);
}

#[tokio::test]
async fn what_is_broken_is_permerror_and_silence_is_temperror() {
    for (domain, expected) in [
        ("two.test", Outcome::PermError),
        ("loop.test", Outcome::PermError),
        ("void.test", Outcome::PermError),
        ("bad.test", Outcome::PermError),
        ("lost.test", Outcome::PermError),
        ("many.test", Outcome::PermError),
        ("dep.test", Outcome::TempError),
        ("nothing.test", Outcome::None),
    ] {
        let verdict = outcome("203.0.113.5", domain).await;
        assert_eq!(verdict.outcome, expected, "{domain} {:?}", verdict.trace);
    }
}

#[tokio::test]
async fn who_lets_everybody_in_further_down_is_found() {
    let world = World::new()
        .text("open.test", b"v=spf1 +all")
        .text("in.test", b"v=spf1 include:open.test -all")
        .text("re.test", b"v=spf1 redirect=open.test")
        .text("not.test", b"v=spf1 -include:open.test mx ~all")
        .text("url.test", b"v=spf1 include:https://x.test -all");
    let asker = Asker::new(&world, Duration::from_secs(1));
    let of = async |domain: &str| survey(asker, &Name::parse(domain).unwrap()).await;
    for domain in ["in.test", "re.test"] {
        assert_eq!(
            of(domain).await.opened_by.as_deref(),
            Some("open.test"),
            "{domain}"
        );
    }
    assert_eq!(of("not.test").await.opened_by, None);
    assert_eq!(
        of("url.test").await.troubles,
        [Trouble::IncludeWithoutRecord("https://x.test".to_string())]
    );
}

#[tokio::test]
async fn a_survey_counts_the_whole_tree_and_goes_on_after_a_trouble() {
    let world = world();
    let asker = Asker::new(&world, Duration::from_secs(1));
    let of = async |domain: &str| survey(asker, &Name::parse(domain).unwrap()).await;
    let many = of("many.test").await;
    assert_eq!((many.lookups, many.outcome), (11, Outcome::PermError));
    assert_eq!(many.troubles, [Trouble::TooManyLookups]);
    assert_eq!(of("void.test").await.troubles, [Trouble::TooManyVoid]);
    assert_eq!(of("bad.test").await.troubles.len(), 2);
    assert_eq!(
        of("loop.test").await.troubles,
        [Trouble::Loop("loop.test".to_string())]
    );
    let good = of("x.test").await;
    assert_eq!((good.outcome, good.lookups), (Outcome::Neutral, 3));
    assert_eq!(of("two.test").await.several.len(), 2);
    assert_eq!(of("nothing.test").await.outcome, Outcome::None);
}
