//! The `by`, `with`, `via`, `id` and `for` clauses.

use std::net::IpAddr;

use super::clause::{Line, comments, words};
use super::scan::{Kind, Token};
use super::words::{address, after, bare, find, helo_name, host_name, is_placeholder, mailbox};
use super::{Received, session, tls};

/// Reads everything but the client.
pub(crate) fn read<'x>(line: &Line<'_, 'x>, r: &mut Received<'x>) {
    by(line, r);
    with(line, r);
    if r.by.software.is_none() {
        r.by.software = product(line).map(str::trim);
    }
    r.via = run(line.body, line.via)
        .filter(|v| !is_placeholder(v))
        .map(str::trim);
    let secured = |v: &str| v.eq_ignore_ascii_case("ssl") || v.eq_ignore_ascii_case("tls");
    r.tls.used |= r.via.is_some_and(secured);
    id_and_recipient(line, r);
    if let Some((_, uid)) = words(line.login).next().zip(words(line.login).nth(1)) {
        r.from.login = Some(uid);
    }
}

/// The words of a clause up to its first comment, as they stand in the field.
pub(crate) fn run<'x>(body: &'x str, clause: &[Token<'x>]) -> Option<&'x str> {
    let first = clause.iter().find(|t| t.kind == Kind::Word)?;
    let last = clause
        .iter()
        .skip_while(|t| t.kind != Kind::Word)
        .take_while(|t| t.kind == Kind::Word)
        .last()?;
    body.get(first.start..last.end)
}

fn by<'x>(line: &Line<'_, 'x>, r: &mut Received<'x>) {
    let mut said = words(line.by);
    if let Some(first) = said.next() {
        let second = said.next();
        let product =
            second.is_some_and(|w| host_name(w).is_some() || is_release(w)) && !first.contains('.');
        if product {
            // `By OpenMail Mailer;`, `by simscan 1.4.0`: a product where the host should be.
            r.by.software = run(line.body, line.by).map(str::trim);
        } else {
            let first = portless(first);
            r.by.host = helo_name(first);
            r.by.ip = address(first);
        }
        for word in second.into_iter().chain(said) {
            // IIS: `by HOST over TLS secured channel with Microsoft SMTPSVC`.
            r.tls.used |= word == "TLS";
            if let Some(ip) = address(word) {
                r.by.ip = r.by.ip.or(Some(ip));
            } else if word.starts_with('<') && r.id.is_none() {
                r.id = Some(bare(word));
            }
        }
    }
    for comment in comments(line.by) {
        if session::is_session(comment) || find(comment, "authenticated").is_some() {
            continue;
        }
        if let Some(uid) = comment.strip_prefix("uid ") {
            r.from.login = Some(uid.trim());
            continue;
        }
        match place(comment, r.by.ip.is_none()) {
            Place::Address(ip) => r.by.ip = Some(ip),
            Place::Named(name, ip) => {
                r.by.alias = Some(name);
                r.by.ip = r.by.ip.or(Some(ip));
            }
            Place::Software(text, ip) => {
                r.by.ip = r.by.ip.or(ip);
                if r.by.software.is_none() && !text.is_empty() {
                    r.by.software = Some(text);
                }
            }
        }
        // Postfix: `(Postfix, from userid 33)`.
        if let Some(at) = find(comment, "from userid ") {
            r.from.login = comment
                .get(at + 12..)
                .and_then(|uid| uid.split_ascii_whitespace().next());
        }
    }
}

/// A release number: `1.4.0`, and no address.
fn is_release(word: &str) -> bool {
    word.contains('.')
        && word.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && address(word).is_none()
}

/// `mx.example.org:25`, `192.0.2.1:587` without the port.
fn portless(word: &str) -> &str {
    match word.rsplit_once(':') {
        Some((host, port))
            if !host.contains(':')
                && !host.is_empty()
                && !port.is_empty()
                && port.bytes().all(|b| b.is_ascii_digit()) =>
        {
            host
        }
        _ => word,
    }
}

