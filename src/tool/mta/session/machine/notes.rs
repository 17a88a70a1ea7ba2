//! What a dialogue writes into the log.

use crate::mta::intake::Whole;
use crate::mta::session::reply::Reply;

use super::Session;

impl Session {
    pub(super) fn note(&self, event: &str, fields: &[(&str, &str)]) {
        let client = self.peer.to_string();
        let mut all = vec![("client", client.as_str())];
        all.extend_from_slice(fields);
        self.site.journal.note(event, None, &all);
    }

    /// Logs that something happened.
    pub fn note_event(&self, event: &str) {
        self.note(event, &[]);
    }

    /// Logs the end, with what was taken.
    pub fn note_end(&self) {
        let messages = self.messages.to_string();
        let errors = self.errors.to_string();
        self.note(
            "disconnect",
            &[("messages", &messages), ("errors", &errors)],
        );
    }

    /// Logs that something went wrong.
    pub fn note_trouble(&self, event: &str, why: &str) {
        self.note(event, &[("why", why)]);
    }

    /// Logs a message that is about to be kept.
    pub fn note_message(&self, id: &str, whole: &Whole) {
        let envelope = &whole.envelope;
        let client = self.peer.to_string();
        let sender = envelope.sender.as_ref().map(ToString::to_string);
        let from = format!("<{}>", sender.unwrap_or_default());
        let to = match envelope.recipients.as_slice() {
            [only] => format!("<{}>", only.address),
            all => format!("{} recipients", all.len()),
        };
        let size = whole.octets.to_string();
        let mut fields = vec![
            ("client", client.as_str()),
            ("helo", envelope.client.helo.as_deref().unwrap_or_default()),
            ("from", &from),
            ("to", &to),
            ("size", &size),
            ("with", &envelope.client.with),
        ];
        if let Some(user) = &envelope.client.user {
            fields.push(("user", user));
        }
        self.site.journal.note("received", Some(id), &fields);
    }

    pub(super) fn note_refusal(&self, stage: &str, about: &str, reply: &Reply) {
        let reply = reply.to_string();
        self.note(
            "refused",
            &[("stage", stage), ("address", about), ("reply", &reply)],
        );
    }
}
