use super::*;
use crate::dns::Kind;
use crate::dns::world::{Entry, World};
use std::time::Duration;

/// RFC 8463 appendix A: one message with a signature of each kind.
const RFC_8463: &str = include_str!("../../../../testdata/signed/rfc8463.eml");
/// Signed and sealed twice by dkimpy, an implementation that knows nothing of ours.
const SEALED: &str = include_str!("../../../../testdata/signed/sealed.eml");
const KEYS: &str = include_str!("../../../../testdata/signed/keys.toml");

fn world() -> World {
    World::from_toml(KEYS).unwrap()
}

fn asker(world: &World) -> Asker<'_, World> {
    Asker::new(world, Duration::from_secs(1))
}

/// When the messages came in, where that does not matter.
fn then() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap()
}

/// One who signs for `x.test`, and the body that [`signed`] has.
pub(crate) fn signer() -> (sign::Signer, &'static str) {
    const KEY: &str = include_str!("../../../../testdata/signed/signing-ed25519.pem");
    let signer = sign::Signer::from_pem(KEY, "x.test", "s1").unwrap();
    (signer, "text of the message\r\n")
}

/// A message signed on the 14th of November 2023 with further tags.
pub(crate) fn signed(tags: &str, limit: Option<u64>) -> String {
    let (signer, body) = signer();
    let mail = format!("From: <a@x.test>\r\nSubject: one\r\n\r\n{body}");
    let field = signer.sign_with(mail.as_bytes(), then(), tags, limit);
    field.unwrap() + &mail
}

/// What is found of it with a key record that has further tags.
async fn check_of(mail: &str, key_tags: &str, arrived: DateTime<Utc>) -> Check {
    let (name, text) = signer().0.record();
    let world = World::new().text(&name, format!("{text}; {key_tags}").as_bytes());
    let checks = verify(asker(&world), &Mail::read(mail.as_bytes()), arrived).await;
    checks.into_iter().next().unwrap()
}

#[tokio::test]
async fn what_has_expired_when_it_arrives_does_not_hold() {
    let end = then().timestamp() + 3600;
    let mail = signed(&format!("x={end}; "), None);
    let at = |seconds| DateTime::from_timestamp(end + seconds, 0).unwrap();
    assert_eq!(check_of(&mail, "", at(0)).await.fault, None);
    let late = check_of(&mail, "", at(1)).await;
    assert_eq!(
        (late.fault, late.result()),
        (Some(Fault::Expired(at(0))), "fail")
    );
    // That it was changed says more.
    let changed = mail.replace("text of", "lies of");
    assert_eq!(check_of(&changed, "", at(1)).await.fault, Some(Fault::Body));
    let never = signed(&format!("x={}; ", "9".repeat(30)), None);
    assert_eq!(check_of(&never, "", at(1)).await.fault, None);
}

#[tokio::test]
async fn a_length_says_what_is_not_covered() {
    let body = signer().1;
    let check = async |tags: &str, limit, more: &str| {
        check_of(&(signed(tags, limit) + more), "", then()).await
    };
    let part = check("l=4; ", Some(4), "").await;
    assert_eq!((part.fault, part.uncovered), (None, body.len() as u64 - 4));
    let whole = format!("l={}; ", body.len());
    let exact = check(&whole, Some(body.len() as u64), "").await;
    assert_eq!((exact.fault, exact.uncovered), (None, 0));
    let added = check(&whole, Some(body.len() as u64), "buy!\r\n").await;
    assert_eq!((added.fault, added.uncovered), (None, 6));
    let over = check("l=4000; ", Some(4000), "").await;
    assert!(matches!(over.fault, Some(Fault::Malformed(why)) if why.contains("l=")));
}

#[tokio::test]
async fn tags_that_contradict_or_repeat_each_other_make_it_worthless() {
    for (tags, word) in [
        ("x=1700000000; ", "x= is not behind t="),
        ("x=tomorrow; ", "time in it"),
        ("x=; ", "time in it"),
        ("l=+3; ", "l="),
        ("l=-1; ", "l="),
        ("d=y.test; ", "twice"),
    ] {
        let check = check_of(&signed(tags, None), "", then()).await;
        let why = check
            .fault
            .map(|fault| fault.to_string())
            .unwrap_or_default();
        assert!(why.contains(word), "{tags}: {why}");
        assert_eq!(check.result(), "permerror", "{tags}");
    }
}

#[tokio::test]
async fn a_strict_key_is_for_its_domain_only() {
    for (identity, strict) in [
        ("i=@sub.x.test; ", true),
        ("i=a@X.test; ", false),
        ("", false),
    ] {
        let mail = signed(identity, None);
        assert_eq!(check_of(&mail, "", then()).await.fault, None, "{identity}");
        let found = check_of(&mail, "t=s", then()).await.fault;
        assert_eq!(
            matches!(found, Some(Fault::BadKey(_))),
            strict,
            "{identity}"
        );
    }
}

async fn results(mail: &str) -> Vec<&'static str> {
    let world = world();
    let checks = verify(asker(&world), &Mail::read(mail.as_bytes()), then()).await;
    checks.iter().map(Check::result).collect()
}

