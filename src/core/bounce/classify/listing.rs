//! Which DNS list a refusal names, and whose address or domain is on it.
//!
//! The names and the sentences are in `data/dnsbl.toml` and `data/list-names.toml`, made into tables by
//! `src/core/build/lists.rs`. A zone in the text counts most, then a link to a list's pages, then a name
//! in words; a zone that nobody knows is taken by the form of the sentence.

use std::net::IpAddr;
use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};

use super::fold::{Folded, Kind, Span};
use crate::bounce::explanation::{Listing, Mistake};
use crate::suffix::is_under;

include!(concat!(env!("OUT_DIR"), "/lists.rs"));

/// A list that refusals name.
#[derive(Debug)]
struct List {
    id: &'static str,
    zones: &'static [&'static str],
    dead: bool,
    /// It lists addresses; the others list domains and links.
    addresses: bool,
}

/// What a list is called in words, and where its web pages are (empty: nowhere of its own).
struct Name {
    name: &'static str,
    list: u16,
    site: &'static str,
}

/// Reads the listing out of a refusal; `text` is what was folded, `speaker` the server that
/// refused: it is no list, whatever the words around its name.
pub(super) fn read(text: &str, folded: &Folded, speaker: Option<&str>) -> Listing {
    let piece = |span: &Span| text.get(span.start..span.end).unwrap_or_default();
    let of = |kind| folded.spans().iter().filter(move |span| span.kind == kind);
    let link = of(Kind::Link)
        .map(piece)
        .find_map(|link| Some((link, by_site(host(link))?)));
    let claimed = claimed(text, folded, speaker);
    // "Blacklisted URL (shop.example), see http://lookup.uribl.com": beside the page of a known
    // list, a name that no list has is what is listed.
    let stranger = claimed.filter(|(_, sure)| *sure || link.is_none());
    let zone = claimed
        .filter(|(span, _)| by_zone(piece(span)).is_some())
        .map(|(span, _)| span)
        .or_else(|| of(Kind::Host).find(|span| by_zone(piece(span)).is_some()))
        .or(stranger.map(|(span, _)| span))
        .map(piece);
    let named = || by_name(folded.words());
    let list = match zone {
        Some(zone) => by_zone(zone),
        None => link.map(|(_, list)| list).or_else(named),
    };
    let telling = |link: &&str| link_ip(link).is_some() || names_list(link);
    let url = link.map(|(link, _)| link).or_else(|| {
        let mut links = of(Kind::Link).map(piece);
        links.clone().find(telling).or_else(|| links.next())
    });
    let zone = zone.map(str::to_ascii_lowercase).or_else(|| {
        let site = link.map(|(link, _)| host(link)).or_else(|| {
            // A form nobody knows: the link itself looks like a look-up.
            list.is_none()
                .then(|| url.filter(telling).map(host))
                .flatten()
        });
        site.map(|site| site.strip_prefix("www.").unwrap_or(site).to_string())
            .or_else(|| list?.zones.first().map(ToString::to_string))
    });
    let addresses = list.is_none_or(|list| list.addresses);
    let ip = addresses
        .then(|| {
            of(Kind::Ip)
                .find_map(|span| parse_ip(piece(span)))
                .or_else(|| of(Kind::Link).find_map(|span| link_ip(piece(span))))
        })
        .flatten();
    let domain = ip
        .is_none()
        .then(|| domain(text, folded, zone.as_deref()))
        .flatten();
    Listing {
        list: list.map(|list| list.id),
        zone,
        ip,
        domain,
        url: url.map(|url| url.trim_end_matches(['.', ',', ';', ')']).to_string()),
        mistaken: mistake(text, list),
        now: None,
    }
}

