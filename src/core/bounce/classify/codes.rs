//! What the numbers mean when the words do not tell: enhanced status codes (RFC 3463, the IANA
//! registry, Microsoft's own), reply codes (RFC 5321), and the stage of the dialogue.

use crate::bounce::cause::Cause;
use crate::bounce::explanation::Command;
use crate::message::status::EnhancedCode;

/// How much a number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trust {
    /// It is used for anything; better than nothing.
    Weak,
    /// Mostly used as it is meant.
    Likely,
    /// Nobody writes it by accident.
    Sure,
}

/// The cause that an enhanced code names.
pub(super) fn enhanced(code: EnhancedCode) -> Option<(Cause, Trust)> {
    use Cause as C;
    use Trust::{Likely, Sure, Weak};
    let temporary = code.class == 4;
    let pick = |four: Cause, five: Cause| if temporary { four } else { five };
    let weigh = |four: Trust, five: Trust| if temporary { four } else { five };
    Some(match (code.subject, code.detail) {
        _ if code.class == 2 => (C::Delivered, Sure),
        (1, 0) => (C::UserUnknown, Weak),
        (1, 1 | 3 | 4 | 351) => (C::UserUnknown, Likely),
        (1, 2) => (C::DomainUnknown, Sure),
        (1, 6) => (C::RecipientMoved, Sure),
        (1, 7 | 8) => (C::SenderRejected, Sure),
        (1, 10) => (C::NoMailService, Likely),
        (1, 20) => (C::MessageMalformed, Likely),
        (1, 90) => (C::RateLimited, Likely),
        (2, 1) => (C::MailboxDisabled, weigh(Weak, Likely)),
        (2, 2) => (C::OverQuota, Sure),
        (2, 3) => (C::MessageTooLarge, Sure),
        (2, 4) => (C::ServerError, Likely),
        (2, 121 | 122) => (C::RateLimited, Sure),
        (3, 1) => (C::ServerStorageFull, Sure),
        (3, 2) => (
            pick(C::ServerTemporaryFailure, C::NoMailService),
            weigh(Likely, Weak),
        ),
        (3, 3) => (C::ProtocolError, Weak),
        (3, 4) => (C::MessageTooLarge, Sure),
        (3, 0 | 5) => (pick(C::ServerTemporaryFailure, C::ServerError), Weak),
        (4, 0) => (C::ConnectionFailed, Weak),
        // A server that refuses for good does answer: Zoho and Microsoft write 5.4.1 for refusals.
        (4, 1) => (C::ConnectionFailed, weigh(Likely, Weak)),
        (4, 2 | 316 | 318) => (C::ConnectionFailed, Likely),
        (4, 3) => (C::DnsFailure, Likely),
        (4, 312) => (C::DnsFailure, Sure),
        (4, 4) => (pick(C::DnsFailure, C::DomainUnknown), Likely),
        (4, 5) => (C::RateLimited, Weak),
        (4, 6 | 14) => (C::MailLoop, Sure),
        (4, 310) => (C::DomainUnknown, Sure),
        (4, 8 | 317) => (C::TlsFailed, Likely),
        (5, 3) => (C::RateLimited, Likely),
        (5, 1 | 2 | 4 | 5 | 6) => (C::ProtocolError, Likely),
        (5, 7) => (C::LoginRequired, Weak),
        (6, 0) => (C::MessageMalformed, Weak),
        (6, 1) => (C::ContentRejected, Likely),
        (6, 2 | 5 | 6 | 11) => (C::MessageMalformed, Likely),
        (6, 3) => (C::Utf8Unsupported, Likely),
        (6, 7..=10) => (C::Utf8Unsupported, Sure),
        (7, 0 | 1 | 7 | 9) => (pick(C::ServerTemporaryFailure, C::PolicyRejected), Weak),
        (7, 2) => (C::RecipientRestricted, Likely),
        (7, 3..=6 | 10 | 11) => (C::TlsFailed, Likely),
        (7, 8 | 12 | 14 | 57) => (C::LoginRequired, Likely),
        (7, 13) => (C::MailboxDisabled, Likely),
        (7, 15) => (C::RateLimited, Likely),
        (7, 16) => (C::MessageTooLarge, Likely),
        (7, 17 | 18) => (C::RecipientMoved, Likely),
        (7, 20..=24 | 26 | 29 | 32) => (C::AuthFailed, Sure),
        (7, 25) => (C::MissingReverseDns, Sure),
        (7, 27) => (C::SenderRejected, Likely),
        (7, 28) => (C::RateLimited, Sure),
        (7, 30) => (C::TlsFailed, Likely),
        (7, 54 | 64) => (C::RelayDenied, Likely),
        // From here on Microsoft's own numbers.
        (7, 123..=136 | 193) => (C::RecipientRestricted, Sure),
        (7, 321..=325) => (C::TlsFailed, Sure),
        (7, 500..=699) if temporary => (C::RateLimited, Likely),
        (7, 501..=503 | 506) => (C::SenderRejected, Likely),
        (7, 507) => (C::RecipientRestricted, Likely),
        (7, 508 | 705) => (C::RateLimited, Likely),
        (7, 509 | 515) => (C::AuthFailed, Sure),
        (7, 511 | 513 | 708) => (C::IpBlocked, Likely),
        (7, 512) => (C::MessageMalformed, Likely),
        (7, 606..=649) => (C::IpBlocked, Sure),
        (7, 700..=750) => (C::SenderRejected, Likely),
        (7, _) => (C::PolicyRejected, Weak),
        _ => return None,
    })
}

