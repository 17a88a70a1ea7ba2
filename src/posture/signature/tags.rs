//! The tags of a signature field (RFC 6376 §3.5).

use crate::posture::tags::Tags;

use super::Fault;
use super::canon::Manner;

/// A signature field, taken apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Signed {
    pub(super) version: String,
    pub(super) algorithm: String,
    pub(super) domain: String,
    pub(super) selector: String,
    pub(super) identity: Option<String>,
    pub(super) signature: String,
    pub(super) body_hash: Option<String>,
    pub(super) names: Vec<String>,
    pub(super) length: Option<u64>,
    pub(super) head: Manner,
    pub(super) body: Manner,
    /// The form of canonicalization is none.
    odd_manner: bool,
    pub(super) cv: Option<String>,
}

impl Signed {
    pub(super) fn read(text: &str) -> Self {
        let flat: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        let tags = Tags::read(&flat);
        let get = |tag: &str| tags.get(tag).map(str::to_owned);
        let manner = get("c").unwrap_or_default();
        let (head, body) = manner.split_once('/').unwrap_or((&manner, "simple"));
        let of = |word: &str| match word.trim() {
            "" => Some(Manner::Simple),
            word => Manner::of(word),
        };
        Self {
            version: get("v").unwrap_or_default(),
            algorithm: get("a").unwrap_or_default().to_ascii_lowercase(),
            domain: get("d").unwrap_or_default(),
            selector: get("s").unwrap_or_default(),
            identity: get("i"),
            signature: get("b").unwrap_or_default(),
            body_hash: get("bh"),
            names: get("h")
                .unwrap_or_default()
                .split(':')
                .map(|n| n.trim().to_owned())
                .filter(|n| !n.is_empty())
                .collect(),
            length: get("l").and_then(|l| l.parse().ok()),
            head: of(head).unwrap_or_default(),
            body: of(body).unwrap_or_default(),
            odd_manner: of(head).is_none() || of(body).is_none(),
            cv: get("cv").map(|cv| cv.to_ascii_lowercase()),
        }
    }

    /// RFC 6376 §6.1.1: what must be there, and must fit together.
    pub(super) fn check_identity(&self) -> Result<(), Fault> {
        if self.domain.is_empty() || self.selector.is_empty() || self.signature.is_empty() {
            return Err(Fault::Malformed(
                "it lacks a domain, a selector or the signature itself",
            ));
        }
        self.check_form()?;
        if !self.names.iter().any(|n| n.eq_ignore_ascii_case("from")) {
            return Err(Fault::Malformed("it does not cover the From field"));
        }
        let Some((_, host)) = self.identity.as_deref().and_then(|i| i.rsplit_once('@')) else {
            return Ok(());
        };
        let below = |host: &str| {
            let cut = host.len().checked_sub(self.domain.len());
            cut.is_some_and(|cut| {
                host.get(cut..)
                    .is_some_and(|end| end.eq_ignore_ascii_case(&self.domain))
                    && (cut == 0 || host.as_bytes().get(cut - 1) == Some(&b'.'))
            })
        };
        if below(host) {
            Ok(())
        } else {
            Err(Fault::Malformed(
                "it speaks for somebody outside its domain (i= is not below d=)",
            ))
        }
    }

    pub(super) fn check_form(&self) -> Result<(), Fault> {
        if self.odd_manner {
            return Err(Fault::Malformed(
                "the form of the signed text is unknown (c=)",
            ));
        }
        Ok(())
    }
}
