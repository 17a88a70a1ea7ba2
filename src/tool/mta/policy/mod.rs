//! Who may send what to whom: no mail for strangers by strangers (the open relay), whatever form
//! the address takes; then what the mailbox, the block lists and the greylist say.

mod greylist;

use std::net::IpAddr;
use std::time::Instant;

pub use greylist::Greylist;

use super::address::Address;
use super::mailboxes::Standing;
use super::session::reply::Reply;
use super::settings::Settings;

/// What is known of a client when a recipient is judged.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// Its address.
    pub client: IpAddr,
    /// The address it came to, which may stand as a literal behind the @.
    pub own: IpAddr,
    /// It has logged in.
    pub logged_in: bool,
    /// The sender, for the greylist.
    pub sender: Option<&'a Address>,
    /// What the block lists say of it.
    pub listed: Option<&'a Reply>,
    /// Now.
    pub now: Instant,
}

const RELAY: &str = "Relay access denied: this server takes mail for its own domains only";

/// Judges a recipient; gives the address that the message shall go to.
pub fn recipient(
    settings: &Settings,
    greylist: Option<&Greylist>,
    standing: impl Fn(&Address) -> Standing,
    address: Address,
    asking: &Asking<'_>,
) -> Result<Address, Reply> {
    let trusted = asking.logged_in || settings.trusts(asking.client);
    let address = ours(settings, address, asking.own);
    let refused = |why: &str| Reply::said(554, 7, 1, format!("<{address}>: {why}"));
    let place = place(settings, &address);
    let denied = match place {
        Place::Elsewhere => !trusted,
        // Such a name behind the local part is a route to somewhere else for old software, and
        // whoever is behind us may be old software.
        Place::Behind => !trusted && hides_a_route(&address),
        Place::Local => hides_a_route(&address),
    };
    if denied {
        return Err(refused(RELAY));
    }
    // RFC 5321 section 4.5.1: postmaster is always there, also for those who are listed.
    if address.is_postmaster() && matches!(place, Place::Local) {
        return Ok(address);
    }
    if let Some(reply) = asking.listed.filter(|_| !trusted) {
        return Err(reply.clone());
    }
    if matches!(place, Place::Local) {
        mailbox(&address, standing(&address))?;
    }
    if let Some(greylist) = greylist.filter(|_| !trusted) {
        let sender = asking.sender.map(ToString::to_string).unwrap_or_default();
        let wait = greylist.wait(asking.client, &sender, &address.to_string(), asking.now);
        if let Some(wait) = wait {
            let seconds = wait.as_secs().max(1);
            let text = format!("<{address}>: Greylisted, please try again in {seconds} seconds");
            return Err(Reply::said(451, 7, 1, text));
        }
    }
    Ok(address)
}

/// Where a domain is.
enum Place {
    Local,
    /// We pass mail on for it.
    Behind,
    Elsewhere,
}

fn place(settings: &Settings, address: &Address) -> Place {
    let Some(domain) = &address.domain else {
        return Place::Local;
    };
    let is_one_of = |domains: &[String]| domains.iter().any(|d| d.eq_ignore_ascii_case(domain));
    if is_one_of(&settings.domains) {
        Place::Local
    } else if is_one_of(&settings.relay_to) {
        Place::Behind
    } else {
        Place::Elsewhere
    }
}

/// An address literal that is our own address stands for our first domain.
fn ours(settings: &Settings, address: Address, own: IpAddr) -> Address {
    let is_own = |ip: IpAddr| ip.to_canonical() == own.to_canonical();
    match (
        address.literal().is_some_and(is_own),
        settings.domains.first(),
    ) {
        (true, Some(domain)) => Address {
            domain: Some(domain.clone()),
            ..address
        },
        _ => address,
    }
}

/// `user%elsewhere@here`, `"user@elsewhere"@here` and `elsewhere!user@here`.
fn hides_a_route(address: &Address) -> bool {
    address.local.contains(['%', '@', '!'])
}

fn mailbox(address: &Address, standing: Standing) -> Result<(), Reply> {
    let (code, subject, detail, why) = match standing {
        Standing::Known => return Ok(()),
        Standing::Unknown => (550, 1, 1, "User unknown: there is no such mailbox here"),
        Standing::Full => (
            452,
            2,
            2,
            "The mailbox is full, over quota; try again later",
        ),
        Standing::Disabled => (550, 2, 1, "The mailbox is disabled and takes no mail"),
    };
    Err(Reply::said(
        code,
        subject,
        detail,
        format!("<{address}>: {why}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(path: &str, trusted: bool) -> Result<String, u16> {
        let mut settings = Settings::new("mx.example.test", &["Example.test"]);
        settings.relay_to = vec!["behind.test".to_string()];
        let client = if trusted {
            [10, 0, 0, 1]
        } else {
            [192, 0, 2, 9]
        };
        settings.relay_from = vec!["10.0.0.0/8".parse().unwrap()];
        let (address, _) = Address::parse_path(path).map_err(|_| 501u16)?;
        let asking = Asking {
            client: client.into(),
            own: [127, 0, 0, 1].into(),
            logged_in: false,
            sender: None,
            listed: None,
            now: Instant::now(),
        };
        let standing = |address: &Address| match address.local.as_str() {
            "gone" => Standing::Unknown,
            "full" => Standing::Full,
            "off" => Standing::Disabled,
            _ => Standing::Known,
        };
        recipient(&settings, None, standing, address.unwrap(), &asking)
            .map(|a| a.to_string())
            .map_err(|reply| reply.code)
    }

    #[test]
    fn strangers_reach_our_mailboxes_and_nothing_else() {
        for (path, expected) in [
            ("<u@example.test>", Ok("u@example.test")),
            ("<u@EXAMPLE.TEST>", Ok("u@example.test")),
            ("<postmaster>", Ok("postmaster")),
            ("<PostMaster@example.test>", Ok("PostMaster@example.test")),
            ("<u@[127.0.0.1]>", Ok("u@example.test")),
            ("<u@behind.test>", Ok("u@behind.test")),
            ("<@example.test:u@example.test>", Ok("u@example.test")),
            ("<gone@example.test>", Err(550)),
            ("<full@example.test>", Err(452)),
            ("<off@example.test>", Err(550)),
            ("<u@other.test>", Err(554)),
            ("<postmaster@other.test>", Err(554)),
            ("<u%other.test@example.test>", Err(554)),
            ("<\"u@other.test\"@example.test>", Err(554)),
            ("<other.test!u@example.test>", Err(554)),
            ("<u%other.test@behind.test>", Err(554)),
            ("<\"u@other.test\">", Err(501)),
            ("<other.test!u>", Err(501)),
            ("<u@other.test@example.test>", Err(501)),
            ("<@example.test:u@other.test>", Err(554)),
            ("<u@[192.0.2.1]>", Err(554)),
            ("<u@[127.0.0.2]>", Err(554)),
            ("<u@example.test.>", Err(501)),
            ("<u@sub.example.test>", Err(554)),
            ("<u@notexample.test>", Err(554)),
            ("<u@example.test.other.test>", Err(554)),
            ("<u@example>", Err(554)),
        ] {
            let expected = expected.map(ToString::to_string);
            assert_eq!(judge(path, false), expected, "{path}");
        }
    }

    #[test]
    fn who_is_trusted_sends_anywhere_but_not_by_hidden_routes_through_us() {
        assert!(judge("<u@other.test>", true).is_ok());
        assert!(judge("<u%x@other.test>", true).is_ok());
        assert_eq!(judge("<u%other.test@example.test>", true), Err(554));
    }
}
