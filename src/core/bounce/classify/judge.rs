//! Weighs words and numbers into one judgement.

use super::codes::{self, Trust};
use super::fold::fold;
use super::frame::{said, without_farewell};
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

/// The cause, how sure it is, and the words that decided.
type Verdict = (Cause, Confidence, Option<Deciding>);

/// What the enhanced codes mean.
struct Numbers {
    /// That of the reply.
    reply: Option<(Cause, Trust)>,
    /// The Status field of the report.
    report: Option<(Cause, Trust)>,
}

impl Numbers {
    fn any(&self) -> Option<Verdict> {
        let (cause, _) = self.reply.or(self.report)?;
        Some((cause, Confidence::Low, None))
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

    /// The first of the steps of trust that knows an answer.
    fn cause(&self, case: &Case<'_>) -> Verdict {
        if let Some(Action::Delivered | Action::Relayed | Action::Expanded) = case.action {
            return (Cause::Delivered, Confidence::High, None);
        }
        let numbers = Numbers {
            reply: self.reply.enhanced.and_then(codes::enhanced),
            report: case.status.and_then(codes::enhanced),
        };
        let generic = self.generic(case);
        self.telling(case, &numbers)
            .or_else(|| self.by_enhanced(&numbers, generic.is_some()))
            .or(generic)
            .or_else(|| self.out_of_time(case))
            .or_else(|| numbers.any())
            .or_else(|| self.by_code(case))
            .or_else(|| self.by_stage(case))
            .unwrap_or_else(|| self.by_outcome(case))
    }

    /// What a rule says, and the words that it read.
    fn by_rule(&self, case: &Case<'_>, &(text, rule): &(usize, &'static Rule)) -> Verdict {
        let deciding = Deciding {
            text,
            rule: rule.id,
        };
        (rule.cause, self.confidence(case, rule), Some(deciding))
    }

    /// Words that say more than any number; beside a number that nobody writes by accident only
    /// those that are not said of anything.
    fn telling(&self, case: &Case<'_>, numbers: &Numbers) -> Option<Verdict> {
        let alone = numbers.report.filter(|_| self.reply.code.is_none());
        let least = match numbers.reply.or(alone) {
            Some((_, Trust::Sure)) => TELLING,
            _ => SPECIFIC,
        };
        let found = self.read.iter().find(|(_, r)| r.weight >= least);
        found.map(|found| self.by_rule(case, found))
    }

    /// Words that servers use for anything.
    fn generic(&self, case: &Case<'_>) -> Option<Verdict> {
        let vague = self.read.iter().filter(|(_, r)| r.weight >= rules::GENERIC);
        let found = vague.max_by_key(|(i, r)| (r.weight, usize::MAX - i));
        found.map(|found| self.by_rule(case, found))
    }

    /// Numbers that are mostly used as they are meant.
    fn by_enhanced(&self, numbers: &Numbers, has_words: bool) -> Option<Verdict> {
        // 530 and 535 are for a login, whatever 5.7.0 and vague words stand behind them.
        if let (Some(530 | 534 | 535 | 538), Some((_, Trust::Weak)) | None) =
            (self.reply.code, numbers.reply)
        {
            return Some((Cause::LoginRequired, Confidence::Low, None));
        }
        // Sendmail and its kin invent 5.1.1 for a bare 550: where a reply speaks, though without
        // a code of its own, even vague words say more than the report's number.
        let own = self.reply.code.is_none() || !has_words;
        let likely = |found: &(Cause, Trust)| found.1 >= Trust::Likely;
        let report = numbers.report.filter(|found| own && likely(found));
        let (cause, trust) = numbers.reply.filter(likely).or(report)?;
        Some((cause, sure(trust), None))
    }

    /// The reply itself says that time is over: its class tells nothing more.
    fn out_of_time(&self, case: &Case<'_>) -> Option<Verdict> {
        self.reply.enhanced.filter(|code| codes::expired(*code))?;
        let waits = case.action == Some(Action::Delayed) && !case.expired;
        let cause = match waits {
            true => Cause::DeliveryDelayed,
            false => Cause::DeliveryExpired,
        };
        Some((cause, Confidence::Medium, None))
    }

    /// Words that only tell of time.
    fn late(&self, case: &Case<'_>) -> Option<Verdict> {
        self.read.first().map(|found| self.by_rule(case, found))
    }

    /// The reply code; words that only tell of time say more than a number used for anything.
    fn by_code(&self, case: &Case<'_>) -> Option<Verdict> {
        let cause = codes::reply(self.reply.code?, self.command, self.words)?;
        let vague = matches!(cause, Cause::PolicyRejected | Cause::ServerTemporaryFailure);
        let late = self.late(case).filter(|_| vague);
        Some(late.unwrap_or((cause, Confidence::Low, None)))
    }

    /// Where the dialogue ended.
    fn by_stage(&self, case: &Case<'_>) -> Option<Verdict> {
        if self.unanswered(case) {
            return Some((Cause::ConnectionFailed, Confidence::Medium, None));
        }
        let cause = self.command.and_then(codes::stage)?;
        Some((cause, Confidence::Low, None))
    }

    /// Nothing but what became of the message.
    fn by_outcome(&self, case: &Case<'_>) -> Verdict {
        let late = self.late(case);
        let deciding = late.and_then(|(.., deciding)| deciding);
        let mut numbers = self.reply.enhanced.into_iter().chain(case.status);
        let timed_out = case.expired || numbers.any(codes::expired);
        let cause = match case.action {
            Some(Action::Delayed) if !case.expired => Cause::DeliveryDelayed,
            _ if timed_out => Cause::DeliveryExpired,
            _ if case.hops >= MANY_HOPS => return (Cause::MailLoop, Confidence::Medium, None),
            _ => return late.unwrap_or((Cause::Unknown, Confidence::Low, None)),
        };
        (cause, Confidence::Medium, deciding)
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
        let speaker = case.remote_host.or_else(|| self.reply.host());
        let mut found = listing::read(said, &fold(said), speaker);
        if found.zone.is_none() && found.list.is_none() && said.len() < text.len() {
            let whole = listing::read(text, &fold(text), speaker);
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
    ///
    /// "550 4.2.1" contradicts itself (RFC 3463 §2 wants one class). The sending server goes by the
    /// 550 and gives up; but then its report says `Action: failed`, and that counts first. Of the
    /// reply alone the enhanced code is asked: it was chosen by somebody for this very case, while
    /// old programs send 550 for everything.
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
