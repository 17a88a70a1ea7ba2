//! The words about a refusal: those of `explain`, so that a live reply and a bounce read alike.

use crate::bounce::advice::{Audience, advise};
use crate::bounce::classify::Judgement;
use crate::bounce::explanation::{Recipient, Remote};

/// What a refusal means: the cause in a few words, what happened, what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) title: String,
    pub(super) meaning: String,
    pub(super) advice: String,
}

/// The words about a judgement of a server's reply.
pub(super) fn words(judgement: &Judgement, address: Option<&str>, host: &str) -> Words {
    let recipient = Recipient {
        address: address.map(str::to_string),
        // Nothing is in a queue here that somebody still tries to send.
        permanent: Some(true),
        remote_mta: Remote {
            host: Some(host.to_string()),
            ip: None,
        },
        ..judgement.recipient()
    };
    let advice = advise(&recipient, Audience::Admin);
    Words {
        title: advice.title.to_string(),
        meaning: advice.meaning.into_owned(),
        advice: advice.steps.join(" "),
    }
}
