//! One record: terms and their syntax (RFC 7208 §4.6, §12).

use std::net::{Ipv4Addr, Ipv6Addr};

/// A record, with what is wrong in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The terms that can be read, in order.
    pub terms: Vec<Term>,
    /// The terms that cannot, and why. One of them makes the whole record a permerror.
    pub faults: Vec<(String, Fault)>,
}

/// One term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// As it is written.
    pub text: String,
    /// What it is.
    pub kind: Kind,
}

/// Mechanism or modifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A mechanism with its qualifier.
    Mechanism(Qualifier, Mechanism),
    /// A modifier.
    Modifier(Modifier),
}

/// What a match means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of RFC 7208 §4.6.2")]
pub enum Qualifier {
    Pass,
    Fail,
    SoftFail,
    Neutral,
}

/// The mechanisms (RFC 7208 §5).
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the mechanisms of RFC 7208 §5")]
pub enum Mechanism {
    All,
    Include(String),
    /// The domain, and the lengths of the prefixes for both families.
    A(Option<String>, u8, u8),
    Mx(Option<String>, u8, u8),
    Ptr(Option<String>),
    Ip4(Ipv4Addr, u8),
    Ip6(Ipv6Addr, u8),
    Exists(String),
}

/// The modifiers (RFC 7208 §6).
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the modifiers of RFC 7208 §6")]
pub enum Modifier {
    Redirect(String),
    Explanation(String),
    /// Unknown ones are ignored.
    Other(String),
}

/// What is wrong with a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// No mechanism has this name.
    UnknownMechanism,
    /// The address after `ip4:` or `ip6:` is none.
    BadAddress,
    /// The prefix length is out of range or no number.
    BadPrefix,
    /// A domain is missing or cannot be one.
    BadDomain,
    /// A macro that does not exist or does not end.
    BadMacro,
    /// `redirect` or `exp` twice.
    Twice,
    /// Something behind a mechanism that takes nothing.
    Trailing,
}

impl Fault {
    /// The fault in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::UnknownMechanism => "no mechanism has this name",
            Self::BadAddress => "this is no address of that family",
            Self::BadPrefix => "the prefix length is out of range",
            Self::BadDomain => "a domain name is missing or malformed",
            Self::BadMacro => "the macro does not exist or does not end",
            Self::Twice => "it may stand there only once",
            Self::Trailing => "nothing may follow this mechanism",
        }
    }
}

/// Whether a text is an SPF record at all (RFC 7208 §4.5).
pub(super) fn is_record(text: &str) -> bool {
    let version = text
        .get(..6)
        .is_some_and(|v| v.eq_ignore_ascii_case("v=spf1"));
    version && matches!(text.as_bytes().get(6), None | Some(b' '))
}

impl Record {
    /// Reads a record; the version has been looked at.
    pub fn read(text: &str) -> Self {
        let mut record = Self::default();
        let terms = text.split(' ').filter(|t| !t.is_empty()).skip(1);
        for text in terms {
            match term(text) {
                Ok(kind) if record.is_second(&kind) => {
                    record.faults.push((text.to_string(), Fault::Twice));
                }
                Ok(kind) => record.terms.push(Term {
                    text: text.to_string(),
                    kind,
                }),
                Err(fault) => record.faults.push((text.to_string(), fault)),
            }
        }
        record
    }

    fn is_second(&self, kind: &Kind) -> bool {
        let once = |m: &Modifier| match m {
            Modifier::Redirect(_) => 1,
            Modifier::Explanation(_) => 2,
            Modifier::Other(_) => 0,
        };
        let Kind::Modifier(new) = kind else {
            return false;
        };
        once(new) > 0
            && self
                .terms
                .iter()
                .any(|t| matches!(&t.kind, Kind::Modifier(old) if once(old) == once(new)))
    }

    /// The target of `redirect`.
    pub fn redirect(&self) -> Option<&str> {
        self.terms.iter().find_map(|t| match &t.kind {
            Kind::Modifier(Modifier::Redirect(domain)) => Some(domain.as_str()),
            _ => None,
        })
    }

    /// The first `all` with its place among the terms.
    pub fn all(&self) -> Option<(usize, Qualifier)> {
        let mut terms = self.terms.iter().enumerate();
        terms.find_map(|(n, t)| match t.kind {
            Kind::Mechanism(qualifier, Mechanism::All) => Some((n, qualifier)),
            _ => None,
        })
    }
}

