//! Deliveries to servers that do what no server should, and to those that can do little.

use std::time::Duration;

use super::office::{Office, TEXT, full, heard_out, to, verbs};
use super::*;
use crate::bounce::explanation::Explanation;
use crate::dns::world::World;
use crate::mta::envelope::Body;
use crate::smtp::played::{Act, Played, Stage};

fn say(reply: &str) -> Act {
    Act::Say(reply.to_string())
}

/// A server without PIPELINING, so that each reply belongs to its command.
fn plain() -> Played {
    Played::announcing(&["8BITMIME"])
        .says("DATA", "354 go")
        .says(".", "250 2.0.0 taken")
}

/// Gives one mail to the stage, with a few days in which to try, and gives what the server heard
/// and what each recipient's failure was.
async fn deliver(stage: &Stage, addresses: &[&str]) -> (String, Vec<String>) {
    let office = Office::open(Some(stage), World::new(), |settings| {
        settings.schedule.warn_after = None;
        settings.schedule.waits = vec![Duration::from_secs(3600)];
        settings.schedule.expire_after = Duration::from_secs(3600);
        settings.deadlines.banner = Duration::from_millis(500);
        settings.deadlines.data = Duration::from_millis(500);
        settings.deadlines.rcpt = Duration::from_millis(500);
    });
    office.put(to(addresses), TEXT).await;
    office.done().await;
    // The fields for programs, as they are written.
    let mails = office.mails("alice").join("\n").replace("\n    ", " ");
    let field = |line: &str, name: &str| line.strip_prefix(name).map(str::to_string);
    let mut told: Vec<String> = Vec::new();
    for line in mails.lines() {
        told.extend(field(line, "Status: "));
        if let (Some(code), Some(last)) = (field(line, "Diagnostic-Code: "), told.last_mut()) {
            last.push(' ');
            last.push_str(&code);
        }
    }
    office.close().await;
    // Only what went well ends with a farewell for certain.
    let heard = match told.is_empty() {
        true => heard_out(stage).await,
        false => verbs(stage),
    };
    (heard, told)
}

/// The recipients that alice's notices speak of, a list for each notice.
fn told(office: &Office) -> Vec<Vec<String>> {
    let one = |notice: Explanation| notice.recipients.into_iter().filter_map(|r| r.address);
    let mut all: Vec<Vec<String>> = office
        .notices()
        .into_iter()
        .map(|n| one(n).collect())
        .collect();
    all.sort();
    all
}

async fn until(what: impl Fn() -> bool) {
    for _ in 0..1000 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came");
}

#[tokio::test]
async fn a_server_that_hangs_does_not_hold_back_the_news_of_others() {
    let silent = Played::greeting(Act::Silence).start().await.unwrap();
    let office = Office::open(None, World::new(), |settings| {
        settings.mailboxes.add("alice").unwrap();
        settings.gather = Duration::from_millis(50);
        settings.deadlines.banner = Duration::from_secs(3600);
        let route = format!("hung.test={}", silent.at);
        settings.routes.push(Relay::parse_route(&route).unwrap());
    });
    let mail = to(&["nobody@home.test", "x@hung.test", "nemo@home.test"]);
    office.put(mail, TEXT).await;
    until(|| told(&office).len() == 1).await;
    assert_eq!(told(&office), [["nobody@home.test", "nemo@home.test"]]);
    // It is noted as told: after a start in the middle of the attempt nobody is told again.
    let entry = office
        .queue
        .all()
        .into_iter()
        .find(|e| e.envelope.sender.is_some());
    let states: Vec<_> = entry.unwrap().fates.iter().map(|f| f.told).collect();
    assert_eq!(states, [true, false, true]);
    office.close().await;
}

#[tokio::test]
async fn who_is_refused_is_told_of_though_the_text_for_the_others_hangs() {
    let stage = plain()
        .on("RCPT TO:<bad", &[say("550 5.1.1 no such user")])
        .on("DATA", &[Act::Silence])
        .start()
        .await
        .unwrap();
    let office = Office::open(Some(&stage), World::new(), |settings| {
        settings.gather = Duration::from_millis(50);
        settings.deadlines.data = Duration::from_millis(1500);
        settings.schedule.waits = vec![Duration::from_secs(3600)];
        settings.schedule.expire_after = Duration::from_secs(1800);
        settings.schedule.warn_after = None;
    });
    office
        .put(to(&["good@far.test", "bad@far.test"]), TEXT)
        .await;
    until(|| told(&office).len() == 1).await;
    assert!(!office.queue.is_empty());
    office.done().await;
    // Each is told of once, whatever came of the other.
    assert_eq!(told(&office), [["bad@far.test"], ["good@far.test"]]);
    office.close().await;
}