/// True for the codes that only say that the time in the queue was over.
pub(super) fn expired(code: EnhancedCode) -> bool {
    code.subject == 4 && matches!(code.detail, 7 | 300)
}

/// A guess from the reply code and the command that it answered.
pub(super) fn reply(code: u16, command: Option<Command>, words: bool) -> Option<Cause> {
    use Cause as C;
    Some(match code {
        200..=299 => C::Delivered,
        422 => C::OverQuota,
        431 => C::ServerStorageFull,
        452 if command == Some(Command::Rcpt) => C::RateLimited,
        452 => C::ServerStorageFull,
        // At STARTTLS TLS failed for now (RFC 3207 §4), at AUTH the login (RFC 4954 §6).
        454 if command == Some(Command::Auth) => C::LoginRequired,
        454 if matches!(command, None | Some(Command::Ehlo | Command::StartTls)) => C::TlsFailed,
        400..=499 => C::ServerTemporaryFailure,
        500..=504 | 555 => C::ProtocolError,
        521 | 556 => C::NoMailService,
        523 => C::MessageTooLarge,
        530 | 534 | 535 | 538 => C::LoginRequired,
        541 => C::SpamContent,
        551 => C::RecipientMoved,
        // At MAIL the size is told (RFC 1870 §6.1).
        552 if matches!(command, Some(Command::Mail | Command::Data | Command::Dot)) => {
            C::MessageTooLarge
        }
        552 => C::OverQuota,
        510..=513 => C::UserUnknown,
        550 | 553 | 554 => match command {
            Some(Command::Connect | Command::Ehlo) => C::IpBlocked,
            Some(Command::Mail) => C::SenderRejected,
            Some(Command::Rcpt) if code != 554 => C::UserUnknown,
            None if code != 554 && !words => C::UserUnknown,
            _ => C::PolicyRejected,
        },
        505..=599 => C::PolicyRejected,
        _ => return None,
    })
}

/// A guess from the command alone: something went wrong there.
pub(super) const fn stage(command: Command) -> Option<Cause> {
    Some(match command {
        Command::Connect => Cause::ConnectionFailed,
        Command::StartTls => Cause::TlsFailed,
        Command::Auth => Cause::LoginRequired,
        _ => return None,
    })
}

/// Programs whose reports say X.0.0 for everything that the other server gave no code for: their
/// text alone, forwarded or pasted, must not seem to know more than their report.
const UNDECIDED: [&str; 3] = ["exim", "courier", "opensmtpd"];

