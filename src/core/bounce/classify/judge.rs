//! Weighs words and numbers into one judgement.

use super::codes::{self, Trust};
use super::fold::fold;
use super::listing;
use super::rules::{self, CERTAIN, Rule, SPECIFIC, Setting, TELLING};
use super::{Case, Deciding, Judgement};
use crate::bounce::cause::Cause;
use crate::bounce::explanation::{Action, Command, Confidence, Listing, Mistake, StatusFrom};
use crate::bounce::reply::Place;
use crate::message::status::EnhancedCode;
use crate::suffix;

/// Texts of one case that are looked at; a notice has two or three.
const TEXTS: usize = 12;

/// A text of no more bytes has a code and hardly a word.
const BARE: usize = 12;

/// A returned message that has passed so many servers went round in a circle; Exim says only that
/// it failed. Servers give up between 25 (sendmail) and 100 hops, honest ways have a dozen.
const MANY_HOPS: u32 = 25;

/// Tells the cause of one failure.
pub fn judge(case: &Case<'_>) -> Judgement {
    let facts = Facts::of(case);
    let (cause, confidence, decided_by) = facts.cause(case);
    let listing = facts.listing(case, cause, decided_by);
    let cause = match &listing {
        // Nobody is listed: the receiver took a list's refusal to answer for a listing.
        Some(found) if found.mistaken == Some(Mistake::QueryRefused) => Cause::ServerError,
        _ => facts.passing(cause),
    };
    let permanent = facts.permanent(case, cause);
    let status = match (facts.reply.enhanced, case.status) {
        // X.0.0 in a reply says nothing; the Status field may.
        (Some(code), Some(field)) if code.is_bare() && field.class == code.class => {
            Some((field, StatusFrom::Report))
        }
        (Some(code), _) => Some((code, StatusFrom::Reply)),
        (None, Some(code)) => Some((code, StatusFrom::Report)),
        (None, None) => {
            codes::derived(cause, permanent, case.dialect).map(|code| (code, StatusFrom::Derived))
        }
    };
    Judgement {
        cause,
        permanent,
        confidence,
        status,
        reply_code: facts.reply.code,
        command: facts.command,
        listing,
        decided_by,
    }
}

/// What the texts say, read once.
struct Facts<'a> {
    /// The reply in the most trustworthy text that has one.
    reply: Place<'a>,
    command: Option<Command>,
    /// The heaviest rule of each text.
    read: Vec<(usize, &'static Rule)>,
    words: bool,
}

impl<'a> Facts<'a> {
    fn of(case: &Case<'a>) -> Self {
        let mut best = Place::default();
        let mut command = case.command;
        let mut words = false;
        let mut places = Vec::with_capacity(case.texts.len().min(TEXTS));
        for (_, text) in case.texts.iter().take(TEXTS) {
            let found = Place::of(text);
            places.push(found);
            words |= found.said().len() > BARE;
            command = command.or_else(|| found.command());
            if best.code.is_none() && found.code.is_some() {
                let enhanced = best.enhanced;
                best = found;
                best.enhanced = best.enhanced.or(enhanced);
            } else if best.enhanced.is_none() {
                best.enhanced = found.enhanced;
            }
        }
        let setting = Setting {
            host: case.remote_host.or_else(|| best.host()),
            reply: best.code,
            command,
            dialect: case.dialect,
            foreign: best.code.is_none() && !at_home(case),
        };
        // A specific rule decides, so what less trustworthy texts say is not asked any more.
        let mut read = Vec::new();
        for (index, ((_, text), place)) in case.texts.iter().zip(&places).enumerate() {
            if let Some(rule) = rule_of(text, place, &setting) {
                read.push((index, rule));
                if rule.weight >= SPECIFIC {
                    break;
                }
            }
        }
        Self {
            reply: best,
            command,
            read,
            words,
        }
    }

