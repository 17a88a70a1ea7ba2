use super::*;
use crate::dns::Kind;
use crate::dns::world::{Entry, World};
use std::time::Duration;

/// RFC 8463 appendix A: one message with a signature of each kind.
const RFC_8463: &str = include_str!("../../../testdata/signed/rfc8463.eml");
/// Signed and sealed twice by dkimpy, an implementation that knows nothing of ours.
const SEALED: &str = include_str!("../../../testdata/signed/sealed.eml");
const KEYS: &str = include_str!("../../../testdata/signed/keys.toml");

fn world() -> World {
    World::from_toml(KEYS).unwrap()
}

fn asker(world: &World) -> Asker<'_, World> {
    Asker::new(world, Duration::from_secs(1))
}

async fn results(mail: &str) -> Vec<&'static str> {
    let world = world();
    let checks = verify(asker(&world), &Mail::read(mail.as_bytes())).await;
    checks.iter().map(Check::result).collect()
}

async fn fault(mail: &str) -> Option<Fault> {
    let world = world();
    let checks = verify(asker(&world), &Mail::read(mail.as_bytes())).await;
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
    let checks = verify(asker(&world), &Mail::read(mail.as_bytes())).await;
    assert_eq!(checks.len(), MOST_SIGNATURES);
    let asked = world.asked();
    assert!(asked.len() <= MOST_SIGNATURES);
    assert!(asked.iter().all(|q| q.kind == Kind::Txt));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_parted_and_hashed_without_panic(bytes in proptest::collection::vec(0u8.., 0..300)) {
        let mail = Mail::read(&bytes);
        let _ = mail.body_hash(Manner::Relaxed, Some(7));
        let mut out = Vec::new();
        for field in &mail.fields {
            put_field(field, Manner::Relaxed, &mut out);
            put_field(field, Manner::Simple, &mut out);
            let _ = Signed::read(&field.text()).check_identity();
        }
    }
}
