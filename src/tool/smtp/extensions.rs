//! What a server announces in its answer to EHLO (RFC 5321 §4.1.1.1). Nothing is dropped:
//! unknown keywords and their parameters stay as they were said.

use crate::smtp::Reply;

/// The announcements of one EHLO reply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extensions {
    /// The name the server gives itself.
    pub name: String,
    /// Keywords and parameters, in the server's order.
    pub list: Vec<Extension>,
}

/// One keyword line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// The keyword in upper case.
    pub keyword: String,
    /// What follows it.
    pub parameters: Vec<String>,
}

impl Extensions {
    /// Reads an EHLO reply. Of HELO there is only the name.
    pub fn read(reply: &Reply) -> Self {
        let mut lines = reply.lines.iter();
        let first = lines.next().map_or("", String::as_str);
        Self {
            name: first.split_whitespace().next().unwrap_or("").to_string(),
            list: lines.filter_map(|line| extension(line)).collect(),
        }
    }

    /// The announcement with this keyword (upper case).
    pub fn get(&self, keyword: &str) -> Option<&Extension> {
        self.list.iter().find(|e| e.keyword == keyword)
    }

    /// Whether this keyword (upper case) is announced.
    pub fn has(&self, keyword: &str) -> bool {
        self.get(keyword).is_some()
    }

    /// The limit of SIZE (RFC 1870); `None` when there is none or it is not told.
    pub fn size(&self) -> Option<u64> {
        let size = self.get("SIZE")?.parameters.first()?.parse().ok()?;
        (size > 0).then_some(size)
    }

    /// The names of the SASL mechanisms, in upper case, each once.
    pub fn mechanisms(&self) -> Vec<String> {
        let mut all = Vec::new();
        for extension in self.list.iter().filter(|e| e.keyword == "AUTH") {
            for name in &extension.parameters {
                let name = name.to_ascii_uppercase();
                if !all.contains(&name) {
                    all.push(name);
                }
            }
        }
        all
    }

    /// A value of LIMITS (RFC 9422), such as `RCPTMAX`.
    pub fn limit(&self, name: &str) -> Option<u32> {
        self.get("LIMITS")?.parameters.iter().find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            key.eq_ignore_ascii_case(name).then(|| value.parse().ok())?
        })
    }

    /// The lines as they were announced.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.list.iter().map(|e| {
            let mut line = e.keyword.clone();
            for parameter in &e.parameters {
                line.push(' ');
                line.push_str(parameter);
            }
            line
        })
    }
}

fn extension(line: &str) -> Option<Extension> {
    let mut words = line.split_whitespace();
    let first = words.next()?;
    // The old form `AUTH=PLAIN LOGIN` of draft-myers-smtp-auth is still announced beside the new.
    let (keyword, stuck) = match first.split_once('=') {
        Some((keyword, rest)) if keyword.eq_ignore_ascii_case("AUTH") => (keyword, rest),
        _ => (first, ""),
    };
    let stuck = (!stuck.is_empty()).then(|| stuck.to_string());
    Some(Extension {
        keyword: keyword.to_ascii_uppercase(),
        parameters: stuck.into_iter().chain(words.map(str::to_string)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Extensions {
        Extensions::read(&Reply {
            code: 250,
            lines: lines.iter().map(|l| (*l).to_string()).collect(),
            flaws: Vec::new(),
        })
    }

    #[test]
    fn keywords_are_read_in_any_case_and_unknown_ones_are_kept() {
        let e = read(&[
            "mx.example.net greets you",
            "size 1048576",
            "AUTH=LOGIN PLAIN",
            "AUTH plain CRAM-MD5",
            "LIMITS RCPTMAX=20 MAILMAX=5",
            "X-Odd one two",
            "",
        ]);
        assert_eq!(e.name, "mx.example.net");
        assert_eq!(e.size(), Some(1_048_576));
        assert_eq!(e.mechanisms(), ["LOGIN", "PLAIN", "CRAM-MD5"]);
        assert_eq!(e.limit("RCPTMAX"), Some(20));
        assert_eq!(e.lines().last().unwrap(), "X-ODD one two");
    }

    #[test]
    fn a_size_of_zero_or_without_a_number_is_no_limit() {
        assert_eq!(read(&["a", "SIZE 0"]).size(), None);
        assert_eq!(read(&["a", "SIZE"]).size(), None);
        assert!(read(&["a", "SIZE"]).has("SIZE"));
        assert!(read(&["a"]).list.is_empty());
    }
}