/// What a comment behind the server's name is.
enum Place<'x> {
    Address(IpAddr),
    Named(&'x str, IpAddr),
    Software(&'x str, Option<IpAddr>),
}

fn place(comment: &str, want_address: bool) -> Place<'_> {
    let mut parts = comment.split_ascii_whitespace();
    let (first, second, third) = (parts.next(), parts.next(), parts.next());
    if let (Some(word), None) = (first, second)
        && want_address
        && let Some(ip) = address(word)
        && !is_version(word)
    {
        return Place::Address(ip);
    }
    if let (Some(name), Some(literal), None) = (first, second, third)
        && let Some(ip) = address(literal)
    {
        // `(mx.example.org [192.0.2.1])` names the host, `(KumoMTA 192.0.2.1)` the product.
        return match host_name(name) {
            Some(name) if literal.starts_with('[') => Place::Named(name, ip),
            _ => Place::Software(name, Some(ip)),
        };
    }
    Place::Software(comment.trim(), None)
}

/// `7.0.030.2` is a version: no server lives in 1/8 to 9/8 and says so without brackets, and no
/// address is written with leading zeros.
fn is_version(word: &str) -> bool {
    let padded = word.split('.').any(|n| n.len() > 1 && n.starts_with('0'));
    let low = word.as_bytes().get(1) == Some(&b'.')
        && word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    padded || low
}

/// The product in a comment of any other clause: one that starts with a letter and has a version.
fn product<'x>(line: &Line<'_, 'x>) -> Option<&'x str> {
    let behind_from = line.tokens.iter().skip(line.from.len() + 1);
    behind_from
        .filter(|t| t.kind == Kind::Comment)
        .map(|t| t.text)
        .find(|text| {
            let version = text
                .as_bytes()
                .windows(3)
                .any(|w| matches!(w, [a, b'.', c] if a.is_ascii_digit() && c.is_ascii_digit()));
            version
                && text.starts_with(|c: char| c.is_ascii_alphabetic())
                && !session::is_session(text)
                && find(text, "authenticated").is_none()
                && !text.contains('@')
        })
}

fn with<'x>(line: &Line<'_, 'x>, r: &mut Received<'x>) {
    for word in words(line.with_more).take(1) {
        r.tls.used |= word.eq_ignore_ascii_case("STARTTLS") || find(word, "tls").is_some();
    }
    remarks(line, r);
    let Some(text) = run(line.body, clause_of_protocol(line, r)) else {
        return;
    };
    let text = text.trim_end_matches([',', ':']);
    if encrypted(text, r) {
        return;
    }
    let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    if let Some(inner) = inner {
        r.by.software.get_or_insert(inner);
    }
    let Some(chosen) = protocol(text, inner, r) else {
        return;
    };
    note_protocol(chosen, r);
    // HTTPS, POP3-SSL, IMAPS: encrypted by their nature.
    r.tls.used |= ["https", "pop3s", "imaps"]
        .iter()
        .any(|p| after(chosen, p).is_some())
        || find(chosen, "ssl").is_some();
    r.with = Some(chosen);
}

/// The comments behind the protocol: the product, `with IMAP (fetchmail-6.4.38)`, and who logged
/// in, `with esmtpsa (ID alice@example.com)`.
fn remarks<'x>(line: &Line<'_, 'x>, r: &mut Received<'x>) {
    for comment in comments(line.with) {
        let said = comment.trim();
        if let Some(user) = said.strip_prefix("ID ").filter(|u| !u.contains(' ')) {
            let protocol = words(line.with).next().and_then(session::protocol);
            if protocol.is_some_and(|(authenticated, _)| authenticated) {
                r.auth.user = r.auth.user.or(Some(bare(user)));
                continue;
            }
        }
        if r.by.software.is_none()
            && !session::is_session(comment)
            && find(comment, "authenticated").is_none()
            && comment.starts_with(|c: char| c.is_ascii_alphanumeric())
            // The server's name as the client asked for it (RFC 6066 §3), and an address.
            && !comment.starts_with("SNI ")
            && address(said).is_none()
        {
            r.by.software = Some(said);
        }
    }
}

