//! The words of e-mail: what they mean and where on the road of a mail they stand.

/// A word and what is to be known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// The word, as people write it.
    pub word: &'static str,
    /// What it is short for.
    pub name: Option<&'static str>,
    /// Other names of the same.
    pub also: &'static [&'static str],
    /// Where on the road of a mail it stands.
    pub place: &'static str,
    /// Two or three sentences.
    pub text: &'static str,
    /// What it looks like.
    pub example: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/glossary.rs"));

/// The road of a mail.
pub const ROAD: &str = "MUA -> MSA -> MTA -> ... -> MTA -> (MFA) -> MDA -> MUA";

/// All words, in the order in which they are best read.
pub fn all() -> &'static [Term] {
    TERMS
}

/// The word itself, or one of its other names; case, blanks and hyphens do not matter.
pub fn find(word: &str) -> Option<&'static Term> {
    let wanted = plain(word);
    let is = |name: &str| plain(name) == wanted;
    TERMS
        .iter()
        .find(|term| is(term.word) || term.also.iter().any(|name| is(name)))
        .or_else(|| TERMS.iter().find(|term| term.name.is_some_and(is)))
}

/// Words that somebody may have meant: those that hold the word or differ by a letter or two.
pub fn near(word: &str) -> Vec<&'static Term> {
    /// More suggestions help nobody.
    const MOST: usize = 5;
    /// A longer word is none of ours.
    const LONGEST: usize = 60;
    let wanted = plain(word);
    if wanted.is_empty() || wanted.len() > LONGEST {
        return Vec::new();
    }
    let near = |name: &str| {
        let name = plain(name);
        let holds = wanted.len() >= 3 && (name.contains(&wanted) || wanted.contains(&name));
        holds || crate::words::distance(&name, &wanted) <= 1 + usize::from(wanted.len() > 5)
    };
    TERMS
        .iter()
        .filter(|term| near(term.word) || term.also.iter().any(|name| near(name)))
        .take(MOST)
        .collect()
}

fn plain(word: &str) -> String {
    word.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, '<' | '>'))
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_by_any_of_its_names_in_any_writing() {
        for (word, right) in [
            ("mua", "MUA"),
            ("open-relay", "open relay"),
            ("Block List", "DNSBL"),
            ("mail transfer agent", "MTA"),
            ("<>", "null sender"),
        ] {
            assert_eq!(find(word).map(|t| t.word), Some(right), "{word}");
        }
        assert_eq!(find("spoon"), None);
        assert_eq!(find(""), None);
    }

    #[test]
    fn a_mistyped_word_brings_those_that_were_meant() {
        assert!(near("grelisting").iter().any(|t| t.word == "greylisting"));
        assert!(near("bounc").iter().any(|t| t.word == "bounce"));
        assert!(near("zzzzzz").is_empty());
    }

    #[test]
    fn the_roles_of_the_road_come_first_and_in_its_order() {
        let first: Vec<&str> = all().iter().take(5).map(|t| t.word).collect();
        assert_eq!(first, ["MUA", "MSA", "MTA", "MFA", "MDA"]);
    }
}