/// The code that a report by this program would have had, for notices that name none.
pub(super) fn derived(
    cause: Cause,
    permanent: Option<bool>,
    dialect: Option<&str>,
) -> Option<EnhancedCode> {
    use Cause as C;
    let undecided = dialect.is_some_and(|dialect| UNDECIDED.contains(&dialect));
    let (subject, detail) = match cause {
        C::Delivered => return EnhancedCode::new(2, 0, 0),
        C::ChallengeResponse | C::AutoReply | C::AbuseReport => return None,
        _ if undecided => (0, 0),
        C::UserUnknown => (1, 1),
        C::DomainUnknown => (1, 2),
        C::NoMailService => (1, 10),
        C::MailboxDisabled => (2, 1),
        C::RecipientMoved => (1, 6),
        C::RecipientRestricted => (7, 2),
        C::OverQuota => (2, 2),
        C::MessageTooLarge => (3, 4),
        C::ServerStorageFull => (3, 1),
        C::ConnectionFailed => (4, 1),
        C::DnsFailure => (4, 3),
        C::MailLoop => (4, 6),
        C::DeliveryDelayed | C::DeliveryExpired => (4, 7),
        C::RateLimited => (7, 28),
        C::MissingReverseDns => (7, 25),
        C::SenderRejected => (1, 8),
        C::AuthFailed => (7, 26),
        C::LoginRequired => (7, 8),
        C::TlsFailed => (7, 10),
        C::MessageMalformed => (6, 0),
        C::Utf8Unsupported => (6, 7),
        C::ProtocolError => (5, 0),
        C::ServerError | C::ServerTemporaryFailure | C::DeliveryProgramFailed => (3, 0),
        C::Greylisted | C::Dnsbl | C::IpBlocked | C::RelayDenied | C::PolicyRejected => (7, 1),
        C::SpamContent | C::VirusDetected | C::ContentRejected => (7, 1),
        C::Unknown => (0, 0),
    };
    let permanent = permanent.or(cause.usually_permanent())?;
    EnhancedCode::new(if permanent { 5 } else { 4 }, subject, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(text: &str) -> Option<(Cause, Trust)> {
        enhanced(EnhancedCode::parse(text).unwrap())
    }

    #[test]
    fn codes_that_are_used_for_anything_are_weak() {
        for code in ["5.7.1", "5.1.0", "5.3.0", "5.7.0"] {
            assert_eq!(cause(code).unwrap().1, Trust::Weak, "{code}");
        }
        assert_eq!(cause("5.0.0"), None);
        assert_eq!(cause("5.5.0"), None);
    }

    #[test]
    fn microsoft_numbers_are_known_by_range() {
        assert_eq!(cause("5.7.606").unwrap().0, Cause::IpBlocked);
        assert_eq!(cause("4.7.650").unwrap().0, Cause::RateLimited);
        assert_eq!(cause("5.7.133").unwrap().0, Cause::RecipientRestricted);
        assert_eq!(cause("4.4.312").unwrap().0, Cause::DnsFailure);
    }

    #[test]
    fn the_stage_tells_what_a_bare_refusal_means() {
        let at = |code, command| reply(code, command, true);
        assert_eq!(at(550, Some(Command::Rcpt)), Some(Cause::UserUnknown));
        assert_eq!(at(554, Some(Command::Connect)), Some(Cause::IpBlocked));
        assert_eq!(at(550, Some(Command::Mail)), Some(Cause::SenderRejected));
        assert_eq!(at(199, None), None);
    }

    #[test]
    fn a_derived_code_has_the_class_of_the_outcome() {
        let code = derived(Cause::OverQuota, Some(false), None).unwrap();
        assert_eq!(code.to_string(), "4.2.2");
        let code = derived(Cause::OverQuota, Some(false), Some("exim")).unwrap();
        assert_eq!(code.to_string(), "4.0.0");
        assert_eq!(derived(Cause::AutoReply, None, None), None);
    }
}
