//! What a cause means for people: what happened, whose side it is on, what to do. The words are
//! in `data/causes.toml`; this file only chooses among them and fills in what is known.

mod fill;
mod table;

use std::borrow::Cow;

use crate::bounce::cause::Cause;
use crate::bounce::explanation::{Action, Feedback, Mistake, Recipient};
use crate::scope::Scope;

use fill::{Facts, domain};
use table::words;

/// Whom the words are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// The person who got the bounce.
    User,
    /// The administrator of a mail server.
    Admin,
    /// The person first, then the administrator.
    Both,
}

/// Who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Who {
    Sender,
    SenderAdmin,
    Recipient,
    RecipientAdmin,
    Nobody,
}

impl Who {
    /// The id used in JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::SenderAdmin => "sender-admin",
            Self::Recipient => "recipient",
            Self::RecipientAdmin => "recipient-admin",
            Self::Nobody => "nobody",
        }
    }
}

/// What to tell somebody about one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// The cause in three or four words.
    pub title: &'static str,
    /// Who must act.
    pub who: Who,
    /// Whose side it is on, as a sentence.
    pub side: Cow<'static, str>,
    /// What happened.
    pub meaning: Cow<'static, str>,
    /// What to do, one after the other.
    pub steps: Vec<Cow<'static, str>>,
    /// The words for the administrator, when they were asked for beside those for the user.
    pub admin: Option<AdminAdvice>,
}

/// The same for the administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminAdvice {
    /// What happened, technically.
    pub meaning: Cow<'static, str>,
    /// What to do.
    pub steps: Vec<Cow<'static, str>>,
}

/// The words about one recipient. Pure and cheap: static texts with the known values put in.
pub fn advise(recipient: &Recipient, audience: Audience) -> Advice {
    let address = recipient.address.as_deref();
    advise_as(
        recipient,
        audience,
        &Facts {
            recipient,
            address,
            domain: address.and_then(domain),
            many: false,
        },
    )
}

/// The words about several recipients that met the same fate as `first`, one of them. The domain
/// is named when all share it.
pub fn advise_group(first: &Recipient, others: &[&Recipient], audience: Audience) -> Advice {
    if others.is_empty() {
        return advise(first, audience);
    }
    let of = |recipient: &Recipient| {
        recipient
            .address
            .as_deref()
            .and_then(domain)
            .map(str::to_owned)
    };
    let shared = others.iter().all(|other| of(other) == of(first));
    let domain = first.address.as_deref().and_then(domain).filter(|_| shared);
    advise_as(
        first,
        audience,
        &Facts {
            recipient: first,
            address: None,
            domain,
            many: true,
        },
    )
}

fn advise_as(recipient: &Recipient, audience: Audience, facts: &Facts<'_>) -> Advice {
    let words = words(recipient.cause, Situation::of(recipient));
    let speech = match audience {
        Audience::Admin => &words.admin,
        Audience::User | Audience::Both => &words.user,
    };
    Advice {
        title: words.title.text(),
        who: words.who,
        side: facts.fill(words.side),
        meaning: facts.fill(speech.what),
        steps: facts.steps(speech),
        admin: (audience == Audience::Both).then(|| AdminAdvice {
            meaning: facts.fill(words.admin.what),
            steps: facts.steps(&words.admin),
        }),
    }
}

/// The short name of a cause, as it stands in summaries.
pub fn title(cause: Cause) -> &'static str {
    words(cause, Situation::Final).title.text()
}

/// A typical line that a server writes for this cause.
pub fn example(cause: Cause) -> &'static str {
    table::example(cause)
}

/// Which of the texts of a cause fits. The order is that of `src/core/build/causes.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Situation {
    Final,
    Waiting,
    Expired,
    QueryRefused,
    DeadList,
    PrivateAddress,
    Relayed,
    Expanded,
    NotSpam,
    AuthFailure,
    Virus,
    Fraud,
    OptOut,
    Other,
}

