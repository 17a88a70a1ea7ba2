//! What the rooms cost that `explain`, `message` and `received` do not measure: each works in memory,
//! with no network and no disk, on one core. `cargo bench --bench rooms`.
//!
//! `STAGE=smtp ROUNDS=50` runs only the rows whose names begin so, with that many rounds.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a measurement prints"
)]

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use clap::Parser;
use futures_util::FutureExt;
use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::{A, CNAME, MX, TXT};
use hickory_proto::rr::{Name as WireName, RData, Record, RecordType};

use mailtrace::check::{self, Options, Target};
use mailtrace::cli::Cli;
use mailtrace::config::Settings;
use mailtrace::dns::world::{Entry, World};
use mailtrace::dns::{self, Data, Kind, Name, Question};
use mailtrace::dnsbl::source::{Choice, Source};
use mailtrace::dnsbl::subject::Subject;
use mailtrace::dnsbl::{self, Manner};
use mailtrace::mta::envelope::Envelope;
use mailtrace::mta::fault::Faults;
use mailtrace::mta::intake::{Intake, Papers};
use mailtrace::mta::journal::Journal;
use mailtrace::mta::mailboxes::Standing;
use mailtrace::mta::session::machine::{Session, Step};
use mailtrace::mta::session::reply::Reply;
use mailtrace::mta::settings::{self, Listener, Role};
use mailtrace::mta::site::Site;
use mailtrace::mta::store::{Committing, Draft, Store, Trouble};
use mailtrace::mta::wire::text::Text;
use mailtrace::posture::{Asker, dkim, dmarc, mta_sts, spf};
use mailtrace::report::html;
use mailtrace::report::safe::safe;
use mailtrace::send::arrival;
use mailtrace::smtp::data::dotted;
use mailtrace::smtp::reply::Assembler;

/// Enough rounds that the best one is not disturbed.
const ROUNDS: usize = 15;
/// How long a round takes at least.
const ROUND: Duration = Duration::from_millis(20);
const WAIT: Duration = Duration::from_secs(5);

/// One row: the best time of a run, and the megabytes a second when it has octets.
fn row(name: &str, octets: usize, mut run: impl FnMut()) {
    if std::env::var("STAGE").is_ok_and(|stage| !name.starts_with(&stage)) {
        return;
    }
    let rounds = std::env::var("ROUNDS").ok().and_then(|n| n.parse().ok());
    let mut times = 1_u32;
    let mut best = Duration::MAX;
    for _ in 0..rounds.unwrap_or(ROUNDS) {
        loop {
            let clock = Instant::now();
            for _ in 0..times {
                run();
            }
            let took = clock.elapsed();
            if took >= ROUND || times >= 1 << 24 {
                best = best.min(took / times);
                break;
            }
            times *= 2;
        }
    }
    #[allow(clippy::cast_precision_loss, reason = "figures for people")]
    let speed = match octets {
        0 => String::new(),
        octets => format!("{:9.0} MB/s", octets as f64 / best.as_secs_f64() / 1e6),
    };
    println!(
        "{name:52} {:11.3} us {:12.0} /s {speed}",
        best.as_secs_f64() * 1e6,
        1.0 / best.as_secs_f64()
    );
}

/// A packet that answers a question with these records.
fn packet(name: &str, kind: RecordType, records: Vec<(&str, RData)>) -> Vec<u8> {
    let wire = |name: &str| WireName::from_ascii(format!("{name}.")).unwrap();
    let mut message = Message::new(7, MessageType::Response, OpCode::Query);
    message.add_query(Query::query(wire(name), kind));
    for (owner, data) in records {
        message.add_answer(Record::from_rdata(wire(owner), 300, data));
    }
    message.to_vec().unwrap()
}

