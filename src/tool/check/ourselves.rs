//! Our own side, when a server refuses us and not the recipient: which address it saw, what that
//! address is called, what our own records say. Nobody has to ask three other tools for that.

use std::net::IpAddr;

use crate::bounce::cause::Cause;
use crate::check::domain::inner;
use crate::check::options::Options;
use crate::check::verdict::is_ours_to_mend;
use crate::check::{Outcome, Server};
use crate::dns::{Failure, Kind, Lookup, Name};
use crate::posture::finding::{Finding, Notes};
use crate::posture::spf::{self, Sender};
use crate::posture::{Asker, dmarc, rdns};
use crate::smtp::Reply;

/// What is to be looked up about us.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Question {
    cause: Cause,
    /// The address the server saw; `None` when nobody can tell.
    ip: Option<IpAddr>,
    /// The server names it itself.
    named: bool,
    /// The refusal speaks of DMARC.
    dmarc: bool,
}

impl Question {
    /// The question that a server's refusal raises, if it is about us.
    pub(super) fn of(server: &Server) -> Option<Self> {
        let asked = server.recipient.as_ref();
        let asked = asked.filter(|p| p.outcome != Outcome::Accepted);
        let asked = asked.and_then(|p| Some((p.reply.as_ref()?, p.judgement.as_ref()?)));
        let refused = server.refusal.as_ref().map(|(reply, why)| (reply, why));
        let (reply, judgement) = refused.or(asked)?;
        let cause = judgement.cause;
        is_ours_to_mend(cause).then(|| {
            let named = named(reply, server.ip);
            // Behind a translation of addresses ours is not the one that the server sees.
            let ours = server
                .local
                .filter(|local| inner(*local).is_none() || inner(server.ip).is_some());
            Self {
                cause,
                ip: named.or(ours),
                named: named.is_some(),
                dmarc: reply.text().to_ascii_uppercase().contains("DMARC"),
            }
        })
    }
}

/// The address that a refusal names: in brackets before bare, and not the server's own.
fn named(reply: &Reply, server: IpAddr) -> Option<IpAddr> {
    let text = reply.text();
    let within = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':');
    let word = |word: &str| {
        let word = word.trim_matches(['.', ':']);
        let ip: IpAddr = word.parse().ok()?;
        (ip != server && !ip.is_unspecified()).then_some(ip)
    };
    let bracketed = text.split('[').skip(1).filter_map(|rest| {
        let inside = rest.split(']').next()?;
        word(inside.strip_prefix("IPv6:").unwrap_or(inside))
    });
    let bare = text.split(|c| !within(c)).filter_map(word);
    bracketed.chain(bare).next()
}

/// Looks it up and says it.
pub(super) async fn explain<L: Lookup>(
    asker: Asker<'_, L>,
    question: &Question,
    options: &Options,
) -> Vec<Finding> {
    let sender = options.sender();
    let (local, domain) = sender.rsplit_once('@').unwrap_or(("", ""));
    let mut all = Vec::new();
    match (question.cause, question.ip) {
        (Cause::Dnsbl | Cause::IpBlocked, Some(ip)) if question.named => {
            let advice = format!("See whether it is on lists, too: mailtrace dnsbl {ip}");
            let text = "this is the address that the server saw us come from";
            all.extend(one(&ip.to_string(), "our-address", text, &advice));
        }
        (Cause::MissingReverseDns, Some(ip)) => all.extend(reverse(asker, ip).await),
        (Cause::SenderRejected, _) if !domain.is_empty() => {
            all.extend(existence(asker, domain).await);
        }
        (Cause::AuthFailed, ip) if !domain.is_empty() => {
            if let Some(ip) = ip {
                let helo = options.helo.as_deref().unwrap_or("");
                let sender = Sender {
                    ip,
                    local,
                    domain,
                    helo,
                };
                all.extend(policy(asker, &sender).await);
            }
            if question.dmarc {
                all.extend(alignment(asker, domain).await);
            }
        }
        _ => {}
    }
    all
}

fn one(subject: &str, code: &'static str, text: &str, advice: &str) -> Option<Finding> {
    let mut notes = Notes::about(subject);
    notes.info(code, text, advice);
    notes.list.pop()
}

async fn reverse<L: Lookup>(asker: Asker<'_, L>, ip: IpAddr) -> Option<Finding> {
    const WHO: &str = "Who gave you the address (the provider or hoster) sets its reverse name; that name has to lead back to it.";
    let found = rdns::look_up(asker, ip).await;
    let (text, advice) = match (&found.name, found.confirmed) {
        (_, None) => (
            "whether our address has a reverse name could not be found out now".to_string(),
            "Try again later.",
        ),
        (None, _) => ("our address has no reverse name".to_string(), WHO),
        (Some(name), Some(false)) => (
            format!("our address is called {name}, but that name does not lead back to it"),
            WHO,
        ),
        (Some(name), Some(true)) => (
            format!(
                "our address is called {name}, and that name leads back to it: seen from here it is in order"
            ),
            "The server's resolver may still remember the old state, or it wants another kind of name.",
        ),
    };
    one(&ip.to_string(), "our-reverse-dns", &text, advice)
}

