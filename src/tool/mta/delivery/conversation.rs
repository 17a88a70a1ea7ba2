//! One connection to one server over which mail can be given: transactions. Only what the server
//! offers is used.

use std::time::SystemTime;

use super::needs::{Needs, speak};
use super::outcome::{Peer, Verdict, of_failure, of_reply, state_of};
use crate::mta::envelope::{Envelope, Ret};
use crate::mta::queue::{Outcome, State};
use crate::smtp::command::{MailParameters, RcptParameters};
use crate::smtp::{Client, Command, Extensions, Failure, Reply, Stage};

/// Messages over one connection; servers lose patience with more.
const MOST_USES: u32 = 100;

/// A connection over which mail can be given.
pub(crate) struct Conversation {
    pub(super) client: Client,
    pub(super) peer: Peer,
    pub(super) extensions: Extensions,
    pub(super) lmtp: bool,
    /// Transactions so far.
    pub(crate) used: u32,
}

/// A message for a transaction.
pub(crate) struct Letter<'l> {
    pub(crate) envelope: &'l Envelope,
    pub(crate) text: &'l [u8],
    /// Now.
    pub(crate) clock: &'l (dyn Fn() -> SystemTime + Sync),
    /// Told of those who are settled before the text is given: that may take long.
    pub(crate) meanwhile: &'l (dyn Fn(&[Verdict]) + Sync),
}

/// What came of a transaction.
#[derive(Default)]
pub(crate) struct Transaction {
    pub(crate) verdicts: Vec<Verdict>,
    /// How many of them were told of meanwhile.
    pub(crate) told: usize,
    /// Recipients that the server wants in another transaction (452 4.5.3).
    pub(crate) left: Vec<usize>,
    /// Whether the connection is of further use.
    pub(crate) goes_on: bool,
}

impl Conversation {
    /// Ends it politely.
    pub(crate) async fn end(mut self) {
        self.client.leave().await;
    }

    /// Gives a message to these recipients of its envelope.
    pub(crate) async fn give(&mut self, letter: &Letter<'_>, recipients: &[usize]) -> Transaction {
        self.used += 1;
        let Letter { clock, .. } = letter;
        let mut needs = Needs::of(letter.envelope, letter.text);
        let text = match needs.fit(letter.text, &self.extensions) {
            Ok(text) => text,
            Err(unfit) => {
                let outcome = Outcome {
                    host: Some(self.peer.host.clone()),
                    ip: self.peer.ip,
                    ..Outcome::local(clock(), unfit.status, &unfit.words)
                };
                return Transaction {
                    verdicts: all(recipients, &outcome),
                    goes_on: true,
                    ..Transaction::default()
                };
            }
        };
        let mut done = Transaction::default();
        // RFC 9422: more than it takes would only be sent away again.
        let most = self.extensions.limit("RCPTMAX").unwrap_or(u32::MAX).max(1);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let (recipients, rest) = recipients
            .split_at_checked(most)
            .unwrap_or((recipients, &[]));
        done.left.extend_from_slice(rest);
        let letter = Letter {
            text: &text,
            ..*letter
        };
        let outcome = self.transact(&letter, recipients, &needs, &mut done).await;
        if let Err(failure) = outcome {
            let outcome = of_failure(&failure, &self.peer, clock());
            let settled: Vec<usize> = done.verdicts.iter().map(|v| v.n).collect();
            let open = recipients.iter().copied();
            let open: Vec<usize> = open
                .filter(|n| !settled.contains(n) && !done.left.contains(n))
                .collect();
            done.verdicts.extend(all(&open, &outcome));
            done.goes_on = false;
        }
        done
    }

    /// Whether another message should go over another connection.
    pub(crate) fn is_spent(&self) -> bool {
        let most = self.extensions.limit("MAILMAX").unwrap_or(MOST_USES);
        self.used >= most.min(MOST_USES)
    }

