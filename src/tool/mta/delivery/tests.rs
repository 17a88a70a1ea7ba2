//! Queue, delivery and notices together, against played servers on loopback.

use std::fs;
use std::time::{Duration, SystemTime};

use super::*;
use crate::dns::world::World;
use crate::mta::envelope::{Body, Notify};
use crate::mta::notify::Style;
use crate::mta::retry::Clock;
use crate::smtp::played::{Act, Played};

use super::office::{Office, TEXT, full, good, heard_out, to};

#[tokio::test]
async fn a_mail_for_here_lies_in_the_mailbox_with_its_trace() {
    let office = Office::open(None, World::new(), |_| {});
    office
        .put(to(&["bob@home.test", "carol@home.test"]), TEXT)
        .await;
    office.done().await;
    let expected = "Return-Path: <alice@home.test>\nDelivered-To: bob@home.test\nFrom: alice@home.test\nSubject: s\nMessage-ID: <m@home.test>\n\n.dot\nbody\n";
    assert_eq!(office.mails("bob"), [expected]);
    assert_eq!(office.mails("carol").len(), 1);
    let dir = office.close().await;
    assert_eq!(
        fs::read_dir(dir.path().join("boxes/bob/tmp"))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn an_unknown_user_and_a_full_mailbox_come_back_as_such() {
    let office = Office::open(None, World::new(), |settings| {
        settings.mailboxes.add("alice").unwrap();
        settings.mailboxes.add("bob:quota=100").unwrap();
    });
    office
        .put(to(&["nobody@home.test", "bob@home.test"]), TEXT)
        .await;
    office.done().await;
    let notices = office.notices();
    assert_eq!(notices.len(), 1);
    let told: Vec<_> = notices[0]
        .recipients
        .iter()
        .map(|r| {
            (
                r.address.clone().unwrap(),
                r.cause.id(),
                r.status.unwrap().to_string(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                "nobody@home.test".to_string(),
                "user-unknown",
                "5.1.1".to_string()
            ),
            (
                "bob@home.test".to_string(),
                "over-quota",
                "5.2.2".to_string()
            ),
        ]
    );
    office.close().await;
}

#[tokio::test]
async fn a_server_gets_each_dot_and_line_end_right_and_one_connection_serves_many() {
    let stage = good().start().await.unwrap();
    let office = Office::open(Some(&stage), World::new(), |s| s.connections = 1);
    for n in 0..3 {
        let text = format!("Subject: {n}\r\n\r\n.x\r\n");
        office
            .put(to(&["a@far.test", "b@far.test"]), text.as_bytes())
            .await;
    }
    office.done().await;
    office.close().await;
    let transaction = "MAIL RCPT RCPT DATA .";
    assert_eq!(
        heard_out(&stage).await,
        format!("*connect* EHLO {transaction} {transaction} {transaction} QUIT")
    );
    assert!(
        stage.heard().contains(&"..x".to_string()),
        "{:?}",
        stage.heard()
    );
    assert!(
        stage
            .heard()
            .iter()
            .any(|l| l.starts_with("MAIL FROM:<alice@home.test> SIZE="))
    );
}

#[tokio::test]
async fn a_refused_recipient_comes_back_with_the_words_of_the_other_side() {
    for style in Style::ALL {
        let stage = full("550 5.1.1 <x@far.test>: no such user here")
            .start()
            .await
            .unwrap();
        let office = Office::open(Some(&stage), World::new(), |s| s.style = style);
        office.put(to(&["x@far.test"]), TEXT).await;
        office.done().await;
        let notices = office.notices();
        assert_eq!(notices.len(), 1, "{style:?}");
        let one = &notices[0].recipients[0];
        let told = (
            one.address.as_deref(),
            one.cause.id(),
            one.status.map(|s| s.to_string()),
            one.reply_code,
        );
        assert_eq!(
            told,
            (
                Some("x@far.test"),
                "user-unknown",
                Some("5.1.1".into()),
                Some(550)
            ),
            "{style:?} {}",
            office.mails("alice")[0]
        );
        assert_eq!(
            notices[0].original.message_id.as_deref(),
            Some("<m@home.test>"),
            "{style:?}"
        );
        if style != Style::Own {
            assert_eq!(
                notices[0].dialect,
                Some(style.word()),
                "{}",
                office.mails("alice")[0]
            );
        }
        office.close().await;
    }
}

#[tokio::test]
async fn good_refused_and_put_off_recipients_go_their_own_ways() {
    let stage = good()
        .says("RCPT TO:<bad", "550 5.1.1 unknown")
        .on(
            "RCPT TO:<later",
            &[
                Act::Say("451 4.7.1 greylisted".into()),
                Act::Say("250 ok".into()),
            ],
        )
        .start()
        .await
        .unwrap();
    let office = Office::open(Some(&stage), World::new(), |_| {});
    office
        .put(
            to(&["bad@far.test", "good@far.test", "later@far.test"]),
            TEXT,
        )
        .await;
    office.done().await;
    let heard = stage.heard();
    let count = |start: &str| heard.iter().filter(|l| l.starts_with(start)).count();
    assert_eq!(
        (
            count("RCPT TO:<bad"),
            count("RCPT TO:<good"),
            count("RCPT TO:<later")
        ),
        (1, 1, 2)
    );
    assert_eq!(office.notices().len(), 1);
    assert_eq!(office.notices()[0].recipients.len(), 1);
    office.close().await;
}

#[tokio::test]
async fn five_days_of_silence_bring_one_warning_and_one_failure() {
    let stage = full("451 4.3.0 not today").start().await.unwrap();
    let office = Office::open(Some(&stage), World::new(), |_| {});
    office.put(to(&["x@far.test"]), TEXT).await;
    office.done().await;
    let notices = office.notices();
    let kinds: Vec<_> = notices.iter().map(|n| n.report.id()).collect();
    assert_eq!(kinds, ["delayed", "failed"]);
    let failed = &notices[1].recipients[0];
    assert!(failed.expired);
    assert_eq!(
        (failed.cause.id(), failed.diagnostic.as_deref()),
        ("server-temporary-failure", Some("451 4.3.0 not today"))
    );
    assert!(notices[0].recipients[0].retry_until.is_some());
    let tries = stage
        .heard()
        .iter()
        .filter(|l| l.starts_with("RCPT"))
        .count();
    assert!((25..45).contains(&tries), "{tries}");
    office.close().await;
}

#[tokio::test]
async fn a_server_that_says_452_gets_the_rest_in_the_next_transaction() {
    let rcpt = [
        Act::Say("250 ok".into()),
        Act::Say("250 ok".into()),
        Act::Say("452 4.5.3 too many".into()),
        Act::Say("250 ok".into()),
    ];
    let stage = good().on("RCPT", &rcpt).start().await.unwrap();
    let office = Office::open(Some(&stage), World::new(), |_| {});
    office
        .put(to(&["a@far.test", "b@far.test", "c@far.test"]), TEXT)
        .await;
    office.done().await;
    office.close().await;
    assert_eq!(
        heard_out(&stage).await,
        "*connect* EHLO MAIL RCPT RCPT RCPT DATA . MAIL RCPT DATA . QUIT"
    );
}

#[tokio::test]
async fn only_what_is_offered_is_used() {
    let old = Played::greeting(Act::Say("220 old".into()))
        .says("EHLO", "502 what?")
        .says("HELO", "250 old")
        .says("DATA", "354 go")
        .says(".", "250 taken");
    let stage = old.start().await.unwrap();
    let office = Office::open(Some(&stage), World::new(), |_| {});
    let mut mail = to(&["x@far.test"]);
    mail.recipients[0].notify = Some(Notify {
        success: true,
        failure: true,
        delay: false,
    });
    mail.envid = Some("id".into());
    office.put(mail, TEXT).await;
    office.done().await;
    let heard = stage.heard();
    assert!(
        heard.contains(&"MAIL FROM:<alice@home.test>".to_string()),
        "{heard:?}"
    );
    assert!(
        heard.contains(&"RCPT TO:<x@far.test>".to_string()),
        "{heard:?}"
    );
    // NOTIFY=SUCCESS to a server that knows nothing of it: we say that it was relayed.
    let notices = office.notices();
    assert_eq!(notices[0].report.id(), "relayed");
    assert_eq!(notices[0].recipients[0].action.unwrap().id(), "relayed");
    office.close().await;
}

#[tokio::test]
async fn what_a_server_cannot_take_comes_back_with_the_right_status() {
    for (announced, text, utf8, status) in [
        (
            &["PIPELINING"][..],
            "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nJ\u{fc}rgen\r\n--b--\r\n",
            false,
            "5.6.3",
        ),
        (
            &["8BITMIME"],
            "Subject: J\u{fc}rgen\r\n\r\nx\r\n",
            true,
            "5.6.7",
        ),
        (
            &["SIZE 10"],
            "Subject: s\r\n\r\nlonger than ten\r\n",
            false,
            "5.3.4",
        ),
    ] {
        let stage = Played::announcing(announced).start().await.unwrap();
        let office = Office::open(Some(&stage), World::new(), |_| {});
        let mut mail = to(&["x@far.test"]);
        mail.smtputf8 = utf8;
        mail.body = Body::EightBit;
        office.put(mail, text.as_bytes()).await;
        office.done().await;
        let one = office.notices()[0].recipients[0].clone();
        assert_eq!(one.status.unwrap().to_string(), status);
        office.close().await;
    }
}

#[tokio::test]
async fn delivery_wishes_travel_to_servers_that_know_them() {
    let stage = Played::announcing(&["DSN", "PIPELINING"])
        .says("DATA", "354 go")
        .says(".", "250 taken")
        .start()
        .await
        .unwrap();
    let office = Office::open(Some(&stage), World::new(), |_| {});
    let mut mail = to(&["x@far.test"]);
    mail.recipients[0].notify = Some(Notify {
        success: true,
        failure: false,
        delay: true,
    });
    mail.recipients[0].orcpt = Some(("rfc822".into(), "y+z@old.test".into()));
    mail.envid = Some("e=1".into());
    mail.ret = Some(crate::mta::envelope::Ret::Headers);
    office.put(mail, TEXT).await;
    office.done().await;
    let heard = stage.heard();
    assert!(
        heard.contains(&"MAIL FROM:<alice@home.test> RET=HDRS ENVID=e+3D1".to_string()),
        "{heard:?}"
    );
    assert!(
        heard.contains(
            &"RCPT TO:<x@far.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;y+2Bz@old.test".to_string()
        ),
        "{heard:?}"
    );
    // That server tells; we do not.
    assert_eq!(office.notices().len(), 0);
    office.close().await;
}

#[tokio::test]
async fn the_next_server_is_tried_when_one_is_not_there() {
    let stage = good().start().await.unwrap();
    let port = stage.at.port();
    let script = "
        [[answer]]
        name = 'far.test'
        mx = ['10 dead.test', '20 live.test']
        [[answer]]
        name = 'dead.test'
        a = ['127.0.0.77']
        [[answer]]
        name = 'live.test'
        a = ['127.0.0.1']
    ";
    let office = Office::open(None, World::from_toml(script).unwrap(), |s| s.port = port);
    office.put(to(&["x@far.test"]), TEXT).await;
    office.done().await;
    office.close().await;
    assert!(heard_out(&stage).await.contains("DATA . QUIT"));
}

#[tokio::test]
async fn each_trouble_of_the_dns_comes_back_as_what_it_is() {
    let script = "
        [[answer]]
        name = 'null.test'
        mx = ['0 .']
        [[answer]]
        name = 'self.test'
        mx = ['10 mx.home.test']
        [[answer]]
        name = 'sick.test'
        failure = 'servfail'
        [[answer]]
        name = 'outside.test'
        a = ['192.0.2.1']
    ";
    for (domain, status, cause) in [
        ("null.test", "5.1.10", "no-mail-service"),
        ("none.test", "5.1.2", "domain-unknown"),
        ("self.test", "5.4.6", "mail-loop"),
        ("sick.test", "4.4.7", "dns-failure"),
        ("outside.test", "5.7.1", ""),
    ] {
        let office = Office::open(None, World::from_toml(script).unwrap(), |s| {
            s.schedule.warn_after = None;
        });
        office.put(to(&[&format!("x@{domain}")]), TEXT).await;
        office.done().await;
        let one = office.notices()[0].recipients[0].clone();
        assert_eq!(one.status.unwrap().to_string(), status, "{domain}");
        if !cause.is_empty() {
            assert_eq!(one.cause.id(), cause, "{domain}");
        }
        office.close().await;
    }
}

#[tokio::test]
async fn a_reply_that_gets_lost_is_asked_for_again() {
    let stage = good()
        .on(".", &[Act::Close, Act::Say("250 taken".into())])
        .start()
        .await
        .unwrap();
    let office = Office::open(Some(&stage), World::new(), |_| {});
    office.put(to(&["x@far.test"]), TEXT).await;
    office.done().await;
    let dots = stage.heard().iter().filter(|l| *l == ".").count();
    // Each connection of the play begins its list of acts anew, so this one never ends well.
    assert!(dots > 1);
    office.close().await;
}

#[tokio::test]
async fn circles_are_cut() {
    let stage = good().start().await.unwrap();
    let office = Office::open(Some(&stage), World::new(), |_| {});
    let text = format!("{}\r\nx\r\n", "Received: from a by b; date\r\n".repeat(51));
    office.put(to(&["x@far.test"]), text.as_bytes()).await;
    office.done().await;
    assert_eq!(office.notices()[0].recipients[0].cause.id(), "mail-loop");
    let text = b"Delivered-To: bob@home.test\r\n\r\nx\r\n";
    office.put(to(&["bob@home.test"]), text).await;
    office.done().await;
    assert_eq!(office.notices().len(), 2);
    assert_eq!(office.mails("bob").len(), 0);
    office.close().await;
}

#[tokio::test]
async fn a_notice_that_cannot_be_delivered_ends_there() {
    let stage = full("550 5.1.1 unknown").start().await.unwrap();
    let office = Office::open(Some(&stage), World::new(), |_| {});
    let mut mail = to(&["x@far.test"]);
    mail.sender.as_mut().unwrap().domain = Some("forged.test".into());
    office.put(mail, TEXT).await;
    office.done().await;
    let heard = stage.heard();
    assert!(
        heard.contains(&"RCPT TO:<alice@forged.test>".to_string()),
        "{heard:?}"
    );
    assert!(heard.iter().any(|l| l.starts_with("MAIL FROM:<>")));
    assert_eq!(heard.iter().filter(|l| l.starts_with("RCPT")).count(), 2);
    office.close().await;
}

#[tokio::test]
async fn lmtp_gives_each_recipient_a_reply_of_its_own() {
    let stage = Played::announcing(&["PIPELINING"])
        .says("LHLO", "250-lmtp\r\n250 PIPELINING")
        .says("DATA", "354 go")
        .says(".", "250 2.1.5 in\r\n552 5.2.2 box is full")
        .start()
        .await
        .unwrap();
    let route = format!("*=lmtp:{}", stage.at);
    let office = Office::open(None, World::new(), |s| {
        s.routes.push(Relay::parse_route(&route).unwrap());
    });
    office.put(to(&["a@far.test", "b@far.test"]), TEXT).await;
    office.done().await;
    let notices = office.notices();
    assert_eq!(notices[0].recipients.len(), 1);
    assert_eq!(
        notices[0].recipients[0].address.as_deref(),
        Some("b@far.test")
    );
    assert_eq!(notices[0].recipients[0].cause.id(), "over-quota");
    office.close().await;
}

#[tokio::test]
async fn what_was_put_off_is_taken_up_after_a_restart() {
    let stage = full("451 4.3.0 later").start().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let office = Office::within(dir, Clock::default(), Some(&stage), World::new(), |_| {});
    let mut mail = to(&["x@far.test", "bob@home.test"]);
    mail.received = SystemTime::now();
    office.put(mail, TEXT).await;
    for _ in 0..500 {
        if office.queue.all().iter().any(|e| e.tries == 1 && !e.busy) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let dir = office.close().await;
    let good = good().start().await.unwrap();
    let clock = Clock::starting(SystemTime::now());
    let office = Office::within(dir, clock, Some(&good), World::new(), |_| {});
    office.done().await;
    // Bob has his copy from before, and no second one.
    assert_eq!(office.mails("bob").len(), 1);
    assert_eq!(
        good.heard()
            .iter()
            .filter(|l| l.starts_with("RCPT"))
            .count(),
        1
    );
    office.close().await;
}

#[tokio::test]
async fn who_waits_behind_a_server_that_is_not_there_does_not_wait_for_each_time_out() {
    let stage = Played::greeting(Act::Silence).start().await.unwrap();
    let office = Office::open(Some(&stage), World::new(), |s| {
        s.connections = 1;
        s.deadlines.banner = Duration::from_millis(100);
        s.schedule.warn_after = None;
        s.schedule.expire_after = Duration::ZERO;
    });
    for _ in 0..20 {
        office.put(to(&["x@far.test"]), TEXT).await;
    }
    office.done().await;
    assert_eq!(office.notices().len(), 20);
    let connects = stage.heard().len();
    assert!(connects < 10, "{connects}");
    office.close().await;
}