/// How many situations there are.
const SITUATIONS: usize = 14;

impl Situation {
    fn of(recipient: &Recipient) -> Self {
        match recipient
            .dnsbl
            .as_ref()
            .and_then(|listing| listing.mistaken)
        {
            Some(Mistake::QueryRefused) => return Self::QueryRefused,
            Some(Mistake::DeadList) => return Self::DeadList,
            None => {}
        }
        match recipient.feedback {
            Some(Feedback::NotSpam) => return Self::NotSpam,
            Some(Feedback::AuthFailure) => return Self::AuthFailure,
            Some(Feedback::Virus) => return Self::Virus,
            Some(Feedback::Fraud) => return Self::Fraud,
            Some(Feedback::OptOut) => return Self::OptOut,
            Some(Feedback::Other) => return Self::Other,
            Some(Feedback::Abuse) | None => {}
        }
        match recipient.action {
            Some(Action::Relayed) => Self::Relayed,
            Some(Action::Expanded) => Self::Expanded,
            _ if recipient.expired => Self::Expired,
            _ if recipient.permanent == Some(false) => Self::Waiting,
            _ if recipient
                .dnsbl
                .as_ref()
                .and_then(|l| l.ip)
                .is_some_and(|ip| Scope::of(ip).is_inside()) =>
            {
                Self::PrivateAddress
            }
            _ => Self::Final,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::fill::{moment, size, url};
    use super::*;
    use crate::bounce::explanation::{Confidence, Listing, Remote};

    fn recipient(cause: Cause) -> Recipient {
        Recipient::of(cause, Confidence::High)
    }

    fn known(cause: Cause) -> Recipient {
        Recipient {
            address: Some("user@example.com".to_owned()),
            remote_mta: Remote {
                host: Some("mx.example.com".to_owned()),
                ip: None,
            },
            diagnostic: Some("552 size limit 10485760, see https://example.com/why.".to_owned()),
            dnsbl: Some(Listing {
                list: Some("spamhaus-zen"),
                zone: Some("zen.spamhaus.org".to_owned()),
                ip: Some("192.0.2.1".parse().unwrap()),
                url: Some("https://check.example/192.0.2.1".to_owned()),
                ..Listing::default()
            }),
            retry_until: DateTime::parse_from_rfc3339("2004-03-10T19:29:27-06:00").ok(),
            ..recipient(cause)
        }
    }

    #[test]
    fn moments_are_written_as_chrono_writes_them() {
        for written in [
            "2004-03-10T19:29:27-06:00",
            "2026-11-22T03:09:03+05:30",
            "0999-01-01T00:00:00+00:00",
            "1999-12-31T23:59:59-00:30",
        ] {
            let time = DateTime::parse_from_rfc3339(written).unwrap();
            let chrono = time.format("%a %-d %b %Y %H:%M %z").to_string();
            assert_eq!(moment(time), chrono);
        }
    }

    /// Each way in which the words can be asked for.
    fn everything(mut visit: impl FnMut(Cause, &str, bool)) {
        let outcomes: [fn(&mut Recipient); 13] = [
            |r| r.feedback = Some(Feedback::NotSpam),
            |r| r.feedback = Some(Feedback::AuthFailure),
            |r| r.feedback = Some(Feedback::Virus),
            |r| r.feedback = Some(Feedback::Fraud),
            |r| r.feedback = Some(Feedback::OptOut),
            |r| r.feedback = Some(Feedback::Other),
            |_| {},
            |r| r.permanent = Some(false),
            |r| r.expired = true,
            |r| r.action = Some(Action::Relayed),
            |r| r.action = Some(Action::Expanded),
            |r| {
                r.dnsbl = Some(Listing {
                    mistaken: Some(Mistake::QueryRefused),
                    ..Listing::default()
                });
            },
            |r| {
                r.dnsbl = Some(Listing {
                    mistaken: Some(Mistake::DeadList),
                    ..Listing::default()
                });
            },
        ];
        for &cause in Cause::ALL {
            for outcome in outcomes {
                for (mut recipient, full) in [(recipient(cause), false), (known(cause), true)] {
                    outcome(&mut recipient);
                    let advice = advise(&recipient, Audience::Both);
                    let admin = advice.admin.clone().unwrap();
                    visit(cause, advice.title, full);
                    for text in [&advice.side, &advice.meaning, &admin.meaning] {
                        visit(cause, text, full);
                    }
                    assert!((1..=5).contains(&advice.steps.len()), "{cause}");
                    assert!((1..=5).contains(&admin.steps.len()), "{cause}");
                    advice
                        .steps
                        .iter()
                        .chain(&admin.steps)
                        .for_each(|s| visit(cause, s, full));
                }
            }
        }
    }

    #[test]
    fn every_text_is_a_clean_sentence_with_and_without_values() {
        everything(|cause, text, _| {
            assert!(!text.trim().is_empty(), "{cause}");
            for wrong in [
                "  ", " .", " ,", "..", "{", "}", "[", "]", "|", ",,", ".,", ":.", "( ",
            ] {
                assert!(!text.contains(wrong), "{cause}: {wrong:?} in {text:?}");
            }
        });
    }

    #[test]
    fn sentences_begin_with_a_capital_and_end_with_a_stop() {
        for &cause in Cause::ALL {
            for recipient in [recipient(cause), known(cause)] {
                let advice = advise(&recipient, Audience::Both);
                let admin = advice.admin.unwrap();
                for text in [&advice.meaning, &advice.side, &admin.meaning] {
                    assert!(text.ends_with('.'), "{cause}: {text}");
                    let host = ["mx.", "user@", "192.0", "example.com", "zen."];
                    assert!(
                        text.starts_with(char::is_uppercase)
                            || host.iter().any(|h| text.starts_with(h)),
                        "{cause}: {text}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_known_is_said() {
        let advice = advise(&known(Cause::Dnsbl), Audience::Both);
        assert!(
            advice
                .meaning
                .contains("192.0.2.1 is on the block list zen.spamhaus.org")
        );
        let admin = advice.admin.unwrap();
        assert_eq!(
            admin.steps[0],
            "Look it up: https://check.example/192.0.2.1"
        );
        let advice = advise(&known(Cause::MessageTooLarge), Audience::User);
        assert!(
            advice.meaning.contains("the limit is 10.4 MB"),
            "{}",
            advice.meaning
        );
        assert!(advice.admin.is_none());
    }

    #[test]
    fn what_is_not_known_becomes_a_phrase() {
        let advice = advise(&recipient(Cause::UserUnknown), Audience::User);
        assert_eq!(
            advice.meaning,
            "The receiving server says that it has no mailbox with this name."
        );
        assert_eq!(advice.steps[0], "Check the spelling of the address.");
    }

    #[test]
    fn a_server_that_still_tries_needs_no_second_mail() {
        let waiting = Recipient {
            permanent: Some(false),
            ..known(Cause::ConnectionFailed)
        };
        let advice = advise(&waiting, Audience::User);
        assert_eq!(advice.who, Who::Nobody);
        assert!(
            advice
                .meaning
                .contains("keeps trying until Wed 10 Mar 2004 19:29 -0600")
        );
        let expired = Recipient {
            permanent: Some(true),
            expired: true,
            ..waiting
        };
        let advice = advise(&expired, Audience::User);
        assert_eq!(advice.who, Who::SenderAdmin);
        assert!(advice.meaning.contains("gave up"));
    }

    #[test]
    fn a_misread_list_is_not_the_senders_to_mend() {
        for (cause, mistaken) in [
            (Cause::ServerError, Mistake::QueryRefused),
            (Cause::Dnsbl, Mistake::DeadList),
        ] {
            let mut recipient = known(cause);
            recipient.dnsbl.as_mut().unwrap().mistaken = Some(mistaken);
            let advice = advise(&recipient, Audience::Both);
            assert_eq!(advice.who, Who::RecipientAdmin);
            assert!(
                !advice.meaning.contains("refused the mail because"),
                "{}",
                advice.meaning
            );
        }
    }

    #[test]
    fn feedback_that_is_no_complaint_is_told_as_what_it_is() {
        let told = |kind| {
            let mut recipient = known(Cause::AbuseReport);
            recipient.feedback = kind;
            advise(&recipient, Audience::User)
        };
        assert_eq!(told(None), told(Some(Feedback::Abuse)));
        let good = told(Some(Feedback::NotSpam));
        assert_eq!(good.who, Who::Nobody);
        assert!(good.meaning.contains("no spam"), "{}", good.meaning);
        let forged = told(Some(Feedback::AuthFailure));
        assert_eq!(forged.who, Who::SenderAdmin);
        assert!(forged.meaning.contains("SPF"), "{}", forged.meaning);
        for kind in [
            Feedback::Virus,
            Feedback::Fraud,
            Feedback::OptOut,
            Feedback::Other,
        ] {
            assert_ne!(told(Some(kind)).title, told(None).title, "{kind:?}");
        }
    }

    #[test]
    fn a_private_address_sends_the_administrator_to_the_public_one() {
        let mut recipient = known(Cause::Dnsbl);
        recipient.dnsbl.as_mut().unwrap().ip = "192.168.1.50".parse().ok();
        let admin = advise(&recipient, Audience::Both).admin.unwrap();
        assert!(
            admin
                .meaning
                .starts_with("192.168.1.50 is a private address")
        );
        assert!(admin.steps[0].contains("public address"), "{admin:?}");
    }

    #[test]
    fn an_endless_address_does_not_flood_the_screen() {
        let flood = Recipient {
            address: Some("x".repeat(100_000)),
            ..recipient(Cause::UserUnknown)
        };
        assert!(
            advise(&flood, Audience::User)
                .steps
                .iter()
                .all(|step| step.len() < 400)
        );
    }

    #[test]
    fn links_and_limits_are_found_in_the_words() {
        assert_eq!(
            url("550 see https://x.example/a?b=1, thanks"),
            Some("https://x.example/a?b=1")
        );
        assert_eq!(
            url("blocked (http://www.example.org/x)."),
            Some("http://www.example.org/x")
        );
        assert_eq!(url("550 no link"), None);
        assert_eq!(
            size("message size 12000000 exceeds size limit 10240000 of server").as_deref(),
            Some("10.2 MB")
        );
        assert_eq!(
            size("552 too big (max 50000 bytes)").as_deref(),
            Some("50 kB")
        );
        assert_eq!(size("552 5.3.4 message 12345678 too big"), None);
    }

    #[test]
    fn a_limit_is_a_number_of_bytes_right_behind_its_word() {
        for (text, limit) in [
            ("552 limit 35882577", Some("35.8 MB")),
            ("552 Maximum size is 20000000 bytes", Some("20 MB")),
            ("552 limit is 999999", Some("0.9 MB")),
            ("552 limit is 99999", Some("99 kB")),
            // What comes first is the limit, not the size of the message behind it.
            ("552 max 10485760 but it has 31457280", Some("10.4 MB")),
            // Not the number of a ticket, a day, a port, and nothing that no disk holds.
            ("552 over the limit; ticket 12345678", None),
            ("552 over the limit, id 12345678", None),
            ("552 over the limit. Call 12345678", None),
            ("552 limit 25", None),
            ("552 limit 5000000000", None),
            ("552 limit 99999999999999999999", None),
            ("552 message of 12345678 bytes is too big", None),
        ] {
            assert_eq!(size(text).as_deref(), limit, "{text}");
        }
    }

    #[test]
    fn titles_and_examples_are_there_for_all() {
        for &cause in Cause::ALL {
            assert!(!title(cause).is_empty());
            assert!(!example(cause).is_empty());
        }
    }
}