fn answers() {
    let wire = |name: &str| WireName::from_ascii(name).unwrap();
    let listed = packet(
        "7.113.0.203.zen.spamhaus.org",
        RecordType::A,
        [4, 10]
            .map(|n| {
                (
                    "7.113.0.203.zen.spamhaus.org",
                    RData::A(A(Ipv4Addr::new(127, 0, 0, n))),
                )
            })
            .to_vec(),
    );
    let exchange = |n: u16| RData::MX(MX::new(n, wire(&format!("mx{n}.mail.example.net."))));
    let servers = packet(
        "example.net",
        RecordType::MX,
        (1..6).map(|n| ("example.net", exchange(n * 10))).collect(),
    );
    let texts = packet(
        "alias.example.net",
        RecordType::TXT,
        vec![
            (
                "alias.example.net",
                RData::CNAME(CNAME(wire("example.net."))),
            ),
            ("example.net", RData::TXT(TXT::new(vec![SPF.to_string()]))),
            (
                "example.net",
                RData::TXT(TXT::new(vec!["x".repeat(200); 3])),
            ),
        ],
    );
    for (what, packet, name, kind) in [
        (
            "dns: an answer of a list, two addresses",
            &listed,
            "7.113.0.203.zen.spamhaus.org",
            Kind::A,
        ),
        ("dns: five mail servers", &servers, "example.net", Kind::Mx),
        (
            "dns: an alias and two texts",
            &texts,
            "alias.example.net",
            Kind::Txt,
        ),
    ] {
        let question = Question::new(Name::parse(name).unwrap(), kind);
        assert!(dns::answers(packet, &question));
        row(what, packet.len(), || {
            black_box(dns::answers(black_box(packet), &question));
        });
    }
}

