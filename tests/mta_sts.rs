//! MTA-STS with a real web server on loopback: the policy comes over HTTPS, with certificates,
//! statuses, sizes and breakdowns as web servers have them, and the mail server beside it keeps
//! the policy or does not.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

use std::time::{Duration, Instant};

use mailtrace::check::{Answer, Checker, Checkup, Options, Severity, Target};
use mailtrace::dns::world::{Entry, World};
use mailtrace::dns::{Data, Name};
use mailtrace::smtp::tls::server::Identity;
use mailtrace::smtp::tls::{Roots, Trust};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

const GOOD: &str = "version: STSv1\r\nmode: enforce\r\nmx: mx.x.test\r\nmax_age: 604800\r\n";

/// What the web server does.
#[derive(Clone)]
enum Web {
    /// Says this and closes.
    Says(Vec<u8>),
    /// Takes the question and says nothing.
    Silent,
    /// Nobody listens.
    Absent,
    /// Answers before any TLS.
    Clear,
}

fn page(status: &str, more: &str, body: &str) -> Web {
    Web::Says(format!("HTTP/1.1 {status}\r\n{more}\r\n{body}").into_bytes())
}

fn ok(body: &str) -> Web {
    page(
        "200 OK",
        "Content-Type: text/plain; charset=utf-8\r\n",
        body,
    )
}

/// One play: who has which certificate, what the DNS and the web server say.
struct Play {
    web: Web,
    web_names: &'static str,
    web_expired: bool,
    web_trusted: bool,
    mx_names: &'static str,
    mx_tls: bool,
    record: Option<&'static str>,
}

impl Default for Play {
    fn default() -> Self {
        Self {
            web: ok(GOOD),
            web_names: "mta-sts.x.test",
            web_expired: false,
            web_trusted: true,
            mx_names: "mx.x.test",
            mx_tls: true,
            record: Some("v=STSv1; id=20261122"),
        }
    }
}

fn pem(identity: &Identity) -> String {
    let one = |der: &Vec<u8>| {
        format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            data_encoding::BASE64.encode(der)
        )
    };
    identity.chain().iter().map(one).collect()
}

async fn serve_web(identity: Identity, web: Web) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    if matches!(web, Web::Absent) {
        return port;
    }
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let (identity, web) = (identity.clone(), web.clone());
            tokio::spawn(async move {
                if matches!(web, Web::Clear) {
                    tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                        .await
                        .ok();
                    return;
                }
                let Ok((mut tls, _)) = identity.accept(tcp).await else {
                    return;
                };
                let mut block = [0; 2048];
                let got = tls.read(&mut block).await.unwrap_or(0);
                let asked = String::from_utf8_lossy(&block[..got]).into_owned();
                assert!(asked.starts_with("GET /.well-known/mta-sts.txt HTTP/1.1\r\n"));
                assert!(asked.contains("\r\nHost: mta-sts.x.test\r\n"));
                match web {
                    Web::Says(octets) => {
                        tls.write_all(&octets).await.ok();
                        tls.shutdown().await.ok();
                    }
                    _ => tokio::time::sleep(Duration::from_secs(20)).await,
                }
            });
        }
    });
    port
}

async fn serve_mail(identity: Identity, tls: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let identity = identity.clone();
            tokio::spawn(async move {
                tcp.write_all(b"220 mx.x.test ESMTP\r\n").await.ok()?;
                let offer = if tls {
                    "250-mx.x.test\r\n250 STARTTLS\r\n"
                } else {
                    "250 mx.x.test\r\n"
                };
                let (read, mut write) = tcp.split();
                let mut lines = BufReader::new(read).lines();
                while let Some(line) = lines.next_line().await.ok()? {
                    if line.starts_with("STARTTLS") {
                        break;
                    }
                    let reply = if line.starts_with("EHLO") {
                        offer
                    } else {
                        "250 ok\r\n"
                    };
                    write.write_all(reply.as_bytes()).await.ok()?;
                }
                write.write_all(b"220 go\r\n").await.ok()?;
                let (tls, _) = identity.accept(tcp).await.ok()?;
                let (read, mut write) = tokio::io::split(tls);
                let mut lines = BufReader::new(read).lines();
                while lines.next_line().await.ok()?.is_some() {
                    write.write_all(b"250 mx.x.test\r\n").await.ok()?;
                    write.flush().await.ok()?;
                }
                Some(())
            });
        }
    });
    port
}

