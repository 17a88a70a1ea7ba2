//! The built-in receiver: a mail server that takes mail for the addresses of the test and nothing
//! else, and keeps it in memory until it is looked at.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::mta::address::Address;
use crate::mta::envelope::Envelope;
use crate::mta::fault::Faults;
use crate::mta::journal::Journal;
use crate::mta::mailboxes::Standing;
use crate::mta::server::Server;
use crate::mta::settings::{Limits, Listener, Role, Settings};
use crate::mta::site::Site;
use crate::mta::store::{Committing, Draft, Store, Trouble};

use super::Found;

/// The largest message that is taken.
const LARGEST: u64 = 32 << 20;
/// Dialogues at the same time.
const CONNECTIONS: usize = 20;

/// The receiver, as long as it lives.
#[derive(Debug)]
pub struct Receiver {
    /// Where it listens.
    pub at: SocketAddr,
    /// Ends with this.
    _server: Server,
    taken: UnboundedReceiver<Vec<u8>>,
}

/// Messages go into a channel.
struct Basket(UnboundedSender<Vec<u8>>);

struct Sheet {
    id: String,
    text: Vec<u8>,
    to: UnboundedSender<Vec<u8>>,
}

impl Store for Basket {
    fn draft(&self) -> Box<dyn Draft> {
        let id = crate::send::Token::new().map(|t| t.to_string());
        Box::new(Sheet {
            id: id.unwrap_or_default(),
            text: Vec::new(),
            to: self.0.clone(),
        })
    }
}

impl Draft for Sheet {
    fn id(&self) -> String {
        self.id.clone()
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), Trouble> {
        self.text.extend_from_slice(octets);
        Ok(())
    }

    fn commit(self: Box<Self>, _: Envelope) -> Committing {
        Box::pin(async move { self.to.send(self.text).map_err(|_| Trouble::Broken) })
    }
}

impl Receiver {
    /// Begins to listen for mail to these addresses; on failure says why.
    pub async fn start(at: SocketAddr, addresses: &[String]) -> Result<Self, String> {
        let known: Vec<Address> = addresses
            .iter()
            .filter_map(|address| Address::parse(address).ok())
            .collect();
        let domains: Vec<&str> = known.iter().filter_map(|a| a.domain.as_deref()).collect();
        let mut settings = Settings::new("receiver.mailtrace.invalid", &domains);
        settings.limits = Limits {
            message: LARGEST,
            connections: CONNECTIONS,
            grace: Duration::from_millis(100),
            ..Limits::default()
        };
        let (give, taken) = unbounded_channel();
        let same = |one: &Address, other: &Address| {
            one.domain == other.domain && one.local.eq_ignore_ascii_case(&other.local)
        };
        let site = Site::new(
            settings,
            Arc::new(Basket(give)),
            Arc::new(move |address| {
                let ours = known.iter().any(|one| same(one, address));
                if ours {
                    Standing::Known
                } else {
                    Standing::Unknown
                }
            }),
            Arc::new(Faults::default()),
            Arc::new(Journal::silent(SystemTime::now)),
            None,
            SystemTime::now,
        );
        let listener = Listener::new(at, Role::Mta);
        let server = Server::start(Arc::new(site), &[listener]).await;
        let server = server.map_err(|(at, error)| {
            let why = crate::words::reason(&error);
            format!("--listen {at}: {why}; choose another address or port")
        })?;
        let at = server.addresses.first().copied().unwrap_or(at);
        Ok(Self {
            at,
            _server: server,
            taken,
        })
    }

    /// What has come.
    pub fn look(&mut self) -> Vec<Found> {
        let mut found = Vec::new();
        while let Ok(message) = self.taken.try_recv() {
            found.push(Found {
                message,
                place: format!("the built-in receiver on {}", self.at),
                junk: false,
            });
        }
        found
    }
}
