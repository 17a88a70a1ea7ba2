//! What all dialogues of one server share.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use tokio::sync::Semaphore;

use crate::smtp::sasl::server::Book;
use crate::smtp::tls::server::{BadIdentity, Identity};

use super::address::Address;
use super::fault::Faults;
use super::journal::Journal;
use super::mailboxes::Standing;
use super::names::Names;
use super::policy::Greylist;
use super::settings::{Settings, TlsSource};
use super::store::Store;

/// Filters that run at the same time: each may hold a whole message.
const FILTERS: usize = 8;

/// Says whether a mailbox takes mail.
pub type Directory = Arc<dyn Fn(&Address) -> Standing + Send + Sync>;

/// What all dialogues of one server share.
pub struct Site {
    /// What it goes by.
    pub settings: Settings,
    /// Where messages go.
    pub store: Arc<dyn Store>,
    /// Which mailboxes there are.
    pub directory: Directory,
    /// Misbehaviour on purpose.
    pub faults: Arc<Faults>,
    /// The log.
    pub journal: Arc<Journal>,
    /// Who answers questions about names; `None`: nobody is asked.
    pub names: Option<Arc<Names>>,
    /// What time it is.
    pub clock: fn() -> SystemTime,
    pub(crate) filters: Semaphore,
    pub(crate) book: Option<Book>,
    pub(crate) greylist: Option<Greylist>,
    identity: OnceLock<Result<Identity, BadIdentity>>,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site")
            .field("host", &self.settings.host)
            .finish_non_exhaustive()
    }
}

impl Site {
    /// Puts a server together.
    pub fn new(
        settings: Settings,
        store: Arc<dyn Store>,
        directory: Directory,
        faults: Arc<Faults>,
        journal: Arc<Journal>,
        names: Option<Arc<Names>>,
        clock: fn() -> SystemTime,
    ) -> Self {
        let book = Book::new(&settings.users).filter(|book| !book.is_empty());
        let greylist = settings.greylist.map(Greylist::new);
        Self {
            settings,
            store,
            directory,
            faults,
            journal,
            names,
            clock,
            filters: Semaphore::new(FILTERS),
            book,
            greylist,
            identity: OnceLock::new(),
        }
    }

    /// Whether there is TLS to be had.
    pub fn has_tls(&self) -> bool {
        self.settings.tls != TlsSource::Off
    }

    /// The certificate, read or made when it is first needed.
    pub fn identity(&self) -> Result<&Identity, &BadIdentity> {
        let settings = &self.settings;
        let identity = self.identity.get_or_init(|| match &settings.tls {
            TlsSource::Off => Err(BadIdentity::Certificate),
            TlsSource::OnTheFly => {
                let mut names = vec![settings.host.clone(), "localhost".to_string()];
                names.extend(["127.0.0.1".to_string(), "::1".to_string()]);
                Identity::self_signed(&names)
            }
            TlsSource::Pem { certificate, key } => Identity::from_pem(certificate, key),
            TlsSource::Files { certificate, key } => {
                let certificate = std::fs::read(certificate);
                let key = std::fs::read(key);
                match (certificate, key) {
                    (Ok(certificate), Ok(key)) => Identity::from_pem(&certificate, &key),
                    (Err(_), _) => Err(BadIdentity::Certificate),
                    (_, Err(_)) => Err(BadIdentity::Key),
                }
            }
        });
        identity.as_ref()
    }
}
