//! RTF as mail carries it: compressed (MS-OXRTFCP), and often with the HTML it was made from
//! still in it (MS-OXRTFEX).

use crate::message::inner::container::in_code_page;

/// No mail text is longer; a forged length must not fill the memory.
const MAX_TEXT: usize = 16 << 20;

/// Groups in groups deeper than this keep the state of the last one counted.
const MAX_DEPTH: usize = 256;

/// What every compressed text may refer back to, as the standard prescribes it.
const DICTIONARY: &[u8] = b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \
\\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\
\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";

/// Undoes the compression; `None` when `bytes` are no compressed RTF.
pub(crate) fn decompress(bytes: &[u8]) -> Option<Vec<u8>> {
    const WINDOW: usize = 4_096;
    let kind = bytes.get(8..12)?;
    let body = bytes.get(16..)?;
    if kind == b"MELA" {
        return Some(body.to_vec());
    }
    if kind != b"LZFu" {
        return None;
    }
    let mut window = [b' '; WINDOW];
    window
        .get_mut(..DICTIONARY.len())?
        .copy_from_slice(DICTIONARY);
    let mut write = DICTIONARY.len();
    let mut out = Vec::new();
    let mut put = |byte: u8, write: &mut usize, window: &mut [u8; WINDOW]| {
        if let Some(slot) = window.get_mut(*write) {
            *slot = byte;
        }
        *write = (*write + 1) % WINDOW;
        out.push(byte);
        out.len() < MAX_TEXT
    };
    let mut rest = body.iter().copied();
    'all: while let Some(control) = rest.next() {
        for bit in 0..8 {
            let Some(first) = rest.next() else { break 'all };
            if control >> bit & 1 == 0 {
                if !put(first, &mut write, &mut window) {
                    break 'all;
                }
                continue;
            }
            let Some(second) = rest.next() else {
                break 'all;
            };
            let offset = usize::from(first) << 4 | usize::from(second) >> 4;
            // A reference to the place that is written next is the end.
            if offset == write {
                break 'all;
            }
            for n in 0..usize::from(second & 0xF) + 2 {
                let byte = window.get((offset + n) % WINDOW).copied().unwrap_or(b' ');
                if !put(byte, &mut write, &mut window) {
                    break 'all;
                }
            }
        }
    }
    Some(out)
}

/// The text of an RTF document, and whether it is HTML that was wrapped in RTF.
pub(crate) fn text(source: &[u8]) -> (String, bool) {
    let head = source.get(..source.len().min(1_024)).unwrap_or_default();
    let html = memchr::memmem::find(head, b"\\fromhtml").is_some();
    let mut reader = Reader {
        html,
        state: State {
            skip_unicode: 1,
            ..State::default()
        },
        stack: Vec::new(),
        beyond: 0,
        bytes: Vec::new(),
        out: String::new(),
        high: None,
        page: 1_252,
        to_skip: 0,
    };
    reader.run(source);
    reader.flush();
    (reader.out, html)
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// In a group that is no text: fonts, colours, pictures.
    hidden: bool,
    /// `\htmlrtf`: RTF that was added to the HTML.
    added: bool,
    /// `\ucN`: how many characters stand in for a `\uN`.
    skip_unicode: u32,
}

struct Reader {
    html: bool,
    state: State,
    stack: Vec<State>,
    beyond: usize,
    /// Bytes of the code page that are not yet decoded.
    bytes: Vec<u8>,
    out: String,
    /// The first half of a character that UTF-16 writes in two.
    high: Option<u16>,
    page: u32,
    to_skip: u32,
}