    /// One transaction: the envelope, and the text for those whom the server takes.
    async fn transact(
        &mut self,
        letter: &Letter<'_>,
        recipients: &[usize],
        needs: &Needs,
        done: &mut Transaction,
    ) -> Result<(), Failure> {
        let all = &letter.envelope.recipients;
        let spoken: Vec<(usize, String)> = recipients
            .iter()
            .filter_map(|n| Some((*n, speak(&all.get(*n)?.address, needs))))
            .collect();
        let (replies, broken) = self.offer(letter, &spoken, needs).await;
        let Some(mail) = replies.first() else {
            return Err(broken.unwrap_or(Failure::Closed {
                stage: Stage::Mail,
                peer: self.client.peer(),
            }));
        };
        let (taken, farewell) = match mail.is_positive() {
            true => self.sort(&spoken, replies.get(1..), letter.clock, done),
            false => (Vec::new(), Some((mail, Stage::Mail))),
        };
        // RFC 5321 section 3.8: the server is about to close, whatever it took before.
        if let Some((reply, stage)) = farewell {
            let settled: Vec<usize> = done.verdicts.iter().map(|v| v.n).collect();
            for (n, _) in &spoken {
                if !settled.contains(n) && !done.left.contains(n) {
                    let verdict = self.verdict(*n, reply, stage, (letter.clock)());
                    done.verdicts.push(verdict);
                }
            }
            if is_farewell(reply) {
                self.client.close().await;
                return Ok(());
            }
        }
        if let Some(failure) = broken {
            return Err(failure);
        }
        if taken.is_empty() {
            self.reset(done).await;
            return Ok(());
        }
        if !done.verdicts.is_empty() {
            (letter.meanwhile)(&done.verdicts);
            done.told = done.verdicts.len();
        }
        self.give_text(letter, taken, needs, done).await
    }

    /// MAIL and the RCPTs; the replies as far as they came, and what broke.
    async fn offer(
        &mut self,
        letter: &Letter<'_>,
        spoken: &[(usize, String)],
        needs: &Needs,
    ) -> (Vec<Reply>, Option<Failure>) {
        let envelope = letter.envelope;
        let sender = envelope.sender.as_ref().map(|a| speak(a, needs));
        let sender = sender.unwrap_or_default();
        let dsn = self.extensions.has("DSN");
        let mail = self.mail(envelope, needs, letter.text, dsn);
        let mut commands = vec![(Stage::Mail, Command::Mail(&sender, mail))];
        let notifies: Vec<Option<String>> = spoken
            .iter()
            .map(|(n, _)| {
                let notify = envelope.recipients.get(*n)?.notify?;
                dsn.then(|| crate::mta::queue::notify_words(notify))
            })
            .collect();
        for ((n, address), notify) in spoken.iter().zip(&notifies) {
            let orcpt = envelope.recipients.get(*n).and_then(|r| r.orcpt.as_ref());
            let parameters = RcptParameters {
                notify: notify.as_deref(),
                orcpt: orcpt
                    .filter(|_| dsn)
                    .map(|(kind, address)| (kind.as_str(), address.as_str())),
            };
            commands.push((Stage::Rcpt, Command::Rcpt(address, parameters)));
        }
        self.ask(&commands).await
    }

