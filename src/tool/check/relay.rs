//! Tests that look like attacks, only on request and to one's own servers: does it relay for
//! strangers, does it keep what was sent before the TLS handshake. RCPT is enough; nothing is
//! ever sent.

use std::time::Duration;

use crate::check::greeting::{Place, our_name};
use crate::check::options::Options;
use crate::posture::finding::Notes;
use crate::smtp::command::{MailParameters, RcptParameters};
use crate::smtp::{Client, Command, Failure, Stage};

/// Refusals after which a new conversation is begun, well below where servers slow down.
const REFUSALS: usize = 5;
/// Conversations that break before the test is given up.
const ENOUGH: usize = 3;
/// A name that is nobody's, for the stranger (RFC 2606).
const STRANGER: &str = "relaytest@example.com";
/// How long an answer to what should have been thrown away is waited for.
const UNASKED: Duration = Duration::from_millis(500);

/// One way to smuggle a foreign recipient in: sender, recipient, and what would be a local
/// mailbox if the server takes every one.
struct Trick {
    name: &'static str,
    from: String,
    to: String,
    /// The server may take it for a mailbox of its own.
    local_look: bool,
}

/// Tries all tricks; `domain` is one that the server is responsible for.
pub(super) async fn relays(place: &Place, domain: &str, options: &Options, notes: &mut Notes<'_>) {
    let mut taken = Vec::new();
    let mut broke = 0;
    let mut client: Option<Client> = None;
    let mut refused = 0;
    let everything = takes(
        &mut client,
        place,
        options,
        ("", &format!("qzxnobody-{}@{domain}", std::process::id())),
    )
    .await;
    for trick in tricks(place, domain, options) {
        if refused >= REFUSALS {
            hang_up(&mut client).await;
            refused = 0;
        }
        match takes(&mut client, place, options, (&trick.from, &trick.to)).await {
            Ok(true) if trick.local_look && !matches!(everything, Ok(false)) => {}
            Ok(true) => taken.push(trick.name),
            Ok(false) => refused += 1,
            Err(_) => {
                client = None;
                broke += 1;
                if broke == ENOUGH {
                    break;
                }
            }
        }
    }
    hang_up(&mut client).await;
    if taken.is_empty() && broke > 0 {
        notes.warning(
            "relay-unknown",
            "whether it relays for strangers could not be found out: the conversation broke again and again",
            "Try again later; some servers hang up on who tries.",
        );
        return;
    }
    if taken.is_empty() {
        notes.info(
            "no-relay",
            "does not relay for strangers (every way that was tried is refused)",
            "",
        );
        return;
    }
    let trusted = if place.ip.to_canonical().is_loopback() {
        "; this machine itself may be trusted by it, so try from elsewhere, too"
    } else {
        ""
    };
    notes.error(
        "open-relay",
        format!("takes mail for other domains from us: {}{trusted}", taken.join(", ")),
        "The server's admin restricts relaying at once (mynetworks, relay domains): open relays are found and listed within hours.",
    );
}

/// How relays are talked into it: what it is called, the sender, the recipient, and whether that one
/// looks like a local address. USER and FOREIGN are the parts of the stranger's address, DOMAIN and IP
/// the server's, SENDER is ours.
const TRICKS: [(&str, &str, &str, bool); 15] = [
    ("plainly", "SENDER", "USER@FOREIGN", false),
    ("with the null sender", "", "USER@FOREIGN", false),
    (
        "with a sender of its own domain",
        "USER@DOMAIN",
        "USER@FOREIGN",
        false,
    ),
    (
        "with a sender at localhost",
        "USER@localhost",
        "USER@FOREIGN",
        false,
    ),
    (
        "with a sender without domain",
        "USER",
        "USER@FOREIGN",
        false,
    ),
    (
        "with a sender at its address",
        "USER@[IP]",
        "USER@FOREIGN",
        false,
    ),
    ("with a percent sign", "SENDER", "USER%FOREIGN@DOMAIN", true),
    (
        "with a percent sign at its address",
        "SENDER",
        "USER%FOREIGN@[IP]",
        true,
    ),
    ("with a quoted address", "SENDER", "\"USER@FOREIGN\"", false),
    (
        "with a quoted address in its domain",
        "SENDER",
        "\"USER@FOREIGN\"@DOMAIN",
        true,
    ),
    ("with an exclamation mark", "SENDER", "FOREIGN!USER", false),
    (
        "with an exclamation mark in its domain",
        "SENDER",
        "FOREIGN!USER@DOMAIN",
        true,
    ),
    (
        "with a source route",
        "SENDER",
        "@DOMAIN:USER@FOREIGN",
        false,
    ),
    ("with two at signs", "SENDER", "USER@FOREIGN@DOMAIN", true),
    ("with a dot at the end", "SENDER", "USER@FOREIGN.", false),
];

