//! What follows a 354: the dots that were doubled are taken away, and the end is found, which
//! is CR LF . CR LF and nothing that resembles it (RFC 5321 section 4.5.2).
//!
//! Servers that took LF . LF or CR LF . LF for the end let strangers smuggle mail through others
//! (CVE-2023-51764 and kin). Here a CR or LF alone never ends a line, and is noted, so that the
//! message can be refused behind its true end.

use memchr::memchr2;

/// Where in a line the reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Behind CR LF, or at the very beginning.
    Start,
    /// Behind the dot that begins a line; it is not passed on.
    Dot,
    /// Behind that dot and a CR.
    DotCr,
    Inside,
    /// Behind a CR, which is not yet passed on.
    Cr,
}

/// Reads one text.
#[derive(Debug)]
pub struct Text {
    at: At,
    /// A LF without a CR before it was seen.
    pub bare_lf: bool,
    /// A CR without a LF behind it was seen.
    pub bare_cr: bool,
}

impl Default for Text {
    fn default() -> Self {
        Self {
            at: At::Start,
            bare_lf: false,
            bare_cr: false,
        }
    }
}

/// How far a piece was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Octets used; all of them unless the end was among them.
    pub taken: usize,
    /// The text has ended.
    pub ended: bool,
}

impl Text {
    /// Reads a piece and passes on what belongs to the message.
    pub fn push(&mut self, piece: &[u8], sink: &mut impl FnMut(&[u8])) -> Progress {
        // Octets from `from` to `i` belong to the message and are not yet passed on.
        let (mut from, mut i) = (0, 0);
        let pass = |from: usize, to: usize, sink: &mut dyn FnMut(&[u8])| {
            if let Some(run) = piece.get(from..to).filter(|run| !run.is_empty()) {
                sink(run);
            }
        };
        while let Some(&octet) = piece.get(i) {
            match (self.at, octet) {
                (At::Start, b'.') => {
                    pass(from, i, sink);
                    from = i + 1;
                    i += 1;
                    self.at = At::Dot;
                }
                (At::Dot, b'\r') => {
                    from = i + 1;
                    i += 1;
                    self.at = At::DotCr;
                }
                (At::DotCr, b'\n') => {
                    return Progress {
                        taken: i + 1,
                        ended: true,
                    };
                }
                (At::DotCr, _) => {
                    // The CR behind the dot was one alone.
                    self.bare_cr = true;
                    sink(b"\r");
                    from = i;
                    self.at = At::Inside;
                }
                (At::Cr, b'\n') => {
                    // The CR was held back only when it was the last octet of a piece.
                    if i == 0 {
                        sink(b"\r");
                    }
                    i += 1;
                    self.at = At::Start;
                }
                (At::Cr, _) => {
                    self.bare_cr = true;
                    if i == 0 {
                        sink(b"\r");
                    }
                    self.at = At::Inside;
                }
                (At::Start | At::Dot | At::Inside, _) => {
                    let rest = piece.get(i..).unwrap_or_default();
                    let Some(found) = memchr2(b'\r', b'\n', rest) else {
                        self.at = At::Inside;
                        i = piece.len();
                        continue;
                    };
                    i += found;
                    if piece.get(i) == Some(&b'\n') {
                        self.bare_lf = true;
                        self.at = At::Inside;
                    } else {
                        self.at = At::Cr;
                    }
                    i += 1;
                }
            }
        }
        // A CR at the end of a piece waits for what follows.
        let end = if self.at == At::Cr && i > 0 { i - 1 } else { i };
        pass(from, end, sink);
        Progress {
            taken: piece.len(),
            ended: false,
        }
    }
}

/// Makes every line of a text end with CR LF, for what comes by BDAT, where nothing marks a
/// line: a lone CR or LF would become an end of data somewhere behind us.
#[derive(Debug, Default)]
pub struct Mend {
    after_cr: bool,
}

impl Mend {
    /// Mends a piece.
    pub fn push(&mut self, piece: &[u8], sink: &mut impl FnMut(&[u8])) {
        let mut rest = piece;
        while let Some((&first, _)) = rest.split_first() {
            if self.after_cr {
                self.after_cr = false;
                sink(b"\r\n");
                if first == b'\n' {
                    rest = rest.get(1..).unwrap_or_default();
                    continue;
                }
            }
            let end = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            let (line, more) = rest.split_at(end);
            if !line.is_empty() {
                sink(line);
            }
            match more.first() {
                Some(b'\r') => self.after_cr = true,
                Some(_) => sink(b"\r\n"),
                None => {}
            }
            rest = more.get(1..).unwrap_or_default();
        }
    }

