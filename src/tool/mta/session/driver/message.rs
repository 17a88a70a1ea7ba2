//! A message on its way in: read as a text or in chunks, and kept or refused.

use tokio::time::Instant;

use crate::mta::filter::Held;
use crate::mta::intake::{Intake, Papers, Whole};
use crate::mta::journal::count;
use crate::mta::session::machine::Step;
use crate::mta::session::reply::Reply;
use crate::mta::session::wire::Got;
use crate::mta::settings::Role;
use crate::mta::wire::text::{Mend, Text};

use super::{Course, Dialogue, Over};

const BARE_CR: Reply = Reply::new(550, 5, 2, "Message refused: a bare carriage return in it");
const BARE_LF: Reply = Reply::new(550, 5, 2, "Message refused: a bare line feed in it");

impl Dialogue {
    /// Waits for the next octets of a message.
    async fn fill_data(&mut self) -> Course {
        self.flush().await?;
        let mut until = self.deadline(self.site().settings.limits.data);
        loop {
            match self.wire.fill(until).await {
                Got::Octets => return Ok(()),
                Got::Gone => return Err(Over::Drop),
                Got::Late => return self.late(),
                // An open transaction may come to its end, if it does so soon.
                Got::Closing => until = until.min(self.end()),
            }
        }
    }

    async fn begin_intake(&mut self) -> Course<Intake> {
        let Some(envelope) = self.session.envelope() else {
            return Err(Over::Drop);
        };
        let spf = self.inquiries.spf(&envelope).await;
        let reverse = self.inquiries.reverse().await;
        let site = self.site();
        let papers = Papers {
            envelope,
            reverse,
            tls: self.session.tls().map(|(v, c)| (v, c.to_string())),
            spf,
            completes: self.session.completes(),
        };
        let mut draft = site.store.draft();
        if let Some(filter) = &site.settings.filter
            && self.session.door().role != Role::Mfa
        {
            draft = Box::new(Held::new(draft, site.clone(), filter.clone()));
        }
        Ok(Intake::new(draft, papers))
    }

    /// Reads a text after 354.
    pub(super) async fn text(&mut self) -> Course {
        let mut intake = Box::new(self.begin_intake().await?);
        let site = self.site().clone();
        let mut text = Text::default();
        loop {
            let mut sink = |run: &[u8]| intake.write(run, &site.settings);
            let progress = text.push(self.wire.buffer.ahead(), &mut sink);
            self.wire.buffer.take(progress.taken);
            if progress.ended {
                break;
            }
            self.fill_data().await?;
        }
        // Whoever wrote it wants another to see an end where there is none.
        if text.bare_lf {
            intake.refuse(BARE_LF);
        } else if text.bare_cr {
            intake.refuse(BARE_CR);
        }
        self.conclude(*intake).await
    }

    /// Reads a chunk (RFC 3030): exactly so many octets, whatever is made of them.
    pub(super) async fn chunk(&mut self, octets: u64, judged: Result<bool, Reply>) -> Course {
        let site = self.site().clone();
        if judged.is_ok() && self.intake.is_none() {
            self.intake = Some(Box::new(self.begin_intake().await?));
            self.mend = Mend::default();
        }
        let mut left = octets;
        while left > 0 {
            let ahead = self.wire.buffer.ahead();
            let here = usize::try_from(left).map_or(ahead.len(), |left| left.min(ahead.len()));
            if here == 0 {
                self.fill_data().await?;
                continue;
            }
            if let (Ok(_), Some(intake)) = (&judged, &mut self.intake) {
                let piece = ahead.get(..here).unwrap_or_default();
                self.mend
                    .push(piece, &mut |run| intake.write(run, &site.settings));
            }
            self.wire.buffer.take(here);
            left -= here as u64;
        }
        let last = match judged {
            Ok(last) => last,
            Err(reply) => {
                let step = self.session.no_chunk(&reply, false, &mut self.wire.out);
                return match step {
                    Step::Leave => Err(Over::Close),
                    _ => Ok(()),
                };
            }
        };
        let refusal = self.intake.as_ref().and_then(|i| i.refusal().cloned());
        if let Some(reply) = refusal.filter(|_| !last) {
            self.intake = None;
            let step = self.session.no_chunk(&reply, true, &mut self.wire.out);
            return match step {
                Step::Leave => Err(Over::Close),
                _ => Ok(()),
            };
        }
        if !last {
            self.session.chunk(octets, &mut self.wire.out);
            return Ok(());
        }
        let Some(mut intake) = self.intake.take() else {
            return Err(Over::Drop);
        };
        self.mend.end(&mut |run| intake.write(run, &site.settings));
        self.conclude(*intake).await
    }

    /// A message has come to its end: it is kept or refused, and the client hears it.
    async fn conclude(&mut self, intake: Intake) -> Course {
        let words = match self.session.at_dot(&mut self.wire.out) {
            Ok(words) => words,
            Err(step) => {
                self.mischief().await?;
                return match step {
                    Step::Leave => Err(Over::Close),
                    _ => Ok(()),
                };
            }
        };
        let site = self.site().clone();
        let outcome = match intake.finish(&site.settings) {
            Ok(whole) => self.keep(whole).await,
            Err(reply) => {
                self.session
                    .note_trouble("refused-message", &reply.to_string());
                reply
            }
        };
        if outcome.is_positive() {
            self.progress = Instant::now();
        }
        let outcome = words.filter(|_| outcome.is_positive()).unwrap_or(outcome);
        self.session.settle(&outcome, &mut self.wire.out);
        self.mischief().await
    }

    async fn keep(&mut self, whole: Whole) -> Reply {
        let site = self.site().clone();
        let id = whole.draft.id();
        self.session.note_message(&id, &whole);
        let recipients = whole.envelope.recipients.len() as u64;
        match whole.draft.commit(whole.envelope).await {
            Ok(()) => {
                count(&site.journal.counts.messages, 1);
                count(&site.journal.counts.recipients, recipients);
                count(&site.journal.counts.octets, whole.octets);
                Reply::said(250, 0, 0, format!("Ok: queued as {id}"))
            }
            Err(trouble) => {
                site.journal
                    .note("not-kept", Some(&id), &[("why", &trouble.to_string())]);
                trouble.reply()
            }
        }
    }
}
