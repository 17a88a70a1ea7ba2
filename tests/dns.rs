//! The resolver against a name server in this process: what each habit of a server becomes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mailtrace::dns::world::{Entry, World};
use mailtrace::dns::{
    Data, Failure, Kind, Lookup, Name, Patience, Question, Reply, Resolver, WINDOW,
};
use support::{Habits, Server};

const WAIT: Duration = Duration::from_secs(3);

fn world() -> World {
    World::new()
        .addresses("a.test", &["192.0.2.1"])
        .text("long.test", "reason ".repeat(400).as_bytes())
        .zone("broken.test", Entry::failing(Failure::ServFail))
        .zone("closed.test", Entry::failing(Failure::Refused))
        .zone("silent.test", Entry::failing(Failure::Timeout))
        .zone(
            "late.test",
            Entry::saying([192, 0, 2, 2]).after(Duration::from_millis(30)),
        )
}

async fn ask(resolver: &Resolver, name: &str, kind: Kind, wait: Duration) -> Reply {
    let question = Question::new(Name::parse(name).unwrap(), kind);
    resolver.lookup(question, Patience::of(wait)).await
}

/// A port on which nobody listens.
fn closed_port() -> SocketAddr {
    std::net::UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

#[tokio::test]
async fn the_kinds_of_answer_are_kept_apart() {
    let server = Server::start(world(), Habits::default()).await;
    let resolver = Resolver::new(&[server.at]);
    let result = async |name: &str| ask(&resolver, name, Kind::A, WAIT).await.result;
    assert_eq!(
        result("a.test").await.unwrap().data,
        [Data::A([192, 0, 2, 1].into())]
    );
    assert_eq!(result("none.test").await, Err(Failure::NxDomain));
    assert_eq!(result("long.test").await, Err(Failure::NoData));
    assert_eq!(result("x.broken.test").await, Err(Failure::ServFail));
    assert_eq!(result("x.closed.test").await, Err(Failure::Refused));
    let started = Instant::now();
    let silent = ask(
        &resolver,
        "x.silent.test",
        Kind::A,
        Duration::from_millis(300),
    )
    .await;
    assert_eq!(silent.result, Err(Failure::Timeout));
    assert!(
        started.elapsed() < Duration::from_millis(450),
        "the limit is hard"
    );
}

/// The first answer was no answer: a server that runs on asks again, a run that ends does not.
#[tokio::test]
async fn what_was_no_answer_is_asked_again_by_who_runs_on() {
    let server = Server::start(world(), Habits::default()).await;
    let short = Duration::from_millis(50);
    for (resolver, wanted) in [
        (Resolver::lasting(&[server.at]), true),
        (Resolver::new(&[server.at]), false),
    ] {
        let slow = "x.late.test";
        let impatient = ask(&resolver, slow, Kind::A, Duration::from_millis(5)).await;
        assert_eq!(impatient.result, Err(Failure::Timeout));
        tokio::time::sleep(short).await;
        let reply = ask(&resolver, slow, Kind::A, WAIT).await;
        assert_eq!(reply.result.is_ok(), wanted, "{reply:?}");
        // What was an answer is kept as long as it allows.
        drop(ask(&resolver, "a.test", Kind::A, WAIT).await);
        let packets = server.packets.load(Ordering::Relaxed);
        drop(ask(&resolver, "a.test", Kind::A, WAIT).await);
        assert_eq!(server.packets.load(Ordering::Relaxed), packets);
    }
}

/// Sixty-four errors in a row close a socket; the server that comes back is heard all the same.
#[tokio::test]
async fn a_name_server_that_was_down_for_long_is_found_again() {
    let at = closed_port();
    let resolver = Resolver::lasting(&[at]);
    for n in 0..300 {
        let reply = ask(&resolver, &format!("n{n}.test"), Kind::A, WAIT).await;
        assert!(reply.result.is_err());
    }
    let server = Server::start_at(at, world(), Habits::default()).await;
    let reply = ask(&resolver, "a.test", Kind::A, WAIT).await;
    assert!(reply.result.is_ok(), "{reply:?}");
    drop(server);
}

#[tokio::test]
async fn a_closed_port_is_known_at_once() {
    let started = Instant::now();
    let reply = ask(&Resolver::new(&[closed_port()]), "a.test", Kind::A, WAIT).await;
    assert_eq!(reply.result, Err(Failure::Unreachable));
    assert!(started.elapsed() < Duration::from_secs(1));
}

/// The system tells one of them only, and once.
#[tokio::test]
async fn everybody_who_asks_at_a_closed_port_knows_it_at_once() {
    let started = Instant::now();
    let resolver = Resolver::new(&[closed_port()]);
    let names: Vec<String> = (0..60).map(|n| format!("n{n}.test")).collect();
    let asked = names.iter().map(|name| ask(&resolver, name, Kind::A, WAIT));
    for reply in futures_util::future::join_all(asked).await {
        assert_eq!(reply.result, Err(Failure::Unreachable));
    }
    assert!(
        started.elapsed() < Duration::from_millis(390),
        "nobody waits for a repeat: {:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn the_second_resolver_answers_when_the_first_is_down_or_broken() {
    let server = Server::start(world(), Habits::default()).await;
    let broken = World::new().zone("test", Entry::failing(Failure::ServFail));
    let broken = Server::start(broken, Habits::default()).await;
    for first in [closed_port(), broken.at] {
        let resolver = Resolver::new(&[first, server.at]);
        let reply = ask(&resolver, "a.test", Kind::A, WAIT).await;
        assert!(reply.result.is_ok(), "{reply:?}");
        assert_eq!(reply.server, Some(server.at));
    }
}

#[tokio::test]
async fn rubbish_is_not_an_answer() {
    for habits in [
        Habits {
            babbles: true,
            ..Habits::default()
        },
        Habits {
            echoes: true,
            ..Habits::default()
        },
    ] {
        let server = Server::start(world(), habits).await;
        let resolver = Resolver::new(&[server.at]);
        let reply = ask(&resolver, "a.test", Kind::A, Duration::from_millis(600)).await;
        assert_eq!(reply.result, Err(Failure::Rubbish), "{habits:?}");
    }
}

#[tokio::test]
async fn a_lost_packet_is_sent_again() {
    let habits = Habits {
        loses_first: true,
        ..Habits::default()
    };
    let server = Server::start(world(), habits).await;
    let reply = ask(&Resolver::new(&[server.at]), "a.test", Kind::A, WAIT).await;
    assert!(reply.result.is_ok());
    assert_eq!(server.packets.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_cut_answer_is_asked_again_over_tcp() {
    let server = Server::start(
        world(),
        Habits {
            cuts: true,
            ..Habits::default()
        },
    )
    .await;
    let reply = ask(&Resolver::new(&[server.at]), "long.test", Kind::Txt, WAIT).await;
    let Data::Txt(text) = &reply.data()[0] else {
        panic!()
    };
    assert_eq!(text.len(), 2800);
    assert_eq!(server.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn where_udp_is_filtered_tcp_is_tried() {
    let server = Server::start(
        world(),
        Habits {
            deaf_over_udp: true,
            ..Habits::default()
        },
    )
    .await;
    let resolver = Resolver::new(&[server.at]);
    assert!(ask(&resolver, "a.test", Kind::A, WAIT).await.result.is_ok());
    let started = Instant::now();
    assert_eq!(
        ask(&resolver, "b.test", Kind::A, WAIT).await.result,
        Err(Failure::NxDomain)
    );
    assert!(
        started.elapsed() < Duration::from_millis(300),
        "TCP is used at once from then on"
    );
}

#[tokio::test]
async fn a_server_without_edns_is_asked_without() {
    let server = Server::start(
        world(),
        Habits {
            old: true,
            ..Habits::default()
        },
    )
    .await;
    assert!(
        ask(&Resolver::new(&[server.at]), "a.test", Kind::A, WAIT)
            .await
            .result
            .is_ok()
    );
}

#[tokio::test]
async fn equal_questions_are_asked_once() {
    let server = Server::start(world(), Habits::default()).await;
    let resolver = Resolver::new(&[server.at]);
    let both = tokio::join!(
        ask(&resolver, "x.late.test", Kind::A, WAIT),
        ask(&resolver, "x.late.test", Kind::A, WAIT),
    );
    assert_eq!(both.0.result, both.1.result);
    ask(&resolver, "X.LATE.test.", Kind::A, WAIT).await;
    assert_eq!(server.packets.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn no_more_questions_are_open_than_the_window_holds_and_none_is_lost() {
    let server = Server::start(world(), Habits::default()).await;
    let resolver = std::sync::Arc::new(Resolver::new(&[server.at]));
    let tasks: Vec<_> = (0..1000)
        .map(|n| {
            let resolver = std::sync::Arc::clone(&resolver);
            tokio::spawn(async move {
                ask(&resolver, &format!("x{n}.late.test"), Kind::A, WAIT)
                    .await
                    .result
            })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap().is_ok());
    }
    assert!(server.most_open.load(Ordering::Relaxed) <= WINDOW);
}

#[tokio::test]
async fn a_resolver_that_never_answers_is_given_up_after_one_wait() {
    let silent = World::new().zone("test", Entry::failing(Failure::Timeout));
    let server = Server::start(silent, Habits::default()).await;
    let resolver = Resolver::new(&[server.at]);
    let wait = Duration::from_millis(200);
    assert_eq!(
        ask(&resolver, "a.test", Kind::A, wait).await.result,
        Err(Failure::Timeout)
    );
    let started = Instant::now();
    assert_eq!(
        ask(&resolver, "b.test", Kind::A, WAIT).await.result,
        Err(Failure::Timeout)
    );
    assert!(started.elapsed() < Duration::from_millis(50));
}
