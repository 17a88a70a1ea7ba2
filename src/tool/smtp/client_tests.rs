//! Conversations with played servers.

use std::time::{Duration, Instant};

use super::command::{MailParameters, RcptParameters};
use super::foreign::Protocol;
use super::played::{Act, Played, Stage as Theatre};
use super::sasl::{Credentials, Dialogue, Mechanism, Secret};
use super::tls::Trouble;
use super::*;

const CERTIFICATE: &[u8] = include_bytes!("../../../testdata/tls/ec.der");
const KEY: &[u8] = include_bytes!("../../../testdata/tls/ec.key.der");

fn soon() -> Deadlines {
    let second = Duration::from_secs(1);
    Deadlines {
        connect: second,
        banner: second,
        short: second,
        tls: second,
        ..Deadlines::interactive()
    }
}

async fn connected(stage: &Theatre) -> Client {
    let mut client = Client::new(stage.at, soon());
    client.connect().await.unwrap();
    client
}

/// What the greeting leads to, and that it came in time.
async fn greeted(act: Act) -> Result<Reply, Failure> {
    let stage = Played::greeting(act).start().await.unwrap();
    let mut client = Client::new(stage.at, soon());
    let started = Instant::now();
    client.connect().await?;
    let outcome = client.banner().await;
    assert!(started.elapsed() < Duration::from_millis(1500));
    outcome
}

#[tokio::test]
async fn what_is_no_greeting_is_named_and_never_waited_for_in_vain() {
    let ssh = greeted(Act::Say("SSH-2.0-OpenSSH_9.2p1".to_string())).await;
    assert!(matches!(
        ssh,
        Err(Failure::Foreign {
            protocol: Protocol::Ssh,
            ..
        })
    ));
    assert!(
        ssh.unwrap_err()
            .to_string()
            .ends_with("does not speak SMTP but SSH")
    );
    let silent = greeted(Act::Silence).await.unwrap_err();
    assert!(matches!(
        silent,
        Failure::Timeout {
            stage: Stage::Banner,
            ..
        }
    ));
    assert!(
        silent
            .to_string()
            .starts_with("conversation with 127.0.0.1")
    );
    let drip = greeted(Act::Drip("220 slow".repeat(40), Duration::from_millis(100))).await;
    assert!(
        matches!(drip, Err(Failure::Timeout { received: 5.., .. })),
        "{drip:?}"
    );
    let endless = greeted(Act::Endless("220-more\r\n".to_string())).await;
    assert!(
        matches!(endless, Err(Failure::Endless { .. })),
        "{endless:?}"
    );
    let no_end = greeted(Act::Endless("220 ".repeat(1000))).await;
    assert!(matches!(no_end, Err(Failure::Endless { .. })), "{no_end:?}");
    let closed = greeted(Act::Last("220-half".to_string())).await;
    assert!(matches!(closed, Err(Failure::Closed { .. })), "{closed:?}");
    let reset = greeted(Act::Reset).await;
    assert!(matches!(reset, Err(Failure::Reset { .. })), "{reset:?}");
}

#[tokio::test]
async fn a_banner_of_forty_lines_is_one_reply() {
    let text: Vec<_> = (0..40).map(|_| "line").collect();
    let reply = greeted(Act::Say(played::lines(220, &text))).await.unwrap();
    assert_eq!((reply.code, reply.lines.len()), (220, 40));
}

#[tokio::test]
async fn nothing_listens_is_told_from_silence() {
    let at = {
        let stage = Played::announcing(&[]).start().await.unwrap();
        stage.at
    };
    tokio::time::sleep(Duration::from_millis(20)).await;
    let failure = Client::new(at, soon()).connect().await.unwrap_err();
    assert_eq!(failure, Failure::Refused { peer: at });
    assert!(failure.is_before_connection());
}

