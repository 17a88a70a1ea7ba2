//! Hands a message to one server and keeps every word of it: connection, greeting, EHLO, TLS,
//! login, envelope, message, farewell.

mod secure;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::smtp::command::{MailParameters, RcptParameters};
use crate::smtp::sasl::{Credentials, Mechanism};
use crate::smtp::tls::{Opinion, Roots, Session};
use crate::smtp::transcript::Exchange;
use crate::smtp::{Client, Command, Deadlines, Extensions, Failure, Reply, Stage, TlsMode};

pub(super) use secure::distrust;
use secure::{encrypt, log_in, trust};

/// The port of TLS from the first byte (RFC 8314).
const SUBMISSIONS: u16 = 465;

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name; the address when it has none.
    pub host: String,
    /// Its address.
    pub ip: IpAddr,
    /// Its port.
    pub port: u16,
    /// The socket it is behind, in place of address and port.
    pub socket: Option<PathBuf>,
}

impl Place {
    /// Whether it is on this machine.
    pub fn is_here(&self) -> bool {
        self.socket.is_some() || self.ip.to_canonical().is_loopback()
    }
}

/// How to speak.
#[derive(Debug, Clone)]
pub struct Manner {
    /// Our name in EHLO; `None` for the address of this end.
    pub helo: Option<String>,
    /// How to treat TLS.
    pub tls: TlsMode,
    /// Who logs in.
    pub credentials: Option<Credentials>,
    /// In which way, when the user chose one.
    pub mechanism: Option<Mechanism>,
    /// A login may show the password to a server that did not prove who it is.
    pub insecure_auth: bool,
    /// LMTP (RFC 2033).
    pub lmtp: bool,
    /// Whom to trust with certificates; `None`: they are not judged.
    pub roots: Option<Arc<Roots>>,
    /// How long to wait.
    pub deadlines: Deadlines,
    /// Now.
    pub now: DateTime<Utc>,
}

/// What is handed over.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The envelope sender, empty for the null sender.
    pub from: String,
    /// The recipients; none: the server is only tried, up to MAIL.
    pub to: Vec<String>,
    /// RET of RFC 3461.
    pub ret: Option<&'static str>,
    /// ENVID of RFC 3461.
    pub envid: Option<String>,
    /// NOTIFY of RFC 3461.
    pub notify: Option<String>,
    /// What the server has to be capable of for it.
    pub needs: Needs,
    /// The message.
    pub message: Vec<u8>,
}

/// Capabilities that are to be tried; without its keyword nothing is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// The message goes as one chunk, without DATA (RFC 3030).
    pub chunking: bool,
    /// The message is 8 bit and shall stay so (RFC 6152).
    pub eight_bit: bool,
    /// Every hop shall use TLS or not take it (RFC 8689).
    pub require_tls: bool,
}

impl Needs {
    /// What a server lacks, with the keyword it would announce.
    fn lacking(self, extensions: &Extensions) -> Option<&'static str> {
        let wanted = [
            (self.chunking, "CHUNKING"),
            (self.eight_bit, "8BITMIME"),
            (self.require_tls, "REQUIRETLS"),
        ];
        let mut wanted = wanted.into_iter().filter(|(wanted, _)| *wanted);
        wanted.find_map(|(_, keyword)| (!extensions.has(keyword)).then_some(keyword))
    }
}

/// What became of one recipient.
#[derive(Debug, Clone, PartialEq)]
pub struct Fate {
    /// The address.
    pub address: String,
    /// The step that decided.
    pub stage: Stage,
    /// The reply that decided.
    pub reply: Option<Reply>,
    /// How it broke off, when no reply decided.
    pub broke: Option<String>,
    /// The message was out and the answer never came: it may have been taken.
    pub uncertain: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Handed {
    /// The server.
    pub place: Place,
    /// Every word.
    pub steps: Vec<Exchange>,
    /// What TLS was like.
    pub session: Option<Session>,
    /// What the certificate is worth.
    pub opinion: Option<Opinion>,
    /// STARTTLS was offered, or TLS came first.
    pub tls_offered: bool,
    /// Why there is no TLS.
    pub tls_error: Option<String>,
    /// One for each recipient, in their order.
    pub fates: Vec<Fate>,
    /// The reply that ended it before any recipient was asked about.
    pub refusal: Option<(Stage, Reply)>,
    /// How it broke.
    pub failure: Option<Failure>,
    /// Why we broke it off ourselves.
    pub gave_up: Option<String>,
    /// The server can tell of successes and failures as we ask it to (RFC 3461).
    pub dsn: bool,
}

impl Handed {
    fn new(place: &Place) -> Self {
        Self {
            place: place.clone(),
            steps: Vec::new(),
            session: None,
            opinion: None,
            tls_offered: false,
            tls_error: None,
            fates: Vec::new(),
            refusal: None,
            failure: None,
            gave_up: None,
            dsn: false,
        }
    }