async fn fault(mail: &str) -> Option<Fault> {
    let world = world();
    let checks = verify(asker(&world), &Mail::read(mail.as_bytes()), then()).await;
    checks.first().unwrap().fault
}

async fn chain(mail: &str) -> Chain {
    let world = world();
    verify_chain(asker(&world), &Mail::read(mail.as_bytes()))
        .await
        .unwrap()
}

#[tokio::test]
async fn the_example_of_rfc_8463_holds_with_both_keys_and_either_line_end() {
    for mail in [RFC_8463.to_owned(), RFC_8463.replace('\n', "\r\n")] {
        assert_eq!(results(&mail).await, ["pass", "pass"]);
    }
}

#[tokio::test]
async fn signatures_of_another_implementation_hold() {
    assert_eq!(results(SEALED).await, ["pass", "pass"]);
}

#[tokio::test]
async fn a_change_is_told_by_its_place() {
    let body = RFC_8463.replace("hungry yet", "hungry now");
    assert_eq!(fault(&body).await, Some(Fault::Body));
    let head = RFC_8463.replace("Is dinner ready", "Is dinner cold");
    assert_eq!(fault(&head).await, Some(Fault::Head));
    let both = body.replace("Is dinner ready", "Is dinner cold");
    assert_eq!(fault(&both).await, Some(Fault::Both));
    // A second Subject put on top: the signature names it once more than it was there.
    let added = RFC_8463.replace("Subject: Is", "Subject: Win\nSubject: Is");
    assert_eq!(fault(&added).await, Some(Fault::Head));
    // Blanks and folding do not count, relaxed.
    let blanks = RFC_8463.replace("Subject: Is dinner", "Subject:  Is\n  dinner");
    assert_eq!(fault(&blanks).await, None);
}

#[tokio::test]
async fn what_lacks_or_does_not_fit_is_said() {
    let with = |a: &str, b: &str| RFC_8463.replace(a, b);
    for (mail, wanted) in [
        (with("s=brisbane", "s=perth"), Fault::NoKey),
        (with("s=brisbane", "s=gone"), Fault::Withdrawn),
        (
            with("s=brisbane", "s=silent"),
            Fault::Dns(Failure::ServFail),
        ),
        (with("a=ed25519-sha256", "a=rsa-sha1"), Fault::Sha1),
        (
            with("v=1; a=ed", "v=2; a=ed"),
            Fault::Malformed("the version is not v=1"),
        ),
        (
            with("i=@football.example.com", "i=@example.org"),
            Fault::Malformed("it speaks for somebody outside its domain (i= is not below d=)"),
        ),
        (
            with("a=ed25519-sha256", "a=rsa-sha256"),
            Fault::BadKey("the key is of another kind than the signature"),
        ),
    ] {
        assert_eq!(fault(&mail).await, Some(wanted), "{wanted:?}");
    }
}

#[tokio::test]
async fn a_chain_of_two_seals_holds_until_something_is_changed() {
    let whole = chain(SEALED).await;
    assert_eq!((whole.sets, whole.fault), (2, None));
    assert_eq!(whole.sealer.as_deref(), Some("forwarder.example"));
    for (from, to, wanted) in [
        (
            "the footer of the list",
            "the footer of a thief",
            (2, Fault::Body),
        ),
        (
            "ARC-Authentication-Results: i=1; lists.example; spf=pass",
            "ARC-Authentication-Results: i=1; lists.example; spf=none",
            (2, Fault::Head),
        ),
        ("Subject: a sealed", "Subject: a stolen", (2, Fault::Head)),
    ] {
        let mail = SEALED.replace(from, to);
        assert_ne!(mail, SEALED, "{from}");
        assert_eq!(chain(&mail).await.fault, Some(wanted), "{from}");
    }
    let cut = SEALED.replacen("ARC-Seal: i=1", "X-Seal: i=1", 1);
    assert!(chain(&cut).await.fault.is_some());
    let none = verify_chain(asker(&world()), &Mail::read(b"From: a@b\n\nx")).await;
    assert_eq!(none, None);
}

#[tokio::test]
async fn no_more_than_ten_signatures_cost_a_question() {
    let signature = "DKIM-Signature: v=1; a=rsa-sha256; d=x.test; s=s; h=from; bh=AAAA; b=AAAA\n";
    let mail = format!("{}From: a@x.test\n\nbody\n", signature.repeat(100));
    let world = World::new().zone("x.test", Entry::failing(Failure::ServFail));
    let checks = verify(asker(&world), &Mail::read(mail.as_bytes()), then()).await;
    assert_eq!(checks.len(), MOST_SIGNATURES);
    let asked = world.asked();
    assert!(asked.len() <= MOST_SIGNATURES);
    assert!(asked.iter().all(|q| q.kind == Kind::Txt));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_parted_and_hashed_without_panic(bytes in proptest::collection::vec(0u8.., 0..300)) {
        let mail = Mail::read(&bytes);
        let _ = mail.body(Manner::Relaxed, Some(7));
        let mut out = Vec::new();
        for field in &mail.fields {
            put_field(field, Manner::Relaxed, &mut out);
            put_field(field, Manner::Simple, &mut out);
            let _ = Signed::read(&field.text()).check_identity();
        }
    }
}