/// Whether anybody could answer to our sender's domain.
async fn existence<L: Lookup>(asker: Asker<'_, L>, domain: &str) -> Option<Finding> {
    let name = Name::parse(domain).ok()?;
    let (mx, a) = tokio::join!(asker.ask(&name, Kind::Mx), asker.ask(&name, Kind::A));
    let text = match (mx.map(|_| ()), a.map(|_| ())) {
        (Err(Failure::NxDomain), _) => "the domain of our sender does not exist",
        (Err(mx), Err(a)) if mx.is_answer() && a.is_answer() => {
            "the domain of our sender has neither an MX nor an address: nobody could answer"
        }
        _ => return None,
    };
    let advice = "Use a sender that can be answered: --from you@your.domain";
    one(domain, "our-sender-domain", text, advice)
}

async fn policy<L: Lookup>(asker: Asker<'_, L>, sender: &Sender<'_>) -> Option<Finding> {
    let verdict = spf::evaluate(asker, sender).await;
    let by = verdict.decided_by.as_ref();
    let by = by.map_or(String::new(), |(domain, term)| {
        format!(" (\"{term}\" in the record of {domain})")
    });
    let ip = sender.ip;
    let text = match verdict.outcome {
        spf::Outcome::None => {
            format!("our sender's domain has no SPF record, so nothing speaks for {ip}")
        }
        outcome => format!(
            "SPF of our sender's domain gives {} for {ip}{by}",
            outcome.id()
        ),
    };
    let advice = match verdict.outcome {
        spf::Outcome::Pass => {
            "SPF is in order, so it is something else: DKIM, or the From address is of another domain."
        }
        spf::Outcome::TempError => "Its name servers did not answer; try again later.",
        _ => "Put the address into the SPF record, or send from a server that is in it.",
    };
    one(sender.domain, "our-spf", &text, advice)
}

async fn alignment<L: Lookup>(asker: Asker<'_, L>, domain: &str) -> Option<Finding> {
    let name = Name::parse(domain).ok()?;
    let found = dmarc::find(asker, &name).await;
    let text = match &found.applied {
        Some(applied) => format!(
            "DMARC of our sender's domain asks receivers for \"{}\" (record of {})",
            applied.policy.id(),
            applied.domain
        ),
        None if found.failure.is_some() => return None,
        None => "our sender's domain has no DMARC record that counts".to_string(),
    };
    let advice = "SPF or DKIM has to pass for the domain of the From address itself.";
    one(domain, "our-dmarc", &text, advice)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::dns::Data;
    use crate::dns::world::{Entry, World};

    fn reply(text: &str) -> Reply {
        Reply {
            code: 550,
            lines: vec![text.to_string()],
            flaws: Vec::new(),
        }
    }

    #[test]
    fn the_address_that_a_server_names_is_found_in_its_words() {
        let of = |text: &str| {
            let ip = named(&reply(text), IpAddr::from([192, 0, 2, 25]));
            ip.map(|ip| ip.to_string()).unwrap_or_default()
        };
        for (text, ip) in [
            (
                "Client host [198.51.100.7] blocked using zen.spamhaus.org",
                "198.51.100.7",
            ),
            (
                "blocked, see https://x.test/?ip=198.51.100.7.",
                "198.51.100.7",
            ),
            ("no PTR for [IPv6:2001:db8::7]", "2001:db8::7"),
            ("mx 192.0.2.25 refuses 198.51.100.7", "198.51.100.7"),
            ("2001:db8::7 is blocked", "2001:db8::7"),
            ("5.7.1 see 550-5.7.1 or bl23.html at 10:20:30", ""),
            ("4.7.25 version 1.2.3", ""),
        ] {
            assert_eq!(of(text), ip, "{text}");
        }
    }

    #[tokio::test]
    async fn our_own_records_are_held_against_the_refusal() {
        let ptr = Entry {
            data: vec![Data::Ptr(Name::parse("host.ours.test").unwrap())],
            ..Entry::default()
        };
        let world = World::new()
            .text("ours.test", b"v=spf1 ip4:192.0.2.1 -all")
            .text("_dmarc.ours.test", b"v=DMARC1; p=reject")
            .name("7.100.51.198.in-addr.arpa", ptr);
        let asker = Asker::new(&world, Duration::from_secs(1));
        let mut options = Options::at(chrono::Utc::now());
        options.from = Some("me@ours.test".to_string());
        let said = async |cause, dmarc| {
            let question = Question {
                cause,
                ip: Some(IpAddr::from([198, 51, 100, 7])),
                named: true,
                dmarc,
            };
            let all = explain(asker, &question, &options).await;
            all.iter()
                .map(|f| format!("{}: {}", f.code, f.text))
                .collect::<Vec<_>>()
                .join("; ")
        };
        assert_eq!(
            said(Cause::AuthFailed, true).await,
            "our-spf: SPF of our sender's domain gives fail for 198.51.100.7 (\"-all\" in the record \
             of ours.test); our-dmarc: DMARC of our sender's domain asks receivers for \"reject\" \
             (record of ours.test)"
        );
        assert_eq!(
            said(Cause::MissingReverseDns, false).await,
            "our-reverse-dns: our address is called host.ours.test, but that name does not lead back to it"
        );
        assert!(said(Cause::Dnsbl, false).await.starts_with("our-address: "));
        assert_eq!(
            said(Cause::SenderRejected, false).await,
            "our-sender-domain: the domain of our sender has neither an MX nor an address: nobody could answer"
        );
        assert_eq!(said(Cause::OverQuota, false).await, "");
    }
}
