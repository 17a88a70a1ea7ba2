//! Settings that are one of a few words: the words, what they mean, and the values. Help, manual and
//! the reader of the file take them from here.

use crate::bounce::advice::Audience;
use crate::report::painter::When;
use crate::smtp::TlsMode;

/// A value that is one of a few words.
pub trait Choice: Copy + PartialEq + 'static {
    /// Each word, what it means, and the value.
    const ALL: &'static [(&'static str, &'static str, Self)];

    /// The value of a word.
    fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(name, _, _)| *name == word)
            .map(|&(_, _, value)| value)
    }

    /// The word of a value.
    fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, _, value)| *value == self)
            .map_or("", |(name, _, _)| name)
    }
}

/// The shape of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Human,
    /// One JSON object per line.
    Json,
    /// The status line of a Nagios plugin (`dnsbl` only).
    Nagios,
    /// Metrics for Prometheus (`dnsbl` only).
    Prometheus,
}

/// Which addresses are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Family {
    Any,
    V4,
    V6,
}

impl Choice for Family {
    const ALL: &'static [(&'static str, &'static str, Self)] = &[
        ("any", "IPv4 and IPv6", Self::Any),
        ("4", "IPv4 only", Self::V4),
        ("6", "IPv6 only", Self::V6),
    ];
}

impl Choice for TlsMode {
    const ALL: &'static [(&'static str, &'static str, Self)] = &[
        (
            "auto",
            "STARTTLS when it is offered, TLS first on port 465",
            Self::Auto,
        ),
        (
            "required",
            "STARTTLS, with a certificate that is right",
            Self::Required,
        ),
        ("implicit", "TLS from the first byte", Self::Implicit),
        ("none", "No TLS", Self::None),
    ];
}

impl Choice for Format {
    const ALL: &'static [(&'static str, &'static str, Self)] = &[
        ("human", "For people, as wide as the terminal", Self::Human),
        ("json", "One JSON object per line, for scripts", Self::Json),
        (
            "nagios",
            "A status line for Nagios and Icinga (dnsbl)",
            Self::Nagios,
        ),
        (
            "prometheus",
            "Metrics for Prometheus' textfile collector (dnsbl)",
            Self::Prometheus,
        ),
    ];
}

impl Choice for When {
    const ALL: &'static [(&'static str, &'static str, Self)] = &[
        (
            "auto",
            "On a terminal, unless NO_COLOR is set or TERM is dumb",
            Self::Auto,
        ),
        ("always", "Always", Self::Always),
        ("never", "Never", Self::Never),
    ];
}

impl Choice for Audience {
    const ALL: &'static [(&'static str, &'static str, Self)] = &[
        (
            "user",
            "Plain words for the person who got the bounce",
            Self::User,
        ),
        (
            "admin",
            "Technical words for the administrator of a mail server",
            Self::Admin,
        ),
        (
            "both",
            "The person first, then the administrator",
            Self::Both,
        ),
    ];
}
