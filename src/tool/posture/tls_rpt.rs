//! TLS reports (RFC 8460): where senders tell that encryption failed.

use crate::dns::{Lookup, Name};
use crate::posture::Asker;
use crate::posture::finding::{Finding, Notes};
use crate::posture::tags::Tags;

/// What the DNS says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// The record.
    pub text: Option<String>,
    /// Where reports go.
    pub reports: Vec<String>,
    /// What is wrong.
    pub fault: Option<&'static str>,
}

/// Looks the record up. A failing DNS is no record: it is found out elsewhere.
pub async fn find<L: Lookup>(asker: Asker<'_, L>, domain: &Name) -> Record {
    let texts = asker.texts_at("_smtp._tls", domain).await;
    read(&texts.unwrap_or_default())
}

/// Reads the texts of `_smtp._tls`.
pub fn read(texts: &[String]) -> Record {
    let mut ours = texts
        .iter()
        .filter(|t| Tags::read(t).is_version("TLSRPTv1"));
    let Some(text) = ours.next() else {
        return Record::default();
    };
    let tags = Tags::read(text);
    let reports = tags.get("rua").unwrap_or("").split(',').map(str::trim);
    let reports: Vec<_> = reports
        .filter(|r| !r.is_empty())
        .map(str::to_string)
        .collect();
    let known = |r: &String| r.starts_with("mailto:") || r.starts_with("https:");
    let fault = match ours.next() {
        Some(_) => Some("there are several records, so none of them counts"),
        None if reports.is_empty() => Some("it names no place for reports (rua)"),
        None if !reports.iter().all(known) => Some("its rua is neither mailto: nor https:"),
        None => None,
    };
    Record {
        text: Some(text.clone()),
        reports,
        fault,
    }
}

/// The findings; `wanted` when DANE or MTA-STS is in use.
pub fn judge(domain: &str, record: &Record, wanted: bool) -> Vec<Finding> {
    let mut notes = Notes::about(domain);
    match (record.fault, &record.text) {
        (Some(fault), _) => notes.warning(
            "tls-rpt-syntax",
            format!("the TLS-RPT record cannot be used: {fault}"),
            "The domain's admin corrects the record at _smtp._tls.",
        ),
        (None, None) if wanted => notes.info(
            "no-tls-rpt",
            "nobody would hear of it when encryption to this domain fails (no TLS-RPT record)",
            "Publish \"v=TLSRPTv1; rua=mailto:…\" at _smtp._tls.",
        ),
        _ => {}
    }
    notes.list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_record_with_a_known_address_counts() {
        let of = |texts: &[&str]| {
            let texts: Vec<_> = texts.iter().map(|t| (*t).to_string()).collect();
            read(&texts)
        };
        let good = of(&["v=TLSRPTv1; rua=mailto:a@x.test,https://x.test/r"]);
        assert_eq!((good.reports.len(), good.fault), (2, None));
        assert!(of(&["v=TLSRPTv1; rua=ftp://x"]).fault.is_some());
        assert!(of(&["v=TLSRPTv1;"]).fault.is_some());
        assert!(
            of(&["v=TLSRPTv1; rua=mailto:a", "v=TLSRPTv1; rua=mailto:b"])
                .fault
                .is_some()
        );
        assert_eq!(of(&["v=spf1 -all"]), Record::default());
        assert_eq!(
            judge("x.test", &Record::default(), true)[0].code,
            "no-tls-rpt"
        );
        assert!(judge("x.test", &Record::default(), false).is_empty());
    }
}
