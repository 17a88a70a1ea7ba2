//! Which way to go to a server, as a user may choose it.

/// How to treat TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsMode {
    /// STARTTLS when it is offered; from the first byte on port 465.
    #[default]
    Auto,
    /// STARTTLS, or it is a failure; the certificate has to be right.
    Required,
    /// TLS from the first byte.
    Implicit,
    /// No TLS at all.
    None,
}

/// Which families of addresses to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "names of families")]
pub struct Families {
    pub v4: bool,
    pub v6: bool,
}