/// The first host name that stands where a sentence names the zone, and whether that form of
/// sentence names nothing else there.
fn claimed<'f>(text: &str, folded: &'f Folded, speaker: Option<&str>) -> Option<(&'f Span, bool)> {
    static FORMS: [OnceLock<Option<Regex>>; 2] = [const { OnceLock::new() }; 2];
    let forms = FORMS.iter().zip([(SURE, true), (LIKELY, false)]);
    let mut claims = forms.flat_map(|(regex, (form, sure))| {
        let compile = || RegexBuilder::new(form).unicode(false).build().ok();
        let regex = regex.get_or_init(compile).as_ref();
        let found = regex.map(|regex| regex.captures_iter(folded.words()).take(MOST_CLAIMS));
        found.into_iter().flatten().filter_map(move |found| {
            let at = found.get(1)?.start();
            let span = folded.spans().iter().find(|span| span.at == at)?;
            Some((span, sure))
        })
    });
    claims.find(|(span, sure)| {
        let name = text.get(span.start..span.end).unwrap_or_default();
        let speaks = speaker.is_some_and(|speaker| speaker.eq_ignore_ascii_case(name));
        by_zone(name).is_some() || !speaks && (*sure || names_list(name))
    })
}

/// Sentences of one form in a refusal that are looked at.
const MOST_CLAIMS: usize = 8;

/// Whether a name or a link calls itself a list: `rbl.example.net`, `/blocklist/`.
fn names_list(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| {
        let word = word.to_ascii_lowercase();
        word.ends_with("bl") || word.starts_with("blacklist") || word.starts_with("blocklist")
    })
}

fn by_zone(host: &str) -> Option<&'static List> {
    LISTS
        .iter()
        .find(|list| list.zones.iter().any(|zone| is_under(host, zone)))
}

fn by_site(host: &str) -> Option<&'static List> {
    let name = NAMES
        .iter()
        .find(|name| !name.site.is_empty() && is_under(host, name.site))?;
    LISTS.get(usize::from(name.list))
}

fn by_name(words: &[u8]) -> Option<&'static List> {
    let found = |name: &&Name| memchr::memmem::find(words, name.name.as_bytes()).is_some();
    LISTS.get(usize::from(NAMES.iter().find(found)?.list))
}

/// The host of a link.
fn host(link: &str) -> &str {
    let rest = link.split_once("://").map_or(link, |(_, rest)| rest);
    let end = rest.find(['/', '?', '#', ':']).unwrap_or(rest.len());
    rest.get(..end).unwrap_or(rest)
}

/// The address that a look-up link carries, as in `?ip=192.0.2.1` or `/query/ip/192.0.2.1`.
fn link_ip(link: &str) -> Option<IpAddr> {
    let (_, path) = link.split_once("://").unwrap_or(("", link));
    path.split(['/', '?', '=', '&', '#', ';', ','])
        .skip(1)
        .find_map(parse_ip)
}

/// An address that can be on a list: the answers of lists (127.0.0.2) are none.
fn parse_ip(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches(['[', ']', '.', ')', '(']);
    let text = text.strip_prefix("IPv6:").unwrap_or(text);
    text.parse()
        .ok()
        .filter(|ip: &IpAddr| !ip.is_loopback() && !ip.is_unspecified())
}

/// The domain that is listed: of the sender's address, or the first host that is not the zone.
fn domain(text: &str, folded: &Folded, zone: Option<&str>) -> Option<String> {
    folded.spans().iter().find_map(|span| {
        let piece = text.get(span.start..span.end)?;
        let name = match span.kind {
            Kind::Address => piece.rsplit_once('@')?.1,
            Kind::Host => piece,
            Kind::Link => {
                piece
                    .rsplit_once("domain=")
                    .or(piece.rsplit_once("/domain/"))?
                    .1
            }
            Kind::Ip => return None,
        };
        let name = name.trim_end_matches(['.', '/']);
        let ours = zone.is_some_and(|zone| is_under(name, zone)) || by_zone(name).is_some();
        (!ours && name.contains('.')).then(|| name.to_ascii_lowercase())
    })
}

/// A receiver that takes a refused query or a dead list for a listing has to mend its own setup.
fn mistake(text: &str, list: Option<&List>) -> Option<Mistake> {
    let text = text.to_ascii_lowercase();
    if REFUSED
        .iter()
        .any(|sign| memchr::memmem::find(text.as_bytes(), sign.as_bytes()).is_some())
    {
        return Some(Mistake::QueryRefused);
    }
    list.filter(|list| list.dead).map(|_| Mistake::DeadList)
}

