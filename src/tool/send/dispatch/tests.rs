use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use super::*;
use crate::dns::world::World;
use crate::send::hand_over::{Fate, Needs};
use crate::smtp::{Deadlines, Stage, TlsMode};

#[test]
fn one_word_for_all_groups() {
    use Outcome::*;
    let word = |all: &[Outcome]| together(&all.iter().map(|one| (*one, 1)).collect::<Vec<_>>());
    assert_eq!(word(&[Accepted, Accepted]), Accepted);
    assert_eq!(word(&[Accepted, Rejected]), Partly);
    assert_eq!(word(&[Rejected, Deferred]), Deferred);
    assert_eq!(word(&[Rejected, Failed]), Rejected);
    assert_eq!(word(&[NotSent, Failed]), Failed);
    assert_eq!(word(&[Failed]), Failed);
    assert_eq!(word(&[]), NotSent);
}

fn letter(to: &[&str]) -> Letter {
    Letter {
        from: "me@home.test".to_owned(),
        to: to.iter().map(ToString::to_string).collect(),
        ret: None,
        envid: None,
        notify: None,
        needs: Needs::default(),
        message: b"Subject: s\r\n\r\nbody\r\n".to_vec(),
    }
}

fn way(v4: bool, v6: bool) -> Way {
    Way {
        server: None,
        socket: None,
        port: 25,
        families: Families { v4, v6 },
        again: None,
    }
}

fn world() -> World {
    let text = r#"
        [[answer]]
        name = "good.test"
        mx = ["20 mx2.good.test", "10 mx1.good.test"]
        [[answer]]
        name = "mx1.good.test"
        a = ["192.0.2.1", "2001:db8::1"]
        [[answer]]
        name = "mx2.good.test"
        a = ["192.0.2.2"]
        [[answer]]
        name = "broken.test"
        failure = "servfail"
    "#;
    World::from_toml(text).unwrap()
}

/// Where mail for somebody goes, as `host ip:port`.
async fn places_of(to: &str, way: &Way) -> Result<Vec<String>, (String, bool)> {
    let letter = letter(&[to]);
    let groups = groups(&letter, way);
    let places = places(way, &groups[0], &world()).await?;
    let shown = |place: &Place| format!("{} {}:{}", place.host, place.ip, place.port);
    Ok(places.iter().map(shown).collect())
}

#[tokio::test]
async fn the_servers_of_a_domain_are_tried_by_preference_in_the_families_that_were_asked_for() {
    let all = places_of("bob@Good.Test", &way(true, true)).await.unwrap();
    assert_eq!(
        all,
        [
            "mx1.good.test 2001:db8::1:25",
            "mx1.good.test 192.0.2.1:25",
            "mx2.good.test 192.0.2.2:25"
        ]
    );
    let four = places_of("bob@good.test", &way(true, false)).await.unwrap();
    assert_eq!(
        four,
        ["mx1.good.test 192.0.2.1:25", "mx2.good.test 192.0.2.2:25"]
    );
    let six = places_of("bob@good.test", &way(false, true)).await.unwrap();
    assert_eq!(six, ["mx1.good.test 2001:db8::1:25"]);
}

#[tokio::test]
async fn an_address_in_brackets_is_the_server_and_a_name_in_them_is_none() {
    let both = way(true, true);
    let places = async |to: &str| places_of(to, &way(true, true)).await;
    assert_eq!(
        places("bob@[192.0.2.7]").await.unwrap(),
        ["192.0.2.7 192.0.2.7:25"]
    );
    assert_eq!(
        places("bob@[IPv6:2001:db8::7]").await.unwrap(),
        ["2001:db8::7 2001:db8::7:25"]
    );
    let (why, lasting) = places_of("bob@[mx1.good.test]", &both).await.unwrap_err();
    assert_eq!(why, "[mx1.good.test] is no address of a server");
    assert!(lasting);
    let (why, lasting) = places_of("bob@[192.0.2.7]", &way(false, true))
        .await
        .unwrap_err();
    assert!(why.contains("family"), "{why}");
    assert!(!lasting);
}

#[tokio::test]
async fn a_server_that_was_named_or_is_behind_a_socket_is_asked_for_all_domains() {
    let named = Way {
        server: Some((
            crate::smtp::host::parse("mx2.good.test").unwrap().0,
            Some(2525),
        )),
        ..way(true, true)
    };
    let letter = letter(&["bob@good.test", "ann@other.test"]);
    assert_eq!(groups(&letter, &named).len(), 1);
    let places = places_of("x@broken.test", &named).await.unwrap();
    assert_eq!(places, ["mx2.good.test 192.0.2.2:2525"]);
    let socket = Way {
        socket: Some("/run/lmtp".into()),
        ..way(true, true)
    };
    let places = places_of("x@broken.test", &socket).await.unwrap();
    assert_eq!(places, ["/run/lmtp 0.0.0.0:0"]);
}

#[tokio::test]
async fn the_first_address_of_a_family_is_that_of_a_named_host() {
    let of = |name: &str, v4, v6| {
        let host = crate::smtp::host::parse(name).unwrap().0;
        async move { address_of(&host, &Families { v4, v6 }, &world()).await }
    };
    let ip = |text: &str| Ok(text.parse::<IpAddr>().unwrap());
    assert_eq!(of("mx1.good.test", true, false).await, ip("192.0.2.1"));
    assert_eq!(of("mx1.good.test", false, true).await, ip("2001:db8::1"));
    let why = of("mx2.good.test", false, true).await.unwrap_err();
    assert!(why.starts_with("mx2.good.test has no address"), "{why}");
    let why = of("gone.test", true, true).await.unwrap_err();
    assert_eq!(why, "the host gone.test has no address");
}

