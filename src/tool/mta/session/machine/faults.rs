//! How faults strike in a dialogue.

use std::time::Instant;

use crate::mta::fault::{Act, Moment, Stage};
use crate::mta::session::reply::Reply;

use super::{Mischief, Session, Step, Then};

/// What a fault makes of a command.
#[derive(Debug)]
pub(super) enum Fate {
    /// It is answered already; nothing is done.
    Struck(Step),
    /// It is done, in other words.
    Worded(Reply),
}

fn word(stage: Stage) -> &'static str {
    let found = Stage::ALL.iter().find(|(_, s)| *s == stage);
    found.map_or("", |(word, _)| word)
}

impl Session {
    /// Lets a fault about the whole message strike.
    pub(super) fn fault_of_message(&mut self, stage: Stage, out: &mut Vec<u8>) -> Option<Fate> {
        if !self.site.faults.any() {
            return None;
        }
        let open = self.transaction.as_ref()?;
        let mut subjects: Vec<String> = open
            .recipients
            .iter()
            .map(|r| r.address.to_string())
            .collect();
        subjects.extend(open.sender.as_ref().map(ToString::to_string));
        let subjects: Vec<&str> = subjects.iter().map(String::as_str).collect();
        self.fault(stage, &subjects, out)
    }

    /// Lets a fault strike, if one is due.
    pub(super) fn fault(
        &mut self,
        stage: Stage,
        subjects: &[&str],
        out: &mut Vec<u8>,
    ) -> Option<Fate> {
        if !self.site.faults.any() {
            return None;
        }
        let recipients: &[&str] = match stage {
            Stage::Rcpt | Stage::Data | Stage::Dot => subjects,
            _ => &[],
        };
        let moment = Moment {
            stage,
            subjects,
            recipients,
            now: Instant::now(),
        };
        let strike = self.site.faults.strike(&moment)?;
        self.note(
            "fault",
            &[("stage", word(stage)), ("act", &strike.act.to_string())],
        );
        let mut mischief = Mischief {
            delay: strike.delay,
            then: Then::Go,
        };
        let fate = self.perform(strike.act, &mut mischief, out);
        if mischief != Mischief::default() {
            self.mischief = Some(Box::new(mischief));
        }
        fate
    }

    /// Does what a fault says; what concerns the connection is left in `mischief`.
    fn perform(&mut self, act: Act, mischief: &mut Mischief, out: &mut Vec<u8>) -> Option<Fate> {
        match act {
            Act::Go => None,
            Act::Certificate(flaw) => {
                self.flaw = Some(flaw);
                None
            }
            Act::Lose => {
                mischief.then = Then::Drop;
                None
            }
            Act::Hide(words) => {
                self.hidden = words;
                None
            }
            Act::Reply(reply) if reply.is_positive() => Some(Fate::Worded(reply)),
            Act::Reply(reply) => {
                reply.write(out);
                let step = match reply.code {
                    421 => Step::Leave,
                    _ => Step::Command,
                };
                Some(Fate::Struck(step))
            }
            Act::Raw(octets) => {
                out.extend_from_slice(&octets);
                Some(Fate::Struck(Step::Command))
            }
            Act::Half(octets) => {
                out.extend_from_slice(&octets);
                Some(Fate::Struck(Step::Leave))
            }
            Act::Drop => {
                mischief.then = Then::Drop;
                Some(Fate::Struck(Step::Leave))
            }
            Act::Reset => {
                mischief.then = Then::Reset;
                Some(Fate::Struck(Step::Leave))
            }
            Act::Silence => {
                mischief.then = Then::Silence;
                Some(Fate::Struck(Step::Leave))
            }
        }
    }

    /// Puts the words of a fault in the place of the reply that was written from `from` on.
    pub(super) fn adorn(&self, fate: Option<Fate>, out: &mut Vec<u8>, from: usize) {
        if let Some(Fate::Worded(reply)) = fate {
            out.truncate(from);
            reply.write(out);
        }
    }
}