    fn cause(&self, case: &Case<'_>) -> (Cause, Confidence, Option<Deciding>) {
        if let Some(Action::Delivered | Action::Relayed | Action::Expanded) = case.action {
            return (Cause::Delivered, Confidence::High, None);
        }
        let in_reply = self.reply.enhanced.and_then(codes::enhanced);
        let in_report = case.status.and_then(codes::enhanced);
        let alone = in_report.filter(|_| self.reply.code.is_none());
        let least = match in_reply.or(alone) {
            Some((_, Trust::Sure)) => TELLING,
            _ => SPECIFIC,
        };
        if let Some(&(text, rule)) = self.read.iter().find(|(_, r)| r.weight >= least) {
            let deciding = Deciding {
                text,
                rule: rule.id,
            };
            return (rule.cause, self.confidence(case, rule), Some(deciding));
        }
        let generic = self
            .read
            .iter()
            .filter(|(_, r)| r.weight >= rules::GENERIC)
            .max_by_key(|(i, r)| (r.weight, usize::MAX - i));
        let generic = generic.map(|&(text, rule)| {
            let deciding = Deciding {
                text,
                rule: rule.id,
            };
            (rule.cause, self.confidence(case, rule), Some(deciding))
        });
        // 530 and 535 are for a login, whatever 5.7.0 and vague words stand behind them.
        if let (Some(530 | 534 | 535 | 538), Some((_, Trust::Weak)) | None) =
            (self.reply.code, in_reply)
        {
            return (Cause::LoginRequired, Confidence::Low, None);
        }
        if let Some((cause, trust)) = in_reply.filter(|(_, t)| *t >= Trust::Likely) {
            return (cause, sure(trust), None);
        }
        // Sendmail and its kin invent 5.1.1 for a bare 550: where a reply speaks, though without
        // a code of its own, even vague words say more than the report's number.
        let own = self.reply.code.is_none() || generic.is_none();
        if let Some((cause, trust)) = in_report.filter(|(_, t)| own && *t >= Trust::Likely) {
            return (cause, sure(trust), None);
        }
        if let Some(found) = generic {
            return found;
        }
        let timed_out = case.expired
            || [self.reply.enhanced, case.status]
                .into_iter()
                .flatten()
                .any(codes::expired);
        // The reply itself says that time is over: its class tells nothing more.
        if self.reply.enhanced.is_some_and(codes::expired) {
            let waits = case.action == Some(Action::Delayed) && !case.expired;
            let cause = if waits {
                Cause::DeliveryDelayed
            } else {
                Cause::DeliveryExpired
            };
            return (cause, Confidence::Medium, None);
        }
        if let Some((cause, _)) = in_reply.or(in_report) {
            return (cause, Confidence::Low, None);
        }
        let late = self.read.first().map(|&(text, rule)| {
            (
                rule.cause,
                self.confidence(case, rule),
                Some(Deciding {
                    text,
                    rule: rule.id,
                }),
            )
        });
        if let Some(cause) = self
            .reply
            .code
            .and_then(|c| codes::reply(c, self.command, self.words))
        {
            // Words that only tell of time say more than a number that is used for anything.
            let vague = matches!(cause, Cause::PolicyRejected | Cause::ServerTemporaryFailure);
            return match late {
                Some(late) if vague => late,
                _ => (cause, Confidence::Low, None),
            };
        }
        if self.unanswered(case) {
            return (Cause::ConnectionFailed, Confidence::Medium, None);
        }
        if let Some(cause) = self.command.and_then(codes::stage) {
            return (cause, Confidence::Low, None);
        }
        match case.action {
            Some(Action::Delayed) if !case.expired => {
                let deciding = late.and_then(|l| l.2);
                (Cause::DeliveryDelayed, Confidence::Medium, deciding)
            }
            _ if timed_out => (
                Cause::DeliveryExpired,
                Confidence::Medium,
                late.and_then(|l| l.2),
            ),
            _ if case.hops >= MANY_HOPS => (Cause::MailLoop, Confidence::Medium, None),
            _ => late.unwrap_or((Cause::Unknown, Confidence::Low, None)),
        }
    }

    /// Exim names the host of its last attempt and quotes what that host said: a host without
    /// words was never reached, or left without a word.
    fn unanswered(&self, case: &Case<'_>) -> bool {
        case.dialect == Some("exim")
            && case.remote_host.is_some()
            && self.reply.code.is_none()
            && self.reply.enhanced.is_none()
            && (case.expired || case.action == Some(Action::Delayed))
    }

    /// A 4yz says that an error of the server will pass.
    fn passing(&self, cause: Cause) -> Cause {
        let class = match self.reply.enhanced {
            Some(code) => Some(u16::from(code.class)),
            None => self.reply.code.map(|code| code / 100),
        };
        match cause {
            Cause::ServerError if class == Some(4) => Cause::ServerTemporaryFailure,
            other => other,
        }
    }

    /// The listing, from the text that told of it, or what was mistaken for one.
    fn listing(
        &self,
        case: &Case<'_>,
        cause: Cause,
        decided_by: Option<Deciding>,
    ) -> Option<Listing> {
        let &(_, text) = case
            .texts
            .get(decided_by?.text)
            .filter(|_| matches!(cause, Cause::Dnsbl | Cause::ServerError))?;
        let said = Place::of(text).said();
        let mut found = listing::read(said, &fold(said));
        if found.zone.is_none() && found.list.is_none() && said.len() < text.len() {
            let whole = listing::read(text, &fold(text));
            // Before its words stands who spoke: the receiver's own name and address are not listed.
            if whole.list.is_some() || whole.mistaken.is_some() {
                found = Listing {
                    ip: found.ip,
                    domain: found.domain,
                    ..whole
                };
            }
        }
        let told = cause == Cause::Dnsbl || found.mistaken == Some(Mistake::QueryRefused);
        told.then_some(found)
    }

