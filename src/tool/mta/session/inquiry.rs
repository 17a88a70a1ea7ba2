//! What has to be asked outside about a client: block lists, SPF, its reverse name. The questions
//! go out when the client comes, and are waited for where the answer counts.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::dns::{Data, Kind, Lookup, Name, Patience, Question};
use crate::dnsbl::source::Choice;
use crate::dnsbl::subject::Subject;
use crate::dnsbl::verdict::Finding;
use crate::dnsbl::{Checker, Manner};
use crate::mta::envelope::Envelope;
use crate::mta::site::Site;
use crate::posture::{Asker, rdns, spf};

use super::command::{self, Command};
use super::reply::Reply;

/// For one question.
const WAIT: Duration = Duration::from_secs(4);
/// For all questions of one kind together.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is asked about one client.
pub(super) struct Inquiries {
    site: Arc<Site>,
    client: IpAddr,
    listed: Option<JoinHandle<Option<Reply>>>,
    reverse: Option<String>,
    reverse_asked: bool,
}

impl Inquiries {
    /// Begins to ask.
    pub(super) fn new(site: Arc<Site>, client: IpAddr) -> Self {
        let client = client.to_canonical();
        let asks = !site.settings.dnsbl.is_empty() && !site.settings.trusts(client);
        let listed =
            (asks && site.names.is_some()).then(|| tokio::spawn(listed(Arc::clone(&site), client)));
        Self {
            site,
            client,
            listed,
            reverse: None,
            reverse_asked: false,
        }
    }

    /// Whether the answer of the lists counts for this command: it is the first RCPT.
    pub(super) fn is_waited_for(&self, line: &[u8]) -> bool {
        self.listed.is_some()
            && line
                .get(..4)
                .is_some_and(|verb| verb.eq_ignore_ascii_case(b"RCPT"))
    }

    /// What the lists say. A list that does not answer stops nobody.
    pub(super) async fn listed(&mut self) -> Option<Reply> {
        let asked = self.listed.take()?;
        timeout(PATIENCE, asked).await.ok()?.ok()?
    }

    /// The domain of the sender that this command names, when it is to be asked about.
    pub(super) fn sender(&self, line: &[u8]) -> Option<String> {
        self.site.names.as_ref()?;
        if !line.get(..4)?.eq_ignore_ascii_case(b"MAIL") {
            return None;
        }
        match command::parse(line) {
            Ok(Command::Mail(Some(sender), _)) if sender.literal().is_none() => sender.domain,
            _ => None,
        }
    }

    /// Whether a domain says that it takes no mail (RFC 7505). No answer is no such word.
    pub(super) async fn is_mute(&self, domain: &str) -> bool {
        let (Some(names), Ok(name)) = (&self.site.names, Name::parse(domain)) else {
            return false;
        };
        let question = Question::new(name, Kind::Mx);
        let asked = names.lookup(question, Patience::of(WAIT));
        let answer = timeout(WAIT, asked).await.map(|reply| reply.result);
        let Ok(Ok(answer)) = answer else {
            return false;
        };
        matches!(
            answer.data.as_slice(),
            [Data::Mx { exchange, .. }] if exchange.as_str().is_empty()
        )
    }

    /// The reverse name, when it leads back to the address.
    pub(super) async fn reverse(&mut self) -> Option<String> {
        if !self.site.settings.reverse_names {
            return None;
        }
        if !self.reverse_asked {
            self.reverse_asked = true;
            let names = self.site.names.as_ref()?;
            let asker = Asker::new(names.as_ref(), WAIT);
            let found = timeout(PATIENCE, rdns::look_up(asker, self.client))
                .await
                .ok()?;
            self.reverse = found.name.filter(|_| found.confirmed == Some(true));
        }
        self.reverse.clone()
    }

    /// The field that tells what SPF says (RFC 7208 section 9.1).
    pub(super) async fn spf(&self, envelope: &Envelope) -> Option<String> {
        let settings = &self.site.settings;
        let own = envelope.client.user.is_some() || settings.trusts(self.client);
        if !settings.spf || own {
            return None;
        }
        let names = self.site.names.as_ref()?;
        let helo = envelope.client.helo.as_deref().unwrap_or_default();
        let sender = envelope.sender.as_ref();
        let domain = sender.and_then(|s| s.domain.as_deref()).unwrap_or(helo);
        let local = sender.map_or("postmaster", |s| s.local.as_str());
        let asked = spf::Sender {
            ip: self.client,
            local,
            domain,
            helo,
        };
        let asker = Asker::new(names.as_ref(), WAIT);
        let judged = timeout(PATIENCE, spf::evaluate(asker, &asked)).await;
        let outcome = judged.map_or(spf::Outcome::TempError, |verdict| verdict.outcome);
        let identity = match sender {
            Some(_) => "mailfrom",
            None => "helo",
        };
        let spoken = sender.map(ToString::to_string).unwrap_or_default();
        Some(format!(
            "Received-SPF: {} (SPF result \"{}\" of {domain} for {})\r\n\
             \treceiver={}; identity={identity}; client-ip={};\r\n\
             \thelo={}; envelope-from=\"{}\"",
            outcome.id(),
            outcome.id(),
            self.client,
            settings.host,
            self.client,
            helo,
            spoken.replace(['"', '\\'], "?"),
        ))
    }
}

impl Drop for Inquiries {
    fn drop(&mut self) {
        if let Some(asked) = &self.listed {
            asked.abort();
        }
    }
}

async fn listed(site: Arc<Site>, client: IpAddr) -> Option<Reply> {
    let names = site.names.as_ref()?;
    let choice = Choice {
        zones: site.settings.dnsbl.clone(),
        ..Choice::default()
    };
    let manner = Manner {
        wait: WAIT,
        probe: false,
        force: true,
    };
    let checker = Checker::new(names.as_ref(), choice.sources().ok()?, manner);
    let finding = checker.check(Subject::from(client), None).await;
    let reply = refusal(&finding, client)?;
    let client = client.to_string();
    let said = reply.to_string();
    let fields = [("client", client.as_str()), ("reply", said.as_str())];
    site.journal.note("listed", None, &fields);
    Some(reply)
}

fn refusal(finding: &Finding, client: IpAddr) -> Option<Reply> {
    let verdict = finding.listings().next()?;
    let zone = &verdict.source.shown;
    let mut text = format!("Service unavailable; Client host [{client}] blocked using {zone}");
    let words = verdict.texts.first().map(|t| String::from_utf8_lossy(t));
    if let Some(words) = words.filter(|w| !w.is_empty()) {
        let plain: String = words
            .chars()
            .map(|c| {
                if c.is_ascii_graphic() || c == ' ' {
                    c
                } else {
                    '?'
                }
            })
            .take(300)
            .collect();
        text.push_str("; ");
        text.push_str(&plain);
    }
    Some(Reply::said(554, 7, 1, text))
}