#[tokio::test]
async fn an_overlong_line_is_cut_and_the_next_reply_is_still_in_step() {
    let long = format!("250-{}\r\n250 b\r\n", "x".repeat(9000));
    let stage = Played::announcing(&[])
        .says("NOOP", &long)
        .says("RSET", &format!("250 {}", "y".repeat(9000)))
        .start()
        .await
        .unwrap();
    let mut client = connected(&stage).await;
    client.banner().await.unwrap();
    let reply = client.say(Stage::Other, &Command::Noop).await.unwrap();
    assert_eq!(reply.lines.len(), 2);
    assert_eq!(reply.flaws, [reply::Flaw::LongLine]);
    let reply = client.say(Stage::Rset, &Command::Rset).await.unwrap();
    assert_eq!(reply.flaws, [reply::Flaw::LongLine]);
    assert_eq!(client.quit().await.unwrap().code, 221);
}

#[tokio::test]
async fn several_commands_in_one_write_get_their_replies_in_order() {
    let stage = Played::announcing(&["PIPELINING"])
        .says("RCPT TO:<b@", "550 5.1.1 no")
        .start()
        .await
        .unwrap();
    let mut client = connected(&stage).await;
    client.banner().await.unwrap();
    client.ehlo("me.example.test").await.unwrap();
    assert!(client.extensions.as_ref().unwrap().has("PIPELINING"));
    let rcpt = |to| (Stage::Rcpt, Command::Rcpt(to, RcptParameters::default()));
    let (replies, failure) = client
        .pipeline(&[
            (Stage::Mail, Command::Mail("", MailParameters::default())),
            rcpt("a@x.test"),
            rcpt("b@x.test"),
            (Stage::Rset, Command::Rset),
        ])
        .await;
    assert_eq!(failure, None);
    let codes: Vec<_> = replies.iter().map(|r| r.code).collect();
    assert_eq!(codes, [250, 250, 550, 250]);
    let last = client.transcript.exchanges.last().unwrap();
    assert_eq!(last.sent.as_deref(), Some("RSET"));
}

#[tokio::test]
async fn a_message_goes_out_dotted_and_is_answered() {
    let stage = Played::announcing(&[])
        .says("DATA", "354 go")
        .on("ONE", &[Act::Say(String::new())])
        .start()
        .await
        .unwrap();
    let mut client = connected(&stage).await;
    client.banner().await.unwrap();
    client.say(Stage::Data, &Command::Data).await.unwrap();
    let replies = client.message(b".one\n", 1).await.unwrap();
    assert_eq!(replies[0].code, 250);
    assert!(stage.heard().contains(&"..one".to_string()));
}

fn secure() -> Played {
    Played::announcing(&["STARTTLS"])
        .on("STARTTLS", &[Act::Tls(false)])
        .with_tls(vec![CERTIFICATE.to_vec()], KEY)
        .unwrap()
        .within_tls("EHLO", &[Act::Say(played::lines(250, &["in", "SIZE 5"]))])
}

async fn at_starttls(script: Played) -> (Theatre, Client) {
    let stage = script.start().await.unwrap();
    let mut client = connected(&stage).await;
    client.banner().await.unwrap();
    client.ehlo("me.example.test").await.unwrap();
    (stage, client)
}

#[tokio::test]
async fn starttls_keeps_the_certificate_and_forgets_what_was_said_before() {
    let (_stage, mut client) = at_starttls(secure()).await;
    assert_eq!(client.starttls("mx.example.test").await.unwrap().code, 220);
    assert!(client.extensions.is_none() && client.is_encrypted());
    let session = client.session.clone().unwrap();
    assert_eq!((session.version, session.unproved), ("TLSv1.3", None));
    assert_eq!(session.chain, [CERTIFICATE]);
    client.ehlo("me.example.test").await.unwrap();
    assert_eq!(client.extensions.as_ref().unwrap().size(), Some(5));
    assert!(client.channel_binding().is_some());
    client.quit().await.unwrap();
}

#[tokio::test]
async fn what_follows_a_220_without_tls_is_told() {
    let garbage = secure().on("STARTTLS", &[Act::Garbage(vec![0x5a; 64])]);
    let (stage, mut client) = at_starttls(garbage).await;
    let failure = client.starttls("mx.example.test").await.unwrap_err();
    let trouble = Trouble::NotTls;
    assert_eq!(
        failure,
        Failure::Tls {
            peer: stage.at,
            trouble
        }
    );
    let closes = secure().on("STARTTLS", &[Act::Last("220 go".to_string())]);
    let (_stage, mut client) = at_starttls(closes).await;
    let failure = client.starttls("mx.example.test").await.unwrap_err();
    assert!(matches!(
        failure,
        Failure::Tls {
            trouble: Trouble::Closed,
            ..
        }
    ));
}