    /// Sorts the recipients by what the server answered; gives those whom it takes, and the reply
    /// with which it says farewell.
    fn sort<'r>(
        &self,
        spoken: &[(usize, String)],
        replies: Option<&'r [Reply]>,
        clock: &dyn Fn() -> SystemTime,
        done: &mut Transaction,
    ) -> (Vec<usize>, Option<(&'r Reply, Stage)>) {
        let mut taken = Vec::new();
        let mut farewell = None;
        for ((n, _), reply) in spoken.iter().zip(replies.unwrap_or_default()) {
            if is_farewell(reply) {
                farewell = Some((reply, Stage::Rcpt));
            } else if reply.is_positive() {
                taken.push(*n);
            } else if !taken.is_empty() && is_too_many(reply) {
                done.left.push(*n);
            } else {
                let verdict = self.verdict(*n, reply, Stage::Rcpt, clock());
                done.verdicts.push(verdict);
            }
        }
        (taken, farewell)
    }

    /// The text for those whom the server has taken.
    async fn give_text(
        &mut self,
        letter: &Letter<'_>,
        taken: Vec<usize>,
        needs: &Needs,
        done: &mut Transaction,
    ) -> Result<(), Failure> {
        let (replies, broken) = if needs.binary {
            (vec![self.client.chunk(letter.text, true).await?], None)
        } else {
            let data = self.client.data().await?;
            if data.code != 354 {
                for n in taken {
                    let verdict = self.verdict(n, &data, Stage::Data, (letter.clock)());
                    done.verdicts.push(verdict);
                }
                match is_farewell(&data) {
                    true => self.client.close().await,
                    false => self.reset(done).await,
                }
                return Ok(());
            }
            let count = if self.lmtp { taken.len() } else { 1 };
            self.client.message_to_each(letter.text, count).await
        };
        let dsn = self.extensions.has("DSN");
        for (i, n) in taken.into_iter().enumerate() {
            let reply = match self.lmtp {
                true => replies.get(i),
                false => replies.first(),
            };
            if let Some(reply) = reply {
                let mut verdict = self.verdict(n, reply, Stage::Dot, (letter.clock)());
                verdict.told_elsewhere = dsn && !self.lmtp;
                done.verdicts.push(verdict);
            }
        }
        done.goes_on = broken.is_none() && replies.iter().all(|reply| reply.code != 421);
        broken.map_or(Ok(()), Err)
    }

    /// Ends a transaction without a text; the connection is of use when the server agrees.
    async fn reset(&mut self, done: &mut Transaction) {
        let reset = self.client.say(Stage::Rset, &Command::Rset).await;
        done.goes_on = reset.is_ok_and(|reply| reply.is_positive());
    }

    fn mail<'e>(
        &self,
        envelope: &'e Envelope,
        needs: &Needs,
        text: &[u8],
        dsn: bool,
    ) -> MailParameters<'e> {
        MailParameters {
            size: self.extensions.has("SIZE").then_some(text.len() as u64),
            body: if needs.binary {
                Some("BINARYMIME")
            } else {
                needs.eight_bit.then_some("8BITMIME")
            },
            smtputf8: needs.utf8,
            ret: envelope.ret.filter(|_| dsn).map(|ret| match ret {
                Ret::Full => "FULL",
                Ret::Headers => "HDRS",
            }),
            envid: envelope.envid.as_deref().filter(|_| dsn),
            require_tls: false,
            auth: None,
        }
    }

    /// Asks in one write where the server allows it; stops at the first refusal of MAIL.
    async fn ask(&mut self, commands: &[(Stage, Command<'_>)]) -> (Vec<Reply>, Option<Failure>) {
        if self.extensions.has("PIPELINING") {
            return self.client.pipeline(commands).await;
        }
        let mut replies = Vec::with_capacity(commands.len());
        for (stage, command) in commands {
            match self.client.say(*stage, command).await {
                Ok(reply) => {
                    let refused = *stage == Stage::Mail && !reply.is_positive();
                    let stop = refused || is_farewell(&reply);
                    replies.push(reply);
                    if stop {
                        break;
                    }
                }
                Err(failure) => return (replies, Some(failure)),
            }
        }
        (replies, None)
    }

    fn verdict(&self, n: usize, reply: &Reply, stage: Stage, at: SystemTime) -> Verdict {
        let outcome = of_reply(reply, stage, &self.peer, at);
        let state = match reply.code / 100 {
            2 if self.lmtp => State::Delivered,
            2 if self.extensions.has("DSN") => State::Delivered,
            2 => State::Relayed,
            5 => State::Failed,
            _ => State::Waiting,
        };
        Verdict {
            n,
            state,
            outcome,
            told_elsewhere: false,
        }
    }
}

/// The same outcome for all.
pub(crate) fn all(recipients: &[usize], outcome: &Outcome) -> Vec<Verdict> {
    let one = |n: &usize| Verdict {
        n: *n,
        state: state_of(outcome.status),
        outcome: outcome.clone(),
        told_elsewhere: false,
    };
    recipients.iter().map(one).collect()
}

/// Whether nothing more can be said: the server is about to close, or goes on to something that
/// it was not asked for.
const fn is_farewell(reply: &Reply) -> bool {
    reply.code == 421 || reply.is_intermediate()
}

/// Whether a server wants the other recipients in another transaction (RFC 5321 section
/// 4.5.3.1.10; old servers say 552).
fn is_too_many(reply: &Reply) -> bool {
    let says = reply
        .enhanced()
        .is_some_and(|code| (code.subject, code.detail) == (5, 3));
    let bare = reply.enhanced().is_none();
    matches!(reply.code, 451 | 452 | 552) && (says || (bare && reply.code == 452))
}
