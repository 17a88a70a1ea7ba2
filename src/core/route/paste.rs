//! Headers as people paste them: with the blanks that fold a field lost, or with an empty line
//! behind every line. What a mail program reads as a broken header is brought back into order.

/// Longer headers are not pasted by hand.
const MAX_BYTES: usize = 256 * 1024;

/// The header in a text, with its fields put together again; `None` when nothing was broken.
pub(super) fn mended(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes.get(..MAX_BYTES).unwrap_or(bytes));
    let lines: Vec<&str> = text.split('\n').map(str::trim_end).collect();
    let spaced = is_double_spaced(&lines);
    let mut out = String::with_capacity(text.len());
    let mut started = false;
    let mut broken = spaced;
    for line in lines {
        if line.is_empty() {
            if started && !spaced {
                break;
            }
            continue;
        }
        let folded = line.starts_with([' ', '\t', '\u{a0}']);
        if is_field(line) {
            started = true;
            out.push('\n');
            out.push_str(line);
        } else if started {
            // Nothing but the beginning of a field may stand at the left edge of a header.
            broken |= !folded || line.starts_with('\u{a0}');
            out.push(' ');
            out.push_str(line.trim_start());
        }
    }
    out.push('\n');
    (broken && started).then(|| out.trim_start().to_owned())
}

/// A field begins with a name of letters and hyphens and a colon.
fn is_field(line: &str) -> bool {
    line.split_once(':').is_some_and(|(name, _)| {
        (2..=60).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    })
}

/// Whether every other line is empty, as some web pages make of what is copied from them.
fn is_double_spaced(lines: &[&str]) -> bool {
    const ENOUGH: usize = 6;
    let start = lines.iter().position(|l| !l.is_empty()).unwrap_or(0);
    let pairs = || lines.get(start..).unwrap_or_default().chunks_exact(2);
    let fits = pairs()
        .take_while(|p| matches!(p, [line, gap] if !line.is_empty() && gap.is_empty()))
        .count();
    fits >= ENOUGH / 2 && fits * 2 >= pairs().count().min(ENOUGH)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Received: from a.example (a.example [192.0.2.1])\n\tby b.example (Postfix)\n\tfor <c@b.example>;\n\tMon, 2 Mar 2026 09:15:30 +0000\nSubject: x\n";

    #[test]
    fn fields_are_put_together_again() {
        let flat = "Received: from a.example (a.example [192.0.2.1]) by b.example (Postfix) for <c@b.example>; Mon, 2 Mar 2026 09:15:30 +0000\nSubject: x\n";
        let lost = HEAD.replace('\t', "");
        assert_eq!(mended(lost.as_bytes()).as_deref(), Some(flat));
        let hard = HEAD.replace('\t', "\u{a0}\u{a0}");
        assert_eq!(mended(hard.as_bytes()).as_deref(), Some(flat));
        for blanks in ["\n\n", "\r\n\r\n"] {
            let spaced = HEAD.replace('\n', blanks);
            assert_eq!(mended(spaced.as_bytes()).as_deref(), Some(flat));
        }
    }

    #[test]
    fn a_header_that_is_whole_is_left_alone() {
        assert_eq!(mended(HEAD.as_bytes()), None);
        assert_eq!(mended(format!("{HEAD}\nbody\nmore\n").as_bytes()), None);
        assert_eq!(mended(b""), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_without_panic(bytes in proptest::collection::vec(0u8.., 0..400)) {
            let _ = mended(&bytes);
        }
    }
}
