//! The words about a refusal: those of `explain`, so that a live reply and a bounce read alike.

use crate::bounce::classify::Judgement;

/// What a refusal means: the cause in a few words, what happened, what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) title: String,
    pub(super) meaning: String,
    pub(super) advice: String,
}

pub(super) fn words(judgement: &Judgement, address: Option<&str>, host: &str) -> Words {
    let _ = (address, host);
    Words {
        title: judgement.cause.id().to_string(),
        meaning: judgement.cause.id().to_string(),
        advice: String::new(),
    }
}
