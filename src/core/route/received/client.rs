//! The `from` clause: which word is the HELO name, which the reverse name, which the address.
//!
//! A mark (`helo=`, `(HELO x)`, `claiming to be`) settles it: then the first word is the reverse
//! name. A name beside the address in the brackets is the reverse name, then the first word is
//! HELO. With an address alone the dialect decides, and where it does not, the word is a name of
//! untold kind. The connecting address is always the one that the receiving server added.

use super::bracket::{self, Seen, glued, is_helo, split_ident};
use super::clause::{Line, words};
use super::dialect::{Dialect, Order};
use super::scan::{Kind, Token};
use super::words::{
    after, bare, endpoint, find, helo_name, host_name, is_impossible_address, is_placeholder,
    mailbox,
};
use super::{Client, Received, auth, server, session};

/// Reads the client and puts it into `r`.
pub(crate) fn read<'x>(line: &Line<'_, 'x>, r: &mut Received<'x>) {
    let mut said = words(line.from);
    // A literal in front of everything is a word too; `from ([192.0.2.1] helo=x)` has no word.
    let leading = line.from.first().is_some_and(|t| t.kind == Kind::Word);
    let first = if leading { said.next() } else { None };
    let mut seen = Seen::default();
    let rest: Vec<&str> = said.collect();
    outside(&rest, &mut seen);
    for comment in line.from.iter().filter(|t| t.kind == Kind::Comment) {
        // Courier: `(IDENT: mail, TLS: …)`.
        if let Some(ident) = after(comment.text, "ident: ") {
            let ident = ident
                .split([',', ' '])
                .next()
                .filter(|i| !is_placeholder(i));
            seen.ident = seen.ident.or(ident);
        }
        // What a proxy says of its client is a claim, not the connection.
        if !session::is_session(comment.text) && after(comment.text, "prox").is_none() {
            let login = auth::of(comment.text).is_some();
            bracket::read(comment.text, login, &mut seen);
        }
    }
    exim_3(line, &mut seen, r.dialect);
    let client = &mut r.from;
    let Some(opening) = line.opening().filter(|_| !leading) else {
        settle(line, first, &seen, r);
        return;
    };
    opened(opening, client);
    settle(line, first, &seen, r);
}

/// A line that begins with a comment: `(qmail 1 invoked by uid 2)`, `(from x@localhost)`.
fn opened<'x>(text: &'x str, client: &mut Client<'x>) {
    if let Some(login) = after(text, "from ") {
        let login = login.split(['@', ' ']).next().unwrap_or(login);
        client.login = Some(login).filter(|l| !l.is_empty());
    } else if let Some(at) = find(text, "invoked by uid ") {
        let rest = text.get(at + "invoked by ".len()..);
        client.login =
            rest.and_then(|uid| uid.get("uid ".len()..)?.split_ascii_whitespace().next());
    } else if let Some(address) = after(text, "ofmipd ") {
        client.ip = endpoint(address.trim()).map(|e| e.ip);
    }
}

/// Words behind the first one outside brackets: `[192.0.2.1]`, `HELO x`, `claiming to be "x"`.
fn outside<'x>(rest: &[&'x str], seen: &mut Seen<'x>) {
    for (n, word) in rest.iter().enumerate() {
        let next = || rest.get(n + 1).copied();
        if let Some(at) = endpoint(word).filter(|_| word.starts_with('[') || rest.len() == 1) {
            seen.at = seen.at.or(Some(at));
            seen.square |= word.starts_with('[');
        } else if is_helo(word) || (*word == "be" && n >= 2) {
            seen.helo = Some(next().and_then(helo_name));
        } else if let Some(helo) = after(word, "helo=") {
            seen.helo = Some(helo_name(helo));
        }
    }
}

/// Exim 3: `from name (helo) [192.0.2.1.25] (ident)`, each of the comments may be missing.
fn exim_3<'x>(line: &Line<'_, 'x>, seen: &mut Seen<'x>, dialect: Option<&'static Dialect>) {
    if dialect.is_none_or(|d| d.id != "exim") || seen.helo.is_some() {
        return;
    }
    let literal = |t: &Token<'_>| t.kind == Kind::Word && t.text.starts_with('[');
    let Some(at) = line.from.iter().position(literal).filter(|at| *at > 0) else {
        return;
    };
    let alone = |t: Option<&Token<'x>>| {
        t.filter(|t| t.kind == Kind::Comment && !t.text.contains([' ', '=', ':', '@']))
            .map(|t| t.text)
    };
    if let Some(helo) = alone(line.from.get(at - 1)) {
        seen.helo = Some(helo_name(helo));
        seen.alone = None;
    }
    if let Some(ident) = alone(line.from.get(at + 1)) {
        seen.ident = seen.ident.or(Some(ident));
        seen.alone = None;
    }
}