#[tokio::test]
async fn what_comes_back_within_a_moment_is_told_in_one_notice() {
    let stage = full("550 5.1.1 no such user").start().await.unwrap();
    let office = Office::open(Some(&stage), World::new(), |settings| {
        settings.mailboxes.add("alice").unwrap();
    });
    office
        .put(to(&["nobody@home.test", "x@far.test"]), TEXT)
        .await;
    office.done().await;
    assert_eq!(told(&office), [["nobody@home.test", "x@far.test"]]);
    office.close().await;
}

#[tokio::test]
async fn what_is_refused_for_good_at_any_step_comes_back_at_once() {
    for (step, reply) in [
        ("MAIL", "550 5.7.1 not you"),
        ("RCPT", "550 5.1.1 no such user"),
        ("DATA", "554 5.7.1 no"),
        (".", "554 5.6.0 not this"),
    ] {
        let stage = plain().says(step, reply).start().await.unwrap();
        let (heard, told) = deliver(&stage, &["x@far.test"]).await;
        assert_eq!(heard.matches("*connect*").count(), 1, "{step}: {heard}");
        let expected = reply.get(4..9).unwrap();
        assert_eq!(told.len(), 1, "{step}");
        assert!(told[0].starts_with(expected), "{step}: {told:?}");
    }
}

#[tokio::test]
async fn what_passes_is_tried_again_whatever_step_it_struck() {
    let mut all = tokio::task::JoinSet::new();
    for (step, act) in [
        ("MAIL", say("421 4.3.2 going down")),
        ("RCPT", say("421 4.3.2 going down")),
        ("RCPT", Act::Last("421 4.3.2 going down".into())),
        ("DATA", say("421 4.3.2 going down")),
        (".", say("421 4.3.2 going down")),
        ("MAIL", say("451 4.3.0 later")),
        ("DATA", say("451 4.3.0 later")),
        (".", say("451 4.3.0 later")),
        ("MAIL", Act::Close),
        ("RCPT", Act::Reset),
        ("DATA", Act::Close),
        (".", Act::Close),
        (".", Act::Silence),
        ("EHLO", say("421 4.3.2 going down")),
        ("EHLO", Act::Close),
        // Answers to other questions, and no answers at all.
        ("MAIL", say("354 go on")),
        ("RCPT", say("354 go on")),
        ("DATA", say("250 ok")),
        (".", say("354 go on")),
        ("MAIL", say("what?")),
        ("RCPT", say("9xx what")),
        ("DATA", say("")),
        ("MAIL", Act::Endless("250-x\r\n".into())),
    ] {
        let shown = format!("{step} {act:?}");
        all.spawn(async move {
            let stage = plain().on(step, &[act]).start().await.unwrap();
            (shown, deliver(&stage, &["x@far.test"]).await)
        });
    }
    while let Some(done) = all.join_next().await {
        let (shown, (heard, told)) = done.unwrap();
        let tries = heard.matches("*connect*").count();
        let tries = tries.max(heard.matches("MAIL").count());
        assert!(tries >= 2, "{shown}: {heard}");
        assert_eq!(told.len(), 1, "{shown}: {told:?}");
        assert!(told[0].starts_with("4.4.7"), "{shown}: {told:?}");
    }
}

