//! Dialogues with the built-in mail server, octet by octet. Each file of `tests/dialogues/` holds
//! many:
//!
//! ```text
//! == the sentence that this dialogue proves
//! ! SETTING                 how the server is set up, see `Setup::set`
//! > EHLO client.test        a line, sent with CR LF; \r \n \0 \t \\ \xHH and {N*c} in it
//! >> octets                 the same without CR LF
//! < 250 2.1.0 Ok            the next reply: its code (`550|554`), and a pattern for the rest, in
//!                           which `*` stands for anything; lines are joined by a blank
//! <EOF                      the server closes
//! <NOTHING                  the server says nothing for a moment
//! ~ tls                     a TLS handshake
//! ~ wait 300ms
//! = 1 messages              what has been taken
//! = text PATTERN            the last message, with \r\n as line ends; `= no text PATTERN`
//! = envelope PATTERN        its envelope, in the form of debug
//! ```
//!
//! Every reply is also held to the rules for all replies: CR LF, 512 octets, one code, an enhanced
//! code of its class.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod shelf;

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
use rustls::pki_types::{CertificateDer, ServerName};
use shelf::{Shelf, Shelves};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

/// For a reply.
const WAIT: Duration = Duration::from_secs(8);
/// For nothing to be said.
const MOMENT: Duration = Duration::from_millis(250);

struct Dialogue {
    name: String,
    setup: Vec<String>,
    steps: Vec<String>,
}

fn dialogues(text: &str) -> Vec<Dialogue> {
    let mut all: Vec<Dialogue> = Vec::new();
    // What stands before the first dialogue of a file is for all of them.
    let mut common = Vec::new();
    for line in text.lines() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix("== ") {
            all.push(Dialogue {
                name: name.to_string(),
                setup: common.clone(),
                steps: Vec::new(),
            });
        } else if let Some(setting) = line.strip_prefix("! ") {
            match all.last_mut() {
                Some(dialogue) => dialogue.setup.push(setting.to_string()),
                None => common.push(setting.to_string()),
            }
        } else {
            let dialogue = all.last_mut().expect("a line before the first dialogue");
            dialogue.steps.push(line.to_string());
        }
    }
    all
}

struct Setup {
    settings: Settings,
    door: Listener,
    faults: Vec<String>,
    fault_names: bool,
    trouble: Option<Trouble>,
    room: Option<u64>,
    world: World,
    /// The address of the client.
    from: Option<IpAddr>,
}