/// Decides what the first word is.
fn settle<'x>(line: &Line<'_, 'x>, first: Option<&'x str>, seen: &Seen<'x>, r: &mut Received<'x>) {
    let (glued_name, literal) = first.map_or((None, None), |w| {
        let (name, literal) = glued(w);
        (name, Some(literal))
    });
    let first_at = literal.and_then(endpoint);
    let at = seen.at.or(first_at);
    let client = &mut r.from;
    client.ip = at.map(|e| e.ip).or(client.ip);
    client.port = seen.port.or(at.and_then(|e| e.port));
    client.ident = seen.ident;
    client.forged_rdns = seen.forged;
    // The patches that teach qmail to authenticate put the user where ident would stand.
    if seen.ident_at && !seen.square && r.auth.authenticated {
        r.auth.user = r.auth.user.or(seen.ident);
    }
    client.impossible_ip = seen.impossible.or(first
        .filter(|w| at.is_none() && is_impossible_address(w))
        .map(bare));
    let first = if first_at.is_some() {
        glued_name
    } else {
        first
    };
    // The literal that a client gave as its name, when the address stands elsewhere. A browser
    // gives no name: web mail repeats the address.
    let web = r.with.is_some_and(|w| after(w, "http").is_some());
    let helo_literal = literal.filter(|_| first_at.is_some() && seen.at.is_some() && !web);
    let Some(word) = first else {
        if let Some(helo) = seen.helo {
            client.helo = helo;
        } else {
            client.helo = helo_literal.and_then(helo_name);
            client.rdns = seen.named.flatten();
        }
        return;
    };
    if word.contains('@') && !word.starts_with('@') {
        mailbox_first(word, seen, r);
        return;
    }
    if let Some(helo) = seen.helo {
        client.rdns = seen.named.flatten().or_else(|| host_name(word));
        client.helo = helo;
        // Exim's `from login (helo=x) … with local-bsmtp`: a login has no reverse name.
        if client.ip.is_none() && is_local(r.with) {
            r.from.rdns = None;
            r.from.login = Some(word);
            r.from.name = helo_name(word);
        }
        return;
    }
    if let Some(rdns) = seen.named {
        client.rdns = rdns;
        client.helo = helo_name(word);
        return;
    }
    if let Some(rdns) = seen.alone.filter(|n| seen.at.is_none() && is_full(n)) {
        client.rdns = Some(rdns);
        client.helo = helo_name(word);
        return;
    }
    nameless(line, word, seen, r);
}

/// A name that a reverse lookup could have given, rather than a remark.
fn is_full(name: &str) -> bool {
    name.contains('.') || name.eq_ignore_ascii_case("localhost")
}

/// The first word is a mailbox: the sender (qmail-scanner, AOL), or `ident@name` (qpsmtpd).
fn mailbox_first<'x>(word: &'x str, seen: &Seen<'x>, r: &mut Received<'x>) {
    if let Some(helo) = seen.helo {
        let (ident, name) = split_ident(word);
        r.from.ident = r.from.ident.or(ident);
        r.from.rdns = host_name(name);
        r.from.helo = helo;
    } else if let Some(rdns) = seen.named {
        // Anything may be said in HELO: the receiver put name and address behind it.
        r.from.rdns = rdns;
        r.from.helo = helo_name(word);
    } else if seen.at.is_some() {
        r.from.name = helo_name(word);
    } else if r.envelope_from.is_none() {
        r.envelope_from = mailbox(word);
    }
}

/// No name stands beside the address, or there is no address at all: the dialect decides.
fn nameless<'x>(line: &Line<'_, 'x>, word: &'x str, seen: &Seen<'x>, r: &mut Received<'x>) {
    let local = is_local(r.with);
    let whole = server::run(line.body, line.from).unwrap_or(word);
    let several = words(line.from).nth(1);
    let client = &mut r.from;
    let said_unknown = !word.contains('.') && after(word, "unknown").is_some();
    if is_placeholder(word) || said_unknown {
        return;
    }
    match seen.at {
        Some(at) => match order(line, seen, r.dialect) {
            _ if seen.verified => both(client, word),
            Order::Both if !at.glued => both(client, word),
            Order::Helo => client.helo = helo_name(word),
            Order::Both | Order::Untold => client.name = helo_name(word),
        },
        None if local => {
            client.login = Some(word);
            client.name = helo_name(word);
        }
        None => {
            // More than one word is a phrase (`mail pickup service`), but for GroupWise, whose
            // domains have blanks, and Gmail's `123 named unknown`.
            let full = host_name(word).is_some_and(is_full);
            let named = full || several.is_none_or(|w| w.eq_ignore_ascii_case("named"));
            let groupwise = r.dialect.is_some_and(|d| d.id == "groupwise");
            if named {
                client.name = helo_name(word);
            } else if groupwise {
                client.name = Some(whole.trim());
            }
        }
    }
}

/// The client is known by one word, as the lookup confirmed.
fn both<'x>(client: &mut Client<'x>, word: &'x str) {
    client.rdns = host_name(word);
    client.helo = helo_name(word);
}

fn is_local(with: Option<&str>) -> bool {
    with.is_some_and(|w| after(w, "local").is_some())
}

/// What the first word is when only an address follows.
fn order(line: &Line<'_, '_>, seen: &Seen<'_>, dialect: Option<&'static Dialect>) -> Order {
    // qmail: `name (192.0.2.1)` or `name (ident@192.0.2.1)`, without square brackets, no weekday.
    let round = !seen.square;
    if seen.ident_at {
        // `name (ident@[192.0.2.1])` is sendmail without a reverse name.
        return if round { Order::Both } else { Order::Helo };
    }
    match dialect {
        // qmail never writes square brackets around the address, nor does Critical Path.
        Some(d) if matches!(d.id, "qmail" | "critical-path" | "qpsmtpd" | "yahoo") && !round => {
            Order::Untold
        }
        Some(d) => d.order,
        None if round && line.bare_date && line.time.is_some_and(|t| t.offset() == 0) => {
            Order::Both
        }
        None => Order::Untold,
    }
}
