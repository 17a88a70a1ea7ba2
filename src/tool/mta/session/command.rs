//! The grammar of the commands (RFC 5321 section 4.1): one line in, one command or the reply
//! that refuses it out.

use crate::mta::address::{Address, BadPath, literal};

use super::params::{MailParameters, RcptParameters};
use super::reply::Reply;

/// Octets of the name in EHLO.
const LONGEST_NAME: usize = 255;

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'l> {
    /// EHLO, HELO or LHLO with a name.
    Hello(Hello, &'l str),
    /// MAIL FROM.
    Mail(Option<Address>, MailParameters),
    /// RCPT TO.
    Rcpt(Address, RcptParameters),
    /// DATA.
    Data,
    /// BDAT: the octets that follow, and whether they are the last ones.
    Bdat(u64, bool),
    /// BDAT whose words behind the length are wrong: the octets follow all the same.
    BadBdat(u64),
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
    /// VRFY with something to look for.
    Vrfy,
    /// HELP.
    Help,
    /// QUIT.
    Quit,
    /// STARTTLS.
    StartTls,
    /// AUTH: the mechanism and the initial response.
    Auth(&'l str, Option<&'l str>),
}

/// The three ways to greet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the commands of RFC 5321 and 2033")]
pub enum Hello {
    Ehlo,
    Helo,
    Lhlo,
}

/// Why a line is no command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It is answered so.
    Say(Reply),
    /// Whoever says this does not speak SMTP: a browser that was sent here, for example. It is
    /// answered so, and the connection closed, so that nothing else can be said through it.
    Leave(Reply),
}

impl From<Reply> for Refused {
    fn from(reply: Reply) -> Self {
        Self::Say(reply)
    }
}

const UNKNOWN: Reply = Reply::new(500, 5, 2, "Command not recognized");
const NOT_DONE: Reply = Reply::new(502, 5, 1, "Command not implemented");
const NO_ARGUMENT: Reply = Reply::new(501, 5, 4, "This command takes no argument");
const CONTROLS: Reply = Reply::new(501, 5, 2, "Control characters in a command");
const FOREIGN: Reply = Reply::new(421, 7, 0, "This is SMTP, not what you speak; goodbye");

/// Reads one line without its line end.
pub fn parse(line: &[u8]) -> Result<Command<'_>, Refused> {
    let line = line.trim_ascii_end();
    let end = line.iter().position(|b| matches!(b, b' ' | b'\t'));
    let (verb, rest) = line.split_at(end.unwrap_or(line.len()));
    let mut upper = [0u8; 8];
    let Some(known) = upper.get_mut(..verb.len()) else {
        return Err(unknown(verb));
    };
    known.copy_from_slice(verb);
    known.make_ascii_uppercase();
    let known: &[u8] = known;
    let argument = || -> Result<&str, Reply> {
        let text = str::from_utf8(rest)
            .map_err(|_| Reply::new(501, 5, 2, "The command is not in UTF-8"))?;
        match text.contains(|c: char| c.is_control() && c != '\t') {
            true => Err(CONTROLS),
            false => Ok(text.trim_ascii_start()),
        }
    };
    let alone = |command| match rest.is_empty() {
        true => Ok(command),
        false => Err(NO_ARGUMENT.into()),
    };
    match known {
        b"MAIL" => mail(argument()?).map_err(Refused::Say),
        b"RCPT" => rcpt(argument()?).map_err(Refused::Say),
        b"DATA" => alone(Command::Data),
        b"RSET" => alone(Command::Rset),
        b"QUIT" => alone(Command::Quit),
        b"BDAT" => bdat(rest),
        // RFC 5321 section 4.1.1.9: whatever stands behind it means nothing.
        b"NOOP" => Ok(Command::Noop),
        b"EHLO" => hello(Hello::Ehlo, argument()?),
        b"HELO" => hello(Hello::Helo, argument()?),
        b"LHLO" => hello(Hello::Lhlo, argument()?),
        b"STARTTLS" => alone(Command::StartTls),
        b"AUTH" => auth(argument()?).map_err(Refused::Say),
        b"VRFY" => match argument()? {
            "" => Err(Reply::new(501, 5, 4, "Write VRFY and a name").into()),
            _ => Ok(Command::Vrfy),
        },
        b"HELP" => argument().map(|_| Command::Help).map_err(Refused::Say),
        b"EXPN" | b"TURN" | b"ETRN" | b"SEND" | b"SOML" | b"SAML" | b"ATRN" | b"XCLIENT"
        | b"XFORWARD" => Err(NOT_DONE.into()),
        _ => Err(unknown(verb)),
    }
}

