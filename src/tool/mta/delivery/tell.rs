//! Telling the senders: notices are in the queue, durably, before the message they are about is done
//! with.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::conclude::{Conclusion, meanwhile};
use super::desk::{Desk, Work};
use crate::mta::notify::{self, Kind, Notice};
use crate::mta::queue::{Event, Fate, StoreError, lock};

/// How long to wait before a notice that the disk did not take is tried again.
const AGAIN: Duration = Duration::from_secs(5);

impl Desk {
    /// Tells of those who are settled while others are still being tried.
    pub(super) async fn tell_meanwhile(&self, work: &Arc<Work>) {
        // A part of its own: the message is not concluded upon, nor gone, while this is told.
        let out = |parts: usize| (parts > 0).then_some(parts + 1);
        let taken = work
            .parts
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, out);
        if taken.is_err() {
            return;
        }
        work.telling.store(false, Ordering::Release);
        let (notices, fates) = {
            let mut fates = lock(&work.fates);
            let notices = meanwhile(&work.entry.envelope, &mut fates);
            (notices, fates.clone())
        };
        for (kind, about) in notices {
            if self.notify(work, kind, &about, &fates).await {
                let told: Vec<_> = about.into_iter().map(Event::Told).collect();
                self.queue.note(work.entry.id, &told);
                continue;
            }
            // The disk is full: the end of the attempt tells of them.
            let mut fates = lock(&work.fates);
            for n in about {
                if let Some(fate) = fates.get_mut(n) {
                    fate.told = false;
                }
            }
        }
        self.settle(work, Vec::new());
    }

    /// Queues the notices, durably, before the message is done with.
    pub(super) async fn tell(&self, work: &Work, conclusion: Conclusion) {
        for n in &conclusion.doubles {
            let to = work.entry.envelope.recipients.get(*n);
            let to = to.map(|r| r.address.to_string()).unwrap_or_default();
            let id = work.entry.id.to_string();
            (self.log)("double-bounce", Some(&id), &[("to", &to)]);
        }
        let fates = lock(&work.fates).clone();
        let mut told = true;
        for (kind, recipients) in &conclusion.notices {
            told &= self.notify(work, *kind, recipients, &fates).await;
        }
        if !conclusion.doubles.is_empty() && self.settings.double_bounces.is_some() {
            told &= self
                .notify(work, Kind::Double, &conclusion.doubles, &fates)
                .await;
        }
        if told {
            self.close(work, &conclusion.afterwards);
        } else {
            // Neither told nor forgotten: the next attempt only tells.
            let again = Event::Next(self.clock.now() + AGAIN, work.entry.tries);
            self.close(work, &[again]);
        }
    }

    async fn notify(&self, work: &Work, kind: Kind, about: &[usize], fates: &[Fate]) -> bool {
        let entry = &work.entry;
        let original = entry.text.clone();
        let loaded = tokio::task::spawn_blocking(move || original.load()).await;
        let original = loaded.ok().and_then(Result::ok);
        let notice = Notice {
            kind,
            id: entry.id,
            envelope: &entry.envelope,
            about: about
                .iter()
                .filter_map(|n| Some((*n, fates.get(*n)?)))
                .collect(),
            original: original.as_ref().map(AsRef::as_ref).unwrap_or_default(),
            now: self.clock.now(),
            until: self.settings.schedule.end(entry.envelope.received, false),
            host: &self.settings.host,
            style: self.settings.style,
            returned: self.settings.returned,
            postmaster: self.settings.double_bounces.as_ref(),
        };
        let mut draft = self.queue.draft();
        let Some((envelope, text)) = notify::write(&notice, *draft.id()) else {
            return true;
        };
        let to = envelope.recipients.first().map(|r| r.address.to_string());
        let new = draft.id().to_string();
        let kept = match draft.write(&text) {
            Ok(()) => draft.commit(envelope).await.map(|_| ()),
            Err(error) => Err(error),
        };
        let fields = [
            ("kind", kind.word()),
            ("to", to.as_deref().unwrap_or_default()),
            ("notice", new.as_str()),
        ];
        let id = entry.id.to_string();
        match kept {
            Ok(()) => (self.log)("notice", Some(&id), &fields),
            Err(StoreError::Full | StoreError::Io(_)) => {
                (self.log)("notice-not-kept", Some(&id), &fields);
                return false;
            }
        }
        true
    }
}
