//! How the server of a dialogue is set up.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mailtrace::dns::world::{Entry, World};
use mailtrace::dns::{Data, Name};
use mailtrace::mta::address::Address;
use mailtrace::mta::fault::{Faults, scenario};
use mailtrace::mta::journal::Journal;
use mailtrace::mta::mailboxes::Standing;
use mailtrace::mta::names::Names;
use mailtrace::mta::server::Server;
use mailtrace::mta::settings::{Filter, Listener, Role, Settings, TlsSource};
use mailtrace::mta::site::Site;
use mailtrace::mta::store::Trouble;

use crate::shelf::{Shelf, Shelves};

pub(crate) struct Setup {
    pub(crate) settings: Settings,
    pub(crate) door: Listener,
    pub(crate) faults: Vec<String>,
    pub(crate) fault_names: bool,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) room: Option<u64>,
    pub(crate) world: World,
    /// The address of the client.
    pub(crate) from: Option<IpAddr>,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let mut settings = Settings::new("mx.example.test", &["example.test", "second.test"]);
        settings.limits.login_pause = Duration::from_millis(20);
        Self {
            settings,
            door: Listener::new("127.0.0.1:0".parse().unwrap(), Role::Mta),
            faults: Vec::new(),
            fault_names: false,
            trouble: None,
            room: None,
            world: World::new(),
            from: None,
        }
    }

    pub(crate) fn set(&mut self, text: &str) {
        let (word, value) = text.split_once(' ').unwrap_or((text, ""));
        let settings = &mut self.settings;
        match word {
            "user" => {
                let (name, password) = value.split_once(' ').unwrap();
                let user = (name.to_string(), password.to_string());
                settings.users.push(user);
            }
            "msa" => self.door.role = Role::Msa,
            "mfa" => self.door.role = Role::Mfa,
            "lmtp" => {
                self.door.role = Role::Mda;
                self.door.lmtp = true;
            }
            "tls-first" => self.door.tls_first = true,
            "no-tls" => settings.tls = TlsSource::Off,
            "require-tls" => settings.require_tls = true,
            "require-auth" => settings.require_auth = true,
            "auth-in-clear" => settings.auth_in_clear = true,
            "relay-from" => settings.relay_from.push(value.parse().unwrap()),
            "relay-to" => settings.relay_to.push(value.to_string()),
            "limit" => settings.limits.set(value).unwrap(),
            "greylist" => {
                settings.greylist = mailtrace::mta::settings::parse_time(value);
            }
            "dnsbl" => settings.dnsbl.push(value.to_string()),
            "spf" => settings.spf = true,
            "reverse-names" => settings.reverse_names = true,
            "field" => settings.fields.push(value.to_string()),
            "filter" => settings.filter = Some(Filter::Command(value.to_string())),
            "fault" => self.faults.push(value.to_string()),
            "fault-names" => self.fault_names = true,
            "store-full" => self.trouble = Some(Trouble::Full),
            "store-broken" => self.trouble = Some(Trouble::Broken),
            "from" => self.from = Some(value.parse().unwrap()),
            "listen" => self.door.at = SocketAddr::new(value.parse().unwrap(), 0),
            "a" => {
                let (name, ip) = value.split_once(' ').unwrap();
                self.world = std::mem::take(&mut self.world).addresses(name, &[ip]);
            }
            "null-mx" => {
                let mut nobody = Entry::default();
                nobody.data.push(Data::Mx {
                    preference: 0,
                    exchange: Name::root(),
                });
                self.world = std::mem::take(&mut self.world).name(value, nobody);
            }
            "room" => self.room = Some(value.parse().unwrap()),
            "txt" => {
                let (name, text) = value.split_once(' ').unwrap();
                self.world = std::mem::take(&mut self.world).text(name, text.as_bytes());
            }
            _ => panic!("no setting \"{text}\""),
        }
    }

    pub(crate) async fn start(self) -> (Server, Arc<Shelf>) {
        let shelf = Arc::new(Shelf {
            trouble: self.trouble,
            room: self.room,
            ..Shelf::default()
        });
        let standing = |address: &Address| match address.local.as_str() {
            local if local.starts_with("unknown") => Standing::Unknown,
            "full" => Standing::Full,
            "off" => Standing::Disabled,
            _ => Standing::Known,
        };
        let mut rules = Vec::new();
        for fault in &self.faults {
            rules.extend(scenario::parse(fault).unwrap());
        }
        let faults = Faults::new(rules, 1);
        if self.fault_names {
            faults.allow_names();
        }
        let site = Site::new(
            self.settings,
            Arc::new(Shelves(shelf.clone())),
            Arc::new(standing),
            Arc::new(faults),
            Arc::new(Journal::silent(SystemTime::now)),
            Some(Arc::new(Names::Table(self.world))),
            SystemTime::now,
        );
        let server = Server::start(Arc::new(site), &[self.door]).await.unwrap();
        (server, shelf)
    }
}