/// A verb that nobody knows: a slip, or another protocol. `GET / HTTP/1.1`, and the fields that
/// follow it, are what a browser says that was led here; binary octets are a TLS handshake.
fn unknown(verb: &[u8]) -> Refused {
    const HTTP: [&str; 11] = [
        "GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS", "DELETE", "TRACE", "PATCH", "PRI",
        "PROPFIND",
    ];
    let is_http = HTTP
        .iter()
        .any(|name| name.as_bytes().eq_ignore_ascii_case(verb));
    let name = verb
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || **b == b'-')
        .count();
    // `MAIL:FROM` and `RCPTTO:` are slips.
    let is_slip = verb
        .get(..4)
        .is_some_and(|v| v.eq_ignore_ascii_case(b"MAIL") || v.eq_ignore_ascii_case(b"RCPT"));
    let is_field = name > 0 && verb.get(name) == Some(&b':') && !is_slip;
    let is_binary = verb.first().is_some_and(u8::is_ascii_control);
    if is_http || is_field || is_binary {
        Refused::Leave(FOREIGN)
    } else {
        Refused::Say(UNKNOWN)
    }
}

fn hello(hello: Hello, name: &str) -> Result<Command<'_>, Refused> {
    let words = match hello {
        Hello::Ehlo => "Write EHLO and the name of your host",
        Hello::Helo => "Write HELO and the name of your host",
        Hello::Lhlo => "Write LHLO and the name of your host",
    };
    let is_name = !name.is_empty()
        && name.len() <= LONGEST_NAME
        && name.bytes().all(|b| b.is_ascii_graphic())
        && (!name.starts_with('[') || literal(name).is_some() || name.ends_with(']'));
    match is_name {
        true => Ok(Command::Hello(hello, name)),
        false => Err(Reply::new(501, 5, 4, words).into()),
    }
}

/// What stands behind `FROM:` or `TO:`. A blank behind the colon is wrong but common.
fn behind<'l>(argument: &'l str, word: &str) -> Option<&'l str> {
    let (head, rest) = argument.split_at_checked(word.len())?;
    head.eq_ignore_ascii_case(word)
        .then(|| rest.trim_ascii_start())
}

fn mail(argument: &str) -> Result<Command<'_>, Reply> {
    let path =
        behind(argument, "FROM:").ok_or(Reply::new(501, 5, 4, "Write MAIL FROM:<address>"))?;
    let (sender, rest) = Address::parse_path(path).map_err(|why| refuse(why, 7))?;
    // The bare postmaster is a recipient only (RFC 5321 section 4.1.1.3).
    if sender.as_ref().is_some_and(|s| s.domain.is_none()) {
        return Err(refuse(BadPath::NoDomain, 7));
    }
    let mut parameters = MailParameters::parse(rest)?;
    parameters.wide = is_wide(path, rest);
    Ok(Command::Mail(sender, parameters))
}

fn rcpt(argument: &str) -> Result<Command<'_>, Reply> {
    let path = behind(argument, "TO:").ok_or(Reply::new(501, 5, 4, "Write RCPT TO:<address>"))?;
    let (recipient, rest) = Address::parse_path(path).map_err(|why| refuse(why, 3))?;
    let recipient = recipient.ok_or(Reply::new(501, 1, 3, "A recipient must have a name"))?;
    let mut parameters = RcptParameters::parse(rest)?;
    parameters.wide = is_wide(path, rest);
    Ok(Command::Rcpt(recipient, parameters))
}

/// Whether a path, up to what stands behind it, goes beyond ASCII.
fn is_wide(path: &str, rest: &str) -> bool {
    let path = path.strip_suffix(rest).unwrap_or(path);
    !path.is_ascii()
}

fn refuse(why: BadPath, detail: u16) -> Reply {
    let text = match why {
        BadPath::Brackets => "Bad address: it must stand in angle brackets",
        BadPath::Local => "Bad address: the part before the @ is malformed",
        BadPath::LongLocal => "Bad address: the part before the @ is too long",
        BadPath::NoDomain => "Bad address: it has no domain",
        BadPath::Domain => "Bad address: the domain is malformed",
        BadPath::LongDomain => "Bad address: the domain is too long",
        BadPath::LongPath => "Bad address: it is too long",
    };
    Reply::new(501, 1, detail, text)
}

