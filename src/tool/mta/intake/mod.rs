//! A message on its way in: octets of a text or of chunks go in, a draft in the store comes out,
//! with the trace field on top. What would not be taken is noted and answered at the end, where
//! alone a reply may stand.

mod head;
mod trace;

use std::time::SystemTime;

use super::envelope::Envelope;
use super::session::reply::Reply;
use super::settings::Settings;
use super::store::Draft;

use head::{Completion, End};
use trace::Trace;

/// What is put on top of a message, and what it is held to.
#[derive(Debug)]
pub struct Papers {
    /// The envelope.
    pub envelope: Envelope,
    /// The reverse name of the client.
    pub reverse: Option<String>,
    /// TLS version and cipher.
    pub tls: Option<(&'static str, String)>,
    /// A field that tells what SPF says.
    pub spf: Option<String>,
    /// Whether it is completed as a submission server does.
    pub completes: bool,
}

/// A message on its way in.
pub struct Intake {
    /// `None` when the message is refused: nothing of it is kept any more.
    draft: Option<Box<dyn Draft>>,
    papers: Papers,
    /// The header section, until its end has come.
    head: Option<Vec<u8>>,
    /// The line of the header section from which on its end has to be looked for.
    searched: usize,
    octets: u64,
    refusal: Option<Reply>,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake")
            .field("octets", &self.octets)
            .field("refusal", &self.refusal)
            .finish_non_exhaustive()
    }
}

/// A message that has come to its end and may be kept.
pub struct Whole {
    /// It lies here.
    pub draft: Box<dyn Draft>,
    /// With this envelope.
    pub envelope: Envelope,
    /// Its octets as they came.
    pub octets: u64,
}

const TOO_LARGE: Reply = Reply::new(552, 3, 4, "The message is too large for this server");
const LONG_HEADER: Reply = Reply::new(552, 3, 4, "The header section is too large for this server");
const LOOP: Reply = Reply::new(554, 4, 6, "Too many hops: this message goes in circles");

impl Intake {
    /// Begins a message.
    pub fn new(draft: Box<dyn Draft>, papers: Papers) -> Self {
        Self {
            draft: Some(draft),
            papers,
            head: Some(Vec::new()),
            searched: 0,
            octets: 0,
            refusal: None,
        }
    }

    /// Takes what comes.
    pub fn write(&mut self, octets: &[u8], settings: &Settings) {
        self.octets = self.octets.saturating_add(octets.len() as u64);
        if self.refusal.is_some() {
            return;
        }
        if self.octets > settings.limits.message {
            return self.refuse(TOO_LARGE);
        }
        let Some(head) = &mut self.head else {
            return self.store(octets);
        };
        head.extend_from_slice(octets);
        match head::end(head, self.searched) {
            End::From(at) => {
                self.searched = at;
                if head.len() > settings.limits.header {
                    self.refuse(LONG_HEADER);
                }
            }
            End::Blank(at) => self.begin(at, false, settings),
            End::Body(at) => self.begin(at, true, settings),
        }
    }

    /// Notes why the message cannot be taken; the first reason counts. Nothing is kept from here.
    pub fn refuse(&mut self, why: Reply) {
        self.refusal.get_or_insert(why);
        self.draft = None;
        self.head = Some(Vec::new());
    }

    /// Why it cannot be taken, so far.
    pub fn refusal(&self) -> Option<&Reply> {
        self.refusal.as_ref()
    }

    /// The end has come.
    pub fn finish(mut self, settings: &Settings) -> Result<Whole, Reply> {
        if self.refusal.is_none()
            && let Some(head) = &self.head
        {
            // There is no empty line: the last line may lack its end when it came in chunks.
            let at = head.len();
            let ended = at == 0 || head.ends_with(b"\n");
            if !ended {
                self.write(b"\r\n", settings);
            }
            let at = self.head.as_ref().map(Vec::len);
            if let Some(at) = at.filter(|_| self.refusal.is_none()) {
                self.begin(at, false, settings);
            }
        }
        match (self.refusal, self.draft) {
            (None, Some(draft)) => Ok(Whole {
                draft,
                envelope: self.papers.envelope,
                octets: self.octets,
            }),
            (refusal, _) => Err(refusal.unwrap_or(TOO_LARGE)),
        }
    }

    /// The header section is there, up to `at`: writes it with what goes on top.
    fn begin(&mut self, at: usize, parted: bool, settings: &Settings) {
        let (Some(head), Some(draft)) = (self.head.take(), &self.draft) else {
            return;
        };
        let (fields, rest) = head.split_at_checked(at).unwrap_or((&head, &[]));
        if fields.len() > settings.limits.header {
            return self.refuse(LONG_HEADER);
        }
        if head::hops(fields) > settings.limits.hops {
            return self.refuse(LOOP);
        }
        let id = draft.id();
        let papers = &self.papers;
        let trace = Trace {
            envelope: &papers.envelope,
            reverse: papers.reverse.as_deref(),
            host: &settings.host,
            software: settings.software,
            id: &id,
            tls: papers
                .tls
                .as_ref()
                .map(|(version, cipher)| (*version, cipher.as_str())),
        };
        let mut top = trace.field().into_bytes();
        for field in settings.fields.iter().chain(&papers.spf) {
            top.extend_from_slice(field.as_bytes());
            top.extend_from_slice(b"\r\n");
        }
        if papers.completes {
            let sender = papers.envelope.sender.as_ref();
            let domain = settings
                .domains
                .first()
                .map_or(settings.host.as_str(), String::as_str);
            let with = Completion {
                sender,
                domain: sender.and_then(|s| s.domain.as_deref()).unwrap_or(domain),
                host: &settings.host,
                id: &id,
                date: &date(papers.envelope.received),
            };
            top.extend_from_slice(&head::complete(fields, &with));
        } else {
            top.extend_from_slice(fields);
        }
        if parted {
            top.extend_from_slice(b"\r\n");
        }
        top.extend_from_slice(rest);
        self.store(&top);
    }

    fn store(&mut self, octets: &[u8]) {
        let written = self.draft.as_mut().map(|draft| draft.write(octets));
        if let Some(Err(trouble)) = written {
            self.refuse(trouble.reply());
        }
    }
}

/// A date as fields write it.
pub fn date(time: SystemTime) -> String {
    trace::date(time)
}
