//! Is this layer a notice, and of which kind? What the header and the text say for it is weighed:
//! one word or one field alone never decides, a notice has several.

use crate::message::layer::{Layer, Wrap};
use crate::message::{addresses, lines};

use super::marks::{self, DELAY, DELIVERED, EXPIRED, FINAL, Votes};
use super::page::{contains, starts};
use super::prose::Prose;

/// What the header says.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// From (or Sender, Return-Path) names a machine that writes notices.
    pub(super) daemon: bool,
    /// The envelope sender is empty (RFC 5321 §4.5.5).
    pub(super) null_sender: bool,
    /// Auto-Submitted is there and not "no".
    pub(super) auto: bool,
    /// A field or the subject says: automatic reply.
    pub(super) auto_reply: bool,
    /// X-Failed-Recipients is there.
    pub(super) failed_recipients: bool,
    /// It came over a mailing list or in bulk.
    pub(super) list: bool,
    /// Roles of the subject.
    pub(super) subject: u32,
    /// The layer has no header of a mail, or only the copied one of an inline forward.
    pub(super) headless: bool,
}

impl Evidence {
    /// Reads the header.
    pub(super) fn of(layer: &Layer<'_>, votes: &mut Votes) -> Self {
        let mut all = Self {
            headless: layer.head.fields.is_empty()
                || matches!(
                    layer.wraps.last(),
                    Some(Wrap::Inline | Wrap::Quoted | Wrap::Pasted)
                ),
            ..Self::default()
        };
        for field in &layer.head.fields {
            let Some(meaning) = meaning(&field.name) else {
                continue;
            };
            let body = lines::trim(&field.body);
            match meaning {
                Meaning::From => {
                    let value = field.value();
                    all.daemon |= marks::daemon(&value, votes) || is_list_manager(&value);
                }
                Meaning::Subject => all.subject |= marks::subject(&field.value(), votes),
                Meaning::ReturnPath => {
                    all.null_sender |= body.starts_with("<>") || starts(body, "<mailer-daemon");
                }
                Meaning::AutoSubmitted => {
                    all.auto |= !starts(body, "no");
                    all.auto_reply |= starts(body, "auto-replied") && !contains(body, "failure");
                }
                Meaning::FailedRecipients => all.failed_recipients = true,
                Meaning::Precedence => {
                    all.list |= starts(body, "bulk") || starts(body, "list");
                    all.auto_reply |= starts(body, "auto_reply") || starts(body, "auto-reply");
                }
                Meaning::List => all.list = true,
                Meaning::AutoReply => all.auto_reply |= !starts(body, "no"),
            }
        }
        // Many mails of a list in one are sent under the name of its manager.
        all.daemon &= !(all.list && all.subject & marks::S_DIGEST != 0);
        all.auto_reply |= all.subject & marks::S_AUTO != 0 && all.subject & marks::S_FAILED == 0;
        all
    }

    /// People talk here: what they quote is what they talk about.
    pub(super) const fn is_talk(&self) -> bool {
        self.list && !self.daemon
    }

    /// Nothing in the header speaks of a machine.
    pub(super) fn is_person(&self) -> bool {
        !(self.daemon || self.null_sender || self.auto || self.failed_recipients || self.headless)
    }

    /// The weight of the header for a notice about delivery.
    pub(super) fn weight(&self) -> i32 {
        let fails = marks::S_FAILED | marks::S_DELAYED | marks::S_DELIVERED;
        let answer = self.subject & marks::S_ANSWER != 0;
        let mut weight = 0;
        weight += if self.daemon { 3 } else { 0 };
        weight += if self.null_sender { 2 } else { 0 };
        weight += i32::from(self.auto);
        weight += if self.failed_recipients { 4 } else { 0 };
        weight += if self.subject & fails != 0 && !answer {
            3
        } else {
            0
        };
        weight -= if answer { 2 } else { 0 };
        weight -= if self.list && !self.daemon { 4 } else { 0 };
        weight -= if self.auto_reply && !self.daemon {
            1
        } else {
            0
        };
        weight
    }
}

/// The fields that speak for or against a notice.
#[derive(Debug, Clone, Copy)]
enum Meaning {
    From,
    Subject,
    ReturnPath,
    AutoSubmitted,
    FailedRecipients,
    Precedence,
    List,
    AutoReply,
}