#[cfg(test)]
mod tests {
    use super::super::fold::fold;
    use super::*;

    fn listing(text: &str) -> Listing {
        read(text, &fold(text), None)
    }

    #[test]
    fn a_zone_is_a_list_and_never_a_server_that_refuses() {
        for (text, zone) in EXAMPLES {
            let found = listing(text).zone.unwrap_or_default();
            assert_eq!(found, *zone, "{text}");
        }
        // Even where nothing but a zone stands: this one says its own name.
        let text = "554 5.7.1 192.0.2.1 is listed by mx.example.com";
        let read = |speaker| read(text, &fold(text), speaker).zone;
        assert_eq!(read(Some("MX.example.com")), None);
        assert_eq!(read(None).as_deref(), Some("mx.example.com"));
    }

    #[test]
    fn every_form_of_a_refusal_gives_zone_address_and_link() {
        for (text, zone, ip, list) in [
            (
                "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.1",
                "zen.spamhaus.org",
                "192.0.2.1",
                Some("spamhaus-zen"),
            ),
            (
                "550 rejected because 192.0.2.9 is in a black list at dnsbl.example.net",
                "dnsbl.example.net",
                "192.0.2.9",
                None,
            ),
            (
                "550 5.7.1 Rejected: 192.0.2.1 listed at b.barracudacentral.org",
                "b.barracudacentral.org",
                "192.0.2.1",
                Some("barracuda"),
            ),
            (
                "550 5.7.1 Mail from 192.0.2.1 refused by blackhole site relays.example.org",
                "relays.example.org",
                "192.0.2.1",
                None,
            ),
            (
                "553 http://www.spamhaus.org/query/bl?ip=192.0.2.7",
                "spamhaus.org",
                "192.0.2.7",
                Some("spamhaus-zen"),
            ),
            (
                "550 5.7.1 Service unavailable, Client host [192.0.2.1] blocked using Spamhaus.",
                "zen.spamhaus.org",
                "192.0.2.1",
                Some("spamhaus-zen"),
            ),
            (
                "554 Client host rejected: blocked using mail.example.org; Please see http://mail.example.org/rbl/?ip=192.0.2.3 to send.",
                "mail.example.org",
                "192.0.2.3",
                None,
            ),
            (
                "550 [2001:db8::7] listed in bl.ipv6.spameatingmonkey.net",
                "bl.ipv6.spameatingmonkey.net",
                "2001:db8::7",
                Some("sem-black6"),
            ),
        ] {
            let found = listing(text);
            assert_eq!(found.zone.as_deref(), Some(zone), "{text}");
            assert_eq!(found.ip, ip.parse().ok(), "{text}");
            assert_eq!(found.list, list, "{text}");
        }
    }

    #[test]
    fn a_list_of_domains_names_the_domain() {
        let found = listing(
            "554 Sender address [a@bad.example] blocked using dbl.spamhaus.org; https://www.spamhaus.org/query/domain/bad.example",
        );
        assert_eq!(found.domain.as_deref(), Some("bad.example"));
        assert_eq!(
            found.url.as_deref(),
            Some("https://www.spamhaus.org/query/domain/bad.example")
        );
        let found = listing(
            "550 contains a URL listed in the URIBL black list (multi.uribl.com): example.net",
        );
        assert_eq!(found.zone.as_deref(), Some("multi.uribl.com"));
        assert_eq!(found.domain.as_deref(), Some("example.net"));
    }

    #[test]
    fn the_receivers_own_mistake_is_seen() {
        let dead = listing("521 client [192.0.2.25] blocked using dnsbl.inps.de");
        assert_eq!(dead.mistaken, Some(Mistake::DeadList));
        let refused = listing(
            "554 Client host [192.0.2.25] blocked using zen.spamhaus.org; Error: open resolver; https://www.spamhaus.org/returnc/pub/",
        );
        assert_eq!(refused.mistaken, Some(Mistake::QueryRefused));
    }
}
