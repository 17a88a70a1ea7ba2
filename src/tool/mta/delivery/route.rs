//! Where mail for an address goes.

use std::net::IpAddr;
use std::path::PathBuf;

use super::outcome::status;
use super::settings::{Relay, Settings};
use crate::message::status::EnhancedCode;
use crate::mta::address::Address;
use crate::mta::mailboxes::Standing;

/// Where mail for an address goes.
pub(crate) enum Route {
    /// Into a mailbox here.
    Mailbox { dir: PathBuf, quota: Option<u64> },
    /// To a server.
    Server(Destination),
    /// Nowhere: the status and why.
    Nowhere(EnhancedCode, &'static str),
}

/// The servers that take a recipient's mail. Recipients of one destination share connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Those that the DNS names for this domain.
    Domain(String),
    /// The one at this address.
    Literal(IpAddr),
    /// The one that the operator names.
    Relay(Relay),
}

impl Destination {
    /// Equal for equal destinations.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Domain(domain) => domain.clone(),
            Self::Literal(ip) => format!("[{ip}]"),
            Self::Relay(relay) => {
                let protocol = if relay.lmtp { "lmtp" } else { "smtp" };
                // A server that is a smart host with a login and a route without one has two lines:
                // what goes by one connection must not go by the other.
                let login = relay.login.as_ref().map(|login| format!("{}@", login.user));
                let login = login.unwrap_or_default();
                format!("{protocol}:{login}{}:{}", relay.host, relay.port)
            }
        }
    }

    /// The name in words.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Domain(domain) => domain.clone(),
            Self::Literal(ip) => format!("[{ip}]"),
            Self::Relay(relay) => relay.host.clone(),
        }
    }
}

/// Finds the way for an address: our mailboxes, then routes, then the smart host, then the DNS.
pub(crate) fn route(settings: &Settings, address: &Address) -> Route {
    let domain = address.domain.as_deref().map(str::to_lowercase);
    let Some(domain) = domain else {
        return mailbox(settings, address);
    };
    if settings.is_ours(&domain) {
        return mailbox(settings, address);
    }
    let named = settings
        .routes
        .iter()
        .find(|(pattern, _)| pattern.covers(&domain));
    if let Some((_, relay)) = named {
        return Route::Server(Destination::Relay(relay.clone()));
    }
    if let Some(literal) = domain.strip_prefix('[') {
        let inside = literal.strip_suffix(']').unwrap_or(literal);
        let inside = inside.strip_prefix("ipv6:").unwrap_or(inside);
        return match inside.parse() {
            Ok(ip) => Route::Server(Destination::Literal(ip)),
            Err(_) => Route::Nowhere(status(5, 1, 3), "the address literal is none"),
        };
    }
    match &settings.smart_host {
        Some(relay) => Route::Server(Destination::Relay(relay.clone())),
        None => Route::Server(Destination::Domain(domain)),
    }
}

fn mailbox(settings: &Settings, address: &Address) -> Route {
    match settings.mailboxes.standing(address) {
        Standing::Unknown => return Route::Nowhere(status(5, 1, 1), "no such user here"),
        Standing::Disabled => {
            return Route::Nowhere(status(5, 2, 1), "the mailbox is disabled, it takes no mail");
        }
        // Whether it is full is seen when it is written to.
        Standing::Known | Standing::Full => {}
    }
    match settings.mailboxes.maildir(address) {
        Some((dir, quota)) => Route::Mailbox { dir, quota },
        None => Route::Nowhere(status(5, 1, 1), "no such user here"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::mta::mailboxes::Mailboxes;
    use crate::smtp::sasl::{Credentials, Secret};

    fn way(address: (&str, Option<&str>), smart: bool) -> String {
        let boxes = Mailboxes::under(Path::new("/m"));
        let mut settings = Settings::new("mx.test", &["Home.test".to_string()], boxes);
        settings
            .routes
            .push(Relay::parse_route("routed.test=h:1").unwrap());
        settings.smart_host = smart.then(|| Relay::parse("smart.test", 25).unwrap());
        let address = Address {
            local: address.0.into(),
            domain: address.1.map(Into::into),
        };
        match route(&settings, &address) {
            Route::Mailbox { dir, .. } => dir.display().to_string(),
            Route::Server(destination) => destination.key(),
            Route::Nowhere(code, _) => code.to_string(),
        }
    }

    #[test]
    fn a_smart_host_with_a_login_shares_no_line_with_a_route_to_the_same_server() {
        let plain = Relay::parse("h.test:587", 25).unwrap();
        let login = Relay {
            login: Some(Credentials {
                user: "me".into(),
                secret: Secret::Password("word".into()),
            }),
            ..plain.clone()
        };
        let key = |relay| Destination::Relay(relay).key();
        assert_eq!(key(plain), "smtp:h.test:587");
        assert_eq!(key(login), "smtp:me@h.test:587");
    }

    #[test]
    fn mailboxes_come_before_routes_and_routes_before_the_rest() {
        assert_eq!(way(("bob", Some("HOME.test")), true), "/m/bob");
        assert_eq!(way(("postmaster", None), true), "/m/postmaster");
        assert_eq!(way(("unknown1", Some("home.test")), true), "5.1.1");
        assert_eq!(way(("x", Some("routed.test")), true), "smtp:h:1");
        assert_eq!(way(("x", Some("other.test")), true), "smtp:smart.test:25");
        assert_eq!(way(("x", Some("other.test")), false), "other.test");
        assert_eq!(way(("x", Some("[127.0.0.9]")), true), "[127.0.0.9]");
        assert_eq!(way(("x", Some("[IPv6:::1]")), true), "[::1]");
        assert_eq!(way(("x", Some("[rubbish]")), true), "5.1.3");
    }
}
