//! Commands as they go over the wire (RFC 5321 §4.1.1 and the extensions).
//!
//! What comes from a user or a message is checked here, once: nothing with a line break or a
//! control character ever becomes a command.

use std::fmt::Write;

/// The longest command line we write; servers must take 512 octets and more for extensions
/// (RFC 5321 §4.5.3.1.4), and AUTH lines may have 12,288 (RFC 4954 §4).
const LONGEST: usize = 12_288;

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// EHLO with our name.
    Ehlo(&'a str),
    /// HELO, for servers without extensions.
    Helo(&'a str),
    /// LHLO, the greeting of LMTP (RFC 2033).
    Lhlo(&'a str),
    /// STARTTLS (RFC 3207).
    StartTls,
    /// AUTH with the mechanism's name and the initial response in base64 (RFC 4954).
    Auth(&'a str, Option<&'a str>),
    /// A line of the AUTH dialogue, in base64.
    AuthLine(&'a str),
    /// MAIL FROM; the address without angle brackets, empty for the null sender.
    Mail(&'a str, MailParameters<'a>),
    /// RCPT TO; the address without angle brackets.
    Rcpt(&'a str, RcptParameters<'a>),
    /// DATA.
    Data,
    /// BDAT with the size of the chunk, and whether it is the last (RFC 3030).
    Bdat(u64, bool),
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
    /// VRFY.
    Vrfy(&'a str),
    /// EXPN.
    Expn(&'a str),
    /// QUIT.
    Quit,
}

/// What MAIL can carry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailParameters<'a> {
    /// SIZE= (RFC 1870).
    pub size: Option<u64>,
    /// BODY= (RFC 6152, 3030): `7BIT`, `8BITMIME`, `BINARYMIME`.
    pub body: Option<&'a str>,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// RET= (RFC 3461): `FULL` or `HDRS`.
    pub ret: Option<&'a str>,
    /// ENVID= (RFC 3461), before xtext.
    pub envid: Option<&'a str>,
    /// REQUIRETLS (RFC 8689).
    pub require_tls: bool,
    /// AUTH= (RFC 4954 §5), before xtext; empty for `<>`.
    pub auth: Option<&'a str>,
}

/// What RCPT can carry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RcptParameters<'a> {
    /// NOTIFY= (RFC 3461), such as `SUCCESS,FAILURE`.
    pub notify: Option<&'a str>,
    /// ORCPT= (RFC 3461): the type of the original address, empty for the one that fits, and the
    /// address before xtext.
    pub orcpt: Option<(&'a str, &'a str)>,
}

/// A text that must not be put into a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unspeakable {
    /// A line break, another control character or a NUL.
    #[error("a control character cannot be said in SMTP")]
    Control,
    /// Over the limit of a command line.
    #[error("too long for an SMTP command")]
    TooLong,
}

impl Command<'_> {
    /// The line with its ending.
    pub fn wire(&self) -> Result<String, Unspeakable> {
        let mut line = self.line();
        if line.bytes().any(|b| b < b' ' || b == 0x7f) {
            return Err(Unspeakable::Control);
        }
        if line.len() > LONGEST {
            return Err(Unspeakable::TooLong);
        }
        line.push_str("\r\n");
        Ok(line)
    }

    /// The line as it may be shown: without what is secret.
    pub fn shown(&self) -> String {
        match self {
            Self::Auth(mechanism, Some(_)) => format!("AUTH {mechanism} ***"),
            Self::AuthLine(_) => "***".to_string(),
            _ => self.line(),
        }
    }

    fn line(&self) -> String {
        match self {
            Self::Ehlo(name) => format!("EHLO {name}"),
            Self::Helo(name) => format!("HELO {name}"),
            Self::Lhlo(name) => format!("LHLO {name}"),
            Self::StartTls => "STARTTLS".to_string(),
            Self::Auth(mechanism, None) => format!("AUTH {mechanism}"),
            Self::Auth(mechanism, Some(initial)) => format!("AUTH {mechanism} {initial}"),
            Self::AuthLine(line) => (*line).to_string(),
            Self::Mail(from, parameters) => mail(from, parameters),
            Self::Rcpt(to, parameters) => rcpt(to, parameters),
            Self::Data => "DATA".to_string(),
            Self::Bdat(size, false) => format!("BDAT {size}"),
            Self::Bdat(size, true) => format!("BDAT {size} LAST"),
            Self::Rset => "RSET".to_string(),
            Self::Noop => "NOOP".to_string(),
            Self::Vrfy(whom) => format!("VRFY {whom}"),
            Self::Expn(whom) => format!("EXPN {whom}"),
            Self::Quit => "QUIT".to_string(),
        }
    }
}

fn mail(from: &str, parameters: &MailParameters<'_>) -> String {
    let mut line = format!("MAIL FROM:<{from}>");
    let mut add = |text: &str| {
        line.push(' ');
        line.push_str(text);
    };
    if let Some(size) = parameters.size {
        add(&format!("SIZE={size}"));
    }
    if let Some(body) = parameters.body {
        add(&format!("BODY={body}"));
    }
    if parameters.smtputf8 {
        add("SMTPUTF8");
    }
    if let Some(ret) = parameters.ret {
        add(&format!("RET={ret}"));
    }
    if let Some(envid) = parameters.envid {
        add(&format!("ENVID={}", xtext(envid)));
    }
    if parameters.require_tls {
        add("REQUIRETLS");
    }
    match parameters.auth {
        Some("") => add("AUTH=<>"),
        Some(auth) => add(&format!("AUTH={}", xtext(auth))),
        None => {}
    }
    line
}

fn rcpt(to: &str, parameters: &RcptParameters<'_>) -> String {
    let mut line = format!("RCPT TO:<{to}>");
    if let Some(notify) = parameters.notify {
        line.push_str(" NOTIFY=");
        line.push_str(notify);
    }
    if let Some((kind, orcpt)) = parameters.orcpt {
        let kind = match kind {
            _ if !orcpt.is_ascii() => "utf-8",
            "" => "rfc822",
            kind => kind,
        };
        let coded = match kind {
            "utf-8" => utf8_xtext(orcpt),
            _ => xtext(orcpt),
        };
        let _ = write!(line, " ORCPT={kind};{coded}");
    }
    line
}

/// Writes a text as xtext (RFC 3461 §4).
pub fn xtext(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for &byte in text.as_bytes() {
        if matches!(byte, b'!'..=b'*' | b','..=b'<' | b'>'..=b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "+{byte:02X}");
        }
    }
    out
}

