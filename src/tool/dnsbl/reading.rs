//! Reading the addresses that a list answers. Refusals come before everything else: a refusal
//! that is taken for a listing is the commonest false alarm of all.

use std::net::Ipv4Addr;

use crate::dnsbl::catalogue::{Pattern, Sense};
use crate::dnsbl::source::Source;
use crate::dnsbl::verdict::Said;

/// What a set of answers means.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reading {
    /// It is on the list: this is what the codes say.
    On(Vec<Said>),
    /// The list does not serve us; why, in words.
    Refused(String),
    /// The question was of a form that the list does not know.
    Misused(String),
    /// 127.0.0.1 without a meaning: a refusal on some lists, a sinkhole on some resolvers.
    Ambiguous,
    /// An answer outside 127.0.0.0/8: a parked domain, a portal, or a rewriting resolver.
    Foreign(Ipv4Addr),
}

/// The name asked was malformed (Spamhaus); a typing error in the zone.
const MALFORMED: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 252);
/// The end of the range that lists use for "I do not serve you" (RFC 5782 leaves it open;
/// 127.255.0.0/16 is what Spamhaus, Abusix and Validity agreed on).
const REFUSALS: [u8; 2] = [127, 255];

/// Reads the answers of one list.
pub(super) fn read(source: &Source, codes: &[Ipv4Addr]) -> Reading {
    if let Some(&foreign) = codes.iter().find(|code| !code.is_loopback()) {
        return Reading::Foreign(foreign);
    }
    for &code in codes {
        if let Some(refusal) = refusal(source, code) {
            return refusal;
        }
    }
    let mut said: Vec<Said> = Vec::new();
    for &code in codes {
        let meanings = meanings(source, code);
        if meanings.is_empty() && code == Ipv4Addr::LOCALHOST {
            return Reading::Ambiguous;
        }
        for one in meanings.into_iter().chain(unknown(source, code)) {
            if !said.contains(&one) {
                said.push(one);
            }
        }
    }
    Reading::On(said)
}

fn refusal(source: &Source, code: Ipv4Addr) -> Option<Reading> {
    let known = source.answers.iter().find(|a| a.pattern.holds(code));
    let words = known
        .filter(|a| a.sense == Sense::Error)
        .map(|a| a.means.to_string());
    if code == MALFORMED {
        let words = words.unwrap_or_else(|| "refused: the name asked was malformed".to_string());
        return Some(Reading::Misused(words));
    }
    let refuses = source
        .list
        .is_some_and(|list| list.refusals.iter().any(|p| p.holds(code)));
    if refuses || code.octets().starts_with(&REFUSALS) {
        let words = words.unwrap_or_else(|| format!("refused: {code} is no listing"));
        return Some(Reading::Refused(words));
    }
    let words = words?;
    Some(match words.strip_prefix("misused: ") {
        Some(_) => Reading::Misused(words),
        None => Reading::Refused(words),
    })
}

/// The first meaning that holds the code; of bits, all that are set.
fn meanings(source: &Source, code: Ipv4Addr) -> Vec<Said> {
    let mut said = Vec::new();
    for answer in source.answers.iter().filter(|a| a.pattern.holds(code)) {
        said.push(Said {
            means: answer.means.to_string(),
            sense: plain(answer.sense),
            kind: answer.kind.or(source.list.map(|list| list.purpose)),
            part: answer.part,
        });
        if !matches!(answer.pattern, Pattern::Bit(_)) {
            break;
        }
    }
    said
}

/// What to say of a code that is in no table.
fn unknown(source: &Source, code: Ipv4Addr) -> Option<Said> {
    if source.answers.iter().any(|a| a.pattern.holds(code)) {
        return None;
    }
    let means = if source.answers.is_empty() {
        "on the list".to_string()
    } else {
        format!("on the list, by a code that is not known here ({code})")
    };
    let kind = source.list.map(|list| list.purpose);
    Some(Said {
        means,
        sense: plain(source.sense),
        kind,
        part: None,
    })
}

/// A list on which the code decides, and a code that does not, is against its subject.
fn plain(sense: Sense) -> Sense {
    if sense == Sense::Mixed {
        Sense::Block
    } else {
        sense
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dnsbl::source::Choice;

    fn reading(id: &str, codes: &[[u8; 4]]) -> Reading {
        let choice = Choice {
            lists: vec![id.into()],
            ..Choice::default()
        };
        let codes: Vec<_> = codes.iter().map(|&c| c.into()).collect();
        read(&choice.sources().unwrap()[0], &codes)
    }

    fn said(id: &str, codes: &[[u8; 4]]) -> Vec<String> {
        match reading(id, codes) {
            Reading::On(said) => said.into_iter().map(|s| s.means).collect(),
            other => panic!("{id}: {other:?}"),
        }
    }

    #[test]
    fn several_codes_at_once_are_several_parts() {
        let parts = said("spamhaus-zen", &[[127, 0, 0, 4], [127, 0, 0, 10]]);
        assert!(
            parts[0].starts_with("XBL") && parts[1].starts_with("PBL"),
            "{parts:?}"
        );
    }

    #[test]
    fn refusals_are_never_listings() {
        for (id, code) in [
            ("spamhaus-zen", [127, 255, 255, 254]),
            ("spamcop", [127, 255, 255, 255]),
            ("surbl-multi", [127, 0, 0, 1]),
            ("uribl-multi", [127, 0, 0, 1]),
            ("dnswl", [127, 0, 0, 255]),
            ("validity-rpbl", [127, 255, 255, 255]),
        ] {
            assert!(matches!(reading(id, &[code]), Reading::Refused(_)), "{id}");
        }
        assert!(matches!(
            reading("spamhaus-zen", &[[127, 255, 255, 252]]),
            Reading::Misused(_)
        ));
        assert!(matches!(
            reading("spamhaus-dbl", &[[127, 0, 1, 255]]),
            Reading::Misused(_)
        ));
    }

    #[test]
    fn loopback_is_a_code_where_the_list_says_so_and_ambiguous_elsewhere() {
        assert_eq!(said("efnetrbl", &[[127, 0, 0, 1]]), ["an open proxy"]);
        assert_eq!(said("hostkarma", &[[127, 0, 0, 1]]), ["white: trusted"]);
        assert_eq!(
            said("validity-rpbl", &[[127, 0, 0, 1]]),
            ["part of a botnet"]
        );
        assert_eq!(reading("spamcop", &[[127, 0, 0, 1]]), Reading::Ambiguous);
    }

    #[test]
    fn bits_and_scores_are_read() {
        let bits = said("surbl-multi", &[[127, 0, 0, 80]]);
        assert!(bits.len() == 2 && bits[0].starts_with("ABUSE") && bits[1].starts_with("MW"));
        assert!(said("validity-score", &[[127, 0, 4, 42]])[0].contains("score"));
    }

    #[test]
    fn an_unknown_code_is_a_listing_and_says_so() {
        assert!(said("spamcop", &[[127, 0, 0, 77]])[0].contains("127.0.0.77"));
    }

    #[test]
    fn an_answer_from_outside_is_no_code() {
        let parked = reading("spamcop", &[[203, 0, 113, 80]]);
        assert_eq!(parked, Reading::Foreign([203, 0, 113, 80].into()));
    }
}
