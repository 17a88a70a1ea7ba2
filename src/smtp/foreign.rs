//! Who speaks when it is not a mail server: told by the first bytes, so that nobody has to wait.

/// Something else than SMTP that greets on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "names of protocols")]
pub enum Protocol {
    Ssh,
    Http,
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

#[cfg(test)]
mod tests {
    use super::*;

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
