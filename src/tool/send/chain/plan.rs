//! What the servers of the embedded chain go by, before they are started. Scenarios change it.

use std::time::Duration;

use crate::mta::delivery;
use crate::mta::fault::Rule;
use crate::mta::mailboxes::Mailboxes;
use crate::mta::settings::{Limits, Role, Settings};
use crate::smtp::Deadlines;

/// The domain of the sender.
pub const HOME: &str = "home.test";
/// The domain of the recipient.
pub const AWAY: &str = "away.test";
/// Who sends.
pub const SENDER: &str = "alice@home.test";
/// Who shall get it.
pub const RECIPIENT: &str = "bob@away.test";
/// The login name at the MSA.
pub const USER: &str = "alice";

/// The four parts, in the order of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Takes mail of its own people.
    Msa,
    /// Takes mail for the domain from anybody.
    Mta,
    /// Looks at it.
    Mfa,
    /// Puts it into the mailbox.
    Mda,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Msa, Self::Mta, Self::Mfa, Self::Mda];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Msa => "MSA",
            Self::Mta => "MTA",
            Self::Mfa => "MFA",
            Self::Mda => "MDA",
        }
    }

    /// Its place in the chain.
    pub const fn index(self) -> usize {
        match self {
            Self::Msa => 0,
            Self::Mta => 1,
            Self::Mfa => 2,
            Self::Mda => 3,
        }
    }

    /// The name of its server.
    pub const fn host(self) -> &'static str {
        match self {
            Self::Msa => "msa.home.test",
            Self::Mta => "mta.away.test",
            Self::Mfa => "mfa.away.test",
            Self::Mda => "mda.away.test",
        }
    }

    /// What it is as a listener.
    pub const fn role(self) -> Role {
        match self {
            Self::Msa => Role::Msa,
            Self::Mta => Role::Mta,
            Self::Mfa => Role::Mfa,
            Self::Mda => Role::Mda,
        }
    }
}

/// One server.
#[derive(Debug, Clone)]
pub struct Station {
    /// The part it plays.
    pub part: Part,
    /// How it receives.
    pub settings: Settings,
    /// How it delivers; the routes are added when the ports are known.
    pub delivery: delivery::Settings,
    /// How it misbehaves.
    pub faults: Vec<Rule>,
    /// Nobody listens on its port.
    pub is_down: bool,
}

/// What the recipient's side says when the message has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The recipient is away.
    Vacation,
    /// His filter wants the sender to confirm first.
    Challenge,
    /// A program sends it back without a reason.
    Murky,
    /// He takes it for spam.
    Complaint,
}

/// The whole chain, and what is sent through it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The servers, in the order of the way.
    pub stations: [Station; 4],
    /// What the resolver says of the recipient's domain (TOML, see `dns::world`).
    pub names: String,
    /// The mailboxes of the recipient's domain; none: any.
    pub mailboxes: Vec<String>,
    /// The recipient.
    pub to: String,
    /// The MUA logs in.
    pub login: bool,
    /// It knows the password.
    pub knows_password: bool,
    /// Fields that are added to the message.
    pub fields: Vec<(String, String)>,
    /// Octets of the message.
    pub size: Option<usize>,
    /// What the MUA wants to be told of (NOTIFY).
    pub notify: Option<String>,
    /// What the recipient's side says when the message has arrived.
    pub answer: Option<Answer>,
}

impl Plan {
    /// A chain on which everything goes well.
    pub fn new() -> Self {
        Self {
            stations: Part::ALL.map(station),
            names: format!(
                "[[answer]]\nname = \"{AWAY}\"\nmx = [\"10 {mta}\"]\n\
                 [[answer]]\nname = \"{mta}\"\na = [\"127.0.0.1\"]\n",
                mta = Part::Mta.host()
            ),
            mailboxes: vec!["bob".to_string()],
            to: RECIPIENT.to_string(),
            login: true,
            knows_password: true,
            fields: Vec::new(),
            size: None,
            notify: None,
            answer: None,
        }
    }

    /// One of its servers.
    pub fn station(&mut self, part: Part) -> &mut Station {
        let [msa, mta, mfa, mda] = &mut self.stations;
        match part {
            Part::Msa => msa,
            Part::Mta => mta,
            Part::Mfa => mfa,
            Part::Mda => mda,
        }
    }
}

impl Default for Plan {
    fn default() -> Self {
        Self::new()
    }
}

fn station(part: Part) -> Station {
    let domains: &[&str] = match part {
        Part::Msa => &[HOME],
        Part::Mda => &[AWAY],
        Part::Mta | Part::Mfa => &[],
    };
    let mut settings = Settings::new(part.host(), domains);
    settings.limits = Limits {
        grace: Duration::from_millis(100),
        login_pause: Duration::ZERO,
        ..Limits::default()
    };
    if matches!(part, Part::Mta | Part::Mfa) {
        settings.relay_to = vec![AWAY.to_string()];
    }
    if part == Part::Mfa {
        settings.software = "mailtrace-filter";
        settings.fields = vec!["X-Mailtrace-Filter: looked at, nothing found".to_string()];
        // Notices of the MDA to the sender pass here, too.
        settings.relay_from = vec![ipnet::IpNet::from(std::net::IpAddr::from([127, 0, 0, 1]))];
    }
    let domains: Vec<String> = domains.iter().map(|d| (*d).to_string()).collect();
    let boxes = Mailboxes::under(std::path::Path::new("/"));
    let mut delivery = delivery::Settings::new(part.host(), &domains, boxes);
    // All of it is on this machine: what does not come at once never comes.
    delivery.deadlines = Deadlines {
        connect: WAIT,
        banner: WAIT,
        short: WAIT,
        tls: WAIT,
        mail: WAIT,
        rcpt: WAIT,
        data: WAIT,
        block: WAIT,
        dot: WAIT,
        quit: Duration::from_millis(50),
        overall: None,
    };
    delivery.dns_wait = Duration::from_millis(300);
    // Few attempts; the clock jumps from one to the next.
    const MINUTE: u64 = 60;
    delivery.schedule.waits = [15, 225, 24 * 60]
        .map(|minutes| Duration::from_secs(minutes * MINUTE))
        .to_vec();
    Station {
        part,
        settings,
        delivery,
        faults: Vec::new(),
        is_down: false,
    }
}

/// How long a server of the chain waits for another.
const WAIT: Duration = Duration::from_secs(1);
