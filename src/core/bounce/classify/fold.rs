//! A text as the rules see it: lower case, single blanks, marks off letters, typographic signs
//! made plain, continuation codes (`550-`) gone, and every address, link, host name and IP
//! address replaced by one sign, so that `quota@spam.example` says nothing about quota or spam.
//!
//! What was replaced is kept, lower-cased, behind the words: rules about providers and lists look
//! there and only there.

#[path = "plain.rs"]
mod plain;
mod token;

pub(crate) use token::Token as Kind;

/// Stands for an e-mail address.
pub(crate) const ADDRESS: u8 = 1;
/// Stands for a link.
pub(crate) const LINK: u8 = 2;
/// Stands for an IP address.
pub(crate) const IP: u8 = 3;
/// Stands for a host or domain name.
pub(crate) const HOST: u8 = 4;
/// Begins each replaced piece in the second half.
pub(crate) const PIECE: u8 = 5;

/// Bytes of a text that are looked at. A reason stands at its beginning; this keeps the cost of a
/// hostile text bounded.
const LIMIT: usize = 16 * 1024;

/// Where a piece that was replaced stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// What it is.
    pub(crate) kind: Kind,
    /// The place of its sign in the words.
    pub(crate) at: usize,
    /// Its bytes in the text that was folded.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// A folded text: the words, then the pieces that were replaced in them.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    bytes: Vec<u8>,
    words: usize,
    spans: Vec<Span>,
}

impl Folded {
    /// Words and pieces, for the scan.
    pub(crate) fn all(&self) -> &[u8] {
        &self.bytes
    }

    /// The pieces again, with their places in the text.
    pub(crate) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The words.
    pub(crate) fn words(&self) -> &[u8] {
        self.bytes.get(..self.words).unwrap_or_default()
    }

    /// The pieces that were replaced, each after a [`PIECE`].
    pub(crate) fn pieces(&self) -> &[u8] {
        self.bytes.get(self.words..).unwrap_or_default()
    }
}

/// Folds a text.
pub(crate) fn fold(text: &str) -> Folded {
    let text = cut(text);
    let mut folder = Folder {
        words: Vec::with_capacity(text.len() + 64),
        ..Folder::default()
    };
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c.is_ascii() {
            let (len, signs) = chunk_of(rest.as_bytes());
            if len == 0 {
                folder.sign(c as u8);
                rest = rest.get(1..).unwrap_or_default();
            } else {
                let at = text.len() - rest.len();
                folder.chunk(rest.get(..len).unwrap_or_default(), at, signs);
                rest = rest.get(len..).unwrap_or_default();
            }
        } else {
            folder.foreign(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    folder.finish()
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LIMIT)).unwrap_or(text)
}

/// What a byte does in a chunk.
mod class {
    /// It ends the chunk: a blank, a bracket, a quote, anything beyond ASCII.
    pub(super) const END: u8 = 1;
    /// Only a chunk with such a byte can be more than a word.
    pub(super) const NAME: u8 = 2;
    /// It does not always stand in the words as it is.
    pub(super) const SIGN: u8 = 4;
}

/// The class of each byte.
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut code = 0u8;
    loop {
        let class = match code {
            ..=b' ' | 0x7f.. => class::END,
            b'<' | b'>' | b'(' | b')' | b'[' | b']' | b'{' | b'}' => class::END,
            b'"' | b'\'' | b'`' | b',' | b';' | b'|' | b'*' => class::END,
            b'.' | b':' => class::NAME | class::SIGN,
            b'@' => class::NAME,
            b'!' | b'?' | b'-' | b'_' | b'=' | b'~' | b'#' | b'\\' | b'^' | b'$' => class::SIGN,
            _ => 0,
        };
        #[expect(clippy::indexing_slicing, reason = "there is a class for every byte")]
        {
            classes[code as usize] = class;
        }
        if code == u8::MAX {
            break classes;
        }
        code += 1;
    }
};