    /// Nobody could be asked.
    pub fn nowhere(letter: &Letter) -> Self {
        let mut handed = Self::new(&Place {
            host: String::new(),
            ip: IpAddr::from([0, 0, 0, 0]),
            port: 0,
            socket: None,
        });
        settle(&mut handed, letter);
        handed
    }

    /// The reply to the end of the message.
    pub fn dot(&self) -> Option<&Reply> {
        let mut steps = self.steps.iter().rev();
        let dot = steps.find(|step| step.stage == Stage::Dot && step.reply.is_some());
        dot.and_then(|step| step.reply.as_ref())
    }

    /// Whether another server of the same recipients may be tried: nothing was said about them
    /// yet (RFC 5321 section 5.1).
    pub fn may_try_next(&self) -> bool {
        let before = |stage: Stage| matches!(stage, Stage::Connect | Stage::Banner | Stage::Ehlo);
        let closing = |(stage, reply): &(Stage, Reply)| reply.code == 421 || before(*stage);
        // The refusal of a server as a whole is everybody's fate, too, but no word about them.
        let about = |f: &Fate| matches!(f.stage, Stage::Rcpt | Stage::Data | Stage::Dot);
        let said = |f: &Fate| f.uncertain || about(f) && f.reply.is_some();
        let sent = self.fates.iter().any(said);
        !sent && (self.failure.is_some() || self.refusal.as_ref().is_some_and(closing))
    }
}

/// How a conversation ended before its end.
enum End {
    Broke(Failure),
    Refused(Stage, Reply),
    GaveUp(String),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Broke(failure)
    }
}

/// Hands a letter over.
pub async fn hand_over(place: &Place, letter: &Letter, manner: &Manner) -> Handed {
    let mut handed = Handed::new(place);
    let mut client = match &place.socket {
        Some(path) => Client::at_socket(path, manner.deadlines.clone()),
        None => {
            let at = SocketAddr::new(place.ip, place.port);
            Client::new(at, manner.deadlines.clone())
        }
    };
    let outcome = talk(&mut client, letter, manner, &mut handed).await;
    // After a failure there is nobody to say goodbye to.
    client.quit().await;
    handed.steps.append(&mut client.transcript.exchanges);
    // Who hung up before our farewell has broken nothing (RFC 5321 section 4.1.1.10 asks for it, and
    // nobody misses it).
    let unheard = |step: &Exchange| step.stage == Stage::Quit && step.reply.is_none();
    if handed.steps.last().is_some_and(unheard) {
        handed.steps.pop();
    }
    match outcome {
        Ok(()) => {}
        Err(End::Refused(stage, reply)) => handed.refusal = Some((stage, reply)),
        Err(End::GaveUp(why)) => handed.gave_up = Some(why),
        Err(End::Broke(failure)) => {
            if let Failure::Tls { trouble, .. } = &failure {
                handed.tls_error = Some(trouble.to_string());
            }
            handed.failure = Some(failure);
        }
    }
    settle(&mut handed, letter);
    handed
}