fn tricks(place: &Place, domain: &str, options: &Options) -> Vec<Trick> {
    let (user, foreign) = STRANGER.split_once('@').unwrap_or((STRANGER, ""));
    let sender = match options.sender() {
        none if none.is_empty() => "relaytest@example.org".to_string(),
        sender => sender,
    };
    let ip = place.ip.to_string();
    let parts = [
        ("SENDER", sender.as_str()),
        ("USER", user),
        ("FOREIGN", foreign),
        ("DOMAIN", domain),
        ("IP", &ip),
    ];
    let one = |(name, from, to, local_look): (&'static str, &str, &str, bool)| Trick {
        name,
        from: filled(from, &parts),
        to: filled(to, &parts),
        local_look,
    };
    TRICKS.map(one).into()
}

/// A pattern with its words replaced, each place once.
fn filled(pattern: &str, parts: &[(&str, &str)]) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let part = parts.iter().find(|(word, _)| rest.starts_with(word));
        let len = part.map_or(c.len_utf8(), |(word, _)| word.len());
        match part {
            Some((_, value)) => out.push_str(value),
            None => out.push(c),
        }
        rest = rest.get(len..).unwrap_or_default();
    }
    out
}

async fn takes(
    client: &mut Option<Client>,
    place: &Place,
    options: &Options,
    (from, to): (&str, &str),
) -> Result<bool, Failure> {
    if client.is_none() {
        *client = Some(
            place
                .return_to(options, place.is_implicit(options), false)
                .await?,
        );
    }
    let Some(client) = client.as_mut() else {
        return Ok(false);
    };
    let mail = Command::Mail(from, MailParameters::default());
    let mut taken = client.say(Stage::Mail, &mail).await?.is_positive();
    if taken {
        let rcpt = Command::Rcpt(to, RcptParameters::default());
        let reply = client.say(Stage::Rcpt, &rcpt).await?;
        taken = matches!(reply.code, 250 | 251);
    }
    client.say(Stage::Rset, &Command::Rset).await?;
    Ok(taken)
}

async fn hang_up(client: &mut Option<Client>) {
    if let Some(mut client) = client.take() {
        client.quit().await;
    }
}

/// Sends a command along with STARTTLS and looks whether it is answered inside TLS
/// (CVE-2011-0411).
pub(super) async fn injection(place: &Place, options: &Options, notes: &mut Notes<'_>) {
    let mut client = place.client(options);
    let outcome = async {
        client.connect().await?;
        client.banner().await?;
        let name = our_name(&client, options);
        client.ehlo(&name).await?;
        if !client
            .extensions
            .as_ref()
            .is_some_and(|e| e.has("STARTTLS"))
        {
            return Ok(None);
        }
        let (_, kept) = client.starttls_with_stowaway(&place.host, UNASKED).await?;
        Ok::<_, Failure>(Some(kept))
    }
    .await;
    client.quit().await;
    match outcome {
        Ok(Some(true)) => notes.error(
            "starttls-injection",
            "runs commands that were sent before the TLS handshake as if they had been encrypted (CVE-2011-0411)",
            "The server's admin updates it: somebody on the way could put commands into encrypted sessions.",
        ),
        Ok(None) => {}
        // Refusing or hanging up is a good answer, too.
        Ok(Some(false)) | Err(_) => notes.info(
            "no-starttls-injection",
            "throws away what was sent before the TLS handshake, as it has to",
            "",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patterns_of_the_tricks_are_filled_once() {
        let parts = [
            ("SENDER", "me@own.test"),
            ("USER", "DOMAIN"),
            ("FOREIGN", "far.test"),
            ("DOMAIN", "USER.test"),
            ("IP", "192.0.2.1"),
        ];
        assert_eq!(
            filled("USER%FOREIGN@[IP]", &parts),
            "DOMAIN%far.test@[192.0.2.1]"
        );
        assert_eq!(
            filled("@DOMAIN:USER@FOREIGN", &parts),
            "@USER.test:DOMAIN@far.test"
        );
        let good = parts.map(|(word, _)| (word, "x"));
        for (name, from, to, local_look) in TRICKS {
            let (from, to) = (filled(from, &good), filled(to, &good));
            assert!(
                !from.chars().chain(to.chars()).any(char::is_uppercase),
                "{name}"
            );
            // What has the server's name behind the last at sign may be taken for a mailbox.
            let inside = to.rsplit('@').next().is_some_and(|host| host.contains('x'));
            assert!(!local_look || inside, "{name}: {to}");
        }
    }
}
