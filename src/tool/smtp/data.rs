//! The message on the wire: CRLF line ends, leading dots doubled, a dot at the end
//! (RFC 5321 §4.5.2).

/// Turns a message into what follows a 354. A bare CR or LF becomes CRLF before dots are
/// doubled, so nothing in a message can look like its end (SMTP smuggling).
pub fn dotted(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + message.len() / 32 + 5);
    let mut rest = message;
    while !rest.is_empty() {
        let end = rest.iter().position(|&b| b == b'\r' || b == b'\n');
        let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
        rest = match after {
            [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
            [] => after,
        };
    }
    out.extend_from_slice(b".\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_become_crlf_and_dots_are_doubled() {
        for (message, wire) in [
            (&b"a\r\nb\r\n"[..], &b"a\r\nb\r\n.\r\n"[..]),
            (b"a\nb", b"a\r\nb\r\n.\r\n"),
            (b"", b".\r\n"),
            (b"\n.\n..x\n", b"\r\n..\r\n...x\r\n.\r\n"),
            (b"a\r.\rb", b"a\r\n..\r\nb\r\n.\r\n"),
            (b"a\n.\r\nMAIL", b"a\r\n..\r\nMAIL\r\n.\r\n"),
            (b"\r\r\n", b"\r\n\r\n.\r\n"),
        ] {
            assert_eq!(dotted(message), wire, "{message:?}");
        }
    }

    #[test]
    fn the_end_stands_only_at_the_end() {
        let nasty = b"x\r.\r\n\n.\n\r.\r.\r\n.\r\nQUIT\r\n";
        let wire = dotted(nasty);
        let ends = wire.windows(5).filter(|w| w == b"\r\n.\r\n").count();
        assert_eq!(ends, 1);
    }
}
