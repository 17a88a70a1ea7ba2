//! The start of a conversation: connection, greeting, EHLO, TLS, EHLO again. What the server
//! shows of itself on the way is kept, whatever becomes of it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;

use crate::bounce::cause::Cause;
use crate::bounce::classify::{Case, Judgement, judge};
use crate::bounce::explanation::Command as Step;
use crate::bounce::notice::Voice;
use crate::check::options::Options;
use crate::check::{Server, Tls};
use crate::smtp::foreign::{self, Protocol};
use crate::smtp::tls::Trouble;
use crate::smtp::{Client, Command, Deadlines, Extensions, Failure, Reply, Stage, TlsMode};

/// The port of TLS from the first byte (RFC 8314).
const SUBMISSIONS: u16 = 465;

/// How long a server that waits for TLS may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Where to go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// The name, for SNI and the certificate; the address when there is no name.
    pub(super) host: String,
    pub(super) ip: IpAddr,
    pub(super) port: u16,
}

/// Whether nothing at all was said in place of a greeting.
fn is_silence(outcome: &Result<(), Failure>) -> bool {
    matches!(
        outcome,
        Err(Failure::Timeout {
            stage: Stage::Banner,
            received: 0,
            ..
        })
    )
}

/// What a refusal means: one brain for bounces and for live replies.
pub(super) fn understand(reply: &Reply, at: Step, host: &str) -> Judgement {
    let words = reply.to_string();
    judge(&Case {
        texts: vec![(Voice::Remote, &words)],
        command: Some(at),
        remote_host: Some(host),
        ..Case::default()
    })
}

impl Place {
    /// A conversation that has all the time of the options.
    pub(super) fn client(&self, options: &Options) -> Client {
        let end = Instant::now() + options.timeout;
        let deadlines = Deadlines::interactive().until(end);
        Client::new(SocketAddr::new(self.ip, self.port), deadlines)
    }

    /// Whether TLS comes first here.
    pub(super) fn is_implicit(&self, options: &Options) -> bool {
        match options.tls {
            TlsMode::Implicit => true,
            TlsMode::Auto => self.port == SUBMISSIONS,
            TlsMode::Required | TlsMode::None => false,
        }
    }

    /// Meets the server for the first time. The client is there when the conversation can go on.
    pub(super) async fn meet(&self, options: &Options) -> (Server, Option<Client>) {
        let mut client = self.client(options);
        let mut server = self.unknown(self.is_implicit(options));
        let mut outcome = self.introduce(&mut client, options, &mut server).await;
        server.steps.append(&mut client.transcript.exchanges);
        if is_silence(&outcome) && self.waits_for_tls(options).await {
            client = self.client(options);
            server = self.unknown(true);
            outcome = self.introduce(&mut client, options, &mut server).await;
            server.steps.append(&mut client.transcript.exchanges);
        }
        if let Err(Failure::Tls { trouble, .. }) = &outcome {
            server.tls.error = Some(trouble.to_string());
            // Some old servers say why, others only hang up.
            if matches!(
                trouble,
                Trouble::Version | Trouble::Cipher | Trouble::Closed | Trouble::Alert(_)
            ) {
                server.tls.old_version = self.old_version(options).await;
            }
            if options.tls == TlsMode::Auto && !server.tls.implicit {
                return self.meet_in_clear(options, server).await;
            }
        }
        let hung_up = server.tls.error.is_some() && outcome.is_ok() && !client.is_open();
        if hung_up && options.tls == TlsMode::Auto {
            return self.meet_in_clear(options, server).await;
        }
        self.finish(server, client, outcome)
    }

    /// Whether a server that says nothing waits for a handshake, as on port 465.
    async fn waits_for_tls(&self, options: &Options) -> bool {
        if options.tls != TlsMode::Auto {
            return false;
        }
        let mut client = self.client(options);
        client.deadlines_mut().tls = HANDSHAKE;
        client.connect().await.is_ok() && client.implicit_tls(&self.host).await.is_ok()
    }

    /// Mail servers that fail to encrypt try again without (RFC 7435), so the rest is asked in
    /// clear.
    async fn meet_in_clear(
        &self,
        options: &Options,
        mut server: Server,
    ) -> (Server, Option<Client>) {
        let mut client = self.client(options);
        let outcome = self.say_hello(&mut client, options, &mut server).await;
        server.steps.append(&mut client.transcript.exchanges);
        self.finish(server, client, outcome.map(|_| ()))
    }

    fn finish(
        &self,
        mut server: Server,
        client: Client,
        outcome: Result<(), Failure>,
    ) -> (Server, Option<Client>) {
        if let Some(extensions) = &client.extensions {
            server.capabilities = extensions.lines().collect();
            server.name = Some(extensions.name.clone());
        }
        server.failure = outcome.err();
        let goes_on = server.failure.is_none() && server.refusal.is_none() && client.is_open();
        (server, goes_on.then_some(client))
    }

