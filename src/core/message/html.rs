//! HTML to the text that a person sees of it: tags out, entities undone, one line for each block
//! element, and for each stretch of text the byte of the markup it came from.

use mail_parser::decoders::html::add_html_token;
use memchr::{memchr, memchr2, memmem};

/// Turns markup into text; the pairs are (byte of the text, byte of the markup), both rising.
pub fn text(source: &str) -> (String, Vec<(usize, usize)>) {
    let mut page = Page {
        source,
        out: String::with_capacity(source.len() / 2),
        pairs: Vec::new(),
        pre: 0,
        quotes: Vec::new(),
        no_comment_end: false,
    };
    page.run();
    (page.out, page.pairs)
}

struct Page<'s> {
    source: &'s str,
    out: String,
    pairs: Vec<(usize, usize)>,
    /// How many `<pre>` are open.
    pre: u32,
    /// The open `<blockquote>`s; true for those that quote another mail.
    quotes: Vec<bool>,
    /// No `-->` follows any more: looking again and again would not be linear.
    no_comment_end: bool,
}

/// Elements whose start and end are line ends.
const BLOCKS: [&str; 30] = [
    "p",
    "div",
    "tr",
    "table",
    "tbody",
    "ul",
    "ol",
    "li",
    "dl",
    "dt",
    "dd",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "pre",
    "blockquote",
    "hr",
    "body",
    "html",
    "form",
    "section",
    "article",
    "header",
    "footer",
    "center",
    "address",
    "fieldset",
];

/// Elements whose content nobody sees.
const HIDDEN: [&str; 5] = ["style", "script", "title", "xml", "template"];

impl<'s> Page<'s> {
    fn run(&mut self) {
        let mut at = 0;
        while let Some(rest) = self.source.get(at..).filter(|rest| !rest.is_empty()) {
            let stop = memchr2(b'<', b'&', rest.as_bytes()).unwrap_or(rest.len());
            if stop > 0 {
                self.words(rest.get(..stop).unwrap_or_default(), at);
                at += stop;
            } else if rest.starts_with('&') {
                at += self.entity(rest, at);
            } else {
                at += self.tag(rest, at);
            }
        }
    }

    fn mark(&mut self, from: usize) {
        // A quotation reads as in plain text: each line with its marks.
        if self.out.is_empty() || self.out.ends_with('\n') {
            let depth = self.quotes.iter().filter(|quote| **quote).count();
            self.out.extend(std::iter::repeat_n("> ", depth));
        }
        self.pairs.push((self.out.len(), from));
    }

    fn words(&mut self, text: &str, at: usize) {
        if self.pre > 0 {
            let mut from = at;
            for line in text.split_inclusive('\n') {
                // Empty lines get no marks: they would make a small page large.
                if !line.trim().is_empty() {
                    self.mark(from);
                }
                self.out.push_str(line);
                from += line.len();
            }
            return;
        }
        let mut from = at;
        // Blanks of every length are one blank; at the start of a line they are none.
        for piece in text.split_inclusive(|c: char| c.is_ascii_whitespace()) {
            let word = piece.trim_ascii_end();
            if !word.is_empty() {
                self.mark(from);
                self.out.push_str(word);
            }
            if word.len() < piece.len() && !self.out.is_empty() && !self.out.ends_with([' ', '\n'])
            {
                self.out.push(' ');
            }
            from += piece.len();
        }
    }

    fn entity(&mut self, rest: &str, at: usize) -> usize {
        // The longest name is `&CounterClockwiseContourIntegral;`; those in mail have up to 10.
        const MAX_NAME: usize = 12;
        self.mark(at);
        let bytes = rest.as_bytes();
        let name = bytes
            .iter()
            .skip(1)
            .take(MAX_NAME)
            .take_while(|b| b.is_ascii_alphanumeric() || **b == b'#');
        let len = 1 + name.count();
        if bytes.get(len) != Some(&b';') || len < 3 {
            self.out.push('&');
            return 1;
        }
        let name = rest.get(..=len).unwrap_or_default();
        if name.eq_ignore_ascii_case("&nbsp;") || name == "&#160;" {
            self.out.push(' ');
        } else {
            add_html_token(&mut self.out, name.as_bytes(), false);
        }
        len + 1
    }

    /// Takes what starts with `<`; gives its length.
    fn tag(&mut self, rest: &str, at: usize) -> usize {
        if rest.starts_with("<!--") && !self.no_comment_end {
            if let Some(end) = memmem::find(rest.as_bytes(), b"-->") {
                return end + 3;
            }
            self.no_comment_end = true;
        }
        let closing = rest.as_bytes().get(1) == Some(&b'/');
        let name_at = if closing { 2 } else { 1 };
        let name = name(rest.get(name_at..).unwrap_or_default());
        let Some(len) = (if name.is_none() { None } else { tag_len(rest) }) else {
            // A bare `<`, or an address in brackets that nobody escaped.
            self.mark(at);
            self.out.push('<');
            return 1;
        };
        let name = name.unwrap_or_default().to_ascii_lowercase();
        match name.as_str() {
            "br" => self.out.push('\n'),
            "td" | "th" if closing => self.blank(),
            "pre" | "xmp" | "plaintext" => {
                self.pre = if closing {
                    self.pre.saturating_sub(1)
                } else {
                    self.pre + 1
                };
                self.new_line();
            }
            hidden if HIDDEN.contains(&hidden) && !closing => {
                return len + self.hidden(rest, len, hidden);
            }
            block if BLOCKS.contains(&block) => {
                // An empty paragraph is an empty line to the eye.
                if closing && block == "p" && self.out.ends_with("\n ") {
                    self.out.push('\n');
                }
                self.new_line();
                if block == "blockquote" {
                    self.quote(rest.get(..len).unwrap_or_default(), closing);
                }
            }
            _ => {}
        }
        len
    }