impl Reader {
    fn run(&mut self, source: &[u8]) {
        let mut rest = source;
        let mut starred = false;
        while let [first, tail @ ..] = rest {
            rest = tail;
            match first {
                b'{' => self.open(),
                b'}' => self.close(),
                b'\\' => {
                    let (word, number, after) = control(tail);
                    rest = after;
                    if word == b"*" {
                        starred = true;
                        continue;
                    }
                    if word == b"bin" {
                        let len = usize::try_from(number.unwrap_or(0)).unwrap_or(0);
                        rest = rest.get(len..).unwrap_or_default();
                    } else {
                        self.word(word, number, starred, tail);
                        // `\'hh` takes two digits more.
                        if word == b"'" {
                            rest = rest.get(2..).unwrap_or_default();
                        }
                    }
                }
                b'\r' | b'\n' => {}
                byte => self.byte(*byte),
            }
            starred = false;
            if self.out.len() + self.bytes.len() > MAX_TEXT {
                return;
            }
        }
    }

    fn open(&mut self) {
        // What stands in for a `\u` does not reach into or out of a group.
        self.to_skip = 0;
        if self.stack.len() < MAX_DEPTH {
            self.stack.push(self.state);
        } else {
            self.beyond += 1;
        }
    }

    fn close(&mut self) {
        self.to_skip = 0;
        if self.beyond > 0 {
            self.beyond -= 1;
        } else if let Some(state) = self.stack.pop() {
            self.state = state;
        }
    }

    fn byte(&mut self, byte: u8) {
        if self.to_skip > 0 {
            self.to_skip -= 1;
        } else if !self.state.hidden && !self.state.added {
            self.half();
            self.bytes.push(byte);
        }
    }

    /// A `\u`: a character, or one half of it.
    fn unit(&mut self, unit: u16) {
        if self.state.hidden || self.state.added {
            return;
        }
        if (0xD800..0xDC00).contains(&unit) {
            self.flush();
            self.high = Some(unit);
            return;
        }
        let units = self.high.take().into_iter().chain([unit]);
        for c in char::decode_utf16(units) {
            self.char(c.unwrap_or('\u{FFFD}'));
        }
    }

    /// A first half that no second one follows is no character.
    fn half(&mut self) {
        if self.high.take().is_some() {
            self.out.push('\u{FFFD}');
        }
    }

    fn char(&mut self, c: char) {
        if !self.state.hidden && !self.state.added {
            self.flush();
            self.out.push(c);
        }
    }

    fn flush(&mut self) {
        self.half();
        if !self.bytes.is_empty() {
            let bytes = std::mem::take(&mut self.bytes);
            self.out.push_str(&in_code_page(&bytes, self.page));
        }
    }

    fn word(&mut self, word: &[u8], number: Option<i32>, starred: bool, tail: &[u8]) {
        match word {
            b"htmltag" | b"mhtmltag" if self.html => self.state.hidden = word == b"mhtmltag",
            b"htmlrtf" => self.state.added = number != Some(0),
            b"fonttbl" | b"colortbl" | b"stylesheet" | b"info" | b"pict" | b"object"
            | b"generator" | b"listtable" | b"themedata" | b"xmlnstbl" => self.state.hidden = true,
            _ if starred => self.state.hidden = true,
            b"ansicpg" => self.page = number.and_then(|n| n.try_into().ok()).unwrap_or(1_252),
            b"uc" => {
                self.state.skip_unicode = u32::try_from(number.unwrap_or(1)).unwrap_or(1).min(8);
            }
            b"u" => {
                // Negative numbers are code units over 0x7FFF.
                let unit = u16::try_from(number.unwrap_or(0) & 0xFFFF).unwrap_or(0);
                self.unit(unit);
                self.to_skip = self.state.skip_unicode;
            }
            b"'" => {
                let digits = tail.get(1..3).and_then(|d| std::str::from_utf8(d).ok());
                if let Some(byte) = digits.and_then(|d| u8::from_str_radix(d, 16).ok()) {
                    self.byte(byte);
                }
            }
            b"par" | b"line" | b"sect" | b"row" => self.char('\n'),
            b"tab" | b"cell" => self.char('\t'),
            b"~" => self.char(' '),
            b"\\" | b"{" | b"}" => self.byte(word.first().copied().unwrap_or(b' ')),
            b"lquote" | b"rquote" => self.char('\''),
            b"ldblquote" | b"rdblquote" => self.char('"'),
            b"bullet" => self.char('•'),
            b"endash" | b"emdash" | b"_" => self.char('-'),
            _ => {}
        }
    }
}

