//! The test message: what it says of itself, what the user adds, what tests a filter.

use std::fmt::Write;
use std::hint::black_box;

use chrono::{DateTime, Utc};
use data_encoding::BASE64;

use crate::message::layer::Head;

use super::token::Token;

/// Octets of a line before its CR LF (RFC 5322 section 2.1.1).
const LONGEST_LINE: usize = 998;
/// Octets of base64 in a line (RFC 2045 section 6.8).
const ENCODED_LINE: usize = 76;
/// The line that fills a message up to a size, with its CR LF.
const FILL: &str = "This line only makes the message as large as it shall be. -------------\r\n";

/// What a test message is made of.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What it is known by.
    pub token: Token,
    /// The host in its Message-ID.
    pub host: String,
    /// `From`.
    pub from: String,
    /// `To`.
    pub to: Vec<String>,
    /// `Subject`, behind the token.
    pub subject: String,
    /// The text in place of ours.
    pub body: Option<Vec<u8>>,
    /// The same text as a web page, beside the other.
    pub html: Option<Vec<u8>>,
    /// A whole message, sent as it is behind our mark; nothing else of this counts then.
    pub whole: Option<Vec<u8>>,
    /// Text that is not ASCII is written as it is, not encoded.
    pub eight_bit: bool,
    /// Further fields; they take the place of ours of the same name.
    pub fields: Vec<(String, String)>,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// The EICAR test file, which every virus scanner takes for a virus, is attached.
    pub eicar: bool,
    /// The GTUBE line, which spam filters take for spam, stands in the text.
    pub gtube: bool,
    /// Octets that it has at least.
    pub size: Option<usize>,
    /// Now.
    pub now: DateTime<Utc>,
}

/// A file that goes along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub media: String,
    /// What is in it.
    pub content: Vec<u8>,
}

/// Why a message cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDraft {
    /// A field with a line break in it, or a name that is none.
    #[error("\"{0}\" is no header field; write 'Name: value' on one line")]
    Field(String),
    /// An address with something in it that would break the header.
    #[error("\"{0}\" is no mail address; write one such as me@example.net")]
    Address(String),
}

/// Fields that exist once: one of the user's takes the place of ours.
const OURS: [&str; 9] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Auto-Submitted",
];

impl Draft {
    /// The Message-ID without its brackets.
    pub fn message_id(&self) -> String {
        if let Some(whole) = &self.whole {
            let head = Head::parse(whole);
            let id = head.get("Message-ID").unwrap_or_default();
            return id.trim().trim_matches(['<', '>']).to_string();
        }
        let own = self.fields.iter();
        let own = own.filter(|(name, _)| name.eq_ignore_ascii_case("Message-ID"));
        let mut own = own.map(|(_, value)| value.trim_matches(['<', '>', ' ']).to_string());
        own.next_back()
            .unwrap_or_else(|| format!("{}@{}", self.token, self.host))
    }

