//! What a layer is when it is no notice, in a few words for the user.

use crate::message::addresses;
use crate::message::layer::{BlockKind, Layer};

use super::evidence::Evidence;
use super::marks::Votes;
use super::page::{contains, starts};

/// What the layer is instead of a notice: "an ordinary mail from … about …".
pub fn instead(layer: &Layer<'_>) -> String {
    let evidence = Evidence::of(layer, &mut Votes::default());
    let subject = layer.head.get("Subject").unwrap_or_default();
    let subject = subject.trim();
    if layer.head.fields.is_empty() {
        return if layer.blocks.iter().all(|b| b.text().trim().is_empty()) {
            "an empty text".to_owned()
        } else {
            "a text without a mail header and without a delivery report in it".to_owned()
        };
    }
    let what = if layer.block(BlockKind::DispositionNotification).is_some() {
        "a read receipt"
    } else if is_dmarc(layer, subject) {
        "a DMARC aggregate report"
    } else if layer.report_type.as_deref() == Some("tlsrpt") || layer.head.has("TLS-Report-Domain")
    {
        "a TLS report"
    } else if layer.mime == "text/calendar"
        || layer.blocks.iter().any(|b| b.mime == "text/calendar")
    {
        "a calendar message"
    } else if layer.head.has("List-Id") || layer.head.has("List-Post") {
        "a mailing list message"
    } else if evidence.list {
        "a bulk mail"
    } else if evidence.auto {
        "a mail written by a program"
    } else {
        "an ordinary mail"
    };
    let from = layer.head.get("From").unwrap_or_default();
    let mut words = what.to_owned();
    if let Some(from) = addresses::clean(&from) {
        words.push_str(" from ");
        words.push_str(from);
    }
    if !subject.is_empty() {
        words.push_str(" about \"");
        words.push_str(subject);
        words.push('"');
    }
    words
}

/// RFC 7489 §7.2.1.1: "Report Domain: … Submitter: … Report-ID: …".
fn is_dmarc(layer: &Layer<'_>, subject: &str) -> bool {
    (starts(subject, "report domain:") || contains(subject, "report domain:"))
        && contains(subject, "submitter:")
        || layer.blocks.iter().any(|b| {
            b.file_name.as_deref().is_some_and(|n| {
                n.matches('!').count() >= 3
                    && [".zip", ".gz", ".xml"].iter().any(|e| n.ends_with(e))
            })
        })
}
