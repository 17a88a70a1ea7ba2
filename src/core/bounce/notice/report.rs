//! The machine-readable part: message/delivery-status (RFC 3464, RFC 6533), as real programs write
//! it: missing and repeated fields, no blank line between recipients, blank lines between fields,
//! types left out or doubled, words behind the numbers.

use std::borrow::Cow;

use chrono::{DateTime, FixedOffset};

use crate::bounce::explanation::Action;
use crate::message::fields::{self, Pair};
use crate::message::status::EnhancedCode;
use crate::message::{addresses, dates, lines};

use super::Voice;
use super::draft::{Draft, MAX_QUOTES, MAX_RECIPIENTS, Words};
use super::page::{starts, strip};
use super::remote;

/// What the machine-readable part states.
#[derive(Debug, Default)]
pub(super) struct Report<'a> {
    /// Reporting-MTA, or Reporting-UA of an MDN.
    pub(super) reporting_mta: Option<String>,
    /// Arrival-Date.
    pub(super) arrival: Option<DateTime<FixedOffset>>,
    /// One for each recipient.
    pub(super) drafts: Vec<Draft>,
    /// All fields, for those who look for names.
    pub(super) fields: Vec<(&'a str, Cow<'a, str>)>,
}

/// The fields that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    ReportingMta,
    ArrivalDate,
    Final,
    Original,
    Actual,
    Action,
    Status,
    RemoteMta,
    Diagnostic,
    RetryUntil,
    LastAttempt,
}

fn key(name: &str) -> Option<Key> {
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    // The length alone tells most of them.
    let key = match name.len() {
        6 if is("Action") => Key::Action,
        6 if is("Status") => Key::Status,
        9 if is("Recipient") => Key::Final,
        10 if is("Remote-MTA") => Key::RemoteMta,
        12 if is("Arrival-Date") => Key::ArrivalDate,
        12 if is("Reporting-UA") => Key::ReportingMta,
        13 if is("Reporting-MTA") => Key::ReportingMta,
        15 if is("Final-Recipient") => Key::Final,
        15 if is("Diagnostic-Code") => Key::Diagnostic,
        16 if is("Will-Retry-Until") => Key::RetryUntil,
        17 if is("Last-Attempt-Date") => Key::LastAttempt,
        17 if is("X-Final-Recipient") => Key::Final,
        18 if is("Original-Recipient") => Key::Original,
        18 if is("X-Actual-Recipient") => Key::Actual,
        19 if is("X-Actual-Recipients") => Key::Actual,
        _ => return None,
    };
    Some(key)
}

/// True when a plain text holds such a report: pasted, or in a part of the wrong type.
pub(super) fn stands_in(text: &str) -> bool {
    memchr::memchr2_iter(b'F', b'f', text.as_bytes()).any(|at| {
        text.get(at..).is_some_and(|rest| {
            strip(rest, "Final-Recipient").is_some_and(|rest| rest.starts_with(':'))
        }) && text.get(..at).is_none_or(|before| {
            let line = before.trim_end_matches([' ', '\t', '>']);
            line.is_empty() || line.ends_with(['\n', '\r'])
        })
    })
}

/// Reads the text of a report.
pub(super) fn read(text: &str) -> Report<'_> {
    let mut report = Report::default();
    let mut building: Option<Building> = None;
    for group in fields::groups(text) {
        let named = building.as_ref().is_some_and(Building::is_named);
        let names_recipient = named
            && group
                .fields
                .iter()
                .any(|pair| matches!(key(pair.name), Some(Key::Final | Key::Original)));
        let mut fresh = true;
        for pair in group.fields {
            let Some(key) = key(pair.name) else {
                report.fields.push((pair.name, pair.value));
                continue;
            };
            match key {
                Key::ReportingMta => {
                    report.reporting_mta = report.reporting_mta.or_else(|| reporter(&pair.value));
                    report.fields.push((pair.name, pair.value));
                    continue;
                }
                Key::ArrivalDate => {
                    report.arrival = report.arrival.or_else(|| dates::read(&pair.value));
                    continue;
                }
                _ => {}
            }
            if key == Key::Diagnostic {
                report.fields.push((pair.name, pair.value.clone()));
            }
            let new = building
                .as_ref()
                .is_none_or(|b| b.ends(key, &pair, fresh, names_recipient));
            fresh = false;
            if new {
                report
                    .drafts
                    .extend(building.take().and_then(Building::done));
                if report.drafts.len() >= MAX_RECIPIENTS {
                    return report;
                }
            }
            building.get_or_insert_default().take(key, &pair);
        }
    }
    report.drafts.extend(building.and_then(Building::done));
    report
}

