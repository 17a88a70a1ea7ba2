//! `send-test` against real servers: Postfix and Exim of the testbed for sending and for bounces,
//! Dovecot for looking into a mailbox over IMAP. Each says why it is skipped where it is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::type_complexity,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may fail, and says why it is skipped"
)]

mod common;
mod testbed;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::mailtrace;
use serde_json::Value;
use testbed::bed;

/// A process of ours, which ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let id = self.0.id().to_string();
        Command::new("sh")
            .args(["-c", "kill $0", &id])
            .status()
            .ok();
        self.0.wait().ok();
    }
}

fn sent(args: &[&str], password: Option<(&str, &str)>) -> (i32, Value) {
    let mut run = mailtrace([&["send-test", "--json"], args].concat());
    if let Some((name, value)) = password {
        run = run.env(name, value);
    }
    let run = run.run();
    let line = serde_json::from_str(&run.stdout);
    let line = line.unwrap_or_else(|e| panic!("{args:?}: {e}: {}{}", run.stdout, run.stderr));
    (run.code, line)
}

fn wait_for(port: u16) {
    let end = Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < end, "port {port} is not listened on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

#[test]
fn the_servers_of_the_testbed_are_sent_to_and_their_bounces_explained() {
    let bed = match bed() {
        Ok(bed) => bed,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let maildir = bed.state.join("maildir");
    let at = |offset: u16| format!("127.0.0.1:{}", bed.base + offset);
    // Server, recipient, further flags, exit code, outcome, cause of the recipient.
    let ca = bed.state.join("tls/ca.pem");
    let ca = ca.to_str().unwrap();
    let cases: &[(u16, &str, &[&str], i32, &str, &str)] = &[
        (0, "bob@example.test", &[], 0, "accepted", "delivered"),
        (0, "nobody@example.test", &[], 1, "rejected", "user-unknown"),
        (0, "full@example.test", &[], 3, "deferred", "over-quota"),
        (0, "fullhard@example.test", &[], 1, "rejected", "over-quota"),
        (
            0,
            "disabled@example.test",
            &[],
            1,
            "rejected",
            "mailbox-disabled",
        ),
        (
            0,
            "bob@elsewhere.invalid",
            &[],
            1,
            "rejected",
            "relay-denied",
        ),
        (1, "bob@example.test", &[], 1, "rejected", "dnsbl"),
        (2, "bob@example.test", &[], 1, "rejected", "dnsbl"),
        (
            4,
            "bob@example.test",
            &["--tls", "required"],
            3,
            "not-sent",
            "tls-failed",
        ),
        (
            5,
            "bob@example.test",
            &["--tls", "implicit", "--ca-file", ca],
            0,
            "accepted",
            "delivered",
        ),
        (
            8,
            "bob@example.test",
            &["--tls", "required", "--ca-file", ca],
            3,
            "not-sent",
            "tls-failed",
        ),
        (
            14,
            "bob@example.test",
            &["--tls", "none"],
            1,
            "rejected",
            "tls-failed",
        ),
        (14, "bob@example.test", &[], 0, "accepted", "delivered"),
        (20, "bob@exim.test", &[], 0, "accepted", "delivered"),
        (20, "fullhard@exim.test", &[], 1, "rejected", "over-quota"),
        (24, "bob@exim.test", &[], 1, "rejected", "login-required"),
        (
            41,
            "bob@example.test",
            &[],
            3,
            "failed",
            "connection-failed",
        ),
        (
            49,
            "bob@example.test",
            &[],
            3,
            "failed",
            "connection-failed",
        ),
    ];
    let mut wrong = Vec::new();
    for (offset, to, flags, code, outcome, cause) in cases {
        let server = at(*offset);
        let args = [
            &[server.as_str(), "--to", to, "--from", "sender@origin.test"],
            *flags,
        ]
        .concat();
        let (got, line) = sent(&args, None);
        let is = (got, &line["outcome"], &line["recipients"][0]["cause"]);
        if is != (*code, &Value::from(*outcome), &Value::from(*cause)) {
            wrong.push(format!("+{offset} {to} {flags:?}: {is:?}"));
        }
    }
    // The connection ends after the dot: nobody knows.
    let (code, line) = sent(
        &[
            &at(35),
            "--to",
            "bob@example.test",
            "--from",
            "sender@origin.test",
        ],
        None,
    );
    if (code, &line["uncertain"]) != (3, &Value::from(true)) {
        wrong.push(format!("+35: {code} {}", line["uncertain"]));
    }
    // Login where there is one.
    for (mechanism, word, want) in [
        ("PLAIN", "wonderland", 0),
        ("CRAM-MD5", "wonderland", 0),
        ("LOGIN", "wrong", 1),
    ] {
        let args = [
            &at(24),
            "--to",
            "bob@exim.test",
            "--from",
            "sender@origin.test",
            "--auth-user",
            "alice",
            "--auth",
            mechanism,
        ];
        let (code, line) = sent(&args, Some(("MAILTRACE_PASSWORD", word)));
        assert!(!line.to_string().contains("wonderland"));
        if code != want {
            wrong.push(format!("+24 {mechanism}: {code} {}", line["recipients"][0]));
        }
    }
    // Greylisting ends when one waits.
    let (code, line) = sent(
        &[
            &at(3),
            "--to",
            "bob@example.test",
            "--from",
            "sender@origin.test",
            "--wait",
            "25",
        ],
        None,
    );
    if (code, &line["outcome"]) != (0, &Value::from("accepted")) {
        wrong.push(format!("+3: {code} {}", line["outcome"]));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    // Bounces that come later, and the report of a success.
    let sender = maildir.join("origin.test/sender").display().to_string();
    let bob = maildir.join("example.test/bob").display().to_string();
    // The first delivery makes the folder, as the user that Postfix delivers as here.
    let folder = maildir.join("origin.test");
    std::fs::create_dir_all(&folder).unwrap();
    std::os::unix::fs::chown(&folder, Some(61013), Some(61013)).unwrap();
    for (to, cause) in [
        ("late@example.test", "user-unknown"),
        ("latefull@example.test", "over-quota"),
        ("latednsbl@example.test", "dnsbl"),
        ("latedata@example.test", "policy-rejected"),
    ] {
        let args = [
            &at(0),
            "--to",
            to,
            "--from",
            "sender@origin.test",
            "--wait",
            "20",
            "--wait-maildir",
            &sender,
        ];
        let (code, line) = sent(&args, None);
        let bounce = &line["arrival"]["bounce"]["recipients"][0]["cause"];
        if (code, &line["arrival"]["status"], bounce)
            != (1, &Value::from("bounced"), &Value::from(cause))
        {
            wrong.push(format!(
                "{to}: {code} {} {bounce}",
                line["arrival"]["status"]
            ));
        }
    }
    let args = [
        &at(0),
        "--to",
        "bob@example.test",
        "--from",
        "sender@origin.test",
        "--notify",
        "success,failure",
        "--wait",
        "20",
        "--wait-maildir",
        &sender,
        "--wait-maildir",
        &bob,
    ];
    let (code, line) = sent(&args, None);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(
        (code, &line["arrival"]["status"]),
        (0, &Value::from("arrived"))
    );
    assert_eq!(
        line["arrival"]["bounce"]["report"], "delivered",
        "{}",
        line["arrival"]["notices"]
    );
}

#[test]
fn a_mailbox_of_dovecot_is_looked_into_over_imap() {
    let Some(dovecot) = ["/usr/sbin/dovecot", "/usr/local/sbin/dovecot"]
        .iter()
        .find(|p| Path::new(p).exists())
    else {
        return eprintln!("skipped: Dovecot is not there (apt-get install dovecot-imapd)");
    };
    let version = Command::new(dovecot).arg("--version").output().unwrap();
    if !version.stdout.starts_with(b"2.3") {
        return eprintln!("skipped: the configuration here is for Dovecot 2.3");
    }
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|out| out.stdout == b"0\n");
    if !root {
        return eprintln!("skipped: Dovecot starts its processes as root only");
    }
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    let name = dir.display().to_string();
    std::fs::create_dir_all(dir.join("mail")).unwrap();
    open_to_all(dir);
    let (imap, imaps, smtp) = (free_port(), free_port(), free_port());
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args([
            "-keyout",
            &format!("{name}/key.pem"),
            "-out",
            &format!("{name}/cert.pem"),
        ])
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        return eprintln!("skipped: openssl is not there");
    }
    let config = format!(
        "base_dir = {name}/run\nstate_dir = {name}/state\nlog_path = {name}/log\nprotocols = imap\n\
         listen = 127.0.0.1\ndefault_internal_user = nobody\ndefault_login_user = nobody\n\
         default_internal_group = nogroup\nssl = yes\nssl_cert = <{name}/cert.pem\nssl_key = <{name}/key.pem\n\
         mail_location = maildir:{name}/mail/%u\nauth_mechanisms = plain login\n\
         disable_plaintext_auth = no\nfirst_valid_uid = 100\n\
         passdb {{\n driver = static\n args = password=wonderland\n}}\n\
         userdb {{\n driver = static\n args = uid=65534 gid=65534 home={name}/mail/%u\n}}\n\
         service imap-login {{\n chroot =\n inet_listener imap {{\n port = {imap}\n }}\n \
         inet_listener imaps {{\n port = {imaps}\n ssl = yes\n }}\n}}\nservice anvil {{\n chroot =\n}}\n"
    );
    std::fs::write(dir.join("dovecot.conf"), config).unwrap();
    let _dovecot = Running(
        Command::new(dovecot)
            .args(["-F", "-c", &format!("{name}/dovecot.conf")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let _server = Running(
        Command::new(env!("CARGO_BIN_EXE_mailtrace"))
            .args([
                "serve",
                "-q",
                "--domain",
                "example.test",
                "--listen",
                &format!("127.0.0.1:{smtp}"),
            ])
            .args([
                "--spool",
                &format!("{name}/spool"),
                "--maildir",
                &format!("{name}/mail"),
            ])
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    );
    wait_for(imaps);
    wait_for(smtp);
    // Dovecot reads the mail as nobody; the server of ours writes it as root.
    let mail = dir.join("mail");
    let (over, watch) = std::sync::mpsc::channel::<()>();
    let helper = std::thread::spawn(move || {
        while watch.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) {
            give_to_nobody(&mail);
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let server = format!("127.0.0.1:{smtp}");
    let send = |url: &str, word: &str, wait: &str| {
        let args = [
            &server,
            "--to",
            "alice@example.test",
            "--from",
            "bob@example.test",
            "--wait",
            wait,
            "--wait-imap",
            url,
        ];
        sent(&args, Some(("MAILTRACE_IMAP_PASSWORD", word)))
    };
    let tls = send(
        &format!("imaps://alice@127.0.0.1:{imaps}/INBOX"),
        "wonderland",
        "15",
    );
    let starttls = send(
        &format!("imap://alice@127.0.0.1:{imap}"),
        "wonderland",
        "15",
    );
    let refused = send(&format!("imaps://alice@127.0.0.1:{imaps}"), "wrong", "4");
    drop(over);
    helper.join().unwrap();
    let log = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
    for (code, line) in [&tls, &starttls] {
        assert_eq!(
            (*code, &line["arrival"]["status"]),
            (0, &Value::from("arrived")),
            "{}\n{log}",
            line["notes"]
        );
        assert_eq!(
            line["arrival"]["route"]["hops"].as_array().unwrap().len(),
            1
        );
        assert!(
            line["arrival"]["where"]
                .as_str()
                .unwrap()
                .starts_with("INBOX")
        );
    }
    assert_eq!(refused.0, 3);
    assert!(
        refused.1["notes"].to_string().contains("no to the login"),
        "{}",
        refused.1["notes"]
    );
    assert!(
        !refused.1.to_string().contains("wrong\""),
        "no password in the output"
    );
}

fn open_to_all(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn give_to_nobody(dir: &Path) {
    std::os::unix::fs::chown(dir, Some(65534), Some(65534)).ok();
    for entry in std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
    {
        give_to_nobody(&entry.path());
    }
}
