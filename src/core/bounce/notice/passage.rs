//! The end of a passage: what the lines that belong together say, and about whom.

use super::Voice;
use super::address;
use super::draft::{MAX_RECIPIENTS, Words};
use super::found::{Entry, MAX_PROSE, Strength};
use super::marks;
use super::page::{contains, ends_in_word, lines, offset, part, starts, tail};
use super::remote;
use super::tables::{BEFORE_ADDRESSED, BEFORE_SENDERS, SERVICE_MAILBOXES};
use super::walk::Walk;
use crate::message::status::EnhancedCode;

/// A shorter paragraph is a greeting or a name.
const GREETING: usize = 60;

/// More paragraphs than this are not kept.
const MAX_LOOSE: usize = 400;

impl Walk<'_, '_> {
    pub(super) fn close(&mut self) {
        self.end_paragraph();
        self.end_reason();
        self.end_label();
        self.open = None;
    }

    pub(super) fn end_reason(&mut self) {
        let Some((from, to)) = self.reason.take() else {
            return;
        };
        let words = part(self.text, from, to).trim();
        let Some(entry) = self.open.and_then(|i| self.out.entries.get_mut(i)) else {
            return;
        };
        let mut words = words;
        // Exim puts the old address in a line of its own below the recipient.
        if let Some((old, rest)) = address::alias_of(words) {
            entry.alias = Some(old);
            words = rest;
        }
        words = without_advice(words);
        if words
            .bytes()
            .any(|b| b.is_ascii_alphanumeric() || b >= 0x80)
        {
            let at = offset(self.text, words);
            let roles = self.marks.roles(at, at + words.len());
            entry
                .words
                .push(Words::new(words, at, voice(words)).with_roles(roles));
        }
    }

    pub(super) fn end_label(&mut self) {
        let Some((from, to)) = self.labelled.take() else {
            return;
        };
        let value = part(self.text, from, to).trim();
        if value.is_empty() {
            return;
        }
        if self.out.entries.is_empty() {
            self.sentence(from, to, marks::FAIL);
        }
        let voice = match voice(value) {
            Voice::Prose => Voice::Local,
            voice => voice,
        };
        let at = offset(self.text, value);
        let roles = self.marks.roles(at, at + value.len());
        let words = Words::new(value, at, voice).with_roles(roles);
        if let Some(entry) = self.open.and_then(|i| self.out.entries.get_mut(i)) {
            entry.words.push(words);
        } else if self.out.loose.len() < MAX_LOOSE {
            self.out.loose.push(words);
        }
    }

    /// A paragraph ends: a reply in it is worth quoting, so are words of failure.
    pub(super) fn end_paragraph(&mut self) {
        let Some((from, to)) = self.paragraph.take() else {
            return;
        };
        let text = part(self.text, from, to);
        if self.goes_on(text, from) {
            return;
        }
        if self.out.opening.is_none() && text.len() >= GREETING {
            self.out.opening = Some((from, to));
        }
        let roles = self.marks.roles(from, to);
        if roles & (marks::FINAL | marks::DELAY) != 0 {
            self.instructs = false;
        } else if roles & marks::INSTRUCT != 0 {
            self.instructs = true;
        }
        self.sentence(from, to, roles);
        let reply = remote::reply_start(text);
        if reply < text.len()
            && (roles & marks::FAIL != 0
                || reply == 0
                || has_enhanced(tail(text, reply))
                || address::find(text, 0).is_some())
        {
            // The sentence with the reply, without those before it.
            let start = part(text, 0, reply).rfind(". ").map_or(0, |at| at + 2);
            if self.out.loose.len() < MAX_LOOSE {
                let words = tail(text, start);
                self.out
                    .loose
                    .push(Words::new(words, from + start, voice(words)));
            }
        } else if roles & (marks::FAIL | marks::FINAL | marks::EXPIRED) != 0 {
            self.push_prose(from, to);
        }
    }

    /// "Your message could not be delivered to / anna@far.example / because her mailbox is closed":
    /// the sentence goes on behind the recipient that stands in a paragraph of its own.
    fn goes_on(&mut self, text: &str, at: usize) -> bool {
        let entry = self.alone.take().and_then(|i| self.out.entries.get_mut(i));
        let Some(entry) = entry.filter(|entry| entry.words.is_empty()) else {
            return false;
        };
        let because =
            text.trim_start().starts_with(char::is_lowercase) && address::find(text, 0).is_none();
        if because {
            let roles = self.marks.roles(at, at + text.len());
            let words = Words::new(text, at, voice(text)).with_roles(roles);
            entry.words.push(words);
        }
        because
    }