fn term(text: &str) -> Result<Kind, Fault> {
    let name_end = text
        .find(|c: char| {
            !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.' | '+' | '?' | '~')
        })
        .unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(name_end).unwrap_or((text, ""));
    if let Some(value) = rest.strip_prefix('=') {
        return modifier(name, value);
    }
    let (qualifier, name) = match name.split_at_checked(1) {
        Some(("+", name)) => (Qualifier::Pass, name),
        Some(("-", name)) => (Qualifier::Fail, name),
        Some(("~", name)) => (Qualifier::SoftFail, name),
        Some(("?", name)) => (Qualifier::Neutral, name),
        _ => (Qualifier::Pass, name),
    };
    mechanism(&name.to_ascii_lowercase(), rest).map(|m| Kind::Mechanism(qualifier, m))
}

fn modifier(name: &str, value: &str) -> Result<Kind, Fault> {
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(Fault::UnknownMechanism);
    }
    Ok(Kind::Modifier(match name.to_ascii_lowercase().as_str() {
        "redirect" => Modifier::Redirect(domain(value)?),
        "exp" => Modifier::Explanation(domain(value)?),
        _ => {
            macros(value, EVERYWHERE)?;
            Modifier::Other(name.to_string())
        }
    }))
}

fn mechanism(name: &str, rest: &str) -> Result<Mechanism, Fault> {
    let argument = rest.strip_prefix(':');
    match name {
        "all" if rest.is_empty() => Ok(Mechanism::All),
        "all" => Err(Fault::Trailing),
        "include" => Ok(Mechanism::Include(domain(argument.unwrap_or(""))?)),
        "exists" => Ok(Mechanism::Exists(domain(argument.unwrap_or(""))?)),
        "ptr" if rest.is_empty() => Ok(Mechanism::Ptr(None)),
        "ptr" => Ok(Mechanism::Ptr(Some(domain(argument.unwrap_or(""))?))),
        "a" | "mx" => {
            let (target, v4, v6) = dual(rest)?;
            let target = match target {
                "" => None,
                target => Some(domain(target.strip_prefix(':').unwrap_or(""))?),
            };
            Ok(if name == "a" {
                Mechanism::A(target, v4, v6)
            } else {
                Mechanism::Mx(target, v4, v6)
            })
        }
        "ip4" => {
            let (address, prefix) = network(argument.unwrap_or(""), 32)?;
            let address = address.parse().map_err(|_| Fault::BadAddress)?;
            Ok(Mechanism::Ip4(address, prefix))
        }
        "ip6" => {
            let (address, prefix) = network(argument.unwrap_or(""), 128)?;
            let address = address.parse().map_err(|_| Fault::BadAddress)?;
            Ok(Mechanism::Ip6(address, prefix))
        }
        _ => Err(Fault::UnknownMechanism),
    }
}

/// `:domain/24//64`: the target, then the lengths (RFC 7208 §5.6 dual-cidr-length).
fn dual(rest: &str) -> Result<(&str, u8, u8), Fault> {
    let (rest, v6) = match rest.split_once("//") {
        Some((rest, length)) => (rest, prefix(length, 128)?),
        None => (rest, 128),
    };
    // A slash inside a macro (`%{d1r/}`) is a delimiter, not the start of a length.
    match rest.rsplit_once('/') {
        Some((target, length)) if !length.ends_with('}') => Ok((target, prefix(length, 32)?, v6)),
        _ => Ok((rest, 32, v6)),
    }
}

fn network(text: &str, longest: u8) -> Result<(&str, u8), Fault> {
    match text.split_once('/') {
        Some((address, length)) => Ok((address, prefix(length, longest)?)),
        None => Ok((text, longest)),
    }
}

fn prefix(text: &str, longest: u8) -> Result<u8, Fault> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let length = text.parse().ok().filter(|n| plain && *n <= longest);
    length.ok_or(Fault::BadPrefix)
}