fn manner() -> Manner {
    Manner {
        helo: Some("home.test".to_owned()),
        tls: TlsMode::None,
        credentials: None,
        mechanism: None,
        insecure_auth: false,
        lmtp: false,
        roots: None,
        deadlines: Deadlines::interactive(),
        now: chrono::Utc::now(),
    }
}

#[tokio::test]
async fn a_domain_that_does_not_exist_is_final_and_a_silent_dns_is_not() {
    for (to, outcome, cause, permanent) in [
        (
            "bob@gone.test",
            Outcome::Rejected,
            Cause::DomainUnknown,
            Some(true),
        ),
        (
            "bob@broken.test",
            Outcome::Failed,
            Cause::DnsFailure,
            Some(false),
        ),
    ] {
        let mut round = Round::default();
        let (letter, way) = (letter(&[to]), way(true, true));
        dispatch(&mut round, &letter, &manner(), &way, &world()).await;
        assert_eq!(round.outcome, outcome, "{to}");
        let one = &round.recipients[0];
        assert_eq!((one.cause, one.permanent), (cause, permanent), "{to}");
        assert_eq!(one.address.as_deref(), Some(to));
        assert_eq!(round.notes[0].code, "no-server");
        assert!(round.attempts.is_empty());
    }
}

/// Takes one message, or hangs up when it has it; gives the recipients.
async fn take(listener: TcpListener, hangs_up: bool) -> Vec<String> {
    let (tcp, _) = listener.accept().await.unwrap();
    let mut tcp = BufReader::new(tcp);
    let mut recipients = Vec::new();
    tcp.write_all(b"220 played.test\r\n").await.unwrap();
    let (mut line, mut in_data) = (String::new(), false);
    while tcp.read_line(&mut line).await.unwrap() > 0 {
        let said = std::mem::take(&mut line);
        let answer = match said.trim_end() {
            "." if hangs_up => return recipients,
            "." => {
                in_data = false;
                "250 ok\r\n"
            }
            _ if in_data => continue,
            "DATA" => {
                in_data = true;
                "354 go\r\n"
            }
            "QUIT" => "221 bye\r\n",
            other => {
                recipients.extend(other.strip_prefix("RCPT TO:").map(str::to_owned));
                "250 ok\r\n"
            }
        };
        tcp.write_all(answer.as_bytes()).await.unwrap();
    }
    recipients
}

#[tokio::test]
async fn each_domain_gets_its_server_and_a_lost_answer_of_one_is_not_forgotten() {
    let one = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = one.local_addr().unwrap().port();
    let Ok(two) = TcpListener::bind(("127.0.0.2", port)).await else {
        // Somebody else has this port there; it is about what one server says then.
        return;
    };
    let letter = letter(&["ann@[127.0.0.1]", "bob@[127.0.0.2]", "cid@[127.0.0.2]"]);
    let way = Way {
        port,
        ..way(true, true)
    };
    let (world, manner, mut round) = (World::new(), manner(), Round::default());
    let (first, second, ()) = tokio::join!(
        take(one, true),
        take(two, false),
        dispatch(&mut round, &letter, &manner, &way, &world)
    );
    assert_eq!(first, ["<ann@[127.0.0.1]>"]);
    assert_eq!(second, ["<bob@[127.0.0.2]>", "<cid@[127.0.0.2]>"]);
    assert_eq!(round.outcome, Outcome::Partly);
    assert!(round.is_uncertain(), "{round:?}");
    assert!(!round.is_refused());
    let causes: Vec<_> = round.recipients.iter().map(|r| r.cause).collect();
    assert_eq!(
        causes,
        [Cause::ConnectionFailed, Cause::Delivered, Cause::Delivered]
    );
}

#[test]
fn the_last_word_on_each_recipient_counts() {
    let reply = |code| Reply {
        code,
        lines: vec!["x".to_owned()],
        flaws: Vec::new(),
    };
    let handed = |all: &[(&str, u16)]| {
        let mut handed = Handed::nowhere(&letter(&[]));
        handed.fates = all
            .iter()
            .map(|(to, code)| Fate {
                address: (*to).to_owned(),
                stage: Stage::Rcpt,
                reply: Some(reply(*code)),
                broke: None,
                uncertain: false,
            })
            .collect();
        handed
    };
    let mut round = Round::default();
    round.note("deferred", "later");
    let done = vec![
        handed(&[("bob", 250), ("ann", 451), ("cid", 451)]),
        handed(&[("ann", 451), ("cid", 550)]),
        handed(&[("ann", 250)]),
    ];
    conclude(&mut round, done, Instant::now());
    let codes: Vec<_> = round
        .recipients
        .iter()
        .map(|one| (one.address.as_deref().unwrap(), one.reply_code.unwrap()))
        .collect();
    assert_eq!(codes, [("bob", 250), ("cid", 550), ("ann", 250)]);
    assert_eq!(round.outcome, Outcome::Partly);
    assert_eq!(round.attempts.len(), 3);
    assert_eq!(round.notes.last().unwrap().code, "retried");
}
