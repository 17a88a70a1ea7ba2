//! MAIL, RCPT and no further: asks about recipients in an open conversation and takes it all
//! back with RSET. Never DATA.

use ring::rand::{SecureRandom, SystemRandom};

use crate::bounce::cause::Cause;
use crate::bounce::explanation::Command as Verb;
use crate::check::greeting::understand;
use crate::check::options::Options;
use crate::check::{Outcome, Probe, Step};
use crate::smtp::command::{MailParameters, RcptParameters};
use crate::smtp::{Client, Command, Failure, Reply, Stage};

/// The answer about one recipient.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asked {
    pub(super) probe: Probe,
    pub(super) steps: Vec<Step>,
    /// The conversation broke at this recipient.
    pub(super) failure: Option<Failure>,
}

/// The answers about some of those asked for, the first ones; the others had no turn.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) asked: Vec<Asked>,
    /// How many refusals the server counts against us.
    pub(super) refused: usize,
    /// MAIL was refused because the conversation is not encrypted.
    pub(super) needs_tls: bool,
}

/// A mailbox that cannot exist: nobody can have guessed it, and it is no word.
fn nobody(domain: &str) -> Option<String> {
    let mut random = [0u8; 18];
    SystemRandom::new().fill(&mut random).ok()?;
    let letters: String = random
        .iter()
        .map(|octet| char::from(b'a' + octet % 26))
        .collect();
    Some(format!("{letters}@{domain}"))
}

/// Asks about recipients, each with the wish to know whether everything is taken there.
pub(super) async fn ask(
    client: &mut Client,
    wanted: &[(&str, bool)],
    options: &Options,
    host: &str,
) -> Answers {
    let sender = options.sender();
    let utf8_offered = client
        .extensions
        .as_ref()
        .is_some_and(|e| e.has("SMTPUTF8"));
    let utf8 = utf8_offered && wanted.iter().any(|(address, _)| !address.is_ascii());
    // RFC 7505 and RFC 5321 §3.6.3: a null sender has one recipient; and an address that needs
    // SMTPUTF8 must not spoil the others.
    let wanted = wanted.get(..1).filter(|_| utf8).unwrap_or(wanted);
    let strangers: Vec<Option<String>> = wanted
        .iter()
        .map(|(address, catch_all)| {
            let (_, domain) = address.rsplit_once('@').filter(|_| *catch_all)?;
            nobody(domain)
        })
        .collect();
    let parameters = MailParameters {
        smtputf8: utf8,
        ..MailParameters::default()
    };
    let rcpt = |to| (Stage::Rcpt, Command::Rcpt(to, RcptParameters::default()));
    let mut script = vec![(Stage::Mail, Command::Mail(&sender, parameters))];
    for ((address, _), stranger) in wanted.iter().zip(&strangers) {
        script.extend(stranger.as_deref().map(rcpt));
        script.push(rcpt(address));
    }
    script.push((Stage::Rset, Command::Rset));

    let first = client.transcript.exchanges.len();
    let (replies, failure) = converse(client, &script).await;
    let steps = client.transcript.exchanges.split_off(first);
    let script = Script {
        wanted,
        strangers: &strangers,
        replies: &replies,
        steps: &steps,
        failure,
        host,
    };
    let mut answers = script.read();
    if !utf8_offered {
        for (asked, (address, _)) in answers.asked.iter_mut().zip(wanted) {
            if !address.is_ascii()
                && asked.probe.outcome == Outcome::Rejected
                && let Some(judgement) = &mut asked.probe.judgement
            {
                judgement.cause = Cause::Utf8Unsupported;
            }
        }
    }
    answers
}

/// Says a script in one go when the server allows it (RFC 2920), else line by line.
async fn converse(
    client: &mut Client,
    script: &[(Stage, Command<'_>)],
) -> (Vec<Reply>, Option<Failure>) {
    if client
        .extensions
        .as_ref()
        .is_some_and(|e| e.has("PIPELINING"))
    {
        return client.pipeline(script).await;
    }
    let mut replies: Vec<Reply> = Vec::new();
    for (stage, command) in script {
        let refused = replies.first().is_some_and(|mail| !mail.is_positive());
        if *stage == Stage::Rcpt && refused {
            // Without a sender nobody can be asked about; keep the places in order.
            continue;
        }
        match client.say(*stage, command).await {
            Ok(reply) => replies.push(reply),
            Err(failure) => return (replies, Some(failure)),
        }
        if replies.last().is_some_and(|r| r.code == 421) {
            break;
        }
    }
    (replies, None)
}

struct Script<'a> {
    wanted: &'a [(&'a str, bool)],
    strangers: &'a [Option<String>],
    replies: &'a [Reply],
    steps: &'a [Step],
    failure: Option<Failure>,
    host: &'a str,
}

