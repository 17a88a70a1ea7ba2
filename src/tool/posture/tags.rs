//! Lists of `tag=value;`, the form of DKIM, DMARC, MTA-STS, TLS-RPT and BIMI records
//! (RFC 6376 §3.2).

/// Tags and values in their order, blanks around both removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(pub Vec<(String, String)>);

impl Tags {
    /// Reads a list. A piece without `=` is kept as a tag without value.
    pub fn read(text: &str) -> Self {
        let pieces = text.split(';').map(str::trim).filter(|p| !p.is_empty());
        Self(
            pieces
                .map(|piece| {
                    let (tag, value) = piece.split_once('=').unwrap_or((piece, ""));
                    (tag.trim().to_string(), value.trim().to_string())
                })
                .collect(),
        )
    }

    /// The value of a tag, the first one when it is there twice.
    pub fn get(&self, tag: &str) -> Option<&str> {
        let mut all = self.0.iter();
        all.find(|(t, _)| t == tag).map(|(_, v)| v.as_str())
    }

    /// Whether the first tag is `v` with this value, exactly.
    pub fn is_version(&self, version: &str) -> bool {
        self.0
            .first()
            .is_some_and(|(t, v)| t == "v" && v == version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_empty_pieces_mean_nothing() {
        let tags = Tags::read("v = DMARC1 ;; p= none;rua=mailto:a=b@x.test; odd ;p=reject;");
        assert!(tags.is_version("DMARC1"));
        assert_eq!(tags.get("p"), Some("none"));
        assert_eq!(tags.get("rua"), Some("mailto:a=b@x.test"));
        assert_eq!(tags.get("odd"), Some(""));
        assert_eq!(tags.get("sp"), None);
        assert!(!Tags::read("p=none; v=DMARC1").is_version("DMARC1"));
    }
}
