//! What stands in brackets behind the first word of `from`: address, names, marks.

use super::scan::{Kind, Token, scan_comment};
use super::words::{
    Endpoint, after, bare, endpoint, find, helo_name, host_name, is_impossible_address,
    is_no_reverse, is_placeholder,
};

/// What the brackets and marks of the clause say, before it is decided what the first word is.
#[derive(Default)]
pub(super) struct Seen<'x> {
    /// The address in brackets.
    pub(super) at: Option<Endpoint>,
    /// It stood in square brackets.
    pub(super) square: bool,
    /// A name right before the address, or a placeholder that says that there is none.
    pub(super) named: Option<Option<&'x str>>,
    /// A name alone in a comment.
    pub(super) alone: Option<&'x str>,
    /// `helo=`, `HELO`, `EHLO`, `LHLO`, `claiming to be`: the mark, and the name if one follows.
    pub(super) helo: Option<Option<&'x str>>,
    pub(super) ident: Option<&'x str>,
    /// The ident stood before an `@`, not behind `ident=`.
    pub(super) ident_at: bool,
    pub(super) port: Option<u16>,
    /// CommuniGate: the name resolves to the address.
    pub(super) verified: bool,
    pub(super) forged: bool,
    pub(super) impossible: Option<&'x str>,
}

/// One comment of the clause. Of one that speaks of authentication only marks and addresses
/// count: the user in it is no ident and no name.
pub(super) fn read<'x>(text: &'x str, login: bool, seen: &mut Seen<'x>) {
    let mut comment = Comment {
        seen,
        login,
        name: None,
        no_name: false,
        count: 0,
        helo_next: false,
    };
    for token in scan_comment(text) {
        comment.token(token);
    }
    if comment.count == 1 && comment.seen.at.is_none() && comment.seen.alone.is_none() {
        comment.seen.alone = comment.name;
    }
}

/// A comment that is being read.
struct Comment<'s, 'x> {
    seen: &'s mut Seen<'x>,
    /// It speaks of authentication.
    login: bool,
    /// The last name, when it was one.
    name: Option<&'x str>,
    /// The last word said that there is no name.
    no_name: bool,
    /// The words so far.
    count: usize,
    /// The next word is what the client called itself.
    helo_next: bool,
}

impl<'x> Comment<'_, 'x> {
    fn token(&mut self, token: Token<'x>) {
        if token.kind == Kind::Comment {
            self.seen.forged |= find(token.text, "forged").is_some();
            return;
        }
        let word = token.text;
        self.count += 1;
        if self.mark(word) {
            return;
        }
        // PP: `(actually host.example.com)`; the remark is no word of the name.
        if self.count == 1 && is_remark(word) {
            self.count = 0;
            return;
        }
        self.place(word);
    }

    /// A word that tells what it or the next one is; true when it was one.
    fn mark(&mut self, word: &'x str) -> bool {
        if std::mem::take(&mut self.helo_next) {
            self.seen.helo = Some(helo_name(word));
        } else if is_helo(word) {
            self.seen.helo = Some(None);
            self.helo_next = true;
        } else if let Some((said, name)) = quoted(word).and_then(|w| w.split_once(' '))
            && is_helo(said)
        {
            // ZMailer: `[192.0.2.1]:3456 "HELO name" smtp-auth: <none>`.
            self.seen.helo = Some(helo_name(name));
        } else if word.eq_ignore_ascii_case("verified") {
            self.seen.verified = self.seen.at.is_some();
        } else {
            return keyed(word, self.seen) || tagged(word, self.seen);
        }
        true
    }

    /// An address, a name, an ident before one of them.
    fn place(&mut self, word: &'x str) {
        let (ident, place) = split_ident(word);
        // `(NJE origin SMTP@HOST)`: within a phrase it is no ident.
        let ident =
            ident.filter(|_| self.count == 1 || place.starts_with('[') || self.seen.helo.is_some());
        let token = place.find('[').and_then(|at| place.get(at..));
        let token = token.is_some_and(|t| endpoint(t).is_none() && !is_placeholder(t));
        if ident.is_some() && !self.login && !token {
            self.seen.ident = self.seen.ident.or(ident);
            self.seen.ident_at = true;
        }
        if let Some(port) = ident_port(word) {
            self.seen.port = Some(port);
        }
        let (before, literal) = glued(place);
        if let Some(before) = before {
            self.name = host_name(before).filter(|_| !is_no_reverse(before));
            self.no_name = is_no_reverse(before);
        }
        if let Some(at) = endpoint(literal) {
            let square = literal.starts_with('[');
            self.seen.place(at, square, self.name, self.no_name);
        } else if self.login {
            // A user, or what is said of one.
        } else if literal.starts_with('[') {
            self.literal(literal, before);
        } else if before.is_none() {
            self.no_name = is_no_reverse(literal) && !literal.is_empty();
            self.name = host_name(literal).filter(|_| !self.no_name);
            // `(mailer@localhost)`: the place behind an ident is a name even when it stands alone.
            if ident.is_some() && !literal.is_empty() && self.count == 1 {
                self.seen.alone = self.seen.alone.or(self.name);
            }
        }
    }

    /// Square brackets without an address in them.
    fn literal(&mut self, literal: &'x str, before: Option<&str>) {
        // The word before `[local]` or `[unix socket]` is a name all the same.
        self.no_name |= is_placeholder(literal);
        // `user@place[token]`: what stands before a token of untold kind is no reverse name.
        self.name = self
            .name
            .filter(|_| before.is_none() || is_placeholder(literal));
        if is_impossible_address(literal) {
            self.seen.impossible = Some(bare(literal));
        } else if bare(literal).eq_ignore_ascii_case("local") && self.name.is_some() {
            self.seen.named = self.seen.named.or(Some(self.name));
        }
    }
}

