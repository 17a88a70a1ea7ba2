//! `check` against real servers: Postfix, Exim, smtp-sink and the faulty ones of the testbed.
use std::net::SocketAddr;
use std::time::Duration;

use mailtrace::check::{Checker, Options, Target, parse_server};
use mailtrace::dns::Resolver;

#[tokio::test]
async fn explore() {
    let base = 21500;
    let dns: SocketAddr = format!("127.0.0.1:{}", base + 53).parse().unwrap();
    let run = async |target: &str, server: Option<u16>, tune: fn(&mut Options)| {
        let mut options = Options::at(chrono::Utc::now());
        options.port = base;
        options.helo = Some("probe.example.org".to_string());
        options.from = Some("sender@origin.test".to_string());
        options.timeout = Duration::from_secs(9);
        options.server =
            server.map(|p| parse_server(&format!("mx.example.test:{}", base + p)).unwrap());
        options.families.v6 = false;
        tune(&mut options);
        let checker = Checker::new(Resolver::new(&[dns]), options);
        let c = checker.check(&Target::parse(target).unwrap()).await;
        println!(
            "== {target} {server:?} -> {:?} {:?} {:.1} ms\n   {}",
            c.verdict,
            c.answer,
            c.took.as_secs_f64() * 1e3,
            c.headline
        );
        for f in &c.findings {
            println!(
                "   {} {} [{}] {} | {}",
                f.severity.id(),
                f.code,
                f.subject,
                f.text,
                f.advice
            );
        }
        for s in &c.servers {
            println!(
                "   - {} {} {:?} steps {} caps {} tls {:?} dane {:?} rcpt {:?}",
                s.host,
                s.ip,
                s.port,
                s.steps.len(),
                s.capabilities.len(),
                s.tls.session.as_ref().map(|s| s.version),
                s.tls.dane,
                s.recipient.as_ref().map(|r| (
                    r.outcome,
                    r.judgement.as_ref().map(|j| j.cause),
                    r.catch_all
                ))
            );
        }
    };
    let none: fn(&mut Options) = |_| {};
    run("alice@example.test", None, none).await;
    run("alice@example.test", None, |o| o.families.v6 = true).await;
    run("example.test", None, none).await;
    for who in [
        "nobody1",
        "full",
        "fullhard",
        "disabled",
        "busy",
        "spamfilter",
    ] {
        run(&format!("{who}@example.test"), Some(0), none).await;
    }
    run("anything@catchall.test", None, |o| o.catch_all = true).await;
    run("x@foreign.example", Some(0), none).await;
    run("alice@example.test", Some(0), |o| {
        o.from = Some("spf-fail@example.org".into())
    })
    .await;
    run("alice@example.test", Some(0), |o| {
        o.from = Some("blocked@example.org".into())
    })
    .await;
    for p in (1..=17).filter(|p| *p != 16) {
        run("alice@example.test", Some(p), |o| o.catch_all = true).await;
    }
    run("alice@example.test", Some(3), |o| {
        o.from = Some("g2@origin.test".into());
        o.wait = Some(Duration::from_secs(10))
    })
    .await;
    run("alice@example.test", Some(17), |o| {
        o.helo = Some("nodots".into())
    })
    .await;
    run("alice@example.test", Some(5), |o| {
        o.tls = mailtrace::check::TlsMode::Implicit
    })
    .await;
    run("alice@example.test", Some(10), |o| o.relay_test = true).await;
    run("alice@example.test", Some(0), |o| o.relay_test = true).await;
    for p in [20, 21, 22, 24] {
        run("alice@exim.test", Some(p), none).await;
    }
    run("full@exim.test", Some(20), none).await;
    run("nouser@exim.test", Some(20), none).await;
    for p in [30, 31, 33, 34, 40, 41, 42, 43, 44, 45, 46, 47, 49] {
        run("x@example.test", Some(p), |o| {
            o.timeout = Duration::from_secs(3);
            o.injection_test = true;
        })
        .await;
    }
    for d in [
        "nullmx.test",
        "nullmxplus.test",
        "implicit.test",
        "nomail.test",
        "cnamemx.test",
        "dangling.test",
        "ipmx.test",
        "privmx.test",
        "v6only.test",
        "dup.test",
        "cnamedom.test",
        "loopcname.test",
        "badname.test",
        "servfail.test",
        "refused.test",
        "timeout.test",
        "gone.example",
        "unsigned.test",
    ] {
        run(d, None, |o| {
            o.timeout = Duration::from_secs(4);
            o.families.v6 = true;
        })
        .await;
    }
    for d in [
        "spf2.test",
        "spfplus.test",
        "spfptr.test",
        "spfloop.test",
        "spfvoid.test",
        "spf11.test",
        "spfsyntax.test",
        "spflong.test",
        "dmarc2.test",
        "dmarcbad.test",
        "org.psd.test",
        "dmarcold.test",
    ] {
        run(d, None, |o| o.dns_only = true).await;
    }
    for h in [
        "danewrong.example.test:21500",
        "daneunusable.example.test:21500",
        "mx.unsigned.test:21500",
        "127.0.0.1:21500",
        "localhost:21520",
        "[::1]:21500",
    ] {
        run(h, None, |o| o.families.v6 = true).await;
    }
}
