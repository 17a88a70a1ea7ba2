//! Other people's programs send mail to the built-in server: swaks, curl, Python's smtplib,
//! msmtp, nodemailer, Postfix and Exim. What is not installed is left out, and said so;
//! `.ci/run` installs what Debian has.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test may fail, and says why it is skipped"
)]

mod shelf;

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mailtrace::mta::envelope::{Body, Envelope, Ret};
use mailtrace::mta::fault::Faults;
use mailtrace::mta::journal::Journal;
use mailtrace::mta::mailboxes::Standing;
use mailtrace::mta::server::Server;
use mailtrace::mta::settings::{Listener, Role, Settings};
use mailtrace::mta::site::Site;
use shelf::{Shelf, Shelves};

/// Lines that are hard to carry: dots at the beginning, a long one, and one of umlauts.
const BODY: &str = "..two dots\n.one dot\n.\nFrom here\n\nthe end\n";

/// A server in a thread of its own: transfer, submission, submission inside TLS, LMTP.
struct House {
    at: Vec<SocketAddr>,
    shelf: Arc<Shelf>,
    folder: tempfile::TempDir,
    end: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl House {
    fn open() -> Self {
        let shelf = Arc::new(Shelf::default());
        let mut settings = Settings::new("mx.example.test", &["example.test"]);
        settings
            .users
            .push(("bob".to_string(), "secret word".to_string()));
        let site = Site::new(
            settings,
            Arc::new(Shelves(shelf.clone())),
            Arc::new(|address| match address.local.starts_with("unknown") {
                true => Standing::Unknown,
                false => Standing::Known,
            }),
            Arc::new(Faults::default()),
            Arc::new(Journal::silent(SystemTime::now)),
            None,
            SystemTime::now,
        );
        let (tell, told) = std::sync::mpsc::channel();
        let (end, ended) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async move {
                let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
                let doors = [
                    Listener::new(any, Role::Mta),
                    Listener::new(any, Role::Msa),
                    Listener {
                        tls_first: true,
                        ..Listener::new(any, Role::Msa)
                    },
                    Listener {
                        lmtp: true,
                        ..Listener::new(any, Role::Mda)
                    },
                ];
                let server = Server::start(Arc::new(site), &doors).await.unwrap();
                tell.send(server.addresses.clone()).unwrap();
                let _ = ended.await;
                server.stop_at_once();
            });
        });
        Self {
            at: told.recv().unwrap(),
            shelf,
            folder: tempfile::tempdir().unwrap(),
            end: Some(end),
            thread: Some(thread),
        }
    }

    fn mta(&self) -> SocketAddr {
        self.at[0]
    }

    fn msa(&self) -> SocketAddr {
        self.at[1]
    }

    fn smtps(&self) -> SocketAddr {
        self.at[2]
    }

    fn lmtp(&self) -> SocketAddr {
        self.at[3]
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// A message with the body that is hard to carry.
    fn message(&self) -> PathBuf {
        let head = "From: a@b.test\nTo: u@example.test\nSubject: interop\n\n";
        self.file("message", &format!("{head}{BODY}"))
    }

    /// The messages that came since; waits for `count` of them.
    fn taken(&self, count: usize, what: &str) -> Vec<(Envelope, String)> {
        let start = Instant::now();
        loop {
            let mut taken = self.shelf.taken.lock().unwrap();
            if taken.len() >= count || start.elapsed() > Duration::from_secs(20) {
                assert_eq!(taken.len(), count, "{what}");
                let all = std::mem::take(&mut *taken);
                let text = |octets| String::from_utf8(octets).unwrap();
                return all.into_iter().map(|(e, t)| (e, text(t))).collect();
            }
            drop(taken);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// One message came, to this recipient and with its body as it was sent.
    fn one(&self, what: &str) -> (Envelope, String) {
        let (envelope, text) = self.taken(1, what).remove(0);
        let recipients: Vec<_> = envelope
            .recipients
            .iter()
            .map(|r| r.address.to_string())
            .collect();
        assert_eq!(recipients, ["u@example.test"], "{what}");
        let body = BODY.replace('\n', "\r\n");
        assert!(text.contains(&format!("\r\n\r\n{body}")), "{what}: {text}");
        (envelope, text)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// The program, or a word that it is not there.
fn program(name: &str) -> Option<Command> {
    let there = Command::new("sh")
        .args(["-c", &format!("command -v {name}")])
        .output();
    if there.is_ok_and(|out| out.status.success()) {
        return Some(Command::new(name));
    }
    eprintln!("skipped: {name} is not installed");
    None
}

fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}\n{shown}\n{wrong}");
    output
}

#[test]
fn swaks_sends_with_and_without_tls_and_login_and_by_lmtp() {
    if program("swaks").is_none() {
        return;
    }
    let house = House::open();
    let message = house.message();
    let swaks = |at: SocketAddr, more: &[&str]| {
        let mut command = Command::new("swaks");
        command
            .args(["--server", "127.0.0.1", "--port", &at.port().to_string()])
            .args([
                "--from",
                "a@b.test",
                "--to",
                "u@example.test",
                "--ehlo",
                "client.test",
            ])
            .arg("--data")
            .arg(format!("@{}", message.display()))
            .args(more);
        command
    };
    run(&mut swaks(house.mta(), &[]));
    let (envelope, _) = house.one("swaks");
    assert_eq!(envelope.client.with, "ESMTP");
    // Without PIPELINING it waits for every answer, with it for none.
    run(&mut swaks(house.mta(), &["--pipeline"]));
    house.one("swaks --pipeline");
    run(&mut swaks(house.lmtp(), &["--protocol", "LMTP"]));
    assert_eq!(house.one("swaks LMTP").0.client.with, "LMTP");
    let plain = swaks(house.mta(), &["--to", "unknown@example.test"])
        .output()
        .unwrap();
    assert_eq!(plain.status.code(), Some(24), "no recipient was taken");
    let module = Command::new("perl")
        .args(["-MNet::SSLeay", "-e", "1"])
        .status();
    if !module.is_ok_and(|status| status.success()) {
        eprintln!("skipped: perl has no Net::SSLeay, so swaks no TLS");
        return;
    }
    for mechanism in ["PLAIN", "LOGIN"] {
        let login = [
            "--auth",
            mechanism,
            "--auth-user",
            "bob",
            "--auth-password",
            "secret word",
        ];
        run(&mut swaks(house.msa(), &[&login[..], &["--tls"]].concat()));
        let (envelope, text) = house.one(mechanism);
        assert_eq!(envelope.client.with, "ESMTPSA");
        assert_eq!(envelope.client.user.as_deref(), Some("bob"));
        assert!(text.contains("\r\nDate: "), "{text}");
        run(&mut swaks(
            house.smtps(),
            &[&login[..], &["--tls-on-connect"]].concat(),
        ));
        house.one(mechanism);
        let wrong = [
            "--auth",
            mechanism,
            "--auth-user",
            "bob",
            "--auth-password",
            "x",
            "--tls",
        ];
        let refused = swaks(house.msa(), &wrong).output().unwrap();
        assert_eq!(refused.status.code(), Some(28), "the login is refused");
    }
}

#[test]
fn curl_sends_with_and_without_tls_and_login() {
    if program("curl").is_none() {
        return;
    }
    let house = House::open();
    let message = house.message();
    let curl = |url: String, more: &[&str]| {
        let mut command = Command::new("curl");
        command
            .args(["--silent", "--show-error", "--insecure", "--url", &url])
            .args([
                "--mail-from",
                "a@b.test",
                "--mail-rcpt",
                "u@example.test",
                "--crlf",
            ])
            .arg("--upload-file")
            .arg(&message)
            .args(more);
        command
    };
    run(&mut curl(
        format!("smtp://{}/client.test", house.mta()),
        &[],
    ));
    let (envelope, _) = house.one("curl");
    assert_eq!(envelope.client.helo.as_deref(), Some("client.test"));
    let login = ["--user", "bob:secret word"];
    let required = [&login[..], &["--ssl-reqd"]].concat();
    run(&mut curl(
        format!("smtp://{}/client.test", house.msa()),
        &required,
    ));
    assert_eq!(house.one("curl STARTTLS").0.client.with, "ESMTPSA");
    run(&mut curl(
        format!("smtps://{}/client.test", house.smtps()),
        &login,
    ));
    house.one("curl smtps");
    for mechanism in ["PLAIN", "LOGIN", "SCRAM-SHA-256"] {
        let option = format!("AUTH={mechanism}");
        let chosen = [&required[..], &["--login-options", &option]].concat();
        let output = curl(format!("smtp://{}/client.test", house.msa()), &chosen)
            .output()
            .unwrap();
        // Not every build of curl knows SCRAM.
        if output.status.success() {
            house.one(mechanism);
        } else {
            assert_eq!(mechanism, "SCRAM-SHA-256");
            eprintln!("skipped: this curl does not know {mechanism}");
        }
    }
}

#[test]
fn pythons_smtplib_sends_with_all_its_extensions() {
    if program("python3").is_none() {
        return;
    }
    let house = House::open();
    let script = r#"
import smtplib, ssl, sys
mta, msa, smtps, lmtp = map(int, sys.argv[1:5])
text = open(sys.argv[5], newline='').read()
free = ssl.create_default_context(); free.check_hostname = False; free.verify_mode = ssl.CERT_NONE
def send(s, **more):
    r = s.sendmail('a@b.test', ['u@example.test'], text, **more); assert r == {}, r
with smtplib.SMTP('127.0.0.1', mta) as s:
    s.ehlo('client.test'); assert s.has_extn('size') and s.has_extn('smtputf8') and s.has_extn('chunking')
    assert s.noop()[0] == 250 and s.verify('u')[0] == 252 and s.expn('u')[0] == 502 and s.help()
    send(s); send(s, mail_options=['BODY=8BITMIME', 'RET=HDRS', 'ENVID=abc'], rcpt_options=['NOTIFY=SUCCESS,FAILURE'])
    try: s.sendmail('a@b.test', ['unknown@example.test'], text); assert False
    except smtplib.SMTPRecipientsRefused as e: assert e.recipients['unknown@example.test'][0] == 550
    send(s)
    try: s.login('bob', 'x'); assert False
    except smtplib.SMTPNotSupportedError: pass
with smtplib.SMTP('127.0.0.1', msa) as s:
    s.starttls(context=free); s.ehlo()
    try: s.login('bob', 'wrong'); assert False
    except smtplib.SMTPAuthenticationError as e: assert e.smtp_code == 535, e
    s.login('bob', 'secret word'); send(s)
with smtplib.SMTP_SSL('127.0.0.1', smtps, context=free) as s:
    s.login('bob', 'secret word', initial_response_ok=False); send(s)
with smtplib.LMTP('127.0.0.1', lmtp) as s: send(s)
from email.message import EmailMessage
m = EmailMessage(); m['From'] = 'j\u00fcrgen@b.test'; m['To'] = 'u@example.test'; m['Subject'] = 'gr\u00fc\u00dfe'; m.set_content('\u00fc\n')
with smtplib.SMTP('127.0.0.1', mta) as s: assert s.send_message(m) == {}
"#;
    let script = house.file("script.py", script);
    let message = house.message();
    let ports = house.at.iter().map(|at| at.port().to_string());
    run(Command::new("python3").arg(script).args(ports).arg(message));
    let taken = house.taken(7, "smtplib");
    let with: Vec<_> = taken.iter().map(|(e, _)| e.client.with.as_str()).collect();
    let expected = [
        "ESMTP", "ESMTP", "ESMTP", "ESMTPSA", "ESMTPSA", "LMTP", "UTF8SMTP",
    ];
    assert_eq!(with, expected);
    let (full, _) = &taken[1];
    assert_eq!((full.body, full.ret), (Body::EightBit, Some(Ret::Headers)));
    assert_eq!(full.envid.as_deref(), Some("abc"));
    let notify = full.recipients[0].notify.unwrap();
    assert!(notify.success && notify.failure && !notify.delay);
    let body = BODY.replace('\n', "\r\n");
    for (_, text) in &taken[..6] {
        assert!(text.ends_with(&body), "{text}");
    }
    let (utf8, text) = &taken[6];
    assert_eq!(utf8.sender.as_ref().unwrap().to_string(), "jürgen@b.test");
    assert!(utf8.smtputf8 && text.contains("Subject: grüße"), "{text}");
}

#[test]
fn msmtp_sends_with_and_without_tls_and_login() {
    if program("msmtp").is_none() {
        return;
    }
    let house = House::open();
    let message = house.message();
    let msmtp = |at: SocketAddr, more: &[&str]| {
        let mut command = Command::new("msmtp");
        let port = format!("--port={}", at.port());
        command
            .args([
                "--host=127.0.0.1",
                &port,
                "--from=a@b.test",
                "--domain=client.test",
            ])
            .args(more)
            .arg("u@example.test")
            .stdin(fs::File::open(&message).unwrap());
        command
    };
    let send = |command: &mut Command| {
        let output = command.output().unwrap();
        let wrong = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {wrong}");
    };
    send(&mut msmtp(house.mta(), &[]));
    house.one("msmtp");
    let password = "--passwordeval=echo 'secret word'";
    let tls = ["--tls=on", "--tls-certcheck=off", "--user=bob", password];
    for auth in [
        "--auth=plain",
        "--auth=login",
        "--auth=scram-sha-256",
        "--auth=on",
    ] {
        let more = [&tls[..], &[auth, "--tls-starttls=on"]].concat();
        let output = msmtp(house.msa(), &more).output().unwrap();
        if !output.status.success() {
            let wrong = String::from_utf8_lossy(&output.stderr);
            assert!(wrong.contains("not supported"), "{auth}: {wrong}");
            eprintln!("skipped: this msmtp does not know {auth}");
            continue;
        }
        assert_eq!(house.one(auth).0.client.with, "ESMTPSA");
    }
    let first = [&tls[..], &["--auth=plain", "--tls-starttls=off"]].concat();
    send(&mut msmtp(house.smtps(), &first));
    house.one("msmtp smtps");
    let lmtp = ["--protocol=lmtp"];
    send(&mut msmtp(house.lmtp(), &lmtp));
    house.one("msmtp lmtp");
    let notify = ["--dsn-notify=success,delay", "--dsn-return=hdrs"];
    send(&mut msmtp(house.mta(), &notify));
    assert_eq!(house.one("msmtp dsn").0.ret, Some(Ret::Headers));
}

#[test]
fn nodemailer_sends_with_and_without_tls_and_login() {
    if program("node").is_none() {
        return;
    }
    // Where Debian has it; node does not look there for scripts that lie elsewhere.
    let debian = "/usr/share/nodejs/nodemailer";
    let usual = match Path::new(debian).exists() {
        true => debian,
        false => "nodemailer",
    };
    let library = std::env::var("NODEMAILER").unwrap_or_else(|_| usual.to_string());
    let house = House::open();
    let script = r#"
const nodemailer = require(process.argv[2]);
const [mta, msa, smtps] = process.argv.slice(3, 6).map(Number);
const text = require('fs').readFileSync(process.argv[6]);
const envelope = { from: 'a@b.test', to: ['u@example.test'] };
const send = (options) => nodemailer.createTransport({ host: '127.0.0.1', name: 'client.test', tls: { rejectUnauthorized: false }, ...options }).sendMail({ envelope, raw: text });
const auth = { user: 'bob', pass: 'secret word' };
(async () => {
  await send({ port: mta, ignoreTLS: true });
  await send({ port: mta });
  await send({ port: msa, requireTLS: true, auth });
  await send({ port: smtps, secure: true, auth: { ...auth, type: 'LOGIN' } });
})().catch((e) => { console.error(e); process.exit(1); });
"#;
    let script = house.file("script.js", script);
    let there = Command::new("node")
        .args(["-e", "require(process.argv[1])", &library])
        .output()
        .unwrap();
    if !there.status.success() {
        eprintln!(
            "skipped: nodemailer is not there: install node-nodemailer, or set NODEMAILER to its folder"
        );
        return;
    }
    let message = house.message();
    let ports = house.at.iter().take(3).map(|at| at.port().to_string());
    run(Command::new("node")
        .arg(script)
        .arg(library)
        .args(ports)
        .arg(message));
    let taken = house.taken(4, "nodemailer");
    let with: Vec<_> = taken.iter().map(|(e, _)| e.client.with.as_str()).collect();
    assert_eq!(with, ["ESMTP", "ESMTPS", "ESMTPSA", "ESMTPSA"]);
    let body = BODY.replace('\n', "\r\n");
    for (_, text) in &taken {
        assert!(text.ends_with(&body), "{text}");
    }
}

/// Where the packages of the testbed are unpacked, see `.ci/testbed`.
fn unpacked(package: &str, folder: &Path) -> bool {
    let Ok(debs) = std::env::var("TB_DEBS") else {
        eprintln!("skipped: {package} is not there: run .ci/testbed and set TB_DEBS");
        return false;
    };
    let command = format!("dpkg -x {debs}/{package}_*.deb {}", folder.display());
    let done = Command::new("sh").args(["-c", &command]).status();
    if !done.is_ok_and(|status| status.success()) {
        eprintln!("skipped: {package} cannot be unpacked from {debs}");
        return false;
    }
    true
}

/// Runs a script as root in a namespace where the users of the daemons exist.
fn in_a_world_of_its_own(script: &str, folder: &Path) -> Option<Output> {
    let users = "postfix:x:61010:61010::/nonexistent:/bin/false\nDebian-exim:x:61012:61012::/nonexistent:/bin/false\n";
    let groups = "postfix:x:61010:\npostdrop:x:61011:\nDebian-exim:x:61012:\n";
    let without = |path: &str| {
        let text = fs::read_to_string(path).unwrap();
        let names = ["postfix:", "postdrop:", "Debian-exim:"];
        let lines = text
            .lines()
            .filter(|l| !names.iter().any(|n| l.starts_with(n)));
        lines.map(|l| format!("{l}\n")).collect::<String>()
    };
    fs::write(folder.join("passwd"), without("/etc/passwd") + users).unwrap();
    fs::write(folder.join("group"), without("/etc/group") + groups).unwrap();
    let script = format!(
        "set -e; mount --bind {0}/passwd /etc/passwd; mount --bind {0}/group /etc/group; chmod 755 {0}; {script}",
        folder.display()
    );
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .output();
    match output {
        Ok(output) if !String::from_utf8_lossy(&output.stderr).contains("unshare:") => Some(output),
        _ => {
            eprintln!("skipped: no namespaces to be had (this needs root)");
            None
        }
    }
}

#[test]
fn postfix_sends_by_smtp_and_lmtp_and_with_many_sessions() {
    let house = House::open();
    let folder = house.folder.path().join("postfix");
    fs::create_dir(&folder).unwrap();
    if !unpacked("postfix", &folder) {
        return;
    }
    let root = folder.display().to_string();
    let message = house.message();
    let port = house.mta().port();
    // Free a moment ago, which is as good as it gets.
    let own = || std::net::TcpListener::bind("127.0.0.1:0")?.local_addr();
    let own = own().unwrap().port();
    let config = format!(
        "compatibility_level = 3.6\nmyhostname = postfix.test\nmydestination =\nrelayhost = [127.0.0.1]:{port}\n\
         queue_directory = {root}/queue\ndata_directory = {root}/data\ncommand_directory = {root}/usr/sbin\n\
         daemon_directory = {root}/usr/lib/postfix/sbin\nshlib_directory = {root}/usr/lib/postfix\n\
         meta_directory = {root}/meta\nmaillog_file = /dev/stdout\nmaillog_file_prefixes = /\nsmtp_tls_security_level = may\n\
         smtp_dns_support_level = disabled\ninet_interfaces = loopback-only\nmail_owner = postfix\nsetgid_group = postdrop\n\
         import_environment = MAIL_CONFIG LD_LIBRARY_PATH\nexport_environment = TZ LD_LIBRARY_PATH\nalias_maps =\n"
    );
    fs::create_dir_all(folder.join("conf")).unwrap();
    fs::write(folder.join("conf/main.cf"), config).unwrap();
    let master = fs::read_to_string(folder.join("usr/share/postfix/master.cf.dist"));
    // Nothing of it listens, and nothing is chrooted.
    let master: String = master
        .unwrap_or_default()
        .lines()
        .filter(|l| !l.starts_with('#') && !l.starts_with("smtp      inet"))
        .map(|l| {
            let words: Vec<_> = l.split_whitespace().collect();
            match words.as_slice() {
                [a, b, c, d, _, rest @ ..] if !l.starts_with(' ') => {
                    format!("{a} {b} {c} {d} n {}\n", rest.join(" "))
                }
                _ => format!("{l}\n"),
            }
        })
        .collect();
    let master = format!("127.0.0.1:{own} inet n - n - - smtpd\n{master}");
    fs::write(folder.join("conf/master.cf"), master).unwrap();
    let script = format!(
        "export LD_LIBRARY_PATH={root}/usr/lib/postfix MAIL_CONFIG={root}/conf; mkdir -p {root}/queue {root}/data {root}/meta; \
         cp {root}/etc/postfix/*files* {root}/meta/ 2>/dev/null || true; chown postfix {root}/data; \
         mkdir -p {root}/queue/active {root}/queue/bounce {root}/queue/corrupt {root}/queue/defer {root}/queue/deferred {root}/queue/flush \
           {root}/queue/hold {root}/queue/incoming {root}/queue/private {root}/queue/saved {root}/queue/trace {root}/queue/maildrop {root}/queue/public {root}/queue/pid; \
         chown postfix {root}/queue/* ; chown root {root}/queue/pid; chgrp postdrop {root}/queue/maildrop {root}/queue/public; chmod 730 {root}/queue/maildrop; \
         cd {root}/queue; {root}/usr/lib/postfix/sbin/master -d -c {root}/conf > {root}/log 2>&1 & master=$!; sleep 1; \
         n=0; while [ $n -lt 20 ] && ! timeout 10 {root}/usr/sbin/smtp-source -F {message} -f a@b.test -t u@example.test 127.0.0.1:{own}; do sleep 0.5; n=$((n+1)); done; \
         n=0; while [ $n -lt 80 ] && ! grep -q 'status=' {root}/log; do sleep 0.1; n=$((n+1)); done; \
         kill $master || true; sleep 1; kill -9 $master 2>/dev/null || true; cat {root}/log {root}/conf/master.cf",
        message = message.display()
    );
    let Some(output) = in_a_world_of_its_own(&script, house.folder.path()) else {
        return;
    };
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        log.contains("status=sent (250 2.0.0 Ok: queued as"),
        "{log}\n{output:?}"
    );
    let (envelope, text) = house.one(&log);
    assert_eq!(envelope.client.with, "ESMTPS", "{log}");
    assert!(text.contains("by postfix.test (Postfix) with "), "{text}");
    let source = |at: SocketAddr, more: &[&str]| {
        let mut command = Command::new(folder.join("usr/sbin/smtp-source"));
        let to = format!("127.0.0.1:{}", at.port());
        command.env("LD_LIBRARY_PATH", folder.join("usr/lib/postfix"));
        command
            .args(["-f", "a@b.test", "-t", "u@example.test"])
            .args(more)
            .arg(to);
        command
    };
    run(&mut source(
        house.mta(),
        &["-s", "10", "-m", "200", "-l", "1000", "-d"],
    ));
    house.taken(200, "smtp-source, kept-open sessions");
    run(&mut source(
        house.mta(),
        &["-s", "5", "-m", "50", "-l", "100000"],
    ));
    house.taken(50, "smtp-source, a session each");
    run(&mut source(
        house.lmtp(),
        &["-L", "-s", "2", "-m", "20", "-r", "5"],
    ));
    house.taken(20, "smtp-source by LMTP, five recipients");
}

#[test]
fn exim_sends_inside_tls_and_with_chunks() {
    let house = House::open();
    let folder = house.folder.path().join("exim");
    fs::create_dir(&folder).unwrap();
    if !unpacked("exim4-daemon-light", &folder) {
        return;
    }
    let message = house.message();
    let port = house.mta().port();
    let root = folder.display().to_string();
    let config = format!(
        "primary_hostname = exim.test\nspool_directory = {root}/spool\nlog_file_path = {root}/log-%slog\nexim_path = {root}/usr/sbin/exim4\n\
         trusted_users = root\nkeep_environment =\nbegin routers\nall:\n driver = manualroute\n transport = out\n\
         route_list = * 127.0.0.1\n self = send\nbegin transports\nout:\n driver = smtp\n port = {port}\n allow_localhost\n\
         hosts_require_tls = *\n tls_verify_certificates =\n"
    );
    let file = house.file("exim.conf", &config);
    let script = format!(
        "mkdir {root}/spool; chown Debian-exim {root} {root}/spool; chmod 644 {conf}; \
         timeout 20 {root}/usr/sbin/exim4 -C {conf} -odi -oi -f a@b.test u@example.test < {message}; cat {root}/log-*",
        conf = file.display(),
        message = message.display()
    );
    let Some(output) = in_a_world_of_its_own(&script, house.folder.path()) else {
        return;
    };
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(log.contains("C=\"250"), "{log}\n{output:?}");
    let (envelope, _) = house.one(&log);
    assert_eq!(envelope.client.with, "ESMTPS", "{log}");
    assert_eq!(envelope.client.helo.as_deref(), Some("exim.test"));
    let _ = std::io::stderr().flush();
}
