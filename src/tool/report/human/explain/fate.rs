//! One fate: what happened to a recipient, or to several in the same way.

use crate::bounce::advice::{Advice, Audience, advise_group};
use crate::bounce::cause::{Cause, Class};
use crate::bounce::explanation::{Action, Evidence, Feedback, Now, Recipient};
use crate::report::page::Page;
use crate::report::painter::{Glyph, Style};
use crate::report::safe;

use super::words::{LABELS, label, moment, said_by, sureness};
use super::{Detail, Look};

/// How many addresses of a group are listed before "and N more".
const LISTED: usize = 4;

/// How many quotes a normal screen shows as evidence: the one that decided.
const SHOWN_EVIDENCE: usize = 1;

/// Recipients that met the same fate.
pub(super) struct Fate<'r> {
    first: &'r Recipient,
    others: Vec<&'r Recipient>,
}

impl<'r> Fate<'r> {
    /// Puts together what is alike, in the order of first appearance.
    pub(super) fn group(recipients: &'r [Recipient]) -> Vec<Self> {
        let mut fates: Vec<Self> = Vec::new();
        for recipient in recipients {
            // A notice with thousands of recipients has few fates, so that a scan is enough; and
            // a hostile one is bounded by looking at no more than this many.
            match fates
                .iter_mut()
                .take(MAX_FATES)
                .find(|fate| alike(fate.first, recipient))
            {
                Some(fate) => fate.others.push(recipient),
                None => fates.push(Self {
                    first: recipient,
                    others: Vec::new(),
                }),
            }
        }
        fates
    }

    /// The whole text about this fate.
    pub(super) fn write(&self, page: &mut Page, look: Look<'_>, admin_steps: usize) {
        let advice = advise_group(self.first, &self.others, look.audience);
        headline(page, self.first, self.others.len(), &advice);
        self.addresses(page, look.detail);
        page.end();
        page.tab(2).wrap(Style::Plain, 2, &advice.meaning);
        page.end();
        label(page, "Whose side");
        page.wrap(Style::Plain, LABELS, &advice.side);
        label(page, "What to do");
        steps(page, &advice.steps);
        if let (Some(admin), Audience::Both) = (&advice.admin, look.audience) {
            label(page, "For admins");
            if look.detail == Detail::Full {
                page.wrap(Style::Plain, LABELS, &admin.meaning);
                steps(page, &admin.steps);
            } else {
                steps(page, admin.steps.get(..admin_steps).unwrap_or(&admin.steps));
            }
        }
        self.evidence(page, look.detail);
        if let Some(now) = self.first.dnsbl.as_ref().and_then(|list| list.now.as_ref()) {
            label(page, "Listed now");
            let text = match now {
                Now::Listed => "yes, the list still says so",
                Now::Clear => "no, the list does not say so any more: send the mail again",
                Now::Unknown(why) => &format!("not known: {why}"),
            };
            page.wrap(Style::Plain, LABELS, text);
        }
        label(page, "How sure");
        page.wrap(Style::Plain, LABELS, sureness(self.first));
        if look.detail == Detail::Full {
            self.details(page);
        }
    }

    fn addresses(&self, page: &mut Page, detail: Detail) {
        let limit = if detail == Detail::Full {
            usize::MAX
        } else {
            LISTED
        };
        for other in self.others.iter().take(limit) {
            page.tab(2).put_cut(Style::Strong, address(other)).end();
        }
        let rest = self.others.len().saturating_sub(limit);
        if rest > 0 {
            page.tab(2)
                .put(Style::Dim, &format!("and {rest} more (-v shows all)"))
                .end();
        }
    }

    fn evidence(&self, page: &mut Page, detail: Detail) {
        let first = self.first;
        let limit = if detail == Detail::Full {
            usize::MAX
        } else {
            SHOWN_EVIDENCE
        };
        let mut shown: Vec<&Evidence> = Vec::new();
        for evidence in &first.evidence {
            // The same words a second time prove nothing more.
            let known =
                |e: &&Evidence| detail != Detail::Full && core(&e.text) == core(&evidence.text);
            if !shown.iter().any(known) && shown.len() < limit {
                shown.push(evidence);
            }
        }
        let said = said_by(first);
        if !shown.is_empty() || said.is_some() {
            label(page, "Evidence");
        }
        // Lines under each other, so that a number can be found at a glance.
        let digits = shown
            .iter()
            .filter_map(|e| e.line)
            .max()
            .map_or(0, |n| n.to_string().len());
        for evidence in shown {
            page.tab(LABELS);
            if let Some(line) = evidence.line {
                page.put(Style::Dim, &format!("line {line:<digits$}"))
                    .put(Style::Plain, "   ");
            }
            let text = evidence.text.trim();
            if detail == Detail::Full {
                let column = page.column();
                page.wrap(Style::Plain, column, text);
            } else {
                page.quote(Style::Plain, text);
            }
            if let (Detail::Full, Some(rule)) = (detail, evidence.rule) {
                page.tab(LABELS)
                    .put(Style::Dim, &format!("rule {rule}"))
                    .end();
            }
        }
        if let Some(said) = said {
            page.tab(LABELS).wrap(Style::Dim, LABELS, &said);
        }
    }