/// A recipient whose fields are being read.
#[derive(Default)]
struct Building {
    draft: Draft,
    /// Original-Recipient without the escapes of ORCPT, when it has any.
    plain: Option<String>,
    seen: Vec<Key>,
}

impl Building {
    fn is_named(&self) -> bool {
        self.seen.contains(&Key::Final)
    }

    /// True when this field begins another recipient.
    fn ends(&self, key: Key, pair: &Pair<'_>, fresh: bool, names_recipient: bool) -> bool {
        let seen = self.seen.contains(&key);
        let named = self.is_named();
        match key {
            // Within a group it may be said twice of the same one; two groups with one address are
            // the members of an alias.
            Key::Final if seen => fresh || recipient(&pair.value) != self.draft.address,
            Key::Original if seen => true,
            Key::Action | Key::Status if seen => fresh,
            _ => fresh && named && names_recipient,
        }
    }

    fn take(&mut self, key: Key, pair: &Pair<'_>) {
        if !self.seen.contains(&key) {
            self.seen.push(key);
        }
        let draft = &mut self.draft;
        let value = pair.value.as_ref();
        match key {
            Key::Final => draft.address = recipient(value).or(draft.address.take()),
            Key::Original => {
                let alias = recipient(value);
                self.plain = alias.as_deref().and_then(xtext);
                draft.alias = alias;
            }
            Key::Actual => draft.actual = recipient(value),
            Key::Action => {
                let (action, expired) = action(value);
                draft.action = action.or(draft.action);
                draft.expired |= expired;
            }
            Key::Status => match status(value) {
                Some(code) => draft.status = draft.status.or(Some(code)),
                None if draft.words.len() < MAX_QUOTES => {
                    draft.words.extend(words(value, pair.start, Voice::Local));
                }
                None => {}
            },
            Key::RemoteMta => draft.remote = remote::field(value),
            Key::Diagnostic if draft.words.len() < MAX_QUOTES => {
                draft.words.extend(diagnostic(value, pair.start));
            }
            Key::Diagnostic => {}
            Key::RetryUntil => draft.retry_until = dates::read(value),
            Key::LastAttempt | Key::ReportingMta | Key::ArrivalDate => {}
        }
    }

    fn done(mut self) -> Option<Draft> {
        let draft = &mut self.draft;
        // Servers copy ORCPT with its escapes (RFC 3461 §5.2.3), but an address that is really
        // spelt so stands in both fields alike.
        if let Some(plain) = self.plain.take()
            && draft.alias != draft.address
        {
            draft.alias = Some(plain);
        }
        if draft.address.is_none() {
            draft.address = draft.actual.take().or_else(|| draft.alias.take());
        }
        // Sendmail: what it was asked to reach and what it really tried.
        if let Some(actual) = draft.actual.take()
            && draft.alias.is_none()
            && draft
                .address
                .as_ref()
                .is_some_and(|a| !a.eq_ignore_ascii_case(&actual))
            && actual.contains('@')
        {
            draft.alias = draft.address.replace(actual);
        }
        let says = self
            .seen
            .iter()
            .any(|k| !matches!(k, Key::LastAttempt | Key::Actual));
        says.then_some(self.draft)
    }
}