    /// The message with CR LF.
    pub fn write(&self) -> Result<Vec<u8>, BadDraft> {
        for address in self.to.iter().chain([&self.from]) {
            if address.contains(|c: char| c.is_control() || c == '<' || c == '>') {
                return Err(BadDraft::Address(address.clone()));
            }
        }
        for (name, value) in &self.fields {
            let good = !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_graphic() && b != b':')
                && !value.contains(|c: char| c.is_control() && c != '\t');
            if !good {
                return Err(BadDraft::Field(format!("{name}: {value}")));
            }
        }
        if let Some(whole) = &self.whole {
            let mut out = self.mark().into_bytes();
            out.extend_from_slice(&crlf(whole));
            return Ok(out);
        }
        let mut out = self.head();
        let (content, text) = self.content();
        let parts = self.parts();
        if parts.is_empty() {
            if !self.names("Content-Type") {
                out.push_str(&content);
            }
            out.push_str("\r\n");
            let mut out = out.into_bytes();
            out.extend_from_slice(&text);
            self.fill(&mut out);
            return Ok(out);
        }
        let boundary = format!("=_{}", self.token);
        let _ = write!(
            out,
            "Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n{content}\r\n"
        );
        let mut out = out.into_bytes();
        out.extend_from_slice(&text);
        self.fill(&mut out);
        for part in parts {
            let name = part.name.replace(['"', '\\'], "_");
            let name = name.replace(|c: char| c.is_control() || !c.is_ascii(), "_");
            out.extend_from_slice(
                format!(
                    "\r\n--{boundary}\r\nContent-Type: {}; name=\"{name}\"\r\nContent-Disposition: \
                     attachment; filename=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n",
                    part.media
                )
                .as_bytes(),
            );
            out.extend_from_slice(&base64_lines(&part.content));
        }
        out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        Ok(out)
    }

    /// The text with its type: alone, or beside the same as a web page.
    fn content(&self) -> (String, Vec<u8>) {
        let part = |text: &[u8], kind: &str| {
            let (encoding, text, charset) = encode_text(text, self.eight_bit);
            let head = format!(
                "Content-Type: text/{kind}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n"
            );
            (head, text)
        };
        let (head, text) = part(&self.text(), "plain");
        let Some(html) = &self.html else {
            return (head, text);
        };
        let boundary = format!("=_a_{}", self.token);
        let mut body = Vec::new();
        for (head, text) in [(head, text), part(html, "html")] {
            body.extend_from_slice(format!("--{boundary}\r\n{head}\r\n").as_bytes());
            body.extend_from_slice(&text);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        let head = format!("Content-Type: multipart/alternative; boundary=\"{boundary}\"\r\n");
        (head, body)
    }

    /// The field that tells it is ours.
    fn mark(&self) -> String {
        let time = self.now.format("%Y-%m-%dT%H:%M:%SZ");
        format!("X-Mailtrace-Test: {}; time={time}; v=1\r\n", self.token)
    }

    fn names(&self, field: &str) -> bool {
        let mut own = self.fields.iter();
        own.any(|(name, _)| name.eq_ignore_ascii_case(field))
    }

    fn head(&self) -> String {
        let date = self.now.format("%a, %-d %b %Y %H:%M:%S +0000").to_string();
        let token = &self.token;
        let ours = [
            ("Date", date),
            ("From", format!("<{}>", self.from)),
            (
                "To",
                match self.to.as_slice() {
                    [] => "undisclosed-recipients:;".to_string(),
                    to => {
                        let each: Vec<String> = to.iter().map(|to| format!("<{to}>")).collect();
                        each.join(",\r\n\t")
                    }
                },
            ),
            ("Subject", subject(token, &self.subject)),
            ("Message-ID", format!("<{}>", self.message_id())),
            ("MIME-Version", "1.0".to_string()),
            // RFC 3834: vacation programs shall not answer.
            ("Auto-Submitted", "auto-generated".to_string()),
        ];
        let mut out = self.mark();
        for (name, value) in ours {
            if !self.names(name) {
                let _ = write!(out, "{name}: {value}\r\n");
            }
        }
        for (name, value) in &self.fields {
            if OURS
                .iter()
                .any(|o| o.eq_ignore_ascii_case(name) && o.starts_with("Content"))
                && !self.parts().is_empty()
            {
                // The parts have types of their own; the whole is a multipart.
                continue;
            }
            let _ = write!(out, "{name}: {}\r\n", value.trim());
        }
        out
    }

    fn text(&self) -> Vec<u8> {
        let mut text = match &self.body {
            Some(body) => body.clone(),
            None => format!(
                "{}\n\nThis is a test message of mailtrace, sent at {} UTC\nby {}.\nSomebody \
                 wants to see whether and how mail gets here. It can be deleted.\n",
                self.token,
                self.now.format("%Y-%m-%d %H:%M:%S"),
                self.from,
            )
            .into_bytes(),
        };
        if self.gtube {
            text.extend_from_slice(b"\n");
            text.extend_from_slice(&gtube());
            text.extend_from_slice(b"\n");
        }
        text
    }

    fn parts(&self) -> Vec<Attachment> {
        let mut parts = self.attachments.clone();
        if self.eicar {
            parts.push(Attachment {
                name: "eicar.com".to_string(),
                media: "application/octet-stream".to_string(),
                content: eicar(),
            });
        }
        parts
    }

    /// Fills the text up, so that the whole has the size that was asked for.
    fn fill(&self, out: &mut Vec<u8>) {
        let parts: usize = self.parts().iter().map(|p| p.content.len() * 4 / 3).sum();
        let Some(size) = self.size else {
            return;
        };
        while out.len() + parts + FILL.len() <= size {
            out.extend_from_slice(FILL.as_bytes());
        }
        let rest = size.saturating_sub(out.len() + parts);
        if rest > 2 {
            out.extend(std::iter::repeat_n(b'-', rest - 2));
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// The subject with the token, as encoded words (RFC 2047) when it is not ASCII.
fn subject(token: &Token, text: &str) -> String {
    if text.is_ascii() && !text.contains(char::is_control) {
        return format!("[mailtrace {token}] {text}");
    }
    let mut out = format!("[mailtrace {token}]");
    let chars: Vec<char> = text.chars().filter(|c| !c.is_control()).collect();
    for piece in chars.chunks(10) {
        let piece: String = piece.iter().collect();
        let _ = write!(out, "\r\n =?UTF-8?B?{}?=", BASE64.encode(piece.as_bytes()));
    }
    out
}

/// Line ends made CR LF. With a file's last line end, none is added.
fn crlf(text: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(text.len() + 64);
    let mut each = text.split(|b| *b == b'\n').peekable();
    while let Some(line) = each.next() {
        if each.peek().is_none() && line.is_empty() {
            break;
        }
        lines.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        lines.extend_from_slice(b"\r\n");
    }
    lines
}

/// Line ends made CR LF; as it is when it is plain ASCII with short lines (or may be 8 bit), else
/// base64.
fn encode_text(text: &[u8], eight_bit: bool) -> (&'static str, Vec<u8>, &'static str) {
    let lines = crlf(text);
    let longest = lines.split(|b| *b == b'\n').map(<[u8]>::len).max();
    let short = longest.unwrap_or(0) <= LONGEST_LINE + 1 && !text.contains(&0);
    let charset = match (text.is_ascii(), std::str::from_utf8(text).is_ok()) {
        (true, _) => "us-ascii",
        (_, true) => "utf-8",
        _ => "unknown-8bit",
    };
    match (text.is_ascii(), eight_bit) {
        (true, _) if short => ("7bit", lines, charset),
        (false, true) if short => ("8bit", lines, charset),
        _ => ("base64", base64_lines(&lines), charset),
    }
}

fn base64_lines(octets: &[u8]) -> Vec<u8> {
    let encoded = BASE64.encode(octets);
    let mut out = Vec::with_capacity(encoded.len() + encoded.len() / 38 + 2);
    for line in encoded.as_bytes().chunks(ENCODED_LINE) {
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Turns letters back that stand one further, so that neither this file nor the program itself is
/// taken for what it makes.
fn back(shifted: &[&[u8]]) -> Vec<u8> {
    let letters = shifted.iter().flat_map(|piece| black_box(*piece));
    letters.map(|letter| letter - 1).collect()
}

/// The EICAR test file.
fn eicar() -> Vec<u8> {
    back(&[
        b"Y6P\"Q&ABQ\\5]Q[Y65)Q_*8DD*8~%",
        b"FJDBS.TUBOEBSE.BOUJWJSVT.UFTU.GJMF\"%I,I+",
    ])
}

/// The GTUBE line.
fn gtube() -> Vec<u8> {
    back(&[
        b"YKT+D5KECRBEO2/OTCO4+3JEOFO+HU",
        b"VCF.TUBOEBSE.BOUJ.VCF.UFTU.FNBJM+D/45Y",
    ])
}

#[cfg(test)]
mod tests;