/// All lists there are that can be asked about an address; each third one names it, each seventh
/// refuses.
fn lists() {
    let choice = Choice {
        all: true,
        ..Choice::default()
    };
    let subject = Subject::V4(Ipv4Addr::new(198, 51, 100, 7));
    let test = Subject::V4(Ipv4Addr::new(127, 0, 0, 2));
    let askable = |source: &Source| source.zone.is_some() && source.subjects.ipv4;
    let count = choice
        .sources()
        .unwrap()
        .iter()
        .filter(|s| askable(s))
        .count();
    let mut world = World::new();
    for (n, source) in choice
        .sources()
        .unwrap()
        .iter()
        .filter(|s| askable(s))
        .enumerate()
    {
        let zone = source.zone.as_ref().unwrap();
        let code: &[&str] = if n % 7 == 0 {
            &["127.255.255.254"]
        } else {
            &["127.0.0.2"]
        };
        if n % 3 == 0 || n % 7 == 0 {
            world = world.addresses(subject.asked_at(zone).unwrap().as_str(), code);
        }
        world = world.addresses(test.asked_at(zone).unwrap().as_str(), code);
    }
    let runtime = runtime();
    let manner = Manner {
        wait: WAIT,
        probe: false,
        force: true,
    };
    row(
        &format!("dnsbl: the answers of {count} lists judged"),
        0,
        || {
            let checker = dnsbl::Checker::new(&world, choice.sources().unwrap(), manner);
            black_box(runtime.block_on(checker.check(subject.clone(), None)));
        },
    );
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

const SPF: &str = "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 a:mail.example.net mx \
                   include:_spf.example.org exists:%{i}._spf.%{d2} redirect=other.example.net";
const DMARC: &str = "v=DMARC1; p=quarantine; sp=reject; adkim=s; aspf=r; pct=100; \
                     rua=mailto:dmarc@example.net,mailto:reports@example.org; fo=1";
const KEY: &str = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9\
                   ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2\
                   UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ\
                   2QIDAQAB";
const POLICY: &str = "version: STSv1\r\nmode: enforce\r\nmx: mx1.example.net\r\n\
                      mx: *.mail.example.net\r\nmax_age: 604800\r\n";

fn records() {
    row("posture: SPF record read", SPF.len(), || {
        black_box(spf::Record::read(black_box(SPF)));
    });
    row("posture: DMARC record read", DMARC.len(), || {
        black_box(dmarc::Record::read(black_box(DMARC)));
    });
    row("posture: DKIM key read and judged", KEY.len(), || {
        black_box(dkim::judge(
            "example.net",
            &dkim::read("s", Some(black_box(KEY))),
        ));
    });
    row(
        "posture: MTA-STS policy read, a server looked up",
        POLICY.len(),
        || {
            let policy = mta_sts::Policy::read(black_box(POLICY)).unwrap();
            black_box(policy.covers("a.mail.example.net"));
        },
    );
    let mut world = World::new().text("example.net", b"v=spf1 include:a.test include:b.test -all");
    for (name, net) in [("a.test", "192.0.2.0/25"), ("b.test", "198.51.100.0/25")] {
        world = world.text(name, format!("v=spf1 ip4:{net} -all").as_bytes());
    }
    let sender = spf::Sender {
        ip: Ipv4Addr::new(198, 51, 100, 7).into(),
        local: "alice",
        domain: "example.net",
        helo: "mail.example.net",
    };
    let runtime = runtime();
    row("posture: SPF evaluated, two includes", 0, || {
        let asker = Asker::new(&world, WAIT);
        black_box(runtime.block_on(spf::evaluate(asker, &sender)));
    });
}

/// A domain with servers, records and a policy, judged by what the DNS says.
fn domain() {
    let mx = |n: u16| Data::Mx {
        preference: n,
        exchange: Name::parse(&format!("mx{n}.example.net")).unwrap(),
    };
    let spf = Data::Txt(b"v=spf1 mx -all".to_vec());
    let whole = Entry {
        data: vec![mx(10), mx(20), spf],
        ..Entry::default()
    };
    let world = || {
        World::new()
            .name("example.net", whole.clone())
            .addresses("mx10.example.net", &["192.0.2.10", "2001:db8::10"])
            .addresses("mx20.example.net", &["192.0.2.20"])
            .text("_dmarc.example.net", DMARC.as_bytes())
            .text("_mta-sts.example.net", b"v=STSv1; id=20260101")
            .text(
                "_smtp._tls.example.net",
                b"v=TLSRPTv1; rua=mailto:tls@example.net",
            )
            .text("s._domainkey.example.net", KEY.as_bytes())
    };
    let runtime = runtime();
    let target = Target::parse("bob@example.net").unwrap();
    let now = chrono::Utc::now();
    let run = |world: World| {
        let mut options = Options::at(now);
        options.dns_only = true;
        options.fetch_policy = false;
        options.selectors = vec!["s".to_string()];
        runtime.block_on(check::Checker::new(world, options).check(&target))
    };
    assert!(!run(world()).findings.is_empty());
    row("check: a domain judged by its records", 0, || {
        black_box(run(world()));
    });
}

fn replies() {
    let ehlo: Vec<String> = [
        "mx.example.net Hello client.example.org [192.0.2.7]",
        "SIZE 52428800",
        "8BITMIME",
        "PIPELINING",
        "STARTTLS",
        "AUTH PLAIN LOGIN",
        "ENHANCEDSTATUSCODES",
        "DSN",
        "CHUNKING",
        "SMTPUTF8",
    ]
    .iter()
    .enumerate()
    .map(|(n, text)| format!("250{}{text}\r\n", if n == 9 { ' ' } else { '-' }))
    .collect();
    let refusal = vec![
        "550-5.7.1 Service unavailable; Client host [192.0.2.7] blocked using\r\n".to_string(),
        "550 5.7.1 zen.spamhaus.org; https://check.spamhaus.org/query/ip/192.0.2.7\r\n".to_string(),
    ];
    for (what, lines) in [
        ("smtp: a reply of ten lines to EHLO", &ehlo),
        ("smtp: a refusal of two lines, with its text", &refusal),
    ] {
        let octets = lines.iter().map(String::len).sum();
        row(what, octets, || {
            let mut assembler = Assembler::default();
            let reply = lines
                .iter()
                .find_map(|line| assembler.push(black_box(line.as_bytes())).unwrap());
            black_box(reply.map(|reply| reply.text()));
        });
    }
    let message =
        "A line of a mail as people write them, neither long nor short.\r\n..\r\n".repeat(16_000);
    row(
        "smtp: a message of 1 MB made ready for DATA",
        message.len(),
        || {
            black_box(dotted(black_box(message.as_bytes())));
        },
    );
    let wire = dotted(message.as_bytes());
    row("mta: the same read behind a 354", wire.len(), || {
        let mut kept = 0;
        black_box(Text::default().push(black_box(&wire), &mut |run| kept += run.len()));
        black_box(kept);
    });
}

/// Keeps nothing.
struct Nowhere;

impl Store for Nowhere {
    fn draft(&self) -> Box<dyn Draft> {
        Box::new(Self)
    }
}

impl Draft for Nowhere {
    fn id(&self) -> String {
        "1ND0Z3F8K2M".to_string()
    }
    fn write(&mut self, octets: &[u8]) -> Result<(), Trouble> {
        black_box(octets);
        Ok(())
    }
    fn commit(self: Box<Self>, _: Envelope) -> Committing {
        Box::pin(async { Ok(()) })
    }
}

const COMMANDS: [&str; 5] = [
    "EHLO client.example.org",
    "MAIL FROM:<alice@example.org> SIZE=1200 BODY=8BITMIME",
    "RCPT TO:<bob@example.net> NOTIFY=FAILURE,DELAY",
    "RCPT TO:<carol@example.net>",
    "DATA",
];

/// One dialogue from greeting to QUIT; gives the octets of the replies.
fn dialogue(site: &Arc<Site>, door: &Arc<Listener>, wire: &[u8]) -> usize {
    let ends = (([192, 0, 2, 7], 4000).into(), ([192, 0, 2, 25], 25).into());
    let mut out = Vec::new();
    let mut session = Session::new(site.clone(), door.clone(), ends.0, ends.1);
    session.greet(&mut out);
    let now = Instant::now();
    let steps = COMMANDS.map(|line| session.command(line.as_bytes(), now, &mut out));
    assert_eq!(steps.last(), Some(&Step::Text));
    let papers = Papers {
        envelope: session.envelope().unwrap(),
        reverse: None,
        tls: None,
        spf: None,
        completes: session.completes(),
    };
    let mut intake = Intake::new(site.store.draft(), papers);
    let ended = Text::default().push(wire, &mut |run| intake.write(run, &site.settings));
    assert!(ended.ended);
    let whole = intake.finish(&site.settings).ok().unwrap();
    let kept = whole.draft.commit(whole.envelope).now_or_never();
    assert_eq!(kept, Some(Ok(())));
    session.settle(&Reply::new(250, 0, 0, "Ok"), &mut out);
    assert_eq!(session.command(b"QUIT", now, &mut out), Step::Leave);
    out.len()
}

fn dialogues() {
    let site = Arc::new(Site::new(
        settings::Settings::new("mx.example.net", &["example.net"]),
        Arc::new(Nowhere),
        Arc::new(|_| Standing::Known),
        Arc::new(Faults::default()),
        Arc::new(Journal::silent(SystemTime::now)),
        None,
        SystemTime::now,
    ));
    let door = Arc::new(Listener::new(([192, 0, 2, 25], 25).into(), Role::Mta));
    let wire = dotted(&mail());
    row(
        "mta: a whole dialogue, a message of 1 kB taken",
        wire.len(),
        || {
            black_box(dialogue(&site, &door, black_box(&wire)));
        },
    );
}

/// A mail of 1 kB that came over three hops.
fn mail() -> Vec<u8> {
    let mut mail = String::new();
    for n in [3, 2, 1] {
        mail.push_str(&format!(
            "Received: from relay{n}.example.org (relay{n}.example.org [198.51.100.{n}])\r\n\
             \tby mx{n}.example.net (Postfix) with ESMTPS id 4XyZ{n} for <bob@example.net>;\r\n\
             \tFri, 6 Nov 2026 10:00:0{n} +0000 (UTC)\r\n"
        ));
    }
    mail.push_str("From: alice@example.org\r\nTo: bob@example.net\r\nSubject: Bench\r\n");
    mail.push_str("Message-ID: <1@example.org>\r\n\r\n");
    mail.push_str(&"Some words that stand for a mail.\r\n".repeat(10));
    mail.into_bytes()
}

fn ways() {
    let mail = mail();
    row("route: a header of three hops", mail.len(), || {
        black_box(mailtrace::route(black_box(&mail)));
    });
    let way = mailtrace::route(&mail).unwrap();
    row("report: its page", 0, || {
        black_box(html::route::article(black_box(&way), "bench.eml"));
    });
    let hostile = "Gr\u{FC}\u{DF}e \x1B[31mred\u{202E} and plain words behind it. ".repeat(100);
    row("report: hostile text made safe", hostile.len(), || {
        black_box(safe(black_box(&hostile)));
    });
    row(
        "send: what arrived held beside what was sent",
        2 * mail.len(),
        || {
            black_box(arrival::changes(black_box(&mail), black_box(&mail)));
        },
    );
}

fn starts() {
    let file = std::env::temp_dir().join(format!("mailtrace-bench-{}.toml", std::process::id()));
    let text = "format = 'json'\ncolor = 'never'\nwidth = 100\nresolver = ['127.0.0.1:53']\n\
                timeout = 5\n[dnsbl]\noff = ['spamcop']\n";
    std::fs::write(&file, text).unwrap();
    assert!(Settings::load(Some(&file), &[], |_| None).is_ok());
    row("config: no file", 0, || {
        black_box(Settings::load(None, &[], |_| None)).unwrap();
    });
    row(
        "config: a file with a table of lists (read from disk)",
        text.len(),
        || {
            black_box(Settings::load(Some(&file), &[], |_| None)).unwrap();
        },
    );
    std::fs::remove_file(&file).unwrap();
    row("cli: the command line understood", 0, || {
        let args = ["mailtrace", "explain", "-q", "--width", "80", "a.eml"];
        black_box(Cli::try_parse_from(args).unwrap());
    });
}

fn main() {
    println!("best of {ROUNDS} rounds, one core\n");
    answers();
    lists();
    records();
    domain();
    replies();
    dialogues();
    ways();
    starts();
}