/// `dns; mail.example.net`, `dns;mail.example.net (192.0.2.1)`, `mail.example.net`.
fn reporter(value: &str) -> Option<String> {
    let name = lines::cut(value, b';').map_or(value, |(_, name)| name);
    remote::name(
        name.split_whitespace()
            .next()?
            .trim_matches(['[', ']', '<', '>']),
    )
}

/// `rfc822; user@example.net`, also with the type doubled, in another case or left out.
pub(super) fn recipient(value: &str) -> Option<String> {
    let (kind, address) = lines::cut(value, b';').unwrap_or(("", value));
    let address = lines::trim(address);
    let address = strip(address, "rfc822;").unwrap_or(address);
    // A program or a file instead of a mailbox: `|exec procmail #joe`, `/var/mail/joe`.
    if address.trim_start_matches('"').starts_with(['|', '/']) {
        return None;
    }
    if kind.trim().eq_ignore_ascii_case("utf-8") {
        return Some(unescape(address.trim_matches(['<', '>', ' '])));
    }
    let inner = address.trim_start_matches('<');
    if inner.starts_with("=?")
        && let Some((encoded, _)) = inner.split_once(['>', ' ']).or(Some((inner, "")))
        && encoded.contains('@')
    {
        return Some(encoded.to_owned());
    }
    addresses::clean_or_local(address).map(str::to_owned)
}

/// RFC 3461 §4: `+2B` for a plus, `+3D` for an equals sign; the others need no escape in practice,
/// and a plus followed by two digits is common in real addresses. None without such an escape.
fn xtext(address: &str) -> Option<String> {
    if !address.contains("+2B") && !address.contains("+3D") {
        return None;
    }
    let mut out = String::with_capacity(address.len());
    let mut rest = address;
    while let Some((before, after)) = rest.split_once('+') {
        out.push_str(before);
        let (sign, tail) = match (after.strip_prefix("2B"), after.strip_prefix("3D")) {
            (Some(tail), _) => ('+', tail),
            (_, Some(tail)) => ('=', tail),
            _ => ('+', after),
        };
        out.push(sign);
        rest = tail;
    }
    Some(out + rest)
}