fn meaning(name: &str) -> Option<Meaning> {
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    // Most fields are told by their length alone.
    let meaning = match name.len() {
        4 if is("From") => Meaning::From,
        7 if is("Subject") => Meaning::Subject,
        7 if is("List-Id") => Meaning::List,
        9 if is("List-Post") => Meaning::List,
        10 if is("Precedence") => Meaning::Precedence,
        10 if is("X-Vacation") => Meaning::AutoReply,
        11 if is("Return-Path") => Meaning::ReturnPath,
        11 if is("X-Autoreply") => Meaning::AutoReply,
        12 if is("X-Auto-Reply") => Meaning::AutoReply,
        13 if is("X-Autorespond") => Meaning::AutoReply,
        14 if is("Auto-Submitted") => Meaning::AutoSubmitted,
        15 if is("X-Auto-Response") || is("X-Autogenerated") || is("X-Autoresponder") => {
            Meaning::AutoReply
        }
        16 if is("List-Unsubscribe") => Meaning::List,
        16 if is("X-Mail-Autoreply") || is("X-AutoReply-From") => Meaning::AutoReply,
        19 if is("X-Failed-Recipients") => Meaning::FailedRecipients,
        26 if is("Delivered-To-Autoresponder") => Meaning::AutoReply,
        _ => return None,
    };
    Some(meaning)
}

/// Weighs header and text; `dialect` is the weight of the best dialect.
pub(super) fn is_notice(evidence: &Evidence, prose: &Prose, dialect: u16) -> bool {
    let speaks = prose.roles & (FINAL | DELAY | DELIVERED | EXPIRED) != 0;
    let mut body = 0;
    body += if dialect >= 4 { 3 } else { 0 };
    body += if prose.shaped { 3 } else { 0 };
    body += i32::from(speaks);
    body += i32::from(!prose.drafts.is_empty());
    if evidence.headless {
        // Who forwards a notice copies its header: a machine that says in the subject what failed.
        let copied = evidence.weight() >= 6 && (dialect >= 4 || !prose.drafts.is_empty());
        return body >= 4 || copied && body >= 1;
    }
    if evidence.list && !evidence.daemon {
        return false;
    }
    if evidence.is_person() {
        // A person's mail is a notice only when a whole one was pasted into it.
        let found = prose.shaped || dialect >= 7 && !prose.drafts.is_empty();
        return dialect >= 4 && found && speaks || evidence.weight() >= 3 && body >= 4;
    }
    // Bug trackers and monitors write by themselves as well, and quote what servers said.
    let fails = marks::S_FAILED | marks::S_DELAYED | marks::S_DELIVERED;
    let told = evidence.daemon
        || evidence.null_sender
        || evidence.failed_recipients
        || evidence.subject & fails != 0;
    (told || dialect >= 4)
        && (body >= 1 || evidence.failed_recipients)
        && evidence.weight() + body >= 6
}

/// The words of a notice that hold without any header: its program's own phrases, a recipient
/// with a reply or a reason, and that something failed or is late.
pub(super) fn is_whole(prose: &Prose, dialect: u16) -> bool {
    let speaks = prose.roles & (FINAL | DELAY | DELIVERED | EXPIRED) != 0;
    dialect >= 4 && prose.shaped && speaks
}

/// What the managers of lists put behind the name of the list.
const MANAGERS: [&str; 5] = ["-admin", "-bounces", "-request", "-owner", "-errors"];

/// List managers answer under the name of the list.
fn is_list_manager(from: &str) -> bool {
    [
        "-admin@",
        "-bounces@",
        "-request@",
        "-owner@",
        "-errors@",
        "listserv@",
        "sympa@",
        "majordomo@",
    ]
    .iter()
    .any(|part| contains(from, part))
}

/// The address of the list whose manager writes: `dev-bounces@lists.example` is that of
/// `dev@lists.example`.
pub(super) fn list_of_manager(from: &str) -> Option<String> {
    let address = addresses::clean(from)?;
    let (local, domain) = address.rsplit_once('@')?;
    let list = MANAGERS.iter().find_map(|part| {
        let at = local.len().checked_sub(part.len())?;
        let same = local.get(at..)?.eq_ignore_ascii_case(part);
        local.get(..at).filter(|list| same && !list.is_empty())
    })?;
    Some(format!("{list}@{domain}"))
}

#[cfg(test)]
mod tests {
    use super::list_of_manager;

    #[test]
    fn the_list_of_a_manager_is_found() {
        let list = |from: &str| list_of_manager(from).unwrap_or_default();
        assert_eq!(list("Dev <dev-bounces@l.example>"), "dev@l.example");
        assert_eq!(list("all-staff-Request@l.example"), "all-staff@l.example");
        for none in ["ann@l.example", "-owner@l.example", "owner", ""] {
            assert_eq!(list(none), "", "{none}");
        }
    }
}
