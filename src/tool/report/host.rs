//! Host names in little room.

use crate::report::safe;
use crate::route::net;

/// A host name in so many columns: cut in its middle, so that the domain that somebody owns and
/// the start of the host's own name stay.
pub(super) fn cut(name: &str, most: usize, mark: &str) -> String {
    if safe::width(name) <= most {
        return name.to_owned();
    }
    let domain = net::registered(name).unwrap_or_default();
    let left = most.checked_sub(safe::width(domain) + safe::width(mark));
    match left.filter(|left| *left >= 2 && !domain.is_empty() && domain.len() < name.len()) {
        Some(left) => {
            let start: String = name.chars().take(left).collect();
            format!("{}{mark}{domain}", start.trim_end_matches('.'))
        }
        // A domain that is too long itself is known by its end.
        None if domain.contains('.') => {
            let keep = most.saturating_sub(safe::width(mark));
            let skip = name.chars().count().saturating_sub(keep);
            let end: String = name.chars().skip(skip).collect();
            format!("{mark}{end}")
        }
        None => safe::cut(name, most, mark).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_is_cut_in_its_middle_and_keeps_its_domain() {
        let cut = |name, most| cut(name, most, "…");
        assert_eq!(cut("mail-yw1-x112a.google.com", 17), "mail-y…google.com");
        assert_eq!(cut("mx.example.org", 17), "mx.example.org");
        assert_eq!(cut("smtp.dept.example.co.uk", 17), "smt…example.co.uk");
        assert_eq!(
            cut("a.very-long-registered-name.example", 12),
            "…ame.example"
        );
        assert_eq!(cut("DESKTOP-0123456789", 10), "DESKTOP-0…");
    }
}
