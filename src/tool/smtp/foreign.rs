//! Who speaks when it is not a mail server: told by the first bytes, so that nobody has to wait.

use super::Reply;

/// Something else than SMTP that greets on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "names of protocols")]
pub enum Protocol {
    Ssh,
    Http,
    Ftp,
    Nntp,
    Imap,
    Pop3,
    Tls,
    Vnc,
    Mysql,
    Telnet,
    Html,
    /// Words that no known protocol begins with.
    Unknown,
}

impl Protocol {
    /// What it is, to be put after "speaks".
    pub const fn words(self) -> &'static str {
        match self {
            Self::Ssh => "SSH",
            Self::Http => "HTTP (a web server)",
            Self::Ftp => "FTP (a file server)",
            Self::Nntp => "NNTP (a news server)",
            Self::Imap => "IMAP",
            Self::Pop3 => "POP3",
            Self::Tls => "TLS from the first byte",
            Self::Vnc => "VNC",
            Self::Mysql => "MySQL",
            Self::Telnet => "Telnet",
            Self::Html => "HTML (a web page)",
            Self::Unknown => "something else than SMTP",
        }
    }
}

/// Names the protocol by what came first; `None` while it may still become an SMTP greeting.
pub fn recognise(start: &[u8]) -> Option<Protocol> {
    const MARKS: &[(&[u8], Protocol)] = &[
        (b"SSH-", Protocol::Ssh),
        (b"HTTP/", Protocol::Http),
        (b"* OK", Protocol::Imap),
        (b"* BYE", Protocol::Imap),
        (b"* PREAUTH", Protocol::Imap),
        (b"+OK", Protocol::Pop3),
        (b"-ERR", Protocol::Pop3),
        (b"RFB 0", Protocol::Vnc),
        (b"\x15\x03", Protocol::Tls),
        (b"\x16\x03", Protocol::Tls),
        (b"\xff\xfb", Protocol::Telnet),
        (b"\xff\xfd", Protocol::Telnet),
        (b"<!DOCTYPE", Protocol::Html),
        (b"<html", Protocol::Html),
    ];
    if start.iter().take(3).all(u8::is_ascii_digit) {
        return None;
    }
    // MySQL: three bytes of length, a zero, then the protocol version 10.
    if matches!(start, [_, 0, 0, 0, 10, ..]) {
        return Some(Protocol::Mysql);
    }
    for (mark, protocol) in MARKS {
        if start.starts_with(mark) {
            return Some(*protocol);
        }
        if mark.starts_with(start) {
            return None;
        }
    }
    let decided = start.len() >= 5 || start.contains(&b'\n');
    decided.then_some(Protocol::Unknown)
}

/// Names the protocol by a whole greeting that has the form of SMTP but cannot be it: a positive
/// code other than 220 (RFC 5321 section 4.3.2 knows 220, 421, 521 and 554).
pub fn greets_otherwise(greeting: &Reply) -> Option<Protocol> {
    match greeting.code {
        // RFC 3977 section 5.1: posting allowed, posting prohibited.
        200 | 201 => Some(Protocol::Nntp),
        220 | 400.. => None,
        _ => Some(Protocol::Unknown),
    }
}

/// Whether somebody who refuses EHLO and HELO is an FTP server, which greets with 220, too
/// (RFC 959 section 5.4): it wants USER, or says what it is and speaks of commands and logins.
pub fn is_ftp(greeting: &Reply, refusal: &Reply) -> bool {
    const ABOUT: [&str; 5] = ["understood", "log", "command", "unknown", "implemented"];
    let greeting = greeting.text().to_ascii_lowercase();
    let refusal = refusal.text();
    let wants_user = refusal.contains("USER");
    let refusal = refusal.to_ascii_lowercase();
    let names_itself = ["ftp", "filezilla"].iter().any(|w| greeting.contains(w));
    let about_commands = ABOUT.iter().any(|w| refusal.contains(w));
    !greeting.contains("smtp") && (wants_user || names_itself && about_commands)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: u16, text: &str) -> Reply {
        Reply {
            code,
            lines: vec![text.to_string()],
            flaws: Vec::new(),
        }
    }

    #[test]
    fn greetings_in_the_form_of_smtp_that_are_none_are_known() {
        assert_eq!(
            greets_otherwise(&reply(200, "news ready")),
            Some(Protocol::Nntp)
        );
        assert_eq!(
            greets_otherwise(&reply(250, "hello")),
            Some(Protocol::Unknown)
        );
        for code in [220, 421, 450, 521, 554] {
            assert_eq!(greets_otherwise(&reply(code, "x")), None, "{code}");
        }
        let login = reply(530, "Please login with USER and PASS.");
        for greeting in ["(vsFTPd 3.0.5)", "FileZilla Server 1.7.3", "ready"] {
            assert!(is_ftp(&reply(220, greeting), &login), "{greeting}");
        }
        let unknown = reply(500, "HELO not understood");
        assert!(is_ftp(&reply(220, "ProFTPD Server"), &unknown));
        assert!(!is_ftp(&reply(220, "mx.example.net ESMTP"), &unknown));
        assert!(!is_ftp(&reply(220, "ftp.example.net ESMTP"), &unknown));
        assert!(!is_ftp(
            &reply(220, "ftp.example.net"),
            &reply(550, "blocked")
        ));
    }

    #[test]
    fn other_protocols_are_known_by_their_first_bytes() {
        for (start, protocol) in [
            (b"SSH-2.0-OpenSSH_9.2p1\r\n".as_slice(), Protocol::Ssh),
            (b"* OK [CAPABILITY IMAP4rev1]", Protocol::Imap),
            (b"+OK ready", Protocol::Pop3),
            (b"\x15\x03\x01\x00\x02", Protocol::Tls),
            (b"J\0\0\0\x0a8.0.36", Protocol::Mysql),
            (b"HTTP/1.1 400 Bad Request", Protocol::Http),
            (b"welcome", Protocol::Unknown),
            (b"\n", Protocol::Unknown),
        ] {
            assert_eq!(recognise(start), Some(protocol), "{start:?}");
        }
    }

    #[test]
    fn a_greeting_and_the_start_of_one_are_left_alone() {
        for start in [b"220 mx".as_slice(), b"2", b"22", b"554-", b"", b"S", b"+"] {
            assert_eq!(recognise(start), None, "{start:?}");
        }
    }
}