impl<'x> Seen<'x> {
    /// An address in a comment; the last one counts, but a second one in the same field must not
    /// undo what the first said of the name.
    fn place(&mut self, at: Endpoint, square: bool, name: Option<&'x str>, no_name: bool) {
        // A word without a dot before a bare address is as likely a token as a name.
        let name =
            name.filter(|n| square || n.contains('.') || n.eq_ignore_ascii_case("localhost"));
        if name.is_some() || no_name {
            self.named = Some(name);
        }
        self.port = at.port.or(self.port);
        self.square = square;
        self.at = Some(at);
    }
}

/// `helo=x`, `ident=x`, `port=1`.
fn keyed<'x>(word: &'x str, seen: &mut Seen<'x>) -> bool {
    let Some((key, value)) = word.split_once('=') else {
        return false;
    };
    match key {
        k if is_helo(k) => seen.helo = Some(helo_name(value)),
        k if k.eq_ignore_ascii_case("ident") => {
            seen.ident = Some(value).filter(|v| !v.is_empty());
        }
        k if k.eq_ignore_ascii_case("port") => seen.port = value.parse().ok(),
        k if k.eq_ignore_ascii_case("rdns") => seen.named = Some(host_name(value)),
        k if k.eq_ignore_ascii_case("ip") => {
            seen.at = endpoint(value);
        }
        _ => return false,
    }
    true
}

/// `ip:192.0.2.1`, `mailfrom:a@b`, `fp:token`: a key of letters, a colon, and a value. True when
/// the word was one; an IPv6 address has a digit or another colon before long.
fn tagged<'x>(word: &'x str, seen: &mut Seen<'x>) -> bool {
    let Some((key, value)) = word.split_once(':') else {
        return false;
    };
    let named = key.len() > 1 && key.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
    if !named || value.is_empty() || matches!(key, "IDENT" | "ident") || endpoint(word).is_some() {
        return false;
    }
    if key.eq_ignore_ascii_case("ip")
        && let Some(at) = endpoint(value)
    {
        seen.at = Some(at);
    }
    true
}

/// A word before the reverse name that says where it comes from.
fn is_remark(word: &str) -> bool {
    ["actually", "really"]
        .iter()
        .any(|w| w.eq_ignore_ascii_case(word))
}

/// What stands in double quotes.
fn quoted(word: &str) -> Option<&str> {
    word.strip_prefix('"')?.strip_suffix('"')
}

/// `ident@place`, parted at the last `@`; qmail's ident may have one itself.
pub(super) fn split_ident(word: &str) -> (Option<&str>, &str) {
    let Some((ident, place)) = word.rsplit_once('@') else {
        return (None, word);
    };
    let ident = after(ident, "IDENT:").unwrap_or(ident);
    let named = !ident.is_empty() && !ident.starts_with("\"port ");
    (named.then_some(ident), place)
}

/// PMDF writes `"port 34611"@host`.
fn ident_port(word: &str) -> Option<u16> {
    let rest = word.strip_prefix("\"port ")?;
    rest.split('"').next()?.parse().ok()
}

/// `name[192.0.2.1]`, parted before the bracket.
pub(super) fn glued(word: &str) -> (Option<&str>, &str) {
    match word.find('[') {
        Some(at) if at > 0 => (word.get(..at), word.get(at..).unwrap_or_default()),
        _ => (None, word),
    }
}

pub(super) fn is_helo(word: &str) -> bool {
    let word = word.strip_suffix(':').unwrap_or(word);
    ["helo", "ehlo", "lhlo"]
        .iter()
        .any(|h| h.eq_ignore_ascii_case(word))
}
