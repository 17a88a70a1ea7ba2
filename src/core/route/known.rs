//! What is known of those who write trace fields (`data/trace.toml`): words that are no names,
//! filters and the services that run them, domains of one operator, fields of the author's side.

use crate::route::received::words;

/// A service through which others let their mail run to have it looked at.
pub(super) struct Service {
    pub(super) name: &'static str,
    hosts: &'static [&'static str],
}

/// A field in which the author's side tells where the mail came from.
pub(super) struct Claim {
    pub(super) field: &'static str,
    /// What it says, before and behind the value.
    pub(super) says: (&'static str, &'static str),
    /// The value may be `user:script`.
    pub(super) script: bool,
}

include!(concat!(env!("OUT_DIR"), "/trace.rs"));

/// The filter service that a server belongs to.
pub(super) fn service(host: &str) -> Option<&'static Service> {
    let host = host.trim_end_matches('.');
    // Asked of every server: the dot before the domain settles nearly all.
    let of = |domain: &str| match host.len().checked_sub(domain.len()) {
        Some(0) => host.eq_ignore_ascii_case(domain),
        Some(at) => host.as_bytes().get(at - 1) == Some(&b'.') && words::ends_with(host, domain),
        None => false,
    };
    SERVICES
        .iter()
        .find(|service| service.hosts.iter().any(|domain| of(domain)))
}

/// Whether a server is a filter by its domain or by its name.
pub(super) fn is_filter_host(host: &str) -> bool {
    service(host).is_some() || FILTER_HOSTS.iter().any(|n| words::after(host, n).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_a_filter_service_is_known_by_its_domain() {
        let name = |host| service(host).map(|s| s.name);
        assert_eq!(name("mx0a-00123401.pphosted.com"), Some("Proofpoint"));
        assert_eq!(name("ESA1.hc1234-56.iphmx.com."), Some("Cisco"));
        assert_eq!(name("mailcontrol.com"), Some("Forcepoint"));
        assert_eq!(name("notmailcontrol.com"), None);
        assert_eq!(name("mail.barracuda.com"), None);
        assert_eq!(name(""), None);
        assert!(is_filter_host("filter3.isp.example") && is_filter_host("Scan.isp.example"));
        assert!(!is_filter_host("mx.example.org"));
    }

    #[test]
    fn what_can_be_registered_below_others_is_no_house_and_no_service() {
        let domains = HOUSES.iter().flat_map(|house| house.iter());
        for domain in domains.chain(SERVICES.iter().flat_map(|s| s.hosts)) {
            let registered = crate::suffix::registered(domain);
            assert!(registered.is_some(), "{domain} is a public suffix");
        }
    }
}