/// A control word behind its backslash: its letters, its number, what follows. One blank after
/// it belongs to it.
fn control(tail: &[u8]) -> (&[u8], Option<i32>, &[u8]) {
    let letters = tail
        .iter()
        .take(32)
        .take_while(|b| b.is_ascii_alphabetic())
        .count();
    if letters == 0 {
        return tail
            .split_at_checked(1)
            .map_or((tail, None, &[]), |(w, rest)| (w, None, rest));
    }
    let (word, rest) = tail.split_at_checked(letters).unwrap_or((tail, &[]));
    let sign = usize::from(rest.first() == Some(&b'-'));
    let digits = rest
        .iter()
        .skip(sign)
        .take(10)
        .take_while(|b| b.is_ascii_digit())
        .count();
    let len = if digits > 0 { sign + digits } else { 0 };
    let (number, rest) = rest.split_at_checked(len).unwrap_or((rest, &[]));
    let number = std::str::from_utf8(number)
        .ok()
        .and_then(|text| text.parse().ok());
    (word, number, rest.strip_prefix(b" ").unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard_is_decompressed() {
        // MS-OXRTFCP §3.1.1.
        let bytes = [
            0x2d, 0x00, 0x00, 0x00, 0x2b, 0x00, 0x00, 0x00, 0x4c, 0x5a, 0x46, 0x75, 0xf1, 0xc5,
            0xc7, 0xa7, 0x03, 0x00, 0x0a, 0x00, 0x72, 0x63, 0x70, 0x67, 0x31, 0x32, 0x35, 0x42,
            0x32, 0x0a, 0xf3, 0x20, 0x68, 0x65, 0x6c, 0x09, 0x00, 0x20, 0x62, 0x77, 0x05, 0xb0,
            0x6c, 0x64, 0x7d, 0x0a, 0x80, 0x0f, 0xa0,
        ];
        let rtf = decompress(&bytes).unwrap();
        assert_eq!(rtf, b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n");
        assert_eq!(text(&rtf), ("hello world".to_owned(), false));
    }

    #[test]
    fn text_is_taken_and_everything_else_left() {
        let rtf = b"{\\rtf1\\ansi\\ansicpg1251{\\fonttbl{\\f0 Arial;}}{\\*\\generator x;}\\uc1 \
            a\\par b\\'cf\\u1088?\\{c\\}\\tab d}";
        assert_eq!(text(rtf), ("a\nbПр{c}\td".to_owned(), false));
    }

    #[test]
    fn characters_in_two_units_come_together_and_a_group_ends_what_stands_in_for_one() {
        let rtf = b"{\\rtf1\\ansi\\uc1 \\u-10179?\\u-8704?|{\\u8364}e|\\u-10179?x}";
        assert_eq!(text(rtf).0, "\u{1F600}|\u{20AC}e|\u{FFFD}x");
    }

    #[test]
    fn all_code_pages_of_mapi_are_known_here_too() {
        let rtf = b"{\\rtf1\\ansi\\ansicpg20866 \\'d0\\'d2}";
        assert_eq!(text(rtf).0, "\u{43f}\u{440}");
    }

    #[test]
    fn html_in_rtf_comes_out_as_html() {
        let rtf = b"{\\rtf1\\ansi\\fromhtml1 {\\*\\htmltag64 <p>}\\htmlrtf {\\b\\htmlrtf0 x \
            {\\*\\htmltag84 &nbsp;}\\htmlrtf }\\par\\htmlrtf0 {\\*\\htmltag72 </p>}}";
        assert_eq!(text(rtf), ("<p>x &nbsp;</p>".to_owned(), true));
    }
}