/// The clause in which the protocol stands. s/qmail puts another `with` before it: `de/crypted with
/// TLSv1.3: CIPHER [256/256] DN=unknown by HOST with ESMTPS`.
fn clause_of_protocol<'t, 'x>(line: &Line<'t, 'x>, r: &mut Received<'x>) -> &'t [Token<'x>] {
    let first = words(line.with).next().unwrap_or_default();
    if tls::version(bare(first)).is_none() {
        return line.with;
    }
    r.tls.used = true;
    words(line.with)
        .take(2)
        .for_each(|w| tls::note(bare(w), &mut r.tls));
    line.with_more
}

/// Forms that put protocol and cipher together; true when it was one of them.
fn encrypted<'x>(text: &'x str, r: &mut Received<'x>) -> bool {
    let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let mut said = inner.unwrap_or(text).split_ascii_whitespace();
    let (first, last) = (said.next().unwrap_or_default(), said.next_back());
    // IronPort: `ESMTP/TLS/CIPHER`.
    if let Some((protocol, rest)) = first.split_once('/')
        && session::protocol(protocol).is_some()
    {
        r.tls.used = true;
        // The newer form goes on behind a blank: `ESMTP/TLS/TLSv1.2 CIPHER`.
        for part in rest.split('/').chain(said).chain(last) {
            tls::note(part, &mut r.tls);
        }
        r.with = Some(protocol);
        note_protocol(protocol, r);
        return true;
    }
    if first.eq_ignore_ascii_case("cipher") {
        return true;
    }
    // qmail: `with CIPHER encrypted SMTP`.
    if let Some(word) = last
        && find(text, " encrypted").is_some()
    {
        r.tls.used = true;
        tls::note(first, &mut r.tls);
        r.with = Some(word);
        note_protocol(word, r);
        return true;
    }
    false
}

/// The protocol among the words of the clause; what stands before it is the product. `with
/// UNKNOWN` (Momentum) says nothing.
fn protocol<'x>(text: &'x str, inner: Option<&'x str>, r: &mut Received<'x>) -> Option<&'x str> {
    let is_protocol = |word: &&str| session::protocol(word).is_some();
    let mut said = inner.unwrap_or(text).split_ascii_whitespace();
    let (first, last) = (said.next().unwrap_or_default(), said.next_back());
    // `with ESMTP AUTH` instead of ESMTPA.
    r.auth.authenticated |= last.is_some_and(|w| w.eq_ignore_ascii_case("AUTH"));
    let chosen = if is_protocol(&first) {
        first
    } else if let Some(word) = last.filter(is_protocol) {
        let product = text.get(..text.len() - word.len()).unwrap_or_default();
        r.by.software.get_or_insert(product.trim());
        word
    } else {
        let within = inner.and_then(|i| i.split(' ').find(is_protocol));
        within.or(inner).unwrap_or(text)
    };
    (!chosen.eq_ignore_ascii_case("unknown")).then_some(chosen)
}

fn note_protocol(word: &str, r: &mut Received<'_>) {
    if let Some((authenticated, encrypted)) = session::protocol(word) {
        r.auth.authenticated |= authenticated;
        r.tls.used |= encrypted;
    }
}

fn id_and_recipient<'x>(line: &Line<'_, 'x>, r: &mut Received<'x>) {
    if let Some(word) = words(line.id).next() {
        let mut id = word.trim_matches(['<', '>', ',', ';']);
        // `id 846CF2117for <a@b>`: the blank before `for` got lost.
        let next = words(line.id).nth(1);
        if line.recipient.is_empty()
            && let Some(path) = next.filter(|w| w.starts_with('<'))
            && let Some(cut) = id.strip_suffix("for")
        {
            id = cut;
            r.recipient = mailbox(path);
        }
        if id.bytes().any(|b| b.is_ascii_alphanumeric()) {
            r.id = Some(id);
        }
    }
    let mut said = words(line.recipient);
    if let Some(word) = said.next() {
        let alone = said.next().is_none();
        // `for bob` is a mailbox of the machine, `for multiple recipients` is none.
        let local = || host_name(word).filter(|_| alone);
        // `for Bob <bob@example.org>`: a path behind a name.
        let path = || {
            words(line.recipient)
                .find(|w| w.starts_with('<'))
                .and_then(mailbox)
        };
        r.recipient = mailbox(word)
            .or_else(path)
            .filter(|m| *m != "<>")
            .or_else(local);
    }
    // IDA sendmail: `(5.65c/IDA-1.4.4 for <bob@example.org>)`.
    if line.recipient.is_empty() && r.recipient.is_none() {
        r.recipient = line.comments().find_map(|comment| {
            let at = find(comment.text, " for <")?;
            let path = comment.text.get(at + " for ".len()..)?;
            mailbox(path.split('>').next()?).filter(|m| m.contains('@'))
        });
    }
}