#[tokio::test]
async fn a_handshake_that_hangs_ends_with_its_limit() {
    let reply = Act::Drip(
        "220 go\r\n\u{16}\u{3}\u{3}".to_string(),
        Duration::from_millis(9),
    );
    let hangs = secure().on("STARTTLS", &[reply]);
    let (_stage, mut client) = at_starttls(hangs).await;
    let failure = client.starttls("mx.example.test").await.unwrap_err();
    let trouble = matches!(
        &failure,
        Failure::Tls {
            trouble: Trouble::Timeout(_),
            ..
        }
    );
    assert!(trouble, "{failure}");
}

#[tokio::test]
async fn a_certificate_message_of_a_megabyte_is_refused_at_64_kib() {
    let chain = vec![CERTIFICATE.to_vec(); 2500];
    let (stage, mut client) = at_starttls(secure().with_tls(chain, KEY).unwrap()).await;
    let failure = client.starttls("mx.example.test").await.unwrap_err();
    let trouble = Trouble::TooLarge;
    assert_eq!(
        failure,
        Failure::Tls {
            peer: stage.at,
            trouble
        }
    );
}

#[tokio::test]
async fn words_slipped_in_before_the_handshake_are_counted_and_dropped() {
    let reply = "220 go\r\n250 slipped in\r\n".to_string();
    let (_stage, mut client) = at_starttls(secure().on("STARTTLS", &[Act::Say(reply)])).await;
    client.starttls("mx.example.test").await.unwrap_err();
    assert_eq!(client.injected, 16);
}

#[tokio::test]
async fn a_server_that_keeps_what_was_sent_before_the_handshake_is_found_out() {
    let wait = Duration::from_millis(300);
    let faulty = secure().on("STARTTLS", &[Act::Tls(true)]);
    for (script, expected) in [(faulty, true), (secure(), false)] {
        let (_stage, mut client) = at_starttls(script).await;
        let (reply, injected) = client
            .starttls_with_stowaway("mx.example.test", wait)
            .await
            .unwrap();
        assert_eq!((reply.code, injected), (220, expected));
    }
}

#[tokio::test]
async fn a_login_leaves_no_secret_in_the_transcript() {
    let credentials = Credentials {
        user: "alice".to_string(),
        secret: Secret::Password("wonderland".to_string()),
    };
    let stage = Played::announcing(&["AUTH PLAIN LOGIN"])
        .on("AUTH LOGIN", &[Act::Say("334 VXNlcm5hbWU6".to_string())])
        .says("YWxpY2U=", "334 UGFzc3dvcmQ6")
        .says("d29uZGVybGFuZA==", "235 2.7.0 welcome")
        .start()
        .await
        .unwrap();
    let mut client = connected(&stage).await;
    client.banner().await.unwrap();
    let mut dialogue = Dialogue::new(Mechanism::Login, &credentials, ("h", 25), None).unwrap();
    let reply = client.authenticate(&mut dialogue).await.unwrap();
    assert_eq!(reply.code, 235);
    let said = format!("{:?}", client.transcript);
    assert!(!said.contains("d29uZGVybGFuZA") && !said.contains("YWxpY2U="));
}

#[tokio::test]
async fn a_refusal_is_read_although_the_server_closes_at_once() {
    let stage = Played::announcing(&[])
        .on("MAIL", &[Act::Last("421 4.7.0 go away".to_string())])
        .start()
        .await
        .unwrap();
    let mut client = connected(&stage).await;
    client.banner().await.unwrap();
    let command = Command::Mail("", MailParameters::default());
    assert_eq!(client.say(Stage::Mail, &command).await.unwrap().code, 421);
    let failure = client.say(Stage::Rset, &Command::Rset).await.unwrap_err();
    assert!(matches!(
        failure,
        Failure::Closed { .. } | Failure::Reset { .. }
    ));
    assert!(!client.is_open());
}
