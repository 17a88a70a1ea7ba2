//! Mail servers of others give mail to ours: Postfix and Exim, unpacked and not installed, each in
//! a world of its own.
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
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use house::{House, run};

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