impl Setup {
    fn new() -> Self {
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

    fn set(&mut self, text: &str) {
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

    async fn start(self) -> (Server, Arc<Shelf>) {
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

trait Line: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Line for T {}

/// For a handshake the connection has to be had as it is.
enum Wire {
    Plain(TcpStream),
    Tls(Box<dyn Line>),
}

impl Wire {
    fn line(&mut self) -> &mut dyn Line {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls,
        }
    }
}

struct Client {
    wire: Option<Wire>,
    held: Vec<u8>,
    said: String,
}

impl Client {
    async fn read(&mut self, wait: Duration) -> Option<usize> {
        let mut block = [0; 8192];
        let wire = self.wire.as_mut().unwrap().line();
        let got = timeout(wait, wire.read(&mut block)).await.ok()?;
        // A connection that was cut has ended, too.
        let got = got.unwrap_or(0);
        self.held.extend_from_slice(&block[..got]);
        Some(got)
    }

    /// The next reply: its octets, or `None` at the end.
    async fn reply(&mut self) -> Result<Option<Vec<u8>>, String> {
        loop {
            let mut at = 0;
            while let Some(n) = self.held[at..].windows(2).position(|w| w == b"\r\n") {
                let line = &self.held[at..at + n];
                at += n + 2;
                if line.get(3) != Some(&b'-') {
                    let reply = self.held.drain(..at).collect();
                    return Ok(Some(reply));
                }
            }
            match self.read(WAIT).await {
                None => return Err(format!("no reply; so far {:?}", text(&self.held))),
                Some(0) if self.held.is_empty() => return Ok(None),
                Some(0) => return Err(format!("cut off: {:?}", text(&self.held))),
                Some(_) => {}
            }
        }
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// The rules for all replies; gives code and words. `said` is what was said before it.
fn hold_to_the_rules(reply: &[u8], said: &str) -> Result<(String, String), String> {
    let whole = text(reply);
    let broken = |what: &str| Err(format!("{what}: {whole:?}"));
    let mut words = String::new();
    let code = whole.get(..3).unwrap_or("").to_string();
    if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_digit()) {
        return broken("no code");
    }
    let upper = said.to_ascii_uppercase();
    let bare = said.is_empty()
        || upper.starts_with("EHLO")
        || upper.starts_with("HELO")
        || upper.starts_with("LHLO")
        || code.starts_with('3');
    for line in whole.split_inclusive("\r\n") {
        if line.len() > 512 {
            return broken("a line over 512 octets");
        }
        let bare_line = line.strip_suffix("\r\n").unwrap_or("\n");
        if bare_line.contains(|c: char| c.is_control()) {
            return broken("a control in a line");
        }
        let rest = bare_line.get(4..).unwrap_or("");
        if bare_line.get(..3) != Some(&code) {
            return broken("another code");
        }
        let class = code.get(..1).unwrap_or("");
        let enhanced = rest.starts_with(&format!("{class}."));
        if !bare && !enhanced {
            return broken("no enhanced code of its class");
        }
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(rest);
    }
    Ok((code, words))
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&c, after)) = rest.split_first() {
        rest = after;
        if c == b'{'
            && let Some(end) = rest.iter().position(|b| *b == b'}')
            && let Some((n, what)) = std::str::from_utf8(&rest[..end])
                .ok()
                .and_then(|inner| inner.split_once('*'))
            && let Ok(n) = n.parse::<usize>()
        {
            out.extend(unescape(what).repeat(n));
            rest = &rest[end + 1..];
            continue;
        }
        if c != b'\\' {
            out.push(c);
            continue;
        }
        let (&escape, after) = rest.split_first().expect("something behind \\");
        rest = after;
        match escape {
            b'r' => out.push(b'\r'),
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'0' => out.push(0),
            b'x' => {
                let digits = std::str::from_utf8(&rest[..2]).unwrap();
                out.push(u8::from_str_radix(digits, 16).unwrap());
                rest = &rest[2..];
            }
            other => out.push(other),
        }
    }
    out
}

/// Whether a text fits a pattern, in which `*` stands for anything.
fn glob(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or("");
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = rest.get(at + piece.len()..).unwrap_or(""),
            None => return false,
        }
    }
    rest.ends_with(last)
}

async fn handshake(client: &mut Client, server: &Server) -> Result<(), String> {
    let Some(Wire::Plain(tcp)) = client.wire.take() else {
        return Err("TLS already".to_string());
    };
    let mut roots = rustls::RootCertStore::empty();
    for der in server.site().identity().unwrap().chain() {
        roots.add(CertificateDer::from(der)).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("mx.example.test").unwrap();
    let connecting = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp);
    let tls = timeout(WAIT, connecting)
        .await
        .map_err(|_| "handshake: timeout")?;
    let tls = tls.map_err(|e| format!("handshake: {e}"))?;
    client.wire = Some(Wire::Tls(Box::new(tls)));
    client.said = String::new();
    Ok(())
}

async fn play(dialogue: &Dialogue) -> Result<(), String> {
    let mut setup = Setup::new();
    for setting in &dialogue.setup {
        setup.set(setting);
    }
    let (tls_first, from) = (setup.door.tls_first, setup.from);
    let (server, shelf) = setup.start().await;
    let at = server.addresses[0];
    let tcp = match from {
        Some(from) => {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::new(from, 0)).unwrap();
            socket.connect(at).await.unwrap()
        }
        None => TcpStream::connect(at).await.unwrap(),
    };
    tcp.set_nodelay(true).unwrap();
    let mut client = Client {
        wire: Some(Wire::Plain(tcp)),
        held: Vec::new(),
        said: String::new(),
    };
    if tls_first {
        handshake(&mut client, &server).await?;
    }
    for (n, step) in dialogue.steps.iter().enumerate() {
        let at = |what: String| format!("step {}, {step:?}: {what}", n + 1);
        perform(step, &mut client, &server, &shelf)
            .await
            .map_err(at)?;
    }
    server.stop_at_once();
    Ok(())
}