    /// High when the server says so itself: a provider's own code, or words and number agree.
    fn confidence(&self, case: &Case<'_>, rule: &Rule) -> Confidence {
        if let Some(told) = rule.confidence {
            return told;
        }
        let agrees = [self.reply.enhanced, case.status]
            .into_iter()
            .flatten()
            .filter_map(codes::enhanced)
            .any(|(cause, trust)| cause == rule.cause && trust >= Trust::Likely);
        match rule.weight {
            CERTAIN.. => Confidence::High,
            SPECIFIC.. if agrees => Confidence::High,
            SPECIFIC.. => Confidence::Medium,
            _ if agrees => Confidence::Medium,
            _ => Confidence::Low,
        }
    }

    /// Final or not: the action, the class of the enhanced code, of the reply, then the habit.
    fn permanent(&self, case: &Case<'_>, cause: Cause) -> Option<bool> {
        if cause == Cause::Delivered {
            return None;
        }
        match case.action {
            Some(Action::Failed) => return Some(true),
            Some(Action::Delayed) => return Some(case.expired),
            _ => {}
        }
        if case.expired || cause == Cause::DeliveryExpired {
            return Some(true);
        }
        let class = |code: EnhancedCode| match code.class {
            4 => Some(false),
            5 => Some(true),
            _ => None,
        };
        self.reply
            .enhanced
            .and_then(class)
            .or_else(|| match self.reply.code? {
                400..=499 => Some(false),
                500..=599 => Some(true),
                _ => None,
            })
            .or_else(|| case.status.and_then(class))
            .or(cause.usually_permanent())
    }
}

/// The heaviest rule of a text: of the reply itself, since what stands around it ("was rejected by
/// the server of the recipient's domain", "after MAIL FROM") is the reporting server's frame; only
/// when the reply says nothing of its own, of the whole.
fn rule_of(text: &str, place: &Place<'_>, setting: &Setting<'_>) -> Option<&'static Rule> {
    let text = without_farewell(text);
    let said = without_farewell(said(text, place));
    let inner = rules::first(&fold(said), setting);
    if said.len() == text.len() || inner.is_some_and(|rule| rule.weight >= rules::GENERIC) {
        return inner;
    }
    rules::first(&fold(text), setting).or(inner)
}

/// qmail takes its leave from every server that refused: "Giving up on 192.0.2.1." is no reason.
fn without_farewell(text: &str) -> &str {
    let end = text.trim_end();
    let words = end.rsplit_once(' ').map_or(end, |(words, _)| words);
    words
        .strip_suffix("Giving up on")
        .filter(|rest| !rest.is_empty())
        .unwrap_or(text)
}

/// Words of reporting servers after which the other server speaks (Postfix, IronPort).
/// Each with its rarest byte.
const FRAMES: [(&str, usize); 2] = [(" said: ", 5), (" - Unknown address error ", 3)];

/// Words of Postfix after which it says what came of its own question for the recipient.
/// Each with its rarest byte.
const PROBES: [(&str, usize); 2] = [
    ("Recipient address rejected: unverified address: ", 20),
    ("Recipient address rejected: undeliverable address: ", 20),
];

/// What stands behind the frame, whose byte `rare` is looked for.
fn behind<'a>(text: &'a str, frame: &str, rare: usize) -> Option<&'a str> {
    let sign = *frame.as_bytes().get(rare)?;
    memchr::memchr_iter(sign, text.as_bytes())
        .filter_map(|at| text.get(at.checked_sub(rare)?..))
        .find_map(|rest| rest.strip_prefix(frame))
}

/// The words of the reply in a text, without the frame around them.
fn said<'a>(text: &'a str, place: &Place<'a>) -> &'a str {
    let said = match place.code {
        Some(_) => place.said(),
        None => FRAMES
            .iter()
            .find_map(|(frame, rare)| behind(text, frame, *rare))
            .unwrap_or(text),
    };
    let end = memchr::memmem::rfind(said.as_bytes(), b" (in reply to ").unwrap_or(said.len());
    let said = said.get(..end).unwrap_or(said);
    PROBES
        .iter()
        .find_map(|(frame, rare)| behind(said, frame, *rare))
        .unwrap_or(said)
}

/// True when the recipient's domain and the reporting server's name belong together.
fn at_home(case: &Case<'_>) -> bool {
    let (Some(recipient), Some(reporter)) = (case.recipient, case.reporter) else {
        return false;
    };
    let domain = recipient.rsplit('@').next().unwrap_or(recipient);
    // mx.example.com serves example.com and mail.example.com.
    let owner = |name: &str| suffix::registered(name.trim_end_matches('.')).map(str::to_lowercase);
    reporter.eq_ignore_ascii_case(domain)
        || owner(reporter).is_some_and(|own| owner(domain) == Some(own))
}

const fn sure(trust: Trust) -> Confidence {
    match trust {
        Trust::Sure => Confidence::High,
        Trust::Likely => Confidence::Medium,
        Trust::Weak => Confidence::Low,
    }
}