/// Gives everybody a fate who has none yet: that of the whole.
fn settle(handed: &mut Handed, letter: &Letter) {
    let known: Vec<String> = handed.fates.iter().map(|f| f.address.clone()).collect();
    let (stage, reply) = match &handed.refusal {
        Some((stage, reply)) => (*stage, Some(reply.clone())),
        None => (reached(&handed.steps), None),
    };
    let broke = handed
        .failure
        .as_ref()
        .map(ToString::to_string)
        .or(handed.gave_up.clone());
    for address in letter.to.iter().filter(|to| !known.contains(to)) {
        handed.fates.push(Fate {
            address: address.clone(),
            stage,
            reply: reply.clone(),
            broke: broke.clone(),
            uncertain: false,
        });
    }
    let place = |fate: &Fate| letter.to.iter().position(|to| *to == fate.address);
    handed.fates.sort_by_key(place);
}

/// The last step before the farewell.
fn reached(steps: &[Exchange]) -> Stage {
    let last = steps.iter().rev().find(|step| step.stage != Stage::Quit);
    last.map_or(Stage::Connect, |step| step.stage)
}

fn our_name(client: &Client, manner: &Manner) -> String {
    match (&manner.helo, client.local.map(|l| l.ip().to_canonical())) {
        (Some(name), _) => name.clone(),
        (None, Some(IpAddr::V6(ip))) => format!("[IPv6:{ip}]"),
        (None, Some(ip)) => format!("[{ip}]"),
        (None, None) => "[127.0.0.1]".to_string(),
    }
}

async fn greet(client: &mut Client, manner: &Manner) -> Result<(), End> {
    let name = our_name(client, manner);
    let mut reply = if manner.lmtp {
        client.lhlo(&name).await?
    } else {
        client.ehlo(&name).await?
    };
    // RFC 5321 section 3.2: a server that does not know EHLO may know HELO.
    if !manner.lmtp && matches!(reply.code, 500 | 501 | 502 | 504) {
        reply = client.say(Stage::Ehlo, &Command::Helo(&name)).await?;
    }
    if reply.is_positive() {
        return Ok(());
    }
    Err(End::Refused(Stage::Ehlo, reply))
}

async fn talk(
    client: &mut Client,
    letter: &Letter,
    manner: &Manner,
    handed: &mut Handed,
) -> Result<(), End> {
    client.connect().await?;
    let implicit = match manner.tls {
        TlsMode::Implicit => true,
        TlsMode::Auto => handed.place.port == SUBMISSIONS,
        TlsMode::Required | TlsMode::None => false,
    };
    if implicit {
        handed.tls_offered = true;
        client.implicit_tls(&handed.place.host).await?;
        trust(client, manner, handed)?;
    }
    let banner = client.banner().await?;
    if !banner.is_positive() {
        return Err(End::Refused(Stage::Banner, banner));
    }
    greet(client, manner).await?;
    encrypt(client, manner, handed).await?;
    log_in(client, manner, handed).await?;
    handed.dsn = client.extensions.as_ref().is_some_and(|e| e.has("DSN"));
    transact(client, letter, manner, handed).await
}

/// MAIL, RCPT for each, DATA and the message.
async fn transact(
    client: &mut Client,
    letter: &Letter,
    manner: &Manner,
    handed: &mut Handed,
) -> Result<(), End> {
    let extensions = client.extensions.clone().unwrap_or_default();
    let dsn = handed.dsn;
    let parameters = parameters(letter, &extensions, dsn)?;
    let mail = client
        .say(Stage::Mail, &Command::Mail(&letter.from, parameters))
        .await?;
    if !mail.is_positive() {
        return Err(End::Refused(Stage::Mail, mail));
    }
    if letter.to.is_empty() {
        client.say(Stage::Rset, &Command::Rset).await?;
        return Ok(());
    }
    let mut taken = Vec::new();
    for to in &letter.to {
        let parameters = RcptParameters {
            notify: letter.notify.as_deref().filter(|_| dsn),
            orcpt: (dsn && letter.notify.is_some()).then_some(("", to)),
        };
        let command = Command::Rcpt(to, parameters);
        let reply = client.say(Stage::Rcpt, &command).await?;
        if reply.is_positive() {
            taken.push(to.clone());
        } else {
            handed.fates.push(fate(to, Stage::Rcpt, reply));
        }
    }
    match taken.is_empty() {
        true => Ok(()),
        false => give_message(client, letter, manner.lmtp, taken, handed).await,
    }
}

