//! What one message needs, from the flags.

use std::sync::Arc;

use chrono::Utc;
use tokio::time::Instant;

use crate::app::Context;
use crate::app::{check, network};
use crate::cli::send_test::{Manner as Flags, Place, SendTest};
use crate::posture::signature::sign::Signer;
use crate::send::chain::play::Wish;
use crate::send::dispatch::Way;
use crate::send::hand_over::{Letter, Manner};
use crate::send::{Round, Token};
use crate::smtp::sasl::{Credentials, Secret};
use crate::smtp::tls::Roots;
use crate::smtp::{Deadlines, Families};

use super::secret;

/// The ports of SMTP, of submission and of LMTP.
const PORTS: (u16, u16, u16) = (25, 587, 24);

/// Everything that one message needs.
pub(super) struct Setting {
    pub(super) manner: Manner,
    pub(super) signer: Option<Signer>,
    pub(super) from: String,
    verp: bool,
    pub(super) to: Vec<String>,
    pub(super) wish: Wish,
}

impl Setting {
    /// Reads the flags, the files they name and the environment.
    pub(super) fn of(command: &SendTest, mut wish: Wish) -> Result<Self, String> {
        let flags = &command.manner;
        let helo = network::helo(flags.helo.as_ref())?;
        let host = helo.clone().unwrap_or_else(|| "localhost".to_string());
        let from = from(command, &host);
        let roots = match &flags.ca_file {
            Some(path) => Roots::of_file(check::trust(path)?),
            None => Roots::default(),
        };
        wish.draft.host.clone_from(&host);
        wish.draft.from = if from.is_empty() {
            format!("postmaster@{host}")
        } else {
            from.clone()
        };
        wish.draft.to.clone_from(&command.to);
        Ok(Self {
            manner: Manner {
                helo,
                tls: flags.tls.unwrap_or_default(),
                credentials: credentials(flags)?,
                mechanism: flags.auth,
                insecure_auth: flags.insecure_auth,
                lmtp: flags.lmtp,
                roots: Some(Arc::new(roots)),
                deadlines: Deadlines::interactive(),
                now: Utc::now(),
            },
            signer: signer(flags, &from)?,
            from,
            verp: flags.verp,
            to: command.to.clone(),
            wish,
        })
    }

    /// The letter with the token of a draft.
    pub(super) fn letter(&self, wish: &Wish) -> Result<Letter, String> {
        let mut message = wish.draft.write().map_err(|error| error.to_string())?;
        if let Some(signer) = &self.signer {
            let field = signer.sign(&message, Utc::now());
            let field = field.map_err(|error| format!("--dkim-key: {error}"))?;
            message.splice(0..0, field.into_bytes());
        }
        let token = wish.draft.token.to_string();
        Ok(Letter {
            from: self.sender(&wish.draft.token),
            to: self.to.clone(),
            needs: wish.needs,
            ret: wish.ret.or(wish.notify.is_some().then_some("HDRS")),
            envid: Some(wish.envid.clone().unwrap_or(token)),
            notify: wish.notify.clone(),
            message,
        })
    }

    /// The envelope sender, with the token in it when that was asked for.
    pub(super) fn sender(&self, token: &Token) -> String {
        match self.from.rsplit_once('@').filter(|_| self.verp) {
            Some((local, domain)) => format!("{local}+{token}@{domain}"),
            None => self.from.clone(),
        }
    }

    pub(super) fn round(&self, wish: &Wish) -> Round {
        Round {
            token: wish.draft.token.to_string(),
            message_id: wish.draft.message_id(),
            from: self.sender(&wish.draft.token),
            to: self.to.clone(),
            probe: self.to.is_empty(),
            ..Round::default()
        }
    }

    pub(super) fn way(&self, command: &SendTest, context: &Context, again: Option<Instant>) -> Way {
        let values = &context.settings.values;
        let usual = match (self.manner.lmtp, &self.manner.credentials) {
            (true, _) => PORTS.2,
            (_, Some(_)) => PORTS.1,
            _ => PORTS.0,
        };
        Way {
            server: match &command.server {
                Some(Place::Server(host, port)) => Some((host.clone(), *port)),
                _ => None,
            },
            socket: match &command.server {
                Some(Place::Socket(path)) => Some(path.clone()),
                _ => None,
            },
            port: command.manner.port.unwrap_or(usual),
            families: Families {
                v4: !values.ipv6_only(),
                v6: !values.ipv4_only(),
            },
            again,
        }
    }
}

/// The envelope sender: as given, else the mailbox that is looked into, else the login here.
fn from(command: &SendTest, host: &str) -> String {
    let given = command.manner.from.clone();
    let mailbox = || {
        let url = command.waiting.wait_imap.as_ref()?;
        Some(url.user.clone()).filter(|user| user.contains('@'))
    };
    given.or_else(mailbox).unwrap_or_else(|| {
        let login = std::env::var("USER").unwrap_or_else(|_| "postmaster".to_string());
        format!("{login}@{host}")
    })
}

fn credentials(flags: &Flags) -> Result<Option<Credentials>, String> {
    let Some(user) = &flags.auth_user else {
        return Ok(None);
    };
    let file = flags.auth_password_file.as_deref();
    let word = secret::password(file, "MAILTRACE_PASSWORD", user)?;
    let token = flags.auth.is_some_and(|m| m.name().contains("OAUTH"));
    Ok(Some(Credentials {
        user: user.clone(),
        secret: if token {
            Secret::Token(word)
        } else {
            Secret::Password(word)
        },
    }))
}

/// What signs the message, for the domain of its sender unless another is named.
fn signer(flags: &Flags, from: &str) -> Result<Option<Signer>, String> {
    let Some(path) = flags.dkim_key.as_deref() else {
        return Ok(None);
    };
    let name = path.display();
    let pem = std::fs::read_to_string(path)
        .map_err(|error| format!("{name}: {}; check --dkim-key", crate::words::reason(&error)))?;
    let own = from.rsplit_once('@').map(|(_, domain)| domain.to_string());
    let domain = flags.dkim_domain.clone().or(own).unwrap_or_default();
    let selector = flags.dkim_selector.as_deref().unwrap_or_default();
    let signer = Signer::from_pem(&pem, &domain, selector);
    signer.map(Some).map_err(|error| format!("{name}: {error}"))
}