#[tokio::test]
async fn who_says_421_is_not_spoken_to_any_more() {
    for (step, before) in [
        ("MAIL", "*connect* EHLO MAIL *connect*"),
        ("RCPT", "*connect* EHLO MAIL RCPT *connect*"),
        ("RCPT TO:<b", "*connect* EHLO MAIL RCPT RCPT *connect*"),
        ("DATA", "*connect* EHLO MAIL RCPT RCPT DATA *connect*"),
        (".", "*connect* EHLO MAIL RCPT RCPT DATA . *connect*"),
    ] {
        let stage = plain().says(step, "421 4.3.2 bye").start().await.unwrap();
        let (heard, told) = deliver(&stage, &["a@far.test", "b@far.test"]).await;
        assert!(heard.starts_with(before), "{step}: {heard}");
        assert_eq!(told.len(), 2, "{step}: {told:?}");
        assert!(
            told.iter().all(|t| t.starts_with("4.4.7 smtp; 421")),
            "{told:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_answers_twice_is_not_believed_at_the_end() {
    // What would be read as the answer to the text is that to DATA.
    let stage = plain().says("DATA", "354 go\r\n250 2.0.0 taken already");
    let stage = stage.start().await.unwrap();
    let (_, told) = deliver(&stage, &["x@far.test"]).await;
    assert!(told[0].starts_with("4.4.7"), "{told:?}");
}

#[tokio::test]
async fn a_refusal_of_many_lines_comes_back_whole() {
    let stage = plain()
        .says("RCPT", "550-5.1.1 one\r\n550-5.1.1 two\r\n550 5.1.1 three")
        .start()
        .await
        .unwrap();
    let (_, told) = deliver(&stage, &["x@far.test"]).await;
    assert_eq!(told, ["5.1.1 smtp; 550 5.1.1 one two three"]);
    let stage = plain().says("RCPT", "550").start().await.unwrap();
    let (_, told) = deliver(&stage, &["x@far.test"]).await;
    assert_eq!(told, ["5.0.0 smtp; 550"]);
}

#[tokio::test]
async fn too_many_recipients_are_sent_in_the_next_transaction_whatever_the_code() {
    for reply in ["452 4.5.3 too many", "452 too many", "552 5.5.3 too many"] {
        let rcpt = [say("250 ok"), say(reply), say("250 ok")];
        let stage = plain().on("RCPT", &rcpt).start().await.unwrap();
        let (heard, told) = deliver(&stage, &["a@far.test", "b@far.test"]).await;
        assert_eq!(
            heard, "*connect* EHLO MAIL RCPT RCPT DATA . MAIL RCPT DATA . QUIT",
            "{reply}"
        );
        assert_eq!(told, [""; 0], "{reply}");
    }
    let stage = plain().says("RCPT", "552 5.2.2 mailbox full").start();
    let (_, told) = deliver(&stage.await.unwrap(), &["a@far.test", "b@far.test"]).await;
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|t| t.starts_with("5.2.2")), "{told:?}");
}

#[tokio::test]
async fn limits_that_are_announced_are_kept() {
    let stage = Played::announcing(&["PIPELINING", "LIMITS RCPTMAX=2 MAILMAX=2"])
        .says("DATA", "354 go")
        .start()
        .await
        .unwrap();
    let all = ["a@f.test", "b@f.test", "c@f.test", "d@f.test", "e@f.test"];
    let (heard, told) = deliver(&stage, &all).await;
    assert_eq!(
        heard,
        "*connect* EHLO MAIL RCPT RCPT DATA . MAIL RCPT RCPT DATA . QUIT \
         *connect* EHLO MAIL RCPT DATA . QUIT"
    );
    assert_eq!(told, [""; 0]);
}

#[tokio::test]
async fn a_greeting_that_refuses_leads_to_the_next_server_and_is_no_word_about_the_recipient() {
    for greeting in ["554 5.7.1 go away", "421 4.7.0 busy", "what?"] {
        let stage = Played::greeting(say(greeting)).start().await.unwrap();
        let (heard, told) = deliver(&stage, &["x@far.test"]).await;
        assert!(
            heard.matches("*connect*").count() >= 2,
            "{greeting}: {heard}"
        );
        assert!(told[0].starts_with("4.4.7"), "{greeting}: {told:?}");
    }
}

const EIGHT: &str = "From: a@home.test\r\nSubject: s\r\n\r\n.J\u{fc}rgen und die anderen\r\n";