    /// The text has ended.
    pub fn end(&mut self, sink: &mut impl FnMut(&[u8])) {
        if std::mem::take(&mut self.after_cr) {
            sink(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::smtp::data::dotted;

    use super::*;

    /// The text, what was left behind its end (`None`: no end), and the two notes.
    type Outcome = (Vec<u8>, Option<Vec<u8>>, bool, bool);

    fn read(pieces: &[&[u8]]) -> Outcome {
        let mut text = Text::default();
        let mut out = Vec::new();
        let whole = pieces.concat();
        let mut used = 0;
        for piece in pieces {
            let progress = text.push(piece, &mut |run| out.extend_from_slice(run));
            used += progress.taken;
            if progress.ended {
                let left = whole.get(used..).unwrap().to_vec();
                return (out, Some(left), text.bare_lf, text.bare_cr);
            }
        }
        (out, None, text.bare_lf, text.bare_cr)
    }

    #[test]
    fn only_one_sequence_ends_a_text() {
        for fake in [
            "\n.\n",
            "\n.\r\n",
            "\r\n.\n",
            "\r.\r",
            "\r.\r\n",
            "\r\n.\r",
            "\n.\r",
            "\r\n\0.\r\n",
            "\r\n.\0\r\n",
            "\r\r\n.\r\r\n",
            "\r\n. \r\n",
            "\r\n.\t\r\n",
            "\u{85}.\u{85}",
            "\x0b.\x0b",
            "\r\n.\n\r\n",
            "\r\n.\r.\r\n",
        ] {
            let wire = format!("a{fake}MAIL FROM:<x@y>\r\n.\r\nQUIT\r\n");
            let whole = read(&[wire.as_bytes()]);
            assert_eq!(whole.1.as_deref(), Some(&b"QUIT\r\n"[..]), "{fake:?}");
            for cut in 0..wire.len() {
                let (a, b) = wire.as_bytes().split_at(cut);
                assert_eq!(read(&[a, b]), whole, "{fake:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn dots_are_taken_away_once() {
        let (text, left, lf, cr) = read(&[b"..a\r\n...\r\n.b\r\nc.\r\n.\r\n"]);
        assert_eq!(text, b".a\r\n..\r\nb\r\nc.\r\n");
        assert_eq!(left.as_deref(), Some(&b""[..]));
        assert!(!lf && !cr);
        assert_eq!(read(&[b".\r\n"]).0, b"");
    }

    #[test]
    fn a_lone_cr_or_lf_is_noted() {
        let notes = |wire: &[u8]| {
            let (_, _, lf, cr) = read(&[wire]);
            (lf, cr)
        };
        assert_eq!(notes(b"a\nb\r\n.\r\n"), (true, false));
        assert_eq!(notes(b"a\rb\r\n.\r\n"), (false, true));
        assert_eq!(notes(b".\rb\r\n.\r\n"), (false, true));
        assert_eq!(notes(b"a\r\r\n.\r\n"), (false, true));
        assert_eq!(notes(b"a\r\n.\r\n"), (false, false));
    }

    #[test]
    fn mending_leaves_crlf_and_nothing_else() {
        for (octets, mended) in [
            (&b"a\nb\rc\r\nd\r\r\n"[..], &b"a\r\nb\r\nc\r\nd\r\n\r\n"[..]),
            (b"\n\n\r", b"\r\n\r\n\r\n"),
            (b"a\r\n", b"a\r\n"),
        ] {
            for cut in 0..=octets.len() {
                let (a, b) = octets.split_at(cut);
                let (mut mend, mut out) = (Mend::default(), Vec::new());
                let mut sink = |run: &[u8]| out.extend_from_slice(run);
                mend.push(a, &mut sink);
                mend.push(b, &mut sink);
                mend.end(&mut sink);
                assert_eq!(out, mended, "{octets:?} cut at {cut}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_our_client_dots_comes_out_as_it_was(lines in proptest::collection::vec("[.a]{0,4}", 0..8), cut in 0usize..80) {
            let message: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let wire = dotted(message.as_bytes());
            let (a, b) = wire.split_at(cut.min(wire.len()));
            let (text, left, lf, cr) = read(&[a, b]);
            prop_assert_eq!(text, message.as_bytes());
            prop_assert_eq!(left, Some(Vec::new()));
            prop_assert!(!lf && !cr);
        }

        #[test]
        fn any_octets_in_any_pieces_read_the_same(
            octets in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), Just(b'a'), Just(0u8)], 0..40),
            cut in 0usize..40,
        ) {
            let (a, b) = octets.split_at(cut.min(octets.len()));
            let whole = read(&[&octets]);
            let pieces = read(&[a, b]);
            if whole.1.is_some() {
                prop_assert_eq!(&whole, &pieces);
            } else {
                prop_assert_eq!((whole.0, whole.2), (pieces.0, pieces.2));
            }
        }
    }
}