/// RFC 6533 §3: `\x{E9}`.
fn unescape(address: &str) -> String {
    let mut out = String::with_capacity(address.len());
    let mut rest = address;
    while let Some((before, after)) = rest.split_once("\\x{") {
        out.push_str(before);
        let code = after.split_once('}').and_then(|(hex, tail)| {
            let c = char::from_u32(u32::from_str_radix(hex, 16).ok()?)?;
            Some((c, tail))
        });
        match code {
            Some((c, tail)) => {
                out.push(c);
                rest = tail;
            }
            None => {
                out.push_str("\\x{");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The action, and whether it says that time ran out.
fn action(value: &str) -> (Option<Action>, bool) {
    let word = value.trim_start();
    let is = |lead: &str| starts(word, lead);
    if is("fail") || is("bounce") || is("undeliver") || is("reject") {
        (Some(Action::Failed), false)
    } else if is("expire") {
        (Some(Action::Failed), true)
    } else if is("delay") || is("defer") || is("transient") || is("warn") {
        (Some(Action::Delayed), false)
    } else if is("deliver") || is("success") {
        (Some(Action::Delivered), false)
    } else if is("relay") {
        (Some(Action::Relayed), false)
    } else if is("expand") {
        (Some(Action::Expanded), false)
    } else {
        (None, false)
    }
}

/// `5.1.1`, `5.1.1 (bad destination mailbox address)`, `smtp; 5.1.1`.
fn status(value: &str) -> Option<EnhancedCode> {
    let read = |text: &str| {
        let text = text.trim_start_matches(['#', ' ', '(', '"']);
        EnhancedCode::parse_prefix(text.as_bytes()).map(|(code, _)| code)
    };
    // A semicolon may stand in a comment as well (RFC 3464 §2.3.4): `5.1.1 (bad; 4.4.7 also)`.
    read(value).or_else(|| read(value.split_once(';')?.1))
}

/// `smtp; 550 no`, `x-unix; maildrop: …`, `X-Postfix; connect to …`, `550 no`.
fn diagnostic(value: &str, at: usize) -> Option<Words> {
    let (kind, text) = match lines::cut(value, b';') {
        Some((kind, text)) if kind.len() <= 24 && !kind.trim().contains(' ') => (kind.trim(), text),
        _ => ("", value),
    };
    let at = at + (value.len() - text.len());
    let digits = text
        .trim_start()
        .bytes()
        .take_while(u8::is_ascii_digit)
        .count();
    let remote =
        kind.eq_ignore_ascii_case("smtp") || kind.eq_ignore_ascii_case("lmtp") || digits == 3;
    words(text, at, if remote { Voice::Remote } else { Voice::Local })
}

fn words(text: &str, at: usize, voice: Voice) -> Option<Words> {
    let text = lines::trim(text);
    (!text.is_empty()).then(|| Words::new(text, at, voice))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses_of(text: &str) -> Vec<Option<String>> {
        read(text).drafts.into_iter().map(|d| d.address).collect()
    }

    fn some(list: &[&str]) -> Vec<Option<String>> {
        list.iter().map(|a| Some((*a).to_owned())).collect()
    }

    #[test]
    fn a_proper_report_is_read() {
        let r = read(
            "Reporting-MTA: dns; out.example.net\r\nArrival-Date: Mon, 5 Jan 2026 10:00:00 +0100\r\n\r\n\
             Original-Recipient: rfc822;old@b.example\r\nFinal-Recipient: rfc822; a@b.example\r\n\
             Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.b.example (192.0.2.1)\r\n\
             Diagnostic-Code: smtp; 550 5.1.1\r\n no such\r\n",
        );
        let d = &r.drafts[0];
        assert_eq!(r.reporting_mta.as_deref(), Some("out.example.net"));
        assert!(r.arrival.is_some());
        assert_eq!(
            (d.address.as_deref(), d.alias.as_deref()),
            (Some("a@b.example"), Some("old@b.example"))
        );
        assert_eq!(
            (d.action, d.status.unwrap().to_string().as_str()),
            (Some(Action::Failed), "5.1.1")
        );
        assert_eq!(d.remote.host.as_deref(), Some("mx.b.example"));
        assert_eq!(
            (d.words[0].text.as_str(), d.words[0].voice),
            ("550 5.1.1 no such", Voice::Remote)
        );
    }

    #[test]
    fn recipients_are_told_apart_with_and_without_blank_lines() {
        for text in [
            "Final-Recipient: rfc822;a@x.example\nAction: failed\nStatus: 5.1.1\nFinal-Recipient: rfc822;b@x.example\nAction: delayed\n",
            "Action: failed\nFinal-Recipient: rfc822;a@x.example\nStatus: 5.0.0\n\nAction: failed\nFinal-Recipient: rfc822;b@x.example\n",
            "Final-Recipient: rfc822;a@x.example\n\nAction: failed\n\nStatus: 5.1.1\n\nFinal-Recipient: rfc822;b@x.example\n\nAction: failed\n",
            "Final-Recipient: rfc822;a@x.example\nAction: failed\n\nOriginal-Recipient: rfc822;c@x.example\nFinal-Recipient: rfc822;b@x.example\nAction: failed\n",
        ] {
            assert_eq!(
                addresses_of(text),
                some(&["a@x.example", "b@x.example"]),
                "{text}"
            );
        }
    }

    #[test]
    fn the_members_of_an_alias_are_told_apart_by_where_they_really_went() {
        let r = read(
            "Final-Recipient: RFC822; all@x.example\nX-Actual-Recipient: rfc822; a@b.example\nAction: failed\n\n\
             Final-Recipient: RFC822; all@x.example\nX-Actual-Recipient: rfc822; c@d.example\nAction: failed\n",
        );
        let all: Vec<_> = r
            .drafts
            .iter()
            .map(|d| (d.address.as_deref(), d.alias.as_deref()))
            .collect();
        let alias = Some("all@x.example");
        assert_eq!(
            all,
            [(Some("a@b.example"), alias), (Some("c@d.example"), alias)]
        );
    }

    #[test]
    fn odd_spellings_of_recipients_are_understood() {
        for (value, address) in [
            ("LOCAL;<user>", "user"),
            ("rfc822; rfc822;a@b.example", "a@b.example"),
            ("RFC822; <a@b.example>", "a@b.example"),
            ("a@b.example", "a@b.example"),
            ("utf-8; j\\x{F6}rg@b.example", "jörg@b.example"),
            ("rfc822;a+2Btag@b.example", "a+2Btag@b.example"),
        ] {
            assert_eq!(recipient(value).as_deref(), Some(address), "{value}");
        }
        for none in [
            "rfc822;",
            "rfc822; |exec procmail #joe@b.example",
            "rfc822;/var/mail/joe",
        ] {
            assert_eq!(recipient(none), None, "{none}");
        }
    }

    #[test]
    fn only_the_original_recipient_has_the_escapes_of_orcpt() {
        let is = |fields: &str, address: &str, alias: Option<&str>| {
            let text = format!("{fields}Action: failed\nStatus: 5.1.1\n");
            let r = read(&text);
            let d = &r.drafts[0];
            assert_eq!(
                (d.address.as_deref(), d.alias.as_deref()),
                (Some(address), alias),
                "{fields}"
            );
        };
        let one = "a+2Btag@b.example";
        is(&format!("Final-Recipient: rfc822;{one}\n"), one, None);
        let original = format!("Original-Recipient: rfc822;{one}\n");
        is(&original, "a+tag@b.example", None);
        is(
            &format!("{original}Final-Recipient: rfc822;a@b.example\n"),
            "a@b.example",
            Some("a+tag@b.example"),
        );
        // Both say the same: it is spelt so.
        is(
            &format!("{original}Final-Recipient: rfc822;{one}\n"),
            one,
            Some(one),
        );
    }

    #[test]
    fn odd_actions_and_states_are_understood() {
        let r = read(
            "Final-Recipient: a@b.example\nAction: Failure\nStatus: 5.1.1 (bad destination)\n",
        );
        assert_eq!(
            (r.drafts[0].action, r.drafts[0].status),
            (Some(Action::Failed), EnhancedCode::new(5, 1, 1))
        );
        let r = read(
            "Original-Recipient: rfc822;a@b.example\nAction: expired\nStatus: 553 no such user\n",
        );
        assert!(r.drafts[0].expired);
        assert_eq!(r.drafts[0].address.as_deref(), Some("a@b.example"));
        assert_eq!(r.drafts[0].words[0].text, "553 no such user");
    }

    #[test]
    fn a_diagnostic_that_is_no_reply_is_the_servers_own() {
        for (value, voice, text) in [
            (
                "X-Postfix; unknown user: \"a\"",
                Voice::Local,
                "unknown user: \"a\"",
            ),
            (
                "x-unix; maildrop: over quota; giving up",
                Voice::Local,
                "maildrop: over quota; giving up",
            ),
            ("550 no; really", Voice::Remote, "550 no; really"),
            ("smtp;550 no", Voice::Remote, "550 no"),
        ] {
            let w = diagnostic(value, 0).unwrap();
            assert_eq!((w.voice, w.text.as_str()), (voice, text), "{value}");
        }
    }

    #[test]
    fn a_pasted_report_is_noticed() {
        assert!(stands_in(
            "Hello\n\n  final-recipient: rfc822; a@b.example\n"
        ));
        assert!(!stands_in("the Final-Recipient: field"));
    }
}