    pub(super) fn push_prose(&mut self, from: usize, to: usize) {
        if self.out.prose.len() < MAX_PROSE {
            self.out.prose.push((from, to));
        }
    }

    /// Addresses within sentences: behind words such as "could not be delivered to".
    pub(super) fn sentence(&mut self, from: usize, to: usize, roles: u32) {
        let text = part(self.text, from, to);
        let named = memchr::memchr(b'@', text.as_bytes()).is_some();
        if self.out.entries.len() >= MAX_RECIPIENTS || !named {
            return;
        }
        let hits = self.marks.within(from, to);
        let fails =
            roles & (marks::FAIL | marks::FINAL) != 0 || remote::reply_start(text) < text.len();
        let mut last_end = 0;
        let before = self.out.entries.len();
        let mut addressed = Vec::new();
        for found in address::all(text) {
            if self.known.owns(found.text) || is_service(found.text) {
                continue;
            }
            let told = hits
                .iter()
                .filter(|h| h.roles & marks::BEFORE != 0)
                .any(|h| {
                    let end = h.end - from;
                    let between = part(text, end, found.start);
                    end <= found.start
                        && end >= last_end
                        && between.len() <= 60
                        && !between.contains(['!', '?', ';'])
                        && !between.contains(". ")
                        && !["from", "sender", " by "]
                            .iter()
                            .any(|w| contains(between, w))
                });
            last_end = found.end;
            let strength = if told {
                Strength::Told
            } else if fails && !is_sender(text, found.start) {
                Strength::Mentioned
            } else {
                continue;
            };
            addressed.push(is_addressed(text, found.start));
            self.out.entries.push(Entry {
                address: found.text,
                alias: None,
                action: self.action,
                words: Vec::new(),
                strength,
                indent: 0,
            });
        }
        // "Anna (anna@a.example) cannot write to bob@b.example": who is only mentioned beside one
        // that is written to is not the one who fails.
        if addressed.contains(&true) && addressed.contains(&false) {
            let mut addressed = addressed.into_iter();
            let mut at = 0;
            self.out.entries.retain(|entry| {
                at += 1;
                at <= before
                    || addressed.next() == Some(true)
                    || entry.strength != Strength::Mentioned
            });
        }
    }
}

/// A reply code with an enhanced code behind it is a reply, whatever its words.
fn has_enhanced(reply: &str) -> bool {
    let second = reply.split_ascii_whitespace().nth(1);
    second.is_some_and(|word| EnhancedCode::parse(word).is_some())
}

/// Addresses that help or send, and do not fail.
pub(super) fn is_service(address: &str) -> bool {
    SERVICE_MAILBOXES.iter().any(|local| starts(address, local))
}

/// Words in front of an address that make it the sender's.
pub(super) fn is_sender(text: &str, at: usize) -> bool {
    let before = part(text, 0, at).trim_end_matches(['<', ' ', '\'', '"', '(', '[', ':']);
    ends_in_word(before, BEFORE_SENDERS) || before.eq_ignore_ascii_case("write to") || {
        // "Write to" as the beginning of a sentence; somebody may tell "When I write to".
        before.ends_with(". Write to") || before.ends_with("\nWrite to")
    }
}

/// Words in front of an address to which somebody writes.
pub(super) fn is_addressed(text: &str, at: usize) -> bool {
    let before = part(text, 0, at).trim_end_matches(['<', ' ', '\'', '"', '(', '[', ':']);
    ends_in_word(before, BEFORE_ADDRESSED)
}

/// Our own notices say first what it means and what to do about it, then who said what. Advice
/// must not be weighed as if the other server had given it.
fn without_advice(words: &str) -> &str {
    let mut before = 0;
    let mut found = None;
    for line in lines(words, 0, words.len()) {
        if line.body.ends_with(':') {
            if line.body == "What this server found:" {
                found = Some(line.end);
            } else if line.body.starts_with("With ") {
                found = Some(line.at);
            } else if answered(part(words, before, line.end)) {
                // The name of the server may have gone to the line before.
                let whole = answered(line.body) && !line.body.starts_with('[');
                found = Some(if whole { line.at } else { before });
            }
        }
        before = line.at;
    }
    found
        .map(|at| tail(words, at).trim())
        .filter(|said| !said.is_empty())
        .unwrap_or(words)
}

/// `mx.example.net [192.0.2.1] answered to RCPT TO:`
fn answered(words: &str) -> bool {
    let mut words = words.split_ascii_whitespace().skip(1);
    words.any(|word| word == "answered") && words.next() == Some("to")
}

/// Who speaks in the words about a failure.
fn voice(words: &str) -> Voice {
    if remote::reply_start(words) < words.len() || contains(words, " said:") {
        Voice::Remote
    } else {
        Voice::Local
    }
}