async fn check(play: Play) -> Checkup {
    let names = |list: &str| vec![list.to_string()];
    let web = if play.web_expired {
        Identity::expired(&names(play.web_names))
    } else {
        Identity::self_signed(&names(play.web_names))
    };
    let (web, mail) = (
        web.unwrap(),
        Identity::self_signed(&names(play.mx_names)).unwrap(),
    );
    let stranger = Identity::self_signed(&names("stranger.test")).unwrap();
    let trusted = if play.web_trusted { &web } else { &stranger };
    let roots = Trust::from_pem(format!("{}{}", pem(trusted), pem(&mail)).as_bytes()).unwrap();

    let mx = Entry {
        data: vec![Data::Mx {
            preference: 10,
            exchange: Name::parse("mx.x.test").unwrap(),
        }],
        ..Entry::default()
    };
    let mut world = World::new()
        .name("x.test", mx)
        .addresses("mx.x.test", &["127.0.0.1"])
        .addresses("mta-sts.x.test", &["127.0.0.1"])
        .text("_smtp._tls.x.test", b"v=TLSRPTv1; rua=mailto:a@x.test");
    if let Some(record) = play.record {
        world = world.text("_mta-sts.x.test", record.as_bytes());
    }
    let mut options = Options::at(chrono::Utc::now());
    options.https_port = serve_web(web, play.web).await;
    options.port = serve_mail(mail, play.mx_tls).await;
    options.helo = Some("probe.example".to_string());
    options.timeout = Duration::from_secs(2);
    options.roots = Roots::of_file(roots);
    let checker = Checker::new(world, options);
    checker.check(&Target::parse("bob@x.test").unwrap()).await
}