impl Script<'_> {
    fn read(&self) -> Answers {
        let mut answers = Answers::default();
        let Some(mail) = self.replies.first() else {
            return self.broken(answers);
        };
        if !mail.is_positive() {
            answers.needs_tls = mail.code == 530;
            answers.refused = self.wanted.len();
            for (address, _) in self.wanted {
                let mut asked = Asked::nothing(address);
                asked.replied(mail.clone(), Verb::Mail, self.host);
                asked.steps = self
                    .steps
                    .iter()
                    .filter(|s| s.stage != Stage::Rcpt)
                    .cloned()
                    .collect();
                answers.asked.push(asked);
            }
            return answers;
        }
        let mut at = 1;
        for ((address, _), stranger) in self.wanted.iter().zip(self.strangers) {
            let mut asked = Asked::nothing(address);
            asked.steps.extend(self.steps.first().cloned());
            if stranger.is_some() {
                asked.probe.catch_all = self.replies.get(at).and_then(|r| everything(r, self.host));
                answers.refused += usize::from(self.refuses(at));
                asked.steps.extend(self.steps.get(at).cloned());
                at += 1;
            }
            let Some(reply) = self.replies.get(at) else {
                return self.broken(answers);
            };
            asked.replied(reply.clone(), Verb::Rcpt, self.host);
            answers.refused += usize::from(self.refuses(at));
            asked.steps.extend(self.steps.get(at).cloned());
            at += 1;
            // 452 4.5.3 is no word about this recipient but about their number (RFC 5321
            // §4.5.3.1.10), and 421 none about those who come after it.
            let many = reply.code == 452
                && reply
                    .enhanced()
                    .is_some_and(|e| (e.subject, e.detail) == (5, 3));
            if many && !answers.asked.is_empty() {
                return answers;
            }
            let closing = reply.code == 421;
            answers.asked.push(asked);
            if closing {
                return answers;
            }
        }
        let rset = self.steps.iter().find(|s| s.stage == Stage::Rset);
        for asked in &mut answers.asked {
            asked.steps.extend(rset.cloned());
        }
        answers
    }

    fn refuses(&self, at: usize) -> bool {
        self.replies.get(at).is_some_and(|r| !r.is_positive())
    }

    /// The conversation broke: the recipient whose turn it was is told why, unless others were
    /// answered before it and it may be asked again.
    fn broken(&self, mut answers: Answers) -> Answers {
        if let (true, Some((address, _))) = (answers.asked.is_empty(), self.wanted.first()) {
            let mut asked = Asked::nothing(address);
            asked.steps = self.steps.to_vec();
            asked.failure.clone_from(&self.failure);
            answers.asked.push(asked);
        }
        answers
    }
}

/// Whether a server that answers so about nobody takes everything; a refusal for another reason
/// than the mailbox does not tell.
fn everything(reply: &Reply, host: &str) -> Option<bool> {
    match reply.code {
        250 | 251 => Some(true),
        550 | 551 | 553 | 554 => match understand(reply, Verb::Rcpt, host).cause {
            Cause::UserUnknown | Cause::MailboxDisabled | Cause::RecipientMoved => Some(false),
            // A bare number says no more than what it is for (RFC 5321 section 4.2.3).
            Cause::Unknown => (reply.code == 550).then_some(false),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_word_about_the_mailbox_tells_that_not_everything_is_taken() {
        let of = |code, text: &str| {
            let reply = Reply {
                code,
                lines: vec![text.to_string()],
                flaws: Vec::new(),
            };
            everything(&reply, "mx.x.test")
        };
        assert_eq!(of(250, "ok"), Some(true));
        assert_eq!(of(550, "No such user here"), Some(false));
        assert_eq!(of(550, ""), Some(false));
        assert_eq!(
            of(550, "your address 192.0.2.7 is blocked by our list"),
            None
        );
        assert_eq!(of(554, "5.7.1 relay access denied"), None);
        assert_eq!(of(451, "4.7.1 greylisted"), None);
    }

    #[test]
    fn nobody_is_a_new_word_of_letters_each_time() {
        let one = nobody("x.test").unwrap();
        let (local, domain) = one.split_once('@').unwrap();
        assert_eq!((local.len(), domain), (18, "x.test"));
        assert!(local.bytes().all(|b| b.is_ascii_lowercase()));
        assert_ne!(one, nobody("x.test").unwrap());
    }
}