fn class_of(byte: u8) -> u8 {
    CLASSES
        .get(usize::from(byte))
        .copied()
        .unwrap_or(class::END)
}

/// Bytes that belong together: no blank, no bracket, no quote; and the classes of them all.
fn chunk_of(bytes: &[u8]) -> (usize, u8) {
    let mut signs = 0;
    for (len, &byte) in bytes.iter().enumerate() {
        let class = class_of(byte);
        if class & class::END != 0 {
            return (len, signs);
        }
        signs |= class;
    }
    (bytes.len(), signs)
}

#[derive(Default)]
struct Folder {
    words: Vec<u8>,
    pieces: Vec<u8>,
    spans: Vec<Span>,
    /// The reply code of a multi-line reply, and its enhanced code: both come again in each line.
    repeated: Option<[u8; 3]>,
    repeated_enhanced: Option<Vec<u8>>,
    /// The last chunk was the repeated code on its own.
    after_code: bool,
}

impl Folder {
    fn push(&mut self, byte: u8) {
        if byte == b' ' && matches!(self.words.last(), None | Some(b' ')) {
            return;
        }
        self.words.push(byte);
    }

    /// A byte that ends chunks.
    fn sign(&mut self, byte: u8) {
        match byte {
            // An apostrophe inside a word goes without a trace: doesn't, doesnt, doesn’t.
            b'\'' | b'`' if self.words.last().is_some_and(u8::is_ascii_alphabetic) => {
                self.words.push(b'\'');
            }
            b',' | b';' => self.stop(byte),
            _ => {
                self.quote_off(false);
                self.push(b' ');
            }
        }
    }

    /// Punctuation stands right behind the word before it.
    fn stop(&mut self, byte: u8) {
        self.quote_off(false);
        while self.words.last() == Some(&b' ') {
            self.words.pop();
        }
        if !self.words.is_empty() {
            self.words.push(byte);
        }
        self.push(b' ');
    }

    /// Settles an apostrophe that was put off: joined to a following letter it vanishes, else it
    /// was a closing quote.
    fn quote_off(&mut self, joined: bool) {
        if self.words.last() == Some(&b'\'') {
            self.words.pop();
            if !joined || self.article() {
                self.push(b' ');
            }
        }
    }

    /// True when the last word is a French or Italian article or preposition whose vowel gave way to
    /// the apostrophe: the word behind it is one of its own (l'adresse, dell'utente).
    fn article(&self) -> bool {
        const ELIDED: [&[u8]; 8] = [
            b"l", b"d", b"qu", b"all", b"dell", b"nell", b"sull", b"dall",
        ];
        let word = self.words.rsplit(|b| !b.is_ascii_lowercase()).next();
        word.is_some_and(|word| ELIDED.contains(&word))
    }

    fn foreign(&mut self, c: char) {
        match c {
            '’' | '‘' | '´' | 'ʼ' | '＇' => return self.sign(b'\''),
            '“' | '”' | '„' | '«' | '»' | '‹' | '›' | '–' | '—' | '‐' | '‑' | '…' | '「' | '」'
            | '『' | '』' | '【' | '】' | '（' | '）' => {
                self.quote_off(false);
                return self.push(b' ');
            }
            '。' | '．' => return self.stop(b'.'),
            '、' | '，' => return self.stop(b','),
            '：' => return self.stop(b':'),
            // Marks that stand behind their letter: a text from a Mac writes ü as two characters.
            '\u{300}'..='\u{36f}' => return,
            '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{ad}' | '\u{2060}' => return,
            _ => {}
        }
        self.quote_off(true);
        if c.is_whitespace() {
            self.push(b' ');
        } else if let Some(plain) = plain::letters(c) {
            self.words.extend_from_slice(plain.as_bytes());
        } else {
            for lower in c.to_lowercase() {
                let mut utf8 = [0; 4];
                self.words
                    .extend_from_slice(lower.encode_utf8(&mut utf8).as_bytes());
            }
        }
    }