    async fn introduce(
        &self,
        client: &mut Client,
        options: &Options,
        server: &mut Server,
    ) -> Result<(), Failure> {
        let offered = self.say_hello(client, options, server).await?;
        if client.is_encrypted() {
            server.tls.session = client.session.clone();
            return Ok(());
        }
        server.tls.offered = offered;
        let wanted = matches!(options.tls, TlsMode::Auto | TlsMode::Required);
        if !offered || !wanted || server.refusal.is_some() {
            return Ok(());
        }
        let reply = client.starttls(&self.host).await;
        server.tls.session = client.session.clone();
        server.tls.injected = client.injected > 0;
        let reply = reply?;
        if !client.is_encrypted() {
            server.tls.error = Some(format!("STARTTLS is answered with {reply}"));
            if reply.code == 421 {
                client.close().await;
            }
            return Ok(());
        }
        // The second EHLO can refuse only what the first one did.
        self.ehlo(client, options, server).await
    }

    /// Connection, greeting and EHLO; gives whether STARTTLS is announced.
    async fn say_hello(
        &self,
        client: &mut Client,
        options: &Options,
        server: &mut Server,
    ) -> Result<bool, Failure> {
        client.connect().await?;
        server.reachable = true;
        server.local = client.local.map(|local| local.ip().to_canonical());
        if server.tls.implicit {
            server.tls.offered = true;
            client.implicit_tls(&self.host).await?;
        }
        let banner = client.banner().await?;
        let refused = banner.code != 220;
        if refused {
            let judgement = understand(&banner, Step::Connect, &self.host);
            server.refusal = Some((banner.clone(), judgement));
        }
        server.banner = Some(banner);
        if refused {
            client.quit().await;
            return Ok(false);
        }
        self.ehlo(client, options, server).await?;
        let extensions = client.extensions.as_ref();
        Ok(extensions.is_some_and(|e| e.has("STARTTLS")))
    }

    async fn ehlo(
        &self,
        client: &mut Client,
        options: &Options,
        server: &mut Server,
    ) -> Result<(), Failure> {
        let name = our_name(client, options);
        let mut reply = client.ehlo(&name).await?;
        let is_ftp = |refusal: &Reply| {
            let greeting = server.banner.as_ref();
            greeting.is_some_and(|greeting| foreign::is_ftp(greeting, refusal))
        };
        if reply.is_permanent() && is_ftp(&reply) {
            return Err(client.foreign(Protocol::Ftp, &reply));
        }
        // RFC 5321 §3.2: a server that does not know EHLO may know HELO.
        if matches!(reply.code, 500 | 501 | 502 | 504) {
            reply = client.say(Stage::Ehlo, &Command::Helo(&name)).await?;
            if reply.is_positive() {
                server.no_ehlo = true;
                server.name = Some(Extensions::read(&reply).name);
            }
        }
        if !reply.is_positive() {
            let mut judgement = understand(&reply, Step::Ehlo, &self.host);
            // Who knows neither greeting has nothing against our name.
            if matches!(reply.code, 500 | 502 | 503) {
                judgement.cause = Cause::ProtocolError;
            }
            server.refusal = Some((reply, judgement));
            client.quit().await;
        }
        Ok(())
    }

    /// Asks a server with which no TLS came about for its version, on a connection of its own.
    async fn old_version(&self, options: &Options) -> Option<&'static str> {
        let mut client = self.client(options);
        client.connect().await.ok()?;
        if !self.is_implicit(options) {
            client.banner().await.ok()?;
            let name = our_name(&client, options);
            client.ehlo(&name).await.ok()?;
            let reply = client.say(Stage::StartTls, &Command::StartTls).await.ok()?;
            (reply.code == 220).then_some(())?;
        }
        client.relic(&self.host).await.map(|relic| relic.version)
    }

    /// Comes again: the shortest way to where MAIL can be said.
    pub(super) async fn return_to(
        &self,
        options: &Options,
        implicit: bool,
        tls: bool,
    ) -> Result<Client, Failure> {
        let mut client = self.client(options);
        let mut server = self.unknown(implicit);
        self.say_hello(&mut client, options, &mut server).await?;
        if tls && server.refusal.is_none() && !client.is_encrypted() {
            client.starttls(&self.host).await?;
            if client.is_encrypted() {
                self.ehlo(&mut client, options, &mut server).await?;
            }
        }
        Ok(client)
    }

    fn unknown(&self, implicit: bool) -> Server {
        Server {
            preference: None,
            host: self.host.clone(),
            ip: self.ip,
            port: self.port,
            local: None,
            reachable: false,
            banner: None,
            name: None,
            no_ehlo: false,
            rdns: None,
            fcrdns: None,
            capabilities: Vec::new(),
            tls: Tls {
                implicit,
                ..Tls::default()
            },
            recipient: None,
            steps: Vec::new(),
            failure: None,
            refusal: None,
            findings: Vec::new(),
        }
    }
}

/// Our name: the one given, else the address of this end (RFC 5321 §4.1.4).
pub(super) fn our_name(client: &Client, options: &Options) -> String {
    match (&options.helo, client.local.map(|l| l.ip().to_canonical())) {
        (Some(name), _) => name.clone(),
        (None, Some(IpAddr::V4(ip))) => format!("[{ip}]"),
        (None, Some(IpAddr::V6(ip))) => format!("[IPv6:{ip}]"),
        (None, None) => "[127.0.0.1]".to_string(),
    }
}