/// Writes an address as utf-8-addr-xtext (RFC 6533 §3), which ASCII-only hops let through.
fn utf8_xtext(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() && matches!(c, '!'..='*' | ','..='<' | '>'..='[' | ']'..='~') {
            out.push(c);
        } else {
            let _ = write!(out, "\\x{{{:X}}}", u32::from(c));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_written_as_the_extensions_ask() {
        let parameters = MailParameters {
            size: Some(1000),
            body: Some("8BITMIME"),
            smtputf8: true,
            ret: Some("HDRS"),
            envid: Some("a+b=c d"),
            require_tls: true,
            auth: Some(""),
        };
        assert_eq!(
            Command::Mail("a@b.example", parameters).wire().unwrap(),
            "MAIL FROM:<a@b.example> SIZE=1000 BODY=8BITMIME SMTPUTF8 RET=HDRS \
             ENVID=a+2Bb+3Dc+20d REQUIRETLS AUTH=<>\r\n"
        );
        let parameters = RcptParameters {
            notify: Some("NEVER"),
            orcpt: Some(("", "é@b.example")),
        };
        assert_eq!(
            Command::Rcpt("x@b.example", parameters).wire().unwrap(),
            "RCPT TO:<x@b.example> NOTIFY=NEVER ORCPT=utf-8;\\x{E9}@b.example\r\n"
        );
        let orcpt = |orcpt| RcptParameters {
            notify: None,
            orcpt: Some(orcpt),
        };
        for (given, written) in [
            (("", "a+b@c.example"), "rfc822;a+2Bb@c.example"),
            (("x400", "/c=us/"), "x400;/c+3Dus/"),
            (("utf-8", "a@c.example"), "utf-8;a@c.example"),
        ] {
            let line = Command::Rcpt("x@y.example", orcpt(given)).wire().unwrap();
            assert_eq!(line, format!("RCPT TO:<x@y.example> ORCPT={written}\r\n"));
        }
    }

    #[test]
    fn a_line_break_never_becomes_a_command() {
        for address in ["a\r\nRSET", "a\nb", "a\0b", "a\x1b[2J", "a\x7f"] {
            let command = Command::Rcpt(address, RcptParameters::default());
            assert_eq!(command.wire(), Err(Unspeakable::Control), "{address:?}");
        }
        let long = "a".repeat(LONGEST);
        assert_eq!(Command::Vrfy(&long).wire(), Err(Unspeakable::TooLong));
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(
            Command::Auth("PLAIN", Some("AGE=")).shown(),
            "AUTH PLAIN ***"
        );
        assert_eq!(Command::AuthLine("c2VjcmV0").shown(), "***");
    }
}
