//! BIMI (an Internet-Draft): the logo beside the mail. Only the record is looked at.

use crate::dns::{Lookup, Name};
use crate::posture::Asker;
use crate::posture::finding::{Finding, Notes};
use crate::posture::tags::Tags;

use super::dmarc::{self, Policy};

/// Looks the record of the default selector up; `None` when there is none.
pub async fn find<L: Lookup>(asker: Asker<'_, L>, domain: &Name) -> Option<String> {
    let texts = asker.texts_at("default._bimi", domain).await.ok()?;
    texts
        .into_iter()
        .find(|t| Tags::read(t).is_version("BIMI1"))
}

/// The findings about a record.
pub fn judge(domain: &str, record: &str, dmarc: &dmarc::Found) -> Vec<Finding> {
    let mut notes = Notes::about(domain);
    let tags = Tags::read(record);
    let logo = tags.get("l").unwrap_or("");
    let declined = tags.get("l").is_some() && logo.is_empty();
    let vector = logo.to_ascii_lowercase().ends_with(".svg");
    let usable = logo.starts_with("https://") && vector;
    if !declined && !usable {
        notes.warning(
            "bimi-syntax",
            "the BIMI record names no logo (l= has to be an https address of an .svg file)",
            "The domain's admin corrects the record at default._bimi.",
        );
    }
    let enough = dmarc.applied.as_ref().is_some_and(|a| {
        a.policy >= Policy::Quarantine
            && !a.record.testing
            && a.record.subdomains != Some(Policy::None)
    });
    if !declined && !enough {
        notes.info(
            "bimi-without-dmarc",
            "the BIMI logo is shown by nobody while DMARC is not at quarantine or reject",
            "",
        );
    }
    notes.list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_needs_an_https_svg_and_a_dmarc_policy() {
        let codes = |record: &str| -> Vec<_> {
            let all = judge("x.test", record, &dmarc::Found::default());
            all.iter().map(|f| f.code).collect()
        };
        assert_eq!(
            codes("v=BIMI1; l=https://x.test/a.svg"),
            ["bimi-without-dmarc"]
        );
        assert_eq!(codes("v=BIMI1; l=http://x.test/a.svg").len(), 2);
        assert!(codes("v=BIMI1; l=;").is_empty());
    }
}