    /// `at`: where the chunk begins in the text; `signs`: the classes of its bytes.
    fn chunk(&mut self, chunk: &str, at: usize, signs: u8) {
        let bytes = chunk.as_bytes();
        self.quote_off(bytes.first().is_some_and(u8::is_ascii_alphabetic));
        let bytes = self.continuation(bytes);
        let at = at + chunk.len() - bytes.len();
        if signs == 0 {
            return self.plain(bytes);
        }
        if signs & class::NAME == 0 {
            return self.text(bytes);
        }
        let Some((range, kind)) = Kind::find(bytes) else {
            return self.text(bytes);
        };
        self.text(bytes.get(..range.start).unwrap_or_default());
        self.spans.push(Span {
            kind,
            at: self.words.len(),
            start: at + range.start,
            end: at + range.end,
        });
        self.push(match kind {
            Kind::Address => ADDRESS,
            Kind::Link => LINK,
            Kind::Ip => IP,
            Kind::Host => HOST,
        });
        self.pieces.push(PIECE);
        let piece = bytes.get(range.clone()).unwrap_or_default();
        self.pieces.extend(piece.iter().map(u8::to_ascii_lowercase));
        self.text(bytes.get(range.end..).unwrap_or_default());
    }

    /// Drops the code that each line of a multi-line reply repeats; the first one stays.
    fn continuation<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let after_code = std::mem::take(&mut self.after_code);
        if after_code && self.repeated_enhanced.as_deref() == Some(bytes) {
            return &[];
        }
        let [a @ (b'2' | b'4' | b'5'), b, c, tail @ ..] = bytes else {
            return bytes;
        };
        if !b.is_ascii_digit() || !c.is_ascii_digit() {
            return bytes;
        }
        let code = [*a, *b, *c];
        match tail {
            [] => {
                self.after_code = self.repeated == Some(code);
                if self.after_code { &[] } else { bytes }
            }
            [b'-', tail @ ..] => {
                if self.repeated == Some(code) {
                    self.after_code = tail.is_empty();
                    return if self.repeated_enhanced.as_deref() == Some(tail) {
                        &[]
                    } else {
                        tail
                    };
                }
                if self.repeated.is_none() {
                    self.repeated = Some(code);
                    let enhanced = tail.iter().all(|b| b.is_ascii_digit() || *b == b'.');
                    self.repeated_enhanced = (enhanced && !tail.is_empty()).then(|| tail.to_vec());
                }
                self.words.extend_from_slice(&code);
                self.push(b' ');
                tail
            }
            _ => bytes,
        }
    }

    /// Letters and what else stands in the words as it is.
    fn plain(&mut self, bytes: &[u8]) {
        let from = self.words.len();
        self.words.extend_from_slice(bytes);
        if let Some(new) = self.words.get_mut(from..) {
            new.make_ascii_lowercase();
        }
    }

    fn text(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let [byte, tail @ ..] = rest {
            let sign = |b: &u8| class_of(*b) & class::SIGN != 0;
            let run = rest.iter().position(sign).unwrap_or(rest.len());
            if let (Some(plain @ [_, ..]), Some(tail)) = (rest.get(..run), rest.get(run..)) {
                self.plain(plain);
                rest = tail;
                continue;
            }
            match byte {
                b'.' if tail.first() == Some(&b'.') => {
                    self.push(b' ');
                    rest = tail;
                    while let [b'.', more @ ..] = rest {
                        rest = more;
                    }
                    continue;
                }
                // ".zip" is a word about files, not the end of a sentence.
                b'.' if !tail.is_empty() && matches!(self.words.last(), None | Some(b' ')) => {}
                b'.' | b':' | b'!' | b'?' if tail.is_empty() => self.stop(*byte),
                b'-' | b'_' | b'=' | b'~' | b'#' | b'\\' | b'^' | b'$' => self.push(b' '),
                _ => self.words.push(*byte),
            }
            rest = tail;
        }
    }

    fn finish(mut self) -> Folded {
        self.quote_off(false);
        while self.words.last() == Some(&b' ') {
            self.words.pop();
        }
        let words = self.words.len();
        self.words.append(&mut self.pieces);
        Folded {
            bytes: self.words,
            words,
            spans: self.spans,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        String::from_utf8_lossy(fold(text).words())
            .replace('\u{1}', "{addr}")
            .replace('\u{2}', "{link}")
            .replace('\u{3}', "{ip}")
            .replace('\u{4}', "{host}")
    }

    #[test]
    fn case_blanks_hyphens_and_quotes_are_made_one() {
        assert_eq!(words("  Mailbox\r\n\tOVER-quota "), "mailbox over quota");
        assert_eq!(words("User doesn't exist"), "user doesnt exist");
        assert_eq!(words("User doesn’t exist"), "user doesnt exist");
        assert_eq!(
            words("user 'bob' unknown, sorry ."),
            "user bob unknown, sorry."
        );
        assert_eq!(
            words("Boîte aux lettres n’existe pas"),
            "boite aux lettres nexiste pas"
        );
        assert_eq!(words("ПОЛЬЗОВАТЕЛЬ не найден"), "пользователь не найден");
    }

    #[test]
    fn an_elided_article_is_a_word_of_its_own() {
        assert_eq!(
            words("L'adresse de l’expéditeur"),
            "l adresse de l expediteur"
        );
        assert_eq!(
            words("casella dell'utente piena"),
            "casella dell utente piena"
        );
        assert_eq!(words("I'd say it didn't"), "id say it didnt");
    }

    #[test]
    fn marks_go_however_they_are_written() {
        assert_eq!(
            words("Postfach u\u{308}berfu\u{308}llt"),
            "postfach uberfullt"
        );
        assert_eq!(words("Hộp thư đã đầy"), "hop thu da day");
    }

    #[test]
    fn addresses_links_hosts_and_ips_say_nothing() {
        assert_eq!(
            words("<full@quota.example>... User unknown"),
            "{addr} user unknown"
        );
        assert_eq!(words("see https://x.example/spam?quota=1."), "see {link}.");
        assert_eq!(
            words("Client host [192.0.2.1] blocked using zen.spamhaus.org;"),
            "client host {ip} blocked using {host};"
        );
        assert_eq!(words("[2001:db8::1] rejected"), "{ip} rejected");
        assert_eq!(words("name=alder.example type=MX"), "name {host} type mx");
        assert_eq!(
            words("connect to mx.example[192.0.2.1]:25: refused"),
            "connect to {host} {ip} :25: refused"
        );
    }

    #[test]
    fn dotted_words_and_codes_are_not_hosts() {
        assert_eq!(
            words("RESOLVER.ADR.RecipNotFound; not found"),
            "resolver.adr.recipnotfound; not found"
        );
        assert_eq!(
            words("550 #5.1.0 Address rejected."),
            "550 5.1.0 address rejected."
        );
        assert_eq!(
            words("Mailbox full.Please wait"),
            "mailbox full.please wait"
        );
    }

    #[test]
    fn continuation_codes_vanish_and_the_first_stays() {
        assert_eq!(
            words("550-5.1.1 The account does 550-5.1.1 not exist 550 5.1.1 at all"),
            "550 5.1.1 the account does not exist at all"
        );
        assert_eq!(
            words("552-Requested action aborted 552-Quota exceeded 552 See"),
            "552 requested action aborted quota exceeded see"
        );
    }

    #[test]
    fn what_was_replaced_is_kept_behind_the_words() {
        let folded = fold("see HTTP://List.Example/q?ip=192.0.2.1 or ask Me@Here.example");
        assert_eq!(folded.words(), b"see \x02 or ask \x01");
        assert_eq!(
            folded.pieces(),
            b"\x05http://list.example/q?ip=192.0.2.1\x05me@here.example"
        );
    }
}