async fn perform(
    step: &str,
    client: &mut Client,
    server: &Server,
    shelf: &Shelf,
) -> Result<(), String> {
    if let Some(raw) = step.strip_prefix(">>") {
        let octets = unescape(raw.strip_prefix(' ').unwrap_or(raw));
        client.said = "?".to_string();
        // The server may have closed; what it said before counts.
        let _ = client
            .wire
            .as_mut()
            .unwrap()
            .line()
            .write_all(&octets)
            .await;
    } else if let Some(line) = step.strip_prefix('>') {
        let mut octets = unescape(line.strip_prefix(' ').unwrap_or(line));
        client.said = text(&octets);
        octets.extend_from_slice(b"\r\n");
        let _ = client
            .wire
            .as_mut()
            .unwrap()
            .line()
            .write_all(&octets)
            .await;
    } else if step == "<EOF" {
        if let Some(reply) = client.reply().await? {
            return Err(format!("{:?} and no end", text(&reply)));
        }
    } else if step == "<NOTHING" {
        if !client.held.is_empty() || client.read(MOMENT).await.is_some() {
            return Err(format!("{:?}", text(&client.held)));
        }
    } else if let Some(raw) = step.strip_prefix("<RAW ") {
        let expected = unescape(raw);
        while client.held.len() < expected.len() {
            match client.read(WAIT).await {
                Some(n) if n > 0 => {}
                _ => return Err(format!("only {:?}", text(&client.held))),
            }
        }
        let got: Vec<u8> = client.held.drain(..expected.len()).collect();
        if got != expected {
            return Err(format!("{:?}", text(&got)));
        }
    } else if let Some(pattern) = step.strip_prefix("< ") {
        let (codes, words) = pattern.split_once(' ').unwrap_or((pattern, "*"));
        let reply = client.reply().await?.ok_or("the connection ended")?;
        let ehlo = codes == "250" && words.starts_with("=");
        let said = if ehlo { "EHLO" } else { &client.said };
        let (code, got) = hold_to_the_rules(&reply, said)?;
        // Only the first reply answers the greeting; the rest of a burst has enhanced codes.
        if client.said.is_empty() {
            client.said = "?".to_string();
        }
        let words = words.trim_start_matches('=');
        if !codes.split('|').any(|c| c == code) || !glob(words, &got) {
            return Err(format!("got {code} {got}"));
        }
    } else if step == "~ tls" {
        handshake(client, server).await?;
    } else if let Some(time) = step.strip_prefix("~ wait ") {
        sleep(mailtrace::mta::settings::parse_time(time).unwrap()).await;
    } else if step == "~ leave" {
        client.wire = None;
        sleep(Duration::from_millis(50)).await;
    } else if let Some(n) = step
        .strip_prefix("= ")
        .and_then(|s| s.strip_suffix(" messages"))
    {
        let taken = shelf.taken.lock().unwrap().len();
        if taken.to_string() != n {
            return Err(format!("{taken} messages"));
        }
    } else if let Some(pattern) = step.strip_prefix("= ") {
        let taken = shelf.taken.lock().unwrap();
        let (envelope, message) = taken.last().ok_or("no message")?;
        let message = text(message)
            .replace('\r', "\\r")
            .replace('\n', "\\n")
            .replace('\t', "\\t");
        let (subject, pattern, wanted) = if let Some(p) = pattern.strip_prefix("no text ") {
            (message, p, false)
        } else if let Some(p) = pattern.strip_prefix("text ") {
            (message, p, true)
        } else if let Some(p) = pattern.strip_prefix("envelope ") {
            (format!("{envelope:?}"), p, true)
        } else {
            panic!("no step {pattern:?}");
        };
        if glob(pattern, &subject) != wanted {
            return Err(format!("{subject:?}"));
        }
    } else {
        panic!("no step {step:?}");
    }
    Ok(())
}

