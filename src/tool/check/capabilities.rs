//! What a server's greeting and announcements are worth.

use std::time::Duration;

use crate::check::Server;
use crate::posture::finding::Notes;
use crate::smtp::{Extensions, Stage};

/// A greeting later than this is worth a word, and later than that a warning.
const LATE: Duration = Duration::from_secs(5);
const VERY_LATE: Duration = Duration::from_secs(15);
/// A smaller limit on messages bothers people.
const SMALL: u64 = 10 * 1024 * 1024;

/// The findings about the greeting.
pub(super) fn greeting(server: &Server, notes: &mut Notes<'_>) {
    let waited = server.steps.iter().find(|s| s.stage == Stage::Banner);
    let waited = waited.map_or(Duration::ZERO, |s| s.took);
    if waited > LATE {
        let text = format!("the greeting came after {:.1} s", waited.as_secs_f64());
        let advice = "Some servers wait on purpose to scare off spammers; senders are patient for 5 minutes.";
        if waited > VERY_LATE {
            notes.warning("banner-delay", text, advice);
        } else {
            notes.info("banner-delay", text, advice);
        }
    }
    let Some(banner) = &server.banner else {
        return;
    };
    let masked = banner.lines.iter().any(|l| l.contains("****"))
        || server.capabilities.iter().any(|c| c.starts_with("XXXX"));
    if masked {
        notes.warning(
            "smtp-rewritten",
            "a firewall on the way rewrites the SMTP dialogue (greeting or keywords are masked)",
            "Its admin switches the SMTP inspection off (\"fixup\"): it hides extensions and breaks encryption.",
        );
    }
    let flaws: Vec<_> = server
        .steps
        .iter()
        .filter_map(|s| s.reply.as_ref())
        .flat_map(|r| r.flaws.iter().copied())
        .collect();
    if let Some(flaw) = flaws.first() {
        let text = format!("the server {}", flaw.words());
        notes.warning(
            "reply-malformed",
            text,
            "The server's admin updates it or looks for what stands before it.",
        );
    }
}

/// The findings about what is announced.
pub(super) fn judge(server: &Server, extensions: &Extensions, notes: &mut Notes<'_>) {
    if server.no_ehlo {
        notes.warning(
            "no-esmtp",
            "the server knows HELO only: no encryption, no size check, no receipts",
            "The server's admin looks whether a firewall takes EHLO away.",
        );
        return;
    }
    if server.banner.is_none() || server.name.is_none() {
        return;
    }
    if let Some(size) = extensions.size().filter(|s| *s < SMALL) {
        #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
        let text = format!(
            "messages of more than {:.1} MiB are refused",
            size as f64 / 1_048_576.0
        );
        notes.info("size-small", text, "");
    }
    let missing: Vec<_> = [
        "PIPELINING",
        "8BITMIME",
        "SMTPUTF8",
        "DSN",
        "ENHANCEDSTATUSCODES",
    ]
    .into_iter()
    .filter(|keyword| !extensions.has(keyword))
    .collect();
    if !missing.is_empty() {
        notes.info(
            "extensions-missing",
            format!("the server does not offer {}", missing.join(", ")),
            "Mail works without them; 8-bit text, international addresses, receipts and clear refusals need them.",
        );
    }
    logins(server, extensions, notes);
    // Whom XCLIENT is offered to may pretend to be anybody.
    if extensions.has("XCLIENT") && !server.ip.to_canonical().is_loopback() {
        notes.error(
            "xclient-offered",
            "the server offers XCLIENT to us: strangers could pretend to be trusted clients",
            "The server's admin restricts it to the proxies that need it.",
        );
    }
}

fn logins(server: &Server, extensions: &Extensions, notes: &mut Notes<'_>) {
    let mechanisms = extensions.mechanisms();
    let in_clear = server.tls.session.is_none();
    if mechanisms.is_empty() || !in_clear {
        return;
    }
    if mechanisms
        .iter()
        .any(|m| matches!(m.as_str(), "PLAIN" | "LOGIN"))
    {
        notes.warning(
            "auth-in-clear",
            format!(
                "the server takes passwords without encryption (AUTH {})",
                mechanisms.join(" ")
            ),
            "The server's admin offers AUTH only after STARTTLS.",
        );
    }
}