#[tokio::test]
async fn a_server_for_seven_bits_gets_seven() {
    let stage = Played::announcing(&["PIPELINING"])
        .says("DATA", "354 go")
        .start()
        .await
        .unwrap();
    let office = Office::open(Some(&stage), World::new(), |_| {});
    let mut mail = to(&["x@far.test"]);
    mail.body = Body::EightBit;
    office.put(mail, EIGHT.as_bytes()).await;
    office.done().await;
    assert_eq!(office.notices().len(), 0);
    office.close().await;
    let heard = stage.heard().join("\n");
    for line in [
        "MAIL FROM:<alice@home.test>\n",
        "Content-Transfer-Encoding: quoted-printable\n",
        "Content-Type: text/plain; charset=utf-8\n",
        "\n=2EJ=C3=BCrgen und die anderen\n.\n",
    ] {
        assert!(heard.contains(line), "{line}\n{heard}");
    }
    let stage = plain().start().await.unwrap();
    let office = Office::open(Some(&stage), World::new(), |_| {});
    office.put(to(&["x@far.test"]), EIGHT.as_bytes()).await;
    office.done().await;
    office.close().await;
    let heard = stage.heard().join("\n");
    assert!(heard.contains("MAIL FROM:<alice@home.test> BODY=8BITMIME\n"));
    assert!(heard.contains("\n..J\u{fc}rgen"), "{heard}");
}

#[tokio::test]
async fn the_size_that_counts_is_the_one_that_would_be_sent() {
    let stage = Played::announcing(&["SIZE 90"]).says("DATA", "354 go");
    let stage = stage.start().await.unwrap();
    let office = Office::open(Some(&stage), World::new(), |_| {});
    assert!(EIGHT.len() < 90);
    office.put(to(&["x@far.test"]), EIGHT.as_bytes()).await;
    office.done().await;
    let one = office.notices()[0].recipients[0].clone();
    assert_eq!(one.status.unwrap().to_string(), "5.3.4");
    office.close().await;
}

#[tokio::test]
async fn lmtp_that_breaks_off_keeps_what_was_told() {
    let stage = Played::announcing(&[])
        .says("LHLO", "250 lmtp")
        .says("DATA", "354 go")
        .on(".", &[Act::Last("250 2.1.5 in".into())])
        .start()
        .await
        .unwrap();
    let route = format!("*=lmtp:{}", stage.at);
    let office = Office::open(None, World::new(), |s| {
        s.routes.push(Relay::parse_route(&route).unwrap());
    });
    office.put(to(&["a@far.test", "b@far.test"]), TEXT).await;
    office.done().await;
    office.close().await;
    let heard = stage.heard();
    let count = |start: &str| heard.iter().filter(|l| l.starts_with(start)).count();
    // The first one has his copy; only the second is tried again.
    assert_eq!((count("RCPT TO:<a"), count("RCPT TO:<b")), (1, 2));
}

#[tokio::test]
async fn a_domain_whose_mail_server_is_ourselves_is_a_loop() {
    let greeting = "220 MX.home.test ESMTP".to_string();
    let stage = Played::greeting(Act::Say(greeting)).start().await.unwrap();
    let world = World::from_toml(
        "[[answer]]\nname = \"far.test\"\nmx = [\"10 mx.far.test\"]\n\
         [[answer]]\nname = \"mx.far.test\"\na = [\"127.0.0.1\"]\n",
    )
    .unwrap();
    let office = Office::open(None, world, |settings| settings.port = stage.at.port());
    office.put(to(&["x@far.test"]), TEXT).await;
    office.done().await;
    let notices = office.notices();
    let one = &notices[0].recipients[0];
    assert_eq!(one.cause.id(), "mail-loop");
    assert_eq!(one.status.unwrap().to_string(), "5.4.6");
    assert!(!heard_out(&stage).await.contains("MAIL"));
    office.close().await;
}

#[tokio::test]
async fn who_does_not_know_ehlo_is_greeted_the_old_way() {
    let stage = plain()
        .on("EHLO", &[say("502 5.5.1 not implemented")])
        .start()
        .await
        .unwrap();
    let (heard, told) = deliver(&stage, &["x@far.test"]).await;
    assert_eq!(heard, "*connect* EHLO HELO MAIL RCPT DATA . QUIT");
    assert!(told.is_empty(), "{told:?}");
    let stage = plain()
        .on("EHLO", &[say("502 5.5.1 not implemented")])
        .on("HELO", &[say("550 5.7.1 not you")])
        .start()
        .await
        .unwrap();
    let (heard, told) = deliver(&stage, &["x@far.test"]).await;
    assert!(!heard.contains("MAIL"), "{heard}");
    assert_eq!(told, ["4.4.7 smtp; 550 5.7.1 not you"]);
}
