//! Which part of a name somebody registered, by the public suffix list.

mod bucket;

include!(concat!(env!("OUT_DIR"), "/suffixes.rs"));

/// The domain that somebody registered: `example.co.uk` for `www.example.co.uk`. Takes a name in
/// A-labels without the final dot; `None` when it is a public suffix itself, as `uk` and `co.uk`.
///
/// ```
/// use mailtrace_core::suffix::registered;
/// assert_eq!(registered("mx.example.co.uk"), Some("example.co.uk"));
/// assert_eq!(registered("co.uk"), None);
/// ```
pub fn registered(name: &str) -> Option<&str> {
    let mut public = "";
    let starts = name.rmatch_indices('.').map(|(dot, _)| dot + 1);
    for start in starts.chain([0]) {
        let tail = name.get(start..)?;
        if has("!", tail) {
            return Some(tail);
        }
        // What no rule knows ends in a top level domain; else the longest rule counts.
        let is_public = match tail.split_once('.') {
            None => true,
            Some((_, parent)) => has("", tail) || has("*.", parent),
        };
        if is_public {
            public = tail;
        }
    }
    let owned = name.strip_suffix(public)?.strip_suffix('.')?;
    name.get(owned.rfind('.').map_or(0, |dot| dot + 1)..)
}

/// Whether a name is the domain or stands below it, in any case: `mx.example.com` under
/// `example.com`, but not `badexample.com`.
pub fn is_under(name: &str, domain: &str) -> bool {
    let (name, domain) = (name.as_bytes(), domain.as_bytes());
    let Some(at) = name.len().checked_sub(domain.len()) else {
        return false;
    };
    let same = name
        .get(at..)
        .is_some_and(|end| end.eq_ignore_ascii_case(domain));
    same && (at == 0 || name.get(at - 1) == Some(&b'.'))
}

/// Whether there is this rule: a mark and a name.
fn has(mark: &str, name: &str) -> bool {
    let bucket = bucket::of(mark.bytes().chain(name.bytes())) as usize;
    let range = STARTS.get(bucket).zip(STARTS.get(bucket + 1));
    let rules = range.and_then(|(&from, &to)| RULES.get(from as usize..to as usize));
    rules.unwrap_or_default().lines().any(|rule| {
        let own = rule.strip_prefix(mark);
        own.is_some_and(|own| own.eq_ignore_ascii_case(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_under_a_domain_at_a_dot_only() {
        for (name, domain, is) in [
            ("example.com", "example.com", true),
            ("MX.Example.COM", "example.com", true),
            ("badexample.com", "example.com", false),
            ("com", "example.com", false),
            ("example.com.org", "example.com", false),
        ] {
            assert_eq!(is_under(name, domain), is, "{name} under {domain}");
        }
    }

    #[test]
    fn every_rule_is_found_and_its_neighbours_are_not() {
        for rule in RULES.lines() {
            assert!(has("", rule), "{rule}");
            assert!(!has("", &format!("{rule}-")), "{rule}-");
            assert!(!has("-", rule), "-{rule}");
        }
        assert!(!has("", ""));
    }

    /// The cases of the list's own checks (https://publicsuffix.org/list/), those that differ in kind.
    #[test]
    fn the_longest_rule_counts_stars_take_a_label_and_exceptions_give_it_back() {
        for (name, owned) in [
            ("com", None),
            ("example.com", Some("example.com")),
            ("a.b.Example.COM", Some("Example.COM")),
            ("unknown-top", None),
            ("b.example.unknown-top", Some("example.unknown-top")),
            ("kobe.jp", Some("kobe.jp")),
            ("c.kobe.jp", None),
            ("b.c.kobe.jp", Some("b.c.kobe.jp")),
            ("a.b.c.kobe.jp", Some("b.c.kobe.jp")),
            ("city.kobe.jp", Some("city.kobe.jp")),
            ("www.city.kobe.jp", Some("city.kobe.jp")),
            ("ck", None),
            ("test.ck", None),
            ("b.test.ck", Some("b.test.ck")),
            ("www.www.ck", Some("www.ck")),
            ("shishi.xn--55qx5d.cn", Some("shishi.xn--55qx5d.cn")),
            ("xn--55qx5d.cn", None),
            ("a.blogspot.com", Some("a.blogspot.com")),
            ("me.github.io", Some("me.github.io")),
            ("localhost", None),
            ("", None),
        ] {
            assert_eq!(registered(name), owned, "{name}");
        }
    }
}
