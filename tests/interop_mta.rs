//! Other people's programs send mail to the built-in server: swaks, curl, Python's smtplib,
//! msmtp and nodemailer. What is not installed is left out, and said so;
//! `.ci/run` installs what Debian has.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test may fail, and says why it is skipped"
)]

mod house;
mod shelf;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use house::{BODY, House, program, run};
use mailtrace::mta::envelope::{Body, Ret};

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
