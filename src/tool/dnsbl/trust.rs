//! Is the resolver to be trusted? A name that cannot exist must not have an address.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;

use crate::dns::servers::public_operator;
use crate::dns::{Data, Failure, Kind, Lookup, Name, Patience, Question, Reply};

/// Why nothing can be believed, or nothing was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distrust {
    /// Names that do not exist have this address: every verdict would be a guess.
    Rewrites(IpAddr),
    /// The resolver itself does not answer, refuses, or talks rubbish.
    Useless(Failure),
}

/// Where names that cannot exist are asked for. A local resolver may answer for `invalid`
/// (RFC 6761 §6.4) by itself while the one behind it rewrites, so a name of the real tree is
/// asked as well; `example.com` is there for such things (RFC 2606 §3).
const NOWHERE: [&str; 2] = ["invalid", "example.com"];

/// Asks for names that do not exist; `None` when the resolver is honest or cannot tell.
pub(super) async fn examine(lookup: &impl Lookup, wait: Duration) -> Option<Distrust> {
    let number = RandomState::new().build_hasher().finish();
    let names = NOWHERE
        .iter()
        .filter_map(|zone| Name::parse(&format!("mailtrace-{number:016x}.{zone}")).ok());
    let asked = names.map(|name| lookup.lookup(Question::new(name, Kind::A), Patience::of(wait)));
    let replies = join_all(asked).await;
    let rewritten = replies
        .iter()
        .flat_map(Reply::data)
        .find_map(|data| match data {
            Data::A(ip) => Some(Distrust::Rewrites((*ip).into())),
            _ => None,
        });
    let useless = || {
        let failures: Option<Vec<_>> = replies.iter().map(|r| r.result.clone().err()).collect();
        // One that answers at all, even "no such name", is of use.
        let first = failures?
            .into_iter()
            .reduce(|a, b| if a.is_answer() { a } else { b })?;
        (!first.is_answer()).then_some(Distrust::Useless(first))
    };
    rewritten.or_else(useless)
}

/// Says why, and what to do about it.
pub fn explain(distrust: &Distrust, servers: &[SocketAddr]) -> String {
    let names: Vec<_> = servers.iter().map(ToString::to_string).collect();
    let who = match names.len() {
        0 => "the resolver".to_string(),
        1 => format!("the resolver {}", names.join("")),
        _ => format!("the resolvers {}", names.join(", ")),
    };
    let them = if names.len() > 1 { "they" } else { "it" };
    let other = "name another with --resolver";
    match distrust {
        Distrust::Rewrites(ip) => format!(
            "{who} answers {ip} for names that do not exist, so none of its answers can be \
             believed; {other}, best one of your own that asks the root itself"
        ),
        Distrust::Useless(Failure::Unreachable) => {
            format!(
                "{who} cannot be reached (nobody listens there, or there is no network); {other}"
            )
        }
        Distrust::Useless(Failure::Refused) => {
            format!("{who} refuses to serve this machine; {other}")
        }
        Distrust::Useless(Failure::Rubbish) => {
            format!("{who} answers, but not in the language of the DNS; {other}")
        }
        Distrust::Useless(Failure::Timeout) => {
            format!("{who} does not answer; see whether {them} can be reached, or {other}")
        }
        Distrust::Useless(failure) => format!("{who} is in trouble: {failure}; {other}"),
    }
}

/// What to say about lists that refuse because of the resolver.
pub fn explain_refusals(refused: usize, servers: &[SocketAddr]) -> String {
    let operator = servers.iter().find_map(|at| public_operator(at.ip()));
    let why = match operator {
        Some(name) => format!("{name} is a public resolver, which many lists refuse"),
        None => "lists refuse public, shared and provider's resolvers".to_string(),
    };
    let lists = if refused == 1 {
        "1 list refuses"
    } else {
        "lists refuse"
    };
    let count = if refused == 1 {
        String::new()
    } else {
        format!("{refused} ")
    };
    format!(
        "{count}{lists} this resolver ({why}); ask through a caching resolver of your own that \
         asks the root itself (unbound, Knot, BIND without forwarders), or with a key of the list"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::world::{Entry, World};

    async fn distrust(world: World) -> Option<Distrust> {
        examine(&world, Duration::from_millis(50)).await
    }

    #[tokio::test]
    async fn a_resolver_that_invents_addresses_is_not_trusted() {
        let sinkhole = [146, 112, 61, 106];
        let world = World::new().zone("com", Entry::saying(sinkhole));
        assert_eq!(
            distrust(world).await,
            Some(Distrust::Rewrites(sinkhole.into()))
        );
        assert_eq!(distrust(World::new()).await, None);
    }

    #[tokio::test]
    async fn a_resolver_that_fails_everywhere_is_useless() {
        let world = World::new()
            .zone("com", Entry::failing(Failure::Refused))
            .zone("invalid", Entry::failing(Failure::Refused));
        assert_eq!(
            distrust(world).await,
            Some(Distrust::Useless(Failure::Refused))
        );
        // No way to the root, but names of its own: that is how a lab looks.
        let world = World::new().zone("com", Entry::failing(Failure::ServFail));
        assert_eq!(distrust(world).await, None);
    }

    #[test]
    fn the_remedy_is_named() {
        let at = ["8.8.8.8:53".parse().unwrap()];
        assert!(explain_refusals(3, &at).contains("Google Public DNS"));
        assert!(explain(&Distrust::Useless(Failure::Unreachable), &at).contains("--resolver"));
    }
}