/// A domain-spec: macros, then a top label or a macro at the end (RFC 7208 §7.1).
fn domain(text: &str) -> Result<String, Fault> {
    macros(text, IN_NAMES)?;
    let trimmed = text.strip_suffix('.').unwrap_or(text);
    let ends_in_macro = trimmed.ends_with('}');
    let top = trimmed.rsplit('.').next().unwrap_or("");
    let label = top.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !top.starts_with('-')
        && !top.ends_with('-')
        && top.bytes().any(|b| !b.is_ascii_digit())
        && trimmed.contains('.');
    let visible = text.bytes().all(|b| (0x21..=0x7e).contains(&b));
    let named = ends_in_macro || label;
    (visible && named && !trimmed.is_empty() && !trimmed.contains(".."))
        .then(|| text.to_string())
        .ok_or(Fault::BadDomain)
}

/// Looks at the macros of a text (RFC 7208 §7.1).
/// The letters that names may have; `c`, `r` and `t` are for explanations only (RFC 7208 §7.2).
const IN_NAMES: &str = "slodiphv";
const EVERYWHERE: &str = "slodiphcrtv";

fn macros(text: &str, letters: &str) -> Result<(), Fault> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('%') {
        rest = match after.split_at_checked(1) {
            Some(("%" | "_" | "-", rest)) => rest,
            Some(("{", inner)) => {
                let (body, rest) = inner.split_once('}').ok_or(Fault::BadMacro)?;
                let letter = body.get(..1).unwrap_or("").to_ascii_lowercase();
                let known = !letter.is_empty() && letters.contains(&letter);
                let more = body.get(1..).unwrap_or("");
                let more = more.trim_start_matches(|c: char| c.is_ascii_digit());
                let more = more.strip_prefix(['r', 'R']).unwrap_or(more);
                if !known || !more.chars().all(|c| ".-+,/_=".contains(c)) {
                    return Err(Fault::BadMacro);
                }
                rest
            }
            _ => return Err(Fault::BadMacro),
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<Fault> {
        Record::read(text)
            .faults
            .into_iter()
            .map(|(_, f)| f)
            .collect()
    }

    #[test]
    fn good_records_have_no_faults() {
        for text in [
            "v=spf1 -all",
            "v=spf1  a mx/24 a:x.test/24//64 mx//64 ip4:192.0.2.0/24 ip6:2001:db8::/32 ~all",
            "v=spf1 include:_spf.%{d} exists:%{ir}.%{l1r-}.%{v}.x.test ?ptr:x.test redirect=%{d2}.",
            "V=SPF1 +A ExP=why.x.test unknown=%{h} redirect=_spf.x.test",
        ] {
            assert!(is_record(text), "{text}");
            assert_eq!(faults(text), [], "{text}");
        }
        assert!(!is_record("v=spf10 -all") && !is_record("v=spf2.0/pra") && !is_record("v=spf"));
    }

    #[test]
    fn every_fault_is_seen() {
        for (text, fault) in [
            ("ip4:300.1.1.1", Fault::BadAddress),
            ("ip4:192.0.2.1/33", Fault::BadPrefix),
            ("ip4:192.0.2.1/024", Fault::BadPrefix),
            ("ip6:192.0.2.1", Fault::BadAddress),
            ("ip4", Fault::BadAddress),
            ("-al", Fault::UnknownMechanism),
            ("ipp4:192.0.2.1", Fault::UnknownMechanism),
            ("foo:bar", Fault::UnknownMechanism),
            ("include", Fault::BadDomain),
            ("include:localhost", Fault::BadDomain),
            ("include:x..test", Fault::BadDomain),
            ("a:", Fault::BadDomain),
            ("mx/x", Fault::BadPrefix),
            ("exists:%{z}.x.test", Fault::BadMacro),
            ("exists:%{i.x.test", Fault::BadMacro),
            ("exists:%{c}.x.test", Fault::BadMacro),
            ("exp=%{t}.x.test", Fault::BadMacro),
            ("all:x.test", Fault::Trailing),
            ("redirect=", Fault::BadDomain),
            ("redirect=a.test redirect=b.test", Fault::Twice),
        ] {
            assert_eq!(faults(&format!("v=spf1 {text} -all")), [fault], "{text}");
        }
    }

    #[test]
    fn lengths_belong_to_their_family() {
        let record = Record::read("v=spf1 a:x.test/24//64 mx//48");
        let kinds: Vec<_> = record.terms.into_iter().map(|t| t.kind).collect();
        assert_eq!(
            kinds,
            [
                Kind::Mechanism(Qualifier::Pass, Mechanism::A(Some("x.test".into()), 24, 64)),
                Kind::Mechanism(Qualifier::Pass, Mechanism::Mx(None, 32, 48)),
            ]
        );
    }
}