    /// Mail programs tell quotations (`type="cite"`, `class="gmail_quote"`) from mere indentation.
    fn quote(&mut self, tag: &str, closing: bool) {
        const MAX_DEPTH: usize = 10;
        if closing {
            self.quotes.pop();
        } else if self.quotes.len() < MAX_DEPTH {
            let tag = tag.to_ascii_lowercase();
            self.quotes
                .push(tag.contains("cite") || tag.contains("quote_") || tag.contains("_quote"));
        }
    }

    fn hidden(&self, rest: &str, from: usize, name: &str) -> usize {
        let body = rest.get(from..).unwrap_or_default();
        let mut at = 0;
        while let Some(next) = body
            .get(at..)
            .and_then(|b| memmem::find(b.as_bytes(), b"</"))
        {
            at += next + 2;
            let found = body.get(at..at + name.len());
            if found.is_some_and(|found| found.eq_ignore_ascii_case(name)) {
                return at - 2;
            }
        }
        body.len()
    }

    fn new_line(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }

    fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with([' ', '\n']) {
            self.out.push(' ');
        }
    }
}

/// The name of the element; `None` when this is no tag.
fn name(rest: &str) -> Option<&str> {
    // No element has a longer name; a "name" with an @ is an address.
    const MAX_NAME: usize = 40;
    let bytes = rest.as_bytes();
    let first = bytes.first()?;
    if matches!(first, b'!' | b'?') {
        return Some("!");
    }
    let len = bytes
        .iter()
        .take(MAX_NAME)
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'-' | b'_' | b'.'));
    let len = len.count();
    let ends = bytes
        .get(len)
        .is_none_or(|b| b.is_ascii_whitespace() || matches!(b, b'>' | b'/'));
    (first.is_ascii_alphabetic() && ends).then(|| rest.get(..len))?
}

/// The length of the tag with its `>`, which may also stand in a quoted attribute.
fn tag_len(rest: &str) -> Option<usize> {
    // A tag longer than this is no tag; without a bound many open `<` would cost square time.
    const MAX_TAG: usize = 16_384;
    let bytes = rest.as_bytes().get(..rest.len().min(MAX_TAG))?;
    let first = memchr(b'>', bytes)?;
    let mut end = first;
    for _ in 0..4 {
        let quotes = memchr::memchr_iter(b'"', bytes.get(..end)?).count();
        if quotes.is_multiple_of(2) {
            return Some(end + 1);
        }
        match memchr(b'>', bytes.get(end + 1..)?) {
            Some(next) => end += next + 1,
            None => break,
        }
    }
    Some(first + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_becomes_the_lines_that_a_person_sees() {
        let page = "<html><head><title>x</title><style>p {a: b > c}</style></head><body>\
            <p class=\"a>b\">550&nbsp;5.1.1 &lt;a@example.com&gt;&hellip; User\r\n   unknown</p>\
            <div>Gr&uuml;&#223;e<br>zwei</div><!-- <p>no</p> --><table><tr><td>a</td><td>b</td></tr></table>\
            <pre>one\n  two</pre></body></html>";
        assert_eq!(
            text(page).0.trim_end(),
            "550 5.1.1 <a@example.com>… User unknown\nGrüße\nzwei\na b \none\n  two"
        );
    }

    #[test]
    fn an_unescaped_address_and_a_lone_bracket_stay() {
        assert_eq!(
            text("to <bob@example.com>: 1 < 2").0,
            "to <bob@example.com>: 1 < 2"
        );
    }

    #[test]
    fn quotations_are_marked_as_in_plain_text() {
        let page = "Me:<blockquote type=\"cite\"><p>a</p><blockquote class=gmail_quote>b<br>c</blockquote>\
            <pre>d\n e</pre></blockquote>f<blockquote>g</blockquote>";
        assert_eq!(text(page).0, "Me:\n> a\n> > b\n> > c\n> d\n>  e\nf\ng\n");
    }

    #[test]
    fn pairs_point_back_at_the_markup() {
        let page = "<p>one</p>\n<p>two &amp; three</p>";
        let (text, pairs) = text(page);
        let at = text.find("three").unwrap();
        let (to, from) = pairs[pairs.partition_point(|(t, _)| *t <= at) - 1];
        assert_eq!(&page[from + at - to..][..5], "three");
    }
}