async fn play_file(name: &str, content: &str) {
    let all = dialogues(content);
    assert!(!all.is_empty(), "{name}");
    let mut failures = Vec::new();
    // Side by side: many of them wait for a time-out.
    let runs = all.iter().map(async |dialogue| {
        let outcome = timeout(Duration::from_secs(60), play(dialogue)).await;
        (
            dialogue,
            outcome.unwrap_or_else(|_| Err("endless".to_string())),
        )
    });
    for (dialogue, outcome) in futures_util::future::join_all(runs).await {
        if let Err(why) = outcome {
            failures.push(format!("{}\n    {why}", dialogue.name));
        }
    }
    let n = failures.len();
    assert!(
        n == 0,
        "{name}: {n} of {} failed:\n  {}",
        all.len(),
        failures.join("\n  ")
    );
}

#[tokio::test]
async fn a_filter_that_speaks_smtp_takes_the_message_over_or_refuses_it_for_us() {
    let mut filter = Setup::new();
    filter.set("fault dot:bad@*=554 5.7.1 a virus is in it");
    filter.set("fault rcpt:later@*=451 4.7.1 busy");
    let (filter, behind) = filter.start().await;
    let mut setup = Setup::new();
    setup.settings.filter = Some(Filter::Smtp(filter.addresses[0]));
    let (server, shelf) = setup.start().await;
    let tcp = TcpStream::connect(server.addresses[0]).await.unwrap();
    let mut client = Client {
        wire: Some(Wire::Plain(tcp)),
        held: Vec::new(),
        said: String::new(),
    };
    let step = |recipient: &str, reply: &str| {
        let steps =
            "> MAIL FROM:<a@b.test>|< 250|> RCPT TO:<@@>|< 250|> DATA|< 354|> S: x|> |> .|< ";
        let steps = steps.replace("@@", recipient) + reply;
        steps.split('|').map(str::to_string).collect::<Vec<_>>()
    };
    let mut steps = vec![
        "< 220".to_string(),
        "> EHLO client.test".to_string(),
        "< 250".to_string(),
    ];
    steps.extend(step("u@example.test", "250 2.0.0 *"));
    steps.extend(step("bad@example.test", "554 5.7.1 a virus is in it"));
    steps.extend(step("later@example.test", "451 4.7.1 busy"));
    for step in steps {
        perform(&step, &mut client, &server, &shelf)
            .await
            .unwrap_or_else(|e| panic!("{step}: {e}"));
    }
    assert_eq!(shelf.taken.lock().unwrap().len(), 0);
    let taken = behind.taken.lock().unwrap();
    let (envelope, message) = taken.first().unwrap();
    assert_eq!((taken.len(), envelope.recipients.len()), (1, 1));
    assert_eq!(text(message).matches("Received: ").count(), 2);
    drop(taken);
    filter.stop_at_once();
}

macro_rules! files {
    ($($test:ident = $file:literal;)*) => {
        $(#[tokio::test]
        async fn $test() {
            play_file($file, include_str!(concat!("dialogues/", $file))).await;
        })*

        #[test]
        fn every_file_of_dialogues_is_played() {
            let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues");
            let mut there: Vec<_> = std::fs::read_dir(dir)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            there.sort();
            let mut played = vec![$($file),*];
            played.sort_unstable();
            assert_eq!(there, played);
            let all = [$(include_str!(concat!("dialogues/", $file))),*];
            let count: usize = all.iter().map(|text| dialogues(text).len()).sum();
            assert!(count >= 200, "{count} dialogues");
        }
    };
}

files! {
    the_commands = "commands.txt";
    the_addresses_and_relay_tricks = "addresses.txt";
    the_end_of_data = "smuggling.txt";
    the_extensions = "extensions.txt";
    tls_and_logins = "security.txt";
    the_limits = "limits.txt";
    the_policy = "policy.txt";
    the_faults = "faults.txt";
    lmtp = "lmtp.txt";
}