/// BDAT (RFC 3030 section 2). Without a length nobody can say where the next command begins.
fn bdat(rest: &[u8]) -> Result<Command<'_>, Refused> {
    const LOST: Reply = Reply::new(501, 5, 4, "Write BDAT, a length and perhaps LAST; goodbye");
    let text = str::from_utf8(rest).map_err(|_| Refused::Leave(LOST))?;
    let mut words = text.split_ascii_whitespace();
    let length = words
        .next()
        .filter(|w| w.bytes().all(|b| b.is_ascii_digit()));
    let length = length.and_then(|w| w.parse::<u64>().ok());
    let length = length.ok_or(Refused::Leave(LOST))?;
    Ok(match (words.next(), words.next()) {
        (None, _) => Command::Bdat(length, false),
        (Some(last), None) if last.eq_ignore_ascii_case("LAST") => Command::Bdat(length, true),
        _ => Command::BadBdat(length),
    })
}

fn auth(argument: &str) -> Result<Command<'_>, Reply> {
    let mut words = argument.split_ascii_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(mechanism), initial, None) => Ok(Command::Auth(mechanism, initial)),
        _ => Err(Reply::new(501, 5, 4, "Write AUTH and a mechanism")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(line: &[u8]) -> u16 {
        match parse(line) {
            Ok(_) => 0,
            Err(Refused::Say(reply)) => reply.code,
            // Marked so that the tests see the difference.
            Err(Refused::Leave(reply)) => reply.code + 1000,
        }
    }

    #[test]
    fn commands_are_read_in_any_case_with_blanks_behind() {
        assert_eq!(parse(b"ehlo a "), Ok(Command::Hello(Hello::Ehlo, "a")));
        assert_eq!(parse(b"Quit\t"), Ok(Command::Quit));
        assert_eq!(parse(b"bdat 5 last"), Ok(Command::Bdat(5, true)));
        assert_eq!(parse(b"BDAT 0"), Ok(Command::Bdat(0, false)));
        assert_eq!(parse(b"NOOP whatever you like"), Ok(Command::Noop));
        assert_eq!(
            parse(b"AUTH plain ="),
            Ok(Command::Auth("plain", Some("=")))
        );
        assert!(matches!(
            parse(b"mail FROM:<> SIZE=5"),
            Ok(Command::Mail(None, MailParameters { size: Some(5), .. }))
        ));
        assert!(matches!(
            parse(b"RCPT To: <a@b.test>"),
            Ok(Command::Rcpt(..))
        ));
    }

    #[test]
    fn what_is_no_command_has_its_code() {
        for (line, expected) in [
            (&b""[..], 500),
            (b" NOOP", 500),
            (b"FOO", 500),
            (b"MAILFROM:<a@b.test>", 500),
            (b"MAIL:FROM <a@b.test>", 500),
            (b"rcptto:<a@b.test>", 500),
            (b"NOOP \x01\xff", 0),
            (b"AVERYLONGVERB", 500),
            (b"EXPN list", 502),
            (b"TURN", 502),
            (b"VRFY", 501),
            (b"EHLO", 501),
            (b"HELO ", 501),
            (b"EHLO a b", 501),
            (b"EHLO a\0b", 501),
            (b"EHLO \xff", 501),
            (b"DATA x", 501),
            (b"RSET x", 501),
            (b"QUIT x", 501),
            (b"STARTTLS x", 501),
            (b"AUTH", 501),
            (b"AUTH PLAIN a b", 501),
            (b"MAIL", 501),
            (b"MAIL FROM", 501),
            (b"MAIL FROM <a@b.test>", 501),
            (b"MAIL FROM:a@b.test", 501),
            (b"MAIL FROM:<a@b.test>SIZE=1", 501),
            (b"MAIL FROM:<postmaster>", 501),
            (b"MAIL FROM:<a\0@b.test>", 501),
            (b"MAIL FROM:<a\r@b.test>", 501),
            (b"MAIL TO:<a@b.test>", 501),
            (b"RCPT TO:<>", 501),
            (b"RCPT FROM:<a@b.test>", 501),
            (b"BDAT", 1501),
            (b"BDAT x", 1501),
            (b"BDAT -1", 1501),
            (b"BDAT 99999999999999999999", 1501),
            (b"GET / HTTP/1.1", 1421),
            (b"POST", 1421),
            (b"Host: a", 1421),
            (b"Content-Type:text/plain", 1421),
            (b"\x16\x03\x01\x02", 1421),
        ] {
            let shown = String::from_utf8_lossy(line);
            assert_eq!(code(line), expected, "{shown}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_octets_make_the_grammar_panic(
            verb in "(?i)(MAIL FROM:|RCPT TO:|EHLO |BDAT |AUTH |VRFY |)",
            rest in proptest::collection::vec(proptest::num::u8::ANY, 0..60),
        ) {
            let _ = parse(&[verb.as_bytes(), &rest].concat());
        }
    }
}
