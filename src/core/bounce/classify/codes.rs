//! What the numbers mean when the words do not tell: enhanced status codes (RFC 3463, the IANA
//! registry, Microsoft's own), reply codes (RFC 5321), and the stage of the dialogue. The tables are
//! made from `data/codes.toml` by `src/core/build/codes.rs`.

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

/// What the details of one subject mean.
struct Enhanced {
    /// 4 or 5; 0 for both.
    class: u8,
    from: u16,
    to: u16,
    cause: Cause,
    trust: Trust,
}

/// What reply codes mean.
struct Meaning {
    from: u16,
    to: u16,
    /// Empty: whatever was asked. `None` in it: it is not known what was asked.
    commands: &'static [Option<Command>],
    /// Only without words.
    bare: bool,
    cause: Cause,
}

include!(concat!(env!("OUT_DIR"), "/codes.rs"));

/// The cause that an enhanced code names.
pub(super) fn enhanced(code: EnhancedCode) -> Option<(Cause, Trust)> {
    if code.class == 2 {
        return Some((Cause::Delivered, Trust::Sure));
    }
    let row = ENHANCED
        .get(usize::from(code.subject))?
        .iter()
        .find(|row| {
            (row.from..=row.to).contains(&code.detail)
                && (row.class == 0 || row.class == code.class)
        })?;
    Some((row.cause, row.trust))
}

/// True for the codes that only say that the time in the queue was over.
pub(super) fn expired(code: EnhancedCode) -> bool {
    code.subject == 4 && matches!(code.detail, 7 | 300)
}

/// A guess from the reply code and the command that it answered.
pub(super) fn reply(code: u16, command: Option<Command>, words: bool) -> Option<Cause> {
    if (200..=299).contains(&code) {
        return Some(Cause::Delivered);
    }
    let row = REPLIES.iter().find(|row| {
        (row.from..=row.to).contains(&code)
            && (row.commands.is_empty() || row.commands.contains(&command))
            && !(row.bare && words)
    })?;
    Some(row.cause)
}

/// What a reply is that tells nothing about a mail: a greeting, a farewell, a step of a dialogue.
pub(in crate::bounce) fn step(code: u16) -> Option<&'static str> {
    let row = STEPS.iter().find(|(step, _)| *step == code);
    row.map(|(_, says)| *says)
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
    if cause == Cause::Delivered {
        return EnhancedCode::new(2, 0, 0);
    }
    let undecided = dialect.is_some_and(|dialect| UNDECIDED.contains(&dialect));
    let (subject, detail) = (*DERIVED.get(cause as usize)?).map(|code| match undecided {
        true => (0, 0),
        false => code,
    })?;
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
        // RFC 3207 §4 and RFC 4954 §6: the same number at two commands.
        for (command, cause) in [
            (Some(Command::Auth), Cause::LoginRequired),
            (Some(Command::StartTls), Cause::TlsFailed),
            (Some(Command::Ehlo), Cause::TlsFailed),
            (None, Cause::TlsFailed),
            (Some(Command::Rcpt), Cause::ServerTemporaryFailure),
        ] {
            assert_eq!(at(454, command), Some(cause), "454 at {command:?}");
        }
        // RFC 1870 §6: at MAIL the size is told, behind DATA it is seen; at RCPT a mailbox is full.
        for (command, cause) in [
            (Some(Command::Mail), Cause::MessageTooLarge),
            (Some(Command::Data), Cause::MessageTooLarge),
            (Some(Command::Dot), Cause::MessageTooLarge),
            (Some(Command::Rcpt), Cause::OverQuota),
            (None, Cause::OverQuota),
        ] {
            assert_eq!(at(552, command), Some(cause), "552 at {command:?}");
        }
        assert_eq!(at(452, Some(Command::Rcpt)), Some(Cause::RateLimited));
        assert_eq!(at(452, Some(Command::Mail)), Some(Cause::ServerStorageFull));
        assert_eq!(reply(550, None, false), Some(Cause::UserUnknown));
        assert_eq!(reply(550, None, true), Some(Cause::PolicyRejected));
        assert_eq!(at(554, Some(Command::Rcpt)), Some(Cause::PolicyRejected));
    }

    #[test]
    fn no_row_stands_behind_one_that_takes_all_of_it() {
        for row in REPLIES {
            let commands = match row.commands {
                [] => &[None],
                some => some,
            };
            let taken = |code| {
                let mut each = commands.iter();
                each.all(|command| reply(code, *command, !row.bare) != Some(row.cause))
            };
            assert!(!(row.from..=row.to).all(taken), "{}-{}", row.from, row.to);
        }
        for (subject, rows) in (0..).zip(ENHANCED) {
            for row in *rows {
                let class = if row.class == 0 { 5 } else { row.class };
                let code = EnhancedCode::new(class, subject, row.to).unwrap();
                assert_eq!(enhanced(code), Some((row.cause, row.trust)), "{code}");
            }
        }
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