/// The severity and code of what is said about MTA-STS, and the whole sentence.
async fn said(play: Play) -> (Vec<(Severity, &'static str)>, String) {
    let checkup = check(play).await;
    let ours = checkup
        .findings
        .iter()
        .filter(|f| f.code.starts_with("mta-sts"));
    let list = ours.clone().map(|f| (f.severity, f.code)).collect();
    let bad = list_has_error(&list);
    assert_eq!(checkup.answer == Answer::No, bad, "{}", checkup.headline);
    (list, ours.map(|f| f.text.clone()).collect())
}

fn list_has_error(list: &Vec<(Severity, &'static str)>) -> bool {
    list.iter()
        .any(|(severity, _)| *severity == Severity::Error)
}

#[tokio::test]
async fn a_policy_that_is_fetched_and_kept_is_nothing_to_tell() {
    let checkup = check(Play::default()).await;
    let sts = checkup.dns.unwrap().mta_sts.unwrap();
    assert_eq!(sts.error, None);
    assert_eq!(sts.policy.unwrap().mode.id(), "enforce");
    let codes: Vec<_> = checkup.findings.iter().map(|f| f.code).collect();
    assert!(!codes.iter().any(|c| c.starts_with("mta-sts")), "{codes:?}");
    for body in [
        GOOD.replace("\r\n", "\n"),
        GOOD.replace("mx.x.test", "*.x.test"),
        GOOD.replace("enforce", "testing"),
        format!("{GOOD}odd_key: 1\r\nmode: none\r\n"),
    ] {
        assert_eq!(
            said(Play {
                web: ok(&body),
                ..Play::default()
            })
            .await
            .0,
            [],
            "{body}"
        );
    }
    let chunks = format!("{:x}\r\n{GOOD}\r\n0\r\n\r\n", GOOD.len());
    let web = page(
        "200 OK",
        "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n",
        &chunks,
    );
    assert_eq!(
        said(Play {
            web,
            ..Play::default()
        })
        .await
        .0,
        []
    );
}

#[tokio::test]
async fn a_policy_that_cannot_be_had_is_told_with_the_reason() {
    let large = format!("{GOOD}{}", "mx: a.x.test\r\n".repeat(8000));
    for (play, reason) in [
        (
            Play {
                web: Web::Absent,
                ..Play::default()
            },
            "takes no connection",
        ),
        (
            Play {
                web: Web::Silent,
                ..Play::default()
            },
            "in time",
        ),
        (
            Play {
                web: Web::Clear,
                ..Play::default()
            },
            "no TLS",
        ),
        (
            Play {
                web_expired: true,
                ..Play::default()
            },
            "mta-sts.x.test",
        ),
        (
            Play {
                web_names: "www.x.test",
                ..Play::default()
            },
            "another host",
        ),
        (
            Play {
                web_trusted: false,
                ..Play::default()
            },
            "self-signed",
        ),
        (
            Play {
                web: page("404 Not Found", "", ""),
                ..Play::default()
            },
            "status 404",
        ),
        (
            Play {
                web: page("301 Moved", "Location: https://www.x.test/\r\n", ""),
                ..Play::default()
            },
            "status 301",
        ),
        (
            Play {
                web: ok("<html>hello</html>"),
                ..Play::default()
            },
            "broken",
        ),
        (
            Play {
                web: ok("version: STSv1\nmode: enforce\nmax_age: 1\n"),
                ..Play::default()
            },
            "mx",
        ),
        (
            Play {
                web: ok(&large),
                ..Play::default()
            },
            "64 KiB",
        ),
        (
            Play {
                web: page("200 OK", "Content-Length: 9999\r\n", GOOD),
                ..Play::default()
            },
            "breaks off",
        ),
        (
            Play {
                web: Web::Says(b"\0\x01\x02".to_vec()),
                ..Play::default()
            },
            "HTTP",
        ),
        (
            Play {
                web: Web::Says(Vec::new()),
                ..Play::default()
            },
            "HTTP",
        ),
    ] {
        let started = Instant::now();
        let (list, text) = said(play).await;
        assert_eq!(
            list,
            [(Severity::Warning, "mta-sts-no-policy")],
            "{reason}: {text}"
        );
        assert!(text.contains(reason), "{reason}: {text}");
        assert!(started.elapsed() < Duration::from_secs(5), "{reason}");
    }
}

#[tokio::test]
async fn a_server_that_breaks_the_policy_is_an_error_only_where_it_is_enforced() {
    use Severity::{Error, Warning};
    let other = GOOD.replace("mx.x.test", "other.x.test");
    let deep = GOOD.replace("mx.x.test", "*.test");
    let testing = |body: &str| body.replace("enforce", "testing");
    for (play, severity) in [
        (
            Play {
                web: ok(&other),
                ..Play::default()
            },
            Error,
        ),
        (
            Play {
                web: ok(&deep),
                ..Play::default()
            },
            Error,
        ),
        (
            Play {
                web: ok(&testing(&other)),
                ..Play::default()
            },
            Warning,
        ),
        (
            Play {
                mx_names: "wrong.x.test",
                ..Play::default()
            },
            Error,
        ),
        (
            Play {
                mx_tls: false,
                ..Play::default()
            },
            Error,
        ),
        (
            Play {
                mx_tls: false,
                web: ok(&testing(GOOD)),
                ..Play::default()
            },
            Warning,
        ),
    ] {
        let (list, text) = said(play).await;
        assert_eq!(list, [(severity, "mta-sts-breach")], "{text}");
    }
    let none = "version: STSv1\nmode: none\nmax_age: 86400\n";
    let play = Play {
        web: ok(none),
        mx_tls: false,
        ..Play::default()
    };
    assert_eq!(said(play).await.0, []);
}

#[tokio::test]
async fn what_is_odd_about_a_policy_is_told() {
    use Severity::Warning;
    let short = GOOD.replace("604800", "300");
    let html = page("200 OK", "Content-Type: text/html\r\n", GOOD);
    for (play, code) in [
        (
            Play {
                web: ok(&short),
                ..Play::default()
            },
            "mta-sts-short",
        ),
        (
            Play {
                web: html,
                ..Play::default()
            },
            "mta-sts-media-type",
        ),
        (
            Play {
                record: None,
                ..Play::default()
            },
            "mta-sts-no-record",
        ),
    ] {
        assert_eq!(said(play).await.0, [(Warning, code)]);
    }
    // Without a record, a web server that has no policy is nobody's business.
    let play = Play {
        record: None,
        web: page("404 Not Found", "", ""),
        ..Play::default()
    };
    assert_eq!(said(play).await.0, []);
    let play = Play {
        record: Some("v=STSv1; id=bad-id"),
        ..Play::default()
    };
    assert_eq!(said(play).await.0, [(Severity::Error, "mta-sts-syntax")]);
}