    /// What only those want who ask for everything.
    fn details(&self, page: &mut Page) {
        let first = self.first;
        let mut line = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                label(page, name);
                page.wrap(Style::Plain, LABELS, value);
            }
        };
        line(
            "Cause",
            Some(&format!(
                "{} (class {})",
                first.cause.id(),
                first.class().id()
            )),
        );
        line("Action", first.action.map(Action::id));
        line("Addressed as", first.original_address.as_deref());
        let told = first
            .evidence
            .iter()
            .any(|e| Some(&e.text) == first.diagnostic.as_ref());
        line("Diagnostic", first.diagnostic.as_deref().filter(|_| !told));
        line("Tried until", first.retry_until.map(moment).as_deref());
        if let Some(list) = &first.dnsbl {
            let ip = list.ip.map(|ip| ip.to_string());
            line("Block list", list.zone.as_deref().or(list.list));
            line("Listed", ip.as_deref().or(list.domain.as_deref()));
            line("Look up at", list.url.as_deref());
        }
    }
}

/// Beyond this many different fates in one notice nothing is put together any more.
const MAX_FATES: usize = 64;

/// Whether two recipients can be told together: every word about them would be the same.
fn alike(a: &Recipient, b: &Recipient) -> bool {
    let domain = |r: &Recipient| {
        r.address
            .as_deref()
            .and_then(|a| a.rsplit_once('@'))
            .map(|(_, d)| d.to_ascii_lowercase())
    };
    (
        a.cause,
        a.permanent,
        a.expired,
        a.action,
        a.status,
        a.reply_code,
    ) == (
        b.cause,
        b.permanent,
        b.expired,
        b.action,
        b.status,
        b.reply_code,
    ) && a.remote_mta.host == b.remote_mta.host
        && a.dnsbl == b.dnsbl
        && (a.remote_mta.host.is_some() || domain(a) == domain(b))
}

/// The words of a line without what servers put around them.
fn core(text: &str) -> &str {
    text.trim_start_matches(['<', '>', ' ', '\t']).trim_end()
}

fn address(recipient: &Recipient) -> &str {
    recipient.address.as_deref().unwrap_or("(no address given)")
}

fn steps(page: &mut Page, steps: &[impl AsRef<str>]) {
    for (n, step) in steps.iter().enumerate() {
        page.tab(LABELS).put(Style::Plain, &format!("{}. ", n + 1));
        page.wrap(Style::Plain, LABELS + 3, step.as_ref());
    }
}

/// The sign and colour of a recipient, and its outcome in a word.
fn verdict(recipient: &Recipient) -> (Glyph, Style, &'static str) {
    match (recipient.class(), recipient.cause) {
        _ if recipient.feedback == Some(Feedback::NotSpam) => {
            (Glyph::Check, Style::Good, "no failure")
        }
        _ if matches!(
            recipient.feedback,
            Some(Feedback::AuthFailure | Feedback::Other)
        ) =>
        {
            (Glyph::Bang, Style::Passing, "report")
        }
        (_, Cause::AbuseReport) => (Glyph::Bang, Style::Passing, "complaint"),
        (_, Cause::ChallengeResponse) => (Glyph::Bang, Style::Passing, "waits for you"),
        (Class::NotAFailure, _) => (Glyph::Check, Style::Good, "no failure"),
        _ if recipient.expired => (Glyph::Cross, Style::Bad, "gave up"),
        _ if recipient.permanent == Some(false) => (Glyph::Bang, Style::Passing, "still trying"),
        _ if recipient.permanent == Some(true) => (Glyph::Cross, Style::Bad, "permanent"),
        _ => (Glyph::Cross, Style::Bad, ""),
    }
}

/// `✗ user@example.com   no such mailbox                     permanent`
fn headline(page: &mut Page, recipient: &Recipient, others: usize, advice: &Advice) {
    let (glyph, style, outcome) = verdict(recipient);
    page.glyph(style, glyph).put(Style::Plain, " ");
    let who = match &recipient.address {
        Some(address) => address.clone(),
        None => String::new(),
    };
    let count = if others == 0 {
        String::new()
    } else {
        format!(" and {others} more")
    };
    let needed =
        safe::width(&page.safe(&who)) + count.len() + advice.title.len() + outcome.len() + 8;
    let fits = needed <= page.room();
    if !who.is_empty() {
        page.put_cut(Style::Strong, &who).put(Style::Plain, &count);
        if fits {
            page.put(Style::Plain, "   ");
        } else {
            page.end().tab(2);
        }
    }
    page.put(style, advice.title);
    if !outcome.is_empty() {
        let end = page.painter().width.min(80);
        page.tab(end.saturating_sub(outcome.len()))
            .put(style, outcome);
    }
    page.end();
}

/// The same in one line of any length: for `-q`.
pub(super) fn headline_in_one(page: &mut Page, recipient: &Recipient) {
    let (glyph, style, outcome) = verdict(recipient);
    let advice = advise_group(recipient, &[], Audience::User);
    page.glyph(style, glyph).put(Style::Plain, " ");
    page.put(Style::Strong, address(recipient))
        .put(Style::Plain, "  ")
        .put(style, advice.title);
    page.put(Style::Dim, &format!("  {}", recipient.cause.id()));
    if !outcome.is_empty() {
        page.put(style, "  ").put(style, outcome);
    }
}
