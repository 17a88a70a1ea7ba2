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
mod spoken;

use std::net::SocketAddr;
use std::time::Duration;

use mailtrace::mta::server::Server;
use mailtrace::mta::settings::Filter;
use shelf::Shelf;
use spoken::setup::Setup;
use spoken::{Client, Wire, glob, handshake, hold_to_the_rules, text, unescape};
use tokio::io::AsyncWriteExt;
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
