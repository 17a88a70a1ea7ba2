//! Encrypted and logged-in deliveries against played servers.

use super::office::{Office, TEXT, heard_out, to};
use super::*;
use crate::dns::world::World;
use crate::smtp::played::{Act, Played, Stage};
use crate::smtp::sasl::{Credentials, Secret};

const CERTIFICATE: &[u8] = include_bytes!("../../../../testdata/tls/ec.der");
const KEY: &[u8] = include_bytes!("../../../../testdata/tls/ec.key.der");

fn offering(starttls: Act) -> Played {
    Played::announcing(&["STARTTLS", "PIPELINING"])
        .on("STARTTLS", &[starttls])
        .within_tls(
            "EHLO",
            &[Act::Say("250-x\r\n250-DSN\r\n250 AUTH PLAIN".into())],
        )
        .within_tls("AUTH", &[Act::Say("235 2.7.0 welcome".into())])
        .says("DATA", "354 go")
        .with_tls(vec![CERTIFICATE.to_vec()], KEY)
        .unwrap()
}

/// Delivers one mail and gives what the server heard, and the status of the notice.
async fn deliver(stage: &Stage, change: impl FnOnce(&mut Relay)) -> (String, Option<String>) {
    let office = Office::open(None, World::new(), |settings| {
        let mut relay = Relay::parse(&stage.at.to_string(), 25).unwrap();
        change(&mut relay);
        settings.smart_host = Some(relay);
        settings.schedule.warn_after = None;
    });
    office.put(to(&["x@far.test"]), TEXT).await;
    office.done().await;
    let status = office.notices().first().map(|notice| {
        let one = &notice.recipients[0];
        format!("{} {}", one.status.unwrap(), one.cause.id())
    });
    office.close().await;
    (heard_out(stage).await, status)
}

#[tokio::test]
async fn what_is_offered_is_encrypted_whatever_the_certificate() {
    let stage = offering(Act::Tls(false)).start().await.unwrap();
    let (heard, status) = deliver(&stage, |_| {}).await;
    assert_eq!(heard, "*connect* EHLO STARTTLS EHLO MAIL RCPT DATA . QUIT");
    assert_eq!(status, None);
}

#[tokio::test]
async fn what_fails_to_be_encrypted_goes_in_clear_unless_it_must_not() {
    let broken = || offering(Act::Garbage(b"no TLS here\r\n".to_vec()));
    let stage = broken().start().await.unwrap();
    let (heard, status) = deliver(&stage, |_| {}).await;
    assert_eq!(
        heard,
        "*connect* EHLO STARTTLS *connect* EHLO MAIL RCPT DATA . QUIT"
    );
    assert_eq!(status, None);
    // Also when the server closes in place of an answer, or says no.
    let stage = offering(Act::Close).start().await.unwrap();
    let (heard, status) = deliver(&stage, |_| {}).await;
    assert_eq!(
        heard,
        "*connect* EHLO STARTTLS *connect* EHLO MAIL RCPT DATA . QUIT"
    );
    assert_eq!(status, None);
    let no = Act::Say("454 4.7.0 not now".into());
    let stage = offering(no).start().await.unwrap();
    let (heard, status) = deliver(&stage, |_| {}).await;
    assert_eq!(heard, "*connect* EHLO STARTTLS MAIL RCPT DATA . QUIT");
    assert_eq!(status, None);
    let stage = broken().start().await.unwrap();
    let (heard, status) = deliver(&stage, |relay| relay.tls = Tls::Required).await;
    assert!(!heard.contains("MAIL"), "{heard}");
    assert_eq!(status.unwrap(), "4.4.7 tls-failed");
}

#[tokio::test]
async fn a_server_without_tls_gets_nothing_when_tls_is_required() {
    let stage = Played::announcing(&[]).start().await.unwrap();
    let (heard, status) = deliver(&stage, |relay| relay.tls = Tls::Required).await;
    assert_eq!(heard, "*connect* EHLO QUIT");
    assert_eq!(status.unwrap(), "5.7.10 tls-failed");
    let stage = offering(Act::Tls(false)).start().await.unwrap();
    let (heard, _) = deliver(&stage, |relay| relay.tls = Tls::Never).await;
    assert_eq!(heard, "*connect* EHLO MAIL RCPT DATA . QUIT");
}

fn login(relay: &mut Relay) {
    relay.login = Some(Credentials {
        user: "bob".into(),
        secret: Secret::Password("secret".into()),
    });
}

#[tokio::test]
async fn a_smart_host_is_logged_in_to_before_anything_is_given() {
    let stage = offering(Act::Tls(false)).start().await.unwrap();
    let (_, status) = deliver(&stage, login).await;
    assert_eq!(status, None);
    let heard = stage.heard();
    let auth = heard
        .iter()
        .position(|l| l.starts_with("AUTH PLAIN"))
        .unwrap();
    let mail = heard.iter().position(|l| l.starts_with("MAIL")).unwrap();
    assert!(auth < mail, "{heard:?}");
}

#[tokio::test]
async fn a_password_that_is_refused_keeps_the_mail_until_its_time_is_over() {
    let stage = offering(Act::Tls(false))
        .within_tls("AUTH", &[Act::Say("535 5.7.8 wrong password".into())])
        .start()
        .await
        .unwrap();
    let (heard, status) = deliver(&stage, login).await;
    assert!(!heard.contains("MAIL"), "{heard}");
    // Again and again for five days: the operator may mend it.
    assert!(heard.matches("*connect*").count() > 20, "{heard}");
    assert!(status.is_some());
}

#[tokio::test]
async fn a_refused_starttls_is_overcome_by_going_in_clear_unless_tls_is_required() {
    for (answer, status) in [
        ("454 4.7.0 no certificate", "4.7.0"),
        // No server should say so, and it is no TLS.
        ("250 ok", "4.4.7 tls-failed"),
    ] {
        let say = || Act::Say(answer.to_string());
        let stage = offering(say()).start().await.unwrap();
        let (heard, told) = deliver(&stage, |_| {}).await;
        assert_eq!(heard, "*connect* EHLO STARTTLS MAIL RCPT DATA . QUIT");
        assert_eq!(told, None);
        let stage = offering(say()).start().await.unwrap();
        let (heard, told) = deliver(&stage, |relay| relay.tls = Tls::Required).await;
        assert!(!heard.contains("MAIL"), "{heard}");
        let told = told.unwrap();
        assert!(told.starts_with(status), "{answer}: {told}");
    }
}

#[tokio::test]
async fn a_login_that_is_not_to_be_had_keeps_the_mail_back() {
    for offer in ["250-x\r\n250 DSN", "250-x\r\n250 AUTH GSSAPI"] {
        let stage = offering(Act::Tls(false))
            .within_tls("EHLO", &[Act::Say(offer.into())])
            .start()
            .await
            .unwrap();
        let (heard, status) = deliver(&stage, login).await;
        assert!(
            !heard.contains("MAIL") && !heard.contains("AUTH"),
            "{heard}"
        );
        assert!(status.is_some());
    }
}