/// The parameters of MAIL; an error when the server cannot be given such a letter.
fn parameters<'l>(
    letter: &'l Letter,
    extensions: &Extensions,
    dsn: bool,
) -> Result<MailParameters<'l>, End> {
    let header = memchr::memmem::find(&letter.message, b"\r\n\r\n").unwrap_or(0);
    let header = letter.message.get(..header).unwrap_or_default();
    let mut addresses = letter.to.iter().chain([&letter.from]);
    let utf8 = !header.is_ascii() || addresses.any(|a| !a.is_ascii());
    if utf8 && !extensions.has("SMTPUTF8") {
        return Err(End::GaveUp(
            "an address or the header is not ASCII, and the server does not take that (no SMTPUTF8)"
                .to_string(),
        ));
    }
    if let Some(keyword) = letter.needs.lacking(extensions) {
        return Err(End::GaveUp(format!(
            "the server does not offer {keyword}, so that cannot be tried with it"
        )));
    }
    let size = extensions.has("SIZE") && !letter.to.is_empty();
    Ok(MailParameters {
        size: size.then_some(letter.message.len() as u64),
        body: (!letter.message.is_ascii() && extensions.has("8BITMIME")).then_some("8BITMIME"),
        smtputf8: utf8,
        ret: letter.ret.filter(|_| dsn),
        envid: letter.envid.as_deref().filter(|_| dsn),
        require_tls: letter.needs.require_tls,
        ..MailParameters::default()
    })
}

/// The message for those whom the server has taken.
async fn give_message(
    client: &mut Client,
    letter: &Letter,
    lmtp: bool,
    taken: Vec<String>,
    handed: &mut Handed,
) -> Result<(), End> {
    let (replies, failure) = if letter.needs.chunking {
        match client.chunk(&letter.message, true).await {
            Ok(reply) => (vec![reply], None),
            Err(failure) => (Vec::new(), Some(failure)),
        }
    } else {
        let data = client.data().await?;
        if !data.is_intermediate() {
            return Err(End::Refused(Stage::Data, data));
        }
        let replies = if lmtp { taken.len() } else { 1 };
        client.message_to_each(&letter.message, replies).await
    };
    // SMTP has one answer for all, LMTP one for each.
    let shared = replies.first().filter(|_| !lmtp);
    for (n, to) in taken.into_iter().enumerate() {
        handed.fates.push(match replies.get(n).or(shared) {
            Some(reply) => fate(&to, Stage::Dot, reply.clone()),
            // RFC 1047: it may have got there; nobody may send it again by himself.
            None => Fate {
                address: to,
                stage: Stage::Dot,
                reply: None,
                broke: failure.as_ref().map(ToString::to_string),
                uncertain: true,
            },
        });
    }
    failure.map_or(Ok(()), |failure| Err(End::Broke(failure)))
}

fn fate(to: &str, stage: Stage, reply: Reply) -> Fate {
    Fate {
        address: to.to_string(),
        stage,
        reply: Some(reply),
        broke: None,
        uncertain: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_server_is_tried_only_while_nothing_was_said_about_the_recipients() {
        let letter = Letter {
            from: String::new(),
            to: vec!["a@x.test".to_string()],
            ret: None,
            envid: None,
            notify: None,
            needs: Needs::default(),
            message: Vec::new(),
        };
        let after = |stage, code| {
            let mut handed = Handed::nowhere(&letter);
            handed.fates.clear();
            let reply = Reply {
                code,
                lines: Vec::new(),
                flaws: Vec::new(),
            };
            if stage == Stage::Rcpt {
                handed.fates.push(fate("a@x.test", stage, reply));
            } else {
                handed.refusal = Some((stage, reply));
            }
            settle(&mut handed, &letter);
            handed.may_try_next()
        };
        assert!(after(Stage::Banner, 421) && after(Stage::Banner, 554));
        assert!(after(Stage::Ehlo, 550) && after(Stage::Mail, 421));
        assert!(!after(Stage::Mail, 550) && !after(Stage::Mail, 451));
        assert!(!after(Stage::Rcpt, 550) && !after(Stage::Rcpt, 451));
        assert!(!after(Stage::Data, 421));
    }
}
