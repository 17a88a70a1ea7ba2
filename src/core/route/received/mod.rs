//! Our own reader of a `Received` field (RFC 5321 §4.4, and what servers write instead).
//!
//! The field is taken apart at bracket depth 0 into clauses ([`scan`], [`clause`]); comments are
//! read for what they state ([`session`]); which word is the HELO name and which the reverse name
//! depends on who wrote the line ([`dialect`], [`client`]). Nothing is invented: a word that is
//! not a name is not given as one.

mod auth;
mod bracket;
mod clause;
mod client;
pub mod dialect;
pub(crate) mod scan;
mod server;
pub(crate) mod session;
mod tls;
pub(crate) mod words;

use std::borrow::Cow;
use std::net::IpAddr;

use crate::message::dates::Stamp;

pub use dialect::Dialect;

/// What one `Received` field says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Received<'x> {
    /// The client, as the writing server saw it.
    pub from: Client<'x>,
    /// The server that wrote the line.
    pub by: Server<'x>,
    /// The protocol, as written: `ESMTPS`, `Microsoft SMTP Server`, `local`.
    pub with: Option<&'x str>,
    /// The link: `HTTP`, `Frontend Transport`, `smap`.
    pub via: Option<&'x str>,
    /// The queue id, without angle brackets.
    pub id: Option<&'x str>,
    /// The recipient.
    pub recipient: Option<&'x str>,
    /// The envelope sender; `<>` is the empty one.
    pub envelope_from: Option<&'x str>,
    /// Whether and as whom the client authenticated.
    pub auth: Auth<'x>,
    /// Whether and how the connection was encrypted.
    pub tls: Tls<'x>,
    /// When the server stamped the line.
    pub time: Option<Stamp>,
    /// All comments at depth 0, in their order, without their brackets.
    pub comments: Vec<&'x str>,
    /// The software that writes like this.
    pub dialect: Option<&'static Dialect>,
    /// Nothing in the field could be read.
    pub unparsed: bool,
}

/// The `from` side of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client<'x> {
    /// A name of which the dialect does not tell whether it is HELO or reverse name.
    pub name: Option<&'x str>,
    /// What the client called itself.
    pub helo: Option<&'x str>,
    /// What the reverse lookup of its address gave.
    pub rdns: Option<&'x str>,
    /// The address that it connected from.
    pub ip: Option<IpAddr>,
    /// Its port.
    pub port: Option<u16>,
    /// The user by RFC 1413, as the client's machine told.
    pub ident: Option<&'x str>,
    /// The login (or `uid N`) that handed the mail over on the machine itself.
    pub login: Option<&'x str>,
    /// The server says that the reverse name does not resolve back to the address.
    pub forged_rdns: bool,
    /// What stands where the address should be, and is none: a number above 255.
    pub impossible_ip: Option<&'x str>,
}

/// The `by` side of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Server<'x> {
    /// What it calls itself, as written: a name, seldom an address.
    pub host: Option<&'x str>,
    /// Its address, when it tells it.
    pub ip: Option<IpAddr>,
    /// A second name of it in a comment, such as the real one behind `localhost`.
    pub alias: Option<&'x str>,
    /// Its software and version, as written.
    pub software: Option<&'x str>,
}

/// What a line says of SMTP authentication.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Auth<'x> {
    /// The line says that the client authenticated.
    pub authenticated: bool,
    /// As whom.
    pub user: Option<&'x str>,
    /// By which mechanism.
    pub mech: Option<&'x str>,
}

/// What a line says of encryption.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tls<'x> {
    /// The line shows that the connection was encrypted; false proves nothing.
    pub used: bool,
    /// The version in one spelling: `TLSv1.3`, `SSLv3`.
    pub version: Option<&'static str>,
    /// The cipher suite, as written.
    pub cipher: Option<&'x str>,
}

/// Undoes the folding of a field body (RFC 5322 §2.2.3): every run of blanks is one blank.
pub fn unfold(body: &str) -> Cow<'_, str> {
    let body = body.trim();
    let bytes = body.as_bytes();
    let folded = memchr::memchr3(b'\r', b'\n', b'\t', bytes).is_some();
    if !folded && memchr::memmem::find(bytes, b"  ").is_none() {
        return Cow::Borrowed(body);
    }
    let mut text = String::with_capacity(body.len());
    for piece in body.split([' ', '\t', '\r', '\n']) {
        if !text.is_empty() && !piece.is_empty() {
            text.push(' ');
        }
        text.push_str(piece);
    }
    Cow::Owned(text)
}

/// Reads the body of a `Received` field, [unfolded](unfold). Never fails: what is not understood stays
/// in the raw text, and [`Received::unparsed`] tells when nothing was understood.
pub fn read(body: &str) -> Received<'_> {
    let tokens = scan::scan(body);
    let line = clause::part(body, &tokens);
    let mut r = Received {
        time: line.time,
        ..Received::default()
    };
    r.comments = line.comments().map(|t| t.text).collect();
    session::read(&line, &mut r);
    server::read(&line, &mut r);
    r.dialect = dialect::of(&line, &r);
    client::read(&line, &mut r);
    r.unparsed = r.time.is_none()
        && r.from == Client::default()
        && r.by.host.is_none()
        && r.by.ip.is_none()
        && r.with.is_none()
        && r.via.is_none()
        && r.id.is_none()
        && r.recipient.is_none();
    r
}

#[cfg(test)]
mod tests;
